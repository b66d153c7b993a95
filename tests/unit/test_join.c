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

/* Somebody with a token, and a link to the node that made it, without the link: its other end is
 * the desk of `home`. */
struct visit {
    struct transport transport;
    struct home home;
    struct principal grants, who; /* what the token gives; who he is on the link */
    struct invitation invitation;
    struct neap_error error; /* what he is told */
    bool lose_answer, garble_answer;
    unsigned asked;
    struct neap_error said; /* in the node's log */
};

static int desk_serve(struct visit *visit, struct slice message, struct buffer *ret_answer)
{
    const struct admitting admitting = {.directory = visit->home.path, .now_s = visit->home.now_s};

    return join_serve(&admitting, &visit->who, message, ret_answer, &visit->said);
}

static int desk_call(struct transport *transport, struct slice message, uint32_t timeout_ms,
                     struct buffer *ret_answer)
{
    struct visit *visit = (struct visit *)transport;
    struct buffer answer;
    int code;

    CHECK(timeout_ms > 0);
    visit->asked++;
    CHECK(join_is_question(message));
    CHECK(message.size <= 4096); /* before it is trusted a link takes no more */
    code = desk_serve(visit, message, &answer);
    if (code)
        return code;
    code = visit->lose_answer ? NEAP_UNCERTAIN : buffer_set(ret_answer, buffer_slice(&answer));
    if (!code && visit->garble_answer)
        ret_answer->size /= 2;
    secret_done(&answer);
    return code;
}

static void visit_open(struct visit *visit, struct principal grants)
{
    struct issued issued;
    struct buffer line;

    *visit = (struct visit){.transport.call = desk_call, .grants = grants};
    home_open(&visit->home);
    CHECK_OK(
        directory_token(visit->home.path, &visit->grants, visit->home.now_s, 60, 0, &line, NULL));
    CHECK_OK(invitation_read(buffer_slice(&line), &visit->invitation, NULL));
    CHECK_OK(issue_read(buffer_slice(&visit->invitation.certificate), &issued, NULL));
    visit->who = issued.principal;
    secret_done(&line);
}

static void visit_close(struct visit *visit)
{
    invitation_done(&visit->invitation);
    principal_done(&visit->grants);
    home_close(&visit->home);
}

static int ask_with(struct visit *visit, const struct invitation *invitation)
{
    struct issued issued;
    int code = join_ask(&visit->transport, visit->home.other, invitation->fingerprint, 1000,
                        &issued, &visit->error);

    if (!code)
        issued_done(&issued);
    return code;
}

static int ask(struct visit *visit)
{
    return ask_with(visit, &visit->invitation);
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
    struct visit visit;

    visit_open(&visit, device_of_fish());
    CHECK_OK(ask(&visit));
    CHECK_EQUAL(visit.said.code, 0);
    check_member(visit.home.other, &visit.grants);
    visit_close(&visit);
}

/* The node has admitted, and nobody heard of it. */
TEST(an_answer_that_was_lost_is_asked_for_again)
{
    struct visit visit;
    char line[100];

    visit_open(&visit, (struct principal){.kind = PRINCIPAL_NODE});
    visit.lose_answer = true;
    CHECK_ERROR(ask(&visit), NEAP_UNCERTAIN);
    CHECK(strstr(visit.error.text, "do the same again"));
    visit.lose_answer = false;
    visit.garble_answer = true;
    CHECK_ERROR(ask(&visit), NEAP_UNCERTAIN);
    visit.garble_answer = false;
    CHECK_OK(ask(&visit));
    check_member(visit.home.other, &visit.grants);
    /* From another directory it is another key. */
    snprintf(line, sizeof line, "rm -r %s", visit.home.other);
    CHECK(!system(line));
    CHECK_ERROR(ask(&visit), NEAP_REFUSED);
    CHECK(strstr(visit.error.text, "works once"));
    CHECK_EQUAL(visit.said.code, NEAP_REFUSED);
    CHECK(!keep_has(visit.home.other, "node.pem"));
    visit_close(&visit);
}

TEST(who_answers_with_another_ca_is_not_believed)
{
    const struct principal grants = {.kind = PRINCIPAL_NODE};
    struct visit visit, foreign;

    visit_open(&visit, grants);
    visit_open(&foreign, grants);
    CHECK_ERROR(ask_with(&foreign, &visit.invitation), NEAP_REFUSED);
    CHECK(strstr(foreign.error.text, "another CA"));
    CHECK(!keep_has(foreign.home.other, "node.pem"));
    visit_close(&foreign);
    visit_close(&visit);
}

/* A device whose certificate is about to end: over its own link, with its own key. */
TEST(who_is_a_member_renews)
{
    struct buffer before, after;
    struct visit visit;
    struct issued issued;

    visit_open(&visit, device_of_fish());
    CHECK_OK(ask(&visit));
    file_of(visit.home.other, "node.key", &before);
    visit.who = visit.grants;
    visit.home.now_s += 100;
    CHECK_OK(join_ask(&visit.transport, visit.home.other, NULL, 1000, &issued, NULL));
    CHECK_EQUAL(issued.span.until_s, visit.home.now_s + ISSUE_DEVICE_S);
    issued_done(&issued);
    check_member(visit.home.other, &visit.grants);
    CHECK_BYTES(file_of(visit.home.other, "node.key", &after), buffer_slice(&before));
    secret_done(&before);
    secret_done(&after);
    visit_close(&visit);
}

/* Somebody else's certificate over this link is not put where this one's was. */
TEST(another_identity_is_not_taken)
{
    struct visit visit;
    struct issued issued;

    visit_open(&visit, (struct principal){.kind = PRINCIPAL_NODE});
    CHECK_OK(ask(&visit));
    visit.who = visit.grants;
    visit.who.id++;
    CHECK_ERROR(join_ask(&visit.transport, visit.home.other, NULL, 1000, &issued, &visit.error),
                NEAP_REFUSED);
    CHECK(strstr(visit.error.text, "this directory is of node/"));
    check_member(visit.home.other, &visit.grants);
    visit_close(&visit);
}

static void check_said(struct visit *visit, struct slice message, int code)
{
    struct neap_error error = {0};
    struct buffer answer;
    struct slice papers;

    CHECK_OK(desk_serve(visit, message, &answer));
    CHECK_ERROR(join_answer_read(buffer_slice(&answer), &papers, &error), code);
    CHECK(error.text[0]);
    secret_done(&answer);
}

TEST(what_is_no_question_is_answered_and_counts)
{
    static const uint8_t few[] = {0x92, 0x00}, more[] = {0x92, 0x00, 0xc4, 0x00, 0x00},
                         other[] = {0x92, 0x01, 0xc4, 0x00};
    struct visit visit;

    CHECK(join_is_question(slice_of(few, sizeof few)));
    CHECK(!join_is_question(slice_of(other, sizeof other)));
    CHECK(!join_is_question(slice_of(few, 1)));
    visit_open(&visit, (struct principal){.kind = PRINCIPAL_NODE});
    check_said(&visit, slice_of(few, sizeof few), NEAP_INVALID);
    check_said(&visit, slice_of(more, sizeof more), NEAP_INVALID);
    check_said(&visit, slice_of(other, sizeof other), NEAP_INVALID);
    CHECK_ERROR(ask(&visit), NEAP_REFUSED);
    CHECK(strstr(visit.error.text, "burnt"));
    visit_close(&visit);
}

/* What is the matter with its disk a node tells its own log alone. */
TEST(a_node_that_cannot_says_no_more_than_that)
{
    struct visit visit;

    visit_open(&visit, (struct principal){.kind = PRINCIPAL_NODE});
    CHECK_OK(keep_remove(visit.home.path, "ca.pem", NULL));
    CHECK_ERROR(ask(&visit), NEAP_UNAVAILABLE);
    CHECK(!strstr(visit.error.text, visit.home.path));
    CHECK_EQUAL(visit.said.code, NEAP_NOTFOUND);
    CHECK(strstr(visit.said.text, visit.home.path));
    visit_close(&visit);
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

static int ask_once(void *visit)
{
    return ask(visit);
}

TEST(joining_without_memory_can_be_done_again)
{
    struct visit visit;

    visit_open(&visit, (struct principal){.kind = PRINCIPAL_NODE});
    test_alloc_sweep(ask_once, &visit);
    check_member(visit.home.other, &visit.grants);
    visit_close(&visit);
}
