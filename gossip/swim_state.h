/* The inside of swim.c and swim_news.c. */
#ifndef NEAP_GOSSIP_SWIM_STATE_H
#define NEAP_GOSSIP_SWIM_STATE_H
#include "base/rng.h"
#include "gossip/swim.h"

enum swim_probe { PROBE_NONE, PROBE_DIRECT, PROBE_HELPERS };

struct member {
    struct swim_member is;
    bool device;
    bool ours;         /* it is, or was, linked here: others are believed from rumours */
    bool helped;       /* heard_ms is a helper's word */
    uint64_t heard_ms; /* it lived then... */
    uint64_t ears_ms;  /* ... and was heard here */
    uint32_t beat_ms;  /* as it told; 0: not yet */
    enum swim_probe probe;
    uint64_t probe_number, probe_until;
    unsigned asked, nacks;
    uint64_t accusers[SWIM_ACCUSERS_MAX]; /* of a suspect */
    unsigned accusers_count;
    uint64_t suspect_ms;  /* the suspicion runs since then */
    uint64_t accuse_at;   /* it is to be told what is said of it; 0: no */
    uint64_t accused_ms;  /* it was, last */
    uint64_t retry_at;    /* it is dead, and tried again */
    uint32_t retry_beats; /* after that, and so on */
    unsigned news;        /* so many times its state is still to be told */
    uint64_t news_from;   /* who knows it already */
    enum member_state told;
    uint64_t told_incarnation; /* by swim_changed(); told: the state */
    bool was_told;
};

struct mail {
    uint64_t to, number, target;
    enum swim_type type;
    bool all;       /* of all members from `about` on */
    uint64_t about; /* the member that it must tell of; 0: none */
};

/* Asked on behalf of another. */
struct relay {
    uint64_t number, target, asker, asker_number, until;
};

struct swim {
    struct swim_options options;
    struct rng rng;
    uint64_t incarnation;
    bool leaving;
    unsigned news; /* of this node itself */
    bool hot;      /* something is to be told at once */
    uint64_t hot_node;
    unsigned doubt;
    uint64_t doubt_ms; /* it changed */
    uint64_t number;
    uint64_t deadline;
    struct member members[SWIM_MEMBERS_MAX]; /* sorted by node */
    size_t members_count;
    struct mail mails[SWIM_MAILS_MAX]; /* a ring */
    size_t mails_first, mails_count;
    struct relay relays[SWIM_RELAYS_MAX];
    size_t relays_count;
};

/* swim.c */
struct member *member_find(struct swim *swim, uint64_t node); /* NULL */
/* Found or added; NULL: there is no room. */
struct member *member_get(struct swim *swim, uint64_t now_ms, uint64_t node);
uint64_t member_beat(const struct swim *swim, const struct member *member);
/* The times for probing it, with all doubt: from the last word to a ping, to helpers, to accusing.
 */
uint64_t member_quiet_ms(const struct swim *swim, const struct member *member);
uint64_t member_ping_ms(const struct swim *swim, const struct member *member);
uint64_t member_help_ms(const struct swim *swim, const struct member *member);
/* It was heard here not longer ago than it takes to accuse it. */
bool member_is_heard(const struct swim *swim, uint64_t now_ms, const struct member *member);
void mail_add(struct swim *swim, struct mail mail);
void swim_worry(struct swim *swim, uint64_t now_ms, unsigned more);

/* swim_news.c */
void member_set(struct swim *swim, uint64_t now_ms, struct member *member, enum member_state state,
                uint64_t incarnation, uint64_t from);
void member_accuse(struct swim *swim, uint64_t now_ms, struct member *member, uint64_t accuser);
bool member_is_probed(const struct swim *swim, const struct member *member);
uint64_t member_suspect_ms(const struct swim *swim, const struct member *member);
void news_take(struct swim *swim, uint64_t now_ms, uint64_t from, bool device,
               const struct swim_update *update);
bool news_for(const struct swim *swim, const struct member *to);
void news_fill(struct swim *swim, const struct mail *mail, struct swim_message *message);
void news_spread(struct swim *swim);
/* The page of a TELL of all; false: another one follows, from *ret_next on. */
bool news_page(struct swim *swim, const struct mail *mail, struct swim_message *message,
               uint64_t *ret_next);
#endif
