/* Nodes with threads and a net within the process. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/request.h"
#include "tests/unit/node_pair.h"

enum { THREADS = 4, ROUNDS = 40 };

TEST(a_write_of_level_all_is_on_all_nodes_when_it_returns)
{
    struct pair pair;
    int64_t number = 0;

    pair_open(&pair);
    pair_meet(&pair);
    CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 5), NEAP_ALL, false, NULL));
    CHECK_OK(rig_counter(pair.disks[1], "a", "n", &number));
    CHECK_EQUAL(number, 5);
    CHECK_OK(add(pair.nodes[1], rig_add("a", "n", 2), NEAP_QUORUM, false, NULL));
    CHECK_OK(rig_counter(pair.disks[0], "a", "n", &number));
    CHECK_EQUAL(number, 7);
    pair_close(&pair);
}

TEST(a_level_that_cannot_be_reached_writes_nothing)
{
    struct pair pair;
    int64_t number = 0;
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1, .level = NEAP_ALL, .timeout_ms = 5};

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    CHECK_ERROR(pair.nodes[0]->backend.ops->write(&pair.nodes[0]->backend, &write),
                NEAP_UNAVAILABLE);
    CHECK(strstr(write.error.text, "nothing was done"));
    CHECK_ERROR(rig_counter(pair.disks[0], "a", "n", &number), NEAP_NOTFOUND);
    isolate(pair.nodes[0], "off");
    pair_meet(&pair);
    CHECK_OK(add(pair.nodes[0], op, NEAP_ALL, false, NULL));
    token_done(&write.token);
    pair_close(&pair);
}

TEST(a_read_after_a_token_waits_for_what_it_names)
{
    struct pair pair;
    struct token token = {0};
    struct read read = {.bucket = "a", .after = &token, .timeout_ms = 5};
    struct buffer bytes;
    int64_t number = 0;
    struct node *b;

    pair_open(&pair);
    pair_meet(&pair);
    b = pair.nodes[1];
    isolate(pair.nodes[0], "on");
    CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 5), NEAP_ONE, true, &token));
    read.path = rig_path("n", NEAP_COUNTER);
    buffer_init(&bytes, 4096);
    CHECK_ERROR(b->backend.ops->read(&b->backend, &read, &bytes), NEAP_UNAVAILABLE);
    CHECK_ERROR(b->backend.ops->wait(&b->backend, &token, NEAP_ONE, 5, NULL), NEAP_UNCERTAIN);
    isolate(pair.nodes[0], "off");
    read.timeout_ms = TIMEOUT_MS;
    CHECK_OK(b->backend.ops->read(&b->backend, &read, &bytes));
    CHECK_OK(rig_counter(pair.disks[1], "a", "n", &number));
    CHECK_EQUAL(number, 5);
    CHECK_OK(b->backend.ops->wait(&b->backend, &token, NEAP_ALL, TIMEOUT_MS, NULL));
    token_done(&token);
    buffer_done(&bytes);
    pair_close(&pair);
}

TEST(a_submitted_write_can_be_waited_for_on_all_nodes)
{
    struct pair pair;
    struct write_op op = rig_add("a", "n", 5);
    struct write write = {.ops = &op, .count = 1, .submit = true, .nosync = true};
    struct node *a;
    int64_t number = 0;

    pair_open(&pair);
    pair_meet(&pair);
    a = pair.nodes[0];
    CHECK_OK(a->backend.ops->write(&a->backend, &write));
    CHECK_OK(a->backend.ops->wait(&a->backend, &write.token, NEAP_ALL, TIMEOUT_MS, NULL));
    CHECK_OK(rig_counter(pair.disks[1], "a", "n", &number));
    CHECK_EQUAL(number, 5);
    token_done(&write.token);
    pair_close(&pair);
}

/* ---- rule 8 ---- */

struct guard {
    struct disk *disk;
    atomic_uint seen, early;
};

/* [kind, ...]: what may name events must not leave while anything is unsynced. */
static void guard_send(void *arg, struct slice message)
{
    struct guard *guard = arg;
    struct reader reader;
    uint64_t kind;

    reader_init(&reader, message);
    read_array(&reader, 64);
    kind = read_u64(&reader);
    if (kind == MESSAGE_HELLO || kind == MESSAGE_HEARTBEAT)
        return;
    atomic_fetch_add(&guard->seen, 1);
    if (disk_mem_unsynced(guard->disk))
        atomic_fetch_add(&guard->early, 1);
}

static void *add_unsynced(void *arg)
{
    struct node *node = arg;
    uint8_t bytes[64];
    struct buffer path = {.data = bytes, .room = 64, .size_max = 64};
    struct write_op op = {.bucket = "a", .op = {.kind = OP_COUNTER_ADD, .number = 1}};
    struct write write = {.ops = &op, .count = 1};

    must(!path_level(&path, slice_text("n"), NEAP_COUNTER));
    op.path = buffer_slice(&path);
    for (int i = 0; i < ROUNDS; i++) {
        write.nosync = i % 8 != 0;
        must(!node->backend.ops->write(&node->backend, &write));
    }
    return NULL;
}

TEST(nothing_leaves_a_node_before_it_is_durable)
{
    struct pair pair;
    struct guard guards[2] = {0};
    pthread_t threads[2 * THREADS];
    struct token token = {0};
    int64_t number = 0;

    pair_init(&pair);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_OK(disk_mem_open(&pair.disks[i]));
        guards[i].disk = pair.disks[i];
        pair.nets[i] = (struct hub_net){
            .hub = &pair.hub, .address = names[i], .before_send = guard_send, .arg = &guards[i]};
    }
    for (unsigned i = 0; i < 2; i++)
        pair_open_node(&pair, i);
    pair_meet(&pair);
    for (unsigned i = 0; i < 2 * THREADS; i++)
        must(!pthread_create(&threads[i], NULL, add_unsynced, pair.nodes[i % 2]));
    for (unsigned i = 0; i < 2 * THREADS; i++)
        must(!pthread_join(threads[i], NULL));
    for (unsigned i = 0; i < 2; i++) {
        CHECK_OK(add(pair.nodes[i], rig_add("a", "n", 1), NEAP_ALL, true, &token));
        token_done(&token);
    }
    for (unsigned i = 0; i < 2; i++) {
        CHECK_OK(rig_counter(pair.disks[i], "a", "n", &number));
        CHECK_EQUAL(number, 2 * THREADS * ROUNDS + 2);
        CHECK(atomic_load(&guards[i].seen) > 0);
        CHECK_EQUAL(atomic_load(&guards[i].early), 0);
    }
    pair_close(&pair);
}

static void syncs_look(void *arg, struct engine *engine)
{
    *(uint64_t *)arg = engine->counts.syncs;
}

/* Pushes of unsynced writes wait for the sync; they do not each cause one. */
TEST(a_push_does_not_make_unsynced_writes_synced)
{
    struct pair pair;
    uint64_t before = 0, after = 0;

    pair_init(&pair);
    pair.sync_ms = 60000;
    pair.heartbeat_ms = 60000; /* nor digests */
    for (unsigned i = 0; i < 2; i++) {
        CHECK_OK(disk_mem_open(&pair.disks[i]));
        pair.nets[i] = (struct hub_net){.hub = &pair.hub, .address = names[i]};
        pair_open_node(&pair, i);
    }
    pair_meet(&pair);
    CHECK_OK(node_call(pair.nodes[0], syncs_look, &before));
    for (int i = 0; i < 20; i++)
        CHECK_OK(add(pair.nodes[0], rig_add("met", "n", 1), NEAP_ONE, true, NULL));
    CHECK_OK(node_call(pair.nodes[0], syncs_look, &after));
    CHECK_EQUAL(after, before);
    pair_close(&pair);
}

/* ---- clients ---- */

static int client_request(struct hub_client *client, uint64_t verb, const char *word,
                          int64_t *ret_code)
{
    uint8_t bytes[256];
    struct buffer request = {.data = bytes, .room = sizeof bytes, .size_max = sizeof bytes};
    struct writer writer;
    struct reader reader;
    int error;

    writer_init(&writer, &request);
    write_array(&writer, word ? 3 : 2);
    write_u64(&writer, REQUEST_VERSION);
    write_u64(&writer, verb);
    if (word) {
        write_array(&writer, 1);
        write_str(&writer, word);
    }
    error = hub_client_call(client, buffer_slice(&request));
    if (error)
        return error;
    reader_init(&reader, buffer_slice(&client->reply));
    read_array(&reader, 16);
    *ret_code = read_i64(&reader);
    return reader.error;
}

struct caller {
    struct hub *hub;
    int64_t code;
    int error;
};

static void *client_main(void *arg)
{
    struct caller *caller = arg;
    struct hub_client client;

    caller->error = hub_client_open(&client, caller->hub, "a");
    for (int i = 0; i < ROUNDS && !caller->error && !caller->code; i++)
        caller->error = client_request(&client, REQUEST_SYNC, NULL, &caller->code);
    hub_client_close(&client);
    return NULL;
}

TEST(clients_are_served_by_threads_made_on_demand)
{
    struct pair pair;
    struct caller callers[THREADS];
    pthread_t threads[THREADS];
    struct hub_client client;
    int64_t code = 1;

    pair_open(&pair);
    CHECK_EQUAL(pair.nodes[0]->workers_count, 0);
    CHECK_OK(hub_client_open(&client, &pair.hub, "a"));
    CHECK_OK(client_request(&client, REQUEST_ADMIN, "status", &code));
    CHECK_EQUAL(code, 0);
    CHECK_OK(client_request(&client, REQUEST_ADMIN, "nonsense", &code));
    CHECK_EQUAL(code, NEAP_INVALID);
    for (unsigned i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.hub = &pair.hub};
        must(!pthread_create(&threads[i], NULL, client_main, &callers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        must(!pthread_join(threads[i], NULL));
        CHECK_OK(callers[i].error);
        CHECK_EQUAL(callers[i].code, 0);
    }
    CHECK(pair.nodes[0]->workers_count > 0);
    CHECK(pair.nodes[0]->workers_count <= WORKERS_MAX);
    CHECK_EQUAL(pair.nodes[1]->workers_count, 0);
    hub_client_close(&client);
    pair_close(&pair);
}

TEST(a_client_is_let_go_when_the_node_closes)
{
    struct pair pair;
    struct hub_client client;
    int64_t code = 1;

    pair_open(&pair);
    CHECK_OK(hub_client_open(&client, &pair.hub, "a"));
    CHECK_OK(client_request(&client, REQUEST_SYNC, NULL, &code));
    pair.nodes[0]->backend.ops->close(&pair.nodes[0]->backend);
    pair.nodes[1]->backend.ops->close(&pair.nodes[1]->backend);
    CHECK_ERROR(client_request(&client, REQUEST_SYNC, NULL, &code), NEAP_NOTFOUND);
    hub_client_close(&client);
    hub_done(&pair.hub);
}

/* ---- clients that block ---- */

enum { BLOCKERS = WORKERS_MAX + 8 };

static void wait_send(struct hub_client *client, const struct token *token)
{
    struct buffer request, bytes;
    struct writer writer;

    buffer_init(&request, 4096);
    buffer_init(&bytes, 4096);
    CHECK_OK(token_encode(token, &bytes));
    writer_init(&writer, &request);
    write_array(&writer, 5);
    write_u64(&writer, REQUEST_VERSION);
    write_u64(&writer, REQUEST_WAIT);
    write_bin(&writer, buffer_slice(&bytes));
    write_u64(&writer, NEAP_ONE);
    write_u64(&writer, TIMEOUT_MS);
    CHECK_OK(writer.error);
    CHECK_OK(client->net.net.ops->send(&client->net.net, 1, buffer_slice(&request)));
    buffer_done(&bytes);
    buffer_done(&request);
}

/* How many have an answer, and of what code. */
static unsigned answers(struct hub_client *clients, unsigned codes[2])
{
    unsigned count = 0;

    codes[0] = codes[1] = 0;
    for (unsigned i = 0; i < BLOCKERS; i++) {
        struct reader reader;
        int64_t code;

        must(!pthread_mutex_lock(&clients[i].lock));
        if (clients[i].replied) {
            reader_init(&reader, buffer_slice(&clients[i].reply));
            read_array(&reader, 16);
            code = read_i64(&reader);
            codes[0] += code == 0;
            codes[1] += code == NEAP_BUSY;
            count++;
        }
        must(!pthread_mutex_unlock(&clients[i].lock));
    }
    return count;
}

TEST(clients_that_wait_for_peers_leave_workers_to_others)
{
    struct pair pair;
    struct hub_client *clients = mem_new_array(BLOCKERS, sizeof *clients), other;
    struct token token = {0};
    unsigned codes[2];
    int64_t code = 1;

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 5), NEAP_ONE, false, &token));
    for (unsigned i = 0; i < BLOCKERS; i++) {
        CHECK_OK(hub_client_open(&clients[i], &pair.hub, "b"));
        wait_send(&clients[i], &token);
    }
    while (answers(clients, codes) < BLOCKERS - WORKERS_BLOCKED_MAX)
        sched_yield();
    CHECK_EQUAL(codes[0], 0);
    CHECK_EQUAL(codes[1], BLOCKERS - WORKERS_BLOCKED_MAX);
    CHECK_OK(hub_client_open(&other, &pair.hub, "b"));
    CHECK_OK(client_request(&other, REQUEST_ADMIN, "status", &code));
    CHECK_EQUAL(code, 0);
    isolate(pair.nodes[0], "off");
    while (answers(clients, codes) < BLOCKERS)
        sched_yield();
    CHECK_EQUAL(codes[0], WORKERS_BLOCKED_MAX);
    for (unsigned i = 0; i < BLOCKERS; i++)
        hub_client_close(&clients[i]);
    hub_client_close(&other);
    CHECK_EQUAL(pair.nodes[1]->workers_blocked, 0);
    token_done(&token);
    mem_free(clients);
    pair_close(&pair);
}

static void blocked_set(struct node *node, unsigned count)
{
    node_lock(node);
    node->workers_blocked = count;
    node_unlock(node);
}

TEST(only_what_can_block_is_busy)
{
    struct pair pair;
    struct token token = {0};
    struct write_op op = rig_add("a", "n", 1);
    struct write write = {.ops = &op, .count = 1, .timeout_ms = TIMEOUT_MS};
    struct read read = {.bucket = "a", .timeout_ms = TIMEOUT_MS};
    struct page_request request = {.bucket = "a", .timeout_ms = TIMEOUT_MS, .size_max = 4096};
    struct backend *clients;
    struct buffer cell;
    struct page page;

    pair_open(&pair);
    pair_meet(&pair);
    clients = &pair.nodes[0]->clients;
    CHECK_OK(add(pair.nodes[0], op, NEAP_ONE, false, &token));
    read.path = rig_path("n", NEAP_COUNTER);
    buffer_init(&cell, 4096);
    page_init(&page, 4096);
    blocked_set(pair.nodes[0], WORKERS_BLOCKED_MAX);
    CHECK_OK(clients->ops->write(clients, &write));
    CHECK_OK(clients->ops->read(clients, &read, &cell));
    CHECK_OK(clients->ops->page(clients, &request, &page));
    CHECK_OK(clients->ops->sync(clients));
    write.level = NEAP_QUORUM;
    read.after = request.after = &token;
    CHECK_ERROR(clients->ops->write(clients, &write), NEAP_BUSY);
    CHECK(strstr(write.error.text, "nothing was done"));
    CHECK_ERROR(clients->ops->read(clients, &read, &cell), NEAP_BUSY);
    CHECK_ERROR(clients->ops->page(clients, &request, &page), NEAP_BUSY);
    CHECK_ERROR(clients->ops->wait(clients, &token, NEAP_ONE, TIMEOUT_MS, NULL), NEAP_BUSY);
    blocked_set(pair.nodes[0], WORKERS_BLOCKED_MAX - 1);
    CHECK_OK(clients->ops->write(clients, &write));
    CHECK_OK(clients->ops->read(clients, &read, &cell));
    CHECK_OK(clients->ops->page(clients, &request, &page));
    CHECK_OK(clients->ops->wait(clients, &token, NEAP_ONE, TIMEOUT_MS, NULL));
    CHECK_EQUAL(pair.nodes[0]->workers_blocked, WORKERS_BLOCKED_MAX - 1);
    page_done(&page);
    buffer_done(&cell);
    token_done(&write.token);
    token_done(&token);
    pair_close(&pair);
}

/* ---- more events than there is room for ---- */

static void post(struct node *node, enum net_event_kind kind, enum net_side side)
{
    struct net_event event = {.kind = kind, .link = 4711, .side = side};

    buffer_init(&event.message, 16);
    if (kind == NET_MESSAGE)
        CHECK_OK(buffer_append(&event.message, slice_text("hello")));
    node->sink.post(&node->sink, &event);
}

static size_t drops(struct node *node)
{
    size_t count;

    node_lock(node);
    count = node->net_drops;
    node_unlock(node);
    return count;
}

/* Off: as if all workers were busy. */
static void workers_set(struct node *node, bool on)
{
    node_lock(node);
    node->started = on;
    node_unlock(node);
}

/* Nobody turns the wheel from here on, until it is let go. */
static void wheel_hold(struct node *node)
{
    bool turns = true;

    while (turns) {
        node_lock(node);
        turns = node->turning;
        node->turning = true;
        node_unlock(node);
        if (turns)
            sched_yield();
    }
}

static void wheel_let_go(struct node *node)
{
    node_lock(node);
    node->turning = false;
    node_pump_wake(node);
    node_unlock(node);
}

static size_t peers_count(struct node *node)
{
    size_t count;

    node_lock(node);
    count = node->peers_count;
    node_unlock(node);
    return count;
}

TEST(events_of_peers_beyond_all_bounds_are_counted_and_dropped)
{
    struct pair pair;
    struct node *a;

    pair_open(&pair);
    a = pair.nodes[0];
    wheel_hold(a);
    for (unsigned i = 0; i <= NET_EVENTS_MAX; i++)
        post(a, i % 2 ? NET_MESSAGE : NET_DOWN, NET_PEER);
    CHECK(drops(a) > 0);
    wheel_let_go(a);
    pair_meet(&pair);
    pair_close(&pair);
}

TEST(progress_takes_no_room_of_messages)
{
    struct pair pair;
    struct node *a;
    size_t count;

    pair_open(&pair);
    pair_meet(&pair);
    a = pair.nodes[0];
    wheel_hold(a);
    for (unsigned i = 0; i < 2 * NET_EVENTS_MAX; i++)
        post(a, NET_PROGRESS, NET_PEER);
    CHECK_EQUAL(drops(a), 0);
    count = peers_count(a);
    CHECK(count >= NET_EVENTS_MAX / 2);    /* some is heard of */
    CHECK(count < NET_EVENTS_MAX / 4 * 3); /* and the other node may have spoken meanwhile */
    wheel_let_go(a);
    pair_meet(&pair);
    wheel_hold(a);
    CHECK(peers_count(a) < NET_EVENTS_MAX / 4); /* it is room again */
    wheel_let_go(a);
    pair_close(&pair);
}

TEST(clients_take_no_room_of_peers)
{
    struct pair pair;
    struct node *a;

    pair_open(&pair);
    a = pair.nodes[0];
    workers_set(a, false);
    for (unsigned i = 0; i < 2 * NET_EVENTS_MAX; i++)
        post(a, i % 2 ? NET_UP : NET_DOWN, NET_CLIENT);
    CHECK_EQUAL(drops(a), 0);
    CHECK_EQUAL(a->clients_count, 0);
    for (unsigned i = 0; i < CLIENT_EVENTS_MAX; i++)
        post(a, NET_MESSAGE, NET_CLIENT);
    CHECK_EQUAL(drops(a), 0);
    post(a, NET_MESSAGE, NET_CLIENT);
    CHECK_EQUAL(drops(a), 1);
    pair_meet(&pair);
    CHECK_EQUAL(drops(a), 1);
    pair_close(&pair);
}

TEST(a_client_whose_request_is_dropped_is_let_go)
{
    struct pair pair;
    struct hub_client client;
    static const uint8_t sync[] = {0x92, REQUEST_VERSION, REQUEST_SYNC};
    struct node *a;

    pair_open(&pair);
    a = pair.nodes[0];
    CHECK_OK(hub_client_open(&client, &pair.hub, "a"));
    workers_set(a, false);
    for (unsigned i = 0; i < CLIENT_EVENTS_MAX; i++)
        post(a, NET_MESSAGE, NET_CLIENT);
    workers_set(a, true);
    CHECK(!client.down);
    CHECK_OK(client.net.net.ops->send(&client.net.net, 1, (struct slice){sync, sizeof sync}));
    CHECK(client.down);
    CHECK_EQUAL(drops(a), 1);
    hub_client_close(&client);
    pair_close(&pair);
}

/* Without gossip: its ticks would take memory on another thread meanwhile. */
static int open_with_less_memory(void *arg)
{
    struct hub *hub = arg;
    struct hub_net net = {.hub = hub, .address = "alone"};
    static const struct directory_mark mark;
    struct node_options options = {
        .clock = clock_os(), .mark = &mark, .net_open = hub_open, .net_arg = &net};
    struct backend *backend = NULL;
    int error = disk_mem_open(&options.disk);

    if (!error)
        error = node_open_with(&options, &backend, NULL);
    if (!error)
        backend->ops->close(backend);
    return error;
}

TEST(a_node_with_a_net_opens_or_leaves_nothing)
{
    struct hub hub;

    hub_init(&hub);
    test_alloc_sweep(open_with_less_memory, &hub);
    hub_done(&hub);
}
