/* 'C' [shard]  [version, peer, replica id, past the cells?, cursor, start, seen, target, horizon]
 */
#include "store/session_keep.h"

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "store/keys.h"

enum { SESSION_VERSION = 1, SESSION_FIELDS = 9, SESSION_SIZE_MAX = 1 << 20 };

int session_keep(struct shard *shard, struct batch *batch, const struct session_next *next)
{
    static const struct context none;
    const struct compare_session *session = &shard->session;
    struct buffer bytes;
    struct writer writer;
    struct key key;

    if (session->peer == 0)
        return 0;
    buffer_init(&bytes, SESSION_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, SESSION_FIELDS);
    write_u64(&writer, SESSION_VERSION);
    write_u64(&writer, session->peer);
    write_u64(&writer, session->replica);
    write_u64(&writer, next->changed ? 1 : 0);
    write_bin(&writer, next->cursor);
    context_write(&writer, &session->start);
    context_write(&writer, next->changed ? next->seen : &none);
    context_write(&writer, next->changed ? next->target : &none);
    context_write(&writer, next->changed ? next->horizon : &none);
    key_session(&key, shard->id);
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    if (!writer.error)
        shard->session.kept = true;
    return writer.error;
}

static void drop_undo(void *arg, const void *note)
{
    struct shard *shard = arg;

    (void)note;
    shard->session.kept = true;
}

int session_drop(struct shard *shard, struct batch *batch)
{
    struct key key;
    int error;

    if (!shard->session.kept || BROKEN("session-stays"))
        return 0;
    key_session(&key, shard->id);
    error = batch_delete(batch, DISK_META, key_slice(&key));
    if (!error)
        error = batch_add_undo(batch, drop_undo, shard, slice_of(NULL, 0));
    if (!error)
        shard->session.kept = false;
    return error;
}

static int session_read(struct slice bytes, struct compare_session *session)
{
    struct reader reader;
    uint64_t changed;
    struct slice cursor;

    reader_init(&reader, bytes);
    read_array_of(&reader, SESSION_FIELDS);
    if (read_u64(&reader) != SESSION_VERSION)
        return NEAP_FORMAT;
    session->peer = read_u64(&reader);
    session->replica = read_u64(&reader);
    changed = read_u64(&reader);
    cursor = read_bin(&reader, KEY_CURSOR_MAX);
    (void)context_read(&reader, &session->start); /* its error sticks in the reader */
    (void)context_read(&reader, &session->seen);
    (void)context_read(&reader, &session->target);
    (void)context_read(&reader, &session->horizon);
    if (changed > 1 || session->peer == 0 || (changed == 0 && cursor.size == 0))
        reader_fail(&reader, NEAP_INVALID);
    if (!reader_end(&reader) && changed == 0)
        reader_fail(&reader, context_copy(&session->seen, &session->start));
    if (!reader_end(&reader))
        reader_fail(&reader, buffer_set(&session->cursor, cursor));
    session->phase = changed == 0                                       ? COMPARE_CELLS
                     : context_covers(&session->seen, &session->target) ? COMPARE_DONE
                                                                        : COMPARE_CHANGED;
    return reader_end(&reader);
}

int session_load(struct shard *shard, const struct view *view, bool same_life)
{
    struct buffer bytes;
    struct key key;
    int error;

    buffer_init(&bytes, SESSION_SIZE_MAX);
    key_session(&key, shard->id);
    error = view_get(view, DISK_META, key_slice(&key), &bytes);
    shard->session.kept = !error;
    if (!error && same_life) {
        error = session_read(buffer_slice(&bytes), &shard->session);
        if (error)
            shard_compare_stop(shard);
        else
            shard->session.id = SESSION_KEPT;
    }
    buffer_done(&bytes);
    return error == NEAP_NOTFOUND || error == NEAP_FORMAT || error == NEAP_INVALID ? 0 : error;
}
