#include "engine/rights.h"

#include "base/error.h"
#include "crdt/bounded.h"
#include "engine/engine.h"
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

void rights_ask(const struct engine *engine, const char *shard_name, struct rights_asked *ret_asked)
{
    struct shard *shard = store_find(&engine->store, bucket_id(shard_name));
    struct rights_asked asked = {.spends = true};

    /* Where nothing was ever written nothing is waited for. */
    if (shard) {
        asked.mine = shard->replica;
        asked.spends = shard_spends(shard, asked.ids, &asked.ids_count);
    }
    *ret_asked = asked;
}

int rights_read_cell(struct disk *disk, const struct rights_asked *asked, struct read *read,
                     struct buffer *ret_rights)
{
    struct neap_rights rights = {0};
    struct rights found = {0};
    struct cell cell;
    int code;

    cell_init(&cell);
    code = read_cell(disk, read, ret_rights);
    if (!code)
        code = cell_decode(buffer_slice(ret_rights), &cell);
    if (!code)
        code = bounded_rights(&cell, asked->mine, asked->ids, asked->ids_count, &found);
    if (!code) {
        rights = (struct neap_rights){.value = found.value,
                                      .here = found.here,
                                      .waits = !asked->spends,
                                      .mine = asked->mine,
                                      .most = found.most,
                                      .who = found.who};
        code = rights_write(&rights, ret_rights);
    }
    cell_done(&cell);
    if (code && !read->error.code)
        error_set(&read->error, code, "rights of a bounded counter: %s", error_text(code));
    return code;
}
