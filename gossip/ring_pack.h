/* How rings lie in the system's bucket: names of objects and their values. Values are canonical,
 * one layout is one string of bytes. */
#ifndef NEAP_GOSSIP_RING_PACK_H
#define NEAP_GOSSIP_RING_PACK_H
#include "base/pack.h"
#include "gossip/rings.h"

/* What the objects of rings are. Each is the key "ring/RING/KIND", or "ring/RING/KIND/REST". */
enum ring_object {
    RING_LAYOUT,  /* "layout/STAMP", 16 hex digits: lww, a layout */
    RING_TRACK,   /* "track/NODE": lww, what that node says */
    RING_SKIP,    /* "skip/NODE": lww, up to which stamp it is left out */
    RING_STAGED,  /* "staged/NODE": lww, a change that waits for a commit */
    RING_BUCKETS, /* "buckets": set of names */
    RING_OBJECTS
};

/* The path of one; `number` is what REST has (RING_BUCKETS: none). NOMEM. */
int ring_path(const char *ring, enum ring_object object, uint64_t number, struct buffer *ret_path);
/* What ends before it: all of a ring's, or (NULL) all of all rings. */
int ring_path_prefix(const char *ring, struct buffer *ret_prefix);
/* A path that begins so: INVALID when it is none of these. The name borrows from `key`. */
int ring_key_parse(struct slice key, struct slice *ret_ring, enum ring_object *ret_object,
                   uint64_t *ret_number);

/* Appended; the stamp and hash follow from the bytes. LIMIT, NOMEM. */
int ring_layout_pack(const struct ring_layout *layout, uint64_t version, struct buffer *ret_bytes);
/* CORRUPT for anything that ring_layout_pack() would not write; NOMEM. */
int ring_layout_unpack(struct slice bytes, struct ring_layout *ret_layout);
uint64_t ring_layout_stamp(uint64_t version, struct slice bytes);
void ring_layout_done(struct ring_layout *layout);

int ring_track_pack(const struct ring_track *track, struct buffer *ret_bytes); /* appended */
int ring_track_unpack(struct slice bytes, uint64_t node, struct ring_track *ret_track);
int ring_skip_pack(uint64_t stamp, struct buffer *ret_bytes);
int ring_skip_unpack(struct slice bytes, uint64_t *ret_stamp);
#endif
