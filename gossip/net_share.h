/* How many links and clients a node lets in, so that descriptors are left for its disk, for the
 * members that it dials, and for those who are about to show who they are. Pure: no system. */
#ifndef NEAP_GOSSIP_NET_SHARE_H
#define NEAP_GOSSIP_NET_SHARE_H
#include "base/bytes.h"
#include "neap.h"

enum {
    NET_FILES_KEPT = 32,   /* that neither clients nor strangers get */
    NET_FILES_OTHERS = 64, /* of the program, of threads and pipes, and those kept */
    NET_LINKS_MIN = 64,    /* accepted from other nodes */
    NET_CLIENTS_MIN = 16   /* a node that can't let in so many is not opened */
};

struct net_needs {
    bool listens, serves; /* nodes may connect; clients may */
    bool has_tls;         /* handshakes come before links */
    size_t peers;         /* that are dialled */
    unsigned disk;        /* descriptors */
    unsigned links_max;   /* of each listener, when there is room for them */
};

struct net_share {
    unsigned links_max, clients_max;
};

/* REFUSED: `limit`, the limit of open files, is too low; *error says what to do. */
int net_share(const struct net_needs *needs, uint64_t limit, struct net_share *ret_share,
              struct neap_error *error);
#endif
