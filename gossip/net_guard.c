#include "gossip/net_guard.h"

#include "base/error.h"

static struct guard_entry *entry_find(struct guard *guard, const struct guard_source *source)
{
    for (size_t i = 0; i < guard->count; i++)
        if (!memcmp(&guard->entries[i].source, source, sizeof *source))
            return &guard->entries[i];
    return NULL;
}

/* A new one, in the place of the one that was not used for longest: whoever has a handshake in
 * flight stays, and those are fewer than there are places. */
static struct guard_entry *entry_new(struct guard *guard, const struct guard_source *source)
{
    struct guard_entry *entry = NULL;

    if (guard->count < GUARD_SOURCES) {
        entry = &guard->entries[guard->count++];
    } else {
        for (size_t i = 0; i < guard->count; i++)
            if (!guard->entries[i].in_flight &&
                (!entry || guard->entries[i].used_ms < entry->used_ms))
                entry = &guard->entries[i];
        must(entry);
    }
    *entry = (struct guard_entry){.source = *source};
    tokens_init(&entry->failures, GUARD_FAILURES_A_SECOND, GUARD_FAILURES_A_SECOND);
    return entry;
}

enum guard_answer guard_begin(struct guard *guard, const struct guard_source *source,
                              uint64_t now_ms)
{
    struct guard_entry *entry = entry_find(guard, source);

    if (entry && tokens_at(&entry->failures, now_ms, 1) > now_ms)
        return GUARD_RATE;
    if (entry && entry->in_flight >= GUARD_SOURCE_HANDSHAKES_MAX)
        return GUARD_SOURCE_IS_FULL;
    if (guard->in_flight >= GUARD_HANDSHAKES_MAX)
        return GUARD_IS_FULL;
    if (!entry)
        entry = entry_new(guard, source);
    entry->used_ms = now_ms;
    entry->in_flight++;
    guard->in_flight++;
    return GUARD_ADMITS;
}

void guard_end(struct guard *guard, const struct guard_source *source, bool failed, uint64_t now_ms)
{
    struct guard_entry *entry = entry_find(guard, source);

    must(entry && entry->in_flight && guard->in_flight);
    entry->in_flight--;
    guard->in_flight--;
    if (failed)
        tokens_take(&entry->failures, now_ms, 1);
}
