/* A node under attack, on loopback: while each of these goes on, another node that belongs to the
 * cluster connects in under a second, and gets what was written. The attackers have addresses of
 * their own (127.0.x.y), as they would in a network. ATTACK_MS=30000 lets each go on for longer and
 * has nodes come again and again; without it one comes. */
#include <arpa/inet.h>
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

#include "base/rng.h"
#include "gossip/frame.h"
#include "neap.h"
#include "tests/support/sanitized.h"
#include "tests/support/test.h"
#include "tests/support/trusted.h"
#include "tests/trust/attack_member.h"
#include "trust/credentials_parts.h"

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

static void write_to(struct neap *neap, const char *bucket, const char *key,
                     struct neap_bytes value)
{
    struct neap_place at = {.bucket = bucket, .key = {key, strlen(key)}};

    CHECK_OK(neap_lww_set(neap, &at, value, NULL));
}

static void write_key(struct neap *neap, const char *key, struct neap_bytes value)
{
    write_to(neap, "shop", key, value);
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

/* What an operator is told, as text. */
static struct neap_buffer told(struct neap *neap, const char *verb, const char *what)
{
    const char *const words[] = {verb, what};
    struct neap_buffer json = {0};

    CHECK_OK(neap_admin(neap, what ? 2 : 1, words, &json, NULL));
    return json;
}

/* Of the status; -1: it has none of that name. */
static int64_t status_number(struct neap *neap, const char *name)
{
    struct neap_buffer json = told(neap, "status", NULL);
    char quoted[60];
    const char *found;
    int64_t number;

    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    found = strstr((const char *)json.data, quoted);
    number = found ? strtoll(found + strlen(quoted), NULL, 10) : -1;
    neap_buffer_free(&json);
    return number;
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
            raw[i] = dial_from(attack->port, thread * SILENT + i);
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
        int raw = dial_from(attack->port, thread * 25 + source++ % 25);

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
            raw[i] = dial_from(attack->port, thread * 50 + source++ % 50);
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
            raw = dial_from(attack->port, thread * 50 + source++ % 50);
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
        raw[i] = dial_from(attack->port, thread);
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

/* A member that says hello as it should, opens what there is, asks for all of it again and again,
 * and never reads a byte afterwards. */
static void *attack_deaf(void *arg)
{
    enum { QUESTIONS = 50 };
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1);
    struct credentials *bad = trusted_node(&attack->trusted, 0x66 + thread);
    struct member member = {
        .credentials = bad, .ends = &attack->ends, .cluster = CLUSTER, .node = 0x66 + thread};
    uint64_t other = 0;

    while (!other && !atomic_load(&attack->ends)) {
        if (member_open(&member, attack->port, thread))
            other = member_learn(&member, "shop");
        if (!other)
            member_close(&member);
    }
    if (other)
        (void)member_claim(&member, "shop", 0xdea0 + thread, other);
    for (unsigned i = 0; other && i < QUESTIONS; i++) {
        struct message question;

        message_init(&question);
        question.kind = i % 2 ? MESSAGE_PULL : MESSAGE_COMPARE;
        question.shard = bucket_id("shop");
        question.session = i + 1;
        question.pages = i % 2 ? 0 : 4;
        if (!member_tell(&member, CHANNEL_BULK, &question))
            break;
        atomic_fetch_add(&attack->tries, 1);
    }
    while (!atomic_load(&attack->ends))
        pause_ms(10);
    if (other)
        member_close(&member);
    credentials_close(bad);
    return NULL;
}

/* A device may read "shop", write "own", and has no part in "hidden". */
static struct credentials *device_of(struct attack *attack, uint64_t id)
{
    struct principal device = {.kind = PRINCIPAL_DEVICE, .cluster = CLUSTER, .id = id};
    struct credentials *credentials;

    CHECK_OK(principal_give(&device, "shop", RIGHT_READ));
    CHECK_OK(principal_give(&device, "own", RIGHT_WRITE));
    credentials = trusted_credentials(&attack->trusted, &device, NULL, NULL);
    principal_done(&device);
    return credentials;
}

static bool push(struct member *member, const char *bucket, uint64_t number, struct slice chunk)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = bucket_id(bucket);
    message.session = number;
    message.bytes = chunk;
    return member_tell(member, CHANNEL_BULK, &message);
}

/* What it may not write, what it may not even see, and in what it may write, events as if others
 * had made them; and it says to be somebody else. As often as it can. */
static void lie(struct attack *attack, struct member *member, uint64_t own, uint64_t other)
{
    enum { LIES = 4 };
    static const char *const buckets[LIES] = {"shop", "hidden", "own", "own"};
    const uint64_t ids[LIES] = {own, own, own ^ 0xf000, other};
    struct buffer chunks[LIES];
    /* The other has one id for all that is there. */
    bool fine = member_claim(member, "own", own, other) && member_claim(member, "shop", own, other);

    for (unsigned i = 0; i < LIES; i++)
        events_make(buckets[i], ids[i], "lie", 3, &chunks[i]);
    for (uint64_t number = 1; fine && !atomic_load(&attack->ends); number++) {
        unsigned i = number % LIES;

        fine = push(member, buckets[i], number, buffer_slice(&chunks[i]));
        if (fine && number % 100 == 0)
            fine = member_claim(member, "own", other, other);
        member_ignore(member);
        atomic_fetch_add(&attack->tries, 1);
    }
    for (unsigned i = 0; i < LIES; i++)
        buffer_done(&chunks[i]);
}

static void *attack_forbidden(void *arg)
{
    struct attack *attack = arg;
    unsigned thread = atomic_fetch_add(&attack->started, 1);
    struct credentials *bad = device_of(attack, 0xd0 + thread);
    struct member member = {
        .credentials = bad, .ends = &attack->ends, .cluster = CLUSTER, .node = 0xd0 + thread};

    while (!atomic_load(&attack->ends)) {
        uint64_t other = 0;

        if (member_open(&member, attack->port, thread))
            other = member_learn(&member, "own");
        if (other)
            lie(attack, &member, 0x11e0 + thread, other);
        member_close(&member);
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
    write_to(attack->victim, "own", "before", (struct neap_bytes){"x", 1});
    write_to(attack->victim, "hidden", "before", (struct neap_bytes){"x", 1});
}

/* Of each kind some was refused, and those who sent it are slowed. */
static bool lies_came(struct attack *attack)
{
    return status_number(attack->victim, "slowed") >= 50 &&
           status_number(attack->victim, "forbidden") > 0 &&
           status_number(attack->victim, "foreign_dots") > 0 &&
           status_number(attack->victim, "foreign_id") > 0;
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
    while (atomic_load(&attack->started) < THREADS || atomic_load(&attack->tries) < 50)
        pause_ms(1);
    for (uint64_t until = clock_ms() + WAIT_MS; run == attack_forbidden && !lies_came(attack);
         pause_ms(1))
        CHECK(clock_ms() < until);
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

/* What the victim has in a bucket that nobody else writes to. */
static struct neap_buffer digest_of(struct attack *attack, const char *bucket)
{
    return told(attack->victim, "digest", bucket);
}

static void is_as_before(struct attack *attack, const char *bucket, struct neap_buffer *before)
{
    struct neap_buffer now = digest_of(attack, bucket);
    const char *from = "\"residues\":"; /* and the digest; of the log others may have all by now */
    const char *left = strstr((const char *)before->data, from);
    const char *right = strstr((const char *)now.data, from);

    CHECK(left && right);
    CHECK_BYTES(slice_of(right, strcspn(right, "}")), slice_of(left, strcspn(left, "}")));
    neap_buffer_free(&now);
    neap_buffer_free(before);
}

static void has_no_lie(struct neap *neap, const char *bucket)
{
    struct neap_place at = {.bucket = bucket, .key = {"lie", 3}};
    int64_t number = 0;
    int code = neap_counter_get(neap, &at, &number, NULL);

    CHECK(code == NEAP_NOTFOUND || (!code && !number));
}

/* All of it is refused, counted and named, nothing of it is kept, and who sends it is slowed. */
TEST(a_node_comes_in_while_devices_send_what_they_may_not_write)
{
    struct neap_buffer own, hidden, status;
    uint64_t began = clock_ms();
    struct attack attack;
    int64_t refused;

    attack_open(&attack);
    own = digest_of(&attack, "own");
    hidden = digest_of(&attack, "hidden");
    attack_go_on(&attack, attack_forbidden);
    is_as_before(&attack, "own", &own);
    is_as_before(&attack, "hidden", &hidden);
    has_no_lie(attack.victim, "shop");
    has_no_lie(attack.victim, "own");
    has_no_lie(attack.victim, "hidden");
    /* 100 at once and 20 a second of each of them, by two links. */
    refused = status_number(attack.victim, "forbidden") +
              status_number(attack.victim, "foreign_dots") +
              status_number(attack.victim, "foreign_id");
    CHECK(refused < THREADS * (120 + 40 * (int64_t)(clock_ms() - began) / 1000));
    status = told(attack.victim, "status", NULL);
    CHECK(strstr((const char *)status.data, "\"last_refused\":"));
    CHECK(strstr((const char *)status.data, "device/00000000000000d"));
    CHECK(strstr((const char *)status.data, " of bucket "));
    CHECK(strstr((const char *)status.data, " refused: it "));
    neap_buffer_free(&status);
    attack_close(&attack);
}
