/* Text as files and people have it: hexadecimal digits, blanks, names of files. */
#ifndef NEAP_BASE_TEXT_H
#define NEAP_BASE_TEXT_H
#include "base/bytes.h"

/* Digits are small letters only. As many as the bytes need are read, up to the first that is none:
 * then it is false, and nothing was given. What follows them is the caller's business. */
bool hex_read(const char *text, uint8_t *ret_bytes, size_t size);
bool hex_read_u64(const char *text, uint64_t *ret_number); /* 16 digits */
void hex_write(struct slice bytes, char *ret_text);        /* 2 for each byte, and a zero */

/* Without the blanks (space, tab, carriage return) at both ends: of the end they are cut off, the
 * beginning is what comes back. */
char *text_trim(char *text);
/* The directory that a path of a file or directory is in. NULL: no memory. mem_free(). */
char *text_parent(const char *path);
#endif
