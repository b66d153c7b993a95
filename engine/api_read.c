/* Reads of one cell, and counts. */
#include <string.h>

#include "base/error.h"
#include "engine/api.h"

enum { READ_ACCEPTS = API_AFTER | API_TOKEN | API_LEVEL };

static struct read api_read(const struct api *api, const char *bucket)
{
    struct read read = {.bucket = bucket,
                        .path = buffer_slice(&api->path),
                        .after = api_after(api),
                        .want_token = api->call.ret_token != NULL,
                        .level = api->call.level,
                        .timeout_ms = api->call.timeout_ms};

    return read;
}

int api_cell(struct api *api, const char *bucket, struct token *ret_token, struct buffer *ret_bytes,
             struct cell *ret_cell)
{
    struct backend *backend = api->neap->backend;
    struct read read = api_read(api, bucket);
    int code;

    token_init(&read.token);
    code = backend->ops->read(backend, &read, ret_bytes);
    if (code) {
        code = api_read_failed(api, code, &read.error);
    } else if (ret_bytes->size) {
        code = cell_decode(buffer_slice(ret_bytes), ret_cell);
        if (code == NEAP_INVALID || code == NEAP_LIMIT)
            code = error_set(api->error, NEAP_CORRUPT, "the cell that came back cannot be read");
        else if (code)
            code = api_failed(api, code, NULL);
    }
    if (code) {
        token_done(&read.token);
        return code;
    }
    *ret_token = read.token;
    return 0;
}

/* One read from its begin to its end; in between the caller takes what it wants from the cell. */
struct reading {
    struct api api;
    struct token token;
    struct buffer bytes;
    struct cell cell;
};

/* `type` 0: the place's path is in api.path already. */
static int reading_begin(struct reading *reading, struct neap *neap, const void *ret_value,
                         const struct neap_call *call)
{
    int error;

    token_init(&reading->token);
    cell_init(&reading->cell);
    buffer_init(&reading->bytes, CELL_SIZE_MAX);
    error = api_begin(&reading->api, neap, call, READ_ACCEPTS);
    if (!error && !ret_value)
        error = error_set(reading->api.error, NEAP_INVALID, "where the result goes is NULL");
    return error;
}

static int reading_end(struct reading *reading, const struct neap_place *at, int error)
{
    token_done(&reading->token);
    cell_done(&reading->cell);
    buffer_done(&reading->bytes);
    return api_end_at(&reading->api, at, error);
}

static int reading_cell(struct reading *reading, const char *bucket)
{
    return api_cell(&reading->api, bucket, &reading->token, &reading->bytes, &reading->cell);
}

static int reading_place(struct reading *reading, const struct neap_place *at, unsigned type)
{
    int error;

    error = api_place(&reading->api, at, type);
    return error ? error : reading_cell(reading, at->bucket);
}

static int reading_at(struct reading *reading, const struct neap_place *at, unsigned type,
                      const struct neap_bytes *element)
{
    int error;

    if (!element)
        return reading_place(reading, at, type);
    error = api_element(&reading->api, at, type, *element);
    return error ? error : reading_cell(reading, at->bucket);
}

int neap_lww_get(struct neap *neap, const struct neap_place *at, struct neap_buffer *ret_value,
                 const struct neap_call *call)
{
    struct reading reading;
    struct slice value = {0};
    uint64_t stamp;
    int error;

    error = reading_begin(&reading, neap, ret_value, call);
    if (!error)
        error = reading_place(&reading, at, NEAP_LWW);
    if (!error) {
        error = lww_value(&reading.cell, &value, &stamp);
        if (error == NEAP_NOTFOUND)
            error_set(reading.api.error, error, "no value at this place of \"%.60s\"", at->bucket);
        else if (error)
            error = api_failed(&reading.api, error, NULL);
    }
    if (!error) {
        error = api_reserve(ret_value, value.size);
        if (error)
            error = api_failed(&reading.api, error, NULL);
    }
    if (!error)
        error = api_give_token(&reading.api, &reading.token);
    if (!error)
        api_fill(ret_value, value);
    return reading_end(&reading, at, error);
}

/* The rights as packed, and the token. */
static int reading_rights(struct reading *reading, const struct neap_place *at,
                          struct neap_rights *ret_rights)
{
    struct backend *backend = reading->api.neap->backend;
    struct read read;
    int code = api_place(&reading->api, at, NEAP_BOUNDED);

    if (code)
        return code;
    read = api_read(&reading->api, at->bucket);
    read.rights = true;
    token_init(&read.token);
    code = backend->ops->read(backend, &read, &reading->bytes);
    reading->token = read.token;
    if (code)
        return api_read_failed(&reading->api, code, &read.error);
    code = rights_read(buffer_slice(&reading->bytes), ret_rights);
    return code ? error_set(reading->api.error, NEAP_CORRUPT,
                            "the rights that came back cannot be "
                            "read")
                : 0;
}

int neap_bounded_rights(struct neap *neap, const struct neap_place *at,
                        struct neap_rights *ret_rights, const struct neap_call *call)
{
    struct neap_rights rights = {.size = sizeof rights}, theirs;
    struct reading reading;
    int error;

    error = reading_begin(&reading, neap, ret_rights, call);
    if (!error)
        error = api_struct(&theirs, sizeof theirs, ret_rights, "rights", reading.api.error);
    if (!error)
        error = reading_rights(&reading, at, &rights);
    if (!error)
        error = api_give_token(&reading.api, &reading.token);
    if (!error) {
        rights.size = ret_rights->size;
        memcpy(ret_rights, &rights, rights.size < sizeof rights ? rights.size : sizeof rights);
    }
    return reading_end(&reading, at, error);
}

int api_live(struct neap *neap, const struct neap_place *at, unsigned type,
             const struct neap_bytes *element, int *ret_live, const struct neap_call *call)
{
    struct reading reading;
    int error;

    error = reading_begin(&reading, neap, ret_live, call);
    if (!error)
        error = reading_at(&reading, at, type, element);
    if (!error)
        error = api_give_token(&reading.api, &reading.token);
    if (!error)
        *ret_live = type_is_live((enum neap_type)type, &reading.cell);
    return reading_end(&reading, at, error);
}

int api_number(struct neap *neap, const struct neap_place *at, unsigned type,
               const struct neap_bytes *element, enum api_empty empty, int64_t *ret_number,
               const struct neap_call *call)
{
    struct neap_item item = {0};
    struct reading reading;
    int error;

    error = reading_begin(&reading, neap, ret_number, call);
    if (!error)
        error = reading_at(&reading, at, type, element);
    if (!error) {
        error = type_item((enum neap_type)type, &reading.cell, &item);
        if (error == NEAP_NOTFOUND && empty == API_EMPTY_IS_0)
            error = 0;
        else if (error == NEAP_NOTFOUND)
            error_set(reading.api.error, error, "no number at this place of \"%.60s\"", at->bucket);
        else if (error == NEAP_LIMIT)
            error_set(reading.api.error, error, "the sum does not fit 64 bits");
        else if (error)
            error = api_failed(&reading.api, error, NULL);
    }
    if (!error)
        error = api_give_token(&reading.api, &reading.token);
    if (!error)
        *ret_number = item.number;
    return reading_end(&reading, at, error);
}

/* Of PAGE_RANK the member, else NULL. NOTFOUND: it is not in. */
static int count_page(struct reading *reading, const struct neap_place *at, unsigned type,
                      const struct neap_bytes *member, uint64_t *ret_count)
{
    struct api *api = &reading->api;
    struct backend *backend = api->neap->backend;
    struct page_request request = {.count_only = !member,
                                   .kind = member ? PAGE_RANK : PAGE_NAMES,
                                   .from = member ? api_slice(*member) : slice_of(NULL, 0),
                                   .after = api_after(api),
                                   .want_token = api->call.ret_token != NULL,
                                   .level = api->call.level,
                                   .timeout_ms = api->call.timeout_ms};
    struct page page;
    int error;

    error = api_place(api, at, type);
    if (!error && member)
        error = api_bytes(api, "member", *member, NEAP_PATH_MAX);
    if (error)
        return error;
    request.bucket = at->bucket;
    request.path = buffer_slice(&api->path);
    page_init(&page, 0);
    token_init(&request.token);
    error = backend->ops->page(backend, &request, &page);
    if (error) {
        error = api_read_failed(api, error, &request.error);
        token_done(&request.token);
    } else if (member && !page.items.size) {
        error = error_set(api->error, NEAP_NOTFOUND, "the member is not in");
        token_done(&request.token);
    } else {
        reading->token = request.token;
        *ret_count = page.count;
    }
    page_done(&page);
    return error;
}

static int count_cell(struct reading *reading, const struct neap_place *at, unsigned type,
                      uint64_t *ret_count)
{
    int error;

    error = reading_place(reading, at, type);
    if (!error)
        *ret_count = neap_type_holds((enum neap_type)type) == NEAP_HOLDS_VALUES
                         ? reading->cell.count
                         : type_is_live((enum neap_type)type, &reading->cell);
    return error;
}

int neap_count(struct neap *neap, const struct neap_place *at, enum neap_type type,
               uint64_t *ret_count, const struct neap_call *call)
{
    struct reading reading;
    uint64_t count = 0;
    int error;

    error = reading_begin(&reading, neap, ret_count, call);
    if (!error)
        error = api_type(&reading.api, (unsigned)type);
    if (!error && type_below((unsigned)type) != BELOW_NOTHING)
        error = count_page(&reading, at, type, NULL, &count);
    else if (!error)
        error = count_cell(&reading, at, type, &count);
    if (!error)
        error = api_give_token(&reading.api, &reading.token);
    if (!error)
        *ret_count = count;
    return reading_end(&reading, at, error);
}

int neap_score_rank(struct neap *neap, const struct neap_place *at, struct neap_bytes member,
                    uint64_t *ret_rank, const struct neap_call *call)
{
    struct reading reading;
    uint64_t rank = 0;
    int error;

    error = reading_begin(&reading, neap, ret_rank, call);
    if (!error)
        error = count_page(&reading, at, NEAP_SCORES, &member, &rank);
    if (!error)
        error = api_give_token(&reading.api, &reading.token);
    if (!error)
        *ret_rank = rank;
    return reading_end(&reading, at, error);
}
