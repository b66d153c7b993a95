/* Histories that other people's code has answered, replayed on the real store (docs/vectors.md).
 *
 *   vectors [--types all|T,T...] [--dir DIR] [--ways W,W...] [--every N] [--id ID] [--seed N]
 *           [--differences FILE] [--list] [--break RULE]
 *
 * Without arguments: every file, some of its histories, and rules that are broken on purpose, which
 * must be noticed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "tests/replay/data.h"
#include "tests/support/sanitized.h"

enum { GROUP_MAX = 1500, SHOWN_MAX = 12, EXIT_NOTICED = 3 };

/* One in how many histories `make check` plays, and how many of those that notice broken rules. */
enum { EVERY = SANITIZED ? 100 : 20, EVERY_MUTANT = SANITIZED ? 20 : 16 };

/* ---- what is to be done ---- */

struct options {
    const char *folder, *types, *ways, *id, *differences;
    unsigned every;
    uint64_t seed;
    bool list;  /* prints lines for the list of differences */
    bool known; /* the folder is the project's: what differs must be listed */
    bool quiet;
    size_t *ret_files; /* how many there were; may be NULL */
};

struct file {
    const char *name;
    size_t histories, passed_over, texts, failed, values, differing, shown;
    char text_type[32];
};

struct run {
    const struct options *options;
    struct list list;
    struct folder folder;
    struct file *files;
    struct history *group;
    size_t *owners; /* of the group's histories: numbers of files */
    size_t group_count;
    unsigned numbers;
    size_t failed;
};

static const char *broken_rule;

bool broken(const char *rule)
{
    return broken_rule && strcmp(broken_rule, rule) == 0;
}

static bool is_named(const char *list, const char *name)
{
    size_t size = strlen(name);

    if (strcmp(list, "all") == 0)
        return true;
    for (const char *at = list; (at = strstr(at, name)); at++) {
        if ((at == list || at[-1] == ',') && (at[size] == ',' || at[size] == '\0'))
            return true;
    }
    return false;
}

/* ---- playing a group ---- */

struct result {
    size_t differing[WAYS];
    const char *rule;
    bool failed;
};

static void complain(struct run *run, size_t owner, unsigned line, const char *id, const char *text)
{
    struct file *file = &run->files[owner];

    run->failed++;
    file->failed++;
    if (++file->shown <= SHOWN_MAX && !run->options->quiet)
        printf("# %s:%u %s: %s\n", file->name, line, id, text);
}

static void play_result(struct run *run, size_t index, const struct play *play,
                        struct result *result)
{
    const struct history *history = &run->group[index];
    struct file *file = &run->files[run->owners[index]];
    char text[TEXT_MAX + 200], *step = NULL;

    file->values += play->values;
    result->differing[play->way] = play->differing;
    if (play->rule)
        result->rule = play->rule;
    if (play->text[0] == '\0')
        return;
    if (play->step < history->steps_count)
        step = value_text(json_array_get(history->steps, play->step));
    snprintf(text, sizeof text, "%s: %s %zu %.160s: %s", way_names[play->way],
             step ? "step" : "final, after step", play->step, step ? step : "", play->text);
    free(step);
    result->failed = true;
    complain(run, run->owners[index], history->line, history->id, text);
}

static void play_memory(struct run *run, enum way way, struct result *results)
{
    for (size_t i = 0; i < run->group_count; i++) {
        struct play play;

        play_begin(&play, &run->group[i], way, NULL, ++run->numbers, run->options->seed + i);
        while (play_step(&play))
            continue;
        play_result(run, i, &play, &results[i]);
        play_end(&play);
    }
}

/* All histories of the group go step by step together, and between the steps all disks are closed
 * and opened again. */
static bool play_rocks(struct run *run, struct result *results)
{
    struct play *plays = mem_new_array(run->group_count, sizeof *plays);
    struct rocks *rocks = rocks_new();
    bool fine = plays && rocks, more = fine;

    for (size_t i = 0; fine && i < run->group_count; i++) {
        play_begin(&plays[i], &run->group[i], WAY_ROCKS, rocks, ++run->numbers,
                   run->options->seed + i);
        play_close(&plays[i]);
    }
    while (fine && more) {
        more = false;
        fine = rocks_reopen(rocks);
        for (size_t i = 0; fine && i < run->group_count; i++) {
            more |= play_step(&plays[i]);
            play_close(&plays[i]);
        }
    }
    for (size_t i = 0; fine && i < run->group_count; i++) {
        play_result(run, i, &plays[i], &results[i]);
        play_end(&plays[i]);
    }
    rocks_free(rocks);
    mem_free(plays);
    return fine;
}

/* ---- differences ---- */

static void judge_listed(struct run *run, size_t index, const struct result *result,
                         struct listed *listed)
{
    const struct history *history = &run->group[index];
    char text[200];

    listed->met = true;
    for (unsigned way = 0; way < WAYS; way++) {
        if (!is_named(run->options->ways, way_names[way]) ||
            (result->differing[way] == listed->values && result->rule &&
             strcmp(result->rule, listed->rule) == 0))
            continue;
        snprintf(text, sizeof text, "%s: %zu values differ, by %s; %zu by %s are listed",
                 way_names[way], result->differing[way], result->rule ? result->rule : "no rule",
                 listed->values, listed->rule);
        complain(run, run->owners[index], history->line, history->id, text);
        return;
    }
}

static void judge(struct run *run, size_t index, const struct result *result)
{
    const struct history *history = &run->group[index];
    struct listed *listed = list_find(&run->list, history->id, history->sum);
    struct reason *reason = result->rule ? list_reason(&run->list, result->rule) : NULL;
    size_t most = 0;
    char text[200];

    for (unsigned way = 0; way < WAYS; way++)
        most = result->differing[way] > most ? result->differing[way] : most;
    run->files[run->owners[index]].differing += most;
    if (reason)
        reason->met = true;
    if (run->options->list && most > 0)
        printf("%s %s %08x %zu\n", result->rule, history->id, history->sum, most);
    if (result->failed || run->options->list)
        return;
    if (listed) {
        judge_listed(run, index, result, listed);
        return;
    }
    if (most == 0 || (reason && !run->options->known))
        return;
    snprintf(text, sizeof text, "%zu values differ by %s, and are not listed", most, result->rule);
    complain(run, run->owners[index], history->line, history->id, text);
}

static bool group_play(struct run *run)
{
    struct result *results = mem_new_array(run->group_count + 1, sizeof *results);
    bool fine = results != NULL;

    for (unsigned way = 0; fine && way < WAYS; way++) {
        if (!is_named(run->options->ways, way_names[way]))
            continue;
        if (way == WAY_ROCKS)
            fine = play_rocks(run, results);
        else
            play_memory(run, (enum way)way, results);
    }
    for (size_t i = 0; fine && i < run->group_count; i++)
        judge(run, i, &results[i]);
    for (size_t i = 0; i < run->group_count; i++)
        history_done(&run->group[i]);
    run->group_count = 0;
    mem_free(results);
    return fine;
}

/* ---- reading ---- */

static bool history_add(struct run *run, size_t owner, struct history *history)
{
    const struct options *options = run->options;
    struct file *file = &run->files[owner];

    if (!is_named(options->types, history->kind->name) ||
        (options->id && strcmp(options->id, history->id) != 0)) {
        file->passed_over++;
        history_done(history);
        return true;
    }
    if (history->kind->shape == SHAPE_TEXT) {
        file->texts++;
        snprintf(file->text_type, sizeof file->text_type, "%s", history->kind->name);
        history_done(history);
        return true;
    }
    file->histories++;
    run->owners[run->group_count] = owner;
    run->group[run->group_count++] = *history;
    return run->group_count < GROUP_MAX || group_play(run);
}

static bool file_read(struct run *run, size_t owner)
{
    struct lines *lines = lines_open(run->options->folder, run->folder.names[owner]);
    struct history history;
    char problem[PROBLEM_MAX], *line;
    unsigned number = 0;
    bool fine = lines != NULL;
    uint32_t sum = 0;
    size_t size = 0;
    int more = 0;

    while (fine && (more = lines_next(lines, &line, &size, &sum)) > 0) {
        number++;
        if (size == 0)
            continue;
        if ((number - 1) % run->options->every != 0) {
            run->files[owner].passed_over++;
            continue;
        }
        if (!history_parse(line, size, &history, problem)) {
            complain(run, owner, number, "", problem);
            continue;
        }
        history.line = number;
        history.sum = sum;
        fine = history_add(run, owner, &history);
    }
    lines_close(lines);
    if (fine && more < 0)
        complain(run, owner, number + 1, "", "it can't be read");
    return fine;
}

/* ---- reports ---- */

static void file_report(const struct run *run, size_t number)
{
    const struct file *file = &run->files[number];
    const char *verdict = file->failed ? "not ok" : "ok";

    if (file->shown > SHOWN_MAX)
        printf("# ... and %zu more of %s\n", file->shown - SHOWN_MAX, file->name);
    if (file->texts > 0 && (file->histories > 0 || file->failed > 0))
        printf("# %s: %zu histories of type %s are skipped: text is not replayed\n", file->name,
               file->texts, file->text_type);
    if (file->histories > 0 || file->failed > 0)
        printf("%s %zu - %s: %zu histories, %zu values, %zu differ for a reason that is known, %zu "
               "failures\n",
               verdict, number + 1, file->name, file->histories, file->values, file->differing,
               file->failed);
    else if (file->texts > 0)
        printf("ok %zu - %s # SKIP %zu histories of type %s: text is not replayed\n", number + 1,
               file->name, file->texts, file->text_type);
    else
        printf("ok %zu - %s # SKIP none of its %zu histories was asked for\n", number + 1,
               file->name, file->passed_over);
}

/* What is listed and does not occur: only where all of the project's data was played. */
static void list_report(struct run *run)
{
    const struct options *options = run->options;
    bool whole = options->known && options->every == 1 && !options->id &&
                 strcmp(options->types, "all") == 0 && !options->list;

    for (size_t i = 0; whole && i < run->list.count; i++) {
        if (run->list.items[i].met)
            continue;
        run->failed++;
        printf("# %s: a difference by %s is listed, but there is no such history\n",
               run->list.items[i].id, run->list.items[i].rule);
    }
    for (size_t i = 0; whole && i < run->list.reasons_count; i++) {
        if (run->list.reasons[i].met)
            continue;
        run->failed++;
        printf("# %s: a reason is listed, but nothing differs by it\n", run->list.reasons[i].rule);
    }
}

static void run_done(struct run *run)
{
    folder_done(&run->folder);
    list_done(&run->list);
    mem_free(run->files);
    mem_free(run->group);
    mem_free(run->owners);
}

/* 0: all agrees, 1: something does not, 2: it could not be tried. */
static int run_all(const struct options *options)
{
    struct run run = {.options = options};
    size_t played = 0;
    bool fine =
        list_read(options->differences, &run.list) && folder_read(options->folder, &run.folder);

    if (fine && run.folder.count == 0) {
        fprintf(stderr, "vectors: %s: there is no *.jsonl or *.jsonl.gz\n", options->folder);
        fine = false;
    }
    run.files = mem_new_array(run.folder.count + 1, sizeof *run.files);
    run.group = mem_new_array(GROUP_MAX, sizeof *run.group);
    run.owners = mem_new_array(GROUP_MAX, sizeof *run.owners);
    if (!run.files || !run.group || !run.owners)
        fine = false;
    for (size_t i = 0; fine && i < run.folder.count; i++) {
        run.files[i].name = run.folder.names[i];
        fine = file_read(&run, i);
    }
    fine = fine && group_play(&run);
    for (size_t i = 0; fine && i < run.folder.count && !options->list && !options->quiet; i++)
        file_report(&run, i);
    if (fine && options->ret_files)
        *options->ret_files = run.folder.count;
    for (size_t i = 0; fine && i < run.folder.count; i++)
        played += run.files[i].histories;
    for (size_t i = 0; fine && i < run.folder.others_count && !options->known && !options->quiet;
         i++)
        printf("# %s is no file of histories\n", run.folder.others[i]);
    if (fine)
        list_report(&run);
    if (fine && played == 0 && !options->quiet)
        printf("# no history was played\n");
    run_done(&run);
    return !fine ? 2 : run.failed > 0;
}

/* ---- rules that are broken on purpose ---- */

static const struct mutant {
    const char *rule, *types;
} mutants[] = {
    {"unseen-goes", "set_aw"},       {"folds-others", "map"},
    {"compare-only-adds", "set_aw"}, {"no-residue", "set_aw"},
    {"clock-ignored", "lww"},        {"accept-gaps", "map"},
    {"yes-wins", "set_rw"},          {"no-leaves-nothing", "flag_dw"},
    {"exact-uncut", "rcounter"},     {"bounded-spends-any", "bcounter"},
};

enum { MUTANTS = sizeof mutants / sizeof *mutants };

/* In a process of its own: some of the rules make the store stop. */
static bool mutant_noticed(const struct options *options, const struct mutant *mutant)
{
    struct options some = *options;
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        broken_rule = mutant->rule;
        some.types = mutant->types;
        some.every = EVERY_MUTANT;
        some.ways = "state,push,compare";
        some.quiet = true;
        _exit(run_all(&some) == 1 ? EXIT_NOTICED : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOTICED;
}

static int check_all(struct options *options)
{
    size_t files = 0;
    int status;

    options->every = EVERY;
    options->ret_files = &files;
    status = run_all(options);
    options->ret_files = NULL;
    for (unsigned i = 0; i < MUTANTS; i++) {
        bool noticed = mutant_noticed(options, &mutants[i]);

        printf("%s %zu - %s is noticed by histories of %s\n", noticed ? "ok" : "not ok",
               files + i + 1, mutants[i].rule, mutants[i].types);
        status |= !noticed;
    }
    printf("1..%zu\n", files + MUTANTS);
    return status;
}

/* ---- options ---- */

static int usage(void)
{
    fprintf(stderr, "usage: vectors [--types all|TYPE,TYPE...] [--dir DIR] [--ways "
                    "state,push,rocks,compare]\n"
                    "               [--every N] [--id HISTORY] [--seed N] [--differences FILE]\n"
                    "               [--list] [--break RULE]\n");
    return 2;
}

/* Each name must be one: a type that is misspelt is not passed over. */
static bool names_known(const char *list, bool types)
{
    char names[400], *at = names, *name;

    if (strcmp(list, "all") == 0)
        return true;
    snprintf(names, sizeof names, "%s", list);
    while ((name = strsep(&at, ","))) {
        bool known = types && kind_find(name);

        for (unsigned way = 0; way < WAYS && !types; way++)
            known |= strcmp(name, way_names[way]) == 0;
        if (!known) {
            fprintf(stderr, "vectors: %s \"%s\" is not known\n", types ? "type" : "way", name);
            return false;
        }
    }
    return true;
}

static bool option_take(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--types") == 0)
        options->types = value;
    else if (strcmp(name, "--dir") == 0)
        options->folder = value;
    else if (strcmp(name, "--ways") == 0)
        options->ways = value;
    else if (strcmp(name, "--id") == 0)
        options->id = value;
    else if (strcmp(name, "--differences") == 0)
        options->differences = value;
    else if (strcmp(name, "--every") == 0)
        options->every = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--seed") == 0)
        options->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--break") == 0)
        broken_rule = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {
        .folder = VECTORS_DIR "/data",
        .types = "all",
        .ways = "all",
        .differences = VECTORS_DIR "/differences",
        .every = 1,
        .known = true,
    };

    if (argc == 1)
        return check_all(&options);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            options.list = true;
            continue;
        }
        if (i + 1 == argc || !option_take(&options, argv[i], argv[i + 1]))
            return usage();
        options.known &= strcmp(argv[i], "--dir") != 0;
        i++;
    }
    if (options.every == 0 || !names_known(options.types, true) ||
        !names_known(options.ways, false))
        return usage();
    return run_all(&options);
}
