/* All memory of the library comes through here, so that a test can fail call N.
 * The counters are the only mutable globals of the project; they are atomic. */
#ifndef NEAP_BASE_ALLOC_H
#define NEAP_BASE_ALLOC_H
#include <stddef.h>
#include <stdint.h>

/* Zeroed; NULL when out of memory; size 0 gives non-NULL. */
void *mem_new(size_t size);
/* The same for `count` times `size` bytes, which may overflow: then there is no memory. */
void *mem_new_array(size_t count, size_t size);
/* Like realloc: what is added is not zeroed, the old block stays when there is no memory. */
void *mem_resize(void *memory, size_t size);
char *mem_text(const char *text); /* a copy; NULL in, NULL out */
void mem_free(void *memory);      /* NULL is fine */
/* An array of `count` elements of `size` bytes, with room for `more` (1 at least) behind them:
 * where it is now, *room raised. NULL when out of memory; then it stays as it was. */
void *mem_reserve(void *array, size_t count, size_t *room, size_t more, size_t size);

/* For tests: the call numbered `call` from now on (1 = the next) fails; 0 = none. With `repeat`
 * all later ones fail as well. */
void mem_fail_at(uint64_t call, int repeat);
uint64_t mem_calls(void); /* since the start */
uint64_t mem_live(void);  /* blocks not yet freed */
#endif
