/* Verbs of long work: tasks, task, scrub, repair. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/task.h"
#include "tests/unit/node_pair.h"

/* ---- names ---- */

TEST(names_of_tasks_are_read_and_written)
{
    static const struct {
        struct task task;
        const char *id;
    } cases[] = {{{.kind = TASK_PULL, .bucket = "shop"}, "pull:shop"},
                 {{.kind = TASK_COMPARE, .bucket = "a:b"}, "compare:a:b"},
                 {{.kind = TASK_REPAIR, .bucket = "shop"}, "repair:shop"},
                 {{.kind = TASK_HEAL, .bucket = "shop"}, "heal:shop"},
                 {{.kind = TASK_BUILD, .bucket = "shop"}, "build:shop"},
                 {{.kind = TASK_SCRUB, .bucket = "shop"}, "scrub:shop"},
                 {{.kind = TASK_ROUND}, "scrub"},
                 {{.kind = TASK_ASK, .bucket = "shop", .number = 12}, "ask:12"},
                 {{.kind = TASK_BACKUP}, "backup"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TASK_ID_MAX];
        struct task_id id;

        task_id_write(&cases[i].task, text);
        CHECK_TEXT(text, cases[i].id);
        CHECK_OK(task_id_read(text, &id));
        CHECK_EQUAL(id.kind, cases[i].task.kind);
        CHECK_EQUAL(id.number, cases[i].task.number);
        if (cases[i].task.bucket && id.kind != TASK_ASK)
            CHECK_EQUAL(id.shard, bucket_id(cases[i].task.bucket));
    }
}

TEST(names_that_are_none_are_refused)
{
    static const char *const wrong[] = {
        "",      "shop",     "pull",     "pull:",  "backup:x",
        "ask",   "ask:",     "ask:1x",   "ask:-1", "scrub:a/b",
        "ask:x", "nonsense", "scrubs:a", ":",      "ask:11111111111111111111111"};
    struct task_id id;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(task_id_read(wrong[i], &id), NEAP_INVALID);
}

/* ---- verbs ---- */

static int ask(struct node *node, const char *one, const char *two, const char *three,
               json_t **ret_json, struct neap_error *error)
{
    const char *const words[] = {one, two, three};
    struct buffer text;
    int code, count = three ? 3 : two ? 2 : 1;

    buffer_init(&text, 1 << 20);
    code = node->backend.ops->admin(&node->backend, count, words, &text, error);
    if (!code) {
        json_t *json = json_loadb((const char *)text.data, text.size, 0, NULL);

        CHECK(json);
        if (ret_json)
            *ret_json = json;
        else
            json_decref(json);
    }
    buffer_done(&text);
    return code;
}

/* The state of a task; "none". */
static const char *state_of(struct node *node, const char *id)
{
    static const char *const words[] = {"runs", "pausing", "paused", "none"};
    json_t *json = NULL, *item;
    unsigned found = 3;
    size_t i;

    CHECK_OK(ask(node, "tasks", NULL, NULL, &json, NULL));
    json_array_foreach(json_object_get(json, "tasks"), i, item)
    {
        for (unsigned j = 0; j < 3; j++)
            if (!strcmp(json_string_value(json_object_get(item, "id")), id) &&
                !strcmp(json_string_value(json_object_get(item, "state")), words[j]))
                found = j;
    }
    json_decref(json);
    return words[found];
}

TEST(tasks_are_paused_and_resumed_by_name)
{
    struct pair pair;
    struct neap_error error = {0};

    pair_open(&pair);
    pair_meet(&pair);
    CHECK_TEXT(state_of(pair.nodes[0], "repair:met"), "none");
    CHECK_OK(ask(pair.nodes[0], "task", "pause", "repair:met", NULL, &error));
    CHECK_OK(ask(pair.nodes[0], "task", "pause", "scrub", NULL, &error));
    CHECK_TEXT(state_of(pair.nodes[0], "repair:met"), "paused");
    CHECK_TEXT(state_of(pair.nodes[0], "scrub"), "paused");
    CHECK_OK(ask(pair.nodes[0], "task", "resume", "repair:met", NULL, &error));
    CHECK_OK(ask(pair.nodes[0], "task", "cancel", "scrub", NULL, &error));
    CHECK_TEXT(state_of(pair.nodes[0], "repair:met"), "none");
    CHECK_TEXT(state_of(pair.nodes[0], "scrub"), "none");
    pair_close(&pair);
}

TEST(orders_that_mean_nothing_say_why)
{
    static const struct {
        const char *words[3];
        int code;
        const char *text;
    } cases[] = {
        {{"tasks", "x", NULL}, NEAP_INVALID, "more than"},
        {{"task", NULL, NULL}, NEAP_INVALID, "pause, resume or cancel"},
        {{"task", "pause", NULL}, NEAP_INVALID, "pause, resume or cancel"},
        {{"task", "stop", "scrub"}, NEAP_INVALID, "pause, resume or cancel"},
        {{"task", "pause", "shop"}, NEAP_INVALID, "no name"},
        {{"task", "pause", "repair:none"}, NEAP_NOTFOUND, "see tasks"},
        {{"task", "cancel", "backup"}, NEAP_NOTFOUND, "see tasks"},
        {{"task", "pause", "pull:met"}, NEAP_REFUSED, "only be cancelled"},
        {{"scrub", "a/b", NULL}, NEAP_INVALID, "not a name"},
        {{"scrub", "none", NULL}, NEAP_NOTFOUND, "no bucket"},
        {{"repair", "a/b", NULL}, NEAP_INVALID, "not a name"},
        {{"repair", "none", NULL}, NEAP_NOTFOUND, "no bucket"},
    };
    struct pair pair;

    pair_open(&pair);
    pair_meet(&pair);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *words = cases[i].words;
        struct neap_error error = {0};

        CHECK_ERROR(ask(pair.nodes[0], words[0], words[1], words[2], NULL, &error), cases[i].code);
        CHECK(strstr(error.text, cases[i].text));
    }
    pair_close(&pair);
}

TEST(scrub_and_repair_are_ordered)
{
    struct pair pair;
    json_t *json = NULL, *order;

    pair_open(&pair);
    pair_meet(&pair);
    CHECK_OK(ask(pair.nodes[0], "scrub", NULL, NULL, NULL, NULL));
    CHECK_OK(ask(pair.nodes[0], "task", "cancel", "scrub", NULL, NULL));
    CHECK_OK(ask(pair.nodes[0], "scrub", "met", NULL, NULL, NULL));
    CHECK_OK(ask(pair.nodes[0], "repair", "met", NULL, &json, NULL));
    order = json_array_get(json_object_get(json, "orders"), 0);
    CHECK_TEXT(json_string_value(json_object_get(order, "bucket")), "met");
    CHECK_TEXT(json_string_value(json_object_get(order, "peer")), names[1]);
    CHECK(json_string_value(json_object_get(order, "order")));
    json_decref(json);
    isolate(pair.nodes[0], "on");
    CHECK_OK(ask(pair.nodes[0], "repair", NULL, NULL, &json, NULL));
    order = json_array_get(json_object_get(json, "orders"), 0);
    CHECK_TEXT(json_string_value(json_object_get(order, "order")), "away");
    json_decref(json);
    pair_close(&pair);
}

TEST(a_node_alone_has_nothing_to_repair_with)
{
    static const struct directory_mark mark;
    struct node_options options = {.clock = clock_os(), .mark = &mark};
    struct backend *backend = NULL;
    struct neap_error error = {0};
    struct node *node;

    CHECK_OK(disk_mem_open(&options.disk));
    CHECK_OK(node_open_with(&options, &backend, NULL));
    node = (struct node *)backend;
    CHECK_ERROR(ask(node, "repair", NULL, NULL, NULL, &error), NEAP_REFUSED);
    CHECK_ERROR(ask(node, "scrub", NULL, NULL, NULL, &error), NEAP_REFUSED);
    CHECK_OK(ask(node, "tasks", NULL, NULL, NULL, &error));
    backend->ops->close(backend);
}
