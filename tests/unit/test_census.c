#include "engine/census.h"

#include <stdlib.h>
#include <string.h>

#include "store/batch.h"
#include "store/slot.h"
#include "tests/support/rig.h"

enum { SHARD = 7, BUCKET = 9 };

/* A cell of so many dots, each with that payload, as it is stored. */
static void cell_put(struct disk *disk, struct slice path, unsigned dots, const char *payload)
{
    struct batch *batch = NULL;
    struct buffer bytes;
    struct cell cell;
    struct key key;

    buffer_init(&bytes, 1 << 20);
    cell_init(&cell);
    for (unsigned i = 0; i < dots; i++)
        CHECK_OK(cell_add(&cell, (struct dot){.id = i + 1, .n = 1}, slice_text(payload)));
    CHECK_OK(buffer_append(&bytes, slice_of("", 1))); /* no residue */
    CHECK_OK(cell_encode(&cell, &bytes));
    key_cell(&key, SHARD, BUCKET, path);
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_put(batch, DISK_CELLS, key_slice(&key), buffer_slice(&bytes)));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    cell_done(&cell);
    buffer_done(&bytes);
}

/* A bucket of three objects: a set of five, a register of three values, and a small one. */
static struct disk *disk_made(void)
{
    struct disk *disk = NULL;
    char element[] = "element 0";

    CHECK_OK(disk_mem_open(&disk));
    for (unsigned i = 0; i < 5; i++) {
        element[8] = (char)('0' + i);
        cell_put(disk, rig_element("basket", element), 1, "");
    }
    cell_put(disk, rig_path("owner", NEAP_REGISTER), 3, "ann");
    cell_put(disk, rig_path("zip", NEAP_REGISTER), 1, "x");
    cell_put(disk, rig_path("zz", NEAP_LWW), 2, "x");
    return disk;
}

static json_t *object_at(json_t *json, size_t index)
{
    return json_array_get(json_object_get(json, "objects"), index);
}

static json_int_t number_of(json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

TEST(big_has_the_largest_first)
{
    const struct census census = {.shard = SHARD, .bucket = BUCKET, .limit = 2};
    struct disk *disk = disk_made();
    struct view view = {.disk = disk};
    json_t *json = NULL, *object;

    CHECK_OK(census_big(&census, &view, &json));
    CHECK_EQUAL(json_array_size(json_object_get(json, "objects")), 2);
    object = object_at(json, 0);
    CHECK_TEXT(json_string_value(json_object_get(object, "key")), "basket");
    CHECK_TEXT(json_string_value(json_object_get(object, "type")), "set");
    CHECK_EQUAL(number_of(object, "cells"), 5);
    CHECK_EQUAL(number_of(object, "dots"), 5);
    object = object_at(json, 1);
    CHECK_TEXT(json_string_value(json_object_get(object, "key")), "owner");
    CHECK_EQUAL(number_of(object, "cells"), 1);
    CHECK_EQUAL(number_of(object, "dots"), 3);
    CHECK(json_is_true(json_object_get(json, "more")));
    CHECK_EQUAL(number_of(json, "cells"), 8);
    CHECK(number_of(json, "bytes") >
          number_of(object_at(json, 0), "bytes") + number_of(object_at(json, 1), "bytes"));
    json_decref(json);
    disk_close(disk);
}

TEST(siblings_are_of_registers_alone)
{
    const struct census census = {.shard = SHARD, .bucket = BUCKET, .limit = 20};
    struct disk *disk = disk_made();
    struct view view = {.disk = disk};
    json_t *json = NULL, *object;

    CHECK_OK(census_siblings(&census, &view, &json));
    CHECK_EQUAL(json_array_size(json_object_get(json, "objects")), 1);
    object = object_at(json, 0);
    CHECK_TEXT(json_string_value(json_object_get(object, "key")), "owner");
    CHECK_EQUAL(number_of(object, "siblings"), 3);
    CHECK_EQUAL(number_of(json, "cells"), 1);
    CHECK_EQUAL(number_of(json, "most"), 3);
    CHECK(json_is_false(json_object_get(json, "more")));
    json_decref(json);
    disk_close(disk);
}

TEST(siblings_of_fields_are_found_and_a_limit_is_kept)
{
    const struct census census = {.shard = SHARD, .bucket = BUCKET, .limit = 1};
    struct disk *disk = disk_made();
    struct view view = {.disk = disk};
    json_t *json = NULL;

    cell_put(disk, rig_field("cart", "who", NEAP_REGISTER), 2, "bob");
    CHECK_OK(census_siblings(&census, &view, &json));
    CHECK_EQUAL(json_array_size(json_object_get(json, "objects")), 1);
    CHECK_TEXT(json_string_value(json_object_get(object_at(json, 0), "key")), "cart");
    CHECK_TEXT(json_string_value(json_object_get(object_at(json, 0), "type")), "map");
    CHECK_EQUAL(number_of(json, "cells"), 2);
    CHECK(json_is_true(json_object_get(json, "more")));
    json_decref(json);
    disk_close(disk);
}

TEST(other_buckets_are_not_looked_at)
{
    const struct census census = {.shard = SHARD, .bucket = BUCKET + 1, .limit = 5};
    struct disk *disk = disk_made();
    struct view view = {.disk = disk};
    json_t *json = NULL;

    CHECK_OK(census_big(&census, &view, &json));
    CHECK_EQUAL(number_of(json, "cells"), 0);
    CHECK_EQUAL(json_array_size(json_object_get(json, "objects")), 0);
    json_decref(json);
    disk_close(disk);
}

TEST(a_pass_ends_with_what_its_scan_says)
{
    const struct census census = {.shard = SHARD, .bucket = BUCKET, .limit = 5};
    struct disk *disk = disk_made();
    struct view view = {.disk = disk};
    json_t *json = NULL;

    disk_mem_fault(disk, DISK_FAULT_SCAN, 3, 1, NEAP_CORRUPT);
    CHECK_ERROR(census_big(&census, &view, &json), NEAP_CORRUPT);
    disk_mem_fault(disk, DISK_FAULT_SCAN, 0, 1, NEAP_IO);
    CHECK_ERROR(census_siblings(&census, &view, &json), NEAP_IO);
    CHECK(!json);
    disk_close(disk);
}

static int go_on_never(void *arg)
{
    ++*(unsigned *)arg;
    return NEAP_UNAVAILABLE;
}

TEST(a_pass_can_be_ended)
{
    unsigned asked = 0;
    const struct census census = {
        .shard = SHARD, .bucket = BUCKET, .limit = 5, .go_on = go_on_never, .arg = &asked};
    struct disk *disk = disk_made();
    struct view view = {.disk = disk};
    json_t *json = NULL;

    CHECK_OK(census_big(&census, &view, &json)); /* short enough not to be asked */
    json_decref(json);
    for (unsigned i = 0; i < 5000; i++) {
        char key[16];

        snprintf(key, sizeof key, "n%05u", i);
        cell_put(disk, rig_path(key, NEAP_LWW), 1, "x");
    }
    CHECK_ERROR(census_big(&census, &view, &json), NEAP_UNAVAILABLE);
    CHECK_EQUAL(asked, 1);
    disk_close(disk);
}

static int census_with_less_memory(void *arg)
{
    const struct census census = {.shard = SHARD, .bucket = BUCKET, .limit = 2};
    struct view view = {.disk = arg};
    json_t *json = NULL;
    int error = census_big(&census, &view, &json);

    json_decref(json);
    json = NULL;
    if (!error)
        error = census_siblings(&census, &view, &json);
    json_decref(json);
    return error;
}

TEST(a_census_with_less_memory)
{
    struct disk *disk = disk_made();

    test_alloc_sweep(census_with_less_memory, disk);
    disk_close(disk);
}

/* Jansson asks for its memory elsewhere: it fails at call N. */
static unsigned left;

static void *alloc_some(size_t size)
{
    return left && left-- > 0 ? malloc(size) : NULL;
}

TEST(a_census_without_memory_for_its_answer)
{
    struct disk *disk = disk_made();
    int error = NEAP_NOMEM;
    unsigned n;

    for (n = 1; error == NEAP_NOMEM && n < 1000; n++) {
        left = n;
        json_set_alloc_funcs(alloc_some, free);
        error = census_with_less_memory(disk);
        json_set_alloc_funcs(malloc, free);
    }
    CHECK_OK(error);
    CHECK(n > 10);
    disk_close(disk);
}
