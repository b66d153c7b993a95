/* Everything that neap.h and neap_trust.h define, used once: compiled as C99 and as C++, with
 * warnings as errors. What is only declared is a test of its declaration. */
#include "neap.h"
#include "neap_trust.h"

#define X(name, code, effect, text) +(NEAP_##name == (code) ? 1 : 0)
enum { CODES = 0 NEAP_ERRORS(X) };
#undef X
#if defined(NEAP_API) || defined(NEAP_VOID) || defined(X) || defined(NEAP_ARGS) || \
    defined(NEAP_CALL)
#error "neap.h leaves macros behind"
#endif

static const long numbers[] = {NEAP_ANY,
                               NEAP_REGISTER,
                               NEAP_LWW,
                               NEAP_FLAG,
                               NEAP_COUNTER,
                               NEAP_SET,
                               NEAP_MAP,
                               NEAP_MAX,
                               NEAP_MIN,
                               NEAP_FLAG_DW,
                               NEAP_COUNTER_EXACT,
                               NEAP_BOUNDED,
                               NEAP_SET_RW,
                               NEAP_SCORES,
                               NEAP_HOLDS_VALUE,
                               NEAP_HOLDS_VALUES,
                               NEAP_HOLDS_NUMBER,
                               NEAP_HOLDS_SWITCH,
                               NEAP_HOLDS_ELEMENTS,
                               NEAP_HOLDS_FIELDS,
                               NEAP_BUCKET_DEFAULT,
                               NEAP_EDGE,
                               NEAP_ONE,
                               NEAP_QUORUM,
                               NEAP_ALL,
                               NEAP_LOCAL_QUORUM,
                               NEAP_EACH_QUORUM,
                               NEAP_SESSION,
                               NEAP_KEY_MAX,
                               NEAP_PATH_MAX,
                               NEAP_DEPTH_MAX,
                               NEAP_VALUE_MAX,
                               NEAP_BUCKET_MAX,
                               NEAP_SIBLINGS_MAX,
                               NEAP_BATCH_COUNT_MAX,
                               NEAP_BATCH_BYTES_MAX,
                               NEAP_ONCE_MAX,
                               NEAP_ONCE_COUNT,
                               NEAP_TIMEOUT_MS,
                               NEAP_CREATE,
                               NEAP_NOSYNC,
                               NEAP_READONLY,
                               CODES};

static int use_types(struct neap *neap, const struct neap_place *place, struct neap_bytes bytes)
{
    struct neap_place at = *place;
    struct neap_iter *iter;
    struct neap_item item = {NEAP_ANY, {NULL, 0}, {NULL, 0}, 0, 0};
    uint64_t count;
    int64_t number;
    int on, failed = 0;

    failed |= neap_register_set(neap, &at, bytes, NULL);
    failed |= neap_register_values(neap, &at, NULL, &iter);
    neap_iter_free(iter);
    failed |= neap_flag_set(neap, &at, 1, NULL);
    failed |= neap_flag_get(neap, &at, &on, NULL);
    failed |= neap_counter_add(neap, &at, 1, NULL);
    failed |= neap_counter_get(neap, &at, &number, NULL);
    failed |= neap_set_add(neap, &at, bytes, NULL);
    failed |= neap_set_has(neap, &at, bytes, &on, NULL);
    failed |= neap_set_remove(neap, &at, bytes, NULL);
    failed |= neap_count(neap, &at, NEAP_SET, &count, NULL);
    failed |= neap_flag_dw_set(neap, &at, 1, NULL);
    failed |= neap_flag_dw_get(neap, &at, &on, NULL);
    failed |= neap_counter_exact_add(neap, &at, 1, NULL);
    failed |= neap_counter_exact_get(neap, &at, &number, NULL);
    failed |= neap_max_set(neap, &at, 1, NULL);
    failed |= neap_max_get(neap, &at, &number, NULL);
    failed |= neap_min_set(neap, &at, 1, NULL);
    failed |= neap_min_get(neap, &at, &number, NULL);
    failed |= neap_set_rw_add(neap, &at, bytes, NULL);
    failed |= neap_set_rw_has(neap, &at, bytes, &on, NULL);
    failed |= neap_set_rw_remove(neap, &at, bytes, NULL);
    failed |= neap_score_set(neap, &at, bytes, 1, NULL);
    failed |= neap_score_add(neap, &at, bytes, 1, NULL);
    failed |= neap_score_get(neap, &at, bytes, &number, NULL);
    failed |= neap_score_rank(neap, &at, bytes, &count, NULL);
    failed |= neap_scores(neap, &at, number, number, NULL, &iter);
    neap_iter_free(iter);
    failed |= neap_score_remove(neap, &at, bytes, NULL);
    item.value = bytes;
    failed |= neap_put(neap, &at, neap_type_named("lww"), &item, NULL);
    failed |= neap_values(neap, &at, NEAP_LWW, NULL, &iter);
    neap_iter_free(iter);
    failed |= neap_type_name(NEAP_LWW)[0] != 'l';
    failed |= neap_type_holds(NEAP_LWW) != NEAP_HOLDS_VALUE;
    return failed;
}

/* Nothing is made: what is asked for is no name. */
static int use_trust(void)
{
    struct neap_buffer buffer = {NULL, 0, 0};
    struct neap_bytes none = {NULL, 0};
    struct neap_error error = {NEAP_OK, ""};
    struct neap_grant grant;
    int failed = 0;

    grant.size = sizeof grant;
    grant.kind = NEAP_NODE;
    grant.id = grant.valid_ms = 0;
    grant.read = grant.write = NULL;
    grant.read_count = grant.write_count = 0;
    failed |= neap_cluster_make("", &error) != NEAP_INVALID;
    failed |= neap_token_make("", &grant, 0, &buffer, &error) != NEAP_INVALID;
    failed |= neap_token_list("", &buffer, &error) != NEAP_INVALID;
    failed |= neap_token_revoke("", 1, &error) != NEAP_INVALID;
    failed |= neap_join(none, "", "", 0, &buffer, &error) != NEAP_INVALID;
    failed |= neap_certificate_request("", &buffer, &error) != NEAP_INVALID;
    failed |= neap_certificate_sign("", none, &grant, &buffer, &error) != NEAP_INVALID;
    failed |= neap_certificate_take("", none, &buffer, &error) != NEAP_INVALID;
    failed |= neap_certificate_renew("", NULL, 0, &buffer, &error) != NEAP_INVALID;
    failed |= neap_certificate_show(none, &buffer, &error) != NEAP_INVALID;
    failed |= neap_connect_trusted("", "", NULL, &error) != NEAP_INVALID;
    failed |= NEAP_DEVICE == NEAP_CLIENT;
    neap_secret_free(&buffer);
    return failed;
}

static int use(void)
{
    struct neap_place at = {"bucket", {"key", 3}, NULL, 0};
    struct neap_bytes bytes = {"v", 1};
    struct neap_buffer buffer = {NULL, 0, 0}, token = {NULL, 0, 0};
    struct neap_error error = {NEAP_OK, ""};
    struct neap_options options;
    struct neap_call call;
    struct neap_batch *batch;
    struct neap_watch *watch = 0;
    struct neap_change change;
    struct neap_iter *iter;
    struct neap_item item;
    struct neap *neap;
    const char *words[] = {"status"};
    int failed = 0;

    neap_options_init(&options);
    if (neap_open(&options, &neap, &error))
        return 1;
    call.size = sizeof call;
    call.level = NEAP_ONE;
    call.timeout_ms = 0;
    call.batch = NULL;
    call.after.size = call.seen.size = call.resume.size = call.once.size = 0;
    call.ret_token = &token;
    call.submit = 0;
    call.flags = 0;
    call.ttl_ms = 0;
    call.r = call.pr = call.w = call.pw = 0;
    call.ret_error = &error;
    failed |= neap_lww_set(neap, &at, bytes, &call);
    bytes.data = token.data;
    bytes.size = token.size;
    failed |= neap_wait(neap, bytes, NULL);
    bytes.data = "v";
    bytes.size = 1;
    failed |= neap_lww_get(neap, &at, &buffer, NULL);
    failed |= use_types(neap, &at, bytes);
    failed |= neap_batch_new(neap, &batch);
    failed |= neap_batch_commit(batch, NULL);
    neap_batch_free(batch);
    failed |= neap_items(neap, &at, NEAP_MAP, bytes, NULL, &iter);
    neap_iter_free(iter);
    failed |= neap_stats(neap, &iter);
    neap_iter_free(iter);
    failed |= neap_keys(neap, "bucket", bytes, NULL, &iter);
    failed |= neap_next(iter, &item, 0) != NEAP_END;
    failed |= neap_iter_token(iter, &token);
    neap_iter_free(iter);
    change.size = sizeof change;
    failed |= neap_watch(neap, "bucket", NULL, &watch);
    failed |= neap_watch_next(watch, &change, 1) || change.kind != NEAP_ALL_BEGIN;
    failed |= neap_watch_token(watch, &token);
    neap_watch_free(watch);
    failed |= neap_remove(neap, &at, NEAP_ANY, NULL);
    failed |= neap_admin(neap, 1, words, &buffer, NULL);
    failed |= neap_once(neap, &buffer, NULL);
    failed |= neap_sync(neap);
    neap_close(neap);
    failed |= use_trust();
    failed |= neap_connect("tcp://192.0.2.1:1", &neap, &error) != NEAP_REFUSED;
    failed |= !neap_strerror(error.code)[0] || !neap_version()[0];
    failed |= CODES != 16 || sizeof numbers / sizeof *numbers != 43;
    neap_buffer_free(&buffer);
    neap_buffer_free(&token);
    return failed ? 1 : 0;
}
