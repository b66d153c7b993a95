/* What golden bytes mean, by the decoders of the program. */
#ifndef NEAP_GOLDEN_SAID_H
#define NEAP_GOLDEN_SAID_H
#include "store/chunk.h"
#include "tests/golden/golden.h"

void say_context(struct buffer *text, const char *name, const struct context *context);
void say_path(struct buffer *text, struct slice path);
/* The dots of a canonical cell, and the value that they make, by the type of its path. */
void say_cell(struct buffer *text, struct slice path, struct slice bytes);
void say_chunk(struct buffer *text, const struct chunk *chunk);
const char *chunk_kind_name(enum chunk_kind kind); /* NULL: there is none such */
/* Decodes one of any kind, which must be well. */
void chunk_read(struct slice bytes, struct chunk *ret_chunk);
#endif
