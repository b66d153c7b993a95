/* A world of replicas of one shard, on memory disks, driving the real store code: the C twin of
 * tests/model/shard_model.py, which has the reasons. The oracle knows every event; after each step
 * each cell must hold exactly what the events that it claims to know leave. */
#ifndef NEAP_PROPERTY_WORLD_H
#define NEAP_PROPERTY_WORLD_H
#include "base/rng.h"
#include "store/shard.h"

enum { PATHS = 9, COUNTERS_FROM = 7, MAP_FROM = 3, MAP_TO = 7, NODES_MAX = 8 };

enum profile {
    PROFILE_SCRIPTED,
    PROFILE_SYNC,
    PROFILE_HORIZON,
    PROFILE_CRASH,
    PROFILE_LIVES,
    PROFILE_DAMAGE,
    PROFILE_ROLLBACK,
    PROFILE_FRESH,
    PROFILE_BOOT,
    PROFILES
};

/* ---- the oracle (oracle.c) ---- */

/* In a fork two events have the same dot, so the nonce is part of the name. */
struct event {
    struct dot dot;
    uint32_t nonce;
    unsigned path;
    bool live;      /* it adds a value */
    bool forgotten; /* a crash took it before anybody was told */
    bool at_risk;   /* a rollback took the last copy */
    int64_t number; /* of a counter */
    size_t gone_at, gone_count;
};

/* Where an opening of an id began, and the nonce of the event before. */
struct birth {
    uint64_t id, since;
    uint32_t nonce, before;
};

/* What a replica had when it answered a write: whoever has all of that has nothing that was gone.
 */
struct promise_kept {
    unsigned path;
    struct context context; /* of the replica */
    struct context known;   /* and of its cell */
    size_t kept_at, kept_count;
};

struct oracle {
    struct promise_kept *promises;
    size_t promises_count, promises_room;
    struct dot *kept; /* what was not gone */
    size_t kept_count, kept_room;
    struct event *events;
    size_t events_count, events_room;
    size_t *gone; /* numbers of events */
    size_t gone_count, gone_room;
    size_t *paths[PATHS]; /* events by path */
    size_t paths_count[PATHS], paths_room[PATHS];
    struct birth *births;
    size_t births_count, births_room;
    uint8_t *marks;
    size_t marks_room;
    bool forks; /* nonces matter */
};

void oracle_done(struct oracle *oracle);
void oracle_birth(struct oracle *oracle, uint64_t id, uint32_t nonce, uint64_t since,
                  uint32_t before);
bool oracle_covers(const struct oracle *oracle, const struct knowledge *know,
                   const struct event *event);
/* Records an event that turned `old` into `new_dots` at a place that knew `know`. */
void oracle_event(struct oracle *oracle, unsigned path, struct dot dot, uint32_t nonce,
                  const struct cell *old, const struct cell *now, const struct knowledge *know,
                  int64_t number);
/* Does the cell hold what the events of `know` leave? */
bool oracle_explains(struct oracle *oracle, unsigned path, const struct knowledge *know,
                     const struct cell *cell);
/* A write was answered by who has this context and this cell. */
void oracle_promise(struct oracle *oracle, unsigned path, const struct context *context,
                    const struct knowledge *know, const struct cell *cell);
/* Does a replica that knows this keep the promises of others with this cell? */
bool oracle_keeps(const struct oracle *oracle, unsigned path, const struct knowledge *know,
                  const struct cell *cell);
void oracle_forget(struct oracle *oracle, uint64_t id, uint64_t above);
/* The events of `old` that the opening made, up to `until`, get dots of `id`. */
void oracle_rename(struct oracle *oracle, const struct knowledge *know, struct opening opening,
                   uint64_t until, uint64_t old, uint64_t id);
int64_t oracle_sum(const struct oracle *oracle, unsigned path, const struct knowledge *know);

/* ---- the world (world.c) ---- */

struct message {
    unsigned refs;
    struct buffer bytes;
    uint32_t nonce; /* of the opening that sent it */
};

struct wire {
    unsigned from, to;
    struct message *message;
};

/* A pull or compare on its way: anything may happen between its steps. */
struct task {
    unsigned node, peer;
    size_t size;
    uint64_t session; /* 0: a pull */
    bool greeted, started, pending;
    struct buffer bytes; /* asked for, not yet taken */
};

struct node {
    unsigned number;
    uint64_t life;
    struct disk *bare; /* what a crash leaves */
    struct disk *disk; /* a small cache before it */
    struct batch *batch;
    struct shard *shard;
    bool gone;
    bool checked;            /* nothing was committed since */
    struct message **outbox; /* built, not yet sent: nothing leaves before the sync */
    size_t outbox_count, outbox_room;
    uint64_t pushed;    /* own events that have been put into a message */
    unsigned confirmed; /* bits of nodes */
};

/* An image of a node's directory. */
struct image {
    unsigned node;
    uint64_t life;
    struct disk *disk;
};

struct key3 {
    struct dot dot;
    uint32_t nonce;
};

struct world {
    enum profile profile;
    uint64_t seed;
    struct rng rng;
    bool rollbacks, hello, fresh, finishing;
    const char *folder; /* of the RocksDB directories; NULL: memory */
    struct context armed_context, armed_horizon;
    size_t armed_residues;
    uint64_t armed_session;
    unsigned armed_phase;
    bool armed;
    bool progress; /* something was taken, or could not be asked */
    struct oracle oracle;
    struct node nodes[NODES_MAX];
    unsigned nodes_count;
    struct wire *wire;
    size_t wire_count, wire_room;
    struct task *tasks;
    size_t tasks_count, tasks_room;
    struct image *images;
    size_t images_count, images_room;
    struct key3 *told;
    size_t told_count, told_room;
    uint64_t *orphans;
    size_t orphans_count, orphans_room;
    bool damaged[PATHS];
    uint64_t ids, sessions;
    uint32_t nonces;
    struct buffer paths[PATHS], map_prefix;
    struct buffer read_a, read_b, scratch;
    size_t pages_judged;
};

/* The rule that is broken on purpose; NULL: none. */
void world_break(const char *rule);
bool world_broken(const char *rule);
/* The history did not hold: ends it. The text says what, the caller prints the seed. */
_Noreturn void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define hold(condition, ...) ((condition) ? (void)0 : world_fail(__VA_ARGS__))
void hold_ok(int error, const char *what);

void world_init(struct world *world, enum profile profile, uint64_t seed, const char *folder);
void world_done(struct world *world);
void world_step(struct world *world);

uint64_t world_shard(void);
uint64_t world_id(struct world *world);
void world_drop_dead(struct world *world, unsigned to, unsigned from);
unsigned world_pick(struct world *world, uint64_t below);
bool world_chance(struct world *world, double chance);
unsigned world_alive(const struct world *world, unsigned ret_nodes[NODES_MAX]);
struct node *world_node_new(struct world *world);
void world_stop(struct world *world, unsigned node); /* its tasks, and those that ask it */
void world_check(struct world *world, struct node *node);
void world_drop_wire(struct world *world,
                     bool (*drop)(struct world *world, const struct wire *item, const void *arg),
                     const void *arg);
void world_deliver(struct world *world, size_t index);
void world_deliver_copy(struct world *world, size_t index); /* it stays under way */
void world_wire_put(struct world *world, struct wire item); /* takes its reference */
void world_wire_add(struct world *world, struct node *from, struct node *to); /* the last event */
void world_wire_clear(struct world *world);
void world_save_image(struct world *world, const struct node *node);

/* Now and then the call runs out of memory on its way: then it must have changed nothing, and is
 * made again. */
#define attempt(world, node, result, call) \
    do {                                   \
        world_arm(world, node);            \
        (result) = (call);                 \
    } while (world_disarm(world, node, result))
void world_arm(struct world *world, const struct node *node);
bool world_disarm(struct world *world, const struct node *node, int result);

/* A directory of RocksDB that is opened again; NULL folder: memory (disks.c). */
struct disk *world_disk(const struct world *world, unsigned node);
/* The node's disk from now on; those before go as a process does. */
void node_set_disk(struct node *node, struct disk *bare);
int folder_make(char *ret_path, size_t size);
void folder_remove(const char *path);

void node_done(struct node *node);
struct view node_view(const struct node *node);
void node_commit(struct node *node);
void node_sync(struct world *world, struct node *node);
void node_open(struct world *world, struct node *node); /* shard_load, as after a restart */
void node_restart(struct world *world, struct node *node);
void node_outbox_clear(struct node *node);
void node_write(struct world *world, struct node *node, unsigned path);
void node_update(struct world *world, struct node *node, unsigned path, const struct op *op);
struct slot;
/* The cell with its residue; slot_done() it. */
void node_slot(struct world *world, const struct node *node, unsigned path, struct slot *ret_slot);
struct knowledge node_knowledge(const struct node *node, const struct slot *slot);
void node_redot(struct world *world, struct node *node);
bool node_tells(struct world *world, struct node *node);
void node_hello(struct world *world, struct node *node, struct node *peer);
void node_after_take(struct world *world, struct node *node, int error);

/* ---- tasks (tasks.c) ---- */
bool task_step(struct world *world, struct task *task); /* false: it is over */
void task_done(struct task *task);
void world_task_new(struct world *world, unsigned node, unsigned peer, size_t size);
void world_task_remove(struct world *world, size_t index);
void world_read(struct world *world, const unsigned *nodes, unsigned count, unsigned path);
void world_repair(struct world *world, struct node *a, struct node *b);
void node_pull_all(struct world *world, struct node *node, struct node *peer);

/* ---- faults (faults.c) ---- */
void world_fault(struct world *world, struct node *node);
void world_rollback(struct world *world, struct node *node, struct node *peer);
void world_finish(struct world *world);
/* Puts the directory back (NULL: to what was synced last) and opens it. */
void node_reopen(struct world *world, struct node *node, const struct image *image);

/* ---- scripted.c ---- */
enum { SCRIPTS = 6 };
void world_scripted(struct world *world, unsigned number);

/* Makes room for one more element of any of the arrays above; out of memory ends the program. */
void room_grow(void *array, size_t count, size_t *room, size_t size);
#endif
