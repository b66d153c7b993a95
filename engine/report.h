/* What is told of backups, as JSON. */
#ifndef NEAP_ENGINE_REPORT_H
#define NEAP_ENGINE_REPORT_H
#include <jansson.h>

#include "store/backup.h"

enum { REPORT_FINDINGS_MAX = 1000 }; /* that are named; of the others there is a count */

/* Of one that was made, or restored into `directory` (else NULL). Replaces the buffer's contents.
 * NOMEM. */
int report_backup(const char *backup, const char *directory, const struct backup_counts *counts,
                  struct buffer *ret_json);

/* Of one that was verified: report_find() is for a struct backup_finder, its `arg` a report. */
struct report {
    json_t *damaged;
    uint64_t found;
};
int report_begin(struct report *report); /* NOMEM */
int report_find(void *arg, const struct backup_finding *finding);
int report_verify(const struct report *report, const char *backup,
                  const struct backup_counts *counts, struct buffer *ret_json);
void report_done(struct report *report); /* zeroed is fine */
#endif
