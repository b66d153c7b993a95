#include "trust/credentials_parts.h"

#include <mbedtls/version.h>

#include "base/alloc.h"
#include "base/error.h"
#include "trust/secret.h"

static int fail(struct neap_error *error, int code, const char *what, const char *why)
{
    if (code == NEAP_NOMEM)
        why = error_text(code);
    return error_set(error, code, "%.150s: %s", what, why);
}

static int ca_read(struct credentials *credentials, const struct credentials_parts *parts,
                   const char *what, struct neap_error *error)
{
    mbedtls_x509_crt *ca = &credentials->ca;
    int code;

    if (!parts->ca.size) {
        memcpy(credentials->ca_fingerprint, parts->ca_fingerprint, FINGERPRINT_SIZE);
        return 0;
    }
    code = certificate_parse(parts->ca, ca);
    if (code) {
        mbedtls_x509_crt_init(ca);
        return fail(error, code, what, "its CA (" CREDENTIALS_CA ") is not a certificate in PEM");
    }
    credentials->has_ca = true;
    if (ca->next || !ca->ca_istrue)
        return fail(error, NEAP_INVALID, what,
                    "its CA (" CREDENTIALS_CA ") is not the one certificate of a CA");
    certificate_fingerprint(ca, credentials->ca_fingerprint);
    return 0;
}

/* mbedTLS keeps multiples of the curve's base with a key when it first uses it, without a lock:
 * that must be over before threads share the key. The CA's is used by own_check(). */
static int key_warm(mbedtls_pk_context *key)
{
    uint8_t hash[32] = {0}, signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t size;

    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof hash, signature, &size,
                           certificate_random, NULL);
}

static int own_read(struct credentials *credentials, const struct credentials_parts *parts,
                    const char *what, struct neap_error *error)
{
    int code = certificate_parse(parts->certificate, &credentials->chain);

    if (code) {
        mbedtls_x509_crt_init(&credentials->chain);
        return fail(error, code, what, CREDENTIALS_CERTIFICATE " is not a certificate in PEM");
    }
    code = certificate_key_parse(parts->key, &credentials->key);
    if (code) {
        mbedtls_pk_init(&credentials->key);
        return fail(error, code, what, CREDENTIALS_KEY " is not a key for P-256 in PEM");
    }
    if (mbedtls_pk_check_pair(&credentials->chain.pk, &credentials->key))
        return fail(error, NEAP_INVALID, what,
                    CREDENTIALS_KEY " is not the key of " CREDENTIALS_CERTIFICATE);
    if (key_warm(&credentials->key))
        return fail(error, NEAP_NOMEM, what, "");
    code = certificate_principal(&credentials->chain, &credentials->principal);
    if (code)
        return fail(error, code, what,
                    CREDENTIALS_CERTIFICATE " does not say who it is for, as neap writes it");
    if (parts->cluster && parts->cluster->id != credentials->principal.cluster)
        return fail(error, NEAP_INVALID, what,
                    CREDENTIALS_CERTIFICATE
                    " is of another cluster than the file " CREDENTIALS_CLUSTER);
    return 0;
}

/* Time is not looked at: it is for others to say that it is over. */
static int own_check(struct credentials *credentials, const char *what, struct neap_error *error)
{
    uint32_t flags = 0, late = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
    int rv;

    if (!credentials->has_ca)
        return 0;
    rv = mbedtls_x509_crt_verify_with_profile(&credentials->chain, &credentials->ca, NULL,
                                              &certificate_profile, NULL, &flags, NULL, NULL);
    if (rv && rv != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        return fail(error, certificate_error(rv, NEAP_INVALID), what,
                    CREDENTIALS_CERTIFICATE " cannot be checked");
    if (flags & ~late)
        return fail(error, NEAP_INVALID, what,
                    CREDENTIALS_CERTIFICATE " is not signed by " CREDENTIALS_CA);
    if (credentials->chain.next == NULL) {
        rv = mbedtls_x509_crt_parse_der(&credentials->chain, credentials->ca.raw.p,
                                        credentials->ca.raw.len);
        if (rv)
            return fail(error, certificate_error(rv, NEAP_INVALID), what,
                        "its CA cannot be copied");
    }
    return 0;
}

int credentials_make(const struct credentials_parts *parts, const char *what,
                     struct credentials **ret_credentials, struct neap_error *error)
{
    struct credentials *credentials = mem_new(sizeof *credentials);
    int code;

    if (!credentials)
        return fail(error, NEAP_NOMEM, what, "");
    must(parts->ca.size || parts->ca_fingerprint);
    atomic_init(&credentials->held, 1);
    mbedtls_x509_crt_init(&credentials->ca);
    mbedtls_x509_crt_init(&credentials->chain);
    mbedtls_pk_init(&credentials->key);
    code = ca_read(credentials, parts, what, error);
    if (!code)
        code = own_read(credentials, parts, what, error);
    if (!code)
        code = own_check(credentials, what, error);
    if (code) {
        credentials_close(credentials);
        return code;
    }
    credentials->cluster.id = credentials->principal.cluster;
    credentials->has_cluster = parts->cluster != NULL;
    if (parts->cluster)
        credentials->cluster = *parts->cluster;
    *ret_credentials = credentials;
    return 0;
}

/* ---- from a directory ---- */

/* Who only uses a cluster needs no key of its hashes: the file may be missing for clients, which
 * shows when the certificate is read. */
static int cluster_file(const char *directory, struct cluster *ret_cluster, bool *ret_has,
                        struct neap_error *error)
{
    char *path = secret_path(directory, CREDENTIALS_CLUSTER);
    int code;

    if (!path)
        return fail(error, NEAP_NOMEM, directory, "");
    code = cluster_read(path, ret_cluster, error);
    *ret_has = code == 0;
    mem_free(path);
    return code;
}

static bool may_lack_cluster(const struct credentials *credentials)
{
    return credentials->principal.kind == PRINCIPAL_CLIENT ||
           credentials->principal.kind == PRINCIPAL_JOIN;
}

int credentials_open(const char *directory, struct credentials **ret_credentials,
                     struct neap_error *error)
{
    struct buffer ca = {0}, certificate = {0}, key = {0};
    struct credentials *credentials = NULL;
    struct credentials_parts parts = {0};
    struct neap_error missing = {0};
    struct cluster cluster;
    bool has_cluster = false;
    int code = cluster_file(directory, &cluster, &has_cluster, &missing);

    if (code && code != NEAP_NOTFOUND)
        return error_set(error, code, "%s", missing.text);
    code = secret_file(directory, CREDENTIALS_CA, SECRET_PUBLIC, &ca, error);
    if (!code)
        code = secret_file(directory, CREDENTIALS_CERTIFICATE, SECRET_PUBLIC, &certificate, error);
    if (!code)
        code = secret_file(directory, CREDENTIALS_KEY, SECRET_KEY, &key, error);
    if (!code) {
        parts = (struct credentials_parts){.ca = buffer_slice(&ca),
                                           .certificate = buffer_slice(&certificate),
                                           .key = buffer_slice(&key),
                                           .cluster = has_cluster ? &cluster : NULL};
        code = credentials_make(&parts, directory, &credentials, error);
    }
    if (!code && !has_cluster && !may_lack_cluster(credentials))
        code = error_set(error, NEAP_NOTFOUND, "%s", missing.text);
    if (!code) {
        credentials->directory = mem_text(directory);
        code = credentials->directory ? 0 : fail(error, NEAP_NOMEM, directory, "");
    }
    secret_done(&key);
    secret_wipe(&cluster, sizeof cluster);
    buffer_done(&certificate);
    buffer_done(&ca);
    if (code)
        credentials_close(credentials);
    else
        *ret_credentials = credentials;
    return code;
}

int credentials_reload(const struct credentials *credentials, struct credentials **ret_credentials,
                       struct neap_error *error)
{
    struct credentials *again = NULL;
    int code;

    must(credentials->directory);
    code = credentials_open(credentials->directory, &again, error);
    if (!code && !principal_equal(&again->principal, &credentials->principal))
        code = fail(error, NEAP_REFUSED, credentials->directory,
                    "it is somebody else's now: a running node stays who it is");
    if (code)
        credentials_close(again);
    else
        *ret_credentials = again;
    return code;
}

/* ---- while they are held ---- */

struct credentials *credentials_hold(struct credentials *credentials)
{
    atomic_fetch_add(&credentials->held, 1);
    return credentials;
}

void credentials_close(struct credentials *credentials)
{
    if (!credentials || atomic_fetch_sub(&credentials->held, 1) > 1)
        return;
    mbedtls_x509_crt_free(&credentials->ca);
    mbedtls_x509_crt_free(&credentials->chain);
    mbedtls_pk_free(&credentials->key); /* which wipes it */
    principal_done(&credentials->principal);
    mem_free(credentials->directory);
    secret_wipe(credentials, sizeof *credentials);
    mem_free(credentials);
}

const struct principal *credentials_principal(const struct credentials *credentials)
{
    return &credentials->principal;
}

const struct cluster *credentials_cluster(const struct credentials *credentials)
{
    return &credentials->cluster;
}

bool credentials_has_cluster(const struct credentials *credentials)
{
    return credentials->has_cluster;
}

const char *credentials_directory(const struct credentials *credentials)
{
    return credentials->directory;
}

void credentials_validity(const struct credentials *credentials, uint64_t *ret_from_ms,
                          uint64_t *ret_until_ms)
{
    *ret_from_ms = certificate_time_ms(&credentials->chain.valid_from);
    *ret_until_ms = certificate_time_ms(&credentials->chain.valid_to);
}
