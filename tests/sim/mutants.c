/* Tests that nothing can fail prove nothing: each rule of sim/rules.c is broken in turn, and seeds
 * or a story must notice.
 *
 *   mutants           TAP: each rule within few seeds, those that are rare left out
 *   mutants --all     a table: each rule within 1,000 seeds, with what noticed it
 *   mutants NAME...   the same for some */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "sim/rules.h"
#include "sim/shrink.h"
#include "tests/support/sanitized.h"

enum {
    EVENTS = 1000,
    SEEDS_QUICK = 60,
    SEEDS_ALL = 1000,
    SEEDS_CONTROL_QUICK = 20,
    SEEDS_CONTROL = 200,
    SHRINK_RUNS = 150,
    SHRINK_SECONDS = 5, /* what never comes to rest takes long, each time */
    SAMPLE = 6,         /* in brief: one rule of so many */
    WORKERS_MAX = 64,
    EXIT_NOTICED = 3,
    EXIT_STORY = 1 /* of a story that failed; 2: there is none of that name */
};

/* One rule that is tried by a process of its own, which writes here what it finds. */
struct job {
    const struct rule *rule; /* NULL: none is broken, and nothing must be noticed */
    bool skipped;
    uint64_t seeds; /* to look through */
    bool shrinks;
    /* Shared with that process. */
    struct found {
        uint64_t seed, tried;
        size_t steps, steps_left;     /* of the plan, and when shrunk */
        double seconds, last_seconds; /* of all seeds, of the last one */
        struct result result;
    } * found;
    bool noticed;
    int died; /* of this signal: a must() counts as noticing */
};

static const char *stories; /* the program of tests/story */

static double cpu_seconds(void)
{
    struct timespec time;
    must(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time));
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- one rule ---- */

/* How many histories there is time for, when each takes as long as the one that failed. */
static unsigned job_runs(const struct job *job)
{
    double runs = SHRINK_SECONDS / (job->found->last_seconds + 0.001);
    return runs < SHRINK_RUNS ? (unsigned)runs : SHRINK_RUNS;
}

static void job_shrink(struct job *job, struct settings *settings)
{
    struct plan plan;
    plan_make(&plan, settings);
    job->found->steps = job->found->steps_left = plan.count;
    if (job->shrinks)
        shrink_plan(&plan, settings, &job->found->result, job_runs(job));
    job->found->steps_left = plan.count;
    plan_done(&plan);
}

static bool job_try(struct job *job, struct settings *settings, uint64_t seed)
{
    settings->seed = job->found->seed = seed;
    job->found->tried++;
    double start = cpu_seconds();
    bool fine = run_seed(settings, &job->found->result);
    job->found->last_seconds = cpu_seconds() - start;
    return !fine;
}

/* The child's part: its exit says whether the rule was noticed. */
static int job_run(struct job *job)
{
    const char *faults = job->rule && job->rule->faults ? job->rule->faults : "all";
    struct settings settings = {.events = EVENTS, .workload = &workload_default};
    char why[200];
    bool noticed = false;
    must(faults_parse(faults, &settings.faults, why, sizeof why));
    rules_break(job->rule);
    if (job->rule && job->rule->seed)
        noticed = job_try(job, &settings, job->rule->seed);
    for (uint64_t seed = 1; seed <= job->seeds && !noticed; seed++)
        noticed = job_try(job, &settings, seed);
    job->found->seconds = cpu_seconds();
    if (noticed)
        job_shrink(job, &settings);
    return noticed ? EXIT_NOTICED : 0;
}

/* A story that fails while the rule is broken. */
static _Noreturn void job_tell(const struct job *job)
{
    must(!setenv("NEAP_BREAK", job->rule->name, 1));
    must(freopen("/dev/null", "w", stdout));
    execl(stories, stories, job->rule->story, (char *)NULL);
    _exit(0); /* it can't be started: not noticed */
}

static pid_t job_start(struct job *job)
{
    fflush(NULL);
    pid_t child = fork();
    if (child)
        return child;
    must(freopen("/dev/null", "w", stderr)); /* what a must() says */
    if (job->rule && job->rule->story)
        job_tell(job);
    _exit(job_run(job));
}

static void job_end(struct job *job, int status)
{
    bool tells = job->rule && job->rule->story;
    job->died = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    job->noticed = job->died || WEXITSTATUS(status) == (tells ? EXIT_STORY : EXIT_NOTICED);
    if (job->died)
        job->found->steps = job->found->steps_left = EVENTS;
}

/* ---- what is said ---- */

/* Who complained: the text before the first colon. */
static const char *job_checker(const struct job *job, char ret_text[32])
{
    const char *why = job->found->result.why;
    if (job->died)
        return "must()";
    if (job->rule && job->rule->story)
        return "story";
    snprintf(ret_text, 32, "%.*s", (int)strcspn(why, ":"), why);
    return ret_text;
}

static void job_tap(const struct job *job, size_t number)
{
    const char *name = job->rule ? job->rule->name : "nothing";
    char text[32];
    bool ok = job->noticed == (job->rule != NULL);
    printf("%s %zu - ", ok || job->skipped ? "ok" : "not ok", number);
    if (job->skipped)
        printf("%s # SKIP make mutants looks for it\n", name);
    else if (!job->noticed)
        printf("%s broken: not noticed%s\n", name, job->rule ? "" : " by anything");
    else if (job->rule && job->rule->story)
        printf("%s broken: noticed by %s\n", name, job->rule->story);
    else
        printf("%s broken: noticed at seed %llu by %s\n", name,
               (unsigned long long)job->found->seed, job_checker(job, text));
    if (!ok && !job->rule)
        printf("# %s\n", job->found->result.why);
}

static void job_row(const struct job *job)
{
    const struct found *found = job->found;
    const char *name = job->rule ? job->rule->name : "(none)";
    char text[32];
    if (job->rule && job->rule->story) {
        printf("%-22s %-6s %-12s %18s  %s%s\n", name, "-", job->noticed ? "story" : "NOT NOTICED",
               "", job->rule->about, "");
        printf("%-22s   by %s\n", "", job->rule->story);
        return;
    }
    if (!job->noticed) {
        printf("%-22s %-6s %-12s %4llu seeds %6.1f s  %s\n", name, "-",
               job->rule ? "NOT NOTICED" : "nothing", (unsigned long long)found->tried,
               found->seconds, job->rule ? job->rule->about : "no rule is broken");
        return;
    }
    printf("%-22s %-6llu %-12s %4zu steps %6.1f s  %s\n", name, (unsigned long long)found->seed,
           job_checker(job, text), found->steps_left, found->seconds,
           job->rule ? job->rule->about : found->result.why);
}

/* ---- all ---- */

struct mutants {
    struct job *jobs;
    size_t count, started, done;
    bool tap;
    struct worker {
        pid_t child;
        struct job *job;
    } workers[WORKERS_MAX];
    size_t workers_count;
};

static void mutants_say(const struct mutants *mutants, const struct job *job)
{
    if (mutants->tap)
        job_tap(job, mutants->done);
    else
        job_row(job);
    fflush(stdout);
}

/* The next one that is not left out. */
static struct job *mutants_next(struct mutants *mutants)
{
    while (mutants->started < mutants->count) {
        struct job *job = &mutants->jobs[mutants->started++];
        if (!job->skipped)
            return job;
        mutants->done++;
        mutants_say(mutants, job);
    }
    return NULL;
}

static void mutants_wait(struct mutants *mutants)
{
    int status = 0;
    pid_t child = wait(&status);
    for (size_t i = 0; i < mutants->workers_count; i++) {
        struct worker *worker = &mutants->workers[i];
        if (worker->child != child)
            continue;
        job_end(worker->job, status);
        mutants->done++;
        mutants_say(mutants, worker->job);
        *worker = (struct worker){0};
    }
}

static void mutants_run(struct mutants *mutants)
{
    size_t running = 0;
    for (;;) {
        struct job *job = running < mutants->workers_count ? mutants_next(mutants) : NULL;
        if (!job && !running)
            return;
        if (!job) {
            mutants_wait(mutants);
            running--;
            continue;
        }
        struct worker *worker = mutants->workers;
        while (worker->child)
            worker++;
        *worker = (struct worker){.child = job_start(job), .job = job};
        must(worker->child > 0);
        running++;
    }
}

static bool is_wanted(const struct rule *rule, char **names)
{
    for (char **name = names; *name; name++) {
        if (!strcmp(rule->name, *name))
            return true;
    }
    return !*names;
}

static struct job job_of(const struct rule *rule, bool quick, size_t number)
{
    struct job job = {.rule = rule, .seeds = quick ? SEEDS_QUICK : SEEDS_ALL, .shrinks = !quick};
    bool sampled = quick && is_brief();
    if (!rule)
        job.seeds = quick ? SEEDS_CONTROL_QUICK : SEEDS_CONTROL;
    else
        job.skipped = quick && (rule->seed || (sampled && number % SAMPLE));
    return job;
}

static void mutants_fill(struct mutants *mutants, bool quick, char **names)
{
    size_t rules = rules_count();
    struct found *found = mmap(NULL, (rules + 1) * sizeof *found, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mutants->jobs = calloc(rules + 1, sizeof *mutants->jobs);
    must(mutants->jobs && found != MAP_FAILED);
    for (size_t i = 0; i <= rules; i++) {
        const struct rule *rule = i > 0 ? rules_at(i - 1) : NULL;
        if (rule ? !is_wanted(rule, names) : *names != NULL)
            continue;
        mutants->jobs[mutants->count] = job_of(rule, quick, i);
        mutants->jobs[mutants->count++].found = &found[i];
    }
}

static int mutants_end(const struct mutants *mutants)
{
    size_t rules = 0, noticed = 0;
    bool clean = true;
    for (size_t i = 0; i < mutants->count; i++) {
        const struct job *job = &mutants->jobs[i];
        rules += job->rule && !job->skipped;
        noticed += job->rule && job->noticed;
        clean = clean && (job->rule || !job->noticed);
    }
    printf("%s%zu of %zu noticed%s\n", mutants->tap ? "# " : "", noticed, rules,
           clean ? "" : ", and something with no rule broken");
    return noticed == rules && clean ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct mutants mutants = {.tap = argc < 2};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    char **names = argv + (argc > 1 && !strcmp(argv[1], "--all")) + 1;
    stories = getenv("STORIES") ? getenv("STORIES") : "tests/story/stories";
    mutants_fill(&mutants, mutants.tap, argc > 1 ? names : argv + argc);
    if (!mutants.count) {
        fprintf(stderr, "%s: no such rule\n", argv[0]);
        return 2;
    }
    mutants.workers_count = processors > 0 && processors < WORKERS_MAX ? (size_t)processors : 2;
    if (mutants.tap)
        printf("1..%zu\n", mutants.count);
    if (mutants.tap && is_brief())
        printf("# under sanitizers, or in brief: a sample, one rule of %d\n", SAMPLE);
    mutants_run(&mutants);
    int code = mutants_end(&mutants);
    free(mutants.jobs);
    return code;
}
