#include "engine/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pack.h"
#include "engine/api_join.h"
#include "tests/support/test.h"
#include "tests/unit/desk.h"
#include "trust/credentials.h"
#include "trust/keep.h"

/* A link to a node, without the link: its other end is the desk of `home`. */
struct desk_link {
    struct transport transport;
    struct home *home;
    struct principal who;
    bool lose_answer, garble_answer;
    unsigned asked;
    struct neap_error said; /* in the node's log */
};

static int desk_serve(struct desk_link *link, struct slice message, struct buffer *ret_answer)
{
    const struct admitting admitting = {.directory = link->home->path, .now_s = link->home->now_s};

    return join_serve(&admitting, &link->who, message, ret_answer, &link->said);
}

static int desk_call(struct transport *transport, struct slice message, uint32_t timeout_ms,
                     struct buffer *ret_answer)
{
    struct desk_link *link = (struct desk_link *)transport;
    struct buffer answer;
    int code;

    CHECK(timeout_ms > 0);
    link->asked++;
    CHECK(join_is_question(message));
    CHECK(message.size <= 4096); /* before it is trusted a link takes no more */
    code = desk_serve(link, message, &answer);
    if (code)
        return code;
    code = link->lose_answer ? NEAP_UNCERTAIN : buffer_set(ret_answer, buffer_slice(&answer));
    if (!code && link->garble_answer)
        ret_answer->size /= 2;
    secret_done(&answer);
    return code;
}

/* A token for that, and the link that its bearer has. */
static void link_open(struct home *home, struct principal *grants, struct desk_link *ret_link,
                      struct invitation *ret_invitation)
{
    struct issued issued;
    struct buffer line;

    CHECK_OK(directory_token(home->path, grants, home->now_s, 60, 0, &line, NULL));
    CHECK_OK(invitation_read(buffer_slice(&line), ret_invitation, NULL));
    CHECK_OK(issue_read(buffer_slice(&ret_invitation->certificate), &issued, NULL));
    *ret_link =
        (struct desk_link){.transport.call = desk_call, .home = home, .who = issued.principal};
    secret_done(&line);
}

static int ask(struct desk_link *link, const struct invitation *invitation,
               struct neap_error *error)
{
    struct issued issued;
    int code = join_ask(&link->transport, link->home->other, invitation->fingerprint, 1000, &issued,
                        error);

    if (!code)
        issued_done(&issued);
    return code;
}

static void check_member(const char *directory, const struct principal *who)
{
    struct credentials *credentials;

    CHECK_OK(credentials_open(directory, &credentials, NULL));
    CHECK(principal_equal(credentials_principal(credentials), who));
    CHECK_EQUAL(credentials_principal(credentials)->rights_count, who->rights_count);
    credentials_close(credentials);
}

TEST(who_bears_a_token_becomes_a_member)
{
    struct principal grants = device_of_fish();
    struct invitation invitation;
    struct desk_link link;
    struct home home;

    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    CHECK_OK(ask(&link, &invitation, NULL));
    CHECK_EQUAL(link.said.code, 0);
    check_member(home.other, &grants);
    invitation_done(&invitation);
    principal_done(&grants);
    home_close(&home);
}

/* The node has admitted, and nobody heard of it. */
TEST(an_answer_that_was_lost_is_asked_for_again)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct invitation invitation;
    struct desk_link link;
    struct home home;
    char line[100];

    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    link.lose_answer = true;
    CHECK_ERROR(ask(&link, &invitation, &error), NEAP_UNCERTAIN);
    CHECK(strstr(error.text, "do the same again"));
    link.lose_answer = false;
    link.garble_answer = true;
    CHECK_ERROR(ask(&link, &invitation, &error), NEAP_UNCERTAIN);
    link.garble_answer = false;
    CHECK_OK(ask(&link, &invitation, &error));
    check_member(home.other, &grants);
    /* From another directory it is another key. */
    snprintf(line, sizeof line, "rm -r %s", home.other);
    CHECK(!system(line));
    CHECK_ERROR(ask(&link, &invitation, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "works once"));
    CHECK_EQUAL(link.said.code, NEAP_REFUSED);
    CHECK(!keep_has(home.other, "node.pem"));
    invitation_done(&invitation);
    home_close(&home);
}

TEST(who_answers_with_another_ca_is_not_believed)
{
    struct principal grants = {.kind = PRINCIPAL_NODE}, other = {.kind = PRINCIPAL_NODE};
    struct invitation invitation, foreign_invitation;
    struct neap_error error = {0};
    struct desk_link link, foreign_link;
    struct home home, foreign;

    home_open(&home);
    home_open(&foreign);
    link_open(&home, &grants, &link, &invitation);
    link_open(&foreign, &other, &foreign_link, &foreign_invitation);
    CHECK_ERROR(ask(&foreign_link, &invitation, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "another CA"));
    CHECK(!keep_has(foreign.other, "node.pem"));
    invitation_done(&invitation);
    invitation_done(&foreign_invitation);
    home_close(&foreign);
    home_close(&home);
}

/* A device whose certificate is about to end: over its own link, with its own key. */
TEST(who_is_a_member_renews)
{
    struct principal grants = device_of_fish();
    struct invitation invitation;
    struct buffer before, after;
    struct desk_link link;
    struct issued issued;
    struct home home;

    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    CHECK_OK(ask(&link, &invitation, NULL));
    file_of(home.other, "node.key", &before);
    link.who = grants;
    home.now_s += 100;
    CHECK_OK(join_ask(&link.transport, home.other, NULL, 1000, &issued, NULL));
    CHECK_EQUAL(issued.span.until_s, home.now_s + ISSUE_DEVICE_S);
    issued_done(&issued);
    check_member(home.other, &grants);
    CHECK_BYTES(file_of(home.other, "node.key", &after), buffer_slice(&before));
    secret_done(&before);
    secret_done(&after);
    invitation_done(&invitation);
    principal_done(&grants);
    home_close(&home);
}

/* Somebody else's certificate over this link is not put where this one's was. */
TEST(another_identity_is_not_taken)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct invitation invitation;
    struct desk_link link;
    struct issued issued;
    struct home home;

    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    CHECK_OK(ask(&link, &invitation, NULL));
    link.who = grants;
    link.who.id++;
    CHECK_ERROR(join_ask(&link.transport, home.other, NULL, 1000, &issued, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "this directory is of node/"));
    check_member(home.other, &grants);
    invitation_done(&invitation);
    home_close(&home);
}

static void check_said(struct desk_link *link, struct slice message, int code)
{
    struct neap_error error = {0};
    struct buffer answer;
    struct slice papers;

    CHECK_OK(desk_serve(link, message, &answer));
    CHECK_ERROR(join_answer_read(buffer_slice(&answer), &papers, &error), code);
    CHECK(error.text[0]);
    secret_done(&answer);
}

TEST(what_is_no_question_is_answered_and_counts)
{
    static const uint8_t few[] = {0x92, 0x00}, more[] = {0x92, 0x00, 0xc4, 0x00, 0x00},
                         other[] = {0x92, 0x01, 0xc4, 0x00};
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct invitation invitation;
    struct desk_link link;
    struct home home;

    CHECK(join_is_question(slice_of(few, sizeof few)));
    CHECK(!join_is_question(slice_of(other, sizeof other)));
    CHECK(!join_is_question(slice_of(few, 1)));
    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    check_said(&link, slice_of(few, sizeof few), NEAP_INVALID);
    check_said(&link, slice_of(more, sizeof more), NEAP_INVALID);
    check_said(&link, slice_of(other, sizeof other), NEAP_INVALID);
    CHECK_ERROR(ask(&link, &invitation, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "burnt"));
    invitation_done(&invitation);
    home_close(&home);
}

/* What is the matter with its disk a node tells its own log alone. */
TEST(a_node_that_cannot_says_no_more_than_that)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct neap_error error = {0};
    struct invitation invitation;
    struct desk_link link;
    struct home home;

    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    CHECK_OK(keep_remove(home.path, "ca.pem", NULL));
    CHECK_ERROR(ask(&link, &invitation, &error), NEAP_UNAVAILABLE);
    CHECK(!strstr(error.text, home.path));
    CHECK_EQUAL(link.said.code, NEAP_NOTFOUND);
    CHECK(strstr(link.said.text, home.path));
    invitation_done(&invitation);
    home_close(&home);
}

TEST(an_answer_is_read_with_care)
{
    static const char *const bad[] = {"",
                                      "90",
                                      "93 00 a0 c4 00",
                                      "93 05 a0 c4 01 61",
                                      "93 f8 a1 61 c4 00 00",
                                      "93 d0 80 a1 61 c4 00",
                                      "93 f8 a1"};
    struct neap_error error = {0};
    uint8_t bytes[64];
    struct slice papers;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(join_answer_read(test_unhex(bad[i], bytes, sizeof bytes), &papers, NULL),
                    NEAP_UNCERTAIN);
    CHECK_ERROR(
        join_answer_read(test_unhex("93 f8 a2 6e 6f c4 00", bytes, sizeof bytes), &papers, &error),
        NEAP_REFUSED);
    CHECK_TEXT(error.text, "no");
    CHECK_OK(
        join_answer_read(test_unhex("93 00 a0 c4 02 68 69", bytes, sizeof bytes), &papers, NULL));
    CHECK_SLICE(papers, "hi");
}

struct sweep {
    struct desk_link *link;
    struct invitation *invitation;
};

static int ask_once(void *argument)
{
    struct sweep *sweep = argument;

    return ask(sweep->link, sweep->invitation, NULL);
}

TEST(joining_without_memory_can_be_done_again)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct invitation invitation;
    struct desk_link link;
    struct home home;
    struct sweep sweep = {&link, &invitation};

    home_open(&home);
    link_open(&home, &grants, &link, &invitation);
    test_alloc_sweep(ask_once, &sweep);
    check_member(home.other, &grants);
    invitation_done(&invitation);
    home_close(&home);
}
