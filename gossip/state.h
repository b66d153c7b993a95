/* The inside of gossip: links, peers, and what is known of each shard at each peer. Only files of
 * this folder include it.
 *
 * A link is one stream. A peer is one process at the other end (or the address where one is to
 * be), with a link per channel. A session with a peer begins with its control link; in it a shard
 * is open when the peer's digest has quoted what it saw of my present replica id (design 2, rule
 * 9): nothing of the shard is given to or taken from a peer before. */
#ifndef NEAP_GOSSIP_STATE_H
#define NEAP_GOSSIP_STATE_H
#include "base/rng.h"
#include "base/tokens.h"
#include "gossip/access.h"
#include "gossip/ask.h"
#include "gossip/call.h"
#include "gossip/gossip.h"
#include "gossip/kept.h"
#include "gossip/place.h"
#include "gossip/revoked.h"
#include "gossip/task.h"
#include "store/chunk.h"

enum {
    BACKOFF_MS_MIN = 100,
    DIGEST_SIZE_AIM = 48 << 10,              /* of one message of digests */
    DIGEST_QUICK_MS = 20,                    /* between two digests to a peer that waits for one */
    DIGEST_MESSAGES_MAX = 5,                 /* of digests to one peer in one turn */
    DIGEST_AGAIN_MS_MIN = 200,               /* after one was refused; twice as long each time... */
    DIGEST_AGAIN_MS_MAX = 2000,              /* ... up to this */
    PULLS_MAX = 4,                           /* shards that are pulled from one peer at a time */
    PULL_CHUNKS_MAX = 8,                     /* in the answer to one question */
    QUESTIONS_MAX = 15,                      /* of a pull, under way beside its oldest one */
    PULL_AGAIN_MS = 500,                     /* after a peer had nothing to give */
    PULL_READY_MS = 100,                     /* after a peer was not ready to give */
    ANSWER_BYTES_MAX = 2 * MESSAGE_SIZE_MAX, /* what comes up to the end of an answer, at most */
    ANSWER_BYTE_MS = 4,                      /* what a byte of it may take */
    REPAIR_REST_MS_MIN = 10000, /* after a repair that found nothing; twice as long each time... */
    REPAIR_REST_MS_MAX = 3600000, /* ... up to this */
    FAULT_AGAIN_MS = 10000,       /* a shard in trouble, or a peer that can't give one, rests */
    COMPARE_FEW = 64,             /* leaves of a small tree: cheap even if all of them differ */
    TREE_WAIT_MS = 100,           /* for a tree that is being built, and again... */
    TREE_STUCK_MS = 10000,        /* ... unless it does not grow for so long (mine)... */
    TREE_WAIT_MS_MAX = 60000,     /* ... or in all (a peer's) */
    /* A compare asks for so many pages at a time, and for the next ones when no more than that are
     * still to come: giver and taker are at work together, and 7 pages are under way at most. */
    RESUME_WAIT_MS = 15000,  /* for the peer of a compare, when another has what it began with... */
    RESUME_ALONE_MS = 30000, /* ... and when none has, but somebody else is there */
    COMPARE_PAGES = 4,
    COMPARE_AHEAD = 3,
    PUSH_WAIT_MS = 200,        /* events that a peer made may be on their way as a push */
    PUSH_EVENTS_MAX = 4096,    /* a peer that lacks more of mine is left to pull... */
    PUSH_AGAIN_MAX = 1024,     /* ... until it lacks no more than that */
    PUSH_BYTES_MAX = 1 << 20,  /* to one peer in one turn */
    PUSHED_MAX = 1024,         /* shards of which a link's last push is kept, each way */
    UNLISTED_MS = 3600000,     /* the log waits so long for a peer that is not in the list */
    UNLISTED_HELLO_MS = 60000, /* and so long when it has said nothing but hello */
    RELEASE_WAIT_MS = 1000,    /* for those who could confirm that my directory did not go back */
    UNRELEASED_MAX = 16384,    /* unconfirmed events of a shard: a new id before there are more */
    UNRELEASED_BYTES_MAX = 32 << 20, /* the same, of what re-dotting them would write */
    CONTEXT_BYTES = 27,              /* of one entry of a context, packed */
    WANTS_MAX = 64,                  /* bounded counters of which rights are wanted */
    WANT_AGAIN_MS = 250,             /* between two questions for those of one counter */
    RIGHTS_A_SECOND = 64             /* answers to such, to one peer */
};

#define GOSSIP_REASONS(X)                                                                          \
    X(malformed)                                                                                   \
    X(unexpected)                                                                                  \
    X(wrong_cluster)                                                                               \
    X(other_name)                                                                                  \
    X(not_a_peer)                                                                                  \
    X(wire_version)                                                                                \
    X(dialled_self)                                                                                \
    X(other_channel)                                                                               \
    X(no_hello)                                                                                    \
    X(too_many_peers)                                                                              \
    X(silent)                                                                                      \
    X(duplicate)                                                                                   \
    X(restarted) X(isolated) X(bad_shard) X(bad_chunk) X(bad_page) X(too_many_shards) X(no_answer) \
        X(not_sent) X(stale) X(behind) X(rollbacks) X(other_history) X(redotted) X(log_cut_early)  \
            X(nothing_new) X(shard_limit) X(shard_damaged) X(not_given) X(bad_repair)              \
                X(bad_question) X(repairs) X(repair_cells) X(repair_bytes) X(nothing_lost)         \
                    X(bad_verify) X(verify_cells) X(verify_bytes) X(holes_filled)                  \
                        X(holes_closed) X(holes_given_up)                                          \
                        X(rights_asked) X(rights_given) X(forbidden) X(hidden) X(not_shared)       \
                            X(withheld) X(foreign_id) X(foreign_dots) X(ahead) X(unheeded)         \
                                X(left_out) X(log_short) X(revoked) X(push_refused) X(answer_gap)  \
                                    X(slowed) X(not_wanted) X(dropped) X(calls_refused)            \
                                        X(forgotten)

enum reason {
#define X(name) REASON_##name,
    GOSSIP_REASONS(X)
#undef X
        REASONS
};

enum { NO_PEER = PEERS_MAX };

enum link_state { LINK_DIALING, LINK_WAITING /* for its hello */, LINK_OPEN };

struct link {
    uint64_t id;
    enum link_state state;
    bool dialed;
    size_t peer;       /* NO_PEER: not known yet */
    size_t dialed_for; /* the entry whose address was dialled; NO_PEER when accepted */
    enum channel channel;
    uint32_t version; /* that is spoken here, once it is open; 0: only hello is */
    bool failed; /* the net would not dial */
    bool left;   /* who is there has said that it is closed: nothing that comes is done */
    uint64_t since_ms, heard_ms;
    uint64_t came;              /* bytes of messages that were received whole... */
    uint64_t part;              /* ... and of the one that is on its way, as last told */
    uint64_t ready_at;          /* mono_ms: the next message is not taken before; 0: it may be */
    struct principal principal; /* owned by the entry of the table; NONE: no TLS */
};

/* pushed.c: the last push of a shard on a link, and what it told. */
enum pushed_way { PUSHED_THERE, PUSHED_HERE, PUSHED_WAYS };

struct pushed {
    uint64_t link;   /* 0: none yet */
    uint64_t number; /* of all pushes of that shard to or from that process */
    bool known;      /* `base` is what it told */
    bool counted;    /* in peer.pushed_count */
    struct chunk_base base;
};

/* A round of digests goes through all shards in order, a part of them each turn. */
struct digest_round {
    bool open;
    bool all;              /* peer.digest_all, when it began */
    uint64_t from;         /* shards before this are done with */
    uint64_t turn;         /* the latest turn's number: not used again */
    uint64_t turn_from;    /* its first shard */
    uint64_t turn_at;      /* mono_ms */
    bool refused;          /* a message of it found no room */
    unsigned messages_max; /* of one turn; 0: none was sent in this session */
    uint32_t again_ms;     /* to wait after the next refusal */
};

struct peer {
    char address[128]; /* where it listens; "" unknown */
    bool listed;       /* in the configuration: a member that logs wait for */
    bool self;         /* turned out to be this node */
    bool adopted;      /* a listed address turned out to be this one: a member too */
    uint64_t named;    /* the member list says that this node lives here; 0: no */
    bool doubled;      /* listed, and counted as another entry, or nobody's (known.c) */
    unsigned turn;     /* which of a member's addresses is tried */
    size_t alias;      /* turned out to be that peer under another address; NO_PEER */
    bool met;          /* node and nonce are known */
    bool spoke;        /* and it said more than hello: it may lack what we have */
    uint64_t node, nonce;
    uint64_t links[CHANNELS]; /* open ones, 0: none */
    uint64_t dial_at[CHANNELS];
    uint32_t backoff_ms[CHANNELS];
    uint64_t heard_ms, heard_wall_ms;
    uint64_t promises;     /* the name of whoever is here, for what it promised */
    uint64_t forget_at;    /* what it promised; 0: no */
    uint64_t heartbeat_at; /* the next one to it */
    bool digest_soon;      /* it waits for one */
    bool digest_all;       /* all that changed is due */
    uint64_t digest_after; /* not before */
    struct digest_round round;
    unsigned pulling;
    uint64_t pushed_bytes; /* in this turn */
    size_t pushed_count[PUSHED_WAYS];
    struct tokens rights; /* that it was given */
    uint64_t clock_ms;    /* its clock, as it told last; 0: not yet */
    uint64_t answered;    /* the latest pull.asked that it answered: it answers in order */
    uint64_t pushes, pulls, compares, behind;
    char last_error[96];
    struct subscriptions interest; /* what it subscribes to, as it told last (interest.c) */
    bool interest_known;           /* it did */
    bool interest_told;            /* in this session it was told what this node subscribes to */
    uint64_t interest_told_ms;     /* when; it tells all again for it */
    bool control_heard;            /* in this session something came after its hello */
    struct principal principal;    /* of whoever was there last; NONE: nobody looked (access.h) */
    uint64_t refused;              /* that it sent and may not */
    struct tokens refusals;        /* the same, a second */
    uint64_t heeds_from, claims_from;
    unsigned heeds, claims; /* since then */
};

/* A node that left its entry to another: what it promised holds while its messages may be under
 * way. */
struct departed {
    uint64_t node, promises, forget_at;
};

/* A shard as one peer has it. */
struct pair {
    bool known; /* the context is from this process's life */
    struct context context;
    uint64_t replica;      /* the peer's, in this session; 0: no digest yet */
    bool goes_first;       /* it may yet be confirmed under that id, and is not leaving it */
    bool open;             /* this session's digest quoted my present replica id */
    bool met;              /* since this process began, my context has covered its */
    uint64_t told;         /* the topic's version that it was told in this session; 0 none */
    uint64_t told_replica; /* the replica id of its that was quoted then */
    uint64_t told_turn;    /* the turn of digests that did so */
    bool soon;             /* it waits for a digest */
    uint64_t sent;         /* my events up to here were pushed in this session */
    struct pushed pushed;  /* to it, last... */
    struct pushed came;    /* ... and from it */
    bool behind;           /* not pushed to until its digest shows that it caught up... */
    uint64_t pulls_until;  /* ... and, as it was given a part, not before: it asks for the next */
    bool gap;              /* what I lack will not come by push */
    bool short_log;        /* its log no longer tells what I lack */
    uint64_t pull_after;   /* mono_ms; not asked before. 0: now */
    uint64_t awaited;      /* the peer's own event that should come by push before pull_after */
    uint64_t root;         /* of its tree, with exactly `context`; 0: not known */
    uint64_t differs_at;   /* mono_ms: mine, with the same context, is another since then; 0: no */
    uint64_t repair_at;    /* mono_ms: no repair before */
    uint64_t hole_after;   /* mono_ms: not asked to fill a hole before */
    uint32_t repair_rest_ms; /* after a repair that found nothing; twice as long each time */
    /* What shows the peer that events of its id, as it was then, were told (shard_proof). */
    struct context_entry proof;
    /* Of a device: its replica ids, as far as events of them may be lacking here. */
    uint64_t *ids; /* owned */
    size_t ids_count, ids_room;
    bool ordered; /* an operator wants a repair with it, until one has ended... */
    bool budgeted; /* ... within gossip->budget */
    uint64_t
        relieved; /* it has all of topic.leave.asked, and stays: the link that said so; 0: no */
    /* gossip/equal.c: the same as what is here, when it was last looked at... */
    bool equal;
    uint64_t equal_ms;   /* ... and wall_ms when it was so last; 0: never */
    uint64_t differs_ms; /* wall_ms: it is known to be damage since then; 0: no */
    /* gossip/hints.c: what was here at lacks_ms (wall_ms; 0: never mind), not all of it there. */
    struct context goal;
    uint64_t lacks_ms;
};

/* What can't be done with a shard, for a reason of this node's own. */
enum fault_in { FAULT_TAKING, FAULT_GIVING, FAULT_KEEPING };
enum { FAULT_TEXT_MAX = 256 };

enum pull_state {
    PULL_NONE,
    PULL_EVENTS,
    PULL_CELLS,   /* a compare: pages... */
    PULL_CHANGED, /* ... and what changed meanwhile */
    PULL_TREE,    /* a repair: down the tree... */
    PULL_LEAVES,  /* ... and the cells of leaves that differ */
    PULL_DESCENT, /* a compare where most is shared: the same two */
    PULL_DIFFERING,
    PULL_HOLES /* cells of a damaged range */
};

struct compare_tree;

struct repair; /* a session of gossip/repair.c */
struct verify; /* a question of gossip/verify.c */

struct topic {
    uint64_t shard;
    uint64_t version;    /* counts changes of what a digest tells */
    struct pair **pairs; /* by index of peer; NULL: never met there */
    size_t pairs_room;
    bool queued;          /* is in gossip->work */
    bool touched;         /* is in gossip->touched: has own events to push */
    bool awaited;         /* somebody waits for what is pushed next to be on disks */
    bool waiting;         /* is in gossip->waiting */
    uint64_t wake_at;     /* 0: no need */
    uint64_t release_at;  /* when those who are here have waited enough; 0: nobody is */
    bool due;             /* the next write takes a new replica id first */
    uint64_t redot_after; /* mono_ms: one failed */
    struct unreleased {
        uint64_t replica, to, bytes; /* events opened_at..to of it, measured */
    } unreleased;
    uint64_t rest_until;   /* nothing is pulled before; 0: now */
    uint64_t resume_since; /* mono_ms: a compare waits for its peer; 0: no */
    struct tree_wait {
        uint64_t mine_since, theirs_since; /* mono_ms: a compare waits for a tree; 0: no */
        uint64_t cells;                    /* of mine, by then */
    } tree_wait;
    struct leave {
        bool told;          /* some peer, that it is; or that it was */
        bool given;         /* the rights of this node are others' now */
        bool waits;         /* some could not be given yet */
        uint64_t session;   /* of the question: have you all of `asked`? 0: none was asked */
        uint64_t ask_after; /* mono_ms */
        struct context asked;
        struct buffer cursor; /* of the search for rights; empty: at the start */
    } leave;                  /* leave.c: of a shard that is on its way out */
    unsigned paused;          /* by operators: 1 << enum task_kind */
    struct fault {
        int code; /* 0: none */
        enum fault_in in;
        char text[FAULT_TEXT_MAX];
    } fault;
    const char *redot_why; /* it has to be, whatever is said from now on; NULL: it has not */
    struct pull {
        enum pull_state state;
        size_t peer;
        uint64_t session, deadline;
        uint64_t asked;                /* the number of its oldest question without an answer */
        uint64_t asked_ms;             /* when that was */
        uint64_t came;                 /* what had come on the link by then */
        uint64_t chunks;               /* of the answer to it, come one after the other... */
        struct chunk_base given;       /* ... and the last of them, when it is not the end */
        uint64_t later[QUESTIONS_MAX]; /* questions that were asked after it, before its answer */
        size_t later_count;
        size_t under_way;       /* of a session that asks several: questions without an answer */
        struct context horizon; /* compare: of the last chunk or page */
        struct buffer cursor;   /* compare: of the latest question */
        bool resumed;           /* compare: it goes on, and nothing has come yet */
        bool partly;            /* compare: what came before a restart is not in `cells` */
        /* Compare, repair: of so many at the peer (0: not known), so many are dealt with. */
        uint64_t cells, cells_total;
        struct repair *repair; /* owned */
        struct buffer held;    /* the next question, when it is paused; else empty */
        uint64_t began_ms;     /* mono_ms */
        uint64_t bytes;        /* of answers */
        uint64_t lacked;       /* events, when it began */
        uint64_t ask_after;    /* mono_ms; the peer has said so. 0: now */
        enum message_kind held_kind;

        struct compare_tree *tree; /* owned: a session of gossip/compare_tree.c */
    } pull;
};

/* Rights of a bounded counter that a caller could have used here (rights.c). */
struct want {
    uint64_t shard, amount; /* amount 0: asked for */
    struct buffer path;
    uint64_t again_ms;
};

/* flow.c: what is taken and given in bulk, within options.bulk_max. */
struct flow {
    struct tokens taken, given;
    uint64_t bytes_taken, bytes_given;
    uint64_t held, refused; /* questions: mine that had to wait, others' that must come again */
};

/* kept.c: whoever reads changes. */
struct kept_log {
    uint64_t shard, reader, until_ms;
    struct context context;
};

struct gossip {
    struct flow flow;
    struct tokens budget; /* of repairs on order that have one */
    struct gossip_options options; /* peers and address point into peers[] and own memory */
    char *address;
    struct store *store;
    struct trace *trace;
    struct rng rng;
    bool isolated;
    uint64_t now_ms; /* of the last event */
    struct link *links;
    size_t links_count, links_room;
    uint64_t link_next;
    struct peer *peers; /* PEERS_MAX */
    size_t peers_count;
    struct departed departed[PEERS_MAX];
    size_t departed_count;
    uint64_t promises_next;
    struct topic **topics; /* sorted by shard */
    size_t topics_count, topics_room;
    struct topics { /* lists, a topic at most once in each */
        struct topic **items;
        size_t count, room;
    } work, touched, waiting /* for a turn to pull */;
    size_t due_count;        /* topics that are due */
    struct verify *verifies; /* in the order that they came */
    bool touched_all;        /* there was no memory to note which */
    uint64_t wake_at;        /* the earliest of all topics; 0: none */
    uint64_t
        pushed_base;   /* numbers of pushes up to here may have been used by pairs that are gone */
    uint64_t leave_at; /* mono_ms: not before, leaves_work() */
    uint64_t session_next, asked_next;
    struct ask *asks[ASKS_ALL_MAX]; /* under way; their owners' */
    size_t asks_count;
    uint64_t asks_made;
    struct calls {
        struct called
            *items[CALLS_MAX]; /* in the order that they came; the first are the engine's */
        size_t count, given, bytes;
    } calls; /* call.c: calls of others */
    uint64_t version_next;
    uint64_t news; /* gossip_news() */
    struct want wants[WANTS_MAX];
    bool wanting; /* some of them are still to be asked for */
    uint64_t counts[REASONS];
    struct revoked revoked;
    uint64_t revoked_version;     /* grows when they were read anew */
    uint64_t system;              /* the shard of its bucket */
    bool revoked_stale;           /* the system's bucket has changed */
    struct rings rings;           /* as it describes them (place.c)... */
    uint64_t rings_version;       /* ... grows when they were read anew... */
    bool rings_stale;             /* ... as is due... */
    uint64_t rings_events, rings_events_next; /* ... unless the bucket has as many events */
    char refused[FAULT_TEXT_MAX]; /* what was, last, and why */
    char healed[FAULT_TEXT_MAX];  /* the last cell that was: key, peer, cause */
    uint64_t refusals;            /* how many there were */
    struct buffer message;        /* scratch for encoding */
    struct swim *swim;
    uint64_t incarnation, incarnation_told; /* this node's: written down; and told */
    uint64_t member_changes;
    struct roster roster;
    struct roster_row own; /* what it is to say of this node */
    uint64_t roster_version;
    bool roster_stale; /* the system's bucket has changed */
    uint64_t began_ms; /* of the first tick */
    size_t retired_count;
    bool unsettled;    /* entries may not be those that the list wants (known.c) */
    struct kept_log kept[KEPT_LOGS_MAX];
    size_t kept_count;
};

/* One step's arguments, kept together. */
struct step {
    struct gossip *gossip;
    struct now now;
    struct batch *batch; /* NULL when nothing may be written */
    struct outbox *outbox;
};

/* link.c */
struct link *link_find(struct gossip *gossip, uint64_t id); /* valid until links change */
int link_add(struct gossip *gossip, const struct link *link);
/* Closes a link and forgets what hung on it. The reason is counted. */
int link_drop(struct step *step, uint64_t id, enum reason reason);
/* A program of another version is there: `text` says which, and what to do. */
int link_drop_version(struct step *step, uint64_t id, const char *text);
/* It is gone already: NET_DOWN, or about to be closed. */
int link_forget(struct step *step, uint64_t id);
int link_send(struct step *step, uint64_t link, const struct message *message, bool names_events);
/* The same, where it does no harm when there is no room for it: it will be told or asked for again.
 */
int link_tell(struct step *step, uint64_t link, const struct message *message, bool names_events);
int answer_send(struct step *step, size_t peer, const struct message *answer); /* the same, bulk */
int links_tick(struct step *step);
uint64_t links_deadline(const struct gossip *gossip);

/* peer.c */
void peer_init(struct gossip *gossip, const char *address, bool listed, struct peer *ret_peer);
const char *peer_text(const struct gossip *gossip, size_t index);
bool peer_is_up(const struct gossip *gossip, size_t index); /* both channels */
bool peer_is_member(const struct gossip *gossip, size_t index);
/* Peers as others see them: entries that turned out to be this node, or another entry, are not.
 * NO_PEER past the last. */
size_t peer_visible(const struct gossip *gossip, size_t index);
/* The entry of whoever said hello, made if need be; LIMIT: no room. */
int peer_find(struct gossip *gossip, const struct link *link, const struct hello *hello,
              size_t *ret_index);
/* One more entry, of that node; LIMIT: no room. */
int peer_add(struct gossip *gossip, const char *address, uint64_t node, size_t *ret_index);
/* The peer's link of this channel is another one from now on (0: none). A new control link begins
 * a session. */
int peer_set_link(struct step *step, size_t index, enum channel channel, uint64_t link);
/* The entry is from now on that of another node; call it before the entry changes. What was known
 * of the shards there is forgotten, what was promised later. */
void peer_hand_over(struct gossip *gossip, size_t index, uint64_t node);
int peers_tick(struct step *step);
uint64_t peers_deadline(const struct gossip *gossip);
void peer_lost_messages(struct gossip *gossip, size_t index, enum channel channel);
void peer_error(struct peer *peer, const char *text);

/* members.c */
int members_begin(struct gossip *gossip);
/* The peer's control link is another one, or none. */
void members_link(struct gossip *gossip, struct now now, size_t index);
int members_work(struct step *step); /* what is to be told, and was not */
void members_status(const struct gossip *gossip, const struct peer *peer,
                    struct peer_status *status);

/* known.c: the entries of members */
int known_begin(struct gossip *gossip); /* reads the list; NOMEM */
/* Reads it anew if it may have changed; finds entries for those who have none. */
int known_work(struct step *step);
bool known_is_forgotten(const struct gossip *gossip, uint64_t node);
/* Does it stand for another node of the member list? */
bool peer_is_named(const struct gossip *gossip, const struct peer *peer);
bool known_has_entry(const struct gossip *gossip, uint64_t node);
/* Is it away, and logs wait for it no more? By order, or for so long (options.retire_ms). */
bool known_is_retired(const struct gossip *gossip, size_t index);
int known_tick(struct gossip *gossip); /* others may be retired by now */
/* It turned out that the node lives: it is dialled at once. */
void known_lives(struct gossip *gossip, uint64_t node);
/* It could not be dialled: the next of its addresses. */
void known_turn(struct gossip *gossip, struct peer *peer);
/* Is the address that of a peer with links, under another entry? */
bool known_is_taken(const struct gossip *gossip, size_t index);
/* How long it is left alone at most, before it is dialled again. */
uint32_t known_backoff_max(const struct gossip *gossip, const struct peer *peer);

/* hello.c */
uint32_t hello_version(const struct gossip *gossip); /* the newest that this node speaks */
int hello_send(struct step *step, const struct link *link);
int hello_take(struct step *step, uint64_t link, const struct hello *hello);

/* access.c: rights of peers */
bool access_is_limited(const struct gossip *gossip, size_t peer); /* a device */
bool access_reads(const struct gossip *gossip, size_t peer, const char *bucket);
bool access_writes(const struct gossip *gossip, size_t peer, const char *bucket);
/* The same for one that is here, by its id; a device has no part in any other. */
bool access_shares(const struct gossip *gossip, size_t peer, uint64_t shard);
enum access_verdict access_in(struct step *step, size_t peer, const struct message *message);
/* May it go out? Asked for all that does; a no is a mistake of ours, and counted. */
bool access_out(struct gossip *gossip, uint64_t link, const struct message *message);
void access_refused(struct step *step, size_t peer, const char *bucket, enum message_kind kind,
                    enum reason reason, const char *why);
/* After a message on that link of which something was refused: is the next one to wait? */
void access_rest(struct step *step, uint64_t link);
/* May events of this id come from the peer? */
bool access_gives(const struct gossip *gossip, const struct pair *pair, size_t peer, uint64_t id);
/* Does the context, of the peer, have events that are lacking here and that it may give? */
bool pair_has_more(const struct gossip *gossip, const struct pair *pair, size_t peer,
                   const struct shard *shard, const struct context *context);
/* Has it seen others' events that are lacking here? Then what it makes is not taken yet. */
bool access_is_ahead(const struct gossip *gossip, const struct pair *pair, size_t peer,
                     const struct shard *shard);
/* Around whatever takes a device's events; END: the guard has refused them, and all is done. */
void access_guard(const struct gossip *gossip, const struct pair *pair, size_t peer,
                  struct shard *shard, struct shard_guard *ret_guard);
int access_taken(struct step *step, size_t peer, struct topic *topic, struct pair *pair,
                 struct shard *shard, enum message_kind kind, int error);
/* The ids of its digest; *ret_fine is false when it is not to be taken. */
int access_claim(struct step *step, size_t peer, const struct digest_item *item, struct pair *pair,
                 const struct shard *shard, bool *ret_fine);
/* Is it believed, if that shows that this directory went back? */
bool access_heeds(struct step *step, size_t peer, const struct shard *shard,
                  const struct context_entry *seen);

/* The list of the revoked is read anew, if it may have changed, and their links end. */
int access_revoke(struct step *step);

/* interest.c: what peers subscribe to */
bool peer_wants(const struct gossip *gossip, size_t peer, const char *bucket);
/* The same of a shard by its id; one that is not here is not known to be of no interest. */
bool shard_is_wanted(const struct gossip *gossip, size_t peer, uint64_t id);
bool topic_is_wanted(const struct gossip *gossip, const struct topic *topic, size_t peer);
/* What is known of a shard at the peer is void, and so is what was agreed. */
void pair_forget(struct gossip *gossip, struct topic *topic, size_t peer);
/* Is the peer told of the shard? That it wants it, or has it still. */
bool topic_is_told(const struct gossip *gossip, const struct topic *topic, size_t peer);
int interest_tell(struct step *step, size_t peer); /* when that is due; LIMIT: no room */
int interest_take(struct step *step, size_t peer, const struct message *message);

/* leave.c: shards that this node does not subscribe to any more */
int leaves_work(struct step *step); /* not while topics are gone through: some may go */
uint64_t leaves_deadline(const struct gossip *gossip);
int leave_serve(struct step *step, size_t peer, const struct message *message);
int leave_take(struct step *step, size_t peer, const struct message *message);

/* topic.c */
/* A member that has part in this shard: subscribes to it, and may. */
bool topic_has_member(const struct gossip *gossip, const struct topic *topic, size_t peer);
struct topic *topic_find(const struct gossip *gossip, uint64_t shard); /* NULL */
size_t topic_index(const struct gossip *gossip, uint64_t shard);       /* of it or the next one */
int topic_get(struct gossip *gossip, uint64_t shard, struct topic **ret_topic);
void topic_free(struct topic *topic);
void topic_forget(struct gossip *gossip, struct topic *topic); /* out of all lists, and freed */
/* A member, or one that still has the shard: what it has seen counts, rule 9. */
bool topic_has_holder(const struct gossip *gossip, const struct topic *topic, size_t peer);
struct pair *topic_pair(const struct topic *topic, size_t peer); /* NULL */
int topic_get_pair(struct topic *topic, size_t peer, struct pair **ret_pair);
void topic_drop_pair(struct topic *topic, size_t peer);
void topic_changed(struct gossip *gossip, struct topic *topic);
void topic_set_due(struct gossip *gossip, struct topic *topic, bool due);
int topic_queue(struct gossip *gossip, struct topic *topic);
int topics_queue(struct gossip *gossip); /* all */
int topic_touch(struct gossip *gossip, struct topic *topic);
int topic_wait(struct gossip *gossip, struct topic *topic);
void topics_unwait(struct gossip *gossip);
void topic_wake(struct gossip *gossip, struct topic *topic, uint64_t at_ms);
/* The pair of an open shard, for messages that need one; NULL otherwise. */
struct pair *topic_open_pair(const struct gossip *gossip, const struct topic *topic, size_t peer);
/* What the peer has, as it says itself. It comes by two links, so the later word may be the older
 * one: vectors are joined, but for the first of a session, which replaces what was known. */
int pair_see(struct pair *pair, const struct context *context, bool replaces);
void pair_wants_digest(struct gossip *gossip, struct pair *pair, size_t peer);
/* Does `context` hold events that the shard lacks? */
bool shard_lacks(const struct shard *shard, const struct context *context);
/* Everything that follows from a change: release, pulls, truncation. */
int topics_work(struct step *step);
int topics_tick(struct step *step);

/* fault.c */
/* LIMIT and CORRUPT in work on a shard are noted as its fault, and 0 comes back; other errors do
 * as they are. */
int topic_fault(struct step *step, struct topic *topic, const struct shard *shard, int error,
                enum fault_in in);
/* The same for bytes that could not be taken: nothing is pulled for a while. What comes back is the
 * sender's fault. */
int topic_fault_taking(struct step *step, struct topic *topic, const struct shard *shard, int error,
                       enum chunk_kind kind, struct slice bytes);
/* The same of a chunk that was decoded. */
int topic_fault_chunk(struct step *step, struct topic *topic, const struct shard *shard, int error,
                      const struct chunk *chunk);
void topic_well(struct topic *topic, enum fault_in in);

/* release.c: may my events be told (rule 9)? */
/* My context as it may be told. ret_context is replaced. */
int shard_told(const struct shard *shard, struct context *ret_context);
int release_work(struct step *step, struct topic *topic, struct shard *shard);
/* Looks at what a peer has seen of my replica id. When my directory has gone back in time, the
 * events of this opening get a new id, and *ret_fine is false: nothing is to be taken. */
int release_check(struct step *step, struct topic *topic, struct shard *shard,
                  const struct context_entry *seen, bool *ret_fine);
/* What a peer's digest shows of my events that are not confirmed. */
int release_show(struct step *step, struct topic *topic, struct shard *shard,
                 const struct digest_item *item);
/* What was to be taken is of another history, mine or a third node's. */
int release_refused(struct step *step, struct topic *topic, struct shard *shard);

/* rights.c */
int wants_send(struct step *step);
void wants_free(struct gossip *gossip);
int rights_serve(struct step *step, size_t peer, const struct message *message);

/* digest.c */
int digest_take(struct step *step, size_t peer, const struct digest_item *item);
int digests_send(struct step *step); /* to whoever waits and may have one */
uint64_t digests_deadline(const struct gossip *gossip);
/* A message on the control link was refused: what this turn told is told again, after a while and
 * in smaller parts. */
void digests_refused(struct gossip *gossip, size_t peer);
void digest_hurry(struct step *step, size_t peer); /* the next one to it goes in this step */

/* push.c */
int push_work(struct step *step, struct topic *topic, struct shard *shard);
int push_take(struct step *step, const struct link *link, const struct message *message);
/* The peer did not know what a push of mine was a difference to. */
int push_refused(struct step *step, size_t peer, const struct message *message);

/* pushed.c */
void pushed_done(struct pushed *pushed);
void pushed_forget(struct pushed *pushed); /* the next push is a whole one */
/* NOMEM: nothing is kept. */
int pushed_keep(struct gossip *gossip, size_t peer, struct pair *pair, enum pushed_way way,
                uint64_t link, uint64_t number, const struct chunk *chunk);
/* May the push of this number, on this link, be a difference to what is kept? */
bool pushed_is_base(const struct pushed *pushed, uint64_t link, uint64_t number);
/* What passed on this link is forgotten, both ways. */
void pushed_link_ended(struct gossip *gossip, size_t peer, uint64_t link);

/* pull.c, compare.c */
int pull_work(struct step *step, struct topic *topic, struct shard *shard);
void pull_stop(struct gossip *gossip, struct topic *topic);
/* What the shard lacks has changed: logs that were too short may do now. */
void pull_forget_short(struct topic *topic);
/* Ends a pull; the peer is not asked again for `again_ms`. */
int pull_end(struct step *step, struct topic *topic, uint64_t again_ms);
int pull_take(struct step *step, size_t peer, const struct message *message);
/* A shard that can't be read or written rests, and the pull ends. */
int pull_fault(struct step *step, struct topic *topic, const struct shard *shard, int error,
               enum fault_in in);
/* A question was sent: an answer is waited for. */
void pull_asked(struct step *step, struct topic *topic);
/* More of a message came on a peer's bulk link: who waits for an answer there may wait longer. */
void pulls_progress(struct step *step, const struct link *link);
/* Sends a question of the pull that runs. Without room for it the pull ends. */
int question_send(struct step *step, struct topic *topic, struct message *message);
/* The same for a session that has several of them under way. LIMIT: no room for another one. */
int question_more(struct step *step, struct topic *topic, struct message *message);
/* What is under way is not waited for any more: answers that come are left out. */
void questions_forget(struct topic *topic);
/* The oldest one has its answer, or a later one has: the next one is waited for. */
void question_answered(struct step *step, struct topic *topic);
int pull_ask(struct step *step, struct topic *topic, const struct context *since);
int compare_ask(struct step *step, struct topic *topic, struct slice cursor);
int compare_go_on(struct step *step, struct topic *topic, struct shard *shard);
int compare_changed_take(struct step *step, struct topic *topic, struct shard *shard,
                         const struct message *message);
/* A compare that was interrupted goes on, when its peer is there; *ret_waits: nothing else is to
 * be pulled meanwhile. Past RESUME_WAIT_MS it is given up for another peer. */
int compare_resume(struct step *step, struct topic *topic, struct shard *shard, bool *ret_waits);
/* The peer that has most of what is lacking; one whose log was too short only if there is no other.
 * NO_PEER: none. */
size_t pull_best(struct step *step, struct topic *topic, const struct shard *shard, bool *ret_full);
int compare_serve(struct step *step, size_t peer, const struct message *message);
int compare_take(struct step *step, size_t peer, const struct message *message);

/* Events that the shard lacks of what the peer has and may give; *ret_others: of ids other than its
 * own. */
uint64_t pull_lacking(const struct gossip *gossip, const struct shard *shard, size_t peer,
                      const struct pair *pair, bool *ret_others);
/* An answer of what runs came. */
void pull_received(struct gossip *gossip, size_t peer, const struct message *message);

/* task.c */
bool pull_is_paused(const struct topic *topic, enum pull_state state);
/* Is the next question to be held back, for a pause or as too much was taken (flow.c)? */
bool pull_waits(struct step *step, struct topic *topic, enum message_kind question);
/* Instead of asking, and later; or not at all, when there is another question by then. */
int pull_hold(struct step *step, struct topic *topic, const struct message *question);
void pull_let_go(struct gossip *gossip, struct topic *topic);
int pull_go_on(struct step *step, struct topic *topic);

/* How long a peer that did not give is left alone. */
uint64_t compare_again_ms(struct step *step, int code);
/* After an error in taking. */
int compare_fault(struct step *step, struct topic *topic, struct shard *shard, int error,
                  enum chunk_kind kind, struct slice bytes);

/* compare_tree.c */
bool compare_tree_fits(const struct shard *shard); /* can a compare begin with the tree? */
/* Or will it soon? */
bool compare_tree_comes(struct step *step, struct topic *topic, const struct shard *shard);
int compare_tree_begin(struct step *step, struct topic *topic, const struct shard *shard);
/* The next questions of a session, when they may be asked. */
int compare_tree_work(struct step *step, struct topic *topic, struct shard *shard);
void compare_tree_free(struct compare_tree *tree); /* NULL is fine */
int compare_tree_message(struct step *step, size_t peer, const struct message *message);

/* pull_serve.c: the answers, PULL_CHUNKS_MAX chunks each at most */
int pull_serve(struct step *step, size_t peer, const struct message *message);

/* flow.c */
void flow_init(struct flow *flow, uint64_t bytes_per_s);
void flow_took(struct flow *flow, uint64_t now_ms, enum message_kind kind, size_t size);
void flow_gave(struct flow *flow, uint64_t now_ms, enum message_kind kind, size_t size);
/* When a question of this kind may be asked; now_ms: at once. */
uint64_t flow_ask_at(const struct gossip *gossip, uint64_t now_ms, enum message_kind question);
/* How long a peer has to wait before it is given an answer to this; 0: it gets one now. */
uint64_t flow_busy_ms(struct gossip *gossip, uint64_t now_ms, enum message_kind question);
/* Answers are as small as they can be then. */
bool flow_is_limited(const struct gossip *gossip);
/* Makes the reply BUSY; `packed`, which is to be its bytes, says how long. */
int flow_wait_write(struct message *reply, uint64_t wait_ms, struct buffer *packed);
/* The same, sent. */
int flow_refuse(struct step *step, size_t peer, struct message *reply, uint64_t wait_ms);
/* What such a reply says, within reason. */
uint64_t flow_wait_ms(const struct message *answer);

/* hints.c */
int hint_work(struct step *step, struct pair *pair, const struct shard *shard);

/* equal.c */
int equal_work(struct step *step, struct topic *topic, const struct shard *shard); /* NOMEM */
void equal_session_ended(struct pair *pair, const struct peer *peer);
struct ask_answer;
void equal_since(const struct gossip *gossip, uint64_t shard, struct ask_answer *answer);
/* By a question whether they are. */
void equal_told(struct pair *pair, bool equal, uint64_t asked_ms);

/* incident.c: entries of the history (store/annals.h). NOMEM, CORRUPT, IO. */
int incident_work(struct step *step, const struct topic *topic, const struct shard *shard);
int incident_lost(struct step *step, const struct shard *shard, size_t peer, uint64_t cells,
                  const char *key, bool whole);
int incident_given_up(struct step *step, const struct shard *shard, const char *cause);
int incident_repaired(struct step *step, const struct topic *topic, const struct shard *shard,
                      uint64_t began_ms, uint64_t given, bool mended);

/* repair.c */
/* What a digest tells of my tree: 0 when it is not ready, or of another context than is told. */
uint64_t repair_root(const struct shard *shard, const struct context *told);
/* Begins a session with whoever has the same context and another root for long enough. */
int repair_work(struct step *step, struct topic *topic, struct shard *shard);
/* Is the session that runs over, as the shard has changed? */
bool repair_is_over(const struct gossip *gossip, const struct topic *topic,
                    const struct shard *shard);
void repair_free(struct repair *repair); /* NULL is fine */
int repair_message(struct step *step, size_t peer, const struct message *message);

/* ask.c */
int ask_serve(struct step *step, const struct link *link, const struct message *message);
int ask_take(struct step *step, const struct link *link, const struct message *message);
void asks_link_ended(struct gossip *gossip, uint64_t link, enum ask_end end);
/* Who is there is closed, and all that it has done of calls it has answered before. */
void asks_link_left(struct gossip *gossip, uint64_t link);
void asks_tick(struct step *step);
uint64_t asks_deadline(const struct gossip *gossip);
/* Of this peer no answer of buckets that it does not subscribe to is awaited. */
void asks_unheld(struct gossip *gossip, size_t peer);

/* place.c: the rings, as the system's bucket has them now */
int rings_open(struct gossip *gossip);
int rings_look(struct step *step);

/* call.c */
/* Who is asked for a call; NO_PEER: nobody holds it who is there and was not tried. */
size_t call_choose(struct gossip *gossip, const struct ask *ask);
int call_serve(struct step *step, const struct link *link, const struct message *message);
void calls_free(struct gossip *gossip);

/* heal.c */
/* Asks for what is in the holes of the shard, as long as there are any. */
int heal_work(struct step *step, struct topic *topic, struct shard *shard);
int heal_message(struct step *step, size_t peer, const struct message *message);

/* kept.c */
/* Lowers what may be cut to what all readers have had; forgets those who stay away, when it is
 * time.
 */
void kept_meet(struct gossip *gossip, struct now now, struct topic *topic, struct context *stable);
void kept_free(struct gossip *gossip);

/* truncate.c */
/* Lowers every entry to what the other has. */
void context_meet(struct context *context, const struct context *other);
int truncate_work(struct step *step, struct topic *topic, struct shard *shard);
#endif
