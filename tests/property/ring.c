/* A ring whose data moves: random histories of one slot, in which nodes commit layouts (also on
 * both sides of a partition), tell each other in any order and late, die and come back, write and
 * read; each read must meet every write that was acknowledged before it began.
 *
 *   ring [--histories N] [--seed FIRST] [--break RULE]
 *
 * Without arguments: many, and each broken rule, which must be noticed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/rng.h"
#include "gossip/ring_pack.h"
#include "gossip/ring_track.h"
#include "tests/support/sanitized.h"

enum {
    NODES = 7,
    OWNERS = 3,
    QUORUM = 2,
    STEPS = 1200,
    LAYOUTS = 24, /* of one history */
    EVENTS = 256, /* of one node: what it writes to the system's bucket */
    WRITES = 64,  /* of one history: a bit each */
    CALLS = 4,    /* under way at one node */
    ACTIVE = 5,   /* layouts at a time, at most, that a commit adds to */
    HISTORIES = 1500,
    HISTORIES_BRIEF = 200,
    SEEDS_TO_NOTICE = 4000
};

/* And the seed after which it is looked for. */
static const struct {
    const char *rule;
    uint64_t first;
} rules[] = {{"ring-read-newest", 1},      {"ring-drop-old", 1},         {"ring-count-early", 600},
             {"ring-sync-early", 200},     {"ring-read-unsynced", 1},    {"ring-left-early", 2500},
             {"test-sync-one-owner", 600}, {"test-write-newest-only", 1}};

/* What is written to the system's bucket; each node's in order. */
struct said {
    enum { SAID_LAYOUT, SAID_LEFT, SAID_TRACK, SAID_SKIP } kind;
    size_t layout; /* of world.layouts */
    struct ring_track track;
    struct ring_skip skip;
};

struct call {
    enum { CALL_NONE, CALL_WRITE, CALL_READ } kind;
    uint64_t began; /* the stamp that the node's reads counted in */
    unsigned write; /* its number */
    unsigned acks;  /* nodes, a bit each; of a read: those that answered */
    uint64_t found, wanted;
    bool slow;
    bool fixed; /* it counts in the layouts that there were when it began */
    uint64_t stamps[RING_ACTIVE_MAX];
    size_t stamps_count;
};

struct node {
    bool up, dead;
    unsigned side;
    bool late;          /* it hears little of what is in the system's bucket */
    size_t seen[NODES]; /* of what each has said */
    struct said said[EVENTS];
    size_t said_count;
    bool stale;       /* `ring` is to be made anew */
    struct ring ring; /* none yet: no layouts */
    struct ring_layout layouts[RING_ACTIVE_MAX];
    struct ring_track tracks[NODES];
    struct ring_skip skips[NODES];
    uint64_t data;
    struct call calls[CALLS];
    /* A catching up, by layout of the world: whom it has asked since it may. */
    unsigned asked[LAYOUTS];
    bool asks[LAYOUTS];
};

static struct world {
    struct rng rng;
    struct node nodes[NODES];
    struct ring_layout layouts[LAYOUTS];
    size_t layouts_count;
    unsigned writes;
    uint64_t acknowledged;
    bool lost; /* a read missed something */
} world;

static struct {
    uint64_t acknowledged, reads, left, superseded, deaths;
} totals;

static const char *rule_now;

bool broken(const char *rule)
{
    return rule_now && !strcmp(rule, rule_now);
}

static unsigned below(unsigned bound)
{
    return (unsigned)rng_below(&world.rng, bound);
}

static bool chance(unsigned percent)
{
    return rng_chance(&world.rng, percent);
}

/* ---- layouts ---- */

static unsigned owners_of(const struct ring_layout *layout)
{
    unsigned owners = 0;

    for (unsigned i = 0; i < OWNERS; i++)
        owners |= 1U << (layout->layout.nodes[layout->layout.owners[i]].id - 1);
    return owners;
}

static size_t layout_index(uint64_t stamp)
{
    size_t i = 0;

    while (i < world.layouts_count && world.layouts[i].stamp != stamp)
        i++;
    must(i < world.layouts_count);
    return i;
}

/* Some nodes, and three of them as owners. */
static void layout_new(uint64_t parent)
{
    struct ring_layout *made = &world.layouts[world.layouts_count++];
    struct layout *table = &made->layout;
    uint64_t mask = 0;

    memset(made, 0, sizeof *made);
    made->parent = parent;
    made->stamp = ((parent >> 32) + 1) << 32 | rng_u64(&world.rng) >> 32;
    *table = (struct layout){.slots = 1, .n = OWNERS, .wanted_n = OWNERS, .a_zone = OWNERS};
    table->nodes = mem_new_array(NODES, sizeof *table->nodes);
    table->owners = mem_new_array(OWNERS, sizeof *table->owners);
    must(table->nodes && table->owners);
    while (table->nodes_count < OWNERS) {
        table->nodes_count = 0;
        mask = rng_u64(&world.rng);
        for (unsigned i = 0; i < NODES; i++)
            if (mask >> (3 * i) & 3)
                table->nodes[table->nodes_count++] = (struct layout_node){i + 1, 1, 1};
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        bool there = true;

        while (there) {
            table->owners[i] = (uint16_t)below((unsigned)table->nodes_count);
            there = false;
            for (unsigned k = 0; k < i; k++)
                there = there || table->owners[k] == table->owners[i];
        }
    }
}

/* ---- the system's bucket ---- */

static struct said *say(struct node *node)
{
    size_t me = (size_t)(node - world.nodes);

    must(node->said_count < EVENTS);
    node->seen[me] = node->said_count + 1;
    node->stale = true;
    return &node->said[node->said_count++];
}

static bool hears(const struct node *a, const struct node *b)
{
    return a->up && b->up && a->side == b->side;
}

/* Of each node's events a beginning comes, never a gap: all of them, or some. */
static void gossip(struct node *to, const struct node *from, bool all)
{
    for (size_t i = 0; i < NODES; i++) {
        size_t more = from->seen[i] - to->seen[i];

        if (from->seen[i] <= to->seen[i])
            continue;
        to->seen[i] += all ? more : below((unsigned)more + 1);
        to->stale = true;
    }
}

static void copy_layout(const struct ring_layout *from, struct ring_layout *to)
{
    *to = *from;
    to->layout.nodes = mem_new_array(NODES, sizeof *to->layout.nodes);
    to->layout.owners = mem_new_array(OWNERS, sizeof *to->layout.owners);
    must(to->layout.nodes && to->layout.owners);
    memcpy(to->layout.nodes, from->layout.nodes, NODES * sizeof *to->layout.nodes);
    memcpy(to->layout.owners, from->layout.owners, OWNERS * sizeof *to->layout.owners);
}

static int compare_layouts(const void *a, const void *b)
{
    const struct ring_layout *one = a, *other = b;

    return (one->stamp > other->stamp) - (one->stamp < other->stamp);
}

static void ring_clear(struct node *node)
{
    for (size_t i = 0; i < node->ring.layouts_count; i++)
        ring_layout_done(&node->ring.layouts[i]);
    memset(&node->ring, 0, sizeof node->ring);
}

/* What the node has heard, as rings_read() would have it. */
static void ring_make(struct node *node)
{
    uint64_t me = (uint64_t)(node - world.nodes) + 1;
    struct ring *ring = &node->ring;
    unsigned there[LAYOUTS] = {0};

    if (!node->stale)
        return;
    node->stale = false;
    ring_clear(node);
    *ring = (struct ring){.n = OWNERS,
                          .slots = 1,
                          .layouts = node->layouts,
                          .tracks = node->tracks,
                          .skips = node->skips};
    for (size_t i = 0; i < NODES; i++) {
        bool spoke = false;

        for (size_t k = 0; k < node->seen[i]; k++) {
            const struct said *said = &world.nodes[i].said[k];

            if (said->kind == SAID_LAYOUT)
                there[said->layout] |= 1;
            else if (said->kind == SAID_LEFT)
                there[said->layout] |= 2;
            else if (said->kind == SAID_SKIP) {
                ring->skips[0] = said->skip;
                ring->skips_count = 1;
            } else {
                ring->tracks[ring->tracks_count] = said->track;
                spoke = true;
            }
        }
        ring->tracks_count += spoke;
    }
    for (size_t i = 0; i < world.layouts_count; i++)
        if (there[i] == 1) {
            must(ring->layouts_count < RING_ACTIVE_MAX);
            copy_layout(&world.layouts[i], &ring->layouts[ring->layouts_count++]);
        }
    if (!ring->layouts_count)
        return;
    qsort(ring->layouts, ring->layouts_count, sizeof *ring->layouts, compare_layouts);
    ring_settle(ring, me);
    for (size_t i = 0; i < ring->layouts_count; i++)
        totals.superseded += ring->layouts[i].superseded;
}

static bool knows(struct node *node)
{
    ring_make(node);
    return node->ring.layouts_count > 0;
}

static bool holds(struct node *node)
{
    return knows(node) && ring_holds(&node->ring, 0, (uint64_t)(node - world.nodes) + 1);
}

/* ---- calls ---- */

static bool has_quorum(const struct ring_layout *layout, unsigned acks)
{
    return __builtin_popcount(owners_of(layout) & acks) >= QUORUM;
}

static bool write_is_over(const struct node *node, const struct call *call)
{
    const struct ring *ring = &node->ring;

    if (broken("test-write-newest-only"))
        return has_quorum(ring_newest(ring), call->acks);
    if (call->fixed) {
        for (size_t i = 0; i < call->stamps_count; i++)
            if (!has_quorum(&world.layouts[layout_index(call->stamps[i])], call->acks))
                return false;
        return true;
    }
    for (size_t i = 0; i < ring->layouts_count; i++)
        if (!has_quorum(&ring->layouts[i], call->acks))
            return false;
    return true;
}

static void call_look(struct node *node, struct call *call)
{
    if (call->kind == CALL_WRITE && write_is_over(node, call)) {
        world.acknowledged |= (uint64_t)1 << call->write;
        totals.acknowledged++;
        call->kind = CALL_NONE;
    } else if (call->kind == CALL_READ &&
               has_quorum(&world.layouts[layout_index(call->began)], call->acks)) {
        world.lost = world.lost || (call->wanted & ~call->found);
        totals.reads++;
        call->kind = CALL_NONE;
    }
}

static void call_begin(struct node *node)
{
    uint64_t me = (uint64_t)(node - world.nodes) + 1;
    struct call *call = &node->calls[below(CALLS)];
    struct call begun = {.kind = CALL_READ};

    if (call->kind || !knows(node) || !ring_coordinates(&node->ring, me))
        return;
    begun.slow = chance(30);
    begun.began = ring_reading(&node->ring)->stamp;
    begun.wanted = world.acknowledged;
    if (chance(50) && world.writes < WRITES) {
        begun.kind = CALL_WRITE;
        begun.write = world.writes++;
        begun.fixed = chance(50);
        for (size_t i = 0; i < node->ring.layouts_count; i++)
            begun.stamps[begun.stamps_count++] = node->ring.layouts[i].stamp;
    }
    *call = begun;
}

/* Of a write all hear it that own the slot in any layout, of a read those of one. */
static bool call_asks(const struct node *node, const struct call *call, size_t other)
{
    if (call->kind == CALL_READ)
        return owners_of(&world.layouts[layout_index(call->began)]) >> other & 1 &&
               ring_answers(&node->ring, other + 1);
    return ring_holds(&node->ring, 0, other + 1);
}

/* Some of those whom a call asks take the write, or answer the read. */
static void call_meet(struct node *node)
{
    struct call *call = &node->calls[below(CALLS)];

    if (!call->kind || !knows(node) || (call->slow && chance(70)))
        return;
    for (size_t i = 0; i < NODES; i++) {
        struct node *other = &world.nodes[i];

        if (chance(40) || !hears(node, other) || !call_asks(node, call, i) || !holds(other))
            continue;
        if (call->kind == CALL_READ)
            call->found |= other->data;
        else
            other->data |= (uint64_t)1 << call->write;
        call->acks |= call->kind == CALL_READ || chance(80) ? 1U << i : 0;
    }
    call_look(node, call);
    if (call->kind && chance(5))
        call->kind = CALL_NONE; /* nobody waits any more */
}

/* ---- moving ---- */

static bool asked_enough(const struct node *node, size_t i, unsigned asked)
{
    if (i == 0)
        return has_quorum(&node->ring.layouts[0], asked);
    if (broken("test-sync-one-owner"))
        return asked != 0;
    for (size_t k = 0; k < i; k++)
        if (!has_quorum(&node->ring.layouts[k], asked))
            return false;
    return true;
}

static struct ring_facts facts_of(struct node *node)
{
    struct ring_facts facts = {.under_way = UINT64_MAX};
    const struct ring *ring = &node->ring;

    for (size_t i = 0; i < ring->layouts_count; i++) {
        size_t layout = layout_index(ring->layouts[i].stamp);

        facts.counts[i] = true;
        for (unsigned c = 0; c < CALLS; c++) {
            const struct call *call = &node->calls[c];
            bool counted = !call->fixed;

            for (size_t k = 0; k < call->stamps_count; k++)
                counted = counted || call->stamps[k] == ring->layouts[i].stamp;
            facts.counts[i] = facts.counts[i] && (call->kind != CALL_WRITE || counted);
        }
        facts.caught_up[i] = node->asks[layout] && asked_enough(node, i, node->asked[layout]);
    }
    for (unsigned c = 0; c < CALLS; c++)
        if (node->calls[c].kind && node->calls[c].began < facts.under_way)
            facts.under_way = node->calls[c].began;
    return facts;
}

/* Itself is asked as well, when it holds the slot. */
static void sync_ask(struct node *node, struct node *other)
{
    uint64_t me = (uint64_t)(node - world.nodes) + 1;

    for (size_t i = 0; knows(node) && i < node->ring.layouts_count; i++) {
        size_t layout = layout_index(node->ring.layouts[i].stamp);

        if (!ring_must_sync(&node->ring, me, i))
            continue;
        if (ring_may_sync(&node->ring, i))
            node->asks[layout] = true;
        if (!node->asks[layout] || !holds(other))
            continue;
        node->data |= other->data;
        node->asked[layout] |= 1U << (other - world.nodes);
    }
}

/* What a node does by itself whenever it has heard something. */
static void turn(struct node *node)
{
    uint64_t me = (uint64_t)(node - world.nodes) + 1;
    struct ring_facts facts;
    struct ring_track track;

    if (!node->up || !knows(node))
        return;
    for (unsigned c = 0; c < CALLS; c++)
        call_look(node, &node->calls[c]);
    facts = facts_of(node);
    if (node->said_count + 1 < EVENTS && ring_track(&node->ring, me, &facts, &track)) {
        struct said *said = say(node);

        said->kind = SAID_TRACK;
        said->track = track;
        ring_make(node);
    }
    if (!holds(node))
        node->data = 0; /* what nobody needs goes at once */
    for (size_t i = 0; i < node->ring.left_count && node->said_count + 1 < EVENTS; i++) {
        struct said *said;

        if (chance(70))
            continue;
        said = say(node);
        said->kind = SAID_LEFT;
        said->layout = layout_index(node->ring.left[i]);
        totals.left++;
    }
}

static void commit(struct node *node)
{
    struct said *said;

    if (!knows(node) || node->ring.layouts_count >= ACTIVE || world.layouts_count >= LAYOUTS ||
        node->said_count + 1 >= EVENTS)
        return;
    layout_new(ring_newest(&node->ring)->stamp);
    said = say(node);
    said->kind = SAID_LAYOUT;
    said->layout = world.layouts_count - 1;
}

/* ---- a history ---- */

static void crash(struct node *node)
{
    node->up = false;
    memset(node->calls, 0, sizeof node->calls);
    memset(node->asks, 0, sizeof node->asks);
    memset(node->asked, 0, sizeof node->asked);
    totals.deaths++;
}

/* It never comes back, and somebody says so; or else it is just down for a while. */
static void die(struct node *node, bool may_die)
{
    bool others_dead = false;

    for (size_t i = 0; i < NODES; i++)
        others_dead = others_dead || world.nodes[i].dead;
    crash(node);
    node->dead = may_die && !others_dead && chance(20);
}

static void skip(struct node *node)
{
    for (size_t i = 0; i < NODES; i++) {
        struct said *said;

        if (!world.nodes[i].dead || !knows(node) || node->said_count + 1 >= EVENTS)
            continue;
        said = say(node);
        said->kind = SAID_SKIP;
        said->skip = (struct ring_skip){i + 1, ring_newest(&node->ring)->stamp};
    }
}

static void step_rare(struct node *node, bool may_die)
{
    unsigned what = below(100), sides = chance(60) ? 1 : 2;

    if (what < 4)
        die(node, may_die);
    else if (what < 15)
        skip(node);
    else if (what < 22)
        commit(node);
    else if (what < 28)
        for (size_t i = 0; i < NODES; i++)
            world.nodes[i].side = below(sides);
}

static void step(bool may_die)
{
    struct node *node = &world.nodes[below(NODES)], *other = &world.nodes[below(NODES)];
    unsigned what = below(100);

    if (!node->up) {
        if (!node->dead && what < 40)
            node->up = node->stale = true;
        return;
    }
    if (what < 10) {
        step_rare(node, may_die);
    } else if (what < 25) {
        call_begin(node);
    } else if (what < 50) {
        call_meet(node);
    } else if (what < 62) {
        for (size_t i = 0; i < NODES; i++)
            if (chance(60) && hears(node, &world.nodes[i]))
                sync_ask(node, &world.nodes[i]);
        turn(node);
    } else {
        if (hears(node, other) && (!node->late || chance(10)))
            gossip(node, other, chance(60));
        turn(node);
    }
}

/* All hear all until nothing is left to say: then one layout is left, and all read from it. */
static bool ends(void)
{
    for (size_t i = 0; i < NODES; i++) {
        world.nodes[i].side = 0;
        world.nodes[i].up = !world.nodes[i].dead;
        memset(world.nodes[i].calls, 0, sizeof world.nodes[i].calls);
        if (world.nodes[i].said_count + 40 > EVENTS)
            return true; /* it talked too much to go on */
    }
    for (unsigned round = 0; round < 40; round++)
        for (size_t i = 0; i < NODES; i++)
            for (size_t k = 0; k < NODES && world.nodes[i].up; k++) {
                if (!world.nodes[k].up)
                    continue;
                gossip(&world.nodes[i], &world.nodes[k], true);
                sync_ask(&world.nodes[i], &world.nodes[k]);
                turn(&world.nodes[i]);
                if (round < 2)
                    skip(&world.nodes[i]);
            }
    for (size_t i = 0; i < NODES; i++)
        if (world.nodes[i].up && knows(&world.nodes[i]) &&
            (world.nodes[i].ring.layouts_count > 1 || !world.nodes[i].ring.reads_well))
            return false;
    return true;
}

/* What went wrong; NULL: nothing. */
static const char *history(uint64_t seed)
{
    const char *wrong = NULL;
    bool may_die;

    rng_init(&world.rng, seed);
    may_die = chance(30);
    for (size_t i = 0; i < NODES; i++)
        world.nodes[i].up = true;
    for (size_t i = 0; i < NODES; i++)
        world.nodes[i].late = chance(30);
    layout_new(0);
    {
        struct said *said = say(&world.nodes[0]);

        said->kind = SAID_LAYOUT;
        said->layout = 0;
    }
    for (unsigned i = 0; i < STEPS && !wrong; i++) {
        step(may_die);
        if (world.lost)
            wrong = "a read missed a write that had been acknowledged";
    }
    if (!wrong && !ends())
        wrong = "a move does not end";
    for (size_t i = 0; i < NODES; i++)
        ring_clear(&world.nodes[i]);
    for (size_t i = 0; i < world.layouts_count; i++)
        ring_layout_done(&world.layouts[i]);
    memset(&world, 0, sizeof world);
    return wrong;
}

/* Of so many the first that goes wrong; 0: none. */
static uint64_t histories(uint64_t first, uint64_t count, bool quiet)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *wrong = history(seed);

        if (wrong && !quiet)
            printf("# seed %llu%s%s: %s\n", (unsigned long long)seed, rule_now ? ", broken: " : "",
                   rule_now ? rule_now : "", wrong);
        if (wrong)
            return seed;
    }
    return 0;
}

static int all(uint64_t count)
{
    size_t rules_count = sizeof rules / sizeof *rules;
    int failed;

    printf("1..%zu\n", rules_count + 2);
    failed = histories(1, count, false) != 0;
    printf("%sok 1 - reads meet writes in %llu histories, and moves end\n", failed ? "not " : "",
           (unsigned long long)count);
    printf("# acknowledged %llu, read %llu, left %llu, superseded %llu, deaths %llu\n",
           (unsigned long long)totals.acknowledged, (unsigned long long)totals.reads,
           (unsigned long long)totals.left, (unsigned long long)totals.superseded,
           (unsigned long long)totals.deaths);
    if (totals.acknowledged < 2 * count || totals.reads < 5 * count || totals.left < 2 * count ||
        !totals.superseded) {
        failed = 1;
        printf("not ");
    }
    printf("ok 2 - enough happened in them\n");
    for (size_t i = 0; i < rules_count; i++) {
        uint64_t seed;

        rule_now = rules[i].rule;
        seed = histories(rules[i].first, SEEDS_TO_NOTICE, true);
        failed = failed || !seed;
        printf("%sok %zu - %s is noticed when broken, seed %llu\n", seed ? "" : "not ", i + 3,
               rules[i].rule, (unsigned long long)seed);
        rule_now = NULL;
    }
    return failed;
}

int main(int argc, char *argv[])
{
    uint64_t first = 1, count = 0;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed"))
            first = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--histories"))
            count = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--break"))
            rule_now = argv[i + 1];
        else
            return 2;
    }
    if (argc == 1)
        return all(is_brief() ? HISTORIES_BRIEF : HISTORIES);
    if (argc % 2 == 0)
        return 2;
    return histories(first, count ? count : 1, false) != 0;
}
