#include "tools/metrics.h"

#include <string.h>

#include "neap.h"

enum kind { COUNTER, GAUGE };

static const struct {
    const char *stat, *metric;
    enum kind kind;
    const char *help;
} rows[] = {
    {"writes", "writes_total", COUNTER, "Writes of callers."},
    {"writes_repeated", "writes_repeated_total", COUNTER,
     "Writes with an id that were done before."},
    {"events", "events_total", COUNTER, "Events that the node has stepped."},
    {"turns", "turns_total", COUNTER, "Turns of the wheel: commits, at most."},
    {"syncs", "syncs_total", COUNTER, "Commits that were made durable at once."},
    {"errors", "errors_total", COUNTER, "Errors that were nobody's call."},
    {"stopped", "stopped", GAUGE, "1: the node has stopped, as its disk failed."},
    {"buckets", "buckets", GAUGE, "Buckets that are here."},
    {"log_entries", "log_entries", GAUGE, "Events that some member may lack, of all buckets."},
    {"buckets_with_problems", "buckets_with_problems", GAUGE, "Buckets that need a look."},
    {"replica_ids_max", "replica_ids_max", GAUGE, "Replica ids of the bucket that has most."},
    {"residues", "residues", GAUGE, "Residues of all buckets; 0 at rest."},
    {"siblings", "registers_with_siblings", GAUGE, "Registers that have more than one value."},
    {"events_taken", "events_taken_total", COUNTER, "Events of other nodes that were taken."},
    {"dots_healed", "dots_healed_total", COUNTER, "Dots that were lost here and came back."},
    {"events_redotted", "events_redotted_total", COUNTER, "Events that got another name."},
    {"compares", "compares_total", COUNTER, "Compares of whole buckets with a peer."},
    {"compares_resumed", "compares_resumed_total", COUNTER, "Compares that went on after a break."},
    {"cells_given", "cells_given_total", COUNTER, "Cells that were given in compares."},
    {"cells_taken", "cells_taken_total", COUNTER, "Cells that were taken in compares."},
    {"shards_scrubbed", "scrubs_total", COUNTER, "Buckets that were read again."},
    {"shards_differed", "scrubs_differed_total", COUNTER, "Those that were not as they should be."},
    {"expired_removed", "expired_removed_total", COUNTER, "Values that were removed as expired."},
    {"expiry_ahead_ms", "expiry_ahead_milliseconds", GAUGE, "How far the wall clock was set back."},
    {"peers", "peers", GAUGE, "Nodes that this one knows."},
    {"peers_connected", "peers_connected", GAUGE, "Those that are connected."},
    {"peers_lag_max", "peers_lag_events_max", GAUGE, "Events that the peer most behind lacks."},
    {"members_suspect", "members_suspect", GAUGE, "Members that are not heard of."},
    {"members_dead", "members_dead", GAUGE, "Members that are taken for dead."},
    {"queue_events", "queue_events", GAUGE, "Events that wait for the wheel."},
    {"client_requests_waiting", "client_requests_waiting", GAUGE, "Requests of clients that wait."},
    {"net_events_dropped", "net_events_dropped_total", COUNTER, "Messages that came too fast."},
    {"links_refused", "links_refused_total", COUNTER, "Who was not let in."},
    {"client_requests_refused", "client_requests_refused_total", COUNTER,
     "Requests of clients, for want of rights."},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* These of the links are limits, no counts. */
static int link_is_limit(const char *name)
{
    size_t size = strlen(name);

    return size > 4 && strcmp(name + size - 4, "_max") == 0 && strstr(name, "accepted");
}

static void number_write(FILE *file, const char *metric, const char *help, const char *type,
                         json_int_t number)
{
    fprintf(file, "# HELP neap_%s %s\n# TYPE neap_%s %s\nneap_%s %" JSON_INTEGER_FORMAT "\n",
            metric, help, metric, type, metric, number);
}

/* A number that is newer than the table. */
static void other_write(FILE *file, const char *name, json_int_t number)
{
    char metric[128];

    snprintf(metric, sizeof(metric), "%s", name);
    for (char *at = metric; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *at))
            *at = '_';
    number_write(file, metric, "See neap stats.", "untyped", number);
}

static void links_write(FILE *file, json_t *stats, int limits)
{
    const char *metric = limits ? "links_max" : "links_total", *name;
    json_t *number;
    int begun = 0;

    json_object_foreach(stats, name, number)
    {
        if (strncmp(name, "links.", 6) != 0 || link_is_limit(name) != limits)
            continue;
        if (!begun++)
            fprintf(file, "# HELP neap_%s %s\n# TYPE neap_%s %s\n", metric,
                    limits ? "Links that are let in at most, by listener."
                           : "Links and what they brought that was not taken, by reason.",
                    metric, limits ? "gauge" : "counter");
        fprintf(file, "neap_%s{%s=\"%s\"} %" JSON_INTEGER_FORMAT "\n", metric,
                limits ? "listener" : "reason", name + 6, json_integer_value(number));
    }
}

void metrics_write(FILE *file, json_t *stats)
{
    const char *name;
    json_t *number;

    fprintf(file,
            "# HELP neap_info The version that runs.\n# TYPE neap_info gauge\n"
            "neap_info{version=\"%s\"} 1\n",
            neap_version());
    json_object_foreach(stats, name, number)
    {
        size_t i = 0;

        if (strncmp(name, "links.", 6) == 0)
            continue;
        while (i < ROWS && strcmp(rows[i].stat, name) != 0)
            i++;
        if (i == ROWS)
            other_write(file, name, json_integer_value(number));
        else
            number_write(file, rows[i].metric, rows[i].help,
                         rows[i].kind == COUNTER ? "counter" : "gauge", json_integer_value(number));
    }
    links_write(file, stats, 0);
    links_write(file, stats, 1);
}
