/* Versions of what another program wrote: on disk, on a stream, in a caller's hands. Each kind of
 * thing has a number that grows by one with each change that older programs would not understand.
 * A program reads its own and the one before (design 4 and 5), writes its own, and refuses the rest
 * in words that say what is there, what it reads, and what to do. */
#ifndef NEAP_BASE_VERSION_H
#define NEAP_BASE_VERSION_H
#include <stdint.h>

#include "base/pack.h"
#include "neap.h"

struct versions {
    uint32_t oldest, newest; /* that are read; oldest is 1 at least */
};

/* 0; FORMAT: older or newer than what is read; CORRUPT: no version at all (they begin with 1). */
int version_check(uint64_t found, struct versions reads);
/* The same, with a line about it: "WHAT has format 3, this program (0.2.0) reads 1 to 2: ...". */
int version_refuse(uint64_t found, struct versions reads, const char *what,
                   struct neap_error *error);
/* Can two programs talk, one that speaks `newest` and the version before it, and this one? They do
 * in the older of their versions. FORMAT, CORRUPT as above. */
int version_agree(uint64_t newest, struct versions speaks);
/* The head of a stored record, an array that begins with its version. FORMAT: one that is not read,
 * of which the rest may be other; CORRUPT: no head, or not so many fields with it. */
int version_read(struct reader *reader, struct versions reads, uint32_t fields);
#endif
