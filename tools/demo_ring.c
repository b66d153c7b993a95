/* neap demo --ring: five nodes in three zones hold a ring; one is cut off, and hints tell what it
 * lacks; one dies and is replaced while writes go on. At the end every node reads all that was
 * acknowledged, and the owners of each slot are equal byte for byte. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo.h"

#define RING "main"
#define BUCKET "orders@" RING
enum { A, B, C, D, E, F, FIRST = 5, NODES = 6 };
enum { KEYS = 300, BATCH = 150, CALL_MS = 20000, LOOK_MAX = 400 };

static const char *const zones[NODES] = {"north", "north", "south", "south", "east", "south"};

static struct neap_call at_quorum(struct neap_error *error)
{
    return (struct neap_call){.size = sizeof(struct neap_call),
                              .level = NEAP_QUORUM,
                              .timeout_ms = CALL_MS,
                              .ret_error = error};
}

static int said(int code, const char *doing, const struct neap_error *error)
{
    if (code)
        fprintf(stderr, "demo: %s: %s\n", doing,
                error->text[0] ? error->text : neap_strerror(code));
    return code ? EXIT_DIFFERS : 0;
}

static struct neap_place place_of(int number, char ret_key[24])
{
    snprintf(ret_key, 24, "order-%04d", number);
    return (struct neap_place){BUCKET, bytes_of(ret_key), NULL, 0};
}

/* Orders [from, to), each to the next of those nodes; each is acknowledged by a quorum. */
static int orders_write(struct demo *demo, int from, int to, const char *nodes)
{
    size_t count = strlen(nodes);
    int result = 0;

    for (int i = from; i < to && result == 0; i++) {
        struct neap_error error = {0};
        struct neap_call call = at_quorum(&error);
        char key[24];
        struct neap_place place = place_of(i, key);
        int node = nodes[(size_t)i % count] - 'a';

        result =
            said(neap_lww_set(demo->nodes[node].neap, &place, bytes_of(key), &call), key, &error);
    }
    return result;
}

/* How many of orders [0, to) one node doesn't read as they were written. */
static int orders_missing(struct demo *demo, int node, int to)
{
    int missing = 0;

    for (int i = 0; i < to; i++) {
        struct neap_error error = {0};
        struct neap_call call = at_quorum(&error);
        struct neap_buffer value = {0};
        char key[24];
        struct neap_place place = place_of(i, key);
        int code = neap_lww_get(demo->nodes[node].neap, &place, &value, &call);

        if (code || value.size != strlen(key) || memcmp(value.data, key, value.size) != 0) {
            missing++;
            said(code, key, &error);
        }
        neap_buffer_free(&value);
    }
    return missing;
}

static int orders_check(struct demo *demo, const char *nodes, int to)
{
    int missing = 0;

    for (const char *node = nodes; *node; node++)
        missing += orders_missing(demo, *node - 'a', to);
    printf("  %-6s each of %s reads all %d orders at QUORUM\n", missing ? "NO" : "yes", nodes, to);
    return missing ? EXIT_DIFFERS : 0;
}

/* ---- the ring ---- */

static int plan(struct demo *demo, int argc, const char *const argv[])
{
    json_t *json = demo_ask(demo, A, argc, argv);

    json_decref(json);
    return json ? 0 : EXIT_DIFFERS;
}

/* Until the first node has that one in its list of members. */
static int wait_listed(struct demo *demo, const char *name)
{
    const char *const words[] = {"peers"};

    for (int look = 0; look < LOOK_MAX; look++) {
        json_t *json = demo_ask(demo, A, 1, words);
        const json_t *peer;
        size_t i;
        int found = 0;

        if (json == NULL)
            return EXIT_DIFFERS;
        json_array_foreach(json_object_get(json, "peers"), i, peer)
        {
            const char *text = json_string_value(json_object_get(peer, "name"));

            found |= text && strcmp(text, name) == 0;
        }
        json_decref(json);
        if (found)
            return 0;
        demo_pause();
    }
    fprintf(stderr, "demo: %s does not come into the member list\n", name);
    return EXIT_DIFFERS;
}

/* Shows what is staged, and commits it. */
static int plan_commit(struct demo *demo)
{
    const char *const show[] = {"plan", "show", RING};
    json_t *json = demo_ask(demo, A, 3, show);
    const char *id = json_string_value(json_object_get(json, "id"));
    const char *const commit[] = {"plan", "commit", RING, id};
    const json_t *node;
    size_t i;
    int result;

    if (id == NULL) {
        json_decref(json);
        return EXIT_DIFFERS;
    }
    printf("  plan %s: %lld copies of slots move; the nodes then hold", id,
           (long long)json_integer_value(json_object_get(json, "moves")));
    json_array_foreach(json_object_get(json, "nodes"), i, node) printf(
        "%s %lld", i ? "," : "", (long long)json_integer_value(json_object_get(node, "after")));
    printf("\n");
    result = plan(demo, 4, commit);
    json_decref(json);
    return result;
}

/* Does that node see one layout of the ring alone, of that version? It may not know it yet. */
static int is_moved(struct demo *demo, int node, json_int_t version)
{
    const char *const words[] = {"ring"};
    json_t *json = demo_ask(demo, node, 1, words);
    const json_t *ring = json_array_get(json_object_get(json, "rings"), 0);
    const json_t *layouts = json_object_get(ring, "layouts");
    const char *id = json_string_value(json_object_get(json_array_get(layouts, 0), "id"));
    int moved = json_array_size(layouts) == 1 && id && strtoll(id, NULL, 10) == version;

    json_decref(json);
    return moved;
}

static int wait_moved(struct demo *demo, const char *nodes, json_int_t version)
{
    int looks = (int)(demo->wait_ms / DEMO_LOOK_MS);

    for (const char *node = nodes; *node; node++)
        while (!is_moved(demo, *node - 'a', version)) {
            if (looks-- == 0) {
                fprintf(stderr, "demo: %c does not see the end of the move to version %lld\n",
                        *node, (long long)version);
                return EXIT_DIFFERS;
            }
            demo_pause();
        }
    return 0;
}

/* ---- are the owners equal? ---- */

/* The slots of one node into `slots`, shard -> digest; how many differ from what stands there. */
static int slots_add(struct demo *demo, int node, json_t *slots, int *ret_copies)
{
    const char *const words[] = {"digest"};
    json_t *json = demo_ask(demo, node, 1, words);
    const json_t *bucket;
    size_t i;
    int bad = json == NULL;

    json_array_foreach(json_object_get(json, "buckets"), i, bucket)
    {
        const char *name = json_string_value(json_object_get(bucket, "name"));
        const char *digest = json_string_value(json_object_get(bucket, "digest"));
        const char *other = json_string_value(json_object_get(slots, name));

        if (strncmp(name, "@" RING "/", sizeof("@" RING "/") - 1) != 0)
            continue;
        bad += json_integer_value(json_object_get(bucket, "log")) != 0;
        bad += json_integer_value(json_object_get(bucket, "residues")) != 0;
        bad += other ? strcmp(digest, other) != 0
                     : json_object_set_new(slots, name, json_string(digest)) != 0;
        ++*ret_copies;
    }
    json_decref(json);
    return bad;
}

/* Waits until all copies of each slot are the same, with nothing under way: `owners` of each. */
static int wait_equal(struct demo *demo, const char *nodes, int owners)
{
    int looks = (int)(demo->wait_ms / DEMO_LOOK_MS);

    for (;; demo_pause()) {
        json_t *slots = json_object();
        int bad = 0, copies = 0, count;

        for (const char *node = nodes; *node; node++)
            bad += slots_add(demo, *node - 'a', slots, &copies);
        count = (int)json_object_size(slots);
        json_decref(slots);
        if (bad == 0 && count > 0 && copies == owners * count) {
            printf("  %-6s %d slots with data, %d copies of each, equal byte for byte\n", "yes",
                   count, owners);
            return 0;
        }
        if (looks-- == 0) {
            fprintf(stderr, "demo: %d copies of %d slots, %d of them differ or are not at rest\n",
                    copies, count, bad);
            return EXIT_DIFFERS;
        }
    }
}

/* ---- the story ---- */

static int begin(struct demo *demo)
{
    const char *const create[] = {"plan", "create", RING, "3", "32"};
    int result = 0;

    for (int i = 0; i < FIRST && result == 0; i++)
        result = demo_start(demo, i);
    if (result == 0)
        printf("five nodes in three zones run under %s\n", demo->directory);
    if (result == 0)
        result = plan(demo, 5, create);
    for (int i = 0; i < FIRST && result == 0; i++) {
        const char *const join[] = {"plan", "join", RING, demo->nodes[i].name};

        result = i == A ? 0 : wait_listed(demo, demo->nodes[i].name);
        if (result == 0)
            result = plan(demo, 4, join);
    }
    if (result == 0) {
        printf("ring " RING ": 32 slots, 3 copies of each, in different zones\n");
        result = plan_commit(demo);
    }
    if (result == 0)
        result = wait_moved(demo, "abcde", 1);
    if (result == 0)
        result = orders_write(demo, 0, KEYS, "abcde");
    if (result == 0) {
        printf("%d orders written to bucket " BUCKET " at QUORUM, through all nodes in turn\n",
               KEYS);
        result = orders_check(demo, "abcde", KEYS);
    }
    return result ? result : wait_equal(demo, "abcde", 3);
}

/* What the first node keeps for one that is away. */
static int print_hints(struct demo *demo, const char *nodes)
{
    const char *const words[] = {"hints"};
    long long events = 0, slots = 0;

    for (const char *node = nodes; *node; node++) {
        json_t *json = demo_ask(demo, *node - 'a', 1, words);
        const json_t *hint;
        size_t i;

        if (json == NULL)
            return EXIT_DIFFERS;
        json_array_foreach(json_object_get(json, "hints"), i, hint)
        {
            events += json_integer_value(json_object_get(hint, "events"));
            slots++;
        }
        json_decref(json);
    }
    printf("  %-6s hints: %s keep %lld events of %lld slots for e\n", events ? "yes" : "NO", nodes,
           events, slots);
    return events ? 0 : EXIT_DIFFERS;
}

static int partition(struct demo *demo)
{
    int result = demo_isolate(demo, E, 1);

    if (result == 0) {
        printf("\ne: cut off; %d more orders through the others\n", BATCH);
        result = orders_write(demo, KEYS, KEYS + BATCH, "abcd");
    }
    if (result == 0)
        result = print_hints(demo, "abcd");
    if (result == 0)
        result = demo_isolate(demo, E, 0);
    if (result == 0) {
        printf("e: connected again; the hints are delivered\n");
        result = wait_equal(demo, "abcde", 3);
    }
    return result ? result : orders_check(demo, "e", KEYS + BATCH);
}

static int replacement(struct demo *demo)
{
    const char *const replace[] = {"plan", "replace", RING, "d", "f"};
    const char *const skip[] = {"plan", "skip", RING, "d"};
    int result = demo_kill(demo, D, SIGKILL), to = KEYS + 2 * BATCH;

    if (result == 0) {
        printf(
            "\nd: killed for good. f takes its place, and %d more orders are written meanwhile\n",
            BATCH);
        result = demo_start(demo, F);
    }
    if (result == 0)
        result = wait_listed(demo, "f");
    if (result == 0)
        result = plan(demo, 5, replace);
    if (result == 0)
        result = plan_commit(demo);
    if (result == 0)
        result = plan(demo, 4, skip);
    if (result == 0)
        result = orders_write(demo, KEYS + BATCH, to, "abcef");
    if (result == 0)
        result = wait_moved(demo, "abcef", 2);
    if (result == 0) {
        printf("moved; the final look:\n");
        result = wait_equal(demo, "abcef", 3);
    }
    return result ? result : orders_check(demo, "abcef", to);
}

int demo_ring(uint32_t wait_ms)
{
    static struct demo demo;
    int result = demo_make(&demo, NODES, wait_ms);

    for (int i = 0; i < NODES; i++)
        demo.nodes[i].zone = zones[i];
    if (result == 0)
        result = begin(&demo);
    if (result == 0)
        result = partition(&demo);
    if (result == 0)
        result = replacement(&demo);
    for (int i = 0; i < NODES && result == 0; i++)
        result = demo_kill(&demo, i, SIGTERM);
    if (result == 0)
        printf("\nnothing lost: %d orders, one node cut off, one replaced\n", KEYS + 2 * BATCH);
    demo_end(&demo, result != 0);
    return result;
}
