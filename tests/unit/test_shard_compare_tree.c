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

    return (struct repair_nodes){
        .salt = salt, .nodes = {.bits = 0, .index = index, .count = 1}, .scan_max = 1000};
}

static int open_with_tree(struct place *place, uint64_t replica)
{
    int error = place_open(place, replica);

    return error ? error : shard_tree_open(place->shard, &hash, 8);
}

/* What is asked about: from..end, and what was sent of from..to of it. */
struct asking {
    struct buffer from, to, end, keys;
    uint64_t sums[MERKLE_LIST_MAX];
    struct compare_mine mine;
    uint32_t lacking[MERKLE_LIST_MAX];
    size_t lacking_count, looked;
};

static void asking_init(struct asking *asking)
{
    buffer_init(&asking->from, KEY_CURSOR_MAX);
    buffer_init(&asking->to, KEY_CURSOR_MAX);
    buffer_init(&asking->end, KEY_CURSOR_MAX);
    buffer_init(&asking->keys, COMPARE_KEYS_MAX);
}

static void asking_done(struct asking *asking)
{
    buffer_done(&asking->from);
    buffer_done(&asking->to);
    buffer_done(&asking->end);
    buffer_done(&asking->keys);
}

/* A question and its answer. ret_page is replaced. */
static int ask(struct place *to, struct place *from, const struct repair_nodes *nodes,
               size_t size_max, size_t sums_max, struct asking *asking, struct buffer *ret_page)
{
    static bool met[MERKLE_LIST_MAX];
    struct view view = batch_view(to->batch), other = batch_view(from->batch);
    struct compare_part part = {.page = *ret_page, .met = met};
    size_t count = 0;
    int error = compare_sums(to->shard, &view, nodes, buffer_slice(&asking->from),
                             buffer_slice(&asking->end), sums_max, asking->sums, &count,
                             &asking->keys, &asking->to);

    asking->mine = (struct compare_mine){.from = buffer_slice(&asking->from),
                                         .to = buffer_slice(&asking->to),
                                         .keys = &asking->keys,
                                         .count = count};
    struct compare_asked asked = {.nodes = *nodes,
                                  .from = asking->mine.from,
                                  .to = asking->mine.to,
                                  .sums = asking->sums,
                                  .count = count};
    asking->lacking_count = 0;
    if (!error)
        error = shard_compare_part(from->shard, &other, &asked, size_max, &part);
    *ret_page = part.page;
    asking->looked = part.looked;
    for (size_t i = 0; !error && i < count; i++) {
        if (!met[i])
            asking->lacking[asking->lacking_count++] = (uint32_t)i;
    }
    return error;
}

static int take(struct place *to, struct asking *asking, bool last, const struct buffer *page)
{
    struct buffer end;
    int error;

    buffer_init(&end, KEY_CURSOR_MAX);
    error = shard_compare_part_take(to->shard, to->batch, buffer_slice(page), &asking->mine,
                                    asking->lacking, asking->lacking_count, last, &end);
    if (!error)
        error = buffer_set(&asking->from, buffer_slice(&end));
    asking->mine.from = buffer_slice(&asking->from);
    buffer_done(&end);
    return error;
}

static int part(struct place *to, struct place *from, const struct repair_nodes *nodes,
                size_t size_max, struct asking *asking, struct buffer *ret_page)
{
    int error = ask(to, from, nodes, size_max, MERKLE_LIST_MAX, asking, ret_page);

    return error ? error : take(to, asking, true, ret_page);
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
        error = place_changed(from, &session->seen, WIRE_MAX, &chunk);
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
    static struct asking asking;
    struct buffer page;
    int error;

    asking_init(&asking);
    buffer_init(&page, WIRE_MAX);
    *ret_parts = 0;
    error = shard_compare_begin(to->shard, 1, &from->shard->context);
    while (!error && to->shard->session.phase == COMPARE_CELLS) {
        error = part(to, from, &nodes, size_max, &asking, &page);
        ++*ret_parts;
    }
    if (!error)
        error = finish(to, from);
    shard_compare_stop(to->shard);
    asking_done(&asking);
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
    static struct asking asking;
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
    asking_init(&asking);
    CHECK_OK(shard_compare_begin(both.a.shard, 1, &both.b.shard->context));
    CHECK_OK(part(&both.a, &both.b, &nodes, WIRE_MAX, &asking, &page));
    CHECK_OK(chunk_decode(buffer_slice(&page), CHUNK_PAGE, &chunk));
    CHECK_EQUAL(chunk.residues_count, 1);
    chunk_done(&chunk);
    asking_done(&asking);
    buffer_done(&page);
    place_close(&c);
    both_close(&both);
}

/* A page that was not asked for is refused, and changes nothing. */
TEST(what_answers_another_question_is_refused)
{
    static struct asking asking;
    const struct repair_nodes nodes = root();
    struct both both = {0};
    struct buffer page;

    CHECK_OK(both_open(&both));
    buffer_init(&page, WIRE_MAX);
    asking_init(&asking);
    CHECK_OK(shard_compare_begin(both.a.shard, 1, &both.b.shard->context));
    CHECK_OK(part(&both.a, &both.b, &nodes, 1, &asking, &page));    /* only some of it */
    CHECK_ERROR(take(&both.a, &asking, true, &page), NEAP_INVALID); /* it was before */
    asking_done(&asking);
    asking_init(&asking);
    CHECK_OK(ask(&both.a, &both.b, &nodes, 1, MERKLE_LIST_MAX, &asking, &page));
    asking.lacking[0] = 1000;
    asking.lacking_count = 1;
    CHECK_ERROR(take(&both.a, &asking, true, &page), NEAP_INVALID);
    asking.lacking_count = 0;
    shard_compare_stop(both.a.shard);
    CHECK_ERROR(take(&both.a, &asking, true, &page), NEAP_STALE);
    asking_done(&asking);
    buffer_done(&page);
    both_close(&both);
}

/* Stretches are compared in any order, and the answers to several of them are of one time and taken
 * later: the session goes on when the last of them is in. */
TEST(stretches_may_come_in_any_order)
{
    enum { PARTS = 4, SUMS = 6 };
    static struct asking asking[PARTS];
    const struct repair_nodes nodes = root();
    struct both both = {0};
    struct buffer pages[PARTS];
    size_t count = 0, looked = 0;

    CHECK_OK(both_open(&both));
    CHECK_OK(shard_compare_begin(both.a.shard, 1, &both.b.shard->context));
    for (bool more = true; more; count++) {
        CHECK(count < PARTS);
        asking_init(&asking[count]);
        buffer_init(&pages[count], WIRE_MAX);
        if (count > 0)
            CHECK_OK(buffer_set(&asking[count].from, asking[count - 1].mine.to));
        CHECK_OK(ask(&both.a, &both.b, &nodes, WIRE_MAX, SUMS, &asking[count], &pages[count]));
        more = asking[count].mine.to.size > 0;
    }
    CHECK_EQUAL(count, PARTS);
    for (size_t i = 0; i < count; i++)
        looked += asking[i].looked;
    CHECK_EQUAL(looked, 18); /* cells of b */
    for (size_t i = count; i-- > 0;) {
        CHECK_EQUAL(both.a.shard->session.phase, COMPARE_CELLS);
        CHECK_OK(take(&both.a, &asking[i], i == 0, &pages[i]));
    }
    CHECK(both.a.shard->session.phase != COMPARE_CELLS);
    CHECK_OK(finish(&both.a, &both.b));
    shard_compare_stop(both.a.shard);
    both_check(&both);
    for (size_t i = 0; i < count; i++) {
        asking_done(&asking[i]);
        buffer_done(&pages[i]);
    }
    both_close(&both);
}
