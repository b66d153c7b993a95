/* What goes wrong, and how it must end. */
#include "tests/property/world.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/slot.h"

/* ---- images of a directory ---- */

void world_save_image(struct world *world, const struct node *node)
{
    struct image image = {.node = node->number, .life = node->life};

    hold_ok(disk_mem_copy(node->bare, &image.disk), "image");
    room_grow(&world->images, world->images_count, &world->images_room, sizeof *world->images);
    world->images[world->images_count++] = image;
}

static void image_remove(struct world *world, size_t index)
{
    disk_close(world->images[index].disk);
    memmove(world->images + index, world->images + index + 1,
            (--world->images_count - index) * sizeof *world->images);
}

/* The node's directory becomes a copy of the image. */
static void node_put_image(struct node *node, const struct image *image)
{
    struct disk *disk;

    hold_ok(disk_mem_copy(image->disk, &disk), "image");
    node_set_disk(node, disk);
}

/* ---- crash ---- */

static void fault_crash(struct world *world, struct node *node)
{
    world_stop(world, node->number);
    hold_ok(disk_mem_crash(node->bare), "crash");
    node_set_disk(node, node->bare);
    node_open(world, node);
    oracle_forget(&world->oracle, node->shard->replica,
                  context_get(&node->shard->context, node->shard->replica));
}

/* ---- lives ---- */

/* Are there events that only this replica has? They would be lost with it: not this step. */
static bool lost_matters(const struct world *world, const struct node *node)
{
    const struct context *context = &node->shard->context;

    for (size_t i = 0; i < context->count; i++) {
        bool known = false;

        for (unsigned k = 0; k < world->nodes_count && !known; k++) {
            const struct node *other = &world->nodes[k];

            known = other != node && !other->gone &&
                    context_get(&other->shard->context, context->entries[i].id) >=
                        context->entries[i].n;
        }
        if (!known)
            return true;
    }
    return false;
}

/* A backup, made here or elsewhere, is put here: a new life. */
static void fault_restore(struct world *world, struct node *node)
{
    const struct image *image = &world->images[world_pick(world, world->images_count)];

    if (lost_matters(world, node))
        return;
    node_put_image(node, image);
    node->life = world_broken("same-id-after-restore") ? image->life : world_id(world);
    node_open(world, node);
    node_sync(world, node);
}

/* Dropped and subscribed again, once the others have all that it has. */
static void fault_rejoin(struct world *world, struct node *node)
{
    uint64_t own = node->shard->replica, id = world_id(world);
    int error;

    for (unsigned i = 0; i < world->nodes_count; i++) {
        const struct node *other = &world->nodes[i];

        if (!other->gone &&
            context_get(&other->shard->context, own) < context_get(&node->shard->context, own))
            return;
    }
    if (lost_matters(world, node))
        return;
    if (world_broken("same-id-after-rejoin"))
        id = own;
    attempt(world, node, error, shard_reset(node->shard, node->batch, id));
    hold_ok(error, "reset");
    oracle_birth(&world->oracle, id, node->shard->nonce, 0, 0);
    node_commit(node);
    node_outbox_clear(node);
    node->pushed = context_get(&node->shard->context, id);
    node_sync(world, node);
}

static void fault_lives(struct world *world, struct node *node)
{
    unsigned alive[NODES_MAX], x = world_pick(world, 100);

    world_stop(world, node->number);
    node_sync(world, node);
    if (x < 30)
        world_save_image(world, node);
    else if (x < 60 && world->images_count > 0)
        fault_restore(world, node);
    else if (x < 80)
        fault_rejoin(world, node);
    else if (x < 90 && world->nodes_count < 7)
        world_node_new(world);
    else if (world_alive(world, alive) > 2 && !lost_matters(world, node))
        node->gone = true;
}

/* ---- damage ---- */

static bool can_damage(struct world *world, struct node *node, unsigned path)
{
    for (unsigned i = 0; i < PATHS; i++) {
        if (world->damaged[i])
            return false;
    }
    for (unsigned i = 0; i < world->nodes_count; i++) {
        struct node *other = &world->nodes[i];
        struct slot slot;
        bool settled;

        if (other->gone)
            continue;
        node_slot(world, other, path, &slot);
        settled = !slot.residue && slot.cell.count > 0;
        slot_done(&slot);
        if (!settled || other->shard->session.id != 0 ||
            !context_equal(&other->shard->context, &node->shard->context))
            return false;
    }
    return true;
}

/* Loses a dot that every replica holds, behind the shard's back. */
static void fault_damage(struct world *world, struct node *node)
{
    unsigned path = world_pick(world, PATHS);
    struct cell rest;
    struct slot slot;
    size_t lost;

    if (!can_damage(world, node, path))
        return;
    node_sync(world, node);
    node_slot(world, node, path, &slot);
    cell_init(&rest);
    lost = world_pick(world, slot.cell.count);
    for (size_t i = 0; i < slot.cell.count; i++) {
        if (i != lost)
            hold_ok(cell_add(&rest, slot.cell.entries[i].dot, slot.cell.entries[i].payload),
                    "damage");
    }
    hold_ok(slot_store(node->shard, node->batch, &slot, &rest, 0, &world->scratch), "damage");
    node_commit(node);
    cell_done(&rest);
    slot_done(&slot);
    world->damaged[path] = true;
}

void world_fault(struct world *world, struct node *node)
{
    if (world->profile == PROFILE_CRASH)
        fault_crash(world, node);
    else if (world->profile == PROFILE_LIVES)
        fault_lives(world, node);
    else if (world->profile == PROFILE_DAMAGE)
        fault_damage(world, node);
}

/* ---- rollbacks ---- */

/* Has the directory unreleased events, some of which the world has been told? */
static bool image_is_suspect(struct world *world, const struct image *image)
{
    struct view view = {.disk = image->disk};
    struct shard *shard = NULL;
    bool suspect = false;

    hold_ok(shard_load(&view, world_shard(), image->life, 0, &shard), "image");
    for (size_t i = 0; i < world->told_count && !suspect; i++) {
        struct key3 told = world->told[i];
        uint32_t nonce = 0;

        if (told.dot.id != shard->replica || told.dot.n <= shard->opened_at ||
            told.dot.n > context_get(&shard->context, shard->replica))
            continue;
        for (size_t k = 0; k < shard->openings_count; k++) {
            if (shard->openings[k].since < told.dot.n)
                nonce = shard->openings[k].nonce;
        }
        suspect = nonce == told.nonce;
    }
    shard_free(shard);
    return suspect;
}

static bool somebody_covers(struct world *world, const struct event *event, bool with_residue)
{
    bool covered = false;

    for (unsigned i = 0; i < world->nodes_count && !covered; i++) {
        struct knowledge know = {.context = &world->nodes[i].shard->context};
        struct slot slot;

        node_slot(world, &world->nodes[i], event->path, &slot);
        if (with_residue)
            know = node_knowledge(&world->nodes[i], &slot);
        covered = oracle_covers(&world->oracle, &know, event);
        slot_done(&slot);
    }
    return covered;
}

static void orphan_add(struct world *world, uint64_t id)
{
    room_grow(&world->orphans, world->orphans_count, &world->orphans_room, sizeof *world->orphans);
    world->orphans[world->orphans_count++] = id;
}

/* What the node knew before it was put back: bits per event, 1 its cells, 2 its context. */
static uint8_t *known_before(struct world *world, struct node *node)
{
    uint8_t *known = mem_new_array(world->oracle.events_count, 1);

    must(known);
    for (unsigned path = 0; path < PATHS; path++) {
        struct knowledge know, context = {.context = &node->shard->context};
        struct slot slot;

        node_slot(world, node, path, &slot);
        know = node_knowledge(node, &slot);
        for (size_t i = 0; i < world->oracle.paths_count[path]; i++) {
            size_t number = world->oracle.paths[path][i];
            const struct event *event = &world->oracle.events[number];

            known[number] = (uint8_t)(oracle_covers(&world->oracle, &know, event) |
                                      oracle_covers(&world->oracle, &context, event) << 1);
        }
        slot_done(&slot);
    }
    return known;
}

static bool wire_is_to(struct world *world, const struct wire *item, const void *arg)
{
    (void)world;
    return item->to == *(const unsigned *)arg;
}

/* The process ends; its directory is as in the image, or as it was synced last. */
void node_reopen(struct world *world, struct node *node, const struct image *image)
{
    uint8_t *known = known_before(world, node);
    size_t count = world->oracle.events_count;

    world_stop(world, node->number);
    if (image)
        node_put_image(node, image);
    else
        hold_ok(disk_mem_crash(node->bare), "crash");
    if (!image)
        node_set_disk(node, node->bare);
    node_open(world, node);
    node_sync(world, node);
    for (size_t i = 0; i < count; i++) {
        struct event *event = &world->oracle.events[i];

        if ((known[i] & 1) && !somebody_covers(world, event, true))
            event->at_risk = true;
        if ((known[i] & 2) && !somebody_covers(world, event, false))
            orphan_add(world, event->dot.id);
    }
    mem_free(known);
    world_drop_wire(world, wire_is_to, &node->number);
    for (unsigned i = 0; i < world->nodes_count; i++) {
        if (!world_broken("stale-confirm"))
            world->nodes[i].confirmed &= ~(1u << node->number);
    }
}

/* The image of that rank among the node's own; SIZE_MAX: none. */
static size_t image_pick(struct world *world, const struct node *node)
{
    size_t mine[256], count = 0;

    for (size_t i = 0; i < world->images_count && count < 256; i++) {
        if (world->images[i].node == node->number)
            mine[count++] = i;
    }
    return count == 0 ? SIZE_MAX : mine[world_pick(world, count)];
}

static void rollback_to(struct world *world, struct node *node, size_t index)
{
    if (index == SIZE_MAX)
        return;
    if (image_is_suspect(world, &world->images[index]) && !world_broken("suspect-snapshot"))
        return;
    /* Later images are of a future that has been left. */
    for (size_t i = world->images_count; i-- > index + 1;) {
        if (world->hello && world->images[i].node == node->number &&
            !world_broken("abandoned-future"))
            image_remove(world, i);
    }
    node_reopen(world, node, &world->images[index]);
}

static void link_lost(struct world *world, struct node *node, struct node *peer)
{
    shard_promise_forget(node->shard, peer->number + 1);
    node->confirmed &= ~(1u << peer->number);
    world_drop_dead(world, node->number, NODES_MAX);
}

void world_rollback(struct world *world, struct node *node, struct node *peer)
{
    unsigned x = world_pick(world, 100);

    if (x < 30) {
        world_save_image(world, node);
    } else if (x < 60) {
        rollback_to(world, node, image_pick(world, node));
    } else if (x < 80) {
        node_reopen(world, node, NULL);
    } else if (x < 95) {
        link_lost(world, node, peer);
        link_lost(world, peer, node);
    } else if (world->nodes_count < 6) {
        world_node_new(world);
    }
}

/* ---- the end ---- */

static bool is_orphan(const struct world *world, uint64_t id)
{
    for (size_t i = 0; i < world->orphans_count; i++) {
        if (world->orphans[i] == id)
            return true;
    }
    return false;
}

static void finish_exchange(struct world *world)
{
    for (unsigned a = 0; a < world->nodes_count; a++) {
        for (unsigned b = 0; b < world->nodes_count; b++) {
            if (a != b && !world->nodes[a].gone && !world->nodes[b].gone)
                node_pull_all(world, &world->nodes[a], &world->nodes[b]);
        }
    }
    for (unsigned a = 0; a < world->nodes_count; a++) {
        for (unsigned b = 0; b < world->nodes_count; b++) {
            /* Where nothing can be wrong, now and then: it must change nothing. */
            if (a != b && !world->nodes[a].gone && !world->nodes[b].gone &&
                (world->rollbacks || world->profile == PROFILE_DAMAGE || world_chance(world, 0.1)))
                world_repair(world, &world->nodes[a], &world->nodes[b]);
        }
    }
}

static size_t family_count(const struct node *node, enum disk_family family, char kind)
{
    struct view view = node_view(node);
    struct slice key, value;
    struct scan *scan;
    size_t count = 0;
    int error;

    hold_ok(view_scan(&view, family, slice_of(NULL, 0), slice_of(NULL, 0), &scan), "scan");
    while (!(error = scan_next(scan, &key, &value)))
        count += kind == 0 || (char)key.data[0] == kind;
    hold(error == NEAP_END, "scan: %s", error_name(error));
    scan_close(scan);
    return count;
}

/* Nothing that is not a cell is left on disk, and what memory says is what the disk says. */
static void finish_node(struct world *world, struct node *node, const struct context *known)
{
    struct shard *shard = node->shard;
    struct context read = {0};
    struct view view = node_view(node);
    bool orphans = false;

    hold(context_equal(&shard->context, known), "node %u: contexts differ at the end",
         node->number);
    for (size_t i = 0; i < shard->residues_count; i++) {
        for (size_t k = 0; k < shard->residues[i].context.count; k++) {
            hold(is_orphan(world, shard->residues[i].context.entries[k].id),
                 "node %u: a residue is left", node->number);
            orphans = true;
        }
    }
    world_check(world, node);
    hold_ok(shard_context_read(&view, shard->id, &read), "context");
    hold(context_equal(&read, &shard->context), "node %u: the disk has another context",
         node->number);
    context_done(&read);
    hold_ok(shard_truncate(shard, node->batch, known), "truncate");
    node_commit(node);
    hold(shard_log_count(shard) == 0 && family_count(node, DISK_LOG, 0) == 0,
         "node %u: log entries are left", node->number);
    hold(orphans ||
             (family_count(node, DISK_META, 'R') == 0 && family_count(node, DISK_META, 'U') == 0),
         "node %u: residues are left on disk", node->number);
}

/* Byte equality of cells, which is what converged means. */
static void finish_equal(struct world *world, struct node *first, struct node *node)
{
    static const struct hash_key hash_key;
    struct shard_summary a, b;
    struct view view_a = node_view(first), view_b = node_view(node);

    hold_ok(shard_summary(&view_a, first->shard, &hash_key, &a), "summary");
    hold_ok(shard_summary(&view_b, node->shard, &hash_key, &b), "summary");
    hold(digest_equal(a.digest, b.digest) && a.cells == b.cells && a.keys == b.keys,
         "nodes %u and %u: cells differ at the end", first->number, node->number);
    if (world->orphans_count == 0)
        hold(family_count(node, DISK_CELLS, 0) == b.cells, "node %u: empty cells are left",
             node->number);
}

static void finish_events(struct world *world, struct node *node)
{
    for (unsigned path = 0; path < PATHS; path++) {
        struct knowledge know;
        struct slot slot;
        int64_t value = 0;
        int error;

        node_slot(world, node, path, &slot);
        know = node_knowledge(node, &slot);
        for (size_t i = 0; i < world->oracle.paths_count[path]; i++) {
            const struct event *event = &world->oracle.events[world->oracle.paths[path][i]];

            hold(event->forgotten || event->at_risk || oracle_covers(&world->oracle, &know, event),
                 "node %u, path %u: an event was lost", node->number, path);
        }
        if (path >= COUNTERS_FROM) {
            error = counter_value(&slot.cell, &value);
            hold(!error || error == NEAP_NOTFOUND, "counter: %s", error_name(error));
            hold(value == oracle_sum(&world->oracle, path, &know),
                 "node %u, path %u: counts %lld, not %lld", node->number, path, (long long)value,
                 (long long)oracle_sum(&world->oracle, path, &know));
        }
        slot_done(&slot);
    }
}

void world_finish(struct world *world)
{
    unsigned alive[NODES_MAX], count;
    struct context known = {0};

    for (unsigned i = 0; i < world->nodes_count; i++)
        world_stop(world, i);
    world->finishing = true;
    world->progress = true;
    for (unsigned round = 0; round < (world->rollbacks ? 12u : 6u) && world->progress; round++) {
        world->progress = false;
        /* What is under way may save an event that nobody else has any more. */
        for (size_t i = 0; world->rollbacks && i < world->wire_count; i++)
            world_deliver_copy(world, i);
        finish_exchange(world);
    }
    while (world->wire_count > 0)
        world_deliver(world, 0); /* late: changes nothing */
    memset(world->damaged, 0, sizeof world->damaged);
    for (unsigned i = 0; i < world->nodes_count; i++)
        world->nodes[i].checked = false;
    count = world_alive(world, alive);
    for (unsigned i = 0; i < count; i++)
        hold_ok(context_join(&known, &world->nodes[alive[i]].shard->context), "join");
    for (unsigned i = 0; i < count; i++)
        finish_node(world, &world->nodes[alive[i]], &known);
    context_done(&known);
    for (unsigned i = 0; i < count; i++) {
        finish_equal(world, &world->nodes[alive[0]], &world->nodes[alive[i]]);
        finish_events(world, &world->nodes[alive[i]]);
    }
}
