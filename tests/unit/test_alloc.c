#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

TEST(memory_is_zeroed_and_counted)
{
    uint64_t live = mem_live(), calls = mem_calls();
    uint8_t *memory = mem_new(32);
    uint8_t *array = mem_new_array(4, 8);

    CHECK(memory && array);
    CHECK(!memory[0] && !memory[31] && !array[0] && !array[31]);
    CHECK_EQUAL(mem_live(), live + 2);
    CHECK_EQUAL(mem_calls(), calls + 2);
    mem_free(memory);
    mem_free(array);
    mem_free(NULL);
    CHECK_EQUAL(mem_live(), live);
}

TEST(size_zero_gives_a_block)
{
    void *one = mem_new(0), *two = mem_new_array(0, 8), *three = mem_resize(NULL, 0);

    CHECK(one && two && three);
    three = mem_resize(three, 0);
    CHECK(three);
    mem_free(one);
    mem_free(two);
    mem_free(three);
}

TEST(sizes_that_overflow_are_out_of_memory)
{
    uint64_t live = mem_live();

    CHECK(!mem_new(SIZE_MAX));
    CHECK(!mem_new_array(SIZE_MAX / 2, 3));
    CHECK(!mem_new_array(SIZE_MAX / 8 + 2, 8));
    CHECK(!mem_resize(NULL, SIZE_MAX));
    CHECK_EQUAL(mem_live(), live);
}

TEST(an_array_grows_by_doubling)
{
    size_t room = 0, calls;
    uint32_t *array = mem_reserve(NULL, 0, &room, 1, sizeof *array);

    CHECK(array && room > 1);
    calls = mem_calls();
    CHECK(mem_reserve(array, 1, &room, room - 1, sizeof *array) == array);
    CHECK_EQUAL(mem_calls(), calls);
    array = mem_reserve(array, room, &room, 1000, sizeof *array);
    CHECK(array && room >= 1001);
    calls = room;
    CHECK(!mem_reserve(array, room, &room, SIZE_MAX / 2, sizeof *array));
    mem_fail_at(1, 0);
    CHECK(!mem_reserve(array, room, &room, 1, sizeof *array));
    CHECK_EQUAL(room, calls);
    mem_free(array);
}

TEST(resize_keeps_contents_and_the_old_block_on_failure)
{
    char *text = mem_resize(NULL, 4), *moved;

    CHECK(text);
    memcpy(text, "abc", 4);
    text = mem_resize(text, 4096);
    CHECK(text);
    CHECK_TEXT(text, "abc");
    mem_fail_at(1, 0);
    moved = mem_resize(text, 8192);
    CHECK(!moved);
    CHECK_TEXT(text, "abc");
    mem_free(text);
}

TEST(text_is_copied)
{
    const char *text = "tide";
    char *copy = mem_text(text);

    CHECK(copy && copy != text);
    CHECK_TEXT(copy, "tide");
    CHECK(!mem_text(NULL));
    mem_fail_at(1, 0);
    CHECK(!mem_text(text));
    mem_free(copy);
}

TEST(the_call_that_is_named_fails_once)
{
    void *blocks[3];
    int i;

    mem_fail_at(2, 0);
    for (i = 0; i < 3; i++)
        blocks[i] = mem_new(1);
    CHECK(blocks[0] && !blocks[1] && blocks[2]);
    mem_free(blocks[0]);
    mem_free(blocks[2]);
}

TEST(with_repeat_all_later_calls_fail)
{
    void *first = NULL;

    mem_fail_at(2, 1);
    first = mem_new(1);
    CHECK(first);
    CHECK(!mem_new(1) && !mem_resize(first, 2) && !mem_text("a"));
    mem_fail_at(0, 0);
    first = mem_resize(first, 2);
    CHECK(first);
    mem_free(first);
}

static int sweep_runs;

/* Two allocations, both given back whatever happens. */
static int two_blocks(void *argument)
{
    void *one, *two = NULL;

    (void)argument;
    sweep_runs++;
    one = mem_new(1);
    if (one)
        two = mem_new(1);
    mem_free(two);
    mem_free(one);
    return two ? 0 : NEAP_NOMEM;
}

TEST(the_sweep_fails_each_call_in_turn)
{
    sweep_runs = 0;
    test_alloc_sweep(two_blocks, NULL);
    /* One with all memory, one for each call that fails, one that has no more to fail. */
    CHECK_EQUAL(sweep_runs, 4);
}
