#include "sim/find.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

bool differs(struct why why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why.text, why.size, format, arguments);
    va_end(arguments);
    return false;
}

struct scan *scan_of(struct sim_node *node, enum disk_family family)
{
    static const struct slice whole;
    struct view view = {.disk = node->disk};
    struct scan *scan;
    must(view_scan(&view, family, whole, whole, &scan) == 0);
    return scan;
}

bool is_alone(const struct sim_node *node, const struct shard *shard)
{
    const struct world *world = node->world;
    for (size_t i = 0; i < world->nodes_count && shard->name[0] == '@'; i++) {
        if (i != node->index && store_wants(&world->nodes[i].wheel.engine.store, shard->name))
            return false;
    }
    return shard->name[0] == '@';
}
