#include "sim/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { TABLE_ROOM_MIN = 64, PRUNE_MIN = 8 };

/* ---- arrays and tables ---- */

/* Room for one more, of whatever type; a world does not run out of memory here. */
#define RESERVE(array, count, room)                                               \
    do {                                                                          \
        if ((count) == (room)) {                                                  \
            (array) = mem_reserve((array), (count), &(room), 1, sizeof *(array)); \
            must(array);                                                          \
        }                                                                         \
    } while (0)

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

uint64_t oracle_hash(struct slice bytes)
{
    uint64_t hash = bytes.size;
    while (bytes.size >= 8) {
        hash = mix(hash, bytes_get_u64(bytes.data));
        bytes = slice_of(bytes.data + 8, bytes.size - 8);
    }
    for (size_t i = 0; i < bytes.size; i++)
        hash = mix(hash, bytes.data[i]);
    return hash;
}

static uint64_t name_hash(uint32_t shard, uint64_t id, uint32_t nonce)
{
    return mix(mix(id, nonce), shard);
}

/* The slot from which on an item of this hash is looked for. */
static size_t table_at(const struct oracle_table *table, uint64_t hash)
{
    return (size_t)(hash >> 7) & (table->room - 1);
}

static void table_put(struct oracle_table *table, uint64_t hash, uint32_t item)
{
    size_t at = table_at(table, hash);
    while (table->slots[at] != ORACLE_NONE)
        at = (at + 1) & (table->room - 1);
    table->slots[at] = item;
}

/* Twice as large and empty, when it is half full. */
static bool table_grows(struct oracle_table *table)
{
    if (++table->count * 2 <= table->room)
        return false;
    mem_free(table->slots);
    table->room = table->room ? table->room * 2 : TABLE_ROOM_MIN;
    table->slots = mem_new_array(table->room, sizeof *table->slots);
    must(table->slots);
    memset(table->slots, 0xff, table->room * sizeof *table->slots);
    return true;
}

/* ---- the whole ---- */

struct oracle *oracle_new(void)
{
    struct oracle *oracle = mem_new(sizeof *oracle);
    must(oracle);
    oracle->commit = 1;
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    if (!oracle)
        return;
    for (size_t i = 0; i < oracle->openings_count; i++)
        mem_free(oracle->openings[i].events);
    for (size_t i = 0; i < oracle->paths_count; i++) {
        mem_free((void *)(uintptr_t)oracle->paths[i].key.data);
        mem_free(oracle->paths[i].events);
    }
    for (size_t i = 0; i < oracle->shards_count; i++) {
        for (size_t node = 0; node < NODES_MAX; node++) {
            context_done(&oracle->shards[i].replicas[node].known);
            context_done(&oracle->shards[i].replicas[node].synced);
            context_done(&oracle->shards[i].replicas[node].dropped);
        }
        mem_free(oracle->shards[i].paths);
    }
    mem_free(oracle->events);
    mem_free(oracle->edges);
    mem_free(oracle->openings);
    mem_free(oracle->paths);
    mem_free(oracle->shards);
    mem_free(oracle->openings_by_name.slots);
    mem_free(oracle->paths_by_key.slots);
    mem_free(oracle);
}

uint32_t oracle_shard(struct oracle *oracle, uint64_t id)
{
    for (size_t i = 0; i < oracle->shards_count; i++) {
        if (oracle->shards[i].id == id)
            return (uint32_t)i;
    }
    RESERVE(oracle->shards, oracle->shards_count, oracle->shards_room);
    struct oracle_shard *shard = &oracle->shards[oracle->shards_count];
    *shard = (struct oracle_shard){.id = id};
    for (size_t node = 0; node < NODES_MAX; node++)
        shard->replicas[node].openings = ORACLE_NONE;
    return (uint32_t)oracle->shards_count++;
}

/* ---- paths ---- */

static void paths_rehash(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->paths_count; i++)
        table_put(&oracle->paths_by_key, oracle_hash(oracle->paths[i].key), (uint32_t)i);
}

uint32_t oracle_path(struct oracle *oracle, uint32_t shard, struct slice key)
{
    struct oracle_table *table = &oracle->paths_by_key;
    uint64_t hash = oracle_hash(key);
    for (size_t at = table->room ? table_at(table, hash) : 0;
         table->room && table->slots[at] != ORACLE_NONE; at = (at + 1) & (table->room - 1)) {
        if (slice_equal(oracle->paths[table->slots[at]].key, key))
            return table->slots[at];
    }
    RESERVE(oracle->paths, oracle->paths_count, oracle->paths_room);
    uint8_t *copy = mem_new(key.size);
    must(copy);
    memcpy(copy, key.data, key.size);
    uint32_t number = (uint32_t)oracle->paths_count++;
    oracle->paths[number] = (struct oracle_path){
        .shard = shard, .key = slice_of(copy, key.size), .prune_at = PRUNE_MIN};
    if (table_grows(table))
        paths_rehash(oracle);
    else
        table_put(table, hash, number);
    struct oracle_shard *of = &oracle->shards[shard];
    RESERVE(of->paths, of->paths_count, of->paths_room);
    of->paths[of->paths_count++] = number;
    return number;
}

/* ---- openings ---- */

static void openings_rehash(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->openings_count; i++) {
        const struct oracle_opening *opening = &oracle->openings[i];
        table_put(&oracle->openings_by_name, name_hash(opening->shard, opening->id, opening->nonce),
                  (uint32_t)i);
    }
}

uint32_t oracle_opening(const struct oracle *oracle, uint32_t shard, uint64_t id, uint32_t nonce)
{
    const struct oracle_table *table = &oracle->openings_by_name;
    if (table->room == 0)
        return ORACLE_NONE;
    for (size_t at = table_at(table, name_hash(shard, id, nonce)); table->slots[at] != ORACLE_NONE;
         at = (at + 1) & (table->room - 1)) {
        const struct oracle_opening *opening = &oracle->openings[table->slots[at]];
        if (opening->id == id && opening->nonce == nonce && opening->shard == shard)
            return table->slots[at];
    }
    return ORACLE_NONE;
}

uint32_t oracle_open(struct oracle *oracle, uint32_t shard, size_t node, uint64_t id,
                     uint32_t nonce, struct context_entry before)
{
    struct oracle_replica *replica = &oracle->shards[shard].replicas[node];
    RESERVE(oracle->openings, oracle->openings_count, oracle->openings_room);
    uint32_t number = (uint32_t)oracle->openings_count++;
    oracle->openings[number] = (struct oracle_opening){
        .shard = shard,
        .id = id,
        .nonce = nonce,
        .since = before.n,
        .before = before.n ? oracle_opening(oracle, shard, id, before.nonce) : ORACLE_NONE,
        .node = node,
        .era = oracle->eras[node],
        .next = replica->openings};
    replica->openings = number;
    if (table_grows(&oracle->openings_by_name))
        openings_rehash(oracle);
    else
        table_put(&oracle->openings_by_name, name_hash(shard, id, nonce), number);
    return number;
}

/* Of the openings that lead to `from`, the one that made event n of the id. */
static uint32_t opening_of(const struct oracle *oracle, uint32_t from, uint64_t n)
{
    while (from != ORACLE_NONE && n <= oracle->openings[from].since)
        from = oracle->openings[from].before;
    return from;
}

uint32_t oracle_resolve(const struct oracle *oracle, uint32_t shard,
                        const struct context_entry *entry, uint64_t n)
{
    uint32_t number = opening_of(oracle, oracle_opening(oracle, shard, entry->id, entry->nonce), n);
    if (number == ORACLE_NONE || n > entry->n)
        return ORACLE_NONE;
    const struct oracle_opening *opening = &oracle->openings[number];
    uint64_t at = n - opening->since - 1;
    return at < opening->valid ? opening->events[at] : ORACLE_NONE;
}

bool oracle_entry_is_wrong(const struct oracle *oracle, uint32_t shard,
                           const struct context_entry *entry)
{
    uint64_t top = entry->n;
    uint32_t at = oracle_opening(oracle, shard, entry->id, entry->nonce);
    while (top > 0) {
        at = opening_of(oracle, at, top);
        if (at == ORACLE_NONE || top - oracle->openings[at].since > oracle->openings[at].valid)
            return true;
        top = oracle->openings[at].since;
    }
    return false;
}

bool oracle_entry_is_durable(const struct oracle *oracle, uint32_t shard,
                             const struct context_entry *entry)
{
    uint64_t top = entry->n;
    uint32_t at = oracle_opening(oracle, shard, entry->id, entry->nonce);
    while (top > 0) {
        at = opening_of(oracle, at, top);
        if (at == ORACLE_NONE || top - oracle->openings[at].since > oracle->openings[at].durable)
            return false;
        top = oracle->openings[at].since;
    }
    return true;
}

/* ---- events ---- */

void oracle_list(struct oracle *oracle, uint32_t number)
{
    struct oracle_event *event = &oracle->events[number];
    struct oracle_path *path = &oracle->paths[event->path];
    if (event->listed)
        return;
    event->listed = true;
    RESERVE(path->events, path->count, path->room);
    path->events[path->count++] = number;
}

uint32_t oracle_make(struct oracle *oracle, uint32_t number, uint32_t path_number)
{
    struct oracle_opening *opening = &oracle->openings[number];
    RESERVE(oracle->events, oracle->events_count, oracle->events_room);
    uint32_t event = (uint32_t)oracle->events_count++;
    oracle->events[event] = (struct oracle_event){.n = opening->since + opening->count + 1,
                                                  .opening = number,
                                                  .path = path_number,
                                                  .commit = oracle->commit,
                                                  .gone = ORACLE_NONE,
                                                  .next_fresh = ORACLE_NONE};
    RESERVE(opening->events, opening->count, opening->room);
    opening->events[opening->count++] = event;
    opening->valid = opening->count;
    if (path_number == ORACLE_NONE) {
        struct oracle_shard *shard = &oracle->shards[opening->shard];
        if (shard->blind_commit != oracle->commit)
            shard->blind_first = event;
        shard->blind_last = event;
        shard->blind_commit = oracle->commit;
        return event;
    }
    struct oracle_path *path = &oracle->paths[path_number];
    if (path->fresh_commit == oracle->commit)
        oracle->events[event].next_fresh = path->fresh;
    path->fresh = event;
    path->fresh_commit = oracle->commit;
    return event;
}

void oracle_forget(struct oracle *oracle, uint32_t number)
{
    oracle->openings[number].count = oracle->openings[number].valid;
}

bool oracle_is_valid(const struct oracle *oracle, uint32_t number)
{
    const struct oracle_event *event = &oracle->events[number];
    const struct oracle_opening *opening = &oracle->openings[event->opening];
    uint64_t at = event->n - opening->since - 1;
    return at < opening->valid && opening->events[at] == number;
}

/* The entry of the id with the higher n, of the two parts of a knowledge. */
const struct context_entry *oracle_entry(const struct knowledge *know, uint64_t id)
{
    const struct context_entry *a = know->context ? context_find(know->context, id) : NULL;
    const struct context_entry *b = know->residue ? context_find(know->residue, id) : NULL;
    if (a && b)
        return a->n >= b->n ? a : b;
    return a ? a : b;
}

bool oracle_covers(const struct oracle *oracle, uint32_t shard, const struct knowledge *know,
                   uint32_t number)
{
    const struct oracle_event *event = &oracle->events[number];
    const struct oracle_opening *opening = &oracle->openings[event->opening];
    const struct context_entry *entry = oracle_entry(know, opening->id);
    if (!entry || event->n > entry->n)
        return false;
    return entry->nonce == opening->nonce ||
           opening_of(oracle, oracle_opening(oracle, shard, entry->id, entry->nonce), event->n) ==
               event->opening;
}

void oracle_event_text(const struct oracle *oracle, uint32_t number, char *ret_text, size_t size)
{
    const struct oracle_event *event = &oracle->events[number];
    const struct oracle_opening *opening = &oracle->openings[event->opening];
    snprintf(ret_text, size, "%04x:%" PRIu64 "/%04x", (unsigned)(opening->id >> 48), event->n,
             (unsigned)opening->nonce & 0xffff);
}

/* ---- what was lost, what is durable ---- */

/* How many events of the opening are in the history that the context knows. */
static size_t opening_known(const struct oracle *oracle, uint32_t number,
                            const struct context *context)
{
    const struct oracle_opening *opening = &oracle->openings[number];
    const struct context_entry *entry = context_find(context, opening->id);
    uint64_t top = entry ? entry->n : 0;
    uint32_t at =
        entry ? oracle_opening(oracle, opening->shard, entry->id, entry->nonce) : ORACLE_NONE;
    while (at != ORACLE_NONE && at != number) {
        top = oracle->openings[at].since < top ? oracle->openings[at].since : top;
        at = oracle->openings[at].before;
    }
    if (at == ORACLE_NONE || top <= opening->since)
        return 0;
    uint64_t known = top - opening->since;
    return known < opening->count ? (size_t)known : opening->count;
}

bool oracle_revalidate(struct oracle *oracle, uint32_t shard, size_t node,
                       const struct context *context)
{
    bool lost = false;
    for (uint32_t at = oracle->shards[shard].replicas[node].openings; at != ORACLE_NONE;
         at = oracle->openings[at].next) {
        struct oracle_opening *opening = &oracle->openings[at];
        if (opening->era != oracle->eras[node])
            continue; /* in a directory that is gone: they stay what they were */
        size_t known = opening_known(oracle, at, context);
        lost |= known < opening->valid;
        for (size_t i = opening->valid; i < known; i++) {
            if (oracle->events[opening->events[i]].adds)
                oracle_list(oracle, opening->events[i]);
        }
        opening->valid = known;
        opening->durable = opening->durable < known ? opening->durable : known;
    }
    return lost;
}

void oracle_synced(struct oracle *oracle, uint32_t shard, size_t node)
{
    struct oracle_replica *replica = &oracle->shards[shard].replicas[node];
    if (!replica->dirty)
        return;
    replica->dirty = false;
    must(context_copy(&replica->synced, &replica->known) == 0);
    for (uint32_t at = replica->openings; at != ORACLE_NONE; at = oracle->openings[at].next) {
        if (oracle->openings[at].era == oracle->eras[node])
            oracle->openings[at].durable = oracle->openings[at].valid;
    }
}
