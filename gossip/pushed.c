/* The last push of a shard on a link, kept at both ends: what the next one is a difference to
 * (docs/decisions/0079). */
#include "base/broken.h"
#include "gossip/state.h"

static struct pushed *pushed_of(struct pair *pair, enum pushed_way way)
{
    return way == PUSHED_THERE ? &pair->pushed : &pair->came;
}

void pushed_done(struct pushed *pushed)
{
    chunk_base_done(&pushed->base);
    pushed->known = false;
}

void pushed_forget(struct pushed *pushed)
{
    if (!BROKEN("base-stays"))
        pushed->known = false;
}

/* Each way so many at most; when there is one more, all are forgotten. Then each shard is told
 * whole once more, and the other end, which has been told of the same ones, does the same. */
static void pushed_make_room(struct gossip *gossip, size_t peer, enum pushed_way way)
{
    size_t *count = &gossip->peers[peer].pushed_count[way];
    if (*count < gossip->options.pushed_max) {
        ++*count;
        return;
    }
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pair *pair = topic_pair(gossip->topics[i], peer);
        if (pair) {
            pushed_done(pushed_of(pair, way));
            pushed_of(pair, way)->counted = false;
        }
    }
    *count = 1;
}

int pushed_keep(struct gossip *gossip, size_t peer, struct pair *pair, enum pushed_way way,
                uint64_t link, uint64_t number, const struct chunk *chunk)
{
    struct pushed *pushed = pushed_of(pair, way);
    if (!pushed->counted) {
        pushed_make_room(gossip, peer, way);
        pushed->counted = true;
    }
    int error = chunk_base_set(&pushed->base, chunk);
    pushed->known = !error;
    pushed->link = link;
    pushed->number = number;
    return error;
}

bool pushed_is_base(const struct pushed *pushed, uint64_t link, uint64_t number)
{
    return pushed->known && pushed->link == link && pushed->number + 1 == number;
}

void pushed_link_ended(struct gossip *gossip, size_t peer, uint64_t link)
{
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pair *pair = topic_pair(gossip->topics[i], peer);
        for (int way = 0; pair && way < PUSHED_WAYS; way++) {
            struct pushed *pushed = pushed_of(pair, (enum pushed_way)way);
            if (pushed->link != link || (way == PUSHED_THERE && BROKEN("base-stays")))
                continue;
            pushed_done(pushed);
            gossip->peers[peer].pushed_count[way] -= pushed->counted;
            pushed->counted = false;
        }
    }
}
