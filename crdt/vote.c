/* Where no wins over yes: the flag, disable-wins, and the set, remove-wins. Both operations leave a
 * dot, yes or no, in place of what they saw; on, or in, is a cell with a yes and no no. So a yes
 * that had not seen a no loses to it, on whatever side they meet. A removal of the object
 * (OP_REMOVE) leaves nothing, as everywhere.
 *
 * A no has nothing left to do when all members have it and nobody can come with a yes that has not
 * seen it: then it goes, by an event (vote_collect(), docs/decisions/0071). */
#include "crdt/type_ops.h"

/* The payloads: an empty one, and this byte. */
static const uint8_t no_byte = 0xc2; /* false, in msgpack */

static bool is_no(struct slice payload)
{
    return payload.size > 0;
}

static int vote_check(struct slice payload)
{
    if (payload.size == 0 || (payload.size == 1 && payload.data[0] == no_byte))
        return 0;
    return NEAP_INVALID;
}

static bool vote_is_live(const struct cell *cell)
{
    for (size_t i = 0; i < cell->count; i++) {
        if (is_no(cell->entries[i].payload) && !BROKEN("yes-wins"))
            return false;
    }
    return cell->count > 0;
}

static int vote_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                     struct edit *edit)
{
    bool no = op->kind == OP_FLAG_DW_OFF || op->kind == OP_SET_RW_REMOVE;
    int error;

    /* Alone there is nobody who could come with a yes. */
    if (no && (editor->alone || BROKEN("no-leaves-nothing")))
        return edit_remove(old, op, edit);
    error = edit_replace(old, op, edit);
    return error || !no ? error : buffer_append(&edit->payload, slice_of(&no_byte, 1));
}

/* Whoever is here beside a no had not seen it, and has lost to it; what is yet to come has seen it.
 */
static int vote_collect(const struct cell *old, const struct editor *editor, struct edit *edit)
{
    bool spent = false;
    int error = 0;

    for (size_t i = 0; i < old->count; i++) {
        const struct cell_entry *entry = &old->entries[i];

        spent |= is_no(entry->payload) && context_knows(editor->stable, entry->dot);
    }
    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];
        bool stays = is_no(entry->payload) && !context_knows(editor->stable, entry->dot);

        if (stays || !spent)
            error = cell_add(&edit->kept, entry->dot, entry->payload);
    }
    edit->changes = spent;
    return error;
}

static int flag_dw_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = item->number ? OP_FLAG_DW_ON : OP_FLAG_DW_OFF};
    return 0;
}

static int set_rw_put(const struct neap_item *item, struct op *ret_op)
{
    (void)item;
    *ret_op = (struct op){.kind = OP_SET_RW_ADD};
    return 0;
}

const struct type flag_dw_type = {
    .type = NEAP_FLAG_DW,
    .name = "flag-dw",
    .holds = NEAP_HOLDS_SWITCH,
    .check = vote_check,
    .edit = vote_edit,
    .collect = vote_collect,
    .is_live = vote_is_live,
    .put = flag_dw_put,
    .why_before = "on if nobody has switched it off: events that nobody who had seen them has "
                  "switched over: ",
    .why_after = "",
};

const struct type set_rw_type = {
    .type = NEAP_SET_RW,
    .name = "set-rw",
    .holds = NEAP_HOLDS_ELEMENTS,
    .below = BELOW_ELEMENT,
    .check = vote_check,
    .edit = vote_edit,
    .collect = vote_collect,
    .is_live = vote_is_live,
    .put = set_rw_put,
    .why_before = "in if nobody has removed it: additions and removals that nobody who had seen "
                  "them has followed by another: ",
    .why_after = "",
};
