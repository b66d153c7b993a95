/* Collections that change much: how many are in each is kept from then on (store/tally.h), so that
 * status can say which are big as well. */
#ifndef NEAP_ENGINE_HOT_H
#define NEAP_ENGINE_HOT_H
#include "store/store.h"

/* So many elements or fields are big: all of them in one answer are much for any client. */
enum { HOT_BIG = 10000 };

/* NOMEM. */
int hot_tick(struct store *store, uint64_t mono_ms, struct batch *batch);
#endif
