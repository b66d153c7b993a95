#include "bench/rows.h"

#include <stdio.h>
#include <string.h>

void rows_open(struct rows *rows, const char *file)
{
    *rows = (struct rows){.list = json_load_file(file, 0, NULL), .file = file};
    if (!json_is_array(rows->list)) {
        json_decref(rows->list);
        rows->list = json_array();
    }
}

static json_t *number_or_null(double number)
{
    return isnan(number) ? json_null() : json_real(number);
}

static void row_put(struct rows *rows, const char *work, json_t *row)
{
    size_t i;
    json_t *other;

    json_array_foreach(rows->list, i, other)
    {
        const char *name = json_string_value(json_object_get(other, "work"));

        if (name && !strcmp(name, work)) {
            json_array_set_new(rows->list, i, row);
            return;
        }
    }
    json_array_append_new(rows->list, row);
}

double rows_figure(const struct rows *rows, const char *work)
{
    size_t i;
    json_t *row;

    json_array_foreach(rows->list, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "work"));

        if (name && !strcmp(name, work))
            return json_number_value(json_object_get(row, "figure"));
    }
    return NAN;
}

void rows_add(struct rows *rows, const struct row *row)
{
    row_put(rows, row->work,
            json_pack("{s:s, s:f, s:s, s:o, s:o, s:o, s:o, s:b}", "work", row->work, "figure",
                      row->figure, "unit", row->unit, "reference", number_or_null(row->reference),
                      "ratio", number_or_null(row->ratio), "goal", number_or_null(row->goal), "aim",
                      row->aim > 0 ? number_or_null(row->aim) : json_null(), "met", row->met));
}

void rows_add_most(struct rows *rows, const char *work, double figure, const char *unit,
                   double goal)
{
    rows_add_aimed(rows, work, figure, unit, goal, 0);
}

void rows_add_aimed(struct rows *rows, const char *work, double figure, const char *unit,
                    double goal, double aim)
{
    const struct row row = {.work = work,
                            .figure = figure,
                            .unit = unit,
                            .reference = NAN,
                            .ratio = NAN,
                            .goal = goal,
                            .aim = aim,
                            .met = isnan(goal) || figure <= goal};

    printf("%-58s %12.5g %-18s", work, figure, unit);
    if (isnan(goal))
        printf("\n");
    else
        printf(" <= %-8g %s%s\n", goal, row.met ? "met" : "MISSED",
               aim > 0 && figure <= aim ? ", and the aim" : "");
    fflush(stdout);
    rows_add(rows, &row);
}

void rows_add_ratio(struct rows *rows, const char *work, const char *unit, double figure,
                    double reference, double ratio, double goal, double aim, bool most)
{
    const struct row row = {.work = work,
                            .figure = figure,
                            .unit = unit,
                            .reference = reference,
                            .ratio = ratio,
                            .goal = goal,
                            .aim = aim,
                            .met = most ? ratio <= goal : ratio >= goal};
    bool aimed = aim > 0 && (most ? ratio <= aim : ratio >= aim);

    printf("%-42s %12.5g %12.5g %7.2f %-10s %s %-5g %s%s\n", work, figure, reference, ratio, unit,
           most ? "<=" : ">=", goal, row.met ? "met" : "MISSED", aimed ? ", and the aim" : "");
    fflush(stdout);
    rows_add(rows, &row);
}

bool rows_close(struct rows *rows)
{
    bool written = json_dump_file(rows->list, rows->file, JSON_INDENT(2)) == 0;

    if (!written)
        fprintf(stderr, "bench: cannot write %s\n", rows->file);
    json_decref(rows->list);
    return written;
}
