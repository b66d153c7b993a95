/* A compare by tree between two nodes: who was away for longer than the other's log tells gets what
 * differs, and no more. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "gossip/state.h"
#include "gossip/task.h"
#include "store/merkle.h"
#include "store/shard_compare_tree.h"
#include "store/slot.h"
#include "tests/unit/gossip_nodes.h"

enum { MANY = 100000, SOME = 600, STEP = 4096 };

static struct pair_of_nodes nodes;

/* What the wheel does in the background: as many leaves as the cells want. */
static void build(size_t index)
{
    struct shard *shard = box(&nodes, index);
    struct view view = batch_view(nodes.sides[index].batch);
    int error = shard->tree->build ? 0 : merkle_build_begin(shard->tree, shard->tree->now.cells);

    while (!error)
        error = shard_tree_step(shard, &view, STEP);
    CHECK_ERROR(error, NEAP_END);
}

static void fill(size_t index, size_t from, size_t to)
{
    char name[16];

    for (size_t i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        CHECK_OK(nodes_write(&nodes, index, name, 1));
    }
}

static void drop(size_t index, size_t from, size_t to)
{
    struct side *side = &nodes.sides[index];
    struct shard *shard = box(&nodes, index);
    struct buffer path;
    char name[16];
    uint64_t events;

    buffer_init(&path, NEAP_PATH_MAX);
    for (size_t i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        buffer_clear(&path);
        CHECK_OK(path_level(&path, slice_text(name), NEAP_COUNTER));
        CHECK_OK(shard_remove(shard, side->batch, shard->id, buffer_slice(&path), NULL, &events));
        CHECK_EQUAL(events, 1);
        gossip_touched(side->gossip, shard->id);
        CHECK_OK(gossip_flush(side->gossip, nodes.now, side->batch, &side->outbox));
        CHECK_OK(side_commit(side));
    }
    buffer_done(&path);
}

static int64_t value(size_t index, size_t number)
{
    struct view view = batch_view(nodes.sides[index].batch);
    struct buffer path, bytes;
    struct cell cell;
    char name[16];
    int64_t found = 0;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    snprintf(name, sizeof name, "n%zu", number);
    CHECK_OK(path_level(&path, slice_text(name), NEAP_COUNTER));
    CHECK_OK(
        cell_read(&view, bucket_id("box"), bucket_id("box"), buffer_slice(&path), &bytes, &cell));
    if (cell.count > 0)
        CHECK_OK(counter_value(&cell, &found));
    cell_done(&cell);
    buffer_done(&bytes);
    buffer_done(&path);
    return found;
}

static bool agree(void)
{
    static const struct hash_key key = {{1}};
    struct shard_summary a, b;
    struct view view = batch_view(nodes.sides[0].batch), other = batch_view(nodes.sides[1].batch);

    CHECK_OK(shard_summary(&view, box(&nodes, 0), &key, &a));
    CHECK_OK(shard_summary(&other, box(&nodes, 1), &key, &b));
    return digest_equal(a.digest, b.digest) && a.residues == 0 && b.residues == 0 &&
           digest_equal(merkle_root(box(&nodes, 0)->tree), merkle_root(box(&nodes, 1)->tree)) &&
           context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context);
}

/* Both have the cells, and side 0 is away now. */
static void open_apart(size_t cells)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 14, 14, 0));
    fill(1, 0, cells);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(agree());
    build(0);
    build(1);
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    CHECK_OK(nodes_run(&nodes, 100));
}

static void meet(uint64_t ms)
{
    CHECK_OK(nodes_run(&nodes, 20000)); /* the log is cut */
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, false, &nodes.sides[0].outbox));
    memset(nodes.messages, 0, sizeof nodes.messages);
    memset(nodes.bytes, 0, sizeof nodes.bytes);
    if (box(&nodes, 0))
        box(&nodes, 0)->counts.compares = 0;
    CHECK_OK(nodes_run(&nodes, ms));
}

static size_t bytes_by_tree(void)
{
    return nodes.bytes[MESSAGE_DESCEND] + nodes.bytes[MESSAGE_DESCENDED] +
           nodes.bytes[MESSAGE_DIFFER] + nodes.bytes[MESSAGE_DIFFERED];
}

TEST(behind_the_horizon_only_what_differs_is_sent)
{
    open_apart(MANY);
    for (size_t i = 0; i < 3; i++) /* the log forgets the first of them */
        fill(1, 100, 160);
    drop(1, 200, 220);
    fill(1, MANY, MANY + 20);
    fill(0, 300, 310);
    drop(0, 100, 105);
    meet(8000);
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, 1);
    CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
    CHECK(nodes.messages[MESSAGE_DIFFER] <= 2);
    CHECK(bytes_by_tree() < 60000); /* all of it has 6 million */
    CHECK_EQUAL(value(0, 150), 4);
    CHECK_EQUAL(value(0, 102), 4); /* a total that who removed it has not seen */
    CHECK_EQUAL(value(0, 205), 0);
    CHECK_EQUAL(value(0, MANY + 3), 1);
    CHECK_EQUAL(value(1, 305), 2);
    nodes_close(&nodes);
}

/* Not one message says what is equal: the horizon alone is to be made up for. */
TEST(what_is_equal_below_a_horizon_costs_a_question_and_an_answer)
{
    open_apart(SOME);
    for (size_t i = 0; i < 2; i++) {
        fill(1, SOME, SOME + 100);
        drop(1, SOME, SOME + 100);
    }
    meet(8000);
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, 1);
    CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
    CHECK(nodes.messages[MESSAGE_DESCENDED] <= 2);
    CHECK(bytes_by_tree() < 4000);
    nodes_close(&nodes);
}

/* While an answer is on its way, cells that it was asked about are written: what is equal there
 * must not be taken for removed, nor what is removed for new. */
TEST(who_writes_while_it_compares_by_tree_loses_nothing)
{
    open_apart(SOME);
    for (size_t i = 0; i < 3; i++)
        fill(1, 0, 60);
    drop(1, 100, 160);
    CHECK_OK(nodes_run(&nodes, 20000));
    nodes.holds_at = MESSAGE_DIFFER;
    meet(3000);
    CHECK(nodes.holds[1]);
    CHECK(box(&nodes, 0)->session.id);
    fill(0, 0, 400);
    drop(0, 50, 70);
    drop(0, 150, 170);
    nodes.holds_at = 0;
    nodes.holds[1] = false;
    CHECK_OK(nodes_run(&nodes, 8000));
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, 1);
    CHECK_EQUAL(value(1, 10), 5); /* 4 there, 1 here */
    CHECK_EQUAL(value(1, 55), 4); /* likewise a total that 0 had not seen */
    CHECK_EQUAL(value(1, 65), 0);
    CHECK_EQUAL(value(1, 120), 1); /* removed there, and counted again here */
    CHECK_EQUAL(value(1, 155), 0);
    CHECK_EQUAL(value(1, 300), 2);
    nodes_close(&nodes);
}

/* And the other way round: what the peer changes meanwhile comes at the end. */
TEST(what_the_peer_writes_during_a_compare_by_tree_comes_with_it)
{
    open_apart(SOME);
    for (size_t i = 0; i < 3; i++)
        fill(1, 0, 60);
    CHECK_OK(nodes_run(&nodes, 20000));
    nodes.holds_at = MESSAGE_DESCENDED; /* side 0 says no more */
    meet(3000);
    CHECK(nodes.holds[0]);
    fill(1, 50, 70);
    drop(1, 200, 210);
    nodes.holds_at = 0;
    nodes.holds[0] = false;
    CHECK_OK(nodes_run(&nodes, 8000));
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, 1);
    CHECK_EQUAL(value(0, 65), 2);
    CHECK_EQUAL(value(0, 205), 0);
    nodes_close(&nodes);
}

TEST(with_most_leaves_differing_all_sums_are_sent)
{
    open_apart(SOME);
    nodes.sides[0].gossip->options.compare_few = 1;
    for (size_t i = 0; i < 2; i++)
        fill(1, 0, 80);
    drop(1, 400, 410);
    meet(8000);
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, 1);
    CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
    CHECK(nodes.bytes[MESSAGE_DIFFER] > (size_t)COMPARE_WIDTH * SOME);
    CHECK_EQUAL(value(0, 405), 0);
    CHECK_EQUAL(value(0, 70), 3);
    nodes_close(&nodes);
}

TEST(with_all_leaves_differing_all_is_sent)
{
    open_apart(SOME);
    nodes.sides[0].gossip->options.compare_few = 1;
    for (size_t i = 0; i < 2; i++)
        fill(1, 0, SOME);
    meet(8000);
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, 1);
    CHECK(nodes.messages[MESSAGE_DESCEND] > 0);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], 0);
    CHECK(nodes.messages[MESSAGE_COMPARE] > 0);
    nodes_close(&nodes);
}

/* Nor will there be one soon, as operators want no builds. */
TEST(without_a_tree_on_either_side_all_is_sent)
{
    for (size_t side = 0; side < 2; side++) {
        open_apart(SOME);
        fill(1, 0, 200);
        box(&nodes, side)->tree->ready = false;
        box(&nodes, side)->tree->build_rests = true;
        meet(8000);
        CHECK_EQUAL(nodes.messages[MESSAGE_DESCEND], side);
        CHECK(nodes.messages[MESSAGE_COMPARE] > 0);
        build(side);
        CHECK(agree());
        nodes_close(&nodes);
    }
}

/* After a crash it is there in a second a million cells. */
TEST(a_tree_that_is_being_built_is_waited_for)
{
    for (size_t side = 0; side < 2; side++) {
        open_apart(SOME);
        fill(1, 0, 120);
        box(&nodes, side)->tree->ready = false;
        meet(6000);
        CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], 0);
        build(side);
        CHECK_OK(nodes_run(&nodes, 4000));
        CHECK(agree());
        CHECK(nodes.messages[MESSAGE_DIFFER] > 0);
        CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
        nodes_close(&nodes);
    }
}

TEST(a_tree_that_does_not_come_is_not_waited_for)
{
    static const uint64_t patience[] = {TREE_STUCK_MS, TREE_WAIT_MS_MAX};

    for (size_t side = 0; side < 2; side++) {
        open_apart(SOME);
        fill(1, 0, 120);
        box(&nodes, side)->tree->ready = false;
        meet(patience[side] - 2000);
        CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
        CHECK_OK(nodes_run(&nodes, 8000));
        CHECK(nodes.messages[MESSAGE_COMPARE] > 0);
        build(side);
        CHECK(agree());
        nodes_close(&nodes);
    }
}

TEST(who_has_next_to_nothing_gets_all_of_it)
{
    open_apart(20);
    fill(1, 20, 3000);
    build(1);
    CHECK(box(&nodes, 1)->tree->now.bits >= box(&nodes, 0)->tree->now.bits + 4);
    meet(8000);
    build(0);
    CHECK(agree());
    CHECK_EQUAL(nodes.messages[MESSAGE_DESCEND], 1);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], 0);
    nodes_close(&nodes);
}

/* Who has nothing asks for all, without a look at the tree. */
TEST(a_new_node_gets_all_of_it)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 14, 14, 0));
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    fill(1, 0, SOME);
    meet(8000);
    CHECK(agree());
    CHECK_EQUAL(nodes.messages[MESSAGE_DESCEND], 0);
    CHECK(nodes.messages[MESSAGE_COMPARE] > 0);
    nodes_close(&nodes);
}

/* ---- several questions at once ---- */

/* So many cells a stretch; and 40 changes, 20 removals. */
static void open_in_stretches(size_t cells)
{
    open_apart(SOME);
    for (size_t i = 0; i < 2; i++)
        nodes.sides[i].gossip->options.repair_scan = cells;
    for (size_t i = 0; i < 3; i++)
        fill(1, 0, 40);
    drop(1, 300, 320);
    CHECK_OK(nodes_run(&nodes, 20000)); /* the log is cut */
}

/* Up to where so many questions were asked and no answer has come. */
static void meet_up_to(unsigned count)
{
    nodes.holds_at = MESSAGE_DIFFER;
    meet(3000);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], count);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFERED], 0);
}

static void answers_come(void)
{
    nodes.holds_at = 0;
    memset(nodes.holds, 0, sizeof nodes.holds);
}

static void check_compared(unsigned sessions)
{
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.compares, sessions);
    CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
    CHECK_EQUAL(value(0, 30), 4);
    CHECK_EQUAL(value(0, 310), 0);
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].pulling, 0);
}

/* Else there is a round trip for each. */
TEST(stretches_are_compared_before_others_are_answered)
{
    open_in_stretches(60);
    meet_up_to(10);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 1000));
    check_compared(1);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], 10);
    nodes_close(&nodes);
}

TEST(no_more_questions_of_a_compare_than_that_are_under_way)
{
    open_in_stretches(8); /* there are 73 */
    meet_up_to(16);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 4000));
    check_compared(1);
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_no_answer], 0);
    nodes_close(&nodes);
}

TEST(an_answer_of_a_compare_that_is_lost_is_asked_for_again)
{
    for (unsigned lost = 1; lost <= 9; lost++) {
        open_in_stretches(60);
        meet_up_to(10);
        answers_come();
        nodes.loses[MESSAGE_DIFFERED] = lost;
        CHECK_OK(nodes_run(&nodes, 1000));
        CHECK_EQUAL(nodes.loses[MESSAGE_DIFFERED], 0);
        check_compared(1);
        CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], 11);
        nodes_close(&nodes);
    }
}

/* Nothing comes after it, so only time tells. */
TEST(the_last_answer_of_a_compare_being_lost_costs_a_session)
{
    open_in_stretches(60);
    meet_up_to(10);
    answers_come();
    nodes.loses[MESSAGE_DIFFERED] = 10;
    CHECK_OK(nodes_run(&nodes, 1000));
    CHECK(!agree());
    CHECK_OK(nodes_run(&nodes, 12000));
    check_compared(2);
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_no_answer], 1);
    nodes_close(&nodes);
}

TEST(sums_that_are_lost_are_asked_for_again)
{
    open_in_stretches(60);
    nodes.loses[MESSAGE_DESCENDED] = 1;
    meet(1000);
    CHECK_EQUAL(nodes.loses[MESSAGE_DESCENDED], 0);
    CHECK(!agree());
    CHECK_OK(nodes_run(&nodes, 12000));
    check_compared(1);
    nodes_close(&nodes);
}

/* What is on its way comes, and then nothing more is asked. */
TEST(a_compare_that_is_paused_among_questions_goes_on_where_it_was)
{
    const struct topic *topic;

    open_in_stretches(8);
    meet_up_to(16);
    topic = nodes.sides[0].gossip->topics[0];
    CHECK_OK(gossip_task_order(nodes.sides[0].gossip, nodes.now, TASK_COMPARE, bucket_id("box"), 0,
                               TASK_PAUSE));
    answers_come();
    CHECK_OK(nodes_run(&nodes, 20000));
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFER], 16);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFERED], 16);
    CHECK(topic->pull.held.size > 0);
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].pulling, 0);
    CHECK_OK(gossip_task_order(nodes.sides[0].gossip, nodes.now, TASK_COMPARE, bucket_id("box"), 0,
                               TASK_RESUME));
    CHECK_OK(nodes_run(&nodes, 4000));
    check_compared(1);
    CHECK(nodes.messages[MESSAGE_DIFFER] < 80); /* none of them again */
    nodes_close(&nodes);
}

/* Whoever is asked has given enough for now: then all that was asked must be asked again. */
TEST(who_is_refused_asks_one_question_at_a_time)
{
    unsigned refused;

    open_in_stretches(60);
    nodes.holds_at = MESSAGE_DESCENDED; /* then the questions stay with side 0 */
    meet(3000);
    flow_init(&nodes.sides[1].gossip->flow, 4000);
    tokens_take(&nodes.sides[1].gossip->flow.given, nodes.now.mono_ms, 4000);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 30000));
    check_compared(1);
    refused = (unsigned)nodes.sides[1].gossip->flow.refused;
    CHECK(refused >= 10);
    CHECK(refused < 20);
    nodes_close(&nodes);
}

/* Both sides write what is being asked about. */
TEST(who_writes_among_questions_loses_nothing)
{
    open_in_stretches(60);
    meet_up_to(10);
    fill(0, 0, 400);
    drop(0, 20, 30);
    drop(0, 305, 310);
    fill(1, 100, 150);
    drop(1, 150, 160);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 12000));
    CHECK(agree());
    CHECK_EQUAL(value(0, 10), 5);
    CHECK_EQUAL(value(0, 25), 4); /* a total that who removed it had not seen */
    CHECK_EQUAL(value(0, 315), 1);
    CHECK_EQUAL(value(0, 307), 0);
    CHECK_EQUAL(value(0, 120), 3);
    CHECK_EQUAL(value(0, 155), 1); /* of 0 alone: 1 has not seen it */
    nodes_close(&nodes);
}

/* ---- memory ---- */

static int compare_with_less_memory(void *arg)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    int error = nodes_open_with_trees(&nodes, 6, 6, 0);
    struct side *side = &nodes.sides[1];
    struct shard *shard;

    (void)arg;
    for (size_t i = 0; i < 5 && !error; i++)
        error = nodes_write(&nodes, 1, names[i], 1);
    error = error ? error : nodes_run(&nodes, 1500);
    error = error ? error : gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox);
    for (size_t i = 0; i < 2 && !error; i++)
        nodes.sides[i].gossip->options.repair_scan = 2; /* several questions */
    error = error ? error : nodes_run(&nodes, 100);
    for (size_t i = 0; i < 2 && !error; i++)
        error = nodes_write(&nodes, 1, names[i], 1);
    error = error ? error : nodes_write(&nodes, 0, "b", 1);
    shard = error ? NULL : box(&nodes, 1);
    error = error ? error : shard_truncate(shard, side->batch, &shard->context);
    error = error ? error : side_commit(side);
    error = error ? error : gossip_isolate(nodes.sides[0].gossip, false, &nodes.sides[0].outbox);
    error = error ? error : nodes_run(&nodes, 6000);
    if (!error)
        CHECK(context_covers(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    nodes_close(&nodes);
    return error;
}

TEST(a_compare_by_tree_holds_with_failing_allocations)
{
    CHECK_OK(compare_with_less_memory(NULL));
    CHECK_EQUAL(nodes.messages[MESSAGE_COMPARE], 0);
    CHECK(nodes.messages[MESSAGE_DIFFERED] > 0);
    test_alloc_sweep(compare_with_less_memory, NULL);
}
