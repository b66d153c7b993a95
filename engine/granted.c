#include "engine/granted.h"

#include <string.h>

#include "base/error.h"
#include "store/store.h"

static struct granted *granted_of(struct backend *backend)
{
    return (struct granted *)backend;
}

static int granted_refuse(struct granted *granted, const char *may_not, const char *bucket,
                          struct neap_error *error)
{
    char name[PRINCIPAL_TEXT_MAX];

    granted->refused++;
    principal_text(granted->principal, name);
    return error_set(error, NEAP_REFUSED,
                     "%s may not %s bucket %.64s, as its certificate has no such right: nothing "
                     "was done",
                     name, may_not, bucket ? bucket : "");
}

static int granted_refuse_all(struct granted *granted, const char *what, struct neap_error *error)
{
    char name[PRINCIPAL_TEXT_MAX];

    granted->refused++;
    return error_set(error, NEAP_REFUSED,
                     "%s may not ask for %s: only who comes by the node's Unix socket, or is a "
                     "node: nothing was done",
                     principal_text(granted->principal, name), what);
}

static bool granted_all(const struct granted *granted)
{
    return granted->principal->kind == PRINCIPAL_NODE || granted->principal->kind == PRINCIPAL_NONE;
}

static bool granted_may(const struct granted *granted, unsigned right, const char *bucket)
{
    if (granted_all(granted))
        return true;
    return bucket && bucket[0] != '_' && (principal_may(granted->principal, bucket) & right);
}

/* Has a certificate that names this shard, or all that are not the system's? Of what a token is
 * made only the shard is told, and it is enough. */
static bool granted_shard(const struct granted *granted, uint64_t shard)
{
    const struct principal *principal = granted->principal;

    for (size_t i = 0; i < principal->rights_count; i++) {
        const char *bucket = principal->rights[i].bucket;

        if (strcmp(bucket, "*")
                ? bucket_id(bucket) == shard && granted_may(granted, RIGHT_READ, bucket)
                : shard != bucket_id(SYSTEM_BUCKET) && principal_may(principal, "*"))
            return true;
    }
    return false;
}

/* Waiting for what others have written tells that they did. */
static int granted_token(struct granted *granted, const struct token *token,
                         struct neap_error *error)
{
    char name[PRINCIPAL_TEXT_MAX];

    for (size_t i = 0; token && i < token->count && !granted_all(granted); i++) {
        if (granted_shard(granted, token->parts[i].shard))
            continue;
        granted->refused++;
        return error_set(error, NEAP_REFUSED,
                         "%s may not wait for what its token names: that is of a bucket (%016llx) "
                         "that it may not read: nothing was done",
                         principal_text(granted->principal, name),
                         (unsigned long long)token->parts[i].shard);
    }
    return 0;
}

/* A ticket is a number, and may be that of a write of somebody else: how it went is told, but not
 * in words, which name buckets and keys. */
static int granted_waited(const struct granted *granted, const struct token *token, int code,
                          struct neap_error *error)
{
    if (!code || !token || !token->ticket || granted_all(granted))
        return code;
    return error_set(error, code, "%s", error_text(code));
}

static int granted_write(struct backend *backend, struct write *write)
{
    struct granted *granted = granted_of(backend);

    for (size_t i = 0; i < write->count; i++)
        if (!granted_may(granted, RIGHT_WRITE, write->ops[i].bucket))
            return granted_refuse(granted, "write to", write->ops[i].bucket, &write->error);
    return granted->inner->ops->write(granted->inner, write);
}

static int granted_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct granted *granted = granted_of(backend);

    if (!granted_may(granted, RIGHT_READ, read->bucket))
        return granted_refuse(granted, "read", read->bucket, &read->error);
    if (granted_token(granted, read->after, &read->error))
        return NEAP_REFUSED;
    return granted_waited(granted, read->after,
                          granted->inner->ops->read(granted->inner, read, ret_cell), &read->error);
}

static int granted_page(struct backend *backend, struct page_request *request,
                        struct page *ret_page)
{
    struct granted *granted = granted_of(backend);

    if (request->stats && !granted_all(granted))
        return granted_refuse_all(granted, "a node's numbers", &request->error);
    if (!request->stats && !granted_may(granted, RIGHT_READ, request->bucket))
        return granted_refuse(granted, "read", request->bucket, &request->error);
    if (granted_token(granted, request->after, &request->error))
        return NEAP_REFUSED;
    return granted_waited(granted, request->after,
                          granted->inner->ops->page(granted->inner, request, ret_page),
                          &request->error);
}

static int granted_sync(struct backend *backend)
{
    struct granted *granted = granted_of(backend);

    return granted->inner->ops->sync(granted->inner);
}

static int granted_wait(struct backend *backend, const struct token *token, enum neap_level level,
                        uint32_t timeout_ms, struct neap_error *error)
{
    struct granted *granted = granted_of(backend);

    if (granted_token(granted, token, error))
        return NEAP_REFUSED;
    return granted_waited(
        granted, token, granted->inner->ops->wait(granted->inner, token, level, timeout_ms, error),
        error);
}

static int granted_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                        struct neap_error *error)
{
    struct granted *granted = granted_of(backend);

    return granted->inner->ops->once(granted->inner, timeout_ms, ret_id, error);
}

static int granted_admin(struct backend *backend, int argc, const char *const argv[],
                         struct buffer *ret_json, struct neap_error *error)
{
    struct granted *granted = granted_of(backend);

    if (!granted_all(granted))
        return granted_refuse_all(granted, "what operators do", error);
    return granted->inner->ops->admin(granted->inner, argc, argv, ret_json, error);
}

static int granted_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                          struct buffer *ret_json, struct neap_error *error)
{
    struct granted *granted = granted_of(backend);

    if (!granted_all(granted))
        return granted_refuse_all(granted, "a backup", error);
    return granted->inner->ops->backup(granted->inner, directory, timeout_ms, ret_json, error);
}

static const struct backend_ops granted_ops = {.write = granted_write,
                                               .read = granted_read,
                                               .page = granted_page,
                                               .sync = granted_sync,
                                               .wait = granted_wait,
                                               .once = granted_once,
                                               .admin = granted_admin,
                                               .backup = granted_backup};

void granted_init(struct granted *granted, struct backend *inner, const struct principal *principal)
{
    *granted =
        (struct granted){.backend.ops = &granted_ops, .inner = inner, .principal = principal};
}
