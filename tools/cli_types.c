/* Values of all types as JSON and as words, by what neap_type_holds() says of them. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

const char *type_name(enum neap_type type)
{
    const char *name = neap_type_name(type);

    return name ? name : type == NEAP_ANY ? "any" : "unknown";
}

int type_parse(const char *name, enum neap_type *ret_type)
{
    enum neap_type type = neap_type_named(name);

    if (type == NEAP_ANY)
        return -1;
    *ret_type = type;
    return 0;
}

enum neap_type type_next(enum neap_type type)
{
    for (unsigned next = (unsigned)type + 1; next <= UINT8_MAX; next++)
        if (neap_type_name((enum neap_type)next))
            return (enum neap_type)next;
    return NEAP_ANY;
}

const char *type_names(char ret_text[TYPE_NAMES_MAX])
{
    size_t used = 0;

    ret_text[0] = 0;
    for (enum neap_type type = NEAP_ANY; (type = type_next(type)) != NEAP_ANY;) {
        const char *between = !used ? "" : type_next(type) ? ", " : " or ";
        int more =
            snprintf(ret_text + used, TYPE_NAMES_MAX - used, "%s%s", between, type_name(type));

        used = (size_t)more < TYPE_NAMES_MAX - used ? used + (size_t)more : TYPE_NAMES_MAX - 1;
    }
    return ret_text;
}

json_t *item_json(const struct neap_item *item)
{
    unsigned holds = neap_type_holds(item->type);

    if (holds & (NEAP_HOLDS_VALUE | NEAP_HOLDS_VALUES))
        return json_bytes(item->value);
    if (holds & NEAP_HOLDS_NUMBER)
        return json_integer(item->number);
    return holds & NEAP_HOLDS_SWITCH ? json_boolean(item->number) : NULL;
}

void line_put(json_t *line, const struct neap_item *item)
{
    unsigned holds = neap_type_holds(item->type);

    if (holds & NEAP_HOLDS_ELEMENTS)
        json_object_set_new(line, "element", json_bytes(item->name));
    if (holds & NEAP_HOLDS_NUMBER)
        json_object_set_new(line, "number", json_integer(item->number));
    else if (!(holds & NEAP_HOLDS_ELEMENTS))
        json_object_set_new(line, "value", item_json(item));
    if (item->expires_ms)
        json_object_set_new(line, "expires", json_integer((json_int_t)item->expires_ms));
}

const char *line_take(const json_t *line, enum neap_type type, struct neap_item *ret_item)
{
    const json_t *number = json_object_get(line, "number"), *value = json_object_get(line, "value");
    const json_t *expires = json_object_get(line, "expires");
    unsigned holds = neap_type_holds(type);

    if (holds & NEAP_HOLDS_FIELDS)
        return "a map has no line of its own, only its fields";
    if (holds & NEAP_HOLDS_NUMBER && !json_is_integer(number))
        return "`number` is not a whole number";
    if (holds & NEAP_HOLDS_NUMBER)
        ret_item->number = (int64_t)json_integer_value(number);
    if (holds & NEAP_HOLDS_SWITCH && !json_is_true(value))
        return "`value` of a flag is true, or there is no line";
    if (holds & NEAP_HOLDS_SWITCH)
        ret_item->number = 1;
    if (holds & NEAP_HOLDS_ELEMENTS &&
        json_take_bytes(json_object_get(line, "element"), &ret_item->name))
        return "`element` is missing or not a string";
    if (holds & (NEAP_HOLDS_VALUE | NEAP_HOLDS_VALUES) && json_take_bytes(value, &ret_item->value))
        return "`value` is missing or not a string";
    if (expires && (!json_is_integer(expires) || json_integer_value(expires) <= 0))
        return "`expires` is not a time: milliseconds since 1970";
    ret_item->expires_ms = expires ? (uint64_t)json_integer_value(expires) : 0;
    return NULL;
}

void item_free(struct neap_item *item)
{
    free((void *)(uintptr_t)item->name.data);
    free((void *)(uintptr_t)item->value.data);
}
