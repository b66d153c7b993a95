#include "engine/node_session.h"

#include <stdio.h>

#include "base/alloc.h"
#include "crdt/path.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

struct used {
    struct fake fake;
    struct backend *backend;
    uint8_t path[64];
};

static struct slice path_of(struct used *used, const char *key)
{
    struct buffer path = {used->path, 0, sizeof used->path, sizeof used->path};

    CHECK_OK(path_level(&path, slice_text(key), NEAP_COUNTER));
    return buffer_slice(&path);
}

static void used_begin(struct used *used)
{
    fake_init(&used->fake);
    CHECK_OK(session_open(&used->fake.backend, &used->backend));
    used->fake.dot = (struct dot){7, 1};
}

static void used_end(struct used *used)
{
    used->backend->ops->close(used->backend);
    CHECK(used->fake.closed);
    fake_done(&used->fake);
}

static int used_write(struct used *used, const char *bucket, const char *key, enum neap_level level,
                      size_t *ret_parts)
{
    struct write_op op = {.bucket = bucket,
                          .path = path_of(used, key),
                          .op = {.kind = OP_COUNTER_ADD, .number = 1}};
    struct write write = {
        .ops = &op, .count = 1, .level = level, .want_token = ret_parts, .timeout_ms = 9};
    int code;

    token_init(&write.token);
    code = used->backend->ops->write(used->backend, &write);
    if (ret_parts)
        *ret_parts = write.token.count;
    else
        CHECK_EQUAL(write.token.count, 0);
    token_done(&write.token);
    return code;
}

static int used_read(struct used *used, const char *bucket, const char *key, enum neap_level level,
                     const struct token *after)
{
    struct read read = {.bucket = bucket,
                        .path = path_of(used, key),
                        .level = level,
                        .after = after,
                        .timeout_ms = 9};
    struct buffer bytes;
    int code;

    token_init(&read.token);
    buffer_init(&bytes, 64);
    code = used->backend->ops->read(used->backend, &read, &bytes);
    CHECK(read.after == after && !read.want_token);
    CHECK_EQUAL(read.token.count, 0);
    buffer_done(&bytes);
    token_done(&read.token);
    return code;
}

TEST(other_levels_are_handed_through_as_they_are)
{
    struct used used;

    used_begin(&used);
    CHECK_OK(used_write(&used, "b", "k", NEAP_QUORUM, NULL));
    CHECK_EQUAL(used.fake.write.level, NEAP_QUORUM);
    CHECK(!used.fake.write.want_token);
    CHECK_OK(used_read(&used, "b", "k", NEAP_ONE, NULL));
    CHECK(used.fake.read.level == NEAP_ONE && !used.fake.read.want_token);
    CHECK_EQUAL(used.fake.after_parts, 0);
    used_end(&used);
}

TEST(what_is_written_at_the_level_is_waited_for_by_what_follows_at_it)
{
    struct used used;
    size_t parts = 0;

    used_begin(&used);
    CHECK_OK(used_write(&used, "b", "k", NEAP_SESSION, &parts));
    CHECK_EQUAL(parts, 1);
    CHECK(used.fake.write.level == NEAP_ONE && used.fake.write.want_token);
    CHECK_OK(used_read(&used, "b", "other", NEAP_SESSION, NULL));
    CHECK(used.fake.read.level == NEAP_ONE && used.fake.read.want_token);
    CHECK_EQUAL(used.fake.after_parts, 1);
    CHECK_OK(used_write(&used, "b", "k", NEAP_SESSION, NULL));
    CHECK_EQUAL(used.fake.calls, 3);
    CHECK_OK(used_read(&used, "b", "k", NEAP_ONE, NULL));
    CHECK_EQUAL(used.fake.after_parts, 0);
    used_end(&used);
}

TEST(what_a_caller_waits_for_is_waited_for_as_well)
{
    struct used used;
    struct token after;

    used_begin(&used);
    token_init(&after);
    CHECK_OK(token_dot(&after, 5, (struct dot){6, 7}, 8));
    after.ticket = 9;
    CHECK_OK(used_write(&used, "b", "k", NEAP_SESSION, NULL));
    CHECK_OK(used_read(&used, "b", "k", NEAP_SESSION, &after));
    CHECK_EQUAL(used.fake.after_parts, 2);
    CHECK_EQUAL(used.fake.after_ticket, 9);
    token_done(&after);
    used_end(&used);
}

TEST(what_failed_is_not_waited_for)
{
    struct used used;

    used_begin(&used);
    used.fake.code = NEAP_UNCERTAIN;
    CHECK_ERROR(used_write(&used, "b", "k", NEAP_SESSION, NULL), NEAP_UNCERTAIN);
    CHECK_ERROR(used_read(&used, "b", "k", NEAP_SESSION, NULL), NEAP_UNCERTAIN);
    used.fake.code = 0;
    CHECK_OK(used_read(&used, "b", "k", NEAP_SESSION, NULL));
    CHECK_EQUAL(used.fake.after_parts, 0);
    used_end(&used);
}

/* A mesh bucket is one shard, whatever the key; each here has parts of its own. */
TEST(a_session_of_too_many_buckets_says_so_before_it_writes)
{
    struct used used;
    unsigned count = 0;
    int code = 0;
    char name[16];

    used_begin(&used);
    for (; !code && count < 64 * 257; count++) {
        snprintf(name, sizeof name, "b%u", count);
        code = used_write(&used, name, "k", NEAP_SESSION, NULL);
    }
    CHECK_ERROR(code, NEAP_LIMIT);
    CHECK(count > 4000);
    CHECK_EQUAL(used.fake.written, count - 1);
    CHECK_OK(used_write(&used, name, "k", NEAP_ONE, NULL));
    used_end(&used);
}

TEST(a_list_of_all_keys_of_a_ring_is_of_no_session)
{
    struct used used;
    struct page_request request = {.bucket = "b@ring", .level = NEAP_SESSION};
    struct page page;

    used_begin(&used);
    page_init(&page, 64);
    CHECK_ERROR(used.backend->ops->page(used.backend, &request, &page), NEAP_REFUSED);
    request.bucket = "b";
    CHECK_OK(used.backend->ops->page(used.backend, &request, &page));
    CHECK_EQUAL(used.fake.calls, 1);
    token_done(&request.token);
    page_done(&page);
    used_end(&used);
}

TEST(a_ring_s_keys_are_known_by_their_slots)
{
    struct used used;
    unsigned parts = 0;
    char name[16];

    used_begin(&used);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "k%u", i);
        CHECK_OK(used_read(&used, "b@ring", name, NEAP_SESSION, NULL));
        parts += (unsigned)used.fake.after_parts;
    }
    CHECK(parts > 900); /* the fake calls all of them one shard: each class gets it once */
    CHECK(parts < 1000);
    used_end(&used);
}
