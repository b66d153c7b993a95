#include "engine/trees.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "engine/counting.h"
#include "engine/hot.h"
#include "store/disk_cache.h"
#include "store/hole.h"
#include "store/merkle.h"
#include "store/tally.h"

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
static bool shard_has_work(const struct trees *trees, const struct shard *shard)
{
    const struct merkle *tree = shard->tree;

    if (!tree || shard->session.id || (!tree->build && !merkle_wants_build(tree)))
        return false;
    return tree->ready ? !tree->scrub_rests && !trees->scrubs_rest : !tree->build_rests;
}

/* A tree that there was is held against what was read, which is the truth. */
static int build_ended(struct trees *trees, struct gossip *gossip, struct batch *batch,
                       struct trace *trace, struct shard *shard, bool was_ready,
                       struct digest before)
{
    int error = 0;

    if (!was_ready) {
        trees->builds++;
    } else {
        trees->scrubbed++;
        if (digest_equal(before, merkle_root(shard->tree)))
            return 0;
        trees->differed++;
        trace(trace, "%s: what is stored is not what was", shard->name);
        /* What is still in memory would hide from repairs what the disk has lost. */
        disk_cache_forget(disk_holes_under(batch_view(batch).disk));
        error = tally_doubt(shard, batch, 0, slice_of(NULL, 0));
    }
    if (gossip)
        gossip_tree_changed(gossip, shard->id);
    return error;
}

/* ---- for the history ---- */

static int scrub_tell(struct store *store, const struct shard *shard, struct now now,
                      struct batch *batch, enum annals_kind kind, const char *cause,
                      const char *end)
{
    const struct annals_entry entry = {.kind = kind,
                                        .began_ms = now.wall_ms,
                                        .ended_ms = now.wall_ms,
                                        .shard = shard->id,
                                        .replica = shard->replica,
                                        .cells = shard->tree->now.cells,
                                        .bucket = slice_text(shard->name),
                                        .cause = slice_text(cause),
                                        .end = slice_text(end)};

    return annals_add(&store->annals, batch, &entry);
}

/* A shard was read to its end, and was as it was written, or not. */
static int scrubbed_tell(struct trees *trees, struct store *store, const struct shard *shard,
                         struct now now, struct batch *batch, bool differed)
{
    int error = 0;

    trees->round_buckets++;
    trees->round_cells += shard->tree->now.cells;
    trees->round_differed += differed;
    if (differed)
        error = scrub_tell(store, shard, now, batch, ANNALS_CHANGED,
                           "what is stored is not what was written",
                           "compared with peers from here on");
    if (!error && !trees->scrubs)
        error = scrub_tell(store, shard, now, batch, ANNALS_SCRUB, "",
                           differed ? "not all is as it was written" : "all is as it was written");
    return error;
}

static int unreadable_tell(struct store *store, const struct shard *shard, struct now now,
                           struct batch *batch)
{
    struct neap_error text = {0};

    store->disk->ops->error(store->disk, &text);
    return scrub_tell(store, shard, now, batch, ANNALS_FAULT,
                      text.text[0] ? text.text : "cells can't be read",
                      "the next start copies around it what can be read");
}

/* A round lasts: one that its process does not finish is told by the next. */
static int round_tell(struct trees *trees, struct store *store, struct now now,
                      struct batch *batch)
{
    const struct annals_entry entry = {.kind = ANNALS_SCRUB, .began_ms = now.wall_ms};
    uint64_t number = annals_find(&store->annals, ANNALS_SCRUB, 0, 0);
    char how[ANNALS_TEXT_MAX];
    int error;

    if (trees->scrubs == (number != 0))
        return 0;
    if (trees->scrubs) {
        trees->round_buckets = trees->round_cells = trees->round_differed = 0;
        trees->scrubs_ended = false;
        error = annals_add(&store->annals, batch, &entry);
        return error == NEAP_LIMIT ? 0 : error;
    }
    snprintf(how, sizeof how, "%s: %" PRIu64 " buckets read, %" PRIu64 " cells; %" PRIu64
             " not as written", trees->scrubs_ended ? "whole" : "cancelled", trees->round_buckets,
             trees->round_cells, trees->round_differed);
    return annals_end(&store->annals, batch, number, now.wall_ms, how);
}

/* ---- steps ---- */

static int shard_step(struct trees *trees, struct gossip *gossip, struct shard *shard,
                      struct now now, struct batch *batch, struct trace *trace, bool *ret_ended)
{
    struct view view = batch_view(batch);
    struct merkle *tree = shard->tree;
    bool ready = tree->ready;
    struct digest before = ready ? merkle_root(tree) : (struct digest){0};
    bool begins = !tree->build || !merkle_build_cursor(tree).size;
    int error;

    if (begins)
        tree->began_ms = now.mono_ms;
    error = shard_tree_step(shard, &view, TREES_CELLS);

    *ret_ended = error == NEAP_END;
    if (!*ret_ended)
        return error;
    return build_ended(trees, gossip, batch, trace, shard, ready, before);
}

/* The next shard with work, in turns. NULL: none has. */
static struct shard *shard_next(struct trees *trees, struct store *store)
{
    size_t first = shard_number(store, trees->from);

    for (size_t i = 0; i < store->shards_count; i++) {
        struct shard *shard = store->shards[(first + i) % store->shards_count];

        if (shard->tree)
            merkle_fold(shard->tree);
        if (shard_has_work(trees, shard))
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
        trees->scrubs_ended = true;
        return 0;
    }
    if (trees->scrubs_rest)
        return 0;
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
    trees->scrubs_ms = now.mono_ms;
    trees->scrub_from = 0;
    trees->scrub_at = now.mono_ms + trees->scrub_ms;
}

/* To the next step. Callers who write go first. */
static uint64_t step_pause(struct trees *trees, const struct merkle *tree)
{
    uint64_t rate = trees->scrub_max ? trees->scrub_max : TREES_SCRUB_MAX;
    uint64_t pause = tree->ready ? (uint64_t)TREES_CELLS * 1000 / rate : TREES_BUILD_MS;
    bool busy = trees->writes != trees->written;

    trees->written = trees->writes;
    pause = pause > 0 ? pause : 1;
    return busy ? pause * TREES_BUSY : pause;
}

static int trees_step(struct trees *trees, struct store *store, struct gossip *gossip,
                      struct now now, struct batch *batch, struct trace *trace)
{
    struct shard *shard;
    uint64_t scrubbed = trees->scrubbed, differed = trees->differed;
    bool ended = false;
    int error = 0;

    scrub_plan(trees, now);
    if (trees->scrubs && !trees->scrubs_ms)
        trees->scrubs_ms = now.mono_ms;
    trees->looked_at = now.mono_ms;
    trees->next_at = now.mono_ms + TREES_LOOK_MS;
    shard = shard_next(trees, store);
    if (!shard && trees->scrubs)
        error = scrub_next(trees, store, &shard);
    if (!error)
        error = round_tell(trees, store, now, batch);
    trees->idle = !error && !shard && !trees->scrubs;
    if (error || !shard)
        return error;
    trees->next_at = now.mono_ms + step_pause(trees, shard->tree);
    trees->from = shard->id;
    error = shard_step(trees, gossip, shard, now, batch, trace, &ended);
    if (ended || error)
        trees->from++;
    if (!error && trees->scrubbed > scrubbed)
        error = scrubbed_tell(trees, store, shard, now, batch, trees->differed > differed);
    if (error == NEAP_CORRUPT && shard->holes_count == 0)
        error = unreadable_tell(store, shard, now, batch);
    else if (error != NEAP_CORRUPT && error != NEAP_LIMIT)
        return error;
    trees->next_at = now.mono_ms + TREES_AGAIN_MS;
    return error == NEAP_CORRUPT || error == NEAP_LIMIT ? 0 : error;
}

/* Numbers that are not known are made as trees are. */
int trees_tick(struct trees *trees, struct store *store, struct gossip *gossip, struct now now,
               struct batch *batch, struct trace *trace)
{
    int error;

    if (!trees->kept)
        return 0;
    if (now.mono_ms < trees->next_at) {
        trees_wake(trees, now);
        return 0;
    }
    error = trees_step(trees, store, gossip, now, batch, trace);
    if (!error)
        error = hot_tick(store, now.mono_ms, batch);
    if (error)
        return error;
    error = counting_step(store, &trees->counts_from, batch);
    if (error == NEAP_END) {
        if (trees->idle)
            trees->next_at = trees->scrub_ms ? trees->scrub_at : UINT64_MAX;
        return 0;
    }
    trees->idle = false;
    if (trees->next_at > now.mono_ms + COUNTING_MS)
        trees->next_at = now.mono_ms + COUNTING_MS;
    return error;
}

void trees_wake(struct trees *trees, struct now now)
{
    uint64_t at = trees->looked_at + TREES_LOOK_MS;

    at = at < now.mono_ms ? now.mono_ms : at;
    if (trees->idle && at < trees->next_at)
        trees->next_at = at;
}

uint64_t trees_deadline(const struct trees *trees)
{
    return trees->kept ? trees->next_at : UINT64_MAX;
}

void trees_scrub(struct trees *trees)
{
    trees->scrubs = true;
    trees->scrubs_rest = false;
    trees->scrubs_ms = 0;
    trees->scrub_from = 0;
    trees->next_at = 0;
}

int trees_scrub_one(struct trees *trees, struct shard *shard)
{
    struct merkle *tree = shard->tree;

    if (!tree || !tree->ready || tree->build)
        return NEAP_BUSY;
    trees->scrubs_rest = tree->scrub_rests = false;
    trees->next_at = 0;
    return merkle_build_begin(tree, tree->now.cells);
}

/* ---- for operators ---- */

static int tree_tasks(const struct trees *trees, const struct shard *shard, task_each each,
                      void *arg)
{
    const struct merkle *tree = shard->tree;
    bool rests = tree->ready ? tree->scrub_rests || trees->scrubs_rest : tree->build_rests;
    struct task task = {.kind = tree->ready ? TASK_SCRUB : TASK_BUILD,
                        .state = rests ? TASK_PAUSED : TASK_RUNS,
                        .shard = shard->id,
                        .bucket = shard->name};

    if (!tree->build && tree->ready && !tree->scrub_rests)
        return 0;
    if (tree->build) {
        task.done = merkle_built(tree)->cells;
        task.total = tree->ready ? tree->now.cells : 0;
        task.since_ms = tree->began_ms;
    }
    if (task.total && task.total < task.done)
        task.total = task.done;
    return each(arg, &task);
}

int trees_tasks(const struct trees *trees, const struct store *store, task_each each, void *arg)
{
    struct task round = {.kind = TASK_ROUND,
                         .state = trees->scrubs_rest ? TASK_PAUSED : TASK_RUNS,
                         .total = store->shards_count,
                         .since_ms = trees->scrubs ? trees->scrubs_ms : 0};
    int error = 0;

    if (!trees->kept)
        return 0;
    for (size_t i = 0; i < store->shards_count; i++)
        round.done += trees->scrubs && store->shards[i]->id < trees->scrub_from;
    if (trees->scrubs || trees->scrubs_rest)
        error = each(arg, &round);
    for (size_t i = 0; i < store->shards_count && !error; i++)
        if (store->shards[i]->tree)
            error = tree_tasks(trees, store->shards[i], each, arg);
    return error;
}

static int round_order(struct trees *trees, struct store *store, enum task_order order)
{
    bool there = trees->scrubs || trees->scrubs_rest;

    if (order == TASK_PAUSE) {
        trees->scrubs_rest = true;
        return 0;
    }
    if (order == TASK_CANCEL) {
        trees->scrubs = false;
        for (size_t i = 0; i < store->shards_count; i++)
            if (store->shards[i]->tree && store->shards[i]->tree->ready)
                merkle_build_stop(store->shards[i]->tree);
    }
    trees->scrubs_rest = false;
    trees->next_at = 0;
    return there ? 0 : NEAP_NOTFOUND;
}

static int build_order(struct merkle *tree, enum task_order order)
{
    bool rested = tree->build_rests;

    if (order == TASK_CANCEL)
        return tree->ready ? NEAP_NOTFOUND : NEAP_REFUSED;
    tree->build_rests = order == TASK_PAUSE;
    return rested || order == TASK_PAUSE ? 0 : NEAP_NOTFOUND;
}

static int scrub_order(struct merkle *tree, enum task_order order)
{
    bool rested = tree->scrub_rests, runs = tree->ready && tree->build;

    if (order == TASK_CANCEL && runs)
        merkle_build_stop(tree);
    tree->scrub_rests = order == TASK_PAUSE;
    return rested || order == TASK_PAUSE || (order == TASK_CANCEL && runs) ? 0 : NEAP_NOTFOUND;
}

int trees_task_order(struct trees *trees, struct store *store, enum task_kind kind, uint64_t shard,
                     enum task_order order)
{
    struct shard *found = store_find(store, shard);

    if (!trees->kept)
        return NEAP_NOTFOUND;
    if (kind == TASK_ROUND)
        return round_order(trees, store, order);
    if (!found || !found->tree)
        return NEAP_NOTFOUND;
    trees->next_at = 0;
    return kind == TASK_BUILD ? build_order(found->tree, order) : scrub_order(found->tree, order);
}
