/* The callers of a simulated world. */
#ifndef NEAP_SIM_LOAD_H
#define NEAP_SIM_LOAD_H
#include "engine/token.h"
#include "sim/escrow.h"
#include "sim/history.h"
#include "sim/quorums.h"
#include "sim/sight.h"
#include "sim/workload.h"
#include "sim/world.h"

/* Reads what nodes have committed (replicas.c). */
struct sim_replicas {
    struct replicas replicas;
    struct world *world;
    struct buffer path, bytes;
    struct cell cell;
};

void sim_replicas_init(struct sim_replicas *replicas, struct world *world);
void sim_replicas_done(struct sim_replicas *replicas);

/* ---- values ---- */

/* A record's value as it is stored: its text, then dots up to as many bytes as its number says. */
void value_write(const struct record *record, struct buffer *ret_bytes); /* appended */
/* The text; "?" when the bytes are not such. */
void value_read(struct slice bytes, char ret_value[HISTORY_TEXT]);

/* ---- paths: of a place as records name it ---- */

/* A set whose last name begins so is a score set, of whose members only is told who is in. */
enum { PLACE_SCORES = 'z' };
/* Type 0 leaves it open. The last name of a key tells its type by its first letter. */
void place_path(const char *key, unsigned type, struct buffer *ret_path); /* replaces */
enum neap_type record_type(enum record_kind kind);                        /* 0: any */
enum neap_type place_type(const struct record *record); /* the same of one record */

/* Has some node lost a cell there, or below? */
bool node_lags(const struct world *world, size_t node, const char *bucket);
bool place_is_lost(struct world *world, const char *bucket, const char *key, const char *member,
                   enum record_kind kind);

/* ---- sessions (check_sessions.c) ---- */

enum { SESSIONS = 4, SESSION_MEMORY = 64, SESSION_CELLS = 32, SESSION_DEAD = 64 };

/* What a session read last of a place where nothing is ever taken away. */
struct memory {
    size_t cell;
    int64_t value;
};

struct session {
    uint32_t id; /* a new one when it begins again */
    struct token token;
    size_t cells[SESSION_CELLS]; /* that it wrote or read lately: a ring */
    uint64_t cells_next;
    struct memory memory[SESSION_MEMORY]; /* a ring as well */
    uint64_t memory_next;
    size_t dead[SESSION_DEAD]; /* records that it found gone: a ring */
    uint64_t dead_next;
};

void session_begin(struct session *session, uint32_t id);
void session_end(struct session *session);
void session_touches(struct session *session, size_t cell);
/* A session reads a place at some node, if that has what the session has seen. */
void session_read(struct load *load, struct rng *rng);

/* ---- load*.c, check_sessions.c: for each other ---- */

/* An earlier look at a bucket, by somebody who may come back with it. */
struct old_context {
    char bucket[16];
    struct context context;
};

enum { OLD_CONTEXTS = 8 };

struct load {
    struct world *world;
    const struct workload *workload;
    struct history history;
    struct sights sights;
    struct old_context old[OLD_CONTEXTS];
    struct session sessions[SESSIONS];
    uint32_t sessions_count; /* that there ever were */
    uint64_t serial, calls, pending, reads, reads_covered;
    uint64_t crashes[NODES_MAX]; /* of nodes, that the history knows */
    struct escrow escrow;
    struct quorums quorums;
    struct record *drawn; /* of the call that is made */
    size_t drawn_count, drawn_room;
};

/* The records of one call through this node (load_draw.c), by the rng alone: in load->drawn. */
void load_draw(struct load *load, size_t node, struct rng *rng, enum workload_operation first);
/* By weight; SESSION_READ only when `reads`. */
enum workload_operation operation_draw(const struct workload *workload, struct rng *rng,
                                       bool reads);
/* A node's directory was replaced. */
void load_replaced(struct load *load, size_t node);
/* Tells the history of nodes that crashed. */
void load_settle(struct load *load);
#endif
