/* Changes: pages of them fetched one after the other. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "crdt/path.h"
#include "engine/api.h"
#include "engine/changes.h"

enum { WATCH_PAGE_SIZE = 64 << 10 };

struct neap_watch {
    struct neap *neap;
    char *bucket;
    struct page page;
    struct reader items;  /* what is left of the page */
    struct buffer behind; /* the position before the page */
    /* The place of the item that was given. */
    struct buffer names;
    struct neap_bytes fields[NEAP_DEPTH_MAX];
};

void neap_watch_free(struct neap_watch *watch)
{
    if (!watch)
        return;
    page_done(&watch->page);
    buffer_done(&watch->behind);
    buffer_done(&watch->names);
    mem_free(watch->bucket);
    mem_free(watch);
}

static int watch_new(struct neap *neap, const char *bucket, struct neap_watch **ret_watch)
{
    struct neap_watch *watch = mem_new(sizeof *watch);

    if (!watch)
        return NEAP_NOMEM;
    watch->neap = neap;
    page_init(&watch->page, WATCH_PAGE_SIZE);
    buffer_init(&watch->behind, PAGE_CURSOR_MAX);
    buffer_init(&watch->names, 2 * NEAP_PATH_MAX);
    watch->bucket = mem_text(bucket);
    if (!watch->bucket) {
        neap_watch_free(watch);
        return NEAP_NOMEM;
    }
    *ret_watch = watch;
    return 0;
}

/* The page behind the one that there is, which stays on an error. */
static int watch_fetch(struct neap_watch *watch, struct page_request *request)
{
    struct backend *backend = watch->neap->backend;
    struct page page;
    int error;

    request->bucket = watch->bucket;
    request->kind = PAGE_CHANGES;
    request->size_max = WATCH_PAGE_SIZE;
    if (watch->page.cursor.size)
        request->from = buffer_slice(&watch->page.cursor);
    page_init(&page, WATCH_PAGE_SIZE);
    error = backend->ops->page(backend, request, &page);
    token_done(&request->token);
    if (!error)
        error = buffer_set(&watch->behind, page.count ? request->from : buffer_slice(&page.cursor));
    if (error) {
        page_done(&page);
        return error;
    }
    page_done(&watch->page);
    watch->page = page;
    reader_init(&watch->items, buffer_slice(&watch->page.items));
    return 0;
}

int neap_watch(struct neap *neap, const char *bucket, const struct neap_call *call,
               struct neap_watch **ret_watch)
{
    struct neap_watch *watch = NULL;
    struct api api;
    int error = api_begin(&api, neap, call, API_AFTER | API_RESUME);

    if (!error && !ret_watch)
        error = error_set(api.error, NEAP_INVALID, "ret_watch is NULL");
    if (!error)
        error = api_bucket(&api, bucket);
    if (!error)
        error = api_bytes(&api, "call.resume", api.call.resume, PAGE_CURSOR_MAX);
    if (!error && watch_new(neap, bucket, &watch))
        error = api_failed(&api, NEAP_NOMEM, NULL);
    if (!error) {
        struct page_request request = {.from = api_slice(api.call.resume),
                                       .after = api_after(&api),
                                       .count_only = true,
                                       .timeout_ms = api.call.timeout_ms};

        error = watch_fetch(watch, &request);
        if (error)
            error = api_read_failed(&api, error, &request.error);
    }
    if (error)
        neap_watch_free(watch);
    else
        *ret_watch = watch;
    api_end(&api);
    return error;
}

/* Copies a name behind the others; the buffer does not move, as it has room for a path. */
static int name_keep(struct buffer *names, struct slice name, struct neap_bytes *ret_name)
{
    size_t at = names->size;
    int error = buffer_append(names, name);

    if (!error)
        *ret_name = (struct neap_bytes){names->data + at, name.size};
    return error;
}

static int place_take(struct neap_watch *watch, struct path_cursor *walk,
                      struct neap_change *change)
{
    struct path_level level;
    struct slice element;
    int error;

    while (!(error = path_cursor_level(walk, &level))) {
        struct neap_bytes *name = &change->at.key;

        if (change->at.key.data) {
            if (change->at.fields_count == NEAP_DEPTH_MAX)
                return NEAP_CORRUPT;
            name = &watch->fields[change->at.fields_count++];
        }
        error = name_keep(&watch->names, level.name, name);
        if (error)
            return error;
    }
    if (error != NEAP_END)
        return error;
    if (!walk->left.size)
        return 0;
    error = path_cursor_element(walk, &element);
    return error ? error : name_keep(&watch->names, element, &change->item.name);
}

static int change_take(struct neap_watch *watch, const struct change_item *item,
                       struct neap_change *ret_change)
{
    struct neap_change change = {
        .size = sizeof change,
        .kind = (enum neap_change_kind)item->kind,
        .at = {.bucket = watch->bucket, .fields = watch->fields},
        .item = {.type = item->type,
                 .value = {item->value.data, item->value.size},
                 .number = item->number,
                 .expires_ms = item->expires_ms},
    };
    struct path_cursor walk;
    int error = 0;

    buffer_clear(&watch->names);
    if (item->path.size) {
        /* Room for all at once: names point into it. */
        error = buffer_set(&watch->names, item->path);
        buffer_clear(&watch->names);
        path_cursor_init(&walk, item->path);
        if (!error)
            error = place_take(watch, &walk, &change);
        path_cursor_done(&walk);
    }
    if (error)
        return error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    if (!change.at.fields_count)
        change.at.fields = NULL;
    memcpy(ret_change, &change,
           ret_change->size < sizeof change ? ret_change->size : sizeof change);
    return 0;
}

static int change_next(struct neap_watch *watch, struct neap_change *ret_change)
{
    struct reader items = watch->items;
    struct change_item item = {0};
    size_t size = ret_change->size;
    int error;

    if (!items.left.size)
        return NEAP_END;
    change_item_read(&items, &item);
    if (items.error)
        return NEAP_CORRUPT;
    error = change_take(watch, &item, ret_change);
    if (error)
        return error;
    ret_change->size = size;
    watch->items = items;
    /* After the last one the position is behind the page. */
    return items.left.size ? 0 : buffer_set(&watch->behind, buffer_slice(&watch->page.cursor));
}

int neap_watch_next(struct neap_watch *watch, struct neap_change *ret_change, uint32_t timeout_ms)
{
    struct page_request request = {.timeout_ms = timeout_ms ? timeout_ms : NEAP_TIMEOUT_MS};
    int error;

    if (!watch || !ret_change || ret_change->size < sizeof ret_change->size)
        return NEAP_INVALID;
    error = change_next(watch, ret_change);
    if (error != NEAP_END)
        return error;
    error = watch_fetch(watch, &request);
    if (error)
        return error == NEAP_UNCERTAIN ? NEAP_UNAVAILABLE : error;
    return change_next(watch, ret_change);
}

int neap_watch_token(struct neap_watch *watch, struct neap_buffer *ret_token)
{
    int error;

    if (!watch || !ret_token)
        return NEAP_INVALID;
    error = api_reserve(ret_token, watch->behind.size);
    if (!error)
        api_fill(ret_token, buffer_slice(&watch->behind));
    return error;
}
