/* Backups: of a node, and as directories that no node has open. */
#include <string.h>

#include "base/error.h"
#include "engine/api.h"
#include "engine/report.h"

enum { DOCUMENT_MAX = 4 << 20 };

static int name_check(const char *name, const char *what, struct neap_error *error)
{
    if (!name || !name[0])
        return error_set(error, NEAP_INVALID, "%s is %s", what, name ? "empty" : "NULL");
    if (strnlen(name, BACKUP_NAME_MAX + 1) > BACKUP_NAME_MAX)
        return error_set(error, NEAP_LIMIT, "%s has more than %d bytes", what, BACKUP_NAME_MAX);
    return 0;
}

static int document_give(struct neap_buffer *ret_json, const struct buffer *json,
                         struct neap_error *error)
{
    int code = ret_json ? api_reserve(ret_json, json->size) : 0;

    if (code)
        return error_set(error, code, "%s", error_text(code));
    if (ret_json)
        api_fill(ret_json, buffer_slice(json));
    return 0;
}

int neap_backup(struct neap *neap, const char *directory, struct neap_buffer *ret_json,
                const struct neap_call *call)
{
    struct neap_error error = {0};
    struct buffer json;
    struct api api;
    int code;

    buffer_init(&json, DOCUMENT_MAX);
    code = api_begin(&api, neap, call, API_LONG);
    if (!code)
        code = name_check(directory, "the backup's directory", api.error);
    if (!code) {
        code = neap->backend->ops->backup(neap->backend, directory, api.call.timeout_ms, &json,
                                          &error);
        if (code)
            api_failed(&api, code, &error);
        else
            code = document_give(ret_json, &json, api.error);
    }
    buffer_done(&json);
    api_end(&api);
    return code;
}

/* A code never comes without words. */
static int code_told(int code, const struct neap_error *error, struct neap_error *ret_error)
{
    return error_set(ret_error, code, "%s",
                     error->code == code && error->text[0] ? error->text : error_text(code));
}

int neap_backup_verify(const char *directory, struct neap_buffer *ret_json,
                       struct neap_error *ret_error)
{
    struct neap_error error = {0};
    struct backup_counts counts;
    struct report report = {0};
    const struct backup_finder finder = {report_find, &report};
    struct buffer json;
    int code, failed = 0;

    code = name_check(directory, "the backup's directory", ret_error);
    if (code)
        return code;
    buffer_init(&json, DOCUMENT_MAX);
    code = report_begin(&report);
    if (!code)
        code = backup_verify(directory, &finder, &counts, &error);
    if (!code || code == NEAP_CORRUPT)
        failed = report_verify(&report, directory, &counts, &json);
    if (!failed && (!code || code == NEAP_CORRUPT))
        failed = document_give(ret_json, &json, NULL);
    code = failed ? failed : code;
    report_done(&report);
    buffer_done(&json);
    return code ? code_told(code, &error, ret_error) : 0;
}

int neap_restore(const char *backup, const char *directory, struct neap_buffer *ret_json,
                 struct neap_error *ret_error)
{
    struct neap_error error = {0};
    struct backup_counts counts;
    struct buffer json;
    int code = name_check(backup, "the backup's directory", ret_error);

    if (!code)
        code = name_check(directory, "the directory to restore to", ret_error);
    if (code)
        return code;
    buffer_init(&json, DOCUMENT_MAX);
    code = backup_restore(backup, directory, &counts, &error);
    if (!code)
        code = report_backup(backup, directory, &counts, &json);
    if (!code)
        code = document_give(ret_json, &json, &error);
    buffer_done(&json);
    return code ? code_told(code, &error, ret_error) : 0;
}
