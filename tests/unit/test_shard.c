#include "store/shard.h"

#include <string.h>

#include "base/alloc.h"
#include "store/change.h"
#include "store/chunk.h"
#include "store/keys.h"
#include "tests/unit/shard_cases.h"

static struct place a, b, c;

static void open_all(void)
{
    CHECK_OK(place_open(&a, 1));
    CHECK_OK(place_open(&b, 2));
    CHECK_OK(place_open(&c, 3));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_commit(&c));
}

static void close_all(void)
{
    place_close(&a);
    place_close(&b);
    place_close(&c);
}

static struct buffer path_to(const char *key, enum neap_type type)
{
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(key), type));
    return path;
}

/* One cell of `from` to `to`, as read repair does. */
static enum taken mend(struct place *to, struct place *from, const char *key)
{
    struct view view = batch_view(from->batch);
    struct buffer path = path_to(key, NEAP_REGISTER), message;
    enum taken taken = TAKEN_BEHIND;

    buffer_init(&message, WIRE_MAX);
    CHECK_OK(
        shard_cell_message(from->shard, &view, from->shard->id, buffer_slice(&path), &message));
    CHECK_OK(shard_take_cell(to->shard, to->batch, buffer_slice(&message), &taken));
    buffer_done(&message);
    buffer_done(&path);
    return taken;
}

TEST(a_write_is_read_back_and_pulled)
{
    open_all();
    CHECK_OK(place_add(&a, "x", 3));
    CHECK_OK(place_add(&a, "x", 4));
    CHECK_OK(place_add(&a, "y", 1));
    CHECK_EQUAL(place_value(&a, "x"), 7);
    CHECK_OK(place_commit(&a));
    CHECK_EQUAL(place_value(&a, "x"), 7);
    CHECK_OK(place_add(&b, "x", 10));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_EQUAL(place_value(&b, "x"), 17);
    CHECK_OK(place_pull(&a, &b, 1));
    CHECK_EQUAL(place_value(&a, "x"), 17);
    CHECK(context_equal(&a.shard->context, &b.shard->context));
    CHECK_EQUAL(shard_log_count(a.shard), 4);
    CHECK_EQUAL(a.shard->residues_count + b.shard->residues_count, 0);
    close_all();
}

static int count_writes(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                        struct slice value)
{
    (void)kind;
    (void)family;
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

TEST(a_local_event_costs_a_cell_and_a_log_entry)
{
    unsigned writes = 0;

    open_all();
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(batch_each(a.batch, count_writes, &writes));
    CHECK_EQUAL(writes, 2);
    close_all();
}

TEST(an_event_that_changes_nothing_is_none)
{
    const struct op op = {.kind = OP_REMOVE};
    struct dot dot = {9, 9};

    open_all();
    CHECK_OK(place_write(&a, "x", NEAP_REGISTER, &op, &dot));
    CHECK_EQUAL(dot.n, 0);
    CHECK(batch_is_empty(a.batch));
    close_all();
}

/* a's removal of x came to b alone, and as a residue. c has what a made before. */
static void open_unsaid(void)
{
    open_all();
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(place_pull(&c, &a, CHUNK_SIZE));
    CHECK_OK(place_remove(&a, "x"));
    CHECK_EQUAL(mend(&b, &a, "x"), TAKEN);
    CHECK_EQUAL(place_dots(&b, "x", NEAP_REGISTER), 0);
}

TEST(what_only_a_residue_says_to_be_gone_is_removed_by_an_event)
{
    const struct op op = {.kind = OP_REMOVE};
    struct dot dot;

    open_unsaid();
    CHECK_OK(place_write(&b, "x", NEAP_REGISTER, &op, &dot));
    CHECK_EQUAL(dot.id, 2);
    CHECK_EQUAL(dot.n, 1);
    CHECK_OK(place_pull(&c, &b, CHUNK_SIZE)); /* a is lost, say */
    CHECK_EQUAL(context_get(&c.shard->context, 1), 1);
    CHECK_EQUAL(place_dots(&c, "x", NEAP_REGISTER), 0);
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(place_write(&b, "x", NEAP_REGISTER, &op, &dot)); /* now the context says it */
    CHECK_EQUAL(dot.n, 0);
    close_all();
}

TEST(a_map_is_removed_with_what_only_a_residue_says_to_be_gone)
{
    struct buffer prefix = path_to("x", NEAP_REGISTER);
    uint64_t events = 0;

    open_unsaid();
    CHECK_OK(shard_remove(b.shard, b.batch, b.shard->id, buffer_slice(&prefix), NULL, &events));
    CHECK_EQUAL(events, 1);
    CHECK_OK(place_pull(&c, &b, CHUNK_SIZE));
    CHECK_EQUAL(place_dots(&c, "x", NEAP_REGISTER), 0);
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(shard_remove(b.shard, b.batch, b.shard->id, buffer_slice(&prefix), NULL, &events));
    CHECK_EQUAL(events, 0);
    buffer_done(&prefix);
    close_all();
}

TEST(what_is_removed_is_gone_from_the_disk)
{
    open_all();
    CHECK_OK(place_set(&a, "x", "v"));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(place_remove(&b, "x"));
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), 0);
    CHECK_OK(place_pull(&a, &b, CHUNK_SIZE));
    CHECK_EQUAL(place_count(&a, DISK_CELLS, 0), 0);
    close_all();
}

TEST(a_map_is_removed_by_one_event_a_cell)
{
    struct buffer path, prefix = path_to("m", NEAP_MAP);
    const struct op op = {.kind = OP_REGISTER_SET, .value = slice_text("v")};
    uint64_t events = 0;
    struct dot dot;

    open_all();
    for (char name[] = "a"; name[0] <= 'e'; name[0]++) {
        path = path_to("m", NEAP_MAP);
        CHECK_OK(path_level(&path, slice_text(name), NEAP_REGISTER));
        CHECK_OK(shard_write(a.shard, a.batch, a.shard->id, buffer_slice(&path), &op, &dot));
        buffer_done(&path);
    }
    CHECK_OK(place_set(&a, "n", "stays"));
    CHECK_OK(shard_remove(a.shard, a.batch, a.shard->id, buffer_slice(&prefix), NULL, &events));
    CHECK_EQUAL(events, 5);
    CHECK_EQUAL(context_get(&a.shard->context, 1), 11);
    CHECK_EQUAL(place_count(&a, DISK_CELLS, 0), 1);
    buffer_done(&prefix);
    close_all();
}

TEST(events_are_undone_together)
{
    struct shard_mark mark;
    batch_mark before;

    open_all();
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_commit(&a));
    mark = shard_set_mark(a.shard);
    before = batch_set_mark(a.batch);
    CHECK_OK(place_add(&a, "x", 2));
    CHECK_OK(place_add(&a, "y", 2));
    batch_rollback(a.batch, before);
    shard_rollback(a.shard, mark);
    CHECK(batch_is_empty(a.batch));
    CHECK_EQUAL(context_get(&a.shard->context, 1), 1);
    CHECK_EQUAL(context_find(&a.shard->context, 1)->nonce, NONCE);
    CHECK_OK(place_add(&a, "x", 4));
    CHECK_EQUAL(place_value(&a, "x"), 5);
    close_all();
}

TEST(the_counter_is_found_in_the_log)
{
    struct view view;
    struct context context = {0};

    open_all();
    for (int i = 0; i < 100; i++) {
        CHECK_OK(place_add(&a, "x", 1));
        CHECK_OK(place_commit(&a));
        CHECK_OK(place_reopen(&a, 1, NONCE + 1));
        CHECK_EQUAL(context_get(&a.shard->context, 1), i + 1);
        view = (struct view){.disk = a.disk};
        CHECK_OK(shard_context_read(&view, a.shard->id, &context));
        CHECK_EQUAL(context_get(&context, 1), i + 1);
    }
    CHECK_EQUAL(place_value(&a, "x"), 100);
    context_done(&context);
    close_all();
}

TEST(another_life_is_another_replica_that_knows_the_old_one)
{
    open_all();
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 9, NONCE));
    CHECK_EQUAL(a.shard->replica, 9);
    CHECK_EQUAL(context_get(&a.shard->context, 1), 2);
    CHECK_EQUAL(context_get(&a.shard->context, 9), 0);
    /* The first event writes the record, or the next life would not look for it. */
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 10, NONCE));
    CHECK_EQUAL(context_get(&a.shard->context, 1), 2);
    CHECK_EQUAL(context_get(&a.shard->context, 9), 1);
    CHECK_EQUAL(place_value(&a, "x"), 3);
    close_all();
}

TEST(a_shard_that_was_reset_keeps_its_new_id)
{
    open_all();
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(shard_reset(a.shard, a.batch, 77));
    CHECK_OK(place_add(&a, "x", 2));
    CHECK_OK(place_commit(&a));
    CHECK_EQUAL(place_value(&a, "x"), 2);
    CHECK_OK(place_reopen(&a, 1, NONCE));
    CHECK_EQUAL(a.shard->replica, 77);
    CHECK_EQUAL(context_get(&a.shard->context, 1), 0);
    CHECK_OK(shard_confirm(a.shard, a.batch));
    CHECK_OK(place_pull(&a, &b, CHUNK_SIZE));
    CHECK_EQUAL(place_value(&a, "x"), 3);
    close_all();
}

TEST(a_residue_stays_until_the_context_covers_it)
{
    open_all();
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_set(&a, "y", "1"));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(place_remove(&a, "x"));
    CHECK_EQUAL(mend(&b, &a, "x"), TAKEN);
    CHECK_EQUAL(b.shard->residues_count, 1);
    CHECK_EQUAL(place_count(&b, DISK_META, 'R'), 1);
    CHECK_EQUAL(place_count(&b, DISK_META, 'U'), 1);
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), 2); /* the empty one is kept for what it knows */
    CHECK_EQUAL(mend(&b, &a, "x"), TAKEN_NOTHING);
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 2, NONCE));
    CHECK_EQUAL(b.shard->residues_count, 1);
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_EQUAL(b.shard->residues_count, 0);
    CHECK_EQUAL(place_count(&b, DISK_META, 'R'), 0);
    CHECK_EQUAL(place_count(&b, DISK_META, 'U'), 0);
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), 1);
    close_all();
}

TEST(cells_of_one_chunk_share_a_residue)
{
    struct context since = {0};
    struct buffer chunk;
    enum taken taken;

    open_all();
    CHECK_OK(place_set(&c, "z", "1"));
    CHECK_OK(place_pull(&a, &c, CHUNK_SIZE));
    for (char name[] = "a"; name[0] <= 'j'; name[0]++)
        CHECK_OK(place_set(&a, name, "1"));
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_chunk(&a, &since, 1, CHUNK_SIZE, &chunk));
    CHECK_OK(shard_take(b.shard, b.batch, buffer_slice(&chunk), CHUNK_PUSH, &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_EQUAL(b.shard->residues_count, 1);
    CHECK_OK(place_pull(&b, &c, CHUNK_SIZE));
    CHECK_EQUAL(b.shard->residues_count, 0);
    buffer_done(&chunk);
    close_all();
}

/* As place_pull(), each chunk committed; the size of the largest batch. */
static size_t pull_in_commits(struct place *to, struct place *from)
{
    struct buffer chunk;
    enum taken taken;
    size_t largest = 0;

    buffer_init(&chunk, WIRE_MAX);
    while (!place_chunk(from, &to->shard->context, 0, CHUNK_SIZE, &chunk)) {
        CHECK_OK(shard_take(to->shard, to->batch, buffer_slice(&chunk), CHUNK_PULL, &taken));
        CHECK_EQUAL(taken, TAKEN);
        largest = batch_bytes(to->batch) > largest ? batch_bytes(to->batch) : largest;
        CHECK_OK(place_commit(to));
    }
    buffer_done(&chunk);
    return largest;
}

TEST(many_removals_are_settled_in_parts)
{
    const struct op on = {.kind = OP_FLAG_ON}, off = {.kind = OP_REMOVE};
    enum { ELEMENTS = 10000, PARTS = 4 };
    size_t largest, listed, parts = 0;

    open_all();
    for (int i = 0; i < 2 * ELEMENTS; i++) {
        char key[] = "an element of a set, with a name of some sixty bytes: 000000";
        struct dot dot;

        for (int rest = i % ELEMENTS, at = sizeof key - 2; rest > 0; rest /= 10, at--)
            key[at] = (char)('0' + rest % 10);
        CHECK_OK(place_write(&a, key, NEAP_FLAG, i < ELEMENTS ? &on : &off, &dot));
        if (i == ELEMENTS - 1)
            (void)pull_in_commits(&b, &a);
    }
    largest = pull_in_commits(&b, &a);
    CHECK(largest < 1 << 20);
    CHECK(context_covers(&b.shard->context, &a.shard->context));
    CHECK_EQUAL(b.shard->settling, b.shard->residues_count);
    listed = place_count(&b, DISK_META, 'U');
    CHECK(listed > ELEMENTS / 2);
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), listed);
    CHECK_OK(place_reopen(&b, 2, NONCE));
    CHECK(b.shard->settling > 0);
    for (; b.shard->settling > 0; parts++) {
        CHECK_OK(shard_settle(b.shard, b.batch));
        CHECK(batch_bytes(b.batch) < 1 << 20);
        CHECK_OK(place_commit(&b));
    }
    CHECK(parts >= 2 && parts <= PARTS);
    CHECK_OK(shard_settle(b.shard, b.batch));
    CHECK(batch_is_empty(b.batch));
    CHECK_EQUAL(b.shard->residues_count, 0);
    CHECK_EQUAL(place_count(&b, DISK_META, 'R') + place_count(&b, DISK_META, 'U'), 0);
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), 0);
    close_all();
}

TEST(a_push_after_a_gap_is_behind_and_one_known_is_nothing)
{
    struct context since = {0};
    struct buffer chunk;
    enum taken taken;

    open_all();
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(context_raise(&since, 1, 1, NONCE));
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_chunk(&a, &since, 1, CHUNK_SIZE, &chunk));
    CHECK_OK(shard_take(b.shard, b.batch, buffer_slice(&chunk), CHUNK_PUSH, &taken));
    CHECK_EQUAL(taken, TAKEN_BEHIND);
    CHECK(batch_is_empty(b.batch));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(place_commit(&b));
    CHECK_OK(shard_take(b.shard, b.batch, buffer_slice(&chunk), CHUNK_PUSH, &taken));
    CHECK_EQUAL(taken, TAKEN_NOTHING);
    CHECK(batch_is_empty(b.batch));
    CHECK_ERROR(place_chunk(&a, &b.shard->context, 0, CHUNK_SIZE, &chunk), NEAP_END);
    buffer_done(&chunk);
    context_done(&since);
    close_all();
}

TEST(whoever_is_below_the_horizon_compares)
{
    struct buffer chunk;

    open_all();
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_set(&c, "old", "1"));
    CHECK_OK(place_pull(&a, &c, CHUNK_SIZE));
    CHECK_OK(place_pull(&b, &c, CHUNK_SIZE));
    CHECK_OK(place_remove(&a, "old"));
    CHECK_OK(place_set(&a, "new", "1"));
    CHECK_OK(shard_truncate(a.shard, a.batch, &a.shard->context));
    CHECK_EQUAL(shard_log_count(a.shard), 0);
    CHECK_EQUAL(place_count(&a, DISK_LOG, 0), 0);
    CHECK_ERROR(place_chunk(&a, &b.shard->context, 0, CHUNK_SIZE, &chunk), NEAP_STALE);
    CHECK_OK(place_set(&b, "mine", "1"));
    CHECK_OK(place_compare(&b, &a, 1));
    CHECK(context_covers(&b.shard->context, &a.shard->context));
    CHECK_EQUAL(place_dots(&b, "old", NEAP_REGISTER), 0);
    CHECK_EQUAL(place_dots(&b, "new", NEAP_REGISTER), 1);
    CHECK_EQUAL(place_dots(&b, "mine", NEAP_REGISTER), 1);
    CHECK_EQUAL(b.shard->residues_count, 0);
    CHECK_EQUAL(shard_log_count(b.shard), 1);
    CHECK_OK(place_pull(&a, &b, CHUNK_SIZE));
    CHECK(context_equal(&b.shard->context, &a.shard->context));
    buffer_done(&chunk);
    close_all();
}

TEST(while_a_compare_runs_others_wait)
{
    struct buffer chunk;
    enum taken taken;

    open_all();
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_chunk(&a, &b.shard->context, 0, CHUNK_SIZE, &chunk));
    CHECK_OK(shard_compare_begin(b.shard, 5, &a.shard->context));
    CHECK_ERROR(shard_compare_begin(b.shard, 6, &a.shard->context), NEAP_BUSY);
    CHECK_OK(shard_take(b.shard, b.batch, buffer_slice(&chunk), CHUNK_PUSH, &taken));
    CHECK_EQUAL(taken, TAKEN_BUSY);
    CHECK_EQUAL(mend(&b, &a, "x"), TAKEN_BUSY);
    CHECK_ERROR(shard_compare_end(b.shard, b.batch, &a.shard->horizon), NEAP_STALE);
    CHECK_EQUAL(b.shard->session.id, 0);
    CHECK_EQUAL(context_get(&b.shard->context, 1), 0);
    buffer_done(&chunk);
    close_all();
}

TEST(a_lost_dot_comes_back_between_equal_contexts)
{
    struct view view;
    struct buffer page, path = path_to("x", NEAP_REGISTER);
    struct slice key, value;
    struct scan *scan;
    enum taken taken;

    open_all();
    buffer_init(&page, WIRE_MAX);
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_OK(place_commit(&b));
    view = batch_view(b.batch);
    CHECK_OK(view_scan(&view, DISK_CELLS, slice_of(NULL, 0), slice_of(NULL, 0), &scan));
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_OK(buffer_set(&page, key));
    scan_close(scan);
    CHECK_OK(batch_delete(b.batch, DISK_CELLS, buffer_slice(&page)));
    view = batch_view(a.batch);
    CHECK_OK(shard_compare_page(a.shard, &view, slice_of(NULL, 0), CHUNK_SIZE, &page));
    CHECK_OK(shard_repair_take(b.shard, b.batch, buffer_slice(&page), &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_EQUAL(b.shard->counts.healed, 1);
    CHECK_EQUAL(place_dots(&b, "x", NEAP_REGISTER), 1);
    CHECK_OK(shard_repair_take(b.shard, b.batch, buffer_slice(&page), &taken));
    CHECK_EQUAL(taken, TAKEN_NOTHING);
    CHECK_OK(shard_repair_take(c.shard, c.batch, buffer_slice(&page), &taken));
    CHECK_EQUAL(taken, TAKEN_BEHIND);
    buffer_done(&page);
    buffer_done(&path);
    close_all();
}

TEST(stamps_that_are_taken_move_the_clock)
{
    struct op op = {.kind = OP_LWW_SET, .value = slice_text("v"), .stamp = (uint64_t)5000 << 16};
    struct hlc hlc = {0};
    struct shard_clock clock = {.hlc = &hlc, .wall_ms = 1000};
    struct dot dot;

    open_all();
    b.shard->clock = &clock;
    CHECK_OK(place_write(&a, "x", NEAP_LWW, &op, &dot));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK(hlc.last >= op.stamp);
    op.stamp = (uint64_t)(clock.wall_ms + HLC_SKEW_MS_MAX + 1) << 16;
    CHECK_OK(place_write(&a, "x", NEAP_LWW, &op, &dot));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK(hlc.last < op.stamp);
    CHECK_EQUAL(b.shard->counts.stamps_ahead, 1);
    close_all();
}

TEST(equal_cells_have_equal_digests)
{
    static const struct hash_key hash_key = {{1}};
    struct shard_summary sum_a, sum_b;
    struct view view_a, view_b;

    open_all();
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_set(&b, "y", "1"));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    view_a = batch_view(a.batch);
    view_b = batch_view(b.batch);
    CHECK_OK(shard_summary(&view_a, a.shard, &hash_key, &sum_a));
    CHECK_OK(shard_summary(&view_b, b.shard, &hash_key, &sum_b));
    CHECK(!digest_equal(sum_a.digest, sum_b.digest));
    CHECK_OK(place_pull(&a, &b, CHUNK_SIZE));
    CHECK_OK(shard_summary(&view_a, a.shard, &hash_key, &sum_a));
    CHECK(digest_equal(sum_a.digest, sum_b.digest));
    CHECK_EQUAL(sum_a.keys, 2);
    CHECK_EQUAL(sum_a.cells, 3);
    CHECK_EQUAL(sum_a.log, 3);
    close_all();
}

TEST(what_peers_send_wrong_is_refused_whole)
{
    struct buffer chunk;
    enum taken taken;
    struct shard *other;

    open_all();
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_chunk(&a, &b.shard->context, 0, CHUNK_SIZE, &chunk));
    CHECK_OK(shard_new(b.batch, "other", 2, NONCE, &other));
    batch_clear(b.batch);
    CHECK_ERROR(shard_take(other, b.batch, buffer_slice(&chunk), CHUNK_PULL, &taken), NEAP_INVALID);
    for (size_t size = 0; size < chunk.size; size++)
        CHECK_ERROR(shard_take(b.shard, b.batch, slice_of(chunk.data, size), CHUNK_PULL, &taken),
                    NEAP_INVALID);
    CHECK_ERROR(shard_compare_take(b.shard, b.batch, buffer_slice(&chunk)), NEAP_INVALID);
    CHECK(batch_is_empty(b.batch));
    CHECK_EQUAL(context_get(&b.shard->context, 1), 0);
    shard_free(other);
    buffer_done(&chunk);
    close_all();
}

/* A page without cells up to a key of that size. */
static void page_make(size_t size, struct buffer *ret_page)
{
    uint8_t to[KEY_SIZE_MAX];
    struct chunk page = {.kind = CHUNK_PAGE, .shard = a.shard->id, .to = slice_of(to, size)};

    memset(to, 0x7f, sizeof to);
    CHECK_OK(context_raise(&page.context, 5, 1, 1));
    CHECK_OK(chunk_encode(&page, ret_page));
    chunk_done(&page);
}

TEST(a_page_ends_at_a_key_that_can_be)
{
    struct context start = {0};
    struct buffer page;

    open_all();
    buffer_init(&page, WIRE_MAX);
    CHECK_OK(context_raise(&start, 5, 1, 1));
    page_make(KEY_CURSOR_MAX + 1, &page);
    CHECK_OK(shard_compare_begin(a.shard, 1, &start));
    CHECK_ERROR(shard_compare_take(a.shard, a.batch, buffer_slice(&page)), NEAP_LIMIT);
    buffer_clear(&page);
    page_make(KEY_CURSOR_MAX, &page);
    CHECK_OK(shard_compare_take(a.shard, a.batch, buffer_slice(&page)));
    CHECK_EQUAL(a.shard->session.cursor.size, KEY_CURSOR_MAX);
    shard_compare_stop(a.shard);
    buffer_done(&page);
    context_done(&start);
    close_all();
}

TEST(a_replica_that_has_counted_to_the_end_writes_no_more)
{
    open_all();
    CHECK_OK(context_raise(&a.shard->context, a.shard->replica, DOT_COUNT_MAX - 1, NONCE));
    CHECK_OK(place_add(&a, "n", 1));
    CHECK_ERROR(place_add(&a, "n", 1), NEAP_LIMIT);
    CHECK_EQUAL(place_value(&a, "n"), 1);
    CHECK(context_get(&a.shard->context, a.shard->replica) == DOT_COUNT_MAX);
    close_all();
}

/* ---- rollbacks ---- */

TEST(an_opening_tells_nothing_before_it_is_confirmed)
{
    struct context nothing = {0};
    struct buffer chunk;

    open_all();
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, NONCE + 1));
    CHECK(shard_released(a.shard)); /* what it had told before */
    CHECK_OK(place_chunk(&a, &nothing, 0, CHUNK_SIZE, &chunk));
    CHECK_OK(place_set(&a, "y", "1"));
    CHECK(!shard_released(a.shard));
    CHECK_ERROR(place_chunk(&a, &nothing, 0, CHUNK_SIZE, &chunk), NEAP_BUSY);
    CHECK_OK(shard_confirm(a.shard, a.batch));
    CHECK_OK(place_chunk(&a, &nothing, 0, CHUNK_SIZE, &chunk));
    buffer_done(&chunk);
    close_all();
}

TEST(a_rollback_shows_at_first_contact_and_is_redotted)
{
    struct disk *image;
    struct context_entry quote;
    enum taken taken;
    struct buffer chunk;

    open_all();
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_commit(&a));
    CHECK_OK(disk_mem_copy(a.disk, &image));
    CHECK_OK(place_add(&a, "x", 10));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    batch_free(a.batch);
    disk_close(a.disk);
    a.disk = image;
    CHECK_OK(batch_new(image, &a.batch));
    CHECK_OK(place_reopen(&a, 1, NONCE + 1));
    CHECK_OK(place_add(&a, "x", 100));
    CHECK_OK(place_add(&a, "x", 100));
    quote = shard_quote(b.shard, 1);
    CHECK_EQUAL(quote.n, 2);
    CHECK_EQUAL(shard_check_quote(a.shard, &quote), QUOTE_ROLLBACK);
    CHECK_OK(place_chunk(&b, &a.shard->horizon, 0, CHUNK_SIZE, &chunk));
    CHECK_ERROR(shard_take(a.shard, a.batch, buffer_slice(&chunk), CHUNK_PULL, &taken), NEAP_STALE);
    CHECK(a.shard->went_back);
    CHECK_OK(shard_redot(a.shard, a.batch));
    CHECK_EQUAL(context_get(&a.shard->context, 1), 1);
    CHECK_EQUAL(a.shard->replica, renamed_id(1, 1, NONCE + 1));
    CHECK_EQUAL(context_get(&a.shard->context, a.shard->replica), 2);
    CHECK_OK(place_pull(&a, &b, CHUNK_SIZE));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_EQUAL(place_value(&a, "x"), 211);
    CHECK_EQUAL(place_value(&b, "x"), 211);
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, NONCE + 2));
    CHECK_EQUAL(a.shard->replica, renamed_id(1, 1, NONCE + 1));
    buffer_done(&chunk);
    close_all();
}

TEST(a_history_is_redotted_whatever_its_size)
{
    enum { SIZE = 64 << 20 };
    uint8_t *bytes = mem_new(SIZE);

    CHECK(bytes);
    open_all();
    CHECK_OK(place_reopen(&a, 1, NONCE + 1));
    CHECK_OK(place_add(&a, "n", 3));
    CHECK_OK(place_commit(&a));
    for (int i = 0; i < BATCH_SIZE_MAX / SIZE; i++) /* nothing else fits */
        CHECK_OK(batch_put(a.batch, DISK_META, slice_text("x"), slice_of(bytes, SIZE - 1)));
    CHECK_ERROR(place_add(&a, "n", 1), NEAP_LIMIT);
    CHECK_OK(shard_redot(a.shard, a.batch));
    CHECK_ERROR(place_add(&a, "n", 1), NEAP_LIMIT);
    CHECK_EQUAL(place_value(&a, "n"), 3);
    CHECK_EQUAL(context_get(&a.shard->context, renamed_id(1, 0, NONCE + 1)), 1);
    close_all();
    mem_free(bytes);
}

TEST(a_new_id_needs_room_even_when_nothing_is_renamed)
{
    open_all();
    for (uint64_t id = 100; a.shard->context.count < CONTEXT_IDS_MAX; id++)
        CHECK_OK(context_raise(&a.shard->context, id, 1, 1));
    CHECK_OK(shard_save(a.shard, a.batch));
    CHECK_OK(place_commit(&a));
    CHECK_ERROR(shard_redot(a.shard, a.batch), NEAP_LIMIT);
    CHECK(batch_is_empty(a.batch));
    CHECK_EQUAL(a.shard->replica, 1);
    close_all();
}

TEST(claims_must_be_in_order)
{
    struct shard_claim claim = {.replica = 2, .opened_at = 5, .openings_count = 1};

    open_all();
    claim.openings[0] = (struct opening){4, 1};
    CHECK_ERROR(shard_promise(a.shard, 2, &claim), NEAP_INVALID);
    claim.openings[0] = (struct opening){5, 1};
    CHECK_OK(shard_promise(a.shard, 2, &claim));
    claim.openings_count = OPENINGS_MAX + 1;
    CHECK_ERROR(shard_promise(a.shard, 2, &claim), NEAP_LIMIT);
    shard_promise_forget(a.shard, 2);
    shard_promise_forget(a.shard, 2);
    CHECK_EQUAL(a.shard->promises_count, 0);
    close_all();
}

/* ---- out of memory ---- */

/* A bit of everything; half of it fails when an allocation does. */
static int all_ways(struct place *one, struct place *two)
{
    const struct op remove = {.kind = OP_REMOVE};
    struct shard_claim claim;
    struct dot dot;
    int error = place_add(one, "n", 1);

    if (!error)
        error = place_set(one, "x", "1");
    if (!error)
        error = place_pull(two, one, 1);
    if (!error)
        error = place_write(two, "x", NEAP_REGISTER, &remove, &dot);
    if (!error)
        error = shard_truncate(two->shard, two->batch, &two->shard->context);
    if (!error)
        error = place_compare(one, two, 1);
    if (!error)
        error = place_commit(one);
    if (!error)
        error = place_reopen(one, 1, NONCE + 1);
    if (!error)
        error = place_add(one, "n", 1);
    if (!error)
        error = shard_redot(one->shard, one->batch);
    shard_claim(two->shard, &claim);
    if (!error)
        error = shard_promise(one->shard, 2, &claim);
    return error;
}

static int run_all_ways(void *argument)
{
    struct place one, two;
    int error = place_open(&one, 1);

    (void)argument;
    two = (struct place){0};
    if (!error)
        error = place_open(&two, 2);
    if (!error)
        error = place_commit(&one);
    if (!error)
        error = all_ways(&one, &two);
    place_close(&one);
    place_close(&two);
    return error;
}

TEST(a_shard_runs_out_of_memory_cleanly)
{
    test_alloc_sweep(run_all_ways, NULL);
}
