#include "trust/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/support/trusted.h"
#include "trust/secret.h"

enum { CLUSTER = 0xc1 };

static const struct principal node = {.kind = PRINCIPAL_NODE, .cluster = CLUSTER, .id = 0xa1};

struct place {
    struct trusted trusted;
    char path[40];
};

static void setup(struct place *place, const struct principal *principal)
{
    char folder[] = "/tmp/neap-test-XXXXXX";

    trusted_open(&place->trusted, CLUSTER);
    CHECK(mkdtemp(folder) && !rmdir(folder));
    snprintf(place->path, sizeof place->path, "%s", folder);
    trusted_directory(&place->trusted, principal, place->path);
}

static void teardown(struct place *place)
{
    trusted_directory_remove(place->path);
    trusted_close(&place->trusted);
}

/* What is wrong now: the code is `code`, and the text says `says`. */
static void refused(const struct place *place, int code, const char *says)
{
    struct credentials *credentials = NULL;
    struct neap_error error = {0};

    CHECK_ERROR(credentials_open(place->path, &credentials, &error), code);
    if (!strstr(error.text, says) || !strstr(error.text, place->path))
        test_failed(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error.text, says);
    CHECK(!credentials);
}

TEST(a_directory_that_is_not_there_says_which_file_is_missing)
{
    struct credentials *credentials = NULL;
    struct neap_error error = {0};

    CHECK_ERROR(credentials_open("/nowhere", &credentials, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, "/nowhere/ca.pem"));
    CHECK(credentials == NULL);
    credentials_close(NULL);
}

TEST(a_directory_says_who_it_is_for)
{
    struct credentials *credentials;
    uint64_t from_ms, until_ms, now_ms = trusted_now_s() * 1000;
    struct place place;

    setup(&place, &node);
    CHECK_OK(credentials_open(place.path, &credentials, NULL));
    CHECK(principal_equal(credentials_principal(credentials), &node));
    CHECK(credentials_has_cluster(credentials));
    CHECK_EQUAL(credentials_cluster(credentials)->id, CLUSTER);
    CHECK_EQUAL(credentials_cluster(credentials)->key.bytes[15], 15);
    CHECK_TEXT(credentials_directory(credentials), place.path);
    credentials_validity(credentials, &from_ms, &until_ms);
    CHECK(from_ms < now_ms && until_ms > now_ms + 300 * 86400000ull);
    credentials_close(credentials_hold(credentials));
    CHECK_EQUAL(credentials_principal(credentials)->id, 0xa1);
    credentials_close(credentials);
    teardown(&place);
}

TEST(a_key_that_others_may_read_is_refused)
{
    struct place place;
    char path[80];

    setup(&place, &node);
    snprintf(path, sizeof path, "%s/" CREDENTIALS_KEY, place.path);
    CHECK(!chmod(path, 0640));
    refused(&place, NEAP_REFUSED, "chmod 600");
    CHECK(!chmod(path, 0600));
    snprintf(path, sizeof path, "%s/" CREDENTIALS_CLUSTER, place.path);
    CHECK(!chmod(path, 0604));
    refused(&place, NEAP_REFUSED, "chmod 600");
    teardown(&place);
}

TEST(parts_that_do_not_belong_together_are_refused)
{
    struct buffer certificate, key;
    struct trusted other;
    struct place place;

    setup(&place, &node);
    trusted_issue(&place.trusted, &node, NULL, &certificate, &key);
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    refused(&place, NEAP_INVALID, "node.key is not the key of node.pem");
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&certificate), 0600);
    refused(&place, NEAP_INVALID, "node.key is not a key");
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    trusted_file(place.path, CREDENTIALS_CERTIFICATE, buffer_slice(&key), 0600);
    refused(&place, NEAP_INVALID, "node.pem is not a certificate");
    trusted_file(place.path, CREDENTIALS_CERTIFICATE, buffer_slice(&place.trusted.ca), 0600);
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&place.trusted.ca_key), 0600);
    refused(&place, NEAP_INVALID, "does not say who it is for");
    trusted_file(place.path, CREDENTIALS_CERTIFICATE, buffer_slice(&certificate), 0600);
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    trusted_file(place.path, CREDENTIALS_CA, buffer_slice(&certificate), 0600);
    refused(&place, NEAP_INVALID, "ca.pem");
    trusted_file(place.path, CREDENTIALS_CA, slice_text("what?"), 0600);
    refused(&place, NEAP_INVALID, "ca.pem) is not a certificate");
    trusted_open(&other, CLUSTER);
    trusted_file(place.path, CREDENTIALS_CA, buffer_slice(&other.ca), 0600);
    refused(&place, NEAP_INVALID, "not signed by");
    trusted_close(&other);
    trusted_file(place.path, CREDENTIALS_CA, buffer_slice(&place.trusted.ca), 0600);
    trusted_file(place.path, CREDENTIALS_CLUSTER,
                 slice_text("cluster = 00000000000000c2\nkey = 000102030405060708090a0b0c0d0e0f"),
                 0600);
    refused(&place, NEAP_INVALID, "another cluster");
    buffer_done(&certificate);
    secret_done(&key);
    teardown(&place);
}

TEST(only_clients_may_lack_the_file_of_the_cluster)
{
    struct principal client = {.kind = PRINCIPAL_CLIENT, .cluster = CLUSTER, .id = 0xa2};
    struct credentials *credentials;
    struct place place;
    char path[80];

    setup(&place, &node);
    snprintf(path, sizeof path, "%s/" CREDENTIALS_CLUSTER, place.path);
    CHECK(!unlink(path));
    refused(&place, NEAP_NOTFOUND, "cluster");
    teardown(&place);
    setup(&place, &client);
    snprintf(path, sizeof path, "%s/" CREDENTIALS_CLUSTER, place.path);
    CHECK(!unlink(path));
    CHECK_OK(credentials_open(place.path, &credentials, NULL));
    CHECK(!credentials_has_cluster(credentials));
    CHECK_EQUAL(credentials_cluster(credentials)->id, CLUSTER);
    credentials_close(credentials);
    teardown(&place);
}

TEST(what_is_read_again_is_of_the_same_owner)
{
    struct principal other = {.kind = PRINCIPAL_NODE, .cluster = CLUSTER, .id = 0xa2};
    struct credentials *before, *after = NULL;
    struct buffer certificate, key;
    struct neap_error error = {0};
    struct place place;

    setup(&place, &node);
    CHECK_OK(credentials_open(place.path, &before, NULL));
    trusted_issue(&place.trusted, &node, NULL, &certificate, &key);
    trusted_file(place.path, CREDENTIALS_CERTIFICATE, buffer_slice(&certificate), 0644);
    CHECK_ERROR(credentials_reload(before, &after, &error), NEAP_INVALID);
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    CHECK_OK(credentials_reload(before, &after, NULL));
    credentials_close(after);
    buffer_done(&certificate);
    secret_done(&key);
    after = NULL;
    trusted_issue(&place.trusted, &other, NULL, &certificate, &key);
    trusted_file(place.path, CREDENTIALS_CERTIFICATE, buffer_slice(&certificate), 0644);
    trusted_file(place.path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    CHECK_ERROR(credentials_reload(before, &after, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "somebody else"));
    CHECK(!after);
    credentials_close(before);
    buffer_done(&certificate);
    secret_done(&key);
    teardown(&place);
}

static int opened(void *argument)
{
    struct credentials *credentials = NULL;
    int code = credentials_open(argument, &credentials, NULL);

    CHECK(!code == !!credentials);
    credentials_close(credentials);
    return code;
}

TEST(credentials_without_memory_are_an_error)
{
    struct place place;

    setup(&place, &node);
    test_alloc_sweep(opened, place.path);
    teardown(&place);
}
