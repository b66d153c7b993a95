/* Callers of bounded counters, and of values that expire: beside the load, in buckets of their own
 * and by a fourth of the seeds, so that the others stay what they were. They keep their own books,
 * for check_bounded.c and check_expiry.c. */
#ifndef NEAP_SIM_ESCROW_H
#define NEAP_SIM_ESCROW_H
#include "sim/world.h"

enum { STOCKS = 3, PARCELS = 64 };

#define ESCROW_BUCKET "rights"
#define EXPIRY_BUCKET "expiry"

/* A bounded counter: what callers were told of it. */
struct stock {
    int64_t added, added_maybe, taken, taken_maybe;
    int64_t added_at[NODES_MAX], taken_at[NODES_MAX]; /* of it, by callers of that node */
    bool removed; /* it may have been, some time */
};

/* An element of a set that expires, written once and never touched again. */
struct parcel {
    uint64_t serial; /* 0: none */
    size_t node;     /* that wrote it */
    struct dot dot;  /* n 0: not seen yet */
    uint64_t expires;
    bool was[NODES_MAX]; /* seen there */
};

struct escrow {
    struct world *world;
    uint64_t asked, serial, pending; /* writes; those of what expires; and without an answer */
    struct stock stocks[STOCKS];
    struct parcel parcels[PARCELS]; /* a ring, by serial */
};

void escrow_init(struct escrow *escrow, struct world *world);
/* Perhaps a call, by the seed of a step. */
void escrow_call(struct escrow *escrow, uint64_t seed);
/* One of its writes has ended: those have a waiter. */
void escrow_done(struct escrow *escrow, size_t node, struct event *event, bool lost);

/* The node may have lost what it has told nobody: what its callers were told may be so. */
void escrow_doubt(struct escrow *escrow, size_t node);

void stock_path(size_t stock, struct buffer *ret_path);     /* replaces */
void parcel_path(uint64_t serial, struct buffer *ret_path); /* the same */
void letter_path(unsigned letter, struct buffer *ret_path); /* an LWW that is written again */
enum { LETTERS = 3 };

/* Has a disk lost something of the bucket, or a directory gone back? Then what is there may be less
 * than callers were told. */
bool escrow_is_lost(const struct world *world, const char *bucket);
#endif
