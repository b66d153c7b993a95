/* The server's side of the client protocol: a request in, its reply out. */
#include "engine/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/quorum.h"
#include "gossip/layout.h"

/* A request on its way, and what is to be said about it. */
struct serving {
    struct backend *backend;
    struct reader reader;
    struct writer writer; /* the reply */
    struct neap_error error;
};

static void reply_begin(struct serving *serving, uint32_t more)
{
    write_array(&serving->writer, 2 + more);
    write_i64(&serving->writer, 0);
    write_str(&serving->writer, "");
}

static void reply_token(struct serving *serving, const struct token *token)
{
    struct buffer bytes;
    int error;

    buffer_init(&bytes, TOKEN_SIZE_MAX);
    error = token_encode(token, &bytes);
    if (error && !serving->writer.error)
        serving->writer.error = error;
    write_bin(&serving->writer, buffer_slice(&bytes));
    buffer_done(&bytes);
}

static enum neap_level read_level(struct reader *reader)
{
    uint64_t level = read_u64(reader);

    if (!level_is_one(level))
        reader_fail(reader, NEAP_INVALID);
    return reader->error ? NEAP_BUCKET_DEFAULT : (enum neap_level)level;
}

static uint32_t read_timeout(struct reader *reader)
{
    uint64_t timeout_ms = read_u64(reader);

    return timeout_ms < REQUEST_TIMEOUT_MS_MAX ? (uint32_t)timeout_ms : REQUEST_TIMEOUT_MS_MAX;
}

/* An empty string is no token: *ret_given tells. */
static void read_token(struct reader *reader, struct token *token, bool *ret_given)
{
    struct slice bytes = read_bin(reader, TOKEN_SIZE_MAX);

    *ret_given = bytes.size > 0;
    if (bytes.size)
        reader_fail(reader, token_decode(bytes, token));
}

/* A name with a zero after it; the size of `name` is NEAP_BUCKET_MAX + 1. */
static void read_bucket(struct reader *reader, char *name)
{
    struct slice text = read_str(reader, NEAP_BUCKET_MAX);

    if (text.size && memchr(text.data, 0, text.size))
        reader_fail(reader, NEAP_INVALID);
    if (text.size && !reader->error)
        memcpy(name, text.data, text.size);
    name[reader->error ? 0 : text.size] = 0;
}

/* Each of these decodes the rest of its request, runs it, and begins a reply when it went well.
 * Its error is the request's. */
static int serve_hello(struct serving *serving)
{
    uint64_t oldest = read_u64(&serving->reader), newest = read_u64(&serving->reader);
    int error = reader_end(&serving->reader);

    if (error)
        return error;
    if (oldest > REQUEST_VERSION || newest < REQUEST_VERSION_MIN || oldest > newest)
        return error_set(&serving->error, NEAP_FORMAT,
                         "the client speaks versions %u to %u of the protocol, this node (%s) %d "
                         "to %d: upgrade the older one",
                         (unsigned)oldest, (unsigned)newest, PACKAGE_VERSION, REQUEST_VERSION_MIN,
                         REQUEST_VERSION);
    reply_begin(serving, 2);
    write_u64(&serving->writer, newest < REQUEST_VERSION ? newest : REQUEST_VERSION);
    write_str(&serving->writer, PACKAGE_VERSION);
    return 0;
}

static int serve_write(struct serving *serving)
{
    struct reader *reader = &serving->reader;
    struct request_ops ops = {0};
    struct write write = {0};
    uint64_t flags;
    int error;

    request_ops_read(reader, &ops);
    flags = read_u64(reader);
    write.ops = ops.ops;
    write.count = ops.count;
    write.nosync = flags & REQUEST_NOSYNC;
    write.submit = flags & REQUEST_SUBMIT;
    write.want_token = flags & REQUEST_WANT_TOKEN;
    write.level = read_level(reader);
    write.timeout_ms = read_timeout(reader);
    write.once = read_bin(reader, NEAP_ONCE_MAX);
    token_init(&write.token);
    error = reader_end(reader);
    if (!error) {
        error = serving->backend->ops->write(serving->backend, &write);
        serving->error = write.error;
    }
    if (!error) {
        reply_begin(serving, 1);
        reply_token(serving, &write.token);
    }
    token_done(&write.token);
    request_ops_done(&ops);
    return error;
}

static int serve_read(struct serving *serving)
{
    struct reader *reader = &serving->reader;
    char bucket[NEAP_BUCKET_MAX + 1];
    struct read read = {.bucket = bucket};
    struct token after;
    struct buffer cell;
    uint64_t flags;
    bool given;
    int error;

    token_init(&after);
    token_init(&read.token);
    buffer_init(&cell, CELL_SIZE_MAX);
    read_bucket(reader, bucket);
    read.path = read_bin(reader, NEAP_PATH_MAX);
    read_token(reader, &after, &given);
    read.after = given ? &after : NULL;
    flags = read_u64(reader);
    read.want_token = flags & REQUEST_WANT_TOKEN;
    read.rights = flags & REQUEST_RIGHTS;
    read.level = read_level(reader);
    read.timeout_ms = read_timeout(reader);
    error = reader_end(reader);
    if (!error) {
        error = serving->backend->ops->read(serving->backend, &read, &cell);
        serving->error = read.error;
    }
    if (!error) {
        reply_begin(serving, 2);
        reply_token(serving, &read.token);
        write_bin(&serving->writer, buffer_slice(&cell));
    }
    token_done(&after);
    token_done(&read.token);
    buffer_done(&cell);
    return error;
}

static void page_slot_read(struct reader *reader, struct page_request *request)
{
    int64_t slot = request->high, slots = request->low;

    request->high = request->low = 0;
    if (slots <= 0 || slots > LAYOUT_SLOTS_MAX || slot < 0 || slot >= slots)
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    request->slot = (unsigned)slot;
    request->slots = (unsigned)slots;
}

static void page_request_read(struct reader *reader, char *bucket, struct token *after,
                              struct page_request *ret_request)
{
    uint64_t flags, size_max;
    bool given;

    read_bucket(reader, bucket);
    ret_request->bucket = bucket;
    ret_request->path = read_bin(reader, NEAP_PATH_MAX);
    ret_request->from = read_bin(reader, PAGE_CURSOR_MAX);
    flags = read_u64(reader);
    ret_request->from_is_name = flags & REQUEST_FROM_IS_NAME;
    ret_request->count_only = flags & REQUEST_COUNT_ONLY;
    ret_request->stats = flags & REQUEST_STATS;
    ret_request->want_token = flags & REQUEST_WANT_TOKEN;
    size_max = read_u64(reader);
    ret_request->size_max = size_max < REQUEST_PAGE_MAX ? (size_t)size_max : REQUEST_PAGE_MAX;
    read_token(reader, after, &given);
    ret_request->after = given ? after : NULL;
    ret_request->timeout_ms = read_timeout(reader);
    ret_request->high = read_i64(reader);
    ret_request->low = read_i64(reader);
    ret_request->level = read_level(reader);
    if (flags & REQUEST_OF_SLOT)
        page_slot_read(reader, ret_request);
    if (flags & REQUEST_SLOTS)
        ret_request->kind = PAGE_SLOTS;
    else if (flags & REQUEST_SCORES)
        ret_request->kind = PAGE_SCORES;
    else if (flags & REQUEST_RANK)
        ret_request->kind = PAGE_RANK;
    else if (flags & REQUEST_CHANGES)
        ret_request->kind = PAGE_CHANGES;
}

static int serve_page(struct serving *serving)
{
    char bucket[NEAP_BUCKET_MAX + 1];
    struct page_request request = {0};
    struct token after;
    struct page page;
    int error;

    token_init(&after);
    token_init(&request.token);
    page_request_read(&serving->reader, bucket, &after, &request);
    page_init(&page, request.size_max);
    error = reader_end(&serving->reader);
    if (!error) {
        error = serving->backend->ops->page(serving->backend, &request, &page);
        serving->error = request.error;
    }
    if (!error) {
        reply_begin(serving, 4);
        reply_token(serving, &request.token);
        write_u64(&serving->writer, page.count);
        write_bin(&serving->writer, buffer_slice(&page.cursor));
        write_bin(&serving->writer, buffer_slice(&page.items));
    }
    page_done(&page);
    token_done(&after);
    token_done(&request.token);
    return error;
}

static int serve_sync(struct serving *serving)
{
    int error = reader_end(&serving->reader);

    if (!error)
        error = serving->backend->ops->sync(serving->backend);
    if (!error)
        reply_begin(serving, 0);
    return error;
}

static int serve_wait(struct serving *serving)
{
    struct reader *reader = &serving->reader;
    enum neap_level level;
    struct token token;
    uint32_t timeout_ms;
    bool given;
    int error;

    token_init(&token);
    read_token(reader, &token, &given);
    level = read_level(reader);
    timeout_ms = read_timeout(reader);
    if (!given)
        reader_fail(reader, NEAP_INVALID);
    error = reader_end(reader);
    if (!error)
        error = serving->backend->ops->wait(serving->backend, &token, level, timeout_ms,
                                            &serving->error);
    if (!error)
        reply_begin(serving, 0);
    token_done(&token);
    return error;
}

static int serve_once(struct serving *serving)
{
    uint32_t timeout_ms = read_timeout(&serving->reader);
    int error = reader_end(&serving->reader);
    struct buffer id;

    if (error)
        return error;
    buffer_init(&id, NEAP_ONCE_MAX);
    error = serving->backend->ops->once(serving->backend, timeout_ms, &id, &serving->error);
    if (!error) {
        reply_begin(serving, 1);
        write_bin(&serving->writer, buffer_slice(&id));
    }
    buffer_done(&id);
    return error;
}

/* Words as C strings: `texts` holds them, one after the other. */
static int words_read(struct reader *reader, const char **ret_words, int *ret_count,
                      char **ret_texts)
{
    uint32_t count = read_array(reader, ADMIN_WORDS_MAX), i;
    char *texts, *text;

    if (reader->error || !count)
        return NEAP_INVALID;
    texts = text = mem_new(reader->left.size + count);
    if (!texts)
        return NEAP_NOMEM;
    for (i = 0; i < count; i++) {
        struct slice word = read_str(reader, ADMIN_WORD_MAX);

        if (word.size && memchr(word.data, 0, word.size))
            reader_fail(reader, NEAP_INVALID);
        if (reader->error)
            break;
        if (word.size)
            memcpy(text, word.data, word.size);
        ret_words[i] = text;
        text += word.size + 1;
    }
    *ret_count = (int)count;
    *ret_texts = texts;
    return 0;
}

static int serve_admin(struct serving *serving)
{
    const char *words[ADMIN_WORDS_MAX];
    char *texts = NULL;
    struct buffer json;
    int count, error;

    error = words_read(&serving->reader, words, &count, &texts);
    if (!error)
        error = reader_end(&serving->reader);
    buffer_init(&json, ADMIN_JSON_MAX);
    if (!error)
        error =
            serving->backend->ops->admin(serving->backend, count, words, &json, &serving->error);
    if (!error) {
        reply_begin(serving, 1);
        write_bin(&serving->writer, buffer_slice(&json));
    }
    buffer_done(&json);
    mem_free(texts);
    return error;
}

/* The node has a working directory of its own, which no client knows. */
static int serve_backup(struct serving *serving)
{
    struct reader *reader = &serving->reader;
    struct slice text = read_str(reader, BACKUP_NAME_MAX);
    uint64_t timeout_ms = read_u64(reader);
    char directory[BACKUP_NAME_MAX + 1];
    struct buffer json;
    int error;

    if (text.size && memchr(text.data, 0, text.size))
        reader_fail(reader, NEAP_INVALID);
    error = reader_end(reader);
    if (error)
        return error;
    if (!text.size || text.data[0] != '/')
        return error_set(&serving->error, NEAP_INVALID,
                         "the backup's directory must be named from / on, as it is the node that "
                         "makes it");
    memcpy(directory, text.data, text.size);
    directory[text.size] = 0;
    buffer_init(&json, ADMIN_JSON_MAX);
    error = serving->backend->ops->backup(
        serving->backend, directory, timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX,
        &json, &serving->error);
    if (!error) {
        reply_begin(serving, 1);
        write_bin(&serving->writer, buffer_slice(&json));
    }
    buffer_done(&json);
    return error;
}

static int serve_verb(struct serving *serving, uint64_t version, uint64_t verb)
{
    if (verb == REQUEST_HELLO)
        return serve_hello(serving);
    if (version < REQUEST_VERSION_MIN || version > REQUEST_VERSION)
        return error_set(&serving->error, NEAP_FORMAT,
                         "a request of version %u; this node (%s) speaks %d to %d",
                         (unsigned)version, PACKAGE_VERSION, REQUEST_VERSION_MIN, REQUEST_VERSION);
    switch (verb) {
    case REQUEST_WRITE:
        return serve_write(serving);
    case REQUEST_READ:
        return serve_read(serving);
    case REQUEST_PAGE:
        return serve_page(serving);
    case REQUEST_SYNC:
        return serve_sync(serving);
    case REQUEST_WAIT:
        return serve_wait(serving);
    case REQUEST_ADMIN:
        return serve_admin(serving);
    case REQUEST_BACKUP:
        return serve_backup(serving);
    case REQUEST_ONCE:
        return serve_once(serving);
    default:
        return error_set(&serving->error, NEAP_REFUSED,
                         "verb %u is not known to this node (%s): it may be older than the client",
                         (unsigned)verb, PACKAGE_VERSION);
    }
}

/* The array has version, verb, and what the verb needs; it is told by whoever reads the rest. */
static int serve(struct serving *serving)
{
    enum { ELEMENTS_MAX = 32 };
    static const uint32_t elements[] = {
        [REQUEST_HELLO] = 4, [REQUEST_WRITE] = 8,  [REQUEST_READ] = 8,
        [REQUEST_PAGE] = 12, [REQUEST_SYNC] = 2,   [REQUEST_WAIT] = 5,
        [REQUEST_ADMIN] = 3, [REQUEST_BACKUP] = 4, [REQUEST_ONCE] = 3};
    struct reader *reader = &serving->reader;
    uint32_t count = read_array(reader, ELEMENTS_MAX);
    uint64_t version = read_u64(reader), verb = read_u64(reader);

    if (reader->error)
        return reader->error;
    if (version == REQUEST_VERSION && verb && verb < sizeof elements / sizeof *elements &&
        count != elements[verb])
        return NEAP_INVALID;
    return serve_verb(serving, version, verb);
}

static int reply_error(struct serving *serving, int code)
{
    struct buffer *reply = serving->writer.buffer;

    serving->error.text[sizeof serving->error.text - 1] = 0;
    buffer_clear(reply);
    writer_init(&serving->writer, reply);
    write_array(&serving->writer, 2);
    write_i64(&serving->writer, code);
    write_str(&serving->writer, serving->error.text[0] ? serving->error.text : error_text(code));
    return serving->writer.error;
}

int request_serve(struct backend *backend, struct slice request, struct buffer *ret_reply)
{
    struct serving serving = {.backend = backend};
    int code;

    buffer_clear(ret_reply);
    reader_init(&serving.reader, request);
    writer_init(&serving.writer, ret_reply);
    code = serve(&serving);
    if (!code && serving.writer.error == NEAP_LIMIT)
        code = error_set(&serving.error, NEAP_LIMIT, "the reply would be over %zu bytes",
                         ret_reply->size_max);
    else if (!code)
        return serving.writer.error;
    if (!serving.error.text[0] && serving.reader.error)
        error_set(&serving.error, code, "the request cannot be read: %s", error_text(code));
    return reply_error(&serving, code);
}
