/* Stretches of a shard, several of which are asked about at once: who asks sends the sums of its
 * cells of some nodes in a stretch; the peer answers with a page of its cells that are not among
 * them, and the numbers of the sums that it lacks. It remembers nothing, as each question has all
 * that it needs (docs/decisions/0014, 0017). */
#ifndef NEAP_GOSSIP_STRETCH_H
#define NEAP_GOSSIP_STRETCH_H
#include "gossip/descent.h"
#include "gossip/state.h"
#include "store/shard_compare_tree.h"

enum {
    STRETCHES_MAX = QUESTIONS_MAX + 1, /* at a time */
    STRETCH_SUMS_MAX = 32 << 10,       /* in those that are under way... */
    STRETCH_KEYS_MAX = 2 << 20,        /* ... and bytes of keys */
    STRETCH_SUMS_MIN = 64,             /* in one of a session whose answers are large */
    /* Of a question or an answer, beside the page in it. */
    STRETCH_PACKED_MAX = 20 * MERKLE_LIST_MAX + 2 * KEY_CURSOR_MAX + 64
};

/* A part of the shard, from..end: of from..to it is asked which cells are lacking. Keys; an empty
 * end is that of the shard. */
struct stretch {
    enum { STRETCH_NONE, STRETCH_WAITS /* to be asked for */, STRETCH_ASKED } state;
    uint64_t number; /* of the question */
    struct buffer from, to, end;
    uint64_t *sums; /* owned */
    size_t sums_count;
    struct buffer keys; /* of the sums, in their order, where they are needed */
};

struct stretches {
    struct stretch items[STRETCHES_MAX];
    size_t most;  /* at a time, of these */
    size_t asked; /* that wait for an answer */
    uint64_t number_next;
    struct buffer next;           /* where the next stretch begins */
    bool ended;                   /* there is no next one */
    size_t sums_count, keys_size; /* of all stretches */
    size_t sums_max;              /* of the next one */
};

void stretches_init(struct stretches *stretches);
void stretches_done(struct stretches *stretches);
bool stretches_are_done(const struct stretches *stretches); /* all were compared */
/* Is this one, when it was compared to its end, the last? */
bool stretch_is_last(const struct stretches *stretches, const struct stretch *stretch);
/* The next one to be asked about: what is left of one that was answered goes before a new one.
 * NULL: none now. */
struct stretch *stretches_next(struct stretches *stretches);

/* Sums of its cells from stretch->from on, sums_max at most: their count is returned, with
 * stretch->to and stretch->keys, up to stretch->end. */
typedef int (*stretch_list)(void *arg, struct stretch *stretch, size_t sums_max, uint64_t *ret_sums,
                            size_t *ret_count);
/* Looks at its cells. A new one ends where the look does. */
int stretch_look(struct stretches *stretches, struct stretch *stretch, stretch_list list,
                 void *arg);
/* Appends the question about one that was looked at. */
int stretch_ask(struct stretches *stretches, struct stretch *stretch,
                const struct repair_nodes *nodes, struct writer *writer);

/* A question, as the peer reads it. */
struct stretch_asked {
    uint64_t number;
    struct repair_nodes nodes; /* its scan_max is 0 */
    struct slice from, to;     /* borrowed */
    uint64_t sums[MERKLE_LIST_MAX];
    size_t count;
    bool met[MERKLE_LIST_MAX]; /* which of the sums it has: to be filled */
    uint32_t index[MERKLE_LIST_MAX];
};

int stretch_asked_read(struct slice question, const struct merkle_salt *salt,
                       struct stretch_asked *ret_asked);
/* `looked`: cells up to the end of the page. `whole`: the stretch was looked at to its end; else
 * nothing is said of what is lacking. Uses asked->index. */
int stretch_answer_write(struct stretch_asked *asked, const struct buffer *page, size_t looked,
                         bool whole, struct buffer *packed);

/* An answer, as who has asked reads it. */
struct stretch_answer {
    struct stretch *stretch; /* that it is of; NULL: nothing that is waited for */
    size_t lost;             /* questions before it, which have no answer */
    struct slice page;
    uint64_t looked;                   /* cells of the peer up to its end */
    uint32_t lacking[MERKLE_LIST_MAX]; /* numbers of sums, ascending */
    size_t lacking_count;
};

/* Answers come in order: when it is that of a later question, those before it are to be asked
 * again. INVALID, LIMIT: it is none, and nothing has changed. */
int stretch_answer_read(struct stretches *stretches, struct slice packed,
                        struct stretch_answer *ret_answer);
/* Instead of an answer to the oldest question: it is to be asked again. */
void stretch_refused(struct stretches *stretches);
/* It was compared up to `end`. `full`: there was no room for more in the answer. */
int stretch_advance(struct stretches *stretches, struct stretch *stretch, struct slice end,
                    bool full);
#endif
