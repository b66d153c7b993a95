#include "gossip/message.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/keys.h"

enum { DIGEST_FIELDS = 15, SWIM_FIELDS = 5 };
enum { ADDRESS_SIZE_MAX = sizeof((struct hello *)0)->address_text - 1 };

void message_init(struct message *message)
{
    *message = (struct message){.hello.address = ""};
}

void message_answer(struct message *answer, enum message_kind kind, const struct message *question)
{
    message_init(answer);
    answer->kind = kind;
    answer->shard = question->shard;
    answer->session = question->session;
}

void message_done(struct message *message)
{
    for (size_t i = 0; i < message->digests_count; i++) {
        context_done(&message->digests[i].context);
        context_done(&message->digests[i].horizon);
        mem_free(message->digests[i].openings);
    }
    mem_free(message->digests);
    subscriptions_done(&message->interest);
    context_done(&message->since);
    mem_free(message->swim);
    message_init(message);
}

/* What follows kind and shard, in this order; and what is true of a kind. */
enum {
    HAS_SESSION = 1,
    HAS_WHAT = 2,
    HAS_CODE = 4,
    HAS_BYTES = 8,
    HAS_PAGES = 16,
    HAS_NEXT = 32,
    HAS_COMPARES = 64,
    HAS_CELLS = 128,
    HAS_SINCE = 256,
    MAY_BE_BUSY = 512, /* its code */
    MAY_BE_NEW = 1024, /* its code: FORMAT */
    IS_BULK = 2048,
    OWN_FORM = 4096,
    PARTS = HAS_SINCE | (HAS_SINCE - 1),
    HAS_ANSWER = HAS_SESSION | HAS_CODE | HAS_BYTES
};

static const struct {
    const char *word;
    unsigned parts;
} kinds[] = {
    [MESSAGE_HELLO] = {"hello", OWN_FORM},
    [MESSAGE_HEARTBEAT] = {"heartbeat", OWN_FORM},
    [MESSAGE_DIGEST] = {"digest", OWN_FORM},
    [MESSAGE_PUSH] = {"push", HAS_SESSION | HAS_WHAT | HAS_BYTES},
    [MESSAGE_PULL] = {"pull", HAS_SESSION | HAS_WHAT | HAS_COMPARES | HAS_SINCE},
    [MESSAGE_PULLED] = {"pulled", HAS_ANSWER | HAS_WHAT | HAS_PAGES | MAY_BE_BUSY | IS_BULK},
    [MESSAGE_COMPARE] = {"compare", HAS_SESSION | HAS_BYTES | HAS_PAGES},
    [MESSAGE_COMPARED] = {"compared",
                          HAS_ANSWER | HAS_PAGES | HAS_NEXT | HAS_CELLS | MAY_BE_BUSY | IS_BULK},
    [MESSAGE_TREE] = {"tree", HAS_SESSION | HAS_BYTES | HAS_SINCE},
    [MESSAGE_TREED] = {"treed", HAS_ANSWER | MAY_BE_BUSY | IS_BULK},
    [MESSAGE_REPAIR] = {"repair", HAS_SESSION | HAS_BYTES | HAS_SINCE},
    [MESSAGE_REPAIRED] = {"repaired", HAS_ANSWER | IS_BULK},
    [MESSAGE_MEND] = {"mend", HAS_BYTES | IS_BULK},
    [MESSAGE_ASK] = {"ask", HAS_SESSION | HAS_WHAT | HAS_BYTES},
    [MESSAGE_TOLD] = {"told", HAS_ANSWER | HAS_SINCE | MAY_BE_BUSY | MAY_BE_NEW},
    [MESSAGE_VERIFY] = {"verify", HAS_SESSION | HAS_BYTES | HAS_SINCE},
    [MESSAGE_VERIFIED] = {"verified", HAS_SESSION | HAS_BYTES | HAS_SINCE},
    [MESSAGE_DESCEND] = {"descend", HAS_SESSION | HAS_BYTES},
    [MESSAGE_DESCENDED] = {"descended", HAS_ANSWER | HAS_CELLS | HAS_SINCE | MAY_BE_BUSY | IS_BULK},
    [MESSAGE_DIFFER] = {"differ", HAS_SESSION | HAS_BYTES},
    [MESSAGE_DIFFERED] = {"differed", HAS_ANSWER | MAY_BE_BUSY | IS_BULK},
    [MESSAGE_HOLE] = {"hole", HAS_SESSION | HAS_BYTES},
    [MESSAGE_FILL] = {"fill", HAS_ANSWER | IS_BULK},
    [MESSAGE_RIGHTS] = {"rights", HAS_WHAT | HAS_BYTES},
    [MESSAGE_PUSHED] = {"pushed", HAS_SESSION | HAS_CODE},
    [MESSAGE_SWIM] = {"swim", OWN_FORM},
    [MESSAGE_INTEREST] = {"interest", OWN_FORM},
    [MESSAGE_LEAVE] = {"leave", HAS_SESSION | HAS_SINCE},
    [MESSAGE_RELIEVED] = {"relieved", HAS_SESSION | HAS_CODE},
};
_Static_assert(sizeof kinds / sizeof *kinds == MESSAGE_KINDS, "each kind has a row");

const char *message_name(enum message_kind kind)
{
    size_t index = (size_t)kind;
    return index < MESSAGE_KINDS && kinds[index].word ? kinds[index].word : "unknown";
}

bool message_has_shard(enum message_kind kind)
{
    return (kinds[kind].parts & PARTS) != 0;
}

bool message_is_bulk(enum message_kind kind)
{
    return kinds[kind].parts & IS_BULK;
}

static void write_hello(struct writer *writer, const struct hello *hello)
{
    bool later = hello->wire_version > WIRE_VERSION;
    write_array(writer, later ? 8 : 7);
    write_u64(writer, MESSAGE_HELLO);
    write_u64(writer, hello->wire_version);
    write_u64(writer, hello->cluster);
    write_u64(writer, hello->node);
    write_u64(writer, hello->nonce);
    write_u64(writer, hello->channel);
    write_str(writer, hello->address);
    if (later)
        write_str(writer, "what a later version adds");
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
        must(item->earlier_count <= EARLIER_MAX);
        write_array(writer, (uint32_t)item->earlier_count);
        for (size_t j = 0; j < item->earlier_count; j++)
            write_u64(writer, item->earlier[j]);
    }
}

static void write_swim(struct writer *writer, const struct swim_message *swim)
{
    write_array(writer, SWIM_FIELDS);
    write_u64(writer, MESSAGE_SWIM);
    write_u64(writer, swim->type);
    write_u64(writer, swim->number);
    write_u64(writer, swim->target);
    must(swim->updates_count <= SWIM_UPDATES_MAX);
    write_array(writer, swim->updates_count);
    for (unsigned i = 0; i < swim->updates_count; i++) {
        const struct swim_update *update = &swim->updates[i];
        must(update->accusers_count <= SWIM_ACCUSERS_MAX);
        write_array(writer, 3 + update->accusers_count);
        write_u64(writer, update->node);
        write_u64(writer, update->state);
        write_u64(writer, update->incarnation);
        for (unsigned j = 0; j < update->accusers_count; j++)
            write_u64(writer, update->accusers[j]);
    }
}

static void write_parts(struct writer *writer, const struct message *message)
{
    unsigned parts = kinds[message->kind].parts;
    write_array(writer, 2 + (uint32_t)__builtin_popcount(parts & PARTS));
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
    if (parts & HAS_CELLS)
        write_u64(writer, message->cells);
    if (parts & HAS_SINCE)
        context_write(writer, &message->since);
}

int message_encode(const struct message *message, struct buffer *ret_bytes)
{
    struct writer writer;
    buffer_clear(ret_bytes);
    writer_init(&writer, ret_bytes);
    must(message->kind >= MESSAGE_HELLO && message->kind < MESSAGE_KINDS);
    if (message_has_shard(message->kind)) {
        write_parts(&writer, message);
    } else if (message->kind == MESSAGE_HELLO) {
        write_hello(&writer, &message->hello);
    } else if (message->kind == MESSAGE_DIGEST) {
        must(message->digests_count <= DIGESTS_MAX);
        write_digests(&writer, message);
    } else if (message->kind == MESSAGE_SWIM) {
        write_swim(&writer, message->swim);
    } else {
        write_array(&writer, 2);
        write_u64(&writer, message->kind);
        if (message->kind == MESSAGE_INTEREST)
            subscriptions_write(&writer, &message->interest);
        else
            write_u64(&writer, message->what);
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

static void read_earlier(struct reader *reader, struct digest_item *item)
{
    uint32_t count = read_array(reader, EARLIER_MAX);
    for (uint32_t i = 0; i < count && !reader->error; i++)
        item->earlier[item->earlier_count++] = read_u64(reader);
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
    read_earlier(reader, item);
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

/* A state has accusers if it is that of a suspect. */
static void read_update(struct reader *reader, struct swim_update *update)
{
    uint32_t count = read_array(reader, 3 + SWIM_ACCUSERS_MAX);
    update->node = read_u64(reader);
    update->state = (enum member_state)read_below(reader, MEMBER_STATE_END);
    update->incarnation = read_below(reader, SWIM_INCARNATION_MAX + 1);
    if (count < 3 || (count > 3 && update->state != MEMBER_SUSPECT))
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 3; i < count && !reader->error; i++)
        update->accusers[update->accusers_count++] = read_u64(reader);
}

static void read_swim(struct reader *reader, uint32_t count, struct message *message)
{
    if (count != SWIM_FIELDS)
        reader_fail(reader, NEAP_INVALID);
    struct swim_message *swim = reader->error ? NULL : mem_new(sizeof *swim);
    if (!swim) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    message->swim = swim;
    swim->type = (enum swim_type)read_below(reader, SWIM_TYPE_END);
    swim->number = read_u64(reader);
    swim->target = read_u64(reader);
    uint32_t updates = read_array(reader, SWIM_UPDATES_MAX);
    for (uint32_t i = 0; i < updates && !reader->error; i++)
        read_update(reader, &swim->updates[swim->updates_count++]);
}

static int read_code(struct reader *reader, unsigned parts)
{
    int64_t code = read_i64(reader);
    bool fits =
        (code == NEAP_BUSY && parts & MAY_BE_BUSY) || (code == NEAP_FORMAT && parts & MAY_BE_NEW);
    if (!fits && code != 0 && code != NEAP_END && code != NEAP_STALE && code != NEAP_NOTFOUND &&
        code != NEAP_CORRUPT && code != NEAP_LIMIT)
        reader_fail(reader, NEAP_INVALID);
    return (int)code;
}

static void read_parts(struct reader *reader, uint32_t count, struct message *message)
{
    unsigned parts = kinds[message->kind].parts;
    if (count != 2 + (uint32_t)__builtin_popcount(parts & PARTS))
        reader_fail(reader, NEAP_INVALID);
    message->shard = read_u64(reader);
    if (parts & HAS_SESSION)
        message->session = read_u64(reader);
    if (parts & HAS_WHAT)
        message->what = read_u64(reader);
    if (parts & HAS_CODE)
        message->code = read_code(reader, parts);
    if (parts & HAS_BYTES)
        message->bytes = read_bin(reader, MESSAGE_SIZE_MAX);
    if (parts & HAS_PAGES)
        message->pages = (unsigned)read_below(reader, PAGES_MAX + 1);
    if (parts & HAS_NEXT)
        message->next = read_bin(reader, KEY_CURSOR_MAX);
    if (parts & HAS_COMPARES)
        message->compares = read_below(reader, 2) == 1;
    if (parts & HAS_CELLS)
        message->cells = read_u64(reader);
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
    if (message_has_shard(message->kind)) {
        read_parts(reader, count, message);
    } else if (message->kind == MESSAGE_HELLO) {
        read_hello(reader, count, &message->hello);
    } else if (message->kind == MESSAGE_SWIM) {
        read_swim(reader, count, message);
    } else if (message->kind == MESSAGE_INTEREST && count == 2) {
        subscriptions_read(reader, &message->interest);
    } else if (count != (message->kind == MESSAGE_DIGEST ? 3 : 2)) {
        reader_fail(reader, NEAP_INVALID);
    } else if (message->kind == MESSAGE_DIGEST) {
        read_digests(reader, message);
    } else {
        message->what = read_u64(reader);
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

enum { MARK = 0xc1 }; /* begins nothing in msgpack */

int message_mark(struct buffer *bytes, uint32_t version)
{
    return version > WIRE_VERSION ? buffer_append_u8(bytes, MARK) : 0;
}

int message_unmark(struct slice *bytes, uint32_t version)
{
    if (version <= WIRE_VERSION)
        return 0;
    if (bytes->size == 0 || bytes->data[bytes->size - 1] != MARK)
        return NEAP_INVALID;
    bytes->size--;
    return 0;
}
