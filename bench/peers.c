/* Parts of compare: SQLite, whose library is loaded if it is there, and packages of node (Yjs,
 * Loro, Automerge, PouchDB), where bench/peers.mjs finds them. */
#include <dlfcn.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"
#include "crdt/cell.h"

/* ---- SQLite ---- */

/* So much of sqlite3.h. */
struct sqlite {
    void *library;
    int (*open)(const char *path, void **ret_database);
    int (*run)(void *database, const char *text, void *call, void *arg, char **ret_error);
    int (*prepare)(void *database, const char *text, int size, void **ret_made, const char **tail);
    int (*bind)(void *made, int index, const char *text, int size, void (*done)(void *));
    int (*step)(void *made);
    int (*reset)(void *made);
    int (*finish)(void *made);
    int (*close)(void *database);
};
enum { SQLITE_DONE = 101, SQLITE_WRITES = 800 };

static bool sqlite_load(struct sqlite *sqlite)
{
    static const char *const names[] = {"sqlite3_open",  "sqlite3_exec", "sqlite3_prepare_v2",
                                        "sqlite3_bind_text", "sqlite3_step", "sqlite3_reset",
                                        "sqlite3_finalize", "sqlite3_close"};
    void *found[sizeof(names) / sizeof(names[0])];

    sqlite->library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; sqlite->library && i < sizeof(names) / sizeof(names[0]); i++) {
        found[i] = dlsym(sqlite->library, names[i]);
        if (!found[i])
            return false;
    }
    if (sqlite->library) /* data pointers hold functions, says POSIX of dlsym() */
        memcpy(&sqlite->open, found, sizeof(found));
    return sqlite->library;
}

/* Each a transaction that is synced before it returns. */
static double sqlite_increments(const struct sqlite *sqlite, void *made, uint64_t from)
{
    double start = clock_seconds();

    for (uint64_t i = 0; i < SQLITE_WRITES; i++) {
        char key[KEY_BYTES + 1];

        bench_name(bench_mix(from + i) % KEYS, key);
        if (sqlite->bind(made, 1, key, KEY_BYTES, NULL) || sqlite->step(made) != SQLITE_DONE ||
            sqlite->reset(made))
            bench_check(NEAP_IO, "sqlite: increment");
    }
    return SQLITE_WRITES / (clock_seconds() - start);
}

static void sqlite_rounds(const struct sqlite *sqlite, void *made, struct neap *neap,
                          struct rows *rows)
{
    double ours[COMPARES], theirs[COMPARES], ratios[COMPARES];

    for (unsigned i = 0; i < COMPARES; i++) {
        ours[i] = neap_increments(neap, 1, SQLITE_WRITES);
        theirs[i] = sqlite_increments(sqlite, made, i * SQLITE_WRITES);
        ratios[i] = ours[i] / theirs[i];
    }
    rows_add_ratio(rows, "increment synced, 1 caller, against SQLite", "per second",
                   median(ours, COMPARES), median(theirs, COMPARES),
                   median(ratios, COMPARES), 1, 0, false);
}

void sqlite_run(const char *base, struct neap *neap, struct rows *rows)
{
    static const char table[] = "pragma journal_mode = wal; pragma synchronous = full;"
                                "create table counts (k text primary key, n integer) without rowid";
    static const char add[] =
        "insert into counts values (?, 1) on conflict (k) do update set n = n + 1";
    struct sqlite sqlite = {0};
    void *database, *made;
    char path[240];

    if (!sqlite_load(&sqlite)) {
        printf("SQLite: skipped, its library is not installed\n");
        return;
    }
    snprintf(path, sizeof(path), "%.200s/sqlite", base);
    if (sqlite.open(path, &database) || sqlite.run(database, table, NULL, NULL, NULL) ||
        sqlite.prepare(database, add, -1, &made, NULL))
        bench_check(NEAP_IO, "sqlite");
    sqlite_rounds(&sqlite, made, neap, rows);
    (void)sqlite.finish(made);
    (void)sqlite.close(database);
    dlclose(sqlite.library);
}

/* ---- node ---- */

enum { ENTRIES = 10000 };

/* Entries of a map that one side does not have: each is read, merged and written again, all in
 * memory. Entries a second. */
static double map_merges(void)
{
    const struct cell none = {0};
    struct context own = {0}, other = {0};
    const struct knowledge know_own = {.context = &own}, know_other = {.context = &other};
    uint8_t value[VALUE_BYTES] = {0};
    struct buffer sent, kept;
    struct cell cell, merged;
    double start;

    buffer_init(&sent, 1 << 20);
    buffer_init(&kept, 16 << 20);
    cell_init(&cell);
    cell_init(&merged);
    bench_check(context_raise(&own, 1, ENTRIES, 1), "context");
    bench_check(context_raise(&other, 2, ENTRIES, 1), "context");
    start = clock_seconds();
    for (uint64_t i = 1; i <= ENTRIES; i++) {
        buffer_clear(&sent);
        cell_clear(&cell);
        bench_check(cell_add(&cell, (struct dot){2, i}, slice_of(value, sizeof(value))), "cell");
        bench_check(cell_encode(&cell, &sent), "cell");
        bench_check(cell_decode(buffer_slice(&sent), &cell), "cell");
        bench_check(cell_merge(&none, &know_own, &cell, &know_other, &merged, NULL), "merge");
        bench_check(cell_encode(&merged, &kept), "cell");
    }
    start = clock_seconds() - start;
    cell_done(&cell);
    cell_done(&merged);
    context_done(&own);
    context_done(&other);
    buffer_done(&sent);
    buffer_done(&kept);
    return ENTRIES / start;
}

static const struct {
    const char *peer, *work, *row;
    const char *ours; /* another row, of this run; NULL: map_merges() */
    double goal, aim;
} compared[] = {
    {"yjs", "merge", "map merge in memory, against Yjs", NULL, 10, 30},
    {"loro", "merge", "map merge in memory, against Loro", NULL, 10, 30},
    {"automerge", "merge", "map merge in memory, against Automerge", NULL, 100, 300},
    {"yjs", "deltas", "durable merges, against deltas of Yjs in memory",
     "stream of cells to merge with", 0.6, 1.5},
    {"automerge", "deltas", "durable merges, against changes of Automerge in memory",
     "stream of cells to merge with", 5, 10},
    {"pouchdb", "replicate", "cold start, against PouchDB's replicate in memory",
     "cold start: a new node gets a bucket", 20, 80},
};
enum { COMPARED = sizeof(compared) / sizeof(compared[0]) };

/* What node says of one of them, round by round. */
struct told {
    double rates[COMPARES];
    unsigned rounds;
};

static void line_take(const char *line, struct told told[COMPARED])
{
    json_t *said = json_loads(line, 0, NULL);
    const char *peer = json_string_value(json_object_get(said, "peer"));
    const char *work = json_string_value(json_object_get(said, "work"));
    const char *absent = json_string_value(json_object_get(said, "absent"));

    for (unsigned i = 0; peer && work && i < COMPARED; i++)
        if (!strcmp(peer, compared[i].peer) && !strcmp(work, compared[i].work) &&
            told[i].rounds < COMPARES)
            told[i].rates[told[i].rounds++] = json_number_value(json_object_get(said, "count")) /
                                              json_number_value(json_object_get(said, "seconds"));
    if (peer && absent)
        printf("%s: skipped, %s\n", peer, absent);
    json_decref(said);
}

/* False: there is no node. */
static bool node_run(const char *source, struct told told[COMPARED])
{
    char command[600], line[400];
    FILE *out;

    snprintf(command, sizeof(command), "node '%.400s/bench/peers.mjs' 2>/dev/null", source);
    out = popen(command, "r");
    while (out && fgets(line, sizeof(line), out))
        line_take(line, told);
    return out && pclose(out) == 0;
}

static void compared_row(unsigned i, const struct told *told, struct rows *rows)
{
    double figures[COMPARES], references[COMPARES], ratios[COMPARES];

    if (told->rounds < COMPARES)
        return; /* that it is skipped was said */
    for (unsigned round = 0; round < COMPARES; round++) {
        figures[round] = compared[i].ours ? rows_figure(rows, compared[i].ours) : map_merges();
        references[round] = told->rates[round];
        ratios[round] = figures[round] / references[round];
    }
    if (isnan(figures[0]))
        printf("%s: skipped, this run has no `%s'\n", compared[i].row, compared[i].ours);
    else
        rows_add_ratio(rows, compared[i].row, "per second", median(figures, COMPARES),
                       median(references, COMPARES), median(ratios, COMPARES),
                       compared[i].goal, compared[i].aim, false);
}

void peers_run(const char *source, struct rows *rows)
{
    struct told told[COMPARED] = {0};

    if (!node_run(source, told))
        printf("Yjs, Loro, Automerge, PouchDB: skipped, node is not installed\n");
    for (unsigned i = 0; i < COMPARED; i++)
        compared_row(i, &told[i], rows);
}
