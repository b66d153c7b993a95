#include "trust/certificate.h"

#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>
#include <mbedtls/ssl.h>

#include "base/clock.h"
#include "base/error.h"

enum { SAN_URI = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6 };

const mbedtls_x509_crt_profile certificate_profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1)};

int certificate_error(int rv, int otherwise)
{
    /* The upper part says which module, the lower what of the layer below. */
    int high = -(-rv & ~0x7f), low = -(-rv & 0x7f);

    if (rv == 0)
        return 0;
    if (high == MBEDTLS_ERR_X509_ALLOC_FAILED || high == MBEDTLS_ERR_PK_ALLOC_FAILED ||
        high == MBEDTLS_ERR_ECP_ALLOC_FAILED || high == MBEDTLS_ERR_PEM_ALLOC_FAILED ||
        high == MBEDTLS_ERR_SSL_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED ||
        low == MBEDTLS_ERR_MPI_ALLOC_FAILED)
        return NEAP_NOMEM;
    return otherwise;
}

int certificate_random(void *nothing, unsigned char *ret_bytes, size_t size)
{
    struct clock *clock = clock_os();

    (void)nothing;
    while (size) {
        uint64_t bits = clock->ops->entropy(clock);
        size_t count = size < sizeof bits ? size : sizeof bits;

        memcpy(ret_bytes, &bits, count);
        ret_bytes += count;
        size -= count;
    }
    return 0;
}

int certificate_principal(const mbedtls_x509_crt *certificate, struct principal *ret_principal)
{
    struct principal principal = {0};
    int error = 0;

    for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name && !error;
         name = name->next)
        if (name->buf.tag == SAN_URI)
            error = principal_add(&principal, slice_of(name->buf.p, name->buf.len));
    if (!error && principal.kind == PRINCIPAL_NONE)
        error = NEAP_INVALID;
    if (error)
        principal_done(&principal);
    else
        *ret_principal = principal;
    return error;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that the day
 * that comes and goes is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = month > 2 ? month - 3 : month + 9;

    year -= month <= 2;
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1 -
           719468;
}

uint64_t certificate_time_ms(const mbedtls_x509_time *time)
{
    int64_t days = days_of(time->year, time->mon, time->day);

    if (days < 0)
        return 0;
    return (uint64_t)(((days * 24 + time->hour) * 60 + time->min) * 60 + time->sec) * 1000;
}

/* A positive result counts the certificates that could not be read. */
int certificate_parse(struct slice pem, mbedtls_x509_crt *ret_certificate)
{
    int rv;

    must(pem.data[pem.size] == 0);
    mbedtls_x509_crt_init(ret_certificate);
    rv = mbedtls_x509_crt_parse(ret_certificate, pem.data, pem.size + 1);
    if (rv)
        mbedtls_x509_crt_free(ret_certificate);
    return certificate_error(rv, NEAP_INVALID);
}

int certificate_key_parse(struct slice pem, mbedtls_pk_context *ret_key)
{
    int rv;

    must(pem.data[pem.size] == 0);
    mbedtls_pk_init(ret_key);
    rv = mbedtls_pk_parse_key(ret_key, pem.data, pem.size + 1, NULL, 0);
    if (rv == 0 && (!mbedtls_pk_can_do(ret_key, MBEDTLS_PK_ECDSA) ||
                    mbedtls_pk_ec(*ret_key)->grp.id != MBEDTLS_ECP_DP_SECP256R1))
        rv = MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE;
    if (rv)
        mbedtls_pk_free(ret_key);
    return certificate_error(rv, NEAP_INVALID);
}
