#include "engine/read.h"

#include <string.h>

#include "base/alloc.h"
#include "store/keys.h"
#include "store/store.h"
#include "tests/support/rig.h"
#include "tests/unit/shard_cases.h"

static void write_one(struct rig *rig, struct write_op op)
{
    struct write write = {.ops = &op, .count = 1};

    CHECK_OK(rig_write(rig, &write));
}

TEST(an_absent_cell_is_an_empty_one)
{
    struct rig rig;
    struct read read = {.bucket = "a", .want_token = true};
    struct buffer bytes;
    struct cell cell;

    rig_open(&rig);
    read.path = rig_path("k", NEAP_LWW);
    buffer_init(&bytes, 4096);
    CHECK_OK(read_cell(rig.disk, &read, &bytes));
    cell_init(&cell);
    CHECK_OK(cell_decode(buffer_slice(&bytes), &cell));
    CHECK_EQUAL(cell.count, 0);
    CHECK_EQUAL(read.token.count, 0);
    cell_done(&cell);
    token_done(&read.token);
    buffer_done(&bytes);
    rig_close(&rig);
}

/* `seen` of a later write is this token: it covers what was read, and nothing that came after. */
TEST(the_token_of_a_read_is_the_context_of_that_moment)
{
    struct rig rig;
    struct read read = {.bucket = "a", .want_token = true};
    struct buffer bytes;
    struct shard *shard;

    rig_open(&rig);
    write_one(&rig, rig_add("a", "n", 1));
    write_one(&rig, rig_add("a", "n", 1));
    shard = rig_shard(&rig, "a");
    read.path = rig_path("n", NEAP_COUNTER);
    buffer_init(&bytes, 4096);
    CHECK_OK(read_cell(rig.disk, &read, &bytes));
    write_one(&rig, rig_add("a", "n", 1));
    CHECK_EQUAL(read.token.count, 1);
    CHECK_EQUAL(context_get(token_find(&read.token, shard->id), shard->replica), 2);
    CHECK_OK(read_covered(rig.disk, shard->id, token_find(&read.token, shard->id)));
    token_done(&read.token);
    buffer_done(&bytes);
    rig_close(&rig);
}

/* A peer that is ahead has removed the register, and told of that cell alone. */
static void removed_ahead(struct place *ahead, struct place *behind)
{
    struct slice path = rig_path("x", NEAP_REGISTER);
    struct buffer message;
    struct view view;
    enum taken taken;

    CHECK_OK(place_open(ahead, 1));
    CHECK_OK(place_open(behind, 2));
    CHECK_OK(place_set(ahead, "x", "1"));
    CHECK_OK(place_pull(behind, ahead, 48 << 10));
    CHECK_OK(place_remove(ahead, "x"));
    view = batch_view(ahead->batch);
    buffer_init(&message, WIRE_MAX);
    CHECK_OK(shard_cell_message(ahead->shard, &view, ahead->shard->id, path, &message));
    CHECK_OK(shard_take_cell(behind->shard, behind->batch, buffer_slice(&message), &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_OK(place_commit(ahead));
    CHECK_OK(place_commit(behind));
    buffer_done(&message);
}

/* Else whoever has seen that it is gone could see it again elsewhere. */
TEST(a_token_names_a_removal_that_the_cell_alone_knows_of)
{
    struct place ahead, behind;
    struct buffer bytes;
    struct read read = {.bucket = "b", .want_token = true, .path = rig_path("x", NEAP_REGISTER)};
    struct page_request request = {.bucket = "b", .want_token = true, .size_max = 1000};
    struct page page;

    removed_ahead(&ahead, &behind);
    buffer_init(&bytes, 4096);
    CHECK_OK(read_cell(behind.disk, &read, &bytes));
    CHECK_EQUAL(context_get(&behind.shard->context, 1), 1);
    CHECK_EQUAL(context_get(token_find(&read.token, behind.shard->id), 1), 2);
    page_init(&page, 1000);
    CHECK_OK(page_read(behind.disk, &request, &page));
    CHECK_EQUAL(page.count, 0);
    CHECK_EQUAL(context_get(token_find(&request.token, behind.shard->id), 1), 2);
    page_done(&page);
    token_done(&request.token);
    token_done(&read.token);
    buffer_done(&bytes);
    place_close(&behind);
    place_close(&ahead);
}

TEST(what_is_covered_is_asked_of_the_disk)
{
    struct rig rig;
    struct context context = {0};
    struct shard *shard;

    rig_open(&rig);
    CHECK_OK(read_covered(rig.disk, bucket_id("a"), &context));
    CHECK_OK(context_raise(&context, 7, 1, 1));
    CHECK_ERROR(read_covered(rig.disk, bucket_id("a"), &context), NEAP_END);
    write_one(&rig, rig_add("a", "n", 1));
    shard = rig_shard(&rig, "a");
    CHECK_ERROR(read_covered(rig.disk, shard->id, &context), NEAP_END);
    context_clear(&context);
    CHECK_OK(context_raise(&context, shard->replica, 1, shard->nonce));
    CHECK_OK(read_covered(rig.disk, shard->id, &context));
    CHECK_OK(context_raise(&context, shard->replica, 2, shard->nonce));
    CHECK_ERROR(read_covered(rig.disk, shard->id, &context), NEAP_END);
    context_done(&context);
    rig_close(&rig);
}

TEST(reads_that_cannot_be_are_refused)
{
    struct read read = {.bucket = "a"};
    struct page_request request = {.bucket = "a"};
    struct neap_error error = {0};

    read.path = rig_path("k", NEAP_MAP);
    CHECK_ERROR(read_check(&read, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "a/k"));
    read.path = rig_path("k", NEAP_LWW);
    CHECK_OK(read_check(&read, &error));
    read.level = NEAP_QUORUM;
    CHECK_OK(read_check(&read, &error));
    read.level = NEAP_EACH_QUORUM;
    CHECK_ERROR(read_check(&read, &error), NEAP_REFUSED);
    read.level = (enum neap_level)99;
    CHECK_ERROR(read_check(&read, &error), NEAP_INVALID);
    read.level = NEAP_ONE;
    read.bucket = "";
    CHECK_ERROR(read_check(&read, &error), NEAP_INVALID);
    read.bucket = NULL;
    CHECK_ERROR(read_check(&read, &error), NEAP_INVALID);
    request.level = NEAP_LOCAL_QUORUM;
    CHECK_ERROR(page_check(&request, &error), NEAP_REFUSED);
    request.level = NEAP_ALL;
    request.from = slice_of(&request, 3 * NEAP_PATH_MAX);
    CHECK_ERROR(page_check(&request, &error), NEAP_LIMIT);
    request = (struct page_request){.bucket = "a\n"};
    CHECK_ERROR(page_check(&request, &error), NEAP_INVALID);
}

TEST(a_corrupt_cell_is_an_error_that_names_it)
{
    struct rig rig;
    struct read read = {.bucket = "a"};
    struct buffer bytes;

    rig_open(&rig);
    read.path = rig_path("key", NEAP_LWW);
    buffer_init(&bytes, 4096);
    CHECK_OK(buffer_set(&bytes, slice_text("as it was")));
    disk_mem_fault(rig.disk, DISK_FAULT_GET, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(read_cell(rig.disk, &read, &bytes), NEAP_CORRUPT);
    CHECK(strstr(read.error.text, "a/key"));
    CHECK_SLICE(buffer_slice(&bytes), "as it was");
    buffer_done(&bytes);
    rig_close(&rig);
}

static int read_with_less_memory(void *arg)
{
    struct rig *rig = arg;
    struct read read = {.bucket = "a", .want_token = true};
    struct buffer bytes;
    int error;

    read.path = rig_path("k", NEAP_LWW);
    buffer_init(&bytes, 4096);
    error = read_cell(rig->disk, &read, &bytes);
    if (error && read.token.count)
        error = NEAP_CORRUPT;
    token_done(&read.token);
    buffer_done(&bytes);
    return error;
}

TEST(a_read_short_of_memory_says_so)
{
    struct rig rig;

    rig_open(&rig);
    write_one(&rig, rig_lww("a", "k", "value"));
    test_alloc_sweep(read_with_less_memory, &rig);
    rig_close(&rig);
}
