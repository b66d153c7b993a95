/* Processes, namespaces and links. The program runs as the first process of a PID namespace: when
 * it ends, so does all that it has started, and the network vanishes with them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/netns/drive.h"

enum { PACE_MS = 10, TEXT = 256 };

const char *node_name(size_t node)
{
    static const char *const names[NODES] = {"a", "b", "c"};
    return names[node];
}

/* ---- failing ---- */

static void tail_print(const struct cluster *cluster, const char *name)
{
    char path[TEXT], line[512];
    long size;
    snprintf(path, sizeof path, "%s/%s", cluster->folder, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 ||
        fseek(file, size > 3000 ? size - 3000 : 0, SEEK_SET))
        size = 0;
    while (fgets(line, sizeof line, file))
        printf("# %s: %s%s", name, line, strchr(line, '\n') ? "" : "\n");
    fclose(file);
}

_Noreturn void cluster_fail(const struct cluster *cluster, const char *format, ...)
{
    va_list arguments;
    char name[16];
    printf("Bail out! ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    for (size_t i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "%s.log", node_name(i));
        tail_print(cluster, name);
        snprintf(name, sizeof name, "%s.proxy.log", node_name(i));
        tail_print(cluster, name);
    }
    fflush(stdout);
    _exit(1);
}

/* ---- processes ---- */

static void child_run(const struct cluster *cluster, int space, int input, const char *log,
                      const char *const *words)
{
    char path[TEXT];
    int output = STDERR_FILENO;
    if (space >= 0 && setns(space, CLONE_NEWNET))
        _exit(126);
    if (log) {
        snprintf(path, sizeof path, "%s/%s", cluster->folder, log);
        output = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    if (input < 0)
        input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(126);
    execvp(words[0], (char *const *)(uintptr_t)words);
    fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static pid_t process_start(const struct cluster *cluster, int space, int input, const char *log,
                           const char *const *words)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        child_run(cluster, space, input, log, words);
    if (pid < 0)
        cluster_fail(cluster, "fork: %s", strerror(errno));
    return pid;
}

static int process_wait(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static void command_run_in(struct cluster *cluster, int space, const char *const *words)
{
    int status = process_wait(process_start(cluster, space, -1, NULL, words));
    if (status)
        cluster_fail(cluster, "%s %s %s: status %d", words[0], words[1], words[2], status);
}

void command_run(struct cluster *cluster, const char *const *words)
{
    command_run_in(cluster, -1, words);
}

/* `ip` in the namespace of a node; words are separated by blanks. */
__attribute__((format(printf, 3, 4))) static void ip(struct cluster *cluster, size_t node,
                                                     const char *format, ...)
{
    va_list arguments;
    char text[2 * TEXT];
    const char *words[32] = {"ip"};
    size_t count = 1;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *rest = text, *word = NULL; (word = strsep(&rest, " ")) && count < 31;)
        words[count++] = word;
    command_run_in(cluster, cluster->spaces[node], words);
}

/* As the first process of its namespace it also inherits whoever loses his parent. */
void cluster_pace(struct cluster *cluster)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    pid_t pid;
    int status;
    /* Whoever started this holds the other end, and says nothing: then he is gone. */
    if (poll(&input, 1, PACE_MS) > 0)
        cluster_fail(cluster, "interrupted");
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < NODES; i++) {
            if (pid == cluster->proxies[i])
                cluster_fail(cluster, "proxy %s ended, status %d", node_name(i), status);
            if (pid == cluster->nodes[i] && !cluster->doomed[i])
                cluster_fail(cluster, "neapd %s ended, status %d", node_name(i), status);
            if (pid == cluster->nodes[i])
                cluster->nodes[i] = 0;
        }
    }
}

/* ---- nodes ---- */

void node_start(struct cluster *cluster, size_t node)
{
    char path[TEXT], file[TEXT], socket[TEXT], listen[64], peers[2 * 64] = "", log[16];
    for (size_t i = 0; i < NODES; i++) {
        size_t size = strlen(peers);
        if (i != node)
            snprintf(peers + size, sizeof peers - size, "%stcp://127.0.0.1:%zu", size ? "," : "",
                     PORT + i);
    }
    snprintf(path, sizeof path, "%s/%s", cluster->folder, node_name(node));
    snprintf(socket, sizeof socket, "%s/%s.sock", cluster->folder, node_name(node));
    snprintf(file, sizeof file, "%s/cluster", cluster->folder);
    snprintf(listen, sizeof listen, "tcp://127.0.0.1:%zu", PORT + node);
    snprintf(log, sizeof log, "%s.log", node_name(node));
    const char *const words[] = {cluster->neapd,
                                 "--path",
                                 path,
                                 "--create",
                                 "--socket",
                                 socket,
                                 "--cluster",
                                 file,
                                 "--listen",
                                 listen,
                                 "--peers",
                                 peers,
                                 "--log_max",
                                 cluster->log_max,
                                 "--memory_max",
                                 "16m",
                                 "--log_level",
                                 "info",
                                 NULL};
    cluster->doomed[node] = cluster->paused[node] = false;
    cluster->nodes[node] = process_start(cluster, cluster->spaces[node], -1, log, words);
}

/* Nothing is left of it when this returns, so its directory is free. */
void node_kill(struct cluster *cluster, size_t node)
{
    node_hang_up(cluster, node);
    if (cluster->nodes[node] > 0) {
        kill(cluster->nodes[node], SIGKILL);
        process_wait(cluster->nodes[node]);
    }
    cluster->nodes[node] = 0;
    cluster->doomed[node] = cluster->paused[node] = false;
}

void node_doom(struct cluster *cluster, size_t node, unsigned after_ms)
{
    pid_t victim = cluster->nodes[node];
    cluster->doomed[node] = true;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        cluster_fail(cluster, "fork: %s", strerror(errno));
    if (pid)
        return;
    poll(NULL, 0, (int)after_ms);
    kill(victim, SIGKILL);
    _exit(0);
}

void node_pause(struct cluster *cluster, size_t node, bool paused)
{
    if (cluster->nodes[node] > 0)
        kill(cluster->nodes[node], paused ? SIGSTOP : SIGCONT);
    cluster->paused[node] = paused;
}

int node_end(struct cluster *cluster, size_t node)
{
    node_hang_up(cluster, node);
    kill(cluster->nodes[node], SIGTERM);
    int status = process_wait(cluster->nodes[node]);
    cluster->nodes[node] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool node_is_up(const struct cluster *cluster, size_t node)
{
    return cluster->nodes[node] > 0 && !cluster->paused[node];
}

struct neap *node_handle(struct cluster *cluster, size_t node)
{
    char path[TEXT];
    snprintf(path, sizeof path, "%s/%s.sock", cluster->folder, node_name(node));
    if (!cluster->handles[node] && node_is_up(cluster, node) &&
        neap_connect(path, &cluster->handles[node], NULL))
        cluster->handles[node] = NULL;
    return cluster->handles[node];
}

void node_hang_up(struct cluster *cluster, size_t node)
{
    neap_close(cluster->handles[node]);
    cluster->handles[node] = NULL;
}

/* ---- proxies ---- */

/* Each node has the same address everywhere, but only where it lives it is its own; elsewhere the
 * proxy there has it. Routes 0 and 1 go to the others, 2 and 3 come from them. */
void proxy_start(struct cluster *cluster, size_t node)
{
    char routes[4][64], log[16];
    const char *words[6] = {cluster->proxy};
    size_t count = 0;
    int ends[2];
    for (size_t i = 0; i < NODES; i++) {
        if (i == node)
            continue;
        snprintf(routes[count], sizeof *routes, "127.0.0.1:%zu=10.77.%zu.%zu:%zu", PORT + i,
                 node + i, i + 1, PORT + i);
        snprintf(routes[count + 2], sizeof *routes, "10.77.%zu.%zu:%zu=127.0.0.1:%zu", node + i,
                 node + 1, PORT + node, PORT + node);
        count++;
    }
    for (size_t i = 0; i < 4; i++)
        words[1 + i] = routes[i];
    snprintf(log, sizeof log, "%s.proxy.log", node_name(node));
    if (pipe2(ends, O_CLOEXEC))
        cluster_fail(cluster, "pipe: %s", strerror(errno));
    cluster->proxies[node] = process_start(cluster, cluster->spaces[node], ends[0], log, words);
    cluster->controls[node] = ends[1];
    close(ends[0]);
}

void proxy_kill(struct cluster *cluster, size_t node)
{
    if (!cluster->proxies[node])
        return;
    kill(cluster->proxies[node], SIGKILL);
    process_wait(cluster->proxies[node]);
    cluster->proxies[node] = 0;
    close(cluster->controls[node]);
}

/* Of the two ends of a call only the one that it leaves by is slow. */
void link_slow(struct cluster *cluster, size_t a, size_t b, unsigned delay_ms, unsigned rate)
{
    const size_t ends[2][2] = {{a, b}, {b, a}};
    for (size_t i = 0; i < 2; i++) {
        size_t from = ends[i][0], to = ends[i][1];
        char text[64];
        if (!cluster->proxies[from])
            continue;
        int size = snprintf(text, sizeof text, "%d %u %u\n", to > from ? (int)to - 1 : (int)to,
                            delay_ms, rate);
        if (write(cluster->controls[from], text, (size_t)size) != size)
            cluster_fail(cluster, "proxy %s: %s", node_name(from), strerror(errno));
    }
}

/* ---- links ---- */

/* Frames to an address that nobody has are sent, and vanish: no rule of a firewall is needed for
 * that, and the sender is told nothing. */
static void neighbour_set(struct cluster *cluster, size_t from, size_t to)
{
    if (cluster->down[from][to])
        return;
    ip(cluster, from,
       "neigh replace 10.77.%zu.%zu dev to-%s lladdr 02:00:00:00:%02zx:%02zx nud permanent",
       from + to, to + 1, node_name(to), cluster->cut[from][to] ? (size_t)255 : to, from);
}

void link_cut(struct cluster *cluster, size_t from, size_t to, bool cut)
{
    cluster->cut[from][to] = cut;
    neighbour_set(cluster, from, to);
}

/* An interface that goes down forgets its neighbours. */
void link_down(struct cluster *cluster, size_t from, size_t to, bool down)
{
    cluster->down[from][to] = down;
    ip(cluster, from, "link set to-%s %s", node_name(to), down ? "down" : "up");
    neighbour_set(cluster, from, to);
}

static void link_make(struct cluster *cluster, size_t a, size_t b)
{
    int space = fcntl(cluster->spaces[b], F_DUPFD, 3); /* without close on exec */
    ip(cluster, a,
       "link add name to-%s address 02:00:00:00:%02zx:%02zx type veth peer name to-%s address "
       "02:00:00:00:%02zx:%02zx netns /proc/self/fd/%d",
       node_name(b), a, b, node_name(a), b, a, space);
    close(space);
    ip(cluster, a, "addr add 10.77.%zu.%zu/24 dev to-%s", a + b, a + 1, node_name(b));
    ip(cluster, b, "addr add 10.77.%zu.%zu/24 dev to-%s", a + b, b + 1, node_name(a));
    link_down(cluster, a, b, false);
    link_down(cluster, b, a, false);
}

void cluster_open(struct cluster *cluster)
{
    for (size_t i = 0; i < NODES; i++) {
        if (unshare(CLONE_NEWNET))
            cluster_fail(cluster, "a network namespace: %s", strerror(errno));
        cluster->spaces[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        ip(cluster, i, "link set lo up");
    }
    for (size_t i = 0; i < NODES; i++) {
        for (size_t j = 0; j < i; j++)
            link_make(cluster, j, i);
    }
    for (size_t i = 0; i < NODES; i++) {
        proxy_start(cluster, i);
        node_start(cluster, i);
    }
}

void cluster_heal(struct cluster *cluster)
{
    for (size_t i = 0; i < NODES; i++) {
        if (cluster->paused[i])
            node_pause(cluster, i, false);
        if (cluster->doomed[i])
            node_kill(cluster, i);
        if (!cluster->nodes[i])
            node_start(cluster, i);
        if (!cluster->proxies[i])
            proxy_start(cluster, i);
        for (size_t j = 0; j < NODES; j++) {
            if (cluster->down[i][j])
                link_down(cluster, i, j, false);
            if (cluster->cut[i][j])
                link_cut(cluster, i, j, false);
        }
    }
    for (size_t i = 0; i < NODES; i++) {
        for (size_t j = 0; j < i; j++)
            link_slow(cluster, i, j, 0, 0);
    }
}
