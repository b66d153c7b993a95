/* The client's side of the protocol: a backend that asks a server. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/request.h"

/* The server gives its own answer when time is over; a little later nobody waits for it any more.
 */
enum { REPLY_SLACK_MS = 2000, SYNC_MS = 120000 };

/* One request and its reply. */
struct asking {
    struct remote *remote;
    bool changes; /* what was asked: to ask twice may be once too often */
    struct buffer request, reply;
    struct writer writer;
    struct reader reader; /* what follows the reply's text */
    struct neap_error *error;
};

static bool verb_changes(enum request_verb verb)
{
    return verb != REQUEST_HELLO && verb != REQUEST_READ && verb != REQUEST_PAGE &&
           verb != REQUEST_WAIT && verb != REQUEST_ONCE;
}

static void ask_begin(struct asking *asking, struct backend *backend, enum request_verb verb,
                      uint32_t elements, struct neap_error *error)
{
    *asking = (struct asking){
        .remote = (struct remote *)backend, .changes = verb_changes(verb), .error = error};
    buffer_init(&asking->request, REQUEST_SIZE_MAX);
    buffer_init(&asking->reply, REQUEST_SIZE_MAX);
    writer_init(&asking->writer, &asking->request);
    write_array(&asking->writer, 2 + elements);
    write_u64(&asking->writer, REQUEST_VERSION);
    write_u64(&asking->writer, (uint64_t)verb);
}

static void ask_end(struct asking *asking)
{
    buffer_done(&asking->request);
    buffer_done(&asking->reply);
}

static int reply_malformed(struct asking *asking)
{
    return error_set(asking->error, asking->changes ? NEAP_UNCERTAIN : NEAP_UNAVAILABLE,
                     "the node's reply cannot be read");
}

static bool code_is_known(int64_t code)
{
    return code >= NEAP_FORMAT && code <= 0;
}

/* The reply's code; when it is 0, asking->reader has what follows. */
static int reply_open(struct asking *asking, uint32_t elements)
{
    struct reader *reader = &asking->reader;
    struct slice text;
    uint32_t count;
    int64_t code;

    reader_init(reader, buffer_slice(&asking->reply));
    count = read_array(reader, 2 + elements);
    code = read_i64(reader);
    text = read_str(reader, sizeof asking->error->text - 1);
    if (reader->error || !code_is_known(code) || count != (code ? 2 : 2 + elements))
        return reply_malformed(asking);
    if (code)
        return error_set(asking->error, (int)code, "%.*s", (int)text.size,
                         text.size ? (const char *)text.data : "");
    return 0;
}

static int call_failed(struct asking *asking, int code, uint32_t timeout_ms)
{
    const struct neap_error *said = asking->remote->transport->said;

    if (said && said->code == code)
        return error_set(asking->error, code, "%s", said->text);
    switch (code) {
    case NEAP_UNAVAILABLE:
        return error_set(asking->error, code, "the node cannot be reached: %s",
                         asking->changes ? "nothing was sent" : "no answer came");
    case NEAP_UNCERTAIN:
        return error_set(asking->error, code,
                         "the connection broke, or no answer came within %u ms: it may have "
                         "been done",
                         (unsigned)timeout_ms);
    case NEAP_LIMIT:
        return error_set(asking->error, code, "the request is over %d bytes", REQUEST_SIZE_MAX);
    default:
        return error_set(asking->error, code, "%s", error_text(code));
    }
}

/* A node that was started again has closed the connection, which often shows only when an answer
 * should come. What changes nothing is asked once more then, over a new connection. */
static int call_again(struct asking *asking, uint32_t patience)
{
    struct transport *transport = asking->remote->transport;
    struct slice request = buffer_slice(&asking->request);
    struct clock *clock = transport->clock;
    uint64_t until_ms = clock ? clock->ops->now_ms(clock) + patience : 0, now_ms;
    int code = transport->call(transport, request, patience, &asking->reply);

    if (code != NEAP_UNCERTAIN || asking->changes || !clock)
        return code;
    now_ms = clock->ops->now_ms(clock);
    if (now_ms < until_ms)
        code = transport->call(transport, request, (uint32_t)(until_ms - now_ms), &asking->reply);
    return code == NEAP_UNCERTAIN ? NEAP_UNAVAILABLE : code;
}

/* Sends what was written, and opens a reply of so many elements. */
static int ask_within(struct asking *asking, uint32_t patience, uint32_t elements)
{
    int code = asking->writer.error;

    if (!code)
        code = call_again(asking, patience);
    if (code)
        return call_failed(asking, code, patience);
    return reply_open(asking, elements);
}

/* The same, of what the server itself takes up to timeout_ms for. */
static int ask(struct asking *asking, uint32_t timeout_ms, uint32_t elements)
{
    uint32_t patience =
        timeout_ms < UINT32_MAX - REPLY_SLACK_MS ? timeout_ms + REPLY_SLACK_MS : UINT32_MAX;

    return ask_within(asking, patience, elements);
}

static int reply_end(struct asking *asking)
{
    int code = reader_end(&asking->reader);

    if (code == NEAP_NOMEM)
        return error_set(asking->error, code, "%s", error_text(code));
    return code ? reply_malformed(asking) : 0;
}

static void write_token(struct writer *writer, const struct token *token)
{
    struct buffer bytes;
    int error = 0;

    buffer_init(&bytes, TOKEN_SIZE_MAX);
    if (token)
        error = token_encode(token, &bytes);
    if (error && !writer->error)
        writer->error = error;
    write_bin(writer, buffer_slice(&bytes));
    buffer_done(&bytes);
}

static void reply_token(struct asking *asking, struct token *ret_token)
{
    struct slice bytes = read_bin(&asking->reader, TOKEN_SIZE_MAX);

    if (bytes.size)
        reader_fail(&asking->reader, token_decode(bytes, ret_token));
}

static int remote_write(struct backend *backend, struct write *write)
{
    struct asking asking;
    unsigned flags = (write->nosync ? REQUEST_NOSYNC : 0u) | (write->submit ? REQUEST_SUBMIT : 0u) |
                     (write->want_token ? REQUEST_WANT_TOKEN : 0u);
    int code;

    ask_begin(&asking, backend, REQUEST_WRITE, 6, &write->error);
    request_ops_write(&asking.writer, write->ops, write->count);
    write_u64(&asking.writer, flags);
    write_u64(&asking.writer, (uint64_t)write->level);
    write_u64(&asking.writer, write->timeout_ms);
    write_bin(&asking.writer, write->once);
    code = ask(&asking, write->timeout_ms, 1);
    if (!code) {
        reply_token(&asking, &write->token);
        code = reply_end(&asking);
        /* It is done there; what cannot be told is what it is called. */
        if (code)
            code = error_set(&write->error, NEAP_UNCERTAIN,
                             "the node's reply to a write cannot be read");
    }
    ask_end(&asking);
    return code;
}

static int remote_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct asking asking;
    struct slice cell;
    int code;

    ask_begin(&asking, backend, REQUEST_READ, 6, &read->error);
    write_str(&asking.writer, read->bucket);
    write_bin(&asking.writer, read->path);
    write_token(&asking.writer, read->after);
    write_u64(&asking.writer,
              (read->want_token ? REQUEST_WANT_TOKEN : 0u) | (read->rights ? REQUEST_RIGHTS : 0u));
    write_u64(&asking.writer, (uint64_t)read->level);
    write_u64(&asking.writer, read->timeout_ms);
    code = ask(&asking, read->timeout_ms, 2);
    if (!code) {
        reply_token(&asking, &read->token);
        cell = read_bin(&asking.reader, CELL_SIZE_MAX);
        code = reply_end(&asking);
        if (!code)
            code = buffer_set(ret_cell, cell);
    }
    ask_end(&asking);
    return code;
}

static void page_request_write(struct writer *writer, const struct page_request *request)
{
    unsigned flags = (request->from_is_name ? REQUEST_FROM_IS_NAME : 0u) |
                     (request->count_only ? REQUEST_COUNT_ONLY : 0u) |
                     (request->stats ? REQUEST_STATS : 0u) |
                     (request->kind == PAGE_SCORES ? REQUEST_SCORES : 0u) |
                     (request->kind == PAGE_RANK ? REQUEST_RANK : 0u) |
                     (request->kind == PAGE_CHANGES ? REQUEST_CHANGES : 0u) |
                     (request->kind == PAGE_SLOTS ? REQUEST_SLOTS : 0u) |
                     (request->slots ? REQUEST_OF_SLOT : 0u) |
                     (request->want_token ? REQUEST_WANT_TOKEN : 0u);

    write_str(writer, request->bucket ? request->bucket : "");
    write_bin(writer, request->path);
    write_bin(writer, request->from);
    write_u64(writer, flags);
    write_u64(writer, request->size_max);
    write_token(writer, request->after);
    write_u64(writer, request->timeout_ms);
    write_i64(writer, request->slots ? request->slot : request->high);
    write_i64(writer, request->slots ? request->slots : request->low);
    write_u64(writer, (uint64_t)request->level);
}

static int remote_page(struct backend *backend, struct page_request *request, struct page *ret_page)
{
    struct asking asking;
    struct slice cursor, items;
    uint64_t count;
    int code;

    ask_begin(&asking, backend, REQUEST_PAGE, 10, &request->error);
    page_request_write(&asking.writer, request);
    code = ask(&asking, request->timeout_ms, 4);
    if (!code) {
        reply_token(&asking, &request->token);
        count = read_u64(&asking.reader);
        cursor = read_bin(&asking.reader, PAGE_CURSOR_MAX);
        items = read_bin(&asking.reader, REQUEST_PAGE_MAX + PAGE_ITEM_MAX);
        code = reply_end(&asking);
        if (!code)
            code = buffer_set(&ret_page->items, items);
        if (!code)
            code = buffer_set(&ret_page->cursor, cursor);
        if (!code)
            ret_page->count = count;
    }
    ask_end(&asking);
    return code;
}

static int remote_sync(struct backend *backend)
{
    struct neap_error error;
    struct asking asking;
    int code;

    ask_begin(&asking, backend, REQUEST_SYNC, 0, &error);
    code = ask(&asking, SYNC_MS, 0);
    ask_end(&asking);
    return code;
}

static int remote_wait(struct backend *backend, const struct token *token, enum neap_level level,
                       uint32_t timeout_ms, struct neap_error *error)
{
    struct neap_error ignored;
    struct asking asking;
    int code;

    ask_begin(&asking, backend, REQUEST_WAIT, 3, error ? error : &ignored);
    write_token(&asking.writer, token);
    write_u64(&asking.writer, (uint64_t)level);
    write_u64(&asking.writer, timeout_ms);
    code = ask(&asking, timeout_ms, 0);
    ask_end(&asking);
    return code;
}

static int remote_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                       struct neap_error *error)
{
    struct neap_error ignored;
    struct asking asking;
    struct slice id;
    int code;

    ask_begin(&asking, backend, REQUEST_ONCE, 1, error ? error : &ignored);
    write_u64(&asking.writer, timeout_ms);
    code = ask(&asking, timeout_ms, 1);
    if (!code) {
        id = read_bin(&asking.reader, NEAP_ONCE_MAX);
        code = reply_end(&asking);
        if (!code)
            code = buffer_set(ret_id, id);
    }
    ask_end(&asking);
    return code;
}

static int remote_admin(struct backend *backend, int argc, const char *const argv[],
                        struct buffer *ret_json, struct neap_error *error)
{
    struct neap_error ignored;
    struct asking asking;
    struct slice json;
    int code, i;

    ask_begin(&asking, backend, REQUEST_ADMIN, 1, error ? error : &ignored);
    write_array(&asking.writer, (uint32_t)argc);
    for (i = 0; i < argc; i++)
        write_str(&asking.writer, argv[i]);
    code = ask(&asking, SYNC_MS, 1);
    if (!code) {
        json = read_bin(&asking.reader, ADMIN_JSON_MAX);
        code = reply_end(&asking);
        if (!code)
            code = buffer_set(ret_json, json);
    }
    ask_end(&asking);
    return code;
}

/* Without a limit it ends when the node has done it, or the connection has gone. */
static int remote_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                         struct buffer *ret_json, struct neap_error *error)
{
    struct neap_error ignored;
    struct asking asking;
    struct slice json;
    int code;

    ask_begin(&asking, backend, REQUEST_BACKUP, 2, error ? error : &ignored);
    write_str(&asking.writer, directory);
    write_u64(&asking.writer, timeout_ms);
    code = ask(&asking, timeout_ms ? timeout_ms : UINT32_MAX, 1);
    if (!code) {
        json = read_bin(&asking.reader, ADMIN_JSON_MAX);
        code = reply_end(&asking);
        if (!code)
            code = buffer_set(ret_json, json);
    }
    ask_end(&asking);
    return code;
}

static void remote_close(struct backend *backend)
{
    struct remote *remote = (struct remote *)backend;

    remote->transport->close(remote->transport);
    mem_free(remote);
}

static const struct backend_ops remote_ops = {
    .write = remote_write,
    .read = remote_read,
    .page = remote_page,
    .sync = remote_sync,
    .wait = remote_wait,
    .admin = remote_admin,
    .once = remote_once,
    .backup = remote_backup,
    .close = remote_close,
};

static int remote_hello(struct remote *remote, uint32_t patience, struct neap_error *error)
{
    struct asking asking;
    uint64_t version;
    int code;

    ask_begin(&asking, &remote->backend, REQUEST_HELLO, 2, error);
    write_u64(&asking.writer, REQUEST_VERSION_MIN);
    write_u64(&asking.writer, REQUEST_VERSION);
    code = ask_within(&asking, patience, 2);
    if (!code) {
        version = read_u64(&asking.reader);
        (void)read_str(&asking.reader, sizeof error->text); /* its release, for people */
        code = reply_end(&asking);
        if (!code && (version < REQUEST_VERSION_MIN || version > REQUEST_VERSION))
            code = error_set(error, NEAP_FORMAT, "the node answers in version %u of the protocol",
                             (unsigned)version);
    }
    ask_end(&asking);
    if (code == NEAP_UNAVAILABLE)
        code = error_set(error, code, "no hello from there: is it a neapd?");
    return code;
}

void remote_init(struct remote *remote, struct transport *transport)
{
    *remote = (struct remote){.backend.ops = &remote_ops, .transport = transport};
}

int remote_new_within(struct transport *transport, uint32_t patience, struct backend **ret_backend,
                      struct neap_error *error)
{
    struct neap_error ignored;
    struct remote *remote = mem_new(sizeof *remote);
    int code;

    if (!error)
        error = &ignored;
    if (!remote)
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    remote_init(remote, transport);
    code = remote_hello(remote, patience, error);
    if (code) {
        mem_free(remote);
        return code;
    }
    *ret_backend = &remote->backend;
    return 0;
}

int remote_new(struct transport *transport, struct backend **ret_backend, struct neap_error *error)
{
    return remote_new_within(transport, CONNECT_MS, ret_backend, error);
}
