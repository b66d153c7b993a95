/* The net of a simulated world. A link is a stream: what is sent arrives, in order, unless the link
 * breaks; what is sent into a cut waits there, as TCP would send it again and again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/message.h"
#include "sim/check.h"

enum { CUT_AGAIN_MS = 50, DIAL_LOST_MS = 1500 };

static struct sim_node *node_of(struct net *net)
{
    return (struct sim_node *)net;
}

static struct sim_link *link_of(struct world *world, uint64_t id)
{
    for (struct sim_link *link = world->links; link; link = link->next) {
        if (link->id == id)
            return link;
    }
    return NULL;
}

/* The end that this node calls by this number. */
static struct sim_link *link_at(const struct sim_node *node, uint64_t number, unsigned *ret_side)
{
    for (struct sim_link *link = node->world->links; link; link = link->next) {
        for (unsigned side = 0; side < 2; side++) {
            const struct sim_end *end = &link->ends[side];
            if (end->open && end->node == node->index && end->epoch == node->epoch &&
                end->number == number) {
                *ret_side = side;
                return link;
            }
        }
    }
    return NULL;
}

static void end_clear(struct sim_end *end)
{
    while (end->first) {
        struct sim_message *message = end->first;
        end->first = message->next;
        buffer_done(&message->bytes);
        mem_free(message);
    }
    end->last = NULL;
    end->queued = 0;
}

static void link_collect(struct world *world)
{
    for (struct sim_link **at = &world->links; *at;) {
        struct sim_link *link = *at;
        bool gone = !link->ends[0].open && !link->ends[1].open;
        if (!gone || link->ends[0].arriving || link->ends[1].arriving) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        end_clear(&link->ends[0]);
        end_clear(&link->ends[1]);
        mem_free(link);
    }
}

static void post_net(struct world *world, size_t node, struct net_event net)
{
    struct event *event = mem_new(sizeof *event);
    struct net_event *copy = mem_new(sizeof *copy);
    must(event && copy);
    *copy = net;
    event->kind = EVENT_NET;
    event->net = copy;
    sim_post(world, node, event);
}

static bool end_lives(const struct world *world, const struct sim_end *end)
{
    const struct sim_node *node = &world->nodes[end->node];
    return end->open && node->up && node->epoch == end->epoch;
}

/* The node at this end learns that the link is gone. */
static void end_break(struct world *world, struct sim_link *link, unsigned side, const char *why)
{
    struct sim_end *end = &link->ends[side];
    struct net_event down = {
        .kind = NET_DOWN, .link = end->number, .side = side == 0 ? NET_DIALED : NET_PEER};
    if (!end_lives(world, end)) {
        end->open = false;
        return;
    }
    snprintf(down.reason, sizeof down.reason, "%s", why);
    end->open = false;
    end_clear(end);
    post_net(world, end->node, down);
}

/* ---- what is under way ---- */

static void end_plan(struct world *world, struct sim_link *link, unsigned side)
{
    struct sim_end *end = &link->ends[side];
    if (end->arriving || !end->first)
        return;
    uint64_t delay = end->first->at > world->now_ms ? end->first->at - world->now_ms : 0;
    end->arriving = true;
    world_after(world, delay, (struct thing){.kind = THING_ARRIVE, .link = link->id, .side = side});
}

static void end_push(struct world *world, struct sim_link *link, unsigned side, struct slice bytes,
                     bool end_of_stream)
{
    struct sim_end *end = &link->ends[side], *from = &link->ends[!side];
    struct sim_message *message = mem_new(sizeof *message);
    must(message);
    buffer_init(&message->bytes, MESSAGE_SIZE_MAX);
    must(buffer_set(&message->bytes, bytes) == 0);
    message->end = end_of_stream;
    for (size_t i = 0; world->garbles && i < 4; i++) {
        if (bytes.size > 0 && world_below(world, 100) == 0)
            message->bytes.data[world_below(world, bytes.size)] ^=
                (uint8_t)(1 << world_below(world, 8));
    }
    message->at = world->now_ms + 1 + world_below(world, world->options.delay_ms_max + 1) +
                  world->delay_ms[from->node][end->node];
    if (end->last) {
        if (message->at < end->last->at)
            message->at = end->last->at;
        end->last->next = message;
    } else {
        end->first = message;
    }
    end->last = message;
    end->queued += bytes.size;
    end_plan(world, link, side);
}

static void end_deliver(struct world *world, struct sim_link *link, unsigned side)
{
    struct sim_end *end = &link->ends[side];
    struct sim_message *message = end->first;
    end->first = message->next;
    if (!end->first)
        end->last = NULL;
    end->queued -= message->bytes.size;
    if (message->end) {
        end_break(world, link, side, "closed by the peer");
    } else if (!end->trusted && message->bytes.size > HELLO_SIZE_MAX) {
        world_fail(world, "%s sent %zu bytes before it was trusted",
                   world->nodes[link->ends[!side].node].name, message->bytes.size);
    } else {
        struct net_event event = {.kind = NET_MESSAGE,
                                  .link = end->number,
                                  .side = side == 0 ? NET_DIALED : NET_PEER,
                                  .message = message->bytes};
        message->bytes = (struct buffer){0};
        end->ready = false;
        post_net(world, end->node, event);
    }
    buffer_done(&message->bytes);
    mem_free(message);
}

void net_arrive(struct world *world, const struct thing *thing)
{
    struct sim_link *link = link_of(world, thing->link);
    if (!link)
        return;
    struct sim_end *end = &link->ends[thing->side], *from = &link->ends[!thing->side];
    end->arriving = false;
    if (!end->first) {
        link_collect(world);
        return;
    }
    if (world->cut[from->node][end->node]) {
        end->first->at = world->now_ms + CUT_AGAIN_MS;
        end_plan(world, link, thing->side);
        return;
    }
    if (!end_lives(world, end)) {
        /* Nobody is there: the sender gets a reset, if that gets through. */
        end->open = false;
        end_clear(end);
        if (!world->cut[end->node][from->node])
            end_break(world, link, !thing->side, "reset by the peer");
        link_collect(world);
        return;
    }
    if (end->ready || end->first->end) {
        end_deliver(world, link, thing->side);
        if (end->ready || (end->first && end->first->end))
            end_plan(world, link, thing->side);
    }
    link_collect(world);
}

/* ---- the door ---- */

static int sim_dial(struct net *net, uint64_t number, const char *address)
{
    struct sim_node *node = node_of(net);
    struct world *world = node->world;
    world_feed(world);
    struct thing thing = {.kind = THING_CONNECT,
                          .node = node->index,
                          .epoch = node->epoch,
                          .dialed = number,
                          .target = NODES_MAX};
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!strcmp(world->nodes[i].address, address))
            thing.target = i;
    }
    world_after(world, 1 + world_below(world, world->options.delay_ms_max + 1), thing);
    world_starve(world);
    return 0;
}

static void dial_fails(struct world *world, const struct thing *thing, const char *why)
{
    struct net_event down = {.kind = NET_DOWN, .link = thing->dialed, .side = NET_DIALED};
    snprintf(down.reason, sizeof down.reason, "%s", why);
    post_net(world, thing->node, down);
}

void net_connect(struct world *world, const struct thing *thing)
{
    struct sim_node *node = &world->nodes[thing->node], *target;
    if (!node->up || node->epoch != thing->epoch)
        return;
    if (thing->target == NODES_MAX) {
        dial_fails(world, thing, "no such address");
        return;
    }
    target = &world->nodes[thing->target];
    if (world->cut[thing->node][thing->target] || world->cut[thing->target][thing->node]) {
        if (thing->side == 0) {
            struct thing later = *thing;
            later.side = 1;
            world_after(world, DIAL_LOST_MS, later);
        } else {
            dial_fails(world, thing, "timed out");
        }
        return;
    }
    if (!target->up) {
        dial_fails(world, thing, "refused");
        return;
    }
    struct sim_link *link = mem_new(sizeof *link);
    must(link);
    link->id = world->link_next++;
    link->ends[0] = (struct sim_end){.node = thing->node,
                                     .epoch = node->epoch,
                                     .number = thing->dialed,
                                     .open = true,
                                     .ready = true};
    link->ends[1] = (struct sim_end){.node = thing->target,
                                     .epoch = target->epoch,
                                     .number = NET_ACCEPTED | target->accepted_next++,
                                     .open = true,
                                     .ready = true};
    link->next = world->links;
    world->links = link;
    post_net(world, thing->node,
             (struct net_event){.kind = NET_UP, .link = thing->dialed, .side = NET_DIALED});
    post_net(world, thing->target,
             (struct net_event){.kind = NET_UP, .link = link->ends[1].number, .side = NET_PEER});
}

static void tell_checks(struct sim_node *node, struct slice bytes)
{
    struct message message;
    if (message_decode(bytes, &message)) {
        world_fail(node->world, "%s sends what is no message", node->name);
        return;
    }
    checks_sent(node->world, node->index, &message);
    message_done(&message);
}

static int sim_send(struct net *net, uint64_t number, struct slice bytes)
{
    struct sim_node *node = node_of(net);
    struct world *world = node->world;
    unsigned side;
    struct sim_link *link = link_at(node, number, &side);
    if (!link)
        return NEAP_NOTFOUND;
    struct sim_end *to = &link->ends[!side];
    if (to->queued + bytes.size > SIM_QUEUE_MAX && to->queued > 0)
        return NEAP_BUSY;
    world_feed(world);
    if (world->checks)
        tell_checks(node, bytes);
    end_push(world, link, !side, bytes, false);
    world_starve(world);
    return 0;
}

static void sim_ready(struct net *net, uint64_t number)
{
    struct sim_node *node = node_of(net);
    unsigned side;
    struct sim_link *link = link_at(node, number, &side);
    if (!link)
        return;
    link->ends[side].ready = true;
    world_feed(node->world);
    end_plan(node->world, link, side);
    world_starve(node->world);
}

static void sim_trust(struct net *net, uint64_t number)
{
    unsigned side;
    struct sim_link *link = link_at(node_of(net), number, &side);
    if (link)
        link->ends[side].trusted = true;
}

static void sim_close(struct net *net, uint64_t number)
{
    struct sim_node *node = node_of(net);
    unsigned side;
    struct sim_link *link = link_at(node, number, &side);
    if (!link)
        return;
    link->ends[side].open = false;
    end_clear(&link->ends[side]);
    world_feed(node->world);
    if (link->ends[!side].open)
        end_push(node->world, link, !side, slice_of(NULL, 0), true);
    link_collect(node->world);
    world_starve(node->world);
}

static void net_stop(struct net *net)
{
    (void)net;
}

const struct net_ops sim_net_ops = {sim_dial,  sim_send, sim_ready, sim_trust,
                                    sim_close, net_stop, net_stop,  NULL};

/* ---- what happens to links ---- */

void net_node_gone(struct world *world, size_t node)
{
    for (struct sim_link *link = world->links; link; link = link->next) {
        for (unsigned side = 0; side < 2; side++) {
            if (!link->ends[side].open || link->ends[side].node != node)
                continue;
            link->ends[side].open = false;
            end_clear(&link->ends[side]);
            /* Mostly the kernel says so to the other side; a power failure doesn't. */
            if (link->ends[!side].open && world_below(world, 4) > 0)
                end_push(world, link, !side, slice_of(NULL, 0), true);
        }
    }
    link_collect(world);
}

void net_reset(struct world *world, size_t a, size_t b)
{
    for (struct sim_link *link = world->links; link; link = link->next) {
        size_t from = link->ends[0].node, to = link->ends[1].node;
        if (!((from == a && to == b) || (from == b && to == a)))
            continue;
        for (unsigned side = 0; side < 2; side++) {
            if (link->ends[side].open)
                end_break(world, link, side, "reset");
        }
    }
    link_collect(world);
}

size_t net_open_links(const struct world *world, size_t a, size_t b)
{
    size_t count = 0;
    for (const struct sim_link *link = world->links; link; link = link->next) {
        size_t from = link->ends[0].node, to = link->ends[1].node;
        count += link->ends[0].open && link->ends[1].open &&
                 ((from == a && to == b) || (from == b && to == a));
    }
    return count;
}

void net_free(struct world *world)
{
    while (world->links) {
        struct sim_link *link = world->links;
        world->links = link->next;
        end_clear(&link->ends[0]);
        end_clear(&link->ends[1]);
        mem_free(link);
    }
}
