/* What a status shows of a shard. */
#include "base/error.h"
#include "store/slot.h"

/* The key that a path belongs to: its first level. */
static int path_key(struct slice path, struct buffer *ret_key)
{
    struct path_cursor cursor;
    struct path_level level;
    int error;

    path_cursor_init(&cursor, path);
    error = path_cursor_level(&cursor, &level);
    if (!error)
        error = buffer_set(ret_key, level.name);
    path_cursor_done(&cursor);
    return error == NEAP_INVALID || error == NEAP_END ? NEAP_CORRUPT : error;
}

struct summing {
    const struct hash_key *hash_key;
    struct buffer key, last_key, hashed;
    struct shard_summary summary;
};

static int cell_sum(struct summing *summing, struct slice key, struct slice value)
{
    struct shard_summary *summary = &summing->summary;
    struct slice bytes;
    struct cell cell;
    uint64_t ref;
    size_t dots;
    int error;

    if (!key_cell_is(key) || stored_split(value, &ref, &bytes))
        return NEAP_CORRUPT;
    cell_init(&cell);
    error = cell_stored(value, &ref, &cell);
    dots = cell.count;
    cell_done(&cell);
    if (error || dots == 0)
        return error;
    error = path_key(key_cell_path(key), &summing->key);
    if (!error)
        error = buffer_set(&summing->hashed, slice_of(key.data + 8, key.size - 8));
    if (!error)
        error = buffer_append(&summing->hashed, bytes);
    if (error)
        return error;
    if (summary->cells == 0 ||
        !slice_equal(buffer_slice(&summing->key), buffer_slice(&summing->last_key)))
        summary->keys++;
    summary->cells++;
    summary->bytes += summing->hashed.size; /* what replicas share: the reference is local */
    digest_add(&summary->digest, hash_128(summing->hash_key, buffer_slice(&summing->hashed)));
    return buffer_set(&summing->last_key, buffer_slice(&summing->key));
}

static int cells_sum(struct summing *summing, const struct view *view, uint64_t shard)
{
    struct key prefix, end;
    struct slice key, value;
    struct scan *scan;
    int error;

    key_shard_prefix(&prefix, shard);
    key_end(&prefix, &end);
    error = view_scan(view, DISK_CELLS, key_slice(&prefix), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = cell_sum(summing, key, value);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

int shard_summary(const struct view *view, const struct shard *shard, const struct hash_key *key,
                  struct shard_summary *ret_summary)
{
    struct summing summing = {.hash_key = key};
    int error;

    buffer_init(&summing.key, KEY_SIZE_MAX);
    buffer_init(&summing.last_key, KEY_SIZE_MAX);
    buffer_init(&summing.hashed, STORED_SIZE_MAX + KEY_SIZE_MAX);
    error = cells_sum(&summing, view, shard->id);
    buffer_done(&summing.key);
    buffer_done(&summing.last_key);
    buffer_done(&summing.hashed);
    if (error)
        return error;
    summing.summary.log = shard_log_count(shard);
    summing.summary.residues = shard->residues_count;
    *ret_summary = summing.summary;
    return 0;
}
