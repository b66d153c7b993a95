/* Callers of nodes that do not hold what they want: what a thread does in production (hand the call
 * on, wait for the reply, ask the next one: engine/node_forward.c) the world does here, by the same
 * functions (engine/forward.h, engine/remote.c). */
#ifndef NEAP_SIM_HAND_H
#define NEAP_SIM_HAND_H
#include "engine/backend.h"
#include "sim/world.h"

/* How it ended. `lost`: the process of the node that was called did first. */
typedef void hand_ended(void *arg, size_t node, int code, bool lost);

/* The write, or the read and its cell, or the page, are borrowed until it has ended; so is the
 * bucket's name. */
void hand_write(struct world *world, size_t node, struct write *write, hand_ended *ended,
                void *arg);
void hand_read(struct world *world, size_t node, struct read *read, struct buffer *cell,
               hand_ended *ended, void *arg);
/* Of one slot of a ring. */
void hand_page(struct world *world, size_t node, struct page_request *request, struct page *page,
               hand_ended *ended, void *arg);
/* An ask of kind ASK_CALL has ended there. */
void hand_asked(struct world *world, size_t node, struct event *event, bool lost);
#endif
