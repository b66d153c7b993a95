#include "crdt/expiry.h"

#include "crdt/type_ops.h"

int edit_expires(struct edit *edit, const struct op *op)
{
    struct writer writer;

    writer_init(&writer, &edit->payload);
    if (op->expires)
        write_u64(&writer, op->expires);
    return writer.error;
}

int expires_alone(struct slice payload, uint64_t *ret_expires)
{
    struct reader reader;
    uint64_t expires;
    int error;

    if (payload.size == 0) {
        *ret_expires = 0;
        return 0;
    }
    reader_init(&reader, payload);
    expires = read_u64(&reader);
    error = reader_end(&reader);
    if (!error && expires == 0)
        error = NEAP_INVALID; /* that is an empty payload */
    if (!error)
        *ret_expires = expires;
    return error;
}

int check_expires_alone(struct slice payload)
{
    uint64_t expires;

    return expires_alone(payload, &expires);
}

/* Of one dot; 0: never. */
static uint64_t dot_expires(const struct type *type, const struct cell_entry *entry)
{
    uint64_t expires;

    return type->expires(entry->payload, &expires) ? 0 : expires;
}

static bool dot_is_over(const struct type *type, const struct cell_entry *entry, uint64_t mark)
{
    uint64_t expires = dot_expires(type, entry);

    return expires > 0 && expires <= mark;
}

/* The dot whose value readers are shown, where that is one; NULL: there are many, or none. */
static const struct cell_entry *dot_winner(const struct type *type, const struct cell *cell)
{
    const struct cell_entry *winner = NULL;
    uint64_t best = 0, stamp;
    struct slice value;

    for (size_t i = 0; i < cell->count && type->latest_wins; i++) {
        if (!type->stamped(cell->entries[i].payload, &value, &stamp) && stamp >= best) {
            winner = &cell->entries[i];
            best = stamp;
        }
    }
    return winner;
}

uint64_t cell_dot_expires(enum neap_type type, const struct cell *cell, size_t index)
{
    const struct type *found = type_find((unsigned)type);

    return found && found->expires ? dot_expires(found, &cell->entries[index]) : 0;
}

uint64_t cell_lasts(enum neap_type type, const struct cell *cell)
{
    const struct type *found = type_find((unsigned)type);
    uint64_t last = 0;

    if (found && found->latest_wins)
        return cell_expires(type, cell);
    for (size_t i = 0; i < cell->count; i++) {
        uint64_t expires = cell_dot_expires(type, cell, i);

        if (expires == 0)
            return 0;
        last = expires > last ? expires : last;
    }
    return last;
}

uint64_t cell_expires(enum neap_type type, const struct cell *cell)
{
    const struct type *found = type_find((unsigned)type);
    const struct cell_entry *winner;
    uint64_t first = 0;

    if (!found || !found->expires)
        return 0;
    winner = dot_winner(found, cell);
    if (found->latest_wins)
        return winner ? dot_expires(found, winner) : 0;
    for (size_t i = 0; i < cell->count; i++) {
        uint64_t expires = dot_expires(found, &cell->entries[i]);

        if (expires > 0 && (first == 0 || expires < first))
            first = expires;
    }
    return first;
}

bool cell_hide(enum neap_type type, struct cell *cell, uint64_t mark)
{
    const struct type *found = type_find((unsigned)type);
    uint64_t first = cell_expires(type, cell);
    size_t count = 0;

    if (first == 0 || first > mark || BROKEN("expiry-shows"))
        return false;
    for (size_t i = 0; i < cell->count && !found->latest_wins; i++)
        if (!dot_is_over(found, &cell->entries[i], mark))
            cell->entries[count++] = cell->entries[i];
    cell->count = count;
    return true;
}

int cell_expire(enum neap_type type, const struct cell *old, const struct editor *editor,
                uint64_t mark, bool any, struct edit *ret_edit)
{
    const struct type *found = type_find((unsigned)type);
    const struct cell_entry *winner;
    bool all = false;
    int error = 0;

    edit_clear(ret_edit);
    if (!found || !found->expires)
        return 0;
    winner = dot_winner(found, old);
    /* What it has beaten goes with it: it would come to light instead. */
    if (winner)
        all = dot_is_over(found, winner, mark) && (any || winner->dot.id == editor->id);
    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];
        bool over = dot_is_over(found, entry, mark) && (any || entry->dot.id == editor->id);

        if (!(winner ? all : over))
            error = cell_add(&ret_edit->kept, entry->dot, entry->payload);
    }
    ret_edit->changes = !error && ret_edit->kept.count < old->count;
    return error;
}
