/* Paths name cells: key + type, then a step per map field (name + type), then the set element.
 * Order-preserving bytes: a subtree is a key range (design 1).
 *
 *   path  = level+ element?        level = escaped(name) type-byte     element = escaped(bytes)
 *   escaped(x) = x with 00 -> 00 FF, closed by 00 01
 * What follows a level, its type says (type_below()): after a map another level, its field; after a
 * set an element; all others end the path and name a cell. */
#ifndef NEAP_CRDT_PATH_H
#define NEAP_CRDT_PATH_H
#include "base/bytes.h"
#include "neap.h"

/* Each appends to `path` (limit NEAP_PATH_MAX): LIMIT when too long, too deep (NEAP_DEPTH_MAX
 * levels) or a name is over NEAP_KEY_MAX; INVALID for an empty key, an unknown type, or a step that
 * the type before it does not have. On an error (NOMEM too) the path is as it was. */
int path_level(struct buffer *path, struct slice name, enum neap_type type);
int path_element(struct buffer *path, struct slice element);
/* (key, fields) of a place: levels of type MAP for all but the last, which has `type`. With type 0
 * the last name is left open: the prefix of that object or field with any type. */
int path_place(struct buffer *path, const struct neap_place *at, unsigned type);

struct path_level {
    struct slice name; /* unescaped, in the cursor's scratch memory */
    enum neap_type type;
};

/* Walking a path: levels until END, then, if the last one has elements, that until END. A path
 * may stop after any level. Scratch is reused: a name is valid until the next call. */
struct path_cursor {
    struct slice left;
    struct buffer scratch;
    enum neap_type last; /* type of the level before `left`; 0 at the start */
};

void path_cursor_init(struct path_cursor *cursor, struct slice path);
int path_cursor_level(struct path_cursor *cursor, struct path_level *ret_level); /* END, INVALID */
int path_cursor_element(struct path_cursor *cursor, struct slice *ret_element);  /* END, INVALID */
void path_cursor_done(struct path_cursor *cursor);

/* A whole, valid path of a cell: used on whatever a peer sends. ret_type: of the last level. */
int path_check(struct slice path, enum neap_type *ret_type);
/* The levels of a path, which may stop after any: how many of its bytes they are, and the type of
 * the last one. What follows is not looked at. INVALID, LIMIT: a name is over NEAP_KEY_MAX. */
int path_levels(struct slice path, size_t *ret_size, enum neap_type *ret_last);
/* The first level alone: the object that the path is in. INVALID. */
int path_object(struct slice path, size_t *ret_size, enum neap_type *ret_type);
/* The smallest byte string after every path that starts with `prefix`; replaces what ret_end holds.
 * Empty when there is none (nothing but FF bytes, which no path is): to the end. */
int path_prefix_end(struct slice prefix, struct buffer *ret_end);
/* For people: key/field:type/element with unprintable bytes as \xNN; cut at `size`, zero included.
 * Bytes that are no path are shown after a question mark. */
void path_text(struct slice path, char *ret_text, size_t size);
#endif
