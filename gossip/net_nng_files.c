/* Door: descriptors of this process. */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gossip/net_nng.h"

uint64_t files_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

/* A new one gets the lowest number that is free, so its number tells how many there are; those of
 * the program around the node, too. */
bool files_are_scarce(void)
{
    int file = eventfd(0, EFD_CLOEXEC);

    if (file < 0)
        return errno == EMFILE || errno == ENFILE;
    (void)close(file);
    return (uint64_t)file + NET_FILES_KEPT >= files_limit();
}
