#include "engine/cover.h"

#include <string.h>

#include "tests/support/rig.h"

TEST(alone_what_is_here_is_everywhere)
{
    struct rig rig;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1, .level = NEAP_ALL, .want_token = true};
    struct cover_look look;

    rig_open(&rig);
    CHECK_OK(cover_check(&rig.wheel.engine, NEAP_ALL, "a", NULL));
    CHECK_OK(rig_write(&rig, &write));
    CHECK_OK(cover_look_begin(&rig.wheel.engine, NEAP_ALL, &look));
    CHECK(cover_is_there(&look)); /* nothing was asked for */
    cover_look_at(&rig.wheel.engine, NEAP_ALL, write.token.parts, write.token.count, &look);
    CHECK(cover_is_there(&look));
    CHECK(look.quorum.begun);
    CHECK_EQUAL(look.quorum.members, 1);
    write.token.parts[0].context.entries[0].n++;
    cover_look_at(&rig.wheel.engine, NEAP_ALL, write.token.parts, write.token.count, &look);
    CHECK(!look.here);
    CHECK(!cover_is_there(&look));
    token_done(&write.token);
    token_done(&write.awaited);
    rig_close(&rig);
}

TEST(levels_of_zones_are_refused)
{
    struct rig rig;
    struct cover_look look;
    struct neap_error error = {0};

    rig_open(&rig);
    CHECK_OK(cover_look_begin(&rig.wheel.engine, NEAP_LOCAL_QUORUM, &look)); /* of rings */
    CHECK_ERROR(cover_check(&rig.wheel.engine, NEAP_EACH_QUORUM, "a", &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "zones"));
    CHECK_ERROR(cover_check(&rig.wheel.engine, (enum neap_level)99, "a", &error), NEAP_INVALID);
    rig_close(&rig);
}
