#include "store/disk.h"

void disk_close(struct disk *disk)
{
    if (disk)
        disk->ops->close(disk);
}

void disk_trust(struct disk *disk)
{
    if (disk->ops->trust)
        disk->ops->trust(disk);
}

const char *disk_family_name(enum disk_family family)
{
    switch (family) {
    case DISK_CELLS:
        return "cells";
    case DISK_LOG:
        return "log";
    case DISK_META:
        return "meta";
    case DISK_FAMILIES:
        break;
    }
    return "?";
}
