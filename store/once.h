/* The writes that their callers gave an id, so that a repeat is known (docs/decisions/0076): how
 * each ended, kept in the batch of the write, and only so many of them. */
#ifndef NEAP_STORE_ONCE_H
#define NEAP_STORE_ONCE_H
#include "base/hash.h"
#include "base/pack.h"
#include "store/batch.h"

enum { ONCE_RECORD_MAX = 3 << 20 };

/* What one may remember: past it the oldest goes. */
struct once_limits {
    uint64_t count;
    uint64_t bytes; /* of ids and records; one record is kept, whatever its size */
};

extern const struct once_limits once_limits;

/* An id that a node has made up itself tells by which life of a directory it was, and which number
 * was the next then: so whoever does not find it knows whether it can have been here. */
struct once_name {
    uint64_t life, number;
};

enum { ONCE_NAME_SIZE = 57 }; /* as text, with a zero */
void once_name_text(struct once_name name, uint64_t random, char ret_text[ONCE_NAME_SIZE]);
bool once_name_read(struct slice id, struct once_name *ret_name); /* false: it is a caller's own */
/* The numbers of the ids that are there, next not included. CORRUPT, IO, NOMEM. */
int once_numbers(const struct view *view, uint64_t *ret_first, uint64_t *ret_next);

/* How a write ended. The slices are whatever its owner makes of them. */
struct once_record {
    struct digest ops; /* of what was asked for */
    struct slice token;
    struct slice awaited; /* by a level; empty: as `token` */
};

/* The record of an id, as it is in the view. It borrows from `bytes`, which is replaced.
 * NOTFOUND: not known (any more). CORRUPT, IO, NOMEM. */
int once_find(const struct view *view, struct slice id, struct buffer *bytes,
              struct once_record *ret_record);
/* An id (of 1 to NEAP_ONCE_MAX bytes, not known yet) and its record; the oldest go that are too
 * many. LIMIT: larger than ONCE_RECORD_MAX. NOMEM, CORRUPT, IO. On an error the caller rolls the
 * batch back. */
int once_keep(struct batch *batch, const struct once_limits *limits, struct slice id,
              const struct once_record *record);
#endif
