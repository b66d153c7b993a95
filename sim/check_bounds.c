/* Nothing grows without a bound: what a node keeps in memory, what waits to be sent or taken, and
 * the logs stay within the bounds that the code itself names. One node is looked at after each step
 * of the plan, and all of them at rest.
 *
 * What has no bound of its own, and so none here: residues that pulls and compares bring (each
 * chunk brings a few, and each shard settles them as its context comes up), and links of those who
 * have not said hello yet (they have a deadline, and the net door counts connections). */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "sim/find.h"
#include "sim/net.h"

/* Some bounds hold from a moment on: a log is cut in a turn that syncs, and a compare is let end.
 */
enum { LOG_WAIT_MS = 1000, LOG_WAIT_TURNS = 10, LINKS_EACH_MAX = 4, SHARDS_LOOKED_AT = 64 };

struct state {
    size_t next;
    struct late {
        uint64_t epoch, since_ms, turns;
        uint64_t cut;   /* events that the log no longer tells, then */
        uint64_t falls; /* of log_max, up to which the log was short enough */
        bool seen;
    } late[NODES_MAX][SHARDS_LOOKED_AT];
};

static void *begin(struct world *world)
{
    struct state *state = mem_new(sizeof *state);
    (void)world;
    must(state);
    return state;
}

static void end(void *state)
{
    mem_free(state);
}

static bool within(const struct sim_node *node, const char *what, uint64_t count, uint64_t max,
                   struct why why)
{
    return count <= max ||
           differs(why, "%s has %" PRIu64 " %s, more than %" PRIu64, node->name, count, what, max);
}

/* ---- between turns ---- */

static bool wheel_is_empty(const struct sim_node *node, struct why why)
{
    const struct wheel *wheel = &node->wheel;
    return within(node, "bytes in its outbox", wheel->outbox.bytes, 0, why) &&
           within(node, "messages in its outbox", wheel->outbox.count, 0, why) &&
           within(node, "bytes in its batch", batch_bytes(wheel->batch), 0, why) &&
           within(node, "events to tell", wheel->done.room, DONE_MAX, why) &&
           within(node, "bytes to write into one message", wheel->engine.gossip->message.room,
                  2 * MESSAGE_SIZE_MAX, why);
}

/* Credit: the next message of a link comes when the one before is taken, and durable. */
static bool inbox_is_bounded(const struct sim_node *node, struct why why)
{
    if (!within(node, "events that wait", node->inbox_count, SIM_INBOX_MAX, why))
        return false;
    for (size_t i = 0; i < node->inbox_count; i++) {
        const struct event *event = node->inbox[i];
        for (size_t j = 0; event->kind == EVENT_NET && event->net->kind == NET_MESSAGE && j < i;
             j++) {
            const struct event *other = node->inbox[j];
            if (other->kind == EVENT_NET && other->net->kind == NET_MESSAGE &&
                other->net->link == event->net->link)
                return differs(why, "%s has two messages of one link to take", node->name);
        }
    }
    return true;
}

static bool queues_are_bounded(const struct world *world, struct why why)
{
    for (size_t i = 0; i < world->links_count; i++) {
        for (unsigned side = 0; side < 2; side++) {
            const struct sim_end *to = &world->links[i]->ends[side];
            if (!within(&world->nodes[to->node], "bytes under way on one link", to->queued,
                        SIM_QUEUE_MAX + MESSAGE_SIZE_MAX, why))
                return false;
        }
    }
    return true;
}

/* ---- peers and what is known of them ---- */

static bool peer_is_bounded(const struct sim_node *node, const struct gossip *gossip, size_t index,
                            struct why why)
{
    const struct peer *peer = &gossip->peers[index];
    size_t pulls = 0;
    for (size_t i = 0; i < gossip->topics_count; i++) {
        const struct pull *pull = &gossip->topics[i]->pull;
        /* What is held takes no turn. */
        pulls += pull->state != PULL_NONE && pull->peer == index && pull->held.size == 0;
    }
    if (peer->pulling != pulls)
        return differs(why, "%s counts %u pulls from a peer, and has %zu", node->name,
                       peer->pulling, pulls);
    return within(node, "pulls from one peer", pulls, PULLS_MAX, why) &&
           within(node, "bytes pushed to one peer in a turn", peer->pushed_bytes,
                  PUSH_BYTES_MAX + MESSAGE_SIZE_MAX, why);
}

static bool gossip_is_bounded(const struct sim_node *node, struct why why)
{
    const struct gossip *gossip = node->wheel.engine.gossip;
    size_t topics = gossip->topics_count, due = 0;
    for (size_t i = 0; i < topics; i++)
        due += gossip->topics[i]->due;
    if (!within(node, "peers", gossip->peers_count, PEERS_MAX, why) ||
        !within(node, "departed peers", gossip->departed_count, PEERS_MAX, why) ||
        !within(node, "topics", topics, node->wheel.engine.store.shards_count, why) ||
        !within(node, "topics to work on", gossip->work.count, topics, why) ||
        !within(node, "topics to push", gossip->touched.count, topics, why) ||
        !within(node, "topics to pull", gossip->waiting.count, topics, why) ||
        !within(node, "links", gossip->links_count,
                node->world->nodes_count * CHANNELS * LINKS_EACH_MAX, why))
        return false;
    if (gossip->due_count != due)
        return differs(why, "%s counts %zu topics that are due, and has %zu", node->name,
                       gossip->due_count, due);
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (!peer_is_bounded(node, gossip, i, why))
            return false;
    }
    return true;
}

/* ---- shards ---- */

/* A log keeps log_max events; beside them what is not confirmed (docs/guarantees.md). */
static uint64_t log_bound(const struct sim_node *node, const struct shard *shard)
{
    uint64_t own = context_get(&shard->context, shard->replica);
    uint64_t unconfirmed = shard->confirmed || own < shard->opened_at ? 0 : own - shard->opened_at;
    if (unconfirmed > UNRELEASED_MAX)
        unconfirmed = UNRELEASED_MAX;
    return node->gossip.log_max + unconfirmed;
}

/* Since when the log of the shard has been too long; it is cut once in a while. One that a process
 * found so stays so until the bucket changes, and one that was within a bound that was lowered,
 * too; and that of a bucket in trouble may not be readable. */
static bool log_is_bounded(const struct sim_node *node, const struct shard *shard,
                           struct late *late, struct why why)
{
    uint64_t now_ms = node->world->now_ms, max = log_bound(node, shard);
    const struct topic *topic = topic_find(node->wheel.engine.gossip, shard->id);
    bool grew = shard->counts.events_own + shard->counts.events_taken > 0;
    bool over = grew && shard_log_count(shard) > max && !(topic && topic->fault.code);
    uint64_t cut = 0;
    /* What a device has told nobody stays. */
    over = over && !node->gossip.device;
    if (shard_log_count(shard) <= max)
        late->falls = node->log_max_falls;
    over = over && late->falls == node->log_max_falls;
    for (size_t i = 0; i < shard->horizon.count; i++)
        cut += shard->horizon.entries[i].n;
    if (!over || !late->seen || late->epoch != node->epoch || late->cut != cut)
        *late = (struct late){.epoch = node->epoch,
                              .since_ms = now_ms,
                              .turns = node->turns,
                              .cut = cut,
                              .falls = late->falls,
                              .seen = over};
    return !over || now_ms - late->since_ms <= LOG_WAIT_MS ||
           node->turns - late->turns <= LOG_WAIT_TURNS ||
           differs(why, "%s has %" PRIu64 " events in the log of %s, more than %" PRIu64 "%s",
                   node->name, shard_log_count(shard), shard->name, max,
                   shard->session.id ? ", while it compares" : "");
}

static bool shard_is_bounded(const struct sim_node *node, const struct shard *shard, struct why why)
{
    const struct topic *topic = topic_find(node->wheel.engine.gossip, shard->id);
    bool compares = shard->session.peer || (topic && topic->pull.state >= PULL_CELLS);
    if (shard->session.id && !compares)
        return differs(why, "%s: a compare of %s has no pull", node->name, shard->name);
    return within(node, "residues of one bucket", shard->residues_count, 4 * SHARD_RESIDUES_MAX,
                  why) &&
           within(node, "promises of one bucket", shard->promises_count, PROMISES_MAX, why) &&
           within(node, "openings of one bucket", shard->openings_count, OPENINGS_MAX, why) &&
           within(node, "replica ids of one bucket", shard->context.count, CONTEXT_IDS_MAX, why);
}

static bool node_is_bounded(struct state *state, const struct sim_node *node, struct why why)
{
    const struct store *store = &node->wheel.engine.store;
    if (!node->up)
        return true;
    bool logs = node->gossip.log_max > 0;
    for (size_t i = 0; i < store->shards_count; i++) {
        if (!shard_is_bounded(node, store->shards[i], why) ||
            (logs && i < SHARDS_LOOKED_AT &&
             !log_is_bounded(node, store->shards[i], &state->late[node->index][i], why)))
            return false;
    }
    return within(node, "buckets", store->shards_count, BUCKETS_MAX, why) &&
           wheel_is_empty(node, why) && inbox_is_bounded(node, why) && gossip_is_bounded(node, why);
}

static void step(struct world *world, void *memory)
{
    struct state *state = memory;
    char text[300];
    struct why why = {text, sizeof text};
    size_t index = state->next++ % world->nodes_count;
    if (!node_is_bounded(state, &world->nodes[index], why) ||
        (index == 0 && !queues_are_bounded(world, why)))
        world_fail(world, "bounds: %s", text);
}

static bool holds(struct world *world, void *memory, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!node_is_bounded(memory, &world->nodes[i], why))
            return false;
    }
    return queues_are_bounded(world, why);
}

const struct checker check_bounds = {.name = "bounds",
                                     .promise = "memory, queues and logs stay within their bounds",
                                     .begin = begin,
                                     .end = end,
                                     .step = step,
                                     .holds = holds};
