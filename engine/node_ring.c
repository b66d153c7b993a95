/* The verb ring: what this node knows of rings, their layouts, and who holds a move back. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/node_plan.h"
#include "engine/status.h"
#include "gossip/ring_pack.h"
#include "gossip/ring_track.h"
#include "gossip/system.h"

/* ---- shared ---- */

int ring_case_open(struct ring_case *at, struct node *node, const char *name,
                   struct neap_error *error)
{
    struct view view = {.disk = node->disk};
    int code;

    *at = (struct ring_case){.node = node, .name = name};
    if (name && ring_name_check(slice_text(name)))
        return error_set(error, NEAP_INVALID,
                         "%.70s: a ring's name is 1 to %d small letters, digits or '-'", name,
                         RING_NAME_MAX);
    code = rings_read(&view, node->wheel.engine.store.identity.node, &at->rings);
    if (!code && name)
        code = plan_read(&view, name, &at->plan);
    if (code == NEAP_CORRUPT)
        return error_set(error, code, "what is stored of rings can't be read");
    if (!code && name)
        at->ring = rings_find(&at->rings, slice_text(name));
    return code;
}

void ring_case_done(struct ring_case *at)
{
    rings_done(&at->rings);
    plan_done(&at->plan);
}

int ring_node_word(struct node *node, const char *word, struct roster_row *ret_row,
                   struct neap_error *error)
{
    struct view view = {.disk = node->disk};
    struct roster roster = {0};
    uint64_t id = 0;
    int code;

    *ret_row = (struct roster_row){.weight = PLAN_WEIGHT_USUAL};
    code = roster_read(&view, &roster);
    if (code)
        return code;
    code = roster_named(&roster, word, ret_row);
    roster_done(&roster);
    if (code != NEAP_NOTFOUND && code != NEAP_INVALID)
        return code;
    if (strlen(word) == 16 && hex_read_u64(word, &id) && id) {
        ret_row->node = id;
        return 0;
    }
    return error_set(error, NEAP_INVALID,
                     code == NEAP_INVALID
                         ? "%.60s: several nodes have that name: say which by its 16 hex digits"
                         : "%.60s: not a node: 16 hex digits, as `neap status` has them, or a name "
                           "of the member list",
                     word);
}

json_t *ring_id_json(uint64_t stamp)
{
    char text[32];

    snprintf(text, sizeof text, "%u-%08x", ring_version(stamp), (unsigned)(stamp & UINT32_MAX));
    return json_string(text);
}

bool json_add(json_t *array, json_t *item)
{
    return item && json_array_append_new(array, item) == 0;
}

/* ---- a ring ---- */

static json_t *layout_json(const struct ring *ring, size_t i)
{
    static const char *const steps[] = {"count", "sync", "read", "done"};
    const struct ring_layout *layout = &ring->layouts[i];
    uint64_t node = 0;
    enum ring_step step = ring_waits(ring, i, &node);
    json_t *json =
        json_pack("{sI, so, sb, sb, sI}", "version", (json_int_t)ring_version(layout->stamp), "id",
                  ring_id_json(layout->stamp), "superseded", layout->superseded, "read",
                  i == ring->reads, "nodes", (json_int_t)layout->layout.nodes_count);

    if (json && i > 0 && step != RING_STEP_DONE && !layout->superseded &&
        (json_object_set_new(json, "waits_for", json_hex(node)) ||
         json_object_set_new(json, "to", json_string(steps[step])))) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* As of the newest layout. Load and share in slots. */
static json_t *node_json(const struct ring *ring, uint64_t node, uint32_t weight)
{
    const struct ring_layout *newest = ring_newest(ring);
    const struct ring_track *track = ring_track_of(ring, node);
    const char *zone = ring_zone(newest, node);

    return json_pack("{so, ss*, sI, sI, sf, sI, sb}", "node", json_hex(node), "zone", zone,
                     "weight", (json_int_t)weight, "slots",
                     (json_int_t)layout_load(&newest->layout, node), "fair",
                     (double)plan_fair(&newest->layout, node) / 1000.0, "reads",
                     (json_int_t)(track ? ring_version(track->reads) : 0), "skipped",
                     ring_is_skipped(ring, node, newest->stamp));
}

/* Nodes of the newest layout, and those of older ones that are leaving. */
static json_t *nodes_json(const struct ring *ring)
{
    json_t *array = json_array();
    bool fine = array != NULL;

    for (size_t i = ring->layouts_count; fine && i-- > 0;) {
        const struct layout *table = &ring->layouts[i].layout;

        for (size_t k = 0; fine && k < table->nodes_count; k++) {
            bool later = false;

            for (size_t j = i + 1; j < ring->layouts_count; j++)
                later = later || ring_zone(&ring->layouts[j], table->nodes[k].id);
            if (!later)
                fine = json_add(
                    array, node_json(ring, table->nodes[k].id,
                                     i + 1 == ring->layouts_count ? table->nodes[k].weight : 0));
        }
    }
    if (fine)
        return array;
    json_decref(array);
    return NULL;
}

/* The most that a node holds, against its share by weight. */
static double balance(const struct layout *table)
{
    double most = 0;

    for (size_t i = 0; i < table->nodes_count; i++) {
        uint64_t fair = plan_fair(table, table->nodes[i].id);
        double load = layout_load(table, table->nodes[i].id) * 1000.0;

        if (fair && load / (double)fair > most)
            most = load / (double)fair;
    }
    return most;
}

static json_t *ring_json(const struct ring *ring)
{
    const struct ring_layout *newest = ring_newest(ring);
    json_t *layouts = json_array(), *json;
    bool fine = layouts != NULL;

    for (size_t i = 0; fine && i < ring->layouts_count; i++)
        fine = json_add(layouts, layout_json(ring, i));
    json = fine ? json_pack("{ss, sI, sI, sI, sI, sI, sI, sf, so, sO}", "ring", ring->name, "n",
                            (json_int_t)ring->n, "slots", (json_int_t)ring->slots, "version",
                            (json_int_t)ring_version(newest->stamp), "zones",
                            (json_int_t)newest->zones_count, "buckets",
                            (json_int_t)ring->buckets_count, "strange", (json_int_t)ring->strange,
                            "balance", balance(&newest->layout), "nodes", nodes_json(ring),
                            "layouts", layouts)
                : NULL;
    json_decref(layouts);
    return json;
}

static json_t *ids_json(const uint64_t *nodes, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < count; i++)
        if (!json_add(array, json_hex(nodes[i]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* Its owners, in the newest layout and in that which is read from. */
static json_t *slot_json(const struct ring *ring, unsigned slot)
{
    char name[RING_SHARD_NAME_MAX];
    uint64_t owners[LAYOUT_OWNERS_MAX], readers[LAYOUT_OWNERS_MAX], members[RING_MEMBERS_MAX];
    size_t count = ring_owners(ring_newest(ring), slot, owners);
    size_t readers_count = ring_owners(ring_reading(ring), slot, readers);
    size_t members_count = ring_members(ring, slot, members);

    return json_pack("{sI, ss, so, so, so}", "slot", (json_int_t)slot, "shard",
                     ring_shard_name(ring, slot, name), "owners", ids_json(owners, count), "read",
                     ids_json(readers, readers_count), "members", ids_json(members, members_count));
}

static json_t *slots_json(const struct ring *ring)
{
    json_t *array = json_array();
    bool fine = array != NULL;

    for (unsigned slot = 0; fine && slot < ring->slots; slot++)
        fine = json_add(array, slot_json(ring, slot));
    if (fine)
        return json_pack("{ss, so}", "ring", ring->name, "slots", array);
    json_decref(array);
    return NULL;
}

/* Names of buckets, from the set that a ring has of them. */
struct naming {
    json_t *array;
    size_t prefix; /* of each path: bytes of the set's own */
};

static int bucket_visit(void *arg, struct slice path, const struct cell *cell)
{
    struct naming *naming = arg;
    struct path_cursor walk;
    struct slice name;
    int error;

    (void)cell;
    path_cursor_init(&walk, slice_of(path.data + naming->prefix, path.size - naming->prefix));
    walk.last = NEAP_SET;
    error = path_cursor_element(&walk, &name);
    if (!error && !json_add(naming->array, json_stringn((const char *)name.data, name.size)))
        error = NEAP_NOMEM;
    path_cursor_done(&walk);
    return error;
}

static int buckets_of(const struct ring_case *at, struct buffer *ret_json)
{
    struct view view = {.disk = at->node->disk};
    struct naming naming = {.array = json_array()};
    struct buffer path;
    int code;

    buffer_init(&path, NEAP_PATH_MAX);
    code = naming.array ? ring_path(at->ring->name, RING_BUCKETS, 0, &path) : NEAP_NOMEM;
    naming.prefix = path.size;
    if (!code)
        code = system_each(&view, buffer_slice(&path), bucket_visit, &naming);
    if (!code)
        code = json_into(json_pack("{ss, sO}", "ring", at->ring->name, "buckets", naming.array),
                         ret_json);
    json_decref(naming.array);
    buffer_done(&path);
    return code;
}

static json_t *all_json(const struct rings *rings)
{
    json_t *array = json_array();
    bool fine = array != NULL;

    for (size_t i = 0; fine && i < rings->count; i++)
        fine = json_add(array, ring_json(&rings->rings[i]));
    if (fine)
        return json_pack("{so}", "rings", array);
    json_decref(array);
    return NULL;
}

/* ---- words ---- */

static int ring_of_key(const struct ring *ring, const char *bucket, const char *key,
                       struct buffer *ret_json, struct neap_error *error)
{
    struct slice placed;
    unsigned slot;

    if (!bucket_ring(bucket, &placed) || !slice_equal(placed, slice_text(ring->name)))
        return error_set(error, NEAP_INVALID, "ring: %.60s is not on the ring %s: NAME@%s", bucket,
                         ring->name, ring->name);
    slot = ring_slot(ring, bucket_id(bucket), slice_text(key));
    return json_into(slot_json(ring, slot), ret_json);
}

static int ring_words(const struct ring_case *at, int argc, const char *const argv[],
                      struct buffer *ret_json, struct neap_error *error)
{
    if (argc == 0)
        return json_into(all_json(&at->rings), ret_json);
    if (!at->ring)
        return error_set(error, NEAP_NOTFOUND, "ring: no ring %s is known here (yet)%s", at->name,
                         at->plan.count ? ": it is planned, see `neap plan show`" : "");
    if (argc == 1)
        return json_into(ring_json(at->ring), ret_json);
    if (argc == 2 && !strcmp(argv[1], "slots"))
        return json_into(slots_json(at->ring), ret_json);
    if (argc == 2 && !strcmp(argv[1], "buckets"))
        return buckets_of(at, ret_json);
    if (argc == 4 && !strcmp(argv[1], "key"))
        return ring_of_key(at->ring, argv[2], argv[3], ret_json, error);
    return error_set(error, NEAP_INVALID, "ring [RING [slots|buckets|key BUCKET KEY]]");
}

int node_ring(struct node *node, const char *verb, int argc, const char *const argv[],
              struct buffer *ret_json, struct neap_error *error)
{
    struct ring_case at;
    int code = ring_case_open(&at, node, argc > 0 ? argv[0] : NULL, error);

    (void)verb;
    if (!code)
        code = ring_words(&at, argc, argv, ret_json, error);
    ring_case_done(&at);
    return code;
}
