/* A cluster directory of its own for each test of admitting. */
#ifndef NEAP_TEST_DESK_H
#define NEAP_TEST_DESK_H
#include "trust/directory.h"

struct home {
    char path[40], other[48]; /* the second: of who joins; not made */
    uint64_t now_s;
};

void home_open(struct home *home); /* a new cluster */
void home_close(struct home *home);
struct slice file_of(const char *directory, const char *name, struct buffer *ret_bytes);
/* Its own certificate, made anew for that span. */
void home_certificate(const struct home *home, struct issue_span span);
void file_put(const char *directory, const char *name, const char *text);
/* A device that may read "fish" and write "chips". */
struct principal device_of_fish(void);
#endif
