#include "engine/cover.h"

#include "base/error.h"
#include "gossip/holders.h"

/* Without gossip this node is all there is. */
static struct holders holders_of(const struct engine *engine, uint64_t shard,
                                 const struct context *context)
{
    struct holders holders = {.members = 1, .self = true};

    if (engine->gossip)
        gossip_holders(engine->gossip, shard, context, &holders);
    return holders;
}

static int quorum_of(const struct holders *holders, enum neap_level level,
                     struct quorum *ret_quorum, struct neap_error *error)
{
    struct quorum quorum = {
        .members = holders->members, .yes = holders->others + holders->self, .away = holders->away};
    int code = quorum_need(level, holders->members, &quorum.need, error);

    if (!code)
        *ret_quorum = quorum;
    return code;
}

int cover_look_begin(const struct engine *engine, enum neap_level level,
                     struct cover_look *ret_look)
{
    struct holders holders = holders_of(engine, 0, NULL);
    struct cover_look look = {.here = true};
    int code = quorum_of(&holders, level, &look.quorum, NULL);

    if (code)
        return code;
    look.quorum.yes = look.quorum.members;
    look.quorum.away = 0;
    look.quorum.begun = true;
    *ret_look = look;
    return 0;
}

void cover_look_at(const struct engine *engine, enum neap_level level,
                   const struct token_part *parts, size_t count, struct cover_look *look)
{
    for (size_t i = 0; i < count; i++) {
        const struct shard *shard = store_find(&engine->store, parts[i].shard);
        struct holders holders;
        struct quorum quorum;

        if (!parts[i].context.count)
            continue;
        if (!shard || !context_covers(&shard->context, &parts[i].context))
            look->here = false;
        holders = holders_of(engine, parts[i].shard, &parts[i].context);
        must(!quorum_of(&holders, level, &quorum, NULL));
        quorum.begun = true;
        if (quorum.yes < look->quorum.yes)
            look->quorum = quorum;
    }
}

bool cover_is_there(const struct cover_look *look)
{
    return look->here && quorum_verdict(&look->quorum) == QUORUM_DONE;
}

int cover_check(const struct engine *engine, enum neap_level level, struct neap_error *error)
{
    struct holders holders;
    struct quorum quorum;
    int code;

    if (level < NEAP_QUORUM)
        return 0; /* nobody else is asked, and writes come often */
    holders = holders_of(engine, 0, NULL);
    code = quorum_of(&holders, level, &quorum, error);
    if (code)
        return code;
    return quorum_verdict(&quorum) == QUORUM_UNAVAILABLE
               ? quorum_error(&quorum, QUORUM_UNAVAILABLE, error)
               : 0;
}
