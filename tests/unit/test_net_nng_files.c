/* Without descriptors. A program of its own, since nng closes what other tests had open when it
 * likes; the first test is the one that minds. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "gossip/net_share.h"
#include "tests/support/test.h"
#include "tests/unit/net_pair.h"

enum { LATE = 8 };

static uint64_t now_ms(void)
{
    struct timespec now;

    CHECK(!clock_gettime(CLOCK_MONOTONIC, &now));
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* No more descriptors than are open now, and `spare` ones. */
static void files_leave(rlim_t spare, struct rlimit *ret_before)
{
    struct rlimit less;
    int next = dup(0);

    CHECK(next >= 0 && !close(next) && !getrlimit(RLIMIT_NOFILE, ret_before));
    less = *ret_before;
    less.rlim_cur = (rlim_t)next + spare;
    CHECK(!setrlimit(RLIMIT_NOFILE, &less));
}

static void counts_up_to(struct net *net, const char *name, uint64_t count)
{
    for (uint64_t until = now_ms() + 30000; net_counted(net, name) < count; (void)poll(NULL, 0, 1))
        CHECK(now_ms() < until);
}

/* Who comes then waits, and the listener goes on trying, but now and then only. */
TEST(without_descriptors_nobody_is_let_in_until_there_are_some)
{
    struct rlimit before;
    struct inbox inbox;
    struct net *net;
    uint64_t began;
    int raw;

    inbox_init(&inbox);
    CHECK_OK(net_nng_open(&(struct net_nng_options){.listen = "tcp://127.0.0.1:0"}, &inbox.sink,
                          &net, NULL));
    began = now_ms();
    files_leave(1, &before);
    raw = raw_connect(net);
    counts_up_to(net, "no_descriptors", 3);
    CHECK(net_counted(net, "no_descriptors") <= 2 + (now_ms() - began) / 100);
    CHECK(inbox_is_empty(&inbox));
    CHECK(!setrlimit(RLIMIT_NOFILE, &before));
    CHECK_EQUAL(inbox_take(&inbox)->kind, NET_UP);
    close(raw);
    net->ops->stop(net);
    net->ops->free(net);
    inbox_done(&inbox);
}

/* Those that are left are for members and the disk. Of the test before, a few may be closed yet. */
TEST(clients_do_not_get_the_last_descriptors)
{
    char directory[] = "/tmp/neap-net-XXXXXX", path[64], address[80];
    struct rlimit before;
    struct inbox inbox;
    struct net *net;
    struct net_call *call;
    int raw;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/s", directory);
    snprintf(address, sizeof(address), "ipc://%s", path);
    inbox_init(&inbox);
    CHECK_OK(
        net_nng_open(&(struct net_nng_options){.clients = address, .listen = "tcp://127.0.0.1:0"},
                     &inbox.sink, &net, NULL));
    files_leave(NET_FILES_KEPT - LATE, &before);
    CHECK_OK(net_call_open(address, NULL, 5000, &call, NULL));
    counts_up_to(net, "client_no_descriptors", 1);
    raw = raw_connect(net); /* a member */
    CHECK_EQUAL(inbox_take(&inbox)->side, NET_PEER);
    CHECK(!setrlimit(RLIMIT_NOFILE, &before));
    net_call_close(call);
    CHECK_OK(net_call_open(address, NULL, 5000, &call, NULL));
    CHECK_EQUAL(inbox_take(&inbox)->side, NET_CLIENT);
    net_call_close(call);
    close(raw);
    net->ops->stop(net);
    net->ops->free(net);
    inbox_done(&inbox);
    rmdir(directory);
}

TEST(a_node_that_may_have_too_few_files_open_is_not_opened)
{
    struct neap_error error = {0};
    struct rlimit before;
    struct inbox inbox;
    struct net *net;

    inbox_init(&inbox);
    files_leave(8, &before);
    CHECK_ERROR(net_nng_open(&(struct net_nng_options){.listen = "tcp://127.0.0.1:0"}, &inbox.sink,
                             &net, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "ulimit -n"));
    CHECK(!setrlimit(RLIMIT_NOFILE, &before));
    inbox_done(&inbox);
}
