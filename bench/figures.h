/* What is made of times. */
#ifndef NEAP_BENCH_FIGURES_H
#define NEAP_BENCH_FIGURES_H
#include <stddef.h>

double clock_seconds(void); /* from anywhere; never goes back */
/* The value below which `part` of them are, 0 to 1; sorts them. */
double part_of(double *values, size_t count, double part);
double median(double *values, size_t count); /* sorts them */
#endif
