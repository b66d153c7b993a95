/* The settings of neapd: one table; each key stands in the file and is a flag, with the same name.
 */
#ifndef NEAP_TOOLS_CONFIG_H
#define NEAP_TOOLS_CONFIG_H
#include <stdint.h>

#include "neap.h"
#include "tools/log.h"

enum { CONFIG_SETTINGS = 24, SETTING_LEVEL = 23 }; /* how many; which is log_level */

struct config {
    char *file; /* --config */
    char *path, *cluster, *listen, *peers, *advertise, *name, *zone, *socket, *socket_users,
        *subscribe;
    char *metrics;
    uint64_t memory_max, log_max;
    uint64_t socket_mode, sync_ms, bulk_max, scrub_s, scrub_max, weight, retire_after_s;
    int create, nosync, readonly;
    enum log_level log_level;
    int given[CONFIG_SETTINGS]; /* by a flag */
};

/* Reads flags, then the file they name; flags win. 0; or an exit code after it said what is wrong
 * (or printed help or version: *ret_quit is set). */
int config_read(int argc, const char **argv, struct config *ret_config, int *ret_quit);
/* Reads the file again and takes what can change while running (log_level). *ret_changed: the name
 * of a setting that changed and needs a restart, or NULL. */
int config_reload(struct config *config, const char **ret_changed);
void config_options(const struct config *config, struct neap_options *ret_options);
void config_done(struct config *config);
#endif
