/* A shard in trouble here (a limit of its own was reached, a record of it is damaged) stops, and
 * says so. The links go on: other shards travel on them. */
#include <stdio.h>

#include "base/error.h"
#include "gossip/state.h"
#include "store/slot.h"

/* Would the cells make one that can't be stored, or can mine not be read? */
static bool cell_is_faulty(const struct step *step, const struct shard *shard,
                           const struct chunk *chunk, const struct chunk_cell *item)
{
    struct view view = batch_view(step->batch);
    struct knowledge know = {.context = &shard->context};
    struct knowledge know_theirs = chunk_knowledge(chunk, item);
    struct buffer bytes, encoded;
    struct cell mine, theirs, merged;
    buffer_init(&bytes, STORED_SIZE_MAX);
    buffer_init(&encoded, CELL_SIZE_MAX);
    cell_init(&mine);
    cell_init(&theirs);
    cell_init(&merged);
    int error = cell_read(&view, shard->id, item->bucket, item->path, &bytes, &mine);
    if (!error)
        error = cell_decode(item->bytes, &theirs);
    if (!error)
        error = cell_merge(&mine, &know, &theirs, &know_theirs, &merged, NULL);
    if (!error)
        error = cell_encode(&merged, &encoded);
    cell_done(&mine);
    cell_done(&theirs);
    cell_done(&merged);
    buffer_done(&bytes);
    buffer_done(&encoded);
    return error == NEAP_LIMIT || error == NEAP_CORRUPT;
}

static bool ids_are_too_many(const struct shard *shard, const struct chunk *chunk)
{
    struct context joined = {0};
    int error = context_copy(&joined, &shard->context);
    if (!error)
        error = context_join(&joined, &chunk->context);
    context_done(&joined);
    return error == NEAP_LIMIT;
}

/* Where in the chunk the trouble is; "" when it does not show. */
static void fault_place(const struct step *step, const struct shard *shard,
                        const struct chunk *chunk, char *ret_text, size_t size)
{
    char path[FAULT_TEXT_MAX / 4];
    ret_text[0] = '\0';
    for (size_t i = 0; i < chunk->cells_count; i++) {
        if (!cell_is_faulty(step, shard, chunk, &chunk->cells[i]))
            continue;
        path_text(chunk->cells[i].path, path, sizeof path);
        snprintf(ret_text, size, ", key %s", path);
        return;
    }
    if (ids_are_too_many(shard, chunk))
        snprintf(ret_text, size, ", more than %d replica ids", CONTEXT_IDS_MAX);
}

static void fault_note(struct step *step, struct topic *topic, const struct shard *shard, int code,
                       enum fault_in in, const char *place)
{
    static const char *const doing[] = {"taken from", "given to", "kept ready for"};
    struct gossip *gossip = step->gossip;
    struct disk *disk = gossip->store->disk;
    struct neap_error text = {0};
    if (code == NEAP_CORRUPT)
        disk->ops->error(disk, &text);
    gossip->counts[code == NEAP_CORRUPT ? REASON_shard_damaged : REASON_shard_limit]++;
    topic->fault.code = code;
    topic->fault.in = in;
    snprintf(topic->fault.text, sizeof topic->fault.text, "%.64s can't be %s others: %.80s%s",
             shard->name, doing[in], text.text[0] ? text.text : error_text(code), place);
    trace(gossip->trace, "%s", topic->fault.text);
}

int topic_fault(struct step *step, struct topic *topic, const struct shard *shard, int error,
                enum fault_in in)
{
    if (error != NEAP_LIMIT && error != NEAP_CORRUPT)
        return error;
    fault_note(step, topic, shard, error, in, "");
    return 0;
}

int topic_fault_chunk(struct step *step, struct topic *topic, const struct shard *shard, int error,
                      const struct chunk *chunk)
{
    char place[FAULT_TEXT_MAX / 4 + 8];
    if (error != NEAP_LIMIT && error != NEAP_CORRUPT)
        return error;
    fault_place(step, shard, chunk, place, sizeof place);
    fault_note(step, topic, shard, error, FAULT_TAKING, place);
    topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    return 0;
}

int topic_fault_taking(struct step *step, struct topic *topic, const struct shard *shard, int error,
                       enum chunk_kind kind, struct slice bytes)
{
    struct chunk chunk = {0};
    if (error != NEAP_LIMIT && error != NEAP_CORRUPT)
        return error;
    int fault = chunk_decode(bytes, kind, &chunk);
    if (!fault)
        fault = topic_fault_chunk(step, topic, shard, error, &chunk);
    chunk_done(&chunk);
    return fault; /* what is no chunk is its sender's fault */
}

void topic_well(struct topic *topic, enum fault_in in)
{
    if (topic->fault.in == in)
        topic->fault.code = 0;
}

const char *gossip_problem(const struct gossip *gossip, uint64_t shard)
{
    const struct topic *topic = topic_find(gossip, shard);
    return topic && topic->fault.code ? topic->fault.text : NULL;
}
