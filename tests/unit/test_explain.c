#include "engine/explain.h"

#include <string.h>

#include "base/alloc.h"
#include "store/keys.h"
#include "tests/unit/shard_cases.h"

/* Two replicas of a shard, and what each tells of a key. */
struct two {
    struct place places[2];
    struct buffer answers[2];
    struct look looks[2];
    struct buffer prefix;
};

static int two_open(struct two *two)
{
    int error = place_open(&two->places[0], 0xa);

    if (!error)
        error = place_open(&two->places[1], 0xb);
    buffer_init(&two->prefix, NEAP_PATH_MAX);
    for (unsigned i = 0; i < 2; i++) {
        buffer_init(&two->answers[i], ASK_ANSWER_MAX);
        two->looks[i] = (struct look){0};
    }
    return error;
}

static void two_close(struct two *two)
{
    for (unsigned i = 0; i < 2; i++) {
        look_done(&two->looks[i]);
        buffer_done(&two->answers[i]);
        place_close(&two->places[i]);
    }
    buffer_done(&two->prefix);
}

static int two_look(struct two *two, const char *key)
{
    struct neap_place at = {.key = {key, strlen(key)}};
    struct buffer question;
    int error;

    buffer_init(&question, ASK_QUESTION_MAX);
    buffer_clear(&two->prefix);
    error = path_place(&two->prefix, &at, 0);
    if (!error)
        error = look_question(two->places[0].shard->id, buffer_slice(&two->prefix), &question);
    for (unsigned i = 0; i < 2 && !error; i++) {
        struct view view = batch_view(two->places[i].batch);

        look_done(&two->looks[i]);
        buffer_clear(&two->answers[i]);
        error = look_answer(two->places[i].shard, &view, buffer_slice(&question), &two->answers[i]);
        if (!error)
            error = look_read(buffer_slice(&two->prefix), buffer_slice(&two->answers[i]),
                              &two->looks[i]);
    }
    buffer_done(&question);
    return error;
}

static const struct look_cell *cell_of(const struct two *two, unsigned index)
{
    return two->looks[index].count ? &two->looks[index].cells[0] : NULL;
}

/* As `from` sees `to`. */
static enum explain_state state(struct two *two, unsigned from)
{
    CHECK_OK(two_look(two, "k"));
    return explain_state(&two->places[from].shard->context, cell_of(two, from),
                         &two->places[!from].shard->context, cell_of(two, !from));
}

static void states_are(struct two *two, enum explain_state here, enum explain_state there)
{
    CHECK_EQUAL(state(two, 0), here);
    CHECK_EQUAL(state(two, 1), there);
}

static void both_pull(struct two *two)
{
    CHECK_OK(place_pull(&two->places[0], &two->places[1], CHUNK_SIZE));
    CHECK_OK(place_pull(&two->places[1], &two->places[0], CHUNK_SIZE));
}

static int lose(struct place *place, const char *key)
{
    struct buffer path;
    struct key cell;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = path_level(&path, slice_text(key), NEAP_REGISTER);
    key_cell(&cell, place->shard->id, place->shard->id, buffer_slice(&path));
    buffer_done(&path);
    return error ? error : batch_delete(place->batch, DISK_CELLS, key_slice(&cell));
}

TEST(a_cell_is_judged_by_what_both_have_seen)
{
    struct two two;

    CHECK_OK(two_open(&two));
    states_are(&two, EXPLAIN_SAME, EXPLAIN_SAME);
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    states_are(&two, EXPLAIN_BEHIND, EXPLAIN_AHEAD);
    CHECK_OK(place_set(&two.places[1], "k", "w"));
    states_are(&two, EXPLAIN_BOTH, EXPLAIN_BOTH);
    both_pull(&two);
    states_are(&two, EXPLAIN_SAME, EXPLAIN_SAME);
    CHECK_OK(place_remove(&two.places[1], "k"));
    states_are(&two, EXPLAIN_REMOVED, EXPLAIN_KEPT);
    both_pull(&two);
    states_are(&two, EXPLAIN_SAME, EXPLAIN_SAME);
    CHECK_OK(place_set(&two.places[0], "k", "x"));
    both_pull(&two);
    CHECK_OK(lose(&two.places[1], "k"));
    states_are(&two, EXPLAIN_DAMAGED, EXPLAIN_DAMAGED);
    /* Whoever knows more may have removed it; but not whoever knows less. */
    CHECK_OK(place_set(&two.places[0], "other", "x"));
    states_are(&two, EXPLAIN_DAMAGED, EXPLAIN_DAMAGED);
    CHECK_OK(place_set(&two.places[1], "other", "x"));
    CHECK_EQUAL(state(&two, 0), EXPLAIN_REMOVED);
    two_close(&two);
}

TEST(the_same_events_with_other_bytes_are_damage)
{
    struct two two;

    CHECK_OK(two_open(&two));
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    both_pull(&two);
    CHECK_OK(two_look(&two, "k"));
    two.looks[1].cells[0].sum++;
    CHECK_EQUAL(explain_state(&two.places[0].shard->context, cell_of(&two, 0),
                              &two.places[1].shard->context, cell_of(&two, 1)),
                EXPLAIN_DAMAGED);
    two_close(&two);
}

/* Of a cell with too many dots, those that were not told are not held to be missing. */
TEST(dots_that_were_not_told_are_not_judged)
{
    struct two two;

    CHECK_OK(two_open(&two));
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    CHECK_OK(place_set(&two.places[1], "k", "w"));
    both_pull(&two);
    CHECK_OK(two_look(&two, "k"));
    CHECK_EQUAL(two.looks[1].cells[0].dots_count, 2);
    two.looks[1].cells[0].dots_count = 1;
    CHECK_EQUAL(explain_state(&two.places[0].shard->context, cell_of(&two, 0),
                              &two.places[1].shard->context, cell_of(&two, 1)),
                EXPLAIN_SAME);
    two_close(&two);
}

/* ---- as JSON ---- */

static json_t *explain_two(struct two *two, bool differing_only, bool answers)
{
    struct explain_side side = {.peer = {.address = "there:1", .node = 5, .known = true},
                                .has_look = answers,
                                .why = answers ? NULL : "not connected"};
    struct explain_name names[] = {{.replica = 0xa, .here = true},
                                   {.replica = 0xb, .node = 5, .address = "there:1"}};
    struct explain explain = {.bucket = "box",
                              .key = "k",
                              .sides = &side,
                              .sides_count = 1,
                              .names = names,
                              .names_count = 2,
                              .differing_only = differing_only};

    explain.here.has_look = true;
    explain.here.context = two->places[0].shard->context; /* borrowed, all of it */
    explain.here.look = two->looks[0];
    side.context = two->places[1].shard->context;
    if (answers)
        side.look = two->looks[1];
    return explain_json(&explain);
}

static json_t *at(json_t *json, const char *list, size_t index)
{
    return json_array_get(json_object_get(json, list), index);
}

static const char *text_at(json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "(none)";
}

TEST(an_explanation_names_who_wrote_and_who_lacks_what)
{
    struct two two;
    json_t *json, *cell, *peer, *dot;

    CHECK_OK(two_open(&two));
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    both_pull(&two);
    CHECK_OK(place_remove(&two.places[0], "k"));
    CHECK_OK(place_set(&two.places[0], "k", "w"));
    CHECK_OK(place_add(&two.places[1], "k", 7));
    CHECK_OK(two_look(&two, "k"));
    json = explain_two(&two, false, true);
    CHECK_EQUAL(json_array_size(json_object_get(json, "cells")), 2);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "differing")), 2);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "damaged")), 0);
    cell = at(json, "cells", 0);
    CHECK_TEXT(text_at(cell, "type"), "register");
    CHECK_TEXT(json_string_value(at(cell, "value", 0)), "w");
    dot = at(cell, "dots", 0);
    CHECK_TEXT(text_at(dot, "by"), "this node");
    CHECK_TEXT(text_at(dot, "replica"), "000000000000000a");
    CHECK_EQUAL(json_integer_value(json_object_get(dot, "n")), 3);
    peer = at(cell, "peers", 0);
    CHECK_TEXT(text_at(peer, "peer"), "there:1");
    CHECK_TEXT(text_at(peer, "state"), "behind");
    CHECK_TEXT(text_at(at(peer, "lacks", 0), "value"), "w");
    CHECK_TEXT(text_at(at(peer, "has", 0), "value"), "v");
    cell = at(json, "cells", 1);
    CHECK(json_is_null(json_object_get(cell, "value")));
    CHECK_TEXT(text_at(cell, "why"), "nothing is here");
    peer = at(cell, "peers", 0);
    CHECK_TEXT(text_at(peer, "state"), "ahead");
    CHECK_TEXT(text_at(at(peer, "has", 0), "by"), "there:1");
    CHECK_EQUAL(json_integer_value(json_object_get(at(peer, "has", 0), "value")), 7);
    peer = at(json, "peers", 0);
    CHECK_EQUAL(json_integer_value(json_object_get(peer, "behind")), 2);
    CHECK_EQUAL(json_integer_value(json_object_get(peer, "ahead")), 1);
    json_decref(json);
    two_close(&two);
}

TEST(a_difference_is_all_that_a_diff_tells)
{
    struct two two;
    json_t *json;

    CHECK_OK(two_open(&two));
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    both_pull(&two);
    CHECK_OK(place_add(&two.places[0], "k", 7));
    CHECK_OK(two_look(&two, "k"));
    json = explain_two(&two, true, true);
    CHECK_EQUAL(json_array_size(json_object_get(json, "cells")), 1);
    CHECK_TEXT(text_at(at(json, "cells", 0), "type"), "counter");
    CHECK_EQUAL(json_integer_value(json_object_get(json, "differing")), 1);
    json_decref(json);
    two_close(&two);
}

TEST(who_does_not_answer_is_judged_by_what_is_known)
{
    struct two two;
    json_t *json, *peer;

    CHECK_OK(two_open(&two));
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    CHECK_OK(two_look(&two, "k"));
    json = explain_two(&two, false, false);
    peer = at(at(json, "cells", 0), "peers", 0);
    CHECK_TEXT(text_at(peer, "state"), "unknown");
    CHECK_EQUAL(json_array_size(json_object_get(peer, "lacks")), 1);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "silent")), 1);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "differing")), 0);
    CHECK_TEXT(text_at(at(json, "peers", 0), "why"), "not connected");
    json_decref(json);
    two_close(&two);
}

/* Pages end at different cells: nothing is said of those after the first end. */
TEST(what_a_page_does_not_tell_is_not_compared)
{
    struct two two;
    json_t *json;

    CHECK_OK(two_open(&two));
    CHECK_OK(place_set(&two.places[0], "k", "v"));
    CHECK_OK(place_add(&two.places[0], "k", 7));
    both_pull(&two);
    CHECK_OK(two_look(&two, "k"));
    two.looks[1].whole = false;
    two.looks[1].end = two.looks[1].cells[1].path;
    context_done(&two.looks[1].cells[1].residue);
    mem_free(two.looks[1].cells[1].dots);
    two.looks[1].count = 1;
    json = explain_two(&two, false, true);
    CHECK_EQUAL(json_array_size(json_object_get(json, "cells")), 1);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "differing")), 0);
    CHECK(json_is_true(json_object_get(json, "more")));
    json_decref(json);
    two_close(&two);
}

static int explain_with_less_memory(void *arg)
{
    struct two two = {0};
    json_t *json = NULL;
    int error = two_open(&two);

    (void)arg;
    if (!error)
        error = place_add(&two.places[0], "k", 1);
    if (!error)
        error = two_look(&two, "k");
    if (!error) {
        json = explain_two(&two, false, true);
        error = json ? 0 : NEAP_NOMEM;
    }
    json_decref(json);
    two_close(&two);
    return error;
}

TEST(an_explanation_holds_with_failing_allocations)
{
    test_alloc_sweep(explain_with_less_memory, NULL);
}
