/* The last-writer-wins register: a payload is [stamp, value], or [stamp, value, expires]. A write
 * replaces what it saw,
 * whatever the clocks say; stamps choose only among values that were written concurrently. */
#include "crdt/type_ops.h"

static int lww_unpack(struct slice payload, uint64_t *ret_stamp, struct slice *ret_value,
                      uint64_t *ret_expires)
{
    struct reader reader;
    uint64_t stamp, expires = 0;
    struct slice value;
    uint32_t count;
    int error;

    reader_init(&reader, payload);
    count = read_array(&reader, 3);
    stamp = read_u64(&reader);
    value = read_bin(&reader, NEAP_VALUE_MAX);
    if (count == 3)
        expires = read_u64(&reader);
    if (count < 2 || (count == 3 && expires == 0))
        reader_fail(&reader, NEAP_INVALID);
    error = reader_end(&reader);
    if (error)
        return error;
    *ret_stamp = stamp;
    *ret_value = value;
    *ret_expires = expires;
    return 0;
}

static int lww_read(struct slice payload, uint64_t *ret_stamp, struct slice *ret_value)
{
    uint64_t expires;

    return lww_unpack(payload, ret_stamp, ret_value, &expires);
}

static int lww_expires(struct slice payload, uint64_t *ret_expires)
{
    struct slice value;
    uint64_t stamp;

    return lww_unpack(payload, &stamp, &value, ret_expires);
}

static int lww_check(struct slice payload)
{
    struct slice value;
    uint64_t stamp;

    return lww_read(payload, &stamp, &value);
}

int lww_payload_stamp(struct slice payload, uint64_t *ret_stamp)
{
    struct slice value;

    return lww_read(payload, ret_stamp, &value);
}

static int lww_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct edit *edit)
{
    struct writer writer;
    int error;

    (void)editor;
    if (op->value.size > NEAP_VALUE_MAX)
        return NEAP_LIMIT;
    error = edit_replace(old, op, edit);
    if (error)
        return error;
    writer_init(&writer, &edit->payload);
    write_array(&writer, op->expires ? 3 : 2);
    write_u64(&writer, op->stamp);
    write_bin(&writer, op->value);
    if (op->expires)
        write_u64(&writer, op->expires);
    return writer.error;
}

int lww_value(const struct cell *cell, struct slice *ret_value, uint64_t *ret_stamp)
{
    struct slice best = {0}, value;
    uint64_t best_stamp = 0, stamp;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    /* Entries are in the order of dots, so that of equal stamps the last one wins. */
    for (size_t i = 0; i < cell->count; i++) {
        if (lww_read(cell->entries[i].payload, &stamp, &value))
            return NEAP_INVALID;
        if (stamp >= best_stamp || BROKEN("clock-ignored")) {
            best = value;
            best_stamp = stamp;
        }
    }
    *ret_value = best;
    if (ret_stamp)
        *ret_stamp = best_stamp;
    return 0;
}

static int lww_item(const struct cell *cell, struct neap_item *ret_item)
{
    struct slice value;
    int error = lww_value(cell, &value, NULL);

    if (!error)
        ret_item->value = (struct neap_bytes){value.data, value.size};
    return error;
}

static int lww_stamped(struct slice payload, struct slice *ret_value, uint64_t *ret_stamp)
{
    return lww_read(payload, ret_stamp, ret_value);
}

static int lww_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op =
        (struct op){.kind = OP_LWW_SET, .value = slice_of(item->value.data, item->value.size)};
    return 0;
}

const struct type lww_type = {
    .type = NEAP_LWW,
    .name = "lww",
    .holds = NEAP_HOLDS_VALUE,
    .check = lww_check,
    .edit = lww_edit,
    .item = lww_item,
    .stamped = lww_stamped,
    .put = lww_put,
    .expires = lww_expires,
    .latest_wins = true,
    .why_one = "the one write that no other has replaced",
    .why_before = "of ",
    .why_after = " concurrent writes, the one with the latest stamp",
};
