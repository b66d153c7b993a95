/* What is under way on the links of a world, and what is done to it there. */
#include "base/alloc.h"
#include "base/error.h"
#include "gossip/message.h"
#include "sim/net.h"

enum { CUT_AGAIN_MS = 50, LATE_MS = 300 };

bool way_is_cut(const struct world *world, size_t from, size_t to)
{
    return world->cut[from][to] || world->ways[from][to].cut;
}

static bool drawn(struct world *world, unsigned percent)
{
    return percent > 0 && world_below(world, 100) < percent;
}

/* ---- setting out ---- */

static struct sim_mail *mail_new(const struct sim_end *end, unsigned side, struct slice bytes)
{
    struct sim_mail *mail = mem_new(sizeof *mail);
    must(mail);
    mail->event.kind = EVENT_NET;
    mail->event.net = &mail->net;
    mail->net.kind = NET_MESSAGE;
    mail->net.link = end->number;
    mail->net.side = side == 0 ? NET_DIALED : NET_PEER;
    mail->end = bytes.size == 0;
    buffer_init(&mail->net.message, MESSAGE_SIZE_MAX);
    must(buffer_set(&mail->net.message, bytes) == 0);
    return mail;
}

static void mail_garble(struct world *world, struct sim_mail *mail)
{
    uint64_t bits = 1 + world_below(world, 4);
    for (uint64_t i = 0; i < bits; i++) {
        uint64_t at = world_below(world, mail->net.message.size);
        uint64_t bit = world_below(world, 8);
        mail->net.message.data[at] ^= (uint8_t)(1 << bit);
    }
}

/* When it arrives. */
static uint64_t mail_time(struct world *world, const struct sim_way *way, struct sim_end *end,
                          const struct sim_mail *mail)
{
    uint64_t now = world->now_ms, at = now;
    if (way->bytes_per_s > 0) {
        at = end->free_at > now ? end->free_at : now;
        at += mail->net.message.size * 1000 / way->bytes_per_s;
        end->free_at = at;
    }
    at += 1 + world_below(world, world->options.delay_ms_max + 1) + way->delay_ms;
    if (way->jitter_ms > 0)
        at += world_below(world, way->jitter_ms);
    return at;
}

/* Behind all that arrive no later. */
static void mail_queue(struct sim_end *end, struct sim_mail *mail)
{
    struct sim_mail **at = &end->first;
    end->queued += mail->net.message.size;
    if (end->last && end->last->at <= mail->at) {
        end->last->next = mail;
        end->last = mail;
        return;
    }
    while (*at && (*at)->at <= mail->at)
        at = &(*at)->next;
    mail->next = *at;
    *at = mail;
    if (!mail->next)
        end->last = mail;
}

static void mail_send(struct world *world, struct sim_link *link, unsigned side, struct slice bytes)
{
    struct sim_end *end = &link->ends[side];
    struct sim_way *way = &world->ways[link->ends[!side].node][end->node];
    struct sim_mail *mail = mail_new(end, side, bytes);
    mail->at = mail_time(world, way, end, mail);
    if (!mail->end && drawn(world, way->garbles))
        mail_garble(world, mail);
    if (!mail->end && drawn(world, way->reorders)) {
        link->spoilt = true;
        world->spoilt++;
        mail->at += 1 + world_below(world, LATE_MS); /* and others don't wait for it */
    } else {
        if (mail->at < end->after)
            mail->at = end->after;
        end->after = mail->at;
    }
    mail_queue(end, mail);
}

void way_push(struct world *world, struct sim_link *link, unsigned side, struct slice bytes)
{
    struct sim_end *end = &link->ends[side];
    struct sim_way *way = &world->ways[link->ends[!side].node][end->node];
    bool lost = bytes.size > 0 && drawn(world, way->loses);
    bool twice = bytes.size > 0 && drawn(world, way->duplicates);
    if (lost || twice) {
        link->spoilt = true;
        world->spoilt++;
    }
    if (!lost)
        mail_send(world, link, side, bytes);
    if (twice)
        mail_send(world, link, side, bytes);
    way_plan(world, link, side);
}

/* ---- arriving ---- */

static void plan_at(struct world *world, struct sim_link *link, unsigned side, uint64_t at)
{
    struct sim_end *end = &link->ends[side];
    uint64_t delay = at > world->now_ms ? at - world->now_ms : 0;
    if (end->arrive_at && end->arrive_at <= world->now_ms + delay)
        return;
    end->arrive_at = world->now_ms + delay;
    link->arriving++;
    world_after(world, delay, (struct thing){.kind = THING_ARRIVE, .link = link, .side = side});
}

void way_plan(struct world *world, struct sim_link *link, unsigned side)
{
    const struct sim_end *end = &link->ends[side];
    if (end->first && (end->ready || end->first->end || !end->open))
        plan_at(world, link, side, end->first->at);
}

static void mail_free(struct sim_mail *mail)
{
    net_event_done(&mail->net);
    mem_free(mail);
}

static void mail_deliver(struct world *world, struct sim_link *link, unsigned side)
{
    struct sim_end *end = &link->ends[side];
    struct sim_mail *mail = end->first;
    end->first = mail->next;
    if (!end->first)
        end->last = NULL;
    end->queued -= mail->net.message.size;
    if (mail->end) {
        mail_free(mail);
        end_break(world, link, side, "closed by the peer");
    } else if (!end->trusted && mail->net.message.size > HELLO_SIZE_MAX) {
        if (!link->spoilt)
            world_fail(world, "%s sent %zu bytes before it was trusted",
                       world->nodes[link->ends[!side].node].name, mail->net.message.size);
        mail_free(mail);
        link_break(world, link, "too much before it was trusted");
    } else {
        mail->next = NULL;
        end->ready = false;
        sim_post(world, end->node, &mail->event);
    }
}

/* When TCP tries again; in a world of slow heartbeats it backs off further. */
static uint64_t cut_again_ms(const struct world *world)
{
    uint64_t beat_ms = world->options.heartbeat_ms;
    return beat_ms / 20 > CUT_AGAIN_MS ? beat_ms / 20 : CUT_AGAIN_MS;
}

void net_arrive(struct world *world, const struct thing *thing)
{
    struct sim_link *link = thing->link;
    struct sim_end *end = &link->ends[thing->side], *from = &link->ends[!thing->side];
    bool meant = thing->at == end->arrive_at;
    link->arriving--;
    if (meant)
        end->arrive_at = 0;
    if (meant && end->first && way_is_cut(world, from->node, end->node)) {
        plan_at(world, link, thing->side, world->now_ms + cut_again_ms(world));
        return;
    }
    if (meant && end->first && !end->open) {
        /* Nobody is there: the sender gets a reset, if that gets through. */
        end_clear(end);
        if (!way_is_cut(world, end->node, from->node))
            end_break(world, link, !thing->side, "reset by the peer");
    } else if (meant && end->first && (end->ready || end->first->end)) {
        mail_deliver(world, link, thing->side);
        way_plan(world, link, thing->side);
    }
    link_release(world, link);
}

void net_hurry(struct world *world)
{
    for (size_t i = 0; i < world->links_count; i++) {
        struct sim_link *link = world->links[i];
        for (unsigned side = 0; side < 2; side++) {
            struct sim_end *end = &link->ends[side];
            const struct sim_way *way = &world->ways[link->ends[!side].node][end->node];
            uint64_t latest = world->now_ms + way->delay_ms + way->jitter_ms;
            if (way->bytes_per_s > 0)
                continue;
            for (struct sim_mail *mail = end->first; mail; mail = mail->next)
                mail->at = mail->at < latest ? mail->at : latest;
            end->free_at = 0;
            end->after = end->after < latest ? end->after : latest;
            way_plan(world, link, side);
        }
    }
}
