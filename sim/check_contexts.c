/* Contexts never claim an event whose effect is missing: after each commit of a node every cell
 * that it changed, or about which its node knows more than before, is what the events that it knows
 * leave. Whatever is not looked at is as it was. All cells are looked at when a process begins, and
 * at rest. What is caught, too: what was removed comes back, a counter goes back or has gaps, a
 * context goes back, somebody knows of what a crash took. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/oracle.h"
#include "store/hole.h"

struct state {
    struct world *world;
    struct oracle *oracle;
    uint32_t *marked; /* paths to look at */
    size_t marked_count, marked_room;
    uint32_t shards[64]; /* of this commit */
    size_t shards_count;
    struct buffer bytes; /* of a cell */
    struct cell cell;
};

/* A commit of a node on its way, or its state when `batch` is NULL. */
struct look {
    struct state *state;
    struct sim_node *node;
    const struct batch *batch;
};

static void *begin(struct world *world)
{
    struct state *state = mem_new(sizeof *state);
    must(state);
    state->world = world;
    state->oracle = world->oracle;
    buffer_init(&state->bytes, STORED_SIZE_MAX);
    cell_init(&state->cell);
    return state;
}

static void end(void *memory)
{
    struct state *state = memory;
    mem_free(state->marked);
    buffer_done(&state->bytes);
    cell_done(&state->cell);
    mem_free(state);
}

static bool is_off(struct state *state)
{
    state->oracle->blind |= state->world->garbles || state->world->failed[0];
    return state->oracle->blind;
}

static struct shard *shard_of(const struct look *look, uint32_t shard)
{
    return store_find(&look->node->wheel.engine.store, look->state->oracle->shards[shard].id);
}

static struct oracle_replica *replica_of(const struct look *look, uint32_t shard)
{
    return &look->state->oracle->shards[shard].replicas[look->node->index];
}

static void look_fails(const struct look *look, uint32_t shard, const char *what)
{
    const struct shard *of = shard_of(look, shard);
    world_fail(look->state->world, "contexts: %s, %s: %s", look->node->name, of ? of->name : "?",
               what);
}

static void mark_path(struct state *state, uint32_t path)
{
    struct oracle *oracle = state->oracle;
    if (oracle->paths[path].marked == oracle->commit)
        return;
    oracle->paths[path].marked = oracle->commit;
    if (state->marked_count == state->marked_room) {
        state->marked = mem_reserve(state->marked, state->marked_count, &state->marked_room, 1,
                                    sizeof *state->marked);
        must(state->marked);
    }
    state->marked[state->marked_count++] = path;
}

static uint32_t mark_shard(struct state *state, uint64_t id)
{
    uint32_t shard = oracle_shard(state->oracle, id);
    for (size_t i = 0; i < state->shards_count; i++) {
        if (state->shards[i] == shard)
            return shard;
    }
    must(state->shards_count < sizeof state->shards / sizeof *state->shards);
    state->shards[state->shards_count++] = shard;
    return shard;
}

/* ---- what a batch says ---- */

static void fails_at(const struct look *look, uint32_t shard, struct dot dot, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "%04x:%" PRIu64 " %s", (unsigned)(dot.id >> 48), dot.n, what);
    look_fails(look, shard, text);
}

static uint32_t event_nonce(const struct oracle *oracle, uint32_t event)
{
    return oracle->openings[oracle->events[event].opening].nonce;
}

/* The cell of an event that had another name, if it had: this node has re-dotted what was beyond
 * some event of its former id. */
static uint32_t renamed_path(const struct look *look, uint32_t shard, struct dot dot,
                             uint32_t nonce)
{
    const struct oracle *oracle = look->state->oracle;
    const struct oracle_replica *replica = replica_of(look, shard);
    const struct shard *of = shard_of(look, shard);
    const struct context_entry *old = context_find(&replica->known, replica->own);
    if (!old || of->replica == replica->own)
        return ORACLE_NONE;
    const struct context_entry *now = context_find(&of->context, old->id);
    uint64_t top = !now ? 0 : now->n < old->n ? now->n : old->n;
    while (top > 0 &&
           oracle_resolve(oracle, shard, now, top) != oracle_resolve(oracle, shard, old, top))
        top--;
    uint32_t event;
    do {
        event = oracle_resolve(oracle, shard, old, ++top); /* the first that this opening made */
    } while (event != ORACLE_NONE && event_nonce(oracle, event) != nonce);
    event = oracle_resolve(oracle, shard, old, top + dot.n - 1);
    return event == ORACLE_NONE ? ORACLE_NONE : oracle->events[event].path;
}

/* An event whose log entry was cut by the commit that made it. */
static void hidden_event(const struct look *look, uint32_t shard, uint32_t opening)
{
    struct oracle *oracle = look->state->oracle;
    const struct oracle_opening *of = &oracle->openings[opening];
    uint32_t path =
        renamed_path(look, shard, (struct dot){of->id, of->since + of->count + 1}, of->nonce);
    (void)oracle_make(oracle, opening, path);
    if (path != ORACLE_NONE)
        mark_path(look->state, path);
}

/* An event that this node made in this opening. */
static void own_event(const struct look *look, uint32_t shard, struct dot dot, uint32_t nonce,
                      uint32_t path)
{
    struct oracle *oracle = look->state->oracle;
    uint32_t opening = oracle_opening(oracle, shard, dot.id, nonce);
    if (opening == ORACLE_NONE)
        opening = oracle_open(oracle, shard, look->node->index, dot.id, nonce,
                              (struct context_entry){.id = dot.id});
    const struct oracle_opening *of = &oracle->openings[opening];
    if (of->valid != of->count || dot.n <= of->since + of->count) {
        fails_at(look, shard, dot, "is made twice");
        return;
    }
    while (dot.n > oracle->openings[opening].since + oracle->openings[opening].count + 1)
        hidden_event(look, shard, opening);
    (void)oracle_make(oracle, opening, path);
}

/* An event of an opening before this one gets another name: the same as the last time, if that was
 * undone. */
static uint32_t renamed_event(const struct look *look, uint32_t shard, struct dot dot,
                              uint32_t nonce, uint32_t path)
{
    struct oracle *oracle = look->state->oracle;
    struct context_entry name = {.id = dot.id, .n = dot.n, .nonce = nonce};
    uint32_t opening = oracle_opening(oracle, shard, dot.id, nonce);
    if (shard_of(look, shard)->replica == replica_of(look, shard)->own)
        return ORACLE_NONE;
    if (opening != ORACLE_NONE && oracle->openings[opening].node == look->node->index)
        oracle_forget(oracle, opening);
    own_event(look, shard, dot, nonce, path);
    mark_path(look->state, path);
    return oracle_resolve(oracle, shard, &name, dot.n);
}

/* Made in this opening; or got back, where the node had let go of the shard since. */
static bool is_new(const struct look *look, uint32_t shard, const struct log_entry *entry)
{
    const struct context *dropped = &replica_of(look, shard)->dropped;
    return entry->nonce == look->node->wheel.engine.store.identity.nonce &&
           context_get(dropped, entry->dot.id) < entry->dot.n;
}

static void see_log(const struct look *look, struct slice key, struct slice value)
{
    struct state *state = look->state;
    struct oracle *oracle = state->oracle;
    struct log_entry entry;
    struct key cell;
    must(log_entry_read(key, value, &entry) == 0);
    uint32_t shard = mark_shard(state, bytes_get_u64(key.data));
    key_cell(&cell, oracle->shards[shard].id, entry.bucket, entry.path);
    uint32_t path = oracle_path(oracle, shard, key_slice(&cell));
    if (is_new(look, shard, &entry)) {
        own_event(look, shard, entry.dot, entry.nonce, path);
        mark_path(state, path);
        return;
    }
    struct context_entry name = {.id = entry.dot.id, .n = entry.dot.n, .nonce = entry.nonce};
    uint32_t event = oracle_resolve(oracle, shard, &name, name.n);
    if (event == ORACLE_NONE)
        event = renamed_event(look, shard, entry.dot, entry.nonce, path);
    if (event == ORACLE_NONE)
        fails_at(look, shard, entry.dot, "is in the log, and nobody has made it");
    else if (oracle->events[event].path != path && oracle->events[event].path != ORACLE_NONE)
        fails_at(look, shard, entry.dot, "is in the log with another cell");
}

static void see_range(const struct look *look, struct slice from, struct slice to)
{
    const struct oracle *oracle = look->state->oracle;
    for (size_t i = 0; i < oracle->paths_count; i++) {
        if (slice_compare(oracle->paths[i].key, from) >= 0 &&
            slice_compare(oracle->paths[i].key, to) < 0)
            mark_path(look->state, (uint32_t)i);
    }
}

/* A hole becomes smaller: what was in it is claimed from now on, but for what nobody else knew. */
static void see_hole(const struct look *look, struct slice key)
{
    struct oracle *oracle = look->state->oracle;
    struct disk *disk = look->node->disk;
    uint64_t id = key_shard_of(key);
    struct hole hole;
    if (disk->ops->get(disk, NULL, DISK_META, key, &look->state->bytes))
        return; /* it is a new one, the rest of another */
    must(hole_read(key, buffer_slice(&look->state->bytes), &hole) == 0);
    for (uint32_t i = 0; i < oracle->paths_count; i++) {
        struct slice path = oracle->paths[i].key;
        if (bytes_get_u64(path.data) != id ||
            !hole_has(&hole, slice_of(path.data + 8, path.size - 8)) ||
            sim_in_hole(look->node, path))
            continue;
        oracle_lose(oracle, i, look->node->index);
        mark_path(look->state, i);
    }
    hole_done(&hole);
}

/* The shard goes from this directory, with all that was known of it there: what was told of its
 * events stays true. */
static void see_drop(const struct look *look, uint64_t id)
{
    struct oracle *oracle = look->state->oracle;
    uint32_t shard = mark_shard(look->state, id);
    struct oracle_replica *replica = replica_of(look, shard);
    replica->present = replica->dirty = false;
    replica->own = 0;
    must(context_join(&replica->dropped, &replica->known) == 0);
    context_clear(&replica->known);
    context_clear(&replica->synced);
    for (uint32_t i = 0; i < oracle->openings_count; i++) {
        struct oracle_opening *opening = &oracle->openings[i];
        if (opening->shard == shard && opening->node == look->node->index)
            opening->era = UINT32_MAX;
        if (opening->era == UINT32_MAX) /* others have them */
            opening->durable = opening->valid;
    }
}

/* batch_visit */
static int see(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
               struct slice value)
{
    const struct look *look = arg;
    struct state *state = look->state;
    if (family == DISK_META && kind != BATCH_RANGE && key_hole_is(key))
        see_hole(look, key);
    else if (family == DISK_LOG && kind == BATCH_PUT)
        see_log(look, key, value);
    else if (family == DISK_META && kind == BATCH_RANGE && key.data[0] == 'B')
        see_drop(look, bytes_get_u64(key.data + 1));
    else if (family == DISK_CELLS && kind == BATCH_RANGE)
        see_range(look, key, value);
    else if (family == DISK_CELLS)
        mark_path(state,
                  oracle_path(state->oracle, mark_shard(state, bytes_get_u64(key.data)), key));
    else if (family == DISK_META && key.data[0] == 'S')
        mark_shard(state, key_shard_of(key));
    return 0;
}

/* ---- what a context says ---- */

/* Whoever knows of an event knows what it did. */
static void mark_events(const struct look *look, uint32_t shard, const struct context_entry *entry,
                        uint64_t from)
{
    const struct oracle *oracle = look->state->oracle;
    for (uint64_t n = entry->n; n > from; n--) {
        uint32_t event = oracle_resolve(oracle, shard, entry, n);
        if (event == ORACLE_NONE) {
            fails_at(look, shard, (struct dot){entry->id, n}, "is known, and no event any more");
            return;
        }
        if (oracle->events[event].path != ORACLE_NONE)
            mark_path(look->state, oracle->events[event].path);
    }
}

/* Own events whose log entries were all cut. */
static void blind_events(const struct look *look, uint32_t shard, const struct context_entry *entry)
{
    struct oracle *oracle = look->state->oracle;
    const struct shard *of = shard_of(look, shard);
    uint32_t opening = oracle_opening(oracle, shard, entry->id, entry->nonce);
    bool renamed = of->replica != replica_of(look, shard)->own &&
                   (opening == ORACLE_NONE || oracle->openings[opening].node == look->node->index);
    if (context_get(&of->horizon, entry->id) < entry->n || (entry->nonce != of->nonce && !renamed))
        return;
    if (opening == ORACLE_NONE)
        opening = oracle_open(oracle, shard, look->node->index, entry->id, entry->nonce,
                              (struct context_entry){.id = entry->id});
    if (renamed)
        oracle_forget(oracle, opening);
    while (entry->n > oracle->openings[opening].since + oracle->openings[opening].count)
        hidden_event(look, shard, opening);
}

static bool is_own(const struct look *look, uint32_t shard, const struct context_entry *entry)
{
    const struct oracle *oracle = look->state->oracle;
    uint32_t opening = oracle_opening(oracle, shard, entry->id, entry->nonce);
    return opening != ORACLE_NONE && oracle->openings[opening].node == look->node->index;
}

/* Is what was known of an id still known, as part of the same history? */
static bool goes_on(const struct look *look, uint32_t shard, const struct context_entry *old,
                    const struct context_entry *now)
{
    const struct oracle *oracle = look->state->oracle;
    return now && now->n >= old->n &&
           (now->nonce == old->nonce || oracle_resolve(oracle, shard, now, old->n) ==
                                            oracle_resolve(oracle, shard, old, old->n));
}

/* Events that were told must not have gone with a crash, or have got other names. */
static void lost_events(const struct look *look, uint32_t shard)
{
    const struct oracle *oracle = look->state->oracle;
    for (size_t node = 0; node < look->state->world->nodes_count; node++) {
        const struct oracle_replica *replica = &oracle->shards[shard].replicas[node];
        for (size_t i = 0; replica->present && i < replica->known.count; i++) {
            const struct context_entry *entry = &replica->known.entries[i];
            if (node == look->node->index || !oracle_entry_is_wrong(oracle, shard, entry))
                continue;
            fails_at(look, shard, (struct dot){entry->id, entry->n},
                     "was told before it was durable, or renamed");
        }
    }
}

/* Own ids can go back by re-dotting (rule 9): then those events have other names. */
static void context_moves(const struct look *look, uint32_t shard)
{
    struct oracle *oracle = look->state->oracle;
    const struct shard *of = shard_of(look, shard);
    const struct context *known = &replica_of(look, shard)->known;
    size_t at = 0, at_known = 0;
    bool back = false;
    for (size_t i = 0; i < known->count; i++) {
        const struct context_entry *old = &known->entries[i];
        if (goes_on(look, shard, old, context_next(&of->context, &at, old->id)))
            continue;
        back = true;
        if (!is_own(look, shard, old))
            fails_at(look, shard, (struct dot){old->id, old->n}, "was known, and is no longer");
    }
    for (size_t i = 0; i < of->context.count; i++) {
        const struct context_entry *now = &of->context.entries[i];
        const struct context_entry *old = context_next(known, &at_known, now->id);
        if (old && old->n == now->n && old->nonce == now->nonce)
            continue;
        blind_events(look, shard, now);
        mark_events(look, shard, now, old && goes_on(look, shard, old, now) ? old->n : 0);
    }
    if (back && oracle_revalidate(oracle, shard, look->node->index, &of->context))
        lost_events(look, shard);
}

/* ---- cells ---- */

static void cell_fails(const struct look *look, uint32_t path, const char *what)
{
    char text[400], place[200];
    const struct oracle_path *of = &look->state->oracle->paths[path];
    path_text(key_cell_path(of->key), place, sizeof place);
    snprintf(text, sizeof text, "%s: %s", place, what);
    look_fails(look, of->shard, text);
    if (look->state->world->options.print)
        oracle_dump(look->state->oracle, path);
}

/* The cell is gone from the disk; or this node was told by one where it is: nothing that anybody
 * wrote can have taken it away, as callers leave it alone until it is back. */
static bool is_lost(const struct look *look, uint32_t path)
{
    struct slice key = look->state->oracle->paths[path].key;
    struct world *world = look->state->world;
    bool spreads = false;
    if (disk_lacks(&look->node->door, key))
        return true;
    for (size_t i = 0; i < world->nodes_count; i++)
        spreads |= disk_lacks(&world->nodes[i].door, key);
    return spreads && disk_lose_too(&look->node->door, key);
}

/* The cell as stored is judged. An empty value: there is none. */
static bool look_at_cell(const struct look *look, uint32_t path, struct slice value)
{
    struct state *state = look->state;
    struct oracle *oracle = state->oracle;
    const struct shard *shard = shard_of(look, oracle->paths[path].shard);
    char text[200] = "";
    struct why why = {text, sizeof text};
    const struct residue *residue = NULL;
    uint64_t ref = 0;
    bool fine = true;
    if (sim_in_hole(look->node, oracle->paths[path].key))
        return true;
    cell_clear(&state->cell);
    if (!shard)
        fine = value.size == 0 || differs(why, "there is no such bucket");
    else if (value.size > 0 && cell_stored(value, &ref, &state->cell))
        fine = differs(why, "what is stored is no cell");
    else
        residue = residue_find(shard, ref);
    if (fine && value.size > 0 && state->cell.count == 0 && !residue)
        fine = differs(why, "an empty cell is kept");
    struct knowledge know = {.context = shard ? &shard->context : NULL,
                             .residue = residue ? &residue->context : NULL};
    if (fine && shard)
        fine =
            oracle_explains(oracle, path, &know,
                            &replica_of(look, oracle->paths[path].shard)->known, &state->cell, why);
    if (!fine && state->cell.count == 0 && shard && is_lost(look, path))
        return true;
    if (!fine)
        cell_fails(look, path, text);
    return fine;
}

static bool look_at_path(const struct look *look, uint32_t path)
{
    struct state *state = look->state;
    struct slice key = state->oracle->paths[path].key, value = {0};
    enum batch_kind kind =
        look->batch ? batch_find(look->batch, DISK_CELLS, key, &value) : BATCH_NONE;
    if (kind == BATCH_NONE &&
        look->node->disk->ops->get(look->node->disk, NULL, DISK_CELLS, key, &state->bytes) == 0)
        value = buffer_slice(&state->bytes);
    else if (kind != BATCH_PUT)
        value = slice_of(NULL, 0);
    return look_at_cell(look, path, value);
}

/* All cells, and all that should be there. */
static bool look_at_all(const struct look *look)
{
    struct state *state = look->state;
    struct oracle *oracle = state->oracle;
    struct scan *scan = scan_of(look->node, DISK_CELLS);
    struct slice key, value;
    bool fine = true;
    while (fine && scan_next(scan, &key, &value) == 0) {
        uint32_t path = oracle_path(oracle, oracle_shard(oracle, bytes_get_u64(key.data)), key);
        oracle->paths[path].marked = oracle->commit;
        fine = look_at_cell(look, path, value);
    }
    scan_close(scan);
    for (size_t i = 0; fine && i < oracle->paths_count; i++) {
        if (oracle->paths[i].marked != oracle->commit && oracle->paths[i].count > 0)
            fine = look_at_cell(look, (uint32_t)i, slice_of(NULL, 0));
    }
    return fine;
}

/* ---- what happens ---- */

static void commit(struct world *world, void *memory, size_t index, const struct batch *batch,
                   bool sync)
{
    struct state *state = memory;
    struct oracle *oracle = state->oracle;
    struct look look = {.state = state, .node = &world->nodes[index], .batch = batch};
    (void)sync;
    if (is_off(state) || !look.node->up)
        return; /* a directory that is being opened: nothing but its identity */
    oracle->commit++;
    state->marked_count = state->shards_count = 0;
    (void)batch_each(batch, see, &look);
    for (size_t i = 0; i < state->shards_count && !world->failed[0]; i++) {
        if (shard_of(&look, state->shards[i]))
            context_moves(&look, state->shards[i]);
    }
    for (size_t i = 0; i < state->marked_count && !world->failed[0]; i++)
        (void)look_at_path(&look, state->marked[i]);
    for (size_t i = 0; i < state->shards_count; i++) {
        struct oracle_replica *replica = replica_of(&look, state->shards[i]);
        const struct shard *shard = shard_of(&look, state->shards[i]);
        if (!shard)
            continue;
        replica->present = replica->dirty = true;
        replica->own = shard->replica;
        must(context_copy(&replica->known, &shard->context) == 0);
    }
}

static void committed(struct world *world, void *memory, size_t index, bool sync, int error)
{
    struct state *state = memory;
    if (!world->nodes[index].up)
        return; /* an opening: what is there is looked at when it has begun */
    for (size_t i = 0; sync && !error && i < state->oracle->shards_count; i++)
        oracle_synced(state->oracle, (uint32_t)i, index);
}

/* A damaged directory was read from a disk: what is left of it was durable. And removals that only
 * its log told of may have left their marks. */
static void suspected(struct oracle *oracle, size_t index)
{
    for (uint32_t i = 0; i < oracle->openings_count; i++) {
        struct oracle_opening *opening = &oracle->openings[i];
        if (opening->node == index && opening->era == oracle->eras[index])
            opening->durable = opening->valid;
    }
    for (uint32_t i = 0; i < oracle->paths_count; i++)
        oracle_lose(oracle, i, index);
    oracle_doubt(oracle, index);
}

static void replaced(struct world *world, void *memory, size_t index)
{
    struct state *state = memory;
    struct oracle *oracle = state->oracle;
    if (world->nodes[index].door.suspect)
        suspected(oracle, index);
    oracle->eras[index]++;
    for (size_t i = 0; i < oracle->shards_count; i++) {
        struct oracle_replica *replica = &oracle->shards[i].replicas[index];
        replica->present = replica->dirty = false;
        context_clear(&replica->known);
        context_clear(&replica->synced);
    }
}

/* What a process finds is no less than what was synced, and no more than what was committed. Of own
 * ids the log says how far they went, and a re-dotting may have been undone. */
static void start_bounds(const struct look *look, uint32_t shard, const struct context *found)
{
    const struct oracle_replica *replica = replica_of(look, shard);
    for (size_t i = 0; i < replica->synced.count; i++) {
        const struct context_entry *entry = &replica->synced.entries[i];
        if (!is_own(look, shard, entry) && context_get(found, entry->id) < entry->n)
            fails_at(look, shard, (struct dot){entry->id, entry->n}, "was synced, and is unknown");
    }
    for (size_t i = 0; i < found->count; i++) {
        const struct context_entry *entry = &found->entries[i];
        if (!is_own(look, shard, entry) && context_get(&replica->known, entry->id) < entry->n)
            fails_at(look, shard, (struct dot){entry->id, entry->n}, "is known since a crash");
    }
}

/* The cell of an event that is in the log; NONE: it is not, or of another opening. */
static uint32_t logged_path(const struct look *look, uint32_t shard,
                            const struct context_entry *entry, uint64_t n)
{
    struct state *state = look->state;
    struct disk *disk = look->node->disk;
    struct log_entry logged;
    struct key key;
    key_log(&key, state->oracle->shards[shard].id, (struct dot){entry->id, n});
    if (disk->ops->get(disk, NULL, DISK_LOG, key_slice(&key), &state->bytes) ||
        log_entry_read(key_slice(&key), buffer_slice(&state->bytes), &logged) ||
        logged.nonce != entry->nonce)
        return ORACLE_NONE;
    key_cell(&key, state->oracle->shards[shard].id, logged.bucket, logged.path);
    return oracle_path(state->oracle, shard, key_slice(&key));
}

/* A new life gives names to what the one before had left unconfirmed, at an opening; maybe at one
 * that failed after that. */
static void events_of_openings(const struct look *look, uint32_t number,
                               const struct context *found)
{
    struct oracle *oracle = look->state->oracle;
    for (size_t i = 0; i < found->count; i++) {
        const struct context_entry *entry = &found->entries[i];
        if (oracle_opening(oracle, number, entry->id, entry->nonce) != ORACLE_NONE ||
            logged_path(look, number, entry, 1) == ORACLE_NONE)
            continue;
        uint32_t opening = oracle_open(oracle, number, look->node->index, entry->id, entry->nonce,
                                       (struct context_entry){.id = entry->id});
        for (uint64_t n = 1; n <= entry->n; n++)
            (void)oracle_make(oracle, opening, logged_path(look, number, entry, n));
    }
}

static void start_shard(const struct look *look, uint32_t number)
{
    static const struct context nothing;
    struct oracle *oracle = look->state->oracle;
    struct oracle_replica *replica = replica_of(look, number);
    const struct shard *shard = shard_of(look, number);
    const struct context *found = shard ? &shard->context : &nothing;
    if (replica->present && !shard && replica->synced.count > 0)
        look_fails(look, number, "the bucket is gone");
    events_of_openings(look, number, found);
    if (replica->present)
        start_bounds(look, number, found);
    if (oracle_revalidate(oracle, number, look->node->index, found))
        lost_events(look, number);
    replica->present = replica->dirty = shard != NULL;
    must(context_copy(&replica->known, found) == 0);
    if (shard) {
        const struct context_entry *own = context_find(found, shard->replica);
        replica->own = shard->replica;
        if (!own || own->nonce != shard->nonce)
            (void)oracle_open(oracle, number, look->node->index, shard->replica, shard->nonce,
                              own ? *own : (struct context_entry){.id = shard->replica});
    }
    if (disk_mem_unsynced(look->node->disk) == 0)
        oracle_synced(oracle, number, look->node->index);
    for (size_t i = 0; i < found->count; i++) {
        if (oracle_entry_is_wrong(oracle, number, &found->entries[i]))
            fails_at(look, number, (struct dot){found->entries[i].id, found->entries[i].n},
                     "is known at a start, and no event any more");
    }
}

static void started(struct world *world, void *memory, size_t index)
{
    struct state *state = memory;
    struct look look = {.state = state, .node = &world->nodes[index]};
    const struct store *store = &look.node->wheel.engine.store;
    if (is_off(state))
        return;
    state->oracle->commit++;
    for (size_t i = 0; i < store->shards_count; i++)
        (void)oracle_shard(state->oracle, store->shards[i]->id);
    for (size_t i = 0; i < state->oracle->shards_count; i++)
        start_shard(&look, (uint32_t)i);
    (void)look_at_all(&look);
}

static bool holds(struct world *world, void *memory, char *ret_why, size_t size)
{
    struct state *state = memory;
    if (is_off(state))
        return true;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct look look = {.state = state, .node = &world->nodes[i]};
        state->oracle->commit++;
        if (!look_at_all(&look)) {
            snprintf(ret_why, size, "%s", world->failed);
            return false;
        }
    }
    return true;
}

const struct checker check_contexts = {
    .name = "contexts",
    .promise = "a context never claims an event whose effect is missing",
    .begin = begin,
    .end = end,
    .commit = commit,
    .committed = committed,
    .started = started,
    .replaced = replaced,
    .holds = holds};
