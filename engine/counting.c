#include "engine/counting.h"

#include <string.h>

#include "base/error.h"
#include "store/tally.h"

static int count_known(const struct shard *shard, struct slice collection, struct count *count)
{
    uint64_t number;
    int error = tally_get(shard, collection, &number);

    if (!error && count->want_token)
        error = token_join(&count->token, shard->id, &shard->context);
    if (error)
        return error;
    count->count = number;
    count->known = true;
    return 0;
}

int count_step(struct store *store, struct batch *batch, struct count *count)
{
    struct shard *shard = store_find(store, count->shard);
    struct slice collection;
    struct key key;
    int error;

    count->known = false;
    if (!shard || count->path.size > NEAP_PATH_MAX)
        return NEAP_NOTFOUND;
    /* What cells have beyond the context only a pass over them can tell. */
    if (count->want_token && shard->residues_count > 0)
        return NEAP_NOTFOUND;
    key_cell(&key, shard->id, shard->id, count->path);
    collection = slice_of(key.bytes + 8, key.size - 8);
    error = count_known(shard, collection, count);
    if (error == NEAP_NOTFOUND)
        error = tally_begin(shard, batch, collection);
    else if (error != NEAP_BUSY)
        return error;
    error = error == NEAP_BUSY ? 0 : error;
    if (!error)
        error = tally_step(shard, batch, TALLY_CELLS);
    return error;
}

/* NULL: none has work. */
static struct shard *shard_next(const struct store *store, uint64_t from)
{
    struct shard *first = NULL;

    for (size_t i = 0; i < store->shards_count; i++) {
        struct shard *shard = store->shards[i];

        if (!tally_is_due(shard))
            continue;
        if (shard->id >= from)
            return shard;
        first = first ? first : shard;
    }
    return first;
}

int counting_step(struct store *store, uint64_t *from, struct batch *batch)
{
    struct shard *shard = shard_next(store, *from);
    int error;

    if (!shard)
        return NEAP_END;
    *from = shard->id + 1;
    error = tally_step(shard, batch, TALLY_CELLS);
    return error == NEAP_IO ? error : 0;
}
