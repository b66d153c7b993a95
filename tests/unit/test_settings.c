#include "engine/settings.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "tests/unit/node_pair.h"

/* The value of one, as the node tells it; -1: it has none. *at_start (may be NULL) likewise. */
static int64_t value_of(struct node *node, const char *name, int64_t *ret_at_start)
{
    const json_t *setting;
    struct buffer text;
    json_t *json;
    int64_t value;

    CHECK_OK(admin(node, "settings", name, &text));
    json = json_loadb((const char *)text.data, text.size, 0, NULL);
    CHECK_EQUAL(json_array_size(json_object_get(json, "settings")), 1);
    setting = json_array_get(json_object_get(json, "settings"), 0);
    CHECK_TEXT(json_string_value(json_object_get(setting, "name")), name);
    value = json_is_null(json_object_get(setting, "value"))
                ? -1
                : json_integer_value(json_object_get(setting, "value"));
    if (ret_at_start)
        *ret_at_start = json_integer_value(json_object_get(setting, "at_start"));
    json_decref(json);
    buffer_done(&text);
    return value;
}

static int set(struct node *node, const char *name, const char *number, struct neap_error *error)
{
    const char *const words[] = {"set", name, number};
    struct buffer text;
    int code;

    buffer_init(&text, SIZE_MAX / 2);
    code = node_admin(&node->backend, number ? 3 : 2, words, &text, error);
    buffer_done(&text);
    return code;
}

TEST(what_is_set_is_there_and_what_it_was_at_the_start_is_told)
{
    static const struct {
        const char *name, *number;
        int64_t is;
    } cases[] = {{"bulk_max", "2m", 2 << 20},   {"bulk_max", "0", 0},
                 {"scrub_max", "500", 500},     {"scrub_s", "60", 60},
                 {"log_max", "17", 17},         {"retire_after_s", "5", 5},
                 {"retire_after_s", "0", 0},    {"sync_ms", "60000", 60000}};
    struct neap_error error;
    struct pair pair;
    int64_t start;

    pair_open(&pair);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t first;

        (void)value_of(pair.nodes[0], cases[i].name, &first);
        CHECK(first >= 0);
        CHECK_OK(set(pair.nodes[0], cases[i].name, cases[i].number, &error));
        CHECK_EQUAL(value_of(pair.nodes[0], cases[i].name, &start), cases[i].is);
        CHECK_EQUAL(start, first);
    }
    pair_close(&pair);
}

TEST(a_number_that_may_not_be_is_refused_and_what_may_be_is_told)
{
    static const char *const wrong[][2] = {
        {"bulk_max", ""},      {"bulk_max", "-1"},      {"bulk_max", "k"},
        {"bulk_max", "1t"},    {"bulk_max", "1kk"},     {"bulk_max", "1 "},
        {"scrub_max", "0"},    {"scrub_max", "1k"},     {"scrub_max", "1000001"},
        {"log_max", "0"},      {"sync_ms", "0"},        {"sync_ms", "60001"},
        {"scrub_s", "1m"},     {"scrub_s", "99999999999"},
        {"bulk_max", "9999999999g"}, {"bulk_max", "99999999999999999999"}};
    struct neap_error error;
    struct pair pair;

    pair_open(&pair);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t before = value_of(pair.nodes[0], wrong[i][0], NULL);

        CHECK_ERROR(set(pair.nodes[0], wrong[i][0], wrong[i][1], &error), NEAP_INVALID);
        CHECK(strstr(error.text, wrong[i][0]) && strstr(error.text, " from "));
        CHECK_EQUAL(value_of(pair.nodes[0], wrong[i][0], NULL), before);
    }
    CHECK_ERROR(set(pair.nodes[0], "memory_max", "1g", &error), NEAP_INVALID);
    CHECK(strstr(error.text, "retire_after_s"));
    CHECK_ERROR(set(pair.nodes[0], "bulk_max", NULL, &error), NEAP_INVALID);
    pair_close(&pair);
}

/* What is written before it keeps its place: a shorter log is cut, and not only told. */
static void logs_look(void *arg, struct engine *engine)
{
    uint64_t *count = arg;

    *count = 0;
    for (size_t i = 0; i < engine->store.shards_count; i++)
        *count += shard_log_count(engine->store.shards[i]);
}

TEST(a_shorter_log_is_cut)
{
    struct neap_error error;
    struct pair pair;
    uint64_t count;

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    for (int i = 0; i < 40; i++)
        CHECK_OK(add(pair.nodes[0], rig_add("shop", "n", 1), NEAP_ONE, false, NULL));
    CHECK_OK(node_call(pair.nodes[0], logs_look, &count));
    CHECK(count >= 40);
    CHECK_OK(set(pair.nodes[0], "log_max", "8", &error));
    CHECK_OK(add(pair.nodes[0], rig_add("shop", "n", 1), NEAP_ONE, false, NULL));
    CHECK_OK(node_tick(pair.nodes[0]));
    CHECK_OK(node_call(pair.nodes[0], logs_look, &count));
    CHECK(count <= 8);
    pair_close(&pair);
}

TEST(a_node_that_is_alone_has_two_of_them)
{
    struct rig rig;
    uint64_t number;

    rig_open(&rig);
    CHECK_ERROR(setting_get(&rig.wheel.engine, SETTING_bulk_max, &number), NEAP_REFUSED);
    CHECK_ERROR(setting_set(&rig.wheel.engine, SETTING_scrub_s, 7), NEAP_REFUSED);
    CHECK_OK(setting_set(&rig.wheel.engine, SETTING_log_max, 7));
    CHECK_OK(setting_get(&rig.wheel.engine, SETTING_log_max, &number));
    CHECK_EQUAL(number, 7);
    rig_close(&rig);
}
