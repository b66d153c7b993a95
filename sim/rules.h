/* Rules that can be broken on purpose, in the simulator's objects only (base/broken.h): mistakes
 * that a programmer might make, each of which some seed or some story must notice. `make mutants`
 * tries them all. */
#ifndef NEAP_SIM_RULES_H
#define NEAP_SIM_RULES_H
#include <stddef.h>
#include <stdint.h>

struct rule {
    const char *name;
    const char *about;  /* what is done wrong: one line, for the man page */
    const char *faults; /* to look for it with; NULL: all */
    const char *story;  /* the story of tests/story that notices it; NULL: seeds do */
    uint64_t seed;      /* that noticed it once, for whoever is in a hurry; 0: one of the first */
};

size_t rules_count(void);
const struct rule *rules_at(size_t index);
const struct rule *rules_find(const char *name); /* NULL: there is none */
void rules_break(const struct rule *rule);       /* NULL: none is broken */
#endif
