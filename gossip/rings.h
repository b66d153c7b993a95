/* Rings as the system's bucket describes them: which nodes hold which slots, in which layouts that
 * are under way, and how far each node is with them (docs/decisions/0094). Data and questions to
 * it; what a node says of itself is in gossip/ring_track.h, how layouts are made in engine/plan.h.
 *
 * A bucket "NAME@RING" is placed on RING: the objects of one key lie in one slot, whose shard is
 * named "@RING/SLOT". A layout says who owns each slot. While data moves several are active: a
 * write counts its acknowledgements in each of them, a read in one. */
#ifndef NEAP_GOSSIP_RINGS_H
#define NEAP_GOSSIP_RINGS_H
#include "gossip/layout.h"
#include "store/batch.h"

enum {
    RINGS_MAX = 64,
    RING_NAME_MAX = 63,
    RING_ZONE_MAX = 63,       /* bytes of a zone's name */
    RING_ACTIVE_MAX = 32,     /* layouts of one ring... */
    RING_COMMIT_MAX = 8,      /* ... and no commit adds to so many: only partitions make more */
    RING_TRACKS_MAX = 1024,   /* nodes that say how far they are, of one ring */
    RING_BUCKETS_MAX = 16384, /* of one ring */
    RING_MEMBERS_MAX = RING_ACTIVE_MAX * LAYOUT_OWNERS_MAX,
    RING_SHARD_NAME_MAX = RING_NAME_MAX + 8, /* "@RING/4095" and a zero */
    RING_LAYOUT_SIZE_MAX = 64 << 10          /* of a layout, packed */
};

struct ring_zone {
    uint64_t id; /* as in layout_node: hash_name() of the name */
    char name[RING_ZONE_MAX + 1];
};

/* Its stamp is version << 32 | 32 bits of a hash of its bytes: of two layouts with one version,
 * committed on both sides of a partition, the higher stamp wins. 0 is no layout. */
struct ring_layout {
    uint64_t stamp, parent;  /* the stamp of the layout that it was made from; 0: the first one */
    bool superseded;         /* another layout of its version won */
    struct layout layout;    /* wanted_n is the ring's n */
    struct ring_zone *zones; /* owned; sorted by name */
    size_t zones_count;
};

static inline unsigned ring_version(uint64_t stamp)
{
    return (unsigned)(stamp >> 32);
}

/* How far a node is, in its own words. Stamps, rising. */
struct ring_track {
    uint64_t node;
    uint64_t reads; /* no call of its is under way that began with reads from an older layout; 0:
                       it says nothing yet */
    uint64_t counts[RING_ACTIVE_MAX]; /* its writes count in these */
    size_t counts_count;
    uint64_t synced[RING_ACTIVE_MAX]; /* it has what was written before all counted in these */
    size_t synced_count;
};

/* Up to this layout the node is not waited for: an operator has said so, or (all layouts) it is
 * forgotten (gossip/roster.h). */
struct ring_skip {
    uint64_t node, stamp;
};

struct ring {
    char name[RING_NAME_MAX + 1];
    unsigned n, slots;
    struct ring_layout *layouts; /* active ones, by rising stamps; one at least; owned */
    size_t layouts_count;
    size_t reads;    /* index: that which this node's reads count in... */
    bool reads_well; /* ... unless it has not heard enough: then it is a guess, to forward by */
    uint64_t left[RING_ACTIVE_MAX]; /* stamps of layouts that are stored, and active no more */
    size_t left_count;
    size_t strange; /* layouts of other slots: the ring was made twice; they are not used */
    struct ring_track *tracks; /* by rising nodes; owned */
    size_t tracks_count;
    struct ring_skip *skips; /* owned */
    size_t skips_count;
    uint64_t *buckets; /* ids of those that are known to be on it, rising; owned */
    size_t buckets_count;
    uint64_t *shards; /* of the slots; owned */
};

struct rings_slot {
    uint64_t shard;
    uint32_t ring, slot;
};

struct rings {
    struct ring *rings; /* by name; owned */
    size_t count;
    struct rings_slot *slots; /* by shard; owned */
    size_t slots_count;
};

/* As the view has them; `me` is this node. Replaces what ret_rings holds, which stays on an error:
 * CORRUPT (something is no ring's, or past a limit), IO, NOMEM. */
int rings_read(const struct view *view, uint64_t me, struct rings *ret_rings);
void rings_done(struct rings *rings);
/* For rings_read(): puts them in order, and makes the table of slots. NOMEM. */
int rings_index(struct rings *rings);
int rings_copy(const struct rings *from, struct rings *ret_to); /* NOMEM; replaces */

/* ---- names ---- */

/* The ring that a bucket is placed on; false: it is a mesh bucket. Borrows from the name. */
bool bucket_ring(const char *bucket, struct slice *ret_ring);
/* 1..63 bytes of [a-z0-9-]; INVALID. */
int ring_name_check(struct slice name);
/* Printable ASCII without blanks, commas, slashes: 1..63 bytes; INVALID. */
int ring_zone_check(struct slice zone);
/* Is it the name of a slot's shard, and of which? The ring may be unknown here. */
bool shard_ring(const char *shard_name, struct slice *ret_ring, unsigned *ret_slot);

/* ---- questions; pointers are valid as long as the rings ---- */

const struct ring *rings_find(const struct rings *rings, struct slice name);       /* or NULL */
const struct ring *rings_of_bucket(const struct rings *rings, const char *bucket); /* or NULL */
const struct ring *rings_shard(const struct rings *rings, uint64_t shard,
                               unsigned *ret_slot); /* whose slot it is; NULL: of none */
bool rings_holds(const struct rings *rings, uint64_t shard, uint64_t node);
/* Is there a node that holds all of these? Those that are no slots are held by any. */
bool rings_have_one(const struct rings *rings, const uint64_t *shards, size_t count);

unsigned ring_slot(const struct ring *ring, uint64_t bucket, struct slice key);
uint64_t ring_shard(const struct ring *ring, unsigned slot); /* bucket_id() of its name */
const char *ring_shard_name(const struct ring *ring, unsigned slot,
                            char ret_name[RING_SHARD_NAME_MAX]);
bool ring_has_bucket(const struct ring *ring, uint64_t bucket);

const struct ring_layout *ring_newest(const struct ring *ring);
/* That which reads of this node count in. */
const struct ring_layout *ring_reading(const struct ring *ring);
const struct ring_layout *ring_layout_of(const struct ring *ring, uint64_t stamp); /* or NULL */
/* Owners of a slot in one layout: how many. */
size_t ring_owners(const struct ring_layout *layout, unsigned slot,
                   uint64_t ret_nodes[LAYOUT_OWNERS_MAX]);
/* In any active layout, each once, by rising ids: the members of the slot's shard. */
size_t ring_members(const struct ring *ring, unsigned slot, uint64_t ret_nodes[RING_MEMBERS_MAX]);
bool ring_holds(const struct ring *ring, unsigned slot, uint64_t node);
bool ring_has_node(const struct ring_layout *layout, uint64_t node); /* with a weight */
/* The name of its zone; NULL: it is not in the layout. */
const char *ring_zone(const struct ring_layout *layout, uint64_t node);
uint64_t ring_zone_id(const struct ring_layout *layout, uint64_t node); /* 0: the same */

/* May `me` (as in rings_read()) coordinate calls? Only who is in the layout that its reads count
 * in: others forward to one that is. Ask at the beginning of each call. */
bool ring_coordinates(const struct ring *ring, uint64_t me);
/* Does its answer count in a read? Of the owners all but those that were skipped before they had
 * caught up. */
bool ring_answers(const struct ring *ring, uint64_t node);
const struct ring_track *ring_track_of(const struct ring *ring, uint64_t node); /* or NULL */
bool ring_is_skipped(const struct ring *ring, uint64_t node, uint64_t stamp);
#endif
