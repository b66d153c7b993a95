/* Sessions read their own writes and never go back: a node that says to cover the token of a
 * session has what the session wrote and what it has read, whichever node it did that at. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/read.h"
#include "sim/check.h"
#include "sim/judge.h"
#include "sim/load.h"

void session_begin(struct session *session, uint32_t id)
{
    *session = (struct session){.id = id};
    token_init(&session->token);
}

void session_end(struct session *session)
{
    token_done(&session->token);
}

void session_touches(struct session *session, size_t cell)
{
    session->cells[session->cells_next++ % SESSION_CELLS] = cell;
}

/* ---- a look ---- */

/* One read of one place by one session. */
struct look {
    struct load *load;
    struct session *session;
    struct sim_replicas replicas;
    struct judge judge;
    struct sight known;
    size_t node, cell;
    const struct record *first; /* of the cell */
    char why[300];
};

static bool is_below(const struct record *record, const struct record *place)
{
    size_t size = strlen(place->key);
    return record->kind != RECORD_REMOVE && !strcmp(record->bucket, place->bucket) &&
           !strncmp(record->key, place->key, size) &&
           (record->key[size] == 0 || record->key[size] == '/');
}

/* Of what was removed with all below it: one of those. */
static size_t cell_below(const struct history *history, const struct record *place, struct rng *rng)
{
    size_t start = (size_t)rng_below(rng, history->cells_count);
    for (size_t i = 0; i < history->cells_count; i++) {
        size_t cell = (start + i) % history->cells_count;
        if (is_below(&history->records[history->cells[cell].first - 1], place))
            return cell;
    }
    return SIZE_MAX;
}

/* One that the session has to do with, or any. False: there is none. */
static bool cell_draw(struct look *look, struct rng *rng)
{
    const struct history *history = &look->load->history;
    const struct session *session = look->session;
    size_t cells =
        session->cells_next < SESSION_CELLS ? (size_t)session->cells_next : SESSION_CELLS;
    bool own = rng_chance(rng, 80);
    if (history->cells_count == 0)
        return false;
    look->cell = own && cells > 0 ? session->cells[rng_below(rng, cells)]
                                  : (size_t)rng_below(rng, history->cells_count);
    if (history->cells[look->cell].kind == RECORD_REMOVE)
        look->cell =
            cell_below(history, &history->records[history->cells[look->cell].first - 1], rng);
    if (look->cell == SIZE_MAX)
        return false;
    look->first = &history->records[history->cells[look->cell].first - 1];
    return true;
}

/* As the door does it: what is on disk covers the token, or the read has to wait. */
static bool is_covered(const struct look *look)
{
    uint64_t shard = bucket_id(look->first->bucket);
    const struct context *after = token_find(&look->session->token, shard);
    return !after || read_covered(look->load->world->nodes[look->node].disk, shard, after) == 0;
}

/* Is what is read of the session from now on? Only when it is durable (else the door would sync),
 * and when its names stay (load.c). */
static bool look_can_join(const struct look *look)
{
    const struct sim_node *node = &look->load->world->nodes[look->node];
    const struct shard *shard = sim_shard(look->load->world, look->node, look->first->bucket);
    return !atomic_load(&node->wheel.unsynced) && (!shard || shard_released(shard));
}

static void look_join(struct look *look)
{
    struct sim_node *node = &look->load->world->nodes[look->node];
    struct read read = {.bucket = look->first->bucket, .want_token = true};
    struct buffer cell;
    place_path(look->first->key, place_type(look->first), &look->replicas.path);
    if (look->first->member[0])
        must(path_element(&look->replicas.path, slice_text(look->first->member)) == 0);
    read.path = buffer_slice(&look->replicas.path);
    buffer_init(&cell, CELL_SIZE_MAX);
    token_init(&read.token);
    if (read_cell(node->disk, &read, &cell) == 0) {
        for (size_t i = 0; i < read.token.count; i++)
            must(token_join(&look->session->token, read.token.parts[i].shard,
                            &read.token.parts[i].context) == 0);
    }
    token_done(&read.token);
    buffer_done(&cell);
}

/* ---- never back ---- */

/* Does everything only ever add to it? */
static bool only_grows(struct look *look)
{
    const struct history *history = &look->load->history;
    const struct history_cell *cell = &history->cells[look->cell];
    if (cell->kind != RECORD_COUNTER_ADD && cell->kind != RECORD_SET_ADD &&
        cell->kind != RECORD_FLAG_ON)
        return false;
    if (judge_is_removed(&look->judge, look->cell))
        return false;
    for (uint32_t i = cell->first; i; i = history->records[i - 1].next) {
        if (history->records[i - 1].number < 0)
            return false;
    }
    return true;
}

static int64_t value_of(struct look *look)
{
    struct replicas *replicas = &look->replicas.replicas;
    const struct record *first = look->first;
    int64_t value = 0;
    switch (look->load->history.cells[look->cell].kind) {
    case RECORD_COUNTER_ADD:
        return replicas->count(replicas, look->node, first->bucket, first->key, &value) ? 0 : value;
    case RECORD_SET_ADD:
    case RECORD_SET_REMOVE:
        return replicas->has(replicas, look->node, first->bucket, first->key, first->member);
    case RECORD_FLAG_ON:
    case RECORD_FLAG_OFF:
        return replicas->flag(replicas, look->node, first->bucket, first->key);
    case RECORD_LWW_SET:
    case RECORD_REGISTER_SET:
    case RECORD_REMOVE:
    case RECORD_OTHER:
    case RECORD_KINDS:
        break;
    }
    return 0;
}

/* Only what the token has come to name is remembered. */
static bool goes_back(struct look *look, bool joined)
{
    struct session *session = look->session;
    size_t count =
        session->memory_next < SESSION_MEMORY ? (size_t)session->memory_next : SESSION_MEMORY;
    if (!only_grows(look))
        return false;
    int64_t value = value_of(look);
    for (size_t i = 0; i < count; i++) {
        const struct memory *memory = &session->memory[i];
        if (memory->cell != look->cell || memory->value <= value)
            continue;
        snprintf(look->why, sizeof look->why, "%s/%s%s%s was %" PRId64 ", and is %" PRId64 " again",
                 look->first->bucket, look->first->key, look->first->member[0] ? " " : "",
                 look->first->member, memory->value, value);
        return true;
    }
    if (joined)
        session->memory[session->memory_next++ % SESSION_MEMORY] =
            (struct memory){look->cell, value};
    return false;
}

/* ---- a read ---- */

static void session_buries(void *arg, size_t number)
{
    struct session *session = arg;
    for (size_t i = 0; i < SESSION_DEAD && i < session->dead_next; i++) {
        if (session->dead[i] == number)
            return;
    }
    session->dead[session->dead_next++ % SESSION_DEAD] = number;
}

static bool look_holds(struct look *look, bool joined)
{
    const struct context *after = token_find(&look->session->token, bucket_id(look->first->bucket));
    bool holds;
    judge_init(&look->judge, &look->load->history, &look->replicas.replicas, look->node, look->why,
               sizeof look->why);
    sight_init(&look->known);
    if (after)
        sights_until(&look->load->sights, look->first->bucket, after, NULL, &look->known);
    look->judge.known = &look->known;
    look->judge.session = look->session->id;
    holds = judge_kept(&look->judge, look->cell);
    look->judge.dead = look->session->dead;
    look->judge.dead_count =
        look->session->dead_next < SESSION_DEAD ? (size_t)look->session->dead_next : SESSION_DEAD;
    holds = holds && judge_gone(&look->judge, look->cell) && !goes_back(look, joined);
    if (holds && joined)
        judge_find_gone(&look->judge, look->cell, session_buries, look->session);
    judge_done(&look->judge);
    return holds;
}

void session_read(struct load *load, struct rng *rng)
{
    struct world *world = load->world;
    struct look look = {.load = load};
    size_t session = (size_t)rng_below(rng, SESSIONS);
    look.session = &load->sessions[session];
    look.node = (size_t)rng_below(rng, world->nodes_count);
    if (!cell_draw(&look, rng) || !world->nodes[look.node].up ||
        sim_is_unsure(&world->nodes[look.node]) ||
        place_is_lost(world, look.first->bucket, look.first->key, look.first->member,
                      look.first->kind))
        return;
    load->reads++;
    bool covered = is_covered(&look);
    load->reads_covered += covered;
    char line[200];
    snprintf(line, sizeof line, "%s %s%s%s read by session %zu%s", look.first->bucket,
             look.first->key, look.first->member[0] ? " " : "", look.first->member, session,
             covered ? "" : ": not yet");
    world_line(world, world->nodes[look.node].name, line);
    if (!covered)
        return;
    sim_replicas_init(&look.replicas, world);
    session_touches(look.session, look.cell);
    bool joined = look_can_join(&look);
    if (joined)
        look_join(&look);
    if (!look_holds(&look, joined))
        world_fail(world, "sessions: session %zu at %s: %s", session, world->nodes[look.node].name,
                   look.why);
    sim_replicas_done(&look.replicas);
}

static void replaced(struct world *world, void *state, size_t node)
{
    (void)state;
    if (world->load)
        load_replaced(world->load, node);
}

/* What nobody who waits for it will ever get. */
static struct context_entry lacks(const struct context *asked, const struct shard *shard)
{
    for (size_t i = 0; i < asked->count; i++) {
        if (!shard || context_get(&shard->context, asked->entries[i].id) < asked->entries[i].n)
            return asked->entries[i];
    }
    return (struct context_entry){0};
}

/* Nobody waits for ever: at rest all nodes have what any session has seen. Only what was lost with
 * a directory may still be named, by a session or by a residue that it read. */
static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    (void)state;
    for (size_t i = 0; world->load && !world->amnesia && i < SESSIONS; i++) {
        const struct token *token = &world->load->sessions[i].token;
        for (size_t j = 0; j < token->count * world->nodes_count; j++) {
            const struct token_part *part = &token->parts[j / world->nodes_count];
            struct sim_node *node = &world->nodes[j % world->nodes_count];
            const struct shard *shard = store_find(&node->wheel.engine.store, part->shard);
            if (read_covered(node->disk, part->shard, &part->context) == 0)
                continue;
            struct context_entry lacked = lacks(&part->context, shard);
            snprintf(ret_why, size, "session %zu waits for ever for %04x:%" PRIu64 " of %s at %s",
                     i, (unsigned)(lacked.id >> 48), lacked.n, shard ? shard->name : "?",
                     node->name);
            return false;
        }
    }
    return true;
}

static const char promise[] = "sessions read their own writes, never go back, and get on";

const struct checker check_sessions = {
    .name = "sessions", .promise = promise, .replaced = replaced, .holds = holds};
