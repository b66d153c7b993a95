/* What is done with a directory of which a part could not be read (docs/decisions/0019): the disk
 * has a copy of all else, and here it is recorded what is missing, so that it comes back from
 * others and is never taken for removed. */
#ifndef NEAP_STORE_SALVAGE_H
#define NEAP_STORE_SALVAGE_H
#include "base/bytes.h"
#include "store/disk.h"

/* Nothing is known of the keys between these two. An empty `after` is the beginning of the family,
 * an empty `before` its end. */
struct gap {
    enum disk_family family;
    struct buffer after, before;
};

struct gaps {
    struct gap *items;
    size_t count, room;
};

int gaps_add(struct gaps *gaps, enum disk_family family, struct slice after, struct slice before);
void gaps_done(struct gaps *gaps);

/* Copies all that can be read of `from` to `to`, which is empty; what can't is in ret_gaps. A gap
 * is as small as seeking can make it; of very many, the last one goes to the end of the family.
 * CORRUPT: `meta` can't be read. IO, NOMEM: of either disk. */
int salvage_copy(struct disk *from, struct disk *to, struct gaps *ret_gaps);
/* In the copy, whose `meta` is whole: each shard gets its holes, and all trees and
 * compares that were kept go.
 * Of a shard whose log has gaps the log is cut: others learn its events by comparing. Then
 * *ret_suspect: the newest of its own events may not be known any more, so the directory must begin
 * a new life. One synced commit. CORRUPT: there are gaps in `meta`. */
int salvage_record(struct disk *disk, const struct gaps *gaps, const char *cause,
                   bool *ret_suspect);
#endif
