#include "store/salvage.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/batch.h"
#include "store/hole.h"
#include "store/keys.h"
#include "store/ranking.h"
#include "store/tally.h"
#include "store/tree_keep.h"

/* ---- gaps ---- */

int gaps_add(struct gaps *gaps, enum disk_family family, struct slice after, struct slice before)
{
    struct gap *items = mem_reserve(gaps->items, gaps->count, &gaps->room, 1, sizeof *items);
    struct gap *gap;
    int error;

    if (!items)
        return NEAP_NOMEM;
    gaps->items = items;
    gap = &items[gaps->count];
    *gap = (struct gap){.family = family};
    buffer_init(&gap->after, SIZE_MAX / 2);
    buffer_init(&gap->before, SIZE_MAX / 2);
    error = buffer_set(&gap->after, after);
    if (!error)
        error = buffer_set(&gap->before, before);
    if (error) {
        buffer_done(&gap->after);
        buffer_done(&gap->before);
        return error;
    }
    gaps->count++;
    return 0;
}

void gaps_done(struct gaps *gaps)
{
    for (size_t i = 0; i < gaps->count; i++) {
        buffer_done(&gaps->items[i].after);
        buffer_done(&gaps->items[i].before);
    }
    mem_free(gaps->items);
    *gaps = (struct gaps){0};
}

/* The part of a gap that lies in a shard: keys without the shard, and empty at its borders. */
static bool gap_in_shard(const struct gap *gap, uint64_t shard, struct slice *ret_after,
                         struct slice *ret_before)
{
    struct slice after = buffer_slice(&gap->after), before = buffer_slice(&gap->before);
    struct key prefix, end;

    key_shard_prefix(&prefix, shard);
    key_end(&prefix, &end);
    *ret_after = *ret_before = slice_of(NULL, 0);
    if (slice_starts(after, key_slice(&prefix)))
        *ret_after = slice_of(after.data + prefix.size, after.size - prefix.size);
    else if (slice_compare(after, key_slice(&end)) >= 0)
        return false;
    if (slice_starts(before, key_slice(&prefix)))
        *ret_before = slice_of(before.data + prefix.size, before.size - prefix.size);
    else if (before.size > 0 && slice_compare(before, key_slice(&prefix)) <= 0)
        return false;
    return true;
}

/* ---- copying ---- */

enum {
    COPY_BYTES = 1 << 20, /* of one commit */
    GAPS_MAX = 256,       /* of one family */
    PLACE_SIZE = 48,      /* bytes of a key that a search looks at */
    SEARCH_ROUNDS = 64
};

/* A key as a number. */
struct place {
    uint8_t bytes[PLACE_SIZE];
};

static struct place place_of(struct slice key)
{
    struct place place = {{0}};

    if (key.size > 0)
        memcpy(place.bytes, key.data, key.size < PLACE_SIZE ? key.size : PLACE_SIZE);
    return place;
}

/* (a + b) / 2, rounded down. */
static struct place place_middle(const struct place *a, const struct place *b)
{
    struct place middle;
    unsigned sum = 0;

    for (size_t i = PLACE_SIZE; i-- > 0;) {
        sum = (unsigned)a->bytes[i] + b->bytes[i] + (sum >> 8);
        middle.bytes[i] = (uint8_t)sum;
    }
    sum >>= 8; /* the bit above the first */
    for (size_t i = 0; i < PLACE_SIZE; i++) {
        unsigned low = middle.bytes[i] & 1U;

        middle.bytes[i] = (uint8_t)(sum << 7 | middle.bytes[i] >> 1);
        sum = low;
    }
    return middle;
}

/* (b - a) / 256. */
static struct place place_step(const struct place *a, const struct place *b)
{
    struct place step = {{0}};
    int borrow = 0;

    for (size_t i = PLACE_SIZE; i-- > 0;) {
        int byte = b->bytes[i] - a->bytes[i] - borrow;

        borrow = byte < 0;
        if (i + 1 < PLACE_SIZE)
            step.bytes[i + 1] = (uint8_t)byte;
    }
    return step;
}

static void place_add(struct place *place, const struct place *step)
{
    unsigned sum = 0;

    for (size_t i = PLACE_SIZE; i-- > 0;) {
        sum = (unsigned)place->bytes[i] + step->bytes[i] + (sum >> 8);
        place->bytes[i] = (uint8_t)sum;
    }
}

static bool place_equal(const struct place *a, const struct place *b)
{
    return memcmp(a->bytes, b->bytes, PLACE_SIZE) == 0;
}

struct copying {
    struct disk *from;
    struct batch *batch;
    struct disk *to;
    enum disk_family family;
    struct gaps *gaps;
    size_t gaps_count;
    struct buffer last; /* key that was read; empty: none */
    struct buffer next; /* where it goes on; empty: at the start */
};

/* From `next` on as far as it can be read. END, or CORRUPT: `last` is right before the damage. */
static int copy_pass(struct copying *copying)
{
    struct disk_iter *iter;
    struct slice key, value;
    /* What is made of the cells is made again. */
    struct slice end = slice_text(copying->family == DISK_META ? KEY_META_DERIVED : "");
    int error = copying->from->ops->scan(copying->from, NULL, copying->family,
                                         buffer_slice(&copying->next), end, &iter);

    if (error)
        return error;
    while (!(error = iter->ops->next(iter, &key, &value))) {
        error = buffer_set(&copying->last, key);
        if (!error)
            error = batch_put(copying->batch, copying->family, key, value);
        if (!error && batch_bytes(copying->batch) >= COPY_BYTES)
            error = batch_flush(copying->batch, copying->to, false);
        if (error)
            break;
    }
    iter->ops->close(iter);
    return error;
}

/* Can be read what comes first from there on? Then it is `next`, or empty at the end. */
static int copy_probe(struct copying *copying, const struct place *place, bool *ret_good)
{
    struct disk_iter *iter;
    struct slice key, value;
    int error =
        copying->from->ops->scan(copying->from, NULL, copying->family,
                                 slice_of(place->bytes, PLACE_SIZE), slice_of(NULL, 0), &iter);

    if (error)
        return error;
    error = iter->ops->next(iter, &key, &value);
    *ret_good = !error || error == NEAP_END;
    if (!error)
        error = buffer_set(&copying->next, key);
    else if (error == NEAP_END)
        buffer_clear(&copying->next);
    iter->ops->close(iter);
    return error == NEAP_CORRUPT || error == NEAP_END ? 0 : error;
}

/* Halves what lies between the two, until they are neighbours: one bad, one good. */
static int search_halve(struct copying *copying, struct place *bad, struct place *good)
{
    int error = 0;

    while (!error) {
        struct place middle = place_middle(bad, good);
        bool is_good = false;

        if (place_equal(&middle, bad))
            break;
        error = copy_probe(copying, &middle, &is_good);
        *(is_good ? good : bad) = middle;
    }
    return error;
}

/* There may be several places that are bad: is there a good one between these two, which are? */
static int search_between(struct copying *copying, const struct place *from,
                          const struct place *bad, struct place *ret_good, bool *ret_found)
{
    struct place step = place_step(from, bad), at = *from;
    int error = 0;

    *ret_found = false;
    for (unsigned i = 1; i < 256 && !error && !*ret_found; i++) {
        place_add(&at, &step);
        error = copy_probe(copying, &at, ret_found);
    }
    if (!error && *ret_found)
        *ret_good = at;
    return error;
}

/* The first place behind the damage, as far as looking at some can tell. *ret_more: there is one,
 * and `next` is the key there. */
static int copy_search(struct copying *copying, bool *ret_more)
{
    const struct place from = place_of(buffer_slice(&copying->last));
    struct place bad, good;
    bool found, is_good = false;
    int error;

    memset(good.bytes, 0xff, PLACE_SIZE);
    error = copy_probe(copying, &good, &found);
    bad = good;
    for (unsigned round = 0; !error && round < SEARCH_ROUNDS; round++) {
        if (found) {
            is_good = true;
            bad = from;
            error = search_halve(copying, &bad, &good);
        }
        if (!error)
            error = search_between(copying, &from, &bad, &good, &found);
        if (!found)
            break;
    }
    if (!error && is_good)
        error = copy_probe(copying, &good, &is_good);
    *ret_more = is_good && copying->next.size > 0;
    return error;
}

static int copy_family(struct copying *copying)
{
    bool more = true;
    int error;

    buffer_clear(&copying->last);
    buffer_clear(&copying->next);
    copying->gaps_count = 0;
    error = copy_pass(copying);
    while (error == NEAP_CORRUPT && copying->family != DISK_META && more) {
        buffer_clear(&copying->next);
        error = ++copying->gaps_count < GAPS_MAX ? copy_search(copying, &more) : 0;
        more = more && copying->gaps_count < GAPS_MAX;
        if (!more)
            buffer_clear(&copying->next);
        if (!error)
            error = gaps_add(copying->gaps, copying->family, buffer_slice(&copying->last),
                             buffer_slice(&copying->next));
        if (!error && more)
            error = copy_pass(copying);
    }
    return error == NEAP_END ? 0 : error;
}

int salvage_copy(struct disk *from, struct disk *to, struct gaps *ret_gaps)
{
    struct copying copying = {.from = from, .to = to, .gaps = ret_gaps};
    int error = batch_new(to, &copying.batch);

    if (error)
        return error;
    buffer_init(&copying.last, SIZE_MAX / 2);
    buffer_init(&copying.next, SIZE_MAX / 2);
    for (unsigned i = 0; i < DISK_FAMILIES && !error; i++) {
        copying.family = (enum disk_family)i;
        error = copy_family(&copying);
    }
    if (!error)
        error = batch_flush(copying.batch, copying.to, false);
    buffer_done(&copying.last);
    buffer_done(&copying.next);
    batch_free(copying.batch);
    return error;
}

/* ---- records ---- */

/* What was a hole there before is part of this one: what had been filled is gone again. */
static int hole_add(const struct view *view, struct batch *batch, uint64_t shard,
                    const struct context *context, struct slice after, struct slice before,
                    const char *cause)
{
    struct hole hole = {0};
    int error = 0;

    buffer_init(&hole.from, KEY_CURSOR_MAX);
    buffer_init(&hole.to, KEY_CURSOR_MAX);
    if (after.size > 0) /* the first key behind it */
        error = buffer_set(&hole.from, after);
    if (!error && after.size > 0)
        error = buffer_append_u8(&hole.from, 0);
    if (!error)
        error = buffer_set(&hole.to, before);
    if (!error)
        error = context_copy(&hole.need, context);
    snprintf(hole.cause, sizeof hole.cause, "%s", cause);
    if (!error)
        error = holes_carve(view, batch, shard, buffer_slice(&hole.from), buffer_slice(&hole.to));
    if (!error)
        error = hole_write(batch, shard, &hole);
    hole_done(&hole);
    return error;
}

static int shard_salvage(const struct view *view, struct batch *batch, uint64_t shard,
                         const struct gaps *gaps, const char *cause, bool *ret_suspect)
{
    struct context context = {0};
    struct slice after, before;
    bool log = false;
    int error = 0;

    for (size_t i = 0; i < gaps->count; i++)
        log |= gaps->items[i].family == DISK_LOG &&
               gap_in_shard(&gaps->items[i], shard, &after, &before);
    *ret_suspect |= log;
    if (log && !BROKEN("salvage-keeps-log"))
        error = shard_forget_log(view, batch, shard);
    if (!error)
        error = shard_context_read(view, shard, &context);
    for (size_t i = 0; i < gaps->count && !error && context.count > 0; i++) {
        if (gaps->items[i].family == DISK_CELLS && !BROKEN("salvage-silent") &&
            gap_in_shard(&gaps->items[i], shard, &after, &before))
            error = hole_add(view, batch, shard, &context, after, before, cause);
    }
    context_done(&context);
    return error;
}

/* Compares that were under way: what they brought may be among what is missing. */
static int sessions_drop(struct batch *batch)
{
    struct key from, end;

    key_meta(&from, 'C');
    key_end(&from, &end);
    return batch_delete_range(batch, DISK_META, key_slice(&from), key_slice(&end));
}

static int shards_salvage(struct disk *disk, struct batch *batch, const struct gaps *gaps,
                          const char *cause, bool *ret_suspect)
{
    const struct view records = {.disk = disk}, view = batch_view(batch);
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    int error;

    key_meta(&from, 'S');
    key_end(&from, &end);
    error = view_scan(&records, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = key.size == 1 + sizeof(uint64_t)
                    ? shard_salvage(&view, batch, key_shard_of(key), gaps, cause, ret_suspect)
                    : NEAP_CORRUPT;
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

int salvage_record(struct disk *disk, const struct gaps *gaps, const char *cause, bool *ret_suspect)
{
    struct batch *batch;
    bool suspect = false;
    int error;

    for (size_t i = 0; i < gaps->count; i++) {
        if (gaps->items[i].family == DISK_META)
            return NEAP_CORRUPT;
    }
    error = batch_new(disk, &batch);
    if (error)
        return error;
    error = rankings_make(disk);
    if (!error)
        error = trees_drop(batch);
    if (!error)
        error = tallies_drop(batch);
    if (!error)
        error = sessions_drop(batch);
    if (!error)
        error = shards_salvage(disk, batch, gaps, cause, &suspect);
    if (!error)
        error = disk->ops->commit(disk, batch, true);
    if (!error)
        *ret_suspect = suspect;
    batch_free(batch);
    return error;
}
