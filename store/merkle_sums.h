/* For merkle*.c: the sums of a tree, one that is being built, and who watches. */
#ifndef NEAP_STORE_MERKLE_SUMS_H
#define NEAP_STORE_MERKLE_SUMS_H
#include "store/merkle.h"

struct merkle_build {
    struct merkle_sums sums;      /* of the leaves; what is above them is made at the end */
    uint8_t cursor[KEY_SIZE_MAX]; /* paths before it are in the sums */
    size_t cursor_size;
    uint64_t place;     /* of the latest cell... */
    struct digest late; /* ... which is not in the sums yet: its leaf is on its way to the cache */
    bool loads;         /* a snapshot is loaded, and no cells are brought */
    uint64_t stamp;
    size_t part; /* the next one */
};

void build_restart(struct merkle_build *build); /* nothing of it is in the sums */

int sums_init(struct merkle_sums *sums, unsigned bits); /* all 0; NOMEM */
void sums_done(struct merkle_sums *sums);               /* zeroed is fine */
void sums_clear(struct merkle_sums *sums);
void sums_add(struct merkle_sums *sums, uint64_t place, struct digest sum);
/* To the leaf alone, for many at a time: then sums_raise() makes the nodes above of the leaves. */
void sums_add_leaf(struct merkle_sums *sums, uint64_t place, struct digest sum);
void sums_raise(struct merkle_sums *sums);
void sums_mark(struct merkle_sums *sums, uint64_t place);
void sums_unmark(struct merkle_sums *sums); /* all */
/* The leaf will be added to soon. */
void sums_fetch_leaf(const struct merkle_sums *sums, uint64_t place);
/* The same with fewer bits, which must be even. */
int sums_fold(const struct merkle_sums *sums, unsigned bits, struct merkle_sums *ret_sums);
/* Whoever watches is told of a change; or that the shard is gone, or another. */
void watches_tell(struct merkle *tree, uint64_t place, struct digest sum);
void watches_end(struct merkle *tree);
size_t sums_nodes(unsigned bits);
/* Bits that give at most 24 cells a leaf. */
unsigned sums_bits_for(uint64_t cells, unsigned bits_max);
#endif
