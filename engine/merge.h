/* The keys of a bucket on a ring, in one order: each of its slots is listed by itself, a page at a
 * time, here or at an owner, and what comes next of all of them is put together
 * (docs/decisions/0119). On the caller's thread.
 *
 * In memory are a page of each slot, of some MiB together (MERGE_BYTES; one page more where single
 * items are large: what is over goes, and is fetched again when its turn comes).
 *
 * Each page of a slot is read after all that the page before it had seen, whichever node it comes
 * from, and the first one at the level that is asked for: so a listing never goes back. What is
 * there throughout comes exactly once, in whatever way slots move meanwhile. */
#ifndef NEAP_ENGINE_MERGE_H
#define NEAP_ENGINE_MERGE_H
#include "engine/backend.h"

enum {
    MERGE_BYTES = 8 << 20,        /* of all pages, before what is over goes */
    MERGE_PAGES = 4 << 20,        /* is divided among the slots... */
    MERGE_PAGE_MIN = 1 << 10,     /* ... but not into smaller pages than these... */
    MERGE_PAGE_MAX = 64 << 10     /* ... or larger ones */
};

struct merge;

/* Is what this lists in many slots? */
bool merge_is_for(const char *bucket, struct slice path);
/* Borrows the backend; NULL: no memory. */
struct merge *merge_new(struct backend *backend);
void merge_free(struct merge *merge);
/* The next page, as the backend's `page` would give it; of the first request from, after, level and
 * want_token count, and the token covers what was seen of all slots by then. The cursor only says
 * that there is more. timeout_ms is for each slot by itself. On an error nothing is lost: ask
 * again. STALE: the ring has other slots than it had at the beginning. */
int merge_page(struct merge *merge, struct page_request *request, struct page *ret_page);
#endif
