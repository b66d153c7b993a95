/* Operators who compare two replicas are told of a difference only where there was damage, whatever
 * is written meanwhile. And when both stood still they are told what their trees say. */
#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "sim/find.h"
#include "store/merkle.h"

/* The latest question of a node: how the others were when it was sent. */
struct asked_then {
    uint64_t shard, wall_ms;
    struct digest root;
    struct digest others[NODES_MAX];
    bool quiet[NODES_MAX]; /* that one had seen the same, and nothing was ahead */
};

struct check_verify {
    bool lost; /* something was, on some node, at some time */
    struct asked_then then[NODES_MAX];
    uint64_t built[NODES_MAX];    /* trees, as last seen... */
    uint64_t built_ms[NODES_MAX]; /* ... and when they had become more */
};

static void *begin(struct world *world)
{
    struct check_verify *state = mem_new(sizeof *state);
    (void)world;
    must(state);
    return state;
}

/* A tree that was built in this very turn may not be the one that its questions were about. */
static bool has_built(struct check_verify *state, const struct sim_node *node)
{
    const struct trees *trees = &node->wheel.engine.trees;
    uint64_t built = trees->builds + trees->scrubbed, before = state->built[node->index];
    state->built[node->index] = built;
    if (built != before)
        state->built_ms[node->index] = node->world->now_ms;
    return state->built_ms[node->index] == node->world->now_ms;
}

static void commit(struct world *world, void *arg, size_t index, const struct batch *batch,
                   bool sync)
{
    struct check_verify *state = arg;
    (void)index;
    (void)batch;
    (void)sync;
    state->lost |= sim_lost(world);
}

static bool is_settled(const struct shard *shard)
{
    return shard && shard->tree && shard->tree->ready && shard->residues_count == 0 &&
           !shard->session.id;
}

static const struct shard *shard_at(const struct world *world, size_t index, uint64_t id)
{
    const struct sim_node *node = &world->nodes[index];
    const struct shard *shard = node->up ? store_find(&node->wheel.engine.store, id) : NULL;
    return is_settled(shard) ? shard : NULL;
}

static void sent(struct world *world, void *arg, size_t index, const struct message *message)
{
    struct check_verify *state = arg;
    struct asked_then *then = &state->then[index];
    bool built = has_built(state, &world->nodes[index]);
    if (message->kind != MESSAGE_VERIFY)
        return;
    const struct shard *shard = shard_at(world, index, message->shard), *other;
    *then = (struct asked_then){.shard = message->shard,
                                .wall_ms = sim_now(&world->nodes[index]).wall_ms};
    if (!shard || built || !context_equal(&shard->context, &message->since))
        return;
    then->root = merkle_root(shard->tree);
    for (size_t i = 0; i < world->nodes_count; i++) {
        other = shard_at(world, i, message->shard);
        then->quiet[i] = other && context_equal(&other->context, &shard->context);
        if (then->quiet[i])
            then->others[i] = merkle_root(other->tree);
    }
}

/* Did the other stand still from the question to the answer? Then what it has is known. */
static void compare(struct world *world, const struct check_verify *state, size_t index,
                    size_t other, const struct ask *ask, const struct verify_result *result)
{
    const struct asked_then *then = &state->then[index];
    const struct shard *shard = shard_at(world, other, ask->shard);
    bool equal = result->verdict == VERIFY_EQUAL;
    if (result->verdict == VERIFY_UNKNOWN || !shard || !then->quiet[other] ||
        then->shard != ask->shard || then->wall_ms != result->asked_ms ||
        !context_equal(&shard->context, &result->context) ||
        !digest_equal(merkle_root(shard->tree), then->others[other]))
        return;
    if (digest_equal(then->root, then->others[other]) != equal)
        world_fail(world, "verify: %s and %s are said to %s, and are not", world->nodes[index].name,
                   world->nodes[other].name, equal ? "be equal" : "be different");
}

static void asked(struct world *world, void *arg, size_t index, const struct ask *ask, int code)
{
    static const char *const words[] = {"unknown", "equal", "differs"};
    struct check_verify *state = arg;
    const char *name = world->nodes[index].name;
    state->lost |= sim_lost(world);
    for (size_t i = 0; !code && ask->kind == ASK_VERIFY && i < ask->count; i++) {
        const struct ask_answer *answer = &ask->answers[i];
        const struct verify_result *result = answer->verified;
        if (!result)
            continue;
        world_note(world, "%s: verify %s: %s, %zu cells under way, %zu keys; %s", name,
                   answer->address, words[result->verdict], result->under_way, result->keys_count,
                   verify_reason_text(result->why));
        if (result->verdict == VERIFY_DIFFERS && !state->lost && !ask->all)
            world_fail(world, "verify: %s differs from %s, and nothing was lost", name,
                       answer->address);
        for (size_t other = 0; other < world->nodes_count; other++) {
            if (!strcmp(world->nodes[other].address, answer->address) &&
                !(ask->all && result->differed))
                compare(world, state, index, other, ask, result);
        }
    }
}

/* What is kept for a question goes with it. */
static void step(struct world *world, void *state)
{
    (void)state;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        const struct engine *engine = &node->wheel.engine;
        if (!node->up || gossip_asks(engine->gossip) > 0)
            continue;
        if (engine->gossip->verifies)
            world_fail(world, "verify: %s goes on asking for nobody", node->name);
        for (size_t j = 0; j < engine->store.shards_count; j++) {
            const struct merkle *tree = engine->store.shards[j]->tree;
            if (tree && tree->watch)
                world_fail(world, "verify: %s goes on watching a tree", node->name);
        }
    }
}

const struct checker check_verify = {.name = "verify",
                                     .promise = "replicas are said to differ only for damage",
                                     .begin = begin,
                                     .end = mem_free,
                                     .commit = commit,
                                     .sent = sent,
                                     .step = step,
                                     .asked = asked};
