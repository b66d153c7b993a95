/* neap_trust.h, as far as there is a node at the other end. */
#include <string.h>

#include "base/error.h"
#include "engine/api.h"
#include "engine/api_join.h"
#include "engine/api_trust.h"
#include "engine/join.h"
#include "engine/request.h"
#include "gossip/net.h"
#include "trust/credentials.h"
#include "trust/directory.h"
#include "trust/keep.h"
#include "trust/secret.h"

enum { JOIN_MS = 10000 };

static int call_failed(int code, struct neap_error *error)
{
    if (code == NEAP_UNCERTAIN)
        return error_set(error, code,
                         "the connection broke, or no answer came in time. If the node admitted "
                         "you, its answer was lost: do the same again, with the same directory");
    return error_set(error, code, "%s", error_text(code));
}

/* A certificate for the key in the directory, from whoever is at the other end. */
int join_ask(struct transport *transport, const char *directory,
             const uint8_t fingerprint[FINGERPRINT_SIZE], uint32_t timeout_ms,
             struct issued *ret_issued, struct neap_error *error)
{
    struct buffer request, question, answer;
    struct slice papers;
    int code = directory_request(directory, &request, error);

    if (code)
        return code;
    code = join_question_write(buffer_slice(&request), &question);
    buffer_done(&request);
    if (code)
        return error_set(error, code, "%s", error_text(code));
    /* All the room that it may take: papers are secret, and what grows leaves copies behind. */
    buffer_init(&answer, JOIN_ANSWER_MAX);
    code = buffer_reserve(&answer, JOIN_ANSWER_MAX);
    if (!code)
        code = transport->call(transport, buffer_slice(&question), timeout_ms, &answer);
    buffer_done(&question);
    if (code)
        call_failed(code, error);
    else
        code = join_answer_read(buffer_slice(&answer), &papers, error);
    if (!code)
        code = directory_take(directory, papers, fingerprint, ret_issued, error);
    secret_done(&answer);
    return code;
}

/* A link of its own, over which the certificate of `credentials` is shown. */
struct transport_trusted {
    struct transport transport;
    struct net_call *call;
};

static int trusted_call(struct transport *transport, struct slice request, uint32_t timeout_ms,
                        struct buffer *ret_reply)
{
    return net_call(((struct transport_trusted *)transport)->call, request, timeout_ms, ret_reply);
}

static int trusted_open(const char *address, struct credentials *credentials, uint32_t timeout_ms,
                        struct transport_trusted *ret_link, struct neap_error *error)
{
    struct transport_trusted link = {.transport.call = trusted_call};
    int code;

    if (!net_address_is_tls(address))
        return error_set(error, NEAP_REFUSED,
                         "%.150s: certificates are handed out over TLS alone: tls+tcp://HOST:PORT",
                         address);
    code = net_call_open(address, credentials, timeout_ms, &link.call, error);
    if (!code)
        *ret_link = link;
    return code;
}

static int ask_at(const char *address, struct credentials *credentials, const char *directory,
                  const uint8_t *fingerprint, uint32_t timeout_ms, struct issued *ret_issued,
                  struct neap_error *error)
{
    struct transport_trusted link;
    int code;

    if (!timeout_ms)
        timeout_ms = JOIN_MS;
    code = trusted_open(address, credentials, timeout_ms, &link, error);
    if (code)
        return code;
    code = join_ask(&link.transport, directory, fingerprint, timeout_ms, ret_issued, error);
    net_call_close(link.call);
    return code;
}

int neap_join(struct neap_bytes token, const char *address, const char *directory,
              uint32_t timeout_ms, struct neap_buffer *ret_json, struct neap_error *ret_error)
{
    struct credentials_parts parts = {0};
    struct credentials *credentials;
    struct invitation invitation;
    struct issued issued;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code)
        code = api_text_check(address, "the address", ret_error);
    if (!code && (!token.data || !token.size))
        code = error_set(ret_error, NEAP_INVALID, "the token is empty");
    if (!code && keep_has(directory, CREDENTIALS_CERTIFICATE))
        code = error_set(ret_error, NEAP_REFUSED,
                         "%.150s is somebody's already: give a new directory", directory);
    if (!code)
        code = invitation_read(api_slice(token), &invitation, ret_error);
    if (code)
        return code;
    parts.certificate = buffer_slice(&invitation.certificate);
    parts.key = buffer_slice(&invitation.key);
    parts.ca_fingerprint = invitation.fingerprint;
    code = credentials_make(&parts, "the token", &credentials, ret_error);
    if (!code) {
        code = ask_at(address, credentials, directory, invitation.fingerprint, timeout_ms, &issued,
                      ret_error);
        credentials_close(credentials);
    }
    invitation_done(&invitation);
    return code ? code : api_give_issued(ret_json, &issued, ret_error);
}

int join_renew(const char *address, const char *directory, uint32_t timeout_ms,
               struct issued *ret_issued, struct neap_error *error)
{
    struct credentials *credentials;
    int code = credentials_open(directory, &credentials, error);

    if (code)
        return code;
    code = ask_at(address, credentials, directory, NULL, timeout_ms, ret_issued, error);
    credentials_close(credentials);
    return code;
}

int neap_certificate_renew(const char *directory, const char *address, uint32_t timeout_ms,
                           struct neap_buffer *ret_json, struct neap_error *ret_error)
{
    struct issued issued;
    int code = api_text_check(directory, "the directory", ret_error);

    if (!code && !address) {
        code = directory_renew(directory, api_now_s(), &issued, ret_error);
    } else if (!code) {
        code = api_text_check(address, "the address", ret_error);
        if (!code)
            code = join_renew(address, directory, timeout_ms, &issued, ret_error);
    }
    return code ? code : api_give_issued(ret_json, &issued, ret_error);
}

int neap_connect_trusted(const char *address, const char *directory, struct neap **ret_neap,
                         struct neap_error *ret_error)
{
    struct credentials *credentials;
    int code = api_text_check(address, "the address", ret_error);

    if (!code)
        code = api_text_check(directory, "the directory", ret_error);
    if (!code && !ret_neap)
        code = error_set(ret_error, NEAP_INVALID, "ret_neap is NULL");
    if (!code)
        code = credentials_open(directory, &credentials, ret_error);
    if (code)
        return code;
    code = api_connect(address, credentials, ret_neap, ret_error);
    credentials_close(credentials);
    return code;
}
