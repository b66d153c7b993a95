/* All that this node remembers: the open directory and its shards. */
#ifndef NEAP_STORE_STORE_H
#define NEAP_STORE_STORE_H
#include "base/clock.h"
#include "base/rng.h"
#include "crdt/hlc.h"
#include "store/expiry.h"
#include "store/annals.h"
#include "store/heat.h"
#include "store/identity.h"
#include "store/shard.h"
#include "store/subscription.h"

enum { BUCKETS_MAX = 16384, BUCKET_NAME_MAX = 255 };

struct store_trees {
    bool kept; /* every shard has one */
    struct hash_key key;
    unsigned bits_max;
};

struct store {
    struct disk *disk;
    struct identity identity;
    struct shard **shards; /* sorted by id */
    size_t shards_count, shards_room;
    struct hlc hlc;
    uint64_t hlc_reserved;    /* stamps below are covered by the mark on disk */
    struct shard_clock clock; /* of all shards: keep its wall_ms up to date */
    struct expiry expiry;
    struct annals annals;
    struct heat heat;
    struct rng rng; /* seeded from entropy: new replica ids */
    struct store_trees trees;
    uint64_t hidden; /* a shard that store_find() does not find: whoever asks may not know of it */
    struct subscriptions subscriptions;
    uint64_t subscriptions_version;
    size_t unwanted_count; /* of shards: unwanted */
    uint64_t *placed;      /* slots of rings that are to be here, rising; owned */
    size_t placed_count;
    bool dropped; /* in this opening: a shard that is made again takes an id of its own (rule 9) */
    bool alone;   /* it talks with nobody: no shard has anybody to ask who has what rights */
};

/* The cluster's own bucket: every node holds it, only nodes write it. */
#define SYSTEM_BUCKET "_system"

/* Reads identity and every shard record; may write a new life (committed with sync before return).
 * The store borrows the disk, and must stay where it is. On an error it is zeroed. */
int store_open(struct store *store, struct disk *disk, const struct directory_mark *mark,
               struct clock *clock, bool suspect, struct neap_error *error);
void store_done(struct store *store);
/* Of an opening (annals_open.c): what the history is told before all else. */
int store_annals_open(struct store *store, struct batch *batch);
/* There is no gossip: nor will there be, until it is closed. */
void store_be_alone(struct store *store);
/* From now on each shard keeps a tree of its cells, of 2^bits_max leaves at most (store/merkle.h);
 * those of shards that were there are on disk (store/tree_keep.h), or whoever turns the wheel has
 * them built (shard_tree_step). The key is
 * made from the cluster's. On error the store is to be closed. */
int store_keep_trees(struct store *store, const struct hash_key *cluster_key, unsigned bits_max);
/* The most leaves with which a tree and its build take no more than so many bytes. */
unsigned store_tree_bits(size_t bytes_max);

uint64_t bucket_id(const char *name);
/* 1..255 bytes of printable UTF-8 without '/' or control characters; "_..." is the system's. */
int bucket_name_check(const char *name);
struct shard *store_find(const struct store *store, uint64_t id); /* NULL when absent */
/* Finds or makes the shard of a mesh bucket. On error the batch is as before. */
int store_shard(struct store *store, struct batch *batch, const char *name,
                struct shard **ret_shard);
/* Forgets a shard that store_shard() made in a batch that was rolled back. */
void store_forget(struct store *store, uint64_t id);
/* Does this node subscribe to the bucket? One that is here all the same is on its way out. */
bool store_wants(const struct store *store, const char *name);
/* A shard's name: that of a bucket, or "@RING/SLOT" (gossip/rings.h). */
int shard_name_check(const char *name);
/* These slots of rings are to be here from now on, and no others. Takes over the memory. */
void store_place(struct store *store, uint64_t *ids, size_t count);
/* Another list from now on. Takes it over; on error it is the caller's still. */
int store_subscribe(struct store *store, struct batch *batch, struct subscriptions *list);
/* Nothing of the shard is left, on disk and in memory; no event is made. The caller has made sure
 * that others have what is in it. On error it is as before. */
int store_drop(struct store *store, struct batch *batch, uint64_t id);
/* The next HLC stamp; persists a mark ahead, through the batch, now and then. */
int store_stamp(struct store *store, struct batch *batch, uint64_t wall_ms, uint64_t *ret_stamp);
uint64_t store_new_id(struct store *store); /* a fresh replica id */
#endif
