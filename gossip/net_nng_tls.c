/* Door: links with TLS. Handshakes run on nng's threads without the mutex, for they take
 * milliseconds; what comes after takes microseconds and runs with it. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "gossip/net_nng.h"

/* ---- limits, and what is counted ---- */

static size_t links_of_owner(const struct net_nng *net, const struct link *link)
{
    size_t count = 0;

    for (const struct link *other = net->links; other; other = other->next)
        if (other->counted && other->side == link->side && other->tls && !other->dead &&
            principal_equal(tls_principal(other->tls), tls_principal(link->tls)))
            count++;
    return count;
}

enum net_fault link_count(struct link *link)
{
    struct net_nng *net = link->net;
    unsigned *count = &net->accepted_count[link->side == NET_CLIENT];
    unsigned max = net->links_max[link->side == NET_CLIENT], share = max / OWNER_SHARE;

    if (link->id < NET_ACCEPTED)
        return NET_FAULT_NONE;
    if (*count >= max)
        return NET_FAULT_LINKS;
    if (link->tls && links_of_owner(net, link) >= (share > OWNER_MIN ? share : OWNER_MIN))
        return NET_FAULT_OWNER;
    link->counted = true;
    ++*count;
    return NET_FAULT_NONE;
}

void link_uncount(struct link *link)
{
    struct net_nng *net = link->net;

    if (link->counted)
        net->accepted_count[link->side == NET_CLIENT]--;
    if (link->guarded)
        guard_end(&net->guard, &link->source, !link->up, nng_clock());
    link->counted = link->guarded = false;
}

void net_refusal(struct net_nng *net, const char *from, const char *reason)
{
    struct net_refused *refused = NULL;

    for (size_t i = 0; i < net->refused_count && !refused; i++)
        if (!strcmp(net->refused[i].from, from) && !strcmp(net->refused[i].reason, reason))
            refused = &net->refused[i];
    if (!refused && net->refused_count < NET_REFUSED_MAX) {
        refused = &net->refused[net->refused_count++];
    } else if (!refused) {
        refused = &net->refused[0];
        for (size_t i = 1; i < NET_REFUSED_MAX; i++)
            if (net->refused[i].number < refused->number)
                refused = &net->refused[i];
        refused->times = 0;
    }
    if (refused->times == 0) {
        snprintf(refused->from, sizeof(refused->from), "%s", from);
        snprintf(refused->reason, sizeof(refused->reason), "%s", reason);
    }
    refused->times++;
    refused->number = ++net->refused_number;
}

bool net_refused(struct net *base, size_t index, struct net_refused *ret_refused)
{
    struct net_nng *net = (struct net_nng *)base;
    bool there;

    nng_mtx_lock(net->mutex);
    there = index < net->refused_count;
    if (there)
        *ret_refused = net->refused[index];
    nng_mtx_unlock(net->mutex);
    return there;
}

bool net_tls_count(struct net_nng *net, size_t index, const char **ret_name, uint64_t *ret_count)
{
    static const char *const names[3][TLS_FAULT_COUNT] = {
#define X(name, text) [TLS_##name] = "dialled_tls_" #name,
        [NET_DIALED] = {TLS_FAULTS(X)},
#undef X
#define X(name, text) [TLS_##name] = "tls_" #name,
        [NET_PEER] = {TLS_FAULTS(X)},
#undef X
#define X(name, text) [TLS_##name] = "client_tls_" #name,
        [NET_CLIENT] = {TLS_FAULTS(X)},
#undef X
    };
    size_t side = index / (TLS_FAULT_COUNT - 1), fault = index % (TLS_FAULT_COUNT - 1) + 1;

    if (side > NET_CLIENT || !net->credentials)
        return false;
    *ret_name = names[side][fault];
    nng_mtx_lock(net->mutex);
    *ret_count = net->tls_faults[side][fault];
    nng_mtx_unlock(net->mutex);
    return true;
}

static struct slice intake_slice(const struct intake *intake)
{
    if (intake->start == intake->end)
        return slice_of(NULL, 0);
    return slice_of(intake->bytes + intake->start, intake->end - intake->start);
}

/* ---- the handshake ---- */

int link_tls(struct link *link)
{
    struct net_nng *net = link->net;
    struct clock *clock = clock_os();
    struct tls_options options = {.credentials = net->credentials,
                                  .server = link->id >= NET_ACCEPTED,
                                  .wall_ms = clock->ops->wall_ms(clock),
                                  .is_revoked = net->is_revoked,
                                  .is_revoked_arg = net->is_revoked_arg};

    link->checked = net->rechecks;
    return tls_new(&options, &link->tls);
}

/* Is its owner revoked, as of now? Lets go of the mutex. */
static bool link_is_revoked(struct link *link)
{
    struct net_nng *net = link->net;
    bool revoked;

    link->checked = net->rechecks;
    link->pinned++;
    nng_mtx_unlock(net->mutex);
    revoked = net->is_revoked && net->is_revoked(net->is_revoked_arg, tls_principal(link->tls));
    nng_mtx_lock(net->mutex);
    link->pinned--;
    return revoked;
}

void link_rise(struct link *link)
{
    struct net_nng *net = link->net;
    struct net_event event = {.kind = NET_UP, .link = link->id, .side = link->side};

    /* Between the question in the handshake and now the answer may have become another. */
    while (link->tls && !link->dead && link->checked != net->rechecks)
        if (link_is_revoked(link))
            link_down(link, NET_FAULT_REVOKED, NULL);
    if (link->dead)
        return;
    if (link->tls && principal_copy(tls_principal(link->tls), &event.principal)) {
        link_down(link, NET_FAULT_MEMORY, NULL);
        return;
    }
    link->up = true;
    if (link->guarded)
        guard_end(&net->guard, &link->source, false, nng_clock());
    link->guarded = false;
    nng_mtx_unlock(net->mutex);
    net_post(net, &event);
    nng_mtx_lock(net->mutex);
}

/* The other side is told by TLS why; when that is sent, the link is over (sent()). */
static void link_refuse(struct link *link)
{
    struct net_nng *net = link->net;

    net->tls_faults[link->side][tls_fault(link->tls)]++;
    tls_reason(link->tls, link->reason);
    link->ending = true;
    link_flush(link);
    if (!link->send_busy)
        link_down(link, NET_FAULT_NONE, link->reason);
}

/* Whom a certificate names as a client is one, wherever he connected. */
static void link_take_side(struct link *link)
{
    enum principal_kind kind = tls_principal(link->tls)->kind;

    if (link->side == NET_PEER && kind == PRINCIPAL_CLIENT)
        link->side = NET_CLIENT;
    link->is_token = kind == PRINCIPAL_JOIN;
}

void link_shake(struct link *link)
{
    struct net_nng *net = link->net;
    struct intake *raw = &link->raw;
    enum tls_progress progress;
    enum net_fault fault;

    if (link->dead || link->ending)
        return;
    link->working = true;
    nng_mtx_unlock(net->mutex);
    tls_input(link->tls, intake_slice(raw));
    progress = tls_run(link->tls);
    nng_mtx_lock(net->mutex);
    link->working = false;
    raw->start = raw->end - tls_input_left(link->tls);
    if (link->dead)
        return;
    switch (progress) {
    case TLS_GOES_ON:
        link_flush(link);
        break;
    case TLS_FAILED:
        link_refuse(link);
        break;
    case TLS_IS_UP:
        link_take_side(link);
        fault = link_count(link);
        if (fault)
            link_down(link, fault, NULL);
        else
            link_rise(link);
        link_flush(link);
        break;
    }
}

/* ---- afterwards ---- */

bool link_unseal(struct link *link, enum net_fault *ret_fault)
{
    struct intake *raw = &link->raw, *input = &link->input;
    size_t count = 0;
    int error;

    if (!link->tls || !link->up)
        return false;
    if (!intake_reserve(input, link->trusted ? RECEIVE_LARGE : RECEIVE_SMALL)) {
        *ret_fault = NET_FAULT_MEMORY;
        return false;
    }
    if (input->end == input->room)
        return false;
    tls_input(link->tls, intake_slice(raw));
    error = tls_read(link->tls, input->bytes + input->end, input->room - input->end, &count);
    raw->start = raw->end - tls_input_left(link->tls);
    if (error && error != NEAP_UNAVAILABLE) { /* that one hangs up in a moment */
        *ret_fault = error == NEAP_NOMEM ? NET_FAULT_MEMORY : NET_FAULT_TLS;
        return false;
    }
    input->end += count;
    return count > 0;
}

/* A fault here shows to whoever receives. */
void link_seal(struct link *link)
{
    if (link->working)
        return;
    while (link->up && link->out_first) {
        struct outgoing *out = link->out_first;
        size_t count;

        if (tls_write(link->tls, slice_of(out->bytes + link->out_done, out->size - link->out_done),
                      &count)) {
            nng_stream_close(link->stream);
            break;
        }
        if (count == 0)
            break;
        link_sent(link, count);
    }
    buffer_done(&link->sealed);
    link->sealed_done = 0;
    tls_output(link->tls, &link->sealed);
}

int net_who(struct net *base, uint64_t id, struct principal *ret_principal)
{
    struct net_nng *net = (struct net_nng *)base;
    struct principal nobody = {0};
    struct link *link;
    int error = NEAP_NOTFOUND;

    nng_mtx_lock(net->mutex);
    link = net_link_find(net, id);
    if (link && link->up)
        error = principal_copy(link->tls ? tls_principal(link->tls) : &nobody, ret_principal);
    nng_mtx_unlock(net->mutex);
    return error;
}

/* A pinned link stays in the list, so the walk goes on from it. */
void net_recheck(struct net *base)
{
    struct net_nng *net = (struct net_nng *)base;

    nng_mtx_lock(net->mutex);
    net->rechecks++;
    for (struct link *link = net->links; link && !net->stopping; link = link->next)
        if (link->tls && link->up && !link->dead && link->checked != net->rechecks &&
            link_is_revoked(link))
            link_down(link, NET_FAULT_REVOKED, NULL);
    nng_mtx_unlock(net->mutex);
    net_reap(net);
}

/* Links under way hold the old ones for as long as they need them. */
int net_reload(struct net *base, struct neap_error *error)
{
    struct net_nng *net = (struct net_nng *)base;
    struct credentials *before, *after;
    int code;

    if (!net->credentials || !credentials_directory(net->credentials))
        return 0;
    nng_mtx_lock(net->mutex);
    before = credentials_hold(net->credentials);
    nng_mtx_unlock(net->mutex);
    code = credentials_reload(before, &after, error);
    credentials_close(before);
    if (code)
        return code;
    nng_mtx_lock(net->mutex);
    before = net->credentials;
    net->credentials = after;
    nng_mtx_unlock(net->mutex);
    credentials_close(before);
    return 0;
}
