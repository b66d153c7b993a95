#include "engine/hot.h"

#include <stdio.h>

#include "store/tally.h"
#include "tests/support/rig.h"

static struct rig rig;

static int begin(void)
{
    static const struct hash_key key = {{4}};
    struct wheel_options options = {.clock = &rig.clock.clock,
                                    .mark = &rig.mark,
                                    .sync_ms = 100,
                                    .log_max = 1000,
                                    .cluster_key = &key,
                                    .tree_bits = 10};
    int error;

    rig = (struct rig){0};
    rig_clock_init(&rig.clock);
    error = disk_mem_open(&rig.disk);
    options.disk = rig.disk;
    return error ? error : wheel_open(&rig.wheel, &options, NULL);
}

static int add(unsigned from, unsigned to)
{
    int error = 0;

    for (; from < to && !error; from++) {
        char text[16];
        struct write_op op;
        struct write write = {.ops = &op, .count = 1};

        (void)snprintf(text, sizeof text, "%u", from);
        op = rig_set_add("b", "s", text);
        error = rig_write(&rig, &write);
    }
    return error;
}

static int tick(void)
{
    rig.clock.now_ms += 1000;
    return rig_tick(&rig);
}

static int counted(uint64_t *ret_count)
{
    struct shard *shard = rig_shard(&rig, "b");
    struct key key;

    key_cell(&key, shard->id, shard->id, rig_path("s", NEAP_SET));
    return tally_get(shard, slice_of(key.bytes + 8, key.size - 8), ret_count);
}

TEST(what_is_hot_is_counted_from_then_on)
{
    uint64_t count = 0;

    CHECK_OK(begin());
    CHECK_OK(add(0, HEAT_HOT - 1));
    CHECK_OK(tick());
    CHECK_ERROR(counted(&count), NEAP_NOTFOUND);
    CHECK_OK(add(HEAT_HOT - 1, HEAT_HOT + 5));
    CHECK_OK(tick());
    CHECK_OK(counted(&count));
    CHECK_EQUAL(count, HEAT_HOT + 5);
    CHECK_OK(add(0, HEAT_HOT + 9)); /* again, and four more */
    CHECK_OK(counted(&count));
    CHECK_EQUAL(count, HEAT_HOT + 9);
    wheel_close(&rig.wheel);
    disk_close(rig.disk);
}
