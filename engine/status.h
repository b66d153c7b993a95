/* What a node says of itself: JSON for `neap status`, and numbers. On the wheel's thread. */
#ifndef NEAP_ENGINE_STATUS_H
#define NEAP_ENGINE_STATUS_H
#include <jansson.h>

#include "engine/wheel.h"
#include "trust/renewal.h"

/* What the engine does not know. */
struct status_extra {
    uint64_t cluster;
    const char *path; /* NULL: in memory */
    bool suspect, readonly, isolated;
    struct renewal renewal; /* of the node's own certificate; zeroed: it has none */
    uint64_t queue, net_drops, clients, clients_refused;
};

/* NULL: no memory. */
json_t *status_json(const struct wheel *wheel, struct now now, const struct status_extra *extra);

/* Who belongs to the cluster, and how each of them is (status_members.c). NULL: no memory. */
json_t *roster_json(const struct engine *engine, struct now now);

/* Numbers by name, for whoever plots them. Stops when `each` fails, and returns that. */
int status_numbers(const struct wheel *wheel, const struct status_extra *extra,
                   int (*each)(void *arg, const char *name, uint64_t number), void *arg);

/* Helpers for other documents. */
json_t *json_text(const char *text); /* never fails for bad UTF-8: such bytes become '?' */
json_t *json_hex(uint64_t number);
json_t *json_number(uint64_t number);
/* The document as text; releases it. NOMEM also when `json` is NULL. */
int json_into(json_t *json, struct buffer *ret_text);
#endif
