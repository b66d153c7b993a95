#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pack.h"
#include "bench/wire.h"
#include "gossip/frame.h"
#include "store/chunk.h"

static const char *const addresses[] = {"wire://0", "wire://1"};

void wire_check(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, error_text(code));
    exit(1);
}

double wire_cpu(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct wire_node *node_of(struct net *net)
{
    return (struct wire_node *)net;
}

static size_t index_of(const struct wire_node *node)
{
    return (size_t)(node - node->wire->nodes);
}

/* ---- what a message holds ---- */

/* Cells are read as they travel, so that all around them can be told apart. */
static void chunk_tally(struct wire_tally *tally, struct slice bytes)
{
    struct reader reader;
    uint32_t count;

    if (bytes.size == 0)
        return;
    reader_init(&reader, bytes);
    for (uint32_t i = read_array(&reader, 8); i > 1; i--)
        read_any(&reader);
    count = read_array(&reader, CHUNK_CELLS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct slice cell = read_any(&reader), path, value;
        struct reader in;

        reader_init(&in, cell);
        read_array_of(&in, 5);
        read_any(&in);
        path = read_bin(&in, NEAP_PATH_MAX);
        value = read_bin(&in, CHUNK_BYTES_MAX);
        wire_check(in.error, "a cell on the wire");
        tally->values += path.size + value.size;
        tally->envelopes += cell.size - path.size - value.size;
        tally->cells++;
    }
    wire_check(reader_end(&reader), "a chunk on the wire");
}

static struct slice page_of(struct slice packed)
{
    struct reader reader;

    if (packed.size == 0)
        return packed;
    reader_init(&reader, packed);
    for (uint32_t i = read_array(&reader, 8); i > 0; i--) {
        struct slice any = read_any(&reader);
        struct reader in;

        reader_init(&in, any);
        packed = read_bin(&in, CHUNK_BYTES_MAX);
        if (!in.error)
            return packed; /* the first of them that is bytes */
    }
    wire_check(NEAP_INVALID, "an answer on the wire");
    return packed;
}

static bool is_question(enum message_kind kind)
{
    return kind == MESSAGE_PULL || kind == MESSAGE_COMPARE || kind == MESSAGE_TREE ||
           kind == MESSAGE_REPAIR || kind == MESSAGE_DESCEND || kind == MESSAGE_DIFFER;
}

static void message_tally(struct wire *wire, const struct message *message, size_t size)
{
    struct wire_tally *tally = &wire->tally;

    size += (size / FRAME_SIZE + 1) * FRAME_HEAD;
    tally->messages_of[message->kind]++;
    tally->by_kind[message->kind] += size;
    if (message->kind == MESSAGE_HEARTBEAT) {
        tally->heartbeats += size;
        return;
    }
    tally->messages++;
    tally->bytes += size;
    if (is_question(message->kind) && !tally->asked_ms) {
        tally->asked_ms = wire->now_ms;
        tally->cpu_asked = wire_cpu();
    }
    if (message->kind == MESSAGE_PUSH || message->kind == MESSAGE_PULLED ||
        message->kind == MESSAGE_COMPARED || message->kind == MESSAGE_MEND)
        chunk_tally(tally, message->bytes);
    else if (message->kind == MESSAGE_REPAIRED || message->kind == MESSAGE_DIFFERED)
        chunk_tally(tally, page_of(message->bytes));
}

/* A refused one is not counted. */
static bool is_refused(struct wire *wire, enum message_kind kind)
{
    if (kind != MESSAGE_PUSH || (!wire->refuses && wire->refuse_1 == 0))
        return false;
    wire->refuse_1 -= wire->refuse_1 > 0;
    return true;
}

/* ---- the net ---- */

static void post(struct wire *wire, size_t to, const struct net_event *net)
{
    struct wire_mail *mail = mem_new(sizeof *mail);

    wire_check(mail ? 0 : NEAP_NOMEM, "mail");
    *mail = (struct wire_mail){.at_ms = wire->now_ms + WIRE_DELAY_MS, .to = to, .net = *net};
    if (wire->last)
        wire->last->next = mail;
    else
        wire->first = mail;
    wire->last = mail;
}

static void post_kind(struct wire *wire, size_t to, enum net_event_kind kind, uint64_t link,
                      enum net_side side)
{
    post(wire, to, &(struct net_event){.kind = kind, .link = link, .side = side});
}

static struct wire_link *link_at(struct wire *wire, size_t node, uint64_t number, size_t *ret_end)
{
    for (size_t i = 0; i < WIRE_LINKS_MAX; i++) {
        for (size_t end = 0; end < 2; end++) {
            struct wire_link *link = &wire->links[i];

            if (link->open && link->ends[end] == node && link->numbers[end] == number) {
                *ret_end = end;
                return link;
            }
        }
    }
    return NULL;
}

static int wire_dial(struct net *net, uint64_t number, const char *address)
{
    struct wire *wire = node_of(net)->wire;
    size_t from = index_of(node_of(net)), to = strcmp(address, addresses[1]) == 0;
    struct wire_link *link = wire->links;

    if (wire->cut) {
        post_kind(wire, from, NET_DOWN, number, NET_DIALED);
        return 0;
    }
    while (link->open)
        wire_check(++link < wire->links + WIRE_LINKS_MAX ? 0 : NEAP_LIMIT, "links");
    *link = (struct wire_link){
        .open = true, .numbers = {number, NET_ACCEPTED | ++wire->accepted}, .ends = {from, to}};
    post_kind(wire, from, NET_UP, number, NET_DIALED);
    post_kind(wire, to, NET_UP, link->numbers[1], NET_PEER);
    return 0;
}

static int wire_send(struct net *net, uint64_t number, struct slice bytes)
{
    struct wire *wire = node_of(net)->wire;
    size_t end;
    struct wire_link *link = link_at(wire, index_of(node_of(net)), number, &end);
    struct net_event event = {.kind = NET_MESSAGE};
    struct message message;
    bool refused;

    if (!link)
        return NEAP_NOTFOUND;
    wire_check(message_decode(bytes, &message), "a message on the wire");
    refused = is_refused(wire, message.kind);
    if (!refused)
        message_tally(wire, &message, bytes.size);
    message_done(&message);
    if (refused)
        return NEAP_BUSY;
    event.link = link->numbers[!end];
    event.side = end == 0 ? NET_PEER : NET_DIALED;
    buffer_init(&event.message, MESSAGE_SIZE_MAX);
    wire_check(buffer_set(&event.message, bytes), "message");
    post(wire, link->ends[!end], &event);
    return 0;
}

static void wire_shut(struct net *net, uint64_t number)
{
    struct wire *wire = node_of(net)->wire;
    size_t end;
    struct wire_link *link = link_at(wire, index_of(node_of(net)), number, &end);

    if (!link)
        return;
    link->open = false;
    post_kind(wire, link->ends[!end], NET_DOWN, link->numbers[!end],
              end == 0 ? NET_PEER : NET_DIALED);
}

static void wire_nothing(struct net *net, uint64_t number)
{
    (void)net;
    (void)number;
}

void wire_cut(struct wire *wire, bool cut)
{
    wire->cut = cut;
    for (size_t i = 0; i < WIRE_LINKS_MAX && cut; i++) {
        struct wire_link *link = &wire->links[i];

        if (!link->open)
            continue;
        link->open = false;
        post_kind(wire, link->ends[0], NET_DOWN, link->numbers[0], NET_DIALED);
        post_kind(wire, link->ends[1], NET_DOWN, link->numbers[1], NET_PEER);
    }
}

/* ---- time ---- */

static uint64_t clock_now(struct clock *clock)
{
    (void)clock;
    return 1000;
}

static uint64_t clock_entropy(struct clock *clock)
{
    struct wire_node *node =
        (struct wire_node *)((char *)clock - offsetof(struct wire_node, clock));

    return node->entropy += 0x9e3779b97f4a7c15;
}

static struct now wire_now(const struct wire *wire)
{
    return (struct now){.mono_ms = wire->now_ms, .wall_ms = 1700000000000 + wire->now_ms};
}

static int node_turn(struct wire_node *node, struct event *event)
{
    wheel_turn(&node->wheel, wire_now(node->wire), &event, 1);
    return node->wheel.stopped ? node->wheel.stopped : event->code;
}

static void mail_deliver(struct wire *wire)
{
    struct wire_mail *mail = wire->first;
    struct event event = {.kind = EVENT_NET, .net = &mail->net};
    size_t end;

    wire->first = mail->next;
    wire->last = wire->first ? wire->last : NULL;
    if (mail->net.kind == NET_MESSAGE && !link_at(wire, mail->to, mail->net.link, &end)) {
        buffer_done(&mail->net.message);
    } else {
        unsigned kind = mail->net.message.size > 1 ? mail->net.message.data[1] : 0;

        if (kind >= MESSAGE_PUSH && kind < MESSAGE_KINDS)
            wire->tally.ended_ms = wire->now_ms;
        wire_check(node_turn(&wire->nodes[mail->to], &event), "an event of the net");
    }
    mem_free(mail);
}

/* The next thing that happens up to then, and when. */
static bool wire_next(struct wire *wire, uint64_t until_ms)
{
    uint64_t at = wire->first ? wire->first->at_ms : UINT64_MAX;
    struct event tick = {.kind = EVENT_TICK};
    size_t who = 2;

    for (size_t i = 0; i < 2; i++) {
        uint64_t deadline = engine_deadline(&wire->nodes[i].wheel.engine, wire_now(wire));

        if (deadline < at) {
            at = deadline;
            who = i;
        }
    }
    if (at > until_ms)
        return false;
    wire->now_ms = at > wire->now_ms ? at : wire->now_ms;
    if (who == 2)
        mail_deliver(wire);
    else
        wire_check(node_turn(&wire->nodes[who], &tick), "a tick");
    return true;
}

void wire_run(struct wire *wire, uint64_t ms)
{
    uint64_t until = wire->now_ms + ms;

    while (wire_next(wire, until))
        continue;
    wire->now_ms = until;
}

void wire_run_until(struct wire *wire, bool (*done)(struct wire *wire), uint64_t ms_max,
                    const char *what)
{
    uint64_t until = wire->now_ms + ms_max;

    while (!done(wire))
        wire_check(wire_next(wire, until) ? 0 : NEAP_UNAVAILABLE, what);
}

void wire_count(struct wire *wire)
{
    wire->tally = (struct wire_tally){.cpu = wire_cpu()};
}

/* ---- nodes ---- */

void wire_open(struct wire *wire, unsigned tree_bits)
{
    static const struct net_ops net_ops = {.dial = wire_dial,
                                           .send = wire_send,
                                           .ready = wire_nothing,
                                           .trust = wire_nothing,
                                           .close = wire_shut};
    static const struct clock_ops clock_ops = {clock_now, clock_now, clock_entropy};

    wire->now_ms = 1000;
    for (size_t i = 0; i < 2; i++) {
        struct wire_node *node = &wire->nodes[i];
        const struct gossip_options gossip = {.cluster = 1,
                                              .address = addresses[i],
                                              .peers = &addresses[!i],
                                              .peers_count = 1,
                                              .heartbeat_ms = 1000,
                                              .silence_ms = 5000,
                                              .backoff_ms_max = 3000,
                                              .log_max = 1000000};
        struct wheel_options options = {.net = &node->net,
                                        .clock = &node->clock,
                                        .mark = &node->mark,
                                        .gossip = &gossip,
                                        .sync_ms = 100,
                                        .log_max = 1000000,
                                        .cluster_key = &wire->cluster_key,
                                        .tree_bits = tree_bits};

        *node = (struct wire_node){.net.ops = &net_ops,
                                   .clock.ops = &clock_ops,
                                   .wire = wire,
                                   .mark = {.directory = i + 1, .file = i + 1},
                                   .entropy = i + 1};
        wire_check(disk_mem_open(&node->disk), "disk");
        options.disk = node->disk;
        wire_check(wheel_open(&node->wheel, &options, NULL), "open");
    }
}

void wire_close(struct wire *wire)
{
    for (size_t i = 0; i < 2; i++) {
        wheel_close(&wire->nodes[i].wheel);
        disk_close(wire->nodes[i].disk);
    }
    while (wire->first) {
        struct wire_mail *mail = wire->first;

        wire->first = mail->next;
        buffer_done(&mail->net.message);
        mem_free(mail);
    }
}

void wire_write(struct wire *wire, size_t node, struct write_op *ops, size_t count)
{
    struct write write = {.ops = ops, .count = count};
    struct event event = {.kind = EVENT_WRITE, .write = &write};

    wire_check(node_turn(&wire->nodes[node], &event), "write");
}

struct shard *wire_shard(struct wire *wire, size_t node, const char *bucket)
{
    return store_find(&wire->nodes[node].wheel.engine.store, bucket_id(bucket));
}
