/* Overflow, depth, size, tokens of nobody and of elsewhere: each is an error that names key and
 * limit, and nothing has changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/api/both.h"

enum { LARGE = NEAP_VALUE_MAX + 1, PATIENCE_MS = 1 };

/* What the cases share. */
struct bench {
    struct both *both;
    struct neap *neap;
    struct neap_call *call;
    struct neap_place at, other;
    char *large; /* LARGE bytes */
    struct neap_buffer here, elsewhere,
        unknown;                /* tokens: of `at`, of `other`, of nobody's event */
    struct neap_buffer listing; /* of call.resume, of the other bucket */
    struct neap_batch *batch;
};

static struct neap_bytes large_of(const struct bench *bench, size_t size)
{
    return (struct neap_bytes){bench->large, size};
}

/* ---- overflow ---- */

static int counter_over(struct bench *bench)
{
    return neap_counter_add(bench->neap, &bench->at, 1, bench->call);
}

static int counter_under(struct bench *bench)
{
    struct neap_place at = place_of("shop", "apples-left");

    return neap_counter_add(bench->neap, &at, -2, bench->call);
}

static int exact_over(struct bench *bench)
{
    return neap_counter_exact_add(bench->neap, &bench->at, 1, bench->call);
}

static int score_over(struct bench *bench)
{
    return neap_score_add(bench->neap, &bench->at, bytes_of("ann"), 1, bench->call);
}

static int rights_over(struct bench *bench)
{
    return neap_bounded_add(bench->neap, &bench->at, -6, bench->call);
}

static int bounded_over(struct bench *bench)
{
    return neap_bounded_add(bench->neap, &bench->at, INT64_MAX, bench->call);
}

static int ttl_long(struct bench *bench)
{
    bench->call->ttl_ms = NEAP_TTL_MS_MAX + 1;
    return neap_lww_set(bench->neap, &bench->at, bytes_of("v"), bench->call);
}

static int member_large(struct bench *bench)
{
    return neap_score_set(bench->neap, &bench->at, large_of(bench, NEAP_PATH_MAX), 1, bench->call);
}

static int field_over(struct bench *bench)
{
    struct neap_bytes fields[] = {bytes_of("m"), bytes_of("n")};
    struct neap_place at = {"shop", bytes_of("apples"), fields, 2};

    return neap_counter_add(bench->neap, &at, INT64_MIN, bench->call);
}

static int batch_over(struct bench *bench)
{
    struct neap_call call = {.size = sizeof call, .batch = bench->batch};

    CHECK_OK(neap_set_add(bench->neap, &bench->at, bytes_of("not there"), &call));
    CHECK_OK(neap_counter_add(bench->neap, &bench->at, 1, &call));
    return neap_batch_commit(bench->batch, bench->call);
}

/* ---- sizes ---- */

static int key_large(struct bench *bench)
{
    struct neap_place at = {"shop", large_of(bench, NEAP_KEY_MAX + 1), NULL, 0};

    memcpy(bench->large, "apples", 6);
    return neap_lww_set(bench->neap, &at, bytes_of("v"), bench->call);
}

static int bucket_large(struct bench *bench)
{
    char name[NEAP_BUCKET_MAX + 2];
    struct neap_place at = {name, bytes_of("apples"), NULL, 0};

    memset(name, 'b', sizeof name);
    name[sizeof name - 1] = 0;
    return neap_lww_set(bench->neap, &at, bytes_of("v"), bench->call);
}

static int value_large(struct bench *bench)
{
    return neap_lww_set(bench->neap, &bench->at, large_of(bench, LARGE), bench->call);
}

static int sibling_large(struct bench *bench)
{
    return neap_register_set(bench->neap, &bench->at, large_of(bench, LARGE), bench->call);
}

static int element_large(struct bench *bench)
{
    return neap_set_add(bench->neap, &bench->at, large_of(bench, NEAP_PATH_MAX + 1), bench->call);
}

/* Each is small enough, together they are not. */
static int path_large(struct bench *bench)
{
    return neap_set_add(bench->neap, &bench->at, large_of(bench, NEAP_PATH_MAX - 8), bench->call);
}

static int path_large_read(struct bench *bench)
{
    int in;

    return neap_set_has(bench->neap, &bench->at, large_of(bench, NEAP_PATH_MAX - 8), &in,
                        bench->call);
}

static int field_large(struct bench *bench)
{
    struct neap_bytes field = large_of(bench, NEAP_KEY_MAX + 1);
    struct neap_place at = {"shop", bytes_of("apples"), &field, 1};

    return neap_flag_set(bench->neap, &at, 1, bench->call);
}

static int id_large(struct bench *bench)
{
    bench->call->once = large_of(bench, NEAP_ONCE_MAX + 1);
    return neap_counter_add(bench->neap, &bench->at, -1, bench->call);
}

static int siblings_many(struct bench *bench)
{
    struct neap_place at = place_of("shop", "many");

    return neap_register_set(bench->neap, &at, bytes_of("one more"), bench->call);
}

static int siblings_large(struct bench *bench)
{
    struct neap_place at = place_of("shop", "much");

    return neap_register_set(bench->neap, &at, large_of(bench, NEAP_VALUE_MAX), bench->call);
}

static int batch_large(struct bench *bench)
{
    struct neap_call call = {
        .size = sizeof call, .batch = bench->batch, .ret_error = bench->call->ret_error};
    int error = 0;

    for (int i = 0; i < 9 && !error; i++)
        error = neap_lww_set(bench->neap, &bench->at, large_of(bench, NEAP_VALUE_MAX - 100), &call);
    return error;
}

static int batch_many(struct bench *bench)
{
    struct neap_call call = {
        .size = sizeof call, .batch = bench->batch, .ret_error = bench->call->ret_error};
    int error = 0;

    for (int i = 0; i <= NEAP_BATCH_COUNT_MAX && !error; i++)
        error = neap_flag_set(bench->neap, &bench->at, 1, &call);
    return error;
}

static int buckets_many(struct bench *bench)
{
    struct neap_call call = {.size = sizeof call, .batch = bench->batch};
    char name[16];

    for (int i = 0; i <= 256; i++) {
        struct neap_place at = place_of(name, "apples");

        snprintf(name, sizeof name, "b%d", i);
        CHECK_OK(neap_flag_set(bench->neap, &at, 1, &call));
    }
    return neap_batch_commit(bench->batch, bench->call);
}

/* ---- depth ---- */

static int fields_deep(struct bench *bench)
{
    struct neap_bytes fields[NEAP_DEPTH_MAX];
    struct neap_place at = {"shop", bytes_of("apples"), fields, NEAP_DEPTH_MAX};

    for (size_t i = 0; i < NEAP_DEPTH_MAX; i++)
        fields[i] = bytes_of("f");
    return neap_counter_add(bench->neap, &at, 1, bench->call);
}

static int fields_deep_read(struct bench *bench)
{
    struct neap_bytes fields[NEAP_DEPTH_MAX];
    struct neap_place at = {"shop", bytes_of("apples"), fields, NEAP_DEPTH_MAX};
    uint64_t count;

    for (size_t i = 0; i < NEAP_DEPTH_MAX; i++)
        fields[i] = bytes_of("f");
    return neap_count(bench->neap, &at, NEAP_MAP, &count, bench->call);
}

/* ---- tokens ---- */

static int seen_junk(struct bench *bench)
{
    bench->call->seen = bytes_of("junk");
    return neap_set_remove(bench->neap, &bench->at, bytes_of("x"), bench->call);
}

static int seen_cut(struct bench *bench)
{
    bench->call->seen = token_of(&bench->here);
    bench->call->seen.size--;
    return neap_remove(bench->neap, &bench->at, NEAP_SET, bench->call);
}

static int seen_elsewhere(struct bench *bench)
{
    bench->call->seen = token_of(&bench->elsewhere);
    return neap_set_remove(bench->neap, &bench->at, bytes_of("x"), bench->call);
}

static int removal_seen_elsewhere(struct bench *bench)
{
    bench->call->seen = token_of(&bench->elsewhere);
    return neap_remove(bench->neap, &bench->at, NEAP_ANY, bench->call);
}

static int after_junk(struct bench *bench)
{
    bench->call->after = bytes_of("junk");
    return neap_counter_add(bench->neap, &bench->at, -1, bench->call);
}

static int after_junk_read(struct bench *bench)
{
    int64_t value;

    bench->call->after = bytes_of("junk");
    return neap_counter_get(bench->neap, &bench->at, &value, bench->call);
}

static int after_unknown(struct bench *bench)
{
    bench->call->after = token_of(&bench->unknown);
    bench->call->timeout_ms = PATIENCE_MS;
    return neap_counter_add(bench->neap, &bench->at, -1, bench->call);
}

static int after_unknown_read(struct bench *bench)
{
    int64_t value;

    bench->call->after = token_of(&bench->unknown);
    bench->call->timeout_ms = PATIENCE_MS;
    return neap_counter_get(bench->neap, &bench->at, &value, bench->call);
}

static int wait_junk(struct bench *bench)
{
    return neap_wait(bench->neap, bytes_of("junk"), bench->call);
}

static int wait_unknown(struct bench *bench)
{
    bench->call->timeout_ms = PATIENCE_MS;
    return neap_wait(bench->neap, token_of(&bench->unknown), bench->call);
}

static int resume_junk(struct bench *bench)
{
    struct neap_iter *iter;

    bench->call->resume = bytes_of("junk");
    return neap_items(bench->neap, &bench->at, NEAP_SET, bytes_of(""), bench->call, &iter);
}

static int resume_elsewhere(struct bench *bench)
{
    struct neap_iter *iter;

    bench->call->resume = token_of(&bench->listing);
    return neap_items(bench->neap, &bench->at, NEAP_SET, bytes_of(""), bench->call, &iter);
}

/* ---- the table ---- */

static const struct limit {
    const char *name;
    int (*run)(struct bench *bench);
    int code;
    const char *says[3]; /* key, limit, and what it is about */
} table[] = {
    {"counter over", counter_over, NEAP_LIMIT, {"shop/apples", "64 bits"}},
    {"counter under", counter_under, NEAP_LIMIT, {"shop/apples-left", "64 bits"}},
    {"exact counter over", exact_over, NEAP_LIMIT, {"shop/apples", "64 bits"}},
    {"score over", score_over, NEAP_LIMIT, {"shop/apples", "64 bits"}},
    {"rights over", rights_over, NEAP_NORIGHTS, {"shop/apples", "6 are needed", "5 of 5"}},
    {"bounded over", bounded_over, NEAP_LIMIT, {"shop/apples", "64 bits"}},
    {"ttl long", ttl_long, NEAP_LIMIT, {"shop/apples", "limit is 3155760000000"}},
    {"member large", member_large, NEAP_LIMIT, {"shop/apples", "more than 4096"}},
    {"field over", field_over, NEAP_LIMIT, {"shop/apples/m/n", "64 bits"}},
    {"batch over", batch_over, NEAP_LIMIT, {"shop/apples", "64 bits"}},
    {"key large", key_large, NEAP_LIMIT, {"shop/apples", "1025 bytes", "limit is 1024"}},
    {"bucket large", bucket_large, NEAP_LIMIT, {"apples", "255 bytes", "bucket"}},
    {"value large", value_large, NEAP_LIMIT, {"shop/apples", "1048577 bytes", "limit is 1048576"}},
    {"sibling large", sibling_large, NEAP_LIMIT, {"shop/apples", "1048577", "limit is 1048576"}},
    {"element large", element_large, NEAP_LIMIT, {"shop/apples", "4097 bytes", "limit is 4096"}},
    {"path large", path_large, NEAP_LIMIT, {"shop/apples", "more than 4096", "path"}},
    {"path large, read", path_large_read, NEAP_LIMIT, {"shop/apples", "more than 4096", "path"}},
    {"field large", field_large, NEAP_LIMIT, {"shop/apples", "1025 bytes", "limit is 1024"}},
    {"id large", id_large, NEAP_LIMIT, {"shop/apples", "limit is 64", "once"}},
    {"siblings many", siblings_many, NEAP_LIMIT, {"shop/many", "64 siblings"}},
    {"siblings large", siblings_large, NEAP_LIMIT, {"shop/much", "15 MiB"}},
    {"batch large", batch_large, NEAP_LIMIT, {"shop/apples", "8388608 bytes"}},
    {"batch many", batch_many, NEAP_LIMIT, {"shop/apples", "65536 writes"}},
    {"buckets many", buckets_many, NEAP_LIMIT, {"b256/apples", "256 buckets"}},
    {"fields deep", fields_deep, NEAP_LIMIT, {"shop/apples", "16 fields", "at most 15"}},
    {"fields deep, read", fields_deep_read, NEAP_LIMIT, {"shop/apples", "16 fields", "at most 15"}},
    {"seen junk", seen_junk, NEAP_INVALID, {"shop/apples", "call.seen", "not a token"}},
    {"seen cut", seen_cut, NEAP_INVALID, {"shop/apples", "call.seen", "not a token"}},
    {"seen elsewhere", seen_elsewhere, NEAP_STALE, {"shop/apples", "call.seen", "another bucket"}},
    {"removal seen elsewhere", removal_seen_elsewhere, NEAP_STALE, {"shop/apples", "call.seen"}},
    {"after junk", after_junk, NEAP_INVALID, {"shop/apples", "call.after", "not a token"}},
    {"after junk, read", after_junk_read, NEAP_INVALID, {"shop/apples", "call.after"}},
    {"after unknown", after_unknown, NEAP_UNAVAILABLE, {"shop/apples", "call.after", "1 ms"}},
    {"after unknown, read", after_unknown_read, NEAP_UNAVAILABLE, {"shop/apples", "1 ms"}},
    {"wait junk", wait_junk, NEAP_INVALID, {"token"}},
    {"wait unknown", wait_unknown, NEAP_UNCERTAIN, {"not in time"}},
    {"resume junk", resume_junk, NEAP_INVALID, {"shop/apples", "call.resume"}},
    {"resume elsewhere", resume_elsewhere, NEAP_STALE, {"shop/apples", "call.resume"}},
};

/* ---- what there is ---- */

static void fill(struct bench *bench)
{
    struct neap_bytes fields[] = {bytes_of("m"), bytes_of("n")};
    struct neap_place deep = {"shop", bytes_of("apples"), fields, 2};
    struct neap_place left = place_of("shop", "apples-left"), many = place_of("shop", "many");
    struct neap_place much = place_of("shop", "much");
    struct neap_call call = {.size = sizeof call, .ret_token = &bench->here};

    CHECK_OK(neap_counter_add(bench->neap, &bench->at, INT64_MAX, NULL));
    CHECK_OK(neap_counter_exact_add(bench->neap, &bench->at, INT64_MAX, NULL));
    CHECK_OK(neap_score_set(bench->neap, &bench->at, bytes_of("ann"), INT64_MAX, NULL));
    CHECK_OK(neap_bounded_add(bench->neap, &bench->at, 5, NULL));
    CHECK_OK(neap_counter_add(bench->neap, &left, INT64_MIN + 1, NULL));
    CHECK_OK(neap_counter_add(bench->neap, &deep, -1, NULL));
    for (int i = 0; i < NEAP_SIBLINGS_MAX; i++)
        CHECK_OK(neap_register_set(bench->neap, &many, bytes_of("v"), NULL));
    for (int i = 0; i < 14; i++)
        CHECK_OK(neap_register_set(bench->neap, &much, large_of(bench, NEAP_VALUE_MAX), NULL));
    CHECK_OK(neap_lww_set(bench->neap, &bench->at, bytes_of("v"), NULL));
    CHECK_OK(neap_set_add(bench->neap, &bench->at, bytes_of("x"), &call));
    call.ret_token = &bench->elsewhere;
    CHECK_OK(neap_set_add(bench->neap, &bench->other, bytes_of("x"), &call));
}

/* Tokens that no one could use here: of an event in the same bucket of a node that nobody knows; of
 * a listing of the other bucket. */
static void strangers(struct bench *bench)
{
    struct neap_call call = {.size = sizeof call, .ret_token = &bench->unknown};
    struct neap_options options;
    struct neap_item item;
    struct neap_iter *iter;
    struct neap *stranger;

    neap_options_init(&options);
    CHECK_OK(neap_open(&options, &stranger, NULL));
    CHECK_OK(neap_set_add(stranger, &bench->at, bytes_of("y"), &call));
    neap_close(stranger);
    CHECK_OK(neap_items(bench->neap, &bench->other, NEAP_SET, bytes_of(""), NULL, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_OK(neap_iter_token(iter, &bench->listing));
    neap_iter_free(iter);
}

/* Keys, cells and sums of all buckets, and how many events there were. */
static char *digest_text(struct neap *neap)
{
    const char *words[] = {"digest"};
    struct neap_buffer json = {0};
    char *text;

    CHECK_OK(neap_admin(neap, 1, words, &json, NULL));
    text = strdup(json.data);
    CHECK(text);
    neap_buffer_free(&json);
    return text;
}

static void limit_check(struct bench *bench, const struct limit *limit, const char *before)
{
    struct neap_error *error = &bench->both->error;
    char *after;

    *bench->call = (struct neap_call){.size = sizeof *bench->call, .ret_error = error};
    *error = (struct neap_error){0};
    CHECK_OK(neap_batch_new(bench->neap, &bench->batch));
    test_error(limit->run(bench), limit->code, limit->name, __FILE__, __LINE__);
    CHECK_EQUAL(error->code, limit->code);
    for (size_t i = 0; i < 3 && limit->says[i]; i++)
        if (!strstr(error->text, limit->says[i]))
            test_failed(__FILE__, __LINE__, "%s: \"%s\" does not say \"%s\"", limit->name,
                        error->text, limit->says[i]);
    neap_batch_free(bench->batch);
    after = digest_text(bench->neap);
    if (strcmp(before, after) != 0)
        test_failed(__FILE__, __LINE__, "%s changes something: %s, before: %s", limit->name, after,
                    before);
    free(after);
}

BOTH(what_is_over_a_limit_is_told_by_key_and_limit_and_changes_nothing)
{
    struct bench bench = {.both = both,
                          .neap = both->neap,
                          .call = &both->call,
                          .at = place_of("shop", "apples"),
                          .other = place_of("store", "apples")};
    char *before;

    bench.large = malloc(LARGE);
    CHECK(bench.large);
    memset(bench.large, 'l', LARGE);
    fill(&bench);
    strangers(&bench);
    before = digest_text(both->neap);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        limit_check(&bench, &table[i], before);
    neap_buffer_free(&bench.here);
    neap_buffer_free(&bench.elsewhere);
    neap_buffer_free(&bench.unknown);
    neap_buffer_free(&bench.listing);
    free(before);
    free(bench.large);
}
