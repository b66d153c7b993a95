#include "trust/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/unit/desk.h"
#include "trust/credentials.h"
#include "trust/keep.h"

/* It is what the rest of the house opens. */
static void check_credentials(const char *directory, enum principal_kind kind)
{
    struct credentials *credentials;

    CHECK_OK(credentials_open(directory, &credentials, NULL));
    CHECK_EQUAL(credentials_principal(credentials)->kind, kind);
    CHECK_EQUAL(credentials_has_cluster(credentials), kind != PRINCIPAL_CLIENT);
    credentials_close(credentials);
}

static mode_t mode_of(const char *directory, const char *name)
{
    char *path = secret_path(directory, name);
    struct stat status;

    CHECK(!stat(path, &status));
    mem_free(path);
    return status.st_mode & 0777;
}

TEST(a_new_cluster_is_whole_and_its_keys_are_secret)
{
    static const char *const secret[] = {"ca.key", "node.key", "cluster"};
    struct neap_error error = {0};
    struct home home;
    struct buffer before, after;

    home_open(&home);
    check_credentials(home.path, PRINCIPAL_NODE);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQUAL(mode_of(home.path, secret[i]), 0600);
    /* A second time it is refused, and nothing has changed. */
    file_of(home.path, "ca.key", &before);
    CHECK_ERROR(directory_make(home.path, home.now_s, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "ca.key exists"));
    CHECK_BYTES(file_of(home.path, "ca.key", &after), buffer_slice(&before));
    check_credentials(home.path, PRINCIPAL_NODE);
    secret_done(&before);
    secret_done(&after);
    home_close(&home);
}

TEST(what_stood_in_the_way_stands_as_it_was)
{
    struct neap_error error = {0};
    struct home home;
    struct buffer text;

    home_open(&home);
    CHECK_OK(keep_directory(home.other, NULL));
    file_put(home.other, "node.pem", "mine");
    CHECK_ERROR(directory_make(home.other, home.now_s, &error), NEAP_REFUSED);
    CHECK_SLICE(file_of(home.other, "node.pem", &text), "mine");
    CHECK(!keep_has(home.other, "ca.key"));
    CHECK(!keep_has(home.other, "node.key"));
    secret_done(&text);
    home_close(&home);
}

/* What is carried as files: request there, sign here, take there. */
static void join_by_files(struct home *home, struct principal *who)
{
    struct buffer request, papers;
    struct issued issued;

    CHECK_OK(directory_request(home->other, &request, NULL));
    CHECK_OK(
        directory_sign(home->path, buffer_slice(&request), who, home->now_s, 0, &papers, NULL));
    CHECK_OK(directory_take(home->other, buffer_slice(&papers), NULL, &issued, NULL));
    CHECK(principal_equal(&issued.principal, who));
    issued_done(&issued);
    secret_done(&papers);
    buffer_done(&request);
}

TEST(files_that_are_carried_make_a_member)
{
    struct principal who = device_of_fish();
    struct buffer ours, theirs;
    struct home home;

    home_open(&home);
    join_by_files(&home, &who);
    CHECK(who.id != 0);
    check_credentials(home.other, PRINCIPAL_DEVICE);
    CHECK_EQUAL(mode_of(home.other, "node.key"), 0600);
    CHECK_EQUAL(mode_of(home.other, "cluster"), 0600);
    CHECK(!keep_has(home.other, "ca.key"));
    CHECK_BYTES(file_of(home.path, "cluster", &ours), file_of(home.other, "cluster", &theirs));
    secret_done(&ours);
    secret_done(&theirs);
    principal_done(&who);
    home_close(&home);
}

TEST(a_client_gets_no_key_of_the_cluster)
{
    struct principal who = {.kind = PRINCIPAL_CLIENT};
    struct home home;

    home_open(&home);
    join_by_files(&home, &who);
    check_credentials(home.other, PRINCIPAL_CLIENT);
    CHECK(!keep_has(home.other, "cluster"));
    home_close(&home);
}

TEST(papers_for_another_key_or_somebody_else_are_refused)
{
    struct principal who = {.kind = PRINCIPAL_NODE}, other = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct buffer request, papers;
    struct issued issued;
    struct home home;
    char third[60];

    home_open(&home);
    join_by_files(&home, &who);
    /* Of another key. */
    snprintf(third, sizeof third, "%s/third", home.path);
    CHECK_OK(directory_request(third, &request, NULL));
    CHECK_OK(
        directory_sign(home.path, buffer_slice(&request), &other, home.now_s, 0, &papers, NULL));
    CHECK_ERROR(directory_take(home.other, buffer_slice(&papers), NULL, &issued, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "key"));
    secret_done(&papers);
    buffer_done(&request);
    /* Of this key, but another identity. */
    CHECK_OK(directory_request(home.other, &request, NULL));
    other.id = 0;
    CHECK_OK(
        directory_sign(home.path, buffer_slice(&request), &other, home.now_s, 0, &papers, NULL));
    CHECK_ERROR(directory_take(home.other, buffer_slice(&papers), NULL, &issued, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "this directory is of node/"));
    secret_done(&papers);
    /* Of the same: that is a renewal. */
    CHECK_OK(directory_sign(home.path, buffer_slice(&request), &who, home.now_s, 0, &papers, NULL));
    CHECK_OK(directory_take(home.other, buffer_slice(&papers), NULL, &issued, NULL));
    issued_done(&issued);
    secret_done(&papers);
    buffer_done(&request);
    home_close(&home);
}

TEST(papers_of_another_ca_are_refused)
{
    struct principal who = {.kind = PRINCIPAL_NODE};
    uint8_t fingerprint[FINGERPRINT_SIZE] = {7};
    struct neap_error error = {0};
    struct buffer request, papers;
    struct home home, foreign;
    struct issued issued;

    home_open(&home);
    home_open(&foreign);
    join_by_files(&home, &who);
    CHECK_OK(directory_request(home.other, &request, NULL));
    CHECK_OK(
        directory_sign(foreign.path, buffer_slice(&request), &who, home.now_s, 0, &papers, NULL));
    CHECK_ERROR(directory_take(home.other, buffer_slice(&papers), NULL, &issued, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "another CA"));
    CHECK_ERROR(directory_take(foreign.other, buffer_slice(&papers), fingerprint, &issued, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "token's"));
    secret_done(&papers);
    buffer_done(&request);
    home_close(&foreign);
    home_close(&home);
}

TEST(a_node_with_the_cas_key_renews_its_own)
{
    struct neap_error error = {0};
    struct buffer before, after;
    struct issued issued;
    struct home home;

    home_open(&home);
    file_of(home.path, "node.pem", &before);
    CHECK_OK(directory_renew(home.path, home.now_s + 100, &issued, NULL));
    CHECK_EQUAL(issued.span.until_s, home.now_s + 100 + ISSUE_NODE_S);
    issued_done(&issued);
    file_of(home.path, "node.pem", &after);
    CHECK(!slice_equal(buffer_slice(&before), buffer_slice(&after)));
    check_credentials(home.path, PRINCIPAL_NODE);
    CHECK_OK(keep_remove(home.path, "ca.key", NULL));
    CHECK_ERROR(directory_renew(home.path, home.now_s, &issued, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "there is no ca.key"));
    buffer_done(&before);
    buffer_done(&after);
    home_close(&home);
}

TEST(a_key_that_others_may_read_signs_nothing)
{
    struct principal who = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct buffer request, papers;
    struct home home;
    char *path;

    home_open(&home);
    CHECK_OK(directory_request(home.other, &request, NULL));
    path = secret_path(home.path, "ca.key");
    CHECK(!chmod(path, 0644));
    mem_free(path);
    CHECK_ERROR(
        directory_sign(home.path, buffer_slice(&request), &who, home.now_s, 0, &papers, &error),
        NEAP_REFUSED);
    CHECK(strstr(error.text, "chmod 600"));
    buffer_done(&request);
    home_close(&home);
}

/* ---- memory: whatever is left can be tried again ---- */

static int make_one(void *argument)
{
    struct home *home = argument;
    char line[100];
    int code = directory_make(home->other, home->now_s, NULL);

    CHECK_EQUAL(keep_has(home->other, "node.pem"), !code);
    CHECK_EQUAL(keep_has(home->other, "ca.key"), !code);
    snprintf(line, sizeof line, "rm -rf %s", home->other);
    CHECK(!system(line));
    return code;
}

static int join_one(void *argument)
{
    struct home *home = argument;
    struct principal who = {.kind = PRINCIPAL_NODE, .id = 77};
    struct buffer request, papers;
    struct issued issued;
    int code = directory_request(home->other, &request, NULL);

    if (code)
        return code;
    code = directory_sign(home->path, buffer_slice(&request), &who, home->now_s, 0, &papers, NULL);
    buffer_done(&request);
    if (code)
        return code;
    code = directory_take(home->other, buffer_slice(&papers), NULL, &issued, NULL);
    secret_done(&papers);
    if (!code)
        issued_done(&issued);
    return code;
}

TEST(directories_without_memory)
{
    struct home home;

    home_open(&home);
    test_alloc_sweep(make_one, &home);
    test_alloc_sweep(join_one, &home);
    check_credentials(home.other, PRINCIPAL_NODE);
    home_close(&home);
}
