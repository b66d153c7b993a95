/* What somebody shows to others, and believes of them: his certificate with its key, and the CA of
 * his cluster. From the cluster directory (docs/decisions/0080):
 *   cluster    id, and the key of hashes; clients have none
 *   ca.pem     the certificate of the CA
 *   node.pem   his own certificate, whatever he is
 *   node.key   its key, mode 0600
 * Never changed once made, so any thread may read them; counted, so that connections that began
 * with them go on when others have taken their place. */
#ifndef NEAP_TRUST_CREDENTIALS_H
#define NEAP_TRUST_CREDENTIALS_H
#include "trust/cluster.h"
#include "trust/principal.h"

#define CREDENTIALS_CLUSTER "cluster"
#define CREDENTIALS_CA "ca.pem"
#define CREDENTIALS_CERTIFICATE "node.pem"
#define CREDENTIALS_KEY "node.key"
#define CREDENTIALS_CA_KEY "ca.key"

struct credentials;

/* Keys that others may read are REFUSED; NOTFOUND, INVALID (also: the parts do not belong
 * together), NOMEM, IO: *error says what, and what to do. A certificate whose time is over, or has
 * yet to come, is fine here: whoever is shown it refuses it. */
int credentials_open(const char *directory, struct credentials **ret_credentials,
                     struct neap_error *error);
/* The same directory again: what its files are now. REFUSED when they are of somebody else. */
int credentials_reload(const struct credentials *credentials, struct credentials **ret_credentials,
                       struct neap_error *error);

/* From memory: PEM, each with a zero byte behind it that is not counted. */
struct credentials_parts {
    struct slice certificate, key;
    struct slice ca;               /* or, when it is empty: */
    const uint8_t *ca_fingerprint; /* SHA-256 of its DER, for who has only that (a token) */
    const struct cluster *cluster; /* NULL: none */
};
/* `what` begins messages. */
int credentials_make(const struct credentials_parts *parts, const char *what,
                     struct credentials **ret_credentials, struct neap_error *error);

struct credentials *credentials_hold(struct credentials *credentials); /* one close more is due */
void credentials_close(struct credentials *credentials); /* NULL is fine; the last one wipes keys */

/* Valid as long as they are held. */
const struct principal *credentials_principal(const struct credentials *credentials);
/* Zeroed but for the id when there was no such file. */
const struct cluster *credentials_cluster(const struct credentials *credentials);
bool credentials_has_cluster(const struct credentials *credentials);
const char *credentials_directory(const struct credentials *credentials); /* NULL: from memory */
/* When the own certificate begins and ends to be valid, by wall clocks. */
void credentials_validity(const struct credentials *credentials, uint64_t *ret_from_ms,
                          uint64_t *ret_until_ms);
#endif
