#include "engine/status.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/rig.h"

TEST(text_that_is_no_utf8_is_still_text)
{
    json_t *json = json_text("caf\xe9 \xff!");

    CHECK_TEXT(json_string_value(json), "caf? ?!");
    json_decref(json);
    json = json_text("caf\xc3\xa9");
    CHECK_TEXT(json_string_value(json), "caf\xc3\xa9");
    json_decref(json);
}

TEST(numbers_stay_within_what_json_has)
{
    json_t *json = json_number(UINT64_MAX);

    CHECK_EQUAL(json_integer_value(json), INT64_MAX);
    json_decref(json);
    json = json_hex(0xabc);
    CHECK_TEXT(json_string_value(json), "0000000000000abc");
    json_decref(json);
}

TEST(a_document_over_the_limit_is_an_error)
{
    struct buffer text;

    buffer_init(&text, 4);
    CHECK_ERROR(json_into(json_text("long enough"), &text), NEAP_NOMEM);
    CHECK_EQUAL(text.size, 0);
    CHECK_ERROR(json_into(NULL, &text), NEAP_NOMEM);
    buffer_done(&text);
}

TEST(the_status_shows_the_node_and_its_buckets)
{
    struct rig rig;
    struct write_op ops[] = {rig_add("a", "n", 1), rig_add("b", "n", 1), rig_add("b", "n", 1)};
    struct write write = {.ops = ops, .count = 3};
    struct status_extra extra = {.path = "/some/where", .cluster = 7};
    json_t *status, *bucket, *entry;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    status = status_json(&rig.wheel, rig_now(&rig), &extra);
    CHECK(status);
    CHECK_TEXT(json_string_value(json_object_get(status, "version")), neap_version());
    CHECK_TEXT(json_string_value(json_object_get(status, "cluster")), "0000000000000007");
    CHECK_TEXT(json_string_value(json_object_get(status, "path")), "/some/where");
    CHECK(json_is_null(json_object_get(status, "stopped")));
    CHECK(json_is_true(json_object_get(status, "life_is_new")));
    CHECK_EQUAL(json_array_size(json_object_get(status, "buckets")), 2);
    CHECK_EQUAL(json_array_size(json_object_get(status, "peers")), 0);
    for (size_t i = 0; i < 2; i++) {
        const char *name;

        bucket = json_array_get(json_object_get(status, "buckets"), i);
        name = json_string_value(json_object_get(bucket, "name"));
        entry = json_array_get(json_object_get(bucket, "context"), 0);
        CHECK_EQUAL(json_integer_value(json_object_get(entry, "n")), name[0] == 'a' ? 1 : 2);
        CHECK_EQUAL(json_integer_value(json_object_get(bucket, "residues")), 0);
        CHECK_EQUAL(json_integer_value(json_object_get(bucket, "ids")), 1);
        CHECK_EQUAL(json_integer_value(json_object_get(bucket, "ids_max")), CONTEXT_IDS_MAX);
        CHECK(json_is_null(json_object_get(bucket, "problem")));
    }
    json_decref(status);
    rig_close(&rig);
}

TEST(a_stopped_node_shows_why)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    struct status_extra extra = {0};
    json_t *status;

    rig_open(&rig);
    disk_mem_fault(rig.disk, DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(rig_write(&rig, &write), NEAP_IO);
    status = status_json(&rig.wheel, rig_now(&rig), &extra);
    CHECK(strstr(json_string_value(json_object_get(status, "stopped")), "has stopped"));
    json_decref(status);
    rig_close(&rig);
}

static int number_find(void *arg, const char *name, uint64_t number)
{
    if (!strcmp(name, "writes"))
        *(uint64_t *)arg = number;
    return !strcmp(name, "queue_events") ? NEAP_END : 0;
}

TEST(numbers_have_names_and_may_be_left_early)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    struct status_extra extra = {0};
    uint64_t writes = 0;

    rig_open(&rig);
    CHECK_OK(rig_write(&rig, &write));
    CHECK_ERROR(status_numbers(&rig.wheel, &extra, number_find, &writes), NEAP_END);
    CHECK_EQUAL(writes, 1);
    rig_close(&rig);
}
