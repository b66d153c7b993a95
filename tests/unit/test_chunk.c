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

/* ---- told after another one ---- */

/* A place with large ids in its context, a set, and what was pushed of it last. */
struct pushing {
    struct place place;
    struct chunk_base base;
    struct buffer whole, next;
    struct chunk chunk; /* the last one */
};

static void pushing_begin(struct pushing *pushing, unsigned ids)
{
    *pushing = (struct pushing){0};
    buffer_init(&pushing->whole, WIRE_MAX);
    buffer_init(&pushing->next, WIRE_MAX);
    CHECK_OK(place_open(&pushing->place, 0xda6d5c2f7ddf7440));
    for (uint64_t i = 1; i < ids; i++)
        CHECK_OK(
            context_raise(&pushing->place.shard->context, i * 0x9e3779b97f4a7c15, 70000, NONCE));
}

static void pushing_end(struct pushing *pushing)
{
    chunk_done(&pushing->chunk);
    chunk_base_done(&pushing->base);
    buffer_done(&pushing->whole);
    buffer_done(&pushing->next);
    place_close(&pushing->place);
}

/* So many additions, as one chunk of what the last one has not. */
static void pushing_add(struct pushing *pushing, unsigned count)
{
    static const struct op add = {.kind = OP_SET_ADD};
    struct shard *shard = pushing->place.shard;
    struct context since = {0};
    struct buffer path;
    struct dot dot;

    if (pushing->chunk.runs_count > 0)
        CHECK_OK(chunk_base_set(&pushing->base, &pushing->chunk));
    CHECK_OK(context_copy(&since, &shard->context));
    buffer_init(&path, NEAP_PATH_MAX);
    for (unsigned i = 0; i < count; i++) {
        char element[17];
        uint64_t n = context_get(&shard->context, shard->replica);

        (void)snprintf(element, sizeof element, "element %08u", (unsigned)n);
        buffer_clear(&path);
        CHECK_OK(path_level(&path, slice_text("a set"), NEAP_SET));
        CHECK_OK(path_element(&path, slice_text(element)));
        CHECK_OK(
            shard_write(shard, pushing->place.batch, shard->id, buffer_slice(&path), &add, &dot));
    }
    CHECK_OK(place_commit(&pushing->place));
    chunk_done(&pushing->chunk);
    CHECK_OK(place_chunk(&pushing->place, &since, shard->replica, CHUNK_SIZE, &pushing->whole));
    CHECK_OK(chunk_decode(buffer_slice(&pushing->whole), CHUNK_EVENTS, &pushing->chunk));
    buffer_clear(&pushing->next);
    context_done(&since);
    buffer_done(&path);
}

/* Told after the base, as such a kind, it is read as what it was. */
static void check_after(struct pushing *pushing, enum chunk_kind kind)
{
    struct buffer again;
    struct chunk chunk;

    buffer_init(&again, WIRE_MAX);
    CHECK(chunk_is_after(&pushing->chunk, &pushing->base));
    buffer_clear(&pushing->next);
    CHECK_OK(chunk_encode_after(&pushing->chunk, &pushing->base, &pushing->next));
    CHECK_EQUAL(chunk_kind_of(buffer_slice(&pushing->next)), kind);
    CHECK_EQUAL(chunk_kind_of(buffer_slice(&pushing->whole)), CHUNK_EVENTS);
    CHECK(chunk_was_after(buffer_slice(&pushing->next)));
    CHECK(!chunk_was_after(buffer_slice(&pushing->whole)));
    CHECK_OK(chunk_decode_after(buffer_slice(&pushing->next), &pushing->base, &chunk));
    CHECK_OK(chunk_encode(&chunk, &again));
    CHECK_BYTES(buffer_slice(&again), buffer_slice(&pushing->whole));
    chunk_done(&chunk);
    buffer_done(&again);
}

static void check_next(struct pushing *pushing)
{
    check_after(pushing, CHUNK_NEXT);
}

TEST(what_comes_next_goes_round)
{
    struct pushing pushing;

    pushing_begin(&pushing, 3);
    pushing_add(&pushing, 2);
    for (unsigned count = 1; count < 200; count = count * 2 + 1) {
        pushing_add(&pushing, count);
        check_next(&pushing);
    }
    CHECK_OK(context_raise(&pushing.place.shard->context, 12345, 1, 1)); /* from others */
    CHECK_OK(context_raise(&pushing.place.shard->context, 0x9e3779b97f4a7c15, 70001, NONCE));
    pushing_add(&pushing, 1);
    check_next(&pushing);
    pushing_end(&pushing);
}

/* Message and frame take 20 bytes more: see bench/wire.c. */
TEST(an_addition_alone_takes_the_same_whoever_else_has_written)
{
    static const unsigned ids[] = {1, 2, 5, 50, 500};
    size_t first = 0;

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct pushing pushing;

        pushing_begin(&pushing, ids[i]);
        for (unsigned n = 0; n < 300; n += 100)
            pushing_add(&pushing, 100);
        pushing_add(&pushing, 1);
        check_next(&pushing);
        first = i == 0 ? pushing.next.size : first;
        CHECK(pushing.next.size < 64);
        CHECK(pushing.next.size <= first + 2); /* whose place it is */
        CHECK(pushing.whole.size > ids[i] * 15);
        pushing_end(&pushing);
    }
}

TEST(what_does_not_come_next_is_told_with_its_runs)
{
    struct pushing pushing;
    struct chunk_base *base = &pushing.base;

    pushing_begin(&pushing, 3);
    pushing_add(&pushing, 2);
    pushing_add(&pushing, 1);
    check_next(&pushing);
    base->last.n++;
    check_after(&pushing, CHUNK_AFTER);
    base->last.n -= 2;
    check_after(&pushing, CHUNK_AFTER);
    base->last.n++;
    base->last.nonce++;
    check_after(&pushing, CHUNK_AFTER);
    base->last.nonce--;
    base->last.id++;
    check_after(&pushing, CHUNK_AFTER);
    base->last.id--;
    check_next(&pushing);
    CHECK_OK(context_copy(&base->context, &pushing.chunk.context)); /* the same answer to a pull */
    check_next(&pushing);
    pushing_end(&pushing);
}

TEST(events_of_several_ids_are_told_after_others)
{
    struct pushing pushing;
    struct place other;
    static const struct context nothing;

    pushing_begin(&pushing, 3);
    pushing_add(&pushing, 2);
    CHECK_OK(place_open(&other, 4));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(place_add(&other, "k", 1));
        CHECK_OK(place_add(&other, "l", 1));
    }
    CHECK_OK(place_commit(&other));
    CHECK_OK(place_pull(&pushing.place, &other, CHUNK_SIZE));
    CHECK_OK(place_commit(&pushing.place));
    pushing_add(&pushing, 2);
    CHECK_OK(chunk_base_set(&pushing.base, &pushing.chunk));
    chunk_done(&pushing.chunk);
    context_clip(&pushing.place.shard->context, 0x9e3779b97f4a7c15, 0, 0); /* not in the log */
    context_clip(&pushing.place.shard->context, 2 * 0x9e3779b97f4a7c15, 0, 0);
    CHECK_OK(place_chunk(&pushing.place, &nothing, 0, CHUNK_SIZE, &pushing.whole));
    context_clear(&pushing.base.context);
    CHECK_OK(chunk_decode(buffer_slice(&pushing.whole), CHUNK_EVENTS, &pushing.chunk));
    CHECK_EQUAL(pushing.chunk.runs_count, 2);
    check_after(&pushing, CHUNK_AFTER);
    CHECK_OK(context_copy(&pushing.base.context, &pushing.chunk.context));
    check_after(&pushing, CHUNK_AFTER);
    place_close(&other);
    pushing_end(&pushing);
}

TEST(what_does_not_follow_is_told_whole)
{
    struct pushing pushing;
    struct chunk_base *base = &pushing.base;

    pushing_begin(&pushing, 3);
    pushing_add(&pushing, 2);
    pushing_add(&pushing, 1);
    CHECK(chunk_is_after(&pushing.chunk, base));
    base->shard++;
    CHECK(!chunk_is_after(&pushing.chunk, base));
    base->shard--;
    CHECK(chunk_is_after(&pushing.chunk, base));
    CHECK_OK(context_raise(&base->context, 77, 1, 1));
    CHECK(!chunk_is_after(&pushing.chunk, base));
    context_clip(&base->context, 77, 0, 0);
    CHECK(chunk_is_after(&pushing.chunk, base));
    CHECK_OK(context_raise(&pushing.chunk.horizon, 0x9e3779b97f4a7c15, 1, 1));
    CHECK(!chunk_is_after(&pushing.chunk, base));
    pushing_end(&pushing);
}

static void check_next_refused(const struct pushing *pushing, struct slice bytes)
{
    struct chunk chunk;

    CHECK_ERROR(chunk_decode_after(bytes, &pushing->base, &chunk), NEAP_INVALID);
    CHECK(!chunk.cells && !chunk.runs && !chunk.context.entries);
}

TEST(what_comes_next_to_nothing_known_is_refused)
{
    struct context context = {0}, horizon = {0};
    struct pushing pushing;
    struct chunk chunk;
    struct slice next;

    pushing_begin(&pushing, 3);
    pushing_add(&pushing, 2);
    pushing_add(&pushing, 1);
    check_next(&pushing);
    next = buffer_slice(&pushing.next);
    for (int kind = CHUNK_EVENTS; kind <= CHUNK_AFTER; kind++)
        CHECK_ERROR(chunk_decode(next, (enum chunk_kind)kind, &chunk), NEAP_INVALID);
    CHECK_ERROR(chunk_peek(next, &context, &horizon), NEAP_INVALID);
    check_next_refused(&pushing, buffer_slice(&pushing.whole));
    for (size_t size = 0; size < next.size; size++)
        check_next_refused(&pushing, slice_of(next.data, size));
    /* A base of which the events are not known, that has no such place, or no number left. */
    pushing.base.last.n++;
    check_next_refused(&pushing, next);
    pushing.base.last.n = DOT_COUNT_MAX;
    check_next_refused(&pushing, next);
    pushing.base.last.n = 2;
    pushing.base.last.id++;
    check_next_refused(&pushing, next);
    pushing.base.last.id--;
    context_clear(&pushing.base.context);
    check_next_refused(&pushing, next);
    pushing_end(&pushing);
}

/* [version, kind, moved, others, residues, events, cells [bucket, path, cell, residue, names]] */
static void check_hex(const struct pushing *pushing, const char *hex, int expected)
{
    uint8_t bytes[128];
    struct chunk chunk;
    int error = chunk_decode_after(test_unhex(hex, bytes, sizeof bytes), &pushing->base, &chunk);

    CHECK_EQUAL(error, expected);
    if (!error)
        chunk_done(&chunk);
}

TEST(what_comes_next_has_one_form)
{
    struct pushing pushing = {.base = {.shard = 3, .last = {.id = 5, .n = 3, .nonce = 7}}};

    CHECK_OK(context_raise(&pushing.base.context, 5, 3, 7));
    /* A counter "k" that has been removed. */
    check_hex(&pushing, "97 01 04 92 00 01 90 90 01 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              0);
    check_hex(&pushing, "97 01 04 92 00 01 90 90 01 91 95 03 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              NEAP_INVALID); /* its bucket goes without saying */
    check_hex(&pushing, "97 01 04 92 00 01 90 90 01 91 95 04 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              0); /* another does not */
    check_hex(&pushing, "97 01 04 92 00 01 90 90 00 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              NEAP_INVALID); /* no events */
    check_hex(&pushing, "97 01 04 92 00 02 90 90 02 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              NEAP_INVALID); /* one that is not named */
    check_hex(&pushing,
              "97 01 04 92 00 02 90 90 02 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 92 00 01", 0);
    check_hex(&pushing,
              "97 01 04 92 00 02 90 90 02 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 92 01 00",
              NEAP_INVALID); /* not in order */
    check_hex(&pushing, "97 01 04 92 00 01 90 90 01 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 01",
              NEAP_INVALID); /* beyond them */
    check_hex(&pushing, "97 01 04 90 90 90 01 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              NEAP_INVALID); /* that the context does not know */
    check_hex(&pushing,
              "97 01 04 92 00 01 90 90 cf ff ff ff ff ff ff ff ff 91 95 c0 c4 04 6b 00 01 01 c4 01 "
              "90 c0 91 00",
              NEAP_INVALID);
    check_hex(&pushing,
              "97 01 04 92 00 01 90 90 ce ff ff ff ff 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 00",
              NEAP_INVALID);
    check_hex(&pushing,
              "98 01 04 92 00 01 90 90 01 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 00 c0",
              NEAP_INVALID); /* one field more */
    check_hex(&pushing, "97 02 04 92 00 01 90 90 01 90", NEAP_FORMAT);
    check_hex(&pushing, "97 01 01 92 00 01 90 90 01 90", NEAP_INVALID);
    chunk_base_done(&pushing.base);
}

/* [version, kind, moved, others, residues, [id, nonce, from, to...], cells] */
TEST(what_is_told_after_another_one_has_one_form)
{
    struct pushing pushing = {.base = {.shard = 3, .last = {.id = 5, .n = 3, .nonce = 7}}};

    CHECK_OK(context_raise(&pushing.base.context, 5, 3, 7));
    check_hex(&pushing,
              "97 01 05 92 00 02 90 90 94 05 07 05 05 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 92 "
              "00 00",
              0);
    check_hex(&pushing,
              "97 01 05 92 00 02 90 90 94 05 07 05 05 91 95 03 c4 04 6b 00 01 04 c4 01 90 c0 92 "
              "00 00",
              NEAP_INVALID); /* its bucket goes without saying */
    check_hex(&pushing,
              "97 01 05 92 00 02 90 90 94 05 07 05 05 91 95 04 c4 04 6b 00 01 04 c4 01 90 c0 92 "
              "00 00",
              0); /* another does not */
    check_hex(&pushing,
              "97 01 05 92 00 01 90 90 94 05 07 04 04 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 92 "
              "00 00",
              NEAP_INVALID); /* it comes next */
    check_hex(&pushing,
              "97 01 05 92 00 01 93 06 01 08 90 98 05 07 04 04 06 08 01 01 91 95 c0 c4 04 6b 00 "
              "01 04 c4 01 90 c0 94 00 00 01 00",
              0); /* this doesn't: not alone */
    check_hex(&pushing,
              "97 01 05 92 00 01 93 06 01 08 90 98 05 07 04 04 06 08 01 01 91 95 c0 c4 04 6b 00 "
              "01 04 c4 01 90 c0 92 00 00",
              NEAP_INVALID); /* one that is not named */
    check_hex(&pushing,
              "97 01 05 92 00 01 93 06 01 08 90 98 06 08 01 01 05 07 04 04 91 95 c0 c4 04 6b 00 "
              "01 04 c4 01 90 c0 94 00 00 01 00",
              NEAP_INVALID); /* not in order */
    check_hex(&pushing,
              "97 01 05 92 00 02 90 90 94 05 07 05 06 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 94 "
              "00 00 00 01",
              NEAP_INVALID); /* that the context does not know */
    check_hex(&pushing,
              "97 01 05 92 00 02 90 90 94 05 07 05 05 91 95 c0 c4 04 6b 00 01 04 c4 01 90 c0 91 "
              "00",
              NEAP_INVALID);                                            /* an offset alone */
    check_hex(&pushing, "97 01 05 92 00 02 90 90 90 90", NEAP_INVALID); /* no runs */
    check_hex(&pushing, "97 01 05 92 00 02 90 90 01 90", NEAP_INVALID);
    check_hex(&pushing, "97 01 05 92 00 02 90 90 dc 40 04 90", NEAP_LIMIT); /* too many */
    check_hex(&pushing, "98 01 05 92 00 02 90 90 90 90 90", NEAP_INVALID);
    check_hex(&pushing, "97 01 06 92 00 02 90 90 90 90", NEAP_INVALID);
    chunk_base_done(&pushing.base);
}

static int decode_and_encode_next(void *argument)
{
    const struct pushing *pushing = argument;
    struct chunk_base base = {0};
    struct buffer bytes;
    struct chunk chunk;
    int error;

    buffer_init(&bytes, WIRE_MAX);
    error = chunk_decode_after(buffer_slice(&pushing->next), &pushing->base, &chunk);
    if (!error)
        error = chunk_encode_after(&chunk, &pushing->base, &bytes);
    if (!error)
        error = chunk_base_set(&base, &chunk);
    chunk_base_done(&base);
    buffer_done(&bytes);
    chunk_done(&chunk);
    return error;
}

TEST(what_comes_next_runs_out_of_memory_cleanly)
{
    struct pushing pushing;

    pushing_begin(&pushing, 5);
    pushing_add(&pushing, 2);
    pushing_add(&pushing, 3);
    check_next(&pushing);
    test_alloc_sweep(decode_and_encode_next, &pushing);
    pushing_end(&pushing);
}
