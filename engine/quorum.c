#include "engine/quorum.h"

#include "base/error.h"
#include "gossip/rings.h"

int quorum_need(enum neap_level level, unsigned members, unsigned *ret_need,
                struct neap_error *error)
{
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
    case NEAP_ALL:
        return members ? members : 1;
    case NEAP_QUORUM:
    case NEAP_LOCAL_QUORUM:
    case NEAP_EACH_QUORUM:
        return members / 2 + 1;
    }
    return members + 1;
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
