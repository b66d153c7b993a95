/* neap_trust.h - who belongs to a cluster: making one, and letting others in.
 *
 * This header is the manual of that, as neap.h is of the rest; the commands `neap init`, `neap
 * token`, `neap join` and `neap cert` are these functions. docs/operations.md goes through them
 * step by step, docs/security.md says what they promise against whom.
 *
 * THE CLUSTER DIRECTORY
 *   Who somebody is stands in a certificate, signed by the CA of the cluster; nobody else is
 *   believed, and there is no password. A directory holds what one needs for that:
 *     cluster    the cluster's id, and a key for the sums that nodes compare; clients have none
 *     ca.pem     the certificate of the CA
 *     node.pem   the own certificate, whatever its bearer is
 *     node.key   its key
 *     ca.key     the CA's key: only where others are admitted
 *     tokens/    what the tokens give that were made here, and which of them were used
 *   options.cluster names it. Files with keys have mode 0600; with any other they are refused.
 *   Whoever can read node.key is that node; whoever can read ca.key is anybody.
 *
 * IDENTITIES
 *   NEAP_NODE     a member: holds all buckets, may do everything
 *   NEAP_DEVICE   replicates the buckets that it is given, and writes only as itself
 *   NEAP_CLIENT   uses a node's buckets that it is given, and stores none
 *   Each has an id of 64 bits, and the right to read, or to read and write, each of the buckets
 * that are named in its certificate; "*" names all. What is not given is denied. Nodes are given
 *   nothing, since they have everything.
 *   How long a certificate is valid: a node's and a client's a year, a device's 30 days, the CA's
 *   20 years. All begin 10 minutes early, for clocks that are behind. An open node renews its own
 *   when two thirds of that are over, at a peer that has ca.key (docs/operations.md).
 *
 * LETTING SOMEBODY IN
 *   With a link: neap_token_make() where ca.key is, and neap_join() at the new place, to a node
 *   whose cluster directory is that one. With files: neap_certificate_request() at the new place,
 *   neap_certificate_sign() where ca.key is, neap_certificate_take() at the new place again.
 *   A key never leaves the directory in which it was made.
 *
 * SECRETS
 *   A token, and the papers that a node or a device is given, are secret: whoever has them first is
 *   who they are for, or knows the cluster's key. Keep them in files of mode 0600, send them by
 * ways that others cannot read, and end their buffers with neap_secret_free().
 *
 * ALL FUNCTIONS
 *   Threads: any, but one at a time on one directory. They block for the disk, and where it says so
 *   for a node. Texts are borrowed for the call. ret_error may be NULL. What is written is durable
 *   when they return; a file is written whole or not at all. Nothing is printed.
 *   Errors of all of them, nothing happened unless it says otherwise:
 *     INVALID   an argument is NULL or empty that must not be; what is read is not what it should
 * be NOTFOUND  a directory or file is not there REFUSED   it is there already; keys that others may
 * read; no permission, no space LIMIT     too much: more buckets than a certificate carries (64, or
 * 6 KiB of names) FORMAT    made by a newer version IO        the disk NOMEM */
#ifndef NEAP_TRUST_H
#define NEAP_TRUST_H
#include "neap.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NEAP_API __attribute__((visibility("default"), warn_unused_result))
#define NEAP_VOID __attribute__((visibility("default")))
#else
#define NEAP_API
#define NEAP_VOID
#endif

enum neap_kind { NEAP_NODE = 1, NEAP_DEVICE = 2, NEAP_CLIENT = 3 };

/* Who somebody becomes. Zero it, set size and kind, set what else you need. */
struct neap_grant {
    size_t size; /* sizeof (struct neap_grant) */
    enum neap_kind kind;
    uint64_t id;             /* 0: a new one. Not 0: of somebody who lost his certificate, or of a
                              * data directory that is there */
    const char *const *read; /* names of buckets, or "*"; devices and clients */
    size_t read_count;
    const char *const *write; /* which may be read as well */
    size_t write_count;
    uint64_t valid_ms; /* of the certificate; 0: what is usual */
};

/* Makes a cluster: its id and key, its CA, and the certificate of its first node, in a directory
 * that is made when it is not there.
 * Errors: REFUSED: one of the files is there already; they stay as they are. */
NEAP_API int neap_cluster_make(const char *directory, struct neap_error *ret_error);

/* A token, one line of text without a newline: its bearer becomes what `grant` says, once, within
 * ttl_ms (0: 10 minutes). It is good at the node whose cluster directory this is. What is kept
 * of it is the file tokens/ID (the identity's id), until a week after its time.
 * Errors: REFUSED: there is no ca.key in that directory. */
NEAP_API int neap_token_make(const char *directory, const struct neap_grant *grant, uint64_t ttl_ms,
                             struct neap_buffer *ret_token, struct neap_error *ret_error);

/* The tokens that were made in that directory and are still remembered, as a JSON object: `tokens`,
 * an array of objects with `id` (16 hex digits), `identity` (who its bearer becomes), `rights` (as
 * in neap_certificate_show()), `until` (milliseconds since 1970), `state` ("open", "used",
 * "expired", "burnt": tried three times in vain), `failures` and, if used, `used_by` (SHA-256 of
 * the public key); and `damaged`, how many files could not be read. Nothing of it is secret. */
NEAP_API int neap_token_list(const char *directory, struct neap_buffer *ret_json,
                             struct neap_error *ret_error);

/* Takes a token back: from now on it admits nobody. Who was admitted already stays; for him there
 * is `neap revoke`. Errors: NOTFOUND: there is no such token. */
NEAP_API int neap_token_revoke(const char *directory, uint64_t id, struct neap_error *ret_error);

/* Asks the node at `address` (tls+tcp://HOST:PORT, where it listens for nodes) for what the token
 * gives, and writes the cluster directory. The node must show a certificate of the token's CA.
 * ret_json (NULL: not asked) gets what neap_certificate_show() says of the new certificate.
 * A token works once; but when the answer was lost, or could not be written, the same call with the
 * same directory may be repeated while the token is valid: the key that asks is in it.
 * Blocks for timeout_ms (0: 10 seconds).
 * Errors: INVALID: this is no token. REFUSED: the token was used, is over, was tried three times in
 * vain, was not made there; the directory is somebody's already. UNAVAILABLE: nobody answers there,
 * or not as who is believed. UNCERTAIN: the answer was lost: repeat it. */
NEAP_API int neap_join(struct neap_bytes token, const char *address, const char *directory,
                       uint32_t timeout_ms, struct neap_buffer *ret_json,
                       struct neap_error *ret_error);

/* A request (PEM, PKCS #10) for a certificate over the key in that directory; both are made when
 * they are not there. It is not secret, and says nothing but the key. */
NEAP_API int neap_certificate_request(const char *directory, struct neap_buffer *ret_request,
                                      struct neap_error *ret_error);

/* Signs a request: papers for whoever has its key, which he gives to neap_certificate_take(). Who
 * he is `grant` says alone. Secret, but for clients. Errors: INVALID: the request is none, or not
 * signed by its own key. REFUSED: no ca.key. */
NEAP_API int neap_certificate_sign(const char *directory, struct neap_bytes request,
                                   const struct neap_grant *grant, struct neap_buffer *ret_papers,
                                   struct neap_error *ret_error);

/* Puts papers into the directory whose request they answer. ret_json as in neap_join().
 * Errors: REFUSED: they are for another key, from another CA than before, or for somebody else. */
NEAP_API int neap_certificate_take(const char *directory, struct neap_bytes papers,
                                   struct neap_buffer *ret_json, struct neap_error *ret_error);

/* A new certificate for the same identity and the same key, in place of the one in the directory:
 * signed here when `address` is NULL, where ca.key is; else by the node there, to whom this link
 * shows the present one, which must still be valid. A running node reads it when it is told to
 * (the verb reload of neap_admin(); neapd: SIGHUP), or started.
 * Blocks and errors: as neap_join(). */
NEAP_API int neap_certificate_renew(const char *directory, const char *address, uint32_t timeout_ms,
                                    struct neap_buffer *ret_json, struct neap_error *ret_error);

/* neap_connect() with a certificate: to a node on any machine that listens for clients with TLS
 * (options.socket: tls+tcp://HOST:PORT), as whom this cluster directory is. What he was given he
 * may do there; anything else is REFUSED, what operators ask for too, unless he is a node. The
 * directory is read for this call alone. Threads: any; blocks up to 5 s.  Memory: as neap_open().
 * Errors, nothing happened: REFUSED      the node is not believed, or does not believe this
 * certificate: *ret_error says why UNAVAILABLE  nobody listens there, or does not answer as a node
 * would */
NEAP_API int neap_connect_trusted(const char *address, const char *directory,
                                  struct neap **ret_neap, struct neap_error *ret_error);

/* What a certificate (PEM) says, as a JSON object: `identity` ("device/00c0ffee00c0ffee", or "ca"),
 * `cluster`, `rights` (objects with `bucket` and `may`: "read" or "write"), `from` and `until`
 * (milliseconds since 1970), `serial`, `fingerprint` (SHA-256). Nothing of it is checked. */
NEAP_API int neap_certificate_show(struct neap_bytes certificate, struct neap_buffer *ret_json,
                                   struct neap_error *ret_error);

/* neap_buffer_free() of what is secret: zeroes over it first. NULL is fine. */
NEAP_VOID void neap_secret_free(struct neap_buffer *buffer);

#undef NEAP_API
#undef NEAP_VOID
#ifdef __cplusplus
}
#endif
#endif
