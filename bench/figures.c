#include "bench/figures.h"

#include <stdlib.h>
#include <time.h>

double clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double part_of(double *values, size_t count, double part)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[(size_t)((double)count * part)];
}

double median(double *values, size_t count)
{
    return part_of(values, count, 0.5);
}
