#include "gossip/descent.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* A few nodes cost little to go far below. */
enum { BELOW_FEW = 8, BELOW_MANY = 4, FEW = 4 };
enum { UNDER_WAY_MAX = 4 }; /* questions */

/* ---- lists that travel ---- */

void write_rising(struct writer *writer, const uint32_t *items, size_t count)
{
    write_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        write_u64(writer, i > 0 ? items[i] - items[i - 1] : items[i]);
}

size_t read_rising(struct reader *reader, uint32_t *ret_items, uint64_t bound)
{
    uint32_t count = read_array(reader, MERKLE_LIST_MAX);
    uint64_t item = 0;
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        uint64_t step = read_u64(reader);
        if (step >= bound || (i > 0 && step == 0) || item + step >= bound)
            reader_fail(reader, NEAP_INVALID);
        item += step;
        ret_items[i] = (uint32_t)item;
    }
    return count;
}

void write_sums(struct writer *writer, const uint64_t *sums, size_t count, unsigned width)
{
    uint8_t *bytes = mem_new_array(count + 1, width);
    if (!bytes) {
        writer->error = writer->error ? writer->error : NEAP_NOMEM;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < width; j++)
            bytes[width * i + j] = (uint8_t)(sums[i] >> 8 * (width - 1 - j));
    }
    write_bin(writer, slice_of(bytes, width * count));
    mem_free(bytes);
}

size_t read_sums(struct reader *reader, uint64_t *ret_sums, unsigned width)
{
    struct slice bytes = read_bin(reader, (size_t)width * MERKLE_LIST_MAX);
    if (bytes.size % width != 0)
        reader_fail(reader, NEAP_INVALID);
    for (size_t i = 0; i < bytes.size / width; i++) {
        ret_sums[i] = 0;
        for (unsigned j = 0; j < width; j++)
            ret_sums[i] = ret_sums[i] << 8 | bytes.data[width * i + j];
    }
    return bytes.size / width;
}

/* ---- asking ---- */

struct merkle_salt descent_salt(const struct merkle *tree, uint64_t session, unsigned width)
{
    struct merkle_salt salt = {.width = width};
    uint8_t bytes[8];
    bytes_put_u64(bytes, session);
    struct digest hash = hash_128(&tree->key, slice_of(bytes, sizeof bytes));
    bytes_put_u64(salt.key.bytes, hash.high);
    bytes_put_u64(salt.key.bytes + 8, hash.low);
    return salt;
}

void descent_begin(struct descent *descent, const struct merkle *tree,
                   const struct merkle_salt *salt)
{
    memset(descent, 0, sizeof *descent);
    descent->salt = *salt;
    descent->bits_end = tree->now.bits;
    descent->nodes_count = 1;
}

bool descent_is_done(const struct descent *descent)
{
    return (descent->nodes_count == 0 || descent->bits == descent->bits_end) &&
           descent->taken_number == descent->asked_number;
}

struct merkle_nodes descent_nodes(const struct descent *descent)
{
    return (struct merkle_nodes){
        .bits = descent->bits, .index = descent->nodes, .count = descent->nodes_count};
}

/* How many nodes from `at` on are in one question. */
static size_t descent_part(const struct descent *descent, size_t at)
{
    size_t most = (size_t)MERKLE_LIST_MAX >> descent->below, left = descent->nodes_count - at;
    return left < most ? left : most;
}

static bool descent_waits(const struct descent *descent)
{
    return descent->asked == descent->nodes_count ||
           descent->asked_number - descent->taken_number == UNDER_WAY_MAX;
}

int descent_ask(struct descent *descent, struct writer *writer)
{
    if (descent_is_done(descent) || descent->bits == descent->bits_end || descent_waits(descent))
        return NEAP_END;
    if (descent->asked == 0) {
        unsigned left = descent->bits_end - descent->bits;
        descent->below = descent->nodes_count <= FEW ? BELOW_FEW : BELOW_MANY;
        descent->below = descent->below < left ? descent->below : left;
    }
    size_t part = descent_part(descent, descent->asked);
    write_array(writer, 4);
    write_u64(writer, descent->asked_number);
    write_u64(writer, descent->bits);
    write_u64(writer, descent->below);
    write_rising(writer, descent->nodes + descent->asked, part);
    descent->asked += part;
    descent->asked_number++;
    return writer->error;
}

/* ---- answering ---- */

int descent_answer(const struct merkle *tree, const struct merkle_salt *salt, struct slice question,
                   struct writer *writer)
{
    uint32_t *items = mem_new_array(MERKLE_LIST_MAX, sizeof *items);
    uint64_t *sums = mem_new_array(MERKLE_LIST_MAX, sizeof *sums);
    struct merkle_nodes nodes = {.index = items};
    struct reader reader;
    uint64_t number = 0, bits = 0, below = 0;
    int error = items && sums ? 0 : NEAP_NOMEM;
    reader_init(&reader, question);
    if (!error) {
        read_array_of(&reader, 4);
        number = read_u64(&reader);
        bits = read_u64(&reader);
        below = read_u64(&reader);
        nodes.bits = bits <= MERKLE_BITS_MAX ? (unsigned)bits : MERKLE_BITS_MAX + 1;
        nodes.count = read_rising(&reader, items, (uint64_t)1 << 32);
        error = reader_end(&reader);
    }
    if (!error)
        error = below > MERKLE_BITS_MAX ? NEAP_INVALID
                                        : merkle_list(tree, salt, &nodes, (unsigned)below, sums);
    bool deep = error == NEAP_STALE;
    if (!error || deep) {
        write_array(writer, 3);
        write_u64(writer, number);
        write_u64(writer, tree->now.bits);
        write_sums(writer, sums, deep ? 0 : nodes.count << below, salt->width);
        error = writer->error;
    }
    mem_free(items);
    mem_free(sums);
    return error;
}

/* ---- taking ---- */

/* To the next level, when all of this one is there. */
static void descent_advance(struct descent *descent)
{
    if (descent->taken < descent->nodes_count)
        return;
    memcpy(descent->nodes, descent->next, descent->next_count * sizeof *descent->next);
    descent->nodes_count = descent->next_count;
    descent->next_count = descent->asked = descent->taken = 0;
    descent->bits += descent->below;
}

/* More differ below than can be listed: it ends here, with all that is below these nodes. Of most
 * of them something differs, so that little of it is in vain. */
static void descent_end_here(struct descent *descent)
{
    descent->bits_end = descent->bits;
    if (descent->nodes_count < (size_t)1 << descent->bits)
        return;
    descent->bits = descent->bits_end = 0;
    descent->nodes_count = 1;
    descent->nodes[0] = 0;
}

static int descent_keep(struct descent *descent, const struct merkle *tree, const uint64_t *sums)
{
    struct merkle_nodes nodes = {.bits = descent->bits,
                                 .index = descent->nodes + descent->taken,
                                 .count = descent_part(descent, descent->taken)};
    size_t differ;
    uint32_t *found = mem_new_array(MERKLE_LIST_MAX, sizeof *found);
    if (!found)
        return NEAP_NOMEM;
    int error =
        merkle_differing(tree, &descent->salt, &nodes, descent->below, sums, found, &differ);
    if (!error && differ > MERKLE_LIST_MAX - descent->next_count) {
        descent_end_here(descent);
    } else if (!error) {
        memcpy(descent->next + descent->next_count, found, differ * sizeof *found);
        descent->next_count += differ;
        descent->taken += nodes.count;
        descent_advance(descent);
    }
    mem_free(found);
    return error;
}

/* The peer's tree is smaller: only the first question does not know that. */
static int descent_lower(struct descent *descent, unsigned bits)
{
    if (descent->bits > 0)
        return NEAP_STALE;
    descent->bits_end = bits;
    descent->asked = 0;
    return 0;
}

size_t descent_awaits(const struct descent *descent)
{
    return descent_part(descent, descent->taken) << descent->below;
}

static int descent_look(struct descent *descent, const struct merkle *tree, unsigned bits,
                        const uint64_t *sums, size_t count)
{
    bool deep = bits < descent->bits + descent->below;
    if (descent->bits == descent->bits_end)
        return 0; /* it has ended meanwhile */
    if (count != (deep ? 0 : descent_awaits(descent)))
        return NEAP_INVALID;
    if (deep)
        return descent_lower(descent, bits);
    descent->bits_end = bits < descent->bits_end ? bits : descent->bits_end;
    return descent_keep(descent, tree, sums);
}

int descent_take(struct descent *descent, const struct merkle *tree, struct slice answer)
{
    uint64_t *sums = mem_new_array(MERKLE_LIST_MAX, sizeof *sums);
    struct reader reader;
    if (!sums)
        return NEAP_NOMEM;
    reader_init(&reader, answer);
    read_array_of(&reader, 3);
    uint64_t number = read_u64(&reader), bits = read_u64(&reader);
    size_t count = read_sums(&reader, sums, descent->salt.width);
    int error = reader_end(&reader);
    if (!error && (number >= descent->asked_number || bits > MERKLE_BITS_MAX))
        error = NEAP_INVALID;
    if (!error && number != descent->taken_number)
        error = NEAP_BUSY;
    if (!error)
        error = descent_look(descent, tree, (unsigned)bits, sums, count);
    descent->taken_number += !error;
    mem_free(sums);
    return error;
}
