/* Commands on one object: get, put, assign, incr, flag, add, remove, delete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

/* One type's value at a place, as JSON; NULL with *ret_code 0 when there is none. */
typedef json_t *(*value_read)(struct cli *cli, const struct neap_place *at, int *ret_code);

static json_t *read_lww(struct cli *cli, const struct neap_place *at, int *ret_code)
{
    struct neap_buffer value = {0};
    json_t *json = NULL;

    *ret_code = neap_lww_get(cli->neap, at, &value, &cli->call);
    if (*ret_code == 0)
        json = json_bytes((struct neap_bytes){value.data, value.size});
    neap_buffer_free(&value);
    return json;
}

/* All that an iterator gives, `name` or `value` of each. */
static json_t *read_all(struct neap_iter *iter, int names, uint64_t limit, int *ret_code)
{
    json_t *list = json_array();
    struct neap_item item;

    while ((limit == 0 || json_array_size(list) < limit) &&
           (*ret_code = neap_next(iter, &item, 0)) == 0)
        json_array_append_new(list, json_bytes(names ? item.name : item.value));
    if (*ret_code == NEAP_END)
        *ret_code = 0;
    neap_iter_free(iter);
    if (*ret_code == 0 && json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *read_register(struct cli *cli, const struct neap_place *at, int *ret_code)
{
    struct neap_iter *iter;

    *ret_code = neap_register_values(cli->neap, at, &cli->call, &iter);
    return *ret_code ? NULL : read_all(iter, 0, 0, ret_code);
}

static json_t *read_set(struct cli *cli, const struct neap_place *at, int *ret_code)
{
    struct neap_iter *iter;

    *ret_code = neap_items(cli->neap, at, NEAP_SET, (struct neap_bytes){0}, &cli->call, &iter);
    return *ret_code ? NULL : read_all(iter, 1, cli->limit, ret_code);
}

static json_t *read_map(struct cli *cli, const struct neap_place *at, int *ret_code)
{
    struct neap_iter *iter;

    *ret_code = neap_items(cli->neap, at, NEAP_MAP, (struct neap_bytes){0}, &cli->call, &iter);
    return *ret_code ? NULL : read_all(iter, 1, cli->limit, ret_code);
}

static json_t *read_counter(struct cli *cli, const struct neap_place *at, int *ret_code)
{
    int64_t value;

    *ret_code = neap_counter_get(cli->neap, at, &value, &cli->call);
    return *ret_code ? NULL : json_integer(value);
}

static json_t *read_flag(struct cli *cli, const struct neap_place *at, int *ret_code)
{
    int on;

    *ret_code = neap_flag_get(cli->neap, at, &on, &cli->call);
    return *ret_code || !on ? NULL : json_true();
}

static const struct {
    enum neap_type type;
    value_read read;
} readers[] = {{NEAP_LWW, read_lww}, {NEAP_COUNTER, read_counter},   {NEAP_FLAG, read_flag},
               {NEAP_SET, read_set}, {NEAP_REGISTER, read_register}, {NEAP_MAP, read_map}};
enum { READERS = sizeof(readers) / sizeof(readers[0]) };

static void print_value(const json_t *value)
{
    struct neap_bytes bytes;
    const json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, item) print_value(item);
    } else if (json_take_bytes(value, &bytes) == 0) {
        print_bytes(stdout, bytes);
        putchar('\n');
        free((void *)(uintptr_t)bytes.data);
    } else {
        json_dumpf(value, stdout, JSON_ENCODE_ANY);
        putchar('\n');
    }
}

/* Without --type: every type that has something at this place. */
int command_get(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    enum neap_type wanted = cli->type;
    json_t *found = json_object();
    int code = 0, shown;

    for (size_t i = 0; i < READERS && (code == 0 || code == NEAP_NOTFOUND); i++) {
        json_t *value;

        if (wanted != NEAP_ANY && readers[i].type != wanted)
            continue;
        value = readers[i].read(cli, &at, &code);
        if (value && (wanted || readers[i].type != NEAP_COUNTER || json_integer_value(value)))
            json_object_set(found, type_name(readers[i].type), value);
        json_decref(value);
    }
    shown = (int)json_object_size(found);
    if (code == NEAP_NOTFOUND)
        code = 0;
    if (code == 0 && shown && cli->json) {
        json_dumpf(found, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (code == 0) {
        const char *name;
        json_t *value;

        json_object_foreach(found, name, value)
        {
            if (shown > 1)
                printf("%s:\n", name);
            print_value(value);
        }
    }
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
    code = neap_register_values(cli->neap, &at, &call, &iter);
    if (code == 0) {
        neap_iter_free(iter);
        call.ret_token = NULL;
        call.seen = (struct neap_bytes){token.data, token.size};
        code = neap_register_set(cli->neap, &at, bytes_of(cli->argv[2]), &call);
    }
    neap_buffer_free(&token);
    return code ? cli_fail(cli, code, "assign") : 0;
}

int command_incr(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    long long change = 1;
    char *end;
    int code;

    errno = 0;
    if (cli->argc > 2) {
        change = strtoll(cli->argv[2], &end, 10);
        if (end == cli->argv[2] || *end || errno) {
            fprintf(stderr, "neap: incr: `%s` is not a whole number\n", cli->argv[2]);
            return EXIT_USAGE;
        }
    }
    code = neap_counter_add(cli->neap, &at, change, &cli->call);
    return code ? cli_fail(cli, code, "incr") : 0;
}

int command_flag(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int on = strcmp(cli->argv[2], "on") == 0, code;

    if (!on && strcmp(cli->argv[2], "off")) {
        fprintf(stderr, "neap: flag: `%s` is neither on nor off\n", cli->argv[2]);
        return EXIT_USAGE;
    }
    code = neap_flag_set(cli->neap, &at, on, &cli->call);
    return code ? cli_fail(cli, code, "flag") : 0;
}

/* All elements in one batch. */
static int elements(struct cli *cli, int add)
{
    struct neap_place at = cli_place(cli);
    struct neap_call call = cli->call;
    struct neap_batch *batch = NULL;
    int code = neap_batch_new(cli->neap, &batch);

    call.batch = batch;
    call.once = (struct neap_bytes){0}; /* that of the commit */
    for (int i = 2; i < cli->argc && code == 0; i++)
        code = add ? neap_set_add(cli->neap, &at, bytes_of(cli->argv[i]), &call)
                   : neap_set_remove(cli->neap, &at, bytes_of(cli->argv[i]), &call);
    if (code == 0)
        code = neap_batch_commit(batch, &cli->call);
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
