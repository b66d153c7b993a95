/* What is under way between two nodes: a way does to it what it is told to, and else nothing. */
#include <string.h>

#include "base/alloc.h"
#include "gossip/message.h"
#include "sim/net.h"
#include "tests/support/test.h"

enum { A, B, MANY = 200, SIZE = 100 };

/* A link from A to B, whose processes never begin: what is sent stays on its way. */
struct bench {
    struct world world;
    struct sim_link link;
    struct sim_way *way;
};

static void bench_open(struct bench *bench)
{
    struct world_options options = {.seed = 3, .nodes = 2, .delay_ms_max = 5};
    *bench = (struct bench){0};
    world_open(&bench->world, &options);
    bench->link.ends[0] = (struct sim_end){.node = A, .number = 1, .open = true};
    bench->link.ends[1] = (struct sim_end){.node = B, .number = 1, .open = true, .trusted = true};
    bench->way = &bench->world.ways[A][B];
}

static void bench_close(struct bench *bench)
{
    end_clear(&bench->link.ends[0]);
    end_clear(&bench->link.ends[1]);
    world_close(&bench->world);
}

static void push_many(struct bench *bench)
{
    uint8_t bytes[SIZE] = {0};
    for (unsigned i = 0; i < MANY; i++) {
        bytes[0] = (uint8_t)i;
        way_push(&bench->world, &bench->link, 1, slice_of(bytes, sizeof bytes));
    }
}

/* What is on its way to B. */
struct found {
    unsigned count, garbled;
    unsigned again;    /* the same as the one before */
    unsigned overtook; /* a later one came before it */
    uint64_t first_at, last_at;
};

static struct found look(const struct bench *bench)
{
    const struct sim_end *end = &bench->link.ends[1];
    struct found found = {.first_at = end->first ? end->first->at : 0};
    unsigned last = 0;
    size_t queued = 0;
    for (const struct sim_mail *mail = end->first; mail; mail = mail->next) {
        const struct buffer *bytes = &mail->net.message;
        static const uint8_t zero[SIZE];
        CHECK(mail->at >= found.last_at);
        CHECK(mail->next || mail == end->last);
        CHECK_EQUAL(bytes->size, SIZE);
        found.garbled += memcmp(bytes->data + 1, zero, SIZE - 1) != 0;
        found.again += mail != end->first && bytes->data[0] == last;
        found.overtook += mail != end->first && bytes->data[0] < last;
        last = bytes->data[0];
        found.count++;
        found.last_at = mail->at;
        queued += bytes->size;
    }
    CHECK_EQUAL(end->queued, queued);
    return found;
}

TEST(a_good_way_keeps_everything_in_order)
{
    struct bench bench;
    bench_open(&bench);
    push_many(&bench);
    struct found found = look(&bench);
    CHECK_EQUAL(found.count, MANY);
    CHECK_EQUAL(found.garbled + found.again + found.overtook, 0);
    CHECK(found.first_at > bench.world.now_ms && found.last_at <= bench.world.now_ms + 6);
    CHECK(!bench.link.spoilt);
    bench_close(&bench);
}

TEST(a_way_that_loses_loses_about_as_many_as_it_should)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->loses = 30;
    push_many(&bench);
    struct found found = look(&bench);
    CHECK(found.count > MANY / 2 && found.count < MANY * 8 / 10);
    CHECK_EQUAL(found.again + found.overtook + found.garbled, 0);
    CHECK(bench.link.spoilt);
    CHECK_EQUAL(bench.world.spoilt, MANY - found.count);
    bench_close(&bench);
}

TEST(a_way_that_doubles_sends_some_twice)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->duplicates = 30;
    push_many(&bench);
    struct found found = look(&bench);
    CHECK(found.count > MANY * 12 / 10 && found.count < MANY * 15 / 10);
    CHECK_EQUAL(found.again, found.count - MANY);
    CHECK(bench.link.spoilt);
    bench_close(&bench);
}

TEST(a_way_that_reorders_lets_some_be_overtaken)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->reorders = 30;
    push_many(&bench);
    struct found found = look(&bench);
    CHECK_EQUAL(found.count, MANY);
    CHECK(found.overtook > 10);
    CHECK(bench.link.spoilt);
    bench_close(&bench);
}

TEST(a_way_that_garbles_changes_bits)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->garbles = 50;
    push_many(&bench);
    struct found found = look(&bench);
    CHECK_EQUAL(found.count, MANY);
    CHECK(found.garbled > MANY / 4 && found.garbled < MANY * 3 / 4);
    bench_close(&bench);
}

TEST(a_late_way_is_late_and_keeps_the_order)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->delay_ms = 300;
    bench.way->jitter_ms = 200;
    push_many(&bench);
    struct found found = look(&bench);
    CHECK_EQUAL(found.count, MANY);
    CHECK_EQUAL(found.overtook, 0);
    CHECK(found.first_at > 300 && found.last_at > 400 && found.last_at <= 1 + 300 + 200 + 6);
    CHECK(!bench.link.spoilt);
    bench_close(&bench);
}

TEST(a_narrow_way_lets_few_bytes_through)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->bytes_per_s = 1000;
    push_many(&bench);
    struct found found = look(&bench);
    CHECK(found.last_at >= MANY * SIZE && found.last_at < MANY * SIZE + 10);
    CHECK_EQUAL(found.overtook, 0);
    bench_close(&bench);
}

TEST(only_its_own_direction_is_spoilt)
{
    struct bench bench;
    bench_open(&bench);
    bench.world.ways[B][A].loses = 100;
    push_many(&bench);
    CHECK_EQUAL(look(&bench).count, MANY);
    bench_close(&bench);
}

/* A stream's end is no message: it is told even where all messages are lost. */
TEST(the_end_of_a_stream_is_never_lost)
{
    struct bench bench;
    bench_open(&bench);
    bench.way->reorders = 50;
    push_many(&bench);
    bench.way->loses = 100;
    way_push(&bench.world, &bench.link, 1, slice_of(NULL, 0));
    const struct sim_mail *mail = bench.link.ends[1].first;
    unsigned ends = 0;
    for (; mail; mail = mail->next)
        ends += mail->end;
    CHECK_EQUAL(ends, 1);
    bench_close(&bench);
}

/* ---- arriving ---- */

static void two_meet(struct world *world)
{
    struct world_options options = {
        .seed = 5, .nodes = 2, .log_max = 100, .heartbeat_ms = 400, .delay_ms_max = 5};
    world_open(world, &options);
    sim_start(world, A);
    sim_start(world, B);
    CHECK(world_run(world, 2000));
    CHECK_EQUAL(net_open_links(world, A, B), CHANNELS);
}

static size_t waiting_for(const struct world *world, size_t node)
{
    size_t count = 0;
    for (size_t i = 0; i < world->links_count; i++) {
        for (unsigned side = 0; side < 2; side++) {
            const struct sim_end *end = &world->links[i]->ends[side];
            for (const struct sim_mail *mail = end->first; mail && end->node == node;
                 mail = mail->next)
                count++;
        }
    }
    return count;
}

TEST(what_is_sent_into_a_cut_waits_there)
{
    struct world world;
    two_meet(&world);
    world.ways[A][B].cut = true;
    CHECK(world_run(&world, 2000 + 1000));
    CHECK(waiting_for(&world, B) >= 2);
    CHECK_EQUAL(waiting_for(&world, A), 0);
    world.ways[A][B].cut = false;
    CHECK(world_run(&world, 2000 + 1100));
    CHECK_EQUAL(waiting_for(&world, B), 0);
    CHECK_EQUAL(net_open_links(&world, A, B), CHANNELS); /* and nobody was dropped */
    world_close(&world);
}

TEST(a_long_cut_ends_the_links_and_they_are_made_again)
{
    struct world world;
    two_meet(&world);
    world.ways[A][B].cut = world.ways[B][A].cut = true;
    CHECK(world_run(&world, 2000 + 6000));
    CHECK_EQUAL(net_open_links(&world, A, B), 0);
    world.ways[A][B].cut = world.ways[B][A].cut = false;
    CHECK(world_run(&world, 8000 + 6000));
    CHECK_EQUAL(net_open_links(&world, A, B), CHANNELS);
    CHECK_EQUAL(world.links_count, CHANNELS); /* the old ones are gone */
    world_close(&world);
}

TEST(what_waits_for_a_slow_way_hurries_when_it_is_so_no_longer)
{
    struct world world;
    two_meet(&world);
    world.ways[A][B].bytes_per_s = 1;
    CHECK(world_run(&world, 2000 + 1000));
    CHECK(waiting_for(&world, B) >= 2);
    world.ways[A][B].bytes_per_s = 0;
    net_hurry(&world);
    CHECK(world_run(&world, 3000 + 10));
    CHECK_EQUAL(waiting_for(&world, B), 0);
    world_close(&world);
}

TEST(links_that_break_are_told_of_at_both_ends_and_made_again)
{
    struct world world;
    two_meet(&world);
    world.keep_text = true;
    net_reset(&world, B, A);
    CHECK_EQUAL(net_open_links(&world, A, B), 0);
    CHECK(world_run(&world, 2000 + 10));
    CHECK_OK(buffer_append(&world.text, slice_of("", 1)));
    CHECK(strstr((const char *)world.text.data, "A sim://B: link down, reset"));
    CHECK(strstr((const char *)world.text.data, "B sim://A: link down, reset"));
    CHECK(world_run(&world, 5000));
    CHECK_EQUAL(net_open_links(&world, A, B), CHANNELS);
    world_close(&world);
}

TEST(only_links_that_were_spoilt_begin_anew)
{
    struct world world;
    two_meet(&world);
    net_reset_spoilt(&world);
    CHECK_EQUAL(net_open_links(&world, A, B), CHANNELS);
    world.links[0]->spoilt = true;
    net_reset_spoilt(&world);
    CHECK_EQUAL(net_open_links(&world, A, B), CHANNELS - 1);
    world_close(&world);
}
