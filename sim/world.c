#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static const struct hash_key trace_key = {"trace of a world"};

/* ---- words ---- */

enum { TRACE_LINE_MAX = 1200, DIGEST_SIZE = 16, TIME_WIDTH = 6 };

static char *stamp_write(char *end, uint64_t now_ms)
{
    char *at = end;
    for (unsigned i = 0; i < TIME_WIDTH || now_ms > 0; i++) {
        *--at = now_ms > 0 || i == 0 ? (char)('0' + now_ms % 10) : ' ';
        now_ms /= 10;
    }
    return at;
}

/* "[  1234] A text": after the digest of all before it, with which it makes the next one. It is
 * written by hand since there are many. */
void world_line(struct world *world, const char *who, const char *text)
{
    char line[DIGEST_SIZE + TRACE_LINE_MAX], stamp[24], *end = stamp + sizeof stamp;
    const char *start = stamp_write(end, world->now_ms);
    size_t stamp_size = (size_t)(end - start), who_size = strlen(who), size = strlen(text);
    char *at = line;
    memcpy(at, &world->digest.high, 8);
    memcpy(at + 8, &world->digest.low, 8);
    at[DIGEST_SIZE] = '[';
    memcpy(at += DIGEST_SIZE + 1, start, stamp_size);
    memcpy(at += stamp_size, "] ", 2);
    memcpy(at += 2, who, who_size);
    *(at += who_size) = ' ';
    size_t room = (size_t)(line + sizeof line - at) - 2;
    size = size < room ? size : room;
    memcpy(++at, text, size);
    at[size] = '\n';
    struct slice all = slice_of(line, (size_t)(at + size + 1 - line));
    struct slice bytes = slice_of(line + DIGEST_SIZE, all.size - DIGEST_SIZE);
    world->digest = hash_128(&trace_key, all);
    world->lines++;
    if (world->options.print)
        fwrite(bytes.data, 1, bytes.size, stdout);
    if (world->keep_text && (!world->only || !strcmp(world->only, who)))
        must(buffer_append(&world->text, bytes) == 0);
}

void world_note(struct world *world, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    world_line(world, "-", text);
}

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->failed[0])
        return;
    va_start(arguments, format);
    vsnprintf(world->failed, sizeof world->failed, format, arguments);
    va_end(arguments);
    world_line(world, "!", world->failed);
}

/* ---- the heap ---- */

static bool thing_before(const struct thing *a, const struct thing *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void world_after(struct world *world, uint64_t delay_ms, struct thing thing)
{
    if (world->heap_count == world->heap_room) {
        world->heap_room = world->heap_room ? world->heap_room * 2 : 256;
        world->heap = mem_resize(world->heap, world->heap_room * sizeof *world->heap);
        must(world->heap);
    }
    thing.at = world->now_ms + delay_ms;
    thing.order = world->order++;
    size_t i = world->heap_count++;
    while (i > 0 && thing_before(&thing, &world->heap[(i - 1) / 2])) {
        world->heap[i] = world->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->heap[i] = thing;
}

static struct thing heap_take(struct world *world)
{
    struct thing first = world->heap[0], last = world->heap[--world->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count &&
            thing_before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!thing_before(&world->heap[child], &last))
            break;
        world->heap[i] = world->heap[child];
        i = child;
    }
    world->heap[i] = last;
    return first;
}

void world_feed(struct world *world)
{
    (void)world;
    mem_fail_at(0, 0);
}

void world_starve(struct world *world)
{
    if (world->starve_at > mem_calls())
        mem_fail_at(world->starve_at - mem_calls(), 0);
}

uint64_t world_below(struct world *world, uint64_t bound)
{
    return world->options.steady ? 0 : rng_below(&world->rng, bound);
}

/* ---- the world ---- */

void world_open(struct world *world, const struct world_options *options)
{
    *world = (struct world){.options = *options, .now_ms = 1, .nodes_count = options->nodes};
    rng_init(&world->rng, options->seed);
    buffer_init(&world->text, 16 << 20);
    for (size_t i = 0; i < options->nodes; i++)
        node_init(world, i);
    for (size_t i = 0; i < options->nodes; i++) {
        struct sim_node *node = &world->nodes[i];
        for (size_t j = 0; j < options->nodes; j++) {
            if (j != i)
                node->peers[node->peers_count++] = world->nodes[j].address;
        }
    }
}

void world_close(struct world *world)
{
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (world->nodes[i].up)
            node_down(world, i, false);
        sim_disk_done(&world->nodes[i].door);
        disk_close(world->nodes[i].disk);
        mem_free(world->nodes[i].inbox);
    }
    net_free(world);
    mem_free(world->heap);
    buffer_done(&world->text);
}

static void world_do(struct world *world, const struct thing *thing)
{
    struct sim_node *node = &world->nodes[thing->node];
    bool meant = node->up && node->epoch == thing->epoch;
    switch (thing->kind) {
    case THING_TURN:
        if (meant && node->turn_at == thing->at)
            node_turn(world, thing->node);
        break;
    case THING_TICK:
        if (meant && node->tick_at == thing->at)
            node_tick(world, thing->node);
        break;
    case THING_ARRIVE:
        net_arrive(world, thing);
        break;
    case THING_CONNECT:
        net_connect(world, thing);
        break;
    case THING_RESTART:
        if (!node->away)
            sim_start(world, thing->node);
        break;
    case THING_CALL:
        thing->call(thing->arg);
        break;
    }
}

bool world_run(struct world *world, uint64_t until_ms)
{
    while (!world->failed[0] && world->heap_count > 0 && world->heap[0].at <= until_ms) {
        struct thing thing = heap_take(world);
        if (thing.at > world->now_ms)
            world->now_ms = thing.at;
        world_do(world, &thing);
    }
    if (world->now_ms < until_ms)
        world->now_ms = until_ms;
    return !world->failed[0];
}
