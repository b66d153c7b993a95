/* hostile ADDRESS CLUSTER_ID: behaves badly towards a node's listener, in every way at once, each
 * over its own connection, and reports how long the node bore it. ADDRESS is a TCP port on loopback
 * or the path of a Unix socket; CLUSTER_ID is 16 hex digits of the cluster file. One line a way:
 *
 *   NAME dropped MILLISECONDS | NAME kept
 *
 * `hostile port` prints a TCP port that is free. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "gossip/frame.h"
#include "gossip/message.h"

enum { PATIENCE_MS = 30000, MESSAGE_ROOM = 1 << 20 };

struct way {
    const char *name;
    /* Fills what is sent; nothing: stays silent. */
    void (*say)(struct buffer *out, uint64_t cluster);
    int socket;
    uint64_t ended_ms; /* 0: not yet */
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void put(struct buffer *out, struct slice bytes)
{
    if (buffer_append(out, bytes))
        fail("memory");
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what is said ---- */

static void say_nothing(struct buffer *out, uint64_t cluster)
{
    (void)out;
    (void)cluster;
}

static void say_noise(struct buffer *out, uint64_t cluster)
{
    struct rng rng;

    rng_init(&rng, cluster);
    for (int i = 0; i < 4096; i++) {
        uint8_t byte = (uint8_t)rng_u64(&rng);

        put(out, slice_of(&byte, 1));
    }
}

static void say_http(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    put(out, slice_text("GET / HTTP/1.1\r\nHost: neap\r\n\r\n"));
}

/* One whole frame with that many bytes of no meaning. */
static void say_frame(struct buffer *out, size_t size)
{
    uint8_t head[FRAME_HEAD] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                                (uint8_t)size};
    static const uint8_t zeroes[1024];

    put(out, slice_of(head, sizeof head));
    for (size_t left = size; left > 0;) {
        size_t here = left < sizeof zeroes ? left : sizeof zeroes;

        put(out, slice_of(zeroes, here));
        left -= here;
    }
}

static void say_empty(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    say_frame(out, 0);
}

static void say_zeroes(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    say_frame(out, 100);
}

/* A frame over 64 KB: its head alone must be enough. */
static void say_oversize(struct buffer *out, uint64_t cluster)
{
    static const uint8_t head[FRAME_HEAD] = {0x7f, 0xff, 0xff, 0xff};

    (void)cluster;
    put(out, slice_of(head, sizeof head));
}

/* More than a first message may have. */
static void say_long(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    say_frame(out, HELLO_SIZE_MAX + 1);
}

/* Full frames that go on for ever. */
static void say_endless(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    for (int i = 0; i < 300; i++) {
        size_t at = out->size;

        say_frame(out, FRAME_SIZE);
        out->data[at] |= 0x80;
    }
}

static void say_half(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    say_frame(out, 100);
    out->size -= 50;
}

static void say_half_head(struct buffer *out, uint64_t cluster)
{
    (void)cluster;
    say_frame(out, 0);
    out->size -= 2;
}

/* ---- as a peer of the node ---- */

static void say_message(struct buffer *out, const struct message *message)
{
    struct buffer bytes;
    uint8_t head[FRAME_HEAD];
    struct slice body;

    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    if (message_encode(message, &bytes))
        fail("encode");
    body = frame_next(buffer_slice(&bytes), 0, head);
    put(out, slice_of(head, sizeof head));
    put(out, body);
    buffer_done(&bytes);
}

static void say_hello(struct buffer *out, uint64_t cluster, uint32_t version, uint64_t node)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = cluster,
                                   .node = node,
                                   .nonce = node + 1,
                                   .wire_version = version,
                                   .channel = CHANNEL_CONTROL,
                                   .address = ""};
    say_message(out, &message);
}

static void say_stranger(struct buffer *out, uint64_t cluster)
{
    say_hello(out, cluster ^ 1, WIRE_VERSION, 101);
}

static void say_version(struct buffer *out, uint64_t cluster)
{
    say_hello(out, cluster, 0, 102);
}

/* A hello, and then no word any more. */
static void say_no_more(struct buffer *out, uint64_t cluster)
{
    say_hello(out, cluster, WIRE_VERSION, 103);
}

static void say_hello_noise(struct buffer *out, uint64_t cluster)
{
    say_hello(out, cluster, WIRE_VERSION, 104);
    say_noise(out, cluster);
}

static void say_hello_zeroes(struct buffer *out, uint64_t cluster)
{
    say_hello(out, cluster, WIRE_VERSION, 105);
    say_frame(out, 100);
}

static void say_hello_twice(struct buffer *out, uint64_t cluster)
{
    say_hello(out, cluster, WIRE_VERSION, 106);
    say_hello(out, cluster, WIRE_VERSION, 106);
}

/* A push whose chunk is nonsense, of a shard that nobody has. */
static void say_hello_push(struct buffer *out, uint64_t cluster)
{
    struct message message;

    say_hello(out, cluster, WIRE_VERSION, 107);
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = 12345;
    message.bytes = slice_text("this is no chunk");
    say_message(out, &message);
}

static struct way peer_ways[] = {{"silence", say_nothing, 0, 0},
                                 {"noise", say_noise, 0, 0},
                                 {"http", say_http, 0, 0},
                                 {"empty", say_empty, 0, 0},
                                 {"zeroes", say_zeroes, 0, 0},
                                 {"oversize", say_oversize, 0, 0},
                                 {"long", say_long, 0, 0},
                                 {"endless", say_endless, 0, 0},
                                 {"half", say_half, 0, 0},
                                 {"half_head", say_half_head, 0, 0},
                                 {"stranger", say_stranger, 0, 0},
                                 {"version", say_version, 0, 0},
                                 {"no_more", say_no_more, 0, 0},
                                 {"hello_noise", say_hello_noise, 0, 0},
                                 {"hello_zeroes", say_hello_zeroes, 0, 0},
                                 {"hello_twice", say_hello_twice, 0, 0},
                                 {"hello_push", say_hello_push, 0, 0}};

/* A client may be silent for as long as it likes; so it may with half a frame. */
static struct way client_ways[] = {{"silence", say_nothing, 0, 0}, {"noise", say_noise, 0, 0},
                                   {"http", say_http, 0, 0},       {"oversize", say_oversize, 0, 0},
                                   {"half", say_half, 0, 0},       {"zeroes", say_zeroes, 0, 0}};

/* ---- connections ---- */

static int dial(const char *address)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int made, failed;

    if (*address == '/') {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", address);
        made = socket(AF_UNIX, SOCK_STREAM, 0);
        failed = connect(made, (struct sockaddr *)&local, sizeof local);
    } else {
        tcp.sin_port = htons((uint16_t)strtoul(address, NULL, 10));
        made = socket(AF_INET, SOCK_STREAM, 0);
        failed = connect(made, (struct sockaddr *)&tcp, sizeof tcp);
    }
    if (made < 0 || failed || fcntl(made, F_SETFL, O_NONBLOCK))
        fail(address);
    return made;
}

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int made = socket(AF_INET, SOCK_STREAM, 0);

    if (made < 0 || bind(made, (struct sockaddr *)&at, sizeof at) ||
        getsockname(made, (struct sockaddr *)&at, &size))
        fail("port");
    printf("%u\n", ntohs(at.sin_port));
    return 0;
}

/* Sends on, and takes whatever comes, until the other side ends it. */
static void serve(struct way *way, struct buffer *out, size_t *sent, uint64_t start)
{
    static char answer[4096];
    ssize_t size;

    if (*sent < out->size) {
        size = send(way->socket, out->data + *sent, out->size - *sent, MSG_NOSIGNAL);
        if (size > 0)
            *sent += (size_t)size;
        else if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET)
            fail("send");
    }
    size = recv(way->socket, answer, sizeof answer, 0);
    if (size > 0 || (size < 0 && errno == EAGAIN))
        return;
    way->ended_ms = clock_ms() - start + 1;
    close(way->socket);
    way->socket = -1;
}

static void attack(struct way *ways, size_t count, const char *address, uint64_t cluster)
{
    struct buffer out[32];
    struct pollfd polls[32];
    size_t sent[32] = {0}, left = count;
    uint64_t start = clock_ms();

    for (size_t i = 0; i < count; i++) {
        buffer_init(&out[i], MESSAGE_ROOM * 32);
        ways[i].say(&out[i], cluster);
        ways[i].socket = dial(address);
    }
    while (left > 0 && clock_ms() - start < PATIENCE_MS) {
        for (size_t i = 0; i < count; i++)
            polls[i] = (struct pollfd){ways[i].socket,
                                       (short)(POLLIN | (sent[i] < out[i].size ? POLLOUT : 0)), 0};
        if (poll(polls, count, 1000) < 0)
            fail("poll");
        for (size_t i = 0; i < count; i++)
            if (ways[i].socket >= 0 && polls[i].revents) {
                serve(&ways[i], &out[i], &sent[i], start);
                left -= ways[i].socket < 0;
            }
        if (*address == '/' && clock_ms() - start > PATIENCE_MS / 4)
            break; /* clients that may stay */
    }
    for (size_t i = 0; i < count; i++) {
        buffer_done(&out[i]);
        if (ways[i].ended_ms)
            printf("%s dropped %" PRIu64 "\n", ways[i].name, ways[i].ended_ms);
        else
            printf("%s kept\n", ways[i].name);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "port") == 0)
        return free_port();
    if (argc != 3) {
        fprintf(stderr, "usage: hostile PORT|SOCKET CLUSTER_ID, or hostile port\n");
        return 2;
    }
    if (*argv[1] == '/')
        attack(client_ways, sizeof client_ways / sizeof *client_ways, argv[1], 0);
    else
        attack(peer_ways, sizeof peer_ways / sizeof *peer_ways, argv[1],
               strtoull(argv[2], NULL, 16));
    return 0;
}
