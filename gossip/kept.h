/* Who reads the changes of a shard from its log (engine/changes.h) has it kept for a while, up to
 * the bound of the log, as a member would; in memory alone (docs/decisions/0098). */
#ifndef NEAP_GOSSIP_KEPT_H
#define NEAP_GOSSIP_KEPT_H
#include "gossip/gossip.h"

enum { KEPT_LOGS_MAX = 64, KEPT_LOG_MS = 60000 };

/* Events after `context` are kept until that reader asks again, or does not for KEPT_LOG_MS.
 * Without room the one that asked longest ago goes. NOMEM: as it was. */
int gossip_keep(struct gossip *gossip, struct now now, uint64_t shard, uint64_t reader,
                const struct context *context);
/* How many readers the log of a shard is kept for. */
size_t gossip_kept(const struct gossip *gossip, uint64_t shard);
#endif
