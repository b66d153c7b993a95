/* Rules that can be broken on purpose, in the simulator's objects only (base/broken.h). */
#ifndef NEAP_SIM_RULES_H
#define NEAP_SIM_RULES_H
#include <stddef.h>

struct rule {
    const char *name;
    const char *about;  /* what is done wrong: one line, for the man page */
    const char *faults; /* to look for it with; NULL: all */
    const char *story;  /* the story of tests/story that notices it; NULL: seeds do */
};

size_t rules_count(void);
const struct rule *rules_at(size_t index);
const struct rule *rules_find(const char *name); /* NULL: there is none */
void rules_break(const struct rule *rule);       /* NULL: none is broken */
#endif
