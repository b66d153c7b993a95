/* What the public functions share: one call, checked, while it runs. */
#ifndef NEAP_ENGINE_API_H
#define NEAP_ENGINE_API_H
#include "engine/backend.h"

/* What a function can make use of; anything else that a caller asks for is INVALID. */
enum api_accepts {
    API_WRITE = 1,  /* writes: level, submit, flags */
    API_BATCH = 2,  /* may be queued */
    API_SEEN = 4,   /* acts on what was seen */
    API_RESUME = 8, /* goes on where an iterator was */
    API_AFTER = 16, /* waits until a token is covered */
    API_TOKEN = 32, /* tells what was read or written */
    API_LEVEL = 64, /* reads: asks other nodes (level, r, pr) */
    API_TTL = 256,  /* what it writes may expire */
    API_WAIT = 512, /* waits for other nodes, and writes nothing (level, w, pw) */
    API_LONG = 128  /* takes its time: timeout_ms 0 is for ever */
};

struct api {
    struct neap *neap;
    struct neap_call call;    /* the caller's, over defaults; a number of nodes is in its level */
    struct neap_error *error; /* the caller's; may be NULL */
    struct token after;       /* decoded; empty: none */
    struct token seen;
    struct buffer path; /* lies in `path_bytes`: building a path allocates nothing */
    uint8_t path_bytes[NEAP_PATH_MAX];
};

/* A struct of the caller (which begins with its size) over one of ours that holds defaults. */
int api_struct(void *ret_ours, size_t ours_size, const void *theirs, const char *name,
               struct neap_error *error);

/* Each returns an error only after having said in api->error what is wrong. Whatever api_begin()
 * returns, api_end() must follow, or, where there is a place, api_end_at(). */
int api_begin(struct api *api, struct neap *neap, const struct neap_call *call, unsigned accepts);
void api_end(struct api *api);
/* Puts the place before what was said of the error, if it is not there yet. Returns the error. */
int api_end_at(struct api *api, const struct neap_place *at, int error);
int api_bucket(struct api *api, const char *bucket);
int api_bytes(struct api *api, const char *what, struct neap_bytes bytes, size_t size_max);
/* Into api->path; type 0 leaves the last name open. */
int api_place(struct api *api, const struct neap_place *at, unsigned type);
int api_element(struct api *api, const struct neap_place *at, unsigned type,
                struct neap_bytes element);
/* Is there such a type in this version? INVALID. */
int api_type(struct api *api, unsigned type);
/* The caller's error from what a backend said. */
int api_failed(struct api *api, int code, const struct neap_error *error);
/* A read that was not answered in time has done nothing: UNCERTAIN becomes UNAVAILABLE. */
int api_read_failed(struct api *api, int code, const struct neap_error *error);
const struct token *api_after(const struct api *api); /* NULL: none */

/* The caller's buffers. Reserving changes no contents, so that nothing can fail once there is
 * something to tell. A zero byte is kept after the bytes. */
int api_reserve(struct neap_buffer *buffer, size_t size);
void api_fill(struct neap_buffer *buffer, struct slice bytes);
/* Reserves and fills in one, for what has no effect but this. */
int api_give(struct api *api, struct neap_buffer *buffer, struct slice bytes);
int api_give_token(struct api *api, const struct token *token); /* if it was asked for */

struct slice api_slice(struct neap_bytes bytes);

/* A client of the node there; the credentials (may be NULL) are held. */
int api_connect(const char *address, struct credentials *credentials, struct neap **ret_neap,
                struct neap_error *ret_error);
/* A handle on a backend, which it takes over; the backend stays the caller's on error. */
int api_new(struct backend *backend, unsigned flags, struct neap **ret_neap);

/* A public write from its begin to its end: api_write.c. The element is for types that have some,
 * else NULL. */
int api_write(struct neap *neap, const struct neap_place *at, const struct neap_bytes *element,
              const struct op *op, const struct neap_call *call);
/* A public read of one cell, from its begin to its end: api_read.c. Is there anything, and what is
 * its number? The element is for types that have some, else NULL. */
int api_live(struct neap *neap, const struct neap_place *at, unsigned type,
             const struct neap_bytes *element, int *ret_live, const struct neap_call *call);
enum api_empty { API_EMPTY_IS_0, API_EMPTY_IS_NOTFOUND };
int api_number(struct neap *neap, const struct neap_place *at, unsigned type,
               const struct neap_bytes *element, enum api_empty empty, int64_t *ret_number,
               const struct neap_call *call);
/* Commits ops: level, submit and token as the call says. */
int api_commit(struct api *api, struct write_op *ops, size_t count);
/* api_batch.c: copies the op into call.batch. */
int api_queue(struct api *api, const struct write_op *op);
/* The cell at api->path, as bytes of a cell: api_read.c. Both are initialised, and the caller's. */
int api_cell(struct api *api, const char *bucket, struct token *ret_token, struct buffer *ret_bytes,
             struct cell *ret_cell);
#endif
