/* Down two trees, question by question. */
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "gossip/descent.h"
#include "store/merkle_sums.h"
#include "tests/support/test.h"

enum { PLACES = 40000, UNDER_WAY_MAX = 64 };

static const struct hash_key key = {{3}};

/* Two trees, what one of them asks, and answers that are under way. */
static struct two {
    struct merkle *mine, *theirs;
    struct descent descent;
    struct buffer answers[UNDER_WAY_MAX];
    size_t first, count;
    unsigned questions, turns;
    uint64_t places[PLACES]; /* that differ */
    size_t places_count;
} two;

static int tree_of(unsigned bits, struct merkle **ret_tree)
{
    int error = merkle_new(&key, MERKLE_BITS_MAX, true, ret_tree);
    if (!error) {
        sums_done(&(*ret_tree)->now);
        error = sums_init(&(*ret_tree)->now, bits);
    }
    return error;
}

/* `differ` of so many places do. */
static int two_open(unsigned bits, unsigned bits_other, size_t count, size_t differ, unsigned width)
{
    struct merkle_salt salt;
    struct rng rng;
    rng_init(&rng, 5);
    two = (struct two){0};
    int error = tree_of(bits, &two.mine);
    error = error ? error : tree_of(bits_other, &two.theirs);
    if (error)
        return error;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = rng_u64(&rng), high = rng_u64(&rng), low = rng_u64(&rng);
        sums_add(&two.mine->now, place, (struct digest){high, low});
        if (i < differ)
            two.places[two.places_count++] = place;
        else
            sums_add(&two.theirs->now, place, (struct digest){high, low});
    }
    salt = descent_salt(two.mine, 77, width);
    descent_begin(&two.descent, two.mine, &salt);
    return 0;
}

static void two_close(void)
{
    for (size_t i = 0; i < UNDER_WAY_MAX; i++)
        buffer_done(&two.answers[i]);
    merkle_free(two.mine);
    merkle_free(two.theirs);
}

/* All that can be asked now; the answers are under way. */
static int ask(void)
{
    struct merkle_salt salt = descent_salt(two.theirs, 77, two.descent.salt.width);
    int error = 0;
    while (!error) {
        struct buffer question, *answer = &two.answers[two.count];
        struct writer writer;
        buffer_init(&question, 1 << 20);
        writer_init(&writer, &question);
        error = descent_ask(&two.descent, &writer);
        if (!error) {
            buffer_init(answer, 1 << 20);
            writer_init(&writer, answer);
            two.questions++;
            two.count++;
            error = descent_answer(two.theirs, &salt, buffer_slice(&question), &writer);
        }
        buffer_done(&question);
    }
    return error == NEAP_END ? 0 : error;
}

static int take(void)
{
    struct buffer *answer = &two.answers[two.first++];
    return descent_take(&two.descent, two.mine, buffer_slice(answer));
}

static int descend(void)
{
    int error = 0;
    while (!error && !descent_is_done(&two.descent)) {
        error = ask();
        two.turns++;
        for (size_t end = two.count; !error && two.first < end;)
            error = take();
    }
    return error;
}

/* Every place that differs is below one of the nodes. */
static void check_covered(void)
{
    struct merkle_nodes nodes = descent_nodes(&two.descent);
    for (size_t i = 0; i < two.places_count; i++)
        CHECK(merkle_has(&nodes, two.places[i]));
}

TEST(equal_trees_have_no_nodes_that_differ)
{
    CHECK_OK(two_open(16, 16, 1000, 0, 4));
    CHECK_OK(descend());
    CHECK_EQUAL(descent_nodes(&two.descent).count, 0);
    CHECK_EQUAL(two.questions, 1);
    two_close();
}

TEST(a_few_that_differ_are_found_in_two_questions)
{
    for (unsigned width = 4; width <= 8; width += 4) {
        CHECK_OK(two_open(16, 16, 5000, 3, width));
        CHECK_OK(descend());
        CHECK_EQUAL(descent_nodes(&two.descent).count, 3);
        CHECK_EQUAL(descent_nodes(&two.descent).bits, 16);
        CHECK_EQUAL(two.questions, 2);
        check_covered();
        two_close();
    }
}

TEST(a_thousand_that_differ_are_found_in_three_turns)
{
    CHECK_OK(two_open(16, 16, 20000, 1000, 4));
    CHECK_OK(descend());
    CHECK_EQUAL(two.turns, 3);
    CHECK(two.questions > 3); /* several under way */
    CHECK(descent_nodes(&two.descent).count > 950);
    CHECK_EQUAL(descent_nodes(&two.descent).bits, 16);
    check_covered();
    two_close();
}

TEST(a_descent_ends_where_the_smaller_tree_does)
{
    static const unsigned sizes[][3] = {{16, 4, 4}, {4, 16, 4}, {10, 12, 10}, {14, 8, 8}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_OK(two_open(sizes[i][0], sizes[i][1], 3000, 40, 4));
        CHECK_OK(descend());
        CHECK_EQUAL(descent_nodes(&two.descent).bits, sizes[i][2]);
        check_covered();
        two_close();
    }
}

/* So many that their list would be too long: the nodes above them are enough. */
TEST(what_can_not_be_listed_is_below_the_nodes_above)
{
    CHECK_OK(two_open(16, 16, PLACES, 15000, 4));
    CHECK_OK(descend());
    CHECK_EQUAL(descent_nodes(&two.descent).bits, 12);
    CHECK(descent_nodes(&two.descent).count > 3900);
    check_covered();
    two_close();
    CHECK_OK(two_open(16, 16, PLACES, PLACES, 4));
    CHECK_OK(descend());
    CHECK_EQUAL(descent_nodes(&two.descent).bits, 0); /* and all is below the root */
    CHECK_EQUAL(descent_nodes(&two.descent).count, 1);
    check_covered();
    two_close();
}

TEST(a_descent_notices_that_an_answer_is_missing)
{
    CHECK_OK(two_open(16, 16, 20000, 1000, 4));
    while (two.count - two.first < 2) {
        CHECK_OK(ask());
        if (two.count - two.first < 2)
            CHECK_OK(take());
    }
    two.first++;
    CHECK_ERROR(take(), NEAP_BUSY);
    two_close();
}

TEST(a_descent_takes_no_answer_twice_and_none_unasked)
{
    CHECK_OK(two_open(16, 16, 20000, 100, 4));
    CHECK_OK(ask());
    CHECK_OK(take());
    two.first = 0;
    CHECK_ERROR(take(), NEAP_BUSY);
    struct merkle_salt salt = two.descent.salt;
    descent_begin(&two.descent, two.mine, &salt);
    two.first = 0;
    CHECK_ERROR(take(), NEAP_INVALID);
    two_close();
}

TEST(a_tree_that_has_shrunk_ends_a_descent)
{
    CHECK_OK(two_open(16, 16, 20000, 100, 4));
    CHECK_OK(ask());
    CHECK_OK(take());
    sums_done(&two.theirs->now);
    CHECK_OK(sums_init(&two.theirs->now, 8));
    CHECK_OK(ask());
    CHECK_ERROR(take(), NEAP_STALE);
    two_close();
}

static int descend_with_less_memory(void *arg)
{
    (void)arg;
    int error = two_open(8, 8, 300, 20, 4);
    error = error ? error : descend();
    if (!error)
        check_covered();
    two_close();
    return error;
}

TEST(a_descent_holds_with_failing_allocations)
{
    test_alloc_sweep(descend_with_less_memory, NULL);
}
