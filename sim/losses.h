/* What checkers share that hold what a node has made of its cells (trees, counts) against the
 * cells, now and then. What a disk has lost without a word such a node goes on telling of, until a
 * scrub: that is no fault of its, until it has been found right again. */
#ifndef NEAP_SIM_LOSSES_H
#define NEAP_SIM_LOSSES_H
#include "sim/check.h"

/* The state of a checker. */
struct losses {
    uint64_t commits[NODES_MAX];
    bool lost[NODES_MAX]; /* something was, since the node was last found right */
    bool any;             /* some node ever lost something */
};

/* For struct checker; to be freed by mem_free(). */
void *losses_begin(struct world *world);
void losses_replaced(struct world *world, void *arg, size_t index);
/* Before whatever may write what was lost again, so that nobody can tell any more. */
void losses_note(struct losses *losses, const struct sim_node *node);
/* Of each commit: is it the 64th, of a node that is up? */
bool losses_is_due(struct losses *losses, const struct sim_node *node, int error);
/* The node is right, or else it fails the checker, but for what it lost. */
void losses_judge(struct losses *losses, struct sim_node *node, bool right, const char *checker,
                  const char *why);
#endif
