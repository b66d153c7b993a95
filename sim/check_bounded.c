/* Bounded counters: none is ever below its bound, on any node; and at rest each is what was added
 * less what was taken, as callers were told. */
#include <stdio.h>

#include "base/error.h"
#include "crdt/bounded.h"
#include "sim/check.h"
#include "sim/escrow.h"
#include "sim/load.h"
#include "store/keys.h"
#include "store/slot.h"

/* The least that any replica id has: rights that were spent twice show there first. */
static int least_of(const struct cell *cell, int64_t *ret_least)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < cell->count; i++) {
        struct rights rights;
        int code = bounded_rights(cell, cell->entries[i].dot.id, NULL, 0, &rights);
        if (code)
            return code;
        least = rights.here < least ? rights.here : least;
    }
    *ret_least = least;
    return 0;
}

/* NOTFOUND: nothing is there, or it can't be read. */
static int stock_value(struct world *world, size_t node, size_t stock, int64_t *ret_value,
                       int64_t *ret_least)
{
    uint8_t place[NEAP_PATH_MAX];
    struct buffer path = {place, 0, sizeof place, sizeof place}, bytes;
    const struct view view = {.disk = world->nodes[node].disk};
    uint64_t shard = bucket_id(ESCROW_BUCKET);
    struct cell cell;
    stock_path(stock, &path);
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    int code = cell_read(&view, shard, shard, buffer_slice(&path), &bytes, &cell);
    code = code ? NEAP_NOTFOUND : bounded_value(&cell, ret_value);
    if (!code)
        code = least_of(&cell, ret_least);
    cell_done(&cell);
    buffer_done(&bytes);
    return code;
}

static void step(struct world *world, void *state)
{
    int64_t value, least;
    (void)state;
    if (world->garbles || !load_escrow(world->load))
        return;
    for (size_t node = 0; node < world->nodes_count; node++) {
        for (size_t stock = 0; stock < STOCKS && world->nodes[node].up; stock++) {
            int code = stock_value(world, node, stock, &value, &least);
            if (code && code != NEAP_NOTFOUND)
                world_fail(world, "bounded: stock%zu of %s: %s", stock, world->nodes[node].name,
                           error_name(code));
            else if (!code && (value < 0 || least < 0))
                world_fail(world, "bounded: stock%zu of %s is %lld, of which one id has %lld",
                           stock, world->nodes[node].name, (long long)value, (long long)least);
        }
    }
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    const struct escrow *escrow = load_escrow(world->load);
    (void)state;
    if (!escrow || escrow_is_lost(world, ESCROW_BUCKET))
        return true;
    for (size_t i = 0; i < STOCKS; i++) {
        const struct stock *stock = &escrow->stocks[i];
        int64_t value = 0, lowest, least = stock->added - stock->taken - stock->taken_maybe,
                most = stock->added + stock->added_maybe - stock->taken;
        int code = stock_value(world, 0, i, &value, &lowest);
        if (stock->removed || (code && code != NEAP_NOTFOUND))
            continue;
        if (most < 0) {
            snprintf(ret_why, size, "stock%zu: %lld were added at most, %lld taken", i,
                     (long long)(stock->added + stock->added_maybe), (long long)stock->taken);
            return false;
        }
        if (value < least || value > most) {
            snprintf(ret_why, size, "stock%zu is %lld, and not from %lld to %lld", i,
                     (long long)value, (long long)least, (long long)most);
            return false;
        }
    }
    return true;
}

const struct checker check_bounded = {.name = "bounded",
                                      .promise =
                                          "bounded counters keep their bound, and their sums",
                                      .step = step,
                                      .holds = holds};
