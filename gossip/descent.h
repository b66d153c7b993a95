/* Down the trees of two replicas to the nodes that differ: who asks keeps what it knows, who
 * answers remembers nothing. What travels in the questions and answers is packed here; which
 * message they are in, and of which state of the shard, is for the kind of session
 * (gossip/repair.h). */
#ifndef NEAP_GOSSIP_DESCENT_H
#define NEAP_GOSSIP_DESCENT_H
#include "base/pack.h"
#include "store/merkle.h"

struct descent {
    struct merkle_salt salt;
    unsigned bits, below, bits_end; /* nodes are of `bits`; asked is for sums of bits + below */
    size_t nodes_count, next_count;
    size_t asked, taken;                 /* nodes before these were asked for, and answered */
    uint64_t asked_number, taken_number; /* of questions */
    uint32_t nodes[MERKLE_LIST_MAX], next[MERKLE_LIST_MAX];
};

/* How digests travel in a session: 4 bytes, or 8. */
struct merkle_salt descent_salt(const struct merkle *tree, uint64_t session, unsigned width);

/* From the root to the leaves of the smaller tree. */
void descent_begin(struct descent *descent, const struct merkle *tree,
                   const struct merkle_salt *salt);
/* Its nodes are those that differ: there may be none. */
bool descent_is_done(const struct descent *descent);
struct merkle_nodes descent_nodes(const struct descent *descent);
/* Appends the next question; END: there is none before an answer comes. */
int descent_ask(struct descent *descent, struct writer *writer);
/* The peer: appends the answer. INVALID, LIMIT: it is no question; NOMEM. */
int descent_answer(const struct merkle *tree, const struct merkle_salt *salt, struct slice question,
                   struct writer *writer);
/* How many sums the next answer is to have. */
size_t descent_awaits(const struct descent *descent);
/* Answers come in order. BUSY: one was lost; STALE: the trees have become others meanwhile;
 * INVALID, LIMIT: it is none; NOMEM. */
int descent_take(struct descent *descent, const struct merkle *tree, struct slice answer);

/* ---- lists that travel ---- */

/* Indexes in ascending order, as differences. */
void write_rising(struct writer *writer, const uint32_t *items, size_t count);
/* Below `bound`; MERKLE_LIST_MAX at most. */
size_t read_rising(struct reader *reader, uint32_t *ret_items, uint64_t bound);
/* `width` bytes each; NOMEM sticks in the writer. */
void write_sums(struct writer *writer, const uint64_t *sums, size_t count, unsigned width);
size_t read_sums(struct reader *reader, uint64_t *ret_sums, unsigned width);
#endif
