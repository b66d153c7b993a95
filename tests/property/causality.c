/* Random histories of replicas of one shard, checked against an oracle after every step: the C twin
 * of tests/model/shard_model.py, on the real store code.
 *
 *   causality [--histories N] [--seed FIRST] [--profile NAME] [--break RULE] [--disk rocks]
 *
 * Without arguments: all profiles, and each broken rule, which its profile must notice. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "tests/property/world.h"
#include "tests/support/sanitized.h"

enum { STEPS = 160, EXIT_NOTICED = 3, SEEDS_TO_NOTICE = 3000, HISTORIES_ROCKS = 20 };

/* Of each profile, unless told. */
enum { HISTORIES = 3350, HISTORIES_BRIEF = 800 };

static const char *const profile_names[PROFILES] = {
    "scripted", "sync", "horizon", "crash", "lives", "damage", "rollback", "fresh", "boot"};

/* Each rule broken on purpose, the profile that must notice it, and the seeds that it may take. */
static const struct mutant {
    const char *rule;
    enum profile profile;
} mutants[] = {
    {"no-residue", PROFILE_SYNC},
    {"merge-context-early", PROFILE_SYNC},
    {"accept-gaps", PROFILE_SYNC},
    {"context-after-cells", PROFILE_SYNC},
    {"push-during-compare", PROFILE_SCRIPTED},
    {"skip-unsettled", PROFILE_HORIZON},
    {"skip-changed", PROFILE_HORIZON},
    {"merge-later-context", PROFILE_HORIZON},
    {"no-horizon", PROFILE_HORIZON},
    {"send-before-sync", PROFILE_CRASH},
    {"same-id-after-restore", PROFILE_LIVES},
    {"same-id-after-rejoin", PROFILE_LIVES},
    {"keep-context-after-drop", PROFILE_LIVES},
    {"damage-removes", PROFILE_DAMAGE},
    {"no-redot", PROFILE_ROLLBACK},
    {"hello-current-counter", PROFILE_ROLLBACK},
    {"hello-seen-only", PROFILE_ROLLBACK},
    {"redot-totals", PROFILE_ROLLBACK},
    {"redot-keeps-context", PROFILE_ROLLBACK},
    {"redot-late", PROFILE_ROLLBACK},
    {"release-early", PROFILE_ROLLBACK},
    {"reopen-trusts", PROFILE_ROLLBACK},
    {"cut-suspect", PROFILE_ROLLBACK},
    {"suspect-snapshot", PROFILE_ROLLBACK},
    {"abandoned-future", PROFILE_ROLLBACK},
    {"no-promise", PROFILE_SCRIPTED},
    {"stale-confirm", PROFILE_SCRIPTED},
    {"promise-last", PROFILE_SCRIPTED},
    {"old-connections", PROFILE_SCRIPTED},
    {"same-id-after-boot", PROFILE_BOOT},
    {"removes-unsaid", PROFILE_SCRIPTED},
    {"cache-keeps-old", PROFILE_SYNC},
};

/* What is being run: for the line that repeats a failure. */
static struct {
    const char *rule;
    enum profile profile;
    uint64_t seed;
    unsigned step;
    int quiet, rocks;
} now;

bool world_broken(const char *rule)
{
    return now.rule && strcmp(now.rule, rule) == 0;
}

bool broken(const char *rule)
{
    return world_broken(rule);
}

void world_break(const char *rule)
{
    now.rule = rule;
}

void world_fail(const char *format, ...)
{
    va_list args;

    if (now.quiet)
        _exit(EXIT_NOTICED);
    printf("# ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n# step %u; again: causality --profile %s --seed %llu --histories 1%s%s\n", now.step,
           profile_names[now.profile], (unsigned long long)now.seed, now.rule ? " --break " : "",
           now.rule ? now.rule : "");
    fflush(stdout);
    _exit(EXIT_NOTICED);
}

static void history_run(enum profile profile, uint64_t seed)
{
    char folder[256];
    struct world world;

    now.profile = profile;
    now.seed = seed;
    now.step = 0;
    if (now.rocks)
        hold_ok(folder_make(folder, sizeof folder), "temporary folder");
    world_init(&world, profile, profile == PROFILE_SCRIPTED ? 1 : seed, now.rocks ? folder : NULL);
    if (profile == PROFILE_SCRIPTED) {
        world_scripted(&world, (unsigned)(seed % SCRIPTS));
    } else {
        for (; now.step < STEPS; now.step++)
            world_step(&world);
        world_finish(&world);
    }
    world_done(&world);
    if (now.rocks)
        folder_remove(folder);
    hold(mem_live() == 0, "%llu blocks of memory are left", (unsigned long long)mem_live());
}

static void histories_run(enum profile profile, uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++)
        history_run(profile, seed);
}

/* In a process of its own: the exit status, 0 when all held. */
static int histories_fork(enum profile profile, uint64_t first, uint64_t count, int quiet)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        now.quiet = quiet;
        if (quiet && !freopen("/dev/null", "w", stderr))
            _exit(1);
        histories_run(profile, first, count);
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* The first seed that notices; by doubling, as a child can't say which. */
static uint64_t mutant_noticed(const struct mutant *mutant)
{
    uint64_t first = 0, count = 25;

    now.rule = mutant->rule;
    while (first < SEEDS_TO_NOTICE) {
        int status = histories_fork(mutant->profile, first, count, 1);

        if (status == EXIT_NOTICED)
            break;
        if (status != 0)
            first = SEEDS_TO_NOTICE; /* it fell over: that is not noticing */
        first += count;
    }
    now.rule = NULL;
    return first + count;
}

static int check_all(uint64_t histories)
{
    unsigned number = 0;
    int failed = 0;

    printf("1..%u\n", PROFILES + 2 + (unsigned)(sizeof mutants / sizeof *mutants));
    for (unsigned i = 0; i < PROFILES; i++) {
        /* The last two are of a policy that the node does not follow. */
        uint64_t count = i == PROFILE_SCRIPTED  ? SCRIPTS
                         : i > PROFILE_ROLLBACK ? histories / 8
                                                : histories;
        int status = histories_fork((enum profile)i, 0, count, 0);

        failed |= status != 0;
        printf("%s %u - %s: %llu histories hold\n", status ? "not ok" : "ok", ++number,
               profile_names[i], (unsigned long long)count);
    }
    now.rocks = 1;
    for (unsigned i = PROFILE_SYNC; i <= PROFILE_HORIZON; i++) {
        int status = histories_fork((enum profile)i, 0, HISTORIES_ROCKS, 0);

        failed |= status != 0;
        printf("%s %u - %s on RocksDB: %u histories hold\n", status ? "not ok" : "ok", ++number,
               profile_names[i], HISTORIES_ROCKS);
    }
    now.rocks = 0;
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        uint64_t seeds = mutant_noticed(&mutants[i]);
        int missed = seeds > SEEDS_TO_NOTICE;

        failed |= missed;
        printf("%s %u - %s is noticed by %s within %llu histories\n", missed ? "not ok" : "ok",
               ++number, mutants[i].rule, profile_names[mutants[i].profile],
               (unsigned long long)seeds);
    }
    return failed;
}

static int usage(void)
{
    fprintf(stderr, "usage: causality [--histories N] [--seed FIRST] [--profile NAME] "
                    "[--break RULE] [--disk rocks]\n");
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t histories = 0, first = 0;
    int profile = -1;

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return usage();
        if (strcmp(argv[i], "--histories") == 0) {
            histories = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            first = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--break") == 0) {
            now.rule = argv[i + 1];
        } else if (strcmp(argv[i], "--disk") == 0) {
            now.rocks = strcmp(argv[i + 1], "rocks") == 0;
        } else if (strcmp(argv[i], "--profile") == 0) {
            for (int k = 0; k < PROFILES; k++)
                profile = strcmp(argv[i + 1], profile_names[k]) == 0 ? k : profile;
        } else {
            return usage();
        }
    }
    if (profile < 0 && (now.rule || now.rocks))
        return usage();
    if (now.rocks && profile != PROFILE_SYNC && profile != PROFILE_HORIZON &&
        profile != PROFILE_DAMAGE) {
        fprintf(stderr, "causality: only sync, horizon and damage run on RocksDB\n");
        return 2;
    }
    if (profile < 0)
        return check_all(histories ? histories : is_brief() ? HISTORIES_BRIEF : HISTORIES);
    histories_run((enum profile)profile, first, histories ? histories : 1);
    printf("# %s: %llu histories hold\n", profile_names[profile],
           (unsigned long long)(histories ? histories : 1));
    return 0;
}
