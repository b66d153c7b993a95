/* What is measured, as rows of one file (bench.json) that several programs write to: each replaces
 * its own rows and leaves the others. */
#ifndef NEAP_BENCH_ROWS_H
#define NEAP_BENCH_ROWS_H
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

struct row {
    const char *work; /* its name */
    double figure;
    const char *unit;
    double reference, ratio; /* what it is held against, and how it compares; NAN: nothing */
    double goal;             /* of the ratio, or of the figure when there is none; NAN: none */
    double aim;              /* what is hoped for beyond the goal, which is the floor; 0: none */
    bool met;                /* the goal; true when there is none */
};

struct rows {
    json_t *list;
    const char *file;
};

/* Reads the file, if there is one. */
void rows_open(struct rows *rows, const char *file);
/* Replaces one of that name. */
void rows_add(struct rows *rows, const struct row *row);
/* One whose figure must not pass the goal (NAN: none). Prints it, too. */
void rows_add_most(struct rows *rows, const char *work, double figure, const char *unit,
                   double goal);
/* The same with an aim beyond the goal. */
void rows_add_aimed(struct rows *rows, const char *work, double figure, const char *unit,
                    double goal, double aim);
/* One that is held against another figure: the ratio is to be the goal at least, or (`most`) at
 * most. Prints it, too. */
void rows_add_ratio(struct rows *rows, const char *work, const char *unit, double figure,
                    double reference, double ratio, double goal, double aim, bool most);
/* The figure of a row of that name; NAN: there is none. */
double rows_figure(const struct rows *rows, const char *work);
/* Writes the file: false when it can't be. */
bool rows_close(struct rows *rows);
#endif
