/* What the files of faults share: each group is a file that exports its rows. */
#ifndef NEAP_SIM_FAULTS_H
#define NEAP_SIM_FAULTS_H
#include "sim/fault.h"

enum { IMAGES_MAX = 6 };

/* A directory as it was. */
struct image {
    struct disk *disk;
    size_t node;
    uint64_t mark; /* of the history: what the node had told callers by then is in it */
};

struct faults {
    struct world *world;
    struct image images[IMAGES_MAX]; /* fault_life.c */
    size_t images_count;
    bool isolated[NODES_MAX];
};

struct fault_group_file {
    const struct fault_kind *kinds;
    size_t count;
    /* Lifts what lasts; nodes that are down start when all groups have done so. NULL: nothing. */
    void (*heal)(struct faults *faults);
    void (*done)(struct faults *faults); /* frees what it keeps; NULL: nothing */
};

extern const struct fault_group_file faults_of_net, faults_of_node, faults_of_disk, faults_of_clock,
    faults_of_life, faults_of_memory;

struct sim_node *node_draw(struct faults *faults, struct rng *rng);
/* Its process begins again in some seconds. */
void restart_later(struct world *world, size_t node, struct rng *rng);
/* This node, or the next one of which an image can be taken: it has synced all that it told
 * callers, and has no events that may get other names later, which an image would bring back under
 * both (a limit of rule 9: docs/guarantees.md). NULL: there is none. */
struct sim_node *node_settled(struct faults *faults, struct sim_node *node);
/* An operator takes a node off the net, or back. */
void isolate(struct faults *faults, struct sim_node *node, bool isolated);
#endif
