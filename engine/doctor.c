#include "engine/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/status.h"

enum {
    DISK_LOW_PERCENT = 10,
    DISK_OUT_PERCENT = 2,
    FILES_LOW_PERCENT = 90,
    LOG_FULL_PERCENT = 50,
    IDS_PERCENT = 75,
    CLOCK_BACK_MS = 65000 /* others may be ahead by 60 s */
};
/* Beyond this a disk is not low, whatever part of it is free; below it is out. */
#define DISK_PLENTY ((uint64_t)20 << 30)
#define DISK_OUT ((uint64_t)256 << 20)

enum finding {
#define X(name, severity, todo) FINDING_##name,
    DOCTOR_FINDINGS(X)
#undef X
        FINDINGS
};

static const struct {
    const char *name;
    enum severity severity;
    const char *todo;
} kinds[FINDINGS] = {
#define X(name, severity, todo) {#name, SEVERITY_##severity, todo},
    DOCTOR_FINDINGS(X)
#undef X
};

struct doctor {
    const json_t *status;
    const struct doctor_facts *facts;
    json_t *found[SEVERITIES];
    bool failed;
};

const char *severity_text(enum severity severity)
{
    static const char *const texts[SEVERITIES] = {"critical", "warning", "notice"};

    return texts[severity];
}

/* ---- what is found ---- */

static void found_as(struct doctor *doctor, enum severity severity, enum finding finding,
                     const char *about, const char *text)
{
    json_t *json =
        json_pack("{ss, ss, so, so, ss}", "name", kinds[finding].name, "severity",
                  severity_text(severity), "about", about ? json_text(about) : json_null(), "text",
                  json_text(text), "todo", kinds[finding].todo);

    if (json_array_append_new(doctor->found[severity], json))
        doctor->failed = true;
}

__attribute__((format(printf, 4, 5))) static void found(struct doctor *doctor, enum finding finding,
                                                        const char *about, const char *format, ...)
{
    char line[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    found_as(doctor, kinds[finding].severity, finding, about, line);
}

static json_int_t number(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static const char *text(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static bool is(const json_t *json, const char *name)
{
    return json_is_true(json_object_get(json, name));
}

static long long percent(uint64_t part, uint64_t whole)
{
    return whole ? (long long)((double)part * 100.0 / (double)whole) : 100;
}

/* ---- the node ---- */

static void look_node(struct doctor *doctor)
{
    const json_t *status = doctor->status;

    if (text(status, "stopped"))
        found(doctor, FINDING_stopped, NULL, "%s", text(status, "stopped"));
    if (is(status, "suspect"))
        found(doctor, FINDING_suspect, NULL,
              "what was synced was damaged or missing when it was opened; it began a new life");
    else if (is(status, "life_is_new") && strcmp(text(status, "life_reason"), "new directory") != 0)
        found(doctor, FINDING_new_life, NULL, "%s: it goes on under a new identity",
              text(status, "life_reason"));
    if (text(status, "disk_error") && !text(status, "stopped"))
        found(doctor, FINDING_unreadable, NULL, "%s", text(status, "disk_error"));
    if (is(status, "isolated"))
        found(doctor, FINDING_isolated, NULL, "it is cut off from its peers, by order");
    if (is(status, "readonly"))
        found(doctor, FINDING_readonly, NULL, "it takes no writes of clients");
    if (is(status, "unsynced"))
        found(doctor, FINDING_unsynced, NULL,
              "some writes were answered and are not on the disk yet");
    if (json_array_size(json_object_get(status, "peers")) == 0)
        found(doctor, FINDING_alone, NULL, "it has no peers");
    else if (!doctor->facts->scrubs)
        found(doctor, FINDING_no_scrub, NULL, "its cells are not read again by themselves");
}

static void look_certificate(struct doctor *doctor)
{
    const json_t *certificate = json_object_get(doctor->status, "certificate");
    const char *problem = text(certificate, "problem");

    if (!problem)
        return;
    found_as(doctor, number(certificate, "days_left") > 0 ? SEVERITY_WARNING : SEVERITY_CRITICAL,
             FINDING_certificate, NULL, problem);
}

static void look_machine(struct doctor *doctor)
{
    const struct doctor_facts *facts = doctor->facts;
    long long left = percent(facts->disk_free, facts->disk_total);
    bool out = left < DISK_OUT_PERCENT || facts->disk_free < DISK_OUT;
    char line[200];

    if (facts->disk_total && (left < DISK_LOW_PERCENT || out) && facts->disk_free < DISK_PLENTY) {
        snprintf(line, sizeof line, "%llu MiB are free on the disk of the data, %lld%% of it",
                 (unsigned long long)(facts->disk_free >> 20), left);
        found_as(doctor, out ? SEVERITY_CRITICAL : SEVERITY_WARNING, FINDING_disk_low,
                 text(doctor->status, "path"), line);
    }
    if (facts->files_max && percent(facts->files_used, facts->files_max) >= FILES_LOW_PERCENT)
        found(doctor, FINDING_files_low, NULL, "%llu of %llu files that it may have open are",
              (unsigned long long)facts->files_used, (unsigned long long)facts->files_max);
    if (facts->clock_seen > facts->wall_ms + CLOCK_BACK_MS)
        found(doctor, FINDING_clock_back, NULL,
              "the clock says a time that is %llu s before what was seen here already",
              (unsigned long long)((facts->clock_seen - facts->wall_ms) / 1000));
}

/* ---- buckets ---- */

static void look_damage(struct doctor *doctor, const json_t *bucket, const char *name)
{
    json_int_t healed = number(json_object_get(bucket, "counts"), "healed");
    const json_t *peer;
    size_t i;

    if (text(bucket, "problem"))
        found(doctor, FINDING_bucket_problem, name, "%s", text(bucket, "problem"));
    if (healed)
        found(doctor, FINDING_healed, name, "%lld dots had been lost; peers gave them back",
              (long long)healed);
    json_array_foreach(json_object_get(bucket, "peers"), i, peer)
    {
        if (json_is_integer(json_object_get(peer, "differs_ms")))
            found(doctor, FINDING_damage, name,
                  "cells are not as they are at %s, and no event explains it",
                  text(peer, "address"));
    }
}

static void look_hot(struct doctor *doctor, const json_t *bucket, const char *name)
{
    const json_t *hot;
    size_t i;

    json_array_foreach(json_object_get(bucket, "hot"), i, hot)
    {
        const char *key = text(hot, "key");

        if (is(hot, "big"))
            found(doctor, FINDING_hot_big, name,
                  "%s %s has %lld elements, and about %lld changes in the last two minutes",
                  text(hot, "type"), key ? key : "(bytes)", (long long)number(hot, "elements"),
                  (long long)number(hot, "changes"));
    }
}

static void look_bucket(struct doctor *doctor, const json_t *bucket)
{
    const char *name = text(bucket, "name");
    json_int_t ids = number(bucket, "ids"), ids_max = number(bucket, "ids_max");
    json_int_t log = number(bucket, "log");
    json_int_t ahead = number(json_object_get(bucket, "counts"), "stamps_ahead");

    look_damage(doctor, bucket, name);
    look_hot(doctor, bucket, name);
    if (number(bucket, "siblings"))
        found(doctor, FINDING_siblings, name, "%lld registers have more than one value",
              (long long)number(bucket, "siblings"));
    if (ids_max > 0 && ids * 100 >= ids_max * IDS_PERCENT)
        found(doctor, FINDING_ids, name, "%lld of %lld replica ids are used", (long long)ids,
              (long long)ids_max);
    if (log > 0 && percent((uint64_t)log, doctor->facts->log_max) >= LOG_FULL_PERCENT)
        found(doctor, FINDING_log_full, name, "%lld events are kept for members, of %llu at most",
              (long long)log, (unsigned long long)doctor->facts->log_max);
    if (log > 0 && !is(bucket, "confirmed"))
        found(doctor, FINDING_unconfirmed, name,
              "what was written since the start may get other names yet");
    if (ahead)
        found(doctor, FINDING_clock_ahead, name,
              "%lld writes came with a time that is far ahead of the clock here", (long long)ahead);
}

/* ---- others ---- */

static void look_peer(struct doctor *doctor, const json_t *peer)
{
    const char *address = text(peer, "address"), *error = text(peer, "last_error");
    const char *member = text(peer, "member");
    json_int_t heard = number(peer, "heard_ms_ago");

    if (!address || !*address)
        return; /* it came by itself, and may stay away */
    if (!is(peer, "connected"))
        found(doctor, FINDING_peer_away, address, "it is away%s%s%s",
              json_is_integer(json_object_get(peer, "heard_ms_ago"))
                  ? heard < 60000 ? ", for less than a minute" : ", for more than a minute"
                  : ", and was not here since the start",
              error ? ": " : "", error ? error : "");
    else if (member && strcmp(member, "alive") != 0)
        found(doctor, FINDING_peer_suspect, address, "it is held for %s", member);
}

static void look_links(struct doctor *doctor)
{
    const json_t *links = json_object_get(doctor->status, "links");
    size_t refused = json_array_size(json_object_get(doctor->status, "refused"));
    json_int_t files = number(links, "no_descriptors") + number(links, "client_no_descriptors");

    if (files)
        found(doctor, FINDING_files_low, NULL, "%lld links were turned away for want of them",
              (long long)files);
    if (number(links, "wire_version"))
        found(doctor, FINDING_version, NULL, "a node was here that speaks another version");
    if (number(links, "forbidden") + number(links, "foreign_dots"))
        found(doctor, FINDING_forbidden, NULL, "a device sent what it may not write");
    if (refused)
        found(doctor, FINDING_refused, NULL, "%zu were not let in, lately", refused);
    if (number(doctor->status, "net_events_dropped"))
        found(doctor, FINDING_dropped, NULL, "%lld messages came faster than they could be taken",
              (long long)number(doctor->status, "net_events_dropped"));
}

/* ---- all ---- */

static json_t *findings_json(struct doctor *doctor)
{
    json_t *all = json_array(), *json = NULL;

    for (size_t i = 0; i < SEVERITIES; i++)
        if (json_array_extend(all, doctor->found[i]))
            doctor->failed = true;
    if (!doctor->failed)
        json = json_pack("{sO, sI, sI, sI}", "findings", all, "critical",
                         (json_int_t)json_array_size(doctor->found[SEVERITY_CRITICAL]), "warning",
                         (json_int_t)json_array_size(doctor->found[SEVERITY_WARNING]), "notice",
                         (json_int_t)json_array_size(doctor->found[SEVERITY_NOTICE]));
    json_decref(all);
    return json;
}

json_t *doctor_json(const json_t *status, const struct doctor_facts *facts)
{
    struct doctor doctor = {.status = status, .facts = facts};
    const json_t *item;
    json_t *json;
    size_t i;

    for (i = 0; i < SEVERITIES; i++)
        doctor.found[i] = json_array();
    look_node(&doctor);
    look_certificate(&doctor);
    look_machine(&doctor);
    json_array_foreach(json_object_get(status, "buckets"), i, item) look_bucket(&doctor, item);
    json_array_foreach(json_object_get(status, "peers"), i, item) look_peer(&doctor, item);
    look_links(&doctor);
    json = findings_json(&doctor);
    for (i = 0; i < SEVERITIES; i++)
        json_decref(doctor.found[i]);
    return json;
}
