/* MessagePack: our own bounded reader that allocates nothing, and a writer on msgpack-c.
 * One value has one encoding: non-minimal integers and lengths are refused by the reader. Only
 * nil, unsigned and signed integers, bin, str and arrays exist; no maps, floats, or extensions. */
#ifndef NEAP_BASE_PACK_H
#define NEAP_BASE_PACK_H
#include "base/bytes.h"

/* Reading: the first error sticks, later reads return zeroes, the caller checks once at the end.
 * All slices borrow from the input. Any count or size is checked against what is left of the
 * input before it is returned, so a caller may size memory by it. */
struct reader {
    struct slice left;
    int error; /* 0, NEAP_INVALID, NEAP_LIMIT */
};

void reader_init(struct reader *reader, struct slice bytes);
uint64_t read_u64(struct reader *reader);
int64_t read_i64(struct reader *reader);
struct slice read_bin(struct reader *reader, size_t size_max);
struct slice read_str(struct reader *reader, size_t size_max);
/* Elements of the array that follows; more than count_max or than bytes left is an error. */
uint32_t read_array(struct reader *reader, uint32_t count_max);
/* The array must have exactly `count` elements. */
void read_array_of(struct reader *reader, uint32_t count);
bool read_nil(struct reader *reader); /* consumes a nil if it is next; not an error otherwise */
/* One value of any kind, as its own bytes; nesting to depth 8. */
struct slice read_any(struct reader *reader);
/* The first error sticks; 0 changes nothing, so the result of a check may be given. */
void reader_fail(struct reader *reader, int error);
/* 0 when everything was read and nothing failed; INVALID for trailing bytes. */
int reader_end(const struct reader *reader);

/* Writing: the first error sticks in the writer. */
struct writer {
    struct buffer *buffer;
    int error;
};

void writer_init(struct writer *writer, struct buffer *buffer);
void write_u64(struct writer *writer, uint64_t value);
void write_i64(struct writer *writer, int64_t value);
void write_bin(struct writer *writer, struct slice bytes);
void write_str(struct writer *writer, const char *text);
void write_array(struct writer *writer, uint32_t count);
void write_nil(struct writer *writer);
void write_raw(struct writer *writer, struct slice packed); /* bytes that are packed already */
#endif
