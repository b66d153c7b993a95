#include "trust/admit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/unit/desk.h"
#include "trust/keep.h"

/* The bearer of a token, as his link shows him. */
struct bearer {
    struct principal who;
    struct buffer line, key, request;
};

static void bearer_open(struct home *home, struct principal *grants, struct bearer *ret_bearer)
{
    struct invitation invitation;
    struct issued issued;

    CHECK_OK(directory_token(home->path, grants, home->now_s, 60, 0, &ret_bearer->line, NULL));
    CHECK_OK(invitation_read(buffer_slice(&ret_bearer->line), &invitation, NULL));
    CHECK_OK(issue_read(buffer_slice(&invitation.certificate), &issued, NULL));
    ret_bearer->who = issued.principal; /* moved: it has no rights */
    invitation_done(&invitation);
    CHECK_OK(issue_key(&ret_bearer->key, NULL));
    CHECK_OK(issue_request(buffer_slice(&ret_bearer->key), &ret_bearer->request, NULL));
}

static void bearer_close(struct bearer *bearer)
{
    secret_done(&bearer->line);
    secret_done(&bearer->key);
    buffer_done(&bearer->request);
    principal_done(&bearer->who);
}

static int admit_at(const struct home *home, const struct principal *who, struct slice request,
                    struct buffer *ret_papers, struct neap_error *error)
{
    const struct admitting admitting = {.directory = home->path, .now_s = home->now_s};

    return admit(&admitting, who, request, ret_papers, error);
}

static int ask(struct home *home, const struct bearer *bearer, struct buffer *ret_papers,
               struct neap_error *error)
{
    return admit_at(home, &bearer->who, buffer_slice(&bearer->request), ret_papers, error);
}

static void check_papers(struct buffer *text, const struct bearer *bearer,
                         const struct principal *who)
{
    struct papers papers;
    struct issued issued;

    CHECK_OK(papers_read(buffer_slice(text), &papers, NULL));
    CHECK_OK(papers_check(&papers, buffer_slice(&bearer->key), slice_of(NULL, 0), &issued, NULL));
    CHECK(principal_equal(&issued.principal, who));
    CHECK_EQUAL(issued.principal.rights_count, who->rights_count);
    CHECK_EQUAL(principal_may(&issued.principal, "fish"), principal_may(who, "fish"));
    CHECK_EQUAL(principal_may(&issued.principal, "other"), principal_may(who, "other"));
    issued_done(&issued);
    secret_done(text);
}

TEST(a_bearer_becomes_what_his_token_gives)
{
    struct principal grants = device_of_fish();
    struct bearer bearer;
    struct buffer papers;
    struct home home;

    home_open(&home);
    bearer_open(&home, &grants, &bearer);
    CHECK_EQUAL(bearer.who.id, grants.id);
    CHECK_OK(ask(&home, &bearer, &papers, NULL));
    check_papers(&papers, &bearer, &grants);
    bearer_close(&bearer);
    principal_done(&grants);
    home_close(&home);
}

/* The answer was lost: who asks again with the same key gets the same. Somebody else does not. */
TEST(a_token_works_once)
{
    struct principal grants = device_of_fish();
    struct neap_error error = {0};
    struct bearer bearer, thief;
    struct buffer papers;
    struct home home;

    home_open(&home);
    bearer_open(&home, &grants, &bearer);
    CHECK_OK(ask(&home, &bearer, &papers, NULL));
    secret_done(&papers);
    thief = (struct bearer){.who = bearer.who};
    CHECK_OK(issue_key(&thief.key, NULL));
    CHECK_OK(issue_request(buffer_slice(&thief.key), &thief.request, NULL));
    CHECK_ERROR(ask(&home, &thief, &papers, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "works once"));
    CHECK_OK(ask(&home, &bearer, &papers, NULL));
    check_papers(&papers, &bearer, &grants);
    bearer_close(&thief);
    bearer_close(&bearer);
    principal_done(&grants);
    home_close(&home);
}

TEST(what_cannot_be_marked_as_used_admits_nobody)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct bearer bearer;
    struct buffer papers, before, after;
    struct home home;
    char name[80];

    home_open(&home);
    bearer_open(&home, &grants, &bearer);
    /* A directory stands where the new file would be written. */
    snprintf(name, sizeof name, "%s/tokens/.%016llx.new", home.path, (unsigned long long)grants.id);
    CHECK_OK(keep_directory(name, NULL));
    snprintf(name, sizeof name, "tokens/%016llx", (unsigned long long)grants.id);
    file_of(home.path, name, &before);
    CHECK(ask(&home, &bearer, &papers, &error) != 0);
    CHECK(strstr(error.text, "cannot write it"));
    CHECK_BYTES(file_of(home.path, name, &after), buffer_slice(&before));
    secret_done(&before);
    secret_done(&after);
    bearer_close(&bearer);
    home_close(&home);
}

TEST(a_token_that_is_over_admits_nobody)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct bearer bearer;
    struct buffer papers;
    struct home home;

    home_open(&home);
    bearer_open(&home, &grants, &bearer);
    home.now_s += 61;
    CHECK_ERROR(ask(&home, &bearer, &papers, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "time is over"));
    bearer_close(&bearer);
    home_close(&home);
}

TEST(three_requests_that_are_none_burn_a_token)
{
    static const char *const bad[] = {"", "x", "-----BEGIN CERTIFICATE REQUEST-----\n"};
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct bearer bearer;
    struct buffer papers;
    struct home home;

    home_open(&home);
    bearer_open(&home, &grants, &bearer);
    for (size_t i = 0; i < 3; i++)
        CHECK_ERROR(admit_at(&home, &bearer.who, slice_text(bad[i]), &papers, NULL), NEAP_INVALID);
    CHECK_ERROR(ask(&home, &bearer, &papers, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "burnt"));
    bearer_close(&bearer);
    home_close(&home);
}

TEST(a_token_is_good_where_it_was_made)
{
    struct principal grants = {.kind = PRINCIPAL_NODE}, stranger;
    struct neap_error error = {0};
    struct bearer bearer;
    struct buffer papers;
    struct home home, other;
    char name[80];

    home_open(&home);
    home_open(&other);
    bearer_open(&home, &grants, &bearer);
    /* Another cluster. */
    CHECK_ERROR(ask(&other, &bearer, &papers, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "this is cluster"));
    /* No CA's key. */
    CHECK_OK(keep_remove(other.path, "ca.key", NULL));
    CHECK_ERROR(ask(&other, &bearer, &papers, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "no ca.key"));
    /* Taken back, or made at another node. */
    snprintf(name, sizeof name, "tokens/%016llx", (unsigned long long)grants.id);
    CHECK_OK(keep_remove(home.path, name, NULL));
    CHECK_ERROR(ask(&home, &bearer, &papers, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "not made here"));
    stranger = (struct principal){0};
    CHECK_ERROR(admit_at(&home, &stranger, buffer_slice(&bearer.request), &papers, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "TLS"));
    bearer_close(&bearer);
    home_close(&other);
    home_close(&home);
}

/* Who is somebody gets the same again, with the rights of his certificate, and no others. */
TEST(who_is_somebody_stays_who_he_is)
{
    struct principal who = device_of_fish();
    struct bearer bearer = {0};
    struct buffer papers, cluster;
    struct home home;
    struct desk desk;

    home_open(&home);
    CHECK_OK(desk_open(home.path, &desk, NULL));
    who.cluster = desk.id;
    who.id = 0xd1;
    desk_close(&desk);
    CHECK_OK(issue_key(&bearer.key, NULL));
    CHECK_OK(issue_request(buffer_slice(&bearer.key), &bearer.request, NULL));
    CHECK_OK(admit_at(&home, &who, buffer_slice(&bearer.request), &papers, NULL));
    check_papers(&papers, &bearer, &who);
    who.kind = PRINCIPAL_CLIENT;
    CHECK_OK(admit_at(&home, &who, buffer_slice(&bearer.request), &papers, NULL));
    /* The key of the cluster is for those who replicate. */
    file_of(home.path, "cluster", &cluster);
    CHECK(!memmem(papers.data, papers.size, "key = ", 6));
    secret_done(&cluster);
    check_papers(&papers, &bearer, &who);
    bearer_close(&bearer);
    principal_done(&who);
    home_close(&home);
}

static bool is_device_77(void *arg, const struct principal *who)
{
    ++*(int *)arg;
    return who->kind == PRINCIPAL_DEVICE && who->id == 77;
}

TEST(who_is_revoked_is_not_admitted_again)
{
    struct principal grants = {.kind = PRINCIPAL_DEVICE, .id = 77};
    struct neap_error error = {0};
    struct bearer bearer;
    struct buffer papers;
    struct home home;
    int asked = 0;
    struct admitting admitting = {.is_revoked = is_device_77, .arg = &asked};

    home_open(&home);
    admitting.directory = home.path;
    admitting.now_s = home.now_s;
    bearer_open(&home, &grants, &bearer);
    CHECK_ERROR(admit(&admitting, &bearer.who, buffer_slice(&bearer.request), &papers, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "device/000000000000004d is revoked"));
    CHECK_EQUAL(asked, 2); /* the bearer, and what he would be */
    /* Over a link that has not ended yet. */
    CHECK_ERROR(admit(&admitting, &grants, buffer_slice(&bearer.request), &papers, &error),
                NEAP_REFUSED);
    /* The token was not used by that. */
    CHECK_OK(ask(&home, &bearer, &papers, NULL));
    secret_done(&papers);
    bearer_close(&bearer);
    home_close(&home);
}

struct sweep {
    struct home *home;
    struct bearer *bearer;
};

static int ask_once(void *argument)
{
    struct sweep *sweep = argument;
    struct buffer papers;
    int code = ask(sweep->home, sweep->bearer, &papers, NULL);

    if (!code)
        secret_done(&papers);
    return code;
}

/* That there was no memory is not the bearer's failure: he may ask again. */
TEST(admitting_without_memory)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct bearer bearer;
    struct home home;
    struct sweep sweep = {&home, &bearer};

    home_open(&home);
    bearer_open(&home, &grants, &bearer);
    test_alloc_sweep(ask_once, &sweep);
    bearer_close(&bearer);
    home_close(&home);
}
