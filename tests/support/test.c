#include "tests/support/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

static struct test_case *first, **last = &first;

void test_register(struct test_case *test)
{
    *last = test;
    last = &test->next;
}

_Noreturn void test_failed(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    mem_fail_at(0, 0);
    printf("# %s:%d: ", file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    _fail(file, line);
    abort(); /* not reached: cmocka jumps out of the test */
}

void test_equal(int64_t found, int64_t expected, const char *what, const char *file, int line)
{
    if (found != expected)
        test_failed(file, line,
                    "%s is %" PRId64 " (0x%" PRIx64 "), not %" PRId64 " (0x%" PRIx64 ")", what,
                    found, (uint64_t)found, expected, (uint64_t)expected);
}

void test_error(int found, int expected, const char *what, const char *file, int line)
{
    if (found != expected)
        test_failed(file, line, "%s gives %s (%d), not %s (%d)", what, error_name(found), found,
                    error_name(expected), expected);
}

/* The start of the bytes, readable ones as they are. */
static void bytes_print(const char *label, struct slice bytes)
{
    size_t i;

    printf("#   %s %zu bytes:", label, bytes.size);
    for (i = 0; i < bytes.size && i < 64; i++)
        printf(" %02x", bytes.data[i]);
    printf("%s \"", bytes.size > 64 ? "..." : "");
    for (i = 0; i < bytes.size && i < 64; i++)
        putchar(bytes.data[i] >= 32 && bytes.data[i] < 127 ? bytes.data[i] : '.');
    printf("\"\n");
}

void test_bytes(struct slice found, struct slice expected, const char *what, const char *file,
                int line)
{
    if (slice_equal(found, expected))
        return;
    bytes_print("found   ", found);
    bytes_print("expected", expected);
    test_failed(file, line, "%s differs", what);
}

struct slice test_unhex(const char *hex, uint8_t *ret_bytes, size_t size_max)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = 0;

    for (; *hex; hex++) {
        const char *high, *low;

        if (*hex == ' ')
            continue;
        high = strchr(digits, hex[0]);
        low = hex[1] ? strchr(digits, hex[1]) : NULL;
        must(high && low && size < size_max);
        ret_bytes[size++] = (uint8_t)((high - digits) << 4 | (low - digits));
        hex++;
    }
    return slice_of(ret_bytes, size);
}

void test_hex(struct slice found, const char *hex, const char *what, const char *file, int line)
{
    uint8_t bytes[4096];

    test_bytes(found, test_unhex(hex, bytes, sizeof bytes), what, file, line);
}

uint64_t test_number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

void test_dies(void (*run)(void *argument), void *argument, const char *what, const char *file,
               int line)
{
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (!child) {
        int quiet = open("/dev/null", O_WRONLY);

        signal(SIGABRT, SIG_DFL);
        dup2(quiet, 2);
        run(argument);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        test_failed(file, line, "cannot start a process");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        test_failed(file, line, "%s does not abort (status 0x%x)", what, (unsigned)status);
}

void test_alloc_sweep_at(int (*run)(void *argument), void *argument, const char *file, int line)
{
    uint64_t call, calls, live;
    int error;

    live = mem_live();
    error = run(argument);
    if (error)
        test_failed(file, line, "gives %s with all memory there", error_name(error));
    if (mem_live() != live)
        test_failed(file, line, "leaks with all memory there");
    for (call = 1;; call++) {
        calls = mem_calls();
        mem_fail_at(call, 0);
        error = run(argument);
        mem_fail_at(0, 0);
        if (mem_live() != live)
            test_failed(file, line, "leaks %" PRId64 " blocks when allocation %" PRIu64 " fails",
                        (int64_t)(mem_live() - live), call);
        if (mem_calls() - calls < call)
            break;
        if (error != NEAP_NOMEM)
            test_failed(file, line, "gives %s (%d), not NOMEM, when allocation %" PRIu64 " fails",
                        error_name(error), error, call);
    }
    if (error)
        test_failed(file, line, "gives %s after the sweep", error_name(error));
}

static void test_run(void **state)
{
    const struct test_case *test = *state;
    uint64_t live = mem_live();

    mem_fail_at(0, 0);
    test->run();
    if (mem_live() != live)
        test_failed(__FILE__, __LINE__, "%s leaks %" PRId64 " blocks", test->name,
                    (int64_t)(mem_live() - live));
}

static bool test_wanted(const struct test_case *test, char **wanted)
{
    if (!*wanted)
        return true;
    for (; *wanted; wanted++)
        if (strstr(test->name, *wanted))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests = NULL;
    struct test_case *test;
    size_t count = 0;
    int failed;

    (void)argc;
    /* One who debugs may ask for another form. */
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (test = first; test; test = test->next) {
        if (!test_wanted(test, argv + 1))
            continue;
        tests = realloc(tests, (count + 1) * sizeof *tests);
        must(tests);
        tests[count++] = (struct CMUnitTest){test->name, test_run, NULL, NULL, test};
    }
    if (!count) {
        fprintf(stderr, "%s: no such test\n", argv[0]);
        free(tests);
        return 2;
    }
    failed = _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
    free(tests);
    return failed ? 1 : 0;
}
