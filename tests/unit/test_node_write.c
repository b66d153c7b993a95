#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "tests/support/rig.h"

static struct node *open_on(struct disk *disk, size_t queue_count_max)
{
    static const struct directory_mark mark;
    struct node_options options = {
        .disk = disk, .clock = clock_os(), .mark = &mark, .queue_count_max = queue_count_max};
    struct backend *backend = NULL;

    CHECK_OK(node_open_with(&options, &backend, NULL));
    return (struct node *)backend;
}

static int submit(struct node *node, struct write_op op, uint64_t *ret_ticket)
{
    struct write write = {.ops = &op, .count = 1, .submit = true};
    int error = node->backend.ops->write(&node->backend, &write);

    *ret_ticket = write.token.ticket;
    token_done(&write.token);
    return error;
}

static int wait_for(struct node *node, uint64_t ticket, struct neap_error *error)
{
    struct token token = {.ticket = ticket};

    return node->backend.ops->wait(&node->backend, &token, NEAP_ONE, 60000, error);
}

TEST(a_submitted_write_is_a_copy_and_its_ticket_tells_the_end)
{
    struct disk *disk = NULL;
    struct node *node;
    char value[] = "as it was", bucket[] = "bucket";
    struct context seen = {0};
    struct write_op op;
    uint64_t ticket = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, 0);
    CHECK_OK(context_raise(&seen, 5, 5, 5));
    op = rig_lww(bucket, "k", value);
    op.op.seen = &seen;
    CHECK_OK(submit(node, op, &ticket));
    memset(value, 'x', sizeof value);
    memset(bucket, 'x', sizeof bucket);
    context_done(&seen);
    CHECK(ticket);
    CHECK_OK(wait_for(node, ticket, NULL));
    CHECK_OK(rig_lww_is(disk, "bucket", "k", "as it was"));
    CHECK_OK(wait_for(node, ticket, NULL)); /* as often as one likes */
    node->backend.ops->close(&node->backend);
}

TEST(a_submitted_write_that_fails_tells_why)
{
    struct disk *disk = NULL;
    struct node *node;
    struct neap_error error = {0};
    uint64_t good = 0, bad = 0, after = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, 0);
    CHECK_OK(submit(node, rig_add("a", "n", INT64_MAX), &good));
    CHECK_OK(submit(node, rig_add("a", "n", 1), &bad));
    CHECK_OK(submit(node, rig_add("a", "m", 1), &after));
    CHECK_EQUAL(bad, good + 1);
    CHECK_OK(wait_for(node, after, NULL));
    CHECK_OK(wait_for(node, good, NULL));
    CHECK_ERROR(wait_for(node, bad, &error), NEAP_LIMIT);
    CHECK(strstr(error.text, "a/n"));
    node->backend.ops->close(&node->backend);
}

TEST(what_cannot_be_is_refused_at_once)
{
    struct disk *disk = NULL;
    struct node *node;
    uint64_t ticket = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, 0);
    CHECK_ERROR(submit(node, rig_add("_a", "n", 1), &ticket), NEAP_REFUSED);
    CHECK_EQUAL(ticket, 0);
    CHECK(!node->pump_runs);
    node->backend.ops->close(&node->backend);
}

TEST(a_ticket_of_somebody_else_is_stale)
{
    struct disk *disk = NULL;
    struct node *node;
    uint64_t ticket = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, 0);
    CHECK_ERROR(wait_for(node, 7, NULL), NEAP_STALE);
    CHECK_OK(submit(node, rig_add("a", "n", 1), &ticket));
    CHECK_ERROR(wait_for(node, ticket + 1, NULL), NEAP_STALE);
    CHECK_ERROR(wait_for(node, ticket - 1, NULL), NEAP_STALE);
    CHECK_OK(wait_for(node, ticket, NULL));
    node->backend.ops->close(&node->backend);
}

TEST(the_results_of_old_tickets_are_forgotten)
{
    struct disk *disk = NULL;
    struct node *node;
    uint64_t first = 0;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, 0);
    CHECK_OK(submit(node, rig_add("a", "n", 1), &first));
    CHECK_OK(wait_for(node, first, NULL));
    /* As if as many had been submitted since. */
    node_lock(node);
    node->ticket_next += TICKETS_KEPT - 1;
    node->ticket_done += TICKETS_KEPT - 1;
    node_unlock(node);
    CHECK_OK(wait_for(node, first, NULL));
    node_lock(node);
    node->ticket_next++;
    node->ticket_done++;
    node_unlock(node);
    CHECK_ERROR(wait_for(node, first, NULL), NEAP_STALE);
    node->backend.ops->close(&node->backend);
}

/* A disk whose commits wait until the test opens the door. */
struct door {
    atomic_bool open, reached;
};

static void door_wait(void *arg)
{
    struct door *door = arg;

    atomic_store(&door->reached, true);
    while (!atomic_load(&door->open))
        sched_yield();
}

TEST(a_full_queue_is_busy)
{
    struct door door = {0};
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;
    struct write_op op;
    struct write write = {.ops = &op, .count = 1};
    uint64_t tickets[4] = {0};
    int64_t number = 0;

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    node = open_on(&spy.disk, 3);
    spy.before_commit = door_wait;
    spy.arg = &door;
    CHECK_OK(submit(node, rig_add("a", "n", 1), &tickets[0]));
    while (!atomic_load(&door.reached))
        sched_yield();
    for (int i = 1; i < 4; i++)
        CHECK_OK(submit(node, rig_add("a", "n", 1), &tickets[i]));
    CHECK_ERROR(submit(node, rig_add("a", "n", 1), &tickets[0]), NEAP_BUSY);
    op = rig_add("a", "n", 1);
    CHECK_ERROR(node->backend.ops->write(&node->backend, &write), NEAP_BUSY);
    CHECK(strstr(write.error.text, "3 writes wait"));
    /* With time, it waits for room; here in vain. */
    write.timeout_ms = 5;
    CHECK_ERROR(node->backend.ops->write(&node->backend, &write), NEAP_BUSY);
    atomic_store(&door.open, true);
    CHECK_OK(wait_for(node, tickets[3], NULL));
    write.timeout_ms = 60000;
    CHECK_OK(node->backend.ops->write(&node->backend, &write));
    CHECK_OK(rig_counter(disk, "a", "n", &number));
    CHECK_EQUAL(number, 5);
    node->backend.ops->close(&node->backend);
}

TEST(a_ticket_that_is_not_done_in_time_is_uncertain)
{
    struct door door = {0};
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;
    struct token token = {0};
    struct neap_error error = {0};

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    node = open_on(&spy.disk, 0);
    spy.before_commit = door_wait;
    spy.arg = &door;
    CHECK_OK(submit(node, rig_add("a", "n", 1), &token.ticket));
    CHECK_ERROR(node->backend.ops->wait(&node->backend, &token, NEAP_ONE, 5, &error),
                NEAP_UNCERTAIN);
    atomic_store(&door.open, true);
    CHECK_OK(node->backend.ops->wait(&node->backend, &token, NEAP_ALL, 60000, &error));
    node->backend.ops->close(&node->backend);
}

TEST(closing_writes_what_was_submitted)
{
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;
    uint64_t ticket = 0;
    int64_t number = 0;

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    spy.keep = true;
    node = open_on(&spy.disk, 0);
    for (int i = 0; i < 600; i++)
        CHECK_OK(submit(node, rig_add("a", "n", 1), &ticket));
    node->backend.ops->close(&node->backend);
    CHECK_OK(rig_counter(disk, "a", "n", &number));
    CHECK_EQUAL(number, 600);
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    disk_close(disk);
}

/* ---- memory ---- */

static int submit_with_less_memory(void *arg)
{
    struct node *node = arg;
    struct write_op op = rig_lww("a", "k", "v");
    struct write write = {.ops = &op, .count = 1, .submit = true};
    int error = node->backend.ops->write(&node->backend, &write);

    if (!error)
        error = wait_for(node, write.token.ticket, NULL);
    token_done(&write.token);
    return error;
}

TEST(a_submit_short_of_memory_says_so)
{
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, 0);
    CHECK_OK(submit_with_less_memory(node)); /* what is made once */
    mem_fail_at(1, 0);
    CHECK_ERROR(submit_with_less_memory(node), NEAP_NOMEM);
    mem_fail_at(0, 0);
    CHECK_OK(submit_with_less_memory(node));
    node->backend.ops->close(&node->backend);
}
