#include "engine/subscribe.h"

#include "engine/engine.h"

uint64_t engine_unshared(const struct engine *engine, const struct shard *shard)
{
    uint64_t events = 0;

    if (engine->gossip)
        return gossip_unshared(engine->gossip, shard);
    for (size_t i = 0; i < shard->context.count; i++)
        events += shard->context.entries[i].n;
    return events;
}

static int engine_drop(struct engine *engine, uint64_t shard, struct batch *batch)
{
    return engine->gossip ? gossip_drop(engine->gossip, shard, batch)
                          : store_drop(&engine->store, batch, shard);
}

/* What went before an error stays gone. */
static int drop_all(struct engine *engine, struct subscribing *subscribing, struct batch *batch)
{
    struct store *store = &engine->store;
    struct subscriptions entry = {0};
    const struct subscriptions none = {0};
    int error = subscriptions_add(&none, subscribing->entry, &entry);

    for (size_t i = error ? 0 : store->shards_count; i-- > 0 && !error;) {
        const struct shard *shard = store->shards[i];
        uint64_t lost = engine_unshared(engine, shard);

        if (!shard->unwanted || !subscriptions_have(&entry, shard->name))
            continue;
        error = engine_drop(engine, shard->id, batch);
        subscribing->dropped += !error;
        subscribing->lost += error ? 0 : lost;
    }
    subscriptions_done(&entry);
    return error;
}

/* Alone nobody can take anything over, and what is empty needs nobody. What can't go now stays: the
 * list has been changed. */
static void drop_empty(struct engine *engine, struct batch *batch)
{
    struct store *store = &engine->store;

    for (size_t i = engine->gossip ? 0 : store->shards_count; i-- > 0;) {
        if (store->shards[i]->unwanted && store->shards[i]->context.count == 0)
            (void)store_drop(store, batch, store->shards[i]->id);
    }
}

int engine_subscribe(struct engine *engine, struct subscribing *subscribing, struct batch *batch)
{
    const struct subscriptions *now = &engine->store.subscriptions;
    struct subscriptions list = {0};
    int error;

    engine->wants_sync = true;
    if (subscribing->what == SUBSCRIBE_DROP)
        return drop_all(engine, subscribing, batch);
    if (subscribing->what == SUBSCRIBE_ADD)
        error = subscriptions_add(now, subscribing->entry, &list);
    else
        error = subscriptions_remove(now, subscribing->entry, &list);
    if (error)
        return error;
    if (!subscriptions_equal(&list, now))
        error = store_subscribe(&engine->store, batch, &list);
    subscriptions_done(&list);
    if (error)
        return error;
    if (engine->gossip)
        gossip_subscribed(engine->gossip);
    drop_empty(engine, batch);
    return 0;
}
