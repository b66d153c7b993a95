/* Whose handshake is begun, and whose is not: strangers cost memory, descriptors and time before it
 * is known who they are, so there is a limit for all of them and one for each address. Pure: no
 * clock, no net. */
#ifndef NEAP_GOSSIP_NET_GUARD_H
#define NEAP_GOSSIP_NET_GUARD_H
#include "base/bytes.h"
#include "base/tokens.h"

enum {
    GUARD_HANDSHAKES_MAX = 64,       /* in flight */
    GUARD_SOURCE_HANDSHAKES_MAX = 8, /* of one address */
    GUARD_FAILURES_A_SECOND = 20,    /* of one address; so many at once, too */
    GUARD_SOURCES = 512              /* addresses that are remembered */
};

/* Where a connection comes from: an IPv4 address, or the network (64 bits) of an IPv6 one, whose
 * owner has all of it. */
struct guard_source {
    uint8_t bytes[16];
};

struct guard_entry {
    struct guard_source source;
    unsigned in_flight;
    uint64_t used_ms;
    struct tokens failures;
};

struct guard {
    struct guard_entry entries[GUARD_SOURCES];
    size_t count;
    unsigned in_flight;
};

enum guard_answer {
    GUARD_ADMITS,
    GUARD_IS_FULL,        /* of handshakes of all */
    GUARD_SOURCE_IS_FULL, /* of those of this address */
    GUARD_RATE            /* too many of this address failed lately */
};

/* ADMITS counts it as in flight: guard_end() is due. */
enum guard_answer guard_begin(struct guard *guard, const struct guard_source *source,
                              uint64_t now_ms);
/* A handshake is over; one that failed, or went nowhere, counts against its address. */
void guard_end(struct guard *guard, const struct guard_source *source, bool failed,
               uint64_t now_ms);
#endif
