/* Some machines that tell each other what a net of chance lets through, heartbeats and all. */
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "gossip/swim.h"
#include "tests/support/test.h"

enum { NODES = 8, BEAT_MS = 1000, STEP_MS = 10, WAYS = 2048, LONG_MS = 60000 };

struct letter {
    uint64_t at;
    size_t from, to;
    bool says; /* a message; else a heartbeat */
    struct swim_message message;
};

struct cluster {
    struct swim *swims[NODES];
    uint64_t beat_at[NODES][NODES];
    uint64_t paused_until[NODES];
    bool up[NODES], cut[NODES][NODES];
    unsigned loses; /* percent */
    uint64_t kept[NODES];
    size_t count, letters_count;
    uint64_t now;
    struct rng rng;
    unsigned messages, deaths, suspicions, refutations, unfounded;
    struct letter letters[WAYS];
};

static struct cluster *cluster; /* too large for a stack; one at a time */

static uint64_t name(size_t index)
{
    return 100 + index;
}

static void start(size_t index)
{
    struct swim_options options = {.node = name(index),
                                   .incarnation = ++cluster->kept[index],
                                   .beat_ms = BEAT_MS,
                                   .seed = rng_u64(&cluster->rng)};
    CHECK_OK(swim_new(&options, cluster->now, &cluster->swims[index]));
    cluster->up[index] = true;
    for (size_t i = 0; i < cluster->count; i++) {
        if (i == index || !cluster->up[i])
            continue;
        swim_link(cluster->swims[index], cluster->now, name(i), false);
        swim_link(cluster->swims[i], cluster->now, name(index), false);
        cluster->beat_at[i][index] = cluster->beat_at[index][i] = cluster->now;
    }
}

static void open_cluster(size_t count, uint64_t seed)
{
    cluster = mem_new(sizeof *cluster);
    CHECK(cluster);
    rng_init(&cluster->rng, seed);
    cluster->count = count;
    cluster->now = 5000;
    for (size_t i = 0; i < count; i++)
        start(i);
}

static void end(size_t index)
{
    swim_free(cluster->swims[index]);
    cluster->swims[index] = NULL;
    cluster->up[index] = false;
}

static void close_cluster(void)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->up[i])
            end(i);
    }
    mem_free(cluster);
    cluster = NULL;
}

static void post(size_t from, size_t to, const struct swim_message *message)
{
    uint64_t delay = 1 + rng_below(&cluster->rng, 20);
    bool lost = rng_chance(&cluster->rng, cluster->loses);
    if (lost || cluster->letters_count == WAYS)
        return;
    struct letter *letter = &cluster->letters[cluster->letters_count++];
    letter->at = cluster->now + delay;
    letter->from = from;
    letter->to = to;
    letter->says = message != NULL;
    if (message)
        letter->message = *message;
}

/* What one has to say, and what became of others there. */
static void collect(size_t index)
{
    struct swim_message message;
    struct swim_member member;
    uint64_t to;
    if (swim_incarnation(cluster->swims[index]) > cluster->kept[index]) {
        cluster->refutations++;
        cluster->kept[index] = swim_incarnation(cluster->swims[index]);
    }
    while (swim_mail(cluster->swims[index], &to, &message)) {
        cluster->messages++;
        post(index, (size_t)(to - 100), &message);
    }
    while (swim_changed(cluster->swims[index], &member)) {
        cluster->suspicions += member.state == MEMBER_SUSPECT;
        cluster->deaths += member.state == MEMBER_DEAD && cluster->up[member.node - 100];
    }
}

static void deliver(const struct letter *letter)
{
    size_t to = letter->to;
    if (!cluster->up[to] || cluster->cut[letter->from][to])
        return;
    swim_heard(cluster->swims[to], cluster->now, name(letter->from));
    if (letter->says)
        CHECK_OK(swim_take(cluster->swims[to], cluster->now, name(letter->from), &letter->message));
    collect(to);
}

static bool is_awake(size_t index)
{
    return cluster->up[index] && cluster->now >= cluster->paused_until[index];
}

static void step(void)
{
    cluster->now += STEP_MS;
    for (size_t i = 0; i < cluster->letters_count;) {
        struct letter letter = cluster->letters[i];
        bool waits = cluster->up[letter.to] && !is_awake(letter.to);
        if (letter.at > cluster->now || waits) {
            i++;
            continue;
        }
        memmove(&cluster->letters[i], &cluster->letters[i + 1],
                (--cluster->letters_count - i) * sizeof letter);
        deliver(&letter);
    }
    for (size_t i = 0; i < cluster->count; i++) {
        if (!is_awake(i))
            continue;
        for (size_t j = 0; j < cluster->count; j++) {
            if (i == j || cluster->now < cluster->beat_at[i][j])
                continue;
            cluster->beat_at[i][j] = cluster->now + 800 + rng_below(&cluster->rng, 401);
            swim_beat(cluster->swims[i], name(j));
            post(i, j, NULL); /* on both links */
            post(i, j, NULL);
        }
        if (cluster->now >= swim_deadline(cluster->swims[i]))
            swim_tick(cluster->swims[i], cluster->now);
        collect(i);
    }
}

static void run(uint64_t ms)
{
    for (uint64_t until = cluster->now + ms; cluster->now < until;)
        step();
}

static enum member_state state_at(size_t at, size_t of)
{
    struct swim_member member;
    CHECK(swim_find(cluster->swims[at], name(of), &member));
    return member.state;
}

static uint64_t incarnation_at(size_t at, size_t of)
{
    struct swim_member member;
    CHECK(swim_find(cluster->swims[at], name(of), &member));
    return member.incarnation;
}

static bool all_think(size_t of, enum member_state state)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (i != of && cluster->up[i] && state_at(i, of) != state)
            return false;
    }
    return true;
}

/* ---- what is promised ---- */

TEST(at_rest_nothing_is_sent_beside_heartbeats)
{
    open_cluster(5, 1);
    run(15000);
    cluster->messages = 0;
    run(LONG_MS);
    CHECK_EQUAL(cluster->suspicions, 0);
    CHECK_EQUAL(cluster->messages, 0);
    for (size_t i = 0; i < 5; i++)
        CHECK_EQUAL(incarnation_at((i + 1) % 5, i), 1);
    close_cluster();
}

TEST(of_five_a_dead_one_is_suspected_by_all_within_two_seconds)
{
    uint64_t seeds = test_number("SWIM_SEEDS", 40);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        open_cluster(5, seed);
        run(5000 + rng_below(&cluster->rng, 2000));
        end(2);
        run(2000);
        CHECK(all_think(2, MEMBER_SUSPECT));
        run(6000); /* with four that say so */
        CHECK(all_think(2, MEMBER_DEAD));
        close_cluster();
    }
}

TEST(nobody_who_lives_is_dead_under_loss_and_stalls)
{
    uint64_t seeds = test_number("SWIM_SEEDS", 40);
    unsigned suspicions = 0, refutations = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        open_cluster(2 + (size_t)(seed % 4), seed);
        cluster->loses = 20;
        for (uint64_t i = 0; i < LONG_MS / 2000; i++) {
            size_t stalled = (size_t)rng_below(&cluster->rng, cluster->count);
            cluster->paused_until[stalled] = cluster->now + 500;
            run(1000 + rng_below(&cluster->rng, 2000));
        }
        CHECK_EQUAL(cluster->deaths, 0);
        suspicions += cluster->suspicions;
        refutations += cluster->refutations;
        cluster->loses = 0;
        run(10000);
        for (size_t i = 0; i < cluster->count; i++)
            CHECK(all_think(i, MEMBER_ALIVE));
        close_cluster();
    }
    CHECK(suspicions > 0 && refutations > 0); /* or this showed nothing */
}

TEST(who_is_reached_through_others_is_not_suspected)
{
    open_cluster(4, 3);
    run(3000);
    cluster->cut[0][1] = cluster->cut[1][0] = true;
    run(4000);
    swim_unlink(cluster->swims[0], cluster->now, name(1));
    swim_unlink(cluster->swims[1], cluster->now, name(0));
    run(LONG_MS);
    CHECK_EQUAL(cluster->suspicions, 0);
    close_cluster();
}

TEST(who_was_dead_lives_again_with_a_higher_incarnation)
{
    open_cluster(4, 4);
    run(3000);
    for (size_t i = 1; i < 4; i++)
        cluster->cut[0][i] = cluster->cut[i][0] = true;
    run(LONG_MS);
    CHECK(all_think(0, MEMBER_DEAD) && all_think(0, MEMBER_DEAD));
    CHECK_EQUAL(state_at(0, 1), MEMBER_DEAD);
    for (size_t i = 1; i < 4; i++)
        cluster->cut[0][i] = cluster->cut[i][0] = false;
    run(5000);
    for (size_t i = 0; i < 4; i++)
        CHECK(all_think(i, MEMBER_ALIVE));
    CHECK_EQUAL(incarnation_at(1, 0), 2);
    close_cluster();
}

TEST(who_starts_again_is_alive_at_once)
{
    open_cluster(3, 5);
    run(3000);
    end(1);
    run(30000);
    CHECK(all_think(1, MEMBER_DEAD));
    start(1);
    run(1000);
    CHECK(all_think(1, MEMBER_ALIVE));
    CHECK_EQUAL(incarnation_at(0, 1), 2);
    close_cluster();
}

/* A directory from before does not know how far its node had come. */
TEST(who_went_back_is_told_and_goes_on)
{
    open_cluster(3, 6);
    run(3000);
    cluster->kept[1] = 8;
    end(1);
    start(1);
    run(3000);
    end(1);
    run(30000);
    CHECK(all_think(1, MEMBER_DEAD));
    cluster->kept[1] = 2;
    start(1);
    run(3000);
    CHECK(all_think(1, MEMBER_ALIVE));
    CHECK_EQUAL(incarnation_at(0, 1), 10);
    close_cluster();
}

TEST(who_says_goodbye_has_left_and_is_not_suspected)
{
    open_cluster(3, 7);
    run(3000);
    swim_leave(cluster->swims[2], cluster->now);
    collect(2);
    run(100);
    end(2);
    run(LONG_MS);
    CHECK(all_think(2, MEMBER_LEFT));
    CHECK_EQUAL(cluster->suspicions, 0);
    start(2);
    run(2000);
    CHECK(all_think(2, MEMBER_ALIVE));
    close_cluster();
}

/* ---- self-doubt ---- */

TEST(who_slept_accuses_nobody)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        open_cluster(3, seed);
        run(4000);
        /* Longer than it takes to accuse, and the others sleep a moment longer. */
        for (size_t i = 0; i < 3; i++)
            cluster->paused_until[i] = cluster->now + 3000 + 100 * i;
        run(10000);
        CHECK_EQUAL(cluster->suspicions, 0);
        CHECK_EQUAL(cluster->deaths, 0);
        close_cluster();
    }
}

TEST(who_is_cut_off_doubts_itself_and_no_more_when_it_is_back)
{
    open_cluster(5, 9);
    run(3000);
    for (size_t i = 1; i < 5; i++)
        cluster->cut[0][i] = cluster->cut[i][0] = true;
    run(2500);
    CHECK(swim_doubt(cluster->swims[0]) > 0);
    CHECK_EQUAL(swim_doubt(cluster->swims[1]), 0); /* the helpers told it that they tried, too */
    run(8000);
    /* It accuses alone and waits long; the others are four. */
    CHECK_EQUAL(state_at(0, 1), MEMBER_SUSPECT);
    CHECK_EQUAL(state_at(1, 0), MEMBER_DEAD);
    for (size_t i = 1; i < 5; i++)
        cluster->cut[0][i] = cluster->cut[i][0] = false;
    run(20000);
    CHECK_EQUAL(swim_doubt(cluster->swims[0]), 0);
    close_cluster();
}

/* ---- one machine ---- */

static struct swim *alone(void)
{
    struct swim *swim;
    struct swim_options options = {.node = 1, .incarnation = 5, .beat_ms = BEAT_MS, .seed = 1};
    CHECK_OK(swim_new(&options, 1000, &swim));
    return swim;
}

static void say(struct swim *swim, uint64_t now, uint64_t from, uint64_t of,
                enum member_state state, uint64_t incarnation)
{
    struct swim_message message = {
        .type = SWIM_TELL,
        .updates = {{.node = of, .incarnation = incarnation, .state = state}},
        .updates_count = 1};
    if (state == MEMBER_SUSPECT) {
        message.updates[0].accusers[0] = from;
        message.updates[0].accusers_count = 1;
    }
    CHECK_OK(swim_take(swim, now, from, &message));
}

static bool is(const struct swim *swim, uint64_t node, enum member_state state,
               uint64_t incarnation)
{
    struct swim_member member;
    return swim_find(swim, node, &member) && member.state == state &&
           member.incarnation == incarnation;
}

TEST(a_suspicion_is_refuted_by_a_higher_incarnation_alone)
{
    struct swim *swim = alone();
    swim_link(swim, 1000, 2, false);
    swim_link(swim, 1000, 3, false);
    say(swim, 1000, 2, 4, MEMBER_ALIVE, 7);
    say(swim, 1000, 2, 4, MEMBER_SUSPECT, 7);
    say(swim, 1001, 3, 4, MEMBER_ALIVE, 7);
    say(swim, 1002, 3, 4, MEMBER_ALIVE, 6);
    say(swim, 1002, 3, 4, MEMBER_SUSPECT, 6);
    CHECK(is(swim, 4, MEMBER_SUSPECT, 7));
    say(swim, 1003, 3, 4, MEMBER_ALIVE, 8);
    CHECK(is(swim, 4, MEMBER_ALIVE, 8));
    say(swim, 1003, 3, 4, MEMBER_DEAD, 8);
    say(swim, 1003, 3, 4, MEMBER_SUSPECT, 8);
    CHECK(is(swim, 4, MEMBER_DEAD, 8));
    swim_free(swim);
}

TEST(who_is_accused_raises_its_incarnation_above_what_was_said)
{
    struct swim *swim = alone();
    swim_link(swim, 1000, 2, false);
    say(swim, 1000, 2, 1, MEMBER_SUSPECT, 4);
    CHECK_EQUAL(swim_incarnation(swim), 5);
    say(swim, 1000, 2, 1, MEMBER_SUSPECT, 5);
    CHECK_EQUAL(swim_incarnation(swim), 6);
    say(swim, 1000, 2, 1, MEMBER_DEAD, 9);
    CHECK_EQUAL(swim_incarnation(swim), 10);
    say(swim, 1000, 2, 1, MEMBER_ALIVE, 12);
    CHECK_EQUAL(swim_incarnation(swim), 12);
    say(swim, 1000, 2, 1, MEMBER_DEAD, SWIM_INCARNATION_MAX);
    CHECK_EQUAL(swim_incarnation(swim), 12); /* there is no higher one */
    swim_free(swim);
}

/* Dead for others, who may be cut off from it. */
TEST(who_is_heard_is_not_dead_whatever_others_say)
{
    struct swim *swim = alone();
    swim_link(swim, 1000, 2, false);
    swim_link(swim, 1000, 3, false);
    say(swim, 1000, 3, 3, MEMBER_ALIVE, 2);
    say(swim, 1000, 2, 3, MEMBER_DEAD, 2);
    CHECK(is(swim, 3, MEMBER_SUSPECT, 2));
    say(swim, 1100, 3, 3, MEMBER_ALIVE, 3);
    CHECK(is(swim, 3, MEMBER_ALIVE, 3));
    for (uint64_t now = 1100; now < 5000; now += 10)
        swim_tick(swim, now);
    swim_heard(swim, 5000, 2);
    say(swim, 5000, 2, 3, MEMBER_DEAD, 3);
    CHECK(is(swim, 3, MEMBER_DEAD, 3));
    swim_free(swim);
}

TEST(a_device_is_believed_about_itself_alone)
{
    struct swim *swim = alone();
    swim_link(swim, 1000, 2, false);
    swim_link(swim, 1000, 3, true);
    say(swim, 1000, 2, 2, MEMBER_ALIVE, 2);
    say(swim, 1000, 3, 3, MEMBER_ALIVE, 4);
    CHECK(is(swim, 3, MEMBER_ALIVE, 4));
    say(swim, 1000, 3, 2, MEMBER_DEAD, 2);
    say(swim, 1000, 3, 9, MEMBER_ALIVE, 2);
    say(swim, 1000, 3, 1, MEMBER_DEAD, 90);
    say(swim, 1000, 2, 3, MEMBER_DEAD, 4); /* nor do nodes know better */
    CHECK(is(swim, 2, MEMBER_ALIVE, 2));
    CHECK(is(swim, 3, MEMBER_ALIVE, 4));
    CHECK_EQUAL(swim_incarnation(swim), 5);
    CHECK_EQUAL(swim_count(swim), 2);
    uint64_t to;
    struct swim_message message;
    while (swim_mail(swim, &to, &message)) {
        for (unsigned i = 0; i < message.updates_count; i++)
            CHECK(to != 3 || message.updates[i].node == 1); /* nor is it told of others */
        for (unsigned i = 0; i < message.updates_count; i++)
            CHECK(to != 2 || message.updates[i].node != 3);
    }
    swim_free(swim);
}

/* Nobody would answer it, so nothing is said, and it need not be. */
TEST(what_a_device_doubts_is_over_when_it_hears)
{
    struct swim_options options = {
        .node = 1, .incarnation = 5, .beat_ms = BEAT_MS, .seed = 7, .device = true};
    struct swim *swim;
    struct swim_message message;
    uint64_t to, now = 1000;

    CHECK_OK(swim_new(&options, now, &swim));
    swim_link(swim, now, 2, false);
    swim_link(swim, now, 3, false);
    say(swim, now, 2, 2, MEMBER_ALIVE, 4);
    say(swim, now, 3, 3, MEMBER_ALIVE, 4);
    swim_unlink(swim, now, 2);
    for (; !is(swim, 2, MEMBER_DEAD, 4) && now < LONG_MS; now += 10) {
        swim_heard(swim, now, 3);
        swim_tick(swim, now);
        while (swim_mail(swim, &to, &message)) {
            for (unsigned i = 0; i < message.updates_count; i++)
                CHECK_EQUAL(message.updates[i].node, 1);
        }
    }
    CHECK(is(swim, 2, MEMBER_DEAD, 4));
    swim_link(swim, now, 2, false);
    CHECK(is(swim, 2, MEMBER_ALIVE, 4));
    say(swim, now, 3, 3, MEMBER_LEFT, 4); /* that it said itself */
    swim_heard(swim, now, 3);
    CHECK(is(swim, 3, MEMBER_LEFT, 4));
    swim_free(swim);
}

TEST(members_and_mails_are_bounded)
{
    struct swim *swim = alone();
    uint64_t to;
    struct swim_message message;
    unsigned count = 0;
    swim_link(swim, 1000, 2, false);
    for (uint64_t i = 0; i < 2 * SWIM_MEMBERS_MAX; i++)
        say(swim, 1000 + i, 2, 1000 + i * 7 % 1024, MEMBER_ALIVE, 1);
    CHECK_EQUAL(swim_count(swim), SWIM_MEMBERS_MAX);
    /* Who is dead makes room for others. */
    say(swim, 2000, 2, 1000, MEMBER_DEAD, 1);
    say(swim, 2000, 2, 5000, MEMBER_ALIVE, 1);
    CHECK(is(swim, 5000, MEMBER_ALIVE, 1) && !is(swim, 1000, MEMBER_DEAD, 1));
    for (unsigned i = 0; i < 1000; i++)
        CHECK_OK(swim_take(swim, 2000, 2, &(struct swim_message){.type = SWIM_PING, .number = i}));
    while (swim_mail(swim, &to, &message))
        count++;
    CHECK(count > 0 && count <= SWIM_MAILS_MAX + SWIM_MEMBERS_MAX / SWIM_UPDATES_MAX);
    for (uint64_t i = 0; i < 1000; i++) {
        struct swim_message request = {.type = SWIM_REQUEST, .number = i, .target = 1001 + i};
        CHECK_OK(swim_take(swim, 2000, 2, &request));
    }
    swim_free(swim);
}

TEST(who_beats_seldom_is_waited_for_as_long)
{
    struct swim *swim = alone();
    struct swim_message slow = {.type = SWIM_TELL, .number = 60000};
    swim_link(swim, 1000, 2, false);
    say(swim, 1000, 2, 2, MEMBER_ALIVE, 1);
    CHECK_OK(swim_take(swim, 1000, 2, &slow));
    for (uint64_t now = 1000; now < 76000; now += 50)
        swim_tick(swim, now);
    CHECK(is(swim, 2, MEMBER_ALIVE, 1));
    for (uint64_t now = 76000; now < 110000; now += 50)
        swim_tick(swim, now);
    CHECK(is(swim, 2, MEMBER_SUSPECT, 1));
    swim_free(swim);
}

/* What it heard and what it asked before it slept is as old as it was then. */
TEST(who_sleeps_does_not_take_that_for_silence)
{
    struct swim *swim = alone();
    swim_link(swim, 1000, 2, false);
    swim_link(swim, 1000, 3, false);
    say(swim, 1000, 2, 2, MEMBER_ALIVE, 1);
    say(swim, 1000, 3, 3, MEMBER_ALIVE, 1);
    swim_tick(swim, swim_deadline(swim)); /* asks both */
    swim_tick(swim, swim_deadline(swim)); /* and helpers */
    uint64_t asleep = swim_deadline(swim) - 50;
    CHECK(is(swim, 2, MEMBER_ALIVE, 1));
    swim_tick(swim, asleep + 9000);
    CHECK(is(swim, 2, MEMBER_ALIVE, 1) && is(swim, 3, MEMBER_ALIVE, 1));
    CHECK(swim_doubt(swim) > 0);
    swim_heard(swim, asleep + 9010, 2);
    swim_heard(swim, asleep + 9010, 3);
    say(swim, asleep + 9010, 2, 4, MEMBER_SUSPECT, 1);
    swim_tick(swim, asleep + 90000);
    CHECK(is(swim, 4, MEMBER_SUSPECT, 1));
    swim_free(swim);
}

static int open_one(void *arg)
{
    struct swim *swim;
    (void)arg;
    int error = swim_new(&(struct swim_options){.node = 1, .beat_ms = 1}, 0, &swim);
    if (!error)
        swim_free(swim);
    return error;
}

TEST(without_memory_there_is_none)
{
    test_alloc_sweep(open_one, NULL);
}
