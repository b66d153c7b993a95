/* A fuzz target: bytes from outside against one decoder. What it accepts must be what it would
 * write; what must() finds, or a sanitizer, is a failure.
 *
 *   FUZZ(cell)          the target of tests/fuzz/fuzz_cell, its corpus is tests/fuzz/corpus/cell
 *   {
 *       ...
 *       return true;    the bytes, `input`, were accepted
 *   }
 *
 * With ./configure --enable-fuzz CC=clang it is a libFuzzer program; else replay.c runs it over its
 * corpus and over mutations of that. Compiled with NEAP_BROKEN, library and all, it breaks the rule
 * that $BROKEN names, which must be noticed. */
#ifndef NEAP_FUZZ_H
#define NEAP_FUZZ_H
#include "base/bytes.h"
#include "base/error.h"

extern const char *const fuzz_name;
extern uint64_t fuzz_accepted; /* how many inputs were */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef NEAP_BROKEN
#include <stdlib.h>

#include "base/broken.h"
#define FUZZ_BROKEN                                         \
    bool broken(const char *rule)                           \
    {                                                       \
        static const char *now;                             \
                                                            \
        if (!now)                                           \
            now = getenv("BROKEN") ? getenv("BROKEN") : ""; \
        return !strcmp(now, rule);                          \
    }
#else
#define FUZZ_BROKEN
#endif

#define FUZZ(name)                                               \
    FUZZ_BROKEN                                                  \
    static bool fuzz_##name(struct slice input);                 \
    const char *const fuzz_name = #name;                         \
    uint64_t fuzz_accepted;                                      \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) \
    {                                                            \
        fuzz_accepted += fuzz_##name(slice_of(data, size));      \
        return 0;                                                \
    }                                                            \
    static bool fuzz_##name(struct slice input)
#endif
