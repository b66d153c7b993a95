/* Layouts of a ring: what each holds, and how little moves. */
#include "gossip/layout.h"

#include <string.h>

#include "base/rng.h"
#include "tests/support/test.h"

enum { SLOTS = 1024, OWNERS = 3, MANY = 40 };

static struct layout_node node(uint64_t id, uint64_t zone, uint32_t weight)
{
    return (struct layout_node){.id = id, .zone = zone, .weight = weight};
}

static struct layout first(const struct layout_node *nodes, size_t count, unsigned slots,
                           unsigned n)
{
    struct layout layout = {0};

    CHECK_OK(layout_next(NULL, nodes, count, slots, n, &layout));
    return layout;
}

static void owners_are_apart(const struct layout *layout)
{
    for (unsigned slot = 0; slot < layout->slots; slot++) {
        const uint16_t *owners = layout->owners + (size_t)slot * layout->n;

        for (unsigned i = 0; i < layout->n; i++) {
            unsigned in_zone = 0;

            CHECK(owners[i] < layout->nodes_count);
            CHECK(layout->nodes[owners[i]].weight > 0);
            for (unsigned k = 0; k < layout->n; k++) {
                CHECK(i == k || owners[i] != owners[k]);
                in_zone += layout->nodes[owners[i]].zone == layout->nodes[owners[k]].zone;
            }
            CHECK(in_zone <= layout->a_zone);
        }
    }
}

TEST(equal_nodes_hold_the_same_and_one_more_takes_no_more_than_its_part)
{
    struct layout_node nodes[11];
    struct layout before, after;

    for (unsigned i = 0; i < 11; i++)
        nodes[i] = node(100 + i, 1, 10);
    before = first(nodes, 10, SLOTS, OWNERS);
    owners_are_apart(&before);
    for (unsigned i = 0; i < 10; i++)
        CHECK(layout_load(&before, 100 + i) <= SLOTS * OWNERS / 10 + 1);
    CHECK_OK(layout_next(&before, nodes, 11, SLOTS, OWNERS, &after));
    owners_are_apart(&after);
    for (unsigned i = 0; i < 11; i++)
        CHECK(layout_load(&after, 100 + i) <= SLOTS * OWNERS / 11 + 1);
    CHECK(layout_moves(&before, &after) <= SLOTS * OWNERS / 11 + 1);
    CHECK_EQUAL(layout_moves(&before, &after), layout_load(&after, 110));
    layout_done(&before);
    layout_done(&after);
}

TEST(weights_are_respected_within_and_without_zones)
{
    for (uint64_t zones = 1; zones <= 3; zones += 2) {
        struct layout_node nodes[9];
        struct layout layout;

        for (unsigned i = 0; i < 9; i++)
            nodes[i] = node(1 + i, zones == 1 ? 0 : i / 3, 1U << i % 3);
        layout = first(nodes, 9, SLOTS, OWNERS);
        owners_are_apart(&layout);
        CHECK_EQUAL(layout.a_zone, zones == 1 ? 3 : 1);
        for (unsigned i = 0; i < 9; i++) {
            unsigned fair = SLOTS * OWNERS / 3 * (1U << i % 3) / 7,
                     load = layout_load(&layout, 1 + i);

            CHECK(load * 20 >= fair * 19 && load * 20 <= fair * 21);
        }
        layout_done(&layout);
    }
}

TEST(what_a_zone_can_not_take_goes_to_the_others)
{
    /* Zone 1 has five eighths of the weight, but can hold each slot once at most. */
    const struct layout_node nodes[] = {node(1, 1, 100), node(2, 2, 10), node(3, 2, 20),
                                        node(4, 3, 30)};
    struct layout layout = first(nodes, 4, SLOTS, 2);

    owners_are_apart(&layout);
    CHECK_EQUAL(layout.a_zone, 1);
    CHECK(layout_load(&layout, 1) + 3 >= SLOTS); /* parts are rounded up */
    CHECK(layout_load(&layout, 2) <= SLOTS / 6 + 1);
    CHECK(layout_load(&layout, 3) <= SLOTS / 3 + 1);
    CHECK(layout_load(&layout, 4) <= SLOTS / 2 + 1);
    layout_done(&layout);
}

TEST(fewer_nodes_or_zones_than_owners)
{
    const struct layout_node nodes[] = {node(1, 1, 1), node(2, 1, 1), node(3, 2, 1), node(4, 2, 0)};
    struct layout layout = first(nodes, 2, SLOTS, OWNERS);

    CHECK_EQUAL(layout.n, 2);
    CHECK_EQUAL(layout.a_zone, 2);
    owners_are_apart(&layout);
    layout_done(&layout);
    layout = first(nodes, 4, SLOTS, OWNERS);
    CHECK_EQUAL(layout.n, 3);
    CHECK_EQUAL(layout.a_zone, 2);
    CHECK_EQUAL(layout_load(&layout, 4), 0);
    owners_are_apart(&layout);
    layout_done(&layout);
}

TEST(nothing_moves_when_nothing_changes_and_the_order_of_nodes_is_nothing)
{
    struct layout_node nodes[7], turned[7];
    struct layout one, other;

    for (unsigned i = 0; i < 7; i++)
        nodes[i] = turned[6 - i] = node(1 + i, i % 3, 1 + i % 2);
    one = first(nodes, 7, SLOTS, OWNERS);
    other = first(turned, 7, SLOTS, OWNERS);
    CHECK(memcmp(one.owners, other.owners, SLOTS * OWNERS * sizeof(*one.owners)) == 0);
    layout_done(&other);
    CHECK_OK(layout_next(&one, turned, 7, SLOTS, OWNERS, &other));
    CHECK(memcmp(one.owners, other.owners, SLOTS * OWNERS * sizeof(*one.owners)) == 0);
    layout_done(&one);
    layout_done(&other);
}

TEST(a_node_that_is_replaced_gives_all_to_the_one_in_its_place)
{
    struct layout_node nodes[9];
    struct layout before, after;

    for (unsigned i = 0; i < 9; i++)
        nodes[i] = node(1 + i, i % 3, 1);
    before = first(nodes, 9, SLOTS, OWNERS);
    nodes[4].id = 77;
    CHECK_OK(layout_next(&before, nodes, 9, SLOTS, OWNERS, &after));
    owners_are_apart(&after);
    CHECK_EQUAL(layout_moves(&before, &after), layout_load(&before, 5));
    layout_done(&before);
    layout_done(&after);
}

/* ---- against all layouts that there are ---- */

enum { FEW_SLOTS = 4 };

struct all {
    const struct layout_node *nodes;
    const struct layout *before;
    unsigned count, n, a_zone, room[8], load[8], least;
};

static bool was(const struct all *all, unsigned slot, unsigned index)
{
    for (unsigned i = 0; i < all->before->n; i++)
        if (all->before->nodes[all->before->owners[slot * all->before->n + i]].id ==
            all->nodes[index].id)
            return true;
    return false;
}

/* Every set of owners for this slot and those after it. */
static void try_all(struct all *all, unsigned slot, unsigned from, unsigned chosen, unsigned moves)
{
    unsigned count = 0;

    for (unsigned i = 0; i < all->count; i++)
        count += chosen >> i & 1;
    if (moves >= all->least)
        return;
    if (count == all->n) {
        if (slot + 1 == FEW_SLOTS)
            all->least = moves;
        else
            try_all(all, slot + 1, 0, 0, moves);
        return;
    }
    for (unsigned i = from; i < all->count; i++) {
        unsigned in_zone = 0;

        for (unsigned k = 0; k < all->count; k++)
            in_zone += (chosen >> k & 1) && all->nodes[k].zone == all->nodes[i].zone;
        if (in_zone == all->a_zone || all->load[i] == all->room[i])
            continue;
        all->load[i]++;
        try_all(all, slot, i + 1, chosen | 1U << i, moves + !was(all, slot, i));
        all->load[i]--;
    }
}

static unsigned round_up(unsigned a, unsigned b)
{
    return (a + b - 1) / b;
}

/* Two zones of equal weight, or one: then what a node takes at most is easily told. */
static void rooms_of(struct all *all, unsigned zones)
{
    unsigned room = FEW_SLOTS * all->n;

    for (unsigned i = 0; i < all->count; i++) {
        unsigned same = 0;

        for (unsigned k = 0; k < all->count; k++)
            same += all->nodes[k].zone == all->nodes[i].zone;
        all->room[i] = zones == 1 ? round_up(room, all->count) : round_up(room / 2, same);
    }
}

static void small_is_least(struct rng *rng)
{
    unsigned zones = 1 + (unsigned)rng_below(rng, 2), all_of = zones == 1 ? 5 : 6, kept;
    struct layout_node nodes[6], some[6];
    struct layout before, after;
    struct all all = {.nodes = some, .n = 2, .least = UINT32_MAX};

    for (unsigned i = 0; i < all_of; i++)
        nodes[i] = node(1 + rng_below(rng, 1000) * 8 + i, i % zones, zones == 1 ? 1 : 2);
    kept = (zones == 1 ? 3 : 4) + (unsigned)rng_below(rng, 2) * zones;
    if (kept > all_of)
        kept = all_of;
    before = first(nodes, kept, FEW_SLOTS, 2);
    all.before = &before;
    /* Some go, the rest comes; in two zones they stay of one size. */
    for (unsigned i = 0, gone = (unsigned)rng_below(rng, 2) * zones; i + gone < all_of; i++)
        some[all.count++] = nodes[i + gone];
    rooms_of(&all, zones);
    CHECK_OK(layout_next(&before, some, all.count, FEW_SLOTS, 2, &after));
    owners_are_apart(&after);
    all.a_zone = after.a_zone;
    for (unsigned i = 0; i < all.count; i++)
        CHECK(layout_load(&after, some[i].id) <= all.room[i]);
    try_all(&all, 0, 0, 0, 0);
    CHECK_EQUAL(layout_moves(&before, &after), all.least);
    layout_done(&before);
    layout_done(&after);
}

TEST(of_all_small_layouts_it_is_one_that_moves_least)
{
    struct rng rng;

    rng_init(&rng, test_number("SEED", 1));
    for (unsigned i = 0; i < 300; i++)
        small_is_least(&rng);
}

/* ---- any change ---- */

static void change(struct rng *rng, struct layout_node *nodes, size_t *count, uint64_t *next_id)
{
    uint64_t what = rng_below(rng, 3);

    if (*count == 0 || (what == 0 && *count < MANY)) {
        uint64_t zone = rng_below(rng, 4);

        nodes[(*count)++] = node((*next_id)++, zone, 1 + (uint32_t)rng_below(rng, 8));
    } else if (what == 1 && *count > 1) {
        nodes[rng_below(rng, *count)] = nodes[*count - 1];
        (*count)--;
    } else {
        uint64_t at = rng_below(rng, *count);

        nodes[at].weight = (uint32_t)rng_below(rng, 8);
    }
}

TEST(any_change_leaves_a_layout_that_holds)
{
    struct rng rng;
    struct layout_node nodes[MANY];
    struct layout layout = {0};
    size_t count = 0;
    uint64_t next_id = 1;

    rng_init(&rng, test_number("SEED", 2));
    for (unsigned i = 0; i < 200; i++) {
        struct layout next;
        uint32_t weight = 0;

        change(&rng, nodes, &count, &next_id);
        for (size_t k = 0; k < count; k++)
            weight += nodes[k].weight;
        if (weight == 0)
            continue;
        CHECK_OK(layout_next(layout.nodes ? &layout : NULL, nodes, count, 64, OWNERS, &next));
        owners_are_apart(&next);
        layout_done(&layout);
        layout = next;
    }
    layout_done(&layout);
}

/* ---- errors ---- */

static int make(void *unused)
{
    const struct layout_node nodes[] = {node(1, 1, 1), node(2, 1, 1)};
    struct layout layout = {0};
    int error = layout_next(NULL, nodes, 2, 16, 2, &layout);

    (void)unused;
    CHECK(!error || layout.owners == NULL);
    layout_done(&layout);
    return error;
}

TEST(what_is_no_layout_is_refused_and_memory_may_fail)
{
    struct layout_node nodes[LAYOUT_NODES_MAX + 1];
    struct layout layout;

    for (unsigned i = 0; i <= LAYOUT_NODES_MAX; i++)
        nodes[i] = node(1 + i, 1, 1);
    CHECK_ERROR(layout_next(NULL, nodes, 0, 16, 1, &layout), NEAP_INVALID);
    CHECK_ERROR(layout_next(NULL, nodes, 1, 0, 1, &layout), NEAP_INVALID);
    CHECK_ERROR(layout_next(NULL, nodes, 1, 16, 0, &layout), NEAP_INVALID);
    CHECK_ERROR(layout_next(NULL, nodes, 1, 24, 1, &layout), NEAP_LIMIT);
    CHECK_ERROR(layout_next(NULL, nodes, 1, 2 * LAYOUT_SLOTS_MAX, 1, &layout), NEAP_LIMIT);
    CHECK_ERROR(layout_next(NULL, nodes, 1, 16, LAYOUT_OWNERS_MAX + 1, &layout), NEAP_LIMIT);
    CHECK_ERROR(layout_next(NULL, nodes, LAYOUT_NODES_MAX + 1, 16, 1, &layout), NEAP_LIMIT);
    nodes[1].id = 1;
    CHECK_ERROR(layout_next(NULL, nodes, 2, 16, 1, &layout), NEAP_INVALID);
    nodes[1].id = 0;
    CHECK_ERROR(layout_next(NULL, nodes, 2, 16, 1, &layout), NEAP_INVALID);
    nodes[0].weight = 0;
    CHECK_ERROR(layout_next(NULL, nodes, 1, 16, 1, &layout), NEAP_INVALID);
    test_alloc_sweep(make, NULL);
}
