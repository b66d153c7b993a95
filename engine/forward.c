#include "engine/forward.h"

#include "base/broken.h"
#include "base/error.h"
#include "store/store.h"

void forward_init(struct forward *forward, bool changes, const char *const *names,
                  size_t names_count, uint64_t until_ms)
{
    *forward =
        (struct forward){.ask = {.kind = ASK_CALL, .names = names, .names_count = names_count},
                         .changes = changes,
                         .until_ms = until_ms};
    buffer_init(&forward->question, MESSAGE_SIZE_MAX);
}

void forward_done(struct forward *forward)
{
    ask_done(&forward->ask);
    buffer_done(&forward->question);
}

int forward_ask(struct forward *forward, struct slice request, uint64_t now_ms)
{
    struct ask *ask = &forward->ask;
    int error;

    ask_done(ask);
    if (forward->tried_count == FORWARD_TRIES_MAX || now_ms >= forward->until_ms)
        return NEAP_END;
    error = call_question(forward->until_ms - now_ms, request, &forward->question);
    if (error)
        return error;
    *ask = (struct ask){.kind = ASK_CALL,
                        .shard = ask->names_count ? bucket_id(ask->names[0]) : 0,
                        .names = ask->names,
                        .names_count = ask->names_count,
                        .tried = forward->tried,
                        .tried_count = forward->tried_count,
                        .bytes = buffer_slice(&forward->question),
                        /* The one who is asked says by itself that time is over. */
                        .until_ms = forward->until_ms + FORWARD_SLACK_MS};
    return 0;
}

static const char *forward_name(const struct forward *forward)
{
    return forward->ask.names_count ? forward->ask.names[0] : "what the token names";
}

/* Nobody (more) can be asked. */
static bool forward_nobody(struct forward *forward)
{
    if (!forward->error.code && forward->ask.names_count > 1)
        error_set(&forward->error, NEAP_UNAVAILABLE,
                  "%.60s: this node does not hold the bucket, and no node is connected that holds "
                  "all %zu of this batch: nothing was done",
                  forward_name(forward), forward->ask.names_count);
    else if (!forward->error.code)
        error_set(&forward->error, NEAP_UNAVAILABLE,
                  "%.60s: this node does not hold it, and no node that does is connected: nothing "
                  "was done",
                  forward_name(forward));
    return true;
}

static bool forward_failed(struct forward *forward, int code)
{
    switch (code) {
    case NEAP_NOTFOUND:
    case NEAP_END:
        return forward_nobody(forward);
    case NEAP_BUSY:
        error_set(&forward->error, code, "%d calls are handed on to other nodes already",
                  ASKS_CALL_MAX);
        return true;
    case NEAP_LIMIT:
        error_set(&forward->error, code,
                  "%.60s: this node does not hold the bucket, and the call is over %d bytes, too "
                  "large to be handed on",
                  forward_name(forward), CALL_SIZE_MAX);
        return true;
    case NEAP_REFUSED:
        error_set(&forward->error, code, "%.60s: this node does not subscribe to the bucket",
                  forward_name(forward));
        return true;
    default:
        error_set(&forward->error, code, "handing on: %s",
                  code == NEAP_UNAVAILABLE ? "the node is being closed" : error_text(code));
        return true;
    }
}

/* It went out, and nobody says what became of it. */
static bool forward_unknown(struct forward *forward, const char *why)
{
    if ((forward->changes && !BROKEN("forward-twice")) || BROKEN("forward-none")) {
        error_set(&forward->error, NEAP_UNCERTAIN,
                  "%.60s: handed on to %016llx, which holds it: %s: it may have been done",
                  forward_name(forward), (unsigned long long)forward->ask.answers[0].node, why);
        return true;
    }
    error_set(&forward->error, NEAP_UNAVAILABLE, "%.60s: handed on to %016llx, which holds it: %s",
              forward_name(forward), (unsigned long long)forward->ask.answers[0].node, why);
    return false;
}

static bool forward_told(struct forward *forward, struct ask_answer *answer,
                         struct buffer *ret_reply)
{
    switch (answer->code) {
    case 0:
        forward->error = (struct neap_error){0};
        buffer_done(ret_reply);
        *ret_reply = answer->bytes;
        buffer_init(&answer->bytes, 0);
        return true;
    case NEAP_BUSY:
        error_set(&forward->error, NEAP_BUSY,
                  "%.60s: %016llx, which holds it, is busy with calls of other nodes: nothing was "
                  "done",
                  forward_name(forward), (unsigned long long)answer->node);
        return false;
    default: /* STALE: not any more, or not yet; FORMAT: it is older */
        if (!forward->error.code)
            error_set(&forward->error, NEAP_UNAVAILABLE,
                      "%.60s: no node that is connected holds it: nothing was done",
                      forward_name(forward));
        return false;
    }
}

bool forward_look(struct forward *forward, int code, struct buffer *ret_reply)
{
    struct ask_answer *answer = forward->ask.count ? &forward->ask.answers[0] : NULL;

    if (!answer)
        return forward_failed(forward, code ? code : NEAP_NOTFOUND);
    if (forward->tried_count < FORWARD_TRIES_MAX)
        forward->tried[forward->tried_count++] = answer->node;
    if (answer->end == ASK_TOLD)
        return forward_told(forward, answer, ret_reply);
    if (answer->end == ASK_AWAY)
        return false; /* nothing was sent */
    if (code && !forward->changes)
        return forward_failed(forward, code);
    return forward_unknown(forward, ask_end_text(answer->end));
}
