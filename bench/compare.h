/* What the parts of compare share. */
#ifndef NEAP_BENCH_COMPARE_H
#define NEAP_BENCH_COMPARE_H
#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"

enum { COMPARES = 5 }; /* rounds */

/* Synced increments a second, by so many callers. */
double neap_increments(struct neap *neap, unsigned callers, uint64_t count);
/* SQLite, and what runs in node. */
void sqlite_run(const char *base, struct neap *neap, struct rows *rows);
void peers_run(const char *source, struct rows *rows);
#endif
