#include "sim/escrow.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/load.h"
#include "store/keys.h"

enum { TTL_SHORT_MS = 3000, TTL_LONG_MS = 400000, PATH_ROOM = 128 };

enum escrow_kind { ADDS, TAKES, GIVES, REMOVES, POSTS, WRITES, ESCROW_KINDS };

struct escrow_write {
    struct event event; /* first */
    struct write write;
    struct write_op op;
    enum escrow_kind kind;
    size_t stock;
    uint64_t serial;
    int64_t amount;
    uint8_t path[PATH_ROOM];
    char value[32];
};

void escrow_init(struct escrow *escrow, struct world *world)
{
    *escrow = (struct escrow){.world = world};
}

/* ---- places ---- */

void stock_path(size_t stock, struct buffer *ret_path)
{
    char name[16];
    buffer_clear(ret_path);
    snprintf(name, sizeof name, "stock%zu", stock);
    if (stock == STOCKS - 1)
        must(path_level(ret_path, slice_text("shelf"), NEAP_MAP) == 0);
    must(path_level(ret_path, slice_text(name), NEAP_BOUNDED) == 0);
}

void parcel_path(uint64_t serial, struct buffer *ret_path)
{
    char name[24];
    buffer_clear(ret_path);
    snprintf(name, sizeof name, "p%llu", (unsigned long long)serial);
    must(path_level(ret_path, slice_text("parcels"), NEAP_SET) == 0);
    must(path_element(ret_path, slice_text(name)) == 0);
}

void letter_path(unsigned letter, struct buffer *ret_path)
{
    char name[16];
    buffer_clear(ret_path);
    snprintf(name, sizeof name, "letter%u", letter);
    must(path_level(ret_path, slice_text(name), NEAP_LWW) == 0);
}

bool escrow_is_lost(const struct world *world, const char *bucket)
{
    struct key prefix;
    bool lost = world->amnesia || world->garbles;
    key_cell(&prefix, bucket_id(bucket), bucket_id(bucket), slice_of(NULL, 0));
    for (size_t i = 0; i < world->nodes_count; i++)
        lost |= disk_find_lost(&world->nodes[i].door, key_slice(&prefix)) != NULL ||
                sim_has_holes(&world->nodes[i]);
    return lost;
}

/* ---- a beginning ---- */

static void op_stock(struct escrow *escrow, struct escrow_write *write, struct rng *rng,
                     struct buffer *path)
{
    struct op *op = &write->op.op;
    write->stock = (size_t)rng_below(rng, STOCKS);
    write->amount = 1 + (int64_t)rng_below(rng, write->kind == TAKES ? 20 : 9);
    stock_path(write->stock, path);
    op->kind = write->kind == GIVES ? OP_BOUNDED_GIVE : OP_BOUNDED_ADD;
    op->number = write->kind == TAKES ? -write->amount : write->amount;
    if (write->kind == ADDS)
        escrow->stocks[write->stock].added_maybe += write->amount;
    if (write->kind == TAKES)
        escrow->stocks[write->stock].taken_maybe += write->amount;
    if (write->kind == REMOVES) {
        op->kind = OP_REMOVE;
        write->stock = 1;
        stock_path(1, path);
        escrow->stocks[1].removed = true;
    }
}

/* To whoever has the bucket open and is up; false: nobody is. */
static bool op_receiver(const struct escrow *escrow, size_t node, struct escrow_write *write,
                        struct rng *rng)
{
    struct world *world = escrow->world;
    size_t to = (size_t)rng_below(rng, world->nodes_count);
    const struct shard *shard = sim_shard(world, to, ESCROW_BUCKET);
    if (to == node || !shard)
        return false;
    write->op.op.also = (int64_t)shard->replica;
    return true;
}

static void op_expires(struct escrow *escrow, size_t node, struct escrow_write *write,
                       struct rng *rng, struct buffer *path)
{
    struct op *op = &write->op.op;
    bool quick = rng_chance(rng, 80);
    op->ttl_ms = 1 + rng_below(rng, quick ? TTL_SHORT_MS : TTL_LONG_MS);
    write->serial = ++escrow->serial;
    if (write->kind == WRITES) {
        unsigned letter = (unsigned)rng_below(rng, LETTERS);
        letter_path(letter, path);
        snprintf(write->value, sizeof write->value, "x%llu", (unsigned long long)write->serial);
        op->kind = OP_LWW_SET;
        op->value = slice_text(write->value);
        if (rng_chance(rng, 20))
            op->ttl_ms = 0;
        return;
    }
    parcel_path(write->serial, path);
    op->kind = OP_SET_ADD;
    escrow->parcels[write->serial % PARCELS] =
        (struct parcel){.serial = write->serial, .node = node};
}

static enum escrow_kind kind_draw(struct rng *rng)
{
    static const unsigned weights[ESCROW_KINDS] = {
        [ADDS] = 16, [TAKES] = 39, [GIVES] = 8, [REMOVES] = 1, [POSTS] = 20, [WRITES] = 16};
    uint64_t at = rng_below(rng, 100);
    unsigned kind = 0;
    while (at >= weights[kind])
        at -= weights[kind++];
    return (enum escrow_kind)kind;
}

void escrow_call(struct escrow *escrow, uint64_t seed)
{
    struct world *world = escrow->world;
    struct rng rng;
    rng_init(&rng, seed ^ UINT64_C(0x657363726f77));
    if (world->options.seed % 4 != 1 || rng_chance(&rng, 50))
        return;
    size_t node = (size_t)rng_below(&rng, world->nodes_count);
    enum escrow_kind kind = kind_draw(&rng);
    bool of_stock = kind < POSTS;
    const char *bucket = of_stock ? ESCROW_BUCKET : EXPIRY_BUCKET;
    if (!world->nodes[node].up || sim_lost(world) || node_lags(world, node, bucket))
        return;
    struct escrow_write *write = mem_new(sizeof *write);
    must(write);
    struct buffer path = {write->path, 0, PATH_ROOM, PATH_ROOM};
    write->kind = kind;
    if (kind == GIVES && !op_receiver(escrow, node, write, &rng)) {
        mem_free(write);
        return;
    }
    if (of_stock)
        op_stock(escrow, write, &rng, &path);
    else
        op_expires(escrow, node, write, &rng, &path);
    write->op.bucket = bucket;
    write->op.path = buffer_slice(&path);
    write->write = (struct write){.ops = &write->op, .count = 1};
    token_init(&write->write.token);
    write->event.kind = EVENT_WRITE;
    write->event.write = &write->write;
    write->event.waiter = escrow;
    escrow->asked++;
    escrow->pending++;
    world_note(world, "%s: %s %s %lld", world->nodes[node].name, bucket,
               kind == ADDS      ? "add"
               : kind == TAKES   ? "take"
               : kind == GIVES   ? "give"
               : kind == REMOVES ? "remove"
               : kind == POSTS   ? "post"
                                 : "write",
               (long long)(of_stock ? write->amount : (int64_t)write->serial));
    sim_post(world, node, &write->event);
}

/* ---- an end ---- */

static bool is_unknown(const struct world *world, size_t node, int code, bool lost)
{
    return lost || code == NEAP_IO || code == NEAP_UNCERTAIN || world->nodes[node].wheel.stopped;
}

static void stock_end(struct stock *stock, const struct escrow_write *write, size_t node,
                      bool unknown)
{
    int code = write->event.code;
    int64_t *maybe = write->kind == ADDS ? &stock->added_maybe : &stock->taken_maybe;
    int64_t *sure = write->kind == ADDS ? &stock->added : &stock->taken;
    int64_t *at = write->kind == ADDS ? &stock->added_at[node] : &stock->taken_at[node];
    if (unknown || (write->kind != ADDS && write->kind != TAKES))
        return;
    *maybe -= write->amount;
    if (code)
        return;
    *sure += write->amount;
    *at += write->amount;
}

void escrow_doubt(struct escrow *escrow, size_t node)
{
    for (size_t i = 0; i < STOCKS; i++) {
        struct stock *stock = &escrow->stocks[i];
        stock->added_maybe += stock->added_at[node];
        stock->added -= stock->added_at[node];
        stock->taken_maybe += stock->taken_at[node];
        stock->taken -= stock->taken_at[node];
        stock->added_at[node] = stock->taken_at[node] = 0;
    }
}

void escrow_done(struct escrow *escrow, size_t node, struct event *event, bool lost)
{
    struct world *world = escrow->world;
    struct escrow_write *write = (struct escrow_write *)event;
    bool unknown = is_unknown(world, node, event->code, lost);
    bool fine = !event->code || unknown || sim_excuses(&world->nodes[node], event->code) ||
                event->code == NEAP_NORIGHTS ||
                /* The receiver's id has become this node's own, or was when it was drawn. */
                (event->code == NEAP_INVALID && write->kind == GIVES);
    if (!fine)
        world_fail(world, "%s: a write with rights or an end gives %s: %s", world->nodes[node].name,
                   error_name(event->code), write->write.error.text);
    if (write->kind < POSTS)
        stock_end(&escrow->stocks[write->stock], write, node, unknown);
    escrow->pending--;
    token_done(&write->write.token);
    mem_free(write);
}
