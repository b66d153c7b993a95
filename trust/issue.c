/* mbedTLS 2.28 writes certificates but no subject's alternative names: these are put together with
 * its ASN.1 writer, which goes from the end to the beginning. */
#include "trust/issue.h"

#include <inttypes.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "trust/certificate.h"
#include "trust/issue_mbed.h"
#include "trust/secret.h"

/* A handshake's message is at most 16 KiB and carries the certificate as DER. */
enum { CERTIFICATE_MAX = 8 << 10, NAMES_MAX = 6 << 10, SUBJECT_MAX = 64, SERIAL_SIZE = 16 };

static const char key_begin[] = "-----BEGIN EC PRIVATE KEY-----\n";
static const char key_end[] = "-----END EC PRIVATE KEY-----\n";

/* Text that mbedTLS has written, or is about to write: room for it, all at once, so that nothing
 * secret stays behind in memory that was too small. */
static int text_open(struct buffer *text, struct neap_error *error)
{
    buffer_init(text, ISSUE_PEM_MAX);
    if (buffer_reserve(text, ISSUE_PEM_MAX))
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    memset(text->data, 0, ISSUE_PEM_MAX);
    return 0;
}

/* 0 of mbedTLS: the text is the caller's; else it is gone. */
static int text_close(struct buffer *text, int number, const char *what, struct buffer *ret_text,
                      struct neap_error *error)
{
    if (number) {
        secret_done(text);
        return mbed_fail(error, number, what);
    }
    text->size = strlen((const char *)text->data);
    *ret_text = *text;
    return 0;
}

struct issue_span issue_span(enum principal_kind kind, uint64_t now_s, uint64_t seconds)
{
    static const uint64_t usual[] = {
        [PRINCIPAL_NONE] = ISSUE_AUTHORITY_S, [PRINCIPAL_NODE] = ISSUE_NODE_S,
        [PRINCIPAL_DEVICE] = ISSUE_DEVICE_S,  [PRINCIPAL_CLIENT] = ISSUE_CLIENT_S,
        [PRINCIPAL_JOIN] = ISSUE_JOIN_S,
    };

    return (struct issue_span){now_s > ISSUE_SKEW_S ? now_s - ISSUE_SKEW_S : 0,
                               now_s + (seconds ? seconds : usual[kind])};
}

uint64_t issue_id(void)
{
    uint8_t bytes[8];

    do
        certificate_random(NULL, bytes, sizeof bytes);
    while (!bytes_get_u64(bytes));
    return bytes_get_u64(bytes);
}

int issue_key(struct buffer *ret_key, struct neap_error *error)
{
    mbedtls_pk_context key;
    struct buffer text;
    int code = text_open(&text, error), number;

    if (code)
        return code;
    mbedtls_pk_init(&key);
    number = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (!number)
        number = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key),
                                     certificate_random, NULL);
    if (!number)
        number = mbedtls_pk_write_key_pem(&key, text.data, text.room);
    mbedtls_pk_free(&key);
    return text_close(&text, number, "cannot make a key", ret_key, error);
}

int issue_request(struct slice key_pem, struct buffer *ret_request, struct neap_error *error)
{
    mbedtls_x509write_csr request;
    mbedtls_pk_context key;
    struct buffer text;
    int code = mbed_key(key_pem, &key, error), number;

    if (code)
        return code;
    code = text_open(&text, error);
    if (code) {
        mbedtls_pk_free(&key);
        return code;
    }
    mbedtls_x509write_csr_init(&request);
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    mbedtls_x509write_csr_set_key(&request, &key);
    number = mbedtls_x509write_csr_set_subject_name(&request, "O=neap");
    if (!number)
        number =
            mbedtls_x509write_csr_pem(&request, text.data, text.room, certificate_random, NULL);
    mbedtls_x509write_csr_free(&request);
    mbedtls_pk_free(&key);
    return text_close(&text, number, "cannot make a request", ret_request, error);
}

/* ---- certificates ---- */

/* All that a certificate is made of; the parts are borrowed. */
struct making {
    mbedtls_pk_context *subject_key, *issuer_key;
    const char *subject, *issuer;
    const struct principal *principal; /* NULL: a CA */
    struct issue_span span;
    unsigned usage;
};

/* GeneralNames of all URIs, at the end of `bytes`. Where they begin, or a number of mbedTLS. */
static int names_write(const struct principal *principal, uint8_t *bytes)
{
    uint8_t *at = bytes + NAMES_MAX;
    char uri[PRINCIPAL_URI_MAX];
    size_t count = 0;
    int number, size;

    while (principal_uri(principal, count, uri))
        count++;
    while (count-- > 0) {
        (void)principal_uri(principal, count, uri);
        size = mbedtls_asn1_write_tagged_string(&at, bytes,
                                                MBEDTLS_ASN1_CONTEXT_SPECIFIC |
                                                    MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
                                                uri, strlen(uri));
        if (size < 0)
            return size;
    }
    number = size = (int)(bytes + NAMES_MAX - at);
    if (number >= 0)
        number = mbedtls_asn1_write_len(&at, bytes, (size_t)size);
    if (number >= 0)
        number =
            mbedtls_asn1_write_tag(&at, bytes, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
    return number < 0 ? number : (int)(at - bytes);
}

static int names_set(mbedtls_x509write_cert *certificate, const struct principal *principal)
{
    uint8_t *bytes = mem_new(NAMES_MAX);
    int at;

    if (!bytes)
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    at = names_write(principal, bytes);
    if (at >= 0)
        at = mbedtls_x509write_crt_set_extension(certificate, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                 MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                 bytes + at, (size_t)(NAMES_MAX - at));
    mem_free(bytes);
    return at;
}

static int usage_set(mbedtls_x509write_cert *certificate, unsigned usage)
{
    uint8_t bytes[64], *at = bytes + sizeof bytes;
    int size = 0;

    if (usage & ISSUE_CLIENT)
        size = mbedtls_asn1_write_oid(&at, bytes, MBEDTLS_OID_CLIENT_AUTH,
                                      MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
    if (size >= 0 && usage & ISSUE_SERVER)
        size = mbedtls_asn1_write_oid(&at, bytes, MBEDTLS_OID_SERVER_AUTH,
                                      MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH));
    if (size >= 0)
        size = mbedtls_asn1_write_len(&at, bytes, (size_t)(bytes + sizeof bytes - at));
    if (size >= 0)
        size = mbedtls_asn1_write_tag(&at, bytes, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
    if (size < 0)
        return size;
    return mbedtls_x509write_crt_set_extension(certificate, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 1,
                                               at, (size_t)(bytes + sizeof bytes - at));
}

/* What it may be used for, and by whom. */
static int extensions_set(mbedtls_x509write_cert *certificate, const struct making *making)
{
    bool authority = making->principal == NULL;
    int number =
        mbedtls_x509write_crt_set_basic_constraints(certificate, authority, authority ? 0 : -1);

    if (!number)
        number = mbedtls_x509write_crt_set_key_usage(certificate,
                                                     authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN
                                                               : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    if (!number)
        number = mbedtls_x509write_crt_set_subject_key_identifier(certificate);
    if (!number)
        number = mbedtls_x509write_crt_set_authority_key_identifier(certificate);
    if (!number && !authority)
        number = usage_set(certificate, making->usage);
    if (!number && !authority)
        number = names_set(certificate, making->principal);
    return number;
}

static int serial_set(mbedtls_x509write_cert *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    mbedtls_mpi serial;
    int number;

    certificate_random(NULL, bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40); /* a positive number, always as long */
    mbedtls_mpi_init(&serial);
    number = mbedtls_mpi_read_binary(&serial, bytes, sizeof bytes);
    if (!number)
        number = mbedtls_x509write_crt_set_serial(certificate, &serial);
    mbedtls_mpi_free(&serial);
    return number;
}

static int certificate_fill(mbedtls_x509write_cert *certificate, const struct making *making,
                            const char *from, const char *until)
{
    int number;

    mbedtls_x509write_crt_set_version(certificate, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(certificate, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(certificate, making->subject_key);
    mbedtls_x509write_crt_set_issuer_key(certificate, making->issuer_key);
    number = mbedtls_x509write_crt_set_subject_name(certificate, making->subject);
    if (!number)
        number = mbedtls_x509write_crt_set_issuer_name(certificate, making->issuer);
    if (!number)
        number = mbedtls_x509write_crt_set_validity(certificate, from, until);
    if (!number)
        number = serial_set(certificate);
    return number ? number : extensions_set(certificate, making);
}

static int certificate_make(const struct making *making, struct buffer *ret_certificate,
                            struct neap_error *error)
{
    char from[STAMP_MAX], until[STAMP_MAX];
    mbedtls_x509write_cert certificate;
    struct buffer text = {0};
    int code = certificate_stamp(making->span.from_s, from, error), number;

    if (!code)
        code = certificate_stamp(making->span.until_s, until, error);
    if (!code)
        code = text_open(&text, error);
    if (code)
        return code;
    mbedtls_x509write_crt_init(&certificate);
    number = certificate_fill(&certificate, making, from, until);
    if (!number)
        number = mbedtls_x509write_crt_pem(&certificate, text.data, CERTIFICATE_MAX,
                                           certificate_random, NULL);
    mbedtls_x509write_crt_free(&certificate);
    return text_close(&text, number, "cannot make a certificate", ret_certificate, error);
}

int issue_authority(struct slice key_pem, uint64_t cluster, struct issue_span span,
                    struct buffer *ret_certificate, struct neap_error *error)
{
    struct making making = {.span = span};
    mbedtls_pk_context key;
    char name[SUBJECT_MAX];
    int code = mbed_key(key_pem, &key, error);

    if (code)
        return code;
    snprintf(name, sizeof name, "O=neap,CN=cluster %016" PRIx64, cluster);
    making.subject = making.issuer = name;
    making.subject_key = making.issuer_key = &key;
    code = certificate_make(&making, ret_certificate, error);
    mbedtls_pk_free(&key);
    return code;
}

/* The issuer's name as text, and that its key is its key. */
static int issuer_check(const mbedtls_x509_crt *authority, const mbedtls_pk_context *key,
                        char *name, size_t name_size, struct neap_error *error)
{
    int size = mbedtls_x509_dn_gets(name, name_size, &authority->subject);

    if (!authority->ca_istrue || size < 0)
        return error_set(error, NEAP_INVALID, "the certificate of who signs is no CA's");
    if (mbedtls_pk_check_pair(&authority->pk, key))
        return error_set(error, NEAP_REFUSED, "the CA's key is not that of its certificate");
    return 0;
}

static int request_sign(const mbedtls_x509_crt *authority, struct making *making,
                        struct buffer *ret_certificate, struct neap_error *error)
{
    char issuer[256], subject[SUBJECT_MAX], who[PRINCIPAL_TEXT_MAX];
    uint64_t end = certificate_time_ms(&authority->valid_to) / 1000;
    int code = issuer_check(authority, making->issuer_key, issuer, sizeof issuer, error);

    if (code)
        return code;
    if (making->span.until_s > end)
        making->span.until_s = end;
    snprintf(subject, sizeof subject, "O=neap,CN=%s", principal_text(making->principal, who));
    making->subject = subject;
    making->issuer = issuer;
    return certificate_make(making, ret_certificate, error);
}

int issue_sign(const struct issuer *issuer, struct slice request_pem,
               const struct principal *principal, struct issue_span span, unsigned usage,
               struct buffer *ret_certificate, struct neap_error *error)
{
    struct making making = {.principal = principal, .span = span, .usage = usage};
    mbedtls_x509_crt authority;
    mbedtls_x509_csr request;
    mbedtls_pk_context key;
    int code = mbed_request(request_pem, &request, error);

    if (code)
        return code;
    code = mbed_certificate(issuer->certificate, &authority, error);
    if (!code) {
        code = mbed_key(issuer->key, &key, error);
        if (!code) {
            making.subject_key = &request.pk;
            making.issuer_key = &key;
            code = request_sign(&authority, &making, ret_certificate, error);
            mbedtls_pk_free(&key);
        }
        mbedtls_x509_crt_free(&authority);
    }
    mbedtls_x509_csr_free(&request);
    return code;
}

/* ---- PEM and DER ---- */

int issue_pem(struct slice der, bool key, struct buffer *ret_pem, struct neap_error *error)
{
    struct buffer text;
    size_t size = 0;
    int code = text_open(&text, error), number;

    if (code)
        return code;
    number = mbedtls_pem_write_buffer(key ? key_begin : PEM_CERTIFICATE_BEGIN,
                                      key ? key_end : PEM_CERTIFICATE_END, der.data, der.size,
                                      text.data, text.room, &size);
    return text_close(&text, number, "too long for PEM", ret_pem, error);
}
