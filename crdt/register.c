/* The multi-value register: a payload is a value, and concurrent writes live side by side. A write
 * replaces only what its writer says to have seen; a blind one adds a sibling. One that expires
 * begins with C1 and the time, in 8 bytes; so does one whose value begins with C1: with time 0. */
#include <assert.h>

#include "crdt/type_ops.h"

enum { REGISTER_MARK = 0xc1, REGISTER_HEAD = 1 + 8 };

static bool is_marked(struct slice bytes)
{
    return bytes.size > 0 && bytes.data[0] == REGISTER_MARK;
}

static int register_unpack(struct slice payload, struct slice *ret_value, uint64_t *ret_expires)
{
    struct slice value = payload;
    uint64_t expires = 0;

    if (is_marked(payload)) {
        if (payload.size < REGISTER_HEAD)
            return NEAP_INVALID;
        expires = bytes_get_u64(payload.data + 1);
        value = slice_of(payload.data + REGISTER_HEAD, payload.size - REGISTER_HEAD);
        if (expires == 0 && !is_marked(value))
            return NEAP_INVALID;
    }
    if (value.size > NEAP_VALUE_MAX)
        return NEAP_LIMIT;
    *ret_value = value;
    *ret_expires = expires;
    return 0;
}

static int register_pack(struct edit *edit, const struct op *op)
{
    uint8_t head[REGISTER_HEAD] = {REGISTER_MARK};
    int error = 0;

    bytes_put_u64(head + 1, op->expires);
    if (op->expires || is_marked(op->value))
        error = buffer_append(&edit->payload, slice_of(head, sizeof head));
    return error ? error : buffer_append(&edit->payload, op->value);
}

static int register_expires(struct slice payload, uint64_t *ret_expires)
{
    struct slice value;

    return register_unpack(payload, &value, ret_expires);
}

static int register_stamped(struct slice payload, struct slice *ret_value, uint64_t *ret_stamp)
{
    uint64_t expires;

    *ret_stamp = 0; /* it has none */
    return register_unpack(payload, ret_value, &expires);
}

static int register_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                         struct edit *edit)
{
    int error = 0;

    (void)editor;
    if (op->value.size > NEAP_VALUE_MAX)
        return NEAP_LIMIT;
    for (size_t i = 0; i < old->count && !error; i++) {
        if (!op->seen || !op_sees(op, old->entries[i].dot))
            error = cell_add(&edit->kept, old->entries[i].dot, old->entries[i].payload);
    }
    if (error)
        return error;
    if (edit->kept.count >= REGISTER_SIBLINGS_MAX)
        return NEAP_LIMIT;
    edit->changes = edit->adds = true;
    return register_pack(edit, op);
}

static int register_check(struct slice payload)
{
    struct slice value;
    uint64_t expires;

    return register_unpack(payload, &value, &expires);
}

int register_value(const struct cell *cell, size_t index, struct slice *ret_value)
{
    uint64_t expires;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    if (index >= cell->count)
        return NEAP_END;
    return register_unpack(cell->entries[index].payload, ret_value, &expires);
}

/* The first value, and how many there are. */
static int register_item(const struct cell *cell, struct neap_item *ret_item)
{
    struct slice value;
    int error = register_value(cell, 0, &value);

    if (error)
        return error;
    ret_item->value = (struct neap_bytes){value.data, value.size};
    ret_item->number = (int64_t)cell->count;
    return 0;
}

static int register_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op =
        (struct op){.kind = OP_REGISTER_SET, .value = slice_of(item->value.data, item->value.size)};
    return 0;
}

const struct type register_type = {
    .type = NEAP_REGISTER,
    .name = "register",
    .holds = NEAP_HOLDS_VALUES,
    .check = register_check,
    .edit = register_edit,
    .item = register_item,
    .stamped = register_stamped,
    .put = register_put,
    .expires = register_expires,
    .limit = "the register would have more than 64 siblings, or 15 MiB of them",
    .why_one = "the one value that no other has replaced",
    .why_before = "",
    .why_after = " values that were written concurrently: none of their writers had seen another",
};

static_assert(REGISTER_SIBLINGS_MAX == 64 && CELL_SIZE_MAX == 15 << 20, "as the text says");
