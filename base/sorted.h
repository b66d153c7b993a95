/* An ordered map from bytes to bytes (a skip list, Pugh 1990). Used by the memory disk and by
 * batches. Keys and values are copied in. */
#ifndef NEAP_BASE_SORTED_H
#define NEAP_BASE_SORTED_H
#include "base/bytes.h"

struct sorted;
struct sorted_entry {
    struct slice key, value; /* borrowed; valid until this entry is changed or deleted */
    uint8_t tag;             /* the caller's: a batch marks deletions with it */
};

int sorted_new(struct sorted **ret_sorted);
void sorted_free(struct sorted *sorted); /* NULL is fine */
int sorted_put(struct sorted *sorted, struct slice key, struct slice value, uint8_t tag);
void sorted_delete(struct sorted *sorted, struct slice key); /* absent is fine */
/* From `from` up to but without `to`; nothing when `to` is not after `from`. */
void sorted_delete_range(struct sorted *sorted, struct slice from, struct slice to);
const struct sorted_entry *sorted_get(const struct sorted *sorted, struct slice key);
/* The first entry at or after `from`; NULL at the end. */
const struct sorted_entry *sorted_seek(const struct sorted *sorted, struct slice from);
const struct sorted_entry *sorted_next(const struct sorted *sorted,
                                       const struct sorted_entry *entry);
size_t sorted_count(const struct sorted *sorted);
size_t sorted_bytes(const struct sorted *sorted); /* of keys and values */
void sorted_clear(struct sorted *sorted);
#endif
