/* What has changed in a bucket since a position: read from the log as long as it tells, else from
 * all cells (docs/decisions/0098). A position says what was told; it is good on any node.
 *
 * A page of changes has items [kind, type, path, number, value, expires], and a cursor in any case:
 * the position behind them. From the log come cells that events after `told`, up to `goal`, have
 * changed, in order of their paths, each once, as it is now. Where the log does not tell all that,
 * an item ALL_BEGIN comes, then each cell that holds something, in order of paths, then ALL_END:
 * what was there before and is not among them is gone. */
#ifndef NEAP_ENGINE_CHANGES_H
#define NEAP_ENGINE_CHANGES_H
#include "engine/backend.h"
#include "store/disk.h"

/* So many events are looked at for one page. */
enum { CHANGES_EVENTS_MAX = 1024 };

struct changes_at {
    uint64_t shard;
    uint64_t reader; /* whom the log is kept for (gossip/kept.h); 0: nobody yet */
    struct context told;
    struct context goal; /* told when what is under way has come to its end */
    bool under_way, all; /* all: it goes through all cells */
    bool begun;          /* and has said so */
    struct buffer path;  /* the last one that was told; empty: none */
};

void changes_init(struct changes_at *at, uint64_t shard); /* to be told all */
void changes_done(struct changes_at *at);
/* From here on: what came after the context. NOMEM. */
int changes_after(struct changes_at *at, const struct context *context);
int changes_encode(const struct changes_at *at, struct buffer *ret_bytes); /* replaces */
/* Into an initialised one. INVALID: these bytes are no position; STALE: of another bucket. */
int changes_decode(struct slice bytes, struct changes_at *at);
/* What has to be in the log, for the next pages to come from it. */
const struct context *changes_needs(const struct changes_at *at);

/* The next page, empty when nothing has changed; moves `at` behind it. After an error it is
 * anywhere. Any thread. */
int changes_read(struct disk *disk, const struct page_request *request, struct changes_at *at,
                 struct page *ret_page);

struct change_item {
    unsigned kind; /* enum neap_change_kind */
    enum neap_type type;
    struct slice path, value; /* borrowed */
    int64_t number;
    uint64_t expires_ms;
};
void change_item_write(struct writer *writer, const struct change_item *item);
void change_item_read(struct reader *reader, struct change_item *ret_item);
#endif
