/* What is asked about stretches of a shard, and how answers are told apart. */
#include "gossip/stretch.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/support/test.h"

enum { WIDTH = 4, CELLS = 100 };

static const struct merkle_salt salt = {.key = {{7}}, .width = WIDTH};
static const uint32_t leaves[] = {3, 9};

static struct repair_nodes nodes_of(void)
{
    return (struct repair_nodes){.salt = salt, .nodes = {.bits = 6, .index = leaves, .count = 2}};
}

/* Cells 0..CELLS, whose keys are one byte each, and whose sums are their numbers + 1. */
static int list_cells(void *arg, struct stretch *stretch, size_t sums_max, uint64_t *ret_sums,
                      size_t *ret_count)
{
    size_t scan_max = *(const size_t *)arg;
    size_t at = stretch->from.size > 0 ? stretch->from.data[0] : 0;
    size_t end = stretch->end.size > 0 ? stretch->end.data[0] : CELLS, count = 0;
    while (at < end && count < sums_max && count < scan_max)
        ret_sums[count++] = ++at;
    *ret_count = count;
    uint8_t key = (uint8_t)at;
    return buffer_set(&stretch->to, slice_of(&key, at < CELLS));
}

/* NULL: none can be asked now. */
static int ask(struct stretches *stretches, size_t scan_max, struct buffer *question,
               struct stretch **ret_stretch)
{
    const struct repair_nodes nodes = nodes_of();
    struct writer writer;
    struct stretch *stretch = stretches_next(stretches);
    *ret_stretch = stretch;
    if (!stretch)
        return 0;
    int error = stretch_look(stretches, stretch, list_cells, &scan_max);
    buffer_clear(question);
    writer_init(&writer, question);
    return error ? error : stretch_ask(stretches, stretch, &nodes, &writer);
}

/* Of a peer that lacks the cells whose numbers can be divided by 5. */
static int answer(const struct buffer *question, struct buffer *ret_answer)
{
    static struct stretch_asked asked;
    struct buffer page = {0};
    int error = stretch_asked_read(buffer_slice(question), &salt, &asked);
    for (size_t i = 0; i < asked.count && !error; i++)
        asked.met[i] = (asked.sums[i] - 1) % 5 != 0;
    buffer_clear(ret_answer);
    return error ? error : stretch_answer_write(&asked, &page, asked.count, true, ret_answer);
}

static struct stretch_answer got;

/* arg: not NULL to ask again what there was no memory to ask. */
static int all_once(void *arg)
{
    struct stretches stretches;
    struct stretch *stretch;
    struct buffer question, bytes;
    size_t cells = 0, lacking = 0;
    int error = 0;
    stretches_init(&stretches);
    buffer_init(&question, 1 << 16);
    buffer_init(&bytes, 1 << 16);
    while (!error && !stretches_are_done(&stretches)) {
        error = ask(&stretches, 12, &question, &stretch);
        if (error && arg) {
            error = 0;
            continue;
        }
        error = error ? error : answer(&question, &bytes);
        error = error ? error : stretch_answer_read(&stretches, buffer_slice(&bytes), &got);
        if (error)
            break;
        CHECK(got.stretch == stretch);
        CHECK_EQUAL(got.lost, 0);
        CHECK_EQUAL(got.looked, stretch->sums_count);
        cells += stretch->sums_count;
        lacking += got.lacking_count;
        for (size_t i = 0; i < got.lacking_count; i++)
            CHECK_EQUAL((stretch->sums[got.lacking[i]] - 1) % 5, 0);
        error = stretch_advance(&stretches, stretch, buffer_slice(&stretch->to), false);
    }
    if (!error) {
        CHECK_EQUAL(cells, CELLS);
        CHECK_EQUAL(lacking, CELLS / 5);
        CHECK_EQUAL(stretches.sums_count, 0);
        CHECK_EQUAL(stretches.asked, 0);
    }
    buffer_done(&question);
    buffer_done(&bytes);
    stretches_done(&stretches);
    return error;
}

TEST(each_cell_of_a_shard_is_asked_about_once)
{
    CHECK_OK(all_once(NULL));
    test_alloc_sweep(all_once, NULL);
}

TEST(what_there_was_no_memory_to_ask_about_is_not_left_out)
{
    bool again = true, asked = false;
    for (uint64_t call = 1; call <= 40; call++) {
        mem_fail_at(call, 0);
        int error = all_once(&again);
        mem_fail_at(0, 0);
        CHECK(!error || error == NEAP_NOMEM);
        asked = asked || !error;
    }
    CHECK(asked);
}

TEST(several_stretches_are_asked_about_and_no_more_than_that)
{
    struct stretches stretches;
    struct stretch *stretch;
    struct buffer questions[STRETCHES_MAX], bytes;
    size_t count = 0;
    stretches_init(&stretches);
    buffer_init(&bytes, 1 << 16);
    do {
        CHECK(count <= STRETCHES_MAX);
        struct buffer question;
        buffer_init(&question, 1 << 16);
        CHECK_OK(ask(&stretches, 5, &question, &stretch));
        if (stretch)
            questions[count++] = question;
        else
            buffer_done(&question);
    } while (stretch);
    CHECK_EQUAL(count, STRETCHES_MAX);
    /* The answer to the fourth comes first: three are lost, and their stretches are next. */
    CHECK_OK(answer(&questions[3], &bytes));
    CHECK_OK(stretch_answer_read(&stretches, buffer_slice(&bytes), &got));
    CHECK_EQUAL(got.lost, 3);
    CHECK_EQUAL(got.stretch->from.data[0], 15);
    CHECK_OK(stretch_advance(&stretches, got.stretch, buffer_slice(&got.stretch->to), false));
    CHECK_OK(ask(&stretches, 5, &questions[0], &stretch));
    CHECK_EQUAL(stretch->from.size, 0);
    /* One that is not waited for changes nothing. */
    CHECK_OK(answer(&questions[1], &bytes));
    CHECK_OK(stretch_answer_read(&stretches, buffer_slice(&bytes), &got));
    CHECK(!got.stretch);
    CHECK_EQUAL(stretches.asked, 13);
    /* The fifth is refused: it is the oldest. */
    stretch_refused(&stretches);
    CHECK_EQUAL(stretches.asked, 12);
    CHECK_OK(answer(&questions[4], &bytes));
    CHECK_OK(stretch_answer_read(&stretches, buffer_slice(&bytes), &got));
    CHECK(!got.stretch);
    /* And one at a time means that. */
    stretches.most = 1;
    CHECK(!stretches_next(&stretches));
    while (stretches.asked > 0)
        stretch_refused(&stretches);
    CHECK(stretches_next(&stretches));
    for (size_t i = 0; i < count; i++)
        buffer_done(&questions[i]);
    buffer_done(&bytes);
    stretches_done(&stretches);
}

/* What is not answered is left over, and goes before what is new; then there is less in each. */
TEST(a_full_answer_leaves_a_rest)
{
    struct stretches stretches;
    struct stretch *stretch, *rest;
    struct buffer question;
    const uint8_t end = 2;
    stretches_init(&stretches);
    buffer_init(&question, 1 << 16);
    CHECK_OK(ask(&stretches, 10, &question, &stretch));
    CHECK_OK(stretch_advance(&stretches, stretch, slice_of(&end, 1), true));
    CHECK_EQUAL(stretches.sums_max, STRETCH_SUMS_MIN);
    CHECK_OK(ask(&stretches, 10, &question, &rest));
    CHECK(rest == stretch);
    CHECK_EQUAL(rest->from.data[0], 2);
    CHECK_EQUAL(rest->to.data[0], 10);
    CHECK_EQUAL(rest->sums_count, 8);
    CHECK(!stretch_is_last(&stretches, rest));
    buffer_done(&question);
    stretches_done(&stretches);
}

TEST(what_is_no_question_or_answer_about_a_stretch_is_refused)
{
    static struct stretch_asked asked;
    struct stretches stretches;
    struct stretch *stretch;
    struct buffer question, bytes;
    stretches_init(&stretches);
    buffer_init(&question, 1 << 16);
    buffer_init(&bytes, 1 << 16);
    CHECK_OK(ask(&stretches, 10, &question, &stretch));
    CHECK_OK(answer(&question, &bytes));
    for (size_t size = 0; size < question.size; size++)
        CHECK_ERROR(stretch_asked_read(slice_of(question.data, size), &salt, &asked), NEAP_INVALID);
    for (size_t size = 0; size < bytes.size; size++)
        CHECK_ERROR(stretch_answer_read(&stretches, slice_of(bytes.data, size), &got),
                    NEAP_INVALID);
    CHECK_EQUAL(stretches.asked, 1);
    { /* a number past the last sum; and sums that are lacking of what was not looked at */
        static const uint8_t beyond[] = {0x95, 0, 0xc4, 0, 0, 1, 0x91, 10};
        static const uint8_t unseen[] = {0x95, 0, 0xc4, 0, 0, 0, 0x91, 1};
        static const uint8_t fine[] = {0x95, 0, 0xc4, 0, 7, 1, 0x91, 9};
        CHECK_ERROR(stretch_answer_read(&stretches, slice_of(beyond, sizeof beyond), &got),
                    NEAP_INVALID);
        CHECK_ERROR(stretch_answer_read(&stretches, slice_of(unseen, sizeof unseen), &got),
                    NEAP_INVALID);
        CHECK_OK(stretch_answer_read(&stretches, slice_of(fine, sizeof fine), &got));
    }
    { /* bits beyond any tree; a leaf beyond them; an end before the beginning */
        static const uint8_t deep[] = {0x96, 0, 63, 0x91, 3, 0xc4, 0, 0xc4, 0, 0xc4, 0};
        static const uint8_t leaf[] = {0x96, 0, 2, 0x91, 4, 0xc4, 0, 0xc4, 0, 0xc4, 0};
        static const uint8_t ends[] = {0x96, 0, 2, 0x91, 3, 0xc4, 1, 5, 0xc4, 1, 5, 0xc4, 0};
        CHECK_ERROR(stretch_asked_read(slice_of(deep, sizeof deep), &salt, &asked), NEAP_INVALID);
        CHECK_ERROR(stretch_asked_read(slice_of(leaf, sizeof leaf), &salt, &asked), NEAP_INVALID);
        CHECK_ERROR(stretch_asked_read(slice_of(ends, sizeof ends), &salt, &asked), NEAP_INVALID);
    }
    buffer_done(&question);
    buffer_done(&bytes);
    stretches_done(&stretches);
}
