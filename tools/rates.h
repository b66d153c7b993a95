/* What a node does in a second: the differences between two looks at its numbers, for `neap top`.
 * No clock and no node in here. */
#ifndef NEAP_TOOLS_RATES_H
#define NEAP_TOOLS_RATES_H
#include <jansson.h>
#include <stdint.h>

/* What it said at one moment: the answers to the verbs stats and status. */
struct sample {
    json_t *stats, *status;
    uint64_t wall_ms, mono_ms;
};

void sample_done(struct sample *sample); /* and empties it */

/* What `neap -o json top` prints, to be freed: see top_live of docs/schema. A rate is null where
 * there is nothing to compare with: `before` is NULL or of the same moment, the node was started in
 * between, the bucket or peer was not there, or the number went back. */
json_t *rates_look(const struct sample *before, const struct sample *now);
#endif
