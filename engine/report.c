#include "engine/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "engine/status.h"

static json_t *counts_json(const char *backup, const struct backup_counts *counts)
{
    char node[17];

    snprintf(node, sizeof node, "%016" PRIx64, counts->node);
    return json_pack("{so, so, so, ss, so}", "backup", json_text(backup), "files",
                     json_number(counts->files), "bytes", json_number(counts->bytes), "node", node,
                     "made", json_number(counts->made_ms));
}

int report_backup(const char *backup, const char *directory, const struct backup_counts *counts,
                  struct buffer *ret_json)
{
    json_t *json = counts_json(backup, counts);

    if (json && directory && json_object_set_new(json, "directory", json_text(directory))) {
        json_decref(json);
        return NEAP_NOMEM;
    }
    return json_into(json, ret_json);
}

int report_begin(struct report *report)
{
    report->found = 0;
    report->damaged = json_array();
    return report->damaged ? 0 : NEAP_NOMEM;
}

int report_find(void *arg, const struct backup_finding *finding)
{
    struct report *report = arg;

    if (report->found++ >= REPORT_FINDINGS_MAX)
        return 0;
    return json_array_append_new(report->damaged,
                                 json_pack("{so, ss}", "file", json_text(finding->name), "problem",
                                           backup_problem_text(finding->problem)))
               ? NEAP_NOMEM
               : 0;
}

int report_verify(const struct report *report, const char *backup,
                  const struct backup_counts *counts, struct buffer *ret_json)
{
    uint64_t named = json_array_size(report->damaged);
    json_t *json = counts_json(backup, counts);

    if (json && (json_object_set_new(json, "whole", json_boolean(!report->found)) ||
                 json_object_set(json, "damaged", report->damaged) ||
                 json_object_set_new(json, "left_off", json_number(report->found - named)))) {
        json_decref(json);
        return NEAP_NOMEM;
    }
    return json_into(json, ret_json);
}

void report_done(struct report *report)
{
    json_decref(report->damaged);
    report->damaged = NULL;
}
