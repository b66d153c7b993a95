/* What an opening has to say to the history (store/annals.h): what the process before could not
 * write any more, and what it left on the disk. */
#include "base/error.h"
#include "store/hole.h"
#include "store/store.h"

static int life_tell(struct store *store, struct batch *batch)
{
    const struct identity *identity = &store->identity;
    const struct annals_entry entry = {
        .kind = ANNALS_LIFE,
        .began_ms = store->clock.wall_ms,
        .ended_ms = store->clock.wall_ms,
        .replica = identity->life,
        .cause = slice_text(identity_reason_text(identity->reason)),
        .end = slice_text("it writes under another identity from here on")};

    if (!identity->fresh_life || identity->reason == IDENTITY_NEW)
        return 0;
    return annals_add(&store->annals, batch, &entry);
}

/* A hole is made by a salvage, before anything can be told. More than are followed are told when
 * others end. */
static int holes_tell(struct store *store, struct batch *batch, const struct shard *shard)
{
    char key[ANNALS_TEXT_MAX] = "";
    struct annals_entry entry;
    int error;

    if (shard->holes_count == 0 ||
        annals_find(&store->annals, ANNALS_UNREADABLE, shard->id, 0))
        return 0;
    entry = hole_entry(shard, store->clock.wall_ms, key);
    error = annals_add(&store->annals, batch, &entry);
    return error == NEAP_LIMIT ? 0 : error;
}

/* What lasts of a shard that is gone, and what can't go on in another process. */
static int rest_end(struct store *store, struct batch *batch)
{
    struct annals *annals = &store->annals;
    int error = 0;

    for (size_t i = annals->open_count; i-- > 0 && !error;) {
        const struct annals_open open = annals->open[i];

        if (open.kind == ANNALS_SCRUB)
            error = annals_end(annals, batch, open.number, store->clock.wall_ms,
                                "not finished: the process ended");
        else if (open.shard && !store_find(store, open.shard))
            error = annals_end(annals, batch, open.number, store->clock.wall_ms,
                                "the bucket is not here any more");
    }
    return error;
}

int store_annals_open(struct store *store, struct batch *batch)
{
    int error = rest_end(store, batch);

    if (!error)
        error = life_tell(store, batch);
    for (size_t i = 0; i < store->shards_count && !error; i++)
        error = holes_tell(store, batch, store->shards[i]);
    return error;
}
