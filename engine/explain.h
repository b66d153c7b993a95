/* Why an object is as it is, and who has it otherwise: what several replicas told of its cells,
 * held against each other by rule 3. Nothing here asks anybody; node_explain.c does. */
#ifndef NEAP_ENGINE_EXPLAIN_H
#define NEAP_ENGINE_EXPLAIN_H
#include <jansson.h>

#include "gossip/look.h"

/* What a replica has of one cell, compared with what is here. X(name, word, text for people) */
#define EXPLAIN_STATES(X)                                                                        \
    X(SAME, "same", "has the same")                                                              \
    X(BEHIND, "behind", "has not seen events that are here")                                     \
    X(AHEAD, "ahead", "has events that have not been seen here")                                 \
    X(BOTH, "both", "has not seen events that are here, and has others that were not seen here") \
    X(REMOVED, "removed", "has removed or replaced what is here; that was not seen here yet")    \
    X(KEPT, "kept", "still has what was removed or replaced here, and has not seen that yet")    \
    X(DAMAGED, "damaged", "has the same events and other content: damage, on one of the two")    \
    X(UNKNOWN, "unknown", "does not answer")

enum explain_state {
#define X(name, word, text) EXPLAIN_##name,
    EXPLAIN_STATES(X)
#undef X
};

/* One replica. `look` is zeroed when there is none: then `why` says why. */
struct explain_side {
    struct look_peer peer;
    bool has_look;
    struct context context; /* when it answered, or as last heard; of the node itself, its own */
    struct look look;
    const char *why; /* NULL when it has answered */
    bool unheld;     /* it does not subscribe to the bucket: it has nothing to say */
};

/* Who has, or had, a replica id. */
struct explain_name {
    uint64_t replica, node;
    char address[128]; /* "": this node */
    bool here;
};

struct explain {
    const char *bucket, *key; /* key NULL: of several */
    struct explain_side here;
    struct explain_side *sides; /* others */
    size_t sides_count;
    struct explain_name *names;
    size_t names_count;
    uint64_t now_ms;     /* mono_ms */
    bool differing_only; /* cells that are the same everywhere are left out */
    bool failed;         /* explain_json()'s */
};

/* Bytes as text; {"hex": ...} when they are not UTF-8. */
json_t *json_slice(struct slice bytes);
/* NULL: no memory. */
json_t *explain_json(struct explain *explain);

/* The state of a cell at one side, for tests and whoever counts; NULL: it has none. */
enum explain_state explain_state(const struct context *here, const struct look_cell *cell_here,
                                 const struct context *there, const struct look_cell *cell_there);
#endif
