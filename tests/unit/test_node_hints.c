/* The verbs hints and log, of two nodes with threads. */
#include <jansson.h>
#include <string.h>

#include "tests/unit/node_pair.h"

static json_t *asked(struct node *node, int count, const char *const words[])
{
    struct neap_error error = {0};
    struct buffer text;
    json_t *json;

    buffer_init(&text, 1 << 20);
    CHECK_OK(node_admin(&node->backend, count, words, &text, &error));
    json = json_loadb((const char *)text.data, text.size, 0, NULL);
    CHECK(json);
    buffer_done(&text);
    return json;
}

static json_int_t count_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

/* Until the other is seen to be away. */
static json_t *hints_of(struct node *node, const char *bucket)
{
    json_t *json = asked(node, 2, (const char *[]){"hints", bucket});
    const json_t *hint = json_array_get(json_object_get(json, "hints"), 0);

    while (hint && json_is_true(json_object_get(hint, "connected"))) {
        json_decref(json);
        json = asked(node, 2, (const char *[]){"hints", bucket});
        hint = json_array_get(json_object_get(json, "hints"), 0);
    }
    return json;
}

TEST(a_hint_says_who_lacks_what_and_how_much)
{
    struct pair pair;
    const json_t *hint, *range;
    json_t *json;

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    for (unsigned i = 0; i < 5; i++)
        CHECK_OK(add(pair.nodes[0], rig_add("met", "n", 1), NEAP_ONE, false, NULL));
    json = hints_of(pair.nodes[0], "met");
    CHECK_EQUAL(json_array_size(json_object_get(json, "hints")), 1);
    hint = json_array_get(json_object_get(json, "hints"), 0);
    CHECK_TEXT(text_of(hint, "peer"), names[1]);
    CHECK_TEXT(text_of(hint, "bucket"), "met");
    CHECK_TEXT(text_of(hint, "way"), "log");
    CHECK_EQUAL(count_of(hint, "events"), 5);
    /* Five events of one cell: it counts once, with its path. */
    CHECK(count_of(hint, "bytes") > 5 * 32 && count_of(hint, "bytes") < 5 * 64);
    CHECK(json_is_true(json_object_get(hint, "exact")));
    CHECK(json_is_null(json_object_get(hint, "oldest_write_ms"))); /* a counter has no stamp */
    CHECK(count_of(hint, "since_ms") > 0);
    range = json_array_get(json_object_get(hint, "lacks"), 0);
    CHECK_EQUAL(count_of(range, "to") - count_of(range, "after"), 5);
    CHECK(json_is_null(json_object_get(range, "cut_to")));
    json_decref(json);
    pair_close(&pair);
}

TEST(a_stamp_tells_the_age_of_a_write)
{
    struct pair pair;
    const json_t *hint;
    json_t *json;

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    CHECK_OK(add(pair.nodes[0], rig_lww("met", "colour", "red"), NEAP_ONE, false, NULL));
    json = hints_of(pair.nodes[0], "met");
    hint = json_array_get(json_object_get(json, "hints"), 0);
    CHECK(count_of(hint, "oldest_write_ms") > 0);
    json_decref(json);
    pair_close(&pair);
}

TEST(log_why_names_who_holds_it_back_and_what_to_do)
{
    struct pair pair;
    const json_t *bucket, *holder;
    json_t *json;

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    CHECK_OK(add(pair.nodes[0], rig_add("met", "n", 1), NEAP_ONE, false, NULL));
    json_decref(hints_of(pair.nodes[0], "met"));
    json = asked(pair.nodes[0], 3, (const char *[]){"log", "why", "met"});
    bucket = json_array_get(json_object_get(json, "buckets"), 0);
    CHECK(count_of(bucket, "log") >= 1);
    CHECK_EQUAL(count_of(bucket, "cut_after"),
                count_of(bucket, "log_max") - count_of(bucket, "log"));
    holder = json_array_get(json_object_get(bucket, "held_by"), 0);
    CHECK_TEXT(text_of(holder, "peer"), names[1]);
    CHECK_EQUAL(count_of(holder, "alone"), count_of(holder, "events"));
    CHECK(strstr(text_of(holder, "why"), "away"));
    CHECK(strstr(text_of(holder, "todo"), "bring it back"));
    json_decref(json);
    pair_close(&pair);
}

TEST(what_is_no_question_about_the_log_is_refused)
{
    static const char *const wrong[][3] = {
        {"log", "what", NULL}, {"log", "why", "a/b"}, {"hints", "a/b", NULL}};
    struct neap_error error;
    struct buffer json;
    struct pair pair;

    pair_open(&pair);
    buffer_init(&json, 1 << 16);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(
            node_admin(&pair.nodes[0]->backend, wrong[i][2] ? 3 : 2, wrong[i], &json, &error),
            NEAP_INVALID);
    CHECK_ERROR(
        node_admin(&pair.nodes[0]->backend, 2, (const char *[]){"hints", "nowhere"}, &json, &error),
        NEAP_NOTFOUND);
    CHECK_ERROR(node_admin(&pair.nodes[0]->backend, 3, (const char *[]){"log", "why", "nowhere"},
                           &json, &error),
                NEAP_NOTFOUND);
    buffer_done(&json);
    pair_close(&pair);
}
