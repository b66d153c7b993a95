/* A backup of the node's data, made on the caller's thread while the wheel turns. */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/node.h"
#include "engine/report.h"

struct node_backup {
    struct node *node;
    uint64_t until_ms; /* UINT64_MAX: there is no hurry */
    uint64_t id;       /* of the node */
};

static int backup_go_on(void *arg)
{
    const struct node_backup *backup = arg;

    bool cancelled;

    if (atomic_load(&backup->node->inside) >= NODE_CLOSED)
        return NEAP_UNAVAILABLE;
    node_lock(backup->node);
    cancelled = backup->node->backup_cancelled;
    node_unlock(backup->node);
    if (cancelled)
        return NEAP_UNAVAILABLE;
    return node_now(backup->node).mono_ms < backup->until_ms ? 0 : NEAP_UNAVAILABLE;
}

static void backup_progress(void *arg, uint64_t done, uint64_t total)
{
    const struct node_backup *backup = arg;

    node_lock(backup->node);
    backup->node->backup_done = done;
    backup->node->backup_total = total;
    node_unlock(backup->node);
}

static void backup_look(void *arg, struct engine *engine)
{
    ((struct node_backup *)arg)->id = engine->store.identity.node;
}

/* One at a time: two would only slow each other down, and the node. */
static int backup_begin(struct node *node, struct neap_error *error)
{
    bool busy;

    if (!node->path)
        return error_set(error, NEAP_REFUSED, "backup: this node is in memory only");
    if (node->readonly)
        return error_set(error, NEAP_REFUSED,
                         "backup: the directory was opened for reading only, so another process "
                         "may be writing there");
    node_lock(node);
    busy = node->backup_runs;
    if (!busy) {
        node->backup_runs = true;
        node->backup_cancelled = false;
        node->backup_done = node->backup_total = 0;
        node->backup_began_ms = node_now(node).mono_ms;
    }
    node_unlock(node);
    if (busy)
        return error_set(error, NEAP_BUSY, "backup: another one is being made by this node");
    return 0;
}

static int backup_run(struct node_backup *backup, const char *directory, struct buffer *ret_json,
                      struct neap_error *error)
{
    struct node *node = backup->node;
    const struct files_watch watch = {backup_go_on, backup, backup_progress};
    struct backup_options options = {.disk = node->disk,
                                     .path = node->path,
                                     .directory = directory,
                                     .made_ms = node_now(node).wall_ms,
                                     .watch = &watch};
    struct backup_counts counts;
    int code = node_call(node, backup_look, backup);

    if (code)
        return error_set(error, code, "backup: %s", error_text(code));
    options.node = backup->id;
    code = backup_make(&options, &counts, error);
    if (!code)
        code = report_backup(directory, NULL, &counts, ret_json);
    return code;
}

int node_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                struct buffer *ret_json, struct neap_error *error)
{
    struct node *node = (struct node *)backend;
    struct node_backup backup = {.node = node, .until_ms = UINT64_MAX};
    int code = node_enter(node);

    if (code)
        return error_set(error, code, "the node is being closed");
    if (timeout_ms)
        backup.until_ms = node_until(node, timeout_ms);
    code = backup_begin(node, error);
    if (!code) {
        code = backup_run(&backup, directory, ret_json, error);
        node_lock(node);
        node->backup_runs = false;
        node_unlock(node);
    }
    node_leave(node);
    return code;
}
