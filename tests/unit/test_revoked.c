#include "gossip/revoked.h"

#include <string.h>

#include "crdt/types.h"
#include "tests/unit/gossip_nodes.h"

/* What the net and the verbs do when someone is put into the set: a write like any other. */
static int revoke(struct pair_of_nodes *nodes, size_t side, const char *name, enum op_kind kind)
{
    struct side *at = &nodes->sides[side];
    struct op op = {.kind = kind};
    struct revoked_name parsed = {0};
    struct shard *shard;
    struct buffer path;
    struct dot dot;
    int error = revoked_parse(name, &parsed);
    buffer_init(&path, NEAP_PATH_MAX);
    if (!error)
        error = store_shard(&at->store, at->batch, SYSTEM_BUCKET, &shard);
    if (!error)
        error = revoked_path(&parsed, &path);
    if (!error)
        error = shard_write(shard, at->batch, shard->id, buffer_slice(&path), &op, &dot);
    buffer_done(&path);
    return error ? error : system_written(nodes, side);
}

TEST(names_are_those_of_certificates)
{
    static const char *const bad[] = {"",
                                      "device",
                                      "device/",
                                      "device/1",
                                      "join/0000000000000001",
                                      "device/0000000000000000",
                                      "device/00000000000000AB",
                                      "device/00000000000000001",
                                      "Device/0000000000000001"};
    struct revoked_name name;
    CHECK_OK(revoked_parse("device/00c0ffee00c0ffee", &name));
    CHECK_EQUAL(name.kind, PRINCIPAL_DEVICE);
    CHECK_EQUAL(name.id, 0x00c0ffee00c0ffee);
    CHECK_OK(revoked_parse("node/0000000000000001", &name));
    CHECK_OK(revoked_parse("client/ffffffffffffffff", &name));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(revoked_parse(bad[i], &name), NEAP_INVALID);
}

static int revoke_and_read(void *argument)
{
    struct pair_of_nodes nodes;
    struct revoked revoked = {0}, copy = {0};
    (void)argument;
    int error = nodes_open(&nodes);
    if (!error)
        error = revoke(&nodes, 0, "node/0000000000000007", OP_SET_ADD);
    if (!error)
        error = revoke(&nodes, 0, "device/0000000000000005", OP_SET_ADD);
    if (!error) {
        struct view view = {.disk = nodes.sides[0].disk};
        error = revoked_read(&view, &revoked);
    }
    if (!error)
        error = revoked_copy(&revoked, &copy);
    if (!error) {
        CHECK_EQUAL(copy.count, 2);
        CHECK(revoked_has(&copy, &(struct principal){.kind = PRINCIPAL_DEVICE, .id = 5}));
        CHECK(revoked_has(&copy, &(struct principal){.kind = PRINCIPAL_NODE, .id = 7}));
        CHECK(!revoked_has(&copy, &(struct principal){.kind = PRINCIPAL_NODE, .id = 5}));
        CHECK(!revoked_has(&copy, &(struct principal){0}));
    }
    revoked_done(&revoked);
    revoked_done(&copy);
    nodes_close(&nodes);
    return error;
}

TEST(the_set_is_read_as_it_is)
{
    CHECK_OK(revoke_and_read(NULL));
}

TEST(the_revoked_survive_failing_allocations)
{
    test_alloc_sweep(revoke_and_read, NULL);
}

TEST(who_is_taken_out_is_revoked_no_more)
{
    struct pair_of_nodes nodes;
    uint64_t version, later;
    CHECK_OK(nodes_open(&nodes));
    CHECK_EQUAL(gossip_revoked(nodes.sides[0].gossip, &version)->count, 0);
    CHECK_OK(revoke(&nodes, 0, "node/0000000000000007", OP_SET_ADD));
    CHECK_EQUAL(gossip_revoked(nodes.sides[0].gossip, &later)->count, 1);
    CHECK(later != version);
    CHECK_OK(revoke(&nodes, 0, "node/0000000000000007", OP_SET_REMOVE));
    CHECK_EQUAL(gossip_revoked(nodes.sides[0].gossip, &later)->count, 0);
    nodes_close(&nodes);
}

/* Side 1 is the one to go. */
static void meet_as(struct pair_of_nodes *nodes, enum principal_kind kind,
                    char ret_name[PRINCIPAL_TEXT_MAX])
{
    CHECK_OK(nodes_open(nodes));
    for (size_t i = 0; i < 2; i++)
        nodes->principals[i] = (struct principal){.kind = i ? kind : PRINCIPAL_NODE,
                                                  .cluster = 5,
                                                  .id = nodes->sides[i].store.identity.node};
    principal_text(&nodes->principals[1], ret_name);
    CHECK_OK(nodes_run(nodes, 1500));
    CHECK(peer_is_up(nodes->sides[0].gossip, 0));
}

TEST(links_end_in_the_step_that_brings_the_entry)
{
    struct pair_of_nodes nodes;
    char name[PRINCIPAL_TEXT_MAX];
    for (unsigned kind = PRINCIPAL_NODE; kind <= PRINCIPAL_DEVICE; kind++) {
        meet_as(&nodes, (enum principal_kind)kind, name);
        struct gossip *gossip = nodes.sides[0].gossip;
        CHECK_OK(revoke(&nodes, 0, name, OP_SET_ADD));
        CHECK_EQUAL(gossip->links_count, 0);
        CHECK_EQUAL(gossip->counts[REASON_revoked], CHANNELS);
        CHECK_OK(nodes_run(&nodes, 5000)); /* it is dialled again, and again */
        CHECK(!peer_is_up(gossip, 0));
        CHECK(gossip->counts[REASON_revoked] > CHANNELS);
        CHECK_TEXT(gossip->peers[0].last_error, "revoked");
        nodes_close(&nodes);
    }
}

TEST(an_entry_that_comes_from_others_counts_as_well)
{
    struct pair_of_nodes nodes;
    char name[PRINCIPAL_TEXT_MAX];
    meet_as(&nodes, PRINCIPAL_NODE, name);
    /* Side 0 hears from side 1 that side 1 is revoked: its links are not those of a third. */
    CHECK_OK(revoke(&nodes, 1, name, OP_SET_ADD));
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK(!peer_is_up(nodes.sides[0].gossip, 0));
    CHECK(nodes.sides[0].gossip->counts[REASON_revoked] > 0);
    nodes_close(&nodes);
}

TEST(a_device_revokes_nobody)
{
    struct pair_of_nodes nodes;
    char name[PRINCIPAL_TEXT_MAX];
    uint64_t version;
    meet_as(&nodes, PRINCIPAL_DEVICE, name);
    CHECK_OK(revoke(&nodes, 1, "node/0000000000000007", OP_SET_ADD));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(gossip_revoked(nodes.sides[0].gossip, &version)->count, 0);
    CHECK_OK(revoke(&nodes, 0, "node/0000000000000009", OP_SET_ADD));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(gossip_revoked(nodes.sides[1].gossip, &version)->count, 2); /* it reads it */
    nodes_close(&nodes);
}
