#include "store/store.h"

#include <string.h>

#include "base/alloc.h"
#include "store/keys.h"
#include "tests/support/test.h"

/* A clock whose entropy counts. */
struct test_clock {
    struct clock clock;
    uint64_t drawn;
};

static uint64_t draw(struct clock *clock)
{
    uint64_t number = ++((struct test_clock *)clock)->drawn;

    return number << 32 | number;
}

static uint64_t wall(struct clock *clock)
{
    (void)clock;
    return 1000;
}

static const struct clock_ops test_clock_ops = {.wall_ms = wall, .entropy = draw};
static struct test_clock test_clock = {.clock.ops = &test_clock_ops};
static const struct directory_mark home = {.directory = 1, .file = 2};
static const struct directory_mark copied = {.directory = 3, .file = 4};

static int open_at(struct store *store, struct disk *disk, const struct directory_mark *mark)
{
    struct neap_error error;

    return store_open(store, disk, mark, &test_clock.clock, false, &error);
}

/* Counts in a bucket, and commits. */
static int count_in(struct store *store, const char *bucket)
{
    const struct op op = {.kind = OP_COUNTER_ADD, .number = 1};
    struct buffer path;
    struct shard *shard;
    struct batch *batch;
    struct dot dot;
    int error = batch_new(store->disk, &batch);

    if (error)
        return error;
    buffer_init(&path, NEAP_PATH_MAX);
    error = store_shard(store, batch, bucket, &shard);
    if (!error)
        error = path_level(&path, slice_text("n"), NEAP_COUNTER);
    if (!error)
        error = shard_write(shard, batch, shard->id, buffer_slice(&path), &op, &dot);
    if (!error)
        error = store->disk->ops->commit(store->disk, batch, true);
    buffer_done(&path);
    batch_free(batch);
    return error;
}

TEST(bucket_names_are_checked)
{
    char name[BUCKET_NAME_MAX + 2];

    CHECK_OK(bucket_name_check("a"));
    CHECK_OK(bucket_name_check("_system"));
    CHECK_OK(bucket_name_check("Käse 日本 \xf0\x9f\x90\x8c"));
    CHECK_ERROR(bucket_name_check(NULL), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check(""), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check("a/b"), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check("a\n"), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check("\x7f"), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check("\xff"), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check("\xc0\x80"), NEAP_INVALID);     /* longer than needed */
    CHECK_ERROR(bucket_name_check("\xed\xa0\x80"), NEAP_INVALID); /* half a surrogate pair */
    CHECK_ERROR(bucket_name_check("\xc2\x85"), NEAP_INVALID);     /* a control character */
    CHECK_ERROR(bucket_name_check("\xf4\x90\x80\x80"), NEAP_INVALID);
    CHECK_ERROR(bucket_name_check("\xe2\x82"), NEAP_INVALID);
    memset(name, 'x', sizeof name);
    name[BUCKET_NAME_MAX] = 0;
    CHECK_OK(bucket_name_check(name));
    name[BUCKET_NAME_MAX] = 'x';
    name[BUCKET_NAME_MAX + 1] = 0;
    CHECK_ERROR(bucket_name_check(name), NEAP_LIMIT);
}

TEST(shards_are_there_after_a_restart)
{
    struct store store;
    struct disk *disk;
    struct shard *shard;
    uint64_t life;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(open_at(&store, disk, &home));
    life = store.identity.life;
    for (char name[] = "a"; name[0] <= 'z'; name[0]++)
        CHECK_OK(count_in(&store, name));
    CHECK_EQUAL(store.shards_count, 26);
    store_done(&store);
    CHECK_OK(open_at(&store, disk, &home));
    CHECK_EQUAL(store.shards_count, 26);
    CHECK_EQUAL(store.identity.life, life);
    shard = store_find(&store, bucket_id("q"));
    CHECK(shard);
    CHECK_TEXT(shard->name, "q");
    CHECK_EQUAL(shard->replica, life);
    CHECK_EQUAL(context_get(&shard->context, life), 1);
    CHECK(!store_find(&store, bucket_id("none")));
    store_done(&store);
    disk_close(disk);
}

TEST(a_copied_directory_is_another_replica_in_every_shard)
{
    struct store store;
    struct disk *disk;
    struct shard *shard;
    uint64_t life;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(open_at(&store, disk, &home));
    life = store.identity.life;
    CHECK_OK(count_in(&store, "a"));
    store_done(&store);
    CHECK_OK(open_at(&store, disk, &copied));
    CHECK(store.identity.life != life);
    CHECK_OK(count_in(&store, "a"));
    store_done(&store);
    CHECK_OK(open_at(&store, disk, &copied));
    shard = store_find(&store, bucket_id("a"));
    CHECK(shard);
    CHECK_EQUAL(shard->replica, store.identity.life);
    CHECK_EQUAL(context_get(&shard->context, life), 1);
    CHECK_EQUAL(context_get(&shard->context, shard->replica), 1);
    store_done(&store);
    disk_close(disk);
}

/* A directory wrote on, met nobody, and was copied: the original may tell others of those events
 * (rule 9). */
TEST(what_nobody_confirmed_keeps_its_id_for_a_while_in_a_new_life)
{
    struct store store;
    struct disk *disk;
    struct shard *shard;
    uint64_t life;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(open_at(&store, disk, &home));
    life = store.identity.life;
    CHECK_OK(count_in(&store, "a"));
    store_done(&store);
    CHECK_OK(open_at(&store, disk, &home));
    CHECK_OK(count_in(&store, "a"));
    CHECK_OK(count_in(&store, "a"));
    store_done(&store);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(open_at(&store, disk, &copied));
        shard = store_find(&store, bucket_id("a"));
        CHECK(shard);
        CHECK(store.identity.life != life);
        CHECK_EQUAL(shard->life, store.identity.life);
        CHECK_EQUAL(shard->replica, life);
        CHECK(shard->leaving);
        CHECK_EQUAL(context_get(&shard->context, life), 3);
        CHECK_EQUAL(shard->opened_at, 1);
        store_done(&store);
    }
    disk_close(disk);
}

TEST(a_shard_that_was_not_committed_is_forgotten)
{
    struct store store;
    struct disk *disk;
    struct batch *batch;
    struct shard *shard, *again;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(open_at(&store, disk, &home));
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(store_shard(&store, batch, "a", &shard));
    CHECK_OK(store_shard(&store, batch, "a", &again));
    CHECK(shard == again);
    CHECK_ERROR(store_shard(&store, batch, "a/b", &again), NEAP_INVALID);
    store_forget(&store, shard->id);
    store_forget(&store, bucket_id("a"));
    CHECK_EQUAL(store.shards_count, 0);
    batch_free(batch);
    store_done(&store);
    disk_close(disk);
}

TEST(stamps_never_go_back)
{
    struct store store;
    struct disk *disk;
    struct batch *batch;
    uint64_t stamp, last = 0;

    CHECK_OK(disk_mem_open(&disk));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(open_at(&store, disk, &home));
        CHECK_OK(batch_new(disk, &batch));
        for (uint64_t wall_ms = 5000; wall_ms > 100; wall_ms -= 700) {
            CHECK_OK(store_stamp(&store, batch, wall_ms, &stamp));
            CHECK(stamp > last);
            last = stamp;
        }
        CHECK_OK(disk->ops->commit(disk, batch, true));
        batch_free(batch);
        store_done(&store);
    }
    disk_close(disk);
}

TEST(new_ids_differ)
{
    struct store store;
    struct disk *disk;
    uint64_t first;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(open_at(&store, disk, &home));
    first = store_new_id(&store);
    CHECK(first != 0 && store_new_id(&store) != first);
    store_done(&store);
    disk_close(disk);
}

static int run_store(void *argument)
{
    struct store store;
    struct disk *disk;
    int error = disk_mem_open(&disk);

    (void)argument;
    if (error)
        return error;
    error = open_at(&store, disk, &home);
    if (!error)
        error = count_in(&store, "a");
    if (!error)
        error = count_in(&store, "b");
    store_done(&store);
    if (!error)
        error = open_at(&store, disk, &copied);
    store_done(&store);
    disk_close(disk);
    return error;
}

/* In a life that began earlier, where a new shard is re-dotted at once. */
static int make_shard(void *argument)
{
    struct store *store = argument;
    struct batch *batch = NULL;
    struct shard *shard;
    int error = batch_new(store->disk, &batch);

    if (error)
        return error;
    error = store_shard(store, batch, "new", &shard);
    CHECK(batch_is_empty(batch) == (error != 0));
    CHECK_EQUAL(store->shards_count, error ? 0 : 1);
    store_forget(store, bucket_id("new"));
    batch_free(batch);
    return error;
}

TEST(a_shard_that_cannot_be_made_leaves_nothing)
{
    struct store store;
    struct disk *disk;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(open_at(&store, disk, &home));
    store_done(&store);
    CHECK_OK(open_at(&store, disk, &home));
    CHECK(!store.identity.fresh_life);
    CHECK_OK(make_shard(&store)); /* the table stays */
    test_alloc_sweep(make_shard, &store);
    store_done(&store);
    disk_close(disk);
}

TEST(a_store_runs_out_of_memory_cleanly)
{
    test_alloc_sweep(run_store, NULL);
}

/* ---- records of other versions ---- */

static void put_record(struct disk *disk, const char *bucket, struct slice record)
{
    struct batch *batch = NULL;
    struct key key;

    CHECK_OK(batch_new(disk, &batch));
    key_shard(&key, bucket_id(bucket));
    CHECK_OK(batch_put(batch, DISK_META, key_slice(&key), record));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
}

/* One that is newer may have other fields, of other kinds: only its version is read. */
TEST(a_newer_record_is_refused_in_words_and_a_damaged_one_is_not_called_newer)
{
    static const struct {
        const char *hex;
        int code;
        const char *says;
    } cases[] = {
        {"9b 02 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0", NEAP_FORMAT,
         "the record of a bucket has format 2, this program"},
        {"9f 02 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0", NEAP_FORMAT, "reads 1: use a newer"},
        {"93 ce ff ff ff ff c4 00", NEAP_FORMAT, "has format 4294967295"},
        {"9b 02", NEAP_CORRUPT, ""},
        {"9b 00 c0 c0 c0 c0 c0 c0 c0 c0 c0 c0", NEAP_CORRUPT, ""},
        {"9b 01", NEAP_CORRUPT, ""},
        {"92 01 a0", NEAP_CORRUPT, ""},
        {"9b c0", NEAP_CORRUPT, ""},
        {"90", NEAP_CORRUPT, ""},
        {"", NEAP_CORRUPT, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct neap_error error = {0};
        struct store store;
        struct disk *disk;
        uint8_t bytes[32];

        CHECK_OK(disk_mem_open(&disk));
        CHECK_OK(open_at(&store, disk, &home));
        store_done(&store);
        put_record(disk, "n", test_unhex(cases[i].hex, bytes, sizeof bytes));
        CHECK_ERROR(store_open(&store, disk, &home, &test_clock.clock, false, &error),
                    cases[i].code);
        CHECK_EQUAL(error.code, cases[i].code);
        CHECK(strstr(error.text, cases[i].says));
        CHECK_EQUAL(disk_mem_unsynced(disk), 0); /* nothing was written */
        disk_close(disk);
    }
}
