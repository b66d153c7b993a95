/* What the oracle says of a cell. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/oracle.h"

enum { PRUNE_MIN = 8 };

struct judge {
    struct oracle *oracle;
    const struct knowledge *know;
    const struct context *before;
    uint32_t path, shard;
    uint32_t first, last; /* events of this commit that may have changed this cell; NONE */
    struct why why;
};

static bool judge_knows(const struct judge *judge, uint32_t event)
{
    return event != ORACLE_NONE && oracle_is_valid(judge->oracle, event) &&
           oracle_covers(judge->oracle, judge->shard, judge->know, event);
}

static void edge_add(struct oracle *oracle, uint32_t event, uint32_t may, uint32_t must)
{
    if (oracle->edges_count == oracle->edges_room) {
        oracle->edges = mem_reserve(oracle->edges, oracle->edges_count, &oracle->edges_room, 1,
                                    sizeof *oracle->edges);
        must(oracle->edges);
    }
    oracle->edges[oracle->edges_count] =
        (struct oracle_edge){.may = may, .must = must, .next = oracle->events[event].gone};
    oracle->events[event].gone = (uint32_t)oracle->edges_count++;
}

/* The events of this commit here; those without a path may be of any cell. */
static void judge_fresh(struct judge *judge)
{
    const struct oracle *oracle = judge->oracle;
    const struct oracle_path *path = &oracle->paths[judge->path];
    const struct oracle_shard *shard = &oracle->shards[judge->shard];
    judge->first = judge->last = ORACLE_NONE;
    if (path->fresh_commit == oracle->commit) {
        judge->last = path->fresh;
        for (uint32_t at = path->fresh; at != ORACLE_NONE; at = oracle->events[at].next_fresh)
            judge->first = at;
    }
    if (shard->blind_commit != oracle->commit)
        return;
    if (judge->first == ORACLE_NONE || shard->blind_first < judge->first)
        judge->first = shard->blind_first;
    if (judge->last == ORACLE_NONE || shard->blind_last > judge->last)
        judge->last = shard->blind_last;
}

static bool judge_says(const struct judge *judge, uint32_t event, const char *what, uint32_t other)
{
    char name[64], other_name[64] = "";
    oracle_event_text(judge->oracle, event, name, sizeof name);
    if (other != ORACLE_NONE)
        oracle_event_text(judge->oracle, other, other_name, sizeof other_name);
    return differs(judge->why, "%s %s%s", name, what, other_name);
}

/* It was not there when the commit that made it ended, and somebody who read in the middle has it:
 * an event of that commit has removed it. */
static void event_passed(struct oracle *oracle, uint32_t number)
{
    const struct oracle_event *event = &oracle->events[number];
    const struct oracle_opening *opening = &oracle->openings[event->opening];
    size_t next = (size_t)(event->n - opening->since), last = next;
    if (event->commit == oracle->commit || event->gone != ORACLE_NONE)
        return;
    while (last < opening->count && oracle->events[opening->events[last]].commit == event->commit)
        last++;
    if (last > next)
        edge_add(oracle, number, opening->events[next], opening->events[last - 1]);
}

/* An event that adds something shows itself. */
static bool event_shows(struct judge *judge, uint32_t number, uint64_t payload)
{
    struct oracle_event *event = &judge->oracle->events[number];
    if (event->path == ORACLE_NONE)
        event->path = judge->path;
    if (event->path != judge->path)
        return judge_says(judge, number, "is of another cell", ORACLE_NONE);
    if (!event->adds) {
        event->adds = true;
        event->payload = payload;
        oracle_list(judge->oracle, number);
        event_passed(judge->oracle, number);
    }
    return event->payload == payload ||
           judge_says(judge, number, "has another payload", ORACLE_NONE);
}

static bool judge_live(struct judge *judge, const struct cell_entry *entry)
{
    struct oracle *oracle = judge->oracle;
    const struct context_entry *known = oracle_entry(judge->know, entry->dot.id);
    uint32_t event =
        known ? oracle_resolve(oracle, judge->shard, known, entry->dot.n) : ORACLE_NONE;
    if (event == ORACLE_NONE)
        return differs(judge->why, "%04x:%" PRIu64 " is there, and is no event that it knows",
                       (unsigned)(entry->dot.id >> 48), entry->dot.n);
    if (!event_shows(judge, event, oracle_hash(entry->payload)))
        return false;
    oracle->events[event].stamp = oracle->stamp;
    for (uint32_t at = oracle->events[event].gone; at != ORACLE_NONE; at = oracle->edges[at].next) {
        uint32_t must = oracle->edges[at].must;
        if (judge_knows(judge, must) && !oracle->events[must].lost)
            return judge_says(judge, event, "is there, and was removed by ",
                              oracle->edges[at].must);
    }
    return true;
}

/* Why it can be absent: 0 it can't, 1 by what has just been learned, 2 as before. */
static unsigned judge_excuse(const struct judge *judge, uint32_t event)
{
    const struct oracle *oracle = judge->oracle;
    struct knowledge before = {.context = judge->before};
    unsigned excuse = 0;
    for (uint32_t at = oracle->events[event].gone; at != ORACLE_NONE; at = oracle->edges[at].next) {
        uint32_t may = oracle->edges[at].may;
        if (oracle->edges[at].lost || oracle->events[may].lost || oracle->events[may].forgotten)
            return 2;
        if (!judge_knows(judge, may))
            continue;
        if (judge->first == ORACLE_NONE || oracle_covers(oracle, judge->shard, &before, may))
            return 2;
        excuse = 1;
    }
    return excuse;
}

static bool judge_absent(struct judge *judge, uint32_t event)
{
    if (judge->oracle->events[event].lost)
        return true;
    unsigned excuse = judge_excuse(judge, event);
    if (excuse == 0 && judge->first == ORACLE_NONE)
        return judge_says(judge, event, "is missing", ORACLE_NONE);
    /* When a remote event came in the same commit, either may have been the one that found it. */
    if (excuse < 2)
        edge_add(judge->oracle, event, judge->first, excuse == 0 ? judge->last : ORACLE_NONE);
    return true;
}

/* Events of this commit whose dots were gone before its end: others may have seen them, if they
 * read in the middle of it. */
static void judge_passing(struct judge *judge)
{
    struct oracle *oracle = judge->oracle;
    if (judge->first == judge->last)
        return;
    const struct oracle_path *path = &oracle->paths[judge->path];
    uint32_t at = path->fresh_commit == oracle->commit ? path->fresh : ORACLE_NONE;
    for (; at != ORACLE_NONE; at = oracle->events[at].next_fresh) {
        if (!oracle->events[at].adds && at != judge->last && oracle->events[at].gone == ORACLE_NONE)
            edge_add(oracle, at, judge->first, judge->last);
    }
}

static bool all_have_seen(const struct oracle *oracle, uint32_t shard, uint32_t event)
{
    if (event == ORACLE_NONE || !oracle_is_valid(oracle, event) || oracle->events[event].lost)
        return false;
    for (size_t node = 0; node < NODES_MAX; node++) {
        const struct oracle_replica *replica = &oracle->shards[shard].replicas[node];
        struct knowledge know = {.context = &replica->known};
        if (replica->present && !oracle_covers(oracle, shard, &know, event))
            return false;
    }
    return true;
}

/* Whatever all have seen removed needs no more looking for. (A directory that goes back in time may
 * then miss it unnoticed; that it has it again is noticed.) */
static void path_prune(struct oracle *oracle, struct oracle_path *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < path->count; i++) {
        uint32_t number = path->events[i];
        bool dead = !oracle_is_valid(oracle, number);
        for (uint32_t at = oracle->events[number].gone; at != ORACLE_NONE && !dead;
             at = oracle->edges[at].next)
            dead = all_have_seen(oracle, path->shard, oracle->edges[at].must);
        oracle->events[number].listed = !dead;
        if (!dead)
            path->events[kept++] = number;
    }
    path->count = kept;
    path->prune_at = 2 * kept + PRUNE_MIN;
}

bool oracle_explains(struct oracle *oracle, uint32_t number, const struct knowledge *know,
                     const struct context *before, const struct cell *cell, struct why why)
{
    struct judge judge = {.oracle = oracle,
                          .know = know,
                          .before = before,
                          .path = number,
                          .shard = oracle->paths[number].shard,
                          .why = why};
    struct oracle_path *path = &oracle->paths[number];
    oracle->stamp++;
    judge_fresh(&judge);
    for (size_t i = 0; i < cell->count; i++) {
        if (!judge_live(&judge, &cell->entries[i]))
            return false;
    }
    for (size_t i = 0; i < path->count; i++) {
        uint32_t event = path->events[i];
        if (oracle->events[event].stamp != oracle->stamp && judge_knows(&judge, event) &&
            !judge_absent(&judge, event))
            return false;
    }
    judge_passing(&judge);
    if (path->count > path->prune_at)
        path_prune(oracle, path);
    return true;
}

static bool is_known_elsewhere(const struct oracle *oracle, uint32_t shard, uint32_t event,
                               size_t than)
{
    bool known = false;
    for (size_t node = 0; node < NODES_MAX; node++) {
        const struct oracle_replica *replica = &oracle->shards[shard].replicas[node];
        struct knowledge know = {.context = &replica->known};
        known |= node != than && replica->present && oracle_covers(oracle, shard, &know, event);
    }
    return known;
}

void oracle_lose(struct oracle *oracle, uint32_t number, size_t node)
{
    uint32_t shard = oracle->paths[number].shard;
    for (uint32_t i = 0; i < oracle->events_count; i++) {
        struct oracle_event *event = &oracle->events[i];
        bool here = event->path == number ||
                    (event->path == ORACLE_NONE && oracle->openings[event->opening].shard == shard);
        if (here && !is_known_elsewhere(oracle, shard, i, node))
            event->lost = true;
        for (uint32_t at = event->gone; event->path == number && at != ORACLE_NONE;
             at = oracle->edges[at].next) {
            struct oracle_edge *edge = &oracle->edges[at]; /* both may be of another cell */
            if (edge->must == ORACLE_NONE || is_known_elsewhere(oracle, shard, edge->must, node))
                continue;
            edge->must = ORACLE_NONE;
            edge->lost = true;
        }
    }
}

/* For whoever looks into a failure. */
void oracle_dump(const struct oracle *oracle, uint32_t path)
{
    for (uint32_t i = 0; i < oracle->events_count; i++) {
        const struct oracle_event *event = &oracle->events[i];
        char name[64];
        if (event->path != path)
            continue;
        oracle_event_text(oracle, i, name, sizeof name);
        printf("    %s%s%s", name, event->adds ? "" : " adds nothing",
               oracle_is_valid(oracle, i) ? "" : " is lost");
        for (uint32_t at = event->gone; at != ORACLE_NONE; at = oracle->edges[at].next) {
            const struct oracle_edge *edge = &oracle->edges[at];
            oracle_event_text(oracle, edge->may, name, sizeof name);
            printf(", removed %s %s", edge->must == ORACLE_NONE ? "perhaps by" : "by", name);
            if (edge->must == ORACLE_NONE || edge->must == edge->may)
                continue;
            oracle_event_text(oracle, edge->must, name, sizeof name);
            printf("..%s", name);
        }
        printf("\n");
    }
}

void oracle_doubt(struct oracle *oracle, size_t node)
{
    for (uint32_t i = 0; i < oracle->events_count; i++) {
        const struct oracle_opening *opening = &oracle->openings[oracle->events[i].opening];
        const struct oracle_replica *replica = &oracle->shards[opening->shard].replicas[node];
        struct knowledge know = {.context = &replica->known};
        /* Not present: it is the copy of a directory, and its log tells of that one's events. */
        oracle->events[i].forgotten |= opening->node == node || !replica->present ||
                                       oracle_covers(oracle, opening->shard, &know, i);
    }
}
