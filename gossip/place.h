/* Where a call about a bucket goes: mesh buckets are shards of their own; of a bucket that is
 * placed on a ring, NAME@RING, the key says which slot it is (gossip/rings.h). And who counts
 * there. */
#ifndef NEAP_GOSSIP_PLACE_H
#define NEAP_GOSSIP_PLACE_H
#include "gossip/rings.h"

struct gossip;

struct placed {
    char shard[NEAP_BUCKET_MAX + 1]; /* the name of the shard */
    const struct ring *ring;         /* NULL: a mesh bucket */
    unsigned slot;
};

/* The first name of a path, as it was before it was escaped, whatever follows. INVALID, LIMIT. */
int place_key(struct slice path, uint8_t ret_key[NEAP_KEY_MAX], size_t *ret_size);
/* Of a path, or what neap_remove() names: its first name counts. UNAVAILABLE: no ring of that name
 * is known here (yet). INVALID: there is no key in the path. */
int place_find(const struct rings *rings, const char *bucket, struct slice path,
               struct placed *ret_place);
/* Of the keys of a bucket in one slot, of so many. STALE: the ring has others; INVALID: a bucket of
 * no ring. */
int place_slot(const struct rings *rings, const char *bucket, unsigned slot, unsigned slots,
               struct placed *ret_place);
/* Nodes whose quorum is needed: the owners of a slot in one layout, or those of them in one zone.
 */
struct group {
    uint64_t nodes[LAYOUT_OWNERS_MAX];
    unsigned count;
};
enum { GROUPS_MAX = RING_ACTIVE_MAX * LAYOUT_OWNERS_MAX };

enum group_use {
    GROUPS_WRITE, /* the owners in each active layout */
    GROUPS_READ   /* those in the one that is read from */
};
/* May this node do it itself? Of a ring: it owns the slot in one of these layouts (who is to own it
 * has not got all of it yet), and reads from the layout that others read from. Mesh buckets:
 * always, as subscriptions are another question. */
bool place_is_mine(const struct placed *place, enum group_use use, uint64_t me);
/* The groups that all have to be reached by name of a shard, for that level; 0: a mesh bucket, or a
 * slot that is not known. `me` says which zone is the local one. */
size_t groups_of(const struct rings *rings, const char *shard, enum group_use use,
                 enum neap_level level, uint64_t me, struct group ret_groups[GROUPS_MAX]);
/* May this node say that a write there is acknowledged? Who has left a ring does not hear any more
 * where its writes have to count. */
bool shard_is_coordinated(const struct rings *rings, const char *shard, uint64_t me);
bool group_has(const struct group *group, uint64_t node);

/* The rings of a node, as its wheel has them; and a number that grows when they may be others. */
const struct rings *gossip_rings(const struct gossip *gossip, uint64_t *ret_version);
#endif
