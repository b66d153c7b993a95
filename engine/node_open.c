/* Opening a node: options, files and addresses become doors. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/node.h"
#include "engine/node_cluster.h"
#include "store/disk_cache.h"
#include "store/format.h"
#include "store/hole.h"
#include "trust/secret.h"

enum { HEARTBEAT_MS = 1000, SILENCE_MS = 5000, BACKOFF_MS_MAX = 30000, HANDSHAKE_MS = 5000 };
enum { SOCKET_USERS_MAX = 64, SOCKET_MODES = 0777 };
enum { LINKS_MAX = 512, MEMORY_DEFAULT = 256 << 20, LOG_MAX = 1000000 };

/* ---- a disk that may only be read ---- */

/* Opening a store writes (a nonce, perhaps a new life): here that is only in memory. */
struct disk_dry {
    struct disk disk;
    struct disk *inner;
};

static struct disk *inner_of(struct disk *disk)
{
    return ((struct disk_dry *)disk)->inner;
}

static int dry_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                   struct slice key, struct buffer *ret_value)
{
    return inner_of(disk)->ops->get(inner_of(disk), snapshot, family, key, ret_value);
}

static int dry_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                    struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    return inner_of(disk)->ops->scan(inner_of(disk), snapshot, family, from, to, ret_iter);
}

static int dry_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    (void)disk;
    (void)batch;
    (void)sync;
    return 0;
}

static int dry_sync(struct disk *disk)
{
    (void)disk;
    return 0;
}

static int dry_snapshot(struct disk *disk, struct disk_snapshot **ret_snapshot)
{
    return inner_of(disk)->ops->snapshot(inner_of(disk), ret_snapshot);
}

static void dry_release(struct disk *disk, struct disk_snapshot *snapshot)
{
    inner_of(disk)->ops->release(inner_of(disk), snapshot);
}

static void dry_error(struct disk *disk, struct neap_error *ret_error)
{
    inner_of(disk)->ops->error(inner_of(disk), ret_error);
}

static void dry_close(struct disk *disk)
{
    disk_close(inner_of(disk));
    mem_free(disk);
}

static const struct disk_ops dry_ops = {.get = dry_get,
                                        .scan = dry_scan,
                                        .commit = dry_commit,
                                        .sync = dry_sync,
                                        .snapshot = dry_snapshot,
                                        .release = dry_release,
                                        .error = dry_error,
                                        .close = dry_close};

static int disk_dry_open(struct disk *inner, struct disk **ret_disk)
{
    struct disk_dry *dry = mem_new(sizeof *dry);

    if (!dry)
        return NEAP_NOMEM;
    *dry = (struct disk_dry){.disk = {.ops = &dry_ops}, .inner = inner};
    *ret_disk = &dry->disk;
    return 0;
}

/* ---- with the doors given ---- */

static int backend_sync(struct backend *backend)
{
    struct node *node = (struct node *)backend;
    int code = node_enter(node);

    if (code)
        return code;
    code = node->readonly ? NEAP_REFUSED : node_sync(node);
    node_leave(node);
    return code;
}

static const struct backend_ops node_ops = {.write = node_write,
                                            .read = node_read,
                                            .page = node_page,
                                            .sync = backend_sync,
                                            .wait = node_wait,
                                            .admin = node_admin,
                                            .once = node_once,
                                            .backup = node_backup,
                                            .close = node_close};

static int node_open_wheel(struct node *node, const struct node_options *options,
                           struct neap_error *error)
{
    struct wheel_options wheel = {.disk = node->disk,
                                  .clock = options->clock,
                                  .mark = options->mark,
                                  .suspect = options->suspect,
                                  .gossip = options->gossip,
                                  .trace = options->trace,
                                  .subscribe = options->subscribe,
                                  .sync_ms = options->sync_ms ? options->sync_ms : SYNC_MS,
                                  .log_max = options->log_max ? options->log_max : LOG_MAX,
                                  .cluster_key = options->gossip ? &options->key : NULL,
                                  .tree_bits = store_tree_bits(options->trees_max),
                                  .scrub_ms = options->scrub_ms,
                                  .scrub_max = options->scrub_max};
    int code = wheel_open(&node->wheel, &wheel, error);

    /* Of a record that can't be read only the disk knows the file. */
    if ((code == NEAP_CORRUPT || code == NEAP_IO) && error && error->code != code) {
        node->disk->ops->error(node->disk, error);
        error->code = code;
    }
    if (!code)
        node_settings_keep(node);
    if (!code)
        code = node_subscribed_look(node);
    if (!code)
        code = node_net_open(node, options, error);
    if (!code && node_net_start(node))
        code = error_set(error, NEAP_NOMEM, "open: no thread can be made");
    return code;
}

static int node_fill(struct node *node, const struct node_options *options)
{
    int code = 0;

    node->backend.ops = &node_ops;
    node->disk = options->disk;
    node->clock = options->clock;
    node->key = options->key;
    node->readonly = options->readonly;
    node->suspect = options->suspect;
    node->has_gossip = options->gossip != NULL;
    node->cluster = options->gossip ? options->gossip->cluster : 0;
    node->queue_count_max = options->queue_count_max ? options->queue_count_max : QUEUE_COUNT_MAX;
    node->queue_bytes_max = options->queue_bytes_max ? options->queue_bytes_max : QUEUE_BYTES_MAX;
    if (options->readonly)
        code = disk_dry_open(options->disk, &node->disk);
    else if (options->cache_max)
        code = disk_cache_open(options->disk, options->cache_max, &node->disk);
    if (!code)
        code = disk_holes_open(node->disk, &node->disk);
    if (!code && options->path) {
        node->path = mem_text(options->path);
        code = node->path ? 0 : NEAP_NOMEM;
    }
    if (!code && options->directory) {
        node->directory = mem_text(options->directory);
        code = node->directory ? 0 : NEAP_NOMEM;
    }
    return code;
}

int node_open_with(const struct node_options *options, struct backend **ret_backend,
                   struct neap_error *error)
{
    struct node *node = NULL;
    int code = node_new(&node);

    if (code) {
        disk_close(options->disk);
        return error_set(error, code, "open: %s", error_text(code));
    }
    code = node_fill(node, options);
    if (code)
        error_set(error, code, "open: %s", error_text(code));
    else
        code = node_open_wheel(node, options, error);
    if (!code) {
        *ret_backend = &node->backend;
        return 0;
    }
    node_net_stop(node);
    node_pump_stop(node);
    node_free(node);
    return code;
}

/* ---- from options ---- */

/* What must outlive the opening is copied by whoever keeps it; the rest is here. */
struct node_opening {
    const struct neap_options *options;
    struct node_options node;
    struct gossip_options gossip;
    struct roster_row own;
    struct net_nng_options net;
    struct directory_mark mark;
    struct cluster cluster;
    struct credentials *credentials; /* NULL: no certificates */
    bool is_device;
    struct peer_list peers;
    char *socket;
    uint32_t users[SOCKET_USERS_MAX];
};

static bool opening_is_revoked(void *arg, const struct principal *principal)
{
    struct net_sink *sink = arg;

    return sink->is_revoked(sink, principal);
}

static int opening_net(void *arg, struct net_sink *sink, struct net **ret_net,
                       struct neap_error *error)
{
    struct node_opening *opening = arg;

    opening->net.is_revoked = opening_is_revoked;
    opening->net.is_revoked_arg = sink;
    return net_nng_open(&opening->net, sink, ret_net, error);
}

/* Where clients connect: an address, or the path of a socket. */
static int opening_socket(struct node_opening *opening, struct neap_error *error)
{
    const char *from = opening->options->socket;
    const char *scheme = "";
    size_t size;

    if (!from)
        return 0;
    if (!strncmp(from, "unix:", 5))
        from += 5;
    if (!from[0])
        return error_set(error, NEAP_INVALID, "socket: empty; NULL is for none");
    if (!strstr(from, "://"))
        scheme = "ipc://";
    else if (net_address_check_clients(from, opening->credentials != NULL, "socket", error))
        return NEAP_REFUSED;
    size = strlen(scheme) + strlen(from) + 1;
    opening->socket = mem_new(size);
    if (!opening->socket)
        return error_set(error, NEAP_NOMEM, "socket: %s", error_text(NEAP_NOMEM));
    snprintf(opening->socket, size, "%s%s", scheme, from);
    return 0;
}

static int users_refuse(const char *users, struct neap_error *error)
{
    return error_set(
        error, NEAP_INVALID,
        "socket_users: %.100s: numbers of users (`id -u NAME`) with commas between, %d "
        "at most, or * for all whom socket_mode lets in",
        users, SOCKET_USERS_MAX);
}

/* Who may come by the socket besides root and who runs this process. */
static int opening_users(struct node_opening *opening, struct neap_error *error)
{
    const char *text = opening->options->socket_users, *at = text;
    struct net_users *users = &opening->net.users;

    opening->net.mode = opening->options->socket_mode;
    if (opening->options->socket_mode & ~(unsigned)SOCKET_MODES)
        return error_set(error, NEAP_INVALID, "socket_mode: 0%o: bits of 0777 alone",
                         opening->options->socket_mode);
    if (!text)
        return 0;
    users->ids = opening->users;
    users->anybody = !strcmp(text, "*");
    while (!users->anybody) {
        uint64_t number = 0;

        if (*at < '0' || *at > '9' || users->count == SOCKET_USERS_MAX)
            return users_refuse(text, error);
        while (*at >= '0' && *at <= '9' && number <= UINT32_MAX)
            number = number * 10 + (uint64_t)(*at++ - '0');
        if (number >= UINT32_MAX || (*at && *at != ','))
            return users_refuse(text, error);
        opening->users[users->count++] = (uint32_t)number;
        if (!*at++)
            break;
    }
    return 0;
}

static int opening_check(const struct neap_options *options, struct neap_error *error)
{
    const char *others = options->listen ? "listen" : options->peers ? "peers" : NULL;

    if (others && !options->cluster)
        return error_set(
            error, NEAP_INVALID,
            "%s: a node with others needs `cluster`: the directory that `neap init` or "
            "`neap join` makes",
            others);
    if (others && options->flags & NEAP_READONLY)
        return error_set(error, NEAP_REFUSED,
                         "%s: a node for reading only takes nothing from others", others);
    if (options->subscribe && subscriptions_check(options->subscribe))
        return error_set(error, NEAP_INVALID,
                         "subscribe: %.100s: names of buckets and globs, with commas between them",
                         options->subscribe);
    /* What is refused with certificates is refused whatever the cluster turns out to be. */
    return options->listen ? net_address_check(options->listen, true, "listen", error) : 0;
}

/* A directory has certificates; a file only the id and the key. */
static int opening_cluster(struct node_opening *opening, struct neap_error *error)
{
    const char *path = opening->options->cluster;
    const struct principal *own;
    int code;

    if (!secret_is_directory(path))
        return cluster_read(path, &opening->cluster, error);
    code = credentials_open(path, &opening->credentials, error);
    if (code)
        return code;
    own = credentials_principal(opening->credentials);
    if (own->kind != PRINCIPAL_NODE && own->kind != PRINCIPAL_DEVICE)
        return error_set(error, NEAP_REFUSED,
                         "cluster: %.150s: its certificate is for a client, not for a node", path);
    opening->cluster = *credentials_cluster(opening->credentials);
    opening->mark.node = own->id;
    opening->is_device = own->kind == PRINCIPAL_DEVICE;
    opening->node.directory = path;
    return 0;
}

/* What the member list is to say of this node. A device is not in it. */
static int opening_own(struct node_opening *opening, struct neap_error *error)
{
    const struct neap_options *options = opening->options;
    bool trusted = opening->credentials != NULL;
    struct advertising advertising = {.advertise = options->advertise,
                                      .listen = options->listen,
                                      .name = options->name,
                                      .zone = options->zone,
                                      .weight = options->weight};
    int code = own_row(&advertising, trusted, &opening->own, error);

    if (code || opening->is_device)
        return code;
    opening->gossip.own = &opening->own;
    opening->gossip.may_dial = trusted ? net_address_is_tls : net_address_is_local;
    if (opening->own.addresses_count)
        opening->gossip.address = opening->own.addresses[0];
    return 0;
}

static int opening_gossip(struct node_opening *opening, struct neap_error *error)
{
    const struct neap_options *options = opening->options;
    int code;

    if (!options->cluster)
        return 0;
    code = opening_cluster(opening, error);
    if (!code && options->listen)
        code = address_check(options->listen, opening->credentials != NULL, "listen", error);
    if (!code)
        code = peer_list_read(options->peers, options->listen, opening->credentials != NULL,
                              &opening->peers, error);
    if (code)
        return code;
    opening->node.key = opening->cluster.key;
    opening->gossip = (struct gossip_options){.cluster = opening->cluster.id,
                                              .address = address_told(options->listen),
                                              .peers = opening->peers.addresses,
                                              .peers_count = opening->peers.count,
                                              .heartbeat_ms = HEARTBEAT_MS,
                                              .silence_ms = SILENCE_MS,
                                              .backoff_ms_max = BACKOFF_MS_MAX,
                                              .log_max = opening->node.log_max,
                                              .device = opening->is_device,
                                              .retire_ms = options->retire_after_s * 1000,
                                              .bulk_max = options->bulk_max};
    code = opening_own(opening, error);
    if (code)
        return code;
    if (options->listen || opening->peers.count)
        opening->node.gossip = &opening->gossip;
    return 0;
}

/* Who opens it stays. */
static int opening_mark(struct node_opening *opening, struct neap_error *error)
{
    uint64_t node = opening->mark.node;
    int code = directory_mark_read(opening->options->path, &opening->mark, error);

    opening->mark.node = node;
    return code;
}

static int opening_disk(struct node_opening *opening, struct neap_error *error)
{
    const struct neap_options *options = opening->options;
    struct node_options *node = &opening->node;
    struct disk_rocks_options rocks = {.path = options->path,
                                       .create = options->flags & NEAP_CREATE,
                                       .readonly = options->flags & NEAP_READONLY};
    int code;

    if (!options->path) {
        code = disk_mem_open(&node->disk);
        return code ? error_set(error, code, "open: %s", error_text(code)) : 0;
    }
    /* One budget: half for the disk's caches and memtables, a quarter for what waits here, a
     * sixteenth for the tree of a shard, another one for hot cells. */
    rocks.memory_max = (options->memory_max ? options->memory_max : MEMORY_DEFAULT) / 2;
    code = directory_format_check(options->path, format_reads(), error);
    if (!code)
        code = disk_rocks_open(&rocks, &node->disk, &node->suspect, error);
    if (!code && node->suspect && error &&
        !error->text[0]) { /* the opening succeeds: this is a warning */
        node->disk->ops->error(node->disk, error);
        error->code = 0;
    }
    if (!code)
        code = opening_mark(opening, error);
    if (code)
        disk_close(node->disk);
    return code;
}

static int opening_run(struct node_opening *opening, struct backend **ret_backend,
                       struct neap_error *error)
{
    const struct neap_options *options = opening->options;
    struct node_options *node = &opening->node;
    int code = opening_check(options, error);

    *node = (struct node_options){.clock = clock_os(),
                                  .mark = &opening->mark,
                                  .readonly = options->flags & NEAP_READONLY,
                                  .sync_ms = options->sync_ms ? options->sync_ms : SYNC_MS,
                                  .log_max = options->log_max ? options->log_max : LOG_MAX,
                                  .scrub_ms = (uint64_t)options->scrub_s * 1000,
                                  .scrub_max = options->scrub_max,
                                  .subscribe = options->subscribe,
                                  .path = options->path};
    node->queue_bytes_max = (options->memory_max ? options->memory_max : MEMORY_DEFAULT) / 4;
    node->trees_max = node->queue_bytes_max / 4;
    node->cache_max = options->path ? node->queue_bytes_max / 4 : 0;
    if (!code)
        code = opening_gossip(opening, error);
    if (!code)
        code = opening_socket(opening, error);
    if (code)
        return code;
    if (options->socket || options->listen || node->gossip) {
        opening->net = (struct net_nng_options){.listen = options->listen,
                                                .clients = opening->socket,
                                                .handshake_ms = HANDSHAKE_MS,
                                                .links_max = LINKS_MAX,
                                                .peers = opening->peers.count,
                                                .disk_files = options->path ? DISK_ROCKS_FILES : 0,
                                                .credentials = opening->credentials};
        code = opening_users(opening, error);
        node->net_open = opening_net;
        node->net_arg = opening;
    }
    if (!code)
        code = opening_disk(opening, error);
    if (!code)
        code = node_open_with(node, ret_backend, error);
    if (!code && options->path && !node->readonly)
        directory_format_write(options->path, FORMAT_VERSION);
    return code;
}

int node_open(const struct neap_options *options, struct backend **ret_backend,
              struct neap_error *error)
{
    struct node_opening *opening = mem_new(sizeof *opening);
    int code;

    if (!opening)
        return error_set(error, NEAP_NOMEM, "open: %s", error_text(NEAP_NOMEM));
    opening->options = options;
    code = opening_run(opening, ret_backend, error);
    mem_free(opening->socket);
    peer_list_done(&opening->peers);
    credentials_close(opening->credentials);
    secret_wipe(opening, sizeof *opening);
    mem_free(opening);
    return code;
}
