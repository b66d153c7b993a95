/* Who asks a node for a certificate. It is a worker thread that answers, since keys, signatures and
 * files take their time; one after the other, since a token works once. */
#include <stdio.h>

#include "base/error.h"
#include "engine/join.h"
#include "engine/node.h"
#include "trust/secret.h"

/* For the status and the trace: what became of it. */
struct join_said {
    char text[200];
    int code;
};

static void join_note(void *arg, struct engine *engine)
{
    const struct join_said *said = arg;

    if (said->code)
        engine_note(engine, said->code, said->text);
    else
        trace(engine->trace, "%s", said->text);
}

static void join_tell(struct node *node, const struct principal *who,
                      const struct neap_error *error)
{
    char name[PRINCIPAL_TEXT_MAX];
    struct join_said said = {.code = error->code};

    snprintf(said.text, sizeof said.text, "a certificate for %s: %.140s", principal_text(who, name),
             error->code ? error->text : "given");
    (void)node_call(node, join_note, &said);
}

static bool join_is_revoked(void *arg, const struct principal *who)
{
    return node_is_revoked(arg, who);
}

static int join_answer(struct node *node, const struct principal *who, struct slice message,
                       struct buffer *ret_answer, struct neap_error *ret_error)
{
    static const struct neap_error alone = {
        .code = NEAP_REFUSED, .text = "this node has no cluster directory, so it admits nobody"};
    struct admitting admitting = {.directory = node->directory,
                                  .now_s = node->clock->ops->wall_ms(node->clock) / 1000,
                                  .is_revoked = join_is_revoked,
                                  .arg = &node->sink};
    int code;

    if (!node->directory) {
        *ret_error = alone;
        return join_refuse(&alone, ret_answer);
    }
    must(!pthread_mutex_lock(&node->joining));
    code = join_serve(&admitting, who, message, ret_answer, ret_error);
    must(!pthread_mutex_unlock(&node->joining));
    return code;
}

/* The link gets no other message: it is not made ready again, and its deadline ends it. */
void node_join(struct node *node, uint64_t link, struct slice message)
{
    const struct net_ops *ops = node->net->ops;
    struct neap_error error = {0};
    struct principal who = {0};
    struct buffer answer = {0};
    int code = ops->who ? ops->who(node->net, link, &who) : 0;

    if (!code)
        code = join_answer(node, &who, message, &answer, &error);
    if (!code)
        code = ops->send(node->net, link, buffer_slice(&answer));
    secret_done(&answer);
    if (code)
        ops->close(node->net, link);
    else
        join_tell(node, &who, &error);
    principal_done(&who);
}
