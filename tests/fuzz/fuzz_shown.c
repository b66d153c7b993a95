/* A certificate that the other side of a link shows, and whether it is believed: without the
 * handshake around it, which takes a thousand times as long. Before anybody has proved anything it
 * is parsed, and looked at by our own code. Input: 'd', flags, a whole certificate (DER); or 'x',
 * flags, the time from and the time until as in one (13 digits and Z each), and its extensions, to
 * which the rest of a certificate is made here. Flags: 1 who looks has listened, 2 the CA's
 * signature is good, 4 the certificate is not the one shown but above it. Accepted: believed. */
#include <mbedtls/oid.h>

#include "base/error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_trust.h"
#include "trust/credentials_parts.h"
#include "trust/tls.h"

enum { DER_MAX = 8192, TIME_SIZE = 13, FLAGS_SIZE = 2 };
enum { SERVER = 1, SIGNED = 2, ABOVE = 4 };
#define NOW_S UINT64_C(1800000000) /* 2027-01-15 08:00:00 */

/* DER, written from the end to the beginning. */
struct der {
    uint8_t bytes[DER_MAX];
    size_t start;
};

static void der_put(struct der *der, const void *bytes, size_t size)
{
    must(size <= der->start);
    der->start -= size;
    memcpy(der->bytes + der->start, bytes, size);
}

/* The head of what was written since `end`. */
static void der_wrap(struct der *der, uint8_t tag, size_t end)
{
    size_t size = end - der->start;
    uint8_t head[4] = {tag, 0x82, (uint8_t)(size >> 8), (uint8_t)size};

    if (size < 128) {
        head[1] = (uint8_t)size;
        der_put(der, head, 2);
    } else if (size < 256) {
        head[1] = 0x81;
        head[2] = (uint8_t)size;
        der_put(der, head, 3);
    } else {
        der_put(der, head, 4);
    }
}

static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t signature[] = {0x03, 0x09, 0x00, 0x30, 0x06, 0x02,
                                    0x01, 0x01, 0x02, 0x01, 0x01};
static const uint8_t begin[] = {0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01};
/* CN=c; who it names is not read there. */
static const uint8_t some_name[] = {0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06,
                                    0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 0x63};
/* A public key on P-256 that everybody knows: the generator. */
static const uint8_t public_key[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1,
    0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
    0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe,
    0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b,
    0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

static bool certificate_build(struct slice input, struct der *ret_der)
{
    struct der *der = ret_der;
    struct slice extensions;
    size_t end;

    der->start = DER_MAX;
    if (input.size < 2 * TIME_SIZE || input.size > DER_MAX / 2)
        return false;
    extensions = slice_of(input.data + 2 * TIME_SIZE, input.size - 2 * TIME_SIZE);
    der_put(der, signature, sizeof signature);
    der_put(der, algorithm, sizeof algorithm);
    end = der->start;
    der_put(der, extensions.data, extensions.size);
    der_wrap(der, 0x30, end);
    der_wrap(der, 0xa3, end);
    der_put(der, public_key, sizeof public_key);
    der_put(der, some_name, sizeof some_name);
    {
        size_t times = der->start;

        for (size_t i = 2; i-- > 0;) {
            size_t after = der->start;

            der_put(der, input.data + i * TIME_SIZE, TIME_SIZE);
            der_wrap(der, 0x17, after);
        }
        der_wrap(der, 0x30, times);
    }
    der_put(der, some_name, sizeof some_name);
    der_put(der, algorithm, sizeof algorithm);
    der_put(der, begin, sizeof begin);
    der_wrap(der, 0x30, end);
    der_wrap(der, 0x30, DER_MAX);
    return true;
}

/* ---- who is believed, decided once more, in another way ---- */

static bool is_for(const mbedtls_x509_crt *certificate, uint8_t end)
{
    const mbedtls_x509_sequence *use = &certificate->ext_key_usage;
    static const char any[] = MBEDTLS_OID_ANY_EXTENDED_KEY_USAGE;

    for (; use && use->buf.len; use = use->next)
        if ((use->buf.len == 8 && use->buf.p[7] == end) ||
            (use->buf.len == sizeof any - 1 && !memcmp(use->buf.p, any, sizeof any - 1)))
            return true;
    return false;
}

/* Times compare as the texts that they are. */
static bool is_now(const mbedtls_x509_crt *certificate)
{
    static const int now[] = {2027, 1, 15, 8, 0, 0};
    const mbedtls_x509_time *times[] = {&certificate->valid_from, &certificate->valid_to};
    int order[2] = {0, 0};

    for (size_t i = 0; i < 2; i++) {
        const int parts[] = {times[i]->year, times[i]->mon, times[i]->day,
                             times[i]->hour, times[i]->min, times[i]->sec};

        for (size_t k = 0; k < 6 && !order[i]; k++)
            order[i] = (parts[k] > now[k]) - (parts[k] < now[k]);
    }
    return order[0] <= 0 && order[1] >= 0;
}

static void believed_check(const mbedtls_x509_crt *certificate, unsigned flags)
{
    struct principal who;

    must(flags & SIGNED);
    must(is_now(certificate));
    if (flags & ABOVE)
        return;
    must(!certificate->ca_istrue && certificate->key_usage & MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    must(is_for(certificate, flags & SERVER ? 2 : 1));
    must(!certificate_principal(certificate, &who));
    must(who.cluster == FUZZ_CLUSTER && who.id);
    must(who.kind == PRINCIPAL_NODE || who.kind == PRINCIPAL_DEVICE || flags & SERVER);
    principal_done(&who);
}

static bool shown(mbedtls_x509_crt *certificate, unsigned flags)
{
    static struct credentials *credentials;
    struct tls_options options = {.server = flags & SERVER, .wall_ms = NOW_S * 1000};
    uint32_t faults = flags & SIGNED ? 0 : MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    char reason[TLS_REASON_MAX];
    struct tls *tls;
    bool fine;

    if (!credentials)
        credentials = credentials_new(1, NOW_S);
    options.credentials = credentials;
    must(!tls_new(&options, &tls));
    must(!tls_verify(tls, certificate, flags & ABOVE ? 1 : 0, &faults));
    fine = tls_fault(tls) == TLS_OK;
    must(fine == !faults);
    must(strlen(tls_reason(tls, reason)) < sizeof reason);
    must(tls_principal(tls)->kind == PRINCIPAL_NONE);
    if (fine)
        believed_check(certificate, flags);
    tls_free(tls);
    return fine;
}

FUZZ(shown)
{
    static struct der der;
    mbedtls_x509_crt certificate;
    struct slice bytes;
    bool fine = false;

    if (input.size < FLAGS_SIZE)
        return false;
    bytes = slice_of(input.data + FLAGS_SIZE, input.size - FLAGS_SIZE);
    if (input.data[0] == 'x') {
        if (!certificate_build(bytes, &der))
            return false;
        bytes = slice_of(der.bytes + der.start, DER_MAX - der.start);
    } else if (input.data[0] != 'd') {
        return false;
    }
    mbedtls_x509_crt_init(&certificate);
    if (!mbedtls_x509_crt_parse_der(&certificate, bytes.data, bytes.size))
        fine = shown(&certificate, input.data[1]);
    mbedtls_x509_crt_free(&certificate);
    return fine;
}
