/* A client whose way to its node is a function call: the whole protocol, and no net. */
#ifndef NEAP_TEST_LOOPBACK_H
#define NEAP_TEST_LOOPBACK_H
#include "engine/request.h"

struct loopback {
    struct transport transport;
    struct backend *backend; /* the server's; borrowed */
    int fails;              /* a code that every call gives, without reaching the server */
    unsigned loses;         /* so many requests arrive, and their replies are lost: UNCERTAIN */
    struct buffer *replies; /* given instead of asking the server, when not NULL */
};

void loopback_init(struct loopback *loopback, struct backend *backend);
/* A handle on it. */
int loopback_open(struct loopback *loopback, struct neap **ret_neap, struct neap_error *error);
#endif
