/* Design 2, rule 9: a directory that was rolled back in place does not know it. Whoever has seen
 * the future that it lost would take its new events for old ones. So events that were made since
 * the directory was opened, under a replica id that is older than that, are told to nobody until
 * every member has said what it saw of the id; and when one of them is not there to say so, they
 * get a replica id that nobody can have seen. */
#include "gossip/state.h"

#include "base/broken.h"
#include "base/error.h"
#include "store/hole.h"
#include "store/keys.h"
#include "store/slot.h"

int shard_told(const struct shard *shard, struct context *ret_context)
{
    int error = context_copy(ret_context, &shard->context);
    if (!error && !shard_released(shard) && !BROKEN("tells-unreleased"))
        context_clip(ret_context, shard->replica, shard->opened_at, shard->opened_nonce);
    return error;
}

/* Where this directory is leaving the id, whoever may yet be confirmed under it goes first. */
static bool goes_first(const struct shard *shard, const struct pair *pair)
{
    return shard->leaving && pair->open && pair->goes_first && pair->replica == shard->replica &&
           !BROKEN("overtakes");
}

/* How many members have the shard open, and how many there are; those that go first are not among
 * the former. */
static size_t members_open(const struct gossip *gossip, const struct topic *topic,
                           const struct shard *shard, size_t *ret_members, size_t *ret_first)
{
    size_t members = 0, open = 0, first = 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = topic_pair(topic, i);
        if (!topic_has_holder(gossip, topic, i))
            continue;
        members++;
        if (!pair || !pair->open || !gossip->peers[i].links[CHANNEL_CONTROL])
            continue;
        if (goes_first(shard, pair))
            first++;
        else
            open++;
    }
    *ret_members = members;
    *ret_first = first;
    return open;
}

/* Is there room for more ids? The old one goes when nothing of it was told. */
static bool release_has_room(const struct shard *shard)
{
    bool leaves =
        !shard->confirmed && !shard->opened_at && context_get(&shard->context, shard->replica);
    return shard->context.count - leaves + shard_redot_ids(shard) <= CONTEXT_IDS_MAX;
}

static int release_fault(struct step *step, struct topic *topic, const struct shard *shard,
                         int error)
{
    topic->redot_after = topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    topic_wake(step->gossip, topic, topic->redot_after);
    return topic_fault(step, topic, shard, error, FAULT_KEEPING);
}

/* Where there is no room for another id, or it fails, the old one stays, and nothing of it is told
 * before all members have confirmed it. */
static int release_redot(struct step *step, struct topic *topic, struct shard *shard,
                         const char *why)
{
    struct gossip *gossip = step->gossip;
    uint64_t count = context_get(&shard->context, shard->replica) - shard->opened_at;
    /* Holes are filled all the same: re-dotting may wait for that. */
    if (topic->pull.state != PULL_HOLES)
        pull_stop(gossip, topic);
    if (step->now.mono_ms < topic->redot_after)
        return 0;
    int error = release_has_room(shard) ? shard_redot(shard, step->batch) : NEAP_LIMIT;
    if (error)
        return release_fault(step, topic, shard, error);
    topic_well(topic, FAULT_KEEPING);
    topic_set_due(gossip, topic, false);
    topic->redot_why = NULL;
    gossip->counts[REASON_redotted]++;
    trace(gossip->trace, "%s: new replica id, %s, %llu events", shard->name, why,
          (unsigned long long)count);
    topic_changed(gossip, topic);
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair = topic_pair(topic, i);
        if (!pair)
            continue;
        pair->open = false;
        pair->sent = 0;
        pair->behind = false;
        if (pair->replica)
            pair_wants_digest(gossip, pair, i);
    }
    error = topic_touch(gossip, topic);
    return error ? error : topic_queue(gossip, topic);
}

/* What shows that it is another's history now may not be said again: if it fails, it is tried until
 * it is done. */
static int release_disowned(struct step *step, struct topic *topic, struct shard *shard,
                            const char *why)
{
    topic->redot_why = why;
    shard_disown(shard);
    return release_redot(step, topic, shard, why);
}

/* What one event adds to the batch that would re-dot it, at most. */
static int event_size(const struct view *view, const struct shard *shard, uint64_t n,
                      struct buffer *value, uint64_t *ret_size)
{
    struct log_entry entry;
    struct key key;
    key_log(&key, shard->id, (struct dot){shard->replica, n});
    int error = view_get(view, DISK_LOG, key_slice(&key), value);
    if (!error)
        error = log_entry_read(key_slice(&key), buffer_slice(value), &entry);
    if (error)
        return error == NEAP_NOTFOUND ? NEAP_CORRUPT : error;
    key_cell(&key, shard->id, entry.bucket, entry.path);
    uint64_t size = 2 * key.size;
    error = view_get(view, DISK_CELLS, key_slice(&key), value);
    *ret_size = size + (error ? 0 : value->size);
    return error == NEAP_NOTFOUND ? 0 : error;
}

/* Is so much unconfirmed that re-dotting it will soon be too much for one batch? */
static int release_measure(struct step *step, struct topic *topic, const struct shard *shard,
                           bool *ret_much)
{
    struct view view = batch_view(step->batch);
    view.disk = disk_holes_under(view.disk);
    uint64_t counter = context_get(&shard->context, shard->replica), size;
    struct unreleased *held = &topic->unreleased;
    struct buffer value;
    int error = 0;
    if (held->replica != shard->replica || held->to < shard->opened_at)
        *held = (struct unreleased){.replica = shard->replica, .to = shard->opened_at};
    buffer_init(&value, STORED_SIZE_MAX);
    while (held->to < counter && held->bytes <= UNRELEASED_BYTES_MAX && !error) {
        error = event_size(&view, shard, held->to + 1, &value, &size);
        if (!error) {
            held->to++;
            held->bytes += size;
        }
    }
    buffer_done(&value);
    *ret_much = counter - shard->opened_at >= UNRELEASED_MAX || held->bytes > UNRELEASED_BYTES_MAX;
    return error;
}

/* Some members are here, some are not. What was written is not kept from those who are; and where
 * nothing was, the next write takes the id, if there is one: ids are not for nothing. */
static int release_wait(struct step *step, struct topic *topic, struct shard *shard)
{
    if (!topic->release_at)
        topic->release_at = step->now.mono_ms + RELEASE_WAIT_MS;
    if (step->now.mono_ms < topic->release_at || BROKEN("release-waits")) {
        topic_wake(step->gossip, topic, topic->release_at);
        return 0;
    }
    if (!shard_released(shard))
        return release_redot(step, topic, shard, "not all confirmed it");
    topic_set_due(step->gossip, topic, true);
    return 0;
}

/* Only my own ids have ever written here. */
static bool is_only_mine(const struct shard *shard)
{
    for (size_t i = 0; i < shard->context.count; i++) {
        bool mine = shard->context.entries[i].id == shard->replica;
        for (size_t k = 0; k < shard->formers_count && !mine; k++)
            mine = shard->formers[k].id == shard->context.entries[i].id;
        if (!mine)
            return false;
    }
    return true;
}

/* Has this opening once had all that each member said to have? Then it knows of whatever a future
 * that it has lost made of the rights of its ids, if that was told (docs/decisions/0074). */
static void release_meet(const struct gossip *gossip, const struct topic *topic,
                         struct shard *shard)
{
    size_t members = 0, met = 0;
    if (shard->proof == PROOF_MET)
        return;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair = topic_pair(topic, i);
        if (!topic_has_holder(gossip, topic, i))
            continue;
        members++;
        if (!pair)
            continue;
        if (pair->open && pair->known && !pair_has_more(gossip, pair, i, shard, &pair->context))
            pair->met = true;
        met += pair->met;
    }
    shard->proof = PROOF_NONE;
    if (members > 0 && (met == members || (met > 0 && BROKEN("bounded-meets-one"))))
        shard->proof = PROOF_MET;
    if (members == 0 && is_only_mine(shard))
        shard->proof = PROOF_ALONE;
}

int release_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    size_t members, open, first;
    bool much = false;
    release_meet(gossip, topic, shard);
    if (topic->redot_why && step->now.mono_ms >= topic->redot_after)
        return release_redot(step, topic, shard, topic->redot_why);
    if (topic->redot_why)
        topic_wake(gossip, topic, topic->redot_after);
    if (shard->confirmed || topic->redot_why) {
        topic_set_due(gossip, topic, false);
        return 0;
    }
    open = members_open(gossip, topic, shard, &members, &first);
    if (shard->leaving && open == members && open > 0)
        return release_redot(step, topic, shard, "not the first directory");
    if (open > 0 && (open == members || BROKEN("confirm-alone"))) {
        int error = shard_confirm(shard, step->batch);
        if (error)
            return error;
        trace(gossip->trace, "%s: replica id confirmed", shard->name);
        topic_well(topic, FAULT_KEEPING);
        topic_set_due(gossip, topic, false);
        topic_changed(gossip, topic);
        return topic_touch(gossip, topic);
    }
    int error = release_measure(step, topic, shard, &much);
    if (error)
        return error;
    topic_set_due(gossip, topic, much);
    if (open > 0 && first == 0)
        return release_wait(step, topic, shard);
    topic->release_at = 0;
    return 0;
}

bool gossip_has_due(const struct gossip *gossip)
{
    return gossip->due_count > 0;
}

int gossip_before_write(struct gossip *gossip, struct now now, uint64_t id, struct batch *batch)
{
    struct step step = {gossip, now, batch, NULL};
    struct topic *topic = topic_find(gossip, id);
    struct shard *shard = store_find(gossip->store, id);
    if (!topic || !shard || !topic->due)
        return 0;
    return release_redot(&step, topic, shard,
                         shard_released(shard) ? "not all confirmed it" : "much is unconfirmed");
}

int gossip_release(struct gossip *gossip, struct now now, struct shard *shard, struct batch *batch)
{
    struct step step = {gossip, now, batch, NULL};
    struct topic *topic = gossip ? topic_find(gossip, shard->id) : NULL;
    int error;
    if (shard_released(shard))
        return 0;
    if (topic)
        error = release_redot(&step, topic, shard, "it goes into a file");
    else
        error = release_has_room(shard) ? shard_redot(shard, batch) : NEAP_LIMIT;
    if (error)
        return error;
    return shard_released(shard) ? 0 : NEAP_BUSY;
}

bool gossip_alone_is_due(const struct shard *shard)
{
    uint64_t counter = context_get(&shard->context, shard->replica);
    return !shard->confirmed && counter - shard->opened_at >= UNRELEASED_MAX &&
           release_has_room(shard);
}

int gossip_alone_before_write(struct shard *shard, struct batch *batch)
{
    return gossip_alone_is_due(shard) ? shard_redot(shard, batch) : 0;
}

/* Which of my events that are not confirmed were told: on disk before anything follows from it. */
static int release_prove(struct step *step, struct topic *topic, struct shard *shard,
                         const struct context_entry *seen)
{
    uint64_t opened_at = shard->opened_at;
    int error = shard_prove(shard, step->batch, seen);
    if (error || shard->opened_at == opened_at)
        return error;
    trace(step->gossip->trace, "%s: %llu events were told before", shard->name,
          (unsigned long long)(shard->opened_at - opened_at));
    topic_changed(step->gossip, topic);
    return topic_touch(step->gossip, topic);
}

int release_check(struct step *step, struct topic *topic, struct shard *shard,
                  const struct context_entry *seen, bool *ret_fine)
{
    int error = seen ? release_prove(step, topic, shard, seen) : 0;
    if (error)
        return error;
    *ret_fine =
        !seen || shard_check_quote(shard, seen) != QUOTE_ROLLBACK || BROKEN("quote-ignored");
    if (*ret_fine)
        return 0;
    step->gossip->counts[REASON_rollbacks]++;
    return release_disowned(step, topic, shard, "rolled back");
}

int release_show(struct step *step, struct topic *topic, struct shard *shard,
                 const struct digest_item *item)
{
    const struct context_entry *seen = context_find(&item->context, shard->replica);
    int error = release_prove(step, topic, shard, &item->proof);
    if (!error)
        error = release_prove(step, topic, shard, &item->quote);
    if (!error && seen)
        error = release_prove(step, topic, shard, seen);
    if (error || !shard_is_renamed(shard, &item->context))
        return error;
    return release_disowned(step, topic, shard, "another directory did");
}

int release_refused(struct step *step, struct topic *topic, struct shard *shard)
{
    if (shard->went_back && shard->heard.id == shard->replica) {
        int error = release_prove(step, topic, shard, &shard->heard);
        if (error)
            return error;
        shard->went_back = shard_check_quote(shard, &shard->heard) == QUOTE_ROLLBACK;
    }
    if (shard->went_back) {
        step->gossip->counts[REASON_rollbacks]++;
        return release_disowned(step, topic, shard, "rolled back");
    }
    step->gossip->counts[REASON_other_history]++;
    trace(step->gossip->trace, "%s: of another history, not taken", shard->name);
    if (topic->pull.state != PULL_NONE)
        return pull_end(step, topic, PULL_AGAIN_MS);
    return 0;
}
