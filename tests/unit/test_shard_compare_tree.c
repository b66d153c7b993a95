/* A compare of the cells of some leaves between two replicas on memory disks. */
#include "store/shard_compare_tree.h"

#include <stdio.h>

#include "base/error.h"
#include "store/chunk.h"
#include "store/slot.h"
#include "tests/unit/shard_cases.h"

static const struct hash_key hash = {{5, 6}};
static const struct merkle_salt salt = {.key = {{9}}, .width = COMPARE_WIDTH};

/* All of the shard: the root alone. */
static struct repair_nodes root(void)
{
    static const uint32_t index[] = {0};

    return (struct repair_nodes){.salt = salt, .nodes = {.bits = 0, .index = index, .count = 1}};
}

static int open_with_tree(struct place *place, uint64_t replica)
{
    int error = place_open(place, replica);

    return error ? error : shard_tree_open(place->shard, &hash, 8);
}

/* One question, its answer, and what becomes of it. ret_page is replaced. */
static int part(struct place *to, struct place *from, const struct repair_nodes *nodes,
                size_t size_max, struct compare_mine *mine, struct buffer *ret_page)
{
    static bool met[MERKLE_LIST_MAX];
    static uint32_t lacking[MERKLE_LIST_MAX];
    struct view view = batch_view(to->batch), other = batch_view(from->batch);
    size_t count = 0;
    int error = compare_mine_list(to->shard, &view, nodes, mine);
    struct compare_asked asked = {.nodes = *nodes,
                                  .from = buffer_slice(&mine->from),
                                  .to = buffer_slice(&mine->to),
                                  .sums = mine->sums,
                                  .count = mine->count};

    if (!error)
        error = shard_compare_part(from->shard, &other, &asked, size_max, met, ret_page);
    for (size_t i = 0; !error && i < asked.count; i++) {
        if (!met[i])
            lacking[count++] = (uint32_t)i;
    }
    return error ? error
                 : shard_compare_part_take(to->shard, to->batch, buffer_slice(ret_page), mine,
                                           lacking, count);
}

/* The end: what changed since the start, and the context. */
static int finish(struct place *to, struct place *from)
{
    struct compare_session *session = &to->shard->session;
    struct buffer chunk;
    enum taken taken;
    int error = 0;

    buffer_init(&chunk, WIRE_MAX);
    while (!error && session->phase == COMPARE_CHANGED) {
        error = place_chunk(from, &session->seen, 0, WIRE_MAX, &chunk);
        if (!error)
            error = shard_take(to->shard, to->batch, buffer_slice(&chunk), CHUNK_CHANGED, &taken);
    }
    buffer_done(&chunk);
    if (!error)
        error = shard_compare_end(to->shard, to->batch, &from->shard->horizon);
    return error ? error : place_commit(to);
}

static int compare(struct place *to, struct place *from, size_t size_max, size_t *ret_parts)
{
    const struct repair_nodes nodes = root();
    static struct compare_mine mine;
    struct buffer page;
    int error;

    compare_mine_init(&mine);
    buffer_init(&page, WIRE_MAX);
    *ret_parts = 0;
    error = shard_compare_begin(to->shard, 1, &from->shard->context);
    while (!error && to->shard->session.phase == COMPARE_CELLS) {
        error = part(to, from, &nodes, size_max, &mine, &page);
        ++*ret_parts;
    }
    if (!error)
        error = finish(to, from);
    shard_compare_stop(to->shard);
    compare_mine_done(&mine);
    buffer_done(&page);
    return error;
}

struct both {
    struct place a, b;
};

/* b has what a has not, and has removed what a still has; both share the rest. */
static int both_fill(struct both *both)
{
    char key[8];
    int error = 0;

    for (int i = 0; i < 20 && !error; i++) {
        snprintf(key, sizeof key, "k%02d", i);
        error = place_set(&both->b, key, "shared");
    }
    if (!error)
        error = place_pull(&both->a, &both->b, WIRE_MAX);
    for (int i = 0; i < 6 && !error; i++) {
        snprintf(key, sizeof key, "k%02d", 3 * i);
        error = i % 2 ? place_remove(&both->b, key) : place_set(&both->b, key, "changed");
    }
    error = error ? error : place_set(&both->b, "new", "there");
    error = error ? error : place_set(&both->a, "mine", "here");
    error = error ? error : place_commit(&both->b);
    return error ? error : place_commit(&both->a);
}

static int both_open(struct both *both)
{
    int error = open_with_tree(&both->a, 1);

    if (!error)
        error = open_with_tree(&both->b, 2);
    return error ? error : both_fill(both);
}

static void both_close(struct both *both)
{
    place_close(&both->a);
    place_close(&both->b);
}

static void both_check(struct both *both)
{
    CHECK_EQUAL(place_dots(&both->a, "k00", NEAP_REGISTER), 2);
    CHECK_EQUAL(place_dots(&both->a, "k03", NEAP_REGISTER), 0);
    CHECK_EQUAL(place_dots(&both->a, "k15", NEAP_REGISTER), 0);
    CHECK_EQUAL(place_dots(&both->a, "k16", NEAP_REGISTER), 1);
    CHECK_EQUAL(place_dots(&both->a, "new", NEAP_REGISTER), 1);
    CHECK_EQUAL(place_dots(&both->a, "mine", NEAP_REGISTER), 1);
    CHECK(context_covers(&both->a.shard->context, &both->b.shard->context));
    CHECK_EQUAL(both->a.shard->residues_count, 0);
    /* And back: now nothing but what a has made is between them. */
    CHECK_OK(place_pull(&both->b, &both->a, WIRE_MAX));
    CHECK(digest_equal(merkle_root(both->a.shard->tree), merkle_root(both->b.shard->tree)));
}

static int compare_with_less_memory(void *arg)
{
    struct both both = {0};
    size_t parts;
    int error = both_open(&both);

    (void)arg;
    if (!error)
        error = compare(&both.a, &both.b, 60, &parts);
    both_close(&both);
    return error;
}

TEST(cells_that_differ_come_and_removed_ones_go)
{
    struct both both = {0};
    size_t parts;

    CHECK_OK(both_open(&both));
    CHECK_OK(compare(&both.a, &both.b, WIRE_MAX, &parts));
    CHECK_EQUAL(parts, 1);
    both_check(&both);
    both_close(&both);
}

TEST(parts_may_be_small)
{
    struct both both = {0};
    size_t parts;

    CHECK_OK(both_open(&both));
    CHECK_OK(compare(&both.a, &both.b, 1, &parts));
    CHECK(parts >= 4);
    both_check(&both);
    both_close(&both);
}

TEST(a_compare_of_leaves_holds_with_failing_allocations)
{
    test_alloc_sweep(compare_with_less_memory, NULL);
}

/* What looks equal may be unsettled at the peer: that b knows of a removal by a residue alone, a
 * must learn with the cell. */
TEST(what_has_a_residue_is_sent_although_it_looks_equal)
{
    static struct compare_mine mine;
    const struct repair_nodes nodes = root();
    struct both both = {0};
    struct place c = {0};
    struct buffer page;
    struct chunk chunk = {0};
    enum taken taken;

    CHECK_OK(both_open(&both));
    CHECK_OK(place_open(&c, 3));
    CHECK_OK(place_pull(&c, &both.b, WIRE_MAX));
    CHECK_OK(place_set(&c, "k16", "seen by few"));
    CHECK_OK(place_remove(&c, "k16"));
    CHECK_OK(place_commit(&c));
    buffer_init(&page, WIRE_MAX);
    {
        struct view view = batch_view(c.batch);
        struct buffer path;

        buffer_init(&path, NEAP_PATH_MAX);
        CHECK_OK(path_level(&path, slice_text("k16"), NEAP_REGISTER));
        CHECK_OK(shard_cell_message(c.shard, &view, c.shard->id, buffer_slice(&path), &page));
        CHECK_OK(shard_take_cell(both.b.shard, both.b.batch, buffer_slice(&page), &taken));
        CHECK_OK(shard_take_cell(both.a.shard, both.a.batch, buffer_slice(&page), &taken));
        buffer_done(&path);
    }
    CHECK(both.b.shard->residues_count > 0);
    compare_mine_init(&mine);
    CHECK_OK(shard_compare_begin(both.a.shard, 1, &both.b.shard->context));
    CHECK_OK(part(&both.a, &both.b, &nodes, WIRE_MAX, &mine, &page));
    CHECK_OK(chunk_decode(buffer_slice(&page), CHUNK_PAGE, &chunk));
    CHECK_EQUAL(chunk.residues_count, 1);
    chunk_done(&chunk);
    compare_mine_done(&mine);
    buffer_done(&page);
    place_close(&c);
    both_close(&both);
}

/* A page that was not asked for is refused, and changes nothing. */
TEST(what_answers_another_question_is_refused)
{
    static struct compare_mine mine;
    static const uint32_t beyond[] = {1000};
    const struct repair_nodes nodes = root();
    struct both both = {0};
    struct buffer page;

    CHECK_OK(both_open(&both));
    buffer_init(&page, WIRE_MAX);
    compare_mine_init(&mine);
    CHECK_OK(shard_compare_begin(both.a.shard, 1, &both.b.shard->context));
    CHECK_OK(part(&both.a, &both.b, &nodes, 1, &mine, &page)); /* only some of it */
    CHECK_ERROR(
        shard_compare_part_take(both.a.shard, both.a.batch, buffer_slice(&page), &mine, NULL, 0),
        NEAP_INVALID); /* it was before */
    CHECK_ERROR(
        shard_compare_part_take(both.a.shard, both.a.batch, buffer_slice(&page), &mine, beyond, 1),
        NEAP_INVALID);
    shard_compare_stop(both.a.shard);
    CHECK_ERROR(
        shard_compare_part_take(both.a.shard, both.a.batch, buffer_slice(&page), &mine, NULL, 0),
        NEAP_STALE);
    compare_mine_done(&mine);
    buffer_done(&page);
    both_close(&both);
}
