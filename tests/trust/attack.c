/* A node under attack, on loopback: while each of these goes on, another node that belongs to the
 * cluster connects in under a second, and gets what was written. The attackers have addresses of
 * their own (127.0.x.y), as they would in a network. ATTACK_MS=30000 lets each go on for longer and
 * has nodes come again and again; without it one comes. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "gossip/frame.h"
#include "gossip/message.h"
#include "neap.h"
#include "tests/support/sanitized.h"
#include "tests/support/test.h"
#include "tests/support/trusted.h"
#include "trust/credentials_parts.h"
#include "trust/tls.h"

enum { CLUSTER = 0xc1, THREADS = 4, CONNECT_MS_MAX = 1000, SYNC_MS_MAX = 10000, WAIT_MS = 60000 };
/* In `make check` others use the processor as well, and so many may come too late before one. */
enum { OTHERS_MAX = 3 };

struct attack {
    struct trusted trusted;
    char path[40], address[64];
    uint16_t port;
    struct neap *victim;
    uint64_t nodes; /* ids given */
    void *(*run)(void *attack);
    unsigned threads;
    atomic_bool ends;
    atomic_uint started, tries;
};

static uint64_t clock_ms(void)
{
    struct timespec now;

    CHECK(!clock_gettime(CLOCK_MONOTONIC, &now));
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* ---- nodes ---- */

static uint16_t port_free(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof address;

    CHECK(raw >= 0 && !bind(raw, (struct sockaddr *)&address, size));
    CHECK(!getsockname(raw, (struct sockaddr *)&address, &size));
    close(raw);
    return ntohs(address.sin_port);
}

static struct neap *node_open_at(struct attack *attack, const char *listen, const char *peers)
{
    struct principal who = {
        .kind = PRINCIPAL_NODE, .cluster = CLUSTER, .id = 0xa0 + ++attack->nodes};
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap = NULL;
    char directory[60];

    snprintf(directory, sizeof directory, "%s/%llu", attack->path,
             (unsigned long long)attack->nodes);
    trusted_directory(&attack->trusted, &who, directory);
    neap_options_init(&options);
    options.cluster = directory;
    options.listen = listen;
    options.peers = peers;
    if (neap_open(&options, &neap, &error))
        test_failed(__FILE__, __LINE__, "%s", error.text);
    trusted_directory_remove(directory);
    return neap;
}

static int64_t number_of(struct neap *neap, const char *name)
{
    struct neap_iter *numbers;
    struct neap_item item;
    int64_t found = -1;

    CHECK_OK(neap_stats(neap, &numbers));
    while (!neap_next(numbers, &item, 0))
        if (item.name.size == strlen(name) && !memcmp(item.name.data, name, item.name.size))
            found = item.number;
    neap_iter_free(numbers);
    return found;
}

static struct neap_place place_of(const char *key)
{
    return (struct neap_place){.bucket = "shop", .key = {key, strlen(key)}};
}

static void write_key(struct neap *neap, const char *key, struct neap_bytes value)
{
    struct neap_place at = place_of(key);

    CHECK_OK(neap_lww_set(neap, &at, value, NULL));
}

static bool has_key(struct neap *neap, const char *key)
{
    struct neap_place at = place_of(key);
    struct neap_buffer value = {0};

    if (neap_lww_get(neap, &at, &value, NULL))
        return false;
    neap_buffer_free(&value);
    return true;
}

/* Somebody who belongs there comes, gets what is there, and gives what he has. Was it in time? */
static bool good_node(struct attack *attack)
{
    uint64_t began, connected, limit = SANITIZED ? WAIT_MS : CONNECT_MS_MAX;
    struct neap *good = node_open_at(attack, NULL, attack->address);
    char key[32];

    snprintf(key, sizeof key, "of %llu", (unsigned long long)attack->nodes);
    began = clock_ms();
    while (number_of(good, "peers_connected") < 1 && clock_ms() < began + WAIT_MS)
        pause_ms(1);
    connected = clock_ms() - began;
    write_key(good, key, (struct neap_bytes){"x", 1});
    while (!(has_key(good, "before") && has_key(attack->victim, key)) &&
           clock_ms() < began + WAIT_MS)
        pause_ms(1);
    printf("# connected after %llu ms, the same after %llu ms; %lld refused, %u tries\n",
           (unsigned long long)connected, (unsigned long long)(clock_ms() - began),
           (long long)number_of(attack->victim, "links_refused"), atomic_load(&attack->tries));
    CHECK(clock_ms() - began < (SANITIZED ? WAIT_MS : SYNC_MS_MAX));
    neap_close(good);
    return connected < limit;
}

/* ---- connections ---- */

/* From an address of its own, for each `source`. -1: it was not let in. */
static int dial_from(const struct attack *attack, unsigned source)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_usec = 500000};

    if (raw < 0)
        return -1;
    own.sin_addr.s_addr = htonl(0x7f000000u | (1 + source / 200) << 8 | (1 + source % 200));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons(attack->port);
    (void)setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(raw, (struct sockaddr *)&own, sizeof own) ||
        connect(raw, (struct sockaddr *)&there, sizeof there)) {
        close(raw);
        return -1;
    }
    return raw;
}

static bool is_over(int raw)
{
    struct pollfd look = {.fd = raw, .events = POLLIN};
    uint8_t bytes[512];

    return poll(&look, 1, 0) > 0 && recv(raw, bytes, sizeof bytes, MSG_DONTWAIT) <= 0;
}

/* A handshake as it should be, with these credentials, over a connection that waits. */
static struct tls *shake_hands(int raw, struct credentials *credentials)
{
    struct tls_options options = {.credentials = credentials, .wall_ms = trusted_now_s() * 1000};
    enum tls_progress progress = TLS_GOES_ON;
    uint8_t bytes[8192];
    struct tls *tls;

    CHECK_OK(tls_new(&options, &tls));
    while (progress == TLS_GOES_ON) {
        struct buffer out;
        ssize_t got;

        progress = tls_run(tls);
        tls_output(tls, &out);
        got = send(raw, out.data, out.size, MSG_NOSIGNAL);
        buffer_done(&out);
        if (got < 0 || progress != TLS_GOES_ON)
            break;
        got = recv(raw, bytes, sizeof bytes, 0);
        if (got <= 0)
            break;
        tls_input(tls, slice_of(bytes, (size_t)got));
        progress = tls_run(tls);
    }
    if (progress == TLS_IS_UP)
        return tls;
    tls_free(tls);
    return NULL;
}

static bool say(int raw, struct tls *tls, struct slice bytes)
{
    struct buffer out;
    size_t count;
    ssize_t sent;

    while (bytes.size) {
        if (tls_write(tls, bytes, &count))
            return false;
        bytes = slice_of(bytes.data + count, bytes.size - count);
        tls_output(tls, &out);
        sent = send(raw, out.data, out.size, MSG_NOSIGNAL);
        buffer_done(&out);
        if (sent < 0)
            return false;
    }
    return true;
}

/* ---- attacks: each is run by some threads until it is told to end ---- */

/* Each thread has its part of 500 connections on which nothing is said; those that are ended are
 * made anew. */
static void *attack_silent(void *arg)
{
    enum { SILENT = 500 / THREADS };
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1);
    int raw[SILENT];

    for (unsigned i = 0; i < SILENT; i++)
        raw[i] = -1;
    while (!atomic_load(&attack->ends)) {
        for (unsigned i = 0; i < SILENT && !atomic_load(&attack->ends); i++) {
            if (raw[i] >= 0 && !is_over(raw[i]))
                continue;
            if (raw[i] >= 0)
                close(raw[i]);
            raw[i] = dial_from(attack, thread * SILENT + i);
            if (atomic_fetch_add(&attack->tries, 1) >= 500)
                pause_ms(1000 * THREADS / 500);
        }
        pause_ms(10);
    }
    for (unsigned i = 0; i < SILENT; i++)
        if (raw[i] >= 0)
            close(raw[i]);
    return NULL;
}

/* 200 handshakes a second, all threads together, each as far as the certificate that is missing. */
static void *attack_handshakes(void *arg)
{
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1), source = 0;
    struct credentials *none = trusted_node(&attack->trusted, 1);
    uint64_t next = clock_ms();

    mbedtls_x509_crt_free(&none->chain);
    while (!atomic_load(&attack->ends)) {
        int raw = dial_from(attack, thread * 25 + source++ % 25);

        if (raw >= 0) {
            tls_free(shake_hands(raw, none));
            close(raw);
        }
        atomic_fetch_add(&attack->tries, 1);
        next += 1000 * THREADS / 200;
        if (next > clock_ms())
            pause_ms((int)(next - clock_ms()));
    }
    credentials_close(none);
    return NULL;
}

/* Records of TLS that are too large, or of which the half is sent; then silence. */
static void *attack_records(void *arg)
{
    static const uint8_t oversize[] = {0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xfb};
    static const uint8_t half[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1), source = 0;
    int raw[64];

    for (unsigned i = 0; i < 64; i++)
        raw[i] = -1;
    while (!atomic_load(&attack->ends)) {
        for (unsigned i = 0; i < 64 && !atomic_load(&attack->ends); i++) {
            if (raw[i] >= 0 && !is_over(raw[i]))
                continue;
            if (raw[i] >= 0)
                close(raw[i]);
            raw[i] = dial_from(attack, thread * 50 + source++ % 50);
            if (raw[i] >= 0 && i % 2)
                (void)!send(raw[i], half, sizeof half, MSG_NOSIGNAL);
            else if (raw[i] >= 0)
                (void)!send(raw[i], oversize, sizeof oversize, MSG_NOSIGNAL);
            if (atomic_fetch_add(&attack->tries, 1) >= 256)
                pause_ms(1000 * THREADS / 500);
        }
        pause_ms(10);
    }
    for (unsigned i = 0; i < 64; i++)
        if (raw[i] >= 0)
            close(raw[i]);
    return NULL;
}

/* 50,000 bytes a second and more of noise. */
static void *attack_junk(void *arg)
{
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1), source = 0;
    uint8_t bytes[1024];
    struct rng rng;
    int raw = -1;

    rng_init(&rng, thread);
    while (!atomic_load(&attack->ends)) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)rng_u64(&rng);
        if (raw < 0)
            raw = dial_from(attack, thread * 50 + source++ % 50);
        if (raw >= 0 && send(raw, bytes, sizeof bytes, MSG_NOSIGNAL) < 0) {
            close(raw);
            raw = -1;
        }
        atomic_fetch_add(&attack->tries, 1);
        pause_ms(20);
    }
    if (raw >= 0)
        close(raw);
    return NULL;
}

/* A member gone bad: a frame that is larger than may be, or the half of one that is fine. */
static void *attack_frames(void *arg)
{
    static const uint8_t oversize[FRAME_HEAD + 16] = {0xff, 0xff, 0xff, 0xff};
    static const uint8_t half[FRAME_HEAD + 16] = {0, 0, 4, 0};
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1), number = 0;
    struct credentials *bad = trusted_node(&attack->trusted, 0x66 + thread);
    int raw[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    struct tls *tls[8] = {0};

    while (!atomic_load(&attack->ends)) {
        unsigned i = number++ % 8;

        tls_free(tls[i]);
        if (raw[i] >= 0)
            close(raw[i]);
        raw[i] = dial_from(attack, thread);
        tls[i] = raw[i] >= 0 ? shake_hands(raw[i], bad) : NULL;
        if (tls[i])
            (void)say(raw[i], tls[i],
                      number % 2 ? slice_of(half, sizeof half)
                                 : slice_of(oversize, sizeof oversize));
        atomic_fetch_add(&attack->tries, 1);
        pause_ms(20);
    }
    for (unsigned i = 0; i < 8; i++) {
        tls_free(tls[i]);
        if (raw[i] >= 0)
            close(raw[i]);
    }
    credentials_close(bad);
    return NULL;
}

/* A member that says hello as it should, on both channels, and never reads a byte afterwards. */
static void *attack_deaf(void *arg)
{
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1);
    struct credentials *bad = trusted_node(&attack->trusted, 0x66 + thread);
    struct tls *tls[CHANNELS] = {0};
    int raw[CHANNELS] = {0};

    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        uint8_t framed[FRAME_HEAD + HELLO_SIZE_MAX];
        struct message message;
        struct buffer bytes;
        struct slice body;

        message_init(&message);
        message.kind = MESSAGE_HELLO;
        message.hello = (struct hello){.cluster = CLUSTER,
                                       .node = 0x66 + thread,
                                       .nonce = 7,
                                       .wire_version = WIRE_VERSION,
                                       .channel = (enum channel)channel,
                                       .address = ""};
        buffer_init(&bytes, HELLO_SIZE_MAX);
        CHECK_OK(message_encode(&message, &bytes));
        body = frame_next(buffer_slice(&bytes), 0, framed);
        memcpy(framed + FRAME_HEAD, body.data, body.size);
        raw[channel] = dial_from(attack, thread);
        tls[channel] = raw[channel] >= 0 ? shake_hands(raw[channel], bad) : NULL;
        if (tls[channel] &&
            say(raw[channel], tls[channel], slice_of(framed, FRAME_HEAD + body.size)))
            atomic_fetch_add(&attack->tries, 1);
        buffer_done(&bytes);
    }
    while (!atomic_load(&attack->ends))
        pause_ms(10);
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        tls_free(tls[channel]);
        if (raw[channel] >= 0)
            close(raw[channel]);
    }
    credentials_close(bad);
    return NULL;
}

/* ---- one after the other ---- */

static void attack_open(struct attack *attack)
{
    *attack = (struct attack){0};
    snprintf(attack->path, sizeof attack->path, "/tmp/neap-attack-XXXXXX");
    CHECK(mkdtemp(attack->path));
    trusted_open(&attack->trusted, CLUSTER);
    attack->port = port_free();
    snprintf(attack->address, sizeof attack->address, "tls+tcp://127.0.0.1:%u", attack->port);
    attack->victim = node_open_at(attack, attack->address, NULL);
    write_key(attack->victim, "before", (struct neap_bytes){"x", 1});
}

/* The victim also keeps writing, which the deaf are sent. */
static void attack_go_on(struct attack *attack, void *(*run)(void *))
{
    uint64_t lasts = test_number("ATTACK_MS", 0), ends = clock_ms() + lasts;
    unsigned late = 0, late_max = lasts ? 0 : OTHERS_MAX;
    static uint8_t large[200000];
    pthread_t threads[THREADS];

    atomic_store(&attack->started, 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, run, attack));
    /* It is well under way. */
    while (atomic_load(&attack->started) < THREADS ||
           atomic_load(&attack->tries) < (run == attack_deaf ? THREADS * CHANNELS : 50))
        pause_ms(1);
    do {
        for (int i = 0; i < 20; i++)
            write_key(attack->victim, "large", (struct neap_bytes){large, sizeof large});
        late = good_node(attack) ? 0 : late + 1;
    } while ((clock_ms() < ends && !(late && !late_max)) || (late && late <= late_max));
    atomic_store(&attack->ends, true);
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK_EQUAL(late, 0);
}

static void attack_close(struct attack *attack)
{
    neap_close(attack->victim);
    trusted_close(&attack->trusted);
    CHECK(!rmdir(attack->path));
}

static void withstands(void *(*run)(void *))
{
    struct attack attack;

    attack_open(&attack);
    attack_go_on(&attack, run);
    attack_close(&attack);
}

TEST(a_node_comes_in_while_500_connections_are_silent)
{
    withstands(attack_silent);
}

TEST(a_node_comes_in_while_200_handshakes_a_second_lack_a_certificate)
{
    withstands(attack_handshakes);
}

TEST(a_node_comes_in_while_records_are_too_large_or_cut)
{
    withstands(attack_records);
}

TEST(a_node_comes_in_while_noise_does)
{
    withstands(attack_junk);
}

TEST(a_node_comes_in_while_members_send_frames_too_large_or_cut)
{
    withstands(attack_frames);
}

TEST(a_node_comes_in_while_members_never_read)
{
    withstands(attack_deaf);
}
