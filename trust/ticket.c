#include "trust/ticket.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "trust/secret.h"

enum { LINE_MAX_SIZE = PRINCIPAL_URI_MAX + 32 };

static bool number_read(const char *text, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (*text < '0' || *text > '9' || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

/* NAME = VALUE, without blanks elsewhere. */
static int line_take(struct ticket *ticket, char *line)
{
    char *value = strstr(line, " = ");
    uint64_t number = 0;
    int code = 0;

    if (!*line || *line == '#')
        return 0;
    if (!value)
        return NEAP_INVALID;
    *value = '\0';
    value += 3;
    if (!strcmp(line, "gives")) {
        code = principal_add(&ticket->grants, slice_text(value));
    } else if (!strcmp(line, "until")) {
        code = number_read(value, UINT64_MAX / 2, &ticket->until_s) ? 0 : NEAP_INVALID;
    } else if (!strcmp(line, "seconds")) {
        code = number_read(value, UINT32_MAX, &ticket->seconds) ? 0 : NEAP_INVALID;
    } else if (!strcmp(line, "failures")) {
        code = number_read(value, UINT32_MAX, &number) ? 0 : NEAP_INVALID;
        ticket->failures = (unsigned)number;
    } else if (!strcmp(line, "used-by")) {
        ticket->used = strlen(value) == (size_t)2 * FINGERPRINT_SIZE &&
                       hex_read(value, ticket->key, FINGERPRINT_SIZE);
        code = ticket->used ? 0 : NEAP_INVALID;
    } else {
        code = NEAP_INVALID;
    }
    return code;
}

int ticket_read(struct slice text, struct ticket *ret_ticket, struct neap_error *error)
{
    struct ticket ticket = {0};
    char line[LINE_MAX_SIZE];
    int code = 0;

    while (!code && text.size) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;

        code = size < sizeof line ? 0 : NEAP_INVALID;
        if (!code) {
            memcpy(line, text.data, size);
            line[size] = '\0';
            code = line_take(&ticket, line);
        }
        size += end != NULL;
        text = slice_of(text.data + size, text.size - size);
    }
    if (!code && (ticket.grants.kind == PRINCIPAL_NONE || ticket.grants.kind == PRINCIPAL_JOIN))
        code = NEAP_INVALID;
    if (code) {
        ticket_done(&ticket);
        return error_set(error, code, "%s",
                         code == NEAP_NOMEM ? error_text(code) : "the token's file is damaged");
    }
    *ret_ticket = ticket;
    return 0;
}

int ticket_write(const struct ticket *ticket, struct buffer *ret_text)
{
    char line[LINE_MAX_SIZE], uri[PRINCIPAL_URI_MAX], key[FINGERPRINT_TEXT_MAX];
    struct buffer text;
    int code;

    buffer_init(&text, SECRET_FILE_MAX);
    snprintf(line, sizeof line,
             "# A token of neap. Without this file it admits nobody.\nuntil = %" PRIu64
             "\nseconds = %" PRIu64 "\nfailures = %u\n",
             ticket->until_s, ticket->seconds, ticket->failures);
    code = buffer_append(&text, slice_text(line));
    if (!code && ticket->used) {
        fingerprint_text(ticket->key, key);
        snprintf(line, sizeof line, "used-by = %s\n", key);
        code = buffer_append(&text, slice_text(line));
    }
    for (size_t i = 0; !code && principal_uri(&ticket->grants, i, uri); i++) {
        snprintf(line, sizeof line, "gives = %s\n", uri);
        code = buffer_append(&text, slice_text(line));
    }
    if (code)
        buffer_done(&text);
    else
        *ret_text = text;
    return code;
}

void ticket_done(struct ticket *ticket)
{
    principal_done(&ticket->grants);
}

int ticket_use(struct ticket *ticket, const uint8_t key[FINGERPRINT_SIZE], uint64_t now_s,
               struct neap_error *error)
{
    char who[PRINCIPAL_TEXT_MAX];

    if (now_s > ticket->until_s)
        return error_set(error, NEAP_REFUSED,
                         "the token's time is over: make a new one (neap token create)");
    if (ticket->failures >= TICKET_FAILURES_MAX)
        return error_set(error, NEAP_REFUSED,
                         "the token was tried %u times in vain and is burnt: make a new one",
                         ticket->failures);
    if (ticket->used && memcmp(ticket->key, key, FINGERPRINT_SIZE) != 0)
        return error_set(error, NEAP_REFUSED,
                         "the token was used, by another key: it works once. If that was not you, "
                         "somebody else is %s now: revoke that, and make a new token",
                         principal_text(&ticket->grants, who));
    ticket->used = true;
    memcpy(ticket->key, key, FINGERPRINT_SIZE);
    return 0;
}

void ticket_fail(struct ticket *ticket)
{
    if (ticket->failures < TICKET_FAILURES_MAX)
        ticket->failures++;
}

void ticket_name(uint64_t id, char ret_name[TICKET_NAME_MAX])
{
    snprintf(ret_name, TICKET_NAME_MAX, "%016" PRIx64, id);
}
