/* Iterators: pages of names fetched one after the other, or the values of one cell. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "crdt/expiry.h"
#include "engine/api.h"
#include "engine/merge.h"

#include <string.h>

enum { PAGE_SIZE = 64 << 10, POSITION_VERSION = 1, POSITION_SIZE_MAX = NEAP_PATH_MAX + 64 };

struct neap_iter {
    struct neap *neap;
    bool is_values; /* of one cell; else pages */
    enum neap_type type;

    struct buffer cell_bytes;
    struct cell cell;
    size_t index;

    char *bucket;
    struct buffer path; /* of what is listed */
    uint64_t listing;   /* its hash: a position is good for no other */
    bool is_stats;
    enum page_kind kind;
    int64_t high, low; /* of PAGE_SCORES */
    struct merge *merge; /* of many slots; NULL: the backend has its pages */
    struct page page;
    struct reader items; /* what is left of the page */

    /* The last item that was given, or after which to go on. */
    bool started;
    bool skipping; /* the items up to it have not been passed yet */
    enum neap_type last_type;
    struct buffer last_name;
};

static int iter_new(struct neap *neap, struct neap_iter **ret_iter)
{
    struct neap_iter *iter = mem_new(sizeof *iter);

    if (!iter)
        return NEAP_NOMEM;
    iter->neap = neap;
    buffer_init(&iter->cell_bytes, CELL_SIZE_MAX);
    cell_init(&iter->cell);
    buffer_init(&iter->path, NEAP_PATH_MAX);
    buffer_init(&iter->last_name, NEAP_PATH_MAX);
    page_init(&iter->page, PAGE_SIZE);
    *ret_iter = iter;
    return 0;
}

void neap_iter_free(struct neap_iter *iter)
{
    if (!iter)
        return;
    merge_free(iter->merge);
    page_done(&iter->page);
    buffer_done(&iter->last_name);
    buffer_done(&iter->path);
    mem_free(iter->bucket);
    cell_done(&iter->cell);
    buffer_done(&iter->cell_bytes);
    mem_free(iter);
}

/* A position is [version, listing, started, type, name]. */
static int position_encode(const struct neap_iter *iter, struct buffer *ret_bytes)
{
    struct writer writer;

    writer_init(&writer, ret_bytes);
    write_array(&writer, 5);
    write_u64(&writer, POSITION_VERSION);
    write_u64(&writer, iter->listing);
    write_u64(&writer, iter->started);
    write_u64(&writer, (uint64_t)iter->last_type);
    write_bin(&writer, buffer_slice(&iter->last_name));
    return writer.error;
}

static int position_decode(struct api *api, struct neap_iter *iter)
{
    struct reader reader;
    struct slice name;
    uint64_t version, listing, started, type;
    int error;

    reader_init(&reader, api_slice(api->call.resume));
    read_array_of(&reader, 5);
    version = read_u64(&reader);
    listing = read_u64(&reader);
    started = read_u64(&reader);
    type = read_u64(&reader);
    name = read_bin(&reader, NEAP_PATH_MAX);
    if (reader_end(&reader) || version != POSITION_VERSION || started > 1 || type > UINT8_MAX)
        return error_set(api->error, NEAP_INVALID,
                         "call.resume: these %zu bytes are not of neap_iter_token()",
                         api->call.resume.size);
    if (listing != iter->listing)
        return error_set(api->error, NEAP_STALE, "call.resume: a position in another listing");
    error = buffer_set(&iter->last_name, name);
    if (error)
        return api_failed(api, error, NULL);
    iter->started = iter->skipping = started == 1;
    iter->last_type = (enum neap_type)type;
    return 0;
}

/* Bucket and path, the name closed by a zero, hashed. */
static int listing_hash(struct neap_iter *iter)
{
    struct buffer bytes;
    int error;

    buffer_init(&bytes, NEAP_BUCKET_MAX + 1 + NEAP_PATH_MAX);
    error = buffer_append(&bytes, slice_of(iter->bucket, strlen(iter->bucket) + 1));
    if (!error)
        error = buffer_append(&bytes, buffer_slice(&iter->path));
    if (!error)
        iter->listing = hash_name(buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}

/* The request's page takes the place of the one before, which stays on an error. */
static int page_fetch(struct neap_iter *iter, struct page_request *request)
{
    struct backend *backend = iter->neap->backend;
    struct page page;
    int error;

    request->bucket = iter->bucket;
    request->path = buffer_slice(&iter->path);
    request->stats = iter->is_stats;
    request->kind = iter->kind;
    request->high = iter->high;
    request->low = iter->low;
    request->size_max = PAGE_SIZE;
    page_init(&page, PAGE_SIZE);
    error = iter->merge ? merge_page(iter->merge, request, &page)
                        : backend->ops->page(backend, request, &page);
    if (error) {
        page_done(&page);
        return error;
    }
    page_done(&iter->page);
    iter->page = page;
    reader_init(&iter->items, buffer_slice(&iter->page.items));
    return 0;
}

/* What is listed at a place. */
struct listing {
    enum page_kind kind;
    struct neap_bytes from; /* a name */
    int64_t high, low;      /* of PAGE_SCORES */
};

static int first_page(struct api *api, struct neap_iter *iter, struct neap_bytes from)
{
    struct page_request request = {.from = api_slice(from),
                                   .from_is_name = true,
                                   .after = api_after(api),
                                   .want_token = api->call.ret_token != NULL,
                                   .level = api->call.level,
                                   .timeout_ms = api->call.timeout_ms};
    int error;

    token_init(&request.token);
    if (iter->skipping)
        request.from = buffer_slice(&iter->last_name);
    error = page_fetch(iter, &request);
    if (error)
        error = api_read_failed(api, error, &request.error);
    else
        error = api_give_token(api, &request.token);
    token_done(&request.token);
    return error;
}

/* api->path is the place; an empty one stands for the keys of the bucket. */
static int pages_open(struct api *api, const char *bucket, const struct listing *listing,
                      struct neap_iter **ret_iter)
{
    struct neap_bytes from = listing->from;
    struct neap_iter *iter;
    int error;

    error = api_bytes(api, "from", from, NEAP_PATH_MAX);
    if (error)
        return error;
    if (from.size && api->call.resume.size)
        return error_set(api->error, NEAP_INVALID, "from and call.resume exclude each other");
    error = api_bytes(api, "call.resume", api->call.resume, POSITION_SIZE_MAX);
    if (error)
        return error;
    error = iter_new(api->neap, &iter);
    if (error)
        return api_failed(api, error, NULL);
    iter->kind = listing->kind;
    iter->high = listing->high;
    iter->low = listing->low;
    iter->bucket = mem_text(bucket);
    error = iter->bucket ? buffer_set(&iter->path, buffer_slice(&api->path)) : NEAP_NOMEM;
    if (!error)
        error = listing_hash(iter);
    if (!error && merge_is_for(bucket, buffer_slice(&iter->path))) {
        iter->merge = merge_new(api->neap->backend);
        error = iter->merge ? 0 : NEAP_NOMEM;
    }
    if (error)
        error = api_failed(api, error, NULL);
    if (!error && api->call.resume.size)
        error = position_decode(api, iter);
    if (!error)
        error = first_page(api, iter, from);
    if (error)
        neap_iter_free(iter);
    else
        *ret_iter = iter;
    return error;
}

enum { ITER_ACCEPTS = API_AFTER | API_TOKEN | API_LEVEL };

int neap_keys(struct neap *neap, const char *bucket, struct neap_bytes from,
              const struct neap_call *call, struct neap_iter **ret_iter)
{
    struct api api;
    int error;

    error = api_begin(&api, neap, call, ITER_ACCEPTS | API_RESUME);
    if (!error && !ret_iter)
        error = error_set(api.error, NEAP_INVALID, "ret_iter is NULL");
    if (!error)
        error = api_bucket(&api, bucket);
    if (!error)
        error = pages_open(&api, bucket, &(struct listing){.from = from}, ret_iter);
    api_end(&api);
    return error;
}

int neap_items(struct neap *neap, const struct neap_place *at, enum neap_type type,
               struct neap_bytes from, const struct neap_call *call, struct neap_iter **ret_iter)
{
    struct api api;
    int error;

    error = api_begin(&api, neap, call, ITER_ACCEPTS | API_RESUME);
    if (!error && !ret_iter)
        error = error_set(api.error, NEAP_INVALID, "ret_iter is NULL");
    if (!error)
        error = api_type(&api, (unsigned)type);
    if (!error && type_below((unsigned)type) == BELOW_NOTHING)
        error = error_set(api.error, NEAP_INVALID, "type: a %s has no items, but sets and maps do",
                          neap_type_name(type));
    if (!error)
        error = api_place(&api, at, (unsigned)type);
    if (!error)
        error = pages_open(&api, at->bucket, &(struct listing){.from = from}, ret_iter);
    return api_end_at(&api, at, error);
}

int neap_scores(struct neap *neap, const struct neap_place *at, int64_t high, int64_t low,
                const struct neap_call *call, struct neap_iter **ret_iter)
{
    const struct listing listing = {.kind = PAGE_SCORES, .high = high, .low = low};
    struct api api;
    int error;

    error = api_begin(&api, neap, call, ITER_ACCEPTS);
    if (!error && !ret_iter)
        error = error_set(api.error, NEAP_INVALID, "ret_iter is NULL");
    if (!error)
        error = api_place(&api, at, NEAP_SCORES);
    if (!error)
        error = pages_open(&api, at->bucket, &listing, ret_iter);
    return api_end_at(&api, at, error);
}

int neap_values(struct neap *neap, const struct neap_place *at, enum neap_type type,
                const struct neap_call *call, struct neap_iter **ret_iter)
{
    struct neap_iter *iter = NULL;
    struct token token;
    struct api api;
    int error;

    if (type_below((unsigned)type) != BELOW_NOTHING)
        return neap_items(neap, at, type, (struct neap_bytes){0}, call, ret_iter);
    token_init(&token);
    error = api_begin(&api, neap, call, ITER_ACCEPTS);
    if (!error && !ret_iter)
        error = error_set(api.error, NEAP_INVALID, "ret_iter is NULL");
    if (!error)
        error = api_type(&api, (unsigned)type);
    if (!error)
        error = api_place(&api, at, (unsigned)type);
    if (!error && iter_new(neap, &iter))
        error = api_failed(&api, NEAP_NOMEM, NULL);
    if (!error) {
        iter->is_values = true;
        iter->type = type;
        error = api_cell(&api, at->bucket, &token, &iter->cell_bytes, &iter->cell);
    }
    if (!error)
        error = api_give_token(&api, &token);
    if (error)
        neap_iter_free(iter);
    else
        *ret_iter = iter;
    token_done(&token);
    return api_end_at(&api, at, error);
}

int neap_register_values(struct neap *neap, const struct neap_place *at,
                         const struct neap_call *call, struct neap_iter **ret_iter)
{
    return neap_values(neap, at, NEAP_REGISTER, call, ret_iter);
}

int neap_stats(struct neap *neap, struct neap_iter **ret_iter)
{
    struct page_request request = {.timeout_ms = NEAP_TIMEOUT_MS};
    struct neap_iter *iter;
    int error;

    if (!neap || !ret_iter)
        return NEAP_INVALID;
    error = iter_new(neap, &iter);
    if (error)
        return error;
    iter->is_stats = true;
    error = page_fetch(iter, &request);
    token_done(&request.token);
    if (error)
        neap_iter_free(iter);
    else
        *ret_iter = iter;
    return error == NEAP_UNCERTAIN ? NEAP_UNAVAILABLE : error;
}

/* END: past the last, or there is none. */
static int next_value(struct neap_iter *iter, struct neap_item *ret_item)
{
    struct neap_item item = {0};
    struct slice value;
    int error;

    if (neap_type_holds(iter->type) == NEAP_HOLDS_VALUES) {
        error = register_value(&iter->cell, iter->index, &value);
        if (!error)
            item = (struct neap_item){.type = iter->type,
                                      .value = {value.data, value.size},
                                      .expires_ms =
                                          cell_dot_expires(iter->type, &iter->cell, iter->index)};
    } else {
        error = iter->index ? NEAP_END : type_item(iter->type, &iter->cell, &item);
        item.expires_ms = cell_lasts(iter->type, &iter->cell);
    }
    if (error)
        return error == NEAP_NOTFOUND ? NEAP_END : error == NEAP_INVALID ? NEAP_CORRUPT : error;
    iter->index++;
    *ret_item = item;
    return 0;
}

/* The items up to the one after which to go on: they are at the start of the first page. */
static bool is_passed(struct neap_iter *iter, const struct neap_item *item)
{
    if (!iter->skipping)
        return false;
    if (slice_equal(api_slice(item->name), buffer_slice(&iter->last_name)) &&
        item->type <= iter->last_type)
        return true;
    iter->skipping = false;
    return false;
}

static int next_in_page(struct neap_iter *iter, struct neap_item *ret_item)
{
    struct reader items = iter->items;
    struct neap_item item = {0};
    int error;

    do {
        if (!items.left.size)
            return NEAP_END;
        page_item_read(&items, &item);
        if (items.error)
            return NEAP_CORRUPT;
    } while (is_passed(iter, &item));
    error = buffer_set(&iter->last_name, api_slice(item.name));
    if (error)
        return error;
    iter->last_type = item.type;
    iter->started = true;
    iter->items = items;
    *ret_item = item;
    return 0;
}

int neap_next(struct neap_iter *iter, struct neap_item *ret_item, uint32_t timeout_ms)
{
    struct page_request request = {.timeout_ms = timeout_ms ? timeout_ms : NEAP_TIMEOUT_MS};
    int error;

    if (!iter || !ret_item)
        return NEAP_INVALID;
    if (iter->is_values)
        return next_value(iter, ret_item);
    while ((error = next_in_page(iter, ret_item)) == NEAP_END) {
        if (!iter->page.cursor.size)
            return NEAP_END;
        request.from = buffer_slice(&iter->page.cursor);
        error = page_fetch(iter, &request);
        token_done(&request.token);
        if (error)
            return error == NEAP_UNCERTAIN ? NEAP_UNAVAILABLE : error;
    }
    return error;
}

int neap_iter_token(struct neap_iter *iter, struct neap_buffer *ret_token)
{
    struct buffer bytes;
    int error;

    if (!iter || !ret_token || iter->is_values || iter->is_stats || iter->kind != PAGE_NAMES)
        return NEAP_INVALID;
    buffer_init(&bytes, POSITION_SIZE_MAX);
    error = position_encode(iter, &bytes);
    if (!error)
        error = api_reserve(ret_token, bytes.size);
    if (!error)
        api_fill(ret_token, buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}
