/* What replicas do with each other: pulls, compares, reads, repair. */
#include "tests/property/world.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/chunk.h"
#include "store/slot.h"

enum { BYTES_MAX = 1 << 20 };

void world_task_new(struct world *world, unsigned node, unsigned peer, size_t size)
{
    struct task task = {.node = node, .peer = peer, .size = size};

    buffer_init(&task.bytes, BYTES_MAX);
    room_grow(&world->tasks, world->tasks_count, &world->tasks_room, sizeof *world->tasks);
    world->tasks[world->tasks_count++] = task;
}

void task_done(struct task *task)
{
    buffer_done(&task->bytes);
}

/* Whatever it was about to take is not taken; a compare claims nothing. */
void world_task_remove(struct world *world, size_t index)
{
    struct task task = world->tasks[index];
    struct shard *shard = world->nodes[task.node].shard;

    if (task.session != 0 && shard->session.id == task.session)
        shard_compare_stop(shard);
    task_done(&task);
    world->tasks[index] = world->tasks[--world->tasks_count];
}

void world_stop(struct world *world, unsigned node)
{
    for (size_t i = world->tasks_count; i-- > 0;) {
        if (world->tasks[i].node == node || world->tasks[i].peer == node)
            world_task_remove(world, i);
    }
    shard_compare_stop(world->nodes[node].shard);
}

/* A peer that reads its context after the cells: broken on purpose. */
static void chunk_spoil(struct world *world, struct node *peer, struct buffer *bytes)
{
    struct buffer spoilt;
    struct chunk chunk;

    if (!world_broken("context-after-cells") || !world_chance(world, 0.3))
        return;
    hold_ok(chunk_decode(buffer_slice(bytes), CHUNK_EVENTS, &chunk), "spoil");
    for (unsigned path = 0; path < PATHS; path++) {
        if (slice_equal(chunk.cells[0].path, buffer_slice(&world->paths[path])))
            node_write(world, peer, path);
    }
    node_sync(world, peer);
    hold_ok(context_copy(&chunk.context, &peer->shard->context), "spoil");
    buffer_init(&spoilt, BYTES_MAX);
    hold_ok(chunk_encode(&chunk, &spoilt), "spoil");
    hold_ok(buffer_set(bytes, buffer_slice(&spoilt)), "spoil");
    buffer_done(&spoilt);
    chunk_done(&chunk);
}

/* Both can: and the peer's state is durable before any of it leaves. */
static bool task_ready(struct world *world, struct node *node, struct node *peer)
{
    world->progress |= !shard_released(peer->shard);
    if (node->gone || peer->gone || !node_tells(world, peer))
        return false;
    node_sync(world, peer);
    return true;
}

/* ---- pull ---- */

static bool pull_ask(struct world *world, struct task *task, struct node *node, struct node *peer)
{
    struct view view = node_view(peer);
    int error;

    attempt(world, peer, error,
            shard_chunk(peer->shard, &view, &node->shard->context, 0, task->size, &task->bytes));

    if (error == NEAP_END)
        return false;
    if (error == NEAP_STALE) {
        task->session = ++world->sessions;
        return node->shard->session.id == 0;
    }
    hold_ok(error, "chunk");
    chunk_spoil(world, peer, &task->bytes);
    task->pending = true;
    return true;
}

static bool pull_take(struct world *world, struct task *task, struct node *node)
{
    enum taken taken = TAKEN_NOTHING;
    int error;

    attempt(world, node, error,
            shard_take(node->shard, node->batch, buffer_slice(&task->bytes), CHUNK_PULL, &taken));

    task->pending = false;
    node_commit(node);
    node_after_take(world, node, error);
    world->progress |= error || taken != TAKEN_NOTHING;
    return !error && (taken == TAKEN || taken == TAKEN_NOTHING);
}

/* ---- compare ---- */

static bool compare_ask(struct world *world, struct task *task, struct node *node,
                        struct node *peer)
{
    const struct compare_session *session = &node->shard->session;
    struct view view = node_view(peer);
    struct slice cursor = task->started ? buffer_slice(&session->cursor) : slice_of(NULL, 0);
    int error;

    (void)world;
    if (task->started && session->phase == COMPARE_CHANGED)
        error = shard_changed(peer->shard, &view, &session->seen, task->size, &task->bytes);
    else
        error = shard_compare_page(peer->shard, &view, cursor, task->size, &task->bytes);
    if (error == NEAP_STALE)
        return false; /* its log can't name any more what changed: start again */
    hold_ok(error, "page");
    task->pending = true;
    return true;
}

static int compare_begin(struct task *task, struct node *node)
{
    struct context start = {0}, horizon = {0};
    int error = chunk_peek(buffer_slice(&task->bytes), &start, &horizon);

    if (!error)
        error = shard_compare_begin(node->shard, task->session, &start);
    context_done(&start);
    context_done(&horizon);
    task->started = !error;
    return error;
}

static bool compare_take(struct world *world, struct task *task, struct node *node)
{
    struct shard *shard = node->shard;
    enum taken taken = TAKEN;
    int error = 0;

    task->pending = false;
    world->progress = true;
    if (!task->started) {
        if (shard->session.id != 0)
            return false;
        error = compare_begin(task, node);
    }
    if (error || shard->session.id != task->session) {
        node_after_take(world, node, error);
        return false;
    }
    if (shard->session.phase == COMPARE_CHANGED) {
        attempt(world, node, error,
                shard_take(shard, node->batch, buffer_slice(&task->bytes), CHUNK_CHANGED, &taken));
    } else {
        attempt(world, node, error,
                shard_compare_take(shard, node->batch, buffer_slice(&task->bytes)));
        world->pages_judged++;
    }
    node_commit(node);
    node_after_take(world, node, error);
    return !error && taken == TAKEN;
}

static bool compare_end(struct world *world, struct task *task, struct node *node,
                        struct node *peer)
{
    int error;

    (void)task;
    attempt(world, node, error, shard_compare_end(node->shard, node->batch, &peer->shard->horizon));
    node_commit(node);
    node_after_take(world, node, error);
    return false;
}

static bool task_ask(struct world *world, struct task *task, struct node *node, struct node *peer)
{
    if (task->session == 0)
        return pull_ask(world, task, node, peer);
    if (!task->started && node->shard->session.id != 0)
        return false;
    if (task->started && node->shard->session.id != task->session)
        return false;
    if (task->started && node->shard->session.phase == COMPARE_DONE)
        return compare_end(world, task, node, peer);
    return compare_ask(world, task, node, peer);
}

bool task_step(struct world *world, struct task *task)
{
    struct node *node = &world->nodes[task->node], *peer = &world->nodes[task->peer];

    if (!task->pending) {
        if (!task->greeted)
            node_hello(world, node, peer);
        task->greeted = true;
        if (!task_ready(world, node, peer) || !task_ask(world, task, node, peer))
            return false;
        /* What was asked for may be a while under way. */
        if (!task->pending || world_chance(world, 0.3))
            return true;
    }
    if (node->gone || (!world->finishing && world_chance(world, 0.03)))
        return false; /* interrupted: the answer was lost */
    return task->session == 0 ? pull_take(world, task, node) : compare_take(world, task, node);
}

void node_pull_all(struct world *world, struct node *node, struct node *peer)
{
    size_t index = world->tasks_count;

    world_task_new(world, node->number, peer->number, 1000);
    while (index < world->tasks_count && task_step(world, &world->tasks[index]))
        continue;
    if (index < world->tasks_count)
        world_task_remove(world, index);
}

/* ---- reads ---- */

/* Whoever was behind gets the merged cell. */
static void read_mend(struct world *world, const unsigned *nodes, unsigned count, unsigned path,
                      const struct cell *merged, struct slice message)
{
    for (unsigned i = 0; i < count; i++) {
        struct node *node = &world->nodes[nodes[i]];
        enum taken taken = TAKEN_NOTHING;
        struct slot slot;
        bool same;
        int error;

        node_slot(world, node, path, &slot);
        same = cell_same_dots(&slot.cell, merged);
        slot_done(&slot);
        attempt(world, node, error, shard_take_cell(node->shard, node->batch, message, &taken));
        hold(error || !same || taken != TAKEN, "a read mended what was right");
        node_commit(node);
        node_after_take(world, node, error);
        world_check(world, node);
    }
}

void world_read(struct world *world, const unsigned *nodes, unsigned count, unsigned path)
{
    struct buffer messages[NODES_MAX], merged;
    struct slice slices[NODES_MAX];
    unsigned told[NODES_MAX], told_count = 0;

    if (world->damaged[path])
        return;
    for (unsigned i = 1; i < count; i++)
        node_hello(world, &world->nodes[nodes[0]], &world->nodes[nodes[i]]);
    for (unsigned i = 0; i < count; i++) {
        if (node_tells(world, &world->nodes[nodes[i]]))
            told[told_count++] = nodes[i];
    }
    for (unsigned i = 0; i < told_count; i++) {
        struct node *node = &world->nodes[told[i]];
        struct view view = node_view(node);

        node_sync(world, node);
        buffer_init(&messages[i], BYTES_MAX);
        hold_ok(shard_cell_message(node->shard, &view, node->shard->id,
                                   buffer_slice(&world->paths[path]), &messages[i]),
                "message");
        slices[i] = buffer_slice(&messages[i]);
    }
    buffer_init(&merged, BYTES_MAX);
    if (told_count > 0) {
        struct knowledge know;
        struct chunk chunk;
        struct cell cell;

        hold_ok(cell_messages_merge(slices, told_count, &merged), "merge");
        hold_ok(chunk_decode(buffer_slice(&merged), CHUNK_CELL, &chunk), "merge");
        cell_init(&cell);
        hold_ok(cell_decode(chunk.cells[0].bytes, &cell), "merge");
        know = chunk_knowledge(&chunk, &chunk.cells[0]);
        hold(oracle_explains(&world->oracle, path, &know, &cell), "path %u: a read is wrong", path);
        read_mend(world, told, told_count, path, &cell, buffer_slice(&merged));
        cell_done(&cell);
        chunk_done(&chunk);
    }
    for (unsigned i = 0; i < told_count; i++)
        buffer_done(&messages[i]);
    buffer_done(&merged);
}

/* ---- repair ---- */

static void repair_one_way(struct world *world, struct node *to, struct node *from)
{
    struct view view = node_view(from);
    struct buffer page;
    struct chunk chunk = {0};
    bool ends = false;
    int error = 0;

    buffer_init(&page, BYTES_MAX);
    buffer_clear(&world->scratch);
    while (!ends) {
        enum taken taken;

        hold_ok(shard_compare_page(from->shard, &view, buffer_slice(&world->scratch),
                                   world->finishing ? BYTES_MAX / 2 : 1 + world_pick(world, 300),
                                   &page),
                "page");
        hold_ok(chunk_decode(buffer_slice(&page), CHUNK_PAGE, &chunk), "page");
        ends = chunk.to_end;
        hold_ok(buffer_set(&world->scratch, chunk.to), "page");
        chunk_done(&chunk);
        attempt(world, to, error,
                shard_repair_take(to->shard, to->batch, buffer_slice(&page), &taken));
        node_commit(to);
        node_after_take(world, to, error);
        if (error)
            break;
        hold(taken == TAKEN || taken == TAKEN_NOTHING, "repair was refused");
        world->progress |= taken == TAKEN;
    }
    buffer_done(&page);
}

static bool world_equal(struct world *world, unsigned path)
{
    struct slot first, other;
    bool equal = true;

    node_slot(world, &world->nodes[0], path, &first);
    for (unsigned i = 1; i < world->nodes_count && equal; i++) {
        struct view view = node_view(&world->nodes[i]);

        hold_ok(slot_load(world->nodes[i].shard, &view, world_shard(),
                          buffer_slice(&world->paths[path]), &world->read_b, &other),
                "load");
        equal = cell_same_dots(&first.cell, &other.cell);
        slot_done(&other);
    }
    slot_done(&first);
    return equal;
}

/* Between equal contexts, both ways. */
void world_repair(struct world *world, struct node *a, struct node *b)
{
    if (a == b || !context_equal(&a->shard->context, &b->shard->context) ||
        a->shard->session.id != 0 || b->shard->session.id != 0 || !shard_released(a->shard) ||
        !shard_released(b->shard))
        return;
    repair_one_way(world, a, b);
    if (context_equal(&a->shard->context, &b->shard->context))
        repair_one_way(world, b, a);
    for (unsigned path = 0; path < PATHS; path++) {
        if (world->damaged[path] && world_equal(world, path))
            world->damaged[path] = false;
    }
}
