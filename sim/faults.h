/* What the files of faults share: each group is a file that exports its rows. */
#ifndef NEAP_SIM_FAULTS_H
#define NEAP_SIM_FAULTS_H
#include "sim/fault.h"

enum { IMAGES_MAX = 6, TROUBLES_MAX = 24 };

/* A directory as it was. */
struct image {
    struct disk *disk;
    size_t node;
    uint64_t mark; /* of the history: what the node had told callers by then is in it */
};

/* What is wrong with the net for a while. */
struct trouble {
    uint64_t ways; /* bit from * NODES_MAX + to */
    struct sim_way wrong;
    uint64_t until_ms;
    bool resets;      /* and then the links of these ways break */
    unsigned flap_ms; /* they are cut and whole in turn; 0: no */
    uint64_t flap_at;
    struct sim_node *isolated; /* NULL: nobody */
};

/* Nodes that are away (sim_node.away) while time leaps. */
struct offline {
    struct rng rng;
    unsigned leaps; /* to come; 0: nobody is away */
    unsigned spells;
    uint64_t calls_max; /* after a leap */
};

/* A process that restarts again and again. */
struct storm {
    struct faults *faults;
    size_t node;
    unsigned left;
    struct rng rng;
};

struct faults {
    struct world *world;
    struct image images[IMAGES_MAX]; /* fault_life.c */
    size_t images_count;
    struct trouble troubles[TROUBLES_MAX]; /* fault_net.c */
    size_t troubles_count;
    struct offline offline; /* fault_node.c */
    struct storm storms[NODES_MAX];
    bool ordered; /* operators were at work */
    /* Who lets go of a bucket leaves it to one other at least, whose directory then must not be
     * lost: in one world there is only one of these. */
    bool subscribed, lost;
    /* A log that rots forgets which of a copied directory's events wait for names of their own
     * (docs/decisions/0019, limits): in one world there is only one of these. */
    bool copied, log_rots;
    uint64_t clock_until_ms[NODES_MAX]; /* fault_clock.c */
    uint64_t starves_until_ms;
};

struct fault_group_file {
    const struct fault_kind *kinds;
    size_t count;
    /* Lifts what lasts; nodes that are down start when all groups have done so. NULL: nothing. */
    void (*heal)(struct faults *faults);
    void (*done)(struct faults *faults); /* frees what it keeps; NULL: nothing */
};

extern const struct fault_group_file faults_of_net, faults_of_node, faults_of_disk, faults_of_clock,
    faults_of_life, faults_of_memory, faults_of_trust;

struct sim_node *node_draw(struct faults *faults, struct rng *rng);
/* One of those that are up; NULL, and a note, when none is. */
struct sim_node *up_draw(struct faults *faults, struct rng *rng);
/* How long something lasts: mostly short, 256 times as long at most. */
uint64_t lasting_draw(struct rng *rng, uint64_t least_ms);
/* Its process begins again in some seconds. Returns in how many milliseconds. */
uint64_t restart_later(struct world *world, size_t node, struct rng *rng);
/* This node, or the next one of which an image can be taken: it has synced all that it told
 * callers, and has no events that may get other names later, which an image would bring back under
 * both (a limit of rule 9: docs/guarantees.md). NULL: there is none. */
struct sim_node *node_settled(struct faults *faults, struct sim_node *node);
/* An operator takes a node off the net, or back: its process, if there is one. */
void isolate(struct faults *faults, struct sim_node *node, bool isolated);
#endif
