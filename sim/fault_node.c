/* Faults of processes, and of the machines that they run on. */
#include <string.h>

#include "base/error.h"
#include "sim/faults.h"
#include "sim/quorums.h"

enum {
    HOUR_MS = 3600000,
    LEAP_MS_MIN = 6 * HOUR_MS, /* and 256 times as much at most: two months */
    LEAP_AFTER_MS = 1500,      /* so long the others talk between two leaps of time */
    SPELLS_MAX = 2,            /* long ones, in a world */
    SHORT_LOG = 20,
    VERIFY_MS_MAX = 5000,
    DIFF_EACH = 3, /* of questions that go with an order */
    VERIFY_BUCKETS = 3
};

/* ---- ends ---- */

/* In one of three ways. Returns the word for it. */
static const char *end_process(struct world *world, size_t node, uint64_t way)
{
    if (way == 0)
        sim_stop(world, node);
    else if (way == 1)
        sim_kill(world, node);
    else
        sim_crash(world, node);
    return way == 0 ? "stops" : way == 1 ? "is killed" : "loses power";
}

static void strike_end(struct faults *faults, struct rng *rng, const char *name, uint64_t way)
{
    struct sim_node *node = up_draw(faults, rng);
    if (!node)
        return;
    const char *word = end_process(faults->world, node->index, way);
    uint64_t later = restart_later(faults->world, node->index, rng);
    world_note(faults->world, "%s: %s %s for %llu ms", name, node->name, word,
               (unsigned long long)later);
}

static void strike_stop(struct faults *faults, struct rng *rng)
{
    strike_end(faults, rng, "stop", 0);
}

static void strike_kill(struct faults *faults, struct rng *rng)
{
    strike_end(faults, rng, "kill", 1);
}

static void strike_crash(struct faults *faults, struct rng *rng)
{
    strike_end(faults, rng, "crash", 2);
}

static void strike_effect(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    uint64_t most = UINT64_C(4) << rng_below(rng, 8);
    uint64_t left = 1 + rng_below(rng, most);
    if (!node)
        return;
    world_note(faults->world, "effect: %s loses power before effect %llu from now", node->name,
               (unsigned long long)left);
    node->effects_left = left;
}

/* ---- pace ---- */

static void strike_slow(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    uint64_t slow_ms = UINT64_C(2) << rng_below(rng, 8);
    uint64_t lasts_ms = lasting_draw(rng, 100);
    if (!node)
        return;
    world_note(faults->world, "slow: each turn of %s comes %llu ms later for %llu ms", node->name,
               (unsigned long long)slow_ms, (unsigned long long)lasts_ms);
    node->slow_ms = slow_ms;
    node->slow_until_ms = faults->world->now_ms + lasts_ms;
}

static void strike_pause(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    uint64_t lasts_ms = lasting_draw(rng, 50);
    if (!node)
        return;
    world_note(faults->world, "pause: %s stands still for %llu ms", node->name,
               (unsigned long long)lasts_ms);
    sim_pause(faults->world, node->index, faults->world->now_ms + lasts_ms);
}

/* ---- offline ---- */

static void logs_set(struct world *world, uint64_t log_max)
{
    for (size_t i = 0; i < world->nodes_count; i++)
        sim_set_log_max(world, i, log_max);
}

static void offline_end(struct faults *faults)
{
    struct world *world = faults->world;
    faults->offline.leaps = 0;
    logs_set(world, world->options.log_max);
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!world->nodes[i].away)
            continue;
        world->nodes[i].away = false;
        sim_start(world, i);
    }
}

/* Days go by, of which some seconds are lived through, with all that is overdue. */
static void offline_leap(void *arg)
{
    struct faults *faults = arg;
    struct world *world = faults->world;
    struct offline *offline = &faults->offline;
    if (offline->leaps == 0)
        return; /* healed */
    if (--offline->leaps == 0) {
        offline_end(faults);
        return;
    }
    uint64_t leap_ms = lasting_draw(&offline->rng, LEAP_MS_MIN);
    uint64_t calls = rng_below(&offline->rng, offline->calls_max);
    world_note(world, "%llu hours go by", (unsigned long long)leap_ms / HOUR_MS);
    world->now_ms += leap_ms;
    for (uint64_t i = 0; i < calls && world->load; i++)
        load_call(world->load, &offline->rng);
    uint64_t delay_ms = LEAP_AFTER_MS + rng_below(&offline->rng, LEAP_AFTER_MS);
    world_after(world, delay_ms,
                (struct thing){.kind = THING_CALL, .call = offline_leap, .arg = faults});
}

static void offline_begin(struct faults *faults, struct rng *rng)
{
    struct offline *offline = &faults->offline;
    bool goes_on = offline->leaps > 0;
    bool is_long = goes_on || offline->spells++ < SPELLS_MAX;
    uint64_t leaps = 4 + rng_below(rng, is_long ? 5 : 1); /* the last one is the end */
    bool is_short = rng_chance(rng, 70);
    rng_init(&offline->rng, rng_u64(rng));
    offline->leaps = (unsigned)leaps;
    offline->calls_max = is_long ? 30 : 5;
    if (is_short)
        logs_set(faults->world, SHORT_LOG);
    if (!goes_on)
        world_after(faults->world, LEAP_AFTER_MS,
                    (struct thing){.kind = THING_CALL, .call = offline_leap, .arg = faults});
}

/* Somebody stays to go on without it. */
static void strike_offline(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    struct sim_node *node = up_draw(faults, rng);
    uint64_t way = rng_below(rng, 3);
    size_t here = 0;
    for (size_t i = 0; i < world->nodes_count; i++)
        here += !world->nodes[i].away;
    if (!node || here < 2) {
        world_note(world, "offline: nobody would be left");
        return;
    }
    const char *word = end_process(world, node->index, way);
    world_note(world, "offline: %s %s, and is away for long", node->name, word);
    node->away = true;
    offline_begin(faults, rng);
}

/* ---- storms ---- */

static void storm_next(void *arg)
{
    struct storm *storm = arg;
    struct world *world = storm->faults->world;
    struct sim_node *node = &world->nodes[storm->node];
    uint64_t way, delay_ms;
    if (storm->left == 0)
        return;
    if (node->up) {
        way = rng_below(&storm->rng, 3);
        delay_ms = rng_below(&storm->rng, 150);
        end_process(world, storm->node, way);
    } else {
        delay_ms = 1 + rng_below(&storm->rng, 600);
        storm->left--;
        if (!node->away)
            sim_start(world, storm->node);
    }
    world_after(world, delay_ms,
                (struct thing){.kind = THING_CALL, .call = storm_next, .arg = storm});
}

static void strike_storm(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    uint64_t restarts = 2 + rng_below(rng, 6);
    if (!node)
        return;
    struct storm *storm = &faults->storms[node->index];
    bool goes_on = storm->left > 0;
    *storm = (struct storm){.faults = faults, .node = node->index, .left = (unsigned)restarts};
    rng_init(&storm->rng, rng_u64(rng));
    world_note(faults->world, "storm: %s restarts %u times", node->name, storm->left);
    if (!goes_on)
        storm_next(storm);
}

/* ---- operators ---- */

/* No fault, but a question that must not be one, whatever else happens. */
static void strike_verify(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    uint64_t number = rng_u64(rng);
    uint64_t lasts_ms = 50 + rng_below(rng, VERIFY_MS_MAX);
    if (!node || faults->lost)
        return;
    const struct store *store = &node->wheel.engine.store;
    world_note(faults->world, "verify: %s asks others, for %llu ms", node->name,
               (unsigned long long)lasts_ms);
    for (size_t i = 0; i < store->shards_count && i < VERIFY_BUCKETS; i++) {
        const struct shard *shard = store->shards[(number + i) % store->shards_count];
        sim_ask(faults->world, node->index, ASK_VERIFY, shard->id, lasts_ms);
    }
}

/* Work that is held is taken back by chance, by the end of its process, or when all is healed. */
static void strike_order(struct faults *faults, struct rng *rng)
{
    static const char *const words[] = {"pause", "resume", "cancel", "scrub", "repair"};
    struct sim_node *node = up_draw(faults, rng);
    enum sim_order_kind kind = (enum sim_order_kind)rng_below(rng, SIM_REPAIR + 1);
    enum task_kind task = (enum task_kind)rng_below(rng, TASK_BACKUP);
    uint64_t number = rng_u64(rng);
    if (!node)
        return;
    const struct store *store = &node->wheel.engine.store;
    if (store->shards_count == 0) {
        world_note(faults->world, "order: %s has no work", node->name);
        return;
    }
    const struct shard *shard = store->shards[number % store->shards_count];
    world_note(faults->world, "order: %s, %s %s of %s", node->name, words[kind],
               kind <= SIM_CANCEL ? task_word(task) : "", shard->name);
    faults->ordered = true;
    sim_order(faults->world, node->index, kind, task, shard->id);
    if (number % DIFF_EACH == 0)
        sim_diff(faults->world, node->index, shard->id, 50 + number % VERIFY_MS_MAX);
    else
        sim_ask(faults->world, node->index, ASK_LOOK, shard->id, 50 + number % VERIFY_MS_MAX);
}

static void orders_heal(struct world *world, size_t index)
{
    static const enum task_kind kinds[] = {TASK_COMPARE, TASK_REPAIR, TASK_BUILD, TASK_SCRUB};
    const struct store *store = &world->nodes[index].wheel.engine.store;
    for (size_t i = 0; i < store->shards_count; i++) {
        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++)
            sim_order(world, index, SIM_RESUME, kinds[j], store->shards[i]->id);
    }
    sim_order(world, index, SIM_RESUME, TASK_ROUND, 0);
}

/* An operator has a node let go of a bucket, or hold all again. */
static void strike_subscribe(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    bool adds = rng_chance(rng, 35);
    uint64_t number = rng_u64(rng);
    if (!node)
        return;
    const struct store *store = &node->wheel.engine.store;
    const struct shard *shard =
        store->shards_count ? store->shards[number % store->shards_count] : NULL;
    if (!adds && (!shard || shard->name[0] == '_' || !strcmp(shard->name, QUORUM_BUCKET)))
        return;
    const char *entry = adds ? "*" : shard->name;
    world_note(faults->world, "subscribe: %s %s %s", node->name, adds ? "holds" : "lets go of",
               entry);
    faults->subscribed = true;
    sim_subscribe(faults->world, node->index, adds, entry);
}

/* ---- all ---- */

static void heal(struct faults *faults)
{
    struct world *world = faults->world;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        node->effects_left = node->slow_until_ms = 0;
        faults->storms[i].left = 0;
        if (node->up)
            sim_pause(world, i, 0);
        if (node->up && faults->ordered)
            orders_heal(world, i);
    }
    offline_end(faults);
}

static const struct fault_kind kinds[] = {
    {"stop", "a process stops in good order", FAULTS_NODE, false, strike_stop},
    {"kill", "a process dies; what it wrote stays", FAULTS_NODE, false, strike_kill},
    {"crash", "power fails; what is not synced may go", FAULTS_NODE, false, strike_crash},
    {"effect", "power fails before some effect of a turn", FAULTS_NODE, false, strike_effect},
    {"slow", "a node is slow", FAULTS_NODE, false, strike_slow},
    {"pause", "a process stands still for a while", FAULTS_NODE, false, strike_pause},
    {"offline", "a node is away for months, the others go on", FAULTS_NODE, false, strike_offline},
    {"storm", "a process restarts again and again", FAULTS_NODE, false, strike_storm},
    {"verify", "an operator asks whether replicas are equal", FAULTS_NODE, false, strike_verify},
    {"order", "an operator pauses, ends or orders long work", FAULTS_NODE, false, strike_order},
    {"subscribe", "a node lets go of a bucket, or holds all again", FAULTS_NODE, true,
     strike_subscribe},
};

const struct fault_group_file faults_of_node = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
