#include "gossip/net_share.h"

#include "base/error.h"
#include "gossip/net_guard.h"

/* To a peer go two links, and while one is made anew there may be two more. */
enum { LINKS_PER_PEER = 4 };

static uint64_t needs_fixed(const struct net_needs *needs)
{
    return needs->disk + (needs->has_tls ? (uint64_t)GUARD_HANDSHAKES_MAX : 0) +
           (uint64_t)needs->peers * LINKS_PER_PEER + NET_FILES_OTHERS;
}

static unsigned smaller(uint64_t a, uint64_t b)
{
    return (unsigned)(a < b ? a : b);
}

/* What there is goes half to nodes and half to clients; what one of them has no use for is the
 * other's. */
int net_share(const struct net_needs *needs, uint64_t limit, struct net_share *ret_share,
              struct neap_error *error)
{
    uint64_t fixed = needs_fixed(needs), left = limit > fixed ? limit - fixed : 0;
    uint64_t links = needs->listens ? needs->links_max : 0;
    uint64_t clients = needs->serves ? needs->links_max : 0;
    unsigned links_least = smaller(NET_LINKS_MIN, links);
    uint64_t least = links_least + smaller(NET_CLIENTS_MIN, clients);
    struct net_share share;

    if (left < least)
        return error_set(error, NEAP_REFUSED,
                         "open: this process may have %llu files open, and a node with these "
                         "options needs %llu at least, %llu to be at its best: raise the limit "
                         "(ulimit -n, LimitNOFILE= of systemd)",
                         (unsigned long long)limit, (unsigned long long)(fixed + least),
                         (unsigned long long)(fixed + links + clients));
    share.links_max = smaller(links, left / 2);
    if (share.links_max < links_least)
        share.links_max = links_least;
    share.clients_max = smaller(clients, left - share.links_max);
    share.links_max = smaller(links, left - share.clients_max);
    *ret_share = share;
    return 0;
}
