/* drive FOLDER NEAPD PROXY SEED ROUNDS: three nodes in namespaces of their own are called while
 * links are cut and slowed and processes killed; what came of it goes through the checkers of the
 * simulator. Run by netns.sh. In FOLDER is the file `cluster`. Prints TAP.
 *
 * The seed decides which faults there are, in which order, and what is called; when what happens is
 * up to the machine, so that a seed does not give the same history twice. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/netns/drive.h"

enum { LOOK_EVERY = 10, FLAPS = 6, ALARM_S = 600 };

/* A fault that is there now, and whom it hits. */
struct trouble {
    const struct fault *fault;
    size_t a, b;
    unsigned calls; /* since it began */
    bool over;
};

struct drive {
    struct cluster cluster;
    struct caller caller;
    unsigned cases, faults, cuts, kills, troubles_count;
    bool failed;
    struct trouble troubles[2];
};

struct fault {
    const char *name;
    void (*begin)(struct drive *drive, struct trouble *trouble);
    /* Asked again and again, while calls go on: has it been there long enough? */
    bool (*lasted)(struct drive *drive, struct trouble *trouble);
};

static void check(struct drive *drive, bool holds, const char *name)
{
    drive->cases++;
    drive->failed |= !holds;
    printf("%sok %u - %s\n", holds ? "" : "not ", drive->cases, name);
    fflush(stdout);
}

static time_t clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- waiting ---- */

/* Until it holds, or false when it takes too long. */
static bool await(struct drive *drive, bool (*holds)(struct cluster *cluster))
{
    time_t end = clock_s() + PATIENCE_S;
    while (!holds(&drive->cluster)) {
        if (clock_s() >= end)
            return false;
        cluster_pace(&drive->cluster);
    }
    return true;
}

static bool all_answer(struct cluster *cluster)
{
    for (size_t i = 0; i < NODES; i++) {
        if (!node_handle(cluster, i))
            return false;
    }
    return true;
}

static bool all_see_all(struct cluster *cluster)
{
    for (size_t i = 0; i < NODES; i++) {
        for (size_t j = 0; j < NODES; j++) {
            if (i != j && !node_sees(cluster, i, j))
                return false;
        }
    }
    return true;
}

/* Both have noticed: they have dropped each other, for all that they can say themselves. */
static bool are_apart(struct cluster *cluster, size_t a, size_t b)
{
    return (!node_is_up(cluster, a) || !node_sees(cluster, a, b)) &&
           (!node_is_up(cluster, b) || !node_sees(cluster, b, a));
}

/* ---- faults ---- */

static bool lasted_calls(struct drive *drive, struct trouble *trouble)
{
    (void)drive;
    return trouble->calls >= 20;
}

static bool lasted_pair(struct drive *drive, struct trouble *trouble)
{
    return lasted_calls(drive, trouble) && are_apart(&drive->cluster, trouble->a, trouble->b);
}

static bool lasted_all(struct drive *drive, struct trouble *trouble)
{
    size_t other = NODES - trouble->a - trouble->b;
    return lasted_pair(drive, trouble) && are_apart(&drive->cluster, trouble->a, other);
}

static void cut(struct drive *drive, size_t a, size_t b)
{
    link_cut(&drive->cluster, a, b, true);
    link_cut(&drive->cluster, b, a, true);
    drive->cuts++;
}

static void begin_cut(struct drive *drive, struct trouble *trouble)
{
    cut(drive, trouble->a, trouble->b);
}

static void begin_one_way(struct drive *drive, struct trouble *trouble)
{
    link_cut(&drive->cluster, trouble->a, trouble->b, true);
    drive->cuts++;
}

static void begin_alone(struct drive *drive, struct trouble *trouble)
{
    for (size_t i = 0; i < NODES; i++) {
        if (i != trouble->a)
            cut(drive, trouble->a, i);
    }
}

static void begin_down(struct drive *drive, struct trouble *trouble)
{
    link_down(&drive->cluster, trouble->a, trouble->b, true);
    drive->cuts++;
}

static bool lasted_flaps(struct drive *drive, struct trouble *trouble)
{
    unsigned flap = trouble->calls / LOOK_EVERY;
    bool off = flap % 2 == 0;
    if (off != drive->cluster.cut[trouble->a][trouble->b]) {
        link_cut(&drive->cluster, trouble->a, trouble->b, off);
        link_cut(&drive->cluster, trouble->b, trouble->a, off);
        drive->cuts += off;
    }
    return flap >= 2 * FLAPS;
}

static void begin_slow(struct drive *drive, struct trouble *trouble)
{
    unsigned delay_ms = 50 + (unsigned)rng_below(&drive->caller.rng, 400);
    unsigned rate = 4000 + (unsigned)rng_below(&drive->caller.rng, 60000);
    link_slow(&drive->cluster, trouble->a, trouble->b, delay_ms, rate);
    for (unsigned i = 0; i < 3; i++)
        caller_fill(&drive->caller, trouble->a);
}

static bool lasted_long(struct drive *drive, struct trouble *trouble)
{
    (void)drive;
    return trouble->calls >= 100;
}

static void begin_kill(struct drive *drive, struct trouble *trouble)
{
    node_kill(&drive->cluster, trouble->a);
    drive->kills++;
}

/* While it is called. */
static void begin_doom(struct drive *drive, struct trouble *trouble)
{
    if (!drive->cluster.nodes[trouble->a])
        return;
    node_doom(&drive->cluster, trouble->a, (unsigned)rng_below(&drive->caller.rng, 100));
    drive->kills++;
}

/* Those that another fault has ended or stopped stay away. */
static void begin_kill_all(struct drive *drive, struct trouble *trouble)
{
    (void)trouble;
    for (size_t i = 0; i < NODES; i++) {
        bool up = node_is_up(&drive->cluster, i);
        node_kill(&drive->cluster, i);
        if (up)
            node_start(&drive->cluster, i);
        drive->kills++;
    }
}

static void begin_proxy(struct drive *drive, struct trouble *trouble)
{
    proxy_kill(&drive->cluster, trouble->a);
}

static void begin_pause(struct drive *drive, struct trouble *trouble)
{
    node_pause(&drive->cluster, trouble->a, true);
}

static const struct fault faults[] = {
    {"a link is cut", begin_cut, lasted_pair},
    {"a link is cut one way", begin_one_way, lasted_pair},
    {"a node is cut off", begin_alone, lasted_all},
    {"a link is down", begin_down, lasted_pair},
    {"a link flaps", begin_cut, lasted_flaps},
    {"a link is slow", begin_slow, lasted_long},
    {"a node is killed, and away for a while", begin_kill, lasted_all},
    {"a node is killed while it is called", begin_doom, lasted_calls},
    {"all nodes are killed", begin_kill_all, lasted_calls},
    {"a proxy is killed", begin_proxy, lasted_all},
    {"a node is stopped, and goes on", begin_pause, lasted_all},
};
enum { FAULTS = sizeof faults / sizeof *faults };

/* ---- rounds ---- */

static void trouble_begin(struct drive *drive, const struct fault *fault)
{
    struct rng *rng = &drive->caller.rng;
    struct trouble *trouble = &drive->troubles[drive->troubles_count++];
    *trouble = (struct trouble){.fault = fault, .a = (size_t)rng_below(rng, NODES)};
    trouble->b = (trouble->a + 1 + (size_t)rng_below(rng, NODES - 1)) % NODES;
    printf("# fault %u: %s: %s, %s\n", ++drive->faults, fault->name, node_name(trouble->a),
           node_name(trouble->b));
    fflush(stdout);
    fault->begin(drive, trouble);
}

static bool troubles_lasted(struct drive *drive)
{
    bool over = true;
    for (unsigned i = 0; i < drive->troubles_count; i++) {
        struct trouble *trouble = &drive->troubles[i];
        trouble->over = trouble->over || trouble->fault->lasted(drive, trouble);
        over &= trouble->over;
    }
    return over;
}

/* One fault or two at once, calls all the while. */
static void troubles_live(struct drive *drive)
{
    time_t end = clock_s() + PATIENCE_S;
    for (unsigned turn = 1;; turn++) {
        caller_call(&drive->caller);
        cluster_pace(&drive->cluster);
        for (unsigned i = 0; i < drive->troubles_count; i++)
            drive->troubles[i].calls++;
        if (turn % LOOK_EVERY == 0 && troubles_lasted(drive))
            break;
        if (clock_s() >= end)
            cluster_fail(&drive->cluster, "fault %u: nobody noticed, in %d s", drive->faults,
                         PATIENCE_S);
    }
    cluster_heal(&drive->cluster);
    drive->troubles_count = 0;
    if (!await(drive, all_answer))
        cluster_fail(&drive->cluster, "a node does not answer");
}

/* Each kind of fault once, in an order by chance. */
static void round_run(struct drive *drive)
{
    struct rng *rng = &drive->caller.rng;
    size_t order[FAULTS];
    for (size_t i = 0; i < FAULTS; i++) {
        size_t at = (size_t)rng_below(rng, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < FAULTS; i++) {
        trouble_begin(drive, &faults[order[i]]);
        if (i + 1 < FAULTS && rng_chance(rng, 40))
            trouble_begin(drive, &faults[order[++i]]);
        troubles_live(drive);
    }
}

/* ---- checks ---- */

typedef bool history_check(const struct history *history, struct replicas *replicas, size_t node,
                           char *ret_why, size_t size);

/* On each node. */
static bool history_holds(struct drive *drive, history_check *holds, char *ret_why, size_t size)
{
    struct observer observer;
    observer_init(&observer, &drive->cluster);
    for (size_t i = 0; i < NODES; i++) {
        int used = snprintf(ret_why, size, "node %s: ", node_name(i));
        if (!holds(&drive->caller.history, &observer.replicas, i, ret_why + used,
                   size - (size_t)used))
            return false;
    }
    return true;
}

static bool contents_are_equal(struct drive *drive)
{
    struct buffer first, other;
    bool equal = true;
    buffer_init(&first, 64 << 20);
    buffer_init(&other, 64 << 20);
    node_contents(&drive->cluster, 0, &first);
    for (size_t i = 1; i < NODES && equal; i++) {
        node_contents(&drive->cluster, i, &other);
        equal = slice_equal(buffer_slice(&first), buffer_slice(&other));
    }
    buffer_done(&first);
    buffer_done(&other);
    return equal;
}

static void check_history(struct drive *drive, history_check *holds, const char *name)
{
    char why[256];
    bool held = history_holds(drive, holds, why, sizeof why);
    check(drive, held, name);
    if (!held)
        printf("# %s\n", why);
}

static void check_sound(struct drive *drive)
{
    char why[256];
    bool sound = true;
    for (size_t i = 0; i < NODES; i++) {
        if (node_is_sound(&drive->cluster, i, why, sizeof why))
            continue;
        printf("# node %s: %s\n", node_name(i), why);
        sound = false;
    }
    printf("# since nodes were started: %" PRIu64 " events taken, %" PRIu64 " compares\n",
           nodes_count(&drive->cluster, "events_taken"), nodes_count(&drive->cluster, "compares"));
    check(drive, sound, "no_node_has_lost_or_damaged_anything");
}

static void check_all(struct drive *drive)
{
    const struct caller *caller = &drive->caller;
    char after[128], name[256];
    snprintf(after, sizeof after, "after_%u_faults_%u_cuts_%u_kills_%" PRIu64 "_calls",
             drive->faults, drive->cuts, drive->kills, caller->calls);
    printf("# %" PRIu64 " calls acknowledged, %" PRIu64 " refused, %" PRIu64 " unclear\n",
           caller->calls - caller->refused - caller->unclear, caller->refused, caller->unclear);
    snprintf(name, sizeof name, "%s_the_nodes_agree_with_empty_logs", after);
    check(drive, await(drive, nodes_are_equal), name);
    caller_settle(&drive->caller);
    check(drive, contents_are_equal(drive), "whoever_reads_everything_reads_the_same_on_each_node");
    snprintf(name, sizeof name, "%s_nothing_acknowledged_is_lost", after);
    check_history(drive, history_kept, name);
    snprintf(name, sizeof name, "%s_nothing_removed_is_back", after);
    check_history(drive, history_gone, name);
    snprintf(name, sizeof name, "%" PRIu64 "_tokens_showed_their_writes_on_other_nodes",
             caller->tokens);
    check(drive, caller->tokens > 0, name);
    check_sound(drive);
}

/* It takes seven seconds to come: longer than a peer may be silent. */
static void check_slow(struct drive *drive)
{
    for (size_t i = 0; i < 2; i++)
        link_slow(&drive->cluster, 2, i, 20, 3000);
    caller_fill(&drive->caller, 0);
    check(drive, await(drive, nodes_are_equal), "a_large_value_crosses_a_very_slow_link");
    cluster_heal(&drive->cluster);
}

/* ---- controls: what these checks are for, they find ---- */

/* As if this had been done, and acknowledged: then it must be missed. */
static void control_lie(struct drive *drive, const struct record *record, history_check *holds,
                        const char *name)
{
    struct history *history = &drive->caller.history;
    char why[256];
    size_t number = history_add(history, record);
    history_end(history, number, OUTCOME_SURE);
    check(drive, !history_holds(drive, holds, why, sizeof why), name);
    history->records[number].outcome = OUTCOME_NONE;
}

static void control_lies(struct drive *drive)
{
    struct record record;
    caller_add(&drive->caller, 0, &record);
    bool equal = await(drive, nodes_are_equal);
    check(drive, equal, "control_an_addition_is_everywhere");
    record.kind = RECORD_SET_REMOVE;
    control_lie(drive, &record, history_gone, "control_a_removal_that_was_not_made_is_found");
    record.kind = RECORD_SET_ADD;
    snprintf(record.member, sizeof record.member, "nobody");
    control_lie(drive, &record, history_kept, "control_an_addition_that_was_not_made_is_found");
    record = (struct record){
        .kind = RECORD_COUNTER_ADD, .number = 1000000, .bucket = "b0", .key = "m9/f9"};
    control_lie(drive, &record, history_kept, "control_an_increment_that_was_not_made_is_found");
    check_history(drive, history_kept, "control_without_lies_nothing_is_lost");
    check_history(drive, history_gone, "control_without_lies_nothing_is_back");
}

static void shell(struct drive *drive, const char *script)
{
    const char *const words[] = {"sh", "-ec", script, "sh", drive->cluster.folder, NULL};
    command_run(&drive->cluster, words);
}

/* The directory of a node goes back to before a write that only this node had. */
static void control_old_directory(struct drive *drive)
{
    struct cluster *cluster = &drive->cluster;
    struct history *history = &drive->caller.history;
    struct record record;
    char why[256];
    check(drive, node_end(cluster, 1) == 0, "control_a_node_ends_cleanly");
    shell(drive, "cp -a \"$1/b\" \"$1/b.old\"");
    node_start(cluster, 1);
    link_cut(cluster, 1, 0, true);
    link_cut(cluster, 1, 2, true);
    bool answer = await(drive, all_answer);
    uint64_t mark = history->ended;
    caller_add(&drive->caller, 1, &record);
    check(drive, answer && !contents_are_equal(drive), "control_nodes_that_differ_are_found");
    node_kill(cluster, 1);
    shell(drive, "cd \"$1/b\" && find . -mindepth 1 -delete && cp -a ../b.old/. .");
    cluster_heal(cluster);
    check(drive,
          await(drive, all_answer) && await(drive, nodes_are_equal) &&
              !history_holds(drive, history_kept, why, sizeof why),
          "control_a_directory_that_went_back_in_time_has_lost_what_it_alone_had");
    printf("# %s\n", why);
    history_doubt_since(history, 1, mark);
    check_history(drive, history_kept, "and_nothing_else");
    check_history(drive, history_gone, "and_nothing_removed_is_back");
}

static void check_ends(struct drive *drive)
{
    bool clean = true;
    for (size_t i = 0; i < NODES; i++)
        clean &= node_end(&drive->cluster, i) == 0;
    check(drive, clean, "all_nodes_end_cleanly");
}

/* The first process of a namespace dies of no signal that it does not handle. */
static void alarmed(int signal)
{
    static const char text[] = "Bail out! it takes too long\n";
    (void)signal;
    _exit(write(STDOUT_FILENO, text, sizeof text - 1) < 0 ? 99 : 1);
}

int main(int argc, char **argv)
{
    struct drive *drive = calloc(1, sizeof *drive);
    if (argc != 6 || !drive || getpid() != 1) {
        fprintf(stderr, "drive: run by netns.sh, as the first process of a namespace\n");
        return 99;
    }
    uint64_t seed = strtoull(argv[4], NULL, 10), rounds = strtoull(argv[5], NULL, 10);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = alarmed}, NULL);
    alarm((unsigned)(ALARM_S * (rounds + 1)));
    drive->cluster = (struct cluster){.folder = argv[1], .neapd = argv[2], .proxy = argv[3]};
    drive->caller.cluster = &drive->cluster;
    rng_init(&drive->caller.rng, seed);
    history_init(&drive->caller.history);
    drive->cluster.log_max = rng_chance(&drive->caller.rng, 50) ? "50" : "1000000";
    printf("# seed %" PRIu64 ", logs of at most %s\n", seed, drive->cluster.log_max);
    cluster_open(&drive->cluster);
    check(drive, await(drive, all_answer) && await(drive, all_see_all),
          "three_nodes_in_three_namespaces_find_each_other");
    for (uint64_t i = 0; i < rounds && !drive->failed; i++) {
        round_run(drive);
        check_all(drive);
    }
    if (!drive->failed) {
        check_slow(drive);
        control_lies(drive);
        control_old_directory(drive);
        check_ends(drive);
    }
    printf("1..%u\n", drive->cases);
    history_done(&drive->caller.history);
    bool failed = drive->failed;
    free(drive);
    return failed;
}
