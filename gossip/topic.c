#include "gossip/state.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"

/* ---- lists ---- */

static int topics_add(struct topics *list, struct topic *topic, bool *flag)
{
    if (*flag)
        return 0;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct topic **items = mem_resize(list->items, room * sizeof *items);
        if (!items)
            return NEAP_NOMEM;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = topic;
    *flag = true;
    return 0;
}

int topic_queue(struct gossip *gossip, struct topic *topic)
{
    return topics_add(&gossip->work, topic, &topic->queued);
}

int topics_queue(struct gossip *gossip)
{
    int error = 0;
    for (size_t i = 0; i < gossip->topics_count && !error; i++)
        error = topic_queue(gossip, gossip->topics[i]);
    return error;
}

int topic_touch(struct gossip *gossip, struct topic *topic)
{
    return topics_add(&gossip->touched, topic, &topic->touched);
}

int topic_wait(struct gossip *gossip, struct topic *topic)
{
    return topics_add(&gossip->waiting, topic, &topic->waiting);
}

/* One pull has ended, so some that wait for a turn may look again. */
void topics_unwait(struct gossip *gossip)
{
    for (unsigned i = 0; i < 2 && gossip->waiting.count > 0; i++) {
        struct topic *topic = gossip->waiting.items[gossip->waiting.count - 1];
        if (topic_queue(gossip, topic))
            return;
        gossip->waiting.count--;
        topic->waiting = false;
    }
}

/* ---- the table ---- */

size_t topic_index(const struct gossip *gossip, uint64_t shard)
{
    size_t from = 0, to = gossip->topics_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (gossip->topics[middle]->shard < shard)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct topic *topic_find(const struct gossip *gossip, uint64_t shard)
{
    size_t index = topic_index(gossip, shard);
    if (index < gossip->topics_count && gossip->topics[index]->shard == shard)
        return gossip->topics[index];
    return NULL;
}

static int topics_reserve(struct gossip *gossip)
{
    if (gossip->topics_count < gossip->topics_room)
        return 0;
    size_t room = gossip->topics_room ? gossip->topics_room * 2 : 16;
    struct topic **topics = mem_resize(gossip->topics, room * sizeof *topics);
    if (!topics)
        return NEAP_NOMEM;
    gossip->topics = topics;
    gossip->topics_room = room;
    return 0;
}

int topic_get(struct gossip *gossip, uint64_t shard, struct topic **ret_topic)
{
    struct topic *topic = topic_find(gossip, shard);
    int error = 0;
    if (!topic) {
        error = topics_reserve(gossip);
        topic = error ? NULL : mem_new(sizeof *topic);
        if (!topic)
            return NEAP_NOMEM;
        size_t index = topic_index(gossip, shard);
        memmove(&gossip->topics[index + 1], &gossip->topics[index],
                (gossip->topics_count - index) * sizeof(struct topic *));
        gossip->topics[index] = topic;
        gossip->topics_count++;
        topic->shard = shard;
        topic_changed(gossip, topic);
    }
    *ret_topic = topic;
    return 0;
}

void topic_free(struct topic *topic)
{
    for (size_t i = 0; i < topic->pairs_room; i++)
        topic_drop_pair(topic, i);
    mem_free(topic->pairs);
    context_done(&topic->pull.horizon);
    chunk_base_done(&topic->pull.given);
    buffer_done(&topic->pull.cursor);
    repair_free(topic->pull.repair);
    buffer_done(&topic->pull.held);
    compare_tree_free(topic->pull.tree);
    context_done(&topic->leave.asked);
    buffer_done(&topic->leave.cursor);
    mem_free(topic);
}

static void topics_remove(struct topics *list, const struct topic *topic)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] != topic)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

void topic_forget(struct gossip *gossip, struct topic *topic)
{
    size_t index = topic_index(gossip, topic->shard);
    topics_remove(&gossip->work, topic);
    topics_remove(&gossip->touched, topic);
    topics_remove(&gossip->waiting, topic);
    topic_set_due(gossip, topic, false);
    for (size_t i = 0; i < topic->pairs_room; i++)
        pair_forget(gossip, topic, i);
    memmove(&gossip->topics[index], &gossip->topics[index + 1],
            (--gossip->topics_count - index) * sizeof(struct topic *));
    topic_free(topic);
}

void topic_changed(struct gossip *gossip, struct topic *topic)
{
    topic->version = ++gossip->version_next;
}

void topic_set_due(struct gossip *gossip, struct topic *topic, bool due)
{
    gossip->due_count += due;
    gossip->due_count -= topic->due;
    topic->due = due;
}

bool topic_has_member(const struct gossip *gossip, const struct topic *topic, size_t peer)
{
    return peer_is_member(gossip, peer) && access_shares(gossip, peer, topic->shard) &&
           (topic_is_wanted(gossip, topic, peer) || BROKEN("waits-for-all"));
}

bool topic_has_holder(const struct gossip *gossip, const struct topic *topic, size_t peer)
{
    const struct pair *pair = topic_pair(topic, peer);
    return topic_has_member(gossip, topic, peer) ||
           (pair && pair->replica && peer_is_member(gossip, peer) &&
            access_shares(gossip, peer, topic->shard));
}

/* ---- pairs ---- */

struct pair *topic_pair(const struct topic *topic, size_t peer)
{
    return peer < topic->pairs_room ? topic->pairs[peer] : NULL;
}

int topic_get_pair(struct topic *topic, size_t peer, struct pair **ret_pair)
{
    if (peer >= topic->pairs_room) {
        size_t room = 4;
        while (room <= peer)
            room *= 2;
        struct pair **pairs = mem_resize(topic->pairs, room * sizeof *pairs);
        if (!pairs)
            return NEAP_NOMEM;
        memset(pairs + topic->pairs_room, 0, (room - topic->pairs_room) * sizeof *pairs);
        topic->pairs = pairs;
        topic->pairs_room = room;
    }
    if (!topic->pairs[peer])
        topic->pairs[peer] = mem_new(sizeof(struct pair));
    if (!topic->pairs[peer])
        return NEAP_NOMEM;
    *ret_pair = topic->pairs[peer];
    return 0;
}

void topic_drop_pair(struct topic *topic, size_t peer)
{
    struct pair *pair = topic_pair(topic, peer);
    if (!pair)
        return;
    context_done(&pair->context);
    context_done(&pair->goal);
    mem_free(pair->ids);
    pushed_done(&pair->pushed);
    pushed_done(&pair->came);
    mem_free(pair);
    topic->pairs[peer] = NULL;
}

struct pair *topic_open_pair(const struct gossip *gossip, const struct topic *topic, size_t peer)
{
    struct pair *pair = topic ? topic_pair(topic, peer) : NULL;
    return pair && pair->open && peer_is_up(gossip, peer) ? pair : NULL;
}

int pair_see(struct pair *pair, const struct context *context, bool replaces)
{
    bool copies = (replaces && !BROKEN("old-life-known")) || BROKEN("later-is-newer");
    if (copies || !context_covers(&pair->context, context))
        pair->root = 0;
    int error = copies ? 0 : context_join(&pair->context, context);
    /* More ids than one shard can have: it has left some. */
    if (copies || error == NEAP_LIMIT)
        error = context_copy(&pair->context, context);
    if (!error)
        pair->known = true;
    return error;
}

void pair_wants_digest(struct gossip *gossip, struct pair *pair, size_t peer)
{
    pair->soon = true;
    gossip->peers[peer].digest_soon = true;
}

bool shard_lacks(const struct shard *shard, const struct context *context)
{
    return !context_covers(&shard->context, context);
}

/* ---- work ---- */

void topic_wake(struct gossip *gossip, struct topic *topic, uint64_t at_ms)
{
    if (!topic->wake_at || at_ms < topic->wake_at)
        topic->wake_at = at_ms;
    if (!gossip->wake_at || at_ms < gossip->wake_at)
        gossip->wake_at = at_ms;
}

static int topic_work(struct step *step, struct topic *topic)
{
    struct shard *shard = store_find(step->gossip->store, topic->shard);
    if (!shard)
        return 0;
    int error = equal_work(step, topic, shard);
    if (!error && !shard->unwanted)
        error = heal_work(step, topic, shard);
    if (!error)
        error = release_work(step, topic, shard);
    if (!error)
        error = pull_work(step, topic, shard);
    if (!error && !shard->unwanted)
        error = compare_tree_work(step, topic, shard);
    if (!error && !shard->unwanted)
        error = repair_work(step, topic, shard);
    if (!error)
        error = truncate_work(step, topic, shard);
    return topic_fault(step, topic, shard, error, FAULT_KEEPING);
}

int topics_work(struct step *step)
{
    struct topics *work = &step->gossip->work;
    int error = 0;
    /* What is queued by this is for the next time: a topic must not chase itself. */
    size_t count = work->count;
    for (size_t i = 0; i < count && !error; i++) {
        work->items[i]->queued = false;
        error = topic_work(step, work->items[i]);
        if (error && topic_queue(step->gossip, work->items[i]))
            topic_wake(step->gossip, work->items[i], step->now.mono_ms + PULL_AGAIN_MS);
        if (error)
            count = i + 1;
    }
    memmove(work->items, work->items + count, (work->count - count) * sizeof *work->items);
    work->count -= count;
    return error;
}

int topics_tick(struct step *step)
{
    struct gossip *gossip = step->gossip;
    if (!gossip->wake_at || step->now.mono_ms < gossip->wake_at)
        return 0;
    gossip->wake_at = 0;
    int error = 0;
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct topic *topic = gossip->topics[i];
        uint64_t at = topic->wake_at;
        if (!at)
            continue;
        topic->wake_at = 0;
        if (step->now.mono_ms >= at)
            error = error ? error : topic_queue(gossip, topic);
        if (step->now.mono_ms < at || error)
            topic_wake(gossip, topic, at);
    }
    return error;
}
