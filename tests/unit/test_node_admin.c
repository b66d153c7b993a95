#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "tests/support/rig.h"

static struct node *open_on(struct disk *disk, bool readonly)
{
    static const struct directory_mark mark;
    struct node_options options = {
        .disk = disk, .clock = clock_os(), .mark = &mark, .readonly = readonly};
    struct backend *backend = NULL;

    CHECK_OK(node_open_with(&options, &backend, NULL));
    return (struct node *)backend;
}

static struct node *open_plain(void)
{
    struct disk *disk = NULL;

    CHECK_OK(disk_mem_open(&disk));
    return open_on(disk, false);
}

static void close_node(struct node *node)
{
    node->backend.ops->close(&node->backend);
}

static int write_one(struct node *node, struct write_op op)
{
    struct write write = {.ops = &op, .count = 1};

    return node->backend.ops->write(&node->backend, &write);
}

static int ask(struct node *node, const char *verb, const char *word, json_t **ret_json,
               struct neap_error *error)
{
    const char *const words[] = {verb, word};
    struct buffer text;
    int code;

    buffer_init(&text, 1 << 20);
    code = node->backend.ops->admin(&node->backend, word ? 2 : 1, words, &text, error);
    if (!code) {
        *ret_json = json_loadb((const char *)text.data, text.size, 0, NULL);
        CHECK(*ret_json);
    }
    buffer_done(&text);
    return code;
}

static json_int_t number_of(json_t *json, const char *object, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(json, object), name));
}

TEST(an_unknown_verb_gets_the_list)
{
    struct node *node = open_plain();
    struct neap_error error = {0};
    json_t *json = NULL;

    CHECK_ERROR(ask(node, "nonsense", NULL, &json, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "status"));
    CHECK(strstr(error.text, "isolate"));
    CHECK_ERROR(ask(node, "status", "now", &json, &error), NEAP_INVALID);
    CHECK_ERROR(node->backend.ops->admin(&node->backend, 0, NULL, NULL, &error), NEAP_INVALID);
    close_node(node);
}

TEST(the_digest_sums_all_buckets)
{
    struct node *node = open_plain();
    struct neap_error error = {0};
    json_t *all = NULL, *one = NULL, *bucket;

    CHECK_OK(write_one(node, rig_add("a", "n", 1)));
    CHECK_OK(write_one(node, rig_lww("b", "k", "v")));
    CHECK_OK(write_one(node, rig_lww("b", "l", "w")));
    CHECK_OK(ask(node, "digest", NULL, &all, &error));
    CHECK_EQUAL(json_array_size(json_object_get(all, "buckets")), 2);
    CHECK_EQUAL(number_of(all, "total", "cells"), 3);
    CHECK_EQUAL(number_of(all, "total", "keys"), 3);
    CHECK_OK(ask(node, "digest", "b", &one, &error));
    CHECK_EQUAL(json_array_size(json_object_get(one, "buckets")), 1);
    CHECK_EQUAL(number_of(one, "total", "cells"), 2);
    bucket = json_array_get(json_object_get(one, "buckets"), 0);
    CHECK_TEXT(json_string_value(json_object_get(bucket, "name")), "b");
    CHECK_EQUAL(strlen(json_string_value(json_object_get(bucket, "digest"))), 32);
    CHECK_TEXT(json_string_value(json_object_get(bucket, "digest")),
               json_string_value(json_object_get(json_object_get(one, "total"), "digest")));
    json_decref(one);
    CHECK_ERROR(ask(node, "digest", "c", &one, &error), NEAP_NOTFOUND);
    json_decref(all);
    close_node(node);
}

TEST(the_same_cells_have_the_same_digest)
{
    struct disk *disk = NULL, *copy = NULL;
    struct node *one, *two;
    json_t *first = NULL, *second = NULL;

    CHECK_OK(disk_mem_open(&disk));
    one = open_on(disk, false);
    CHECK_OK(write_one(one, rig_add("a", "n", 1)));
    CHECK_OK(disk_mem_copy(disk, &copy));
    two = open_on(copy, false);
    CHECK_OK(ask(one, "digest", NULL, &first, NULL));
    CHECK_OK(ask(two, "digest", NULL, &second, NULL));
    CHECK(json_equal(json_object_get(first, "total"), json_object_get(second, "total")));
    json_decref(second);
    CHECK_OK(write_one(two, rig_add("a", "n", 1)));
    CHECK_OK(ask(two, "digest", NULL, &second, NULL));
    CHECK(!json_equal(json_object_get(first, "total"), json_object_get(second, "total")));
    json_decref(first);
    json_decref(second);
    close_node(one);
    close_node(two);
}

TEST(a_corrupt_record_is_an_error_of_the_digest)
{
    struct disk *disk = NULL;
    struct node *node;
    struct neap_error error = {0};
    json_t *json = NULL;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    CHECK_OK(write_one(node, rig_add("a", "n", 1)));
    disk_mem_fault(disk, DISK_FAULT_SCAN, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(ask(node, "digest", NULL, &json, &error), NEAP_CORRUPT);
    CHECK(error.text[0]);
    close_node(node);
}

TEST(a_node_alone_cannot_be_isolated)
{
    struct node *node = open_plain();
    struct neap_error error = {0};
    json_t *json = NULL;

    CHECK_ERROR(ask(node, "isolate", "on", &json, &error), NEAP_REFUSED);
    CHECK_ERROR(ask(node, "isolate", "maybe", &json, &error), NEAP_INVALID);
    CHECK_ERROR(ask(node, "isolate", NULL, &json, &error), NEAP_INVALID);
    close_node(node);
}

TEST(numbers_come_as_json_and_as_a_page)
{
    struct node *node = open_plain();
    struct page_request request = {.stats = true, .size_max = 1 << 16};
    struct page page;
    struct reader reader;
    struct neap_item item;
    json_t *json = NULL;
    bool found = false;

    CHECK_OK(write_one(node, rig_add("a", "n", 1)));
    CHECK_OK(ask(node, "stats", NULL, &json, NULL));
    CHECK_EQUAL(json_integer_value(json_object_get(json, "writes")), 1);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "buckets")), 1);
    page_init(&page, 1 << 16);
    CHECK_OK(node->backend.ops->page(&node->backend, &request, &page));
    CHECK_EQUAL(page.count, json_object_size(json));
    reader_init(&reader, buffer_slice(&page.items));
    for (uint64_t i = 0; i < page.count; i++) {
        page_item_read(&reader, &item);
        found |= item.name.size == 6 && !memcmp(item.name.data, "writes", 6) && item.number == 1;
    }
    CHECK_OK(reader_end(&reader));
    CHECK(found);
    json_decref(json);
    page_done(&page);
    close_node(node);
}

TEST(the_status_of_a_stopped_node_can_be_asked)
{
    struct disk *disk = NULL;
    struct node *node;
    json_t *json = NULL;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, false);
    disk_mem_fault(disk, DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(write_one(node, rig_add("a", "n", 1)), NEAP_IO);
    CHECK_OK(ask(node, "status", NULL, &json, NULL));
    CHECK(json_is_string(json_object_get(json, "stopped")));
    json_decref(json);
    CHECK_OK(ask(node, "stats", NULL, &json, NULL));
    CHECK_EQUAL(json_integer_value(json_object_get(json, "stopped")), 1);
    json_decref(json);
    CHECK_ERROR(ask(node, "digest", NULL, &json, NULL), NEAP_IO);
    close_node(node);
}

/* What is only read is not changed, not even by the opening. */
TEST(a_node_for_reading_reads_and_writes_nothing)
{
    struct disk *disk = NULL;
    struct spy_disk spy;
    struct node *node;
    struct token token = {0};
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    struct neap_error error = {0};
    json_t *json = NULL;
    int64_t number = 0;

    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    spy.keep = true;
    node = open_on(&spy.disk, false);
    CHECK_OK(write_one(node, rig_add("a", "n", 5)));
    close_node(node);
    atomic_store(&spy.commits, 0);
    spy.keep = false;
    node = open_on(&spy.disk, true);
    CHECK_ERROR(node->backend.ops->write(&node->backend, &write), NEAP_REFUSED);
    CHECK(strstr(write.error.text, "reading"));
    write.submit = true;
    CHECK_ERROR(node->backend.ops->write(&node->backend, &write), NEAP_REFUSED);
    CHECK_ERROR(node->backend.ops->sync(&node->backend), NEAP_REFUSED);
    CHECK_OK(rig_counter(node->disk, "a", "n", &number));
    CHECK_EQUAL(number, 5);
    CHECK_OK(ask(node, "status", NULL, &json, &error));
    CHECK(json_is_true(json_object_get(json, "readonly")));
    json_decref(json);
    CHECK_OK(ask(node, "digest", NULL, &json, &error));
    CHECK_EQUAL(number_of(json, "total", "cells"), 1);
    json_decref(json);
    CHECK_OK(token_dot(&token, bucket_id("a"), (struct dot){7, 1}, 1));
    CHECK_ERROR(node->backend.ops->wait(&node->backend, &token, NEAP_ONE, 5, &error),
                NEAP_UNCERTAIN);
    token_done(&token);
    CHECK_EQUAL(atomic_load(&spy.commits), 0);
    close_node(node);
    /* Not even when a new life begins. */
    CHECK_OK(disk_mem_open(&disk));
    spy_disk_init(&spy, disk);
    node = open_on(&spy.disk, true);
    CHECK_EQUAL(atomic_load(&spy.commits), 0);
    close_node(node);
}
