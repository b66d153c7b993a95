/* The asking side of a join, apart from the link. */
#ifndef NEAP_ENGINE_API_JOIN_H
#define NEAP_ENGINE_API_JOIN_H
#include "engine/request.h"
#include "trust/issue.h"

/* Asks whoever is at the other end for a certificate over the key in that directory, and puts what
 * he answers there. `fingerprint`: of the CA that is believed; NULL: the one in the directory.
 * UNCERTAIN: the answer was lost; it may be repeated. */
int join_ask(struct transport *transport, const char *directory,
             const uint8_t fingerprint[FINGERPRINT_SIZE], uint32_t timeout_ms,
             struct issued *ret_issued, struct neap_error *error);
/* Asks the node at that address for a new certificate for whose directory this is, with a link over
 * which the present one is shown. As neap_certificate_renew(). */
int join_renew(const char *address, const char *directory, uint32_t timeout_ms,
               struct issued *ret_issued, struct neap_error *error);
#endif
