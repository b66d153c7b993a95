/* Faults of disks. */
#include "base/error.h"
#include "sim/faults.h"

static void strike_write(struct faults *faults, struct rng *rng)
{
    static const char *const words[] = {"none of it is there", "it may go with the power",
                                        "all of it is there"};
    struct sim_node *node = node_draw(faults, rng);
    uint64_t after = rng_below(rng, 20);
    enum disk_failure failure = (enum disk_failure)rng_below(rng, 3);
    world_note(faults->world, "%s: a write will fail, %s", node->name, words[failure]);
    disk_fail_write(&node->door, after, failure);
}

static void heal(struct faults *faults)
{
    for (size_t i = 0; i < faults->world->nodes_count; i++)
        disk_mend(&faults->world->nodes[i].door);
}

static const struct fault_kind kinds[] = {
    {"write", "the disk fails a write or a sync", FAULTS_DISK, false, strike_write},
};

const struct fault_group_file faults_of_disk = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
