/* A request from a client, against a backend that does nothing: it has exactly one reply, which a
 * client can read, and what reaches the backend is within the limits. */
#include "engine/quorum.h"
#include "engine/request.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_path(struct slice path)
{
    must(path.size <= NEAP_PATH_MAX);
}

static int fuzz_write(struct backend *backend, struct write *write)
{
    size_t i;

    (void)backend;
    must(write->count <= NEAP_BATCH_COUNT_MAX);
    must(level_is_one(write->level) && write->timeout_ms <= REQUEST_TIMEOUT_MS_MAX);
    for (i = 0; i < write->count; i++) {
        const struct write_op *op = &write->ops[i];

        must(strlen(op->bucket) <= NEAP_BUCKET_MAX && op->bucket[0]);
        must(op->op.kind >= OP_LWW_SET && op->op.kind < OP_KIND_END);
        must(op->op.value.size <= NEAP_VALUE_MAX);
        must(!op->prefix || op->path.size);
        check_path(op->path);
    }
    return 0;
}

static int fuzz_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    (void)backend;
    must(strlen(read->bucket) <= NEAP_BUCKET_MAX && level_is_one(read->level));
    check_path(read->path);
    return buffer_set(ret_cell, read->path);
}

static int fuzz_page(struct backend *backend, struct page_request *request, struct page *ret_page)
{
    (void)backend;
    must(strlen(request->bucket) <= NEAP_BUCKET_MAX && request->size_max <= REQUEST_PAGE_MAX);
    must(request->from.size <= PAGE_CURSOR_MAX);
    check_path(request->path);
    return buffer_set(&ret_page->cursor, request->from);
}

static int fuzz_sync(struct backend *backend)
{
    (void)backend;
    return 0;
}

static int fuzz_wait(struct backend *backend, const struct token *token, enum neap_level level,
                     uint32_t timeout_ms, struct neap_error *error)
{
    (void)backend;
    must(level_is_one(level) && timeout_ms <= REQUEST_TIMEOUT_MS_MAX);
    return token->count ? error_set(error, NEAP_UNCERTAIN, "not here") : 0;
}

static int fuzz_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                     struct neap_error *error)
{
    (void)backend;
    (void)timeout_ms;
    (void)error;
    return buffer_set(ret_id, slice_text("an id"));
}

static int fuzz_admin(struct backend *backend, int argc, const char *const argv[],
                      struct buffer *ret_json, struct neap_error *error)
{
    int i;

    (void)backend;
    (void)error;
    must(argc >= 1 && argc <= ADMIN_WORDS_MAX);
    for (i = 0; i < argc; i++)
        must(strlen(argv[i]) <= ADMIN_WORD_MAX);
    return buffer_set(ret_json, slice_text("{}"));
}

static int fuzz_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                       struct buffer *ret_json, struct neap_error *error)
{
    (void)backend;
    (void)timeout_ms;
    (void)error;
    must(directory[0] == '/' && strlen(directory) <= BACKUP_NAME_MAX);
    return buffer_set(ret_json, slice_text("{}"));
}

static const struct backend_ops fuzz_ops = {
    .write = fuzz_write,
    .read = fuzz_read,
    .page = fuzz_page,
    .sync = fuzz_sync,
    .wait = fuzz_wait,
    .once = fuzz_once,
    .admin = fuzz_admin,
    .backup = fuzz_backup,
};

FUZZ(request)
{
    struct backend backend = {&fuzz_ops};
    struct buffer reply;
    struct reader reader;
    uint32_t count;
    int64_t code;

    buffer_init(&reply, REQUEST_SIZE_MAX);
    must(!request_serve(&backend, input, &reply));
    reader_init(&reader, buffer_slice(&reply));
    count = read_array(&reader, 8);
    code = read_i64(&reader);
    (void)read_str(&reader, 255);
    must(!reader.error && code <= 0 && count >= 2 && (!code || count == 2));
    while (count-- > 2)
        (void)read_any(&reader);
    must(!reader_end(&reader));
    buffer_done(&reply);
    return code == 0;
}
