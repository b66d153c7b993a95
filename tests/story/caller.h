/* One call to a node of a story, and how it ended. */
#ifndef NEAP_STORY_CALLER_H
#define NEAP_STORY_CALLER_H
#include "sim/hand.h"

struct caller {
    struct write write;
    struct write_op op;
    struct read read;
    struct buffer path, cell;
    bool done, lost;
    int code;
};

/* About this object: its level is in `path`. */
void caller_begin(struct caller *caller, const char *key, enum neap_type type);
void caller_end(struct caller *caller);
/* What hand_write() and hand_read() are to call, with the caller. */
void caller_ended(void *arg, size_t node, int code, bool lost);
#endif
