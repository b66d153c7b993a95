#include "engine/read.h"

#include <stdio.h>

#include "base/broken.h"
#include "base/error.h"
#include "crdt/expiry.h"
#include "engine/quorum.h"
#include "store/slot.h"
#include "store/store.h"

static int bucket_check(const char *bucket, struct neap_error *error)
{
    int code = bucket ? bucket_name_check(bucket) : NEAP_INVALID;

    if (!code)
        return 0;
    return error_set(error, code,
                     "%.60s: a bucket's name is 1 to %d bytes of printable UTF-8 "
                     "without '/'; an '@' is before the name of a ring",
                     bucket ? bucket : "", BUCKET_NAME_MAX);
}

int read_check(const struct read *read, struct neap_error *error)
{
    enum neap_type type;
    char place[120];
    int code = bucket_check(read->bucket, error);

    if (!code)
        code = quorum_check(read->level, read->bucket, error);
    if (code)
        return code;
    code = path_check(read->path, &type);
    if (!code)
        return 0;
    path_text(read->path, place, sizeof place);
    return error_set(error, code, "%.60s/%s: not the path of a value: %s", read->bucket, place,
                     error_text(code));
}

int read_covered(struct disk *disk, uint64_t shard, const struct context *context)
{
    struct view view = {.disk = disk};
    struct context here = {0};
    int error;

    if (!context->count)
        return 0;
    error = shard_context_read(&view, shard, &here);
    if (error == NEAP_NOTFOUND)
        return NEAP_END;
    if (!error && !context_covers(&here, context) && !BROKEN("token-ignored"))
        error = NEAP_END;
    context_done(&here);
    return error;
}

static int read_error(struct disk *disk, const struct read *read, int code,
                      struct neap_error *ret_error)
{
    struct neap_error text = {0};
    char place[80];

    if (code == NEAP_IO || code == NEAP_CORRUPT)
        disk->ops->error(disk, &text);
    path_text(read->path, place, sizeof place);
    return error_set(ret_error, code, "%.60s/%s: %s", read->bucket, place,
                     text.text[0] ? text.text : error_text(code));
}

/* What was read: the context of that moment, and what the cell had beyond it (its residue), be it
 * only a removal. */
static int read_token(const struct view *view, uint64_t shard, struct slice stored,
                      const struct cell *cell, struct token *token)
{
    struct context context = {0};
    struct slice encoded;
    uint64_t ref = 0;
    int error = shard_context_read(view, shard, &context);

    if (error == NEAP_NOTFOUND)
        error = 0;
    if (!error && stored.size)
        error = stored_split(stored, &ref, &encoded);
    if (!error)
        error = cell_residue(view, shard, ref, &context);
    for (size_t i = 0; !error && i < cell->count; i++)
        if (!context_knows(&context, cell->entries[i].dot))
            error = context_raise(&context, cell->entries[i].dot.id, cell->entries[i].dot.n, 0);
    if (!error && context.count)
        error = token_join(token, shard, &context);
    context_done(&context);
    return error;
}

/* What is stored was decoded, so it is canonical: no need to encode the cell again, unless some of
 * it is not shown. */
static int read_encoded(const struct buffer *stored, const struct read *read, struct cell *cell,
                        struct buffer *ret_cell)
{
    enum neap_type type;
    struct slice encoded;
    uint64_t ref;
    int error;

    if (!stored->size || (!path_check(read->path, &type) && cell_hide(type, cell, read->hide_ms))) {
        buffer_clear(ret_cell);
        return cell_encode(cell, ret_cell);
    }
    error = stored_split(buffer_slice(stored), &ref, &encoded);
    return error ? error : buffer_set(ret_cell, encoded);
}

int read_cell(struct disk *disk, struct read *read, struct buffer *ret_cell)
{
    struct view view = {.disk = disk};
    uint64_t bucket = bucket_id(read->bucket);
    uint64_t shard = read->shard ? bucket_id(read->shard) : bucket;
    struct buffer bytes;
    struct cell cell;
    int error = 0;

    buffer_init(&bytes, CELL_SIZE_MAX + 16);
    cell_init(&cell);
    /* Context and cell must be of one moment, else one would name what the other does not have. */
    if (read->want_token)
        error = disk->ops->snapshot(disk, &view.snapshot);
    if (!error)
        error = cell_read(&view, shard, bucket, read->path, &bytes, &cell);
    if (!error && read->want_token)
        error = read_token(&view, shard, buffer_slice(&bytes), &cell, &read->token);
    if (!error)
        error = read_encoded(&bytes, read, &cell, ret_cell);
    if (error) {
        token_clear(&read->token);
        read_error(disk, read, error, &read->error);
    }
    disk->ops->release(disk, view.snapshot);
    cell_done(&cell);
    buffer_done(&bytes);
    return error;
}

int page_check(const struct page_request *request, struct neap_error *error)
{
    int code;

    if (request->stats)
        return 0;
    code = bucket_check(request->bucket, error);
    if (!code)
        code = quorum_check(request->level, request->bucket, error);
    if (code)
        return code;
    if (request->slots && (request->kind != PAGE_NAMES || request->path.size))
        return error_set(error, NEAP_INVALID, "of a slot the keys are listed, and nothing else");
    if (request->path.size > NEAP_PATH_MAX ||
        (request->from.size > 2 * NEAP_PATH_MAX && request->kind != PAGE_CHANGES))
        return error_set(error, NEAP_LIMIT, "the path or the place to start at is over %d bytes",
                         NEAP_PATH_MAX);
    return 0;
}
