/* How much of a directory was durable at least, in a file beside the database. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "store/disk_rocks.h"

/* A name that RocksDB does not know, and leaves alone. */
static const char durable_name[] = "SYNCED";

/* Two slots, written in turn and each in a sector of its own: one is always whole. A slot is the
 * version, the turn, the three numbers, and a hash of these. */
enum { FIELDS = 6, SLOT_SIZE = FIELDS * 8, SLOT_DISTANCE = 4096, DURABLE_VERSION = 1 };
enum { MANIFEST_NAME_MAX = 40 };

struct slot {
    uint64_t turn;
    struct durable durable;
};

static uint64_t slot_hash(const uint8_t *bytes)
{
    return hash_name(slice_of(bytes, SLOT_SIZE - 8));
}

static bool slot_read(int file, off_t at, struct slot *ret_slot)
{
    uint8_t bytes[SLOT_SIZE];

    if (pread(file, bytes, SLOT_SIZE, at) != SLOT_SIZE ||
        bytes_get_u64(bytes + SLOT_SIZE - 8) != slot_hash(bytes) ||
        bytes_get_u64(bytes) != DURABLE_VERSION)
        return false;
    ret_slot->turn = bytes_get_u64(bytes + 8);
    ret_slot->durable.sequence = bytes_get_u64(bytes + 16);
    ret_slot->durable.manifest = bytes_get_u64(bytes + 24);
    ret_slot->durable.manifest_bytes = bytes_get_u64(bytes + 32);
    return true;
}

static bool slot_write(const struct durable_file *file, uint64_t turn,
                       const struct durable *durable)
{
    uint8_t bytes[SLOT_SIZE];

    bytes_put_u64(bytes, DURABLE_VERSION);
    bytes_put_u64(bytes + 8, turn);
    bytes_put_u64(bytes + 16, durable->sequence);
    bytes_put_u64(bytes + 24, durable->manifest);
    bytes_put_u64(bytes + 32, durable->manifest_bytes);
    bytes_put_u64(bytes + SLOT_SIZE - 8, slot_hash(bytes));
    return pwrite(file->file, bytes, SLOT_SIZE, turn % 2 ? SLOT_DISTANCE : 0) == SLOT_SIZE;
}

/* The newer of the two. */
static bool slots_read(int file, struct slot *ret_slot)
{
    struct slot first = {0}, second = {0};
    bool has_first = slot_read(file, 0, &first),
         has_second = slot_read(file, SLOT_DISTANCE, &second);

    if (has_first && (!has_second || first.turn > second.turn))
        *ret_slot = first;
    else if (has_second)
        *ret_slot = second;
    return has_first || has_second;
}

static int directory_open(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int durable_read(const char *path, struct durable *ret_durable)
{
    int directory = directory_open(path), file, code = 0;
    struct slot slot;

    if (directory < 0)
        return errno == ENOENT ? NEAP_NOTFOUND : NEAP_IO;
    file = openat(directory, durable_name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        code = errno == ENOENT ? NEAP_NOTFOUND : NEAP_IO;
    else if (slots_read(file, &slot))
        *ret_durable = slot.durable;
    else
        code = NEAP_CORRUPT;
    if (file >= 0)
        (void)close(file);
    (void)close(directory);
    return code;
}

/* ---- the MANIFEST ---- */

/* The number of the one in use; 0: not known. */
static uint64_t manifest_number(int directory)
{
    unsigned long long number = 0;
    char text[MANIFEST_NAME_MAX] = {0};
    int file = openat(directory, "CURRENT", O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return 0;
    if (read(file, text, sizeof text - 1) <= 0 || sscanf(text, "MANIFEST-%llu", &number) != 1)
        number = 0;
    (void)close(file);
    return number;
}

static void manifest_name(uint64_t number, char ret_name[MANIFEST_NAME_MAX])
{
    snprintf(ret_name, MANIFEST_NAME_MAX, "MANIFEST-%06llu", (unsigned long long)number);
}

static bool manifest_bytes(int directory, uint64_t number, uint64_t *ret_bytes)
{
    char name[MANIFEST_NAME_MAX];
    struct stat status;

    manifest_name(number, name);
    if (fstatat(directory, name, &status, 0) != 0)
        return false;
    *ret_bytes = (uint64_t)status.st_size;
    return true;
}

int durable_check(const char *path, const struct durable *durable, struct neap_error *error)
{
    int directory = directory_open(path);
    uint64_t number, bytes = 0;
    char name[MANIFEST_NAME_MAX];
    bool known;

    if (directory < 0)
        return 0; /* whoever opens the database says why */
    number = manifest_number(directory);
    known = number && manifest_bytes(directory, number, &bytes);
    (void)close(directory);
    if (!known || !durable->manifest || number > durable->manifest ||
        (number == durable->manifest && bytes >= durable->manifest_bytes))
        return 0;
    manifest_name(number, name);
    return error_set(error, NEAP_CORRUPT,
                     "%s: %s is damaged: restore a backup, or move the directory away and let this "
                     "node start empty (it is not the newest, or was cut: %llu bytes of %llu)",
                     path, name, (unsigned long long)bytes,
                     (unsigned long long)durable->manifest_bytes);
}

static bool manifest_sync(int directory, uint64_t number)
{
    char name[MANIFEST_NAME_MAX];
    int file, failed;

    manifest_name(number, name);
    file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    failed = fdatasync(file);
    (void)close(file);
    return !failed;
}

/* RocksDB writes to it from threads of its own; what is told of it here must be durable. */
static void manifest_note(const struct durable_file *file, struct durable *durable)
{
    uint64_t number = durable->manifest, bytes = 0;

    if (!number || !manifest_bytes(file->directory, number, &bytes)) {
        number = manifest_number(file->directory);
        if (!number || !manifest_bytes(file->directory, number, &bytes))
            return;
    }
    if ((number == durable->manifest && bytes == durable->manifest_bytes) ||
        !manifest_sync(file->directory, number))
        return;
    durable->manifest = number;
    durable->manifest_bytes = bytes;
}

/* ---- the file ---- */

/* Both slots have their place from the beginning: later writes need no space, and no sync of the
 * file's size. */
static bool durable_make(struct durable_file *file)
{
    const struct durable none = {0};

    return slot_write(file, 1, &none) && slot_write(file, 2, &none) && fsync(file->file) == 0 &&
           fsync(file->directory) == 0;
}

int durable_open(struct durable_file *file, const char *path, struct neap_error *error)
{
    struct slot slot = {.turn = 2};
    int number;

    *file = (struct durable_file){.directory = directory_open(path), .file = -1};
    if (file->directory >= 0)
        file->file = openat(file->directory, durable_name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->file >= 0 && (slots_read(file->file, &slot) || durable_make(file))) {
        file->turn = slot.turn;
        file->last = slot.durable;
        return 0;
    }
    number = errno;
    durable_close(file);
    return error_set(error, NEAP_IO, "%s: cannot write %s: %s", path, durable_name,
                     strerror(number));
}

void durable_note(struct durable_file *file, uint64_t sequence)
{
    struct durable now = file->last;

    if (file->file < 0)
        return;
    manifest_note(file, &now);
    now.sequence = sequence;
    if (memcmp(&now, &file->last, sizeof now) == 0 || !slot_write(file, file->turn + 1, &now))
        return;
    file->turn++;
    file->last = now;
}

void durable_close(struct durable_file *file)
{
    if (file->file >= 0) {
        (void)fsync(file->file);
        (void)close(file->file);
    }
    if (file->directory >= 0)
        (void)close(file->directory);
    file->file = file->directory = -1;
}
