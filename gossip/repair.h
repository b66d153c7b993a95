/* A session of repair, for the files that are one: repair.c (roots, begin, end, down the tree),
 * repair_cells.c (the cells of the nodes that differ), repair_serve.c (answers, what is mended). */
#ifndef NEAP_GOSSIP_REPAIR_H
#define NEAP_GOSSIP_REPAIR_H
#include "gossip/stretch.h"

enum { REPAIR_WIDTH = 4 }; /* bytes of a sum: contexts are equal, so another session finds more */

struct repair {
    struct context context; /* of both */
    struct descent descent;
    struct stretches stretches;
    struct stretch_answer answer; /* scratch */
    uint64_t cells;               /* taken and given, so that there were some... */
    uint64_t given;               /* ... and given, exactly */
    uint64_t began_ms;            /* wall clock */
    bool budgeted;                /* it waits for gossip->budget, and what travels is taken of it */
};

/* repair.c */
/* Of exactly this context, and of nothing beyond it? */
bool tree_is_of(const struct shard *shard, const struct context *context);
int repair_ask(struct step *step, struct topic *topic, enum message_kind kind,
               const struct buffer *packed);
/* So many bytes were asked, taken or given. */
void repair_travelled(struct step *step, const struct repair *repair, size_t size);
/* When it may ask for more: mono_ms. */
uint64_t repair_ask_at(const struct step *step, bool budgeted, enum message_kind kind);
int repair_end(struct step *step, struct topic *topic, struct shard *shard);
int repair_stop(struct step *step, struct topic *topic); /* not this time */

/* repair_cells.c */
/* The next question, if there is room for it; the session ends when all have their answers. */
int cells_ask(struct step *step, struct topic *topic, struct shard *shard);
int cells_take(struct step *step, struct topic *topic, struct shard *shard,
               const struct message *message);

/* repair_serve.c */
struct repair_found;
/* Counts a page of cells that the other side lacks. */
void repair_given(struct gossip *gossip, const struct repair_found *found);
int repair_serve(struct step *step, size_t peer, struct topic *topic, const struct shard *shard,
                 const struct message *message);
/* *ret_taken: TAKEN, NOTHING, or BEHIND when it came too late. ret_end: where the page ends. */
int page_take(struct step *step, struct topic *topic, struct shard *shard, size_t peer,
              struct slice page, struct buffer *ret_end, enum taken *ret_taken);
int mend_take(struct step *step, size_t peer, struct topic *topic, struct shard *shard,
              const struct message *message);
#endif
