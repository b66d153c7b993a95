/* The net of a world. A link is a stream: what is sent arrives, in order, unless the link breaks;
 * what is sent into a cut waits there, as TCP would send it again and again. Only a way that is
 * told to spoils that, as a broken proxy would. */
#ifndef NEAP_SIM_NET_H
#define NEAP_SIM_NET_H
#include "sim/world.h"

/* What is on its way to an end, and then what its node is told. */
struct sim_mail {
    struct event event; /* first */
    struct net_event net;
    struct sim_mail *next;
    uint64_t at;
    bool end; /* of the stream, instead of bytes */
};

/* One end of a link, and what is on its way to it. */
struct sim_end {
    size_t node;
    uint64_t number; /* as that node calls the link */
    bool open, ready, trusted;
    struct sim_mail *first, *last; /* in the order in which they arrive */
    size_t queued;                 /* bytes */
    uint64_t after;                /* what is sent from now on doesn't arrive before */
    uint64_t free_at;              /* a slow way is busy until then */
    uint64_t arrive_at;            /* the THING_ARRIVE that is meant; 0 none */
};

struct sim_link {
    struct sim_end ends[2]; /* 0 dialled */
    size_t index;           /* in world->links */
    unsigned arriving;      /* THING_ARRIVEs in the heap */
    bool spoilt;            /* it was no stream any more at some time */
};

/* ---- net.c, for way.c ---- */
/* The node at this end learns that the link is gone. */
void end_break(struct world *world, struct sim_link *link, unsigned side, const char *why);
void end_clear(struct sim_end *end);
void link_break(struct world *world, struct sim_link *link, const char *why);
void link_release(struct world *world, struct sim_link *link); /* when nobody needs it any more */

/* ---- way.c ---- */
/* Bytes, or the end of the stream (of size 0), set out for that end. */
void way_push(struct world *world, struct sim_link *link, unsigned side, struct slice bytes);
/* It may be ready for the next. */
void way_plan(struct world *world, struct sim_link *link, unsigned side);
bool way_is_cut(const struct world *world, size_t from, size_t to);
#endif
