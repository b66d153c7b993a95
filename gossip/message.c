#include "gossip/message.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/keys.h"

enum { DIGEST_FIELDS = 14 };
enum { ADDRESS_SIZE_MAX = sizeof((struct hello *)0)->address_text - 1 };

void message_init(struct message *message)
{
    *message = (struct message){.hello.address = ""};
}

void message_done(struct message *message)
{
    for (size_t i = 0; i < message->digests_count; i++) {
        context_done(&message->digests[i].context);
        context_done(&message->digests[i].horizon);
        mem_free(message->digests[i].openings);
    }
    mem_free(message->digests);
    context_done(&message->since);
    message_init(message);
}

const char *message_name(enum message_kind kind)
{
    static const char *const names[] = {
        [MESSAGE_HELLO] = "hello",       [MESSAGE_HEARTBEAT] = "heartbeat",
        [MESSAGE_DIGEST] = "digest",     [MESSAGE_PUSH] = "push",
        [MESSAGE_PULL] = "pull",         [MESSAGE_PULLED] = "pulled",
        [MESSAGE_COMPARE] = "compare",   [MESSAGE_COMPARED] = "compared",
        [MESSAGE_TREE] = "tree",         [MESSAGE_TREED] = "treed",
        [MESSAGE_REPAIR] = "repair",     [MESSAGE_REPAIRED] = "repaired",
        [MESSAGE_MEND] = "mend",         [MESSAGE_ASK] = "ask",
        [MESSAGE_TOLD] = "told",         [MESSAGE_VERIFY] = "verify",
        [MESSAGE_VERIFIED] = "verified", [MESSAGE_DESCEND] = "descend",
        [MESSAGE_DIFFER] = "differ",     [MESSAGE_DESCENDED] = "descended",
        [MESSAGE_DIFFERED] = "differed", [MESSAGE_HOLE] = "hole",
        [MESSAGE_FILL] = "fill",
    };
    size_t index = (size_t)kind;
    return index < sizeof names / sizeof *names && names[index] ? names[index] : "unknown";
}

static void write_hello(struct writer *writer, const struct hello *hello)
{
    write_array(writer, 7);
    write_u64(writer, MESSAGE_HELLO);
    write_u64(writer, hello->wire_version);
    write_u64(writer, hello->cluster);
    write_u64(writer, hello->node);
    write_u64(writer, hello->nonce);
    write_u64(writer, hello->channel);
    write_str(writer, hello->address);
}

static void write_digests(struct writer *writer, const struct message *message)
{
    write_array(writer, 3);
    write_u64(writer, MESSAGE_DIGEST);
    write_u64(writer, message->digests_more ? 1 : 0);
    write_array(writer, (uint32_t)message->digests_count);
    for (size_t i = 0; i < message->digests_count; i++) {
        const struct digest_item *item = &message->digests[i];
        write_array(writer, DIGEST_FIELDS);
        write_u64(writer, item->shard);
        write_str(writer, item->name);
        write_u64(writer, item->replica);
        context_write(writer, &item->context);
        context_write(writer, &item->horizon);
        write_u64(writer, item->quote.id);
        write_u64(writer, item->quote.n);
        write_u64(writer, item->quote.nonce);
        write_u64(writer, item->proof.n);
        write_u64(writer, item->proof.nonce);
        write_u64(writer, item->claim);
        write_u64(writer, item->root);
        write_u64(writer, item->opened_at);
        must(item->openings_count <= OPENINGS_MAX);
        write_array(writer, 2 * (uint32_t)item->openings_count);
        for (size_t j = 0; j < item->openings_count; j++) {
            write_u64(writer, item->openings[j].since);
            write_u64(writer, item->openings[j].nonce);
        }
    }
}

/* [kind, shard, session, code, bytes]: which of them a kind has. */
enum {
    HAS_SESSION = 1,
    HAS_CODE = 2,
    HAS_BYTES = 4,
    HAS_SINCE = 8,
    HAS_COMPARES = 16,
    HAS_WHAT = 32,
    HAS_PAGES = 64,
    HAS_NEXT = 128
};

static unsigned parts_of(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_PUSH:
    case MESSAGE_MEND:
        return HAS_BYTES;
    case MESSAGE_PULL:
        return HAS_SESSION | HAS_COMPARES | HAS_SINCE;
    case MESSAGE_COMPARE:
        return HAS_SESSION | HAS_BYTES | HAS_PAGES;
    case MESSAGE_COMPARED:
        return HAS_SESSION | HAS_CODE | HAS_BYTES | HAS_PAGES | HAS_NEXT;
    case MESSAGE_DESCEND:
    case MESSAGE_DIFFER:
    case MESSAGE_HOLE:
        return HAS_SESSION | HAS_BYTES;
    case MESSAGE_TREE:
    case MESSAGE_REPAIR:
    case MESSAGE_VERIFY:
    case MESSAGE_VERIFIED:
        return HAS_SESSION | HAS_BYTES | HAS_SINCE;
    case MESSAGE_PULLED:
        return HAS_SESSION | HAS_CODE | HAS_BYTES | HAS_PAGES;
    case MESSAGE_TREED:
    case MESSAGE_REPAIRED:
    case MESSAGE_DIFFERED:
    case MESSAGE_FILL:
        return HAS_SESSION | HAS_CODE | HAS_BYTES;
    case MESSAGE_ASK:
        return HAS_SESSION | HAS_WHAT | HAS_BYTES;
    case MESSAGE_TOLD:
    case MESSAGE_DESCENDED:
        return HAS_SESSION | HAS_CODE | HAS_BYTES | HAS_SINCE;
    case MESSAGE_HELLO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_DIGEST:
    case MESSAGE_KINDS:
        break;
    }
    return 0;
}

static void write_parts(struct writer *writer, const struct message *message)
{
    unsigned parts = parts_of(message->kind);
    must(parts != 0);
    write_array(writer, 2 + (uint32_t)__builtin_popcount(parts));
    write_u64(writer, message->kind);
    write_u64(writer, message->shard);
    if (parts & HAS_SESSION)
        write_u64(writer, message->session);
    if (parts & HAS_WHAT)
        write_u64(writer, message->what);
    if (parts & HAS_CODE)
        write_i64(writer, message->code);
    if (parts & HAS_BYTES)
        write_bin(writer, message->bytes);
    if (parts & HAS_PAGES)
        write_u64(writer, message->pages);
    if (parts & HAS_NEXT)
        write_bin(writer, message->next);
    if (parts & HAS_COMPARES)
        write_u64(writer, message->compares ? 1 : 0);
    if (parts & HAS_SINCE)
        context_write(writer, &message->since);
}

int message_encode(const struct message *message, struct buffer *ret_bytes)
{
    struct writer writer;
    buffer_clear(ret_bytes);
    writer_init(&writer, ret_bytes);
    switch (message->kind) {
    case MESSAGE_HELLO:
        write_hello(&writer, &message->hello);
        break;
    case MESSAGE_HEARTBEAT:
        write_array(&writer, 1);
        write_u64(&writer, MESSAGE_HEARTBEAT);
        break;
    case MESSAGE_DIGEST:
        must(message->digests_count <= DIGESTS_MAX);
        write_digests(&writer, message);
        break;
    case MESSAGE_PUSH:
    case MESSAGE_PULL:
    case MESSAGE_PULLED:
    case MESSAGE_COMPARE:
    case MESSAGE_COMPARED:
    case MESSAGE_TREE:
    case MESSAGE_TREED:
    case MESSAGE_REPAIR:
    case MESSAGE_REPAIRED:
    case MESSAGE_MEND:
    case MESSAGE_ASK:
    case MESSAGE_TOLD:
    case MESSAGE_VERIFY:
    case MESSAGE_VERIFIED:
    case MESSAGE_DESCEND:
    case MESSAGE_DESCENDED:
    case MESSAGE_DIFFER:
    case MESSAGE_DIFFERED:
    case MESSAGE_HOLE:
    case MESSAGE_FILL:
        write_parts(&writer, message);
        break;
    case MESSAGE_KINDS:
        must(message->kind < MESSAGE_KINDS);
        break;
    }
    return writer.error;
}

/* A text without zero bytes, into memory of `size_max` + 1. */
static void read_text(struct reader *reader, char *ret_text, size_t size_max)
{
    struct slice text = read_str(reader, size_max);
    if (text.size > 0 && memchr(text.data, 0, text.size)) {
        reader_fail(reader, NEAP_INVALID);
        return;
    }
    if (text.size > 0)
        memcpy(ret_text, text.data, text.size);
    ret_text[text.size] = 0;
}

static uint64_t read_below(struct reader *reader, uint64_t bound)
{
    uint64_t value = read_u64(reader);
    if (value < bound)
        return value;
    reader_fail(reader, NEAP_INVALID);
    return 0;
}

/* What a later version adds comes after what this one knows, and is skipped. */
static void read_hello(struct reader *reader, uint32_t count, struct hello *hello)
{
    hello->wire_version = (uint32_t)read_below(reader, UINT32_MAX);
    hello->cluster = read_u64(reader);
    hello->node = read_u64(reader);
    hello->nonce = read_u64(reader);
    hello->channel = (enum channel)read_below(reader, CHANNELS);
    read_text(reader, hello->address_text, ADDRESS_SIZE_MAX);
    if (count < 7 || (count > 7 && hello->wire_version <= WIRE_VERSION))
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 7; i < count; i++)
        read_any(reader);
}

static void read_openings(struct reader *reader, struct digest_item *item)
{
    uint32_t count = read_array(reader, 2 * OPENINGS_MAX);
    if (count % 2 != 0)
        reader_fail(reader, NEAP_INVALID);
    if (reader->error || count == 0)
        return;
    item->openings = mem_new_array(count / 2, sizeof *item->openings);
    if (!item->openings) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    item->openings_count = count / 2;
    for (size_t i = 0; i < item->openings_count; i++) {
        item->openings[i].since = read_u64(reader);
        item->openings[i].nonce = (uint32_t)read_below(reader, (uint64_t)UINT32_MAX + 1);
    }
}

static void read_digest(struct reader *reader, struct digest_item *item)
{
    read_array_of(reader, DIGEST_FIELDS);
    item->shard = read_u64(reader);
    read_text(reader, item->name, NAME_MAX_SIZE);
    item->replica = read_u64(reader);
    (void)context_read(reader, &item->context); /* its error sticks in the reader */
    (void)context_read(reader, &item->horizon);
    item->quote.id = read_u64(reader);
    item->quote.n = read_u64(reader);
    item->quote.nonce = (uint32_t)read_below(reader, (uint64_t)UINT32_MAX + 1);
    item->proof.id = item->quote.id;
    item->proof.n = read_u64(reader);
    item->proof.nonce = (uint32_t)read_below(reader, (uint64_t)UINT32_MAX + 1);
    item->claim = (enum claim)read_below(reader, CLAIM_END);
    item->root = read_u64(reader);
    item->opened_at = read_u64(reader);
    read_openings(reader, item);
    if (item->replica == 0)
        reader_fail(reader, NEAP_INVALID);
}

static void read_digests(struct reader *reader, struct message *message)
{
    message->digests_more = read_below(reader, 2) == 1;
    uint32_t count = read_array(reader, DIGESTS_MAX);
    if (reader->error || count == 0)
        return;
    message->digests = mem_new_array(count, sizeof *message->digests);
    if (!message->digests) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    message->digests_count = count;
    for (uint32_t i = 0; i < count && !reader->error; i++)
        read_digest(reader, &message->digests[i]);
}

static int read_code(struct reader *reader, enum message_kind kind)
{
    int64_t code = read_i64(reader);
    bool busy = kind == MESSAGE_TOLD || kind == MESSAGE_PULLED || kind == MESSAGE_COMPARED ||
                kind == MESSAGE_TREED || kind == MESSAGE_DIFFERED;
    bool told = (code == NEAP_BUSY && busy) || (code == NEAP_FORMAT && kind == MESSAGE_TOLD);
    if (!told && code != 0 && code != NEAP_END && code != NEAP_STALE && code != NEAP_NOTFOUND &&
        code != NEAP_CORRUPT && code != NEAP_LIMIT)
        reader_fail(reader, NEAP_INVALID);
    return (int)code;
}

static void read_parts(struct reader *reader, uint32_t count, struct message *message)
{
    unsigned parts = parts_of(message->kind);
    if (count != 2 + (uint32_t)__builtin_popcount(parts))
        reader_fail(reader, NEAP_INVALID);
    message->shard = read_u64(reader);
    if (parts & HAS_SESSION)
        message->session = read_u64(reader);
    if (parts & HAS_WHAT)
        message->what = read_u64(reader);
    if (parts & HAS_CODE)
        message->code = read_code(reader, message->kind);
    if (parts & HAS_BYTES)
        message->bytes = read_bin(reader, MESSAGE_SIZE_MAX);
    if (parts & HAS_PAGES)
        message->pages = (unsigned)read_below(reader, PAGES_MAX + 1);
    if (parts & HAS_NEXT)
        message->next = read_bin(reader, KEY_CURSOR_MAX);
    if (parts & HAS_COMPARES)
        message->compares = read_below(reader, 2) == 1;
    if (parts & HAS_SINCE)
        (void)context_read(reader, &message->since);
}

static void read_message(struct reader *reader, struct message *message)
{
    uint32_t count = read_array(reader, 64);
    uint64_t kind = read_u64(reader);
    if (reader->error || kind < MESSAGE_HELLO || kind >= MESSAGE_KINDS) {
        reader_fail(reader, NEAP_INVALID);
        return;
    }
    message->kind = (enum message_kind)kind;
    switch (message->kind) {
    case MESSAGE_HELLO:
        read_hello(reader, count, &message->hello);
        break;
    case MESSAGE_HEARTBEAT:
        if (count != 1)
            reader_fail(reader, NEAP_INVALID);
        break;
    case MESSAGE_DIGEST:
        if (count != 3)
            reader_fail(reader, NEAP_INVALID);
        read_digests(reader, message);
        break;
    case MESSAGE_PUSH:
    case MESSAGE_PULL:
    case MESSAGE_PULLED:
    case MESSAGE_COMPARE:
    case MESSAGE_COMPARED:
    case MESSAGE_TREE:
    case MESSAGE_TREED:
    case MESSAGE_REPAIR:
    case MESSAGE_REPAIRED:
    case MESSAGE_MEND:
    case MESSAGE_ASK:
    case MESSAGE_TOLD:
    case MESSAGE_VERIFY:
    case MESSAGE_VERIFIED:
    case MESSAGE_DESCEND:
    case MESSAGE_DESCENDED:
    case MESSAGE_DIFFER:
    case MESSAGE_DIFFERED:
    case MESSAGE_HOLE:
    case MESSAGE_FILL:
        read_parts(reader, count, message);
        break;
    case MESSAGE_KINDS:
        break;
    }
}

int message_decode(struct slice bytes, struct message *ret_message)
{
    struct reader reader;
    struct message message;
    message_init(&message);
    reader_init(&reader, bytes);
    read_message(&reader, &message);
    int error = reader_end(&reader);
    if (error) {
        message_done(&message);
        return error;
    }
    *ret_message = message;
    ret_message->hello.address = ret_message->hello.address_text;
    return 0;
}
