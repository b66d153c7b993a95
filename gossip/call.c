#include "gossip/call.h"

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/hash.h"
#include "gossip/state.h"

/* ---- who is asked ---- */

static bool call_was_tried(const struct ask *ask, uint64_t node)
{
    for (size_t i = 0; i < ask->tried_count; i++) {
        if (ask->tried[i] == node)
            return true;
    }
    return false;
}

/* It holds all of it, as far as it is known: what it subscribes to it has said in this session, or
 * it is not asked. A device answers for itself alone. */
static bool call_fits(struct gossip *gossip, const struct ask *ask, size_t index)
{
    const struct peer *peer = &gossip->peers[index];
    const struct link *link = link_find(gossip, peer->links[CHANNEL_CONTROL]);
    if (link && link->left)
        return false;
    if (!peer_is_member(gossip, index) || !peer_is_up(gossip, index) || !peer->met ||
        !peer->interest_known || access_is_limited(gossip, index) ||
        call_was_tried(ask, peer->node))
        return false;
    for (size_t i = 0; i < ask->names_count; i++) {
        if (!peer_wants(gossip, index, ask->names[i]))
            return false;
    }
    return true;
}

/* Always the same of those who are there, so that a caller finds what it wrote; and for other
 * buckets and other nodes another one. */
static uint64_t call_rank(const struct gossip *gossip, const struct ask *ask, size_t index)
{
    static const struct hash_key key;
    uint64_t of[3] = {gossip->store->identity.node, gossip->peers[index].node, ask->shard};
    return hash_64(&key, slice_of(of, sizeof of)) >> 1;
}

size_t call_choose(struct gossip *gossip, const struct ask *ask)
{
    size_t best = NO_PEER;
    uint64_t best_rank = 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct swim_member member = {.state = MEMBER_ALIVE};
        if (!call_fits(gossip, ask, i))
            continue;
        (void)swim_find(gossip->swim, gossip->peers[i].node, &member);
        uint64_t rank = call_rank(gossip, ask, i);
        rank |= member.state == MEMBER_ALIVE ? UINT64_C(1) << 63 : 0;
        if (best != NO_PEER && rank <= best_rank)
            continue;
        best = i;
        best_rank = rank;
    }
    return best;
}

/* ---- calls of others ---- */

int call_question(uint64_t wait_ms, struct slice request, struct buffer *ret_question)
{
    struct writer writer;
    if (request.size > CALL_SIZE_MAX)
        return NEAP_LIMIT;
    buffer_clear(ret_question);
    writer_init(&writer, ret_question);
    write_array(&writer, 2);
    write_u64(&writer, wait_ms);
    write_bin(&writer, request);
    return writer.error;
}

static void called_free(struct called *called)
{
    principal_done(&called->principal);
    buffer_done(&called->request);
    mem_free(called);
}

static size_t calls_of(const struct calls *calls, size_t peer)
{
    size_t count = 0;
    for (size_t i = 0; i < calls->count; i++)
        count += calls->items[i]->peer == peer;
    return count;
}

static bool calls_have_room(const struct calls *calls, size_t peer, size_t size)
{
    return calls->count < CALLS_MAX && calls_of(calls, peer) < CALLS_PEER_MAX &&
           size <= CALLS_BYTES_MAX - calls->bytes;
}

static int call_take(struct step *step, const struct link *link, const struct message *message,
                     uint64_t wait_ms, struct slice request)
{
    struct calls *calls = &step->gossip->calls;
    struct called *called = mem_new(sizeof *called);
    if (!called)
        return NEAP_NOMEM;
    called->link = link->id;
    called->session = message->session;
    called->peer = link->peer;
    called->until_ms =
        step->now.mono_ms + (wait_ms < CALL_WAIT_MS_MAX ? wait_ms : CALL_WAIT_MS_MAX);
    buffer_init(&called->request, CALL_SIZE_MAX);
    int error = principal_copy(&step->gossip->peers[link->peer].principal, &called->principal);
    if (!error)
        error = buffer_set(&called->request, request);
    if (error) {
        called_free(called);
        return error;
    }
    calls->bytes += request.size;
    calls->items[calls->count++] = called;
    return 0;
}

static int call_refuse(struct step *step, const struct link *link, const struct message *message)
{
    struct message reply;
    message_answer(&reply, MESSAGE_TOLD, message);
    reply.code = NEAP_BUSY;
    return link_tell(step, link->id, &reply, true);
}

int call_serve(struct step *step, const struct link *link, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct reader reader;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 2);
    uint64_t wait_ms = read_u64(&reader);
    struct slice request = read_bin(&reader, CALL_SIZE_MAX);
    if (reader_end(&reader))
        return NEAP_INVALID;
    int error = NEAP_NOMEM;
    if (calls_have_room(&gossip->calls, link->peer, request.size))
        error = call_take(step, link, message, wait_ms, request);
    if (error != NEAP_NOMEM)
        return error;
    gossip->counts[REASON_calls_refused]++;
    return call_refuse(step, link, message);
}

struct called *gossip_called(struct gossip *gossip)
{
    struct calls *calls = &gossip->calls;
    return calls->given < calls->count ? calls->items[calls->given++] : NULL;
}

void gossip_call_drop(struct gossip *gossip, struct called *called)
{
    struct calls *calls = &gossip->calls;
    size_t i = 0;
    while (i < calls->given && calls->items[i] != called)
        i++;
    must(i < calls->given);
    for (; i + 1 < calls->count; i++)
        calls->items[i] = calls->items[i + 1];
    calls->count--;
    calls->given--;
    calls->bytes -= called->request.size;
    called_free(called);
}

int gossip_call_end(struct gossip *gossip, struct now now, struct called *called, int code,
                    struct slice reply, struct outbox *outbox)
{
    struct step step = {gossip, now, NULL, outbox};
    const struct link *link = link_find(gossip, called->link);
    struct message message;
    int error = 0;
    message_init(&message);
    message.kind = MESSAGE_TOLD;
    message.session = called->session;
    message.code = code;
    message.bytes = reply;
    if (link && link->state == LINK_OPEN) {
        uint64_t by = link->id, bulk = gossip->peers[link->peer].links[CHANNEL_BULK];
        if (reply.size > CALL_SMALL && bulk)
            by = bulk;
        error = link_tell(&step, by, &message, true);
    }
    if (!error)
        gossip_call_drop(gossip, called);
    return error;
}

void calls_free(struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->calls.count; i++)
        called_free(gossip->calls.items[i]);
    gossip->calls.count = 0;
}
