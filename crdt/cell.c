#include "crdt/cell.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"

enum { FEW = sizeof((struct cell *)0)->few / sizeof(struct cell_entry) };

void cell_init(struct cell *cell)
{
    cell->entries = cell->few;
    cell->count = 0;
    cell->room = FEW;
}

void cell_done(struct cell *cell)
{
    if (cell->entries != cell->few)
        mem_free(cell->entries);
    cell_init(cell);
}

void cell_clear(struct cell *cell)
{
    cell->count = 0;
}

static int cell_reserve(struct cell *cell, size_t room)
{
    bool few = cell->entries == cell->few;
    struct cell_entry *entries;

    if (!cell->entries) {
        cell_init(cell);
        few = true;
    }
    if (room <= cell->room)
        return 0;
    if (room > CELL_DOTS_MAX)
        return NEAP_LIMIT;
    if (room < cell->room * 2)
        room = cell->room * 2 < CELL_DOTS_MAX ? cell->room * 2 : CELL_DOTS_MAX;
    entries = mem_resize(few ? NULL : cell->entries, room * sizeof *entries);
    if (!entries)
        return NEAP_NOMEM;
    if (few)
        memcpy(entries, cell->few, cell->count * sizeof *entries);
    cell->entries = entries;
    cell->room = room;
    return 0;
}

/* Gives what `from` holds to `cell`, which lets go of its own; `from` is empty then. */
static void cell_move(struct cell *cell, struct cell *from)
{
    cell_done(cell);
    if (from->entries == from->few) {
        memcpy(cell->few, from->few, from->count * sizeof *from->few);
    } else {
        cell->entries = from->entries;
        cell->room = from->room;
    }
    cell->count = from->count;
    cell_init(from);
}

/* The index of the first entry whose dot is not below `dot`. */
static size_t cell_at(const struct cell *cell, struct dot dot)
{
    size_t low = 0, high = cell->count;

    /* What is added in order goes to the end. */
    if (high == 0 || dot_compare(cell->entries[high - 1].dot, dot) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (dot_compare(cell->entries[middle].dot, dot) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int cell_add(struct cell *cell, struct dot dot, struct slice payload)
{
    size_t at = cell_at(cell, dot);
    struct cell_entry *entry;
    int error;

    if (dot.n == 0)
        return NEAP_INVALID;
    if (at < cell->count && dot_compare(cell->entries[at].dot, dot) == 0) {
        cell->entries[at].payload = payload;
        return 0;
    }
    error = cell_reserve(cell, cell->count + 1);
    if (error)
        return error;
    entry = &cell->entries[at];
    memmove(entry + 1, entry, (cell->count - at) * sizeof *entry);
    entry->dot = dot;
    entry->payload = payload;
    cell->count++;
    return 0;
}

const struct cell_entry *cell_find(const struct cell *cell, struct dot dot)
{
    size_t at = cell_at(cell, dot);

    if (at < cell->count && dot_compare(cell->entries[at].dot, dot) == 0)
        return &cell->entries[at];
    return NULL;
}

bool cell_same_dots(const struct cell *a, const struct cell *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (dot_compare(a->entries[i].dot, b->entries[i].dot) != 0)
            return false;
    }
    return true;
}

static size_t packed_u64_size(uint64_t value)
{
    if (value < 128)
        return 1;
    if (value <= UINT16_MAX)
        return value <= UINT8_MAX ? 2 : 3;
    return value <= UINT32_MAX ? 5 : 9;
}

static size_t packed_bin_size(size_t size)
{
    return (size <= UINT8_MAX ? 2 : size <= UINT16_MAX ? 3 : 5) + size;
}

size_t cell_encoded_size(const struct cell *cell)
{
    size_t size = cell->count * 3 < 16 ? 1 : 3;

    for (size_t i = 0; i < cell->count; i++) {
        const struct cell_entry *entry = &cell->entries[i];

        size += packed_u64_size(entry->dot.id) + packed_u64_size(entry->dot.n);
        size += packed_bin_size(entry->payload.size);
    }
    return size;
}

int cell_encode(const struct cell *cell, struct buffer *ret_bytes)
{
    size_t start = ret_bytes->size, size = cell_encoded_size(cell);
    struct writer writer;
    int error;

    if (size > CELL_SIZE_MAX)
        return NEAP_LIMIT;
    error = buffer_reserve(ret_bytes, size);
    if (error)
        return error;
    writer_init(&writer, ret_bytes);
    write_array(&writer, (uint32_t)(cell->count * 3));
    for (size_t i = 0; i < cell->count; i++) {
        write_u64(&writer, cell->entries[i].dot.id);
        write_u64(&writer, cell->entries[i].dot.n);
        write_bin(&writer, cell->entries[i].payload);
    }
    if (writer.error)
        ret_bytes->size = start;
    return writer.error;
}

static int cell_read(struct reader *reader, struct cell *cell)
{
    uint32_t count = read_array(reader, CELL_DOTS_MAX * 3);

    if (count % 3 != 0)
        reader_fail(reader, NEAP_INVALID);
    if (!reader->error)
        reader_fail(reader, cell_reserve(cell, count / 3));
    for (uint32_t i = 0; i < count / 3 && !reader->error; i++) {
        struct cell_entry *entry = &cell->entries[i];

        entry->dot.id = read_u64(reader);
        entry->dot.n = read_u64(reader);
        entry->payload = read_bin(reader, CELL_PAYLOAD_MAX);
        if (entry->dot.n == 0 || (i > 0 && dot_compare(entry[-1].dot, entry->dot) >= 0))
            reader_fail(reader, NEAP_INVALID);
        cell->count = i + 1;
    }
    return reader_end(reader);
}

int cell_decode(struct slice bytes, struct cell *ret_cell)
{
    struct reader reader;
    struct cell cell;
    int error;

    if (bytes.size > CELL_SIZE_MAX)
        return NEAP_LIMIT;
    cell_init(&cell);
    reader_init(&reader, bytes);
    error = cell_read(&reader, &cell);
    if (!error)
        cell_move(ret_cell, &cell);
    cell_done(&cell);
    return error;
}

/* One side of a merge, and whether it can have removed anything at all: asked at most once. */
struct side {
    const struct cell *cell;
    const struct knowledge *know;
    enum { UNASKED, CAN_REMOVE, CANNOT } beyond;
};

/* Has `side`, which lacks the dot, removed it? */
static bool side_removed(struct side *side, const struct side *other, struct dot dot)
{
    if (BROKEN("removed-stays"))
        return false;
    if (!knowledge_has(side->know, dot))
        return BROKEN("unknown-goes");
    if (side->beyond == UNASKED)
        side->beyond = knowledge_beyond(side->know, other->know) ? CAN_REMOVE : CANNOT;
    return side->beyond == CAN_REMOVE || BROKEN("damage-removes");
}

/* One dot is one event and has one payload. Should two be seen, after silent damage, then both
 * sides must choose the same. */
static const struct cell_entry *entry_choose(const struct cell_entry *a, const struct cell_entry *b)
{
    if (BROKEN("first-payload-stays"))
        return a;
    return slice_compare(a->payload, b->payload) >= 0 ? a : b;
}

/* Copies what stays to `ret_entries` unless that is NULL; returns how many. */
static size_t merge_walk(struct side *a, struct side *b, struct cell_entry *ret_entries,
                         unsigned *ret_healed)
{
    size_t i = 0, j = 0, count = 0;

    *ret_healed = 0;
    while (i < a->cell->count || j < b->cell->count) {
        const struct cell_entry *mine = &a->cell->entries[i], *theirs = &b->cell->entries[j];
        const struct cell_entry *stays = NULL;
        int order;

        if (i == a->cell->count || j == b->cell->count)
            order = i == a->cell->count ? 1 : -1;
        else
            order = dot_compare(mine->dot, theirs->dot);
        i += order <= 0;
        j += order >= 0;
        if (order == 0) {
            stays = entry_choose(mine, theirs);
        } else if (order < 0) {
            stays = side_removed(b, a, mine->dot) ? NULL : mine;
        } else if (!side_removed(a, b, theirs->dot)) {
            stays = theirs;
            *ret_healed += knowledge_has(a->know, theirs->dot);
        }
        if (stays && ret_entries)
            ret_entries[count] = *stays;
        count += stays != NULL;
    }
    return count;
}

int cell_merge(const struct cell *a, const struct knowledge *know_a, const struct cell *b,
               const struct knowledge *know_b, struct cell *ret_merged, unsigned *ret_healed)
{
    struct side side_a = {.cell = a, .know = know_a}, side_b = {.cell = b, .know = know_b};
    unsigned healed;
    int error;

    must(ret_merged != a && ret_merged != b);
    /* Most cells fit as they are; only larger ones are counted first. */
    if (a->count + b->count > ret_merged->room) {
        error = cell_reserve(ret_merged, merge_walk(&side_a, &side_b, NULL, &healed));
        if (error)
            return error;
    }
    ret_merged->count = merge_walk(&side_a, &side_b, ret_merged->entries, &healed);
    if (ret_healed)
        *ret_healed = healed;
    return 0;
}
