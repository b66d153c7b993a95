/* top without arguments: what the node does, once or live. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/rates.h"

enum { LOOK_EVERY_MS = 1000 };

/* Set by a signal: the terminal is to be left as it was found. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* ---- one look ---- */

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int sample_take(struct cli *cli, struct sample *ret_sample)
{
    const char *const words[] = {"status"};
    int result;

    *ret_sample = (struct sample){.stats = stats_ask(cli, &result)};
    if (ret_sample->stats)
        ret_sample->status = cli_ask(cli, 1, words, &result);
    ret_sample->wall_ms = clock_ms(CLOCK_REALTIME);
    ret_sample->mono_ms = clock_ms(CLOCK_MONOTONIC);
    return result;
}

/* "-": there is nothing to compare with. */
static void rate_put(FILE *file, const json_t *item, const char *name, int width)
{
    const json_t *rate = json_object_get(json_object_get(item, "rates"), name);

    if (json_is_number(rate))
        fprintf(file, " %*.1f", width, json_number_value(rate));
    else
        fprintf(file, " %*s", width, "-");
}

static void line_put_rates(FILE *file, const json_t *look, const char *what,
                           const char *const names[])
{
    fprintf(file, "%-8s", what);
    for (size_t i = 0; names[i]; i += 2) {
        fprintf(file, "  %s", names[i]);
        rate_put(file, look, names[i + 1], 0);
    }
    fputc('\n', file);
}

static void lists_put(FILE *file, const json_t *look)
{
    const json_t *item;
    size_t i;

    fprintf(file, "\n%-20s %8s %9s %9s %9s %9s %9s\n", "bucket", "log", "residues", "own/s",
            "taken/s", "cells in", "cells out");
    json_array_foreach(json_object_get(look, "buckets"), i, item)
    {
        fprintf(file, "%-20s %8" JSON_INTEGER_FORMAT " %9" JSON_INTEGER_FORMAT,
                text_of(item, "name"), number_of(item, "log"), number_of(item, "residues"));
        rate_put(file, item, "events_own", 9);
        rate_put(file, item, "events_taken", 9);
        rate_put(file, item, "cells_taken", 9);
        rate_put(file, item, "cells_given", 9);
        fprintf(file, "%s%s\n", json_is_true(json_object_get(item, "comparing")) ? " compares" : "",
                json_is_string(json_object_get(item, "problem")) ? " PROBLEM" : "");
    }
    if (json_array_size(json_object_get(look, "peers")) == 0)
        return;
    fprintf(file, "\n%-28s %-10s %-8s %8s %9s %9s\n", "peer", "state", "member", "lag", "pushes/s",
            "pulls/s");
    json_array_foreach(json_object_get(look, "peers"), i, item)
    {
        fprintf(file, "%-28s %-10s %-8s %8" JSON_INTEGER_FORMAT,
                text_of(item, *text_of(item, "address") ? "address" : "node"),
                json_is_true(json_object_get(item, "connected")) ? "connected" : "away",
                text_of(item, "member"), number_of(item, "lag"));
        rate_put(file, item, "pushes", 9);
        rate_put(file, item, "pulls", 9);
        fputc('\n', file);
    }
}

static void look_put(FILE *file, const json_t *look)
{
    static const char *const own[] = {"writes/s", "writes",  "events/s", "events", "syncs/s",
                                      "syncs",    "turns/s", "turns",    NULL};
    static const char *const net[] = {"events in/s", "events_taken", "cells in/s", "cells_taken",
                                      "cells out/s", "cells_given",  NULL};
    static const char *const bulk[] = {"bytes in/s", "bytes_taken", "bytes out/s", "bytes_given",
                                       NULL};
    const json_t *numbers = json_object_get(look, "numbers");

    fprintf(file, "node %s %s%s%s\n", text_of(look, "node"), text_of(look, "name"),
            json_is_true(json_object_get(look, "isolated")) ? "  ISOLATED" : "",
            json_is_string(json_object_get(look, "stopped")) ? "  STOPPED" : "");
    line_put_rates(file, look, "here", own);
    line_put_rates(file, look, "peers", net);
    line_put_rates(file, look, "bulk", bulk);
    fprintf(file,
            "%-8s  log %" JSON_INTEGER_FORMAT "  queue %" JSON_INTEGER_FORMAT
            "  clients waiting %" JSON_INTEGER_FORMAT "  peers %" JSON_INTEGER_FORMAT
            " of %" JSON_INTEGER_FORMAT "  lag %" JSON_INTEGER_FORMAT "\n",
            "now", number_of(numbers, "log_entries"), number_of(numbers, "queue_events"),
            number_of(numbers, "client_requests_waiting"), number_of(numbers, "peers_connected"),
            number_of(numbers, "peers"), number_of(numbers, "peers_lag_max"));
    lists_put(file, look);
}

/* ---- the terminal ---- */

/* From the top, no more than fits. */
static void screen_put(const char *text)
{
    struct winsize size = {0};
    int left, columns;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 2 || size.ws_col < 2)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    left = size.ws_row - 2;
    columns = size.ws_col - 1;
    fputs("\033[H\033[J", stdout);
    for (; *text && left > 0; left--) {
        int length = (int)strcspn(text, "\n");

        printf("%.*s\n", length < columns ? length : columns, text);
        text += length + (text[length] == '\n');
    }
    if (*text)
        printf("... more than fits");
    fflush(stdout);
}

static int show(struct cli *cli, const json_t *look, int live)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file;

    if (cli->json) {
        json_dumpf(look, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
        putchar('\n');
        return fflush(stdout) ? EXIT_DIFFERS : 0;
    }
    file = open_memstream(&text, &size);
    if (!file)
        return cli_fail(cli, NEAP_NOMEM, "top");
    look_put(file, look);
    fclose(file);
    if (live)
        screen_put(text);
    else
        fputs(text, stdout);
    free(text);
    return fflush(stdout) ? EXIT_DIFFERS : 0;
}

/* Until it is time, or a key is pressed: 1 if it is over. */
static int wait_key(int *keys, int every_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char pressed[16];
    ssize_t size;

    if (poll(&input, *keys ? 1 : 0, every_ms) <= 0 || interrupted)
        return interrupted;
    size = read(STDIN_FILENO, pressed, sizeof(pressed));
    if (size <= 0)
        *keys = 0;
    return size > 0 && memchr(pressed, 'q', (size_t)size) != NULL;
}

static int looks(struct cli *cli, uint64_t limit, int every_ms, int live)
{
    struct sample before = {0}, now = {0};
    int result = 0, keys = live && isatty(STDIN_FILENO);

    for (uint64_t count = 0; result == 0 && count < limit; count++) {
        json_t *look = NULL;

        if (count && wait_key(&keys, every_ms))
            break;
        if (count && !cli->json && !live)
            putchar('\n');
        result = sample_take(cli, &now);
        if (result == 0)
            look = rates_look(count ? &before : NULL, &now);
        if (look)
            result = show(cli, look, live);
        json_decref(look);
        sample_done(&before);
        before = now;
    }
    sample_done(&before);
    return result;
}

int top_live(struct cli *cli)
{
    int live = !cli->json && isatty(STDOUT_FILENO), result, changed = 0;
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    struct termios found, quiet;

    if (live && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &found) == 0) {
        quiet = found;
        quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        changed = tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
    }
    result = looks(cli, cli->limit ? cli->limit : live ? UINT64_MAX : 1, LOOK_EVERY_MS, live);
    if (changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &found);
    return result;
}
