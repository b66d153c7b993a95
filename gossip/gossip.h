/* What nodes tell each other: one state machine, no IO. Peers are those of the configuration and
 * those of the member list (gossip/roster.h).
 * hello -> digests (contexts, quotes) -> push / pull / compare. Split over gossip.c (ticks, links),
 * peer.c, digest.c, push.c, pull.c, compare.c: one file a protocol. */
#ifndef NEAP_GOSSIP_GOSSIP_H
#define NEAP_GOSSIP_GOSSIP_H
#include "base/trace.h"
#include "gossip/message.h"
#include "gossip/outbox.h"
#include "gossip/roster.h"
#include "store/store.h"

struct now {
    uint64_t mono_ms, wall_ms;
};

struct gossip_options {
    uint64_t cluster;         /* id; nodes of another cluster are refused */
    const char *address;      /* my own, "" when I do not listen */
    const char *const *peers; /* addresses */
    size_t peers_count;       /* <= PEERS_MAX */
    uint32_t heartbeat_ms;    /* 1000, +- 20 % */
    uint32_t silence_ms;      /* 5000: a peer that said nothing for so long is dropped */
    uint32_t backoff_ms_max;  /* 30000; redial starts at 100 ms and doubles, with jitter */
    uint64_t log_max;         /* entries a shard: past it the log is cut for those who are away */
    size_t chunk_size;        /* of answers to pulls, about; 0: CHUNK_SIZE */
    size_t repair_scan;       /* cells looked at in one go; 0: REPAIR_SCAN_MAX */
    size_t compare_few;       /* so many leaves are compared by tree, even if they are all; 0: 64 */
    bool device;              /* what this node made stays in its log until a peer has it */
    size_t pushed_max;        /* shards of which a peer's last push is kept, each way; 0: 1024 */
    uint64_t bulk_max;        /* bytes a second that it takes, and gives, in bulk; 0: any */
    uint32_t wire_newest;     /* the faked next version, in simulators; 0: WIRE_VERSION */
    uint64_t retire_ms;       /* who is away for longer holds no log back; 0: whoever it is does */
    /* Of the member list, where it says who this node is (its id may be 0), and dials whom it finds
     * there. Copied. NULL: it does neither, as devices. */
    const struct roster_row *own;
    /* May an address of that list be dialled? NULL: any. */
    bool (*may_dial)(const char *address);
};

enum { PEERS_MAX = 256 };

struct gossip; /* peer table, per shard and peer: what it has, what was pushed */

int gossip_new(const struct gossip_options *options, struct store *store, struct trace *trace,
               uint64_t seed, struct gossip **ret_gossip);
void gossip_free(struct gossip *gossip);

/* A net event that is not a client's. All-or-nothing on the batch; a peer's fault ends its link.
 * Only NOMEM, IO and CORRUPT come back. */
int gossip_event(struct gossip *gossip, struct now now, const struct net_event *event,
                 struct batch *batch, struct outbox *outbox);
/* Counts events after which a context, here or at a peer, may be another: others need not look. */
uint64_t gossip_news(const struct gossip *gossip);
/* Is the next message of this link not to be taken yet? Its peer sends what it may not, again and
 * again: a later tick says when (EFFECT_READY). */
bool gossip_rests(struct gossip *gossip, uint64_t link);
/* Heartbeats, dials, deadlines, digests that are due, truncation. */
int gossip_tick(struct gossip *gossip, struct now now, struct batch *batch, struct outbox *outbox);
uint64_t gossip_deadline(const struct gossip *gossip); /* mono_ms of the next tick it wants */
/* Before a write's first event in a shard: it may be due for another replica id (rule 9). Asked for
 * only when something is due. */
bool gossip_has_due(const struct gossip *gossip);
int gossip_before_write(struct gossip *gossip, struct now now, uint64_t shard, struct batch *batch);
/* Own events of the shard may be told from now on: those that nobody has confirmed get names that
 * nobody can have seen. NULL: a node without gossip. BUSY: not yet, it was tried a moment ago. */
int gossip_release(struct gossip *gossip, struct now now, struct shard *shard, struct batch *batch);
/* The same for a node without gossip, which nobody ever confirms: has the shard so many unconfirmed
 * events that it takes another id? */
bool gossip_alone_is_due(const struct shard *shard);
int gossip_alone_before_write(struct shard *shard, struct batch *batch);
/* A local event was made in this shard: it is pushed by the next flush. */
void gossip_touched(struct gossip *gossip, uint64_t shard);
/* And somebody waits until others have it on their disks: they say so at once. After
 * gossip_touched(). */
void gossip_awaited(struct gossip *gossip, uint64_t shard);
/* The slowest clock of all members, as they told since this node was opened (in ms, by
 * store->expiry); and how many of those that are connected come before this node. False: not all
 * have told, or there are none. */
bool gossip_clocks(const struct gossip *gossip, uint64_t *ret_slowest, uint64_t *ret_rank);
/* A caller could have used so many rights of a bounded counter more: whoever has most of them is
 * asked at the end of the turn, now and then (docs/decisions/0074). */
void gossip_want(struct gossip *gossip, struct now now, uint64_t shard, struct slice path,
                 uint64_t amount);
/* The store subscribes to other buckets now: peers are told. */
void gossip_subscribed(struct gossip *gossip);
/* A shard goes at once, whoever has it (store_drop()). On error it is as before. */
int gossip_drop(struct gossip *gossip, uint64_t shard, struct batch *batch);
/* Events of it that no peer that could take them over is known to have. */
uint64_t gossip_unshared(const struct gossip *gossip, const struct shard *shard);
/* The tree of a shard became ready, or other than it was although no event was made. */
void gossip_tree_changed(struct gossip *gossip, uint64_t shard);
/* End of a turn: pushes events made in it to connected peers, reading through the batch. */
int gossip_flush(struct gossip *gossip, struct now now, struct batch *batch, struct outbox *outbox);
/* The net refused a send (BUSY) or lost the link: the peer is behind, a pull will mend it. */
void gossip_send_failed(struct gossip *gossip, uint64_t link, int code);

struct peer_status {
    char address[128];
    uint64_t node;  /* 0: never met */
    uint64_t named; /* by the member list; 0: nobody is */
    bool retired;   /* it is away, and logs wait for it no more */
    bool connected;
    uint64_t heard_ms;                        /* mono_ms when last heard, 0 never */
    uint64_t pushes, pulls, compares, behind; /* counts */
    uint64_t lag; /* events of mine, over all shards, not known to be there */
    char last_error[96];
    char principal[PRINCIPAL_TEXT_MAX]; /* "nobody": a link without TLS */
    bool votes;                         /* it has a say in quorums (gossip/holders.h) */
    uint64_t refused;                   /* of what it sent, for want of rights */
    /* What is known of the node there, by all who tell (gossip/swim.h). */
    bool is_member; /* the following are known */
    enum member_state state;
    uint64_t state_ms; /* mono_ms: since then */
    uint64_t incarnation;
};
size_t gossip_peers(const struct gossip *gossip);
/* The member list, as the last step left it; and a number that is another one when it may be
 * another. */
const struct roster *gossip_roster(const struct gossip *gossip, uint64_t *ret_version);
/* What this node says of itself there; NULL: it is in no list. */
const struct roster_row *gossip_own(const struct gossip *gossip);
/* Is it a node that says in the list who it is, and is not forgotten there? */
bool gossip_lists(const struct gossip *gossip);
/* Does the list not have this node as it is? Then its record is *ret_row. */
bool gossip_wants_record(const struct gossip *gossip, struct roster_row *ret_row);
/* Nodes and devices that are known to have been there, linked to this one or not; without this
 * node. */
size_t gossip_members(const struct gossip *gossip);
void gossip_member(const struct gossip *gossip, size_t index, struct swim_member *ret_member);
bool gossip_find_member(const struct gossip *gossip, uint64_t node, struct swim_member *ret_member);
/* This node's own; and how much it doubts itself, 0 to SWIM_DOUBT_MAX. */
uint64_t gossip_incarnation(const struct gossip *gossip, unsigned *ret_doubt);
/* What was last refused of a peer for want of rights: who, which bucket, which kind of message, and
 * why. NULL: nothing was. */
const char *gossip_refused(const struct gossip *gossip);
/* Those who are revoked, as the last step left it; and a number that is another one when they may
 * be others. */
struct revoked;
const struct revoked *gossip_revoked(const struct gossip *gossip, uint64_t *ret_version);
void gossip_peer_status(const struct gossip *gossip, size_t index, struct peer_status *ret_status);
/* Is what such a peer has of a shard the same as what is here? As far as it is known without
 * asking; since when, by the wall clock of this node, and from its start on. X(name, text) */
#define EQUAL_STATES(X)       \
    X(AWAY, "away")           \
    X(UNKNOWN, "unknown")     \
    X(UNDER_WAY, "under way") \
    X(NOW, "equal")           \
    X(NONE, "not subscribed") \
    X(NOT, "differs")
enum equal_state {
#define X(name, text) EQUAL_##name,
    EQUAL_STATES(X)
#undef X
};
struct equal_status {
    const char *address;    /* of the peer, as long as it is one; "" unknown */
    uint64_t node;          /* 0: never met */
    enum equal_state state; /* UNKNOWN: a tree is not built yet; NOT: damage; NONE: not there */
    uint64_t equal_ms;      /* when they were equal last; 0: not since the start */
    uint64_t differs_ms;    /* one of them is damaged, since then at least; 0: not known of */
};
void gossip_equal(const struct gossip *gossip, const struct shard *shard, size_t index,
                  struct now now, struct equal_status *ret_status);
const char *equal_state_text(enum equal_state state);
uint64_t gossip_log_max(const struct gossip *gossip);
/* Past log_max entries the oldest of a log go, whoever lacks them. For nodes without gossip, too.
 */
int gossip_cut_early(struct shard *shard, struct batch *batch, uint64_t log_max, bool *ret_cut);
/* Why a shard is not replicated in full: bucket, key when known, and what is wrong. NULL: it is. */
const char *gossip_problem(const struct gossip *gossip, uint64_t shard);
/* The last cell that was healed: bucket, key, what was wrong and who had it. NULL: none was. */
const char *gossip_healed(const struct gossip *gossip);
/* Why links were refused or dropped, counted: name and number; false past the last. */
bool gossip_count(const struct gossip *gossip, size_t index, const char **ret_name,
                  uint64_t *ret_count);
/* What was taken and given in bulk, and the questions that had to wait. */
struct flow_status {
    uint64_t bulk_max, bytes_taken, bytes_given, held, refused;
};
/* Another limit from now on, options.bulk_max. What was owed is forgiven, who waits looks again.
 * NOMEM: some of them later. */
int gossip_limit(struct gossip *gossip, uint64_t bulk_max);
/* Entries of a log from now on; more are cut at the next turn. NOMEM: some of them later. */
int gossip_set_log_max(struct gossip *gossip, uint64_t log_max);
uint64_t gossip_retire_ms(const struct gossip *gossip);
void gossip_set_retire_ms(struct gossip *gossip, uint64_t retire_ms);
void gossip_flow_status(const struct gossip *gossip, struct flow_status *ret_status);
/* It is about to stop: all that are linked are told, and have it as left instead of suspecting it.
 */
int gossip_leave(struct gossip *gossip, struct now now, struct batch *batch, struct outbox *outbox);
/* Test and operator: stop (or start again) all talk with peers: dials, accepts, links. */
int gossip_isolate(struct gossip *gossip, bool isolated, struct outbox *outbox);
#endif
