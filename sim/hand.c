#include "sim/hand.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/forward.h"
#include "engine/request.h"
#include "sim/check.h"
#include "sim/ring.h"

struct hand {
    struct event event; /* first */
    struct transport transport;
    struct remote remote;
    struct forward forward;
    struct placed placed;
    const char *name;
    struct buffer request, reply;
    bool replied;
    struct write *write; /* or... */
    struct read *read;
    struct buffer *cell;
    struct page_request *paging;
    struct page *page;
    hand_ended *ended;
    void *arg;
};

/* The first time it is told the request, the second time it tells the reply. */
static int hand_call(struct transport *transport, struct slice request, uint32_t timeout_ms,
                     struct buffer *ret_reply)
{
    struct hand *hand =
        (struct hand *)(void *)((uint8_t *)transport - offsetof(struct hand, transport));
    (void)timeout_ms;
    if (!hand->replied) {
        must(!buffer_set(&hand->request, request));
        return NEAP_UNAVAILABLE;
    }
    if (hand->forward.error.code)
        return hand->forward.error.code;
    return buffer_set(ret_reply, buffer_slice(&hand->reply));
}

static int hand_run(struct hand *hand)
{
    struct backend *backend = &hand->remote.backend;
    if (hand->paging)
        return backend->ops->page(backend, hand->paging, hand->page);
    return hand->write ? backend->ops->write(backend, hand->write)
                       : backend->ops->read(backend, hand->read, hand->cell);
}

static void hand_end(struct hand *hand, size_t node, bool lost)
{
    hand->replied = true;
    int code = lost ? 0 : hand_run(hand);
    hand->ended(hand->arg, node, code, lost);
    forward_done(&hand->forward);
    buffer_done(&hand->request);
    buffer_done(&hand->reply);
    mem_free(hand);
}

/* False: nothing is asked any more. */
static bool hand_ask(struct world *world, size_t node, struct hand *hand)
{
    int code = forward_ask(&hand->forward, buffer_slice(&hand->request),
                           sim_now(&world->nodes[node]).mono_ms);
    if (code) {
        must(forward_look(&hand->forward, code, &hand->reply));
        return false;
    }
    hand->event = (struct event){.kind = EVENT_ASK, .ask = &hand->forward.ask};
    sim_post(world, node, &hand->event);
    return true;
}

static int hand_place(struct world *world, size_t node, struct hand *hand)
{
    const struct rings *rings = sim_rings(world, node);
    if (hand->paging)
        return place_slot(rings, hand->paging->bucket, hand->paging->slot, hand->paging->slots,
                          &hand->placed);
    if (hand->read)
        return place_find(rings, hand->read->bucket, hand->read->path, &hand->placed);
    return place_find(rings, hand->write->ops[0].bucket, hand->write->ops[0].path, &hand->placed);
}

static void hand_begin(struct world *world, size_t node, struct hand *hand, uint32_t timeout_ms)
{
    must(!hand_place(world, node, hand));
    hand->name = hand->placed.shard;
    hand->transport = (struct transport){.call = hand_call, .said = &hand->forward.error};
    remote_init(&hand->remote, &hand->transport);
    forward_init(&hand->forward, hand->write != NULL, &hand->name, 1,
                 sim_now(&world->nodes[node]).mono_ms + timeout_ms);
    buffer_init(&hand->request, CALL_SIZE_MAX);
    buffer_init(&hand->reply, CALL_SIZE_MAX);
    (void)hand_run(hand);
    if (!hand_ask(world, node, hand))
        hand_end(hand, node, false);
}

static struct hand *hand_new(hand_ended *ended, void *arg)
{
    struct hand *hand = mem_new(sizeof *hand);
    must(hand);
    hand->ended = ended;
    hand->arg = arg;
    return hand;
}

void hand_write(struct world *world, size_t node, struct write *write, hand_ended *ended, void *arg)
{
    struct hand *hand = hand_new(ended, arg);
    hand->write = write;
    hand_begin(world, node, hand, write->timeout_ms);
}

void hand_read(struct world *world, size_t node, struct read *read, struct buffer *cell,
               hand_ended *ended, void *arg)
{
    struct hand *hand = hand_new(ended, arg);
    hand->read = read;
    hand->cell = cell;
    hand_begin(world, node, hand, read->timeout_ms);
}

void hand_page(struct world *world, size_t node, struct page_request *request, struct page *page,
               hand_ended *ended, void *arg)
{
    struct hand *hand = hand_new(ended, arg);
    hand->paging = request;
    hand->page = page;
    hand_begin(world, node, hand, request->timeout_ms);
}

void hand_asked(struct world *world, size_t node, struct event *event, bool lost)
{
    struct hand *hand = (struct hand *)event;
    if (lost) {
        ask_done(&hand->forward.ask);
        hand_end(hand, node, true);
    } else if (forward_look(&hand->forward, event->code, &hand->reply) ||
               !hand_ask(world, node, hand)) {
        hand_end(hand, node, false);
    }
}
