/* Compares that outlive the process. */
#include "base/error.h"
#include "store/keys.h"
#include "store/session_keep.h"
#include "tests/unit/shard_cases.h"

enum { PAGE_SMALL = 64, CELLS = 12, NODE = 77 };

static struct place a, b, c;

static void open_all(void)
{
    char key[8] = "k00";

    CHECK_OK(place_open(&a, 1));
    CHECK_OK(place_open(&b, 2));
    CHECK_OK(place_open(&c, 3));
    for (int i = 0; i < CELLS; i++) {
        key[2] = (char)('a' + i);
        CHECK_OK(place_add(&a, key, 1));
    }
    CHECK_OK(shard_truncate(a.shard, a.batch, &a.shard->context));
    CHECK_OK(place_commit(&a));
}

static void close_all(void)
{
    place_close(&a);
    place_close(&b);
    place_close(&c);
}

/* One page into b; the session has a name. */
static int page(size_t size)
{
    struct view view = batch_view(a.batch);
    struct buffer bytes;
    int error = 0;

    buffer_init(&bytes, WIRE_MAX);
    if (!b.shard->session.id) {
        error = shard_compare_begin(b.shard, 1, &a.shard->context);
        if (!error)
            shard_compare_name(b.shard, NODE, a.shard->replica);
    }
    if (!error)
        error = shard_compare_page(a.shard, &view, buffer_slice(&b.shard->session.cursor), size,
                                   &bytes);
    if (!error)
        error = shard_compare_take(b.shard, b.batch, buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}

static int push(struct place *to, struct place *from, enum taken *ret_taken)
{
    struct buffer bytes;
    int error;

    buffer_init(&bytes, WIRE_MAX);
    error = place_chunk(from, &to->shard->context, from->shard->replica, CHUNK_SIZE, &bytes);
    if (!error)
        error = shard_take(to->shard, to->batch, buffer_slice(&bytes), CHUNK_PUSH, ret_taken);
    buffer_done(&bytes);
    return error;
}

TEST(a_compare_is_there_after_a_restart_and_goes_on)
{
    struct buffer cursor;

    open_all();
    buffer_init(&cursor, KEY_CURSOR_MAX);
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_commit(&b));
    CHECK_OK(buffer_set(&cursor, buffer_slice(&b.shard->session.cursor)));
    CHECK_OK(page(PAGE_SMALL)); /* lost, with what it brought */
    CHECK_OK(place_reopen(&b, 2, NONCE + 1));
    CHECK_EQUAL(b.shard->session.id, SESSION_KEPT);
    CHECK_EQUAL(b.shard->session.peer, NODE);
    CHECK_EQUAL(b.shard->session.replica, 1);
    CHECK(context_equal(&b.shard->session.start, &a.shard->context));
    CHECK_BYTES(buffer_slice(&b.shard->session.cursor), buffer_slice(&cursor));
    while (b.shard->session.phase == COMPARE_CELLS)
        CHECK_OK(page(PAGE_SMALL));
    CHECK_EQUAL(b.shard->session.phase, COMPARE_DONE);
    CHECK_OK(shard_compare_end(b.shard, b.batch, &a.shard->horizon));
    CHECK_OK(place_commit(&b));
    CHECK(context_equal(&b.shard->context, &a.shard->context));
    CHECK_EQUAL(place_count(&b, DISK_META, 'C'), 0);
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), CELLS);
    CHECK_OK(place_reopen(&b, 2, NONCE + 2));
    CHECK_EQUAL(b.shard->session.id, 0);
    buffer_done(&cursor);
    close_all();
}

/* What changed while it ran is asked for from where it was. */
TEST(a_compare_goes_on_past_its_cells)
{
    struct buffer bytes;
    enum taken taken;

    open_all();
    buffer_init(&bytes, WIRE_MAX);
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_add(&a, "kaa", 1));
    CHECK_OK(place_add(&a, "kab", 1));
    CHECK_OK(place_commit(&a));
    while (b.shard->session.phase == COMPARE_CELLS)
        CHECK_OK(page(WIRE_MAX));
    CHECK_EQUAL(b.shard->session.phase, COMPARE_CHANGED);
    CHECK_OK(place_changed(&a, &b.shard->session.seen, 1, &bytes));
    CHECK_OK(shard_take(b.shard, b.batch, buffer_slice(&bytes), CHUNK_CHANGED, &taken));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 2, NONCE + 1));
    CHECK_EQUAL(b.shard->session.phase, COMPARE_CHANGED);
    CHECK_EQUAL(context_get(&b.shard->session.seen, 1), CELLS + 1);
    CHECK_EQUAL(context_get(&b.shard->session.target, 1), CELLS + 2);
    CHECK(context_equal(&b.shard->session.horizon, &a.shard->horizon));
    CHECK_OK(place_changed(&a, &b.shard->session.seen, 1, &bytes));
    CHECK_OK(shard_take(b.shard, b.batch, buffer_slice(&bytes), CHUNK_CHANGED, &taken));
    CHECK_OK(shard_compare_end(b.shard, b.batch, &b.shard->session.horizon));
    CHECK_EQUAL(place_value(&b, "kab"), 1);
    buffer_done(&bytes);
    close_all();
}

/* Below the cursor nothing may come in from others: what they bring may have been removed by then.
 * After a restart, too; and a session that was given up must not come back once something did. */
TEST(what_is_taken_from_others_ends_a_compare_for_good)
{
    enum taken taken;

    open_all();
    CHECK_OK(place_add(&c, "x", 1));
    CHECK_OK(place_commit(&c));
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 2, NONCE + 1));
    CHECK_OK(push(&b, &c, &taken));
    CHECK_EQUAL(taken, TAKEN_BUSY);
    shard_compare_stop(b.shard);
    CHECK_OK(place_reopen(&b, 2, NONCE + 2));
    CHECK_EQUAL(b.shard->session.id, SESSION_KEPT); /* nothing has come in */
    shard_compare_stop(b.shard);
    CHECK_OK(push(&b, &c, &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_OK(place_commit(&b));
    CHECK_EQUAL(place_count(&b, DISK_META, 'C'), 0);
    CHECK_OK(place_reopen(&b, 2, NONCE + 3));
    CHECK_EQUAL(b.shard->session.id, 0);
    close_all();
}

TEST(a_batch_that_is_undone_leaves_what_was_kept)
{
    batch_mark mark;
    enum taken taken;

    open_all();
    CHECK_OK(place_add(&c, "x", 1));
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 2, NONCE + 1));
    shard_compare_stop(b.shard);
    mark = batch_set_mark(b.batch);
    CHECK_OK(push(&b, &c, &taken));
    CHECK(!b.shard->session.kept);
    batch_rollback(b.batch, mark);
    CHECK(b.shard->session.kept);
    CHECK_EQUAL(place_count(&b, DISK_META, 'C'), 1);
    close_all();
}

/* Of another life, and of whoever gives its events other names. */
TEST(a_new_life_ends_a_compare)
{
    open_all();
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 22, NONCE + 1));
    CHECK_EQUAL(b.shard->session.id, 0);
    CHECK(b.shard->session.kept);
    close_all();
}

TEST(new_names_end_a_compare)
{
    open_all();
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_commit(&b));
    CHECK_OK(shard_redot(b.shard, b.batch));
    CHECK_OK(place_commit(&b));
    CHECK_EQUAL(b.shard->session.id, 0);
    CHECK_EQUAL(place_count(&b, DISK_META, 'C'), 0);
    close_all();
}

/* That the peer went back in time shows in what was seen of it. */
TEST(what_a_compare_began_with_counts_as_seen)
{
    open_all();
    CHECK_EQUAL(shard_quote(b.shard, 1).n, 0);
    CHECK_OK(shard_compare_begin(b.shard, 1, &a.shard->context));
    shard_compare_name(b.shard, NODE, 1);
    CHECK_EQUAL(shard_quote(b.shard, 1).n, CELLS);
    shard_compare_stop(b.shard);
    CHECK_EQUAL(shard_quote(b.shard, 1).n, 0);
    close_all();
}

/* Bytes that are none cost the session, not the opening. */
TEST(a_record_that_is_none_is_no_compare)
{
    struct key key;

    open_all();
    key_session(&key, b.shard->id);
    CHECK_OK(shard_save(b.shard, b.batch));
    CHECK_OK(batch_put(b.batch, DISK_META, key_slice(&key), slice_text("no record")));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 2, NONCE + 1));
    CHECK_EQUAL(b.shard->session.id, 0);
    CHECK(b.shard->session.kept);
    close_all();
}

static int keep_and_reopen(void)
{
    int error = place_open(&a, 1);

    if (!error)
        error = place_open(&b, 2);
    if (!error)
        error = place_add(&a, "x", 1);
    if (!error)
        error = place_add(&a, "y", 1);
    if (!error)
        error = place_commit(&a);
    if (!error)
        error = page(1);
    if (!error)
        error = place_commit(&b);
    return error ? error : place_reopen(&b, 2, NONCE + 1);
}

static int keep_and_close(void *arg)
{
    int error;

    (void)arg;
    a = b = (struct place){0};
    error = keep_and_reopen();
    place_close(&a);
    place_close(&b);
    return error;
}

TEST(without_memory_no_compare_is_half_kept)
{
    test_alloc_sweep(keep_and_close, NULL);
}

/* Nor must an old one come back when another, that is not kept, has taken cells. */
TEST(a_compare_that_is_not_kept_ends_one_that_was)
{
    struct view view;
    struct buffer bytes;

    open_all();
    CHECK_OK(page(PAGE_SMALL));
    CHECK_OK(place_commit(&b));
    shard_compare_stop(b.shard);
    buffer_init(&bytes, WIRE_MAX);
    view = batch_view(a.batch);
    CHECK_OK(shard_compare_begin(b.shard, 2, &a.shard->context));
    CHECK_OK(shard_compare_page(a.shard, &view, slice_of(NULL, 0), PAGE_SMALL, &bytes));
    CHECK_OK(shard_compare_take(b.shard, b.batch, buffer_slice(&bytes)));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_reopen(&b, 2, NONCE + 1));
    CHECK_EQUAL(b.shard->session.id, 0);
    buffer_done(&bytes);
    close_all();
}
