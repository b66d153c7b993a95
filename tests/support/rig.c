#include "tests/support/rig.h"

#include <string.h>

#include "engine/read.h"

static uint64_t clock_now(struct clock *clock)
{
    return ((struct rig_clock *)clock)->now_ms;
}

static uint64_t clock_wall(struct clock *clock)
{
    return ((struct rig_clock *)clock)->wall_ms;
}

static uint64_t clock_entropy(struct clock *clock)
{
    uint64_t *entropy = &((struct rig_clock *)clock)->entropy;

    return *entropy += 0x9e3779b97f4a7c15;
}

void rig_clock_init(struct rig_clock *clock)
{
    static const struct clock_ops ops = {clock_now, clock_wall, clock_entropy};

    *clock = (struct rig_clock){.clock = {&ops}, .now_ms = 1000, .wall_ms = 1700000000000};
}

/* ---- the disk that counts ---- */

static struct disk *inner_of(struct disk *disk)
{
    return ((struct spy_disk *)disk)->inner;
}

static int spy_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                   struct slice key, struct buffer *ret_value)
{
    atomic_fetch_add(&((struct spy_disk *)disk)->gets, 1);
    return inner_of(disk)->ops->get(inner_of(disk), snapshot, family, key, ret_value);
}

static int spy_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                    struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    atomic_fetch_add(&((struct spy_disk *)disk)->scans, 1);
    return inner_of(disk)->ops->scan(inner_of(disk), snapshot, family, from, to, ret_iter);
}

static int spy_each(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                    struct slice value)
{
    struct spy_disk *spy = arg;

    (void)kind;
    (void)family;
    atomic_fetch_add(&spy->writes, 1);
    atomic_fetch_add(&spy->bytes, (unsigned)(key.size + value.size));
    return 0;
}

static int spy_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    struct spy_disk *spy = (struct spy_disk *)disk;

    atomic_fetch_add(&spy->commits, 1);
    if (sync)
        atomic_fetch_add(&spy->syncs, 1);
    if (spy->before_commit)
        spy->before_commit(spy->arg);
    (void)batch_each(batch, spy_each, spy);
    return spy->inner->ops->commit(spy->inner, batch, sync);
}

static int spy_sync(struct disk *disk)
{
    atomic_fetch_add(&((struct spy_disk *)disk)->syncs, 1);
    return inner_of(disk)->ops->sync(inner_of(disk));
}

static int spy_snapshot(struct disk *disk, struct disk_snapshot **ret_snapshot)
{
    return inner_of(disk)->ops->snapshot(inner_of(disk), ret_snapshot);
}

static void spy_release(struct disk *disk, struct disk_snapshot *snapshot)
{
    inner_of(disk)->ops->release(inner_of(disk), snapshot);
}

static void spy_error(struct disk *disk, struct neap_error *ret_error)
{
    inner_of(disk)->ops->error(inner_of(disk), ret_error);
}

static void spy_close(struct disk *disk)
{
    if (!((struct spy_disk *)disk)->keep)
        disk_close(inner_of(disk));
}

void spy_disk_init(struct spy_disk *spy, struct disk *inner)
{
    static const struct disk_ops ops = {.get = spy_get,
                                        .scan = spy_scan,
                                        .commit = spy_commit,
                                        .sync = spy_sync,
                                        .snapshot = spy_snapshot,
                                        .release = spy_release,
                                        .error = spy_error,
                                        .close = spy_close};

    memset(spy, 0, sizeof *spy);
    spy->disk.ops = &ops;
    spy->inner = inner;
}

/* ---- the wheel ---- */

int rig_try(struct rig *rig, struct disk *disk)
{
    struct wheel_options options = {.disk = disk, .sync_ms = 100, .log_max = 1000};

    *rig = (struct rig){.disk = disk};
    rig_clock_init(&rig->clock);
    options.clock = &rig->clock.clock;
    options.mark = &rig->mark;
    return wheel_open(&rig->wheel, &options, NULL);
}

void rig_open(struct rig *rig)
{
    struct disk *disk = NULL;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(rig_try(rig, disk));
}

void rig_close(struct rig *rig)
{
    wheel_close(&rig->wheel);
    disk_close(rig->disk);
}

void rig_crash(struct rig *rig)
{
    struct rig_clock clock = rig->clock;

    wheel_close(&rig->wheel);
    CHECK_OK(disk_mem_crash(rig->disk));
    CHECK_OK(rig_try(rig, rig->disk));
    rig->clock.entropy = clock.entropy;
    rig->clock.now_ms = clock.now_ms;
}

struct now rig_now(const struct rig *rig)
{
    return (struct now){rig->clock.now_ms, rig->clock.wall_ms};
}

int rig_turn(struct rig *rig, struct event *event)
{
    wheel_turn(&rig->wheel, rig_now(rig), &event, 1);
    return event->code;
}

int rig_write(struct rig *rig, struct write *write)
{
    struct event event = {.kind = EVENT_WRITE, .write = write};

    return rig_turn(rig, &event);
}

int rig_tick(struct rig *rig)
{
    struct event event = {.kind = EVENT_TICK};

    return rig_turn(rig, &event);
}

struct shard *rig_shard(struct rig *rig, const char *bucket)
{
    return store_find(&rig->wheel.engine.store, bucket_id(bucket));
}

/* ---- paths and ops ---- */

static struct buffer *next_path(void)
{
    static uint8_t bytes[16][NEAP_PATH_MAX];
    static struct buffer paths[16];
    static unsigned next;
    struct buffer *path = &paths[next % 16];

    *path = (struct buffer){
        .data = bytes[next++ % 16], .room = NEAP_PATH_MAX, .size_max = NEAP_PATH_MAX};
    return path;
}

struct slice rig_path(const char *key, enum neap_type type)
{
    struct buffer *path = next_path();

    CHECK_OK(path_level(path, slice_text(key), type));
    return buffer_slice(path);
}

struct slice rig_field(const char *key, const char *field, enum neap_type type)
{
    struct buffer *path = next_path();

    CHECK_OK(path_level(path, slice_text(key), NEAP_MAP));
    CHECK_OK(path_level(path, slice_text(field), type));
    return buffer_slice(path);
}

struct slice rig_element(const char *key, const char *element)
{
    struct buffer *path = next_path();

    CHECK_OK(path_level(path, slice_text(key), NEAP_SET));
    CHECK_OK(path_element(path, slice_text(element)));
    return buffer_slice(path);
}

struct write_op rig_lww(const char *bucket, const char *key, const char *value)
{
    return (struct write_op){.bucket = bucket,
                             .path = rig_path(key, NEAP_LWW),
                             .op = {.kind = OP_LWW_SET, .value = slice_text(value)}};
}

struct write_op rig_add(const char *bucket, const char *key, int64_t number)
{
    return (struct write_op){.bucket = bucket,
                             .path = rig_path(key, NEAP_COUNTER),
                             .op = {.kind = OP_COUNTER_ADD, .number = number}};
}

struct write_op rig_set_add(const char *bucket, const char *key, const char *element)
{
    return (struct write_op){
        .bucket = bucket, .path = rig_element(key, element), .op = {.kind = OP_SET_ADD}};
}

/* ---- looking ---- */

static int read_value(struct disk *disk, const char *bucket, struct slice path,
                      struct buffer *bytes, struct cell *cell)
{
    struct read read = {.bucket = bucket, .path = path};
    int error;

    buffer_init(bytes, CELL_SIZE_MAX);
    cell_init(cell);
    error = read_cell(disk, &read, bytes);
    return error ? error : cell_decode(buffer_slice(bytes), cell);
}

int rig_counter(struct disk *disk, const char *bucket, const char *key, int64_t *ret_number)
{
    struct buffer bytes;
    struct cell cell;
    int error = read_value(disk, bucket, rig_path(key, NEAP_COUNTER), &bytes, &cell);

    if (!error)
        error = counter_value(&cell, ret_number);
    cell_done(&cell);
    buffer_done(&bytes);
    return error;
}

int rig_lww_is(struct disk *disk, const char *bucket, const char *key, const char *value)
{
    struct buffer bytes;
    struct cell cell;
    struct slice found;
    uint64_t stamp;
    int error = read_value(disk, bucket, rig_path(key, NEAP_LWW), &bytes, &cell);

    if (!error)
        error = lww_value(&cell, &found, &stamp);
    if (!error && !slice_equal(found, slice_text(value)))
        error = NEAP_STALE;
    cell_done(&cell);
    buffer_done(&bytes);
    return error;
}
