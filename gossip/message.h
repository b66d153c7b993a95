/* Every message between nodes: canonical msgpack arrays [kind, ...]. Limits live here. */
#ifndef NEAP_GOSSIP_MESSAGE_H
#define NEAP_GOSSIP_MESSAGE_H
#include "crdt/context.h"
#include "gossip/net.h"
#include "gossip/swim.h"
#include "store/shard.h"
#include "store/subscription.h"

/* With each change that older nodes would not understand, WIRE_VERSION grows by one, and
 * WIRE_VERSION_MIN follows at a distance of one: two neighbours speak the older of their versions.
 */
enum {
    WIRE_VERSION = 1,
    WIRE_VERSION_MIN = 1,
    DIGESTS_MAX = 256,
    PAGES_MAX = 64,
    NAME_MAX_SIZE = 255
};

/* Two links a peer: small things that must not wait, and bulk. */
enum channel { CHANNEL_CONTROL, CHANNEL_BULK, CHANNELS };

/* What each of them has: the table of message.c. */
enum message_kind {
    MESSAGE_HELLO = 1, /* both ways, first on every link */
    MESSAGE_HEARTBEAT, /* control */
    MESSAGE_DIGEST,    /* control: what I have of some shards */
    MESSAGE_PUSH,      /* bulk: a chunk of my own events, or what comes next after the last push */
    MESSAGE_PULL,      /* bulk: give me what this context lacks */
    MESSAGE_PULLED,    /* bulk: a chunk, whole or after another, or why not */
    MESSAGE_COMPARE,   /* bulk: give me so many pages from this cursor on */
    MESSAGE_COMPARED,  /* bulk: one of them, or why not */
    MESSAGE_TREE,      /* bulk: give me the sums below these nodes of your tree */
    MESSAGE_TREED,     /* bulk: they, or why not */
    MESSAGE_REPAIR,    /* bulk: these are my cells of some leaves; which do we lack? */
    MESSAGE_REPAIRED,  /* bulk: those that you lack, and which I do; or why not */
    MESSAGE_MEND,      /* bulk: cells that you lack; empty: nothing was lacking, look again */
    MESSAGE_ASK,       /* bulk: a question of an operator; control: of a read (gossip/ask.h) */
    MESSAGE_TOLD,      /* by the same: its answer, or why there is none */
    MESSAGE_VERIFY,    /* bulk: are we equal, but for what is under way? (gossip/verify.c) */
    MESSAGE_VERIFIED,  /* bulk: sums or cells of mine to tell by, or why not */
    MESSAGE_DESCEND,   /* bulk: what do you have, and which sums, while we go on writing? */
    MESSAGE_DESCENDED, /* bulk: a context and sums, or why not */
    MESSAGE_DIFFER,    /* bulk: these are my cells of some leaves; what do I lack? */
    MESSAGE_DIFFERED,  /* bulk: a page of them, and what of those I lack; or why not */
    MESSAGE_HOLE,      /* bulk: give me your cells of this range: mine are damaged */
    MESSAGE_FILL,      /* bulk: a page of them, or why not */
    MESSAGE_RIGHTS,    /* bulk: give me so many rights of this bounded counter */
    MESSAGE_PUSHED,    /* bulk: I don't know what that push came after */
    MESSAGE_SWIM,      /* control: who is alive, and are you? (gossip/swim.h) */
    MESSAGE_INTEREST,  /* control: what I subscribe to, before any digest and when it changes */
    MESSAGE_LEAVE,     /* bulk: I drop this shard; have you all that this context names? */
    MESSAGE_RELIEVED,  /* bulk: yes, and I stay; or no */
    MESSAGE_KINDS      /* one past the last */
};

struct hello {
    uint64_t cluster, node, nonce;
    uint32_t wire_version;
    enum channel channel;
    const char *address; /* where I listen, "" when nowhere: borrowed, NUL-terminated copy below */
    char address_text[128];
};

enum claim { CLAIM_UNCONFIRMED, CLAIM_CONFIRMED, CLAIM_LEAVING, CLAIM_END };

/* One shard of a digest: its name, my context and horizon; and for rule 9 my replica id there with
 * what I claim of its openings, and what I have seen of the receiver's replica id (n 0: nothing).
 * The root of my tree is of exactly this context. */
struct digest_item {
    uint64_t shard;
    char name[NAME_MAX_SIZE + 1];
    uint64_t replica;
    struct context context, horizon;
    struct context_entry quote;
    struct context_entry proof; /* of the same id; n 0: none (shard_proof) */
    enum claim claim;           /* of `replica` */
    uint64_t root;              /* 0: no word */
    uint64_t opened_at;
    struct opening *openings;      /* owned */
    size_t openings_count;         /* <= OPENINGS_MAX */
    uint64_t earlier[EARLIER_MAX]; /* other ids of this directory, with events */
    size_t earlier_count;
};

struct message {
    enum message_kind kind;
    struct hello hello;
    struct digest_item *digests; /* owned */
    size_t digests_count;
    bool digests_more;             /* the rest follows in further messages */
    struct subscriptions interest; /* INTEREST: owned */
    uint64_t shard;
    uint64_t session; /* quoted back; PUSH: its number (gossip/pushed.c) */
    /* PUSH: 1, somebody waits for it to be on disks; ASK: an enum ask_kind, or one of a later
     * version; RIGHTS: how many; HEARTBEAT: the sender's clock (store/expiry.h); PULL: 1, only what
     * the other has made itself; PULLED: its place in the answer, from 0. */
    uint64_t what;
    /* COMPARE: how many are wanted; COMPARED: how many of this answer follow; PULLED: 1, another
     * chunk of it does. */
    unsigned pages;
    struct slice next; /* COMPARED: where the next answer goes on; empty: at the end. Borrowed */
    uint64_t cells;    /* COMPARED, DESCENDED: that there are here; 0: not known */
    int code; /* PUSHED, PULLED, COMPARED, TREED, REPAIRED, TOLD: 0, END, STALE, NOTFOUND... */
    /* PULL; TREE, REPAIR: what both must have, no more and no less; TOLD, VERIFY, VERIFIED: what
     * the sender has; LEAVE. */
    struct context since;
    bool compares; /* PULL: since is where a compare has got to, no claim to have all before it */
    struct swim_message *swim; /* owned */
    /* With BUSY: for how many ms. */
    struct slice bytes; /* chunk, page, cursor, what repair.c and verify.c pack: borrowed */
};

void message_init(struct message *message);
/* Of that kind, with nothing in it yet, to that question. */
void message_answer(struct message *answer, enum message_kind kind, const struct message *question);
void message_done(struct message *message);
int message_encode(const struct message *message, struct buffer *ret_bytes); /* replaces */
/* INVALID or LIMIT: drop the peer, count the reason. */
int message_decode(struct slice bytes, struct message *ret_message);
/* There is no version after WIRE_VERSION yet, so the simulator fakes one: its hello has a field
 * more, and all else a byte at the end, so that who takes it for this version, or this one for it,
 * notices. On a link in that version these add the byte, and take it away (INVALID: it is not
 * there); in others they do nothing. */
int message_mark(struct buffer *bytes, uint32_t version);
int message_unmark(struct slice *bytes, uint32_t version);
const char *message_name(enum message_kind kind);
bool message_has_shard(enum message_kind kind); /* [kind, shard, part...] */
/* What is taken and given in bulk (gossip/flow.c): what a session has asked for, and what it gives.
 */
bool message_is_bulk(enum message_kind kind);
#endif
