/* Histories of replicated objects, and what other people's implementations answered, replayed on
 * the real store: docs/vectors.md says what the files are, and how to run it.
 *
 * A history is played once in each way. Its replicas are shards of the store, which exchange what
 * nodes would exchange: nothing here merges anything. */
#ifndef NEAP_REPLAY_H
#define NEAP_REPLAY_H
#include <jansson.h>

#include "base/rng.h"
#include "store/chunk.h"
#include "store/shard.h"

enum { REPLICAS_MAX = 16, TEXT_MAX = 600 };

/* How what one replica has comes to another. */
enum way {
    WAY_STATE,   /* every cell, with all that is known of it */
    WAY_PUSH,    /* each event when it was made, in random order, some again and again */
    WAY_ROCKS,   /* the log, on RocksDB, which is closed and opened between steps */
    WAY_COMPARE, /* compares that end, of replicas whose logs are cut at once */
    WAYS
};
extern const char *const way_names[WAYS];

/* ---- types of histories (kind.c) ---- */

enum shape {
    SHAPE_SET,
    SHAPE_FLAG,
    SHAPE_COUNTER,
    SHAPE_BOUNDED,
    SHAPE_REGISTER,
    SHAPE_LWW,
    SHAPE_MAP,
    SHAPE_TEXT
};

struct kind {
    const char *name; /* as in the files */
    enum shape shape;
    unsigned type; /* enum neap_type */
    bool is_field; /* it occurs in maps */
    bool starts_on;
};

const struct kind *kind_find(const char *name);
const struct kind *kind_of_field(const struct kind *map, unsigned type);

/* ---- a history ---- */

struct history {
    json_t *json;
    const char *id, *source;
    const struct kind *kind;
    unsigned replicas;
    const json_t *steps;
    size_t steps_count;
    uint32_t sum; /* of its line */
    unsigned line;
    bool is_dvv, has_deltas;
};

/* ---- one play of it ---- */

struct replica {
    unsigned number;
    struct disk *disk;
    struct batch *batch;
    struct shard *shard; /* NULL: closed */
    bool borrowed;       /* the disk is not its own */
    uint64_t life;
    struct context_entry quotes[REPLICAS_MAX]; /* closed: what it has seen of others */
    uint8_t *has;                              /* of each push: whether it was taken */
    size_t has_room;
};

/* A cell as an event left it, without what the event did not change. */
struct delta_cell {
    struct buffer path, bytes;
    struct context known; /* what the event made, and what it superseded */
    struct dot dot;
};

struct delta {
    struct delta_cell *cells;
    size_t cells_count, cells_room;
    size_t push;   /* of it alone, as one */
    size_t *parts; /* of a group: numbers of deltas */
    size_t parts_count, parts_room;
};

struct push {
    struct buffer bytes;
};

struct made {
    struct dot dot;
    uint32_t nonce;
};

struct rocks; /* one RocksDB for each number of a replica */

struct play {
    const struct history *history;
    enum way way;
    struct rocks *rocks;
    unsigned number; /* names the shard */
    uint64_t shard;
    struct rng rng;
    struct replica *replicas[REPLICAS_MAX];
    struct replica **kept; /* of snaps, by k; may be NULL */
    size_t kept_count, kept_room;
    struct replica **contexts; /* of ctx and get, by k */
    size_t contexts_count, contexts_room;
    struct delta *deltas;
    size_t deltas_count, deltas_room;
    struct delta *making; /* NULL, or what the operation writes goes there */
    struct push *pushes;
    size_t pushes_count, pushes_room;
    struct made *made;
    size_t made_count, made_room;
    struct buffer *paths; /* of all cells that were ever written */
    size_t paths_count, paths_room;
    uint32_t nonces;
    uint64_t lives;
    size_t step;
    struct model *model;       /* NULL: this type has none */
    size_t differing;          /* values that are not as recorded, for a reason */
    size_t values;             /* values that were compared */
    size_t rights;             /* of a bounded counter: of how many replicas they are told */
    const char *rule;          /* the reason */
    struct buffer bytes, more; /* scratch */
    bool is_over;              /* it failed, or came to its end */
    char text[TEXT_MAX];
};

/* The history does not hold: that ends the play, once all that is at work has seen it. False. */
bool play_fail(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True while nothing has failed. */
bool play_ok(struct play *play, int error, const char *what);
#define hold(play, condition, ...) ((condition) || play_fail(play, __VA_ARGS__))

/* ---- play.c ---- */
void play_begin(struct play *play, const struct history *history, enum way way, struct rocks *rocks,
                unsigned number, uint64_t seed);
/* The next step, or at last the final value; false: that was all, or it failed. */
bool play_step(struct play *play);
void play_close(struct play *play); /* its shards, as the disks are about to be closed */
void play_end(struct play *play);

/* ---- replica.c ---- */
/* NULL: it failed. */
struct replica *replica_new(struct play *play, unsigned number, struct disk *disk,
                            struct batch *batch);
void replica_free(struct replica *replica); /* NULL is fine */
/* Loads its shard, if it is closed. False: it failed, and may have none. */
bool replica_open(struct play *play, struct replica *replica);
void replica_close(const struct play *play, struct replica *replica);
/* Ready to write: its opening is confirmed by all; with `fresh`, under an id of its own. */
bool replica_ready(struct play *play, struct replica *replica, bool fresh);
void replica_commit(struct play *play, struct replica *replica);
struct view replica_view(const struct replica *replica);
/* What it has seen of a cell: ret_seen is replaced. */
void replica_seen(struct play *play, struct replica *replica, struct slice path,
                  struct context *ret_seen);
void replica_cell(struct play *play, struct replica *replica, struct slice path,
                  struct buffer *bytes, struct cell *ret_cell);
/* One event; what it made is noted. Not committed. */
void replica_write(struct play *play, struct replica *replica, struct slice path,
                   const struct op *op);
/* One event for each cell below the path. */
void replica_remove(struct play *play, struct replica *replica, struct slice prefix);
uint32_t play_nonce(const struct play *play, struct dot dot);

struct rocks *rocks_new(void); /* NULL, and a line is printed */
struct disk *rocks_disk(struct rocks *rocks, unsigned number);
struct batch *rocks_batch(struct rocks *rocks, unsigned number);
bool rocks_reopen(struct rocks *rocks);
void rocks_free(struct rocks *rocks);

/* ---- ways.c ---- */
void play_merge(struct play *play, struct replica *from, struct replica *to);
/* A replica that has what `from` has, and never writes; NULL: it failed. */
struct replica *play_copy(struct play *play, struct replica *from);
/* The events that the replica made since its counter was `since` become pushes. */
void play_push(struct play *play, struct replica *replica, uint64_t since);
size_t push_add(struct play *play, struct buffer bytes); /* its number; takes the bytes */
/* Takes one which can't be behind. */
void push_one(struct play *play, struct replica *to, size_t number);
/* Cells that a replica has which saw nothing but them: `known` of each is all that is known. */
void play_take_cells(struct play *play, struct replica *to, const struct delta_cell *cells,
                     size_t count);

/* ---- delta.c ---- */
struct delta *delta_new(struct play *play);
void delta_done(struct delta *delta);
void delta_make_push(struct play *play, struct delta *delta); /* when all is noted */
void delta_note(struct play *play, struct replica *replica, struct slice path,
                const struct cell *before, struct dot dot);
void delta_take(struct play *play, struct replica *to, size_t number);
/* Do events of this history get an id each, so that one needs none before it? */
bool play_has_ids(const struct play *play);

/* ---- kind.c ---- */
/* With a context, removals act on what that has seen. */
void op_apply(struct play *play, struct replica *replica, const json_t *op,
              struct replica *context);
/* "put" of a DVV: blind without a context. */
void op_put(struct play *play, struct replica *replica, const json_t *value,
            struct replica *context);

/* ---- bounded.c ---- */
bool bounded_apply(struct play *play, struct replica *replica, struct slice path, const char *verb,
                   const json_t *op);
/* An operation that was refused: so it is here, if there are too few rights. */
void bounded_refuse(struct play *play, struct replica *replica, const json_t *op);
json_t *bounded_read(struct play *play, struct replica *replica);

/* ---- value.c ---- */
json_t *value_read(struct play *play, struct replica *replica); /* NULL: it failed */
/* Sorts lists; takes empty fields out of maps. */
void value_normal(const struct kind *kind, json_t *value);
char *value_text(const json_t *value);

/* ---- model.c: what a difference must be to be one of the known ones ---- */
struct model;
struct model *model_new(const struct history *history);
void model_free(struct model *model); /* NULL is fine */
/* Follows the step; true when the recorded and the read value both are what it expects of the two
 * implementations. *ret_rule names the reason. */
void model_step(struct model *model, const json_t *step);
void model_final(struct model *model);
/* What a rule gives, ours or the reference's; NULL: there is none. */
json_t *model_value(const struct model *model, bool ours);
bool model_explains(const struct model *model, const json_t *recorded, const json_t *read,
                    const char **ret_rule);

/* Makes room for one more; out of memory ends the program. */
void *room_more(void *array, size_t count, size_t *room, size_t size);
#endif
