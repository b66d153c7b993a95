#include "tests/trust/attack_member.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gossip/frame.h"
#include "store/disk.h"
#include "store/shard.h"
#include "tests/support/test.h"
#include "tests/support/trusted.h"

enum { HEARS_MAX = 200, PATIENCE_MS = 50 };

/* ---- connections ---- */

int dial_from(uint16_t port, unsigned source)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_usec = 500000};

    if (raw < 0)
        return -1;
    own.sin_addr.s_addr = htonl(0x7f000000u | (1 + source / 200) << 8 | (1 + source % 200));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons(port);
    (void)setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(raw, (struct sockaddr *)&own, sizeof own) ||
        connect(raw, (struct sockaddr *)&there, sizeof there)) {
        close(raw);
        return -1;
    }
    return raw;
}

bool is_over(int raw)
{
    struct pollfd look = {.fd = raw, .events = POLLIN};
    uint8_t bytes[512];

    return poll(&look, 1, 0) > 0 && recv(raw, bytes, sizeof bytes, MSG_DONTWAIT) <= 0;
}

struct tls *shake_hands(int raw, struct credentials *credentials)
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

bool say(int raw, struct tls *tls, struct slice bytes)
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

/* ---- messages ---- */

/* All of it, however slowly it is taken, until the attack ends. */
static bool send_all(struct member *member, int raw, struct slice bytes)
{
    while (bytes.size) {
        struct pollfd look = {.fd = raw, .events = POLLOUT};
        ssize_t sent;

        if (atomic_load(member->ends))
            return false;
        if (poll(&look, 1, PATIENCE_MS) <= 0)
            continue;
        sent = send(raw, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return false;
        bytes = slice_of(bytes.data + sent, bytes.size - (size_t)sent);
    }
    return true;
}

static bool link_say(struct member *member, struct member_link *link, struct slice bytes)
{
    bool fine = true;

    while (bytes.size && fine) {
        struct buffer out;
        size_t count;

        if (tls_write(link->tls, bytes, &count))
            return false;
        bytes = slice_of(bytes.data + count, bytes.size - count);
        tls_output(link->tls, &out);
        fine = send_all(member, link->raw, buffer_slice(&out));
        buffer_done(&out);
    }
    return fine;
}

bool member_tell(struct member *member, enum channel channel, const struct message *message)
{
    struct member_link *link = &member->links[channel];
    struct buffer bytes;
    size_t offset = 0;
    bool fine = link->tls != NULL;

    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    CHECK_OK(message_encode(message, &bytes));
    while (fine && offset < bytes.size) {
        uint8_t head[FRAME_HEAD];
        struct slice body = frame_next(buffer_slice(&bytes), offset, head);

        fine = link_say(member, link, slice_of(head, sizeof head)) && link_say(member, link, body);
        offset += body.size;
    }
    buffer_done(&bytes);
    return fine;
}

/* More of what comes; false: nothing in time, or no more. */
static bool link_receive(struct member_link *link)
{
    uint8_t sealed[4096], bytes[8192];
    ssize_t got = recv(link->raw, sealed, sizeof sealed, 0);
    size_t count;

    if (got <= 0)
        return false;
    tls_input(link->tls, slice_of(sealed, (size_t)got));
    do {
        if (tls_read(link->tls, bytes, sizeof bytes, &count))
            return false;
        CHECK_OK(buffer_append(&link->came, slice_of(bytes, count)));
    } while (count);
    return true;
}

static bool link_has(const struct member_link *link, size_t from, struct frame_head *ret_head)
{
    return link->came.size >= from + FRAME_HEAD &&
           !frame_head_read(link->came.data + from, ret_head) &&
           link->came.size >= from + FRAME_HEAD + ret_head->size;
}

bool member_hear(struct member *member, enum channel channel, struct message *ret_message,
                 struct buffer *ret_bytes)
{
    struct member_link *link = &member->links[channel];
    struct frame_head head = {.more = true};
    size_t at = 0;

    buffer_clear(ret_bytes);
    while (head.more) {
        while (!link_has(link, at, &head))
            if (!link->tls || atomic_load(member->ends) || !link_receive(link))
                return false;
        CHECK_OK(buffer_append(ret_bytes, slice_of(link->came.data + at + FRAME_HEAD, head.size)));
        at += FRAME_HEAD + head.size;
    }
    memmove(link->came.data, link->came.data + at, link->came.size - at);
    link->came.size -= at;
    return !message_decode(buffer_slice(ret_bytes), ret_message);
}

void member_ignore(struct member *member)
{
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        uint8_t bytes[4096];

        while (recv(member->links[channel].raw, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
    }
}

/* ---- what a member says first ---- */

static bool member_hello(struct member *member, enum channel channel)
{
    struct message message;
    struct buffer bytes;
    bool heard;

    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = member->cluster,
                                   .node = member->node,
                                   .nonce = 7,
                                   .wire_version = WIRE_VERSION,
                                   .channel = channel,
                                   .address = ""};
    if (!member_tell(member, channel, &message))
        return false;
    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    heard = member_hear(member, channel, &message, &bytes);
    if (heard) {
        heard = message.kind == MESSAGE_HELLO;
        message_done(&message);
    }
    buffer_done(&bytes);
    return heard;
}

/* It wants all there is; nobody tells of anything before. */
static bool member_subscribe(struct member *member)
{
    struct message message;
    bool told;

    message_init(&message);
    message.kind = MESSAGE_INTEREST;
    if (subscriptions_all(&message.interest))
        return false;
    told = member_tell(member, CHANNEL_CONTROL, &message);
    subscriptions_done(&message.interest);
    return told;
}

bool member_open(struct member *member, uint16_t port, unsigned source)
{
    bool fine = true;

    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        struct member_link *link = &member->links[channel];

        *link = (struct member_link){.raw = -1};
        buffer_init(&link->came, 2 * MESSAGE_SIZE_MAX);
    }
    for (unsigned channel = 0; channel < CHANNELS && fine; channel++) {
        struct member_link *link = &member->links[channel];

        link->raw = dial_from(port, source);
        link->tls = link->raw >= 0 ? shake_hands(link->raw, member->credentials) : NULL;
        fine = link->tls && member_hello(member, (enum channel)channel);
    }
    return fine && member_subscribe(member);
}

void member_close(struct member *member)
{
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        struct member_link *link = &member->links[channel];

        tls_free(link->tls);
        buffer_done(&link->came);
        if (link->raw >= 0)
            close(link->raw);
        *link = (struct member_link){.raw = -1};
    }
}

uint64_t member_learn(struct member *member, const char *bucket)
{
    struct message message;
    struct buffer bytes;
    uint64_t found = 0;

    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    for (unsigned i = 0; i < HEARS_MAX && !found; i++) {
        if (!member_hear(member, CHANNEL_CONTROL, &message, &bytes))
            break;
        for (size_t j = 0; j < message.digests_count; j++)
            if (!strcmp(message.digests[j].name, bucket))
                found = message.digests[j].replica;
        message_done(&message);
    }
    buffer_done(&bytes);
    return found;
}

bool member_claim(struct member *member, const char *bucket, uint64_t replica, uint64_t other)
{
    struct digest_item item = {
        .shard = bucket_id(bucket), .replica = replica, .quote = {.id = other}};
    struct message message;

    memcpy(item.name, bucket, strlen(bucket) + 1);
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    message.digests = &item;
    message.digests_count = 1;
    return member_tell(member, CHANNEL_CONTROL, &message);
}

void events_make(const char *bucket, uint64_t replica, const char *key, unsigned count,
                 struct buffer *ret_chunk)
{
    static const struct context nothing;
    const struct op op = {.kind = OP_COUNTER_ADD, .number = 1};
    struct shard *shard;
    struct batch *batch;
    struct buffer path;
    struct disk *disk;
    struct view view;
    struct dot dot;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(ret_chunk, CHUNK_BYTES_MAX);
    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(shard_new(batch, bucket, replica, 7, &shard));
    CHECK_OK(path_level(&path, slice_text(key), NEAP_COUNTER));
    for (unsigned i = 0; i < count; i++)
        CHECK_OK(shard_write(shard, batch, shard->id, buffer_slice(&path), &op, &dot));
    view = batch_view(batch);
    CHECK_OK(shard_chunk(shard, &view, &nothing, 0, CHUNK_BYTES_MAX, ret_chunk));
    buffer_done(&path);
    shard_free(shard);
    batch_free(batch);
    disk_close(disk);
}
