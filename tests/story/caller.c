#include "tests/story/caller.h"

#include <string.h>

#include "store/slot.h"
#include "tests/support/test.h"

void caller_begin(struct caller *caller, const char *key, enum neap_type type)
{
    memset(caller, 0, sizeof *caller);
    buffer_init(&caller->path, NEAP_PATH_MAX);
    buffer_init(&caller->cell, CELL_SIZE_MAX);
    CHECK_OK(path_level(&caller->path, slice_text(key), type));
}

void caller_end(struct caller *caller)
{
    token_done(&caller->write.token);
    token_done(&caller->read.token);
    buffer_done(&caller->path);
    buffer_done(&caller->cell);
}

void caller_ended(void *arg, size_t node, int code, bool lost)
{
    struct caller *caller = arg;
    (void)node;
    caller->done = true;
    caller->lost = lost;
    caller->code = code;
}
