#include "engine/expiring.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"

enum { PAGE_SIZE_MAX = EXPIRING_CELLS * (KEY_SIZE_MAX + 8) };

/* Has something expired that was not looked at yet? */
static bool expiring_is_due(const struct store *store)
{
    return store->clock.expires_next <= store->expiry.clock;
}

uint64_t expiring_deadline(const struct expiring *expiring, const struct store *store,
                           struct now now)
{
    uint64_t next = store->clock.expires_next, clock = store->expiry.clock;
    uint64_t at = expiring->again_at ? expiring->again_at : UINT64_MAX;

    if (expiring->more || next <= clock)
        at = 0;
    else if (next != EXPIRY_NEVER && next - clock < UINT64_MAX - now.mono_ms)
        at = now.mono_ms + (next - clock) < at ? now.mono_ms + (next - clock) : at;
    return at < expiring->rest_until ? expiring->rest_until : at;
}

void expiring_publish(const struct expiring *expiring, struct store *store, struct now now)
{
    uint64_t at = expiring_deadline(expiring, store, now), wait;

    atomic_store(&store->expiry.told, now.wall_ms);
    if (store->clock.expires_next == EXPIRY_NEVER || at == UINT64_MAX) {
        atomic_store(&store->expiry.due, UINT64_MAX);
        return;
    }
    wait = at > now.mono_ms ? at - now.mono_ms : 0;
    atomic_store(&store->expiry.due, wait < UINT64_MAX - now.wall_ms ? now.wall_ms + wait : wait);
}

/* May this node remove what others made? Only when all others hide it, too. */
static bool expiring_takes_any(const struct store *store, const struct gossip *gossip,
                               const struct shard *shard, const struct expiry_entry *entry)
{
    uint64_t slowest, rank;

    if (!gossip || shard->proof == PROOF_ALONE || BROKEN("expiry-removes-any"))
        return true;
    if (!gossip_clocks(gossip, &slowest, &rank))
        return false;
    if (store->expiry.clock < slowest)
        slowest = store->expiry.clock;
    /* One of them is the first, and mostly the only one. */
    return slowest > entry->expires && (slowest - entry->expires) / EXPIRING_GRACE_MS > rank;
}

/* It stays, for now. */
static void expiring_pass(struct expiring *expiring, struct now now, uint64_t wait_ms)
{
    if (!expiring->again_at || now.mono_ms + wait_ms < expiring->again_at)
        expiring->again_at = now.mono_ms + wait_ms;
}

static int expiring_entry(struct expiring *expiring, struct store *store, struct gossip *gossip,
                          struct now now, struct batch *batch, const struct expiry_entry *entry)
{
    struct shard *shard = store_find(store, entry->shard);
    struct dot dot = {0};
    int error;

    if (!shard)
        return expiry_forget(batch, entry);
    /* Such events are to take no replica ids, and to wait for nobody. */
    if (shard->unwanted || (gossip && !shard->confirmed)) {
        expiring_pass(expiring, now, EXPIRING_SOON_MS);
        return 0;
    }
    error = shard_expire(shard, batch, entry, store->expiry.clock,
                         expiring_takes_any(store, gossip, shard, entry), &dot);
    if (error || !dot.n)
        expiring_pass(expiring, now, error ? EXPIRING_SOON_MS : EXPIRING_AGAIN_MS);
    if (dot.n) {
        expiring->removed++;
        if (gossip)
            gossip_touched(gossip, shard->id);
    }
    /* One that can't be read or written holds up no others. */
    return error == NEAP_CORRUPT || error == NEAP_LIMIT ? 0 : error;
}

/* What came late, or is written for a time that is over, lies before what was looked at. */
static void expiring_go_back(struct expiring *expiring, const struct store *store)
{
    struct key first;

    key_expiry_from(&first, store->clock.expires_next);
    if (expiring->from.size && slice_compare(key_slice(&first), key_slice(&expiring->from)) < 0)
        expiring->from = first;
}

/* Keys of the index that are due, from expiring->from on. */
static int expiring_collect(struct expiring *expiring, const struct store *store,
                            const struct batch *batch, struct buffer *page, size_t *ret_count)
{
    struct view view = batch_view(batch);
    struct slice key, value;
    struct key end;
    struct scan *scan;
    size_t count = 0;
    int error;

    if (!expiring->from.size)
        key_meta(&expiring->from, 'E');
    key_expiry_from(&end, store->expiry.clock + 1);
    error = view_scan(&view, DISK_META, key_slice(&expiring->from), key_slice(&end), &scan);
    if (error)
        return error;
    while (count < EXPIRING_CELLS && !(error = scan_next(scan, &key, &value))) {
        error = key_page_add(page, key);
        if (error)
            break;
        count++;
    }
    scan_close(scan);
    *ret_count = count;
    return error == NEAP_END ? 0 : error;
}

static int expiring_page(struct expiring *expiring, struct store *store, struct gossip *gossip,
                         struct now now, struct batch *batch, const struct buffer *page)
{
    struct expiry_entry entry;
    struct slice key;
    size_t at = 0;
    int error = 0;

    while (!error && key_page_next(page, &at, &key)) {
        error = expiry_entry_read(key, &entry)
                    ? expiring_entry(expiring, store, gossip, now, batch, &entry)
                    : batch_delete(batch, DISK_META, key);
        if (!error) {
            memcpy(expiring->from.bytes, key.data, key.size);
            expiring->from.bytes[key.size] = 0;
            expiring->from.size = key.size + 1;
        }
    }
    return error;
}

int expiring_tick(struct expiring *expiring, struct store *store, struct gossip *gossip,
                  struct now now, struct batch *batch, bool *ret_sync)
{
    bool again = expiring->again_at && now.mono_ms >= expiring->again_at;
    struct view view = batch_view(batch);
    struct buffer page;
    size_t count = 0;
    int error;

    if (now.mono_ms < expiring->rest_until || !(expiring_is_due(store) || expiring->more || again))
        return 0;
    if (again) {
        expiring->from.size = 0;
        expiring->again_at = 0;
    }
    if (expiring_is_due(store))
        expiring_go_back(expiring, store);
    buffer_init(&page, PAGE_SIZE_MAX);
    error = expiring_collect(expiring, store, batch, &page, &count);
    if (!error)
        error = expiring_page(expiring, store, gossip, now, batch, &page);
    if (!error && count > 0)
        error = expiry_put_mark(&store->expiry, batch, store->expiry.clock);
    if (!error && expiring_is_due(store))
        error = expiry_first(&view, store->expiry.clock + 1, &store->clock.expires_next);
    buffer_done(&page);
    expiring->rest_until = now.mono_ms + EXPIRING_REST_MS;
    expiring->more = count == EXPIRING_CELLS;
    *ret_sync = *ret_sync || (count > 0 && !BROKEN("expiry-mark-unsynced"));
    return error;
}
