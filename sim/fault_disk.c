/* Faults of disks. */
#include "base/error.h"
#include "sim/faults.h"

static void strike_write(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (!node->up)
        return;
    node->disk_fails = true;
    disk_mem_fault(node->disk, rng_below(rng, 2) ? DISK_FAULT_COMMIT : DISK_FAULT_SYNC,
                   (unsigned)rng_below(rng, 20), 1, NEAP_IO);
}

static void heal(struct faults *faults)
{
    for (size_t i = 0; i < faults->world->nodes_count; i++) {
        struct sim_node *node = &faults->world->nodes[i];
        if (node->disk_fails)
            sim_crash(faults->world, i);
        disk_mem_fault(node->disk, DISK_FAULT_COMMIT, 0, 0, 0);
        disk_mem_fault(node->disk, DISK_FAULT_SYNC, 0, 0, 0);
        node->disk_fails = false;
    }
}

static const struct fault_kind kinds[] = {
    {"write", "the disk fails a write or a sync", FAULTS_DISK, false, strike_write},
};

const struct fault_group_file faults_of_disk = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
