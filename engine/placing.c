#include "engine/placing.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "engine/engine.h"
#include "gossip/ring_pack.h"

/* ---- what is said ---- */

static int system_write(struct engine *engine, struct now now, enum op_kind kind, struct slice path,
                        struct slice value, struct batch *batch)
{
    struct write_op op = {
        .bucket = SYSTEM_BUCKET, .path = path, .op = {.kind = kind, .value = value}};
    struct write write = {.ops = &op, .count = 1, .system = true};
    int error;

    token_init(&write.token);
    error = engine_write(engine, now, &write, batch);
    token_done(&write.token);
    token_done(&write.awaited);
    return error;
}

static int track_write(struct engine *engine, struct now now, const struct ring *ring,
                       const struct ring_track *track, struct batch *batch)
{
    struct buffer path, value;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&value, NEAP_VALUE_MAX);
    error = ring_path(ring->name, RING_TRACK, track->node, &path);
    if (!error)
        error = ring_track_pack(track, &value);
    if (!error)
        error = system_write(engine, now, OP_LWW_SET, buffer_slice(&path), buffer_slice(&value),
                             batch);
    buffer_done(&path);
    buffer_done(&value);
    return error;
}

void placing_name(struct engine *engine, const struct ring *ring, const char *bucket)
{
    struct placing *placing = engine->placing;

    if (!placing || ring->buckets_count >= RING_BUCKETS_MAX || BROKEN("buckets-unnamed"))
        return;
    for (size_t i = 0; i < placing->names_count; i++)
        if (!strcmp(placing->names[i], bucket))
            return;
    if (placing->names_count < PLACING_NAMES)
        snprintf(placing->names[placing->names_count++], NEAP_BUCKET_MAX + 1, "%s", bucket);
}

/* What can't be told now is told when the bucket is written to again. */
static int names_tell(struct engine *engine, struct now now, struct batch *batch)
{
    struct placing *placing = engine->placing;
    int error = 0;

    for (size_t i = 0; i < placing->names_count && error != NEAP_IO; i++) {
        const char *name = placing->names[i];
        const struct ring *ring = rings_of_bucket(gossip_rings(engine->gossip, NULL), name);
        struct buffer path;

        if (!ring || ring_has_bucket(ring, bucket_id(name)))
            continue;
        buffer_init(&path, NEAP_PATH_MAX);
        error = ring_path(ring->name, RING_BUCKETS, 0, &path);
        if (!error)
            error = path_element(&path, slice_text(name));
        if (!error)
            error = system_write(engine, now, OP_SET_ADD, buffer_slice(&path), slice_of(NULL, 0),
                                 batch);
        buffer_done(&path);
    }
    placing->names_count = 0;
    return error == NEAP_IO ? error : 0;
}

static bool is_fetched(const struct placing *placing, const struct ring *ring, size_t layout)
{
    return placing->told_stamp == ring->layouts[layout].stamp &&
           !strcmp(placing->told_ring, ring->name);
}

/* A call counts in what is active at the moment at which it is looked at, so what is known here
 * counts; and who does not hold a slot any more does not answer for it (gossip/ask.c), so nothing
 * that was begun earlier holds a layout back. */
static int ring_tell(struct engine *engine, struct now now, const struct ring *ring,
                     struct batch *batch)
{
    uint64_t me = engine->store.identity.node;
    struct ring_facts facts = {.under_way = UINT64_MAX};
    struct ring_track track;

    for (size_t i = 0; i < ring->layouts_count; i++) {
        facts.counts[i] = true;
        facts.caught_up[i] = is_fetched(engine->placing, ring, i);
    }
    if (!ring_track(ring, me, &facts, &track))
        return 0;
    trace(engine->trace, "ring %s: counts %zu layouts, has fetched %zu", ring->name,
          track.counts_count, track.synced_count);
    return track_write(engine, now, ring, &track, batch);
}

static int rings_tell(struct engine *engine, struct now now, struct batch *batch)
{
    const struct rings *rings = gossip_rings(engine->gossip, NULL);
    int error = 0;

    for (size_t i = 0; i < rings->count && !error; i++)
        error = ring_tell(engine, now, &rings->rings[i], batch);
    return error;
}

/* ---- what is fetched ---- */

static void lane_free(struct placing_lane *lane)
{
    survey_done(&lane->survey);
    context_done(&lane->need);
    *lane = (struct placing_lane){.state = LANE_FREE};
}

/* The layout that runs, as it is now; NULL: it is no more, or needs nothing. */
static const struct ring *job_ring(const struct engine *engine, size_t *ret_layout)
{
    const struct placing *placing = engine->placing;
    const struct rings *rings = gossip_rings(engine->gossip, NULL);
    const struct ring *ring = rings_find(rings, slice_text(placing->ring));

    for (size_t i = 0; ring && i < ring->layouts_count; i++) {
        if (ring->layouts[i].stamp != placing->stamp)
            continue;
        *ret_layout = i;
        return ring_must_sync(ring, engine->store.identity.node, i) && ring_may_sync(ring, i)
                   ? ring
                   : NULL;
    }
    return NULL;
}

static void job_find(struct engine *engine)
{
    struct placing *placing = engine->placing;
    const struct rings *rings = gossip_rings(engine->gossip, NULL);
    uint64_t me = engine->store.identity.node;

    for (size_t i = 0; i < rings->count && !placing->runs; i++) {
        const struct ring *ring = &rings->rings[i];

        for (size_t j = 0; j < ring->layouts_count && !placing->runs; j++) {
            if (is_fetched(placing, ring, j) || !ring_must_sync(ring, me, j) ||
                !ring_may_sync(ring, j))
                continue;
            placing->runs = true;
            placing->next = 0;
            placing->stamp = ring->layouts[j].stamp;
            memcpy(placing->ring, ring->name, sizeof placing->ring);
        }
    }
}

/* Their owners in each older layout, of whom a read would ask a quorum. */
static int lane_groups(const struct ring *ring, size_t layout, struct placing_lane *lane)
{
    struct ask *ask = &lane->survey.ask;
    size_t count = 0;

    ask->groups = mem_new_array(RING_ACTIVE_MAX, sizeof *ask->groups);
    if (!ask->groups)
        return NEAP_NOMEM;
    for (size_t i = 0; i < ring->layouts_count && i < layout; i++) {
        struct group *group = &ask->groups[count++];

        group->count = (unsigned)ring_owners(&ring->layouts[i], lane->slot, group->nodes);
    }
    ask->groups_count = count;
    return 0;
}

static void lane_rest(struct placing_lane *lane, struct now now)
{
    survey_done(&lane->survey);
    context_clear(&lane->need);
    lane->state = LANE_RESTS;
    lane->again_ms = now.mono_ms + PLACING_AGAIN_MS;
}

static void lane_ask(struct engine *engine, struct now now, struct outbox *outbox,
                     const struct ring *ring, size_t layout, struct placing_lane *lane)
{
    int error;

    survey_init(&lane->survey, lane->name, NEAP_QUORUM, now.mono_ms + PLACING_ASK_MS);
    error = lane_groups(ring, layout, lane);
    if (!error)
        error = gossip_ask(engine->gossip, now, &lane->survey.ask, outbox);
    if (error)
        lane_rest(lane, now);
    else
        lane->state = LANE_ASKS;
}

static bool lane_is_here(const struct engine *engine, const struct placing_lane *lane)
{
    const struct shard *shard = store_find(&engine->store, bucket_id(lane->name));

    if (!lane->need.count)
        return true;
    return shard && !shard->holes_count && context_covers(&shard->context, &lane->need);
}

static void lane_work(struct engine *engine, struct now now, struct outbox *outbox,
                      const struct ring *ring, size_t layout, struct placing_lane *lane)
{
    struct placing *placing = engine->placing;
    uint64_t me = engine->store.identity.node;

    if (lane->state == LANE_WAITS && lane_is_here(engine, lane))
        lane_free(lane);
    if (lane->state == LANE_RESTS && now.mono_ms >= lane->again_ms)
        lane_ask(engine, now, outbox, ring, layout, lane);
    while (lane->state == LANE_FREE && placing->next < ring->slots) {
        unsigned slot = placing->next++;

        if (!layout_owns(&ring->layouts[layout].layout, slot, me))
            continue;
        lane->slot = slot;
        ring_shard_name(ring, slot, lane->name);
        lane_ask(engine, now, outbox, ring, layout, lane);
    }
}

static void job_work(struct engine *engine, struct now now, struct outbox *outbox)
{
    struct placing *placing = engine->placing;
    size_t layout = 0, free = 0;
    const struct ring *ring = job_ring(engine, &layout);

    /* What was let go has to be asked for again, also when it may go on before all is back. */
    if (!ring)
        placing->stamp = 0;
    for (size_t i = 0; i < PLACING_LANES; i++) {
        struct placing_lane *lane = &placing->lanes[i];

        if (ring)
            lane_work(engine, now, outbox, ring, layout, lane);
        else if (lane->state != LANE_ASKS)
            lane_free(lane); /* what is asked has to come back first */
        free += lane->state == LANE_FREE;
    }
    if (free < PLACING_LANES)
        return;
    placing->runs = false;
    placing->again = true;
    if (!ring)
        return;
    memcpy(placing->told_ring, placing->ring, sizeof placing->told_ring);
    placing->told_stamp = placing->stamp;
}

bool placing_asked(struct engine *engine, struct now now, struct ask *ask)
{
    struct placing *placing = engine->placing;
    struct placing_lane *lane = NULL;
    struct quorum quorum;

    for (size_t i = 0; placing && i < PLACING_LANES; i++) {
        if (&placing->lanes[i].survey.ask == ask)
            lane = &placing->lanes[i];
    }
    if (!lane)
        return false;
    if (!ask->code && survey_verdict(&lane->survey, &quorum) == QUORUM_DONE &&
        !survey_join(&lane->survey, &lane->need)) {
        survey_done(&lane->survey);
        lane->state = LANE_WAITS;
    } else {
        lane_rest(lane, now);
    }
    placing->again = true;
    return true;
}

/* ---- turns ---- */

static bool placing_is_due(const struct engine *engine, struct now now)
{
    const struct placing *placing = engine->placing;
    uint64_t version;

    gossip_rings(engine->gossip, &version);
    return version != placing->version || placing->again ||
           (placing->runs && gossip_news(engine->gossip) != placing->news) ||
           now.mono_ms >= placing_deadline(engine, now);
}

int placing_work(struct engine *engine, struct now now, struct batch *batch, struct outbox *outbox)
{
    struct placing *placing = engine->placing;
    int error;

    if (!placing && !gossip_rings(engine->gossip, NULL)->count)
        return 0;
    if (!placing)
        placing = engine->placing = mem_new(sizeof *placing);
    if (!placing)
        return 0;
    error = names_tell(engine, now, batch);
    if (error || !placing_is_due(engine, now))
        return error;
    gossip_rings(engine->gossip, &placing->version);
    placing->news = gossip_news(engine->gossip);
    placing->again = false;
    if (!placing->runs)
        job_find(engine);
    if (placing->runs)
        job_work(engine, now, outbox);
    error = rings_tell(engine, now, batch);
    placing->again_ms = error ? now.mono_ms + PLACING_AGAIN_MS : 0;
    return error == NEAP_IO ? error : 0;
}

uint64_t placing_deadline(const struct engine *engine, struct now now)
{
    const struct placing *placing = engine->placing;
    uint64_t deadline = UINT64_MAX;

    if (!placing)
        return deadline;
    if (placing->again)
        return now.mono_ms;
    if (placing->again_ms)
        deadline = placing->again_ms;
    for (size_t i = 0; i < PLACING_LANES; i++) {
        if (placing->lanes[i].state == LANE_RESTS && placing->lanes[i].again_ms < deadline)
            deadline = placing->lanes[i].again_ms;
    }
    return deadline;
}

void placing_done(struct engine *engine)
{
    struct placing *placing = engine->placing;

    for (size_t i = 0; placing && i < PLACING_LANES; i++)
        lane_free(&placing->lanes[i]);
    mem_free(placing);
    engine->placing = NULL;
}
