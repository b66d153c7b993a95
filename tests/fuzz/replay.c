/* Runs a fuzz target over files without libFuzzer, and prints TAP.
 *
 *   fuzz_NAME [FILE | FOLDER]...
 *
 * Without arguments: over $top_srcdir/tests/fuzz/corpus/NAME. Then over FUZZ_ROUNDS (20000) inputs
 * made from those, the same ones for the same FUZZ_SEED (1). An input that ends the process is left
 * in ./crash-NAME. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "tests/fuzz/fuzz.h"

enum { FILES_MAX = 4096, INPUT_MAX = 1 << 16 };

struct corpus {
    struct slice inputs[FILES_MAX]; /* each in memory of its own */
    size_t count;
};

/* The input that is being run, for the handler of its death. */
static struct slice running;

static void leave_crash(void)
{
    char name[64];
    FILE *file;

    snprintf(name, sizeof name, "crash-%s", fuzz_name);
    file = fopen(name, "wb");
    if (!file)
        return;
    fwrite(running.data, 1, running.size, file);
    fclose(file);
    fprintf(stderr, "the input is in %s\n", name);
}

static void on_signal(int number)
{
    leave_crash();
    signal(number, SIG_DFL);
    raise(number);
}

/* The sanitizers end the process without a signal. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

/* In memory of exactly its size, so that a sanitizer sees what reads past it. */
static void run(struct slice input)
{
    uint8_t *copy = malloc(input.size ? input.size : 1);

    must(copy);
    if (input.size > 0)
        memcpy(copy, input.data, input.size);
    running = slice_of(copy, input.size);
    LLVMFuzzerTestOneInput(copy, input.size);
    running = slice_of(NULL, 0);
    free(copy);
}

/* Reads one file and runs it; a case of its own. */
static bool add_file(struct corpus *corpus, const char *path)
{
    uint8_t *bytes = malloc(INPUT_MAX);
    FILE *file = fopen(path, "rb");
    size_t size = 0;

    must(bytes);
    if (file) {
        size = fread(bytes, 1, INPUT_MAX, file);
        fclose(file);
    }
    if (!file || corpus->count == FILES_MAX) {
        free(bytes);
        printf("not ok - %s cannot be read\n", path);
        return false;
    }
    corpus->inputs[corpus->count++] = slice_of(bytes, size);
    printf("# %s\n", path);
    run(slice_of(bytes, size));
    printf("ok %zu - %s\n", corpus->count, path);
    return true;
}

static bool add_path(struct corpus *corpus, const char *path)
{
    struct dirent **names;
    bool fine = true;
    int count = scandir(path, &names, NULL, alphasort);

    if (count < 0)
        return add_file(corpus, path);
    for (int i = 0; i < count; i++) {
        char whole[4096];

        snprintf(whole, sizeof whole, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && !add_file(corpus, whole))
            fine = false;
        free(names[i]);
    }
    free(names);
    return fine;
}

/* Bytes that begin something in MessagePack or in a path, or lie at an edge. */
static uint8_t byte_random(struct rng *rng)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x05, 0x06, 0x7f, 0x80, 0x90, 0x93, 0x9f, 0xa0,
                                    0xc0, 0xc4, 0xc5, 0xc6, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1,
                                    0xd2, 0xd3, 0xd9, 0xdc, 0xdd, 0xe0, 0xfe, 0xff};

    if (rng_chance(rng, 50))
        return edges[rng_below(rng, sizeof edges)];
    return (uint8_t)rng_u64(rng);
}

/* Cuts `gone` bytes at `at` and puts the `added` ones there. */
static size_t splice(uint8_t *bytes, size_t size, size_t at, size_t gone, struct slice added)
{
    if (size - gone + added.size > INPUT_MAX)
        return size;
    memmove(bytes + at + added.size, bytes + at + gone, size - at - gone);
    if (added.size > 0)
        memmove(bytes + at, added.data, added.size);
    return size - gone + added.size;
}

static size_t mutate(struct rng *rng, const struct corpus *corpus, uint8_t *bytes, size_t size)
{
    struct slice other = corpus->inputs[rng_below(rng, corpus->count)];
    size_t at = rng_below(rng, size + 1), rest = size - at, from, gone;
    uint8_t byte = byte_random(rng);

    switch (rng_below(rng, 7)) {
    case 0:
        return at;
    case 1:
        return splice(bytes, size, at, 0, slice_of(&byte, 1));
    case 2:
        return splice(bytes, size, at, rest ? 1 + rng_below(rng, rest) : 0, slice_of(NULL, 0));
    case 3:
        from = rng_below(rng, other.size + 1);
        gone = rng_below(rng, rest + 1);
        return splice(bytes, size, at, gone,
                      slice_of(other.data + from, rng_below(rng, other.size - from + 1)));
    case 4:
        if (rest > 0)
            bytes[at] = (uint8_t)(bytes[at] ^ 1u << rng_below(rng, 8));
        return size;
    case 5:
        if (rest > 0)
            bytes[at] = (uint8_t)(bytes[at] + (rng_chance(rng, 50) ? 1 : 255));
        return size;
    default:
        if (rest > 0)
            bytes[at] = byte;
        return size;
    }
}

static uint64_t number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void run_mutations(const struct corpus *corpus, uint64_t rounds)
{
    uint8_t *bytes = malloc(INPUT_MAX);
    struct rng rng;

    must(bytes);
    rng_init(&rng, number("FUZZ_SEED", 1));
    for (uint64_t i = 0; i < rounds; i++) {
        struct slice from = corpus->inputs[rng_below(&rng, corpus->count)];
        size_t size = from.size;

        if (size > 0)
            memcpy(bytes, from.data, size);
        for (uint64_t k = rng_below(&rng, 4) + 1; k > 0; k--)
            size = mutate(&rng, corpus, bytes, size);
        run(slice_of(bytes, size));
    }
    free(bytes);
}

int main(int argc, char **argv)
{
    static struct corpus corpus;
    uint64_t rounds = number("FUZZ_ROUNDS", 20000), of_corpus;
    const char *top = getenv("top_srcdir");
    char path[4096];
    bool fine = true;

    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(leave_crash);
    for (int i = 1; i < argc; i++)
        fine = add_path(&corpus, argv[i]) && fine;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", fuzz_name);
    if (argc < 2)
        fine = add_path(&corpus, path);
    of_corpus = fuzz_accepted;
    if (corpus.count > 0)
        run_mutations(&corpus, rounds);
    printf("# accepted: %llu of %zu files, %llu of %llu mutations\n", (unsigned long long)of_corpus,
           corpus.count, (unsigned long long)(fuzz_accepted - of_corpus),
           (unsigned long long)rounds);
    /* A corpus of which nothing passes, or everything, tries little. */
    if (argc < 2 && (of_corpus == 0 || of_corpus == corpus.count))
        fine = false;
    printf("%s %zu - mutations of %s\n1..%zu\n", fine ? "ok" : "not ok", corpus.count + 1,
           fuzz_name, corpus.count + 1);
    while (corpus.count > 0)
        free((void *)(uintptr_t)corpus.inputs[--corpus.count].data);
    return fine ? 0 : 1;
}
