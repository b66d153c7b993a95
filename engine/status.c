#include "engine/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/explain.h"
#include "engine/hot.h"
#include "store/hole.h"
#include "store/merkle.h"
#include "store/tally.h"

enum { PROBLEM_MAX = 600 };

json_t *json_text(const char *text)
{
    json_t *json = json_string(text);
    char plain[512];

    if (json)
        return json;
    snprintf(plain, sizeof plain, "%s", text);
    for (char *at = plain; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return json_string(plain);
}

json_t *json_hex(uint64_t number)
{
    char text[17];

    snprintf(text, sizeof text, "%016" PRIx64, number);
    return json_string(text);
}

json_t *json_number(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

/* Jansson forgets that a key could not be written, so that is kept here. */
struct dump {
    struct buffer *text;
    int error;
};

static int json_piece(const char *text, size_t size, void *arg)
{
    struct dump *dump = arg;

    if (!dump->error)
        dump->error = buffer_append(dump->text, slice_of(text, size));
    return dump->error ? -1 : 0;
}

int json_into(json_t *json, struct buffer *ret_text)
{
    struct dump dump = {.text = ret_text};
    int failed;

    buffer_clear(ret_text);
    failed = !json || json_dump_callback(json, json_piece, &dump, JSON_COMPACT) || dump.error;
    json_decref(json);
    if (!failed)
        return 0;
    buffer_clear(ret_text);
    return NEAP_NOMEM;
}

/* Jansson's setters take NULL for a failure and hand it on, so one look at the end is enough. */
struct object {
    json_t *json;
    bool failed;
};

static struct object object_new(void)
{
    json_t *json = json_object();

    return (struct object){json, !json};
}

static void put(struct object *object, const char *name, json_t *value)
{
    if (json_object_set_new(object->json, name, value))
        object->failed = true;
}

static void put_number(struct object *object, const char *name, uint64_t number)
{
    put(object, name, json_number(number));
}

static void put_text(struct object *object, const char *name, const char *text)
{
    put(object, name, text ? json_text(text) : json_null());
}

static json_t *object_end(struct object *object)
{
    if (!object->failed)
        return object->json;
    json_decref(object->json);
    return NULL;
}

/* Takes over the item. False: no memory, and the array is gone. */
static bool array_add(json_t **array, json_t *item)
{
    if (!json_array_append_new(*array, item))
        return true;
    json_decref(*array);
    *array = NULL;
    return false;
}

static json_t *context_json(const struct context *context)
{
    json_t *array = json_array();

    for (size_t i = 0; i < context->count; i++) {
        struct object entry = object_new();

        put(&entry, "replica", json_hex(context->entries[i].id));
        put_number(&entry, "n", context->entries[i].n);
        if (!array_add(&array, object_end(&entry)))
            break;
    }
    return array;
}

/* Damage comes first: the rest follows from it. */
static const char *problem_of(const struct gossip *gossip, const struct shard *shard,
                              char ret_text[PROBLEM_MAX])
{
    const struct hole *hole = shard->holes;

    if (shard->holes_count == 0)
        return gossip ? gossip_problem(gossip, shard->id) : NULL;
    snprintf(ret_text, PROBLEM_MAX,
             "%s: %zu range%s of keys can't be read before a peer gives %s%s%s", shard->name,
             shard->holes_count, shard->holes_count == 1 ? "" : "s",
             shard->holes_count == 1 ? "it" : "them", hole->cause[0] ? ": " : "", hole->cause);
    return ret_text;
}

static json_t *time_json(uint64_t wall_ms)
{
    return wall_ms ? json_number(wall_ms) : json_null();
}

/* What peers have of a bucket, and since when that is known. */
static json_t *equals_json(const struct shard *shard, const struct gossip *gossip, struct now now)
{
    json_t *array = json_array();
    size_t count = gossip ? gossip_peers(gossip) : 0;

    for (size_t i = 0; i < count; i++) {
        struct object peer = object_new();
        struct equal_status equal;

        gossip_equal(gossip, shard, i, now, &equal);
        put_text(&peer, "address", equal.address);
        put(&peer, "node", equal.node ? json_hex(equal.node) : json_null());
        put_text(&peer, "state", equal_state_text(equal.state));
        put(&peer, "equal_ms", time_json(equal.equal_ms));
        put(&peer, "differs_ms", time_json(equal.differs_ms));
        if (!array_add(&array, object_end(&peer)))
            break;
    }
    return array;
}

/* One that is hot, and how many are in it, once that is known. */
static json_t *hot_json(const struct shard *shard, const struct heat_place *place,
                        uint64_t changes)
{
    struct object object = object_new();
    struct path_cursor cursor;
    struct path_level level = {0};
    uint64_t count = 0;
    int unknown = tally_get(shard, slice_of(place->name, place->size), &count);

    path_cursor_init(&cursor, slice_of(place->name + sizeof count, place->size - sizeof count));
    if (path_cursor_level(&cursor, &level))
        object.failed = true;
    put(&object, "key", json_slice(level.name));
    put_text(&object, "type", type_find(level.type) ? type_find(level.type)->name : "unknown");
    put_number(&object, "changes", changes);
    put(&object, "elements", unknown ? json_null() : json_number(count));
    put(&object, "big", json_boolean(!unknown && count >= HOT_BIG));
    path_cursor_done(&cursor);
    return object_end(&object);
}

static json_t *hots_json(const struct shard *shard, struct now now)
{
    const struct heat_place *place;
    json_t *array = json_array();
    uint64_t changes;

    for (size_t i = 0;
         shard->heat && (place = heat_nth(shard->heat, now.mono_ms, i, &changes)) != NULL; i++) {
        if (place->shard == shard->id && !array_add(&array, hot_json(shard, place, changes)))
            break;
    }
    return array;
}

static json_t *bucket_json(const struct shard *shard, const struct gossip *gossip, struct now now)
{
    struct object bucket = object_new(), counts = object_new();
    char problem[PROBLEM_MAX];

    put_text(&bucket, "name", shard->name);
    put(&bucket, "id", json_hex(shard->id));
    put(&bucket, "replica", json_hex(shard->replica));
    put(&bucket, "confirmed", json_boolean(shard->confirmed));
    put(&bucket, "context", context_json(&shard->context));
    put(&bucket, "horizon", context_json(&shard->horizon));
    put_number(&bucket, "ids", shard->context.count);
    put_number(&bucket, "ids_max", CONTEXT_IDS_MAX);
    put_text(&bucket, "problem", problem_of(gossip, shard, problem));
    put_number(&bucket, "damaged", shard->holes_count);
    put_number(&bucket, "log", shard_log_count(shard));
    put_number(&bucket, "residues", shard->residues_count);
    put(&bucket, "siblings",
        shard->tree && shard->tree->ready ? json_number(shard->tree->now.siblings) : json_null());
    put(&bucket, "hot", hots_json(shard, now));
    put(&bucket, "comparing", json_boolean(shard->session.id));
    put(&bucket, "peers", equals_json(shard, gossip, now));
    put_number(&counts, "events_own", shard->counts.events_own);
    put_number(&counts, "events_taken", shard->counts.events_taken);
    put_number(&counts, "duplicates", shard->counts.duplicates);
    put_number(&counts, "behind", shard->counts.behind);
    put_number(&counts, "healed", shard->counts.healed);
    put_number(&counts, "redotted", shard->counts.redotted);
    put_number(&counts, "compares", shard->counts.compares);
    put_number(&counts, "compares_resumed", shard->counts.compares_resumed);
    put_number(&counts, "cells_given", shard->counts.cells_given);
    put_number(&counts, "cells_taken", shard->counts.cells_taken);
    put_number(&counts, "stamps_ahead", shard->counts.stamps_ahead);
    put(&bucket, "counts", object_end(&counts));
    return object_end(&bucket);
}

static json_t *buckets_json(const struct store *store, const struct gossip *gossip, struct now now)
{
    json_t *array = json_array();

    for (size_t i = 0; i < store->shards_count; i++) {
        if (!array_add(&array, bucket_json(store->shards[i], gossip, now)))
            break;
    }
    return array;
}

static json_t *peer_json(const struct peer_status *status, struct now now)
{
    struct object peer = object_new();

    put_text(&peer, "address", status->address);
    put(&peer, "node", status->node ? json_hex(status->node) : json_null());
    put(&peer, "connected", json_boolean(status->connected));
    put(&peer, "heard_ms_ago",
        status->heard_ms ? json_number(now.mono_ms - status->heard_ms) : json_null());
    put_number(&peer, "pushes", status->pushes);
    put_number(&peer, "pulls", status->pulls);
    put_number(&peer, "compares", status->compares);
    put_number(&peer, "behind", status->behind);
    put_number(&peer, "lag", status->lag);
    put(&peer, "retired", json_boolean(status->retired));
    put_text(&peer, "principal", strcmp(status->principal, "nobody") ? status->principal : NULL);
    put_number(&peer, "refused", status->refused);
    put_text(&peer, "member", status->is_member ? member_state_text(status->state) : NULL);
    put(&peer, "member_ms_ago",
        status->is_member ? json_number(now.mono_ms - status->state_ms) : json_null());
    put(&peer, "incarnation", status->is_member ? json_number(status->incarnation) : json_null());
    put_text(&peer, "last_error", status->last_error[0] ? status->last_error : NULL);
    return object_end(&peer);
}

/* All that are known of, and what this node is to them. */
static json_t *members_json(const struct gossip *gossip, struct now now)
{
    json_t *array = json_array();
    size_t count = gossip ? gossip_members(gossip) : 0;

    for (size_t i = 0; i < count; i++) {
        struct object object = object_new();
        struct swim_member member;

        gossip_member(gossip, i, &member);
        put(&object, "node", json_hex(member.node));
        put_text(&object, "state", member_state_text(member.state));
        put_number(&object, "ms_ago", now.mono_ms - member.since_ms);
        put_number(&object, "incarnation", member.incarnation);
        put(&object, "linked", json_boolean(member.linked));
        if (!array_add(&array, object_end(&object)))
            break;
    }
    return array;
}

static json_t *peers_json(const struct gossip *gossip, struct now now)
{
    json_t *array = json_array();
    size_t count = gossip ? gossip_peers(gossip) : 0;

    for (size_t i = 0; i < count; i++) {
        struct peer_status status;

        gossip_peer_status(gossip, i, &status);
        if (!array_add(&array, peer_json(&status, now)))
            break;
    }
    return array;
}

/* Links that ended: what the protocol found wrong, then what the door did. */
static json_t *links_json(const struct gossip *gossip, struct net *net)
{
    struct object links = object_new();
    const char *name;
    uint64_t count;

    for (size_t i = 0; gossip && gossip_count(gossip, i, &name, &count); i++)
        put_number(&links, name, count);
    for (size_t i = 0; net && net->ops->count && net->ops->count(net, i, &name, &count); i++)
        put_number(&links, name, count);
    return object_end(&links);
}

/* The latest who were not let in: `number` grows with each, so that a watcher sees what is new. */
static json_t *refused_json(struct net *net)
{
    json_t *array = json_array();
    struct net_refused refused;

    for (size_t i = 0; net && net->ops->refused && net->ops->refused(net, i, &refused); i++) {
        struct object entry = object_new();

        put_number(&entry, "number", refused.number);
        put_number(&entry, "times", refused.times);
        put_text(&entry, "from", refused.from);
        put_text(&entry, "reason", refused.reason);
        if (!array_add(&array, object_end(&entry)))
            break;
    }
    return array;
}

static uint64_t refused_number(struct net *net)
{
    struct net_refused refused;
    uint64_t number = 0;

    for (size_t i = 0; net && net->ops->refused && net->ops->refused(net, i, &refused); i++)
        number = refused.number > number ? refused.number : number;
    return number;
}

static json_t *trees_json(const struct engine *engine)
{
    struct object trees = object_new();

    put_number(&trees, "builds", engine->trees.builds);
    put_number(&trees, "scrubbed", engine->trees.scrubbed);
    put_number(&trees, "differed", engine->trees.differed);
    put_text(&trees, "last_healed", engine->gossip ? gossip_healed(engine->gossip) : NULL);
    return object_end(&trees);
}

/* What nodes bring each other up to date with. */
static json_t *bulk_json(const struct gossip *gossip)
{
    struct object bulk = object_new();
    struct flow_status flow = {0};

    if (gossip)
        gossip_flow_status(gossip, &flow);
    put_number(&bulk, "bytes_per_s_max", flow.bulk_max);
    put_number(&bulk, "bytes_taken", flow.bytes_taken);
    put_number(&bulk, "bytes_given", flow.bytes_given);
    put_number(&bulk, "questions_held", flow.held);
    put_number(&bulk, "questions_refused", flow.refused);
    return object_end(&bulk);
}

static json_t *counts_json(const struct engine_counts *counts)
{
    struct object object = object_new();

    put_number(&object, "writes", counts->writes);
    put_number(&object, "writes_repeated", counts->repeats);
    put_number(&object, "events", counts->events);
    put_number(&object, "turns", counts->turns);
    put_number(&object, "syncs", counts->syncs);
    put_number(&object, "errors", counts->errors);
    return object_end(&object);
}

/* Something could not be read since the disk was opened, whoever met it. */
static json_t *disk_error_json(const struct store *store)
{
    struct disk *disk = disk_holes_under(store->disk);
    struct neap_error error = {0};

    disk->ops->error(disk, &error);
    return error.code == NEAP_CORRUPT || error.code == NEAP_IO ? json_text(error.text)
                                                               : json_null();
}

/* NULL: this node has none, or nobody has looked yet. */
static json_t *certificate_json(const struct renewal *renewal, struct now now)
{
    struct object certificate = object_new();
    uint64_t now_s = now.wall_ms / 1000;
    char problem[RENEWAL_TEXT_MAX];
    bool bad = renewal_problem(renewal, now_s, problem);

    put_number(&certificate, "from", renewal->span.from_s * 1000);
    put_number(&certificate, "until", renewal->span.until_s * 1000);
    put(&certificate, "days_left", json_integer(renewal_days(renewal, now_s)));
    put_number(&certificate, "renewed", renewal->renewed);
    put_text(&certificate, "problem", bad ? problem : NULL);
    return object_end(&certificate);
}

json_t *status_json(const struct wheel *wheel, struct now now, const struct status_extra *extra)
{
    const struct engine *engine = &wheel->engine;
    const struct identity *identity = &engine->store.identity;
    struct object status = object_new();
    const struct roster_row *own = engine->gossip ? gossip_own(engine->gossip) : NULL;
    unsigned doubt = 0;

    put_text(&status, "version", neap_version());
    put(&status, "node", json_hex(identity->node));
    put_text(&status, "name", own ? own->name : NULL);
    put_text(&status, "zone", own ? own->zone : NULL);
    put(&status, "life", json_hex(identity->life));
    put_text(&status, "life_reason", identity_reason_text(identity->reason));
    put(&status, "life_is_new", json_boolean(identity->fresh_life));
    put(&status, "suspect", json_boolean(extra->suspect));
    put(&status, "cluster", extra->cluster ? json_hex(extra->cluster) : json_null());
    put_text(&status, "path", extra->path);
    put(&status, "readonly", json_boolean(extra->readonly));
    put(&status, "isolated", json_boolean(extra->isolated));
    put_text(&status, "stopped", wheel->stopped ? wheel->error.text : NULL);
    put(&status, "disk_error", disk_error_json(&engine->store));
    put(&status, "unsynced", json_boolean(engine->unsynced_since != 0));
    put(&status, "buckets", buckets_json(&engine->store, engine->gossip, now));
    put(&status, "peers", peers_json(engine->gossip, now));
    put(&status, "members", members_json(engine->gossip, now));
    put(&status, "incarnation",
        engine->gossip ? json_number(gossip_incarnation(engine->gossip, &doubt)) : json_null());
    put_number(&status, "doubt", doubt);
    put(&status, "links", links_json(engine->gossip, wheel->net));
    put(&status, "refused", refused_json(wheel->net));
    put_number(&status, "net_events_dropped", extra->net_drops);
    put_number(&status, "client_requests_refused", extra->clients_refused);
    put_text(&status, "last_refused", engine->gossip ? gossip_refused(engine->gossip) : NULL);
    put(&status, "certificate",
        extra->renewal.span.until_s ? certificate_json(&extra->renewal, now) : json_null());
    put(&status, "trees", trees_json(engine));
    put(&status, "bulk", bulk_json(engine->gossip));
    put(&status, "counts", counts_json(&engine->counts));
    put_text(&status, "last_error", engine->error.text[0] ? engine->error.text : NULL);
    return object_end(&status);
}

struct totals {
    uint64_t log, ids_max, problems, residues, siblings, taken, healed, redotted, compares;
    uint64_t resumed, given, got, lag, connected, members[MEMBER_STATE_END];
};

static struct totals totals_of(const struct engine *engine)
{
    struct totals totals = {0};
    size_t peers = engine->gossip ? gossip_peers(engine->gossip) : 0;

    for (size_t i = 0; i < engine->store.shards_count; i++) {
        const struct shard *shard = engine->store.shards[i];
        char problem[PROBLEM_MAX];

        totals.log += shard_log_count(shard);
        if (shard->context.count > totals.ids_max)
            totals.ids_max = shard->context.count;
        totals.problems += problem_of(engine->gossip, shard, problem) != NULL;
        totals.residues += shard->residues_count;
        totals.siblings += shard->tree ? shard->tree->now.siblings : 0;
        totals.taken += shard->counts.events_taken;
        totals.healed += shard->counts.healed;
        totals.redotted += shard->counts.redotted;
        totals.compares += shard->counts.compares;
        totals.resumed += shard->counts.compares_resumed;
        totals.given += shard->counts.cells_given;
        totals.got += shard->counts.cells_taken;
    }
    for (size_t i = 0; engine->gossip && i < gossip_members(engine->gossip); i++) {
        struct swim_member member;

        gossip_member(engine->gossip, i, &member);
        totals.members[member.state]++;
    }
    for (size_t i = 0; i < peers; i++) {
        struct peer_status status;

        gossip_peer_status(engine->gossip, i, &status);
        totals.connected += status.connected;
        if (status.lag > totals.lag)
            totals.lag = status.lag;
    }
    return totals;
}

int status_numbers(const struct wheel *wheel, const struct status_extra *extra,
                   int (*each)(void *arg, const char *name, uint64_t number), void *arg)
{
    const struct engine *engine = &wheel->engine;
    struct totals totals = totals_of(engine);
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {
        {"writes", engine->counts.writes},
        {"writes_repeated", engine->counts.repeats},
        {"events", engine->counts.events},
        {"turns", engine->counts.turns},
        {"syncs", engine->counts.syncs},
        {"errors", engine->counts.errors},
        {"stopped", wheel->stopped != 0},
        {"buckets", engine->store.shards_count},
        {"log_entries", totals.log},
        {"buckets_with_problems", totals.problems},
        {"replica_ids_max", totals.ids_max},
        {"residues", totals.residues},
        {"siblings", totals.siblings},
        {"events_taken", totals.taken},
        {"dots_healed", totals.healed},
        {"events_redotted", totals.redotted},
        {"compares", totals.compares},
        {"compares_resumed", totals.resumed},
        {"cells_given", totals.given},
        {"cells_taken", totals.got},
        {"shards_scrubbed", engine->trees.scrubbed},
        {"shards_differed", engine->trees.differed},
        {"expired_removed", engine->expiring.removed},
        {"expiry_ahead_ms", engine->store.expiry.clock - engine->store.expiry.wall},
        {"peers", engine->gossip ? gossip_peers(engine->gossip) : 0},
        {"peers_connected", totals.connected},
        {"peers_lag_max", totals.lag},
        {"members_suspect", totals.members[MEMBER_SUSPECT]},
        {"members_dead", totals.members[MEMBER_DEAD]},
        {"queue_events", extra->queue},
        {"client_requests_waiting", extra->clients},
        {"net_events_dropped", extra->net_drops},
        {"links_refused", refused_number(wheel->net)},
        {"client_requests_refused", extra->clients_refused},
    };
    int error = 0;
    const char *name;
    uint64_t count;

    for (size_t i = 0; !error && i < sizeof numbers / sizeof *numbers; i++)
        error = each(arg, numbers[i].name, numbers[i].number);
    for (size_t i = 0; engine->gossip && !error && gossip_count(engine->gossip, i, &name, &count);
         i++) {
        char link[80];

        snprintf(link, sizeof link, "links.%s", name);
        error = each(arg, link, count);
    }
    for (size_t i = 0; wheel->net && wheel->net->ops->count && !error &&
                       wheel->net->ops->count(wheel->net, i, &name, &count);
         i++) {
        char link[80];

        snprintf(link, sizeof link, "links.%s", name);
        error = each(arg, link, count);
    }
    return error;
}
