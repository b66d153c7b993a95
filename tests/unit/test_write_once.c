#include <string.h>

#include "base/alloc.h"
#include "store/keys.h"
#include "store/once.h"
#include "tests/support/rig.h"

static struct write write_of(struct write_op *ops, size_t count, const char *id)
{
    return (struct write){.ops = ops, .count = count, .want_token = true, .once = slice_text(id)};
}

/* One increment of a/n with that id, forgotten at once. */
static int add_once(struct rig *rig, int64_t number, const char *id)
{
    struct write_op op = rig_add("a", "n", number);
    struct write write = write_of(&op, 1, id);
    int error = rig_write(rig, &write);

    token_done(&write.token);
    return error;
}

static int64_t count_of(struct rig *rig)
{
    int64_t number = 0;
    int error = rig_counter(rig->disk, "a", "n", &number);

    CHECK(!error || error == NEAP_NOTFOUND);
    return number;
}

TEST(a_repeat_does_nothing_and_answers_the_same)
{
    struct rig rig;
    struct write_op ops[] = {rig_add("a", "n", 5), rig_add("b", "n", 1)};
    struct write first = write_of(ops, 2, "id"), again = write_of(ops, 2, "id");
    struct buffer one, two;
    uint64_t counter;

    rig_open(&rig);
    buffer_init(&one, TOKEN_SIZE_MAX);
    buffer_init(&two, TOKEN_SIZE_MAX);
    CHECK_OK(rig_write(&rig, &first));
    counter = context_get(&rig_shard(&rig, "a")->context, rig_shard(&rig, "a")->replica);
    CHECK_OK(add_once(&rig, 10, "another"));
    CHECK_OK(rig_write(&rig, &again));
    CHECK_EQUAL(count_of(&rig), 15);
    CHECK_EQUAL(context_get(&rig_shard(&rig, "a")->context, rig_shard(&rig, "a")->replica),
                counter + 1);
    CHECK_EQUAL(rig.wheel.engine.counts.repeats, 1);
    CHECK_EQUAL(rig.wheel.engine.counts.writes, 2);
    CHECK_OK(token_encode(&first.token, &one));
    CHECK_OK(token_encode(&again.token, &two));
    CHECK_EQUAL(first.token.count, 2);
    CHECK_BYTES(buffer_slice(&two), buffer_slice(&one));
    buffer_done(&one);
    buffer_done(&two);
    token_done(&first.token);
    token_done(&again.token);
    rig_close(&rig);
}

TEST(an_id_belongs_to_one_write_to_the_last_byte)
{
    struct rig rig;
    struct write_op ops[] = {rig_add("a", "n", 1), rig_add("a", "n", 2)};
    struct write two = write_of(ops, 2, "id");

    rig_open(&rig);
    CHECK_OK(add_once(&rig, 1, "id"));
    CHECK_ERROR(add_once(&rig, 2, "id"), NEAP_INVALID);
    CHECK_ERROR(rig_write(&rig, &two), NEAP_INVALID);
    CHECK(strstr(two.error.text, "once"));
    ops[0] = rig_add("a", "m", 1);
    two.count = 1;
    CHECK_ERROR(rig_write(&rig, &two), NEAP_INVALID);
    ops[0] = rig_add("b", "n", 1);
    CHECK_ERROR(rig_write(&rig, &two), NEAP_INVALID);
    CHECK_OK(add_once(&rig, 1, "id "));
    CHECK_OK(add_once(&rig, 1, "i"));
    CHECK_OK(add_once(&rig, 1, "id"));
    CHECK_EQUAL(count_of(&rig), 3);
    rig_close(&rig);
}

TEST(an_id_has_a_limit)
{
    char id[NEAP_ONCE_MAX + 2];
    struct rig rig;

    rig_open(&rig);
    memset(id, 'i', sizeof id);
    id[NEAP_ONCE_MAX] = 0;
    CHECK_OK(add_once(&rig, 1, id));
    CHECK_OK(add_once(&rig, 1, id));
    id[NEAP_ONCE_MAX] = 'i';
    id[NEAP_ONCE_MAX + 1] = 0;
    CHECK_ERROR(add_once(&rig, 1, id), NEAP_LIMIT);
    CHECK_EQUAL(count_of(&rig), 1);
    rig_close(&rig);
}

/* It did not happen, so its retry is the first. */
TEST(a_write_that_failed_leaves_no_id)
{
    struct rig rig;
    struct write_op ops[] = {rig_add("a", "n", 1), rig_add("a", "n", INT64_MAX)};
    struct write write = write_of(ops, 2, "id");

    rig_open(&rig);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    token_done(&write.token);
    CHECK_OK(add_once(&rig, 7, "id"));
    CHECK_EQUAL(count_of(&rig), 7);
    rig_close(&rig);
}

/* What nobody asked for is kept all the same: the repeat may ask. */
TEST(a_repeat_may_ask_for_more_than_the_write)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = write_of(&op, 1, "id"), again = write_of(&op, 1, "id");
    uint64_t syncs;

    rig_open(&rig);
    write.nosync = true;
    write.want_token = false;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(write.token.count + write.awaited.count, 0);
    syncs = rig.wheel.engine.counts.syncs;
    again.nosync = true;
    CHECK_OK(rig_write(&rig, &again));
    CHECK_EQUAL(again.token.count, 1);
    /* A token names events: not before they are durable. */
    CHECK_EQUAL(rig.wheel.engine.counts.syncs, syncs + 1);
    token_done(&again.token);
    rig_close(&rig);
}

TEST(a_repeat_in_the_same_turn_is_one)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write writes[] = {write_of(&op, 1, "id"), write_of(&op, 1, "id")};
    struct event events[2], *turn[2];

    rig_open(&rig);
    for (size_t i = 0; i < 2; i++) {
        events[i] = (struct event){.kind = EVENT_WRITE, .write = &writes[i]};
        turn[i] = &events[i];
    }
    wheel_turn(&rig.wheel, rig_now(&rig), turn, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(events[i].code);
        CHECK_EQUAL(writes[i].token.count, 1);
        token_done(&writes[i].token);
    }
    CHECK_EQUAL(count_of(&rig), 1);
    rig_close(&rig);
}

/* The place where power fails. */
static bool fails_at(void *arg, const char *before)
{
    return !strcmp(arg, before);
}

static void add_and_crash(struct rig *rig, const char *before, bool nosync)
{
    struct write_op op = rig_add("a", "n", 1);
    struct write write = write_of(&op, 1, "id");

    write.nosync = nosync;
    write.want_token = !nosync;
    rig->wheel.crash = before ? fails_at : NULL;
    rig->wheel.crash_arg = (void *)(uintptr_t)before;
    CHECK_OK(rig_write(rig, &write));
    CHECK(!before || rig->wheel.crashed);
    rig_crash(rig);
    token_done(&write.token);
}

/* The caller has no answer, and asks again. */
TEST(a_write_that_was_committed_and_not_answered_is_remembered)
{
    struct rig rig;

    rig_open(&rig);
    add_and_crash(&rig, "done", false);
    CHECK_EQUAL(count_of(&rig), 1);
    CHECK_OK(add_once(&rig, 1, "id"));
    CHECK_EQUAL(count_of(&rig), 1);
    rig_close(&rig);
}

TEST(a_write_that_was_not_committed_is_not_remembered)
{
    struct rig rig;

    rig_open(&rig);
    add_and_crash(&rig, "commit", false);
    CHECK_EQUAL(count_of(&rig), 0);
    CHECK_OK(add_once(&rig, 1, "id"));
    CHECK_EQUAL(count_of(&rig), 1);
    rig_close(&rig);
}

/* What was not durable goes together. */
TEST(an_id_is_lost_only_with_its_write)
{
    struct rig rig;

    rig_open(&rig);
    add_and_crash(&rig, NULL, true);
    CHECK_EQUAL(count_of(&rig), 0);
    CHECK_OK(add_once(&rig, 1, "id"));
    CHECK_EQUAL(count_of(&rig), 1);
    rig_close(&rig);
}

TEST(a_removal_that_found_nothing_is_remembered_too)
{
    struct rig rig;
    struct write_op remove = {
        .bucket = "a", .path = rig_path("s", NEAP_SET), .prefix = true, .op = {.kind = OP_REMOVE}};
    struct write_op add = rig_set_add("a", "s", "x");
    struct write first = write_of(&remove, 1, "id"), again = write_of(&remove, 1, "id");
    struct write between = write_of(&add, 1, "other");
    struct view view = {0};
    struct buffer bytes;
    struct cell cell;

    rig_open(&rig);
    view.disk = rig.disk;
    buffer_init(&bytes, CELL_SIZE_MAX);
    cell_init(&cell);
    CHECK_OK(rig_write(&rig, &first));
    CHECK_OK(rig_write(&rig, &between));
    CHECK_OK(rig_write(&rig, &again));
    CHECK_OK(
        cell_read(&view, bucket_id("a"), bucket_id("a"), rig_element("s", "x"), &bytes, &cell));
    CHECK_EQUAL(cell.count, 1);
    cell_done(&cell);
    buffer_done(&bytes);
    token_done(&first.token);
    token_done(&again.token);
    token_done(&between.token);
    rig_close(&rig);
}

/* What once_numbers() tells. */
static void numbers_set(struct rig *rig, uint64_t first, uint64_t next)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, 64);
    writer_init(&writer, &bytes);
    write_array(&writer, 3);
    write_u64(&writer, first);
    write_u64(&writer, next);
    write_u64(&writer, 0);
    CHECK_OK(writer.error);
    key_meta(&key, 'N');
    CHECK_OK(batch_put(rig->wheel.batch, DISK_META, key_slice(&key), buffer_slice(&bytes)));
    buffer_done(&bytes);
}

static int add_named(struct rig *rig, uint64_t life, uint64_t number)
{
    char id[ONCE_NAME_SIZE];

    once_name_text((struct once_name){.life = life, .number = number}, 1, id);
    return add_once(rig, 1, id);
}

TEST(an_id_that_another_node_gave_is_refused)
{
    struct rig rig;
    uint64_t life;

    rig_open(&rig);
    life = rig.wheel.engine.store.identity.life;
    CHECK_ERROR(add_named(&rig, life + 1, 0), NEAP_STALE);
    CHECK_EQUAL(count_of(&rig), 0);
    CHECK_OK(add_named(&rig, life, 0));
    CHECK_OK(add_named(&rig, life, 0));
    CHECK_EQUAL(count_of(&rig), 1);
    /* What is remembered is known, whoever gave the id: as in a copy of a directory. */
    rig.wheel.engine.store.identity.life++;
    CHECK_OK(add_named(&rig, life, 0));
    CHECK_ERROR(add_named(&rig, life, 1), NEAP_STALE);
    CHECK_EQUAL(count_of(&rig), 1);
    rig_close(&rig);
}

TEST(an_id_that_may_be_forgotten_is_refused)
{
    struct rig rig;
    uint64_t life;

    rig_open(&rig);
    life = rig.wheel.engine.store.identity.life;
    numbers_set(&rig, 10, 20);
    CHECK_ERROR(add_named(&rig, life, 9), NEAP_STALE);
    CHECK_ERROR(add_named(&rig, life, 21), NEAP_STALE); /* it was given in a future that is lost */
    CHECK_EQUAL(count_of(&rig), 0);
    CHECK_OK(add_named(&rig, life, 10));
    CHECK_OK(add_named(&rig, life, 20));
    CHECK_EQUAL(count_of(&rig), 2);
    rig_close(&rig);
}

TEST(an_outcome_that_cannot_be_read_is_an_error_and_nothing_happens)
{
    struct rig rig;
    struct key key;

    rig_open(&rig);
    key_once(&key, slice_text("id"));
    CHECK_OK(batch_put(rig.wheel.batch, DISK_META, key_slice(&key), slice_text("rot")));
    CHECK_ERROR(add_once(&rig, 1, "id"), NEAP_CORRUPT);
    CHECK_EQUAL(count_of(&rig), 0);
    rig_close(&rig);
}

/* Whatever allocation fails, first and repeat are done or nothing. */
static int once_with_less_memory(void *arg)
{
    struct disk *disk = NULL;
    struct rig rig = {0};
    struct write_op ops[] = {rig_add("a", "n", 1), rig_lww("b", "x", "y")};
    struct write write = write_of(ops, 2, "id"), again = write_of(ops, 2, "id");
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
                  write.token.count || write.awaited.count))
        error = NEAP_CORRUPT;
    again.level = NEAP_ALL;
    if (!error)
        error = engine_write(engine, rig_now(&rig), &again, rig.wheel.batch);
    if (error && again.token.count)
        error = NEAP_CORRUPT;
    if (!error && (engine->counts.repeats != 1 || again.awaited.count != 2))
        error = NEAP_CORRUPT;
    token_done(&write.token);
    token_done(&again.token);
    token_done(&again.awaited);
    wheel_close(&rig.wheel);
    disk_close(disk);
    return error;
}

TEST(once_short_of_memory_is_done_or_nothing)
{
    test_alloc_sweep(once_with_less_memory, NULL);
}
