/* Pages of cells for who compares (rule 7), written as the cells come from the disk. */

#include "base/error.h"
#include "base/pack.h"
#include "store/crate.h"

enum { CELL_OVERHEAD = 32 };

/* The cells are packed into the crate's arena, its index is not needed: a scan is in order. */
struct page {
    struct crate crate;
    struct writer cells;
    uint32_t count;
};

/* LIMIT: it is full, and nothing was added. */
static int page_add(struct page *page, struct slice key, struct slice value)
{
    struct chunk_cell cell = {.bucket = key_cell_bucket(key), .path = key_cell_path(key)};
    struct crate *crate = &page->crate;
    uint64_t ref;
    int error;

    if (page->count == CHUNK_CELLS_MAX ||
        key.size + value.size + CELL_OVERHEAD > CHUNK_BYTES_MAX - crate->arena.size)
        return NEAP_LIMIT;
    if (stored_split(value, &ref, &cell.bytes))
        return NEAP_CORRUPT;
    error = crate_residue(crate, ref, &cell.residue);
    if (error)
        return error;
    chunk_write_cell(&page->cells, &cell);
    crate->size += cell.path.size + cell.bytes.size + CELL_OVERHEAD;
    page->count++;
    return page->cells.error;
}

/* *ret_next is the key at which the next page begins, empty at the end. */
static int page_fill(struct page *page, struct scan *scan, size_t size_max, struct buffer *ret_next)
{
    struct slice key, value;
    int error;

    while (!(error = scan_next(scan, &key, &value))) {
        if (!key_cell_is(key))
            return NEAP_CORRUPT;
        if (page->count == 0 || page->crate.size < size_max)
            error = page_add(page, key, value);
        else
            error = NEAP_LIMIT;
        if (error == NEAP_LIMIT && page->count > 0)
            return buffer_set(ret_next, slice_of(key.data + 8, key.size - 8));
        if (error)
            return error;
    }
    return error == NEAP_END ? 0 : error;
}

/* `bytes` and `next` are the caller's, to be replaced when all went well. */
static int page_make(struct page *page, const struct view *view, struct slice cursor,
                     size_t size_max, struct buffer *bytes, struct buffer *next)
{
    struct chunk *chunk = &page->crate.chunk;
    struct scan *scan = NULL;
    int error = cells_scan(view, page->crate.shard->id, cursor, slice_of(NULL, 0), &scan);

    if (!error)
        error = page_fill(page, scan, size_max, next);
    scan_close(scan);
    chunk->from = cursor;
    chunk->to = buffer_slice(next);
    chunk->to_end = next->size == 0;
    return error ? error
                 : chunk_encode_page(chunk, page->count, buffer_slice(&page->crate.arena), bytes);
}

int shard_page(const struct shard *shard, const struct view *view, struct slice cursor,
               size_t size_max, struct buffer *ret_page, struct buffer *ret_next,
               uint64_t *ret_cells)
{
    struct buffer bytes, next;
    struct page page;
    int error;

    if (cursor.size > KEY_CURSOR_MAX)
        return NEAP_LIMIT;
    if (!shard_released(shard))
        return NEAP_BUSY;
    error = crate_init(&page.crate, shard, CHUNK_PAGE);
    if (error)
        return error;
    page.count = 0;
    writer_init(&page.cells, &page.crate.arena);
    buffer_init(&bytes,
                ret_page->size_max < CHUNK_BYTES_MAX ? ret_page->size_max : CHUNK_BYTES_MAX);
    buffer_init(&next, KEY_CURSOR_MAX);
    error = page_make(&page, view, cursor, size_max, &bytes, &next);
    if (!error)
        error = buffer_set(ret_page, buffer_slice(&bytes));
    if (!error && ret_next)
        error = buffer_set(ret_next, buffer_slice(&next));
    if (!error && ret_cells)
        *ret_cells = page.count;
    buffer_done(&bytes);
    buffer_done(&next);
    crate_done(&page.crate);
    return error;
}

int shard_compare_page(const struct shard *shard, const struct view *view, struct slice cursor,
                       size_t size_max, struct buffer *ret_page)
{
    return shard_page(shard, view, cursor, size_max, ret_page, NULL, NULL);
}
