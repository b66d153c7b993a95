/* crash [-n ROUNDS] [-s SEED] [-p LIBPOWER -t TEAR] DIRECTORY CHILD ARGUMENT...
 *
 * Runs CHILD ARGUMENT... DIRECTORY/data again and again, and kills it with SIGKILL at some moment:
 * in its opening, or after some of its acknowledgements. CHILD says "have N" once it has checked
 * that what it finds is its first N commits, then "ack N" for every commit that it takes for
 * durable. N of "have" must never be less than the last N that it said before. With -p and -t most
 * rounds are followed by a power loss (libpower, tear).
 *
 * Exit 0: nothing was lost; 1: something was; 2: the test itself did not work; 3: the child did not
 * do as it should. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"

enum { DEADLINE_MS = 60000, ACKS_MAX = 150, EARLY_MS_MAX = 40, MOMENT_NS_MAX = 500000 };

struct crash {
    const char *power, *tear;
    char data[512], log[512];
    char **child; /* its last argument, before NULL, is `data` */
    struct rng rng;
    uint64_t said; /* the last N of an "ack" or a "have" */
    uint64_t acks, torn, bytes, undone, suspect, early, lost, broken;
};

/* What comes from the child, in lines. */
struct output {
    int pipe;
    pid_t pid;
    char bytes[4096];
    size_t used;
    bool opened;
    uint64_t acks;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "crash: %s: %s\n", what, errno ? strerror(errno) : "");
    exit(2);
}

static void child_run(const struct crash *crash, int output)
{
    dup2(output, 1);
    if (crash->power) {
        setenv("POWER_DIR", crash->data, 1);
        setenv("POWER_LOG", crash->log, 1);
        setenv("LD_PRELOAD", crash->power, 1);
        /* The sanitizer wants to be first in line; here it cannot be. */
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    }
    execvp(crash->child[0], crash->child);
    _exit(127);
}

static void child_start(const struct crash *crash, struct output *ret_output)
{
    int pipes[2];

    memset(ret_output, 0, sizeof *ret_output);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        fail("pipe");
    ret_output->pipe = pipes[0];
    ret_output->pid = fork();
    if (ret_output->pid < 0)
        fail("fork");
    if (ret_output->pid == 0)
        child_run(crash, pipes[1]);
    close(pipes[1]);
}

static void line_take(struct crash *crash, struct output *output, const char *line)
{
    uint64_t number = strtoull(line + strcspn(line, " "), NULL, 10);

    if (strncmp(line, "have ", 5) == 0 && !output->opened) {
        output->opened = true;
        crash->suspect += strstr(line, "suspect") != NULL;
        if (number < crash->said) {
            printf("# lost: %" PRIu64 " commits are there, %" PRIu64 " were acknowledged\n", number,
                   crash->said);
            crash->lost++;
        }
        crash->said = number;
    } else if (strncmp(line, "ack ", 4) == 0 && output->opened) {
        crash->said = number;
        crash->acks++;
        output->acks++;
    } else {
        printf("# child: %s\n", line);
        crash->broken++;
    }
}

/* Reads what is there; false at the end of the output. */
static bool output_read(struct crash *crash, struct output *output)
{
    ssize_t size =
        read(output->pipe, output->bytes + output->used, sizeof output->bytes - output->used - 1);
    char *line = output->bytes, *end;

    if (size <= 0)
        return false;
    output->used += (size_t)size;
    output->bytes[output->used] = 0;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        line_take(crash, output, line);
        line = end + 1;
    }
    output->used -= (size_t)(line - output->bytes);
    memmove(output->bytes, line, output->used);
    return true;
}

/* Until the child has said enough, or `limit_ms` have passed without a word. */
static bool output_wait(struct crash *crash, struct output *output, uint64_t acks, int limit_ms)
{
    struct pollfd poller = {.fd = output->pipe, .events = POLLIN};

    while (!output->opened || output->acks < acks) {
        if (poll(&poller, 1, limit_ms) == 0)
            return true;
        if (!output_read(crash, output))
            return false; /* it ended by itself */
    }
    return true;
}

static void power_loss(struct crash *crash)
{
    char command[2048], counts[128], *next = counts;
    FILE *tear;

    snprintf(command, sizeof command, "'%s' '%s' '%s' %" PRIu64, crash->tear, crash->log,
             crash->data, rng_u64(&crash->rng) >> 1);
    tear = popen(command, "r");
    if (!tear || !fgets(counts, sizeof counts, tear) || pclose(tear) != 0)
        fail("tear");
    crash->torn += strtoull(next, &next, 10);
    crash->bytes += strtoull(next, &next, 10);
    crash->undone += strtoull(next, &next, 10);
}

static void round_run(struct crash *crash)
{
    bool early = rng_chance(&crash->rng, 15), alive;
    uint64_t acks = rng_below(&crash->rng, ACKS_MAX);
    int early_ms = (int)rng_below(&crash->rng, EARLY_MS_MAX);
    struct timespec moment = {.tv_nsec = (long)rng_below(&crash->rng, MOMENT_NS_MAX)};
    struct output output;
    struct stat status;

    child_start(crash, &output);
    if (early)
        alive = output_wait(crash, &output, 0, early_ms);
    else
        alive = output_wait(crash, &output, acks, DEADLINE_MS);
    if (alive && !early && !output.opened) {
        printf("# child: silent for %d s\n", DEADLINE_MS / 1000);
        crash->broken++;
    }
    /* A moment later, so that it is not always the one after an acknowledgement. */
    ppoll(NULL, 0, &moment, NULL);
    kill(output.pid, SIGKILL);
    while (output_read(crash, &output))
        ;
    close(output.pipe);
    if (waitpid(output.pid, NULL, 0) != output.pid)
        fail("waitpid");
    if (!alive) {
        printf("# child: ended by itself\n");
        crash->broken++;
    }
    crash->early += early && !output.opened;
    if (crash->tear && rng_chance(&crash->rng, 75) && stat(crash->data, &status) == 0)
        power_loss(crash);
}

static char **child_arguments(char **arguments, int count, char *last)
{
    char **all = calloc((size_t)count + 2, sizeof *all);

    if (!all)
        fail("memory");
    memcpy(all, arguments, (size_t)count * sizeof *all);
    all[count] = last;
    return all;
}

int main(int argc, char **argv)
{
    uint64_t rounds = 20, seed = 1, done;
    struct crash crash = {0};
    char directory[400];
    int option;

    while ((option = getopt(argc, argv, "+n:s:p:t:")) != -1)
        switch (option) {
        case 'n':
            rounds = strtoull(optarg, NULL, 10);
            break;
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            crash.power = optarg;
            break;
        case 't':
            crash.tear = optarg;
            break;
        default:
            return 2;
        }
    if (argc - optind < 2 || !realpath(argv[optind], directory))
        fail("usage: crash [-n ROUNDS] [-s SEED] [-p LIBPOWER -t TEAR] DIRECTORY CHILD...");
    snprintf(crash.data, sizeof crash.data, "%s/data", directory);
    snprintf(crash.log, sizeof crash.log, "%s/log", directory);
    crash.child = child_arguments(argv + optind + 1, argc - optind - 1, crash.data);
    rng_init(&crash.rng, seed);
    for (done = 0; done < rounds && !crash.lost && !crash.broken; done++)
        round_run(&crash);
    printf("# seed %" PRIu64 ": %" PRIu64 " kills (%" PRIu64 " while opening), %" PRIu64
           " commits acknowledged, %" PRIu64 " files torn by %" PRIu64 " bytes, %" PRIu64
           " renames undone, %" PRIu64 " suspect starts: %s\n",
           seed, done, crash.early, crash.acks, crash.torn, crash.bytes, crash.undone,
           crash.suspect,
           crash.lost     ? "LOST"
           : crash.broken ? "BROKEN"
                          : "nothing lost");
    free(crash.child);
    return crash.lost ? 1 : crash.broken ? 3 : 0;
}
