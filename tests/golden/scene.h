/* A directory that has met everything that is on disks and wires: all types of cells, events of its
 * own and of a peer, cells that know more than their shard. Always the same bytes. */
#ifndef NEAP_GOLDEN_SCENE_H
#define NEAP_GOLDEN_SCENE_H
#include "store/store.h"
#include "tests/golden/said.h"

/* A clock that stands still, and chance that counts. */
struct scene_clock {
    struct clock clock;
    uint64_t drawn;
};
void scene_clock_init(struct scene_clock *clock);

struct scene {
    struct scene_clock clock;
    struct disk *disk;
    struct batch *batch;
    struct store store;
    struct shard *shard; /* the bucket "till" */
};

void scene_open(struct scene *scene);
/* Closed and opened again, as after a restart, and an event more: the record of the shard tells of
 * an opening that nobody has confirmed. Then a clean close, which keeps the tree. */
void scene_reopen(struct scene *scene);
void scene_close(struct scene *scene);

#define SCENE_BUCKET "till"
uint64_t scene_shard(void);

/* What it gives to others. */
void scene_events(struct buffer *ret_bytes);
void scene_page(struct buffer *ret_bytes);
void scene_cell(struct buffer *ret_bytes);
void scene_cursor(struct buffer *ret_bytes);
/* Its last events, as what comes next after another push, which told of this. */
struct chunk_base;
void scene_base(struct chunk_base *ret_base);
void scene_next(struct buffer *ret_bytes);
void scene_after(struct buffer *ret_bytes); /* all events, told after that base */

/* Where its directory is. */
extern const struct directory_mark scene_mark;
/* Of its tree, which has the fewest leaves. */
extern const struct hash_key scene_key;
#endif
