#include "store/shard_repair.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/repair.h"

/* ---- answering ---- */

struct asked_cells {
    uint64_t number;
    struct repair_nodes nodes;
    struct slice from, to;
    uint32_t index[MERKLE_LIST_MAX];
    uint64_t sums[MERKLE_LIST_MAX];
    size_t sums_count;
    bool met[MERKLE_LIST_MAX];
};

static int cells_read(const struct shard *shard, const struct message *message,
                      struct asked_cells *asked)
{
    struct reader reader;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 6);
    asked->number = read_u64(&reader);
    uint64_t bits = read_u64(&reader);
    if (bits > MERKLE_BITS_MAX)
        reader_fail(&reader, NEAP_INVALID);
    asked->nodes.salt = descent_salt(shard->tree, message->session, REPAIR_WIDTH);
    asked->nodes.nodes.bits = reader.error ? 0 : (unsigned)bits;
    asked->nodes.nodes.index = asked->index;
    asked->nodes.nodes.count =
        read_rising(&reader, asked->index, (uint64_t)1 << asked->nodes.nodes.bits);
    asked->from = read_bin(&reader, KEY_CURSOR_MAX);
    asked->to = read_bin(&reader, KEY_CURSOR_MAX);
    asked->sums_count = read_sums(&reader, asked->sums, REPAIR_WIDTH);
    for (size_t i = 1; i < asked->sums_count; i++) {
        if (asked->sums[i] <= asked->sums[i - 1])
            reader_fail(&reader, NEAP_INVALID);
    }
    if (asked->to.size > 0 && slice_compare(asked->from, asked->to) >= 0)
        reader_fail(&reader, NEAP_INVALID);
    return reader_end(&reader);
}

static int cells_write(const struct asked_cells *asked, const struct repair_found *found,
                       uint32_t *lacking, struct writer *writer)
{
    size_t count = 0;
    for (size_t i = 0; i < asked->sums_count && found->whole; i++) {
        if (!found->met[i])
            lacking[count++] = (uint32_t)i;
    }
    write_array(writer, 4);
    write_u64(writer, asked->number);
    write_bin(writer, buffer_slice(&found->page));
    write_u64(writer, found->whole ? 1 : 0);
    write_rising(writer, lacking, count);
    return writer->error;
}

static int cells_list(struct step *step, const struct shard *shard, const struct message *message,
                      struct writer *writer)
{
    struct asked_cells *asked = mem_new(sizeof *asked);
    struct view view = batch_view(step->batch);
    struct repair_found found = {0};
    if (!asked)
        return NEAP_NOMEM;
    found.met = asked->met;
    /* In the same keys there are more here, of those that the other one has lost. */
    asked->nodes.scan_max = 2 * step->gossip->options.repair_scan;
    buffer_init(&found.page, CHUNK_BYTES_MAX);
    buffer_init(&found.end, KEY_CURSOR_MAX);
    int error = cells_read(shard, message, asked);
    if (!error) {
        error =
            repair_page(shard, &view, &asked->nodes, asked->from, asked->to, asked->sums,
                        asked->sums_count, REPAIR_OTHERS, step->gossip->options.chunk_size, &found);
        /* What is wrong with the question is INVALID; this is wrong with the answer. */
        if (error == NEAP_LIMIT)
            error = NEAP_CORRUPT;
    }
    if (!error)
        error = cells_write(asked, &found, asked->index, writer);
    buffer_done(&found.page);
    buffer_done(&found.end);
    mem_free(asked);
    return error;
}

static int tree_list(const struct shard *shard, const struct message *message,
                     struct writer *writer)
{
    struct merkle_salt salt = descent_salt(shard->tree, message->session, REPAIR_WIDTH);
    return descent_answer(shard->tree, &salt, message->bytes, writer);
}

static int repair_answer(struct step *step, struct topic *topic, const struct shard *shard,
                         const struct message *message, struct buffer *packed, int *ret_code)
{
    struct writer writer;
    writer_init(&writer, packed);
    int error = message->kind == MESSAGE_TREE ? tree_list(shard, message, &writer)
                                              : cells_list(step, shard, message, &writer);
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
};

static void tell_healed(void *arg, struct slice path, bool lost)
{
    struct telling *telling = arg;
    struct gossip *gossip = telling->step->gossip;
    char key[FAULT_TEXT_MAX / 4];
    path_text(path, key, sizeof key);
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
    struct telling telling = {step, shard, peer};
    struct view view = batch_view(step->batch);
    *ret_taken = TAKEN_BEHIND;
    if (shard->session.id)
        return 0;
    int error = repair_look(shard, &view, page, tell_healed, &telling, ret_end);
    if (!error)
        error = shard_repair_take(shard, step->batch, page, ret_taken);
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
