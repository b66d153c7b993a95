/* One node: its disk and shard, what it writes, pushes, and says at first contact. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/change.h"
#include "store/slot.h"
#include "tests/property/world.h"

enum { MESSAGE_MAX = 1 << 20 };

/* ---- a node and its disk ---- */

#define BUCKET "b"

uint64_t world_shard(void)
{
    return hash_name(slice_text(BUCKET));
}

void world_arm(struct world *world, const struct node *node)
{
    world->armed = world_chance(world, 0.03);
    if (!world->armed)
        return;
    hold_ok(context_copy(&world->armed_context, &node->shard->context), "copy");
    hold_ok(context_copy(&world->armed_horizon, &node->shard->horizon), "copy");
    world->armed_residues = node->shard->residues_count;
    world->armed_session = node->shard->session.id;
    world->armed_phase = (unsigned)node->shard->session.phase;
    mem_fail_at(1 + world_pick(world, 60), 0);
}

bool world_disarm(struct world *world, const struct node *node, int result)
{
    if (!world->armed)
        return false;
    mem_fail_at(0, 0);
    if (result != NEAP_NOMEM)
        return false;
    hold(batch_is_empty(node->batch), "out of memory: something was left in the batch");
    hold(context_equal(&world->armed_context, &node->shard->context) &&
             context_equal(&world->armed_horizon, &node->shard->horizon) &&
             world->armed_residues == node->shard->residues_count &&
             world->armed_session == node->shard->session.id &&
             world->armed_phase == (unsigned)node->shard->session.phase,
         "out of memory: the shard was changed");
    return true;
}

struct view node_view(const struct node *node)
{
    return (struct view){.disk = node->disk};
}

void node_commit(struct node *node)
{
    node->checked = node->checked && batch_is_empty(node->batch);
    hold_ok(node->disk->ops->commit(node->disk, node->batch, false), "commit");
    batch_clear(node->batch);
}

static void message_drop(struct message *message)
{
    if (--message->refs > 0)
        return;
    buffer_done(&message->bytes);
    mem_free(message);
}

void node_outbox_clear(struct node *node)
{
    for (size_t i = 0; i < node->outbox_count; i++)
        message_drop(node->outbox[i]);
    node->outbox_count = 0;
}

static uint64_t node_counter(const struct node *node)
{
    return context_get(&node->shard->context, node->shard->replica);
}

/* The directory is opened: a shard that has another life's record takes the node's. */
void node_open(struct world *world, struct node *node)
{
    struct view view = node_view(node);
    uint32_t nonce = ++world->nonces;
    const struct context_entry *own;

    shard_free(node->shard);
    batch_clear(node->batch);
    node->shard = NULL;
    node->checked = false;
    hold_ok(shard_load(&view, world_shard(), node->life, nonce, &node->shard), "load");
    node_outbox_clear(node);
    node->pushed = node_counter(node);
    node->confirmed = 0;
    own = context_find(&node->shard->context, node->shard->replica);
    oracle_birth(&world->oracle, node->shard->replica, nonce, own ? own->n : 0,
                 own ? own->nonce : 0);
    if (!world->rollbacks) {
        hold_ok(shard_confirm(node->shard, node->batch), "confirm");
        node_commit(node);
    }
}

static void same_vectors(const struct context *a, const struct context *b, const char *what)
{
    hold(context_equal(a, b), "a restart changed the %s", what);
    for (size_t i = 0; i < a->count; i++)
        hold(a->entries[i].nonce == b->entries[i].nonce || !strcmp(what, "horizon"),
             "a restart changed a nonce of the %s", what);
}

/* Closing and opening again must change nothing. */
void node_restart(struct world *world, struct node *node)
{
    struct shard *old = node->shard;

    world_stop(world, node->number);
    node->shard = NULL;
    if (world->folder) {
        disk_close(node->disk);
        node->disk = NULL;
        node_set_disk(node, world_disk(world, node->number));
    } else {
        node_set_disk(node, node->bare);
    }
    node_open(world, node);
    same_vectors(&old->context, &node->shard->context, "context");
    same_vectors(&old->horizon, &node->shard->horizon, "horizon");
    hold(old->replica == node->shard->replica, "a restart changed the replica id");
    hold(old->residue_next == node->shard->residue_next, "a restart changed residue_next");
    hold(old->residues_count == node->shard->residues_count, "a restart changed the residues");
    for (size_t i = 0; i < old->residues_count; i++) {
        hold(old->residues[i].ref == node->shard->residues[i].ref, "a restart changed a residue");
        same_vectors(&old->residues[i].context, &node->shard->residues[i].context, "residue");
    }
    shard_free(old);
}

struct node *world_node_new(struct world *world)
{
    struct node *node = &world->nodes[world->nodes_count];

    must(world->nodes_count < NODES_MAX);
    *node = (struct node){.number = world->nodes_count, .life = world_id(world)};
    node_set_disk(node, world_disk(world, node->number));
    hold_ok(shard_new(node->batch, BUCKET, node->life, ++world->nonces, &node->shard), "shard");
    oracle_birth(&world->oracle, node->life, node->shard->nonce, 0, 0);
    node_commit(node);
    hold_ok(node->disk->ops->sync(node->disk), "sync");
    world->nodes_count++;
    return node;
}

void node_done(struct node *node)
{
    node_outbox_clear(node);
    mem_free(node->outbox);
    shard_free(node->shard);
    batch_free(node->batch);
    disk_close(node->disk);
}

void node_slot(struct world *world, const struct node *node, unsigned path, struct slot *ret_slot)
{
    struct view view = node_view(node);

    hold_ok(slot_load(node->shard, &view, node->shard->id, buffer_slice(&world->paths[path]),
                      &world->read_a, ret_slot),
            "load of a cell");
}

struct knowledge node_knowledge(const struct node *node, const struct slot *slot)
{
    return (struct knowledge){
        .context = &node->shard->context,
        .residue = slot->residue ? &slot->residue->context : NULL,
    };
}

void world_check(struct world *world, struct node *node)
{
    if (node->checked)
        return; /* as it was */
    node->checked = true;
    for (unsigned path = 0; path < PATHS; path++) {
        struct slot slot;
        struct knowledge know;

        if (world->damaged[path])
            continue;
        node_slot(world, node, path, &slot);
        know = node_knowledge(node, &slot);
        hold(oracle_explains(&world->oracle, path, &know, &slot.cell),
             "node %u, path %u: the cell is not what its events leave", node->number, path);
        hold(oracle_keeps(&world->oracle, path, &know, &slot.cell),
             "node %u, path %u: what was gone is there again", node->number, path);
        hold(!slot.stored || slot.cell.count > 0 || slot.residue,
             "node %u, path %u: an empty cell is stored", node->number, path);
        slot_done(&slot);
    }
}

/* ---- pushes ---- */

static bool node_met(const struct node *node, const struct node *other)
{
    for (size_t i = 0; i < node->shard->promises_count; i++) {
        if (node->shard->promises[i].node == other->number + 1)
            return true;
    }
    return false;
}

void world_wire_put(struct world *world, struct wire item)
{
    room_grow(&world->wire, world->wire_count, &world->wire_room, sizeof *world->wire);
    world->wire[world->wire_count++] = item;
}

/* To all, with loss and duplication. */
static void message_send(struct world *world, struct node *node, struct message *message)
{
    for (unsigned i = 0; i < world->nodes_count; i++) {
        struct node *peer = &world->nodes[i];
        unsigned copies;

        if (peer == node || peer->gone)
            continue;
        if (world->hello && !node_met(peer, node)) {
            if (world_chance(world, 0.5))
                continue;
            node_hello(world, node, peer);
        }
        copies = (unsigned[]){0, 1, 1, 1, 2}[world_pick(world, 5)];
        for (; copies > 0; copies--) {
            world_wire_put(world, (struct wire){node->number, i, message});
            message->refs++;
        }
    }
}

/* Own events after `since`; NULL when they can't be told. */
static struct message *message_build(struct node *node, uint64_t since, size_t size)
{
    struct message *message = mem_new(sizeof *message);
    struct view view = node_view(node);
    struct context have = {0};
    int error;

    must(message);
    message->refs = 1;
    message->nonce = node->shard->nonce;
    buffer_init(&message->bytes, MESSAGE_MAX);
    hold_ok(context_raise(&have, node->shard->replica, since, 0), "context");
    error = shard_chunk(node->shard, &view, &have, node->shard->replica, size, &message->bytes);
    context_done(&have);
    if (!error)
        return message;
    hold(error == NEAP_STALE || error == NEAP_BUSY || error == NEAP_END, "push: %s",
         error_name(error));
    message_drop(message);
    return NULL;
}

void world_wire_add(struct world *world, struct node *from, struct node *to)
{
    struct wire item = {from->number, to->number, message_build(from, node_counter(from) - 1, 1)};

    hold(item.message, "the event can't be told");
    world_wire_put(world, item);
}

void world_wire_clear(struct world *world)
{
    while (world->wire_count > 0)
        message_drop(world->wire[--world->wire_count].message);
}

/* One event, or all that there are, into the outbox. */
static void node_post(struct world *world, struct node *node, bool single)
{
    struct message *message = message_build(node, node->pushed, single ? 1 : 1 << 20);

    node->pushed = single ? node->pushed + 1 : node_counter(node);
    if (!message)
        return;
    if (world_broken("send-before-sync")) {
        message_send(world, node, message);
        message_drop(message);
        return;
    }
    room_grow(&node->outbox, node->outbox_count, &node->outbox_room, sizeof *node->outbox);
    node->outbox[node->outbox_count++] = message;
}

/* Rule 8: durable, and only then sent. */
void node_sync(struct world *world, struct node *node)
{
    hold_ok(node->disk->ops->sync(node->disk), "sync");
    if (!shard_released(node->shard))
        return;
    while (node->pushed < node_counter(node))
        node_post(world, node, world_chance(world, 0.5));
    /* One by one: a hello on the way may re-dot, which changes the outbox. */
    while (node->outbox_count > 0) {
        struct message *message = node->outbox[0];

        memmove(node->outbox, node->outbox + 1, --node->outbox_count * sizeof *node->outbox);
        message_send(world, node, message);
        message_drop(message);
    }
}

void world_drop_wire(struct world *world,
                     bool (*drop)(struct world *world, const struct wire *item, const void *arg),
                     const void *arg)
{
    size_t kept = 0;

    for (size_t i = 0; i < world->wire_count; i++) {
        if (drop(world, &world->wire[i], arg))
            message_drop(world->wire[i].message);
        else
            world->wire[kept++] = world->wire[i];
    }
    world->wire_count = kept;
}

void node_after_take(struct world *world, struct node *node, int error)
{
    if (error != NEAP_STALE)
        hold_ok(error, "take");
    if (node->shard->went_back)
        node_redot(world, node);
}

void world_deliver_copy(struct world *world, size_t index)
{
    struct wire item = world->wire[index];
    struct node *node = &world->nodes[item.to];
    enum taken taken = TAKEN_NOTHING;
    int error;

    if (node->gone)
        return;
    item.message->refs++;
    attempt(world, node, error,
            shard_take(node->shard, node->batch, buffer_slice(&item.message->bytes), CHUNK_PUSH,
                       &taken));
    if (error || taken != TAKEN)
        hold(batch_is_empty(node->batch), "a refused chunk left something in the batch");
    world->progress |= error || taken == TAKEN;
    node_commit(node);
    node_after_take(world, node, error);
    message_drop(item.message);
}

void world_deliver(struct world *world, size_t index)
{
    struct message *message = world->wire[index].message;

    message->refs++;
    world_deliver_copy(world, index);
    /* A re-dotting on the way may have sent more and dropped some. */
    for (size_t i = 0; i < world->wire_count; i++) {
        size_t at = (index + i) % world->wire_count;

        if (world->wire[at].message == message) {
            memmove(world->wire + at, world->wire + at + 1,
                    (--world->wire_count - at) * sizeof *world->wire);
            message_drop(message);
            break;
        }
    }
    message_drop(message);
}

/* ---- local events ---- */

/* The other policy of rule 9: an opening that is not confirmed takes a new id before it writes. */
static void node_claim(struct world *world, struct node *node)
{
    if (world->fresh && !node->shard->confirmed && !world_broken("same-id-after-boot") &&
        !world_broken("claim-late"))
        node_redot(world, node);
}

static void node_told(struct world *world, struct node *node, uint64_t events)
{
    if (world_broken("send-before-sync") ||
        (node->pushed + events == node_counter(node) && shard_released(node->shard) &&
         world_chance(world, 0.5))) {
        while (node->pushed < node_counter(node))
            node_post(world, node, true);
    }
}

static void cell_copy(const struct cell *from, struct cell *to)
{
    for (size_t i = 0; i < from->count; i++)
        hold_ok(cell_add(to, from->entries[i].dot, slice_of(NULL, 0)), "copy");
}

static void event_record(struct world *world, struct node *node, unsigned path, struct dot dot,
                         const struct cell *old, int64_t number)
{
    struct slot slot;
    struct knowledge know;

    node_slot(world, node, path, &slot);
    know = node_knowledge(node, &slot);
    oracle_event(&world->oracle, path, dot, node->shard->nonce, old, &slot.cell, &know, number);
    slot_done(&slot);
}

static void node_promises(struct world *world, const struct node *node, unsigned path)
{
    struct slot slot;
    struct knowledge know;

    node_slot(world, node, path, &slot);
    know = node_knowledge(node, &slot);
    oracle_promise(&world->oracle, path, &node->shard->context, &know, &slot.cell);
    slot_done(&slot);
}

void node_update(struct world *world, struct node *node, unsigned path, const struct op *op)
{
    struct dot dot = {0};
    struct slot slot;
    struct cell old;
    int error;

    node_slot(world, node, path, &slot);
    cell_init(&old);
    cell_copy(&slot.cell, &old);
    slot_done(&slot);
    attempt(world, node, error,
            shard_write(node->shard, node->batch, node->shard->id,
                        buffer_slice(&world->paths[path]), op, &dot));
    hold_ok(error, "write");
    node_commit(node);
    if (dot.n > 0) {
        event_record(world, node, path, dot, &old, op->number);
        node_told(world, node, 1);
    }
    node_promises(world, node, path);
    cell_done(&old);
}

/* All cells of the map, one event each, in the order of their paths. */
static void node_remove_map(struct world *world, struct node *node, const struct context *seen)
{
    struct cell old[MAP_TO - MAP_FROM];
    bool unsaid[MAP_TO - MAP_FROM]; /* only a residue says that it is gone */
    uint64_t events = 0, n = node_counter(node);
    struct slot slot;
    int error;

    for (unsigned i = 0; i < MAP_TO - MAP_FROM; i++) {
        node_slot(world, node, MAP_FROM + i, &slot);
        cell_init(&old[i]);
        cell_copy(&slot.cell, &old[i]);
        unsaid[i] = slot.residue && !world_broken("removes-unsaid") &&
                    !context_covers(&node->shard->context, &slot.residue->context);
        slot_done(&slot);
    }
    attempt(world, node, error,
            shard_remove(node->shard, node->batch, node->shard->id,
                         buffer_slice(&world->map_prefix), seen, &events));
    hold_ok(error, "remove");
    node_commit(node);
    for (unsigned i = 0; i < MAP_TO - MAP_FROM; i++) {
        bool changed;

        node_slot(world, node, MAP_FROM + i, &slot);
        changed = !cell_same_dots(&slot.cell, &old[i]);
        slot_done(&slot);
        if (changed || unsaid[i])
            event_record(world, node, MAP_FROM + i, (struct dot){node->shard->replica, ++n},
                         &old[i], 0);
        node_promises(world, node, MAP_FROM + i);
        cell_done(&old[i]);
    }
    hold(n == node_counter(node), "removing a map made %llu events, counted %llu",
         (unsigned long long)events, (unsigned long long)n);
    node_told(world, node, events);
}

/* Covers some of the dots of a cell. */
static void seen_some(struct world *world, const struct node *node, unsigned path,
                      struct context *ret_seen)
{
    struct slot slot;

    node_slot(world, node, path, &slot);
    for (size_t i = 0; i < slot.cell.count; i++) {
        if (world_chance(world, 0.75))
            hold_ok(
                context_raise(ret_seen, slot.cell.entries[i].dot.id, slot.cell.entries[i].dot.n, 0),
                "context");
    }
    slot_done(&slot);
}

static enum op_kind op_of(struct world *world, unsigned path)
{
    static const enum op_kind adds[] = {OP_REGISTER_SET, OP_LWW_SET, OP_FLAG_ON, OP_REGISTER_SET,
                                        OP_LWW_SET,      OP_SET_ADD, OP_SET_ADD};

    if (world_chance(world, 0.7))
        return adds[path];
    if (adds[path] == OP_FLAG_ON)
        return OP_FLAG_OFF;
    return adds[path] == OP_SET_ADD && world_chance(world, 0.5) ? OP_SET_REMOVE : OP_REMOVE;
}

void node_write(struct world *world, struct node *node, unsigned path)
{
    struct context seen = {0};
    struct op op = {.value = slice_text("v")};

    node_claim(world, node);
    if (path >= COUNTERS_FROM) {
        op.kind = OP_COUNTER_ADD;
        op.number = 1 + world_pick(world, 8);
        node_update(world, node, path, &op);
        return;
    }
    seen_some(world, node, path, &seen);
    op.seen = world_chance(world, 0.7) ? &seen : NULL;
    op.stamp = 1 + world_pick(world, 1000);
    op.kind = op_of(world, path);
    if (op.kind == OP_REGISTER_SET)
        op.seen = &seen;
    if (path >= MAP_FROM && op.kind == OP_REMOVE && world_chance(world, 0.3) &&
        !(world->damaged[3] || world->damaged[4] || world->damaged[5] || world->damaged[6]))
        node_remove_map(world, node, op.seen);
    else
        node_update(world, node, path, &op);
    context_done(&seen);
}

/* ---- first contact (rule 9) ---- */

static void told_add(struct world *world, struct node *node)
{
    const struct shard *shard = node->shard;

    if (shard->confirmed)
        return;
    for (size_t i = 0; i < world->oracle.events_count; i++) {
        const struct event *event = &world->oracle.events[i];

        if (event->dot.id != shard->replica || event->dot.n <= shard->opened_at)
            continue;
        room_grow(&world->told, world->told_count, &world->told_room, sizeof *world->told);
        world->told[world->told_count++] = (struct key3){event->dot, event->nonce};
    }
}

void node_redot(struct world *world, struct node *node)
{
    struct shard *shard = node->shard;
    struct shard_claim claim;
    int error;

    told_add(world, node);
    shard_claim(shard, &claim);
    for (size_t i = claim.openings_count; i-- > 0 && !shard->confirmed;) {
        const struct knowledge know = {.context = &shard->context};
        const struct opening *opening = &claim.openings[i];
        uint64_t id = renamed_id(claim.replica, claim.opened_at, opening->nonce);
        uint64_t until = i + 1 < claim.openings_count ? opening[1].since : UINT64_MAX;

        oracle_rename(&world->oracle, &know, *opening, until, claim.replica, id);
    }
    attempt(world, node, error, shard_redot(shard, node->batch));
    hold_ok(error, "redot");
    node_commit(node);
    for (size_t i = 0; i < claim.openings_count; i++)
        oracle_birth(&world->oracle,
                     renamed_id(claim.replica, claim.opened_at, claim.openings[i].nonce),
                     claim.openings[i].nonce, 0, 0);
    node_outbox_clear(node);
    node->pushed = 0;
    node->confirmed = 0;
    node_sync(world, node);
}

bool node_tells(struct world *world, struct node *node)
{
    if (!shard_released(node->shard) && world_chance(world, 0.2))
        node_redot(world, node);
    return shard_released(node->shard);
}

static bool wire_is_dead(struct world *world, const struct wire *item, const void *arg)
{
    const unsigned *ends = arg; /* to, and from or NODES_MAX */
    const struct shard *shard = world->nodes[item->from].shard;

    if (item->to != ends[0] || (ends[1] != NODES_MAX && item->from != ends[1]))
        return false;
    for (size_t i = 0; i < shard->openings_count; i++) {
        if (shard->openings[i].nonce == item->message->nonce)
            return false;
    }
    return true;
}

/* What openings that have ended sent to this node, and has not arrived, arrives no more. */
void world_drop_dead(struct world *world, unsigned to, unsigned from)
{
    const unsigned ends[] = {to, from};

    world_drop_wire(world, wire_is_dead, ends);
}

static unsigned world_others(const struct world *world, const struct node *node)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < world->nodes_count; i++) {
        if (i != node->number && !world->nodes[i].gone)
            bits |= 1u << i;
    }
    return bits;
}

static void hello_one_way(struct world *world, struct node *owner, struct node *other)
{
    struct context_entry quote = shard_quote(other->shard, owner->shard->replica);
    struct shard_claim claim;

    if (shard_check_quote(owner->shard, &quote) == QUOTE_ROLLBACK) {
        hold(!owner->shard->confirmed || world_broken("release-early"), "a fork");
        if (world_broken("redot-late"))
            owner->shard->went_back = true;
        else if (!world_broken("no-redot"))
            node_redot(world, owner);
    }
    if (!world_broken("old-connections"))
        world_drop_dead(world, other->number, owner->number);
    shard_claim(owner->shard, &claim);
    hold_ok(shard_promise(other->shard, owner->number + 1, &claim), "promise");
    owner->confirmed |= 1u << other->number;
    if (!owner->shard->confirmed &&
        (owner->confirmed & world_others(world, owner)) == world_others(world, owner)) {
        told_add(world, owner);
        hold_ok(shard_confirm(owner->shard, owner->batch), "confirm");
        node_commit(owner);
    }
}

/* The first message of every session, both ways. */
void node_hello(struct world *world, struct node *node, struct node *peer)
{
    if (!world->hello)
        return;
    hello_one_way(world, node, peer);
    hello_one_way(world, peer, node);
}
