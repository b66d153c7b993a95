/* Processes of the demo: start, kill, cut off, wait, compare. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/demo.h"

enum { CONNECT_LOOKS = 400 };
enum { DIFFERENCES_MAX = 20, REQUEST_MS = 20000 };

static int say(const char *doing, const char *why)
{
    fprintf(stderr, "demo: %s: %s\n", doing, why);
    return EXIT_DIFFERS;
}

void demo_pause(void)
{
    const struct timespec look = {.tv_nsec = DEMO_LOOK_MS * 1000000L};

    nanosleep(&look, NULL);
}

/* neapd stands beside neap. Before it is installed libtool keeps the program itself one folder
 * down, and beside neap stands what starts it. */
static void daemon_find(struct demo *demo)
{
    char self[3072];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    self[size > 0 ? size : 0] = 0;
    slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    slash = strrchr(self, '/');
    if (slash && strcmp(slash, "/.libs") == 0)
        *slash = 0;
    snprintf(demo->daemon, sizeof(demo->daemon), "%s/neapd", self);
    if (access(demo->daemon, X_OK))
        snprintf(demo->daemon, sizeof(demo->daemon), "neapd");
}

static void node_make(struct demo *demo, int index)
{
    struct demo_node *node = &demo->nodes[index];
    char name = (char)('a' + index);

    node->name[0] = name;
    snprintf(node->path, sizeof(node->path), "%s/%c", demo->directory, name);
    snprintf(node->listen, sizeof(node->listen), "ipc://%s/%c.peer", demo->directory, name);
    snprintf(node->socket, sizeof(node->socket), "%s/%c.sock", demo->directory, name);
    snprintf(node->log, sizeof(node->log), "%s/%c.log", demo->directory, name);
}

static void peers_make(struct demo *demo, int index)
{
    struct demo_node *node = &demo->nodes[index];
    size_t used = 0;

    for (int i = 0; i < DEMO_NODES; i++)
        if (i != index)
            used += (size_t)snprintf(node->peers + used, sizeof(node->peers) - used, "%s%s",
                                     used ? "," : "", demo->nodes[i].listen);
}

int demo_make(struct demo *demo, int nodes_count, uint32_t wait_ms)
{
    const char *base = getenv("TMPDIR");

    /* Paths of sockets are short. */
    if (base == NULL || *base != '/' || strlen(base) > 40)
        base = "/tmp";
    memset(demo, 0, sizeof(*demo));
    demo->wait_ms = wait_ms ? wait_ms : DEMO_WAIT_MS;
    snprintf(demo->directory, sizeof(demo->directory), "%.40s/neap-demo-XXXXXX", base);
    if (mkdtemp(demo->directory) == NULL)
        return say(demo->directory, strerror(errno));
    daemon_find(demo);
    snprintf(demo->cluster, sizeof(demo->cluster), "%s/cluster", demo->directory);
    demo->nodes_count = nodes_count;
    for (int i = 0; i < nodes_count; i++)
        node_make(demo, i);
    for (int i = 0; i < nodes_count; i++)
        peers_make(demo, i);
    return cluster_write(demo->cluster);
}

static _Noreturn void daemon_run(struct demo *demo, struct demo_node *node)
{
    int log = open(node->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char *words[] = {demo->daemon,
                     (char *)(uintptr_t) "--create",
                     (char *)(uintptr_t) "--path",
                     node->path,
                     (char *)(uintptr_t) "--listen",
                     node->listen,
                     (char *)(uintptr_t) "--peers",
                     node->peers,
                     (char *)(uintptr_t) "--socket",
                     node->socket,
                     (char *)(uintptr_t) "--cluster",
                     demo->cluster,
                     (char *)(uintptr_t) "--name",
                     node->name,
                     node->zone ? (char *)(uintptr_t) "--zone" : NULL,
                     (char *)(uintptr_t)node->zone,
                     NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a demo that is interrupted leaves nothing running */
    if (log >= 0)
        dup2(log, STDERR_FILENO);
    execvp(demo->daemon, words);
    _exit(127);
}

static void print_log(const struct demo_node *node)
{
    char line[512];
    FILE *file = fopen(node->log, "re");

    while (file && fgets(line, sizeof(line), file))
        fprintf(stderr, "  %s", line);
    if (file)
        fclose(file);
}

int demo_start(struct demo *demo, int index)
{
    struct demo_node *node = &demo->nodes[index];
    struct neap_error error = {0};
    int code = -1;

    fflush(NULL);
    node->pid = fork();
    if (node->pid == 0)
        daemon_run(demo, node);
    if (node->pid < 0)
        return say("fork", strerror(errno));
    for (int look = 0; look < CONNECT_LOOKS; look++) {
        if (waitpid(node->pid, NULL, WNOHANG) == node->pid) {
            node->pid = 0;
            print_log(node);
            return say(demo->daemon, "ended at once; its log is above");
        }
        code = neap_connect(node->socket, &node->neap, &error);
        if (code == 0)
            return 0;
        demo_pause();
    }
    print_log(node);
    return say(node->socket, error.text);
}

int demo_kill(struct demo *demo, int index, int signal)
{
    struct demo_node *node = &demo->nodes[index];
    int status = 0;

    neap_close(node->neap);
    node->neap = NULL;
    if (node->pid == 0)
        return 0;
    if (kill(node->pid, signal) || waitpid(node->pid, &status, 0) != node->pid)
        return say("kill", strerror(errno));
    node->pid = 0;
    return signal == SIGTERM && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)
               ? say("neapd", "did not end cleanly on SIGTERM")
               : 0;
}

json_t *demo_ask(struct demo *demo, int index, int argc, const char *const argv[])
{
    struct neap_error error = {0};
    struct neap_call call = {.size = sizeof(call), .timeout_ms = REQUEST_MS, .ret_error = &error};
    struct neap_buffer text = {0};
    json_t *json = NULL;
    int code = neap_admin(demo->nodes[index].neap, argc, argv, &text, &call);

    if (code)
        say(argv[0], error.text[0] ? error.text : neap_strerror(code));
    else
        json = json_loadb(text.data, text.size, 0, NULL);
    neap_buffer_free(&text);
    return json;
}

int demo_isolate(struct demo *demo, int index, int isolated)
{
    const char *const words[] = {"isolate", isolated ? "on" : "off"};
    json_t *json = demo_ask(demo, index, 2, words);

    json_decref(json);
    return json ? 0 : EXIT_DIFFERS;
}

int demo_sum(struct demo *demo, int index, struct demo_sum *ret_sum)
{
    const char *const words[] = {"digest"};
    json_t *json = demo_ask(demo, index, 1, words), *total = json_object_get(json, "total");
    const char *digest = json_string_value(json_object_get(total, "digest"));

    if (digest == NULL) {
        json_decref(json);
        return say("digest", "the node's answer has none");
    }
    ret_sum->keys = json_integer_value(json_object_get(total, "keys"));
    ret_sum->cells = json_integer_value(json_object_get(total, "cells"));
    ret_sum->bytes = json_integer_value(json_object_get(total, "bytes"));
    ret_sum->log = json_integer_value(json_object_get(total, "log"));
    ret_sum->residues = json_integer_value(json_object_get(total, "residues"));
    snprintf(ret_sum->digest, sizeof(ret_sum->digest), "%s", digest);
    json_decref(json);
    return 0;
}

static int sums_equal(const struct demo_sum *sums)
{
    for (int i = 0; i < DEMO_NODES; i++) {
        if (strcmp(sums[i].digest, sums[0].digest) || sums[i].cells != sums[0].cells)
            return 0;
        if (sums[i].log || sums[i].residues)
            return 0;
    }
    return sums[0].cells > 0;
}

int demo_wait_equal(struct demo *demo, struct demo_sum ret_sums[DEMO_NODES])
{
    int looks = (int)(demo->wait_ms / DEMO_LOOK_MS);

    for (int look = 0; look <= looks; look++) {
        for (int i = 0; i < DEMO_NODES; i++) {
            int result = demo_sum(demo, i, &ret_sums[i]);

            if (result)
                return result;
        }
        if (sums_equal(ret_sums))
            return 0;
        demo_pause();
    }
    return EXIT_DIFFERS;
}

/* Both sides as JSON lines in key order, so that a walk side by side finds what only one has. */
static void difference_files(FILE *a, FILE *b, char name_a, char name_b)
{
    char *line_a = NULL, *line_b = NULL;
    size_t room_a = 0, room_b = 0;
    ssize_t size_a = getline(&line_a, &room_a, a), size_b = getline(&line_b, &room_b, b);
    int shown = 0;

    while ((size_a >= 0 || size_b >= 0) && shown < DIFFERENCES_MAX) {
        int order = size_a < 0 ? 1 : size_b < 0 ? -1 : strcmp(line_a, line_b);

        if (order) {
            fprintf(stderr, "only on %c: %s", order < 0 ? name_a : name_b,
                    order < 0 ? line_a : line_b);
            shown++;
        }
        if (order <= 0)
            size_a = getline(&line_a, &room_a, a);
        if (order >= 0)
            size_b = getline(&line_b, &room_b, b);
    }
    free(line_a);
    free(line_b);
}

void demo_differences(struct demo *demo, const char *bucket)
{
    FILE *files[DEMO_NODES];
    uint64_t lines;

    for (int i = 0; i < DEMO_NODES; i++) {
        files[i] = tmpfile();
        if (files[i] && demo->nodes[i].neap)
            (void)!dump_bucket(demo->nodes[i].neap, bucket, NULL, files[i], &lines);
        if (files[i])
            rewind(files[i]);
    }
    for (int i = 1; i < DEMO_NODES; i++)
        if (files[0] && files[i]) {
            difference_files(files[0], files[i], 'a', (char)('a' + i));
            rewind(files[0]);
        }
    for (int i = 0; i < DEMO_NODES; i++)
        if (files[i])
            fclose(files[i]);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void demo_end(struct demo *demo, int keep)
{
    for (int i = 0; i < demo->nodes_count; i++) {
        neap_close(demo->nodes[i].neap);
        if (demo->nodes[i].pid > 0) {
            kill(demo->nodes[i].pid, SIGKILL);
            waitpid(demo->nodes[i].pid, NULL, 0);
        }
    }
    if (keep)
        fprintf(stderr, "demo: data and logs are kept in %s\n", demo->directory);
    else
        nftw(demo->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
