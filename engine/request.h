/* Requests and replies of clients on the wire: the calls of backend.h, packed. request.c answers
 * them with a local backend, remote.c asks them.
 *
 * A request is a canonical msgpack array [version, verb, ...], its reply [code, text, ...]; when
 * the code is not 0 nothing follows the text. One request, one reply, in order.
 *
 *   HELLO  version_min, version_max                              -> version, release
 *   WRITE  [bucket...], [[bucket, path, kind, prefix, value, number, also, ttl,
 *         seen|nil]...],
 *          flags, level, timeout_ms, once                        -> token
 *   READ   bucket, path, after, flags, level, timeout_ms         -> token, cell
 *   PAGE   bucket, path, from, flags, size_max, after, timeout_ms, high, low, level
 *                                                                -> token, count, cursor, items
 *   SYNC                                                         -> (nothing)
 *   WAIT   token, level, timeout_ms                              -> (nothing)
 *   ONCE   timeout_ms                                           -> id
 *   ADMIN  [word...]                                             -> document
 *   BACKUP directory, timeout_ms                                 -> document
 *
 * The first two elements of a request, and all of HELLO, are the same in every version. Tokens are
 * byte strings, empty for none; a bucket of an op is its index in the first array. */
#ifndef NEAP_ENGINE_REQUEST_H
#define NEAP_ENGINE_REQUEST_H
#include "base/clock.h"
#include "engine/backend.h"

enum { REQUEST_VERSION = 1, REQUEST_VERSION_MIN = 1 };
enum { REQUEST_SIZE_MAX = 16 << 20 }; /* of a request or reply: MESSAGE_SIZE_MAX of the net */
enum { REQUEST_TIMEOUT_MS_MAX = 600000, REQUEST_PAGE_MAX = 1 << 20 };
enum { ADMIN_WORDS_MAX = 64, ADMIN_WORD_MAX = 4096, ADMIN_JSON_MAX = 15 << 20 };

enum request_verb {
    REQUEST_HELLO = 1,
    REQUEST_WRITE,
    REQUEST_READ,
    REQUEST_PAGE,
    REQUEST_SYNC,
    REQUEST_WAIT,
    REQUEST_ADMIN,
    REQUEST_BACKUP,
    REQUEST_ONCE
};

enum request_flags {
    REQUEST_NOSYNC = 1, /* WRITE */
    REQUEST_SUBMIT = 2,
    REQUEST_WANT_TOKEN = 4,   /* WRITE, READ, PAGE */
    REQUEST_FROM_IS_NAME = 8, /* PAGE */
    REQUEST_COUNT_ONLY = 16,
    REQUEST_STATS = 32,
    REQUEST_SCORES = 64,
    REQUEST_RANK = 128,
    REQUEST_RIGHTS = 256, /* READ: rights_write() instead of a cell */
    REQUEST_CHANGES = 512, /* PAGE */
    REQUEST_OF_SLOT = 1024, /* PAGE: `high` is the slot, `low` how many there are */
    REQUEST_SLOTS = 2048
};

/* One request, decoded, run on `backend`, its reply encoded into ret_reply (replaced; its limit
 * should be REQUEST_SIZE_MAX). Only NOMEM comes back: whatever else goes wrong is in the reply.
 * Any thread; blocks as long as the backend does. */
int request_serve(struct backend *backend, struct slice request, struct buffer *ret_reply);

/* The ops of a WRITE, both ways. */
struct request_ops {
    struct write_op *ops; /* slices borrow from the request */
    size_t count;
    struct context *seen; /* one for each op */
    const char **buckets;
    size_t buckets_count;
    char *names; /* zero-terminated, where `buckets` point to */
};

void request_ops_write(struct writer *writer, const struct write_op *ops, size_t count);
/* Into a zeroed struct. What is wrong is in the reader; request_ops_done() in any case. */
void request_ops_read(struct reader *reader, struct request_ops *ret_ops);
void request_ops_done(struct request_ops *ops);
/* Whole levels of a path, the last of which may lack its type: what neap_remove() names.
 * INVALID, LIMIT, NOMEM. */
int request_prefix_check(struct slice prefix);

/* A client's way to a server: a connection, or in tests a function call. */
struct transport {
    /* UNAVAILABLE: nothing was sent. UNCERTAIN: it was, and no reply came. Any thread. */
    int (*call)(struct transport *transport, struct slice request, uint32_t timeout_ms,
                struct buffer *ret_reply);
    void (*close)(struct transport *transport);
    struct clock *clock;           /* NULL: what had no answer is not asked once more */
    const struct neap_error *said; /* of who is used by one call: why it failed; may be NULL */
};

struct remote {
    struct backend backend; /* first */
    struct transport *transport;
};

/* A backend that needs no hello, as nodes speak one version (gossip/hello.h): for as long as both
 * live; it is not to be closed. */
void remote_init(struct remote *remote, struct transport *transport);

/* Says hello and makes a backend, which takes over the transport; on error it is the caller's. */
int remote_new(struct transport *transport, struct backend **ret_backend, struct neap_error *error);
int remote_new_within(struct transport *transport, uint32_t patience, struct backend **ret_backend,
                      struct neap_error *error);
/* To connect has one deadline, for the dial and the hello together. */
enum { CONNECT_MS = 5000 };
#endif
