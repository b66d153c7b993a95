/* What operators see of long work, and do to it: gossip/task.h. */
#include "gossip/task.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "store/merkle.h"
#include "tests/unit/gossip_nodes.h"

enum { CELLS = 300, PAGE = 512 };

static struct pair_of_nodes nodes;

/* ---- looking ---- */

struct found {
    struct task task; /* the last one of the kind */
    enum task_kind kind;
    size_t count;
};

static int find_each(void *arg, const struct task *task)
{
    struct found *found = arg;

    if (task->kind == found->kind) {
        found->task = *task;
        found->count++;
    }
    return 0;
}

static struct found find(size_t side, enum task_kind kind)
{
    struct found found = {.kind = kind};

    CHECK_OK(gossip_tasks(nodes.sides[side].gossip, find_each, &found));
    return found;
}

static int order(enum task_kind kind, enum task_order order)
{
    return gossip_task_order(nodes.sides[0].gossip, nodes.now, kind, bucket_id("box"), 0, order);
}

static void fill(size_t from, size_t to)
{
    char name[16];

    for (size_t i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        CHECK_OK(nodes_write(&nodes, 1, name, 1));
    }
}

static bool agree(void)
{
    static const struct hash_key key = {{1}};
    struct shard_summary a, b;
    struct view view = batch_view(nodes.sides[0].batch), other = batch_view(nodes.sides[1].batch);

    CHECK_OK(shard_summary(&view, box(&nodes, 0), &key, &a));
    CHECK_OK(shard_summary(&other, box(&nodes, 1), &key, &b));
    return digest_equal(a.digest, b.digest);
}

static void isolate(bool isolated)
{
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, isolated, &nodes.sides[0].outbox));
}

/* Side 0 was away for longer than the log of side 1 tells, and is about to come back. */
static void open_far_behind(void)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, PAGE));
    fill(0, 2);
    CHECK_OK(nodes_run(&nodes, 2000));
    isolate(true);
    CHECK_OK(nodes_run(&nodes, 100));
    fill(2, CELLS);
    CHECK_OK(nodes_run(&nodes, 20000));
}

/* ---- compare ---- */

TEST(a_compare_that_is_paused_waits_and_goes_on)
{
    struct found found;
    unsigned asked;

    open_far_behind();
    CHECK_OK(order(TASK_COMPARE, TASK_PAUSE));
    found = find(0, TASK_COMPARE);
    CHECK_EQUAL(found.count, 1);
    CHECK_EQUAL(found.task.state, TASK_PAUSED);
    CHECK_EQUAL(found.task.since_ms, 0); /* none is under way */
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 20000));
    CHECK(!agree());
    found = find(0, TASK_COMPARE);
    CHECK_EQUAL(found.count, 1);
    CHECK_EQUAL(found.task.state, TASK_PAUSED);
    CHECK(found.task.since_ms > 0);
    CHECK_TEXT(found.task.bucket, "box");
    CHECK(found.task.peer[0]);
    asked = nodes.messages[MESSAGE_DIFFER];
    CHECK_OK(order(TASK_COMPARE, TASK_RESUME));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(agree());
    CHECK(nodes.messages[MESSAGE_DIFFER] > asked);
    CHECK_EQUAL(find(0, TASK_COMPARE).count, 0);
    CHECK_ERROR(order(TASK_COMPARE, TASK_RESUME), NEAP_NOTFOUND);
    nodes_close(&nodes);
}

/* Shards that wait must not keep others from their turn at the peer. */
TEST(what_is_paused_takes_no_turn_at_its_peer)
{
    open_far_behind();
    CHECK_OK(order(TASK_COMPARE, TASK_PAUSE));
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(find(0, TASK_COMPARE).task.state, TASK_PAUSED);
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].pulling, 0);
    isolate(true); /* it ends with the link, and gives back nothing twice */
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].pulling, 0);
    isolate(false);
    CHECK_OK(order(TASK_COMPARE, TASK_RESUME));
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK(agree());
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].pulling, 0);
    nodes_close(&nodes);
}

TEST(a_compare_that_is_cancelled_ends_and_rests)
{
    open_far_behind();
    CHECK_OK(order(TASK_COMPARE, TASK_PAUSE));
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_OK(order(TASK_COMPARE, TASK_CANCEL));
    CHECK_EQUAL(find(0, TASK_COMPARE).count, 0);
    CHECK(!box(&nodes, 0)->session.id);
    CHECK_OK(nodes_run(&nodes, TASK_CANCEL_REST_MS / 2));
    CHECK(!agree());
    CHECK_OK(nodes_run(&nodes, TASK_CANCEL_REST_MS));
    CHECK(agree());
    CHECK_ERROR(order(TASK_COMPARE, TASK_CANCEL), NEAP_NOTFOUND);
    nodes_close(&nodes);
}

/* Its session keeps the bucket for itself while its peer is away. */
TEST(a_compare_that_waits_for_its_peer_is_shown_and_ended)
{
    open_far_behind();
    CHECK_OK(shard_compare_begin(box(&nodes, 0), 7, &box(&nodes, 1)->context));
    CHECK_EQUAL(find(0, TASK_COMPARE).count, 1);
    CHECK_EQUAL(find(0, TASK_COMPARE).task.state, TASK_WAITS);
    CHECK_OK(order(TASK_COMPARE, TASK_CANCEL));
    CHECK(!box(&nodes, 0)->session.id);
    CHECK_EQUAL(find(0, TASK_COMPARE).count, 0);
    CHECK_ERROR(order(TASK_HEAL, TASK_PAUSE), NEAP_REFUSED);
    CHECK_ERROR(order(TASK_HEAL, TASK_CANCEL), NEAP_NOTFOUND);
    nodes_close(&nodes);
}

/* With each kind of answer. */
TEST(a_compare_by_tree_shows_what_it_received)
{
    uint64_t down;

    open_far_behind();
    nodes.holds_at = MESSAGE_DESCENDED; /* side 0 says no more */
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(nodes.holds[0]);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIFFERED], 0);
    down = find(0, TASK_COMPARE).task.bytes;
    CHECK(down > 0);
    nodes.holds_at = MESSAGE_DIFFERED;
    nodes.holds[0] = false;
    CHECK_OK(nodes_run(&nodes, 100));
    CHECK(nodes.messages[MESSAGE_DIFFERED] > 0);
    CHECK(find(0, TASK_COMPARE).task.bytes > down + PAGE / 2);
    nodes.holds_at = 0;
    nodes.holds[0] = false;
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(agree());
    nodes_close(&nodes);
}

/* Up to where it holds at the n-th answer of that kind; then a look at it, and the rest. */
static struct task look_at(size_t side, enum task_kind kind, enum message_kind answer,
                           unsigned count)
{
    struct found found;

    for (unsigned i = 0; i < 2000 && nodes.messages[answer] < count; i++) {
        nodes.holds_at = answer;
        nodes.holds[0] = nodes.holds[1] = false;
        CHECK_OK(nodes_run(&nodes, 25));
    }
    CHECK(nodes.messages[answer] >= count);
    found = find(side, kind);
    CHECK_EQUAL(found.count, 1);
    nodes.holds_at = 0;
    nodes.holds[0] = nodes.holds[1] = false;
    return found.task;
}

static void check_part_of(const struct task *task, uint64_t total)
{
    CHECK_EQUAL(task->total, total);
    CHECK(task->done > 0);
    CHECK(task->done < total);
}

TEST(a_compare_shows_how_far_it_is)
{
    struct task task;

    /* Down the trees, and then stretch by stretch. */
    open_far_behind();
    isolate(false);
    task = look_at(0, TASK_COMPARE, MESSAGE_DESCENDED, 1);
    CHECK_EQUAL(task.done, 0);
    CHECK_EQUAL(task.total, CELLS);
    task = look_at(0, TASK_COMPARE, MESSAGE_DIFFERED, 3);
    check_part_of(&task, CELLS);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(agree());
    nodes_close(&nodes);
    /* All cells, page by page, to a node that has none. */
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, PAGE));
    isolate(true);
    fill(0, CELLS);
    CHECK_OK(nodes_run(&nodes, 20000));
    isolate(false);
    task = look_at(0, TASK_COMPARE, MESSAGE_COMPARED, 5);
    check_part_of(&task, CELLS);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(agree());
    nodes_close(&nodes);
}

TEST(pulls_are_only_cancelled)
{
    CHECK_OK(nodes_open(&nodes));
    CHECK_ERROR(order(TASK_PULL, TASK_CANCEL), NEAP_NOTFOUND);
    CHECK_ERROR(order(TASK_COMPARE, TASK_PAUSE), NEAP_NOTFOUND); /* no such bucket */
    nodes_close(&nodes);
    meet_with_box(&nodes);
    CHECK_ERROR(order(TASK_PULL, TASK_PAUSE), NEAP_REFUSED);
    CHECK_ERROR(order(TASK_PULL, TASK_RESUME), NEAP_REFUSED);
    CHECK_ERROR(order(TASK_PULL, TASK_CANCEL), NEAP_NOTFOUND);
    CHECK_ERROR(order(TASK_BUILD, TASK_CANCEL), NEAP_NOTFOUND);
    nodes_close(&nodes);
}

TEST(a_pull_shows_how_far_it_is)
{
    struct topic *topic;
    struct found found;

    CHECK_OK(nodes_open(&nodes));
    fill(0, 2);
    CHECK_OK(nodes_run(&nodes, 2000));
    isolate(true);
    CHECK_OK(nodes_run(&nodes, 100));
    fill(2, 80);
    topic = nodes.sides[0].gossip->topics[0];
    topic->paused = 1u << TASK_PULL; /* so that it is seen at all */
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 3000));
    found = find(0, TASK_PULL);
    CHECK_EQUAL(found.count, 1);
    CHECK_EQUAL(found.task.done, 0);
    CHECK_EQUAL(found.task.total, 78);
    topic->paused = 0;
    CHECK_OK(topic_queue(nodes.sides[0].gossip, topic));
    CHECK_OK(nodes_run(&nodes, 100));
    CHECK(agree());
    CHECK_EQUAL(find(0, TASK_PULL).count, 0);
    nodes_close(&nodes);
}

/* Who waits for a limit looks again when there is another one. */
TEST(a_limit_is_changed_while_a_compare_is_held)
{
    struct gossip *gossip;

    open_far_behind();
    gossip = nodes.sides[0].gossip;
    CHECK_OK(gossip_limit(gossip, 100));
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 10000));
    CHECK(!agree());
    CHECK(gossip->flow.held > 0);
    CHECK(gossip->topics[0]->pull.held.size > 0);
    CHECK_OK(gossip_limit(gossip, 0));
    CHECK_OK(nodes_run(&nodes, 2000));
    CHECK(agree());
    nodes_close(&nodes);
}

/* ---- repair ---- */

static int scrub(size_t index)
{
    struct side *side = &nodes.sides[index];
    struct shard *shard = box(&nodes, index);
    struct view view = batch_view(side->batch);
    int error = shard->tree->build ? 0 : merkle_build_begin(shard->tree, shard->tree->now.cells);

    while (!error)
        error = shard_tree_step(shard, &view, CELLS);
    gossip_tree_changed(side->gossip, shard->id);
    return error == NEAP_END ? 0 : error;
}

static int lose(size_t index, const char *name)
{
    struct side *side = &nodes.sides[index];
    struct buffer path;
    struct key key;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = path_level(&path, slice_text(name), NEAP_COUNTER);
    if (!error) {
        key_cell(&key, bucket_id("box"), bucket_id("box"), buffer_slice(&path));
        error = batch_delete(side->batch, DISK_CELLS, key_slice(&key));
    }
    buffer_done(&path);
    return error ? error : side_commit(side);
}

static uint64_t healed(void)
{
    return box(&nodes, 0)->counts.healed + box(&nodes, 1)->counts.healed;
}

static void open_damaged(void)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(0, 50);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_OK(lose(0, "n7"));
    CHECK_OK(scrub(0));
}

/* The one with the smaller id begins a repair. */
static size_t beginner(void)
{
    return box(&nodes, 0)->replica < box(&nodes, 1)->replica ? 0 : 1;
}

static int order_at(size_t side, enum task_order what)
{
    return gossip_task_order(nodes.sides[side].gossip, nodes.now, TASK_REPAIR, bucket_id("box"), 0,
                             what);
}

TEST(a_repair_that_is_paused_does_not_begin)
{
    open_damaged();
    CHECK_OK(order_at(beginner(), TASK_PAUSE));
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK_EQUAL(healed(), 0);
    CHECK_EQUAL(find(beginner(), TASK_REPAIR).task.state, TASK_PAUSED);
    CHECK_OK(order_at(beginner(), TASK_RESUME));
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK_EQUAL(healed(), 1);
    CHECK(agree());
    nodes_close(&nodes);
}

TEST(a_repair_shows_how_far_it_is)
{
    struct task task;

    open_damaged();
    for (size_t i = 0; i < 2; i++)
        nodes.sides[i].gossip->options.repair_scan = 1; /* a peer looks at 2 cells a question */
    task = look_at(beginner(), TASK_REPAIR, MESSAGE_REPAIRED, 1);
    check_part_of(&task, box(&nodes, beginner())->tree->now.cells);
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK_EQUAL(healed(), 1);
    nodes_close(&nodes);
}

static int order_each(void *arg, const char *bucket, const char *peer, enum repair_order what)
{
    CHECK_TEXT(bucket, "box");
    CHECK(peer[0]);
    *(enum repair_order *)arg = what;
    return 0;
}

static int wish_at(size_t side, struct repair_wish wish, enum repair_order *ret_order)
{
    wish.shard = wish.shard ? wish.shard : bucket_id("box");
    return gossip_repair(nodes.sides[side].gossip, &wish, order_each, ret_order);
}

static int repair(size_t side, enum repair_order *ret_order)
{
    return wish_at(side, (struct repair_wish){0}, ret_order);
}

static struct pair *pair_at(size_t side)
{
    return nodes.sides[side].gossip->topics[0]->pairs[0];
}

TEST(a_repair_on_order_waits_for_nothing)
{
    enum repair_order what = REPAIR_ORDER_AWAY;
    size_t other;

    open_damaged();
    other = !beginner();
    CHECK_OK(order_at(!other, TASK_PAUSE));
    CHECK_OK(nodes_run(&nodes, 3000)); /* the other one was told of it */
    /* It is not the one that begins, and would wait for long. */
    pair_at(other)->repair_at = nodes.now.mono_ms + 3600000;
    CHECK_EQUAL(healed(), 0);
    CHECK_OK(repair(other, &what));
    CHECK_TEXT(repair_order_word(what), "ordered");
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK_EQUAL(healed(), 1);
    CHECK(agree());
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_OK(repair(other, &what));
    CHECK_TEXT(repair_order_word(what), "same");
    CHECK_ERROR(wish_at(other, (struct repair_wish){.shard = 5}, &what), NEAP_NOTFOUND);
    isolate(true);
    CHECK_OK(repair(other, &what));
    CHECK_TEXT(repair_order_word(what), "away");
    nodes_close(&nodes);
}

TEST(an_order_may_be_taken_back)
{
    enum repair_order what = REPAIR_ORDER_AWAY;

    open_damaged();
    CHECK_OK(order_at(0, TASK_PAUSE));
    CHECK_OK(order_at(1, TASK_PAUSE));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_OK(repair(0, &what));
    CHECK_TEXT(repair_order_word(what), "paused");
    CHECK(pair_at(0)->ordered);
    CHECK_EQUAL(find(0, TASK_REPAIR).task.state, TASK_PAUSED);
    CHECK_OK(order_at(0, TASK_CANCEL));
    CHECK(!pair_at(0)->ordered);
    CHECK_ERROR(order_at(0, TASK_CANCEL), NEAP_NOTFOUND);
    nodes_close(&nodes);
}

TEST(an_order_may_name_a_peer_and_end_a_pause)
{
    struct repair_wish wish = {.resume = true, .peer = "tcp://127.0.0.1:1"};
    enum repair_order what = REPAIR_ORDER_AWAY;
    char node[17];

    open_damaged();
    CHECK_OK(order_at(0, TASK_PAUSE));
    CHECK_OK(order_at(1, TASK_PAUSE));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_ERROR(wish_at(0, wish, &what), NEAP_INVALID);
    CHECK_EQUAL(find(0, TASK_REPAIR).task.state, TASK_PAUSED);
    wish.peer = node;
    snprintf(node, sizeof node, "%016llx",
             (unsigned long long)nodes.sides[0].gossip->peers[0].node);
    CHECK_OK(wish_at(0, wish, &what));
    CHECK_TEXT(repair_order_word(what), "ordered");
    CHECK_EQUAL(find(0, TASK_REPAIR).task.state, TASK_WAITS);
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK_EQUAL(healed(), 1);
    CHECK(!pair_at(0)->ordered);
    CHECK_EQUAL(find(0, TASK_REPAIR).count, 0);
    nodes_close(&nodes);
}

TEST(an_order_that_is_interrupted_begins_again)
{
    enum repair_order what = REPAIR_ORDER_AWAY;
    size_t other;

    open_damaged();
    other = !beginner();
    CHECK_OK(order_at(!other, TASK_PAUSE)); /* that one would begin by itself */
    CHECK_OK(nodes_run(&nodes, 3000));
    nodes.loses[MESSAGE_REPAIR] = 1;
    CHECK_OK(repair(other, &what));
    for (unsigned i = 0; i < 1000 && !find(other, TASK_REPAIR).task.since_ms; i++)
        CHECK_OK(nodes_run(&nodes, 1));
    CHECK_EQUAL(find(other, TASK_REPAIR).task.state, TASK_RUNS);
    isolate(true);
    CHECK_OK(nodes_run(&nodes, 1000));
    CHECK_EQUAL(healed(), 0);
    CHECK_EQUAL(find(other, TASK_REPAIR).task.state, TASK_WAITS);
    isolate(false);
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK_EQUAL(healed(), 1);
    CHECK(!pair_at(other)->ordered);
    nodes_close(&nodes);
}

static size_t repair_bytes(void)
{
    return nodes.bytes[MESSAGE_TREE] + nodes.bytes[MESSAGE_TREED] + nodes.bytes[MESSAGE_REPAIR] +
           nodes.bytes[MESSAGE_REPAIRED] + nodes.bytes[MESSAGE_MEND];
}

enum { LOST = 150, BUDGET = 1000 };

/* Of an order with this budget: how many bytes travelled in 5 seconds. */
static size_t bytes_in_five_seconds(uint64_t budget)
{
    enum repair_order what = REPAIR_ORDER_AWAY;
    char name[16];
    size_t before;

    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, PAGE));
    fill(0, CELLS);
    CHECK_OK(nodes_run(&nodes, 3000));
    for (unsigned i = 0; i < LOST; i++) {
        snprintf(name, sizeof name, "n%u", i);
        CHECK_OK(lose(0, name));
    }
    CHECK_OK(order_at(!0, TASK_PAUSE));
    CHECK_OK(order_at(0, TASK_PAUSE));
    CHECK_OK(scrub(0));
    CHECK_OK(nodes_run(&nodes, 3000));
    before = repair_bytes();
    CHECK_OK(wish_at(0, (struct repair_wish){.resume = true, .bytes_per_s = budget}, &what));
    CHECK_TEXT(repair_order_word(what), "ordered");
    CHECK_OK(nodes_run(&nodes, 5000));
    return repair_bytes() - before;
}

TEST(an_order_keeps_to_its_budget)
{
    size_t all = bytes_in_five_seconds(0), some;

    CHECK_EQUAL(healed(), LOST);
    CHECK(all > 8 * BUDGET);
    nodes_close(&nodes);
    some = bytes_in_five_seconds(BUDGET);
    CHECK(some > 4 * BUDGET && some < 5 * BUDGET + 3 * PAGE);
    CHECK(healed() > 0 && healed() < LOST);
    CHECK_EQUAL(find(0, TASK_REPAIR).task.state, TASK_RUNS);
    CHECK_OK(nodes_run(&nodes, 60000));
    CHECK_EQUAL(healed(), LOST);
    CHECK(agree());
    nodes_close(&nodes);
}

/* ---- asks ---- */

TEST(a_question_may_be_called_off)
{
    struct ask ask = {.kind = ASK_LOOK, .shard = bucket_id("box")};
    struct gossip *gossip;
    struct found found;

    meet_with_box(&nodes);
    gossip = nodes.sides[0].gossip;
    ask.until_ms = nodes.now.mono_ms + 1000;
    CHECK_OK(gossip_ask(gossip, nodes.now, &ask, &nodes.sides[0].outbox));
    found = find(0, TASK_ASK);
    CHECK_EQUAL(found.count, 1);
    CHECK_EQUAL(found.task.number, 1);
    CHECK_EQUAL(found.task.done, 0);
    CHECK_EQUAL(found.task.total, 1);
    CHECK_ERROR(gossip_task_order(gossip, nodes.now, TASK_ASK, 0, 1, TASK_PAUSE), NEAP_REFUSED);
    CHECK_ERROR(gossip_task_order(gossip, nodes.now, TASK_ASK, 0, 2, TASK_CANCEL), NEAP_NOTFOUND);
    CHECK_OK(gossip_task_order(gossip, nodes.now, TASK_ASK, 0, 1, TASK_CANCEL));
    CHECK(gossip_asked(gossip) == &ask);
    CHECK_EQUAL(ask.answers[0].end, ASK_CALLED_OFF);
    ask_done(&ask);
    nodes_close(&nodes);
}

/* ---- memory ---- */

static int pause_with_less_memory(void *arg)
{
    int error = nodes_open_with_trees(&nodes, 6, 6, PAGE);

    (void)arg;
    for (unsigned i = 0; i < 6 && !error; i++)
        error = nodes_write(&nodes, 1, (const char *[]){"a", "b", "c", "d", "e", "f"}[i], 1);
    error = error ? error : nodes_run(&nodes, 1500);
    error = error ? error : lose(0, "a");
    error = error ? error : scrub(0);
    error = error ? error : order_at(0, TASK_PAUSE);
    error = error ? error : nodes_run(&nodes, 3000);
    error = error ? error : order_at(0, TASK_RESUME);
    error = error ? error : nodes_run(&nodes, 3000);
    if (!error)
        CHECK_EQUAL(healed(), 1);
    nodes_close(&nodes);
    return error;
}

TEST(pauses_hold_with_failing_allocations)
{
    test_alloc_sweep(pause_with_less_memory, NULL);
}
