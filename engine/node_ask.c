#include "engine/node_ask.h"

#include "base/error.h"

static int ask_error(const struct node *node, int code, struct neap_error *error)
{
    if (code == NEAP_REFUSED)
        return error_set(error, code, "this node is alone: there is nobody to ask");
    if (code == NEAP_NOTFOUND)
        return error_set(error, code, "there is no such peer");
    if (code == NEAP_BUSY)
        return error_set(error, code, "%d questions to other nodes are under way already",
                         ASKS_MAX);
    if (code == NEAP_UNAVAILABLE)
        return error_set(error, code, "the node is being closed");
    if (atomic_load(&node->stopped))
        return error_set(error, code, "%s", node->wheel.error.text); /* written before, and once */
    return error_set(error, code, "asking other nodes: %s", error_text(code));
}

int node_ask(struct node *node, struct ask *ask, uint32_t timeout_ms, struct neap_error *error)
{
    int code = NEAP_REFUSED;

    ask->until_ms = node_now(node).mono_ms + (timeout_ms ? timeout_ms : ASK_MS);
    /* Without a net there is no service thread, and nobody to end it. */
    if (node->has_gossip && node->net)
        code = node_run_ask(node, ask);
    return code ? ask_error(node, code, error) : 0;
}
