/* What a call of the simulated callers asks for, by chance. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/load.h"

enum { MEMBER_TRIES = 16 };

/* A call that is being drawn. */
struct drawing {
    struct load *load;
    struct rng *rng;
    size_t node;
    char bucket[16]; /* of most of its operations */
};

enum workload_operation operation_draw(const struct workload *workload, struct rng *rng, bool reads)
{
    size_t kinds = reads ? WORKLOAD_KINDS : WORKLOAD_SESSION_READ;
    uint64_t total = 0, at;
    for (size_t i = 0; i < kinds; i++)
        total += workload->weights[i];
    at = rng_below(rng, total);
    for (size_t i = 0; i < kinds; i++) {
        if (at < workload->weights[i])
            return (enum workload_operation)i;
        at -= workload->weights[i];
    }
    must(false);
    return WORKLOAD_COUNTER_ADD;
}

static uint32_t span_draw(struct span span, struct rng *rng)
{
    return span.from + (uint32_t)rng_below(rng, (uint64_t)span.to - span.from + 1);
}

static unsigned key_draw(struct drawing *drawing)
{
    const struct workload *workload = drawing->load->workload;
    if (rng_chance(drawing->rng, workload->hot_percent))
        return 0;
    return (unsigned)rng_below(drawing->rng, workload->keys);
}

static void bucket_draw(struct drawing *drawing, char ret_bucket[16])
{
    unsigned bucket = (unsigned)rng_below(drawing->rng, drawing->load->workload->buckets);
    snprintf(ret_bucket, 16, "b%u", bucket);
}

/* ---- records ---- */

static struct record *record_new(struct drawing *drawing, enum record_kind kind)
{
    struct load *load = drawing->load;
    struct record *drawn =
        mem_reserve(load->drawn, load->drawn_count, &load->drawn_room, 1, sizeof *load->drawn);
    must(drawn);
    load->drawn = drawn;
    struct record *record = &drawn[load->drawn_count++];
    *record = (struct record){.kind = kind, .node = drawing->node, .serial = load->serial};
    memcpy(record->bucket, drawing->bucket, sizeof record->bucket);
    return record;
}

/* Of all that there ever will be in this world. */
static unsigned long long record_name(const struct drawing *drawing)
{
    return drawing->load->history.count + drawing->load->drawn_count - 1;
}

static void member_new(struct drawing *drawing, struct record *record)
{
    snprintf(record->member, sizeof record->member, "e%llu", record_name(drawing));
}

static void value_draw(struct drawing *drawing, struct record *record)
{
    const struct workload *workload = drawing->load->workload;
    bool large = rng_chance(drawing->rng, workload->large_percent);
    record->number = span_draw(large ? workload->large : workload->value, drawing->rng);
    snprintf(record->value, sizeof record->value, "v%llu:%lld", record_name(drawing),
             (long long)record->number);
}

/* A new record at a top-level key, which begins with the letter of its type. */
static struct record *record_draw(struct drawing *drawing, enum record_kind kind, char letter)
{
    const struct workload *workload = drawing->load->workload;
    struct record *record = record_new(drawing, kind);
    if (rng_chance(drawing->rng, workload->elsewhere_percent))
        bucket_draw(drawing, record->bucket);
    unsigned key = key_draw(drawing);
    snprintf(record->key, sizeof record->key, "%c%u", letter, key);
    return record;
}

static void number_draw(struct drawing *drawing, struct record *record, bool negative)
{
    int64_t number = 1 + (int64_t)rng_below(drawing->rng, 9);
    record->number = negative ? -number : number;
}

/* What was once written in a set, anywhere; with `there` what this node has. */
static const struct record *member_draw(struct drawing *drawing, bool there)
{
    struct load *load = drawing->load;
    struct sim_replicas replicas;
    const struct record *found = NULL;
    sim_replicas_init(&replicas, load->world);
    for (unsigned tries = 0; !found && tries < MEMBER_TRIES && load->history.count > 0; tries++) {
        const struct record *old =
            &load->history.records[rng_below(drawing->rng, load->history.count)];
        if (old->kind == RECORD_SET_ADD &&
            (!there || replicas.replicas.has(&replicas.replicas, drawing->node, old->bucket,
                                             old->key, old->member) == 1))
            found = old;
    }
    sim_replicas_done(&replicas);
    return found;
}

/* A set that has such a member; else a new one comes in. */
static void draw_member(struct drawing *drawing, enum record_kind kind, bool there)
{
    const struct record *old = member_draw(drawing, there);
    if (!old) {
        member_new(drawing, record_draw(drawing, RECORD_SET_ADD, 's'));
        return;
    }
    struct record *record = record_new(drawing, kind);
    memcpy(record->bucket, old->bucket, sizeof record->bucket);
    memcpy(record->key, old->key, sizeof record->key);
    memcpy(record->member, old->member, sizeof record->member);
}

static void draw_fill(struct drawing *drawing)
{
    struct record first = *record_draw(drawing, RECORD_SET_ADD, 's');
    uint32_t count = span_draw(drawing->load->workload->big, drawing->rng);
    drawing->load->drawn_count--;
    for (uint32_t i = 0; i < count; i++) {
        struct record *record = record_new(drawing, RECORD_SET_ADD);
        *record = first;
        member_new(drawing, record);
    }
}

/* ---- maps ---- */

static void field_add(struct record *record, char letter, unsigned number)
{
    size_t size = strlen(record->key);
    snprintf(record->key + size, sizeof record->key - size, "/%c%u", letter, number);
}

/* Fields on the way to one: maps in maps. */
static void fields_draw(struct drawing *drawing, struct record *record)
{
    uint32_t depth = span_draw(drawing->load->workload->depth, drawing->rng);
    for (uint32_t i = 1; i < depth; i++)
        field_add(record, 'm', key_draw(drawing));
}

static struct record *field_draw(struct drawing *drawing, enum record_kind kind, char letter)
{
    struct record *record = record_draw(drawing, kind, 'm');
    fields_draw(drawing, record);
    field_add(record, letter, key_draw(drawing));
    return record;
}

/* Any of the other types. */
static void draw_map_put(struct drawing *drawing)
{
    switch (rng_below(drawing->rng, 5)) {
    case 0:
        field_draw(drawing, RECORD_FLAG_ON, 'x');
        break;
    case 1:
        field_draw(drawing, RECORD_FLAG_OFF, 'x');
        break;
    case 2:
        value_draw(drawing, field_draw(drawing, RECORD_REGISTER_SET, 'r'));
        break;
    default:
        member_new(drawing, field_draw(drawing, RECORD_SET_ADD, 's'));
        break;
    }
}

/* Counters and values side by side, under names of their own. */
static void draw_map_fill(struct drawing *drawing)
{
    struct record *drawn = record_draw(drawing, RECORD_COUNTER_ADD, 'm');
    fields_draw(drawing, drawn);
    struct record first = *drawn;
    uint32_t count = span_draw(drawing->load->workload->big, drawing->rng);
    drawing->load->drawn_count--;
    for (uint32_t i = 0; i < count; i++) {
        struct record *record = record_new(drawing, RECORD_COUNTER_ADD);
        *record = first;
        if (i % 2) {
            record->kind = RECORD_LWW_SET;
            value_draw(drawing, record);
        } else {
            number_draw(drawing, record, false);
        }
        field_add(record, i % 2 ? 'l' : 'c', 1000 + i);
    }
}

/* A whole map, or one field of any type, or a map in it. */
static void draw_map_remove(struct drawing *drawing)
{
    static const char letters[] = {'c', 'l', 'm', 's', 'r', 'x'};
    struct record *record = record_draw(drawing, RECORD_REMOVE, 'm');
    if (rng_chance(drawing->rng, 50))
        return;
    fields_draw(drawing, record);
    size_t letter = (size_t)rng_below(drawing->rng, sizeof letters);
    field_add(record, letters[letter], key_draw(drawing));
}

/* ---- types of whose values nothing is promised here: that they are equal is ---- */

static void draw_other(struct drawing *drawing, bool removes)
{
    static const enum op_kind kinds[] = {
        OP_MAX_SET,    OP_MIN_SET,       OP_FLAG_DW_ON,        OP_FLAG_DW_OFF,
        OP_SET_RW_ADD, OP_SET_RW_REMOVE, OP_COUNTER_EXACT_ADD, OP_COUNTER_EXACT_ADD};
    if (removes) {
        record_draw(drawing, RECORD_REMOVE, 'o');
        return;
    }
    unsigned kind = kinds[rng_below(drawing->rng, sizeof kinds / sizeof *kinds)];
    struct record *record = rng_chance(drawing->rng, 30) ? field_draw(drawing, RECORD_OTHER, 'o')
                                                         : record_draw(drawing, RECORD_OTHER, 'o');
    number_draw(drawing, record, rng_chance(drawing->rng, 30));
    record->other = kind;
    if (type_below(op_type((enum op_kind)kind)) == BELOW_ELEMENT) {
        unsigned member = key_draw(drawing);
        snprintf(record->member, sizeof record->member, "e%u", member);
    }
}

/* ---- an operation ---- */

static void draw_value(struct drawing *drawing, enum workload_operation operation)
{
    bool lww = operation == WORKLOAD_LWW_SET;
    struct record *record =
        record_draw(drawing, lww ? RECORD_LWW_SET : RECORD_REGISTER_SET, lww ? 'l' : 'r');
    record->blind = operation == WORKLOAD_REGISTER_BLIND;
    /* Until it is known what it has seen: of an old look. */
    record->sight = operation == WORKLOAD_REGISTER_STALE;
    value_draw(drawing, record);
}

static void draw_map_add(struct drawing *drawing)
{
    bool negative = rng_chance(drawing->rng, 20);

    number_draw(drawing, field_draw(drawing, RECORD_COUNTER_ADD, 'c'), negative);
}

static void draw_operation(struct drawing *drawing, enum workload_operation operation)
{
    switch (operation) {
    case WORKLOAD_COUNTER_ADD:
    case WORKLOAD_COUNTER_SUBTRACT:
        number_draw(drawing, record_draw(drawing, RECORD_COUNTER_ADD, 'c'),
                    operation == WORKLOAD_COUNTER_SUBTRACT);
        break;
    case WORKLOAD_COUNTER_REMOVE:
        record_draw(drawing, RECORD_REMOVE, 'c');
        break;
    case WORKLOAD_SET_ADD:
        member_new(drawing, record_draw(drawing, RECORD_SET_ADD, 's'));
        break;
    case WORKLOAD_SCORES_PUT:
        member_new(drawing, record_draw(drawing, RECORD_SET_ADD, PLACE_SCORES));
        break;
    case WORKLOAD_SET_AGAIN:
        draw_member(drawing, RECORD_SET_ADD, false);
        break;
    case WORKLOAD_SET_FILL:
        draw_fill(drawing);
        break;
    case WORKLOAD_SET_REMOVE:
        draw_member(drawing, RECORD_SET_REMOVE, true);
        break;
    case WORKLOAD_SET_CLEAR:
        record_draw(drawing, RECORD_REMOVE, 's');
        break;
    case WORKLOAD_LWW_SET:
    case WORKLOAD_REGISTER_SET:
    case WORKLOAD_REGISTER_STALE:
    case WORKLOAD_REGISTER_BLIND:
        draw_value(drawing, operation);
        break;
    case WORKLOAD_LWW_REMOVE:
        record_draw(drawing, RECORD_REMOVE, 'l');
        break;
    case WORKLOAD_REGISTER_REMOVE:
        record_draw(drawing, RECORD_REMOVE, 'r');
        break;
    case WORKLOAD_FLAG_ON:
        record_draw(drawing, RECORD_FLAG_ON, 'x');
        break;
    case WORKLOAD_FLAG_OFF:
        record_draw(drawing, RECORD_FLAG_OFF, 'x');
        break;
    case WORKLOAD_MAP_ADD:
        draw_map_add(drawing);
        break;
    case WORKLOAD_MAP_SET:
        value_draw(drawing, field_draw(drawing, RECORD_LWW_SET, 'l'));
        break;
    case WORKLOAD_MAP_PUT:
        draw_map_put(drawing);
        break;
    case WORKLOAD_MAP_FILL:
        draw_map_fill(drawing);
        break;
    case WORKLOAD_MAP_REMOVE:
        draw_map_remove(drawing);
        break;
    case WORKLOAD_OTHER:
    case WORKLOAD_OTHER_REMOVE:
        draw_other(drawing, operation == WORKLOAD_OTHER_REMOVE);
        break;
    case WORKLOAD_SESSION_READ:
    case WORKLOAD_KINDS:
        break;
    }
}

void load_draw(struct load *load, size_t node, struct rng *rng, enum workload_operation first)
{
    struct drawing drawing = {.load = load, .rng = rng, .node = node};
    uint32_t count = span_draw(load->workload->batch, rng);
    load->drawn_count = 0;
    bucket_draw(&drawing, drawing.bucket);
    draw_operation(&drawing, first);
    for (uint32_t i = 1; i < count; i++)
        draw_operation(&drawing, operation_draw(load->workload, rng, false));
}
