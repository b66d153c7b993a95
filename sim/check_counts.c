/* What a node knows of how many there are is how many there are. Every map and set of the world is
 * counted when its node begins, or as soon as something is written there, and from then on the
 * numbers are held against passes over the cells: after every 64th commit, when a process has
 * begun, which may have read numbers from its disk, and at rest. What a disk has lost without a
 * word is counted on, until a scrub. Likewise the indexes of score sets. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "crdt/path.h"
#include "sim/find.h"
#include "sim/losses.h"
#include "store/ranking.h"
#include "store/tally.h"

/* ---- how many there are ---- */

/* The bytes of a path below `size` of it that name one thing. */
static size_t child_end(struct slice path, size_t size)
{
    struct path_cursor walk;
    struct path_level level;
    struct slice element;
    size_t end;
    bool fields = type_below(path.data[size - 1]) == BELOW_FIELDS;
    path_cursor_init(&walk, slice_of(path.data + size, path.size - size));
    walk.last = (enum neap_type)path.data[size - 1];
    must(fields ? !path_cursor_level(&walk, &level) : !path_cursor_element(&walk, &element));
    end = path.size - walk.left.size;
    path_cursor_done(&walk);
    return end;
}

static uint64_t counted(struct sim_node *node, uint64_t shard, struct slice collection)
{
    struct view view = {.disk = node->disk};
    struct slice key, value;
    struct key from, end, last = {.size = 0};
    struct scan *scan;
    struct cell cell;
    uint64_t count = 0, ref;
    key_shard_prefix(&from, shard);
    memcpy(from.bytes + from.size, collection.data, collection.size);
    from.size += collection.size;
    key_end(&from, &end);
    must(!view_scan(&view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan));
    cell_init(&cell);
    while (scan_next(scan, &key, &value) == 0) {
        struct slice path = slice_of(key.data + 8, key.size - 8);
        must(!cell_stored(value, &ref, &cell));
        size_t size = child_end(path, collection.size);
        enum neap_type type;
        must(!path_check(key_cell_path(key), &type));
        if (!type_is_live(type, &cell) || slice_equal(slice_of(path.data, size), key_slice(&last)))
            continue;
        count++;
        last.size = size;
        memcpy(last.bytes, path.data, size);
    }
    cell_done(&cell);
    scan_close(scan);
    return count;
}

static bool counts_match(struct sim_node *node, struct why why)
{
    const struct store *store = &node->wheel.engine.store;
    for (size_t i = 0; i < store->shards_count; i++) {
        const struct shard *shard = store->shards[i];
        struct slice name;
        uint64_t count;
        for (size_t n = 0; tally_nth(shard, n, &name, &count); n++) {
            uint64_t found = counted(node, shard->id, name);
            char text[64];
            if (found == count)
                continue;
            path_text(slice_of(name.data + 8, name.size - 8), text, sizeof text);
            return differs(why, "%s: %s/%s has %" PRIu64 ", and %" PRIu64 " are counted",
                           node->name, shard->name, text, found, count);
        }
    }
    return true;
}

/* ---- indexes ---- */

static size_t entries_of(struct sim_node *node)
{
    struct view view = {.disk = node->disk};
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    size_t count = 0;
    key_meta(&from, 'X');
    key_end(&from, &end);
    must(!view_scan(&view, DISK_META, key_slice(&from), key_slice(&end), &scan));
    while (scan_next(scan, &key, &value) == 0)
        count++;
    scan_close(scan);
    return count;
}

/* Has a cell with a score its entry? */
static bool has_entry(struct sim_node *node, struct slice key, int64_t score)
{
    struct view view = {.disk = node->disk};
    const struct slice path = key_cell_path(key);
    struct path_cursor walk;
    struct path_level level;
    struct buffer nothing;
    struct key entry;
    path_cursor_init(&walk, path);
    while (walk.last != NEAP_SCORES)
        must(!path_cursor_level(&walk, &level));
    key_ranking(&entry, bytes_get_u64(key.data), key_cell_bucket(key),
                slice_of(path.data, path.size - walk.left.size), score, walk.left);
    path_cursor_done(&walk);
    buffer_init(&nothing, 1);
    bool has = !view_get(&view, DISK_META, key_slice(&entry), &nothing);
    buffer_done(&nothing);
    return has;
}

/* Each member has the entry of its score, and there are no others. */
static bool indexes_match(struct sim_node *node, struct why why)
{
    struct scan *scan = scan_of(node, DISK_CELLS);
    struct slice key, value;
    struct cell cell;
    size_t members = 0;
    bool fine = true;
    cell_init(&cell);
    while (fine && scan_next(scan, &key, &value) == 0) {
        enum neap_type type;
        uint64_t ref;
        int64_t score;
        must(!path_check(key_cell_path(key), &type));
        if (type != NEAP_SCORES)
            continue;
        must(!cell_stored(value, &ref, &cell));
        if (score_value(&cell, &score))
            continue;
        members++;
        fine = has_entry(node, key, score);
    }
    cell_done(&cell);
    scan_close(scan);
    if (!fine)
        return differs(why, "%s: a member is not in the index with its score", node->name);
    size_t entries = entries_of(node);
    return entries == members || differs(why, "%s: %zu entries of an index for %zu members",
                                         node->name, entries, members);
}

/* ---- counting ---- */

/* All collections that a cell is in. True: some have to be counted. */
static bool begin_above(struct sim_node *node, struct batch *batch, struct slice key)
{
    struct shard *shard = store_find(&node->wheel.engine.store, bytes_get_u64(key.data));
    const struct slice path = key_cell_path(key);
    struct path_cursor walk;
    struct path_level level;
    bool begun = false;
    uint64_t count;
    path_cursor_init(&walk, path);
    while (shard && !path_cursor_level(&walk, &level)) {
        struct slice name = slice_of(key.data + 8, 8 + path.size - walk.left.size);
        if (!walk.left.size || tally_get(shard, name, &count) != NEAP_NOTFOUND)
            continue;
        begun |= !tally_begin(shard, batch, name);
    }
    path_cursor_done(&walk);
    return begun;
}

/* As if nobody did it: reads that are to fail do so later. */
static void count_all(struct sim_node *node, struct batch *batch)
{
    const struct store *store = &node->wheel.engine.store;
    const struct disk_order order = node->door.read;
    node->door.read.active = false;
    for (size_t i = 0; i < store->shards_count; i++) {
        while (tally_is_due(store->shards[i]) && !tally_step(store->shards[i], batch, 3)) {
        }
    }
    node->door.read = order;
}

struct putting {
    struct sim_node *node;
    bool begun;
};

static int put_each(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                    struct slice value)
{
    struct putting *putting = arg;
    (void)value;
    if (kind == BATCH_PUT && family == DISK_CELLS)
        putting->begun |= begin_above(putting->node, putting->node->wheel.batch, key);
    return 0;
}

/* ---- the checker ---- */

static void look(struct world *world, struct losses *state, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    char text[200];
    losses_note(state, node);
    struct why why = {text, sizeof text};
    bool right = counts_match(node, why) && (state->any || indexes_match(node, why));
    losses_judge(state, node, right, "counts", text);
}

static void commit(struct world *world, void *arg, size_t index, const struct batch *batch,
                   bool sync)
{
    struct losses *state = arg;
    struct putting putting = {.node = &world->nodes[index]};
    (void)sync;
    losses_note(state, putting.node);
    if (batch != putting.node->wheel.batch)
        return;
    must(!batch_each(batch, put_each, &putting));
    if (putting.begun)
        count_all(putting.node, putting.node->wheel.batch);
}

static void committed(struct world *world, void *arg, size_t index, bool sync, int error)
{
    struct losses *state = arg;
    (void)sync;
    if (losses_is_due(state, &world->nodes[index], error))
        look(world, state, index);
}

/* What this takes of memory is not what the world is short of: the same allocation fails. */
static void started(struct world *world, void *arg, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    struct scan *scan = scan_of(node, DISK_CELLS);
    uint64_t calls = mem_calls();
    struct slice key, value;
    bool begun = false;
    struct batch *batch; /* with nothing that has to be written */
    must(!batch_new(node->disk, &batch));
    look(world, arg, index);
    while (scan_next(scan, &key, &value) == 0)
        begun |= begin_above(node, batch, key);
    scan_close(scan);
    if (begun)
        count_all(node, batch);
    batch_free(batch);
    if (world->starve_at > calls)
        world->starve_at += mem_calls() - calls;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    const struct losses *checks = state;
    struct why why = {ret_why, size};
    for (size_t i = 0; i < world->nodes_count; i++) {
        /* An entry of what was lost without a word may stay. */
        if (!counts_match(&world->nodes[i], why) ||
            (!checks->any && !indexes_match(&world->nodes[i], why)))
            return false;
    }
    return true;
}

const struct checker check_counts = {
    .name = "counts",
    .promise = "what is kept of how many are in a map or a set is how many are there",
    .begin = losses_begin,
    .end = mem_free,
    .commit = commit,
    .committed = committed,
    .started = started,
    .replaced = losses_replaced,
    .holds = holds};
