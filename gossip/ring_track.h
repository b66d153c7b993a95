/* What a node says of itself while a ring's data moves: in which layouts its writes count, where
 * it has caught up, and which one it reads from. Pure: each node decides on what it has heard of
 * the others, in whatever order and however late, and yet a read meets every write that was
 * acknowledged before it. The rule is that of Garage's layout manager (ack, sync, sync-ack
 * trackers), told by layout instead of by version number, as two sides may commit the same one.
 *
 *   counts v   v is known, and every write under way counts in it as well
 *   synced v   all who may coordinate count v; and of each slot that the node owns in v it has had
 *              what a read quorum of the owners in each older active layout had after that
 *   reads v    all owners in v have synced it, and all who may coordinate count it; nothing is
 *              under way that began with an older one
 *   left       all nodes of v read from later ones: it is active no more */
#ifndef NEAP_GOSSIP_RING_TRACK_H
#define NEAP_GOSSIP_RING_TRACK_H
#include "gossip/rings.h"

/* By index of ring->layouts. */
struct ring_facts {
    bool counts[RING_ACTIVE_MAX];    /* no write under way here counts without it */
    bool caught_up[RING_ACTIVE_MAX]; /* asked for when ring_may_sync(): see there */
    uint64_t under_way; /* the oldest ring_reading()->stamp with which a call (read or write) that
                           this node coordinates began, and is not over; UINT64_MAX: none */
};

/* Does everybody count the layout, so that what its owners lack can be fetched? What the owners in
 * older active layouts have is to be asked for after this was true; once true it stays so. False
 * also for what needs no fetching: one that was superseded, one without older ones. */
bool ring_may_sync(const struct ring *ring, size_t layout);
/* Does `me` have to: it owns something there, and has not said that it has synced? */
bool ring_must_sync(const struct ring *ring, uint64_t me, size_t layout);
/* What `me` has to say by now. True: it is not what it says in ring->tracks, so it is to be
 * written. False as well when it has nothing to say, as it is in no active layout. */
bool ring_track(const struct ring *ring, uint64_t me, const struct ring_facts *facts,
                struct ring_track *ret_track);

/* Of rings_read(): which layouts are left, and which one `me` reads from. `ring` has all that are
 * stored. */
void ring_settle(struct ring *ring, uint64_t me);

/* Who holds the layout back, for people: the first node (by id) that does not yet count it, that
 * has not synced it, or that reads from an older one. */
enum ring_step { RING_STEP_COUNT, RING_STEP_SYNC, RING_STEP_READ, RING_STEP_DONE };
enum ring_step ring_waits(const struct ring *ring, size_t layout, uint64_t *ret_node);
#endif
