/* child_neap DIRECTORY: as child_disk, through the public functions: checks that what a node finds
 * is its first N commits without a gap, says "have N", then commits on until it is killed, and says
 * "ack N" after each synced one. Exit 3: there is a gap.
 * With NOSYNC=1 in the environment it acknowledges what is not synced, which a power loss must
 * show.
 *
 * Commit i is one batch: the counter goes up by one, register i mod SLOTS becomes i, and i goes
 * into a set of the last KEPT numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neap.h"

enum { SLOTS = 200, KEPT = 32, VALUE_SIZE_MAX = 20000, MEMORY = 8 << 20 };

static char value[VALUE_SIZE_MAX];

static _Noreturn void fail(const char *what, uint64_t number)
{
    printf("broken: %s %" PRIu64 "\n", what, number);
    fflush(stdout);
    _exit(3);
}

static void check(int code, const char *what, const struct neap_error *error)
{
    if (code == 0)
        return;
    printf("%s: %s\n", what, error && error->text[0] ? error->text : neap_strerror(code));
    fflush(stdout);
    _exit(4);
}

/* Spreads consecutive numbers (the finalizer of splitmix64). */
static uint64_t mix(uint64_t i)
{
    i = (i + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
    return i ^ (i >> 31);
}

static struct neap_bytes text_of(uint64_t number, char ret_text[24])
{
    return (struct neap_bytes){ret_text, (size_t)snprintf(ret_text, 24, "%08" PRIu64, number)};
}

/* Its number first; some values are large. */
static struct neap_bytes value_of(uint64_t number)
{
    size_t size = 24 + mix(number) % (number % 50 == 0 ? VALUE_SIZE_MAX - 24 : 200);

    memset(value, (int)('a' + number % 26), size);
    memcpy(value, &number, sizeof number);
    return (struct neap_bytes){value, size};
}

static struct neap_place place_of(struct neap_bytes key)
{
    return (struct neap_place){.bucket = "crash", .key = key};
}

static const struct neap_bytes count_key = {"count", 5}, kept_key = {"kept", 4};

static void slots_check(struct neap *neap, uint64_t last)
{
    struct neap_buffer found = {0};

    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        uint64_t number = last >= slot ? last - (last - slot) % SLOTS : 0;
        char text[24];
        struct neap_place at = place_of(text_of(slot, text));
        int code = neap_lww_get(neap, &at, &found, NULL);
        struct neap_bytes want = value_of(number);

        if (number == 0 && code == NEAP_NOTFOUND)
            continue;
        check(code, "slot", NULL);
        if (number == 0 || found.size != want.size || memcmp(found.data, want.data, want.size))
            fail("register of commit", number);
    }
    neap_buffer_free(&found);
}

static void kept_check(struct neap *neap, uint64_t last)
{
    struct neap_place at = place_of(kept_key);
    uint64_t number = last > KEPT ? last - KEPT + 1 : 1;
    struct neap_iter *iter;
    struct neap_item item;
    char text[24];
    int code;

    check(neap_items(neap, &at, NEAP_SET, (struct neap_bytes){0}, NULL, &iter), "items", NULL);
    while ((code = neap_next(iter, &item, 0)) == 0) {
        struct neap_bytes want = text_of(number, text);

        if (item.name.size != want.size || memcmp(item.name.data, want.data, want.size))
            fail("element of commit", number);
        number++;
    }
    if (code != NEAP_END)
        check(code, "next", NULL);
    if (number != last + 1)
        fail("last element", number - 1);
    neap_iter_free(iter);
}

static void commit(struct neap *neap, struct neap_batch *batch, uint64_t number, int sync)
{
    struct neap_call queue = {.size = sizeof queue, .batch = batch};
    const struct neap_call call = {.size = sizeof call, .flags = sync ? 0 : (unsigned)NEAP_NOSYNC};
    char slot[24], text[24], old[24];
    struct neap_place count = place_of(count_key), kept = place_of(kept_key),
                      at = place_of(text_of(number % SLOTS, slot));

    check(neap_counter_add(neap, &count, 1, &queue), "add", NULL);
    check(neap_lww_set(neap, &at, value_of(number), &queue), "set", NULL);
    check(neap_set_add(neap, &kept, text_of(number, text), &queue), "element", NULL);
    if (number > KEPT)
        check(neap_set_remove(neap, &kept, text_of(number - KEPT, old), &queue), "remove", NULL);
    check(neap_batch_commit(batch, &call), "commit", NULL);
}

static const char *start_of(struct neap *neap)
{
    static const char suspect[] = "\"suspect\":true";
    const char *const words[] = {"status"};
    struct neap_buffer json = {0};
    int found;

    check(neap_admin(neap, 1, words, &json, NULL), "status", NULL);
    found = memmem(json.data, json.size, suspect, strlen(suspect)) != NULL;
    neap_buffer_free(&json);
    return found ? " suspect" : "";
}

int main(int argc, char **argv)
{
    const char *nosync = getenv("NOSYNC");
    struct neap_options options;
    struct neap_error error = {0};
    struct neap_place at = place_of(count_key);
    struct neap_batch *batch;
    struct neap *neap;
    int64_t count = 0;
    int code;

    if (argc != 2)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    neap_options_init(&options);
    options.path = argv[1];
    options.memory_max = MEMORY;
    code = neap_open(&options, &neap, &error);
    check(code, "open", &error);
    code = neap_counter_get(neap, &at, &count, NULL);
    if (code != NEAP_NOTFOUND)
        check(code, "count", NULL);
    slots_check(neap, (uint64_t)count);
    kept_check(neap, (uint64_t)count);
    printf("have %" PRIi64 "%s\n", count, start_of(neap));
    check(neap_batch_new(neap, &batch), "batch", NULL);
    for (uint64_t number = (uint64_t)count + 1;; number++) {
        int acknowledge = mix(~number) % 100 < 30;

        commit(neap, batch, number, acknowledge && !(nosync && nosync[0] == '1'));
        if (acknowledge && printf("ack %" PRIu64 "\n", number) < 0)
            return 5;
    }
}
