#include "sim/rules.h"

#include <string.h>

#include "base/broken.h"

static const struct rule table[] = {
    {"send-first", "a turn sends before it commits", NULL, NULL},
    {"names-nothing", "a message names events that are not durable", NULL, NULL},
    {"confirm-alone", "one member's answer confirms an opening", NULL, NULL},
    {"cut-blind", "the log is cut without looking at what members have", NULL, NULL},
    {"later-is-newer", "a summary replaces another, whatever it covers", NULL, NULL},
    {"never-pull", "nobody pulls", NULL, NULL},
    {"never-compare", "nobody below a horizon compares", NULL, NULL},
    {"compare-claims", "a compare claims the peer's context at once", NULL, NULL},
};

/* Set once, before anything runs. */
static const struct rule *rule_now;

size_t rules_count(void)
{
    return sizeof table / sizeof *table;
}

const struct rule *rules_at(size_t index)
{
    return &table[index];
}

const struct rule *rules_find(const char *name)
{
    for (size_t i = 0; i < rules_count(); i++) {
        if (!strcmp(table[i].name, name))
            return &table[i];
    }
    return NULL;
}

void rules_break(const struct rule *rule)
{
    rule_now = rule;
}

bool broken(const char *rule)
{
    return rule_now && !strcmp(rule_now->name, rule);
}
