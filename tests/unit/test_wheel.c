#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/merkle.h"
#include "tests/support/rig.h"

/* ---- power failure before each effect ---- */

struct failing {
    unsigned left;
    const char *before;
    char seen[16][8];
    unsigned count;
};

static bool power_fails(void *arg, const char *before)
{
    struct failing *failing = arg;

    if (failing->count < 16)
        snprintf(failing->seen[failing->count++], 8, "%s", before);
    return failing->left-- == 0;
}

/* Two writes in a turn. Whatever effect the power fails before: what was told is there, and the
 * rest is there whole or not at all. */
TEST(power_may_fail_before_any_effect)
{
    for (unsigned fail = 0; fail < 4; fail++) {
        struct failing failing = {.left = fail};
        struct rig rig;
        struct write_op one[] = {rig_add("a", "n", 1), rig_add("b", "n", 1)};
        struct write_op two[] = {rig_add("a", "n", 2)};
        struct write writes[] = {{.ops = one, .count = 2}, {.ops = two, .count = 1}};
        struct event events[] = {{.kind = EVENT_WRITE, .write = &writes[0], .code = 77},
                                 {.kind = EVENT_WRITE, .write = &writes[1], .code = 77}};
        struct event *turn[] = {&events[0], &events[1]};
        int64_t a = 0, b = 0;

        rig_open(&rig);
        rig.wheel.crash = power_fails;
        rig.wheel.crash_arg = &failing;
        wheel_turn(&rig.wheel, rig_now(&rig), turn, 2);
        CHECK_TEXT(failing.seen[0], "commit");
        CHECK_EQUAL(rig.wheel.crashed, fail < 3);
        CHECK_EQUAL(rig.wheel.done.count, fail == 0 ? 0 : fail - 1);
        rig_crash(&rig);
        (void)rig_counter(rig.disk, "a", "n", &a);
        (void)rig_counter(rig.disk, "b", "n", &b);
        CHECK_EQUAL(a, fail ? 3 : 0);
        CHECK_EQUAL(b, fail ? 1 : 0);
        rig_close(&rig);
    }
}

/* ---- failed commits ---- */

static void fault_case(enum disk_fault fault, int code, int expected)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1), bad = {0};
    struct write writes[] = {{.ops = &op, .count = 1, .want_token = true},
                             {.ops = &bad, .count = 1}};
    struct event events[] = {{.kind = EVENT_WRITE, .write = &writes[0]},
                             {.kind = EVENT_WRITE, .write = &writes[1]},
                             {.kind = EVENT_SYNC}};
    struct event *turn[] = {&events[0], &events[1], &events[2]};

    rig_open(&rig);
    disk_mem_fault(rig.disk, fault, 0, 1, code);
    wheel_turn(&rig.wheel, rig_now(&rig), turn, 3);
    CHECK_EQUAL(rig.wheel.done.count, 3);
    CHECK_ERROR(events[0].code, expected);
    CHECK(strstr(writes[0].error.text, "has stopped"));
    CHECK_EQUAL(writes[0].token.count, 0);
    CHECK_ERROR(events[1].code, NEAP_INVALID); /* it failed by itself, and surely */
    CHECK_ERROR(events[2].code, expected);
    CHECK_ERROR(rig.wheel.stopped, expected);
    /* The disk is fine again, but this memory is not trusted any more. */
    CHECK_ERROR(rig_write(&rig, &writes[0]), expected);
    CHECK(strstr(writes[0].error.text, "has stopped"));
    token_done(&writes[0].token);
    rig_close(&rig);
}

TEST(a_failed_commit_stops_the_node)
{
    fault_case(DISK_FAULT_COMMIT, NEAP_IO, NEAP_IO);
    fault_case(DISK_FAULT_COMMIT, NEAP_NOMEM, NEAP_NOMEM);
    fault_case(DISK_FAULT_COMMIT, NEAP_CORRUPT, NEAP_CORRUPT);
}

TEST(a_failed_sync_stops_the_node)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1, .nosync = true};
    struct event sync = {.kind = EVENT_SYNC};

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    disk_mem_fault(rig.disk, DISK_FAULT_SYNC, 0, 1, NEAP_IO);
    CHECK_ERROR(rig_turn(&rig, &sync), NEAP_IO);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_IO);
    CHECK(atomic_load(&rig.wheel.unsynced));
    rig_close(&rig);
}

/* A record that can't be read costs the write that wanted it, and nobody else. */
TEST(a_corrupt_cell_is_its_writers_error)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    disk_mem_fault(rig.disk, DISK_FAULT_GET, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_CORRUPT);
    CHECK(strstr(write.error.text, "a/n"));
    CHECK_OK(rig_write(&rig, &write));
    rig_close(&rig);
}

TEST(a_disk_that_fails_in_a_read_stops_the_node)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    disk_mem_fault(rig.disk, DISK_FAULT_GET, 0, 1, NEAP_IO);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_IO);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_IO);
    rig_close(&rig);
}

static void look(void *arg, struct engine *engine)
{
    *(uint64_t *)arg = engine->counts.errors;
}

TEST(a_stopped_node_can_still_be_looked_at)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    uint64_t errors = 0;
    struct event event = {.kind = EVENT_CALL, .call = look, .arg = &errors};

    rig_open(&rig);
    disk_mem_fault(rig.disk, DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_IO);
    CHECK_ERROR(rig_turn(&rig, &event), NEAP_IO);
    CHECK_EQUAL(errors, 0);
    event.when_stopped = true;
    CHECK_OK(rig_turn(&rig, &event));
    CHECK_EQUAL(errors, 1);
    rig_close(&rig);
}

/* ---- group commit, and turns that are large ---- */

TEST(the_writes_of_a_turn_share_a_commit)
{
    struct spy_disk spy;
    struct rig rig;
    struct disk *disk = NULL;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    struct event events[TURN_EVENTS_MAX], *turn[TURN_EVENTS_MAX];
    int64_t number = 0;

    for (size_t i = 0; i < TURN_EVENTS_MAX; i++) {
        events[i] = (struct event){.kind = EVENT_WRITE, .write = &write};
        turn[i] = &events[i];
    }
    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    CHECK_OK(rig_try(&rig, &spy.disk));
    atomic_store(&spy.commits, 0);
    wheel_turn(&rig.wheel, rig_now(&rig), turn, TURN_EVENTS_MAX);
    CHECK_EQUAL(atomic_load(&spy.commits), 1);
    CHECK_EQUAL(rig.wheel.done.count, TURN_EVENTS_MAX);
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, TURN_EVENTS_MAX);
    rig_close(&rig);
}

TEST(a_turn_of_many_bytes_is_several_commits)
{
    static uint8_t value[NEAP_VALUE_MAX];
    struct spy_disk spy;
    struct rig rig;
    struct disk *disk = NULL;
    struct write_op op = rig_lww("a", "k", "");
    struct write write = {.ops = &op, .count = 1};
    struct event events[32], *turn[32];

    op.op.value = slice_of(value, sizeof value);
    for (size_t i = 0; i < 32; i++) {
        events[i] = (struct event){.kind = EVENT_WRITE, .write = &write};
        turn[i] = &events[i];
    }
    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    CHECK_OK(rig_try(&rig, &spy.disk));
    atomic_store(&spy.commits, 0);
    wheel_turn(&rig.wheel, rig_now(&rig), turn, 32);
    CHECK_EQUAL(rig.wheel.done.count, 32);
    for (size_t i = 0; i < 32; i++)
        CHECK_OK(events[i].code);
    CHECK(atomic_load(&spy.commits) >= 3);
    CHECK(atomic_load(&spy.commits) <= 5);
    rig_close(&rig);
}

/* ---- memory ---- */

static int turn_with_less_memory(void *arg)
{
    struct disk *disk = NULL;
    struct rig rig = {0};
    struct write_op op = rig_lww("a", "x", "y");
    struct write write = {.ops = &op, .count = 1, .want_token = true};
    int error = disk_mem_open(&disk);

    (void)arg;
    if (!error)
        error = rig_try(&rig, disk);
    if (!error)
        error = rig_write(&rig, &write);
    if (error && write.token.count)
        error = NEAP_CORRUPT;
    token_done(&write.token);
    wheel_close(&rig.wheel);
    disk_close(disk);
    return error;
}

TEST(a_turn_short_of_memory_says_so)
{
    test_alloc_sweep(turn_with_less_memory, NULL);
}

/* ---- trees ---- */

/* As rig_try(), with trees. */
static void open_with_trees(struct rig *rig)
{
    static const struct hash_key key = {{3}};
    struct rig_clock clock = rig->clock;
    struct wheel_options options = {.disk = rig->disk,
                                    .clock = &rig->clock.clock,
                                    .mark = &rig->mark,
                                    .sync_ms = 100,
                                    .log_max = 1000,
                                    .cluster_key = &key,
                                    .tree_bits = MERKLE_BITS_MAX};

    *rig = (struct rig){.disk = rig->disk, .clock = clock};
    CHECK_OK(wheel_open(&rig->wheel, &options, NULL));
}

static void add_one(struct rig *rig, bool nosync)
{
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1, .nosync = nosync};

    CHECK_OK(rig_write(rig, &write));
}

static bool tree_is_ready(struct rig *rig)
{
    return rig_shard(rig, "a")->tree->ready;
}

TEST(trees_are_ready_at_once_after_a_clean_close_only)
{
    struct rig rig = {0};
    struct digest root;

    CHECK_OK(disk_mem_open(&rig.disk));
    rig_clock_init(&rig.clock);
    open_with_trees(&rig);
    add_one(&rig, false);
    root = merkle_root(rig_shard(&rig, "a")->tree);
    wheel_save_trees(&rig.wheel);
    wheel_close(&rig.wheel);
    open_with_trees(&rig);
    CHECK(tree_is_ready(&rig));
    CHECK(digest_equal(root, merkle_root(rig_shard(&rig, "a")->tree)));
    add_one(&rig, true);
    wheel_close(&rig.wheel);
    CHECK_OK(disk_mem_crash(rig.disk)); /* and with it the write, so the snapshot is right again */
    open_with_trees(&rig);
    CHECK(tree_is_ready(&rig));
    CHECK(digest_equal(root, merkle_root(rig_shard(&rig, "a")->tree)));
    add_one(&rig, false);
    wheel_close(&rig.wheel);
    open_with_trees(&rig);
    CHECK(!tree_is_ready(&rig));
    rig_close(&rig);
}

TEST(a_wheel_that_stopped_keeps_no_trees)
{
    struct rig rig = {0};
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};

    CHECK_OK(disk_mem_open(&rig.disk));
    rig_clock_init(&rig.clock);
    open_with_trees(&rig);
    add_one(&rig, false);
    disk_mem_fault(rig.disk, DISK_FAULT_COMMIT, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_CORRUPT);
    wheel_save_trees(&rig.wheel);
    wheel_close(&rig.wheel);
    open_with_trees(&rig);
    CHECK(!tree_is_ready(&rig));
    rig_close(&rig);
}
