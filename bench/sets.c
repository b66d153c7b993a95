/* What adding to and removing from one set of a million elements costs, held against the same on
 * 100,000 sets of ten in the same database: time, and what the disk is asked for. Both sets are
 * counted, so that their numbers are kept. The slices of a round take turns, as ever. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"
#include "engine/node.h"
#include "store/batch.h"

enum { ROUNDS = 7, SLICES = 16, WRITES = 24000, EXACT = 1000, SETS = 100000, EACH = 10 };
enum { LARGE = 1000000, NAME = 16, FILL = 1000 };

/* ---- what the disk is asked for ---- */

struct tally {
    uint64_t gets, puts, deletes, bytes;
};

struct counted {
    const struct disk_ops *real;
    struct disk_ops ops;
    struct tally tally;
};

/* The one that is counted: ops have no room for an argument. */
static struct counted *counted_disk;

static int counted_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                       struct slice key, struct buffer *ret_value)
{
    counted_disk->tally.gets++;
    return counted_disk->real->get(disk, snapshot, family, key, ret_value);
}

static int count_each(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                      struct slice value)
{
    struct tally *tally = arg;

    (void)family;
    tally->puts += kind == BATCH_PUT;
    tally->deletes += kind == BATCH_DELETE || kind == BATCH_RANGE;
    tally->bytes += key.size + value.size;
    return 0;
}

static int counted_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    bench_check(batch_each(batch, count_each, &counted_disk->tally), "batch");
    return counted_disk->real->commit(disk, batch, sync);
}

static void counted_begin(struct counted *counted, struct disk *disk)
{
    *counted = (struct counted){.real = disk->ops, .ops = *disk->ops};
    counted->ops.get = counted_get;
    counted->ops.commit = counted_commit;
    counted_disk = counted;
    disk->ops = &counted->ops;
}

static void counted_end(struct counted *counted, struct disk *disk)
{
    disk->ops = counted->real;
    counted_disk = NULL;
}

/* ---- the sets ---- */

struct element {
    char key[NAME + 1], name[NAME + 1];
    struct neap_place at;
    struct neap_bytes bytes;
};

/* Number `i` of those of the large set, or of all small ones; past them, of those that come and go.
 */
static void element_at(struct element *element, bool large, uint64_t i)
{
    uint64_t set = large ? UINT64_MAX : i % SETS;

    snprintf(element->key, sizeof(element->key), "%016llx", (unsigned long long)set);
    snprintf(element->name, sizeof(element->name), "%016llx",
             (unsigned long long)bench_mix(large ? i : i / SETS));
    element->at = (struct neap_place){.bucket = "sets", .key = {element->key, NAME}};
    element->bytes = (struct neap_bytes){element->name, NAME};
}

static void fill(struct neap *neap, bool large, uint64_t count)
{
    struct neap_call call = {.size = sizeof(call)};
    struct element element;
    struct neap_batch *batch;

    bench_check(neap_batch_new(neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t i = 0; i < count; i++) {
        element_at(&element, large, i);
        bench_check(neap_set_add(neap, &element.at, element.bytes, &call), "fill");
        if (i % FILL == FILL - 1)
            bench_check(neap_batch_commit(batch, NULL), "fill");
    }
    neap_batch_free(batch);
}

static uint64_t count_of(struct neap *neap, bool large)
{
    struct element element;
    uint64_t count = 0;

    element_at(&element, large, 0);
    bench_check(neap_count(neap, &element.at, NEAP_SET, &count, NULL), "count");
    return count;
}

/* Elements that are not in yet: which of the small sets is as random as where in the large one. */
static void writes(struct neap *neap, bool large, bool add, uint64_t from, unsigned count)
{
    static const struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};

    for (uint64_t i = from; i < from + count; i++) {
        uint64_t set = bench_mix(i) % SETS;
        struct element element;

        element_at(&element, large, large ? LARGE + i : (EACH + i) * SETS + set);
        bench_check(add ? neap_set_add(neap, &element.at, element.bytes, &lazy)
                        : neap_set_remove(neap, &element.at, element.bytes, &lazy),
                    "write");
    }
}

/* ---- rows ---- */

static void ratio_row(struct rows *rows, const char *work, const char *unit, double figure,
                      double reference, double ratio, double goal)
{
    const struct row row = {.work = work,
                            .figure = figure,
                            .unit = unit,
                            .reference = reference,
                            .ratio = ratio,
                            .goal = goal,
                            .met = ratio <= goal + 1e-9};

    printf("%-42s %10.3f %10.3f %7.3f %-18s <= %-5g %s\n", work, figure, reference, ratio, unit,
           goal, row.met ? "met" : "MISSED");
    fflush(stdout);
    rows_add(rows, &row);
}

static double slice_time(struct neap *neap, bool large, bool add, uint64_t from, unsigned count)
{
    double start = clock_seconds();

    writes(neap, large, add, from, count);
    return (clock_seconds() - start) / count * 1e6;
}

static void time_rows(struct neap *neap, struct rows *rows)
{
    double times[2][2][ROUNDS], ratios[2][ROUNDS];
    const unsigned count = WRITES / SLICES;
    uint64_t from = EXACT;

    for (int round = -1; round < ROUNDS; round++) { /* the first warms up */
        double sums[2][2] = {{0, 0}, {0, 0}};

        for (unsigned slice = 0; slice < SLICES; slice++, from += count)
            for (int add = 1; add >= 0; add--)
                for (int large = 0; large < 2; large++)
                    sums[add][large] +=
                        slice_time(neap, large != 0, add != 0, from, count) / SLICES;
        for (int add = 0; round >= 0 && add < 2; add++) {
            times[add][0][round] = sums[add][0];
            times[add][1][round] = sums[add][1];
            ratios[add][round] = sums[add][1] / sums[add][0];
        }
    }
    for (int add = 1; add >= 0; add--)
        ratio_row(rows, add ? "set of 1000000: an addition" : "set of 1000000: a removal", "us",
                  median(times[add][1], ROUNDS), median(times[add][0], ROUNDS),
                  median(ratios[add], ROUNDS), 1.2);
}

static struct tally exact(struct neap *neap, struct disk *disk, bool large, bool add)
{
    struct counted counted;

    counted_begin(&counted, disk);
    writes(neap, large, add, 0, EXACT);
    counted_end(&counted, disk);
    return counted.tally;
}

static void exact_row(struct rows *rows, bool add, const char *what, uint64_t large, uint64_t small)
{
    double figure = (double)large / EXACT, reference = (double)small / EXACT;
    char work[80], unit[40];

    snprintf(work, sizeof(work), "set of 1000000: %s: %s", add ? "an addition" : "a removal", what);
    snprintf(unit, sizeof(unit), "%s", what);
    ratio_row(rows, work, unit, figure, reference,
              reference > 0 ? figure / reference
              : figure > 0  ? 2
                            : 1,
              1);
}

static void exact_rows(struct neap *neap, struct disk *disk, struct rows *rows)
{
    for (int add = 1; add >= 0; add--) {
        struct tally small = exact(neap, disk, false, add != 0);
        struct tally large = exact(neap, disk, true, add != 0);

        exact_row(rows, add != 0, "gets", large.gets, small.gets);
        exact_row(rows, add != 0, "puts", large.puts, small.puts);
        exact_row(rows, add != 0, "deletes", large.deletes, small.deletes);
        exact_row(rows, add != 0, "bytes", large.bytes, small.bytes);
    }
}

/* A count of a set that has been counted, held against that of one with ten elements. */
static void count_row(struct neap *neap, struct rows *rows)
{
    enum { COUNTS = 2000 };
    double times[2], start;

    for (int large = 0; large < 2; large++) {
        start = clock_seconds();
        for (unsigned i = 0; i < COUNTS; i++)
            bench_check(count_of(neap, large != 0) == (large ? LARGE : EACH) ? 0 : NEAP_CORRUPT,
                        "count");
        times[large] = (clock_seconds() - start) / COUNTS * 1e6;
    }
    ratio_row(rows, "set of 1000000: a count", "us", times[1], times[0], times[1] / times[0], 20);
}

void sets_run(const char *base, struct rows *rows)
{
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap;
    struct disk *disk;
    char path[200];
    uint64_t live;

    neap_options_init(&options);
    snprintf(path, sizeof(path), "%.150s/sets", base);
    options.path = path;
    options.flags = NEAP_CREATE;
    bench_check(neap_open(&options, &neap, &error), error.text);
    disk = ((struct node *)(void *)neap->backend)->wheel.disk;
    fill(neap, false, (uint64_t)EACH * SETS);
    fill(neap, true, LARGE);
    bench_check(count_of(neap, true) == LARGE && count_of(neap, false) == EACH ? 0 : NEAP_CORRUPT,
                "counts");
    printf("%-42s %10s %10s %7s\n", "one large set, and many small ones", "large", "small",
           "ratio");
    exact_rows(neap, disk, rows);
    live = mem_live();
    time_rows(neap, rows);
    rows_add_most(rows, "set of 1000000: blocks of memory more after all",
                  (double)mem_live() - (double)live, "blocks", 0);
    count_row(neap, rows);
    neap_close(neap);
}
