/* What a replica answers to another one that asks whether they are equal. All of it is of one
 * moment, and forgotten after. */
#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/verify_state.h"

enum verify_reason verify_why(enum verify_state state, bool all)
{
    switch (state) {
    case VERIFY_NO_TREE:
        return VERIFY_WHY_BUILDS;
    case VERIFY_CATCHES_UP:
        return all ? VERIFY_WHY_NOTHING : VERIFY_WHY_COMPARES;
    case VERIFY_UNCONFIRMED:
        return VERIFY_WHY_UNCONFIRMED;
    case VERIFY_FINE:
        break;
    }
    return VERIFY_WHY_NOTHING;
}

struct answering {
    struct step *step;
    const struct shard *shard;
    struct view view;
    struct hash_key salt;
    uint32_t index[VERIFY_NODES_MAX];
    struct verify_question question;
    struct digest digests[VERIFY_SUMS_MAX];
    uint64_t sums[VERIFY_SUMS_MAX];
    struct verify_answer answer;
    struct buffer cells;
    struct verify_pass pass; /* CELLS */
};

/* Errors that only say that there is no answer now. */
static int answer_not(struct verify_answer *answer, int error)
{
    if (error == NEAP_STALE)
        answer->why = VERIFY_WHY_BEHIND;
    else if (error == NEAP_LIMIT)
        answer->why = VERIFY_WHY_FAR;
    else if (error == NEAP_CORRUPT)
        answer->why = VERIFY_WHY_UNREADABLE;
    else
        return error;
    answer->paths.count = answer->sums_count = 0;
    answer->cells = answer->to = slice_of(NULL, 0);
    return 0;
}

static int answer_sums(struct answering *answering)
{
    const struct shard *shard = answering->shard;
    const struct verify_question *question = &answering->question;
    struct verify_answer *answer = &answering->answer;
    unsigned bits = shard->tree->now.bits;
    struct verify_sums sums = {question->nodes, question->below, answering->digests, 0};
    if (question->nodes.bits > bits)
        return 0; /* less deep: no sums */
    if (sums.nodes.bits + sums.below > bits)
        sums.below = bits - sums.nodes.bits;
    verify_sums_read(shard->tree, &sums);
    int error = verify_leave_out(shard, &answering->view, &question->paths, NULL, NULL, &sums);
    if (!error && !BROKEN("verify-ignores-own-log"))
        error = verify_leave_out(shard, &answering->view, &answer->paths, &question->paths, NULL,
                                 &sums);
    answering->step->gossip->counts[REASON_verify_cells] += sums.cells_read;
    if (error)
        return error;
    answer->below = sums.below;
    answer->sums_count = sums.nodes.count << sums.below;
    for (size_t i = 0; i < answer->sums_count; i++)
        answer->sums[i] = verify_short(&answering->salt, sums.sums[i]);
    return 0;
}

static int cell_list(void *arg, struct slice path, struct digest sum)
{
    struct answering *answering = arg;
    if (answering->cells.size >= VERIFY_LIST_BYTES)
        return NEAP_LIMIT;
    return verify_cell_write(&answering->cells, path, verify_short(&answering->salt, sum));
}

static int answer_cells(struct answering *answering)
{
    struct verify_pass *pass = &answering->pass;
    pass->nodes = answering->question.nodes;
    pass->from = answering->question.from;
    pass->visit = cell_list;
    pass->arg = answering;
    int error = verify_each(answering->shard, &answering->view, pass);
    answering->step->gossip->counts[REASON_verify_cells] += pass->cells_read;
    answering->answer.cells = buffer_slice(&answering->cells);
    answering->answer.to = buffer_slice(&pass->end);
    return error;
}

static int answer_make(struct answering *answering, const struct context *since)
{
    const struct shard *shard = answering->shard;
    struct verify_answer *answer = &answering->answer;
    bool all = answering->question.all;
    answer->why = verify_why(verify_state(shard), all);
    if (answer->why || answering->question.ask == VERIFY_ASK_CONTEXT)
        return 0;
    if (!all && !verify_is_settled(shard, since))
        answer->why = VERIFY_WHY_AHEAD;
    if (answer->why)
        return 0;
    int error = all ? 0 : verify_beyond(shard, &answering->view, since, &answer->paths);
    if (!error)
        error = answering->question.ask == VERIFY_ASK_SUMS ? answer_sums(answering)
                                                           : answer_cells(answering);
    return answer_not(answer, error);
}

static int verified_send(struct answering *answering, size_t peer, const struct message *message)
{
    struct step *step = answering->step;
    struct message reply;
    struct buffer packed;
    message_answer(&reply, MESSAGE_VERIFIED, message);
    buffer_init(&packed, VERIFY_PACKED_MAX);
    int error = answering->shard ? shard_told(answering->shard, &reply.since) : 0;
    if (!error)
        error = verify_answer_write(&answering->answer, &packed);
    reply.bytes = buffer_slice(&packed);
    if (!error)
        error = answer_send(step, peer, &reply);
    buffer_done(&packed);
    message_done(&reply);
    return error;
}

int verify_serve(struct step *step, size_t peer, const struct message *message)
{
    struct topic *topic = topic_find(step->gossip, message->shard);
    struct answering *answering = mem_new(sizeof *answering);
    if (!answering)
        return NEAP_NOMEM;
    answering->step = step;
    answering->view = batch_view(step->batch);
    answering->answer.sums = answering->sums;
    buffer_init(&answering->cells, VERIFY_PACKED_MAX / 2);
    buffer_init(&answering->pass.end, KEY_CURSOR_MAX);
    verify_paths_init(&answering->answer.paths);
    int error = verify_question_read(message->bytes, answering->index, &answering->question);
    if (!error && topic_open_pair(step->gossip, topic, peer))
        answering->shard = store_find(step->gossip->store, message->shard);
    if (!error && !answering->shard) {
        answering->answer.why = VERIFY_WHY_NOT_MET;
    } else if (!error) {
        if (answering->shard->tree)
            answering->salt = verify_salt(answering->shard, message->session);
        error = answer_make(answering, &message->since);
    }
    if (!error)
        error = verified_send(answering, peer, message);
    verify_paths_done(&answering->question.paths);
    verify_paths_done(&answering->answer.paths);
    buffer_done(&answering->cells);
    buffer_done(&answering->pass.end);
    mem_free(answering);
    return error;
}
