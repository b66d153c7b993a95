/* The verb differing, of two nodes with threads. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "store/keys.h"
#include "store/merkle.h"
#include "store/slot.h"
#include "tests/unit/node_pair.h"

static int ask(struct node *node, int argc, const char *const argv[], json_t **ret_json,
               struct neap_error *ret_error)
{
    struct buffer json;
    int code;

    buffer_init(&json, 1 << 20);
    *ret_json = NULL;
    code = node->backend.ops->admin(&node->backend, argc, argv, &json, ret_error);
    if (!code) {
        *ret_json = json_loadb((const char *)json.data, json.size, 0, NULL);
        CHECK(*ret_json);
    }
    buffer_done(&json);
    return code;
}

static json_t *differing(struct node *node, const char *peer, const char *limit, const char *from)
{
    const char *const words[] = {"differing", "met", peer, limit, from};
    json_t *json;

    CHECK_OK(ask(node, from ? 5 : limit ? 4 : 3, words, &json, NULL));
    return json;
}

static json_int_t number_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

/* What a disk does without a word, and a scrub has found. */
static void lose(void *arg, struct engine *engine)
{
    struct shard *shard = store_find(&engine->store, bucket_id("met"));
    struct disk *disk = engine->store.disk;
    struct view view = {.disk = disk};
    struct buffer path, value, bytes;
    struct merkle_delta delta;
    struct batch *batch;
    struct cell cell;
    struct key key;
    uint64_t ref;

    cell_init(&cell);
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&value, STORED_SIZE_MAX);
    buffer_init(&bytes, CELL_SIZE_MAX);
    CHECK_OK(path_level(&path, slice_text(arg), NEAP_COUNTER));
    key_cell(&key, shard->id, shard->id, buffer_slice(&path));
    CHECK_OK(view_get(&view, DISK_CELLS, key_slice(&key), &value));
    CHECK_OK(cell_stored(buffer_slice(&value), &ref, &cell));
    CHECK_OK(cell_encode(&cell, &bytes));
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_delete(batch, DISK_CELLS, key_slice(&key)));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    delta = merkle_delta(&shard->tree->key, slice_of(key.bytes + 8, key.size - 8),
                         buffer_slice(&bytes), slice_of(NULL, 0), false);
    merkle_apply(shard->tree, slice_of(key.bytes + 8, key.size - 8), &delta);
    cell_done(&cell);
    buffer_done(&path);
    buffer_done(&value);
    buffer_done(&bytes);
}

/* Two that have met, have 20 counters, and don't mend. */
static void begin(struct pair *pair)
{
    const char *const words[] = {"task", "pause", "repair:met"};
    char name[16];

    pair_open(pair);
    pair_meet(pair);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "k%02u", i);
        CHECK_OK(add(pair->nodes[i % 2], rig_add("met", name, 1), NEAP_ALL, false, NULL));
    }
    for (unsigned i = 0; i < 2; i++) {
        json_t *json;

        CHECK_OK(ask(pair->nodes[i], 3, words, &json, NULL));
        json_decref(json);
    }
}

TEST(nodes_that_agree_differ_in_nothing)
{
    struct pair pair;
    char id[17];
    json_t *json;

    begin(&pair);
    json = differing(pair.nodes[0], names[1], NULL, NULL);
    CHECK_TEXT(text_of(json, "verdict"), "equal");
    CHECK_EQUAL(number_of(json, "differing"), 0);
    CHECK_EQUAL(json_array_size(json_object_get(json, "cells")), 0);
    CHECK(number_of(json, "asked_ms") > 0);
    CHECK(json_is_null(json_object_get(json, "next")));
    snprintf(id, sizeof id, "%s", text_of(json, "node"));
    json_decref(json);
    json = differing(pair.nodes[0], id, NULL, NULL);
    CHECK_TEXT(text_of(json, "verdict"), "equal");
    CHECK_TEXT(text_of(json, "peer"), names[1]);
    json_decref(json);
    pair_close(&pair);
}

TEST(what_differs_is_told_with_who_lacks_what_and_from_both_sides)
{
    struct pair pair;
    const json_t *cell, *side;
    json_t *json;

    char name[] = "k07";

    begin(&pair);
    CHECK_OK(node_call(pair.nodes[1], lose, name));
    json = differing(pair.nodes[0], names[1], NULL, NULL);
    CHECK_TEXT(text_of(json, "verdict"), "differs");
    CHECK_EQUAL(number_of(json, "differing"), 1);
    CHECK_EQUAL(number_of(json, "damaged"), 1);
    cell = json_array_get(json_object_get(json, "cells"), 0);
    CHECK_TEXT(text_of(cell, "key"), "k07");
    CHECK_TEXT(text_of(cell, "type"), "counter");
    CHECK_EQUAL(number_of(cell, "value"), 1);
    side = json_array_get(json_object_get(cell, "peers"), 0);
    CHECK_TEXT(text_of(side, "state"), "damaged");
    CHECK((number_of(side, "size_here") == 0) != (number_of(side, "size_there") == 0));
    CHECK(number_of(side, "size_here") + number_of(side, "size_there") > 30);
    CHECK_EQUAL(json_array_size(json_object_get(side, "lacks")), 1);
    CHECK_EQUAL(json_array_size(json_object_get(side, "has")), 0);
    json_decref(json);
    json = differing(pair.nodes[1], names[0], NULL, NULL);
    CHECK_EQUAL(number_of(json, "differing"), 1);
    side = json_array_get(
        json_object_get(json_array_get(json_object_get(json, "cells"), 0), "peers"), 0);
    CHECK_EQUAL(json_array_size(json_object_get(side, "has")), 1);
    json_decref(json);
    pair_close(&pair);
}

TEST(what_differs_comes_in_pages)
{
    struct pair pair;
    char from[256] = "", last[16] = "";
    size_t found = 0, pages = 0;
    json_t *json;

    begin(&pair);
    for (unsigned i = 0; i < 7; i++) {
        char name[16];

        snprintf(name, sizeof name, "k%02u", 2 * i);
        CHECK_OK(node_call(pair.nodes[i % 2], lose, name));
    }
    do {
        const json_t *cell;
        size_t i;

        json = differing(pair.nodes[0], names[1], "3", from[0] ? from : NULL);
        json_array_foreach(json_object_get(json, "cells"), i, cell)
        {
            CHECK(strcmp(last, text_of(cell, "key")) < 0);
            snprintf(last, sizeof last, "%s", text_of(cell, "key"));
            found++;
        }
        snprintf(from, sizeof from, "%s", text_of(json, "next") ? text_of(json, "next") : "");
        CHECK(json_array_size(json_object_get(json, "cells")) <= 3);
        json_decref(json);
        pages++;
    } while (from[0] && pages < 10);
    CHECK_EQUAL(found, 7);
    CHECK_EQUAL(pages, 3);
    pair_close(&pair);
}

TEST(of_a_peer_that_is_away_nothing_is_told)
{
    struct pair pair;
    json_t *json;

    begin(&pair);
    isolate(pair.nodes[0], "on");
    json = differing(pair.nodes[0], names[1], NULL, NULL);
    CHECK_TEXT(text_of(json, "verdict"), "unknown");
    CHECK(strstr(text_of(json, "why"), "connect"));
    CHECK(json_is_null(json_object_get(json, "asked_ms")));
    json_decref(json);
    pair_close(&pair);
}

TEST(wrong_words_for_what_differs_are_refused)
{
    static const struct {
        int code, argc;
        const char *words[6];
    } wrong[] = {{NEAP_INVALID, 2, {"differing", "met"}},
                 {NEAP_INVALID, 3, {"differing", "a/b", "b"}},
                 {NEAP_INVALID, 4, {"differing", "met", "b", "0"}},
                 {NEAP_INVALID, 4, {"differing", "met", "b", "257"}},
                 {NEAP_INVALID, 4, {"differing", "met", "b", "many"}},
                 {NEAP_INVALID, 5, {"differing", "met", "b", "1", "12"}},
                 {NEAP_INVALID, 5, {"differing", "met", "b", "1", "0123456789abcdef0g"}},
                 {NEAP_INVALID, 5, {"differing", "met", "b", "1", "0123456789abcdef012"}},
                 {NEAP_INVALID, 6, {"differing", "met", "b", "1", "0123456789abcdef01", "more"}},
                 {NEAP_NOTFOUND, 3, {"differing", "met", "c"}},
                 {NEAP_NOTFOUND, 3, {"differing", "nowhere", "b"}}};
    struct neap_error error;
    struct pair pair;
    json_t *json;

    begin(&pair);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_ERROR(ask(pair.nodes[0], wrong[i].argc, wrong[i].words, &json, &error),
                    wrong[i].code);
        CHECK(error.text[0]);
    }
    pair_close(&pair);
}
