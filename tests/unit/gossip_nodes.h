/* Two nodes without a wheel, for unit tests: what one wants to be sent is handed to the other at
 * once. */
#ifndef NEAP_UNIT_GOSSIP_NODES_H
#define NEAP_UNIT_GOSSIP_NODES_H
#include "gossip/gossip.h"
#include "gossip/state.h"
#include "tests/support/test.h"

struct test_clock {
    struct clock clock;
    uint64_t next;
};

struct side {
    struct disk *disk;
    struct store store;
    bool store_is_open;
    struct batch *batch;
    struct outbox outbox;
    struct gossip *gossip;
};

struct pair_of_nodes {
    struct side sides[2];
    struct now now;
    struct test_clock clock;
    size_t queue_max;                 /* bytes that a node may send at once; 0: any */
    unsigned digests;                 /* messages of them that were sent or refused */
    size_t digests_max;               /* bytes of them that were sent at once, at most */
    unsigned messages[MESSAGE_KINDS]; /* that were sent, by kind... */
    size_t bytes[MESSAGE_KINDS];      /* ... and of how many bytes */
    bool holds[2];                    /* what that side sends stays with it */
    enum message_kind holds_at;       /* that of the other side, once this kind was sent; 0: no */
    struct principal principals[2];   /* whom each side shows itself as; NONE: nobody looks */
    unsigned loses[MESSAGE_KINDS];    /* the so manyth of that kind gets lost; 0: none */
};

/* Half-open after an error; nodes_close() all the same. Only side 0 dials. */
int nodes_open(struct pair_of_nodes *nodes);
/* The same with trees of 2^bits leaves at most, and answers of about that size (0: as usual). */
int nodes_open_with_trees(struct pair_of_nodes *nodes, unsigned bits, unsigned bits_other,
                          size_t chunk_size);
void nodes_close(struct pair_of_nodes *nodes);
int side_commit(struct side *side);
/* An event of the net, and the commit of what it wrote. */
int give(struct pair_of_nodes *nodes, size_t to, enum net_event_kind kind, uint64_t link,
         struct slice bytes);
int nodes_run(struct pair_of_nodes *nodes, uint64_t ms);
int nodes_write_to(struct pair_of_nodes *nodes, size_t index, const char *bucket, const char *key,
                   int64_t number);
/* Of the bucket "box". */
int nodes_write(struct pair_of_nodes *nodes, size_t index, const char *key, int64_t number);
struct shard *box(struct pair_of_nodes *nodes, size_t index);
struct pair *box_pair(struct pair_of_nodes *nodes); /* what side 0 knows of it at side 1 */
/* Opens them; both have the box, and side 1 has written to it. */
void meet_with_box(struct pair_of_nodes *nodes);

/* The member list: a record; what a node writes of itself, or an operator of another one (NULL: it
 * is removed); the list as a side has it. */
struct roster_row row_make(uint64_t node, const char *address, const char *name);
/* What the side has written into the system's bucket is told and committed. */
int system_written(struct pair_of_nodes *nodes, size_t side);
int record_write(struct pair_of_nodes *nodes, size_t side, enum roster_place place, uint64_t node,
                 const struct roster_row *row);
int record_add(struct pair_of_nodes *nodes, size_t side, const struct roster_row *row);
const struct roster *nodes_roster(struct pair_of_nodes *nodes, size_t side);
#endif
