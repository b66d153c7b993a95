/* Verbs of long work: tasks, task, scrub, repair. */
#include <string.h>

#include "base/error.h"
#include "engine/node.h"
#include "engine/status.h"
#include "engine/task.h"

struct task_call {
    struct node *node;
    struct task_id id;
    enum task_order order;
    uint64_t shard;
    const struct task *backup; /* NULL: none runs */
    json_t *json;              /* out */
    int code;
};

/* ---- tasks ---- */

/* The backup that runs, if one does. */
static const struct task *backup_task(struct node *node, struct task *ret_task)
{
    bool runs;

    node_lock(node);
    runs = node->backup_runs;
    *ret_task = (struct task){.kind = TASK_BACKUP,
                              .state = TASK_RUNS,
                              .done = node->backup_done,
                              .total = node->backup_total,
                              .since_ms = node->backup_began_ms};
    node_unlock(node);
    return runs ? ret_task : NULL;
}

static void tasks_look(void *arg, struct engine *engine)
{
    struct task_call *call = arg;

    call->json = tasks_json(engine, node_now(call->node), call->backup);
}

int node_tasks(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error)
{
    struct task backup;
    struct task_call call = {.node = node, .backup = backup_task(node, &backup)};
    int code = node_call_always(node, tasks_look, &call);

    (void)word;
    (void)error;
    return code ? code : json_into(call.json, ret_json);
}

/* ---- task pause|resume|cancel ID ---- */

static int order_read(const char *word, enum task_order *ret_order)
{
    static const char *const words[] = {
        [TASK_PAUSE] = "pause", [TASK_RESUME] = "resume", [TASK_CANCEL] = "cancel"};

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], word)) {
            *ret_order = (enum task_order)i;
            return 0;
        }
    return NEAP_INVALID;
}

static int backup_order(struct node *node, enum task_order order)
{
    bool runs;

    node_lock(node);
    runs = node->backup_runs;
    if (order == TASK_CANCEL)
        node->backup_cancelled = true;
    node_unlock(node);
    if (!runs)
        return NEAP_NOTFOUND;
    return order == TASK_CANCEL ? 0 : NEAP_REFUSED;
}

static void order_look(void *arg, struct engine *engine)
{
    struct task_call *call = arg;

    call->code = task_order(engine, node_now(call->node), &call->id, call->order);
}

static int order_error(const char *order, const char *id, int code, struct neap_error *error)
{
    if (code == NEAP_NOTFOUND)
        return error_set(error, code, "task %s: nothing of the name %.280s: see tasks", order, id);
    if (code == NEAP_REFUSED)
        return error_set(error, code, "task %s: %.280s: not for this kind: %s", order, id,
                         strcmp(order, "cancel") ? "it can only be cancelled"
                                                 : "a tree that is missing is built in any case, "
                                                   "it can only be paused");
    return error_set(error, code, "task %s: %s", order, error_text(code));
}

int node_task(struct node *node, const char *verb, int argc, const char *const argv[],
              struct buffer *ret_json, struct neap_error *error)
{
    struct task_call call = {.node = node};
    int code;

    (void)verb;
    if (argc != 2 || order_read(argv[0], &call.order))
        return error_set(error, NEAP_INVALID, "task: pause, resume or cancel, and the name of one");
    if (task_id_read(argv[1], &call.id))
        return error_set(
            error, NEAP_INVALID,
            "task: %.280s is no name: there are pull:BUCKET, compare:BUCKET, "
            "repair:BUCKET, heal:BUCKET, build:BUCKET, scrub:BUCKET, scrub, ask:NUMBER, backup",
            argv[1]);
    if (call.id.kind == TASK_BACKUP) {
        code = backup_order(node, call.order);
    } else {
        code = node_call(node, order_look, &call);
        if (!code)
            code = call.code;
    }
    if (code)
        return order_error(argv[0], argv[1], code, error);
    return json_into(json_pack("{so, ss}", "id", json_text(argv[1]), "order", argv[0]), ret_json);
}

/* ---- scrub, repair ---- */

static int bucket_read(const char *verb, const char *word, uint64_t *ret_shard,
                       struct neap_error *error)
{
    *ret_shard = 0;
    if (!word)
        return 0;
    if (bucket_name_check(word))
        return error_set(error, NEAP_INVALID, "%s: %.100s: not a name of a bucket", verb, word);
    *ret_shard = bucket_id(word);
    return 0;
}

static void scrub_look(void *arg, struct engine *engine)
{
    struct task_call *call = arg;

    call->code = task_scrub(engine, call->shard);
}

int node_scrub(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error)
{
    struct task_call call = {.node = node};
    int code = bucket_read("scrub", word, &call.shard, error);

    if (code)
        return code;
    if (node->readonly)
        return error_set(error, NEAP_REFUSED, "scrub: the directory was opened for reading only");
    code = node_call(node, scrub_look, &call);
    if (!code)
        code = call.code;
    if (code == NEAP_REFUSED)
        return error_set(error, code, "scrub: this node is alone, and keeps no trees to check by");
    if (code == NEAP_NOTFOUND)
        return error_set(error, code, "scrub: no bucket %.100s here", word);
    if (code == NEAP_BUSY)
        return error_set(error, code, "scrub: %.100s is being read already: see tasks", word);
    if (code)
        return code;
    return json_into(json_pack("{so}", "scrub", word ? json_text(word) : json_string("all")),
                     ret_json);
}

struct repair_call {
    struct repair_wish wish;
    json_t *json; /* out */
    int code;
};

static void repair_look(void *arg, struct engine *engine)
{
    struct repair_call *call = arg;

    call->code = task_repair(engine, &call->wish, &call->json);
}

/* [BUCKET|- [from PEER] [budget N] [resume]] */
static int wish_read(int argc, const char *const argv[], struct repair_wish *wish,
                     struct neap_error *error)
{
    const char *bucket = argc && strcmp(argv[0], "-") ? argv[0] : NULL;
    int code = bucket_read("repair", bucket, &wish->shard, error);

    for (int i = 1; i < argc && !code; i++) {
        bool more = i + 1 < argc;

        if (!strcmp(argv[i], "resume"))
            wish->resume = true;
        else if (more && !strcmp(argv[i], "from"))
            wish->peer = argv[++i];
        else if (more && !strcmp(argv[i], "budget") &&
                 !setting_parse(SETTING_bulk_max, argv[i + 1], &wish->bytes_per_s) &&
                 wish->bytes_per_s)
            i++;
        else
            code = error_set(error, NEAP_INVALID,
                             "repair: %.60s: there are from PEER, budget N (bytes a second, also "
                             "as 500k or 2m), and resume",
                             argv[i]);
    }
    return code;
}

int node_repair(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error)
{
    struct repair_call call = {.code = 0};
    int code = wish_read(argc, argv, &call.wish, error);

    (void)verb;
    if (code)
        return code;
    code = node_call(node, repair_look, &call);
    if (!code)
        code = call.code;
    if (code == NEAP_REFUSED)
        return error_set(error, code,
                         "repair: this node is alone: there is nobody to compare with");
    if (code == NEAP_NOTFOUND)
        return error_set(error, code, "repair: no bucket %.100s here", argv[0]);
    if (code == NEAP_INVALID)
        return error_set(error, code, "repair: %.100s is no peer's address, and no peer's node",
                         call.wish.peer);
    return code ? code : json_into(call.json, ret_json);
}
