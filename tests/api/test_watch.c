/* Watches: what changes in a bucket. */
#include "tests/api/both.h"

#include <stdio.h>
#include <string.h>

/* All that comes until nothing has: "{ a/f:set=x } b:gone ". */
static const char *told(struct neap_watch *watch)
{
    static char text[4000];
    struct neap_change change = {.size = sizeof change};
    size_t used = 0;
    int error;

    text[0] = 0;
    while (!(error = neap_watch_next(watch, &change, 1))) {
        if (change.kind >= NEAP_ALL_BEGIN) {
            CHECK(!change.at.key.size && !change.at.fields_count);
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     change.kind == NEAP_ALL_BEGIN ? "{ " : "} ");
            continue;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s", (int)change.at.key.size,
                                 (const char *)change.at.key.data);
        for (size_t i = 0; i < change.at.fields_count; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "/%.*s",
                                     (int)change.at.fields[i].size,
                                     (const char *)change.at.fields[i].data);
        if (change.item.name.size)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "[%.*s]",
                                 (int)change.item.name.size, (const char *)change.item.name.data);
        used += (size_t)snprintf(text + used, sizeof text - used, ":%s",
                                 neap_type_name(change.item.type));
        if (change.kind == NEAP_GONE)
            used += (size_t)snprintf(text + used, sizeof text - used, " gone ");
        else if (neap_type_holds(change.item.type) & NEAP_HOLDS_NUMBER)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "=%d ", (int)change.item.number);
        else
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "=%.*s ",
                                 (int)change.item.value.size, (const char *)change.item.value.data);
    }
    CHECK_ERROR(error, NEAP_END);
    return text;
}

BOTH(a_watch_tells_all_then_changes_and_goes_on_with_its_token)
{
    struct neap_bytes field = bytes_of("x");
    struct neap_place a = place_of("b", "a"), s = place_of("b", "s"), m = place_of("b", "m");
    struct neap_watch *watch;

    m.fields = &field;
    m.fields_count = 1;
    CHECK_OK(neap_lww_set(both->neap, &a, bytes_of("red"), NULL));
    CHECK_OK(neap_counter_add(both->neap, &m, 5, NULL));
    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_TEXT(told(watch), "{ a:lww=red m/x:counter=5 } ");
    CHECK_TEXT(told(watch), "");
    CHECK_OK(neap_set_add(both->neap, &s, bytes_of("one"), NULL));
    CHECK_OK(neap_lww_set(both->neap, &a, bytes_of("blue"), NULL));
    CHECK_TEXT(told(watch), "a:lww=blue s[one]:set= ");
    CHECK_OK(neap_watch_token(watch, &both->token));
    neap_watch_free(watch);
    CHECK_OK(neap_remove(both->neap, &s, NEAP_ANY, NULL));
    m.fields_count = 0;
    CHECK_OK(neap_remove(both->neap, &m, NEAP_MAP, NULL));
    both->call.resume = token_of(&both->token);
    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_TEXT(told(watch), "m/x:counter gone s[one]:set gone ");
    neap_watch_free(watch);
}

BOTH(a_watch_begins_after_what_was_read_or_written)
{
    struct neap_place a = place_of("b", "a");
    struct neap_watch *watch;

    both->call.ret_token = &both->token;
    CHECK_OK(neap_lww_set(both->neap, &a, bytes_of("red"), &both->call));
    both->call.ret_token = NULL;
    CHECK_OK(neap_counter_add(both->neap, &a, 2, NULL));
    both->call.after = token_of(&both->token);
    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_TEXT(told(watch), "a:counter=2 ");
    neap_watch_free(watch);
}

/* The token of a page that was not read to its end tells that page again. */
BOTH(what_was_not_taken_comes_again)
{
    struct neap_place a = place_of("b", "a"), b = place_of("b", "b");
    struct neap_change change = {.size = sizeof change};
    struct neap_watch *watch;

    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_TEXT(told(watch), "{ } ");
    CHECK_OK(neap_counter_add(both->neap, &a, 1, NULL));
    CHECK_OK(neap_counter_add(both->neap, &b, 1, NULL));
    CHECK_OK(neap_watch_next(watch, &change, 0));
    CHECK_OK(neap_watch_token(watch, &both->token));
    neap_watch_free(watch);
    both->call.resume = token_of(&both->token);
    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_TEXT(told(watch), "a:counter=1 b:counter=1 ");
    CHECK_OK(neap_watch_token(watch, &both->token));
    neap_watch_free(watch);
    both->call.resume = token_of(&both->token);
    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_TEXT(told(watch), "");
    neap_watch_free(watch);
}

BOTH(what_is_no_watch_is_refused)
{
    struct neap_change change = {.size = 0};
    struct neap_watch *watch = NULL;

    CHECK_ERROR(neap_watch(both->neap, "a/b", &both->call, &watch), NEAP_INVALID);
    CHECK_ERROR(neap_watch(both->neap, "_system", &both->call, &watch), NEAP_REFUSED);
    CHECK_ERROR(neap_watch(both->neap, "b", &both->call, NULL), NEAP_INVALID);
    both->call.resume = bytes_of("nonsense");
    CHECK_ERROR(neap_watch(both->neap, "b", &both->call, &watch), NEAP_INVALID);
    CHECK(strstr(both->error.text, "position of a watch"));
    both->call.resume = bytes_of("");
    CHECK_OK(neap_watch(both->neap, "b", &both->call, &watch));
    CHECK_ERROR(neap_watch_next(watch, &change, 1), NEAP_INVALID);
    CHECK_ERROR(neap_watch_next(watch, NULL, 1), NEAP_INVALID);
    CHECK_ERROR(neap_watch_next(NULL, &change, 1), NEAP_INVALID);
    CHECK_ERROR(neap_watch_token(watch, NULL), NEAP_INVALID);
    CHECK_OK(neap_watch_token(watch, &both->token));
    both->call.resume = token_of(&both->token);
    neap_watch_free(watch);
    CHECK_ERROR(neap_watch(both->neap, "c", &both->call, &watch), NEAP_STALE);
    neap_watch_free(NULL);
}
