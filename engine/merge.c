#include "engine/merge.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/rings.h"
#include "store/store.h"

/* What is listed of one slot. Either there is an item, or a page to be fetched from `from` on; that
 * of a name is not before the name, that of a cursor may be next. */
struct part {
    bool has_item;
    struct neap_item item; /* the next one; borrows from the page, but for its type */
    struct page page;
    struct reader items; /* what comes after it */
    struct buffer from;
    bool from_is_name;
    bool begun;        /* a page was fetched: */
    struct token seen; /* what had been seen by then */
};

struct merge {
    struct backend *backend;
    unsigned slots;
    struct part *parts; /* NULL: not begun */
    unsigned *heap; /* parts that have not ended; the first is the one that comes next */
    size_t heap_count;
    size_t bytes; /* of pages */
    /* The last item that was given; of type 0: the name to begin at. */
    struct buffer last_name;
    enum neap_type last_type;
};

bool merge_is_for(const char *bucket, struct slice path)
{
    struct slice ring;

    return !path.size && bucket_ring(bucket, &ring);
}

struct merge *merge_new(struct backend *backend)
{
    struct merge *merge = mem_new(sizeof *merge);

    if (!merge)
        return NULL;
    merge->backend = backend;
    buffer_init(&merge->last_name, NEAP_PATH_MAX);
    return merge;
}

static void merge_clear(struct merge *merge)
{
    for (unsigned i = 0; merge->parts && i < merge->slots; i++) {
        page_done(&merge->parts[i].page);
        buffer_done(&merge->parts[i].from);
        token_done(&merge->parts[i].seen);
    }
    mem_free(merge->parts);
    mem_free(merge->heap);
    merge->parts = NULL;
    merge->heap = NULL;
}

void merge_free(struct merge *merge)
{
    if (!merge)
        return;
    merge_clear(merge);
    buffer_done(&merge->last_name);
    mem_free(merge);
}

/* ---- who is next ---- */

static struct slice item_name(const struct neap_item *item)
{
    return slice_of(item->name.data, item->name.size);
}

/* A page that goes on may begin with what has just been given, so it comes first. */
static int part_compare(const struct part *a, const struct part *b)
{
    bool a_waits = !a->has_item && !a->from_is_name, b_waits = !b->has_item && !b->from_is_name;
    int order;

    if (a_waits || b_waits)
        return b_waits - a_waits;
    order = slice_compare(a->has_item ? item_name(&a->item) : buffer_slice(&a->from),
                          b->has_item ? item_name(&b->item) : buffer_slice(&b->from));
    if (order)
        return order;
    return (int)a->item.type - (int)b->item.type;
}

static bool heap_less(const struct merge *merge, size_t i, size_t j)
{
    return part_compare(&merge->parts[merge->heap[i]], &merge->parts[merge->heap[j]]) < 0;
}

/* The first one is another one, or another place. */
static void heap_settle(struct merge *merge)
{
    size_t at = 0;

    for (;;) {
        size_t least = at;
        unsigned swapped;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap_count; child++)
            if (heap_less(merge, child, least))
                least = child;
        if (least == at)
            return;
        swapped = merge->heap[at];
        merge->heap[at] = merge->heap[least];
        merge->heap[least] = swapped;
        at = least;
    }
}

/* ---- one slot ---- */

static void part_let_go(struct merge *merge, struct part *part)
{
    merge->bytes -= part->page.items.size;
    page_done(&part->page);
    part->items = (struct reader){0};
    part->has_item = false;
}

/* There is too much in memory, and its turn is not now. */
static int part_drop(struct merge *merge, struct part *part)
{
    int error = buffer_set(&part->from, item_name(&part->item));

    if (error)
        return error;
    part->from_is_name = true;
    part_let_go(merge, part);
    return 0;
}

/* The next item of the page, or the place of the next page. END: there is none. */
static int part_step(struct merge *merge, struct part *part)
{
    int error;

    if (part->items.left.size) {
        page_item_read(&part->items, &part->item);
        part->has_item = !part->items.error;
        return part->items.error ? NEAP_CORRUPT : 0;
    }
    error = buffer_set(&part->from, buffer_slice(&part->page.cursor));
    if (error)
        return error;
    part->from_is_name = false;
    part_let_go(merge, part);
    return part->from.size ? 0 : NEAP_END;
}

/* What the caller's token has of this slot: `ret_part` has room for it. NULL: nothing. */
static const struct token *part_after(const struct page_request *request, unsigned slot,
                                      struct token_part *ret_part, struct token *ret_token)
{
    char name[RING_SHARD_NAME_MAX];
    const struct context *context;
    struct slice ring;

    if (!request->after || !bucket_ring(request->bucket, &ring))
        return NULL;
    snprintf(name, sizeof name, "@%.*s/%u", RING_NAME_MAX, (const char *)ring.data, slot);
    ret_part->shard = bucket_id(name);
    context = token_find(request->after, ret_part->shard);
    *ret_token = (struct token){.ticket = request->after->ticket};
    if (context) {
        ret_part->context = *context; /* borrowed */
        ret_token->parts = ret_part;
        ret_token->count = 1;
    }
    return context || ret_token->ticket ? ret_token : NULL;
}

static size_t page_size(const struct merge *merge)
{
    size_t size = MERGE_PAGES / merge->slots;

    return size < MERGE_PAGE_MIN ? MERGE_PAGE_MIN : size > MERGE_PAGE_MAX ? MERGE_PAGE_MAX : size;
}

static int part_fetch(struct merge *merge, struct page_request *request, unsigned slot)
{
    struct part *part = &merge->parts[slot];
    struct page_request of = {.bucket = request->bucket,
                              .slot = slot,
                              .slots = merge->slots,
                              .from = buffer_slice(&part->from),
                              .from_is_name = part->from_is_name,
                              .size_max = page_size(merge),
                              .want_token = true,
                              .timeout_ms = request->timeout_ms};
    struct token_part named = {0};
    struct token after;
    struct page page;
    int code;

    if (part->begun && !BROKEN("lists-without-token"))
        of.after = part->seen.count ? &part->seen : NULL;
    else
        of.after = part_after(request, slot, &named, &after);
    if (!part->begun)
        of.level = request->level;
    token_init(&of.token);
    page_init(&page, of.size_max);
    code = merge->backend->ops->page(merge->backend, &of, &page);
    if (code) {
        request->error = of.error;
        token_done(&of.token);
        page_done(&page);
        return code;
    }
    part->begun = true;
    token_done(&part->seen);
    part->seen = of.token;
    part->page = page;
    merge->bytes += page.items.size;
    reader_init(&part->items, buffer_slice(&part->page.items));
    return 0;
}

/* ---- all slots ---- */

static int merge_count(struct merge *merge, struct page_request *request, unsigned *ret_slots)
{
    struct page_request how_many = {
        .bucket = request->bucket, .kind = PAGE_SLOTS, .timeout_ms = request->timeout_ms};
    struct page page;
    int code;

    token_init(&how_many.token);
    page_init(&page, 0);
    code = merge->backend->ops->page(merge->backend, &how_many, &page);
    if (!code && (page.count == 0 || page.count > LAYOUT_SLOTS_MAX))
        code = NEAP_CORRUPT;
    *ret_slots = (unsigned)page.count;
    request->error = how_many.error;
    token_done(&how_many.token);
    page_done(&page);
    return code;
}

static int merge_begin(struct merge *merge, struct page_request *request)
{
    int code = merge_count(merge, request, &merge->slots);

    if (!code)
        code = buffer_set(&merge->last_name, request->from);
    if (code)
        return code;
    merge->parts = mem_new_array(merge->slots, sizeof *merge->parts);
    merge->heap = mem_new_array(merge->slots, sizeof *merge->heap);
    if (!merge->parts || !merge->heap)
        code = NEAP_NOMEM;
    for (unsigned i = 0; i < merge->slots && !code; i++) {
        struct part *part = &merge->parts[i];

        merge->heap[i] = i;
        part->from_is_name = true;
        buffer_init(&part->from, 2 * NEAP_PATH_MAX);
        code = buffer_set(&part->from, request->from);
    }
    merge->heap_count = merge->slots;
    if (code)
        merge_clear(merge);
    return code;
}

static bool is_given(const struct merge *merge, const struct neap_item *item)
{
    int order = slice_compare(item_name(item), buffer_slice(&merge->last_name));

    return order < 0 || (order == 0 && item->type <= merge->last_type);
}

/* Until the first part has the item that comes next. END: there is none. */
static int merge_ready(struct merge *merge, struct page_request *request)
{
    while (merge->heap_count > 0) {
        unsigned slot = merge->heap[0];
        struct part *part = &merge->parts[slot];
        bool fetches = !part->has_item && !part->items.left.size;
        int code;

        if (part->has_item && !is_given(merge, &part->item))
            return 0;
        code = fetches ? part_fetch(merge, request, slot) : 0;
        if (!code)
            code = part_step(merge, part);
        if (code == NEAP_END)
            merge->heap[0] = merge->heap[--merge->heap_count];
        else if (code)
            return code;
        heap_settle(merge);
        if (fetches && part->has_item && merge->heap[0] != slot && merge->bytes > MERGE_BYTES)
            code = part_drop(merge, part);
        if (code && code != NEAP_END)
            return code;
    }
    return NEAP_END;
}

static int merge_put(struct merge *merge, struct page *page)
{
    const struct neap_item *item = &merge->parts[merge->heap[0]].item;
    size_t size = page->items.size;
    struct writer writer;
    int error;

    writer_init(&writer, &page->items);
    page_item_write(&writer, item);
    error = writer.error ? writer.error : buffer_set(&merge->last_name, item_name(item));
    if (error) {
        page->items.size = size;
        return error;
    }
    merge->last_type = item->type;
    page->count++;
    return 0;
}

static int merge_token(const struct merge *merge, struct page_request *request)
{
    int error = 0;

    for (unsigned i = 0; i < merge->slots && !error; i++)
        for (size_t k = 0; k < merge->parts[i].seen.count && !error; k++)
            error = token_join(&request->token, merge->parts[i].seen.parts[k].shard,
                               &merge->parts[i].seen.parts[k].context);
    if (error == NEAP_LIMIT)
        return error_set(&request->error, error,
                         "%.60s: a token has room for %d slots of a ring: list without one",
                         request->bucket, TOKEN_PARTS_MAX);
    return error;
}

int merge_page(struct merge *merge, struct page_request *request, struct page *ret_page)
{
    int code = buffer_set(&ret_page->cursor, slice_text("+"));

    if (!code && !merge->parts)
        code = merge_begin(merge, request);
    while (!code && ret_page->items.size < request->size_max) {
        code = merge_ready(merge, request);
        if (!code)
            code = merge_put(merge, ret_page);
    }
    /* What went wrong is told with the next page, if it is still so. */
    if (code && code != NEAP_END && ret_page->count > 0)
        code = 0;
    if (code == NEAP_END) {
        buffer_clear(&ret_page->cursor);
        code = 0;
    }
    return !code && request->want_token ? merge_token(merge, request) : code;
}
