/* How much a node takes and gives in bulk: answers to pulls, compares and repairs, both ways. Who
 * asks is held back, as nothing else takes what is under way out of the net; who is asked for too
 * much says when to come again. What is small (hellos, heartbeats, digests, questions) and own
 * events, which are pushed, is not limited. */
#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "gossip/state.h"

enum { WAIT_MS_MAX = 60000 };

void flow_init(struct flow *flow, uint64_t bytes_per_s)
{
    uint64_t burst = bytes_per_s / 4; /* a quarter of a second's worth */
    tokens_init(&flow->taken, bytes_per_s, burst);
    tokens_init(&flow->given, bytes_per_s, burst);
}

void flow_took(struct flow *flow, uint64_t now_ms, enum message_kind kind, size_t size)
{
    if (!message_is_bulk(kind))
        return;
    flow->bytes_taken += size;
    tokens_take(&flow->taken, now_ms, size);
}

void flow_gave(struct flow *flow, uint64_t now_ms, enum message_kind kind, size_t size)
{
    if (!message_is_bulk(kind))
        return;
    flow->bytes_given += size;
    tokens_take(&flow->given, now_ms, size);
}

/* What there must be left of a burst: events, and what can't be read, go before cells, and these
 * before what was lost without a word. */
static uint64_t kept_by(const struct tokens *tokens, enum message_kind kind)
{
    if (kind == MESSAGE_PULL || kind == MESSAGE_HOLE)
        return 0;
    return kind == MESSAGE_TREE || kind == MESSAGE_REPAIR ? tokens->burst / 2 : tokens->burst / 4;
}

uint64_t flow_ask_at(const struct gossip *gossip, uint64_t now_ms, enum message_kind question)
{
    const struct tokens *taken = &gossip->flow.taken;
    return BROKEN("flow-unlimited") ? now_ms : tokens_at(taken, now_ms, kept_by(taken, question));
}

uint64_t flow_busy_ms(struct gossip *gossip, uint64_t now_ms, enum message_kind question)
{
    const struct tokens *given = &gossip->flow.given;
    uint64_t wait = tokens_at(given, now_ms, kept_by(given, question)) - now_ms;
    if (!wait || BROKEN("flow-unlimited"))
        return 0;
    gossip->flow.refused++;
    /* Not all who asked at the same time. */
    wait += rng_below(&gossip->rng, wait / 2 + 2);
    return wait < WAIT_MS_MAX ? wait : WAIT_MS_MAX;
}

bool flow_is_limited(const struct gossip *gossip)
{
    return gossip->flow.given.rate > 0 && !BROKEN("flow-unlimited");
}

int flow_wait_write(struct message *reply, uint64_t wait_ms, struct buffer *packed)
{
    struct writer writer;
    writer_init(&writer, packed);
    write_u64(&writer, wait_ms);
    reply->code = NEAP_BUSY;
    return writer.error;
}

int flow_refuse(struct step *step, size_t peer, struct message *reply, uint64_t wait_ms)
{
    struct buffer packed;
    buffer_init(&packed, 16);
    int error = flow_wait_write(reply, wait_ms, &packed);
    reply->bytes = buffer_slice(&packed);
    if (!error)
        error = answer_send(step, peer, reply);
    reply->bytes = slice_of(NULL, 0);
    buffer_done(&packed);
    return error;
}

uint64_t flow_wait_ms(const struct message *answer)
{
    struct reader reader;
    reader_init(&reader, answer->bytes);
    uint64_t wait = read_u64(&reader);
    if (reader_end(&reader) || wait > WAIT_MS_MAX)
        wait = WAIT_MS_MAX;
    return wait > PULL_READY_MS ? wait : PULL_READY_MS;
}

int gossip_limit(struct gossip *gossip, uint64_t bulk_max)
{
    gossip->options.bulk_max = bulk_max;
    flow_init(&gossip->flow, bulk_max);
    for (size_t i = 0; i < gossip->topics_count; i++)
        gossip->topics[i]->pull.ask_after = 0;
    return topics_queue(gossip);
}

void gossip_flow_status(const struct gossip *gossip, struct flow_status *ret_status)
{
    const struct flow *flow = &gossip->flow;
    *ret_status = (struct flow_status){.bulk_max = gossip->options.bulk_max,
                                       .bytes_taken = flow->bytes_taken,
                                       .bytes_given = flow->bytes_given,
                                       .held = flow->held,
                                       .refused = flow->refused};
}
