#include <stdio.h>
#include <string.h>

#include "tests/unit/node_pair.h"

static int ask(struct node *node, const char *verb, const char *word)
{
    struct buffer json;
    int code = admin(node, verb, word, &json);

    buffer_done(&json);
    return code;
}

static bool shows(struct node *node, const char *verb, const char *word, const char *text)
{
    struct buffer json;
    bool found;

    buffer_init(&json, 1 << 20);
    CHECK_OK(admin(node, verb, word, &json));
    CHECK_OK(buffer_append_u8(&json, 0));
    found = strstr((const char *)json.data, text);
    buffer_done(&json);
    return found;
}

/* Each try is a way there and back. */
static bool comes_to_show(struct pair *pair, unsigned index, const char *text)
{
    for (int i = 0; i < 1000; i++) {
        struct token token = {0};

        if (shows(pair->nodes[index], "peers", NULL, text))
            return true;
        CHECK_OK(add(pair->nodes[0], rig_add("a", "n", 1), NEAP_ALL, false, &token));
        token_done(&token);
    }
    return false;
}

TEST(peers_show_who_is_in_the_list)
{
    struct pair pair;

    pair_open_listed(&pair);
    pair_meet(&pair);
    CHECK(comes_to_show(&pair, 0, "\"name\":\"one\",\"zone\":\"south\""));
    CHECK(comes_to_show(&pair, 1, "\"name\":\"zero\",\"zone\":\"north\""));
    CHECK(shows(pair.nodes[0], "peers", NULL, "\"state\":\"alive\",\"connected\":true"));
    CHECK(shows(pair.nodes[0], "peers", NULL, "\"forgotten\":[]"));
    CHECK(shows(pair.nodes[1], "status", NULL, "\"zone\":\"south\""));
    pair_close(&pair);
}

TEST(who_is_there_is_neither_forgotten_nor_retired)
{
    struct pair pair;
    char own[17];

    pair_open_listed(&pair);
    pair_meet(&pair);
    CHECK(comes_to_show(&pair, 0, "\"name\":\"one\",\"zone\":\"south\""));
    snprintf(own, sizeof own, "%016llx",
             (unsigned long long)pair.nodes[0]->wheel.engine.store.identity.node);
    for (unsigned i = 0; i < 2; i++) {
        const char *verb = i ? "retire" : "forget";

        CHECK_ERROR(ask(pair.nodes[0], verb, "one"), NEAP_REFUSED);
        CHECK_ERROR(ask(pair.nodes[0], verb, own), NEAP_REFUSED);
        CHECK_ERROR(ask(pair.nodes[0], verb, "nobody"), NEAP_NOTFOUND);
        CHECK_ERROR(ask(pair.nodes[0], verb, "00000000000000ff"), NEAP_NOTFOUND);
        CHECK_ERROR(ask(pair.nodes[0], verb, NULL), NEAP_INVALID);
    }
    pair_close(&pair);
}

/* Another node's record, whoever that is. */
static void enlist_other(struct node *node, uint64_t id, const char *name)
{
    struct roster_row row = {.node = id, .weight = 100};
    struct write_op op = {.bucket = SYSTEM_BUCKET, .op.kind = OP_LWW_SET};
    struct write write = {.ops = &op, .count = 1, .system = true};
    struct buffer path, value;

    snprintf(row.name, sizeof row.name, "%s", name);
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&value, NEAP_VALUE_MAX);
    CHECK_OK(roster_path(ROSTER_MEMBERS, id, &path));
    CHECK_OK(roster_encode(&row, &value));
    op.path = buffer_slice(&path);
    op.op.value = buffer_slice(&value);
    CHECK_OK(node_run_write(node, &write, UINT64_MAX));
    token_done(&write.token);
    token_done(&write.awaited);
    buffer_done(&path);
    buffer_done(&value);
}

TEST(who_is_away_is_retired_and_forgotten_everywhere)
{
    struct pair pair;

    pair_open_listed(&pair);
    pair_meet(&pair);
    enlist_other(pair.nodes[0], 77, "gone");
    enlist_other(pair.nodes[0], 78, "twin");
    enlist_other(pair.nodes[0], 79, "twin");
    CHECK_ERROR(ask(pair.nodes[0], "forget", "twin"), NEAP_INVALID);
    CHECK_OK(ask(pair.nodes[0], "forget", "node/000000000000004e"));
    CHECK_OK(ask(pair.nodes[0], "forget", "twin")); /* the one that is left */
    CHECK_OK(ask(pair.nodes[0], "retire", "gone"));
    CHECK(shows(pair.nodes[0], "peers", NULL, "\"retired\":true"));
    CHECK_OK(ask(pair.nodes[0], "forget", "gone"));
    CHECK_OK(ask(pair.nodes[0], "forget", "000000000000004d")); /* again is fine */
    CHECK_ERROR(ask(pair.nodes[0], "retire", "000000000000004d"), NEAP_REFUSED);
    CHECK(!shows(pair.nodes[0], "peers", NULL, "\"retired\":true"));
    CHECK(comes_to_show(&pair, 1, "\"forgotten\":[{\"node\":\"000000000000004d\""));
    CHECK(shows(pair.nodes[1], "revoked", "list", "node/000000000000004d"));
    pair_close(&pair);
}
