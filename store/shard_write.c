/* Local events (rule 2) and reads of one cell. */
#include "base/broken.h"
#include "base/error.h"
#include "crdt/expiry.h"
#include "store/expiry.h"
#include "store/slot.h"

enum { REMOVE_PAGE = 64 << 10 };

int cell_stored(struct slice value, uint64_t *ret_residue_ref, struct cell *ret_cell)
{
    struct slice encoded;
    uint64_t ref;
    int error = stored_split(value, &ref, &encoded);

    if (!error)
        error = cell_decode(encoded, ret_cell);
    if (error)
        return error == NEAP_NOMEM ? NEAP_NOMEM : NEAP_CORRUPT;
    *ret_residue_ref = ref;
    return 0;
}

int cell_read(const struct view *view, uint64_t shard, uint64_t bucket, struct slice path,
              struct buffer *bytes, struct cell *ret_cell)
{
    struct key key;
    uint64_t ref;
    int error;

    if (path.size > NEAP_PATH_MAX)
        return NEAP_LIMIT;
    key_cell(&key, shard, bucket, path);
    error = view_get(view, DISK_CELLS, key_slice(&key), bytes);
    if (error == NEAP_NOTFOUND) {
        cell_clear(ret_cell);
        return 0;
    }
    if (error)
        return error;
    return cell_stored(buffer_slice(bytes), &ref, ret_cell);
}

int cell_residue(const struct view *view, uint64_t shard, uint64_t residue_ref,
                 struct context *context)
{
    struct context residue = {0};
    struct reader reader;
    struct buffer bytes;
    struct key key;
    int error;

    if (!residue_ref)
        return 0;
    buffer_init(&bytes, CONTEXT_IDS_MAX * 32);
    key_residue(&key, shard, residue_ref);
    error = view_get(view, DISK_META, key_slice(&key), &bytes);
    reader_init(&reader, buffer_slice(&bytes));
    if (!error)
        error = context_read(&reader, &residue);
    if (!error)
        error = reader_end(&reader);
    if (!error)
        error = context_join(context, &residue);
    context_done(&residue);
    buffer_done(&bytes);
    return error == NEAP_NOTFOUND ? 0 : error;
}

/* The cell as the edit leaves it, with the new dot if it adds one. */
static int edit_store(struct shard *shard, struct batch *batch, const struct slot *slot,
                      struct edit *edit, struct dot dot)
{
    uint64_t ref = slot->residue ? slot->residue->ref : 0;
    int error = 0;

    if (edit->adds)
        error = cell_add(&edit->kept, dot, buffer_slice(&edit->payload));
    if (!error)
        error = slot_store(shard, batch, slot, &edit->kept, ref, &shard->bytes_new);
    if (!error)
        error = log_put(shard, batch, dot, shard->nonce, slot->bucket, slot->path);
    if (!error && !shard->recorded)
        error = shard_save(shard, batch);
    return error;
}

/* Cell, log entry, and then the counter: the one thing that can't be taken back. */
static int event_make(struct shard *shard, struct batch *batch, const struct slot *slot,
                      struct edit *edit, struct dot *ret_dot)
{
    struct dot dot = {shard->replica, context_get(&shard->context, shard->replica) + 1};
    batch_mark mark = batch_set_mark(batch);
    bool recorded = shard->recorded;
    int error = edit_store(shard, batch, slot, edit, dot);

    if (!error)
        error = context_raise(&shard->context, dot.id, dot.n, shard->nonce);
    if (error) {
        batch_rollback(batch, mark);
        shard->recorded = recorded;
        return error;
    }
    shard->counts.events_own++;
    *ret_dot = dot;
    return 0;
}

/* Of what is not confirmed, an opening keeps its names or loses them as a whole. */
static uint64_t fold_after(const struct shard *shard)
{
    if (shard->confirmed || BROKEN("redot-totals"))
        return 0;
    return BROKEN("folds-openings") ? shard->opened_at
                                    : shard->openings[shard->openings_count - 1].since;
}

bool shard_spends(const struct shard *shard, uint64_t *ret_ids, size_t *ret_count)
{
    bool spends = !shard->leaving && !shard->disowned;
    size_t count = 0;

    /* More of an id than there was when it was left is of another future of this directory. */
    for (size_t i = 0; i < shard->formers_count && shard->proof != PROOF_NONE && spends; i++)
        if (context_get(&shard->context, shard->formers[i].id) == shard->formers[i].n)
            ret_ids[count++] = shard->formers[i].id;
    *ret_count = count;
    return (spends && (shard->drawn || shard->proof == PROOF_ALONE ||
                       (shard->confirmed && shard->proof == PROOF_MET))) ||
           BROKEN("bounded-spends-unproven");
}

/* That there is nothing more to remove, only the residue says: no other replica has to hear of it,
 * and whoever made the removal may be lost. So it gets an event, which takes the residue along. */
static bool is_unsaid(const struct shard *shard, const struct slot *slot)
{
    return slot->residue && !context_covers(&shard->context, &slot->residue->context) &&
           !BROKEN("removes-unsaid");
}

/* 0 for what is no path of a cell: then it just goes. */
static unsigned path_type(struct slice path)
{
    enum neap_type type;

    return path_check(path, &type) ? 0 : (unsigned)type;
}

int shard_write(struct shard *shard, struct batch *batch, uint64_t bucket, struct slice path,
                const struct op *op, struct dot *ret_dot)
{
    uint64_t counter = context_get(&shard->context, shard->replica);
    uint64_t mine[FORMERS_MAX];
    struct editor editor = {
        .id = shard->replica,
        .fold_after = fold_after(shard),
        .fold_write = counter - op->earlier,
        .next = counter + 1,
        .stable = op->alone ? &shard->context : &shard->stable,
        .alone = op->alone,
        .birth = (uint64_t)shard->nonce << 32 | ((counter + 1) & UINT32_MAX),
        .mine = mine,
    };
    struct view view = batch_view(batch);
    struct slot slot;
    struct edit edit;
    int error;

    if (path.size > NEAP_PATH_MAX)
        return NEAP_LIMIT;
    editor.type = op_type(op->kind);
    if (!editor.type)
        editor.type = path_type(path);
    if (op_info(op->kind)->spends)
        editor.spends = shard_spends(shard, mine, &editor.mine_count);
    error = slot_load(shard, &view, bucket, path, &shard->bytes_old, &slot);
    edit_init(&edit);
    if (!error)
        error = type_edit(&slot.cell, op, &editor, &edit);
    if (!error && (edit.changes || (op->kind != OP_COLLECT && is_unsaid(shard, &slot))))
        error = event_make(shard, batch, &slot, &edit, ret_dot);
    else if (!error)
        *ret_dot = (struct dot){shard->replica, 0};
    if (!error && ret_dot->n && type_collects(editor.type) && shard->collect_to != UINT64_MAX)
        shard->collect_to = ret_dot->n;
    edit_done(&edit);
    slot_done(&slot);
    return error;
}

/* ---- what has expired ---- */

/* The event, or the entry goes: the cell is another one than it says. */
static int slot_expire(struct shard *shard, struct batch *batch, const struct slot *slot,
                       const struct expiry_entry *entry, uint64_t mark, bool any,
                       struct dot *ret_dot)
{
    const struct editor editor = {.id = shard->replica};
    enum neap_type type;
    struct edit edit;
    int error = path_check(entry->path, &type);

    if (error || cell_expires(type, &slot->cell) != entry->expires)
        return expiry_forget(batch, entry);
    edit_init(&edit);
    error = cell_expire(type, &slot->cell, &editor, mark, any, &edit);
    if (!error && edit.changes)
        error = event_make(shard, batch, slot, &edit, ret_dot);
    edit_done(&edit);
    return error;
}

int shard_expire(struct shard *shard, struct batch *batch, const struct expiry_entry *entry,
                 uint64_t mark, bool any, struct dot *ret_dot)
{
    struct view view = batch_view(batch);
    struct slot slot;
    int error;

    *ret_dot = (struct dot){shard->replica, 0};
    if (entry->path.size > NEAP_PATH_MAX)
        return expiry_forget(batch, entry);
    error = slot_load(shard, &view, entry->bucket, entry->path, &shard->bytes_old, &slot);
    if (!error)
        error = slot_expire(shard, batch, &slot, entry, mark, any, ret_dot);
    slot_done(&slot);
    return error;
}

/* ---- removing what is below a prefix ---- */

/* Paths of a page of cells from *from on, in ret_paths; *from is moved behind the last. */
static int paths_collect(const struct batch *batch, struct key *from, const struct key *end,
                         struct buffer *ret_paths)
{
    struct view view = batch_view(batch);
    struct slice key, value;
    struct scan *scan;
    int error = view_scan(&view, DISK_CELLS, key_slice(from), key_slice(end), &scan);

    buffer_clear(ret_paths);
    if (error)
        return error;
    while (ret_paths->size < REMOVE_PAGE && !(error = scan_next(scan, &key, &value))) {
        struct slice path;

        if (!key_cell_is(key) || key.size >= KEY_SIZE_MAX) {
            error = NEAP_CORRUPT;
            break;
        }
        path = key_cell_path(key);
        error = key_page_add(ret_paths, path);
        if (error)
            break;
        key_cell(from, bytes_get_u64(key.data), key_cell_bucket(key), path);
        from->bytes[from->size++] = 0;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

static int paths_remove(struct shard *shard, struct batch *batch, uint64_t bucket,
                        const struct buffer *paths, const struct op *op, uint64_t *events)
{
    struct slice path;
    size_t at = 0;
    int error = 0;

    while (!error && key_page_next(paths, &at, &path) && !(*events > 0 && BROKEN("removes-one"))) {
        struct dot dot = {0};

        error = shard_write(shard, batch, bucket, path, op, &dot);
        *events += !error && dot.n > 0;
    }
    return error;
}

int shard_remove(struct shard *shard, struct batch *batch, uint64_t bucket, struct slice prefix,
                 const struct context *seen, uint64_t *ret_events)
{
    const struct op op = {.kind = OP_REMOVE, .seen = seen};
    struct shard_mark shard_mark = shard_set_mark(shard);
    batch_mark mark = batch_set_mark(batch);
    uint64_t events = 0;
    struct buffer paths;
    struct key from, end;
    int error = 0;

    if (prefix.size > NEAP_PATH_MAX)
        return NEAP_LIMIT;
    key_cell(&from, shard->id, bucket, prefix);
    key_end(&from, &end);
    buffer_init(&paths, REMOVE_PAGE + KEY_SIZE_MAX + 2);
    while (!error) {
        error = paths_collect(batch, &from, &end, &paths);
        if (error || paths.size == 0)
            break;
        error = paths_remove(shard, batch, bucket, &paths, &op, &events);
    }
    buffer_done(&paths);
    if (error) {
        batch_rollback(batch, mark);
        shard_rollback(shard, shard_mark);
        return error;
    }
    *ret_events = events;
    return 0;
}
