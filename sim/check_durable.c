/* Rule 8: what names events leaves a node only when all that it committed is synced. */
#include "sim/check.h"

static void sent(struct world *world, void *state, size_t index, const struct message *message)
{
    struct sim_node *node = &world->nodes[index];
    (void)state;
    if (message->kind != MESSAGE_HELLO && message->kind != MESSAGE_HEARTBEAT &&
        atomic_load(&node->wheel.unsynced))
        world_fail(world, "durable: %s sends a %s while something is not synced", node->name,
                   message_name(message->kind));
}

const struct checker check_durable = {
    .name = "durable", .promise = "nothing leaves a node before it is durable", .sent = sent};
