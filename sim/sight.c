#include "sim/sight.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

void sights_done(struct sights *sights)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        for (size_t j = 0; j < WORKLOAD_BUCKETS; j++)
            mem_free(sights->tracks[i][j].entries);
    }
}

size_t bucket_number(const char *bucket)
{
    size_t number = (size_t)strtoul(bucket + 1, NULL, 10);
    must(number < WORKLOAD_BUCKETS);
    return number;
}

void sights_begin(struct world *world, size_t node, const char *bucket,
                  struct sight_entry *ret_entry)
{
    const struct shard *shard = sim_shard(world, node, bucket);
    *ret_entry = (struct sight_entry){.epoch = world->nodes[node].epoch};
    if (!shard)
        return;
    ret_entry->id = shard->replica;
    ret_entry->n_begun = context_get(&shard->context, shard->replica);
}

void sights_end(struct sights *sights, struct world *world, size_t node, const char *bucket,
                const struct sight_entry *begun, uint64_t moment_begun, uint64_t moment_ended)
{
    const struct shard *shard = sim_shard(world, node, bucket);
    struct sight_track *track = &sights->tracks[node][bucket_number(bucket)];
    struct sight_entry entry = *begun;
    /* When names change meanwhile, nobody knows which name it has. */
    if (!shard || !begun->id || shard->replica != begun->id)
        return;
    entry.n_ended = context_get(&shard->context, shard->replica);
    entry.begun = moment_begun;
    entry.ended = moment_ended;
    struct sight_entry *entries =
        mem_reserve(track->entries, track->count, &track->room, 1, sizeof *entries);
    must(entries);
    track->entries = entries;
    const struct sight_entry *last = track->count ? &entries[track->count - 1] : NULL;
    bool goes_on = last && last->id == entry.id && last->epoch == entry.epoch &&
                   last->n_begun <= entry.n_begun && last->n_ended <= entry.n_ended &&
                   last->begun < entry.begun;
    entry.segment = goes_on ? last->segment : track->count;
    entries[track->count++] = entry;
}

/* How many entries of the segment that begins at `from` end by n. */
static size_t entries_until(const struct sight_track *track, size_t from, size_t to, uint64_t n)
{
    size_t low = from, high = to;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (track->entries[middle].n_ended <= n)
            low = middle + 1;
        else
            high = middle;
    }
    return low - from;
}

static void until_of(const struct sight_track *track, const struct context *context,
                     const struct context *also, uint64_t *since, uint64_t *until)
{
    size_t end = track->count;
    while (end > 0) {
        size_t first = track->entries[end - 1].segment;
        uint64_t id = track->entries[first].id;
        uint64_t n = context_get(context, id), other = also ? context_get(also, id) : n;
        size_t count = entries_until(track, first, end, n < other ? n : other);
        if (count > 0) {
            *since = track->entries[first].begun - 1;
            *until = track->entries[first + count - 1].ended;
            return;
        }
        end = first;
    }
}

void sights_until(const struct sights *sights, const char *bucket, const struct context *context,
                  const struct context *also, struct sight *sight)
{
    size_t number = bucket_number(bucket);
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (!sights->replaced[i])
            until_of(&sights->tracks[i][number], context, also, &sight->since[i], &sight->until[i]);
    }
}

static uint64_t known_of(const struct context *context, const struct shard *residues, uint64_t id)
{
    uint64_t n = context_get(context, id);
    for (size_t i = 0; residues && i < residues->residues_count; i++) {
        uint64_t other = context_get(&residues->residues[i].context, id);
        n = other > n ? other : n;
    }
    return n;
}

void sights_from(const struct sights *sights, struct world *world, const char *bucket,
                 const struct context *context, const struct shard *residues, struct sight *sight)
{
    size_t number = bucket_number(bucket);
    for (size_t i = 0; i < world->nodes_count; i++) {
        const struct sight_track *track = &sights->tracks[i][number];
        const struct shard *shard = sim_shard(world, i, bucket);
        if (sights->replaced[i] || !shard || track->count == 0)
            continue;
        size_t low = track->entries[track->count - 1].segment, high = track->count;
        if (track->entries[low].id != shard->replica)
            continue;
        uint64_t n = known_of(context, residues, shard->replica);
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (track->entries[middle].n_begun < n)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < track->count)
            sight->from[i] = track->entries[low].begun;
    }
}
