/* A node of the world: the real wheel between a simulated disk, net and clock. */
#include "sim/check.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/look.h"
#include "gossip/state.h"
#include "sim/hand.h"
#include "sim/load.h"
#include "sim/net.h"
#include "sim/ring.h"
#include "store/disk_cache.h"
#include "store/hole.h"

/* The cache is so small that cells come and go. */
enum { TREE_BITS = 10, SIM_SCRUB_MS = 5000, CACHE_SIZE = 4 << 10 };
static const uint64_t WALL_START_MS = 1700000000000;
static const struct hash_key cluster_key = {{'s', 'e', 'c', 'r', 'e', 't'}};

static struct sim_node *node_of_trace(struct trace *trace)
{
    return (struct sim_node *)((char *)trace - offsetof(struct sim_node, trace));
}

static void node_line(struct trace *trace, const char *text)
{
    struct sim_node *node = node_of_trace(trace);
    if (strncmp(text, "wheel: commit", 13) != 0)
        world_line(node->world, node->name, text);
}

/* ---- clocks ---- */

static struct sim_node *node_of_clock(struct clock *clock)
{
    return (struct sim_node *)((char *)clock - offsetof(struct sim_node, clock));
}

int64_t sim_skew(const struct sim_node *node)
{
    int64_t since = (int64_t)(node->world->now_ms - node->drift_from_ms);
    return node->drift
               ? node->skew_ms + since / 1000 * node->drift + since % 1000 * node->drift / 1000
               : node->skew_ms;
}

void sim_set_clock(struct sim_node *node, int64_t skew_ms, int drift)
{
    node->skew_ms = skew_ms;
    node->drift = drift;
    node->drift_from_ms = node->world->now_ms;
}

struct now sim_now(const struct sim_node *node)
{
    int64_t wall = (int64_t)(WALL_START_MS + node->world->now_ms) + sim_skew(node);
    return (struct now){.mono_ms = node->world->now_ms - node->boot_ms,
                        .wall_ms = wall > 0 ? (uint64_t)wall : 0};
}

static uint64_t clock_now(struct clock *clock)
{
    return sim_now(node_of_clock(clock)).mono_ms;
}

static uint64_t clock_wall(struct clock *clock)
{
    return sim_now(node_of_clock(clock)).wall_ms;
}

static uint64_t clock_entropy(struct clock *clock)
{
    return rng_u64(&node_of_clock(clock)->entropy);
}

static const struct clock_ops clock_ops = {clock_now, clock_wall, clock_entropy};
static const char *const node_names[NODES_MAX] = {"A", "B", "C", "D", "E", "F", "G", "H"};

/* ---- nodes ---- */

void node_init(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    *node = (struct sim_node){.world = world, .index = index, .off = true};
    node->net.ops = &sim_net_ops;
    node->clock.ops = &clock_ops;
    node->trace.line = node_line;
    snprintf(node->name, sizeof node->name, "%s", node_names[index]);
    snprintf(node->address, sizeof node->address, "sim://%s", node_names[index]);
    node->mark.directory = node->mark.file = index + 1;
    node->mark.machine[0] = (uint8_t)(index + 1);
    rng_init(&node->entropy, world->options.seed * 1000 + index);
    node->inbox = mem_new_array(SIM_INBOX_MAX, sizeof *node->inbox);
    must(node->inbox);
    must(disk_mem_open(&node->disk) == 0);
    sim_disk_init(&node->door, node);
    uint32_t beat = world->options.heartbeat_ms ? world->options.heartbeat_ms : 1000;
    node->gossip = (struct gossip_options){.cluster = 1,
                                           .address = node->address,
                                           .peers = node->peers,
                                           .heartbeat_ms = beat,
                                           .silence_ms = 5 * beat,
                                           .device = world->options.device &&
                                                     index + 1 == world->options.nodes,
                                           .chunk_size = world->options.chunk_size,
                                           .repair_scan = world->options.chunk_size / 64,
                                           .compare_few = world->options.compare_few,
                                           .pushed_max = world->options.pushed_max,
                                           .backoff_ms_max = 3000,
                                           .log_max = world->options.log_max,
                                           .bulk_max = world->options.bulk_max};
}

static bool node_crashes(void *arg, const char *before)
{
    struct sim_node *node = arg;
    (void)before;
    if (disk_loses_power(&node->door))
        return true;
    return node->effects_left > 0 && --node->effects_left == 0;
}

static void node_plan_tick(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    struct now now = sim_now(node);
    uint64_t deadline = engine_deadline(&node->wheel.engine, now);
    if (deadline == UINT64_MAX)
        return;
    uint64_t delay = deadline > now.mono_ms ? deadline - now.mono_ms : 1;
    uint64_t at = world->now_ms + delay;
    if (node->tick_at && node->tick_at <= at && node->tick_at > world->now_ms)
        return;
    node->tick_at = at;
    world_after(world, delay,
                (struct thing){.kind = THING_TICK, .node = index, .epoch = node->epoch});
}

void sim_wipe(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    struct disk *disk;
    must(disk_mem_open(&disk) == 0);
    if (node->up)
        sim_crash(world, index);
    if (world->load)
        history_doubt(load_history(world->load), index);
    sim_set_disk(world, index, disk);
}

/* Does a start fail for a reason that the disk was ordered to have? Then whoever operates it tries
 * again; what is rotten will not open then either, so that such a directory is given up. */
static bool start_fails_again(struct world *world, size_t index, int code)
{
    struct sim_node *node = &world->nodes[index];
    if (!disk_gave(&node->door, code))
        return false;
    if (node->door.met_rot && disk_rots(&node->door, DISK_META)) {
        world_note(world, "%s: its directory is rotten, and thrown away", node->name);
        sim_wipe(world, index);
    }
    world_after(world, 500 + world_below(world, 3000),
                (struct thing){.kind = THING_RESTART, .node = index});
    return true;
}

static void sim_close(struct sim_node *node)
{
    if (node->above)
        (void)disk_cache_leave(disk_holes_leave(node->above));
    node->above = NULL;
}

static int sim_open(struct sim_node *node, struct neap_error *error)
{
    struct wheel_options options = {.net = &node->net,
                                    .clock = &node->clock,
                                    .mark = &node->mark,
                                    .suspect = node->door.suspect,
                                    .gossip = &node->gossip,
                                    .trace = &node->trace,
                                    .sync_ms = 100,
                                    .log_max = node->gossip.log_max,
                                    .cluster_key = &cluster_key,
                                    .tree_bits = TREE_BITS,
                                    .scrub_ms = node->world->options.scrub_ms
                                                ? node->world->options.scrub_ms
                                                : SIM_SCRUB_MS};
    int code = disk_reopen(&node->door);
    if (!code)
        code = disk_cache_open(&node->door.disk, CACHE_SIZE, &node->above);
    if (!code)
        code = disk_holes_open(node->above, &node->above);
    options.suspect = node->door.suspect;
    options.disk = node->above;
    if (!code)
        code = wheel_open(&node->wheel, &options, error);
    if (code)
        sim_close(node);
    return code ? error_set(error, code, "%s", error->text[0] ? error->text : error_text(code)) : 0;
}

void sim_start(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    struct neap_error error = {0};
    if (node->up)
        return;
    node->epoch++;
    node->starts++;
    if (node->off)
        node->boot_ms = world->now_ms;
    node->off = false;
    node->gossip.peers_count = node->peers_count;
    /* Whoever starts again does so in the other version: upgrades, and ways back. */
    if (world->options.mixed)
        node->gossip.wire_newest = WIRE_VERSION + ((index + node->epoch) % 2 == 0);
    bool suspect = node->door.suspect;
    int code = sim_open(node, &error);
    if (code) {
        world_line(world, node->name, error.text);
        disk_crash(&node->door);
        if (!start_fails_again(world, index, code))
            world_fail(world, "%s does not open: %s", node->name, error.text);
        return;
    }
    world_line(world, node->name, suspect ? "starts, suspect" : "starts");
    node->wheel.crash = node_crashes;
    node->wheel.crash_arg = node;
    node->up = true;
    node->tick_at = 0;
    node_plan_tick(world, index);
    checks_started(world, index);
}

/* What the net tells is one block (struct sim_mail), what a test does may be two. */
static void event_free(struct event *event)
{
    if (event->kind == EVENT_NET && event->net != &((struct sim_mail *)event)->net)
        mem_free(event->net);
    mem_free(event);
}

/* ---- asks ---- */

struct sim_ask {
    struct event event; /* first: what is freed */
    struct ask ask;
    uint8_t question[16]; /* of ASK_LOOK: all cells of the bucket */
};

static void ask_post(struct world *world, size_t index, struct ask ask, uint64_t for_ms)
{
    struct sim_ask *asking = mem_new(sizeof *asking);
    must(asking);
    asking->event.kind = EVENT_ASK;
    asking->event.ask = &asking->ask;
    asking->ask = ask;
    asking->ask.until_ms = sim_now(&world->nodes[index]).mono_ms + for_ms;
    if (ask.kind == ASK_LOOK) {
        struct buffer question = {.data = asking->question,
                                  .room = sizeof asking->question,
                                  .size_max = sizeof asking->question};
        must(!look_question(ask.shard, slice_of(NULL, 0), &question));
        asking->ask.bytes = buffer_slice(&question);
    }
    sim_post(world, index, &asking->event);
}

void sim_ask(struct world *world, size_t index, enum ask_kind kind, uint64_t shard, uint64_t for_ms)
{
    ask_post(world, index, (struct ask){.kind = kind, .shard = shard}, for_ms);
}

void sim_diff(struct world *world, size_t index, uint64_t shard, uint64_t for_ms)
{
    ask_post(world, index, (struct ask){.kind = ASK_VERIFY, .shard = shard, .all = true}, for_ms);
}

/* ---- orders ---- */

struct sim_order {
    struct event event; /* first: what is freed */
    enum sim_order_kind kind;
    enum task_kind task;
    uint64_t shard;
};

static int order_each(void *arg, const char *bucket, const char *peer, enum repair_order order)
{
    (void)arg;
    (void)bucket;
    (void)peer;
    (void)order;
    return 0;
}

/* What comes of it is not asked: mostly there is nothing of the name. */
static void order_call(void *arg, struct engine *engine)
{
    const struct sim_order *order = arg;
    struct now now = {.mono_ms = engine->gossip->now_ms};
    struct shard *shard = store_find(&engine->store, order->shard);
    enum task_order how = (enum task_order)order->kind;
    struct repair_wish wish = {.shard = order->shard,
                               .bytes_per_s = now.mono_ms % 4 == 0 ? 65536 : 0,
                               .resume = now.mono_ms % 3 == 0};
    must(SIM_CANCEL == (int)TASK_CANCEL);
    if (order->kind == SIM_SCRUB && shard && shard->tree)
        (void)trees_scrub_one(&engine->trees, shard);
    else if (order->kind == SIM_SCRUB)
        trees_scrub(&engine->trees);
    else if (order->kind == SIM_REPAIR)
        (void)gossip_repair(engine->gossip, &wish, order_each, NULL);
    else if (order->task >= TASK_BUILD)
        (void)trees_task_order(&engine->trees, &engine->store, order->task, order->shard, how);
    else
        (void)gossip_task_order(engine->gossip, now, order->task, order->shard,
                                1 + order->shard % 8, how);
}

void sim_order(struct world *world, size_t index, enum sim_order_kind kind, enum task_kind task,
               uint64_t shard)
{
    struct sim_order *order = mem_new(sizeof *order);
    must(order);
    order->event = (struct event){.kind = EVENT_CALL, .call = order_call, .arg = order};
    order->kind = kind;
    order->task = task;
    order->shard = shard;
    sim_post(world, index, &order->event);
}

struct sim_subscribing {
    struct event event; /* first: what is freed */
    struct subscribing subscribing;
    char entry[64];
};

void sim_subscribe(struct world *world, size_t index, bool adds, const char *entry)
{
    struct sim_subscribing *order = mem_new(sizeof *order);
    must(order);
    for (size_t i = 0; i < world->nodes_count; i++) /* directories are copied, with their lists */
        world->nodes[i].lets_go |= !adds;
    snprintf(order->entry, sizeof order->entry, "%s", entry);
    order->event = (struct event){.kind = EVENT_SUBSCRIBE, .subscribing = &order->subscribing};
    order->subscribing = (struct subscribing){.what = adds ? SUBSCRIBE_ADD : SUBSCRIBE_REMOVE,
                                              .entry = order->entry};
    sim_post(world, index, &order->event);
}

/* Its process has ended, and nobody waits for it. */
static void ask_lost(struct world *world, size_t index, struct event *event)
{
    if (event->ask->kind == ASK_CALL) {
        hand_asked(world, index, event, true);
        return;
    }
    if (event->waiter) {
        quorums_ended(event->waiter, index, event, true);
        return;
    }
    ask_done(event->ask);
    event_free(event);
}

/* Some have ended in this turn. */
static void asks_go_on(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    const struct done *done = &node->wheel.done;
    for (size_t i = 0; i < done->count; i++) {
        for (size_t j = 0; j < node->asks_count; j++) {
            if (done->events[i] != node->asks[j])
                continue;
            struct event *event = node->asks[j];
            node->asks[j] = node->asks[--node->asks_count];
            checks_asked(world, index, event->ask, event->code);
            if (event->ask->kind == ASK_CALL)
                hand_asked(world, index, event, false);
            else if (event->waiter)
                quorums_ended(event->waiter, index, event, false);
            else
                ask_lost(world, index, event);
            break;
        }
    }
}

void sim_compares(const struct sim_node *node, uint64_t *compares, uint64_t *resumed)
{
    const struct store *store = &node->wheel.engine.store;
    for (size_t i = 0; i < store->shards_count; i++) {
        *compares += store->shards[i]->counts.compares;
        *resumed += store->shards[i]->counts.compares_resumed;
    }
}

void node_down(struct world *world, size_t index, bool says)
{
    struct sim_node *node = &world->nodes[index];
    while (node->asks_count > 0)
        ask_lost(world, index, node->asks[--node->asks_count]);
    for (size_t i = 0; i < node->inbox_count; i++) {
        struct event *event = node->inbox[i];
        if (event->kind == EVENT_NET) {
            net_event_done(event->net);
            event_free(event);
        } else if (event->kind == EVENT_WRITE && event->waiter == world) {
            sim_put_ended(event);
        } else if (world->write_done && event->kind == EVENT_WRITE) {
            world->write_done(world, index, event, true);
        } else if (event->kind == EVENT_ASK) {
            ask_lost(world, index, event);
        } else {
            event_free(event);
        }
    }
    sim_leaves(node);
    node->inbox_count = 0;
    node->turn_at = node->effects_left = node->paused_until_ms = 0;
    node->up = false;
    node->epoch++;
    net_node_gone(world, index, says);
    sim_compares(node, &node->compares, &node->compares_resumed);
    wheel_close(&node->wheel);
    sim_close(node);
}

void sim_crash(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    if (!node->up)
        return;
    world_line(world, node->name, "crashes");
    node->crashes++;
    node->off = true;
    node_down(world, index, false);
    disk_crash(&node->door);
}

void sim_kill(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    if (!node->up)
        return;
    world_line(world, node->name, "is killed");
    node->crashes++;
    node_down(world, index, true);
}

size_t sim_ending(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    struct event close = {.kind = EVENT_CLOSE}, *events[] = {&close};
    if (node->up && !node->wheel.crashed && !node->wheel.stopped) {
        wheel_turn(&node->wheel, sim_now(node), events, 1);
        asks_go_on(world, index);
        node_plan_tick(world, index);
    }
    return node->up ? node->wheel.engine.serving.count : 0;
}

void sim_stop(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    if (!node->up)
        return;
    struct event leave = {.kind = EVENT_LEAVE}, *events[] = {&leave};
    if (node->wheel.engine.serving.count > 0)
        (void)sim_ending(world, index);
    if (node->gossip.own) { /* others leave without a word, as they always did */
        wheel_turn(&node->wheel, sim_now(node), events, 1);
        asks_go_on(world, index);
    }
    if (node->wheel.crashed || node->wheel.stopped) {
        sim_crash(world, index);
        return;
    }
    wheel_save_trees(&node->wheel);
    if (node->door.disk.ops->sync(&node->door.disk)) {
        sim_crash(world, index);
        return;
    }
    world_line(world, node->name, "stops");
    node_down(world, index, true);
}

void sim_set_disk(struct world *world, size_t index, struct disk *disk)
{
    struct sim_node *node = &world->nodes[index];
    must(!node->up);
    disk_close(node->disk);
    node->disk = disk;
    sim_leave(node);
    disk_replaced(&node->door);
    world->amnesia = true;
    checks_replaced(world, index);
}

static void left_since(struct world *world, uint64_t mark)
{
    if (mark && (!world->left || mark < world->left))
        world->left = mark;
}

void sim_leave(struct sim_node *node)
{
    left_since(node->world, node->went_back);
    node->went_back = 0;
}

void sim_leaves(struct sim_node *node)
{
    const struct store *store = &node->wheel.engine.store;
    for (size_t i = 0; node->up && i < store->shards_count; i++) {
        if (store->shards[i]->confirmed)
            left_since(node->world, node->went_back);
    }
}

bool sim_is_unsure(const struct sim_node *node)
{
    const struct store *store = &node->wheel.engine.store;
    if (!node->went_back || !node->up)
        return node->went_back != 0;
    for (size_t i = 0; i < store->shards_count; i++) {
        if (!store->shards[i]->confirmed)
            return true;
    }
    return false;
}

bool sim_lost(const struct world *world)
{
    bool lost = false;
    for (size_t i = 0; i < world->nodes_count; i++)
        lost |= disk_find_lost(&world->nodes[i].door, slice_of(NULL, 0)) != NULL;
    return lost;
}

bool sim_has_holes(const struct sim_node *node)
{
    const struct view view = {.disk = node->disk}; /* it may be down */
    struct slice key, value;
    struct scan *scan;
    must(view_scan(&view, DISK_META, slice_text("D"), slice_text("E"), &scan) == 0);
    bool has = scan_next(scan, &key, &value) == 0;
    scan_close(scan);
    return has;
}

static bool wheel_has_holes(const struct sim_node *node)
{
    const struct store *store = &node->wheel.engine.store;
    bool has = false;
    for (size_t i = 0; node->up && i < store->shards_count; i++)
        has |= store->shards[i]->holes_count > 0;
    return has;
}

bool sim_in_hole(const struct sim_node *node, struct slice key)
{
    const struct shard *shard =
        node->up ? store_find(&node->wheel.engine.store, bytes_get_u64(key.data)) : NULL;
    bool is_in = false;
    for (size_t i = 0; shard && i < shard->holes_count; i++)
        is_in |= hole_has(&shard->holes[i], slice_of(key.data + 8, key.size - 8));
    return is_in;
}

bool sim_excuses(const struct sim_node *node, int code)
{
    return disk_gave(&node->door, code) ||
           (code == NEAP_CORRUPT && (node->had_holes || wheel_has_holes(node))) ||
           (code == NEAP_NOMEM && node->world->starves) || (code == NEAP_REFUSED && node->lets_go);
}

struct shard *sim_shard(struct world *world, size_t index, const char *bucket)
{
    struct sim_node *node = &world->nodes[index];
    return node->up ? store_find(&node->wheel.engine.store, bucket_id(bucket)) : NULL;
}

static void node_plan_turn(struct world *world, size_t index, uint64_t delay)
{
    struct sim_node *node = &world->nodes[index];
    uint64_t at = world->now_ms + delay;
    if (node->turn_at)
        return;
    if (at < node->door.free_at_ms)
        at = node->door.free_at_ms;
    if (at < node->paused_until_ms)
        at = node->paused_until_ms;
    node->turn_at = at;
    world_after(world, at - world->now_ms,
                (struct thing){.kind = THING_TURN, .node = index, .epoch = node->epoch});
}

void sim_pause(struct world *world, size_t index, uint64_t until_ms)
{
    struct sim_node *node = &world->nodes[index];
    bool waits = node->turn_at != 0;
    node->paused_until_ms = until_ms;
    node->turn_at = 0; /* the one that was planned is not meant any more */
    if (waits)
        node_plan_turn(world, index, 1);
}

void sim_set_log_max(struct world *world, size_t index, uint64_t log_max)
{
    struct sim_node *node = &world->nodes[index];
    node->log_max_falls += log_max < node->gossip.log_max;
    node->gossip.log_max = log_max;
    if (node->up)
        node->wheel.engine.log_max = node->wheel.engine.gossip->options.log_max = log_max;
}

void sim_post(struct world *world, size_t index, struct event *event)
{
    struct sim_node *node = &world->nodes[index];
    must(node->up);
    if (node->inbox_count == SIM_INBOX_MAX) {
        world_fail(world, "%s: %d events wait", node->name, SIM_INBOX_MAX);
        return;
    }
    node->inbox[node->inbox_count++] = event;
    if (node->turn_at)
        return;
    uint64_t delay = world_below(world, 2);
    if (world->now_ms < node->slow_until_ms)
        delay += node->slow_ms;
    node_plan_turn(world, index, delay);
}

static void node_finish(struct world *world, size_t index, struct event *event, bool lost)
{
    switch (event->kind) {
    case EVENT_WRITE:
        if (event->waiter == world)
            sim_put_ended(event);
        else if (world->write_done)
            world->write_done(world, index, event, lost);
        break;
    case EVENT_NET:
    case EVENT_SYNC:
    case EVENT_TICK:
    case EVENT_ISOLATE:
    case EVENT_CLOSE:
    case EVENT_LEAVE:
    case EVENT_COUNT:
    case EVENT_SUBSCRIBE:
    case EVENT_WORK:
    case EVENT_CALL:
        event_free(event);
        break;
    case EVENT_ASK:
        world->nodes[index].asks[world->nodes[index].asks_count++] = event;
        break;
    }
}

static bool is_done(const struct wheel *wheel, const struct event *event)
{
    for (size_t i = 0; i < wheel->done.count; i++) {
        if (wheel->done.events[i] == event)
            return true;
    }
    return false;
}

void node_turn(struct world *world, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    struct event *events[TURN_EVENTS_MAX];
    size_t count = node->inbox_count < TURN_EVENTS_MAX ? node->inbox_count : TURN_EVENTS_MAX;
    node->turn_at = 0;
    if (count > 1 && world_below(world, 3) == 0)
        count = 1 + (size_t)world_below(world, count);
    memcpy(events, node->inbox, count * sizeof *events);
    node->inbox_count -= count;
    memmove(node->inbox, node->inbox + count, node->inbox_count * sizeof *events);
    node->turns++;
    node->door.hurt = 0;
    node->had_holes = wheel_has_holes(node);
    world->starve_at = 0;
    if (world->starves && world_below(world, 20) == 0)
        world->starve_at = mem_calls() + 1 + world_below(world, 300);
    world_starve(world);
    wheel_turn(&node->wheel, sim_now(node), events, count);
    world_feed(world);
    world->starve_at = 0;
    bool crashed = node->wheel.crashed;
    for (size_t i = 0; i < count; i++)
        node_finish(world, index, events[i], crashed && !is_done(&node->wheel, events[i]));
    asks_go_on(world, index);
    if (node->wheel.stopped && !crashed) {
        if (!sim_excuses(node, node->wheel.stopped))
            world_fail(world, "%s stopped: %s", node->name, node->wheel.error.text);
        crashed = true;
    }
    if (crashed) {
        sim_crash(world, index);
        world_after(world, 50 + world_below(world, 1000),
                    (struct thing){.kind = THING_RESTART, .node = index});
        return;
    }
    if (node->inbox_count > 0)
        node_plan_turn(world, index, 1);
    node_plan_tick(world, index);
}

void node_tick(struct world *world, size_t index)
{
    struct event *event = mem_new(sizeof *event);
    must(event);
    event->kind = EVENT_TICK;
    world->nodes[index].tick_at = 0;
    sim_post(world, index, event);
}
