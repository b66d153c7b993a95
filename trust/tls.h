/* One end of a TLS connection, without the connection: bytes of the wire go in and come out, so do
 * those of the application. No IO, no threads, no time but what it is told.
 *
 * TLS 1.2 by mbedTLS, and of it only ECDHE with ECDSA on P-256 and AEAD ciphers; no renegotiation,
 * no sessions that are resumed. Both sides always show a certificate, which is believed when it is
 * signed by the CA of the cluster, for now, for that side of a connection, and names somebody of
 * the cluster. Who dials wants a node, or, when he is a peer himself, a device. */
#ifndef NEAP_TRUST_TLS_H
#define NEAP_TRUST_TLS_H
#include "trust/credentials.h"

/* Why there is no connection: X(name, what people are told of the other side). */
#define TLS_FAULTS(X)                                                                             \
    X(no_certificate, "it showed no certificate")                                                 \
    X(unknown_ca, "its certificate is not signed by the CA of this cluster")                      \
    X(other_cluster, "its certificate is of another cluster")                                     \
    X(expired, "its certificate has expired")                                                     \
    X(not_yet_valid, "its certificate is not valid yet: are the clocks right?")                   \
    X(wrong_usage, "its certificate is not for this end of a link")                               \
    X(no_name, "its certificate does not say who it is for")                                      \
    X(revoked, "its certificate's owner is revoked")                                              \
    X(bad_certificate, "its certificate is not acceptable")                                       \
    X(refused, "it refuses this node's certificate")                                              \
    X(not_tls, "what it sent is not TLS")                                                         \
    X(no_cipher, "it does not speak TLS 1.2 with a cipher that is allowed")                       \
    X(no_key, "it does not have the key of the certificate that it showed, or this is an attack") \
    X(broken, "what it sent breaks the rules of TLS")                                             \
    X(no_memory, "out of memory")

enum tls_fault {
    TLS_OK,
#define X(name, text) TLS_##name,
    TLS_FAULTS(X)
#undef X
        TLS_FAULT_COUNT
};

struct tls;

struct tls_options {
    struct credentials *credentials; /* held until tls_free() */
    bool server;
    uint64_t wall_ms; /* now: certificates are valid at this time, or not */
    /* May be NULL: nobody is. Called by tls_run(). */
    bool (*is_revoked)(void *arg, const struct principal *principal);
    void *is_revoked_arg;
};

int tls_new(const struct tls_options *options, struct tls **ret_tls); /* NOMEM */
void tls_free(struct tls *tls);                                       /* NULL is fine */

/* What came from the wire; borrowed until tls_input_left() says that it is used up, or other input
 * is given, with what was left in front of it. */
void tls_input(struct tls *tls, struct slice bytes);
size_t tls_input_left(const struct tls *tls);

/* Goes on with the handshake as far as the input goes. */
enum tls_progress { TLS_GOES_ON, TLS_IS_UP, TLS_FAILED };
enum tls_progress tls_run(struct tls *tls);

/* Once it is up. Reading: so many bytes, 0 of them when more input is needed. UNAVAILABLE: the
 * other side has ended the connection; INVALID: broken, tls_fault(). */
int tls_read(struct tls *tls, uint8_t *ret_bytes, size_t size, size_t *ret_count);
/* Takes a part of the bytes, and all of them when there is room: 0 when the output has to be taken
 * first. NOMEM, INVALID: broken. */
int tls_write(struct tls *tls, struct slice bytes, size_t *ret_count);

/* What is to be sent: taken as a whole, with its memory; empty when there is nothing. Also after a
 * failure: the other side is told why. */
void tls_output(struct tls *tls, struct buffer *ret_bytes);
bool tls_has_output(const struct tls *tls);

enum tls_fault tls_fault(const struct tls *tls);
const char *tls_fault_name(enum tls_fault fault); /* "unknown_ca" */
/* For people: what is wrong with the other side, and who it claims to be when that is known. */
enum { TLS_REASON_MAX = 96 };
const char *tls_reason(const struct tls *tls, char ret_text[TLS_REASON_MAX]);
/* Whose certificate was shown; NONE until tls_run() said that it is up. */
const struct principal *tls_principal(const struct tls *tls);
#endif
