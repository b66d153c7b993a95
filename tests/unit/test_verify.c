/* Two nodes that go on writing compare exactly. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "gossip/task.h"
#include "gossip/verify_state.h"
#include "store/merkle.h"
#include "store/slot.h"
#include "tests/unit/gossip_nodes.h"

enum { STEP = 1000, ASK_FOR_MS = 5000 };

static struct pair_of_nodes nodes;

/* ---- asking ---- */

static int ask_send(struct ask *ask, size_t from)
{
    struct side *side = &nodes.sides[from];
    ask->kind = ASK_VERIFY;
    ask->shard = bucket_id("box");
    ask->until_ms = nodes.now.mono_ms + ASK_FOR_MS;
    int error = gossip_ask(side->gossip, nodes.now, ask, &side->outbox);
    if (!error)
        error = gossip_tick(side->gossip, nodes.now, side->batch, &side->outbox);
    return error ? error : side_commit(side);
}

static int ask_begin(struct ask *ask, size_t from)
{
    *ask = (struct ask){0};
    return ask_send(ask, from);
}

/* Until it has ended. */
static int ask_end(struct ask *ask, size_t from)
{
    struct ask *ended = NULL;
    int error = 0;
    for (unsigned i = 0; i < 2 * ASK_FOR_MS / 25 && !ended && !error; i++) {
        error = nodes_run(&nodes, 25);
        ended = gossip_asked(nodes.sides[from].gossip);
    }
    CHECK(error || ended == ask);
    return error;
}

static int verify(struct ask *ask, size_t from)
{
    int error = ask_begin(ask, from);
    return error ? error : ask_end(ask, from);
}

static const struct verify_result *result_of(const struct ask *ask)
{
    CHECK_EQUAL(ask->count, 1);
    CHECK(ask->answers[0].verified);
    return ask->answers[0].verified;
}

static enum verify_verdict verdict(size_t from)
{
    struct ask ask;
    CHECK_OK(verify(&ask, from));
    enum verify_verdict verdict = result_of(&ask)->verdict;
    ask_done(&ask);
    return verdict;
}

/* ---- cells ---- */

static int key_make(const char *name, struct key *ret_key)
{
    struct buffer path;
    buffer_init(&path, NEAP_PATH_MAX);
    int error = path_level(&path, slice_text(name), NEAP_COUNTER);
    if (!error)
        key_cell(ret_key, bucket_id("box"), bucket_id("box"), buffer_slice(&path));
    buffer_done(&path);
    return error;
}

static void key_of(const char *name, struct key *ret_key)
{
    CHECK_OK(key_make(name, ret_key));
}

/* What a scrub does: the tree is of what is stored. */
static int scrub(size_t index)
{
    struct side *side = &nodes.sides[index];
    struct shard *shard = box(&nodes, index);
    struct view view = batch_view(side->batch);
    int error = shard->tree->build ? 0 : merkle_build_begin(shard->tree, shard->tree->now.cells);
    while (!error)
        error = shard_tree_step(shard, &view, STEP);
    return error == NEAP_END ? 0 : error;
}

static int lose(size_t index, const char *name)
{
    struct side *side = &nodes.sides[index];
    struct key key;
    int error = key_make(name, &key);
    error = error ? error : batch_delete(side->batch, DISK_CELLS, key_slice(&key));
    error = error ? error : side_commit(side);
    return error ? error : scrub(index);
}

/* The cell of `name` gets the bytes of another. */
static void spoil(size_t index, const char *name, const char *other)
{
    struct side *side = &nodes.sides[index];
    struct view view = batch_view(side->batch);
    struct buffer bytes;
    struct key key;
    buffer_init(&bytes, STORED_SIZE_MAX);
    key_of(other, &key);
    CHECK_OK(view_get(&view, DISK_CELLS, key_slice(&key), &bytes));
    key_of(name, &key);
    CHECK_OK(batch_put(side->batch, DISK_CELLS, key_slice(&key), buffer_slice(&bytes)));
    CHECK_OK(side_commit(side));
    CHECK_OK(scrub(index));
    buffer_done(&bytes);
}

static void fill(unsigned bits, unsigned bits_other, size_t cells)
{
    char name[16];
    CHECK_OK(nodes_open_with_trees(&nodes, bits, bits_other, 0));
    for (size_t i = 0; i < cells; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        CHECK_OK(nodes_write(&nodes, i % 2, name, 1));
    }
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
}

static bool key_is(const struct verify_result *result, size_t at, enum verify_fate fate,
                   const char *name)
{
    const struct verify_key *found = &result->keys[at];
    struct key key;
    CHECK(at < result->keys_count);
    key_of(name, &key);
    return found->fate == fate && slice_equal(slice_of(result->paths.data + found->at, found->size),
                                              slice_of(key.bytes + 8, key.size - 8));
}

/* ---- equal ---- */

TEST(replicas_at_rest_are_equal_as_of_what_both_have)
{
    struct ask ask;
    fill(10, 10, 20);
    CHECK_OK(verify(&ask, 0));
    const struct verify_result *result = result_of(&ask);
    CHECK_EQUAL(result->verdict, VERIFY_EQUAL);
    CHECK_EQUAL(result->under_way, 0);
    CHECK(context_equal(&result->context, &box(&nodes, 0)->context));
    CHECK_EQUAL(result->asked_ms, nodes.now.wall_ms);
    CHECK_EQUAL(nodes.messages[MESSAGE_VERIFY], 1);
    CHECK(nodes.bytes[MESSAGE_VERIFIED] < 3000);
    ask_done(&ask);
    CHECK_EQUAL(verdict(1), VERIFY_EQUAL);
    nodes_close(&nodes);
}

/* A question is under way; both write behind it, also what the other has just written. */
TEST(who_goes_on_writing_is_equal_but_for_what_is_under_way)
{
    struct rng rng;
    char name[16];
    uint64_t seed = test_number("NEAP_SEED", 1);
    size_t under_way = 0;
    rng_init(&rng, seed);
    fill(10, 4, 30);
    for (unsigned round = 0; round < 150; round++) {
        struct ask ask;
        size_t from = rng_below(&rng, 2);
        for (unsigned i = 0; i < 12; i++) {
            size_t side = rng_below(&rng, 2);
            uint64_t key = rng_below(&rng, 40);
            if (i == 6)
                CHECK_OK(ask_begin(&ask, from));
            snprintf(name, sizeof name, "n%u", (unsigned)key);
            CHECK_OK(nodes_write(&nodes, side, name, 1));
        }
        CHECK_OK(ask_end(&ask, from));
        CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
        under_way += result_of(&ask)->under_way;
        ask_done(&ask);
    }
    CHECK(under_way > 300);
    nodes_close(&nodes);
}

TEST(what_is_written_over_and_undone_does_not_matter)
{
    struct side *side = &nodes.sides[0];
    struct op op = {.kind = OP_COUNTER_ADD, .number = 5};
    struct buffer path;
    struct dot dot;
    struct ask ask;
    fill(10, 10, 10);
    CHECK_OK(ask_begin(&ask, 0));
    batch_mark mark = batch_set_mark(side->batch);
    struct shard_mark shard_mark = shard_set_mark(box(&nodes, 0));
    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text("n3"), NEAP_COUNTER));
    CHECK_OK(
        shard_write(box(&nodes, 0), side->batch, bucket_id("box"), buffer_slice(&path), &op, &dot));
    batch_rollback(side->batch, mark);
    shard_rollback(box(&nodes, 0), shard_mark);
    CHECK_OK(nodes_write(&nodes, 1, "n3", 1));
    CHECK_OK(ask_end(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
    CHECK_EQUAL(result_of(&ask)->under_way, 1);
    ask_done(&ask);
    buffer_done(&path);
    nodes_close(&nodes);
}

static uint64_t cells_read(size_t side)
{
    return nodes.sides[side].gossip->counts[REASON_verify_cells];
}

TEST(no_cell_is_read_but_what_is_under_way)
{
    struct ask ask;
    fill(10, 4, 60);
    CHECK_OK(verify(&ask, 0));
    ask_done(&ask);
    CHECK_EQUAL(cells_read(0), 0);
    CHECK_EQUAL(cells_read(1), 0);
    CHECK_OK(ask_begin(&ask, 0));
    for (unsigned i = 1; i < 14; i += 2) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        CHECK_OK(nodes_write(&nodes, 1, name, 1));
    }
    CHECK_OK(ask_end(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
    CHECK_EQUAL(result_of(&ask)->under_way, 7);
    CHECK_EQUAL(cells_read(0), 7);
    CHECK_EQUAL(cells_read(1), 7);
    ask_done(&ask);
    CHECK_OK(lose(1, "n3")); /* what differs is looked for among all */
    CHECK_EQUAL(verdict(0), VERIFY_DIFFERS);
    CHECK(cells_read(0) >= 7 + 60 && cells_read(1) >= 7 + 59);
    nodes_close(&nodes);
}

/* ---- different ---- */

TEST(a_lost_cell_is_named_from_both_sides)
{
    struct ask ask;
    fill(10, 10, 20);
    CHECK_OK(lose(0, "n3"));
    spoil(1, "n5", "n7");
    CHECK_OK(verify(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_DIFFERS);
    CHECK_EQUAL(result_of(&ask)->keys_count, 2);
    CHECK(!result_of(&ask)->keys_more);
    CHECK(key_is(result_of(&ask), 0, VERIFY_NOT_HERE, "n3"));
    CHECK(key_is(result_of(&ask), 1, VERIFY_NOT_THE_SAME, "n5"));
    ask_done(&ask);
    CHECK_OK(verify(&ask, 1));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_DIFFERS);
    CHECK_EQUAL(result_of(&ask)->keys_count, 2);
    CHECK(key_is(result_of(&ask), 0, VERIFY_NOT_THERE, "n3"));
    ask_done(&ask);
    nodes_close(&nodes);
}

TEST(what_is_lost_is_found_although_both_write)
{
    struct ask ask;
    fill(10, 10, 20);
    CHECK_OK(lose(1, "n3"));
    CHECK_OK(nodes_write(&nodes, 0, "n4", 1));
    CHECK_OK(nodes_write(&nodes, 1, "n6", 1));
    CHECK_OK(ask_begin(&ask, 0));
    CHECK_OK(nodes_write(&nodes, 0, "n8", 1));
    CHECK_OK(nodes_write(&nodes, 1, "n10", 1));
    CHECK_OK(ask_end(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_DIFFERS);
    CHECK(result_of(&ask)->under_way >= 2);
    CHECK_EQUAL(result_of(&ask)->keys_count, 1);
    CHECK(key_is(result_of(&ask), 0, VERIFY_NOT_THERE, "n3"));
    ask_done(&ask);
    nodes_close(&nodes);
}

static void finds_many(unsigned bits, unsigned bits_other)
{
    struct ask ask;
    char name[16];
    fill(bits, bits_other, 6200);
    CHECK_OK(scrub(0));
    CHECK_OK(scrub(1));
    for (unsigned i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "n%u", 200 * i);
        CHECK_OK(lose(i % 2, name));
    }
    CHECK_OK(verify(&ask, 1));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_DIFFERS);
    CHECK_EQUAL(result_of(&ask)->keys_count, 30);
    CHECK(!result_of(&ask)->keys_more);
    ask_done(&ask);
    nodes_close(&nodes);
}

TEST(many_that_are_lost_are_all_named)
{
    finds_many(10, 10);
    CHECK(nodes.messages[MESSAGE_VERIFY] >= 3); /* the root, the tree, the cells */
    finds_many(10, 6);
    finds_many(6, 10);
}

TEST(of_very_many_the_first_are_named)
{
    struct ask ask;
    char name[16];
    struct key key;
    fill(10, 10, 600);
    for (unsigned i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "n%u", i);
        key_of(name, &key);
        CHECK_OK(batch_delete(nodes.sides[0].batch, DISK_CELLS, key_slice(&key)));
    }
    CHECK_OK(side_commit(&nodes.sides[0]));
    CHECK_OK(scrub(0));
    CHECK_OK(verify(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_DIFFERS);
    CHECK_EQUAL(result_of(&ask)->keys_count, VERIFY_KEYS_MAX);
    CHECK(result_of(&ask)->keys_more);
    ask_done(&ask);
    nodes_close(&nodes);
}

/* ---- all that differs ---- */

static int differing(struct ask *ask, size_t from, struct slice start, size_t keys_max)
{
    *ask = (struct ask){.all = true, .from = start, .keys_max = keys_max};
    int error = ask_send(ask, from);
    return error ? error : ask_end(ask, from);
}

TEST(of_all_that_differs_what_is_under_way_is_a_part)
{
    struct ask ask;
    fill(10, 10, 20);
    CHECK_OK(lose(0, "n7"));
    CHECK_OK(differing(&ask, 0, slice_of(NULL, 0), 0));
    CHECK_EQUAL(result_of(&ask)->keys_count, 1);
    ask_done(&ask);
    nodes.loses[MESSAGE_PUSH] = nodes.messages[MESSAGE_PUSH] + 1;
    CHECK_OK(nodes_write(&nodes, 1, "n3", 1));
    CHECK_OK(differing(&ask, 0, slice_of(NULL, 0), 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_DIFFERS);
    CHECK_EQUAL(result_of(&ask)->keys_count, 2);
    CHECK(!result_of(&ask)->keys_more && result_of(&ask)->end.size == 0);
    CHECK(key_is(result_of(&ask), 0, VERIFY_NOT_THE_SAME, "n3"));
    CHECK(key_is(result_of(&ask), 1, VERIFY_NOT_HERE, "n7"));
    ask_done(&ask);
    nodes_close(&nodes);
}

/* Nodes below which cells differ are more than are looked into at once: none is left out. */
TEST(all_that_differs_is_named_page_by_page)
{
    static char last[NEAP_PATH_MAX];
    struct ask ask = {0};
    struct buffer from;
    struct key key;
    size_t found = 0, pages = 0;
    char name[16];
    buffer_init(&from, KEY_CURSOR_MAX);
    fill(10, 10, 6500);
    for (size_t side = 0; side < 2; side++) {
        CHECK_OK(scrub(side));
        topic_find(nodes.sides[side].gossip, bucket_id("box"))->paused |= 1u << TASK_REPAIR;
    }
    for (unsigned i = 0; i < 900; i++) {
        snprintf(name, sizeof name, "n%u", 6 * i);
        key_of(name, &key);
        CHECK_OK(batch_delete(nodes.sides[i % 2].batch, DISK_CELLS, key_slice(&key)));
    }
    for (size_t side = 0; side < 2; side++) {
        CHECK_OK(side_commit(&nodes.sides[side]));
        CHECK_OK(scrub(side));
    }
    memset(last, 0, sizeof last);
    do {
        CHECK_OK(differing(&ask, 0, buffer_slice(&from), 250));
        const struct verify_result *result = result_of(&ask);
        CHECK_EQUAL(result->verdict, VERIFY_DIFFERS);
        CHECK(result->keys_count > 0 && result->keys_count <= 250);
        for (size_t i = 0; i < result->keys_count; i++) {
            struct slice path =
                slice_of(result->paths.data + result->keys[i].at, result->keys[i].size);
            CHECK(memcmp(last, path.data, path.size) < 0);
            memcpy(last, path.data, path.size);
        }
        found += result->keys_count;
        CHECK(result->keys_more == (result->end.size > 0));
        CHECK_OK(buffer_set(&from, buffer_slice(&result->end)));
        ask_done(&ask);
    } while (from.size > 0 && ++pages < 10);
    CHECK_EQUAL(found, 900);
    CHECK_EQUAL(pages, 3);
    buffer_done(&from);
    nodes_close(&nodes);
}

/* What is told of a moment is of that moment: there is no waiting for a quiet one. */
TEST(what_differs_is_told_while_both_write)
{
    struct rng rng;
    char name[16];
    rng_init(&rng, test_number("NEAP_SEED", 1));
    fill(10, 4, 30);
    for (unsigned round = 0; round < 60; round++) {
        struct ask ask = {.all = true};
        size_t from = rng_below(&rng, 2);
        for (unsigned i = 0; i < 12; i++) {
            size_t side = rng_below(&rng, 2);
            uint64_t key = rng_below(&rng, 40);
            if (i == 6)
                CHECK_OK(ask_send(&ask, from));
            snprintf(name, sizeof name, "n%u", (unsigned)key);
            CHECK_OK(nodes_write(&nodes, side, name, 1));
        }
        CHECK_OK(ask_end(&ask, from));
        CHECK_EQUAL(ask.answers[0].end, ASK_TOLD);
        CHECK(result_of(&ask)->verdict != VERIFY_UNKNOWN);
        CHECK(result_of(&ask)->keys_count <= 40);
        ask_done(&ask);
    }
    nodes_close(&nodes);
}

/* ---- not comparable ---- */

TEST(without_a_tree_there_is_no_verdict_and_the_reason_is_told)
{
    struct ask ask;
    fill(10, 10, 5);
    for (size_t side = 0; side < 2; side++) {
        box(&nodes, side)->tree->ready = false;
        CHECK_OK(verify(&ask, 0));
        CHECK_EQUAL(ask.answers[0].end, ASK_SILENT);
        CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_UNKNOWN);
        CHECK_EQUAL(result_of(&ask)->why, VERIFY_WHY_BUILDS);
        CHECK_EQUAL(result_of(&ask)->there, side == 1);
        ask_done(&ask);
        box(&nodes, side)->tree->ready = true;
    }
    CHECK_EQUAL(verdict(0), VERIFY_EQUAL);
    nodes_close(&nodes);
}

TEST(a_bucket_that_is_not_there_yet_can_not_be_compared)
{
    struct ask ask;
    fill(10, 10, 5);
    struct side *side = &nodes.sides[0];
    ask = (struct ask){
        .kind = ASK_VERIFY, .shard = bucket_id("no such"), .until_ms = nodes.now.mono_ms + 200};
    CHECK_OK(gossip_ask(side->gossip, nodes.now, &ask, &side->outbox));
    CHECK_OK(ask_end(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->why, VERIFY_WHY_NOT_MET);
    ask_done(&ask);
    nodes_close(&nodes);
}

/* The log is cut early: what the other lacks is known to nobody. */
TEST(who_is_behind_the_log_can_not_be_compared_before_it_has_caught_up)
{
    struct context early = {0};
    struct verify_paths paths;
    fill(10, 10, 5);
    CHECK_OK(context_copy(&early, &box(&nodes, 0)->context));
    for (unsigned i = 0; i < 8; i++)
        CHECK_OK(nodes_write(&nodes, 0, "n1", 1));
    CHECK_OK(nodes_run(&nodes, 3000));
    struct view view = batch_view(nodes.sides[0].batch);
    verify_paths_init(&paths);
    CHECK_ERROR(verify_beyond(box(&nodes, 0), &view, &early, &paths), NEAP_STALE);
    CHECK_OK(verify_beyond(box(&nodes, 0), &view, &box(&nodes, 0)->context, &paths));
    CHECK_EQUAL(paths.count, 0);
    verify_paths_done(&paths);
    context_done(&early);
    nodes_close(&nodes);
}

TEST(what_the_other_had_seen_is_asked_for_when_too_much_is_under_way)
{
    struct ask ask;
    char name[24];
    fill(10, 10, 5);
    nodes.sides[0].gossip->options.log_max = nodes.sides[1].gossip->options.log_max = 100000;
    for (unsigned i = 0; i < VERIFY_PATHS_MAX + 20; i++) {
        snprintf(name, sizeof name, "many%u", i);
        CHECK_OK(nodes_write(&nodes, 0, name, 1));
    }
    box_pair(&nodes)->behind = true; /* whatever was pushed, it may not have been taken */
    CHECK_OK(verify(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
    CHECK_EQUAL(result_of(&ask)->under_way, 0);
    CHECK_EQUAL(nodes.messages[MESSAGE_VERIFY], 2);
    ask_done(&ask);
    nodes_close(&nodes);
}

/* Which events were taken is not known before a digest says so, or the answer. */
TEST(what_turns_out_to_be_there_is_not_left_out)
{
    struct ask ask;
    fill(10, 10, 5);
    for (unsigned behind = 0; behind < 2; behind++) {
        CHECK_OK(nodes_write(&nodes, 0, "n1", 1));
        box_pair(&nodes)->behind = behind == 1;
        memset(nodes.messages, 0, sizeof nodes.messages);
        CHECK_OK(verify(&ask, 0));
        CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
        CHECK_EQUAL(result_of(&ask)->under_way, 0);
        CHECK_EQUAL(nodes.messages[MESSAGE_VERIFY], 1 + behind);
        ask_done(&ask);
    }
    nodes_close(&nodes);
}

TEST(more_changes_than_can_be_watched_void_an_attempt)
{
    struct ask ask;
    fill(10, 10, 5);
    CHECK_OK(ask_begin(&ask, 0));
    struct merkle *tree = box(&nodes, 0)->tree;
    CHECK(tree->watch);
    tree->watch->lost = true;
    CHECK_OK(ask_end(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
    CHECK_EQUAL(result_of(&ask)->why, VERIFY_WHY_CHANGING);
    CHECK_EQUAL(nodes.messages[MESSAGE_VERIFY], 2);
    CHECK(!tree->watch);
    ask_done(&ask);
    nodes_close(&nodes);
}

/* Too much was on the way there. */
TEST(a_question_that_found_no_room_is_asked_again)
{
    struct ask ask;
    fill(10, 10, 5);
    CHECK_OK(ask_begin(&ask, 0));
    gossip_send_failed(nodes.sides[0].gossip, ask.answers[0].link, NEAP_BUSY);
    outbox_clear(&nodes.sides[0].outbox);
    CHECK(gossip_deadline(nodes.sides[0].gossip) <= nodes.now.mono_ms + VERIFY_AGAIN_MS);
    CHECK_OK(ask_end(&ask, 0));
    CHECK_EQUAL(result_of(&ask)->verdict, VERIFY_EQUAL);
    CHECK_EQUAL(result_of(&ask)->why, VERIFY_WHY_NO_ANSWER);
    ask_done(&ask);
    nodes_close(&nodes);
}

TEST(an_ask_that_ends_early_leaves_nothing_behind)
{
    struct ask ask;
    fill(10, 10, 5);
    CHECK_OK(ask_begin(&ask, 0));
    gossip_asks_end(nodes.sides[0].gossip, NEAP_UNAVAILABLE);
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    ask_done(&ask);
    CHECK(!nodes.sides[0].gossip->verifies);
    CHECK(!box(&nodes, 0)->tree->watch);
    nodes_close(&nodes);
}

/* ---- trouble ---- */

static void costs_the_link(enum message_kind kind, const char *bytes, size_t size)
{
    struct message message;
    struct buffer encoded;
    struct ask ask;
    fill(6, 6, 2);
    CHECK_OK(ask_begin(&ask, 0));
    message_init(&message);
    message.kind = kind;
    message.shard = bucket_id("box");
    message.session = nodes.sides[0].gossip->verifies->session;
    message.bytes = slice_of(bytes, size);
    CHECK_OK(context_copy(&message.since, &box(&nodes, 0)->context));
    buffer_init(&encoded, 1 << 16);
    CHECK_OK(message_encode(&message, &encoded));
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&encoded)));
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_bad_verify], 1);
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    ask_done(&ask);
    message_done(&message);
    buffer_done(&encoded);
    nodes_close(&nodes);
}

TEST(what_is_no_question_or_answer_costs_the_link)
{
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {{"", 0},
                 {"x", 1},
                 {"\x97\x01\x00\x00\x91\x01\x08\xc4\x00\x90", 10},          /* node 1 of 0 bits */
                 {"\x97\x01\x00\x40\x90\x00\xc4\x00\x90", 9},               /* 64 bits */
                 {"\x97\x01\x00\x00\x91\x00\x14\xc4\x00\x90", 10},          /* 2^20 sums */
                 {"\x97\x01\x02\x00\x91\x00\x08\xc4\x00\x90", 10},          /* neither of all */
                 {"\x96\x00\x00\xc4\x01x\xc4\x00\xc4\x00\x90", 11},         /* part of a sum */
                 {"\x96\x00\x15\xc4\x00\xc4\x00\xc4\x00\x90", 10},          /* too deep */
                 {"\x96\x00\x00\xc4\x00\xc4\x00\xc4\x00\x91\xc4\x01x", 13}, /* a short path */
                 {"\x96\x70\x00\xc4\x00\xc4\x00\xc4\x00\x90", 10}};         /* no such reason */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        costs_the_link(MESSAGE_VERIFY, wrong[i].bytes, wrong[i].size);
        costs_the_link(MESSAGE_VERIFIED, wrong[i].bytes, wrong[i].size);
    }
}

static int find_with_less_memory(void *arg)
{
    struct ask ask = {0};
    int error = nodes_open_with_trees(&nodes, 6, 6, 0);
    (void)arg;
    for (unsigned i = 0; i < 4 && !error; i++)
        error = nodes_write(&nodes, i % 2, (const char *[]){"a", "b", "c", "d"}[i], 1);
    error = error ? error : nodes_run(&nodes, 1500);
    error = error ? error : lose(0, "a");
    error = error ? error : ask_begin(&ask, 0);
    if (!error)
        error = nodes_run(&nodes, 100);
    if (!error) {
        CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
        CHECK_EQUAL(result_of(&ask)->keys_count, 1);
    }
    nodes_close(&nodes);
    ask_done(&ask);
    return error;
}

TEST(a_verdict_holds_with_failing_allocations)
{
    test_alloc_sweep(find_with_less_memory, NULL);
}
