#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/repair.h"
#include "store/shard_repair.h"

/* ---- stretches ---- */

void cells_init(struct repair *repair)
{
    buffer_init(&repair->next, KEY_CURSOR_MAX);
    repair->sums_max = MERKLE_LIST_MAX;
    for (size_t i = 0; i < REPAIR_UNDER_WAY_MAX; i++) {
        struct repair_stretch *stretch = &repair->stretches[i];
        buffer_init(&stretch->from, KEY_CURSOR_MAX);
        buffer_init(&stretch->to, KEY_CURSOR_MAX);
        buffer_init(&stretch->end, KEY_CURSOR_MAX);
    }
}

void cells_done(struct repair *repair)
{
    buffer_done(&repair->next);
    for (size_t i = 0; i < REPAIR_UNDER_WAY_MAX; i++) {
        struct repair_stretch *stretch = &repair->stretches[i];
        buffer_done(&stretch->from);
        buffer_done(&stretch->to);
        buffer_done(&stretch->end);
        mem_free(stretch->sums);
    }
}

static void stretch_forget_sums(struct repair *repair, struct repair_stretch *stretch)
{
    repair->sums_count -= stretch->sums_count;
    stretch->sums_count = 0;
    mem_free(stretch->sums);
    stretch->sums = NULL;
}

static struct repair_stretch *stretch_in(struct repair *repair, int state)
{
    for (size_t i = 0; i < REPAIR_UNDER_WAY_MAX; i++) {
        if ((int)repair->stretches[i].state == state)
            return &repair->stretches[i];
    }
    return NULL;
}

/* What is left of one that was answered goes before a new one. NULL: nothing can be asked now. */
static struct repair_stretch *stretch_next(struct repair *repair)
{
    struct repair_stretch *stretch = stretch_in(repair, STRETCH_WAITS);
    if (repair->under_way > 0 && repair->sums_count + repair->sums_max > REPAIR_SUMS_MAX)
        return NULL;
    if (!stretch && !repair->ended)
        stretch = stretch_in(repair, STRETCH_NONE);
    return stretch;
}

/* ---- asking ---- */

static struct repair_nodes repair_nodes(const struct gossip *gossip, const struct repair *repair)
{
    return (struct repair_nodes){.salt = repair->descent.salt,
                                 .nodes = descent_nodes(&repair->descent),
                                 .scan_max = gossip->options.repair_scan};
}

/* A shard that can't be read rests: nothing is pulled or repaired for a while. */
static int repair_fault(struct step *step, struct topic *topic, struct shard *shard, int error)
{
    topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    return error ? error : pull_end(step, topic, 0);
}

/* Looks at the cells of a stretch. One that is new ends where that does. */
static int stretch_read(struct step *step, const struct shard *shard, struct repair *repair,
                        struct repair_stretch *stretch)
{
    struct repair_nodes nodes = repair_nodes(step->gossip, repair);
    struct view view = batch_view(step->batch);
    bool new = stretch->state == STRETCH_NONE;
    size_t count = 0;
    uint64_t *sums = mem_new_array(repair->sums_max, sizeof *sums);
    int error = sums ? 0 : NEAP_NOMEM;
    if (!error && new)
        error = buffer_set(&stretch->from, buffer_slice(&repair->next));
    if (new)
        buffer_clear(&stretch->end);
    if (!error)
        error =
            repair_sums(shard, &view, &nodes, buffer_slice(&stretch->from),
                        buffer_slice(&stretch->end), repair->sums_max, sums, &count, &stretch->to);
    if (!error && new)
        error = buffer_set(&stretch->end, buffer_slice(&stretch->to));
    if (!error && new)
        error = buffer_set(&repair->next, buffer_slice(&stretch->to));
    if (error) {
        mem_free(sums);
        return error;
    }
    repair->ended = repair->ended || (new && stretch->to.size == 0);
    stretch->state = STRETCH_WAITS;
    stretch->sums = sums;
    stretch->sums_count = count;
    repair->sums_count += count;
    return 0;
}

static int stretch_ask(struct step *step, struct topic *topic, struct repair_stretch *stretch)
{
    struct repair *repair = topic->pull.repair;
    struct merkle_nodes nodes = descent_nodes(&repair->descent);
    struct buffer packed;
    struct writer writer;
    buffer_init(&packed, REPAIR_PACKED_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 6);
    write_u64(&writer, repair->number_next);
    write_u64(&writer, nodes.bits);
    write_rising(&writer, nodes.index, nodes.count);
    write_bin(&writer, buffer_slice(&stretch->from));
    write_bin(&writer, buffer_slice(&stretch->to));
    write_sums(&writer, stretch->sums, stretch->sums_count, REPAIR_WIDTH);
    stretch->state = STRETCH_ASKED;
    stretch->number = repair->number_next++;
    int error = writer.error ? writer.error : repair_ask(step, topic, MESSAGE_REPAIR, &packed);
    buffer_done(&packed);
    return error;
}

/* As long as nothing is under way no answer is missed. */
static int cells_wait(struct step *step, struct topic *topic, uint64_t at)
{
    struct pull *pull = &topic->pull;
    if (pull->repair->under_way == 0)
        pull->deadline = at + step->gossip->options.silence_ms;
    topic_wake(step->gossip, topic, at);
    return 0;
}

int cells_ask(struct step *step, struct topic *topic, struct shard *shard)
{
    struct repair *repair = topic->pull.repair;
    struct repair_stretch *stretch = stretch_next(repair);
    if (!stretch && repair->under_way == 0)
        return repair_end(step, topic, shard);
    if (!stretch)
        return 0;
    uint64_t at = flow_ask_at(step->gossip, step->now.mono_ms, MESSAGE_REPAIR);
    if (at > step->now.mono_ms)
        return cells_wait(step, topic, at);
    int error = stretch_read(step, shard, repair, stretch);
    if (error)
        return repair_fault(step, topic, shard, error);
    error = stretch_ask(step, topic, stretch);
    /* One is read in a turn: others wait for it. */
    if (!error && topic->pull.repair == repair && stretch_next(repair))
        topic_wake(step->gossip, topic, step->now.mono_ms);
    return error;
}

/* ---- taking ---- */

/* Gives the cells that the peer lacks; *end is lowered to how far they are given. */
static int cells_give(struct step *step, struct topic *topic, const struct shard *shard,
                      const struct repair_stretch *stretch, const uint64_t *sums, size_t count,
                      struct buffer *end)
{
    struct repair *repair = topic->pull.repair;
    struct repair_nodes nodes = repair_nodes(step->gossip, repair);
    struct view view = batch_view(step->batch);
    struct repair_found found = {0};
    struct message message;
    nodes.scan_max *= 2; /* some have just come back */
    buffer_init(&found.page, CHUNK_BYTES_MAX);
    buffer_init(&found.end, KEY_CURSOR_MAX);
    int error = repair_page(shard, &view, &nodes, buffer_slice(&stretch->from), buffer_slice(end),
                            sums, count, REPAIR_THESE, step->gossip->options.chunk_size, &found);
    message_init(&message);
    message.kind = MESSAGE_MEND;
    message.shard = shard->id;
    message.bytes = buffer_slice(&found.page);
    if (!error && found.cells > 0)
        error = link_send(step, step->gossip->peers[topic->pull.peer].links[CHANNEL_BULK], &message,
                          true);
    if (!error)
        error = buffer_set(end, buffer_slice(&found.end));
    repair->cells += error ? 0 : found.cells;
    buffer_done(&found.page);
    buffer_done(&found.end);
    return error;
}

/* It was looked at up to `end`. */
static int stretch_advance(struct repair *repair, struct repair_stretch *stretch,
                           const struct buffer *end)
{
    bool all = slice_compare(buffer_slice(end), buffer_slice(&stretch->end)) == 0;
    stretch_forget_sums(repair, stretch);
    stretch->state = all ? STRETCH_NONE : STRETCH_WAITS;
    return all ? 0 : buffer_set(&stretch->from, buffer_slice(end));
}

/* A page goes from where it was asked for to where that ended, or less far. */
static bool page_fits(const struct repair_stretch *stretch, const struct buffer *end)
{
    struct slice to = buffer_slice(&stretch->to);
    if (end->size == 0)
        return to.size == 0;
    return slice_compare(buffer_slice(end), buffer_slice(&stretch->from)) > 0 &&
           (to.size == 0 || slice_compare(buffer_slice(end), to) <= 0);
}

/* After an error in what was asked for; others are not of this session. */
static int cells_fault(struct step *step, struct topic *topic, struct shard *shard, int error)
{
    if (error == NEAP_LIMIT)
        return repair_stop(step, topic);
    if (error == NEAP_CORRUPT)
        return repair_fault(step, topic, shard, error);
    return error;
}

struct cells_answer {
    struct slice page;
    uint64_t *lacking; /* sums; owned */
    size_t count;
};

/* What found no room in an answer is asked for again: the next questions are smaller. */
static void repair_ask_less(struct repair *repair, const struct repair_stretch *stretch)
{
    size_t less = stretch->sums_count / 2;
    less = less > REPAIR_SUMS_MIN ? less : REPAIR_SUMS_MIN;
    repair->sums_max = less < repair->sums_max ? less : repair->sums_max;
}

static int answer_merge(struct step *step, struct topic *topic, struct shard *shard,
                        struct repair_stretch *stretch, const struct cells_answer *answer,
                        struct buffer *end)
{
    struct repair *repair = topic->pull.repair;
    enum taken taken;
    int error = page_take(step, topic, shard, topic->pull.peer, answer->page, end, &taken);
    if (error == NEAP_STALE)
        return release_refused(step, topic, shard);
    if (error) {
        error = topic_fault_taking(step, topic, shard, error, CHUNK_PAGE, answer->page);
        return error ? error : pull_end(step, topic, 0);
    }
    if (taken == TAKEN_BEHIND || taken == TAKEN_BUSY)
        return repair_stop(step, topic);
    if (!page_fits(stretch, end))
        return NEAP_INVALID;
    repair->cells += taken == TAKEN;
    if (slice_compare(buffer_slice(end), buffer_slice(&stretch->to)) != 0 &&
        answer->page.size >= step->gossip->options.chunk_size / 2)
        repair_ask_less(repair, stretch);
    if (answer->count > 0 && !BROKEN("repair-only-takes"))
        error = cells_give(step, topic, shard, stretch, answer->lacking, answer->count, end);
    if (error)
        return cells_fault(step, topic, shard, error);
    error = stretch_advance(repair, stretch, end);
    return error ? error : topic_queue(step->gossip, topic);
}

static struct repair_stretch *stretch_asked(struct repair *repair, uint64_t number)
{
    for (size_t i = 0; i < REPAIR_UNDER_WAY_MAX; i++) {
        struct repair_stretch *stretch = &repair->stretches[i];
        if (stretch->state == STRETCH_ASKED && stretch->number == number)
            return stretch;
    }
    return NULL;
}

/* Answers come in order: one that was to come before is lost, and asked for again. */
static void answers_lost(struct step *step, struct topic *topic, uint64_t number)
{
    struct repair *repair = topic->pull.repair;
    for (size_t i = 0; i < REPAIR_UNDER_WAY_MAX; i++) {
        struct repair_stretch *stretch = &repair->stretches[i];
        if (stretch->state != STRETCH_ASKED || stretch->number >= number)
            continue;
        stretch_forget_sums(repair, stretch);
        stretch->state = STRETCH_WAITS;
        repair->under_way--;
        question_answered(step, topic);
    }
    repair->under_way--;
    question_answered(step, topic);
}

/* *ret_stretch: what it answers; NULL: nothing that is waited for. */
static int answer_read(struct repair *repair, struct slice packed,
                       struct repair_stretch **ret_stretch, struct cells_answer *ret_answer)
{
    uint32_t *numbers = mem_new_array(MERKLE_LIST_MAX, sizeof *numbers);
    uint64_t *lacking = mem_new_array(MERKLE_LIST_MAX, sizeof *lacking);
    struct reader reader;
    int error = numbers && lacking ? 0 : NEAP_NOMEM;
    reader_init(&reader, packed);
    read_array_of(&reader, 4);
    struct repair_stretch *stretch = stretch_asked(repair, read_u64(&reader));
    struct slice page = read_bin(&reader, CHUNK_BYTES_MAX);
    uint64_t whole = read_u64(&reader);
    size_t count = error ? 0 : read_rising(&reader, numbers, stretch ? stretch->sums_count : 0);
    if (whole > 1 || (!whole && count > 0))
        reader_fail(&reader, NEAP_INVALID);
    error = error ? error : reader_end(&reader);
    for (size_t i = 0; i < count && !error; i++)
        lacking[i] = stretch->sums[numbers[i]];
    mem_free(numbers);
    if (error) {
        mem_free(lacking);
        return error;
    }
    *ret_stretch = stretch;
    *ret_answer = (struct cells_answer){.page = page, .lacking = lacking, .count = count};
    return 0;
}

int cells_take(struct step *step, struct topic *topic, struct shard *shard,
               const struct message *message)
{
    struct repair_stretch *stretch;
    struct cells_answer answer;
    struct buffer end;
    int error = answer_read(topic->pull.repair, message->bytes, &stretch, &answer);
    if (error)
        return error;
    buffer_init(&end, KEY_CURSOR_MAX);
    if (stretch) {
        answers_lost(step, topic, stretch->number);
        error = answer_merge(step, topic, shard, stretch, &answer, &end);
    }
    buffer_done(&end);
    mem_free(answer.lacking);
    return error;
}
