/* Built with the address sanitizer everything takes five times as long: then tests look at less. */
#ifndef NEAP_TEST_SANITIZED_H
#define NEAP_TEST_SANITIZED_H

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
#endif
