/* Who is alive? SWIM (Das, Gupta, Motivala 2002) with suspicion, and Lifeguard's self-doubt
 * (Dadgar, Phillips, Currey 2018), as a state machine without IO: docs/decisions/0091. What is
 * heard on links comes in, and messages; what comes out waits until it is asked for. Times are of
 * the monotonic clock, and all waiting is counted in heartbeats. */
#ifndef NEAP_GOSSIP_SWIM_H
#define NEAP_GOSSIP_SWIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At the same incarnation a later one wins. */
#define MEMBER_STATES(X) X(ALIVE, "alive") X(SUSPECT, "suspect") X(DEAD, "dead") X(LEFT, "left")
enum member_state {
#define X(name, text) MEMBER_##name,
    MEMBER_STATES(X)
#undef X
        MEMBER_STATE_END
};
const char *member_state_text(enum member_state state);

#define SWIM_TYPES(X)                                          \
    X(TELL)    /* news, and as number how often I beat (ms) */ \
    X(PING)    /* are you there? */                            \
    X(ACK)     /* I am; or, with a target, it is */            \
    X(REQUEST) /* ask the target for me */                     \
    X(NACK)    /* it does not answer me either */
enum swim_type {
#define X(name) SWIM_##name,
    SWIM_TYPES(X)
#undef X
        SWIM_TYPE_END
};

enum {
    SWIM_MEMBERS_MAX = 256,
    SWIM_UPDATES_MAX = 16, /* in a message */
    SWIM_ACCUSERS_MAX = 4, /* of a suspect, that are told of */
    SWIM_HELPERS = 3,      /* asked for one member at a time */
    SWIM_MAILS_MAX = 128,  /* that wait to be sent; more are dropped: messages may get lost */
    SWIM_RELAYS_MAX = 64,  /* asked for others at a time */
    SWIM_DOUBT_MAX = 8
};
#define SWIM_INCARNATION_MAX (UINT64_C(1) << 62)

struct swim_update {
    uint64_t node, incarnation;
    enum member_state state;
    uint64_t accusers[SWIM_ACCUSERS_MAX]; /* of a suspect */
    unsigned accusers_count;
};

struct swim_message {
    enum swim_type type;
    uint64_t number, target;
    struct swim_update updates[SWIM_UPDATES_MAX];
    unsigned updates_count;
};

struct swim_options {
    uint64_t node;
    uint64_t incarnation; /* this node's, already written down */
    uint32_t beat_ms;     /* it lets each of its links hear of it so often, +- 20 % */
    uint64_t seed;
    bool device; /* nobody listens to its doubts, so it keeps them, until it hears from who is meant
                  */
};

struct swim;
struct swim_member {
    uint64_t node, incarnation;
    enum member_state state;
    uint64_t since_ms; /* it is in that state */
    bool linked;       /* there is a link to it */
};

int swim_new(const struct swim_options *options, uint64_t now_ms, struct swim **ret_swim);
void swim_free(struct swim *swim);

/* A link to that node is open, the first; or none is any more. A device is heard and probed, but
 * believed only about itself. */
void swim_link(struct swim *swim, uint64_t now_ms, uint64_t node, bool device);
void swim_unlink(struct swim *swim, uint64_t now_ms, uint64_t node);
/* Anything arrived from it. */
void swim_heard(struct swim *swim, uint64_t now_ms, uint64_t node);
/* A message from a node that is linked. INVALID: no such message is ever sent. */
int swim_take(struct swim *swim, uint64_t now_ms, uint64_t from,
              const struct swim_message *message);
/* A heartbeat goes to it: so may news. */
void swim_beat(struct swim *swim, uint64_t node);
void swim_tick(struct swim *swim, uint64_t now_ms);
uint64_t swim_deadline(const struct swim *swim); /* UINT64_MAX: none */
/* It is about to stop: all that are linked are told. It is accused of nothing more. */
void swim_leave(struct swim *swim, uint64_t now_ms);

/* What is to be written down before any mail goes out. */
uint64_t swim_incarnation(const struct swim *swim);
/* The next message to be sent, and to whom. False: there is none. */
bool swim_mail(struct swim *swim, uint64_t *ret_to, struct swim_message *ret_message);
/* The next member that is not what it was when this was last asked. */
bool swim_changed(struct swim *swim, struct swim_member *ret_member);
bool swim_find(const struct swim *swim, uint64_t node, struct swim_member *ret_member);
size_t swim_count(const struct swim *swim); /* of members, without this node */
void swim_at(const struct swim *swim, size_t index, struct swim_member *ret_member);
unsigned swim_doubt(const struct swim *swim); /* 0: none of itself */
#endif
