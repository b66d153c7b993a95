#include "base/version.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"

int version_check(uint64_t found, struct versions reads)
{
    must(reads.oldest > 0 && reads.oldest <= reads.newest);
    if (found == 0)
        return NEAP_CORRUPT;
    return found < reads.oldest || found > reads.newest ? NEAP_FORMAT : 0;
}

int version_refuse(uint64_t found, struct versions reads, const char *what,
                   struct neap_error *error)
{
    char range[32];
    int code = version_check(found, reads);

    if (!code)
        return 0;
    if (code == NEAP_CORRUPT)
        return error_set(error, code, "%s: the number of its format is damaged", what);
    if (reads.oldest == reads.newest)
        snprintf(range, sizeof range, "%" PRIu32, reads.newest);
    else
        snprintf(range, sizeof range, "%" PRIu32 " to %" PRIu32, reads.oldest, reads.newest);
    return error_set(error, code, "%s has format %" PRIu64 ", this program (%s) reads %s: %s", what,
                     found, PACKAGE_VERSION, range,
                     found > reads.newest
                         ? "use a newer version of the program; nothing was changed"
                         : "open it once with each version of the program between; nothing was "
                           "changed");
}

int version_agree(uint64_t newest, struct versions speaks)
{
    int code = version_check(newest, speaks);

    return code == NEAP_FORMAT && newest > speaks.newest && newest - speaks.newest == 1 ? 0 : code;
}

int version_read(struct reader *reader, struct versions reads, uint32_t fields)
{
    uint32_t found = read_array(reader, UINT32_MAX);
    int code = version_check(read_u64(reader), reads);

    if (reader->error || (!code && found != fields))
        return NEAP_CORRUPT;
    return code;
}
