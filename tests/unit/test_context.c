#include "crdt/context.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tests/support/cells.h"

TEST(dots_are_ordered_by_id_then_count)
{
    struct dot a1 = {1, 1}, a9 = {1, 9}, b1 = {UINT64_MAX, 1};

    CHECK_EQUAL(dot_compare(a1, a1), 0);
    CHECK_EQUAL(dot_compare(a1, a9), -1);
    CHECK_EQUAL(dot_compare(b1, a9), 1);
}

TEST(a_context_only_rises)
{
    struct context context = {0};

    CHECK_OK(context_raise(&context, 7, 3, 100));
    CHECK_OK(context_raise(&context, 5, 1, 101));
    CHECK_OK(context_raise(&context, 6, 0, 102));
    CHECK_OK(context_raise(&context, 7, 2, 103));
    CHECK_OK(context_raise(&context, 7, 3, 104));
    CHECK_EQUAL(context.count, 2);
    CHECK_EQUAL(context.entries[0].id, 5);
    CHECK_EQUAL(context_get(&context, 7), 3);
    CHECK_EQUAL(context_find(&context, 7)->nonce, 100);
    CHECK_OK(context_raise(&context, 7, 4, 105));
    CHECK_EQUAL(context_find(&context, 7)->nonce, 105);
    CHECK_EQUAL(context_get(&context, 6), 0);
    CHECK(!context_find(&context, 6));
    CHECK(context_knows(&context, (struct dot){7, 4}));
    CHECK(!context_knows(&context, (struct dot){7, 5}));
    CHECK(!context_knows(&context, (struct dot){6, 1}));
    context_done(&context);
}

TEST(a_context_can_be_clipped)
{
    struct context context = {0};

    context_parse("a3 b5 c1", &context);
    context_clip(&context, 'b', 2, 9);
    CHECK_CONTEXT(&context, "a3 b2 c1");
    CHECK_EQUAL(context_find(&context, 'b')->nonce, 9);
    context_clip(&context, 'b', 2, 10);
    CHECK_EQUAL(context_find(&context, 'b')->nonce, 10);
    context_clip(&context, 'a', 4, 9);
    context_clip(&context, 'x', 1, 9);
    context_clip(&context, 'x', 0, 9);
    CHECK_CONTEXT(&context, "a3 b2 c1");
    CHECK_EQUAL(context_find(&context, 'a')->nonce, 0);
    context_clip(&context, 'a', 0, 9);
    context_clip(&context, 'c', 0, 9);
    CHECK_CONTEXT(&context, "b2");
    context_done(&context);
}

TEST(a_context_has_a_limit_of_ids)
{
    struct context full = {0}, other = {0};

    for (uint64_t id = 1; id <= CONTEXT_IDS_MAX; id++)
        CHECK_OK(context_raise(&full, id, 1, 0));
    CHECK_ERROR(context_raise(&full, 5000, 1, 0), NEAP_LIMIT);
    CHECK_OK(context_raise(&full, 5, 2, 0));
    CHECK_OK(context_raise(&other, 5, 3, 0));
    CHECK_OK(context_raise(&other, 5000, 1, 0));
    CHECK_ERROR(context_join(&full, &other), NEAP_LIMIT);
    CHECK_EQUAL(full.count, CONTEXT_IDS_MAX);
    CHECK_EQUAL(context_get(&full, 5), 2);
    context_done(&full);
    context_done(&other);
}

TEST(a_context_that_was_read_keeps_the_limit_as_well)
{
    struct context context = {0}, read = {0};
    struct buffer bytes;
    struct writer writer;
    struct reader reader;

    buffer_init(&bytes, 1 << 20);
    writer_init(&writer, &bytes);
    for (uint64_t id = 1; id <= 600; id++)
        CHECK_OK(context_raise(&context, id, 1, 0));
    context_write(&writer, &context);
    reader_init(&reader, buffer_slice(&bytes));
    CHECK_OK(context_read(&reader, &read));
    for (uint64_t id = 601; id <= CONTEXT_IDS_MAX; id++)
        CHECK_OK(context_raise(&read, id, 1, 0));
    CHECK_ERROR(context_raise(&read, 5000, 1, 0), NEAP_LIMIT);
    buffer_done(&bytes);
    context_done(&context);
    context_done(&read);
}

TEST(the_last_number_names_no_event)
{
    const struct context_entry entry = {.id = 1, .n = UINT64_MAX, .nonce = 7};
    struct context context = {0}, written = {0};
    struct context_entry entries[] = {entry};
    struct reader reader;
    struct writer writer;
    struct buffer bytes;

    CHECK_OK(context_raise(&context, 1, DOT_COUNT_MAX, 7));
    CHECK_ERROR(context_raise(&context, 1, UINT64_MAX, 7), NEAP_LIMIT);
    CHECK_ERROR(context_raise(&context, 2, UINT64_MAX, 7), NEAP_LIMIT);
    CHECK_EQUAL(context.count, 1);
    CHECK(context_get(&context, 1) == DOT_COUNT_MAX);
    written = (struct context){.entries = entries, .count = 1, .room = 1};
    buffer_init(&bytes, 64);
    writer_init(&writer, &bytes);
    context_write(&writer, &written);
    CHECK_OK(writer.error);
    reader_init(&reader, buffer_slice(&bytes));
    CHECK_ERROR(context_read(&reader, &context), NEAP_INVALID);
    CHECK(context_get(&context, 1) == DOT_COUNT_MAX);
    buffer_done(&bytes);
    context_done(&context);
}

TEST(contexts_join_compare_and_differ)
{
    static const struct {
        const char *a, *b, *joined, *beyond;
        bool covers, equal;
    } table[] = {
        {"", "", "", "", true, true},
        {"a1", "", "a1", "a1", true, false},
        {"", "b2", "b2", "", false, false},
        {"a3 b5", "a3 b5", "a3 b5", "", true, true},
        {"a3 b5", "a3 b4", "a3 b5", "b5", true, false},
        {"a1 b5", "a3 c1", "a3 b5 c1", "b5", false, false},
        {"m1", "a1 z1", "a1 m1 z1", "m1", false, false},
        {"a1 c1 e1", "b1 d1 f1", "a1 b1 c1 d1 e1 f1", "a1 c1 e1", false, false},
        {"c2 d9", "a1 b1 c1 d1", "a1 b1 c2 d9", "c2 d9", false, false},
    };
    struct context a = {0}, b = {0}, result = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        context_parse(table[i].a, &a);
        context_parse(table[i].b, &b);
        CHECK_EQUAL(context_covers(&a, &b), table[i].covers);
        CHECK_EQUAL(context_equal(&a, &b), table[i].equal);
        CHECK_OK(context_beyond(&a, &b, &result));
        CHECK_CONTEXT(&result, table[i].beyond);
        CHECK_OK(context_copy(&result, &a));
        CHECK_OK(context_join(&result, &b));
        CHECK_CONTEXT(&result, table[i].joined);
        CHECK_OK(context_copy(&result, &b));
        CHECK_OK(context_join(&result, &a));
        CHECK_CONTEXT(&result, table[i].joined);
        CHECK_OK(context_beyond(&a, &b, &a));
        CHECK_CONTEXT(&a, table[i].beyond);
    }
    context_parse("a1 b2", &a);
    CHECK_OK(context_join(&a, &a));
    CHECK_OK(context_copy(&a, &a));
    CHECK_CONTEXT(&a, "a1 b2");
    context_done(&a);
    context_done(&b);
    context_done(&result);
}

TEST(a_join_takes_the_nonce_of_the_later_event)
{
    struct context a = {0}, b = {0};

    CHECK_OK(context_raise(&a, 1, 5, 10));
    CHECK_OK(context_raise(&a, 2, 5, 11));
    CHECK_OK(context_raise(&b, 1, 6, 20));
    CHECK_OK(context_raise(&b, 2, 5, 21));
    CHECK_OK(context_join(&a, &b));
    CHECK_EQUAL(context_find(&a, 1)->nonce, 20);
    CHECK_EQUAL(context_find(&a, 2)->nonce, 11);
    context_done(&a);
    context_done(&b);
}

TEST(contexts_agree_with_plain_arrays)
{
    enum { IDS = 6 };
    struct rng rng;

    rng_init(&rng, test_number("SEED", 1));
    for (unsigned round = 0; round < 3000; round++) {
        struct context c[3] = {{0}};
        uint64_t plain[3][IDS];
        bool covers = true, beyond[2] = {false, false};
        struct knowledge a = {&c[0], &c[1]}, b = {&c[2], NULL};

        for (size_t i = 0; i < 3; i++) {
            for (size_t id = 0; id < IDS; id++) {
                plain[i][id] = rng_below(&rng, 3);
                CHECK_OK(context_raise(&c[i], id * 1000, plain[i][id], 0));
            }
        }
        for (size_t id = 0; id < IDS; id++) {
            uint64_t both = plain[0][id] > plain[1][id] ? plain[0][id] : plain[1][id];
            struct dot dot = {id * 1000, 1 + rng_below(&rng, 2)};

            covers = covers && plain[0][id] >= plain[1][id];
            beyond[0] = beyond[0] || both > plain[2][id];
            beyond[1] = beyond[1] || plain[2][id] > both;
            CHECK_EQUAL(knowledge_has(&a, dot), dot.n <= both);
        }
        CHECK_EQUAL(context_covers(&c[0], &c[1]), covers);
        CHECK_EQUAL(knowledge_beyond(&a, &b), beyond[0]);
        CHECK_EQUAL(knowledge_beyond(&b, &a), beyond[1]);
        CHECK(!knowledge_beyond(&a, &a));
        CHECK_OK(context_join(&c[0], &c[1]));
        for (size_t id = 0; id < IDS; id++)
            CHECK_EQUAL(context_get(&c[0], id * 1000),
                        plain[0][id] > plain[1][id] ? plain[0][id] : plain[1][id]);
        for (size_t i = 0; i < 3; i++)
            context_done(&c[i]);
    }
}

TEST(a_context_is_written_canonically)
{
    struct context context = {0}, read = {0};
    struct buffer bytes;
    struct writer writer;
    struct reader reader;

    buffer_init(&bytes, 1000);
    writer_init(&writer, &bytes);
    CHECK_OK(context_raise(&context, 0x1122334455667788, 300, UINT32_MAX));
    CHECK_OK(context_raise(&context, 5, 1, 0));
    context_write(&writer, &context);
    CHECK_OK(writer.error);
    CHECK_HEX(buffer_slice(&bytes), "96 05 01 00 cf 1122334455667788 cd 012c ce ffffffff");
    reader_init(&reader, buffer_slice(&bytes));
    CHECK_OK(context_read(&reader, &read));
    CHECK_OK(reader_end(&reader));
    CHECK(context_equal(&read, &context));
    CHECK_EQUAL(read.entries[1].nonce, UINT32_MAX);
    buffer_done(&bytes);
    context_done(&context);
    context_done(&read);
}

TEST(a_context_that_is_not_canonical_is_refused)
{
    static const struct {
        const char *hex;
        int error;
    } table[] = {
        {"", NEAP_INVALID},
        {"c0", NEAP_INVALID},
        {"93 05 00 00", NEAP_INVALID},                  /* zero events */
        {"96 05 01 00 05 02 00", NEAP_INVALID},         /* an id twice */
        {"96 06 01 00 05 01 00", NEAP_INVALID},         /* unsorted */
        {"92 05 01", NEAP_INVALID},                     /* no nonce */
        {"93 05 01", NEAP_INVALID},                     /* cut */
        {"93 05 01 cf 0000000100000000", NEAP_INVALID}, /* a nonce of 33 bits */
        {"93 05 cc 01 00", NEAP_INVALID},               /* not the shortest form */
        {"93 05 ff 00", NEAP_INVALID},                  /* negative */
        {"dc 0c03", NEAP_LIMIT},                        /* 1025 ids */
        {"dd ffffffff 05 01 00", NEAP_LIMIT},
    };
    struct context context = {0};

    context_parse("a1", &context);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t bytes[64];
        struct reader reader;
        uint64_t calls = mem_calls();

        reader_init(&reader, test_unhex(table[i].hex, bytes, sizeof bytes));
        CHECK_ERROR(context_read(&reader, &context), table[i].error);
        CHECK_ERROR(reader.error, table[i].error);
        CHECK_CONTEXT(&context, "a1");
        if (table[i].error == NEAP_LIMIT)
            CHECK_EQUAL(mem_calls(), calls + 1); /* CHECK_CONTEXT's own */
    }
    context_done(&context);
}

TEST(knowledge_is_context_and_residue_together)
{
    static const struct {
        const char *context_a, *residue_a, *context_b, *residue_b, *joined;
        bool beyond;
    } table[] = {
        {"a1", "", "a1", "", "a1", false},
        {"a1", "b1", "a1", "", "a1 b1", true},
        {"a1", "b1", "a1 b1", "", "a1 b1", false},
        {"a1", "b1", "a1", "b1", "a1 b1", false},
        {"a1", "b2", "b1", "a1 b2", "a1 b2", false},
        {"a2", "b2", "b2", "a1", "a2 b2", true},
        {"", "", "a1", "b1", "", false},
        {"c1", "", "a1 b1", "d1", "c1", true},
    };
    struct context parts[4] = {{0}}, joined = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct knowledge a = {&parts[0], *table[i].residue_a ? &parts[1] : NULL};
        struct knowledge b = {&parts[2], *table[i].residue_b ? &parts[3] : NULL};

        context_parse(table[i].context_a, &parts[0]);
        context_parse(table[i].residue_a, &parts[1]);
        context_parse(table[i].context_b, &parts[2]);
        context_parse(table[i].residue_b, &parts[3]);
        CHECK_EQUAL(knowledge_beyond(&a, &b), table[i].beyond);
        context_clear(&joined);
        CHECK_OK(knowledge_join(&a, &joined));
        CHECK_CONTEXT(&joined, table[i].joined);
    }
    for (size_t i = 0; i < 4; i++)
        context_done(&parts[i]);
    context_done(&joined);
}

/* Everything that takes memory; whatever fails has changed nothing. */
static int use_contexts(void *argument)
{
    struct context a = {0}, b = {0}, c = {0};
    struct knowledge knowledge = {&b, &c};
    const uint8_t packed[] = {0x93, 5, 1, 0};
    struct reader reader;
    int error = 0;

    (void)argument;
    for (uint64_t id = 1; id <= 5 && !error; id++)
        error = context_raise(&a, id, id, 0);
    if (error)
        CHECK(a.count == 0 || a.count == 4);
    if (!error)
        error = context_raise(&b, 100, 1, 0);
    if (!error)
        error = context_raise(&c, 200, 1, 0);
    if (!error) {
        error = context_join(&b, &a);
        CHECK_EQUAL(b.count, error ? 1 : 6);
    }
    if (!error) {
        error = context_beyond(&b, &c, &c);
        CHECK_EQUAL(context_get(&c, 200), error ? 1 : 0);
    }
    if (!error) {
        size_t count = a.count;

        error = knowledge_join(&knowledge, &a);
        CHECK_EQUAL(a.count, error ? count : 6);
    }
    if (!error) {
        reader_init(&reader, slice_of(packed, sizeof packed));
        error = context_read(&reader, &a);
        CHECK_EQUAL(a.count, error ? 6 : 1);
    }
    context_done(&a);
    context_done(&b);
    context_done(&c);
    return error;
}

TEST(a_context_survives_failed_allocations)
{
    test_alloc_sweep(use_contexts, NULL);
}

/* Under the undefined behaviour sanitizer: such a context has no entries to point into. */
TEST(an_empty_context_has_nothing_to_clip)
{
    struct context context = {0};

    context_clip(&context, 'a', 3, 9);
    context_clip(&context, 'a', 0, 9);
    CHECK_EQUAL(context.count, 0);
    context_done(&context);
}

/* ---- differences ---- */

static int write_after(const struct context *context, const struct context *base,
                       struct buffer *ret_bytes)
{
    struct writer writer;

    buffer_clear(ret_bytes);
    writer_init(&writer, ret_bytes);
    context_write_after(&writer, context, base);
    return writer.error;
}

static int read_after(struct slice bytes, const struct context *base, struct context *ret_context)
{
    struct reader reader;
    int error;

    reader_init(&reader, bytes);
    error = context_read_after(&reader, base, ret_context);
    return error ? error : reader_end(&reader);
}

static bool are_same(const struct context *a, const struct context *b)
{
    bool same = context_equal(a, b);

    for (size_t i = 0; same && i < a->count; i++)
        same = a->entries[i].nonce == b->entries[i].nonce;
    return same;
}

/* Written, read, and again what it was. */
static void check_after(const struct context *context, const struct context *base)
{
    struct context back = {0};
    struct buffer bytes;

    buffer_init(&bytes, 1 << 16);
    CHECK(context_follows(context, base));
    CHECK_OK(write_after(context, base, &bytes));
    CHECK_OK(read_after(buffer_slice(&bytes), base, &back));
    CHECK(are_same(&back, context));
    for (size_t size = 0; size < bytes.size; size++)
        CHECK_ERROR(read_after(slice_of(bytes.data, size), base, &back), NEAP_INVALID);
    CHECK(are_same(&back, context));
    context_done(&back);
    buffer_done(&bytes);
}

TEST(a_context_goes_round_as_a_difference)
{
    struct rng rng;

    rng_init(&rng, 5);
    for (unsigned round = 0; round < 300; round++) {
        struct context base = {0}, context = {0};
        uint64_t ids = rng_below(&rng, 6);

        for (uint64_t i = 0; i < ids; i++)
            CHECK_OK(context_raise(&base, 1 + rng_below(&rng, 8), 1 + rng_below(&rng, 3), 7));
        CHECK_OK(context_copy(&context, &base));
        check_after(&context, &base);
        for (uint64_t i = rng_below(&rng, 6); i > 0; i--) {
            uint64_t id = 1 + rng_below(&rng, 8), n = 1 + rng_below(&rng, 1000);

            CHECK_OK(context_raise(&context, id, n, 7 + (uint32_t)rng_below(&rng, 2)));
        }
        check_after(&context, &base);
        context_done(&base);
        context_done(&context);
    }
}

TEST(a_difference_is_as_small_as_what_has_changed)
{
    static const struct context nothing;
    struct context base = {0}, context = {0};
    struct buffer bytes;

    buffer_init(&bytes, 1 << 16);
    for (uint64_t i = 1; i <= 50; i++)
        CHECK_OK(context_raise(&base, i << 56, 70000, 1u << 31));
    CHECK_OK(context_copy(&context, &base));
    CHECK_OK(write_after(&context, &base, &bytes));
    CHECK_EQUAL(bytes.size, 2);
    CHECK_OK(context_raise(&context, (uint64_t)7 << 56, 70001, 1u << 31));
    CHECK_OK(context_raise(&context, (uint64_t)9 << 56, 70099, 1u << 31));
    CHECK_OK(write_after(&context, &base, &bytes));
    CHECK_EQUAL(bytes.size, 6);
    CHECK_OK(write_after(&context, &nothing, &bytes));
    CHECK(bytes.size > 50 * 19);
    context_done(&base);
    context_done(&context);
    buffer_done(&bytes);
}

TEST(what_goes_back_is_no_difference)
{
    struct context base = {0}, context = {0};

    CHECK_OK(context_raise(&base, 5, 3, 7));
    CHECK(!context_follows(&context, &base));
    CHECK(context_follows(&base, &context));
    CHECK_OK(context_raise(&context, 5, 2, 7));
    CHECK(!context_follows(&context, &base));
    context_clear(&context);
    CHECK_OK(context_raise(&context, 5, 3, 8)); /* of another history */
    CHECK(!context_follows(&context, &base));
    CHECK_OK(context_raise(&context, 5, 4, 8));
    CHECK(context_follows(&context, &base));
    CHECK_OK(context_raise(&base, 6, 1, 8));
    CHECK(!context_follows(&context, &base));
    context_done(&base);
    context_done(&context);
}

TEST(a_difference_that_is_not_canonical_is_refused)
{
    static const struct {
        const char *hex;
        int error;
    } cases[] = {
        {"90 90", 0},
        {"92 00 01 90", 0},
        {"94 00 01 01 01 90", 0},
        {"90 93 05 04 08", 0},                                 /* under another nonce */
        {"90 93 06 01 01", 0},                                 /* a new one */
        {"91 00 90", NEAP_INVALID},                            /* half a pair */
        {"92 02 01 90", NEAP_INVALID},                         /* there are two */
        {"92 00 00 90", NEAP_INVALID},                         /* by nothing */
        {"94 01 01 00 01 90", NEAP_INVALID},                   /* not in order */
        {"94 00 01 00 01 90", NEAP_INVALID},                   /* twice */
        {"92 00 cf ff ff ff ff ff ff ff fc 90", NEAP_INVALID}, /* past the last number */
        {"92 00 cf ff ff ff ff ff ff ff ff 90", NEAP_INVALID},
        {"90 93 05 04 07", NEAP_INVALID}, /* could be told shorter */
        {"90 93 05 03 08", NEAP_INVALID}, /* does not go up */
        {"90 93 05 02 08", NEAP_INVALID},
        {"92 00 01 93 05 09 08", NEAP_INVALID}, /* both */
        {"90 93 05 00 08", NEAP_INVALID},
        {"90", NEAP_INVALID},
        {"c0 90", NEAP_INVALID},
        {"dd 00 01 00 00 90", NEAP_LIMIT},
    };
    struct context base = {0}, context = {0};
    uint8_t bytes[64];

    CHECK_OK(context_raise(&base, 5, 3, 7));
    CHECK_OK(context_raise(&base, 9, 1, 7));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int error = read_after(test_unhex(cases[i].hex, bytes, sizeof bytes), &base, &context);

        CHECK_EQUAL(error, cases[i].error);
    }
    context_done(&base);
    context_done(&context);
}

TEST(a_difference_keeps_the_limit_of_ids)
{
    struct context base = {0}, context = {0};
    uint8_t bytes[16];

    for (uint64_t i = 1; i <= CONTEXT_IDS_MAX; i++)
        CHECK_OK(context_raise(&base, i, 1, 7));
    CHECK_ERROR(
        read_after(test_unhex("90 93 cd 50 00 01 01", bytes, sizeof bytes), &base, &context),
        NEAP_LIMIT);
    CHECK_EQUAL(context.count, 0);
    context_done(&base);
    context_done(&context);
}

static int differ(void *argument)
{
    struct context base = {0}, context = {0}, back = {0};
    struct buffer bytes;
    int error = 0;

    (void)argument;
    buffer_init(&bytes, 1 << 10);
    for (uint64_t i = 1; i < 9 && !error; i++)
        error = context_raise(&base, i, i, 7);
    if (!error)
        error = context_copy(&context, &base);
    if (!error)
        error = context_raise(&context, 4, 9, 7);
    if (!error)
        error = context_raise(&context, 40, 9, 7);
    if (!error)
        error = write_after(&context, &base, &bytes);
    if (!error)
        error = read_after(buffer_slice(&bytes), &base, &back);
    CHECK(error || are_same(&back, &context));
    context_done(&base);
    context_done(&context);
    context_done(&back);
    buffer_done(&bytes);
    return error;
}

TEST(a_difference_survives_failed_allocations)
{
    test_alloc_sweep(differ, NULL);
}
