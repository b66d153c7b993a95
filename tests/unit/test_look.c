#include "gossip/look.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/unit/gossip_nodes.h"
#include "tests/unit/shard_cases.h"

static struct buffer question, answer;

static void begin(struct place *place)
{
    CHECK_OK(place_open(place, 0xa));
    buffer_init(&question, ASK_QUESTION_MAX);
    buffer_init(&answer, ASK_ANSWER_MAX);
}

static void end(struct place *place)
{
    place_close(place);
    buffer_done(&question);
    buffer_done(&answer);
}

static int look_at(struct place *place, struct slice prefix)
{
    struct view view = batch_view(place->batch);
    int error = look_question(place->shard->id, prefix, &question);

    buffer_clear(&answer);
    return error ? error : look_answer(place->shard, &view, buffer_slice(&question), &answer);
}

static struct slice key_of(const char *key, unsigned type, struct buffer *path)
{
    struct neap_place place = {.key = {key, strlen(key)}};

    buffer_init(path, NEAP_PATH_MAX);
    CHECK_OK(path_place(path, &place, type));
    return buffer_slice(path);
}

TEST(a_look_tells_dots_values_and_stamps)
{
    struct place place;
    struct look look;
    struct buffer path;
    struct op op = {.kind = OP_LWW_SET, .value = slice_text("red"), .stamp = 77};
    struct dot dot;

    begin(&place);
    CHECK_OK(place_write(&place, "apple", NEAP_LWW, &op, &dot));
    CHECK_OK(place_add(&place, "apple", 5));
    CHECK_OK(place_add(&place, "apples", 6));
    CHECK_OK(look_at(&place, key_of("apple", 0, &path)));
    CHECK_OK(look_read(buffer_slice(&path), buffer_slice(&answer), &look));
    CHECK_EQUAL(look.replica, 0xa);
    CHECK(look.whole);
    CHECK_EQUAL(look.count, 2);
    CHECK_EQUAL(look.cells[0].type, NEAP_LWW);
    CHECK_EQUAL(look.cells[0].dots_all, 1);
    CHECK_EQUAL(look.cells[0].dots_count, 1);
    CHECK_EQUAL(look.cells[0].dots[0].dot.id, dot.id);
    CHECK_EQUAL(look.cells[0].dots[0].dot.n, dot.n);
    CHECK_EQUAL(look.cells[0].dots[0].stamp, 77);
    CHECK_EQUAL(look.cells[0].dots[0].size, 3);
    CHECK_SLICE(look.cells[0].dots[0].value, "red");
    CHECK_EQUAL(look.cells[1].type, NEAP_COUNTER);
    CHECK_HEX(look.cells[1].dots[0].value, "05");
    CHECK_EQUAL(look.cells[1].residue.count, 0);
    look_done(&look);
    buffer_done(&path);
    CHECK_OK(look_at(&place, key_of("apple", NEAP_COUNTER, &path)));
    CHECK_OK(look_read(buffer_slice(&path), buffer_slice(&answer), &look));
    CHECK_EQUAL(look.count, 1);
    look_done(&look);
    buffer_done(&path);
    CHECK_OK(look_at(&place, key_of("nothing", 0, &path)));
    CHECK_OK(look_read(buffer_slice(&path), buffer_slice(&answer), &look));
    CHECK_EQUAL(look.count, 0);
    look_done(&look);
    buffer_done(&path);
    end(&place);
}

TEST(a_long_value_is_cut_and_its_size_told)
{
    static char text[1001];
    struct place place;
    struct look look;
    struct buffer path;

    begin(&place);
    memset(text, 'x', sizeof text - 1);
    CHECK_OK(place_set(&place, "long", text));
    CHECK_OK(look_at(&place, key_of("long", 0, &path)));
    CHECK_OK(look_read(buffer_slice(&path), buffer_slice(&answer), &look));
    CHECK_EQUAL(look.cells[0].dots[0].size, 1000);
    CHECK_EQUAL(look.cells[0].dots[0].value.size, LOOK_VALUE_MAX);
    look_done(&look);
    buffer_done(&path);
    end(&place);
}

static int element_add(struct place *place, unsigned number)
{
    struct op op = {.kind = OP_SET_ADD};
    struct buffer path;
    struct dot dot;
    char text[16];
    int error;

    snprintf(text, sizeof text, "%06u", number);
    buffer_init(&path, NEAP_PATH_MAX);
    error = path_level(&path, slice_text("set"), NEAP_SET);
    if (!error)
        error = path_element(&path, slice_text(text));
    if (!error)
        error = shard_write(place->shard, place->batch, place->shard->id, buffer_slice(&path), &op,
                            &dot);
    buffer_done(&path);
    return error;
}

TEST(a_large_object_is_told_up_to_a_page)
{
    struct place place;
    struct look look;
    struct buffer path, next;

    begin(&place);
    for (unsigned i = 0; i < LOOK_CELLS_MAX + 1; i++)
        CHECK_OK(element_add(&place, i));
    CHECK_OK(look_at(&place, key_of("set", 0, &path)));
    CHECK_OK(look_read(buffer_slice(&path), buffer_slice(&answer), &look));
    CHECK(!look.whole);
    CHECK_EQUAL(look.count, LOOK_CELLS_MAX);
    buffer_init(&next, NEAP_PATH_MAX);
    CHECK_OK(path_level(&next, slice_text("set"), NEAP_SET));
    CHECK_OK(path_element(&next, slice_text("000128")));
    CHECK_BYTES(look.end, buffer_slice(&next));
    look_done(&look);
    buffer_done(&next);
    buffer_done(&path);
    end(&place);
}

/* Many siblings of long values: cells as large as they can be told. */
TEST(a_page_is_never_too_long_to_be_sent)
{
    static char text[LOOK_VALUE_MAX + 1];
    struct place place;
    struct look look;
    struct buffer path;
    char key[NEAP_KEY_MAX / 2];
    size_t told = 0;

    begin(&place);
    memset(text, 'v', sizeof text - 1);
    for (unsigned i = 0; i < 8; i++) {
        struct op op = {.kind = OP_REGISTER_SET, .value = slice_text(text)};
        struct dot dot;

        memset(key, 'k', sizeof key - 1);
        key[sizeof key - 2] = (char)('a' + i);
        key[sizeof key - 1] = 0;
        for (unsigned j = 0; j < REGISTER_SIBLINGS_MAX; j++)
            CHECK_OK(place_write(&place, key, NEAP_REGISTER, &op, &dot));
    }
    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(look_at(&place, buffer_slice(&path)));
    CHECK_OK(look_read(buffer_slice(&path), buffer_slice(&answer), &look));
    CHECK(!look.whole);
    CHECK(look.count >= 2 && look.count < 8);
    for (size_t i = 0; i < look.count; i++)
        told += look.cells[i].dots_count;
    CHECK_EQUAL(told, look.count * LOOK_DOTS_MAX);
    look_done(&look);
    buffer_done(&path);
    end(&place);
}

TEST(a_question_that_is_none_is_refused)
{
    struct place place;
    struct view view;

    begin(&place);
    view = batch_view(place.batch);
    CHECK_ERROR(look_answer(place.shard, &view, slice_text(""), &answer), NEAP_INVALID);
    CHECK_ERROR(look_answer(place.shard, &view, slice_text("\x91\x01"), &answer), NEAP_INVALID);
    CHECK_OK(look_question(place.shard->id, slice_text("a"), &question));
    CHECK_OK(buffer_append_u8(&question, 0));
    CHECK_ERROR(look_answer(place.shard, &view, buffer_slice(&question), &answer), NEAP_INVALID);
    CHECK_OK(look_question(place.shard->id + 1, slice_text("a"), &question));
    CHECK_ERROR(look_answer(place.shard, &view, buffer_slice(&question), &answer), NEAP_NOTFOUND);
    CHECK_EQUAL(answer.size, 0);
    end(&place);
}

/* Whatever a peer sends: each byte of an answer another, and cut anywhere. */
TEST(answers_that_are_none_are_refused)
{
    struct place place;
    struct look look;
    struct buffer path;
    unsigned taken = 0;

    begin(&place);
    CHECK_OK(place_set(&place, "k", "v"));
    CHECK_OK(place_add(&place, "k", -3));
    CHECK_OK(look_at(&place, key_of("k", 0, &path)));
    for (size_t size = 0; size < answer.size; size++)
        CHECK(look_read(buffer_slice(&path), slice_of(answer.data, size), &look) != 0);
    for (size_t i = 0; i < answer.size; i++) {
        uint8_t was = answer.data[i];

        for (unsigned byte = 0; byte < 256; byte++) {
            answer.data[i] = (uint8_t)byte;
            if (!look_read(buffer_slice(&path), buffer_slice(&answer), &look)) {
                taken++;
                look_done(&look);
            } else {
                CHECK(!look.cells && !look.horizon.entries);
            }
        }
        answer.data[i] = was;
    }
    CHECK(taken > answer.size);
    /* Cells of another object. */
    CHECK_ERROR(look_read(slice_text("other"), buffer_slice(&answer), &look), NEAP_INVALID);
    buffer_done(&path);
    end(&place);
}

static int look_with_less_memory(void *arg)
{
    struct place place;
    struct look look = {0};
    int error = place_open(&place, 0xa);

    (void)arg;
    buffer_init(&question, ASK_QUESTION_MAX);
    buffer_init(&answer, ASK_ANSWER_MAX);
    if (!error)
        error = place_set(&place, "k", "v");
    if (!error)
        error = look_at(&place, slice_of(NULL, 0));
    if (!error)
        error = look_read(slice_of(NULL, 0), buffer_slice(&answer), &look);
    look_done(&look);
    end(&place);
    return error;
}

TEST(looks_hold_with_failing_allocations)
{
    test_alloc_sweep(look_with_less_memory, NULL);
}

/* ---- over the net ---- */

TEST(a_peer_looks_when_it_is_asked)
{
    static struct pair_of_nodes nodes;
    struct ask ask = {.kind = ASK_LOOK, .shard = bucket_id("box")};
    struct look_peer peer;
    struct look look;

    meet_with_box(&nodes);
    buffer_init(&question, ASK_QUESTION_MAX);
    CHECK_OK(look_question(ask.shard, slice_of(NULL, 0), &question));
    ask.bytes = buffer_slice(&question);
    ask.until_ms = nodes.now.mono_ms + 1000;
    CHECK_OK(gossip_ask(nodes.sides[0].gossip, nodes.now, &ask, &nodes.sides[0].outbox));
    CHECK_OK(nodes_run(&nodes, 10));
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    CHECK_EQUAL(ask.answers[0].end, ASK_TOLD);
    CHECK_OK(ask.answers[0].code);
    CHECK_OK(look_read(slice_of(NULL, 0), buffer_slice(&ask.answers[0].bytes), &look));
    CHECK(look.count > 0);
    CHECK_EQUAL(look.replica, box(&nodes, 1)->replica);
    CHECK(context_equal(&ask.answers[0].context, &box(&nodes, 1)->context));
    look_done(&look);
    CHECK_OK(look_peer(nodes.sides[0].gossip, ask.shard, 0, &peer));
    CHECK_EQUAL(peer.replica, box(&nodes, 1)->replica);
    CHECK(peer.known);
    CHECK(context_equal(&peer.context, &box(&nodes, 1)->context));
    look_peer_done(&peer);
    ask_done(&ask);
    buffer_done(&question);
    nodes_close(&nodes);
}

TEST(cells_that_are_named_are_told_of_and_no_others)
{
    struct buffer paths[4], end_path;
    struct slice named[LOOK_CELLS_MAX + 2];
    static const char *const keys[] = {"apple", "gone", "pear", "plum"};
    struct place place;
    struct view view;
    struct look look;
    size_t taken = 0;

    begin(&place);
    view = batch_view(place.batch);
    CHECK_OK(place_add(&place, "apple", 1));
    CHECK_OK(place_add(&place, "orange", 2));
    CHECK_OK(place_set(&place, "pear", "red"));
    CHECK_OK(place_add(&place, "pear", 3));
    for (size_t i = 0; i < 4; i++)
        named[i] = key_of(keys[i], i == 2 ? NEAP_REGISTER : NEAP_COUNTER, &paths[i]);
    CHECK_OK(look_cells_question(place.shard->id, named, 4, &question, &taken));
    CHECK_EQUAL(taken, 4);
    buffer_clear(&answer);
    CHECK_OK(look_cells_answer(place.shard, &view, buffer_slice(&question), &answer));
    CHECK_OK(look_read(slice_of(NULL, 0), buffer_slice(&answer), &look));
    CHECK(look.whole);
    CHECK_EQUAL(look.count, 2);
    CHECK(slice_equal(look.cells[0].path, named[0]));
    CHECK(slice_equal(look.cells[1].path, named[2]));
    CHECK_EQUAL(look.cells[1].type, NEAP_REGISTER);
    look_done(&look);
    /* Too many, and none. */
    for (size_t i = 0; i < LOOK_CELLS_MAX + 2; i++)
        named[i] = buffer_slice(&paths[0]);
    CHECK_OK(look_cells_question(place.shard->id, named, LOOK_CELLS_MAX + 2, &question, &taken));
    CHECK_EQUAL(taken, LOOK_CELLS_MAX);
    buffer_init(&end_path, NEAP_PATH_MAX);
    while (end_path.size < 1000)
        CHECK_OK(buffer_append(&end_path, slice_text("long")));
    for (size_t i = 0; i < 10; i++)
        named[i] = buffer_slice(&end_path);
    CHECK_OK(look_cells_question(place.shard->id, named, 10, &question, &taken));
    CHECK_EQUAL(taken, 8);
    CHECK(question.size <= ASK_QUESTION_MAX);
    question.size--;
    buffer_clear(&answer);
    CHECK_ERROR(look_cells_answer(place.shard, &view, buffer_slice(&question), &answer),
                NEAP_INVALID);
    buffer_done(&end_path);
    for (size_t i = 0; i < 4; i++)
        buffer_done(&paths[i]);
    end(&place);
}

/* An answer that is full says from where on the others are to be asked for. */
TEST(named_cells_that_do_not_fit_are_left_for_the_next_question)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    static char text[250];
    struct op op = {.kind = OP_REGISTER_SET, .value = slice_of(text, sizeof text)};
    struct slice named[5];
    struct buffer paths[5];
    struct place place;
    struct view view;
    struct look look;
    struct dot dot;
    size_t taken, told;

    begin(&place);
    view = batch_view(place.batch);
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 5; i++) {
        named[i] = key_of(keys[i], NEAP_REGISTER, &paths[i]);
        for (size_t sibling = 0; sibling < LOOK_DOTS_MAX; sibling++)
            CHECK_OK(place_write(&place, keys[i], NEAP_REGISTER, &op, &dot));
    }
    CHECK_OK(look_cells_question(place.shard->id, named, 5, &question, &taken));
    CHECK_EQUAL(taken, 5);
    CHECK_OK(look_cells_answer(place.shard, &view, buffer_slice(&question), &answer));
    CHECK_OK(look_read(slice_of(NULL, 0), buffer_slice(&answer), &look));
    told = look.count;
    CHECK(told > 0 && told < 5);
    CHECK(!look.whole);
    CHECK(slice_equal(look.end, named[told]));
    look_done(&look);
    for (size_t i = 0; i < 5; i++)
        buffer_done(&paths[i]);
    end(&place);
}

TEST(a_question_that_is_none_costs_the_link)
{
    static struct pair_of_nodes nodes;
    struct ask ask = {.kind = ASK_LOOK, .shard = bucket_id("box"), .bytes = {(uint8_t *)"x", 1}};

    meet_with_box(&nodes);
    ask.until_ms = nodes.now.mono_ms + 1000;
    CHECK_OK(gossip_ask(nodes.sides[0].gossip, nodes.now, &ask, &nodes.sides[0].outbox));
    CHECK_OK(nodes_run(&nodes, 10));
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    CHECK_EQUAL(ask.answers[0].end, ASK_LEFT);
    CHECK_EQUAL(nodes.sides[1].gossip->counts[REASON_bad_question], 1);
    ask_done(&ask);
    nodes_close(&nodes);
}
