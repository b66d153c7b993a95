#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/rig.h"

static struct write nosync_write(struct write_op *op)
{
    return (struct write){.ops = op, .count = 1, .nosync = true};
}

TEST(an_unsynced_write_is_synced_when_its_time_has_come)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = nosync_write(&op);
    struct engine *engine = &rig.wheel.engine;
    int64_t number = 0;

    rig_open(&rig);
    CHECK(engine_deadline(engine, rig_now(&rig)) == UINT64_MAX);
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 1);
    CHECK(atomic_load(&rig.wheel.unsynced));
    CHECK_EQUAL(engine_deadline(engine, rig_now(&rig)), rig.clock.now_ms + 100);
    rig.clock.now_ms += 99;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 2);
    rig.clock.now_ms += 1;
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0);
    CHECK(!atomic_load(&rig.wheel.unsynced));
    CHECK(engine_deadline(engine, rig_now(&rig)) == UINT64_MAX);
    rig_crash(&rig);
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, 2);
    rig_close(&rig);
}

TEST(an_unsynced_write_may_be_lost_and_its_dot_is_given_again)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = nosync_write(&op);
    struct write synced = {.ops = &op, .count = 1};
    int64_t number = 0;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &synced));
    CHECK_OK(rig_write(&rig, &write));
    rig_crash(&rig);
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, 1);
    CHECK_OK(rig_write(&rig, &synced));
    CHECK_EQUAL(context_get(&rig_shard(&rig, "a")->context, rig_shard(&rig, "a")->replica), 2);
    rig_close(&rig);
}

TEST(a_durable_write_syncs_those_before_it)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write lazy = nosync_write(&op), durable = {.ops = &op, .count = 1};

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &lazy));
    CHECK_OK(rig_write(&rig, &durable));
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0);
    CHECK(!rig.wheel.engine.unsynced_since);
    rig_close(&rig);
}

/* Rule 8: a token names events. */
TEST(a_token_of_an_unsynced_write_syncs_it_first)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = nosync_write(&op);

    rig_open(&rig);
    write.want_token = true;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(write.token.count, 1);
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0);
    token_done(&write.token);
    rig_close(&rig);
}

/* Others need not have what is not of the write; but whoever does it again must not be told too
 * early that enough others have it. */
TEST(a_level_waits_for_the_events_of_the_write_if_it_made_any)
{
    struct rig rig;
    struct write_op add = rig_add("a", "n", 1), remove = add;
    struct write write = {.ops = &add, .count = 1, .level = NEAP_QUORUM, .want_token = true};
    struct shard *shard;

    remove.op.kind = OP_REMOVE;
    remove.prefix = true;
    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    shard = rig_shard(&rig, "a");
    CHECK_OK(context_raise(&shard->context, 4711, 3, 1)); /* from another node */
    CHECK_EQUAL(context_get(token_find(&write.awaited, bucket_id("a")), shard->replica), 1);
    for (uint64_t i = 0; i < 2; i++) {
        const struct context *named, *awaited;

        token_done(&write.token);
        token_done(&write.awaited);
        write.ops = &remove;
        CHECK_OK(rig_write(&rig, &write));
        named = token_find(&write.token, bucket_id("a"));
        awaited = token_find(&write.awaited, bucket_id("a"));
        CHECK_EQUAL(context_get(named, shard->replica), 2);
        CHECK_EQUAL(context_get(named, 4711), 3);
        CHECK_EQUAL(context_get(awaited, shard->replica), 2);
        CHECK_EQUAL(context_get(awaited, 4711), i ? 3 : 0); /* nothing was left to remove */
    }
    token_done(&write.token);
    token_done(&write.awaited);
    write.want_token = false;
    write.ops = &add;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(write.token.count, 0);
    token_done(&write.awaited);
    write.level = NEAP_ONE;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(write.awaited.count, 0);
    rig_close(&rig);
}

/* Whoever removed what was not there (any more) and reads elsewhere must not find it. */
TEST(the_token_of_a_removal_that_found_nothing_names_what_made_it_so)
{
    struct rig rig;
    struct write_op add = rig_add("a", "n", 1), remove = add, below = add;
    struct write write = {.ops = &remove, .count = 1, .want_token = true};

    remove.op.kind = below.op.kind = OP_REMOVE;
    below.prefix = true;
    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    CHECK_EQUAL(write.token.count, 0); /* nothing was ever here */
    for (size_t i = 0; i < 2; i++) {
        struct write first = {.ops = &add, .count = 1}, second = {.ops = &remove, .count = 1};
        const struct context *named;

        CHECK_OK(rig_write(&rig, &first));
        CHECK_OK(rig_write(&rig, &second));
        write.ops = i ? &below : &remove;
        CHECK_OK(rig_write(&rig, &write));
        named = token_find(&write.token, bucket_id("a"));
        CHECK(named);
        CHECK_EQUAL(named->count, 1);
        CHECK_EQUAL(named->entries[0].n, 2 * (i + 1));
        token_done(&write.token);
    }
    rig_close(&rig);
}

/* Nothing is done then: a token that can't be given would say so when it is too late. */
TEST(a_removal_whose_token_would_be_too_large_is_refused)
{
    enum { BUCKETS = 40 };
    struct rig rig;
    struct write_op adds[BUCKETS], removes[BUCKETS];
    struct write add = {.ops = adds, .count = BUCKETS};
    struct write remove = {.ops = removes, .count = BUCKETS, .want_token = true};
    char names[BUCKETS][4];
    int64_t number;

    rig_open(&rig);
    for (unsigned i = 0; i < BUCKETS; i++) {
        snprintf(names[i], sizeof names[i], "%u", i);
        adds[i] = i ? adds[0] : rig_add(names[0], "n", 1);
        adds[i].bucket = names[i];
        removes[i] = adds[i];
        removes[i].op.kind = OP_REMOVE;
        removes[i].prefix = true;
    }
    CHECK_OK(rig_write(&rig, &add));
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct shard *shard = rig_shard(&rig, names[i]);

        CHECK(shard);
        for (uint64_t id = 1; id < CONTEXT_IDS_MAX; id++)
            CHECK_OK(context_raise(&shard->context, id, 1, 1));
    }
    CHECK_ERROR(rig_write(&rig, &remove), NEAP_LIMIT);
    CHECK(strstr(remove.error.text, "in parts"));
    CHECK_OK(rig_counter(rig.disk, "0", "n", &number));
    remove.count = BUCKETS / 2;
    CHECK_OK(rig_write(&rig, &remove));
    CHECK_EQUAL(remove.token.count, BUCKETS / 2);
    CHECK_ERROR(rig_counter(rig.disk, "0", "n", &number), NEAP_NOTFOUND);
    token_done(&remove.token);
    rig_close(&rig);
}

TEST(sync_makes_durable_what_was_written)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = nosync_write(&op);
    struct event sync = {.kind = EVENT_SYNC};

    rig_open(&rig);
    CHECK_OK(rig_turn(&rig, &sync));
    CHECK_EQUAL(rig.wheel.engine.counts.syncs, 0); /* there was nothing */
    CHECK_OK(rig_write(&rig, &write));
    CHECK_OK(rig_turn(&rig, &sync));
    CHECK_EQUAL(rig.wheel.engine.counts.syncs, 1);
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0);
    rig_close(&rig);
}

/* A durable write that finds nothing to change still answers for what it found. */
TEST(a_write_without_effect_syncs_what_it_depends_on)
{
    struct rig rig;
    struct write_op add = rig_set_add("a", "s", "x"), remove = add;
    struct write lazy, durable;

    remove.op.kind = OP_SET_REMOVE;
    lazy = nosync_write(&remove);
    durable = (struct write){.ops = &add, .count = 1};
    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &durable));
    CHECK_OK(rig_write(&rig, &lazy));
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 1);
    durable.ops = &remove;
    CHECK_OK(rig_write(&rig, &durable));
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0);
    rig_close(&rig);
}

static void count_call(void *arg, struct engine *engine)
{
    *(uint64_t *)arg += engine->store.shards_count + 1;
}

TEST(a_call_runs_between_the_steps)
{
    struct rig rig;
    uint64_t calls = 0;
    struct event event = {.kind = EVENT_CALL, .call = count_call, .arg = &calls};

    rig_open(&rig);
    CHECK_OK(rig_turn(&rig, &event));
    CHECK_EQUAL(calls, 1);
    rig_close(&rig);
}

/* Alone, this node is the majority, and all. */
TEST(alone_every_level_is_reached)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1, .level = NEAP_ALL};

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    token_done(&write.awaited);
    rig_close(&rig);
}

TEST(a_node_without_peers_keeps_its_log_short)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    int64_t number = 0;

    rig_open(&rig);
    for (int i = 0; i < 3000; i++)
        CHECK_OK(rig_write(&rig, &write));
    CHECK(shard_log_count(rig_shard(&rig, "a")) <= 1000);
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, 3000);
    rig_crash(&rig);
    CHECK(shard_log_count(rig_shard(&rig, "a")) <= 1000);
    rig_close(&rig);
}

/* After a restart nobody confirms what it writes, so that can't be cut under its old id. */
TEST(a_node_without_peers_keeps_its_log_short_after_a_restart)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    int64_t number = 0;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    rig_crash(&rig);
    for (int i = 0; i < 18000; i++)
        CHECK_OK(rig_write(&rig, &write));
    CHECK(shard_log_count(rig_shard(&rig, "a")) <= 1000);
    CHECK_EQUAL(rig_shard(&rig, "a")->context.count, 2);
    CHECK_OK(rig_counter(rig.disk, "a", "n", &number));
    CHECK_EQUAL(number, 18001);
    rig_close(&rig);
}

/* ---- events of the net that fail ---- */

struct step_rig {
    struct rig rig;
    struct outbox outbox;
    struct done done;
    struct event *done_events[4];
};

static void step_rig_open(struct step_rig *step)
{
    static const struct directory_mark mark;
    struct gossip_options gossip = {.cluster = 1,
                                    .address = "ipc://here",
                                    .heartbeat_ms = 1000,
                                    .silence_ms = 5000,
                                    .backoff_ms_max = 1000,
                                    .log_max = 1000};
    struct wheel_options options = {
        .mark = &mark, .gossip = &gossip, .sync_ms = 100, .log_max = 1000};

    *step = (struct step_rig){.done = {.room = 4}};
    step->done.events = step->done_events;
    rig_clock_init(&step->rig.clock);
    CHECK_OK(disk_mem_open(&step->rig.disk));
    options.disk = step->rig.disk;
    options.clock = &step->rig.clock.clock;
    CHECK_OK(wheel_open(&step->rig.wheel, &options, NULL));
    outbox_init(&step->outbox, 1 << 20);
}

static void step_rig_close(struct step_rig *step)
{
    outbox_done(&step->outbox);
    rig_close(&step->rig);
}

static bool outbox_closes(const struct outbox *outbox, uint64_t link)
{
    for (size_t i = 0; i < outbox->count; i++)
        if (outbox->effects[i].kind == EFFECT_CLOSE && outbox->effects[i].link == link)
            return true;
    return false;
}

/* Each allocation of the step fails in turn: the event says so, its link is let go, and the node
 * goes on. */
TEST(an_event_of_the_net_short_of_memory_costs_its_link)
{
    bool failed = true;
    unsigned failures = 0;

    for (uint64_t call = 1; failed && call < 100; call++) {
        struct step_rig step;
        struct net_event net = {.kind = NET_UP, .link = NET_ACCEPTED | 1, .side = NET_PEER};
        struct event event = {.kind = EVENT_NET, .net = &net};
        struct engine *engine;
        uint64_t calls;

        step_rig_open(&step);
        engine = &step.rig.wheel.engine;
        calls = mem_calls();
        mem_fail_at(call, 0);
        CHECK_OK(engine_step(engine, rig_now(&step.rig), &event, step.rig.wheel.batch, &step.outbox,
                             &step.done));
        mem_fail_at(0, 0);
        failed = mem_calls() - calls >= call;
        CHECK_EQUAL(step.done.count, 1);
        if (event.code) {
            CHECK_ERROR(event.code, NEAP_NOMEM);
            CHECK_EQUAL(engine->counts.errors, 1);
            CHECK(engine->error.text[0]);
            CHECK(outbox_closes(&step.outbox, net.link));
            failures++;
        }
        CHECK(batch_is_empty(step.rig.wheel.batch));
        step_rig_close(&step);
    }
    CHECK(!failed);
    CHECK(failures > 0);
}

/* A tick that fails is tried again, but not at once. */
TEST(a_tick_that_fails_is_tried_again_later)
{
    struct rig rig;
    struct engine *engine = &rig.wheel.engine;

    rig_open(&rig);
    engine->tick_after = rig.clock.now_ms + TICK_AGAIN_MS;
    engine->unsynced_since = 0;
    CHECK(engine_deadline(engine, rig_now(&rig)) == UINT64_MAX);
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(engine->tick_after, 0);
    rig_close(&rig);
}
