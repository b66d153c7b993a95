/* The door of a simulated node to its net: links are dialled, made, and end. */
#include "sim/net.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/message.h"
#include "sim/check.h"
#include "sim/escrow.h"
#include "sim/quorums.h"

enum { DIAL_LOST_MS = 1500, DEVICE_BUCKETS = 16 };

static struct sim_node *node_of(struct net *net)
{
    return (struct sim_node *)net;
}

/* ---- links ---- */

/* The end that this node calls by this number; its open ends are few. */
static struct sim_link *link_at(const struct sim_node *node, uint64_t number, unsigned *ret_side)
{
    for (size_t i = 0; i < node->lines_count; i++) {
        if (node->lines[i].number == number) {
            *ret_side = node->lines[i].side;
            return node->lines[i].link;
        }
    }
    return NULL;
}

static void line_add(struct sim_node *node, struct sim_link *link, unsigned side)
{
    if (node->lines_count == node->lines_room) {
        node->lines_room = node->lines_room ? node->lines_room * 2 : 16;
        node->lines = mem_resize(node->lines, node->lines_room * sizeof *node->lines);
        must(node->lines);
    }
    node->lines[node->lines_count++] =
        (struct sim_line){.number = link->ends[side].number, .link = link, .side = side};
}

void end_clear(struct sim_end *end)
{
    while (end->first) {
        struct sim_mail *mail = end->first;
        end->first = mail->next;
        net_event_done(&mail->net);
        mem_free(mail);
    }
    end->last = NULL;
    end->queued = 0;
}

static void end_close(struct world *world, struct sim_link *link, unsigned side)
{
    struct sim_end *end = &link->ends[side];
    struct sim_node *node = &world->nodes[end->node];
    end->open = false;
    end_clear(end);
    for (size_t i = 0; i < node->lines_count; i++) {
        if (node->lines[i].link == link && node->lines[i].side == side) {
            node->lines[i] = node->lines[--node->lines_count];
            return;
        }
    }
}

void link_release(struct world *world, struct sim_link *link)
{
    if (link->ends[0].open || link->ends[1].open || link->arriving > 0)
        return;
    world->links[link->index] = world->links[--world->links_count];
    world->links[link->index]->index = link->index;
    end_clear(&link->ends[0]);
    end_clear(&link->ends[1]);
    mem_free(link);
}

static void post_net(struct world *world, size_t node, const struct net_event *net)
{
    struct sim_mail *mail = mem_new(sizeof *mail);
    must(mail);
    mail->event.kind = EVENT_NET;
    mail->event.net = &mail->net;
    mail->net = *net;
    sim_post(world, node, &mail->event);
}

void end_break(struct world *world, struct sim_link *link, unsigned side, const char *why)
{
    struct sim_end *end = &link->ends[side];
    struct net_event down = {
        .kind = NET_DOWN, .link = end->number, .side = side == 0 ? NET_DIALED : NET_PEER};
    if (!end->open)
        return;
    snprintf(down.reason, sizeof down.reason, "%s", why);
    end_close(world, link, side);
    post_net(world, end->node, &down);
}

void link_break(struct world *world, struct sim_link *link, const char *why)
{
    end_break(world, link, 0, why);
    end_break(world, link, 1, why);
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
    uint64_t delay = 1 + world_below(world, world->options.delay_ms_max + 1);
    if (thing.target < NODES_MAX)
        delay += world->ways[node->index][thing.target].delay_ms +
                 world->ways[thing.target][node->index].delay_ms;
    world_after(world, delay, thing);
    world_starve(world);
    return 0;
}

static void dial_fails(struct world *world, const struct thing *thing, const char *why)
{
    struct net_event down = {.kind = NET_DOWN, .link = thing->dialed, .side = NET_DIALED};
    snprintf(down.reason, sizeof down.reason, "%s", why);
    post_net(world, thing->node, &down);
}

/* Whom the node at the other end sees: without a device nobody looks. */
static void principal_make(const struct world *world, size_t index, struct principal *ret_principal)
{
    static const char *const others[] = {ESCROW_BUCKET, EXPIRY_BUCKET, QUORUM_BUCKET};
    enum { OTHERS = sizeof others / sizeof *others };
    const struct sim_node *node = &world->nodes[index];
    bool device = index + 1 == world->nodes_count;
    char text[PRINCIPAL_URI_MAX];
    if (!world->options.device)
        return;
    snprintf(text, sizeof text, "neap://%016llx/%s/%016llx",
             (unsigned long long)node->gossip.cluster, device ? "device" : "node",
             (unsigned long long)node->wheel.engine.store.identity.node);
    must(!principal_add(ret_principal, slice_text(text)));
    for (unsigned i = 0; device && i < DEVICE_BUCKETS + OTHERS; i++) {
        if (i < DEVICE_BUCKETS)
            snprintf(text, sizeof text, "neap://%016llx/write/b%u",
                     (unsigned long long)node->gossip.cluster, i);
        else
            snprintf(text, sizeof text, "neap://%016llx/write/%s",
                     (unsigned long long)node->gossip.cluster, others[i - DEVICE_BUCKETS]);
        must(!principal_add(ret_principal, slice_text(text)));
    }
}

static void link_make(struct world *world, const struct thing *thing)
{
    struct sim_link *link = mem_new(sizeof *link);
    must(link);
    if (world->links_count == world->links_room) {
        world->links_room = world->links_room ? world->links_room * 2 : 64;
        world->links = mem_resize(world->links, world->links_room * sizeof(struct sim_link *));
        must(world->links);
    }
    link->index = world->links_count;
    world->links[world->links_count++] = link;
    link->ends[0] =
        (struct sim_end){.node = thing->node, .number = thing->dialed, .open = true, .ready = true};
    link->ends[1] =
        (struct sim_end){.node = thing->target,
                         .number = NET_ACCEPTED | world->nodes[thing->target].accepted_next++,
                         .open = true,
                         .ready = true};
    for (unsigned side = 0; side < 2; side++) {
        const struct sim_end *end = &link->ends[side];
        line_add(&world->nodes[end->node], link, side);
        struct net_event up = {
            .kind = NET_UP, .link = end->number, .side = side == 0 ? NET_DIALED : NET_PEER};
        principal_make(world, link->ends[!side].node, &up.principal);
        post_net(world, end->node, &up);
    }
}

void net_connect(struct world *world, const struct thing *thing)
{
    const struct sim_node *node = &world->nodes[thing->node];
    if (!node->up || node->epoch != thing->epoch)
        return;
    if (thing->target == NODES_MAX) {
        dial_fails(world, thing, "no such address");
    } else if (way_is_cut(world, thing->node, thing->target) ||
               way_is_cut(world, thing->target, thing->node)) {
        struct thing later = *thing;
        later.side = 1;
        if (thing->side == 0)
            world_after(world, DIAL_LOST_MS, later);
        else
            dial_fails(world, thing, "timed out");
    } else if (!world->nodes[thing->target].up) {
        dial_fails(world, thing, "refused");
    } else {
        link_make(world, thing);
    }
}

static void tell_checks(struct sim_node *node, struct slice bytes)
{
    struct message message;
    struct slice unmarked = bytes;
    /* No message is one with a mark, too: which version it is in need not be known. */
    bool bad = message_decode(bytes, &message) != 0;
    if (bad && node->gossip.wire_newest > WIRE_VERSION)
        bad = message_unmark(&unmarked, WIRE_VERSION + 1) || message_decode(unmarked, &message);
    if (bad) {
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
    if (world->full[node->index][to->node] ||
        (to->queued + bytes.size > SIM_QUEUE_MAX && to->queued > 0))
        return NEAP_BUSY;
    world_feed(world);
    if (world->checks)
        tell_checks(node, bytes);
    way_push(world, link, !side, bytes);
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
    if (!batch_is_empty(node->wheel.batch))
        world_fail(node->world, "bounds: %s asks for a message before the last one is committed",
                   node->name);
    link->ends[side].ready = true;
    world_feed(node->world);
    way_plan(node->world, link, side);
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
    world_feed(node->world);
    end_close(node->world, link, side);
    if (link->ends[!side].open)
        way_push(node->world, link, !side, slice_of(NULL, 0));
    link_release(node->world, link);
    world_starve(node->world);
}

static void net_stop(struct net *net)
{
    (void)net;
}

const struct net_ops sim_net_ops = {.dial = sim_dial,
                                    .send = sim_send,
                                    .ready = sim_ready,
                                    .trust = sim_trust,
                                    .close = sim_close,
                                    .stop = net_stop,
                                    .free = net_stop};

/* ---- for the world ---- */

bool net_sealed(struct world *world)
{
    for (size_t i = 0; world->options.device && i < world->nodes_count; i++) {
        const struct sim_node *node = &world->nodes[i];
        const struct shard *system = node->up ? sim_shard(world, i, SYSTEM_BUCKET) : NULL;
        if (node->up && sim_shard(world, i, "sealed"))
            world_fail(world, "sealed: %s has a bucket that only a device tells of", node->name);
        if (system && system->context.count)
            world_fail(world, "sealed: %s has events of the system's bucket", node->name);
    }
    return !world->failed[0];
}

void net_node_gone(struct world *world, size_t node, bool says)
{
    struct sim_node *gone = &world->nodes[node];
    while (gone->lines_count > 0) {
        struct sim_link *link = gone->lines[0].link;
        unsigned side = gone->lines[0].side;
        end_close(world, link, side);
        /* Even when power fails, somebody mostly says so. */
        if (link->ends[!side].open && (says || world_below(world, 4) > 0))
            way_push(world, link, !side, slice_of(NULL, 0));
        link_release(world, link);
    }
}

static bool is_between(const struct sim_link *link, size_t a, size_t b)
{
    size_t from = link->ends[0].node, to = link->ends[1].node;
    return (from == a && to == b) || (from == b && to == a);
}

void net_reset(struct world *world, size_t a, size_t b)
{
    for (size_t i = world->links_count; i-- > 0;) {
        struct sim_link *link = world->links[i];
        if (!is_between(link, a, b))
            continue;
        link_break(world, link, "reset");
        link_release(world, link);
    }
}

void net_reset_spoilt(struct world *world)
{
    for (size_t i = world->links_count; i-- > 0;) {
        struct sim_link *link = world->links[i];
        if (!link->spoilt)
            continue;
        link_break(world, link, "reset");
        link_release(world, link);
    }
}

size_t net_open_links(const struct world *world, size_t a, size_t b)
{
    size_t count = 0;
    for (size_t i = 0; i < world->links_count; i++) {
        const struct sim_link *link = world->links[i];
        count += link->ends[0].open && link->ends[1].open && is_between(link, a, b);
    }
    return count;
}

void net_free(struct world *world)
{
    while (world->links_count > 0) {
        struct sim_link *link = world->links[--world->links_count];
        end_clear(&link->ends[0]);
        end_clear(&link->ends[1]);
        mem_free(link);
    }
    mem_free(world->links);
    for (size_t i = 0; i < world->nodes_count; i++)
        mem_free(world->nodes[i].lines);
}
