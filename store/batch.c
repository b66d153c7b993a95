#include "store/batch.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sorted.h"

/* Values and slots live in an arena that is emptied at once after the commit. */
enum { ARENA_BLOCK = 64 << 10, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t room, used;
    _Alignas(ARENA_ALIGN) uint8_t bytes[];
};

struct range {
    enum disk_family family;
    struct slice from, to; /* in the arena */
};

/* What the caller undoes, in the arena. */
struct undo_note {
    batch_undo undo;
    void *arg;
    _Alignas(ARENA_ALIGN) uint8_t bytes[];
};

/* What to put back when a step is undone: the slot as it was, or the last range taken away. No
 * allocation is needed for that, so undoing cannot fail. */
struct undo {
    struct batch_slot *slot; /* NULL: a range was added, or the caller undoes it */
    struct batch_slot was;
    const struct undo_note *note;
    size_t bytes, exempt;
};

struct batch {
    struct disk *disk;
    struct sorted *slots[DISK_FAMILIES]; /* key -> address of its slot, which never moves */
    struct arena_block *blocks;          /* the newest first; the oldest is kept */
    struct range *ranges;
    size_t ranges_count, ranges_room;
    struct undo *undos;
    size_t undos_count, undos_room;
    bool journal; /* a mark was set, and not yet forgotten */
    size_t writes, bytes;
    size_t exempt;  /* of the bytes, those that don't count against the limit */
    bool unlimited; /* what is written now is of those */
};

int batch_new(struct disk *disk, struct batch **ret_batch)
{
    struct batch *batch = mem_new(sizeof(*batch));
    unsigned i;

    if (!batch)
        return NEAP_NOMEM;
    batch->disk = disk;
    for (i = 0; i < DISK_FAMILIES; i++) {
        int error = sorted_new(&batch->slots[i]);

        if (error) {
            batch_free(batch);
            return error;
        }
    }
    *ret_batch = batch;
    return 0;
}

static void blocks_free(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;

        mem_free(block);
        block = next;
    }
}

void batch_free(struct batch *batch)
{
    unsigned i;

    if (!batch)
        return;
    for (i = 0; i < DISK_FAMILIES; i++)
        sorted_free(batch->slots[i]);
    blocks_free(batch->blocks);
    mem_free(batch->ranges);
    mem_free(batch->undos);
    mem_free(batch);
}

struct view batch_view(const struct batch *batch)
{
    return (struct view){.disk = batch->disk, .snapshot = NULL, .batch = batch};
}

static void *arena_take(struct batch *batch, size_t size)
{
    struct arena_block *block = batch->blocks;
    void *memory;

    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (!block || block->room - block->used < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;

        block = mem_new(sizeof(*block) + room);
        if (!block)
            return NULL;
        block->room = room;
        block->next = batch->blocks;
        batch->blocks = block;
    }
    memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

static int arena_copy(struct batch *batch, struct slice bytes, struct slice *ret_copy)
{
    uint8_t *memory = arena_take(batch, bytes.size);

    if (!memory)
        return NEAP_NOMEM;
    if (bytes.size)
        memcpy(memory, bytes.data, bytes.size);
    *ret_copy = slice_of(memory, bytes.size);
    return 0;
}

static int journal_reserve(struct batch *batch, size_t more)
{
    struct undo *undos;

    if (!batch->journal)
        return 0;
    undos = mem_reserve(batch->undos, batch->undos_count, &batch->undos_room, more, sizeof(*undos));
    if (!undos)
        return NEAP_NOMEM;
    batch->undos = undos;
    return 0;
}

static void journal_add(struct batch *batch, struct batch_slot *slot)
{
    struct undo *undo;

    if (!batch->journal)
        return;
    undo = &batch->undos[batch->undos_count++];
    undo->slot = slot;
    if (slot)
        undo->was = *slot;
    undo->note = NULL;
    undo->bytes = batch->bytes;
    undo->exempt = batch->exempt;
}

int batch_add_undo(struct batch *batch, batch_undo undo, void *arg, struct slice note)
{
    struct undo_note *kept;
    int error = journal_reserve(batch, 1);

    if (error || !batch->journal)
        return error;
    kept = arena_take(batch, sizeof(*kept) + note.size);
    if (!kept)
        return NEAP_NOMEM;
    kept->undo = undo;
    kept->arg = arg;
    if (note.size)
        memcpy(kept->bytes, note.data, note.size);
    journal_add(batch, NULL);
    batch->undos[batch->undos_count - 1].note = kept;
    return 0;
}

static struct batch_slot *entry_slot(const struct sorted_entry *entry)
{
    struct batch_slot *slot;

    memcpy(&slot, entry->value.data, sizeof(slot));
    return slot;
}

/* The slot of a key, made when absent: an empty slot counts as none. */
static int slot_get(struct batch *batch, enum disk_family family, struct slice key,
                    struct batch_slot **ret_slot)
{
    const struct sorted_entry *entry = sorted_get(batch->slots[family], key);
    struct batch_slot *slot;
    int error;

    if (entry) {
        *ret_slot = entry_slot(entry);
        return 0;
    }
    slot = arena_take(batch, sizeof(*slot));
    if (!slot)
        return NEAP_NOMEM;
    *slot = (struct batch_slot){.kind = BATCH_NONE};
    error = sorted_put(batch->slots[family], key, slice_of(&slot, sizeof(slot)), 0);
    if (!error)
        *ret_slot = slot;
    return error;
}

static void slot_set(struct batch *batch, struct batch_slot *slot, enum batch_kind kind,
                     struct slice value)
{
    batch->writes += (kind != BATCH_NONE);
    batch->writes -= (slot->kind != BATCH_NONE);
    slot->kind = kind;
    slot->value = value;
}

static bool batch_has_room(const struct batch *batch, size_t more)
{
    return batch->unlimited ||
           (more <= BATCH_SIZE_MAX && batch->bytes - batch->exempt <= BATCH_SIZE_MAX - more);
}

static void batch_count(struct batch *batch, size_t more)
{
    batch->bytes += more;
    batch->exempt += batch->unlimited ? more : 0;
}

void batch_set_unlimited(struct batch *batch, bool unlimited)
{
    batch->unlimited = unlimited;
}

static int batch_write(struct batch *batch, enum disk_family family, enum batch_kind kind,
                       struct slice key, struct slice value)
{
    struct batch_slot *slot = NULL;
    struct slice copy = {0};
    size_t more = key.size + value.size;
    int error;

    if (!batch_has_room(batch, more))
        return NEAP_LIMIT;
    error = journal_reserve(batch, 1);
    if (!error)
        error = slot_get(batch, family, key, &slot);
    if (!error)
        error = arena_copy(batch, value, &copy);
    if (error)
        return error;
    journal_add(batch, slot);
    slot_set(batch, slot, kind, copy);
    batch_count(batch, more);
    return 0;
}

int batch_put(struct batch *batch, enum disk_family family, struct slice key, struct slice value)
{
    return batch_write(batch, family, BATCH_PUT, key, value);
}

int batch_delete(struct batch *batch, enum disk_family family, struct slice key)
{
    return batch_write(batch, family, BATCH_DELETE, key, slice_of(NULL, 0));
}

static const struct sorted_entry *range_first(const struct sorted *slots, struct slice from,
                                              struct slice to)
{
    const struct sorted_entry *entry = sorted_seek(slots, from);

    return entry && slice_compare(entry->key, to) < 0 ? entry : NULL;
}

static const struct sorted_entry *range_next(const struct sorted *slots,
                                             const struct sorted_entry *entry, struct slice to)
{
    entry = sorted_next(slots, entry);
    return entry && slice_compare(entry->key, to) < 0 ? entry : NULL;
}

static int range_add(struct batch *batch, enum disk_family family, struct slice from,
                     struct slice to)
{
    struct range range = {.family = family};
    struct range *ranges =
        mem_reserve(batch->ranges, batch->ranges_count, &batch->ranges_room, 1, sizeof(range));
    int error;

    if (!ranges)
        return NEAP_NOMEM;
    batch->ranges = ranges;
    error = arena_copy(batch, from, &range.from);
    if (!error)
        error = arena_copy(batch, to, &range.to);
    if (!error)
        batch->ranges[batch->ranges_count++] = range;
    return error;
}

int batch_delete_range(struct batch *batch, enum disk_family family, struct slice from,
                       struct slice to)
{
    const struct sorted *slots = batch->slots[family];
    const struct sorted_entry *entry;
    size_t covered = 0, more = from.size + to.size;
    int error;

    must(to.size > 0);
    if (slice_compare(from, to) >= 0)
        return 0;
    if (!batch_has_room(batch, more))
        return NEAP_LIMIT;
    for (entry = range_first(slots, from, to); entry; entry = range_next(slots, entry, to))
        covered++;
    error = journal_reserve(batch, covered + 1);
    if (!error)
        error = range_add(batch, family, from, to);
    if (error)
        return error;
    journal_add(batch, NULL);
    for (entry = range_first(slots, from, to); entry; entry = range_next(slots, entry, to)) {
        journal_add(batch, entry_slot(entry));
        slot_set(batch, entry_slot(entry), BATCH_NONE, slice_of(NULL, 0));
    }
    batch_count(batch, more);
    return 0;
}

batch_mark batch_set_mark(struct batch *batch)
{
    batch->journal = true;
    return batch->undos_count;
}

void batch_rollback(struct batch *batch, batch_mark mark)
{
    must(batch->journal && mark <= batch->undos_count);
    while (batch->undos_count > mark) {
        const struct undo *undo = &batch->undos[--batch->undos_count];

        if (undo->note)
            undo->note->undo(undo->note->arg, undo->note->bytes);
        else if (undo->slot)
            slot_set(batch, undo->slot, undo->was.kind, undo->was.value);
        else
            batch->ranges_count--;
        batch->bytes = undo->bytes;
        batch->exempt = undo->exempt;
    }
}

void batch_forget(struct batch *batch)
{
    batch->undos_count = 0;
    batch->journal = false;
}

bool batch_is_empty(const struct batch *batch)
{
    return batch->writes == 0 && batch->ranges_count == 0;
}

size_t batch_bytes(const struct batch *batch)
{
    return batch->bytes;
}

void batch_clear(struct batch *batch)
{
    unsigned i;

    for (i = 0; i < DISK_FAMILIES; i++)
        sorted_clear(batch->slots[i]);
    while (batch->blocks && batch->blocks->next) {
        struct arena_block *block = batch->blocks;

        batch->blocks = block->next;
        mem_free(block);
    }
    if (batch->blocks)
        batch->blocks->used = 0;
    batch->ranges_count = 0;
    batch->writes = batch->bytes = batch->exempt = 0;
    batch_forget(batch);
}

int batch_flush(struct batch *batch, struct disk *disk, bool sync)
{
    int error = disk->ops->commit(disk, batch, sync);

    batch_clear(batch);
    return error;
}

static bool batch_hides(const struct batch *batch, enum disk_family family, struct slice key)
{
    size_t i;

    for (i = 0; i < batch->ranges_count; i++) {
        const struct range *range = &batch->ranges[i];

        if (range->family == family && slice_compare(range->from, key) <= 0 &&
            slice_compare(key, range->to) < 0)
            return true;
    }
    return false;
}

enum batch_kind batch_find(const struct batch *batch, enum disk_family family, struct slice key,
                           struct slice *ret_value)
{
    const struct sorted_entry *entry = sorted_get(batch->slots[family], key);
    const struct batch_slot *slot = entry ? entry_slot(entry) : NULL;

    if (slot && slot->kind != BATCH_NONE) {
        if (slot->kind == BATCH_PUT)
            *ret_value = slot->value;
        return slot->kind;
    }
    return batch_hides(batch, family, key) ? BATCH_DELETE : BATCH_NONE;
}

static bool cursor_settle(struct batch_cursor *cursor)
{
    while (cursor->entry && entry_slot(cursor->entry)->kind == BATCH_NONE)
        cursor->entry = sorted_next(cursor->slots, cursor->entry);
    if (!cursor->entry)
        return false;
    cursor->key = cursor->entry->key;
    cursor->kind = entry_slot(cursor->entry)->kind;
    cursor->value = entry_slot(cursor->entry)->value;
    return true;
}

bool batch_seek(const struct batch *batch, enum disk_family family, struct slice from,
                struct batch_cursor *ret_cursor)
{
    ret_cursor->slots = batch->slots[family];
    ret_cursor->entry = sorted_seek(batch->slots[family], from);
    return cursor_settle(ret_cursor);
}

bool batch_step(struct batch_cursor *cursor)
{
    must(cursor->entry);
    cursor->entry = sorted_next(cursor->slots, cursor->entry);
    return cursor_settle(cursor);
}

int batch_each(const struct batch *batch, batch_visit visit, void *arg)
{
    int error = 0;
    unsigned family;
    size_t i;

    for (i = 0; !error && i < batch->ranges_count; i++) {
        const struct range *range = &batch->ranges[i];

        error = visit(arg, BATCH_RANGE, range->family, range->from, range->to);
    }
    for (family = 0; family < DISK_FAMILIES; family++) {
        struct batch_cursor cursor;
        bool more = batch_seek(batch, (enum disk_family)family, slice_of(NULL, 0), &cursor);

        for (; !error && more; more = batch_step(&cursor))
            error = visit(arg, cursor.kind, (enum disk_family)family, cursor.key, cursor.value);
    }
    return error;
}
