#include "store/shard_repair.h"

#include <stdlib.h>

#include "base/broken.h"
#include "base/error.h"
#include "store/crate.h"
#include "store/slot.h"
#include "store/take.h"

/* ---- a stretch ---- */

struct stretch {
    const struct shard *shard;
    const struct repair_nodes *nodes;
    struct scan *scan;
    size_t left;            /* cells that may be looked at */
    struct slice key, path; /* of the latest: key without the shard */
    struct slice value, cell;
    const struct residue *residue; /* of the latest; NULL: none that says anything */
    uint64_t written;              /* the reference of the residue that the buffer has */
    struct buffer bytes;
};

static int stretch_begin(struct stretch *stretch, const struct shard *shard,
                         const struct view *view, const struct repair_nodes *nodes,
                         struct slice from, struct slice to)
{
    must(from.size <= KEY_CURSOR_MAX && to.size <= KEY_CURSOR_MAX);
    *stretch = (struct stretch){.shard = shard, .nodes = nodes, .left = nodes->scan_max};
    buffer_init(&stretch->bytes, CONTEXT_IDS_MAX * 32);
    return cells_scan(view, shard->id, from, to, &stretch->scan);
}

static void stretch_end(struct stretch *stretch)
{
    scan_close(stretch->scan);
    buffer_done(&stretch->bytes);
}

/* One without dots is there for what is known of it. */
static bool stretch_has(const struct stretch *stretch)
{
    bool bare = stretch->cell.size == 1 && stretch->cell.data[0] == 0x90;

    if (bare && BROKEN("repair-not-bare"))
        return false;
    return stretch->cell.size > 0 && (!bare || stretch->residue) &&
           merkle_has(&stretch->nodes->nodes,
                      merkle_place(&stretch->shard->tree->key, stretch->key));
}

/* The next cell of the nodes. END: there are no more; LIMIT: enough was looked at, and the key is
 * that of the next cell, whatever it is. */
static int stretch_next(struct stretch *stretch)
{
    uint64_t ref = 0;
    struct slice key;
    int error;

    do {
        error = scan_next(stretch->scan, &key, &stretch->value);
        if (!error && (!key_cell_is(key) || stored_split(stretch->value, &ref, &stretch->cell)))
            error = NEAP_CORRUPT;
        if (error)
            return error;
        stretch->key = slice_of(key.data + 8, key.size - 8);
        stretch->path = key_cell_path(key);
        stretch->residue = residue_find(stretch->shard, ref);
        if (stretch->residue && stretch->residue->context.count == 0)
            stretch->residue = NULL;
        if (stretch->left == 0)
            return NEAP_LIMIT;
        stretch->left--;
    } while (!stretch_has(stretch));
    return 0;
}

/* Of the cell and of what is known of it beyond the context. */
static int stretch_sum(struct stretch *stretch, uint64_t *ret_sum)
{
    const struct hash_key *key = &stretch->shard->tree->key;
    struct digest sum = merkle_cell(key, stretch->key, stretch->cell);
    const struct residue *residue = stretch->residue;
    struct writer writer;

    if (residue && residue->ref != stretch->written) {
        buffer_clear(&stretch->bytes);
        writer_init(&writer, &stretch->bytes);
        context_write(&writer, &residue->context);
        if (writer.error)
            return writer.error;
        stretch->written = residue->ref;
    }
    if (residue)
        digest_add(&sum, merkle_cell(key, stretch->key, buffer_slice(&stretch->bytes)));
    *ret_sum = merkle_short(&stretch->nodes->salt, sum);
    return 0;
}

/* ---- sums ---- */

static int sum_compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

static size_t sums_sort(uint64_t *sums, size_t count)
{
    size_t kept = 0;

    if (count > 0)
        qsort(sums, count, sizeof *sums, sum_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || sums[kept - 1] != sums[i])
            sums[kept++] = sums[i];
    }
    return kept;
}

int repair_sums(const struct shard *shard, const struct view *view,
                const struct repair_nodes *nodes, struct slice from, struct slice to,
                size_t sums_max, uint64_t *ret_sums, size_t *ret_count, struct buffer *ret_to)
{
    struct stretch stretch;
    size_t count = 0;
    int error = stretch_begin(&stretch, shard, view, nodes, from, to);

    if (error)
        return error;
    while (!(error = stretch_next(&stretch)) && count < sums_max &&
           !(error = stretch_sum(&stretch, &ret_sums[count])))
        count++;
    if (error == 0 || error == NEAP_LIMIT)
        error = buffer_set(ret_to, stretch.key);
    else if (error == NEAP_END)
        error = buffer_set(ret_to, to);
    stretch_end(&stretch);
    if (!error)
        *ret_count = sums_sort(ret_sums, count);
    return error;
}

/* ---- pages ---- */

static bool sums_have(const uint64_t *sums, size_t count, uint64_t sum, size_t *ret_at)
{
    const uint64_t *found = count > 0 ? bsearch(&sum, sums, count, sizeof sum, sum_compare) : NULL;

    *ret_at = found ? (size_t)(found - sums) : 0;
    return found != NULL;
}

/* Goes on behind the end of a page that is full, for `met`. */
static int page_fill(struct stretch *stretch, struct crate *crate, const uint64_t *sums,
                     size_t count, enum repair_cells which, size_t size_max,
                     struct repair_found *found)
{
    bool full = false, has;
    uint32_t number;
    uint64_t sum;
    size_t at;
    int error;

    found->looked = 0;
    while (!(error = stretch_next(stretch)) && !(error = stretch_sum(stretch, &sum))) {
        has = sums_have(sums, count, sum, &at);
        if (has && found->met)
            found->met[at] = true;
        if (full || has != (which == REPAIR_THESE))
            continue;
        full = crate->cells_count > 0 && crate->size >= size_max;
        if (!full)
            error = crate_add(crate, bytes_get_u64(stretch->key.data), stretch->path,
                              stretch->value, &number);
        if (error == NEAP_LIMIT && crate->cells_count > 0)
            full = true;
        else if (error)
            return error;
        if (full)
            found->looked = stretch->nodes->scan_max - stretch->left - 1;
        error = full ? buffer_set(&found->end, stretch->key) : 0;
        if (error)
            return error;
    }
    found->whole = error == NEAP_END;
    if (!full)
        found->looked = stretch->nodes->scan_max - stretch->left;
    if (error == NEAP_LIMIT && !full)
        return buffer_set(&found->end, stretch->key);
    return error == NEAP_END || error == NEAP_LIMIT ? 0 : error;
}

int repair_page(const struct shard *shard, const struct view *view,
                const struct repair_nodes *nodes, struct slice from, struct slice to,
                const uint64_t *sums, size_t count, enum repair_cells which, size_t size_max,
                struct repair_found *ret_found)
{
    struct stretch stretch;
    struct crate crate;
    int error;

    if (!shard_released(shard))
        return NEAP_BUSY;
    error = crate_init(&crate, shard, CHUNK_PAGE);
    if (error)
        return error;
    error = buffer_set(&ret_found->end, to);
    if (!error)
        error = stretch_begin(&stretch, shard, view, nodes, from, to);
    if (!error) {
        error = page_fill(&stretch, &crate, sums, count, which, size_max, ret_found);
        stretch_end(&stretch);
    }
    if (!error)
        error = crate_encode_page(&crate, from, buffer_slice(&ret_found->end), &ret_found->page);
    ret_found->cells = crate.cells_count;
    crate_done(&crate);
    return error;
}

/* ---- a look ---- */

static int cell_look(const struct shard *shard, const struct view *view,
                     const struct chunk_cell *item, struct buffer *bytes, repair_tell tell,
                     void *arg)
{
    struct cell theirs;
    struct slot slot;
    int error;

    cell_init(&theirs);
    error = slot_load(shard, view, item->bucket, item->path, bytes, &slot);
    if (!error)
        error = cell_decode(item->bytes, &theirs);
    /* Who knows of more may have removed what is not there. */
    if (!error && theirs.count > 0 && !cell_same(&slot.cell, &theirs) && !slot.residue &&
        item->residue == CHUNK_SETTLED)
        tell(arg, item->path, slot.cell.count == 0);
    slot_done(&slot);
    cell_done(&theirs);
    return error;
}

int repair_look(const struct shard *shard, const struct view *view, struct slice page,
                repair_tell tell, void *arg, struct buffer *ret_end)
{
    struct buffer bytes;
    struct chunk chunk = {0};
    int error = chunk_decode(page, CHUNK_PAGE, &chunk);

    buffer_init(&bytes, STORED_SIZE_MAX);
    if (!error && chunk.shard != shard->id)
        error = NEAP_INVALID;
    for (size_t i = 0; i < chunk.cells_count && !error; i++)
        error = cell_look(shard, view, &chunk.cells[i], &bytes, tell, arg);
    if (!error && ret_end)
        error = buffer_set(ret_end, chunk.to_end ? slice_of(NULL, 0) : chunk.to);
    buffer_done(&bytes);
    chunk_done(&chunk);
    return error;
}
