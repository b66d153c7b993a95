/* The numbers of a node in the text format of Prometheus, for `neap stats --prometheus` and for the
 * listener of neapd. */
#ifndef NEAP_TOOLS_METRICS_H
#define NEAP_TOOLS_METRICS_H
#include <jansson.h>
#include <stdio.h>

/* `stats` is the answer to the verb stats. Each number has HELP and TYPE; reasons of links are one
 * metric, whose label has as many values as there are reasons. */
void metrics_write(FILE *file, json_t *stats);

/* Serves what was set last, as http://ADDRESS/metrics. */
struct metrics;
/* The address is HOST:PORT, and of this machine alone. NULL: *ret_why says what is wrong with it
 * (ret_usage: with the address itself). */
struct metrics *metrics_listen(const char *address, const char **ret_why, int *ret_usage);
void metrics_set(struct metrics *metrics, json_t *stats);
void metrics_close(struct metrics *metrics); /* NULL is fine */
#endif
