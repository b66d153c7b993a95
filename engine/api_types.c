/* The public functions of the types: each write is one operation, each read one cell. */
#include "base/error.h"
#include "engine/api.h"

/* ---- writes ---- */

int neap_lww_set(struct neap *neap, const struct neap_place *at, struct neap_bytes value,
                 const struct neap_call *call)
{
    const struct op op = {.kind = OP_LWW_SET, .value = api_slice(value)};

    return api_write(neap, at, NULL, &op, call);
}

int neap_register_set(struct neap *neap, const struct neap_place *at, struct neap_bytes value,
                      const struct neap_call *call)
{
    const struct op op = {.kind = OP_REGISTER_SET, .value = api_slice(value)};

    return api_write(neap, at, NULL, &op, call);
}

int neap_flag_set(struct neap *neap, const struct neap_place *at, int on,
                  const struct neap_call *call)
{
    const struct op op = {.kind = on ? OP_FLAG_ON : OP_FLAG_OFF};

    return api_write(neap, at, NULL, &op, call);
}

int neap_counter_add(struct neap *neap, const struct neap_place *at, int64_t change,
                     const struct neap_call *call)
{
    const struct op op = {.kind = OP_COUNTER_ADD, .number = change};

    return api_write(neap, at, NULL, &op, call);
}

int neap_bounded_add(struct neap *neap, const struct neap_place *at, int64_t change,
                     const struct neap_call *call)
{
    const struct op op = {.kind = OP_BOUNDED_ADD, .number = change};

    return api_write(neap, at, NULL, &op, call);
}

int neap_bounded_give(struct neap *neap, const struct neap_place *at, int64_t amount, uint64_t to,
                      const struct neap_call *call)
{
    const struct op op = {.kind = OP_BOUNDED_GIVE, .number = amount, .also = (int64_t)to};

    return api_write(neap, at, NULL, &op, call);
}

int neap_bounded_claim(struct neap *neap, const struct neap_place *at, uint64_t from,
                       const struct neap_call *call)
{
    const struct op op = {.kind = OP_BOUNDED_CLAIM, .also = (int64_t)from};

    return api_write(neap, at, NULL, &op, call);
}

int neap_set_add(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                 const struct neap_call *call)
{
    const struct op op = {.kind = OP_SET_ADD};

    return api_write(neap, at, &element, &op, call);
}

int neap_set_remove(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                    const struct neap_call *call)
{
    const struct op op = {.kind = OP_SET_REMOVE};

    return api_write(neap, at, &element, &op, call);
}

int neap_max_set(struct neap *neap, const struct neap_place *at, int64_t value,
                 const struct neap_call *call)
{
    const struct op op = {.kind = OP_MAX_SET, .number = value};

    return api_write(neap, at, NULL, &op, call);
}

int neap_min_set(struct neap *neap, const struct neap_place *at, int64_t value,
                 const struct neap_call *call)
{
    const struct op op = {.kind = OP_MIN_SET, .number = value};

    return api_write(neap, at, NULL, &op, call);
}

int neap_flag_dw_set(struct neap *neap, const struct neap_place *at, int on,
                     const struct neap_call *call)
{
    const struct op op = {.kind = on ? OP_FLAG_DW_ON : OP_FLAG_DW_OFF};

    return api_write(neap, at, NULL, &op, call);
}

int neap_counter_exact_add(struct neap *neap, const struct neap_place *at, int64_t change,
                           const struct neap_call *call)
{
    const struct op op = {.kind = OP_COUNTER_EXACT_ADD, .number = change};

    return api_write(neap, at, NULL, &op, call);
}

int neap_set_rw_add(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                    const struct neap_call *call)
{
    const struct op op = {.kind = OP_SET_RW_ADD};

    return api_write(neap, at, &element, &op, call);
}

int neap_set_rw_remove(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                       const struct neap_call *call)
{
    const struct op op = {.kind = OP_SET_RW_REMOVE};

    return api_write(neap, at, &element, &op, call);
}

int neap_score_set(struct neap *neap, const struct neap_place *at, struct neap_bytes member,
                   int64_t score, const struct neap_call *call)
{
    const struct op op = {.kind = OP_SCORE_SET, .number = score};

    return api_write(neap, at, &member, &op, call);
}

int neap_score_add(struct neap *neap, const struct neap_place *at, struct neap_bytes member,
                   int64_t change, const struct neap_call *call)
{
    const struct op op = {.kind = OP_SCORE_ADD, .number = change};

    return api_write(neap, at, &member, &op, call);
}

int neap_score_remove(struct neap *neap, const struct neap_place *at, struct neap_bytes member,
                      const struct neap_call *call)
{
    const struct op op = {.kind = OP_SCORE_REMOVE};

    return api_write(neap, at, &member, &op, call);
}

int neap_put(struct neap *neap, const struct neap_place *at, enum neap_type type,
             const struct neap_item *item, const struct neap_call *call)
{
    const struct type *found = type_find((unsigned)type);
    struct neap_error *error = call ? call->ret_error : NULL;
    struct op op = {0};

    if (!item)
        return error_set(error, NEAP_INVALID, "the item is NULL");
    if (!found || !found->put || found->put(item, &op))
        return error_set(error, NEAP_INVALID, "type: nothing can be put there as %s",
                         found ? found->name : "it is none");
    return api_write(neap, at, found->below == BELOW_ELEMENT ? &item->name : NULL, &op, call);
}

/* ---- reads ---- */

int neap_flag_get(struct neap *neap, const struct neap_place *at, int *ret_on,
                  const struct neap_call *call)
{
    return api_live(neap, at, NEAP_FLAG, NULL, ret_on, call);
}

int neap_set_has(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                 int *ret_in, const struct neap_call *call)
{
    return api_live(neap, at, NEAP_SET, &element, ret_in, call);
}

int neap_counter_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                     const struct neap_call *call)
{
    return api_number(neap, at, NEAP_COUNTER, NULL, API_EMPTY_IS_0, ret_value, call);
}

int neap_max_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                 const struct neap_call *call)
{
    return api_number(neap, at, NEAP_MAX, NULL, API_EMPTY_IS_NOTFOUND, ret_value, call);
}

int neap_min_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                 const struct neap_call *call)
{
    return api_number(neap, at, NEAP_MIN, NULL, API_EMPTY_IS_NOTFOUND, ret_value, call);
}

int neap_flag_dw_get(struct neap *neap, const struct neap_place *at, int *ret_on,
                     const struct neap_call *call)
{
    return api_live(neap, at, NEAP_FLAG_DW, NULL, ret_on, call);
}

int neap_counter_exact_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                           const struct neap_call *call)
{
    return api_number(neap, at, NEAP_COUNTER_EXACT, NULL, API_EMPTY_IS_0, ret_value, call);
}

int neap_set_rw_has(struct neap *neap, const struct neap_place *at, struct neap_bytes element,
                    int *ret_in, const struct neap_call *call)
{
    return api_live(neap, at, NEAP_SET_RW, &element, ret_in, call);
}

int neap_score_get(struct neap *neap, const struct neap_place *at, struct neap_bytes member,
                   int64_t *ret_score, const struct neap_call *call)
{
    return api_number(neap, at, NEAP_SCORES, &member, API_EMPTY_IS_NOTFOUND, ret_score, call);
}

int neap_bounded_get(struct neap *neap, const struct neap_place *at, int64_t *ret_value,
                     const struct neap_call *call)
{
    return api_number(neap, at, NEAP_BOUNDED, NULL, API_EMPTY_IS_0, ret_value, call);
}

/* ---- types ---- */

const char *neap_type_name(enum neap_type type)
{
    const struct type *found = type_find((unsigned)type);

    return found ? found->name : NULL;
}

enum neap_type neap_type_named(const char *name)
{
    const struct type *found = name ? type_named(name) : NULL;

    return found ? found->type : NEAP_ANY;
}

unsigned neap_type_holds(enum neap_type type)
{
    const struct type *found = type_find((unsigned)type);

    return found ? found->holds : 0;
}
