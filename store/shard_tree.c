/* The tree of a shard, and its build from the cells. */
#include <string.h>

#include "base/error.h"
#include "store/merkle.h"
#include "store/slot.h"

int shard_tree_open(struct shard *shard, const struct hash_key *key, unsigned bits_max)
{
    bool nothing = shard->context.count == 0 && shard->residues_count == 0;

    must(!shard->tree);
    return merkle_new(key, bits_max, nothing, &shard->tree);
}

static int cell_add_to(struct shard *shard, struct slice key, struct slice value, bool *ret_again)
{
    struct slice path = slice_of(key.data + 8, key.size - 8), cell;
    uint64_t ref;

    if (!key_cell_is(key) || stored_split(value, &ref, &cell))
        return NEAP_CORRUPT;
    *ret_again = !merkle_build_add(shard->tree, path, cell, residue_find(shard, ref) != NULL);
    return 0;
}

/* From the cursor on. END: there are no more. */
static int cells_add(struct shard *shard, const struct view *view, size_t cells_max)
{
    struct slice cursor = merkle_build_cursor(shard->tree), key, value;
    struct key from, end;
    struct scan *scan;
    bool again = false;
    int error;

    key_shard_prefix(&from, shard->id);
    key_end(&from, &end);
    if (cursor.size > 0)
        memcpy(from.bytes + from.size, cursor.data, cursor.size);
    from.size += cursor.size;
    error = view_scan(view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    for (size_t i = 0; i < cells_max && !error && !again; i++) {
        error = scan_next(scan, &key, &value);
        if (!error)
            error = cell_add_to(shard, key, value, &again);
    }
    scan_close(scan);
    return error;
}

int shard_tree_step(struct shard *shard, const struct view *view, size_t cells_max)
{
    struct merkle *tree = shard->tree;
    int error = 0;

    if (!tree)
        return NEAP_END;
    merkle_fold(tree);
    if (merkle_wants_build(tree))
        error = merkle_build_begin(tree, tree->ready ? tree->now.cells : 0);
    if (error)
        return error;
    if (!tree->build)
        return NEAP_END;
    error = cells_add(shard, view, cells_max);
    if (error == NEAP_END)
        merkle_build_end(tree);
    return error;
}
