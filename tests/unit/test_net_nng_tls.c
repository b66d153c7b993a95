/* Links with TLS, on loopback. Nothing here waits for time to pass, but for events. */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/support/trusted.h"
#include "tests/unit/net_pair.h"
#include "trust/credentials_parts.h"
#include "trust/secret.h"

enum { CLUSTER = 0xc1, DAY = 86400 };

/* Who is revoked: nobody while it is 0. */
static bool is_the_one(void *arg, const struct principal *principal)
{
    return principal->id == atomic_load((atomic_ullong *)arg);
}

/* The credentials are given away. */
static void tls_listen(struct pair *pair, struct credentials *near, struct credentials *far,
                       atomic_ullong *revoked)
{
    struct net_nng_options here = {.credentials = near, .queue_max = 16 << 20};
    struct net_nng_options there = {.credentials = far,
                                    .queue_max = 16 << 20,
                                    .is_revoked = revoked ? is_the_one : NULL,
                                    .is_revoked_arg = revoked};

    pair_listen(pair, &here, &there);
    credentials_close(near);
    credentials_close(far);
}

static void tls_open(struct pair *pair, const struct trusted *trusted, atomic_ullong *revoked)
{
    tls_listen(pair, trusted_node(trusted, 0xa1), trusted_node(trusted, 0xa2), revoked);
    pair_dial(pair);
}

TEST(both_ends_are_told_who_is_at_the_other)
{
    struct principal principal = {0};
    struct trusted trusted;
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    tls_open(&pair, &trusted, NULL);
    CHECK_EQUAL(pair.here.events[0].principal.id, 0xa2);
    CHECK_EQUAL(pair.there.events[0].principal.id, 0xa1);
    CHECK_EQUAL(pair.there.events[0].principal.kind, PRINCIPAL_NODE);
    CHECK_OK(pair.far->ops->who(pair.far, pair.far_link, &principal));
    CHECK_EQUAL(principal.id, 0xa1);
    CHECK_ERROR(pair.far->ops->who(pair.far, 5, &principal), NEAP_NOTFOUND);
    CHECK_OK(pair.near->ops->send(pair.near, 1, slice_text("hello")));
    CHECK_SLICE(buffer_slice(&inbox_take(&pair.there)->message), "hello");
    pair_close(&pair);
    trusted_close(&trusted);
}

/* Megabytes both ways at the same time, then one side hangs up. */
TEST(much_goes_both_ways_and_ends_cleanly)
{
    static uint8_t bytes[5 << 20];
    struct trusted trusted;
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    tls_open(&pair, &trusted, NULL);
    pair.far->ops->trust(pair.far, pair.far_link);
    pair.near->ops->trust(pair.near, 1);
    (void)pattern(bytes, sizeof bytes);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(pair.near->ops->send(pair.near, 1, slice_of(bytes, sizeof bytes)));
        CHECK_OK(pair.far->ops->send(pair.far, pair.far_link, slice_of(bytes, sizeof bytes)));
    }
    for (int i = 0; i < 3; i++) {
        for (int far = 0; far < 2; far++) {
            struct inbox *inbox = far ? &pair.there : &pair.here;
            struct net *net = far ? pair.far : pair.near;
            struct net_event *event;

            do
                event = inbox_take(inbox);
            while (event->kind == NET_PROGRESS);
            CHECK_EQUAL(event->kind, NET_MESSAGE);
            CHECK(slice_equal(buffer_slice(&event->message), slice_of(bytes, sizeof bytes)));
            net->ops->ready(net, event->link);
        }
    }
    CHECK_OK(pair.far->ops->send(pair.far, pair.far_link, slice_of(bytes, sizeof bytes)));
    pair.near->ops->close(pair.near, 1);
    CHECK_EQUAL(inbox_take(&pair.there)->kind, NET_DOWN);
    pair_close(&pair);
    trusted_close(&trusted);
}

TEST(nets_that_are_stopped_in_the_middle_are_freed)
{
    static uint8_t bytes[5 << 20];
    struct trusted trusted;
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    tls_open(&pair, &trusted, NULL);
    pair.far->ops->trust(pair.far, pair.far_link);
    CHECK_OK(pair.near->ops->send(pair.near, 1, slice_of(bytes, sizeof bytes)));
    CHECK_OK(pair.near->ops->dial(pair.near, 2, pair.address));
    pair_close(&pair);
    trusted_close(&trusted);
}

/* ---- who is let in ---- */

struct seen {
    char dialler[96], listener[96]; /* what each says of the other */
};

/* Who dials is refused, counted as `name`; what both say of it. */
static struct seen refused(struct pair *pair, const char *name)
{
    struct net_refused said = {0};
    struct net_event *event;
    struct seen seen;

    CHECK_OK(pair->near->ops->dial(pair->near, 1, pair->address));
    event = inbox_take(&pair->here);
    CHECK_EQUAL(event->kind, NET_DOWN);
    memcpy(seen.dialler, event->reason, sizeof seen.dialler);
    /* The other side heard of it in the same moment, or before. */
    while (!pair->far->ops->refused(pair->far, 0, &said))
        CHECK(!poll(NULL, 0, 1));
    memcpy(seen.listener, said.reason, sizeof seen.listener);
    CHECK_TEXT(said.from, "127.0.0.1");
    CHECK_EQUAL(said.times, 1);
    CHECK_EQUAL(net_counted(pair->far, name), 1);
    CHECK(inbox_is_empty(&pair->there));
    pair_close(pair);
    return seen;
}

static struct credentials *odd_node(const struct trusted *trusted, struct trusted_odd odd)
{
    struct principal node = {.kind = PRINCIPAL_NODE, .cluster = trusted->cluster, .id = 0xa1};

    return trusted_credentials(trusted, &node, &odd, NULL);
}

#define SAYS(text, words)                                                               \
    do {                                                                                \
        if (!strstr(text, words))                                                       \
            test_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", text, words); \
    } while (0)

TEST(the_matrix_of_certificates)
{
    uint64_t now = trusted_now_s();
    struct trusted trusted, evil, other;
    struct credentials *made;
    atomic_ullong revoked;
    struct pair pair;
    struct seen seen;

    trusted_open(&trusted, CLUSTER);
    trusted_open(&evil, CLUSTER);
    trusted_open(&other, CLUSTER + 1);
    /* The right one. */
    tls_open(&pair, &trusted, NULL);
    CHECK_EQUAL(pair.there.events[0].principal.id, 0xa1);
    pair_close(&pair);
    /* None. */
    made = trusted_node(&trusted, 0xa1);
    mbedtls_x509_crt_free(&made->chain);
    tls_listen(&pair, made, trusted_node(&trusted, 0xa2), NULL);
    seen = refused(&pair, "tls_no_certificate");
    SAYS(seen.listener, "it showed no certificate");
    SAYS(seen.dialler, "it refuses");
    /* Of an unknown CA, though the names are right: to the one who listens, and to the one who
     * dials. */
    made = trusted_credentials(
        &evil, &(struct principal){.kind = PRINCIPAL_NODE, .cluster = CLUSTER, .id = 0xa1}, NULL,
        &trusted);
    tls_listen(&pair, made, trusted_node(&trusted, 0xa2), NULL);
    seen = refused(&pair, "tls_unknown_ca");
    SAYS(seen.listener, "node/00000000000000a1: its certificate is not signed by the CA of this");
    SAYS(seen.dialler, "it refuses this node's certificate");
    tls_listen(&pair, trusted_node(&trusted, 0xa1), trusted_node(&evil, 0xa2), NULL);
    seen = refused(&pair, "tls_refused");
    SAYS(seen.dialler, "node/00000000000000a2: its certificate is not signed by the CA of this");
    SAYS(seen.listener, "it refuses this node's certificate");
    /* Over, and yet to come. */
    tls_listen(&pair, odd_node(&trusted, (struct trusted_odd){.span = {now - 9 * DAY, now - DAY}}),
               trusted_node(&trusted, 0xa2), NULL);
    seen = refused(&pair, "tls_expired");
    SAYS(seen.listener, "node/00000000000000a1: its certificate has expired");
    SAYS(seen.dialler, "it refuses");
    tls_listen(&pair, odd_node(&trusted, (struct trusted_odd){.span = {now + DAY, now + 9 * DAY}}),
               trusted_node(&trusted, 0xa2), NULL);
    seen = refused(&pair, "tls_not_yet_valid");
    SAYS(seen.listener, "is not valid yet");
    /* For the other end of a link. */
    tls_listen(&pair, odd_node(&trusted, (struct trusted_odd){.usage = ISSUE_SERVER}),
               trusted_node(&trusted, 0xa2), NULL);
    seen = refused(&pair, "tls_wrong_usage");
    SAYS(seen.listener, "is not for this end of a link");
    /* Of another cluster, either way. */
    made = trusted_node(&other, 0xa1);
    tls_listen(&pair, made, trusted_node(&trusted, 0xa2), NULL);
    seen = refused(&pair, "tls_refused");
    SAYS(seen.dialler, "its certificate is of another cluster");
    /* Revoked. */
    atomic_init(&revoked, 0xa1);
    tls_listen(&pair, trusted_node(&trusted, 0xa1), trusted_node(&trusted, 0xa2), &revoked);
    seen = refused(&pair, "tls_revoked");
    SAYS(seen.listener, "node/00000000000000a1: its certificate's owner is revoked");
    SAYS(seen.dialler, "it refuses");
    trusted_close(&trusted);
    trusted_close(&evil);
    trusted_close(&other);
}

TEST(whoever_is_revoked_while_connected_is_dropped_and_others_stay)
{
    struct trusted trusted;
    atomic_ullong revoked;
    struct net_event *event;
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    atomic_init(&revoked, 0);
    tls_open(&pair, &trusted, &revoked);
    pair.far->ops->recheck(pair.far);
    CHECK_OK(pair.near->ops->send(pair.near, 1, slice_text("still here")));
    CHECK_EQUAL(inbox_take(&pair.there)->kind, NET_MESSAGE);
    atomic_store(&revoked, 0xa1);
    pair.far->ops->recheck(pair.far);
    event = inbox_take(&pair.there);
    CHECK_EQUAL(event->kind, NET_DOWN);
    SAYS(event->reason, "revoked");
    CHECK_EQUAL(inbox_take(&pair.here)->kind, NET_DOWN);
    CHECK_EQUAL(net_counted(pair.far, "revoked"), 1);
    CHECK_EQUAL(pair.far->ops->send(pair.far, pair.far_link, slice_text("x")), NEAP_NOTFOUND);
    pair_close(&pair);
    trusted_close(&trusted);
}

/* ---- who says nothing, or something else ---- */

/* Until the other side hangs up. */
static void hung_up(int raw)
{
    uint8_t byte[64];
    ssize_t got;

    do
        got = recv(raw, byte, sizeof byte, 0);
    while (got > 0);
    close(raw);
}

TEST(a_silent_stranger_is_hung_up_on_and_nobody_is_told)
{
    struct net_refused said;
    struct trusted trusted;
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    struct net_nng_options far = {.credentials = trusted_node(&trusted, 1), .handshake_ms = 50};
    pair_listen(&pair, &(struct net_nng_options){0}, &far);
    credentials_close(far.credentials);
    hung_up(raw_connect(pair.far));
    CHECK(pair.far->ops->refused(pair.far, 0, &said));
    SAYS(said.reason, "deadline");
    CHECK_EQUAL(net_counted(pair.far, "handshake_late"), 1);
    CHECK(inbox_is_empty(&pair.there));
    pair_close(&pair);
    trusted_close(&trusted);
}

TEST(whoever_speaks_no_tls_is_hung_up_on)
{
    static const char junk[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    struct trusted trusted;
    struct pair pair;
    int raw;

    trusted_open(&trusted, CLUSTER);
    tls_listen(&pair, trusted_node(&trusted, 1), trusted_node(&trusted, 2), NULL);
    raw = raw_connect(pair.far);
    CHECK(write(raw, junk, sizeof junk) == sizeof junk);
    hung_up(raw);
    CHECK_EQUAL(net_counted(pair.far, "tls_not_tls"), 1);
    CHECK(inbox_is_empty(&pair.there));
    pair_close(&pair);
    trusted_close(&trusted);
}

TEST(silent_strangers_of_one_address_take_few_places)
{
    enum { STRANGERS = 40 };
    struct trusted trusted;
    int raw[STRANGERS];
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    tls_listen(&pair, trusted_node(&trusted, 1), trusted_node(&trusted, 2), NULL);
    for (int i = 0; i < STRANGERS; i++)
        raw[i] = raw_connect(pair.far);
    /* Those who are over the limit are hung up on at once, or make a slower one go. */
    while (net_counted(pair.far, "over_handshakes_of_address") +
               net_counted(pair.far, "handshake_given_up") +
               net_counted(pair.far, "over_failures_of_address") <
           STRANGERS - 8)
        CHECK(!poll(NULL, 0, 1));
    CHECK_EQUAL(net_counted(pair.far, "over_links_max"), 0);
    for (int i = 0; i < STRANGERS; i++)
        close(raw[i]);
    pair_close(&pair);
    trusted_close(&trusted);
}

/* ---- certificates that change ---- */

TEST(new_certificates_are_taken_while_links_go_on)
{
    struct principal node = {.kind = PRINCIPAL_NODE, .cluster = CLUSTER, .id = 2};
    struct trusted_odd old = {.span = {trusted_now_s() - 9 * DAY, trusted_now_s() - DAY}};
    char path[] = "/tmp/neap-test-XXXXXX";
    struct net_nng_options far = {0}, near = {0};
    struct buffer certificate, key;
    struct neap_error error = {0};
    struct net_event *event;
    struct trusted trusted;
    struct pair pair;

    trusted_open(&trusted, CLUSTER);
    CHECK(mkdtemp(path) && !rmdir(path));
    trusted_directory(&trusted, &node, path);
    CHECK_OK(credentials_open(path, &far.credentials, NULL));
    near.credentials = trusted_node(&trusted, 1);
    pair_listen(&pair, &near, &far);
    credentials_close(near.credentials);
    credentials_close(far.credentials);
    pair_dial(&pair);
    /* What cannot be used changes nothing. */
    trusted_issue(&trusted, &node, &old, &certificate, &key);
    trusted_file(path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    CHECK_ERROR(pair.far->ops->reload(pair.far, &error), NEAP_INVALID);
    trusted_file(path, CREDENTIALS_CERTIFICATE, buffer_slice(&certificate), 0600);
    CHECK_OK(pair.far->ops->reload(pair.far, &error));
    CHECK_OK(pair.near->ops->dial(pair.near, 2, pair.address));
    event = inbox_take(&pair.here);
    CHECK_EQUAL(event->link, 2);
    SAYS(event->reason, "has expired"); /* the new one is shown */
    CHECK_OK(pair.near->ops->send(pair.near, 1, slice_text("still here")));
    CHECK_SLICE(buffer_slice(&inbox_take(&pair.there)->message), "still here");
    pair_close(&pair);
    trusted_directory_remove(path);
    trusted_close(&trusted);
    buffer_done(&certificate);
    secret_done(&key);
}

/* ---- clients ---- */

TEST(a_client_calls_over_tls)
{
    static uint8_t bytes[3 << 20];
    struct principal human = {.kind = PRINCIPAL_CLIENT, .cluster = CLUSTER, .id = 0xc};
    struct credentials *client, *node;
    struct principal who = {0};
    struct neap_error error = {0};
    struct trusted trusted, evil;
    struct net_call *call = NULL;
    struct net_event *event;
    struct asking asking;
    struct inbox inbox;
    char address[64];
    struct net *net;

    trusted_open(&trusted, CLUSTER);
    trusted_open(&evil, CLUSTER);
    client = trusted_credentials(&trusted, &human, NULL, NULL);
    node = trusted_node(&trusted, 2);
    inbox_init(&inbox);
    snprintf(address, sizeof address, "tls+tcp://127.0.0.1:%d", 20000 + getpid() % 20000);
    CHECK_OK(net_nng_open(&(struct net_nng_options){.clients = address, .credentials = node},
                          &inbox.sink, &net, &error));
    CHECK_ERROR(net_call_open(address, NULL, 5000, &call, &error), NEAP_REFUSED);
    CHECK_OK(net_call_open(address, client, 5000, &call, &error));
    event = inbox_take(&inbox);
    CHECK_EQUAL(event->kind, NET_UP);
    CHECK_OK(net->ops->who(net, event->link, &who));
    CHECK(principal_equal(&who, &human));
    net->ops->trust(net, event->link);
    asking_start(&asking, call, "question");
    CHECK_SLICE(buffer_slice(&inbox_take(&inbox)->message), "question");
    CHECK_OK(net->ops->send(net, event->link, pattern(bytes, sizeof bytes)));
    CHECK_OK(asking_end(&asking));
    CHECK(slice_equal(buffer_slice(&asking.reply), slice_of(bytes, sizeof bytes)));
    buffer_done(&asking.reply);
    net_call_close(call);
    credentials_close(client);
    client = trusted_credentials(&evil, &human, NULL, &trusted);
    CHECK_ERROR(net_call_open(address, client, 5000, &call, &error), NEAP_REFUSED);
    SAYS(error.text, "it refuses this node's certificate");
    CHECK_EQUAL(net_counted(net, "client_tls_unknown_ca"), 1);
    credentials_close(client);
    credentials_close(node);
    net->ops->stop(net);
    net->ops->free(net);
    inbox_done(&inbox);
    trusted_close(&trusted);
    trusted_close(&evil);
}
