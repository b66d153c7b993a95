/* The items of a page as they travel: [type, name, number, value], or [type, name, number, value,
 * expires], one after the other. */
#include "base/error.h"
#include "engine/backend.h"

void page_init(struct page *page, size_t size_max)
{
    *page = (struct page){0};
    buffer_init(&page->items, size_max + PAGE_ITEM_MAX);
    buffer_init(&page->cursor, PAGE_CURSOR_MAX);
}

void page_done(struct page *page)
{
    buffer_done(&page->items);
    buffer_done(&page->cursor);
    page->count = 0;
}

static struct slice bytes_slice(struct neap_bytes bytes)
{
    return slice_of(bytes.data, bytes.size);
}

static struct neap_bytes slice_bytes(struct slice slice)
{
    return (struct neap_bytes){slice.data, slice.size};
}

void page_item_write(struct writer *writer, const struct neap_item *item)
{
    write_array(writer, item->expires_ms ? 5 : 4);
    write_u64(writer, (uint64_t)item->type);
    write_bin(writer, bytes_slice(item->name));
    write_i64(writer, item->number);
    write_bin(writer, bytes_slice(item->value));
    if (item->expires_ms)
        write_u64(writer, item->expires_ms);
}

void page_item_read(struct reader *reader, struct neap_item *ret_item)
{
    struct neap_item item = {0};
    uint64_t type;
    uint32_t count = read_array(reader, 5);

    if (count < 4)
        reader_fail(reader, NEAP_INVALID);
    type = read_u64(reader);
    if (type && (type > UINT8_MAX || !type_find((unsigned)type)))
        reader_fail(reader, NEAP_INVALID);
    item.name = slice_bytes(read_bin(reader, NEAP_PATH_MAX));
    item.number = read_i64(reader);
    item.value = slice_bytes(read_bin(reader, NEAP_VALUE_MAX));
    if (count == 5 && !(item.expires_ms = read_u64(reader)))
        reader_fail(reader, NEAP_INVALID); /* then there are four */
    if (reader->error)
        return;
    item.type = (enum neap_type)type;
    *ret_item = item;
}
