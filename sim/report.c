#include "sim/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sim/commit.h"
#include "sim/rules.h"

enum { LINE_MAX_BYTES = 16 << 20 };

const char *report_commit(void)
{
    return NEAP_COMMIT;
}

static void put(struct buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct buffer *text, const char *format, ...)
{
    char part[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    must(buffer_append(text, slice_text(part)) == 0);
}

/* A word for the shell. */
static void put_word(struct buffer *text, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
    if (*word && word[strspn(word, plain)] == 0) {
        must(buffer_append(text, slice_text(word)) == 0);
        return;
    }
    put(text, "'");
    for (const char *at = word; *at; at++)
        put(text, *at == '\'' ? "'\\''" : "%c", *at);
    put(text, "'");
}

static void put_faults(struct buffer *text, uint64_t set)
{
    const char *comma = "";
    for (size_t i = 0; i < faults_count(); i++) {
        if (!(set >> i & 1))
            continue;
        put(text, "%s%s", comma, faults_at(i)->name);
        comma = ",";
    }
    if (!set)
        put(text, "none");
}

void report_command(const struct replay *replay, struct buffer *ret_text)
{
    const struct settings *settings = replay->settings;
    const struct plan *plan = replay->plan;
    put(ret_text, "neap-sim --seed %" PRIu64 " --nodes %zu --events %" PRIu32 " --faults ",
        settings->seed, plan->world.nodes, settings->events);
    put_faults(ret_text, plan_used(plan));
    if (replay->workload) {
        put(ret_text, " --workload ");
        put_word(ret_text, replay->workload);
    }
    if (replay->rule)
        put(ret_text, " --break %s", replay->rule);
    if (settings->mixed)
        put(ret_text, " --mixed");
    if (settings->ring)
        put(ret_text, " --ring");
    if (plan->count < settings->events) {
        put(ret_text, " --only ");
        plan_numbers(plan, ret_text);
    }
}

void report_failure(const struct replay *replay, const struct result *result, unsigned shrunk_runs)
{
    const struct settings *settings = replay->settings;
    struct buffer line;
    char why[sizeof result->why];
    buffer_init(&line, LINE_MAX_BYTES);
    snprintf(why, sizeof why, "%s", result->why);
    for (char *at = why; *at; at++)
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
    put(&line, "commit %s, seed %" PRIu64 ", ", report_commit(), settings->seed);
    if (result->step > settings->events || result->rounds)
        put(&line, "healed after step %" PRIu32 " of %" PRIu32, settings->events, settings->events);
    else
        put(&line, "step %" PRIu32 " of %" PRIu32, result->step, settings->events);
    put(&line, ": %s; ", why);
    if (shrunk_runs)
        put(&line, "shrunk to %zu steps; ", replay->plan->count);
    put(&line, "replay: ");
    report_command(replay, &line);
    printf("%.*s\n", (int)line.size, (const char *)line.data);
    fflush(stdout);
    buffer_done(&line);
}

void report_add(struct totals *totals, const struct settings *settings, size_t steps,
                const struct result *result, bool fine)
{
    totals->seeds++;
    totals->failed += !fine;
    totals->steps += steps;
    totals->calls += result->calls;
    totals->acknowledged += result->acknowledged;
    totals->faults += result->faults;
    totals->crashes += result->crashes;
    totals->things += result->things;
    totals->compares += result->compares;
    totals->compares_resumed += result->compares_resumed;
    totals->simulated_ms += result->simulated_ms;
    if (fine && result->rounds > totals->rounds_max) {
        totals->rounds_max = result->rounds;
        totals->rounds_seed = settings->seed;
    }
}

static double per(double what, double seconds)
{
    return seconds > 0 ? what / seconds : 0;
}

void report_summary(const struct totals *totals, double cpu_seconds)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", totals->seeds, totals->failed);
    printf("%" PRIu64 " steps: %" PRIu64 " calls (%" PRIu64 " acknowledged), %" PRIu64
           " faults injected (%" PRIu64 " crashes in all)\n",
           totals->steps, totals->calls, totals->acknowledged, totals->faults, totals->crashes);
    printf("%" PRIu64 " compares, %" PRIu64 " of them went on after a break\n", totals->compares,
           totals->compares_resumed);
    printf("%.1f hours simulated in %.1f s of CPU, %" PRIu64 " turns and messages\n",
           (double)totals->simulated_ms / 3600000, cpu_seconds, totals->things);
    printf("%.0f seeds an hour and core, %.0f steps/s, %.0f faults/s\n",
           per((double)totals->seeds * 3600, cpu_seconds), per((double)totals->steps, cpu_seconds),
           per((double)totals->faults, cpu_seconds));
    if (totals->rounds_max)
        printf("at rest after %" PRIu32 " rounds at most (seed %" PRIu64 ")\n", totals->rounds_max,
               totals->rounds_seed);
}

void report_faults(void)
{
    for (size_t i = 0; i < faults_count(); i++) {
        const struct fault_kind *kind = faults_at(i);
        printf("%-10s %-7s %s%s\n", kind->name, fault_group_name(kind->group), kind->about,
               kind->apart ? " (not in \"all\")" : "");
    }
}

void report_rules(void)
{
    for (size_t i = 0; i < rules_count(); i++) {
        const struct rule *rule = rules_at(i);
        printf("%-20s %s", rule->name, rule->about);
        if (rule->story)
            printf(" (story %s)", rule->story);
        printf("\n");
    }
}
