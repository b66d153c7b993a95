#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t calls;
static _Atomic uint64_t live;
static _Atomic uint64_t fail_call; /* the number of the call that fails; 0 is none */
static _Atomic bool fail_repeat;

/* Blocks up to this size are mostly had from the thread's own cache, which calloc() passes by. */
enum { SMALL_MAX = 1024 };

/* In programs of one thread a locked instruction for each block would be a waste. */
static uint64_t count_add(_Atomic uint64_t *counter, uint64_t more)
{
#ifdef NEAP_ALONE
    uint64_t sum = atomic_load_explicit(counter, memory_order_relaxed) + more;

    atomic_store_explicit(counter, sum, memory_order_relaxed);
    return sum;
#else
    return atomic_fetch_add(counter, more) + more;
#endif
}

/* Counts one call and tells whether it is allowed. */
static bool call_allowed(size_t size)
{
    uint64_t call = count_add(&calls, 1);
    uint64_t failing = atomic_load(&fail_call);

    if (failing && (call == failing || (call > failing && atomic_load(&fail_repeat))))
        return false;
    return size <= PTRDIFF_MAX;
}

void *mem_new(size_t size)
{
    void *memory;

    if (!call_allowed(size))
        return NULL;
    if (size > SMALL_MAX) {
        memory = calloc(1, size);
    } else {
        memory = malloc(size ? size : 1);
        if (memory)
            memset(memory, 0, size);
    }
    if (memory)
        count_add(&live, 1);
    return memory;
}

void *mem_new_array(size_t count, size_t size)
{
    if (!size || count <= PTRDIFF_MAX / size)
        return mem_new(count * size);
    (void)call_allowed(SIZE_MAX); /* counted like any other call */
    return NULL;
}

void *mem_resize(void *memory, size_t size)
{
    void *moved;

    if (!call_allowed(size))
        return NULL;
    moved = realloc(memory, size ? size : 1);
    if (moved && !memory)
        count_add(&live, 1);
    return moved;
}

void *mem_reserve(void *array, size_t count, size_t *room, size_t more, size_t size)
{
    size_t wanted = *room ? *room : 16;
    void *grown;

    if (*room - count >= more)
        return array;
    while (wanted - count < more) {
        if (wanted > PTRDIFF_MAX / 2 / size)
            return NULL;
        wanted *= 2;
    }
    grown = mem_resize(array, wanted * size);
    if (grown)
        *room = wanted;
    return grown;
}

char *mem_text(const char *text)
{
    size_t size;
    char *copy;

    if (!text)
        return NULL;
    size = strlen(text) + 1;
    copy = mem_new(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void mem_free(void *memory)
{
    if (!memory)
        return;
    free(memory);
    count_add(&live, UINT64_MAX);
}

void mem_fail_at(uint64_t call, int repeat)
{
    atomic_store(&fail_repeat, repeat != 0);
    atomic_store(&fail_call, call ? atomic_load(&calls) + call : 0);
}

uint64_t mem_calls(void)
{
    return atomic_load(&calls);
}

uint64_t mem_live(void)
{
    return atomic_load(&live);
}
