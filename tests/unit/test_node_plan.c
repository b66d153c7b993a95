/* The verbs ring and plan, from words to the system's bucket and back. */
#include "engine/node_plan.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "gossip/ring_track.h"
#include "tests/unit/node_pair.h"

#define A "00000000000000a1"
#define B "00000000000000b2"
#define C "00000000000000c3"

/* Words with blanks between them; the answer, or NULL with *ret_code. */
static json_t *say(struct node *node, const char *words, int *ret_code)
{
    struct neap_error error;
    const char *argv[16];
    struct buffer json;
    json_t *answer = NULL;
    char text[256];
    int argc = 0;

    snprintf(text, sizeof text, "%s", words);
    for (char *save, *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    buffer_init(&json, 1 << 22);
    *ret_code = node->backend.ops->admin(&node->backend, argc, argv, &json, &error);
    if (!*ret_code) {
        answer = json_loadb((const char *)json.data, json.size, 0, NULL);
        CHECK(answer);
    }
    buffer_done(&json);
    return answer;
}

static int code_of(struct node *node, const char *words)
{
    int code;

    json_decref(say(node, words, &code));
    return code;
}

static json_int_t number(struct node *node, const char *words, const char *name)
{
    int code;
    json_t *json = say(node, words, &code);
    json_int_t found;

    CHECK_OK(code);
    CHECK(json_is_integer(json_object_get(json, name)));
    found = json_integer_value(json_object_get(json, name));
    json_decref(json);
    return found;
}

/* As `plan show` says that it is to be committed. */
static int commit_shown(struct node *node)
{
    char words[80];
    int code;
    json_t *json = say(node, "plan show main", &code);

    CHECK_OK(code);
    snprintf(words, sizeof words, "plan commit main %s",
             json_string_value(json_object_get(json, "id")));
    json_decref(json);
    return code_of(node, words);
}

static void open_with_ring(struct pair *pair)
{
    pair_init(pair);
    pair_open(pair);
    CHECK_OK(code_of(pair->nodes[0], "plan create main 2 16"));
    CHECK_OK(code_of(pair->nodes[0], "plan join main " A " left"));
    CHECK_OK(code_of(pair->nodes[0], "plan join main " B " right 50"));
}

TEST(a_ring_is_planned_shown_and_committed)
{
    struct pair pair;
    struct node *node;
    int code;
    json_t *json, *item;

    open_with_ring(&pair);
    node = pair.nodes[0];
    CHECK_EQUAL(code_of(node, "ring main"), NEAP_NOTFOUND);
    json = say(node, "plan show main", &code);
    CHECK_OK(code);
    CHECK_EQUAL(json_array_size(json_object_get(json, "changes")), 3);
    CHECK_EQUAL(json_array_size(json_object_get(json, "nodes")), 2);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "moves")), 32);
    json_decref(json);
    CHECK_EQUAL(code_of(node, "plan commit main 2"), NEAP_REFUSED);
    CHECK_EQUAL(code_of(node, "plan commit main 1-00000000"), NEAP_REFUSED);
    CHECK_EQUAL(code_of(node, "plan commit main 11"), NEAP_REFUSED);
    CHECK_OK(code_of(node, "plan commit main 1"));
    CHECK_EQUAL(code_of(node, "plan show main"), NEAP_REFUSED); /* it was taken */
    CHECK_EQUAL(number(node, "ring main", "version"), 1);
    json = say(node, "ring main key orders@main 17", &code);
    CHECK_OK(code);
    CHECK_EQUAL(json_array_size(json_object_get(json, "owners")), 2);
    json_decref(json);
    CHECK_EQUAL(code_of(node, "ring main key orders 17"), NEAP_INVALID);
    CHECK_EQUAL(code_of(node, "ring main key orders@other 17"), NEAP_INVALID);
    json = say(node, "ring main slots", &code);
    CHECK_EQUAL(json_array_size(json_object_get(json, "slots")), 16);
    item = json_array_get(json_object_get(json, "slots"), 3);
    CHECK_TEXT(json_string_value(json_object_get(item, "shard")), "@main/3");
    json_decref(json);
    json = say(node, "ring", &code);
    CHECK_EQUAL(json_array_size(json_object_get(json, "rings")), 1);
    json_decref(json);
    pair_close(&pair);
}

TEST(a_move_shows_who_holds_it_back_and_a_node_can_be_left_out)
{
    struct pair pair;
    struct node *node;
    int code;
    json_t *json, *layouts;

    open_with_ring(&pair);
    node = pair.nodes[0];
    CHECK_EQUAL(code_of(node, "plan skip main " A), NEAP_REFUSED);
    CHECK_OK(commit_shown(node));
    CHECK_EQUAL(code_of(node, "plan skip main " A), NEAP_REFUSED);
    CHECK_OK(code_of(node, "plan replace main " B " " C));
    CHECK_EQUAL(number(node, "plan show main", "moves"), 16);
    CHECK_OK(commit_shown(node));
    json = say(node, "ring main", &code);
    layouts = json_object_get(json, "layouts");
    CHECK_EQUAL(json_array_size(layouts), 2);
    CHECK(json_is_true(json_object_get(json_array_get(layouts, 0), "read")));
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(layouts, 1), "waits_for")), A);
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(layouts, 1), "to")), "count");
    CHECK_EQUAL(json_array_size(json_object_get(json, "nodes")), 3); /* B is leaving */
    json_decref(json);
    CHECK_OK(code_of(node, "plan skip main " A));
    json = say(node, "ring main", &code);
    layouts = json_object_get(json, "layouts");
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(layouts, 1), "waits_for")), B);
    json_decref(json);
    pair_close(&pair);
}

/* Both sides commit a second version; each takes the other's when they meet, one wins. */
TEST(of_two_commits_on_both_sides_one_wins_everywhere)
{
    struct token token = {0};
    struct pair pair;
    bool met = false;
    json_int_t superseded[2] = {0};
    char winner[2][32];

    open_with_ring(&pair);
    CHECK_OK(commit_shown(pair.nodes[0]));
    pair_meet(&pair);
    isolate(pair.nodes[1], "on");
    CHECK_OK(code_of(pair.nodes[0], "plan weight main " A " 70"));
    CHECK_OK(code_of(pair.nodes[1], "plan weight main " A " 90"));
    CHECK_OK(commit_shown(pair.nodes[0]));
    CHECK_OK(commit_shown(pair.nodes[1]));
    isolate(pair.nodes[1], "off");
    pair_meet(&pair);
    for (int i = 0; i < 1000 && !met; i++) { /* each is a way there and back */
        met = true;
        CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 1), NEAP_ALL, false, &token));
        token_done(&token);
        for (unsigned n = 0; n < 2; n++) {
            int code;
            json_t *json = say(pair.nodes[n], "ring main", &code), *layout;
            size_t k;

            CHECK_OK(code);
            met = met && json_array_size(json_object_get(json, "layouts")) == 3;
            superseded[n] = 0;
            json_array_foreach(json_object_get(json, "layouts"), k, layout)
            {
                superseded[n] += json_is_true(json_object_get(layout, "superseded"));
                snprintf(winner[n], sizeof winner[n], "%s",
                         json_string_value(json_object_get(layout, "id")));
            }
            json_decref(json);
        }
    }
    CHECK(met);
    CHECK_EQUAL(superseded[0], 1);
    CHECK_EQUAL(superseded[1], 1);
    CHECK_TEXT(winner[0], winner[1]);
    /* The next one comes after the winner. */
    CHECK_OK(code_of(pair.nodes[1], "plan join main " C));
    CHECK_EQUAL(number(pair.nodes[1], "plan show main", "version"), 3);
    pair_close(&pair);
}

TEST(what_is_staged_can_be_taken_back)
{
    struct pair pair;
    struct node *node;

    open_with_ring(&pair);
    node = pair.nodes[0];
    CHECK_EQUAL(number(node, "plan clear main " B, "staged"), 2);
    CHECK_EQUAL(code_of(node, "plan clear main " B), NEAP_NOTFOUND);
    CHECK_EQUAL(number(node, "plan clear main", "staged"), 0);
    CHECK_EQUAL(code_of(node, "plan show main"), NEAP_REFUSED);
    CHECK_EQUAL(number(node, "plan clear main", "staged"), 0);
    pair_close(&pair);
}

TEST(words_that_are_no_plan_change_nothing)
{
    static const char *const bad[] = {"plan",
                                      "plan create",
                                      "plan make main",
                                      "plan show Main",
                                      "plan create main 2",
                                      "plan create main 2 15",
                                      "plan create main x 16",
                                      "plan create main 2 16 1",
                                      "plan join main a1",
                                      "plan join main 0000000000000000",
                                      "plan join main " C " zone/1",
                                      "plan join main " C " z -1",
                                      "plan join main " C " z 1x",
                                      "plan leave main " A " " B,
                                      "plan replace main " A,
                                      "plan weight main " A,
                                      "plan commit main",
                                      "plan skip main",
                                      "ring main slots 1",
                                      "ring main what"};
    struct pair pair;

    open_with_ring(&pair);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(code_of(pair.nodes[0], bad[i]) == NEAP_INVALID || strstr(bad[i], "ring main"));
    CHECK_EQUAL(number(pair.nodes[0], "plan join main " A " left", "staged"), 3);
    pair_close(&pair);
}
