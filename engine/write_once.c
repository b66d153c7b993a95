/* Writes that their callers gave an id: what is remembered of them (store/once.h), and how a repeat
 * is answered. */
#include "base/error.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "store/once.h"

/* Of all that a client asks for. What is not part of it: when, how durable, how long. */
static int ops_digest(const struct write *write, struct digest *ret_ops)
{
    static const struct hash_key key;
    struct buffer bytes;
    struct writer writer;

    buffer_init(&bytes, REQUEST_SIZE_MAX);
    writer_init(&writer, &bytes);
    request_ops_write(&writer, write->ops, write->count);
    if (!writer.error)
        *ret_ops = hash_128(&key, buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}

static int names_decode(struct write *write, const struct once_record *record)
{
    int error = 0;

    if (write->want_token)
        error = token_decode(record->token, &write->token);
    if (!error && write->level >= NEAP_QUORUM)
        error =
            token_decode(record->awaited.size ? record->awaited : record->token, &write->awaited);
    if (!error)
        return 0;
    token_clear(&write->token);
    return error_set(&write->error, error == NEAP_NOMEM ? error : NEAP_CORRUPT,
                     "once: what is remembered of this id cannot be read: %s", error_text(error));
}

/* An id that is not known here: can it have been done all the same? */
static int name_check(const struct engine *engine, const struct view *view, struct write *write)
{
    struct neap_error *error = &write->error;
    struct once_name name;
    uint64_t first, next;
    int code;

    if (!once_name_read(write->once, &name))
        return 0;
    if (name.life != engine->store.identity.life)
        return error_set(error, NEAP_STALE,
                         "once: another node gave this id, or this one before it was copied, "
                         "restored or damaged: whether the write was done is not known here");
    code = once_numbers(view, &first, &next);
    if (code)
        return error_set(error, code, "once: what is remembered cannot be read: %s",
                         error_text(code));
    if (name.number < first || name.number > next)
        return error_set(
            error, NEAP_STALE,
            "once: %d ids or more came since this one was given: whether the write was "
            "done may be forgotten here",
            NEAP_ONCE_COUNT);
    return 0;
}

int write_recall(const struct engine *engine, struct write *write, const struct batch *batch,
                 struct digest *ret_ops, bool *ret_repeat)
{
    struct view view = batch_view(batch);
    struct once_record record;
    struct buffer bytes;
    int error;

    buffer_init(&bytes, ONCE_RECORD_MAX);
    error = ops_digest(write, ret_ops);
    if (error == NEAP_LIMIT)
        error = error_set(&write->error, error, "once: operations of more than %d MiB",
                          REQUEST_SIZE_MAX >> 20);
    if (!error)
        error = once_find(&view, write->once, &bytes, &record);
    if (error == NEAP_NOTFOUND) {
        buffer_done(&bytes);
        *ret_repeat = false;
        return name_check(engine, &view, write);
    }
    if (!error && !digest_equal(record.ops, *ret_ops))
        error = error_set(&write->error, NEAP_INVALID,
                          "once: this id was given to another write, of other operations");
    if (!error)
        error = names_decode(write, &record);
    *ret_repeat = !error;
    buffer_done(&bytes);
    return error;
}

int write_remember(struct write *write, struct batch *batch, struct digest ops)
{
    struct once_record record = {.ops = ops};
    struct buffer token, awaited;
    int error;

    buffer_init(&token, TOKEN_SIZE_MAX);
    buffer_init(&awaited, TOKEN_SIZE_MAX);
    error = token_encode(&write->token, &token);
    if (!error)
        error = token_encode(&write->awaited, &awaited);
    record.token = buffer_slice(&token);
    if (!slice_equal(buffer_slice(&token), buffer_slice(&awaited)))
        record.awaited = buffer_slice(&awaited);
    if (!error)
        error = once_keep(batch, &once_limits, write->once, &record);
    buffer_done(&token);
    buffer_done(&awaited);
    if (error)
        return error_set(&write->error, error, "once: the id cannot be kept: %s",
                         error_text(error));
    if (!write->want_token)
        token_done(&write->token);
    if (write->level < NEAP_QUORUM)
        token_done(&write->awaited);
    return 0;
}
