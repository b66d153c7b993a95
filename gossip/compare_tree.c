/* Catching up where most is shared (design 2, rule 7): the context of the peer and its sums, down
 * the trees; then the cells of the leaves that differ, stretch by stretch; then what changed
 * meanwhile, as after a flat exchange (compare.c). What looks equal is believed, so sums have 8
 * bytes. Unlike in a repair both sides go on writing: each sum and each cell is of another moment,
 * none of before the session's start (docs/decisions/0017). */
#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/descent.h"
#include "gossip/state.h"
#include "store/shard_compare_tree.h"

/* Of a question or an answer, beside the page in it. */
enum { PACKED_MAX = 20 * MERKLE_LIST_MAX + 2 * KEY_CURSOR_MAX + 64 };

struct compare_tree {
    struct descent descent;
    size_t looked, found; /* nodes of the latest level: of so many, so many differ */
    bool whole;           /* all cells are looked at, as too many leaves differ */
    struct compare_mine mine;
    uint32_t lacking[MERKLE_LIST_MAX];
};

void compare_tree_free(struct compare_tree *tree)
{
    if (!tree)
        return;
    compare_mine_done(&tree->mine);
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
    if (shard->session.id) /* from here on it is worth to be kept */
        shard_compare_name(shard, step->gossip->peers[peer].node, topic_pair(topic, peer)->replica);
    trace(step->gossip->trace, "%s: compare all of %s", peer_text(step->gossip, peer), shard->name);
    return compare_ask(step, topic, slice_of(NULL, 0));
}

static int packed_send(struct step *step, struct topic *topic, enum message_kind kind,
                       const struct buffer *packed)
{
    struct message message;
    message_init(&message);
    message.kind = kind;
    message.bytes = buffer_slice(packed);
    return question_send(step, topic, &message);
}

/* One question at a time: it can be held by a pause (gossip/task.h). */
static int descend_ask(struct step *step, struct topic *topic)
{
    struct buffer packed;
    struct writer writer;
    buffer_init(&packed, PACKED_MAX);
    writer_init(&writer, &packed);
    int error = descent_ask(&topic->pull.tree->descent, &writer);
    if (!error)
        error = packed_send(step, topic, MESSAGE_DESCEND, &packed);
    buffer_done(&packed);
    return error == NEAP_END ? 0 : error;
}

static struct repair_nodes tree_nodes(const struct compare_tree *tree)
{
    static const uint32_t root[] = {0};
    if (tree->whole)
        return (struct repair_nodes){.salt = tree->descent.salt,
                                     .nodes = {.bits = 0, .index = root, .count = 1}};
    return (struct repair_nodes){.salt = tree->descent.salt,
                                 .nodes = descent_nodes(&tree->descent)};
}

/* A shard that can't be read rests. */
static int tree_fault(struct step *step, struct topic *topic, struct shard *shard, int error)
{
    topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    return error ? error : pull_end(step, topic, 0);
}

static int differ_ask(struct step *step, struct topic *topic, struct shard *shard)
{
    struct compare_tree *tree = topic->pull.tree;
    struct compare_mine *mine = &tree->mine;
    struct repair_nodes nodes = tree_nodes(tree);
    struct view view = batch_view(step->batch);
    struct buffer packed;
    struct writer writer;
    int error = compare_mine_list(shard, &view, &nodes, mine);
    if (error)
        return tree_fault(step, topic, shard, error);
    buffer_init(&packed, PACKED_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 5);
    write_u64(&writer, nodes.nodes.bits);
    write_rising(&writer, nodes.nodes.index, nodes.nodes.count);
    write_bin(&writer, buffer_slice(&mine->from));
    write_bin(&writer, buffer_slice(&mine->to));
    write_sums(&writer, mine->sums, mine->count, COMPARE_WIDTH);
    error = writer.error ? writer.error : packed_send(step, topic, MESSAGE_DIFFER, &packed);
    buffer_done(&packed);
    return error;
}

bool compare_tree_fits(const struct shard *shard)
{
    return shard->tree && shard->tree->ready && shard->tree->now.cells > 0 &&
           !BROKEN("compare-all");
}

int compare_tree_begin(struct step *step, struct topic *topic, const struct shard *shard)
{
    struct compare_tree *tree = mem_new(sizeof *tree);
    struct merkle_salt salt = descent_salt(shard->tree, topic->pull.session, COMPARE_WIDTH);
    if (!tree)
        return NEAP_NOMEM;
    compare_mine_init(&tree->mine);
    descent_begin(&tree->descent, shard->tree, &salt);
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
    if (!shard->tree || !shard->tree->ready) {
        reply->code = NEAP_STALE;
        return 0;
    }
    salt = descent_salt(shard->tree, message->session, COMPARE_WIDTH);
    writer_init(&writer, packed);
    reply->code = 0;
    reply->since = shard->context; /* borrowed: not message_done() */
    return descent_answer(shard->tree, &salt, message->bytes, &writer);
}

struct asked {
    struct compare_asked part;
    uint32_t index[MERKLE_LIST_MAX];
    uint64_t sums[MERKLE_LIST_MAX];
    bool met[MERKLE_LIST_MAX];
};

static int asked_read(const struct shard *shard, const struct message *message, struct asked *asked)
{
    struct compare_asked *part = &asked->part;
    struct reader reader;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 5);
    uint64_t bits = read_u64(&reader);
    if (bits > MERKLE_BITS_MAX)
        reader_fail(&reader, NEAP_INVALID);
    part->nodes.salt = descent_salt(shard->tree, message->session, COMPARE_WIDTH);
    part->nodes.nodes.bits = reader.error ? 0 : (unsigned)bits;
    part->nodes.nodes.index = asked->index;
    part->nodes.nodes.count =
        read_rising(&reader, asked->index, (uint64_t)1 << part->nodes.nodes.bits);
    part->from = read_bin(&reader, KEY_CURSOR_MAX);
    part->to = read_bin(&reader, KEY_CURSOR_MAX);
    part->count = read_sums(&reader, asked->sums, COMPARE_WIDTH);
    part->sums = asked->sums;
    if (part->to.size > 0 && slice_compare(part->from, part->to) >= 0)
        reader_fail(&reader, NEAP_INVALID);
    return reader_end(&reader);
}

static int asked_write(const struct asked *asked, const struct buffer *page, uint32_t *lacking,
                       struct buffer *packed)
{
    struct writer writer;
    size_t count = 0;
    for (size_t i = 0; i < asked->part.count; i++) {
        if (!asked->met[i])
            lacking[count++] = (uint32_t)i;
    }
    writer_init(&writer, packed);
    write_array(&writer, 2);
    write_bin(&writer, buffer_slice(page));
    write_rising(&writer, lacking, count);
    return writer.error;
}

static int differ_give(struct step *step, struct topic *topic, const struct shard *shard,
                       const struct message *message, struct message *reply, struct buffer *packed)
{
    struct asked *asked = mem_new(sizeof *asked);
    struct view view = batch_view(step->batch);
    struct buffer page;
    if (!asked)
        return NEAP_NOMEM;
    buffer_init(&page, CHUNK_BYTES_MAX);
    int error = shard->tree ? asked_read(shard, message, asked) : NEAP_INVALID;
    if (!error) {
        error = shard_compare_part(shard, &view, &asked->part, step->gossip->options.chunk_size,
                                   asked->met, &page);
        reply->code = error;
        if (!error)
            error = asked_write(asked, &page, asked->index, packed);
        else
            error = topic_fault(step, topic, shard, error, FAULT_GIVING);
    }
    buffer_done(&page);
    mem_free(asked);
    return error;
}

static int compare_tree_serve(struct step *step, size_t peer, struct topic *topic,
                              const struct shard *shard, const struct message *message)
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
    return differ_ask(step, topic, shard);
}

/* With the first answer of each level, how many of its nodes differ is known well enough. */
static int descent_step(struct compare_tree *tree, const struct merkle *merkle, struct slice answer)
{
    struct descent *descent = &tree->descent;
    size_t looked = (descent->asked - descent->taken) << descent->below;
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
    int error = 0;
    if (message->code == NEAP_STALE)
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
    if (peer_has_much_more(shard->tree, message->bytes))
        return tree_flat(step, topic, shard);
    error = descent_step(topic->pull.tree, shard->tree, message->bytes);
    if (error == NEAP_STALE)
        return tree_flat(step, topic, shard);
    return error ? error : descent_go_on(step, topic, shard);
}

static int differed_take(struct step *step, struct topic *topic, struct shard *shard,
                         const struct message *message)
{
    struct compare_tree *tree = topic->pull.tree;
    struct context context = {0};
    struct reader reader;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 2);
    struct slice page = read_bin(&reader, CHUNK_BYTES_MAX);
    size_t count = read_rising(&reader, tree->lacking, tree->mine.count);
    int error = reader_end(&reader);
    if (error)
        return error;
    if (shard->session.id != topic->pull.session)
        return pull_end(step, topic, PULL_AGAIN_MS);
    error = chunk_peek(page, &context, &topic->pull.horizon);
    if (!error && BROKEN("descent-before-start") && tree->mine.from.size == 0) {
        shard_compare_stop(shard);
        error = shard_compare_begin(shard, topic->pull.session, &context);
    }
    context_done(&context);
    if (!error)
        error =
            shard_compare_part_take(shard, step->batch, page, &tree->mine, tree->lacking, count);
    if (error)
        return compare_fault(step, topic, shard, error, CHUNK_PAGE, page);
    return shard->session.phase == COMPARE_CELLS ? differ_ask(step, topic, shard)
                                                 : compare_go_on(step, topic, shard);
}

static int compare_tree_take(struct step *step, size_t peer, struct topic *topic,
                             struct shard *shard, const struct message *message)
{
    bool descended = message->kind == MESSAGE_DESCENDED;
    if (!shard || !topic_open_pair(step->gossip, topic, peer) ||
        topic->pull.state != (descended ? PULL_DESCENT : PULL_DIFFERING) ||
        topic->pull.peer != peer || topic->pull.session != message->session)
        return 0;
    step->gossip->peers[peer].answered = topic->pull.asked;
    if (message->code == NEAP_BUSY) {
        topic->pull.ask_after = step->now.mono_ms + flow_wait_ms(message);
        return differ_ask(step, topic, shard);
    }
    if (message->code && !(descended && message->code == NEAP_STALE))
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
