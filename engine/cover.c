#include "engine/cover.h"

#include <limits.h>

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

/* What is needed of one part says nothing of another: each may have other members. */
static unsigned quorum_lacks(const struct quorum *quorum)
{
    return quorum->need > quorum->yes ? quorum->need - quorum->yes : 0;
}

int cover_look_begin(const struct engine *engine, enum neap_level level,
                     struct cover_look *ret_look)
{
    struct holders holders = holders_of(engine, 0, NULL);
    struct cover_look look = {.here = true};
    bool all = level > NEAP_ALL && level_is_one(level); /* numbers and zones mean nothing here */
    int code = quorum_of(&holders, all ? NEAP_ALL : level, &look.quorum, NULL);

    if (code)
        return code;
    look.quorum.yes = look.quorum.members;
    look.quorum.away = 0;
    look.quorum.begun = true;
    *ret_look = look;
    return 0;
}

static void cover_worst(struct cover_look *look, const struct quorum *quorum)
{
    enum quorum_verdict now = quorum_verdict(quorum), worst = quorum_verdict(&look->quorum);
    unsigned lacks = quorum_lacks(quorum), most = quorum_lacks(&look->quorum);

    if (now > worst ||
        (now == worst && (lacks > most || (lacks == most && quorum->yes < look->quorum.yes))))
        look->quorum = *quorum;
}

/* Of a slot of a ring: the owners in each layout that is active count by themselves. */
static bool cover_groups(const struct engine *engine, enum neap_level level, const char *name,
                         const struct context *context, bool begun, struct cover_look *look)
{
    struct group groups[GROUPS_MAX];
    bool told = true;
    struct gossip *gossip = engine->gossip;
    size_t count = name && gossip ? groups_of(gossip_rings(gossip, NULL), name, GROUPS_WRITE, level,
                                              engine->store.identity.node, groups)
                                  : 0;

    if (count && begun)
        told = shard_is_coordinated(gossip_rings(engine->gossip, NULL), name,
                                    engine->store.identity.node);
    for (size_t i = 0; i < count; i++) {
        struct holders holders;
        struct quorum quorum;

        gossip_holders_in(gossip, &groups[i], bucket_id(name), context, &holders);
        quorum = (struct quorum){.members = holders.members,
                                 .need = quorum_of_group(level, holders.members),
                                 .yes = told ? holders.others + (begun && holders.self) : 0,
                                 .away = holders.away,
                                 .begun = begun};
        cover_worst(look, &quorum);
    }
    return count > 0;
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
        if (cover_groups(engine, level, shard ? shard->name : NULL, &parts[i].context, true, look))
            continue;
        holders = holders_of(engine, parts[i].shard, &parts[i].context);
        if (quorum_of(&holders, level, &quorum, NULL))
            quorum = (struct quorum){.need = 1}; /* a level of zones, and no ring */
        quorum.begun = true;
        cover_worst(look, &quorum);
    }
}

bool cover_is_there(const struct cover_look *look)
{
    return look->here && quorum_verdict(&look->quorum) == QUORUM_DONE;
}

int cover_check(const struct engine *engine, enum neap_level level, const char *bucket,
                struct neap_error *error)
{
    struct cover_look look = {.quorum = {.yes = UINT_MAX}};
    struct holders holders = {.members = 1, .self = true};
    struct quorum quorum;
    int code;

    if (level < NEAP_QUORUM)
        return 0; /* nobody else is asked, and writes come often */
    if (cover_groups(engine, level, bucket, NULL, false, &look))
        return quorum_verdict(&look.quorum) == QUORUM_UNAVAILABLE
                   ? quorum_error(&look.quorum, QUORUM_UNAVAILABLE, error)
                   : 0;
    if (engine->gossip)
        gossip_holders_of(engine->gossip, bucket, &holders);
    code = quorum_of(&holders, level, &quorum, error);
    if (code)
        return code;
    return quorum_verdict(&quorum) == QUORUM_UNAVAILABLE
               ? quorum_error(&quorum, QUORUM_UNAVAILABLE, error)
               : 0;
}
