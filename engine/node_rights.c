/* Who has rights of a bounded counter, as this node sees it. */
#include "base/error.h"
#include "crdt/bounded.h"
#include "engine/node.h"
#include "engine/read.h"

enum { RIGHTS_FIELDS = 6 };

int rights_write(const struct neap_rights *rights, struct buffer *ret_bytes)
{
    struct writer writer;

    buffer_clear(ret_bytes);
    writer_init(&writer, ret_bytes);
    write_array(&writer, RIGHTS_FIELDS);
    write_i64(&writer, rights->value);
    write_i64(&writer, rights->here);
    write_u64(&writer, (uint64_t)rights->waits);
    write_u64(&writer, rights->mine);
    write_i64(&writer, rights->most);
    write_u64(&writer, rights->who);
    return writer.error;
}

int rights_read(struct slice bytes, struct neap_rights *ret_rights)
{
    struct neap_rights rights = {.size = ret_rights->size};
    struct reader reader;
    uint64_t waits;

    reader_init(&reader, bytes);
    read_array_of(&reader, RIGHTS_FIELDS);
    rights.value = read_i64(&reader);
    rights.here = read_i64(&reader);
    waits = read_u64(&reader);
    rights.mine = read_u64(&reader);
    rights.most = read_i64(&reader);
    rights.who = read_u64(&reader);
    if (waits > 1)
        reader_fail(&reader, NEAP_INVALID);
    rights.waits = (int)waits;
    if (reader_end(&reader))
        return reader_end(&reader);
    *ret_rights = rights;
    return 0;
}

/* What only the wheel knows. */
struct asked {
    uint64_t shard, mine, ids[FORMERS_MAX];
    size_t ids_count;
    bool spends;
};

static void ids_ask(void *arg, struct engine *engine)
{
    struct asked *asked = arg;
    struct shard *shard = store_find(&engine->store, asked->shard);

    if (!shard) {
        asked->spends = true; /* nothing was ever written here: nothing is waited for */
        return;
    }
    asked->mine = shard->replica;
    asked->spends = shard_spends(shard, asked->ids, &asked->ids_count);
}

int node_rights(struct node *node, struct read *read, struct buffer *ret_rights)
{
    struct asked asked = {.shard = bucket_id(read->bucket)};
    struct event event = {.kind = EVENT_CALL, .call = ids_ask, .arg = &asked};
    struct neap_rights rights = {0};
    struct rights found = {0};
    struct cell cell;
    int code = node_run(node, &event);

    cell_init(&cell);
    if (!code)
        code = read_cell(node->disk, read, ret_rights);
    if (!code)
        code = cell_decode(buffer_slice(ret_rights), &cell);
    if (!code)
        code = bounded_rights(&cell, asked.mine, asked.ids, asked.ids_count, &found);
    if (!code) {
        rights = (struct neap_rights){.value = found.value,
                                      .here = found.here,
                                      .waits = !asked.spends,
                                      .mine = asked.mine,
                                      .most = found.most,
                                      .who = found.who};
        code = rights_write(&rights, ret_rights);
    }
    cell_done(&cell);
    if (code && !read->error.code)
        error_set(&read->error, code, "rights of a bounded counter: %s", error_text(code));
    return code;
}
