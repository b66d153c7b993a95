#include "tests/story/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void write_done(struct world *world, size_t node, struct event *event, bool lost)
{
    (void)node;
    CHECK(!lost);
    CHECK_OK(event->code);
    *(bool *)world->story = true;
}

void story_begin(struct story *story, size_t nodes)
{
    struct world_options options = {.seed = 7, .nodes = nodes, .log_max = 1000};
    world_open(&story->world, &options);
    story->world.keep_text = true;
    story->world.write_done = write_done;
}

void story_end(struct story *story, bool agree)
{
    char why[200];
    CHECK_TEXT(story->world.failed, "");
    if (agree && !world_agrees(&story->world, why, sizeof why))
        test_failed(__FILE__, __LINE__, "they do not agree: %s", why);
    world_close(&story->world);
}

void story_run(struct story *story, uint64_t ms)
{
    world_run(&story->world, story->world.now_ms + ms);
    CHECK_TEXT(story->world.failed, "");
}

static void path_of(struct buffer *path, const char *key)
{
    buffer_init(path, NEAP_PATH_MAX);
    CHECK_OK(path_level(path, slice_text(key), NEAP_COUNTER));
}

void story_add(struct story *story, size_t node, const char *key)
{
    struct buffer path;
    bool done = false;
    path_of(&path, key);
    struct write_op op = {
        .bucket = "box", .path = buffer_slice(&path), .op = {.kind = OP_COUNTER_ADD, .number = 1}};
    struct write write = {.ops = &op, .count = 1};
    struct event event = {.kind = EVENT_WRITE, .write = &write};
    token_init(&write.token);
    story->world.story = &done;
    sim_post(&story->world, node, &event);
    story_run(story, 5);
    CHECK(done);
    token_done(&write.token);
    buffer_done(&path);
}

int64_t story_count(struct story *story, size_t node, const char *key)
{
    struct view view = {.disk = story->world.nodes[node].disk};
    uint64_t shard = bucket_id("box");
    struct buffer path, bytes;
    struct cell cell;
    int64_t value = 0;
    path_of(&path, key);
    buffer_init(&bytes, 1 << 20);
    cell_init(&cell);
    CHECK_OK(cell_read(&view, shard, shard, buffer_slice(&path), &bytes, &cell));
    if (counter_value(&cell, &value))
        value = 0;
    cell_done(&cell);
    buffer_done(&bytes);
    buffer_done(&path);
    return value;
}

void story_isolate(struct story *story, size_t node, bool isolated)
{
    struct event *event = mem_new(sizeof *event);
    CHECK(event);
    event->kind = EVENT_ISOLATE;
    event->isolated = isolated;
    sim_post(&story->world, node, event);
    story_run(story, 5);
}

void story_stranger(struct story *story, size_t node, struct slice message)
{
    static const uint64_t number = NET_ACCEPTED | 1 << 20;
    for (int i = 0; i < (message.size ? 2 : 1); i++) {
        struct event *event = mem_new(sizeof *event);
        struct net_event *net = mem_new(sizeof *net);
        CHECK(event && net);
        net->kind = i == 0 ? NET_UP : NET_MESSAGE;
        net->link = number;
        net->side = NET_PEER;
        buffer_init(&net->message, MESSAGE_SIZE_MAX);
        if (i == 1)
            CHECK_OK(buffer_set(&net->message, message));
        event->kind = EVENT_NET;
        event->net = net;
        sim_post(&story->world, node, event);
    }
    story_run(story, 5);
}

static bool line_counts(const char *line, size_t size, const char *only)
{
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)size, line);
    return !strstr(text, ": digest of") && (!only || !strncmp(text, only, strlen(only)));
}

void story_told(struct story *story, const char *only, const char *expected)
{
    enum { TIME_SIZE = 9 }; /* "[%6llu] " */
    struct buffer told;
    const char *text = (const char *)story->world.text.data;
    size_t left = story->world.text.size;
    buffer_init(&told, 1 << 20);
    while (left > 0) {
        const char *end = memchr(text, '\n', left);
        size_t size = (size_t)(end - text) + 1;
        if (line_counts(text + TIME_SIZE, size - TIME_SIZE, only))
            CHECK_OK(buffer_append(&told, slice_of(text + TIME_SIZE, size - TIME_SIZE)));
        text += size;
        left -= size;
    }
    if (getenv("STORY_PRINT"))
        fwrite(told.data, 1, told.size, stderr);
    else
        CHECK_SLICE(buffer_slice(&told), expected);
    buffer_done(&told);
    buffer_clear(&story->world.text);
}

uint64_t story_counted(struct story *story, size_t node, const char *reason)
{
    const char *name;
    uint64_t count;
    for (size_t i = 0; gossip_count(story->world.nodes[node].wheel.engine.gossip, i, &name, &count);
         i++) {
        if (!strcmp(name, reason))
            return count;
    }
    test_failed(__FILE__, __LINE__, "no such count: %s", reason);
}
