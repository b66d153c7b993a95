#include "engine/token.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/version.h"
#include "neap.h"

enum { TOKEN_VERSION = 1, TOKEN_VERSION_MIN = 1, TOKEN_ROOM_FIRST = 4 };

void token_init(struct token *token)
{
    *token = (struct token){0};
}

void token_clear(struct token *token)
{
    size_t i;

    for (i = 0; i < token->count; i++)
        context_done(&token->parts[i].context);
    token->count = 0;
    token->ticket = 0;
}

void token_done(struct token *token)
{
    token_clear(token);
    mem_free(token->parts);
    token_init(token);
}

/* Where the shard is, or belongs. */
static size_t token_place(const struct token *token, uint64_t shard)
{
    size_t low = 0, high = token->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (token->parts[middle].shard < shard)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool token_has_at(const struct token *token, size_t place, uint64_t shard)
{
    return place < token->count && token->parts[place].shard == shard;
}

const struct context *token_find(const struct token *token, uint64_t shard)
{
    size_t place = token_place(token, shard);

    return token_has_at(token, place, shard) ? &token->parts[place].context : NULL;
}

static int token_grow(struct token *token)
{
    struct token_part *parts;
    size_t room;

    if (token->count == TOKEN_PARTS_MAX)
        return NEAP_LIMIT;
    if (token->count < token->room)
        return 0;
    room = token->room ? token->room * 2 : TOKEN_ROOM_FIRST;
    parts = mem_resize(token->parts, room * sizeof *parts);
    if (!parts)
        return NEAP_NOMEM;
    token->parts = parts;
    token->room = room;
    return 0;
}

/* Takes over the context. */
static int token_insert(struct token *token, size_t place, uint64_t shard,
                        const struct context *context)
{
    struct token_part *part;
    int error;

    error = token_grow(token);
    if (error)
        return error;
    part = token->parts + place;
    memmove(part + 1, part, (token->count - place) * sizeof *part);
    *part = (struct token_part){.shard = shard, .context = *context};
    token->count++;
    return 0;
}

int token_join(struct token *token, uint64_t shard, const struct context *context)
{
    size_t place = token_place(token, shard);
    struct context copy = {0};
    int error;

    if (token_has_at(token, place, shard))
        return context_join(&token->parts[place].context, context);
    error = context_copy(&copy, context);
    if (!error)
        error = token_insert(token, place, shard, &copy);
    if (error)
        context_done(&copy);
    return error;
}

int token_dot(struct token *token, uint64_t shard, struct dot dot, uint32_t nonce)
{
    size_t place = token_place(token, shard);
    struct context one = {0};
    int error;

    if (token_has_at(token, place, shard))
        return context_raise(&token->parts[place].context, dot.id, dot.n, nonce);
    error = context_raise(&one, dot.id, dot.n, nonce);
    if (!error)
        error = token_insert(token, place, shard, &one);
    if (error)
        context_done(&one);
    return error;
}

bool token_fits(const struct token *token)
{
    size_t size = TOKEN_HEAD_MAX, i;

    for (i = 0; i < token->count; i++)
        size += TOKEN_HEAD_MAX + TOKEN_ENTRY_MAX * token->parts[i].context.count;
    return size <= TOKEN_SIZE_MAX;
}

void token_write(struct writer *writer, const struct token *token)
{
    size_t i;

    write_array(writer, 3);
    write_u64(writer, TOKEN_VERSION);
    write_u64(writer, token->ticket);
    write_array(writer, (uint32_t)token->count);
    for (i = 0; i < token->count; i++) {
        write_array(writer, 2);
        write_u64(writer, token->parts[i].shard);
        context_write(writer, &token->parts[i].context);
    }
}

int token_encode(const struct token *token, struct buffer *ret_bytes)
{
    struct buffer bytes;
    struct writer writer;

    buffer_init(&bytes, TOKEN_SIZE_MAX);
    writer_init(&writer, &bytes);
    token_write(&writer, token);
    if (!writer.error)
        writer.error = buffer_set(ret_bytes, buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}

static void token_read_part(struct reader *reader, struct token *token)
{
    struct token_part part = {0};
    int error = 0;

    read_array_of(reader, 2);
    part.shard = read_u64(reader);
    error = context_read(reader, &part.context);
    if (!error && token->count && token->parts[token->count - 1].shard >= part.shard)
        error = NEAP_INVALID;
    if (!error)
        error = token_insert(token, token->count, part.shard, &part.context);
    if (error) {
        reader_fail(reader, error);
        context_done(&part.context);
    }
}

int token_decode(struct slice bytes, struct token *ret_token)
{
    const struct versions reads = {TOKEN_VERSION_MIN, TOKEN_VERSION};
    struct token token;
    struct reader reader;
    uint32_t fields, count, i;
    int error;

    if (bytes.size > TOKEN_SIZE_MAX)
        return NEAP_LIMIT;
    token_init(&token);
    reader_init(&reader, bytes);
    fields = read_array(&reader, UINT32_MAX);
    error = version_check(read_u64(&reader), reads);
    if (error || fields != 3)
        reader_fail(&reader, error == NEAP_FORMAT ? NEAP_FORMAT : NEAP_INVALID);
    token.ticket = read_u64(&reader);
    count = read_array(&reader, TOKEN_PARTS_MAX);
    for (i = 0; i < count && !reader.error; i++)
        token_read_part(&reader, &token);
    error = reader_end(&reader);
    if (error) {
        token_done(&token);
        return error;
    }
    token_done(ret_token);
    *ret_token = token;
    return 0;
}
