/* What a session sees when each of its calls is done by another node. */
#include "engine/node_session.h"
#include "store/store.h"
#include "tests/story/story.h"

static struct story story;

/* Two nodes that never exchange anything but when told: each has so many events of either. */
struct hop {
    struct backend backend; /* first */
    uint64_t events[2][2];  /* of node i: its own are events[i][i] */
    size_t node;            /* who is asked */
    uint64_t read;
};

static int hop_cover(const struct hop *hop, const struct token *after)
{
    const struct context *context = after ? token_find(after, bucket_id("box")) : NULL;

    for (size_t i = 0; context && i < 2; i++)
        if (context_get(context, i + 1) > hop->events[hop->node][i])
            return NEAP_UNAVAILABLE;
    return 0;
}

static int hop_write(struct backend *backend, struct write *write)
{
    struct hop *hop = (struct hop *)backend;
    struct dot dot = {hop->node + 1, ++hop->events[hop->node][hop->node]};

    CHECK_EQUAL(write->level, NEAP_ONE);
    return token_dot(&write->token, bucket_id("box"), dot, 1);
}

static int hop_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct hop *hop = (struct hop *)backend;
    int code = hop_cover(hop, read->after);

    (void)ret_cell;
    hop->read = hop->events[hop->node][0] + hop->events[hop->node][1];
    for (size_t i = 0; !code && i < 2; i++) {
        struct dot dot = {i + 1, hop->events[hop->node][i]};

        if (dot.n)
            code = token_dot(&read->token, bucket_id("box"), dot, 1);
    }
    return code;
}

static void hop_close(struct backend *backend)
{
    (void)backend;
}

static const struct backend_ops hop_ops = {
    .write = hop_write, .read = hop_read, .close = hop_close};

static void hop_sync(struct hop *hop)
{
    for (size_t i = 0; i < 2; i++)
        hop->events[!i][i] = hop->events[i][i];
}

static int add_at(struct hop *hop, struct backend *session, size_t node)
{
    struct write_op op = {.bucket = "box", .op = {.kind = OP_COUNTER_ADD, .number = 1}};
    struct write write = {.ops = &op, .count = 1, .level = NEAP_SESSION, .timeout_ms = 1};
    int code;

    hop->node = node;
    token_init(&write.token);
    code = session->ops->write(session, &write);
    token_done(&write.token);
    return code;
}

static int read_at(struct hop *hop, struct backend *session, size_t node)
{
    struct read read = {.bucket = "box", .level = NEAP_SESSION, .timeout_ms = 1};
    struct buffer cell;
    int code;

    hop->node = node;
    buffer_init(&cell, 64);
    token_init(&read.token);
    code = session->ops->read(session, &read, &cell);
    token_done(&read.token);
    buffer_done(&cell);
    return code;
}

TEST(a_session_sees_what_it_saw_whichever_node_is_asked)
{
    struct hop hop = {.backend.ops = &hop_ops};
    struct backend *session;
    story_meet(&story, 2); /* the rule that is to be broken */
    CHECK_OK(session_open(&hop.backend, &session));
    CHECK_OK(add_at(&hop, session, 0));
    CHECK_OK(read_at(&hop, session, 0));
    CHECK_EQUAL(hop.read, 1);
    /* its own write is not there */
    CHECK_ERROR(read_at(&hop, session, 1), NEAP_UNAVAILABLE);
    hop_sync(&hop);
    CHECK_OK(read_at(&hop, session, 1));
    /* somebody else writes: once read it does not go away */
    hop.events[1][1]++;
    CHECK_OK(read_at(&hop, session, 0));
    CHECK_EQUAL(hop.read, 1);
    CHECK_OK(read_at(&hop, session, 1));
    CHECK_EQUAL(hop.read, 2);
    CHECK_ERROR(read_at(&hop, session, 0), NEAP_UNAVAILABLE);
    session->ops->close(session);
    story_end(&story, true);
}
