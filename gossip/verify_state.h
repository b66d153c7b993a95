/* For gossip/verify*.c: a question about a shard, how it travels, and its answer. */
#ifndef NEAP_GOSSIP_VERIFY_STATE_H
#define NEAP_GOSSIP_VERIFY_STATE_H
#include "gossip/state.h"
#include "gossip/verify.h"
#include "store/shard_verify.h"

enum {
    VERIFY_AGAIN_MS = 50,         /* after an attempt that came to nothing */
    VERIFY_NODES_MAX = 256,       /* that are looked into at once */
    VERIFY_BELOW_FIRST = 8,       /* levels below the root that are asked for first */
    VERIFY_LIST_BYTES = 48 << 10, /* of cells in an answer */
    VERIFY_PACKED_MAX = 512 << 10
};

/* What is asked for, beside the context of the other. */
enum verify_ask { VERIFY_ASK_CONTEXT, VERIFY_ASK_SUMS, VERIFY_ASK_CELLS, VERIFY_ASKS };

/* What a message says beside shard, session and context. Slices borrow from it. */
struct verify_question {
    enum verify_ask ask;
    struct merkle_nodes nodes; /* `index` has room for VERIFY_NODES_MAX */
    unsigned below;            /* of SUMS */
    struct slice from;         /* of CELLS */
    bool all;                  /* nothing is left out, and all that is known is told of */
    struct verify_paths paths; /* cells that are under way */
};

struct verify_answer {
    enum verify_reason why; /* else nothing but the context follows */
    unsigned below;         /* SUMS: as asked, or fewer */
    uint64_t *sums;         /* room for VERIFY_SUMS_MAX */
    size_t sums_count;
    struct slice cells;        /* CELLS: [path, sum, path, sum...], for verify_cells_next() */
    struct slice to;           /* CELLS: how far they are; empty: to the end */
    struct verify_paths paths; /* cells that are under way */
};

/* A question to one peer. */
enum verify_stage { STAGE_ROOT, STAGE_TREE, STAGE_CELLS };

struct verify {
    struct verify *next;
    uint64_t ask, link; /* whose answer this is to be, which may have ended without us */
    uint64_t shard;
    size_t peer;
    uint64_t at_ms; /* mono_ms: its next step */
    enum verify_stage stage;
    struct verify_result *result; /* the answer's */
    bool all;                     /* as the ask has it, with the two that follow */
    size_t keys_max;
    struct buffer start;
    struct context seen; /* of the peer, as it said last */
    bool probes;         /* the next question is only what the peer has seen */
    bool doubts;         /* that it takes all that is pushed to it */
    bool repeats;        /* once, as it had seen all that was left out */
    /* Of the question under way; session 0: none. */
    uint64_t session, asked_ms;
    bool probed;
    struct context asked, base, residue;
    struct verify_paths paths;
    struct merkle_watch watch;
    struct verify_sums sums; /* as the tree was: the array holds VERIFY_SUMS_MAX */
    /* Where to look: nodes of the tree, and how far the cells below them are done. */
    unsigned bits;
    uint32_t nodes[VERIFY_NODES_MAX];
    size_t nodes_count;
    struct buffer from;
    bool more; /* nodes or keys that differ were left out, as there are too many */
};

/* verify_pack.c. Paths are owned after a read, also after one that failed. */
int verify_question_write(const struct verify_question *question, struct buffer *ret_bytes);
int verify_question_read(struct slice bytes, uint32_t *index, struct verify_question *ret_question);
int verify_answer_write(const struct verify_answer *answer, struct buffer *ret_bytes);
int verify_answer_read(struct slice bytes, uint64_t *sums, struct verify_answer *ret_answer);
int verify_cell_write(struct buffer *cells, struct slice path, uint64_t sum);
/* END: there are no more; INVALID: not in order, or not packed so. */
int verify_cells_next(struct slice *cells, struct slice *path, uint64_t *ret_sum);
struct hash_key verify_salt(const struct shard *shard, uint64_t session);

/* verify_answer.c */
int verify_serve(struct step *step, size_t peer, const struct message *message);
/* `all`: what is under way may be seen. */
enum verify_reason verify_why(enum verify_state state, bool all);

/* verify.c */
int verify_begin(struct gossip *gossip, const struct ask *ask, size_t peer,
                 struct ask_answer *answer);
void verifies_free(struct gossip *gossip);
/* The link refused something: perhaps a question, which is asked again soon. */
void verifies_lost(struct gossip *gossip, uint64_t link);
/* Those whose answers have ended go. */
void verifies_sweep(struct gossip *gossip);
int verifies_tick(struct step *step);
uint64_t verifies_deadline(const struct gossip *gossip);
/* There is nothing more to ask: it is answered. */
void verify_finish(struct gossip *gossip, struct verify *verify);
/* Nothing came of the attempt: once more, after a while. */
int attempt_void(struct step *step, struct verify *verify, enum verify_reason why, bool there,
                 uint64_t again_ms);
/* The sums are equal here, and there. */
int verify_equal(struct step *step, struct verify *verify);
/* The whole once more. */
int verify_restart(struct step *step, struct verify *verify);
struct ask_answer *ask_find(struct gossip *gossip, uint64_t id, uint64_t link); /* ask.c */

/* verify_take.c */
int verify_take(struct step *step, size_t peer, const struct message *message);
#endif
