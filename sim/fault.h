/* Faults: a table of what can go wrong. A fault strikes at a step of the plan and draws all it
 * needs from that step's own chance; what lasts ends by itself, or when the world is healed. */
#ifndef NEAP_SIM_FAULT_H
#define NEAP_SIM_FAULT_H
#include "sim/world.h"

enum fault_group {
    FAULTS_NET,
    FAULTS_NODE,
    FAULTS_DISK,
    FAULTS_CLOCK,
    FAULTS_LIFE,
    FAULTS_MEMORY,
    FAULTS_TRUST
};

struct faults;

struct fault_kind {
    const char *name, *about; /* about: one line, for --faults help and the man page */
    enum fault_group group;
    bool apart; /* not in "all": it asks for more than neap promises */
    void (*strike)(struct faults *faults, struct rng *rng);
};

/* Names or groups ("net", "node", "disk", "clock", "life", "memory", "trust"), "all", "none", with
 * commas;
 * "-name" takes one away. False: ret_why says which word is unknown. Bit i: kind i. */
bool faults_parse(const char *list, uint64_t *ret_set, char *ret_why, size_t size);
size_t faults_count(void); /* of kinds: 64 at most */
const struct fault_kind *faults_at(size_t index);
const char *fault_group_name(enum fault_group group);

struct faults *faults_new(struct world *world);
void faults_free(struct faults *faults);
/* Everything works again, and goes on working: cuts go, nodes start, rotten disks are replaced. */
void faults_heal(struct faults *faults);
#endif
