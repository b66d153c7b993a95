/* Dots name events, contexts say what was seen: a version vector without gaps (design 2, rule 2).
 */
#ifndef NEAP_CRDT_CONTEXT_H
#define NEAP_CRDT_CONTEXT_H
#include "base/bytes.h"
#include "base/pack.h"

/* The name of one event in one shard: the n-th of a replica id. */
struct dot {
    uint64_t id, n; /* n counts from 1, up to DOT_COUNT_MAX */
};

/* One below the largest number, so that there is a next one to count to. */
#define DOT_COUNT_MAX (UINT64_MAX - 1)

int dot_compare(struct dot a, struct dot b); /* by id, then n */

/* `nonce` is that of the opening of the directory in which event n was made (rule 9): the same
 * (id, n) under two nonces is the evidence of a directory that went back in time. */
struct context_entry {
    uint64_t id, n;
    uint32_t nonce;
};

/* Sorted by id, each id once, n > 0. A zeroed struct is the empty context. */
struct context {
    struct context_entry *entries;
    size_t count, room;
};

enum { CONTEXT_IDS_MAX = 1024 }; /* more replica ids in one shard are refused: LIMIT */

uint64_t context_get(const struct context *context, uint64_t id); /* 0 when absent */
const struct context_entry *context_find(const struct context *context, uint64_t id);
/* The same for ids that are asked for in their order: each goes on at *at, which is 0 at first. */
static inline const struct context_entry *context_next(const struct context *context, size_t *at,
                                                       uint64_t id)
{
    while (*at < context->count && context->entries[*at].id < id)
        ++*at;
    return *at < context->count && context->entries[*at].id == id ? &context->entries[*at] : NULL;
}
bool context_knows(const struct context *context, struct dot dot);
/* Functions that return int give NOMEM or LIMIT, and have changed nothing then.
 * Raises id to n; no effect when it is there already. LIMIT past DOT_COUNT_MAX. */
int context_raise(struct context *context, uint64_t id, uint64_t n, uint32_t nonce);
/* Sets id back to n (n 0 removes the entry), if it is there: only for re-dotting. */
void context_clip(struct context *context, uint64_t id, uint64_t n, uint32_t nonce);
int context_join(struct context *context, const struct context *other);
bool context_covers(const struct context *context, const struct context *other);
bool context_equal(const struct context *a, const struct context *b); /* by (id, n) */
/* The entries of `context` that go beyond `base`. ret_beyond is replaced; it may be `context`. */
int context_beyond(const struct context *context, const struct context *base,
                   struct context *ret_beyond);
int context_copy(struct context *context, const struct context *from); /* replaces */
void context_clear(struct context *context);
void context_done(struct context *context);

/* As [id, n, nonce, id, n, nonce...]. */
void context_write(struct writer *writer, const struct context *context);
/* Replaces ret_context; untouched on error, which then also sticks in the reader (NOMEM too).
 * Refuses what is not canonical (unsorted, zero n) and n past DOT_COUNT_MAX. */
int context_read(struct reader *reader, struct context *ret_context);

/* As a difference to `base`: [at, by, at, by...] says which entries of base, by their places in it,
 * go up by how much under the nonce that they have; then, as above, those that are new, or go up
 * under another nonce. Only what follows its base can be told so. */
bool context_follows(const struct context *context, const struct context *base);
void context_write_after(struct writer *writer, const struct context *context,
                         const struct context *base);
/* As context_read(). What does not go up is refused, as is what could be told in another way. */
int context_read_after(struct reader *reader, const struct context *base,
                       struct context *ret_context);

/* What one side of a merge has seen: its context joined with the cell's residue (may be NULL). */
struct knowledge {
    const struct context *context, *residue;
};

bool knowledge_has(const struct knowledge *knowledge, struct dot dot);
/* Does `a` know anything at all that `b` does not? */
bool knowledge_beyond(const struct knowledge *a, const struct knowledge *b);
int knowledge_join(const struct knowledge *knowledge, struct context *context); /* into context */
#endif
