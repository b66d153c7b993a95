/* Catching up where most is shared (design 2, rule 7): the context of the peer and its sums, down
 * the trees; then the cells of the leaves that differ, stretch by stretch; then what changed
 * meanwhile, as after a flat exchange (compare.c). What looks equal is believed, so sums have 8
 * bytes. Unlike in a repair both sides go on writing: each sum and each cell is of another moment,
 * none of before the session's start (docs/decisions/0017). */
#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/stretch.h"
#include "store/shard_compare_tree.h"

struct compare_tree {
    struct descent descent;
    size_t looked, found; /* nodes of the latest level: of so many, so many differ */
    bool whole;           /* all cells are looked at, as too many leaves differ */
    struct stretches stretches;
    struct stretch_answer answer; /* scratch */
};

void compare_tree_free(struct compare_tree *tree)
{
    if (!tree)
        return;
    stretches_done(&tree->stretches);
    mem_free(tree);
}

/* ---- asking ---- */

/* All cells, page by page, in the same session: too much differs, or a tree is not there. */
static int tree_flat(struct step *step, struct topic *topic, struct shard *shard)
{
    size_t peer = topic->pull.peer;
    compare_tree_free(topic->pull.tree);
    topic->pull.tree = NULL;
    topic->pull.state = PULL_CELLS;
    topic->pull.cells = 0;
    questions_forget(topic);
    if (shard->session.id) /* from here on it is worth to be kept */
        shard_compare_name(shard, step->gossip->peers[peer].node, topic_pair(topic, peer)->replica);
    trace(step->gossip->trace, "%s: compare all of %s", peer_text(step->gossip, peer), shard->name);
    return compare_ask(step, topic, slice_of(NULL, 0));
}

/* While others are under way nothing is held back: when a pause has begun, or enough was taken, the
 * next question waits for their answers. */
static bool tree_waits(const struct step *step, const struct topic *topic,
                       enum message_kind question)
{
    const struct pull *pull = &topic->pull;
    uint64_t now_ms = step->now.mono_ms;
    return pull->held.size > 0 ||
           (pull->under_way > 0 &&
            (pull_is_paused(topic, pull->state) || now_ms < pull->ask_after ||
             flow_ask_at(step->gossip, now_ms, question) > now_ms));
}

static int tree_ask(struct step *step, struct topic *topic, enum message_kind kind,
                    const struct buffer *packed)
{
    struct message message;
    message_init(&message);
    message.kind = kind;
    message.bytes = buffer_slice(packed);
    int error = question_more(step, topic, &message);
    return error == NEAP_LIMIT ? pull_end(step, topic, PULL_AGAIN_MS) : error;
}

/* All the questions that can be asked now. */
static int descend_ask(struct step *step, struct topic *topic)
{
    struct buffer packed;
    struct writer writer;
    int error = 0;
    buffer_init(&packed, STRETCH_PACKED_MAX);
    while (!error && topic->pull.state == PULL_DESCENT &&
           !tree_waits(step, topic, MESSAGE_DESCEND)) {
        buffer_clear(&packed);
        writer_init(&writer, &packed);
        error = descent_ask(&topic->pull.tree->descent, &writer);
        if (!error)
            error = tree_ask(step, topic, MESSAGE_DESCEND, &packed);
    }
    buffer_done(&packed);
    return error == NEAP_END ? 0 : error;
}

static struct repair_nodes tree_nodes(const struct gossip *gossip, const struct compare_tree *tree)
{
    static const uint32_t root[] = {0};
    struct repair_nodes nodes = {.salt = tree->descent.salt,
                                 .nodes = descent_nodes(&tree->descent),
                                 .scan_max = gossip->options.repair_scan};
    if (tree->whole)
        nodes.nodes = (struct merkle_nodes){.bits = 0, .index = root, .count = 1};
    return nodes;
}

struct looking {
    struct step *step;
    const struct shard *shard;
    const struct compare_tree *tree;
};

static int look_list(void *arg, struct stretch *stretch, size_t sums_max, uint64_t *ret_sums,
                     size_t *ret_count)
{
    const struct looking *looking = arg;
    struct repair_nodes nodes = tree_nodes(looking->step->gossip, looking->tree);
    struct view view = batch_view(looking->step->batch);
    return compare_sums(looking->shard, &view, &nodes, buffer_slice(&stretch->from),
                        buffer_slice(&stretch->end), sums_max, ret_sums, ret_count, &stretch->keys,
                        &stretch->to);
}

static int differ_send(struct step *step, struct topic *topic, struct stretch *stretch)
{
    struct compare_tree *tree = topic->pull.tree;
    struct repair_nodes nodes = tree_nodes(step->gossip, tree);
    struct buffer packed;
    struct writer writer;
    buffer_init(&packed, STRETCH_PACKED_MAX);
    writer_init(&writer, &packed);
    int error = stretch_ask(&tree->stretches, stretch, &nodes, &writer);
    if (!error)
        error = tree_ask(step, topic, MESSAGE_DIFFER, &packed);
    buffer_done(&packed);
    return error;
}

int compare_tree_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct compare_tree *tree = topic->pull.tree;
    struct looking looking = {step, shard, tree};
    if (topic->pull.state != PULL_DIFFERING || tree_waits(step, topic, MESSAGE_DIFFER))
        return 0;
    struct stretch *stretch = stretches_next(&tree->stretches);
    if (!stretch)
        return 0;
    int error = stretch_look(&tree->stretches, stretch, look_list, &looking);
    if (error)
        return pull_fault(step, topic, shard, error, FAULT_KEEPING);
    error = differ_send(step, topic, stretch);
    /* One is read in a turn: others wait for it. */
    if (!error && topic->pull.tree == tree && stretches_next(&tree->stretches))
        topic_wake(step->gossip, topic, step->now.mono_ms);
    return error;
}

bool compare_tree_fits(const struct shard *shard)
{
    return shard->tree && shard->tree->ready && shard->tree->now.cells > 0 &&
           !BROKEN("compare-all");
}

static bool tree_is_built(const struct shard *shard)
{
    const struct merkle *tree = shard->tree;
    return tree && !tree->ready && !tree->build_rests && !shard->session.id;
}

/* After a crash there is none, and with a session nobody builds it: it costs 1 us a cell, and saves
 * the way of all cells. */
bool compare_tree_comes(struct step *step, struct topic *topic, const struct shard *shard)
{
    struct tree_wait *wait = &topic->tree_wait;
    uint64_t now_ms = step->now.mono_ms, cells;
    if (!tree_is_built(shard) || BROKEN("compare-all")) {
        wait->mine_since = 0;
        return false;
    }
    cells = shard->tree->build ? merkle_built(shard->tree)->cells : 0;
    if (!wait->mine_since)
        wait->cells = 0;
    if (!wait->mine_since || cells > wait->cells) {
        wait->mine_since = now_ms;
        wait->cells = cells;
    }
    return now_ms < wait->mine_since + TREE_STUCK_MS;
}

int compare_tree_begin(struct step *step, struct topic *topic, const struct shard *shard)
{
    struct compare_tree *tree = mem_new(sizeof *tree);
    struct merkle_salt salt = descent_salt(shard->tree, topic->pull.session, COMPARE_WIDTH);
    if (!tree)
        return NEAP_NOMEM;
    stretches_init(&tree->stretches);
    descent_begin(&tree->descent, shard->tree, &salt);
    if (flow_is_limited(step->gossip))
        tree->stretches.most = COMPARE_PAGES;
    topic->pull.tree = tree;
    topic->pull.state = PULL_DESCENT;
    return descend_ask(step, topic);
}

/* ---- answering ---- */

static int descend_give(struct step *step, struct topic *topic, const struct shard *shard,
                        const struct message *message, struct message *reply, struct buffer *packed)
{
    struct merkle_salt salt;
    struct writer writer;
    (void)step;
    (void)topic;
    if (tree_is_built(shard))
        return flow_wait_write(reply, TREE_WAIT_MS, packed);
    if (!shard->tree || !shard->tree->ready) {
        reply->code = NEAP_STALE;
        return 0;
    }
    salt = descent_salt(shard->tree, message->session, COMPARE_WIDTH);
    writer_init(&writer, packed);
    reply->code = 0;
    reply->since = shard->context; /* borrowed: not message_done() */
    reply->cells = shard->tree->now.cells;
    return descent_answer(shard->tree, &salt, message->bytes, &writer);
}

static int differ_give(struct step *step, struct topic *topic, struct shard *shard,
                       const struct message *message, struct message *reply, struct buffer *packed)
{
    struct stretch_asked *asked = mem_new(sizeof *asked);
    struct view view = batch_view(step->batch);
    struct compare_part part = {.met = asked ? asked->met : NULL};
    int error = asked ? NEAP_INVALID : NEAP_NOMEM;
    buffer_init(&part.page, CHUNK_BYTES_MAX);
    if (asked && shard->tree) {
        struct merkle_salt salt = descent_salt(shard->tree, message->session, COMPARE_WIDTH);
        error = stretch_asked_read(message->bytes, &salt, asked);
    }
    if (!error) {
        struct compare_asked stretch = {.nodes = asked->nodes,
                                        .from = asked->from,
                                        .to = asked->to,
                                        .sums = asked->sums,
                                        .count = asked->count};
        /* In the same keys there may be more here. */
        stretch.nodes.scan_max = 2 * step->gossip->options.repair_scan;
        error = shard_compare_part(shard, &view, &stretch, step->gossip->options.chunk_size, &part);
        reply->code = error;
        if (!error)
            error = stretch_answer_write(asked, &part.page, part.looked, true, packed);
        else
            error = topic_fault(step, topic, shard, error, FAULT_GIVING);
        shard->counts.cells_given += reply->code ? 0 : part.cells;
    }
    buffer_done(&part.page);
    mem_free(asked);
    return error;
}

static int compare_tree_serve(struct step *step, size_t peer, struct topic *topic,
                              struct shard *shard, const struct message *message)
{
    bool descends = message->kind == MESSAGE_DESCEND;
    struct message reply;
    struct buffer packed;
    int error = 0;
    message_answer(&reply, descends ? MESSAGE_DESCENDED : MESSAGE_DIFFERED, message);
    reply.code = NEAP_NOTFOUND;
    uint64_t wait =
        shard && !descends ? flow_busy_ms(step->gossip, step->now.mono_ms, MESSAGE_DIFFER) : 0;
    if (wait)
        return flow_refuse(step, peer, &reply, wait);
    buffer_init(&packed, MESSAGE_SIZE_MAX);
    if (shard && topic_open_pair(step->gossip, topic, peer) && shard_released(shard))
        error = descends ? descend_give(step, topic, shard, message, &reply, &packed)
                         : differ_give(step, topic, shard, message, &reply, &packed);
    reply.bytes = buffer_slice(&packed);
    if (!error)
        error = answer_send(step, peer, &reply);
    buffer_done(&packed);
    return error;
}

/* ---- taking ---- */

/* What comes next? Lists of leaves have a limit, and more than half of them are not worth one. A
 * sum costs 8 bytes, so if any cells to speak of are equal, it is cheaper to send those of all
 * cells than all cells: of 16 in a leaf, one leaf in 16 is equal when 6 cells in 100 are not. */
enum way { WAY_DOWN, WAY_LEAVES, WAY_SUMS, WAY_CELLS };

static enum way tree_way(const struct gossip *gossip, const struct compare_tree *tree)
{
    const struct descent *descent = &tree->descent;
    bool done = descent_is_done(descent);
    bool many = descent->nodes_count >= MERKLE_LIST_MAX || descent->next_count >= MERKLE_LIST_MAX;
    if (done && descent->nodes_count > gossip->options.compare_few &&
        descent->nodes_count > (size_t)1 << descent->bits >> 1)
        many = true;
    if (!many)
        return done ? WAY_LEAVES : WAY_DOWN;
    return tree->found > tree->looked - tree->looked / 16 ? WAY_CELLS : WAY_SUMS;
}

static int descent_go_on(struct step *step, struct topic *topic, struct shard *shard)
{
    struct compare_tree *tree = topic->pull.tree;
    const char *peer = peer_text(step->gossip, topic->pull.peer);
    switch (tree_way(step->gossip, tree)) {
    case WAY_DOWN:
        return descend_ask(step, topic);
    case WAY_CELLS:
        return tree_flat(step, topic, shard);
    case WAY_SUMS:
        tree->whole = true;
        trace(step->gossip->trace, "%s: compare the sums of %s", peer, shard->name);
        break;
    case WAY_LEAVES:
        trace(step->gossip->trace, "%s: compare %zu of %zu leaves of %s", peer,
              tree->descent.nodes_count, (size_t)1 << tree->descent.bits, shard->name);
        break;
    }
    topic->pull.state = PULL_DIFFERING;
    questions_forget(topic);
    return compare_tree_work(step, topic, shard);
}

/* With the first answer of each level, how many of its nodes differ is known well enough. */
static int descent_step(struct compare_tree *tree, const struct merkle *merkle, struct slice answer)
{
    struct descent *descent = &tree->descent;
    size_t looked = descent_awaits(descent);
    bool first = descent->taken == 0;
    int error = descent_take(descent, merkle, answer);
    if (!error && first) {
        tree->looked = looked;
        tree->found = descent->next_count > 0 ? descent->next_count : descent->nodes_count;
    }
    return error;
}

/* Trees grow with the cells: 16 times as many leaves, and what I have is next to nothing. */
static bool peer_has_much_more(const struct merkle *merkle, struct slice answer)
{
    struct reader reader;
    reader_init(&reader, answer);
    read_array_of(&reader, 3);
    (void)read_u64(&reader);
    uint64_t bits = read_u64(&reader);
    return !reader.error && bits >= merkle->now.bits + 4;
}

static int descended_take(struct step *step, struct topic *topic, struct shard *shard,
                          const struct message *message)
{
    struct tree_wait *wait = &topic->tree_wait;
    int error = 0;
    if (message->code == NEAP_BUSY && !wait->theirs_since)
        wait->theirs_since = step->now.mono_ms;
    if (message->code == NEAP_BUSY && step->now.mono_ms < wait->theirs_since + TREE_WAIT_MS_MAX)
        return pull_end(step, topic, flow_wait_ms(message));
    wait->theirs_since = 0;
    if (message->code)
        return tree_flat(step, topic, shard);
    if (!shard->session.id) {
        trace(step->gossip->trace, "%s: compare %s", peer_text(step->gossip, topic->pull.peer),
              shard->name);
        error = shard_compare_begin(shard, topic->pull.session, &message->since);
    }
    if (error)
        return compare_fault(step, topic, shard, error, CHUNK_PAGE, message->bytes);
    if (shard->session.id != topic->pull.session ||
        !context_covers(&message->since, &shard->session.start))
        return pull_end(step, topic, PULL_AGAIN_MS);
    topic->pull.cells_total = message->cells;
    if (peer_has_much_more(shard->tree, message->bytes))
        return tree_flat(step, topic, shard);
    error = descent_step(topic->pull.tree, shard->tree, message->bytes);
    if (error == NEAP_BUSY)
        return pull_end(step, topic, PULL_AGAIN_MS);
    if (error == NEAP_STALE)
        return tree_flat(step, topic, shard);
    if (!error)
        question_answered(step, topic);
    return error ? error : descent_go_on(step, topic, shard);
}

static int differed_merge(struct step *step, struct topic *topic, struct shard *shard,
                          const struct stretch_answer *answer)
{
    struct stretches *stretches = &topic->pull.tree->stretches;
    struct stretch *stretch = answer->stretch;
    const struct compare_mine mine = {.from = buffer_slice(&stretch->from),
                                      .to = buffer_slice(&stretch->to),
                                      .keys = &stretch->keys,
                                      .count = stretch->sums_count};
    bool last =
        stretch_is_last(stretches, stretch) && slice_equal(mine.to, buffer_slice(&stretch->end));
    struct buffer end;
    buffer_init(&end, KEY_CURSOR_MAX);
    int error = shard_compare_part_take(shard, step->batch, answer->page, &mine, answer->lacking,
                                        answer->lacking_count, last, &end);
    if (error) {
        buffer_done(&end);
        return compare_fault(step, topic, shard, error, CHUNK_PAGE, answer->page);
    }
    bool full = !slice_equal(buffer_slice(&end), mine.to) &&
                answer->page.size >= step->gossip->options.chunk_size / 2;
    topic->pull.cells += answer->looked;
    error = stretch_advance(stretches, stretch, buffer_slice(&end), full);
    buffer_done(&end);
    if (error)
        return error;
    return shard->session.phase == COMPARE_CELLS ? compare_tree_work(step, topic, shard)
                                                 : compare_go_on(step, topic, shard);
}

static int differed_take(struct step *step, struct topic *topic, struct shard *shard,
                         const struct message *message)
{
    struct compare_tree *tree = topic->pull.tree;
    struct stretch_answer *answer = &tree->answer;
    struct context context = {0};
    int error = stretch_answer_read(&tree->stretches, message->bytes, answer);
    if (error || !answer->stretch)
        return error;
    for (size_t i = 0; i <= answer->lost; i++)
        question_answered(step, topic);
    if (shard->session.id != topic->pull.session)
        return pull_end(step, topic, PULL_AGAIN_MS);
    error = chunk_peek(answer->page, &context, &topic->pull.horizon);
    if (!error && BROKEN("descent-before-start") && answer->stretch->from.size == 0) {
        shard_compare_stop(shard);
        error = shard_compare_begin(shard, topic->pull.session, &context);
    }
    context_done(&context);
    return error ? compare_fault(step, topic, shard, error, CHUNK_PAGE, answer->page)
                 : differed_merge(step, topic, shard, answer);
}

/* Who is asked has given too much: one question at a time from now on. */
static int differ_refused(struct step *step, struct topic *topic, struct shard *shard,
                          const struct message *message)
{
    struct pull *pull = &topic->pull;
    pull->tree->stretches.most = 1;
    stretch_refused(&pull->tree->stretches);
    question_answered(step, topic);
    pull->ask_after = step->now.mono_ms + flow_wait_ms(message);
    return compare_tree_work(step, topic, shard);
}

static int compare_tree_take(struct step *step, size_t peer, struct topic *topic,
                             struct shard *shard, const struct message *message)
{
    bool descended = message->kind == MESSAGE_DESCENDED;
    if (!shard || !topic_open_pair(step->gossip, topic, peer) ||
        topic->pull.state != (descended ? PULL_DESCENT : PULL_DIFFERING) ||
        topic->pull.peer != peer || topic->pull.session != message->session)
        return 0;
    if (message->code == NEAP_BUSY && !descended)
        return differ_refused(step, topic, shard, message);
    if (message->code)
        step->gossip->peers[peer].answered = topic->pull.asked;
    if (message->code &&
        !(descended && (message->code == NEAP_STALE || message->code == NEAP_BUSY)))
        return pull_end(step, topic, compare_again_ms(step, message->code));
    return descended ? descended_take(step, topic, shard, message)
                     : differed_take(step, topic, shard, message);
}

int compare_tree_message(struct step *step, size_t peer, const struct message *message)
{
    struct topic *topic = topic_find(step->gossip, message->shard);
    struct shard *shard = store_find(step->gossip->store, message->shard);
    if (message->kind == MESSAGE_DESCEND || message->kind == MESSAGE_DIFFER)
        return compare_tree_serve(step, peer, topic, shard, message);
    return compare_tree_take(step, peer, topic, shard, message);
}
