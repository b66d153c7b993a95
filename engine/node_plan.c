/* The verb plan: changes of a ring are staged, shown with what they come to, and committed; all of
 * it is in the system's bucket, so any node does. */
#include "engine/node_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/status.h"
#include "store/keys.h"

/* ---- writing ---- */

struct ring_ops {
    const char *ring;
    struct write_op *ops;
    struct buffer *paths; /* of each */
    size_t count, ops_room, paths_room;
};

static void ops_done(struct ring_ops *ops)
{
    for (size_t i = 0; i < ops->count; i++)
        buffer_done(&ops->paths[i]);
    mem_free(ops->paths);
    mem_free(ops->ops);
}

/* Sets the object to the value, which stays the caller's; an empty one removes it. */
static int ops_add(struct ring_ops *ops, enum ring_object object, uint64_t number,
                   struct slice value)
{
    struct write_op *list = mem_reserve(ops->ops, ops->count, &ops->ops_room, 1, sizeof *ops->ops);
    struct buffer *paths;
    int code;

    if (!list)
        return NEAP_NOMEM;
    ops->ops = list;
    paths = mem_reserve(ops->paths, ops->count, &ops->paths_room, 1, sizeof *ops->paths);
    if (!paths)
        return NEAP_NOMEM;
    ops->paths = paths;
    buffer_init(&paths[ops->count], NEAP_PATH_MAX);
    code = ring_path(ops->ring, object, number, &paths[ops->count]);
    if (code) {
        buffer_done(&paths[ops->count]);
        return code;
    }
    list[ops->count] =
        (struct write_op){.bucket = SYSTEM_BUCKET,
                          .path = buffer_slice(&paths[ops->count]),
                          .op = {.kind = value.size ? OP_LWW_SET : OP_REMOVE, .value = value}};
    ops->count++;
    return 0;
}

static int ops_run(struct node *node, struct ring_ops *ops, struct neap_error *error)
{
    struct write write = {.ops = ops->ops, .count = ops->count, .system = true};
    int code;

    token_init(&write.token);
    token_init(&write.awaited);
    code = node_run_write(node, &write, node_until(node, 0));
    if (code && write.error.text[0])
        error_set(error, code, "plan: %.200s", write.error.text);
    token_done(&write.token);
    token_done(&write.awaited);
    return code;
}

/* ---- staging ---- */

/* The words of a change, after its kind and the ring. NULL: not given, as is "-". */
static const char *word_at(int argc, const char *const argv[], int i)
{
    return i < argc && strcmp(argv[i], "-") != 0 ? argv[i] : NULL;
}

static int number_word(const char *word, const char *what, uint64_t most, uint64_t *ret_number,
                       struct neap_error *error)
{
    char *end;
    uint64_t number = word[0] >= '0' && word[0] <= '9' ? strtoull(word, &end, 10) : UINT64_MAX;

    if (number > most || *end)
        return error_set(error, NEAP_INVALID, "plan: %s: a number up to %llu, not %.60s", what,
                         (unsigned long long)most, word);
    *ret_number = number;
    return 0;
}

static int zone_word(const char *word, struct plan_change *change, struct neap_error *error)
{
    if (ring_zone_check(slice_text(word)))
        return error_set(error, NEAP_INVALID,
                         "plan: %.80s: a zone's name is up to %d printable characters without "
                         "blanks, commas and slashes",
                         word, RING_ZONE_MAX);
    snprintf(change->zone, sizeof change->zone, "%s", word);
    return 0;
}

/* [ZONE [WEIGHT]] at `i`. What is not given is as in the member list; of one that is not there as
 * usual, or (REPLACE) as of the replaced one. */
static int place_words(int argc, const char *const argv[], int i, const struct roster_row *row,
                       struct plan_change *change, struct neap_error *error)
{
    const char *zone = word_at(argc, argv, i), *weight = word_at(argc, argv, i + 1);
    uint64_t number = change->kind == PLAN_JOIN ? row->weight : 0;
    int code = 0;

    if (!zone && row->zone[0])
        zone = row->zone;
    if (!zone && change->kind == PLAN_JOIN)
        zone = PLAN_ZONE_USUAL;
    if (zone)
        code = zone_word(zone, change, error);
    if (!code && weight)
        code = number_word(weight, "weight", PLAN_WEIGHT_MAX, &number, error);
    change->weight = (uint32_t)number;
    return code;
}

static int create_words(int argc, const char *const argv[], struct plan_change *change,
                        struct neap_error *error)
{
    uint64_t n = 0, slots = 0;
    int code;

    if (argc != 2)
        return error_set(error, NEAP_INVALID, "plan create RING N SLOTS");
    code = number_word(argv[0], "owners of a slot", LAYOUT_OWNERS_MAX, &n, error);
    if (!code)
        code = number_word(argv[1], "slots", LAYOUT_SLOTS_MAX, &slots, error);
    change->n = (unsigned)n;
    change->slots = (unsigned)slots;
    return code;
}

static int change_words(struct node *node, int argc, const char *const argv[],
                        struct plan_change *change, struct neap_error *error)
{
    static const char *const usage[PLAN_KINDS] = {
        [PLAN_JOIN] = "plan join RING NODE [ZONE [WEIGHT]]",
        [PLAN_LEAVE] = "plan leave RING NODE",
        [PLAN_REPLACE] = "plan replace RING NODE BY [ZONE [WEIGHT]]",
        [PLAN_WEIGHT] = "plan weight RING NODE WEIGHT"};
    static const int least[PLAN_KINDS] = {
        [PLAN_JOIN] = 1, [PLAN_LEAVE] = 1, [PLAN_REPLACE] = 2, [PLAN_WEIGHT] = 2};
    static const int most[PLAN_KINDS] = {
        [PLAN_JOIN] = 3, [PLAN_LEAVE] = 1, [PLAN_REPLACE] = 4, [PLAN_WEIGHT] = 2};
    struct roster_row row;
    uint64_t weight = 0;
    int code;

    if (change->kind == PLAN_CREATE)
        return create_words(argc, argv, change, error);
    if (argc < least[change->kind] || argc > most[change->kind])
        return error_set(error, NEAP_INVALID, "%s", usage[change->kind]);
    code = ring_node_word(node, argv[0], &row, error);
    change->node = row.node;
    if (!code && change->kind == PLAN_REPLACE) {
        code = ring_node_word(node, argv[1], &row, error);
        change->by = row.node;
    }
    if (code || change->kind == PLAN_LEAVE)
        return code;
    if (change->kind == PLAN_WEIGHT) {
        code = number_word(argv[1], "weight", PLAN_WEIGHT_MAX, &weight, error);
        change->weight = (uint32_t)weight;
        return code;
    }
    return place_words(argc, argv, change->kind == PLAN_JOIN ? 1 : 2, &row, change, error);
}

static int staged_json(const struct ring_case *at, size_t count, struct buffer *ret_json)
{
    return json_into(json_pack("{ss, sI}", "ring", at->name, "staged", (json_int_t)count),
                     ret_json);
}

static int plan_stage(struct ring_case *at, enum plan_kind kind, int argc, const char *const argv[],
                      struct buffer *ret_json, struct neap_error *error)
{
    struct plan_change change = {.kind = kind};
    struct ring_ops ops = {.ring = at->name};
    struct buffer bytes;
    int code = change_words(at->node, argc, argv, &change, error);

    if (!code)
        code = plan_check(at->ring, &at->plan, &change, error);
    if (code)
        return code;
    buffer_init(&bytes, RING_LAYOUT_SIZE_MAX);
    code = plan_change_pack(&change, &bytes);
    if (!code)
        code = ops_add(&ops, RING_STAGED, change.node, buffer_slice(&bytes));
    if (!code)
        code = ops_run(at->node, &ops, error);
    ops_done(&ops);
    buffer_done(&bytes);
    return code ? code
                : staged_json(at, at->plan.count + !plan_of(&at->plan, change.node), ret_json);
}

static int plan_clear(struct ring_case *at, int argc, const char *const argv[],
                      struct buffer *ret_json, struct neap_error *error)
{
    struct ring_ops ops = {.ring = at->name};
    struct roster_row row = {0};
    uint64_t node;
    int code = 0;

    if (argc > 1)
        return error_set(error, NEAP_INVALID, "plan clear RING [NODE]");
    if (argc == 1)
        code = ring_node_word(at->node, argv[0], &row, error);
    node = row.node;
    if (!code && argc == 1 && !plan_of(&at->plan, node))
        code = error_set(error, NEAP_NOTFOUND, "plan: nothing is staged for that node");
    for (size_t i = 0; !code && i < at->plan.count; i++)
        if (argc == 0 || at->plan.changes[i].node == node)
            code = ops_add(&ops, RING_STAGED, at->plan.changes[i].node, (struct slice){0});
    if (!code && ops.count)
        code = ops_run(at->node, &ops, error);
    if (!code)
        code = staged_json(at, at->plan.count - ops.count, ret_json);
    ops_done(&ops);
    return code;
}

/* ---- committing ---- */

/* "5" or "5-0badcafe", as `plan show` has it. */
static int stamp_check(uint64_t stamp, const char *word, struct neap_error *error)
{
    char id[32];

    snprintf(id, sizeof id, "%u-%08x", ring_version(stamp), (unsigned)(stamp & UINT32_MAX));
    if (!strcmp(word, id) || (!strchr(word, '-') && !strncmp(word, id, strcspn(id, "-")) &&
                              strlen(word) == strcspn(id, "-")))
        return 0;
    return error_set(error, NEAP_REFUSED,
                     "plan: it comes to %s by now, not %.60s: look at it again with `neap plan "
                     "show`, somebody may have changed it",
                     id, word);
}

/* What nobody needs any more: layouts that all have left, and what nodes said that are in none. */
static int ops_sweep(struct ring_ops *ops, const struct ring *ring, const struct ring_layout *next)
{
    int code = 0;

    for (size_t i = 0; !code && i < ring->left_count; i++)
        code = ops_add(ops, RING_LAYOUT, ring->left[i], (struct slice){0});
    for (size_t i = 0; !code && i < ring->tracks_count; i++) {
        uint64_t node = ring->tracks[i].node;
        bool is_in = ring_zone(next, node) != NULL;

        for (size_t k = 0; k < ring->layouts_count; k++)
            is_in = is_in || ring_zone(&ring->layouts[k], node);
        if (!is_in)
            code = ops_add(ops, RING_TRACK, node, (struct slice){0});
    }
    for (size_t i = 0; !code && i < ring->skips_count; i++)
        if (ring->skips[i].stamp < ring->layouts[0].stamp)
            code = ops_add(ops, RING_SKIP, ring->skips[i].node, (struct slice){0});
    return code;
}

static int commit_ops(struct ring_case *at, const struct ring_layout *next, struct ring_ops *ops,
                      struct buffer *bytes)
{
    int code = ring_layout_pack(next, ring_version(next->stamp), bytes);

    if (!code)
        code = ops_add(ops, RING_LAYOUT, next->stamp, buffer_slice(bytes));
    for (size_t i = 0; !code && i < at->plan.count; i++)
        code = ops_add(ops, RING_STAGED, at->plan.changes[i].node, (struct slice){0});
    if (!code && at->ring)
        code = ops_sweep(ops, at->ring, next);
    return code;
}

static int plan_commit(struct ring_case *at, int argc, const char *const argv[],
                       struct buffer *ret_json, struct neap_error *error)
{
    struct ring_ops ops = {.ring = at->name};
    struct ring_layout next = {0};
    struct buffer bytes;
    int code;

    if (argc != 1)
        return error_set(error, NEAP_INVALID,
                         "plan commit RING VERSION: the one that `neap plan show` has");
    code = plan_next(at->ring, &at->plan, &next, error);
    if (!code)
        code = stamp_check(next.stamp, argv[0], error);
    buffer_init(&bytes, RING_LAYOUT_SIZE_MAX);
    if (!code)
        code = commit_ops(at, &next, &ops, &bytes);
    if (!code)
        code = ops_run(at->node, &ops, error);
    if (!code)
        code = json_into(json_pack("{ss, sI, so}", "ring", at->name, "version",
                                   (json_int_t)ring_version(next.stamp), "id",
                                   ring_id_json(next.stamp)),
                         ret_json);
    ops_done(&ops);
    buffer_done(&bytes);
    ring_layout_done(&next);
    return code;
}

/* ---- leaving a node out ---- */

static int plan_skip(struct ring_case *at, int argc, const char *const argv[],
                     struct buffer *ret_json, struct neap_error *error)
{
    struct ring_ops ops = {.ring = at->name};
    const struct ring *ring = at->ring;
    struct buffer bytes;
    struct roster_row row;
    uint64_t stamp;
    int code;

    if (argc != 1)
        return error_set(error, NEAP_INVALID, "plan skip RING NODE");
    code = ring_node_word(at->node, argv[0], &row, error);
    if (code)
        return code;
    if (!ring || ring->layouts_count < 2)
        return error_set(error, NEAP_REFUSED, "plan: nothing moves in that ring");
    stamp = ring_newest(ring)->stamp;
    buffer_init(&bytes, RING_LAYOUT_SIZE_MAX);
    code = ring_skip_pack(stamp, &bytes);
    if (!code)
        code = ops_add(&ops, RING_SKIP, row.node, buffer_slice(&bytes));
    if (!code)
        code = ops_run(at->node, &ops, error);
    if (!code)
        code =
            json_into(json_pack("{ss, so, sI, ss}", "ring", at->name, "skipped", json_hex(row.node),
                                "version", (json_int_t)ring_version(stamp), "warning",
                                "what only that node has is missing to reads until it is back; "
                                "if it runs, and can't be reached from here, calls at it may "
                                "miss what was written"),
                      ret_json);
    ops_done(&ops);
    buffer_done(&bytes);
    return code;
}

/* ---- words ---- */

static const char *const kinds[PLAN_KINDS] = {[PLAN_CREATE] = "create",
                                              [PLAN_JOIN] = "join",
                                              [PLAN_LEAVE] = "leave",
                                              [PLAN_REPLACE] = "replace",
                                              [PLAN_WEIGHT] = "weight"};

const char *plan_kind_name(enum plan_kind kind)
{
    return kinds[kind];
}

static int plan_words(struct ring_case *at, const char *what, int argc, const char *const argv[],
                      struct buffer *ret_json, struct neap_error *error)
{
    if (!strcmp(what, "show"))
        return argc ? error_set(error, NEAP_INVALID, "plan show RING")
                    : plan_show(at, ret_json, error);
    if (at->node->readonly)
        return error_set(error, NEAP_REFUSED, "plan: the node is open for reading only");
    if (!strcmp(what, "commit"))
        return plan_commit(at, argc, argv, ret_json, error);
    if (!strcmp(what, "clear"))
        return plan_clear(at, argc, argv, ret_json, error);
    if (!strcmp(what, "skip"))
        return plan_skip(at, argc, argv, ret_json, error);
    for (unsigned kind = PLAN_CREATE; kind < PLAN_KINDS; kind++)
        if (!strcmp(what, kinds[kind]))
            return plan_stage(at, (enum plan_kind)kind, argc, argv, ret_json, error);
    return error_set(error, NEAP_INVALID,
                     "plan: %.60s: create, join, leave, replace, weight, show, commit, clear or "
                     "skip",
                     what);
}

int node_plan(struct node *node, const char *verb, int argc, const char *const argv[],
              struct buffer *ret_json, struct neap_error *error)
{
    struct ring_case at;
    int code;

    (void)verb;
    if (argc < 2)
        return error_set(error, NEAP_INVALID,
                         "plan create|join|leave|replace|weight|show|commit|clear|skip RING ...");
    code = ring_case_open(&at, node, argv[1], error);
    if (!code)
        code = plan_words(&at, argv[0], argc - 2, argv + 2, ret_json, error);
    ring_case_done(&at);
    return code;
}
