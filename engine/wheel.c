#include "engine/wheel.h"

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/tally.h"
#include "store/tree_keep.h"

/* The list that the options have, if it is another one. */
static int wheel_subscribe(struct wheel *wheel, const char *text)
{
    struct store *store = &wheel->engine.store;
    struct subscriptions list = {0};
    int code = text ? subscriptions_parse(text, &list) : 0;

    if (!text || code)
        return code;
    if (!subscriptions_equal(&list, &store->subscriptions))
        code = store_subscribe(store, wheel->batch, &list);
    subscriptions_done(&list);
    if (!code && !batch_is_empty(wheel->batch))
        code = wheel->disk->ops->commit(wheel->disk, wheel->batch, true);
    batch_clear(wheel->batch);
    return code;
}

int wheel_open(struct wheel *wheel, const struct wheel_options *options, struct neap_error *error)
{
    int code;

    *wheel = (struct wheel){.disk = options->disk, .net = options->net};
    code = store_open(&wheel->engine.store, options->disk, options->mark, options->clock,
                      options->suspect, error);
    if (code) {
        *wheel = (struct wheel){0};
        return code;
    }
    if (!options->gossip)
        store_be_alone(&wheel->engine.store);
    wheel->engine.trace = options->trace;
    wheel->engine.sync_ms = options->sync_ms;
    wheel->engine.log_max = options->log_max;
    outbox_init(&wheel->outbox, OUTBOX_BYTES_MAX);
    wheel->done.events = mem_new_array(DONE_MAX, sizeof *wheel->done.events);
    wheel->done.room = DONE_MAX;
    code = wheel->done.events ? batch_new(options->disk, &wheel->batch) : NEAP_NOMEM;
    if (!code)
        code = wheel_subscribe(wheel, options->subscribe);
    if (!code && options->gossip)
        code = gossip_new(options->gossip, &wheel->engine.store, options->trace,
                          options->clock->ops->entropy(options->clock), &wheel->engine.gossip);
    if (!code && options->cluster_key) {
        code = store_keep_trees(&wheel->engine.store, options->cluster_key, options->tree_bits);
        wheel->engine.trees =
            (struct trees){.kept = true,
                           .next_at = options->clock->ops->now_ms(options->clock) + TREES_LOOK_MS,
                           .scrub_ms = options->scrub_ms,
                           .scrub_max = options->scrub_max};
    }
    if (code) {
        wheel_close(wheel);
        return error_set(error, code, "open: %s", error_text(code));
    }
    return 0;
}

void wheel_save_trees(struct wheel *wheel)
{
    int error;

    if (!wheel->disk || wheel->stopped || wheel->crashed)
        return;
    must(batch_is_empty(wheel->batch));
    error = tallies_save(&wheel->engine.store);
    if (!error && wheel->engine.trees.kept)
        error = trees_save(&wheel->engine.store);
    if (error)
        trace(wheel->engine.trace, "wheel: trees and counts are not kept: %s", error_text(error));
}

void wheel_close(struct wheel *wheel)
{
    if (!wheel->disk)
        return;
    serve_done(&wheel->engine);
    placing_done(&wheel->engine);
    gossip_free(wheel->engine.gossip);
    batch_free(wheel->batch);
    outbox_done(&wheel->outbox);
    mem_free(wheel->done.events);
    store_done(&wheel->engine.store);
    *wheel = (struct wheel){0};
}

static bool wheel_crashes(struct wheel *wheel, const char *before)
{
    if (wheel->crash && wheel->crash(wheel->crash_arg, before))
        wheel->crashed = true;
    return wheel->crashed;
}

/* An event that the stop of the node takes with it. What had failed by itself keeps its error. */
static void event_stop(const struct wheel *wheel, struct event *event)
{
    if (event->code || (event->kind == EVENT_CALL && event->when_stopped))
        return;
    event->code = wheel->stopped;
    if (event->kind == EVENT_WRITE) {
        token_clear(&event->write->token);
        event->write->error = wheel->error;
    }
}

static void wheel_refuse(struct wheel *wheel, struct event *event)
{
    event->code = 0;
    if (event->kind == EVENT_CALL && event->when_stopped)
        event->call(event->arg, &wheel->engine);
    else
        event_stop(wheel, event);
    wheel->done.events[wheel->done.count++] = event;
}

/* What is in memory is ahead of what is on disk, and not trusted any more. */
static void wheel_stop(struct wheel *wheel, int code)
{
    struct neap_error text = {0};

    wheel->engine.counts.errors++;
    if (code == NEAP_IO || code == NEAP_CORRUPT)
        wheel->disk->ops->error(wheel->disk, &text);
    /* The disk says what to do. */
    wheel->stopped =
        error_set(&wheel->error, code,
                  text.text[0] ? "the node has stopped: %s" : "the node has stopped, reopen it: %s",
                  text.text[0] ? text.text : error_text(code));
    trace(wheel->engine.trace, "wheel: %s", wheel->error.text);
}

static int wheel_commit(struct wheel *wheel, struct now now)
{
    struct engine *engine = &wheel->engine;
    const struct disk_ops *ops = wheel->disk->ops;
    bool sync = engine_must_sync(engine, &wheel->outbox);
    bool empty = batch_is_empty(wheel->batch);
    int error = 0;

    if (!empty && !sync && !engine->unsynced_since) {
        engine->unsynced_since = now.mono_ms ? now.mono_ms : 1;
        atomic_store(&wheel->unsynced, true);
    }
    if (!empty)
        error = ops->commit(wheel->disk, wheel->batch, sync);
    else if (sync && engine->unsynced_since && !BROKEN("nothing-to-sync"))
        error = ops->sync(wheel->disk);
    else
        return 0;
    if (error)
        return error;
    trace(engine->trace, "wheel: commit %zu bytes%s", batch_bytes(wheel->batch),
          sync ? ", sync" : "");
    if (sync) {
        engine->counts.syncs++;
        engine->store.annals.written = false;
        engine->unsynced_since = 0;
        atomic_store(&wheel->unsynced, false);
    }
    return 0;
}

static void wheel_send(struct wheel *wheel)
{
    for (size_t i = 0; i < wheel->outbox.count && !wheel_crashes(wheel, "send"); i++) {
        const struct effect *effect = &wheel->outbox.effects[i];
        int error = 0;

        switch (effect->kind) {
        case EFFECT_DIAL:
            error =
                wheel->net->ops->dial(wheel->net, effect->link, (const char *)effect->bytes.data);
            break;
        case EFFECT_SEND:
            error = wheel->net->ops->send(wheel->net, effect->link, effect->bytes);
            break;
        case EFFECT_CLOSE:
            wheel->net->ops->close(wheel->net, effect->link);
            break;
        case EFFECT_TRUST:
            wheel->net->ops->trust(wheel->net, effect->link);
            break;
        case EFFECT_READY:
            wheel->net->ops->ready(wheel->net, effect->link);
            break;
        }
        if (error)
            gossip_send_failed(wheel->engine.gossip, effect->link, error);
    }
}

static void wheel_ready(struct wheel *wheel, const struct event *event)
{
    if (wheel->net && event->kind == EVENT_NET && event->net->kind == NET_MESSAGE &&
        !wheel->stopped && !wheel->crashed &&
        !(wheel->engine.gossip && gossip_rests(wheel->engine.gossip, event->net->link)))
        wheel->net->ops->ready(wheel->net, event->net->link);
}

/* Steps 1 and 2. Returns how many events were stepped. */
static size_t wheel_step(struct wheel *wheel, struct now now, struct event **events, size_t count)
{
    struct engine *engine = &wheel->engine;
    size_t first = wheel->done.count, stepped = 0;
    int error = 0;

    engine->wants_sync = false;
    while (!error && stepped < count && batch_bytes(wheel->batch) < TURN_BYTES) {
        error =
            engine_step(engine, now, events[stepped++], wheel->batch, &wheel->outbox, &wheel->done);
        if (BROKEN("credit-early"))
            wheel_ready(wheel, events[stepped - 1]);
    }
    if (!error)
        error = engine_flush(engine, now, wheel->batch, &wheel->outbox);
    if (!error && BROKEN("send-first"))
        wheel_send(wheel);
    if (!error && wheel_crashes(wheel, "commit"))
        return stepped;
    if (!error)
        error = wheel_commit(wheel, now);
    if (!error)
        expiry_committed(&engine->store.expiry);
    if (error && !BROKEN("commit-ignored")) {
        wheel_stop(wheel, error);
        for (size_t i = first; i < wheel->done.count && !BROKEN("stop-untold"); i++)
            event_stop(wheel, wheel->done.events[i]);
    }
    return stepped;
}

/* Credit for the next message of a link is given only now, after the commit. */
static void wheel_release(struct wheel *wheel, struct event *event)
{
    if (event->kind != EVENT_NET)
        return;
    net_event_done(event->net);
    wheel_ready(wheel, event);
}

void wheel_turn(struct wheel *wheel, struct now now, struct event **events, size_t count)
{
    size_t taken = 0, told;

    must(count <= TURN_EVENTS_MAX);
    wheel->done.count = 0;
    wheel->engine.counts.turns++;
    wheel->engine.store.clock.wall_ms = now.wall_ms;
    (void)expiry_now(&wheel->engine.store.expiry, now.wall_ms);
    while (taken < count && !wheel->stopped && !wheel->crashed) {
        taken += wheel_step(wheel, now, events + taken, count - taken);
        if (!wheel->stopped && !wheel->crashed)
            wheel_send(wheel);
        batch_clear(wheel->batch);
        outbox_clear(&wheel->outbox);
    }
    expiring_publish(&wheel->engine.expiring, &wheel->engine.store, now);
    for (size_t i = 0; i < count; i++)
        wheel_release(wheel, events[i]);
    for (; taken < count && wheel->stopped && !wheel->crashed; taken++)
        wheel_refuse(wheel, events[taken]);
    if (wheel->stopped && wheel->engine.gossip)
        gossip_asks_end(wheel->engine.gossip, wheel->stopped);
    if (!wheel->crashed)
        engine_asked(&wheel->engine, now, &wheel->done);
    told = wheel->crashed ? 0 : wheel->done.count;
    for (size_t i = 0; wheel->crash && i < told; i++)
        if (wheel_crashes(wheel, "done"))
            told = i;
    if (!BROKEN("done-first"))
        wheel->done.count = told;
}
