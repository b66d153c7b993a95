#include "engine/quorum.h"

#include "base/broken.h"
#include "base/error.h"
#include "gossip/rings.h"

enum neap_level level_of_nodes(unsigned nodes)
{
    must(nodes && nodes <= LEVEL_NODES_MAX);
    return (enum neap_level)(LEVEL_NODES + nodes);
}

bool level_is_one(uint64_t level)
{
    return level <= NEAP_EACH_QUORUM ||
           (level > LEVEL_NODES && level <= LEVEL_NODES + LEVEL_NODES_MAX);
}

/* 0: it is no number. */
static unsigned level_nodes(enum neap_level level)
{
    unsigned number = (unsigned)level;

    if (number <= LEVEL_NODES || !level_is_one(number))
        return 0;
    number -= LEVEL_NODES;
    return number > 1 && BROKEN("numbers-ask-one-less") ? number - 1 : number;
}

int quorum_need(enum neap_level level, unsigned members, unsigned *ret_need,
                struct neap_error *error)
{
    if (level_nodes(level)) {
        *ret_need = level_nodes(level);
        return 0;
    }
    switch (level) {
    case NEAP_BUCKET_DEFAULT:
    case NEAP_EDGE:
    case NEAP_ONE:
        *ret_need = 0;
        return 0;
    case NEAP_QUORUM:
        *ret_need = members / 2 + 1;
        return 0;
    case NEAP_ALL:
        *ret_need = members;
        return 0;
    case NEAP_SESSION: /* what a handle makes of it is ONE */
        break;
    case NEAP_LOCAL_QUORUM:
    case NEAP_EACH_QUORUM:
        return error_set(error, NEAP_REFUSED,
                         "level: LOCAL_QUORUM and EACH_QUORUM are for buckets of rings (NAME@RING) "
                         "and their zones; use QUORUM");
    }
    return error_set(error, NEAP_INVALID, "level: %d is none", (int)level);
}

int quorum_check(enum neap_level level, const char *bucket, struct neap_error *error)
{
    struct slice ring;
    unsigned need;

    if ((level == NEAP_LOCAL_QUORUM || level == NEAP_EACH_QUORUM) && bucket &&
        bucket_ring(bucket, &ring))
        return 0;
    return quorum_need(level, 1, &need, error);
}

unsigned quorum_of_group(enum neap_level level, unsigned members)
{
    switch (level) {
    case NEAP_BUCKET_DEFAULT:
    case NEAP_EDGE:
    case NEAP_ONE:
        return 0;
    case NEAP_SESSION:
        break;
    case NEAP_ALL:
        return members ? members : 1;
    case NEAP_QUORUM:
    case NEAP_LOCAL_QUORUM:
    case NEAP_EACH_QUORUM:
        return members / 2 + 1;
    }
    return level_nodes(level) ? level_nodes(level) : members + 1;
}

/* Those who can still say yes, with those who have. */
static unsigned hope(const struct quorum *quorum, bool of_those_here)
{
    unsigned lost = quorum->no + (of_those_here ? quorum->away : 0);

    return lost < quorum->members ? quorum->members - lost : 0;
}

enum quorum_verdict quorum_verdict(const struct quorum *quorum)
{
    if (quorum->yes >= quorum->need)
        return QUORUM_DONE;
    if (quorum->late || hope(quorum, !quorum->begun) < quorum->need)
        return quorum->begun ? QUORUM_UNCERTAIN : QUORUM_UNAVAILABLE;
    return QUORUM_WAITS;
}

/* What is worse, and known to be so; of the two ends that are none, that which claims less. */
enum quorum_verdict quorum_both(enum quorum_verdict one, enum quorum_verdict other)
{
    return one > other ? one : other;
}

int quorum_error(const struct quorum *quorum, enum quorum_verdict verdict, struct neap_error *error)
{
    if (verdict == QUORUM_DONE)
        return 0;
    must(verdict != QUORUM_WAITS);
    return error_set(error, verdict == QUORUM_UNCERTAIN ? NEAP_UNCERTAIN : NEAP_UNAVAILABLE,
                     "level: %u of %u nodes are needed, %u have %s, %u can't be reached: %s",
                     quorum->need, quorum->members, quorum->yes, quorum->begun ? "it" : "answered",
                     quorum->away,
                     quorum->begun ? "the others may have it, or get it yet" : "nothing was done");
}
