/* The file that says which cluster this is: its id, and the key of hashes that nodes compare. */
#ifndef NEAP_TRUST_CLUSTER_H
#define NEAP_TRUST_CLUSTER_H
#include "base/hash.h"
#include "neap.h"

/* What `neap init` makes. Where there is no TLS, whoever can read it is of the cluster. */
struct cluster {
    uint64_t id;
    struct hash_key key; /* of hashes that nodes compare */
};

/* Lines `cluster = 16 hex digits` and `key = 64 (or 32) hex digits`; `#` begins a comment. REFUSED
 * when others than its owner may read it; NOTFOUND, INVALID: *error says what. */
int cluster_read(const char *path, struct cluster *ret_cluster, struct neap_error *error);
/* The same from text; `path` is for messages. */
int cluster_parse(const char *text, const char *path, struct cluster *ret_cluster,
                  struct neap_error *error);
#endif
