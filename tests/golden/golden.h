/* Golden bytes: what this version writes on wires and disks, kept in files of text next to what it
 * means. A program of today must read them all, and write the same again; a change of them is a
 * change of format, and wants a new version number. `make golden` writes the files anew, on
 * purpose.
 *
 *   name: pull
 *   says: shard 42, session 7...        one line or more
 *   hex: 96 05 2a 07 ...                one line or more
 *
 * Something new: a message is a row of its table and a case of say_message() (test_wire.c), a verb
 * a case of ask() (test_clients.c), a record something that scene_open() does and a case of
 * say_meta() (scene.c, test_records.c). Then `make golden`, and the difference is read and
 * committed. The packed directory is made only where there is none: remove it first when the format
 * has changed. */
#ifndef NEAP_GOLDEN_H
#define NEAP_GOLDEN_H
#include "tests/support/test.h"

enum { GOLDEN_BYTES_MAX = 1 << 20 };

struct golden {
    const char *name;
    unsigned kind; /* of the enum that the table is checked against */
    /* What this version writes. */
    void (*make)(struct buffer *ret_bytes);
    /* What it reads, as lines of text. */
    void (*say)(struct slice bytes, struct buffer *ret_text);
    /* Reads, and writes what was read. */
    void (*again)(struct slice bytes, struct buffer *ret_bytes);
};

/* All of a table against tests/golden/FILE; or into it when GOLDEN_WRITE is set. */
void golden_check(const char *file, const char *title, const struct golden *table, size_t count);
/* One of that kind at least is in the table. */
bool golden_has(const struct golden *table, size_t count, unsigned kind);
/* One entry of a file. */
struct golden_entry {
    char name[512];
    struct buffer says, bytes;
};
void golden_entry_init(struct golden_entry *entry);
void golden_entry_done(struct golden_entry *entry);
/* The next one of the text, which moves behind it; false after the last. */
bool golden_entry_next(struct slice *text, struct golden_entry *entry);
void golden_entry_append(struct buffer *text, const struct golden_entry *entry);
void golden_head_append(struct buffer *text, const char *title);
void golden_write(const char *file, const struct buffer *text);

/* tests/golden/FILE. */
const char *golden_path(const char *file, char *ret_path, size_t size);
bool golden_writes(void);
/* The whole file, at most size_max; ends the test when it can't be read. */
void golden_read(const char *file, struct buffer *ret_text);

/* Appends text. */
void say(struct buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_bytes(struct buffer *text, struct slice bytes); /* "text", or hex */
void say_hex(struct buffer *text, struct slice bytes);   /* 32 a line */
void golden_unhex(struct slice text, struct buffer *ret_bytes);
#endif
