/* Everything that happened in a world: each event that any node made, the cell that it changed,
 * what it added there and what it removed. So for each cell, and for whatever its node knows, it is
 * known what must be in it.
 *
 * The name of an event is (id, n, nonce): in the two futures of a directory that went back in time
 * there are two events of the same dot. An opening is a run of events of one id and nonce, and
 * begins where another one was left: entries of contexts stand for a path through that tree.
 *
 * Events are told commit by commit, not one by one, so two things are not known in full: of several
 * events of one commit in one cell, which one removed what; and events that were cut from the log
 * by the commit that made them have no path until a cell shows it. Then the oracle believes what
 * all its readers have in common: it never calls wrong what can be right. */
#ifndef NEAP_SIM_ORACLE_H
#define NEAP_SIM_ORACLE_H
#include "crdt/cell.h"
#include "sim/find.h"
#include "sim/world.h"

#define ORACLE_NONE UINT32_MAX

struct oracle_event {
    uint64_t n;
    uint64_t payload; /* its hash */
    uint32_t opening, path;
    uint32_t gone;       /* the first of the edges that remove it */
    uint32_t next_fresh; /* of the same cell and commit */
    uint32_t stamp;
    uint64_t commit; /* that made it */
    bool adds;       /* a cell has shown it */
    bool listed;     /* by its path */
    bool lost;       /* what it did: a damaged disk had it, and nobody else */
    bool forgotten;  /* maybe, by a node whose log was damaged: what it removed stays gone there */
};

/* "From `may` on it can have been removed, from `must` on it has been." */
struct oracle_edge {
    uint32_t may, must; /* events; must may be NONE */
    uint32_t next;
    bool lost; /* maybe whatever removed it: where it is not, nobody may know why */
};

struct oracle_opening {
    uint32_t shard, before; /* the opening that it follows, after event `since` */
    uint64_t id, since;
    uint32_t nonce;
    size_t node;  /* whose it is */
    uint32_t era; /* of that node's directory */
    uint32_t *events;
    size_t count, room;
    size_t valid;   /* the others are lost, or have other names: nobody may know them */
    size_t durable; /* of the valid ones */
    uint32_t next;  /* of the same node and shard */
};

struct oracle_path {
    uint32_t shard;
    struct slice key;
    uint32_t *events; /* that add something, but for those that all have seen removed */
    size_t count, room, prune_at;
    uint64_t fresh_commit;
    uint32_t fresh; /* its events of that commit, the last one first */
    uint64_t marked;
};

/* What a node has of a shard: as last committed, and as last synced. */
struct oracle_replica {
    bool present, dirty;
    struct context known, synced;
    struct context dropped; /* what it knew whenever it let go of the shard */
    uint64_t own;           /* its id */
    uint32_t openings;      /* the first of its list */
};

struct oracle_shard {
    uint64_t id;
    uint32_t *paths;
    size_t paths_count, paths_room;
    struct oracle_replica replicas[NODES_MAX];
    uint64_t blind_commit; /* had events whose path is not known */
    uint32_t blind_first, blind_last;
};

struct oracle_table {
    uint32_t *slots;
    size_t count, room;
};

struct oracle {
    struct oracle_event *events;
    struct oracle_edge *edges;
    struct oracle_opening *openings;
    struct oracle_path *paths;
    struct oracle_shard *shards;
    size_t events_count, events_room, edges_count, edges_room, openings_count, openings_room;
    size_t paths_count, paths_room, shards_count, shards_room;
    struct oracle_table openings_by_name, paths_by_key;
    uint32_t eras[NODES_MAX];
    bool blind;      /* messages had other bytes: nothing is promised any more, or looked at */
    uint64_t commit; /* the number of the present one */
    uint32_t stamp;
};

struct oracle *oracle_new(void);
void oracle_free(struct oracle *oracle);

uint32_t oracle_shard(struct oracle *oracle, uint64_t id);                     /* made if need be */
uint32_t oracle_path(struct oracle *oracle, uint32_t shard, struct slice key); /* made if need be */
uint32_t oracle_opening(const struct oracle *oracle, uint32_t shard, uint64_t id, uint32_t nonce);
uint32_t oracle_open(struct oracle *oracle, uint32_t shard, size_t node, uint64_t id,
                     uint32_t nonce, struct context_entry before);
/* The next event of an opening; path NONE: not known. */
uint32_t oracle_make(struct oracle *oracle, uint32_t opening, uint32_t path);

/* What is lost of an opening is made again. */
void oracle_forget(struct oracle *oracle, uint32_t opening);

/* The valid event of that number in the history that the entry stands for; NONE: there is none. */
uint32_t oracle_resolve(const struct oracle *oracle, uint32_t shard,
                        const struct context_entry *entry, uint64_t n);
bool oracle_covers(const struct oracle *oracle, uint32_t shard, const struct knowledge *know,
                   uint32_t event);
/* An event named by the entry, or before it, that is lost or renamed, or was never made. */
bool oracle_entry_is_wrong(const struct oracle *oracle, uint32_t shard,
                           const struct context_entry *entry);
/* Are all events that the entry stands for synced where they were made? */
bool oracle_entry_is_durable(const struct oracle *oracle, uint32_t shard,
                             const struct context_entry *entry);

/* Is the cell what the events of `know` leave? Learns from it what the events of this commit did,
 * if some of them are of this cell. `before`: what the node knew before the commit. */
bool oracle_explains(struct oracle *oracle, uint32_t path, const struct knowledge *know,
                     const struct context *before, const struct cell *cell, struct why why);
/* What events of the cell did that no node but this one knows of may be lost with it: what they
 * added may be absent, what they removed may be there. */
void oracle_lose(struct oracle *oracle, uint32_t path, size_t node);
/* The node, whose log was damaged, may have forgotten events, but not what they removed. */
void oracle_doubt(struct oracle *oracle, size_t node);

/* What a node has made, by what its own context covers, now that this can have become less.
 * Returns whether some are valid no longer. */
bool oracle_revalidate(struct oracle *oracle, uint32_t shard, size_t node,
                       const struct context *context);
void oracle_synced(struct oracle *oracle, uint32_t shard, size_t node);

/* ---- oracle.c, for oracle_cell.c ---- */
bool oracle_is_valid(const struct oracle *oracle, uint32_t event);
void oracle_list(struct oracle *oracle, uint32_t event); /* by its path */
/* The entry of the id with the higher n, of the two parts of a knowledge. */
const struct context_entry *oracle_entry(const struct knowledge *know, uint64_t id);
uint64_t oracle_hash(struct slice bytes);

/* ---- for people ---- */
void oracle_dump(const struct oracle *oracle, uint32_t path); /* to stdout */
void oracle_event_text(const struct oracle *oracle, uint32_t event, char *ret_text, size_t size);
#endif
