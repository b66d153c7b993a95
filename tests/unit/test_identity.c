#include "store/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/disk_cases.h"

/* Entropy that counts: 1 << 32 | 1, 2 << 32 | 2... */
struct counting_clock {
    struct clock clock;
    uint64_t drawn;
};

static uint64_t counting_entropy(struct clock *clock)
{
    uint64_t number = ++((struct counting_clock *)clock)->drawn;

    return number << 32 | number;
}

static uint64_t zero_entropy(struct clock *clock)
{
    (void)clock;
    return 0;
}

static const struct clock_ops counting_ops = {.entropy = counting_entropy};
static const struct clock_ops zero_ops = {.entropy = zero_entropy};

static struct counting_clock counting;
static const struct directory_mark home = {.directory = 1, .file = 2, .machine = "machine one"};

static struct disk *disk_new(void)
{
    struct disk *disk = NULL;

    counting = (struct counting_clock){.clock.ops = &counting_ops};
    CHECK_OK(disk_mem_open(&disk));
    return disk;
}

static int open_at(struct disk *disk, const struct directory_mark *mark, bool suspect,
                   struct identity *ret_identity, struct neap_error *error)
{
    struct batch *batch = NULL;
    struct view view;
    int failed;

    CHECK_OK(batch_new(disk, &batch));
    view = batch_view(batch);
    failed = identity_open(&view, mark, suspect, &counting.clock, batch, ret_identity, error);
    if (failed)
        CHECK(batch_is_empty(batch));
    else
        CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    return failed;
}

static struct identity opened(struct disk *disk, const struct directory_mark *mark, bool suspect)
{
    struct identity identity;

    CHECK_OK(open_at(disk, mark, suspect, &identity, NULL));
    return identity;
}

TEST(a_new_directory_gets_a_node_and_a_life)
{
    struct disk *disk = disk_new();
    struct identity first = opened(disk, &home, false);

    CHECK(first.fresh_life);
    CHECK_EQUAL(first.reason, IDENTITY_NEW);
    CHECK(first.node && first.life && first.nonce && first.node != first.life);
    CHECK_EQUAL(first.former, 0);
    disk_close(disk);
}

TEST(a_directory_is_of_the_node_that_a_certificate_names)
{
    struct directory_mark mark = {
        .directory = 1, .file = 2, .machine = "machine one", .node = 0xa1};
    struct disk *disk = disk_new();
    struct identity identity = opened(disk, &mark, false);
    struct neap_error error = {0};

    CHECK_EQUAL(identity.node, 0xa1);
    CHECK_EQUAL(opened(disk, &mark, false).life, identity.life);
    CHECK_EQUAL(opened(disk, &home, false).node, 0xa1); /* without a certificate it stays */
    mark.node = 0xa2;
    identity.life = 5;
    CHECK_ERROR(open_at(disk, &mark, false, &identity, &error), NEAP_REFUSED);
    CHECK_EQUAL(identity.life, 5);
    CHECK(strstr(error.text, "is of node 00000000000000a1, and the certificate names node "
                             "00000000000000a2"));
    mark.directory = 9; /* a copy is of the same node, with another life */
    CHECK_ERROR(open_at(disk, &mark, false, &identity, &error), NEAP_REFUSED);
    disk_close(disk);
}

TEST(the_next_opening_keeps_the_life_and_draws_a_nonce)
{
    struct disk *disk = disk_new();
    struct identity first = opened(disk, &home, false), second = opened(disk, &home, false);

    CHECK(!second.fresh_life);
    CHECK_EQUAL(second.node, first.node);
    CHECK_EQUAL(second.life, first.life);
    CHECK(second.nonce && second.nonce != first.nonce);
    CHECK_EQUAL(second.reason, IDENTITY_NEW);
    disk_close(disk);
}

TEST(a_directory_elsewhere_gets_a_new_life_once)
{
    static const struct {
        struct directory_mark mark;
        enum identity_reason reason;
    } cases[] = {
        {{.directory = 9, .file = 2, .machine = "machine one"}, IDENTITY_COPIED},
        {{.directory = 1, .file = 9, .machine = "machine one"}, IDENTITY_COPIED},
        {{.directory = 1, .directory_birth_ns = 1, .file = 2, .machine = "machine one"},
         IDENTITY_COPIED},
        {{.directory = 1, .file = 2, .file_birth_ns = 1, .machine = "machine one"},
         IDENTITY_COPIED},
        {{.directory = 1, .file = 2, .machine = "machine two"}, IDENTITY_MOVED},
        {{.directory = 1, .file = 2}, IDENTITY_MOVED},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct disk *disk = disk_new();
        struct identity first = opened(disk, &home, false);
        struct identity second = opened(disk, &cases[i].mark, false);
        struct identity third = opened(disk, &cases[i].mark, false);

        CHECK(second.fresh_life && second.life != first.life);
        CHECK_EQUAL(second.node, first.node);
        CHECK_EQUAL(second.former, first.life);
        CHECK_EQUAL(second.reason, cases[i].reason);
        CHECK(!third.fresh_life);
        CHECK_EQUAL(third.life, second.life);
        CHECK_EQUAL(third.reason, cases[i].reason); /* status still says why */
        disk_close(disk);
    }
}

TEST(a_suspect_start_gets_a_new_life_each_time)
{
    struct disk *disk = disk_new();
    struct identity first = opened(disk, &home, false), second = opened(disk, &home, true);
    struct identity third = opened(disk, &home, true);

    CHECK(second.fresh_life && second.life != first.life);
    CHECK_EQUAL(second.reason, IDENTITY_SUSPECT);
    CHECK(third.fresh_life && third.life != second.life);
    CHECK_EQUAL(third.former, second.life);
    disk_close(disk);
}

TEST(a_restored_backup_gets_a_new_life)
{
    struct disk *disk = disk_new();
    struct identity first = opened(disk, &home, false), second;
    struct batch *batch = NULL;
    struct view view = {.disk = disk};

    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(identity_forget_life(&view, batch));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    second = opened(disk, &home, false);
    CHECK(second.fresh_life && second.life != first.life);
    CHECK_EQUAL(second.node, first.node);
    CHECK_EQUAL(second.former, first.life);
    CHECK_EQUAL(second.reason, IDENTITY_RESTORED);
    disk_close(disk);
}

TEST(zero_is_never_drawn)
{
    struct disk *disk = disk_new();
    struct identity identity;

    counting.clock.ops = &zero_ops;
    identity = opened(disk, &home, false);
    CHECK(identity.node && identity.life && identity.nonce);
    disk_close(disk);
}

static void put_hex(struct disk *disk, const char *key, const char *hex)
{
    struct batch *batch = NULL;
    uint8_t bytes[256];

    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_put(batch, DISK_META, slice_text(key), test_unhex(hex, bytes, sizeof bytes)));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
}

TEST(damaged_records_and_later_formats_are_told_apart)
{
    static const struct {
        const char *format, *identity;
        int error;
    } cases[] = {
        {"91 02", "91 01", NEAP_FORMAT},
        {"91 cd 01 00", "", NEAP_FORMAT},
        {"91 00", "", NEAP_CORRUPT},
        {"", "", NEAP_CORRUPT},
        {"92 01 01", "", NEAP_CORRUPT},
        {"91 01 00", "", NEAP_CORRUPT},
        {"91 01", "", NEAP_CORRUPT},
        {"91 01", "91 01", NEAP_CORRUPT},
        {"91 01", "95 00 c0 00 00 95 01 02 03 04 c4 10 00000000 00000000 00000000 00000000",
         NEAP_CORRUPT}, /* no node */
        {"91 01", "95 01 c0 00 63 95 01 02 03 04 c4 10 00000000 00000000 00000000 00000000",
         NEAP_CORRUPT}, /* no such reason */
        {"91 01", "95 01 c0 00 00 95 01 02 03 04 c4 02 0000", NEAP_CORRUPT},
        {"91 01", "95 01 c0 00 00 95 01 02 03 04 c4 10 00000000 00000000 00000000 00000000", 0},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct disk *disk = disk_new();
        struct neap_error error = {0};
        struct identity identity;

        put_hex(disk, "F", cases[i].format);
        put_hex(disk, "I", cases[i].identity);
        CHECK_ERROR(open_at(disk, &home, false, &identity, &error), cases[i].error);
        CHECK_EQUAL(error.code, cases[i].error);
        CHECK_EQUAL(error.text[0] != 0, cases[i].error != 0);
        disk_close(disk);
    }
}

TEST(a_directory_with_cells_but_no_format_is_damaged)
{
    struct disk *disk = disk_new();
    struct neap_error error = {0};
    struct identity identity;

    disk_put(disk, DISK_LOG, "something", "", true);
    CHECK_ERROR(open_at(disk, &home, false, &identity, &error), NEAP_CORRUPT);
    CHECK(error.text[0]);
    disk_close(disk);
    disk = disk_new();
    opened(disk, &home, false);
    disk_mem_fault(disk, DISK_FAULT_GET, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(open_at(disk, &home, false, &identity, &error), NEAP_CORRUPT);
    disk_close(disk);
}

static int open_twice(void *argument)
{
    struct disk *disk = NULL;
    struct batch *batch = NULL;
    struct identity identity;
    struct view view;
    int error = disk_mem_open(&disk);

    (void)argument;
    if (!error)
        error = batch_new(disk, &batch);
    if (!error) {
        view = batch_view(batch);
        error = identity_open(&view, &home, false, &counting.clock, batch, &identity, NULL);
        if (error && !batch_is_empty(batch))
            error = NEAP_INVALID;
        if (!error)
            error = identity_open(&view, &home, true, &counting.clock, batch, &identity, NULL);
    }
    batch_free(batch);
    disk_close(disk);
    return error;
}

TEST(opening_an_identity_survives_want_of_memory)
{
    counting = (struct counting_clock){.clock.ops = &counting_ops};
    test_alloc_sweep(open_twice, NULL);
}

TEST(the_clock_never_goes_back_over_a_restart)
{
    struct disk *disk = disk_new();
    struct hlc hlc = {0}, later = {0};
    struct batch *batch = NULL;
    struct view view;
    uint64_t mark = 0, first;

    CHECK_OK(batch_new(disk, &batch));
    view = batch_view(batch);
    CHECK_OK(hlc_mark_open(&view, &hlc));
    CHECK_EQUAL(hlc.last, 0);
    hlc.last = 5000u << 16;
    CHECK_OK(hlc_mark_keep(batch, &hlc, &mark));
    CHECK(mark > hlc.last);
    first = mark;
    batch_clear(batch);
    hlc.last += 3; /* below the mark: nothing to write */
    CHECK_OK(hlc_mark_keep(batch, &hlc, &mark));
    CHECK(batch_is_empty(batch));
    hlc.last = mark;
    CHECK_OK(hlc_mark_keep(batch, &hlc, &mark));
    CHECK(mark > first);
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_clear(batch);
    CHECK_OK(hlc_mark_open(&view, &later));
    CHECK_EQUAL(later.last, mark);
    later.last = mark + 1; /* already ahead */
    CHECK_OK(hlc_mark_open(&view, &later));
    CHECK_EQUAL(later.last, mark + 1);
    put_hex(disk, "H", "91 c0");
    CHECK_ERROR(hlc_mark_open(&view, &later), NEAP_CORRUPT);
    batch_free(batch);
    disk_close(disk);
}

static void file_write(const char *directory)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/IDENTITY", directory);
    file = fopen(path, "w");
    CHECK(file);
    fclose(file);
}

static void directory_remove(const char *directory)
{
    char path[128];

    snprintf(path, sizeof path, "%s/IDENTITY", directory);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(directory));
}

TEST(a_mark_names_the_directory_and_a_file_in_it)
{
    char path[] = "tmp-mark-XXXXXX", other[] = "tmp-mark-XXXXXX", moved[40];
    struct directory_mark first, second, third;
    struct neap_error error = {0};

    CHECK(mkdtemp(path));
    CHECK_ERROR(directory_mark_read(path, &first, &error), NEAP_IO); /* no database */
    CHECK(strstr(error.text, path));
    file_write(path);
    CHECK_OK(directory_mark_read(path, &first, &error));
    CHECK_OK(directory_mark_read(path, &second, &error));
    CHECK(memcmp(&first, &second, sizeof first) == 0);
    snprintf(moved, sizeof moved, "%s-moved", path);
    CHECK_OK(rename(path, moved));
    CHECK_OK(directory_mark_read(moved, &second, &error)); /* a new name is no other place */
    CHECK(memcmp(&first, &second, sizeof first) == 0);
    CHECK(mkdtemp(other));
    file_write(other);
    CHECK_OK(directory_mark_read(other, &third, &error));
    CHECK(third.directory != first.directory && third.file != first.file);
    directory_remove(moved);
    directory_remove(other);
    CHECK_ERROR(directory_mark_read(path, &third, &error), NEAP_IO);
}

static int keep_incarnation(void *argument)
{
    struct batch *batch = NULL;
    uint64_t number = 0;
    int failed = batch_new(argument, &batch);
    struct view view;

    if (failed)
        return failed;
    failed = incarnation_put(batch, 9);
    view = batch_view(batch);
    if (!failed)
        failed = incarnation_read(&view, &number);
    batch_free(batch);
    CHECK(failed || number == 9);
    return failed;
}

TEST(an_incarnation_is_kept_and_a_damaged_one_is_told)
{
    struct disk *disk = disk_new();
    struct view view = {.disk = disk};
    struct batch *batch = NULL;
    uint64_t number = 7;

    CHECK_OK(incarnation_read(&view, &number));
    CHECK_EQUAL(number, 0);
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_put(batch, DISK_META, slice_text("A"), slice_text("?")));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    number = 7;
    CHECK_ERROR(incarnation_read(&view, &number), NEAP_CORRUPT);
    CHECK_EQUAL(number, 7);
    disk_close(disk);
    disk = disk_new();
    test_alloc_sweep(keep_incarnation, disk);
    disk_close(disk);
}
