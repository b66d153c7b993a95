#include "store/format.h"

#include "base/error.h"
#include "base/pack.h"
#include "store/keys.h"

enum { RECORD_SIZE_MAX = 64 };

struct versions format_reads(void)
{
    return (struct versions){.oldest = FORMAT_VERSION_MIN, .newest = FORMAT_VERSION};
}

/* 'F' is [version] in all formats. */
int format_read(const struct view *view, struct versions reads, uint32_t *ret_found,
                struct neap_error *error)
{
    struct buffer bytes;
    struct reader reader;
    struct key key;
    uint64_t found = 0;
    int failed;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    key_meta(&key, 'F');
    failed = view_get(view, DISK_META, key_slice(&key), &bytes);
    if (!failed) {
        reader_init(&reader, buffer_slice(&bytes));
        read_array_of(&reader, 1);
        found = read_u64(&reader);
        found = reader_end(&reader) ? 0 : found;
    }
    if (!failed || failed == NEAP_LIMIT)
        failed = version_refuse(found, reads, "the directory", error);
    if (!failed)
        *ret_found = (uint32_t)found;
    buffer_done(&bytes);
    return failed;
}

int format_write(struct batch *batch, uint32_t version)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, 1);
    write_u64(&writer, version);
    key_meta(&key, 'F');
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}
