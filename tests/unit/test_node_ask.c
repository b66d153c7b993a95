#include "engine/node_ask.h"

#include <jansson.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/node_pair.h"

enum { ROUNDS = 40 };

/* ---- asks ---- */

/* Holds the wheel of a node, from another thread. */
struct hold {
    struct node *node;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool holds, let_go;
    pthread_t thread;
};

static void hold_call(void *arg, struct engine *engine)
{
    struct hold *hold = arg;

    (void)engine;
    must(!pthread_mutex_lock(&hold->lock));
    hold->holds = true;
    must(!pthread_cond_broadcast(&hold->cond));
    while (!hold->let_go)
        must(!pthread_cond_wait(&hold->cond, &hold->lock));
    must(!pthread_mutex_unlock(&hold->lock));
}

static void *hold_main(void *arg)
{
    struct hold *hold = arg;

    must(!node_call(hold->node, hold_call, hold));
    return NULL;
}

static void hold_begin(struct hold *hold, struct node *node)
{
    *hold = (struct hold){
        .node = node, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    must(!pthread_create(&hold->thread, NULL, hold_main, hold));
    must(!pthread_mutex_lock(&hold->lock));
    while (!hold->holds)
        must(!pthread_cond_wait(&hold->cond, &hold->lock));
    must(!pthread_mutex_unlock(&hold->lock));
}

static void hold_end(struct hold *hold)
{
    must(!pthread_mutex_lock(&hold->lock));
    hold->let_go = true;
    must(!pthread_cond_broadcast(&hold->cond));
    must(!pthread_mutex_unlock(&hold->lock));
    must(!pthread_join(hold->thread, NULL));
}

static struct ask look_nowhere(void)
{
    return (struct ask){.kind = ASK_LOOK, .shard = bucket_id("nowhere")};
}

TEST(a_caller_asks_peers_and_sleeps_until_they_have_answered)
{
    struct pair pair;
    struct ask ask;

    pair_open(&pair);
    pair_meet(&pair);
    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        ask = look_nowhere();
        CHECK_OK(node_ask(pair.nodes[i % 2], &ask, TIMEOUT_MS, NULL));
        CHECK_EQUAL(ask.count, 1);
        CHECK_EQUAL(ask.answers[0].end, ASK_TOLD);
        CHECK_TEXT(ask.answers[0].address, names[!(i % 2)]);
        CHECK_ERROR(ask.answers[0].code, NEAP_NOTFOUND);
        ask_done(&ask);
    }
    pair_close(&pair);
}

TEST(a_peer_that_does_not_answer_in_time_is_told_as_silent)
{
    struct pair pair;
    struct hold hold;
    struct ask ask = look_nowhere();

    pair_open(&pair);
    pair_meet(&pair);
    hold_begin(&hold, pair.nodes[1]);
    CHECK_OK(node_ask(pair.nodes[0], &ask, 1, NULL));
    CHECK_EQUAL(ask.answers[0].end, ASK_SILENT);
    ask_done(&ask);
    hold_end(&hold);
    pair_close(&pair);
}

struct asker {
    struct node *node;
    int code;
    struct neap_error error;
};

static void *ask_main(void *arg)
{
    struct asker *asker = arg;
    struct ask ask = look_nowhere();

    must(!node_enter(asker->node));
    asker->code = node_ask(asker->node, &ask, TIMEOUT_MS, &asker->error);
    ask_done(&ask);
    node_leave(asker->node);
    return NULL;
}

static void asks_look(void *arg, struct engine *engine)
{
    *(size_t *)arg = gossip_asks(engine->gossip);
}

TEST(a_node_that_closes_ends_its_asks)
{
    struct pair pair;
    struct hold hold;
    struct asker asker = {0};
    pthread_t thread;
    size_t asks = 0;

    pair_open(&pair);
    pair_meet(&pair);
    hold_begin(&hold, pair.nodes[1]);
    asker.node = pair.nodes[0];
    must(!pthread_create(&thread, NULL, ask_main, &asker));
    while (!asks) {
        sched_yield();
        CHECK_OK(node_call(pair.nodes[0], asks_look, &asks));
    }
    pair.nodes[0]->backend.ops->close(&pair.nodes[0]->backend);
    must(!pthread_join(thread, NULL));
    CHECK_ERROR(asker.code, NEAP_UNAVAILABLE);
    CHECK_TEXT(asker.error.text, "the node is being closed");
    hold_end(&hold);
    pair.nodes[1]->backend.ops->close(&pair.nodes[1]->backend);
    hub_done(&pair.hub);
}

TEST(a_node_that_stops_ends_its_asks)
{
    struct pair pair;
    struct hold hold;
    struct asker asker = {0};
    pthread_t thread;
    size_t asks = 0;

    pair_open(&pair);
    pair_meet(&pair);
    hold_begin(&hold, pair.nodes[1]);
    asker.node = pair.nodes[0];
    must(!pthread_create(&thread, NULL, ask_main, &asker));
    while (!asks) {
        sched_yield();
        CHECK_OK(node_call(pair.nodes[0], asks_look, &asks));
    }
    disk_mem_fault(pair.disks[0], DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(add(pair.nodes[0], rig_add("a", "n", 1), NEAP_ONE, false, NULL), NEAP_IO);
    must(!pthread_join(thread, NULL));
    CHECK_ERROR(asker.code, NEAP_IO);
    CHECK(strstr(asker.error.text, "has stopped"));
    asker.code = 0;
    must(!pthread_create(&thread, NULL, ask_main, &asker));
    must(!pthread_join(thread, NULL));
    CHECK_ERROR(asker.code, NEAP_IO); /* later ones, too */
    hold_end(&hold);
    pair_close(&pair);
}

/* ---- explain ---- */

static int explain(struct node *node, const char *verb, const char *key, json_t **ret_json,
                   struct neap_error *error)
{
    const char *const words[] = {verb, "a", key, "any"};
    struct buffer text;
    int code;

    buffer_init(&text, 1 << 20);
    code = node->backend.ops->admin(&node->backend, 4, words, &text, error);
    if (!code)
        *ret_json = json_loadb((const char *)text.data, text.size, 0, NULL);
    buffer_done(&text);
    return code;
}

static json_int_t counted(json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

TEST(explain_asks_the_others)
{
    struct pair pair;
    struct neap_error error = {0};
    json_t *json = NULL;

    pair_open(&pair);
    pair_meet(&pair);
    CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 5), NEAP_ALL, false, NULL));
    CHECK_OK(explain(pair.nodes[1], "explain", "n", &json, &error));
    CHECK_EQUAL(json_array_size(json_object_get(json, "cells")), 1);
    CHECK_EQUAL(counted(json, "silent"), 0);
    CHECK_EQUAL(counted(json, "differing"), 0);
    json_decref(json);
    CHECK_OK(explain(pair.nodes[1], "diff", "n", &json, &error));
    CHECK_EQUAL(json_array_size(json_object_get(json, "cells")), 0);
    json_decref(json);
    CHECK_ERROR(explain(pair.nodes[1], "explain", "nothing", &json, &error), NEAP_NOTFOUND);
    isolate(pair.nodes[1], "on");
    CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 5), NEAP_ONE, false, NULL));
    CHECK_OK(explain(pair.nodes[0], "diff", "n", &json, &error));
    CHECK_EQUAL(counted(json, "silent"), 1);
    json_decref(json);
    pair_close(&pair);
}

TEST(explain_says_what_is_wrong_with_its_words)
{
    static const char *const wrong[][4] = {{"explain", "a"},
                                           {"explain", "a/b", "k"},
                                           {"explain", "a", ""},
                                           {"explain", "a", "k", "nonsense"}};
    struct pair pair;

    pair_open(&pair);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct neap_error error = {0};
        struct buffer text;
        int count = 0;

        while (count < 4 && wrong[i][count])
            count++;
        buffer_init(&text, 1 << 16);
        CHECK_ERROR(pair.nodes[0]->backend.ops->admin(&pair.nodes[0]->backend, count, wrong[i],
                                                      &text, &error),
                    NEAP_INVALID);
        CHECK(strstr(error.text, "explain: "));
        buffer_done(&text);
    }
    pair_close(&pair);
}
