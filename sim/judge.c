#include "sim/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

void judge_init(struct judge *judge, const struct history *history, struct replicas *replicas,
                size_t node, char *ret_why, size_t size)
{
    *judge = (struct judge){
        .history = history, .replicas = replicas, .node = node, .why = ret_why, .size = size};
}

void judge_done(struct judge *judge)
{
    mem_free(judge->calls);
    mem_free(judge->writes);
    mem_free(judge->removes);
}

/* ---- who had seen what ---- */

static bool is_of_one_call(const struct record *a, const struct record *b)
{
    return a->call == b->call;
}

static const struct sight *sight_of(const struct history *history, const struct record *record)
{
    return record->sight ? &history->sights[record->sight - 1] : NULL;
}

static bool sight_has(const struct sight *sight, const struct record *other)
{
    return other->ended && other->ended <= sight->until[other->node] &&
           other->begun > sight->since[other->node];
}

bool record_saw(const struct history *history, const struct record *record,
                const struct record *other)
{
    const struct sight *sight = sight_of(history, record);
    bool reads_before = record->kind == RECORD_REGISTER_SET; /* what it acts on was read before */
    if (record->blind)
        return false;
    if (is_of_one_call(record, other))
        return !reads_before && record > other;
    if (sight && sight_has(sight, other))
        return true;
    return !reads_before && record->node == other->node && !other->doubted && other->ended &&
           other->ended < record->begun;
}

bool record_may_have_seen(const struct history *history, const struct record *record,
                          const struct record *other)
{
    const struct sight *sight = sight_of(history, record);
    if (record->blind)
        return false;
    if (is_of_one_call(record, other))
        return record->kind != RECORD_REGISTER_SET && record > other;
    if (sight && other->begun >= sight->from[other->node])
        return false;
    return !record->ended || record->ended > other->begun;
}

/* ---- what happened ---- */

static bool is_removal(const struct record *record)
{
    return record->kind == RECORD_SET_REMOVE || record->kind == RECORD_FLAG_OFF ||
           record->kind == RECORD_REMOVE;
}

/* What the session has found gone already. */
static bool is_dead(const struct judge *judge, const struct record *record)
{
    size_t number = (size_t)(record - judge->history->records);
    for (size_t i = 0; i < judge->dead_count; i++) {
        if (judge->dead[i] == number ||
            (judge->dead[i] == (number | JUDGE_HIDDEN) && judge->removes_count == 0))
            return true;
    }
    return false;
}

/* MAYBE, NONE or SURE: did it, and is it where we look? */
static enum outcome judged(const struct judge *judge, const struct record *record)
{
    enum outcome outcome = record->outcome;
    if (judge->calls && !record->doubted && judge->calls[record->call] != OUTCOME_OPEN)
        outcome = (enum outcome)judge->calls[record->call];
    if (outcome == OUTCOME_NONE || is_dead(judge, record))
        return OUTCOME_NONE;
    if (outcome != OUTCOME_SURE && outcome != OUTCOME_DONE)
        return OUTCOME_MAYBE;
    if (!judge->known || (record->session && record->session == judge->session))
        return OUTCOME_SURE;
    /* A removal of what others have removed already makes no event, which could be known. */
    return !is_removal(record) && sight_has(judge->known, record) ? OUTCOME_SURE : OUTCOME_MAYBE;
}

/* Did a record of the cell, of that kind of outcome, come after `record` and see it? */
static bool is_surely_hit(const struct judge *judge, const struct record *record,
                          const struct record *const *by, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        if (by[i] != record && judged(judge, by[i]) == OUTCOME_SURE &&
            record_saw(judge->history, by[i], record))
            return true;
    }
    return false;
}

static bool is_maybe_hit(const struct judge *judge, const struct record *record,
                         const struct record *const *by, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        if (by[i] != record && judged(judge, by[i]) != OUTCOME_NONE &&
            record_may_have_seen(judge->history, by[i], record))
            return true;
    }
    return false;
}

/* ---- the records of a cell ---- */

static void add_pointer(const struct record ***array, size_t *count, size_t *room,
                        const struct record *record)
{
    const struct record **grown = mem_reserve(*array, *count, room, 1, sizeof **array);
    must(grown);
    *array = grown;
    grown[(*count)++] = record;
}

static void add_removes(struct judge *judge, size_t cell)
{
    const struct history *history = judge->history;
    if (cell == SIZE_MAX)
        return;
    for (uint32_t i = history->cells[cell].first; i; i = history->records[i - 1].next)
        add_pointer(&judge->removes, &judge->removes_count, &judge->removes_room,
                    &history->records[i - 1]);
}

/* Removals of the object itself, and of every map that it is in. */
static void add_removes_above(struct judge *judge, const char *bucket, const char *key)
{
    char place[HISTORY_TEXT];
    for (size_t i = 0; i <= strlen(key) && i < sizeof place; i++) {
        if (key[i] != '/' && key[i] != 0)
            continue;
        memcpy(place, key, i);
        place[i] = 0;
        add_removes(judge, history_find(judge->history, RECORD_REMOVE, bucket, place, ""));
    }
}

/* The first record of the cell. */
static const struct record *judge_load(struct judge *judge, size_t number)
{
    const struct history *history = judge->history;
    const struct history_cell *cell = &history->cells[number];
    const struct record *first = &history->records[cell->first - 1];
    judge->writes_count = judge->removes_count = 0;
    for (uint32_t i = cell->first; i; i = history->records[i - 1].next) {
        const struct record *record = &history->records[i - 1];
        if (is_removal(record))
            add_pointer(&judge->removes, &judge->removes_count, &judge->removes_room, record);
        else
            add_pointer(&judge->writes, &judge->writes_count, &judge->writes_room, record);
    }
    if (cell->kind != RECORD_REMOVE)
        add_removes_above(judge, first->bucket, first->key);
    return first;
}

bool judge_is_removed(struct judge *judge, size_t cell)
{
    judge_load(judge, cell);
    for (size_t i = 0; i < judge->removes_count; i++) {
        if (judged(judge, judge->removes[i]) != OUTCOME_NONE)
            return true;
    }
    return false;
}

/* ---- what is said ---- */

__attribute__((format(printf, 3, 4))) static bool
wrong(struct judge *judge, const struct record *record, const char *format, ...)
{
    static const char *const names[RECORD_KINDS] = {[RECORD_COUNTER_ADD] = "counter",
                                                    [RECORD_SET_ADD] = "set",
                                                    [RECORD_SET_REMOVE] = "set",
                                                    [RECORD_LWW_SET] = "lww",
                                                    [RECORD_REGISTER_SET] = "register",
                                                    [RECORD_FLAG_ON] = "flag",
                                                    [RECORD_FLAG_OFF] = "flag",
                                                    [RECORD_REMOVE] = "place",
                                                    [RECORD_OTHER] = "other"};
    int head = snprintf(judge->why, judge->size, "%s %s/%s: ", names[record->kind], record->bucket,
                        record->key);
    va_list arguments;
    va_start(arguments, format);
    if (head >= 0 && (size_t)head < judge->size)
        vsnprintf(judge->why + head, judge->size - (size_t)head, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- presence: members and flags ---- */

/* 1 or 0: is the member in, is the flag on? Negative: nobody can say. */
static int presence(const struct judge *judge, const struct record *record)
{
    struct replicas *replicas = judge->replicas;
    if (record->kind == RECORD_FLAG_ON || record->kind == RECORD_FLAG_OFF)
        return replicas->flag ? replicas->flag(replicas, judge->node, record->bucket, record->key)
                              : -1;
    return replicas->has
               ? replicas->has(replicas, judge->node, record->bucket, record->key, record->member)
               : -1;
}

/* Of what surely happened here, something that nothing may have removed. */
static const struct record *must_be(const struct judge *judge)
{
    for (size_t i = judge->writes_count; i-- > 0;) {
        const struct record *write = judge->writes[i];
        if (judged(judge, write) == OUTCOME_SURE &&
            !is_maybe_hit(judge, write, judge->removes, judge->removes_count))
            return write;
    }
    return NULL;
}

static bool can_be(const struct judge *judge)
{
    for (size_t i = judge->writes_count; i-- > 0;) {
        const struct record *write = judge->writes[i];
        if (judged(judge, write) != OUTCOME_NONE &&
            !is_surely_hit(judge, write, judge->removes, judge->removes_count))
            return true;
    }
    return false;
}

static bool presence_kept(struct judge *judge, const struct record *first)
{
    const struct record *kept = must_be(judge);
    if (!kept || presence(judge, first) != 0)
        return true;
    if (first->kind == RECORD_FLAG_ON || first->kind == RECORD_FLAG_OFF)
        return wrong(judge, first, "was switched on by %zu at %" PRIu64 ", and is off", kept->node,
                     kept->begun);
    return wrong(judge, first, "%s was added by %zu at %" PRIu64 ", and is gone", first->member,
                 kept->node, kept->begun);
}

static bool presence_gone(struct judge *judge, const struct record *first)
{
    if (can_be(judge) || presence(judge, first) != 1)
        return true;
    const char *what = judge->writes_count == 0 ? "was never there, and is"
                                                : "was removed or never added, and is there";
    return wrong(judge, first, "%s%s%s", first->member, first->member[0] ? " " : "", what);
}

/* ---- counters ---- */

/* Additions of a replica are folded into its next one: what was removed comes back with one that
 * the removal had not seen. Surely not with this one? */
static bool is_surely_uncounted(const struct judge *judge, const struct record *add)
{
    for (size_t i = judge->removes_count; i-- > 0;) {
        const struct record *remove = judge->removes[i];
        bool comes_back = false;
        if (judged(judge, remove) != OUTCOME_SURE || !record_saw(judge->history, remove, add))
            continue;
        for (size_t j = judge->writes_count; j-- > 0 && !comes_back;) {
            const struct record *later = judge->writes[j];
            comes_back = later->node == add->node && later != add &&
                         judged(judge, later) != OUTCOME_NONE &&
                         !record_saw(judge->history, remove, later) &&
                         !record_saw(judge->history, later, remove) &&
                         record_may_have_seen(judge->history, later, add);
        }
        if (!comes_back)
            return true;
    }
    return false;
}

struct range {
    int64_t least, most;
};

static struct range counter_range(const struct judge *judge)
{
    struct range range = {0};
    for (size_t i = 0; i < judge->writes_count; i++) {
        const struct record *add = judge->writes[i];
        enum outcome outcome = judged(judge, add);
        if (outcome == OUTCOME_NONE || (judge->removes_count && is_surely_uncounted(judge, add)))
            continue;
        bool sure = outcome == OUTCOME_SURE &&
                    !is_maybe_hit(judge, add, judge->removes, judge->removes_count);
        range.least += sure || add->number < 0 ? add->number : 0;
        range.most += sure || add->number > 0 ? add->number : 0;
    }
    return range;
}

static bool counter_kept(struct judge *judge, const struct record *first)
{
    struct replicas *replicas = judge->replicas;
    int64_t value = 0;
    if (!replicas->count)
        return true;
    if (replicas->count(replicas, judge->node, first->bucket, first->key, &value))
        value = 0;
    struct range range = counter_range(judge);
    if (value >= range.least && value <= range.most)
        return true;
    return wrong(judge, first, "is %" PRId64 ", not %" PRId64 "..%" PRId64, value, range.least,
                 range.most);
}

/* ---- values ---- */

static const struct record *write_of(const struct judge *judge, const char *value)
{
    for (size_t i = judge->writes_count; i-- > 0;) {
        if (!strcmp(judge->writes[i]->value, value))
            return judge->writes[i];
    }
    return NULL;
}

/* May this value be here? */
static bool value_gone(struct judge *judge, const struct record *first, const char *value)
{
    const struct record *write = write_of(judge, value);
    if (!write)
        return wrong(judge, first, "has %s, which nobody wrote", value);
    if (judged(judge, write) == OUTCOME_NONE)
        return wrong(judge, first, "has %s, whose write was refused", value);
    if (is_surely_hit(judge, write, judge->removes, judge->removes_count))
        return wrong(judge, first, "has %s, which was removed", value);
    if (is_surely_hit(judge, write, judge->writes, judge->writes_count))
        return wrong(judge, first, "has %s, which was replaced", value);
    return true;
}

static int lww_read(const struct judge *judge, const struct record *record,
                    char ret_value[HISTORY_TEXT])
{
    struct replicas *replicas = judge->replicas;
    return replicas->value
               ? replicas->value(replicas, judge->node, record->bucket, record->key, ret_value)
               : -1;
}

static bool lww_kept(struct judge *judge, const struct record *first)
{
    char value[HISTORY_TEXT];
    const struct record *kept = must_be(judge);
    if (!kept || lww_read(judge, first, value) != 0)
        return true;
    return wrong(judge, first, "%s was written by %zu at %" PRIu64 ", and there is nothing",
                 kept->value, kept->node, kept->begun);
}

static bool lww_gone(struct judge *judge, const struct record *first)
{
    char value[HISTORY_TEXT];
    return lww_read(judge, first, value) != 1 || value_gone(judge, first, value);
}

static int sibling_read(const struct judge *judge, const struct record *record, size_t index,
                        char ret_value[HISTORY_TEXT])
{
    struct replicas *replicas = judge->replicas;
    return replicas->sibling ? replicas->sibling(replicas, judge->node, record->bucket, record->key,
                                                 index, ret_value)
                             : -1;
}

/* Is it there? Negative: nobody can say. */
static int has_sibling(const struct judge *judge, const struct record *write)
{
    char value[HISTORY_TEXT];
    for (size_t i = 0;; i++) {
        int code = sibling_read(judge, write, i, value);
        if (code != 1)
            return code;
        if (!strcmp(value, write->value))
            return 1;
    }
}

static bool register_kept(struct judge *judge, const struct record *first)
{
    for (size_t i = judge->writes_count; i-- > 0;) {
        const struct record *write = judge->writes[i];
        if (judged(judge, write) != OUTCOME_SURE ||
            is_maybe_hit(judge, write, judge->writes, judge->writes_count) ||
            is_maybe_hit(judge, write, judge->removes, judge->removes_count))
            continue;
        if (has_sibling(judge, write) == 0)
            return wrong(judge, first, "%s was written by %zu at %" PRIu64 ", and is gone",
                         write->value, write->node, write->begun);
    }
    return true;
}

static bool register_gone(struct judge *judge, const struct record *first)
{
    char value[HISTORY_TEXT];
    for (size_t i = 0; sibling_read(judge, first, i, value) == 1; i++) {
        if (!value_gone(judge, first, value))
            return false;
    }
    return true;
}

/* ---- a cell ---- */

bool judge_kept(struct judge *judge, size_t cell)
{
    const struct record *first = judge_load(judge, cell);
    switch (judge->history->cells[cell].kind) {
    case RECORD_COUNTER_ADD:
        return counter_kept(judge, first);
    case RECORD_SET_ADD:
    case RECORD_SET_REMOVE:
    case RECORD_FLAG_ON:
    case RECORD_FLAG_OFF:
        return presence_kept(judge, first);
    case RECORD_LWW_SET:
        return lww_kept(judge, first);
    case RECORD_REGISTER_SET:
        return register_kept(judge, first);
    case RECORD_REMOVE:
    case RECORD_OTHER:
    case RECORD_KINDS:
        break;
    }
    return true;
}

bool judge_gone(struct judge *judge, size_t cell)
{
    const struct record *first = judge_load(judge, cell);
    switch (judge->history->cells[cell].kind) {
    case RECORD_SET_ADD:
    case RECORD_SET_REMOVE:
    case RECORD_FLAG_ON:
    case RECORD_FLAG_OFF:
        return presence_gone(judge, first);
    case RECORD_LWW_SET:
        return lww_gone(judge, first);
    case RECORD_REGISTER_SET:
        return register_gone(judge, first);
    case RECORD_COUNTER_ADD: /* what is too much is found with what is missing */
    case RECORD_REMOVE:
    case RECORD_OTHER:
    case RECORD_KINDS:
        break;
    }
    return true;
}

/* ---- what is gone ---- */

/* What tells of the write is there, or nobody can say. */
static bool is_there(const struct judge *judge, const struct record *write)
{
    switch (write->kind) {
    case RECORD_SET_ADD:
    case RECORD_FLAG_ON:
        return presence(judge, write) != 0;
    case RECORD_REGISTER_SET:
        return has_sibling(judge, write) != 0;
    case RECORD_LWW_SET: /* see is_hidden() */
    case RECORD_COUNTER_ADD:
    case RECORD_SET_REMOVE:
    case RECORD_FLAG_OFF:
    case RECORD_REMOVE:
    case RECORD_OTHER:
    case RECORD_KINDS:
        break;
    }
    return true;
}

/* How it is gone, if it is: 1, for good; JUDGE_HIDDEN, by another value of an LWW, that has won.
 * Only a removal of that, by who has not seen this one, can show it again. */
static size_t gone_of(const struct judge *judge, const struct record *write)
{
    char value[HISTORY_TEXT];
    if (write->kind != RECORD_LWW_SET)
        return !is_there(judge, write);
    int code = lww_read(judge, write, value);
    if (code == 1)
        return strcmp(value, write->value) ? JUDGE_HIDDEN : 0;
    return code == 0;
}

void judge_find_gone(struct judge *judge, size_t cell, void (*each)(void *arg, size_t number),
                     void *arg)
{
    judge_load(judge, cell);
    for (size_t i = judge->writes_count; i-- > 0;) {
        const struct record *write = judge->writes[i];
        size_t gone = judged(judge, write) == OUTCOME_SURE ? gone_of(judge, write) : 0;
        if (gone)
            each(arg, (size_t)(write - judge->history->records) | (gone & JUDGE_HIDDEN));
    }
}

/* ---- calls that may have happened ---- */

/* Did it? OPEN: it left nothing that would tell. Asked when all of its cell is loaded. */
static enum outcome found_of(const struct judge *judge, const struct record *write)
{
    char value[HISTORY_TEXT];
    bool kept = !is_maybe_hit(judge, write, judge->removes, judge->removes_count);
    bool alone = judge->writes_count == 1;
    int there;
    switch (write->kind) {
    case RECORD_SET_ADD:
    case RECORD_FLAG_ON:
        there = alone ? presence(judge, write) : -1;
        break;
    case RECORD_LWW_SET:
        there = lww_read(judge, write, value);
        if (there == 1)
            there = !strcmp(value, write->value);
        kept = kept && alone;
        break;
    case RECORD_REGISTER_SET:
        there = has_sibling(judge, write);
        kept = kept && !is_maybe_hit(judge, write, judge->writes, judge->writes_count);
        break;
    case RECORD_COUNTER_ADD:
    case RECORD_SET_REMOVE:
    case RECORD_FLAG_OFF:
    case RECORD_REMOVE:
    case RECORD_OTHER:
    case RECORD_KINDS:
    default:
        there = -1;
        break;
    }
    if (there == 1)
        return OUTCOME_SURE;
    return there == 0 && kept ? OUTCOME_NONE : OUTCOME_OPEN;
}

bool judge_calls(struct judge *judge)
{
    const struct history *history = judge->history;
    uint8_t *found = mem_new_array(history->calls, sizeof *found);
    must(found);
    for (size_t i = 0; i < history->count; i++) {
        const struct record *record = &history->records[i];
        if (record->doubted ||
            (record->outcome != OUTCOME_MAYBE && record->outcome != OUTCOME_OPEN))
            continue;
        judge_load(judge, record->cell);
        enum outcome outcome = found_of(judge, record);
        if (outcome == OUTCOME_OPEN)
            continue;
        if (found[record->call] != OUTCOME_OPEN && found[record->call] != outcome) {
            mem_free(found);
            return wrong(judge, record,
                         "a part of one call of %zu at %" PRIu64 " is there, and another is not",
                         record->node, record->begun);
        }
        found[record->call] = (uint8_t)outcome;
    }
    judge->calls = found;
    return true;
}
