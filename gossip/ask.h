/* Questions of this node's operators, and of its callers' reads, to other nodes: one to each, and
 * its answer, or why there is none. Nothing of a shard changes by them, and who answers remembers
 * nothing: a longer look is several questions. Those of operators go by the bulk links, behind what
 * is on its way there; those of reads (ASK_SEEN) by the control links, and before it.
 *
 * An ask is its owner's memory. gossip_ask() sends the questions; from then on each answer ends in
 * one of ASK_ENDS, by its `until_ms` at the latest, whatever becomes of peers and links; and when
 * all have ended, gossip_asked() gives the ask back, once. */
#ifndef NEAP_GOSSIP_ASK_H
#define NEAP_GOSSIP_ASK_H
#include "gossip/gossip.h"
#include "gossip/place.h"
#include "gossip/verify.h"

/* What is asked. A new kind is: a name here, and a row in the table of ask.c, which says who
 * answers it. */
enum ask_kind {
    ASK_LOOK = 1, /* the cells of an object (gossip/look.h) */
    ASK_VERIFY,   /* are we equal? (gossip/verify.h, with messages of its own) */
    ASK_CELLS,    /* cells that the question names (gossip/look.h) */
    ASK_SEEN,     /* the context alone, of those that have a say (engine/survey.h) */
    ASK_CALL,     /* a request of a caller, to one that holds what it is about (gossip/call.h) */
    ASK_KINDS     /* one past the last */
};

enum {
    ASKS_MAX = 8,       /* at a time... */
    ASKS_SEEN_MAX = 64, /* ... and of ASK_SEEN... */
    ASKS_CALL_MAX = 64, /* ... and of ASK_CALL */
    ASKS_ALL_MAX = ASKS_MAX + ASKS_SEEN_MAX + ASKS_CALL_MAX,
    ASK_QUESTION_MAX = 8192,   /* bytes */
    ASK_ANSWER_MAX = 128 << 10 /* bytes; whoever sends more is dropped */
};

/* X(name, text for people) */
#define ASK_ENDS(X)                                                              \
    X(WAITS, "no answer yet")                                                    \
    X(TOLD, "it has answered")                                                   \
    X(AWAY, "not connected")                                                     \
    X(UNHELD, "it does not subscribe to this bucket")                            \
    X(LEFT, "the connection ended before it answered")                           \
    X(LOST, "too much is on the way to it: the question may not have been sent") \
    X(SILENT, "no answer in time")                                               \
    X(NOMEM, "no memory here for its answer")                                    \
    X(SPARED, "enough others have answered")                                     \
    X(CALLED_OFF, "an operator of this node called it off")                      \
    X(STOPPED, "this node is being closed, or has stopped")

enum ask_end {
#define X(name, text) ASK_##name,
    ASK_ENDS(X)
#undef X
};
const char *ask_end_text(enum ask_end end);

struct ask_answer {
    char address[128]; /* of the peer; "" unknown */
    uint64_t node;     /* 0: never met */
    enum ask_end end;
    /* With TOLD: what the peer says. 0: `bytes` are the answer. END, STALE, CORRUPT, LIMIT: as the
     * kind has it. NOTFOUND: it has no such shard (yet). BUSY: the shard is not open between the
     * two yet (a session begins), or may not be told of yet (rule 9): ask again. FORMAT: it does
     * not know this kind of question. */
    int code;
    struct context context; /* of the shard there, as it was when it answered; empty when code */
    struct buffer bytes;    /* NOT checked: whatever the peer sent */
    struct verify_result *verified; /* of ASK_VERIFY; NULL: it could not be asked */
    uint64_t equal_ms, differs_ms;  /* of ASK_VERIFY: as struct equal_status, when it ended */
    size_t peer;                    /* gossip's: its number */
    uint64_t link;                  /* gossip's: who is to answer... */
    uint64_t other;                 /* ... and where it may: of ASK_CALL */
};

struct ask {
    enum ask_kind kind;
    uint64_t shard;
    struct slice bytes; /* the question, ASK_QUESTION_MAX; borrowed during gossip_ask() */
    uint64_t node;      /* to this peer alone; 0: to all */
    uint64_t until_ms;  /* mono_ms */
    /* Of ASK_VERIFY: what is under way counts, too. Keys from this path on (that of
     * store/shard_verify.h; empty: all; borrowed during gossip_ask()), at most so many. */
    bool all;
    struct slice from;
    size_t keys_max; /* 0, or more than VERIFY_KEYS_MAX: that */
    /* Buckets that whoever is asked must subscribe to (of ASK_SEEN: one, borrowed as long as the
     * ask; empty: no matter which), and of ASK_CALL who was asked already: borrowed during
     * gossip_ask(). */
    const char *const *names;
    size_t names_count;
    const uint64_t *tried;
    size_t tried_count;
    void *owner; /* the caller's business */
    /* Asked when an answer has ended: may the ask end now? NULL: not before all have. */
    bool (*is_enough)(const struct ask *ask);
    /* Out: one for each peer, connected or not. Complete when gossip_asked() has given it back. */
    struct ask_answer *answers;
    size_t count;
    enum neap_level level; /* of ASK_SEEN, in: of a slot of a ring, which owners count */
    struct group *groups;  /* out: those, in groups; NULL: it is a mesh bucket */
    size_t groups_count;
    uint64_t me;       /* out: this node */
    unsigned members;  /* of ASK_SEEN: nodes that have a say, this one among them... */
    bool self;         /* ... if it is one, and may say what it has */
    bool limited;      /* this node is a device: not all is told to it */
    int code;          /* 0, or why all ended early */
    uint64_t id;       /* gossip's */
    uint64_t number;   /* for people: the first is 1 */
    uint64_t began_ms; /* mono_ms */
    size_t chosen;     /* gossip's: of ASK_CALL, the peer */
    bool sent;         /* gossip's: the turn in which it was asked is over */
};

/* What came out of an ask; its memory stays the owner's. Not while it is under way. */
void ask_done(struct ask *ask);

/* BUSY: ASKS_MAX (ASKS_SEEN_MAX, ASKS_CALL_MAX) are under way; NOTFOUND: no such peer, or nobody
 * who is there and was not tried holds it; LIMIT: the question is too long; NOMEM. Then it is not
 * under way. */
int gossip_ask(struct gossip *gossip, struct now now, struct ask *ask, struct outbox *outbox);
/* One that has ended, no longer under way; NULL: none. */
struct ask *gossip_asked(struct gossip *gossip);
size_t gossip_asks(const struct gossip *gossip); /* that are under way */
/* What it waits for ends; it is given back as ever. */
void ask_call_off(struct ask *ask);
/* All end with this code. */
void gossip_asks_end(struct gossip *gossip, int code);
#endif
