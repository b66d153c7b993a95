#include "engine/node.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/rig.h"

enum { THREADS = 8, ROUNDS = 200 };

static struct node *open_on(struct disk *disk, const struct node_options *more)
{
    static const struct directory_mark mark;
    struct node_options options = more ? *more : (struct node_options){0};
    struct backend *backend = NULL;
    struct neap_error error = {0};

    options.disk = disk;
    options.clock = clock_os();
    options.mark = &mark;
    CHECK_OK(node_open_with(&options, &backend, &error));
    return (struct node *)backend;
}

static struct node *open_plain(void)
{
    struct disk *disk = NULL;

    CHECK_OK(disk_mem_open(&disk));
    return open_on(disk, NULL);
}

static int node_add(struct node *node, const char *key, bool nosync)
{
    uint8_t bytes[64];
    struct buffer path = {.data = bytes, .room = 64, .size_max = 64};
    struct write_op op = {.bucket = "a", .op = {.kind = OP_COUNTER_ADD, .number = 1}};
    struct write write = {.ops = &op, .count = 1, .nosync = nosync};
    int error = path_level(&path, slice_text(key), NEAP_COUNTER);

    op.path = buffer_slice(&path);
    return error ? error : node->backend.ops->write(&node->backend, &write);
}

static int64_t node_counter(struct node *node, const char *key)
{
    int64_t number = 0;
    int error = rig_counter(node->disk, "a", key, &number);

    CHECK(!error || error == NEAP_NOTFOUND);
    return number;
}

static void close_node(struct node *node)
{
    node->backend.ops->close(&node->backend);
}

/* ---- one thread ---- */

TEST(a_lone_writer_makes_no_thread)
{
    struct node *node = open_plain();

    for (int i = 0; i < 10; i++)
        CHECK_OK(node_add(node, "n", false));
    CHECK_EQUAL(node_counter(node, "n"), 10);
    CHECK(!node->pump_runs);
    CHECK_EQUAL(node->workers_count, 0);
    CHECK_EQUAL(node->wheel.engine.counts.turns, 10);
    close_node(node);
}

TEST(a_lone_writer_takes_little_memory)
{
    struct node *node = open_plain();
    uint64_t calls, first;

    CHECK_OK(node_add(node, "n", false));
    calls = mem_calls();
    CHECK_OK(node_add(node, "n", false));
    first = mem_calls() - calls;
    calls = mem_calls();
    CHECK_OK(node_add(node, "n", false));
    CHECK_EQUAL(mem_calls() - calls, first);
    /* Most of them are the memory disk's, which copies a path of its tree. */
    CHECK(first < 100);
    close_node(node);
}

TEST(an_unsynced_write_is_synced_by_the_pump)
{
    struct node_options options = {.sync_ms = 5};
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, &options);
    CHECK_OK(node_add(node, "n", true));
    CHECK(node->pump_runs);
    while (atomic_load(&node->wheel.unsynced))
        sched_yield();
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    close_node(node);
}

TEST(closing_syncs_what_is_unsynced)
{
    struct node_options options = {.sync_ms = 60000};
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    node = open_on(&spy.disk, &options);
    CHECK_OK(node_add(node, "n", true));
    CHECK_EQUAL(disk_mem_unsynced(disk), 1);
    spy.keep = true;
    close_node(node);
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    disk_close(disk);
}

TEST(a_token_of_a_read_waits_for_the_sync_of_what_it_names)
{
    struct node_options options = {.sync_ms = 60000};
    struct disk *disk = NULL;
    struct node *node;
    struct read read = {.bucket = "a", .want_token = true};
    struct buffer bytes;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, &options);
    CHECK_OK(node_add(node, "n", true));
    buffer_init(&bytes, 4096);
    read.path = rig_path("n", NEAP_COUNTER);
    read.want_token = false;
    CHECK_OK(node->backend.ops->read(&node->backend, &read, &bytes));
    CHECK_EQUAL(disk_mem_unsynced(disk), 1);
    read.want_token = true;
    CHECK_OK(node->backend.ops->read(&node->backend, &read, &bytes));
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    CHECK_EQUAL(read.token.count, 1);
    token_done(&read.token);
    buffer_done(&bytes);
    close_node(node);
}

/* Who is told that a node holds something must be able to rely on it. */
TEST(a_wait_ends_when_what_it_waits_for_is_durable)
{
    struct node_options options = {.sync_ms = 60000};
    struct disk *disk = NULL;
    struct node *node;
    struct shard *shard;
    struct token token = {0};

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, &options);
    CHECK_OK(node_add(node, "n", true));
    CHECK_EQUAL(disk_mem_unsynced(disk), 1);
    shard = store_find(&node->wheel.engine.store, bucket_id("a"));
    CHECK_OK(token_dot(&token, shard->id, (struct dot){shard->replica, 1}, shard->nonce));
    CHECK_OK(node->backend.ops->wait(&node->backend, &token, NEAP_ONE, 60000, NULL));
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    token_done(&token);
    close_node(node);
}

TEST(a_node_that_stopped_says_so_to_everybody)
{
    struct disk *disk = NULL;
    struct node *node;
    struct read read = {.bucket = "a"};
    struct token token = {0};
    struct neap_error error = {0};
    struct buffer bytes;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, NULL);
    CHECK_OK(node_add(node, "n", false));
    disk_mem_fault(disk, DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(node_add(node, "n", false), NEAP_IO);
    CHECK_ERROR(node_add(node, "n", false), NEAP_IO);
    CHECK_ERROR(node->backend.ops->sync(&node->backend), NEAP_IO);
    read.path = rig_path("n", NEAP_COUNTER);
    buffer_init(&bytes, 4096);
    CHECK_ERROR(node->backend.ops->read(&node->backend, &read, &bytes), NEAP_IO);
    CHECK(strstr(read.error.text, "has stopped"));
    CHECK_OK(token_dot(&token, bucket_id("a"), (struct dot){7, 1}, 1));
    CHECK_ERROR(node->backend.ops->wait(&node->backend, &token, NEAP_ONE, 1000, &error), NEAP_IO);
    token_done(&token);
    buffer_done(&bytes);
    close_node(node);
}

/* ---- many threads ---- */

struct hammer {
    struct node *node;
    unsigned number;
    bool nosync;
    int error;
};

static void *hammer_main(void *arg)
{
    struct hammer *hammer = arg;
    char key[16];

    snprintf(key, sizeof key, "k%u", hammer->number);
    for (int i = 0; i < ROUNDS && !hammer->error; i++) {
        hammer->error = node_add(hammer->node, "all", hammer->nosync);
        if (!hammer->error)
            hammer->error = node_add(hammer->node, key, hammer->nosync);
    }
    return NULL;
}

static void hammer_run(struct node *node, bool nosync)
{
    struct hammer hammers[THREADS];
    pthread_t threads[THREADS];
    char key[16];

    for (unsigned i = 0; i < THREADS; i++) {
        hammers[i] = (struct hammer){.node = node, .number = i, .nosync = nosync && i % 2};
        must(!pthread_create(&threads[i], NULL, hammer_main, &hammers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        must(!pthread_join(threads[i], NULL));
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_OK(hammers[i].error);
        snprintf(key, sizeof key, "k%u", i);
        CHECK_EQUAL(node_counter(node, key), ROUNDS);
    }
    CHECK_EQUAL(node_counter(node, "all"), THREADS * ROUNDS);
    CHECK_EQUAL(node->wheel.engine.counts.writes, 2 * THREADS * ROUNDS);
}

TEST(many_threads_count_exactly)
{
    struct node *node = open_plain();

    hammer_run(node, false);
    CHECK(!node->pump_runs);
    close_node(node);
}

TEST(many_threads_count_exactly_synced_and_unsynced)
{
    struct node_options options = {.sync_ms = 1};
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, &options);
    hammer_run(node, true);
    CHECK_OK(node->backend.ops->sync(&node->backend));
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    close_node(node);
}

/* The first commit waits until all other threads have queued up: they must share the second. */
struct gate {
    struct node *node;
    atomic_uint commits;
};

static void gate_wait(void *arg)
{
    struct gate *gate = arg;
    size_t count = 0;

    if (atomic_fetch_add(&gate->commits, 1))
        return;
    while (count < THREADS - 1) {
        sched_yield();
        node_lock(gate->node);
        count = gate->node->queue_count;
        node_unlock(gate->node);
    }
}

static void *add_once(void *arg)
{
    struct hammer *hammer = arg;

    hammer->error = node_add(hammer->node, "all", false);
    return NULL;
}

TEST(writers_that_wait_share_a_commit)
{
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct gate gate = {0};
    struct hammer hammers[THREADS];
    pthread_t threads[THREADS];

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    gate.node = open_on(&spy.disk, NULL);
    spy.before_commit = gate_wait;
    spy.arg = &gate;
    for (unsigned i = 0; i < THREADS; i++) {
        hammers[i] = (struct hammer){.node = gate.node};
        must(!pthread_create(&threads[i], NULL, add_once, &hammers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        must(!pthread_join(threads[i], NULL));
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_OK(hammers[i].error);
    CHECK_EQUAL(node_counter(gate.node, "all"), THREADS);
    CHECK_EQUAL(atomic_load(&gate.commits), 2);
    close_node(gate.node);
}

/* A failed commit under load: everybody is told, nobody hangs, and what was acknowledged is there.
 */
static void *add_until_error(void *arg)
{
    struct hammer *hammer = arg;

    while (!hammer->error && hammer->number < 100000) {
        hammer->error = node_add(hammer->node, "all", false);
        hammer->number += !hammer->error;
    }
    return NULL;
}

TEST(a_disk_that_fails_under_load_stops_all_writers)
{
    struct disk *disk = NULL;
    struct hammer hammers[THREADS];
    pthread_t threads[THREADS];
    struct node *node;
    int64_t acknowledged = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, NULL);
    disk_mem_fault(disk, DISK_FAULT_COMMIT, 50, 1, NEAP_IO);
    for (unsigned i = 0; i < THREADS; i++) {
        hammers[i] = (struct hammer){.node = node};
        must(!pthread_create(&threads[i], NULL, add_until_error, &hammers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        must(!pthread_join(threads[i], NULL));
        acknowledged += hammers[i].number;
    }
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_ERROR(hammers[i].error, NEAP_IO);
    CHECK_EQUAL(node_counter(node, "all"), acknowledged);
    close_node(node);
}

/* ---- closing ---- */

struct waiting {
    struct node *node;
    struct token token;
    struct neap_error error;
    int code;
};

static void *wait_main(void *arg)
{
    struct waiting *waiting = arg;
    struct backend *backend = &waiting->node->backend;

    waiting->code = backend->ops->wait(backend, &waiting->token, NEAP_ONE, 600000, &waiting->error);
    return NULL;
}

TEST(closing_sends_home_who_waits)
{
    struct waiting waiting = {.node = open_plain()};
    pthread_t thread;
    bool waits = false;

    CHECK_OK(token_dot(&waiting.token, bucket_id("a"), (struct dot){7, 1}, 1));
    must(!pthread_create(&thread, NULL, wait_main, &waiting));
    while (!waits) {
        sched_yield();
        node_lock(waiting.node);
        waits = waiting.node->watchers > 0;
        node_unlock(waiting.node);
    }
    close_node(waiting.node);
    must(!pthread_join(thread, NULL));
    CHECK_ERROR(waiting.code, NEAP_UNAVAILABLE);
    token_done(&waiting.token);
}

/* ---- memory ---- */

static int open_with_less_memory(void *arg)
{
    static const struct directory_mark mark;
    struct node_options options = {.clock = clock_os(), .mark = &mark, .path = "somewhere"};
    struct backend *backend = NULL;
    int error = disk_mem_open(&options.disk);

    (void)arg;
    if (!error)
        error = node_open_with(&options, &backend, NULL);
    if (!error) {
        error = node_add((struct node *)backend, "n", false);
        backend->ops->close(backend);
    }
    return error;
}

TEST(a_node_opens_or_leaves_nothing)
{
    test_alloc_sweep(open_with_less_memory, NULL);
}
