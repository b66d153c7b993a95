/* Settings that can be changed while a node runs (docs/decisions/0111). They last until it is
 * closed: what it was opened with is the truth at the next start. On the wheel's thread. */
#ifndef NEAP_ENGINE_SETTINGS_H
#define NEAP_ENGINE_SETTINGS_H
#include "engine/engine.h"

/* X(name, what its numbers are, least, most, help); names are those of struct neap_options. A
 * number of bytes may have k, m or g behind it. */
#define SETTINGS_MAX_S UINT64_C(3155760000) /* a hundred years */
#define SETTINGS(X)                                                                                \
    X(bulk_max, "bytes/s", 0, INT64_MAX, "taken from others to catch up, and given; 0: any")       \
    X(scrub_max, "cells/s", 1, 1000000, "that a scrub reads")                                      \
    X(scrub_s, "s", 0, UINT32_MAX, "from one scrub to the next; 0: none but those ordered")        \
    X(log_max, "events", 1, INT64_MAX, "of a bucket, kept for members that are away")              \
    X(retire_after_s, "s", 0, SETTINGS_MAX_S, "away for longer, a node holds no log; 0: never so") \
    X(sync_ms, "ms", 1, 60000, "after which what was written with nosync is synced")

enum setting {
#define X(name, unit, least, most, help) SETTING_##name,
    SETTINGS(X)
#undef X
        SETTINGS_END
};

struct setting_kind {
    const char *name, *unit, *help;
    uint64_t least, most;
    bool bytes;
};

extern const struct setting_kind setting_kinds[SETTINGS_END];

/* INVALID: there is none of that name. */
int setting_find(const char *name, enum setting *ret_setting);
/* INVALID: no number, or not one of those that it may be. */
int setting_parse(enum setting setting, const char *text, uint64_t *ret_number);
/* REFUSED: it means nothing to this node, which is alone. */
int setting_get(const struct engine *engine, enum setting setting, uint64_t *ret_number);
int setting_set(struct engine *engine, enum setting setting, uint64_t number); /* and NOMEM */
#endif
