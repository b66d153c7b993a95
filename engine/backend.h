/* What a handle needs of whoever does the work: a node in this process (node.c) or the client of a
 * neapd (remote.c). The public functions (api_*.c) are written once, on top of this. */
#ifndef NEAP_ENGINE_BACKEND_H
#define NEAP_ENGINE_BACKEND_H
#include "crdt/types.h"
#include "engine/token.h"

/* One edit of a request: a cell, or everything below a prefix (op.kind OP_REMOVE). */
struct write_op {
    const char *bucket;
    struct slice path;
    bool prefix;
    struct op op; /* op.stamp is the engine's to fill; op.seen points into the request's token */
};

/* A write as a caller wants it; all its ops in one batch, all or none on this node's disk. */
struct write {
    struct write_op *ops;
    size_t count;
    bool nosync;
    bool system;   /* within a node: it may write to the system's buckets */
    bool not_here; /* out, within a node: it does not hold what the write is about */
    bool submit;   /* return once queued; token.ticket tells the end */
    bool want_token;
    enum neap_level level; /* how many nodes must hold it durably */
    uint32_t timeout_ms;
    struct slice once;       /* the caller's id of it (store/once.h); empty: none */
    struct token token;      /* out: dots that were made */
    struct token awaited;    /* within a node, freed there: what others must have, as level says */
    struct neap_error error; /* out: text that goes with the returned code */
};

/* What one read wants: the cell of a path. Answers with canonical cell bytes (crdt/cell.h). */
struct read {
    const char *bucket;
    const char *shard; /* within a node: the name of its slot's shard; NULL: a mesh bucket */
    struct slice path;
    const struct token *after; /* wait until the node covers it; NULL: none */
    bool want_token;
    bool rights;           /* of a bounded counter: rights_read() answers instead of the cell */
    enum neap_level level; /* first wait for what so many nodes have seen */
    uint32_t timeout_ms;
    uint64_t hide_ms;        /* within a node: what expires at or before it is not shown */
    struct token token;      /* out */
    struct neap_error error; /* out */
};

/* PAGE_SCORES: members of a score set, highest score first, with scores from `high` down to `low`;
 * `from` is a cursor. PAGE_RANK: of the member `from`; it is the one item, if it is in, and the
 * count is how many are before it. PAGE_CHANGES: what changed after the position `from`, or after
 * `after` (engine/changes.h); waits until something has, unless count_only. PAGE_SLOTS: of a bucket
 * on a ring; no items, and the count is in how many slots it is. */
enum page_kind { PAGE_NAMES, PAGE_SCORES, PAGE_RANK, PAGE_CHANGES, PAGE_SLOTS };

/* Pages of names below a place, in order. `path` is a prefix that ends with a level (or is empty
 * for the keys of a bucket); what comes next below it is listed: keys, fields, or elements. */
struct page_request {
    const char *bucket;
    const char *shard; /* as of a read */
    struct slice path;
    unsigned slot, slots; /* of a bucket on a ring: its keys in that slot alone, of so many as the
                           * asker knows of (STALE: there are others); 0: not of one slot */
    struct slice from;    /* cursor of an earlier page, or a name to start at (from_is_name) */
    bool from_is_name;
    bool count_only;    /* no items, only the count: of all, not of one page */
    uint64_t count_max; /* within a node: with count_only, it may stop past so many; 0: none */
    enum page_kind kind;
    int64_t high, low;
    bool stats;      /* the node's own numbers instead: items of name and number, one page;
                      * bucket, path and from play no part */
    size_t size_max; /* of the answer */
    const struct token *after;
    bool want_token;
    enum neap_level level; /* as of a read */
    uint32_t timeout_ms;
    uint64_t hide_ms; /* as of a read */
    struct token token;
    struct neap_error error;
};

/* Items as packed, see page_item_read(). */
struct page {
    struct buffer items;
    struct buffer cursor; /* where the next page starts; empty: this was the last */
    uint64_t count;
};

struct backend {
    const struct backend_ops *ops;
};

struct backend_ops {
    int (*write)(struct backend *backend, struct write *write);
    int (*read)(struct backend *backend, struct read *read, struct buffer *ret_cell);
    int (*page)(struct backend *backend, struct page_request *request, struct page *ret_page);
    int (*sync)(struct backend *backend);
    /* Until the token's ticket has ended, and its contexts are covered here and on as many other
     * nodes as the level says. The ticket's own result comes back. UNCERTAIN: not in time. */
    int (*wait)(struct backend *backend, const struct token *token, enum neap_level level,
                uint32_t timeout_ms, struct neap_error *error);
    /* An id for a write, that is known to be of this node (store/once.h); as text. */
    int (*once)(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                struct neap_error *error);
    /* Words in, one JSON document out (status, digest, ...). */
    int (*admin)(struct backend *backend, int argc, const char *const argv[],
                 struct buffer *ret_json, struct neap_error *error);
    /* Of the data, into a new directory (store/backup.h); timeout_ms 0: as long as it takes. Then
     * one JSON document about it. */
    int (*backup)(struct backend *backend, const char *directory, uint32_t timeout_ms,
                  struct buffer *ret_json, struct neap_error *error);
    void (*close)(struct backend *backend);
};

/* Who has what of a bounded counter, as this node sees it, packed. */
int rights_write(const struct neap_rights *rights, struct buffer *ret_bytes); /* replaces */
int rights_read(struct slice bytes, struct neap_rights *ret_rights);          /* its size stays */

enum { BACKUP_NAME_MAX = 4000 }; /* of its directory */
/* An item with the largest name and value; a page may be over its size by its first item. */
enum { PAGE_ITEM_MAX = NEAP_VALUE_MAX + NEAP_PATH_MAX + 64 };
/* A place in a listing; and of changes, where there are two contexts in it. */
enum { PAGE_CURSOR_MAX = 64 << 10 };

void page_init(struct page *page, size_t size_max);
void page_done(struct page *page);
void page_item_write(struct writer *writer, const struct neap_item *item);
void page_item_read(struct reader *reader, struct neap_item *ret_item); /* borrowed */

struct neap {
    struct backend *backend;
    unsigned flags; /* NEAP_NOSYNC, NEAP_READONLY */
};

int node_open(const struct neap_options *options, struct backend **ret_backend,
              struct neap_error *error);
struct credentials;
/* `credentials` are held, and shown where there is TLS; NULL: only on this machine. */
int remote_open(const char *address, struct credentials *credentials, struct backend **ret_backend,
                struct neap_error *error);
#endif
