#include "store/merkle_sums.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { CELLS_AIM = 24 }; /* a leaf, at most */

/* Kept levels are those at 0, 4, 8... bits, and the leaves. */
static unsigned level_bits(const struct merkle_sums *sums, unsigned level)
{
    unsigned bits = level * MERKLE_BITS_STEP;

    return bits < sums->bits ? bits : sums->bits;
}

static unsigned levels_count(unsigned bits)
{
    return (bits + MERKLE_BITS_STEP - 1) / MERKLE_BITS_STEP + 1;
}

/* Nodes of the levels above: 0, 1, 17, 273... */
static size_t level_at(unsigned level)
{
    return (((size_t)1 << level * MERKLE_BITS_STEP) - 1) / ((1 << MERKLE_BITS_STEP) - 1);
}

static size_t place_index(uint64_t place, unsigned bits)
{
    return bits > 0 ? (size_t)(place >> (64 - bits)) : 0;
}

size_t sums_nodes(unsigned bits)
{
    return level_at(levels_count(bits) - 1) + ((size_t)1 << bits);
}

static size_t marks_size(unsigned bits)
{
    return (sums_nodes(bits) + 7) / 8;
}

unsigned sums_bits_for(uint64_t cells, unsigned bits_max)
{
    unsigned bits = MERKLE_BITS_MIN;

    while (bits < bits_max && cells > (uint64_t)CELLS_AIM << bits)
        bits += 2;
    return bits;
}

int sums_init(struct merkle_sums *sums, unsigned bits)
{
    must(bits % 2 == 0 && bits >= MERKLE_BITS_MIN && bits <= MERKLE_BITS_MAX);
    *sums = (struct merkle_sums){.bits = bits};
    sums->nodes = mem_new_array(sums_nodes(bits), sizeof *sums->nodes);
    sums->marks = mem_new(marks_size(bits));
    if (sums->nodes && sums->marks)
        return 0;
    sums_done(sums);
    return NEAP_NOMEM;
}

void sums_done(struct merkle_sums *sums)
{
    mem_free(sums->nodes);
    mem_free(sums->marks);
    *sums = (struct merkle_sums){0};
}

void sums_clear(struct merkle_sums *sums)
{
    memset(sums->nodes, 0, sums_nodes(sums->bits) * sizeof *sums->nodes);
    sums->cells = 0;
    sums->siblings = 0;
    sums_unmark(sums);
}

void sums_unmark(struct merkle_sums *sums)
{
    memset(sums->marks, 0, marks_size(sums->bits));
}

void sums_add(struct merkle_sums *sums, uint64_t place, struct digest sum)
{
    unsigned levels = levels_count(sums->bits);

    for (unsigned level = 0; level < levels; level++)
        digest_add(&sums->nodes[level_at(level) + place_index(place, level_bits(sums, level))],
                   sum);
}

static size_t leaf_at(const struct merkle_sums *sums, uint64_t place)
{
    return level_at(levels_count(sums->bits) - 1) + place_index(place, sums->bits);
}

void sums_add_leaf(struct merkle_sums *sums, uint64_t place, struct digest sum)
{
    digest_add(&sums->nodes[leaf_at(sums, place)], sum);
}

void sums_fetch_leaf(const struct merkle_sums *sums, uint64_t place)
{
    __builtin_prefetch(&sums->nodes[leaf_at(sums, place)], 1);
}

void sums_raise(struct merkle_sums *sums)
{
    for (unsigned level = levels_count(sums->bits) - 1; level-- > 0;) {
        unsigned below = level_bits(sums, level + 1) - level_bits(sums, level);

        for (size_t i = 0; i < (size_t)1 << level_bits(sums, level); i++) {
            const struct digest *children = &sums->nodes[level_at(level + 1) + (i << below)];
            struct digest *node = &sums->nodes[level_at(level) + i];

            *node = (struct digest){0};
            for (size_t child = 0; child < (size_t)1 << below; child++)
                digest_add(node, children[child]);
        }
    }
}

void sums_mark(struct merkle_sums *sums, uint64_t place)
{
    unsigned levels = levels_count(sums->bits);

    for (unsigned level = 0; level < levels; level++) {
        size_t node = level_at(level) + place_index(place, level_bits(sums, level));

        sums->marks[node / 8] = (uint8_t)(sums->marks[node / 8] | 1u << node % 8);
    }
}

/* The kept nodes that make up one at any level: *ret_count from the returned one on. */
static size_t nodes_of(const struct merkle_sums *sums, unsigned bits, uint32_t index,
                       size_t *ret_count)
{
    unsigned level = (bits + MERKLE_BITS_STEP - 1) / MERKLE_BITS_STEP;
    unsigned below = level_bits(sums, level) - bits;

    must(bits <= sums->bits && (uint64_t)index >> bits == 0);
    *ret_count = (size_t)1 << below;
    return level_at(level) + ((size_t)index << below);
}

struct digest merkle_sum(const struct merkle_sums *sums, unsigned bits, uint32_t index)
{
    struct digest sum = {0};
    size_t count, first = nodes_of(sums, bits, index, &count);

    for (size_t i = 0; i < count; i++)
        digest_add(&sum, sums->nodes[first + i]);
    return sum;
}

bool merkle_is_marked(const struct merkle_sums *sums, unsigned bits, uint32_t index)
{
    size_t count, first = nodes_of(sums, bits, index, &count);

    for (size_t i = first; i < first + count; i++) {
        if (sums->marks[i / 8] >> i % 8 & 1)
            return true;
    }
    return false;
}

bool merkle_same(const struct merkle_sums *a, const struct merkle_sums *b)
{
    unsigned bits = a->bits < b->bits ? a->bits : b->bits;

    for (uint32_t i = 0; i < (uint32_t)1 << bits; i++) {
        if (!digest_equal(merkle_sum(a, bits, i), merkle_sum(b, bits, i)))
            return false;
    }
    return a->cells == b->cells;
}

int sums_fold(const struct merkle_sums *sums, unsigned bits, struct merkle_sums *ret_sums)
{
    struct merkle_sums folded;
    int error = sums_init(&folded, bits);

    if (error)
        return error;
    must(bits <= sums->bits);
    folded.cells = sums->cells;
    folded.siblings = sums->siblings;
    for (unsigned level = 0; level < levels_count(bits); level++) {
        unsigned level_of = level_bits(&folded, level);

        for (uint32_t i = 0; i < (uint32_t)1 << level_of; i++) {
            size_t node = level_at(level) + i;

            folded.nodes[node] = merkle_sum(sums, level_of, i);
            if (merkle_is_marked(sums, level_of, i))
                folded.marks[node / 8] = (uint8_t)(folded.marks[node / 8] | 1u << node % 8);
        }
    }
    *ret_sums = folded;
    return 0;
}
