#include "gossip/roster.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/gossip_nodes.h"

/* ---- records ---- */

TEST(names_and_addresses_are_what_can_be_shown)
{
    char longest[ROSTER_ADDRESS_MAX + 8];
    CHECK(roster_name_is(""));
    CHECK(roster_name_is("rack-7.North_2"));
    CHECK(!roster_name_is("a b"));
    CHECK(!roster_name_is("a/b"));
    CHECK(!roster_name_is("\xc3\xa4"));
    memset(longest, 'x', sizeof longest);
    longest[ROSTER_NAME_MAX] = 0;
    CHECK(!roster_name_is(longest));
    longest[ROSTER_NAME_MAX - 1] = 0;
    CHECK(roster_name_is(longest));
    CHECK(roster_address_is("tcp://127.0.0.1:7400"));
    CHECK(!roster_address_is(""));
    CHECK(!roster_address_is("127.0.0.1:7400"));
    CHECK(!roster_address_is("tcp://a b:1"));
    CHECK(!roster_address_is("tcp://\x1b[2J"));
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "tcp://", 6);
    longest[ROSTER_ADDRESS_MAX] = 0;
    CHECK(!roster_address_is(longest));
    longest[ROSTER_ADDRESS_MAX - 1] = 0;
    CHECK(roster_address_is(longest));
}

TEST(a_record_is_read_as_it_was_written)
{
    struct roster_row row = row_make(7, "tcp://a:1", "seven"), back;
    struct buffer value;
    snprintf(row.addresses[row.addresses_count++], ROSTER_ADDRESS_MAX, "ipc:///run/b");
    buffer_init(&value, NEAP_VALUE_MAX);
    CHECK_OK(roster_encode(&row, &value));
    CHECK_HEX(buffer_slice(&value), "94 92 a9 7463703a2f2f613a31 ac 6970633a2f2f2f72756e2f62"
                                    "a5 6e6f727468 a5 736576656e 64");
    CHECK_OK(roster_decode(7, buffer_slice(&value), &back));
    CHECK(roster_rows_equal(&row, &back));
    back.weight++;
    CHECK(!roster_rows_equal(&row, &back));
    buffer_done(&value);
}

static int decode_hex(const char *hex)
{
    uint8_t bytes[256];
    struct roster_row row;
    return roster_decode(7, test_unhex(hex, bytes, sizeof bytes), &row);
}

TEST(what_is_no_record_is_refused_and_what_is_added_later_is_not)
{
    CHECK_OK(decode_hex("94 90 a0 a0 64"));
    CHECK_OK(decode_hex("96 90 a0 a0 64 92 01 02 a3 61 62 63"));
    CHECK_ERROR(decode_hex("93 90 a0 a0"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("94 90 a0 a0"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("94 90 a0 a0 64 00"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("94 90 a1 2f a0 64"), NEAP_INVALID);          /* a zone "/" */
    CHECK_ERROR(decode_hex("94 90 a2 6100 a0 64"), NEAP_INVALID);        /* a zero in it */
    CHECK_ERROR(decode_hex("94 91 a1 61 a0 a0 64"), NEAP_INVALID);       /* an address "a" */
    CHECK_ERROR(decode_hex("94 90 a0 a0 ce 00 0f 42 41"), NEAP_INVALID); /* 1000001 */
    CHECK_ERROR(decode_hex("94 95 a0 a0 a0 a0 a0 a0 a0 64"), NEAP_INVALID);
    CHECK_ERROR(decode_hex(""), NEAP_INVALID);
}

static int list_and_read(void *argument)
{
    struct pair_of_nodes nodes;
    struct roster roster = {0};
    struct roster_row rows[] = {row_make(9, "tcp://a:1", "nine"), row_make(3, NULL, "same"),
                                row_make(5, NULL, "same"), row_make(4, NULL, "gone")};
    struct roster_row found;
    (void)argument;
    int error = nodes_open(&nodes);
    for (size_t i = 0; i < 4 && !error; i++)
        error = record_add(&nodes, 0, &rows[i]);
    if (!error)
        error = record_write(&nodes, 0, ROSTER_FORGOTTEN, 4, &rows[3]);
    if (!error) {
        struct view view = {.disk = nodes.sides[0].disk};
        error = roster_read(&view, &roster);
    }
    if (!error) {
        const struct roster_list *list = &roster.lists[ROSTER_MEMBERS];
        CHECK_EQUAL(list->count, 3);
        CHECK_EQUAL(list->rows[0].node, 3);
        CHECK_EQUAL(list->rows[2].node, 9);
        CHECK(roster_rows_equal(roster_find(&roster, ROSTER_MEMBERS, 9), &rows[0]));
        CHECK(!roster_find(&roster, ROSTER_MEMBERS, 4));
        CHECK(roster_find(&roster, ROSTER_FORGOTTEN, 4));
        CHECK(!roster_find(&roster, ROSTER_RETIRED, 4));
        CHECK_OK(roster_named(&roster, "nine", &found));
        CHECK_EQUAL(found.node, 9);
        CHECK_OK(roster_named(&roster, "0000000000000005", &found));
        CHECK_EQUAL(found.node, 5);
        CHECK_ERROR(roster_named(&roster, "same", &found), NEAP_INVALID);
        CHECK_ERROR(roster_named(&roster, "gone", &found), NEAP_NOTFOUND);
        CHECK_ERROR(roster_named(&roster, "", &found), NEAP_NOTFOUND);
    }
    roster_done(&roster);
    nodes_close(&nodes);
    return error;
}

TEST(the_list_is_read_as_it_is)
{
    CHECK_OK(list_and_read(NULL));
}

TEST(the_list_survives_failing_allocations)
{
    test_alloc_sweep(list_and_read, NULL);
}

TEST(more_records_than_there_may_be_are_left_out)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    for (uint64_t node = 1; node <= ROSTER_MAX + 2; node++) {
        struct roster_row row = row_make(node, NULL, "");
        CHECK_OK(record_add(&nodes, 0, &row));
    }
    const struct roster_list *list = &nodes_roster(&nodes, 0)->lists[ROSTER_MEMBERS];
    CHECK_EQUAL(list->count, ROSTER_MAX);
    CHECK_EQUAL(list->left_out, 2);
    CHECK_EQUAL(list->rows[ROSTER_MAX - 1].node, ROSTER_MAX);
    nodes_close(&nodes);
}
