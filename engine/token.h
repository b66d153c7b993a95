/* Tokens name what was read or written: contexts by shard. What callers keep, store and send. */
#ifndef NEAP_ENGINE_TOKEN_H
#define NEAP_ENGINE_TOKEN_H
#include "crdt/context.h"

/* A token is canonical msgpack [version, ticket, [[shard, context]...]] sorted by shard. The ticket
 * names a submitted write of this handle (0: none). */
struct token_part {
    uint64_t shard;
    struct context context;
};

enum { TOKEN_PARTS_MAX = 256, TOKEN_SIZE_MAX = 1 << 20 };
/* Bytes that the head of a token or a part takes at most, and one entry of a context. */
enum { TOKEN_HEAD_MAX = 16, TOKEN_ENTRY_MAX = 27 };

struct token {
    uint64_t ticket;
    struct token_part *parts;
    size_t count, room;
};

/* Functions that return int give NOMEM or LIMIT, and have changed nothing then. */
void token_init(struct token *token);
void token_done(struct token *token);
void token_clear(struct token *token);
int token_join(struct token *token, uint64_t shard, const struct context *context);
int token_dot(struct token *token, uint64_t shard, struct dot dot, uint32_t nonce);
const struct context *token_find(const struct token *token, uint64_t shard); /* NULL: none */
bool token_fits(const struct token *token); /* it is surely no more than TOKEN_SIZE_MAX */
void token_write(struct writer *writer, const struct token *token);    /* appended */
int token_encode(const struct token *token, struct buffer *ret_bytes); /* replaces */
/* Replaces. FORMAT: of a version that is not read; INVALID, LIMIT, NOMEM. */
int token_decode(struct slice bytes, struct token *ret_token);
#endif
