/* Long work as operators see it (gossip/task.h): names, JSON, orders. On the wheel's thread. */
#ifndef NEAP_ENGINE_TASK_H
#define NEAP_ENGINE_TASK_H
#include <jansson.h>

#include "engine/engine.h"

/* What an operator calls a task: "repair:shop", "ask:3", "scrub" (the round over all buckets),
 * "backup". It names what is under way, or paused, of that kind; the next of its kind has the same
 * name. */
enum { TASK_ID_MAX = 300 };
struct task_id {
    enum task_kind kind;
    uint64_t shard, number;
};
int task_id_read(const char *text, struct task_id *ret_id); /* INVALID */
void task_id_write(const struct task *task, char ret_text[TASK_ID_MAX]);

/* All, and `more`, which the engine does not know of (NULL: none). NULL: no memory. */
json_t *tasks_json(const struct engine *engine, struct now now, const struct task *more);
/* Of any but BACKUP. NOTFOUND, REFUSED, NOMEM. */
int task_order(struct engine *engine, struct now now, const struct task_id *id,
               enum task_order order);
/* Of the shard; 0: a round over all of them. NOTFOUND, BUSY, NOMEM; REFUSED: this node has none. */
int task_scrub(struct engine *engine, uint64_t shard);
/* {"orders": [{bucket, peer, order, text, task}...]}. NOTFOUND: no such bucket; INVALID: no such
 * peer; NOMEM; REFUSED: this node is alone. */
int task_repair(struct engine *engine, const struct repair_wish *wish, json_t **ret_json);
#endif
