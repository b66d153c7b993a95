/* The verb verify, of two nodes with threads. */
#include <jansson.h>
#include <string.h>

#include "store/merkle.h"
#include "tests/unit/node_pair.h"

static json_t *parsed(struct buffer *json)
{
    json_t *parsed = json_loadb((const char *)json->data, json->size, 0, NULL);

    CHECK(parsed);
    buffer_done(json);
    return parsed;
}

static json_t *verify(struct node *node, const char *bucket)
{
    struct buffer json;

    CHECK_OK(admin(node, "verify", bucket, &json));
    return parsed(&json);
}

static json_int_t count_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static const json_t *first_peer(const json_t *json, size_t bucket)
{
    const json_t *item = json_array_get(json_object_get(json, "buckets"), bucket);

    return json_array_get(json_object_get(item, "peers"), 0);
}

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

TEST(two_nodes_that_agree_are_equal_in_every_bucket)
{
    struct pair pair;
    json_t *json;

    pair_open(&pair);
    pair_meet(&pair);
    for (unsigned i = 0; i < 20; i++)
        CHECK_OK(add(pair.nodes[i % 2], rig_add("other", "n", 1), NEAP_ALL, false, NULL));
    json = verify(pair.nodes[0], NULL);
    CHECK_EQUAL(json_array_size(json_object_get(json, "buckets")), 2);
    CHECK_EQUAL(count_of(json, "equal"), 2);
    CHECK_EQUAL(count_of(json, "differing") + count_of(json, "unknown"), 0);
    CHECK_TEXT(text_of(first_peer(json, 0), "verdict"), "equal");
    CHECK_TEXT(text_of(first_peer(json, 0), "address"), names[1]);
    CHECK(count_of(first_peer(json, 1), "asked_ms") > 0);
    CHECK(count_of(first_peer(json, 1), "equal_ms") > 0);
    CHECK(json_is_null(json_object_get(first_peer(json, 1), "differs_ms")));
    json_decref(json);
    json = verify(pair.nodes[1], "other");
    CHECK_EQUAL(json_array_size(json_object_get(json, "buckets")), 1);
    CHECK_EQUAL(count_of(json, "equal"), 1);
    json_decref(json);
    pair_close(&pair);
}

/* As a scrub might find it. */
static void tree_spoil(void *arg, struct engine *engine)
{
    struct shard *shard = store_find(&engine->store, bucket_id("met"));
    struct slice path = slice_text("12345678 wrong");
    struct merkle_delta delta =
        merkle_delta(&shard->tree->key, path, slice_of(NULL, 0), slice_text("cell"), false);

    (void)arg;
    merkle_apply(shard->tree, path, &delta);
}

TEST(a_tree_that_is_another_is_told)
{
    struct pair pair;
    const json_t *peer;
    json_t *json;

    pair_open(&pair);
    pair_meet(&pair);
    CHECK_OK(node_call(pair.nodes[1], tree_spoil, NULL));
    json = verify(pair.nodes[0], "met");
    peer = first_peer(json, 0);
    /* Unless it was repaired by then. */
    CHECK_EQUAL(count_of(json, "differing") + count_of(json, "equal"), 1);
    if (count_of(json, "differing")) {
        CHECK_TEXT(text_of(peer, "verdict"), "differs");
        CHECK_EQUAL(json_array_size(json_object_get(peer, "cells")), 0); /* it has no cell */
    }
    json_decref(json);
    pair_close(&pair);
}

TEST(who_is_away_is_neither_equal_nor_different)
{
    struct pair pair;
    json_t *json;

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[1], "on");
    do {
        json = verify(pair.nodes[0], "met");
        if (count_of(json, "unknown"))
            break;
        json_decref(json);
    } while (1);
    CHECK_TEXT(text_of(first_peer(json, 0), "verdict"), "unknown");
    CHECK(strstr(text_of(first_peer(json, 0), "why"), "connect"));
    json_decref(json);
    pair_close(&pair);
}

TEST(bad_words_are_refused)
{
    static const char *const wrong[][3] = {{"verify", "met", "0"},
                                           {"verify", "met", "x"},
                                           {"verify", "met", "-5"},
                                           {"verify", "met", "600001"},
                                           {"verify", "a/b", "5"}};
    struct neap_error error;
    struct buffer json;
    struct pair pair;

    pair_open(&pair);
    pair_meet(&pair);
    buffer_init(&json, 1 << 16);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(node_admin(&pair.nodes[0]->backend, 3, wrong[i], &json, &error), NEAP_INVALID);
    CHECK_ERROR(node_admin(&pair.nodes[0]->backend, 2, (const char *[]){"verify", "nowhere"}, &json,
                           &error),
                NEAP_NOTFOUND);
    CHECK(strstr(error.text, "nowhere"));
    buffer_done(&json);
    pair_close(&pair);
}
