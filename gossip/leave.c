/* A shard that this node does not subscribe to any more goes, when somebody else has all of it
 * (docs/decisions/0093): its rights of bounded counters are given away, what only it has is told as
 * ever, and then a node that subscribes is asked whether it has it all, and stays. Nothing is taken
 * meanwhile, and no event is made for it. */
#include "base/broken.h"
#include "base/error.h"
#include "crdt/bounded.h"
#include "gossip/holders.h"
#include "gossip/state.h"
#include "store/keys.h"

enum { LEAVE_TURN_MS = 20, LEAVE_ASK_MS = 500, LEAVE_CELLS = 1024 };

/* ---- what is known to be elsewhere ---- */

/* Those who keep the shard. */
struct heirs {
    unsigned count;    /* whether they can be reached or not */
    unsigned covering; /* are known to have all of it */
    unsigned relieved; /* have said so when they were asked, and that they stay */
    size_t best;       /* one that has it all; else any that could. NO_PEER: there is none */
};

/* Of a slot of a ring its owners in the newest layout are to have it: those of older ones hand it
 * on, too. NULL: no slot. */
static const struct layout *leave_layout(const struct gossip *gossip, const struct topic *topic,
                                         unsigned *ret_slot)
{
    const struct ring *ring = rings_shard(&gossip->rings, topic->shard, ret_slot);
    return ring && !BROKEN("drop-by-met") ? &ring_newest(ring)->layout : NULL;
}

/* Who can take over: not a device, and it stays. */
static bool is_heir(const struct gossip *gossip, const struct topic *topic, size_t peer)
{
    unsigned slot;
    const struct layout *layout = leave_layout(gossip, topic, &slot);
    return gossip_votes(gossip, peer) && topic_is_wanted(gossip, topic, peer) &&
           (!layout || layout_owns(layout, slot, gossip->peers[peer].node));
}

static const struct pair *heir_at(const struct gossip *gossip, const struct topic *topic,
                                  size_t peer)
{
    const struct pair *pair = topic_open_pair(gossip, topic, peer);
    bool ready = pair && pair->known && pair->replica && is_heir(gossip, topic, peer);
    return ready ? pair : NULL;
}

/* With what cells know beyond it. */
static int leave_context(const struct shard *shard, struct context *ret_context)
{
    int error = context_copy(ret_context, &shard->context);
    for (size_t i = 0; i < shard->residues_count && !error; i++)
        error = context_join(ret_context, &shard->residues[i].context);
    return error;
}

/* Its yes is as good as the link that it came by: whoever goes back in time has another one. */
static bool pair_relieves(const struct gossip *gossip, const struct pair *pair, size_t peer)
{
    return pair->relieved && pair->relieved == gossip->peers[peer].links[CHANNEL_BULK];
}

static struct heirs heirs_of(const struct gossip *gossip, const struct topic *topic,
                             const struct context *all)
{
    struct heirs heirs = {.best = NO_PEER};
    bool best_covers = false;
    unsigned slot;
    const struct layout *layout = leave_layout(gossip, topic, &slot);
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = heir_at(gossip, topic, i);
        heirs.count += is_heir(gossip, topic, i);
        bool covers = pair && context_covers(&pair->context, all);
        heirs.covering += covers;
        heirs.relieved += covers && pair_relieves(gossip, pair, i);
        if (pair && (heirs.best == NO_PEER || (covers && !best_covers))) {
            heirs.best = i;
            best_covers = covers;
        }
    }
    /* Those count, too, whom this node has not met since it was started. */
    if (layout)
        heirs.count = layout->n;
    return heirs;
}

/* What a quorum had is to be with a quorum of those who stay: whoever asks one sees it as before.
 */
static bool are_enough(const struct heirs *heirs, unsigned have)
{
    return have > 0 && (have > heirs->count / 2 || BROKEN("drop-by-one"));
}

uint64_t gossip_unshared(const struct gossip *gossip, const struct shard *shard)
{
    const struct topic *topic = topic_find(gossip, shard->id);
    uint64_t events = 0;
    for (size_t i = 0; i < shard->context.count; i++) {
        const struct context_entry *entry = &shard->context.entries[i];
        uint64_t most = 0;
        for (size_t k = 0; topic && k < gossip->peers_count; k++) {
            const struct pair *pair = topic_pair(topic, k);
            uint64_t n = pair && pair->known && !access_is_limited(gossip, k) &&
                                 topic_is_wanted(gossip, topic, k)
                             ? context_get(&pair->context, entry->id)
                             : 0;
            most = n > most ? n : most;
        }
        events += entry->n > most ? entry->n - most : 0;
    }
    return events;
}

/* ---- rights ---- */

static int rights_give_all(struct step *step, struct shard *shard, const struct pair *heir,
                           struct slice key, bool *ret_wait)
{
    uint64_t bucket = key_cell_bucket(key);
    struct slice path = key_cell_path(key);
    struct view view = batch_view(step->batch);
    struct op op = {.kind = OP_BOUNDED_GIVE, .also = (int64_t)heir->replica};
    uint64_t mine[FORMERS_MAX];
    size_t mine_count = 0;
    struct rights rights = {0};
    struct buffer bytes;
    struct cell cell;
    struct dot dot = {0};
    bool spends = shard_spends(shard, mine, &mine_count);
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    int error = cell_read(&view, shard->id, bucket, path, &bytes, &cell);
    if (!error)
        error = bounded_rights(&cell, shard->replica, mine, mine_count, &rights);
    op.number = rights.here;
    if (!error && op.number > 0 && !spends)
        *ret_wait = true;
    else if (!error && op.number > 0)
        error = shard_write(shard, step->batch, bucket, path, &op, &dot);
    cell_done(&cell);
    buffer_done(&bytes);
    return error == NEAP_NORIGHTS ? 0 : error;
}

/* The bounded counters among the next cells; an empty cursor: at the end. */
static int rights_find(const struct view *view, const struct shard *shard, struct buffer *cursor,
                       struct buffer *page)
{
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    size_t seen = 0;
    key_cells_range(&from, &end, shard->id, buffer_slice(cursor), slice_of(NULL, 0));
    buffer_clear(cursor);
    int error = view_scan(view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        enum neap_type type;
        struct slice after = slice_of(key.data + 8, key.size - 8);
        if (seen++ == LEAVE_CELLS)
            error = buffer_append(cursor, after);
        else if (!path_check(key_cell_path(key), &type) && type == NEAP_BOUNDED)
            error = key_page_add(page, key);
        if (error || cursor->size)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

static int leave_rights(struct step *step, struct topic *topic, struct shard *shard,
                        const struct pair *heir)
{
    struct view view = batch_view(step->batch);
    struct leave *leave = &topic->leave;
    struct buffer page;
    struct slice key;
    size_t at = 0;
    int error = gossip_before_write(step->gossip, step->now, shard->id, step->batch);
    if (!leave->cursor.size_max)
        buffer_init(&leave->cursor, KEY_CURSOR_MAX);
    buffer_init(&page, LEAVE_CELLS * (KEY_SIZE_MAX + 16));
    uint64_t before = context_get(&shard->context, shard->replica);
    if (!error)
        error = rights_find(&view, shard, &leave->cursor, &page);
    while (!error && key_page_next(&page, &at, &key))
        error = rights_give_all(step, shard, heir, key, &leave->waits);
    buffer_done(&page);
    if (context_get(&shard->context, shard->replica) != before)
        gossip_touched(step->gossip, shard->id);
    if (error || leave->cursor.size)
        return error;
    leave->given = !leave->waits;
    leave->waits = false;
    return 0;
}

/* ---- the end ---- */

int gossip_drop(struct gossip *gossip, uint64_t id, struct batch *batch)
{
    struct topic *topic = topic_find(gossip, id);
    if (topic)
        pull_stop(gossip, topic);
    int error = store_drop(gossip->store, batch, id);
    if (error)
        return error;
    if (topic)
        topic_forget(gossip, topic);
    gossip->counts[REASON_dropped]++;
    gossip->news++;
    return 0;
}

/* All that have it and have not said so yet. */
static int leave_ask(struct step *step, struct topic *topic, const struct context *all)
{
    struct gossip *gossip = step->gossip;
    struct leave *leave = &topic->leave;
    struct message message;
    int error = 0;
    if (step->now.mono_ms < leave->ask_after)
        return 0;
    if (!leave->session || !context_covers(&leave->asked, all)) {
        error = context_copy(&leave->asked, all);
        leave->session = ++gossip->session_next;
        for (size_t i = 0; i < gossip->peers_count; i++) {
            struct pair *pair = topic_pair(topic, i);
            if (pair)
                pair->relieved = 0;
        }
    }
    message_init(&message);
    message.kind = MESSAGE_LEAVE;
    message.shard = topic->shard;
    message.session = leave->session;
    message.since = *all; /* borrowed: not message_done() */
    leave->ask_after = step->now.mono_ms + LEAVE_ASK_MS;
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        const struct pair *pair = heir_at(gossip, topic, i);
        if (pair && context_covers(&pair->context, all) && !pair_relieves(gossip, pair, i))
            error = link_tell(step, gossip->peers[i].links[CHANNEL_BULK], &message, true);
    }
    return error;
}

/* As of what it has now. */
static bool is_relieved(const struct topic *topic, const struct shard *shard,
                        const struct heirs *heirs, const struct context *all)
{
    bool empty = !shard->context.count && !shard->residues_count;
    bool asked = topic->leave.session && context_covers(&topic->leave.asked, all);
    return empty || (asked && are_enough(heirs, heirs->relieved)) || BROKEN("drop-unshared");
}

static int leave_shard(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct context all = {0};
    uint64_t removed;
    int error = leave_context(shard, &all);
    struct heirs heirs = heirs_of(gossip, topic, &all);
    if (!error && is_relieved(topic, shard, &heirs, &all)) {
        trace(gossip->trace, "%s: dropped", shard->name);
        error = gossip_drop(gossip, shard->id, step->batch);
        context_done(&all);
        return error;
    }
    if (!error && !topic->leave.given && BROKEN("drop-removes"))
        error = shard_remove(shard, step->batch, shard->id, slice_of(NULL, 0), NULL, &removed);
    if (!error && heirs.best != NO_PEER && !topic->leave.given) {
        error = leave_rights(step, topic, shard, heir_at(gossip, topic, heirs.best));
        /* What a damaged file took others have, as they have all: but for whose the rights were. */
        if (error == NEAP_CORRUPT && shard->holes_count && are_enough(&heirs, heirs.covering)) {
            topic->leave.given = true;
            error = 0;
        }
    } else if (!error && are_enough(&heirs, heirs.covering)) {
        error = leave_ask(step, topic, &all);
    }
    context_done(&all);
    return error;
}

int leaves_work(struct step *step)
{
    struct gossip *gossip = step->gossip;
    struct store *store = gossip->store;
    int error = 0;
    if (!store->unwanted_count || !step->batch || step->now.mono_ms < gossip->leave_at)
        return 0;
    gossip->leave_at = step->now.mono_ms + LEAVE_TURN_MS;
    for (size_t i = store->shards_count; i-- > 0 && !error;) {
        struct shard *shard = store->shards[i];
        struct topic *topic = NULL;
        if (!shard->unwanted)
            continue;
        error = topic_get(gossip, shard->id, &topic);
        if (!error)
            error = leave_shard(step, topic, shard);
        if (error == NEAP_LIMIT || error == NEAP_CORRUPT) /* it stays; an operator may force it */
            error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    }
    return error;
}

uint64_t leaves_deadline(const struct gossip *gossip)
{
    return gossip->store->unwanted_count ? gossip->leave_at : UINT64_MAX;
}

/* ---- messages ---- */

/* A yes is a promise: what it names is here, durable, and does not go before somebody else has said
 * the same. */
int leave_serve(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    const struct shard *shard = store_find(gossip->store, message->shard);
    struct message answer;
    message_answer(&answer, MESSAGE_RELIEVED, message);
    if (!shard || shard->unwanted)
        answer.code = NEAP_NOTFOUND;
    else if (shard->holes_count || shard->session.id ||
             !context_covers(&shard->context, &message->since))
        answer.code = NEAP_STALE;
    return answer_send(step, peer, &answer);
}

int leave_take(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct pair *pair = topic ? topic_pair(topic, peer) : NULL;
    if (!pair || !topic->leave.session || topic->leave.session != message->session)
        return 0;
    pair->relieved = message->code ? 0 : gossip->peers[peer].links[CHANNEL_BULK];
    gossip->leave_at = pair->relieved ? 0 : gossip->leave_at;
    return 0;
}
