/* Who has rights of a bounded counter, as this node sees it: what only the wheel knows, and what
 * the cell says. */
#ifndef NEAP_ENGINE_RIGHTS_H
#define NEAP_ENGINE_RIGHTS_H
#include "engine/backend.h"
#include "store/shard.h"

struct engine;
struct disk;

struct rights_asked {
    uint64_t mine, ids[FORMERS_MAX];
    size_t ids_count;
    bool spends;
};

/* On the wheel's thread. */
void rights_ask(const struct engine *engine, const char *shard_name,
                struct rights_asked *ret_asked);
/* As read_cell(), and rights_write() instead of the cell. */
int rights_read_cell(struct disk *disk, const struct rights_asked *asked, struct read *read,
                     struct buffer *ret_rights);
#endif
