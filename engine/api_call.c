/* What every public call begins and ends with: options, tokens, places, the caller's buffers. */
#include "engine/api.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/quorum.h"
#include "store/store.h"

/* No struct of ours will ever be as large: one that says so was not initialised. */
enum { STRUCT_SIZE_MAX = 4096 };
/* Of a place, before an error: of its key, and of all of it. */
enum { PLACE_KEY_MAX = 32, PLACE_NAME_MAX = 96 };

struct slice api_slice(struct neap_bytes bytes)
{
    return slice_of(bytes.data, bytes.size);
}

/* A struct of the caller over one of ours. It may be of an older header and shorter, or of a newer
 * one and longer, if what we do not know in it is zero. */
int api_struct(void *ret_ours, size_t ours_size, const void *theirs, const char *name,
               struct neap_error *error)
{
    const uint8_t *bytes = theirs;
    size_t size, i;

    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size || size > STRUCT_SIZE_MAX || size % sizeof(void *))
        return error_set(error, NEAP_INVALID, "%s.size is %zu: set it to sizeof (struct neap_%s)",
                         name, size, name);
    for (i = ours_size; i < size; i++)
        if (bytes[i])
            return error_set(error, NEAP_INVALID,
                             "%s: set a field that this library (%s) is too old for", name,
                             PACKAGE_VERSION);
    memcpy(ret_ours, theirs, size < ours_size ? size : ours_size);
    return 0;
}

/* All owners count, and nobody stands in for one: so of two numbers the larger is the one. */
static unsigned call_nodes(const struct neap_call *call)
{
    unsigned r = call->r > call->pr ? call->r : call->pr;
    unsigned w = call->w > call->pw ? call->w : call->pw;

    return r > w ? r : w;
}

static int level_take(struct api *api, unsigned accepts)
{
    enum neap_level level = api->call.level;

    if ((unsigned)level > NEAP_SESSION)
        return error_set(api->error, NEAP_INVALID, "call.level: %u is none", (unsigned)level);
    if (level == NEAP_SESSION && (accepts & API_WAIT))
        return error_set(api->error, NEAP_INVALID, "call.level: SESSION waits for no token");
    if (level == NEAP_SESSION && api->call.submit)
        return error_set(api->error, NEAP_INVALID,
                         "call.level: what is submitted is of no SESSION before it is done");
    if (level >= NEAP_QUORUM && !(accepts & (API_WRITE | API_LEVEL | API_WAIT)))
        return error_set(api->error, NEAP_REFUSED,
                         "call.level: this function answers from one node");
    if (level && call_nodes(&api->call))
        return error_set(api->error, NEAP_INVALID,
                         "call.level and a number of nodes (r, w, pr, pw): give one of both");
    if (call_nodes(&api->call))
        api->call.level = level_of_nodes(call_nodes(&api->call));
    return 0;
}

/* What does not belong to this function is refused, so that nobody relies on it in vain. */
static int fields_check(const struct api *api, unsigned accepts)
{
    const struct neap_call *call = &api->call;
    const char *field = NULL;

    if (call->batch && !(accepts & API_BATCH))
        field = "batch";
    else if (call->seen.size && !(accepts & API_SEEN))
        field = "seen";
    else if (call->resume.size && !(accepts & API_RESUME))
        field = "resume";
    else if (call->after.size && !(accepts & API_AFTER))
        field = "after";
    else if (call->ret_token && !(accepts & API_TOKEN))
        field = "ret_token";
    else if (call->submit && !(accepts & API_WRITE))
        field = "submit";
    else if (call->flags && !(accepts & API_WRITE))
        field = "flags";
    else if (call->once.size && !(accepts & API_WRITE))
        field = "once";
    else if (call->ttl_ms && !(accepts & API_TTL))
        field = "ttl_ms";
    else if ((call->r || call->pr) && !(accepts & API_LEVEL))
        field = call->r ? "r" : "pr";
    else if ((call->w || call->pw) && !(accepts & (API_WRITE | API_WAIT)))
        field = call->w ? "w" : "pw";
    if (field)
        return error_set(api->error, NEAP_INVALID, "call.%s means nothing to this function", field);
    if (call->ttl_ms > NEAP_TTL_MS_MAX)
        return error_set(api->error, NEAP_LIMIT, "call.ttl_ms: %llu, the limit is %llu",
                         (unsigned long long)call->ttl_ms, (unsigned long long)NEAP_TTL_MS_MAX);
    if (call->flags & ~(unsigned)NEAP_NOSYNC)
        return error_set(api->error, NEAP_INVALID, "call.flags: 0x%x; only NEAP_NOSYNC is known",
                         call->flags);
    if (call->batch && (call->after.size || call->ret_token || call->submit || call->level ||
                        call->w || call->pw || call->flags || call->once.size))
        return error_set(api->error, NEAP_INVALID,
                         "call.batch: level, w, pw, after, ret_token, submit, flags and once are "
                         "for neap_batch_commit()");
    return 0;
}

static int token_take(struct api *api, const char *field, struct neap_bytes bytes,
                      struct token *token)
{
    int code;

    if (!bytes.size)
        return 0;
    if (!bytes.data)
        return error_set(api->error, NEAP_INVALID, "call.%s: %zu bytes at NULL", field, bytes.size);
    code = token_decode(api_slice(bytes), token);
    if (code == NEAP_NOMEM)
        return api_failed(api, code, NULL);
    if (code == NEAP_FORMAT)
        return error_set(api->error, NEAP_INVALID,
                         "call.%s: the token is of another version of the program than this (%s): "
                         "use the newer one here as well",
                         field, PACKAGE_VERSION);
    if (code)
        return error_set(api->error, NEAP_INVALID, "call.%s: these %zu bytes are not a token",
                         field, bytes.size);
    return 0;
}

int api_begin(struct api *api, struct neap *neap, const struct neap_call *call, unsigned accepts)
{
    int error = 0;

    api->neap = neap;
    api->call = (struct neap_call){.size = sizeof *call};
    api->error = NULL;
    token_init(&api->after);
    token_init(&api->seen);
    api->path =
        (struct buffer){.data = api->path_bytes, .room = NEAP_PATH_MAX, .size_max = NEAP_PATH_MAX};
    if (call)
        error = api_struct(&api->call, sizeof api->call, call, "call", NULL);
    if (error)
        return error;
    api->error = api->call.ret_error;
    if (!neap)
        return error_set(api->error, NEAP_INVALID, "neap is NULL: open or connect first");
    if (!api->call.timeout_ms && !(accepts & API_LONG))
        api->call.timeout_ms = NEAP_TIMEOUT_MS;
    error = fields_check(api, accepts);
    if (!error)
        error = api_bytes(api, "call.once (NEAP_ONCE_MAX)", api->call.once, NEAP_ONCE_MAX);
    if (!error)
        error = level_take(api, accepts);
    if (!error)
        error = token_take(api, "after", api->call.after, &api->after);
    if (!error)
        error = token_take(api, "seen", api->call.seen, &api->seen);
    if (!error && (accepts & API_WRITE) && (neap->flags & NEAP_READONLY))
        error =
            error_set(api->error, NEAP_REFUSED, "opened with NEAP_READONLY: nothing is written");
    return error;
}

void api_end(struct api *api)
{
    token_done(&api->after);
    token_done(&api->seen);
}

/* "bucket/key", cut where it is long; nothing when there is none. */
static void place_name(const struct neap_place *at, char ret_text[PLACE_NAME_MAX])
{
    uint8_t bytes[3 * PLACE_NAME_MAX];
    struct buffer path = {.data = bytes, .room = sizeof bytes, .size_max = sizeof bytes};
    struct neap_place cut = {0};
    char key[PLACE_NAME_MAX / 2];

    ret_text[0] = 0;
    if (!at || !at->bucket || !at->key.data || !at->key.size)
        return;
    cut.key = at->key;
    if (cut.key.size > PLACE_KEY_MAX)
        cut.key.size = PLACE_KEY_MAX;
    if (path_place(&path, &cut, NEAP_ANY))
        return;
    path_text(buffer_slice(&path), key, sizeof key);
    snprintf(ret_text, PLACE_NAME_MAX, "%.40s/%s", at->bucket, key);
}

int api_end_at(struct api *api, const struct neap_place *at, int error)
{
    char name[PLACE_NAME_MAX], said[sizeof api->error->text];
    bool cut = at && at->key.size > PLACE_KEY_MAX;

    api_end(api);
    if (!error || !api->error || api->error->code != error)
        return error;
    place_name(at, name);
    if (!name[0] || !strncmp(api->error->text, name, strlen(name)))
        return error;
    memcpy(said, api->error->text, sizeof said);
    return error_set(api->error, error, "%s%s: %s", name, cut ? "..." : "", said);
}

const struct token *api_after(const struct api *api)
{
    return api->call.after.size ? &api->after : NULL;
}

int api_failed(struct api *api, int code, const struct neap_error *error)
{
    const char *text = error && error->text[0] ? error->text : error_text(code);

    return error_set(api->error, code, "%s", text);
}

int api_read_failed(struct api *api, int code, const struct neap_error *error)
{
    return api_failed(api, code == NEAP_UNCERTAIN ? NEAP_UNAVAILABLE : code, error);
}

int api_bucket(struct api *api, const char *bucket)
{
    size_t size;

    if (!bucket)
        return error_set(api->error, NEAP_INVALID, "the bucket is NULL");
    size = strnlen(bucket, NEAP_BUCKET_MAX + 1);
    if (size > NEAP_BUCKET_MAX)
        return error_set(api->error, NEAP_LIMIT,
                         "the bucket's name has more than %d bytes (NEAP_BUCKET_MAX)",
                         NEAP_BUCKET_MAX);
    if (bucket[0] == '_')
        return error_set(api->error, NEAP_REFUSED,
                         "bucket \"%.40s\": names that begin with '_' are neap's own", bucket);
    if (bucket_name_check(bucket))
        return error_set(api->error, NEAP_INVALID,
                         "bucket \"%.40s\": a name is 1 to %d bytes of printable UTF-8 without '/'",
                         bucket, NEAP_BUCKET_MAX);
    return 0;
}

int api_type(struct api *api, unsigned type)
{
    char names[TYPES_TEXT_MAX];

    if (type_find(type))
        return 0;
    type_names(", ", names, sizeof names);
    return error_set(api->error, NEAP_INVALID, "type: %u is none of %s", type, names);
}

int api_bytes(struct api *api, const char *what, struct neap_bytes bytes, size_t size_max)
{
    if (bytes.size && !bytes.data)
        return error_set(api->error, NEAP_INVALID, "%s: %zu bytes at NULL", what, bytes.size);
    if (bytes.size > size_max)
        return error_set(api->error, NEAP_LIMIT, "%s: %zu bytes, the limit is %zu", what,
                         bytes.size, size_max);
    return 0;
}

static int path_failed(struct api *api, int code)
{
    if (code == NEAP_LIMIT)
        return error_set(api->error, code,
                         "key, fields and element make a path of more than %d bytes "
                         "(NEAP_PATH_MAX): each counts 3 more than its size, a zero byte 2",
                         NEAP_PATH_MAX);
    return api_failed(api, code, NULL);
}

int api_place(struct api *api, const struct neap_place *at, unsigned type)
{
    size_t i;
    int error;

    if (!at)
        return error_set(api->error, NEAP_INVALID, "the place is NULL");
    error = api_bucket(api, at->bucket);
    if (!error)
        error = api_bytes(api, "the key (NEAP_KEY_MAX)", at->key, NEAP_KEY_MAX);
    if (!error && type)
        error = api_type(api, type);
    if (error)
        return error;
    if (!at->key.size)
        return error_set(api->error, NEAP_INVALID, "the key is empty");
    if (at->fields_count && !at->fields)
        return error_set(api->error, NEAP_INVALID, "fields is NULL, fields_count %zu",
                         at->fields_count);
    if (at->fields_count >= NEAP_DEPTH_MAX)
        return error_set(api->error, NEAP_LIMIT,
                         "%zu fields: a place has at most %d, the key being the first of %d levels "
                         "(NEAP_DEPTH_MAX)",
                         at->fields_count, NEAP_DEPTH_MAX - 1, NEAP_DEPTH_MAX);
    for (i = 0; i < at->fields_count && !error; i++)
        error = api_bytes(api, "a field (NEAP_KEY_MAX)", at->fields[i], NEAP_KEY_MAX);
    if (error)
        return error;
    error = path_place(&api->path, at, type);
    return error ? path_failed(api, error) : 0;
}

int api_element(struct api *api, const struct neap_place *at, unsigned type,
                struct neap_bytes element)
{
    int error;

    error = api_place(api, at, type);
    if (!error)
        error = api_bytes(api, "the element (NEAP_PATH_MAX)", element, NEAP_PATH_MAX);
    if (error)
        return error;
    error = path_element(&api->path, api_slice(element));
    return error ? path_failed(api, error) : 0;
}

int api_reserve(struct neap_buffer *buffer, size_t size)
{
    void *data;

    if (buffer->data && buffer->room > size)
        return 0;
    data = mem_resize(buffer->data, size + 1);
    if (!data)
        return NEAP_NOMEM;
    buffer->data = data;
    buffer->room = size + 1;
    return 0;
}

void api_fill(struct neap_buffer *buffer, struct slice bytes)
{
    uint8_t *data = buffer->data;

    must(buffer->room > bytes.size);
    if (bytes.size)
        memcpy(data, bytes.data, bytes.size);
    data[bytes.size] = 0;
    buffer->size = bytes.size;
}

int api_give(struct api *api, struct neap_buffer *buffer, struct slice bytes)
{
    int error;

    error = api_reserve(buffer, bytes.size);
    if (error)
        return api_failed(api, error, NULL);
    api_fill(buffer, bytes);
    return 0;
}

int api_give_token(struct api *api, const struct token *token)
{
    struct buffer bytes;
    int error;

    if (!api->call.ret_token)
        return 0;
    buffer_init(&bytes, TOKEN_SIZE_MAX);
    error = token_encode(token, &bytes);
    if (error)
        error = api_failed(api, error, NULL);
    else
        error = api_give(api, api->call.ret_token, buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}
