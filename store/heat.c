#include "store/heat.h"

#include <string.h>

enum { BUCKET_SIZE = sizeof(uint64_t) };

/* FNV-1a: whoever finds two names with one hash has made their counts wrong, and no more. */
static uint64_t name_hash(uint64_t shard, struct slice name)
{
    uint64_t hash = 0xcbf29ce484222325 ^ shard;

    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 0x100000001b3;
    return hash;
}

/* Its place, or the one that it takes. */
static struct heat_place *place_for(struct heat *heat, uint64_t shard, uint64_t hash)
{
    struct heat_place *coldest = &heat->places[0];

    for (size_t i = 0; i < heat->count; i++) {
        struct heat_place *place = &heat->places[i];

        if (place->hash == hash && place->shard == shard)
            return place;
        if (place->changes < coldest->changes)
            coldest = place;
    }
    if (heat->count < HEAT_MAX)
        return &heat->places[heat->count++];
    return coldest;
}

void heat_add(struct heat *heat, uint64_t shard, struct slice path)
{
    enum neap_type type;
    struct heat_place *place;
    struct slice name;
    uint64_t hash;
    size_t size;

    if (path.size < BUCKET_SIZE ||
        path_object(slice_of(path.data + BUCKET_SIZE, path.size - BUCKET_SIZE), &size, &type) ||
        size == path.size - BUCKET_SIZE || size > HEAT_NAME_MAX - BUCKET_SIZE)
        return;
    name = slice_of(path.data, BUCKET_SIZE + size);
    hash = name_hash(shard, name);
    place = place_for(heat, shard, hash);
    place->changes++;
    if (place->hash == hash && place->shard == shard)
        return;
    place->shard = shard;
    place->hash = hash;
    place->size = (uint16_t)name.size;
    memcpy(place->name, name.data, name.size);
}

/* How often counts are to be halved by now. */
static unsigned fades_due(const struct heat *heat, uint64_t now_ms)
{
    uint64_t due = 0;

    if (heat->fades_at && now_ms >= heat->fades_at)
        due = (now_ms - heat->fades_at) / HEAT_FADE_MS + 1;
    return due < 63 ? (unsigned)due : 63;
}

void heat_fade(struct heat *heat, uint64_t now_ms)
{
    unsigned due = fades_due(heat, now_ms);

    if (heat->fades_at && !due)
        return;
    for (size_t i = 0; i < heat->count; i++)
        heat->places[i].changes >>= due;
    heat->fades_at = now_ms + HEAT_FADE_MS;
}

const struct heat_place *heat_nth(const struct heat *heat, uint64_t now_ms, size_t n,
                                  uint64_t *ret_changes)
{
    for (size_t i = 0; i < heat->count; i++) {
        *ret_changes = heat->places[i].changes >> fades_due(heat, now_ms);
        if (*ret_changes >= HEAT_HOT && n-- == 0)
            return &heat->places[i];
    }
    return NULL;
}
