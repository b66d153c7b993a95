#include "store/shard_compare_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/crate.h"
#include "store/take.h"

/* ---- a pass over the cells of some nodes ---- */

struct walk {
    const struct shard *shard;
    const struct repair_nodes *nodes;
    struct scan *scan;
    size_t left;             /* cells that may be looked at */
    struct slice key, value; /* of the latest: the key is without the shard */
    struct slice cell;
    bool unsettled, empty;
};

static int walk_begin(struct walk *walk, const struct shard *shard, const struct view *view,
                      const struct repair_nodes *nodes, struct slice from, struct slice to)
{
    must(from.size <= KEY_CURSOR_MAX && to.size <= KEY_CURSOR_MAX);
    *walk = (struct walk){.shard = shard, .nodes = nodes, .left = nodes->scan_max};
    return cells_scan(view, shard->id, from, to, &walk->scan);
}

/* The next cell of the nodes. END: there are no more; LIMIT: enough was looked at, and the key is
 * that of the next cell, whatever it is. */
static int walk_next(struct walk *walk)
{
    uint64_t ref;
    struct slice key;
    int error;

    do {
        error = scan_next(walk->scan, &key, &walk->value);
        if (!error && (!key_cell_is(key) || stored_split(walk->value, &ref, &walk->cell)))
            error = NEAP_CORRUPT;
        if (error)
            return error;
        walk->key = slice_of(key.data + 8, key.size - 8);
        if (walk->left == 0)
            return NEAP_LIMIT;
        walk->left--;
    } while (!merkle_has(&walk->nodes->nodes, merkle_place(&walk->shard->tree->key, walk->key)));
    walk->empty = walk->cell.size == 1 && walk->cell.data[0] == 0x90;
    walk->unsettled = residue_find(walk->shard, ref) != NULL;
    return 0;
}

static uint64_t walk_sum(const struct walk *walk)
{
    return merkle_short(&walk->nodes->salt,
                        merkle_cell(&walk->shard->tree->key, walk->key, walk->cell));
}

/* ---- who lacks: what it has ---- */

int compare_sums(const struct shard *shard, const struct view *view,
                 const struct repair_nodes *nodes, struct slice from, struct slice to,
                 size_t sums_max, uint64_t *ret_sums, size_t *ret_count, struct buffer *ret_keys,
                 struct buffer *ret_to)
{
    struct walk walk;
    size_t count = 0;
    bool full = false;
    int error = 0;

    buffer_clear(ret_keys);
    *ret_count = 0;
    if (nodes->nodes.count == 0)
        return buffer_set(ret_to, to);
    error = walk_begin(&walk, shard, view, nodes, from, to);
    if (error)
        return error;
    while (!full && !(error = walk_next(&walk))) {
        full = count == sums_max || ret_keys->size >= COMPARE_KEYS_AIM;
        if (full || walk.empty) /* to the peer it is as good as absent */
            continue;
        error = key_page_add(ret_keys, walk.key);
        if (error)
            break;
        ret_sums[count++] = walk_sum(&walk);
    }
    if (full || error == NEAP_LIMIT)
        error = buffer_set(ret_to, walk.key);
    else if (error == NEAP_END)
        error = buffer_set(ret_to, to);
    scan_close(walk.scan);
    if (!error)
        *ret_count = count;
    return error;
}

/* ---- who has: what it has and the other has not ---- */

struct numbered {
    uint64_t sum;
    size_t number;
};

static int numbered_compare(const void *a, const void *b)
{
    const struct numbered *one = a, *other = b;

    return (one->sum > other->sum) - (one->sum < other->sum);
}

/* The sums in their order. Equal ones stand side by side. */
static struct numbered *sums_sort(const struct compare_asked *asked)
{
    struct numbered *sorted = mem_new_array(asked->count + 1, sizeof *sorted);

    for (size_t i = 0; sorted && i < asked->count; i++)
        sorted[i] = (struct numbered){asked->sums[i], i};
    if (sorted && asked->count > 1)
        qsort(sorted, asked->count, sizeof *sorted, numbered_compare);
    return sorted;
}

static bool sums_meet(const struct numbered *sorted, size_t count, uint64_t sum, bool *met)
{
    const struct numbered wanted = {.sum = sum};
    const struct numbered *found =
        count > 0 ? bsearch(&wanted, sorted, count, sizeof *sorted, numbered_compare) : NULL;

    if (found)
        met[found->number] = true;
    return found != NULL;
}

/* Goes on behind the end of a page that is full: whoever asked is told of all its sums. */
static int part_fill(struct walk *walk, struct crate *crate, const struct numbered *sorted,
                     const struct compare_asked *asked, size_t size_max, struct compare_part *part,
                     struct buffer *end)
{
    bool full = false, has;
    uint32_t number;
    int error;

    while (!(error = walk_next(walk))) {
        has = !walk->empty && sums_meet(sorted, asked->count, walk_sum(walk), part->met);
        if (full || (has && (!walk->unsettled || BROKEN("compare-skips-unsettled"))))
            continue;
        if (walk->empty && !walk->unsettled)
            continue;
        full = crate->cells_count > 0 && crate->size >= size_max;
        if (!full)
            error =
                crate_add(crate, bytes_get_u64(walk->key.data),
                          slice_of(walk->key.data + 8, walk->key.size - 8), walk->value, &number);
        if (error == NEAP_LIMIT && crate->cells_count > 0)
            full = true;
        else if (error)
            return error;
        if (full)
            part->looked = walk->nodes->scan_max - walk->left - 1;
        error = full ? buffer_set(end, walk->key) : 0;
        if (error)
            return error;
    }
    if (!full)
        part->looked = walk->nodes->scan_max - walk->left;
    if (error == NEAP_LIMIT && !full)
        return buffer_set(end, walk->key);
    return error == NEAP_END || error == NEAP_LIMIT ? 0 : error;
}

static int part_walk(const struct shard *shard, const struct view *view,
                     const struct compare_asked *asked, size_t size_max, struct crate *crate,
                     struct compare_part *part, struct buffer *end)
{
    struct numbered *sorted;
    struct walk walk;
    int error = buffer_set(end, asked->to);

    part->looked = 0;
    memset(part->met, 0, asked->count * sizeof *part->met);
    if (error || asked->nodes.nodes.count == 0)
        return error;
    sorted = sums_sort(asked);
    if (!sorted)
        return NEAP_NOMEM;
    error = walk_begin(&walk, shard, view, &asked->nodes, asked->from, asked->to);
    if (!error) {
        error = part_fill(&walk, crate, sorted, asked, size_max, part, end);
        scan_close(walk.scan);
    }
    mem_free(sorted);
    return error;
}

int shard_compare_part(const struct shard *shard, const struct view *view,
                       const struct compare_asked *asked, size_t size_max,
                       struct compare_part *ret_part)
{
    struct buffer end;
    struct crate crate;
    int error;

    if (!shard_released(shard))
        return NEAP_BUSY;
    error = crate_init(&crate, shard, CHUNK_PAGE);
    if (error)
        return error;
    buffer_init(&end, KEY_CURSOR_MAX);
    error = part_walk(shard, view, asked, size_max, &crate, ret_part, &end);
    if (!error)
        error = crate_encode_page(&crate, asked->from, buffer_slice(&end), &ret_part->page);
    ret_part->cells = crate.cells_count;
    crate_done(&crate);
    buffer_done(&end);
    return error;
}

/* ---- who lacks: what it takes ---- */

/* The sums that are lacking, in the order of their keys. */
struct lacked {
    const struct compare_mine *mine;
    const uint32_t *numbers;
    size_t count, next; /* of numbers */
    size_t at, number;  /* of keys */
    struct slice key;   /* when has_key */
    bool has_key;
};

static void lacked_step(struct lacked *lacked)
{
    lacked->has_key = false;
    if (lacked->next == lacked->count)
        return;
    while (lacked->number <= lacked->numbers[lacked->next]) {
        must(key_page_next(lacked->mine->keys, &lacked->at, &lacked->key));
        lacked->number++;
    }
    lacked->next++;
    lacked->has_key = true;
}

/* What is lacking before `end` (empty: all), but for the cell at `end` itself. */
static int absent_take_until(struct change *change, const struct chunk *page, struct lacked *lacked,
                             struct slice end, uint64_t *common)
{
    int error = 0;

    while (!error && lacked->has_key && (end.size == 0 || slice_compare(lacked->key, end) < 0)) {
        error = BROKEN("compare-keeps-removed") ? 0 : take_gone(change, page, lacked->key, common);
        lacked_step(lacked);
    }
    return error;
}

/* A cell of which the peer has another version is lacking, too: it is in the page. */
static int part_merge(struct change *change, const struct chunk *page, struct lacked *lacked)
{
    uint64_t common = RESIDUE_UNKNOWN;
    struct slice theirs;
    struct key key;
    int error = 0;

    lacked_step(lacked);
    for (size_t i = 0; i < page->cells_count && !error; i++) {
        const struct chunk_cell *item = &page->cells[i];

        key_cell(&key, 0, item->bucket, item->path);
        theirs = slice_of(key.bytes + 8, key.size - 8);
        error = absent_take_until(change, page, lacked, theirs, &common);
        if (!error && lacked->has_key && slice_equal(lacked->key, theirs))
            lacked_step(lacked);
        if (!error)
            error = item->residue != CHUNK_SETTLED ? take_cell(change, page, item, &common)
                                                   : take_differing(change, page, item, &common);
    }
    return error ? error : absent_take_until(change, page, lacked, page->to, &common);
}

/* What the peer changed since the start comes next. */
static void session_turn(struct compare_session *session, struct chunk *page)
{
    struct context old = session->target;

    session->target = page->context;
    page->context = old;
    session->phase = COMPARE_CHANGED;
    if (context_covers(&session->seen, &session->target) || BROKEN("skip-changed"))
        session->phase = COMPARE_DONE;
}

/* A page goes from where it was asked for to where that ended, or less far. */
static bool part_fits(const struct compare_mine *mine, const struct chunk *page)
{
    return slice_equal(page->from, mine->from) &&
           (mine->to.size == 0 || (!page->to_end && slice_compare(page->to, mine->to) <= 0));
}

static bool part_is_whole(const struct compare_mine *mine, const struct chunk *page)
{
    return mine->to.size == 0 ? page->to_end : slice_equal(page->to, mine->to);
}

static int part_take(struct shard *shard, struct batch *batch, struct chunk *page,
                     const struct compare_mine *mine, const uint32_t *lacking, size_t count,
                     bool last)
{
    struct lacked lacked = {.mine = mine, .numbers = lacking, .count = count};
    struct change change;
    int error = change_begin(&change, shard, batch);

    if (error)
        return error;
    error = part_merge(&change, page, &lacked);
    if (error)
        change_abort(&change);
    else
        error = change_commit(&change);
    if (!error)
        shard->counts.cells_taken += page->cells_count;
    if (!error && last && part_is_whole(mine, page))
        session_turn(&shard->session, page);
    return error;
}

int shard_compare_part_take(struct shard *shard, struct batch *batch, struct slice bytes,
                            const struct compare_mine *mine, const uint32_t *lacking, size_t count,
                            bool last, struct buffer *ret_end)
{
    const struct compare_session *session = &shard->session;
    struct chunk page;
    int error;

    for (size_t i = 0; i < count; i++) {
        if (lacking[i] >= mine->count || (i > 0 && lacking[i] <= lacking[i - 1]))
            return NEAP_INVALID;
    }
    error = take_decode(shard, bytes, CHUNK_PAGE, &page);
    if (error)
        return error;
    if (session->id == 0 || session->phase != COMPARE_CELLS ||
        !context_covers(&page.context, &session->start))
        error = NEAP_STALE;
    else if (!part_fits(mine, &page))
        error = NEAP_INVALID;
    else
        error = buffer_set(ret_end, page.to_end ? slice_of(NULL, 0) : page.to);
    if (!error)
        error = part_take(shard, batch, &page, mine, lacking, count, last);
    chunk_done(&page);
    return error;
}
