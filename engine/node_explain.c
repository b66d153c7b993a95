/* Why an object is as it is: this node looks, and asks all others to. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/explain.h"
#include "engine/node_ask.h"
#include "engine/node_explain.h"
#include "engine/status.h"

enum { EXPLAIN_WORDS = 2, EXPLAIN_NAMES_MAX = PEERS_MAX + PROMISES_MAX + 1 };

/* ---- words ---- */

static int bucket_and_key(struct explaining *explaining, const char *verb, int argc,
                          const char *const argv[])
{
    if (argc < EXPLAIN_WORDS)
        return error_set(explaining->error, NEAP_INVALID, "%s: BUCKET KEY [TYPE|any [FIELD...]]",
                         verb);
    if (bucket_name_check(argv[0]))
        return error_set(explaining->error, NEAP_INVALID, "%s: %.100s: not a name of a bucket",
                         verb, argv[0]);
    if (argc > EXPLAIN_WORDS + 1 + NEAP_DEPTH_MAX)
        return error_set(explaining->error, NEAP_LIMIT, "%s: more than %d fields", verb,
                         NEAP_DEPTH_MAX);
    explaining->explain.bucket = argv[0];
    explaining->explain.key = argv[1];
    explaining->shard = bucket_id(argv[0]);
    return 0;
}

static int type_word(const char *word, unsigned *ret_type)
{
    const struct type *found;

    *ret_type = 0;
    if (!word || !strcmp(word, "any"))
        return 0;
    found = type_named(word);
    *ret_type = found ? found->type : 0;
    return found ? 0 : NEAP_INVALID;
}

static int explain_words(struct explaining *explaining, const char *verb, int argc,
                         const char *const argv[])
{
    struct neap_bytes fields[NEAP_DEPTH_MAX];
    struct neap_place place = {.fields = fields};
    char names[TYPES_TEXT_MAX];
    unsigned type;
    int error = bucket_and_key(explaining, verb, argc, argv);

    if (error)
        return error;
    if (type_word(argc > EXPLAIN_WORDS ? argv[2] : NULL, &type)) {
        type_names(", ", names, sizeof names);
        return error_set(explaining->error, NEAP_INVALID, "%s: %.60s: no type; there are: any, %s",
                         verb, argv[2], names);
    }
    place.bucket = argv[0];
    place.key = (struct neap_bytes){argv[1], strlen(argv[1])};
    for (int i = EXPLAIN_WORDS + 1; i < argc; i++)
        fields[place.fields_count++] = (struct neap_bytes){argv[i], strlen(argv[i])};
    error = path_place(&explaining->prefix, &place, type);
    if (!error)
        error = look_question(explaining->shard, buffer_slice(&explaining->prefix),
                              &explaining->question);
    if (error == NEAP_INVALID || error == NEAP_LIMIT)
        return error_set(explaining->error, error, "%s: not a key: %s", verb, error_text(error));
    return error;
}

/* ---- here, on the wheel's thread ---- */

static struct explain_name *name_add(struct explaining *explaining, uint64_t replica)
{
    struct explain *explain = &explaining->explain;
    struct explain_name *name = &explain->names[explain->names_count];

    if (!replica || explain->names_count == EXPLAIN_NAMES_MAX)
        return NULL;
    for (size_t i = 0; i < explain->names_count; i++)
        if (explain->names[i].replica == replica)
            return NULL;
    *name = (struct explain_name){.replica = replica};
    explain->names_count++;
    return name;
}

static int names_here(struct explaining *explaining, const struct shard *shard)
{
    struct explain *explain = &explaining->explain;
    struct explain_name *name;

    explain->names = mem_new_array(EXPLAIN_NAMES_MAX, sizeof *explain->names);
    if (!explain->names)
        return NEAP_NOMEM;
    name = shard ? name_add(explaining, shard->replica) : NULL;
    if (name)
        name->here = true;
    for (size_t i = 0; i < explain->sides_count; i++) {
        const struct look_peer *peer = &explain->sides[i].peer;

        name = name_add(explaining, peer->replica);
        if (!name)
            continue;
        name->node = peer->node;
        snprintf(name->address, sizeof name->address, "%s", peer->address);
    }
    for (size_t i = 0; shard && i < shard->promises_count; i++) {
        name = name_add(explaining, shard->promises[i].replica);
        if (name)
            name->node = shard->promises[i].node;
    }
    return 0;
}

static int peers_here(struct explaining *explaining, const struct engine *engine)
{
    struct explain *explain = &explaining->explain;
    size_t count = engine->gossip ? gossip_peers(engine->gossip) : 0;
    int error = 0;

    explain->sides = mem_new_array(count + 1, sizeof *explain->sides);
    if (!explain->sides)
        return NEAP_NOMEM;
    for (size_t i = 0; i < count && !error; i++) {
        error = look_peer(engine->gossip, explaining->shard, i, &explain->sides[i].peer);
        if (!error)
            explain->sides_count++;
    }
    return error;
}

int explain_here(struct explaining *explaining, struct engine *engine, const struct shard *shard)
{
    struct explain_side *here = &explaining->explain.here;
    int error = peers_here(explaining, engine);

    if (!error)
        error = names_here(explaining, shard);
    if (error || !shard)
        return error;
    /* What is said names events: durable first (rule 8). */
    engine->wants_sync = true;
    here->peer.replica = shard->replica;
    here->has_look = true;
    return context_copy(&here->context, &shard->context);
}

static int look_inside(struct explaining *explaining, struct engine *engine)
{
    const struct shard *shard = store_find(&engine->store, explaining->shard);
    struct view view = {.disk = engine->store.disk};
    int error = explain_here(explaining, engine, shard);

    if (error || !shard)
        return error;
    return look_answer(shard, &view, buffer_slice(&explaining->question), &explaining->answer);
}

static void look_call(void *arg, struct engine *engine)
{
    struct explaining *explaining = arg;

    explaining->code = look_inside(explaining, engine);
}

/* ---- there ---- */

static struct explain_side *side_find(struct explain *explain, const struct ask_answer *answer)
{
    for (size_t i = 0; i < explain->sides_count; i++) {
        const struct look_peer *peer = &explain->sides[i].peer;

        if (answer->node ? peer->node == answer->node
                         : !peer->node && !strcmp(peer->address, answer->address))
            return &explain->sides[i];
    }
    return NULL;
}

static const char *why_not(const struct ask_answer *answer)
{
    if (answer->end != ASK_TOLD)
        return ask_end_text(answer->end);
    switch (answer->code) {
    case NEAP_NOTFOUND:
        return "it does not have this bucket";
    case NEAP_BUSY:
        return "the two have just met, or it may not tell of its events yet: ask again";
    case NEAP_CORRUPT:
        return "it cannot read it: its disk is damaged there";
    case NEAP_FORMAT:
        return "it is of a version that does not know this question";
    default:
        return error_text(answer->code);
    }
}

int explain_answer(struct explaining *explaining, const struct ask_answer *answer)
{
    struct explain_side *side = side_find(&explaining->explain, answer);
    struct explain_name *name;
    int error;

    if (!side)
        return 0; /* it came this moment */
    if (answer->end != ASK_TOLD || answer->code) {
        side->why = why_not(answer);
        side->unheld = answer->end == ASK_UNHELD;
        return 0;
    }
    error = look_read(buffer_slice(&explaining->prefix), buffer_slice(&answer->bytes), &side->look);
    if (error == NEAP_NOMEM)
        return error;
    if (error) {
        side->why = "its answer makes no sense";
        return 0;
    }
    side->has_look = true;
    name = name_add(explaining, side->look.replica);
    if (name) {
        name->node = answer->node;
        snprintf(name->address, sizeof name->address, "%s", answer->address);
    }
    return context_copy(&side->context, &answer->context);
}

static int others_ask(struct explaining *explaining)
{
    struct ask *ask = &explaining->ask;
    int error;

    if (!explaining->explain.sides_count)
        return 0;
    ask->kind = ASK_LOOK;
    ask->shard = explaining->shard;
    ask->bytes = buffer_slice(&explaining->question);
    error = node_ask(explaining->node, ask, 0, explaining->error);
    for (size_t i = 0; i < ask->count && !error; i++)
        error = explain_answer(explaining, &ask->answers[i]);
    for (size_t i = 0; i < explaining->explain.sides_count && !error; i++) {
        struct explain_side *side = &explaining->explain.sides[i];

        if (side->has_look)
            continue;
        if (!side->why)
            side->why = "not asked";
        error = context_copy(&side->context, &side->peer.context);
    }
    return error;
}

/* ---- all ---- */

void explain_init(struct explaining *explaining, struct node *node, bool differing_only,
                  struct neap_error *error)
{
    *explaining = (struct explaining){
        .node = node, .error = error, .explain = {.differing_only = differing_only}};
    buffer_init(&explaining->prefix, NEAP_PATH_MAX);
    buffer_init(&explaining->question, ASK_QUESTION_MAX);
    buffer_init(&explaining->answer, ASK_ANSWER_MAX);
}

void explain_side_done(struct explain_side *side)
{
    look_peer_done(&side->peer);
    context_done(&side->context);
    look_done(&side->look);
}

void explain_done(struct explaining *explaining)
{
    struct explain *explain = &explaining->explain;

    explain_side_done(&explain->here);
    for (size_t i = 0; i < explain->sides_count; i++)
        explain_side_done(&explain->sides[i]);
    mem_free(explain->sides);
    mem_free(explain->names);
    ask_done(&explaining->ask);
    buffer_done(&explaining->prefix);
    buffer_done(&explaining->question);
    buffer_done(&explaining->answer);
}

static int explain_run(struct explaining *explaining, const char *verb)
{
    struct node *node = explaining->node;
    struct explain *explain = &explaining->explain;
    struct neap_error text = {0};
    int error = node_call(node, look_call, explaining);

    if (!error)
        error = explaining->code;
    if (error == NEAP_CORRUPT) {
        node->disk->ops->error(node->disk, &text);
        return error_set(explaining->error, error, "%s: %.200s", verb, text.text);
    }
    if (error)
        return error;
    if (explain->here.has_look)
        error = look_read(buffer_slice(&explaining->prefix), buffer_slice(&explaining->answer),
                          &explain->here.look);
    else
        explain->here.look.whole = true;
    if (!error)
        error = others_ask(explaining);
    explain->now_ms = node_now(node).mono_ms;
    return error;
}

static bool is_nowhere(const struct explain *explain)
{
    bool nowhere = !explain->here.look.count;

    for (size_t i = 0; i < explain->sides_count; i++)
        nowhere &= !explain->sides[i].look.count;
    return nowhere;
}

int node_explain(struct node *node, const char *verb, int argc, const char *const argv[],
                 struct buffer *ret_json, struct neap_error *error)
{
    struct explaining explaining;
    int code;

    explain_init(&explaining, node, !strcmp(verb, "diff"), error);
    code = explain_words(&explaining, verb, argc, argv);
    if (!code)
        code = explain_run(&explaining, verb);
    if (!code && is_nowhere(&explaining.explain))
        code = error_set(error, NEAP_NOTFOUND,
                         "%s: %.60s has no such object here, nor at any peer that answers", verb,
                         argv[0]);
    if (!code)
        code = json_into(explain_json(&explaining.explain), ret_json);
    explain_done(&explaining);
    return code;
}
