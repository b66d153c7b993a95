/* Three real nodes, each in a network namespace of its own, and whoever calls them: the parts of
 * drive.c. */
#ifndef NEAP_NETNS_DRIVE_H
#define NEAP_NETNS_DRIVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "neap.h"
#include "sim/history.h"

enum { NODES = 3, PATIENCE_S = 120 };
enum { PORT = 7400 }; /* of the first; one more for each */

/* ---- nodes.c: processes and links ---- */

struct cluster {
    const char *folder, *neapd, *proxy;
    const char *log_max; /* as neapd takes it */
    int spaces[NODES];   /* the network namespaces */
    pid_t nodes[NODES], proxies[NODES];
    int controls[NODES]; /* of the proxies */
    bool paused[NODES], doomed[NODES];
    bool cut[NODES][NODES]; /* what the first sends to the second vanishes */
    bool down[NODES][NODES];
    struct neap *handles[NODES];
    struct neap_error error; /* of the last read that failed */
};

/* Namespaces, a link between each two of them, proxies, nodes. Whatever goes wrong in here ends the
 * program, and with it, as it is the first of its namespace, all others. */
void cluster_open(struct cluster *cluster);
_Noreturn void cluster_fail(const struct cluster *cluster, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits a moment (a few ms), and sees whether all processes are still there. */
void cluster_pace(struct cluster *cluster);
const char *node_name(size_t node); /* "a" */

void node_start(struct cluster *cluster, size_t node);
void node_kill(struct cluster *cluster, size_t node);
/* The same, but in a while, by somebody else. node_kill() awaits it. */
void node_doom(struct cluster *cluster, size_t node, unsigned after_ms);
void node_pause(struct cluster *cluster, size_t node, bool paused);
int node_end(struct cluster *cluster, size_t node); /* SIGTERM; its exit code, or -1 */
bool node_is_up(const struct cluster *cluster, size_t node);
/* NULL: it does not answer (yet). */
struct neap *node_handle(struct cluster *cluster, size_t node);
void node_hang_up(struct cluster *cluster, size_t node);

void proxy_start(struct cluster *cluster, size_t node);
void proxy_kill(struct cluster *cluster, size_t node);

/* What `from` sends to `to` vanishes on its way, without a word to anybody. */
void link_cut(struct cluster *cluster, size_t from, size_t to, bool cut);
void link_down(struct cluster *cluster, size_t from, size_t to, bool down);
void link_slow(struct cluster *cluster, size_t a, size_t b, unsigned delay_ms, unsigned rate);
/* All links as they should be, and all nodes and proxies up. */
void cluster_heal(struct cluster *cluster);
/* What a command says on stdout is lost. Ends the program when it fails. */
void command_run(struct cluster *cluster, const char *const *words);

/* ---- calls.c: calls and answers ---- */

struct caller {
    struct cluster *cluster;
    struct rng rng;
    struct history history;
    uint64_t calls, refused, unclear; /* calls in all; with nothing done; that may have been done */
    uint64_t tokens;                  /* taken to another node, and what they name read there */
};

/* One call on one node, whichever answers; recorded. */
void caller_call(struct caller *caller);
/* An element that nobody else adds, on that node. */
void caller_add(struct caller *caller, size_t node, struct record *ret_record);
/* Bytes in bulk, in a bucket that is not in the history. */
void caller_fill(struct caller *caller, size_t node);
/* All is healed and at rest: what may have happened won't happen any more. */
void caller_settle(struct caller *caller);

/* ---- observer.c: for the checkers of sim/history.h ---- */

struct at {
    struct neap_bytes field;
    struct neap_place place;
};

/* The place that a record means. A field of a map has the names from the map's on, with slashes;
 * here there is one at most. */
const struct neap_place *at_key(struct at *at, const char *bucket, const char *key);
struct neap_bytes bytes_of(const char *text);

/* What cannot be read ends the program. */
struct observer {
    struct replicas replicas;
    struct cluster *cluster;
};
void observer_init(struct observer *observer, struct cluster *cluster);

/* All that a caller can read there, as text. */
void node_contents(struct cluster *cluster, size_t node, struct buffer *ret_text);

/* ---- look.c: what nodes say of themselves ---- */

/* Does `node` say that it is connected with `peer`? */
bool node_sees(struct cluster *cluster, size_t node, size_t peer);
/* The nodes hold the same, and are at rest: no logs, no residues. */
bool nodes_are_equal(struct cluster *cluster);
/* The sum over all nodes and buckets of what their status counts by that name. */
uint64_t nodes_count(struct cluster *cluster, const char *name);
/* A node had to be given back what its disk had lost, has a problem...: why not all is well. */
bool node_is_sound(struct cluster *cluster, size_t node, char *ret_why, size_t size);
#endif
