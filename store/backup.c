#include "store/backup.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/format.h"
#include "store/identity.h"

/* Of the database that is opened in the copy; and keys that are looked at between two questions
 * whether to go on. */
enum { COPY_MEMORY = 8 << 20, STEP_KEYS = 4096 };

const char *backup_problem_text(enum backup_problem problem)
{
    switch (problem) {
    case BACKUP_MISSING:
        return "missing";
    case BACKUP_CHANGED:
        return "changed";
    case BACKUP_SURPLUS:
        return "surplus";
    case BACKUP_UNREADABLE:
        return "unreadable";
    }
    return "unknown";
}

static int no_memory(struct neap_error *error)
{
    return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
}

static char *path_with(const char *path, const char *end)
{
    size_t size = strlen(path) + strlen(end) + 1;
    char *whole = mem_new(size);

    if (whole)
        snprintf(whole, size, "%s%s", path, end);
    return whole;
}

/* In there it would be a file too many, or get lost with the rest. */
static int place_check(const char *path, struct neap_error *error)
{
    bool backup = false, data = false;
    int code = files_beside(path, MANIFEST_NAME, &backup, error);

    if (!code)
        code = files_beside(path, "CURRENT", &data, error);
    if (code || (!backup && !data))
        return code;
    return error_set(error, NEAP_REFUSED, "%s: would be inside of a %s", path,
                     backup ? "backup" : "data directory");
}

/* ---- making ---- */

struct making {
    const struct backup_options *options;
    char *directory, *partial, *data; /* data: in partial, becomes directory */
    struct files *files;              /* of data */
    struct manifest manifest;
    struct neap_error *error;
};

/* Names without the slashes at the end of what was given. */
static int making_names(struct making *making)
{
    const char *given = making->options->directory;
    size_t size = strlen(given);

    making->directory = mem_text(given);
    while (making->directory && size > 1 && making->directory[size - 1] == '/')
        making->directory[--size] = 0;
    if (!size || (size == 1 && given[0] == '/'))
        return error_set(making->error, NEAP_INVALID, "the name of the backup is empty");
    making->partial = making->directory ? path_with(making->directory, ".partial") : NULL;
    making->data = making->partial ? path_with(making->partial, "/data") : NULL;
    return making->data ? 0 : no_memory(making->error);
}

static void making_done(struct making *making)
{
    files_close(making->files);
    manifest_done(&making->manifest);
    mem_free(making->data);
    mem_free(making->partial);
    mem_free(making->directory);
}

static int space_check(struct making *making)
{
    uint64_t needed, available;
    int code =
        files_room(making->options->path, making->directory, &needed, &available, making->error);

    if (code || needed <= available)
        return code;
    return error_set(making->error, NEAP_REFUSED,
                     "%s: no space left: the backup needs %" PRIu64 " bytes there, %" PRIu64
                     " are free",
                     making->directory, needed, available);
}

/* The name is taken first: of two who make the same backup one is refused. */
static int place_take(struct making *making)
{
    struct files *there = NULL;
    int code = files_open(making->directory, &there, making->error);

    files_close(there);
    if (!code || code == NEAP_INVALID)
        return error_set(making->error, NEAP_REFUSED,
                         "%s: exists already, and nothing is overwritten", making->directory);
    if (code != NEAP_NOTFOUND)
        return code;
    code = place_check(making->directory, making->error);
    if (!code)
        code = space_check(making);
    if (!code)
        code = files_make(making->partial, making->error);
    if (code != NEAP_REFUSED)
        return code;
    if (!files_open(making->partial, &there, NULL)) {
        files_close(there);
        return error_set(making->error, code,
                         "%s: exists: that backup is being made, or was not finished; then remove "
                         "it",
                         making->partial);
    }
    return code;
}

/* Every block of every table, by way of its checksum. */
static int copy_scan(const struct making *making, const struct view *view, enum disk_family family)
{
    struct slice none = slice_of(NULL, 0), key, value;
    struct scan *scan = NULL;
    int code = view_scan(view, family, none, none, &scan);
    unsigned count = 0;

    while (!code && !(code = scan_next(scan, &key, &value)))
        if (++count % STEP_KEYS == 0)
            code = files_step(making->options->watch, making->error);
    scan_close(scan);
    return code == NEAP_END ? 0 : code;
}

/* What the copy holds is read once, then the life taken from it. */
static int copy_change(const struct making *making, struct disk *copy)
{
    struct batch *batch = NULL;
    struct view view;
    uint32_t format;
    unsigned family;
    int code = batch_new(copy, &batch);

    if (code)
        return code;
    view = batch_view(batch);
    for (family = 0; !code && family < DISK_FAMILIES; family++)
        code = copy_scan(making, &view, (enum disk_family)family);
    if (!code)
        code = identity_forget_life(&view, batch);
    if (!code)
        code = format_read(&view, format_reads(), &format, making->error);
    if (!code)
        code = copy->ops->commit(copy, batch, true);
    if (!code)
        directory_format_write(making->data, format);
    batch_free(batch);
    return code;
}

/* A failure of the copy is none of the node's disk. */
static int copy_failed(const struct making *making, struct disk *copy, int code)
{
    struct neap_error *error = making->error;

    if (copy && !error->code && (code == NEAP_CORRUPT || code == NEAP_IO))
        copy->ops->error(copy, error);
    else if (!error->code)
        error_set(error, code, "%s: %s", making->data, error_text(code));
    if (code == NEAP_IO && strstr(error->text, "No space left"))
        code = error->code = NEAP_REFUSED;
    return code;
}

/* A copy that has lost something was made of files that are damaged, while the node still has in
 * memory what they lack. */
static int copy_open(struct making *making, uint64_t sequence)
{
    const struct disk_rocks_options options = {
        .path = making->data, .memory_max = COPY_MEMORY, .still = true};
    struct disk *copy = NULL;
    bool suspect = false;
    int code;

    making->error->code = 0;
    code = disk_rocks_open(&options, &copy, &suspect, making->error);
    if (!code && (suspect || disk_rocks_sequence(copy) < sequence))
        code = error_set(making->error, NEAP_CORRUPT,
                         "%s: the end of the write-ahead log is damaged on disk: a backup would "
                         "lack writes",
                         making->options->path);
    if (!code)
        code = copy_change(making, copy);
    if (code)
        code = copy_failed(making, copy, code);
    disk_close(copy);
    return code;
}

/* What RocksDB makes at each opening, and nobody needs. */
static bool name_is_spare(const char *name)
{
    return !strncmp(name, "LOG", 3) || !strcmp(name, "LOCK");
}

static int file_note(void *arg, const char *name)
{
    struct making *making = arg;
    const struct checksum none = {{0}};
    int code;

    if (name_is_spare(name))
        return files_remove(making->files, name, making->error);
    code = manifest_add(&making->manifest, name, 0, &none);
    return code ? error_set(making->error, code, "%s: file %.80s: %s", making->data, name,
                            error_text(code))
                : 0;
}

static int files_list(struct making *making)
{
    struct manifest *manifest = &making->manifest;
    int code = files_each(making->files, file_note, making, making->error);
    size_t i;

    if (!code)
        code = manifest_sort(manifest);
    for (i = 0; !code && i < manifest->count; i++) {
        struct manifest_file *file = &manifest->files[i];

        code = files_sum(making->files, file->name, FILES_SYNC, making->options->watch, &file->size,
                         &file->sum, making->error);
        manifest->bytes += code ? 0 : file->size;
        if (making->options->watch && making->options->watch->progress)
            making->options->watch->progress(making->options->watch->arg, i + 1, manifest->count);
    }
    return code;
}

static int manifest_put(struct making *making)
{
    struct buffer text;
    int code;

    buffer_init(&text, MANIFEST_TEXT_MAX);
    code = manifest_write(&making->manifest, &text);
    if (code)
        error_set(making->error, code, "%s: %s", making->data, error_text(code));
    else
        code = files_put(making->files, MANIFEST_NAME, buffer_slice(&text), making->error);
    buffer_done(&text);
    return code;
}

static int making_run(struct making *making)
{
    const struct backup_options *options = making->options;
    struct disk *disk = options->disk;
    uint64_t sequence;
    int code;

    making->manifest = (struct manifest){.node = options->node, .made_ms = options->made_ms};
    snprintf(making->manifest.release, sizeof making->manifest.release, "%s", PACKAGE_VERSION);
    code = disk->ops->checkpoint(disk, making->data, &sequence, making->error);
    if (!code)
        code = files_step(options->watch, making->error);
    if (!code)
        code = copy_open(making, sequence);
    if (!code)
        code = files_open(making->data, &making->files, making->error);
    if (!code)
        code = files_list(making);
    if (!code)
        code = manifest_put(making);
    if (!code)
        code = files_sync(making->files, making->error);
    return code ? code : files_rename(making->data, making->directory, making->error);
}

int backup_make(const struct backup_options *options, struct backup_counts *ret_counts,
                struct neap_error *error)
{
    struct neap_error ignored;
    struct making making = {.options = options, .error = error ? error : &ignored};
    int code;

    if (!options->disk->ops->checkpoint)
        return error_set(error, NEAP_REFUSED, "nothing here is on a disk that could be copied");
    code = making_names(&making);
    if (!code)
        code = place_take(&making);
    if (!code) {
        code = making_run(&making);
        files_discard(making.partial);
    }
    if (!code)
        *ret_counts = (struct backup_counts){.files = making.manifest.count,
                                             .bytes = making.manifest.bytes,
                                             .node = options->node,
                                             .made_ms = options->made_ms};
    making_done(&making);
    return code;
}

/* ---- verifying ---- */

struct verifying {
    const char *directory;
    const struct backup_finder *finder; /* NULL: nobody is told */
    struct files *files;
    struct manifest manifest;
    uint64_t found, harmless; /* harmless: of them surplus */
    char first[96];
    struct neap_error *error;
};

static int finding_tell(struct verifying *verifying, const char *name, enum backup_problem problem)
{
    const struct backup_finding finding = {name, problem};
    const struct backup_finder *finder = verifying->finder;

    if (!verifying->found++)
        snprintf(verifying->first, sizeof verifying->first, "%.60s is %s", name,
                 backup_problem_text(problem));
    verifying->harmless += problem == BACKUP_SURPLUS;
    return finder ? finder->find(finder->arg, &finding) : 0;
}

/* What the failure of one file says about the backup. */
static int file_failed(struct verifying *verifying, const char *name, int code)
{
    switch (code) {
    case NEAP_NOTFOUND:
        return finding_tell(verifying, name, BACKUP_MISSING);
    case NEAP_INVALID: /* a directory, a link */
        return finding_tell(verifying, name, BACKUP_CHANGED);
    case NEAP_IO:
        return finding_tell(verifying, name, BACKUP_UNREADABLE);
    default:
        return code;
    }
}

/* 0 with an empty manifest when it is damaged. */
static int manifest_get(struct verifying *verifying)
{
    struct buffer text;
    int code;

    buffer_init(&text, MANIFEST_TEXT_MAX);
    code = files_get(verifying->files, MANIFEST_NAME, &text, verifying->error);
    if (code == NEAP_LIMIT)
        code = NEAP_INVALID;
    if (code)
        code = file_failed(verifying, MANIFEST_NAME, code);
    else
        code = manifest_read(buffer_slice(&text), &verifying->manifest, verifying->error);
    if (code == NEAP_CORRUPT)
        code = finding_tell(verifying, MANIFEST_NAME, BACKUP_CHANGED);
    buffer_done(&text);
    return code;
}

static int file_verify(struct verifying *verifying, const struct manifest_file *file)
{
    struct checksum sum;
    uint64_t size;
    int code =
        files_sum(verifying->files, file->name, FILES_AGAIN, NULL, &size, &sum, verifying->error);

    if (code)
        return file_failed(verifying, file->name, code);
    if (size == file->size && checksum_equal(&sum, &file->sum))
        return 0;
    return finding_tell(verifying, file->name, BACKUP_CHANGED);
}

static int name_verify(void *arg, const char *name)
{
    struct verifying *verifying = arg;

    if (!strcmp(name, MANIFEST_NAME) || manifest_find(&verifying->manifest, name))
        return 0;
    return finding_tell(verifying, name, BACKUP_SURPLUS);
}

/* What is wrong is told; the code is of what went wrong in looking. */
static int verifying_run(struct verifying *verifying)
{
    int code = files_open(verifying->directory, &verifying->files, verifying->error);
    size_t i;

    if (!code)
        code = manifest_get(verifying);
    if (code || verifying->found) /* without the list nothing else can be said */
        return code;
    for (i = 0; !code && i < verifying->manifest.count; i++)
        code = file_verify(verifying, &verifying->manifest.files[i]);
    return code ? code : files_each(verifying->files, name_verify, verifying, verifying->error);
}

static int verifying_verdict(const struct verifying *verifying, uint64_t found)
{
    if (!found)
        return 0;
    if (verifying->manifest.count)
        return error_set(verifying->error, NEAP_CORRUPT, "%s: %" PRIu64 " of %zu files: %s%s",
                         verifying->directory, verifying->found, verifying->manifest.count,
                         verifying->first, verifying->found > 1 ? ", and others" : "");
    return error_set(verifying->error, NEAP_CORRUPT,
                     "%s: no whole backup: %s, the list of its files", verifying->directory,
                     verifying->first);
}

static void verifying_done(struct verifying *verifying)
{
    files_close(verifying->files);
    manifest_done(&verifying->manifest);
}

static void counts_of(const struct manifest *manifest, struct backup_counts *ret_counts)
{
    *ret_counts = (struct backup_counts){.files = manifest->count,
                                         .bytes = manifest->bytes,
                                         .node = manifest->node,
                                         .made_ms = manifest->made_ms};
}

int backup_verify(const char *directory, const struct backup_finder *finder,
                  struct backup_counts *ret_counts, struct neap_error *error)
{
    struct verifying verifying = {.directory = directory, .finder = finder, .error = error};
    int code = verifying_run(&verifying);

    if (!code)
        code = verifying_verdict(&verifying, verifying.found);
    if (!code || code == NEAP_CORRUPT)
        counts_of(&verifying.manifest, ret_counts);
    verifying_done(&verifying);
    return code;
}

/* ---- restoring ---- */

struct restoring {
    const struct verifying *from;
    const char *directory;
    struct files *to;
    bool made;
    size_t copied; /* files, of those that are there now */
    struct neap_error *error;
};

static int name_refuse(void *arg, const char *name)
{
    const struct restoring *restoring = arg;

    return error_set(restoring->error, NEAP_REFUSED,
                     "%s: not empty, it has %.60s: a backup is restored into a directory that is "
                     "new or empty",
                     restoring->directory, name);
}

static int target_open(struct restoring *restoring)
{
    int code = files_open(restoring->directory, &restoring->to, restoring->error);

    if (code == NEAP_NOTFOUND) {
        code = place_check(restoring->directory, restoring->error);
        if (!code)
            code = files_make(restoring->directory, restoring->error);
        restoring->made = !code;
        if (!code)
            code = files_open(restoring->directory, &restoring->to, restoring->error);
        return code;
    }
    return code ? code : files_each(restoring->to, name_refuse, restoring, restoring->error);
}

static int file_restore(struct restoring *restoring, const struct manifest_file *file)
{
    struct checksum sum;
    uint64_t size;
    int code = files_copy(restoring->from->files, restoring->to, file->name, NULL, &size, &sum,
                          restoring->error);

    if (code)
        return code;
    restoring->copied++;
    if (size == file->size && checksum_equal(&sum, &file->sum))
        return 0;
    return error_set(restoring->error, NEAP_CORRUPT, "%s/%s: changed while it was copied",
                     restoring->from->directory, file->name);
}

/* While the list is there the directory is not opened: so it comes first, and goes last. */
static int files_restore(struct restoring *restoring)
{
    const struct manifest *manifest = &restoring->from->manifest;
    struct neap_error *error = restoring->error;
    struct checksum sum;
    uint64_t size;
    size_t i;
    int code =
        files_copy(restoring->from->files, restoring->to, MANIFEST_NAME, NULL, &size, &sum, error);

    if (!code)
        code = files_sync(restoring->to, error);
    for (i = 0; !code && i < manifest->count; i++)
        code = file_restore(restoring, &manifest->files[i]);
    if (!code)
        code = files_sync(restoring->to, error);
    if (!code)
        code = files_remove(restoring->to, MANIFEST_NAME, error);
    return code ? code : files_sync(restoring->to, error);
}

/* The directory itself stays when it was there before. */
static void restoring_undo(struct restoring *restoring)
{
    const struct manifest *manifest = &restoring->from->manifest;
    size_t i;

    for (i = 0; i < restoring->copied; i++)
        (void)files_remove(restoring->to, manifest->files[i].name, NULL);
    (void)files_remove(restoring->to, MANIFEST_NAME, NULL);
    if (restoring->made)
        files_discard(restoring->directory);
}

static int restoring_run(const struct verifying *from, const char *directory,
                         struct neap_error *error)
{
    struct restoring restoring = {.from = from, .directory = directory, .error = error};
    int code = target_open(&restoring);

    if (!code) {
        code = files_restore(&restoring);
        if (code)
            restoring_undo(&restoring);
    } else if (restoring.made) {
        files_discard(directory);
    }
    files_close(restoring.to);
    return code;
}

int backup_restore(const char *backup, const char *directory, struct backup_counts *ret_counts,
                   struct neap_error *error)
{
    struct verifying from = {.directory = backup, .error = error};
    int code = verifying_run(&from);

    if (!code)
        code = verifying_verdict(&from, from.found - from.harmless);
    if (!code)
        code = restoring_run(&from, directory, error);
    if (!code)
        counts_of(&from.manifest, ret_counts);
    verifying_done(&from);
    return code;
}
