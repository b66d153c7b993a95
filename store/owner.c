#include "store/owner.h"

#include "base/error.h"
#include "base/pack.h"
#include "base/version.h"
#include "store/keys.h"
#include "store/slot.h"

enum { OWNER_VERSION = 1, OWNER_FIELDS = 3, OWNER_SIZE_MAX = 64 };

static int owner_decode(struct slice bytes, struct owner *ret_owner)
{
    const struct versions reads = {.oldest = OWNER_VERSION, .newest = OWNER_VERSION};
    struct owner owner;
    struct reader reader;
    int code;

    reader_init(&reader, bytes);
    code = version_read(&reader, reads, OWNER_FIELDS);
    if (code)
        return code;
    owner.kind = read_u64(&reader);
    owner.id = read_u64(&reader);
    if (reader_end(&reader))
        return NEAP_CORRUPT;
    *ret_owner = owner;
    return 0;
}

int owner_read(const struct view *view, uint64_t shard, uint64_t replica, struct owner *ret_owner)
{
    struct buffer bytes;
    struct key key;
    int error;

    buffer_init(&bytes, STORED_SIZE_MAX);
    key_owner(&key, shard, replica);
    error = view_get(view, DISK_META, key_slice(&key), &bytes);
    if (!error)
        error = owner_decode(buffer_slice(&bytes), ret_owner);
    buffer_done(&bytes);
    return error;
}

int owner_write(struct batch *batch, uint64_t shard, uint64_t replica, const struct owner *owner)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, OWNER_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, OWNER_FIELDS);
    write_u64(&writer, OWNER_VERSION);
    write_u64(&writer, owner->kind);
    write_u64(&writer, owner->id);
    key_owner(&key, shard, replica);
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}
