/* Contexts and cells as text, so that tests read as tables. An id is a letter.
 *   context  "a3 b1"                       of a 3 events were seen, of b one
 *   cell     "a1 a2=text b1#-5 c1@7:text"  dots with no payload, bytes, a packed number, and
 *                                          [stamp, value]
 *           "a1! b2[0,5,-7]"               a no; an array of packed numbers */
#ifndef NEAP_TEST_CELLS_H
#define NEAP_TEST_CELLS_H
#include "crdt/types.h"
#include "tests/support/test.h"

void context_parse(const char *text, struct context *ret_context); /* replaces; the nonces are 0 */

/* A cell with memory of its own for payloads. */
struct text_cell {
    struct cell cell;
    uint8_t bytes[1024];
    size_t used;
};

void text_cell_init(struct text_cell *ret_cell, const char *text);
void text_cell_done(struct text_cell *cell);

#define CHECK_CELL(found, text) test_cell_is(found, text, #found, __FILE__, __LINE__)
#define CHECK_CONTEXT(found, text) test_context_is(found, text, #found, __FILE__, __LINE__)
void test_cell_is(const struct cell *found, const char *text, const char *what, const char *file,
                  int line);
void test_context_is(const struct context *found, const char *text, const char *what,
                     const char *file, int line);

/* Does `op` on the cell `old` by replica x, which may fold its dots after `fold_after`; the new dot
 * is x9. Gives the error, or checks that the cell is `expected` then (NULL: no event at all).
 * `seen` is a context as text, or NULL. */
#define CHECK_EDIT(old, op, seen, expected) \
    CHECK_OK(test_edit(old, op, seen, 0, expected, __FILE__, __LINE__))
#define CHECK_EDIT_ERROR(old, op, error) \
    CHECK_ERROR(test_edit(old, op, NULL, 0, NULL, __FILE__, __LINE__), error)
int test_edit(const char *old, struct op op, const char *seen, uint64_t fold_after,
              const char *expected, const char *file, int line);
/* The same with all that the editor has to say but its id: CHECK_EDIT has {.next = 9, .fold_write =
 * 8}. */
#define CHECK_EDIT_BY(editor, old, op, seen, expected) \
    CHECK_OK(test_edit_by(editor, old, op, seen, expected, __FILE__, __LINE__))
int test_edit_by(struct editor editor, const char *old, struct op op, const char *seen,
                 const char *expected, const char *file, int line);
#endif
