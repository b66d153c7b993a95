/* A node in this process: the wheel, the threads that turn it, and the doors it holds. This and
 * the node_*.c are the door for threads: nothing else of the library knows that there are any.
 *
 * A caller that finds the wheel idle turns it itself, and takes along whoever waits; the others
 * sleep until they are done or it is their turn to turn. So a lone writer needs no second thread,
 * and many writers share a commit. A service thread (the pump) exists only when there is something
 * to serve without a caller: the net, writes that wait for their sync, submitted writes. */
#ifndef NEAP_ENGINE_NODE_H
#define NEAP_ENGINE_NODE_H
#include <pthread.h>

#include "base/hash.h"
#include "engine/settings.h"
#include "engine/wheel.h"
#include "gossip/revoked.h"
#include "trust/renewal.h"

struct node_options {
    struct disk *disk;   /* taken over, also on error */
    struct clock *clock; /* its now_ms must be CLOCK_MONOTONIC */
    const struct directory_mark *mark;
    bool suspect, readonly;
    uint32_t sync_ms;
    uint64_t log_max;
    uint64_t scrub_ms;                       /* from one scrub to the next; 0: none */
    uint32_t scrub_max;                      /* cells a second; 0: the default */
    size_t queue_count_max, queue_bytes_max; /* of writes that wait for the wheel; 0: defaults */
    size_t trees_max;                        /* bytes of one shard's tree and its build */
    size_t cache_max;                        /* bytes of hot cells; 0: none are kept */
    const struct gossip_options *gossip;     /* NULL: alone. Its texts are copied */
    struct hash_key key;                     /* of digests and trees */
    const char *path;                        /* for people; NULL: in memory */
    const char *subscribe;                   /* of the wheel; NULL: as it is on disk */
    const char *directory;                   /* of the cluster, copied; NULL: admits nobody */
    struct trace *trace;
    /* Opens the net behind `sink`; NULL: none. */
    int (*net_open)(void *arg, struct net_sink *sink, struct net **ret_net,
                    struct neap_error *error);
    void *net_arg;
};

/* As node_open() (backend.h), with the doors given. */
int node_open_with(const struct node_options *options, struct backend **ret_backend,
                   struct neap_error *error);

/* Of the workers, so many may be in requests that wait for other nodes or for a token. */
enum { WORKERS_MAX = 32, WORKERS_BLOCKED_MAX = 24 };
enum { TICKETS_KEPT = 65536, TICKET_TEXTS = 16 };
/* Of peers; and requests of clients: twice the links that there may be, for those that left. */
enum { NET_EVENTS_MAX = 4096, CLIENT_EVENTS_MAX = 1024 };
enum { GATHER_YIELDS = 3 };
enum { QUEUE_COUNT_MAX = 4096, QUEUE_BYTES_MAX = 64 << 20, SYNC_MS = 100 };

enum item_kind { ITEM_CALL, ITEM_TICKET, ITEM_NET, ITEM_TICK };

/* What an event's `waiter` points to. */
struct item {
    enum item_kind kind;
    struct event event;
    size_t bytes; /* of memory that waits with it: copied writes */
};

/* A caller that blocks; on its stack. */
struct item_call {
    struct item item;
    bool done, has_cond; /* has_cond: it has waited */
    bool counted;        /* in the node's `told` */
    pthread_cond_t cond;
};

/* A submitted write: its copy follows. */
struct item_ticket {
    struct item item;
    struct write write;
};

struct item_net {
    struct item item;
    struct net_event net;
    struct item_net *next; /* free ones, and those of clients */
};

struct ticket_text {
    uint64_t ticket;
    struct neap_error error;
};

struct node {
    struct backend backend;
    struct backend clients; /* the same for clients, with a limit on those that block */
    struct wheel wheel;     /* its turner's alone, but for `unsynced` */
    struct disk *disk;
    struct clock *clock;
    struct net_sink sink;
    struct revoked revoked;          /* under the lock: what the net's threads ask */
    uint64_t revoked_version;        /* the turner's */
    struct rings rings;              /* for readers, under the lock */
    uint64_t rings_version;          /* the turner's */
    struct subscriptions subscribed; /* under the lock: what this node holds... */
    uint64_t subscribed_version;     /* ... the turner's */
    atomic_bool subscribed_all;      /* any thread: all of it */
    struct net *net;
    struct hash_key key;
    char *path;
    char *directory;         /* of the cluster; NULL: none */
    pthread_mutex_t joining; /* one is admitted at a time; taken before no other lock */
    pthread_t renewer;       /* node_renew.c: looks after the node's own certificate */
    bool renews;             /* it runs */
    uint64_t cluster;        /* 0: none */
    bool readonly, suspect, has_gossip;
    uint64_t settings_at_start[SETTINGS_END];
    size_t queue_count_max, queue_bytes_max;

    pthread_mutex_t lock;
    /* Everything from here to `inside` is under the lock. */
    pthread_cond_t pump_cond, changed_cond, room_cond, clients_cond, empty_cond, renew_cond;
    struct event *head, **tail;
    size_t queue_count, queue_bytes;
    bool turning, closing, started;
    size_t serves;     /* calls of other nodes, after the last turn */
    bool synced;       /* the last turn ended with a sync */
    unsigned told;     /* callers of such turns who have not gone on yet */
    unsigned watchers; /* of changed_cond */
    unsigned room_seekers;
    uint64_t changes;  /* turns that may have changed what is covered */
    uint64_t deadline; /* when the engine wants a tick */

    pthread_t pump;
    bool pump_runs, pump_stops, pump_blocked;
    uint64_t pump_until;
    struct item tick;
    bool tick_queued;

    struct item_net *net_items, *net_free, *clients_free;
    struct item_net *clients_head, **clients_tail;
    size_t peers_count; /* events of peers: not in net_free */
    size_t clients_count, net_drops;
    uint64_t clients_refused; /* requests, for want of rights */
    pthread_t workers[WORKERS_MAX];
    unsigned workers_count, workers_idle, workers_blocked;

    uint64_t ticket_first, ticket_next, ticket_done; /* done: all up to and with it */
    int8_t *ticket_codes;                            /* [TICKETS_KEPT], by ticket */
    struct ticket_text ticket_texts[TICKET_TEXTS];
    unsigned ticket_text_next;
    struct renewal renewal;
    bool all_gone, isolated, backup_runs, backup_cancelled;
    uint64_t backup_done, backup_total, backup_began_ms; /* files; of the one that runs */

    atomic_uint_fast64_t inside;         /* callers; NODE_CLOSED is added when it closes */
    atomic_uint writing;                 /* of them: in a write */
    atomic_int stopped;                  /* the wheel's, for readers */
    struct event *turn[TURN_EVENTS_MAX]; /* the turner's */
};

#define NODE_CLOSED ((uint64_t)1 << 32)

/* node.c: the queue and the turning. */
int node_enter(struct node *node); /* UNAVAILABLE: it is being closed */
void node_leave(struct node *node);
/* Around a write, by who has entered: closing waits for it for a moment. */
void node_write_begin(struct node *node);
void node_write_end(struct node *node);
struct now node_now(const struct node *node);
/* Runs an event of a caller: queued, and turned by this thread if nobody else does. Its code. */
int node_run(struct node *node, struct event *event);
/* A write, when the queue has room; until_ms 0: BUSY at once when it has none. */
int node_run_write(struct node *node, struct write *write, uint64_t until_ms);
int node_admit(struct node *node, size_t bytes, uint64_t until_ms); /* lock held */
int node_sync(struct node *node);
/* node_rights.c: of read->rights */
int node_rights(struct node *node, struct read *read, struct buffer *ret_rights);
int node_tick(struct node *node); /* what is due is done, as by the service thread */
/* An ask: this thread sleeps until it has ended. UNAVAILABLE: the node is being closed. */
int node_run_ask(struct node *node, struct ask *ask);
int node_call(struct node *node, void (*call)(void *arg, struct engine *engine), void *arg);
/* The same, also when the node has stopped: for who only looks. */
int node_call_always(struct node *node, void (*call)(void *arg, struct engine *engine), void *arg);
void node_push(struct node *node, struct item *item); /* lock held */
void node_lead(struct node *node);                    /* lock held, not turning */
/* Sleeps on `cond`, to a deadline in mono_ms (UINT64_MAX: none). False: it has come. Lock held. */
bool node_sleep(struct node *node, pthread_cond_t *cond, uint64_t until_ms);
void node_lock(struct node *node);
void node_unlock(struct node *node);
int node_new(struct node **ret_node);
void node_free(struct node *node); /* half-opened is fine */
void node_close(struct backend *backend);

/* node_pump.c: the service thread. */
int node_thread(pthread_t *ret_thread, void *(*main)(void *arg), void *arg); /* NOMEM */
int node_pump_start(struct node *node); /* lock held; fine when it runs */
void node_pump_stop(struct node *node);
void node_pump_wake(struct node *node); /* lock held; if it has a reason to */

/* node_net.c: events of the net, and clients. */
int node_net_open(struct node *node, const struct node_options *options, struct neap_error *error);
int node_net_start(struct node *node);
void node_workers_stop(struct node *node); /* all clients' requests that came have answers */
void node_net_stop(struct node *node);     /* no event, no client after this */
void node_net_close(struct node *node);
void node_net_done(struct node *node, struct item *item); /* lock held */

/* node_join.c: the answer to who asks for a certificate on that link; a worker's. */
void node_join(struct node *node, uint64_t link, struct slice message);

/* node_write.c: writes, submitted writes. */
int node_write(struct backend *backend, struct write *write);
int node_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
              struct neap_error *error);
void node_ticket_done(struct node *node, struct item *item); /* lock held; frees it */
/* The end of a submitted write: its code, with text. STALE, UNCERTAIN when not in time. */
int node_ticket_wait(struct node *node, uint64_t ticket, uint64_t until_ms,
                     struct neap_error *error);

/* node_wait.c: until contexts are covered. */
struct cover {
    const struct token_part *parts; /* borrowed */
    size_t count;
    bool all_own; /* also all that this node has written so far */
    enum neap_level level;
    const struct level_read *read; /* NULL: it is not for a read */
};
int node_cover(struct node *node, struct cover *cover, uint64_t until_ms, struct neap_error *error);
/* A mark of now, and a sleep until something may have changed since then. UNCERTAIN: nothing did in
 * time; UNAVAILABLE: the node is being closed. */
uint64_t node_changes(struct node *node);
int node_changes_wait(struct node *node, uint64_t changes, uint64_t until_ms);
int node_wait(struct backend *backend, const struct token *token, enum neap_level level,
              uint32_t timeout_ms, struct neap_error *error);
int node_read(struct backend *backend, struct read *read, struct buffer *ret_cell);
int node_page(struct backend *backend, struct page_request *request, struct page *ret_page);
uint64_t node_until(const struct node *node, uint32_t timeout_ms); /* 0: NEAP_TIMEOUT_MS */

/* node_watch.c: a page of changes; until then it waits for some. With count_only the position
 * alone.
 */
int node_watch(struct node *node, struct page_request *request, uint64_t until_ms,
               struct page *ret_page);

/* node_admin.c */
int node_admin(struct backend *backend, int argc, const char *const argv[], struct buffer *ret_json,
               struct neap_error *error);
int node_stats(struct node *node, struct page *ret_page);

struct status_extra;
struct status_extra node_extra(struct node *node); /* engine/status.h */

/* node_doctor.c: the verb doctor. */
int node_doctor(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error);

/* node_census.c: verbs big and siblings. */
int node_census(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error);

/* node_explain.c: verbs explain and diff; words are those after it. */
int node_explain(struct node *node, const char *verb, int argc, const char *const argv[],
                 struct buffer *ret_json, struct neap_error *error);

/* node_diff.c: the verb differing. */
int node_differing(struct node *node, const char *verb, int argc, const char *const argv[],
                   struct buffer *ret_json, struct neap_error *error);

/* node_verify.c: the verb verify. */
int node_verify(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error);

/* node_history.c: the verb history; and an entry that ends now, durable when this returns. */
struct annals_entry;
int node_history(struct node *node, const char *word, struct buffer *ret_json,
                 struct neap_error *error);
int node_note(struct node *node, const struct annals_entry *entry);

/* node_settings.c: verbs settings and set; and what they are at the start. */
int node_settings(struct node *node, const char *word, struct buffer *ret_json,
                  struct neap_error *error);
int node_set(struct node *node, const char *verb, int argc, const char *const argv[],
             struct buffer *ret_json, struct neap_error *error);
void node_settings_keep(struct node *node); /* before it is started */

/* node_task.c: verbs tasks, task, scrub, repair. */
int node_tasks(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error);
int node_task(struct node *node, const char *verb, int argc, const char *const argv[],
              struct buffer *ret_json, struct neap_error *error);
int node_scrub(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error);
int node_repair(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error);

/* node_bundle.c: the verb bundle. */
int node_bundle(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error);

/* node_hints.c: verbs hints and log. */
int node_hints(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error);
int node_log(struct node *node, const char *verb, int argc, const char *const argv[],
             struct buffer *ret_json, struct neap_error *error);

/* node_revoke.c: verbs revoke and revoked, and the list as the net asks for it. */
int node_revoke(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error);
int node_revoked(struct node *node, const char *word, struct buffer *ret_json,
                 struct neap_error *error);
bool node_is_revoked(struct net_sink *sink, const struct principal *principal);
void node_revoked_look(struct node *node); /* after a turn, without the lock */

/* node_subscribe.c: verbs subscribe, unsubscribe and subscriptions; and may this be read here?
 * REFUSED: it is not held. */
int node_subscribe(struct node *node, const char *verb, int argc, const char *const argv[],
                   struct buffer *ret_json, struct neap_error *error);
bool node_holds(struct node *node, const char *bucket);
/* Where a call about it goes; place->ring is NULL, or means nothing but that there is one.
 * UNAVAILABLE (no such ring), INVALID, LIMIT: the text is there. */
int node_place_page(struct node *node, const struct page_request *request, struct placed *ret_place,
                    bool *ret_here, struct neap_error *error); /* also STALE: of a slot */
/* Of a bucket on a ring: in how many it is. UNAVAILABLE. */
int node_slots(struct node *node, const struct page_request *request, uint64_t *ret_slots,
               struct neap_error *error);
int node_place(struct node *node, const char *bucket, struct slice path, enum group_use use,
               struct placed *ret_place, bool *ret_here, struct neap_error *error);
int node_check_held(struct node *node, const char *bucket, struct neap_error *error);
int node_subscribed_look(struct node *node); /* after a turn, without the lock. NOMEM */

/* node_members.c: verbs peers, forget, retire. */
int node_members(struct node *node, const char *word, struct buffer *ret_json,
                 struct neap_error *error);
int node_forget(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error);
int node_retire(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error);

/* node_backup.c */
int node_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                struct buffer *ret_json, struct neap_error *error);
#endif
