/* The other direction: text of others into mbedTLS's objects, and what they say. */
#include <inttypes.h>
#include <mbedtls/base64.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/sha256.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "trust/certificate.h"
#include "trust/issue_mbed.h"
#include "trust/secret.h"

static bool number_is_room(int number)
{
    return number == MBEDTLS_ERR_ASN1_BUF_TOO_SMALL ||
           number == MBEDTLS_ERR_BASE64_BUFFER_TOO_SMALL;
}

int mbed_fail(struct neap_error *error, int number, const char *what)
{
    char text[160] = "";

    if (certificate_error(number, NEAP_INVALID) == NEAP_NOMEM)
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    if (number_is_room(number))
        return error_set(error, NEAP_LIMIT, "%s: too many or too long names of buckets", what);
    mbedtls_strerror(number, text, sizeof text);
    return error_set(error, NEAP_INVALID, "%s: %s", what, text);
}

/* ---- text ---- */

/* mbedTLS wants a zero behind it. */
static int text_copy(struct slice pem, struct buffer *ret_text, struct neap_error *error)
{
    if (pem.size >= ISSUE_PEM_MAX)
        return error_set(error, NEAP_LIMIT, "more than %d bytes of PEM", ISSUE_PEM_MAX);
    buffer_init(ret_text, ISSUE_PEM_MAX);
    if (buffer_reserve(ret_text, pem.size + 1) || buffer_append(ret_text, pem) ||
        buffer_append_u8(ret_text, 0)) {
        secret_done(ret_text);
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    }
    return 0;
}

int mbed_certificate(struct slice pem, mbedtls_x509_crt *ret_certificate, struct neap_error *error)
{
    struct buffer text;
    int code = text_copy(pem, &text, error), number;

    if (code)
        return code;
    mbedtls_x509_crt_init(ret_certificate);
    number = mbedtls_x509_crt_parse(ret_certificate, text.data, text.size);
    buffer_done(&text);
    if (number < 0)
        code = mbed_fail(error, number, "not a certificate");
    else if (number || ret_certificate->next)
        code = error_set(error, NEAP_INVALID, "not one certificate, and nothing else");
    if (code)
        mbedtls_x509_crt_free(ret_certificate);
    return code;
}

int mbed_key(struct slice pem, mbedtls_pk_context *ret_key, struct neap_error *error)
{
    struct buffer text;
    int code = text_copy(pem, &text, error), number;

    if (code)
        return code;
    mbedtls_pk_init(ret_key);
    number = mbedtls_pk_parse_key(ret_key, text.data, text.size, NULL, 0);
    secret_done(&text);
    if (number)
        code = mbed_fail(error, number, "not a private key");
    else if (!certificate_key_is_ours(ret_key))
        code = error_set(error, NEAP_INVALID, "the key is not ECDSA on P-256");
    if (code)
        mbedtls_pk_free(ret_key);
    return code;
}

static int request_verify(mbedtls_x509_csr *request, struct neap_error *error)
{
    uint8_t hash[32];

    if (!certificate_key_is_ours(&request->pk))
        return error_set(error, NEAP_INVALID, "the request's key is not ECDSA on P-256");
    if (request->sig_md != MBEDTLS_MD_SHA256 ||
        mbedtls_sha256_ret(request->cri.p, request->cri.len, hash, 0) ||
        mbedtls_pk_verify(&request->pk, MBEDTLS_MD_SHA256, hash, sizeof hash, request->sig.p,
                          request->sig.len))
        return error_set(error, NEAP_INVALID, "the request is not signed by its own key");
    return 0;
}

int mbed_request(struct slice pem, mbedtls_x509_csr *ret_request, struct neap_error *error)
{
    struct buffer text;
    int code = text_copy(pem, &text, error), number;

    if (code)
        return code;
    mbedtls_x509_csr_init(ret_request);
    number = mbedtls_x509_csr_parse(ret_request, text.data, text.size);
    buffer_done(&text);
    code = number ? mbed_fail(error, number, "not a request for a certificate")
                  : request_verify(ret_request, error);
    if (code)
        mbedtls_x509_csr_free(ret_request);
    return code;
}

int issue_der(struct slice pem, struct buffer *ret_der, struct neap_error *error)
{
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    uint8_t bytes[512];
    int code, size;

    buffer_init(ret_der, ISSUE_PEM_MAX);
    code = mbed_certificate(pem, &certificate, error);
    if (!code) {
        code = buffer_set(ret_der, slice_of(certificate.raw.p, certificate.raw.len));
        mbedtls_x509_crt_free(&certificate);
        return code ? error_set(error, code, "%s", error_text(code)) : 0;
    }
    if (code != NEAP_INVALID)
        return code;
    code = mbed_key(pem, &key, error);
    if (code)
        return code;
    /* It is written to the end of the place. */
    size = mbedtls_pk_write_key_der(&key, bytes, sizeof bytes);
    mbedtls_pk_free(&key);
    if (size < 0)
        return mbed_fail(error, size, "cannot write the key");
    code = buffer_set(ret_der, slice_of(bytes + sizeof bytes - (size_t)size, (size_t)size));
    secret_wipe(bytes, sizeof bytes);
    return code ? error_set(error, code, "%s", error_text(code)) : 0;
}

/* ---- what it says ---- */

static int issued_take(const mbedtls_x509_crt *from, struct issued *issued,
                       struct neap_error *error)
{
    int code = from->ca_istrue ? 0 : certificate_principal(from, &issued->principal);
    size_t room = sizeof issued->serial / 2 - 1;
    size_t serial = from->serial.len < room ? from->serial.len : room;

    issued->authority = from->ca_istrue;
    issued->span = (struct issue_span){certificate_time_ms(&from->valid_from) / 1000,
                                       certificate_time_ms(&from->valid_to) / 1000};
    hex_write(slice_of(from->serial.p, serial), issued->serial);
    certificate_fingerprint(from, issued->fingerprint);
    if (code)
        return error_set(error, code, "the certificate does not say who it is for, as neap does");
    return 0;
}

int issue_read(struct slice pem, struct issued *ret_issued, struct neap_error *error)
{
    struct issued issued = {0};
    mbedtls_x509_crt from;
    int code = mbed_certificate(pem, &from, error);

    if (code)
        return code;
    code = issued_take(&from, &issued, error);
    mbedtls_x509_crt_free(&from);
    if (code)
        issued_done(&issued);
    else
        *ret_issued = issued;
    return code;
}

void issued_done(struct issued *issued)
{
    principal_done(&issued->principal);
}

int issue_request_print(struct slice pem, uint8_t ret_print[FINGERPRINT_SIZE],
                        struct neap_error *error)
{
    mbedtls_x509_csr request;
    uint8_t der[256];
    int code = mbed_request(pem, &request, error), size;

    if (code)
        return code;
    size = mbedtls_pk_write_pubkey_der(&request.pk, der, sizeof der);
    mbedtls_x509_csr_free(&request);
    if (size < 0)
        return mbed_fail(error, size, "the request's key");
    if (mbedtls_sha256_ret(der + sizeof der - (size_t)size, (size_t)size, ret_print, 0))
        return error_set(error, NEAP_INVALID, "the request has no fingerprint");
    return 0;
}

/* mbedTLS's reasons, a line each, as one. */
static int check_fail(uint32_t flags, struct neap_error *error)
{
    char text[200] = "";

    (void)mbedtls_x509_crt_verify_info(text, sizeof text, " ", flags);
    for (char *at = text; *at; at++)
        if (*at == '\n')
            *at = at[1] ? ';' : 0;
    return error_set(error, NEAP_REFUSED, "the certificate is not believed:%s", text);
}

static int pair_check(mbedtls_x509_crt *certificate, struct slice key_pem, struct neap_error *error)
{
    mbedtls_pk_context key;
    int code = mbed_key(key_pem, &key, error);

    if (code)
        return code;
    if (mbedtls_pk_check_pair(&certificate->pk, &key))
        code = error_set(error, NEAP_REFUSED, "the key is not that of the certificate");
    mbedtls_pk_free(&key);
    return code;
}

int issue_pair(struct slice certificate_pem, struct slice key_pem, struct neap_error *error)
{
    mbedtls_x509_crt certificate;
    int code = mbed_certificate(certificate_pem, &certificate, error);

    if (code)
        return code;
    code = pair_check(&certificate, key_pem, error);
    mbedtls_x509_crt_free(&certificate);
    return code;
}

int issue_check(struct slice authority_pem, struct slice certificate_pem, struct slice key_pem,
                struct neap_error *error)
{
    mbedtls_x509_crt authority, certificate;
    uint32_t flags = 0;
    int code = mbed_certificate(authority_pem, &authority, error);

    if (code)
        return code;
    code = mbed_certificate(certificate_pem, &certificate, error);
    if (!code) {
        if (mbedtls_x509_crt_verify_with_profile(&certificate, &authority, NULL,
                                                 &certificate_profile, NULL, &flags, NULL, NULL))
            code = check_fail(flags, error);
        if (!code && key_pem.size)
            code = pair_check(&certificate, key_pem, error);
        mbedtls_x509_crt_free(&certificate);
    }
    mbedtls_x509_crt_free(&authority);
    return code;
}
