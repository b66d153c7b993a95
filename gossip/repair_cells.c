#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/repair.h"
#include "store/shard_repair.h"

/* ---- asking ---- */

static struct repair_nodes repair_nodes(const struct repair *repair)
{
    return (struct repair_nodes){.salt = repair->descent.salt,
                                 .nodes = descent_nodes(&repair->descent)};
}

/* A shard that can't be read rests: nothing is pulled or repaired for a while. */
static int repair_fault(struct step *step, struct topic *topic, struct shard *shard, int error)
{
    topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    return error ? error : pull_end(step, topic, 0);
}

int cells_ask(struct step *step, struct topic *topic, struct shard *shard)
{
    struct repair *repair = topic->pull.repair;
    struct repair_nodes nodes = repair_nodes(repair);
    struct view view = batch_view(step->batch);
    struct buffer packed;
    struct writer writer;
    int error =
        repair_sums(shard, &view, &nodes, buffer_slice(&repair->from), buffer_slice(&repair->end),
                    repair->sums, &repair->sums_count, &repair->to);
    if (error)
        return repair_fault(step, topic, shard, error);
    buffer_init(&packed, REPAIR_PACKED_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 5);
    write_u64(&writer, nodes.nodes.bits);
    write_rising(&writer, nodes.nodes.index, nodes.nodes.count);
    write_bin(&writer, buffer_slice(&repair->from));
    write_bin(&writer, buffer_slice(&repair->to));
    write_sums(&writer, repair->sums, repair->sums_count, nodes.salt.width);
    error = writer.error ? writer.error : repair_ask(step, topic, MESSAGE_REPAIR, &packed);
    buffer_done(&packed);
    return error;
}

/* ---- taking ---- */

/* Gives the cells that the peer lacks; `end` is lowered to how far they are given. */
static int cells_give(struct step *step, struct topic *topic, const struct shard *shard,
                      const uint64_t *sums, size_t count)
{
    struct repair *repair = topic->pull.repair;
    struct repair_nodes nodes = repair_nodes(repair);
    struct view view = batch_view(step->batch);
    struct repair_found found = {0};
    struct message message;
    buffer_init(&found.page, CHUNK_BYTES_MAX);
    buffer_init(&found.end, KEY_CURSOR_MAX);
    int error =
        repair_page(shard, &view, &nodes, buffer_slice(&repair->from), buffer_slice(&repair->end),
                    sums, count, REPAIR_THESE, step->gossip->options.chunk_size, &found);
    message_init(&message);
    message.kind = MESSAGE_MEND;
    message.shard = shard->id;
    message.bytes = buffer_slice(&found.page);
    if (!error && found.cells > 0)
        error = link_send(step, step->gossip->peers[topic->pull.peer].links[CHANNEL_BULK], &message,
                          true);
    if (!error)
        error = buffer_set(&repair->end, buffer_slice(&found.end));
    repair->cells += error ? 0 : found.cells;
    buffer_done(&found.page);
    buffer_done(&found.end);
    return error;
}

/* The next stretch. */
static int cells_go_on(struct step *step, struct topic *topic, struct shard *shard, bool whole)
{
    struct repair *repair = topic->pull.repair;
    if (!whole) /* the same again, as far as the peer has looked */
        return cells_ask(step, topic, shard);
    if (repair->end.size == 0)
        return repair_end(step, topic, shard);
    int error = buffer_set(&repair->from, buffer_slice(&repair->end));
    buffer_clear(&repair->end);
    return error ? error : cells_ask(step, topic, shard);
}

/* A page goes from where it was asked for to where that ended, or less far. */
static bool page_fits(const struct repair *repair)
{
    return repair->to.size == 0 ||
           (repair->end.size > 0 &&
            slice_compare(buffer_slice(&repair->end), buffer_slice(&repair->to)) <= 0);
}

static int cells_take_parts(struct step *step, struct topic *topic, struct shard *shard,
                            struct slice page, bool whole, const uint64_t *lacking, size_t count)
{
    struct repair *repair = topic->pull.repair;
    enum taken taken;
    int error = page_take(step, topic, shard, topic->pull.peer, page, &repair->end, &taken);
    if (error == NEAP_STALE)
        return release_refused(step, topic, shard);
    if (error) {
        error = topic_fault_taking(step, topic, shard, error, CHUNK_PAGE, page);
        return error ? error : pull_end(step, topic, 0);
    }
    if (taken == TAKEN_BEHIND || taken == TAKEN_BUSY)
        return repair_stop(step, topic);
    if (!page_fits(repair))
        return NEAP_INVALID;
    repair->cells += taken == TAKEN;
    if (count > 0 && !BROKEN("repair-only-takes"))
        error = cells_give(step, topic, shard, lacking, count);
    if (error == NEAP_LIMIT)
        return repair_stop(step, topic);
    if (error == NEAP_CORRUPT)
        return repair_fault(step, topic, shard, error);
    return error ? error : cells_go_on(step, topic, shard, whole);
}

int cells_take(struct step *step, struct topic *topic, struct shard *shard,
               const struct message *message)
{
    const struct repair *repair = topic->pull.repair;
    uint32_t *numbers = mem_new_array(MERKLE_LIST_MAX, sizeof *numbers);
    uint64_t *lacking = mem_new_array(MERKLE_LIST_MAX, sizeof *lacking);
    struct reader reader;
    if (!numbers || !lacking) {
        mem_free(numbers);
        mem_free(lacking);
        return NEAP_NOMEM;
    }
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 3);
    struct slice page = read_bin(&reader, CHUNK_BYTES_MAX);
    uint64_t whole = read_u64(&reader);
    size_t count = read_rising(&reader, numbers, repair->sums_count);
    if (whole > 1 || (!whole && count > 0))
        reader_fail(&reader, NEAP_INVALID);
    int error = reader_end(&reader);
    for (size_t i = 0; i < count && !error; i++)
        lacking[i] = repair->sums[numbers[i]];
    if (!error)
        error = cells_take_parts(step, topic, shard, page, whole, lacking, count);
    mem_free(numbers);
    mem_free(lacking);
    return error;
}
