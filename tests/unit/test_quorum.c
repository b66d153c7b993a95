#include "engine/quorum.h"

#include <string.h>

#include "tests/support/test.h"

enum { MEMBERS_MAX = 6 };

/* What a member has come to. */
enum member { YES, NO, AWAY, SILENT, MEMBER_STATES };

TEST(levels_say_how_many_of_the_members)
{
    static const struct {
        unsigned members, quorum;
    } cases[] = {{1, 1}, {2, 2}, {3, 2}, {4, 3}, {5, 3}, {6, 4}, {64, 33}};
    unsigned need = 99;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(quorum_need(NEAP_ONE, cases[i].members, &need, NULL));
        CHECK_EQUAL(need, 0);
        CHECK_OK(quorum_need(NEAP_QUORUM, cases[i].members, &need, NULL));
        CHECK_EQUAL(need, cases[i].quorum);
        CHECK_OK(quorum_need(NEAP_ALL, cases[i].members, &need, NULL));
        CHECK_EQUAL(need, cases[i].members);
    }
    CHECK_ERROR(quorum_need(NEAP_LOCAL_QUORUM, 2, &need, NULL), NEAP_REFUSED);
    CHECK_ERROR(quorum_need(NEAP_EACH_QUORUM, 2, &need, NULL), NEAP_REFUSED);
    CHECK_ERROR(quorum_need((enum neap_level)99, 2, &need, NULL), NEAP_INVALID);
    CHECK_EQUAL(need, 64);
}

TEST(a_number_is_what_it_says_whatever_the_members)
{
    for (unsigned number = 1; number <= LEVEL_NODES_MAX; number += number < 70 ? 1 : 997) {
        enum neap_level level = level_of_nodes(number);
        unsigned need = 0;

        CHECK(level_is_one(level) && level > NEAP_EACH_QUORUM);
        CHECK_OK(quorum_check(level, "a", NULL));
        CHECK_OK(quorum_check(level, "a@ring", NULL));
        for (unsigned members = 0; members <= MEMBERS_MAX; members++) {
            CHECK_OK(quorum_need(level, members, &need, NULL));
            CHECK_EQUAL(need, number);
            CHECK_EQUAL(quorum_of_group(level, members), number);
        }
    }
    CHECK(level_is_one(NEAP_EACH_QUORUM) && !level_is_one(NEAP_EACH_QUORUM + 1));
    CHECK(!level_is_one(LEVEL_NODES) && level_is_one(LEVEL_NODES + LEVEL_NODES_MAX));
    CHECK(!level_is_one(LEVEL_NODES + LEVEL_NODES_MAX + 1) && !level_is_one(UINT64_MAX));
}

/* Of a node that may not vote itself: a device. */
TEST(of_no_members_a_quorum_is_never_reached_and_all_of_them_always)
{
    struct quorum quorum = {0};

    CHECK_OK(quorum_need(NEAP_QUORUM, 0, &quorum.need, NULL));
    CHECK_EQUAL(quorum_verdict(&quorum), QUORUM_UNAVAILABLE);
    CHECK_OK(quorum_need(NEAP_ALL, 0, &quorum.need, NULL));
    CHECK_EQUAL(quorum_verdict(&quorum), QUORUM_DONE);
}

/* ---- against brute force: every group, every future of it ---- */

/* Who is silent says yes or no; who is away is waited for only where something has begun. */
static bool can_come(const enum member *members, unsigned count, unsigned need, bool begun)
{
    for (unsigned future = 0; future < 1u << count; future++) {
        unsigned yes = 0;
        bool possible = true;

        for (unsigned i = 0; i < count; i++) {
            bool says_yes = future >> i & 1;

            if ((members[i] == YES && !says_yes) || (members[i] == NO && says_yes) ||
                (members[i] == AWAY && !begun && says_yes))
                possible = false;
            yes += says_yes;
        }
        if (possible && yes >= need)
            return true;
    }
    return false;
}

static enum quorum_verdict brute(const enum member *members, unsigned count,
                                 const struct quorum *quorum)
{
    unsigned yes = 0;

    for (unsigned i = 0; i < count; i++)
        yes += members[i] == YES;
    if (yes >= quorum->need)
        return QUORUM_DONE;
    if (!quorum->late && can_come(members, count, quorum->need, quorum->begun))
        return QUORUM_WAITS;
    return quorum->begun ? QUORUM_UNCERTAIN : QUORUM_UNAVAILABLE;
}

static void check_group(const enum member *members, unsigned count)
{
    struct quorum quorum = {.members = count};

    for (unsigned i = 0; i < count; i++) {
        quorum.yes += members[i] == YES;
        quorum.no += members[i] == NO;
        quorum.away += members[i] == AWAY;
    }
    for (quorum.need = 0; quorum.need <= count + 1; quorum.need++) {
        for (unsigned flags = 0; flags < 4; flags++) {
            quorum.begun = flags & 1;
            quorum.late = flags & 2;
            CHECK_EQUAL(quorum_verdict(&quorum), brute(members, count, &quorum));
        }
    }
}

TEST(a_verdict_is_that_of_trying_every_future)
{
    for (unsigned count = 0; count <= MEMBERS_MAX; count++) {
        enum member members[MEMBERS_MAX] = {0};
        unsigned groups = 1;

        for (unsigned i = 0; i < count; i++)
            groups *= MEMBER_STATES;
        for (unsigned group = 0; group < groups; group++) {
            unsigned left = group;

            for (unsigned i = 0; i < count; i++, left /= MEMBER_STATES)
                members[i] = (enum member)(left % MEMBER_STATES);
            check_group(members, count);
        }
    }
}

/* ---- what quorums are for ---- */

static unsigned ones(unsigned bits)
{
    unsigned count = 0;

    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

/* Do any r and any w of so many members have one in common? By trying all. */
static bool always_meet(unsigned members, unsigned r, unsigned w)
{
    for (unsigned read = 0; read < 1u << members; read++) {
        for (unsigned wrote = 0; wrote < 1u << members; wrote++) {
            if (ones(read) == r && ones(wrote) == w && !(read & wrote))
                return false;
        }
    }
    return true;
}

TEST(what_is_written_to_a_quorum_is_met_by_every_quorum_that_reads)
{
    static const enum neap_level levels[] = {NEAP_QUORUM, NEAP_ALL};

    for (unsigned members = 1; members <= MEMBERS_MAX; members++) {
        for (unsigned r = 1; r <= members; r++) {
            for (unsigned w = 1; w <= members; w++) {
                unsigned reads = 0, writes = 0;

                CHECK_OK(quorum_need(level_of_nodes(r), members, &reads, NULL));
                CHECK_OK(quorum_need(level_of_nodes(w), members, &writes, NULL));
                CHECK_EQUAL(always_meet(members, reads, writes), r + w > members);
            }
        }
        for (unsigned i = 0; i < 4; i++) {
            unsigned r = 0, w = 0;

            CHECK_OK(quorum_need(levels[i % 2], members, &r, NULL));
            CHECK_OK(quorum_need(levels[i / 2], members, &w, NULL));
            CHECK(always_meet(members, r, w));
        }
    }
}

/* A device has no say itself: so that what it writes, and what it reads, meets as well. */
TEST(two_devices_meet_in_a_quorum_of_the_nodes)
{
    for (unsigned nodes = 1; nodes <= MEMBERS_MAX; nodes++) {
        unsigned need = 0;

        CHECK_OK(quorum_need(NEAP_QUORUM, nodes, &need, NULL));
        CHECK(always_meet(nodes, need, need));
    }
}

/* ---- several groups, and texts ---- */

TEST(of_two_groups_both_have_to_be_reached)
{
    for (unsigned one = QUORUM_DONE; one <= QUORUM_UNCERTAIN; one++) {
        for (unsigned other = QUORUM_DONE; other <= QUORUM_UNCERTAIN; other++) {
            enum quorum_verdict both =
                quorum_both((enum quorum_verdict)one, (enum quorum_verdict)other);

            CHECK_EQUAL(both == QUORUM_DONE, one == QUORUM_DONE && other == QUORUM_DONE);
            CHECK_EQUAL(both == QUORUM_WAITS,
                        one <= QUORUM_WAITS && other <= QUORUM_WAITS && one + other > 0);
        }
    }
}

TEST(what_was_not_reached_is_told_in_numbers)
{
    struct quorum quorum = {.members = 5, .need = 3, .yes = 1, .away = 3};
    struct neap_error error = {0};

    CHECK_OK(quorum_error(&quorum, QUORUM_DONE, &error));
    CHECK_EQUAL(error.code, 0);
    CHECK_ERROR(quorum_error(&quorum, QUORUM_UNAVAILABLE, &error), NEAP_UNAVAILABLE);
    CHECK_TEXT(error.text, "level: 3 of 5 nodes are needed, 1 have answered, 3 can't be reached: "
                           "nothing was done");
    quorum.begun = true;
    CHECK_ERROR(quorum_error(&quorum, QUORUM_UNCERTAIN, &error), NEAP_UNCERTAIN);
    CHECK(strstr(error.text, "1 have it"));
}
