/* tear LOG DIRECTORY SEED: makes a directory what a power loss could have left of it, going by the
 * record of libpower. The last renames whose directory was not synced may be undone; every file is
 * cut back to some length between what was synced and what was written, and in what is left of the
 * unsynced part sectors may hold zeroes or garbage. What survives is then recorded as synced. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"

enum { PATH_SIZE = 1024, FILES_MAX = 65536, RENAMES_MAX = 1024, SECTOR = 512 };

struct file {
    char path[PATH_SIZE];
    long long synced;
};

struct rename {
    unsigned number;
    char from[PATH_SIZE], to[PATH_SIZE];
};

static struct file *files;
static unsigned files_count;
static struct rename renames[RENAMES_MAX];
static unsigned renames_count;
static struct rng rng;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static struct file *file_get(const char *path)
{
    unsigned i;

    /* From the end: files that were touched lately are asked for most. */
    for (i = files_count; i > 0; i--)
        if (strcmp(files[i - 1].path, path) == 0)
            return &files[i - 1];
    if (files_count == FILES_MAX)
        fail("too many files");
    snprintf(files[files_count].path, PATH_SIZE, "%s", path);
    files[files_count].synced = 0;
    return &files[files_count++];
}

static void kept_path(char path[PATH_SIZE], const char *log, unsigned number)
{
    snprintf(path, PATH_SIZE, "%s.%u", log, number);
}

/* The next word of a line; paths have no blanks, as the test chooses them. */
static const char *word_take(char **line)
{
    const char *word = *line;
    char *end = *line + strcspn(*line, " \n");

    if (end == word)
        fail("bad record");
    if (*end)
        *end++ = 0;
    *line = end;
    return word;
}

static long long number_take(char **line)
{
    return strtoll(word_take(line), NULL, 10);
}

static void rename_note(const char *log, char *line)
{
    struct rename *renamed = &renames[renames_count];
    char kept[PATH_SIZE];

    renamed->number = (unsigned)number_take(&line);
    snprintf(renamed->from, PATH_SIZE, "%s", word_take(&line));
    snprintf(renamed->to, PATH_SIZE, "%s", word_take(&line));
    file_get(renamed->to)->synced = file_get(renamed->from)->synced;
    file_get(renamed->from)->synced = 0;
    if (renames_count < RENAMES_MAX - 1) {
        renames_count++;
    } else {
        kept_path(kept, log, renamed->number);
        unlink(kept);
    }
}

/* All is in one directory, so a sync of it makes all renames safe. */
static void renames_settle(const char *log)
{
    char kept[PATH_SIZE];

    while (renames_count > 0) {
        kept_path(kept, log, renames[--renames_count].number);
        unlink(kept);
    }
}

static void line_note(const char *log, char *line)
{
    const char *kind = word_take(&line);
    struct file *file;
    long long size;

    switch (kind[0]) {
    case 'R':
        rename_note(log, line);
        break;
    case 'D':
        renames_settle(log);
        break;
    default: /* S: at least so much is safe; T: at most so much is there */
        size = number_take(&line);
        file = file_get(word_take(&line));
        if (kind[0] == 'S' ? file->synced < size : file->synced > size)
            file->synced = size;
    }
}

static void log_read(const char *log)
{
    char line[4 * PATH_SIZE];
    FILE *input = fopen(log, "r");

    if (!input)
        return;
    while (fgets(line, sizeof line, input))
        line_note(log, line);
    fclose(input);
}

/* File systems keep renames in order: the first ones may have made it. */
static unsigned renames_undo(const char *log)
{
    unsigned stay = (unsigned)rng_below(&rng, renames_count + 1), undone = 0;
    char kept[PATH_SIZE];

    while (renames_count > stay) {
        const struct rename *renamed = &renames[--renames_count];

        if (rename(renamed->to, renamed->from) != 0)
            continue; /* deleted since */
        undone++;
        file_get(renamed->from)->synced = file_get(renamed->to)->synced;
        kept_path(kept, log, renamed->number);
        if (rename(kept, renamed->to) == 0)
            file_get(renamed->to)->synced = 1LL << 60; /* it was whole before it was replaced */
    }
    renames_settle(log);
    return undone;
}

static void scramble(int file, long long from, long long to)
{
    uint8_t bytes[SECTOR];
    bool many = rng_chance(&rng, 50);
    long long start = from + (long long)rng_below(&rng, (uint64_t)(to - from));

    for (start -= start % SECTOR; start < to; start += SECTOR) {
        long long at = start < from ? from : start;
        size_t i, size = (size_t)((start + SECTOR < to ? start + SECTOR : to) - at);
        bool zeroes = rng_chance(&rng, 50);

        for (i = 0; i < size; i++)
            bytes[i] = zeroes ? 0 : (uint8_t)rng_u64(&rng);
        if (pwrite(file, bytes, size, at) != (ssize_t)size)
            fail("pwrite");
        if (!many)
            break;
        start += SECTOR * (long long)rng_below(&rng, 4);
    }
}

/* How much of the unsynced part stays: often nothing or all of it, as files go to disk one by one.
 */
static long long unsynced_kept(long long size)
{
    switch (rng_below(&rng, 4)) {
    case 0:
        return 0;
    case 1:
        return size;
    default:
        return (long long)rng_below(&rng, (uint64_t)size + 1);
    }
}

/* Bytes that the file loses. */
static long long file_tear(const char *path)
{
    long long synced = file_get(path)->synced, size, keep;
    struct stat status;
    int file = open(path, O_RDWR);

    if (file < 0 || fstat(file, &status) != 0)
        fail(path);
    size = status.st_size;
    if (synced >= size) {
        close(file);
        return 0;
    }
    keep = synced + unsynced_kept(size - synced);
    if (ftruncate(file, keep) != 0)
        fail("ftruncate");
    if (keep > synced && rng_chance(&rng, 40))
        scramble(file, synced, keep);
    close(file);
    return size - keep;
}

int main(int argc, char **argv)
{
    unsigned torn = 0, undone;
    long long bytes = 0, lost;
    char path[PATH_SIZE];
    const struct dirent *entry;
    struct stat status;
    DIR *directory;
    FILE *log;

    files = calloc(FILES_MAX, sizeof *files);
    if (argc != 4 || !files)
        fail("usage: tear LOG DIRECTORY SEED");
    rng_init(&rng, strtoull(argv[3], NULL, 10));
    log_read(argv[1]);
    undone = renames_undo(argv[1]);
    directory = opendir(argv[2]);
    log = fopen(argv[1], "w");
    if (!log || !directory)
        fail(argv[1]);
    while ((entry = readdir(directory))) {
        snprintf(path, sizeof path, "%s/%.255s", argv[2], entry->d_name);
        if (strncmp(entry->d_name, "LO", 2) == 0 || stat(path, &status) != 0 ||
            !S_ISREG(status.st_mode))
            continue; /* LOCK and the info log hold no data */
        lost = file_tear(path);
        torn += lost > 0;
        bytes += lost;
        if (stat(path, &status) == 0)
            fprintf(log, "S %lld %s\n", (long long)status.st_size, path);
    }
    closedir(directory);
    if (fclose(log) != 0)
        fail(argv[1]);
    free(files);
    printf("%u %lld %u\n", torn, bytes, undone);
    return 0;
}
