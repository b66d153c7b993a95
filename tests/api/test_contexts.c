/* What a client saw at one node, it removes or replaces at another: that, and nothing else. Of two
 * nodes A and B; A is a handle in this process, B the client of one by the whole protocol. */
#include <stdio.h>
#include <string.h>

#include "engine/api.h"
#include "tests/api/both.h"
#include "tests/support/loopback.h"
#include "tests/unit/node_pair.h"

enum { LONG_MS = 60000, SHORT_MS = 1, TEXT_SIZE = 256 };

struct two {
    struct pair pair;
    struct loopback line;
    struct neap *a, *b;
    struct neap_buffer seen, written; /* tokens */
};

static void two_open(struct two *two)
{
    *two = (struct two){0};
    pair_open(&two->pair);
    pair_meet(&two->pair);
    CHECK_OK(api_new(&two->pair.nodes[0]->backend, 0, &two->a));
    loopback_init(&two->line, &two->pair.nodes[1]->backend);
    CHECK_OK(loopback_open(&two->line, &two->b, NULL));
}

static void two_close(struct two *two)
{
    struct backend *b = two->line.backend;

    neap_buffer_free(&two->seen);
    neap_buffer_free(&two->written);
    neap_close(two->b);
    b->ops->close(b);
    neap_close(two->a); /* with its node */
    hub_done(&two->pair.hub);
}

static void wait_for(struct neap *neap, const struct neap_buffer *token)
{
    struct neap_call call = {.size = sizeof call, .timeout_ms = LONG_MS};

    CHECK_OK(neap_wait(neap, token_of(token), &call));
}

/* ---- one object of any type ---- */

static const struct row {
    enum neap_type type;
    struct neap_item first, second; /* what is written before and after the look at it */
    const char *left;               /* when what was seen has been removed */
} rows[] = {
    {NEAP_REGISTER, {.value = {"one", 3}}, {.value = {"two", 3}}, "two 0;"},
    {NEAP_LWW, {.value = {"one", 3}}, {.value = {"two", 3}}, "two 0;"},
    {NEAP_FLAG, {.number = 1}, {.number = 1}, " 1;"},
    /* What a node has added is one number. */
    {NEAP_COUNTER, {.number = 5}, {.number = 3}, " 8;"},
    {NEAP_SET, {.name = {"one", 3}}, {.name = {"two", 3}}, "two 0;"},
    {NEAP_MAX, {.number = 5}, {.number = 7}, " 7;"},
    {NEAP_MIN, {.number = 5}, {.number = 3}, " 3;"},
    {NEAP_FLAG_DW, {.number = 1}, {.number = 1}, " 1;"},
    {NEAP_COUNTER_EXACT, {.number = 5}, {.number = 3}, " 3;"},
    {NEAP_SET_RW, {.name = {"one", 3}}, {.name = {"two", 3}}, "two 0;"},
    {NEAP_SCORES, {.name = {"one", 3}, .number = 5}, {.name = {"two", 3}, .number = 3}, "two 3;"},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Names or values, and numbers. */
static void values_into(struct neap *neap, const struct neap_place *at, enum neap_type type,
                        char ret_text[TEXT_SIZE])
{
    struct neap_item item;
    struct neap_iter *iter;
    size_t used = 0;
    int error;

    CHECK_OK(neap_values(neap, at, type, NULL, &iter));
    ret_text[0] = 0;
    while (!(error = neap_next(iter, &item, 0)))
        used += (size_t)snprintf(
            ret_text + used, TEXT_SIZE - used, "%.*s%.*s %lld;", (int)item.name.size,
            item.name.size ? (const char *)item.name.data : "", (int)item.value.size,
            item.value.size ? (const char *)item.value.data : "", (long long)item.number);
    CHECK_ERROR(error, NEAP_END);
    neap_iter_free(iter);
}

static void check_values(struct neap *neap, const struct neap_place *at, enum neap_type type,
                         const char *expected)
{
    char text[TEXT_SIZE];

    values_into(neap, at, type, text);
    if (strcmp(text, expected) != 0)
        test_failed(__FILE__, __LINE__, "%s: \"%s\", but \"%s\" was expected", neap_type_name(type),
                    text, expected);
}

static void put(struct neap *neap, const struct neap_place *at, enum neap_type type,
                const struct neap_item *item, struct neap_buffer *ret_token)
{
    struct neap_call call = {.size = sizeof call, .ret_token = ret_token};

    CHECK_OK(neap_put(neap, at, type, item, &call));
}

/* Each way to read it. */
enum look { LOOK_VALUES, LOOK_COUNT, LOOK_KEYS, LOOK_OWN, LOOKS };

static int look_own(struct neap *neap, const struct neap_place *at, enum neap_type type,
                    const struct neap_call *call)
{
    struct neap_buffer value = {0};
    struct neap_iter *iter = NULL;
    int64_t number;
    int is, error;

    switch ((unsigned)type) {
    case NEAP_LWW:
        error = neap_lww_get(neap, at, &value, call);
        neap_buffer_free(&value);
        return error;
    case NEAP_FLAG:
        return neap_flag_get(neap, at, &is, call);
    case NEAP_COUNTER:
        return neap_counter_get(neap, at, &number, call);
    case NEAP_SET:
        return neap_set_has(neap, at, bytes_of("one"), &is, call);
    case NEAP_MAX:
        return neap_max_get(neap, at, &number, call);
    case NEAP_MIN:
        return neap_min_get(neap, at, &number, call);
    case NEAP_FLAG_DW:
        return neap_flag_dw_get(neap, at, &is, call);
    case NEAP_COUNTER_EXACT:
        return neap_counter_exact_get(neap, at, &number, call);
    case NEAP_SCORES:
        return neap_score_get(neap, at, bytes_of("one"), &number, call);
    case NEAP_SET_RW:
        return neap_set_rw_has(neap, at, bytes_of("one"), &is, call);
    default:
        error = neap_register_values(neap, at, call, &iter);
        neap_iter_free(iter);
        return error;
    }
}

static void look(struct neap *neap, const struct neap_place *at, enum neap_type type, enum look how,
                 struct neap_buffer *ret_token)
{
    struct neap_call call = {.size = sizeof call, .ret_token = ret_token};
    struct neap_iter *iter = NULL;
    uint64_t count;

    switch (how) {
    case LOOK_VALUES:
        CHECK_OK(neap_values(neap, at, type, &call, &iter));
        break;
    case LOOK_COUNT:
        CHECK_OK(neap_count(neap, at, type, &count, &call));
        break;
    case LOOK_KEYS:
        CHECK_OK(neap_keys(neap, at->bucket, bytes_of(""), &call, &iter));
        break;
    case LOOK_OWN:
    case LOOKS:
        CHECK_OK(look_own(neap, at, type, &call));
        break;
    }
    neap_iter_free(iter);
}

static int remove_seen(struct two *two, const struct neap_place *at, enum neap_type type, int after,
                       uint32_t timeout_ms)
{
    struct neap_call call = {.size = sizeof call,
                             .seen = token_of(&two->seen),
                             .ret_token = &two->written,
                             .timeout_ms = timeout_ms};

    if (after)
        call.after = call.seen;
    return neap_remove(two->b, at, type, &call);
}

static void removal_check(struct two *two, const struct row *row, enum look how)
{
    struct neap_place at;
    char bucket[16];

    snprintf(bucket, sizeof bucket, "b%u-%u", (unsigned)row->type, (unsigned)how);
    at = place_of(bucket, "k");
    put(two->a, &at, row->type, &row->first, NULL);
    look(two->a, &at, row->type, how, &two->seen);
    put(two->a, &at, row->type, &row->second, &two->written);
    wait_for(two->b, &two->written);
    CHECK_OK(remove_seen(two, &at, row->type, false, LONG_MS));
    check_values(two->b, &at, row->type, row->left);
    wait_for(two->a, &two->written);
    check_values(two->a, &at, row->type, row->left);
}

TEST(what_was_seen_at_one_node_is_removed_at_another_and_nothing_else)
{
    struct two two;

    two_open(&two);
    for (size_t i = 0; i < ROWS; i++)
        for (unsigned how = 0; how < LOOKS; how++)
            removal_check(&two, &rows[i], (enum look)how);
    two_close(&two);
}

/* ---- what is not there yet ---- */

static void isolate_b(struct two *two, const char *word)
{
    const char *words[] = {"isolate", word};
    struct neap_buffer json = {0};

    CHECK_OK(neap_admin(two->b, 2, words, &json, NULL));
    neap_buffer_free(&json);
}

/* Without call.after it stays when it comes; with it, whoever has not got it says so. */
static void early_check(struct two *two, const struct row *row)
{
    struct neap_place at;
    char bucket[16], text[TEXT_SIZE];

    snprintf(bucket, sizeof bucket, "e%u", (unsigned)row->type);
    at = place_of(bucket, "k");
    isolate_b(two, "on");
    put(two->a, &at, row->type, &row->first, NULL);
    look(two->a, &at, row->type, LOOK_VALUES, &two->seen);
    values_into(two->a, &at, row->type, text);
    CHECK_OK(remove_seen(two, &at, row->type, false, LONG_MS));
    CHECK_ERROR(remove_seen(two, &at, row->type, true, SHORT_MS), NEAP_UNAVAILABLE);
    isolate_b(two, "off");
    wait_for(two->b, &two->seen);
    check_values(two->b, &at, row->type, text);
    CHECK_OK(remove_seen(two, &at, row->type, true, LONG_MS));
    check_values(two->b, &at, row->type, "");
    wait_for(two->a, &two->written);
    check_values(two->a, &at, row->type, "");
}

TEST(what_was_seen_and_is_not_here_yet_is_waited_for_if_asked)
{
    struct two two;

    two_open(&two);
    for (size_t i = 0; i < ROWS; i++)
        early_check(&two, &rows[i]);
    two_close(&two);
}

/* ---- writes that are asked again ---- */

/* The write needed nobody else, its repeat does: then others must have what the write made. */
TEST(a_repeat_waits_for_its_own_level)
{
    struct neap_place at = place_of("b", "k");
    struct neap_call call = {.size = sizeof call, .once = bytes_of("an id")};
    int64_t number = 0;
    struct two two;

    two_open(&two);
    CHECK_OK(neap_counter_add(two.b, &at, 1, NULL));
    isolate_b(&two, "on");
    CHECK_OK(neap_counter_add(two.b, &at, 5, &call));
    call.level = NEAP_ALL;
    call.timeout_ms = SHORT_MS;
    CHECK_ERROR(neap_counter_add(two.b, &at, 5, &call), NEAP_UNCERTAIN);
    isolate_b(&two, "off");
    call.timeout_ms = LONG_MS;
    CHECK_OK(neap_counter_add(two.b, &at, 5, &call));
    CHECK_OK(neap_counter_get(two.a, &at, &number, NULL));
    CHECK_EQUAL(number, 6);
    two_close(&two);
}

/* An id of the caller is a new one there; one that a node gave is refused. */
TEST(another_node_does_not_know_what_was_done_and_says_so)
{
    struct neap_place at = place_of("b", "k");
    struct neap_call call = {.size = sizeof call, .once = bytes_of("an id")};
    int64_t number = 0;
    struct two two;

    two_open(&two);
    CHECK_OK(neap_counter_add(two.b, &at, 5, &call));
    CHECK_OK(neap_counter_add(two.a, &at, 5, &call));
    CHECK_OK(neap_once(two.b, &two.seen, NULL));
    call.once = token_of(&two.seen);
    call.ret_token = &two.written;
    CHECK_OK(neap_counter_add(two.b, &at, 5, &call));
    call.ret_token = NULL;
    CHECK_ERROR(neap_counter_add(two.a, &at, 5, &call), NEAP_STALE);
    wait_for(two.a, &two.written);
    CHECK_ERROR(neap_counter_add(two.a, &at, 5, &call), NEAP_STALE);
    CHECK_OK(neap_counter_get(two.a, &at, &number, NULL));
    CHECK_EQUAL(number, 15);
    two_close(&two);
}

/* ---- writes that act on what was seen ---- */

/* Its token goes to two->seen, when all of it is at B. */
static void write_twice(struct two *two, const struct neap_place *at, const struct row *row)
{
    put(two->a, at, row->type, &row->first, NULL);
    look(two->a, at, row->type, LOOK_VALUES, &two->seen);
    put(two->a, at, row->type, &row->second, &two->written);
    wait_for(two->b, &two->written);
}

static void check_both(struct two *two, const struct neap_place *at, enum neap_type type,
                       const char *expected)
{
    wait_for(two->a, &two->written);
    check_values(two->a, at, type, expected);
    check_values(two->b, at, type, expected);
}

/* In the order of replica ids, which are drawn. */
static void check_siblings(struct neap *neap, const struct neap_place *at)
{
    char text[TEXT_SIZE];

    values_into(neap, at, NEAP_REGISTER, text);
    if (strcmp(text, "two 0;three 0;") != 0)
        CHECK_TEXT(text, "three 0;two 0;");
}

TEST(a_write_at_another_node_replaces_what_was_seen)
{
    struct neap_place at = place_of("b", "k");
    /* Added again, not another one. */
    static const struct row set = {
        .type = NEAP_SET, .first = {.name = {"one", 3}}, .second = {.name = {"one", 3}}};
    struct neap_call call = {.size = sizeof call, .timeout_ms = LONG_MS};
    struct two two;

    two_open(&two);
    call.ret_token = &two.written;
    write_twice(&two, &at, &rows[0]);
    call.seen = token_of(&two.seen);
    CHECK_OK(neap_register_set(two.b, &at, bytes_of("three"), &call));
    wait_for(two.a, &two.written);
    check_siblings(two.a, &at);
    check_siblings(two.b, &at);
    write_twice(&two, &at, &rows[2]);
    call.seen = token_of(&two.seen);
    CHECK_OK(neap_flag_set(two.b, &at, 0, &call));
    check_both(&two, &at, NEAP_FLAG, " 1;");
    look(two.b, &at, NEAP_FLAG, LOOK_OWN, &two.seen);
    call.seen = token_of(&two.seen);
    CHECK_OK(neap_flag_set(two.b, &at, 0, &call));
    check_both(&two, &at, NEAP_FLAG, "");
    write_twice(&two, &at, &set);
    call.seen = token_of(&two.seen);
    CHECK_OK(neap_set_remove(two.b, &at, bytes_of("one"), &call));
    check_both(&two, &at, NEAP_SET, "one 0;");
    look(two.a, &at, NEAP_SET, LOOK_OWN, &two.seen);
    call.seen = token_of(&two.seen);
    CHECK_OK(neap_set_remove(two.b, &at, bytes_of("one"), &call));
    check_both(&two, &at, NEAP_SET, "");
    two_close(&two);
}

/* A map: fields that were seen go, the one that was written again and the new one stay. */
TEST(a_map_is_removed_as_far_as_it_was_seen)
{
    static const struct neap_item one = {.value = {"one", 3}}, two_item = {.value = {"two", 3}};
    struct neap_bytes name = bytes_of("f");
    struct neap_place map = place_of("b", "k"), field = {"b", bytes_of("k"), &name, 1};
    struct neap_iter *iter;
    struct neap_item item;
    struct two two;

    two_open(&two);
    for (const char *each = "fgh"; *each; each++) {
        name = (struct neap_bytes){each, 1};
        put(two.a, &field, NEAP_LWW, &one, NULL);
    }
    look(two.a, &map, NEAP_MAP, LOOK_COUNT, &two.seen);
    for (const char *each = "hi"; *each; each++) {
        name = (struct neap_bytes){each, 1};
        put(two.a, &field, NEAP_LWW, &two_item, &two.written);
    }
    wait_for(two.b, &two.written);
    CHECK_OK(remove_seen(&two, &map, NEAP_MAP, false, LONG_MS));
    wait_for(two.a, &two.written);
    CHECK_OK(neap_items(two.a, &map, NEAP_MAP, bytes_of(""), NULL, &iter));
    for (const char *each = "hi"; *each; each++) {
        CHECK_OK(neap_next(iter, &item, 0));
        CHECK(item.name.size == 1 && !memcmp(item.name.data, each, 1));
    }
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
    two_close(&two);
}
