#include "tools/rates.h"

#include <string.h>

#include "tests/support/test.h"

/* Of a node at some moment: text with ' for ". */
static struct sample sample_of(uint64_t mono_ms, const char *stats, const char *status)
{
    const char *texts[] = {stats, status};
    json_t *parsed[2];

    for (size_t i = 0; i < 2; i++) {
        char text[512];

        snprintf(text, sizeof text, "%s", texts[i]);
        for (char *at = text; *at; at++)
            if (*at == '\'')
                *at = '"';
        parsed[i] = json_loads(text, 0, NULL);
        CHECK(parsed[i]);
    }
    return (struct sample){parsed[0], parsed[1], 1000000 + mono_ms, mono_ms};
}

static const json_t *at(const json_t *json, const char *list, size_t index, const char *rate)
{
    const json_t *of = list ? json_array_get(json_object_get(json, list), index) : json;

    return json_object_get(json_object_get(of, "rates"), rate);
}

/* In tenths, as they are said to one decimal; -1: null. */
static int64_t tenths(const json_t *rate)
{
    CHECK(rate);
    return json_is_null(rate) ? -1 : (int64_t)(json_real_value(rate) * 10 + 0.5);
}

static const char status_a[] =
    "{'node':'a','bulk':{'bytes_given':0,'bytes_taken':10},"
    "'buckets':[{'id':'1','name':'shop','log':3,'counts':{'events_own':5,'events_taken':0}}],"
    "'peers':[{'address':'x','node':'b','lag':2,'connected':true,'pushes':1,'pulls':1}]}";
static const char status_b[] =
    "{'node':'a','bulk':{'bytes_given':500,'bytes_taken':10},"
    "'buckets':[{'id':'2','name':'new','log':1,'counts':{'events_own':9,'events_taken':9}},"
    "{'id':'1','name':'shop','log':4,'counts':{'events_own':6,'events_taken':40}}],"
    "'peers':[{'address':'x','node':'b','lag':0,'connected':true,'pushes':4,'pulls':1},"
    "{'address':'y','node':null,'lag':0,'connected':false,'pushes':7,'pulls':7}]}";

TEST(a_first_look_has_numbers_and_no_rates)
{
    struct sample now = sample_of(5, "{'turns':7,'writes':9,'log_entries':3}", status_a);
    json_t *look = rates_look(NULL, &now);

    CHECK(json_is_null(json_object_get(look, "over_ms")));
    CHECK_EQUAL(json_integer_value(json_object_get(look, "at_ms")), 1000005);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "writes")), -1);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "bytes_taken")), -1);
    CHECK_EQUAL(tenths(at(look, "buckets", 0, "events_own")), -1);
    CHECK_EQUAL(tenths(at(look, "peers", 0, "pushes")), -1);
    CHECK_EQUAL(
        json_integer_value(json_object_get(json_object_get(look, "numbers"), "log_entries")), 3);
    json_decref(look);
    sample_done(&now);
}

TEST(rates_are_differences_over_the_time_between)
{
    struct sample before = sample_of(1000, "{'turns':7,'writes':9,'syncs':2}", status_a);
    struct sample now = sample_of(1400, "{'turns':8,'writes':10,'syncs':2}", status_b);
    json_t *look = rates_look(&before, &now);

    CHECK_EQUAL(json_integer_value(json_object_get(look, "over_ms")), 400);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "writes")), 25);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "syncs")), 0);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "bytes_given")), 12500);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "bytes_taken")), 0);
    json_decref(look);
    now.mono_ms = 4000;
    look = rates_look(&before, &now);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "writes")), 3);
    json_decref(look);
    sample_done(&before);
    sample_done(&now);
}

/* Wherever they stand in their list; new ones have nothing to compare with. */
TEST(buckets_and_peers_are_compared_with_themselves)
{
    struct sample before = sample_of(0, "{'turns':7}", status_a);
    struct sample now = sample_of(2000, "{'turns':7}", status_b);
    json_t *look = rates_look(&before, &now);

    CHECK_EQUAL(tenths(at(look, "buckets", 0, "events_own")), -1);
    CHECK_EQUAL(tenths(at(look, "buckets", 1, "events_own")), 5);
    CHECK_EQUAL(tenths(at(look, "buckets", 1, "events_taken")), 200);
    CHECK_EQUAL(tenths(at(look, "peers", 0, "pushes")), 15);
    CHECK_EQUAL(tenths(at(look, "peers", 0, "pulls")), 0);
    CHECK_EQUAL(tenths(at(look, "peers", 1, "pushes")), -1);
    json_decref(look);
    sample_done(&before);
    sample_done(&now);
}

/* A node that was started again counts from 0: whatever is larger by now is no rate. */
TEST(a_start_in_between_leaves_no_rates)
{
    struct sample before = sample_of(0, "{'turns':7,'writes':1}", status_a);
    struct sample now = sample_of(1000, "{'turns':6,'writes':5}", status_b);
    json_t *look = rates_look(&before, &now);

    CHECK(json_is_null(json_object_get(look, "over_ms")));
    CHECK_EQUAL(tenths(at(look, NULL, 0, "writes")), -1);
    CHECK_EQUAL(tenths(at(look, "buckets", 1, "events_taken")), -1);
    json_decref(look);
    sample_done(&before);
    sample_done(&now);
}

TEST(what_goes_back_and_no_time_have_no_rate)
{
    struct sample before = sample_of(50, "{'turns':7,'writes':6,'syncs':1}", status_a);
    struct sample now = sample_of(60, "{'turns':7,'writes':5,'syncs':3}", status_a);
    json_t *look = rates_look(&before, &now);

    CHECK_EQUAL(tenths(at(look, NULL, 0, "writes")), -1);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "syncs")), 2000);
    json_decref(look);
    now.mono_ms = 50;
    look = rates_look(&before, &now);
    CHECK_EQUAL(tenths(at(look, NULL, 0, "syncs")), -1);
    json_decref(look);
    sample_done(&before);
    sample_done(&now);
}
