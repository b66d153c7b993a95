/* Hot cells. Cells lie in rings of bytes, each under a lock of its own, and are found by tables of
 * eight places for each hash; the newest takes the room of the oldest. So nothing is allocated
 * after the opening, and however keys are chosen, no search takes more than eight steps.
 *
 * No reader may see a part of a commit: RocksDB shows one as a whole, and what is here must not be
 * older. So a commit first withdraws the cells that it changes, then writes, then puts their new
 * states in. Meanwhile (`turn` is odd) readers ask the disk and keep nothing, as they could keep
 * what is just being replaced. */
#include "store/disk_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/batch.h"

enum {
    WAYS = 8,             /* places of one hash: 64 bytes, which come into the processor at once */
    PART_SIZE = 64 << 10, /* so large a part is worth a lock of its own */
    PARTS_MAX = 64,
    CELL_SIZE_EXPECTED = 128,
    CELL_ALIGN = 16,
    CELL_SHARE = 8 /* no cell takes more than this share of a part */
};

/* Of a cell; its key and value follow. */
struct hot {
    uint32_t size; /* with all: where the next one begins */
    uint32_t value_size;
    uint32_t hash;
    uint16_t key_size;
    bool absent;    /* it is known not to be there */
    bool withdrawn; /* a commit changes it */
};

struct way {
    uint32_t hash;
    uint32_t at; /* in the ring, plus one; 0: free */
};

/* [0, head) is of this lap, [next, end) of the one before, between them is room. */
struct part {
    pthread_mutex_t lock;
    bool lock_ready;
    struct way *ways;
    uint8_t *ring;
    size_t head, next, end;
    uint64_t hits, misses, cells;
};

struct disk_cache {
    struct disk disk;
    struct disk *inner;
    atomic_uint_fast64_t turn; /* odd: a commit is under way */
    size_t parts_count, sets_count, ring_size;
    size_t withdrawn; /* cells, of the commit under way */
    struct part parts[];
};

static struct disk_cache *cache_of(struct disk *disk)
{
    return (struct disk_cache *)disk;
}

/* ---- one part ---- */

static void part_lock(struct part *part)
{
    must(pthread_mutex_lock(&part->lock) == 0);
}

static void part_unlock(struct part *part)
{
    must(pthread_mutex_unlock(&part->lock) == 0);
}

static struct hot *hot_at(const struct part *part, size_t at)
{
    return (struct hot *)(void *)(part->ring + at);
}

static uint8_t *hot_key(struct hot *hot)
{
    return (uint8_t *)(hot + 1);
}

static struct slice hot_value(struct hot *hot)
{
    return slice_of(hot_key(hot) + hot->key_size, hot->value_size);
}

static size_t hot_room(const struct hot *hot)
{
    return hot->size - sizeof *hot - hot->key_size;
}

static uint64_t key_hash(struct slice key)
{
    uint64_t hash = key.size * 0x9e3779b97f4a7c15u, word = 0;
    size_t i = 0;

    for (; i + sizeof word <= key.size; i += sizeof word) {
        memcpy(&word, key.data + i, sizeof word);
        hash = (hash ^ word) * 0xbf58476d1ce4e5b9u;
        hash ^= hash >> 29;
    }
    for (word = 0; i < key.size; i++)
        word = word << 8 | key.data[i];
    hash = (hash ^ word) * 0x94d049bb133111ebu;
    return hash ^ hash >> 32;
}

/* The highest bits choose the part, the lowest the set, all of the lower half are compared. */
static struct part *part_of(struct disk_cache *cache, uint64_t hash)
{
    return &cache->parts[(hash >> 40) % cache->parts_count];
}

static struct way *ways_of(const struct disk_cache *cache, const struct part *part, uint32_t hash)
{
    return part->ways + hash % cache->sets_count * WAYS;
}

static struct way *part_find(const struct disk_cache *cache, const struct part *part, uint32_t hash,
                             struct slice key)
{
    struct way *ways = ways_of(cache, part, hash);

    for (unsigned i = 0; i < WAYS; i++) {
        struct hot *hot;

        if (ways[i].hash != hash || ways[i].at == 0)
            continue;
        hot = hot_at(part, ways[i].at - 1);
        if (hot->key_size == key.size && memcmp(hot_key(hot), key.data, key.size) == 0)
            return &ways[i];
    }
    return NULL;
}

/* Its bytes stay in the ring until they are in the way. */
static void way_free(struct part *part, struct way *way)
{
    *way = (struct way){0};
    part->cells--;
}

static void part_evict(const struct disk_cache *cache, struct part *part, size_t at)
{
    uint32_t hash = hot_at(part, at)->hash;
    struct way *ways = ways_of(cache, part, hash);

    for (unsigned i = 0; i < WAYS; i++)
        if (ways[i].at == at + 1)
            way_free(part, &ways[i]);
}

static void part_evict_to(const struct disk_cache *cache, struct part *part, size_t to)
{
    for (; part->next < part->end && part->next < to; part->next += hot_at(part, part->next)->size)
        part_evict(cache, part, part->next);
    if (part->next < to)
        part->next = to;
}

/* Room for `size` bytes in one piece; what was there is gone. */
static size_t part_take(const struct disk_cache *cache, struct part *part, size_t size)
{
    size_t at;

    if (part->head + size > cache->ring_size) {
        part_evict_to(cache, part, part->end);
        part->end = part->head;
        part->head = part->next = 0;
    }
    at = part->head;
    part->head += size;
    part_evict_to(cache, part, part->head);
    return at;
}

/* A free place, or that of the one which would go first. */
static struct way *way_take(const struct disk_cache *cache, struct part *part, uint32_t hash)
{
    struct way *ways = ways_of(cache, part, hash), *oldest = ways;

    for (unsigned i = 0; i < WAYS; i++) {
        bool old = ways[i].at > part->head, was_old = oldest->at > part->head;

        if (ways[i].at == 0)
            return &ways[i];
        if (old != was_old ? old : ways[i].at < oldest->at)
            oldest = &ways[i];
    }
    way_free(part, oldest);
    return oldest;
}

static void part_add(const struct disk_cache *cache, struct part *part, uint32_t hash,
                     struct slice key, struct slice value)
{
    size_t size = sizeof(struct hot) + key.size + value.size, at;
    struct way *way;
    struct hot *hot;

    size = (size + CELL_ALIGN - 1) / CELL_ALIGN * CELL_ALIGN;
    if (size > cache->ring_size / CELL_SHARE || key.size > UINT16_MAX)
        return;
    at = part_take(cache, part, size);
    way = way_take(cache, part, hash);
    *way = (struct way){hash, (uint32_t)at + 1};
    hot = hot_at(part, at);
    *hot = (struct hot){.size = (uint32_t)size,
                        .value_size = (uint32_t)value.size,
                        .hash = hash,
                        .key_size = (uint16_t)key.size};
    memcpy(hot_key(hot), key.data, key.size);
    if (value.size)
        memcpy(hot_key(hot) + key.size, value.data, value.size);
    part->cells++;
}

static void cache_clear(struct disk_cache *cache)
{
    for (size_t i = 0; i < cache->parts_count; i++) {
        struct part *part = &cache->parts[i];

        part_lock(part);
        memset(part->ways, 0, cache->sets_count * WAYS * sizeof *part->ways);
        part->head = part->next = part->end = 0;
        part->cells = 0;
        part_unlock(part);
    }
}

/* ---- reading ---- */

static int cache_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                     struct slice key, struct buffer *ret_value)
{
    struct disk_cache *cache = cache_of(disk);
    uint64_t hash, turn;
    struct part *part;
    struct way *way;
    struct hot *hot;
    int error;

    if (snapshot || family != DISK_CELLS || key.size == 0)
        return cache->inner->ops->get(cache->inner, snapshot, family, key, ret_value);
    hash = key_hash(key);
    part = part_of(cache, hash);
    part_lock(part);
    way = part_find(cache, part, (uint32_t)hash, key);
    hot = way ? hot_at(part, way->at - 1) : NULL;
    if (hot && !hot->withdrawn) {
        error = hot->absent ? NEAP_NOTFOUND : buffer_set(ret_value, hot_value(hot));
        part->hits++;
        part_unlock(part);
        return error;
    }
    part->misses++;
    part_unlock(part);
    turn = atomic_load(&cache->turn);
    error = cache->inner->ops->get(cache->inner, NULL, family, key, ret_value);
    if (error || turn % 2 != 0)
        return error;
    part_lock(part);
    if (atomic_load(&cache->turn) == turn && !part_find(cache, part, (uint32_t)hash, key))
        part_add(cache, part, (uint32_t)hash, key, buffer_slice(ret_value));
    part_unlock(part);
    return 0;
}

static int cache_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                      struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    struct disk *inner = cache_of(disk)->inner;

    return inner->ops->scan(inner, snapshot, family, from, to, ret_iter);
}

/* ---- writing ---- */

/* batch_visit, before the commit. */
static int cell_withdraw(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                         struct slice value)
{
    struct disk_cache *cache = arg;
    uint64_t hash;
    struct part *part;
    struct way *way;

    (void)value;
    if (family != DISK_CELLS || (kind != BATCH_RANGE && key.size == 0))
        return 0;
    if (kind == BATCH_RANGE) {
        cache_clear(cache);
        return 0;
    }
    hash = key_hash(key);
    part = part_of(cache, hash);
    part_lock(part);
    way = part_find(cache, part, (uint32_t)hash, key);
    if (way) {
        hot_at(part, way->at - 1)->withdrawn = true;
        cache->withdrawn++;
    }
    part_unlock(part);
    return 0;
}

/* The new state in place of the old one, where it fits. */
static void hot_replace(const struct disk_cache *cache, struct part *part, struct way *way,
                        struct slice key, bool absent, struct slice value)
{
    struct hot *hot = hot_at(part, way->at - 1);
    uint32_t hash = way->hash;

    hot->withdrawn = false;
    if (value.size > hot_room(hot)) {
        way_free(part, way);
        part_add(cache, part, hash, key, value);
        return;
    }
    hot->absent = absent;
    hot->value_size = (uint32_t)value.size;
    if (value.size)
        memcpy(hot_key(hot) + hot->key_size, value.data, value.size);
}

/* batch_visit, after it. */
static int cell_replace(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                        struct slice value)
{
    struct disk_cache *cache = arg;
    uint64_t hash;
    struct part *part;
    struct way *way;

    if (family != DISK_CELLS || kind == BATCH_RANGE || key.size == 0)
        return 0;
    hash = key_hash(key);
    part = part_of(cache, hash);
    part_lock(part);
    way = part_find(cache, part, (uint32_t)hash, key);
    if (way && !BROKEN("cache-keeps-old"))
        hot_replace(cache, part, way, key, kind == BATCH_DELETE, value);
    else if (way)
        hot_at(part, way->at - 1)->withdrawn = false;
    part_unlock(part);
    return 0;
}

static int cache_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    struct disk_cache *cache = cache_of(disk);
    int error;

    cache->withdrawn = 0;
    atomic_fetch_add(&cache->turn, 1);
    (void)batch_each(batch, cell_withdraw, cache);
    error = cache->inner->ops->commit(cache->inner, batch, sync);
    if (error)
        cache_clear(cache);
    else if (cache->withdrawn > 0)
        (void)batch_each(batch, cell_replace, cache);
    atomic_fetch_add(&cache->turn, 1);
    return error;
}

/* ---- the rest of a disk ---- */

static int cache_sync(struct disk *disk)
{
    return cache_of(disk)->inner->ops->sync(cache_of(disk)->inner);
}

static int cache_snapshot(struct disk *disk, struct disk_snapshot **ret_snapshot)
{
    return cache_of(disk)->inner->ops->snapshot(cache_of(disk)->inner, ret_snapshot);
}

static void cache_release(struct disk *disk, struct disk_snapshot *snapshot)
{
    cache_of(disk)->inner->ops->release(cache_of(disk)->inner, snapshot);
}

static void cache_error(struct disk *disk, struct neap_error *ret_error)
{
    cache_of(disk)->inner->ops->error(cache_of(disk)->inner, ret_error);
}

static void cache_trust(struct disk *disk)
{
    disk_trust(cache_of(disk)->inner);
}

static int cache_checkpoint(struct disk *disk, const char *path, uint64_t *ret_sequence,
                            struct neap_error *error)
{
    return cache_of(disk)->inner->ops->checkpoint(cache_of(disk)->inner, path, ret_sequence, error);
}

static void cache_close(struct disk *disk)
{
    disk_close(disk_cache_leave(disk));
}

#define CACHE_OPS                                                                     \
    .get = cache_get, .scan = cache_scan, .commit = cache_commit, .sync = cache_sync, \
    .snapshot = cache_snapshot, .release = cache_release, .error = cache_error,       \
    .trust = cache_trust, .close = cache_close

/* A disk that has no copies must not seem to have them. */
static const struct disk_ops cache_ops = {CACHE_OPS};
static const struct disk_ops cache_copy_ops = {CACHE_OPS, .checkpoint = cache_checkpoint};

/* ---- opening ---- */

static bool is_cache(const struct disk *disk)
{
    return disk->ops == &cache_ops || disk->ops == &cache_copy_ops;
}

/* Powers of two: of the parts, and of the sets in each. */
static void cache_measure(size_t size, size_t *ret_parts, size_t *ret_sets, size_t *ret_ring)
{
    size_t parts = 1, sets = 1, part, ways;

    while (parts < PARTS_MAX && size / (2 * parts) >= PART_SIZE)
        parts *= 2;
    part = size / parts - sizeof(struct part);
    part = part > UINT32_MAX ? UINT32_MAX : part;
    while (sets * 2 * WAYS * CELL_SIZE_EXPECTED <= part)
        sets *= 2;
    ways = sets * WAYS * sizeof(struct way);
    *ret_parts = parts;
    *ret_sets = sets;
    *ret_ring = (part - ways) / CELL_ALIGN * CELL_ALIGN;
}

int disk_cache_open(struct disk *inner, size_t size, struct disk **ret_disk)
{
    size_t parts, sets, ring, head, each;
    struct disk_cache *cache;
    uint8_t *memory;

    size = size < DISK_CACHE_MIN ? DISK_CACHE_MIN : size;
    cache_measure(size - sizeof *cache, &parts, &sets, &ring);
    head = (sizeof *cache + parts * sizeof(struct part) + WAYS * sizeof(struct way) - 1) /
           (WAYS * sizeof(struct way)) * (WAYS * sizeof(struct way));
    each = sets * WAYS * sizeof(struct way) + ring;
    cache = mem_new(head + parts * each);
    if (!cache)
        return NEAP_NOMEM;
    cache->disk.ops = inner->ops->checkpoint ? &cache_copy_ops : &cache_ops;
    cache->inner = inner;
    atomic_init(&cache->turn, 0);
    cache->parts_count = parts;
    cache->sets_count = sets;
    cache->ring_size = ring;
    memory = (uint8_t *)cache + head;
    for (size_t i = 0; i < parts; i++, memory += each) {
        struct part *part = &cache->parts[i];

        part->ways = (struct way *)(void *)memory;
        part->ring = memory + sets * WAYS * sizeof(struct way);
        part->lock_ready = pthread_mutex_init(&part->lock, NULL) == 0;
        if (!part->lock_ready) {
            (void)disk_cache_leave(&cache->disk);
            return NEAP_NOMEM;
        }
    }
    *ret_disk = &cache->disk;
    return 0;
}

struct disk *disk_cache_leave(struct disk *disk)
{
    struct disk_cache *cache = cache_of(disk);
    struct disk *inner;

    if (!is_cache(disk))
        return disk;
    inner = cache->inner;
    for (size_t i = 0; i < cache->parts_count; i++)
        if (cache->parts[i].lock_ready)
            must(pthread_mutex_destroy(&cache->parts[i].lock) == 0);
    mem_free(cache);
    return inner;
}

void disk_cache_forget(struct disk *disk)
{
    if (is_cache(disk) && !BROKEN("cache-hides-loss"))
        cache_clear(cache_of(disk));
}

struct disk_cache_counts disk_cache_count(struct disk *disk)
{
    struct disk_cache *cache = cache_of(disk);
    struct disk_cache_counts counts = {0};

    must(is_cache(disk));
    for (size_t i = 0; i < cache->parts_count; i++) {
        struct part *part = &cache->parts[i];

        part_lock(part);
        counts.hits += part->hits;
        counts.misses += part->misses;
        counts.cells += part->cells;
        part_unlock(part);
    }
    return counts;
}
