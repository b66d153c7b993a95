#include "crdt/context.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"

enum { ROOM_FIRST = 4 };

int dot_compare(struct dot a, struct dot b)
{
    if (a.id != b.id)
        return a.id < b.id ? -1 : 1;
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return 0;
}

/* The index of the first entry whose id is not below `id`. Ids are random, so that processors guess
 * wrong at every other branch: there is none but that of the loop. */
static size_t context_at(const struct context *context, uint64_t id)
{
    size_t at = 0, left = context->count;

    while (left > 0) {
        size_t half = (left + 1) / 2;

        at += context->entries[at + half - 1].id < id ? half : 0;
        left -= half;
    }
    return at;
}

static int context_reserve(struct context *context, size_t room)
{
    struct context_entry *entries;

    if (room <= context->room)
        return 0;
    if (room > CONTEXT_IDS_MAX)
        return NEAP_LIMIT;
    if (room < context->room * 2)
        room = context->room * 2 < CONTEXT_IDS_MAX ? context->room * 2 : CONTEXT_IDS_MAX;
    if (room < ROOM_FIRST)
        room = ROOM_FIRST;
    entries = mem_resize(context->entries, room * sizeof *entries);
    if (!entries)
        return NEAP_NOMEM;
    context->entries = entries;
    context->room = room;
    return 0;
}

const struct context_entry *context_find(const struct context *context, uint64_t id)
{
    size_t at = context_at(context, id);

    if (at < context->count && context->entries[at].id == id)
        return &context->entries[at];
    return NULL;
}

uint64_t context_get(const struct context *context, uint64_t id)
{
    const struct context_entry *entry = context_find(context, id);

    return entry ? entry->n : 0;
}

bool context_knows(const struct context *context, struct dot dot)
{
    return dot.n <= context_get(context, dot.id);
}

int context_raise(struct context *context, uint64_t id, uint64_t n, uint32_t nonce)
{
    size_t at = context_at(context, id);
    struct context_entry *entry;
    int error;

    if (n > DOT_COUNT_MAX)
        return NEAP_LIMIT;
    if (at < context->count && context->entries[at].id == id) {
        entry = &context->entries[at];
        if (n > entry->n)
            *entry = (struct context_entry){.id = id, .n = n, .nonce = nonce};
        return 0;
    }
    if (n == 0)
        return 0;
    error = context_reserve(context, context->count + 1);
    if (error)
        return error;
    entry = &context->entries[at];
    memmove(entry + 1, entry, (context->count - at) * sizeof *entry);
    *entry = (struct context_entry){.id = id, .n = n, .nonce = nonce};
    context->count++;
    return 0;
}

void context_clip(struct context *context, uint64_t id, uint64_t n, uint32_t nonce)
{
    size_t at = context_at(context, id);
    struct context_entry *entry;

    if (at == context->count)
        return;
    entry = &context->entries[at];
    if (entry->id != id || entry->n < n)
        return;
    if (n > 0) {
        entry->n = n;
        entry->nonce = nonce;
        return;
    }
    context->count--;
    memmove(entry, entry + 1, (context->count - at) * sizeof *entry);
}

/* How many ids of `other` are not in `context`. */
static size_t context_strangers(const struct context *context, const struct context *other)
{
    size_t at = 0, strangers = 0;

    for (size_t i = 0; i < other->count; i++) {
        while (at < context->count && context->entries[at].id < other->entries[i].id)
            at++;
        if (at == context->count || context->entries[at].id != other->entries[i].id)
            strangers++;
    }
    return strangers;
}

int context_join(struct context *context, const struct context *other)
{
    size_t mine = context->count, theirs = other->count;
    size_t total = mine + context_strangers(context, other);
    int error = context_reserve(context, total);

    if (error)
        return error;
    /* From the back, so that nothing is overwritten before it was read. */
    for (size_t to = total; theirs > 0; to--) {
        const struct context_entry *from = &other->entries[theirs - 1];
        struct context_entry *entry = context->entries + to - 1;

        if (mine > 0 && context->entries[mine - 1].id > from->id) {
            *entry = context->entries[--mine];
        } else if (mine > 0 && context->entries[mine - 1].id == from->id) {
            mine--;
            *entry = context->entries[mine].n >= from->n ? context->entries[mine] : *from;
            theirs--;
        } else {
            *entry = *from;
            theirs--;
        }
    }
    context->count = total;
    return 0;
}

bool context_covers(const struct context *context, const struct context *other)
{
    size_t at = 0;

    for (size_t i = 0; i < other->count; i++) {
        while (at < context->count && context->entries[at].id < other->entries[i].id)
            at++;
        if (at == context->count || context->entries[at].id != other->entries[i].id ||
            context->entries[at].n < other->entries[i].n)
            return false;
    }
    return true;
}

bool context_equal(const struct context *a, const struct context *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->entries[i].id != b->entries[i].id || a->entries[i].n != b->entries[i].n)
            return false;
    }
    return true;
}

/* Copies what goes beyond to `ret_entries` unless that is NULL; returns how many. */
static size_t beyond_walk(const struct context *context, const struct context *base,
                          struct context_entry *ret_entries)
{
    size_t at = 0, count = 0;

    for (size_t i = 0; i < context->count; i++) {
        struct context_entry entry = context->entries[i];

        while (at < base->count && base->entries[at].id < entry.id)
            at++;
        if (at < base->count && base->entries[at].id == entry.id && base->entries[at].n >= entry.n)
            continue;
        if (ret_entries)
            ret_entries[count] = entry;
        count++;
    }
    return count;
}

int context_beyond(const struct context *context, const struct context *base,
                   struct context *ret_beyond)
{
    size_t count;
    int error;

    if (ret_beyond == context) {
        ret_beyond->count = beyond_walk(context, base, ret_beyond->entries);
        return 0;
    }
    count = beyond_walk(context, base, NULL);
    error = context_reserve(ret_beyond, count);
    if (error)
        return error;
    if (count > 0)
        beyond_walk(context, base, ret_beyond->entries);
    ret_beyond->count = count;
    return 0;
}

int context_copy(struct context *context, const struct context *from)
{
    int error = context_reserve(context, from->count);

    if (error)
        return error;
    if (from->count > 0)
        memmove(context->entries, from->entries, from->count * sizeof *from->entries);
    context->count = from->count;
    return 0;
}

void context_clear(struct context *context)
{
    context->count = 0;
}

void context_done(struct context *context)
{
    mem_free(context->entries);
    *context = (struct context){0};
}

void context_write(struct writer *writer, const struct context *context)
{
    write_array(writer, (uint32_t)(context->count * 3));
    for (size_t i = 0; i < context->count; i++) {
        write_u64(writer, context->entries[i].id);
        write_u64(writer, context->entries[i].n);
        write_u64(writer, context->entries[i].nonce);
    }
}

int context_read(struct reader *reader, struct context *ret_context)
{
    struct context read = {0};
    uint32_t count = read_array(reader, CONTEXT_IDS_MAX * 3);

    if (count % 3 != 0)
        reader_fail(reader, NEAP_INVALID);
    if (!reader->error)
        reader_fail(reader, context_reserve(&read, count / 3));
    for (uint32_t i = 0; i < count / 3 && !reader->error; i++) {
        struct context_entry *entry = &read.entries[i];
        uint64_t nonce;

        entry->id = read_u64(reader);
        entry->n = read_u64(reader);
        nonce = read_u64(reader);
        if (entry->n == 0 || entry->n > DOT_COUNT_MAX || nonce > UINT32_MAX ||
            (i > 0 && entry->id <= entry[-1].id))
            reader_fail(reader, NEAP_INVALID);
        entry->nonce = (uint32_t)nonce;
        read.count = i + 1;
    }
    if (reader->error) {
        context_done(&read);
        return reader->error;
    }
    context_done(ret_context);
    *ret_context = read;
    return 0;
}

/* ---- differences ---- */

bool context_follows(const struct context *context, const struct context *base)
{
    size_t at = 0;

    for (size_t i = 0; i < base->count; i++) {
        const struct context_entry *old = &base->entries[i];
        const struct context_entry *entry = context_next(context, &at, old->id);

        if (!entry || entry->n < old->n || (entry->n == old->n && entry->nonce != old->nonce))
            return false;
    }
    return true;
}

/* Entries that go up under the nonce that they have in the base, or (`others`) all else that the
 * base has not; written when there is a writer. How many there are. */
static uint32_t after_walk(const struct context *context, const struct context *base, bool others,
                           struct writer *writer)
{
    uint32_t count = 0;
    size_t at = 0;

    for (size_t i = 0; i < context->count; i++) {
        const struct context_entry *entry = &context->entries[i];
        const struct context_entry *old = context_next(base, &at, entry->id);

        if (old && old->n == entry->n)
            continue;
        if (others == (old && old->nonce == entry->nonce))
            continue;
        count++;
        if (!writer)
            continue;
        write_u64(writer, others ? entry->id : at);
        write_u64(writer, others ? entry->n : entry->n - old->n);
        if (others)
            write_u64(writer, entry->nonce);
    }
    return count;
}

void context_write_after(struct writer *writer, const struct context *context,
                         const struct context *base)
{
    write_array(writer, 2 * after_walk(context, base, false, NULL));
    (void)after_walk(context, base, false, writer);
    write_array(writer, 3 * after_walk(context, base, true, NULL));
    (void)after_walk(context, base, true, writer);
}

static void moves_read(struct reader *reader, const struct context *base, struct context *context)
{
    uint32_t count = read_array(reader, CONTEXT_IDS_MAX * 2);
    uint64_t before = 0;

    if (count % 2 != 0)
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 0; i < count / 2 && !reader->error; i++) {
        uint64_t at = read_u64(reader), by = read_u64(reader);

        if (at < before || at >= base->count || by == 0 ||
            by > DOT_COUNT_MAX - base->entries[at].n) {
            reader_fail(reader, NEAP_INVALID);
            return;
        }
        context->entries[at].n += by;
        before = at + 1;
    }
}

static bool others_fit(const struct context *others, const struct context *base,
                       const struct context *moved)
{
    size_t at = 0;

    for (size_t i = 0; i < others->count; i++) {
        const struct context_entry *entry = &others->entries[i];
        const struct context_entry *old = context_next(base, &at, entry->id);

        if (old &&
            (old->n >= entry->n || old->nonce == entry->nonce || moved->entries[at].n != old->n))
            return false;
    }
    return true;
}

int context_read_after(struct reader *reader, const struct context *base,
                       struct context *ret_context)
{
    struct context read = {0}, others = {0};

    reader_fail(reader, context_copy(&read, base));
    if (!reader->error)
        moves_read(reader, base, &read);
    if (!context_read(reader, &others) && !others_fit(&others, base, &read))
        reader_fail(reader, NEAP_INVALID);
    if (!reader->error)
        reader_fail(reader, context_join(&read, &others));
    context_done(&others);
    if (reader->error) {
        context_done(&read);
        return reader->error;
    }
    context_done(ret_context);
    *ret_context = read;
    return 0;
}

static const struct context context_empty;

/* The parts of a knowledge; absent ones are empty. */
static void knowledge_parts(const struct knowledge *knowledge, const struct context *ret_parts[2])
{
    ret_parts[0] = knowledge->context ? knowledge->context : &context_empty;
    ret_parts[1] = knowledge->residue ? knowledge->residue : &context_empty;
    if (BROKEN("no-residue"))
        ret_parts[1] = &context_empty;
}

bool knowledge_has(const struct knowledge *knowledge, struct dot dot)
{
    const struct context *parts[2];

    knowledge_parts(knowledge, parts);
    return context_knows(parts[0], dot) || (parts[1]->count > 0 && context_knows(parts[1], dot));
}

/* Does `part` go beyond the join of the two `other`? */
static bool part_beyond(const struct context *part, const struct context *const other[2])
{
    size_t at[2] = {0, 0};

    if (part == other[0] || part == other[1])
        return false;
    for (size_t i = 0; i < part->count; i++) {
        uint64_t n = 0;

        for (size_t k = 0; k < 2; k++) {
            while (at[k] < other[k]->count && other[k]->entries[at[k]].id < part->entries[i].id)
                at[k]++;
            if (at[k] < other[k]->count && other[k]->entries[at[k]].id == part->entries[i].id &&
                other[k]->entries[at[k]].n > n)
                n = other[k]->entries[at[k]].n;
        }
        if (part->entries[i].n > n)
            return true;
    }
    return false;
}

bool knowledge_beyond(const struct knowledge *a, const struct knowledge *b)
{
    const struct context *parts_a[2], *parts_b[2];

    knowledge_parts(a, parts_a);
    knowledge_parts(b, parts_b);
    return part_beyond(parts_a[0], parts_b) || part_beyond(parts_a[1], parts_b);
}

int knowledge_join(const struct knowledge *knowledge, struct context *context)
{
    const struct context *parts[2];
    struct context joined = {0};
    int error;

    knowledge_parts(knowledge, parts);
    if (parts[1]->count == 0)
        return context_join(context, parts[0]);
    /* Both or none: on a copy, so that a failure half way changes nothing. */
    error = context_copy(&joined, context);
    if (!error)
        error = context_join(&joined, parts[0]);
    if (!error)
        error = context_join(&joined, parts[1]);
    if (error) {
        context_done(&joined);
        return error;
    }
    context_done(context);
    *context = joined;
    return 0;
}
