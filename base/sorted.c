#include "base/sorted.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rng.h"

/* One entry in four reaches the next level, so this many serve four billion entries. */
enum { HEIGHT_MAX = 16 };

/* One allocation: the links, then the bytes of the key, then those of the value. */
struct node {
    struct sorted_entry entry; /* first: a pointer to it is a pointer to the node */
    size_t value_room;
    unsigned height;
    struct node *next[];
};

struct sorted {
    struct node *first[HEIGHT_MAX];
    struct node **head; /* is `first`: links that may be changed behind a const map, too */
    unsigned height;    /* levels with nodes in them: none above is looked at */
    /* What comes in order, as most does, goes to the end without a search. */
    struct node *last;              /* NULL: there is none, or it is not known */
    struct node **ends[HEIGHT_MAX]; /* when it is: the last link of each level in use */
    size_t count, bytes;
    struct rng rng; /* of a fixed seed: what a test did once, it does again */
};

int sorted_new(struct sorted **ret_sorted)
{
    struct sorted *sorted = mem_new(sizeof *sorted);

    if (!sorted)
        return NEAP_NOMEM;
    sorted->head = sorted->first;
    rng_init(&sorted->rng, 1);
    *ret_sorted = sorted;
    return 0;
}

void sorted_free(struct sorted *sorted)
{
    if (!sorted)
        return;
    sorted_clear(sorted);
    mem_free(sorted);
}

/* The first node at or after `key`. With `ret_links`: for each level in use the link that leads to
 * the first node there at or after it. */
static struct node *sorted_find(const struct sorted *sorted, struct slice key,
                                struct node **ret_links[HEIGHT_MAX])
{
    struct node **links = sorted->head, *past = NULL;
    unsigned level = sorted->height;

    if (sorted->last && slice_compare(sorted->last->entry.key, key) < 0) {
        if (ret_links)
            memcpy(ret_links, sorted->ends, level * sizeof *ret_links);
        return NULL;
    }
    while (level-- > 0) {
        /* A node that was past the key one level up is not compared again. */
        while (links[level] != past && slice_compare(links[level]->entry.key, key) < 0)
            links = links[level]->next;
        past = links[level];
        if (ret_links)
            ret_links[level] = &links[level];
    }
    return past;
}

static bool node_is(const struct node *node, struct slice key)
{
    return node && slice_equal(node->entry.key, key);
}

static struct node *node_new(unsigned height, struct slice key, struct slice value, uint8_t tag)
{
    size_t head = sizeof(struct node) + height * sizeof(struct node *);
    struct node *node;
    uint8_t *bytes;

    if (key.size > SIZE_MAX - head || value.size > SIZE_MAX - head - key.size)
        return NULL;
    node = mem_new(head + key.size + value.size);
    if (!node)
        return NULL;
    bytes = (uint8_t *)node + head;
    if (key.size)
        memcpy(bytes, key.data, key.size);
    if (value.size)
        memcpy(bytes + key.size, value.data, value.size);
    node->entry.key = slice_of(bytes, key.size);
    node->entry.value = slice_of(bytes + key.size, value.size);
    node->entry.tag = tag;
    node->value_room = value.size;
    node->height = height;
    return node;
}

/* In place when the value fits and would not waste more than it takes. */
static bool node_set(struct node *node, struct slice value, uint8_t tag)
{
    if (value.size > node->value_room || value.size < node->value_room / 2)
        return false;
    if (value.size)
        memmove((uint8_t *)node->entry.key.data + node->entry.key.size, value.data, value.size);
    node->entry.value.size = value.size;
    node->entry.tag = tag;
    return true;
}

static size_t node_bytes(const struct node *node)
{
    return node->entry.key.size + node->entry.value.size;
}

static unsigned sorted_height(struct sorted *sorted)
{
    uint64_t bits = rng_u64(&sorted->rng);
    unsigned height = 1;

    while (height < HEIGHT_MAX && !(bits & 3)) {
        height++;
        bits >>= 2;
    }
    return height;
}

static void sorted_find_ends(struct sorted *sorted, struct node *last)
{
    struct node **links = sorted->head;
    unsigned level = sorted->height;

    while (level-- > 0) {
        while (links[level])
            links = links[level]->next;
        sorted->ends[level] = &links[level];
    }
    sorted->last = last;
}

/* A node was linked. */
static void sorted_note_ends(struct sorted *sorted, struct node *node)
{
    if (!sorted->last) {
        if (!node->next[0])
            sorted_find_ends(sorted, node);
        return;
    }
    for (unsigned level = 0; level < node->height; level++) {
        if (!node->next[level])
            sorted->ends[level] = &node->next[level];
    }
    if (!node->next[0])
        sorted->last = node;
}

/* A node of the same height in the place of another. */
static void sorted_swap(struct sorted *sorted, struct node *old, struct node *node,
                        struct node **links[HEIGHT_MAX])
{
    unsigned level;

    for (level = 0; level < old->height; level++) {
        node->next[level] = old->next[level];
        *links[level] = node;
    }
    sorted->last = NULL;
    mem_free(old);
}

int sorted_put(struct sorted *sorted, struct slice key, struct slice value, uint8_t tag)
{
    struct node **links[HEIGHT_MAX], *old, *node;
    size_t bytes_before = 0;
    unsigned level;

    old = sorted_find(sorted, key, links);
    if (!node_is(old, key))
        old = NULL;
    else
        bytes_before = node_bytes(old);
    if (old && node_set(old, value, tag)) {
        sorted->bytes += node_bytes(old) - bytes_before;
        return 0;
    }
    node = node_new(old ? old->height : sorted_height(sorted), key, value, tag);
    if (!node)
        return NEAP_NOMEM;
    sorted->bytes += node_bytes(node) - bytes_before;
    if (old) {
        sorted_swap(sorted, old, node, links);
        return 0;
    }
    for (; sorted->height < node->height; sorted->height++)
        links[sorted->height] = &sorted->head[sorted->height];
    for (level = 0; level < node->height; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
    sorted_note_ends(sorted, node);
    sorted->count++;
    return 0;
}

static void sorted_drop(struct sorted *sorted, struct node *node)
{
    sorted->count--;
    sorted->bytes -= node_bytes(node);
    mem_free(node);
}

void sorted_delete(struct sorted *sorted, struct slice key)
{
    struct node **links[HEIGHT_MAX];
    struct node *node = sorted_find(sorted, key, links);
    unsigned level;

    if (!node_is(node, key))
        return;
    for (level = 0; level < node->height; level++)
        *links[level] = node->next[level];
    sorted->last = NULL;
    sorted_drop(sorted, node);
}

void sorted_delete_range(struct sorted *sorted, struct slice from, struct slice to)
{
    struct node **links[HEIGHT_MAX], **links_to[HEIGHT_MAX], *node, *end;
    unsigned level;

    if (slice_compare(from, to) >= 0)
        return;
    node = sorted_find(sorted, from, links);
    end = sorted_find(sorted, to, links_to);
    for (level = 0; level < sorted->height; level++)
        *links[level] = *links_to[level];
    sorted->last = NULL;
    /* Both slices may lie in an entry that goes: they are not used any more. */
    while (node != end) {
        struct node *next = node->next[0];

        sorted_drop(sorted, node);
        node = next;
    }
}

const struct sorted_entry *sorted_get(const struct sorted *sorted, struct slice key)
{
    const struct node *node = sorted_find(sorted, key, NULL);

    return node_is(node, key) ? &node->entry : NULL;
}

const struct sorted_entry *sorted_seek(const struct sorted *sorted, struct slice from)
{
    const struct node *node = sorted_find(sorted, from, NULL);

    return node ? &node->entry : NULL;
}

const struct sorted_entry *sorted_next(const struct sorted *sorted,
                                       const struct sorted_entry *entry)
{
    const struct node *next = ((const struct node *)entry)->next[0];

    (void)sorted;
    return next ? &next->entry : NULL;
}

size_t sorted_count(const struct sorted *sorted)
{
    return sorted->count;
}

size_t sorted_bytes(const struct sorted *sorted)
{
    return sorted->bytes;
}

void sorted_clear(struct sorted *sorted)
{
    struct node *node = sorted->head[0];

    while (node) {
        struct node *next = node->next[0];

        sorted_drop(sorted, node);
        node = next;
    }
    memset(sorted->first, 0, sorted->height * sizeof *sorted->first);
    sorted->height = 0;
    sorted->last = NULL;
}
