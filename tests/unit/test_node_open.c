/* Opening by options, as applications do: RocksDB under a temporary directory. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/node.h"
#include "tests/support/rig.h"

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

struct place {
    char directory[64], data[80], cluster[80];
};

static void place_open(struct place *place)
{
    FILE *file;

    snprintf(place->directory, sizeof place->directory, "/tmp/neap-test-XXXXXX");
    CHECK(mkdtemp(place->directory));
    snprintf(place->data, sizeof place->data, "%s/data", place->directory);
    snprintf(place->cluster, sizeof place->cluster, "%s/cluster", place->directory);
    umask(077);
    file = fopen(place->cluster, "w");
    CHECK(file);
    fprintf(file, "cluster = 0000000000000001\nkey = 000102030405060708090a0b0c0d0e0f\n");
    fclose(file);
}

static void place_close(struct place *place)
{
    nftw(place->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int add(struct backend *backend, int64_t number)
{
    struct write_op op = rig_add("a", "n", number);
    struct write write = {.ops = &op, .count = 1};

    return backend->ops->write(backend, &write);
}

static int64_t counter(struct backend *backend)
{
    int64_t number = 0;

    CHECK_OK(rig_counter(((struct node *)backend)->disk, "a", "n", &number));
    return number;
}

TEST(a_directory_keeps_what_was_written)
{
    struct place place;
    struct neap_options options;
    struct backend *backend = NULL, *second = NULL;
    struct neap_error error = {0};
    uint64_t life;

    place_open(&place);
    neap_options_init(&options);
    options.path = place.data;
    options.flags = 0;
    CHECK_ERROR(node_open(&options, &backend, &error), NEAP_NOTFOUND);
    options.flags = NEAP_CREATE;
    CHECK_OK(node_open(&options, &backend, &error));
    CHECK_OK(add(backend, 5));
    CHECK_ERROR(node_open(&options, &second, &error), NEAP_LOCKED);
    life = ((struct node *)backend)->wheel.engine.store.identity.life;
    backend->ops->close(backend);
    CHECK_OK(node_open(&options, &backend, &error));
    CHECK_EQUAL(((struct node *)backend)->wheel.engine.store.identity.life, life);
    CHECK_EQUAL(counter(backend), 5);
    CHECK_OK(add(backend, 1));
    CHECK_EQUAL(counter(backend), 6);
    backend->ops->close(backend);
    options.flags = NEAP_READONLY;
    CHECK_OK(node_open(&options, &backend, &error));
    CHECK_EQUAL(counter(backend), 6);
    CHECK_ERROR(add(backend, 1), NEAP_REFUSED);
    backend->ops->close(backend);
    place_close(&place);
}

TEST(without_a_path_it_is_in_memory)
{
    struct neap_options options;
    struct backend *backend = NULL;

    neap_options_init(&options);
    CHECK_OK(node_open(&options, &backend, NULL));
    CHECK_OK(add(backend, 5));
    CHECK_EQUAL(counter(backend), 5);
    backend->ops->close(backend);
}

static void refused(const struct neap_options *options, int code, const char *field)
{
    struct backend *backend = NULL;
    struct neap_error error = {0};

    CHECK_ERROR(node_open(options, &backend, &error), code);
    if (!strstr(error.text, field))
        test_failed(__FILE__, __LINE__, "%s is not in: %s", field, error.text);
}

TEST(options_that_are_wrong_are_named)
{
    static const char *const users[] = {
        "", "root", "1,", ",1", "1 2", "-1", "4294967295", "99999999999999999999", "*,1"};
    struct place place;
    struct neap_options options;

    place_open(&place);
    neap_options_init(&options);
    options.listen = "ipc:///tmp/x";
    refused(&options, NEAP_INVALID, "listen");
    options.cluster = "/nonexistent";
    refused(&options, NEAP_NOTFOUND, "cluster");
    options.cluster = place.cluster;
    options.listen = "tcp://0.0.0.0:7400";
    refused(&options, NEAP_REFUSED, "listen");
    options.listen = NULL;
    options.peers = "tcp://10.1.1.1:1";
    refused(&options, NEAP_REFUSED, "peers");
    options.peers = "ipc:///tmp/x";
    options.flags |= NEAP_READONLY;
    refused(&options, NEAP_REFUSED, "peers");
    options.flags = NEAP_CREATE;
    options.peers = NULL;
    options.socket = "tcp://10.1.1.1:1";
    refused(&options, NEAP_REFUSED, "socket");
    options.socket = "tcp://127.0.0.1:1";
    refused(&options, NEAP_REFUSED, "socket");
    options.socket = "";
    refused(&options, NEAP_INVALID, "socket");
    options.socket = "/tmp/x";
    options.socket_mode = 01600;
    refused(&options, NEAP_INVALID, "socket_mode");
    options.socket_mode = 0;
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        options.socket_users = users[i];
        refused(&options, NEAP_INVALID, "socket_users");
    }
    place_close(&place);
}

/* Sockets of this process that others can connect to. */
static unsigned sockets_open(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        int accepts = 0;
        socklen_t size = sizeof accepts;

        count += getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts;
    }
    return count;
}

TEST(it_listens_to_nobody_unless_it_is_told_to)
{
    struct neap_options options;
    struct backend *backend;
    struct place place;
    char socket[100];

    place_open(&place);
    neap_options_init(&options);
    CHECK_OK(node_open(&options, &backend, NULL));
    CHECK_EQUAL(sockets_open(), 0);
    backend->ops->close(backend);
    options.cluster = place.cluster; /* nor does one that others are told of */
    options.peers = "tcp://127.0.0.1:1";
    CHECK_OK(node_open(&options, &backend, NULL));
    CHECK_EQUAL(sockets_open(), 0);
    backend->ops->close(backend);
    snprintf(socket, sizeof socket, "%s/socket", place.directory);
    options.socket = socket;
    CHECK_OK(node_open(&options, &backend, NULL));
    CHECK_EQUAL(sockets_open(), 1);
    backend->ops->close(backend);
    CHECK_EQUAL(sockets_open(), 0);
    place_close(&place);
}

TEST(a_client_finds_the_socket)
{
    struct place place;
    struct neap_options options;
    struct backend *backend = NULL, *remote = NULL;
    char path[100];
    struct neap_error error = {0};

    place_open(&place);
    neap_options_init(&options);
    snprintf(path, sizeof path, "%s/socket", place.directory);
    options.socket = path;
    CHECK_OK(node_open(&options, &backend, &error));
    CHECK_OK(remote_open(path, NULL, &remote, &error));
    CHECK_OK(add(remote, 3));
    CHECK_OK(remote->ops->sync(remote));
    CHECK_EQUAL(counter(backend), 3);
    remote->ops->close(remote);
    backend->ops->close(backend);
    place_close(&place);
}
