#include "trust/issue.h"

#include <mbedtls/oid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "trust/certificate.h"
#include "trust/issue_mbed.h"
#include "trust/secret.h"

enum { CLUSTER = 0xc1c1c1c1, DAY = 86400 };

struct fixture {
    struct buffer ca_key, ca, key, request;
    struct issuer issuer;
    uint64_t now_s;
};

static uint64_t now_s(void)
{
    struct timespec now;

    CHECK(!clock_gettime(CLOCK_REALTIME, &now));
    return (uint64_t)now.tv_sec;
}

static struct slice of(const struct buffer *pem)
{
    return buffer_slice(pem);
}

static void setup(struct fixture *made)
{
    *made = (struct fixture){.now_s = now_s()};
    CHECK_OK(issue_key(&made->ca_key, NULL));
    CHECK_OK(issue_authority(of(&made->ca_key), CLUSTER, issue_span(PRINCIPAL_NONE, made->now_s, 0),
                             &made->ca, NULL));
    CHECK_OK(issue_key(&made->key, NULL));
    CHECK_OK(issue_request(of(&made->key), &made->request, NULL));
    made->issuer = (struct issuer){of(&made->ca), of(&made->ca_key)};
}

static void teardown(struct fixture *made)
{
    secret_done(&made->ca_key);
    secret_done(&made->key);
    buffer_done(&made->ca);
    buffer_done(&made->request);
}

static int sign(const struct fixture *made, const struct principal *principal,
                struct buffer *ret_certificate)
{
    return issue_sign(&made->issuer, of(&made->request), principal,
                      issue_span(principal->kind, made->now_s, 0), ISSUE_BOTH, ret_certificate,
                      NULL);
}

static void right_give(struct principal *principal, const char *uri)
{
    CHECK_OK(principal_add(principal, slice_text(uri)));
}

static struct principal device(void)
{
    struct principal principal = {.kind = PRINCIPAL_DEVICE, .cluster = CLUSTER, .id = 0xd1};

    right_give(&principal, "neap://00000000c1c1c1c1/read/fish");
    right_give(&principal, "neap://00000000c1c1c1c1/write/fish%20%26%20chips");
    return principal;
}

static const struct principal node = {.kind = PRINCIPAL_NODE, .cluster = CLUSTER, .id = 0xabc};

TEST(a_certificate_is_believed_and_says_who)
{
    struct principal who = device();
    struct issued said;
    struct buffer certificate;
    struct fixture made;
    char uri[PRINCIPAL_URI_MAX];

    setup(&made);
    CHECK_OK(sign(&made, &who, &certificate));
    CHECK_OK(issue_check(of(&made.ca), of(&certificate), of(&made.key), NULL));
    CHECK_OK(issue_read(of(&certificate), &said, NULL));
    CHECK_EQUAL(said.principal.kind, PRINCIPAL_DEVICE);
    CHECK_EQUAL(said.principal.id, 0xd1);
    CHECK_EQUAL(said.principal.cluster, CLUSTER);
    CHECK_EQUAL(said.principal.rights_count, 2);
    CHECK_EQUAL(principal_may(&said.principal, "fish & chips"), RIGHT_READ | RIGHT_WRITE);
    CHECK(principal_uri(&said.principal, 0, uri));
    CHECK_TEXT(uri, "neap://00000000c1c1c1c1/device/00000000000000d1");
    CHECK(!said.authority);
    CHECK_EQUAL(said.span.from_s, made.now_s - ISSUE_SKEW_S);
    CHECK_EQUAL(said.span.until_s, made.now_s + ISSUE_DEVICE_S);
    CHECK_EQUAL(strlen(said.serial), 32);
    issued_done(&said);
    principal_done(&who);
    buffer_done(&certificate);
    teardown(&made);
}

TEST(a_ca_is_one_and_a_node_is_none)
{
    mbedtls_x509_crt parsed;
    struct buffer certificate;
    struct issued said;
    struct fixture made;

    setup(&made);
    CHECK_OK(mbed_certificate(of(&made.ca), &parsed, NULL));
    CHECK(parsed.ca_istrue);
    CHECK_EQUAL(parsed.max_pathlen, 1); /* of mbedTLS: one more than in the certificate */
    CHECK_EQUAL(parsed.key_usage, MBEDTLS_X509_KU_KEY_CERT_SIGN);
    CHECK_EQUAL(parsed.version, 3);
    mbedtls_x509_crt_free(&parsed);
    CHECK_OK(issue_read(of(&made.ca), &said, NULL));
    CHECK(said.authority);
    CHECK_EQUAL(said.principal.kind, PRINCIPAL_NONE);
    issued_done(&said);

    CHECK_OK(sign(&made, &node, &certificate));
    CHECK_OK(mbed_certificate(of(&certificate), &parsed, NULL));
    CHECK(!parsed.ca_istrue);
    CHECK_EQUAL(parsed.key_usage, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    CHECK_OK(mbedtls_x509_crt_check_extended_key_usage(&parsed, MBEDTLS_OID_CLIENT_AUTH,
                                                       MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)));
    CHECK_OK(mbedtls_x509_crt_check_extended_key_usage(&parsed, MBEDTLS_OID_SERVER_AUTH,
                                                       MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)));
    mbedtls_x509_crt_free(&parsed);
    buffer_done(&certificate);
    teardown(&made);
}

TEST(what_is_signed_by_a_node_is_believed_by_nobody)
{
    struct buffer certificate, other, other_key;
    struct neap_error error;
    struct fixture made;

    setup(&made);
    CHECK_OK(sign(&made, &node, &certificate));
    made.issuer = (struct issuer){of(&certificate), of(&made.key)};
    CHECK_ERROR(issue_sign(&made.issuer, of(&made.request), &node,
                           issue_span(PRINCIPAL_NODE, made.now_s, 0), ISSUE_BOTH, &other, &error),
                NEAP_INVALID);
    /* Another CA of the same name. */
    CHECK_OK(issue_key(&other_key, NULL));
    CHECK_OK(issue_authority(of(&other_key), CLUSTER, issue_span(PRINCIPAL_NONE, made.now_s, 0),
                             &other, NULL));
    CHECK_ERROR(issue_check(of(&other), of(&certificate), slice_of(NULL, 0), &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "not correctly signed by the trusted CA"));
    made.issuer = (struct issuer){of(&made.ca), of(&other_key)};
    buffer_done(&other);
    CHECK_ERROR(issue_sign(&made.issuer, of(&made.request), &node,
                           issue_span(PRINCIPAL_NODE, made.now_s, 0), ISSUE_BOTH, &other, &error),
                NEAP_REFUSED);
    secret_done(&other_key);
    buffer_done(&certificate);
    teardown(&made);
}

static void check_span(const struct fixture *made, uint64_t from_s, uint64_t until_s,
                       const char *reason)
{
    struct neap_error error = {0};
    struct buffer certificate;

    CHECK_OK(issue_sign(&made->issuer, of(&made->request), &node,
                        (struct issue_span){from_s, until_s}, ISSUE_BOTH, &certificate, NULL));
    CHECK_ERROR(issue_check(of(&made->ca), of(&certificate), of(&made->key), &error), NEAP_REFUSED);
    CHECK(strstr(error.text, reason));
    buffer_done(&certificate);
}

TEST(what_is_over_or_has_not_begun_is_refused)
{
    struct fixture made;

    setup(&made);
    check_span(&made, made.now_s - 3 * DAY, made.now_s - DAY, "expired");
    check_span(&made, made.now_s + DAY, made.now_s + 2 * DAY, "future");
    teardown(&made);
}

TEST(a_certificate_ends_with_its_ca)
{
    struct buffer ca, certificate;
    struct issued said;
    struct fixture made;

    setup(&made);
    CHECK_OK(issue_authority(of(&made.ca_key), CLUSTER, issue_span(PRINCIPAL_NONE, made.now_s, DAY),
                             &ca, NULL));
    made.issuer.certificate = of(&ca);
    CHECK_OK(sign(&made, &node, &certificate));
    CHECK_OK(issue_read(of(&certificate), &said, NULL));
    CHECK_EQUAL(said.span.until_s, made.now_s + DAY);
    issued_done(&said);
    buffer_done(&certificate);
    buffer_done(&ca);
    teardown(&made);
}

TEST(no_two_are_the_same)
{
    struct issued a_said, b_said;
    struct buffer a, b;
    struct fixture made;
    uint64_t first = issue_id(), second = issue_id();

    setup(&made);
    CHECK_OK(sign(&made, &node, &a));
    CHECK_OK(sign(&made, &node, &b));
    CHECK_OK(issue_read(of(&a), &a_said, NULL));
    CHECK_OK(issue_read(of(&b), &b_said, NULL));
    CHECK(strcmp(a_said.serial, b_said.serial) != 0);
    CHECK(memcmp(a_said.fingerprint, b_said.fingerprint, FINGERPRINT_SIZE) != 0);
    CHECK(!slice_equal(of(&made.key), of(&made.ca_key)));
    CHECK(first && second && first != second);
    issued_done(&a_said);
    issued_done(&b_said);
    buffer_done(&a);
    buffer_done(&b);
    teardown(&made);
}

TEST(a_request_that_its_key_did_not_sign_is_refused)
{
    struct buffer broken, certificate;
    struct neap_error error;
    struct fixture made;
    char text[2048];

    setup(&made);
    /* The same with one bit of the signature turned. */
    memcpy(text, made.request.data, made.request.size);
    text[made.request.size] = 0;
    buffer_init(&broken, sizeof text);
    *strstr(text, "-----END") = 0;
    for (char *at = text + strlen(text) - 12;; at--)
        if (*at != '\n' && *at != 'A') {
            *at = 'A';
            break;
        }
    CHECK_OK(buffer_append(&broken, slice_text(text)));
    CHECK_OK(buffer_append(&broken, slice_text("-----END CERTIFICATE REQUEST-----\n")));
    CHECK_ERROR(issue_sign(&made.issuer, of(&broken), &node,
                           issue_span(PRINCIPAL_NODE, made.now_s, 0), ISSUE_BOTH, &certificate,
                           &error),
                NEAP_INVALID);
    CHECK(strstr(error.text, "not signed by its own key"));
    buffer_done(&broken);
    teardown(&made);
}

TEST(what_is_no_pem_is_refused)
{
    static const char *const bad[] = {
        "", "x", "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    struct issued said;
    struct buffer out;
    struct fixture made;
    uint8_t print[FINGERPRINT_SIZE];
    char *large = mem_new(ISSUE_PEM_MAX);

    setup(&made);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERROR(issue_read(slice_text(bad[i]), &said, NULL), NEAP_INVALID);
        CHECK_ERROR(issue_request(slice_text(bad[i]), &out, NULL), NEAP_INVALID);
        CHECK_ERROR(issue_request_print(slice_text(bad[i]), print, NULL), NEAP_INVALID);
    }
    CHECK_ERROR(issue_read(of(&made.key), &said, NULL), NEAP_INVALID);
    CHECK_ERROR(issue_request(of(&made.ca), &out, NULL), NEAP_INVALID);
    CHECK_ERROR(issue_read(slice_of(large, ISSUE_PEM_MAX), &said, NULL), NEAP_LIMIT);
    mem_free(large);
    teardown(&made);
}

/* Two certificates in one text: which of them would be meant? */
TEST(two_certificates_are_not_one)
{
    struct issued said;
    struct buffer both;
    struct fixture made;

    setup(&made);
    buffer_init(&both, ISSUE_PEM_MAX);
    CHECK_OK(buffer_append(&both, of(&made.ca)));
    CHECK_OK(buffer_append(&both, of(&made.ca)));
    CHECK_ERROR(issue_read(of(&both), &said, NULL), NEAP_INVALID);
    buffer_done(&both);
    teardown(&made);
}

TEST(keys_of_other_kinds_are_refused)
{
    static const char p384[] = "-----BEGIN EC PRIVATE KEY-----\n"
                               "MIGkAgEBBDD4GBWvomSMh8WXjjwp85hJ0AGRMGSg/pnWUh+QvaVdMgim11ntqEpH\n"
                               "shqRa/IE1PSgBwYFK4EEACKhZANiAARRtBrsTmJTsxpXyOfJIgm9bBxFPIflWMZF\n"
                               "ufpDB1NR1vH8AP0QI6E/PoyHzqbMlYxJynamdFyNbD+gB1oHdkY2kGbGkLs5Fmt4\n"
                               "ILsjsiHObbiPxATVfSW48rmQOdLvhvo=\n"
                               "-----END EC PRIVATE KEY-----\n";
    struct neap_error error;
    struct buffer out;

    CHECK_ERROR(issue_request(slice_text(p384), &out, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "P-256"));
}

TEST(a_key_of_another_is_refused)
{
    struct buffer certificate, other;
    struct fixture made;

    setup(&made);
    CHECK_OK(sign(&made, &node, &certificate));
    CHECK_OK(issue_key(&other, NULL));
    CHECK_ERROR(issue_check(of(&made.ca), of(&certificate), of(&other), NULL), NEAP_REFUSED);
    secret_done(&other);
    buffer_done(&certificate);
    teardown(&made);
}

TEST(the_same_key_has_the_same_print)
{
    uint8_t a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];
    struct buffer again, other;
    struct fixture made;

    setup(&made);
    CHECK_OK(issue_request(of(&made.key), &again, NULL));
    CHECK_OK(issue_request_print(of(&made.request), a, NULL));
    CHECK_OK(issue_request_print(of(&again), b, NULL));
    CHECK(!memcmp(a, b, sizeof a));
    CHECK_OK(issue_request(of(&made.ca_key), &other, NULL));
    CHECK_OK(issue_request_print(of(&other), b, NULL));
    CHECK(memcmp(a, b, sizeof a) != 0);
    buffer_done(&again);
    buffer_done(&other);
    teardown(&made);
}

TEST(der_and_back)
{
    struct buffer der, pem;
    struct fixture made;

    setup(&made);
    CHECK_OK(issue_der(of(&made.ca), &der, NULL));
    CHECK_OK(issue_pem(of(&der), false, &pem, NULL));
    CHECK_BYTES(of(&pem), of(&made.ca));
    buffer_done(&der);
    buffer_done(&pem);
    CHECK_OK(issue_der(of(&made.key), &der, NULL));
    CHECK_OK(issue_pem(of(&der), true, &pem, NULL));
    CHECK_BYTES(of(&pem), of(&made.key));
    secret_done(&der);
    secret_done(&pem);
    teardown(&made);
}

/* As many rights as a principal may have are too much for a handshake when their names are long. */
TEST(more_rights_than_a_handshake_carries_are_refused)
{
    struct principal who = {.kind = PRINCIPAL_CLIENT, .cluster = CLUSTER, .id = 1};
    struct neap_error error;
    struct buffer certificate;
    struct fixture made;
    char uri[PRINCIPAL_URI_MAX];

    setup(&made);
    for (int i = 0; i < PRINCIPAL_RIGHTS_MAX; i++) {
        snprintf(uri, sizeof uri, "neap://00000000c1c1c1c1/read/%0200d", i);
        right_give(&who, uri);
    }
    CHECK_ERROR(issue_sign(&made.issuer, of(&made.request), &who,
                           issue_span(PRINCIPAL_CLIENT, made.now_s, 0), ISSUE_BOTH, &certificate,
                           &error),
                NEAP_LIMIT);
    principal_done(&who);
    for (int i = 0; i < PRINCIPAL_RIGHTS_MAX; i++) {
        snprintf(uri, sizeof uri, "neap://00000000c1c1c1c1/read/%d", i);
        if (!who.kind)
            who = (struct principal){.kind = PRINCIPAL_CLIENT, .cluster = CLUSTER, .id = 1};
        right_give(&who, uri);
    }
    CHECK_OK(sign(&made, &who, &certificate));
    CHECK_OK(issue_check(of(&made.ca), of(&certificate), of(&made.key), NULL));
    buffer_done(&certificate);
    principal_done(&who);
    teardown(&made);
}

/* ---- moments ---- */

static void check_stamp(uint64_t seconds, const char *text)
{
    mbedtls_x509_time moment;
    char stamp[STAMP_MAX];

    CHECK_OK(certificate_stamp(seconds, stamp, NULL));
    CHECK_TEXT(stamp, text);
    CHECK_EQUAL(sscanf(text, "%4d%2d%2d%2d%2d%2d", &moment.year, &moment.mon, &moment.day,
                       &moment.hour, &moment.min, &moment.sec),
                6);
    CHECK_EQUAL(certificate_time_ms(&moment) / 1000, seconds);
}

TEST(moments_are_those_of_the_calendar)
{
    mbedtls_x509_time moment = {0};
    char stamp[STAMP_MAX];
    struct tm parts;

    check_stamp(0, "19700101000000");
    check_stamp(951782399, "20000228235959");
    check_stamp(951782400, "20000229000000");
    check_stamp(951868800, "20000301000000");
    check_stamp(4107542400, "21000301000000");
    check_stamp(4107542399, "21000228235959");
    check_stamp(253402300799, "99991231235959");
    CHECK_ERROR(certificate_stamp(253402300800, stamp, NULL), NEAP_LIMIT);
    CHECK_ERROR(certificate_stamp(UINT64_MAX, stamp, NULL), NEAP_LIMIT);
    CHECK_EQUAL(certificate_time_ms(&moment) / 1000, 0);
    for (time_t at = 0; at < 20000LL * DAY; at += 7 * DAY + 12345) {
        char text[64];

        CHECK(gmtime_r(&at, &parts));
        CHECK(strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts));
        check_stamp((uint64_t)at, text);
    }
}

/* ---- memory ---- */

static int make_all(void *argument)
{
    struct buffer key = {0}, ca = {0}, own = {0}, request = {0}, certificate = {0};
    struct issued said = {0};
    struct principal who = *(struct principal *)argument;
    struct issuer issuer;
    uint64_t now = now_s();
    int code = issue_key(&key, NULL);

    if (!code)
        code = issue_authority(of(&key), CLUSTER, issue_span(PRINCIPAL_NONE, now, 0), &ca, NULL);
    if (!code)
        code = issue_key(&own, NULL);
    if (!code)
        code = issue_request(of(&own), &request, NULL);
    issuer = (struct issuer){of(&ca), of(&key)};
    if (!code)
        code = issue_sign(&issuer, of(&request), &who, issue_span(who.kind, now, 0), ISSUE_BOTH,
                          &certificate, NULL);
    if (!code)
        code = issue_check(of(&ca), of(&certificate), of(&own), NULL);
    if (!code)
        code = issue_read(of(&certificate), &said, NULL);
    issued_done(&said);
    secret_done(&key);
    secret_done(&own);
    buffer_done(&ca);
    buffer_done(&request);
    buffer_done(&certificate);
    return code;
}

TEST(without_memory_nothing_is_made)
{
    struct principal who = device();

    test_alloc_sweep(make_all, &who);
    principal_done(&who);
}

/* ---- as others see it ---- */

static void file_put(const char *folder, const char *name, const struct buffer *pem)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    CHECK(file && fwrite(pem->data, 1, pem->size, file) == pem->size && !fclose(file));
}

/* Does the command end well and say that? */
static void check_says(const char *folder, const char *command, const char *expected)
{
    char line[600], text[8192];
    FILE *pipe;
    size_t size;

    snprintf(line, sizeof line, "cd %s && openssl %s 2>&1", folder, command);
    pipe = popen(line, "r");
    CHECK(pipe);
    size = fread(text, 1, sizeof text - 1, pipe);
    text[size] = 0;
    if (pclose(pipe) || !strstr(text, expected))
        test_failed(__FILE__, __LINE__, "openssl %s says: %s", command, text);
}

TEST(openssl_agrees)
{
    char folder[] = "/tmp/neap-issue.XXXXXX", line[300];
    struct principal who = device();
    struct buffer certificate;
    struct fixture made;

    if (system("openssl version >/dev/null 2>&1"))
        return;
    CHECK(mkdtemp(folder));
    setup(&made);
    CHECK_OK(sign(&made, &who, &certificate));
    file_put(folder, "ca.pem", &made.ca);
    file_put(folder, "ca.key", &made.ca_key);
    file_put(folder, "node.pem", &certificate);
    file_put(folder, "node.key", &made.key);
    file_put(folder, "request.pem", &made.request);
    check_says(folder, "verify -x509_strict -check_ss_sig -CAfile ca.pem ca.pem", "ca.pem: OK");
    check_says(folder, "verify -x509_strict -purpose sslserver -CAfile ca.pem node.pem", "OK");
    check_says(folder, "verify -x509_strict -purpose sslclient -CAfile ca.pem node.pem", "OK");
    check_says(folder, "req -in request.pem -noout -verify", "OK");
    check_says(folder, "ec -in node.key -noout -check", "valid");
    check_says(folder, "x509 -in node.pem -noout -ext subjectAltName",
               "URI:neap://00000000c1c1c1c1/device/00000000000000d1, "
               "URI:neap://00000000c1c1c1c1/read/fish, "
               "URI:neap://00000000c1c1c1c1/write/fish%20%26%20chips");
    check_says(folder, "x509 -in ca.pem -noout -ext basicConstraints", "CA:TRUE, pathlen:0");
    check_says(folder, "x509 -in node.pem -noout -subject",
               "O = neap, CN = device/00000000000000d1");
    snprintf(line, sizeof line, "rm -r %s", folder);
    CHECK(!system(line));
    principal_done(&who);
    buffer_done(&certificate);
    teardown(&made);
}
