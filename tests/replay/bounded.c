/* The bounded counter. */
#include "tests/replay/replay.h"

bool bounded_apply(struct play *play, struct replica *replica, struct slice path, const char *verb,
                   const json_t *op)
{
    (void)replica;
    (void)path;
    (void)verb;
    (void)op;
    play_fail(play, "no bounded counters yet");
    return true;
}

json_t *bounded_read(struct play *play, struct replica *replica)
{
    (void)replica;
    play_fail(play, "no bounded counters yet");
    return NULL;
}
