/* Credentials of nodes, for targets of TLS: made once a process. */
#ifndef NEAP_FUZZ_TRUST_H
#define NEAP_FUZZ_TRUST_H
#include "trust/credentials.h"
#include "trust/issue.h"
#include "trust/secret.h"

enum { FUZZ_CLUSTER = 5 };

/* All that are made in a process are of one CA. */
static inline struct credentials *credentials_new(uint64_t id, uint64_t now_s)
{
    static struct buffer ca_key, ca;
    struct principal node = {.kind = PRINCIPAL_NODE, .cluster = FUZZ_CLUSTER, .id = id};
    struct buffer key, request, certificate;
    struct credentials *credentials = NULL;
    struct credentials_parts parts = {0};

    if (!ca.size)
        must(!issue_key(&ca_key, NULL) &&
             !issue_authority(buffer_slice(&ca_key), FUZZ_CLUSTER,
                              issue_span(PRINCIPAL_NONE, now_s, 0), &ca, NULL));
    must(!issue_key(&key, NULL) && !issue_request(buffer_slice(&key), &request, NULL));
    must(!issue_sign(&(struct issuer){buffer_slice(&ca), buffer_slice(&ca_key)},
                     buffer_slice(&request), &node, issue_span(PRINCIPAL_NODE, now_s, 0),
                     ISSUE_BOTH, &certificate, NULL));
    parts.ca = buffer_slice(&ca);
    parts.certificate = buffer_slice(&certificate);
    parts.key = buffer_slice(&key);
    must(!credentials_make(&parts, "fuzz", &credentials, NULL));
    secret_done(&key);
    buffer_done(&request);
    buffer_done(&certificate);
    return credentials;
}
#endif
