/* neapd processes under a temporary directory, for the demos. */
#ifndef NEAP_TOOLS_DEMO_H
#define NEAP_TOOLS_DEMO_H
#include <sys/types.h>

#include "tools/cli.h"

enum { DEMO_NODES = 3, DEMO_NODES_MAX = 6, DEMO_WAIT_MS = 25000, DEMO_LOOK_MS = 50 };

struct demo_node {
    char name[2], path[96], listen[112], peers[240], socket[96], log[96];
    const char *zone; /* NULL: none */
    pid_t pid;        /* 0: not running */
    struct neap *neap;
};

struct demo {
    char directory[64], cluster[80], daemon[4096];
    struct demo_node nodes[DEMO_NODES_MAX];
    int nodes_count;
    uint32_t wait_ms; /* for the nodes to become equal */
};

/* What a node says of all that it holds. */
struct demo_sum {
    json_int_t keys, cells, bytes, log, residues;
    char digest[40];
};

/* demo_nodes.c; where nothing else is said: 0, or an exit code after it said what is wrong. Each
 * node has the first three, but for itself, as peers. */
int demo_make(struct demo *demo, int nodes_count, uint32_t wait_ms);
int demo_start(struct demo *demo, int node);
int demo_kill(struct demo *demo, int node, int signal); /* and waits for its end */
int demo_isolate(struct demo *demo, int node, int isolated);
int demo_sum(struct demo *demo, int node, struct demo_sum *ret_sum);
/* A verb of neap_admin() there; the answer, or NULL after it said what is wrong. */
json_t *demo_ask(struct demo *demo, int node, int argc, const char *const argv[]);
void demo_pause(void); /* before it looks again */
/* Waits until all nodes have the same digest, and no log and no residues are left. */
int demo_wait_equal(struct demo *demo, struct demo_sum ret_sums[DEMO_NODES]);
void demo_differences(struct demo *demo, const char *bucket);
void demo_end(struct demo *demo, int keep);

/* demo_ring.c: a ring's story. 0, or an exit code after it said what is wrong. */
int demo_ring(uint32_t wait_ms);
#endif
