/* What a tree was: its changes since some moment, which can be subtracted. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/merkle_sums.h"

void merkle_watch(struct merkle *tree, struct merkle_watch *watch)
{
    *watch = (struct merkle_watch){.tree = tree, .next = tree->watch};
    tree->watch = watch;
}

static int change_compare(const void *a, const void *b)
{
    const struct merkle_change *one = a, *other = b;

    return one->place < other->place ? -1 : one->place > other->place;
}

static void watch_end(struct merkle_watch *watch)
{
    watch->tree = NULL;
    watch->next = NULL;
    if (watch->count > 0)
        qsort(watch->changes, watch->count, sizeof *watch->changes, change_compare);
}

void merkle_unwatch(struct merkle_watch *watch)
{
    struct merkle_watch **at = watch->tree ? &watch->tree->watch : NULL;

    if (!at)
        return;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    watch_end(watch);
}

void merkle_watch_done(struct merkle_watch *watch)
{
    merkle_unwatch(watch);
    mem_free(watch->changes);
    *watch = (struct merkle_watch){0};
}

void watches_end(struct merkle *tree)
{
    while (tree->watch) {
        struct merkle_watch *watch = tree->watch;

        tree->watch = watch->next;
        watch->lost = true;
        watch_end(watch);
    }
}

/* Without memory the watch is lost, and nothing else. */
static void watch_tell(struct merkle_watch *watch, struct merkle_change change)
{
    struct merkle_change *changes = NULL;

    if (watch->lost)
        return;
    if (watch->count < MERKLE_WATCH_MAX)
        changes = mem_reserve(watch->changes, watch->count, &watch->room, 1, sizeof *changes);
    watch->lost = !changes;
    if (watch->lost)
        return;
    watch->changes = changes;
    watch->changes[watch->count++] = change;
}

void watches_tell(struct merkle *tree, uint64_t place, struct digest sum)
{
    for (struct merkle_watch *watch = tree->watch; watch && !BROKEN("verify-forgets-watch");
         watch = watch->next)
        watch_tell(watch, (struct merkle_change){place, sum});
}

struct digest merkle_watched(const struct merkle_watch *watch, uint64_t place, bool *ret_any)
{
    struct digest sum = {0};
    size_t low = 0, high = watch->count;

    must(!watch->tree);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (watch->changes[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_any = low < watch->count && watch->changes[low].place == place;
    for (; low < watch->count && watch->changes[low].place == place; low++)
        digest_add(&sum, watch->changes[low].sum);
    return sum;
}
