/* What a node has of buckets, in a file: what it would give to a peer that pulls or compares, for
 * whom no peer can be reached (docs/decisions/0098). A bundle is msgpack, sealed with the cluster's
 * key:
 *
 *   "neap bundle", version, node, made_ms, count
 *   for each bucket: name, way, what its maker has seen, pieces, then so many pieces
 *   hash of all that, 16 bytes
 *
 * Pieces are chunks of events (way LOG), or pages of all cells (way ALL; store/chunk.h). */
#ifndef NEAP_ENGINE_BUNDLE_H
#define NEAP_ENGINE_BUNDLE_H
#include "base/hash.h"
#include "engine/engine.h"
#include "store/shard.h"

enum { BUNDLE_SIZE_MAX = 128 << 20, BUNDLE_BUCKETS_MAX = 62, BUNDLE_VERSION = 1 };
enum { BUNDLE_LOG = 1, BUNDLE_ALL = 2 };

struct bundle_counts {
    uint64_t pieces, events, cells;
    unsigned way;
};

/* Appends the bucket: what `since` lacks, or all when the log no longer tells that, or since is
 * NULL. LIMIT: it does not fit. BUSY: not released (design 2, rule 9). */
int bundle_give(const struct shard *shard, const struct view *view, const struct context *since,
                struct buffer *bundle, struct bundle_counts *ret_counts);
/* What follows the name of a bucket, into the shard. *ret_behind: it lacks what came before, and
 * nothing more was taken. BUSY: it is comparing; STALE: of another history. What was merged before
 * an error stays. */
int bundle_take(struct shard *shard, struct batch *batch, struct reader *reader,
                struct bundle_counts *ret_counts, struct context *ret_theirs, bool *ret_behind);

/* On the wheel's thread: bundle_give() of a bucket, whose events are released first; NOTFOUND: it
 * is not here. */
int bundle_from(struct engine *engine, struct now now, struct batch *batch, uint64_t shard,
                const struct context *since, struct buffer *bundle,
                struct bundle_counts *ret_counts);
/* bundle_take() into the bucket, which is made where it is not there, and is *ret_shard; peers will
 * hear of it. REFUSED: this node does not subscribe to it. */
int bundle_into(struct engine *engine, struct batch *batch, const char *name,
                struct reader *reader, struct bundle_counts *ret_counts,
                struct context *ret_theirs, bool *ret_behind, struct shard **ret_shard);

void bundle_begin(struct writer *writer, uint64_t node, uint64_t made_ms, uint32_t buckets);
int bundle_seal(struct buffer *bundle, const struct hash_key *key); /* appends */
/* Checks the seal and reads the beginning; the reader is then at the first bucket. CORRUPT: it is
 * damaged, or of another cluster; FORMAT: of a newer version. */
int bundle_open(struct slice bundle, const struct hash_key *key, struct reader *ret_reader,
                uint64_t *ret_node, uint64_t *ret_made_ms, uint32_t *ret_buckets);
#endif
