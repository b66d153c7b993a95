#include "engine/backend.h"
#include "tests/support/test.h"

TEST(items_come_back_as_they_were_written)
{
    struct neap_item item = {.type = NEAP_COUNTER, .name = {"a\0b", 3}, .number = -7}, back;
    struct reader reader;
    struct writer writer;
    struct page page;

    page_init(&page, 100);
    writer_init(&writer, &page.items);
    page_item_write(&writer, &item);
    item = (struct neap_item){.type = NEAP_LWW, .name = {"x", 1}, .value = {"vv", 2}};
    page_item_write(&writer, &item);
    CHECK_OK(writer.error);
    CHECK_HEX(buffer_slice(&page.items),
              "94 04 c4 03 61 00 62 f9 c4 00 94 02 c4 01 78 00 c4 02 76 76");
    reader_init(&reader, buffer_slice(&page.items));
    page_item_read(&reader, &back);
    CHECK_EQUAL(back.type, NEAP_COUNTER);
    CHECK_EQUAL(back.name.size, 3);
    CHECK_EQUAL(back.number, -7);
    page_item_read(&reader, &back);
    CHECK_BYTES(slice_of(back.value.data, back.value.size), slice_text("vv"));
    CHECK_EQUAL(back.expires_ms, 0);
    CHECK_OK(reader_end(&reader));
    page_done(&page);
}

TEST(an_item_that_expires_says_when)
{
    struct neap_item item = {.type = NEAP_SET, .name = {"x", 1}, .expires_ms = 300}, back;
    struct reader reader;
    struct writer writer;
    struct page page;

    page_init(&page, 100);
    writer_init(&writer, &page.items);
    page_item_write(&writer, &item);
    CHECK_OK(writer.error);
    CHECK_HEX(buffer_slice(&page.items), "95 05 c4 01 78 00 c4 00 cd 01 2c");
    reader_init(&reader, buffer_slice(&page.items));
    page_item_read(&reader, &back);
    CHECK_OK(reader_end(&reader));
    CHECK_EQUAL(back.expires_ms, 300);
    page_done(&page);
}

TEST(an_item_that_is_none_is_refused)
{
    static const char *const wrong[] = {"93 04 c4 00 00", "94 63 c4 00 00 c4 00",
                                        "94 04 a1 61 00 c4 00", "94 04 c4 05 61 00 c4 00",
                                        "95 05 c4 01 78 00 c4 00 00"};
    struct neap_item item = {.number = 5};
    struct reader reader;
    uint8_t bytes[32];
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        reader_init(&reader, test_unhex(wrong[i], bytes, sizeof bytes));
        page_item_read(&reader, &item);
        CHECK_ERROR(reader.error, NEAP_INVALID);
        CHECK_EQUAL(item.number, 5);
    }
}

TEST(a_page_holds_one_item_of_any_size)
{
    static char value[NEAP_VALUE_MAX], name[NEAP_PATH_MAX];
    struct neap_item item = {.name = {name, sizeof name}, .value = {value, sizeof value}};
    struct writer writer;
    struct page page;

    page_init(&page, 0);
    writer_init(&writer, &page.items);
    page_item_write(&writer, &item);
    CHECK_OK(writer.error);
    page_done(&page);
}
