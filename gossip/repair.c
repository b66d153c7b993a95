/* Damage between replicas with equal contexts (design 2, rule 7). Digests tell a short root of the
 * tree with the context that it is of. When contexts are equal and roots differ on two ticks, the
 * replica with the smaller id, or a device, begins a session: down the tree, level by level; then
 * stretch by stretch through the shard, the sums of its cells of the leaves that differ, which the
 * peer answers with the cells that are not among them and the numbers of those that it lacks
 * itself; these are sent to it. Each question names the context that both must have, and all that
 * the peer needs: it remembers nothing. A change of the context ends a session. */
#include "gossip/repair.h"

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"

void repair_free(struct repair *repair)
{
    if (!repair)
        return;
    context_done(&repair->context);
    stretches_done(&repair->stretches);
    mem_free(repair);
}

/* ---- roots ---- */

bool tree_is_of(const struct shard *shard, const struct context *context)
{
    return shard->tree && shard->tree->ready && !shard->session.id && shard_released(shard) &&
           context_equal(&shard->context, context);
}

uint64_t repair_root(const struct shard *shard, const struct context *told)
{
    uint8_t bytes[16];
    if (!tree_is_of(shard, told))
        return 0;
    struct merkle_salt salt = descent_salt(shard->tree, 0, 8);
    struct digest root = merkle_root(shard->tree);
    bytes_put_u64(bytes, root.high);
    bytes_put_u64(bytes + 8, root.low);
    uint64_t hash = hash_64(&salt.key, slice_of(bytes, sizeof bytes));
    return hash ? hash : 1;
}

/* ---- ends ---- */

/* Both look again: one of the trees may be wrong. */
static int repair_found_nothing(struct step *step, struct topic *topic, struct shard *shard,
                                struct pair *pair)
{
    struct gossip *gossip = step->gossip;
    struct message message;
    uint32_t rest = pair->repair_rest_ms * 2;
    rest = rest < REPAIR_REST_MS_MIN ? REPAIR_REST_MS_MIN : rest;
    pair->repair_rest_ms = rest < REPAIR_REST_MS_MAX ? rest : REPAIR_REST_MS_MAX;
    pair->repair_at = step->now.mono_ms + pair->repair_rest_ms;
    gossip->counts[REASON_nothing_lost]++;
    trace(gossip->trace, "%s: nothing to repair in %s", peer_text(gossip, topic->pull.peer),
          shard->name);
    struct merkle *tree = shard->tree;
    int error = tree->build ? 0 : merkle_build_begin(tree, tree->now.cells);
    message_init(&message);
    message.kind = MESSAGE_MEND;
    message.shard = shard->id;
    if (!error)
        error = answer_send(step, topic->pull.peer, &message);
    return error;
}

int repair_end(struct step *step, struct topic *topic, struct shard *shard)
{
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    const struct repair *repair = topic->pull.repair;
    int error = incident_repaired(step, topic, shard, repair->began_ms, repair->given,
                                  repair->cells > 0);
    if (error)
        return error;
    pair->ordered = pair->budgeted = false;
    if (repair->cells == 0) {
        error = repair_found_nothing(step, topic, shard, pair);
    } else {
        step->gossip->counts[REASON_repairs]++;
        pair->repair_rest_ms = 0;
        pair->repair_at = step->now.mono_ms + step->gossip->options.heartbeat_ms;
        trace(step->gossip->trace, "%s: repaired %s", peer_text(step->gossip, topic->pull.peer),
              shard->name);
    }
    return error ? error : pull_end(step, topic, 0);
}

int repair_stop(struct step *step, struct topic *topic)
{
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    pair->repair_at = step->now.mono_ms + step->gossip->options.heartbeat_ms;
    return pull_end(step, topic, 0);
}

bool repair_is_over(const struct gossip *gossip, const struct topic *topic,
                    const struct shard *shard)
{
    const struct pull *pull = &topic->pull;
    if (pull->state != PULL_TREE && pull->state != PULL_LEAVES)
        return false;
    for (size_t i = 0; i < topic->pairs_room; i++) {
        const struct pair *pair = topic->pairs[i];
        if (pair && pair->open && pair->known &&
            pair_has_more(gossip, pair, i, shard, &pair->context))
            return true; /* what it lacks is pulled */
    }
    return !tree_is_of(shard, &pull->repair->context);
}

/* ---- asking ---- */

void repair_travelled(struct step *step, const struct repair *repair, size_t size)
{
    if (repair->budgeted)
        tokens_take(&step->gossip->budget, step->now.mono_ms, size);
}

uint64_t repair_ask_at(const struct step *step, bool budgeted, enum message_kind kind)
{
    uint64_t now_ms = step->now.mono_ms, at = flow_ask_at(step->gossip, now_ms, kind);
    uint64_t budget_at = budgeted ? tokens_at(&step->gossip->budget, now_ms, 0) : now_ms;
    return budget_at > at ? budget_at : at;
}

int repair_ask(struct step *step, struct topic *topic, enum message_kind kind,
               const struct buffer *packed)
{
    struct message message;
    message_init(&message);
    message.kind = kind;
    message.since = topic->pull.repair->context; /* borrowed: not message_done() */
    message.bytes = buffer_slice(packed);
    repair_travelled(step, topic->pull.repair, packed->size);
    int error = question_more(step, topic, &message);
    return error == NEAP_LIMIT ? repair_stop(step, topic) : error;
}

/* All the questions that can be asked now. */
static int tree_ask(struct step *step, struct topic *topic)
{
    struct buffer packed;
    struct writer writer;
    int error = 0;
    buffer_init(&packed, STRETCH_PACKED_MAX);
    while (!error && topic->pull.state == PULL_TREE) {
        buffer_clear(&packed);
        writer_init(&writer, &packed);
        error = descent_ask(&topic->pull.repair->descent, &writer);
        if (!error)
            error = repair_ask(step, topic, MESSAGE_TREE, &packed);
    }
    buffer_done(&packed);
    return error == NEAP_END ? 0 : error;
}

static int tree_go_on(struct step *step, struct topic *topic, struct shard *shard)
{
    const struct descent *descent = &topic->pull.repair->descent;
    if (!descent_is_done(descent))
        return tree_ask(step, topic);
    if (descent->nodes_count == 0)
        return repair_end(step, topic, shard);
    topic->pull.state = PULL_LEAVES;
    return topic_queue(step->gossip, topic);
}

static int tree_take(struct step *step, struct topic *topic, struct shard *shard,
                     const struct message *message)
{
    struct repair *repair = topic->pull.repair;
    int error = descent_take(&repair->descent, shard->tree, message->bytes);
    if (!error)
        question_answered(step, topic);
    if (error == NEAP_STALE || error == NEAP_BUSY)
        return repair_stop(step, topic);
    return error ? error : tree_go_on(step, topic, shard);
}

static int repair_begin(struct step *step, struct topic *topic, const struct shard *shard,
                        size_t peer)
{
    struct gossip *gossip = step->gossip;
    struct repair *repair = mem_new(sizeof *repair);
    if (!repair)
        return NEAP_NOMEM;
    stretches_init(&repair->stretches);
    repair->budgeted = topic_pair(topic, peer)->budgeted;
    repair->began_ms = step->now.wall_ms;
    int error = context_copy(&repair->context, &shard->context);
    if (error) {
        repair_free(repair);
        return error;
    }
    topic->pull = (struct pull){.state = PULL_TREE,
                                .peer = peer,
                                .session = ++gossip->session_next,
                                .repair = repair,
                                .cells_total = shard->tree->now.cells};
    struct merkle_salt salt = descent_salt(shard->tree, topic->pull.session, REPAIR_WIDTH);
    descent_begin(&repair->descent, shard->tree, &salt);
    gossip->peers[peer].pulling++;
    trace(gossip->trace, "%s: repair %s", peer_text(gossip, peer), shard->name);
    return tree_ask(step, topic);
}

/* Has the peer had another root for long enough? */
static bool pair_is_due(struct step *step, struct topic *topic, const struct shard *shard,
                        struct pair *pair, uint64_t root)
{
    uint64_t now_ms = step->now.mono_ms, at;
    if (!root || !pair->root || pair->root == root ||
        !context_equal(&pair->context, &shard->context)) {
        pair->differs_at = 0;
        if (root && pair->root == root)
            pair->ordered = pair->budgeted = false; /* there is nothing to do */
        return false;
    }
    if (!pair->differs_at)
        pair->differs_at = now_ms;
    at = pair->ordered ? 0 : pair->differs_at + step->gossip->options.heartbeat_ms;
    at = at > pair->repair_at ? at : pair->repair_at;
    if (now_ms >= at) /* a device is not asked: what it says to have is not believed */
        return pair->ordered || shard->replica < pair->replica ||
               (step->gossip->options.device && !BROKEN("device-waits"));
    topic_wake(step->gossip, topic, at);
    return false;
}

int repair_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    uint64_t at;
    if (topic->pull.state == PULL_LEAVES)
        return cells_ask(step, topic, shard);
    uint64_t root = repair_root(shard, &shard->context);
    if (topic->pull.state != PULL_NONE || step->now.mono_ms < topic->rest_until ||
        pull_is_paused(topic, PULL_TREE) || BROKEN("repair-never"))
        return 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair = topic_open_pair(gossip, topic, i);
        if (!pair || !pair_is_due(step, topic, shard, pair, root))
            continue;
        /* A turn is left for pulls. */
        if (gossip->peers[i].pulling >= PULLS_MAX - 1)
            return topic_wait(gossip, topic);
        at = repair_ask_at(step, pair->budgeted, MESSAGE_TREE);
        if (at > step->now.mono_ms) {
            topic_wake(gossip, topic, at);
            return 0;
        }
        return repair_begin(step, topic, shard, i);
    }
    return 0;
}

/* ---- messages ---- */

static int repair_take(struct step *step, size_t peer, struct topic *topic, struct shard *shard,
                       const struct message *message)
{
    enum pull_state expected = message->kind == MESSAGE_TREED ? PULL_TREE : PULL_LEAVES;
    if (!shard || !topic_open_pair(step->gossip, topic, peer) || topic->pull.state != expected ||
        topic->pull.peer != peer || topic->pull.session != message->session)
        return 0; /* an answer that came too late */
    repair_travelled(step, topic->pull.repair, message->bytes.size);
    if (message->code)
        step->gossip->peers[peer].answered = topic->pull.asked;
    if (message->code == NEAP_CORRUPT || message->code == NEAP_LIMIT) {
        step->gossip->counts[REASON_not_given]++;
        topic_pair(topic, peer)->repair_at = step->now.mono_ms + FAULT_AGAIN_MS;
        return pull_end(step, topic, 0);
    }
    if (message->code == NEAP_BUSY) {
        topic_pair(topic, peer)->repair_at = step->now.mono_ms + flow_wait_ms(message);
        return pull_end(step, topic, 0);
    }
    if (message->code || repair_is_over(step->gossip, topic, shard))
        return repair_stop(step, topic);
    return message->kind == MESSAGE_TREED ? tree_take(step, topic, shard, message)
                                          : cells_take(step, topic, shard, message);
}

int repair_message(struct step *step, size_t peer, const struct message *message)
{
    struct topic *topic = topic_find(step->gossip, message->shard);
    struct shard *shard = store_find(step->gossip->store, message->shard);
    switch ((unsigned)message->kind) {
    case MESSAGE_TREE:
    case MESSAGE_REPAIR:
        return repair_serve(step, peer, topic, shard, message);
    case MESSAGE_TREED:
    case MESSAGE_REPAIRED:
        return repair_take(step, peer, topic, shard, message);
    default:
        return mend_take(step, peer, topic, shard, message);
    }
}
