#include "trust/directory.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "trust/cluster.h"
#include "trust/credentials.h"
#include "trust/keep.h"
#include "trust/tickets.h"

static int fail(struct neap_error *error, int code)
{
    return error_set(error, code, "%s", error_text(code));
}

/* ---- a new cluster ---- */

int cluster_text(uint64_t id, struct buffer *ret_text, struct neap_error *error)
{
    uint64_t key[4];
    char text[400];
    int code, size;

    for (size_t i = 0; i < 4; i++)
        key[i] = issue_id();
    size = snprintf(text, sizeof text,
                    "# A neap cluster. Every node of it needs this file; keep it secret.\n"
                    "cluster = %016" PRIx64 "\nkey = %016" PRIx64 "%016" PRIx64 "%016" PRIx64
                    "%016" PRIx64 "\n",
                    id, key[0], key[1], key[2], key[3]);
    secret_wipe(key, sizeof key);
    buffer_init(ret_text, sizeof text);
    code = buffer_reserve(ret_text, sizeof text);
    if (!code)
        code = buffer_append(ret_text, slice_of(text, (size_t)size));
    secret_wipe(text, sizeof text);
    return code ? fail(error, code) : 0;
}

/* All files of a directory that is being made, in the order in which they are written. */
enum part { PART_CA_KEY, PART_CA, PART_KEY, PART_CLUSTER, PART_CERTIFICATE, PARTS };

static const struct {
    const char *name;
    enum secret_mode mode;
} part_files[PARTS] = {[PART_CA_KEY] = {CREDENTIALS_CA_KEY, SECRET_KEY},
                       [PART_CA] = {CREDENTIALS_CA, SECRET_PUBLIC},
                       [PART_KEY] = {CREDENTIALS_KEY, SECRET_KEY},
                       [PART_CLUSTER] = {CREDENTIALS_CLUSTER, SECRET_KEY},
                       [PART_CERTIFICATE] = {CREDENTIALS_CERTIFICATE, SECRET_PUBLIC}};

static int first_node(struct buffer parts[PARTS], uint64_t cluster, uint64_t now_s,
                      struct neap_error *error)
{
    const struct issuer issuer = {buffer_slice(&parts[PART_CA]), buffer_slice(&parts[PART_CA_KEY])};
    const struct principal node = {.kind = PRINCIPAL_NODE, .cluster = cluster, .id = issue_id()};
    struct buffer request;
    int code = issue_request(buffer_slice(&parts[PART_KEY]), &request, error);

    if (code)
        return code;
    code = issue_sign(&issuer, buffer_slice(&request), &node, issue_span(node.kind, now_s, 0),
                      ISSUE_BOTH, &parts[PART_CERTIFICATE], error);
    buffer_done(&request);
    return code;
}

static int parts_make(struct buffer parts[PARTS], uint64_t now_s, struct neap_error *error)
{
    uint64_t cluster = issue_id();
    int code = cluster_text(cluster, &parts[PART_CLUSTER], error);

    if (!code)
        code = issue_key(&parts[PART_CA_KEY], error);
    if (!code)
        code = issue_authority(buffer_slice(&parts[PART_CA_KEY]), cluster,
                               issue_span(PRINCIPAL_NONE, now_s, 0), &parts[PART_CA], error);
    if (!code)
        code = issue_key(&parts[PART_KEY], error);
    return code ? code : first_node(parts, cluster, now_s, error);
}

static int parts_keep(const char *directory, const struct buffer parts[PARTS],
                      struct neap_error *error)
{
    struct neap_error ignored;
    int code = 0;
    size_t done = 0;

    for (size_t i = 0; i < PARTS; i++)
        if (keep_has(directory, part_files[i].name))
            return error_set(error, NEAP_REFUSED,
                             "%.150s/%s exists: with new keys its cluster would be lost. Give a "
                             "new directory",
                             directory, part_files[i].name);
    while (!code && done < PARTS) {
        code = keep_file(directory, part_files[done].name, buffer_slice(&parts[done]),
                         part_files[done].mode, KEEP_NEW, error);
        done += !code;
    }
    while (code && done-- > 0)
        (void)keep_remove(directory, part_files[done].name, &ignored);
    return code;
}

int directory_make(const char *directory, uint64_t now_s, struct neap_error *error)
{
    struct buffer parts[PARTS] = {0};
    int code = parts_make(parts, now_s, error);

    if (!code)
        code = keep_directory(directory, error);
    if (!code)
        code = parts_keep(directory, parts, error);
    for (size_t i = 0; i < PARTS; i++)
        secret_done(&parts[i]);
    return code;
}

/* ---- giving ---- */

/* Of what a grant leaves open: the cluster, and a new id. */
static int grants_fill(struct principal *grants, const struct desk *desk, struct neap_error *error)
{
    if (grants->kind == PRINCIPAL_NODE && grants->rights_count)
        return error_set(error, NEAP_INVALID, "a node may everything: it is given no buckets");
    grants->cluster = desk->id;
    if (!grants->id)
        grants->id = issue_id();
    return 0;
}

/* The certificate with which the bearer comes. */
static int bearer_make(const struct desk *desk, uint64_t id, struct issue_span span,
                       struct invitation *invitation, struct neap_error *error)
{
    const struct principal bearer = {.kind = PRINCIPAL_JOIN, .cluster = desk->id, .id = id};
    const struct issuer issuer = {buffer_slice(&desk->ca), buffer_slice(&desk->key)};
    struct buffer request;
    struct issued authority;
    int code = issue_key(&invitation->key, error);

    if (!code)
        code = issue_read(issuer.certificate, &authority, error);
    if (code)
        return code;
    memcpy(invitation->fingerprint, authority.fingerprint, FINGERPRINT_SIZE);
    issued_done(&authority);
    code = issue_request(buffer_slice(&invitation->key), &request, error);
    if (code)
        return code;
    code = issue_sign(&issuer, buffer_slice(&request), &bearer, span, ISSUE_BOTH,
                      &invitation->certificate, error);
    buffer_done(&request);
    return code;
}

/* Who admits him; 0: a directory that has only the CA. */
static int made_by(const char *directory, uint64_t *ret_node, struct neap_error *error)
{
    struct buffer certificate;
    struct issued issued;
    int code = 0;

    *ret_node = 0;
    if (!keep_has(directory, CREDENTIALS_CERTIFICATE))
        return 0;
    code = secret_file(directory, CREDENTIALS_CERTIFICATE, SECRET_PUBLIC, &certificate, error);
    if (code)
        return code;
    code = issue_read(buffer_slice(&certificate), &issued, error);
    buffer_done(&certificate);
    if (code)
        return code;
    *ret_node = issued.principal.id;
    issued_done(&issued);
    return 0;
}

static int ticket_first(const char *directory, const struct ticket *ticket,
                        struct neap_error *error)
{
    char name[TICKET_NAME_MAX], *tokens = secret_path(directory, TICKETS_DIRECTORY);
    struct buffer text;
    int code = tokens ? keep_directory(tokens, error) : fail(error, NEAP_NOMEM);

    if (!code && (code = ticket_write(ticket, &text)) != 0)
        fail(error, code);
    if (!code) {
        ticket_name(ticket->grants.id, name);
        /* One for the same identity as before takes its place. */
        code = keep_file(tokens, name, buffer_slice(&text), SECRET_KEY, KEEP_REPLACE, error);
        buffer_done(&text);
    }
    mem_free(tokens);
    return code;
}

int directory_token(const char *directory, struct principal *grants, uint64_t now_s, uint64_t ttl_s,
                    uint64_t seconds, struct buffer *ret_line, struct neap_error *error)
{
    struct issue_span span = issue_span(PRINCIPAL_JOIN, now_s, ttl_s);
    struct ticket ticket = {.until_s = span.until_s, .seconds = seconds};
    struct invitation invitation = {0};
    struct buffer line = {0};
    struct desk desk;
    int code = desk_open(directory, &desk, error);

    if (code)
        return code;
    code = grants_fill(grants, &desk, error);
    if (!code)
        code = made_by(directory, &invitation.made_by, error);
    if (!code)
        code = bearer_make(&desk, grants->id, span, &invitation, error);
    desk_close(&desk);
    if (!code)
        code = invitation_write(&invitation, &line, error);
    invitation_done(&invitation);
    ticket.grants = *grants;
    if (!code)
        code = tickets_prune(directory, now_s, error);
    if (!code)
        code = ticket_first(directory, &ticket, error);
    if (code)
        secret_done(&line);
    else
        *ret_line = line;
    return code;
}

int directory_sign(const char *directory, struct slice request, struct principal *grants,
                   uint64_t now_s, uint64_t seconds, struct buffer *ret_papers,
                   struct neap_error *error)
{
    struct desk desk;
    int code = desk_open(directory, &desk, error);

    if (code)
        return code;
    code = grants_fill(grants, &desk, error);
    if (!code)
        code = desk_sign(&desk, request, grants, now_s, seconds, ret_papers, error);
    desk_close(&desk);
    return code;
}

/* ---- asking ---- */

static int key_open(const char *directory, struct buffer *ret_key, struct neap_error *error)
{
    struct buffer key;
    int code;

    if (keep_has(directory, CREDENTIALS_KEY))
        return secret_file(directory, CREDENTIALS_KEY, SECRET_KEY, ret_key, error);
    code = issue_key(&key, error);
    if (code)
        return code;
    code = keep_file(directory, CREDENTIALS_KEY, buffer_slice(&key), SECRET_KEY, KEEP_NEW, error);
    if (code)
        secret_done(&key);
    else
        *ret_key = key;
    return code;
}

int directory_request(const char *directory, struct buffer *ret_request, struct neap_error *error)
{
    struct buffer key;
    int code = keep_directory(directory, error);

    if (!code)
        code = key_open(directory, &key, error);
    if (code)
        return code;
    code = issue_request(buffer_slice(&key), ret_request, error);
    secret_done(&key);
    return code;
}

/* ---- taking ---- */

/* A file that may be missing: then the buffer stays empty. */
static int file_try(const char *directory, const char *name, enum secret_mode mode,
                    struct buffer *text, struct neap_error *error)
{
    *text = (struct buffer){0};
    return keep_has(directory, name) ? secret_file(directory, name, mode, text, error) : 0;
}

static int fingerprint_check(struct slice ca, const uint8_t fingerprint[FINGERPRINT_SIZE],
                             struct neap_error *error)
{
    struct issued issued;
    bool same;
    int code = fingerprint ? issue_read(ca, &issued, error) : 0;

    if (!fingerprint || code)
        return code;
    same = !memcmp(issued.fingerprint, fingerprint, FINGERPRINT_SIZE);
    issued_done(&issued);
    return same ? 0 : error_set(error, NEAP_REFUSED, "it is signed by another CA than the token's");
}

static int same_check(const char *directory, const struct issued *issued, struct neap_error *error)
{
    char was[PRINCIPAL_TEXT_MAX], is[PRINCIPAL_TEXT_MAX];
    struct buffer certificate;
    struct issued before;
    bool same;
    int code = file_try(directory, CREDENTIALS_CERTIFICATE, SECRET_PUBLIC, &certificate, error);

    if (code || !certificate.size)
        return code;
    code = issue_read(buffer_slice(&certificate), &before, error);
    buffer_done(&certificate);
    if (code)
        return code;
    same = principal_equal(&before.principal, &issued->principal);
    if (!same)
        code = error_set(error, NEAP_REFUSED, "this directory is of %s, and what came is for %s",
                         principal_text(&before.principal, was),
                         principal_text(&issued->principal, is));
    issued_done(&before);
    return code;
}

/* The certificate comes last: with it the directory is whole. */
static int papers_keep(const char *directory, const struct papers *papers, struct neap_error *error)
{
    int code = 0;

    if (!keep_has(directory, CREDENTIALS_CA))
        code = keep_file(directory, CREDENTIALS_CA, papers->ca, SECRET_PUBLIC, KEEP_NEW, error);
    if (!code && papers->cluster.size && !keep_has(directory, CREDENTIALS_CLUSTER))
        code =
            keep_file(directory, CREDENTIALS_CLUSTER, papers->cluster, SECRET_KEY, KEEP_NEW, error);
    if (!code)
        code = keep_file(directory, CREDENTIALS_CERTIFICATE, papers->certificate, SECRET_PUBLIC,
                         KEEP_REPLACE, error);
    return code;
}

int directory_take(const char *directory, struct slice text,
                   const uint8_t fingerprint[FINGERPRINT_SIZE], struct issued *ret_issued,
                   struct neap_error *error)
{
    struct buffer key = {0}, ca = {0};
    struct papers papers;
    struct issued issued;
    int code = papers_read(text, &papers, error);

    if (!code)
        code = fingerprint_check(papers.ca, fingerprint, error);
    if (!code)
        code = secret_file(directory, CREDENTIALS_KEY, SECRET_KEY, &key, error);
    if (!code)
        code = file_try(directory, CREDENTIALS_CA, SECRET_PUBLIC, &ca, error);
    if (!code)
        code = papers_check(&papers, buffer_slice(&key), buffer_slice(&ca), &issued, error);
    secret_done(&key);
    buffer_done(&ca);
    if (code)
        return code;
    code = same_check(directory, &issued, error);
    if (!code)
        code = papers_keep(directory, &papers, error);
    if (code)
        issued_done(&issued);
    else
        *ret_issued = issued;
    return code;
}

int directory_renew(const char *directory, uint64_t now_s, struct issued *ret_issued,
                    struct neap_error *error)
{
    struct buffer certificate, request, papers;
    struct issued issued;
    int code = secret_file(directory, CREDENTIALS_CERTIFICATE, SECRET_PUBLIC, &certificate, error);

    if (code)
        return code;
    code = issue_read(buffer_slice(&certificate), &issued, error);
    buffer_done(&certificate);
    if (code)
        return code;
    code = directory_request(directory, &request, error);
    if (!code) {
        code = directory_sign(directory, buffer_slice(&request), &issued.principal, now_s, 0,
                              &papers, error);
        buffer_done(&request);
    }
    issued_done(&issued);
    if (code)
        return code;
    code = directory_take(directory, buffer_slice(&papers), NULL, ret_issued, error);
    secret_done(&papers);
    return code;
}
