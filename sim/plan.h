/* A plan: everything that is done to a world, decided before it begins. A step draws what it needs
 * from a chance of its own, so that leaving out others changes it as little as possible: that is
 * what lets a failing history shrink. */
#ifndef NEAP_SIM_PLAN_H
#define NEAP_SIM_PLAN_H
#include "sim/fault.h"
#include "sim/workload.h"

enum { EVENTS_MAX = 1000000 };
#define PLAN_NONE "none" /* as a list of steps */

/* What the user said. */
struct settings {
    uint64_t seed;
    size_t nodes;    /* 0: the seed decides */
    uint32_t events; /* steps: operations and faults */
    uint64_t faults; /* faults_parse() */
    const struct workload *workload;
    const char *only; /* "3,17-20": no other steps; PLAN_NONE; NULL: all */
    bool trace;
    bool mixed; /* processes speak this version and the next, whatever the seed says */
    bool ring;  /* the bucket of quorums is on one, whose layouts change */
};

struct step {
    uint32_t number;                /* 1 is the first */
    uint64_t gap_ms;                /* since the step before it in the plan */
    const struct fault_kind *fault; /* NULL: a call */
    uint64_t seed;
};

struct plan {
    struct world_options world;
    uint64_t faults; /* those that this seed has: a part of the settings' (swarm testing, Groce et
                      * al., ISSTA 2012) */
    struct step *steps;
    size_t count;
};

void plan_make(struct plan *ret_plan, const struct settings *settings);
void plan_done(struct plan *plan);
/* Keeps step i when kept[i]; the gaps of the others are added to what follows. */
void plan_keep(struct plan *plan, const bool *kept);
/* The same by number. False: a bad list, or a step that there isn't; the plan stays whole. */
bool plan_only(struct plan *plan, const char *only);
/* The numbers of its steps as such a list. */
void plan_numbers(const struct plan *plan, struct buffer *ret_text);
/* The faults that it has steps of. The same seed with only these allowed makes the same plan, at
 * the steps that it has. */
uint64_t plan_used(const struct plan *plan);
#endif
