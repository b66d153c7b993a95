#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/rig.h"

static struct write write_of(struct write_op *ops, size_t count)
{
    return (struct write){.ops = ops, .count = count, .want_token = true};
}

TEST(all_ops_of_a_write_are_there_after_it)
{
    struct rig rig;
    struct write_op ops[] = {rig_add("a", "n", 5), rig_lww("b", "x", "y"), rig_add("a", "n", -2)};
    struct write write = write_of(ops, 3);
    int64_t number = 0;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, 3);
    CHECK_OK(rig_lww_is(rig.disk, "b", "x", "y"));
    CHECK_EQUAL(rig.wheel.engine.counts.writes, 1);
    token_done(&write.token);
    rig_close(&rig);
}

TEST(the_token_names_the_dots_that_were_made)
{
    struct rig rig;
    struct write_op ops[] = {rig_add("a", "n", 5), rig_lww("b", "x", "y"), rig_add("a", "n", -2)};
    struct write write = write_of(ops, 3);
    const struct context *context;
    struct shard *a;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    a = rig_shard(&rig, "a");
    CHECK_EQUAL(write.token.count, 2);
    context = token_find(&write.token, a->id);
    CHECK(context);
    CHECK_EQUAL(context_get(context, a->replica), 2);
    context = token_find(&write.token, bucket_id("b"));
    CHECK_EQUAL(context_get(context, rig_shard(&rig, "b")->replica), 1);
    token_done(&write.token);
    rig_close(&rig);
}

/* The second op can't be done: nothing of the first is left, on disk or in memory. */
TEST(a_write_that_fails_half_way_leaves_nothing)
{
    struct rig rig;
    struct write_op first[] = {rig_add("a", "n", INT64_MAX)};
    struct write_op ops[] = {rig_lww("a", "x", "y"), rig_lww("new", "x", "y"),
                             rig_add("a", "n", 1)};
    struct write before = write_of(first, 1), write = write_of(ops, 3);
    uint64_t reserved, counter;
    struct shard *a;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &before));
    a = rig_shard(&rig, "a");
    counter = context_get(&a->context, a->replica);
    reserved = rig.wheel.engine.store.hlc_reserved;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    CHECK(strstr(write.error.text, "a/n"));
    CHECK(strstr(write.error.text, "64 bits"));
    CHECK_EQUAL(write.token.count, 0);
    CHECK(!rig_shard(&rig, "new"));
    CHECK_EQUAL(context_get(&a->context, a->replica), counter);
    CHECK_EQUAL(rig.wheel.engine.store.hlc_reserved, reserved);
    CHECK(batch_is_empty(rig.wheel.batch));
    CHECK_ERROR(rig_lww_is(rig.disk, "a", "x", "y"), NEAP_NOTFOUND);
    CHECK_EQUAL(rig.wheel.engine.counts.writes, 1);
    /* The next one takes the dot that was given back, and all is as if nothing had been. */
    write.count = 2;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(context_get(&a->context, a->replica), counter + 1);
    CHECK_OK(rig_lww_is(rig.disk, "new", "x", "y"));
    token_done(&write.token);
    token_done(&before.token);
    rig_close(&rig);
}

/* A failed write in a turn with good ones costs only itself. */
TEST(a_write_that_fails_does_not_touch_its_neighbours)
{
    struct rig rig;
    struct write_op good[] = {rig_add("a", "n", 1)}, bad[] = {rig_add("a", "n", 1), {0}};
    struct write writes[] = {write_of(good, 1), write_of(bad, 2), write_of(good, 1)};
    struct event events[3], *turn[3];
    int64_t number = 0;

    rig_open(&rig);
    for (size_t i = 0; i < 3; i++) {
        events[i] = (struct event){.kind = EVENT_WRITE, .write = &writes[i]};
        turn[i] = &events[i];
    }
    wheel_turn(&rig.wheel, rig_now(&rig), turn, 3);
    CHECK_EQUAL(rig.wheel.done.count, 3);
    CHECK_OK(events[0].code);
    CHECK_ERROR(events[1].code, NEAP_INVALID);
    CHECK_OK(events[2].code);
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, 2);
    for (size_t i = 0; i < 3; i++)
        token_done(&writes[i].token);
    rig_close(&rig);
}

TEST(limits_are_checked_first_and_named)
{
    struct rig rig;
    struct write_op op = rig_lww("a", "key-of-it", "");
    struct write write = write_of(&op, 1);
    char name[300];

    rig_open(&rig);
    op.op.value = slice_of(rig_open, NEAP_VALUE_MAX + 1); /* never looked at */
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    CHECK(strstr(write.error.text, "key-of-it"));
    CHECK(strstr(write.error.text, "1048576"));
    op = rig_lww("", "k", "v");
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op = rig_lww("a/b", "k", "v");
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op = rig_lww("_system", "k", "v");
    CHECK_ERROR(rig_write(&rig, &write), NEAP_REFUSED);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    op = rig_lww(name, "k", "v");
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    op = rig_lww("a", "k", "v");
    op.path = rig_path("k", NEAP_COUNTER);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op.path = rig_path("k", NEAP_MAP);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op = rig_lww("a", "k", "v");
    op.prefix = true;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op = (struct write_op){.bucket = "a", .prefix = true, .op = {.kind = OP_REMOVE}};
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op = rig_lww("a", "k", "v");
    op.op.kind = OP_KIND_END;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    op = rig_lww("a", "k", "v");
    write.count = NEAP_BATCH_COUNT_MAX + 1;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    write.count = 1;
    write.once = slice_of(name, NEAP_ONCE_MAX + 1);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    write.once = slice_of(NULL, 0);
    write.level = NEAP_LOCAL_QUORUM;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_REFUSED);
    CHECK_EQUAL(rig.wheel.engine.store.shards_count, 0);
    rig_close(&rig);
}

TEST(a_counter_without_a_replica_id_is_not_said_to_be_out_of_range)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write first = write_of(&op, 1), second = write_of(&op, 1);
    struct shard *a;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &first));
    a = rig_shard(&rig, "a");
    for (uint64_t id = 1; a->context.count < CONTEXT_IDS_MAX; id++)
        CHECK_OK(context_raise(&a->context, id, 1, 0));
    a->replica = CONTEXT_IDS_MAX + 1; /* not there, and there is no room for it */
    CHECK_ERROR(rig_write(&rig, &second), NEAP_LIMIT);
    CHECK(strstr(second.error.text, "a/n"));
    CHECK(strstr(second.error.text, "replica ids"));
    CHECK(!strstr(second.error.text, "64 bits"));
    token_done(&first.token);
    token_done(&second.token);
    rig_close(&rig);
}

TEST(too_many_buckets_in_one_write_are_refused_whole)
{
    static struct write_op ops[WRITE_SHARDS_MAX + 1];
    static char names[WRITE_SHARDS_MAX + 1][8];
    struct rig rig;
    struct slice path = rig_path("n", NEAP_COUNTER);
    struct write write = write_of(ops, WRITE_SHARDS_MAX + 1);

    for (unsigned i = 0; i <= WRITE_SHARDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "b%u", i);
        ops[i] = (struct write_op){
            .bucket = names[i], .path = path, .op = {.kind = OP_COUNTER_ADD, .number = 1}};
    }
    rig_open(&rig);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    CHECK(strstr(write.error.text, "buckets"));
    CHECK_EQUAL(rig.wheel.engine.store.shards_count, 0);
    CHECK_EQUAL(write.token.count, 0);
    write.count--;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(rig.wheel.engine.store.shards_count, WRITE_SHARDS_MAX);
    token_done(&write.token);
    rig_close(&rig);
}

TEST(a_place_is_removed_with_all_below_it)
{
    struct rig rig;
    struct write_op ops[] = {rig_set_add("a", "s", "x"), rig_set_add("a", "s", "y"),
                             rig_set_add("a", "t", "x")};
    struct write_op remove = {
        .bucket = "a", .path = rig_path("s", NEAP_SET), .prefix = true, .op = {.kind = OP_REMOVE}};
    struct write write = write_of(ops, 3), removal = write_of(&remove, 1);
    struct shard_summary summary;
    struct hash_key key = {{0}};
    struct view view = {0};
    struct shard *a;

    rig_open(&rig);
    view.disk = rig.disk;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_OK(rig_write(&rig, &removal));
    a = rig_shard(&rig, "a");
    CHECK_EQUAL(context_get(token_find(&removal.token, a->id), a->replica), 5);
    CHECK_OK(shard_summary(&view, a, &key, &summary));
    CHECK_EQUAL(summary.cells, 1);
    /* Nothing is left to remove: no event, and what removed it is named. */
    token_clear(&removal.token);
    CHECK_OK(rig_write(&rig, &removal));
    CHECK_EQUAL(context_get(token_find(&removal.token, a->id), a->replica), 5);
    CHECK_EQUAL(context_get(&a->context, a->replica), 5);
    token_done(&write.token);
    token_done(&removal.token);
    rig_close(&rig);
}

TEST(an_empty_write_is_fine)
{
    struct rig rig;
    struct write write = {.want_token = true};

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(write.token.count, 0);
    rig_close(&rig);
}

/* Whatever allocation fails, the write is not there at all, and can be done again. */
static int write_with_less_memory(void *arg)
{
    struct disk *disk = NULL;
    struct rig rig = {0};
    struct write_op ops[] = {rig_add("a", "n", 1), rig_lww("b", "x", "y"),
                             rig_set_add("c", "s", "e")};
    struct write write = write_of(ops, 3);
    struct engine *engine = &rig.wheel.engine;
    int error = disk_mem_open(&disk);

    (void)arg;
    if (!error)
        error = rig_try(&rig, disk);
    if (error) {
        disk_close(disk);
        return error;
    }
    error = engine_write(engine, rig_now(&rig), &write, rig.wheel.batch);
    if (error && (!batch_is_empty(rig.wheel.batch) || engine->store.shards_count ||
                  engine->store.hlc_reserved || write.token.count))
        error = NEAP_CORRUPT;
    token_done(&write.token);
    wheel_close(&rig.wheel);
    disk_close(disk);
    return error;
}

TEST(a_write_short_of_memory_leaves_nothing)
{
    test_alloc_sweep(write_with_less_memory, NULL);
}
