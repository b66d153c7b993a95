#include "engine/hot.h"

#include "base/error.h"
#include "store/heat.h"
#include "store/tally.h"

int hot_tick(struct store *store, uint64_t mono_ms, struct batch *batch)
{
    const struct heat_place *place;
    uint64_t count;
    int error = 0;

    heat_fade(&store->heat, mono_ms);
    for (size_t i = 0; !error && (place = heat_nth(&store->heat, mono_ms, i, &count)); i++) {
        struct shard *shard = store_find(store, place->shard);
        struct slice name = slice_of(place->name, place->size);

        if (!shard || tally_get(shard, name, &count) != NEAP_NOTFOUND)
            continue;
        error = tally_begin(shard, batch, name);
        /* A limit leaves it without a number. */
        if (error == NEAP_LIMIT || error == NEAP_INVALID)
            error = 0;
    }
    return error;
}
