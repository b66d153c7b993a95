/* Reads straight from the disk, in the calling thread: one cell, or a page of names. */
#ifndef NEAP_ENGINE_READ_H
#define NEAP_ENGINE_READ_H
#include "engine/backend.h"
#include "store/disk.h"

/* Is it a read that can be done at all? INVALID, LIMIT, REFUSED; the text names the place. */
int read_check(const struct read *read, struct neap_error *error);
int page_check(const struct page_request *request, struct neap_error *error);

/* The cell as committed, as canonical bytes (replaced); an absent one is empty. With want_token,
 * read->token gets the context as it was at that moment: what the cell held is covered by it, what
 * came later is not. It names events: sync before it leaves (rule 8). Any thread. */
int read_cell(struct disk *disk, struct read *read, struct buffer *ret_cell);

/* Names below a place: each distinct (name, type) with a live cell at or below it, once. At least
 * one item comes with every page but the last. Takes memory for the page alone. Any thread. */
int page_read(struct disk *disk, struct page_request *request, struct page *ret_page);

/* The kinds of pages that are not names: for page_read(). */
int page_scores(struct disk *disk, struct page_request *request, struct page *ret_page);

/* Does the disk hold all that `context` names of the shard? 0: yes; END: not yet. Any thread. */
int read_covered(struct disk *disk, uint64_t shard, const struct context *context);
#endif
