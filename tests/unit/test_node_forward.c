/* Calls about what a node does not hold, of two nodes with threads. */
#include "engine/node_forward.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/node_pair.h"

/* Node 0 holds nothing of "far" and "farther", node 1 does. */
static void pair_part(struct pair *pair)
{
    struct buffer json;

    pair_open(pair);
    CHECK_OK(admin(pair->nodes[0], "unsubscribe", "far*", &json));
    buffer_done(&json);
    pair_meet(pair);
    pair_meet(pair);
}

TEST(a_call_about_what_a_node_does_not_hold_is_done_by_one_that_does)
{
    static const enum neap_level levels[] = {NEAP_ONE, NEAP_QUORUM, NEAP_ALL};
    struct pair pair;
    struct token token;
    int64_t number = 0;

    pair_part(&pair);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(add(pair.nodes[0], rig_add("far", "n", 2), levels[i], i % 2, &token));
        CHECK_EQUAL(token.count, 1);
        CHECK_EQUAL(token.parts[0].shard, bucket_id("far"));
        CHECK_OK(read_number(pair.nodes[0], "far", levels[i], &token, TIMEOUT_MS, &number, NULL));
        CHECK_EQUAL(number, 2 * (i + 1));
        CHECK_OK(read_number(pair.nodes[1], "far", NEAP_ONE, &token, TIMEOUT_MS, &number, NULL));
        CHECK_EQUAL(number, 2 * (i + 1));
        token_done(&token);
    }
    CHECK_EQUAL(pair.nodes[0]->wheel.engine.serving.done, 0);
    CHECK_EQUAL(pair.nodes[1]->wheel.engine.serving.done, 6);
    pair_close(&pair);
}

TEST(pages_and_counts_come_from_where_they_are)
{
    struct pair pair;
    struct page_request request = {.bucket = "far", .timeout_ms = TIMEOUT_MS, .want_token = true};
    struct page page;

    pair_part(&pair);
    for (int i = 0; i < 20; i++) {
        char name[16];

        snprintf(name, sizeof name, "k%d", i);
        CHECK_OK(add(pair.nodes[i % 2], rig_add("far", name, 1), NEAP_ONE, false, NULL));
    }
    token_init(&request.token);
    page_init(&page, 100);
    request.size_max = 100;
    CHECK_OK(pair.nodes[0]->backend.ops->page(&pair.nodes[0]->backend, &request, &page));
    CHECK(page.cursor.size > 0 && page.items.size > 0);
    CHECK_EQUAL(request.token.count, 1);
    page_done(&page);
    request.count_only = true;
    page_init(&page, 0);
    CHECK_OK(pair.nodes[0]->backend.ops->page(&pair.nodes[0]->backend, &request, &page));
    CHECK_EQUAL(page.count, 20);
    page_done(&page);
    token_done(&request.token);
    pair_close(&pair);
}

static int write_two(struct node *node, const char *one, const char *other, struct write *ret_write)
{
    struct write_op ops[2] = {rig_add(one, "n", 1), rig_add(other, "n", 1)};
    int code;

    *ret_write = (struct write){.ops = ops, .count = 2, .timeout_ms = TIMEOUT_MS};
    code = node->backend.ops->write(&node->backend, ret_write);
    token_done(&ret_write->token);
    return code;
}

TEST(a_batch_goes_to_a_node_that_holds_all_of_it)
{
    struct pair pair;
    struct write write;
    int64_t number = 0;

    pair_part(&pair);
    CHECK_OK(write_two(pair.nodes[0], "near", "far", &write));
    CHECK_OK(write_two(pair.nodes[0], "far", "farther", &write));
    CHECK_OK(read_number(pair.nodes[1], "near", NEAP_ONE, NULL, TIMEOUT_MS, &number, NULL));
    CHECK_EQUAL(number, 1);
    CHECK_OK(read_number(pair.nodes[1], "far", NEAP_ONE, NULL, TIMEOUT_MS, &number, NULL));
    CHECK_EQUAL(number, 2);
    pair_close(&pair);
}

TEST(without_a_holder_nothing_is_done_and_it_is_said_at_once)
{
    struct pair pair;
    struct write_op op = rig_add("far", "n", 1);
    struct write write = {.ops = &op, .count = 1, .timeout_ms = TIMEOUT_MS};
    struct neap_error error = {0};
    int64_t number = 0;
    struct backend *backend;

    pair_part(&pair);
    backend = &pair.nodes[0]->backend;
    write.once = slice_text("my-id");
    CHECK_ERROR(backend->ops->write(backend, &write), NEAP_REFUSED);
    CHECK(strstr(write.error.text, "once"));
    write.once = slice_of(NULL, 0);
    write.level = NEAP_EDGE;
    CHECK_ERROR(backend->ops->write(backend, &write), NEAP_REFUSED);
    CHECK_ERROR(read_number(pair.nodes[0], "far", NEAP_EDGE, NULL, TIMEOUT_MS, &number, NULL),
                NEAP_REFUSED);
    isolate(pair.nodes[0], "on");
    CHECK_ERROR(read_number(pair.nodes[0], "far", NEAP_ONE, NULL, TIMEOUT_MS, &number, &error),
                NEAP_UNAVAILABLE);
    CHECK(strstr(error.text, "no node that does is connected: nothing was done"));
    write.level = NEAP_ONE;
    CHECK_ERROR(backend->ops->write(backend, &write), NEAP_UNAVAILABLE);
    CHECK_ERROR(write_two(pair.nodes[0], "far", "farther", &write), NEAP_UNAVAILABLE);
    CHECK(strstr(write.error.text, "all 2 of this batch"));
    isolate(pair.nodes[0], "off");
    pair_meet(&pair);
    CHECK_OK(read_number(pair.nodes[0], "far", NEAP_ONE, NULL, TIMEOUT_MS, &number, NULL));
    CHECK_EQUAL(number, 0);
    pair_close(&pair);
}

TEST(errors_of_the_node_that_does_it_come_back_as_they_are)
{
    struct pair pair;
    struct write_op op = rig_add("far", "n", 1);
    struct write write = {.ops = &op, .count = 1, .timeout_ms = TIMEOUT_MS};
    struct backend *backend;

    pair_part(&pair);
    backend = &pair.nodes[0]->backend;
    op.op.ttl_ms = 5; /* counters do not expire */
    CHECK_ERROR(backend->ops->write(backend, &write), NEAP_INVALID);
    op = rig_lww("far", "n", "x");
    op.op.kind = OP_COUNTER_ADD;
    CHECK_ERROR(backend->ops->write(backend, &write), NEAP_INVALID);
    pair_close(&pair);
}
