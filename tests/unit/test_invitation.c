#include "trust/invitation.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/unit/desk.h"
#include "trust/credentials.h"
#include "trust/secret.h"

static void token_make(struct home *home, struct buffer *ret_line)
{
    struct principal who = {.kind = PRINCIPAL_NODE};

    CHECK_OK(directory_token(home->path, &who, home->now_s, 0, 0, ret_line, NULL));
}

TEST(a_token_is_one_line_that_is_enough_to_ask)
{
    struct credentials_parts parts = {0};
    struct credentials *credentials;
    struct invitation invitation;
    struct buffer line, ca;
    struct issued issued;
    struct home home;
    char around[INVITATION_MAX + 8] = " \n";

    home_open(&home);
    token_make(&home, &line);
    CHECK(!memchr(line.data, '\n', line.size));
    CHECK_EQUAL(line.data[line.size], 0);
    CHECK(line.size < 1200);
    memcpy(around + 2, line.data, line.size);
    memcpy(around + 2 + line.size, "\r\n", 3);
    CHECK_OK(invitation_read(slice_text(around), &invitation, NULL));
    CHECK_OK(issue_read(file_of(home.path, "ca.pem", &ca), &issued, NULL));
    CHECK(!memcmp(issued.fingerprint, invitation.fingerprint, FINGERPRINT_SIZE));
    issued_done(&issued);
    CHECK_OK(issue_check(buffer_slice(&ca), buffer_slice(&invitation.certificate),
                         buffer_slice(&invitation.key), NULL));
    CHECK_OK(issue_read(buffer_slice(&invitation.certificate), &issued, NULL));
    CHECK_EQUAL(issued.principal.kind, PRINCIPAL_JOIN);
    CHECK_EQUAL(issued.span.until_s, home.now_s + ISSUE_JOIN_S);
    issued_done(&issued);
    buffer_done(&ca);
    CHECK_OK(issue_read(file_of(home.path, "node.pem", &ca), &issued, NULL));
    buffer_done(&ca);
    CHECK_EQUAL(issued.principal.id, invitation.made_by);
    issued_done(&issued);
    /* As the links take it. */
    parts.certificate = buffer_slice(&invitation.certificate);
    parts.key = buffer_slice(&invitation.key);
    parts.ca_fingerprint = invitation.fingerprint;
    CHECK_OK(credentials_make(&parts, "token", &credentials, NULL));
    credentials_close(credentials);
    invitation_done(&invitation);
    secret_done(&line);
    home_close(&home);
}

TEST(what_is_no_token_is_refused)
{
    static const char *const bad[] = {
        "", "x", "neap-token:", "neap-token:AAAA", "neap-token:!", "neap-token:lQECxAA="};
    struct neap_error error = {0};
    struct invitation invitation;
    struct buffer line, long_line;
    struct home home;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(invitation_read(slice_text(bad[i]), &invitation, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "no token of neap"));
    home_open(&home);
    token_make(&home, &line);
    for (size_t size = 0; size < line.size; size += 17)
        CHECK_ERROR(invitation_read(slice_of(line.data, size), &invitation, NULL), NEAP_INVALID);
    buffer_init(&long_line, 2 * INVITATION_MAX);
    CHECK_OK(buffer_append(&long_line, buffer_slice(&line)));
    while (long_line.size < INVITATION_MAX)
        CHECK_OK(buffer_append_u8(&long_line, 'A'));
    CHECK_ERROR(invitation_read(buffer_slice(&long_line), &invitation, NULL), NEAP_INVALID);
    buffer_done(&long_line);
    secret_done(&line);
    home_close(&home);
}

static int read_one(void *argument)
{
    struct invitation invitation;
    struct buffer again;
    int code = invitation_read(buffer_slice(argument), &invitation, NULL);

    if (code)
        return code;
    code = invitation_write(&invitation, &again, NULL);
    invitation_done(&invitation);
    if (code)
        return code;
    CHECK_BYTES(buffer_slice(&again), buffer_slice(argument));
    secret_done(&again);
    return 0;
}

TEST(a_token_without_memory_is_an_error)
{
    struct buffer line;
    struct home home;

    home_open(&home);
    token_make(&home, &line);
    test_alloc_sweep(read_one, &line);
    secret_done(&line);
    home_close(&home);
}
