/* Pages of names: a scan that steps from name to name. Cells of one name lie together (a subtree is
 * a range of keys), so past the first live one the rest is skipped. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "crdt/expiry.h"
#include "engine/read.h"
#include "store/keys.h"
#include "store/store.h"

/* So many cells of a subtree are stepped over before it is worth a new seek. */
enum { SKIP_STEPS = 16 };

struct pager {
    struct page_request *request;
    struct page *page;
    struct view view;
    uint64_t shard, bucket;
    enum neap_type above; /* of the last level of the prefix; 0: keys of a bucket are listed */
    struct key from, to;
    struct scan *scan;
    struct buffer listed; /* path of the last name that was listed and has more below it */
    struct buffer end;    /* scratch */
    unsigned steps;       /* over cells below `listed` */
    struct path_cursor walk;
    struct cell cell;
    struct context seen;  /* what cells have beyond the shard's context, for the token */
    uint64_t residue_ref; /* the last one in it */
};

/* The prefix is a number of whole levels. INVALID: it is not, or nothing can be below it. */
static int pager_above(struct pager *pager)
{
    struct path_level level;
    struct path_cursor walk;
    int error = 0;

    path_cursor_init(&walk, pager->request->path);
    while (!error)
        error = path_cursor_level(&walk, &level);
    if (error == NEAP_END) {
        error = walk.left.size ? NEAP_INVALID : 0;
        if (walk.last && type_below(walk.last) == BELOW_NOTHING)
            error = NEAP_INVALID;
        pager->above = walk.last;
    }
    path_cursor_done(&walk);
    return error;
}

/* Where the scan starts: after a cursor, or at a name. */
static int pager_start(struct pager *pager)
{
    struct slice from = pager->request->from;
    struct buffer path;
    int error;

    buffer_init(&path, 3 * NEAP_PATH_MAX);
    error = buffer_append(&path, pager->request->path);
    if (!error && !pager->request->from_is_name) {
        error = buffer_append(&path, from);
    } else if (!error && from.size && type_below(pager->above) == BELOW_ELEMENT) {
        error = path_element(&path, from);
    } else if (!error && from.size) {
        error = path_level(&path, from, NEAP_REGISTER);
        /* Without the byte of the type: the name with any of them. */
        if (!error)
            path.size--;
    }
    if (!error && path.size > NEAP_PATH_MAX)
        error = NEAP_LIMIT;
    if (!error)
        key_cell(&pager->from, pager->shard, pager->bucket, buffer_slice(&path));
    buffer_done(&path);
    return error;
}

static int pager_open(struct pager *pager)
{
    struct key prefix;
    int error = pager_above(pager);

    if (!error)
        error = pager_start(pager);
    if (error)
        return error;
    key_cell(&prefix, pager->shard, pager->bucket, pager->request->path);
    key_end(&prefix, &pager->to);
    return view_scan(&pager->view, DISK_CELLS, key_slice(&pager->from), key_slice(&pager->to),
                     &pager->scan);
}

/* Steps over what is below the name that was listed last. True: the cell is to be skipped. */
static int pager_skip(struct pager *pager, struct slice path, bool *ret_skip)
{
    int error;

    *ret_skip = pager->listed.size && slice_starts(path, buffer_slice(&pager->listed));
    if (!*ret_skip || ++pager->steps < SKIP_STEPS)
        return 0;
    pager->steps = 0;
    buffer_clear(&pager->end);
    error = path_prefix_end(buffer_slice(&pager->listed), &pager->end);
    if (error)
        return error;
    key_cell(&pager->from, pager->shard, pager->bucket, buffer_slice(&pager->end));
    scan_close(pager->scan);
    pager->scan = NULL;
    return view_scan(&pager->view, DISK_CELLS, key_slice(&pager->from), key_slice(&pager->to),
                     &pager->scan);
}

/* The name at the start of `rest`, and how many bytes of it name it. */
static int pager_name(struct pager *pager, struct slice rest, struct neap_item *ret_item,
                      size_t *ret_size)
{
    struct path_level level = {0};
    struct slice name = {0};
    int error;

    pager->walk.left = rest;
    pager->walk.last = pager->above;
    if (type_below(pager->above) == BELOW_ELEMENT) {
        error = path_cursor_element(&pager->walk, &name);
        level.type = pager->above;
    } else {
        error = path_cursor_level(&pager->walk, &level);
        name = level.name;
    }
    /* Only whole paths of cells are ever stored. */
    if (error)
        return error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    *ret_item = (struct neap_item){.type = level.type, .name = {name.data, name.size}};
    *ret_size = rest.size - pager->walk.left.size;
    return 0;
}

/* Value and number, if what is listed is the cell itself and not only above it. END: there is
 * nothing for a reader. */
static int pager_value(struct pager *pager, struct slice path, bool is_cell, struct neap_item *item)
{
    enum neap_type type = item->type;
    int error = 0;

    if (!is_cell && path_check(path, &type))
        return NEAP_CORRUPT;
    (void)cell_hide(type, &pager->cell, pager->request->hide_ms);
    if (!type_is_live(type, &pager->cell))
        return NEAP_END;
    if (is_cell) {
        error = type_item(type, &pager->cell, item);
        item->expires_ms = cell_lasts(type, &pager->cell);
    }
    /* A sum of many nodes may leave the range: INT64_MAX stands for it. */
    return error && error != NEAP_LIMIT ? NEAP_CORRUPT : 0;
}

/* END: the item does not fit into this page any more. The first one always does. */
static int pager_put(struct pager *pager, const struct neap_item *item)
{
    struct buffer *items = &pager->page->items;
    size_t size = items->size;
    struct writer writer;

    if (pager->request->count_only)
        return 0;
    writer_init(&writer, items);
    page_item_write(&writer, item);
    if (writer.error && writer.error != NEAP_LIMIT)
        return writer.error;
    if (!writer.error && (!size || items->size <= pager->request->size_max))
        return 0;
    items->size = size;
    return size ? NEAP_END : NEAP_LIMIT;
}

/* Neighbours mostly have one residue. */
static int pager_see_residue(struct pager *pager, uint64_t ref)
{
    int error;

    if (!pager->request->want_token || ref == pager->residue_ref)
        return 0;
    error = cell_residue(&pager->view, pager->shard, ref, &pager->seen);
    if (!error)
        pager->residue_ref = ref;
    return error;
}

static int pager_see(struct pager *pager, const struct cell *cell)
{
    int error = 0;

    for (size_t i = 0; !error && pager->request->want_token && i < cell->count; i++)
        error = context_raise(&pager->seen, cell->entries[i].dot.id, cell->entries[i].dot.n, 0);
    return error;
}

/* One cell of the scan. END: the page is full, and the next starts with this cell's name. */
static int pager_take(struct pager *pager, struct slice path, struct slice value)
{
    struct slice rest =
        slice_of(path.data + pager->request->path.size, path.size - pager->request->path.size);
    struct neap_item item;
    size_t size = 0;
    uint64_t ref;
    int error;

    error = cell_stored(value, &ref, &pager->cell);
    if (!error)
        error = pager_name(pager, rest, &item, &size);
    /* A cell without dots only remembers a removal. */
    if (!error && !pager->cell.count)
        return pager_see_residue(pager, ref);
    if (!error)
        error = pager_value(pager, path, size == rest.size, &item);
    /* The dots of one that is nothing to a reader were seen all the same. */
    if (error == NEAP_END) {
        error = pager_see(pager, &pager->cell);
        return error ? error : pager_see_residue(pager, ref);
    }
    if (error)
        return error;
    error = pager_put(pager, &item);
    if (error == NEAP_END) {
        int code = buffer_set(&pager->page->cursor, slice_of(rest.data, size));
        return code ? code : error;
    }
    if (!error)
        error = pager_see(pager, &pager->cell);
    if (!error)
        error = pager_see_residue(pager, ref);
    if (error)
        return error;
    pager->page->count++;
    buffer_clear(&pager->listed);
    pager->steps = 0;
    if (size < rest.size)
        error = buffer_set(&pager->listed, slice_of(path.data, pager->request->path.size + size));
    return error;
}

static bool pager_has_enough(const struct pager *pager)
{
    const struct page_request *request = pager->request;

    return request->count_only && request->count_max && pager->page->count > request->count_max;
}

static int pager_run(struct pager *pager)
{
    int error = pager_open(pager);

    while (!error && !pager_has_enough(pager)) {
        struct slice key, value;
        bool skip;

        error = scan_next(pager->scan, &key, &value);
        if (error)
            break;
        error = pager_skip(pager, key_cell_path(key), &skip);
        if (!error && !skip)
            error = pager_take(pager, key_cell_path(key), value);
    }
    return error == NEAP_END ? 0 : error;
}

static int pager_token(struct pager *pager)
{
    struct context context = {0};
    int error = shard_context_read(&pager->view, pager->shard, &context);

    if (error == NEAP_NOTFOUND)
        error = 0;
    if (!error)
        error = context_join(&context, &pager->seen);
    if (!error && context.count)
        error = token_join(&pager->request->token, pager->shard, &context);
    context_done(&context);
    return error;
}

static int page_error(struct disk *disk, struct page_request *request, int code)
{
    struct neap_error text = {0};
    char place[80];

    if (code == NEAP_IO || code == NEAP_CORRUPT)
        disk->ops->error(disk, &text);
    path_text(request->path, place, sizeof place);
    return error_set(&request->error, code, "%.60s/%s: %.100s", request->bucket, place,
                     code == NEAP_INVALID && request->kind != PAGE_NAMES
                         ? "not the path of a score set, or no place in it"
                     : code == NEAP_INVALID ? "not the path of a map or a set"
                     : text.text[0]         ? text.text
                                            : error_text(code));
}

static int page_names(struct disk *disk, struct page_request *request, struct page *ret_page)
{
    struct pager pager = {.request = request, .page = ret_page, .view = {.disk = disk}};
    int error;

    pager.bucket = bucket_id(request->bucket);
    pager.shard = request->shard ? bucket_id(request->shard) : pager.bucket;
    buffer_init(&pager.listed, 2 * NEAP_PATH_MAX);
    buffer_init(&pager.end, 2 * NEAP_PATH_MAX);
    path_cursor_init(&pager.walk, slice_of(NULL, 0));
    cell_init(&pager.cell);
    error = disk->ops->snapshot(disk, &pager.view.snapshot);
    if (!error)
        error = pager_run(&pager);
    if (!error && request->want_token)
        error = pager_token(&pager);
    scan_close(pager.scan);
    disk->ops->release(disk, pager.view.snapshot);
    context_done(&pager.seen);
    cell_done(&pager.cell);
    path_cursor_done(&pager.walk);
    buffer_done(&pager.end);
    buffer_done(&pager.listed);
    return error;
}

int page_read(struct disk *disk, struct page_request *request, struct page *ret_page)
{
    int error;

    buffer_clear(&ret_page->items);
    buffer_clear(&ret_page->cursor);
    ret_page->count = 0;
    if (request->kind == PAGE_CHANGES) /* of a node that holds it: node_watch() */
        error = NEAP_REFUSED;
    else if (request->kind == PAGE_NAMES)
        error = page_names(disk, request, ret_page);
    else
        error = page_scores(disk, request, ret_page);
    if (!error)
        return 0;
    page_error(disk, request, error);
    buffer_clear(&ret_page->items);
    buffer_clear(&ret_page->cursor);
    token_clear(&request->token);
    return error;
}
