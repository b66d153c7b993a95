/* What is on disk, record by record: each key of a directory that has met everything. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crdt/path.h"
#include "engine/token.h"
#include "store/annals.h"
#include "store/format.h"
#include "store/hole.h"
#include "store/merkle.h"
#include "store/once.h"
#include "store/owner.h"
#include "store/ranking.h"
#include "store/slot.h"
#include "store/tally.h"
#include "store/tree_keep.h"
#include "tests/golden/folder.h"

/* ---- what a record says, and the same written again ---- */

/* A disk with all records, and a store on it that has read them. */
struct reading {
    struct scene_clock clock;
    struct disk *disk;
    struct store store;
    struct shard *shard;
};

static void reading_open(struct reading *reading, struct disk *disk)
{
    struct neap_error error = {0};

    *reading = (struct reading){.disk = disk};
    scene_clock_init(&reading->clock);
    CHECK_OK(store_open(&reading->store, disk, &scene_mark, &reading->clock.clock, false, &error));
    reading->shard = store_find(&reading->store, scene_shard());
    CHECK(reading->shard);
    /* This opening is not in the records. */
    reading->shard->openings_count--;
}

static struct view view_of(const struct reading *reading)
{
    return (struct view){.disk = reading->disk};
}

static void say_stored(struct slice key, struct slice value, struct buffer *text)
{
    struct buffer again;
    struct slice bytes;
    struct cell cell;
    uint64_t ref;

    CHECK(key_cell_is(key) && bytes_get_u64(key.data) == scene_shard());
    CHECK_OK(stored_split(value, &ref, &bytes));
    say_cell(text, key_cell_path(key), bytes);
    say(text, ref ? ", residue %" PRIu64 "\n" : "\n", ref);
    buffer_init(&again, CELL_SIZE_MAX);
    cell_init(&cell);
    CHECK_OK(cell_decode(bytes, &cell));
    CHECK_OK(cell_encode(&cell, &again));
    CHECK_BYTES(buffer_slice(&again), bytes);
    cell_done(&cell);
    buffer_done(&again);
}

static void say_logged(struct slice key, struct slice value, struct buffer *text)
{
    struct log_entry entry;

    CHECK_OK(log_entry_read(key, value, &entry));
    say(text, "event %" PRIx64 ":%" PRIu64 " of opening %" PRIu32 " on %" PRIx64 "/", entry.dot.id,
        entry.dot.n, entry.nonce, entry.bucket);
    say_path(text, entry.path);
    say(text, "\n");
}

static void say_shard(const struct shard *shard, struct buffer *text)
{
    say(text, "bucket \"%s\", life %" PRIx64 ", replica %" PRIx64 ", next residue %" PRIu64 "\n",
        shard->name, shard->life, shard->replica, shard->residue_next);
    say_context(text, "context", &shard->context);
    say_context(text, "horizon", &shard->horizon);
    say(text, "confirmed up to %" PRIu64 " of opening %" PRIu32, shard->opened_at,
        shard->opened_nonce);
    for (size_t i = 0; i < shard->openings_count; i++)
        say(text, ", %" PRIu32 " since %" PRIu64, shard->openings[i].nonce,
            shard->openings[i].since);
    for (size_t i = 0; i < shard->formers_count; i++)
        say(text, ", was %" PRIx64 " up to %" PRIu64, shard->formers[i].id, shard->formers[i].n);
    for (size_t i = 0; i < shard->earlier_count; i++)
        say(text, ", before %" PRIx64, shard->earlier[i]);
    say(text, "\n");
}

static void say_residue(const struct shard *shard, uint64_t ref, struct buffer *text)
{
    const struct residue *residue = residue_find(shard, ref);

    CHECK(residue);
    say(text, "residue %" PRIu64, ref);
    say_context(text, "", &residue->context);
}

static void say_session(const struct compare_session *session, struct buffer *text)
{
    CHECK_EQUAL(session->id, SESSION_KEPT);
    say(text, "a compare with replica %" PRIx64 " of node %" PRIx64 ", %s, ", session->replica,
        session->peer, session->phase == COMPARE_CELLS ? "next cell" : "past the cells");
    say_bytes(text, buffer_slice(&session->cursor));
    say(text, "\n");
    say_context(text, "since", &session->start);
}

static void say_identity(const struct identity *identity, struct buffer *text)
{
    say(text, "node %" PRIx64 ", life %" PRIx64 ", former %" PRIx64 ", %s\n", identity->node,
        identity->life, identity->former, identity_reason_text(identity->reason));
}

/* That the tree which comes from the records is what the cells make. */
static void say_tree(const struct reading *reading, struct slice key, struct buffer *text)
{
    struct shard *shard = reading->shard;
    struct view view = view_of(reading);
    struct digest root;

    CHECK_OK(shard_tree_open(shard, &scene_key, MERKLE_BITS_MIN));
    tree_load(shard, &view);
    CHECK(shard->tree->ready);
    root = merkle_root(shard->tree);
    CHECK_OK(merkle_build_begin(shard->tree, 1));
    CHECK_ERROR(shard_tree_step(shard, &view, SIZE_MAX), NEAP_END);
    CHECK(digest_equal(root, merkle_root(shard->tree)));
    if (key.size == 9)
        say(text, "a tree of %" PRIu64 " cells, root %016" PRIx64 "%016" PRIx64 "\n",
            shard->tree->now.cells, root.high, root.low);
    else
        say(text, "part %" PRIu64 "\n", bytes_get_u64(key.data + 9));
    merkle_free(shard->tree);
    shard->tree = NULL;
}

static void say_hole(struct slice key, struct slice value, struct buffer *text)
{
    struct hole hole;

    CHECK_OK(hole_read(key, value, &hole));
    say(text, "cells are missing from ");
    say_bytes(text, buffer_slice(&hole.from));
    say(text, " to ");
    say_bytes(text, buffer_slice(&hole.to));
    say(text, ": %s\n", hole.cause);
    say_context(text, "need", &hole.need);
    say_context(text, "got", &hole.got);
    hole_done(&hole);
}

static void say_once_order(struct slice key, struct slice value, struct buffer *text)
{
    struct reader reader;
    struct slice id;

    reader_init(&reader, value);
    if (key.size == 1) {
        uint64_t first, next;

        read_array_of(&reader, 3);
        first = read_u64(&reader);
        next = read_u64(&reader);
        say(text, "ids %" PRIu64 " to before %" PRIu64 ", %" PRIu64 " bytes\n", first, next,
            read_u64(&reader));
    } else {
        read_array_of(&reader, 2);
        id = read_bin(&reader, NEAP_ONCE_MAX);
        say(text, "id %" PRIu64 " is ", bytes_get_u64(key.data + 1));
        say_bytes(text, id);
        say(text, ", %" PRIu64 " bytes\n", read_u64(&reader));
    }
    CHECK_OK(reader_end(&reader));
}

static void say_once(const struct view *view, struct slice key, struct buffer *text)
{
    struct once_record record;
    struct token token;
    struct buffer bytes;

    buffer_init(&bytes, ONCE_RECORD_MAX);
    token_init(&token);
    CHECK_OK(once_find(view, slice_of(key.data + 1, key.size - 1), &bytes, &record));
    say(text, "operations %016" PRIx64 "%016" PRIx64, record.ops.high, record.ops.low);
    CHECK_OK(token_decode(record.token, &token));
    CHECK_EQUAL(token.count, 1);
    say_context(text, " made", &token.parts[0].context);
    CHECK_EQUAL(record.awaited.size, 0);
    token_done(&token);
    buffer_done(&bytes);
}

static void say_ranking(struct slice key, struct buffer *text)
{
    struct buffer path;
    struct key prefix;
    struct slice member;
    int64_t score;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text("scores"), NEAP_SCORES));
    key_ranking_prefix(&prefix, scene_shard(), scene_shard(), buffer_slice(&path));
    CHECK_OK(ranking_split(key, &prefix, &score, &member));
    CHECK_OK(buffer_append(&path, member));
    say(text, "%" PRId64 " of ", score);
    say_path(text, buffer_slice(&path));
    say(text, "\n");
    buffer_done(&path);
}

static void say_tally(const struct reading *reading, struct slice key, struct buffer *text)
{
    struct slice collection = key_tally_collection(key);
    uint64_t count;

    CHECK_OK(tally_get(reading->shard, collection, &count));
    say(text, "%" PRIu64 " in ", count);
    say_path(text, slice_of(collection.data + 8, collection.size - 8));
    say(text, "\n");
}

static void say_owner(const struct view *view, struct slice key, struct buffer *text)
{
    uint64_t shard = bytes_get_u64(key.data + 1), id = bytes_get_u64(key.data + 9);
    struct owner owner = {0};

    CHECK_OK(owner_read(view, shard, id, &owner));
    say(text, "id %" PRIx64 " of %" PRIx64 " is that of %" PRIu64 "/%" PRIx64 "\n", id, shard,
        owner.kind, owner.id);
}

static void say_subscriptions(const struct view *view, struct buffer *text)
{
    struct subscriptions list = {0};

    CHECK_OK(subscriptions_load(view, &list));
    say(text, "subscribes to");
    for (size_t i = 0; i < list.count; i++)
        say(text, " %s", list.entries[i]);
    say(text, "\n");
    subscriptions_done(&list);
}

static void say_expiry(struct slice key, struct buffer *text)
{
    struct expiry_entry entry;

    CHECK(expiry_entry_read(key, &entry));
    say(text, "at %" PRIu64 " expires %" PRIx64 "/%" PRIx64 "/", entry.expires, entry.shard,
        entry.bucket);
    say_path(text, entry.path);
    say(text, "\n");
}

static void say_incarnation(const struct view *view, struct buffer *text)
{
    uint64_t incarnation = 0;

    CHECK_OK(incarnation_read(view, &incarnation));
    say(text, "incarnation %" PRIu64 "\n", incarnation);
}

struct annals_saying {
    uint64_t number;
    struct buffer *text;
};

static int say_entry(void *arg, const struct annals_entry *entry)
{
    struct annals_saying *saying = arg;
    const struct slice texts[] = {entry->bucket, entry->peer, entry->key, entry->cause,
                                  entry->end};

    if (entry->number != saying->number)
        return 0;
    say(saying->text, "%s, %" PRIu64 " to %" PRIu64 ", %" PRIx64 " %" PRIx64 " %" PRIx64
        ", %" PRIu64 " cells, %" PRIu64 " times", annals_word(entry->kind), entry->began_ms,
        entry->ended_ms, entry->shard, entry->replica, entry->node, entry->cells, entry->times);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        say(saying->text, "; %.*s", (int)texts[i].size, (const char *)texts[i].data);
    say(saying->text, "\n");
    return 0;
}

static void say_annals(const struct view *view, uint64_t number, struct buffer *text)
{
    struct annals_saying saying = {number, text};

    CHECK_OK(annals_read(view, ANNALS_MAX, say_entry, &saying, NULL, NULL));
}

static void say_unsettled(struct slice key, struct buffer *text)
{
    say(text, "for residue %" PRIu64 ": %" PRIx64 "/", key_residue_ref(key),
        key_unsettled_bucket(key));
    say_path(text, key_unsettled_path(key));
    say(text, "\n");
}

static void say_meta(const struct reading *reading, struct slice key, struct slice value,
                     struct buffer *text)
{
    struct view view = view_of(reading);
    uint32_t format = 0;

    switch (key.data[0]) {
    case 'A':
        say_incarnation(&view, text);
        break;
    case 'B':
        say_owner(&view, key, text);
        break;
    case 'P':
        say_subscriptions(&view, text);
        break;
    case 'C':
        say_session(&reading->shard->session, text);
        break;
    case 'D':
        say_hole(key, value, text);
        break;
    case 'E':
        say_expiry(key, text);
        break;
    case 'F':
        CHECK_OK(format_read(&view, format_reads(), &format, NULL));
        say(text, "format %" PRIu32 "\n", format);
        break;
    case 'H':
        say(text, "stamps up to %" PRIu64 "\n", reading->store.hlc.last);
        break;
    case 'I':
        CHECK(!reading->store.identity.fresh_life);
        say_identity(&reading->store.identity, text);
        break;
    case 'J':
        say_annals(&view, key_annals_number(key), text);
        break;
    case 'M':
        say(text, "what expires up to %" PRIu64 " is hidden\n",
            (uint64_t)atomic_load(&reading->store.expiry.mark));
        break;
    case 'N':
        say_once_order(key, value, text);
        break;
    case 'O':
        say_once(&view, key, text);
        break;
    case 'R':
        say_residue(reading->shard, key_residue_ref(key), text);
        break;
    case 'S':
        say_shard(reading->shard, text);
        break;
    case 'T':
        say_tree(reading, key, text);
        break;
    case 'U':
        say_unsettled(key, text);
        break;
    case 'X':
        say_ranking(key, text);
        break;
    case 'Y':
        say_tally(reading, key, text);
        break;
    default:
        test_failed(__FILE__, __LINE__, "records '%c' say nothing here yet", key.data[0]);
    }
}

static void say_record(const struct reading *reading, enum disk_family family, struct slice key,
                       struct slice value, struct buffer *text)
{
    switch (family) {
    case DISK_CELLS:
        say_stored(key, value, text);
        break;
    case DISK_LOG:
        say_logged(key, value, text);
        break;
    case DISK_META:
    case DISK_FAMILIES:
        say_meta(reading, key, value, text);
        break;
    }
}

/* ---- the file ---- */

static void entry_of(const struct reading *reading, enum disk_family family, struct slice key,
                     struct slice value, struct golden_entry *ret_entry)
{
    int used = snprintf(ret_entry->name, sizeof ret_entry->name, "%s ", disk_family_name(family));

    for (size_t i = 0; i < key.size; i++)
        used += snprintf(ret_entry->name + used, sizeof ret_entry->name - (size_t)used, "%02x",
                         key.data[i]);
    CHECK((size_t)used < sizeof ret_entry->name);
    CHECK_OK(buffer_set(&ret_entry->bytes, value));
    buffer_clear(&ret_entry->says);
    say_record(reading, family, key, value, &ret_entry->says);
}

/* All records, and what they say, as the file has them. */
static void records_text(struct disk *disk, struct buffer *ret_text)
{
    struct slice none = slice_of(NULL, 0), key, value;
    struct golden_entry entry;
    struct reading reading;

    reading_open(&reading, disk);
    golden_entry_init(&entry);
    golden_head_append(ret_text, "A data directory: family and key, what is there, its value.");
    for (unsigned family = 0; family < DISK_FAMILIES; family++) {
        struct view view = view_of(&reading);
        struct scan *scan;

        CHECK_OK(view_scan(&view, (enum disk_family)family, none, none, &scan));
        while (!scan_next(scan, &key, &value)) {
            entry_of(&reading, (enum disk_family)family, key, value, &entry);
            golden_entry_append(ret_text, &entry);
        }
        scan_close(scan);
    }
    golden_entry_done(&entry);
    store_done(&reading.store);
}

static void scene_text(struct buffer *ret_text)
{
    struct scene scene;

    scene_open(&scene);
    scene_reopen(&scene);
    records_text(scene.disk, ret_text);
    scene_close(&scene);
}

/* What was written is what is written now, and says what it said. */
TEST(records_are_as_they_were)
{
    struct buffer now, kept, read;
    struct disk *disk = NULL;
    char name[32];

    buffer_init(&now, GOLDEN_BYTES_MAX);
    buffer_init(&kept, GOLDEN_BYTES_MAX);
    buffer_init(&read, GOLDEN_BYTES_MAX);
    scene_text(&now);
    dump_name(FORMAT_VERSION, name);
    if (golden_writes())
        golden_write(name, &now);
    golden_read(name, &kept);
    CHECK_OK(disk_mem_open(&disk));
    dump_load(FORMAT_VERSION, disk);
    records_text(disk, &read);
    disk_close(disk);
    CHECK_BYTES(buffer_slice(&read), buffer_slice(&kept));
    CHECK_BYTES(buffer_slice(&now), buffer_slice(&kept));
    buffer_done(&now);
    buffer_done(&kept);
    buffer_done(&read);
}

/* Read, and written again. */
TEST(a_shard_and_its_log_are_written_as_they_were_read)
{
    struct slice none = slice_of(NULL, 0), key, value;
    struct buffer before, after;
    struct batch *batch = NULL;
    struct reading reading;
    struct disk *disk = NULL;
    struct scan *scan;
    struct view view;

    buffer_init(&before, GOLDEN_BYTES_MAX);
    buffer_init(&after, GOLDEN_BYTES_MAX);
    CHECK_OK(disk_mem_open(&disk));
    dump_load(FORMAT_VERSION, disk);
    dump_of(disk, &before);
    reading_open(&reading, disk);
    view = view_of(&reading);
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(shard_save(reading.shard, batch));
    CHECK_OK(format_write(batch, FORMAT_VERSION));
    CHECK_OK(view_scan(&view, DISK_LOG, none, none, &scan));
    while (!scan_next(scan, &key, &value)) {
        struct log_entry entry;

        CHECK_OK(log_entry_read(key, value, &entry));
        CHECK_OK(log_put(reading.shard, batch, entry.dot, entry.nonce, entry.bucket, entry.path));
    }
    scan_close(scan);
    CHECK(!batch_is_empty(batch));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    dump_of(disk, &after);
    CHECK_BYTES(buffer_slice(&after), buffer_slice(&before));
    batch_free(batch);
    store_done(&reading.store);
    disk_close(disk);
    buffer_done(&before);
    buffer_done(&after);
}

TEST(each_kind_of_record_has_golden_bytes)
{
    struct slice none = slice_of(NULL, 0), key, value;
    struct view view = {0};
    struct scan *scan;
    size_t count[UINT8_MAX + 1] = {0};

    CHECK_OK(disk_mem_open(&view.disk));
    dump_load(FORMAT_VERSION, view.disk);
    CHECK_OK(view_scan(&view, DISK_META, none, none, &scan));
    while (!scan_next(scan, &key, &value))
        count[key.data[0]]++;
    scan_close(scan);
    disk_close(view.disk);
    for (const char *kind = KEY_META_KINDS; *kind; kind++) {
        if (!count[(uint8_t)*kind])
            test_failed(__FILE__, __LINE__, "none of kind '%c': see tests/golden/scene.c", *kind);
    }
}
