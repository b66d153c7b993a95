/* A caller's write: checked whole before anything is touched, then applied whole or not at all. */
#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "crdt/bounded.h"
#include "engine/cover.h"
#include "engine/engine.h"

enum { PLACE_TEXT_MAX = 120 };

/* "bucket/key...", for messages: costs nothing until there is one. */
#define PLACE(op) place_text(op, (char[PLACE_TEXT_MAX]){0})
static const char *place_text(const struct write_op *op, char ret_text[PLACE_TEXT_MAX])
{
    char path[PLACE_TEXT_MAX / 2];

    path_text(op->path, path, sizeof path);
    snprintf(ret_text, PLACE_TEXT_MAX, "%.40s/%s", op->bucket ? op->bucket : "", path);
    return ret_text;
}

static int write_check_path(const struct write_op *op, struct neap_error *error)
{
    enum neap_type type = NEAP_ANY;
    int code;

    if (op->path.size > NEAP_PATH_MAX)
        return error_set(error, NEAP_LIMIT, "%s: the path has %zu bytes, the limit is %d",
                         PLACE(op), op->path.size, NEAP_PATH_MAX);
    if (op->prefix) {
        if (op->op.kind != OP_REMOVE || !op->path.size)
            return error_set(error, NEAP_INVALID,
                             "%s: only a removal, and of a place, goes for all that is below it",
                             PLACE(op));
        return 0;
    }
    code = path_check(op->path, &type);
    if (code)
        return error_set(error, code, "%s: not the path of a value: %s", PLACE(op),
                         error_text(code));
    if (op->op.kind != OP_REMOVE && op_type(op->op.kind) != type)
        return error_set(error, NEAP_INVALID, "%s: the operation is not one of the place's type",
                         PLACE(op));
    return 0;
}

static int write_check_op(const struct write_op *op, bool system, struct neap_error *error)
{
    int code;

    if (!op_info(op->op.kind)->is_known)
        return error_set(error, NEAP_INVALID, "%s: no such operation", PLACE(op));
    code = op->bucket ? bucket_name_check(op->bucket) : NEAP_INVALID;
    if (code)
        return error_set(
            error, code,
            "%s: a bucket's name is 1 to %d bytes of printable UTF-8 without '/'; an '@' is "
            "before the name of a ring",
            PLACE(op), BUCKET_NAME_MAX);
    if (op->bucket[0] == '_' && !system)
        return error_set(error, NEAP_REFUSED, "%s: buckets that begin with '_' are the system's",
                         PLACE(op));
    if (op->op.value.size > NEAP_VALUE_MAX)
        return error_set(error, NEAP_LIMIT, "%s: the value has %zu bytes, the limit is %d",
                         PLACE(op), op->op.value.size, NEAP_VALUE_MAX);
    if (op->op.ttl_ms > NEAP_TTL_MS_MAX)
        return error_set(error, NEAP_LIMIT, "%s: %llu ms to live, the limit is %llu", PLACE(op),
                         (unsigned long long)op->op.ttl_ms, (unsigned long long)NEAP_TTL_MS_MAX);
    if (op->op.ttl_ms && !op_info(op->op.kind)->takes_ttl)
        return error_set(error, NEAP_INVALID, "%s: nothing of this type expires", PLACE(op));
    return write_check_path(op, error);
}

int write_check(const struct write *write, struct neap_error *error)
{
    int code = 0;

    if (write->count > NEAP_BATCH_COUNT_MAX)
        return error_set(error, NEAP_LIMIT, "%zu operations in one write, the limit is %d",
                         write->count, NEAP_BATCH_COUNT_MAX);
    if (write->once.size > NEAP_ONCE_MAX)
        return error_set(error, NEAP_LIMIT, "once: the id has %zu bytes, the limit is %d",
                         write->once.size, NEAP_ONCE_MAX);
    if (!write->count)
        code = quorum_check(write->level, NULL, error);
    for (size_t i = 0; !code && i < write->count; i++)
        code = write_check_op(&write->ops[i], write->system, error);
    for (size_t i = 0; !code && i < write->count; i++)
        code = quorum_check(write->level, write->ops[i].bucket, error);
    return code;
}

/* A shard that a write has touched, and how to undo it. */
struct touched {
    struct shard *shard;
    uint64_t id;
    struct shard_mark mark;
    bool made;
};

/* A write in progress. */
struct writing {
    struct engine *engine;
    struct write *write;
    struct batch *batch;
    struct now now;
    batch_mark mark;
    uint64_t hlc_reserved;
    struct touched touched[WRITE_SHARDS_MAX];
    size_t count;
    const char *bucket; /* of the last operation, and its shard; NULL: the key counts, too */
    uint64_t bucket_id;
    struct touched *last;
};

static const struct rings *write_rings(const struct engine *engine)
{
    return engine->gossip ? gossip_rings(engine->gossip, NULL) : NULL;
}

/* Where an operation goes; not_here: to another node. */
static int write_place(const struct engine *engine, struct write *write, const struct write_op *op,
                       struct placed *ret_place)
{
    int code = place_find(write_rings(engine), op->bucket, op->path, ret_place);

    if (code == NEAP_UNAVAILABLE)
        return error_set(&write->error, code, "%s: no ring of that name is known here (yet)",
                         PLACE(op));
    if (code)
        return error_set(&write->error, code, "%s: no key", PLACE(op));
    if (place_is_mine(ret_place, GROUPS_WRITE, engine->store.identity.node))
        return 0;
    write->not_here = true;
    return error_set(&write->error, NEAP_UNAVAILABLE, "%s: this node does not hold it", PLACE(op));
}

/* The disk knows more about what it could not read. */
static int disk_error_set(struct disk *disk, int code, const char *place, struct neap_error *error)
{
    struct neap_error text = {0};

    if (code == NEAP_IO || code == NEAP_CORRUPT)
        disk->ops->error(disk, &text);
    return error_set(error, code, "%s: %.160s", place, text.text[0] ? text.text : error_text(code));
}

static int write_error(const struct writing *writing, const struct write_op *op, int code)
{
    struct neap_error *error = &writing->write->error;

    const struct type *type = type_find(op_type(op->op.kind));
    const char *why = type && type->why_not ? type->why_not(&op->op, code) : NULL;

    if (error->code == code)
        return code; /* said where it was found */
    if (why)
        return error_set(error, code, "%s: %s", PLACE(op), why);
    return disk_error_set(writing->engine->store.disk, code, PLACE(op), error);
}

/* What limit it was, of those that an operation on one shard can hit. The failed operation is not
 * in the batch any more, so for want of room there is at most that of one cell left. */
static int write_limit(const struct writing *writing, const struct write_op *op,
                       const struct shard *shard)
{
    enum { OP_ROOM = 2 * CELL_SIZE_MAX };
    struct neap_error *error = &writing->write->error;
    const char *place = PLACE(op);
    const struct type *type;

    if (shard->context.count >= CONTEXT_IDS_MAX && !context_get(&shard->context, shard->replica))
        return error_set(error, NEAP_LIMIT, "%s: the bucket has all the %d replica ids that it can",
                         place, CONTEXT_IDS_MAX);
    if (op->prefix || batch_bytes(writing->batch) > BATCH_SIZE_MAX - OP_ROOM)
        return error_set(error, NEAP_LIMIT,
                         "%s: more than the %d MiB that are written at once: do it in parts", place,
                         BATCH_SIZE_MAX >> 20);
    type = type_find(op_type(op->op.kind));
    if (type && type->limit)
        return error_set(error, NEAP_LIMIT, "%s: %s", place, type->limit);
    return error_set(error, NEAP_LIMIT,
                     "%s: more than %d concurrent writes or %d MiB of them in one place", place,
                     CELL_DOTS_MAX, CELL_SIZE_MAX >> 20);
}

static int write_shard(struct writing *writing, const struct write_op *op,
                       struct touched **ret_touched)
{
    struct store *store = &writing->engine->store;
    struct placed place;
    uint64_t id;
    bool made;
    struct shard *shard;
    int error = 0;

    /* Ops of one write are mostly of one bucket. */
    if (writing->last && writing->bucket &&
        (writing->bucket == op->bucket || !strcmp(writing->bucket, op->bucket))) {
        *ret_touched = writing->last;
        return 0;
    }
    error = write_place(writing->engine, writing->write, op, &place);
    if (error)
        return error;
    writing->bucket_id = bucket_id(op->bucket);
    if (place.ring && !ring_has_bucket(place.ring, writing->bucket_id))
        placing_name(writing->engine, place.ring, op->bucket);
    id = place.ring ? bucket_id(place.shard) : writing->bucket_id;
    writing->last = NULL;
    for (size_t i = 0; i < writing->count; i++)
        if (writing->touched[i].id == id)
            writing->last = &writing->touched[i];
    if (!writing->last) {
        if (writing->count == WRITE_SHARDS_MAX)
            return error_set(&writing->write->error, NEAP_LIMIT,
                             "%s: one write may be to %d buckets at most", PLACE(op),
                             WRITE_SHARDS_MAX);
        if (!store_wants(store, place.shard))
            return error_set(&writing->write->error, NEAP_REFUSED,
                             "%s: this node does not subscribe to the bucket: `neap subscribe`, or "
                             "write at a node that does",
                             PLACE(op));
        shard = store_find(store, id);
        made = !shard;
        if (!shard || strcmp(shard->name, place.shard) != 0)
            error = store_shard(store, writing->batch, place.shard, &shard);
        if (error == NEAP_LIMIT)
            return error_set(&writing->write->error, error,
                             "%s: a node has %d buckets at most, and a write %d MiB", PLACE(op),
                             BUCKETS_MAX, BATCH_SIZE_MAX >> 20);
        if (error)
            return error;
        writing->last = &writing->touched[writing->count++];
        *writing->last =
            (struct touched){.shard = shard, .id = id, .mark = shard_set_mark(shard), .made = made};
    }
    writing->bucket = place.ring ? NULL : op->bucket;
    *ret_touched = writing->last;
    return 0;
}

/* The event; without one, all that is known here. */
static int name_into(struct token *token, const struct shard *shard, struct dot dot)
{
    if (dot.n)
        return token_dot(token, shard->id, dot, shard->nonce);
    return shard->context.count ? token_join(token, shard->id, &shard->context) : 0;
}

/* What whoever has it has the outcome of the operation as well: its event. Where there was nothing
 * (more) to remove, that is what others did, and all that is known here names it; below a prefix
 * some of it may have been gone. A level is for what was done, so there the last event is enough:
 * but what did nothing may repeat what was done and did not reach enough others. */
static int write_name(struct write *write, const struct shard *shard, const struct write_op *op,
                      struct dot dot)
{
    int error = 0;

    if (BROKEN("token-forgets"))
        return 0;
    /* A repeat may want what the write itself did not. */
    if (write->level >= NEAP_QUORUM || write->once.size)
        error = name_into(&write->awaited, shard, dot);
    if (!error && (write->want_token || write->once.size))
        error = name_into(&write->token, shard, op->prefix ? (struct dot){0} : dot);
    return error;
}

/* What a caller wants to know who has too few rights here; whoever has most of them is asked. */
static int write_no_rights(struct writing *writing, const struct write_op *op,
                           const struct shard *shard)
{
    struct view view = batch_view(writing->batch);
    struct neap_error *error = &writing->write->error;
    uint64_t mine[FORMERS_MAX], needs;
    size_t mine_count;
    bool spends = shard_spends(shard, mine, &mine_count);
    struct rights rights = {0};
    struct buffer bytes;
    struct cell cell;
    int code;

    buffer_init(&bytes, CELL_SIZE_MAX + 16);
    cell_init(&cell);
    code = cell_read(&view, shard->id, writing->bucket_id, op->path, &bytes, &cell);
    if (!code)
        code = bounded_rights(&cell, shard->replica, mine, mine_count, &rights);
    cell_done(&cell);
    buffer_done(&bytes);
    if (code)
        return code;
    if (!spends)
        return error_set(error, NEAP_NORIGHTS,
                         "%s: of %lld in all this node has %lld, but may use them only when it has "
                         "met all its peers since it was started",
                         PLACE(op), (long long)rights.value, (long long)rights.here);
    needs = op->op.number < 0 ? 0 - (uint64_t)op->op.number : (uint64_t)op->op.number;
    if (writing->engine->gossip && rights.most > 0 && (uint64_t)rights.value >= needs &&
        needs > (uint64_t)(rights.here > 0 ? rights.here : 0))
        gossip_want(writing->engine->gossip, writing->now, shard->id, op->path,
                    needs - (uint64_t)(rights.here > 0 ? rights.here : 0));
    if (!rights.who)
        return error_set(
            error, NEAP_NORIGHTS,
            "%s: %llu are needed, this node may use %lld of %lld, and no other has any", PLACE(op),
            (unsigned long long)needs, (long long)rights.here, (long long)rights.value);
    return error_set(
        error, NEAP_NORIGHTS,
        "%s: %llu are needed, this node may use %lld of %lld; most of the others (%lld) "
        "has replica %016llx",
        PLACE(op), (unsigned long long)needs, (long long)rights.here, (long long)rights.value,
        (long long)rights.most, (unsigned long long)rights.who);
}

/* A directory that is another one's copy gives up its old id before it spends. */
static int write_leave(struct writing *writing, const struct write_op *op, struct shard *shard)
{
    if (writing->engine->gossip || !op_info(op->op.kind)->spends || op->op.number > 0 ||
        !shard->leaving)
        return 0;
    return shard_redot(shard, writing->batch);
}

static int write_apply(struct writing *writing, struct write_op *op)
{
    struct store *store = &writing->engine->store;
    struct dot dot = {0};
    struct touched *touched = NULL;
    struct shard *shard;
    uint64_t events = 0;
    int error;

    error = write_shard(writing, op, &touched);
    if (error)
        return error;
    shard = touched->shard;
    error = write_leave(writing, op, shard);
    if (error)
        return error;
    if (op_info(op->op.kind)->stamped) {
        error = store_stamp(store, writing->batch, writing->now.wall_ms, &op->op.stamp);
        if (error)
            return error;
    }
    op->op.alone = !writing->engine->gossip && shard_is_alone(shard);
    op->op.earlier = context_get(&shard->context, shard->replica) - touched->mark.counter;
    if (op->op.ttl_ms)
        op->op.expires = store->expiry.clock + op->op.ttl_ms;
    if (op->prefix) {
        error =
            shard_remove(shard, writing->batch, writing->bucket_id, op->path, op->op.seen, &events);
        if (events)
            dot = (struct dot){shard->replica, context_get(&shard->context, shard->replica)};
    } else {
        error = shard_write(shard, writing->batch, writing->bucket_id, op->path, &op->op, &dot);
    }
    if (error == NEAP_LIMIT)
        return write_limit(writing, op, shard);
    if (error == NEAP_NORIGHTS)
        return write_no_rights(writing, op, shard);
    return error ? error : write_name(writing->write, shard, op, dot);
}

static void write_undo(struct writing *writing)
{
    struct store *store = &writing->engine->store;

    batch_rollback(writing->batch, writing->mark);
    store->hlc_reserved = writing->hlc_reserved;
    for (size_t i = 0; i < writing->count; i++) {
        struct touched *touched = &writing->touched[i];

        if (touched->made)
            store_forget(store, touched->id);
        else if (!BROKEN("undo-keeps-counter"))
            shard_rollback(touched->shard, touched->mark);
    }
    token_clear(&writing->write->token);
    token_done(&writing->write->awaited);
}

static int write_take_id(struct engine *engine, struct now now, uint64_t id, struct batch *batch)
{
    struct shard *shard;
    int error;

    if (engine->gossip)
        return gossip_before_write(engine->gossip, now, id, batch);
    shard = store_find(&engine->store, id);
    error = shard ? gossip_alone_before_write(shard, batch) : 0;
    if (error != NEAP_LIMIT && error != NEAP_CORRUPT)
        return error;
    engine_note(engine, error, "another replica id");
    engine->ids_stay = true; /* the write can do without */
    return 0;
}

/* Some shard is due for another replica id, which has to be taken before its first event here. */
static int write_take_ids(struct engine *engine, struct now now, struct write *write,
                          struct batch *batch)
{
    struct placed place, last = {.shard = ""};
    int error = 0;

    for (size_t i = 0; !error && i < write->count; i++) {
        error = write_place(engine, write, &write->ops[i], &place);
        if (error || !strcmp(last.shard, place.shard))
            continue;
        last = place;
        error = write_take_id(engine, now, bucket_id(place.shard), batch);
    }
    if (!error && !engine->gossip)
        engine->ids_due = false;
    return error;
}

/* Nobody asks a node without peers for its log: whoever joins later compares. */
static void write_cut_logs(const struct writing *writing)
{
    struct engine *engine = writing->engine;
    bool cut;

    for (size_t i = 0; i < writing->count; i++) {
        struct shard *shard = writing->touched[i].shard;
        int error = gossip_cut_early(shard, writing->batch, engine->log_max, &cut);

        if (error)
            engine_note(engine, error, "a log to be cut");
        if (!engine->ids_stay && gossip_alone_is_due(shard))
            engine->ids_due = true;
    }
}

/* What a write names leaves the node, so it must be durable first (rule 8). */
static void write_wants_sync(struct engine *engine, const struct write *write)
{
    if ((!write->nosync || write->want_token || write->level >= NEAP_QUORUM) &&
        !BROKEN("answer-unsynced"))
        engine->wants_sync = true;
}

static int write_check_cover(const struct engine *engine, struct write *write)
{
    struct placed place, last = {.shard = ""};
    int error = 0;

    for (size_t i = 0; !error && i < write->count && write->level >= NEAP_QUORUM; i++) {
        error = write_place(engine, write, &write->ops[i], &place);
        if (error || !strcmp(last.shard, place.shard))
            continue;
        last = place;
        error = cover_check(engine, write->level, place.shard, &write->error);
    }
    return error;
}

static void write_told(struct engine *engine, const struct write *write, uint64_t shard)
{
    gossip_touched(engine->gossip, shard);
    if (write->level >= NEAP_QUORUM)
        gossip_awaited(engine->gossip, shard);
}

int engine_write(struct engine *engine, struct now now, struct write *write, struct batch *batch)
{
    struct writing writing;
    struct digest ops = {0};
    bool repeat = false;
    int error;

    write->not_here = false;
    error = write_check(write, &write->error);
    if (!error && write->once.size)
        error = write_recall(engine, write, batch, &ops, &repeat);
    if (repeat) {
        engine->counts.repeats++;
        write_wants_sync(engine, write);
        return 0;
    }
    if (!error)
        error = write_check_cover(engine, write);
    if (!error && (engine->gossip ? gossip_has_due(engine->gossip) : engine->ids_due))
        error = write_take_ids(engine, now, write, batch);
    if (error)
        return error;
    /* Not `= {0}`: `touched` is large, and only its first few are ever looked at. */
    writing.engine = engine;
    writing.write = write;
    writing.batch = batch;
    writing.now = now;
    writing.count = 0;
    writing.last = NULL;
    writing.bucket = NULL;
    writing.hlc_reserved = engine->store.hlc_reserved;
    writing.mark = batch_set_mark(batch);
    write->error.code = 0;
    for (size_t i = 0; !error && i < write->count; i++) {
        error = write_apply(&writing, &write->ops[i]);
        if (error)
            write_error(&writing, &write->ops[i], error);
    }
    if (!error && (write->want_token || write->once.size) && !token_fits(&write->token))
        error =
            error_set(&write->error, NEAP_LIMIT,
                      "the token would have to name all that is known of too many buckets (more "
                      "than %d KiB): remove in parts",
                      TOKEN_SIZE_MAX >> 10);
    if (!error && write->once.size)
        error = write_remember(write, batch, ops);
    if (error) {
        write_undo(&writing);
    } else {
        engine->counts.writes++;
    }
    for (size_t i = 0; !error && engine->gossip && i < writing.count; i++)
        write_told(engine, write, writing.touched[i].id);
    if (!error)
        write_wants_sync(engine, write);
    batch_forget(batch);
    if (!error && !engine->gossip)
        write_cut_logs(&writing);
    return error;
}
