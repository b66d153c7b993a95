#include "tests/support/fake_backend.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"

static int answer(const struct fake *fake, struct neap_error *error)
{
    if (!fake->code)
        return 0;
    return error_set(error, fake->code, "%s", fake->text ? fake->text : "");
}

static void remember(struct fake *fake, const char *bucket, struct slice path)
{
    fake->calls++;
    snprintf(fake->bucket, sizeof fake->bucket, "%s", bucket ? bucket : "");
    must(path.size <= sizeof fake->path_bytes);
    if (path.size)
        memcpy(fake->path_bytes, path.data, path.size);
    fake->path = slice_of(fake->path_bytes, path.size);
}

static int token_answer(const struct fake *fake, struct token *token)
{
    struct dot dot = fake->dot;
    int error = 0;

    for (unsigned i = 0; dot.n && i <= fake->ids && !error; i++, dot.id++)
        error = token_dot(token, hash_name(slice_text(fake->bucket)), dot, 7);
    return error;
}

static int fake_write(struct backend *backend, struct write *write)
{
    struct fake *fake = (struct fake *)backend;
    const struct write_op *op = write->ops + write->count - 1;
    size_t value_size = op->op.value.size;
    int error;

    remember(fake, op->bucket, op->path);
    if (value_size > sizeof fake->value_bytes)
        value_size = sizeof fake->value_bytes;
    if (value_size)
        memcpy(fake->value_bytes, op->op.value.data, value_size);
    fake->value = slice_of(fake->value_bytes, value_size);
    fake->write = *write;
    fake->op = *op;
    snprintf(fake->once, sizeof fake->once, "%.*s", (int)write->once.size,
             write->once.size ? (const char *)write->once.data : "");
    fake->seen_entries = op->op.seen ? op->op.seen->count : 0;
    error = answer(fake, &write->error);
    if (!error && write->want_token)
        error = token_answer(fake, &write->token);
    if (!error && write->submit)
        write->token.ticket = 77;
    fake->written += !error;
    return error;
}

static void remember_after(struct fake *fake, const struct token *after)
{
    fake->after_parts = after ? after->count : 0;
    fake->after_ticket = after ? after->ticket : 0;
}

static int fake_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct fake *fake = (struct fake *)backend;
    int error;

    remember(fake, read->bucket, read->path);
    remember_after(fake, read->after);
    fake->read = *read;
    error = answer(fake, &read->error);
    if (!error && read->want_token)
        error = token_answer(fake, &read->token);
    return error ? error : buffer_set(ret_cell, fake->cell);
}

static int fake_page(struct backend *backend, struct page_request *request, struct page *ret_page)
{
    struct fake *fake = (struct fake *)backend;
    size_t index = 0;
    int error;

    remember(fake, request->bucket, request->path);
    remember_after(fake, request->after);
    fake->page = *request;
    error = answer(fake, &request->error);
    if (error || fake->pages_count == 0)
        return error;
    if (!request->from_is_name && request->from.size)
        index = request->from.data[0];
    must(index < fake->pages_count);
    error = buffer_set(&ret_page->items, buffer_slice(&fake->pages[index].items));
    if (!error)
        error = buffer_set(&ret_page->cursor, buffer_slice(&fake->pages[index].cursor));
    if (!error && request->want_token)
        error = token_answer(fake, &request->token);
    ret_page->count = fake->pages[index].count;
    return error;
}

static int fake_sync(struct backend *backend)
{
    struct fake *fake = (struct fake *)backend;

    fake->calls++;
    return fake->code;
}

static int fake_wait(struct backend *backend, const struct token *token, enum neap_level level,
                     uint32_t timeout_ms, struct neap_error *error)
{
    struct fake *fake = (struct fake *)backend;

    fake->calls++;
    remember_after(fake, token);
    fake->level = level;
    fake->timeout_ms = timeout_ms;
    return answer(fake, error);
}

static int fake_admin(struct backend *backend, int argc, const char *const argv[],
                      struct buffer *ret_json, struct neap_error *error)
{
    struct fake *fake = (struct fake *)backend;
    int i;

    fake->calls++;
    fake->argc = argc;
    fake->words[0] = 0;
    for (i = 0; i < argc; i++) {
        size_t size = strlen(fake->words);

        snprintf(fake->words + size, sizeof fake->words - size, "%s|", argv[i]);
    }
    if (fake->code)
        return answer(fake, error);
    return buffer_set(ret_json, slice_text(fake->json));
}

static void fake_close(struct backend *backend)
{
    ((struct fake *)backend)->closed = true;
}

static int fake_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                     struct neap_error *error)
{
    struct fake *fake = (struct fake *)backend;
    int code;

    fake->calls++;
    fake->timeout_ms = timeout_ms;
    code = answer(fake, error);
    return code ? code : buffer_set(ret_id, slice_text("an id"));
}

static int fake_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                       struct buffer *ret_json, struct neap_error *error)
{
    struct fake *fake = (struct fake *)backend;

    fake->timeout_ms = timeout_ms;
    return fake_admin(backend, 1, &directory, ret_json, error);
}

static const struct backend_ops fake_ops = {.write = fake_write,
                                            .read = fake_read,
                                            .page = fake_page,
                                            .sync = fake_sync,
                                            .wait = fake_wait,
                                            .admin = fake_admin,
                                            .once = fake_once,
                                            .backup = fake_backup,
                                            .close = fake_close};

void fake_init(struct fake *fake)
{
    size_t i;

    *fake = (struct fake){.backend = {&fake_ops}, .json = "{}"};
    for (i = 0; i < sizeof fake->pages / sizeof *fake->pages; i++)
        page_init(&fake->pages[i], 4096);
}

void fake_done(struct fake *fake)
{
    size_t i;

    for (i = 0; i < sizeof fake->pages / sizeof *fake->pages; i++)
        page_done(&fake->pages[i]);
}

void fake_item(struct fake *fake, size_t page, enum neap_type type, const char *name,
               int64_t number)
{
    struct neap_item item = {.type = type, .name = {name, strlen(name)}, .number = number};
    struct writer writer;

    writer_init(&writer, &fake->pages[page].items);
    page_item_write(&writer, &item);
    must(!writer.error);
    fake->pages[page].count++;
    while (fake->pages_count <= page) {
        if (fake->pages_count)
            must(!buffer_append_u8(&fake->pages[fake->pages_count - 1].cursor,
                                   (uint8_t)fake->pages_count));
        fake->pages_count++;
    }
}
