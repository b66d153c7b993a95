#include "sim/losses.h"

#include "base/alloc.h"
#include "base/error.h"

enum { COMMITS = 64 };

static bool has_lost(const struct sim_node *node)
{
    for (size_t i = 0; i < node->door.rot_count; i++) {
        if (node->door.rot[i].lost)
            return true;
    }
    return false;
}

void *losses_begin(struct world *world)
{
    struct losses *losses = mem_new(sizeof *losses);
    (void)world;
    must(losses);
    return losses;
}

void losses_replaced(struct world *world, void *arg, size_t index)
{
    struct losses *losses = arg;
    (void)world;
    losses->lost[index] = losses->any; /* as it may have been when the image was made */
}

void losses_note(struct losses *losses, const struct sim_node *node)
{
    bool lost = has_lost(node);
    losses->lost[node->index] |= lost;
    losses->any |= lost;
}

bool losses_is_due(struct losses *losses, const struct sim_node *node, int error)
{
    return !error && node->up && ++losses->commits[node->index] % COMMITS == 0;
}

void losses_judge(struct losses *losses, struct sim_node *node, bool right, const char *checker,
                  const char *why)
{
    if (right)
        losses->lost[node->index] = has_lost(node);
    else if (!losses->lost[node->index])
        world_fail(node->world, "%s: %s", checker, why);
}
