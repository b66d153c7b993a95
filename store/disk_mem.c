/* The memory disk: each family is a treap (Seidel & Aragon 1996) whose nodes are never changed once
 * a version of the whole disk, three roots, is seen by others. A commit makes a new version, and
 * copies the paths that it touches, each node once. So a snapshot, the synced image, a copy are
 * each a reference to a version, and a commit that runs out of memory just drops what it made. */
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"
#include "store/batch.h"
#include "store/disk.h"

enum { DISK_FAULTS = DISK_FAULT_SYNC + 1 };

struct item {
    unsigned refs;
    size_t key_size, value_size;
    uint8_t bytes[];
};

struct node {
    unsigned refs;
    uint64_t priority; /* greater than those below */
    struct item *item;
    struct node *left, *right;
};

/* A version: what a snapshot, an iterator, the disk itself hold. */
struct disk_snapshot {
    unsigned refs;
    struct node *roots[DISK_FAMILIES];
};

/* Copies of a disk share nodes, so they share the lock that guards the counts of references. */
struct room {
    pthread_mutex_t lock;
    unsigned refs;
    struct rng rng;
};

struct fault {
    unsigned after, count;
    int error;
};

struct disk_mem {
    struct disk disk;
    struct room *room;
    struct disk_snapshot *now, *synced;
    struct disk_snapshot **unsynced; /* the versions after `synced`; the last is `now` */
    size_t unsynced_count, unsynced_room;
    struct fault faults[DISK_FAULTS];
    unsigned users; /* snapshots and iterators */
    bool broken;    /* an IO fault: no more writes until reopened */
    struct neap_error error;
};

struct mem_iter {
    struct disk_iter iter;
    struct disk_mem *mem;
    struct disk_snapshot *version;
    struct node *root;
    const struct node *at; /* the last one returned; NULL at the start */
    bool ended;
    size_t from_size, to_size;
    uint8_t bounds[];
};

static struct disk_mem *mem_of(struct disk *disk)
{
    return (struct disk_mem *)disk;
}

static void mem_lock(struct disk_mem *mem)
{
    must(pthread_mutex_lock(&mem->room->lock) == 0);
}

static void mem_unlock(struct disk_mem *mem)
{
    must(pthread_mutex_unlock(&mem->room->lock) == 0);
}

/* Items and nodes. Everything below until the disk's functions runs under the lock. */

static struct slice item_key(const struct item *item)
{
    return slice_of(item->bytes, item->key_size);
}

static struct slice item_value(const struct item *item)
{
    return slice_of(item->bytes + item->key_size, item->value_size);
}

static struct item *item_new(struct slice key, struct slice value)
{
    struct item *item = mem_new(sizeof(*item) + key.size + value.size);

    if (!item)
        return NULL;
    item->refs = 1;
    item->key_size = key.size;
    item->value_size = value.size;
    if (key.size)
        memcpy(item->bytes, key.data, key.size);
    if (value.size)
        memcpy(item->bytes + key.size, value.data, value.size);
    return item;
}

static void item_drop(struct item *item)
{
    if (--item->refs == 0)
        mem_free(item);
}

static struct node *node_hold(struct node *node)
{
    if (node)
        node->refs++;
    return node;
}

static void node_drop(struct node *node)
{
    if (!node || --node->refs > 0)
        return;
    node_drop(node->left);
    node_drop(node->right);
    item_drop(node->item);
    mem_free(node);
}

static struct node *node_new(uint64_t priority, struct item *item, struct node *left,
                             struct node *right)
{
    struct node *node = mem_new(sizeof(*node));

    if (!node)
        return NULL;
    node->refs = 1;
    node->priority = priority;
    node->item = item;
    item->refs++;
    node->left = left;
    node->right = right;
    return node;
}

/* Nobody else sees the node in this place, which was reached through such ones: it is that node
 * itself, or becomes a copy of it. NOMEM: it is as it was. */
static int node_own(struct node **at)
{
    struct node *node = *at, *copy;

    if (node->refs == 1)
        return 0;
    copy = node_new(node->priority, node->item, node->left, node->right);
    if (!copy)
        return NEAP_NOMEM;
    node_hold(copy->left);
    node_hold(copy->right);
    node_drop(node);
    *at = copy;
    return 0;
}

static const struct node *tree_find(const struct node *tree, struct slice key)
{
    while (tree) {
        int order = slice_compare(key, item_key(tree->item));

        if (order == 0)
            break;
        tree = order < 0 ? tree->left : tree->right;
    }
    return tree;
}

/* The first key at `from` or, with `after`, behind it. */
static const struct node *tree_seek(const struct node *tree, struct slice from, bool after)
{
    const struct node *found = NULL;

    while (tree) {
        int order = slice_compare(item_key(tree->item), from);

        if (order > 0 || (order == 0 && !after)) {
            found = tree;
            tree = tree->left;
        } else {
            tree = tree->right;
        }
    }
    return found;
}

/* What follows a node of the tree: mostly it is near. */
static const struct node *tree_next(const struct node *tree, const struct node *at)
{
    if (!at->right)
        return tree_seek(tree, item_key(at->item), true);
    for (at = at->right; at->left;)
        at = at->left;
    return at;
}

/* The functions that change a tree do it in place. Out of memory they may leave a part of it, in
 * good order: the version that it is of is dropped then. */

/* Takes over `tree`: keys before `key` go left, the others right. */
static int tree_split(struct node *tree, struct slice key, struct node **ret_left,
                      struct node **ret_right)
{
    struct node **left = ret_left, **right = ret_right, **rest;

    *left = *right = NULL;
    while (tree) {
        if (node_own(&tree)) {
            node_drop(tree);
            return NEAP_NOMEM;
        }
        if (slice_compare(item_key(tree->item), key) < 0) {
            *left = tree;
            rest = left = &tree->right;
        } else {
            *right = tree;
            rest = right = &tree->left;
        }
        tree = *rest;
        *rest = NULL;
    }
    return 0;
}

/* Takes over both. All keys of `left` are before all of `right`. */
static int tree_join(struct node *left, struct node *right, struct node **ret_tree)
{
    struct node **at = ret_tree;

    while (left && right) {
        struct node **top = left->priority > right->priority ? &left : &right;

        if (node_own(top)) {
            *at = left;
            node_drop(right);
            return NEAP_NOMEM;
        }
        *at = *top;
        at = top == &left ? &left->right : &right->left;
        *top = *at;
    }
    *at = left ? left : right;
    return 0;
}

/* A new key: it goes where the first smaller priority is, and parts what was there. */
static int tree_insert(struct node **root, uint64_t priority, struct item *item)
{
    struct node **at = root, *made;
    int error;

    while (*at && priority <= (*at)->priority) {
        if (node_own(at))
            return NEAP_NOMEM;
        at =
            slice_compare(item_key(item), item_key((*at)->item)) < 0 ? &(*at)->left : &(*at)->right;
    }
    made = node_new(priority, item, NULL, NULL);
    if (!made)
        return NEAP_NOMEM;
    error = tree_split(*at, item_key(item), &made->left, &made->right);
    *at = made;
    return error;
}

/* A key that is there: another item (NULL: none) takes its place. */
static int tree_replace(struct node **root, struct slice key, struct item *item)
{
    struct node **at = root, *node;
    int order, error;

    while (!node_own(at)) {
        node = *at;
        order = slice_compare(key, item_key(node->item));
        if (order) {
            at = order < 0 ? &node->left : &node->right;
            continue;
        }
        if (item) {
            item_drop(node->item);
            node->item = item;
            item->refs++;
            return 0;
        }
        error = tree_join(node->left, node->right, at);
        node->left = node->right = NULL;
        node_drop(node);
        return error;
    }
    return NEAP_NOMEM;
}

static int tree_remove_range(struct node **root, struct slice from, struct slice to)
{
    const struct node *first = tree_seek(*root, from, false);
    struct node *before, *rest, *middle = NULL, *after = NULL;
    int error;

    if (!first || slice_compare(item_key(first->item), to) >= 0)
        return 0;
    error = tree_split(*root, from, &before, &rest);
    if (error) {
        node_drop(rest);
        rest = NULL;
    } else {
        error = tree_split(rest, to, &middle, &after);
    }
    node_drop(middle);
    if (error) {
        node_drop(after);
        *root = before;
        return error;
    }
    return tree_join(before, after, root);
}

/* Versions */

static struct disk_snapshot *version_new(const struct disk_snapshot *from)
{
    struct disk_snapshot *version = mem_new(sizeof(*version));
    unsigned i;

    if (!version)
        return NULL;
    version->refs = 1;
    for (i = 0; from && i < DISK_FAMILIES; i++)
        version->roots[i] = node_hold(from->roots[i]);
    return version;
}

static struct disk_snapshot *version_hold(struct disk_snapshot *version)
{
    version->refs++;
    return version;
}

static void version_drop(struct disk_snapshot *version)
{
    unsigned i;

    if (!version || --version->refs > 0)
        return;
    for (i = 0; i < DISK_FAMILIES; i++)
        node_drop(version->roots[i]);
    mem_free(version);
}

struct change {
    struct disk_snapshot *version;
    struct rng *rng;
};

static int change_put(struct change *change, struct node **root, struct slice key,
                      struct slice value)
{
    struct item *item = item_new(key, value);
    int error;

    if (!item)
        return NEAP_NOMEM;
    if (tree_find(*root, key))
        error = tree_replace(root, key, item);
    else
        error = tree_insert(root, rng_u64(change->rng), item);
    item_drop(item);
    return error;
}

/* batch_visit: applies one write to a version that nobody else sees yet. */
static int change_apply(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                        struct slice value)
{
    struct change *change = arg;
    struct node **root = &change->version->roots[family];

    switch (kind) {
    case BATCH_RANGE:
        return tree_remove_range(root, key, value);
    case BATCH_PUT:
        return change_put(change, root, key, value);
    case BATCH_DELETE:
        return tree_find(*root, key) ? tree_replace(root, key, NULL) : 0;
    case BATCH_NONE:
        break;
    }
    return 0;
}

/* The disk's functions */

/* What the fault set by a test makes of this call; 0: nothing. */
static int mem_fault(struct disk_mem *mem, enum disk_fault kind, const char *what)
{
    struct fault *fault = &mem->faults[kind];

    if (fault->count == 0)
        return 0;
    if (fault->after > 0) {
        fault->after--;
        return 0;
    }
    fault->count--;
    return error_set(&mem->error, fault->error, "memory disk: %s failed by order of a test", what);
}

static int mem_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                   struct slice key, struct buffer *ret_value)
{
    struct disk_mem *mem = mem_of(disk);
    const struct node *node;
    int error;

    mem_lock(mem);
    error = mem_fault(mem, DISK_FAULT_GET, "get");
    if (!error) {
        node = tree_find((snapshot ? snapshot : mem->now)->roots[family], key);
        error = node ? buffer_set(ret_value, item_value(node->item)) : NEAP_NOTFOUND;
    }
    mem_unlock(mem);
    return error;
}

static int mem_iter_next(struct disk_iter *iter, struct slice *ret_key, struct slice *ret_value)
{
    struct mem_iter *pass = (struct mem_iter *)iter;
    struct slice from = slice_of(pass->bounds, pass->from_size);
    struct slice to = slice_of(pass->bounds + pass->from_size, pass->to_size);
    const struct node *node;
    int error;

    mem_lock(pass->mem);
    error = mem_fault(pass->mem, DISK_FAULT_SCAN, "scan");
    mem_unlock(pass->mem);
    if (error)
        return error;
    if (pass->ended)
        return NEAP_END;
    /* Without the lock: what a held version leads to does not change. */
    if (pass->at)
        node = tree_next(pass->root, pass->at);
    else
        node = tree_seek(pass->root, from, false);
    if (!node || (to.size && slice_compare(item_key(node->item), to) >= 0)) {
        pass->ended = true;
        return NEAP_END;
    }
    pass->at = node;
    *ret_key = item_key(node->item);
    *ret_value = item_value(node->item);
    return 0;
}

static void mem_iter_close(struct disk_iter *iter)
{
    struct mem_iter *pass = (struct mem_iter *)iter;
    struct disk_mem *mem = pass->mem;

    mem_lock(mem);
    version_drop(pass->version);
    mem->users--;
    mem_unlock(mem);
    mem_free(pass);
}

static const struct disk_iter_ops mem_iter_ops = {.next = mem_iter_next, .close = mem_iter_close};

static int mem_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                    struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    struct disk_mem *mem = mem_of(disk);
    struct mem_iter *pass = mem_new(sizeof(*pass) + from.size + to.size);

    if (!pass)
        return NEAP_NOMEM;
    pass->iter.ops = &mem_iter_ops;
    pass->mem = mem;
    pass->from_size = from.size;
    pass->to_size = to.size;
    if (from.size)
        memcpy(pass->bounds, from.data, from.size);
    if (to.size)
        memcpy(pass->bounds + from.size, to.data, to.size);
    mem_lock(mem);
    pass->version = version_hold(snapshot ? snapshot : mem->now);
    pass->root = pass->version->roots[family];
    mem->users++;
    mem_unlock(mem);
    *ret_iter = &pass->iter;
    return 0;
}

/* Everything up to now is durable. */
static void mem_settle(struct disk_mem *mem)
{
    size_t i;

    version_hold(mem->now);
    version_drop(mem->synced);
    mem->synced = mem->now;
    for (i = 0; i < mem->unsynced_count; i++)
        version_drop(mem->unsynced[i]);
    mem->unsynced_count = 0;
}

static int mem_reserve_unsynced(struct disk_mem *mem)
{
    size_t room = mem->unsynced_room ? mem->unsynced_room * 2 : 16;
    struct disk_snapshot **grown;

    if (mem->unsynced_count < mem->unsynced_room)
        return 0;
    grown = mem_resize(mem->unsynced, room * sizeof(struct disk_snapshot *));
    if (!grown)
        return NEAP_NOMEM;
    mem->unsynced = grown;
    mem->unsynced_room = room;
    return 0;
}

static int mem_refuse(struct disk_mem *mem)
{
    return error_set(&mem->error, NEAP_IO, "memory disk: a write failed before; reopen it");
}

static int mem_apply(struct disk_mem *mem, const struct batch *batch, bool sync)
{
    struct change change = {.version = NULL, .rng = &mem->room->rng};
    int error = sync ? 0 : mem_reserve_unsynced(mem);

    if (error)
        return error;
    change.version = version_new(mem->now);
    if (!change.version)
        return NEAP_NOMEM;
    error = batch_each(batch, change_apply, &change);
    if (error) {
        version_drop(change.version);
        return error;
    }
    version_drop(mem->now);
    mem->now = change.version;
    if (sync)
        mem_settle(mem);
    else
        mem->unsynced[mem->unsynced_count++] = version_hold(mem->now);
    return 0;
}

static int mem_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    struct disk_mem *mem = mem_of(disk);
    int error;

    mem_lock(mem);
    error = mem->broken ? mem_refuse(mem) : mem_fault(mem, DISK_FAULT_COMMIT, "commit");
    if (!error)
        error = mem_apply(mem, batch, sync);
    if (error == NEAP_IO)
        mem->broken = true;
    mem_unlock(mem);
    return error;
}

static int mem_sync(struct disk *disk)
{
    struct disk_mem *mem = mem_of(disk);
    int error;

    mem_lock(mem);
    error = mem->broken ? mem_refuse(mem) : mem_fault(mem, DISK_FAULT_SYNC, "sync");
    if (!error)
        mem_settle(mem);
    if (error == NEAP_IO)
        mem->broken = true;
    mem_unlock(mem);
    return error;
}

static int mem_snapshot(struct disk *disk, struct disk_snapshot **ret_snapshot)
{
    struct disk_mem *mem = mem_of(disk);

    mem_lock(mem);
    *ret_snapshot = version_hold(mem->now);
    mem->users++;
    mem_unlock(mem);
    return 0;
}

static void mem_release(struct disk *disk, struct disk_snapshot *snapshot)
{
    struct disk_mem *mem = mem_of(disk);

    if (!snapshot)
        return;
    mem_lock(mem);
    version_drop(snapshot);
    mem->users--;
    mem_unlock(mem);
}

static void mem_error(struct disk *disk, struct neap_error *ret_error)
{
    struct disk_mem *mem = mem_of(disk);

    mem_lock(mem);
    *ret_error = mem->error;
    mem_unlock(mem);
}

static void mem_close(struct disk *disk)
{
    struct disk_mem *mem = mem_of(disk);
    bool last;
    size_t i;

    mem_lock(mem);
    must(mem->users == 0);
    version_drop(mem->now);
    version_drop(mem->synced);
    for (i = 0; i < mem->unsynced_count; i++)
        version_drop(mem->unsynced[i]);
    last = --mem->room->refs == 0;
    mem_unlock(mem);
    if (last) {
        must(pthread_mutex_destroy(&mem->room->lock) == 0);
        mem_free(mem->room);
    }
    mem_free(mem->unsynced);
    mem_free(mem);
}

static const struct disk_ops disk_mem_ops = {
    .get = mem_get,
    .scan = mem_scan,
    .commit = mem_commit,
    .sync = mem_sync,
    .snapshot = mem_snapshot,
    .release = mem_release,
    .error = mem_error,
    .close = mem_close,
};

static struct room *room_new(void)
{
    struct room *room = mem_new(sizeof(*room));

    if (room && pthread_mutex_init(&room->lock, NULL) != 0) {
        mem_free(room);
        room = NULL;
    }
    if (room)
        rng_init(&room->rng, 1);
    return room;
}

int disk_mem_open(struct disk **ret_disk)
{
    struct disk_mem *mem = mem_new(sizeof(*mem));
    struct disk_snapshot *empty = version_new(NULL);
    struct room *room = room_new();

    if (!mem || !empty || !room) {
        if (room)
            must(pthread_mutex_destroy(&room->lock) == 0);
        mem_free(room);
        mem_free(empty);
        mem_free(mem);
        return NEAP_NOMEM;
    }
    mem->disk.ops = &disk_mem_ops;
    mem->room = room;
    room->refs = 1;
    mem->now = empty;
    mem->synced = version_hold(empty);
    *ret_disk = &mem->disk;
    return 0;
}

size_t disk_mem_unsynced(struct disk *disk)
{
    struct disk_mem *mem = mem_of(disk);
    size_t count;

    mem_lock(mem);
    count = mem->unsynced_count;
    mem_unlock(mem);
    return count;
}

void disk_mem_crash_keep(struct disk *disk, size_t commits)
{
    struct disk_mem *mem = mem_of(disk);

    mem_lock(mem);
    must(mem->users == 0);
    must(commits <= mem->unsynced_count);
    version_drop(mem->now);
    mem->now = version_hold(commits ? mem->unsynced[commits - 1] : mem->synced);
    mem_settle(mem);
    memset(mem->faults, 0, sizeof(mem->faults));
    memset(&mem->error, 0, sizeof(mem->error));
    mem->broken = false;
    mem_unlock(mem);
}

int disk_mem_crash(struct disk *disk)
{
    disk_mem_crash_keep(disk, 0);
    return 0;
}

int disk_mem_copy(struct disk *disk, struct disk **ret_copy)
{
    struct disk_mem *mem = mem_of(disk), *copy = mem_new(sizeof(*copy));

    if (!copy)
        return NEAP_NOMEM;
    mem_lock(mem);
    copy->disk.ops = &disk_mem_ops;
    copy->room = mem->room;
    copy->room->refs++;
    copy->now = version_hold(mem->synced);
    copy->synced = version_hold(mem->synced);
    mem_unlock(mem);
    *ret_copy = &copy->disk;
    return 0;
}

void disk_mem_fault(struct disk *disk, enum disk_fault kind, unsigned after, unsigned count,
                    int error)
{
    struct disk_mem *mem = mem_of(disk);

    mem_lock(mem);
    mem->faults[kind] = (struct fault){.after = after, .count = count, .error = error};
    mem_unlock(mem);
}
