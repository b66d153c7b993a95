/* A test of the public functions that runs on both kinds of handle: a node in this process, and a
 * client of such a node by the whole protocol. */
#ifndef NEAP_TEST_BOTH_H
#define NEAP_TEST_BOTH_H
#include "neap.h"
#include "tests/support/test.h"

struct both {
    struct neap *neap; /* the handle that is tested */
    struct neap *node; /* the node behind it, which may be the same */
    struct neap_error error;
    struct neap_call call; /* with ret_error in it */
    struct neap_buffer value, token;
};

void both_run(void (*test)(struct both *both), int is_remote);

#define BOTH(name)                              \
    static void both_##name(struct both *both); \
    TEST(local_##name)                          \
    {                                           \
        both_run(both_##name, 0);               \
    }                                           \
    TEST(remote_##name)                         \
    {                                           \
        both_run(both_##name, 1);               \
    }                                           \
    static void both_##name(struct both *both)

/* Places and bytes of C strings. */
struct neap_bytes bytes_of(const char *text);
struct neap_place place_of(const char *bucket, const char *key); /* lives as long as the texts */
struct neap_bytes token_of(const struct neap_buffer *buffer);

/* A new directory, and its end with all that is in it. */
char *path_new(char *path, size_t size);
void path_remove(const char *path);

/* What is there, as text in `value`: "a b c " for names or values, in order. */
const char *keys_text(struct both *both, const char *bucket);
const char *items_text(struct both *both, const struct neap_place *at, enum neap_type type);
const char *values_text(struct both *both, const struct neap_place *at);
int64_t counter_of(struct both *both, const struct neap_place *at);
uint64_t count_of(struct both *both, const struct neap_place *at, enum neap_type type);
#endif
