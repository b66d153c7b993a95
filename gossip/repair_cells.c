#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/repair.h"
#include "store/shard_repair.h"

/* ---- asking ---- */

static struct repair_nodes repair_nodes(const struct gossip *gossip, const struct repair *repair)
{
    return (struct repair_nodes){.salt = repair->descent.salt,
                                 .nodes = descent_nodes(&repair->descent),
                                 .scan_max = gossip->options.repair_scan};
}

struct looking {
    struct step *step;
    const struct shard *shard;
    const struct repair *repair;
};

static int look_list(void *arg, struct stretch *stretch, size_t sums_max, uint64_t *ret_sums,
                     size_t *ret_count)
{
    const struct looking *looking = arg;
    struct repair_nodes nodes = repair_nodes(looking->step->gossip, looking->repair);
    struct view view = batch_view(looking->step->batch);
    return repair_sums(looking->shard, &view, &nodes, buffer_slice(&stretch->from),
                       buffer_slice(&stretch->end), sums_max, ret_sums, ret_count, &stretch->to);
}

static int cells_send(struct step *step, struct topic *topic, struct stretch *stretch)
{
    struct repair *repair = topic->pull.repair;
    struct repair_nodes nodes = repair_nodes(step->gossip, repair);
    struct buffer packed;
    struct writer writer;
    buffer_init(&packed, STRETCH_PACKED_MAX);
    writer_init(&writer, &packed);
    int error = stretch_ask(&repair->stretches, stretch, &nodes, &writer);
    if (!error)
        error = repair_ask(step, topic, MESSAGE_REPAIR, &packed);
    buffer_done(&packed);
    return error;
}

/* As long as nothing is under way no answer is missed. */
static int cells_wait(struct step *step, struct topic *topic, uint64_t at)
{
    struct pull *pull = &topic->pull;
    if (pull->under_way == 0)
        pull->deadline = at + step->gossip->options.silence_ms;
    topic_wake(step->gossip, topic, at);
    return 0;
}

int cells_ask(struct step *step, struct topic *topic, struct shard *shard)
{
    struct repair *repair = topic->pull.repair;
    struct looking looking = {step, shard, repair};
    struct stretch *stretch = stretches_next(&repair->stretches);
    if (stretches_are_done(&repair->stretches))
        return repair_end(step, topic, shard);
    /* With a budget one question after the other: what is under way is not counted yet. */
    if (!stretch || (repair->budgeted && topic->pull.under_way > 0))
        return 0;
    uint64_t at = repair_ask_at(step, repair->budgeted, MESSAGE_REPAIR);
    if (at > step->now.mono_ms)
        return cells_wait(step, topic, at);
    int error = stretch_look(&repair->stretches, stretch, look_list, &looking);
    if (error)
        return pull_fault(step, topic, shard, error, FAULT_KEEPING);
    error = cells_send(step, topic, stretch);
    /* One is read in a turn: others wait for it. */
    if (!error && topic->pull.repair == repair && stretches_next(&repair->stretches))
        topic_wake(step->gossip, topic, step->now.mono_ms);
    return error;
}

/* ---- taking ---- */

/* Gives the cells that the peer lacks; *end is lowered to how far they are given. */
static int cells_give(struct step *step, struct topic *topic, const struct shard *shard,
                      const struct stretch *stretch, const uint64_t *sums, size_t count,
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
    repair->given += error ? 0 : found.cells;
    repair_travelled(step, repair, error ? 0 : found.page.size);
    if (!error)
        repair_given(step->gossip, &found);
    buffer_done(&found.page);
    buffer_done(&found.end);
    return error;
}

/* A page goes from where it was asked for to where that ended, or less far. */
static bool page_fits(const struct stretch *stretch, const struct buffer *end)
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
        return pull_fault(step, topic, shard, error, FAULT_KEEPING);
    return error;
}

/* The sums that the peer lacks. */
static int answer_give(struct step *step, struct topic *topic, const struct shard *shard,
                       const struct stretch_answer *answer, struct buffer *end)
{
    const struct stretch *stretch = answer->stretch;
    uint64_t *lacking = mem_new_array(answer->lacking_count, sizeof *lacking);
    if (!lacking)
        return NEAP_NOMEM;
    for (size_t i = 0; i < answer->lacking_count; i++)
        lacking[i] = stretch->sums[answer->lacking[i]];
    int error = cells_give(step, topic, shard, stretch, lacking, answer->lacking_count, end);
    mem_free(lacking);
    return error;
}

static int answer_merge(struct step *step, struct topic *topic, struct shard *shard,
                        const struct stretch_answer *answer, struct buffer *end)
{
    struct repair *repair = topic->pull.repair;
    struct stretch *stretch = answer->stretch;
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
    bool full = !slice_equal(buffer_slice(end), buffer_slice(&stretch->to)) &&
                answer->page.size >= step->gossip->options.chunk_size / 2;
    if (answer->lacking_count > 0 && !BROKEN("repair-only-takes"))
        error = answer_give(step, topic, shard, answer, end);
    if (error)
        return cells_fault(step, topic, shard, error);
    topic->pull.cells += answer->looked;
    error = stretch_advance(&repair->stretches, stretch, buffer_slice(end), full);
    return error ? error : topic_queue(step->gossip, topic);
}

int cells_take(struct step *step, struct topic *topic, struct shard *shard,
               const struct message *message)
{
    struct repair *repair = topic->pull.repair;
    struct stretch_answer *answer = &repair->answer;
    struct buffer end;
    int error = stretch_answer_read(&repair->stretches, message->bytes, answer);
    if (error || !answer->stretch)
        return error;
    for (size_t i = 0; i <= answer->lost; i++)
        question_answered(step, topic);
    buffer_init(&end, KEY_CURSOR_MAX);
    error = answer_merge(step, topic, shard, answer, &end);
    buffer_done(&end);
    return error;
}
