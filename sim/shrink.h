/* A failing history made short: delta debugging (Zeller & Hildebrandt, TSE 2002) over the steps of
 * its plan, as long as the same checker finds fault. */
#ifndef NEAP_SIM_SHRINK_H
#define NEAP_SIM_SHRINK_H
#include "sim/run.h"

/* Takes steps out of the plan. `runs`: histories it may try. Returns how many it did. */
unsigned shrink_plan(struct plan *plan, const struct settings *settings,
                     const struct result *failure, unsigned runs);
#endif
