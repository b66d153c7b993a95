#include "trust/certificate.h"

#include <inttypes.h>
#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <stdio.h>

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

/* ---- moments: the calendar as of 1582, after Howard Hinnant's days_from_civil ---- */

enum { DAY_S = 86400, DAYS_OF_400_YEARS = 146097, DAYS_TO_1970 = 719468 };

/* Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March, so that the day
 * that comes and goes is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = month > 2 ? month - 3 : month + 9;

    year -= month <= 2;
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1 -
           DAYS_TO_1970;
}

uint64_t certificate_time_ms(const mbedtls_x509_time *time)
{
    int64_t days = days_of(time->year, time->mon, time->day);

    if (days < 0)
        return 0;
    return (uint64_t)(((days * 24 + time->hour) * 60 + time->min) * 60 + time->sec) * 1000;
}

int certificate_stamp(uint64_t seconds, char ret_text[STAMP_MAX], struct neap_error *error)
{
    uint64_t days = seconds / DAY_S + DAYS_TO_1970, of_day = seconds % DAY_S;
    uint64_t era = days / DAYS_OF_400_YEARS, of_era = days % DAYS_OF_400_YEARS;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;

    year += era * 400 + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    if (seconds / DAY_S > 3000000 || year > 9999)
        return error_set(error, NEAP_LIMIT, "a certificate does not last beyond the year 9999");
    snprintf(ret_text, STAMP_MAX, "%04" PRIu64 "%06" PRIu64 "%04" PRIu64, year,
             month * 10000 + day * 100 + of_day / 3600, of_day / 60 % 60 * 100 + of_day % 60);
    return 0;
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

bool certificate_key_is_ours(const mbedtls_pk_context *key)
{
    return mbedtls_pk_get_type(key) == MBEDTLS_PK_ECKEY &&
           mbedtls_pk_ec(*key)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
}

void certificate_fingerprint(const mbedtls_x509_crt *certificate,
                             uint8_t ret_fingerprint[FINGERPRINT_SIZE])
{
    must(!mbedtls_sha256_ret(certificate->raw.p, certificate->raw.len, ret_fingerprint, 0));
}

int certificate_key_parse(struct slice pem, mbedtls_pk_context *ret_key)
{
    int rv;

    must(pem.data[pem.size] == 0);
    mbedtls_pk_init(ret_key);
    rv = mbedtls_pk_parse_key(ret_key, pem.data, pem.size + 1, NULL, 0);
    if (rv == 0 && !certificate_key_is_ours(ret_key))
        rv = MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE;
    if (rv)
        mbedtls_pk_free(ret_key);
    return certificate_error(rv, NEAP_INVALID);
}
