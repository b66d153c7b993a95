/* How what one replica has comes to another: the ways in which nodes do it. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/replay/replay.h"

enum { BYTES_MAX = 4 << 20, PAGE_SIZE = 400 };

const char *const way_names[WAYS] = {"state", "push", "rocks", "compare"};

/* ---- events from the log ---- */

static void pull(struct play *play, struct replica *from, struct replica *to)
{
    struct view view = replica_view(from);
    struct buffer bytes;
    enum taken taken = TAKEN;
    int error = 0;

    buffer_init(&bytes, BYTES_MAX);
    while (!error && taken == TAKEN && !play->is_over) {
        error = shard_chunk(from->shard, &view, &to->shard->context, 0, PAGE_SIZE, &bytes);
        if (!error)
            error = shard_take(to->shard, to->batch, buffer_slice(&bytes), CHUNK_PULL, &taken);
        if (!error)
            replica_commit(play, to);
    }
    buffer_done(&bytes);
    (void)hold(play, play->is_over || error == NEAP_END, "a pull ended with %s, taken %d",
               error_name(error), (int)taken);
}

/* ---- cells ---- */

/* Pages to the last one; false: it failed. */
static bool pages_take(struct play *play, struct replica *from, struct replica *to)
{
    struct compare_session *session = &to->shard->session;
    struct view view = replica_view(from);
    struct buffer page;

    buffer_init(&page, BYTES_MAX);
    while (!play->is_over && session->phase == COMPARE_CELLS) {
        if (play_ok(play,
                    shard_compare_page(from->shard, &view, buffer_slice(&session->cursor),
                                       PAGE_SIZE, &page),
                    "page") &&
            play_ok(play, shard_compare_take(to->shard, to->batch, buffer_slice(&page)),
                    "a page was refused"))
            replica_commit(play, to);
    }
    buffer_done(&page);
    return !play->is_over;
}

/* Every cell of `from`, with what it knows of it; no context is claimed. */
static void pages(struct play *play, struct replica *from, struct replica *to)
{
    static const struct context nothing;

    if (play_ok(play, shard_compare_begin(to->shard, 1, &nothing), "compare"))
        pages_take(play, from, to);
    shard_compare_stop(to->shard);
}

void play_take_cells(struct play *play, struct replica *to, const struct delta_cell *cells,
                     size_t count)
{
    static const struct context nothing;
    struct chunk chunk = {.kind = CHUNK_PAGE, .shard = play->shard, .to_end = true};
    struct buffer page;
    int error;

    chunk.cells = mem_new_array(1, sizeof *chunk.cells);
    chunk.residues = mem_new_array(1, sizeof *chunk.residues);
    chunk.cells_count = chunk.residues_count = 1;
    buffer_init(&page, BYTES_MAX);
    for (size_t i = 0; i < count && !play->is_over; i++) {
        chunk.cells[0] = (struct chunk_cell){
            .bucket = play->shard,
            .path = buffer_slice(&cells[i].path),
            .bytes = buffer_slice(&cells[i].bytes),
        };
        play_ok(play, context_copy(&chunk.residues[0], &cells[i].known), "context");
        buffer_clear(&page);
        error = chunk_encode(&chunk, &page);
        if (!error)
            error = shard_compare_begin(to->shard, 1, &nothing);
        if (!error)
            error = shard_compare_take(to->shard, to->batch, buffer_slice(&page));
        shard_compare_stop(to->shard);
        play_ok(play, error, "a cell was refused");
    }
    chunk_done(&chunk);
    buffer_done(&page);
}

/* A compare to its end, by which `to` gets the context. */
static void compare(struct play *play, struct replica *from, struct replica *to)
{
    struct shard *shard = to->shard;

    if (play_ok(play, shard_compare_begin(shard, 1, &from->shard->context), "compare") &&
        pages_take(play, from, to) &&
        hold(play, shard->session.phase == COMPARE_DONE,
             "a compare was not done though nothing changed") &&
        play_ok(play, shard_compare_end(shard, to->batch, &from->shard->horizon),
                "end of a compare"))
        replica_commit(play, to);
}

/* ---- pushes ---- */

static void has_set(struct replica *replica, size_t push)
{
    while (replica->has_room <= push) {
        size_t room = replica->has_room;

        replica->has = room_more(replica->has, room, &replica->has_room, 1);
        memset(replica->has + room, 0, replica->has_room - room);
    }
    replica->has[push] = 1;
}

static bool has(const struct replica *replica, size_t push)
{
    return push < replica->has_room && replica->has[push];
}

size_t push_add(struct play *play, struct buffer bytes)
{
    play->pushes =
        room_more(play->pushes, play->pushes_count, &play->pushes_room, sizeof *play->pushes);
    play->pushes[play->pushes_count] = (struct push){bytes};
    return play->pushes_count++;
}

static enum taken push_take(struct play *play, struct replica *to, size_t number)
{
    enum taken taken = TAKEN_NOTHING;

    if (!play_ok(play,
                 shard_take(to->shard, to->batch, buffer_slice(&play->pushes[number].bytes),
                            CHUNK_PUSH, &taken),
                 "a push was refused"))
        return TAKEN_NOTHING;
    replica_commit(play, to);
    if (taken != TAKEN_BEHIND)
        has_set(to, number);
    return taken;
}

void push_one(struct play *play, struct replica *to, size_t number)
{
    enum taken taken = push_take(play, to, number);

    (void)hold(play, taken == TAKEN || taken == TAKEN_NOTHING, "a push was behind");
}

void play_push(struct play *play, struct replica *replica, uint64_t since)
{
    struct shard *shard = replica->shard;
    struct view view = replica_view(replica);
    uint64_t counter = context_get(&shard->context, shard->replica);
    struct context before = {0};

    for (uint64_t n = since + 1; n <= counter && !play->is_over; n++) {
        struct buffer bytes;

        buffer_init(&bytes, BYTES_MAX);
        context_clear(&before);
        if (n > 1)
            play_ok(play, context_raise(&before, shard->replica, n - 1, shard->nonce), "context");
        play_ok(play, shard_chunk(shard, &view, &before, shard->replica, 1, &bytes), "push");
        has_set(replica, push_add(play, bytes));
    }
    context_done(&before);
}

/* What `from` has and `to` has not, and some of what it has, in random order. */
static size_t pushes_pick(struct play *play, const struct replica *from, const struct replica *to,
                          size_t **ret_picked)
{
    size_t *picked = mem_new_array(play->pushes_count + 1, sizeof *picked);
    size_t count = 0;

    for (size_t i = 0; i < play->pushes_count; i++) {
        if (!has(from, i) || (has(to, i) && rng_below(&play->rng, 4) > 0))
            continue;
        size_t at = (size_t)rng_below(&play->rng, ++count);

        picked[count - 1] = picked[at];
        picked[at] = i;
    }
    *ret_picked = picked;
    return count;
}

/* One pass over those that are left; some come again in the next one. */
static size_t push_round(struct play *play, struct replica *to, size_t *picked, size_t count,
                         unsigned again)
{
    size_t left = 0;

    for (size_t i = 0; i < count && !play->is_over; i++) {
        if (picked[i] == SIZE_MAX)
            continue;
        if (push_take(play, to, picked[i]) == TAKEN_BEHIND || rng_chance(&play->rng, again))
            left++;
        else
            picked[i] = SIZE_MAX;
    }
    return left;
}

static void push_all(struct play *play, struct replica *from, struct replica *to)
{
    size_t *picked, count = pushes_pick(play, from, to, &picked), left = count;

    for (size_t round = 0; left > 0 && round <= count + 2; round++)
        left = push_round(play, to, picked, count, round < 2 ? 12 : 0);
    mem_free(picked);
    (void)hold(play, play->is_over || left == 0, "pushes stay behind");
    (void)hold(play, play->is_over || context_covers(&to->shard->context, &from->shard->context),
               "pushes of all events left the context behind");
}

/* ---- merges ---- */

static void log_cut_all(struct play *play, struct replica *replica)
{
    if (play_ok(play, shard_truncate(replica->shard, replica->batch, &replica->shard->context),
                "truncate"))
        replica_commit(play, replica);
}

void play_merge(struct play *play, struct replica *from, struct replica *to)
{
    if (from == to || !replica_open(play, from) || !replica_open(play, to))
        return;
    switch (play->way) {
    case WAY_STATE:
        pages(play, from, to);
        pull(play, from, to);
        return;
    case WAY_PUSH:
        push_all(play, from, to);
        break;
    case WAY_ROCKS:
        pull(play, from, to);
        break;
    case WAY_COMPARE:
        log_cut_all(play, from);
        compare(play, from, to);
        return;
    case WAYS:
        break;
    }
    /* What its cells know beyond its context comes with no event. */
    if (from->shard->residues_count > 0 && !play->is_over)
        pages(play, from, to);
}

struct replica *play_copy(struct play *play, struct replica *from)
{
    struct replica *copy = replica_new(play, REPLICAS_MAX, NULL, NULL);

    if (!copy || !replica_open(play, from))
        return copy;
    if (play->way == WAY_COMPARE) {
        play_merge(play, from, copy);
        return copy;
    }
    pull(play, from, copy);
    if (from->shard->residues_count > 0 && !play->is_over)
        pages(play, from, copy);
    for (size_t i = 0; i < play->pushes_count; i++) {
        if (has(from, i))
            has_set(copy, i);
    }
    return copy;
}
