/* neap_trust.h, but for what asks a node (api_join.c). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/api.h"
#include "engine/api_trust.h"
#include "engine/status.h"
#include "trust/credentials.h"
#include "trust/directory.h"
#include "trust/keep.h"
#include "trust/secret.h"
#include "trust/tickets.h"

enum {
    DIRECTORY_MAX = 4000,
    SHOWN_MAX = 256 << 10,
    LISTED_MAX = 64 << 20,
    VALID_S_MAX = 20 * 365 * 86400
};

uint64_t api_now_s(void)
{
    struct clock *clock = clock_os();

    return clock->ops->wall_ms(clock) / 1000;
}

int api_text_check(const char *text, const char *what, struct neap_error *error)
{
    if (!text || !text[0])
        return error_set(error, NEAP_INVALID, "%s is %s", what, text ? "empty" : "NULL");
    if (strnlen(text, DIRECTORY_MAX + 1) > DIRECTORY_MAX)
        return error_set(error, NEAP_LIMIT, "%s has more than %d bytes", what, DIRECTORY_MAX);
    return 0;
}

int api_give_secret(struct neap_buffer *ret_text, struct buffer *text, int code,
                    struct neap_error *error)
{
    if (code)
        return code;
    code = api_reserve(ret_text, text->size);
    if (!code)
        api_fill(ret_text, buffer_slice(text));
    secret_done(text);
    return code ? error_set(error, code, "%s", error_text(code)) : 0;
}

void neap_secret_free(struct neap_buffer *buffer)
{
    if (buffer && buffer->data)
        secret_wipe(buffer->data, buffer->room);
    neap_buffer_free(buffer);
}

/* ---- grants ---- */

static int rights_take(struct principal *who, const char *const *buckets, size_t count,
                       unsigned may, struct neap_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *bucket = buckets ? buckets[i] : NULL;
        int code = NEAP_INVALID;

        if (bucket && (!strcmp(bucket, "*") || (bucket[0] != '_' && !bucket_name_check(bucket))))
            code = principal_give(who, bucket, may);
        if (code == NEAP_LIMIT)
            return error_set(error, code, "more than %d buckets in one certificate",
                             PRINCIPAL_RIGHTS_MAX);
        if (code)
            return error_set(error, code, "bucket \"%.60s\": %s", bucket ? bucket : "(NULL)",
                             code == NEAP_NOMEM ? error_text(code) : "no name that can be given");
    }
    return 0;
}

/* The certificate's principal, its cluster still open. */
static int grant_take(const struct neap_grant *grant, struct principal *ret_who,
                      uint64_t *ret_seconds, struct neap_error *error)
{
    static const enum principal_kind kinds[] = {[NEAP_NODE] = PRINCIPAL_NODE,
                                                [NEAP_DEVICE] = PRINCIPAL_DEVICE,
                                                [NEAP_CLIENT] = PRINCIPAL_CLIENT};
    struct neap_grant ours = {0};
    struct principal who = {0};
    int code;

    if (!grant)
        return error_set(error, NEAP_INVALID, "grant is NULL");
    code = api_struct(&ours, sizeof ours, grant, "grant", error);
    if (code)
        return code;
    if (ours.kind != NEAP_NODE && ours.kind != NEAP_DEVICE && ours.kind != NEAP_CLIENT)
        return error_set(error, NEAP_INVALID, "grant.kind: %d is none", (int)ours.kind);
    if (ours.kind == NEAP_NODE && (ours.read_count || ours.write_count))
        return error_set(error, NEAP_INVALID, "a node may everything: it is given no buckets");
    if (ours.valid_ms / 1000 > VALID_S_MAX)
        return error_set(error, NEAP_INVALID, "grant.valid_ms: more than 20 years");
    who = (struct principal){.kind = kinds[ours.kind], .id = ours.id};
    code = rights_take(&who, ours.read, ours.read_count, RIGHT_READ, error);
    if (!code)
        code = rights_take(&who, ours.write, ours.write_count, RIGHT_READ | RIGHT_WRITE, error);
    if (code) {
        principal_done(&who);
        return code;
    }
    *ret_who = who;
    *ret_seconds = (ours.valid_ms + 999) / 1000;
    return 0;
}

/* ---- what a certificate says ---- */

static json_t *rights_json(const struct principal *who)
{
    json_t *rights = json_array();

    for (size_t i = 0; rights && i < who->rights_count; i++) {
        const struct principal_right *right = &who->rights[i];

        if (json_array_append_new(rights,
                                  json_pack("{so, ss}", "bucket", json_text(right->bucket), "may",
                                            right->may & RIGHT_WRITE ? "write" : "read"))) {
            json_decref(rights);
            return NULL;
        }
    }
    return rights;
}

static json_t *issued_json(const struct issued *issued)
{
    char who[PRINCIPAL_TEXT_MAX], cluster[17], print[FINGERPRINT_TEXT_MAX];

    snprintf(cluster, sizeof cluster, "%016" PRIx64, issued->principal.cluster);
    fingerprint_text(issued->fingerprint, print);
    return json_pack("{ss, ss, so, so, so, ss, ss}", "identity",
                     issued->authority ? "ca" : principal_text(&issued->principal, who), "cluster",
                     issued->authority ? "" : cluster, "rights", rights_json(&issued->principal),
                     "from", json_number(issued->span.from_s * 1000), "until",
                     json_number(issued->span.until_s * 1000), "serial", issued->serial,
                     "fingerprint", print);
}

int api_give_issued(struct neap_buffer *ret_json, struct issued *issued, struct neap_error *error)
{
    struct buffer json;
    int code = 0;

    if (ret_json) {
        buffer_init(&json, SHOWN_MAX);
        code = json_into(issued_json(issued), &json);
        if (!code)
            code = api_reserve(ret_json, json.size);
        if (!code)
            api_fill(ret_json, buffer_slice(&json));
        buffer_done(&json);
    }
    issued_done(issued);
    return code ? error_set(error, code, "%s", error_text(code)) : 0;
}

/* ---- the functions ---- */

int neap_cluster_make(const char *directory, struct neap_error *ret_error)
{
    int code = api_text_check(directory, "the directory", ret_error);

    return code ? code : directory_make(directory, api_now_s(), ret_error);
}

int neap_token_make(const char *directory, const struct neap_grant *grant, uint64_t ttl_ms,
                    struct neap_buffer *ret_token, struct neap_error *ret_error)
{
    struct principal who;
    struct buffer line;
    uint64_t seconds;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code && !ret_token)
        code = error_set(ret_error, NEAP_INVALID, "ret_token is NULL");
    if (!code && ttl_ms / 1000 > VALID_S_MAX)
        code = error_set(ret_error, NEAP_INVALID, "the token's time is more than 20 years");
    if (!code)
        code = grant_take(grant, &who, &seconds, ret_error);
    if (code)
        return code;
    code = directory_token(directory, &who, api_now_s(), (ttl_ms + 999) / 1000, seconds, &line,
                           ret_error);
    principal_done(&who);
    return api_give_secret(ret_token, &line, code, ret_error);
}

/* What a list is made of. */
struct listed {
    json_t *tokens;
    uint64_t now_s;
};

static int listed_add(void *arg, uint64_t number, const struct ticket *ticket,
                      struct neap_error *error)
{
    struct listed *listed = arg;
    char id[TICKET_NAME_MAX], who[PRINCIPAL_TEXT_MAX], key[FINGERPRINT_TEXT_MAX];
    json_t *json;

    ticket_name(number, id);
    json = json_pack(
        "{ss, ss, so, so, ss, so}", "id", id, "identity", principal_text(&ticket->grants, who),
        "rights", rights_json(&ticket->grants), "until", json_number(ticket->until_s * 1000),
        "state", ticket_state(ticket, listed->now_s), "failures", json_number(ticket->failures));
    if (!json || json_array_append(listed->tokens, json)) {
        json_decref(json);
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    }
    json_decref(json);
    fingerprint_text(ticket->key, key);
    if (ticket->used && json_object_set_new(json, "used_by", json_string(key)))
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    return 0;
}

int neap_token_list(const char *directory, struct neap_buffer *ret_json,
                    struct neap_error *ret_error)
{
    struct listed listed = {.now_s = api_now_s()};
    struct buffer json;
    size_t damaged;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code && !ret_json)
        code = error_set(ret_error, NEAP_INVALID, "ret_json is NULL");
    if (!code && !keep_has(directory, CREDENTIALS_CA_KEY))
        code = error_set(ret_error, NEAP_REFUSED,
                         "there is no " CREDENTIALS_CA_KEY " in %.150s: tokens are made, and kept, "
                         "where it is",
                         directory);
    if (code)
        return code;
    listed.tokens = json_array();
    if (!listed.tokens)
        return error_set(ret_error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    code = tickets_each(directory, listed_add, &listed, &damaged, ret_error);
    if (code) {
        json_decref(listed.tokens);
        return code;
    }
    buffer_init(&json, LISTED_MAX);
    code = json_into(
        json_pack("{so, so}", "tokens", listed.tokens, "damaged", json_number(damaged)), &json);
    if (code)
        error_set(ret_error, code, "%s", error_text(code));
    return api_give_secret(ret_json, &json, code, ret_error);
}

int neap_token_revoke(const char *directory, uint64_t id, struct neap_error *ret_error)
{
    int code = api_text_check(directory, "the directory", ret_error);

    return code ? code : tickets_remove(directory, id, ret_error);
}

int neap_certificate_request(const char *directory, struct neap_buffer *ret_request,
                             struct neap_error *ret_error)
{
    struct buffer request;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code && !ret_request)
        code = error_set(ret_error, NEAP_INVALID, "ret_request is NULL");
    if (code)
        return code;
    code = directory_request(directory, &request, ret_error);
    return api_give_secret(ret_request, &request, code, ret_error);
}

int neap_certificate_sign(const char *directory, struct neap_bytes request,
                          const struct neap_grant *grant, struct neap_buffer *ret_papers,
                          struct neap_error *ret_error)
{
    struct principal who;
    struct buffer papers;
    uint64_t seconds;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code && (!request.data || !request.size))
        code = error_set(ret_error, NEAP_INVALID, "the request is empty");
    if (!code && !ret_papers)
        code = error_set(ret_error, NEAP_INVALID, "ret_papers is NULL");
    if (!code)
        code = grant_take(grant, &who, &seconds, ret_error);
    if (code)
        return code;
    code = directory_sign(directory, api_slice(request), &who, api_now_s(), seconds, &papers,
                          ret_error);
    principal_done(&who);
    return api_give_secret(ret_papers, &papers, code, ret_error);
}

int neap_certificate_take(const char *directory, struct neap_bytes papers,
                          struct neap_buffer *ret_json, struct neap_error *ret_error)
{
    struct issued issued;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code && (!papers.data || !papers.size))
        code = error_set(ret_error, NEAP_INVALID, "the papers are empty");
    if (!code)
        code = directory_take(directory, api_slice(papers), NULL, &issued, ret_error);
    return code ? code : api_give_issued(ret_json, &issued, ret_error);
}

int neap_certificate_show(struct neap_bytes certificate, struct neap_buffer *ret_json,
                          struct neap_error *ret_error)
{
    struct issued issued;
    int code = 0;

    if (!certificate.data || !certificate.size)
        return error_set(ret_error, NEAP_INVALID, "the certificate is empty");
    if (!ret_json)
        return error_set(ret_error, NEAP_INVALID, "ret_json is NULL");
    code = issue_read(api_slice(certificate), &issued, ret_error);
    return code ? code : api_give_issued(ret_json, &issued, ret_error);
}
