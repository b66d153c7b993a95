/* A device that reaches nobody, and files that are carried to and fro (engine/bundle.h). */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/bundle.h"
#include "sim/net.h"
#include "store/merkle.h"
#include "tests/story/story.h"

enum { A, B, C, NODES };
enum { HOUR = 3600000, WEEK_HOURS = 168, WEEKS = 52, RETIRE_HOURS = 30 * 24 };

static struct story story;
static const struct hash_key key = {{1, 2, 3}};

/* ---- files ---- */

struct file {
    struct buffer bytes;
    const struct context *since;
    struct context theirs; /* what its maker had */
    struct bundle_counts counts;
    bool behind;
};

static int make(void *arg, struct engine *engine, struct now now, struct batch *batch)
{
    struct file *file = arg;
    struct writer writer;
    writer_init(&writer, &file->bytes);
    bundle_begin(&writer, engine->store.identity.node, now.wall_ms, 1);
    CHECK_OK(writer.error);
    CHECK_OK(bundle_from(engine, now, batch, bucket_id("box"), file->since, &file->bytes,
                         &file->counts));
    CHECK_OK(bundle_seal(&file->bytes, &key));
    return 0;
}

static int take(void *arg, struct engine *engine, struct now now, struct batch *batch)
{
    struct file *file = arg;
    struct shard *shard;
    struct reader reader;
    uint64_t node, made_ms;
    uint32_t buckets;
    (void)now;
    CHECK_OK(
        bundle_open(buffer_slice(&file->bytes), &key, &reader, &node, &made_ms, &buckets));
    CHECK(slice_equal(read_str(&reader, NEAP_BUCKET_MAX), slice_text("box")));
    CHECK_OK(bundle_into(engine, batch, "box", &reader, &file->counts, &file->theirs,
                         &file->behind, &shard));
    CHECK(!file->behind);
    return 0;
}

static void work(size_t node, struct file *file,
                 int (*what)(void *, struct engine *, struct now, struct batch *))
{
    struct event *event = mem_new(sizeof *event);
    CHECK(event);
    *event = (struct event){.kind = EVENT_WORK, .work = what, .arg = file};
    sim_post(&story.world, node, event);
    story_run(&story, 5);
}

/* What `from` has that `since` lacks, into `to`; tells what the maker had. */
static void carry(size_t from, size_t to, const struct context *since, unsigned way,
                  struct context *ret_theirs)
{
    struct file file = {.since = since};
    buffer_init(&file.bytes, BUNDLE_SIZE_MAX);
    work(from, &file, make);
    CHECK_EQUAL(file.counts.way, way);
    work(to, &file, take);
    CHECK_OK(context_copy(ret_theirs, &file.theirs));
    context_done(&file.theirs);
    buffer_done(&file.bytes);
}

static struct shard *box(size_t node)
{
    return sim_shard(&story.world, node, "box");
}

static bool are_equal(size_t a, size_t b)
{
    return context_equal(&box(a)->context, &box(b)->context) && box(a)->tree->ready &&
           box(b)->tree->ready &&
           digest_equal(merkle_root(box(a)->tree), merkle_root(box(b)->tree));
}

/* ---- a year ---- */

static void do_numbered(size_t node, const char *words, int number)
{
    char text[60];
    snprintf(text, sizeof text, "%s%d", words, number);
    story_do(&story, node, text);
}

static void week(int number)
{
    story_run(&story, (uint64_t)WEEK_HOURS * HOUR);
    story_do(&story, A, "incr visits 10");
    story_do(&story, C, "incr visits 100");
    do_numbered(A, "set title cluster", number);
    do_numbered(C, "put note device", number);
    do_numbered(B, "add tags week", number);
    do_numbered(C, "add tags device", number);
    if (number >= 2) {
        do_numbered(A, "remove tags week", number - 2);
        do_numbered(C, "remove tags device", number - 2);
    }
    if (number == 5)
        story_do(&story, C, "remove tags ripe");
    if (number == 9)
        story_do(&story, A, "remove tags sweet");
    if (number == 20)
        story_do(&story, B, "delete gone");
    if (number == 30)
        story_do(&story, C, "delete title"); /* as it was a year ago */
    if (number % 13 == 12) {
        sim_stop(&story.world, C);
        sim_start(&story.world, C);
        story_run(&story, 5000);
    }
}

static void begin(struct context *ret_met)
{
    story_begin(&story, &(struct world_options){.seed = 7,
                                                .nodes = NODES,
                                                .log_max = 64,
                                                .heartbeat_ms = HOUR,
                                                .scrub_ms = WEEK_HOURS * HOUR});
    for (size_t i = 0; i < NODES; i++) {
        story.world.nodes[i].gossip.backoff_ms_max = HOUR;
        story.world.nodes[i].gossip.retire_ms = (uint64_t)RETIRE_HOURS * HOUR;
        sim_start(&story.world, i);
    }
    story_run(&story, 3000);
    story_do(&story, A, "add tags ripe");
    story_do(&story, A, "add tags sweet");
    story_do(&story, A, "incr visits 1");
    story_do(&story, A, "set title old");
    story_do(&story, A, "set gone soon");
    story_run(&story, 3 * HOUR);
    CHECK(are_equal(A, C));
    CHECK_OK(context_copy(ret_met, &box(C)->context));
    story_cut(&story, A, C, true);
    story_cut(&story, B, C, true);
}

static const char all_that_is_there[] =
    "A has tags: device50 device51 week50 week51\n"
    "B has tags: device50 device51 week50 week51\n"
    "C has tags: device50 device51 week50 week51\n"
    "A has visits: 5721\nB has visits: 5721\nC has visits: 5721\n"
    "A has title: cluster51\nB has title: cluster51\nC has title: cluster51\n"
    "A has note: device51\nB has note: device51\nC has note: device51\n"
    "A has gone: nothing\nB has gone: nothing\nC has gone: nothing\n";

TEST(a_year_of_an_offline_device_goes_by_two_files_and_brings_nothing_back)
{
    struct context met = {0}, theirs = {0}, back = {0};

    begin(&met);
    for (int number = 0; number < WEEKS; number++)
        week(number);
    /* Both have retired the other long ago: no log tells what it lacks. */
    CHECK(!context_covers(&met, &box(A)->horizon) && !context_covers(&met, &box(C)->horizon));
    carry(C, A, &met, BUNDLE_ALL, &theirs);
    carry(A, C, &theirs, BUNDLE_ALL, &back);
    CHECK_EQUAL(net_open_links(&story.world, A, C) + net_open_links(&story.world, B, C), 0);
    CHECK(are_equal(A, C));
    story_run(&story, 3 * HOUR);
    CHECK(are_equal(A, B) && are_equal(A, C));
    story_forget(&story);
    for (size_t i = 0; i < 5; i++)
        story_show_all(&story,
                       (const char *[]){"tags", "visits", "title", "note", "gone"}[i]);
    story_told(&story, NULL, all_that_is_there);
    /* Then only what came since. */
    story_do(&story, C, "incr visits 1000");
    carry(C, B, &back, BUNDLE_LOG, &theirs);
    story_run(&story, 3 * HOUR);
    CHECK(are_equal(A, B) && are_equal(A, C));
    story_cut(&story, A, C, false);
    story_cut(&story, B, C, false);
    story_run(&story, 9 * HOUR);
    context_done(&met);
    context_done(&theirs);
    context_done(&back);
    story_end(&story, true);
}
