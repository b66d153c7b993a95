/* Verb doctor: what the node has to say of itself, and what its machine has. */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/doctor.h"
#include "engine/node.h"
#include "engine/status.h"

struct doctor_call {
    struct node *node;
    struct status_extra extra;
    struct doctor_facts facts;
    json_t *status;
};

static void doctor_look(void *arg, struct engine *engine)
{
    struct doctor_call *call = arg;
    uint64_t stamped = hlc_wall_ms(engine->store.hlc.last), clock = engine->store.expiry.clock;

    call->facts.log_max = engine->gossip ? gossip_log_max(engine->gossip) : engine->log_max;
    call->facts.clock_seen = stamped > clock ? stamped : clock;
    call->facts.scrubs = engine->trees.scrub_ms != 0;
    call->status = status_json(&call->node->wheel, node_now(call->node), &call->extra);
}

/* What can't be told is no finding. */
static void machine_look(const struct node *node, struct doctor_facts *facts)
{
    struct rlimit limit;
    struct statvfs space;
    int file;

    if (node->path && !statvfs(node->path, &space)) {
        facts->disk_free = (uint64_t)space.f_bavail * space.f_frsize;
        facts->disk_total = (uint64_t)space.f_blocks * space.f_frsize;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return;
    /* A new one gets the lowest number that is free. */
    file = eventfd(0, EFD_CLOEXEC);
    facts->files_max = limit.rlim_cur;
    facts->files_used = file < 0 ? limit.rlim_cur : (uint64_t)file;
    if (file >= 0)
        (void)close(file);
}

int node_doctor(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error)
{
    struct doctor_call call = {.node = node, .extra = node_extra(node)};
    json_t *json;
    int code;

    (void)word;
    (void)error;
    call.facts.wall_ms = node_now(node).wall_ms;
    machine_look(node, &call.facts);
    code = node_call_always(node, doctor_look, &call);
    if (code)
        return code;
    json = call.status ? doctor_json(call.status, &call.facts) : NULL;
    json_decref(call.status);
    return json_into(json, ret_json);
}
