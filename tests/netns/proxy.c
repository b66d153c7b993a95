/* proxy LISTEN=CONNECT...: each argument is a route between two IPv4 addresses, ADDRESS:PORT each:
 * whoever connects to the first is connected with the second. Commands, a line each on stdin, slow
 * down all bytes of a route from now on, in both directions; at the end of stdin the proxy ends.
 *
 *   ROUTE DELAY_MS BYTES_A_SECOND     routes count from 0; no bytes a second: without limit */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUTES_MAX = 8, CALLS_MAX = 64, CHUNKS = 64, ROOM = 1 << 16, LINGER_MS = 10000 };

struct route {
    int listener;
    struct sockaddr_in to;
    uint64_t delay_ms, rate; /* rate 0: no limit */
};

/* Bytes on their way, first in first out, each not before it is due. */
struct lane {
    unsigned char bytes[ROOM];
    size_t start, size;
    struct {
        size_t size;
        uint64_t due_ms;
    } chunks[CHUNKS];
    size_t first, count;
    uint64_t free_us; /* when the rate lets the next byte pass */
    bool ended;       /* no more will come */
};

/* A call: who called is end 0, who was called end 1. Lane i carries what end i says. */
struct call {
    struct route *route; /* NULL: free */
    int ends[2];
    bool connected;
    uint64_t ended_ms; /* 0: not yet */
    struct lane lanes[2];
};

struct proxy {
    struct route routes[ROUTES_MAX];
    size_t routes_count;
    struct call calls[CALLS_MAX];
    char line[128];
    size_t line_size;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int socket_new(void)
{
    int file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (file < 0)
        fail("socket");
    return file;
}

/* ---- calls ---- */

static void call_end(struct call *call)
{
    close(call->ends[0]);
    close(call->ends[1]);
    call->route = NULL;
}

static void call_begin(struct proxy *proxy, struct route *route)
{
    struct call *call = NULL;
    int file = accept4(route->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (file < 0)
        return;
    for (size_t i = 0; i < CALLS_MAX && !call; i++)
        call = proxy->calls[i].route ? NULL : &proxy->calls[i];
    if (!call) {
        close(file);
        return;
    }
    *call = (struct call){.route = route, .ends = {file, socket_new()}};
    if (connect(call->ends[1], (struct sockaddr *)&route->to, sizeof route->to) &&
        errno != EINPROGRESS)
        call_end(call);
}

static bool lane_has_room(const struct lane *lane)
{
    return !lane->ended && lane->size < ROOM && lane->count < CHUNKS;
}

static void lane_read(struct lane *lane, int file, uint64_t due_ms)
{
    size_t end = (lane->start + lane->size) % ROOM;
    size_t space = end < lane->start || lane->size == 0 ? ROOM - lane->size : ROOM - end;
    if (lane->size == 0)
        lane->start = end = 0;
    ssize_t got = recv(file, lane->bytes + end, space, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lane->ended = true;
        return;
    }
    size_t last = (lane->first + lane->count++) % CHUNKS;
    lane->chunks[last].size = (size_t)got;
    lane->chunks[last].due_ms = due_ms;
    lane->size += (size_t)got;
}

/* Until when there is nothing to send: UINT64_MAX when nothing is on its way. */
static uint64_t lane_due_us(const struct lane *lane)
{
    if (lane->count == 0)
        return UINT64_MAX;
    uint64_t due_us = lane->chunks[lane->first].due_ms * 1000;
    return due_us > lane->free_us ? due_us : lane->free_us;
}

/* False: the other end is gone. */
static bool lane_write(struct lane *lane, int file, uint64_t rate, uint64_t now_us)
{
    while (lane_due_us(lane) <= now_us) {
        size_t size = lane->chunks[lane->first].size;
        if (size > ROOM - lane->start)
            size = ROOM - lane->start;
        if (rate && size > rate / 10 + 1)
            size = (size_t)(rate / 10 + 1);
        ssize_t sent = send(file, lane->bytes + lane->start, size, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        lane->start = (lane->start + (size_t)sent) % ROOM;
        lane->size -= (size_t)sent;
        lane->chunks[lane->first].size -= (size_t)sent;
        if (lane->chunks[lane->first].size == 0) {
            lane->first = (lane->first + 1) % CHUNKS;
            lane->count--;
        }
        if (rate)
            lane->free_us = now_us + (uint64_t)sent * 1000000 / rate;
    }
    return true;
}

/* Nobody here closes half a call: who ends it hears no more, but what he said still arrives. */
static bool call_is_over(struct call *call, uint64_t now_us)
{
    if (!call->lanes[0].ended && !call->lanes[1].ended)
        return false;
    if (!call->ended_ms)
        call->ended_ms = now_us / 1000;
    return (call->lanes[0].ended && call->lanes[0].count == 0) ||
           (call->lanes[1].ended && call->lanes[1].count == 0) ||
           now_us / 1000 >= call->ended_ms + LINGER_MS;
}

static void call_turn(struct call *call, const short *ready, uint64_t now_us)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (!call->connected && ready[1]) {
        getsockopt(call->ends[1], SOL_SOCKET, SO_ERROR, &error, &size);
        call->connected = !error;
    }
    for (size_t i = 0; i < 2; i++) {
        struct lane *lane = &call->lanes[i];
        if (ready[i] & (POLLIN | POLLHUP | POLLERR) && (i == 0 || call->connected) &&
            lane_has_room(lane))
            lane_read(lane, call->ends[i], now_us / 1000 + call->route->delay_ms);
        if ((i == 1 || call->connected) &&
            !lane_write(lane, call->ends[1 - i], call->route->rate, now_us))
            error = EPIPE;
    }
    if (error || call_is_over(call, now_us))
        call_end(call);
}

/* ---- the whole ---- */

static struct sockaddr_in address_read(const char *text, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)size, text);
    char *colon = strchr(copy, ':');
    if (colon) {
        *colon = '\0';
        address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    }
    if (!address.sin_port || inet_pton(AF_INET, copy, &address.sin_addr) != 1) {
        errno = EINVAL;
        fail(text);
    }
    return address;
}

static void route_open(struct route *route, const char *text)
{
    const char *equals = strchr(text, '=');
    int yes = 1;
    if (!equals) {
        errno = EINVAL;
        fail(text);
    }
    struct sockaddr_in from = address_read(text, (size_t)(equals - text));
    *route = (struct route){.listener = socket_new(),
                            .to = address_read(equals + 1, strlen(equals + 1))};
    if (setsockopt(route->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        bind(route->listener, (struct sockaddr *)&from, sizeof from) || listen(route->listener, 16))
        fail(text);
}

static void commands_read(struct proxy *proxy)
{
    char byte;
    ssize_t got;
    while ((got = read(STDIN_FILENO, &byte, 1)) == 1) {
        unsigned long route, delay_ms, rate;
        if (byte != '\n' && proxy->line_size + 1 < sizeof proxy->line) {
            proxy->line[proxy->line_size++] = byte;
            continue;
        }
        proxy->line[proxy->line_size] = '\0';
        proxy->line_size = 0;
        if (sscanf(proxy->line, "%lu %lu %lu", &route, &delay_ms, &rate) != 3 ||
            route >= proxy->routes_count) {
            errno = EINVAL;
            fail(proxy->line);
        }
        proxy->routes[route].delay_ms = delay_ms;
        proxy->routes[route].rate = rate;
    }
    if (got == 0)
        exit(0);
}

static short events_of(const struct call *call, size_t end, uint64_t now_us)
{
    short events = 0;
    if (lane_has_room(&call->lanes[end]) && (end == 0 || call->connected))
        events |= POLLIN;
    if (lane_due_us(&call->lanes[1 - end]) <= now_us || (end == 1 && !call->connected))
        events |= POLLOUT;
    return events;
}

static int patience_ms(const struct proxy *proxy, uint64_t now_us)
{
    uint64_t due_us = UINT64_MAX;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        const struct call *call = &proxy->calls[i];
        if (!call->route)
            continue;
        for (size_t lane = 0; lane < 2; lane++) {
            uint64_t at_us = lane_due_us(&call->lanes[lane]);
            due_us = at_us > now_us && at_us < due_us ? at_us : due_us;
        }
        if (call->ended_ms && call->ended_ms * 1000 + LINGER_MS * 1000 < due_us)
            due_us = call->ended_ms * 1000 + LINGER_MS * 1000;
    }
    if (due_us == UINT64_MAX)
        return -1;
    return due_us > now_us ? (int)((due_us - now_us) / 1000 + 1) : 0;
}

/* A socket that has hung up would end every poll at once: one that is not asked is left out. */
static void proxy_turn(struct proxy *proxy)
{
    struct pollfd files[1 + ROUTES_MAX + 2 * CALLS_MAX];
    nfds_t count = 0;
    uint64_t now_us = clock_us();
    files[count++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (size_t i = 0; i < proxy->routes_count; i++)
        files[count++] = (struct pollfd){.fd = proxy->routes[i].listener, .events = POLLIN};
    for (size_t i = 0; i < CALLS_MAX; i++) {
        for (size_t end = 0; end < 2; end++) {
            const struct call *call = &proxy->calls[i];
            short events = call->route ? events_of(call, end, now_us) : 0;
            files[count++] = (struct pollfd){.fd = events ? call->ends[end] : -1, .events = events};
        }
    }
    if (poll(files, count, patience_ms(proxy, now_us)) < 0 && errno != EINTR)
        fail("poll");
    now_us = clock_us();
    for (size_t i = 0; i < CALLS_MAX; i++) {
        const struct pollfd *ends = &files[1 + proxy->routes_count + 2 * i];
        const short ready[2] = {ends[0].revents, ends[1].revents};
        if (proxy->calls[i].route)
            call_turn(&proxy->calls[i], ready, now_us);
    }
    for (size_t i = 0; i < proxy->routes_count; i++) {
        if (files[1 + i].revents)
            call_begin(proxy, &proxy->routes[i]);
    }
    if (files[0].revents)
        commands_read(proxy);
}

int main(int argc, char **argv)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy || fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK))
        fail("start");
    for (int i = 1; i < argc && proxy->routes_count < ROUTES_MAX; i++)
        route_open(&proxy->routes[proxy->routes_count++], argv[i]);
    for (;;)
        proxy_turn(proxy);
}
