#include "engine/trees.h"

#include "base/error.h"
#include "store/batch.h"
#include "store/merkle.h"
#include "tests/support/rig.h"

static struct rig rig;

static int open_again(void)
{
    static const struct hash_key key = {{4}};
    struct wheel_options options = {.disk = rig.disk,
                                    .clock = &rig.clock.clock,
                                    .mark = &rig.mark,
                                    .sync_ms = 100,
                                    .log_max = 1000,
                                    .cluster_key = &key,
                                    .tree_bits = 10,
                                    .scrub_ms = 3600 * 1000};
    wheel_close(&rig.wheel);
    return wheel_open(&rig.wheel, &options, NULL);
}

static int add(const char *bucket, const char *name)
{
    struct write_op op = rig_add(bucket, name, 1);
    struct write write = {.ops = &op, .count = 1};
    return rig_write(&rig, &write);
}

static int begin(void)
{
    rig = (struct rig){0};
    rig_clock_init(&rig.clock);
    int error = disk_mem_open(&rig.disk);
    return error ? error : open_again();
}

static void end(void)
{
    wheel_close(&rig.wheel);
    disk_close(rig.disk);
}

static struct merkle *tree_of(const char *bucket)
{
    return rig_shard(&rig, bucket)->tree;
}

/* When they are due, and else once a second, as heartbeats come. */
static int ticks(unsigned count)
{
    int error = 0;
    for (unsigned i = 0; i < count && !error; i++) {
        uint64_t now = rig.clock.now_ms, at = trees_deadline(&rig.wheel.engine.trees);
        at = at > now + TREES_LOOK_MS ? now + TREES_LOOK_MS : at;
        rig.clock.now_ms = at > now ? at : now;
        error = rig_tick(&rig);
    }
    return error;
}

/* One of a name that is stored goes, and nobody says so. */
static void lose(const char *bucket, const char *name)
{
    struct batch *batch;
    struct key key;
    uint64_t shard = bucket_id(bucket);
    key_cell(&key, shard, shard, rig_path(name, NEAP_COUNTER));
    CHECK_OK(batch_new(rig.disk, &batch));
    CHECK_OK(batch_delete(batch, DISK_CELLS, key_slice(&key)));
    CHECK_OK(rig.disk->ops->commit(rig.disk, batch, true));
    batch_free(batch);
}

TEST(after_a_crash_trees_are_built_in_the_background)
{
    CHECK_OK(begin());
    CHECK_OK(add("a", "x"));
    CHECK_OK(add("b", "x"));
    CHECK(tree_of("a")->ready);
    struct digest root = merkle_root(tree_of("a"));
    CHECK_OK(open_again());
    CHECK(!tree_of("a")->ready && !tree_of("b")->ready);
    CHECK_EQUAL(trees_deadline(&rig.wheel.engine.trees), rig.clock.now_ms + TREES_LOOK_MS);
    CHECK_OK(ticks(2));
    CHECK(tree_of("a")->ready && tree_of("b")->ready);
    CHECK(digest_equal(merkle_root(tree_of("a")), root));
    CHECK_EQUAL(rig.wheel.engine.trees.builds, 2);
    end();
}

/* Nor does it wake a node that nothing else wakes. */
TEST(who_has_nothing_to_do_looks_when_something_has_happened)
{
    struct trees *trees = &rig.wheel.engine.trees;
    CHECK_OK(begin());
    CHECK_OK(add("a", "x"));
    rig.clock.now_ms = trees_deadline(trees);
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(trees_deadline(trees), trees->scrub_at);
    CHECK_OK(add("a", "y"));
    CHECK_EQUAL(trees_deadline(trees), rig.clock.now_ms + TREES_LOOK_MS);
    rig.clock.now_ms = trees_deadline(trees);
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(trees_deadline(trees), trees->scrub_at);
    rig.clock.now_ms += 10 * TREES_LOOK_MS; /* it is that long ago: at once, then */
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(trees_deadline(trees), rig.clock.now_ms);
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(trees_deadline(trees), trees->scrub_at);
    trees->scrub_ms = 0;
    CHECK_OK(ticks(2));
    CHECK_EQUAL(trees_deadline(trees), UINT64_MAX);
    end();
}

TEST(a_scrub_finds_what_is_gone)
{
    CHECK_OK(begin());
    CHECK_OK(add("a", "x"));
    CHECK_OK(add("a", "y"));
    CHECK_OK(add("b", "x"));
    struct digest root = merkle_root(tree_of("b"));
    lose("b", "x");
    CHECK_OK(ticks(3));
    CHECK(digest_equal(merkle_root(tree_of("b")), root));
    trees_scrub(&rig.wheel.engine.trees);
    CHECK_OK(ticks(4));
    CHECK_EQUAL(rig.wheel.engine.trees.scrubbed, 2);
    CHECK_EQUAL(rig.wheel.engine.trees.differed, 1);
    CHECK(digest_equal(merkle_root(tree_of("b")), (struct digest){0}));
    CHECK_OK(ticks(4)); /* one round, and then the next is an hour away */
    CHECK_EQUAL(rig.wheel.engine.trees.scrubbed, 2);
    rig.clock.now_ms += 3600 * 1000;
    CHECK_OK(ticks(4));
    CHECK_EQUAL(rig.wheel.engine.trees.scrubbed, 4);
    end();
}

TEST(a_shard_that_can_not_be_read_does_not_keep_others_waiting)
{
    CHECK_OK(begin());
    CHECK_OK(add("a", "x"));
    CHECK_OK(add("b", "x"));
    CHECK_OK(open_again());
    CHECK_OK(ticks(1));
    disk_mem_fault(rig.disk, DISK_FAULT_SCAN, 0, 1, NEAP_CORRUPT);
    CHECK_OK(ticks(1));
    CHECK_EQUAL(tree_of("a")->ready + tree_of("b")->ready, 1);
    CHECK_EQUAL(trees_deadline(&rig.wheel.engine.trees), rig.clock.now_ms + TREES_AGAIN_MS);
    CHECK_OK(ticks(TREES_AGAIN_MS / TREES_LOOK_MS + 1));
    CHECK_EQUAL(tree_of("a")->ready + tree_of("b")->ready, 2);
    end();
}

/* ---- orders ---- */

struct found {
    enum task_kind kind;
    struct task task;
    unsigned count;
};

static int find_each(void *arg, const struct task *task)
{
    struct found *found = arg;
    if (task->kind == found->kind) {
        found->task = *task;
        found->count++;
    }
    return 0;
}

static struct found find(enum task_kind kind)
{
    struct found found = {.kind = kind};
    struct engine *engine = &rig.wheel.engine;
    CHECK_OK(trees_tasks(&engine->trees, &engine->store, find_each, &found));
    return found;
}

static int order(enum task_kind kind, const char *bucket, enum task_order order)
{
    struct engine *engine = &rig.wheel.engine;
    return trees_task_order(&engine->trees, &engine->store, kind, bucket_id(bucket), order);
}

static void begin_two(void)
{
    CHECK_OK(begin());
    CHECK_OK(add("a", "x"));
    CHECK_OK(add("a", "y"));
    CHECK_OK(add("b", "x"));
}

TEST(a_build_may_be_paused_but_not_cancelled)
{
    begin_two();
    CHECK_OK(open_again());
    CHECK_OK(order(TASK_BUILD, "a", TASK_PAUSE));
    CHECK_OK(ticks(4));
    CHECK(!tree_of("a")->ready && tree_of("b")->ready);
    CHECK_EQUAL(find(TASK_BUILD).count, 1);
    CHECK_EQUAL(find(TASK_BUILD).task.state, TASK_PAUSED);
    CHECK_ERROR(order(TASK_BUILD, "a", TASK_CANCEL), NEAP_REFUSED);
    CHECK_ERROR(order(TASK_BUILD, "b", TASK_CANCEL), NEAP_NOTFOUND);
    CHECK_OK(order(TASK_BUILD, "a", TASK_RESUME));
    CHECK_OK(ticks(2));
    CHECK(tree_of("a")->ready);
    CHECK_EQUAL(find(TASK_BUILD).count, 0);
    CHECK_ERROR(order(TASK_BUILD, "a", TASK_RESUME), NEAP_NOTFOUND);
    CHECK_ERROR(order(TASK_BUILD, "c", TASK_PAUSE), NEAP_NOTFOUND);
    end();
}

TEST(a_round_of_scrubs_may_be_paused_and_cancelled)
{
    struct trees *trees = &rig.wheel.engine.trees;
    begin_two();
    trees_scrub(trees);
    CHECK_OK(order(TASK_ROUND, "", TASK_PAUSE));
    CHECK_OK(ticks(4));
    CHECK_EQUAL(trees->scrubbed, 0);
    CHECK_EQUAL(find(TASK_ROUND).task.state, TASK_PAUSED);
    CHECK_EQUAL(find(TASK_ROUND).task.total, 2);
    CHECK_OK(order(TASK_ROUND, "", TASK_RESUME));
    CHECK_OK(ticks(1));
    CHECK_EQUAL(trees->scrubbed, 1);
    CHECK_EQUAL(find(TASK_ROUND).task.done, 1);
    CHECK_EQUAL(find(TASK_ROUND).task.state, TASK_RUNS);
    CHECK(find(TASK_ROUND).task.since_ms > 0);
    CHECK_OK(order(TASK_ROUND, "", TASK_CANCEL));
    CHECK_OK(ticks(4));
    CHECK_EQUAL(trees->scrubbed, 1);
    CHECK_EQUAL(find(TASK_ROUND).count, 0);
    CHECK_ERROR(order(TASK_ROUND, "", TASK_CANCEL), NEAP_NOTFOUND);
    CHECK_ERROR(order(TASK_ROUND, "", TASK_RESUME), NEAP_NOTFOUND);
    end();
}

TEST(one_shard_is_scrubbed_paused_and_cancelled)
{
    struct trees *trees = &rig.wheel.engine.trees;
    begin_two();
    CHECK_OK(trees_scrub_one(trees, rig_shard(&rig, "a")));
    CHECK_ERROR(trees_scrub_one(trees, rig_shard(&rig, "a")), NEAP_BUSY);
    CHECK_OK(order(TASK_SCRUB, "a", TASK_PAUSE));
    CHECK_OK(ticks(3));
    CHECK_EQUAL(trees->scrubbed, 0);
    CHECK_EQUAL(find(TASK_SCRUB).task.state, TASK_PAUSED);
    CHECK_EQUAL(find(TASK_SCRUB).task.total, 2);
    CHECK_OK(order(TASK_SCRUB, "a", TASK_RESUME));
    CHECK_OK(ticks(1));
    CHECK_EQUAL(trees->scrubbed, 1);
    CHECK_OK(trees_scrub_one(trees, rig_shard(&rig, "a")));
    CHECK_OK(order(TASK_SCRUB, "a", TASK_CANCEL));
    CHECK_OK(ticks(3));
    CHECK_EQUAL(trees->scrubbed, 1);
    CHECK_ERROR(order(TASK_SCRUB, "a", TASK_CANCEL), NEAP_NOTFOUND);
    CHECK_EQUAL(find(TASK_SCRUB).count, 0);
    end();
}

static int scrub_with_less_memory(void *arg)
{
    int error = begin();
    (void)arg;
    error = error ? error : add("a", "x");
    if (!error)
        trees_scrub(&rig.wheel.engine.trees);
    error = error ? error : ticks(3);
    end();
    return error;
}

TEST(a_scrub_holds_with_failing_allocations)
{
    test_alloc_sweep(scrub_with_less_memory, NULL);
}
