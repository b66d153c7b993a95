/* Which nodes hold a shard and have a say in quorums of it, this one among them; and how many of
 * them are known to have what a context names. All nodes hold a mesh bucket. A device holds what it
 * may read, but has no say: nobody asks it, and what it has does not count for others. */
#ifndef NEAP_GOSSIP_HOLDERS_H
#define NEAP_GOSSIP_HOLDERS_H
#include "gossip/gossip.h"
#include "gossip/place.h"

struct holders {
    unsigned members; /* with a say, whether they can be reached or not */
    bool self;        /* this node is one of them */
    unsigned others;  /* that are known to have it, durably: each node once */
    unsigned away;    /* of the rest of the others: can't be reached now */
};
/* NULL: of nothing, which all others lack. */
void gossip_holders(const struct gossip *gossip, uint64_t shard, const struct context *context,
                    struct holders *ret_holders);
/* Of the nodes of a group alone, which hold it by the layout of a ring. */
void gossip_holders_in(const struct gossip *gossip, const struct group *group, uint64_t shard,
                       const struct context *context, struct holders *ret_holders);
/* Of nothing of a bucket that need not be here yet. */
void gossip_holders_of(const struct gossip *gossip, const char *bucket,
                       struct holders *ret_holders);
/* What the certificate of such a peer makes it. */
bool gossip_votes(const struct gossip *gossip, size_t peer);
#endif
