#include "trust/tls.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/support/trusted.h"
#include "trust/credentials_parts.h"
#include "trust/secret.h"

enum { CLUSTER = 0xc1, DAY = 86400 };

/* Two ends, and the wire between them: [0] dialled, [1] listens. */
struct ends {
    struct tls *tls[2];
    struct buffer wire[2]; /* on its way to that end */
    enum tls_progress progress[2];
};

static void ends_open(struct ends *ends, struct credentials *dials, struct credentials *listens,
                      bool (*is_revoked)(void *, const struct principal *), void *arg)
{
    struct tls_options options = {.credentials = dials, .wall_ms = trusted_now_s() * 1000};

    *ends = (struct ends){0};
    CHECK_OK(tls_new(&options, &ends->tls[0]));
    options.credentials = listens;
    options.server = true;
    options.is_revoked = is_revoked;
    options.is_revoked_arg = arg;
    CHECK_OK(tls_new(&options, &ends->tls[1]));
    credentials_close(dials);
    credentials_close(listens);
}

static void ends_close(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        tls_free(ends->tls[i]);
        buffer_done(&ends->wire[i]);
    }
}

/* What end `from` has to say is carried to the other. */
static void carry(struct ends *ends, int from)
{
    struct buffer bytes;

    tls_output(ends->tls[from], &bytes);
    if (!ends->wire[!from].size_max)
        buffer_init(&ends->wire[!from], 64 << 20);
    CHECK_OK(buffer_append(&ends->wire[!from], buffer_slice(&bytes)));
    buffer_done(&bytes);
}

/* End `to` takes what came, in parts of `part` bytes. */
static void take(struct ends *ends, int to, size_t part)
{
    struct slice rest = buffer_slice(&ends->wire[to]);

    while (rest.size && ends->progress[to] == TLS_GOES_ON) {
        size_t count = rest.size < part ? rest.size : part;

        tls_input(ends->tls[to], slice_of(rest.data, count));
        ends->progress[to] = tls_run(ends->tls[to]);
        count -= tls_input_left(ends->tls[to]);
        rest = slice_of(rest.data + count, rest.size - count);
    }
    CHECK_OK(buffer_set(&ends->wire[to], rest));
}

static void shake_hands(struct ends *ends, size_t part)
{
    for (int i = 0; i < 2; i++)
        ends->progress[i] = tls_run(ends->tls[i]);
    for (int round = 0; round < 8; round++) {
        for (int from = 0; from < 2; from++) {
            carry(ends, from);
            take(ends, !from, part);
        }
    }
}

/* A node of this cluster that believes another one. */
static struct credentials *fake_node(const struct trusted *trusted, const struct trusted *believes)
{
    struct principal node = {.kind = PRINCIPAL_NODE, .cluster = trusted->cluster, .id = 1};

    return trusted_credentials(trusted, &node, NULL, believes);
}

static struct credentials *of_kind(const struct trusted *trusted, enum principal_kind kind,
                                   const struct trusted_odd *odd)
{
    struct principal principal = {.kind = kind, .cluster = trusted->cluster, .id = 0xd1};

    return trusted_credentials(trusted, &principal, odd, NULL);
}

TEST(two_of_a_cluster_know_each_other)
{
    struct trusted trusted;
    struct ends ends;
    char text[PRINCIPAL_TEXT_MAX];

    trusted_open(&trusted, CLUSTER);
    for (size_t part = 1; part < 100000; part *= 100) {
        ends_open(&ends, trusted_node(&trusted, 0xa1), trusted_node(&trusted, 0xa2), NULL, NULL);
        CHECK_EQUAL(tls_principal(ends.tls[0])->kind, PRINCIPAL_NONE);
        shake_hands(&ends, part);
        CHECK(ends.progress[0] == TLS_IS_UP && ends.progress[1] == TLS_IS_UP);
        CHECK_TEXT(principal_text(tls_principal(ends.tls[0]), text), "node/00000000000000a2");
        CHECK_TEXT(principal_text(tls_principal(ends.tls[1]), text), "node/00000000000000a1");
        ends_close(&ends);
    }
    trusted_close(&trusted);
}

static void send_all(struct ends *ends, int from, const uint8_t *bytes, size_t size)
{
    static uint8_t got[40000];
    size_t sent = 0, received = 0;

    while (received < size) {
        size_t count;

        CHECK_OK(tls_write(ends->tls[from], slice_of(bytes + sent, size - sent), &count));
        sent += count;
        carry(ends, from);
        tls_input(ends->tls[!from], buffer_slice(&ends->wire[!from]));
        for (;;) {
            CHECK_OK(tls_read(ends->tls[!from], got, sizeof got, &count));
            if (!count)
                break;
            CHECK(received + count <= size && !memcmp(bytes + received, got, count));
            received += count;
        }
        CHECK_EQUAL(tls_input_left(ends->tls[!from]), 0);
        buffer_clear(&ends->wire[!from]);
    }
}

TEST(what_is_sent_arrives_and_is_not_to_be_read_on_the_wire)
{
    static const char secret[] = "the fox and the goose";
    uint8_t *much = mem_new(5 << 20);
    struct trusted trusted;
    struct ends ends;
    size_t count;

    trusted_open(&trusted, CLUSTER);
    ends_open(&ends, trusted_node(&trusted, 0xa1), trusted_node(&trusted, 0xa2), NULL, NULL);
    shake_hands(&ends, 1000);
    for (size_t i = 0; i < 5 << 20; i++)
        much[i] = (uint8_t)(i * 7 + i / 251);
    send_all(&ends, 0, much, 5 << 20);
    send_all(&ends, 1, much, 5 << 20);
    CHECK_OK(tls_write(ends.tls[0], slice_text(secret), &count));
    CHECK_EQUAL(count, sizeof secret - 1);
    carry(&ends, 0);
    CHECK(!memmem(ends.wire[1].data, ends.wire[1].size, "goose", 5));
    ends_close(&ends);
    trusted_close(&trusted);
    mem_free(much);
}

TEST(a_byte_that_was_changed_on_the_way_is_noticed)
{
    struct trusted trusted;
    struct ends ends;
    uint8_t got[100];
    size_t count;

    trusted_open(&trusted, CLUSTER);
    ends_open(&ends, trusted_node(&trusted, 0xa1), trusted_node(&trusted, 0xa2), NULL, NULL);
    shake_hands(&ends, 1000);
    CHECK_OK(tls_write(ends.tls[0], slice_text("one dollar"), &count));
    carry(&ends, 0);
    ends.wire[1].data[ends.wire[1].size - 20] ^= 1;
    tls_input(ends.tls[1], buffer_slice(&ends.wire[1]));
    CHECK_ERROR(tls_read(ends.tls[1], got, sizeof got, &count), NEAP_INVALID);
    CHECK_EQUAL(tls_fault(ends.tls[1]), TLS_broken);
    ends_close(&ends);
    trusted_close(&trusted);
}

/* ---- who is not let in ---- */

static void not_let_in(struct ends *ends, int by, enum tls_fault fault, const char *says)
{
    char text[TLS_REASON_MAX];

    shake_hands(ends, 1000);
    CHECK_EQUAL(ends->progress[by], TLS_FAILED);
    if (tls_fault(ends->tls[by]) != fault)
        test_failed(__FILE__, __LINE__, "%s, not %s", tls_fault_name(tls_fault(ends->tls[by])),
                    tls_fault_name(fault));
    tls_reason(ends->tls[by], text);
    if (!strstr(text, says))
        test_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", text, says);
    CHECK(ends->progress[!by] != TLS_IS_UP);
    CHECK_EQUAL(tls_principal(ends->tls[by])->kind, PRINCIPAL_NONE);
    ends_close(ends);
}

TEST(who_shows_no_certificate_is_refused)
{
    struct credentials *none;
    struct trusted trusted;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    none = trusted_node(&trusted, 1);
    mbedtls_x509_crt_free(&none->chain);
    ends_open(&ends, none, trusted_node(&trusted, 2), NULL, NULL);
    not_let_in(&ends, 1, TLS_no_certificate, "it showed no certificate");
    trusted_close(&trusted);
}

TEST(who_lacks_the_key_of_his_certificate_is_refused)
{
    struct credentials *thief, *other;
    struct trusted trusted;
    mbedtls_pk_context key;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    for (int listens = 0; listens < 2; listens++) {
        thief = trusted_node(&trusted, 1);
        other = trusted_node(&trusted, 3);
        key = thief->key;
        thief->key = other->key;
        other->key = key;
        credentials_close(other);
        other = trusted_node(&trusted, 2);
        ends_open(&ends, listens ? other : thief, listens ? thief : other, NULL, NULL);
        not_let_in(&ends, !listens, TLS_no_key, "node/0000000000000001: it does not have the key");
    }
    trusted_close(&trusted);
}

TEST(a_certificate_of_another_ca_is_refused)
{
    struct trusted trusted, evil, other;
    struct credentials *stranger;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    trusted_open(&evil, CLUSTER); /* says that it is the same cluster */
    trusted_open(&other, CLUSTER + 1);
    ends_open(&ends, fake_node(&evil, &trusted), trusted_node(&trusted, 2), NULL, NULL);
    not_let_in(&ends, 1, TLS_unknown_ca, "node/0000000000000001: its certificate is not signed");
    ends_open(&ends, trusted_node(&trusted, 2), trusted_node(&evil, 1), NULL, NULL);
    not_let_in(&ends, 0, TLS_unknown_ca, "not signed by the CA");
    ends_open(&ends, trusted_node(&trusted, 2), trusted_node(&other, 1), NULL, NULL);
    not_let_in(&ends, 0, TLS_other_cluster, "another cluster");
    stranger = fake_node(&other, &trusted);
    stranger->principal.cluster = CLUSTER; /* he does not mind */
    ends_open(&ends, stranger, trusted_node(&trusted, 2), NULL, NULL);
    not_let_in(&ends, 1, TLS_other_cluster, "another cluster");
    trusted_close(&trusted);
    trusted_close(&evil);
    trusted_close(&other);
}

TEST(a_certificate_of_the_ca_for_another_cluster_is_refused)
{
    struct principal stranger = {.kind = PRINCIPAL_NODE, .cluster = CLUSTER + 1, .id = 1};
    struct trusted trusted;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    ends_open(&ends, trusted_credentials(&trusted, &stranger, NULL, NULL),
              trusted_node(&trusted, 2), NULL, NULL);
    /* The first to see it is who dialled: the node is of another cluster for him. */
    not_let_in(&ends, 0, TLS_other_cluster, "another cluster");
    trusted_close(&trusted);
}

TEST(time_is_looked_at_on_both_sides)
{
    uint64_t now = trusted_now_s();
    struct trusted_odd old = {.span = {now - 20 * DAY, now - DAY}};
    struct trusted_odd young = {.span = {now + DAY, now + 20 * DAY}};
    struct trusted trusted;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    ends_open(&ends, of_kind(&trusted, PRINCIPAL_NODE, &old), trusted_node(&trusted, 2), NULL,
              NULL);
    not_let_in(&ends, 1, TLS_expired, "node/00000000000000d1: its certificate has expired");
    ends_open(&ends, of_kind(&trusted, PRINCIPAL_NODE, &young), trusted_node(&trusted, 2), NULL,
              NULL);
    not_let_in(&ends, 1, TLS_not_yet_valid, "not valid yet");
    ends_open(&ends, trusted_node(&trusted, 2), of_kind(&trusted, PRINCIPAL_NODE, &old), NULL,
              NULL);
    not_let_in(&ends, 0, TLS_expired, "expired");
    ends_open(&ends, trusted_node(&trusted, 2), of_kind(&trusted, PRINCIPAL_NODE, &young), NULL,
              NULL);
    not_let_in(&ends, 0, TLS_not_yet_valid, "not valid yet");
    trusted_close(&trusted);
}

TEST(the_time_is_that_of_the_clock_that_is_given)
{
    struct tls_options options = {.wall_ms = (trusted_now_s() + 2 * 365 * DAY) * 1000};
    struct trusted trusted;
    struct ends ends = {0};

    trusted_open(&trusted, CLUSTER);
    for (int i = 0; i < 2; i++) {
        options.credentials = trusted_node(&trusted, (uint64_t)i + 1);
        options.server = i;
        CHECK_OK(tls_new(&options, &ends.tls[i]));
        credentials_close(options.credentials);
    }
    not_let_in(&ends, 0, TLS_expired, "expired");
    trusted_close(&trusted);
}

TEST(a_certificate_is_for_one_end_of_a_link)
{
    struct trusted_odd client_only = {.usage = ISSUE_CLIENT}, server_only = {.usage = ISSUE_SERVER};
    struct trusted trusted;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    ends_open(&ends, of_kind(&trusted, PRINCIPAL_NODE, &server_only), trusted_node(&trusted, 2),
              NULL, NULL);
    not_let_in(&ends, 1, TLS_wrong_usage, "not for this end");
    ends_open(&ends, trusted_node(&trusted, 2), of_kind(&trusted, PRINCIPAL_NODE, &client_only),
              NULL, NULL);
    /* It sees that itself. */
    not_let_in(&ends, 1, TLS_no_cipher, "cipher");
    trusted_close(&trusted);
}

TEST(nobody_but_nodes_poses_as_one)
{
    static const enum principal_kind fakes[] = {PRINCIPAL_CLIENT, PRINCIPAL_JOIN};
    struct trusted trusted;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    for (int i = 0; i < 2; i++) {
        ends_open(&ends, trusted_node(&trusted, 2), of_kind(&trusted, fakes[i], NULL), NULL, NULL);
        not_let_in(&ends, 0, TLS_wrong_usage, "not for this end");
    }
    ends_open(&ends, of_kind(&trusted, PRINCIPAL_CLIENT, NULL),
              of_kind(&trusted, PRINCIPAL_DEVICE, NULL), NULL, NULL);
    not_let_in(&ends, 0, TLS_wrong_usage, "not for this end");
    ends_open(&ends, trusted_node(&trusted, 2), of_kind(&trusted, PRINCIPAL_DEVICE, NULL), NULL,
              NULL);
    shake_hands(&ends, 1000);
    CHECK(ends.progress[0] == TLS_IS_UP && ends.progress[1] == TLS_IS_UP);
    ends_close(&ends);
    trusted_close(&trusted);
}

static bool is_the_one(void *arg, const struct principal *principal)
{
    return principal->id == *(uint64_t *)arg;
}

TEST(who_is_revoked_is_refused_and_told_so)
{
    uint64_t revoked = 0xa1;
    struct trusted trusted;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    ends_open(&ends, trusted_node(&trusted, 0xa1), trusted_node(&trusted, 0xa2), is_the_one,
              &revoked);
    shake_hands(&ends, 1000);
    CHECK_EQUAL(tls_fault(ends.tls[1]), TLS_revoked);
    CHECK_EQUAL(tls_fault(ends.tls[0]), TLS_refused);
    ends_close(&ends);
    ends_open(&ends, trusted_node(&trusted, 0xa3), trusted_node(&trusted, 0xa2), is_the_one,
              &revoked);
    shake_hands(&ends, 1000);
    CHECK_EQUAL(ends.progress[1], TLS_IS_UP);
    ends_close(&ends);
    trusted_close(&trusted);
}

TEST(a_ca_may_be_known_by_its_fingerprint)
{
    struct principal token = {.kind = PRINCIPAL_JOIN, .cluster = CLUSTER, .id = 0xa1};
    struct trusted trusted, evil;
    struct ends ends;

    trusted_open(&trusted, CLUSTER);
    trusted_open(&evil, CLUSTER);
    ends_open(&ends, trusted_credentials(&trusted, &token, NULL, &trusted),
              trusted_node(&trusted, 2), NULL, NULL);
    shake_hands(&ends, 1000);
    CHECK(ends.progress[0] == TLS_IS_UP && ends.progress[1] == TLS_IS_UP);
    CHECK_EQUAL(tls_principal(ends.tls[1])->kind, PRINCIPAL_JOIN);
    ends_close(&ends);
    ends_open(&ends, trusted_credentials(&trusted, &token, NULL, &trusted), trusted_node(&evil, 2),
              NULL, NULL);
    not_let_in(&ends, 0, TLS_unknown_ca, "not signed by the CA");
    trusted_close(&trusted);
    trusted_close(&evil);
}

/* ---- what is not TLS ---- */

TEST(what_is_no_tls_is_refused_early)
{
    static const char *const junk[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff.",
                                       "\x17\x03\x03\x01\x05hello", "\xff\xff\xff\xff\xff\xff\xff"};
    struct trusted trusted;

    trusted_open(&trusted, CLUSTER);
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        struct tls_options options = {.credentials = trusted_node(&trusted, 1), .server = true};
        struct tls *tls;

        CHECK_OK(tls_new(&options, &tls));
        credentials_close(options.credentials);
        tls_input(tls, slice_text(junk[i]));
        CHECK_EQUAL(tls_run(tls), TLS_FAILED);
        CHECK_EQUAL(tls_run(tls), TLS_FAILED);
        CHECK_EQUAL(tls_fault(tls), TLS_not_tls);
        tls_free(tls);
    }
    trusted_close(&trusted);
}

struct sweep {
    struct credentials *credentials;
};

static int made(void *argument)
{
    struct sweep *sweep = argument;
    struct tls_options options = {.credentials = sweep->credentials};
    struct tls *tls = NULL;
    int code = tls_new(&options, &tls);

    if (!code && tls_run(tls) == TLS_FAILED) {
        CHECK_EQUAL(tls_fault(tls), TLS_no_memory);
        code = NEAP_NOMEM;
    }
    tls_free(tls);
    return code;
}

TEST(a_connection_without_memory_is_an_error)
{
    struct trusted trusted;
    struct sweep sweep;

    trusted_open(&trusted, CLUSTER);
    sweep.credentials = trusted_node(&trusted, 1);
    test_alloc_sweep(made, &sweep);
    credentials_close(sweep.credentials);
    trusted_close(&trusted);
}
