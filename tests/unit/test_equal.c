/* Since when two replicas are known to be the same. */
#include "base/error.h"
#include "gossip/state.h"
#include "gossip/task.h"
#include "store/keys.h"
#include "store/merkle.h"
#include "tests/unit/gossip_nodes.h"

static struct pair_of_nodes nodes;

static struct equal_status equal_at(size_t side)
{
    struct equal_status status;
    gossip_equal(nodes.sides[side].gossip, box(&nodes, side), 0, nodes.now, &status);
    return status;
}

static void begin(void)
{
    CHECK_OK(nodes_open_with_trees(&nodes, 6, 6, 0));
    for (unsigned i = 0; i < 8; i++)
        CHECK_OK(nodes_write(&nodes, i % 2, (const char *[]){"a", "b", "c", "d"}[i / 2], 1));
    CHECK_OK(nodes_run(&nodes, 3000));
}

/* The cell is gone, and a scrub has found that. */
static void lose(size_t index, const char *name)
{
    struct side *side = &nodes.sides[index];
    struct shard *shard = box(&nodes, index);
    struct view view = batch_view(side->batch);
    struct buffer path;
    struct key key;
    int error;
    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(name), NEAP_COUNTER));
    key_cell(&key, shard->id, shard->id, buffer_slice(&path));
    CHECK_OK(batch_delete(side->batch, DISK_CELLS, key_slice(&key)));
    CHECK_OK(side_commit(side));
    error = merkle_build_begin(shard->tree, shard->tree->now.cells);
    while (!error)
        error = shard_tree_step(shard, &view, 1000);
    CHECK_ERROR(error, NEAP_END);
    gossip_tree_changed(side->gossip, shard->id);
    buffer_done(&path);
}

TEST(at_rest_replicas_are_equal_now)
{
    begin();
    for (size_t side = 0; side < 2; side++) {
        CHECK_EQUAL(equal_at(side).state, EQUAL_NOW);
        CHECK_EQUAL(equal_at(side).equal_ms, nodes.now.wall_ms);
        CHECK_EQUAL(equal_at(side).differs_ms, 0);
        CHECK(equal_at(side).node);
    }
    nodes_close(&nodes);
}

TEST(what_is_written_ends_it_until_the_other_has_it)
{
    uint64_t before_ms;
    begin();
    nodes.now.wall_ms += 100000; /* nothing has happened, so nobody has looked */
    before_ms = nodes.now.wall_ms;
    nodes.holds[0] = true;
    CHECK_OK(nodes_write(&nodes, 0, "a", 1));
    CHECK_OK(nodes_run(&nodes, 50));
    CHECK_EQUAL(equal_at(0).state, EQUAL_UNDER_WAY);
    CHECK(equal_at(0).equal_ms >= before_ms && equal_at(0).equal_ms <= nodes.now.wall_ms);
    before_ms = equal_at(0).equal_ms;
    CHECK_OK(nodes_run(&nodes, 500));
    CHECK_EQUAL(equal_at(0).equal_ms, before_ms);
    nodes.holds[0] = false;
    CHECK_OK(nodes_write(&nodes, 1, "b", 1));
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK_EQUAL(equal_at(0).state, EQUAL_NOW);
    CHECK_EQUAL(equal_at(0).equal_ms, nodes.now.wall_ms);
    nodes_close(&nodes);
}

TEST(damage_is_known_since_it_was_found_until_it_is_mended)
{
    uint64_t found_ms;
    begin();
    for (size_t side = 0; side < 2; side++)
        topic_find(nodes.sides[side].gossip, bucket_id("box"))->paused |= 1u << TASK_REPAIR;
    CHECK_EQUAL(equal_at(0).state, EQUAL_NOW);
    lose(1, "c");
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(equal_at(0).state, EQUAL_NOT);
    found_ms = equal_at(0).differs_ms;
    CHECK(found_ms > 0 && found_ms <= nodes.now.wall_ms);
    CHECK(equal_at(0).equal_ms <= found_ms);
    /* Writes don't make it better. */
    CHECK_OK(nodes_write(&nodes, 0, "a", 1));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(equal_at(0).differs_ms, found_ms);
    for (size_t side = 0; side < 2; side++) {
        struct topic *topic = topic_find(nodes.sides[side].gossip, bucket_id("box"));
        topic->paused = 0;
        topic_changed(nodes.sides[side].gossip, topic);
    }
    CHECK_OK(nodes_run(&nodes, 20000));
    CHECK_EQUAL(equal_at(0).state, EQUAL_NOW);
    CHECK_EQUAL(equal_at(0).differs_ms, 0);
    nodes_close(&nodes);
}

TEST(of_who_has_left_it_is_known_when_he_was_heard_last)
{
    uint64_t heard_ms;
    begin();
    heard_ms = nodes.sides[0].gossip->peers[0].heard_wall_ms;
    CHECK(heard_ms > 0);
    nodes.now.wall_ms += 5000;
    CHECK_OK(give(&nodes, 0, NET_DOWN, nodes.sides[0].gossip->peers[0].links[CHANNEL_CONTROL],
                  slice_of(NULL, 0)));
    CHECK_EQUAL(equal_at(0).state, EQUAL_AWAY);
    CHECK_EQUAL(equal_at(0).equal_ms, heard_ms);
    nodes_close(&nodes);
}

TEST(an_answer_to_verify_tells_since_when_too)
{
    struct pair pair = {.equal_ms = 500};
    equal_told(&pair, false, 700);
    CHECK_EQUAL(pair.differs_ms, 700);
    equal_told(&pair, false, 800);
    CHECK_EQUAL(pair.differs_ms, 700);
    equal_told(&pair, true, 400); /* asked before */
    CHECK_EQUAL(pair.equal_ms, 500);
    CHECK_EQUAL(pair.differs_ms, 0);
    equal_told(&pair, true, 900);
    CHECK_EQUAL(pair.equal_ms, 900);
}
