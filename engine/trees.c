#include "engine/trees.h"

#include "base/error.h"
#include "store/merkle.h"

/* The number of the shard with this id, or of the next one. */
static size_t shard_number(const struct store *store, uint64_t id)
{
    size_t from = 0, to = store->shards_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (store->shards[middle]->id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* A shard that is compared gets cells as long as that lasts, and its tree grows once, after it. */
static bool shard_has_work(const struct shard *shard)
{
    return shard->tree && (shard->tree->build || merkle_wants_build(shard->tree)) &&
           !shard->session.id;
}

/* A tree that there was is held against what was read, which is the truth. */
static void build_ended(struct trees *trees, struct gossip *gossip, struct trace *trace,
                        const struct shard *shard, bool was_ready, struct digest before)
{
    if (!was_ready) {
        trees->builds++;
    } else {
        trees->scrubbed++;
        if (digest_equal(before, merkle_root(shard->tree)))
            return;
        trees->differed++;
        trace(trace, "%s: what is stored is not what was", shard->name);
    }
    if (gossip)
        gossip_tree_changed(gossip, shard->id);
}

static int shard_step(struct trees *trees, struct gossip *gossip, struct shard *shard,
                      struct batch *batch, struct trace *trace, bool *ret_ended)
{
    struct view view = batch_view(batch);
    struct merkle *tree = shard->tree;
    bool ready = tree->ready;
    struct digest before = ready ? merkle_root(tree) : (struct digest){0};
    int error = shard_tree_step(shard, &view, TREES_CELLS);

    *ret_ended = error == NEAP_END;
    if (!*ret_ended)
        return error;
    build_ended(trees, gossip, trace, shard, ready, before);
    return 0;
}

/* The next shard with work, in turns. NULL: none has. */
static struct shard *shard_next(struct trees *trees, struct store *store)
{
    size_t first = shard_number(store, trees->from);

    for (size_t i = 0; i < store->shards_count; i++) {
        struct shard *shard = store->shards[(first + i) % store->shards_count];

        if (shard->tree)
            merkle_fold(shard->tree);
        if (shard_has_work(shard))
            return shard;
    }
    return NULL;
}

/* The next shard of a round of scrubs is one with a build to do. NOMEM. */
static int scrub_next(struct trees *trees, struct store *store, struct shard **ret_shard)
{
    size_t number = shard_number(store, trees->scrub_from);
    struct merkle *tree;
    int error;

    *ret_shard = NULL;
    if (number == store->shards_count) {
        trees->scrubs = false;
        return 0;
    }
    tree = store->shards[number]->tree;
    error = tree->ready && !tree->build ? merkle_build_begin(tree, tree->now.cells) : 0;
    if (error)
        return error;
    *ret_shard = store->shards[number];
    trees->scrub_from = store->shards[number]->id + 1;
    trees->scrubs = trees->scrub_from > 0;
    return 0;
}

static void scrub_plan(struct trees *trees, struct now now)
{
    if (!trees->scrub_ms)
        return;
    if (!trees->scrub_at)
        trees->scrub_at = now.mono_ms + trees->scrub_ms;
    if (now.mono_ms < trees->scrub_at || trees->scrubs)
        return;
    trees->scrubs = true;
    trees->scrub_from = 0;
    trees->scrub_at = now.mono_ms + trees->scrub_ms;
}

int trees_tick(struct trees *trees, struct store *store, struct gossip *gossip, struct now now,
               struct batch *batch, struct trace *trace)
{
    struct shard *shard;
    bool ended = false;
    int error = 0;

    if (!trees->kept || now.mono_ms < trees->next_at)
        return 0;
    scrub_plan(trees, now);
    trees->next_at = now.mono_ms + TREES_LOOK_MS;
    shard = shard_next(trees, store);
    if (!shard && trees->scrubs)
        error = scrub_next(trees, store, &shard);
    if (error || !shard)
        return error;
    trees->next_at = now.mono_ms + (shard->tree->ready ? TREES_SCRUB_MS : TREES_BUILD_MS);
    trees->from = shard->id;
    error = shard_step(trees, gossip, shard, batch, trace, &ended);
    if (ended || error)
        trees->from++;
    if (error != NEAP_CORRUPT && error != NEAP_LIMIT)
        return error;
    trees->next_at = now.mono_ms + TREES_AGAIN_MS;
    return 0;
}

uint64_t trees_deadline(const struct trees *trees)
{
    return trees->kept ? trees->next_at : UINT64_MAX;
}

void trees_scrub(struct trees *trees)
{
    trees->scrub_at = 1;
    trees->next_at = 0;
}
