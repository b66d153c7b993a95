#include "trust/cluster.h"

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
