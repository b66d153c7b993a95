/* Faults of clocks. The monotonic one only begins anew, with the machine. */
#include "sim/faults.h"

static const struct {
    const char *name;
    uint64_t ms;
} units[] = {{"seconds", 1000},
             {"minutes", 60000},
             {"hours", 3600000},
             {"days", 86400000},
             {"years", UINT64_C(31536000000)}};

/* Whoever keeps it sets it right. */
static void clocks_mend(void *arg)
{
    struct faults *faults = arg;
    for (size_t i = 0; i < faults->world->nodes_count; i++) {
        if (!faults->clock_until_ms[i] || faults->world->now_ms < faults->clock_until_ms[i])
            continue;
        faults->clock_until_ms[i] = 0;
        sim_set_clock(&faults->world->nodes[i], 0, 0);
    }
}

static void mend_later(struct faults *faults, const struct sim_node *node, uint64_t lasts_ms)
{
    faults->clock_until_ms[node->index] = faults->world->now_ms + lasts_ms;
    world_after(faults->world, lasts_ms,
                (struct thing){.kind = THING_CALL, .call = clocks_mend, .arg = faults});
}

static void strike_jump(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    size_t unit = (size_t)rng_below(rng, sizeof units / sizeof *units);
    int64_t much = 1 + (int64_t)rng_below(rng, 60);
    bool back = rng_chance(rng, 50);
    uint64_t lasts_ms = lasting_draw(rng, 400);
    world_note(faults->world, "jump: %s's clock jumps %s by %lld %s for %llu ms", node->name,
               back ? "back" : "ahead", (long long)much, units[unit].name,
               (unsigned long long)lasts_ms);
    much *= (int64_t)units[unit].ms;
    sim_set_clock(node, sim_skew(node) + (back ? -much : much), node->drift);
    mend_later(faults, node, lasts_ms);
}

static void strike_frozen(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    uint64_t lasts_ms = lasting_draw(rng, 400);
    world_note(faults->world, "frozen: %s's clock stands still for %llu ms", node->name,
               (unsigned long long)lasts_ms);
    sim_set_clock(node, sim_skew(node), -1000);
    mend_later(faults, node, lasts_ms);
}

static void strike_drift(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    int drift = 1 << rng_below(rng, 10);
    bool back = rng_chance(rng, 50);
    uint64_t lasts_ms = lasting_draw(rng, 400);
    world_note(faults->world, "drift: %s's clock is %d permille too %s for %llu ms", node->name,
               drift, back ? "slow" : "fast", (unsigned long long)lasts_ms);
    sim_set_clock(node, sim_skew(node), back ? -drift : drift);
    mend_later(faults, node, lasts_ms);
}

static void strike_reboot(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    if (!node)
        return;
    sim_stop(faults->world, node->index);
    node->off = true;
    uint64_t later = restart_later(faults->world, node->index, rng);
    world_note(faults->world, "reboot: %s, in %llu ms; its monotonic clock begins at 0", node->name,
               (unsigned long long)later);
}

static void heal(struct faults *faults)
{
    for (size_t i = 0; i < faults->world->nodes_count; i++) {
        sim_set_clock(&faults->world->nodes[i], 0, 0);
        faults->clock_until_ms[i] = 0;
    }
}

static const struct fault_kind kinds[] = {
    {"jump", "a wall clock jumps by seconds to years", FAULTS_CLOCK, false, strike_jump},
    {"frozen", "a wall clock stands still", FAULTS_CLOCK, false, strike_frozen},
    {"drift", "a wall clock is too fast or too slow", FAULTS_CLOCK, false, strike_drift},
    {"reboot", "a machine boots: its monotonic clock begins at 0", FAULTS_CLOCK, false,
     strike_reboot},
};

const struct fault_group_file faults_of_clock = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
