#include "store/owner.h"

#include "store/keys.h"
#include "store/slot.h"
#include "tests/unit/shard_cases.h"

static int write_and_read(void *argument)
{
    struct owner owner = {2, UINT64_MAX}, found;
    struct place place;
    (void)argument;
    int error = place_open(&place, 1);
    if (!error)
        error = owner_write(place.batch, 5, 6, &owner);
    if (!error) {
        struct view view = batch_view(place.batch);
        error = owner_read(&view, 5, 6, &found);
    }
    if (!error)
        CHECK(found.kind == 2 && found.id == UINT64_MAX);
    place_close(&place);
    return error;
}

TEST(an_id_has_one_owner)
{
    struct owner found = {0};
    struct place place;
    CHECK_OK(write_and_read(NULL));
    CHECK_OK(place_open(&place, 1));
    struct view view = batch_view(place.batch);
    CHECK_ERROR(owner_read(&view, 5, 6, &found), NEAP_NOTFOUND);
    place_close(&place);
}

TEST(owners_survive_failing_allocations)
{
    test_alloc_sweep(write_and_read, NULL);
}

TEST(an_owner_that_is_damaged_or_newer_is_nobody)
{
    static const char *const bytes[] = {"", "c0", "92 01 02", "93 01 02", "93 01 02 03 04"};
    struct owner found;
    struct place place;
    struct key key;
    uint8_t memory[64];
    CHECK_OK(place_open(&place, 1));
    key_owner(&key, 5, 6);
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        struct view view = batch_view(place.batch);
        CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key),
                           test_unhex(bytes[i], memory, sizeof memory)));
        CHECK_ERROR(owner_read(&view, 5, 6, &found), NEAP_CORRUPT);
    }
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key),
                       test_unhex("93 02 02 03", memory, sizeof memory)));
    struct view view = batch_view(place.batch);
    CHECK_ERROR(owner_read(&view, 5, 6, &found), NEAP_FORMAT);
    place_close(&place);
}
