/* A backend as a client with a certificate may use it: each request is checked against his rights
 * before anything is done. Operators' requests are for the Unix socket, and for nodes. */
#ifndef NEAP_ENGINE_GRANTED_H
#define NEAP_ENGINE_GRANTED_H
#include "engine/backend.h"
#include "trust/principal.h"

struct granted {
    struct backend backend;
    struct backend *inner;
    const struct principal *principal;
    uint64_t refused; /* requests */
};

/* Borrows both. */
void granted_init(struct granted *granted, struct backend *inner,
                  const struct principal *principal);
#endif
