#include "trust/admit.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "trust/cluster.h"
#include "trust/credentials.h"
#include "trust/keep.h"

int desk_open(const char *directory, struct desk *ret_desk, struct neap_error *error)
{
    struct desk desk = {0};
    struct cluster cluster;
    int code;

    code = secret_file(directory, CREDENTIALS_CA_KEY, SECRET_KEY, &desk.key, error);
    if (code == NEAP_NOTFOUND)
        return error_set(error, NEAP_REFUSED,
                         "there is no " CREDENTIALS_CA_KEY
                         " in %.120s, so nobody is admitted here: that is done where it is, which "
                         "is where `neap init` made the cluster",
                         directory);
    if (!code)
        code = secret_file(directory, CREDENTIALS_CA, SECRET_PUBLIC, &desk.ca, error);
    if (!code)
        code = secret_file(directory, CREDENTIALS_CLUSTER, SECRET_KEY, &desk.cluster, error);
    if (!code)
        code = cluster_parse((const char *)desk.cluster.data, directory, &cluster, error);
    if (code) {
        desk_close(&desk);
        return code;
    }
    desk.id = cluster.id;
    secret_wipe(&cluster, sizeof cluster);
    *ret_desk = desk;
    return 0;
}

void desk_close(struct desk *desk)
{
    secret_done(&desk->key);
    secret_done(&desk->cluster);
    buffer_done(&desk->ca);
}

int desk_sign(const struct desk *desk, struct slice request, const struct principal *who,
              uint64_t now_s, uint64_t seconds, struct buffer *ret_papers, struct neap_error *error)
{
    const struct issuer issuer = {buffer_slice(&desk->ca), buffer_slice(&desk->key)};
    struct papers papers = {.ca = issuer.certificate};
    struct buffer certificate;
    int code;

    if (who->cluster != desk->id)
        return error_set(error, NEAP_REFUSED,
                         "this is cluster %016" PRIx64 ", and who asks is of %016" PRIx64, desk->id,
                         who->cluster);
    code = issue_sign(&issuer, request, who, issue_span(who->kind, now_s, seconds), ISSUE_BOTH,
                      &certificate, error);
    if (code)
        return code;
    if (who->kind != PRINCIPAL_CLIENT)
        papers.cluster = buffer_slice(&desk->cluster);
    papers.certificate = buffer_slice(&certificate);
    code = papers_write(&papers, ret_papers);
    buffer_done(&certificate);
    return code ? error_set(error, code, "%s", error_text(code)) : 0;
}

/* ---- tokens ---- */

static int ticket_load(const char *tokens, const char *name, struct ticket *ret_ticket,
                       struct neap_error *error)
{
    struct buffer text;
    int code = secret_file(tokens, name, SECRET_KEY, &text, error);

    if (code == NEAP_NOTFOUND)
        return error_set(error, NEAP_REFUSED,
                         "the token was not made here, or was taken back: a token is good at the "
                         "node in whose directory it was made");
    if (code)
        return code;
    code = ticket_read(buffer_slice(&text), ret_ticket, error);
    secret_done(&text);
    return code;
}

static int ticket_keep(const char *tokens, const char *name, const struct ticket *ticket,
                       struct neap_error *error)
{
    struct buffer text;
    int code = ticket_write(ticket, &text);

    if (code)
        return error_set(error, code, "%s", error_text(code));
    code = keep_file(tokens, name, buffer_slice(&text), SECRET_KEY, KEEP_REPLACE, error);
    buffer_done(&text);
    return code;
}

static int revoked_check(const struct admitting *admitting, const struct principal *who,
                         struct neap_error *error)
{
    char text[PRINCIPAL_TEXT_MAX];

    if (!admitting->is_revoked || !admitting->is_revoked(admitting->arg, who))
        return 0;
    return error_set(error, NEAP_REFUSED, "%s is revoked: it needs a new identity",
                     principal_text(who, text));
}

/* What the bearer becomes, once that he did is on the disk. */
static int ticket_take(const struct admitting *admitting, const char *tokens, const char *name,
                       struct slice request, struct ticket *ticket, struct neap_error *error)
{
    uint8_t key[FINGERPRINT_SIZE];
    struct neap_error ignored;
    bool was_used = ticket->used;
    int code = issue_request_print(request, key, error);

    if (code == NEAP_INVALID || code == NEAP_LIMIT) {
        ticket_fail(ticket);
        (void)ticket_keep(tokens, name, ticket, &ignored);
    }
    if (!code)
        code = revoked_check(admitting, &ticket->grants, error);
    if (!code)
        code = ticket_use(ticket, key, admitting->now_s, error);
    if (!code && !was_used)
        code = ticket_keep(tokens, name, ticket, error);
    return code;
}

static int bearer_admit(const struct admitting *admitting, const struct desk *desk,
                        const struct principal *who, struct slice request,
                        struct buffer *ret_papers, struct neap_error *error)
{
    char name[TICKET_NAME_MAX], *tokens = secret_path(admitting->directory, TICKETS_DIRECTORY);
    struct ticket ticket;
    int code;

    if (!tokens)
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    ticket_name(who->id, name);
    code = ticket_load(tokens, name, &ticket, error);
    if (!code) {
        code = ticket_take(admitting, tokens, name, request, &ticket, error);
        if (!code)
            code = desk_sign(desk, request, &ticket.grants, admitting->now_s, ticket.seconds,
                             ret_papers, error);
        ticket_done(&ticket);
    }
    mem_free(tokens);
    return code;
}

int admit(const struct admitting *admitting, const struct principal *who, struct slice request,
          struct buffer *ret_papers, struct neap_error *error)
{
    struct desk desk;
    int code;

    if (who->kind == PRINCIPAL_NONE)
        return error_set(error, NEAP_REFUSED, "certificates are handed out over TLS alone");
    code = revoked_check(admitting, who, error);
    if (!code)
        code = desk_open(admitting->directory, &desk, error);
    if (code)
        return code;
    if (who->cluster != desk.id)
        code = error_set(error, NEAP_REFUSED,
                         "this is cluster %016" PRIx64 ", and who asks is of %016" PRIx64, desk.id,
                         who->cluster);
    else if (who->kind == PRINCIPAL_JOIN)
        code = bearer_admit(admitting, &desk, who, request, ret_papers, error);
    else
        code = desk_sign(&desk, request, who, admitting->now_s, 0, ret_papers, error);
    desk_close(&desk);
    return code;
}
