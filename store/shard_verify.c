#include "store/shard_verify.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/slot.h"

/* ---- paths ---- */

void verify_paths_init(struct verify_paths *paths)
{
    *paths = (struct verify_paths){0};
    buffer_init(&paths->bytes, VERIFY_PATHS_BYTES);
}

void verify_paths_done(struct verify_paths *paths)
{
    buffer_done(&paths->bytes);
    mem_free(paths->items);
    *paths = (struct verify_paths){0};
}

struct slice verify_path(const struct verify_paths *paths, size_t index)
{
    const struct verify_path *item = &paths->items[index];

    return slice_of(paths->bytes.data + item->at, item->size);
}

int verify_paths_add(struct verify_paths *paths, struct slice path)
{
    struct verify_path item = {(uint32_t)paths->bytes.size, (uint32_t)path.size}, *items;
    int error;

    if (paths->count > 0 && slice_equal(verify_path(paths, paths->count - 1), path))
        return 0;
    if (paths->count == VERIFY_PATHS_MAX)
        return NEAP_LIMIT;
    items = mem_reserve(paths->items, paths->count, &paths->room, 1, sizeof *items);
    if (!items)
        return NEAP_NOMEM;
    paths->items = items;
    error = buffer_append(&paths->bytes, path);
    if (!error)
        items[paths->count++] = item;
    return error;
}

/* By heap, as the bytes that items mean are beside them. */
static void heap_sink(struct verify_paths *paths, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        struct verify_path item = paths->items[at];

        if (child + 1 < count &&
            slice_compare(verify_path(paths, child), verify_path(paths, child + 1)) < 0)
            child++;
        if (slice_compare(verify_path(paths, at), verify_path(paths, child)) >= 0)
            return;
        paths->items[at] = paths->items[child];
        paths->items[child] = item;
    }
}

void verify_paths_sort(struct verify_paths *paths)
{
    size_t kept = 0;

    for (size_t at = paths->count / 2; at-- > 0;)
        heap_sink(paths, at, paths->count);
    for (size_t count = paths->count; count-- > 1;) {
        struct verify_path item = paths->items[0];

        paths->items[0] = paths->items[count];
        paths->items[count] = item;
        heap_sink(paths, 0, count);
    }
    for (size_t i = 0; i < paths->count; i++) {
        if (kept == 0 || !slice_equal(verify_path(paths, kept - 1), verify_path(paths, i)))
            paths->items[kept++] = paths->items[i];
    }
    paths->count = kept;
}

bool verify_paths_have(const struct verify_paths *paths, struct slice path)
{
    size_t low = 0, high = paths->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(verify_path(paths, middle), path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < paths->count && slice_equal(verify_path(paths, low), path);
}

/* ---- what is under way ---- */

static int entry_path_add(struct verify_paths *paths, const struct log_entry *entry)
{
    uint8_t bytes[8 + NEAP_PATH_MAX];

    bytes_put_u64(bytes, entry->bucket);
    if (entry->path.size > 0)
        memcpy(bytes + 8, entry->path.data, entry->path.size);
    return verify_paths_add(paths, slice_of(bytes, 8 + entry->path.size));
}

/* What events (from, to] of an id changed; there is an entry for each. */
static int events_add(const struct shard *shard, const struct view *view, uint64_t id,
                      uint64_t from, uint64_t to, struct verify_paths *paths)
{
    struct scan *scan;
    int error = log_scan(view, shard->id, id, from, to, &scan);

    if (error)
        return error;
    for (uint64_t n = from + 1; n <= to && !error; n++) {
        struct log_entry entry;

        error = log_next(scan, n, &entry);
        if (!error)
            error = entry_path_add(paths, &entry);
    }
    scan_close(scan);
    return error;
}

int verify_beyond(const struct shard *shard, const struct view *view, const struct context *base,
                  struct verify_paths *ret_paths)
{
    const struct context *context = &shard->context;
    uint64_t events = 0;
    int error = 0;

    if (!context_covers(base, &shard->horizon)) {
        for (size_t i = 0; i < context->count; i++) {
            uint64_t id = context->entries[i].id, have = context_get(base, id);

            if (have < context->entries[i].n && have < context_get(&shard->horizon, id))
                return NEAP_STALE;
        }
    }
    for (size_t i = 0; i < context->count && !error; i++) {
        uint64_t id = context->entries[i].id, n = context->entries[i].n;
        uint64_t have = context_get(base, id);

        if (have >= n)
            continue;
        if (n - have > VERIFY_EVENTS_MAX - events)
            return NEAP_LIMIT;
        events += n - have;
        error = events_add(shard, view, id, have, n, ret_paths);
    }
    if (!error)
        verify_paths_sort(ret_paths);
    return error;
}

enum verify_state verify_state(const struct shard *shard)
{
    if (!shard->tree || !shard->tree->ready)
        return VERIFY_NO_TREE;
    if (!shard_released(shard))
        return VERIFY_UNCONFIRMED;
    return shard->session.id ? VERIFY_CATCHES_UP : VERIFY_FINE;
}

bool verify_covers(const struct context *a, const struct context *b, const struct context *residue)
{
    for (size_t i = 0; i < residue->count; i++) {
        uint64_t id = residue->entries[i].id, n = residue->entries[i].n;

        if (context_get(a, id) < n && context_get(b, id) < n)
            return BROKEN("verify-ignores-residues");
    }
    return true;
}

bool verify_is_settled(const struct shard *shard, const struct context *other)
{
    for (size_t i = 0; i < shard->residues_count; i++) {
        if (!verify_covers(&shard->context, other, &shard->residues[i].context))
            return false;
    }
    return true;
}

/* ---- sums ---- */

void verify_sums_read(const struct merkle *tree, struct verify_sums *sums)
{
    const struct merkle_nodes *nodes = &sums->nodes;
    size_t each = (size_t)1 << sums->below;

    must(tree->ready && nodes->count * each <= VERIFY_SUMS_MAX);
    for (size_t i = 0; i < nodes->count * each; i++) {
        uint32_t first = nodes->index[i / each] << sums->below;

        sums->sums[i] =
            merkle_sum(&tree->now, nodes->bits + sums->below, first + (uint32_t)(i % each));
    }
}

void verify_sums_fold(struct verify_sums *sums, unsigned below)
{
    size_t each = (size_t)1 << (sums->below - below);

    must(below <= sums->below);
    for (size_t i = 0; i < sums->nodes.count << below; i++) {
        struct digest sum = {0};

        for (size_t j = 0; j < each; j++)
            digest_add(&sum, sums->sums[i * each + j]);
        sums->sums[i] = sum;
    }
    sums->below = below;
}

/* The sum that a place counts in; NULL: none. */
static struct digest *sum_at(const struct verify_sums *sums, uint64_t place)
{
    const struct merkle_nodes *nodes = &sums->nodes;
    unsigned bits = nodes->bits + sums->below;
    uint32_t index = bits > 0 ? (uint32_t)(place >> (64 - bits)) : 0;
    size_t low = 0, high = nodes->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (nodes->index[middle] < index >> sums->below)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == nodes->count || nodes->index[low] != index >> sums->below)
        return NULL;
    return &sums->sums[(low << sums->below) + (index & ((1u << sums->below) - 1))];
}

/* What the cell counts, now. */
static int cell_count(const struct shard *shard, const struct view *view, struct slice path,
                      struct buffer *bytes, struct digest *ret_sum)
{
    struct slice cell = {0};
    struct key key;
    uint64_t ref;
    int error;

    key_cell(&key, shard->id, bytes_get_u64(path.data), slice_of(path.data + 8, path.size - 8));
    error = view_get(view, DISK_CELLS, key_slice(&key), bytes);
    if (!error && stored_split(buffer_slice(bytes), &ref, &cell))
        error = NEAP_CORRUPT;
    if (error == NEAP_NOTFOUND) {
        buffer_clear(bytes);
        error = 0;
    }
    if (!error)
        *ret_sum = merkle_cell(&shard->tree->key, path, cell);
    return error;
}

int verify_leave_out(const struct shard *shard, const struct view *view,
                     const struct verify_paths *paths, const struct verify_paths *other,
                     const struct merkle_watch *watch, struct verify_sums *sums)
{
    size_t left = VERIFY_READ_BYTES;
    struct digest count = {0};
    struct buffer bytes;
    int error = 0;
    bool any;

    buffer_init(&bytes, STORED_SIZE_MAX);
    for (size_t i = 0; i < paths->count && !error; i++) {
        struct slice path = verify_path(paths, i);
        uint64_t place = merkle_place(&shard->tree->key, path);
        struct digest *sum = sum_at(sums, place);

        if (!sum || (other && verify_paths_have(other, path)))
            continue;
        sums->cells_read++;
        error = cell_count(shard, view, path, &bytes, &count);
        if (!error && bytes.size > left)
            error = NEAP_LIMIT;
        if (error)
            break;
        left -= bytes.size;
        digest_subtract(sum, count);
        if (watch)
            digest_add(sum, merkle_watched(watch, place, &any));
    }
    buffer_done(&bytes);
    return error;
}

uint64_t verify_short(const struct hash_key *salt, struct digest sum)
{
    uint8_t bytes[16];

    bytes_put_u64(bytes, sum.high);
    bytes_put_u64(bytes + 8, sum.low);
    return hash_64(salt, slice_of(bytes, sizeof bytes));
}

/* ---- cells ---- */

/* LIMIT: not this one, and no more. */
static int cell_visit(const struct shard *shard, const struct verify_pass *pass, struct slice path,
                      struct slice value)
{
    struct digest sum;
    struct slice cell;
    uint64_t ref;

    if (stored_split(value, &ref, &cell))
        return NEAP_CORRUPT;
    if (!merkle_has(&pass->nodes, merkle_place(&shard->tree->key, path)))
        return 0;
    sum = merkle_cell(&shard->tree->key, path, cell);
    return digest_equal(sum, (struct digest){0}) ? 0 : pass->visit(pass->arg, path, sum);
}

int verify_each(const struct shard *shard, const struct view *view, struct verify_pass *pass)
{
    struct slice key, value, path = {0};
    struct scan *scan;
    int error;

    must(pass->from.size <= KEY_CURSOR_MAX && pass->to.size <= KEY_CURSOR_MAX);
    error = cells_scan(view, shard->id, pass->from, pass->to, &scan);
    if (error)
        return error;
    for (size_t looked = 0; !error; looked++) {
        error = scan_next(scan, &key, &value);
        if (error)
            break;
        if (!key_cell_is(key)) {
            error = NEAP_CORRUPT;
            break;
        }
        pass->cells_read++;
        path = slice_of(key.data + 8, key.size - 8);
        error = looked == VERIFY_CELLS_LOOKED_MAX ? NEAP_LIMIT
                                                  : cell_visit(shard, pass, path, value);
    }
    if (error == NEAP_END || error == NEAP_LIMIT)
        error = buffer_set(&pass->end, error == NEAP_END ? pass->to : path);
    scan_close(scan);
    return error;
}
