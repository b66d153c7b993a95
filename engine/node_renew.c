/* A node's own certificate is made anew while it is still good: by itself where the CA's key is,
 * else by a peer that has it. A thread of its own looks now and then, since who is asked may take
 * his time. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/api_join.h"
#include "engine/node_renew.h"
#include "gossip/gossip.h"
#include "gossip/net.h"
#include "trust/credentials.h"
#include "trust/directory.h"
#include "trust/keep.h"

enum { LOOK_MS = 60000, ASK_MS = 3000 };

/* ---- whom to ask ---- */

struct places {
    char addresses[PEERS_MAX][sizeof(((struct peer_status *)NULL)->address)];
    size_t count;
};

/* Nodes with an address; those that are connected come first. */
static void places_look(void *arg, struct engine *engine)
{
    struct places *places = arg;
    size_t peers = engine->gossip ? gossip_peers(engine->gossip) : 0;

    for (int connected = 1; connected >= 0; connected--)
        for (size_t i = 0; i < peers && places->count < PEERS_MAX; i++) {
            struct peer_status peer;

            gossip_peer_status(engine->gossip, i, &peer);
            if (peer.connected == connected && peer.address[0] &&
                strncmp(peer.principal, "device/", 7) != 0)
                snprintf(places->addresses[places->count++], sizeof places->addresses[0], "%s",
                         peer.address);
        }
}

static bool is_closing(struct node *node)
{
    bool closing;

    node_lock(node);
    closing = node->closing;
    node_unlock(node);
    return closing;
}

/* Most have no CA's key, and say so: what went wrong with the others says more. */
static int peers_ask(struct node *node, const struct renew_asking *asking, struct neap_error *error)
{
    struct places places = {.count = 0};
    struct neap_error one = {0};
    int code = node_call(node, places_look, &places);

    if (code)
        return error_set(error, code, "%s", error_text(code));
    error_set(error, NEAP_UNAVAILABLE, "no peer is known that could be asked");
    for (size_t i = 0; i < places.count; i++) {
        if (is_closing(node))
            return error_set(error, NEAP_UNAVAILABLE, "the node is being closed");
        code = asking->ask(asking->arg, places.addresses[i], &one);
        if (!code)
            return 0;
        if (i == 0 || code != NEAP_REFUSED)
            error_set(error, code, "%.100s: %.150s", places.addresses[i], one.text);
    }
    return error->code;
}

static int ask_address(void *arg, const char *address, struct neap_error *error)
{
    const struct node *node = arg;
    struct issued issued;
    int code = join_renew(address, node->directory, ASK_MS, &issued, error);

    if (!code)
        issued_done(&issued);
    return code;
}

/* ---- one look ---- */

static int renew(struct node *node, uint64_t now_s, const struct renew_asking *asking,
                 struct neap_error *error)
{
    struct issued issued;
    int code;

    if (keep_has(node->directory, CREDENTIALS_CA_KEY)) {
        code = directory_renew(node->directory, now_s, &issued, error);
        if (!code)
            issued_done(&issued);
    } else {
        code = peers_ask(node, asking, error);
    }
    if (!code && node->net && node->net->ops->reload)
        code = node->net->ops->reload(node->net, error);
    return code;
}

static void renew_note(void *arg, struct engine *engine)
{
    const struct renewal *renewal = arg;

    if (renewal->why[0])
        engine_note(engine, NEAP_REFUSED, renewal->why);
    else
        trace(engine->trace, "this node's certificate is renewed");
}

void node_renew(struct node *node, const struct renew_asking *asking)
{
    uint64_t now_s = node->clock->ops->wall_ms(node->clock) / 1000;
    struct renew_asking ours = {ask_address, node};
    struct renewal renewal;
    struct neap_error error = {0};
    bool due = false;

    node_lock(node);
    renewal = node->renewal;
    node_unlock(node);
    if (renewal_look(&renewal, node->directory, now_s, &due, &error)) {
        snprintf(renewal.why, sizeof renewal.why, "%.150s", error.text);
    } else if (due) {
        if (renew(node, now_s, asking ? asking : &ours, &error)) {
            renewal_failed(&renewal, now_s, error.text);
        } else {
            renewal_succeeded(&renewal, now_s);
            (void)renewal_look(&renewal, node->directory, now_s, &due, &error);
        }
        (void)node_call(node, renew_note, &renewal);
    }
    node_lock(node);
    node->renewal = renewal;
    node_unlock(node);
}

/* ---- the thread ---- */

static void *renew_main(void *arg)
{
    struct node *node = arg;

    node_lock(node);
    while (!node->closing) {
        uint64_t until;

        node_unlock(node);
        node_renew(node, NULL);
        until = node_now(node).mono_ms + LOOK_MS;
        node_lock(node);
        while (!node->closing && node_sleep(node, &node->renew_cond, until))
            ;
    }
    node_unlock(node);
    return NULL;
}

int node_renew_start(struct node *node)
{
    int error;

    if (!node->directory || !node->net || !node->net->ops->reload)
        return 0;
    error = node_thread(&node->renewer, renew_main, node);
    node->renews = !error;
    return error;
}

void node_renew_stop(struct node *node)
{
    node_lock(node);
    must(node->closing);
    must(!pthread_cond_signal(&node->renew_cond));
    node_unlock(node);
    if (node->renews)
        must(!pthread_join(node->renewer, NULL));
    node->renews = false;
}
