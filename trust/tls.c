#include "trust/tls.h"

#include <mbedtls/oid.h>
#include <mbedtls/ssl.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "trust/credentials_parts.h"

/* Room for the largest record and a flight of the handshake: who writes stops before it is full, so
 * that mbedTLS never has to be called again with the same bytes. */
enum { OUTPUT_MAX = 128 << 10, OUTPUT_FULL = 64 << 10 };

static const int ciphers[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 0};
static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE};

struct tls {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt nobody; /* the CA that is believed by those who only know a fingerprint */
    struct credentials *credentials;
    bool server, up;
    uint64_t wall_ms;
    bool (*is_revoked)(void *arg, const struct principal *principal);
    void *is_revoked_arg;
    struct slice input;
    struct buffer output;
    struct principal claimed; /* by the certificate, not believed before `up` */
    enum tls_fault fault;
};

static const char *const fault_names[TLS_FAULT_COUNT] = {[TLS_OK] = "ok",
#define X(name, text) [TLS_##name] = #name,
                                                         TLS_FAULTS(X)
#undef X
};

static const char *const fault_texts[TLS_FAULT_COUNT] = {[TLS_OK] = "",
#define X(name, text) [TLS_##name] = text,
                                                         TLS_FAULTS(X)
#undef X
};

/* ---- the other side's certificate ---- */

static bool usage_is_right(const struct tls *tls, const mbedtls_x509_crt *certificate)
{
    const char *end = tls->server ? MBEDTLS_OID_CLIENT_AUTH : MBEDTLS_OID_SERVER_AUTH;
    size_t size = tls->server ? MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)
                              : MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
    int needed = MBEDTLS_X509_EXT_KEY_USAGE | MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE;

    if (BROKEN("any-usage"))
        return true;
    return (certificate->ext_types & needed) == needed && !certificate->ca_istrue &&
           !mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) &&
           !mbedtls_x509_crt_check_extended_key_usage(certificate, end, size);
}

/* Whom one may find where one dialled: nobody else may pose as a node to those who trust nodes. */
static bool kind_is_right(const struct tls *tls)
{
    enum principal_kind own = tls->credentials->principal.kind;

    if (tls->server || tls->claimed.kind == PRINCIPAL_NODE)
        return true;
    return tls->claimed.kind == PRINCIPAL_DEVICE &&
           (own == PRINCIPAL_NODE || own == PRINCIPAL_DEVICE);
}

/* The one that is shown. What is said of it is what helps most: of several things that are wrong
 * the first in this order. */
static enum tls_fault leaf_fault(struct tls *tls, const mbedtls_x509_crt *certificate,
                                 enum tls_fault chain)
{
    int error = certificate_principal(certificate, &tls->claimed);

    if (error == NEAP_NOMEM)
        return TLS_no_memory;
    if (!error && tls->claimed.cluster != tls->credentials->principal.cluster &&
        !BROKEN("any-cluster"))
        return TLS_other_cluster;
    if (chain)
        return chain;
    if (error)
        return TLS_no_name;
    if (!usage_is_right(tls, certificate) || !kind_is_right(tls))
        return TLS_wrong_usage;
    if (tls->is_revoked && tls->is_revoked(tls->is_revoked_arg, &tls->claimed))
        return TLS_revoked;
    return TLS_OK;
}

static bool is_pinned(const struct tls *tls, const mbedtls_x509_crt *certificate)
{
    uint8_t fingerprint[FINGERPRINT_SIZE];

    if (tls->credentials->has_ca || !certificate->ca_istrue)
        return false;
    certificate_fingerprint(certificate, fingerprint);
    return memcmp(fingerprint, tls->credentials->ca_fingerprint, sizeof fingerprint) == 0;
}

static enum tls_fault chain_fault(const struct tls *tls, const mbedtls_x509_crt *certificate,
                                  int depth, uint32_t flags)
{
    uint32_t late = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;

    flags &= ~late; /* by the clock of the process, which is not the one to ask */
    if (depth > 0 && flags == MBEDTLS_X509_BADCERT_NOT_TRUSTED && is_pinned(tls, certificate))
        flags = 0;
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return TLS_unknown_ca;
    if (flags)
        return TLS_bad_certificate;
    /* Both are included. */
    if (BROKEN("any-time"))
        return TLS_OK;
    if (tls->wall_ms >= certificate_time_ms(&certificate->valid_to) + 1000)
        return TLS_expired;
    if (tls->wall_ms < certificate_time_ms(&certificate->valid_from))
        return TLS_not_yet_valid;
    return TLS_OK;
}

/* What the other side is told, as alerts of TLS say it. */
static uint32_t fault_flags(enum tls_fault fault)
{
    switch (fault) {
    case TLS_OK:
        return 0;
    case TLS_unknown_ca:
        return MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    case TLS_expired:
        return MBEDTLS_X509_BADCERT_EXPIRED;
    case TLS_revoked:
        return MBEDTLS_X509_BADCERT_REVOKED;
    case TLS_wrong_usage:
        return MBEDTLS_X509_BADCERT_KEY_USAGE;
    case TLS_other_cluster:
        return MBEDTLS_X509_BADCERT_OTHER;
    case TLS_no_certificate:
    case TLS_not_yet_valid:
    case TLS_no_name:
    case TLS_bad_certificate:
    case TLS_refused:
    case TLS_not_tls:
    case TLS_no_cipher:
    case TLS_no_key:
    case TLS_broken:
    case TLS_no_memory:
    case TLS_FAULT_COUNT:
        break;
    }
    return MBEDTLS_X509_BADCERT_CN_MISMATCH;
}

/* Called from the top of the chain down to the certificate that is shown. */
int tls_verify(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct tls *tls = arg;

    if (!tls->fault)
        tls->fault = chain_fault(tls, certificate, depth, *flags);
    if (depth == 0)
        tls->fault = leaf_fault(tls, certificate, tls->fault);
    *flags = fault_flags(tls->fault);
    return 0;
}

/* ---- the wire ---- */

static int wire_receive(void *arg, unsigned char *ret_bytes, size_t size)
{
    struct tls *tls = arg;

    if (tls->input.size == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    if (size > tls->input.size)
        size = tls->input.size;
    memcpy(ret_bytes, tls->input.data, size);
    tls->input = slice_of(tls->input.data + size, tls->input.size - size);
    return (int)size;
}

static int wire_send(void *arg, const unsigned char *bytes, size_t size)
{
    struct tls *tls = arg;

    return buffer_append(&tls->output, slice_of(bytes, size)) ? MBEDTLS_ERR_SSL_ALLOC_FAILED
                                                              : (int)size;
}

void tls_input(struct tls *tls, struct slice bytes)
{
    tls->input = bytes;
}

size_t tls_input_left(const struct tls *tls)
{
    return tls->input.size;
}

void tls_output(struct tls *tls, struct buffer *ret_bytes)
{
    *ret_bytes = tls->output;
    buffer_init(&tls->output, OUTPUT_MAX);
}

bool tls_has_output(const struct tls *tls)
{
    return tls->output.size > 0;
}

/* ---- from the beginning to the end ---- */

static int configure(struct tls *tls)
{
    struct credentials *credentials = tls->credentials;
    mbedtls_ssl_config *config = &tls->config;
    int rv = mbedtls_ssl_config_defaults(
        config, tls->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_SUITEB);

    if (rv)
        return rv;
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(config, ciphers);
    mbedtls_ssl_conf_curves(config, curves);
    mbedtls_ssl_conf_sig_hashes(config, hashes);
    mbedtls_ssl_conf_cert_profile(config, &certificate_profile);
    mbedtls_ssl_conf_rng(config, certificate_random, NULL);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_verify(config, tls_verify, tls);
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_legacy_renegotiation(config, MBEDTLS_SSL_LEGACY_BREAK_HANDSHAKE);
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_ca_chain(config, credentials->has_ca ? &credentials->ca : &tls->nobody, NULL);
    if (credentials->chain.raw.p)
        rv = mbedtls_ssl_conf_own_cert(config, &credentials->chain, &credentials->key);
    if (!rv)
        rv = mbedtls_ssl_setup(&tls->ssl, config);
    return rv;
}

int tls_new(const struct tls_options *options, struct tls **ret_tls)
{
    struct tls *tls = mem_new(sizeof *tls);

    if (!tls)
        return NEAP_NOMEM;
    tls->credentials = credentials_hold(options->credentials);
    tls->server = options->server;
    tls->wall_ms = options->wall_ms;
    tls->is_revoked = options->is_revoked;
    tls->is_revoked_arg = options->is_revoked_arg;
    buffer_init(&tls->output, OUTPUT_MAX);
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_config_init(&tls->config);
    mbedtls_x509_crt_init(&tls->nobody);
    if (configure(tls)) {
        tls_free(tls);
        return NEAP_NOMEM;
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, wire_send, wire_receive, NULL);
    *ret_tls = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_x509_crt_free(&tls->nobody);
    credentials_close(tls->credentials);
    principal_done(&tls->claimed);
    buffer_done(&tls->output);
    mem_free(tls);
}

/* ---- what went wrong ---- */

static enum tls_fault alert_fault(unsigned alert)
{
    switch (alert) {
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
    case MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY:
        return TLS_no_cipher;
    case MBEDTLS_SSL_ALERT_MSG_NO_CERT:
    case MBEDTLS_SSL_ALERT_MSG_BAD_CERT:
    case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT:
    case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED:
    case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED:
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN:
    case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA:
    case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED:
        return TLS_refused;
    default:
        return TLS_broken;
    }
}

static enum tls_fault error_fault(const struct tls *tls, int rv)
{
    switch (rv) {
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return TLS_no_certificate;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return alert_fault(tls->ssl.in_msg[1]);
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
    case MBEDTLS_ERR_SSL_NO_USABLE_CIPHERSUITE:
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
        return TLS_no_cipher;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO:
        return TLS_not_tls;
    case MBEDTLS_ERR_ECP_VERIFY_FAILED:
    case MBEDTLS_ERR_ECP_SIG_LEN_MISMATCH:
        return TLS_no_key;
    case MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE:
        return TLS_bad_certificate;
    default:
        break;
    }
    if (certificate_error(rv, NEAP_INVALID) == NEAP_NOMEM)
        return TLS_no_memory;
    /* Nothing that it sent could be read: something else is spoken there. */
    if (tls->ssl.state <= MBEDTLS_SSL_SERVER_HELLO)
        return TLS_not_tls;
    return TLS_broken;
}

enum tls_progress tls_run(struct tls *tls)
{
    int rv;

    if (tls->up)
        return TLS_IS_UP;
    if (tls->fault)
        return TLS_FAILED;
    rv = mbedtls_ssl_handshake(&tls->ssl);
    if (rv == 0 && !tls->fault) {
        tls->up = true;
        return TLS_IS_UP;
    }
    if (rv == MBEDTLS_ERR_SSL_WANT_READ || rv == MBEDTLS_ERR_SSL_WANT_WRITE)
        return TLS_GOES_ON;
    if (!tls->fault)
        tls->fault = error_fault(tls, rv);
    /* Of this alone mbedTLS does not tell the other side. */
    if (rv == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
        (void)mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                             MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return TLS_FAILED;
}

static int fail(struct tls *tls, int rv)
{
    if (rv == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return NEAP_UNAVAILABLE;
    tls->fault = error_fault(tls, rv);
    return tls->fault == TLS_no_memory ? NEAP_NOMEM : NEAP_INVALID;
}

int tls_read(struct tls *tls, uint8_t *ret_bytes, size_t size, size_t *ret_count)
{
    int rv = mbedtls_ssl_read(&tls->ssl, ret_bytes, size);

    must(tls->up);
    if (rv == 0)
        return NEAP_UNAVAILABLE;
    if (rv < 0 && rv != MBEDTLS_ERR_SSL_WANT_READ && rv != MBEDTLS_ERR_SSL_WANT_WRITE)
        return fail(tls, rv);
    *ret_count = rv > 0 ? (size_t)rv : 0;
    return 0;
}

int tls_write(struct tls *tls, struct slice bytes, size_t *ret_count)
{
    size_t count = 0;

    must(tls->up);
    while (count < bytes.size && tls->output.size < OUTPUT_FULL) {
        int rv = mbedtls_ssl_write(&tls->ssl, bytes.data + count, bytes.size - count);

        if (rv < 0)
            return fail(tls, rv);
        count += (size_t)rv;
    }
    *ret_count = count;
    return 0;
}

enum tls_fault tls_fault(const struct tls *tls)
{
    return tls->fault;
}

const char *tls_fault_name(enum tls_fault fault)
{
    return fault_names[fault];
}

const char *tls_reason(const struct tls *tls, char ret_text[TLS_REASON_MAX])
{
    char who[PRINCIPAL_TEXT_MAX];

    if (tls->claimed.kind == PRINCIPAL_NONE)
        snprintf(ret_text, TLS_REASON_MAX, "%s", fault_texts[tls->fault]);
    else
        snprintf(ret_text, TLS_REASON_MAX, "%s: %s", principal_text(&tls->claimed, who),
                 fault_texts[tls->fault]);
    return ret_text;
}

const struct principal *tls_principal(const struct tls *tls)
{
    static const struct principal nobody = {0};

    return tls->up || BROKEN("any-peer") ? &tls->claimed : &nobody;
}
