#include "engine/node_cluster.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"

#define KEY "000102030405060708090a0b0c0d0e0f"

static int parse(const char *text, struct cluster *ret_cluster, struct neap_error *error)
{
    return cluster_parse(text, "FILE", ret_cluster, error);
}

TEST(a_cluster_file_is_two_lines_and_comments)
{
    struct cluster cluster = {0};

    CHECK_OK(parse("# made by neap\n\n cluster = 00000000000000ff # id\nkey=" KEY KEY "\n",
                   &cluster, NULL));
    CHECK_EQUAL(cluster.id, 255);
    CHECK_EQUAL(cluster.key.bytes[15], 15);
    CHECK_OK(parse("key = " KEY "\r\ncluster = 1234567890abcdef", &cluster, NULL));
    CHECK_EQUAL(cluster.id, 0x1234567890abcdef);
}

TEST(a_cluster_file_that_is_wrong_says_where)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "`cluster` is missing"},
        {"cluster = 00000000000000ff", "`key` is missing"},
        {"key = " KEY, "`cluster` is missing"},
        {"cluster = ff\nkey = " KEY, "16 hex digits"},
        {"cluster = 0000000000000000\nkey = " KEY, "not 0"},
        {"cluster = 00000000000000fg\nkey = " KEY, "16 hex digits"},
        {"cluster = 00000000000000ff0\nkey = " KEY, "16 hex digits"},
        {"cluster = 00000000000000ff\nkey = 00", "hex digits"},
        {"cluster = 00000000000000ff\nkey = " KEY "\nmore = 1", "more is not known"},
        {"cluster", "NAME = VALUE"},
    };
    struct cluster cluster = {.id = 42};
    struct neap_error error = {0};
    char line[400];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_ERROR(parse(cases[i].text, &cluster, &error), NEAP_INVALID);
        if (!strstr(error.text, cases[i].says))
            test_failed(__FILE__, __LINE__, "%s: %s", cases[i].text, error.text);
        CHECK(strstr(error.text, "FILE"));
    }
    memset(line, '#', sizeof line);
    line[sizeof line - 1] = '\0';
    CHECK_ERROR(parse(line, &cluster, &error), NEAP_INVALID);
    CHECK_EQUAL(cluster.id, 42);
}

TEST(a_cluster_file_is_secret)
{
    char path[] = "/tmp/neap-test-XXXXXX";
    int file = mkstemp(path);
    struct cluster cluster = {0};
    struct neap_error error = {0};
    static const char text[] = "cluster = 00000000000000ff\nkey = " KEY "\n";

    CHECK(file >= 0);
    CHECK(write(file, text, sizeof text - 1) == sizeof text - 1);
    close(file);
    CHECK_OK(cluster_read(path, &cluster, &error));
    CHECK_EQUAL(cluster.id, 255);
    CHECK(!chmod(path, 0640));
    CHECK_ERROR(cluster_read(path, &cluster, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "chmod 600"));
    CHECK(!chmod(path, 0604));
    CHECK_ERROR(cluster_read(path, &cluster, &error), NEAP_REFUSED);
    unlink(path);
    CHECK_ERROR(cluster_read(path, &cluster, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, path));
    CHECK_ERROR(cluster_read("/", &cluster, &error), NEAP_INVALID);
}

TEST(peers_are_addresses_with_commas)
{
    struct peer_list list;

    CHECK_OK(peer_list_read(NULL, NULL, &list, NULL));
    CHECK_EQUAL(list.count, 0);
    CHECK_OK(peer_list_read("", NULL, &list, NULL));
    CHECK_EQUAL(list.count, 0);
    CHECK_OK(peer_list_read("tcp://127.0.0.1:1, ipc:///tmp/x ,tcp://127.0.0.1:2",
                            "tcp://127.0.0.1:1", &list, NULL));
    CHECK_EQUAL(list.count, 2);
    CHECK_TEXT(list.addresses[0], "ipc:///tmp/x");
    CHECK_TEXT(list.addresses[1], "tcp://127.0.0.1:2");
    peer_list_done(&list);
}

TEST(peers_that_are_wrong_are_named)
{
    struct peer_list list;
    struct neap_error error = {0};
    char many[2000];
    size_t used = 0;

    CHECK_ERROR(peer_list_read("tcp://127.0.0.1:1,,", NULL, &list, &error), NEAP_INVALID);
    CHECK_ERROR(peer_list_read(",", NULL, &list, &error), NEAP_INVALID);
    CHECK_ERROR(peer_list_read("tcp://10.0.0.1:1", NULL, &list, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "10.0.0.1"));
    CHECK_ERROR(peer_list_read("ipc://a,ipc://a", NULL, &list, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "twice"));
    for (int i = 0; i <= PEERS_MAX / 2; i++)
        used += (size_t)snprintf(many + used, sizeof many - used, "%sipc://%d", i ? "," : "", i);
    CHECK_ERROR(peer_list_read(many, NULL, &list, &error), NEAP_LIMIT);
    CHECK_EQUAL(list.count, 0);
}

static int peers_with_less_memory(void *arg)
{
    struct peer_list list;
    int error = peer_list_read("ipc://a,ipc://b", NULL, &list, NULL);

    (void)arg;
    peer_list_done(&list);
    return error;
}

TEST(peers_short_of_memory_say_so)
{
    test_alloc_sweep(peers_with_less_memory, NULL);
}
