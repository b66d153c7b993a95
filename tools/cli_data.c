/* Commands on one object: get, put, assign, incr, flag, add, remove, delete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

/* One type's value at a place, as JSON: a list where there can be more than one. NULL when there is
 * none, or with an error. */
static json_t *value_read(struct cli *cli, const struct neap_place *at, enum neap_type type,
                          int *ret_code)
{
    const unsigned many = NEAP_HOLDS_VALUES | NEAP_HOLDS_ELEMENTS | NEAP_HOLDS_FIELDS;
    unsigned holds = neap_type_holds(type);
    struct neap_item item;
    struct neap_iter *iter;
    json_t *list, *value;

    *ret_code = neap_values(cli->neap, at, type, &cli->call, &iter);
    if (*ret_code)
        return NULL;
    list = json_array();
    while ((cli->limit == 0 || holds & NEAP_HOLDS_VALUES || json_array_size(list) < cli->limit) &&
           (*ret_code = neap_next(iter, &item, 0)) == 0) {
        if (holds & NEAP_HOLDS_ELEMENTS && holds & NEAP_HOLDS_NUMBER)
            value = json_pack("{s:o, s:o}", "element", json_bytes(item.name), "number",
                              json_integer(item.number));
        else if (holds & (NEAP_HOLDS_ELEMENTS | NEAP_HOLDS_FIELDS))
            value = json_bytes(item.name);
        else
            value = item_json(&item);
        json_array_append_new(list, value);
    }
    if (*ret_code == NEAP_END)
        *ret_code = 0;
    neap_iter_free(iter);
    value = *ret_code ? NULL : holds & many ? list : json_array_get(list, 0);
    if (value && !(holds & many && json_array_size(list) == 0))
        json_incref(value);
    else
        value = NULL;
    json_decref(list);
    return value;
}

static void print_value(const json_t *value)
{
    struct neap_bytes bytes;
    const json_t *item;
    size_t i;

    const json_t *element = json_object_get(value, "element");

    if (json_is_array(value)) {
        json_array_foreach(value, i, item) print_value(item);
    } else if (element && json_take_bytes(element, &bytes) == 0) {
        print_bytes(stdout, bytes);
        printf("\t%lld\n", (long long)json_integer_value(json_object_get(value, "number")));
        free((void *)(uintptr_t)bytes.data);
    } else if (json_take_bytes(value, &bytes) == 0) {
        print_bytes(stdout, bytes);
        putchar('\n');
        free((void *)(uintptr_t)bytes.data);
    } else {
        json_dumpf(value, stdout, JSON_ENCODE_ANY);
        putchar('\n');
    }
}

static void print_found(const struct cli *cli, json_t *found)
{
    int shown = (int)json_object_size(found);
    const char *name;
    json_t *value;

    if (cli->json) {
        json_dumpf(found, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    json_object_foreach(found, name, value)
    {
        if (shown > 1)
            printf("%s:\n", name);
        print_value(value);
    }
}

/* Without --type: every type that has something at this place. */
int command_get(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    json_t *found = json_object();
    size_t shown;
    int code = 0;

    for (enum neap_type type = NEAP_ANY; code == 0 && (type = type_next(type)) != NEAP_ANY;) {
        json_t *value;

        if (cli->type != NEAP_ANY && cli->type != type)
            continue;
        value = value_read(cli, &at, type, &code);
        if (value)
            json_object_set_new(found, type_name(type), value);
    }
    shown = json_object_size(found);
    if (code == 0 && shown)
        print_found(cli, found);
    json_decref(found);
    if (code == 0 && shown == 0)
        cli->error.text[0] = 0;
    return code || shown == 0 ? cli_fail(cli, code ? code : NEAP_NOTFOUND, cli->argv[1]) : 0;
}

int command_put(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int code = neap_lww_set(cli->neap, &at, bytes_of(cli->argv[2]), &cli->call);

    return code ? cli_fail(cli, code, "put") : 0;
}

/* Replaces the siblings that are there now: reads for a token, then writes with it. */
int command_assign(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    struct neap_buffer token = {0};
    struct neap_call call = cli->call;
    struct neap_iter *iter;
    int code;

    call.ret_token = &token;
    call.w = call.pw = 0;
    code = neap_register_values(cli->neap, &at, &call, &iter);
    if (code == 0) {
        neap_iter_free(iter);
        call = cli->call;
        call.r = call.pr = 0;
        call.seen = (struct neap_bytes){token.data, token.size};
        code = neap_register_set(cli->neap, &at, bytes_of(cli->argv[2]), &call);
    }
    neap_buffer_free(&token);
    return code ? cli_fail(cli, code, "assign") : 0;
}

/* Types that a command writes to alike; the first unless --type says otherwise. */
static const struct {
    enum neap_type type;
    int (*add)(struct neap *neap, const struct neap_place *at, int64_t change,
               const struct neap_call *call);
} counters[] = {{NEAP_COUNTER, neap_counter_add},
                {NEAP_COUNTER_EXACT, neap_counter_exact_add},
                {NEAP_BOUNDED, neap_bounded_add}};

static const struct {
    enum neap_type type;
    int (*set)(struct neap *neap, const struct neap_place *at, int on,
               const struct neap_call *call);
} flags[] = {{NEAP_FLAG, neap_flag_set}, {NEAP_FLAG_DW, neap_flag_dw_set}};

static const struct {
    enum neap_type type;
    int (*add)(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
               const struct neap_call *call);
    int (*remove)(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                  const struct neap_call *call);
} sets[] = {{NEAP_SET, neap_set_add, neap_set_remove},
            {NEAP_SET_RW, neap_set_rw_add, neap_set_rw_remove},
            {NEAP_SCORES, NULL, neap_score_remove}};

/* Which row of such a table, whose types are `step` bytes apart; -1 after saying that it is none.
 */
static int row_of(const struct cli *cli, const void *types, size_t count, size_t step,
                  const char *doing)
{
    for (size_t i = 0; i < count; i++) {
        const enum neap_type *type = (const void *)((const char *)types + i * step);

        if (cli->type == NEAP_ANY || cli->type == *type)
            return (int)i;
    }
    fprintf(stderr, "neap: %s: nothing to do on a %s\n", doing, type_name(cli->type));
    return -1;
}
#define ROW_OF(cli, table, doing) \
    row_of(cli, &(table)[0].type, sizeof(table) / sizeof((table)[0]), sizeof((table)[0]), doing)

int command_incr(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int64_t change = 1;
    int row = ROW_OF(cli, counters, "incr"), code;

    if (row < 0 || (cli->argc > 2 && cli_number(cli->argv[2], "incr", &change)))
        return EXIT_USAGE;
    code = counters[row].add(cli->neap, &at, change, &cli->call);
    return code ? cli_fail(cli, code, "incr") : 0;
}

/* A replica id, as it is shown: in hexadecimal. 0, or -1 after saying that it is none. */
static int replica_take(const char *text, const char *doing, uint64_t *ret_id)
{
    char *end;
    unsigned long long id;

    errno = 0;
    id = strtoull(text, &end, 16);
    if (end == text || *end || errno || !id || *text == '-') {
        fprintf(stderr, "neap: %s: `%s` is not a replica id: see `neap rights`\n", doing, text);
        return -1;
    }
    *ret_id = id;
    return 0;
}

int command_rights(struct cli *cli)
{
    struct neap_rights rights = {.size = sizeof rights};
    struct neap_place at = cli_place(cli);
    char mine[20], who[20];
    int code = neap_bounded_rights(cli->neap, &at, &rights, &cli->call);

    if (code)
        return cli_fail(cli, code, "rights");
    snprintf(mine, sizeof mine, "%016llx", (unsigned long long)rights.mine);
    snprintf(who, sizeof who, "%016llx", (unsigned long long)rights.who);
    if (cli->json) {
        json_t *json =
            json_pack("{s:I, s:I, s:b, s:s, s:I, s:s}", "value", (json_int_t)rights.value, "here",
                      (json_int_t)rights.here, "waits", rights.waits, "mine", mine, "most",
                      (json_int_t)rights.most, "who", rights.who ? who : "");

        print_json(json);
        json_decref(json);
        return 0;
    }
    printf("value  %lld\nhere   %lld%s\nmine   %s\nmost   %lld\nwho    %s\n",
           (long long)rights.value, (long long)rights.here,
           rights.waits ? ", when all peers have been met since the node was started" : "", mine,
           (long long)rights.most, rights.who ? who : "nobody");
    return 0;
}

int command_give(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int64_t amount;
    uint64_t to;
    int code;

    if (cli_number(cli->argv[2], "give", &amount) || replica_take(cli->argv[3], "give", &to))
        return EXIT_USAGE;
    code = neap_bounded_give(cli->neap, &at, amount, to, &cli->call);
    return code ? cli_fail(cli, code, "give") : 0;
}

int command_claim(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    uint64_t from;
    int code;

    if (replica_take(cli->argv[2], "claim", &from))
        return EXIT_USAGE;
    code = neap_bounded_claim(cli->neap, &at, from, &cli->call);
    return code ? cli_fail(cli, code, "claim") : 0;
}

int command_max(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int64_t value;
    int code;

    if (cli_number(cli->argv[2], "max", &value))
        return EXIT_USAGE;
    code = neap_max_set(cli->neap, &at, value, &cli->call);
    return code ? cli_fail(cli, code, "max") : 0;
}

int command_min(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int64_t value;
    int code;

    if (cli_number(cli->argv[2], "min", &value))
        return EXIT_USAGE;
    code = neap_min_set(cli->neap, &at, value, &cli->call);
    return code ? cli_fail(cli, code, "min") : 0;
}

int command_flag(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int on = strcmp(cli->argv[2], "on") == 0, row = ROW_OF(cli, flags, "flag"), code;

    if (row < 0)
        return EXIT_USAGE;
    if (!on && strcmp(cli->argv[2], "off")) {
        fprintf(stderr, "neap: flag: `%s` is neither on nor off\n", cli->argv[2]);
        return EXIT_USAGE;
    }
    code = flags[row].set(cli->neap, &at, on, &cli->call);
    return code ? cli_fail(cli, code, "flag") : 0;
}

/* All elements in one batch. */
static int elements(struct cli *cli, int add)
{
    struct neap_place at = cli_place(cli);
    struct neap_call call = cli->call;
    struct neap_batch *batch = NULL;
    int row = ROW_OF(cli, sets, add ? "add" : "remove"), code;

    if (row < 0)
        return EXIT_USAGE;
    if (add && !sets[row].add) {
        fprintf(stderr, "neap: add: a member needs a score: see `neap score`\n");
        return EXIT_USAGE;
    }
    code = neap_batch_new(cli->neap, &batch);
    call.batch = batch;
    call.once = (struct neap_bytes){0}; /* that of the commit, as is the level */
    call.level = NEAP_BUCKET_DEFAULT;
    call.w = call.pw = 0;
    for (int i = 2; i < cli->argc && code == 0; i++)
        code =
            (add ? sets[row].add : sets[row].remove)(cli->neap, &at, bytes_of(cli->argv[i]), &call);
    call = cli->call;
    call.ttl_ms = 0; /* that was for each */
    if (code == 0)
        code = neap_batch_commit(batch, &call);
    neap_batch_free(batch);
    return code ? cli_fail(cli, code, add ? "add" : "remove") : 0;
}

int command_add(struct cli *cli)
{
    return elements(cli, 1);
}

int command_remove(struct cli *cli)
{
    return elements(cli, 0);
}

int command_delete(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int code = neap_remove(cli->neap, &at, cli->type, &cli->call);

    return code ? cli_fail(cli, code, "delete") : 0;
}

int command_once(struct cli *cli)
{
    struct neap_buffer id = {0};
    int code = neap_once(cli->neap, &id, &cli->call);

    if (code == 0 && cli->json)
        printf("{\"once\":\"%s\"}\n", (const char *)id.data);
    else if (code == 0)
        printf("%s\n", (const char *)id.data);
    neap_buffer_free(&id);
    return code ? cli_fail(cli, code, "once") : 0;
}
