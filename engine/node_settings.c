/* Verbs settings and set: what can be changed while the node runs. */
#include "base/error.h"
#include "engine/node.h"
#include "engine/settings.h"
#include "engine/status.h"

struct settings_call {
    struct node *node;
    enum setting from, to; /* those that are shown */
    bool sets;
    uint64_t number;
    json_t *array; /* out */
    int code;
};

static json_t *number_or_null(bool known, uint64_t number)
{
    return known ? json_number(number) : json_null();
}

static int setting_show(struct settings_call *call, const struct engine *engine,
                        enum setting setting)
{
    const struct setting_kind *kind = &setting_kinds[setting];
    uint64_t number = 0;
    bool here = !setting_get(engine, setting, &number);
    json_t *json = json_pack("{ss, so, so, so, so, ss, ss}", "name", kind->name, "value",
                             number_or_null(here, number), "at_start",
                             number_or_null(here, call->node->settings_at_start[setting]), "least",
                             json_number(kind->least), "most", json_number(kind->most), "unit",
                             kind->unit, "help", kind->help);

    return json_array_append_new(call->array, json) ? NEAP_NOMEM : 0;
}

static void settings_look(void *arg, struct engine *engine)
{
    struct settings_call *call = arg;

    if (call->sets)
        call->code = setting_set(engine, call->from, call->number);
    for (unsigned i = call->from; i < (unsigned)call->to && !call->code; i++)
        call->code = setting_show(call, engine, (enum setting)i);
}

static int settings_run(struct settings_call *call, struct buffer *ret_json)
{
    int code;

    call->array = json_array();
    if (!call->array)
        return NEAP_NOMEM;
    code = call->sets ? node_call(call->node, settings_look, call)
                      : node_call_always(call->node, settings_look, call);
    if (!code)
        code = call->code;
    if (!code)
        return json_into(json_pack("{so}", "settings", call->array), ret_json);
    json_decref(call->array);
    return code;
}

static int name_refuse(const char *verb, const char *name, struct neap_error *error)
{
    return error_set(error, NEAP_INVALID,
                     "%s: %.40s is none of those that can be changed while the node runs: "
                     "bulk_max, scrub_max, scrub_s, log_max, retire_after_s, sync_ms; others are "
                     "read at the start (log_level at a reload of neapd, too)",
                     verb, name);
}

int node_settings(struct node *node, const char *word, struct buffer *ret_json,
                  struct neap_error *error)
{
    struct settings_call call = {.node = node, .to = SETTINGS_END};

    if (word && setting_find(word, &call.from))
        return name_refuse("settings", word, error);
    if (word)
        call.to = (enum setting)(call.from + 1);
    return settings_run(&call, ret_json);
}

int node_set(struct node *node, const char *verb, int argc, const char *const argv[],
             struct buffer *ret_json, struct neap_error *error)
{
    struct settings_call call = {.node = node, .sets = true};
    const struct setting_kind *kind;
    int code;

    (void)verb;
    if (argc != 2)
        return error_set(error, NEAP_INVALID, "set: the name of a setting, and its number");
    if (setting_find(argv[0], &call.from))
        return name_refuse("set", argv[0], error);
    call.to = (enum setting)(call.from + 1);
    kind = &setting_kinds[call.from];
    if (setting_parse(call.from, argv[1], &call.number))
        return error_set(error, NEAP_INVALID,
                         "set: %s is a number of %s from %llu to %llu%s, not %.60s", kind->name,
                         kind->unit, (unsigned long long)kind->least,
                         (unsigned long long)kind->most,
                         kind->bytes ? ", also with k, m or g behind it" : "", argv[1]);
    code = settings_run(&call, ret_json);
    return code == NEAP_REFUSED
               ? error_set(error, code, "set: %s means nothing to a node that is alone", kind->name)
               : code;
}

void node_settings_keep(struct node *node)
{
    const struct engine *engine = &node->wheel.engine;

    for (unsigned i = 0; i < SETTINGS_END; i++)
        if (setting_get(engine, (enum setting)i, &node->settings_at_start[i]))
            node->settings_at_start[i] = 0;
}
