/* What every disk must do: one list of cases, run in each room behind the door. */
#ifndef NEAP_DISK_CASES_H
#define NEAP_DISK_CASES_H
#include "store/batch.h"
#include "tests/support/test.h"

struct room {
    struct disk *disk;
    void (*reopen)(struct room *room); /* with what was synced */
    char path[64];
};

#define DISK_CASES(X)                               \
    X(gives_back_what_was_put)                      \
    X(keeps_families_apart)                         \
    X(takes_any_bytes_as_keys)                      \
    X(scans_in_key_order_within_bounds)             \
    X(deletes_ranges_before_puts_of_the_same_batch) \
    X(snapshots_and_scans_do_not_move)              \
    X(keeps_synced_commits_over_a_reopening)        \
    X(syncs_earlier_commits_with_later_ones)        \
    X(takes_large_values)                           \
    X(refuses_values_over_the_limit_of_the_buffer)  \
    X(agrees_with_a_plain_array_over_random_histories)

#define X(name) void disk_case_##name(struct room *room);
DISK_CASES(X)
#undef X

/* Short ways to write tests of disks. */
struct slice text(const char *bytes);
void disk_put(struct disk *disk, enum disk_family family, const char *key, const char *value,
              bool sync);
/* What is at `key`: its text, in memory of the test program's; "-" when there is nothing. */
const char *disk_text(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                      const char *key);
/* "a=1 b=2 " of a scan. */
const char *scan_text(const struct view *view, enum disk_family family, const char *from,
                      const char *to);
#endif
