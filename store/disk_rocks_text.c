/* RocksDB's errors in words for whoever has to act on them. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/disk_rocks.h"

enum { WORDS_MAX = 200, FILE_NAME_MAX = 40, FOOTER_SIZE = 12 /* format, magic number */ };

int rocks_text_code(const char *text)
{
    if (strstr(text, "lock hold by") || strstr(text, "While lock file"))
        return NEAP_LOCKED;
    if (strstr(text, "Column families not opened") || strstr(text, "newer version"))
        return NEAP_FORMAT;
    /* RocksDB misses only what its own files name. */
    if (strncmp(text, "Corruption", 10) == 0 || strstr(text, "No such file"))
        return NEAP_CORRUPT;
    return NEAP_IO;
}

/* The size of the name of a database's file that `text` begins with; 0: none. */
static size_t name_size(const char *text)
{
    size_t size = 0;

    if (strncmp(text, "CURRENT", 7) == 0)
        return 7;
    if (strncmp(text, "MANIFEST-", 9) == 0)
        size = 9;
    while (isdigit((unsigned char)text[size]))
        size++;
    if (size > 9 && text[0] == 'M')
        return size;
    if (size == 0 || text[0] == 'M')
        return 0;
    return strncmp(text + size, ".sst", 4) && strncmp(text + size, ".ldb", 4) &&
                   strncmp(text + size, ".log", 4)
               ? 0
               : size + 4;
}

/* The file that is at fault. RocksDB names the MANIFEST as well when a table in it can't be read,
 * and looks for a table under the name that it had in LevelDB, too. */
static void file_of(const char *text, char ret_name[FILE_NAME_MAX])
{
    const char *at = text;
    size_t size;

    ret_name[0] = 0;
    for (; *at; at += size ? size : 1) {
        size = at == text || !isalnum((unsigned char)at[-1]) ? name_size(at) : 0;
        if (size == 0 || size >= FILE_NAME_MAX || (ret_name[0] && at[0] == 'M'))
            continue;
        memcpy(ret_name, at, size);
        ret_name[size] = 0;
    }
    size = strlen(ret_name);
    if (size > 4 && strcmp(ret_name + size - 4, ".ldb") == 0)
        memcpy(ret_name + size - 4, ".sst", 4);
}

/* Does the last part of the table say another format than all tables have? */
static bool footer_is_odd(int directory, const char *name)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    uint8_t footer[FOOTER_SIZE] = {0};
    struct stat status;
    bool odd;

    if (file < 0)
        return false;
    odd = fstat(file, &status) == 0 &&
          pread(file, footer, sizeof footer, status.st_size - FOOTER_SIZE) == FOOTER_SIZE &&
          (footer[0] != ROCKS_TABLE_FORMAT || footer[1] || footer[2] || footer[3]);
    (void)close(file);
    return odd;
}

/* Of a table whose footer can't be read RocksDB names nothing but the MANIFEST. */
static void file_of_footer(const char *path, char ret_name[FILE_NAME_MAX])
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        size_t size = name_size(entry->d_name);

        if (size > 4 && size < FILE_NAME_MAX && !strcmp(entry->d_name + size - 4, ".sst") &&
            footer_is_odd(dirfd(directory), entry->d_name))
            snprintf(ret_name, FILE_NAME_MAX, "%.*s", (int)size, entry->d_name);
    }
    if (directory)
        (void)closedir(directory);
}

/* RocksDB's words without the directory, which is named already, on one line. */
static void words_of(const char *text, const char *path, char ret_words[WORDS_MAX])
{
    size_t path_size = strlen(path), used = 0;

    while (*text && used + 1 < WORDS_MAX) {
        if (path_size && strncmp(text, path, path_size) == 0 && text[path_size] == '/') {
            text += path_size + 1;
            continue;
        }
        ret_words[used++] = *text == '\n' ? ' ' : *text;
        text++;
    }
    while (used && ret_words[used - 1] == ' ')
        used--;
    ret_words[used] = 0;
}

/* What can't be opened, or says who the directory is, is not salvaged. */
static const char *advice_of(int code, const char *what, const char *text)
{
    if (strstr(text, "No space left") || strstr(text, "quota"))
        return "no space is left: make room and start again";
    if (code == NEAP_CORRUPT && strncmp(what, "cannot", 6) != 0 && strncmp(what, "meta", 4) != 0)
        return "start this node again: it takes what can be read, and the rest from its peers";
    if (code == NEAP_CORRUPT)
        return "restore a backup, or move the directory away and let this node start empty";
    if (strstr(text, "Permission denied") || strstr(text, "Read-only file system"))
        return "the system refuses it";
    return "the disk failed: see what the system says of it, then start again";
}

/* CURRENT names the MANIFEST: when that is missing, either may be wrong. */
static const char *fault_of(int code, const char *text, const char *file)
{
    if (!file[0])
        return "";
    if (code != NEAP_CORRUPT)
        return ": ";
    if (!strstr(text, "No such file"))
        return " is damaged: ";
    return file[0] == 'M' ? ", which CURRENT names, is missing: " : " is missing: ";
}

/* The file that a text of RocksDB is about. */
static void file_at_fault(const char *path, const char *text, char ret_name[FILE_NAME_MAX])
{
    file_of(text, ret_name);
    if (strstr(text, "format_version"))
        file_of_footer(path, ret_name);
}

int rocks_text_error(struct neap_error *error, int code, const char *path, const char *what,
                     char *text)
{
    char file[FILE_NAME_MAX], words[WORDS_MAX];
    int kind = rocks_text_code(text);

    code = code ? code : kind;
    file_at_fault(path, text, file);
    words_of(text, path, words);
    if (kind == NEAP_FORMAT || kind == NEAP_LOCKED)
        (void)error_set(error, code, "%s: %s: %s", path, what, words);
    else
        (void)error_set(error, code, "%s: %s%s%s (%s: %s)", path, file, fault_of(kind, text, file),
                        advice_of(kind, what, text), what, words);
    rocksdb_free(text);
    return code;
}

void rocks_text_cause(const char *path, const char *what, const char *text,
                      char ret_cause[ROCKS_CAUSE_MAX])
{
    char file[FILE_NAME_MAX], words[WORDS_MAX];

    file_of(text, file);
    words_of(text, path, words);
    snprintf(ret_cause, ROCKS_CAUSE_MAX, "%s%s%.24s: %.55s", file,
             file[0] ? fault_of(NEAP_CORRUPT, text, file) : "", what, words);
}

bool rocks_text_is_table(const char *path, const char *text)
{
    char file[FILE_NAME_MAX];

    file_at_fault(path, text, file);
    return strstr(file, ".sst") != NULL;
}

/* RocksDB does not say which file of the WAL it was; mostly there is but one. */
static void file_of_log(const char *path, char ret_name[FILE_NAME_MAX])
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        size_t size = name_size(entry->d_name);

        if (size <= 4 || size >= FILE_NAME_MAX || strcmp(entry->d_name + size - 4, ".log"))
            continue;
        snprintf(ret_name, FILE_NAME_MAX, ret_name[0] ? "a *.log" : "%.*s", (int)size,
                 entry->d_name);
    }
    if (directory)
        (void)closedir(directory);
}

void rocks_text_suspect(struct neap_error *error, const char *path, const char *text)
{
    char file[FILE_NAME_MAX] = "", words[WORDS_MAX];

    if (strncmp(text, "Corruption", 10) == 0)
        file_of_log(path, file);
    words_of(text, path, words);
    (void)error_set(
        error, NEAP_CORRUPT,
        "%s: %s%swrites may be lost: this node goes on as a new replica, and others give "
        "it what they have (%s)",
        path, file, file[0] ? " is damaged: " : "", words);
}
