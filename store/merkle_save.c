/* A tree as parts: [version, stamp, bits, cells, siblings, part, leaves, marks, check]. The check
 * is a keyed hash of what stands before it. Nodes above the leaves follow from them. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pack.h"
#include "store/merkle_sums.h"

enum { PART_VERSION = 2, PART_FIELDS = 9, LEAF_SIZE = 16 };
enum { PART_MARKS_SIZE = MERKLE_PART_LEAVES / 8 };

static size_t leaves_of_part(unsigned bits)
{
    size_t leaves = (size_t)1 << bits;

    return leaves < MERKLE_PART_LEAVES ? leaves : MERKLE_PART_LEAVES;
}

static size_t parts_of(unsigned bits)
{
    return ((size_t)1 << bits) / leaves_of_part(bits);
}

size_t merkle_parts(const struct merkle *tree)
{
    return parts_of(tree->now.bits);
}

static void leaves_write(struct writer *writer, const struct merkle_sums *sums, size_t part)
{
    uint8_t leaves[MERKLE_PART_LEAVES * LEAF_SIZE], marks[PART_MARKS_SIZE] = {0};
    size_t count = leaves_of_part(sums->bits);

    for (size_t i = 0; i < count; i++) {
        uint32_t leaf = (uint32_t)(part * count + i);
        struct digest sum = merkle_sum(sums, sums->bits, leaf);

        bytes_put_u64(leaves + i * LEAF_SIZE, sum.high);
        bytes_put_u64(leaves + i * LEAF_SIZE + 8, sum.low);
        if (merkle_is_marked(sums, sums->bits, leaf))
            marks[i / 8] = (uint8_t)(marks[i / 8] | 1u << i % 8);
    }
    write_bin(writer, slice_of(leaves, count * LEAF_SIZE));
    write_bin(writer, slice_of(marks, count / 8));
}

int merkle_save(const struct merkle *tree, uint64_t stamp, size_t part, struct buffer *ret_bytes)
{
    struct writer writer;

    must(tree->ready && part < merkle_parts(tree));
    buffer_clear(ret_bytes);
    writer_init(&writer, ret_bytes);
    write_array(&writer, PART_FIELDS);
    write_u64(&writer, PART_VERSION);
    write_u64(&writer, stamp);
    write_u64(&writer, tree->now.bits);
    write_u64(&writer, tree->now.cells);
    write_u64(&writer, tree->now.siblings);
    write_u64(&writer, part);
    leaves_write(&writer, &tree->now, part);
    if (!writer.error)
        write_u64(&writer, hash_64(&tree->key, buffer_slice(ret_bytes)));
    return writer.error;
}

/* What a part says, before anything is done with it. */
struct part {
    uint64_t stamp, bits, cells, siblings, number;
    struct slice leaves, marks;
};

static int part_read(const struct merkle *tree, struct slice bytes, struct part *part)
{
    struct reader reader;
    struct slice head;

    reader_init(&reader, bytes);
    read_array_of(&reader, PART_FIELDS);
    if (read_u64(&reader) > PART_VERSION)
        return reader.error ? NEAP_CORRUPT : NEAP_FORMAT;
    part->stamp = read_u64(&reader);
    part->bits = read_u64(&reader);
    part->cells = read_u64(&reader);
    part->siblings = read_u64(&reader);
    part->number = read_u64(&reader);
    part->leaves = read_bin(&reader, (size_t)MERKLE_PART_LEAVES * LEAF_SIZE);
    part->marks = read_bin(&reader, PART_MARKS_SIZE);
    head = slice_of(bytes.data, bytes.size - reader.left.size);
    if (read_u64(&reader) != hash_64(&tree->key, head) || reader_end(&reader))
        return NEAP_CORRUPT;
    if (part->bits < MERKLE_BITS_MIN || part->bits > MERKLE_BITS_MAX || part->bits % 2 != 0)
        return NEAP_CORRUPT;
    if (part->bits > tree->bits_max)
        return NEAP_LIMIT;
    if (part->leaves.size != leaves_of_part((unsigned)part->bits) * LEAF_SIZE ||
        part->marks.size != leaves_of_part((unsigned)part->bits) / 8)
        return NEAP_CORRUPT;
    return 0;
}

static int load_begin(struct merkle *tree, const struct part *part)
{
    struct merkle_build *build = mem_new(sizeof *build);
    int error = build ? sums_init(&build->sums, (unsigned)part->bits) : NEAP_NOMEM;

    if (error) {
        mem_free(build);
        return error;
    }
    build->loads = true;
    build->stamp = part->stamp;
    build->sums.cells = part->cells;
    build->sums.siblings = part->siblings;
    tree->build = build;
    return 0;
}

static bool part_follows(const struct merkle_build *build, const struct part *part)
{
    return part->number == build->part && part->stamp == build->stamp &&
           part->bits == build->sums.bits && part->cells == build->sums.cells;
}

static void part_add(struct merkle_sums *sums, const struct part *part)
{
    size_t count = leaves_of_part(sums->bits);

    for (size_t i = 0; i < count; i++) {
        const uint8_t *leaf = part->leaves.data + i * LEAF_SIZE;
        uint64_t place = (part->number * count + i) << (64 - sums->bits);

        sums_add_leaf(sums, place, (struct digest){bytes_get_u64(leaf), bytes_get_u64(leaf + 8)});
        if (part->marks.data[i / 8] >> i % 8 & 1)
            sums_mark(sums, place);
    }
}

int merkle_load(struct merkle *tree, struct slice bytes, uint64_t *ret_stamp)
{
    struct part part = {0};
    int error = part_read(tree, bytes, &part);

    must(!tree->ready && (!tree->build || tree->build->loads));
    if (!error && !tree->build)
        error = part.number == 0 ? load_begin(tree, &part) : NEAP_CORRUPT;
    if (!error && !part_follows(tree->build, &part))
        error = NEAP_CORRUPT;
    if (error) {
        merkle_build_stop(tree);
        return error;
    }
    part_add(&tree->build->sums, &part);
    if (ret_stamp)
        *ret_stamp = part.stamp;
    if (++tree->build->part < parts_of(tree->build->sums.bits))
        return 0;
    merkle_build_end(tree);
    return NEAP_END;
}
