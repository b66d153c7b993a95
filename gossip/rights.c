/* Rights of bounded counters that are elsewhere (docs/decisions/0074): a node that could not spend
 * asks the peer that has most of them, which gives by an event of its own. Nothing is answered:
 * what was given comes as events do. Both sides are bounded. */
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "crdt/bounded.h"
#include "gossip/state.h"
#include "store/slot.h"

/* ---- asking ---- */

static bool want_is(const struct want *want, uint64_t shard, struct slice path)
{
    return want->shard == shard && slice_equal(buffer_slice(&want->path), path);
}

/* That of the counter; else one that has rested. NULL: there is none. */
static struct want *want_find(struct gossip *gossip, uint64_t now_ms, uint64_t shard,
                              struct slice path)
{
    struct want *found = NULL;
    for (size_t i = 0; i < WANTS_MAX; i++) {
        struct want *want = &gossip->wants[i];
        if (want->path.size && want_is(want, shard, path))
            return want;
        if (!found && !want->amount && now_ms >= want->again_ms)
            found = want;
    }
    return found;
}

void gossip_want(struct gossip *gossip, struct now now, uint64_t shard, struct slice path,
                 uint64_t amount)
{
    struct want *want = want_find(gossip, now.mono_ms, shard, path);
    if (!want || now.mono_ms < want->again_ms)
        return;
    if (!want->path.size_max)
        buffer_init(&want->path, NEAP_PATH_MAX);
    if (buffer_set(&want->path, path))
        return; /* whoever tries again asks again */
    want->shard = shard;
    want->amount = amount;
    gossip->wanting = true;
}

/* Who has most of them, as far as this node knows. */
static int want_peer(struct step *step, const struct topic *topic, const struct cell *cell,
                     size_t *ret_peer)
{
    struct gossip *gossip = step->gossip;
    int64_t most = 0;
    size_t best = NO_PEER;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = topic_open_pair(gossip, topic, i);
        struct rights rights;
        if (!pair || !pair->replica)
            continue;
        int error = bounded_rights(cell, pair->replica, NULL, 0, &rights);
        if (error)
            return error;
        if (rights.here > most) {
            most = rights.here;
            best = i;
        }
    }
    *ret_peer = best;
    return 0;
}

static int want_send(struct step *step, const struct want *want)
{
    struct gossip *gossip = step->gossip;
    const struct topic *topic = topic_find(gossip, want->shard);
    struct view view = batch_view(step->batch);
    struct message message;
    struct buffer bytes;
    struct cell cell;
    size_t peer = NO_PEER;
    if (!topic)
        return 0;
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    int error =
        cell_read(&view, want->shard, want->shard, buffer_slice(&want->path), &bytes, &cell);
    if (!error)
        error = want_peer(step, topic, &cell, &peer);
    if (!error && peer != NO_PEER) {
        message_init(&message);
        message.kind = MESSAGE_RIGHTS;
        message.shard = want->shard;
        message.what = want->amount;
        message.bytes = buffer_slice(&want->path);
        error = link_send(step, gossip->peers[peer].links[CHANNEL_BULK], &message, false);
        gossip->counts[REASON_rights_asked]++;
    }
    cell_done(&cell);
    buffer_done(&bytes);
    return error;
}

/* What can't be asked now, the next try asks. */
int wants_send(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    if (!gossip->wanting)
        return 0;
    gossip->wanting = false;
    for (size_t i = 0; i < WANTS_MAX; i++) {
        struct want *want = &gossip->wants[i];
        if (!want->amount)
            continue;
        if (!error)
            error = want_send(step, want);
        want->amount = 0;
        want->again_ms = step->now.mono_ms + WANT_AGAIN_MS;
    }
    return error == NEAP_IO || error == NEAP_NOMEM ? error : 0;
}

void wants_free(struct gossip *gossip)
{
    for (size_t i = 0; i < WANTS_MAX; i++)
        buffer_done(&gossip->wants[i].path);
}

/* ---- giving ---- */

/* What is asked for, or half of what there is if that is more: so that it is not asked for unit by
 * unit. */
static int64_t rights_to_give(int64_t here, uint64_t asked)
{
    if (here < 1)
        return 0;
    if (asked >= (uint64_t)here)
        return here;
    return (int64_t)asked > here / 2 ? (int64_t)asked : here / 2;
}

static int rights_give(struct step *step, struct shard *shard, const struct pair *pair,
                       const struct message *message, bool *ret_given)
{
    struct view view = batch_view(step->batch);
    struct op op = {.kind = OP_BOUNDED_GIVE, .also = (int64_t)pair->replica};
    uint64_t mine[FORMERS_MAX];
    size_t mine_count;
    struct rights rights = {0};
    struct buffer bytes;
    struct cell cell;
    struct dot dot = {0};
    if (!shard_spends(shard, mine, &mine_count))
        return 0;
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    int error = cell_read(&view, shard->id, shard->id, message->bytes, &bytes, &cell);
    if (!error)
        error = bounded_rights(&cell, shard->replica, mine, mine_count, &rights);
    op.number = error ? 0 : rights_to_give(rights.here, message->what);
    if (!error && op.number > 0)
        error = shard_write(shard, step->batch, shard->id, message->bytes, &op, &dot);
    cell_done(&cell);
    buffer_done(&bytes);
    *ret_given = !error && dot.n > 0;
    return error == NEAP_NORIGHTS ? 0 : error;
}

int rights_serve(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    struct shard *shard = store_find(gossip->store, message->shard);
    struct tokens *tokens = &gossip->peers[peer].rights;
    enum neap_type type;
    bool given = false;
    if (path_check(message->bytes, &type) || type != NEAP_BOUNDED || !message->what)
        return NEAP_INVALID;
    if (!tokens->rate)
        tokens_init(tokens, RIGHTS_A_SECOND, RIGHTS_A_SECOND);
    /* A shard that is about to take another id does so first, with the next write of a caller. */
    if (!pair || !pair->replica || !shard || topic->due || pair->replica == shard->replica ||
        tokens_at(tokens, step->now.mono_ms, 0) > step->now.mono_ms)
        return 0;
    tokens_take(tokens, step->now.mono_ms, 1);
    int error = rights_give(step, shard, pair, message, &given);
    if (given) {
        gossip->counts[REASON_rights_given]++;
        gossip_touched(gossip, shard->id);
    }
    return topic_fault(step, topic, shard, error, FAULT_GIVING);
}
