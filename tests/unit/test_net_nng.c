/* The real net on loopback. Nothing here waits for time to pass: each test waits for an event. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "gossip/frame.h"
#include "tests/support/test.h"
#include "tests/unit/net_pair.h"

TEST(messages_of_every_size_arrive_whole_and_in_order)
{
    static const size_t sizes[] = {0, 1, 4000, FRAME_SIZE, FRAME_SIZE + 1, 1 << 20};
    static uint8_t bytes[1 << 20];
    uint64_t live = mem_live();
    struct pair pair;

    pair_open(&pair, 0, 8 << 20);
    pair.far->ops->trust(pair.far, pair.far_link);
    pair.near->ops->trust(pair.near, 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        CHECK_EQUAL(pair.near->ops->send(pair.near, 1, pattern(bytes, sizes[i])), 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct net_event *event = inbox_take(&pair.there);

        CHECK_EQUAL(event->kind, NET_MESSAGE);
        CHECK_EQUAL(event->link, pair.far_link);
        CHECK(slice_equal(buffer_slice(&event->message), pattern(bytes, sizes[i])));
        pair.far->ops->ready(pair.far, pair.far_link);
    }
    pair_close(&pair);
    CHECK_EQUAL(mem_live(), live);
}

TEST(a_message_waits_until_the_one_before_was_taken)
{
    struct pair pair;

    pair_open(&pair, 0, 0);
    CHECK_EQUAL(pair.near->ops->send(pair.near, 1, slice_text("first")), 0);
    CHECK_EQUAL(pair.near->ops->send(pair.near, 1, slice_text("second")), 0);
    CHECK_EQUAL(inbox_take(&pair.there)->kind, NET_MESSAGE);
    /* An answer the other way is proof that nothing more came meanwhile: it is behind "second". */
    CHECK_EQUAL(pair.far->ops->send(pair.far, pair.far_link, slice_text("answer")), 0);
    CHECK_EQUAL(inbox_take(&pair.here)->kind, NET_MESSAGE);
    CHECK_EQUAL(pair.there.count, 2);
    pair.far->ops->ready(pair.far, pair.far_link);
    CHECK(slice_equal(buffer_slice(&inbox_take(&pair.there)->message), slice_text("second")));
    pair_close(&pair);
}

TEST(a_silent_peer_is_dropped_at_its_deadline)
{
    struct pair pair;
    struct net_event *event;

    pair_open(&pair, 50, 0);
    event = inbox_take(&pair.there);
    CHECK_EQUAL(event->kind, NET_DOWN);
    CHECK(strstr(event->reason, "deadline") != NULL);
    pair_close(&pair);
}

TEST(an_untrusted_peer_may_not_send_much)
{
    static uint8_t bytes[HELLO_SIZE_MAX + 1];
    struct pair pair;
    struct net_event *event;

    pair_open(&pair, 0, 0);
    CHECK_EQUAL(pair.near->ops->send(pair.near, 1, pattern(bytes, sizeof(bytes))), 0);
    event = inbox_take(&pair.there);
    CHECK_EQUAL(event->kind, NET_DOWN);
    CHECK(strstr(event->reason, "limit") != NULL);
    pair_close(&pair);
}

TEST(a_full_queue_is_busy_and_takes_nothing)
{
    static uint8_t bytes[1 << 20];
    struct pair pair;
    int error = 0;

    pair_open(&pair, 0, 2 << 20);
    pair.far->ops->trust(pair.far, pair.far_link);
    for (int i = 0; i < 64 && error == 0; i++)
        error = pair.near->ops->send(pair.near, 1, pattern(bytes, sizeof(bytes)));
    CHECK_EQUAL(error, NEAP_BUSY);
    CHECK_EQUAL(pair.near->ops->send(pair.near, 7, slice_text("x")), NEAP_NOTFOUND);
    pair_close(&pair);
}

TEST(closing_one_side_is_seen_by_the_other)
{
    struct pair pair;

    pair_open(&pair, 0, 0);
    pair.near->ops->close(pair.near, 1);
    CHECK_EQUAL(inbox_take(&pair.there)->kind, NET_DOWN);
    CHECK_EQUAL(pair.near->ops->send(pair.near, 1, slice_text("x")), NEAP_NOTFOUND);
    pair_close(&pair);
}

TEST(dialling_nobody_comes_back_as_down)
{
    struct net_nng_options options = {0};
    struct inbox inbox;
    struct net *net;

    inbox_init(&inbox);
    CHECK_EQUAL(net_nng_open(&options, &inbox.sink, &net, NULL), 0);
    CHECK_EQUAL(net->ops->dial(net, 3, "ipc:///nonexistent/neap.sock"), 0);
    CHECK_EQUAL(inbox_take(&inbox)->kind, NET_DOWN);
    CHECK_EQUAL(net->ops->dial(net, 4, "nonsense"), NEAP_INVALID);
    net->ops->stop(net);
    net->ops->free(net);
    inbox_done(&inbox);
}

TEST(listening_beyond_loopback_is_refused_with_what_to_do)
{
    struct net_nng_options options = {.listen = "tcp://0.0.0.0:7400"};
    struct neap_error error = {0};
    struct inbox inbox;
    struct net *net;

    inbox_init(&inbox);
    CHECK_EQUAL(net_nng_open(&options, &inbox.sink, &net, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "tls+tcp://HOST:PORT") && strstr(error.text, "neap init"));
    options.listen = "tls+tcp://127.0.0.1:0";
    CHECK_EQUAL(net_nng_open(&options, &inbox.sink, &net, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "neap join"));
    options = (struct net_nng_options){.clients = "tcp://192.0.2.1:7400"};
    CHECK_EQUAL(net_nng_open(&options, &inbox.sink, &net, &error), NEAP_REFUSED);
    CHECK(net_address_is_local("ipc:///run/x") && !net_address_is_local("tcp://10.0.0.1:1"));
    CHECK(!net_address_is_local("tcp://localhost.example.org:1"));
}

TEST(a_client_asks_and_is_answered)
{
    static uint8_t bytes[200000];
    char directory[] = "/tmp/neap-net-XXXXXX", path[64], address[80];
    struct inbox inbox;
    struct net *net;
    struct net_call *call;
    uint64_t link;
    struct asking asking;
    struct net_event *event;
    struct buffer reply;
    struct stat status;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/s", directory);
    snprintf(address, sizeof(address), "ipc://%s", path);
    inbox_init(&inbox);
    buffer_init(&reply, MESSAGE_SIZE_MAX);
    CHECK_EQUAL(
        net_nng_open(&(struct net_nng_options){.clients = address}, &inbox.sink, &net, NULL), 0);
    CHECK_EQUAL(stat(path, &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600);
    CHECK_EQUAL(net_call_open(address, NULL, 5000, &call, NULL), 0);
    event = inbox_take(&inbox);
    CHECK_EQUAL(event->side, NET_CLIENT);
    link = event->link;
    asking_start(&asking, call, "question");
    CHECK_SLICE(buffer_slice(&inbox_take(&inbox)->message), "question");
    CHECK_OK(net->ops->send(net, link, pattern(bytes, sizeof(bytes))));
    CHECK_OK(asking_end(&asking));
    CHECK(slice_equal(buffer_slice(&asking.reply), pattern(bytes, sizeof(bytes))));
    buffer_done(&asking.reply);
    net->ops->ready(net, link);
    /* No answer in time: it may have been done, and the connection is of no more use. */
    CHECK_EQUAL(net_call(call, slice_text("again"), 20, &reply), NEAP_UNCERTAIN);
    CHECK_EQUAL(net_call(call, slice_text("anew"), 20, &reply), NEAP_UNCERTAIN);
    do
        event = inbox_take(&inbox);
    while (event->kind != NET_MESSAGE ||
           slice_equal(buffer_slice(&event->message), slice_text("again")));
    CHECK_SLICE(buffer_slice(&event->message), "anew");
    CHECK(event->link != link);
    net->ops->stop(net);
    net->ops->free(net);
    CHECK_EQUAL(net_call(call, slice_text("nobody"), 5000, &reply), NEAP_UNAVAILABLE);
    net_call_close(call);
    inbox_done(&inbox);
    buffer_done(&reply);
    unlink(path);
    rmdir(directory);
}

/* What another user of this machine does, whom the socket's mode let through: 0 when he is let go
 * of without a word. */
static int knock(const char *path, bool let_in)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char byte;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || setuid(65534) || connect(fd, (struct sockaddr *)&address, sizeof address))
        return 1;
    return !let_in && read(fd, &byte, 1) > 0 ? 2 : 0;
}

/* A node's socket that is open to all by its mode, and somebody else who comes: was he let in? */
static void knocks(const struct net_users *users, bool let_in)
{
    char directory[] = "/tmp/neap-net-XXXXXX", path[64], address[80];
    struct net_nng_options options = {.clients = address, .mode = 0666, .users = *users};
    struct net_refused refused;
    struct inbox inbox;
    struct net *net;
    struct stat look;
    pid_t child;
    int status;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/s", directory);
    snprintf(address, sizeof(address), "ipc://%s", path);
    inbox_init(&inbox);
    CHECK_OK(net_nng_open(&options, &inbox.sink, &net, NULL));
    CHECK(!stat(path, &look));
    CHECK_EQUAL(look.st_mode & 0777, 0666);
    CHECK(!chmod(directory, 0755));
    child = fork();
    if (child == 0)
        _exit(knock(path, let_in));
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 0);
    if (let_in)
        CHECK_EQUAL(inbox_take(&inbox)->kind, NET_UP);
    CHECK_EQUAL(net_counted(net, "client_other_user"), !let_in);
    CHECK_EQUAL(net->ops->refused(net, 0, &refused), !let_in);
    if (!let_in)
        CHECK_TEXT(refused.from, "uid 65534");
    net->ops->stop(net);
    net->ops->free(net);
    inbox_done(&inbox);
    unlink(path);
    rmdir(directory);
}

TEST(another_user_is_not_served_whatever_the_mode_of_the_socket)
{
    static const uint32_t others[] = {1, 65533}, named[] = {1, 65534};

    if (geteuid() != 0) {
        print_message("# skipped: only root can be somebody else\n");
        return;
    }
    knocks(&(struct net_users){0}, false);
    knocks(&(struct net_users){.ids = others, .count = 2}, false);
    knocks(&(struct net_users){.ids = named, .count = 2}, true);
    knocks(&(struct net_users){.anybody = true}, true);
}

TEST(a_call_that_gets_no_turn_is_busy_and_harms_nobody)
{
    char directory[] = "/tmp/neap-net-XXXXXX", path[64], address[80];
    struct net_call *call;
    struct asking slow;
    struct inbox inbox;
    struct net *net;
    struct buffer reply;
    uint64_t link;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/s", directory);
    snprintf(address, sizeof(address), "ipc://%s", path);
    inbox_init(&inbox);
    buffer_init(&reply, MESSAGE_SIZE_MAX);
    CHECK_OK(net_nng_open(&(struct net_nng_options){.clients = address}, &inbox.sink, &net, NULL));
    CHECK_OK(net_call_open(address, NULL, 5000, &call, NULL));
    link = inbox_take(&inbox)->link;
    asking_start(&slow, call, "slow");
    CHECK_EQUAL(inbox_take(&inbox)->kind, NET_MESSAGE); /* the slow one has the connection */
    CHECK_EQUAL(net_call(call, slice_text("quick"), 20, &reply), NEAP_BUSY);
    CHECK_OK(net->ops->send(net, link, slice_text("answer")));
    CHECK_OK(asking_end(&slow));
    buffer_done(&slow.reply);
    net_call_close(call);
    net->ops->stop(net);
    net->ops->free(net);
    inbox_done(&inbox);
    buffer_done(&reply);
    unlink(path);
    rmdir(directory);
}

TEST(a_link_that_hangs_up_while_its_message_is_held_is_seen)
{
    struct pair pair;

    pair_open(&pair, 0, 0);
    CHECK_OK(pair.near->ops->send(pair.near, 1, slice_text("question")));
    CHECK_EQUAL(inbox_take(&pair.there)->kind, NET_MESSAGE);
    pair.near->ops->close(pair.near, 1);
    CHECK_EQUAL(inbox_take(&pair.there)->kind, NET_DOWN); /* and nobody said ready() */
    pair_close(&pair);
}

/* A byte now and then, until the other side says what it makes of them. */
TEST(a_message_that_is_long_in_coming_is_told_of)
{
    static const uint8_t bytes[FRAME_HEAD + 4000] = {0, 0, 4000 >> 8, 4000 & 255};
    size_t sent = FRAME_HEAD;
    struct net_event *event;
    struct pollfd waits = {.events = POLLIN};
    struct pair pair;

    pair_open(&pair, 0, 0);
    waits.fd = raw_connect(pair.far);
    event = inbox_take(&pair.there);
    CHECK_EQUAL(event->kind, NET_UP);
    pair.far->ops->trust(pair.far, event->link);
    CHECK_EQUAL(write(waits.fd, bytes, sent), (ssize_t)sent);
    for (; inbox_is_empty(&pair.there) && sent < sizeof bytes; sent++) {
        CHECK_EQUAL(write(waits.fd, bytes + sent, 1), 1);
        CHECK_EQUAL(poll(&waits, 1, PROGRESS_MS / 40), 0); /* nothing is answered */
    }
    event = inbox_take(&pair.there);
    CHECK_EQUAL(event->kind, NET_PROGRESS);
    CHECK(event->size > 0 && event->size <= sent - FRAME_HEAD);
    CHECK_EQUAL(write(waits.fd, bytes + sent, sizeof bytes - sent), (ssize_t)(sizeof bytes - sent));
    do
        event = inbox_take(&pair.there);
    while (event->kind == NET_PROGRESS);
    CHECK_EQUAL(event->kind, NET_MESSAGE);
    CHECK_EQUAL(event->message.size, sizeof bytes - FRAME_HEAD);
    close(waits.fd);
    pair_close(&pair);
}

TEST(a_net_that_stops_dials_no_more)
{
    struct net_nng_options options = {0};
    struct inbox inbox;
    struct net *net;

    inbox_init(&inbox);
    CHECK_OK(net_nng_open(&options, &inbox.sink, &net, NULL));
    net->ops->stop(net);
    CHECK_ERROR(net->ops->dial(net, 1, "tcp://127.0.0.1:1"), NEAP_UNAVAILABLE);
    net->ops->free(net);
    inbox_done(&inbox);
}
