/* neap.h - replicated data that many machines write at once and that agrees again.
 * (The manual is being written here: see docs/decisions; sketch in the issue.) */
#ifndef NEAP_H
#define NEAP_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define NEAP_API __attribute__((visibility("default"), warn_unused_result))
#define NEAP_VOID __attribute__((visibility("default")))

/* name, code, what became of the write (NONE: nothing happened, DONE: it happened, MAYBE: it may
 * have, or may still), text. */
#define NEAP_ERRORS(X)                                                             \
    X(OK, 0, DONE, "success")                                                      \
    X(END, -1, NONE, "no more items")                                              \
    X(NOMEM, -2, NONE, "out of memory")                                            \
    X(INVALID, -3, NONE, "invalid argument")                                       \
    X(NOTFOUND, -4, NONE, "no such object")                                        \
    X(LIMIT, -5, NONE, "a limit was exceeded")                                     \
    X(BUSY, -6, NONE, "queue full, try again")                                     \
    X(LOCKED, -7, NONE, "another process has this directory open")                 \
    X(REFUSED, -8, NONE, "not allowed")                                            \
    X(NORIGHTS, -9, NONE, "bounded counter: too few rights here")                  \
    X(STALE, -10, NONE, "token or iterator is of another shard, or too old")       \
    X(UNAVAILABLE, -11, NONE, "too few replicas believed alive: nothing was sent") \
    X(UNCERTAIN, -12, MAYBE,                                                       \
      "not enough answers in time: the write may take effect, now or later")       \
    X(CORRUPT, -13, NONE, "stored data fails its checksum")                        \
    X(IO, -14, MAYBE, "the disk failed: node stopped, reopen it")                  \
    X(FORMAT, -15, NONE, "data of a newer version")

enum neap_code {
#define X(name, code, effect, text) NEAP_##name = code,
    NEAP_ERRORS(X)
#undef X
};

struct neap;
struct neap_batch;
struct neap_iter;

struct neap_bytes {
    const void *data;
    size_t size;
};

struct neap_buffer {
    void *data;
    size_t size, room;
};

struct neap_error {
    int code;
    char text[256];
};

enum neap_type {
    NEAP_ANY = 0, /* neap_remove: whatever types are there */
    NEAP_REGISTER = 1,
    NEAP_LWW = 2,
    NEAP_FLAG = 3,
    NEAP_COUNTER = 4,
    NEAP_SET = 5,
    NEAP_MAP = 6
};

enum neap_level {
    NEAP_BUCKET_DEFAULT,
    NEAP_EDGE,
    NEAP_ONE,
    NEAP_QUORUM,
    NEAP_ALL,
    NEAP_LOCAL_QUORUM,
    NEAP_EACH_QUORUM
};

enum { NEAP_KEY_MAX = 1024, NEAP_PATH_MAX = 4096, NEAP_DEPTH_MAX = 16, NEAP_VALUE_MAX = 1 << 20 };
enum { NEAP_BUCKET_MAX = 255, NEAP_SIBLINGS_MAX = 64 };
enum { NEAP_BATCH_COUNT_MAX = 65536, NEAP_BATCH_BYTES_MAX = 8 << 20, NEAP_TIMEOUT_MS = 5000 };
enum { NEAP_CREATE = 1, NEAP_NOSYNC = 2, NEAP_READONLY = 4 };

struct neap_options {
    size_t size;         /* sizeof (struct neap_options): neap_options_init() sets it */
    const char *path;    /* the directory; NULL: in memory, gone when closed */
    const char *cluster; /* file made by `neap init`: id and key; NULL: alone */
    const char *listen;  /* where other nodes connect: tcp://127.0.0.1:7400; NULL: nowhere */
    const char *peers;   /* addresses of other nodes, with commas; NULL: none */
    size_t memory_max;   /* bytes: one budget for caches, memtables and queues */
    unsigned flags;      /* NEAP_CREATE, NEAP_NOSYNC, NEAP_READONLY */
    unsigned sync_ms;    /* writes with NEAP_NOSYNC are durable after so long */
    const char *socket;  /* where clients of this node connect: a Unix socket; NULL: nowhere */
    uint64_t log_max;    /* entries of log, per bucket, kept for members that are away */
};

struct neap_place {
    const char *bucket;
    struct neap_bytes key;
    const struct neap_bytes *fields;
    size_t fields_count;
};

struct neap_call {
    size_t size; /* sizeof (struct neap_call) */
    enum neap_level level;
    uint32_t timeout_ms;           /* 0: NEAP_TIMEOUT_MS */
    struct neap_batch *batch;      /* queue it there instead of doing it now */
    struct neap_bytes after;       /* a token: wait until the node covers it */
    struct neap_bytes seen;        /* a token: act on exactly what was seen */
    struct neap_buffer *ret_token; /* names what was read or written */
    int submit;                    /* return once queued; neap_wait(ret_token) tells the end */
    unsigned flags;                /* NEAP_NOSYNC */
    struct neap_error *ret_error;  /* in words what went wrong */
    struct neap_bytes resume;      /* neap_keys, neap_items: go on after this neap_iter_token() */
};

struct neap_item {
    enum neap_type type;
    struct neap_bytes name, value;
    int64_t number;
};

NEAP_VOID void neap_options_init(struct neap_options *options);
NEAP_API int neap_open(const struct neap_options *options, struct neap **ret_neap,
                       struct neap_error *ret_error);
NEAP_API int neap_connect(const char *address, struct neap **ret_neap,
                          struct neap_error *ret_error);
NEAP_VOID void neap_close(struct neap *neap);
NEAP_API int neap_sync(struct neap *neap);
NEAP_API int neap_wait(struct neap *neap, struct neap_bytes token, const struct neap_call *call);

NEAP_API int neap_lww_set(struct neap *neap, const struct neap_place *at, struct neap_bytes value,
                          const struct neap_call *call);
NEAP_API int neap_lww_get(struct neap *neap, const struct neap_place *at,
                          struct neap_buffer *ret_value, const struct neap_call *call);
NEAP_API int neap_register_set(struct neap *neap, const struct neap_place *at,
                               struct neap_bytes value, const struct neap_call *call);
NEAP_API int neap_register_values(struct neap *neap, const struct neap_place *at,
                                  const struct neap_call *call, struct neap_iter **ret_iter);
NEAP_API int neap_flag_set(struct neap *neap, const struct neap_place *at, int on,
                           const struct neap_call *call);
NEAP_API int neap_flag_get(struct neap *neap, const struct neap_place *at, int *ret_on,
                           const struct neap_call *call);
NEAP_API int neap_counter_add(struct neap *neap, const struct neap_place *at, int64_t change,
                              const struct neap_call *call);
NEAP_API int neap_counter_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                              const struct neap_call *call);
NEAP_API int neap_set_add(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                          const struct neap_call *call);
NEAP_API int neap_set_remove(struct neap *neap, const struct neap_place *at,
                             struct neap_bytes element, const struct neap_call *call);
NEAP_API int neap_set_has(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                          int *ret_in, const struct neap_call *call);
NEAP_API int neap_count(struct neap *neap, const struct neap_place *at, enum neap_type type,
                        uint64_t *ret_count, const struct neap_call *call);
NEAP_API int neap_remove(struct neap *neap, const struct neap_place *at, enum neap_type type,
                         const struct neap_call *call);

NEAP_API int neap_batch_new(struct neap *neap, struct neap_batch **ret_batch);
NEAP_API int neap_batch_commit(struct neap_batch *batch, const struct neap_call *call);
NEAP_VOID void neap_batch_free(struct neap_batch *batch);

NEAP_API int neap_keys(struct neap *neap, const char *bucket, struct neap_bytes from,
                       const struct neap_call *call, struct neap_iter **ret_iter);
NEAP_API int neap_items(struct neap *neap, const struct neap_place *at, enum neap_type type,
                        struct neap_bytes from, const struct neap_call *call,
                        struct neap_iter **ret_iter);
NEAP_API int neap_stats(struct neap *neap, struct neap_iter **ret_iter);
NEAP_API int neap_next(struct neap_iter *iter, struct neap_item *ret_item, uint32_t timeout_ms);
NEAP_API int neap_iter_token(struct neap_iter *iter, struct neap_buffer *ret_token);
NEAP_VOID void neap_iter_free(struct neap_iter *iter);

NEAP_API int neap_admin(struct neap *neap, int argc, const char *const argv[],
                        struct neap_buffer *ret_json, const struct neap_call *call);
NEAP_API const char *neap_strerror(int code);
NEAP_API const char *neap_version(void);
NEAP_VOID void neap_buffer_free(struct neap_buffer *buffer);

#ifdef __cplusplus
}
#endif
#endif
