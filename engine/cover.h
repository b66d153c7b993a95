/* How far a write, or what a token names, has come: here, and on how many of the nodes that hold
 * it. On the wheel's thread; who waits for more looks again when something has changed. */
#ifndef NEAP_ENGINE_COVER_H
#define NEAP_ENGINE_COVER_H
#include "engine/engine.h"
#include "engine/quorum.h"

struct cover_look {
    bool here;            /* this node has all of it */
    struct quorum quorum; /* of the part that the fewest have; begun */
};

/* Of nothing: all have it. REFUSED, INVALID: it is no level for this. */
int cover_look_begin(const struct engine *engine, enum neap_level level,
                     struct cover_look *ret_look);
/* And of these parts as well. */
void cover_look_at(const struct engine *engine, enum neap_level level,
                   const struct token_part *parts, size_t count, struct cover_look *look);
/* It is all there: who is told so is told of something durable. */
bool cover_is_there(const struct cover_look *look);

/* Can a write of this level to the bucket be acknowledged, with those who can be reached now?
 * Before anything is touched: UNAVAILABLE. REFUSED, INVALID. */
int cover_check(const struct engine *engine, enum neap_level level, const char *bucket,
                struct neap_error *error);
#endif
