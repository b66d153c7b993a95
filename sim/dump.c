/* The state of a world, for whoever looks into a failure. */
#include <inttypes.h>
#include <stdio.h>

#include "gossip/state.h"
#include "sim/check.h"

static void dump_context(const char *name, const struct context *context)
{
    printf("    %s", name);
    for (size_t i = 0; i < context->count; i++)
        printf(" %04x:%" PRIu64 "/%04x", (unsigned)(context->entries[i].id >> 48),
               context->entries[i].n, context->entries[i].nonce & 0xffff);
    printf("\n");
}

static void dump_peers(const struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        printf("  peer %s%s%s%s alias %zu\n", peer->address, peer->listed ? " listed" : "",
               peer_is_member(gossip, i) ? " member" : "", peer_is_up(gossip, i) ? " up" : "",
               peer->alias);
        for (size_t j = 0; j < gossip->topics_count; j++) {
            const struct pair *pair = topic_pair(gossip->topics[j], i);
            if (pair)
                dump_context(pair->open ? "open" : "not open", &pair->context);
        }
    }
}

void world_dump(struct world *world)
{
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        printf("%s: %s, %zu waiting\n", node->name, node->up ? "up" : "down", node->inbox_count);
        for (size_t j = 0; node->up && j < node->wheel.engine.store.shards_count; j++) {
            const struct shard *shard = node->wheel.engine.store.shards[j];
            printf("  %s: replica %04x opened_at %" PRIu64 "%s, log %" PRIu64 ", residues %zu%s\n",
                   shard->name, (unsigned)(shard->replica >> 48), shard->opened_at,
                   shard->confirmed ? " confirmed" : "", shard_log_count(shard),
                   shard->residues_count, shard->session.id ? ", comparing" : "");
            dump_context("context", &shard->context);
            dump_context("horizon", &shard->horizon);
        }
        const char *name;
        uint64_t count;
        if (node->up)
            dump_peers(node->wheel.engine.gossip);
        for (size_t j = 0; node->up && gossip_count(node->wheel.engine.gossip, j, &name, &count);
             j++) {
            if (count)
                printf("  %s %" PRIu64 "\n", name, count);
        }
    }
}
