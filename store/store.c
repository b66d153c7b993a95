#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/keys.h"
#include "store/merkle.h"
#include "store/tally.h"
#include "store/tree_keep.h"

/* ---- buckets ---- */

uint64_t bucket_id(const char *name)
{
    return hash_name(slice_text(name));
}

/* The bytes of one UTF-8 character, 0 when it is none: no surrogates, nothing longer than needed,
 * nothing past U+10FFFF. */
static size_t utf8_size(const uint8_t *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = text[0] < 0x80                      ? 1
                  : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                  : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                  : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                      : 0;
    uint32_t point = size < 2 ? text[0] : text[0] & (0xffu >> (size + 1));

    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    if (size > 1 && (point < least[size] || point > 0x10ffff || (point >> 11) == 0x1b))
        return 0;
    if (size == 2 && point < 0xa0) /* control characters beyond ASCII */
        return 0;
    return size;
}

/* As ring_name_check() of gossip/rings.h, of which the store knows nothing. */
static int ring_text_check(const char *text, size_t size)
{
    if (size == 0 || size > 63)
        return NEAP_INVALID;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") < size ? NEAP_INVALID : 0;
}

/* NAME@RING is placed on a ring; for nothing else is there an '@'. */
static int ring_part_check(const char *name)
{
    const char *at = strchr(name, '@');

    if (!at)
        return 0;
    return at == name ? NEAP_INVALID : ring_text_check(at + 1, strlen(at + 1));
}

int bucket_name_check(const char *name)
{
    const uint8_t *text = (const uint8_t *)name;
    size_t size;

    if (!name || !*name)
        return NEAP_INVALID;
    if (strnlen(name, BUCKET_NAME_MAX + 1) > BUCKET_NAME_MAX)
        return NEAP_LIMIT;
    for (; *text; text += size) {
        size = utf8_size(text);
        if (size == 0 || *text < 0x20 || *text == 0x7f || *text == '/')
            return NEAP_INVALID;
    }
    return ring_part_check(name);
}

int shard_name_check(const char *name)
{
    const char *slash = name ? strchr(name, '/') : NULL;

    if (!name || name[0] != '@')
        return bucket_name_check(name);
    if (!slash || ring_text_check(name + 1, (size_t)(slash - name - 1)) || !slash[1] ||
        strlen(slash + 1) > 4 || strspn(slash + 1, "0123456789") != strlen(slash + 1))
        return NEAP_INVALID;
    return 0;
}

/* ---- the table of shards ---- */

/* Where a shard of that id is, or would be. */
static size_t store_at(const struct store *store, uint64_t id)
{
    size_t low = 0, high = store->shards_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (store->shards[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct shard *store_find(const struct store *store, uint64_t id)
{
    size_t at = store_at(store, id);

    if (at < store->shards_count && store->shards[at]->id == id && (id != store->hidden || !id))
        return store->shards[at];
    return NULL;
}

static int store_reserve(struct store *store)
{
    struct shard **shards;

    if (store->shards_count == BUCKETS_MAX)
        return NEAP_LIMIT;
    shards =
        mem_reserve(store->shards, store->shards_count, &store->shards_room, 1, sizeof(*shards));
    if (!shards)
        return NEAP_NOMEM;
    store->shards = shards;
    return 0;
}

/* Into the table, which has room. */
static void store_add(struct store *store, struct shard *shard)
{
    size_t at = store_at(store, shard->id);

    memmove(store->shards + at + 1, store->shards + at,
            (store->shards_count - at) * sizeof(*store->shards));
    store->shards[at] = shard;
    store->shards_count++;
    shard->clock = &store->clock;
    shard->heat = &store->heat;
    shard->unwanted = !store_wants(store, shard->name);
    store->unwanted_count += shard->unwanted;
    if (store->alone)
        shard->proof = PROOF_ALONE;
}

void store_be_alone(struct store *store)
{
    store->alone = true;
    for (size_t i = 0; i < store->shards_count; i++)
        store->shards[i]->proof = PROOF_ALONE;
}

/* A shard that is not on disk yet. A life that began before this opening may have made it once
 * already, in a future that the directory has left (rule 9): then it begins with a new id. */
static int store_make(struct store *store, struct batch *batch, const char *name,
                      struct shard **ret_shard)
{
    batch_mark mark = batch_set_mark(batch);
    struct shard *shard = NULL;
    int error = shard_new(batch, name, store->identity.life, store->identity.nonce, &shard);

    if (!error && store->trees.kept)
        error = shard_tree_open(shard, &store->trees.key, store->trees.bits_max);
    if (!error && store->dropped && !BROKEN("same-id-again"))
        error = shard_reset(shard, batch, store_new_id(store));
    else if (!error && !store->identity.fresh_life && !BROKEN("life-again"))
        error = shard_redot(shard, batch);
    if (error) {
        shard_free(shard);
        batch_rollback(batch, mark);
        return error;
    }
    *ret_shard = shard;
    return 0;
}

int store_shard(struct store *store, struct batch *batch, const char *name,
                struct shard **ret_shard)
{
    struct shard *shard = store_find(store, bucket_id(name));
    int error;

    if (shard && strcmp(shard->name, name) != 0)
        return NEAP_INVALID; /* two names with one 64-bit hash: the second can't be used */
    if (shard) {
        *ret_shard = shard;
        return 0;
    }
    error = shard_name_check(name);
    if (!error)
        error = store_reserve(store);
    if (!error)
        error = store_make(store, batch, name, &shard);
    if (error)
        return error;
    store_add(store, shard);
    *ret_shard = shard;
    return 0;
}

void store_forget(struct store *store, uint64_t id)
{
    size_t at = store_at(store, id);

    if (at == store->shards_count || store->shards[at]->id != id)
        return;
    store->unwanted_count -= store->shards[at]->unwanted;
    shard_free(store->shards[at]);
    store->shards_count--;
    memmove(store->shards + at, store->shards + at + 1,
            (store->shards_count - at) * sizeof(*store->shards));
}

/* ---- what is held ---- */

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}

bool store_wants(const struct store *store, const char *name)
{
    uint64_t id;

    if (name[0] == '@') {
        id = bucket_id(name);
        return store->placed_count &&
               bsearch(&id, store->placed, store->placed_count, sizeof id, compare_ids);
    }
    return subscriptions_have(&store->subscriptions, name);
}

static void store_sort_out(struct store *store)
{
    store->unwanted_count = 0;
    for (size_t i = 0; i < store->shards_count; i++) {
        struct shard *shard = store->shards[i];

        shard->unwanted = !store_wants(store, shard->name);
        store->unwanted_count += shard->unwanted;
    }
}

int store_subscribe(struct store *store, struct batch *batch, struct subscriptions *list)
{
    int error = subscriptions_save(batch, list);

    if (error)
        return error;
    subscriptions_done(&store->subscriptions);
    store->subscriptions = *list;
    *list = (struct subscriptions){0};
    store->subscriptions_version++;
    store_sort_out(store);
    return 0;
}

void store_place(struct store *store, uint64_t *ids, size_t count)
{
    mem_free(store->placed);
    store->placed = ids;
    store->placed_count = count;
    store_sort_out(store);
}

int store_drop(struct store *store, struct batch *batch, uint64_t id)
{
    const struct shard *shard = store_find(store, id);
    int error = shard ? shard_erase(shard, batch) : 0;

    if (error)
        return error;
    store_forget(store, id);
    store->dropped = true;
    return 0;
}

/* ---- opening ---- */

static int store_load_one(struct store *store, const struct view *view, struct batch *batch,
                          struct slice key)
{
    struct shard *shard;
    int error;

    if (key.size != 1 + sizeof(uint64_t))
        return NEAP_CORRUPT;
    error = store_reserve(store);
    if (!error)
        error = shard_load(view, key_shard_of(key), store->identity.life, store->identity.nonce,
                           &shard);
    if (error)
        return error;
    store_add(store, shard);
    return store->identity.fresh_life ? shard_save(shard, batch) : 0;
}

static int store_load(struct store *store, struct batch *batch, struct neap_error *ret_error)
{
    const struct view view = {.disk = store->disk};
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    int error;

    key_meta(&from, 'S');
    key_end(&from, &end);
    error = view_scan(&view, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = store_load_one(store, &view, batch, key);
        if (error == NEAP_FORMAT)
            error = shard_record_refuse(value, ret_error);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

static int store_start(struct store *store, struct batch *batch, const struct directory_mark *mark,
                       struct clock *clock, bool suspect, struct neap_error *error)
{
    const struct view view = {.disk = store->disk};
    struct neap_error detail = {0};
    int code = identity_open(&view, mark, suspect, clock, batch, &store->identity, error);

    if (code)
        return code;
    code = BROKEN("clock-restarts") ? 0 : hlc_mark_open(&view, &store->hlc);
    if (!code)
        code = expiry_open(&view, store->clock.wall_ms, &store->expiry, &store->clock.expires_next);
    if (!code)
        code = annals_load(&store->annals, &view);
    if (!code)
        code = subscriptions_load(&view, &store->subscriptions);
    store->subscriptions_version = 1;
    if (code == NEAP_NOTFOUND)
        code = subscriptions_all(&store->subscriptions);
    if (!code)
        code = store_load(store, batch, error);
    if (!code && suspect)
        code = trees_drop(batch);
    if (!code && suspect)
        code = tallies_drop(batch);
    for (size_t i = 0; i < store->shards_count && suspect; i++) {
        tallies_free(store->shards[i]->tallies);
        store->shards[i]->tallies = NULL;
    }
    /* What its cells were when that was written is not known any more. */
    for (size_t i = 0; i < store->shards_count && suspect; i++)
        shard_compare_stop(store->shards[i]);
    if (!code)
        code = store_annals_open(store, batch);
    if (!code && !batch_is_empty(batch))
        code = store->disk->ops->commit(store->disk, batch, true);
    if (!code && suspect)
        disk_trust(store->disk);
    if (code == NEAP_IO || code == NEAP_CORRUPT)
        store->disk->ops->error(store->disk, &detail);
    if (code && code != NEAP_FORMAT)
        error_set(error, code, "open: %.200s", detail.text[0] ? detail.text : error_text(code));
    return code;
}

int store_open(struct store *store, struct disk *disk, const struct directory_mark *mark,
               struct clock *clock, bool suspect, struct neap_error *error)
{
    struct batch *batch = NULL;
    int code = batch_new(disk, &batch);

    *store = (struct store){.disk = disk};
    store->clock.hlc = &store->hlc;
    store->clock.wall_ms = clock->ops->wall_ms(clock);
    store->clock.expires_next = EXPIRY_NEVER;
    rng_init(&store->rng, clock->ops->entropy(clock));
    if (code)
        error_set(error, code, "open: %s", error_text(code));
    else
        code = store_start(store, batch, mark, clock, suspect, error);
    batch_free(batch);
    if (code)
        store_done(store);
    return code;
}

void store_done(struct store *store)
{
    for (size_t i = 0; i < store->shards_count; i++)
        shard_free(store->shards[i]);
    mem_free(store->shards);
    mem_free(store->placed);
    subscriptions_done(&store->subscriptions);
    *store = (struct store){0};
}

/* ---- trees ---- */

int store_keep_trees(struct store *store, const struct hash_key *cluster_key, unsigned bits_max)
{
    /* What hashes of trees tell says nothing of other hashes under the cluster's key. */
    struct digest key = hash_128(cluster_key, slice_text("neap tree of a shard"));
    const struct view view = {.disk = store->disk};
    int error = 0;

    must(!store->trees.kept);
    bytes_put_u64(store->trees.key.bytes, key.high);
    bytes_put_u64(store->trees.key.bytes + 8, key.low);
    store->trees.bits_max = bits_max;
    store->trees.kept = true;
    for (size_t i = 0; i < store->shards_count && !error; i++) {
        error = shard_tree_open(store->shards[i], &store->trees.key, bits_max);
        if (!error)
            tree_load(store->shards[i], &view);
    }
    return error;
}

unsigned store_tree_bits(size_t bytes_max)
{
    unsigned bits = MERKLE_BITS_MAX;

    while (bits > MERKLE_BITS_MIN && ((size_t)2 * MERKLE_LEAF_BYTES << bits) > bytes_max)
        bits -= 2;
    return bits;
}

/* ---- time and names ---- */

int store_stamp(struct store *store, struct batch *batch, uint64_t wall_ms, uint64_t *ret_stamp)
{
    uint64_t stamp = hlc_next(&store->hlc, wall_ms);
    int error = hlc_mark_keep(batch, &store->hlc, &store->hlc_reserved);

    if (!error)
        *ret_stamp = stamp;
    return error;
}

uint64_t store_new_id(struct store *store)
{
    uint64_t id;

    do {
        id = rng_u64(&store->rng);
    } while (id == 0);
    return id;
}
