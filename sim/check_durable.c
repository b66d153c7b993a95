/* Rules 8 and 9: what leaves a node names only events that are synced where they were made; what
 * the node says that it knows, it knows by what it has synced itself; and its own events are told
 * only when nobody can know others of these names. What was acknowledged as durable is synced. */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "gossip/state.h"
#include "sim/oracle.h"

/* A message on its way out. */
struct letter {
    struct world *world;
    const struct sim_node *node;
    const struct message *message;
    uint32_t shard; /* as the oracle numbers it */
    uint64_t id;
};

static bool letter_fails(const struct letter *letter, const struct context_entry *entry,
                         const char *what)
{
    world_fail(letter->world, "durable: %s sends a %s that names %04x:%" PRIu64 ", %s",
               letter->node->name, message_name(letter->message->kind), (unsigned)(entry->id >> 48),
               entry->n, what);
    return false;
}

/* Whatever is in a residue, the node has from others. */
static bool is_durable(const struct letter *letter, const struct context_entry *entry)
{
    return oracle_entry_is_durable(letter->world->oracle, letter->shard, entry) ||
           letter_fails(letter, entry, "which may still be lost");
}

static bool is_told(const struct letter *letter, const struct shard *shard,
                    const struct context_entry *entry)
{
    return !shard || shard->confirmed || entry->id != shard->replica ||
           entry->n <= shard->opened_at ||
           letter_fails(letter, entry, "which may have to get another name");
}

/* What a node says that it knows. */
static bool is_known(const struct letter *letter, const struct context *context, bool horizon)
{
    const struct oracle_shard *known = &letter->world->oracle->shards[letter->shard];
    const struct context *synced = &known->replicas[letter->node->index].synced;
    const struct shard *shard = store_find(&letter->node->wheel.engine.store, letter->id);
    size_t at = 0;
    for (size_t i = 0; i < context->count; i++) {
        const struct context_entry *entry = &context->entries[i];
        const struct context_entry *kept = context_next(synced, &at, entry->id);
        /* Answers of the very turn in which it let go of the shard. */
        if (context_get(&known->replicas[letter->node->index].dropped, entry->id) >= entry->n)
            continue;
        if (!kept || kept->n < entry->n)
            return letter_fails(letter, entry, "which it may forget");
        /* Horizons have no nonces; what they name, a context does. */
        if (!horizon && (!is_durable(letter, entry) || !is_told(letter, shard, entry)))
            return false;
    }
    return true;
}

static bool are_durable(const struct letter *letter, const struct context *context)
{
    for (size_t i = 0; i < context->count; i++) {
        if (!is_durable(letter, &context->entries[i]))
            return false;
    }
    return true;
}

static bool residues_are_durable(const struct letter *letter, struct reader *reader)
{
    uint32_t count = read_array(reader, UINT32_MAX);
    struct context residue = {0};
    bool fine = true;
    for (uint32_t i = 0; i < count && fine && !context_read(reader, &residue); i++)
        fine = are_durable(letter, &residue);
    context_done(&residue);
    return fine;
}

/* The head of a chunk, page or cell (store/chunk.h): what its cells and runs name is covered by the
 * context and the residues there, or whoever gets it refuses it. */
static void chunk_is_durable(const struct letter *letter, struct slice bytes)
{
    struct context context = {0}, horizon = {0};
    struct reader reader;
    reader_init(&reader, bytes);
    (void)read_array(&reader, UINT32_MAX);
    for (unsigned i = 0; i < 3; i++)
        (void)read_u64(&reader);
    if (!context_read(&reader, &context) && !context_read(&reader, &horizon) &&
        is_known(letter, &context, false) && is_known(letter, &horizon, true))
        (void)residues_are_durable(letter, &reader);
    if (reader.error)
        world_fail(letter->world, "durable: %s sends a %s that is none", letter->node->name,
                   message_name(letter->message->kind));
    context_done(&context);
    context_done(&horizon);
}

/* Told after another push: its context is a difference to that one's. What it comes to
 * is what the node has kept, under the number of this push, unless another one has followed it in
 * the same turn. */
static void next_is_durable(const struct letter *letter)
{
    const struct topic *topic = topic_find(letter->node->wheel.engine.gossip, letter->id);
    for (size_t i = 0; topic && i < topic->pairs_room; i++) {
        const struct pair *pair = topic->pairs[i];
        if (pair && pair->pushed.known && pair->pushed.number == letter->message->session &&
            !is_known(letter, &pair->pushed.base.context, false))
            return;
    }
}

/* Told after another chunk of the same answer: all of them are read in one turn, so what the node
 * says that it knows is what the first one says. */
static void rest_is_durable(const struct letter *letter)
{
    struct reader reader;
    reader_init(&reader, letter->message->bytes);
    (void)read_array(&reader, UINT32_MAX);
    for (unsigned i = 0; i < 2; i++)
        (void)read_u64(&reader);
    for (unsigned i = 0; i < 2; i++)
        read_array_of(&reader, 0); /* the difference */
    (void)residues_are_durable(letter, &reader);
    if (reader.error || letter->message->what == 0)
        world_fail(letter->world, "durable: %s sends a %s that goes on from nothing told",
                   letter->node->name, message_name(letter->message->kind));
}

static void told_is_durable(const struct letter *letter)
{
    if (!chunk_was_after(letter->message->bytes))
        chunk_is_durable(letter, letter->message->bytes);
    else if (letter->message->kind == MESSAGE_PUSH)
        next_is_durable(letter);
    else
        rest_is_durable(letter);
}

static struct slice page_of(struct slice packed)
{
    struct reader reader;
    reader_init(&reader, packed);
    (void)read_array(&reader, UINT32_MAX);
    (void)read_u64(&reader); /* the number of the question */
    return read_bin(&reader, packed.size);
}

static void digest_is_durable(struct letter *letter, const struct digest_item *item)
{
    letter->id = item->shard;
    letter->shard = oracle_shard(letter->world->oracle, item->shard);
    if (!is_known(letter, &item->context, false) || !is_known(letter, &item->horizon, true))
        return;
    if (item->quote.n > 0)
        (void)is_durable(letter, &item->quote);
}

static void sent(struct world *world, void *state, size_t index, const struct message *message)
{
    struct letter letter = {
        .world = world, .node = &world->nodes[index], .message = message, .id = message->shard};
    (void)state;
    if (world->oracle->blind)
        return;
    switch (message->kind) {
    case MESSAGE_HELLO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_INTEREST:
    case MESSAGE_RIGHTS:
    case MESSAGE_SWIM:    /* check_members looks at it */
    case MESSAGE_COMPARE: /* a key names no event */
        return;
    case MESSAGE_DIGEST:
        for (size_t i = 0; i < message->digests_count; i++)
            digest_is_durable(&letter, &message->digests[i]);
        break;
    case MESSAGE_PULL:
        letter.shard = oracle_shard(world->oracle, message->shard);
        if (message->compares) /* it says where it has got to, not what it knows */
            (void)are_durable(&letter, &message->since);
        else
            (void)is_known(&letter, &message->since, false);
        break;
    case MESSAGE_LEAVE:
        letter.shard = oracle_shard(world->oracle, message->shard);
        (void)are_durable(&letter, &message->since);
        break;
    case MESSAGE_TREE:
    case MESSAGE_REPAIR:
    case MESSAGE_TOLD:
    case MESSAGE_VERIFY:
    case MESSAGE_VERIFIED:
    case MESSAGE_DESCENDED:
        letter.shard = oracle_shard(world->oracle, message->shard);
        (void)is_known(&letter, &message->since, false);
        break;
    case MESSAGE_REPAIRED: /* the page in it */
    case MESSAGE_DIFFERED:
        letter.shard = oracle_shard(world->oracle, message->shard);
        if (message->bytes.size > 0 && !message->code)
            chunk_is_durable(&letter, page_of(message->bytes));
        break;
    case MESSAGE_PUSH:
    case MESSAGE_PULLED:
    case MESSAGE_COMPARED:
    case MESSAGE_MEND:
    case MESSAGE_FILL:
        letter.shard = oracle_shard(world->oracle, message->shard);
        if (message->bytes.size > 0 && !message->code)
            told_is_durable(&letter);
        break;
    case MESSAGE_TREED:
    case MESSAGE_ASK:
    case MESSAGE_DESCEND:
    case MESSAGE_DIFFER:
    case MESSAGE_HOLE:
    case MESSAGE_PUSHED:
    case MESSAGE_RELIEVED:
    case MESSAGE_KINDS:
        break;
    }
    /* And as it is today, one sync covers all. */
    if (atomic_load(&letter.node->wheel.unsynced))
        world_fail(world, "durable: %s sends a %s while something is not synced", letter.node->name,
                   message_name(message->kind));
}

/* Callers are answered at the end of a turn: nothing is committed behind their write but what is
 * synced as well, or else it would have been another turn. */
static void answered(struct world *world, void *state, const struct record *record)
{
    const struct oracle *oracle = world->oracle;
    (void)state;
    if (record->outcome != OUTCOME_SURE || oracle->blind || !world->nodes[record->node].up)
        return;
    for (size_t i = 0; i < oracle->shards_count; i++) {
        if (oracle->shards[i].replicas[record->node].dirty)
            world_fail(world, "durable: %s acknowledges a write that is not synced",
                       world->nodes[record->node].name);
    }
}

const struct checker check_durable = {.name = "durable",
                                      .promise = "nothing leaves a node before it is durable",
                                      .sent = sent,
                                      .answered = answered};
