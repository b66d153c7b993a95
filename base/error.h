/* Errors are NEAP_* codes; must() is for our own mistakes, never for input. */
#ifndef NEAP_BASE_ERROR_H
#define NEAP_BASE_ERROR_H
#include "neap.h"

/* Stop the process when the program itself is wrong: a bad byte here is copied to every replica. */
#define must(condition) ((condition) ? (void)0 : must_failed(#condition, __FILE__, __LINE__))
_Noreturn void must_failed(const char *condition, const char *file, int line);

const char *error_name(int code); /* "NOMEM" */
const char *error_text(int code);

/* Fills *error (which may be NULL) and returns `code`, so that failing reads
 * `return error_set(...)`. A text that is too long is cut. */
int error_set(struct neap_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What the number that a file's call left means: NOTFOUND, REFUSED (rights, room, it is there
 * already), INVALID (the path), NOMEM, IO. */
int errno_code(int number);
#endif
