/* What clients and nodes tell each other, and the tokens that callers keep. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "engine/request.h"
#include "tests/golden/said.h"
#include "tests/support/fake_backend.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- tokens ---- */

static void make_token(struct buffer *ret_bytes)
{
    struct token token;

    token_init(&token);
    token.ticket = 300;
    CHECK_OK(token_dot(&token, 0xb0c0, (struct dot){0xa1, 12}, 5));
    CHECK_OK(token_dot(&token, 0xb0c0, (struct dot){0xa2, 1000000}, 70000));
    CHECK_OK(token_dot(&token, 1, (struct dot){2, 3}, 4));
    CHECK_OK(token_encode(&token, ret_bytes));
    token_done(&token);
}

static void say_token(const struct token *token, struct buffer *text)
{
    say(text, "token, ticket %" PRIu64 "\n", token->ticket);
    for (size_t i = 0; i < token->count; i++) {
        say(text, "shard %" PRIx64, token->parts[i].shard);
        say_context(text, "", &token->parts[i].context);
    }
}

static void say_any_token(struct slice bytes, struct buffer *ret_text)
{
    struct token token;

    token_init(&token);
    CHECK_OK(token_decode(bytes, &token));
    say_token(&token, ret_text);
    token_done(&token);
}

static void again_token(struct slice bytes, struct buffer *ret_bytes)
{
    struct token token;

    token_init(&token);
    CHECK_OK(token_decode(bytes, &token));
    CHECK_OK(token_encode(&token, ret_bytes));
    token_done(&token);
}

TEST(tokens_are_as_they_were)
{
    static const struct golden tokens[] = {{"token", 0, make_token, say_any_token, again_token}};

    golden_check("tokens.hex", "Tokens (engine/token.h).", tokens, COUNT(tokens));
}

/* ---- a client and a node that knows its answers ---- */

/* A client's way to a node, with an ear on it. */
struct line {
    struct transport transport;
    struct fake fake;
    struct backend *client;
    struct buffer request, reply; /* the last ones */
    const struct slice *canned;   /* given as the reply instead, when not NULL */
};

static int line_call(struct transport *transport, struct slice request, uint32_t timeout_ms,
                     struct buffer *ret_reply)
{
    struct line *line = (struct line *)transport;

    (void)timeout_ms;
    CHECK_OK(buffer_set(&line->request, request));
    CHECK_OK(request_serve(&line->fake.backend, request, &line->reply));
    return buffer_set(ret_reply, line->canned ? *line->canned : buffer_slice(&line->reply));
}

static void line_hang_up(struct transport *transport)
{
    (void)transport;
}

static void line_open(struct line *line)
{
    static const uint8_t cell[] = {0x93, 5, 6, 0xc4, 1, 3};
    struct neap_error error;

    *line = (struct line){.transport = {.call = line_call, .close = line_hang_up}};
    fake_init(&line->fake);
    line->fake.dot = (struct dot){0xa1, 12};
    line->fake.cell = slice_of(cell, sizeof cell);
    line->fake.json = "{\"up\":true}";
    fake_item(&line->fake, 0, NEAP_COUNTER, "visits", -7);
    buffer_init(&line->request, REQUEST_SIZE_MAX);
    buffer_init(&line->reply, REQUEST_SIZE_MAX);
    CHECK_OK(remote_new(&line->transport, &line->client, &error));
}

static void line_close(struct line *line)
{
    line->client->ops->close(line->client);
    buffer_done(&line->request);
    buffer_done(&line->reply);
    fake_done(&line->fake);
}

/* ---- one call of each verb; what came of it ---- */

static void ask_write(struct backend *backend, struct buffer *text)
{
    struct write_op ops[OP_KIND_END - 1];
    struct write write = {.ops = ops,
                          .count = OP_KIND_END - 1,
                          .nosync = true,
                          .want_token = true,
                          .level = NEAP_QUORUM,
                          .timeout_ms = 1234,
                          .once = slice_text("visit 17")};
    struct context seen = {0};

    CHECK_OK(context_raise(&seen, 0xa1, 3, 5));
    for (unsigned kind = 1; kind < OP_KIND_END; kind++) {
        ops[kind - 1] = (struct write_op){.bucket = kind % 2 ? "till" : "shelf",
                                          .path = slice_of("k\0\1\2", 4),
                                          .op = {.kind = (enum op_kind)kind}};
        ops[kind - 1].op.seen = kind == OP_REGISTER_SET ? &seen : NULL;
        if (kind == OP_LWW_SET || kind == OP_REGISTER_SET)
            ops[kind - 1].op.value = slice_text("value");
        if (kind == OP_COUNTER_ADD)
            ops[kind - 1].op.number = -300;
    }
    token_init(&write.token);
    CHECK_OK(backend->ops->write(backend, &write));
    say_token(&write.token, text);
    token_done(&write.token);
    context_done(&seen);
}

static void after_make(struct token *ret_after)
{
    token_init(ret_after);
    ret_after->ticket = 9;
    CHECK_OK(token_dot(ret_after, hash_name(slice_text("till")), (struct dot){0xa1, 2}, 5));
}

static void ask_read(struct backend *backend, struct buffer *text)
{
    struct token after;
    struct read read = {.bucket = "till",
                        .path = slice_of("k\0\1\4", 4),
                        .after = &after,
                        .want_token = true,
                        .level = NEAP_ONE,
                        .timeout_ms = 1234};
    struct buffer cell;

    after_make(&after);
    token_init(&read.token);
    buffer_init(&cell, CELL_SIZE_MAX);
    CHECK_OK(backend->ops->read(backend, &read, &cell));
    say_cell(text, read.path, buffer_slice(&cell));
    say(text, "\n");
    say_token(&read.token, text);
    buffer_done(&cell);
    token_done(&read.token);
    token_done(&after);
}

static void ask_page(struct backend *backend, struct buffer *text)
{
    struct page_request request = {.bucket = "till",
                                   .from = slice_text("u"),
                                   .from_is_name = true,
                                   .size_max = 4096,
                                   .want_token = true,
                                   .timeout_ms = 1234};
    struct neap_item item;
    struct reader reader;
    struct page page;

    page_init(&page, 4096);
    token_init(&request.token);
    CHECK_OK(backend->ops->page(backend, &request, &page));
    say(text, "%" PRIu64 " items, cursor ", page.count);
    say_bytes(text, buffer_slice(&page.cursor));
    reader_init(&reader, buffer_slice(&page.items));
    page_item_read(&reader, &item);
    CHECK_OK(reader_end(&reader));
    say(text, ": %.*s of type %d = %" PRId64 "\n", (int)item.name.size,
        (const char *)item.name.data, (int)item.type, item.number);
    say_token(&request.token, text);
    token_done(&request.token);
    page_done(&page);
}

static void ask_wait(struct backend *backend, struct buffer *text)
{
    struct neap_error error = {0};
    struct token token;

    after_make(&token);
    CHECK_OK(backend->ops->wait(backend, &token, NEAP_ALL, 1234, &error));
    say(text, "waited\n");
    token_done(&token);
}

static void ask_admin(struct backend *backend, struct buffer *text)
{
    static const char *const words[] = {"status", "till"};
    struct neap_error error = {0};
    struct buffer json;

    buffer_init(&json, 4096);
    CHECK_OK(backend->ops->admin(backend, 2, words, &json, &error));
    say(text, "%.*s\n", (int)json.size, (const char *)json.data);
    buffer_done(&json);
}

static void ask_backup(struct backend *backend, struct buffer *text)
{
    struct neap_error error = {0};
    struct buffer json;

    buffer_init(&json, 4096);
    CHECK_OK(backend->ops->backup(backend, "/backups/today", 1234, &json, &error));
    say(text, "%.*s\n", (int)json.size, (const char *)json.data);
    buffer_done(&json);
}

static void ask_once(struct backend *backend, struct buffer *text)
{
    struct neap_error error = {0};
    struct buffer id;

    buffer_init(&id, NEAP_ONCE_MAX);
    CHECK_OK(backend->ops->once(backend, 1234, &id, &error));
    say_bytes(text, buffer_slice(&id));
    say(text, "\n");
    buffer_done(&id);
}

/* Without `default`: a new verb does not compile before it has its golden bytes. False: there is
 * none such. */
static bool ask(enum request_verb verb, struct backend *backend, struct buffer *text)
{
    switch (verb) {
    case REQUEST_HELLO:
        say(text, "hello\n"); /* is said by remote_new() */
        return true;
    case REQUEST_WRITE:
        ask_write(backend, text);
        return true;
    case REQUEST_READ:
        ask_read(backend, text);
        return true;
    case REQUEST_PAGE:
        ask_page(backend, text);
        return true;
    case REQUEST_SYNC:
        CHECK_OK(backend->ops->sync(backend));
        say(text, "synced\n");
        return true;
    case REQUEST_WAIT:
        ask_wait(backend, text);
        return true;
    case REQUEST_ADMIN:
        ask_admin(backend, text);
        return true;
    case REQUEST_BACKUP:
        ask_backup(backend, text);
        return true;
    case REQUEST_ONCE:
        ask_once(backend, text);
        return true;
    }
    return false;
}

static const char *const verb_names[] = {
    [REQUEST_HELLO] = "hello", [REQUEST_WRITE] = "write",   [REQUEST_READ] = "read",
    [REQUEST_PAGE] = "page",   [REQUEST_SYNC] = "sync",     [REQUEST_WAIT] = "wait",
    [REQUEST_ADMIN] = "admin", [REQUEST_BACKUP] = "backup", [REQUEST_ONCE] = "make up an id",
};

/* ---- the file: a request and its reply, verb by verb ---- */

/* What the node was asked, as it understood it. */
static void say_asked(const struct fake *fake, enum request_verb verb, struct buffer *text)
{
    say(text, "asked to %s, \"%s\", ", verb_names[verb], fake->bucket);
    say_bytes(text, fake->path);
    say(text, ", after %zu and ticket %" PRIu64 "\n", fake->after_parts, fake->after_ticket);
    if (verb == REQUEST_WRITE)
        say(text, "%zu writes, the last of kind %d; level %d in %" PRIu32 " ms, once as \"%s\"\n",
            fake->write.count, (int)fake->op.op.kind, (int)fake->write.level,
            fake->write.timeout_ms, fake->once);
    if (verb == REQUEST_READ)
        say(text, "level %d in %" PRIu32 " ms\n", (int)fake->read.level, fake->read.timeout_ms);
    if (verb == REQUEST_PAGE)
        say(text, "of %zu bytes in %" PRIu32 " ms\n", fake->page.size_max, fake->page.timeout_ms);
    if (verb == REQUEST_WAIT)
        say(text, "level %d in %" PRIu32 " ms\n", (int)fake->level, fake->timeout_ms);
    if (verb == REQUEST_ADMIN)
        say(text, "%s\n", fake->words);
    if (verb == REQUEST_ONCE)
        say(text, "in %" PRIu32 " ms\n", fake->timeout_ms);
    if (verb == REQUEST_BACKUP)
        say(text, "%s in %" PRIu32 " ms\n", fake->words, fake->timeout_ms);
}

/* The reply to a hello ends with the release, which is another one with each. */
static void cut_release(enum request_verb verb, struct buffer *reply)
{
    size_t size = strlen(PACKAGE_VERSION) + 1;

    if (verb != REQUEST_HELLO)
        return;
    CHECK(reply->size > size);
    CHECK(!memcmp(reply->data + reply->size - size + 1, PACKAGE_VERSION, size - 1));
    reply->size -= size;
}

/* As it is today: a request and its reply, and what both sides say of it. */
static void talk(enum request_verb verb, struct golden_entry *ret_request,
                 struct golden_entry *ret_reply)
{
    struct line line;

    line_open(&line);
    CHECK(ask(verb, line.client, &ret_reply->says));
    say_asked(&line.fake, verb, &ret_request->says);
    CHECK_OK(buffer_set(&ret_request->bytes, buffer_slice(&line.request)));
    CHECK_OK(buffer_set(&ret_reply->bytes, buffer_slice(&line.reply)));
    cut_release(verb, &ret_reply->bytes);
    line_close(&line);
}

static void talks_text(struct buffer *ret_text)
{
    golden_head_append(ret_text, "Requests of clients and their replies (engine/request.h).");
    for (unsigned verb = 1; verb < COUNT(verb_names); verb++) {
        struct golden_entry request, reply;

        golden_entry_init(&request);
        golden_entry_init(&reply);
        talk((enum request_verb)verb, &request, &reply);
        snprintf(request.name, sizeof request.name, "%s", verb_names[verb]);
        snprintf(reply.name, sizeof reply.name, "reply to %s", verb_names[verb]);
        golden_entry_append(ret_text, &request);
        golden_entry_append(ret_text, &reply);
        golden_entry_done(&request);
        golden_entry_done(&reply);
    }
}

/* A kept request is understood as it was, and asked on in the same bytes; so is its reply. */
static void check_kept(enum request_verb verb, const struct golden_entry *request,
                       const struct golden_entry *reply)
{
    struct slice canned = buffer_slice(&reply->bytes);
    struct buffer says, answer;
    struct line line;

    buffer_init(&says, GOLDEN_BYTES_MAX);
    buffer_init(&answer, REQUEST_SIZE_MAX);
    line_open(&line);
    if (verb != REQUEST_HELLO)
        line.canned = &canned;
    CHECK_OK(request_serve(verb == REQUEST_HELLO ? &line.fake.backend : line.client,
                           buffer_slice(&request->bytes), &answer));
    CHECK_BYTES(buffer_slice(&line.request), buffer_slice(&request->bytes));
    cut_release(verb, &answer);
    CHECK_BYTES(buffer_slice(&answer), buffer_slice(&reply->bytes));
    say_asked(&line.fake, verb, &says);
    CHECK_BYTES(buffer_slice(&says), buffer_slice(&request->says));
    buffer_clear(&says);
    CHECK(ask(verb, line.client, &says));
    CHECK_BYTES(buffer_slice(&says), buffer_slice(&reply->says));
    line_close(&line);
    buffer_done(&says);
    buffer_done(&answer);
}

TEST(requests_and_replies_are_as_they_were)
{
    struct golden_entry request, reply;
    struct buffer now, kept;
    struct slice left;
    unsigned verb = 1;

    buffer_init(&now, GOLDEN_BYTES_MAX);
    buffer_init(&kept, GOLDEN_BYTES_MAX);
    talks_text(&now);
    if (golden_writes())
        golden_write("requests.hex", &now);
    golden_read("requests.hex", &kept);
    golden_entry_init(&request);
    golden_entry_init(&reply);
    for (left = buffer_slice(&kept); golden_entry_next(&left, &request); verb++) {
        CHECK(verb < COUNT(verb_names) && golden_entry_next(&left, &reply));
        CHECK_TEXT(request.name, verb_names[verb]);
        check_kept((enum request_verb)verb, &request, &reply);
    }
    CHECK_EQUAL(verb, COUNT(verb_names));
    CHECK_BYTES(buffer_slice(&now), buffer_slice(&kept));
    golden_entry_done(&request);
    golden_entry_done(&reply);
    buffer_done(&now);
    buffer_done(&kept);
}

TEST(each_verb_has_golden_bytes)
{
    struct line line;
    struct buffer text;

    buffer_init(&text, GOLDEN_BYTES_MAX);
    line_open(&line);
    for (unsigned verb = 1; ask((enum request_verb)verb, line.client, &text); verb++)
        CHECK(verb < COUNT(verb_names) && verb_names[verb]);
    line_close(&line);
    buffer_done(&text);
}
