/* Who is alive (gossip/swim.h): what a node says of others goes forward only, from one incarnation
 * to a higher one, and what it says of itself is on its disk before. At rest all that are linked
 * find each other alive. */
#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "sim/find.h"
#include "sim/net.h"

struct view_of {
    uint64_t node, incarnation;
    enum member_state state;
};

struct members {
    struct seen {
        uint64_t epoch; /* of the process that is looked at */
        struct view_of views[SWIM_MEMBERS_MAX];
        size_t views_count;
        uint64_t told; /* of itself, with this directory */
        bool anew;     /* the process has not told of itself yet */
    } seen[NODES_MAX];
};

static void *begin(struct world *world)
{
    struct members *members = mem_new(sizeof *members);
    (void)world;
    must(members);
    return members;
}

static void started(struct world *world, void *state, size_t node)
{
    struct seen *seen = &((struct members *)state)->seen[node];
    seen->views_count = 0;
    seen->anew = true;
    const struct sim_node *begun = &world->nodes[node];
    /* What was synced is gone or could not be read; others will say how far it had come. */
    if (begun->wheel.engine.store.identity.fresh_life || begun->door.met_rot ||
        disk_gave(&begun->door, NEAP_CORRUPT))
        seen->told = 0;
}

static void replaced(struct world *world, void *state, size_t node)
{
    (void)world;
    ((struct members *)state)->seen[node].told = 0;
}

/* ---- what it says of itself ---- */

/* What would be left of it if power failed now. Other things may be unsynced: what a message that
 * was lost has told, or would have, is durable since then. */
static uint64_t durable_incarnation(const struct sim_node *node)
{
    struct disk *synced;
    must(disk_mem_copy(node->disk, &synced) == 0);
    struct view view = {.disk = synced};
    uint64_t kept = 0;
    if (incarnation_read(&view, &kept))
        kept = 0;
    disk_close(synced);
    return kept;
}

static void is_kept(struct sim_node *node, struct seen *seen, uint64_t incarnation)
{
    if (incarnation <= seen->told && !seen->anew)
        return;
    if (incarnation <= seen->told)
        world_fail(node->world, "members: %s was %" PRIu64 " before, and begins as %" PRIu64,
                   node->name, seen->told, incarnation);
    else if (durable_incarnation(node) < incarnation)
        world_fail(node->world, "members: %s says that it is %" PRIu64 ", which is not durable",
                   node->name, incarnation);
    seen->told = incarnation;
    seen->anew = false;
}

static void sent(struct world *world, void *state, size_t index, const struct message *message)
{
    struct sim_node *node = &world->nodes[index];
    struct seen *seen = &((struct members *)state)->seen[index];
    if (message->kind != MESSAGE_SWIM || world->garbles)
        return;
    for (unsigned i = 0; i < message->swim->updates_count; i++) {
        const struct swim_update *update = &message->swim->updates[i];
        if (update->node == node->wheel.engine.store.identity.node)
            is_kept(node, seen, update->incarnation);
    }
}

/* ---- what it says of others ---- */

static uint64_t rank(enum member_state state, uint64_t incarnation)
{
    return incarnation << 2 | (uint64_t)state;
}

static struct view_of *view_find(struct seen *seen, uint64_t node)
{
    for (size_t i = 0; i < seen->views_count; i++) {
        if (seen->views[i].node == node)
            return &seen->views[i];
    }
    seen->views[seen->views_count] = (struct view_of){.node = node};
    return &seen->views[seen->views_count++];
}

/* What a device doubts is over when it hears: it tells nobody, so there is nobody to deny it. */
static bool hears_again(const struct sim_node *node, const struct swim_member *member,
                        const struct view_of *view)
{
    return node->gossip.device && view->state != MEMBER_LEFT && member->state == MEMBER_ALIVE &&
           member->incarnation == view->incarnation;
}

static void look_at(struct sim_node *node, struct seen *seen)
{
    const struct gossip *gossip = node->wheel.engine.gossip;
    for (size_t i = 0; i < gossip_members(gossip); i++) {
        struct swim_member member;
        gossip_member(gossip, i, &member);
        struct view_of *view = view_find(seen, member.node);
        if (rank(member.state, member.incarnation) < rank(view->state, view->incarnation) &&
            !hears_again(node, &member, view))
            world_fail(node->world,
                       "members: for %s, member %016" PRIx64 " was %s as %" PRIu64
                       ", and is %s as %" PRIu64,
                       node->name, member.node, member_state_text(view->state), view->incarnation,
                       member_state_text(member.state), member.incarnation);
        view->state = member.state;
        view->incarnation = member.incarnation;
    }
}

static void step(struct world *world, void *state)
{
    struct members *members = state;
    for (size_t i = 0; i < world->nodes_count && !world->garbles; i++) {
        if (world->nodes[i].up)
            look_at(&world->nodes[i], &members->seen[i]);
    }
}

/* ---- at rest ---- */

static uint64_t node_id(const struct sim_node *node)
{
    return node->wheel.engine.store.identity.node;
}

static bool finds_alive(const struct sim_node *node, const struct sim_node *other, struct why why)
{
    struct swim_member member = {.state = MEMBER_STATE_END};
    if (gossip_find_member(node->wheel.engine.gossip, node_id(other), &member) &&
        member.state == MEMBER_ALIVE)
        return true;
    return differs(why, "for %s, %s is %s", node->name, other->name,
                   member_state_text(member.state));
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    step(world, state);
    for (size_t i = 0; i < world->nodes_count; i++) {
        for (size_t j = 0; j < world->nodes_count; j++) {
            const struct sim_node *node = &world->nodes[i], *other = &world->nodes[j];
            if (node->up && other->up && node_id(node) != node_id(other) &&
                !finds_alive(node, other, why))
                return false;
        }
    }
    return !world->failed[0];
}

const struct checker check_members = {.name = "members",
                                      .promise = "who was suspected lives as a higher incarnation",
                                      .begin = begin,
                                      .end = mem_free,
                                      .started = started,
                                      .replaced = replaced,
                                      .sent = sent,
                                      .step = step,
                                      .holds = holds};
