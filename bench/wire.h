/* Two nodes in one process, on memory disks, under a clock that runs ahead to whatever is next, and
 * a net between them that counts what it carries. A message is under way for WIRE_DELAY_MS and
 * work takes no time of that clock, so that what passes is round trips. */
#ifndef NEAP_BENCH_WIRE_H
#define NEAP_BENCH_WIRE_H
#include "engine/wheel.h"

enum { WIRE_DELAY_MS = 100, WIRE_LINKS_MAX = 64, WIRE_BUCKETS_MAX = 128 };

/* What was carried. `values` are paths and cells (dots and payloads), `envelopes` what is around
 * each of them in a chunk: bucket, lengths, the names of its events. All else is metadata, with
 * the heads of frames. */
struct wire_tally {
    uint64_t messages, heartbeats; /* the latter's bytes: in no other figure */
    uint64_t bytes;
    uint64_t values, envelopes, cells;
    uint64_t by_kind[MESSAGE_KINDS], messages_of[MESSAGE_KINDS];
    uint64_t asked_ms,
        ended_ms;          /* the first question was sent, the last message but a digest came */
    double cpu, cpu_asked; /* seconds of the process: when the counting began, and then */
};

struct wire_link {
    bool open;
    uint64_t numbers[2]; /* as the nodes call it; ends[0] is who dialled */
    size_t ends[2];
};

struct wire_mail {
    struct wire_mail *next;
    uint64_t at_ms;
    size_t to;
    struct net_event net;
};

struct wire_node {
    struct net net; /* first */
    struct clock clock;
    struct wire *wire;
    struct disk *disk;
    struct directory_mark mark;
    struct wheel wheel;
    uint64_t entropy;
};

struct wire {
    struct wire_node nodes[2];
    struct hash_key cluster_key;
    uint64_t now_ms;
    struct wire_link links[WIRE_LINKS_MAX];
    uint64_t accepted;
    struct wire_mail *first, *last;
    bool cut;          /* links are down, and none comes up */
    bool refuses;      /* no push is taken: queues are full... */
    unsigned refuse_1; /* ... or only the next so many */
    struct wire_tally tally;
};

void wire_check(int code, const char *what); /* says so, and ends the program */
double wire_cpu(void);
void wire_open(struct wire *wire, unsigned tree_bits);
void wire_close(struct wire *wire);
void wire_run(struct wire *wire, uint64_t ms);
/* Until both say so, or fails after so long. */
void wire_run_until(struct wire *wire, bool (*done)(struct wire *wire), uint64_t ms_max,
                    const char *what);
void wire_cut(struct wire *wire, bool cut);
void wire_count(struct wire *wire); /* from here on */
/* One write with so many ops, synced. */
void wire_write(struct wire *wire, size_t node, struct write_op *ops, size_t count);
struct shard *wire_shard(struct wire *wire, size_t node, const char *bucket);
#endif
