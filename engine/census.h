/* A pass over the cells of a bucket, for operators: which objects are the largest, and which
 * registers have siblings. On any thread, over a snapshot. */
#ifndef NEAP_ENGINE_CENSUS_H
#define NEAP_ENGINE_CENSUS_H
#include <jansson.h>

#include "store/shard.h"

enum { CENSUS_LIMIT = 20, CENSUS_LIMIT_MAX = 1000 };

struct census {
    uint64_t shard, bucket;
    size_t limit; /* 1 to CENSUS_LIMIT_MAX */
    /* Asked for every so many cells: what is not 0 ends the pass with that code. NULL: nobody. */
    int (*go_on)(void *arg);
    void *arg;
};

/* {"objects": [{"key", "type", "cells", "dots", "bytes"}...] (the largest first), "more": are there
 * others, "cells", "bytes": of all}. An object is a key with a type. NOMEM, CORRUPT, IO. */
int census_big(const struct census *census, const struct view *view, json_t **ret_json);
/* {"objects": [{"key", "type", "cell", "siblings"}...] in key order, "more", "cells": registers
 * with more than one value, "most": of one}. A cell may be a field of a map: its key is that of the
 * map.
 */
int census_siblings(const struct census *census, const struct view *view, json_t **ret_json);
#endif
