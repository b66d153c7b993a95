/* Why a read meets each write. A call is coordinated by a node of the layout that its reads count
 * in (ring_coordinates()), and that layout is left by nobody before that node has said that it
 * reads from a later one: so whoever knows an active layout knows all who may coordinate under it.
 * A layout is read from when all of those count it, and each of its owners has caught up after
 * that: a write that counted in it meets the read by numbers, one that did not had ended before,
 * and so was with a quorum of the older owners when they were asked. Who learns of a layout from
 * what another says of it, and has not got it itself, decides nothing until it has. */
#include "gossip/ring_track.h"

#include <string.h>

#include "base/broken.h"
#include "gossip/ring_pack.h"

static bool has(const uint64_t *stamps, size_t count, uint64_t stamp)
{
    for (size_t i = 0; i < count; i++)
        if (stamps[i] == stamp)
            return true;
    return false;
}

static bool counts(const struct ring *ring, uint64_t node, uint64_t stamp)
{
    const struct ring_track *track = ring_track_of(ring, node);

    return ring_is_skipped(ring, node, stamp) ||
           (track && has(track->counts, track->counts_count, stamp));
}

static bool synced(const struct ring *ring, uint64_t node, uint64_t stamp)
{
    const struct ring_track *track = ring_track_of(ring, node);

    return ring_is_skipped(ring, node, stamp) ||
           (track && has(track->synced, track->synced_count, stamp));
}

/* Has the node left the layout? */
static bool reads_later(const struct ring *ring, uint64_t node, uint64_t stamp)
{
    const struct ring_track *track = ring_track_of(ring, node);

    return ring_is_skipped(ring, node, stamp + 1) || (track && track->reads > stamp);
}

typedef bool (*node_asks)(const struct ring *ring, uint64_t node, uint64_t stamp);

/* The first node of the layout that does not; 0: all do. */
static uint64_t missing(const struct ring *ring, const struct ring_layout *layout, node_asks asks,
                        uint64_t stamp)
{
    for (size_t i = 0; i < layout->layout.nodes_count; i++)
        if (layout->layout.nodes[i].weight && !asks(ring, layout->layout.nodes[i].id, stamp))
            return layout->layout.nodes[i].id;
    return 0;
}

/* Of all who may coordinate. */
static uint64_t missing_of_all(const struct ring *ring, node_asks asks, uint64_t stamp)
{
    uint64_t node = 0;

    for (size_t i = 0; i < ring->layouts_count && !node; i++)
        node = missing(ring, &ring->layouts[i], asks, stamp);
    return node;
}

/* Does what the node says name no layout that is not here? */
static bool names_known(const struct ring *ring, uint64_t node, uint64_t stamp)
{
    const struct ring_track *track = ring_track_of(ring, node);

    (void)stamp;
    if (!track || ring_is_skipped(ring, node, ring_newest(ring)->stamp))
        return true;
    for (size_t i = 0; i < track->counts_count; i++)
        if (!ring_layout_of(ring, track->counts[i]) &&
            !has(ring->left, ring->left_count, track->counts[i]))
            return false;
    return true;
}

/* ---- which layouts are active, and which is read from ---- */

/* The line of the newest one, as far as it is here: another layout of a version in it lost. */
static void mark_superseded(struct ring *ring)
{
    const struct ring_layout *at = ring_newest(ring);

    for (size_t i = 0; i < ring->layouts_count; i++)
        ring->layouts[i].superseded = false;
    while (at) {
        for (size_t i = 0; i < ring->layouts_count; i++)
            if (ring_version(ring->layouts[i].stamp) == ring_version(at->stamp) &&
                ring->layouts[i].stamp != at->stamp)
                ring->layouts[i].superseded = true;
        at = ring_layout_of(ring, at->parent);
    }
}

static bool layout_is_left(const struct ring *ring, const struct ring_layout *layout)
{
    return !missing(ring, layout, reads_later, layout->stamp) || BROKEN("ring-drop-old");
}

static void layouts_leave(struct ring *ring)
{
    size_t kept = 0;

    for (size_t i = 0; i < ring->layouts_count; i++) {
        struct ring_layout layout = ring->layouts[i];

        if (i + 1 < ring->layouts_count && layout_is_left(ring, &layout)) {
            ring->left[ring->left_count++] = layout.stamp;
            ring_layout_done(&layout);
            continue;
        }
        ring->layouts[kept++] = layout;
    }
    ring->layouts_count = kept;
}

static bool is_base(const struct ring *ring, size_t layout)
{
    return layout == 0 && !ring->layouts[layout].parent;
}

/* Another node does, which found that it may. Of one of the first layouts, when there are two, its
 * own nodes know nothing of the other. */
static bool somebody_reads(const struct ring *ring, const struct ring_layout *layout)
{
    for (size_t i = 0; layout->parent && i < ring->tracks_count; i++)
        if (ring->tracks[i].reads == layout->stamp && names_known(ring, ring->tracks[i].node, 0))
            return true;
    return false;
}

static bool all_count(const struct ring *ring, uint64_t stamp)
{
    return !missing_of_all(ring, counts, stamp);
}

/* May reads count in it? */
static bool is_readable(const struct ring *ring, size_t i)
{
    const struct ring_layout *layout = &ring->layouts[i];

    if (is_base(ring, i) || BROKEN("ring-read-newest"))
        return true;
    if (missing_of_all(ring, names_known, 0))
        return false;
    if (somebody_reads(ring, layout))
        return true;
    return all_count(ring, layout->stamp) &&
           (!missing(ring, layout, synced, layout->stamp) || BROKEN("ring-read-unsynced"));
}

void ring_settle(struct ring *ring, uint64_t me)
{
    const struct ring_track *track = ring_track_of(ring, me);

    mark_superseded(ring);
    layouts_leave(ring);
    ring->reads_well = false;
    for (size_t i = ring->layouts_count; i-- > 0 && !ring->reads_well;) {
        bool mine = track && track->reads == ring->layouts[i].stamp;

        ring->reads = i;
        ring->reads_well = mine || is_readable(ring, i);
    }
}

/* ---- what a node says ---- */

bool ring_may_sync(const struct ring *ring, size_t layout)
{
    return !ring->layouts[layout].superseded && !is_base(ring, layout) &&
           (all_count(ring, ring->layouts[layout].stamp) || BROKEN("ring-sync-early")) &&
           !missing_of_all(ring, names_known, 0);
}

static bool has_synced(const struct ring_track *track, uint64_t stamp)
{
    return track && has(track->synced, track->synced_count, stamp);
}

bool ring_must_sync(const struct ring *ring, uint64_t me, size_t layout)
{
    const struct ring_layout *at = &ring->layouts[layout];

    return ring_has_node(at, me) && !at->superseded && !is_base(ring, layout) &&
           !has_synced(ring_track_of(ring, me), at->stamp);
}

static bool in_any(const struct ring *ring, uint64_t node)
{
    for (size_t i = 0; i < ring->layouts_count; i++)
        if (ring_has_node(&ring->layouts[i], node))
            return true;
    return false;
}

static uint64_t reads_by_now(const struct ring *ring, const struct ring_track *before,
                             const struct ring_facts *facts)
{
    uint64_t reads = before ? before->reads : 0, now = ring_reading(ring)->stamp;

    if (facts->under_way < now && !BROKEN("ring-left-early"))
        now = facts->under_way;
    return ring->reads_well && now > reads ? now : reads;
}

static bool same(const struct ring_track *a, const struct ring_track *b)
{
    return a->reads == b->reads && a->counts_count == b->counts_count &&
           a->synced_count == b->synced_count &&
           !memcmp(a->counts, b->counts, a->counts_count * sizeof *a->counts) &&
           !memcmp(a->synced, b->synced, a->synced_count * sizeof *a->synced);
}

bool ring_track(const struct ring *ring, uint64_t me, const struct ring_facts *facts,
                struct ring_track *ret_track)
{
    const struct ring_track *before = ring_track_of(ring, me);
    struct ring_track track = {.node = me, .reads = reads_by_now(ring, before, facts)};

    if (!in_any(ring, me))
        return false;
    for (size_t i = 0; i < ring->layouts_count; i++) {
        uint64_t stamp = ring->layouts[i].stamp;

        if (facts->counts[i] || BROKEN("ring-count-early") ||
            (before && has(before->counts, before->counts_count, stamp)))
            track.counts[track.counts_count++] = stamp;
        if (has_synced(before, stamp) ||
            (facts->caught_up[i] && ring_may_sync(ring, i) && ring_has_node(&ring->layouts[i], me)))
            track.synced[track.synced_count++] = stamp;
    }
    if (before && same(before, &track))
        return false;
    *ret_track = track;
    return true;
}

enum ring_step ring_waits(const struct ring *ring, size_t layout, uint64_t *ret_node)
{
    const struct ring_layout *at = &ring->layouts[layout];
    enum ring_step step = RING_STEP_COUNT;
    uint64_t node = missing_of_all(ring, counts, at->stamp);

    if (!node)
        node = missing_of_all(ring, names_known, 0);
    if (!node && !is_base(ring, layout)) {
        step = RING_STEP_SYNC;
        node = missing(ring, at, synced, at->stamp);
    }
    if (!node) {
        step = RING_STEP_READ;
        node = missing_of_all(ring, reads_later, at->stamp - 1);
    }
    *ret_node = node;
    return node ? step : RING_STEP_DONE;
}
