#include "sim/quorums.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "engine/cover.h"
#include "engine/read.h"
#include "engine/survey.h"
#include "sim/hand.h"
#include "sim/load.h"
#include "sim/ring.h"
#include "store/keys.h"
#include "store/slot.h"

enum { PATH_ROOM = 64, TIMEOUT_MS = 3000 };

struct quorum_write {
    struct event event; /* first */
    struct write write;
    struct write_op op;
    struct pledge *pledge;
    uint64_t serial;
    struct quorums *quorums;
    uint8_t path[PATH_ROOM];
};

struct quorum_read {
    struct event event; /* first */
    struct survey survey;
    char shard[NEAP_BUCKET_MAX + 1];
    uint64_t epoch, began, until_ms;
};

/* One that is handed on: of one element. */
struct quorum_look {
    struct read read;
    struct quorums *quorums;
    struct buffer cell;
    uint64_t serial, began;
    uint8_t path[PATH_ROOM];
};

static const char *bucket_of(const struct quorums *quorums)
{
    return quorums->ring ? QUORUM_RING_BUCKET : QUORUM_BUCKET;
}

void quorums_init(struct quorums *quorums, struct world *world)
{
    /* Not with a device that lies: of those worlds nobody may write the system's bucket. */
    bool drawn = world->options.seed % 8 == 6 && world->nodes_count >= SIM_RING_N;
    *quorums = (struct quorums){
        .world = world, .ring = (world->options.ring || drawn) && !world->options.device};
}

void quorums_free(struct quorums *quorums)
{
    for (size_t i = 0; i < PLEDGES; i++)
        token_done(&quorums->pledges[i].awaited);
    for (size_t i = 0; i < INQUIRIES; i++)
        context_done(&quorums->inquiries[i].seen);
}

unsigned quorums_members(const struct world *world)
{
    return (unsigned)world->nodes_count - world->options.device;
}

bool quorums_spoilt(const struct world *world)
{
    struct key prefix;
    bool spoilt = world->garbles;
    key_cell(&prefix, bucket_id(QUORUM_BUCKET), bucket_id(QUORUM_BUCKET), slice_of(NULL, 0));
    if (world->load && world->load->quorums.ring) {
        prefix.size = 0;
        /* Owners are known by their ids: what one of two with one id has, the other may lack. */
        spoilt |= world->load->quorums.doubled;
    }
    for (size_t i = 0; i < world->nodes_count; i++)
        spoilt |= disk_find_lost(&world->nodes[i].door, key_slice(&prefix)) != NULL ||
                  sim_has_holes(&world->nodes[i]);
    return spoilt;
}

static void element_path(uint64_t serial, struct buffer *ret_path)
{
    char name[24];
    buffer_clear(ret_path);
    snprintf(name, sizeof name, "q%llu", (unsigned long long)serial);
    char key[] = "seats0";
    key[5] = (char)('0' + serial % 4);
    must(path_level(ret_path, slice_text(key), NEAP_SET) == 0);
    must(path_element(ret_path, slice_text(name)) == 0);
}

int pledge_is_at(const struct world *world, size_t node, const struct pledge *pledge)
{
    uint8_t place[PATH_ROOM];
    struct buffer path = {place, 0, PATH_ROOM, PATH_ROOM}, bytes;
    const struct view view = {.disk = world->nodes[node].disk};
    uint64_t bucket = bucket_id(bucket_of(&world->load->quorums));
    struct cell cell;
    element_path(pledge->serial, &path);
    buffer_init(&bytes, STORED_SIZE_MAX);
    cell_init(&cell);
    int code = cell_read(&view, pledge->shard, bucket, buffer_slice(&path), &bytes, &cell);
    int is_at = code ? -1 : cell.count > 0;
    cell_done(&cell);
    buffer_done(&bytes);
    return is_at;
}

/* Of a ring one node that has it is enough: that all have the same is another promise. */
int pledge_is_kept(const struct quorums *quorums, const struct pledge *pledge)
{
    const struct world *world = quorums->world;
    int kept = quorums->ring ? 0 : pledge_is_at(world, 0, pledge);
    for (size_t i = 0; quorums->ring && i < world->nodes_count && kept <= 0; i++) {
        int is_at = pledge_is_at(world, i, pledge);
        kept = is_at ? is_at : kept;
    }
    return kept;
}

/* ---- writes ---- */

/* Of a ring: as many as own a slot. */
static unsigned members_of(const struct quorums *quorums)
{
    return quorums->ring ? SIM_RING_N : quorums_members(quorums->world);
}

static bool level_is_of_zones(enum neap_level level)
{
    return level == NEAP_LOCAL_QUORUM || level == NEAP_EACH_QUORUM;
}

/* Where the element goes, as that node knows. False: it does not know the ring. */
static bool place_of(const struct quorums *quorums, size_t node, uint64_t serial,
                     struct placed *ret_placed)
{
    uint8_t place[PATH_ROOM];
    struct buffer path = {place, 0, PATH_ROOM, PATH_ROOM};
    element_path(serial, &path);
    return !place_find(sim_rings(quorums->world, node), bucket_of(quorums), buffer_slice(&path),
                       ret_placed);
}

static bool is_mine(const struct quorums *quorums, size_t node, enum group_use use,
                    const struct placed *placed)
{
    return !quorums->ring || place_is_mine(placed, use, sim_id(quorums->world, node));
}

static enum neap_level level_draw_plain(struct rng *rng)
{
    static const enum neap_level levels[] = {NEAP_ONE,    NEAP_QUORUM, NEAP_QUORUM,
                                             NEAP_QUORUM, NEAP_QUORUM, NEAP_ALL};
    return levels[rng_below(rng, sizeof levels / sizeof *levels)];
}

/* On a ring a majority: what fewer have is not promised to those who come. */
static enum neap_level number_draw(const struct quorums *quorums, struct rng *rng)
{
    unsigned members = members_of(quorums), least = quorums->ring ? members / 2 + 1 : 1;
    return level_of_nodes(least + (unsigned)rng_below(rng, members - least + 1));
}

static enum neap_level level_draw(const struct quorums *quorums, struct rng *rng)
{
    if (rng_chance(rng, 25))
        return number_draw(quorums, rng);
    if (quorums->ring && rng_chance(rng, 25))
        return rng_chance(rng, 70) ? NEAP_EACH_QUORUM : NEAP_LOCAL_QUORUM;
    return level_draw_plain(rng);
}

static void pledge_acked(struct quorums *quorums, struct pledge *pledge);

static void hand_pledged(void *arg, size_t node, int code, bool lost)
{
    struct quorum_write *write = arg;
    struct quorums *quorums = write->quorums;
    struct pledge *pledge = write->pledge;
    (void)node;
    quorums->pending--;
    if (!lost && !code) {
        pledge_acked(quorums, pledge);
    } else if (!lost && (code == NEAP_UNAVAILABLE || code == NEAP_BUSY)) {
        pledge->state = PLEDGE_REFUSED;
        quorums->refused++;
    } else {
        pledge->state = PLEDGE_OPEN;
        quorums->uncertain++;
    }
    token_done(&write->write.token);
    token_done(&write->write.awaited);
    mem_free(write);
}

static void pledge_call(struct quorums *quorums, size_t node, struct rng *rng)
{
    struct world *world = quorums->world;
    struct placed placed;
    struct pledge *pledge = &quorums->pledges[(quorums->serial + 1) % PLEDGES];
    if (pledge->state == PLEDGE_ASKED || pledge->state == PLEDGE_WAITS ||
        !place_of(quorums, node, quorums->serial + 1, &placed))
        return;
    struct quorum_write *write = mem_new(sizeof *write);
    must(write);
    token_done(&pledge->awaited);
    *pledge = (struct pledge){.serial = ++quorums->serial,
                              .state = PLEDGE_ASKED,
                              .shard = bucket_id(placed.shard),
                              .level = level_draw(quorums, rng),
                              .node = node,
                              .epoch = world->nodes[node].epoch,
                              .until_ms = world->now_ms + TIMEOUT_MS};
    struct buffer path = {write->path, 0, PATH_ROOM, PATH_ROOM};
    element_path(pledge->serial, &path);
    write->pledge = pledge;
    write->op = (struct write_op){
        .bucket = bucket_of(quorums), .path = buffer_slice(&path), .op = {.kind = OP_SET_ADD}};
    write->quorums = quorums;
    write->write = (struct write){
        .ops = &write->op, .count = 1, .level = pledge->level, .timeout_ms = TIMEOUT_MS};
    token_init(&write->write.token);
    write->event = (struct event){.kind = EVENT_WRITE, .write = &write->write, .waiter = quorums};
    quorums->pending++;
    world_note(world, "%s: quorum add q%llu at level %d", world->nodes[node].name,
               (unsigned long long)pledge->serial, (int)pledge->level);
    if (is_mine(quorums, node, GROUPS_WRITE, &placed))
        sim_post(world, node, &write->event);
    else
        hand_write(world, node, &write->write, hand_pledged, write);
}

/* What a level promises, whatever nodes take for their number. */
static unsigned need_of(const struct quorums *quorums, enum neap_level level)
{
    unsigned need = 0;
    if (level > NEAP_EACH_QUORUM)
        return (unsigned)level - LEVEL_NODES;
    if (level_is_of_zones(level))
        return level == NEAP_EACH_QUORUM ? 2 : 1;
    must(!quorum_need(level, members_of(quorums), &need, NULL));
    return need ? need : 1;
}

/* Said to the caller: so many nodes have it, on their disks. Is it so? */
static void pledge_acked(struct quorums *quorums, struct pledge *pledge)
{
    struct world *world = quorums->world;
    unsigned have = 0, unknown = 0;
    pledge->state = PLEDGE_ACKED;
    pledge->acked = ++quorums->moment;
    pledge->need = need_of(quorums, pledge->level);
    quorums->acked++;
    for (size_t i = 0; i < world->nodes_count; i++) {
        bool votes = i < quorums_members(world) || i == pledge->node || quorums->ring;
        int is_at = votes ? pledge_is_at(world, i, pledge) : 0;
        have += is_at > 0;
        unknown += is_at < 0 || (votes && pledge->destroyed >> i & 1);
        unknown += quorums->ring && is_at <= 0 && !world->nodes[i].up;
    }
    world_note(world, "%s: q%llu is acknowledged, %u have it", world->nodes[pledge->node].name,
               (unsigned long long)pledge->serial, have);
    if (have + unknown < pledge->need && !quorums_spoilt(world))
        world_fail(world, "quorums: q%llu was acknowledged at level %d, and %u of %u have it",
                   (unsigned long long)pledge->serial, (int)pledge->level, have,
                   quorums_members(world));
}

static void pledge_look(struct quorums *quorums, struct pledge *pledge)
{
    struct world *world = quorums->world;
    struct sim_node *node = &world->nodes[pledge->node];
    struct cover_look look;
    if (pledge->state != PLEDGE_WAITS)
        return;
    if (!node->up || node->epoch != pledge->epoch || node->wheel.stopped) {
        pledge->state = PLEDGE_OPEN;
        quorums->uncertain++;
        return;
    }
    must(!cover_look_begin(&node->wheel.engine, pledge->level, &look));
    cover_look_at(&node->wheel.engine, pledge->level, pledge->awaited.parts, pledge->awaited.count,
                  &look);
    if (cover_is_there(&look) && !node->wheel.engine.unsynced_since) {
        pledge_acked(quorums, pledge);
        return;
    }
    look.quorum.late = world->now_ms >= pledge->until_ms;
    if (quorum_verdict(&look.quorum) == QUORUM_UNCERTAIN) {
        pledge->state = PLEDGE_OPEN;
        quorums->uncertain++;
    }
}

static void write_ended(struct quorums *quorums, size_t node, struct quorum_write *write, bool lost)
{
    struct world *world = quorums->world;
    struct pledge *pledge = write->pledge;
    int code = write->event.code;
    bool unknown = lost || code == NEAP_IO || world->nodes[node].wheel.stopped;
    if (code && code != NEAP_UNAVAILABLE && !unknown && !sim_excuses(&world->nodes[node], code))
        world_fail(world, "%s: a write at level %d gives %s: %s", world->nodes[node].name,
                   (int)pledge->level, error_name(code), write->write.error.text);
    if (unknown) {
        pledge->state = PLEDGE_OPEN;
    } else if (code) {
        pledge->state = PLEDGE_REFUSED;
        quorums->refused++;
    } else {
        pledge->state = PLEDGE_WAITS;
        pledge->awaited = write->write.awaited;
        write->write.awaited = (struct token){0};
        pledge_look(quorums, pledge);
    }
    token_done(&write->write.token);
    token_done(&write->write.awaited);
    mem_free(write);
}

/* ---- reads ---- */

bool levels_meet(const struct quorums *quorums, enum neap_level write, enum neap_level read)
{
    /* What fewer than a quorum have may be missed after a move (docs/decisions/0094). */
    bool few = !level_is_of_zones(write) && need_of(quorums, write) <= members_of(quorums) / 2;
    if (few && quorums->layouts > 1)
        return false;
    if (level_is_of_zones(write) || level_is_of_zones(read))
        return write == NEAP_EACH_QUORUM && level_is_of_zones(read);
    return need_of(quorums, write) + need_of(quorums, read) > members_of(quorums);
}

static void look_ended(void *arg, size_t node, int code, bool lost)
{
    struct quorum_look *look = arg;
    struct quorums *quorums = look->quorums;
    struct world *world = quorums->world;
    const struct pledge *pledge = &quorums->pledges[look->serial % PLEDGES];
    struct cell cell;
    quorums->pending--;
    cell_init(&cell);
    if (lost || code || cell_decode(buffer_slice(&look->cell), &cell)) {
        quorums->unread++;
    } else {
        quorums->reads++;
        if (pledge->serial == look->serial && pledge->state == PLEDGE_ACKED &&
            pledge->acked <= look->began && !pledge->destroyed && cell.count == 0 &&
            levels_meet(quorums, pledge->level, look->read.level) && !quorums_spoilt(world))
            world_fail(world, "quorums: %s reads at level %d, and misses q%llu of level %d",
                       world->nodes[node].name, (int)look->read.level,
                       (unsigned long long)look->serial, (int)pledge->level);
    }
    cell_done(&cell);
    buffer_done(&look->cell);
    token_done(&look->read.token);
    mem_free(look);
}

static void look_call(struct quorums *quorums, size_t node, uint64_t serial, enum neap_level level)
{
    struct quorum_look *look = mem_new(sizeof *look);
    must(look);
    struct buffer path = {look->path, 0, PATH_ROOM, PATH_ROOM};
    element_path(serial, &path);
    buffer_init(&look->cell, CELL_SIZE_MAX);
    look->quorums = quorums;
    look->serial = serial;
    look->began = ++quorums->moment;
    look->read = (struct read){.bucket = bucket_of(quorums),
                               .path = buffer_slice(&path),
                               .level = level,
                               .timeout_ms = TIMEOUT_MS};
    token_init(&look->read.token);
    quorums->pending++;
    hand_read(quorums->world, node, &look->read, &look->cell, look_ended, look);
}

static void read_call(struct quorums *quorums, size_t index, struct rng *rng)
{
    struct world *world = quorums->world;
    struct sim_node *node = &world->nodes[index];
    enum neap_level level = rng_chance(rng, 85) ? NEAP_QUORUM : NEAP_ALL;
    struct placed placed;
    uint64_t serial = quorums->serial > 8 ? quorums->serial - rng_below(rng, 8) : 1;
    if (quorums->ring && rng_chance(rng, 25))
        level = rng_chance(rng, 70) ? NEAP_LOCAL_QUORUM : NEAP_EACH_QUORUM;
    else if (rng_chance(rng, 25))
        level = number_draw(quorums, rng);
    if (!place_of(quorums, index, serial, &placed))
        return;
    if (!is_mine(quorums, index, GROUPS_READ, &placed)) {
        look_call(quorums, index, serial, level);
        return;
    }
    struct quorum_read *read = mem_new(sizeof *read);
    must(read);
    snprintf(read->shard, sizeof read->shard, "%s", placed.shard);
    read->epoch = node->epoch;
    read->until_ms = world->now_ms + TIMEOUT_MS;
    read->began = ++quorums->moment;
    survey_init(&read->survey, read->shard, level, sim_now(node).mono_ms + TIMEOUT_MS);
    read->event = (struct event){.kind = EVENT_ASK, .ask = &read->survey.ask, .waiter = quorums};
    quorums->pending++;
    world_note(world, "%s: quorum read at level %d", node->name, (int)level);
    sim_post(world, index, &read->event);
}

/* A device has no voice: what it alone has acknowledged no quorum need meet. */
static bool pledge_is_private(const struct world *world, const struct pledge *pledge)
{
    return world->options.device && pledge->node + 1 == world->nodes_count &&
           pledge->level == NEAP_ONE;
}

/* It has what others had seen: so it has what they had acknowledged. */
static void inquiry_read(struct quorums *quorums, const struct inquiry *inquiry)
{
    struct world *world = quorums->world;
    quorums->reads++;
    for (size_t i = 0; i < PLEDGES && !quorums_spoilt(world); i++) {
        const struct pledge *pledge = &quorums->pledges[i];
        if (pledge->state != PLEDGE_ACKED || pledge->acked > inquiry->began || pledge->destroyed ||
            pledge->shard != inquiry->shard ||
            !levels_meet(quorums, pledge->level, inquiry->level) ||
            pledge_is_private(world, pledge) || pledge_is_at(world, inquiry->node, pledge) != 0)
            continue;
        world_fail(world, "quorums: %s reads at %u nodes, and misses q%llu, which %u had",
                   world->nodes[inquiry->node].name, inquiry->need,
                   (unsigned long long)pledge->serial, pledge->need);
    }
}

static void inquiry_look(struct quorums *quorums, struct inquiry *inquiry)
{
    struct world *world = quorums->world;
    struct sim_node *node = &world->nodes[inquiry->node];
    uint64_t shard = inquiry->shard;
    if (!inquiry->waits)
        return;
    bool over = !node->up || node->epoch != inquiry->epoch || world->now_ms >= inquiry->until_ms;
    if (!over && read_covered(node->disk, shard, &inquiry->seen) && !BROKEN("reads-behind"))
        return;
    inquiry->waits = false;
    if (over)
        quorums->unread++;
    else
        inquiry_read(quorums, inquiry);
    context_done(&inquiry->seen);
}

static void inquiry_begin(struct quorums *quorums, size_t node, const struct quorum_read *read,
                          unsigned need)
{
    for (size_t i = 0; i < INQUIRIES; i++) {
        struct inquiry *inquiry = &quorums->inquiries[i];
        if (inquiry->waits)
            continue;
        *inquiry = (struct inquiry){.waits = true,
                                    .node = node,
                                    .epoch = read->epoch,
                                    .until_ms = read->until_ms,
                                    .began = read->began,
                                    .level = read->survey.level,
                                    .shard = read->survey.ask.shard,
                                    .need = need};
        must(!survey_join(&read->survey, &inquiry->seen));
        inquiry_look(quorums, inquiry);
        return;
    }
    quorums->unread++;
}

static void read_ended(struct quorums *quorums, size_t node, struct quorum_read *read, bool lost)
{
    struct quorum quorum;
    if (!lost && !read->event.code && survey_verdict(&read->survey, &quorum) == QUORUM_DONE)
        inquiry_begin(quorums, node, read, need_of(quorums, read->survey.level));
    else
        quorums->unread++;
    survey_done(&read->survey);
    mem_free(read);
}

/* ---- both ---- */

void quorums_ended(struct quorums *quorums, size_t node, struct event *event, bool lost)
{
    quorums->pending--;
    if (event->kind == EVENT_WRITE)
        write_ended(quorums, node, (struct quorum_write *)event, lost);
    else
        read_ended(quorums, node, (struct quorum_read *)event, lost);
}

void quorums_replaced(struct quorums *quorums, size_t node)
{
    for (size_t i = 0; i < PLEDGES; i++)
        quorums->pledges[i].destroyed |= UINT32_C(1) << node;
}

static bool pledge_is_damaged(const struct quorums *quorums, const struct sim_node *node,
                              const struct pledge *pledge)
{
    uint8_t place[PATH_ROOM];
    struct buffer path = {place, 0, PATH_ROOM, PATH_ROOM};
    struct key key;
    element_path(pledge->serial, &path);
    key_cell(&key, pledge->shard, bucket_id(bucket_of(quorums)), buffer_slice(&path));
    return sim_in_hole(node, key_slice(&key));
}

void quorums_started(struct quorums *quorums, size_t node)
{
    const struct world *world = quorums->world;
    quorums->ids[node] = sim_id(world, node);
    for (size_t i = 0; i < world->nodes_count; i++)
        quorums->doubled |= i != node && quorums->ids[i] == quorums->ids[node];
    for (size_t i = 0; i < PLEDGES; i++) {
        if (pledge_is_damaged(quorums, &world->nodes[node], &quorums->pledges[i]))
            quorums->pledges[i].destroyed |= UINT32_C(1) << node;
    }
}

bool quorums_are_done(const struct quorums *quorums)
{
    return quorums->pending == 0;
}

/* Nodes join and leave the ring: four or more of those that have a voice. */
static void layout_call(struct quorums *quorums, size_t node, struct rng *rng)
{
    uint32_t all = (UINT32_C(1) << quorums_members(quorums->world)) - 1, members = all;
    /* It is made once: what two sides make is carried over, but reads may miss it until then. */
    if (quorums->layouts > 0 && !sim_rings(quorums->world, node)->count)
        return;
    if (quorums->layouts > 0 && rng_chance(rng, 60))
        members &= ~(UINT32_C(1) << rng_below(rng, quorums_members(quorums->world)));
    if (!sim_ring_next(quorums->world, node, members))
        return;
    quorums->layouts++;
    /* Slots come and go with it, as buckets do that are subscribed to. */
    for (size_t i = 0; i < quorums->world->nodes_count; i++)
        quorums->world->nodes[i].lets_go = true;
    world_note(quorums->world, "%s: a layout over nodes %x", quorums->world->nodes[node].name,
               (unsigned)members);
}

void quorums_call(struct quorums *quorums, uint64_t seed)
{
    struct world *world = quorums->world;
    struct rng rng;
    for (size_t i = 0; i < PLEDGES; i++)
        pledge_look(quorums, &quorums->pledges[i]);
    for (size_t i = 0; i < INQUIRIES; i++)
        inquiry_look(quorums, &quorums->inquiries[i]);
    rng_init(&rng, seed ^ UINT64_C(0x71756f72756d));
    if ((world->options.seed % 4 != 2 && !quorums->ring) || rng_chance(&rng, 40))
        return;
    size_t node = (size_t)rng_below(&rng, world->nodes_count);
    if (!world->nodes[node].up || sim_is_unsure(&world->nodes[node]))
        return;
    quorums->asked++;
    if (quorums->ring && (quorums->layouts == 0 || rng_chance(&rng, 3)))
        layout_call(quorums, node, &rng);
    if (rng_chance(&rng, 60))
        pledge_call(quorums, node, &rng);
    else
        read_call(quorums, node, &rng);
}
