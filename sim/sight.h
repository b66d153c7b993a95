/* What calls had seen of each other, as far as their contexts tell: makes the checkers of values
 * stronger than the order of calls and answers alone. */
#ifndef NEAP_SIM_SIGHT_H
#define NEAP_SIM_SIGHT_H
#include "sim/history.h"
#include "sim/workload.h"
#include "sim/world.h"

/* A call that was answered: its events in one bucket are among those after n_begun, up to n_ended,
 * of a replica id. */
struct sight_entry {
    uint64_t id, epoch, n_begun, n_ended, begun, ended;
    size_t segment; /* the first entry of the same id and process */
};

struct sight_track {
    struct sight_entry *entries;
    size_t count, room;
};

struct sights {
    struct sight_track tracks[NODES_MAX][WORKLOAD_BUCKETS];
    bool replaced[NODES_MAX]; /* names of its events may mean others now: nothing is said of it */
};

void sights_done(struct sights *sights);
size_t bucket_number(const char *bucket); /* "b3" */
/* Names of events that a call can make: keep the beginning until its end. */
void sights_begin(struct world *world, size_t node, const char *bucket,
                  struct sight_entry *ret_entry);
void sights_end(struct sights *sights, struct world *world, size_t node, const char *bucket,
                const struct sight_entry *begun, uint64_t moment_begun, uint64_t moment_ended);
/* Whoever has this context has seen... (`also`: NULL, or another that must have it too) */
void sights_until(const struct sights *sights, const char *bucket, const struct context *context,
                  const struct context *also, struct sight *sight);
/* ... and nobody who has no more than context and residues (NULL: none) can have seen... */
void sights_from(const struct sights *sights, struct world *world, const char *bucket,
                 const struct context *context, const struct shard *residues, struct sight *sight);
#endif
