/* `ring` and `plan`: who holds which slots, and how that is changed. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

enum { WORDS_MAX = 8 };

/* The command's own words after its name. */
static json_t *ask(struct cli *cli, const char *verb, int *ret_exit)
{
    const char *words[WORDS_MAX] = {verb};
    int count = 1;

    for (int i = 0; i < cli->argc && count < WORDS_MAX; i++)
        words[count++] = cli->argv[i];
    return cli_ask(cli, count, words, ret_exit);
}

static int flag_of(const json_t *json, const char *name)
{
    return json_is_true(json_object_get(json, name));
}

static double real_of(const json_t *json, const char *name)
{
    return json_number_value(json_object_get(json, name));
}

static const char *ending(json_int_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- ring ---- */

static void print_nodes(const json_t *ring)
{
    const json_t *node;
    size_t i;

    printf("%-18s %-20s %8s %6s %8s %7s\n", "node", "zone", "weight", "slots", "by weight",
           "reads");
    json_array_foreach(json_object_get(ring, "nodes"), i, node)
        printf("%-18s %-20s %8lld %6lld %9.1f %7lld%s\n", text_of(node, "node"),
               text_of(node, "zone"), (long long)number_of(node, "weight"),
               (long long)number_of(node, "slots"), real_of(node, "fair"),
               (long long)number_of(node, "reads"), flag_of(node, "skipped") ? "  SKIPPED" : "");
}

static void print_layouts(const json_t *ring)
{
    const json_t *layouts = json_object_get(ring, "layouts"), *layout;
    size_t i;

    json_array_foreach(layouts, i, layout)
    {
        printf("version %s: %lld node%s", text_of(layout, "id"),
               (long long)number_of(layout, "nodes"), ending(number_of(layout, "nodes")));
        if (flag_of(layout, "read"))
            printf(", reads count in it");
        if (flag_of(layout, "superseded"))
            printf(", SUPERSEDED: another one of that version won");
        if (json_object_get(layout, "waits_for"))
            printf(", waits for %s to %s", text_of(layout, "waits_for"), text_of(layout, "to"));
        printf("\n");
    }
    if (json_array_size(layouts) > 1)
        printf("a move is under way: writes count in all of these\n");
    if (number_of(ring, "strange"))
        printf("PROBLEM: the ring was made twice, with other slots: %lld layout%s not used\n",
               (long long)number_of(ring, "strange"), ending(number_of(ring, "strange")));
}

static void print_ring(const json_t *ring)
{
    printf("ring %s: %lld slots, %lld owners each, %lld zone%s, %lld bucket%s; the fullest node "
           "has %.3f of its part\n",
           text_of(ring, "ring"), (long long)number_of(ring, "slots"),
           (long long)number_of(ring, "n"), (long long)number_of(ring, "zones"),
           ending(number_of(ring, "zones")), (long long)number_of(ring, "buckets"),
           ending(number_of(ring, "buckets")), real_of(ring, "balance"));
    print_layouts(ring);
    print_nodes(ring);
}

static void print_slot(const json_t *slot)
{
    const json_t *owners = json_object_get(slot, "owners"), *owner;
    size_t i;

    printf("%s\t", text_of(slot, "shard"));
    json_array_foreach(owners, i, owner) printf("%s%s", i ? " " : "", json_string_value(owner));
    if (!json_equal(owners, json_object_get(slot, "read"))) {
        printf("\tread from");
        json_array_foreach(json_object_get(slot, "read"), i, owner)
            printf(" %s", json_string_value(owner));
    }
    printf("\n");
}

int command_ring(struct cli *cli)
{
    const json_t *item;
    size_t i;
    int result;
    json_t *json = ask(cli, "ring", &result);

    if (json == NULL)
        return result;
    if (cli->json) {
        print_json(json);
    } else if (json_object_get(json, "rings")) {
        json_array_foreach(json_object_get(json, "rings"), i, item) print_ring(item);
    } else if (json_object_get(json, "shard")) {
        print_slot(json);
    } else if (json_is_array(json_object_get(json, "buckets"))) {
        json_array_foreach(json_object_get(json, "buckets"), i, item)
            printf("%s\n", json_string_value(item));
    } else if (json_object_get(json, "nodes")) {
        print_ring(json);
    } else {
        json_array_foreach(json_object_get(json, "slots"), i, item) print_slot(item);
    }
    json_decref(json);
    return 0;
}

/* ---- plan ---- */

static void print_change(const json_t *change)
{
    printf("%s", text_of(change, "change"));
    if (json_object_get(change, "node"))
        printf(" %s", text_of(change, "node"));
    if (json_object_get(change, "by"))
        printf(" by %s", text_of(change, "by"));
    if (json_object_get(change, "zone"))
        printf(", zone %s", text_of(change, "zone"));
    if (json_object_get(change, "weight"))
        printf(", weight %lld", (long long)number_of(change, "weight"));
    if (json_object_get(change, "n"))
        printf(": %lld owners of each of %lld slots", (long long)number_of(change, "n"),
               (long long)number_of(change, "slots"));
    printf("\n");
}

static void print_plan(const json_t *plan)
{
    const json_t *item;
    json_int_t moves = number_of(plan, "moves");
    size_t i;

    json_array_foreach(json_object_get(plan, "changes"), i, item) print_change(item);
    printf("\n%-18s %-20s %8s %7s %7s %7s %7s %9s\n", "node", "zone", "weight", "slots", "after",
           "takes", "gives", "by weight");
    json_array_foreach(json_object_get(plan, "nodes"), i, item)
        printf("%-18s %-20s %8lld %7lld %7lld %7lld %7lld %9.1f\n", text_of(item, "node"),
               text_of(item, "zone"), (long long)number_of(item, "weight"),
               (long long)number_of(item, "before"), (long long)number_of(item, "after"),
               (long long)number_of(item, "takes"), (long long)number_of(item, "gives"),
               real_of(item, "fair"));
    printf("\nmoves: %lld of %lld copies of slots", (long long)moves,
           (long long)(number_of(plan, "slots") * number_of(plan, "n")));
    if (number_of(plan, "counted"))
        printf(", about %lld cells and %lld bytes (from %lld slots that are here)",
               (long long)number_of(plan, "cells"), (long long)number_of(plan, "bytes"),
               (long long)number_of(plan, "counted"));
    printf("\n");
    json_array_foreach(json_object_get(plan, "warnings"), i, item)
        printf("WARNING: %s\n", json_string_value(item));
    printf("to do it: neap plan commit %s %s\n", text_of(plan, "ring"), text_of(plan, "id"));
}

static void print_done(const json_t *json)
{
    if (json_object_get(json, "staged"))
        printf("%lld change%s staged: neap plan show %s\n", (long long)number_of(json, "staged"),
               ending(number_of(json, "staged")), text_of(json, "ring"));
    else if (json_object_get(json, "skipped"))
        printf("up to version %lld nobody waits for %s\nWARNING: %s\n",
               (long long)number_of(json, "version"), text_of(json, "skipped"),
               text_of(json, "warning"));
    else
        printf("version %s: see `neap ring %s` for how far it is\n", text_of(json, "id"),
               text_of(json, "ring"));
}

int command_plan(struct cli *cli)
{
    int result = 0;
    json_t *json;

    if (strcmp(cli->argv[0], "skip") == 0)
        result = cli_sure(cli, "plan skip", "what only that node has may be missed from then on");
    if (result)
        return result;
    json = ask(cli, "plan", &result);
    if (json == NULL)
        return result;
    if (cli->json)
        print_json(json);
    else if (json_object_get(json, "changes"))
        print_plan(json);
    else
        print_done(json);
    json_decref(json);
    return 0;
}
