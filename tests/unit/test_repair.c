/* Repair of damage between two nodes with equal contexts. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "gossip/state.h"
#include "gossip/task.h"
#include "store/chunk.h"
#include "store/merkle.h"
#include "store/slot.h"
#include "tests/unit/gossip_nodes.h"

enum { CELLS = 600, STEP = 1000 };

static struct pair_of_nodes nodes;

/* ---- damage ---- */

/* What a scrub does: the tree is of what is stored. */
static int scrub(size_t index)
{
    struct side *side = &nodes.sides[index];
    struct shard *shard = box(&nodes, index);
    struct view view = batch_view(side->batch);
    int error = shard->tree->build ? 0 : merkle_build_begin(shard->tree, shard->tree->now.cells);
    while (!error)
        error = shard_tree_step(shard, &view, STEP);
    gossip_tree_changed(side->gossip, shard->id);
    return error == NEAP_END ? 0 : error;
}

static int lose(size_t index, const char *name)
{
    struct side *side = &nodes.sides[index];
    struct buffer path;
    struct key key;
    buffer_init(&path, NEAP_PATH_MAX);
    int error = path_level(&path, slice_text(name), NEAP_COUNTER);
    if (!error) {
        key_cell(&key, bucket_id("box"), bucket_id("box"), buffer_slice(&path));
        error = batch_delete(side->batch, DISK_CELLS, key_slice(&key));
    }
    buffer_done(&path);
    return error ? error : side_commit(side);
}

static void fill(size_t cells)
{
    char name[16];
    for (size_t i = 0; i < cells; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        CHECK_OK(nodes_write(&nodes, i % 2, name, 1));
    }
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    memset(nodes.messages, 0, sizeof nodes.messages);
    memset(nodes.bytes, 0, sizeof nodes.bytes);
}

/* Every so manyth cell from the first on. */
static void lose_some(size_t index, size_t cells, size_t first, size_t each)
{
    char name[16];
    for (size_t i = first; i < cells; i += each) {
        snprintf(name, sizeof name, "n%zu", i);
        CHECK_OK(lose(index, name));
    }
    CHECK_OK(scrub(index));
}

static bool agree(void)
{
    static const struct hash_key key = {{1}};
    struct shard_summary a, b;
    struct view view = batch_view(nodes.sides[0].batch), other = batch_view(nodes.sides[1].batch);
    CHECK_OK(shard_summary(&view, box(&nodes, 0), &key, &a));
    CHECK_OK(shard_summary(&other, box(&nodes, 1), &key, &b));
    return digest_equal(a.digest, b.digest) &&
           digest_equal(merkle_root(box(&nodes, 0)->tree), merkle_root(box(&nodes, 1)->tree));
}

static uint64_t counted(enum reason reason)
{
    return nodes.sides[0].gossip->counts[reason] + nodes.sides[1].gossip->counts[reason];
}

static void heals(unsigned bits, unsigned bits_other, size_t chunk_size)
{
    struct context before = {0};
    CHECK_OK(nodes_open_with_trees(&nodes, bits, bits_other, chunk_size));
    fill(CELLS);
    CHECK_OK(context_copy(&before, &box(&nodes, 0)->context));
    lose_some(0, CELLS, 0, 20);
    lose_some(1, CELLS, 7, 30);
    CHECK(!agree());
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.healed, 30);
    CHECK_EQUAL(box(&nodes, 1)->counts.healed, 20);
    CHECK(context_equal(&before, &box(&nodes, 0)->context));
    CHECK(context_equal(&before, &box(&nodes, 1)->context));
    CHECK_EQUAL(counted(REASON_repairs), 1);
    CHECK_EQUAL(counted(REASON_nothing_lost), 0);
    CHECK(strstr(gossip_healed(nodes.sides[0].gossip), "was lost here"));
    context_done(&before);
}

TEST(cells_that_both_have_lost_come_back_in_one_session)
{
    heals(10, 10, 0);
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 1);
    nodes_close(&nodes);
}

TEST(trees_of_different_size_find_the_same)
{
    heals(4, 10, 0);
    nodes_close(&nodes);
    heals(10, 4, 0);
    nodes_close(&nodes);
}

TEST(what_is_too_much_for_one_message_comes_in_several)
{
    heals(10, 10, 300);
    CHECK(nodes.messages[MESSAGE_REPAIR] > 3);
    CHECK(nodes.messages[MESSAGE_MEND] > 3);
    nodes_close(&nodes);
}

TEST(nothing_is_said_while_nothing_is_lost)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(50);
    CHECK_OK(scrub(0));
    CHECK_OK(nodes_run(&nodes, 20000));
    CHECK(agree());
    CHECK_EQUAL(nodes.messages[MESSAGE_TREE], 0);
    CHECK_EQUAL(nodes.messages[MESSAGE_MEND], 0);
    nodes_close(&nodes);
}

/* What is asked and answered does not grow with what is there, and no cell goes to who has it. */
TEST(one_lost_cell_costs_little)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(CELLS);
    CHECK_OK(lose(0, "n3"));
    CHECK_OK(scrub(0));
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK(agree());
    size_t bytes = 0;
    for (unsigned kind = MESSAGE_TREE; kind <= MESSAGE_MEND; kind++)
        bytes += nodes.bytes[kind];
    CHECK(bytes < 2500);
    nodes_close(&nodes);
}

/* ---- several questions at once ---- */

/* So many cells a stretch. */
static void open_in_stretches(size_t cells, size_t chunk_size)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, chunk_size));
    for (size_t i = 0; i < 2; i++)
        nodes.sides[i].gossip->options.repair_scan = cells;
    fill(CELLS);
    lose_some(0, CELLS, 0, 20);
    lose_some(1, CELLS, 7, 30);
}

/* Up to where so many questions were asked and no answer has come. */
static void run_to_questions(unsigned count)
{
    nodes.holds_at = MESSAGE_REPAIR;
    for (unsigned i = 0; i < 200 && nodes.messages[MESSAGE_REPAIR] < count; i++)
        CHECK_OK(nodes_run(&nodes, 25));
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], count);
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIRED], 0);
}

static void answers_come(void)
{
    nodes.holds_at = 0;
    memset(nodes.holds, 0, sizeof nodes.holds);
}

static void check_healed(void)
{
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.healed, 30);
    CHECK_EQUAL(box(&nodes, 1)->counts.healed, 20);
    CHECK_EQUAL(counted(REASON_nothing_lost), 0);
}

TEST(stretches_are_asked_for_before_others_are_answered)
{
    open_in_stretches(60, 0);
    run_to_questions(10);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 1000));
    check_healed();
    CHECK_EQUAL(counted(REASON_repairs), 1);
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 10);
    nodes_close(&nodes);
}

TEST(no_more_questions_than_that_are_under_way)
{
    open_in_stretches(8, 0); /* there are 75 */
    run_to_questions(16);
    CHECK_OK(nodes_run(&nodes, 2000));
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 16);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 4000));
    check_healed();
    CHECK_EQUAL(counted(REASON_repairs), 1);
    CHECK_EQUAL(counted(REASON_no_answer), 0);
    nodes_close(&nodes);
}

TEST(an_answer_lost_among_others_is_asked_for_again)
{
    for (unsigned lost = 1; lost <= 8; lost++) {
        open_in_stretches(60, 0);
        run_to_questions(10);
        answers_come();
        nodes.loses[MESSAGE_REPAIRED] = lost;
        CHECK_OK(nodes_run(&nodes, 1000));
        check_healed();
        CHECK_EQUAL(counted(REASON_repairs), 1);
        CHECK_EQUAL(nodes.loses[MESSAGE_REPAIRED], 0);
        CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 11);
        nodes_close(&nodes);
    }
}

/* Nothing comes after it, so only time tells. */
TEST(the_last_answer_being_lost_costs_a_session)
{
    open_in_stretches(60, 0);
    run_to_questions(10);
    answers_come();
    nodes.loses[MESSAGE_REPAIRED] = 10;
    CHECK_OK(nodes_run(&nodes, 1000));
    CHECK_EQUAL(nodes.loses[MESSAGE_REPAIRED], 0);
    CHECK(!agree());
    CHECK_OK(nodes_run(&nodes, 12000));
    check_healed();
    CHECK_EQUAL(counted(REASON_no_answer), 1);
    nodes_close(&nodes);
}

TEST(sums_that_are_lost_end_a_session)
{
    open_in_stretches(60, 0);
    nodes.loses[MESSAGE_TREED] = 1;
    CHECK_OK(nodes_run(&nodes, 12000));
    CHECK_EQUAL(nodes.loses[MESSAGE_TREED], 0);
    check_healed();
    nodes_close(&nodes);
}

TEST(a_write_between_questions_and_answers_ends_a_session)
{
    for (size_t writer = 0; writer < 2; writer++) {
        open_in_stretches(60, 0);
        run_to_questions(6);
        CHECK_OK(nodes_write(&nodes, writer, "other", 1));
        answers_come();
        CHECK_OK(nodes_run(&nodes, 25));
        CHECK_EQUAL(counted(REASON_repairs), 0);
        CHECK_OK(nodes_run(&nodes, 12000));
        check_healed();
        CHECK_EQUAL(counted(REASON_no_answer), 0);
        nodes_close(&nodes);
    }
}

TEST(a_pause_among_questions_ends_a_session)
{
    open_in_stretches(60, 0);
    run_to_questions(4);
    size_t asks = box(&nodes, 0)->replica < box(&nodes, 1)->replica ? 0 : 1;
    CHECK_OK(gossip_task_order(nodes.sides[asks].gossip, nodes.now, TASK_REPAIR, bucket_id("box"),
                               0, TASK_PAUSE));
    CHECK_OK(nodes_run(&nodes, 500));
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 4);
    answers_come();
    CHECK_OK(nodes_run(&nodes, 20000));
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 4);
    CHECK(!agree());
    CHECK_OK(gossip_task_order(nodes.sides[asks].gossip, nodes.now, TASK_REPAIR, bucket_id("box"),
                               0, TASK_RESUME));
    CHECK_OK(nodes_run(&nodes, 3000));
    check_healed();
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], 14); /* and another one has them all */
    nodes_close(&nodes);
}

/* Half of the cells are lost, and an answer has room for a few of them. */
TEST(large_answers_make_questions_smaller)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 4, 4, 600));
    fill(CELLS);
    size_t asks = box(&nodes, 0)->replica < box(&nodes, 1)->replica ? 0 : 1;
    lose_some(asks, CELLS, 0, 2);
    CHECK_OK(nodes_run(&nodes, 12000));
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, asks)->counts.healed, CELLS / 2);
    size_t each = nodes.bytes[MESSAGE_REPAIR] / nodes.messages[MESSAGE_REPAIR];
    CHECK(each < 500);
    nodes_close(&nodes);
}

/* ---- what is known of events that were lost ---- */

/* A replica that is lost since had removed the cell; this node heard of it by that cell alone. */
static void removed_by(uint64_t lost, size_t index, const char *name)
{
    struct side *side = &nodes.sides[index];
    struct shard *shard = box(&nodes, index);
    struct chunk_cell cell = {.bucket = shard->id,
                              .bytes = slice_of((const uint8_t[]){0x90}, 1),
                              .residue = CHUNK_SETTLED};
    struct chunk chunk = {.kind = CHUNK_CELL, .shard = shard->id, .cells = &cell, .cells_count = 1};
    struct buffer path, bytes;
    enum taken taken;
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1 << 16);
    CHECK_OK(path_level(&path, slice_text(name), NEAP_COUNTER));
    cell.path = buffer_slice(&path);
    CHECK_OK(context_copy(&chunk.context, &shard->context));
    CHECK_OK(context_raise(&chunk.context, lost, 1, 5));
    CHECK_OK(chunk_encode(&chunk, &bytes));
    CHECK_OK(shard_take_cell(shard, side->batch, buffer_slice(&bytes), &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_OK(side_commit(side));
    gossip_tree_changed(side->gossip, shard->id);
    context_done(&chunk.context);
    buffer_done(&path);
    buffer_done(&bytes);
}

static bool is_gone(size_t index, const char *name)
{
    struct view view = batch_view(nodes.sides[index].batch);
    struct buffer path, bytes;
    struct cell cell;
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1 << 16);
    cell_init(&cell);
    CHECK_OK(path_level(&path, slice_text(name), NEAP_COUNTER));
    CHECK_OK(
        cell_read(&view, bucket_id("box"), bucket_id("box"), buffer_slice(&path), &bytes, &cell));
    bool gone = cell.count == 0;
    cell_done(&cell);
    buffer_done(&path);
    buffer_done(&bytes);
    return gone;
}

TEST(what_is_known_of_lost_events_comes_to_all)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(CELLS);
    removed_by(77, 0, "n3");
    removed_by(78, 1, "n4");
    removed_by(79, 0, "n5");
    removed_by(80, 1, "n5");
    CHECK_OK(nodes_run(&nodes, 9000));
    CHECK(agree());
    for (size_t index = 0; index < 2; index++) {
        CHECK(is_gone(index, "n3") && is_gone(index, "n4") && is_gone(index, "n5"));
        CHECK_EQUAL(box(&nodes, index)->counts.healed, 0); /* nothing was damaged */
        CHECK(!gossip_healed(nodes.sides[index].gossip));
    }
    CHECK_EQUAL(counted(REASON_nothing_lost), 0);
    unsigned asked = nodes.messages[MESSAGE_REPAIR];
    CHECK_OK(nodes_run(&nodes, 60000));
    CHECK_EQUAL(nodes.messages[MESSAGE_REPAIR], asked);
    nodes_close(&nodes);
}

TEST(damage_is_mended_beside_what_is_known_of_lost_events)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(CELLS);
    removed_by(77, 0, "n3");
    lose_some(0, CELLS, 20, 20);
    lose_some(1, CELLS, 27, 30);
    CHECK_OK(nodes_run(&nodes, 9000));
    CHECK(agree());
    CHECK(is_gone(0, "n3") && is_gone(1, "n3"));
    CHECK_EQUAL(box(&nodes, 0)->counts.healed, 29);
    CHECK_EQUAL(box(&nodes, 1)->counts.healed, 20);
    nodes_close(&nodes);
}

/* ---- trouble ---- */

TEST(a_write_ends_a_session_and_it_is_tried_again)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(CELLS);
    lose_some(0, CELLS, 0, 20);
    for (unsigned i = 0; i < 40; i++) {
        CHECK_OK(nodes_run(&nodes, 125));
        CHECK_OK(nodes_write(&nodes, i % 2, "other", 1));
    }
    CHECK_EQUAL(box(&nodes, 0)->counts.healed, 0); /* never equal for two ticks */
    CHECK_OK(nodes_run(&nodes, 6000));
    CHECK(agree());
    CHECK_EQUAL(box(&nodes, 0)->counts.healed, 30);
    nodes_close(&nodes);
}

/* It was not the cells: both trees are built again, and whoever asked rests. */
TEST(a_tree_that_is_wrong_is_built_again)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
    fill(CELLS);
    for (size_t side = 0; side < 2; side++) {
        struct merkle *tree = box(&nodes, side)->tree;
        struct slice path = slice_text("12345678 wrong");
        struct merkle_delta delta =
            merkle_delta(&tree->key, path, slice_of(NULL, 0), slice_text("cell"), false);
        merkle_apply(tree, path, &delta);
        gossip_tree_changed(nodes.sides[side].gossip, bucket_id("box"));
        CHECK_OK(nodes_run(&nodes, 6000));
        CHECK_EQUAL(counted(REASON_nothing_lost), side + 1);
        CHECK(box(&nodes, 0)->tree->build && box(&nodes, 1)->tree->build);
        CHECK_OK(scrub(0));
        CHECK_OK(scrub(1));
        CHECK_OK(nodes_run(&nodes, 30000));
        CHECK(agree());
        CHECK_EQUAL(counted(REASON_nothing_lost), side + 1);
    }
    CHECK_EQUAL(counted(REASON_repairs), 0);
    nodes_close(&nodes);
}

TEST(questions_that_are_none_cost_the_link)
{
    static const char *const wrong[] = {"",
                                        "x",
                                        "\x94\x01\x01\x01",
                                        "\x94\x01\x20\x04\x91\x01",
                                        "\x94\x01\x04\x04\x91\x40",
                                        "\x96\x01\x04\x91\x40\xc4\x01x"};
    static const enum message_kind kinds[] = {MESSAGE_TREE, MESSAGE_REPAIR, MESSAGE_MEND};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++) {
            struct message message;
            struct buffer bytes;
            if (kinds[j] == MESSAGE_MEND && !wrong[i][0])
                continue; /* this is one */
            CHECK_OK(nodes_open_with_trees(&nodes, 10, 10, 0));
            fill(2);
            message_init(&message);
            message.kind = kinds[j];
            message.shard = bucket_id("box");
            message.bytes = slice_text(wrong[i]);
            CHECK_OK(context_copy(&message.since, &box(&nodes, 0)->context));
            buffer_init(&bytes, 1 << 16);
            CHECK_OK(message_encode(&message, &bytes));
            uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
            CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
            CHECK_EQUAL(counted(REASON_bad_repair) + counted(REASON_wire_version), 1);
            message_done(&message);
            buffer_done(&bytes);
            nodes_close(&nodes);
        }
    }
}

static int heal_with_less_memory(void *arg)
{
    int error = nodes_open_with_trees(&nodes, 6, 6, 0);
    (void)arg;
    for (unsigned i = 0; i < 2 && !error; i++)
        nodes.sides[i].gossip->options.repair_scan = 2;
    for (unsigned i = 0; i < 4 && !error; i++)
        error = nodes_write(&nodes, i % 2, (const char *[]){"a", "b", "c", "d"}[i], 1);
    error = error ? error : nodes_run(&nodes, 1500);
    error = error ? error : lose(0, "a");
    error = error ? error : lose(1, "d");
    error = error ? error : scrub(0);
    error = error ? error : scrub(1);
    error = error ? error : nodes_run(&nodes, 3000);
    if (!error)
        CHECK_EQUAL(box(&nodes, 0)->counts.healed + box(&nodes, 1)->counts.healed, 2);
    nodes_close(&nodes);
    return error;
}

TEST(a_repair_holds_with_failing_allocations)
{
    test_alloc_sweep(heal_with_less_memory, NULL);
}
