/* What checkers say of what they find. */
#ifndef NEAP_SIM_FIND_H
#define NEAP_SIM_FIND_H
#include "sim/check.h"
#include "store/slot.h"

struct why {
    char *text;
    size_t size;
};

/* Always false: the finding is in why->text. */
bool differs(struct why why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* All of a family of what this node has, committed. */
struct scan *scan_of(struct sim_node *node, enum disk_family family);
/* Is it of a slot whose other owners are no more? The directories of that name were lost. */
bool is_alone(const struct sim_node *node, const struct shard *shard);
#endif
