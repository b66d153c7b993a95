/* What a push is a difference to is the same at both ends: of a link that both still have, whatever
 * they take for the last push of a shard there tells the same, if it has the same number. And
 * nobody who keeps its links has to refuse one: whose push was not sent tells the next one whole.
 */
#include <inttypes.h>

#include "base/error.h"
#include "gossip/state.h"
#include "sim/find.h"
#include "sim/net.h"

static bool are_same(const struct chunk_base *a, const struct chunk_base *b)
{
    bool same = a->shard == b->shard && a->last.id == b->last.id && a->last.n == b->last.n &&
                a->last.nonce == b->last.nonce && context_equal(&a->context, &b->context);
    for (size_t i = 0; same && i < a->context.count; i++)
        same = a->context.entries[i].nonce == b->context.entries[i].nonce;
    return same;
}

/* What is kept of the last push of a shard on this link; NULL: nothing. */
static const struct pushed *kept_at(const struct topic *topic, uint64_t link, bool there)
{
    for (size_t i = 0; topic && i < topic->pairs_room; i++) {
        const struct pair *pair = topic->pairs[i];
        const struct pushed *pushed = !pair ? NULL : there ? &pair->pushed : &pair->came;
        if (pushed && pushed->known && pushed->link == link)
            return pushed;
    }
    return NULL;
}

static void look_at(struct world *world, const struct sim_link *link, unsigned side)
{
    const struct sim_node *from = &world->nodes[link->ends[side].node];
    const struct sim_node *to = &world->nodes[link->ends[!side].node];
    const struct gossip *gossip = from->wheel.engine.gossip;
    for (size_t i = 0; i < gossip->topics_count; i++) {
        const struct topic *topic = gossip->topics[i];
        const struct topic *other = topic_find(to->wheel.engine.gossip, topic->shard);
        const struct pushed *there = kept_at(topic, link->ends[side].number, true);
        const struct pushed *came = kept_at(other, link->ends[!side].number, false);
        if (there && came && there->number == came->number && !are_same(&there->base, &came->base))
            world_fail(world, "pushes: %s takes push %" PRIu64 " of %s for another one", to->name,
                       there->number, from->name);
    }
}

static void step(struct world *world, void *state)
{
    bool lets_go = false;
    (void)state;
    if (world->garbles)
        return;
    for (size_t i = 0; i < world->links_count; i++) {
        const struct sim_link *link = world->links[i];
        if (!link->ends[0].open || !link->ends[1].open)
            continue;
        look_at(world, link, 0);
        look_at(world, link, 1);
    }
    for (size_t i = 0; i < world->nodes_count; i++)
        lets_go |= world->nodes[i].lets_go; /* what was on its way then is not known any more */
    for (size_t i = 0; i < world->nodes_count && !lets_go; i++) {
        const struct sim_node *node = &world->nodes[i];
        if (node->up && node->wheel.engine.gossip->counts[REASON_push_refused] > 0 &&

            world->spoilt == 0 && world->options.pushed_max == 0)
            world_fail(world, "pushes: %s refuses one", node->name);
    }
}

const struct checker check_pushes = {.name = "pushes",
                                     .promise =
                                         "what a push is a difference to is the same at both ends",
                                     .step = step};
