/* Histories that random ones meet too rarely. */
#include "base/error.h"
#include "tests/property/world.h"

/* A push of what the peer has already removed, below a path that was already judged equal. */
static void script_late_push(struct world *world)
{
    const struct op add = {.kind = OP_REGISTER_SET, .value = slice_text("v")};
    const struct op remove = {.kind = OP_REMOVE};
    struct node *a = &world->nodes[0], *b = &world->nodes[1], *c = &world->nodes[2];
    const struct context nothing = {0};
    struct buffer late;
    struct view view;
    enum taken taken;

    buffer_init(&late, 1 << 20);
    node_update(world, c, 0, &add);
    view = node_view(c);
    hold_ok(shard_chunk(c->shard, &view, &nothing, 0, 1, &late), "chunk");
    hold_ok(shard_take(b->shard, b->batch, buffer_slice(&late), CHUNK_PUSH, &taken), "take");
    node_commit(b);
    node_update(world, b, 0, &remove);
    hold_ok(shard_truncate(b->shard, b->batch, &b->shard->context), "truncate");
    node_commit(b);
    world->finishing = true; /* nothing is lost */
    world_task_new(world, a->number, b->number, 1);
    while (a->shard->session.phase != COMPARE_DONE)
        hold(task_step(world, &world->tasks[0]), "the compare ended early");
    hold_ok(shard_take(a->shard, a->batch, buffer_slice(&late), CHUNK_PUSH, &taken), "take");
    node_commit(a);
    while (task_step(world, &world->tasks[0]))
        continue;
    world_check(world, a);
    buffer_done(&late);
}

/* b knows only by a residue that what it removes is gone. Whoever then has all that b has, has
 * nothing of it either. */
static void script_unsaid(struct world *world)
{
    const struct op add = {.kind = OP_REGISTER_SET, .value = slice_text("v")};
    const struct op remove = {.kind = OP_REMOVE};
    struct node *a = &world->nodes[0], *b = &world->nodes[1], *c = &world->nodes[2];
    const unsigned read[] = {0, 1};

    world->finishing = true; /* nothing is lost */
    node_update(world, a, 0, &add);
    node_sync(world, a);
    node_pull_all(world, b, a);
    node_pull_all(world, c, a);
    node_update(world, a, 0, &remove);
    node_sync(world, a);
    world_read(world, read, 2, 0);
    node_update(world, b, 0, &remove);
    node_sync(world, b);
    node_pull_all(world, c, b);
    world_check(world, c);
}

/* ---- rollbacks: three members hold one event of the first; its second opening made nothing yet,
 * and then directories are copied ---- */

struct three {
    struct world *world;
    struct node *a, *p, *q;
    struct image *old_a, *old_q;
};

static void bring(struct world *world, struct node *from, struct node *to)
{
    for (unsigned i = 0; i < 5; i++)
        node_pull_all(world, to, from);
    node_sync(world, to);
}

static void write_one(struct world *world, struct node *node, unsigned path)
{
    const struct op op = {.kind = path == 1   ? OP_LWW_SET
                                  : path == 2 ? OP_FLAG_ON
                                              : OP_REGISTER_SET,
                          .value = slice_text("v"),
                          .stamp = 1};

    node_update(world, node, path, &op);
}

static void three_init(struct three *three, struct world *world)
{
    *three = (struct three){world, &world->nodes[0], &world->nodes[1], &world->nodes[2], 0, 0};
    world->hello = world->rollbacks = world->oracle.forks = true;
    world->finishing = true; /* nothing is lost by chance */
    write_one(world, three->a, 0);
    node_sync(world, three->a);
    bring(world, three->a, three->p);
    bring(world, three->a, three->q);
    bring(world, three->p, three->q);
    node_reopen(world, three->a, NULL);
    world_save_image(world, three->a);
    world_save_image(world, three->q);
    three->old_a = &world->images[0];
    three->old_q = &world->images[1];
}

/* The node's next event, as the only message under way. */
static void sent(struct world *world, struct node *node, struct node *peer, unsigned path)
{
    write_one(world, node, path);
    node_sync(world, node);
    world_wire_clear(world);
    world_wire_add(world, node, peer);
}

/* p confirms before it meets q, who knows the future, tells p of it, and then goes back itself. */
static void script_promise(struct world *world, bool restart)
{
    struct three t;

    three_init(&t, world);
    node_hello(world, t.a, t.p);
    node_hello(world, t.a, t.q);
    write_one(world, t.a, 1);
    bring(world, t.a, t.q);
    node_reopen(world, t.a, t.old_a);
    node_hello(world, t.a, t.p);
    if (restart)
        node_reopen(world, t.p, NULL);
    bring(world, t.q, t.p);
    node_reopen(world, t.q, t.old_q);
    write_one(world, t.a, 2);
    node_hello(world, t.a, t.q);
    node_sync(world, t.a);
    world_finish(world);
}

/* The only thing that still knows the future is a push of q's life before its own rollback; a has
 * reopened since. */
static void script_dead_push(struct world *world)
{
    struct three t;

    three_init(&t, world);
    node_hello(world, t.a, t.p);
    node_hello(world, t.a, t.q);
    write_one(world, t.a, 1);
    bring(world, t.a, t.q);
    sent(world, t.q, t.p, 1);
    node_reopen(world, t.q, t.old_q);
    node_reopen(world, t.a, t.old_a);
    node_hello(world, t.a, t.p);
    node_hello(world, t.a, t.q);
    write_one(world, t.a, 1);
    node_sync(world, t.a);
    node_reopen(world, t.a, NULL);
    node_hello(world, t.a, t.p);
    world_finish(world);
}

/* Two lives that both were rolled back, each with a push under way to another peer. */
static void script_two_futures(struct world *world)
{
    struct wire first;
    struct three t;
    bool kept;

    three_init(&t, world);
    node_hello(world, t.a, t.p);
    node_hello(world, t.a, t.q);
    sent(world, t.a, t.p, 1);
    node_reopen(world, t.a, t.old_a);
    node_hello(world, t.a, t.q);
    node_hello(world, t.a, t.p);
    kept = world->wire_count > 0;
    if (kept) {
        first = world->wire[0];
        first.message->refs++;
    }
    sent(world, t.a, t.q, 2);
    if (kept)
        world_wire_put(world, first);
    node_reopen(world, t.a, t.old_a);
    node_redot(world, t.a);
    node_hello(world, t.a, t.p);
    for (size_t i = 0; i < world->wire_count; i++)
        world_deliver_copy(world, i);
    world_finish(world);
}

void world_scripted(struct world *world, unsigned number)
{
    switch (number) {
    case 0:
        script_late_push(world);
        break;
    case 1:
        script_promise(world, false);
        break;
    case 2:
        script_promise(world, true);
        break;
    case 3:
        script_dead_push(world);
        break;
    case 4:
        script_unsaid(world);
        break;
    default:
        script_two_futures(world);
        break;
    }
}
