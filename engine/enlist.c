#include "engine/enlist.h"

#include "base/broken.h"
#include "base/error.h"
#include "engine/engine.h"

enum { OPS_MAX = 2 };

/* One batch: what is to be said of this node, and that it is back. */
struct enlisting {
    struct buffer record, paths[OPS_MAX];
    struct write_op ops[OPS_MAX];
    size_t count;
};

static void enlisting_init(struct enlisting *enlisting)
{
    enlisting->count = 0;
    buffer_init(&enlisting->record, NEAP_VALUE_MAX);
    for (size_t i = 0; i < OPS_MAX; i++)
        buffer_init(&enlisting->paths[i], NEAP_PATH_MAX);
}

static void enlisting_done(struct enlisting *enlisting)
{
    buffer_done(&enlisting->record);
    for (size_t i = 0; i < OPS_MAX; i++)
        buffer_done(&enlisting->paths[i]);
}

static int op_add(struct enlisting *enlisting, enum op_kind kind, enum roster_place place,
                  uint64_t node)
{
    size_t at = enlisting->count;
    int error = roster_path(place, node, &enlisting->paths[at]);

    if (error)
        return error;
    enlisting->ops[at] = (struct write_op){
        .bucket = SYSTEM_BUCKET, .path = buffer_slice(&enlisting->paths[at]), .op.kind = kind};
    enlisting->count++;
    return 0;
}

static int enlist_fill(const struct engine *engine, struct enlisting *enlisting)
{
    uint64_t own = engine->store.identity.node, version;
    const struct roster *roster = gossip_roster(engine->gossip, &version);
    struct roster_row row;
    int error = 0;

    if (gossip_wants_record(engine->gossip, &row) && !BROKEN("unlisted")) {
        error = roster_encode(&row, &enlisting->record);
        if (!error)
            error = op_add(enlisting, OP_LWW_SET, ROSTER_MEMBERS, own);
        if (!error)
            enlisting->ops[0].op.value = buffer_slice(&enlisting->record);
    }
    if (!error && roster_find(roster, ROSTER_RETIRED, own))
        error = op_add(enlisting, OP_REMOVE, ROSTER_RETIRED, own);
    return error;
}

static int enlist_write(struct engine *engine, struct now now, struct batch *batch)
{
    struct enlisting enlisting;
    struct write write = {.system = true};
    int error;

    enlisting_init(&enlisting);
    error = enlist_fill(engine, &enlisting);
    write.ops = enlisting.ops;
    write.count = enlisting.count;
    if (!error && write.count > 0) {
        token_init(&write.token);
        token_init(&write.awaited);
        error = engine_write(engine, now, &write, batch);
        token_done(&write.token);
        token_done(&write.awaited);
        engine->enlist.written += !error;
    }
    enlisting_done(&enlisting);
    return error;
}

int enlist_tick(struct engine *engine, struct now now, struct batch *batch)
{
    struct enlist *enlist = &engine->enlist;
    uint64_t written = enlist->written, version;
    int error;

    if (!engine->gossip || now.mono_ms < enlist->rest_until || !gossip_lists(engine->gossip))
        return 0;
    (void)gossip_roster(engine->gossip, &version);
    if (version == enlist->version)
        return 0;
    error = enlist_write(engine, now, batch);
    if (error == NEAP_IO)
        return error;
    if (error)
        engine_note(engine, error, "the member list");
    if (!error && enlist->written == written) {
        enlist->version = version;
        return 0;
    }
    enlist->rest_ms = enlist->rest_ms ? enlist->rest_ms * 2 : ENLIST_REST_MS_MIN;
    if (enlist->rest_ms > ENLIST_REST_MS_MAX)
        enlist->rest_ms = ENLIST_REST_MS_MAX;
    enlist->rest_until = now.mono_ms + enlist->rest_ms;
    return 0;
}
