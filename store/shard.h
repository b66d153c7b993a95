/* One replica of one shard: the unit of replication and causality. This is design section 2; the
 * numbers in the comments are its rules, tests/model/shard_model.py their executable form.
 *
 * A shard's state in memory (context, residues, session) belongs to the thread that turns the
 * wheel. Functions that take only a view and an id may be called from any thread.
 * Every function that takes a batch is all or nothing: on error, batch and shard are as before. */
#ifndef NEAP_STORE_SHARD_H
#define NEAP_STORE_SHARD_H
#include "base/hash.h"
#include "crdt/hlc.h"
#include "crdt/path.h"
#include "crdt/types.h"
#include "store/batch.h"

struct hole;
struct merkle;
struct tallies;

/* What cells have seen beyond the context, kept once per batch it came in (rule 3). */
struct residue {
    uint64_t ref; /* never used twice in a shard */
    struct context context;
    bool stays; /* the context does not settle it as long as holes are open (store/hole.h) */
};

/* Past it pushes are BEHIND: a pull settles. Pulls and compares may pass it, as they are what
 * brings the count down; then only so many are searched for an equal one. */
enum { SHARD_RESIDUES_MAX = 1024 };

/* Catching up by comparing cells (rule 7): while it runs, remote events are taken only from it. One
 * that has a name is kept on disk, with each page, and is there when the shard is opened again
 * (SESSION_KEPT); whatever else is taken after it was stopped deletes it in the same batch. */
#define SESSION_KEPT UINT64_MAX
struct compare_session {
    uint64_t id;            /* 0: none */
    struct context start;   /* the peer's context when it began */
    struct context seen;    /* changed part: how far the peer's log has been read since `start` */
    struct context target;  /* changed part: the peer's context when that part began */
    struct context horizon; /* changed part: the peer's, as last told */
    uint64_t peer,
        replica;          /* who gives: node and replica id; 0: the session ends with the process */
    bool kept;            /* on disk, one may be (store/session_keep.h), be it over or not */
    struct buffer cursor; /* next path to compare; empty at the start */
    enum { COMPARE_CELLS, COMPARE_CHANGED, COMPARE_DONE } phase;
};

/* One opening of the directory: its nonce is that of the events after `since` (rule 9). */
struct opening {
    uint64_t since;
    uint32_t nonce;
};

enum { OPENINGS_MAX = 64, PROMISES_MAX = 1024, FORMERS_MAX = 64, EARLIER_MAX = 64 };

/* A replica id that this directory has left because a member was away, and its last event then: no
 * other directory goes on with it, unless more of it turns up (docs/decisions/0074). */
struct former {
    uint64_t id, n;
};

/* Whoever sends what is taken may speak for these replica ids alone (docs/decisions/0081). */
struct shard_guard {
    const uint64_t *ids;
    size_t count;
};
bool guard_has(const struct shard_guard *guard, uint64_t id);

/* What shows that nothing was made of the rights of this directory's ids in a future that it has
 * lost: nothing yet; this opening has had all that each member said to have; there is nobody who
 * could know. */
enum proof { PROOF_NONE, PROOF_MET, PROOF_ALONE };

/* What a member has told of the openings of its replica id. */
struct promise {
    uint64_t node, replica;
    struct opening *openings;
    size_t openings_count;
};

struct shard_counts { /* since opening, for status */
    uint64_t events_own, events_taken, duplicates, behind, healed, redotted, compares;
    uint64_t cells_given, cells_taken; /* by compares */
    uint64_t compares_resumed;
    uint64_t stamps_ahead; /* LWW stamps taken that were too far ahead to move the clock */
};

/* Lets the stamps of LWW cells that are taken move the node's clock. Whoever turns the wheel keeps
 * wall_ms up to date. */
struct shard_clock {
    struct hlc *hlc;
    uint64_t wall_ms;
    uint64_t expires_next; /* nothing is known to expire before (store/expiry.h) */
};

struct shard {
    uint64_t id;           /* in a mesh bucket: the hash of its name */
    char *name;            /* of the bucket */
    uint64_t life;         /* of the directory, as the record has it */
    uint64_t replica;      /* my replica id here: the life, until a reset or a re-dotting */
    uint32_t nonce;        /* of this opening of the directory (rule 9) */
    uint64_t opened_at;    /* my events up to here were made by openings that were confirmed */
    uint32_t opened_nonce; /* of that event */
    bool confirmed;        /* all members have confirmed this opening (rule 9) */
    bool leaving;          /* the directory is not the first that has this id: never confirmed */
    bool went_back;        /* a message has shown another future of my id: shard_prove(), re-dot */
    bool drawn;            /* my id was drawn in this opening: nobody else can have spent with it */
    bool unwanted;         /* the store's: this node does not subscribe to it (any more) */
    bool disowned;         /* shard_disown(), until the next re-dotting */
    enum proof proof;      /* the engine's to set, of this opening */
    struct former formers[FORMERS_MAX]; /* the oldest first */
    size_t formers_count;
    uint64_t earlier[EARLIER_MAX]; /* ids of this directory, or of those that it is a copy of,
                                    * before `replica`, for whoever asks whose they are */
    size_t earlier_count;
    const struct shard_guard *guard; /* the caller's, while it takes; NULL: who sends is believed */
    struct context_entry heard;      /* what has shown it; id 0: another name of my events */
    struct opening openings[OPENINGS_MAX]; /* since opened_at: those that made events, and this */
    size_t openings_count;
    struct promise *promises; /* what members have told of their openings */
    size_t promises_count, promises_room;
    struct context context; /* what is in: my own entry is my counter */
    struct context horizon; /* what the log no longer tells */
    struct residue *residues;
    size_t residues_count, residues_room;
    size_t
        settling; /* residues that the context covers, kept until their lists of cells are done */
    uint64_t residue_next;
    struct hole *holes; /* ranges of cells that were damaged, in their order (store/hole.h) */
    size_t holes_count, holes_room;
    struct context stable; /* what all members are known to have, and so have said what they made
                            * before they had it; grows (gossip/truncate.c) */
    uint64_t collect_to;   /* own events up to here may have left something to be collected;
                            * UINT64_MAX: not known, any may */
    struct compare_session session;
    struct merkle *tree;     /* of the cells; NULL: none is kept */
    bool tree_kept;          /* on disk, it may be: goes with the next change (store/tree_keep.h) */
    struct tallies *tallies; /* how many are in maps and sets (store/tally.h); NULL: none */
    struct heat *heat;       /* the store's: what changes much (store/heat.h); NULL: none */
    struct shard_counts counts;
    struct shard_clock *clock; /* the caller's; NULL: stamps move nothing */
    bool recorded;             /* the record tells of this opening; else the next event writes it */
    struct buffer bytes_old, bytes_new; /* scratch of local events */
};

/* Life. The record is written by whatever changes the context by other than a local event; a local
 * event costs one cell and one log entry: at opening, my counter is the higher of the record's and
 * that of my last log entry. `replica` is the directory's life: a shard whose record is of another
 * life takes it as its new replica id and keeps the old one in its context like any other; the
 * record follows with shard_save() or the first local event. But if it left events that were not
 * confirmed (rule 9), whoever has the directory that this one comes from may tell them: the shard
 * keeps that id, as one that is leaving, until shard_redot(). */
int shard_new(struct batch *batch, const char *name, uint64_t replica, uint32_t nonce,
              struct shard **ret_shard);
int shard_load(const struct view *view, uint64_t id, uint64_t replica, uint32_t nonce,
               struct shard **ret_shard);
int shard_save(struct shard *shard, struct batch *batch); /* the record, as it is now */
void shard_free(struct shard *shard);                     /* NULL is fine */
/* The 'S' record that shard_load() refused with FORMAT: *error says which version it has, and what
 * to do. The code. */
int shard_record_refuse(struct slice record, struct neap_error *error);
/* The log has lost entries (store/salvage.h): it goes, and the horizon is the context, as far as
 * the record, the log and the cells show it. All that it tells counts as confirmed, as what isn't
 * can't be re-dotted: the directory begins a new life, so the shard gets another id when it is
 * loaded. */
int shard_forget_log(const struct view *view, struct batch *batch, uint64_t shard);
/* Rule 9, a shard that was dropped and is subscribed again: cells, log, context go; a new id. The
 * caller has made sure that others have all that the context names: it is lost otherwise. */
int shard_reset(struct shard *shard, struct batch *batch, uint64_t replica);
/* All of it goes from disk, its record too; in memory it is as before, and to be freed. */
int shard_erase(const struct shard *shard, struct batch *batch);

/* Is nothing in it but own events of this id? */
bool shard_is_alone(const struct shard *shard);
bool shard_is_own(const struct shard *shard, uint64_t id); /* this directory's, now or earlier */
/* Has it all that the context has, those ids apart? */
bool shard_covers_but(const struct shard *shard, const struct context *context,
                      const struct shard_guard *guard);
/* May cells of this bucket live in the shard? */
bool shard_has_bucket(const struct shard *shard, uint64_t bucket);

/* Reading: any thread. */
/* The dots of a cell. Borrowed from `bytes`. An absent cell is an empty one, and 0 is returned. */
int cell_read(const struct view *view, uint64_t shard, uint64_t bucket, struct slice path,
              struct buffer *bytes, struct cell *ret_cell);
/* A stored value of the cells family (as a scan gives it) as a cell. */
int cell_stored(struct slice value, uint64_t *ret_residue_ref, struct cell *ret_cell);
/* Joins what a stored cell with this reference (cell_stored()) knows beyond the context; nothing
 * when that is settled. */
int cell_residue(const struct view *view, uint64_t shard, uint64_t residue_ref,
                 struct context *context);
/* The context as the view's state has it (record and last own log entry). NOTFOUND: no such shard.
 */
int shard_context_read(const struct view *view, uint64_t shard, struct context *ret_context);

/* Local events (rule 2). */
/* One event on one cell. *ret_dot names it; its n is 0 when nothing changed and no event was made.
 * What only a residue says to be gone is removed by an event of its own: whoever has that, or the
 * context when there was none, has nothing of it. */
int shard_write(struct shard *shard, struct batch *batch, uint64_t bucket, struct slice path,
                const struct op *op, struct dot *ret_dot);
/* May this replica spend rights of bounded counters (0074)? And of which ids besides its own; room
 * for FORMERS_MAX. */
bool shard_spends(const struct shard *shard, uint64_t *ret_ids, size_t *ret_count);
/* Removes every cell below the prefix that has dots (which `seen` covers) or a residue, one event
 * each. */
int shard_remove(struct shard *shard, struct batch *batch, uint64_t bucket, struct slice prefix,
                 const struct context *seen, uint64_t *ret_events);

/* What own events of (horizon, to] have left behind in cells and is spent, now that shard->stable
 * covers them, goes: an event for each cell. *ret_to: how far that came, which may be short of `to`
 * after much work. *ret_events may be NULL. */
int shard_collect(struct shard *shard, struct batch *batch, uint64_t to, uint64_t *ret_to,
                  uint64_t *ret_events);

/* To undo several local events at once, together with batch_rollback(). */
struct shard_mark {
    uint64_t counter;
    bool recorded;
};
struct shard_mark shard_set_mark(const struct shard *shard);
void shard_rollback(struct shard *shard, struct shard_mark mark);

/* Events for others (rules 4 and 6). A chunk is: my context, runs of events by replica id without
 * gaps, and each distinct cell that they changed, once, in its current state.
 * The view must be one state of context, log and cells, and a durable one (rule 8): the caller
 * syncs before the chunk leaves. */
enum { CHUNK_SIZE = 48 << 10 }; /* aimed at; one event's cell may exceed it */
/* What `since` lacks, as much as fits. With only_id != 0: of that replica id alone (push).
 * STALE: `since` is below my horizon, compare instead. END: it lacks nothing. BUSY: not released
 * yet (rule 9, below). */
int shard_chunk(const struct shard *shard, const struct view *view, const struct context *since,
                uint64_t only_id, size_t size_max, struct buffer *ret_chunk);
/* The same for a compare session, with my horizon: nobody else looks at it. */
int shard_changed(const struct shard *shard, const struct view *view, const struct context *since,
                  size_t size_max, struct buffer *ret_chunk);

enum chunk_source { CHUNK_PUSH, CHUNK_PULL, CHUNK_CHANGED /* of the compare session */ };
enum taken {
    TAKEN,
    TAKEN_NOTHING, /* known already */
    TAKEN_BEHIND,  /* an event before it is missing, or too many residues: pull */
    TAKEN_BUSY     /* a compare session runs, and this is not of it */
};
/* Merges a chunk from a peer: cells by rule 3, then the context, for what the chunk completed and
 * no more. INVALID or LIMIT: not a valid chunk of this shard, nothing taken. STALE, here and for
 * pages and messages: it is of another history than this shard or a promise (rule 9, below); end
 * the session; when shard->went_back is set, re-dot. Under a guard, and nothing is taken: REFUSED,
 * events of ids that are not in it; BUSY, it knows more than this shard of such ids. */
int shard_take(struct shard *shard, struct batch *batch, struct slice chunk,
               enum chunk_source source, enum taken *ret_taken);
/* The same of a chunk of events that is decoded: its horizon may be another one then. */
struct chunk;
int shard_take_chunk(struct shard *shard, struct batch *batch, struct chunk *chunk,
                     enum chunk_source source, enum taken *ret_taken);

/* Catching up by comparing (rule 7), as a flat exchange in path order.
 * The side that has: a page of cells from `cursor` on (empty: the start), stateless. */
int shard_compare_page(const struct shard *shard, const struct view *view, struct slice cursor,
                       size_t size_max, struct buffer *ret_page);
/* The same; ret_next: the cursor of the page after it (empty: there is none), ret_cells: how many
 * are in it. `cursor` may be what ret_next has. */
int shard_page(const struct shard *shard, const struct view *view, struct slice cursor,
               size_t size_max, struct buffer *ret_page, struct buffer *ret_next,
               uint64_t *ret_cells);
/* The side that lacks: begin with the peer's context, take pages until phase is COMPARE_CHANGED,
 * take chunks since session.seen until COMPARE_DONE, then end. All of it may stop anywhere: then
 * shard_compare_stop(), nothing is claimed and what was merged stays. */
int shard_compare_begin(struct shard *shard, uint64_t session, const struct context *start);
/* END: the page was taken before; BUSY: one before it was not; nothing happened. A page may be
 * taken in part: then the session's cursor is in it. */
int shard_compare_take(struct shard *shard, struct batch *batch, struct slice page);
/* Merges the context of the start, raises the horizon. STALE: the peer's horizon has passed the
 * start meanwhile; the session is over and must begin again. */
int shard_compare_end(struct shard *shard, struct batch *batch, const struct context *peer_horizon);
void shard_compare_stop(struct shard *shard);
/* Names who gives, after the begin: then the session outlives the process. It may go on only with
 * that node under that replica id, with a context that covers session.start. */
void shard_compare_name(struct shard *shard, uint64_t peer, uint64_t replica);
/* Between equal contexts a difference is damage: the page's dots that were lost here come back,
 * make no event, and are counted. Of no effect when contexts differ: BEHIND. */
int shard_repair_take(struct shard *shard, struct batch *batch, struct slice page,
                      enum taken *ret_taken);

/* Read repair and quorum reads: one cell with its knowledge, by rule 3 and nothing else. */
int shard_cell_message(const struct shard *shard, const struct view *view, uint64_t bucket,
                       struct slice path, struct buffer *ret_message);
int shard_take_cell(struct shard *shard, struct batch *batch, struct slice message,
                    enum taken *ret_taken);

/* When the context has come to cover a residue, the empty cells that were kept for it go: some with
 * each change of the shard by others, and some with each call of this. No effect when settling is
 * 0. */
int shard_settle(struct shard *shard, struct batch *batch);

/* The answers of several replicas about one cell as one message, which knows what they know
 * together. INVALID: not messages about one cell. */
int cell_messages_merge(const struct slice *messages, size_t count, struct buffer *ret_message);

/* The log (rule 5): what all members have goes; `stable` may be early (a bound was passed). */
int shard_truncate(struct shard *shard, struct batch *batch, const struct context *stable);
uint64_t shard_log_count(const struct shard *shard);
uint64_t shard_log_count_of(const struct shard *shard, uint64_t id);

/* Directories that went back in time (rule 9).
 *
 * What an opening writes under an id of earlier openings stays here until every member has said
 * what it has seen of that id, and none has seen anything beyond opened_at: then the opening is
 * confirmed, for good. Whoever can't wait for a member that is away re-dots at once: a new id needs
 * no confirmation, and a shard's first id neither. shard_chunk(), shard_compare_page() and
 * shard_cell_message() give BUSY until then. One that is leaving is not confirmed, but re-dots
 * then.
 *
 * In the first message of every session and push connection, both ways and for each shard: the
 * shard_quote() of the receiver's id and my shard_claim(). The receiver checks the quote
 * (ROLLBACK: re-dot, commit with sync, before anything else), and keeps the claim as a promise:
 * what comes from another future of that id is refused with STALE until its owner has met the
 * sender. */
bool shard_released(const struct shard *shard);
/* The highest (n, nonce) that I have seen of a replica id, residues included; n 0: nothing. Of my
 * own, what may be told. */
struct context_entry shard_quote(const struct shard *shard, uint64_t id);
enum quote_verdict {
    QUOTE_FINE,     /* no news */
    QUOTE_CONFIRMS, /* the opening is not confirmed yet, and this member has nothing against it */
    QUOTE_ROLLBACK
};
/* What a peer has seen of my id. */
enum quote_verdict shard_check_quote(const struct shard *shard, const struct context_entry *quote);
/* All members have answered QUOTE_CONFIRMS since the shard was opened. Writes the record. */
int shard_confirm(struct shard *shard, struct batch *batch);
/* The events that each opening made beyond opened_at get dots of an id that follows from the old
 * one, opened_at and the opening: every directory that has them finds the same names. That of the
 * present opening is my id from now on, and needs no confirmation; once the opening was confirmed,
 * only the next events get it. All cells of those events are written in this one batch, whose limit
 * does not bind here: it needs memory for them. LIMIT: no room for other ids. */
int shard_redot(struct shard *shard, struct batch *batch);
/* The directory has another future, or is another one's copy: at the next re-dotting it gives up
 * the rights of its ids, which somebody else may spend. Until then it spends nothing. */
void shard_disown(struct shard *shard);
/* How many ids that may add, at most. */
size_t shard_redot_ids(const struct shard *shard);

/* Of what is not confirmed, events may have been told under their names all the same, by another
 * future of the directory or by the one that this one is a copy of. What others have seen of the id
 * shows it: an opening of mine that made it is one in both. */
/* Moves opened_at past the openings that were told as a whole, and writes the record. */
int shard_prove(struct shard *shard, struct batch *batch, const struct context_entry *seen);
/* Another directory has given its names to events that are not confirmed here: re-dot. */
bool shard_is_renamed(const struct shard *shard, const struct context *context);

struct shard_claim {
    uint64_t replica, opened_at;
    struct opening openings[OPENINGS_MAX];
    size_t openings_count;
};
void shard_claim(const struct shard *shard, struct shard_claim *ret_claim);
/* What, beside the quote, shows that openings of the claim are in the history that is quoted; n 0:
 * nothing does. Looks at the log, and at promises: to be asked before shard_promise(). */
struct context_entry shard_proof(const struct shard *shard, const struct view *view,
                                 const struct shard_claim *claim);
/* INVALID: openings that are not in order; LIMIT: more than PROMISES_MAX nodes; NOMEM. */
int shard_promise(struct shard *shard, uint64_t node, const struct shard_claim *claim);
/* The node was not heard of for longer than a message can be under way. */
void shard_promise_forget(struct shard *shard, uint64_t node);

/* The tree of the cells (store/merkle.h), kept from here on by whatever changes them: like the
 * context it is ahead of the commit, and a rollback of the batch takes it back. Ready at once in a
 * shard that has seen nothing. NOMEM. */
int shard_tree_open(struct shard *shard, const struct hash_key *key, unsigned bits_max);
/* Work on it in the background: folds it, or goes on with the build that it wants, by so many cells
 * of the view, which must be that of the open batch. END: there is nothing (more) to do. CORRUPT,
 * IO: from the scan; the build stays where it was. NOMEM. */
int shard_tree_step(struct shard *shard, const struct view *view, size_t cells_max);

/* What a status shows; a full scan. */
struct shard_summary {
    uint64_t keys, cells, bytes, log, residues;
    struct digest digest; /* over path and canonical cell of every cell: equal = converged */
};
int shard_summary(const struct view *view, const struct shard *shard, const struct hash_key *key,
                  struct shard_summary *ret_summary);
#endif
