/* Two nodes with threads, and a net within the process, for unit tests. */
#ifndef NEAP_UNIT_NODE_PAIR_H
#define NEAP_UNIT_NODE_PAIR_H
#include "engine/node_ask.h"
#include "tests/support/hub.h"
#include "tests/support/rig.h"

enum { TIMEOUT_MS = 60000 };

struct pair {
    struct hub hub;
    struct hub_net nets[2];
    struct disk *disks[2];
    struct node *nodes[2];
    struct clock *clock;
    uint32_t heartbeat_ms, sync_ms;
    const struct roster_row *own[2]; /* what each says of itself; NULL: it keeps no list */
};

/* Their addresses. */
extern const char *const names[2];

void pair_init(struct pair *pair);
void pair_open_node(struct pair *pair, unsigned index);
void pair_open(struct pair *pair);        /* both */
void pair_open_listed(struct pair *pair); /* both, which keep the member list: zero, one */
void pair_open_by(struct pair *pair, struct clock *clock);
void pair_close(struct pair *pair);
/* Until a write of level ALL goes through: the two have met. */
void pair_meet(struct pair *pair);
int add(struct node *node, struct write_op op, enum neap_level level, bool nosync,
        struct token *token);
/* The counter n of a bucket; *ret_error may be NULL. */
int read_number(struct node *node, const char *bucket, enum neap_level level,
                const struct token *after, uint32_t timeout_ms, int64_t *ret_number,
                struct neap_error *ret_error);
int admin(struct node *node, const char *verb, const char *word, struct buffer *ret_json);
void isolate(struct node *node, const char *word);
#endif
