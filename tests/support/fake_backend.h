/* A backend that does nothing but remember what it was asked, and answer what it was told to. */
#ifndef NEAP_TEST_FAKE_BACKEND_H
#define NEAP_TEST_FAKE_BACKEND_H
#include "engine/backend.h"

struct fake {
    struct backend backend;
    int code; /* of every answer */
    const char *text;

    /* Of the last call. */
    unsigned calls;
    unsigned written; /* of them: writes that were done */
    char bucket[NEAP_BUCKET_MAX + 1];
    uint8_t path_bytes[NEAP_PATH_MAX], value_bytes[128];
    struct slice path, value;
    char once[NEAP_ONCE_MAX + 1]; /* text, of a write */
    struct write write;           /* ops point to nothing any more */
    struct write_op op;           /* the last one */
    struct read read;
    struct page_request page;
    uint64_t after_ticket, token_ticket;
    size_t after_parts, seen_entries;
    enum neap_level level;
    uint32_t timeout_ms;
    int argc;
    char words[64];
    bool closed;

    /* Answers. */
    struct dot dot;       /* of writes, in the bucket's shard; n 0: none */
    unsigned ids;         /* and of so many ids after it */
    struct slice cell;    /* of reads */
    struct page pages[4]; /* of pages, in order; the cursor of page i is one byte, i */
    size_t pages_count;
    const char *json;
};

void fake_init(struct fake *fake);
void fake_done(struct fake *fake);
/* Appends an item to a page. */
void fake_item(struct fake *fake, size_t page, enum neap_type type, const char *name,
               int64_t number);
#endif
