#include <jansson.h>
#include <string.h>

#include "engine/node.h"
#include "tests/support/rig.h"

static struct node *open_plain(struct disk **ret_disk)
{
    static const struct directory_mark mark;
    struct node_options options = {.clock = clock_os(), .mark = &mark};
    struct backend *backend = NULL;
    struct write_op ops[] = {rig_lww("shop", "a", "1"), rig_lww("shop", "b", "longer")};
    struct write write = {.ops = ops, .count = 2};

    CHECK_OK(disk_mem_open(ret_disk));
    options.disk = *ret_disk;
    CHECK_OK(node_open_with(&options, &backend, NULL));
    CHECK_OK(backend->ops->write(backend, &write));
    return (struct node *)backend;
}

static void close_node(struct node *node)
{
    node->backend.ops->close(&node->backend);
}

static int ask(struct node *node, const char *verb, const char *bucket, const char *limit,
               json_t **ret_json, struct neap_error *error)
{
    const char *const words[] = {verb, bucket, limit};
    struct buffer text;
    int code;

    buffer_init(&text, 1 << 20);
    code = node->backend.ops->admin(&node->backend,
                                    limit    ? 3
                                    : bucket ? 2
                                             : 1,
                                    words, &text, error);
    if (!code)
        *ret_json = json_loadb((const char *)text.data, text.size, 0, NULL);
    buffer_done(&text);
    return code;
}

TEST(big_and_siblings_of_a_node)
{
    struct disk *disk;
    struct node *node = open_plain(&disk);
    json_t *json = NULL;

    CHECK_OK(ask(node, "big", "shop", "1", &json, NULL));
    CHECK_EQUAL(json_array_size(json_object_get(json, "objects")), 1);
    CHECK_TEXT(json_string_value(
                   json_object_get(json_array_get(json_object_get(json, "objects"), 0), "key")),
               "b");
    json_decref(json);
    CHECK_OK(ask(node, "siblings", "shop", NULL, &json, NULL));
    CHECK_EQUAL(json_integer_value(json_object_get(json, "cells")), 0);
    json_decref(json);
    close_node(node);
}

TEST(wrong_words_of_big_are_told)
{
    static const char *const limits[] = {"0", "-1", "x", "1x", "1001", ""};
    struct disk *disk;
    struct node *node = open_plain(&disk);
    struct neap_error error = {0};
    json_t *json = NULL;

    CHECK_ERROR(ask(node, "big", NULL, NULL, &json, &error), NEAP_INVALID);
    CHECK_ERROR(ask(node, "big", "a/b", NULL, &json, &error), NEAP_INVALID);
    CHECK_ERROR(ask(node, "siblings", "nowhere", NULL, &json, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, "no bucket nowhere"));
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        CHECK_ERROR(ask(node, "big", "shop", limits[i], &json, &error), NEAP_INVALID);
    CHECK(!json);
    close_node(node);
}

TEST(damage_that_big_meets_is_an_error)
{
    struct disk *disk;
    struct node *node = open_plain(&disk);
    struct neap_error error = {0};
    json_t *json = NULL;

    disk_mem_fault(disk, DISK_FAULT_SCAN, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(ask(node, "big", "shop", NULL, &json, &error), NEAP_CORRUPT);
    CHECK(error.text[0]);
    close_node(node);
}
