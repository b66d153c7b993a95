/* wire [FILE.json] [CELLS] [sets]: what two nodes send each other to become equal again, in bytes,
 * round trips and CPU, after pushes that were lost and after damage; and what they send when
 * nothing happens. With `sets`, only what additions to a set cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "bench/figures.h"
#include "bench/rows.h"
#include "bench/wire.h"
#include "gossip/state.h"
#include "store/merkle.h"

enum { CELLS = 1000000, VALUE_BYTES = 100, KEY_BYTES = 16, WRITE_OPS = 500, TREE_BITS = 16 };
enum { DIFFERENCES = 5, SINGLE_PUSHES = 1000, SINGLE_MS = 100, IDLE_MINUTES = 10, SHARDS = 64 };

static const char bucket[] = "wire";

struct bench {
    struct wire wire;
    struct rows rows;
    uint64_t cells;
    uint64_t writes; /* so far: what is written is never the same */
    uint64_t healed; /* of both, before the damage */
};

static struct bench bench;

/* ---- cells ---- */

static uint64_t mix(uint64_t i)
{
    i = (i + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
    return i ^ (i >> 31);
}

static void cell_path(uint64_t number, struct buffer *path)
{
    char key[KEY_BYTES + 1];

    snprintf(key, sizeof key, "%016llx", (unsigned long long)mix(number));
    buffer_clear(path);
    wire_check(path_level(path, (struct slice){(const uint8_t *)key, KEY_BYTES}, NEAP_LWW), "path");
}

/* Cells from, from + step... on that node: a new value each. */
static void write_cells(const char *to, size_t node, uint64_t from, uint64_t step, uint64_t count)
{
    static uint8_t paths[WRITE_OPS][64], value[VALUE_BYTES];
    static struct write_op ops[WRITE_OPS];

    while (count > 0) {
        size_t part = count < WRITE_OPS ? (size_t)count : WRITE_OPS;

        memcpy(value, &bench.writes, sizeof bench.writes);
        bench.writes++;
        for (size_t i = 0; i < part; i++, from += step) {
            struct buffer path = {.data = paths[i], .room = 64, .size_max = 64};

            cell_path(from, &path);
            ops[i] = (struct write_op){
                .bucket = to,
                .path = buffer_slice(&path),
                .op = {.kind = OP_LWW_SET, .value = slice_of(value, sizeof value)}};
        }
        wire_write(&bench.wire, node, ops, part);
        count -= part;
    }
}

/* The n-th of so many that are spread over all. */
static uint64_t spread(uint64_t n, uint64_t count)
{
    return n * (bench.cells / (count ? count : 1));
}

static bool are_equal(struct wire *wire)
{
    const struct shard *a = wire_shard(wire, 0, bucket), *b = wire_shard(wire, 1, bucket);

    return a && b && context_equal(&a->context, &b->context) && a->tree->ready && b->tree->ready &&
           digest_equal(merkle_root(a->tree), merkle_root(b->tree));
}

static bool are_at_rest(struct wire *wire)
{
    return are_equal(wire) && shard_log_count(wire_shard(wire, 0, bucket)) == 0 &&
           shard_log_count(wire_shard(wire, 1, bucket)) == 0;
}

static void fill(void)
{
    uint64_t half = bench.cells / 2, part = WRITE_OPS;

    write_cells(bucket, 0, 0, 1, part);
    wire_run(&bench.wire, 10000);
    for (uint64_t at = part; at < bench.cells; at += part) {
        part = bench.cells - at < WRITE_OPS ? bench.cells - at : WRITE_OPS;
        write_cells(bucket, at >= half, at, 1, part);
        wire_run(&bench.wire, 10);
    }
    wire_run_until(&bench.wire, are_at_rest, 600000, "to be equal after the fill");
}

/* ---- rows ---- */

static void row(const char *what, uint64_t differences, const char *figure, double value,
                const char *unit, double goal)
{
    char work[120];

    snprintf(work, sizeof work, "wire: %s, %llu differ: %s", what, (unsigned long long)differences,
             figure);
    rows_add_most(&bench.rows, work, value, unit, goal);
}

static uint64_t metadata(void)
{
    const struct wire_tally *tally = &bench.wire.tally;

    return tally->bytes - tally->values - tally->envelopes;
}

static void kinds_print(void)
{
    const struct wire_tally *tally = &bench.wire.tally;

    for (int kind = MESSAGE_HELLO; getenv("WIRE_KINDS") && kind < MESSAGE_KINDS; kind++) {
        if (tally->messages_of[kind])
            printf("    %s: %llu of %llu bytes\n", message_name((enum message_kind)kind),
                   (unsigned long long)tally->messages_of[kind],
                   (unsigned long long)tally->by_kind[kind]);
    }
}

/* Turns of question and answer; what follows the last answer is not waited for. */
static double turns(void)
{
    const struct wire_tally *tally = &bench.wire.tally;

    if (!tally->asked_ms)
        return 0;
    return (double)((tally->ended_ms - tally->asked_ms) / (uint64_t)(2 * WIRE_DELAY_MS));
}

static void rows_of(const char *what, uint64_t count, double cpu, double goal, double goal_turns)
{
    const struct wire_tally *tally = &bench.wire.tally;

    row(what, count, "metadata", (double)metadata(), "bytes", goal);
    row(what, count, "round trips", turns(), "turns", goal_turns);
    row(what, count, "CPU of both nodes", cpu * 1e3, "ms", NAN);
    if (count == 0)
        return;
    row(what, count, "values", (double)tally->values, "bytes", NAN);
    row(what, count, "around each value", (double)tally->envelopes / (double)tally->cells, "bytes",
        NAN);
    row(what, count, "values sent per value needed", (double)tally->cells / (double)count, "values",
        1.05);
    kinds_print();
}

/* ---- lost pushes ---- */

static void write_spread(uint64_t count)
{
    for (uint64_t i = 0; i < count; i += WRITE_OPS) {
        write_cells(bucket, 0, spread(i, count), spread(1, count),
                    count - i < WRITE_OPS ? count - i : WRITE_OPS);
        wire_run(&bench.wire, 10);
    }
}

/* The same writes with nothing lost: what goes anyway. */
static uint64_t none_lost(uint64_t count)
{
    struct wire *wire = &bench.wire;

    wire_run(wire, 3000);
    wire_count(wire);
    write_spread(count);
    wire_run_until(wire, are_at_rest, 600000, "to be at rest after writes");
    wire_run(wire, 5000);
    return metadata();
}

/* The net takes no push while they are made. */
static void pushes_lost(uint64_t count)
{
    struct wire *wire = &bench.wire;
    uint64_t none = none_lost(count);

    wire->refuses = true;
    wire_run(wire, 3000);
    wire_count(wire);
    write_spread(count);
    wire->refuses = false;
    wire_run_until(wire, are_equal, 600000, "to be equal after an outage");
    double cpu = wire_cpu() - wire->tally.cpu;
    wire_run_until(wire, are_at_rest, 600000, "to be at rest after an outage");
    wire_run(wire, 5000);
    rows_of("pushes lost", count, cpu, NAN, NAN);
    row("pushes lost", count, "metadata more than with none lost",
        (double)metadata() - (double)none, "bytes", count == 1000 ? 100 : NAN);
}

/* All counts that goes once links are back: hellos and first digests, too. */
static void links_lost(uint64_t count)
{
    struct wire *wire = &bench.wire;

    wire_cut(wire, true);
    wire_run(wire, 3000);
    write_spread(count);
    wire_run(wire, 3000);
    wire_cut(wire, false);
    wire_count(wire);
    wire_run_until(wire, are_equal, 600000, "to be equal after an outage");
    double cpu = wire_cpu() - wire->tally.cpu;
    wire_run_until(wire, are_at_rest, 600000, "to be at rest after an outage");
    wire_run(wire, 5000);
    rows_of("links lost", count, cpu, NAN, NAN);
    if (count == 10)
        rows_add_aimed(&bench.rows, "10 cells were written in between: equal again, CPU of both",
                       cpu * 1e3, "ms", 20, 3);
}

/* ---- two equal stores ---- */

static bool knows_equal(struct wire *wire, size_t node)
{
    struct gossip *gossip = wire->nodes[node].wheel.engine.gossip;
    const struct now now = {.mono_ms = wire->now_ms, .wall_ms = wire->now_ms};
    struct equal_status status;

    gossip_equal(gossip, wire_shard(wire, node, bucket), 0, now, &status);
    return status.state == EQUAL_NOW;
}

static bool know_equal(struct wire *wire)
{
    return knows_equal(wire, 0) && knows_equal(wire, 1);
}

/* From links that come back to knowledge of both that they have the same: work alone, as a round
 * trip takes what the net takes. */
static void equal_stores(void)
{
    enum { ROUNDS = 5 };
    struct wire *wire = &bench.wire;
    double times[ROUNDS];
    char work[80];

    for (unsigned i = 0; i < ROUNDS; i++) {
        wire_cut(wire, true);
        wire_run(wire, 3000);
        wire_cut(wire, false);
        wire_count(wire);
        wire_run_until(wire, know_equal, 600000, "to know that they are equal");
        times[i] = (wire_cpu() - wire->tally.cpu) * 1e3;
    }
    snprintf(work, sizeof work, "two equal stores of %llu cells find out, CPU of both",
             (unsigned long long)bench.cells);
    rows_add_aimed(&bench.rows, work, median(times, ROUNDS), "ms", 5, 0.5);
}

/* Pushes, one write each, of which some are lost: all that went for them. */
static double singles(unsigned lost)
{
    struct wire *wire = &bench.wire;

    wire_count(wire);
    for (unsigned i = 0; i < SINGLE_PUSHES; i++) {
        if (lost && i % (SINGLE_PUSHES / lost) == 0)
            wire->refuse_1 = 1;
        write_cells(bucket, 0, spread(i, SINGLE_PUSHES), 1, 1);
        wire_run(wire, SINGLE_MS);
    }
    wire_run_until(wire, are_at_rest, 600000, "to be at rest after single losses");
    wire_run(wire, 5000);
    kinds_print();
    return (double)metadata();
}

static void isolated(void)
{
    enum { LOST = 10 };
    double none = singles(0), some = singles(LOST);

    rows_add_most(&bench.rows, "wire: 1000 single pushes, none lost: metadata each",
                  none / SINGLE_PUSHES, "bytes", NAN);
    rows_add_most(&bench.rows, "wire: 1000 single pushes, 10 lost: metadata more, each",
                  (some - none) / LOST, "bytes", 4);
    rows_add_most(&bench.rows, "wire: 1000 single pushes, 10 lost: values per value needed",
                  (double)bench.wire.tally.cells / SINGLE_PUSHES, "values", 1.05);
}

/* Both have seen events of so many replica ids besides their own, and now of so many more events of
 * each: what is left when other nodes write. */
static void others_write(unsigned count, uint64_t more)
{
    for (size_t node = 0; node < 2; node++) {
        struct shard *shard = wire_shard(&bench.wire, node, bucket);

        for (unsigned i = 0; i < count; i++) {
            uint64_t id = mix(i), n = context_get(&shard->context, id) + more;

            wire_check(context_raise(&shard->context, id, n, (uint32_t)id), "others");
            wire_check(context_raise(&shard->horizon, id, n, 0), "others");
        }
    }
}

/* Additions to a set, so many at once: all bytes of the pushes, with paths, dots and heads of
 * frames, for each. Others write `meanwhile`, one event each before each push. */
static void set_adds(unsigned together, unsigned meanwhile, const char *work)
{
    enum { ADDS = 200, TOGETHER_MAX = 10, PATH = 64 };
    struct wire *wire = &bench.wire;
    struct write_op ops[TOGETHER_MAX];
    uint8_t bytes[TOGETHER_MAX][PATH];

    wire_count(wire);
    for (unsigned i = 0; i < ADDS; i++) {
        struct write_op *op = &ops[i % together];
        struct buffer path = {.data = bytes[i % together], .room = PATH, .size_max = PATH};
        char name[24];

        *op = (struct write_op){.bucket = bucket, .op = {.kind = OP_SET_ADD}};
        snprintf(name, sizeof name, "element %02u-%05u", together, i);
        wire_check(path_level(&path, slice_text("a set"), NEAP_SET), "path");
        wire_check(path_element(&path, slice_text(name)), "path");
        op->path = buffer_slice(&path);
        if (i % together == together - 1) {
            others_write(meanwhile, 1);
            wire_write(wire, 0, ops, together);
            wire_run(wire, SINGLE_MS);
        }
    }
    rows_add_most(&bench.rows, work, (double)wire->tally.by_kind[MESSAGE_PUSH] / ADDS, "bytes",
                  100);
    wire_run_until(wire, are_at_rest, 600000, "to be at rest after the additions");
}

/* With few replica ids, and with many. */
static void sets(void)
{
    enum { FEW = 5, MANY = 50, SEEN = 70000 };
    const unsigned own = 2;

    set_adds(1, 0, "wire: an addition to a set, pushed alone");
    set_adds(10, 0, "wire: an addition to a set, pushed with nine others");
    others_write(FEW - own, SEEN);
    set_adds(1, 0, "wire: an addition to a set, pushed alone, 5 replica ids");
    set_adds(1, FEW - own, "wire: an addition to a set, pushed alone, 5 replica ids, all write");
    others_write(MANY - own, SEEN);
    set_adds(1, 0, "wire: an addition to a set, pushed alone, 50 replica ids");
}

/* ---- damage ---- */

static void lose(uint64_t number, struct batch *batch)
{
    uint8_t bytes[64];
    struct buffer path = {.data = bytes, .room = sizeof bytes, .size_max = sizeof bytes};
    struct key key;

    cell_path(number, &path);
    key_cell(&key, bucket_id(bucket), bucket_id(bucket), buffer_slice(&path));
    wire_check(batch_delete(batch, DISK_CELLS, key_slice(&key)), "damage");
}

/* What a scrub does, at once. */
static void look(size_t node)
{
    struct wheel *wheel = &bench.wire.nodes[node].wheel;
    struct shard *shard = wire_shard(&bench.wire, node, bucket);
    struct view view = batch_view(wheel->batch);
    int error = shard->tree->build ? 0 : merkle_build_begin(shard->tree, shard->tree->now.cells);

    while (!error)
        error = shard_tree_step(shard, &view, 4096);
    wire_check(error == NEAP_END ? 0 : error, "scrub");
    gossip_tree_changed(wheel->engine.gossip, shard->id);
}

/* Every other one is lost on the other side. */
static void damage(uint64_t count)
{
    struct wire *wire = &bench.wire;

    for (size_t node = 0; node < 2; node++) {
        struct disk *disk = wire->nodes[node].disk;
        struct batch *batch;

        wire_check(batch_new(disk, &batch), "batch");
        for (uint64_t i = node; i < count; i += 2)
            lose(spread(i, count), batch);
        wire_check(disk->ops->commit(disk, batch, true), "damage");
        batch_free(batch);
    }
    for (size_t node = 0; node < 2 && count > 0; node++)
        look(node);
    wire_count(wire);
    wire_run_until(wire, are_equal, 3600000, "to be mended");
    double cpu = count ? wire_cpu() - wire->tally.cpu_asked : 0;
    wire_run(wire, 30000);
    const struct shard *a = wire_shard(wire, 0, bucket), *b = wire_shard(wire, 1, bucket);
    uint64_t healed = a->counts.healed + b->counts.healed;
    wire_check(healed == bench.healed + count ? 0 : NEAP_CORRUPT, "count of what was healed");
    bench.healed = healed;
    rows_of("damage", count, cpu, count == 1000 ? 200e3 : NAN, count == 1000 ? 4 : NAN);
}

/* ---- behind the horizon ---- */

/* The log tells no more what was written while one was away. */
static void behind(uint64_t count, double goal)
{
    struct wire *wire = &bench.wire;
    struct wheel *wheel = &wire->nodes[0].wheel;
    struct shard *shard = wire_shard(wire, 0, bucket);

    wire_cut(wire, true);
    wire_run(wire, 3000);
    write_spread(count);
    wire_run(wire, 3000);
    wire_check(shard_truncate(shard, wheel->batch, &shard->context), "a log that is cut");
    wire_check(wheel->disk->ops->commit(wheel->disk, wheel->batch, true), "a log that is cut");
    batch_clear(wheel->batch);
    wire_cut(wire, false);
    wire_count(wire);
    wire_run_until(wire, are_equal, 3600000, "to be equal after a compare");
    double cpu = wire_cpu() - wire->tally.cpu;
    wire_run_until(wire, are_at_rest, 600000, "to be at rest after a compare");
    wire_run(wire, 5000);
    rows_of("behind the horizon", count, cpu, goal, count == 1000 ? 5 : NAN);
}

/* ---- idle ---- */

static void idle(const char *shards)
{
    struct wire *wire = &bench.wire;
    char work[100];

    wire_run(wire, 60000);
    wire_count(wire);
    wire_run(wire, IDLE_MINUTES * 60000);
    kinds_print();
    snprintf(work, sizeof work, "wire: idle, %s: sent each minute, both ways", shards);
    rows_add_most(&bench.rows, work,
                  (double)(wire->tally.bytes + wire->tally.heartbeats) / IDLE_MINUTES,
                  "bytes per peer", 3000);
}

static void more_shards(void)
{
    for (unsigned i = 1; i < SHARDS; i++) {
        char name[16];

        snprintf(name, sizeof name, "wire%u", i);
        write_cells(name, i % 2, 0, 1, 10);
        wire_run(&bench.wire, 1000);
    }
}

static bool finish(void)
{
    wire_close(&bench.wire);
    return rows_close(&bench.rows);
}

int main(int argc, char **argv)
{
    static const uint64_t differences[DIFFERENCES] = {0, 1, 10, 1000, 100000};
    unsigned count = DIFFERENCES;

    bench.cells = argc > 2 ? strtoull(argv[2], NULL, 10) : CELLS;
    rows_open(&bench.rows, argc > 1 ? argv[1] : "bench.json");
    wire_open(&bench.wire, TREE_BITS);
    fill();
    if (argc > 3 && strcmp(argv[3], "sets") == 0) {
        sets();
        return !finish();
    }
    while (count > 1 && differences[count - 1] > bench.cells / 10)
        count--;
    idle("1 shard");
    equal_stores();
    for (unsigned i = 0; i < count; i++)
        links_lost(differences[i]);
    for (unsigned i = 0; i < count; i++)
        pushes_lost(differences[i]);
    isolated();
    for (unsigned i = 0; i < count; i++)
        damage(differences[i]);
    for (unsigned i = 1; i < count; i++)
        behind(differences[i], differences[i] == 1000 ? 1e6 : NAN);
    more_shards();
    idle("64 shards");
    sets(); /* at the end: contexts have many replica ids from then on */
    return !finish();
}
