/* neap demo: real input on three nodes, a cut, writes on both sides of it, a kill, a heal; at the
 * end the three are equal byte for byte, and the values are what the types promise. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo.h"

#define BUCKET "packages"
#define SHARED "~shared" /* after all packages: it is not among those removed */
#define INPUT "/var/lib/dpkg/status"
enum { A, B, C, DELETES = 300, INCREMENTS = 200, NEW = 50 };

static struct neap_place place_of(const char *key, const struct neap_bytes *field)
{
    return (struct neap_place){BUCKET, bytes_of(key), field, field ? 1 : 0};
}

static int said(int code, const char *doing)
{
    if (code)
        fprintf(stderr, "demo: %s: %s\n", doing, neap_strerror(code));
    return code ? EXIT_DIFFERS : 0;
}

/* Keys of the bucket from the start, as copies. */
struct names {
    char **list;
    size_t count;
};

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

static int names_read(struct neap *neap, struct names *ret_names)
{
    struct neap_iter *iter;
    struct neap_item item;
    int code = neap_keys(neap, BUCKET, (struct neap_bytes){0}, NULL, &iter);

    while (code == 0 && (code = neap_next(iter, &item, 0)) == 0) {
        char **list = realloc(ret_names->list, (ret_names->count + 1) * sizeof(*list));

        if (list == NULL) {
            code = NEAP_NOMEM;
            break;
        }
        ret_names->list = list;
        list[ret_names->count] = strndup(item.name.data, item.name.size);
        ret_names->count += list[ret_names->count] != NULL;
    }
    if (code == NEAP_END) {
        neap_iter_free(iter);
        code = 0;
    }
    return said(code, "keys");
}

/* On each side of the cut, at once: a shared counter, and a set that one side adds to and the other
 * removes from. */
static int write_both_sides(struct demo *demo)
{
    struct neap_bytes tags = bytes_of("tags"), count = bytes_of("visits");
    struct neap_place set = place_of(SHARED, &tags), visits = place_of(SHARED, &count);
    int code = 0;

    for (int i = 0; i < INCREMENTS && code == 0; i++)
        for (int node = 0; node < DEMO_NODES && code == 0; node++)
            code = neap_counter_add(demo->nodes[node].neap, &visits, node + 1, NULL);
    if (code == 0)
        code = neap_set_remove(demo->nodes[A].neap, &set, bytes_of("contested"), NULL);
    if (code == 0)
        code = neap_set_add(demo->nodes[C].neap, &set, bytes_of("contested"), NULL);
    if (code == 0)
        code = neap_set_remove(demo->nodes[C].neap, &set, bytes_of("dropped"), NULL);
    return said(code, "writing on both sides");
}

/* A removes whole packages (maps); C, cut off, adds a field to the first of them, updates one of
 * the second, and makes new ones: what C wrote survives the removal, the rest of those maps goes.
 */
static int write_maps(struct demo *demo, const struct names *names, size_t deletes)
{
    struct neap_bytes note = bytes_of("note"), section = bytes_of("section");
    char key[64];
    int code = 0;

    for (size_t i = 0; i < deletes && code == 0; i++) {
        struct neap_place at = place_of(names->list[i], NULL);

        code = neap_remove(demo->nodes[A].neap, &at, NEAP_MAP, NULL);
    }
    if (code == 0) {
        struct neap_place at = place_of(names->list[0], &note);

        code = neap_lww_set(demo->nodes[C].neap, &at, bytes_of("still needed here"), NULL);
        at = place_of(names->list[1], &section);
        if (code == 0)
            code = neap_lww_set(demo->nodes[C].neap, &at, bytes_of("kept"), NULL);
    }
    for (int i = 0; i < 2 * NEW && code == 0; i++) {
        struct neap_place at = place_of(key, &note);

        snprintf(key, sizeof(key), "new-package-%03d", i);
        at.key = bytes_of(key);
        code = neap_lww_set(demo->nodes[i % 2 ? A : C].neap, &at, bytes_of("made offline"), NULL);
    }
    return said(code, "maps on both sides");
}

static int expect(int holds, const char *what)
{
    printf("  %-6s %s\n", holds ? "yes" : "NO", what);
    return holds ? 0 : EXIT_DIFFERS;
}

/* What the types promise of the writes above, read on every node. */
static int check_values(struct demo *demo, const struct names *names, size_t deletes)
{
    struct neap_bytes tags = bytes_of("tags"), count = bytes_of("visits"), note = bytes_of("note"),
                      version = bytes_of("version"), section = bytes_of("section");
    struct neap_place set = place_of(SHARED, &tags), visits = place_of(SHARED, &count);
    struct neap_place kept = place_of(names->list[0], &note),
                      lost = place_of(names->list[0], &version),
                      updated = place_of(names->list[1], &section),
                      other = place_of(names->list[deletes - 1], &version);
    const int64_t want = (int64_t)INCREMENTS * (1 + 2 + 3);
    int counted = 1, contested = 1, dropped = 0, noted = 1, gone = 1;

    for (int i = 0; i < DEMO_NODES; i++) {
        struct neap *neap = demo->nodes[i].neap;
        struct neap_buffer value = {0};
        int64_t total = 0;
        int in = 0;

        counted &= neap_counter_get(neap, &visits, &total, NULL) == 0 && total == want;
        contested &= neap_set_has(neap, &set, bytes_of("contested"), &in, NULL) == 0 && in;
        dropped |= neap_set_has(neap, &set, bytes_of("dropped"), &in, NULL) != 0 || in;
        noted &= neap_lww_get(neap, &kept, &value, NULL) == 0 &&
                 neap_lww_get(neap, &updated, &value, NULL) == 0 && value.size == 4 &&
                 memcmp(value.data, "kept", 4) == 0;
        gone &= neap_lww_get(neap, &lost, &value, NULL) == NEAP_NOTFOUND &&
                neap_lww_get(neap, &other, &value, NULL) == NEAP_NOTFOUND;
        neap_buffer_free(&value);
    }
    return expect(counted, "every increment of the three counts once") |
           expect(contested, "added here and removed there at once: it stays") |
           expect(!dropped, "removed by one who saw it: it is gone") |
           expect(noted, "fields written while their map was removed: they stay") |
           expect(gone, "the rest of those maps, and the other removed ones: gone");
}

static void print_sums(const struct demo_sum sums[DEMO_NODES])
{
    printf("\n%-4s %8s %8s %10s %6s %9s  %s\n", "node", "keys", "cells", "bytes", "log", "residues",
           "digest");
    for (int i = 0; i < DEMO_NODES; i++)
        printf("%-4c %8lld %8lld %10lld %6lld %9lld  %s\n", 'a' + i, (long long)sums[i].keys,
               (long long)sums[i].cells, (long long)sums[i].bytes, (long long)sums[i].log,
               (long long)sums[i].residues, sums[i].digest);
}

static int load(struct demo *demo)
{
    struct neap_bytes tags = bytes_of("tags");
    struct neap_place set = place_of(SHARED, &tags);
    uint64_t packages = 0;
    FILE *file = fopen(INPUT, "re");
    int code;

    if (file == NULL) {
        fprintf(stderr, "demo: cannot read " INPUT "\n");
        return EXIT_DIFFERS;
    }
    code = load_dpkg(demo->nodes[A].neap, BUCKET, file, &packages);
    fclose(file);
    if (code == 0)
        code = neap_set_add(demo->nodes[A].neap, &set, bytes_of("contested"), NULL);
    if (code == 0)
        code = neap_set_add(demo->nodes[A].neap, &set, bytes_of("dropped"), NULL);
    printf("a: imported %llu packages from " INPUT "\n", (unsigned long long)packages);
    return said(code, "import");
}

/* The cut did cut: c knows nothing of what a did, nor a of c. */
static int check_cut(struct demo *demo)
{
    struct demo_sum a, c;
    int result = demo_sum(demo, A, &a);

    if (result == 0)
        result = demo_sum(demo, C, &c);
    if (result)
        return result;
    printf("a: digest %s, %lld events that c lacks\nc: digest %s, %lld that a and b lack\n",
           a.digest, (long long)a.log, c.digest, (long long)c.log);
    if (strcmp(a.digest, c.digest) && a.log && c.log)
        return 0;
    fprintf(stderr, "demo: c was to be cut off, and is not\n");
    return EXIT_DIFFERS;
}

static int differ(struct demo *demo, const struct demo_sum sums[DEMO_NODES], const char *when)
{
    print_sums(sums);
    fprintf(stderr, "demo: the nodes did not become equal %s\n", when);
    demo_differences(demo, BUCKET);
    return EXIT_DIFFERS;
}

static int story(struct demo *demo, struct names *names)
{
    struct demo_sum sums[DEMO_NODES];
    size_t deletes;
    int result = 0;

    for (int i = 0; i < DEMO_NODES && result == 0; i++)
        result = demo_start(demo, i);
    if (result)
        return result;
    printf("three nodes run under %s\n", demo->directory);
    result = load(demo);
    if (result)
        return result;
    if (demo_wait_equal(demo, sums))
        return differ(demo, sums, "after the import, with empty logs");
    printf("a, b, c: all hold it (%lld cells), logs are empty\n", (long long)sums[0].cells);
    result = names_read(demo->nodes[A].neap, names);
    if (result == 0 && names->count < 10) {
        fprintf(stderr, "demo: " INPUT " has too few packages to show anything\n");
        return EXIT_DIFFERS;
    }
    deletes = names->count / 2 < DELETES ? names->count / 2 : DELETES;
    if (result == 0)
        result = demo_isolate(demo, C, 1);
    if (result)
        return result;
    printf("c: cut off. Writing on both sides: counters, sets, maps; %zu packages removed\n",
           deletes);
    result = write_both_sides(demo);
    if (result == 0)
        result = write_maps(demo, names, deletes);
    if (result == 0)
        result = check_cut(demo);
    if (result == 0)
        result = demo_kill(demo, B, SIGKILL);
    if (result == 0) {
        printf("b: killed, started again\n");
        result = demo_start(demo, B);
    }
    if (result == 0)
        result = demo_isolate(demo, C, 0);
    if (result)
        return result;
    printf("c: connected again\n");
    if (demo_wait_equal(demo, sums))
        return differ(demo, sums, "after healing, with empty logs");
    printf("\nWhat the types promise, on every node:\n");
    result = check_values(demo, names, deletes);
    print_sums(sums);
    for (int i = 0; i < DEMO_NODES && result == 0; i++)
        result = demo_kill(demo, i, SIGTERM);
    if (result == 0)
        printf("\nconverged: %d nodes, %lld cells, digest %s\n", DEMO_NODES,
               (long long)sums[0].cells, sums[0].digest);
    return result;
}

int command_demo(struct cli *cli)
{
    static struct demo demo;
    struct names names = {0};
    int result;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (cli->ring)
        return demo_ring(cli->call.timeout_ms);
    result = demo_make(&demo, DEMO_NODES, cli->call.timeout_ms);
    if (result == 0)
        result = story(&demo, &names);
    names_done(&names);
    demo_end(&demo, result != 0);
    return result;
}
