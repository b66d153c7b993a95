/* Tests: a thin layer on cmocka. A test is a TEST(named_as_a_sentence); it registers itself. The
 * program takes substrings of names to run only those tests, and prints TAP. After each test as
 * many blocks of memory must be allocated (base/alloc.h) as before it. */
#ifndef NEAP_TEST_H
#define NEAP_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

void test_register(struct test_case *test);

#define TEST(name)                                                 \
    static void case_##name(void);                                 \
    __attribute__((constructor)) static void register_##name(void) \
    {                                                              \
        static struct test_case test = {#name, case_##name, NULL}; \
        test_register(&test);                                      \
    }                                                              \
    static void case_##name(void)

/* Each evaluates its arguments once and ends the test when it does not hold. */
#define CHECK(condition) \
    ((condition) ? (void)0 : test_failed(__FILE__, __LINE__, "does not hold: %s", #condition))
/* Integers of any type; compared as 64 bits. */
#define CHECK_EQUAL(found, expected) \
    test_equal((int64_t)(found), (int64_t)(expected), #found, __FILE__, __LINE__)
#define CHECK_OK(found) test_error(found, 0, #found, __FILE__, __LINE__)
#define CHECK_ERROR(found, expected) test_error(found, expected, #found, __FILE__, __LINE__)
/* A slice against a C string, against bytes in hex ("c0 ff", blanks are skipped), against a slice.
 */
#define CHECK_SLICE(found, text) test_bytes(found, slice_text(text), #found, __FILE__, __LINE__)
#define CHECK_HEX(found, hex) test_hex(found, hex, #found, __FILE__, __LINE__)
#define CHECK_BYTES(found, expected) test_bytes(found, expected, #found, __FILE__, __LINE__)
#define CHECK_TEXT(found, text) \
    test_bytes(slice_text(found), slice_text(text), #found, __FILE__, __LINE__)
/* The call must end the process by abort (a must() that fails). */
#define CHECK_DIES(run, argument) test_dies(run, argument, #run, __FILE__, __LINE__)

/* Runs `run` once, which must succeed; then with its first allocation failing, its second, and so
 * on until a run has none that fails. A run with a failed allocation must return NEAP_NOMEM; every
 * run must leave as many blocks allocated as there were. That nothing changed is for `run` to
 * check. */
#define test_alloc_sweep(run, argument) test_alloc_sweep_at(run, argument, __FILE__, __LINE__)

/* Bytes from hex; the result lies in `ret_bytes` (of `size_max`). */
struct slice test_unhex(const char *hex, uint8_t *ret_bytes, size_t size_max);
/* A number from the environment, to repeat or lengthen a random test; else `otherwise`. */
uint64_t test_number(const char *variable, uint64_t otherwise);

_Noreturn void test_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void test_equal(int64_t found, int64_t expected, const char *what, const char *file, int line);
void test_error(int found, int expected, const char *what, const char *file, int line);
void test_bytes(struct slice found, struct slice expected, const char *what, const char *file,
                int line);
void test_hex(struct slice found, const char *hex, const char *what, const char *file, int line);
void test_dies(void (*run)(void *argument), void *argument, const char *what, const char *file,
               int line);
void test_alloc_sweep_at(int (*run)(void *argument), void *argument, const char *file, int line);
#endif
