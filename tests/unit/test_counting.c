/* How many are in a large set: asked of a node, and of a wheel. */
#include "engine/counting.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "store/tally.h"
#include "tests/support/rig.h"

enum { MANY = 1000, FEW = 50 };

/* ---- a node ---- */

static struct node *open_on(struct disk *disk, bool readonly)
{
    static const struct directory_mark mark;
    struct node_options options = {.readonly = readonly};
    struct backend *backend = NULL;
    struct neap_error error = {0};

    options.disk = disk;
    options.clock = clock_os();
    options.mark = &mark;
    CHECK_OK(node_open_with(&options, &backend, &error));
    return (struct node *)backend;
}

static void close_node(struct node *node)
{
    node->backend.ops->close(&node->backend);
}

static int element(struct node *node, unsigned number, enum op_kind kind)
{
    char text[16];
    struct write_op op;
    struct write write = {.ops = &op, .count = 1, .nosync = false};

    (void)snprintf(text, sizeof text, "%06u", number);
    op = rig_set_add("b", "s", text);
    op.op.kind = kind;
    return node->backend.ops->write(&node->backend, &write);
}

static void fill(struct node *node, unsigned from, unsigned to)
{
    for (; from < to; from++)
        CHECK_OK(element(node, from, OP_SET_ADD));
}

static int count_with(struct node *node, struct token *ret_token, uint64_t *ret_count)
{
    uint8_t bytes[64];
    struct buffer path = {.data = bytes, .room = 64, .size_max = 64};
    struct page_request request = {
        .bucket = "b", .count_only = true, .want_token = ret_token != NULL};
    struct page page;
    int error;

    CHECK_OK(path_level(&path, slice_text("s"), NEAP_SET));
    request.path = buffer_slice(&path);
    page_init(&page, 0);
    token_init(&request.token);
    error = node->backend.ops->page(&node->backend, &request, &page);
    if (!error)
        *ret_count = page.count;
    if (!error && ret_token)
        *ret_token = request.token;
    else
        token_done(&request.token);
    page_done(&page);
    return error;
}

static uint64_t count(struct node *node)
{
    uint64_t found = 0;

    CHECK_OK(count_with(node, NULL, &found));
    return found;
}

TEST(a_large_set_is_walked_once_and_then_never_again)
{
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    fill(node, 0, MANY);
    CHECK_EQUAL(count(node), MANY);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_OK(element(node, 10 * i, OP_SET_REMOVE));
        CHECK_OK(element(node, 10 * i, OP_SET_REMOVE));
        CHECK_OK(element(node, MANY + i, OP_SET_ADD));
        CHECK_OK(element(node, MANY - 1, OP_REMOVE));
        disk_mem_fault(disk, DISK_FAULT_SCAN, TALLY_FROM + 2, 1, NEAP_CORRUPT);
        CHECK_EQUAL(count(node), MANY - 1);
    }
    disk_mem_fault(disk, DISK_FAULT_SCAN, 0, 0, 0);
    close_node(node);
}

TEST(a_small_set_needs_no_number)
{
    struct disk *disk = NULL;
    struct node *node;
    uint64_t turns;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    CHECK_EQUAL(count(node), 0);
    fill(node, 0, FEW);
    turns = node->wheel.engine.counts.turns;
    CHECK_EQUAL(count(node), FEW);
    fill(node, FEW, TALLY_FROM);
    CHECK_EQUAL(count(node), TALLY_FROM);
    CHECK_EQUAL(node->wheel.engine.counts.turns, turns + TALLY_FROM - FEW);
    close_node(node);
}

TEST(the_token_of_a_count_covers_what_was_counted)
{
    struct disk *disk = NULL;
    struct node *node;
    struct token token;
    const struct context *context;
    uint64_t found = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    fill(node, 0, MANY);
    CHECK_OK(count_with(node, &token, &found));
    CHECK_EQUAL(found, MANY);
    context = token_find(&token, bucket_id("b"));
    CHECK(context);
    CHECK_EQUAL(context->count, 1);
    CHECK_EQUAL(context->entries[0].n, MANY);
    token_done(&token);
    close_node(node);
}

TEST(a_node_that_only_reads_walks)
{
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    spy.keep = true;
    node = open_on(&spy.disk, false);
    fill(node, 0, MANY);
    close_node(node);
    node = open_on(&spy.disk, true);
    CHECK_EQUAL(count(node), MANY);
    CHECK(!rig_shard(&(struct rig){.wheel = {.engine = node->wheel.engine}}, "b")->tallies);
    close_node(node);
    disk_close(disk);
}

TEST(a_set_with_damage_is_not_counted)
{
    struct disk *disk = NULL;
    struct node *node;
    uint64_t found;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    fill(node, 0, MANY);
    disk_mem_fault(disk, DISK_FAULT_SCAN, TALLY_FROM + 100, UINT32_MAX, NEAP_CORRUPT);
    CHECK_ERROR(count_with(node, NULL, &found), NEAP_CORRUPT);
    disk_mem_fault(disk, DISK_FAULT_SCAN, 0, 0, 0);
    CHECK_EQUAL(count(node), MANY);
    close_node(node);
}

/* ---- what a write costs ---- */

enum { LARGE = 20000, SMALL = 10 };

struct cost {
    unsigned gets, scans, writes, bytes;
};

static int set_write(struct node *node, const char *key, unsigned number, enum op_kind kind)
{
    uint8_t bytes[64];
    struct buffer path = {.data = bytes, .room = sizeof bytes, .size_max = sizeof bytes};
    struct write_op op = {.bucket = "b", .op = {.kind = kind}};
    struct write write = {.ops = &op, .count = 1};
    char text[16];

    (void)snprintf(text, sizeof text, "%08u", number);
    CHECK_OK(path_level(&path, slice_text(key), NEAP_SET));
    CHECK_OK(path_element(&path, slice_text(text)));
    op.path = buffer_slice(&path);
    return node->backend.ops->write(&node->backend, &write);
}

static struct cost cost_of(struct node *node, struct spy_disk *spy, const char *key,
                           enum op_kind kind)
{
    spy->gets = spy->scans = spy->writes = spy->bytes = 0;
    CHECK_OK(set_write(node, key, 99999999, kind));
    return (struct cost){spy->gets, spy->scans, spy->writes, spy->bytes};
}

static void same_cost(struct node *node, struct spy_disk *spy, enum op_kind kind)
{
    struct cost large = cost_of(node, spy, "l", kind), small = cost_of(node, spy, "s", kind);

    CHECK_EQUAL(large.gets, small.gets);
    CHECK_EQUAL(large.scans, 0);
    CHECK_EQUAL(small.scans, 0);
    CHECK_EQUAL(large.writes, small.writes);
    CHECK_EQUAL(large.bytes, small.bytes);
}

static uint64_t count_of(struct node *node, const char *key)
{
    uint8_t bytes[64];
    struct buffer path = {.data = bytes, .room = sizeof bytes, .size_max = sizeof bytes};
    struct page_request request = {.bucket = "b", .count_only = true};
    uint64_t found;
    struct page page;

    CHECK_OK(path_level(&path, slice_text(key), NEAP_SET));
    request.path = buffer_slice(&path);
    page_init(&page, 0);
    CHECK_OK(node->backend.ops->page(&node->backend, &request, &page));
    found = page.count;
    page_done(&page);
    return found;
}

TEST(a_write_to_a_large_set_that_is_counted_costs_what_one_to_a_small_set_does)
{
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    node = open_on(&spy.disk, false);
    for (unsigned i = 0; i < LARGE; i++)
        CHECK_OK(set_write(node, "l", i, OP_SET_ADD));
    for (unsigned i = 0; i < SMALL; i++)
        CHECK_OK(set_write(node, "s", i, OP_SET_ADD));
    (void)count_of(node, "l");
    (void)count_of(node, "s");
    same_cost(node, &spy, OP_SET_ADD);
    same_cost(node, &spy, OP_SET_ADD); /* once more */
    same_cost(node, &spy, OP_SET_REMOVE);
    same_cost(node, &spy, OP_SET_REMOVE);
    spy.scans = 0;
    (void)count_of(node, "l");
    CHECK_EQUAL(spy.scans, 1); /* of TALLY_FROM elements: it may be small */
    close_node(node);
}

/* ---- a wheel ---- */

TEST(a_step_of_what_is_not_there_finds_nothing)
{
    struct count counting = {.path = slice_text("x")};
    struct event event = {.kind = EVENT_COUNT, .count = &counting};
    struct rig rig;

    rig_open(&rig);
    CHECK_ERROR(rig_turn(&rig, &event), NEAP_NOTFOUND);
    rig_close(&rig);
}

/* As after a crash: numbers that are not known are made without anybody asking. */
TEST(what_is_not_known_is_counted_in_the_background)
{
    struct write_op op = rig_set_add("b", "s", "x");
    struct write write = {.ops = &op, .count = 1};
    struct rig rig;
    struct shard *shard;
    struct batch *batch;
    struct key key;
    uint64_t from = 0, found = 0;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    shard = rig_shard(&rig, "b");
    batch = rig.wheel.batch;
    CHECK_ERROR(counting_step(&rig.wheel.engine.store, &from, batch), NEAP_END);
    key_cell(&key, shard->id, shard->id, rig_path("s", NEAP_SET));
    CHECK_OK(tally_begin(shard, batch, slice_of(key.bytes + 8, key.size - 8)));
    while (tally_is_due(shard))
        CHECK_OK(counting_step(&rig.wheel.engine.store, &from, batch));
    CHECK_OK(tally_get(shard, slice_of(key.bytes + 8, key.size - 8), &found));
    CHECK_EQUAL(found, 1);
    CHECK_ERROR(counting_step(&rig.wheel.engine.store, &from, batch), NEAP_END);
    rig_close(&rig);
}

static int count_short(void *argument)
{
    uint64_t found = 0;
    int error = count_with(argument, NULL, &found);

    CHECK(error || found == MANY);
    return error;
}

TEST(a_count_that_lacks_memory_says_so)
{
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    fill(node, 0, MANY);
    for (uint64_t call = 1; call < 60; call++) {
        int error;

        mem_fail_at(call, 0);
        error = count_short(node);
        mem_fail_at(0, 0);
        CHECK(!error || error == NEAP_NOMEM);
    }
    CHECK_EQUAL(count(node), MANY);
    close_node(node);
}
