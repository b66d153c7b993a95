/* Replicas of one shard for unit tests, each on a memory disk of its own. */
#ifndef NEAP_UNIT_SHARD_CASES_H
#define NEAP_UNIT_SHARD_CASES_H
#include "store/shard.h"
#include "tests/support/test.h"

enum { NONCE = 7, WIRE_MAX = 1 << 20 };

struct place {
    struct disk *disk;
    struct batch *batch;
    struct shard *shard;
};

/* Half-built after an error; place_close() all the same. */
int place_open(struct place *place, uint64_t replica);
void place_close(struct place *place);
int place_commit(struct place *place); /* synced */
/* As after a restart: what is in the batch is lost. */
int place_reopen(struct place *place, uint64_t life, uint32_t nonce);
int place_write(struct place *place, const char *key, enum neap_type type, const struct op *op,
                struct dot *ret_dot);
int place_add(struct place *place, const char *key, int64_t number);
int place_set(struct place *place, const char *key, const char *value);
int place_remove(struct place *place, const char *key);
/* The dots of the register; 0 when it is absent. */
size_t place_dots(struct place *place, const char *key, enum neap_type type);
int64_t place_value(struct place *place, const char *key);
/* All that `to` lacks, in chunks of about that size. */
int place_pull(struct place *to, struct place *from, size_t size);
int place_compare(struct place *to, struct place *from, size_t size);
int place_chunk(struct place *from, const struct context *since, uint64_t only_id, size_t size,
                struct buffer *ret_chunk);
/* The same for a compare session. */
int place_changed(struct place *from, const struct context *since, size_t size,
                  struct buffer *ret_chunk);
/* Keys of a family, of one kind in meta (0: all). */
size_t place_count(struct place *place, enum disk_family family, char kind);
#endif
