/* A device among the nodes, the last one, and somebody who sends for it what no device may: its
 * certificate is good, its words are not. Its own process does not know. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "sim/faults.h"
#include "sim/net.h"

#define SEALED_BUCKET "sealed" /* which no device may read or write, and no node has */

enum { LIE_BYTES_MAX = 1 << 20 };

/* A lie on its way: from the device, on a link of one of these channels. */
struct lie {
    struct world *world;
    const struct sim_node *device;
    struct sim_node *node; /* who is lied to */
    struct rng *rng;
};

/* An open link between the two, by the node's end of it. */
static const struct sim_line *line_find(const struct lie *lie, enum channel channel)
{
    for (size_t i = 0; i < lie->node->lines_count; i++) {
        const struct sim_line *line = &lie->node->lines[i];
        const struct sim_end *other = &line->link->ends[!line->side];
        const struct link *link = link_find(lie->node->wheel.engine.gossip, line->number);
        if (other->node == lie->device->index && other->open && link && link->state == LINK_OPEN &&
            link->channel == channel)
            return line;
    }
    return NULL;
}

static void lie_send(const struct lie *lie, const struct message *message)
{
    bool control = message->kind == MESSAGE_DIGEST;
    const struct sim_line *line = line_find(lie, control ? CHANNEL_CONTROL : CHANNEL_BULK);
    struct buffer bytes;
    if (!line)
        return;
    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    must(!message_encode(message, &bytes));
    way_push(lie->world, line->link, line->side, buffer_slice(&bytes));
    buffer_done(&bytes);
}

/* ---- what is said ---- */

/* One event of that id after n, of a replica that never was; it says to know that too. */
static void lie_push(const struct lie *lie, const char *bucket, struct context_entry id,
                     const struct context_entry *knows)
{
    struct op op = {.kind = OP_COUNTER_ADD, .number = 1000000};
    struct message message;
    struct chunk chunk = {0};
    struct context since = {0};
    struct disk *disk;
    struct batch *batch;
    struct shard *shard;
    struct buffer path, bytes, forged;
    struct dot dot;
    must(!disk_mem_open(&disk) && !batch_new(disk, &batch));
    must(!shard_new(batch, bucket, id.id, id.nonce, &shard));
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, LIE_BYTES_MAX);
    buffer_init(&forged, LIE_BYTES_MAX);
    if (id.n)
        must(!context_raise(&shard->context, id.id, id.n, id.nonce));
    must(!path_level(&path, slice_text("c0"), NEAP_COUNTER));
    must(!shard_write(shard, batch, shard->id, buffer_slice(&path), &op, &dot));
    must(!context_copy(&since, &shard->context));
    context_clip(&since, id.id, id.n, id.nonce);
    struct view view = batch_view(batch);
    int code = shard_chunk(shard, &view, &since, 0, CHUNK_SIZE, &bytes);
    if (!code && !chunk_decode(buffer_slice(&bytes), CHUNK_EVENTS, &chunk)) {
        if (knows)
            must(!context_raise(&chunk.context, knows->id, knows->n, knows->nonce));
        must(!chunk_encode(&chunk, &forged));
        message_init(&message);
        message.kind = MESSAGE_PUSH;
        message.shard = shard->id;
        message.bytes = buffer_slice(&forged);
        lie_send(lie, &message);
    }
    chunk_done(&chunk);
    context_done(&since);
    buffer_done(&path);
    buffer_done(&bytes);
    buffer_done(&forged);
    shard_free(shard);
    batch_free(batch);
    disk_close(disk);
}

static void lie_digest(const struct lie *lie, const char *bucket, uint64_t replica,
                       const struct context_entry *seen)
{
    struct digest_item item = {.shard = bucket_id(bucket), .replica = replica};
    struct message message;
    snprintf(item.name, sizeof item.name, "%s", bucket);
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    if (seen)
        must(!context_raise(&item.context, seen->id, seen->n, seen->nonce));
    message.digests = &item;
    message.digests_count = 1;
    lie_send(lie, &message);
    context_done(&item.context);
}

/* Some id that is not the device's, of a bucket that both have. */
static bool victim_draw(const struct lie *lie, const struct shard *shard, const struct shard *own,
                        struct context_entry *ret_victim)
{
    if (!shard->context.count)
        return false;
    *ret_victim = shard->context.entries[rng_below(lie->rng, shard->context.count)];
    return !own || !shard_is_own(own, ret_victim->id);
}

static void strike_lies(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    struct lie lie = {.world = world, .rng = rng};
    struct context_entry victim, fresh;
    char bucket[16];
    uint64_t which = rng_below(rng, 6);
    uint64_t number = rng_below(rng, 3);
    lie.device = &world->nodes[world->nodes_count - 1];
    lie.node = up_draw(faults, rng);
    if (!lie.node)
        return;
    snprintf(bucket, sizeof bucket, "b%u", (unsigned)number);
    const struct shard *shard = sim_shard(world, lie.node->index, bucket);
    const struct shard *own = lie.device->up ? sim_shard(world, lie.device->index, bucket) : NULL;
    if (!world->options.device || lie.node == lie.device || !shard || !own ||
        !victim_draw(&lie, shard, own, &victim)) {
        world_note(world, "lies: there is nobody to tell, and nothing");
        return;
    }
    world_note(world, "lies: %s tells %s what is not so, %u", lie.device->name, lie.node->name,
               (unsigned)which);
    struct context_entry ahead = {victim.id, victim.n + 1 + rng_below(rng, 1000), victim.nonce};
    struct context_entry mine = {own->replica, context_get(&own->context, own->replica),
                                 own->nonce};
    world_feed(world);
    switch (which) {
    case 0: /* as if another had written it */
        lie_push(&lie, bucket, victim, NULL);
        break;
    case 1: /* nobody's, and a bucket that it has no part in */
        lie_push(&lie, bucket, (struct context_entry){.id = rng_u64(rng), .nonce = 1}, NULL);
        lie_digest(&lie, SEALED_BUCKET, rng_u64(rng), NULL);
        break;
    case 2: /* a new life, with knowledge of what is yet to be */
        fresh = (struct context_entry){.id = rng_u64(rng), .nonce = 1};
        lie_digest(&lie, bucket, fresh.id, NULL);
        lie_push(&lie, bucket, fresh, &ahead);
        break;
    case 3: /* as if another were here */
        lie_digest(&lie, bucket, victim.id, &ahead);
        lie_push(&lie, bucket, victim, NULL);
        break;
    case 4:
        lie_push(&lie, SEALED_BUCKET, (struct context_entry){.id = mine.id, .nonce = 1}, NULL);
        break;
    default:
        lie_push(&lie, SYSTEM_BUCKET, (struct context_entry){.id = mine.id, .nonce = 1}, NULL);
        lie_digest(&lie, SYSTEM_BUCKET, mine.id, &mine);
        break;
    }
    world_starve(world);
}

/* What its process has said since then is not what nodes believe that it has. */
static void heal(struct faults *faults)
{
    struct world *world = faults->world;
    size_t device = world->nodes_count - 1;
    for (size_t i = 0; world->options.device && i < device; i++)
        net_reset(world, i, device);
}

static const struct fault_kind kinds[] = {
    {"lies", "one node is a device that may not do all, and says what is not so", FAULTS_TRUST,
     true, strike_lies},
};

const struct fault_group_file faults_of_trust = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
