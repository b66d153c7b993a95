#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
    abort();
}

const char *error_name(int code)
{
    switch (code) {
#define X(name, code, effect, text) \
    case code:                      \
        return #name;
        NEAP_ERRORS(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

const char *error_text(int code)
{
    switch (code) {
#define X(name, code, effect, text) \
    case code:                      \
        return text;
        NEAP_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}

int error_set(struct neap_error *error, int code, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return code;
    error->code = code;
    va_start(arguments, format);
    /* A text that is too long is cut; the code is what programs go by. */
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

int errno_code(int number)
{
    switch (number) {
    case ENOENT:
        return NEAP_NOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
    case EEXIST:
    case ENOTEMPTY:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return NEAP_REFUSED;
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
        return NEAP_INVALID;
    case ENOMEM:
        return NEAP_NOMEM;
    default:
        return NEAP_IO;
    }
}
