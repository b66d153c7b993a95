#include "tests/api/both.h"

#include "tests/support/loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char listing[4096];

void both_run(void (*test)(struct both *both), int is_remote)
{
    struct neap_options options;
    struct loopback loopback;
    struct both both = {0};

    neap_options_init(&options);
    CHECK_OK(neap_open(&options, &both.node, &both.error));
    both.neap = both.node;
    if (is_remote) {
        loopback_init(&loopback, both.node->backend);
        CHECK_OK(loopback_open(&loopback, &both.neap, &both.error));
    }
    both.call.size = sizeof both.call;
    both.call.ret_error = &both.error;
    test(&both);
    neap_buffer_free(&both.value);
    neap_buffer_free(&both.token);
    if (is_remote)
        neap_close(both.neap);
    neap_close(both.node);
}

struct neap_bytes bytes_of(const char *text)
{
    return (struct neap_bytes){text, strlen(text)};
}

struct neap_place place_of(const char *bucket, const char *key)
{
    return (struct neap_place){.bucket = bucket, .key = bytes_of(key)};
}

struct neap_bytes token_of(const struct neap_buffer *buffer)
{
    return (struct neap_bytes){buffer->data, buffer->size};
}

/* Takes the iterator. */
static const char *text_of(struct neap_iter *iter, bool values)
{
    struct neap_item item;
    size_t used = 0;
    int error;

    listing[0] = 0;
    while (!(error = neap_next(iter, &item, 0))) {
        struct neap_bytes bytes = values ? item.value : item.name;

        used += (size_t)snprintf(listing + used, sizeof listing - used, "%.*s ", (int)bytes.size,
                                 (const char *)bytes.data);
        CHECK(used < sizeof listing);
    }
    CHECK_ERROR(error, NEAP_END);
    neap_iter_free(iter);
    return listing;
}

const char *keys_text(struct both *both, const char *bucket)
{
    struct neap_iter *iter;

    CHECK_OK(neap_keys(both->neap, bucket, bytes_of(""), NULL, &iter));
    return text_of(iter, false);
}

const char *items_text(struct both *both, const struct neap_place *at, enum neap_type type)
{
    struct neap_iter *iter;

    CHECK_OK(neap_items(both->neap, at, type, bytes_of(""), NULL, &iter));
    return text_of(iter, false);
}

const char *values_text(struct both *both, const struct neap_place *at)
{
    struct neap_iter *iter;

    CHECK_OK(neap_register_values(both->neap, at, NULL, &iter));
    return text_of(iter, true);
}

int64_t counter_of(struct both *both, const struct neap_place *at)
{
    int64_t value = -1;

    CHECK_OK(neap_counter_get(both->neap, at, &value, NULL));
    return value;
}

uint64_t count_of(struct both *both, const struct neap_place *at, enum neap_type type)
{
    uint64_t count = 0;

    CHECK_OK(neap_count(both->neap, at, type, &count, NULL));
    return count;
}

char *path_new(char *path, size_t size)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(path, size, "%s/neap-api.XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(path));
    return path;
}

void path_remove(const char *path)
{
    char command[400];

    snprintf(command, sizeof command, "rm -rf '%s'", path);
    CHECK_EQUAL(system(command), 0);
}
