/* What an answer says, held against what was here when it was asked for. */
#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/verify_state.h"

/* ---- the verdict ---- */

/* What gives it is kept of the first question, which is about all cells. */
static int verify_note(struct verify *verify, const struct context *theirs,
                       const struct verify_answer *answer)
{
    struct verify_result *result = verify->result;
    int error = context_copy(&result->context, &verify->asked);
    if (error)
        return error;
    context_meet(&result->context, theirs);
    result->asked_ms = verify->asked_ms;
    result->under_way = verify->paths.count;
    for (size_t i = 0; i < answer->paths.count; i++)
        result->under_way += !verify_paths_have(&verify->paths, verify_path(&answer->paths, i));
    return 0;
}

/* Nodes whose sums differ are where to look next. False: of all, there are too many, and their
 * cells are looked at from here. */
static bool nodes_differing(struct verify *verify, const struct verify_answer *answer,
                            const struct hash_key *salt)
{
    const struct verify_sums *sums = &verify->sums;
    uint32_t found[VERIFY_NODES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < answer->sums_count; i++) {
        if (answer->sums[i] == verify_short(salt, sums->sums[i]) || BROKEN("verify-trusts"))
            continue;
        if (count == VERIFY_NODES_MAX && verify->all)
            return false;
        if (count == VERIFY_NODES_MAX) {
            verify->more = true;
            break;
        }
        uint32_t first = sums->nodes.index[i >> sums->below] << sums->below;
        found[count++] = first + (uint32_t)(i & (((size_t)1 << sums->below) - 1));
    }
    for (size_t i = 0; i < count; i++)
        verify->nodes[i] = found[i];
    verify->nodes_count = count;
    verify->bits += sums->below;
    return true;
}

/* Equal, but less has to be left out than was. */
static int verify_repeat(struct step *step, struct verify *verify)
{
    verify->repeats = true;
    verify->bits = 0;
    verify->nodes[0] = 0;
    verify->nodes_count = 1;
    return attempt_void(step, verify, VERIFY_WHY_NOTHING, false, 0);
}

static int sums_take(struct step *step, struct verify *verify, const struct shard *shard,
                     const struct message *message, const struct verify_answer *answer)
{
    struct verify_sums *sums = &verify->sums;
    struct view view = batch_view(step->batch);
    struct hash_key salt = verify_salt(shard, verify->session);
    bool deep = sums->below == 0 || answer->below == 0; /* as deep as both trees are */
    if (answer->sums_count == 0 && verify->stage == STAGE_TREE)
        return verify_restart(step,
                              verify); /* the peer's tree has become less deep: from the root */
    if (answer->below > sums->below || answer->sums_count != sums->nodes.count << answer->below)
        return NEAP_INVALID;
    deep =
        deep || answer->below < sums->below || verify->bits + sums->below == shard->tree->now.bits;
    verify_sums_fold(sums, answer->below);
    int error = verify_leave_out(shard, &view, &verify->paths, NULL, &verify->watch, sums);
    if (!error)
        error =
            verify_leave_out(shard, &view, &answer->paths, &verify->paths, &verify->watch, sums);
    step->gossip->counts[REASON_verify_cells] += sums->cells_read;
    if (!error && verify->stage == STAGE_ROOT)
        error = verify_note(verify, &message->since, answer);
    if (error)
        return error;
    bool less = verify->stage == STAGE_ROOT && verify->paths.count > 0 &&
                context_covers(&message->since, &verify->asked);
    deep |= !nodes_differing(verify, answer, &salt);
    if (verify->nodes_count == 0 && less && !verify->repeats)
        return verify_repeat(step, verify);
    if (verify->nodes_count == 0)
        return verify_equal(step, verify);
    verify->result->verdict = VERIFY_DIFFERS;
    verify->result->keys_more = true; /* until all was looked through */
    verify->stage = deep ? STAGE_CELLS : STAGE_TREE;
    error = buffer_set(&verify->from, buffer_slice(&verify->start));
    return error ? error : attempt_void(step, verify, VERIFY_WHY_NOTHING, false, 0);
}

/* ---- cells ---- */

struct looking {
    struct verify *verify;
    const struct shard *shard;
    const struct verify_answer *answer;
    struct hash_key salt;
    struct slice cells, path; /* the peer's: what is left of them, and the present one */
    uint64_t sum;
    bool ended;
};

static int looking_next(struct looking *looking)
{
    int error = verify_cells_next(&looking->cells, &looking->path, &looking->sum);
    looking->ended = error == NEAP_END;
    return looking->ended ? 0 : error;
}

/* A cell that differs, unless it is under way, or has changed here since the question. */
static int key_found(struct looking *looking, struct slice path, enum verify_fate fate)
{
    struct verify *verify = looking->verify;
    struct verify_result *result = verify->result;
    bool changed = false;
    if (!verify->all)
        merkle_watched(&verify->watch, merkle_place(&looking->shard->tree->key, path), &changed);
    if (changed || verify_paths_have(&verify->paths, path) ||
        verify_paths_have(&looking->answer->paths, path))
        return 0;
    struct verify_key key = {fate, (uint32_t)result->paths.size, (uint32_t)path.size}, *keys;
    if (result->keys_count == verify->keys_max ||
        result->paths.size + path.size > VERIFY_KEYS_BYTES || result->end.size > 0) {
        verify->more = true;
        return verify->all && result->end.size == 0 ? buffer_set(&result->end, path) : 0;
    }
    keys = mem_reserve(result->keys, result->keys_count, &result->keys_room, 1, sizeof *keys);
    if (!keys)
        return NEAP_NOMEM;
    result->keys = keys;
    int error = buffer_append(&result->paths, path);
    if (!error)
        keys[result->keys_count++] = key;
    return error;
}

static int cell_look(void *arg, struct slice path, struct digest sum)
{
    struct looking *looking = arg;
    int error = 0, order = 1;
    while (!error && !looking->ended) {
        order = slice_compare(looking->path, path);
        if (order >= 0)
            break;
        error = key_found(looking, looking->path, VERIFY_NOT_HERE);
        if (!error)
            error = looking_next(looking);
    }
    if (error)
        return error;
    if (looking->ended || order > 0)
        return key_found(looking, path, VERIFY_NOT_THERE);
    if (looking->sum != verify_short(&looking->salt, sum))
        error = key_found(looking, path, VERIFY_NOT_THE_SAME);
    return error ? error : looking_next(looking);
}

/* Those of the peer behind my last one, as far as both have looked. */
static int cells_rest(struct looking *looking, struct slice end)
{
    int error = 0;
    while (!error && !looking->ended && (end.size == 0 || slice_compare(looking->path, end) < 0)) {
        error = key_found(looking, looking->path, VERIFY_NOT_HERE);
        if (!error)
            error = looking_next(looking);
    }
    return error;
}

static int cells_take(struct step *step, struct verify *verify, const struct shard *shard,
                      const struct verify_answer *answer)
{
    struct looking looking = {verify,        shard, answer, verify_salt(shard, verify->session),
                              answer->cells, {0},   0,      false};
    struct view view = batch_view(step->batch);
    struct slice from = buffer_slice(&verify->from);
    struct verify_pass pass = {verify->sums.nodes, from, answer->to, cell_look, &looking, {0}, 0};
    if (answer->to.size > 0 && slice_compare(from, answer->to) >= 0)
        return NEAP_INVALID;
    buffer_init(&pass.end, KEY_CURSOR_MAX);
    int error = looking_next(&looking);
    if (!error && !looking.ended && slice_compare(looking.path, from) < 0)
        error = NEAP_INVALID;
    if (!error)
        error = verify_each(shard, &view, &pass);
    step->gossip->counts[REASON_verify_cells] += pass.cells_read;
    if (!error)
        error = cells_rest(&looking, buffer_slice(&pass.end));
    if (!error)
        error = buffer_set(&verify->from, buffer_slice(&pass.end));
    buffer_done(&pass.end);
    if (error)
        return error;
    struct verify_result *result = verify->result;
    if (verify->from.size == 0 || result->keys_count == verify->keys_max || result->end.size > 0) {
        result->keys_more = verify->more || verify->from.size > 0;
        if (verify->all && result->end.size == 0)
            error = buffer_set(&result->end, buffer_slice(&verify->from));
        verify_finish(step->gossip, verify);
        return error;
    }
    return attempt_void(step, verify, VERIFY_WHY_NOTHING, false, 0);
}

/* ---- taking ---- */

/* Was the question good, as it turns out? */
static enum verify_reason attempt_why(const struct verify *verify, const struct shard *shard,
                                      const struct context *theirs)
{
    if (verify->all)
        return shard->tree && shard->tree->ready ? VERIFY_WHY_NOTHING : VERIFY_WHY_BUILDS;
    if (verify->watch.lost)
        return VERIFY_WHY_CHANGING;
    if (!context_covers(theirs, &verify->base))
        return VERIFY_WHY_CHANGING; /* it is not the replica any more that had seen that */
    if (!verify_covers(&verify->asked, theirs, &verify->residue))
        return VERIFY_WHY_AHEAD;
    return shard->tree && shard->tree->ready ? VERIFY_WHY_NOTHING : VERIFY_WHY_BUILDS;
}

static int answer_take(struct step *step, struct verify *verify, const struct shard *shard,
                       const struct message *message, const struct verify_answer *answer)
{
    int error = context_copy(&verify->seen, &message->since);
    merkle_unwatch(&verify->watch);
    if (error)
        return error;
    if (answer->why)
        return attempt_void(step, verify, answer->why, true, VERIFY_AGAIN_MS);
    if (verify->probed)
        return attempt_void(step, verify, VERIFY_WHY_FAR, false, 0);
    enum verify_reason why = attempt_why(verify, shard, &message->since);
    verify->doubts |= !context_covers(&message->since, &verify->base);
    if (why)
        return attempt_void(step, verify, why, false, VERIFY_AGAIN_MS);
    error = verify->stage == STAGE_CELLS ? cells_take(step, verify, shard, answer)
                                         : sums_take(step, verify, shard, message, answer);
    if (error == NEAP_LIMIT)
        return attempt_void(step, verify, VERIFY_WHY_FAR, false, VERIFY_AGAIN_MS);
    if (error == NEAP_CORRUPT)
        return attempt_void(step, verify, VERIFY_WHY_UNREADABLE, false, VERIFY_AGAIN_MS);
    return error;
}

int verify_take(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    const struct shard *shard = store_find(gossip->store, message->shard);
    struct verify *verify = gossip->verifies;
    struct verify_answer answer;
    uint64_t *sums;
    while (verify && (!verify->session || verify->session != message->session))
        verify = verify->next;
    if (!verify || verify->peer != peer || verify->shard != message->shard || !shard ||
        !ask_find(gossip, verify->ask, verify->link))
        return 0; /* an answer that came too late */
    sums = mem_new_array(VERIFY_SUMS_MAX, sizeof *sums);
    if (!sums)
        return NEAP_NOMEM;
    int error = verify_answer_read(message->bytes, sums, &answer);
    if (!error)
        error = answer_take(step, verify, shard, message, &answer);
    if (error)
        attempt_void(step, verify, VERIFY_WHY_UNREADABLE, true, VERIFY_AGAIN_MS);
    verify_paths_done(&answer.paths);
    mem_free(sums);
    return error;
}
