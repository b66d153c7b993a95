#include "tests/unit/net_pair.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/test.h"

static void inbox_post(struct net_sink *sink, struct net_event *event)
{
    struct inbox *inbox = (struct inbox *)sink;

    pthread_mutex_lock(&inbox->mutex);
    if (inbox->count < EVENTS_MAX)
        inbox->events[inbox->count++] = *event;
    else
        net_event_done(event);
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->mutex);
}

void inbox_init(struct inbox *inbox)
{
    memset(inbox, 0, sizeof(*inbox));
    inbox->sink.post = inbox_post;
    pthread_mutex_init(&inbox->mutex, NULL);
    pthread_cond_init(&inbox->changed, NULL);
}

struct net_event *inbox_take(struct inbox *inbox)
{
    struct net_event *event;

    pthread_mutex_lock(&inbox->mutex);
    while (inbox->taken == inbox->count)
        pthread_cond_wait(&inbox->changed, &inbox->mutex);
    event = &inbox->events[inbox->taken++];
    pthread_mutex_unlock(&inbox->mutex);
    return event;
}

bool inbox_is_empty(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    bool empty = inbox->taken == inbox->count;
    pthread_mutex_unlock(&inbox->mutex);
    return empty;
}

void inbox_done(struct inbox *inbox)
{
    for (unsigned i = 0; i < inbox->count; i++)
        net_event_done(&inbox->events[i]);
}

void pair_listen(struct pair *pair, const struct net_nng_options *near,
                 const struct net_nng_options *far)
{
    struct net_nng_options listen = *far;
    const char *scheme = far->credentials ? "tls+" : "";

    inbox_init(&pair->here);
    inbox_init(&pair->there);
    listen.listen = far->credentials ? "tls+tcp://127.0.0.1:0" : "tcp://127.0.0.1:0";
    CHECK_EQUAL(net_nng_open(&listen, &pair->there.sink, &pair->far, NULL), 0);
    CHECK_EQUAL(net_nng_open(near, &pair->here.sink, &pair->near, NULL), 0);
    snprintf(pair->address, sizeof(pair->address), "%stcp://127.0.0.1:%d", scheme,
             net_nng_port(pair->far));
}

void pair_dial(struct pair *pair)
{
    CHECK_EQUAL(pair->near->ops->dial(pair->near, 1, pair->address), 0);
    CHECK_EQUAL(inbox_take(&pair->here)->kind, NET_UP);
    pair->far_link = inbox_take(&pair->there)->link;
    CHECK(pair->far_link >= NET_ACCEPTED);
}

void pair_open(struct pair *pair, uint32_t handshake_ms, size_t queue_max)
{
    pair_listen(pair, &(struct net_nng_options){.queue_max = queue_max},
                &(struct net_nng_options){.handshake_ms = handshake_ms, .queue_max = queue_max});
    pair_dial(pair);
}

void pair_close(struct pair *pair)
{
    pair->near->ops->stop(pair->near);
    pair->far->ops->stop(pair->far);
    pair->near->ops->free(pair->near);
    pair->far->ops->free(pair->far);
    inbox_done(&pair->here);
    inbox_done(&pair->there);
}

struct slice pattern(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    return slice_of(bytes, size);
}

int raw_connect(struct net *net)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_port = htons((uint16_t)net_nng_port(net));
    CHECK(raw >= 0);
    CHECK_EQUAL(connect(raw, (struct sockaddr *)&address, sizeof address), 0);
    return raw;
}

uint64_t net_counted(struct net *net, const char *name)
{
    const char *found;
    uint64_t count;

    for (size_t i = 0; net->ops->count(net, i, &found, &count); i++)
        if (!strcmp(found, name))
            return count;
    test_failed(__FILE__, __LINE__, "nothing is counted as %s", name);
}

static void *asking_main(void *arg)
{
    struct asking *asking = arg;

    asking->error = net_call(asking->call, slice_text(asking->question), 60000, &asking->reply);
    return NULL;
}

void asking_start(struct asking *asking, struct net_call *call, const char *question)
{
    *asking = (struct asking){.call = call, .question = question};
    buffer_init(&asking->reply, MESSAGE_SIZE_MAX);
    must(!pthread_create(&asking->thread, NULL, asking_main, asking));
}

int asking_end(struct asking *asking)
{
    must(!pthread_join(asking->thread, NULL));
    return asking->error;
}
