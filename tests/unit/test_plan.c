/* Plans: what may be staged, and what comes of it. */
#include "engine/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "tests/support/test.h"

enum { SLOTS = 1024, OWNERS = 3, CHANGES = 40 };

/* A ring without a store: its layouts so far. */
struct line {
    struct plan_change changes[CHANGES];
    struct plan plan;
    struct ring ring;
    struct ring_layout layout;
    struct neap_error error;
};

static void line_init(struct line *line)
{
    memset(line, 0, sizeof *line);
    line->plan.changes = line->changes;
    snprintf(line->ring.name, sizeof line->ring.name, "main");
}

static const struct ring *ring_now(struct line *line)
{
    return line->ring.layouts_count ? &line->ring : NULL;
}

static int stage(struct line *line, struct plan_change change)
{
    int code = plan_check(ring_now(line), &line->plan, &change, &line->error);

    if (!code)
        line->changes[line->plan.count++] = change;
    return code;
}

static struct plan_change create(unsigned n, unsigned slots)
{
    return (struct plan_change){.kind = PLAN_CREATE, .n = n, .slots = slots};
}

static struct plan_change join(uint64_t node, const char *zone, uint32_t weight)
{
    struct plan_change change = {.node = node, .kind = PLAN_JOIN, .weight = weight};

    snprintf(change.zone, sizeof change.zone, "%s", zone);
    return change;
}

/* Into a new layout, which is not the ring's yet. */
static int next(struct line *line, struct ring_layout *ret_layout)
{
    return plan_next(ring_now(line), &line->plan, ret_layout, &line->error);
}

static int commit(struct line *line)
{
    struct ring_layout layout = {0};
    int code = next(line, &layout);

    if (code)
        return code;
    ring_layout_done(&line->layout);
    line->layout = layout;
    line->ring.layouts = &line->layout;
    line->ring.layouts_count = 1;
    line->ring.n = layout.layout.wanted_n;
    line->ring.slots = layout.layout.slots;
    line->plan.count = 0;
    return 0;
}

static void line_done(struct line *line)
{
    ring_layout_done(&line->layout);
}

static void make_ring(struct line *line, unsigned nodes)
{
    line_init(line);
    CHECK_OK(stage(line, create(OWNERS, SLOTS)));
    for (unsigned i = 1; i <= nodes; i++)
        CHECK_OK(stage(line, join(i, "hall", 100)));
    CHECK_OK(commit(line));
}

/* ---- what issue 7 asks for ---- */

TEST(ten_equal_nodes_hold_the_same_and_an_eleventh_moves_its_part)
{
    struct ring_layout after = {0};
    struct line line;
    unsigned moves;

    make_ring(&line, 10);
    for (unsigned i = 1; i <= 10; i++)
        CHECK(layout_load(&line.layout.layout, i) * 1000 <= SLOTS * OWNERS * 105);
    CHECK_EQUAL(ring_version(line.layout.stamp), 1);
    CHECK_OK(stage(&line, join(11, "hall", 100)));
    CHECK_OK(next(&line, &after));
    CHECK_EQUAL(ring_version(after.stamp), 2);
    CHECK_EQUAL(after.parent, line.layout.stamp);
    moves = layout_moves(&line.layout.layout, &after.layout);
    CHECK(moves * 110 <= SLOTS * OWNERS * 11);
    for (unsigned i = 1; i <= 11; i++)
        CHECK(layout_load(&after.layout, i) * 1100 <= SLOTS * OWNERS * 105);
    ring_layout_done(&after);
    line_done(&line);
}

TEST(weights_are_kept_to_when_they_are_changed_too)
{
    static const uint32_t weights[] = {100, 200, 400};
    struct line line;

    make_ring(&line, 9);
    for (unsigned i = 1; i <= 9; i++)
        CHECK_OK(stage(
            &line, (struct plan_change){.node = i, .kind = PLAN_WEIGHT, .weight = weights[i % 3]}));
    CHECK_OK(commit(&line));
    for (unsigned i = 1; i <= 9; i++) {
        uint64_t fair = plan_fair(&line.layout.layout, i);
        uint64_t load = layout_load(&line.layout.layout, i) * UINT64_C(1000);

        CHECK_EQUAL(fair, (uint64_t)SLOTS * OWNERS * 1000 * weights[i % 3] / 2100);
        CHECK(load * 20 >= fair * 19 && load * 20 <= fair * 21);
    }
    line_done(&line);
}

/* ---- changes ---- */

TEST(a_replacement_moves_what_the_replaced_one_held)
{
    struct ring_layout after = {0};
    struct plan_change change = {.node = 3, .kind = PLAN_REPLACE, .by = 20};
    struct line line;

    make_ring(&line, 6);
    CHECK_OK(stage(&line, change));
    CHECK_OK(next(&line, &after));
    CHECK_EQUAL(layout_moves(&line.layout.layout, &after.layout),
                layout_load(&line.layout.layout, 3));
    CHECK_EQUAL(layout_load(&after.layout, 20), layout_load(&line.layout.layout, 3));
    CHECK(!ring_zone(&after, 3));
    CHECK_TEXT(ring_zone(&after, 20), "hall");
    ring_layout_done(&after);
    snprintf(line.changes[0].zone, sizeof line.changes[0].zone, "attic");
    CHECK_OK(next(&line, &after));
    CHECK_TEXT(ring_zone(&after, 20), "attic");
    CHECK_EQUAL(after.zones_count, 2);
    CHECK_TEXT(after.zones[0].name, "attic");
    ring_layout_done(&after);
    line_done(&line);
}

TEST(who_leaves_holds_nothing_and_his_zone_goes_with_him)
{
    struct line line;

    make_ring(&line, 5);
    CHECK_OK(stage(&line, join(6, "attic", 100)));
    CHECK_OK(commit(&line));
    CHECK_EQUAL(line.layout.zones_count, 2);
    CHECK_OK(stage(&line, (struct plan_change){.node = 6, .kind = PLAN_LEAVE}));
    CHECK_OK(commit(&line));
    CHECK_EQUAL(line.layout.zones_count, 1);
    CHECK_EQUAL(line.layout.layout.nodes_count, 5);
    line_done(&line);
}

/* The same plan on both sides of a partition is the same layout; another is another one. */
TEST(a_layout_follows_from_the_plan_alone)
{
    struct ring_layout one = {0}, other = {0};
    struct line line;

    make_ring(&line, 4);
    CHECK_OK(stage(&line, join(9, "hall", 100)));
    CHECK_OK(next(&line, &one));
    CHECK_OK(next(&line, &other));
    CHECK_EQUAL(one.stamp, other.stamp);
    ring_layout_done(&other);
    line.plan.count = 0;
    CHECK_OK(stage(&line, join(9, "hall", 101)));
    CHECK_OK(next(&line, &other));
    CHECK(one.stamp != other.stamp);
    CHECK_EQUAL(ring_version(one.stamp), ring_version(other.stamp));
    ring_layout_done(&one);
    ring_layout_done(&other);
    line_done(&line);
}

/* Two sides staged the same join; one committed it. */
TEST(what_has_come_true_meanwhile_is_nothing_new)
{
    struct ring_layout after = {0};
    struct line line;

    make_ring(&line, 4);
    line.changes[line.plan.count++] = join(2, "hall", 100);
    line.changes[line.plan.count++] =
        (struct plan_change){.node = 3, .kind = PLAN_REPLACE, .by = 2, .zone = "hall"};
    CHECK_OK(next(&line, &after));
    CHECK_EQUAL(after.layout.nodes_count, 3);
    ring_layout_done(&after);
    line_done(&line);
}

TEST(what_makes_no_sense_is_not_staged)
{
    struct line line;

    line_init(&line);
    CHECK_ERROR(stage(&line, join(1, "hall", 1)), NEAP_NOTFOUND);
    CHECK_ERROR(stage(&line, create(0, 16)), NEAP_INVALID);
    CHECK_ERROR(stage(&line, create(8, 16)), NEAP_INVALID);
    CHECK_ERROR(stage(&line, create(3, 17)), NEAP_INVALID);
    CHECK_ERROR(stage(&line, create(3, 8192)), NEAP_INVALID);
    CHECK_OK(stage(&line, create(3, 16)));
    CHECK_ERROR(stage(&line, join(0, "hall", 1)), NEAP_INVALID);
    CHECK_ERROR(stage(&line, join(1, "a b", 1)), NEAP_INVALID);
    CHECK_ERROR(stage(&line, join(1, "hall", PLAN_WEIGHT_MAX + 1)), NEAP_LIMIT);
    CHECK_ERROR(stage(&line, (struct plan_change){.node = 1, .kind = PLAN_LEAVE}), NEAP_NOTFOUND);
    CHECK_OK(stage(&line, join(1, "hall", 1)));
    CHECK_OK(stage(&line, join(2, "hall", 1)));
    CHECK_OK(commit(&line));
    CHECK_ERROR(stage(&line, create(3, 16)), NEAP_REFUSED);
    CHECK_ERROR(stage(&line, join(1, "hall", 1)), NEAP_REFUSED);
    CHECK_ERROR(stage(&line, (struct plan_change){.node = 1, .kind = PLAN_REPLACE, .by = 2}),
                NEAP_REFUSED);
    CHECK_OK(stage(&line, join(3, "hall", 1)));
    CHECK_ERROR(stage(&line, (struct plan_change){.node = 1, .kind = PLAN_REPLACE, .by = 3}),
                NEAP_REFUSED);
    CHECK_ERROR(stage(&line, (struct plan_change){.node = 9, .kind = PLAN_WEIGHT}), NEAP_NOTFOUND);
    line_done(&line);
}

TEST(no_layout_comes_of_nothing_and_of_nobody)
{
    struct ring_layout layout = {0};
    struct line line;

    line_init(&line);
    CHECK_ERROR(next(&line, &layout), NEAP_REFUSED);
    CHECK_OK(stage(&line, create(3, 16)));
    CHECK_ERROR(next(&line, &layout), NEAP_INVALID);
    CHECK_OK(stage(&line, join(1, "hall", 1)));
    CHECK_OK(commit(&line));
    CHECK_ERROR(next(&line, &layout), NEAP_REFUSED);
    CHECK_OK(stage(&line, (struct plan_change){.node = 1, .kind = PLAN_LEAVE}));
    CHECK_ERROR(next(&line, &layout), NEAP_INVALID);
    line.ring.layouts_count = RING_COMMIT_MAX;
    /* Of them only the last is looked at. */
    struct ring_layout layouts[RING_COMMIT_MAX];
    for (size_t i = 0; i < RING_COMMIT_MAX; i++)
        layouts[i] = line.layout;
    line.ring.layouts = layouts;
    CHECK_ERROR(next(&line, &layout), NEAP_REFUSED);
    CHECK(strstr(line.error.text, "under way"));
    line_done(&line);
}

/* ---- warnings ---- */

static unsigned warnings(const struct ring_layout *layout, const char *about)
{
    char text[256];
    unsigned found = 0;
    size_t at = 0;

    while (plan_warning(layout, &at, text, sizeof text))
        found += strstr(text, about) != NULL;
    return found;
}

TEST(an_operator_is_warned_of_zones_and_of_shares_that_do_not_fit)
{
    struct line line;

    line_init(&line);
    CHECK_OK(stage(&line, create(3, 256)));
    CHECK_OK(stage(&line, join(1, "a", 100)));
    CHECK_OK(stage(&line, join(2, "b", 100)));
    CHECK_OK(commit(&line));
    CHECK_EQUAL(warnings(&line.layout, "3 owners of a slot are wanted"), 1);
    CHECK_EQUAL(warnings(&line.layout, "zone"), 0);
    CHECK_OK(stage(&line, join(3, "b", 100)));
    CHECK_OK(commit(&line));
    CHECK_EQUAL(warnings(&line.layout, "2 zones for 3 owners"), 1);
    CHECK_OK(stage(&line, join(4, "c", 100)));
    CHECK_OK(stage(&line, join(5, "c", 400)));
    CHECK_OK(commit(&line));
    CHECK_EQUAL(warnings(&line.layout, "owners of a slot"), 0);
    /* c has 500 of 800 and holds a third; so a and b hold more than their part. */
    CHECK_EQUAL(warnings(&line.layout, "by its weight"), 5);
    CHECK_EQUAL(warnings(&line.layout, "node 0000000000000005"), 1);
    line_done(&line);
}

/* ---- bytes ---- */

TEST(a_change_is_read_as_it_was_written_and_hostile_bytes_are_corrupt)
{
    struct plan_change change = join(7, "hall", 250), found;
    struct buffer bytes, again;
    struct rng rng;

    change.kind = PLAN_REPLACE;
    change.by = 12;
    buffer_init(&bytes, 1024);
    buffer_init(&again, 1024);
    CHECK_OK(plan_change_pack(&change, &bytes));
    CHECK_OK(plan_change_unpack(7, buffer_slice(&bytes), &found));
    CHECK(!memcmp(&found, &change, sizeof found));
    rng_init(&rng, 3);
    for (unsigned i = 0; i < 20000; i++) {
        size_t at = rng_below(&rng, bytes.size);
        uint8_t old = bytes.data[at];

        bytes.data[at] = (uint8_t)rng_u64(&rng);
        buffer_clear(&again);
        if (!plan_change_unpack(7, slice_of(bytes.data, bytes.size - i % 2), &found)) {
            CHECK_OK(plan_change_pack(&found, &again));
            CHECK_BYTES(buffer_slice(&again), slice_of(bytes.data, bytes.size - i % 2));
        }
        bytes.data[at] = old;
    }
    buffer_done(&bytes);
    buffer_done(&again);
}

static int plan_once(void *argument)
{
    struct line *line = argument;
    struct ring_layout layout = {0};
    int code = next(line, &layout);

    if (!code)
        ring_layout_done(&layout);
    return code;
}

TEST(plans_survive_failing_allocations)
{
    struct line line;

    make_ring(&line, 4);
    CHECK_OK(stage(&line, join(9, "attic", 100)));
    test_alloc_sweep(plan_once, &line);
    line_done(&line);
}
