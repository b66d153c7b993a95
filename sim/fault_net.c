/* Faults of the net. What lasts is a trouble: ways, what is wrong there, and until when. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/faults.h"

_Static_assert(NODES_MAX *NODES_MAX <= 64, "all ways are bits of one number");

enum { TEXT_MAX = 200 };

static uint64_t way_bit(size_t from, size_t to)
{
    return UINT64_C(1) << (from * NODES_MAX + to);
}

static uint64_t pair_bits(size_t a, size_t b)
{
    return way_bit(a, b) | way_bit(b, a);
}

static uint64_t all_ways(const struct world *world)
{
    uint64_t ways = 0;
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < a; b++)
            ways |= pair_bits(a, b);
    }
    return ways;
}

/* "A>B C-D" (to and fro). */
static void ways_text(const struct world *world, uint64_t ways, char *ret_text)
{
    size_t size = 0;
    snprintf(ret_text, TEXT_MAX, "%s", ways == all_ways(world) ? " everywhere" : "");
    for (size_t a = 0; a < world->nodes_count && ways != all_ways(world); a++) {
        for (size_t b = 0; b < world->nodes_count; b++) {
            bool back = ways & way_bit(b, a);
            if ((ways & way_bit(a, b)) && (a < b || !back))
                size +=
                    (size_t)snprintf(ret_text + size, TEXT_MAX - size, " %s%c%s",
                                     world->nodes[a].name, back ? '-' : '>', world->nodes[b].name);
        }
    }
}

/* ---- what is drawn ---- */

static void pair_draw(const struct world *world, struct rng *rng, size_t *ret_a, size_t *ret_b)
{
    *ret_a = (size_t)rng_below(rng, world->nodes_count);
    *ret_b = (size_t)rng_below(rng, world->nodes_count - 1);
    *ret_b += *ret_b >= *ret_a;
}

/* One direction, one pair, all of one node, or all. */
static uint64_t ways_draw(const struct world *world, struct rng *rng)
{
    size_t a, b;
    uint64_t ways = 0, scope = rng_below(rng, 10);
    pair_draw(world, rng, &a, &b);
    if (scope < 4)
        return way_bit(a, b);
    if (scope < 7)
        return pair_bits(a, b);
    if (scope == 9)
        return all_ways(world);
    for (size_t i = 0; i < world->nodes_count; i++)
        ways |= i == a ? 0 : pair_bits(a, i);
    return ways;
}

static bool nobody_else(const struct faults *faults)
{
    if (faults->world->nodes_count < 2)
        world_note(faults->world, "there is no net: one node");
    return faults->world->nodes_count < 2;
}

/* ---- troubles ---- */

static void way_worsen(struct sim_way *way, const struct sim_way *wrong)
{
#define AT_LEAST(field) way->field = way->field > wrong->field ? way->field : wrong->field
    way->cut |= wrong->cut;
    AT_LEAST(delay_ms);
    AT_LEAST(jitter_ms);
    AT_LEAST(loses);
    AT_LEAST(duplicates);
    AT_LEAST(reorders);
    AT_LEAST(garbles);
#undef AT_LEAST
    if (wrong->bytes_per_s && (!way->bytes_per_s || wrong->bytes_per_s < way->bytes_per_s))
        way->bytes_per_s = wrong->bytes_per_s;
}

static void ways_update(struct faults *faults)
{
    struct world *world = faults->world;
    memset(world->ways, 0, sizeof world->ways);
    for (size_t i = 0; i < faults->troubles_count; i++) {
        const struct trouble *trouble = &faults->troubles[i];
        for (size_t bit = 0; bit < 64; bit++) {
            if (trouble->ways >> bit & 1)
                way_worsen(&world->ways[bit / NODES_MAX][bit % NODES_MAX], &trouble->wrong);
        }
    }
    net_hurry(world);
}

static void ways_reset(struct world *world, uint64_t ways)
{
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < a; b++) {
            if (ways & pair_bits(a, b))
                net_reset(world, a, b);
        }
    }
}

static void trouble_end(struct faults *faults, size_t index)
{
    struct trouble trouble = faults->troubles[index];
    faults->troubles_count--;
    memmove(&faults->troubles[index], &faults->troubles[index + 1],
            (faults->troubles_count - index) * sizeof trouble);
    if (trouble.resets)
        ways_reset(faults->world, trouble.ways);
    if (trouble.isolated)
        isolate(faults, trouble.isolated, false);
}

static void troubles_work(void *arg);

static void troubles_wake(struct faults *faults, uint64_t delay_ms)
{
    world_after(faults->world, delay_ms,
                (struct thing){.kind = THING_CALL, .call = troubles_work, .arg = faults});
}

/* A link that flaps goes down with all its streams; up again, they can be made anew. */
static void flap(struct faults *faults, struct trouble *trouble)
{
    trouble->wrong.cut = !trouble->wrong.cut;
    if (trouble->wrong.cut)
        ways_reset(faults->world, trouble->ways);
    trouble->flap_at = faults->world->now_ms + trouble->flap_ms;
    troubles_wake(faults, trouble->flap_ms);
}

static void troubles_work(void *arg)
{
    struct faults *faults = arg;
    uint64_t now = faults->world->now_ms;
    for (size_t i = faults->troubles_count; i-- > 0;) {
        struct trouble *trouble = &faults->troubles[i];
        if (now >= trouble->until_ms)
            trouble_end(faults, i);
        else if (trouble->flap_ms && now >= trouble->flap_at)
            flap(faults, trouble);
    }
    ways_update(faults);
}

static void trouble_begin(struct faults *faults, struct trouble trouble, uint64_t lasts_ms)
{
    if (faults->troubles_count == TROUBLES_MAX)
        trouble_end(faults, 0);
    trouble.until_ms = faults->world->now_ms + lasts_ms;
    faults->troubles[faults->troubles_count++] = trouble;
    troubles_wake(faults, lasts_ms);
    if (trouble.flap_ms)
        flap(faults, &faults->troubles[faults->troubles_count - 1]);
    ways_update(faults);
}

/* Something is wrong on some ways for a while, and the streams there may not outlive it. */
static void trouble_draw(struct faults *faults, struct rng *rng, const char *name, const char *what,
                         struct sim_way wrong)
{
    char text[TEXT_MAX];
    struct trouble trouble = {.wrong = wrong, .ways = ways_draw(faults->world, rng)};
    uint64_t lasts_ms = lasting_draw(rng, 100);
    trouble.resets = rng_chance(rng, 50);
    ways_text(faults->world, trouble.ways, text);
    world_note(faults->world, "%s:%s, %s, for %llu ms%s", name, text, what,
               (unsigned long long)lasts_ms, trouble.resets ? ", then reset" : "");
    trouble_begin(faults, trouble, lasts_ms);
}

/* ---- messages are late ---- */

static void strike_delay(struct faults *faults, struct rng *rng)
{
    struct sim_way wrong = {0};
    char what[60];
    if (nobody_else(faults))
        return;
    wrong.delay_ms = 10U << rng_below(rng, 8);
    wrong.jitter_ms = (unsigned)rng_below(rng, 2 * wrong.delay_ms);
    snprintf(what, sizeof what, "%u to %u ms late", wrong.delay_ms,
             wrong.delay_ms + wrong.jitter_ms);
    trouble_draw(faults, rng, "delay", what, wrong);
}

static void strike_throttle(struct faults *faults, struct rng *rng)
{
    struct sim_way wrong = {0};
    char what[60];
    if (nobody_else(faults))
        return;
    wrong.bytes_per_s = 200U << rng_below(rng, 9);
    snprintf(what, sizeof what, "%u bytes/s of a link", wrong.bytes_per_s);
    trouble_draw(faults, rng, "throttle", what, wrong);
}

/* ---- messages of a link vanish, come twice, or change places ---- */

static unsigned percent_draw(struct rng *rng, char *ret_what, size_t size)
{
    unsigned percent = 2U << rng_below(rng, 6);
    snprintf(ret_what, size, "%u %% of messages", percent);
    return percent;
}

static void strike_loss(struct faults *faults, struct rng *rng)
{
    struct sim_way wrong = {0};
    char what[60];
    if (nobody_else(faults))
        return;
    wrong.loses = percent_draw(rng, what, sizeof what);
    trouble_draw(faults, rng, "loss", what, wrong);
}

static void strike_duplicate(struct faults *faults, struct rng *rng)
{
    struct sim_way wrong = {0};
    char what[60];
    if (nobody_else(faults))
        return;
    wrong.duplicates = percent_draw(rng, what, sizeof what);
    trouble_draw(faults, rng, "duplicate", what, wrong);
}

static void strike_reorder(struct faults *faults, struct rng *rng)
{
    struct sim_way wrong = {0};
    char what[60];
    if (nobody_else(faults))
        return;
    wrong.reorders = percent_draw(rng, what, sizeof what);
    trouble_draw(faults, rng, "reorder", what, wrong);
}

static void strike_garble(struct faults *faults, struct rng *rng)
{
    struct sim_way wrong = {0};
    char what[60];
    if (nobody_else(faults))
        return;
    wrong.garbles = percent_draw(rng, what, sizeof what);
    faults->world->garbles = true;
    trouble_draw(faults, rng, "garble", what, wrong);
}

/* ---- messages stay away ---- */

static void cut(struct faults *faults, struct rng *rng, const char *name, const char *what,
                uint64_t ways)
{
    uint64_t lasts_ms = lasting_draw(rng, 100);
    world_note(faults->world, "%s:%s for %llu ms", name, what, (unsigned long long)lasts_ms);
    trouble_begin(faults, (struct trouble){.wrong.cut = true, .ways = ways}, lasts_ms);
}

static void strike_cut(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    char text[TEXT_MAX] = "";
    uint64_t ways = 0, left;
    size_t size = 0;
    if (nobody_else(faults))
        return;
    left = 1 + rng_below(rng, (UINT64_C(1) << world->nodes_count) - 2);
    for (unsigned side = 0; side < 2; side++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "%s", side ? " |" : "");
        for (size_t a = 0; a < world->nodes_count; a++) {
            if ((left >> a & 1) != side)
                size +=
                    (size_t)snprintf(text + size, sizeof text - size, " %s", world->nodes[a].name);
            for (size_t b = 0; b < a; b++)
                ways |= (left >> a & 1) != (left >> b & 1) ? pair_bits(a, b) : 0;
        }
    }
    cut(faults, rng, "cut", text, ways);
}

static void strike_oneway(struct faults *faults, struct rng *rng)
{
    char text[TEXT_MAX];
    size_t a, b;
    if (nobody_else(faults))
        return;
    pair_draw(faults->world, rng, &a, &b);
    ways_text(faults->world, way_bit(a, b), text);
    cut(faults, rng, "oneway", text, way_bit(a, b));
}

/* So that what one reaches, another doesn't. */
static void strike_partial(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    char text[TEXT_MAX];
    uint64_t ways;
    size_t a, b;
    if (nobody_else(faults))
        return;
    pair_draw(world, rng, &a, &b);
    ways = pair_bits(a, b);
    for (a = 0; a < world->nodes_count; a++) {
        for (b = 0; b < a; b++)
            ways |= rng_chance(rng, 30) ? pair_bits(a, b) : 0;
    }
    ways_text(world, ways, text);
    cut(faults, rng, "partial", text, ways);
}

static void strike_flap(struct faults *faults, struct rng *rng)
{
    struct trouble trouble = {0};
    char text[TEXT_MAX];
    size_t a, b;
    if (nobody_else(faults))
        return;
    pair_draw(faults->world, rng, &a, &b);
    trouble.ways = pair_bits(a, b);
    trouble.flap_ms = 50U << rng_below(rng, 5);
    uint64_t lasts_ms = 2 * trouble.flap_ms + lasting_draw(rng, 100);
    ways_text(faults->world, trouble.ways, text);
    world_note(faults->world, "flap:%s goes down and up every %u ms for %llu ms", text,
               trouble.flap_ms, (unsigned long long)lasts_ms);
    trouble_begin(faults, trouble, lasts_ms);
}

static void strike_reset(struct faults *faults, struct rng *rng)
{
    char text[TEXT_MAX];
    size_t a, b;
    if (nobody_else(faults))
        return;
    pair_draw(faults->world, rng, &a, &b);
    ways_text(faults->world, pair_bits(a, b), text);
    world_note(faults->world, "reset:%s", text);
    net_reset(faults->world, a, b);
}

void isolate(struct faults *faults, struct sim_node *node, bool isolated)
{
    if (!node->up)
        return;
    struct event *event = mem_new(sizeof *event);
    must(event);
    event->kind = EVENT_ISOLATE;
    event->isolated = isolated;
    sim_post(faults->world, node->index, event);
}

static void strike_isolate(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = up_draw(faults, rng);
    uint64_t lasts_ms = lasting_draw(rng, 100);
    if (!node)
        return;
    world_note(faults->world, "isolate: %s for %llu ms", node->name, (unsigned long long)lasts_ms);
    isolate(faults, node, true);
    trouble_begin(faults, (struct trouble){.isolated = node}, lasts_ms);
}

/* A message that got lost is asked for by nobody: streams don't do that. So those that did begin
 * anew. */
static void heal(struct faults *faults)
{
    struct world *world = faults->world;
    while (faults->troubles_count > 0)
        trouble_end(faults, faults->troubles_count - 1);
    memset(world->cut, 0, sizeof world->cut);
    ways_update(faults);
    net_reset_spoilt(world);
    world->garbles = false;
}

static const struct fault_kind kinds[] = {
    {"delay", "messages are late, some later", FAULTS_NET, false, strike_delay},
    {"loss", "messages vanish, as no stream does by itself", FAULTS_NET, false, strike_loss},
    {"duplicate", "messages come twice", FAULTS_NET, false, strike_duplicate},
    {"reorder", "messages change places", FAULTS_NET, false, strike_reorder},
    {"cut", "the net parts into two halves", FAULTS_NET, false, strike_cut},
    {"oneway", "one node does not reach another", FAULTS_NET, false, strike_oneway},
    {"partial", "some pairs of nodes do not reach each other", FAULTS_NET, false, strike_partial},
    {"flap", "a link goes down and up again and again", FAULTS_NET, false, strike_flap},
    {"reset", "the links between two nodes break", FAULTS_NET, false, strike_reset},
    {"throttle", "few bytes get through in a second", FAULTS_NET, false, strike_throttle},
    {"isolate", "an operator takes a node off the net for a while", FAULTS_NET, false,
     strike_isolate},
    {"garble", "messages arrive with other bits", FAULTS_NET, true, strike_garble},
};

const struct fault_group_file faults_of_net = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
