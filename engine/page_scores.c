/* Pages of members by their scores, and the rank of one: passes over the index of a score set
 * (store/ranking.h). What its cell does not say is not listed: an index may be left with an entry
 * of a cell that was lost without a word. */
#include <string.h>

#include "base/error.h"
#include "engine/read.h"
#include "store/ranking.h"
#include "store/store.h"

struct lister {
    struct page_request *request;
    struct page *page;
    struct view view;
    uint64_t shard, bucket;
    struct key prefix, from, end;
    struct buffer bytes, path; /* of a cell */
    struct cell cell;
    struct path_cursor walk;
    struct context seen; /* what cells have beyond the shard's context, for the token */
};

/* Whole levels, the last a score set. */
static int lister_check(struct slice path)
{
    enum neap_type last;
    size_t size;
    int error = path_levels(path, &size, &last);

    if (!error && (size < path.size || last != NEAP_SCORES))
        error = NEAP_INVALID;
    return error;
}

/* The cell of a member, as it is in its path. */
static int lister_cell(struct lister *lister, struct slice member)
{
    uint64_t ref = 0;
    struct key key;
    int error = buffer_set(&lister->path, lister->request->path);

    if (!error)
        error = buffer_append(&lister->path, member);
    if (error)
        return error;
    cell_clear(&lister->cell);
    key_cell(&key, lister->shard, lister->bucket, buffer_slice(&lister->path));
    error = view_get(&lister->view, DISK_CELLS, key_slice(&key), &lister->bytes);
    if (!error)
        error = cell_stored(buffer_slice(&lister->bytes), &ref, &lister->cell);
    if (error == NEAP_NOTFOUND)
        return 0;
    for (size_t i = 0; !error && lister->request->want_token && i < lister->cell.count; i++)
        error = context_raise(&lister->seen, lister->cell.entries[i].dot.id,
                              lister->cell.entries[i].dot.n, 0);
    if (!error && lister->request->want_token)
        error = cell_residue(&lister->view, lister->shard, ref, &lister->seen);
    return error;
}

/* END: it does not fit into this page any more. The first one always does. */
static int lister_put(struct lister *lister, struct slice member, int64_t score)
{
    struct neap_item item = {.type = NEAP_SCORES, .number = score};
    struct buffer *items = &lister->page->items;
    size_t size = items->size;
    struct writer writer;
    struct slice name;
    int error;

    lister->walk.left = member;
    lister->walk.last = NEAP_SCORES;
    error = path_cursor_element(&lister->walk, &name);
    if (error)
        return error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    item.name = (struct neap_bytes){name.data, name.size};
    writer_init(&writer, items);
    page_item_write(&writer, &item);
    if (writer.error && writer.error != NEAP_LIMIT)
        return writer.error;
    if (!writer.error && (!size || items->size <= lister->request->size_max)) {
        lister->page->count++;
        return 0;
    }
    items->size = size;
    return size ? NEAP_END : NEAP_LIMIT;
}

/* ---- by score ---- */

static int lister_take(struct lister *lister, struct slice key)
{
    struct slice member;
    int64_t score = 0, now = 0;
    int error = ranking_split(key, &lister->prefix, &score, &member);

    if (!error)
        error = lister_cell(lister, member);
    if (error || score_value(&lister->cell, &now) || now != score)
        return error;
    error = lister_put(lister, member, score);
    if (error == NEAP_END) {
        int code = buffer_set(&lister->page->cursor, slice_of(key.data + lister->prefix.size,
                                                              key.size - lister->prefix.size));
        error = code ? code : error;
    }
    return error;
}

/* From the highest score, or where an earlier page ended. */
static int lister_range(struct lister *lister)
{
    const struct page_request *request = lister->request;
    struct slice none = slice_of(NULL, 0), path = request->path;

    key_ranking(&lister->from, lister->shard, lister->bucket, path, request->high, none);
    key_ranking(&lister->end, lister->shard, lister->bucket, path, request->low, none);
    key_end(&lister->end, &lister->end);
    if (!request->from.size)
        return 0;
    if (lister->prefix.size + request->from.size > KEY_SIZE_MAX)
        return NEAP_INVALID;
    if (slice_compare(request->from,
                      slice_of(lister->from.bytes + lister->prefix.size, RANKING_SCORE)) <= 0)
        return 0;
    memcpy(lister->from.bytes + lister->prefix.size, request->from.data, request->from.size);
    lister->from.size = lister->prefix.size + request->from.size;
    return 0;
}

static int lister_scores(struct lister *lister)
{
    struct slice key, value;
    struct scan *scan;
    int error = lister_range(lister);

    if (error || lister->request->high < lister->request->low)
        return error;
    error = view_scan(&lister->view, DISK_META, key_slice(&lister->from), key_slice(&lister->end),
                      &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = lister_take(lister, key);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

/* ---- ranks ---- */

static int lister_count(struct lister *lister, uint64_t *ret_count)
{
    struct slice key, value;
    struct scan *scan;
    uint64_t count = 0;
    int error = view_scan(&lister->view, DISK_META, key_slice(&lister->prefix),
                          key_slice(&lister->end), &scan);

    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value)))
        count++;
    scan_close(scan);
    *ret_count = count;
    return error == NEAP_END ? 0 : error;
}

/* How many are before it, and the member as an item; none when it is not in. */
static int lister_rank(struct lister *lister)
{
    struct buffer member;
    uint64_t before = 0;
    int64_t score;
    int error;

    /* Any path of a set will do, to have the element as it is in one. */
    buffer_init(&member, NEAP_PATH_MAX);
    error = buffer_append(&member, lister->request->path);
    if (!error)
        error = path_element(&member, lister->request->from);
    if (!error) {
        const struct slice name = slice_of(member.data + lister->request->path.size,
                                           member.size - lister->request->path.size);

        error = lister_cell(lister, name);
        if (!error && !score_value(&lister->cell, &score)) {
            key_ranking(&lister->end, lister->shard, lister->bucket, lister->request->path, score,
                        name);
            error = lister_count(lister, &before);
            if (!error)
                error = lister_put(lister, name, score);
            if (!error)
                lister->page->count = before;
        }
    }
    buffer_done(&member);
    return error;
}

static int lister_token(struct lister *lister)
{
    struct context context = {0};
    int error = shard_context_read(&lister->view, lister->shard, &context);

    if (error == NEAP_NOTFOUND)
        error = 0;
    if (!error)
        error = context_join(&context, &lister->seen);
    if (!error && context.count)
        error = token_join(&lister->request->token, lister->shard, &context);
    context_done(&context);
    return error;
}

static int lister_run(struct lister *lister)
{
    int error = lister_check(lister->request->path);

    if (error)
        return error;
    key_ranking_prefix(&lister->prefix, lister->shard, lister->bucket, lister->request->path);
    error = lister->request->kind == PAGE_RANK ? lister_rank(lister) : lister_scores(lister);
    if (!error && lister->request->want_token)
        error = lister_token(lister);
    return error;
}

int page_scores(struct disk *disk, struct page_request *request, struct page *ret_page)
{
    struct lister lister = {.request = request, .page = ret_page, .view = {.disk = disk}};
    int error;

    lister.bucket = bucket_id(request->bucket);
    lister.shard = request->shard ? bucket_id(request->shard) : lister.bucket;
    buffer_init(&lister.bytes, STORED_SIZE_MAX);
    buffer_init(&lister.path, NEAP_PATH_MAX);
    path_cursor_init(&lister.walk, slice_of(NULL, 0));
    cell_init(&lister.cell);
    error = disk->ops->snapshot(disk, &lister.view.snapshot);
    if (!error)
        error = lister_run(&lister);
    disk->ops->release(disk, lister.view.snapshot);
    context_done(&lister.seen);
    cell_done(&lister.cell);
    path_cursor_done(&lister.walk);
    buffer_done(&lister.path);
    buffer_done(&lister.bytes);
    return error;
}
