/* Built with the address sanitizer everything takes five times as long: then tests look at less.
 * So they do when NEAP_BRIEF is set: the same sources have just passed in full (./selftest). */
#ifndef NEAP_TEST_SANITIZED_H
#define NEAP_TEST_SANITIZED_H
#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static inline bool is_brief(void)
{
    return SANITIZED || getenv("NEAP_BRIEF");
}
#endif
