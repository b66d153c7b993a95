/* neap.h - data that many machines write at once, and that agrees again by itself.
 *
 * This header is the manual. Read its first page, then the function that you need.
 *
 * WHAT IT IS
 *   A replicated store. Every node takes reads and writes by itself, with or without the others,
 *   and whenever two of them can talk they exchange what the other lacks. What was written at the
 *   same time on both sides is merged by the rules of its type; nothing has to be resolved by hand,
 *   but where a type keeps all of it on purpose (NEAP_REGISTER).
 *
 *   A handle (struct neap) is a node inside this process, by neap_open(), or a client of a node in
 *   another one (neapd), by neap_connect(). All other functions do the same on both.
 *
 *      struct neap_options options;
 *      struct neap *neap;
 *      struct neap_place apples = {"shop", {"apples", 6}, NULL, 0};
 *
 *      neap_options_init(&options);
 *      options.path = "shop.db";
 *      if (neap_open(&options, &neap, NULL))
 *          ...
 *      if (neap_counter_add(neap, &apples, 3, NULL))
 *          ...
 *      neap_close(neap);
 *
 * PROMISES, AND WHERE THEY END
 *   - A write that returned 0 is on this node's disk and survives a crash or a power cut. Limits:
 *     with NEAP_NOSYNC it survives the process, and after options.sync_ms the power cut too; in
 *     memory (path NULL) nothing survives neap_close().
 *   - With a level (enum neap_level), or a number (call.w), it also is on the disks of that many
 *     other nodes; and a read with a level has seen what that many nodes had acknowledged.
 *   - Nodes that can talk become equal, byte for byte, when writing pauses. There is no bound on
 *     how long that takes while they cannot talk.
 *   - What was removed stays removed, no matter how long a node was away. But what was written at
 *     the same time as the removal, by somebody who did not know of it, stays.
 *   - One call, and one batch, is all or nothing on this node's disk. Other nodes may see a batch
 *     in parts for a moment.
 *   - There are no transactions over reads and writes, no order among writes to different buckets,
 *     and no uniqueness: two nodes may make the same key at once, and then it is the same object.
 *
 * PLACES
 *   A place is (bucket, key, fields). A bucket is a name; it exists by being named. In it are
 *   objects, each named by key and type: the counter "a" and the set "a" are two objects, and it is
 *   the function's name that says which is meant, so a wrong type cannot happen. A map holds
 *   fields, each again with a name and a type; `fields` are the steps from the object down, so that
 *   a place with two fields is a field of a map that is a field of the map `key`. Maps are made by
 *   writing into them. Keys, fields, elements and values are any bytes, zeroes included; order is
 *   that of memcmp(), a prefix first.
 *
 *   What nobody has written is empty, and that is no error: a flag is off, a counter is 0, a set or
 *   map has no items, a register no values. Only neap_lww_get() has nothing to give: NOTFOUND.
 *
 * TYPES, AND WHAT COMES OF TWO WRITES AT THE SAME TIME
 *   At the same time means: neither writer had seen the other's write.
 *
 *   NEAP_LWW       a value. The later one by the clocks of the two nodes, within about a minute of
 *                  skew; the same one everywhere. One that had seen the other always wins,
 *                  clocks or not. Set against removed: the value stays.
 *
 *   NEAP_REGISTER  values of which no write is lost: all are kept, as siblings, until a write that
 *                  has seen them (call.seen) replaces them.
 *
 *   NEAP_FLAG      on against off: on. On against a removal: on.
 *
 *   NEAP_FLAG_DW   on against off: off. On against a removal: on.
 *
 *   NEAP_COUNTER   all additions count. An addition against a removal of the counter: that addition
 *                  stays, together with what its node has added before, since they are one number.
 *
 *   NEAP_COUNTER_EXACT
 *                  the same, but a removal takes exactly the additions that it has seen, and of an
 *                  addition against a removal that addition stays and nothing else.
 *
 *   NEAP_MAX, NEAP_MIN
 *                  a number: the largest, or smallest, that was written. Written against removed:
 *                  what was written stays, if it led further than what its node had; if not, it
 *                  was no write.
 *
 *   NEAP_SET       an element added against removed: it is in.
 *
 *   NEAP_SET_RW    an element added against removed: it is not in, and neither what was added at
 *                  the same time as that. An element added against the whole set, or the map around
 *                  it, removed: it is in. A removal, also of what is not in, is kept until all
 *                  nodes have it; so each costs a little until then.
 *
 *   NEAP_SCORES    members with a score each, a whole number. Set against set: the later one, as
 *                  for NEAP_LWW. Set against added to: both, so 10 and +3 are 13. Additions: all.
 *                  Set, or added to, against the member removed: it is in, with the score that was
 *                  set, or with what the adding node has added to it so far.
 *
 *   NEAP_BOUNDED   a sum that is never below 0, although nodes take from it without asking each
 *                  other: each takes of the rights that it has. What a node adds are rights of its
 *                  own, which it can give to others; it asks for more when it has too few. All
 *                  additions and takings count. A taking against a removal of the counter: what the
 *                  taker's node has added, taken, given and got stays, which is 0 or more. See
 *                  BOUNDED below.
 *
 *   NEAP_MAP       each field by its own type. A field updated against the map removed: the update
 *                  stays, what was in the map before goes.
 *
 * BOUNDED
 *   That a NEAP_BOUNDED is never below 0 holds through crashes, restored backups, copies of
 *   directories, and directories that are rolled back in place (a VM's snapshot). So a node that
 * was started again takes of what it had only when it has met all its peers, of what it gets from
 * then on at once; and rights of a directory that was lost or replaced are nobody's until
 *   neap_bounded_claim(). It does not hold where two nodes run on copies of one machine that
 * nothing tells apart; where a directory was rolled back and is opened without its peers; or after
 * a claim that was not true. Then the sum may be read below 0: it was sold out by as much.
 *
 * EXPIRY
 *   With call.ttl_ms an LWW or register value, a flag that is on, or an element of a NEAP_SET is
 * gone after so many milliseconds, alone or as a field of a map. Writing it again begins anew;
 * without ttl_ms it stays for good. Of concurrent LWW values the one that wins decides: when it is
 * over there is none.
 *   - Reads on a node do not show what is over by its clock (at most 100 ms later), and what a node
 *     has once hidden it never shows again, even if its clock is set back, or power fails, or the
 *     clock begins in 1970. For this it has a clock of its own, which never goes back; times to
 * live are counted by that.
 *   - The node that wrote it removes it everywhere when it is over by its clock; of what a node
 * left under an earlier identity, another node does so, once it is over by the clock of every peer.
 *   - So clocks that differ make a value live longer or shorter on other nodes, by as much; a clock
 *     that is years ahead hides what others wrote, on its own node, and removes nothing of it.
 *   - neap_count() of a set or map of more than 64 may count what is over and not removed yet.
 *
 * SUBSCRIPTIONS
 *   A node holds the buckets that it subscribes to: at first all. Of others it gets nothing, and no
 *   bytes; a call about them is handed on: see below. The list is of names and globs, in order: '*'
 *   stands for any text, '?' for one character, '\' takes the next character as it is, '!' before
 *   an entry takes away what it fits, and the last entry that fits a name decides. Buckets whose
 *   names begin with '_' are the system's, and always held. The list is kept on disk.
 *   - A bucket that is no longer subscribed to goes from this node's disk, and from nowhere else:
 *     nothing is removed. But first more than half of the other nodes that subscribe to it (one
 *     of one, two of three) must have all that is here, and one of them gets this node's rights
 *     of bounded counters: until then it is `leaving`, be it through restarts, or for as long as
 *     too few can be reached. An operator can have it go at once, with what only it has:
 *     neap_admin() "unsubscribe NAME force".
 *   - Subscribed again, it is fetched as by a node that is new.
 *   - So with each node that drops a bucket it has a copy less. Levels count those nodes that
 *     subscribe to it.
 *   - A read or write of a bucket that the node does not hold is handed on to a connected node that
 *     does, and its answer comes back; levels, tokens and the deadline go along. UNAVAILABLE, at
 *     once: no such node is there, and nothing happened. A read that has no answer is asked of the
 *     next one; a write that has none is UNCERTAIN. BUSY: too many are under way, here or there.
 *   - REFUSED is what is not handed on: level EDGE; call.once, as an id is remembered by the node
 *     that writes alone. A batch goes to a node that holds all of its buckets, else it is
 *     UNAVAILABLE; of buckets on a ring see neap_batch_commit(). With call.submit it is done when
 *     the call returns. neap_wait() waits for what this node holds.
 *
 * CALLS
 *   Each function takes a struct neap_call with what is not about the data: how durable, how long,
 *   in which batch, after what. NULL stands for the defaults. A field that a function has no use
 *   for is refused (INVALID), so that nobody relies on it in vain.
 *
 * TOKENS
 *   A token is a byte string that names events: all that a read saw, or what a write did; of a
 *   removal that found nothing (more) there, all that its node knows of the bucket. It can be kept,
 *   stored, sent to another machine, and given to any node of the cluster.
 *   - call.after: do this only once the node has all that the token names. Read your writes, and
 *     never go back in time, on whatever node.
 *   - call.seen: act on what was seen and nothing else, through whatever node. Replaces or removes
 *     exactly what the token covers; what came later stays. So does what that node has not got yet:
 *     give the same token in call.after as well, and the node first waits for it, or does nothing
 *     and says so (UNAVAILABLE).
 *   - neap_wait(): wait until it is here, or on as many nodes as a level says.
 *   A token covers its bucket, not only its key: a few bytes for each node that ever wrote there.
 *   A token with a submitted write in it is good for the node that gave it, until that is closed.
 *
 * AGAIN
 *   A write that ended with UNCERTAIN or IO, or whose process died, may have happened. Done again
 *   it does no harm to a set, a flag, a value; but a counter counts twice. So give such a write an
 *   id, call.once, before its first try: 1 to NEAP_ONCE_MAX bytes that nobody else uses, like 16
 *   random ones. Then do it again with the same id as often as you like, through this handle or a
 *   new one of the same node: it is done once. A repeat changes nothing, returns what the write
 *   returned, its token too, and waits for its level as the write would have.
 *   - The id is on disk together with the write or not at all, whatever crashes between.
 *   - The node remembers the last NEAP_ONCE_COUNT ids that it was given, or 64 MiB of them (some
 *     200 bytes each; more with long tokens). After that many others a repeat is a new write.
 *   - Only the node that did the write remembers it. Through another node it is a new write, which
 *     counts again: there is no way for a node to know what another one has not told it yet.
 *   - A copied or restored directory remembers what it holds. What was written after the backup
 *     is not in it, so a repeat of that is a new write.
 *   - So if it must never count twice, let the node make up the id: neap_once(). Such an id is
 *     refused (STALE) by a node that neither remembers it nor can be sure that it was never used:
 *     another node, a directory that was copied, restored or damaged since, or one that got so many
 *     ids since that it may have forgotten this one. Then find out in another way what became of
 *     the write. It is good from then on until that many others came.
 *   - The same id with another operation, place, value or call.seen: INVALID. Level, timeout and
 *     flags may differ. A write that failed with nothing happened leaves no id behind.
 *   - A batch has one id, given to neap_batch_commit(); repeated are all of its writes, in order.
 *
 * MEMORY
 *   What goes in is borrowed for the call and copied where it is kept (a batch copies). What comes
 *   out goes to the caller's struct neap_buffer: zero it once, use it as often as you like, give it
 *   to neap_buffer_free() in the end; its memory is the library's to resize, so nothing else may be
 *   put there. A zero byte follows the bytes, not counted in size. Outputs are untouched on error,
 *   but for call.ret_error and the report of neap_backup_verify().
 *
 * THREADS
 *   Any thread may use a handle, several at once. A batch, an iterator, a buffer belongs to one
 *   thread at a time. Calls block, for timeout_ms at most where it says so; on
 *   a handle of neap_connect() up to 2 s more, for an answer that is on its way. There are no
 *   callbacks, no signal handlers, no global state, and nothing is printed.
 *   neap_close() comes after every other call on the handle has returned.
 *
 * FORK
 *   A child of fork() must not touch a handle, not even close it, and should soon exec or _exit:
 *   threads and locks do not survive fork(). A child that wants a handle opens its own after exec.
 *
 * ERRORS
 *   Functions return 0 or a negative code of NEAP_ERRORS. In that list each code says what became
 *   of the write: NONE, nothing happened; MAYBE, it may have happened, or may yet. There is no code
 *   for "it happened, but". call.ret_error, or the parameter ret_error, gets the code and a
 *   line for people: which field, key, limit or file, and what to do. It is written on errors only.
 *
 *   These may come from every function that takes a handle:
 *     INVALID      an argument is NULL that must not be, a size or name is none, a token is not a
 *                  token, a field of the call means nothing here               nothing happened
 *     LIMIT        a key, path, value, token is larger than it may be          nothing happened
 *     REFUSED      a level that is not there yet; bucket names that begin with '_', which are
 *                  neap's own                                                  nothing happened
 *     NOMEM        out of memory                                               nothing happened
 *     UNAVAILABLE  the node of this handle cannot be reached, or is being closed; what call.after
 *                  names has not come in time; too few nodes can be reached, or there are too few,
 *                  for call.level, r, pr, w or pw, which is told at once       nothing happened
 *     STALE        call.after has a submitted write of another opening         nothing happened
 *
 *   Errors of reads: these, and
 *     UNAVAILABLE  too few nodes told in time what they have, as call.level or r wants it, or what
 *                  they have has not come to this node in time
 *     CORRUPT      what is stored there fails its checksum; other places can be read
 *     IO           the node has stopped, or the disk could not be read
 *
 *   Errors of writes: these, and
 *     REFUSED      opened with NEAP_READONLY                                   nothing happened
 *     STALE        call.seen is of another bucket; call.once is of another node, or so old that
 *                  whether it was done may be forgotten (neap_once())          nothing happened
 *     BUSY         too many writes wait already, and none went in time         nothing happened
 *     CORRUPT      what is stored there fails its checksum                     nothing happened
 *     UNCERTAIN    it is written here, but too few others had it in time for call.level, w; or the
 *                  connection to the node broke              it may have happened, or may yet
 *     IO           the disk failed; the node has stopped, close and open it    it may have happened
 *   A write that may have happened can be done again where doing it twice does no harm (sets,
 *   flags, values), or with call.once: see AGAIN.
 *
 * VERSIONS
 *   Structs that grow begin with their size. Fields are only ever appended, numbers never change.
 */
#ifndef NEAP_H
#define NEAP_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NEAP_API __attribute__((visibility("default"), warn_unused_result))
#define NEAP_VOID __attribute__((visibility("default")))
#else
#define NEAP_API
#define NEAP_VOID
#endif

/* X(name, code, what became of the write, text): see ERRORS above. */
#define NEAP_ERRORS(X)                                                             \
    X(OK, 0, DONE, "success")                                                      \
    X(END, -1, NONE, "no more items")                                              \
    X(NOMEM, -2, NONE, "out of memory")                                            \
    X(INVALID, -3, NONE, "invalid argument")                                       \
    X(NOTFOUND, -4, NONE, "no such object")                                        \
    X(LIMIT, -5, NONE, "a limit was exceeded")                                     \
    X(BUSY, -6, NONE, "queue full, try again")                                     \
    X(LOCKED, -7, NONE, "another process has this directory open")                 \
    X(REFUSED, -8, NONE, "not allowed")                                            \
    X(NORIGHTS, -9, NONE, "bounded counter: too few rights here")                  \
    X(STALE, -10, NONE, "token or iterator is of another shard, or too old")       \
    X(UNAVAILABLE, -11, NONE, "too few replicas believed alive: nothing was sent") \
    X(UNCERTAIN, -12, MAYBE,                                                       \
      "not enough answers in time: the write may take effect, now or later")       \
    X(CORRUPT, -13, NONE, "stored data fails its checksum")                        \
    X(IO, -14, MAYBE, "the disk failed: node stopped, reopen it")                  \
    X(FORMAT, -15, NONE, "data of a newer version")

enum neap_code {
#define X(name, code, effect, text) NEAP_##name = code,
    NEAP_ERRORS(X)
#undef X
};

/* A handle, writes that wait to be committed, a walk over items. All opaque. */
struct neap;
struct neap_batch;
struct neap_iter;
struct neap_watch;

/* Bytes going in: borrowed for the call. data may be NULL when size is 0. */
struct neap_bytes {
    const void *data;
    size_t size;
};

/* Bytes coming out: see MEMORY above. Zero it before its first use. */
struct neap_buffer {
    void *data;
    size_t size, room;
};

/* What went wrong, in words. */
struct neap_error {
    int code;
    char text[256];
};

/* Numbers are on disk and never change. What comes of two writes at the same time: see TYPES above.
 */
enum neap_type {
    NEAP_ANY = 0, /* neap_remove(): whatever types there are */
    NEAP_REGISTER = 1,
    NEAP_LWW = 2,
    NEAP_FLAG = 3,
    NEAP_COUNTER = 4,
    NEAP_SET = 5,
    NEAP_MAP = 6,
    NEAP_MAX = 7,
    NEAP_MIN = 8,
    NEAP_FLAG_DW = 9,
    NEAP_COUNTER_EXACT = 10,
    NEAP_BOUNDED = 11,
    NEAP_SET_RW = 12,
    NEAP_SCORES = 13
};

/* What there is in a type, of neap_type_holds(), to be or'ed. */
enum neap_holds {
    NEAP_HOLDS_VALUE = 1,     /* bytes: item.value */
    NEAP_HOLDS_VALUES = 2,    /* any number of them, one item each */
    NEAP_HOLDS_NUMBER = 4,    /* item.number */
    NEAP_HOLDS_SWITCH = 8,    /* on or off: item.number is 1 or 0 */
    NEAP_HOLDS_ELEMENTS = 16, /* any number of them, one item each: item.name */
    NEAP_HOLDS_FIELDS = 32    /* places of all types: item.type, item.name */
};

/* How many of the nodes that hold the bucket are asked, be they up or not; devices do not count.
 *   - Of a write, and neap_wait(): so many have it on their disks before the call returns. When too
 *     few can be reached nothing is written (UNAVAILABLE, at once); when too few had it in time it
 *     is written here, and comes to the others whenever they can be reached (UNCERTAIN). A removal
 *     that found nothing (more) there may repeat one that not enough nodes have yet: it returns
 *     when they have all that this node knows of the bucket.
 *   - Of a read: so many say what they have seen of the bucket, and the answer comes when this node
 *     has all of that. So it sees every write that was acknowledged before the read began, if the
 *     levels of both make more nodes together than there are: QUORUM and QUORUM, ONE and ALL. What
 *     is not acknowledged yet it may see, and the read of another caller after it may not: whoever
 *     minds that gives the token of the first in call.after. neap_next() fetches what follows
 *     without a level: it is never older than what the iterator began with.
 *   - Numbers instead of a level: call.w and call.pw of a write and neap_wait(), call.r and call.pr
 *     of a read. w = 2: two nodes have it, this one counts where it holds the bucket; of a bucket
 *     of a ring two of the owners, while data moves in each of the layouts that are active. r + w
 *     more than there are nodes: the read sees the write. More than there are nodes can't be
 *     reached: UNAVAILABLE, at once. On a ring w should be more than half of n: what fewer have,
 *     reads after a move may miss.
 *   - pw and pr are numbers of owners alone: nodes that stand in for owners never count in them. No
 *     node stands in for another as yet, so that pw and w mean the same, and of two numbers that
 *     are given the larger one counts.
 *   - SESSION asks one node, as ONE, and is about order: what this handle wrote or read at this
 *     level, each later read of it at this level sees, whichever node answers. It is the same as to
 *     give to each read, in call.after, the tokens of the calls before it: those of the same
 *     bucket, or, where that is of a ring, of the same key; so there neap_keys() is REFUSED. In
 *     time, or UNAVAILABLE. Writes do not wait: give them call.after. Calls that run at the same
 *     time are in no order. A session ends with its handle; across handles and programs use tokens.
 *     A directory that was lost or went back may leave it waiting for what nobody has any more:
 *     open another handle. A write at it can't be submitted (INVALID), and syncs, NEAP_NOSYNC or
 *     not. LIMIT: this handle has used too many buckets at this level, more than 4,000; nothing
 *     happened.
 *   - What survives what: docs/guarantees.md has a table. */
enum neap_level {
    NEAP_BUCKET_DEFAULT, /* as ONE, for now */
    NEAP_EDGE,           /* this node, and never wait for others: as ONE */
    NEAP_ONE,            /* this node */
    NEAP_QUORUM,         /* more than half of the nodes */
    NEAP_ALL,            /* all nodes */
    NEAP_LOCAL_QUORUM,   /* of a bucket of a ring: of the owners in this zone */
    NEAP_EACH_QUORUM,    /* the same of each zone */
    NEAP_SESSION         /* as ONE; and reads see what this handle has read and written at it */
};

/* Limits. Sizes are in bytes. Key, fields and element of a place together make a path of at most
 * NEAP_PATH_MAX bytes, in which each name counts 3 more than its size (an element 2 more), and each
 * zero byte in it 2. Key and fields are NEAP_DEPTH_MAX at most. */
enum { NEAP_KEY_MAX = 1024, NEAP_PATH_MAX = 4096, NEAP_DEPTH_MAX = 16, NEAP_VALUE_MAX = 1 << 20 };
enum { NEAP_BUCKET_MAX = 255, NEAP_SIBLINGS_MAX = 64 };
enum { NEAP_BATCH_COUNT_MAX = 65536, NEAP_BATCH_BYTES_MAX = 8 << 20 };
/* Ids of call.once: bytes of each, and how many a node remembers at most. */
enum { NEAP_ONCE_MAX = 64, NEAP_ONCE_COUNT = 262144 };
#define NEAP_TTL_MS_MAX UINT64_C(3155760000000) /* of call.ttl_ms: a hundred years */
/* Milliseconds that a call may take when timeout_ms is 0. */
enum { NEAP_TIMEOUT_MS = 5000 };

/* Flags, to be or'ed. */
enum {
    NEAP_CREATE = 1,  /* options: make the directory if it is not there */
    NEAP_NOSYNC = 2,  /* options, call: return before the write is durable; see options.sync_ms */
    NEAP_READONLY = 4 /* options: nothing is written, neither by calls nor by the node itself */
};

/* How to open a node. All texts are borrowed for neap_open(). */
struct neap_options {
    size_t size;         /* sizeof (struct neap_options): neap_options_init() sets it */
    const char *path;    /* the directory; NULL: in memory, gone when closed */
    const char *cluster; /* directory made by `neap init` or `neap join` (neap_trust.h): who belongs
                          * together, with TLS; or a file made by `neap init --file`: without. NULL:
                          * alone */
    const char *listen;  /* where other nodes connect: tls+tcp://HOST:PORT, when cluster is a
                          * directory; else only on this machine: tcp://127.0.0.1:7400, ipc://PATH.
                          * NULL: nowhere */
    const char *peers;   /* addresses of other nodes, with commas between; NULL: none. One that can
                          * be reached is enough: the others are in the member list */
    size_t memory_max;   /* bytes: one budget for caches, memtables and the queue of writes; 8 MiB
                          * or more. Not in it: what waits to be sent, up to 64 MiB in all and 4 MiB
                          * a link; messages that are being received, up to 16 MiB a link; what
                          * calls and iterators hold */
    unsigned flags;      /* NEAP_CREATE, NEAP_NOSYNC, NEAP_READONLY */
    unsigned sync_ms;    /* writes with NEAP_NOSYNC are durable after so long; 1 to 60000 */
    const char *socket;  /* where clients of this node connect: the path of a Unix socket; or
                          * tls+tcp://HOST:PORT, as for listen; NULL: nowhere. Who comes by the
                          * Unix socket may do everything */
    uint64_t log_max;    /* events, per bucket, kept for members that are away: one that misses more
                          * catches up by comparing whole buckets; 1 or more */
    uint64_t bulk_max;   /* bytes a second that this node takes from other nodes to catch up, and as
                          * many that it gives to them, on average; 0: as many as go. What is
                          * written now, and what keeps nodes in touch, is not held back by it */
    unsigned scrub_s;    /* seconds from one scrub to the next, which reads all that is stored and
                          * holds it against what should be; 0: none but those ordered */
    unsigned scrub_max;  /* cells a second that a scrub reads, about; 1 to 1000000 */
    const char *socket_users; /* of the Unix socket: who may come besides root and the user of this
                               * process, whatever the mode: numbers of users, with commas between;
                               * "*": all whom the mode lets in; NULL: nobody */
    unsigned socket_mode;     /* of the Unix socket, as 0660; 0: 0600 */
    const char *subscribe;    /* the buckets that this node holds, from each opening on: names and
                               * globs with commas between, see SUBSCRIPTIONS; NULL: as they were
                               * when it was closed, at first all */
    const char *advertise;    /* addresses of this node for the others, who dial each other by them,
                               * up to 4 with commas between; NULL: what listen says, if that is not
                               * an address of any interface. "": none, this node only dials */
    const char *name;         /* of this node, for people: up to 63 letters, digits and ._-; NULL:
                               * none */
    const char *zone;         /* where it stands: nodes of a zone may fail together; like name */
    unsigned weight;          /* how much it is to hold of rings, against others; 1 to 1000000; 0:
                               * 100 */
    uint64_t retire_after_s;  /* seconds after which a node that is away holds no log back any more:
                               * when it returns, it compares; 0: only when it is retired by hand */
};

/* Where something is: see PLACES above. fields_count 0: the object itself, fields may be NULL.
 * bucket: 1 to NEAP_BUCKET_MAX bytes of printable UTF-8 without '/', not beginning with '_'. */
struct neap_place {
    const char *bucket;
    struct neap_bytes key;
    const struct neap_bytes *fields;
    size_t fields_count;
};

/* How to do it. Zero it, set size, set what you need; or pass NULL. */
struct neap_call {
    size_t size;                   /* sizeof (struct neap_call) */
    enum neap_level level;         /* writes, reads, neap_wait() */
    uint32_t timeout_ms;           /* for all of the call, `after` too; 0: NEAP_TIMEOUT_MS */
    struct neap_batch *batch;      /* writes: queue it there instead of doing it now */
    struct neap_bytes after;       /* a token: first wait until the node has what it names */
    struct neap_bytes seen;        /* writes: a token: act on exactly what was seen */
    struct neap_buffer *ret_token; /* gets a token of what was read or written */
    int submit;                    /* writes: not 0: return once queued. ret_token then names the
                                    * write, and neap_wait() on it tells how it ended */
    unsigned flags;                /* writes: NEAP_NOSYNC */
    struct neap_error *ret_error;  /* gets in words what went wrong */
    struct neap_bytes resume;      /* neap_keys(), neap_items(): of neap_iter_token();
                                    * neap_watch(): of neap_watch_token() */
    struct neap_bytes once;        /* writes: an id of your own: see AGAIN above */
    uint64_t ttl_ms;               /* values, flags, elements: gone so many milliseconds from now:
                                    * see EXPIRY above; 0: never */
    uint16_t r, pr;                /* reads: ask so many nodes, so many owners; see neap_level. 0:
                                    * as level says, which must be 0 else (INVALID) */
    uint16_t w, pw;                /* writes, neap_wait(): so many have it; the same */
};

/* What there is of a bounded counter, as a node sees it. Set size. */
struct neap_rights {
    size_t size;   /* sizeof (struct neap_rights) */
    int64_t value; /* of the counter */
    int64_t here;  /* of it, what this node may spend, or comes to spend again (waits) */
    int waits; /* not 0: it spends nothing before it has met all its peers since it was started */
    uint64_t mine; /* the node's replica id in this bucket; 0: it has none yet */
    int64_t most;  /* the most that another id has, as far as this node knows */
    uint64_t who;  /* and which that is; 0: none has any */
};

/* What an iterator gives. Which fields mean something, each function says; the rest are zero. */
struct neap_item {
    enum neap_type type;
    struct neap_bytes name, value;
    int64_t number;
    uint64_t expires_ms; /* of what has a time to live: when all of it is gone, in milliseconds
                          * since 1970 by the clock of whoever wrote it; 0: it stays */
};

enum neap_change_kind {
    NEAP_CHANGED = 1,   /* it is as the item says now, or was so when the page was read */
    NEAP_GONE = 2,      /* nothing is there (any more) */
    NEAP_ALL_BEGIN = 3, /* all that is there follows, as NEAP_CHANGED... */
    NEAP_ALL_END = 4    /* ... and that was all: what you have and was not among it is gone */
};

/* What neap_watch_next() gives. Set size. */
struct neap_change {
    size_t size; /* sizeof (struct neap_change) */
    enum neap_change_kind kind;
    struct neap_place at;  /* of an object or field; nothing of BEGIN and END but the bucket */
    struct neap_item item; /* as neap_keys() gives it; in name, of a set, the element */
};

/* ---- Handles ---- */

/* Defaults: in memory, alone, NEAP_CREATE, 256 MiB, 100 ms, a million entries of log. NULL is fine.
 */
NEAP_VOID void neap_options_init(struct neap_options *options);

/* Opens a node in this process; what is at options->path is checked and made ready, which after a
 * crash takes as long as reading the last writes. Starts threads only if others are to be served.
 * One process at a time has a directory open. A copied or restored directory is noticed, and
 * continues under a new identity.
 * Threads: any.  Memory: *ret_neap is to be closed by neap_close(). ret_error may be NULL.
 * Errors, nothing happened:
 *   INVALID      options.size or a field is none; listen or peers without cluster; a cluster file
 *                that is none; an address that is not understood; a name or zone that is none
 *   NOTFOUND     no such directory and no NEAP_CREATE; no such cluster file
 *   LOCKED       another process, or another handle of this one, has the directory open
 *   REFUSED      an address beyond loopback without TLS, or plain TCP for clients; too few files
 *                may be open (`ulimit -n`) for those who may connect; no permission; a cluster file
 *                that others may read; READONLY together with listen or peers
 *   UNAVAILABLE  listen or socket is in use, or cannot be listened on
 *   CORRUPT      the directory's own records fail their checksum
 *   FORMAT       the directory was written by a newer version; it is left as it is
 *   IO           the disk
 *   LIMIT, NOMEM */
NEAP_API int neap_open(const struct neap_options *options, struct neap **ret_neap,
                       struct neap_error *ret_error);

/* Connects to a node that listens for clients: "unix:PATH" or just its path, or ipc://PATH. When
 * the connection breaks, the call that was under way says UNCERTAIN (if it changes something; what
 * only reads is asked once more), and each later call first tries to connect again: UNAVAILABLE
 * when the node is not there. Calls of several threads on one handle take turns; for more at once
 * connect more handles.
 * Threads: any; blocks up to 5 s, for all of it.  Memory: as neap_open(). Errors, nothing happened:
 *   INVALID      no address, or one that is not understood
 *   REFUSED      TCP, here or to another machine: see neap_connect_trusted() (neap_trust.h)
 *   UNAVAILABLE  nobody listens there, or does not answer as a node would
 *   FORMAT       the node is too old or too new for this library
 *   LIMIT, NOMEM */
NEAP_API int neap_connect(const char *address, struct neap **ret_neap,
                          struct neap_error *ret_error);

/* Ends a handle: what was submitted is written, what is unsynced synced, threads end. Batches and
 * iterators of it must have been freed before, and no call be under way. NULL is fine. */
NEAP_VOID void neap_close(struct neap *neap);

/* What was written through this node and returned before this call, with NEAP_NOSYNC too, is
 * durable when it returns.
 * Threads: any; blocks for one sync of the disk, for that of a node in another process 2 minutes at
 * most.
 * Errors: INVALID, NOMEM, UNAVAILABLE; REFUSED: NEAP_READONLY, there is nothing to sync. IO,
 * UNCERTAIN: what was not durable may be, or may get lost. */
NEAP_API int neap_sync(struct neap *neap);

/* Waits until this node has all that the token names, and as many others as the call says; and
 * if a submitted write is in it, until that has ended: its error, if any, is returned as this
 * call's. Of the call: level, w, pw, timeout_ms, ret_error.
 * Threads: any; blocks up to timeout_ms.
 * Errors: those of every function; nothing is ever changed by waiting. And
 *   UNCERTAIN  not in time; wait again if you like
 *   STALE      the submitted write is of another opening of the node, or 65536 others ago
 *   any error of the submitted write, meaning what it means for a write */
NEAP_API int neap_wait(struct neap *neap, struct neap_bytes token, const struct neap_call *call);

/* ---- Values ----
 * All of these may be called from any thread. Writes return when the write is durable as
 * call->level says, or queued (call->submit, call->batch). Writes take of the call: level, w, pw,
 * timeout_ms, batch, after, seen, ret_token, submit, flags, ret_error, once, and ttl_ms where what
 * they write can expire; reads take level, r, pr, timeout_ms, after, ret_token, ret_error. "Errors
 * of writes" and "of reads" are those of the first page. */

/* Sets the value at a place, of up to NEAP_VALUE_MAX bytes; with call->seen only what was seen is
 * replaced at once, which makes a difference only to who wins.
 * Errors: of writes. */
NEAP_API int neap_lww_set(struct neap *neap, const struct neap_place *at, struct neap_bytes value,
                          const struct neap_call *call);

/* The value into ret_value.
 * Errors: of reads. NOTFOUND: there is none. */
NEAP_API int neap_lww_get(struct neap *neap, const struct neap_place *at,
                          struct neap_buffer *ret_value, const struct neap_call *call);

/* Adds a value of up to NEAP_VALUE_MAX bytes. Without call->seen it becomes a sibling of whatever
 * is there; with it, it replaces the values that the token covers: pass the token of the
 * neap_register_values() whose values it is made from.
 * Errors: of writes. LIMIT: there would be more than NEAP_SIBLINGS_MAX values here, or more than
 * 15 MiB of them. */
NEAP_API int neap_register_set(struct neap *neap, const struct neap_place *at,
                               struct neap_bytes value, const struct neap_call *call);

/* The values of a register, one item each: type and value. None is no error.
 * Memory: holds all values, up to NEAP_SIBLINGS_MAX of them; *ret_iter is to be freed.
 * Errors: of reads. */
NEAP_API int neap_register_values(struct neap *neap, const struct neap_place *at,
                                  const struct neap_call *call, struct neap_iter **ret_iter);

/* Switches a flag on (not 0) or off.
 * Errors: of writes. */
NEAP_API int neap_flag_set(struct neap *neap, const struct neap_place *at, int on,
                           const struct neap_call *call);

/* 1 or 0 into *ret_on.
 * Errors: of reads. */
NEAP_API int neap_flag_get(struct neap *neap, const struct neap_place *at, int *ret_on,
                           const struct neap_call *call);

/* Adds to a counter; change may be negative. Takes no call->seen.
 * Errors: of writes. LIMIT: as far as this node knows, the sum would leave 64 bits. Nodes that do
 * not know of each other may still bring it there; then only steps back are taken. */
NEAP_API int neap_counter_add(struct neap *neap, const struct neap_place *at, int64_t change,
                              const struct neap_call *call);

/* The sum of all additions into *ret_value.
 * Errors: of reads. LIMIT: it does not fit 64 bits. */
NEAP_API int neap_counter_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                              const struct neap_call *call);

/* Adds to a bounded counter, or, below 0, takes from it: of the rights that this node has. Takes no
 * call->seen. What is added is this node's to take.
 * Errors: of writes. NORIGHTS: too few are here; the text says how many, how many there are, and
 * who has most. If there are enough in all, that node has been asked for them: try again, a little
 * later. LIMIT: the value would leave 64 bits. */
NEAP_API int neap_bounded_add(struct neap *neap, const struct neap_place *at, int64_t change,
                              const struct neap_call *call);

/* The value into *ret_value: 0 or more, but see BOUNDED above.
 * Errors: of reads. LIMIT: it does not fit 64 bits. */
NEAP_API int neap_bounded_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                              const struct neap_call *call);

/* Who has rights to take from it, into *ret_rights, whose size is set.
 * Errors: of reads. LIMIT: they do not fit 64 bits. */
NEAP_API int neap_bounded_rights(struct neap *neap, const struct neap_place *at,
                                 struct neap_rights *ret_rights, const struct neap_call *call);

/* Gives rights, 1 or more, to another replica id: `mine` of neap_bounded_rights() there. They are
 * of no use to anybody else, and what an id is given that its node has left is found again by that
 * node alone: it takes it along when it has met all its peers. Errors: of writes. NORIGHTS: too few
 * are here. INVALID: to this node itself. */
NEAP_API int neap_bounded_give(struct neap *neap, const struct neap_place *at, int64_t amount,
                               uint64_t to, const struct neap_call *call);

/* Takes all rights of another replica id, `from`, whose directory is lost or has been replaced by a
 * backup, and whose rights nobody can spend otherwise. That it writes no more is your word: if it
 * does, or if two nodes claim the same, the same rights are spent twice.
 * Errors: of writes. NORIGHTS: this node may spend nothing yet (neap_rights.waits). INVALID: from
 * this node itself. */
NEAP_API int neap_bounded_claim(struct neap *neap, const struct neap_place *at, uint64_t from,
                                const struct neap_call *call);

/* Adds an element to a set, or makes sure that it stays. Costs the same for sets of any size.
 * Errors: of writes. */
NEAP_API int neap_set_add(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                          const struct neap_call *call);

/* Removes an element; with call->seen only as it was seen. One that is not in is no error.
 * Errors: of writes. */
NEAP_API int neap_set_remove(struct neap *neap, const struct neap_place *at,
                             struct neap_bytes element, const struct neap_call *call);

/* 1 or 0 into *ret_in.
 * Errors: of reads. */
NEAP_API int neap_set_has(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                          int *ret_in, const struct neap_call *call);

/* The same with disable-wins (NEAP_FLAG_DW): an object of its own.
 * Errors: of writes, of reads. */
NEAP_API int neap_flag_dw_set(struct neap *neap, const struct neap_place *at, int on,
                              const struct neap_call *call);
NEAP_API int neap_flag_dw_get(struct neap *neap, const struct neap_place *at, int *ret_on,
                              const struct neap_call *call);

/* Adds to an exact counter; change may be negative. Takes no call->seen, but neap_remove() does.
 * Errors: of writes. LIMIT: as neap_counter_add(); or this node has made 4096 additions here since
 * it last knew that all other nodes had what it has. A removal of the counter makes room again. */
NEAP_API int neap_counter_exact_add(struct neap *neap, const struct neap_place *at, int64_t change,
                                    const struct neap_call *call);

/* The sum of the additions that no removal has seen, into *ret_value.
 * Errors: of reads. LIMIT: it does not fit 64 bits. */
NEAP_API int neap_counter_exact_get(struct neap *neap, const struct neap_place *at,
                                    int64_t *ret_value, const struct neap_call *call);

/* Makes a number the largest at a place, or the smallest, if it leads further than what is there;
 * else nothing is written. Doing it twice does no harm.
 * Errors: of writes. */
NEAP_API int neap_max_set(struct neap *neap, const struct neap_place *at, int64_t value,
                          const struct neap_call *call);
NEAP_API int neap_min_set(struct neap *neap, const struct neap_place *at, int64_t value,
                          const struct neap_call *call);

/* The largest number, or the smallest, into *ret_value.
 * Errors: of reads. NOTFOUND: none was written. */
NEAP_API int neap_max_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                          const struct neap_call *call);
NEAP_API int neap_min_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                          const struct neap_call *call);

/* As neap_set_add(), neap_set_remove() and neap_set_has(), of a set where removals win
 * (NEAP_SET_RW): an object of its own. The removal of an element that is not in counts as well, and
 * so is a write.
 * Errors: of writes, of reads. */
NEAP_API int neap_set_rw_add(struct neap *neap, const struct neap_place *at,
                             struct neap_bytes element, const struct neap_call *call);
NEAP_API int neap_set_rw_remove(struct neap *neap, const struct neap_place *at,
                                struct neap_bytes element, const struct neap_call *call);
NEAP_API int neap_set_rw_has(struct neap *neap, const struct neap_place *at,
                             struct neap_bytes element, int *ret_in, const struct neap_call *call);

/* What is at a place, of whatever type, as items: of a type that NEAP_HOLDS_ELEMENTS or _FIELDS the
 * same as neap_items() gives, of all others one item for each value: type, and what
 * neap_type_holds() says: value, or number; and expires_ms. None is no error.
 * Memory: holds all values of a register; *ret_iter is to be freed.
 * Errors: of reads. INVALID: no such type. LIMIT: a number that does not fit 64 bits. */
NEAP_API int neap_values(struct neap *neap, const struct neap_place *at, enum neap_type type,
                         const struct neap_call *call, struct neap_iter **ret_iter);

/* Writes an item at a place, as neap_values() gave it, of whatever type: sets the value, adds the
 * number or the element, switches on. Not looked at are item->type and item->expires_ms: with
 * call->ttl_ms it has a time to live. Of what neap_keys() and neap_items() give, fields of maps are
 * written by going down to them.
 * Errors: of writes; those of the type's own function. INVALID: no such type, or a map. */
NEAP_API int neap_put(struct neap *neap, const struct neap_place *at, enum neap_type type,
                      const struct neap_item *item, const struct neap_call *call);

/* ---- Score sets (NEAP_SCORES) ---- */

/* Sets the score of a member, which is in from then on.
 * Errors: of writes. */
NEAP_API int neap_score_set(struct neap *neap, const struct neap_place *at,
                            struct neap_bytes member, int64_t score, const struct neap_call *call);

/* Adds to the score of a member; change may be negative. One that is not in begins with 0. Takes no
 * call->seen.
 * Errors: of writes. LIMIT: as far as this node knows, the score would leave 64 bits. */
NEAP_API int neap_score_add(struct neap *neap, const struct neap_place *at,
                            struct neap_bytes member, int64_t change, const struct neap_call *call);

/* Removes a member; with call->seen only as it was seen. One that is not in is no error.
 * Errors: of writes. */
NEAP_API int neap_score_remove(struct neap *neap, const struct neap_place *at,
                               struct neap_bytes member, const struct neap_call *call);

/* The score of a member into *ret_score. One that nodes who did not know of each other have brought
 * out of 64 bits is INT64_MAX or INT64_MIN, here and wherever scores are compared.
 * Errors: of reads. NOTFOUND: it is not in. */
NEAP_API int neap_score_get(struct neap *neap, const struct neap_place *at,
                            struct neap_bytes member, int64_t *ret_score,
                            const struct neap_call *call);

/* How many members come before this one, from the highest score down: 0 for the first. Of equal
 * scores the member that is less by memcmp() comes first. Walks those that are before it, 0.3
 * microseconds each; of a large set most ranks near the end cost that times its size.
 * Errors: of reads. NOTFOUND: it is not in. */
NEAP_API int neap_score_rank(struct neap *neap, const struct neap_place *at,
                             struct neap_bytes member, uint64_t *ret_rank,
                             const struct neap_call *call);

/* The members with scores from `high` down to `low`, in that order, one item each: type, name, and
 * the score in number. INT64_MAX and INT64_MIN stand for all. Costs what it gives, however large
 * the set. A member whose score changes while the iterator is under way may come twice, or not.
 * In the order of their names neap_items() gives them. Of the call: as neap_items(), but resume.
 * Threads, memory: as neap_keys().
 * Errors: of reads. */
NEAP_API int neap_scores(struct neap *neap, const struct neap_place *at, int64_t high, int64_t low,
                         const struct neap_call *call, struct neap_iter **ret_iter);

/* ---- Any type ---- */

/* How many: elements of a set, fields of a map (one for each name and type), values of a register;
 * for other types 1 or 0, whether there is one. The first count of a set or map with more than 64
 * of them walks all, half a microsecond each, while other calls go on; from then on the node keeps
 * the number, however many there are. What had changed before a crash is walked once more; so is
 * every count of a node opened with NEAP_READONLY.
 * Errors: of reads. */
NEAP_API int neap_count(struct neap *neap, const struct neap_place *at, enum neap_type type,
                        uint64_t *ret_count, const struct neap_call *call);

/* Removes the object or field of this type, or with NEAP_ANY those of all types; sets and maps with
 * all that is in them, for which it costs what writing them has cost. With call->seen only what was
 * seen. Nothing there is no error.
 * Errors: of writes. LIMIT: more at once than fits one write of the disk: remove it in parts. */
NEAP_API int neap_remove(struct neap *neap, const struct neap_place *at, enum neap_type type,
                         const struct neap_call *call);

/* Makes up an id for call.once, printable, into ret_id: as good as one of your own, but it counts
 * nowhere twice, see AGAIN above. Of the call: timeout_ms, ret_error.
 * Threads: any.  Errors: those of every function, of reads, and REFUSED: opened with NEAP_READONLY.
 */
NEAP_API int neap_once(struct neap *neap, struct neap_buffer *ret_id, const struct neap_call *call);

/* ---- Batches: several writes as one, all or none of them on this node's disk ----
 * Writes with call->batch are checked and copied there, and done by neap_batch_commit(). Of their
 * call only batch, seen, ttl_ms, timeout_ms and ret_error are given; level, after, ret_token,
 * submit, flags and once go with the commit. Reads do not see what is queued. A write that cannot
 * be queued (LIMIT: the batch holds NEAP_BATCH_COUNT_MAX writes, or NEAP_BATCH_BYTES_MAX bytes, of
 * which each write takes 64 besides its own) leaves the batch as it was. A batch belongs to one
 * thread at a time, and to the handle that it was made for. */

/* Errors, nothing happened: INVALID, NOMEM; REFUSED: opened with NEAP_READONLY. */
NEAP_API int neap_batch_new(struct neap *neap, struct neap_batch **ret_batch);

/* Does all that was queued. Then, and when it may have been done (UNCERTAIN, IO), the batch is
 * empty and can be used again; when nothing happened it is as it was. An empty batch is fine.
 * On a ring a key lies in a slot, and a slot has N owners: a batch is done by a node that owns all
 * slots of its keys, and never taken apart. Keys of one name in several buckets of a ring need not
 * be in one slot. REFUSED: no node owns them all; what has to change as one has to be one object.
 * Errors: of writes; what makes one of its writes fail (LIMIT of a counter...) fails all. */
NEAP_API int neap_batch_commit(struct neap_batch *batch, const struct neap_call *call);

/* Forgets what is queued. NULL is fine. */
NEAP_VOID void neap_batch_free(struct neap_batch *batch);

/* ---- Iterators: items one by one, of however many ----
 * Lists are fetched page by page while you go, so they are no snapshot: what is there throughout
 * comes exactly once, in order; what comes or goes meanwhile may or may not. To list what is there
 * as one moment had it, stop writing.
 *
 * The keys of a bucket on a ring (NAME@RING) lie in many slots, of which no node need have all:
 * neap_keys() asks an owner of each, through whatever node, at call->level, and puts together what
 * they say. That slots move meanwhile changes nothing. timeout_ms is for each slot by itself; if
 * one can't be read there is an error, never a shorter list. Level EDGE is REFUSED. */

/* The objects of a bucket, one item for each key and type that holds something: type, name, and in
 * value and number what is at hand: the value of an LWW (up to NEAP_VALUE_MAX bytes), the first
 * value of a register and how many it has, the number of a counter (INT64_MAX when it does not
 * fit), 1 for a flag. Starts at the key `from`, or at what follows it; {NULL, 0} is the first. With
 * call->resume it goes on after an item of an earlier listing of this bucket, on this node or
 * another, even if that item is gone; `from` must be empty then.
 * call->ret_token: what the first page was read at.
 * Threads: the iterator belongs to one at a time.  Memory: about a page of 64 KiB, or one item if
 * that is larger; of a bucket on a ring 8 MiB at most, and one item. *ret_iter is to be freed.
 * Errors: of reads. STALE: call.resume is of another listing; the ring was made twice, and has
 * other slots now. LIMIT: a token was asked for of a bucket in more than 256 slots. */
NEAP_API int neap_keys(struct neap *neap, const char *bucket, struct neap_bytes from,
                       const struct neap_call *call, struct neap_iter **ret_iter);

/* The elements of a set (type NEAP_SET; name) or the fields of a map (NEAP_MAP; as in neap_keys()).
 * All else as in neap_keys(), `from` being an element or a field's name.
 * Errors: of reads. INVALID: another type. STALE: call.resume is of another listing. */
NEAP_API int neap_items(struct neap *neap, const struct neap_place *at, enum neap_type type,
                        struct neap_bytes from, const struct neap_call *call,
                        struct neap_iter **ret_iter);

/* The node's own numbers since it was opened, one item each: name and number. Which there are may
 * change with the version; what a name means does not.
 * Errors: of reads. */
NEAP_API int neap_stats(struct neap *neap, struct neap_iter **ret_iter);

/* The next item. Its bytes belong to the iterator and are valid until the next call on it.
 * timeout_ms is for fetching a page; 0: NEAP_TIMEOUT_MS.
 * Errors: of reads, after which it may be called again for the same item. END: no more. */
NEAP_API int neap_next(struct neap_iter *iter, struct neap_item *ret_item, uint32_t timeout_ms);

/* Where the iterator is, as bytes for call->resume: after the last item that neap_next() gave. For
 * iterators of neap_keys() and neap_items().
 * Errors, nothing happened: INVALID: another iterator; NOMEM. */
NEAP_API int neap_iter_token(struct neap_iter *iter, struct neap_buffer *ret_token);

/* NULL is fine. */
NEAP_VOID void neap_iter_free(struct neap_iter *iter);

/* ---- Changes: what happens to a bucket, as it happens, and what has happened since ----
 * A watch tells which places of a bucket have changed, whoever wrote, on this node or any other,
 * and what is there now. What it promises:
 *   - Each change that comes to this node is told, as what is there then or later: a place that
 *     changed ten times may be told once, and may be told again. Nothing is left out: go on
 *     with neap_watch_token() after a crash, on whatever node, and keep the token together with
 *     what you have made of the changes; then nothing is missed.
 *   - The order is none, but that all that a token covers was told before it could be had. In
 *     particular it is not the order of writing; the items have no times but those of their values.
 *   - Where the node no longer knows what has changed since a token (its log goes when all
 *     nodes have it), it tells all that is there between NEAP_ALL_BEGIN and NEAP_ALL_END.
 *     For a watch that is asked at least once a minute the log is kept, up to options.log_max.
 *   - What expires is told as gone when it is removed, soon after it is hidden to readers. What a
 *     disk lost and got back is no change.
 * Where a directory was rolled back in place (a VM's snapshot) what is written before it meets a
 * peer may be left out until then. */

/* Changes of a bucket after call->resume (of neap_watch_token(), on this or another node); or after
 * call->after, the token of a read or write, which the node first waits for; else all that is
 * there, then changes. Of the call: resume, after, timeout_ms, ret_error.
 * Threads: the watch belongs to one at a time.  Memory: a page of 64 KiB, or one item if that is
 * larger; *ret_watch is to be freed.
 * Errors: of reads. INVALID: call.resume is no position of a watch. STALE: it is of another bucket.
 * REFUSED: this node does not hold the bucket. */
NEAP_API int neap_watch(struct neap *neap, const char *bucket, const struct neap_call *call,
                        struct neap_watch **ret_watch);

/* The next change; waits for one until timeout_ms; 0: NEAP_TIMEOUT_MS. Its bytes belong to the
 * watch and are valid until the next call on it. Errors: of reads, after which it may be called
 * again. END: nothing has changed by then: call it again. INVALID: ret_change->size is not set. */
NEAP_API int neap_watch_next(struct neap_watch *watch, struct neap_change *ret_change,
                             uint32_t timeout_ms);

/* Where the watch is, for call->resume: all that was told up to the page that is under way. So
 * changes that were told already come again when one goes on there, up to some hundreds; none after
 * END.
 * Errors, nothing happened: INVALID, NOMEM. */
NEAP_API int neap_watch_token(struct neap_watch *watch, struct neap_buffer *ret_token);

/* NULL is fine. */
NEAP_VOID void neap_watch_free(struct neap_watch *watch);

/* ---- Backups ----
 * A backup is a plain directory: files of a database, and one named BACKUP, which lists each of
 * them with its size and checksum (a text; `b2sum -c BACKUP` can check it, too). It carries what
 * the node had, of all buckets, but not its identity as a writer: a node that opens what was
 * restored goes on under a new one, takes from its peers what they have since, and gives them what
 * only it has. So nothing counts twice, and nothing comes back that was removed. It is no way back
 * for a cluster: what its other nodes have meanwhile done stays done.
 * Where the file system has links, a backup beside the data shares its files and takes little room
 * and time; but then one bad block is in both. Copy it to another disk (cp -a, rsync), or name a
 * directory there. What may be done with it: read, copied, moved, removed. A node never opens it
 * itself. */

/* Makes a backup in `directory`, which must not exist; its parent must. What was written and
 * returned before the call is in it, of what is written meanwhile any beginning. Other calls go on.
 * It is made under the name DIRECTORY.partial, read once as it was written, and gets its name when
 * all of it is on disk: whatever comes back, and whenever the power goes, a directory of that name
 * is a whole backup. What a crash left under the other name is to be removed by hand.
 * A node in another process makes it itself, with its rights, so `directory` begins with '/'.
 * ret_json, which may be NULL, gets backup, files, bytes, node, made (ms since 1970).
 * Of the call: timeout_ms (0: as long as it takes), ret_error.
 * Threads: any; one backup of a node at a time.  Memory: little: some 100 bytes for each file.
 * Errors, nothing is left of it:
 *   INVALID      no name, or of a node in another process one that does not begin with '/'
 *   REFUSED      something has that name, or the one with .partial; too little space there; no
 *                permission; a node in memory, or opened with NEAP_READONLY
 *   NOTFOUND     no such parent
 *   BUSY         the node is making another one
 *   CORRUPT      the node's own data is damaged: repair it first
 *   UNAVAILABLE  not done within timeout_ms; the node is being closed
 *   IO           the disk with the data, or the one with the backup; the text tells
 *   LIMIT (more than 262144 files), NOMEM
 * UNCERTAIN: no answer came from the node; it may still be at it. */
NEAP_API int neap_backup(struct neap *neap, const char *directory, struct neap_buffer *ret_json,
                         const struct neap_call *call);

/* Reads every file of a backup again, from the disk as far as the system lets it.
 * ret_json, which may be NULL, gets a report when 0 or CORRUPT is returned: whole (true or false),
 * damaged: a list of file and problem (missing, changed, surplus, unreadable), of which 1000 are
 * named and left_off counts the rest; and what neap_backup() tells. ret_error may be NULL.
 * Threads: any.  Memory: as neap_backup(). Errors, nothing is ever changed:
 *   CORRUPT   it is not as it was written; the text names the first file
 *   NOTFOUND  no such directory
 *   INVALID   no name, or of something that is no directory
 *   FORMAT    made by a newer version
 *   REFUSED   no permission
 *   IO, LIMIT, NOMEM */
NEAP_API int neap_backup_verify(const char *directory, struct neap_buffer *ret_json,
                                struct neap_error *ret_error);

/* Verifies a backup, then copies it to `directory`, which must be empty, or not exist while its
 * parent does; each file is checked again as it is copied, and all is on disk when this returns.
 * Files that are surplus in the backup are left out. Until it is complete, no node opens the
 * directory, so one that a crash left there does no harm: empty it and begin again.
 * ret_json, which may be NULL, gets backup, directory, files, bytes, node, made. ret_error may be
 * NULL.
 * Threads: any.  Memory: as neap_backup(). Errors, nothing is left of it: those of
 * neap_backup_verify(), and
 *   REFUSED   the directory is not empty; too little space; no permission
 *   NOTFOUND  no such backup, or no such parent */
NEAP_API int neap_restore(const char *backup, const char *directory, struct neap_buffer *ret_json,
                          struct neap_error *ret_error);

/* ---- The rest ---- */

/* What operators ask: words in, one JSON document out (UTF-8, a zero byte after it). An unknown
 * verb is INVALID, and the text of that error lists those that there are; neap(1) has the same ones
 * as commands, and docs/operations.md says how to read the answers:
 *   status                      the node, its buckets, its peers; and its members, as all who are
 *                               connected tell: alive; suspect, not heard for about 2 s, by nobody
 *                               who could be asked; dead, and did not say otherwise for 4 to 24 s;
 *                               left. Since when (ms_ago), and as which incarnation: it grows each
 *                               time that a node has to say that it lives
 *   digest [BUCKET]             keys, cells, and a sum over all of them
 *   stats                       numbers
 *   peers                       the nodes of the cluster, by the list that each of them holds: id,
 *                               name, zone, addresses, weight; alive, suspect, dead, left or
 *                               unknown; linked or not, when it was last heard, how many events of
 *                               this node it lacks. Whoever else is here; who was forgotten
 *   retire NODE                 (an id or name) logs wait no more for a node that is away. When it
 *                               returns it compares, and its unseen writes are kept
 *   forget NODE                 a node that will never return is no member any more: not dialled,
 *                               not counted in levels, not waited for; revoked, and never let in
 *                               again. REFUSED while it is there
 *   isolate on|off              no talk with peers
 *   revoke KIND/ID              node/ID, device/ID or client/ID is let in nowhere any more, and its
 *                               connections end: by system data, so each node learns it
 *   revoked [list]              who is
 *   verify [BUCKET [MS]]        do peers hold the same? While all go on writing
 *   explain BUCKET KEY [TYPE|any [FIELD...]]
 *                               why an object is as it is: its cells, the events that made them, by
 *                               whom; and what each peer has of it, lacks, or has otherwise. Waits
 *                               up to 5 seconds for peers
 *   diff BUCKET KEY [TYPE|any [FIELD...]]
 *                               the same, of cells that differ somewhere
 *   differing BUCKET PEER [LIMIT [FROM]]
 *                               which cells a peer (its address, or its node's id) has otherwise,
 *                               who lacks what, and why; with what is under way. At most LIMIT of
 *                               them (256); `next` is the FROM of the others. Waits up to 30 s
 *   doctor                      what is wrong, the worst first, and what to do about it
 *   history [N]                 the N (50) newest entries of what happened here: repairs,
 *                               verifications, scrubs, incidents, and how they ended; it outlives
 *                               the process, and is told to no other node
 *   big BUCKET [N]              the N (20) objects that take most
 *   siblings BUCKET [N]         registers with more than one value
 *   bundle export FILE TOKEN|- BUCKET...
 *                               what came after a token, or all, into a new file of the node's;
 *                               FILE begins with '/'; `token` names what is in it
 *   bundle apply FILE           out of one, as from a peer; `token`: what is here then, `theirs`:
 *                               what its maker had
 *   hints [BUCKET]              what peers lack of what is here: which events, how many bytes,
 *                               since when, and whether the log still has them
 *   log why [BUCKET]            whom the log is kept for, since when, and what to do
 *   tasks                       long work that is under way or paused
 *   task pause|resume|cancel ID
 *   scrub [BUCKET]              all cells are read again from now on
 *   repair [BUCKET|- [from PEER] [budget N] [resume]]
 *                               compared with all peers, or one (its address, or its node's id),
 *                               and mended, without the usual waits; at most N bytes a second;
 *                               with resume pauses end
 *   settings [NAME]             what can be changed while the node runs (bulk_max, scrub_max,
 *                               scrub_s, log_max, retire_after_s, sync_ms): value, at_start,
 *                               least, most
 *   set NAME N                  one of them, until the node is closed: the next opening has what
 *                               its options say
 *   subscribe NAME              this node holds the bucket, or those that fit the glob; see
 *                               SUBSCRIPTIONS
 *   unsubscribe NAME [force]    ... and no longer; with force what is leaving goes at once, whoever
 *                               lacks it: `lost` says how many events nobody else is known to have
 *   subscriptions               the list; and what is leaving, with how many events (`unshared`)
 *                               nobody else is known to have
 *   ring [RING [slots|buckets|key BUCKET KEY]]
 *                               rings; one, with its nodes and layouts; who owns each slot, which
 *                               buckets it has, or the slot of a key
 *   plan create RING N SLOTS    a new ring is staged; N owners of each slot
 *   plan join RING NODE [ZONE|- [WEIGHT|-]]
 *   plan leave RING NODE
 *   plan replace RING NODE BY [ZONE|- [WEIGHT|-]]
 *   plan weight RING NODE WEIGHT
 *                               changes of it are staged, at any node
 *   plan show RING              what they come to: moves, loads, warnings
 *   plan commit RING VERSION    `id` or `version` of that: data moves from now on
 *   plan clear RING [NODE]      what is staged is taken back
 *   plan skip RING NODE         a move does not wait for that node, which is dead
 *   reload                      the certificates are read again from the cluster directory, for
 *                               links from now on; those that there are go on
 * Of the call: ret_error (timeout_ms is for later).
 * Threads: any; a node in another process has 2 minutes to answer.  Limits: 64 words of 4096 bytes.
 * Errors: those of every function, IO and CORRUPT as for reads; INVALID, NOTFOUND: an unknown verb,
 * or what it was asked about. */
NEAP_API int neap_admin(struct neap *neap, int argc, const char *const argv[],
                        struct neap_buffer *ret_json, const struct neap_call *call);

/* From now on this node holds the bucket of that name, or those that fit the glob, or no longer:
 * see SUBSCRIPTIONS. It is on disk when this returns; what comes of it, fetching or giving away,
 * goes on in the background, through restarts, too: neap_admin() "subscriptions" shows it. Of the
 * call: ret_error. Threads: any.  Errors, nothing happened: those of every function;
 * INVALID: no such name or glob; LIMIT: more than 256 entries, or 16 KiB of them; REFUSED: a node
 * for reading only. */
NEAP_API int neap_subscribe(struct neap *neap, const char *name, const struct neap_call *call);
NEAP_API int neap_unsubscribe(struct neap *neap, const char *name, const struct neap_call *call);

/* The text of a code; never NULL. */
NEAP_API const char *neap_strerror(int code);

/* "lww", as `neap` and JSON name a type; NULL when this library has no such type. */
NEAP_API const char *neap_type_name(enum neap_type type);

/* The type of that name; NEAP_ANY when there is none. NULL is none. */
NEAP_API enum neap_type neap_type_named(const char *name);

/* Of enum neap_holds, or'ed; 0 when this library has no such type. */
NEAP_API unsigned neap_type_holds(enum neap_type type);

/* The version of the library, "1.2.3". */
NEAP_API const char *neap_version(void);

/* Frees what the library has put there, and zeroes it, so that it can be used again. NULL is fine.
 */
NEAP_VOID void neap_buffer_free(struct neap_buffer *buffer);

#undef NEAP_API
#undef NEAP_VOID
#ifdef __cplusplus
}
#endif
#endif
