#include "gossip/gossip.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/holders.h"
#include "gossip/state.h"
#include "gossip/verify_state.h"
#include "store/shard_repair.h"

enum { WORK_ROUNDS = 4 };

/* ---- life ---- */

static int gossip_fill(struct gossip *gossip, const struct gossip_options *options)
{
    int error = 0;
    gossip->address = mem_text(options->address ? options->address : "");
    gossip->peers = mem_new_array(PEERS_MAX, sizeof *gossip->peers);
    if (!gossip->address || !gossip->peers)
        return NEAP_NOMEM;
    for (size_t i = 0; i < options->peers_count; i++)
        peer_init(gossip, options->peers[i], true, &gossip->peers[gossip->peers_count++]);
    for (size_t i = 0; i < gossip->store->shards_count && !error; i++) {
        struct topic *topic;
        error = topic_get(gossip, gossip->store->shards[i]->id, &topic);
    }
    return error;
}

int gossip_new(const struct gossip_options *options, struct store *store, struct trace *trace,
               uint64_t seed, struct gossip **ret_gossip)
{
    if (options->peers_count > PEERS_MAX / 2)
        return NEAP_LIMIT; /* others may dial in */
    struct gossip *gossip = mem_new(sizeof *gossip);
    if (!gossip)
        return NEAP_NOMEM;
    gossip->options = *options;
    gossip->options.peers = NULL;
    if (options->own)
        gossip->own = *options->own;
    gossip->options.own = options->own ? &gossip->own : NULL;
    gossip->options.address = NULL;
    if (!gossip->options.chunk_size)
        gossip->options.chunk_size = CHUNK_SIZE;
    if (!gossip->options.pushed_max)
        gossip->options.pushed_max = PUSHED_MAX;
    flow_init(&gossip->flow, options->bulk_max);
    if (!gossip->options.repair_scan)
        gossip->options.repair_scan = REPAIR_SCAN_MAX;
    if (!gossip->options.compare_few)
        gossip->options.compare_few = COMPARE_FEW;
    gossip->store = store;
    gossip->system = bucket_id(SYSTEM_BUCKET);
    gossip->trace = trace;
    gossip->link_next = gossip->revoked_version = 1;
    rng_init(&gossip->rng, seed);
    gossip->session_next = rng_u64(&gossip->rng) >> 33; /* small, as it is in each question */
    buffer_init(&gossip->message, MESSAGE_SIZE_MAX + 64);
    int error = rings_open(gossip);
    if (!error)
        error = gossip_fill(gossip, options);
    /* What can't be read is read again when it has changed. */
    if (!error && revoked_read(&(struct view){.disk = store->disk}, &gossip->revoked) == NEAP_NOMEM)
        error = NEAP_NOMEM;
    if (!error)
        error = members_begin(gossip);
    if (!error)
        error = known_begin(gossip);
    if (error) {
        gossip_free(gossip);
        return error;
    }
    *ret_gossip = gossip;
    return 0;
}

void gossip_free(struct gossip *gossip)
{
    if (!gossip)
        return;
    for (size_t i = 0; i < gossip->topics_count; i++)
        topic_free(gossip->topics[i]);
    for (size_t i = 0; i < gossip->peers_count; i++) {
        principal_done(&gossip->peers[i].principal);
        subscriptions_done(&gossip->peers[i].interest);
    }
    verifies_free(gossip);
    wants_free(gossip);
    calls_free(gossip);
    kept_free(gossip);
    rings_done(&gossip->rings);
    revoked_done(&gossip->revoked);
    roster_done(&gossip->roster);
    mem_free(gossip->topics);
    mem_free(gossip->work.items);
    mem_free(gossip->touched.items);
    mem_free(gossip->waiting.items);
    for (size_t i = 0; i < gossip->links_count; i++)
        principal_done(&gossip->links[i].principal);
    mem_free(gossip->links);
    mem_free(gossip->peers);
    mem_free(gossip->address);
    swim_free(gossip->swim);
    buffer_done(&gossip->message);
    mem_free(gossip);
}

/* ---- events ---- */

/* What a change in this step makes due. */
static int gossip_follow_up(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = access_revoke(step);
    if (!error)
        error = known_work(step);
    if (!error)
        error = rings_look(step);
    if (!error)
        error = leaves_work(step);
    for (int round = 0; round < WORK_ROUNDS && gossip->work.count > 0 && !error; round++)
        error = topics_work(step);
    if (!error && !gossip->isolated)
        error = digests_send(step);
    return error ? error : members_work(step);
}

static int take_digests(struct step *step, size_t peer, const struct message *message)
{
    int error = 0;
    for (size_t i = 0; i < message->digests_count && !error; i++)
        error = digest_take(step, peer, &message->digests[i]);
    return error;
}

static int take_shard(struct step *step, const struct link *link, const struct message *message,
                      enum reason *ret_reason)
{
    if (message_is_bulk(message->kind))
        pull_received(step->gossip, link->peer, message);
    *ret_reason = REASON_bad_chunk;
    if (message->kind == MESSAGE_PUSH)
        return push_take(step, link, message);
    if (message->kind == MESSAGE_PUSHED)
        return push_refused(step, link->peer, message);
    if (message->kind == MESSAGE_PULL)
        return pull_serve(step, link->peer, message);
    if (message->kind == MESSAGE_PULLED)
        return pull_take(step, link->peer, message);
    *ret_reason = REASON_bad_page;
    if (message->kind == MESSAGE_COMPARE)
        return compare_serve(step, link->peer, message);
    if (message->kind == MESSAGE_COMPARED)
        return compare_take(step, link->peer, message);
    if (message->kind >= MESSAGE_DESCEND && message->kind <= MESSAGE_DIFFERED)
        return compare_tree_message(step, link->peer, message);
    if (message->kind == MESSAGE_HOLE || message->kind == MESSAGE_FILL)
        return heal_message(step, link->peer, message);
    *ret_reason = REASON_bad_question;
    if (message->kind == MESSAGE_ASK)
        return ask_serve(step, link, message);
    if (message->kind == MESSAGE_TOLD)
        return ask_take(step, link, message);
    if (message->kind == MESSAGE_RIGHTS)
        return rights_serve(step, link->peer, message);
    if (message->kind == MESSAGE_LEAVE)
        return leave_serve(step, link->peer, message);
    if (message->kind == MESSAGE_RELIEVED)
        return leave_take(step, link->peer, message);
    *ret_reason = REASON_bad_verify;
    if (message->kind == MESSAGE_VERIFY)
        return verify_serve(step, link->peer, message);
    if (message->kind == MESSAGE_VERIFIED)
        return verify_take(step, link->peer, message);
    *ret_reason = REASON_bad_repair;
    return repair_message(step, link->peer, message);
}

/* Who is closed says so itself, behind its answers. */
static int take_swim(struct step *step, const struct link *link, const struct swim_message *swim)
{
    struct gossip *gossip = step->gossip;
    uint64_t node = gossip->peers[link->peer].node;
    for (unsigned i = 0; i < swim->updates_count && !BROKEN("left-unheard"); i++) {
        if (swim->updates[i].node != node || swim->updates[i].state != MEMBER_LEFT)
            continue;
        link_find(gossip, link->id)->left = true;
        asks_link_left(gossip, link->id);
    }
    return swim_take(gossip->swim, step->now.mono_ms, node, swim);
}

static int take_open(struct step *step, const struct link *link, const struct message *message,
                     enum reason *ret_reason)
{
    struct gossip *gossip = step->gossip;
    bool control = link->channel == CHANNEL_CONTROL;
    int error;
    *ret_reason = REASON_unexpected;
    gossip->peers[link->peer].control_heard |= control;
    if (message->kind == MESSAGE_HEARTBEAT) {
        if (control) /* the other one has none */
            gossip->peers[link->peer].clock_ms = message->what ? message->what : 1;
        return 0;
    }
    bool asks = message->kind == MESSAGE_ASK || message->kind == MESSAGE_TOLD;
    bool controls = message->kind == MESSAGE_DIGEST || message->kind == MESSAGE_INTEREST ||
                    message->kind == MESSAGE_SWIM;
    if (message->kind == MESSAGE_HELLO || (!asks && control != controls))
        return NEAP_INVALID;
    if (message->kind == MESSAGE_SWIM)
        return take_swim(step, link, message->swim);
    if (message->kind == MESSAGE_INTEREST)
        return interest_take(step, link->peer, message);
    *ret_reason = REASON_bad_shard;
    if (message->kind == MESSAGE_DIGEST)
        return take_digests(step, link->peer, message);
    enum access_verdict verdict = access_in(step, link->peer, message);
    if (verdict == ACCESS_REFUSE)
        return 0;
    gossip->store->hidden = verdict == ACCESS_HIDE ? message->shard : 0;
    error = take_shard(step, link, message, ret_reason);
    if (message->shard == gossip->system)
        gossip->revoked_stale = gossip->roster_stale = gossip->rings_stale = true;
    gossip->store->hidden = 0;
    return error;
}

static int take_message(struct step *step, const struct link *link, const struct message *message)
{
    enum reason reason = REASON_unexpected;
    int error = NEAP_INVALID;
    if (message->kind == MESSAGE_HELLO && link->state == LINK_WAITING)
        return hello_take(step, link->id, &message->hello);
    flow_took(&step->gossip->flow, step->now.mono_ms, message->kind, message->bytes.size);
    if (link->state == LINK_OPEN)
        error = take_open(step, link, message, &reason);
    if (error == NEAP_FORMAT)
        return link_drop_version(step, link->id,
                                 "sends shards in a newer form than this node reads");
    if (error == NEAP_INVALID || error == NEAP_LIMIT)
        return link_drop(step, link->id, reason);
    return error;
}

static void link_heard(struct step *step, struct link *link)
{
    link->heard_ms = step->now.mono_ms;
    if (link->peer == NO_PEER)
        return;
    step->gossip->peers[link->peer].heard_ms = step->now.mono_ms;
    step->gossip->peers[link->peer].heard_wall_ms = step->now.wall_ms;
    swim_heard(step->gossip->swim, step->now.mono_ms, step->gossip->peers[link->peer].node);
}

/* Over a slow link a message may take longer than a peer may be silent, and an answer longer than
 * it is waited for: what is on its way is neither silence nor no answer. */
static int event_progress(struct step *step, const struct net_event *event)
{
    struct link *link = link_find(step->gossip, event->link);
    if (!link || link->state != LINK_OPEN)
        return 0;
    link_heard(step, link);
    link->part = event->size;
    if (step->gossip->peers[link->peer].links[CHANNEL_BULK] == link->id)
        pulls_progress(step, link);
    return 0;
}

static int event_message(struct step *step, const struct net_event *event)
{
    struct gossip *gossip = step->gossip;
    struct link *link = link_find(gossip, event->link);
    struct message message;
    if (!link || link->state == LINK_DIALING)
        return 0; /* dropped already */
    link_heard(step, link);
    link->came += event->message.size;
    link->part = 0;
    struct slice bytes = buffer_slice(&event->message);
    int error = message_unmark(&bytes, link->version);
    if (!error)
        error = message_decode(bytes, &message);
    if (error == NEAP_NOMEM)
        return error;
    if (error)
        return link_drop(step, event->link, REASON_malformed);
    struct link copy = *link;
    uint64_t version = gossip->version_next, refusals = gossip->refusals;
    error = take_message(step, &copy, &message);
    if (!error && gossip->refusals != refusals)
        access_rest(step, event->link);
    /* Of a compare only the end changes what is known. */
    gossip->news += message.kind != MESSAGE_COMPARED || gossip->version_next != version;
    message_done(&message);
    return error;
}

static int event_up(struct step *step, const struct net_event *event)
{
    struct gossip *gossip = step->gossip;
    struct link *link = link_find(gossip, event->link);
    if (gossip->isolated && !BROKEN("isolated-accepts")) {
        gossip->counts[REASON_isolated]++;
        return outbox_close(step->outbox, event->link);
    }
    if (event->side == NET_DIALED) {
        if (!link)
            return outbox_close(step->outbox, event->link);
        int error = principal_copy(&event->principal, &link->principal);
        if (error)
            return error;
        link->state = LINK_WAITING;
        link->since_ms = link->heard_ms = step->now.mono_ms;
        return hello_send(step, link);
    }
    struct link accepted = {.id = event->link,
                            .state = LINK_WAITING,
                            .peer = NO_PEER,
                            .dialed_for = NO_PEER,
                            .since_ms = step->now.mono_ms,
                            .heard_ms = step->now.mono_ms};
    int error = principal_copy(&event->principal, &accepted.principal);
    if (!error)
        error = link_add(gossip, &accepted);
    if (error)
        principal_done(&accepted.principal);
    return error;
}

static int event_down(struct step *step, const struct net_event *event)
{
    struct gossip *gossip = step->gossip;
    const struct link *link = link_find(gossip, event->link);
    if (!link)
        return 0;
    size_t peer = link->peer != NO_PEER ? link->peer : link->dialed_for;
    if (peer != NO_PEER)
        peer_error(&gossip->peers[peer], event->reason);
    trace(gossip->trace, "%s: link down, %s", peer_text(gossip, peer), event->reason);
    return link_forget(step, event->link);
}

int gossip_event(struct gossip *gossip, struct now now, const struct net_event *event,
                 struct batch *batch, struct outbox *outbox)
{
    struct step step = {gossip, now, batch, outbox};
    int error = 0;
    gossip->now_ms = now.mono_ms;
    if (event->side == NET_CLIENT)
        return 0;
    switch (event->kind) {
    case NET_UP:
        gossip->news++;
        error = event_up(&step, event);
        break;
    case NET_MESSAGE:
        error = event_message(&step, event);
        break;
    case NET_DOWN:
        gossip->news++;
        error = event_down(&step, event);
        break;
    case NET_PROGRESS:
        error = event_progress(&step, event);
        break;
    }
    return error ? error : gossip_follow_up(&step);
}

uint64_t gossip_news(const struct gossip *gossip)
{
    return gossip->news;
}

bool gossip_rests(struct gossip *gossip, uint64_t link_id)
{
    const struct link *link = link_find(gossip, link_id);
    return link && link->ready_at != 0;
}

int gossip_tick(struct gossip *gossip, struct now now, struct batch *batch, struct outbox *outbox)
{
    struct step step = {gossip, now, batch, outbox};
    gossip->now_ms = now.mono_ms;
    if (!gossip->began_ms)
        gossip->began_ms = now.mono_ms;
    asks_tick(&step);
    swim_tick(gossip->swim, now.mono_ms);
    if (gossip->isolated)
        return members_work(&step);
    int error = links_tick(&step);
    if (!error)
        error = known_tick(gossip);
    if (!error)
        error = peers_tick(&step);
    if (!error)
        error = topics_tick(&step);
    if (!error)
        error = verifies_tick(&step);
    if (!error)
        error = wants_send(&step);
    return error ? error : gossip_follow_up(&step);
}

uint64_t gossip_deadline(const struct gossip *gossip)
{
    uint64_t deadlines[] = {asks_deadline(gossip),
                            swim_deadline(gossip->swim),
                            links_deadline(gossip),
                            peers_deadline(gossip),
                            digests_deadline(gossip),
                            gossip->wake_at ? gossip->wake_at : UINT64_MAX,
                            gossip->work.count > 0 ? 0 : UINT64_MAX,
                            gossip->wanting ? 0 : UINT64_MAX,
                            verifies_deadline(gossip),
                            leaves_deadline(gossip)};
    /* Who is isolated only waits, for the first two. */
    size_t count = gossip->isolated ? 2 : sizeof deadlines / sizeof *deadlines;
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < count; i++)
        deadline = deadlines[i] < deadline ? deadlines[i] : deadline;
    return deadline;
}

/* ---- local events ---- */

void gossip_touched(struct gossip *gossip, uint64_t shard)
{
    struct topic *topic;
    if (shard == gossip->system)
        gossip->revoked_stale = gossip->roster_stale = gossip->rings_stale = true;
    if (topic_get(gossip, shard, &topic) || topic_touch(gossip, topic))
        gossip->touched_all = true;
    else
        topic_changed(gossip, topic);
}

void gossip_awaited(struct gossip *gossip, uint64_t shard)
{
    struct topic *topic = topic_find(gossip, shard);
    if (topic)
        topic->awaited = true;
}

static int touch_all(struct gossip *gossip)
{
    int error = 0;
    for (size_t i = 0; i < gossip->store->shards_count && !error; i++) {
        struct topic *topic;
        error = topic_get(gossip, gossip->store->shards[i]->id, &topic);
        if (!error)
            error = topic_touch(gossip, topic);
        if (!error)
            topic_changed(gossip, topic);
    }
    if (!error)
        gossip->touched_all = false;
    return error;
}

void gossip_tree_changed(struct gossip *gossip, uint64_t shard)
{
    struct topic *topic = topic_find(gossip, shard);
    if (!topic)
        return;
    topic_changed(gossip, topic);
    /* Whoever differed may not any more, or others do: that takes two ticks anyway. */
    topic_wake(gossip, topic, gossip->now_ms + gossip->options.heartbeat_ms);
}

/* Nobody can be pushed to in a shard that it was not told of. */
static int tell_of_topic(struct gossip *gossip, struct topic *topic)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair;
        if (!gossip->peers[i].links[CHANNEL_CONTROL] || !access_shares(gossip, i, topic->shard) ||
            !topic_is_told(gossip, topic, i))
            continue;
        int error = topic_get_pair(topic, i, &pair);
        if (error)
            return error;
        if (!pair->told)
            pair_wants_digest(gossip, pair, i);
    }
    return 0;
}

static int flush_topic(struct step *step, struct topic *topic)
{
    struct gossip *gossip = step->gossip;
    struct shard *shard = store_find(gossip->store, topic->shard);
    if (!shard)
        return 0;
    int error = equal_work(step, topic, shard);
    if (!error)
        error = tell_of_topic(gossip, topic);
    if (!error)
        error = release_work(step, topic, shard);
    if (!error)
        error = push_work(step, topic, shard);
    error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    if (!error && shard_log_count(shard) > gossip->options.log_max)
        error = topic_queue(gossip, topic);
    return error;
}

int gossip_flush(struct gossip *gossip, struct now now, struct batch *batch, struct outbox *outbox)
{
    struct step step = {gossip, now, batch, outbox};
    int error = gossip->touched_all ? touch_all(gossip) : 0;
    gossip->now_ms = now.mono_ms;
    for (size_t i = 0; i < gossip->peers_count; i++)
        gossip->peers[i].pushed_bytes = 0;
    while (!error && gossip->touched.count > 0) {
        struct topic *topic = gossip->touched.items[--gossip->touched.count];
        topic->touched = false;
        error = flush_topic(&step, topic);
    }
    if (!error)
        error = wants_send(&step);
    return error ? error : gossip_follow_up(&step);
}

void gossip_send_failed(struct gossip *gossip, uint64_t id, int code)
{
    struct link *link = link_find(gossip, id);
    gossip->counts[REASON_not_sent]++;
    if (link && link->state == LINK_DIALING)
        link->failed = true;
    if (!link || link->peer == NO_PEER)
        return;
    size_t peer = link->peer;
    trace(gossip->trace, "%s: not sent, %s", peer_text(gossip, peer), error_name(code));
    if (gossip->peers[peer].links[link->channel] != id)
        return;
    peer_lost_messages(gossip, peer, link->channel);
    asks_link_ended(gossip, id, ASK_LOST); /* it may have been a question */
    for (size_t i = 0; i < gossip->topics_count && link->channel == CHANNEL_BULK; i++) {
        struct topic *topic = gossip->topics[i];
        if (topic->pull.state == PULL_NONE || topic->pull.peer != peer)
            continue;
        topic->pull.deadline = 0; /* it may have been the question */
        topic_wake(gossip, topic, 1);
    }
}

/* ---- questions ---- */

size_t peer_visible(const struct gossip *gossip, size_t index)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (peer_is_member(gossip, i) && index-- == 0)
            return i;
    }
    return NO_PEER;
}

size_t gossip_peers(const struct gossip *gossip)
{
    size_t count = 0;
    for (size_t i = 0; i < gossip->peers_count; i++)
        count += peer_is_member(gossip, i);
    return count;
}

const struct revoked *gossip_revoked(const struct gossip *gossip, uint64_t *ret_version)
{
    *ret_version = gossip->revoked_version;
    return &gossip->revoked;
}

const char *gossip_refused(const struct gossip *gossip)
{
    return gossip->refused[0] ? gossip->refused : NULL;
}

static uint64_t peer_lag(const struct gossip *gossip, size_t peer)
{
    uint64_t lag = 0;
    for (size_t i = 0; i < gossip->topics_count; i++) {
        const struct topic *topic = gossip->topics[i];
        const struct pair *pair = topic_pair(topic, peer);
        const struct shard *shard = store_find(gossip->store, topic->shard);
        if (!shard || !access_reads(gossip, peer, shard->name) ||
            !peer_wants(gossip, peer, shard->name))
            continue;
        uint64_t counter = context_get(&shard->context, shard->replica);
        uint64_t theirs = pair && pair->known ? context_get(&pair->context, shard->replica) : 0;
        lag += counter > theirs ? counter - theirs : 0;
    }
    return lag;
}

void gossip_peer_status(const struct gossip *gossip, size_t index, struct peer_status *ret_status)
{
    struct peer_status status = {0};
    size_t found = peer_visible(gossip, index);
    if (found != NO_PEER) {
        const struct peer *peer = &gossip->peers[found];
        snprintf(status.address, sizeof status.address, "%s", peer->address);
        snprintf(status.last_error, sizeof status.last_error, "%s", peer->last_error);
        status.node = peer->met ? peer->node : 0;
        status.named = peer->named;
        status.retired = known_is_retired(gossip, found);
        status.connected = peer_is_up(gossip, found);
        status.heard_ms = peer->heard_ms;
        status.pushes = peer->pushes;
        status.pulls = peer->pulls;
        status.compares = peer->compares;
        status.behind = peer->behind;
        status.lag = peer_lag(gossip, found);
        status.votes = gossip_votes(gossip, found);
        status.refused = peer->refused;
        principal_text(&peer->principal, status.principal);
        members_status(gossip, peer, &status);
    }
    *ret_status = status;
}

/* ---- isolation ---- */

int gossip_isolate(struct gossip *gossip, bool isolated, struct outbox *outbox)
{
    struct step step = {gossip, {0}, NULL, outbox};
    int error = 0;
    if (isolated == gossip->isolated)
        return 0;
    while (isolated && gossip->links_count > 0 && !error)
        error = link_drop(&step, gossip->links[gossip->links_count - 1].id, REASON_isolated);
    if (error)
        return error;
    gossip->isolated = isolated;
    trace(gossip->trace, "%s", isolated ? "isolated" : "no longer isolated");
    for (size_t i = 0; i < gossip->peers_count; i++) {
        for (unsigned channel = 0; channel < CHANNELS; channel++) {
            gossip->peers[i].dial_at[channel] = 0;
            gossip->peers[i].backoff_ms[channel] = BACKOFF_MS_MIN;
        }
    }
    return 0;
}
