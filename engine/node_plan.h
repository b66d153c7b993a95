/* Verbs ring and plan of neap_admin(), and what they share. */
#ifndef NEAP_ENGINE_NODE_PLAN_H
#define NEAP_ENGINE_NODE_PLAN_H
#include <jansson.h>

#include "engine/node.h"
#include "engine/plan.h"
#include "gossip/roster.h"

/* A ring and its plan, as this node has them now. */
struct ring_case {
    struct node *node;
    const char *name;
    struct rings rings;
    const struct ring *ring; /* NULL: it is not known here */
    struct plan plan;
};

/* INVALID: a name that is none; CORRUPT, IO, NOMEM. ring_case_done() in any case. */
int ring_case_open(struct ring_case *at, struct node *node, const char *name,
                   struct neap_error *error);
void ring_case_done(struct ring_case *at);

/* The node that a word names: 16 hex digits, or a name of the member list; its record there, or one
 * with nothing but the id. INVALID, NOTFOUND, CORRUPT, IO, NOMEM; ret_row is zeroed then. */
int ring_node_word(struct node *node, const char *word, struct roster_row *ret_row,
                   struct neap_error *error);

json_t *ring_id_json(uint64_t stamp); /* "5-0badcafe": version and hash; NULL without memory */
/* Appends; releases the item in any case. False: no memory, or no item. */
bool json_add(json_t *array, json_t *item);

const char *plan_kind_name(enum plan_kind kind); /* "join" */
int plan_show(const struct ring_case *at, struct buffer *ret_json, struct neap_error *error);

int node_ring(struct node *node, const char *verb, int argc, const char *const argv[],
              struct buffer *ret_json, struct neap_error *error);
int node_plan(struct node *node, const char *verb, int argc, const char *const argv[],
              struct buffer *ret_json, struct neap_error *error);
#endif
