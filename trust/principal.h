/* Who somebody is in a cluster and what he may do, as his certificate says it: URIs among the
 * subject's alternative names. The first names him:
 *   neap://CLUSTER/node/ID     a member: holds every bucket, may do everything
 *   neap://CLUSTER/device/ID   replicates the buckets it is given, writes only as itself
 *   neap://CLUSTER/client/ID   uses the client protocol on the buckets it is given
 *   neap://CLUSTER/join/ID     may ask once for a certificate (a token)
 * and each further one gives a right: neap://CLUSTER/read/BUCKET, neap://CLUSTER/write/BUCKET
 * (which includes reading). CLUSTER and ID are 16 hex digits, small ones, and not 0; BUCKET is
 * percent-encoded in one way only (small letters, digits, "-._~" and large letters stand for
 * themselves), "*" is all. What is not given is denied. Nodes need no rights and have none written.
 */
#ifndef NEAP_TRUST_PRINCIPAL_H
#define NEAP_TRUST_PRINCIPAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* SHA-256 of a certificate, or of a public key. */
enum { FINGERPRINT_SIZE = 32, FINGERPRINT_TEXT_MAX = 2 * FINGERPRINT_SIZE + 1 };
void fingerprint_text(const uint8_t print[FINGERPRINT_SIZE], char ret_text[FINGERPRINT_TEXT_MAX]);

enum principal_kind {
    PRINCIPAL_NONE,
    PRINCIPAL_NODE,
    PRINCIPAL_DEVICE,
    PRINCIPAL_CLIENT,
    PRINCIPAL_JOIN
};
enum { PRINCIPAL_RIGHTS_MAX = 64, PRINCIPAL_URI_MAX = 800 };

enum { RIGHT_READ = 1, RIGHT_WRITE = 2 };

struct principal_right {
    char *bucket; /* owned; "*": all */
    unsigned may; /* RIGHT_... */
};

struct principal {
    enum principal_kind kind; /* NONE: nobody looked; a link without TLS */
    uint64_t cluster, id;
    struct principal_right *rights; /* owned */
    size_t rights_count;            /* <= PRINCIPAL_RIGHTS_MAX */
};

/* One URI more of a certificate. The first names, the others give. INVALID: not of this form, of
 * another cluster than the first, a second name, a right of a node; LIMIT; NOMEM: unchanged. */
int principal_add(struct principal *principal, struct slice uri);
/* The same by a bucket's name, or "*". INVALID: no name that a URI can have, a right of a node, or
 * no name came before; LIMIT; NOMEM: unchanged. */
int principal_give(struct principal *principal, const char *bucket, unsigned may);
/* The inverse: URI number `index`, NUL-terminated; false past the last. */
bool principal_uri(const struct principal *principal, size_t index,
                   char ret_text[PRINCIPAL_URI_MAX]);
/* RIGHT_... for this bucket: all for nodes, and for NONE (who is admitted without TLS is local);
 * nothing for a token, whatever it lists: those are for the certificate that is asked for. */
unsigned principal_may(const struct principal *principal, const char *bucket);
/* KIND/ID, as principal_text() writes it; neither cluster nor rights. INVALID. */
int principal_named(struct slice text, struct principal *ret_principal);
int principal_copy(const struct principal *from, struct principal *ret_to); /* NOMEM */
void principal_done(struct principal *principal);
bool principal_equal(const struct principal *a, const struct principal *b); /* the same name */
/* "node/00c0ffee00c0ffee", for people and for the list of the revoked; "nobody" for NONE. */
enum { PRINCIPAL_TEXT_MAX = 32 };
const char *principal_text(const struct principal *principal, char ret_text[PRINCIPAL_TEXT_MAX]);
#endif
