#include "store/chunk.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/shard_cases.h"

static struct place a;
static struct buffer wire;

/* A chunk of three events of two cells, in `wire`. */
static void begin(void)
{
    const struct context nothing = {0};

    buffer_init(&wire, WIRE_MAX);
    CHECK_OK(place_open(&a, 1));
    CHECK_OK(place_add(&a, "n", 1));
    CHECK_OK(place_set(&a, "r", "v"));
    CHECK_OK(place_add(&a, "n", 1));
    CHECK_OK(place_chunk(&a, &nothing, 0, CHUNK_SIZE, &wire));
}

static void end(void)
{
    buffer_done(&wire);
    place_close(&a);
}

/* What is encoded from `chunk` must not be read. */
static void check_refused(const struct chunk *chunk, int expected)
{
    struct buffer bytes;
    struct chunk again;

    buffer_init(&bytes, WIRE_MAX);
    CHECK_OK(chunk_encode(chunk, &bytes));
    CHECK_ERROR(chunk_decode(buffer_slice(&bytes), CHUNK_EVENTS, &again), expected);
    CHECK(!again.cells && !again.runs && !again.context.entries);
    buffer_done(&bytes);
}

TEST(a_chunk_names_each_cell_once_and_each_event)
{
    struct buffer again;
    struct chunk chunk;

    begin();
    CHECK_OK(chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk));
    CHECK_EQUAL(chunk.cells_count, 2);
    CHECK_EQUAL(chunk.events_count, 3);
    CHECK_EQUAL(chunk.runs_count, 1);
    CHECK_EQUAL(chunk.runs[0].to, 3);
    CHECK_EQUAL(chunk.runs[0].nonce, NONCE);
    CHECK_EQUAL(chunk.event_cells[0], chunk.event_cells[2]);
    CHECK(chunk.event_cells[0] != chunk.event_cells[1]);
    buffer_init(&again, WIRE_MAX);
    CHECK_OK(chunk_encode(&chunk, &again));
    CHECK_BYTES(buffer_slice(&again), buffer_slice(&wire));
    buffer_done(&again);
    chunk_done(&chunk);
    end();
}

TEST(runs_must_be_known_and_whole)
{
    struct chunk chunk;
    struct chunk_run run;

    begin();
    CHECK_OK(chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk));
    run = chunk.runs[0];
    chunk.runs[0].id = 2;
    check_refused(&chunk, NEAP_INVALID);
    chunk.runs[0] = run;
    chunk.runs[0].to = 4;
    check_refused(&chunk, NEAP_INVALID);
    chunk.runs[0] = run;
    chunk.runs[0].to = UINT64_MAX;
    check_refused(&chunk, NEAP_INVALID);
    chunk.runs[0] = run;
    chunk.runs[0].from = 0;
    check_refused(&chunk, NEAP_INVALID);
    chunk.runs[0] = run;
    chunk.runs[0].nonce = NONCE + 1;
    check_refused(&chunk, NEAP_INVALID);
    chunk.runs[0] = run;
    chunk.events_count = 2; /* the third event is not named */
    check_refused(&chunk, NEAP_INVALID);
    chunk_done(&chunk);
    end();
}

TEST(cells_must_be_sorted_known_and_of_their_type)
{
    struct chunk chunk;
    struct chunk_cell cell;

    begin();
    CHECK_OK(chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk));
    cell = chunk.cells[0];
    chunk.cells[0] = chunk.cells[1];
    chunk.cells[1] = cell;
    check_refused(&chunk, NEAP_INVALID);
    chunk.cells[0] = chunk.cells[1]; /* one path twice */
    check_refused(&chunk, NEAP_INVALID);
    chunk.cells[0] = cell;
    chunk.cells[0].path = slice_text("no path");
    check_refused(&chunk, NEAP_INVALID);
    chunk.cells[0] = cell;
    chunk.cells[0].residue = 0; /* there is none */
    check_refused(&chunk, NEAP_INVALID);
    chunk_done(&chunk);
    end();
}

TEST(what_the_sender_does_not_know_it_cannot_send)
{
    struct chunk chunk;

    begin();
    CHECK_OK(chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk));
    CHECK_OK(context_raise(&chunk.horizon, 1, 4, 0));
    check_refused(&chunk, NEAP_INVALID);
    context_clear(&chunk.horizon);
    context_clip(&chunk.context, 1, 2, NONCE);
    check_refused(&chunk, NEAP_INVALID);
    chunk_done(&chunk);
    end();
}

TEST(a_chunk_is_not_a_page)
{
    struct chunk chunk;

    begin();
    CHECK_ERROR(chunk_decode(buffer_slice(&wire), CHUNK_PAGE, &chunk), NEAP_INVALID);
    CHECK_ERROR(chunk_decode(buffer_slice(&wire), CHUNK_CELL, &chunk), NEAP_INVALID);
    CHECK_ERROR(chunk_decode(slice_of(wire.data, CHUNK_BYTES_MAX + 1), CHUNK_CELL, &chunk),
                NEAP_LIMIT);
    end();
}

/* It may have other fields than those known here: nothing is read but its version. */
TEST(a_newer_form_is_told_from_nonsense)
{
    struct context context = {0}, horizon = {0};
    struct chunk chunk;
    uint8_t bytes[64];

    begin();
    wire.data[1] = CHUNK_VERSION + 1;
    CHECK_ERROR(chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk), NEAP_FORMAT);
    CHECK_ERROR(chunk_peek(buffer_slice(&wire), &context, &horizon), NEAP_FORMAT);
    wire.data[1] = 0;
    CHECK_ERROR(chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk), NEAP_INVALID);
    CHECK_ERROR(chunk_decode(test_unhex("93 02 c0 c0", bytes, sizeof bytes), CHUNK_EVENTS, &chunk),
                NEAP_FORMAT);
    CHECK_ERROR(chunk_decode(test_unhex("93 01 c0 c0", bytes, sizeof bytes), CHUNK_EVENTS, &chunk),
                NEAP_INVALID);
    CHECK_ERROR(chunk_decode(test_unhex("93 c0 02 c0", bytes, sizeof bytes), CHUNK_EVENTS, &chunk),
                NEAP_INVALID);
    end();
}

TEST(context_and_horizon_can_be_looked_at)
{
    struct context context = {0}, horizon = {0};

    begin();
    CHECK_OK(chunk_peek(buffer_slice(&wire), &context, &horizon));
    CHECK_EQUAL(context_get(&context, 1), 3);
    CHECK_EQUAL(horizon.count, 0);
    CHECK_ERROR(chunk_peek(slice_of(wire.data, 9), &context, &horizon), NEAP_INVALID);
    CHECK_EQUAL(context_get(&context, 1), 3);
    context_done(&context);
    context_done(&horizon);
    end();
}

static int decode_and_encode(void *argument)
{
    struct buffer bytes;
    struct chunk chunk;
    int error;

    (void)argument;
    error = chunk_decode(buffer_slice(&wire), CHUNK_EVENTS, &chunk);
    buffer_init(&bytes, WIRE_MAX);
    if (!error)
        error = chunk_encode(&chunk, &bytes);
    buffer_done(&bytes);
    chunk_done(&chunk);
    return error;
}

TEST(a_chunk_runs_out_of_memory_cleanly)
{
    begin();
    test_alloc_sweep(decode_and_encode, NULL);
    end();
}

TEST(answers_of_replicas_become_one)
{
    struct place b;
    struct buffer messages[2], path, merged;
    struct slice slices[2];
    struct chunk chunk;
    struct cell cell;

    begin();
    CHECK_OK(place_open(&b, 2));
    CHECK_OK(place_set(&b, "r", "w"));
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&merged, WIRE_MAX);
    CHECK_OK(path_level(&path, slice_text("r"), NEAP_REGISTER));
    for (int i = 0; i < 2; i++) {
        struct place *place = i ? &b : &a;
        struct view view = batch_view(place->batch);

        buffer_init(&messages[i], WIRE_MAX);
        CHECK_OK(shard_cell_message(place->shard, &view, place->shard->id, buffer_slice(&path),
                                    &messages[i]));
        slices[i] = buffer_slice(&messages[i]);
    }
    CHECK_OK(cell_messages_merge(slices, 2, &merged));
    CHECK_OK(chunk_decode(buffer_slice(&merged), CHUNK_CELL, &chunk));
    cell_init(&cell);
    CHECK_OK(cell_decode(chunk.cells[0].bytes, &cell));
    CHECK_EQUAL(cell.count, 2);
    CHECK_EQUAL(chunk.context.count, 2);
    CHECK_ERROR(cell_messages_merge(slices, 0, &merged), NEAP_INVALID);
    slices[1] = buffer_slice(&wire);
    CHECK_ERROR(cell_messages_merge(slices, 2, &merged), NEAP_INVALID);
    cell_done(&cell);
    chunk_done(&chunk);
    for (int i = 0; i < 2; i++)
        buffer_done(&messages[i]);
    buffer_done(&path);
    buffer_done(&merged);
    place_close(&b);
    end();
}

/* With replica ids as large as they are. */
TEST(an_addition_to_a_set_travels_in_less_than_100_bytes)
{
    enum { LARGE = 1000, ADDS = 20 };
    static const struct op add = {.kind = OP_SET_ADD};
    struct context seen = {0};
    struct buffer path;
    struct place place;
    struct dot dot;

    CHECK_OK(place_open(&place, 0xda6d5c2f7ddf7440));
    buffer_init(&wire, WIRE_MAX);
    buffer_init(&path, NEAP_PATH_MAX);
    for (unsigned i = 0; i < LARGE + ADDS; i++) {
        char element[17];

        (void)snprintf(element, sizeof element, "%016u", i);
        buffer_clear(&path);
        CHECK_OK(path_level(&path, slice_text("a large set"), NEAP_SET));
        CHECK_OK(path_element(&path, slice_text(element)));
        CHECK_OK(shard_write(place.shard, place.batch, place.shard->id, buffer_slice(&path), &add,
                             &dot));
        if (i == LARGE - 1)
            CHECK_OK(context_copy(&seen, &place.shard->context));
    }
    CHECK_OK(place_commit(&place));
    CHECK_OK(place_chunk(&place, &seen, place.shard->replica, CHUNK_SIZE, &wire));
    CHECK(wire.size < ADDS * 100);
    CHECK(wire.size > ADDS * path.size);
    context_done(&seen);
    buffer_done(&path);
    buffer_done(&wire);
    place_close(&place);
}
