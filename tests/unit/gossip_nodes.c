#include "tests/unit/gossip_nodes.h"

#include <stdio.h>

static uint64_t clock_zero(struct clock *clock)
{
    (void)clock;
    return 1000;
}

static uint64_t clock_count(struct clock *clock)
{
    return ++((struct test_clock *)clock)->next * 0x9e3779b97f4a7c15;
}

static const struct clock_ops clock_ops = {clock_zero, clock_zero, clock_count};

static int side_open(struct pair_of_nodes *nodes, size_t index)
{
    static const char *const addresses[] = {"test://0", "test://1"};
    struct side *side = &nodes->sides[index];
    struct directory_mark mark = {0};
    struct gossip_options options = {.cluster = 5,
                                     .address = addresses[index],
                                     .peers = &addresses[!index],
                                     .peers_count = index == 0, /* only one of them dials */
                                     .heartbeat_ms = 1000,
                                     .silence_ms = 5000,
                                     .backoff_ms_max = 1000,
                                     .log_max = 100};
    outbox_init(&side->outbox, 1 << 20);
    int error = disk_mem_open(&side->disk);
    if (!error)
        error = store_open(&side->store, side->disk, &mark, &nodes->clock.clock, false, NULL);
    side->store_is_open = !error;
    if (!error)
        error = batch_new(side->disk, &side->batch);
    if (!error)
        error = gossip_new(&options, &side->store, NULL, index + 1, &side->gossip);
    return error;
}

static void side_close(struct side *side)
{
    gossip_free(side->gossip);
    batch_free(side->batch);
    outbox_done(&side->outbox);
    if (side->store_is_open)
        store_done(&side->store);
    disk_close(side->disk);
}

int nodes_open(struct pair_of_nodes *nodes)
{
    *nodes = (struct pair_of_nodes){.now = {.mono_ms = 1000, .wall_ms = 1000},
                                    .clock.clock.ops = &clock_ops};
    int error = side_open(nodes, 0);
    return error ? error : side_open(nodes, 1);
}

void nodes_close(struct pair_of_nodes *nodes)
{
    side_close(&nodes->sides[0]);
    side_close(&nodes->sides[1]);
    principal_done(&nodes->principals[0]);
    principal_done(&nodes->principals[1]);
}

int side_commit(struct side *side)
{
    int error = side->disk->ops->commit(side->disk, side->batch, true);
    if (!error)
        batch_clear(side->batch);
    return error;
}

int give(struct pair_of_nodes *nodes, size_t to, enum net_event_kind kind, uint64_t link,
         struct slice bytes)
{
    struct side *side = &nodes->sides[to];
    struct net_event event = {.kind = kind,
                              .link = to == 0 ? link : link | NET_ACCEPTED,
                              .side = to == 0 ? NET_DIALED : NET_PEER};
    buffer_init(&event.message, 1 << 20);
    int error = buffer_set(&event.message, bytes);
    if (!error && kind == NET_UP)
        error = principal_copy(&nodes->principals[!to], &event.principal);
    if (!error)
        error = gossip_event(side->gossip, nodes->now, &event, side->batch, &side->outbox);
    net_event_done(&event);
    return error ? error : side_commit(side);
}

/* [kind, ...]: small numbers are one byte. */
static unsigned kind_of(struct slice bytes)
{
    return bytes.size > 1 ? bytes.data[1] : 0;
}

static bool is_digest(struct slice bytes)
{
    return kind_of(bytes) == MESSAGE_DIGEST;
}

int nodes_open_with_trees(struct pair_of_nodes *nodes, unsigned bits, unsigned bits_other,
                          size_t chunk_size)
{
    static const struct hash_key key = {{7}};
    int error = nodes_open(nodes);
    for (size_t i = 0; i < 2 && !error; i++) {
        struct side *side = &nodes->sides[i];
        if (chunk_size)
            side->gossip->options.chunk_size = chunk_size;
        error = store_keep_trees(&side->store, &key, i ? bits_other : bits);
    }
    return error;
}

/* What a node sends at once passes a queue with a bound, when a test wants one. */
static bool refuse(struct pair_of_nodes *nodes, size_t from, const struct effect *effect,
                   size_t *queued, size_t *digests)
{
    if (is_digest(effect->bytes)) {
        nodes->digests++;
        *digests += effect->bytes.size;
        if (*digests > nodes->digests_max)
            nodes->digests_max = *digests;
    }
    if (*queued + effect->bytes.size > nodes->queue_max) {
        gossip_send_failed(nodes->sides[from].gossip, effect->link, NEAP_BUSY);
        return true;
    }
    *queued += effect->bytes.size;
    return false;
}

/* Hands over the effects of one side. */
static int carry(struct pair_of_nodes *nodes, size_t from, bool *ret_any)
{
    struct outbox outbox = nodes->sides[from].outbox;
    size_t queued = 0, digests = 0;
    int error = 0;
    if (nodes->holds[from])
        return 0;
    outbox_init(&nodes->sides[from].outbox, 1 << 20);
    for (size_t i = 0; i < outbox.count && !error; i++) {
        const struct effect *effect = &outbox.effects[i];
        uint64_t link = effect->link & ~NET_ACCEPTED;
        *ret_any = true;
        if (nodes->queue_max && effect->kind == EFFECT_SEND &&
            refuse(nodes, from, effect, &queued, &digests))
            continue;
        if (effect->kind == EFFECT_DIAL) {
            error = give(nodes, 1, NET_UP, link, slice_of(NULL, 0));
            error = error ? error : give(nodes, 0, NET_UP, link, slice_of(NULL, 0));
        } else if (effect->kind == EFFECT_SEND) {
            unsigned kind = kind_of(effect->bytes);
            CHECK(kind < MESSAGE_KINDS);
            nodes->messages[kind]++;
            nodes->bytes[kind] += effect->bytes.size;
            nodes->holds[!from] = nodes->holds[!from] || kind == (unsigned)nodes->holds_at;
            if (nodes->loses[kind] == 0 || --nodes->loses[kind] > 0)
                error = give(nodes, !from, NET_MESSAGE, link, effect->bytes);
        } else if (effect->kind == EFFECT_CLOSE) {
            error = give(nodes, !from, NET_DOWN, link, slice_of(NULL, 0));
        }
    }
    outbox_done(&outbox);
    return error;
}

int nodes_run(struct pair_of_nodes *nodes, uint64_t ms)
{
    int error = 0;
    for (uint64_t end = nodes->now.mono_ms + ms; nodes->now.mono_ms < end && !error;
         nodes->now.mono_ms += 25) {
        for (size_t i = 0; i < 2 && !error; i++) {
            struct side *side = &nodes->sides[i];
            if (gossip_deadline(side->gossip) <= nodes->now.mono_ms)
                error = gossip_tick(side->gossip, nodes->now, side->batch, &side->outbox);
            error = error ? error : side_commit(side);
        }
        for (bool any = true; any && !error;) {
            any = false;
            error = carry(nodes, 0, &any);
            error = error ? error : carry(nodes, 1, &any);
        }
    }
    return error;
}

int nodes_write_to(struct pair_of_nodes *nodes, size_t index, const char *bucket, const char *key,
                   int64_t number)
{
    struct side *side = &nodes->sides[index];
    struct op op = {.kind = OP_COUNTER_ADD, .number = number};
    struct shard *shard;
    struct buffer path;
    struct dot dot;
    buffer_init(&path, NEAP_PATH_MAX);
    int error = gossip_has_due(side->gossip)
                    ? gossip_before_write(side->gossip, nodes->now, bucket_id(bucket), side->batch)
                    : 0;
    if (!error)
        error = store_shard(&side->store, side->batch, bucket, &shard);
    if (!error)
        error = path_level(&path, slice_text(key), NEAP_COUNTER);
    if (!error)
        error = shard_write(shard, side->batch, shard->id, buffer_slice(&path), &op, &dot);
    buffer_done(&path);
    if (error)
        return error;
    gossip_touched(side->gossip, bucket_id(bucket));
    if (side->gossip->touched_all)
        return NEAP_NOMEM; /* swallowed there: the flush would look everywhere */
    error = gossip_flush(side->gossip, nodes->now, side->batch, &side->outbox);
    return error ? error : side_commit(side);
}

int nodes_write(struct pair_of_nodes *nodes, size_t index, const char *key, int64_t number)
{
    return nodes_write_to(nodes, index, "box", key, number);
}

struct shard *box(struct pair_of_nodes *nodes, size_t index)
{
    return store_find(&nodes->sides[index].store, bucket_id("box"));
}

struct pair *box_pair(struct pair_of_nodes *nodes)
{
    return topic_pair(topic_find(nodes->sides[0].gossip, bucket_id("box")), 0);
}

void meet_with_box(struct pair_of_nodes *nodes)
{
    CHECK_OK(nodes_open(nodes));
    CHECK_OK(nodes_write(nodes, 1, "apples", 1));
    CHECK_OK(nodes_run(nodes, 1500));
    CHECK(box_pair(nodes)->open);
    CHECK_EQUAL(box_pair(nodes)->replica, box(nodes, 1)->replica);
}

/* ---- the member list ---- */

struct roster_row row_make(uint64_t node, const char *address, const char *name)
{
    struct roster_row row = {.node = node, .zone = "north", .weight = 100};
    if (address)
        snprintf(row.addresses[row.addresses_count++], ROSTER_ADDRESS_MAX, "%s", address);
    snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

int system_written(struct pair_of_nodes *nodes, size_t side)
{
    struct side *at = &nodes->sides[side];
    gossip_touched(at->gossip, bucket_id(SYSTEM_BUCKET));
    if (at->gossip->touched_all)
        return NEAP_NOMEM;
    int error = gossip_flush(at->gossip, nodes->now, at->batch, &at->outbox);
    return error ? error : side_commit(at);
}

int record_write(struct pair_of_nodes *nodes, size_t side, enum roster_place place, uint64_t node,
                 const struct roster_row *row)
{
    struct side *at = &nodes->sides[side];
    struct op op = {.kind = row ? OP_LWW_SET : OP_REMOVE};
    struct buffer path, value;
    struct shard *shard;
    struct dot dot;
    int error = store_shard(&at->store, at->batch, SYSTEM_BUCKET, &shard);
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&value, NEAP_VALUE_MAX);
    if (!error)
        error = roster_path(place, node, &path);
    if (!error && row)
        error = roster_encode(row, &value);
    op.value = buffer_slice(&value);
    if (!error)
        error = shard_write(shard, at->batch, shard->id, buffer_slice(&path), &op, &dot);
    buffer_done(&path);
    buffer_done(&value);
    return error ? error : system_written(nodes, side);
}

int record_add(struct pair_of_nodes *nodes, size_t side, const struct roster_row *row)
{
    return record_write(nodes, side, ROSTER_MEMBERS, row->node, row);
}

const struct roster *nodes_roster(struct pair_of_nodes *nodes, size_t side)
{
    uint64_t version;
    return gossip_roster(nodes->sides[side].gossip, &version);
}
