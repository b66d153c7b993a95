#include "base/checksum.h"

#include "tests/support/test.h"

/* As `printf abc | b2sum -l 256` has it. */
static const char of_abc[] = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";

TEST(a_checksum_is_that_of_b2sum)
{
    char text[CHECKSUM_DIGITS + 1];
    struct checksum sum = checksum_of(slice_text("abc"));

    checksum_text(&sum, text);
    CHECK_TEXT(text, of_abc);
    sum = checksum_of(slice_of(NULL, 0));
    checksum_text(&sum, text);
    CHECK_TEXT(text, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

TEST(a_checksum_does_not_depend_on_the_pieces)
{
    static const char bytes[] = "The tide with the smallest difference between high and low water, "
                                "longer than one block of the function, which has 128 bytes.";
    struct checksum whole = checksum_of(slice_text(bytes)), pieces;
    struct checksum_run run;
    size_t cut;

    for (cut = 0; cut < sizeof bytes; cut++) {
        checksum_begin(&run);
        checksum_add(&run, slice_of(bytes, cut));
        checksum_add(&run, slice_of(bytes + cut, sizeof bytes - 1 - cut));
        pieces = checksum_end(&run);
        CHECK(checksum_equal(&pieces, &whole));
    }
    whole.bytes[31] ^= 1;
    CHECK(!checksum_equal(&pieces, &whole));
}

TEST(a_checksum_is_read_from_its_text_and_nothing_else)
{
    struct checksum sum = {{0}}, expected = checksum_of(slice_text("abc"));
    char text[CHECKSUM_DIGITS + 1];

    CHECK(checksum_parse(slice_text(of_abc), &sum));
    CHECK(checksum_equal(&sum, &expected));
    CHECK(!checksum_parse(slice_of(of_abc, CHECKSUM_DIGITS - 1), &sum));
    CHECK(!checksum_parse(slice_of(of_abc, CHECKSUM_DIGITS + 1), &sum));
    memcpy(text, of_abc, sizeof text);
    text[0] = 'B';
    CHECK(!checksum_parse(slice_text(text), &sum));
    text[0] = 'g';
    CHECK(!checksum_parse(slice_text(text), &sum));
    CHECK(checksum_equal(&sum, &expected));
}
