/* A session of repair, for the files that are one: repair.c (roots, begin, end, down the tree),
 * repair_cells.c (the cells of the nodes that differ), repair_serve.c (answers, what is mended). */
#ifndef NEAP_GOSSIP_REPAIR_H
#define NEAP_GOSSIP_REPAIR_H
#include "gossip/descent.h"
#include "gossip/state.h"

enum { REPAIR_WIDTH = 4 }; /* bytes of a sum: contexts are equal, so another session finds more */
enum {
    REPAIR_UNDER_WAY_MAX = QUESTIONS_MAX + 1, /* questions */
    REPAIR_SUMS_MAX = 32 << 10,               /* in those that are under way */
    REPAIR_SUMS_MIN = 64                      /* in one of a session whose answers are large */
};
/* Of a question or an answer, beside the page in it. */
enum { REPAIR_PACKED_MAX = 16 * MERKLE_LIST_MAX + 2 * KEY_CURSOR_MAX + 64 };

/* A part of the shard, from..end: of from..to it is asked which cells are lacking. Keys; an empty
 * end is that of the shard. */
struct repair_stretch {
    enum { STRETCH_NONE, STRETCH_WAITS /* to be asked for */, STRETCH_ASKED } state;
    uint64_t number; /* of the question */
    struct buffer from, to, end;
    uint64_t *sums; /* owned */
    size_t sums_count;
};

struct repair {
    struct context context; /* of both */
    struct descent descent;
    struct repair_stretch stretches[REPAIR_UNDER_WAY_MAX];
    uint64_t number_next;
    size_t under_way;   /* questions without an answer */
    struct buffer next; /* where the next stretch begins */
    bool ended;         /* there is no next one */
    size_t sums_count;  /* of all stretches */
    size_t sums_max;    /* of the next one */
    uint64_t cells;     /* taken and given */
};

/* repair.c */
/* Of exactly this context, and of nothing beyond it? */
bool tree_is_of(const struct shard *shard, const struct context *context);
int repair_ask(struct step *step, struct topic *topic, enum message_kind kind,
               const struct buffer *packed);
int repair_end(struct step *step, struct topic *topic, struct shard *shard);
int repair_stop(struct step *step, struct topic *topic); /* not this time */

/* repair_cells.c */
void cells_init(struct repair *repair);
void cells_done(struct repair *repair);
/* The next question, if there is room for it; the session ends when all have their answers. */
int cells_ask(struct step *step, struct topic *topic, struct shard *shard);
int cells_take(struct step *step, struct topic *topic, struct shard *shard,
               const struct message *message);

/* repair_serve.c */
int repair_serve(struct step *step, size_t peer, struct topic *topic, const struct shard *shard,
                 const struct message *message);
/* *ret_taken: TAKEN, NOTHING, or BEHIND when it came too late. ret_end: where the page ends. */
int page_take(struct step *step, struct topic *topic, struct shard *shard, size_t peer,
              struct slice page, struct buffer *ret_end, enum taken *ret_taken);
int mend_take(struct step *step, size_t peer, struct topic *topic, struct shard *shard,
              const struct message *message);
#endif
