#include "store/manifest.h"

#include <stdio.h>

#include "base/alloc.h"
#include "tests/support/test.h"

static const char written[] =
    "# neap backup 1\n"
    "# release 0.1.0\n"
    "# node 0123456789abcdef\n"
    "# made 1735689600000\n"
    "# size 3\n"
    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319  000012.sst\n"
    "# size 0\n"
    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8  CURRENT\n"
    "# size 18446744073709551612\n"
    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319  MANIFEST-000005\n"
    "# files 3\n";

static int sample_fill(struct manifest *manifest)
{
    struct checksum abc = checksum_of(slice_text("abc")), none = checksum_of(slice_of(NULL, 0));
    int error;

    *manifest =
        (struct manifest){.release = "0.1.0", .node = 0x0123456789abcdef, .made_ms = 1735689600000};
    error = manifest_add(manifest, "MANIFEST-000005", UINT64_MAX - 3, &abc);
    if (!error)
        error = manifest_add(manifest, "000012.sst", 3, &abc);
    if (!error)
        error = manifest_add(manifest, "CURRENT", 0, &none);
    return error ? error : manifest_sort(manifest);
}

/* A text with the last line that belongs to it. */
static void text_end(struct buffer *text)
{
    char line[CHECKSUM_DIGITS + 16], sum[CHECKSUM_DIGITS + 1];
    struct checksum whole = checksum_of(buffer_slice(text));

    checksum_text(&whole, sum);
    snprintf(line, sizeof line, "# sum %s\n", sum);
    CHECK_OK(buffer_append(text, slice_text(line)));
}

/* The sample with a part of it changed, and a right sum. */
static int read_changed(const char *from, const char *to, struct neap_error *error)
{
    const char *place = strstr(written, from);
    struct manifest manifest = {0};
    struct buffer text;
    int code;

    CHECK(place);
    buffer_init(&text, 4096);
    CHECK_OK(buffer_append(&text, slice_of(written, (size_t)(place - written))));
    CHECK_OK(buffer_append(&text, slice_text(to)));
    CHECK_OK(buffer_append(&text, slice_text(place + strlen(from))));
    text_end(&text);
    code = manifest_read(buffer_slice(&text), &manifest, error);
    if (code)
        CHECK(!manifest.files && !manifest.count && !manifest.release[0]);
    manifest_done(&manifest);
    buffer_done(&text);
    return code;
}

TEST(a_manifest_is_written_in_one_way_and_read_back)
{
    struct manifest manifest, back = {0};
    struct buffer text, expected;

    buffer_init(&text, 4096);
    buffer_init(&expected, 4096);
    CHECK_OK(buffer_append(&expected, slice_text(written)));
    text_end(&expected);
    CHECK_OK(sample_fill(&manifest));
    CHECK_OK(manifest_write(&manifest, &text));
    CHECK_BYTES(buffer_slice(&text), buffer_slice(&expected));
    CHECK_OK(manifest_read(buffer_slice(&text), &back, NULL));
    CHECK_TEXT(back.release, "0.1.0");
    CHECK(back.node == manifest.node && back.made_ms == manifest.made_ms);
    CHECK_EQUAL(back.count, 3);
    CHECK(back.bytes == UINT64_MAX);
    CHECK_EQUAL(manifest_find(&back, "000012.sst")->size, 3);
    CHECK(checksum_equal(&manifest_find(&back, "CURRENT")->sum,
                         &manifest_find(&manifest, "CURRENT")->sum));
    CHECK(!manifest_find(&back, "CURREN") && !manifest_find(&back, "ZZ"));
    manifest_done(&back);
    manifest_done(&manifest);
    buffer_done(&text);
    buffer_done(&expected);
}

TEST(every_flipped_bit_and_every_cut_of_a_manifest_is_noticed)
{
    struct manifest manifest = {0};
    struct buffer text;
    size_t i;

    buffer_init(&text, 4096);
    CHECK_OK(buffer_append(&text, slice_text(written)));
    text_end(&text);
    for (i = 0; i < text.size * 8; i++) {
        text.data[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK_ERROR(manifest_read(buffer_slice(&text), &manifest, NULL), NEAP_CORRUPT);
        text.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (i = 0; i < text.size; i++)
        CHECK_ERROR(manifest_read(slice_of(text.data, i), &manifest, NULL), NEAP_CORRUPT);
    CHECK(!manifest.files);
    buffer_done(&text);
}

TEST(what_no_program_writes_is_no_manifest)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"# size 3\n", "# size 03\n"},
        {"# size 3\n", "# size +3\n"},
        {"# size 3\n", "# size \n"},
        {"# size 3\n", "# size 18446744073709551616\n"},
        {"# size 3\n", "# size 4\n"}, /* more bytes than there are numbers */
        {"# size 3\n", ""},
        {"bddd", "BDDD"},
        {"9  000012", "9 000012"},
        {"000012.sst", "../12.sst"},
        {"000012.sst", ".sst"},
        {"000012.sst", "a/b"},
        {"000012.sst", ""},
        {"000012.sst", "CURRENT"}, /* twice */
        {"000012.sst", "Z"},       /* not in order */
        {"000012.sst", "BACKUP"},
        {"000012.sst", "0123456789012345678901234567890123456789012345678"},
        {"# files 3\n", "# files 2\n"},
        {"# files 3\n", "# files 3\n\n"},
        {"# files 3\n", ""},
        {"node 0", "node "},
        {"node 0", "node 00"},
        {"node 0", "node G"},
        {"made 1", "made -1"},
        {"0.1.0", "012345678901234567890123456789012"},
        {"# neap backup 1\n", "# neap backup 0\n"},
        {"# neap backup 1\n", ""},
    };
    struct neap_error error = {0};
    size_t i;

    CHECK_OK(read_changed("# size 3\n", "# size 2\n", NULL));
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (read_changed(cases[i].from, cases[i].to, &error) != NEAP_CORRUPT)
            test_failed(__FILE__, __LINE__, "%s -> %s", cases[i].from, cases[i].to);
        CHECK_EQUAL(error.code, NEAP_CORRUPT);
    }
}

TEST(a_manifest_of_a_newer_version_is_said_to_be_one)
{
    struct neap_error error = {0};

    CHECK_ERROR(read_changed("# neap backup 1\n", "# neap backup 2\n", &error), NEAP_FORMAT);
    CHECK(strstr(error.text, "newer version"));
}

TEST(names_of_files_are_plain_and_there_once)
{
    struct checksum sum = {{0}};
    struct manifest manifest = {0};

    CHECK(manifest_name_is_fine("000012.sst") && manifest_name_is_fine("LOG.old_1-2"));
    CHECK(!manifest_name_is_fine("") && !manifest_name_is_fine("..") &&
          !manifest_name_is_fine("-rf") && !manifest_name_is_fine("a b") &&
          !manifest_name_is_fine("a\n") && !manifest_name_is_fine(MANIFEST_NAME));
    CHECK(manifest_name_is_fine("012345678901234567890123456789012345678901234567"));
    CHECK(!manifest_name_is_fine("0123456789012345678901234567890123456789012345678"));
    CHECK_ERROR(manifest_add(&manifest, "a/b", 1, &sum), NEAP_INVALID);
    CHECK_OK(manifest_add(&manifest, "a", UINT64_MAX, &sum));
    CHECK_ERROR(manifest_add(&manifest, "b", 1, &sum), NEAP_LIMIT);
    CHECK_OK(manifest_add(&manifest, "a", 0, &sum));
    CHECK_ERROR(manifest_sort(&manifest), NEAP_INVALID);
    manifest_done(&manifest);
}

TEST(a_manifest_has_a_limit)
{
    struct checksum sum = {{0}};
    struct manifest manifest = {0};
    char name[16];
    size_t i;

    for (i = 0; i < MANIFEST_FILES_MAX; i++) {
        snprintf(name, sizeof name, "%06zu.sst", i);
        CHECK_OK(manifest_add(&manifest, name, 1, &sum));
    }
    CHECK_ERROR(manifest_add(&manifest, "more", 1, &sum), NEAP_LIMIT);
    manifest_done(&manifest);
}

/* Written where there is too little room: nothing of it stays. */
TEST(a_manifest_is_written_whole_or_not_at_all)
{
    struct manifest manifest;
    struct buffer text;

    CHECK_OK(sample_fill(&manifest));
    buffer_init(&text, sizeof written);
    CHECK_OK(buffer_append(&text, slice_text("x")));
    CHECK_ERROR(manifest_write(&manifest, &text), NEAP_LIMIT);
    CHECK_SLICE(buffer_slice(&text), "x");
    buffer_done(&text);
    manifest_done(&manifest);
}

static int write_and_read(void *argument)
{
    struct manifest manifest, back = {0};
    struct buffer text;
    int error = sample_fill(&manifest);

    (void)argument;
    buffer_init(&text, 4096);
    if (!error)
        error = manifest_write(&manifest, &text);
    if (error)
        CHECK_EQUAL(text.size, 0);
    else
        error = manifest_read(buffer_slice(&text), &back, NULL);
    if (error)
        CHECK(!back.files);
    manifest_done(&back);
    manifest_done(&manifest);
    buffer_done(&text);
    return error;
}

TEST(a_manifest_needs_memory_and_says_so)
{
    test_alloc_sweep(write_and_read, NULL);
}
