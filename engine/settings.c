#include "engine/settings.h"

#include <string.h>

#include "base/error.h"

const struct setting_kind setting_kinds[SETTINGS_END] = {
#define X(name, unit, least, most, help) {#name, unit, help, least, most, (unit)[0] == 'b'},
    SETTINGS(X)
#undef X
};

int setting_find(const char *name, enum setting *ret_setting)
{
    for (unsigned i = 0; i < SETTINGS_END; i++)
        if (!strcmp(setting_kinds[i].name, name)) {
            *ret_setting = (enum setting)i;
            return 0;
        }
    return NEAP_INVALID;
}

int setting_parse(enum setting setting, const char *text, uint64_t *ret_number)
{
    static const char units[] = "kmg";
    const struct setting_kind *kind = &setting_kinds[setting];
    const char *unit = NULL;
    uint64_t number = 0, max = INT64_MAX;
    unsigned shift = 0;
    size_t digits = strspn(text, "0123456789");

    for (size_t i = 0; i < digits && number <= max / 10; i++)
        number = 10 * number + (uint64_t)(text[i] - '0');
    if (kind->bytes && text[digits])
        unit = strchr(units, text[digits]);
    if (unit)
        shift = 10 * (unsigned)(unit - units + 1);
    if (digits < 1 || digits > 18 || text[digits + (unit != NULL)] || number > max >> shift)
        return NEAP_INVALID;
    number <<= shift;
    if (number < kind->least || number > kind->most)
        return NEAP_INVALID;
    *ret_number = number;
    return 0;
}

static uint64_t bulk_max(const struct engine *engine)
{
    struct flow_status flow;

    gossip_flow_status(engine->gossip, &flow);
    return flow.bulk_max;
}

/* Some are of what a node does for others, or with its trees: one that is alone has neither. */
static bool setting_is_here(const struct engine *engine, enum setting setting)
{
    switch (setting) {
    case SETTING_bulk_max:
    case SETTING_retire_after_s:
        return engine->gossip != NULL;
    case SETTING_scrub_max:
    case SETTING_scrub_s:
        return engine->trees.kept;
    case SETTING_log_max:
    case SETTING_sync_ms:
        return true;
    case SETTINGS_END:
        break;
    }
    return false;
}

int setting_get(const struct engine *engine, enum setting setting, uint64_t *ret_number)
{
    const struct trees *trees = &engine->trees;

    if (!setting_is_here(engine, setting))
        return NEAP_REFUSED;
    switch (setting) {
    case SETTING_bulk_max:
        *ret_number = bulk_max(engine);
        break;
    case SETTING_scrub_max:
        *ret_number = trees->scrub_max ? trees->scrub_max : TREES_SCRUB_MAX;
        break;
    case SETTING_scrub_s:
        *ret_number = trees->scrub_ms / 1000;
        break;
    case SETTING_log_max:
        *ret_number = engine->gossip ? gossip_log_max(engine->gossip) : engine->log_max;
        break;
    case SETTING_retire_after_s:
        *ret_number = gossip_retire_ms(engine->gossip) / 1000;
        break;
    case SETTING_sync_ms:
        *ret_number = engine->sync_ms;
        break;
    case SETTINGS_END:
        break;
    }
    return 0;
}

/* The next round is counted from now on. */
static void scrub_set(struct trees *trees, uint64_t scrub_ms)
{
    trees->scrub_ms = scrub_ms;
    trees->scrub_at = 0;
    trees->next_at = 0;
}

int setting_set(struct engine *engine, enum setting setting, uint64_t number)
{
    must(setting < SETTINGS_END && number >= setting_kinds[setting].least &&
         number <= setting_kinds[setting].most);
    if (!setting_is_here(engine, setting))
        return NEAP_REFUSED;
    switch (setting) {
    case SETTING_bulk_max:
        return gossip_limit(engine->gossip, number);
    case SETTING_scrub_max:
        engine->trees.scrub_max = (uint32_t)number;
        engine->trees.next_at = 0;
        return 0;
    case SETTING_scrub_s:
        scrub_set(&engine->trees, number * 1000);
        return 0;
    case SETTING_log_max:
        engine->log_max = number;
        return engine->gossip ? gossip_set_log_max(engine->gossip, number) : 0;
    case SETTING_retire_after_s:
        gossip_set_retire_ms(engine->gossip, number * 1000);
        return 0;
    case SETTING_sync_ms:
        engine->sync_ms = (uint32_t)number;
        return 0;
    case SETTINGS_END:
        break;
    }
    return NEAP_INVALID;
}
