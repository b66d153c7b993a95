/* Questions of operators end, each of their answers in one way, and what was told can be read. At
 * rest none is under way, and nothing is held. */
#include "base/error.h"
#include "gossip/look.h"
#include "gossip/state.h"
#include "sim/find.h"

static void asked(struct world *world, void *state, size_t index, const struct ask *ask, int code)
{
    const char *name = world->nodes[index].name;
    (void)state;
    for (size_t i = 0; !code && i < ask->count; i++) {
        const struct ask_answer *answer = &ask->answers[i];
        struct look look;
        if (answer->end == ASK_WAITS)
            world_fail(world, "asks: %s still waits for %s", name, answer->address);
        if (ask->kind != ASK_LOOK || answer->end != ASK_TOLD || answer->code)
            continue;
        if (look_read(slice_of(NULL, 0), buffer_slice(&answer->bytes), &look))
            world_fail(world, "asks: what %s tells %s of cells can't be read", answer->address,
                       name);
        look_done(&look);
    }
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    (void)state;
    for (size_t i = 0; i < world->nodes_count; i++) {
        const struct sim_node *node = &world->nodes[i];
        const struct gossip *gossip = node->wheel.engine.gossip;
        if (node->asks_count)
            return differs(why, "%s: %zu questions are under way", node->name, node->asks_count);
        for (size_t j = 0; j < gossip->topics_count; j++) {
            if (gossip->topics[j]->paused || gossip->topics[j]->pull.held.size)
                return differs(why, "%s: work is held", node->name);
        }
    }
    return true;
}

const struct checker check_asks = {
    .name = "asks", .promise = "questions to other nodes end", .asked = asked, .holds = holds};
