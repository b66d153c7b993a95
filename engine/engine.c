#include "engine/engine.h"

#include <stdio.h>

#include "base/broken.h"
#include "base/error.h"

static void done_add(struct done *done, struct event *event, int code)
{
    must(done->count < done->room);
    event->code = code;
    done->events[done->count++] = event;
}

/* Whatever went wrong in the protocols is nobody's call: it is kept for the status. */
void engine_note(struct engine *engine, int code, const char *where)
{
    struct disk *disk = engine->store.disk;
    struct neap_error text = {0};

    engine->counts.errors++;
    if (code == NEAP_IO || code == NEAP_CORRUPT)
        disk->ops->error(disk, &text);
    error_set(&engine->error, code, "%s: %.200s", where,
              text.text[0] ? text.text : error_text(code));
    trace(engine->trace, "engine: %s", engine->error.text);
}

/* A message that could not be taken is lost, so its link must not go on as if it had been taken:
 * for the protocols it is down, and is made anew. */
static void engine_drop_link(struct engine *engine, struct now now, const struct net_event *event,
                             struct batch *batch, struct outbox *outbox)
{
    struct net_event down = {.kind = NET_DOWN, .link = event->link, .side = event->side};

    if (event->kind == NET_DOWN)
        return;
    snprintf(down.reason, sizeof down.reason, "%.90s", engine->error.text);
    if (outbox_close(outbox, event->link))
        trace(engine->trace, "engine: link %llu stays open", (unsigned long long)event->link);
    if (gossip_event(engine->gossip, now, &down, batch, outbox))
        trace(engine->trace, "engine: link %llu not let go", (unsigned long long)event->link);
}

static int engine_net(struct engine *engine, struct now now, const struct net_event *event,
                      struct batch *batch, struct outbox *outbox)
{
    int error;

    if (!engine->gossip)
        return 0;
    error = gossip_event(engine->gossip, now, event, batch, outbox);
    if (!error)
        return 0;
    engine_note(engine, error, "an event of the net");
    if (error != NEAP_IO)
        engine_drop_link(engine, now, event, batch, outbox);
    return error;
}

static int engine_tick(struct engine *engine, struct now now, struct batch *batch,
                       struct outbox *outbox)
{
    int error = 0;

    if (engine->unsynced_since && now.mono_ms >= engine->unsynced_since + engine->sync_ms &&
        !BROKEN("never-synced"))
        engine->wants_sync = true;
    if (engine->gossip)
        error = gossip_tick(engine->gossip, now, batch, outbox);
    engine->trees.writes = engine->counts.writes;
    if (!error)
        error =
            trees_tick(&engine->trees, &engine->store, engine->gossip, now, batch, engine->trace);
    if (!error)
        error = expiring_tick(&engine->expiring, &engine->store, engine->gossip, now, batch,
                              &engine->wants_sync);
    if (!error)
        error = enlist_tick(engine, now, batch);
    engine->tick_after = 0;
    if (error) {
        engine_note(engine, error, "a tick");
        engine->tick_after = now.mono_ms + TICK_AGAIN_MS;
    }
    return error;
}

/* What a number is of must be durable before it is told (rule 8). */
static int engine_count(struct engine *engine, struct count *count, struct batch *batch)
{
    int error = count_step(&engine->store, batch, count);

    if (!error && count->known && count->want_token)
        engine->wants_sync = true;
    return error;
}

static int engine_dispatch(struct engine *engine, struct now now, struct event *event,
                           struct batch *batch, struct outbox *outbox)
{
    switch (event->kind) {
    case EVENT_WRITE:
        return engine_write(engine, now, event->write, batch);
    case EVENT_SYNC:
        engine->wants_sync = true;
        return 0;
    case EVENT_NET:
        return engine_net(engine, now, event->net, batch, outbox);
    case EVENT_TICK:
        return engine_tick(engine, now, batch, outbox);
    case EVENT_ISOLATE:
        return engine->gossip ? gossip_isolate(engine->gossip, event->isolated, outbox) : 0;
    case EVENT_ASK:
        event->ask->owner = event;
        return engine->gossip ? gossip_ask(engine->gossip, now, event->ask, outbox) : NEAP_REFUSED;
    case EVENT_COUNT:
        return engine_count(engine, event->count, batch);
    case EVENT_CLOSE:
        serve_close(engine);
        return 0;
    case EVENT_LEAVE: /* it says as well that what has no answer was not done */
        serve_close(engine);
        if (engine->serving.count > 0 || engine->serving.unsaid)
            return 0;
        return engine->gossip ? gossip_leave(engine->gossip, now, batch, outbox) : 0;
    case EVENT_SUBSCRIBE:
        return engine_subscribe(engine, event->subscribing, batch);
    case EVENT_WORK:
        engine->wants_sync = true;
        return event->work(event->arg, engine, now, batch);
    case EVENT_CALL:
        event->call(event->arg, engine);
        return 0;
    }
    must(event->kind <= EVENT_CALL); /* and it is one of those above */
    return NEAP_INVALID;
}

int engine_step(struct engine *engine, struct now now, struct event *event, struct batch *batch,
                struct outbox *outbox, struct done *done)
{
    int error;

    engine->counts.events++;
    if (event->kind != EVENT_TICK)
        trees_wake(&engine->trees, now);
    error = engine_dispatch(engine, now, event, batch, outbox);
    if (error || event->kind != EVENT_ASK)
        done_add(done, event, error);
    return error == NEAP_IO ? error : 0;
}

void engine_asked(struct engine *engine, struct now now, struct done *done)
{
    struct ask *ask;

    while (engine->gossip && (ask = gossip_asked(engine->gossip))) {
        if (!serve_asked(engine, ask) && !placing_asked(engine, now, ask))
            done_add(done, ask->owner, ask->code);
    }
}

bool engine_must_sync(const struct engine *engine, const struct outbox *outbox)
{
    return engine->wants_sync || outbox->names_events || engine->store.annals.written;
}

int engine_flush(struct engine *engine, struct now now, struct batch *batch, struct outbox *outbox)
{
    bool durable;
    int error;

    if (!engine->gossip)
        return 0;
    error = serve_work(engine, now, batch, outbox);
    if (!error)
        error = placing_work(engine, now, batch, outbox);
    if (error == NEAP_IO)
        return error;
    durable = batch_is_empty(batch) && !engine->unsynced_since;
    if (!engine_must_sync(engine, outbox) && !durable)
        return 0;
    error = gossip_flush(engine->gossip, now, batch, outbox);
    /* What was not pushed will be pulled. */
    if (error)
        engine_note(engine, error, "a push");
    return error == NEAP_IO ? error : 0;
}

uint64_t engine_deadline(const struct engine *engine, struct now now)
{
    uint64_t deadline = UINT64_MAX;

    if (engine->gossip)
        deadline = gossip_deadline(engine->gossip);
    if (trees_deadline(&engine->trees) < deadline)
        deadline = trees_deadline(&engine->trees);
    if (expiring_deadline(&engine->expiring, &engine->store, now) < deadline)
        deadline = expiring_deadline(&engine->expiring, &engine->store, now);
    if (placing_deadline(engine, now) < deadline)
        deadline = placing_deadline(engine, now);
    if (serve_deadline(engine, now) < deadline)
        deadline = serve_deadline(engine, now);
    if (deadline < engine->tick_after)
        deadline = engine->tick_after;
    if (engine->unsynced_since && engine->unsynced_since + engine->sync_ms < deadline)
        deadline = engine->unsynced_since + engine->sync_ms;
    return deadline;
}
