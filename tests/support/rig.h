/* A wheel on a memory disk under a clock that stands still, and a disk that counts and can wait. */
#ifndef NEAP_TEST_RIG_H
#define NEAP_TEST_RIG_H
#include <stdatomic.h>

#include "engine/wheel.h"
#include "tests/support/test.h"

/* A clock that shows what the test sets. */
struct rig_clock {
    struct clock clock;
    uint64_t now_ms, wall_ms, entropy;
};

void rig_clock_init(struct rig_clock *clock);

/* Hands on to another disk, and counts. */
struct spy_disk {
    struct disk disk;
    struct disk *inner;
    atomic_uint commits, syncs, scans; /* syncs: commits with sync, too */
    atomic_uint gets, writes, bytes;   /* of single keys; what commits write, with their keys */
    bool keep;                         /* closing it leaves the other one open */
    void (*before_commit)(void *arg);  /* NULL: nothing */
    void *arg;
};

void spy_disk_init(struct spy_disk *spy, struct disk *inner);

struct rig {
    struct rig_clock clock;
    struct disk *disk;
    struct directory_mark mark;
    struct wheel wheel;
};

/* Ends the test when memory is short. */
void rig_open(struct rig *rig);
int rig_try(struct rig *rig, struct disk *disk); /* the disk stays the caller's on error */
void rig_close(struct rig *rig);
/* As after power loss: the disk's unsynced part is lost, the wheel opened anew. */
void rig_crash(struct rig *rig);
/* One turn with one event; its code. */
int rig_turn(struct rig *rig, struct event *event);
int rig_write(struct rig *rig, struct write *write);
int rig_tick(struct rig *rig);
struct now rig_now(const struct rig *rig);
struct shard *rig_shard(struct rig *rig, const char *bucket); /* NULL: there is none */

/* Paths and ops on keys given as text; bytes live in a static buffer of the last few calls. */
struct slice rig_path(const char *key, enum neap_type type);
struct slice rig_field(const char *key, const char *field, enum neap_type type);
struct slice rig_element(const char *key, const char *element);
struct write_op rig_lww(const char *bucket, const char *key, const char *value);
struct write_op rig_add(const char *bucket, const char *key, int64_t number);
struct write_op rig_set_add(const char *bucket, const char *key, const char *element);

/* What a disk holds; NOTFOUND for nothing. */
int rig_counter(struct disk *disk, const char *bucket, const char *key, int64_t *ret_number);
int rig_lww_is(struct disk *disk, const char *bucket, const char *key, const char *value);
#endif
