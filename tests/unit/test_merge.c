#include "engine/merge.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "store/store.h"
#include "tests/support/test.h"

enum { SLOTS = 8, PER_SLOT = 24, NAME = 8 };

/* A ring's bucket: sorted names in slots, and pages of them. */
struct ringed {
    struct backend backend;
    unsigned slots;
    char names[64][PER_SLOT][NAME];
    size_t counts[64];
    size_t value_size; /* of each item */
    size_t page_max;   /* items */
    unsigned calls, first, again;
    unsigned fails_at; /* the call that fails; 0: none */
    int code;
    size_t live_max; /* blocks, as a page is asked for */
    enum neap_level level;
    const struct token *after; /* that first pages are to come after */
    bool moved;                /* each page is of another node, with one event more */
};

static uint8_t value[1 << 20];

static uint64_t shard_of(unsigned slot)
{
    char name[32];

    snprintf(name, sizeof name, "@main/%u", slot);
    return bucket_id(name);
}

/* The last is a name's index after which the page ends. */
static int names_write(struct ringed *ringed, const struct page_request *request, size_t at,
                       struct page *ret_page)
{
    const size_t count = ringed->counts[request->slot];
    struct writer writer;

    writer_init(&writer, &ret_page->items);
    for (; at < count && ret_page->count < ringed->page_max; at++) {
        const char *name = ringed->names[request->slot][at];
        struct neap_item item = {.type = NEAP_LWW,
                                 .name = {name, strlen(name)},
                                 .value = {value, ringed->value_size}};

        page_item_write(&writer, &item);
        ret_page->count++;
    }
    if (!writer.error && at < count) {
        uint8_t cursor = (uint8_t)(at + 1);

        return buffer_set(&ret_page->cursor, slice_of(&cursor, 1));
    }
    return writer.error;
}

static int ringed_page(struct backend *backend, struct page_request *request, struct page *ret_page)
{
    struct ringed *ringed = (struct ringed *)backend;
    size_t at = 0;

    CHECK_TEXT(request->bucket, "box@main");
    if (++ringed->calls == ringed->fails_at)
        return error_set(&request->error, ringed->code, "slot %u", request->slot);
    if (request->kind == PAGE_SLOTS) {
        ret_page->count = ringed->slots;
        return 0;
    }
    if (mem_live() > ringed->live_max)
        ringed->live_max = mem_live();
    CHECK_EQUAL(request->slots, ringed->slots);
    if (request->from_is_name)
        while (at < ringed->counts[request->slot] &&
               slice_compare(slice_text(ringed->names[request->slot][at]), request->from) < 0)
            at++;
    else
        at = request->from.data[0] - 1u;
    if (request->level) {
        CHECK_EQUAL(request->level, ringed->level);
        ringed->first++;
        CHECK_EQUAL(request->after != NULL,
                    ringed->after && token_find(ringed->after, shard_of(request->slot)));
    } else {
        ringed->again++;
        CHECK(request->after && request->after->count == 1);
        CHECK_EQUAL(request->after->parts[0].shard, shard_of(request->slot));
        CHECK_EQUAL(context_get(&request->after->parts[0].context, 7), 3);
    }
    CHECK(request->want_token);
    int error =
        token_dot(&request->token, shard_of(request->slot), (struct dot){.id = 7, .n = 3}, 1);
    return error ? error : names_write(ringed, request, at, ret_page);
}

static const struct backend_ops ringed_ops = {.page = ringed_page};

/* Names k000 and so on, each to the slot of its hash. */
static void ringed_init(struct ringed *ringed, unsigned slots, unsigned names)
{
    *ringed = (struct ringed){
        .backend.ops = &ringed_ops, .slots = slots, .page_max = 3, .level = NEAP_QUORUM};
    for (unsigned i = 0; i < names; i++) {
        char name[NAME];
        unsigned slot;

        snprintf(name, sizeof name, "k%03u", i);
        slot = (unsigned)(hash_name(slice_text(name)) % slots);
        CHECK(ringed->counts[slot] < PER_SLOT);
        memcpy(ringed->names[slot][ringed->counts[slot]++], name, sizeof name);
    }
}

/* A page after the other, each of `size`; how many names there were, which rise by one from `from`
 * on. With an error it is asked for once more. */
static unsigned names_listed(struct ringed *ringed, unsigned from, size_t size, int *ret_code)
{
    struct merge *merge = merge_new(&ringed->backend);
    char name[NAME];
    unsigned count = 0;
    bool more = true;

    CHECK(merge);
    snprintf(name, sizeof name, "k%03u", from);
    while (more) {
        struct page_request request = {.bucket = "box@main",
                                       .from = count == 0 && from ? slice_text(name)
                                                                  : slice_of(NULL, 0),
                                       .from_is_name = true,
                                       .level = count == 0 ? NEAP_QUORUM : NEAP_BUCKET_DEFAULT,
                                       .after = ringed->after,
                                       .size_max = size};
        struct page page;
        struct reader items;

        page_init(&page, size);
        token_init(&request.token);
        int code = merge_page(merge, &request, &page);
        if (code)
            *ret_code = code;
        reader_init(&items, buffer_slice(&page.items));
        while (items.left.size) {
            struct neap_item item;

            page_item_read(&items, &item);
            CHECK_OK(items.error);
            snprintf(name, sizeof name, "k%03u", from + count++);
            CHECK_BYTES(slice_of(item.name.data, item.name.size), slice_text(name));
            CHECK_EQUAL(item.value.size, ringed->value_size);
        }
        more = code || page.cursor.size;
        page_done(&page);
        token_done(&request.token);
    }
    merge_free(merge);
    return count;
}

TEST(keys_of_many_slots_come_in_one_order)
{
    struct ringed ringed;
    int code = 0;

    ringed_init(&ringed, SLOTS, 80);
    for (size_t size = 1; size < 2000; size = size * 3 + 20) {
        CHECK_EQUAL(names_listed(&ringed, 0, size, &code), 80);
        CHECK_EQUAL(names_listed(&ringed, 33, size, &code), 47);
    }
    CHECK_OK(code);
    ringed_init(&ringed, 1, 9);
    CHECK_EQUAL(names_listed(&ringed, 0, 100, &code), 9);
    ringed_init(&ringed, SLOTS, 0);
    CHECK_EQUAL(names_listed(&ringed, 0, 100, &code), 0);
    CHECK_OK(code);
    CHECK(merge_is_for("box@main", slice_of(NULL, 0)));
    CHECK(!merge_is_for("box", slice_of(NULL, 0)));
    CHECK(!merge_is_for("box@main", slice_text("x")));
}

TEST(each_slot_is_read_once_at_the_level_and_then_after_what_was_seen)
{
    struct token after = {.count = 0};
    struct ringed ringed;
    int code = 0;

    ringed_init(&ringed, SLOTS, 80);
    CHECK_OK(token_dot(&after, shard_of(2), (struct dot){.id = 9, .n = 1}, 1));
    ringed.after = &after;
    CHECK_EQUAL(names_listed(&ringed, 0, 4000, &code), 80);
    CHECK_EQUAL(ringed.first, SLOTS);
    CHECK(ringed.again > SLOTS);
    token_done(&after);
}

TEST(a_page_that_cannot_be_had_is_asked_for_again_and_nothing_is_lost)
{
    struct ringed ringed;
    unsigned calls = UINT32_MAX;

    for (unsigned at = 1; at < calls; at++) {
        int code = 0;

        ringed_init(&ringed, SLOTS, 60);
        ringed.fails_at = at;
        ringed.code = NEAP_UNAVAILABLE;
        CHECK_EQUAL(names_listed(&ringed, 0, at % 5 ? 100 : 5000, &code), 60);
        /* What came before it is given first. */
        CHECK(code == NEAP_UNAVAILABLE || at > SLOTS + 1);
        calls = ringed.calls;
    }
    CHECK(calls > 3 * SLOTS);
}

TEST(large_items_are_fetched_when_their_turn_comes)
{
    uint64_t before = mem_live();
    struct ringed ringed;
    int code = 0;

    ringed_init(&ringed, 64, 200);
    ringed.value_size = sizeof value - 64;
    ringed.page_max = 1;
    CHECK_EQUAL(names_listed(&ringed, 0, 100, &code), 200);
    CHECK_OK(code);
    /* Of each slot where it is and what was seen (two), and pages of 8 MiB and a little. */
    CHECK(ringed.live_max > before + 64);
    CHECK(ringed.live_max < before + 64 * 3 + 24);
    CHECK(ringed.calls > 200 + 64);
}

static int token_of_first_page(void *arg)
{
    struct ringed *ringed = arg;
    struct merge *merge = merge_new(&ringed->backend);
    struct page_request request = {
        .bucket = "box@main", .level = NEAP_QUORUM, .want_token = true, .size_max = 1};
    struct page page;
    int code;

    if (!merge)
        return NEAP_NOMEM;
    page_init(&page, 50);
    token_init(&request.token);
    code = merge_page(merge, &request, &page);
    if (!code)
        CHECK_EQUAL(request.token.count, ringed->slots);
    token_done(&request.token);
    page_done(&page);
    merge_free(merge);
    return code;
}

TEST(a_token_of_a_listing_names_what_was_seen_of_all_slots)
{
    struct ringed ringed;

    ringed_init(&ringed, 3, 20);
    test_alloc_sweep(token_of_first_page, &ringed);
}
