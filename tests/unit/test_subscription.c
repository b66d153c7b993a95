#include "store/subscription.h"

#include <stdio.h>
#include <string.h>

#include "store/keys.h"
#include "store/slot.h"
#include "tests/unit/shard_cases.h"

static bool has(const char *text, const char *bucket)
{
    struct subscriptions list;
    bool found;
    CHECK_OK(subscriptions_parse(text, &list));
    found = subscriptions_have(&list, bucket);
    subscriptions_done(&list);
    return found;
}

TEST(the_last_entry_that_fits_decides)
{
    CHECK(has("*", "orders") && has("*, !photos", "orders"));
    CHECK(!has("*, !photos", "photos") && has("!photos, *", "photos"));
    CHECK(has("*, !photo*, photos-2", "photos-2") && !has("*, !photo*, photos-2", "photos-3"));
    CHECK(!has("", "orders") && !has("!orders", "box"));
    CHECK(has("", "_system") && has("!_system", "_system")); /* always */
}

TEST(globs_stand_for_any_text_or_one_character)
{
    CHECK(has("till-*-2*6", "till-7-2026") && !has("till-*-2*6", "till-7-2025"));
    CHECK(has("a?c", "abc") &&
          has("a?c", "a\xc3\xa4"
                     "c") &&
          !has("a?c", "ac"));
    CHECK(has("a*", "a") && has("*a*b*", "xxaxxbxx") && !has("*a*b*", "xxbxxaxx"));
    CHECK(has("\\*", "*") && !has("\\*", "x") && has("\\!x", "!x") && has("a\\?", "a?"));
    CHECK(!has("a\\?", "ab") && !has("abc", "ab") && !has("ab", "abc"));
}

TEST(a_list_that_is_none_is_refused)
{
    static const char *const bad[] = {",", "a,,b", "a,", "!", "a/b", "a\nb", "a\\"};
    struct subscriptions list = {0};
    char text[SUBSCRIPTION_TEXT_MAX + 2];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(subscriptions_parse(bad[i], &list), NEAP_INVALID);
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 0;
    CHECK_ERROR(subscriptions_parse(text, &list), NEAP_LIMIT);
    CHECK_EQUAL(list.count, 0);
}

static void becomes(const char *from, bool adds, const char *entry, const char *expected)
{
    struct subscriptions list, now, wanted;
    CHECK_OK(subscriptions_parse(from, &list));
    CHECK_OK(subscriptions_parse(expected, &wanted));
    CHECK_OK(adds ? subscriptions_add(&list, entry, &now)
                  : subscriptions_remove(&list, entry, &now));
    CHECK(subscriptions_equal(&now, &wanted));
    subscriptions_done(&list);
    subscriptions_done(&now);
    subscriptions_done(&wanted);
}

TEST(entries_come_and_go)
{
    struct subscriptions all, list;
    becomes("*", false, "photos", "*, !photos");
    becomes("*, !photos", true, "photos", "*, photos");
    becomes("*, photos", true, "*", "*");
    becomes("a, b", false, "*", "");
    becomes("a", false, "a", "");
    becomes("", true, "a", "a");
    becomes("a, b", true, "a", "b, a");
    CHECK_OK(subscriptions_all(&all));
    CHECK(subscriptions_are_all(&all));
    CHECK_ERROR(subscriptions_add(&all, "!x", &list), NEAP_INVALID);
    CHECK_ERROR(subscriptions_remove(&all, "", &list), NEAP_INVALID);
    subscriptions_done(&all);
}

TEST(there_are_so_many_entries_at_most)
{
    struct subscriptions list = {0}, more;
    char name[16];
    for (int i = 0; i < SUBSCRIPTIONS_MAX; i++) {
        snprintf(name, sizeof name, "b%d", i);
        CHECK_OK(subscriptions_add(&list, name, &more));
        subscriptions_done(&list);
        list = more;
    }
    CHECK_ERROR(subscriptions_add(&list, "one", &more), NEAP_LIMIT);
    CHECK_EQUAL(list.count, SUBSCRIPTIONS_MAX);
    subscriptions_done(&list);
}

static int save_and_load(void *argument)
{
    struct subscriptions list = {0}, found = {0};
    struct place place;
    (void)argument;
    int error = place_open(&place, 1);
    if (!error)
        error = subscriptions_parse("*, !photos", &list);
    if (!error)
        error = subscriptions_save(place.batch, &list);
    if (!error) {
        struct view view = batch_view(place.batch);
        error = subscriptions_load(&view, &found);
    }
    if (!error)
        CHECK(subscriptions_equal(&list, &found));
    subscriptions_done(&list);
    subscriptions_done(&found);
    place_close(&place);
    return error;
}

TEST(a_list_is_kept)
{
    struct subscriptions found = {0};
    struct place place;
    CHECK_OK(save_and_load(NULL));
    CHECK_OK(place_open(&place, 1));
    struct view view = batch_view(place.batch);
    CHECK_ERROR(subscriptions_load(&view, &found), NEAP_NOTFOUND);
    place_close(&place);
}

TEST(lists_survive_failing_allocations)
{
    test_alloc_sweep(save_and_load, NULL);
}

TEST(a_list_that_is_damaged_or_newer_is_none)
{
    static const char *const bytes[] = {
        "", "c0", "92 01 02", "92 01 91 a0", "93 01 90 00", "92 01 91 a1 2f"};
    struct subscriptions found = {0};
    struct place place;
    struct key key;
    uint8_t memory[64];
    CHECK_OK(place_open(&place, 1));
    key_meta(&key, 'P');
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        struct view view = batch_view(place.batch);
        CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key),
                           test_unhex(bytes[i], memory, sizeof memory)));
        CHECK_ERROR(subscriptions_load(&view, &found), NEAP_CORRUPT);
    }
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key),
                       test_unhex("92 02 90", memory, sizeof memory)));
    struct view view = batch_view(place.batch);
    CHECK_ERROR(subscriptions_load(&view, &found), NEAP_FORMAT);
    place_close(&place);
}
