/* neap-sim: whole clusters under faults, seed by seed (docs/man/neap-sim.1). */
#include <ctype.h>
#include <errno.h>
#include <popt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "sim/report.h"
#include "sim/rules.h"
#include "sim/shrink.h"

enum {
    EXIT_HELD = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    SHRINK_RUNS = 600,
    SHRINK_FAILURES = 10,
    SECONDS_MAX = 1000000000
};

enum flag {
    FLAG_SEED = 1,
    FLAG_SEEDS,
    FLAG_NODES,
    FLAG_EVENTS,
    FLAG_FAULTS,
    FLAG_WORKLOAD,
    FLAG_ONLY,
    FLAG_TRACE,
    FLAG_MIXED,
    FLAG_RING,
    FLAG_BREAK,
    FLAG_SECONDS,
    FLAG_DIGEST,
    FLAG_FIRST,
    FLAG_NO_SHRINK,
    FLAG_VERSION
};

struct tool {
    struct settings settings;
    struct workload parsed;
    uint64_t seeds, seconds;
    char *faults, *workload, *only; /* as given */
    const struct rule *rule;
    bool seeded, digest, first, shrink, quit;
    struct totals totals;
    double cpu_seconds; /* of the seeds, without what it takes to shorten those that fail */
};

/* ---- flags ---- */

static const struct poptOption flags[] = {
    {"seed", 's', POPT_ARG_STRING, NULL, FLAG_SEED, "the first seed (1, or what --break wants)",
     "S"},
    {"seeds", 'n', POPT_ARG_STRING, NULL, FLAG_SEEDS, "how many, one after the other (1)", "N"},
    {"nodes", 0, POPT_ARG_STRING, NULL, FLAG_NODES, "1 to 8; 0: the seed decides (0)", "K"},
    {"events", 0, POPT_ARG_STRING, NULL, FLAG_EVENTS, "calls and faults of a history (1000)", "N"},
    {"faults", 0, POPT_ARG_STRING, NULL, FLAG_FAULTS,
     "names and groups with commas, all, none; -name takes one away; help lists them (all)",
     "LIST"},
    {"workload", 0, POPT_ARG_STRING, NULL, FLAG_WORKLOAD, "what callers do", "FILE"},
    {"only", 0, POPT_ARG_STRING, NULL, FLAG_ONLY, "no other steps: 3,17-20, or none", "LIST"},
    {"trace", 0, POPT_ARG_NONE, NULL, FLAG_TRACE, "print all that happens", NULL},
    {"mixed", 0, POPT_ARG_NONE, NULL, FLAG_MIXED, "half of the nodes speak the next wire version",
     NULL},
    {"ring", 0, POPT_ARG_NONE, NULL, FLAG_RING, "quorums are those of a ring that changes", NULL},
    {"break", 0, POPT_ARG_STRING, NULL, FLAG_BREAK, "break a rule; help lists them", "NAME"},
    {"seconds", 0, POPT_ARG_STRING, NULL, FLAG_SECONDS, "begin no seed after so many", "N"},
    {"digest", 0, POPT_ARG_NONE, NULL, FLAG_DIGEST,
     "print a digest of what happened with each seed, and no summary", NULL},
    {"first", 0, POPT_ARG_NONE, NULL, FLAG_FIRST, "stop at the first failure", NULL},
    {"no-shrink", 0, POPT_ARG_NONE, NULL, FLAG_NO_SHRINK, "leave failing histories long", NULL},
    {"version", 'V', POPT_ARG_NONE, NULL, FLAG_VERSION, "print it", NULL},
    {NULL, 0, POPT_ARG_INCLUDE_TABLE, (struct poptOption *)poptHelpOptions, 0, "Help:", NULL},
    POPT_TABLEEND};

static const char *flag_name(int value)
{
    for (size_t i = 0; flags[i].longName; i++) {
        if (flags[i].val == value)
            return flags[i].longName;
    }
    return "";
}

static bool number_take(int flag, const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    unsigned long long number;
    char *end;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (isdigit((unsigned char)*text) && *end == 0 && !errno && number >= least && number <= most) {
        *ret = number;
        return true;
    }
    fprintf(stderr, "neap-sim: --%s %s: give a whole number from %llu to %llu\n", flag_name(flag),
            text, (unsigned long long)least, (unsigned long long)most);
    return false;
}

static bool rule_take(struct tool *tool, const char *name)
{
    if (!strcmp(name, "help")) {
        report_rules();
        tool->quit = true;
        return true;
    }
    tool->rule = rules_find(name);
    if (!tool->rule)
        fprintf(stderr, "neap-sim: there is no rule `%s': --break help lists them\n", name);
    return tool->rule != NULL;
}

static void text_take(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
    must(*field);
}

static bool flag_take(struct tool *tool, int flag, const char *text)
{
    struct settings *settings = &tool->settings;
    uint64_t number = 0;
    bool good = true;
    switch ((enum flag)flag) {
    case FLAG_SEED:
        tool->seeded = true;
        return number_take(flag, text, 0, UINT64_MAX, &settings->seed);
    case FLAG_SEEDS:
        return number_take(flag, text, 1, UINT64_MAX, &tool->seeds);
    case FLAG_NODES:
        good = number_take(flag, text, 0, NODES_MAX, &number);
        settings->nodes = (size_t)number;
        return good;
    case FLAG_EVENTS:
        good = number_take(flag, text, 1, EVENTS_MAX, &number);
        settings->events = (uint32_t)number;
        return good;
    case FLAG_SECONDS:
        return number_take(flag, text, 1, SECONDS_MAX, &tool->seconds);
    case FLAG_FAULTS:
        text_take(&tool->faults, text);
        break;
    case FLAG_WORKLOAD:
        text_take(&tool->workload, text);
        break;
    case FLAG_ONLY:
        text_take(&tool->only, text);
        break;
    case FLAG_BREAK:
        return rule_take(tool, text);
    case FLAG_MIXED:
        settings->mixed = true;
        break;
    case FLAG_RING:
        settings->ring = true;
        break;
    case FLAG_TRACE:
        settings->trace = true;
        break;
    case FLAG_DIGEST:
        tool->digest = true;
        break;
    case FLAG_FIRST:
        tool->first = true;
        break;
    case FLAG_NO_SHRINK:
        tool->shrink = false;
        break;
    case FLAG_VERSION:
        printf("neap-sim %s, commit %s\n", PACKAGE_VERSION, report_commit());
        tool->quit = true;
        break;
    }
    return true;
}

static bool flags_read(struct tool *tool, int argc, const char **argv)
{
    poptContext context = poptGetContext("neap-sim", argc, argv, flags, 0);
    bool good = true;
    int value = -1;
    while (good && !tool->quit && (value = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);
        good = flag_take(tool, value, text);
        free(text);
    }
    if (good && !tool->quit && value < -1) {
        fprintf(stderr, "neap-sim: %s: %s: see neap-sim --help\n", poptBadOption(context, 0),
                poptStrerror(value));
        good = false;
    } else if (good && !tool->quit && poptPeekArg(context)) {
        fprintf(stderr, "neap-sim: `%s' is not a flag: see neap-sim --help\n",
                poptPeekArg(context));
        good = false;
    }
    poptFreeContext(context);
    return good;
}

/* ---- what flags say together ---- */

static bool faults_take(struct tool *tool)
{
    const char *list = tool->faults;
    char why[200];
    if (!list)
        list = tool->rule && tool->rule->faults ? tool->rule->faults : "all";
    if (!strcmp(list, "help")) {
        report_faults();
        tool->quit = true;
        return true;
    }
    if (faults_parse(list, &tool->settings.faults, why, sizeof why))
        return true;
    fprintf(stderr, "neap-sim: --faults %s: %s; --faults help lists them\n", list, why);
    return false;
}

static bool workload_take(struct tool *tool)
{
    char why[300];
    tool->settings.workload = &workload_default;
    if (!tool->workload)
        return true;
    if (workload_read(tool->workload, &tool->parsed, why, sizeof why)) {
        tool->settings.workload = &tool->parsed;
        return true;
    }
    fprintf(stderr, "neap-sim: --workload %s\n", why);
    return false;
}

static bool only_take(struct tool *tool)
{
    struct plan plan;
    if (!tool->only)
        return true;
    plan_make(&plan, &tool->settings);
    bool good = plan_only(&plan, tool->only);
    plan_done(&plan);
    tool->settings.only = tool->only;
    if (!good)
        fprintf(stderr,
                "neap-sim: --only %s: give numbers of steps from 1 to %u as 3,17-20, or none\n",
                tool->only, tool->settings.events);
    return good;
}

static bool tool_read(struct tool *tool, int argc, const char **argv)
{
    if (!flags_read(tool, argc, argv))
        return false;
    if (tool->quit || !faults_take(tool))
        return tool->quit;
    if (tool->quit)
        return true;
    if (tool->rule && tool->rule->seed && !tool->seeded)
        tool->settings.seed = tool->rule->seed;
    if (tool->seeds - 1 > UINT64_MAX - tool->settings.seed) {
        fprintf(stderr, "neap-sim: --seeds: no seed is above %llu\n",
                (unsigned long long)UINT64_MAX);
        return false;
    }
    return workload_take(tool) && only_take(tool);
}

/* ---- when the process dies ---- */

/* What is said then. Nothing else can say it: must() ends the process. */
static struct {
    char command[4000];
    struct result *result;
    unsigned long long seed;
    unsigned events;
} last;

static void die(int number)
{
    char line[sizeof last.command + 300];
    int size =
        snprintf(line, sizeof line,
                 "commit %s, seed %llu, step %u of %u: the process died of signal %d; "
                 "replay: %s\n",
                 report_commit(), last.seed, last.result->step, last.events, number, last.command);
    if (size > 0 && write(STDOUT_FILENO, line, (size_t)size) < 0)
        _exit(EXIT_FAILED);
    signal(number, SIG_DFL);
    raise(number);
}

static void die_prepare(const struct replay *replay, struct result *result)
{
    struct buffer text;
    buffer_init(&text, 16 << 20);
    report_command(replay, &text);
    snprintf(last.command, sizeof last.command, "%.*s", (int)text.size, (const char *)text.data);
    buffer_done(&text);
    last.result = result;
    last.seed = replay->settings->seed;
    last.events = replay->settings->events;
    fflush(stdout);
}

/* ---- seeds ---- */

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    must(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Does the command that the line of a failure gives do what it says? */
static bool replays(const struct replay *replay, const struct result *failure)
{
    struct settings settings = *replay->settings;
    struct buffer only;
    struct result result;
    buffer_init(&only, 16 << 20);
    plan_numbers(replay->plan, &only);
    must(buffer_append_u8(&only, 0) == 0);
    settings.nodes = replay->plan->world.nodes;
    settings.faults = plan_used(replay->plan);
    settings.only = (const char *)only.data;
    settings.trace = false;
    bool fails = !run_seed(&settings, &result);
    buffer_done(&only);
    return fails && !strncmp(result.why, failure->why, strcspn(failure->why, ":"));
}

static void failure_show(struct tool *tool, struct replay *replay, struct plan *plan,
                         const struct result *result)
{
    unsigned runs = 0;
    if (tool->shrink && !tool->only && tool->totals.failed <= SHRINK_FAILURES)
        runs = shrink_plan(plan, &tool->settings, result, SHRINK_RUNS);
    report_failure(replay, result, runs);
    if (!replays(replay, result))
        printf("that command does not fail the same way: please report it\n");
}

static void seed_run(struct tool *tool)
{
    struct replay replay = {.settings = &tool->settings,
                            .workload = tool->workload,
                            .rule = tool->rule ? tool->rule->name : NULL};
    struct result result = {0};
    struct plan plan;
    plan_make(&plan, &tool->settings);
    if (tool->only)
        must(plan_only(&plan, tool->only));
    replay.plan = &plan;
    die_prepare(&replay, &result);
    double begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    bool fine = run_plan(&plan, &tool->settings, &result);
    tool->cpu_seconds += seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begin;
    report_add(&tool->totals, &tool->settings, plan.count, &result, fine);
    if (tool->digest)
        printf("seed %llu digest %016llx%016llx\n", (unsigned long long)tool->settings.seed,
               (unsigned long long)result.digest.high, (unsigned long long)result.digest.low);
    if (!fine)
        failure_show(tool, &replay, &plan, &result);
    plan_done(&plan);
}

static void seeds_run(struct tool *tool)
{
    double end = seconds_of(CLOCK_MONOTONIC) + (double)tool->seconds;
    for (uint64_t i = 0; i < tool->seeds; i++) {
        if (tool->seconds && seconds_of(CLOCK_MONOTONIC) >= end)
            break;
        if (tool->first && tool->totals.failed)
            break;
        seed_run(tool);
        tool->settings.seed++;
    }
    if (!tool->digest)
        report_summary(&tool->totals, tool->cpu_seconds);
}

int main(int argc, const char **argv)
{
    static struct tool tool = {.settings = {.seed = 1, .events = 1000}, .seeds = 1, .shrink = true};
    int code = EXIT_USAGE;
    if (tool_read(&tool, argc, argv)) {
        code = EXIT_HELD;
        if (!tool.quit) {
            signal(SIGABRT, die);
            signal(SIGSEGV, die);
            signal(SIGFPE, die);
            signal(SIGBUS, die);
            rules_break(tool.rule);
            seeds_run(&tool);
            code = tool.totals.failed ? EXIT_FAILED : EXIT_HELD;
        }
    }
    free(tool.faults);
    free(tool.workload);
    free(tool.only);
    return code;
}
