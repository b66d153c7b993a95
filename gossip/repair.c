/* Damage between replicas with equal contexts (design 2, rule 7). Digests tell a short root of the
 * tree with the context that it is of. When contexts are equal and roots differ on two ticks, the
 * replica with the smaller id begins a session: down the tree, level by level; then stretch by
 * stretch through the shard, the sums of its cells of the leaves that differ, which the peer
 * answers with the cells that are not among them and the numbers of those that it lacks itself;
 * these are sent to it. Each question names the context that both must have, and all that the peer
 * needs: it remembers nothing. A change of the context ends a session. */
#include "store/shard_repair.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "gossip/state.h"

/* Of a question or an answer, beside the page in it. */
enum { PACKED_MAX = 16 * MERKLE_LIST_MAX + 2 * KEY_CURSOR_MAX + 64 };
enum { BELOW_FEW = 8, BELOW_MANY = 4, FEW = 4 };

struct repair {
    struct context context; /* of both */
    struct hash_key salt;
    unsigned bits, below, bits_end; /* nodes are of `bits`; asked is for sums of bits + below */
    uint32_t nodes[MERKLE_LIST_MAX], next[MERKLE_LIST_MAX];
    size_t nodes_count, next_count;
    size_t at, asked;            /* nodes[at..at + asked) were asked for */
    struct buffer from, to, end; /* the stretch, and where the next one must end; keys */
    uint32_t sums[MERKLE_LIST_MAX];
    size_t sums_count;
    uint64_t cells; /* taken and given */
};

void repair_free(struct repair *repair)
{
    if (!repair)
        return;
    context_done(&repair->context);
    buffer_done(&repair->from);
    buffer_done(&repair->to);
    buffer_done(&repair->end);
    mem_free(repair);
}

/* ---- roots ---- */

static struct hash_key session_salt(const struct shard *shard, uint64_t session)
{
    struct hash_key salt;
    uint8_t bytes[8];
    bytes_put_u64(bytes, session);
    struct digest hash = hash_128(&shard->tree->key, slice_of(bytes, sizeof bytes));
    bytes_put_u64(salt.bytes, hash.high);
    bytes_put_u64(salt.bytes + 8, hash.low);
    return salt;
}

/* Of exactly this context, and of nothing beyond it? */
static bool tree_is_of(const struct shard *shard, const struct context *context)
{
    return shard->tree && shard->tree->ready && shard->residues_count == 0 && !shard->session.id &&
           shard_released(shard) && context_equal(&shard->context, context);
}

uint64_t repair_root(const struct shard *shard, const struct context *told)
{
    uint8_t bytes[16];
    if (!tree_is_of(shard, told))
        return 0;
    struct hash_key salt = session_salt(shard, 0);
    struct digest root = merkle_root(shard->tree);
    bytes_put_u64(bytes, root.high);
    bytes_put_u64(bytes + 8, root.low);
    uint64_t hash = hash_64(&salt, slice_of(bytes, sizeof bytes));
    return hash ? hash : 1;
}

/* ---- what travels ---- */

/* Indexes in ascending order, as differences. */
static void write_rising(struct writer *writer, const uint32_t *items, size_t count)
{
    write_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        write_u64(writer, i > 0 ? items[i] - items[i - 1] : items[i]);
}

static size_t read_rising(struct reader *reader, uint32_t *ret_items, uint64_t bound)
{
    uint32_t count = read_array(reader, MERKLE_LIST_MAX);
    uint64_t item = 0;
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        uint64_t step = read_u64(reader);
        if (step >= bound || (i > 0 && step == 0) || item + step >= bound)
            reader_fail(reader, NEAP_INVALID);
        item += step;
        ret_items[i] = (uint32_t)item;
    }
    return count;
}

static int write_sums(struct writer *writer, const uint32_t *sums, size_t count)
{
    uint8_t *bytes = mem_new_array(count + 1, 4);
    if (!bytes)
        return NEAP_NOMEM;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < 4; j++)
            bytes[4 * i + j] = (uint8_t)(sums[i] >> (24 - 8 * j));
    }
    write_bin(writer, slice_of(bytes, 4 * count));
    mem_free(bytes);
    return 0;
}

static size_t read_sums(struct reader *reader, uint32_t *ret_sums)
{
    struct slice bytes = read_bin(reader, (size_t)4 * MERKLE_LIST_MAX);
    if (bytes.size % 4 != 0)
        reader_fail(reader, NEAP_INVALID);
    for (size_t i = 0; i < bytes.size / 4; i++) {
        const uint8_t *at = bytes.data + 4 * i;
        ret_sums[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    return bytes.size / 4;
}

/* ---- ends ---- */

/* Both look again: one of the trees may be wrong. */
static int repair_found_nothing(struct step *step, struct topic *topic, struct shard *shard,
                                struct pair *pair)
{
    struct gossip *gossip = step->gossip;
    struct message message;
    uint32_t rest = pair->repair_rest_ms * 2;
    rest = rest < REPAIR_REST_MS_MIN ? REPAIR_REST_MS_MIN : rest;
    pair->repair_rest_ms = rest < REPAIR_REST_MS_MAX ? rest : REPAIR_REST_MS_MAX;
    pair->repair_at = step->now.mono_ms + pair->repair_rest_ms;
    gossip->counts[REASON_nothing_lost]++;
    trace(gossip->trace, "%s: nothing to repair in %s", peer_text(gossip, topic->pull.peer),
          shard->name);
    struct merkle *tree = shard->tree;
    int error = tree->build ? 0 : merkle_build_begin(tree, tree->now.cells);
    message_init(&message);
    message.kind = MESSAGE_MEND;
    message.shard = shard->id;
    if (!error)
        error =
            link_send(step, gossip->peers[topic->pull.peer].links[CHANNEL_BULK], &message, true);
    return error == NEAP_LIMIT ? 0 : error;
}

static int repair_end(struct step *step, struct topic *topic, struct shard *shard)
{
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    int error = 0;
    if (topic->pull.repair->cells == 0) {
        error = repair_found_nothing(step, topic, shard, pair);
    } else {
        step->gossip->counts[REASON_repairs]++;
        pair->repair_rest_ms = 0;
        pair->repair_at = step->now.mono_ms + step->gossip->options.heartbeat_ms;
        trace(step->gossip->trace, "%s: repaired %s", peer_text(step->gossip, topic->pull.peer),
              shard->name);
    }
    return error ? error : pull_end(step, topic, 0);
}

/* Not this time. */
static int repair_stop(struct step *step, struct topic *topic)
{
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    pair->repair_at = step->now.mono_ms + step->gossip->options.heartbeat_ms;
    return pull_end(step, topic, 0);
}

bool repair_is_over(const struct topic *topic, const struct shard *shard)
{
    const struct pull *pull = &topic->pull;
    if (pull->state != PULL_TREE && pull->state != PULL_LEAVES)
        return false;
    for (size_t i = 0; i < topic->pairs_room; i++) {
        const struct pair *pair = topic->pairs[i];
        if (pair && pair->open && pair->known && shard_lacks(shard, &pair->context))
            return true; /* what it lacks is pulled */
    }
    return !tree_is_of(shard, &pull->repair->context);
}

/* ---- asking ---- */

static int repair_ask(struct step *step, struct topic *topic, enum message_kind kind,
                      const struct buffer *packed)
{
    struct message message;
    message_init(&message);
    message.kind = kind;
    message.since = topic->pull.repair->context; /* borrowed: not message_done() */
    message.bytes = buffer_slice(packed);
    return question_send(step, topic, &message);
}

static int tree_ask(struct step *step, struct topic *topic)
{
    struct repair *repair = topic->pull.repair;
    struct buffer packed;
    struct writer writer;
    if (repair->at == 0) {
        unsigned left = repair->bits_end - repair->bits;
        repair->below = repair->nodes_count <= FEW ? BELOW_FEW : BELOW_MANY;
        repair->below = repair->below < left ? repair->below : left;
    }
    repair->asked = repair->nodes_count - repair->at;
    size_t most = (size_t)MERKLE_LIST_MAX >> repair->below;
    repair->asked = repair->asked < most ? repair->asked : most;
    buffer_init(&packed, PACKED_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 3);
    write_u64(&writer, repair->bits);
    write_u64(&writer, repair->below);
    write_rising(&writer, repair->nodes + repair->at, repair->asked);
    int error = writer.error ? writer.error : repair_ask(step, topic, MESSAGE_TREE, &packed);
    buffer_done(&packed);
    return error;
}

static struct repair_nodes repair_nodes(const struct repair *repair)
{
    return (struct repair_nodes){
        .salt = repair->salt,
        .nodes = {.bits = repair->bits, .index = repair->nodes, .count = repair->nodes_count}};
}

/* A shard that can't be read rests: nothing is pulled or repaired for a while. */
static int repair_fault(struct step *step, struct topic *topic, struct shard *shard, int error)
{
    topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    return error ? error : pull_end(step, topic, 0);
}

static int leaves_ask(struct step *step, struct topic *topic, struct shard *shard)
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
    buffer_init(&packed, PACKED_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 5);
    write_u64(&writer, repair->bits);
    write_rising(&writer, repair->nodes, repair->nodes_count);
    write_bin(&writer, buffer_slice(&repair->from));
    write_bin(&writer, buffer_slice(&repair->to));
    error = write_sums(&writer, repair->sums, repair->sums_count);
    if (!error)
        error = writer.error;
    if (!error)
        error = repair_ask(step, topic, MESSAGE_REPAIR, &packed);
    buffer_done(&packed);
    return error;
}

static int repair_begin(struct step *step, struct topic *topic, const struct shard *shard,
                        size_t peer)
{
    struct gossip *gossip = step->gossip;
    struct repair *repair = mem_new(sizeof *repair);
    if (!repair)
        return NEAP_NOMEM;
    buffer_init(&repair->from, KEY_CURSOR_MAX);
    buffer_init(&repair->to, KEY_CURSOR_MAX);
    buffer_init(&repair->end, KEY_CURSOR_MAX);
    int error = context_copy(&repair->context, &shard->context);
    if (error) {
        repair_free(repair);
        return error;
    }
    topic->pull = (struct pull){
        .state = PULL_TREE, .peer = peer, .session = ++gossip->session_next, .repair = repair};
    repair->salt = session_salt(shard, topic->pull.session);
    repair->bits_end = shard->tree->now.bits;
    repair->nodes_count = 1;
    gossip->peers[peer].pulling++;
    trace(gossip->trace, "%s: repair %s", peer_text(gossip, peer), shard->name);
    return tree_ask(step, topic);
}

/* Has the peer had another root for long enough? */
static bool pair_is_due(struct step *step, struct topic *topic, const struct shard *shard,
                        struct pair *pair, uint64_t root)
{
    uint64_t now_ms = step->now.mono_ms, at;
    if (!root || !pair->root || pair->root == root ||
        !context_equal(&pair->context, &shard->context)) {
        pair->differs_at = 0;
        return false;
    }
    if (!pair->differs_at)
        pair->differs_at = now_ms;
    at = pair->differs_at + step->gossip->options.heartbeat_ms;
    at = at > pair->repair_at ? at : pair->repair_at;
    if (now_ms >= at)
        return shard->replica < pair->replica;
    topic_wake(step->gossip, topic, at);
    return false;
}

int repair_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    uint64_t root = repair_root(shard, &shard->context);
    if (topic->pull.state != PULL_NONE || step->now.mono_ms < topic->rest_until ||
        BROKEN("repair-never"))
        return 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair = topic_open_pair(gossip, topic, i);
        if (!pair || !pair_is_due(step, topic, shard, pair, root))
            continue;
        if (gossip->peers[i].pulling >= PULLS_MAX)
            return topic_wait(gossip, topic);
        return repair_begin(step, topic, shard, i);
    }
    return 0;
}

/* ---- answering ---- */

static int tree_list(const struct shard *shard, const struct message *message,
                     struct writer *writer)
{
    struct hash_key salt = session_salt(shard, message->session);
    uint32_t *items = mem_new_array((size_t)2 * MERKLE_LIST_MAX, sizeof *items);
    uint32_t *sums = items ? items + MERKLE_LIST_MAX : NULL;
    struct reader reader;
    if (!items)
        return NEAP_NOMEM;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 3);
    struct merkle_nodes nodes = {.index = items};
    uint64_t bits = read_u64(&reader), below = read_u64(&reader);
    nodes.bits = bits <= MERKLE_BITS_MAX ? (unsigned)bits : MERKLE_BITS_MAX + 1;
    nodes.count = read_rising(&reader, items, (uint64_t)1 << 32);
    int error = reader_end(&reader);
    if (!error)
        error = below > MERKLE_BITS_MAX
                    ? NEAP_INVALID
                    : merkle_list(shard->tree, &salt, &nodes, (unsigned)below, sums);
    bool deep = error == NEAP_STALE;
    if (!error || deep) {
        write_array(writer, 2);
        write_u64(writer, shard->tree->now.bits);
        error = write_sums(writer, sums, deep ? 0 : nodes.count << below);
    }
    mem_free(items);
    return error ? error : writer->error;
}

struct asked_leaves {
    struct repair_nodes nodes;
    struct slice from, to;
    uint32_t index[MERKLE_LIST_MAX], sums[MERKLE_LIST_MAX];
    size_t sums_count;
    bool met[MERKLE_LIST_MAX];
};

static int leaves_read(const struct shard *shard, const struct message *message,
                       struct asked_leaves *asked)
{
    struct reader reader;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 5);
    uint64_t bits = read_u64(&reader);
    if (bits > MERKLE_BITS_MAX)
        reader_fail(&reader, NEAP_INVALID);
    asked->nodes.salt = session_salt(shard, message->session);
    asked->nodes.nodes.bits = reader.error ? 0 : (unsigned)bits;
    asked->nodes.nodes.index = asked->index;
    asked->nodes.nodes.count =
        read_rising(&reader, asked->index, (uint64_t)1 << asked->nodes.nodes.bits);
    asked->from = read_bin(&reader, KEY_CURSOR_MAX);
    asked->to = read_bin(&reader, KEY_CURSOR_MAX);
    asked->sums_count = read_sums(&reader, asked->sums);
    for (size_t i = 1; i < asked->sums_count; i++) {
        if (asked->sums[i] <= asked->sums[i - 1])
            reader_fail(&reader, NEAP_INVALID);
    }
    if (asked->to.size > 0 && slice_compare(asked->from, asked->to) >= 0)
        reader_fail(&reader, NEAP_INVALID);
    return reader_end(&reader);
}

static int leaves_write(const struct asked_leaves *asked, const struct repair_found *found,
                        uint32_t *lacking, struct writer *writer)
{
    size_t count = 0;
    for (size_t i = 0; i < asked->sums_count && found->whole; i++) {
        if (!found->met[i])
            lacking[count++] = (uint32_t)i;
    }
    write_array(writer, 3);
    write_bin(writer, buffer_slice(&found->page));
    write_u64(writer, found->whole ? 1 : 0);
    write_rising(writer, lacking, count);
    return writer->error;
}

static int leaves_list(struct step *step, const struct shard *shard, const struct message *message,
                       struct writer *writer)
{
    struct asked_leaves *asked = mem_new(sizeof *asked);
    struct view view = batch_view(step->batch);
    struct repair_found found = {0};
    if (!asked)
        return NEAP_NOMEM;
    found.met = asked->met;
    buffer_init(&found.page, CHUNK_BYTES_MAX);
    buffer_init(&found.end, KEY_CURSOR_MAX);
    int error = leaves_read(shard, message, asked);
    if (!error) {
        error =
            repair_page(shard, &view, &asked->nodes, asked->from, asked->to, asked->sums,
                        asked->sums_count, REPAIR_OTHERS, step->gossip->options.chunk_size, &found);
        /* What is wrong with the question is INVALID; this is wrong with the answer. */
        if (error == NEAP_LIMIT)
            error = NEAP_CORRUPT;
    }
    if (!error)
        error = leaves_write(asked, &found, asked->index, writer);
    buffer_done(&found.page);
    buffer_done(&found.end);
    mem_free(asked);
    return error;
}

static int repair_answer(struct step *step, struct topic *topic, const struct shard *shard,
                         const struct message *message, struct buffer *packed, int *ret_code)
{
    struct writer writer;
    writer_init(&writer, packed);
    int error = message->kind == MESSAGE_TREE ? tree_list(shard, message, &writer)
                                              : leaves_list(step, shard, message, &writer);
    *ret_code = error;
    if (error == NEAP_CORRUPT) {
        buffer_clear(packed);
        error = topic_fault(step, topic, shard, error, FAULT_GIVING);
    }
    return error;
}

static int repair_serve(struct step *step, size_t peer, struct topic *topic,
                        const struct shard *shard, const struct message *message)
{
    struct message reply;
    struct buffer packed;
    int error = 0;
    message_init(&reply);
    reply.kind = message->kind == MESSAGE_TREE ? MESSAGE_TREED : MESSAGE_REPAIRED;
    reply.shard = message->shard;
    reply.session = message->session;
    reply.code = NEAP_STALE;
    buffer_init(&packed, MESSAGE_SIZE_MAX);
    if (shard && topic_open_pair(step->gossip, topic, peer) && tree_is_of(shard, &message->since))
        error = repair_answer(step, topic, shard, message, &packed, &reply.code);
    reply.bytes = buffer_slice(&packed);
    if (!error) {
        error = link_send(step, step->gossip->peers[peer].links[CHANNEL_BULK], &reply, true);
        error = error == NEAP_LIMIT ? 0 : error; /* then no answer comes */
    }
    buffer_done(&packed);
    return error;
}

/* ---- down the tree ---- */

static int tree_go_on(struct step *step, struct topic *topic, struct shard *shard)
{
    struct repair *repair = topic->pull.repair;
    if (repair->at < repair->nodes_count && repair->next_count < MERKLE_LIST_MAX)
        return tree_ask(step, topic);
    /* One level is done. What found no room is for another session. */
    memcpy(repair->nodes, repair->next, repair->next_count * sizeof *repair->next);
    repair->nodes_count = repair->next_count;
    repair->next_count = repair->at = 0;
    repair->bits += repair->below;
    if (repair->nodes_count == 0)
        return repair_end(step, topic, shard);
    if (repair->bits < repair->bits_end)
        return tree_ask(step, topic);
    topic->pull.state = PULL_LEAVES;
    return leaves_ask(step, topic, shard);
}

/* STALE: the trees have become others meanwhile. */
static int tree_compare(struct repair *repair, const struct merkle *tree, struct slice packed)
{
    struct merkle_nodes nodes = {
        .bits = repair->bits, .index = repair->nodes + repair->at, .count = repair->asked};
    uint32_t *sums = mem_new_array((size_t)2 * MERKLE_LIST_MAX, sizeof *sums);
    struct reader reader;
    size_t differ = 0;
    if (!sums)
        return NEAP_NOMEM;
    reader_init(&reader, packed);
    read_array_of(&reader, 2);
    uint64_t bits = read_u64(&reader);
    size_t count = read_sums(&reader, sums);
    int error = reader_end(&reader);
    bool deep = bits < repair->bits + repair->below;
    if (!error && (bits > MERKLE_BITS_MAX || count != (deep ? 0 : nodes.count << repair->below)))
        error = NEAP_INVALID;
    if (!error && deep && repair->at > 0)
        error = NEAP_STALE;
    if (!error && bits < repair->bits_end)
        repair->bits_end = bits > repair->bits ? (unsigned)bits : repair->bits;
    uint32_t *found = sums + MERKLE_LIST_MAX;
    if (!error && !deep)
        error = merkle_differing(tree, &repair->salt, &nodes, repair->below, sums, found, &differ);
    if (!error && !deep) {
        size_t room = MERKLE_LIST_MAX - repair->next_count;
        size_t kept = differ < room ? differ : room;
        memcpy(repair->next + repair->next_count, found, kept * sizeof *found);
        repair->next_count += kept;
        repair->at += repair->asked;
    }
    mem_free(sums);
    return error;
}

static int tree_take(struct step *step, struct topic *topic, struct shard *shard,
                     const struct message *message)
{
    struct repair *repair = topic->pull.repair;
    int error = tree_compare(repair, shard->tree, message->bytes);
    if (error == NEAP_STALE)
        return repair_stop(step, topic);
    if (error)
        return error;
    if (repair->at > 0 || repair->bits < repair->bits_end)
        return repair->at > 0 ? tree_go_on(step, topic, shard) : tree_ask(step, topic);
    topic->pull.state = PULL_LEAVES;
    return leaves_ask(step, topic, shard);
}

/* ---- cells ---- */

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

/* *ret_taken: TAKEN, NOTHING, or BEHIND when it came too late. */
static int page_take(struct step *step, struct topic *topic, struct shard *shard, size_t peer,
                     struct slice page, struct buffer *ret_end, enum taken *ret_taken)
{
    struct telling telling = {step, shard, peer};
    struct view view = batch_view(step->batch);
    *ret_taken = TAKEN_BEHIND;
    if (shard->residues_count > 0 || shard->session.id)
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

/* Gives the cells that the peer lacks; `end` is lowered to how far they are given. */
static int leaves_give(struct step *step, struct topic *topic, const struct shard *shard,
                       const uint32_t *sums, size_t count)
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
static int leaves_go_on(struct step *step, struct topic *topic, struct shard *shard, bool whole)
{
    struct repair *repair = topic->pull.repair;
    if (!whole) /* the same again, as far as the peer has looked */
        return leaves_ask(step, topic, shard);
    if (repair->end.size == 0)
        return repair_end(step, topic, shard);
    int error = buffer_set(&repair->from, buffer_slice(&repair->end));
    buffer_clear(&repair->end);
    return error ? error : leaves_ask(step, topic, shard);
}

/* A page goes from where it was asked for to where that ended, or less far. */
static bool page_fits(const struct repair *repair)
{
    return repair->to.size == 0 ||
           (repair->end.size > 0 &&
            slice_compare(buffer_slice(&repair->end), buffer_slice(&repair->to)) <= 0);
}

static int leaves_take_parts(struct step *step, struct topic *topic, struct shard *shard,
                             struct slice page, bool whole, uint32_t *lacking, size_t count)
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
    for (size_t i = 0; i < count; i++)
        lacking[i] = repair->sums[lacking[i]];
    if (count > 0 && !BROKEN("repair-only-takes"))
        error = leaves_give(step, topic, shard, lacking, count);
    if (error == NEAP_LIMIT)
        return repair_stop(step, topic);
    if (error == NEAP_CORRUPT)
        return repair_fault(step, topic, shard, error);
    return error ? error : leaves_go_on(step, topic, shard, whole);
}

static int leaves_take(struct step *step, struct topic *topic, struct shard *shard,
                       const struct message *message)
{
    uint32_t *lacking = mem_new_array(MERKLE_LIST_MAX, sizeof *lacking);
    struct reader reader;
    if (!lacking)
        return NEAP_NOMEM;
    reader_init(&reader, message->bytes);
    read_array_of(&reader, 3);
    struct slice page = read_bin(&reader, CHUNK_BYTES_MAX);
    uint64_t whole = read_u64(&reader);
    size_t count = read_rising(&reader, lacking, topic->pull.repair->sums_count);
    if (whole > 1 || (!whole && count > 0))
        reader_fail(&reader, NEAP_INVALID);
    int error = reader_end(&reader);
    if (!error)
        error = leaves_take_parts(step, topic, shard, page, whole, lacking, count);
    mem_free(lacking);
    return error;
}

/* ---- messages ---- */

static int repair_take(struct step *step, size_t peer, struct topic *topic, struct shard *shard,
                       const struct message *message)
{
    enum pull_state expected = message->kind == MESSAGE_TREED ? PULL_TREE : PULL_LEAVES;
    if (!shard || !topic_open_pair(step->gossip, topic, peer) || topic->pull.state != expected ||
        topic->pull.peer != peer || topic->pull.session != message->session)
        return 0; /* an answer that came too late */
    step->gossip->peers[peer].answered = topic->pull.asked;
    if (message->code == NEAP_CORRUPT || message->code == NEAP_LIMIT) {
        step->gossip->counts[REASON_not_given]++;
        topic_pair(topic, peer)->repair_at = step->now.mono_ms + FAULT_AGAIN_MS;
        return pull_end(step, topic, 0);
    }
    if (message->code || repair_is_over(topic, shard))
        return repair_stop(step, topic);
    return message->kind == MESSAGE_TREED ? tree_take(step, topic, shard, message)
                                          : leaves_take(step, topic, shard, message);
}

static int mend_take(struct step *step, size_t peer, struct topic *topic, struct shard *shard,
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

int repair_message(struct step *step, size_t peer, const struct message *message)
{
    struct topic *topic = topic_find(step->gossip, message->shard);
    struct shard *shard = store_find(step->gossip->store, message->shard);
    switch ((unsigned)message->kind) {
    case MESSAGE_TREE:
    case MESSAGE_REPAIR:
        return repair_serve(step, peer, topic, shard, message);
    case MESSAGE_TREED:
    case MESSAGE_REPAIRED:
        return repair_take(step, peer, topic, shard, message);
    default:
        return mend_take(step, peer, topic, shard, message);
    }
}
