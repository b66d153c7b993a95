#include "base/alloc.h"
#include "crdt/path.h"
#include "engine/request.h"
#include "tests/support/test.h"

/* key "k" of type LWW; the same with type open; a map in the key. */
#define PATH_LWW "6b 00 01 02"
#define PATH_OPEN "6b 00 01"
#define PATH_MAP "6b 00 01 06"

static struct buffer packed(const struct write_op *ops, size_t count)
{
    struct buffer bytes;
    struct writer writer;

    buffer_init(&bytes, REQUEST_SIZE_MAX);
    writer_init(&writer, &bytes);
    request_ops_write(&writer, ops, count);
    CHECK_OK(writer.error);
    return bytes;
}

static int unpacked(struct slice bytes, struct request_ops *ops)
{
    struct reader reader;

    reader_init(&reader, bytes);
    request_ops_read(&reader, ops);
    return reader_end(&reader);
}

TEST(ops_come_back_as_they_were_packed)
{
    struct context seen = {0};
    struct request_ops back = {0};
    struct buffer bytes;
    uint8_t path[8], map[8];
    struct write_op ops[] = {
        {.bucket = "a", .path = test_unhex(PATH_LWW, path, 8)},
        {.bucket = "a", .path = test_unhex(PATH_MAP, map, 8), .prefix = true},
        {.bucket = "bb", .path = ops[0].path},
    };

    CHECK_OK(context_raise(&seen, 3, 4, 5));
    ops[0].op = (struct op){.kind = OP_LWW_SET, .value = slice_text("v"), .seen = &seen};
    ops[1].op = (struct op){.kind = OP_REMOVE};
    ops[2].op = (struct op){.kind = OP_COUNTER_ADD, .number = INT64_MIN};
    bytes = packed(ops, 3);
    CHECK_OK(unpacked(buffer_slice(&bytes), &back));
    CHECK_EQUAL(back.count, 3);
    CHECK_EQUAL(back.buckets_count, 2);
    CHECK_TEXT(back.ops[0].bucket, "a");
    CHECK(back.ops[1].bucket == back.ops[0].bucket);
    CHECK_TEXT(back.ops[2].bucket, "bb");
    CHECK_BYTES(back.ops[0].path, ops[0].path);
    CHECK_SLICE(back.ops[0].op.value, "v");
    CHECK_EQUAL(context_get(back.ops[0].op.seen, 3), 4);
    CHECK(back.ops[1].prefix && !back.ops[1].op.seen);
    CHECK_EQUAL(back.ops[2].op.number, INT64_MIN);
    request_ops_done(&back);
    buffer_done(&bytes);
    context_done(&seen);
}

TEST(ops_that_are_none_are_refused)
{
    static const struct {
        const char *hex;
        int code;
    } wrong[] = {
        {"90", NEAP_INVALID},                                           /* no ops */
        {"91 a0 90", NEAP_INVALID},                                     /* a bucket without name */
        {"91 a2 61 00 90", NEAP_INVALID},                               /* a zero in the name */
        {"91 a1 61 91 98 01 c4 00 01 00 c4 00 00 00 c0", NEAP_INVALID}, /* no such bucket */
        {"91 a1 61 91 98 00 c4 00 00 00 c4 00 00 00 c0", NEAP_INVALID}, /* no such kind */
        {"91 a1 61 91 98 00 c4 00 7f 00 c4 00 00 00 c0", NEAP_INVALID}, /* no such kind */
        {"91 a1 61 91 98 00 c4 00 01 02 c4 00 00 00 c0", NEAP_INVALID}, /* neither yes nor no */
        {"91 a1 61 91 98 00 c4 01 6b 08 01 c4 00 00 00 c0", NEAP_INVALID}, /* half a name */
        {"91 a1 61 91 96 00 c4 00 01 00 c4 00 00", NEAP_INVALID},          /* too short */
        {"91 a1 61 91 98 00 c4 00 01 00 c4 00 00 00 91 01", NEAP_INVALID}, /* not a context */
        {"91 a1 61 dd 00 01 00 01", NEAP_LIMIT},                           /* too many */
    };
    uint8_t bytes[64];
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct request_ops ops = {0};

        CHECK_ERROR(unpacked(test_unhex(wrong[i].hex, bytes, sizeof bytes), &ops), wrong[i].code);
        request_ops_done(&ops);
    }
}

TEST(a_prefix_is_made_of_whole_names)
{
    static const struct {
        const char *hex;
        int code;
    } prefixes[] = {
        {PATH_LWW, 0},
        {PATH_OPEN, 0},
        {PATH_MAP, 0},
        {PATH_MAP PATH_OPEN, 0},
        {PATH_MAP PATH_MAP PATH_LWW, 0},
        {"", NEAP_INVALID},
        {"6b", NEAP_INVALID},
        {"6b 00", NEAP_INVALID},
        {PATH_LWW PATH_LWW, NEAP_INVALID},
        {PATH_MAP "6b", NEAP_INVALID},
        {"6b 00 01 63", NEAP_INVALID},
    };
    uint8_t bytes[64];
    size_t i;

    for (i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        CHECK_ERROR(request_prefix_check(test_unhex(prefixes[i].hex, bytes, sizeof bytes)),
                    prefixes[i].code);
}

static int ops_sweep(void *argument)
{
    const struct buffer *bytes = argument;
    struct request_ops ops = {0};
    int error = unpacked(buffer_slice(bytes), &ops);

    request_ops_done(&ops);
    return error;
}

TEST(ops_survive_failed_allocations)
{
    struct context seen = {0};
    struct buffer bytes;
    uint8_t path[8];
    struct write_op ops[] = {
        {.bucket = "a",
         .path = test_unhex(PATH_OPEN, path, 8),
         .prefix = true,
         .op = {.kind = OP_REMOVE, .seen = &seen}},
    };

    CHECK_OK(context_raise(&seen, 3, 4, 5));
    bytes = packed(ops, 1);
    test_alloc_sweep(ops_sweep, &bytes);
    buffer_done(&bytes);
    context_done(&seen);
}
