/* Rules broken on purpose, which show that a test can fail. Nothing of it is in the library: only a
 * test program that compiles a file once more, with NEAP_BROKEN defined, can break rules in it. */
#ifndef NEAP_BASE_BROKEN_H
#define NEAP_BASE_BROKEN_H
#include <stdbool.h>

#ifdef NEAP_BROKEN
bool broken(const char *rule); /* the test program's: is this the rule that is broken now? */
#define BROKEN(rule) broken(rule)
#else
#define BROKEN(rule) false
#endif
#endif
