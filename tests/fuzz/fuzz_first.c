/* What is read before anybody is known: of a stream its first frames, of which only a hello can be
 * made, and the names in a certificate. The first byte says which: 'u' names, else frames. */
#include "base/alloc.h"
#include "base/clock.h"
#include "gossip/state.h"
#include "tests/fuzz/first_door.h"
#include "tests/fuzz/fuzz.h"

enum { CLUSTER = 5, LINK = 1, LIVES_FOR = 1 << 14 };

/* A node that others come to; it lives on from one input to the next, for a while. */
struct listener {
    struct disk *disk;
    struct store store;
    struct batch *batch;
    struct outbox outbox;
    struct gossip *gossip;
    struct clock clock;
    struct now now;
    unsigned met; /* hellos that were good, of its life */
};

static uint64_t clock_still(struct clock *clock)
{
    (void)clock;
    return 1;
}

static const struct clock_ops clock_ops = {
    .now_ms = clock_still, .wall_ms = clock_still, .entropy = clock_still};

static void listener_end(struct listener *listener)
{
    gossip_free(listener->gossip);
    outbox_done(&listener->outbox);
    batch_free(listener->batch);
    store_done(&listener->store);
    disk_close(listener->disk);
    *listener = (struct listener){0};
}

static struct listener *listening(void)
{
    static struct listener listener;
    static const struct directory_mark mark;
    struct gossip_options options = {.cluster = CLUSTER,
                                     .address = "test://0",
                                     .heartbeat_ms = 1000,
                                     .silence_ms = 5000,
                                     .backoff_ms_max = 1000,
                                     .log_max = 100};

    if (listener.met > LIVES_FOR)
        listener_end(&listener);
    if (listener.gossip)
        return &listener;
    listener.clock.ops = &clock_ops;
    listener.now = (struct now){1000, 1000};
    outbox_init(&listener.outbox, 1 << 20);
    must(!disk_mem_open(&listener.disk));
    must(!store_open(&listener.store, listener.disk, &mark, &listener.clock, false, NULL));
    must(!batch_new(listener.disk, &listener.batch));
    must(!gossip_new(&options, &listener.store, NULL, 1, &listener.gossip));
    return &listener;
}

static void tell(struct listener *listener, enum net_event_kind kind, struct slice message)
{
    struct net_event event = {.kind = kind, .link = NET_ACCEPTED | LINK, .side = NET_PEER};

    /* No more room than needed, so that a sanitizer sees what reads past it. */
    event.message =
        (struct buffer){mem_new(message.size), message.size, message.size, HELLO_SIZE_MAX};
    must(event.message.data);
    if (message.size)
        memcpy(event.message.data, message.data, message.size);
    must(
        !gossip_event(listener->gossip, listener->now, &event, listener->batch, &listener->outbox));
    net_event_done(&event);
}

/* Nothing but a hello is answered, and nothing at all is kept. */
static bool first_message(struct slice message)
{
    struct listener *listener = listening();
    struct message said;
    bool fine;

    tell(listener, NET_UP, slice_of(NULL, 0));
    tell(listener, NET_MESSAGE, message);
    fine = link_find(listener->gossip, NET_ACCEPTED | LINK) != NULL;
    for (size_t i = 0; i < listener->outbox.count; i++) {
        const struct effect *effect = &listener->outbox.effects[i];

        if (effect->kind != EFFECT_SEND)
            continue;
        must(!message_decode(effect->bytes, &said));
        must(said.kind == MESSAGE_HELLO || fine);
        must(said.kind != MESSAGE_DIGEST || said.digests_count == 0);
        message_done(&said);
    }
    if (fine) {
        listener->met++;
        must(!message_decode(message, &said));
        must(said.kind == MESSAGE_HELLO && said.hello.cluster == CLUSTER);
        message_done(&said);
        tell(listener, NET_DOWN, slice_of(NULL, 0));
        must(batch_bytes(listener->batch) < 100); /* the incarnation that it was told */
        batch_clear(listener->batch);
    }
    must(listener->store.shards_count == 0 && batch_is_empty(listener->batch));
    must(listener->gossip->links_count == 0);
    outbox_clear(&listener->outbox);
    return fine;
}

/* URIs, one a line: what is read is what would be written. */
static bool names(struct slice input)
{
    struct principal principal = {0};
    size_t index = 0;
    char text[PRINCIPAL_URI_MAX];
    bool fine = true;

    while (input.size > 0 && fine) {
        const uint8_t *end = memchr(input.data, '\n', input.size);
        size_t size = end ? (size_t)(end - input.data) : input.size;
        struct slice uri = slice_of(input.data, size);
        size_t before = principal.rights_count;

        fine = !principal_add(&principal, uri);
        if (fine && (index == 0 || principal.rights_count > before)) {
            must(principal_uri(&principal, principal.rights_count, text));
            must(index == 0 || strlen(text) > 0);
        }
        must(principal_may(&principal, "b") <= (RIGHT_READ | RIGHT_WRITE));
        index++;
        size += end != NULL;
        input = slice_of(input.data + size, input.size - size);
    }
    fine = fine && index > 0;
    principal_done(&principal);
    return fine;
}

FUZZ(first)
{
    struct slice message;

    if (input.size > 0 && input.data[0] == 'u')
        return names(slice_of(input.data + 1, input.size - 1));
    return first_door(input, &message) && first_message(message);
}
