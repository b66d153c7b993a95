/* Opening, closing, and handles that only read. */
#include "tests/api/both.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_at(const char *path, unsigned flags, struct neap **ret_neap,
                   struct neap_error *error)
{
    struct neap_options options;

    neap_options_init(&options);
    options.path = path;
    options.flags = flags;
    return neap_open(&options, ret_neap, error);
}

TEST(a_directory_is_made_only_when_asked_for_and_keeps_what_was_written)
{
    struct neap_place at = place_of("b", "k");
    struct neap_error error = {0};
    struct neap *neap = NULL, *second = NULL;
    char folder[200], path[256];
    int64_t value = 0;

    snprintf(path, sizeof path, "%s/db", path_new(folder, sizeof folder));
    CHECK_ERROR(open_at(path, 0, &neap, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, path));
    CHECK_OK(open_at(path, NEAP_CREATE, &neap, &error));
    CHECK_OK(neap_counter_add(neap, &at, 5, NULL));
    CHECK_ERROR(open_at(path, 0, &second, &error), NEAP_LOCKED);
    CHECK(strstr(error.text, path));
    CHECK(!second);
    neap_close(neap);
    CHECK_OK(open_at(path, 0, &neap, &error));
    CHECK_OK(neap_counter_get(neap, &at, &value, NULL));
    CHECK_EQUAL(value, 5);
    neap_close(neap);
    path_remove(folder);
}

TEST(a_handle_for_reading_reads_and_refuses_to_write)
{
    struct neap_call call = {.size = sizeof call};
    struct neap_place at = place_of("b", "k");
    struct neap_error error = {0};
    struct neap_batch *batch;
    struct neap *neap;
    char folder[200], path[256];
    int64_t value = 0;

    call.ret_error = &error;
    snprintf(path, sizeof path, "%s/db", path_new(folder, sizeof folder));
    CHECK_OK(open_at(path, NEAP_CREATE, &neap, &error));
    CHECK_OK(neap_counter_add(neap, &at, 5, NULL));
    neap_close(neap);
    CHECK_OK(open_at(path, NEAP_READONLY, &neap, &error));
    CHECK_OK(neap_counter_get(neap, &at, &value, NULL));
    CHECK_EQUAL(value, 5);
    CHECK_ERROR(neap_counter_add(neap, &at, 5, &call), NEAP_REFUSED);
    CHECK(strstr(error.text, "NEAP_READONLY"));
    CHECK_ERROR(neap_batch_new(neap, &batch), NEAP_REFUSED);
    neap_close(neap);
    path_remove(folder);
}

TEST(what_a_node_cannot_be_opened_with_is_told)
{
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap = NULL;
    char folder[200], path[256];

    snprintf(path, sizeof path, "%s/cluster", path_new(folder, sizeof folder));
    neap_options_init(&options);
    options.cluster = path;
    options.listen = "tcp://127.0.0.1:0";
    CHECK_ERROR(neap_open(&options, &neap, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, path));
    options.listen = "tcp://192.0.2.1:7400";
    CHECK_ERROR(neap_open(&options, &neap, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "192.0.2.1"));
    neap_options_init(&options);
    options.socket = "tcp://192.0.2.1:7400";
    CHECK_ERROR(neap_open(&options, &neap, &error), NEAP_REFUSED);
    CHECK(!neap);
    path_remove(folder);
}

TEST(where_it_cannot_listen_is_unavailable_and_no_address_is_invalid)
{
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap = NULL, *second = NULL;
    char folder[200], path[256];

    snprintf(path, sizeof path, "%s/socket", path_new(folder, sizeof folder));
    neap_options_init(&options);
    options.socket = path;
    CHECK_OK(neap_open(&options, &neap, &error));
    CHECK_ERROR(neap_open(&options, &second, &error), NEAP_UNAVAILABLE);
    CHECK(strstr(error.text, path));
    neap_close(neap);
    snprintf(path, sizeof path, "%s/none/socket", folder);
    CHECK_ERROR(neap_open(&options, &second, &error), NEAP_UNAVAILABLE);
    options.socket = "tcp://127.0.0.1:7400"; /* of any user of this machine */
    CHECK_ERROR(neap_open(&options, &second, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "Unix socket"));
    CHECK_ERROR(neap_connect(options.socket, &second, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "tls+tcp://HOST:PORT"));
    CHECK(!second);
    path_remove(folder);
}

TEST(nobody_listens_where_nobody_listens)
{
    struct neap_error error = {0};
    struct neap *neap;
    char folder[200], path[256];

    snprintf(path, sizeof path, "%s/socket", path_new(folder, sizeof folder));
    CHECK_ERROR(neap_connect(path, &neap, &error), NEAP_UNAVAILABLE);
    CHECK(strstr(error.text, path));
    path_remove(folder);
}

/* The real way: a node with a socket, and a client of it in the same process. */
TEST(a_client_of_a_socket_does_what_the_node_does)
{
    struct neap_place at = place_of("b", "k");
    struct neap_options options;
    struct neap_error error = {0};
    struct neap_buffer value = {0};
    struct neap *node, *client;
    char folder[200], path[256];

    snprintf(path, sizeof path, "%s/socket", path_new(folder, sizeof folder));
    neap_options_init(&options);
    options.socket = path;
    CHECK_OK(neap_open(&options, &node, &error));
    CHECK_OK(neap_connect(path, &client, &error));
    CHECK_OK(neap_lww_set(client, &at, bytes_of("over a socket"), NULL));
    CHECK_OK(neap_lww_get(node, &at, &value, NULL));
    CHECK_TEXT(value.data, "over a socket");
    CHECK_OK(neap_lww_get(client, &at, &value, NULL));
    CHECK_TEXT(value.data, "over a socket");
    neap_close(client);
    neap_close(node);
    neap_buffer_free(&value);
    path_remove(folder);
}

/* The node is started again, and its clients go on. */
TEST(a_client_connects_again_by_itself)
{
    struct neap_place at = place_of("b", "k");
    struct neap_options options;
    struct neap_buffer value = {0};
    struct neap *node, *client;
    char folder[200], path[256];

    snprintf(path, sizeof path, "%s/socket", path_new(folder, sizeof folder));
    neap_options_init(&options);
    options.socket = path;
    CHECK_OK(neap_open(&options, &node, NULL));
    CHECK_OK(neap_connect(path, &client, NULL));
    neap_close(node);
    CHECK_ERROR(neap_lww_get(client, &at, &value, NULL), NEAP_UNAVAILABLE);
    CHECK_ERROR(neap_lww_set(client, &at, bytes_of("v"), NULL), NEAP_UNAVAILABLE);
    CHECK_OK(neap_open(&options, &node, NULL));
    CHECK_OK(neap_lww_set(client, &at, bytes_of("v"), NULL));
    neap_close(node);
    CHECK_OK(neap_open(&options, &node, NULL));
    /* What ended before anything was sent leaves no doubt, even about a write. */
    CHECK_OK(neap_lww_set(client, &at, bytes_of("w"), NULL));
    CHECK_OK(neap_lww_get(client, &at, &value, NULL));
    CHECK_TEXT(value.data, "w");
    neap_close(client);
    neap_close(node);
    neap_buffer_free(&value);
    path_remove(folder);
}

static int open_sweep(void *argument)
{
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap;
    int code;

    (void)argument;
    neap_options_init(&options);
    code = neap_open(&options, &neap, &error);
    if (code) {
        CHECK_EQUAL(error.code, code);
        CHECK(error.text[0]);
        return code;
    }
    neap_close(neap);
    return 0;
}

TEST(opening_survives_failed_allocations)
{
    test_alloc_sweep(open_sweep, NULL);
}
