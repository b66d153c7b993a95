/* Questions and answers of gossip/verify.c as bytes. */
#include "base/error.h"
#include "gossip/verify_state.h"

static void write_nodes(struct writer *writer, const struct merkle_nodes *nodes)
{
    write_u64(writer, nodes->bits);
    write_array(writer, (uint32_t)nodes->count);
    for (size_t i = 0; i < nodes->count; i++)
        write_u64(writer, nodes->index[i]);
}

static void read_nodes(struct reader *reader, uint32_t *index, struct merkle_nodes *ret_nodes)
{
    uint64_t bits = read_u64(reader);
    uint32_t count = read_array(reader, VERIFY_NODES_MAX);
    if (bits > MERKLE_BITS_MAX)
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        uint64_t item = read_u64(reader);
        if (item >> bits != 0 || (i > 0 && item <= index[i - 1]))
            reader_fail(reader, NEAP_INVALID);
        index[i] = (uint32_t)item;
    }
    if (!reader->error)
        *ret_nodes = (struct merkle_nodes){.bits = (unsigned)bits, .index = index, .count = count};
}

static void write_paths(struct writer *writer, const struct verify_paths *paths)
{
    write_array(writer, (uint32_t)paths->count);
    for (size_t i = 0; i < paths->count; i++)
        write_bin(writer, verify_path(paths, i));
}

static struct slice read_path(struct reader *reader)
{
    struct slice path = read_bin(reader, 8 + NEAP_PATH_MAX);
    if (path.size < 8)
        reader_fail(reader, NEAP_INVALID);
    return path;
}

static void read_paths(struct reader *reader, struct verify_paths *ret_paths)
{
    uint32_t count = read_array(reader, VERIFY_PATHS_MAX);
    struct slice last = {0};
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        struct slice path = read_path(reader);
        if (i > 0 && slice_compare(last, path) >= 0)
            reader_fail(reader, NEAP_INVALID);
        if (!reader->error)
            reader_fail(reader, verify_paths_add(ret_paths, path));
        last = path;
    }
}

/* ---- questions ---- */

int verify_question_write(const struct verify_question *question, struct buffer *ret_bytes)
{
    struct writer writer;
    writer_init(&writer, ret_bytes);
    write_array(&writer, 7);
    write_u64(&writer, question->ask);
    write_u64(&writer, question->all);
    write_nodes(&writer, &question->nodes);
    write_u64(&writer, question->below);
    write_bin(&writer, question->from);
    write_paths(&writer, &question->paths);
    return writer.error;
}

int verify_question_read(struct slice bytes, uint32_t *index, struct verify_question *ret_question)
{
    struct reader reader;
    *ret_question = (struct verify_question){0};
    verify_paths_init(&ret_question->paths);
    reader_init(&reader, bytes);
    read_array_of(&reader, 7);
    uint64_t ask = read_u64(&reader);
    uint64_t all = read_u64(&reader);
    read_nodes(&reader, index, &ret_question->nodes);
    uint64_t below = read_u64(&reader);
    ret_question->from = read_bin(&reader, KEY_CURSOR_MAX);
    read_paths(&reader, &ret_question->paths);
    if (ask >= VERIFY_ASKS || all > 1 || below > MERKLE_BITS_MAX ||
        ret_question->nodes.count << below > VERIFY_SUMS_MAX)
        reader_fail(&reader, NEAP_INVALID);
    if (!reader.error) {
        ret_question->ask = (enum verify_ask)ask;
        ret_question->all = all;
        ret_question->below = (unsigned)below;
    }
    return reader_end(&reader);
}

/* ---- answers ---- */

static void write_sums(struct writer *writer, const struct verify_answer *answer)
{
    uint8_t bytes[8 * VERIFY_SUMS_MAX];
    for (size_t i = 0; i < answer->sums_count; i++)
        bytes_put_u64(bytes + 8 * i, answer->sums[i]);
    write_bin(writer, slice_of(bytes, 8 * answer->sums_count));
}

int verify_answer_write(const struct verify_answer *answer, struct buffer *ret_bytes)
{
    struct writer writer;
    writer_init(&writer, ret_bytes);
    write_array(&writer, 6);
    write_u64(&writer, answer->why);
    write_u64(&writer, answer->below);
    write_sums(&writer, answer);
    write_bin(&writer, answer->cells);
    write_bin(&writer, answer->to);
    write_paths(&writer, &answer->paths);
    return writer.error;
}

int verify_answer_read(struct slice bytes, uint64_t *sums, struct verify_answer *ret_answer)
{
    struct reader reader;
    *ret_answer = (struct verify_answer){.sums = sums};
    verify_paths_init(&ret_answer->paths);
    reader_init(&reader, bytes);
    read_array_of(&reader, 6);
    uint64_t why = read_u64(&reader), below = read_u64(&reader);
    struct slice packed = read_bin(&reader, (size_t)8 * VERIFY_SUMS_MAX);
    ret_answer->cells = read_bin(&reader, VERIFY_PACKED_MAX);
    ret_answer->to = read_bin(&reader, KEY_CURSOR_MAX);
    read_paths(&reader, &ret_answer->paths);
    if (why >= VERIFY_WHY_END || below > MERKLE_BITS_MAX || packed.size % 8 != 0)
        reader_fail(&reader, NEAP_INVALID);
    if (reader.error)
        return reader.error;
    ret_answer->why = (enum verify_reason)why;
    ret_answer->below = (unsigned)below;
    ret_answer->sums_count = packed.size / 8;
    for (size_t i = 0; i < ret_answer->sums_count; i++)
        sums[i] = bytes_get_u64(packed.data + 8 * i);
    return reader_end(&reader);
}

/* ---- cells ---- */

int verify_cell_write(struct buffer *cells, struct slice path, uint64_t sum)
{
    struct writer writer;
    size_t size = cells->size;
    writer_init(&writer, cells);
    write_bin(&writer, path);
    write_u64(&writer, sum);
    if (writer.error)
        cells->size = size;
    return writer.error;
}

int verify_cells_next(struct slice *cells, struct slice *path, uint64_t *ret_sum)
{
    struct reader reader;
    if (cells->size == 0)
        return NEAP_END;
    reader_init(&reader, *cells);
    struct slice next = read_path(&reader);
    uint64_t sum = read_u64(&reader);
    if (path->size > 0 && slice_compare(*path, next) >= 0)
        reader_fail(&reader, NEAP_INVALID);
    if (reader.error)
        return NEAP_INVALID;
    *cells = reader.left;
    *path = next;
    *ret_sum = sum;
    return 0;
}

struct hash_key verify_salt(const struct shard *shard, uint64_t session)
{
    struct hash_key salt;
    uint8_t bytes[16] = "verify";
    bytes_put_u64(bytes + 8, session);
    struct digest hash = hash_128(&shard->tree->key, slice_of(bytes, sizeof bytes));
    bytes_put_u64(salt.bytes, hash.high);
    bytes_put_u64(salt.bytes + 8, hash.low);
    return salt;
}
