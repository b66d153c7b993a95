/* Which cells of a bucket this node and a peer have otherwise, and why: a page of them. Trees say
 * where to look (gossip/verify.h, with what is under way); then both tell what they have of each
 * cell that seems to differ, and rule 3 says who misses what (engine/explain.h). So nothing is said
 * to differ that only changed between the two looks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/node_ask.h"
#include "engine/node_explain.h"
#include "engine/status.h"
#include "store/keys.h"

enum { DIFF_MS = 30000, DIFF_WORDS_LEAST = 2, DIFF_CURSOR_MAX = 2040 };

struct differing {
    struct explaining explaining; /* one side: the peer */
    const char *peer;
    uint64_t node; /* the peer's; 0: never met */
    size_t limit;
    struct buffer from, next; /* [bucket 8][path] */
    struct ask verify;
    struct slice paths[VERIFY_KEYS_MAX]; /* of verify's answer; borrowed */
    size_t paths_count, at;              /* those before have been looked at */
    const char *why, *whose;             /* it can't be told */
    json_t *cells;
    uint64_t differing, damaged, behind, ahead;
    bool failed; /* no memory for the document */
};

/* ---- words ---- */

static int cursor_read(const char *text, struct buffer *ret_cursor)
{
    uint8_t bytes[KEY_CURSOR_MAX];
    size_t size = strlen(text) / 2;

    if (size <= 8 || size > sizeof bytes || strlen(text) % 2 || !hex_read(text, bytes, size))
        return NEAP_INVALID;
    return buffer_append(ret_cursor, slice_of(bytes, size)) ? NEAP_INVALID : 0;
}

/* A word has 4096 characters; what a longer cursor begins with is before it. */
static json_t *cursor_json(struct slice cursor)
{
    char text[2 * DIFF_CURSOR_MAX + 1];

    if (!cursor.size)
        return json_null();
    hex_write(slice_of(cursor.data, cursor.size < DIFF_CURSOR_MAX ? cursor.size : DIFF_CURSOR_MAX),
              text);
    return json_string(text);
}

static int differing_words(struct differing *differing, const char *verb, int argc,
                           const char *const argv[])
{
    struct explaining *explaining = &differing->explaining;
    unsigned long long number = VERIFY_KEYS_MAX;
    char *end = NULL;

    if (argc < DIFF_WORDS_LEAST)
        return error_set(explaining->error, NEAP_INVALID, "%s: BUCKET PEER [LIMIT [FROM]]", verb);
    if (bucket_name_check(argv[0]))
        return error_set(explaining->error, NEAP_INVALID, "%s: %.100s: not a name of a bucket",
                         verb, argv[0]);
    if (argc > DIFF_WORDS_LEAST) {
        number = strtoull(argv[2], &end, 10);
        if (argv[2][0] < '0' || argv[2][0] > '9' || *end || !number || number > VERIFY_KEYS_MAX)
            return error_set(explaining->error, NEAP_INVALID,
                             "%s: %.60s: not a number of cells from 1 to %d", verb, argv[2],
                             VERIFY_KEYS_MAX);
    }
    if (argc > DIFF_WORDS_LEAST + 1 && cursor_read(argv[3], &differing->from))
        return error_set(explaining->error, NEAP_INVALID,
                         "%s: %.60s: not where an answer said that there is more", verb, argv[3]);
    differing->limit = (size_t)number;
    differing->peer = argv[1];
    explaining->explain.bucket = argv[0];
    explaining->shard = bucket_id(argv[0]);
    return 0;
}

/* ---- whom ---- */

static bool is_peer(const struct look_peer *peer, const char *word)
{
    char text[17];

    snprintf(text, sizeof text, "%016" PRIx64, peer->node);
    return !strcmp(peer->address, word) || (peer->node && !strcmp(text, word));
}

/* Of all sides the one that was named stays. */
static int side_choose(struct differing *differing)
{
    struct explain *explain = &differing->explaining.explain;
    size_t count = explain->sides_count, kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (!kept && is_peer(&explain->sides[i].peer, differing->peer)) {
            struct explain_side side = explain->sides[i];

            explain->sides[i] = explain->sides[0];
            explain->sides[0] = side;
            kept = 1;
        }
    }
    for (size_t i = kept; i < count; i++)
        explain_side_done(&explain->sides[i]);
    explain->sides_count = kept;
    if (!kept)
        return error_set(differing->explaining.error, NEAP_NOTFOUND,
                         "%.100s is no peer's address, and no peer's node", differing->peer);
    differing->node = explain->sides[0].peer.node;
    return 0;
}

static int begin_inside(struct differing *differing, struct engine *engine)
{
    struct explaining *explaining = &differing->explaining;
    const struct shard *shard = store_find(&engine->store, explaining->shard);

    if (!shard)
        return error_set(explaining->error, NEAP_NOTFOUND, "no bucket %.100s here",
                         explaining->explain.bucket);
    if (!engine->gossip)
        return error_set(explaining->error, NEAP_REFUSED,
                         "this node is alone: there is nobody to ask");
    return explain_here(explaining, engine, shard);
}

static void begin_call(void *arg, struct engine *engine)
{
    struct differing *differing = arg;

    differing->explaining.code = begin_inside(differing, engine);
}

/* ---- where ---- */

static int keys_ask(struct differing *differing)
{
    struct ask *ask = &differing->verify;
    const struct ask_answer *answer;
    const struct verify_result *result;
    int code;

    *ask = (struct ask){.kind = ASK_VERIFY,
                        .shard = differing->explaining.shard,
                        .node = differing->node,
                        .all = true,
                        .from = buffer_slice(&differing->from),
                        .keys_max = differing->limit};
    code = node_ask(differing->explaining.node, ask, DIFF_MS, differing->explaining.error);
    if (code)
        return code;
    answer = &ask->answers[0];
    result = answer->verified;
    if (!result || result->verdict == VERIFY_UNKNOWN || answer->end != ASK_TOLD) {
        bool reason = result && result->why && answer->end == ASK_SILENT;

        differing->why = reason ? verify_reason_text(result->why) : ask_end_text(answer->end);
        differing->whose = reason && !result->there ? "node" : "peer";
        return 0;
    }
    for (size_t i = 0; i < result->keys_count; i++)
        differing->paths[differing->paths_count++] =
            slice_of(result->paths.data + result->keys[i].at + 8, result->keys[i].size - 8);
    return buffer_set(&differing->next, buffer_slice(&result->end));
}

/* ---- what ---- */

static int cells_inside(struct differing *differing, struct engine *engine)
{
    struct explaining *explaining = &differing->explaining;
    const struct shard *shard = store_find(&engine->store, explaining->shard);
    struct explain_side *here = &explaining->explain.here;
    struct view view = {.disk = engine->store.disk};
    int error;

    if (!shard)
        return NEAP_NOTFOUND;
    engine->wants_sync = true; /* as explain_here() */
    error = context_copy(&here->context, &shard->context);
    return error ? error
                 : look_cells_answer(shard, &view, buffer_slice(&explaining->question),
                                     &explaining->answer);
}

static void cells_call(void *arg, struct engine *engine)
{
    struct differing *differing = arg;

    differing->explaining.code = cells_inside(differing, engine);
}

static int cells_here(struct differing *differing)
{
    struct explaining *explaining = &differing->explaining;
    struct node *node = explaining->node;
    struct neap_error text = {0};
    int error;

    buffer_clear(&explaining->answer);
    look_done(&explaining->explain.here.look);
    error = node_call(node, cells_call, differing);
    if (!error)
        error = explaining->code;
    if (error == NEAP_CORRUPT) {
        node->disk->ops->error(node->disk, &text);
        return error_set(explaining->error, error, "%.200s", text.text);
    }
    return error ? error
                 : look_read(slice_of(NULL, 0), buffer_slice(&explaining->answer),
                             &explaining->explain.here.look);
}

static int cells_there(struct differing *differing)
{
    struct explaining *explaining = &differing->explaining;
    struct explain_side *side = &explaining->explain.sides[0];
    struct ask *ask = &explaining->ask;
    int error;

    ask_done(ask);
    look_done(&side->look);
    side->has_look = false;
    *ask = (struct ask){.kind = ASK_CELLS,
                        .shard = explaining->shard,
                        .bytes = buffer_slice(&explaining->question),
                        .node = differing->node};
    error = node_ask(explaining->node, ask, 0, explaining->error);
    if (!error)
        error = explain_answer(explaining, &ask->answers[0]);
    if (!error && !side->has_look) {
        differing->why = side->why;
        differing->whose = "peer";
    }
    return error;
}

/* Paths that one of the two did not come to are asked for once more. The first is always told. */
static size_t cells_told(const struct differing *differing, size_t taken)
{
    const struct explain *explain = &differing->explaining.explain;
    const struct look *looks[] = {&explain->here.look, &explain->sides[0].look};

    for (size_t i = 0; i < 2; i++)
        while (!looks[i]->whole && taken > 1 &&
               slice_compare(differing->paths[differing->at + taken - 1], looks[i]->end) >= 0)
            taken--;
    return taken;
}

static void cells_add(struct differing *differing)
{
    json_t *json = explain_json(&differing->explaining.explain), *peer;

    if (!json || json_array_extend(differing->cells, json_object_get(json, "cells")))
        differing->failed = true;
    peer = json_array_get(json_object_get(json, "peers"), 0);
    differing->differing += (uint64_t)json_integer_value(json_object_get(json, "differing"));
    differing->damaged += (uint64_t)json_integer_value(json_object_get(json, "damaged"));
    differing->behind = (uint64_t)json_integer_value(json_object_get(peer, "behind"));
    differing->ahead = (uint64_t)json_integer_value(json_object_get(peer, "ahead"));
    json_decref(json);
}

static int cells_ask(struct differing *differing)
{
    struct explaining *explaining = &differing->explaining;
    size_t taken = 0;
    int error =
        look_cells_question(explaining->shard, differing->paths + differing->at,
                            differing->paths_count - differing->at, &explaining->question, &taken);

    if (!error)
        error = cells_here(differing);
    if (!error)
        error = cells_there(differing);
    if (error || differing->why)
        return error;
    cells_add(differing);
    differing->at += cells_told(differing, taken);
    return 0;
}

/* ---- all ---- */

static int differing_run(struct differing *differing)
{
    struct explaining *explaining = &differing->explaining;
    int error = node_call(explaining->node, begin_call, differing);

    if (!error)
        error = explaining->code;
    if (!error)
        error = side_choose(differing);
    if (error)
        return error;
    explaining->explain.now_ms = node_now(explaining->node).mono_ms;
    if (differing->node) {
        error = keys_ask(differing);
    } else {
        differing->why = ask_end_text(ASK_AWAY);
        differing->whose = "peer";
    }
    while (!error && !differing->why && differing->at < differing->paths_count)
        error = cells_ask(differing);
    return error;
}

static void put(struct differing *differing, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value))
        differing->failed = true;
}

static json_t *differing_json(struct differing *differing)
{
    const struct explain *explain = &differing->explaining.explain;
    const struct look_peer *peer = &explain->sides[0].peer;
    const struct verify_result *result =
        differing->verify.count ? differing->verify.answers[0].verified : NULL;
    bool unheld = differing->verify.count && differing->verify.answers[0].end == ASK_UNHELD;
    const char *verdict = differing->differing ? "differs" : differing->why ? "unknown" : "equal";
    json_t *json = json_object();

    put(differing, json, "bucket", json_text(explain->bucket));
    put(differing, json, "peer", json_text(peer->address));
    put(differing, json, "node", peer->node ? json_hex(peer->node) : json_null());
    put(differing, json, "verdict", json_string(unheld ? "not held" : verdict));
    put(differing, json, "why", differing->why ? json_text(differing->why) : json_null());
    put(differing, json, "whose", differing->whose ? json_text(differing->whose) : json_null());
    put(differing, json, "asked_ms",
        result && result->asked_ms ? json_number(result->asked_ms) : json_null());
    put(differing, json, "differing", json_number(differing->differing));
    put(differing, json, "damaged", json_number(differing->damaged));
    put(differing, json, "behind", json_number(differing->behind));
    put(differing, json, "ahead", json_number(differing->ahead));
    put(differing, json, "next", cursor_json(buffer_slice(&differing->next)));
    put(differing, json, "cells", json_incref(differing->cells));
    if (!differing->failed)
        return json;
    json_decref(json);
    return NULL;
}

static void differing_init(struct differing *differing, struct node *node, struct neap_error *error)
{
    explain_init(&differing->explaining, node, true, error);
    buffer_init(&differing->from, KEY_CURSOR_MAX);
    buffer_init(&differing->next, KEY_CURSOR_MAX);
    differing->cells = json_array();
    differing->failed = !differing->cells;
}

static void differing_free(struct differing *differing)
{
    explain_done(&differing->explaining);
    ask_done(&differing->verify);
    buffer_done(&differing->from);
    buffer_done(&differing->next);
    json_decref(differing->cells);
    mem_free(differing);
}

int node_differing(struct node *node, const char *verb, int argc, const char *const argv[],
                   struct buffer *ret_json, struct neap_error *error)
{
    struct differing *differing = mem_new(sizeof *differing);
    int code;

    if (!differing)
        return NEAP_NOMEM;
    differing_init(differing, node, error);
    code = differing_words(differing, verb, argc, argv);
    if (!code)
        code = differing_run(differing);
    if (!code)
        code = json_into(differing_json(differing), ret_json);
    differing_free(differing);
    return code;
}
