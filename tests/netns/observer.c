/* What a caller can read of a node that is at rest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/netns/drive.h"

struct neap_bytes bytes_of(const char *string)
{
    return (struct neap_bytes){string, strlen(string)};
}

const struct neap_place *at_key(struct at *at, const char *bucket, const char *key)
{
    const char *slash = strchr(key, '/');
    *at = (struct at){.place = {.bucket = bucket, .key = bytes_of(key)}};
    if (slash) {
        at->place.key.size = (size_t)(slash - key);
        at->field = bytes_of(slash + 1);
        at->place.fields = &at->field;
        at->place.fields_count = 1;
    }
    return &at->place;
}

/* At rest everything can be read. */
static struct neap *handle(struct cluster *cluster, size_t node)
{
    struct neap *neap = node_handle(cluster, node);
    if (!neap)
        cluster_fail(cluster, "node %s does not answer", node_name(node));
    return neap;
}

static void must_read(struct cluster *cluster, size_t node, int code)
{
    if (code)
        cluster_fail(cluster, "node %s: a read: %s: %s", node_name(node), neap_strerror(code),
                     cluster->error.code == code ? cluster->error.text : "");
}

/* With words for what goes wrong. */
#define LOOK(cluster) \
    (&(struct neap_call){.size = sizeof(struct neap_call), .ret_error = &(cluster)->error})

static void value_copy(char ret_value[HISTORY_TEXT], const void *data, size_t size)
{
    snprintf(ret_value, HISTORY_TEXT, "%.*s", (int)size, (const char *)data);
}

/* ---- the functions that checkers call ---- */

static struct cluster *cluster_of(struct replicas *replicas)
{
    return ((struct observer *)replicas)->cluster;
}

static int observer_count(struct replicas *replicas, size_t node, const char *bucket,
                          const char *key, int64_t *ret_value)
{
    struct cluster *cluster = cluster_of(replicas);
    struct at at;
    must_read(cluster, node,
              neap_counter_get(handle(cluster, node), at_key(&at, bucket, key), ret_value,
                               LOOK(cluster)));
    return 0;
}

static int observer_has(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                        const char *member)
{
    struct cluster *cluster = cluster_of(replicas);
    struct at at;
    int in = 0;
    must_read(cluster, node,
              neap_set_has(handle(cluster, node), at_key(&at, bucket, key), bytes_of(member), &in,
                           LOOK(cluster)));
    return in;
}

static int observer_flag(struct replicas *replicas, size_t node, const char *bucket,
                         const char *key)
{
    struct cluster *cluster = cluster_of(replicas);
    struct at at;
    int on = 0;
    must_read(cluster, node,
              neap_flag_get(handle(cluster, node), at_key(&at, bucket, key), &on, LOOK(cluster)));
    return on;
}

static int observer_value(struct replicas *replicas, size_t node, const char *bucket,
                          const char *key, char ret_value[HISTORY_TEXT])
{
    struct cluster *cluster = cluster_of(replicas);
    struct neap_buffer value = {0};
    struct at at;
    int code = neap_lww_get(handle(cluster, node), at_key(&at, bucket, key), &value, LOOK(cluster));
    if (code == NEAP_NOTFOUND)
        return 0;
    must_read(cluster, node, code);
    value_copy(ret_value, value.data, value.size);
    neap_buffer_free(&value);
    return 1;
}

static int observer_sibling(struct replicas *replicas, size_t node, const char *bucket,
                            const char *key, size_t index, char ret_value[HISTORY_TEXT])
{
    struct cluster *cluster = cluster_of(replicas);
    struct neap_iter *iter;
    struct neap_item item;
    struct at at;
    int code;
    must_read(cluster, node,
              neap_register_values(handle(cluster, node), at_key(&at, bucket, key), LOOK(cluster),
                                   &iter));
    do
        code = neap_next(iter, &item, 0);
    while (!code && index-- > 0);
    if (!code)
        value_copy(ret_value, item.value.data, item.value.size);
    neap_iter_free(iter);
    if (code != NEAP_END)
        must_read(cluster, node, code);
    return !code;
}

/* ---- all that there is ---- */

struct walk {
    struct cluster *cluster;
    size_t node;
    bool (*each)(void *arg, const char *bucket, const char *key, const struct neap_item *item);
    void *arg;
    bool over;
};

/* Each item of the iterator; of those that hold others, also these, which are all but sets. */
static void items_walk(struct walk *walk, struct neap_iter *iter, const char *bucket,
                       const char *above, bool are_keys)
{
    struct neap *neap = handle(walk->cluster, walk->node);
    struct neap_item item;
    struct neap_iter *inner;
    int code = 0;
    while (!walk->over && (code = neap_next(iter, &item, 0)) == 0) {
        char key[2 * HISTORY_TEXT];
        struct at at;
        walk->over = !walk->each(walk->arg, bucket, above, &item);
        if (!are_keys || (item.type != NEAP_SET && item.type != NEAP_MAP) || walk->over)
            continue;
        snprintf(key, sizeof key, "%.*s", (int)item.name.size, (const char *)item.name.data);
        must_read(walk->cluster, walk->node,
                  neap_items(neap, at_key(&at, bucket, key), item.type, (struct neap_bytes){0},
                             LOOK(walk->cluster), &inner));
        items_walk(walk, inner, bucket, key, false);
    }
    neap_iter_free(iter);
    if (code != NEAP_END)
        must_read(walk->cluster, walk->node, code);
}

static void node_walk(struct walk *walk)
{
    static const char *const buckets[] = {"b0", "b1", "bulk"};
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets && !walk->over; i++) {
        struct neap_iter *iter;
        must_read(walk->cluster, walk->node,
                  neap_keys(handle(walk->cluster, walk->node), buckets[i], (struct neap_bytes){0},
                            LOOK(walk->cluster), &iter));
        items_walk(walk, iter, buckets[i], "", true);
    }
}

struct all {
    bool (*each)(void *arg, enum record_kind kind, const char *bucket, const char *key,
                 const char *member);
    void *arg;
};

static bool all_each(void *arg, const char *bucket, const char *above, const struct neap_item *item)
{
    static const enum record_kind kinds[] = {[NEAP_ANY] = RECORD_KINDS,
                                             [NEAP_REGISTER] = RECORD_REGISTER_SET,
                                             [NEAP_LWW] = RECORD_LWW_SET,
                                             [NEAP_FLAG] = RECORD_FLAG_ON,
                                             [NEAP_COUNTER] = RECORD_COUNTER_ADD,
                                             [NEAP_SET] = RECORD_KINDS,
                                             [NEAP_MAP] = RECORD_KINDS};
    struct all *all = arg;
    enum record_kind kind;
    char name[HISTORY_TEXT], key[2 * HISTORY_TEXT];
    value_copy(name, item->name.data, item->name.size);
    if (!strcmp(bucket, "bulk"))
        return true;
    /* The items of a set have its type, as it has itself. */
    if (item->type == NEAP_SET)
        return !*above || all->each(all->arg, RECORD_SET_ADD, bucket, above, name);
    snprintf(key, sizeof key, "%s%s%s", above, *above ? "/" : "", name);
    kind = item->type < sizeof kinds / sizeof *kinds ? kinds[item->type] : RECORD_KINDS;
    return kind == RECORD_KINDS || all->each(all->arg, kind, bucket, key, "");
}

static void observer_all(struct replicas *replicas, size_t node,
                         bool (*each)(void *arg, enum record_kind kind, const char *bucket,
                                      const char *key, const char *member),
                         void *arg)
{
    struct all all = {each, arg};
    struct walk walk = {
        .cluster = cluster_of(replicas), .node = node, .each = all_each, .arg = &all};
    node_walk(&walk);
}

void observer_init(struct observer *observer, struct cluster *cluster)
{
    *observer = (struct observer){.replicas = {.count = observer_count,
                                               .has = observer_has,
                                               .flag = observer_flag,
                                               .value = observer_value,
                                               .sibling = observer_sibling,
                                               .all = observer_all},
                                  .cluster = cluster};
}

/* ---- contents ---- */

static bool contents_each(void *arg, const char *bucket, const char *above,
                          const struct neap_item *item)
{
    struct buffer *text = arg;
    char line[2 * HISTORY_TEXT + 64];
    int size = snprintf(line, sizeof line, " %d %" PRId64 " in %s/%s\n", (int)item->type,
                        item->number, bucket, above);
    return !buffer_append(text, slice_of(item->name.data, item->name.size)) &&
           !buffer_append(text, slice_of(" ", 1)) &&
           !buffer_append(text, slice_of(item->value.data, item->value.size)) &&
           !buffer_append(text, slice_of(line, (size_t)size));
}

void node_contents(struct cluster *cluster, size_t node, struct buffer *ret_text)
{
    struct walk walk = {.cluster = cluster, .node = node, .each = contents_each, .arg = ret_text};
    buffer_clear(ret_text);
    node_walk(&walk);
    if (walk.over)
        cluster_fail(cluster, "node %s: out of memory", node_name(node));
}
