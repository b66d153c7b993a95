#include "engine/node_session.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/place.h"
#include "store/store.h"

enum { CLASSES = 64 };

struct session {
    struct backend backend; /* first */
    struct backend *inner;
    pthread_mutex_t lock;
    struct token classes[CLASSES];
};

static struct session *session_of(struct backend *backend)
{
    return (struct session *)backend;
}

/* A mesh bucket is one shard. Of a ring's bucket the key says which slot it is: keys of one slot
 * are in one class, since a class is a slot of a ring that has so few. */
static size_t class_of(const char *bucket, struct slice path)
{
    static const struct ring few = {.slots = CLASSES};
    uint8_t key[NEAP_KEY_MAX];
    struct slice ring;
    size_t size = 0;

    if (bucket_ring(bucket, &ring) && place_key(path, key, &size))
        size = 0; /* it is no place; whoever is asked says so */
    return ring_slot(&few, bucket_id(bucket), slice_of(key, size));
}

static int token_add(struct token *token, const struct token *more)
{
    int code = 0;

    for (size_t i = 0; !code && i < more->count; i++)
        code = token_join(token, more->parts[i].shard, &more->parts[i].context);
    return code;
}

/* What the next read of that class has to wait for: appended. */
static int session_tell(struct session *session, size_t class, struct token *token)
{
    int code;

    pthread_mutex_lock(&session->lock);
    code = token_add(token, &session->classes[class]);
    pthread_mutex_unlock(&session->lock);
    return code;
}

static int session_keep(struct session *session, size_t class, const struct token *token)
{
    int code;

    if (BROKEN("session-forgets"))
        return 0;
    pthread_mutex_lock(&session->lock);
    code = token_add(&session->classes[class], token);
    pthread_mutex_unlock(&session->lock);
    return code;
}

static int session_failed(int code, struct neap_error *error)
{
    if (code == NEAP_LIMIT)
        return error_set(error, code,
                         "level SESSION: this handle has used too many buckets at it: open another "
                         "one, or keep tokens (call.after)");
    return error_set(error, code, "level SESSION: %s", error_text(code));
}

/* ---- writes ---- */

/* Before anything is done: is there room for what it will be called? */
static int session_room(struct session *session, const struct write *write)
{
    size_t more = write->count < TOKEN_PARTS_MAX ? write->count : TOKEN_PARTS_MAX, most = 0;

    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < write->count; i++) {
        size_t class = class_of(write->ops[i].bucket, write->ops[i].path);

        if (session->classes[class].count > most)
            most = session->classes[class].count;
    }
    pthread_mutex_unlock(&session->lock);
    return most + more > TOKEN_PARTS_MAX ? NEAP_LIMIT : 0;
}

static int session_write(struct backend *backend, struct write *write)
{
    struct session *session = session_of(backend);
    bool want_token = write->want_token;
    int code;

    if (write->level != NEAP_SESSION)
        return session->inner->ops->write(session->inner, write);
    code = session_room(session, write);
    if (code)
        return session_failed(code, &write->error);
    write->level = NEAP_ONE;
    write->want_token = true;
    code = session->inner->ops->write(session->inner, write);
    write->want_token = want_token;
    for (size_t i = 0; !code && i < write->count; i++) {
        if (session_keep(session, class_of(write->ops[i].bucket, write->ops[i].path),
                         &write->token))
            code = error_set(&write->error, NEAP_UNCERTAIN,
                             "level SESSION: it is written, but there is no memory to know it by");
    }
    if (code || !want_token)
        token_clear(&write->token);
    return code;
}

/* ---- reads ---- */

/* What it has to wait for; to be done with. */
static int session_after(struct session *session, size_t class, const struct token *given,
                         struct token *ret_after)
{
    int code = session_tell(session, class, ret_after);

    if (!code && given) {
        code = token_add(ret_after, given);
        ret_after->ticket = given->ticket;
    }
    return code;
}

/* What it has seen; `code` is how it ended. */
static int session_seen(struct session *session, size_t class, int code, bool want_token,
                        struct token *token, struct neap_error *error)
{
    if (!code) {
        code = session_keep(session, class, token);
        if (code)
            session_failed(code, error);
    }
    if (code || !want_token)
        token_clear(token);
    return code;
}

static int session_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct session *session = session_of(backend);
    const struct token *given = read->after;
    bool want_token = read->want_token;
    struct token after;
    size_t class;
    int code;

    if (read->level != NEAP_SESSION)
        return session->inner->ops->read(session->inner, read, ret_cell);
    class = class_of(read->bucket, read->path);
    token_init(&after);
    code = session_after(session, class, given, &after);
    if (code) {
        token_done(&after);
        return session_failed(code, &read->error);
    }
    read->level = NEAP_ONE;
    read->want_token = true;
    read->after = after.count || after.ticket ? &after : NULL;
    code = session->inner->ops->read(session->inner, read, ret_cell);
    read->after = given;
    read->want_token = want_token;
    token_done(&after);
    return session_seen(session, class, code, want_token, &read->token, &read->error);
}

static int session_page(struct backend *backend, struct page_request *request,
                        struct page *ret_page)
{
    struct session *session = session_of(backend);
    const struct token *given = request->after;
    bool want_token = request->want_token;
    struct token after;
    struct slice ring;
    size_t class;
    int code;

    if (request->level != NEAP_SESSION)
        return session->inner->ops->page(session->inner, request, ret_page);
    if (!request->path.size && bucket_ring(request->bucket, &ring))
        return error_set(&request->error, NEAP_REFUSED,
                         "%.60s: the keys of a ring's bucket are of all its slots, which no "
                         "SESSION follows",
                         request->bucket);
    class = class_of(request->bucket, request->path);
    token_init(&after);
    code = session_after(session, class, given, &after);
    if (code) {
        token_done(&after);
        return session_failed(code, &request->error);
    }
    request->level = NEAP_ONE;
    request->want_token = true;
    request->after = after.count || after.ticket ? &after : NULL;
    code = session->inner->ops->page(session->inner, request, ret_page);
    request->after = given;
    request->want_token = want_token;
    token_done(&after);
    return session_seen(session, class, code, want_token, &request->token, &request->error);
}

/* ---- what is of no session ---- */

static int session_sync(struct backend *backend)
{
    struct backend *inner = session_of(backend)->inner;

    return inner->ops->sync(inner);
}

static int session_wait(struct backend *backend, const struct token *token, enum neap_level level,
                        uint32_t timeout_ms, struct neap_error *error)
{
    struct backend *inner = session_of(backend)->inner;

    return inner->ops->wait(inner, token, level, timeout_ms, error);
}

static int session_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                        struct neap_error *error)
{
    struct backend *inner = session_of(backend)->inner;

    return inner->ops->once(inner, timeout_ms, ret_id, error);
}

static int session_admin(struct backend *backend, int argc, const char *const argv[],
                         struct buffer *ret_json, struct neap_error *error)
{
    struct backend *inner = session_of(backend)->inner;

    return inner->ops->admin(inner, argc, argv, ret_json, error);
}

static int session_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                          struct buffer *ret_json, struct neap_error *error)
{
    struct backend *inner = session_of(backend)->inner;

    return inner->ops->backup(inner, directory, timeout_ms, ret_json, error);
}

static void session_close(struct backend *backend)
{
    struct session *session = session_of(backend);

    session->inner->ops->close(session->inner);
    for (size_t i = 0; i < CLASSES; i++)
        token_done(&session->classes[i]);
    pthread_mutex_destroy(&session->lock);
    mem_free(session);
}

struct backend *session_inner(struct backend *backend)
{
    return session_of(backend)->inner;
}

static const struct backend_ops session_ops = {.write = session_write,
                                               .read = session_read,
                                               .page = session_page,
                                               .sync = session_sync,
                                               .wait = session_wait,
                                               .once = session_once,
                                               .admin = session_admin,
                                               .backup = session_backup,
                                               .close = session_close};

int session_open(struct backend *inner, struct backend **ret_backend)
{
    struct session *session = mem_new(sizeof *session);

    if (!session)
        return NEAP_NOMEM;
    if (pthread_mutex_init(&session->lock, NULL)) {
        mem_free(session);
        return NEAP_NOMEM;
    }
    session->backend.ops = &session_ops;
    session->inner = inner;
    for (size_t i = 0; i < CLASSES; i++)
        token_init(&session->classes[i]);
    *ret_backend = &session->backend;
    return 0;
}
