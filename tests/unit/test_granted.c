#include "engine/granted.h"

#include <string.h>

#include "store/store.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

static int be(struct principal *principal, const char *name)
{
    static const char *const uris[] = {"neap://0000000000000005/write/b",
                                       "neap://0000000000000005/read/news",
                                       "neap://0000000000000005/read/*"};
    bool all = !strcmp(name, "neap://0000000000000005/client/0000000000000009");
    int error = principal_add(principal, slice_text(name));
    for (size_t i = 0; i < (all ? 3 : 2) && !error && !strstr(name, "/node/"); i++)
        error = principal_add(principal, slice_text(uris[i]));
    return error;
}

struct client {
    struct fake fake;
    struct principal principal;
    struct granted granted;
};

static void client_begin(struct client *client, const char *name)
{
    *client = (struct client){0};
    fake_init(&client->fake);
    if (name)
        CHECK_OK(be(&client->principal, name));
    granted_init(&client->granted, &client->fake.backend, &client->principal);
}

static void client_end(struct client *client)
{
    principal_done(&client->principal);
    fake_done(&client->fake);
}

static int client_write(struct client *client, const char *bucket, const char *other,
                        struct neap_error *ret_error)
{
    struct write_op ops[2] = {{.bucket = bucket}, {.bucket = other}};
    struct write write = {.ops = ops, .count = 2};
    int code = client->granted.backend.ops->write(&client->granted.backend, &write);
    *ret_error = write.error;
    return code;
}

static int client_read(struct client *client, const char *bucket, struct neap_error *ret_error)
{
    struct read read = {.bucket = bucket};
    struct buffer cell;
    buffer_init(&cell, 1 << 10);
    int code = client->granted.backend.ops->read(&client->granted.backend, &read, &cell);
    buffer_done(&cell);
    *ret_error = read.error;
    return code;
}

static int client_page(struct client *client, const char *bucket, bool stats)
{
    struct page_request request = {.bucket = bucket, .stats = stats};
    struct page page;
    page_init(&page, 1 << 10);
    int code = client->granted.backend.ops->page(&client->granted.backend, &request, &page);
    page_done(&page);
    return code;
}

static int client_admin(struct client *client, struct neap_error *ret_error)
{
    static const char *const words[] = {"status"};
    struct buffer json;
    buffer_init(&json, 1 << 10);
    int code =
        client->granted.backend.ops->admin(&client->granted.backend, 1, words, &json, ret_error);
    buffer_done(&json);
    return code;
}

TEST(a_client_does_what_its_certificate_gives)
{
    struct neap_error error;
    struct client client;
    client_begin(&client, "neap://0000000000000005/client/0000000000000007");
    CHECK_OK(client_write(&client, "b", "b", &error));
    CHECK_OK(client_read(&client, "b", &error));
    CHECK_OK(client_read(&client, "news", &error));
    unsigned calls = client.fake.calls;
    CHECK_ERROR(client_write(&client, "b", "news", &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "may not write to bucket news"));
    CHECK(strstr(error.text, "client/0000000000000007"));
    CHECK_ERROR(client_read(&client, "secret", &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "may not read bucket secret"));
    CHECK_ERROR(client_page(&client, "secret", false), NEAP_REFUSED);
    CHECK_ERROR(client_page(&client, "b", true), NEAP_REFUSED);
    CHECK_ERROR(client_admin(&client, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "Unix socket"));
    CHECK_EQUAL(client.fake.calls, calls); /* none of these came through */
    CHECK_EQUAL(client.granted.refused, 5);
    client_end(&client);
}

static void token_of(struct token *token, const char *bucket)
{
    CHECK_OK(token_dot(token, bucket_id(bucket), (struct dot){1, 1}, 1));
}

/* By each of the three ways that a token comes. */
static void waits(struct client *client, const struct token *token, int code)
{
    struct backend *backend = &client->granted.backend;
    struct read read = {.bucket = "b", .after = token};
    struct page_request request = {.bucket = "b", .after = token};
    struct neap_error error;
    struct buffer cell;
    struct page page;
    unsigned calls = client->fake.calls;
    buffer_init(&cell, 1 << 10);
    page_init(&page, 1 << 10);
    CHECK_ERROR(backend->ops->read(backend, &read, &cell), code);
    CHECK_ERROR(backend->ops->page(backend, &request, &page), code);
    CHECK_ERROR(backend->ops->wait(backend, token, NEAP_ONE, 0, &error), code);
    CHECK_EQUAL(client->fake.calls, calls + (code ? 0 : 3));
    if (code) {
        CHECK(strstr(error.text, "may not wait") && strstr(error.text, "client/"));
        CHECK(strstr(read.error.text, "may not wait") &&
              strstr(request.error.text, "may not wait"));
    }
    buffer_done(&cell);
    page_done(&page);
}

TEST(a_client_waits_only_for_what_it_may_read)
{
    struct client client;
    struct token token;
    token_init(&token);
    client_begin(&client, "neap://0000000000000005/client/0000000000000007");
    waits(&client, &token, 0);
    token_of(&token, "b");
    token_of(&token, "news");
    waits(&client, &token, 0);
    token_of(&token, "secret");
    waits(&client, &token, NEAP_REFUSED);
    CHECK_EQUAL(client.granted.refused, 3);
    client_end(&client);
    client_begin(&client, "neap://0000000000000005/client/0000000000000009"); /* reads all */
    waits(&client, &token, 0);
    token_of(&token, SYSTEM_BUCKET);
    waits(&client, &token, NEAP_REFUSED);
    client_end(&client);
    client_begin(&client, "neap://0000000000000005/node/0000000000000007");
    waits(&client, &token, 0);
    client_end(&client);
    client_begin(&client, NULL);
    waits(&client, &token, 0);
    client_end(&client);
    token_done(&token);
}

TEST(a_client_is_not_told_in_words_how_a_write_of_others_went)
{
    static const char *const who[] = {"neap://0000000000000005/client/0000000000000007", NULL};
    for (size_t i = 0; i < 2; i++) {
        struct neap_error error = {0};
        struct client client;
        struct token token;
        token_init(&token);
        token.ticket = 7;
        client_begin(&client, who[i]);
        client.fake.code = NEAP_LIMIT;
        client.fake.text = "secret/key is too large";
        CHECK_ERROR(
            client.granted.backend.ops->wait(&client.granted.backend, &token, NEAP_ONE, 0, &error),
            NEAP_LIMIT);
        CHECK_TEXT(error.text, i ? client.fake.text : error_text(NEAP_LIMIT));
        client_end(&client);
        token_done(&token);
    }
}

TEST(all_buckets_are_not_those_of_the_system)
{
    struct neap_error error;
    struct client client;
    client_begin(&client, "neap://0000000000000005/client/0000000000000009");
    CHECK_OK(client_read(&client, "secret", &error));
    CHECK_ERROR(client_read(&client, "_system", &error), NEAP_REFUSED);
    client_end(&client);
}

TEST(a_token_gives_nothing)
{
    struct neap_error error;
    struct client client;
    client_begin(&client, "neap://0000000000000005/join/0000000000000007");
    CHECK_ERROR(client_read(&client, "b", &error), NEAP_REFUSED);
    CHECK_ERROR(client_write(&client, "b", "b", &error), NEAP_REFUSED);
    client_end(&client);
}

TEST(nodes_and_whoever_comes_by_the_socket_do_everything)
{
    static const char *const who[] = {NULL, "neap://0000000000000005/node/0000000000000007"};
    struct neap_error error;
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        client_begin(&client, who[i]);
        client.fake.json = "{}";
        CHECK_OK(client_write(&client, "b", "secret", &error));
        CHECK_OK(client_read(&client, "_system", &error));
        CHECK_OK(client_admin(&client, &error));
        CHECK_EQUAL(client.granted.refused, 0);
        client_end(&client);
    }
}
