#include "trust/principal.h"

#include <stdio.h>

#include "base/alloc.h"
#include "tests/support/test.h"

#define CLUSTER "neap://0123456789abcdef/"

static int add(struct principal *principal, const char *uri)
{
    return principal_add(principal, slice_text(uri));
}

TEST(the_first_uri_names_and_the_others_give)
{
    struct principal till = {0};
    char text[PRINCIPAL_TEXT_MAX];

    CHECK_OK(add(&till, CLUSTER "device/00c0ffee00c0ffee"));
    CHECK_EQUAL(till.kind, PRINCIPAL_DEVICE);
    CHECK(till.cluster == 0x0123456789abcdef && till.id == 0x00c0ffee00c0ffee);
    CHECK_OK(add(&till, CLUSTER "read/prices"));
    CHECK_OK(add(&till, CLUSTER "write/sales"));
    CHECK_EQUAL(principal_may(&till, "prices"), RIGHT_READ);
    CHECK_EQUAL(principal_may(&till, "sales"), RIGHT_READ | RIGHT_WRITE);
    CHECK_EQUAL(principal_may(&till, "salaries"), 0);
    CHECK_EQUAL(principal_may(&till, "price"), 0);
    CHECK_EQUAL(principal_may(&till, ""), 0);
    CHECK_TEXT(principal_text(&till, text), "device/00c0ffee00c0ffee");
    principal_done(&till);
    CHECK_TEXT(principal_text(&till, text), "nobody");
}

TEST(a_star_is_every_bucket_and_what_is_given_twice_adds_up)
{
    struct principal client = {0};

    CHECK_OK(add(&client, CLUSTER "client/0000000000000001"));
    CHECK_OK(add(&client, CLUSTER "read/*"));
    CHECK_EQUAL(principal_may(&client, "anything"), RIGHT_READ);
    CHECK_OK(add(&client, CLUSTER "read/orders"));
    CHECK_OK(add(&client, CLUSTER "write/orders"));
    CHECK_EQUAL(client.rights_count, 2);
    CHECK_EQUAL(principal_may(&client, "orders"), RIGHT_READ | RIGHT_WRITE);
    principal_done(&client);
}

TEST(nodes_and_who_is_local_may_everything_and_a_token_nothing)
{
    struct principal node = {0}, token = {0}, nobody = {0};

    CHECK_OK(add(&node, CLUSTER "node/0000000000000007"));
    CHECK_ERROR(add(&node, CLUSTER "read/a"), NEAP_INVALID);
    CHECK_EQUAL(principal_may(&node, "a"), RIGHT_READ | RIGHT_WRITE);
    CHECK_EQUAL(principal_may(&nobody, "a"), RIGHT_READ | RIGHT_WRITE);
    CHECK_OK(add(&token, CLUSTER "join/0000000000000008"));
    CHECK_OK(add(&token, CLUSTER "write/*"));
    CHECK_EQUAL(principal_may(&token, "a"), 0);
    principal_done(&token);
}

TEST(what_is_not_of_the_form_is_refused_and_changes_nothing)
{
    static const char *const names[] = {
        "",
        "neap://",
        "http://0123456789abcdef/node/0000000000000001",
        "neap://0123456789abcde/node/0000000000000001",
        "neap://0123456789abcdef0/node/0000000000000001",
        "neap://0123456789ABCDEF/node/0000000000000001",
        "neap://0000000000000000/node/0000000000000001",
        CLUSTER "node",
        CLUSTER "node/",
        CLUSTER "node/1",
        CLUSTER "node/0000000000000000",
        CLUSTER "node/0000000000000001/",
        CLUSTER "node/000000000000000g",
        CLUSTER "Node/0000000000000001",
        CLUSTER "king/0000000000000001",
        CLUSTER "read/a",
    };
    static const char *const rights[] = {
        CLUSTER "client/0000000000000001",
        CLUSTER "device/0000000000000002",
        "neap://0123456789abcdee/read/a",
        CLUSTER "read/",
        CLUSTER "read",
        CLUSTER "admin/a",
        CLUSTER "read/a/b",
        CLUSTER "read/%2F",
        CLUSTER "read/%00",
        CLUSTER "read/%61",
        CLUSTER "read/%e2",
        CLUSTER "read/%",
        CLUSTER "read/%4",
        CLUSTER "read/%2A",
        CLUSTER "read/a b",
        CLUSTER "read/**",
    };
    struct principal principal = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_ERROR(add(&principal, names[i]), NEAP_INVALID);
    CHECK_ERROR(principal_add(&principal, slice_of(CLUSTER "node/000000000000000\0", 45)),
                NEAP_INVALID);
    CHECK_EQUAL(principal.kind, PRINCIPAL_NONE);
    CHECK_OK(add(&principal, CLUSTER "device/0000000000000001"));
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        CHECK_ERROR(add(&principal, rights[i]), NEAP_INVALID);
    CHECK(principal.kind == PRINCIPAL_DEVICE && principal.id == 1 && principal.rights_count == 0);
    principal_done(&principal);
}

TEST(what_is_read_is_what_is_written_again)
{
    static const char *const uris[] = {CLUSTER "device/fedcba9876543210", CLUSTER "read/a-b_c.d~E9",
                                       CLUSTER "write/K%C3%A4se%20%25%2A", CLUSTER "read/*"};
    struct principal principal = {0};
    char text[PRINCIPAL_URI_MAX];

    CHECK(!principal_uri(&principal, 0, text));
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(add(&principal, uris[i]));
    for (size_t i = 0; i < 4; i++) {
        CHECK(principal_uri(&principal, i, text));
        CHECK_TEXT(text, uris[i]);
    }
    CHECK(!principal_uri(&principal, 4, text));
    CHECK_EQUAL(principal_may(&principal, "Käse %*"), RIGHT_READ | RIGHT_WRITE);
    principal_done(&principal);
}

TEST(the_longest_bucket_has_room_and_a_longer_one_is_refused)
{
    struct principal principal = {0};
    char uri[PRINCIPAL_URI_MAX + 3] = CLUSTER "write/", again[PRINCIPAL_URI_MAX];
    size_t size = strlen(uri);

    CHECK_OK(add(&principal, CLUSTER "device/0000000000000001"));
    for (size_t i = 0; i < 255; i++, size += 3)
        memcpy(uri + size, "%FF", 4);
    CHECK_OK(add(&principal, uri));
    CHECK(principal_uri(&principal, 1, again));
    CHECK_TEXT(again, uri);
    memcpy(uri + size, "a", 2);
    CHECK_ERROR(add(&principal, uri), NEAP_INVALID);
    principal_done(&principal);
}

TEST(rights_have_a_limit)
{
    struct principal principal = {0};
    char uri[PRINCIPAL_URI_MAX];

    CHECK_OK(add(&principal, CLUSTER "device/0000000000000001"));
    for (int i = 0; i < PRINCIPAL_RIGHTS_MAX; i++) {
        snprintf(uri, sizeof uri, CLUSTER "read/b%d", i);
        CHECK_OK(add(&principal, uri));
    }
    CHECK_ERROR(add(&principal, CLUSTER "read/more"), NEAP_LIMIT);
    CHECK_EQUAL(principal_may(&principal, "more"), 0);
    principal_done(&principal);
}

static int copied(void *argument)
{
    struct principal from = {0}, to = {.id = 5};
    int error;

    (void)argument;
    CHECK_OK(add(&from, CLUSTER "client/0000000000000001"));
    error = add(&from, CLUSTER "read/a");
    if (error)
        CHECK_EQUAL(principal_may(&from, "a"), 0);
    if (!error)
        error = principal_copy(&from, &to);
    if (error) {
        CHECK_EQUAL(to.id, 5);
    } else {
        CHECK(principal_equal(&from, &to));
        CHECK_EQUAL(principal_may(&to, "a"), RIGHT_READ);
        principal_done(&to);
    }
    principal_done(&from);
    return error;
}

TEST(a_copy_is_whole_or_not_at_all)
{
    test_alloc_sweep(copied, NULL);
}
