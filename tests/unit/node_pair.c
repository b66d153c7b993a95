#include "tests/unit/node_pair.h"

#include <sched.h>
#include <string.h>

const char *const names[2] = {"a", "b"};

void pair_open_node(struct pair *pair, unsigned index)
{
    static const struct directory_mark mark;
    struct gossip_options gossip = {.cluster = 1,
                                    .address = names[index],
                                    .peers = &names[!index],
                                    .peers_count = 1,
                                    .heartbeat_ms = pair->heartbeat_ms,
                                    .silence_ms = 20 * pair->heartbeat_ms + 20000,
                                    .backoff_ms_max = 100,
                                    .log_max = 100000,
                                    .own = pair->own[index]};
    struct node_options options = {.disk = pair->disks[index],
                                   .clock = pair->clock,
                                   .mark = &mark,
                                   .sync_ms = pair->sync_ms,
                                   .gossip = &gossip,
                                   .net_open = hub_open,
                                   .net_arg = &pair->nets[index]};
    struct backend *backend = NULL;

    CHECK_OK(node_open_with(&options, &backend, NULL));
    pair->nodes[index] = (struct node *)backend;
}

void pair_init(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    hub_init(&pair->hub);
    pair->clock = clock_os();
    pair->heartbeat_ms = 20;
    pair->sync_ms = 5;
}

void pair_open(struct pair *pair)
{
    pair_open_by(pair, clock_os());
}

static void pair_open_nodes(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        CHECK_OK(disk_mem_open(&pair->disks[i]));
        pair->nets[i] = (struct hub_net){.hub = &pair->hub, .address = names[i]};
    }
    for (unsigned i = 0; i < 2; i++)
        pair_open_node(pair, i);
}

void pair_open_by(struct pair *pair, struct clock *clock)
{
    pair_init(pair);
    pair->clock = clock;
    pair_open_nodes(pair);
}

void pair_open_listed(struct pair *pair)
{
    static const struct roster_row rows[2] = {{.name = "zero", .zone = "north", .weight = 100},
                                              {.name = "one", .zone = "south", .weight = 100}};

    pair_init(pair);
    for (unsigned i = 0; i < 2; i++)
        pair->own[i] = &rows[i];
    pair_open_nodes(pair);
}

void pair_close(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++)
        pair->nodes[i]->backend.ops->close(&pair->nodes[i]->backend);
    hub_done(&pair->hub);
}

int add(struct node *node, struct write_op op, enum neap_level level, bool nosync,
        struct token *token)
{
    struct write write = {.ops = &op,
                          .count = 1,
                          .level = level,
                          .nosync = nosync,
                          .want_token = token != NULL,
                          .timeout_ms = TIMEOUT_MS};
    int error = node->backend.ops->write(&node->backend, &write);

    if (token)
        *token = write.token;
    else
        token_done(&write.token);
    return error;
}

int read_number(struct node *node, const char *bucket, enum neap_level level,
                const struct token *after, uint32_t timeout_ms, int64_t *ret_number,
                struct neap_error *ret_error)
{
    struct read read = {.bucket = bucket,
                        .path = rig_path("n", NEAP_COUNTER),
                        .after = after,
                        .level = level,
                        .want_token = true,
                        .timeout_ms = timeout_ms};
    struct buffer bytes;
    struct cell cell;
    int code;

    token_init(&read.token);
    buffer_init(&bytes, CELL_SIZE_MAX);
    cell_init(&cell);
    code = node->backend.ops->read(&node->backend, &read, &bytes);
    if (!code)
        CHECK_OK(cell_decode(buffer_slice(&bytes), &cell));
    if (!code && counter_value(&cell, ret_number))
        *ret_number = 0;
    if (ret_error)
        *ret_error = read.error;
    token_done(&read.token);
    cell_done(&cell);
    buffer_done(&bytes);
    return code;
}

int admin(struct node *node, const char *verb, const char *word, struct buffer *ret_json)
{
    const char *const words[] = {verb, word};

    buffer_init(ret_json, 1 << 20);
    return node->backend.ops->admin(&node->backend, word ? 2 : 1, words, ret_json, NULL);
}

void isolate(struct node *node, const char *word)
{
    struct buffer json;

    CHECK_OK(admin(node, "isolate", word, &json));
    buffer_done(&json);
}

/* Until a write of level ALL goes through: the two have met. */
void pair_meet(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++) {
        int error = NEAP_UNAVAILABLE;

        while (error == NEAP_UNAVAILABLE) {
            sched_yield();
            error = add(pair->nodes[i], rig_add("met", "n", 1), NEAP_ALL, false, NULL);
        }
        CHECK_OK(error);
    }
}
