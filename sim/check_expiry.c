/* Values that expire: what a node has hidden it never shows again; nobody removes what has not
 * expired for who wrote it or for all; and who wrote it does remove it. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "crdt/expiry.h"
#include "engine/read.h"
#include "sim/check.h"
#include "sim/escrow.h"
#include "sim/load.h"
#include "store/keys.h"
#include "store/slot.h"

enum { REMOVAL_MS = 2000 };

struct expiry_check {
    uint64_t mark[NODES_MAX]; /* the highest that its directory has used */
    uint64_t
        clock[NODES_MAX]; /* the highest that a node's clock has shown, whatever became of it */
};

static void *begin(struct world *world)
{
    struct expiry_check *check = mem_new(sizeof *check);
    (void)world;
    must(check);
    return check;
}

static void end(void *state)
{
    mem_free(state);
}

static void replaced(struct world *world, void *state, size_t node)
{
    struct expiry_check *check = state;
    (void)world;
    check->mark[node] = 0;
}

/* What a caller of the node would read, who comes now: 0, or an error. */
static int node_shows(const struct sim_node *node, struct slice path, struct buffer *bytes,
                      struct cell *ret_cell)
{
    struct read read = {.bucket = EXPIRY_BUCKET,
                        .path = path,
                        .hide_ms = atomic_load(&node->wheel.engine.store.expiry.mark)};
    int code;
    token_init(&read.token);
    code = read_cell(node->disk, &read, bytes);
    token_done(&read.token);
    return code ? code : cell_decode(buffer_slice(bytes), ret_cell);
}

/* What is shown has not expired, by the highest mark that there was. */
static void place_look(struct world *world, size_t node, uint64_t mark, enum neap_type type,
                       const struct buffer *path)
{
    struct buffer bytes;
    struct cell cell;
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    if (node_shows(&world->nodes[node], buffer_slice(path), &bytes, &cell) == 0) {
        uint64_t expires = cell_expires(type, &cell);
        if (expires && expires <= mark) {
            char text[64];
            path_text(buffer_slice(path), text, sizeof text);
            world_fail(world,
                       "expiry: %s shows %s, which it has hidden: gone at %llu, and it was "
                       "%llu there",
                       world->nodes[node].name, text, (unsigned long long)expires,
                       (unsigned long long)mark);
        }
    }
    cell_done(&cell);
    buffer_done(&bytes);
}

static bool all_are_past(const struct world *world, const struct expiry_check *check,
                         uint64_t expires)
{
    for (size_t i = 0; i < world->nodes_count; i++)
        if (check->clock[i] < expires)
            return false;
    return true;
}

/* Is it in the cell that this node has? -1: that can't be read. */
static int parcel_is_there(struct world *world, size_t node, struct parcel *parcel)
{
    uint8_t place[NEAP_PATH_MAX];
    struct buffer path = {place, 0, sizeof place, sizeof place}, bytes;
    const struct view view = {.disk = world->nodes[node].disk};
    uint64_t shard = bucket_id(EXPIRY_BUCKET);
    struct cell cell;
    parcel_path(parcel->serial, &path);
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    int code = cell_read(&view, shard, shard, buffer_slice(&path), &bytes, &cell);
    int found = code ? -1 : cell.count > 0;
    if (found == 1) {
        parcel->dot = cell.entries[0].dot;
        parcel->expires = cell_expires(NEAP_SET, &cell);
    }
    cell_done(&cell);
    buffer_done(&bytes);
    return found;
}

/* Or did this node lose that it was ever told, with a commit that was not synced? */
static bool parcel_is_known(struct world *world, size_t node, const struct parcel *parcel)
{
    const struct shard *shard = sim_shard(world, node, EXPIRY_BUCKET);
    return shard && context_get(&shard->context, parcel->dot.id) >= parcel->dot.n;
}

static void parcel_look(struct world *world, struct expiry_check *check, struct parcel *parcel)
{
    for (size_t i = 0; i < world->nodes_count; i++) {
        int there = world->nodes[i].up ? parcel_is_there(world, i, parcel) : -1;
        if (there == 1)
            parcel->was[i] = true;
        if (there != 0 || !parcel->was[i])
            continue;
        if (world->nodes[parcel->node].up && parcel_is_known(world, i, parcel) &&
            check->clock[parcel->node] < parcel->expires &&
            !all_are_past(world, check, parcel->expires))
            world_fail(world,
                       "expiry: p%llu is gone from %s before it has expired for %s, who "
                       "wrote it, or for all",
                       (unsigned long long)parcel->serial, world->nodes[i].name,
                       world->nodes[parcel->node].name);
        parcel->was[i] = false;
    }
}

static void step(struct world *world, void *state)
{
    struct expiry_check *check = state;
    struct escrow *escrow = load_escrow(world->load);
    uint8_t place[NEAP_PATH_MAX];
    struct buffer path = {place, 0, sizeof place, sizeof place};
    if (!escrow || world->garbles)
        return;
    for (size_t i = 0; i < world->nodes_count; i++) {
        const struct expiry *expiry = &world->nodes[i].wheel.engine.store.expiry;
        if (!world->nodes[i].up)
            continue;
        uint64_t mark = atomic_load(&expiry->mark);
        if (mark > check->mark[i])
            check->mark[i] = mark;
        if (expiry->clock > check->clock[i])
            check->clock[i] = expiry->clock;
        for (unsigned letter = 0; letter < LETTERS; letter++) {
            letter_path(letter, &path);
            place_look(world, i, check->mark[i], NEAP_LWW, &path);
        }
    }
    bool lost = escrow_is_lost(world, EXPIRY_BUCKET);
    for (size_t i = 0; i < PARCELS && !lost; i++)
        if (escrow->parcels[i].serial)
            parcel_look(world, check, &escrow->parcels[i]);
    for (size_t i = 0; i < world->nodes_count; i++) {
        for (size_t k = 0; k < PARCELS && world->nodes[i].up; k++) {
            if (!escrow->parcels[k].was[i])
                continue;
            parcel_path(escrow->parcels[k].serial, &path);
            place_look(world, i, check->mark[i], NEAP_SET, &path);
        }
    }
}

/* Whoever made it, under the id that it has now, has removed it. */
static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct escrow *escrow = load_escrow(world->load);
    (void)state;
    for (size_t i = 0; i < PARCELS && escrow; i++) {
        struct parcel *parcel = &escrow->parcels[i];
        if (!parcel->serial || parcel_is_there(world, 0, parcel) != 1)
            continue;
        for (size_t k = 0; k < world->nodes_count; k++) {
            const struct shard *shard = sim_shard(world, k, EXPIRY_BUCKET);
            const struct expiry *expiry = &world->nodes[k].wheel.engine.store.expiry;
            if (!shard || shard->replica != parcel->dot.id ||
                expiry->clock < parcel->expires + REMOVAL_MS)
                continue;
            snprintf(ret_why, size, "p%llu has expired at %s and is still there",
                     (unsigned long long)parcel->serial, world->nodes[k].name);
            return false;
        }
    }
    return true;
}

const struct checker check_expiry = {
    .name = "expiry",
    .promise = "what has expired never comes back, and goes when it is time",
    .begin = begin,
    .end = end,
    .replaced = replaced,
    .step = step,
    .holds = holds};
