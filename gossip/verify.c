/* Whether a peer's replica of a shard is equal to mine, while both go on (docs/decisions/0018).
 *
 * One attempt is one question and its answer: both leave out the cells that events changed which
 * only one of them has seen, and compare the sums of all others; mine as of the moment of asking,
 * which the watch of the tree brings back. Parts that differ are looked into by further questions,
 * each exact by itself, down to the cells. */
#include "gossip/verify.h"

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/verify_state.h"

const char *verify_reason_text(enum verify_reason reason)
{
    static const char *const texts[] = {
#define X(name, text) text,
        VERIFY_REASONS(X)
#undef X
    };
    return texts[reason];
}

void verify_result_free(struct verify_result *result)
{
    if (!result)
        return;
    context_done(&result->context);
    mem_free(result->keys);
    buffer_done(&result->paths);
    buffer_done(&result->end);
    mem_free(result);
}

/* ---- life ---- */

static void attempt_end(struct verify *verify)
{
    merkle_watch_done(&verify->watch);
    verify_paths_done(&verify->paths);
    verify->session = 0;
}

static void verify_free(struct verify *verify)
{
    attempt_end(verify);
    context_done(&verify->seen);
    context_done(&verify->asked);
    context_done(&verify->base);
    context_done(&verify->residue);
    buffer_done(&verify->from);
    buffer_done(&verify->start);
    mem_free(verify->sums.sums);
    mem_free(verify);
}

void verifies_free(struct gossip *gossip)
{
    while (gossip->verifies) {
        struct verify *verify = gossip->verifies;
        gossip->verifies = verify->next;
        verify_free(verify);
    }
}

void verifies_lost(struct gossip *gossip, uint64_t link)
{
    for (struct verify *verify = gossip->verifies; verify; verify = verify->next) {
        uint64_t at_ms = gossip->now_ms + VERIFY_AGAIN_MS;
        if (verify->link == link && verify->session && at_ms < verify->at_ms)
            verify->at_ms = at_ms;
    }
}

void verifies_sweep(struct gossip *gossip)
{
    for (struct verify **at = &gossip->verifies; *at;) {
        struct verify *verify = *at;
        if (ask_find(gossip, verify->ask, verify->link)) {
            at = &verify->next;
            continue;
        }
        *at = verify->next;
        verify_free(verify);
    }
}

int verify_begin(struct gossip *gossip, const struct ask *ask, size_t peer,
                 struct ask_answer *answer)
{
    struct verify *verify = mem_new(sizeof *verify), **last = &gossip->verifies;
    if (!verify)
        return NEAP_NOMEM;
    verify->sums.sums = mem_new_array(VERIFY_SUMS_MAX, sizeof *verify->sums.sums);
    answer->verified = mem_new(sizeof *answer->verified);
    if (!verify->sums.sums || !answer->verified) {
        verify_free(verify);
        return NEAP_NOMEM;
    }
    buffer_init(&verify->from, KEY_CURSOR_MAX);
    buffer_init(&verify->start, KEY_CURSOR_MAX);
    buffer_init(&answer->verified->paths, VERIFY_KEYS_BYTES);
    buffer_init(&answer->verified->end, KEY_CURSOR_MAX);
    if (buffer_append(&verify->start, ask->from)) {
        verify_free(verify);
        return NEAP_NOMEM;
    }
    verify->all = ask->all;
    verify->keys_max =
        ask->keys_max > 0 && ask->keys_max < VERIFY_KEYS_MAX ? ask->keys_max : VERIFY_KEYS_MAX;
    verify->result = answer->verified;
    verify->ask = ask->id;
    verify->link = answer->link;
    verify->shard = ask->shard;
    verify->peer = peer;
    verify->nodes_count = 1;
    while (*last)
        last = &(*last)->next;
    *last = verify;
    return 0;
}

/* ---- ends ---- */

void verify_finish(struct gossip *gossip, struct verify *verify)
{
    const struct topic *topic = topic_find(gossip, verify->shard);
    struct pair *pair = topic ? topic_pair(topic, verify->peer) : NULL;
    const struct verify_result *result = verify->result;
    if (pair && !verify->all && result->verdict != VERIFY_UNKNOWN)
        equal_told(pair, result->verdict == VERIFY_EQUAL, result->asked_ms);
    ask_find(gossip, verify->ask, verify->link)->end = ASK_TOLD;
    attempt_end(verify);
}

int attempt_void(struct step *step, struct verify *verify, enum verify_reason why, bool there,
                 uint64_t again_ms)
{
    attempt_end(verify);
    verify->result->why = why;
    verify->result->there = there;
    verify->at_ms = step->now.mono_ms + again_ms;
    return 0;
}

int verify_equal(struct step *step, struct verify *verify)
{
    struct verify_result *result = verify->result;
    if (verify->stage == STAGE_ROOT || verify->all) {
        result->differed = verify->stage != STAGE_ROOT;
        result->verdict = VERIFY_EQUAL;
        result->keys_more = false;
        verify_finish(step->gossip, verify);
        return 0;
    }
    /* It is not any more: healed meanwhile. */
    result->differed = true;
    return verify_restart(step, verify);
}

int verify_restart(struct step *step, struct verify *verify)
{
    verify->stage = STAGE_ROOT;
    verify->result->verdict = VERIFY_UNKNOWN;
    verify->result->keys_more = false;
    verify->bits = 0;
    verify->nodes[0] = 0;
    verify->nodes_count = 1;
    return attempt_void(step, verify, VERIFY_WHY_CHANGING, false, 0);
}

/* ---- asking ---- */

/* What I have now, as far as the answer will need it. */
static int attempt_keep(struct step *step, struct verify *verify, const struct shard *shard)
{
    struct verify_sums *sums = &verify->sums;
    unsigned left = shard->tree->now.bits - verify->bits;
    int error = context_copy(&verify->asked, &shard->context);
    context_clear(&verify->residue);
    for (size_t i = 0; i < shard->residues_count && !error; i++)
        error = context_join(&verify->residue, &shard->residues[i].context);
    if (error)
        return error;
    verify->asked_ms = step->now.wall_ms;
    merkle_watch(shard->tree, &verify->watch);
    sums->nodes = (struct merkle_nodes){verify->bits, verify->nodes, verify->nodes_count};
    sums->below = 0;
    sums->cells_read = 0;
    if (verify->stage == STAGE_CELLS)
        return 0;
    while (sums->below < left && sums->nodes.count << (sums->below + 1) <= VERIFY_SUMS_MAX &&
           (verify->stage != STAGE_ROOT || sums->below < VERIFY_BELOW_FIRST))
        sums->below++;
    verify_sums_read(shard->tree, sums);
    return 0;
}

static int attempt_send(struct step *step, struct verify *verify, const struct context *since)
{
    struct gossip *gossip = step->gossip;
    struct verify_question question = {.nodes = verify->sums.nodes,
                                       .below = verify->sums.below,
                                       .from = buffer_slice(&verify->from),
                                       .paths = verify->paths};
    struct message message;
    struct buffer packed;
    if (verify->probed)
        question = (struct verify_question){.ask = VERIFY_ASK_CONTEXT};
    else
        question.ask = verify->stage == STAGE_CELLS ? VERIFY_ASK_CELLS : VERIFY_ASK_SUMS;
    question.all = verify->all;
    buffer_init(&packed, VERIFY_PACKED_MAX);
    message_init(&message);
    message.kind = MESSAGE_VERIFY;
    message.shard = verify->shard;
    message.session = verify->session = ++gossip->session_next;
    message.since = *since; /* borrowed: not message_done() */
    int error = verify_question_write(&question, &packed);
    message.bytes = buffer_slice(&packed);
    if (!error)
        error = link_send(step, gossip->peers[verify->peer].links[CHANNEL_BULK], &message, true);
    buffer_done(&packed);
    verify->at_ms = step->now.mono_ms + gossip->options.silence_ms;
    if (error == NEAP_LIMIT)
        return attempt_void(step, verify, VERIFY_WHY_NO_ANSWER, true, VERIFY_AGAIN_MS);
    return error;
}

/* The paths of what I have and the peer may not. STALE, LIMIT: not by what is known of it. */
static int attempt_paths(struct step *step, struct verify *verify, const struct shard *shard,
                         const struct pair *pair)
{
    struct view view = batch_view(step->batch);
    verify_paths_init(&verify->paths);
    if (verify->all)
        return 0;
    int error = context_copy(&verify->base, &verify->seen);
    if (!error && pair->known)
        error = context_join(&verify->base, &pair->context);
    /* What was pushed is before the question on its way, and mostly taken: if not, it is void. */
    if (!error && !pair->behind && !verify->doubts)
        error = context_raise(&verify->base, shard->replica, pair->sent, 0);
    if (!error && !BROKEN("verify-forgets-paths"))
        error = verify_beyond(shard, &view, &verify->base, &verify->paths);
    return error;
}

/* First it is asked what it has seen, if what is known of that is too old. */
static int attempt_probe(struct step *step, struct verify *verify, const struct shard *shard,
                         int error)
{
    struct context told = {0};
    bool again = verify->probes;
    verify_paths_done(&verify->paths);
    verify->probes = !again;
    if (again)
        return attempt_void(step, verify, error == NEAP_STALE ? VERIFY_WHY_BEHIND : VERIFY_WHY_FAR,
                            false, VERIFY_AGAIN_MS);
    verify->probed = true;
    error = shard_told(shard, &told);
    if (!error)
        error = attempt_send(step, verify, &told);
    context_done(&told);
    return error;
}

static int attempt_begin(struct step *step, struct verify *verify, const struct shard *shard,
                         const struct pair *pair)
{
    enum verify_reason why = verify_why(verify_state(shard), verify->all);
    if (why)
        return attempt_void(step, verify, why, false, VERIFY_AGAIN_MS);
    if (verify->bits > shard->tree->now.bits) /* it has become less deep */
        return verify_restart(step, verify);
    int error = attempt_paths(step, verify, shard, pair);
    if (error == NEAP_STALE || error == NEAP_LIMIT)
        return attempt_probe(step, verify, shard, error);
    verify->probed = verify->probes = false;
    if (!error)
        error = attempt_keep(step, verify, shard);
    if (!error)
        return attempt_send(step, verify, &verify->asked);
    attempt_end(verify);
    if (error == NEAP_CORRUPT)
        return attempt_void(step, verify, VERIFY_WHY_UNREADABLE, false, VERIFY_AGAIN_MS);
    return error == NEAP_LIMIT
               ? attempt_void(step, verify, VERIFY_WHY_AHEAD, false, VERIFY_AGAIN_MS)
               : error;
}

static int verify_try(struct step *step, struct verify *verify)
{
    struct gossip *gossip = step->gossip;
    const struct topic *topic = topic_find(gossip, verify->shard);
    const struct shard *shard = store_find(gossip->store, verify->shard);
    const struct pair *pair = topic_open_pair(gossip, topic, verify->peer);
    if (!shard || !pair)
        return attempt_void(step, verify, VERIFY_WHY_NOT_MET, false, VERIFY_AGAIN_MS);
    return attempt_begin(step, verify, shard, pair);
}

int verifies_tick(struct step *step)
{
    int error = 0;
    verifies_sweep(step->gossip);
    for (struct verify *verify = step->gossip->verifies; verify && !error; verify = verify->next) {
        if (step->now.mono_ms < verify->at_ms)
            continue;
        if (verify->session)
            attempt_void(step, verify, VERIFY_WHY_NO_ANSWER, true, 0);
        error = verify_try(step, verify);
    }
    return error;
}

uint64_t verifies_deadline(const struct gossip *gossip)
{
    uint64_t deadline = UINT64_MAX;
    for (const struct verify *verify = gossip->verifies; verify; verify = verify->next)
        deadline = verify->at_ms < deadline ? verify->at_ms : deadline;
    return deadline;
}
