#include "store/shard_repair.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/repair.h"

/* ---- answering ---- */

void repair_given(struct gossip *gossip, const struct repair_found *found)
{
    if (found->cells == 0)
        return;
    gossip->counts[REASON_repair_cells] += found->cells;
    gossip->counts[REASON_repair_bytes] += found->page.size;
}

static int sums_rise(const struct stretch_asked *asked)
{
    for (size_t i = 1; i < asked->count; i++) {
        if (asked->sums[i] <= asked->sums[i - 1])
            return NEAP_INVALID;
    }
    return 0;
}

static int cells_list(struct step *step, const struct shard *shard, const struct message *message,
                      struct buffer *packed)
{
    struct merkle_salt salt = descent_salt(shard->tree, message->session, REPAIR_WIDTH);
    struct stretch_asked *asked = mem_new(sizeof *asked);
    struct view view = batch_view(step->batch);
    struct repair_found found = {0};
    if (!asked)
        return NEAP_NOMEM;
    buffer_init(&found.page, CHUNK_BYTES_MAX);
    buffer_init(&found.end, KEY_CURSOR_MAX);
    found.met = asked->met;
    int error = stretch_asked_read(message->bytes, &salt, asked);
    if (!error)
        error = sums_rise(asked);
    /* In the same keys there are more here, of those that the other one has lost. */
    asked->nodes.scan_max = 2 * step->gossip->options.repair_scan;
    if (!error) {
        error = repair_page(shard, &view, &asked->nodes, asked->from, asked->to, asked->sums,
                            asked->count, REPAIR_OTHERS, step->gossip->options.chunk_size, &found);
        /* What is wrong with the question is INVALID; this is wrong with the answer. */
        if (error == NEAP_LIMIT)
            error = NEAP_CORRUPT;
    }
    if (!error)
        repair_given(step->gossip, &found);
    if (!error)
        error = stretch_answer_write(asked, &found.page, found.looked, found.whole, packed);
    buffer_done(&found.page);
    buffer_done(&found.end);
    mem_free(asked);
    return error;
}

static int tree_list(const struct shard *shard, const struct message *message,
                     struct buffer *packed)
{
    struct merkle_salt salt = descent_salt(shard->tree, message->session, REPAIR_WIDTH);
    struct writer writer;
    writer_init(&writer, packed);
    return descent_answer(shard->tree, &salt, message->bytes, &writer);
}

static int repair_answer(struct step *step, struct topic *topic, const struct shard *shard,
                         const struct message *message, struct buffer *packed, int *ret_code)
{
    int error = message->kind == MESSAGE_TREE ? tree_list(shard, message, packed)
                                              : cells_list(step, shard, message, packed);
    *ret_code = error;
    if (error == NEAP_CORRUPT) {
        buffer_clear(packed);
        error = topic_fault(step, topic, shard, error, FAULT_GIVING);
    }
    return error;
}

int repair_serve(struct step *step, size_t peer, struct topic *topic, const struct shard *shard,
                 const struct message *message)
{
    struct message reply;
    struct buffer packed;
    int error = 0;
    message_answer(&reply, message->kind == MESSAGE_TREE ? MESSAGE_TREED : MESSAGE_REPAIRED,
                   message);
    reply.code = NEAP_STALE;
    uint64_t wait = shard && message->kind == MESSAGE_TREE
                        ? flow_busy_ms(step->gossip, step->now.mono_ms, MESSAGE_TREE)
                        : 0;
    if (wait)
        return flow_refuse(step, peer, &reply, wait);
    buffer_init(&packed, MESSAGE_SIZE_MAX);
    if (shard && topic_open_pair(step->gossip, topic, peer) && tree_is_of(shard, &message->since))
        error = repair_answer(step, topic, shard, message, &packed, &reply.code);
    reply.bytes = buffer_slice(&packed);
    if (!error)
        error = answer_send(step, peer, &reply);
    buffer_done(&packed);
    return error;
}

/* ---- cells that come ---- */

struct telling {
    struct step *step;
    const struct shard *shard;
    size_t peer;
    uint64_t cells;
    char first[FAULT_TEXT_MAX / 4];
    bool lost; /* the first one, not only in part */
};

static void tell_healed(void *arg, struct slice path, bool lost)
{
    struct telling *telling = arg;
    struct gossip *gossip = telling->step->gossip;
    char key[FAULT_TEXT_MAX / 4];
    path_text(path, key, sizeof key);
    if (telling->cells++ == 0) {
        memcpy(telling->first, key, sizeof key);
        telling->lost = lost;
    }
    snprintf(gossip->healed, sizeof gossip->healed, "%.64s: %s was %s here, and is back from %.64s",
             telling->shard->name, key, lost ? "lost" : "not whole",
             peer_text(gossip, telling->peer));
    trace(gossip->trace, "%s", gossip->healed);
}

const char *gossip_healed(const struct gossip *gossip)
{
    return gossip->healed[0] ? gossip->healed : NULL;
}

int page_take(struct step *step, struct topic *topic, struct shard *shard, size_t peer,
              struct slice page, struct buffer *ret_end, enum taken *ret_taken)
{
    struct telling telling = {.step = step, .shard = shard, .peer = peer};
    struct view view = batch_view(step->batch);
    *ret_taken = TAKEN_BEHIND;
    if (shard->session.id)
        return 0;
    int error = repair_look(shard, &view, page, tell_healed, &telling, ret_end);
    if (!error)
        error = shard_repair_take(shard, step->batch, page, ret_taken);
    if (!error && *ret_taken == TAKEN && telling.cells > 0)
        error = incident_lost(step, shard, peer, telling.cells, telling.first, telling.lost);
    if (!error && *ret_taken == TAKEN) {
        topic_well(topic, FAULT_TAKING);
        topic_changed(step->gossip, topic);
        for (size_t i = 0; i < step->gossip->peers_count; i++) {
            struct pair *pair = topic_open_pair(step->gossip, topic, i);
            if (pair)
                pair_wants_digest(step->gossip, pair, i); /* before others find the same */
        }
        error = topic_queue(step->gossip, topic);
    }
    return error;
}

int mend_take(struct step *step, size_t peer, struct topic *topic, struct shard *shard,
              const struct message *message)
{
    enum taken taken;
    if (!shard || !shard->tree || !topic_open_pair(step->gossip, topic, peer))
        return 0;
    if (message->bytes.size == 0) {
        if (!shard->tree->ready || shard->tree->build)
            return 0;
        trace(step->gossip->trace, "%s: found nothing to repair in %s",
              peer_text(step->gossip, peer), shard->name);
        return merkle_build_begin(shard->tree, shard->tree->now.cells);
    }
    int error = page_take(step, topic, shard, peer, message->bytes, NULL, &taken);
    if (error == NEAP_STALE)
        return release_refused(step, topic, shard);
    return topic_fault_taking(step, topic, shard, error, CHUNK_PAGE, message->bytes);
}
