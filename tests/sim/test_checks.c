/* Each checker is shown a world in which its promise is broken by hand, and must say so; and all of
 * them a good one, in which they are silent. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "gossip/state.h"
#include "sim/check.h"
#include "sim/load.h"
#include "sim/oracle.h"
#include "sim/workload.h"
#include "store/merkle.h"

enum { NODES = 3, CALLS = 60, A = 0, B = 1 };

/* A world at rest after some calls, that all checkers have watched. */
struct bench {
    struct world world;
    struct load *load;
    struct rng rng;
    char why[512];
};

static void bench_calls(struct bench *bench, unsigned calls)
{
    for (unsigned i = 0; i < calls; i++) {
        load_call(bench->load, &bench->rng);
        CHECK(world_run(&bench->world, bench->world.now_ms + 50));
        checks_step(&bench->world);
    }
}

static bool bench_rests(struct bench *bench)
{
    for (unsigned i = 0; i < 20 && !bench->world.failed[0]; i++) {
        world_run(&bench->world, bench->world.now_ms + 1000);
        if (checks_hold(&bench->world, bench->why, sizeof bench->why))
            return true;
    }
    return false;
}

static void bench_begin(struct bench *bench)
{
    struct world *world = &bench->world;
    memset(bench, 0, sizeof *bench);
    world_open(world, &(struct world_options){
                          .seed = 3, .nodes = NODES, .log_max = 1000, .delay_ms_max = 5});
    rng_init(&bench->rng, 4);
    bench->load = load_new(world, &workload_default);
    world->checks = checks_new(world);
    for (size_t i = 0; i < NODES; i++)
        sim_start(world, i);
    world_run(world, 3000);
    bench_calls(bench, CALLS);
    if (!bench_rests(bench))
        test_failed(__FILE__, __LINE__, "a good world does not rest: %s%s", bench->why,
                    world->failed);
    CHECK_TEXT(world->failed, "");
}

static void bench_end(struct bench *bench)
{
    world_close(&bench->world);
    checks_free(bench->world.checks);
    load_free(bench->load);
}

/* The last look: a finding that begins like this, now or at the next look. */
static void bench_finds(struct bench *bench, const char *begin)
{
    const char *found = bench->world.failed;
    if (!found[0] && !checks_hold(&bench->world, bench->why, sizeof bench->why))
        found = bench->why;
    if (strncmp(found, begin, strlen(begin)) != 0)
        test_failed(__FILE__, __LINE__, "'%s' is not '%s'", found, begin);
    bench_end(bench);
}

static struct shard *box(struct bench *bench, size_t node)
{
    struct shard *shard = sim_shard(&bench->world, node, "b0");
    CHECK(shard && shard->context.count > 0);
    return shard;
}

/* Behind the back of its node. */
static void disk_change(struct bench *bench, size_t node, enum disk_family family, struct slice key,
                        const struct slice *value)
{
    struct disk *disk = bench->world.nodes[node].disk;
    struct batch *batch;
    CHECK_OK(batch_new(disk, &batch));
    if (value)
        CHECK_OK(batch_put(batch, family, key, *value));
    else
        CHECK_OK(batch_delete(batch, family, key));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
}

/* The first cell of the bucket. */
static void cell_key(struct bench *bench, size_t node, struct buffer *ret_key,
                     struct buffer *ret_value)
{
    struct scan *scan = scan_of(&bench->world.nodes[node], DISK_CELLS);
    struct slice key, value;
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_OK(buffer_set(ret_key, key));
    CHECK_OK(buffer_set(ret_value, value));
    scan_close(scan);
}

static void cell_lose(struct bench *bench, size_t node)
{
    struct buffer key, value;
    buffer_init(&key, KEY_SIZE_MAX);
    buffer_init(&value, 1 << 20);
    cell_key(bench, node, &key, &value);
    disk_change(bench, node, DISK_CELLS, buffer_slice(&key), NULL);
    buffer_done(&key);
    buffer_done(&value);
}

TEST(a_good_world_is_fine_to_all)
{
    struct bench bench;
    bench_begin(&bench);
    sim_crash(&bench.world, A);
    world_run(&bench.world, bench.world.now_ms + 500);
    sim_start(&bench.world, A);
    bench_calls(&bench, CALLS);
    CHECK(bench_rests(&bench));
    CHECK_TEXT(bench.world.failed, "");
    bench_end(&bench);
}

TEST(a_cell_that_is_gone_makes_replicas_differ)
{
    struct bench bench;
    bench_begin(&bench);
    cell_lose(&bench, A);
    bench_finds(&bench, "equal: ");
}

TEST(a_cell_that_is_gone_everywhere_is_missed_by_its_writer)
{
    struct bench bench;
    bench_begin(&bench);
    for (size_t i = 0; i < NODES; i++)
        cell_lose(&bench, i);
    bench_finds(&bench, "acknowledged: ");
}

TEST(a_cell_that_is_gone_is_missed_when_its_node_starts)
{
    struct bench bench;
    bench_begin(&bench);
    cell_lose(&bench, A);
    sim_stop(&bench.world, A);
    sim_start(&bench.world, A);
    bench_finds(&bench, "contexts: A, b");
    CHECK(strstr(bench.world.failed, "is missing"));
}

TEST(a_cell_as_it_was_is_noticed_when_its_node_starts)
{
    struct bench bench;
    struct buffer key, value;
    bench_begin(&bench);
    buffer_init(&key, KEY_SIZE_MAX);
    buffer_init(&value, 1 << 20);
    cell_key(&bench, A, &key, &value);
    struct slice old = buffer_slice(&value);
    /* Until somebody writes there. */
    for (unsigned i = 0; i < 100; i++) {
        struct buffer now;
        buffer_init(&now, 1 << 20);
        bench_calls(&bench, 20);
        struct disk *disk = bench.world.nodes[A].disk;
        bool same = disk->ops->get(disk, NULL, DISK_CELLS, buffer_slice(&key), &now) == 0 &&
                    slice_equal(buffer_slice(&now), old);
        buffer_done(&now);
        if (!same)
            break;
    }
    CHECK(bench_rests(&bench));
    disk_change(&bench, A, DISK_CELLS, buffer_slice(&key), &old);
    sim_stop(&bench.world, A);
    sim_start(&bench.world, A);
    buffer_done(&key);
    buffer_done(&value);
    bench_finds(&bench, "contexts: A, b");
    CHECK(strstr(bench.world.failed, "was removed by") || strstr(bench.world.failed, "is missing"));
}

TEST(a_context_that_claims_what_nobody_did_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    struct shard *shard = box(&bench, A);
    struct context_entry *entry = &shard->context.entries[0];
    if (entry->id == shard->replica)
        entry++;
    entry->n += 2;
    for (unsigned i = 0; i < 100 && !bench.world.failed[0]; i++) {
        load_call(bench.load, &bench.rng);
        world_run(&bench.world, bench.world.now_ms + 50);
    }
    CHECK(strstr(bench.world.failed, "and no event any more") ||
          strstr(bench.world.failed, "which it may forget") ||
          strstr(bench.world.failed, "is missing") || /* somebody has done it meanwhile */
          strstr(bench.world.failed, "which may still be lost"));
    bench_end(&bench);
}

TEST(a_context_that_goes_back_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    struct shard *shard = box(&bench, A);
    struct context_entry *entry = &shard->context.entries[0];
    if (entry->id == shard->replica)
        entry++;
    entry->n -= 1;
    for (unsigned i = 0; i < 100 && !bench.world.failed[0]; i++) {
        load_call(bench.load, &bench.rng);
        world_run(&bench.world, bench.world.now_ms + 50);
    }
    CHECK(strstr(bench.world.failed, "was known, and is no longer"));
    bench_end(&bench);
}

TEST(a_log_that_is_left_is_no_rest)
{
    struct bench bench;
    struct key key;
    const struct slice value = slice_text("x");
    bench_begin(&bench);
    key_log(&key, box(&bench, A)->id, (struct dot){1, 1});
    disk_change(&bench, A, DISK_LOG, key_slice(&key), &value);
    bench_finds(&bench, "rest: A: the log is not empty");
}

TEST(a_residue_that_is_left_is_no_rest)
{
    struct bench bench;
    struct key key;
    const struct slice value = slice_text("x");
    bench_begin(&bench);
    key_residue(&key, box(&bench, A)->id, 1);
    disk_change(&bench, A, DISK_META, key_slice(&key), &value);
    bench_finds(&bench, "rest: A: residues are left");
}

/* Also when directories went back: only what was lost is excused. */
TEST(amnesia_excuses_only_what_was_lost)
{
    struct bench bench;
    bench_begin(&bench);
    bench.world.amnesia = true;
    cell_lose(&bench, A);
    bench_finds(&bench, "equal: ");
}

TEST(what_is_counted_wrong_is_out_of_bounds)
{
    struct bench bench;
    bench_begin(&bench);
    bench.world.nodes[A].wheel.engine.gossip->peers[0].pulling++;
    bench_finds(&bench, "bounds: A counts 1 pulls from a peer, and has 0");
}

TEST(a_message_that_stays_in_an_outbox_is_out_of_bounds)
{
    struct bench bench;
    bench_begin(&bench);
    CHECK_OK(outbox_send(&bench.world.nodes[A].wheel.outbox, 1, slice_text("x"), false));
    bench_finds(&bench, "bounds: A has 1 bytes in its outbox");
}

TEST(two_messages_of_one_link_that_wait_are_out_of_bounds)
{
    struct bench bench;
    struct net_event net = {.kind = NET_MESSAGE, .link = 7};
    struct event event = {.kind = EVENT_NET, .net = &net}, other = event;
    bench_begin(&bench);
    struct sim_node *node = &bench.world.nodes[A];
    CHECK_EQUAL(node->inbox_count, 0);
    node->inbox[node->inbox_count++] = &event;
    node->inbox[node->inbox_count++] = &other;
    CHECK(!checks_hold(&bench.world, bench.why, sizeof bench.why));
    node->inbox_count = 0;
    CHECK_TEXT(bench.why, "bounds: A has two messages of one link to take");
    bench_end(&bench);
}

static void send(struct bench *bench, enum message_kind kind, const struct context *since)
{
    struct message message;
    message_init(&message);
    message.kind = kind;
    message.shard = box(bench, A)->id;
    message.since = *since;
    checks_sent(&bench->world, A, &message);
}

TEST(what_is_durable_may_be_named)
{
    struct bench bench;
    bench_begin(&bench);
    send(&bench, MESSAGE_PULL, &box(&bench, A)->context);
    CHECK_TEXT(bench.world.failed, "");
    bench_end(&bench);
}

TEST(a_message_that_names_what_is_not_durable_is_noticed)
{
    struct bench bench;
    struct context since = {0};
    bench_begin(&bench);
    CHECK_OK(context_copy(&since, &box(&bench, A)->context));
    since.entries[0].n++;
    send(&bench, MESSAGE_PULL, &since);
    context_done(&since);
    bench_finds(&bench, "durable: A sends a pull that names ");
}

/* Others have it, but this node could forget it. */
TEST(a_message_that_names_what_its_sender_may_forget_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    uint32_t shard = oracle_shard(bench.world.oracle, box(&bench, A)->id);
    context_clear(&bench.world.oracle->shards[shard].replicas[A].synced);
    send(&bench, MESSAGE_PULL, &box(&bench, A)->context);
    CHECK(strstr(bench.world.failed, "which it may forget"));
    bench_finds(&bench, "durable: ");
}

TEST(an_answer_before_the_sync_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    struct record record = {.node = A, .outcome = OUTCOME_SURE};
    checks_answered(&bench.world, &record);
    CHECK_TEXT(bench.world.failed, "");
    uint32_t shard = oracle_shard(bench.world.oracle, box(&bench, A)->id);
    bench.world.oracle->shards[shard].replicas[A].dirty = true;
    checks_answered(&bench.world, &record);
    bench_finds(&bench, "durable: A acknowledges a write that is not synced");
}

TEST(who_compares_without_need_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    bench.world.nodes[B].wheel.engine.gossip->counts[REASON_stale]++;
    checks_step(&bench.world);
    bench_finds(&bench, "frugal: B has to compare");
}

TEST(who_compares_after_a_cut_is_not)
{
    struct bench bench;
    bench_begin(&bench);
    bench.world.nodes[A].wheel.engine.gossip->counts[REASON_log_cut_early]++;
    bench_calls(&bench, 10); /* A commits: the cut is seen */
    bench.world.nodes[B].wheel.engine.gossip->counts[REASON_stale]++;
    checks_step(&bench.world);
    CHECK_TEXT(bench.world.failed, "");
    CHECK(bench_rests(&bench));
    bench_end(&bench);
}

TEST(ends_that_remember_a_push_otherwise_are_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    const struct topic *topic =
        topic_find(bench.world.nodes[B].wheel.engine.gossip, box(&bench, B)->id);
    unsigned known = 0;
    for (size_t i = 0; i < topic->pairs_room; i++) {
        struct pair *pair = topic->pairs[i];
        if (!pair || !pair->came.known)
            continue;
        known++;
        pair->came.base.context.entries[0].nonce++;
    }
    CHECK(known > 0);
    checks_step(&bench.world);
    bench_finds(&bench, "pushes: B takes push ");
}

TEST(who_refuses_a_push_without_need_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    bench.world.nodes[B].wheel.engine.gossip->counts[REASON_push_refused]++;
    checks_step(&bench.world);
    bench_finds(&bench, "pushes: B refuses one");
}

/* As if A had asked, and one peer had answered. */
static void bench_verified(struct bench *bench, enum verify_verdict verdict)
{
    struct sim_node *node = &bench->world.nodes[A];
    const struct shard *shard = box(bench, A);
    struct verify_result result = {.verdict = verdict, .asked_ms = sim_now(node).wall_ms};
    struct ask_answer answer = {.end = ASK_TOLD, .verified = &result};
    struct ask ask = {.kind = ASK_VERIFY, .shard = shard->id, .answers = &answer, .count = 1};
    struct message question;
    message_init(&question);
    question.kind = MESSAGE_VERIFY;
    question.shard = shard->id;
    CHECK_OK(context_copy(&question.since, &shard->context));
    CHECK_OK(context_copy(&result.context, &shard->context));
    snprintf(answer.address, sizeof answer.address, "%s", bench->world.nodes[B].address);
    checks_sent(&bench->world, A, &question);
    checks_sent(&bench->world, A, &question); /* trees that were just built count from now on */
    checks_asked(&bench->world, A, &ask, 0);
    message_done(&question);
    context_done(&result.context);
}

TEST(who_is_said_to_differ_without_damage_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    bench_verified(&bench, VERIFY_UNKNOWN);
    bench_verified(&bench, VERIFY_EQUAL);
    CHECK_TEXT(bench.world.failed, "");
    bench_verified(&bench, VERIFY_DIFFERS);
    bench_finds(&bench, "verify: A differs from sim://B, and nothing was lost");
}

TEST(who_is_said_to_be_equal_and_is_not_is_noticed)
{
    struct bench bench;
    bench_begin(&bench);
    struct merkle *tree = box(&bench, B)->tree;
    struct slice path = slice_text("12345678 wrong");
    struct merkle_delta delta =
        merkle_delta(&tree->key, path, slice_of(NULL, 0), slice_text("cell"), false);
    merkle_apply(tree, path, &delta);
    bench_verified(&bench, VERIFY_EQUAL);
    bench_finds(&bench, "verify: A and B are said to be equal, and are not");
}

TEST(a_question_that_does_not_end_is_noticed)
{
    struct bench bench;
    struct ask_answer answer = {.end = ASK_TOLD, .code = NEAP_NOTFOUND, .address = "sim://B"};
    struct ask ask = {.kind = ASK_LOOK, .answers = &answer, .count = 1};
    bench_begin(&bench);
    checks_asked(&bench.world, A, &ask, 0);
    CHECK_TEXT(bench.world.failed, "");
    answer.end = ASK_WAITS;
    checks_asked(&bench.world, A, &ask, 0);
    bench_finds(&bench, "asks: A still waits for sim://B");
}

TEST(cells_that_make_no_sense_are_noticed)
{
    struct bench bench;
    struct ask_answer answer = {.end = ASK_TOLD, .address = "sim://B"};
    struct ask ask = {.kind = ASK_LOOK, .answers = &answer, .count = 1};
    bench_begin(&bench);
    checks_asked(&bench.world, A, &ask, 0);
    bench_finds(&bench, "asks: what sim://B tells A of cells can't be read");
}

TEST(each_checker_says_what_it_promises)
{
    CHECK(checks_count() >= 8);
    for (size_t i = 0; i < checks_count(); i++)
        CHECK(checks_at(i)->name[0] && checks_at(i)->promise[0]);
}
