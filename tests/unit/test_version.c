#include "base/version.h"

#include <string.h>

#include "tests/support/test.h"

static const struct versions only_first = {1, 1}, fourth = {3, 4};

TEST(the_own_version_is_read_and_the_one_before)
{
    static const struct {
        uint64_t found;
        struct versions reads;
        int code;
    } cases[] = {
        {0, {1, 1}, NEAP_CORRUPT},
        {1, {1, 1}, 0},
        {2, {1, 1}, NEAP_FORMAT},
        {0, {1, 2}, NEAP_CORRUPT},
        {1, {1, 2}, 0},
        {2, {1, 2}, 0},
        {3, {1, 2}, NEAP_FORMAT},
        {0, {3, 4}, NEAP_CORRUPT},
        {1, {3, 4}, NEAP_FORMAT},
        {2, {3, 4}, NEAP_FORMAT},
        {3, {3, 4}, 0},
        {4, {3, 4}, 0},
        {5, {3, 4}, NEAP_FORMAT},
        {UINT32_MAX, {3, 4}, NEAP_FORMAT},
        {UINT64_MAX, {3, 4}, NEAP_FORMAT},
        {((uint64_t)1 << 32) + 4, {3, 4}, NEAP_FORMAT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct neap_error error = {0};

        CHECK_ERROR(version_check(cases[i].found, cases[i].reads), cases[i].code);
        CHECK_ERROR(version_refuse(cases[i].found, cases[i].reads, "it", &error), cases[i].code);
        CHECK_EQUAL(error.code, cases[i].code);
        CHECK_EQUAL(error.text[0] != 0, cases[i].code != 0);
        CHECK_ERROR(version_refuse(cases[i].found, cases[i].reads, "it", NULL), cases[i].code);
    }
}

TEST(a_refusal_says_what_is_there_what_is_read_and_what_to_do)
{
    struct neap_error error = {0};

    version_refuse(2, only_first, "the box", &error);
    CHECK_TEXT(error.text, "the box has format 2, this program (" PACKAGE_VERSION
                           ") reads 1: use a newer version of the program; nothing was changed");
    version_refuse(7, fourth, "the box", &error);
    CHECK(strstr(error.text, "has format 7") && strstr(error.text, "reads 3 to 4") &&
          strstr(error.text, "newer version of the program"));
    version_refuse(2, fourth, "the box", &error);
    CHECK(strstr(error.text, "has format 2") && strstr(error.text, "reads 3 to 4") &&
          strstr(error.text, "each version of the program between"));
    version_refuse(0, fourth, "the box", &error);
    CHECK_TEXT(error.text, "the box: the number of its format is damaged");
}

/* What the next version will accept is decided today: this one. */
TEST(neighbours_talk_with_each_other)
{
    static const struct {
        uint64_t newest;
        struct versions speaks;
        int code;
    } cases[] = {
        {0, {1, 1}, NEAP_CORRUPT},
        {1, {1, 1}, 0},
        {2, {1, 1}, 0},
        {3, {1, 1}, NEAP_FORMAT},
        {2, {3, 4}, NEAP_FORMAT},
        {3, {3, 4}, 0},
        {4, {3, 4}, 0},
        {5, {3, 4}, 0},
        {6, {3, 4}, NEAP_FORMAT},
        {0, {3, 4}, NEAP_CORRUPT},
        {UINT64_MAX, {3, 4}, NEAP_FORMAT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_ERROR(version_agree(cases[i].newest, cases[i].speaks), cases[i].code);
}

static void ask_nonsense(void *argument)
{
    (void)version_check(1, *(const struct versions *)argument);
}

TEST(a_program_reads_something)
{
    struct versions none = {0, 1}, backwards = {2, 1};

    CHECK_DIES(ask_nonsense, &none);
    CHECK_DIES(ask_nonsense, &backwards);
}
