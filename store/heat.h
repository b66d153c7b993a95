/* Which collections (maps, sets, score sets: all that is in one key) have changed most lately: so
 * that an operator is told of one that is both hot and big (docs/decisions/0108). A table of
 * HEAT_MAX with counts that fade; one that is not in it takes the place of the coldest, and its
 * count. So none that makes more than 1 of HEAT_MAX changes is missed, and a count is too high by
 * no more than such a part. Belongs to the thread that turns the wheel; a rollback takes nothing
 * back. */
#ifndef NEAP_STORE_HEAT_H
#define NEAP_STORE_HEAT_H
#include "base/bytes.h"
#include "crdt/path.h"

enum { HEAT_MAX = 16, HEAT_NAME_MAX = 8 + 256, HEAT_FADE_MS = 60000 };
enum { HEAT_HOT = 1000 }; /* changes: what has fewer is nobody's worry */

struct heat_place {
    uint64_t shard, hash; /* of the name */
    uint64_t changes;     /* halved each minute: those of the last two, about */
    uint16_t size;
    uint8_t name[HEAT_NAME_MAX]; /* [bucket 8][path], the first level of it */
};

struct heat {
    struct heat_place places[HEAT_MAX];
    size_t count;
    uint64_t fades_at; /* mono_ms; 0: not known yet */
};

/* A cell has changed: its path, with the bucket. What is no collection, or has a longer name, is
 * left out. */
void heat_add(struct heat *heat, uint64_t shard, struct slice path);
void heat_fade(struct heat *heat, uint64_t now_ms);
/* Number n of those that have HEAT_HOT changes now; NULL: there are no more. */
const struct heat_place *heat_nth(const struct heat *heat, uint64_t now_ms, size_t n,
                                  uint64_t *ret_changes);
#endif
