/* Replicas: shards on disks of their own, in memory or in RocksDB. */
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/slot.h"
#include "tests/replay/replay.h"

void *room_more(void *array, size_t count, size_t *room, size_t size)
{
    void *more = mem_reserve(array, count, room, 1, size);

    if (!more) {
        fputs("vectors: out of memory\n", stderr);
        exit(1);
    }
    return more;
}

/* ---- the disks of RocksDB ---- */

struct rocks {
    char folder[256];
    struct disk *disks[REPLICAS_MAX];
    struct batch *batches[REPLICAS_MAX];
};

static bool is_roomy(const char *path)
{
    struct statvfs info;

    return access(path, W_OK) == 0 && statvfs(path, &info) == 0 &&
           (uint64_t)info.f_bavail * info.f_frsize >= (uint64_t)1 << 30;
}

struct rocks *rocks_new(void)
{
    struct rocks *rocks = mem_new(sizeof *rocks);
    const char *parent = getenv("TMPDIR");

    if (!rocks)
        return NULL;
    if (!parent)
        parent = is_roomy("/dev/shm") ? "/dev/shm" : "/tmp"; /* there is no power to fail */
    snprintf(rocks->folder, sizeof rocks->folder, "%s/neap-vectors-XXXXXX", parent);
    if (!mkdtemp(rocks->folder)) {
        fprintf(stderr, "vectors: no folder can be made in %s\n", parent);
        mem_free(rocks);
        return NULL;
    }
    return rocks;
}

static bool rocks_open(struct rocks *rocks, unsigned number)
{
    struct disk_rocks_options options = {.create = true, .memory_max = 64 << 20};
    struct neap_error error = {0};
    char path[512];
    bool suspect = false;

    snprintf(path, sizeof path, "%s/%u", rocks->folder, number);
    options.path = path;
    if (disk_rocks_open(&options, &rocks->disks[number], &suspect, &error) || suspect ||
        batch_new(rocks->disks[number], &rocks->batches[number])) {
        fprintf(stderr, "vectors: RocksDB: %s\n", error.text);
        return false;
    }
    return true;
}

static void rocks_close(struct rocks *rocks, unsigned number)
{
    if (!rocks->disks[number])
        return;
    batch_free(rocks->batches[number]);
    disk_close(rocks->disks[number]);
    rocks->disks[number] = NULL;
    rocks->batches[number] = NULL;
}

struct disk *rocks_disk(struct rocks *rocks, unsigned number)
{
    if (!rocks->disks[number] && !rocks_open(rocks, number))
        exit(1);
    return rocks->disks[number];
}

struct batch *rocks_batch(struct rocks *rocks, unsigned number)
{
    rocks_disk(rocks, number);
    return rocks->batches[number];
}

bool rocks_reopen(struct rocks *rocks)
{
    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        if (!rocks->disks[i])
            continue;
        rocks_close(rocks, i);
        if (!rocks_open(rocks, i))
            return false;
    }
    return true;
}

static int entry_remove(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void rocks_free(struct rocks *rocks)
{
    if (!rocks)
        return;
    for (unsigned i = 0; i < REPLICAS_MAX; i++)
        rocks_close(rocks, i);
    nftw(rocks->folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(rocks);
}

/* ---- life ---- */

static void shard_name(const struct play *play, char ret_name[32])
{
    snprintf(ret_name, 32, "history-%u", play->number);
}

struct replica *replica_new(struct play *play, unsigned number, struct disk *disk,
                            struct batch *batch)
{
    struct replica *replica = mem_new(sizeof *replica);
    char name[32];
    int error = 0;

    if (!hold(play, replica, "out of memory"))
        return NULL;
    replica->number = number;
    replica->borrowed = disk != NULL;
    replica->life = ++play->lives << 32;
    replica->disk = disk;
    replica->batch = batch;
    if (!disk) {
        error = disk_mem_open(&replica->disk);
        if (!error)
            error = batch_new(replica->disk, &replica->batch);
    }
    shard_name(play, name);
    play->shard = hash_name(slice_text(name));
    if (!error)
        error = shard_new(replica->batch, name, replica->life, ++play->nonces, &replica->shard);
    if (error) {
        replica_free(replica);
        play_fail(play, "a replica could not be made: %s", error_name(error));
        return NULL;
    }
    replica_commit(play, replica);
    return replica;
}

void replica_free(struct replica *replica)
{
    if (!replica)
        return;
    shard_free(replica->shard);
    if (!replica->borrowed) {
        batch_free(replica->batch);
        disk_close(replica->disk);
    }
    mem_free(replica->has);
    mem_free(replica);
}

struct view replica_view(const struct replica *replica)
{
    return (struct view){.disk = replica->disk};
}

void replica_commit(struct play *play, struct replica *replica)
{
    int error = replica->disk->ops->commit(replica->disk, replica->batch, false);

    batch_clear(replica->batch);
    play_ok(play, error, "commit");
}

bool replica_open(struct play *play, struct replica *replica)
{
    struct view view;

    if (play->rocks && replica->borrowed) {
        replica->disk = rocks_disk(play->rocks, replica->number);
        replica->batch = rocks_batch(play->rocks, replica->number);
    }
    if (play->is_over || replica->shard)
        return !play->is_over;
    view = replica_view(replica);
    return play_ok(play,
                   shard_load(&view, play->shard, replica->life, ++play->nonces, &replica->shard),
                   "a shard could not be opened");
}

/* A shard that is closed has seen what it had seen. */
void replica_close(const struct play *play, struct replica *replica)
{
    if (!replica->borrowed || !replica->shard)
        return;
    for (unsigned i = 0; i < play->history->replicas; i++)
        replica->quotes[i] = shard_quote(replica->shard, play->replicas[i]->life);
    shard_free(replica->shard);
    replica->shard = NULL;
}

/* Rule 9: what an opening writes under an id of earlier openings may be told when all others have
 * said that they have seen nothing beyond it. */
static bool replica_confirm(struct play *play, struct replica *replica)
{
    for (unsigned i = 0; i < play->history->replicas; i++) {
        const struct replica *other = play->replicas[i];
        struct context_entry quote;

        if (other == replica)
            continue;
        quote = other->shard ? shard_quote(other->shard, replica->shard->replica)
                             : other->quotes[replica->number];
        if (!hold(play, shard_check_quote(replica->shard, &quote) != QUOTE_ROLLBACK,
                  "replica %u has seen a future of replica %u", other->number, replica->number))
            return false;
    }
    if (play_ok(play, shard_confirm(replica->shard, replica->batch), "confirm"))
        replica_commit(play, replica);
    replica->shard->proof = PROOF_MET;
    return !play->is_over;
}

bool replica_ready(struct play *play, struct replica *replica, bool fresh)
{
    if (!replica_open(play, replica))
        return false;
    if (!fresh)
        return replica->shard->confirmed || replica_confirm(play, replica);
    if (!play_ok(play, shard_save(replica->shard, replica->batch), "save"))
        return false;
    replica_commit(play, replica);
    shard_free(replica->shard);
    replica->shard = NULL;
    replica->life++;
    return replica_open(play, replica);
}

/* ---- cells ---- */

void replica_cell(struct play *play, struct replica *replica, struct slice path,
                  struct buffer *bytes, struct cell *ret_cell)
{
    struct view view = batch_view(replica->batch);

    play_ok(play, cell_read(&view, play->shard, play->shard, path, bytes, ret_cell),
            "a cell could not be read");
}

void replica_seen(struct play *play, struct replica *replica, struct slice path,
                  struct context *ret_seen)
{
    struct view view = batch_view(replica->batch);
    struct slot slot;

    play_ok(play, context_copy(ret_seen, &replica->shard->context), "context");
    if (!play_ok(play, slot_load(replica->shard, &view, play->shard, path, &play->bytes, &slot),
                 "a cell could not be read"))
        return;
    if (slot.residue)
        play_ok(play, context_join(ret_seen, &slot.residue->context), "context");
    slot_done(&slot);
}

static void path_note(struct play *play, struct slice path)
{
    struct buffer *noted;

    for (size_t i = 0; i < play->paths_count; i++) {
        if (slice_equal(buffer_slice(&play->paths[i]), path))
            return;
    }
    play->paths = room_more(play->paths, play->paths_count, &play->paths_room, sizeof *play->paths);
    noted = &play->paths[play->paths_count++];
    buffer_init(noted, NEAP_PATH_MAX);
    play_ok(play, buffer_append(noted, path), "path");
}

static void made_note(struct play *play, struct dot dot, uint32_t nonce)
{
    play->made = room_more(play->made, play->made_count, &play->made_room, sizeof *play->made);
    play->made[play->made_count++] = (struct made){dot, nonce};
}

uint32_t play_nonce(const struct play *play, struct dot dot)
{
    for (size_t i = 0; i < play->made_count; i++) {
        if (dot_compare(play->made[i].dot, dot) == 0)
            return play->made[i].nonce;
    }
    return 0;
}

static bool is_removal(enum op_kind kind)
{
    return kind == OP_REMOVE || kind == OP_SET_REMOVE || kind == OP_FLAG_OFF;
}

void replica_write(struct play *play, struct replica *replica, struct slice path,
                   const struct op *op)
{
    struct dot dot = {0};
    struct cell before;
    int error;

    if (play->is_over)
        return;
    cell_init(&before);
    if (play->making)
        replica_cell(play, replica, path, &play->more, &before);
    /* A delta of nothing is none: it would carry what the replica knows of the cell. */
    if (play->making && before.count == 0 && is_removal(op->kind)) {
        cell_done(&before);
        return;
    }
    error = shard_write(replica->shard, replica->batch, play->shard, path, op, &dot);
    if (error) {
        char text[200];

        path_text(path, text, sizeof text);
        cell_done(&before);
        play_fail(play, "a write at %s was refused: %s", text, error_name(error));
        return;
    }
    path_note(play, path);
    if (dot.n > 0)
        made_note(play, dot, replica->shard->nonce);
    if (dot.n > 0 && play->making)
        delta_note(play, replica, path, &before, dot);
    cell_done(&before);
}

void replica_remove(struct play *play, struct replica *replica, struct slice prefix)
{
    uint64_t counter = context_get(&replica->shard->context, replica->shard->replica);
    uint64_t events = 0;

    if (play->making) {
        const struct op op = {.kind = OP_REMOVE};

        for (size_t i = 0; i < play->paths_count; i++) {
            if (slice_starts(buffer_slice(&play->paths[i]), prefix))
                replica_write(play, replica, buffer_slice(&play->paths[i]), &op);
        }
        return;
    }
    if (play->is_over ||
        !play_ok(play,
                 shard_remove(replica->shard, replica->batch, play->shard, prefix, NULL, &events),
                 "a removal was refused"))
        return;
    for (uint64_t n = 1; n <= events; n++)
        made_note(play, (struct dot){replica->shard->replica, counter + n}, replica->shard->nonce);
}
