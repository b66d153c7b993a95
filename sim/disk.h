/* The disk as a node's wheel sees it. Behind it is a memory disk, which is what there is; this one
 * tells the checkers, and does what it was ordered to: fails, is full, rots, loses its end. It has
 * the life of its node: a directory that is replaced takes its own damage along. */
#ifndef NEAP_SIM_DISK_H
#define NEAP_SIM_DISK_H
#include <stddef.h>

#include "store/disk.h"

struct sim_node;

/* A commit that fails: nothing of it is there; it is there, but may go with the power, or may stay;
 * it is there and durable, and only the answer is wrong. A sync that fails is LATER as well. */
enum disk_failure { DISK_NOTHING, DISK_LATER, DISK_EVERYTHING };

/* What power takes when it fails in the middle of a write. TAIL: some end of what is not synced,
 * which the next start finds torn and drops, as it may. MIDDLE: damage has commits behind it, so
 * that start is a suspect one (docs/decisions, store/disk.h). SYNCED: so is the damage to what was
 * synced since disk_tear(): acknowledged writes are gone. */
enum disk_damage { DISK_WHOLE, DISK_TAIL, DISK_MIDDLE, DISK_SYNCED };

/* A count of calls that go well, and of those after it that don't. */
struct disk_order {
    bool active;
    uint64_t after, count;
    uint64_t until_ms; /* beside `count`: all until then */
    int code;
};

/* The value of a key no longer passes its checksum, or is gone without a word. */
struct disk_rot {
    enum disk_family family;
    bool lost; /* is gone: while it is not there */
    size_t size;
    size_t healed; /* by the commit of this number since the last sync; 0: it is rotten */
    uint8_t *key;
};

enum { DISK_ROT_MAX = 16 };

struct sim_disk {
    struct disk disk; /* first: what the wheel gets */
    struct sim_node *node;
    struct neap_error error;
    bool broken;   /* a write failed: no more of them until it is reopened */
    bool suspect;  /* the next start is: until disk_trust() */
    bool met_rot;  /* since it was reopened */
    bool damaged;  /* what it met of it is known, and salvaged at the next opening */
    unsigned hurt; /* codes that it gave since hurt was cleared: 1 << -code */
    struct disk_order write, sync, read, full;
    enum disk_failure write_failure;
    struct disk_rot rot[DISK_ROT_MAX];
    size_t rot_count;
    uint64_t slow_ms, slow_until_ms; /* every sync takes as long, until then */
    uint64_t free_at_ms;             /* the sync that runs ends */
    enum disk_damage damage;
    bool torn;              /* and the power has failed */
    unsigned tear_after;    /* effects of turns until the power fails */
    struct disk *tear_back; /* SYNCED: what is left */
    uint64_t tear_mark;     /* what the history had come to by then */
    uint64_t done;          /* faults that did something, so that one that doesn't is noticed */
};

void sim_disk_init(struct sim_disk *disk, struct sim_node *node);
void sim_disk_done(struct sim_disk *disk);

/* ---- orders ---- */

/* After so many good commits, one fails with IO; after it nothing is written until reopening. */
void disk_fail_write(struct sim_disk *disk, uint64_t after, enum disk_failure failure);
void disk_fail_sync(struct sim_disk *disk, uint64_t after);
/* Gets and steps of scans fail: `count` of them, or all until a time. */
void disk_fail_read(struct sim_disk *disk, uint64_t after, uint64_t count, uint64_t until_ms,
                    int code);
/* There is room for `after` more commits, and for few after each opening; none at an opening
 * sometimes. */
void disk_fill(struct sim_disk *disk, uint64_t after, uint64_t until_ms);
/* The value at `at` of so many in that family, as synced and not written since. CORRUPT for
 * whoever reads it, until it is written over. False: there is none, or it can't be. */
bool disk_rot_at(struct sim_disk *disk, enum disk_family family, uint64_t at);
size_t disk_rot_candidates(struct sim_disk *disk, enum disk_family family);
size_t disk_rotten(const struct sim_disk *disk); /* values, now */
bool disk_rots(const struct sim_disk *disk, enum disk_family family);
/* This cell, which is synced, is gone, and no checksum tells. False: it can't be. Until it is
 * written again it is lost. */
bool disk_lose(struct sim_disk *disk, struct slice key);
/* The loss has spread to here: what this node has of the cell came from one that lost it, and it
 * was written by nobody since (a limit of rule 7). False: there is no room to remember that. */
bool disk_lose_too(struct sim_disk *disk, struct slice key);
/* The first lost cell whose key begins so, that must come back; NULL: there is none. */
const struct disk_rot *disk_find_lost(const struct sim_disk *disk, struct slice prefix);
/* Was this one lost, and is it not there, be it that it need not come back? */
bool disk_lacks(const struct sim_disk *disk, struct slice key);
void disk_slow(struct sim_disk *disk, uint64_t sync_ms, uint64_t until_ms);
/* Power fails after so many effects of turns, when there is something to tear. `mark`: of the
 * history, now. */
void disk_tear(struct sim_disk *disk, enum disk_damage damage, unsigned after, uint64_t mark);
/* It does no wrong from now on. What is rotten stays so. */
void disk_mend(struct sim_disk *disk);

/* ---- for node.c ---- */

/* Before each effect of a turn: does the power fail here? */
bool disk_loses_power(struct sim_disk *disk);
/* Power has failed: what is left. The node is down. */
void disk_crash(struct sim_disk *disk);
/* A process is about to begin. An error: it can't for now (IO: no room). */
int disk_reopen(struct sim_disk *disk);
/* Another directory: without damage. */
void disk_replaced(struct sim_disk *disk);
/* Has the disk itself given this error since hurt was cleared? */
bool disk_gave(const struct sim_disk *disk, int code);
#endif
