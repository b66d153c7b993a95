#include "tests/sim/tale.h"

#include <stdio.h>
#include <string.h>

struct fake fake;

static const struct thing *thing_at(enum record_kind kind, const char *key, size_t index)
{
    for (size_t i = 0; i < fake.count; i++) {
        if (fake.things[i].kind == kind && !strcmp(fake.things[i].key, key) && index-- == 0)
            return &fake.things[i];
    }
    return NULL;
}

static int fake_count(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                      int64_t *ret_value)
{
    const struct thing *thing = thing_at(RECORD_COUNTER_ADD, key, 0);
    (void)replicas, (void)node, (void)bucket;
    if (!thing)
        return NEAP_NOTFOUND;
    *ret_value = thing->number;
    return 0;
}

static int fake_has(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                    const char *member)
{
    const struct thing *thing;
    (void)replicas, (void)node, (void)bucket;
    for (size_t i = 0; (thing = thing_at(RECORD_SET_ADD, key, i)); i++) {
        if (!strcmp(thing->text, member))
            return 1;
    }
    return 0;
}

static int fake_flag(struct replicas *replicas, size_t node, const char *bucket, const char *key)
{
    (void)replicas, (void)node, (void)bucket;
    return thing_at(RECORD_FLAG_ON, key, 0) != NULL;
}

static int fake_text(enum record_kind kind, const char *key, size_t index,
                     char ret_value[HISTORY_TEXT])
{
    const struct thing *thing = thing_at(kind, key, index);
    if (thing)
        memcpy(ret_value, thing->text, HISTORY_TEXT);
    return thing != NULL;
}

static int fake_value(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                      char ret_value[HISTORY_TEXT])
{
    (void)replicas, (void)node, (void)bucket;
    return fake_text(RECORD_LWW_SET, key, 0, ret_value);
}

static int fake_sibling(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                        size_t index, char ret_value[HISTORY_TEXT])
{
    (void)replicas, (void)node, (void)bucket;
    return fake_text(RECORD_REGISTER_SET, key, index, ret_value);
}

static void fake_all(struct replicas *replicas, size_t node,
                     bool (*each)(void *arg, enum record_kind kind, const char *bucket,
                                  const char *key, const char *member),
                     void *arg)
{
    (void)replicas, (void)node;
    for (size_t i = 0; i < fake.count; i++) {
        const struct thing *thing = &fake.things[i];
        const char *member = thing->kind == RECORD_SET_ADD ? thing->text : "";
        if (!each(arg, thing->kind, "box", thing->key, member))
            return;
    }
}

/* ---- telling a history ---- */

void begin(void)
{
    history_done(&fake.history);
    fake = (struct fake){.replicas = {.count = fake_count,
                                      .has = fake_has,
                                      .flag = fake_flag,
                                      .value = fake_value,
                                      .sibling = fake_sibling,
                                      .all = fake_all}};
    history_init(&fake.history);
}

void end(void)
{
    history_done(&fake.history);
    fake.count = 0;
}

struct record record_of(enum record_kind kind, size_t node, const char *key, const char *text,
                        int64_t number)
{
    struct record record = {.kind = kind, .node = node, .number = number};
    bool in_set = kind == RECORD_SET_ADD || kind == RECORD_SET_REMOVE;
    record.serial = fake.serial;
    snprintf(record.bucket, sizeof record.bucket, "box");
    snprintf(record.key, sizeof record.key, "%s", key);
    snprintf(in_set ? record.member : record.value, HISTORY_TEXT, "%s", text);
    return record;
}

size_t call(enum record_kind kind, size_t node, const char *key, const char *text, int64_t number)
{
    struct record record = record_of(kind, node, key, text, number);
    record.serial = ++fake.serial;
    return history_add(&fake.history, &record);
}

size_t more(enum record_kind kind, size_t node, const char *key, const char *text, int64_t number)
{
    struct record record = record_of(kind, node, key, text, number);
    return history_add(&fake.history, &record);
}

void ends(size_t number, enum outcome outcome)
{
    history_end(&fake.history, number, outcome);
}

void did(enum outcome outcome, enum record_kind kind, size_t node, const char *key,
         const char *text, int64_t number)
{
    ends(call(kind, node, key, text, number), outcome);
}

void sure(enum record_kind kind, size_t node, const char *key, const char *text)
{
    did(OUTCOME_SURE, kind, node, key, text, 0);
}

void adds(enum outcome outcome, size_t node, const char *key, int64_t number)
{
    did(outcome, RECORD_COUNTER_ADD, node, key, "", number);
}

void replaces(size_t node, const char *key, const char *value, size_t of, bool until)
{
    struct record record = record_of(RECORD_REGISTER_SET, node, key, value, 0);
    struct sight *sight;
    record.sight = history_sight(&fake.history, &sight);
    sight->until[of] = until ? fake.history.ended : 0;
    record.serial = ++fake.serial;
    ends(history_add(&fake.history, &record), OUTCOME_SURE);
}

void blinds(size_t number, size_t of)
{
    struct sight *sight;
    fake.history.records[number].sight = history_sight(&fake.history, &sight);
    sight->from[of] = fake.history.ended + 1;
}

/* ---- what is there, and what they say ---- */

void there(enum record_kind kind, const char *key, const char *text)
{
    struct thing *thing = &fake.things[fake.count++];
    *thing = (struct thing){.kind = kind};
    snprintf(thing->key, sizeof thing->key, "%s", key);
    snprintf(thing->text, sizeof thing->text, "%s", text);
}

void counts(const char *key, int64_t number)
{
    there(RECORD_COUNTER_ADD, key, "");
    fake.things[fake.count - 1].number = number;
}

void nothing(void)
{
    fake.count = 0;
}

bool says(const char *word)
{
    if (strstr(fake.why, word))
        return true;
    print_message("it says: %s\n", fake.why);
    return false;
}

bool kept(void)
{
    fake.why[0] = 0;
    return history_kept(&fake.history, &fake.replicas, A, fake.why, sizeof fake.why);
}

bool gone(void)
{
    fake.why[0] = 0;
    return history_gone(&fake.history, &fake.replicas, A, fake.why, sizeof fake.why);
}

bool fine(void)
{
    if (kept() && gone())
        return true;
    print_message("it says: %s\n", fake.why);
    return false;
}
