#include "engine/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/rig.h"

static const struct doctor_facts well = {.wall_ms = 1000000,
                                         .disk_free = (uint64_t)30 << 30,
                                         .disk_total = (uint64_t)100 << 30,
                                         .files_used = 10,
                                         .files_max = 1024,
                                         .log_max = 1000,
                                         .clock_seen = 1000000,
                                         .scrubs = true};

/* A node that is well: one peer, one bucket. */
static const char sound[] =
    "{\"path\": \"/d\", \"stopped\": null, \"suspect\": false, \"isolated\": false, \"readonly\": "
    "false, \"unsynced\": false, \"certificate\": null, \"refused\": [], \"net_events_dropped\": "
    "0, \"links\": {\"silent\": 3}, \"buckets\": [{\"name\": \"shop\", \"ids\": 3, \"ids_max\": "
    "1024, \"log\": 10, \"confirmed\": true, \"problem\": null, \"counts\": {\"healed\": 0, "
    "\"stamps_ahead\": 0}, \"peers\": [{\"address\": \"tcp://b\", \"differs_ms\": null}]}], "
    "\"peers\": [{\"address\": \"tcp://b\", \"connected\": true, \"member\": \"alive\", "
    "\"heard_ms_ago\": 5}, {\"address\": \"\", \"connected\": false}]}";

static json_t *status_with(const char *path, const char *name, json_t *value)
{
    json_t *status = json_loads(sound, 0, NULL), *at = status;

    CHECK(status);
    for (; *path; path++) {
        if (*path == 'b')
            at = json_array_get(json_object_get(at, "buckets"), 0);
        else if (*path == 'p')
            at = json_array_get(json_object_get(at, "peers"), 0);
        else if (*path == 'c')
            at = json_object_get(at, "counts");
        else if (*path == 'l')
            at = json_object_get(at, "links");
    }
    CHECK(json_object_set_new(at, name, value) == 0);
    return status;
}

/* Takes the status. The only finding, as its name and severity. */
static void check_finds(json_t *status, const struct doctor_facts *facts, const char *name,
                        const char *severity)
{
    json_t *json = doctor_json(status, facts), *finding;

    CHECK(json);
    CHECK_EQUAL(json_array_size(json_object_get(json, "findings")), 1);
    finding = json_array_get(json_object_get(json, "findings"), 0);
    CHECK_TEXT(json_string_value(json_object_get(finding, "name")), name);
    CHECK_TEXT(json_string_value(json_object_get(finding, "severity")), severity);
    CHECK_EQUAL(json_integer_value(json_object_get(json, severity)), 1);
    CHECK(json_string_length(json_object_get(finding, "text")) > 0);
    CHECK(json_string_length(json_object_get(finding, "todo")) > 0);
    json_decref(json);
    json_decref(status);
}

/* Takes the status. */
static void check_finds_nothing(json_t *status)
{
    json_t *json = doctor_json(status, &well);

    CHECK_EQUAL(json_array_size(json_object_get(json, "findings")), 0);
    CHECK_EQUAL(json_integer_value(json_object_get(json, "critical")), 0);
    json_decref(json);
    json_decref(status);
}

TEST(nothing_is_found_when_nothing_is_wrong)
{
    check_finds_nothing(json_loads(sound, 0, NULL));
}

TEST(each_fault_of_a_status_is_one_finding)
{
    const struct {
        const char *path, *name, *value, *finding, *severity;
    } cases[] = {
        {"", "stopped", "\"disk\"", "stopped", "critical"},
        {"", "suspect", "true", "suspect", "warning"},
        {"", "isolated", "true", "isolated", "warning"},
        {"", "disk_error", "\"t.sst\"", "unreadable", "critical"},
        {"", "readonly", "true", "readonly", "notice"},
        {"", "unsynced", "true", "unsynced", "notice"},
        {"", "certificate", "{\"problem\": \"p\", \"days_left\": 3}", "certificate", "warning"},
        {"", "certificate", "{\"problem\": \"p\", \"days_left\": 0}", "certificate", "critical"},
        {"", "peers", "[]", "alone", "notice"},
        {"", "refused", "[{}]", "refused", "notice"},
        {"", "net_events_dropped", "1", "dropped", "notice"},
        {"b", "problem", "\"p\"", "bucket_problem", "critical"},
        {"b", "hot",
         "[{\"key\": \"k\", \"type\": \"set\", \"changes\": 9, \"elements\": 10000, "
         "\"big\": true}]", "hot_big",
         "notice"},
        {"b", "siblings", "2", "siblings", "notice"},
        {"b", "ids", "768", "ids", "warning"},
        {"b", "log", "500", "log_full", "warning"},
        {"b", "confirmed", "false", "unconfirmed", "notice"},
        {"bc", "healed", "1", "healed", "warning"},
        {"bc", "stamps_ahead", "1", "clock_ahead", "warning"},
        {"bp", "differs_ms", "1", "damage", "critical"},
        {"p", "connected", "false", "peer_away", "warning"},
        {"p", "member", "\"suspect\"", "peer_suspect", "notice"},
        {"l", "no_descriptors", "1", "files_low", "warning"},
        {"l", "wire_version", "1", "version", "warning"},
        {"l", "forbidden", "1", "forbidden", "warning"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_finds(status_with(cases[i].path, cases[i].name,
                                json_loads(cases[i].value, JSON_DECODE_ANY, NULL)),
                    &well, cases[i].finding, cases[i].severity);
}

TEST(a_life_that_did_not_begin_empty_is_told)
{
    json_t *status = status_with("", "life_is_new", json_true());

    CHECK(json_object_set_new(status, "life_reason", json_string("new directory")) == 0);
    check_finds_nothing(json_incref(status));
    CHECK(json_object_set_new(status, "life_reason", json_string("copied directory")) == 0);
    check_finds(status, &well, "new_life", "notice");
}

TEST(each_fault_of_the_machine_is_one_finding)
{
    struct doctor_facts facts = well;

    facts.disk_free = (uint64_t)5 << 30;
    check_finds(json_loads(sound, 0, NULL), &facts, "disk_low", "warning");
    facts.disk_free = (uint64_t)100 << 20;
    check_finds(json_loads(sound, 0, NULL), &facts, "disk_low", "critical");
    facts = well;
    facts.disk_total = 0;
    facts.files_used = 1000;
    check_finds(json_loads(sound, 0, NULL), &facts, "files_low", "warning");
    facts = well;
    facts.files_max = 0;
    facts.clock_seen = well.wall_ms + 120000;
    check_finds(json_loads(sound, 0, NULL), &facts, "clock_back", "warning");
    facts = well;
    facts.scrubs = false;
    check_finds(json_loads(sound, 0, NULL), &facts, "no_scrub", "notice");
}

TEST(a_large_disk_is_not_low_for_its_part_that_is_free)
{
    struct doctor_facts facts = well;
    json_t *status = json_loads(sound, 0, NULL), *json;

    facts.disk_total = (uint64_t)10 << 40;
    json = doctor_json(status, &facts);
    CHECK_EQUAL(json_array_size(json_object_get(json, "findings")), 0);
    json_decref(json);
    json_decref(status);
}

TEST(the_worst_is_told_first)
{
    json_t *status = status_with("", "readonly", json_true()), *json, *findings;

    CHECK(json_object_set_new(status, "suspect", json_true()) == 0);
    CHECK(json_object_set_new(status, "stopped", json_string("disk")) == 0);
    json = doctor_json(status, &well);
    findings = json_object_get(json, "findings");
    CHECK_EQUAL(json_array_size(findings), 3);
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(findings, 0), "name")), "stopped");
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(findings, 2), "name")), "readonly");
    json_decref(json);
    json_decref(status);
}

/* Jansson asks for its memory elsewhere: it fails at call N. */
static unsigned left;

static void *alloc_some(size_t size)
{
    return left && left-- > 0 ? malloc(size) : NULL;
}

TEST(without_memory_there_is_no_answer)
{
    json_t *status = status_with("", "suspect", json_true()), *json = NULL;
    unsigned n;

    for (n = 1; !json && n < 1000; n++) {
        left = n;
        json_set_alloc_funcs(alloc_some, free);
        json = doctor_json(status, &well);
        json_set_alloc_funcs(malloc, free);
    }
    CHECK(n > 5 && json);
    CHECK_EQUAL(json_array_size(json_object_get(json, "findings")), 1);
    json_decref(json);
    json_decref(status);
}
