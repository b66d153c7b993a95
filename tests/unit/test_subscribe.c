/* Buckets that are subscribed to and let go of, on a node that is alone. */
#include "engine/subscribe.h"

#include "base/alloc.h"
#include "engine/node.h"
#include "tests/support/rig.h"

static struct node *open_with(struct disk *disk, const char *subscribe)
{
    static const struct directory_mark mark;
    struct node_options options = {
        .disk = disk, .clock = clock_os(), .mark = &mark, .subscribe = subscribe};
    struct backend *backend = NULL;
    struct neap_error error = {0};

    CHECK_OK(node_open_with(&options, &backend, &error));
    return (struct node *)backend;
}

static void close_node(struct node *node)
{
    node->backend.ops->close(&node->backend);
}

static int set(struct node *node, const char *bucket)
{
    struct write_op op = rig_lww(bucket, "k", "1");
    struct write write = {.ops = &op, .count = 1};

    return node->backend.ops->write(&node->backend, &write);
}

static int change(struct node *node, enum subscribe_what what, const char *entry,
                  struct subscribing *ret_done)
{
    struct subscribing subscribing = {.what = what, .entry = entry};
    struct event event = {.kind = EVENT_SUBSCRIBE, .subscribing = &subscribing};
    int code = node_run(node, &event);

    if (ret_done)
        *ret_done = subscribing;
    return code;
}

static int may_read(struct node *node, const char *bucket)
{
    struct neap_error error = {0};

    return node_check_held(node, bucket, &error);
}

static size_t shards(const struct node *node)
{
    return node->wheel.engine.store.shards_count;
}

TEST(what_is_not_subscribed_to_is_neither_read_nor_written)
{
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_with(disk, NULL);
    CHECK_OK(set(node, "till"));
    CHECK_OK(change(node, SUBSCRIBE_REMOVE, "photo*", NULL));
    CHECK_ERROR(set(node, "photos"), NEAP_REFUSED);
    CHECK_ERROR(may_read(node, "photos"), NEAP_REFUSED);
    CHECK_OK(may_read(node, "till"));
    CHECK_OK(set(node, "till"));
    CHECK_OK(change(node, SUBSCRIBE_ADD, "photos", NULL));
    CHECK_OK(may_read(node, "photos"));
    CHECK_ERROR(may_read(node, "photo2"), NEAP_REFUSED);
    CHECK_OK(set(node, "photos"));
    close_node(node);
}

TEST(a_node_that_is_alone_drops_what_it_has_only_when_forced_to)
{
    struct subscribing done;
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_with(disk, NULL);
    CHECK_OK(set(node, "a"));
    CHECK_OK(set(node, "a"));
    CHECK_OK(set(node, "b"));
    CHECK_OK(change(node, SUBSCRIBE_REMOVE, "a", NULL));
    CHECK_EQUAL(shards(node), 2); /* nobody else has it */
    CHECK_EQUAL(engine_unshared(&node->wheel.engine, node->wheel.engine.store.shards[0]) +
                    engine_unshared(&node->wheel.engine, node->wheel.engine.store.shards[1]),
                3);
    CHECK_OK(change(node, SUBSCRIBE_DROP, "b", &done)); /* it is subscribed to */
    CHECK_EQUAL(done.dropped, 0);
    CHECK_OK(change(node, SUBSCRIBE_DROP, "*", &done));
    CHECK_EQUAL(done.dropped, 1);
    CHECK_EQUAL(done.lost, 2);
    CHECK_EQUAL(shards(node), 1);
    close_node(node);
}

TEST(names_that_are_none_change_nothing)
{
    struct disk *disk = NULL;
    struct node *node;
    uint64_t version;

    CHECK_OK(disk_mem_open(&disk));
    node = open_with(disk, NULL);
    version = node->wheel.engine.store.subscriptions_version;
    CHECK_ERROR(change(node, SUBSCRIBE_ADD, "", NULL), NEAP_INVALID);
    CHECK_ERROR(change(node, SUBSCRIBE_REMOVE, "!a", NULL), NEAP_INVALID);
    CHECK_ERROR(change(node, SUBSCRIBE_DROP, "a/b", NULL), NEAP_INVALID);
    CHECK_OK(change(node, SUBSCRIBE_ADD, "*", NULL)); /* as it was */
    CHECK_EQUAL(node->wheel.engine.store.subscriptions_version, version);
    close_node(node);
}

TEST(the_list_of_the_options_is_that_of_the_directory_from_then_on)
{
    struct disk *disk = NULL, *copy = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_with(disk, "till, stock-*");
    CHECK_OK(may_read(node, "stock-1"));
    CHECK_ERROR(may_read(node, "photos"), NEAP_REFUSED);
    CHECK_OK(disk_mem_copy(disk, &copy));
    close_node(node);
    node = open_with(copy, NULL);
    CHECK_OK(may_read(node, "till"));
    CHECK_ERROR(may_read(node, "photos"), NEAP_REFUSED);
    close_node(node);
}

/* ---- without memory ---- */

static int change_once(void *argument)
{
    struct node *node = argument;
    uint64_t version = node->wheel.engine.store.subscriptions_version;
    int code = change(node, SUBSCRIBE_REMOVE, "photos", NULL);

    if (code && !node->wheel.stopped) /* by a commit that failed */
        CHECK_EQUAL(node->wheel.engine.store.subscriptions_version, version);
    return code;
}

TEST(a_change_without_memory_is_none)
{
    for (uint64_t call = 1;; call++) {
        struct disk *disk = NULL;
        struct node *node;
        uint64_t calls;
        int code;

        CHECK_OK(disk_mem_open(&disk));
        node = open_with(disk, NULL);
        CHECK_OK(set(node, "till"));
        calls = mem_calls();
        mem_fail_at(call, 0);
        code = change_once(node);
        mem_fail_at(0, 0);
        calls = mem_calls() - calls;
        if (code)
            CHECK_ERROR(code, NEAP_NOMEM);
        CHECK_OK(may_read(node, "till"));
        if (!node->wheel.stopped)
            CHECK_OK(change(node, SUBSCRIBE_REMOVE, "photos", NULL));
        CHECK_ERROR(node->wheel.stopped ? NEAP_REFUSED : may_read(node, "photos"), NEAP_REFUSED);
        close_node(node);
        if (calls < call)
            return;
    }
}
