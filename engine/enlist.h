/* This node's own record in the member list (gossip/roster.h): written when the list does not have
 * it as it is, and then not soon again, lest two copies of a directory correct each other for ever.
 * A node that is here is no longer retired. */
#ifndef NEAP_ENGINE_ENLIST_H
#define NEAP_ENGINE_ENLIST_H
#include "gossip/gossip.h"

enum { ENLIST_REST_MS_MIN = 10000, ENLIST_REST_MS_MAX = 3600000 };

struct engine;
struct enlist {
    uint64_t rest_until; /* mono_ms; 0: now */
    uint32_t rest_ms;
    uint64_t written; /* so many times, since opening */
    uint64_t version; /* of the list, that needs nothing */
};

/* The turn. IO; whatever else goes wrong is noted, and tried again. */
int enlist_tick(struct engine *engine, struct now now, struct batch *batch);
#endif
