/* What is said when somebody joins, and what is carried for it: questions, answers, tokens as text,
 * papers, the files of tokens. The first byte says which. */
#include "engine/join.h"
#include "tests/fuzz/fuzz.h"
#include "trust/directory.h"
#include "trust/secret.h"

static bool answer(struct slice input)
{
    struct slice papers = {0};
    struct papers parts;

    if (join_answer_read(input, &papers, NULL))
        return false;
    must(papers.size && papers.data >= input.data &&
         papers.data + papers.size == input.data + input.size);
    (void)papers_read(papers, &parts, NULL);
    return true;
}

static bool invitation(struct slice input)
{
    struct invitation invitation;
    struct buffer again;

    if (invitation_read(input, &invitation, NULL))
        return false;
    must(!invitation_write(&invitation, &again, NULL));
    secret_done(&again);
    invitation_done(&invitation);
    return true;
}

static bool papers(struct slice input)
{
    struct papers papers;
    struct buffer again;

    if (papers_read(input, &papers, NULL))
        return false;
    must(!papers_write(&papers, &again));
    must(slice_equal(buffer_slice(&again), input));
    secret_done(&again);
    return true;
}

static bool ticket(struct slice input)
{
    struct ticket ticket, again;
    struct buffer text;

    if (ticket_read(input, &ticket, NULL))
        return false;
    must(ticket.grants.kind != PRINCIPAL_NONE && ticket.grants.kind != PRINCIPAL_JOIN);
    must(!ticket_write(&ticket, &text));
    must(!ticket_read(buffer_slice(&text), &again, NULL));
    must(principal_equal(&ticket.grants, &again.grants) && ticket.until_s == again.until_s &&
         ticket.used == again.used && ticket.failures == again.failures);
    buffer_done(&text);
    ticket_done(&again);
    ticket_done(&ticket);
    return true;
}

static bool pem(struct slice input)
{
    uint8_t print[FINGERPRINT_SIZE];
    struct issued issued;

    if (!issue_request_print(input, print, NULL))
        return true;
    if (issue_read(input, &issued, NULL))
        return false;
    issued_done(&issued);
    return true;
}

/* What somebody without a certificate asks is answered, with a no. */
static bool question(struct slice input)
{
    static const struct admitting admitting = {.directory = "/nowhere"};
    static const struct principal nobody = {0};
    struct neap_error error = {0}, told = {0};
    struct slice papers = {0};
    struct buffer answer;

    must(!join_serve(&admitting, &nobody, input, &answer, &error));
    must(error.code == NEAP_REFUSED && answer.size <= JOIN_ANSWER_MAX);
    must(join_answer_read(buffer_slice(&answer), &papers, &told) == NEAP_REFUSED);
    must(!strcmp(told.text, error.text) && !papers.size);
    buffer_done(&answer);
    return join_is_question(input);
}

FUZZ(join)
{
    static bool (*const targets[])(struct slice input) = {answer, invitation, papers,
                                                          ticket, pem,        question};
    enum { TARGETS = sizeof targets / sizeof *targets };

    if (!input.size || input.data[0] < '0' || input.data[0] >= '0' + TARGETS)
        return false;
    return targets[input.data[0] - '0'](slice_of(input.data + 1, input.size - 1));
}
