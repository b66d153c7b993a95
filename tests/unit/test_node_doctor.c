#include <jansson.h>
#include <string.h>

#include "engine/node.h"
#include "tests/support/rig.h"

static struct node *open_on(struct disk *disk, const char *path, bool suspect)
{
    static const struct directory_mark mark;
    struct node_options options = {
        .disk = disk, .clock = clock_os(), .mark = &mark, .path = path, .suspect = suspect};
    struct backend *backend = NULL;

    CHECK_OK(node_open_with(&options, &backend, NULL));
    return (struct node *)backend;
}

static void close_node(struct node *node)
{
    node->backend.ops->close(&node->backend);
}

static int ask(struct node *node, json_t **ret_json)
{
    const char *const word = "doctor";
    struct buffer text;
    int code;

    buffer_init(&text, 1 << 20);
    code = node->backend.ops->admin(&node->backend, 1, &word, &text, NULL);
    if (!code) {
        *ret_json = json_loadb((const char *)text.data, text.size, 0, NULL);
        CHECK(*ret_json);
    }
    buffer_done(&text);
    return code;
}

static bool finds(const json_t *json, const char *name)
{
    const json_t *finding;
    size_t i;

    json_array_foreach(json_object_get(json, "findings"), i, finding)
    {
        if (strcmp(json_string_value(json_object_get(finding, "name")), name) == 0)
            return true;
    }
    return false;
}

TEST(the_doctor_of_a_node_alone_says_so)
{
    struct disk *disk = NULL;
    struct node *node;
    json_t *json = NULL;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, "/", false);
    CHECK_OK(ask(node, &json));
    CHECK(finds(json, "alone"));
    CHECK(!finds(json, "suspect") && !finds(json, "clock_back"));
    json_decref(json);
    close_node(node);
}

TEST(a_suspect_start_is_found)
{
    struct disk *disk = NULL;
    struct node *node;
    json_t *json = NULL;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, NULL, true);
    CHECK_OK(ask(node, &json));
    CHECK(finds(json, "suspect"));
    CHECK(json_integer_value(json_object_get(json, "warning")) >= 1);
    json_decref(json);
    close_node(node);
}

TEST(the_doctor_looks_at_a_node_that_has_stopped)
{
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1};
    struct disk *disk = NULL;
    struct node *node;
    json_t *json = NULL;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, NULL, false);
    disk_mem_fault(disk, DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(node->backend.ops->write(&node->backend, &write), NEAP_IO);
    CHECK_OK(ask(node, &json));
    CHECK(finds(json, "stopped"));
    CHECK_EQUAL(json_integer_value(json_object_get(json, "critical")), 1);
    json_decref(json);
    close_node(node);
}

static int ask_with_less_memory(void *arg)
{
    json_t *json = NULL;
    int code = ask(arg, &json);

    if (!code)
        CHECK(finds(json, "alone"));
    json_decref(json);
    return code;
}

TEST(the_doctor_with_less_memory)
{
    struct disk *disk = NULL;
    struct node *node;

    CHECK_OK(disk_mem_open(&disk));
    node = open_on(disk, NULL, false);
    test_alloc_sweep(ask_with_less_memory, node);
    close_node(node);
}
