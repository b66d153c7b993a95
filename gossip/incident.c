/* What happens to buckets, for the history of this node (store/annals.h). What lasts is looked at
 * with each change of a bucket and held against what it says to last: so it does not
 * matter in which process it began, nor in which it ends. */
#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"
#include "store/hole.h"

/* More at once than are followed: they come in when others end. */
static int added(int error)
{
    return error == NEAP_LIMIT ? 0 : error;
}

static struct annals_entry entry_of(const struct step *step, const struct shard *shard,
                                     enum annals_kind kind)
{
    return (struct annals_entry){.kind = kind,
                                  .began_ms = step->now.wall_ms,
                                  .shard = shard->id,
                                  .replica = shard->replica,
                                  .bucket = slice_text(shard->name)};
}

static void entry_peer(const struct gossip *gossip, size_t peer, struct annals_entry *entry)
{
    entry->node = gossip->peers[peer].met ? gossip->peers[peer].node : 0;
    entry->peer = slice_text(peer_text(gossip, peer));
}

/* ---- what lasts ---- */

/* It begins, ends or goes on. `how` it ended. */
static int lasting(struct step *step, const struct annals_entry *entry, bool is, const char *how)
{
    struct annals *annals = &step->gossip->store->annals;
    uint64_t number = annals_find(annals, entry->kind, entry->shard, entry->node);
    if (is == (number != 0))
        return 0;
    if (is)
        return added(annals_add(annals, step->batch, entry));
    if (BROKEN("incident-stays"))
        return 0;
    return annals_end(annals, step->batch, number, step->now.wall_ms, how);
}

static int unreadable(struct step *step, const struct shard *shard)
{
    struct annals_entry entry = {.kind = ANNALS_UNREADABLE, .shard = shard->id};
    char key[ANNALS_TEXT_MAX];
    if (shard->holes_count > 0)
        entry = hole_entry(shard, step->now.wall_ms, key);
    return lasting(step, &entry, shard->holes_count > 0,
                   "peers gave what they had of it: no damage is left");
}

/* A fault is known to the process alone: the next one finds it again, or not. */
static int fault(struct step *step, const struct topic *topic, const struct shard *shard)
{
    struct annals_entry entry = entry_of(step, shard, ANNALS_FAULT);
    const struct annals *annals = &step->gossip->store->annals;
    uint64_t number = annals_find(annals, entry.kind, entry.shard, 0);
    entry.cause = slice_text(topic->fault.text);
    return lasting(step, &entry, topic->fault.code != 0,
                   number < annals->opened ? "not met again since a restart" : "it works again");
}

/* Not to be known equal is no end. */
static int differs(struct step *step, const struct topic *topic, const struct shard *shard,
                   size_t peer)
{
    struct annals_entry entry = entry_of(step, shard, ANNALS_DIFFERS);
    const struct pair *pair = topic_pair(topic, peer);
    if (!pair || (!pair->differs_ms && !pair->equal))
        return 0;
    entry_peer(step->gossip, peer, &entry);
    if (entry.node == 0)
        return 0;
    if (pair->differs_ms)
        entry.began_ms = pair->differs_ms;
    entry.cause = slice_text("the same events were seen, and cells are not the same");
    return lasting(step, &entry, pair->differs_ms != 0, "both are equal again");
}

int incident_work(struct step *step, const struct topic *topic, const struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    if (!step->batch)
        return 0;
    int error = unreadable(step, shard);
    if (!error)
        error = fault(step, topic, shard);
    for (size_t i = 0; i < gossip->peers_count && !error; i++)
        error = differs(step, topic, shard, i);
    return error;
}

/* ---- what happens at once ---- */

int incident_lost(struct step *step, const struct shard *shard, size_t peer, uint64_t cells,
                  const char *key, bool whole)
{
    struct annals_entry entry = entry_of(step, shard, ANNALS_LOST);
    entry.ended_ms = step->now.wall_ms;
    entry_peer(step->gossip, peer, &entry);
    entry.cells = cells;
    entry.key = slice_text(key);
    entry.cause = slice_text(whole ? "gone from the disk without a word"
                                   : "gone in part from the disk without a word");
    entry.end = slice_text("back from the peer");
    return annals_add(&step->gossip->store->annals, step->batch, &entry);
}

int incident_given_up(struct step *step, const struct shard *shard, const char *cause)
{
    struct annals_entry entry = entry_of(step, shard, ANNALS_GIVEN_UP);
    entry.ended_ms = step->now.wall_ms;
    entry.cause = slice_text(cause);
    entry.end = slice_text("all is back that other nodes had");
    return annals_add(&step->gossip->store->annals, step->batch, &entry);
}

int incident_repaired(struct step *step, const struct topic *topic, const struct shard *shard,
                      uint64_t began_ms, uint64_t given, bool mended)
{
    struct annals_entry entry = entry_of(step, shard, ANNALS_REPAIR);
    entry.began_ms = began_ms;
    entry.ended_ms = step->now.wall_ms;
    entry_peer(step->gossip, topic->pull.peer, &entry);
    entry.cells = given;
    entry.end = slice_text(mended ? "mended" : "found nothing to mend");
    return annals_add(&step->gossip->store->annals, step->batch, &entry);
}
