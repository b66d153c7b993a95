/* The exact counter: a removal takes exactly the additions that it saw. Why that holds, and what
 * may be forgotten when, is in docs/decisions/0072.
 *
 * A replica keeps its additions in one dot, each next one replacing it, as parts: [0, back, span,
 * amount...]. A part stands for the additions that events n - back - span to n - back of its
 * replica made, n being that of the dot; the latest comes first. A removal takes the dots that it
 * saw, and leaves one that says up to which event of each other replica it saw: [1, id, n, id,
 * n...], the cut. So where a replica has gone on adding meanwhile, its dot stays, but the parts
 * below the cut do not count, and it leaves them out of its next dot. The value is the sum of all
 * parts that count. */
#include "base/alloc.h"
#include "crdt/type_ops.h"

enum { TAG_PARTS, TAG_CUT };
enum { PARTS_MAX = 4096 };

/* Additions by the events `low` to `high`. */
struct part {
    uint64_t low, high;
    int64_t amount;
};

/* Walking the parts of a dot, the latest first. */
struct parts {
    struct reader reader;
    uint64_t n;     /* of the dot */
    uint64_t below; /* the next part must lie below that, if `strict` */
    uint32_t left;
    bool strict;
};

static uint32_t payload_open(struct reader *reader, struct slice payload, uint64_t *ret_tag)
{
    uint32_t count;

    reader_init(reader, payload);
    count = read_array(reader, 1 + 3 * PARTS_MAX);
    *ret_tag = read_u64(reader);
    if (count == 0 || *ret_tag > TAG_CUT)
        reader_fail(reader, NEAP_INVALID);
    return reader->error ? 0 : count - 1;
}

/* True: it is a dot with parts. What is wrong with it is in the reader. */
static bool parts_open(struct parts *parts, const struct cell_entry *entry)
{
    uint64_t tag;

    *parts = (struct parts){.n = entry->dot.n, .below = UINT64_MAX};
    parts->left = payload_open(&parts->reader, entry->payload, &tag);
    if (tag == TAG_PARTS && (parts->left == 0 || parts->left % 3 != 0))
        reader_fail(&parts->reader, NEAP_INVALID);
    return tag == TAG_PARTS;
}

/* False: that was the last, or it is none. */
static bool parts_next(struct parts *parts, struct part *ret_part)
{
    uint64_t back, span;

    if (parts->left == 0 || parts->reader.error)
        return false;
    back = read_u64(&parts->reader);
    span = read_u64(&parts->reader);
    ret_part->amount = read_i64(&parts->reader);
    ret_part->high = back < parts->n ? parts->n - back : 0;
    ret_part->low = span < ret_part->high ? ret_part->high - span : 0;
    if (parts->strict && (ret_part->low == 0 || ret_part->high >= parts->below))
        reader_fail(&parts->reader, NEAP_INVALID);
    if (parts->reader.error)
        return false;
    parts->below = ret_part->low;
    parts->left -= 3;
    return true;
}

/* Walking what a dot cuts, by id. */
struct cuts {
    struct reader reader;
    struct context_entry entry;
    uint32_t left;
};

/* True: it is a dot that cuts. */
static bool cuts_open(struct cuts *cuts, struct slice payload)
{
    uint64_t tag;

    *cuts = (struct cuts){0};
    cuts->left = payload_open(&cuts->reader, payload, &tag);
    if (tag == TAG_CUT && (cuts->left == 0 || cuts->left % 2 != 0))
        reader_fail(&cuts->reader, NEAP_INVALID);
    return tag == TAG_CUT;
}

static bool cuts_next(struct cuts *cuts)
{
    uint64_t last = cuts->entry.id;
    bool first = cuts->entry.n == 0;

    if (cuts->left == 0 || cuts->reader.error)
        return false;
    cuts->entry.id = read_u64(&cuts->reader);
    cuts->entry.n = read_u64(&cuts->reader);
    cuts->left -= 2;
    if ((!first && cuts->entry.id <= last) || cuts->entry.n == 0 || cuts->entry.n > DOT_COUNT_MAX)
        reader_fail(&cuts->reader, NEAP_INVALID);
    return !cuts->reader.error;
}

/* Joins what a dot cuts to `cut`; nothing if it has parts. */
static int cuts_join(struct slice payload, struct context *cut)
{
    struct cuts cuts;
    int error = 0;

    if (!cuts_open(&cuts, payload))
        return cuts.reader.error;
    while (!error && cuts_next(&cuts))
        error = context_raise(cut, cuts.entry.id, cuts.entry.n, 0);
    return error ? error : cuts.reader.error;
}

/* Up to where the additions of a replica are cut. Takes no memory, so that reads can't fail. */
static uint64_t cut_of(const struct cell *cell, uint64_t id)
{
    uint64_t n = 0;

    for (size_t i = 0; i < cell->count && !BROKEN("exact-uncut"); i++) {
        struct cuts cuts;

        if (!cuts_open(&cuts, cell->entries[i].payload))
            continue;
        while (cuts_next(&cuts)) {
            if (cuts.entry.id == id && cuts.entry.n > n)
                n = cuts.entry.n;
        }
    }
    return n;
}

/* The dot that it belongs to is not known here: the largest there is fits whatever may. */
static int counter_exact_check(struct slice payload)
{
    const struct cell_entry entry = {{0, DOT_COUNT_MAX}, payload};
    struct parts parts;
    struct part part;
    struct cuts cuts;

    if (cuts_open(&cuts, payload)) {
        while (cuts_next(&cuts))
            ;
        return reader_end(&cuts.reader);
    }
    parts_open(&parts, &entry);
    parts.strict = true;
    while (parts_next(&parts, &part))
        ;
    return reader_end(&parts.reader);
}

/* ---- value ---- */

static int counter_exact_sum(const struct cell *cell, struct sum *ret_sum, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < cell->count; i++) {
        uint64_t cut = cut_of(cell, cell->entries[i].dot.id);
        struct parts parts;
        struct part part;

        if (!parts_open(&parts, &cell->entries[i]))
            continue;
        while (parts_next(&parts, &part) && part.high > cut) {
            sum_add(ret_sum, part.amount);
            ++*ret_count;
        }
        if (parts.reader.error)
            return parts.reader.error;
    }
    return 0;
}

static bool counter_exact_is_live(const struct cell *cell)
{
    struct sum sum = {0};
    size_t count;

    return counter_exact_sum(cell, &sum, &count) != 0 || count > 0;
}

static int counter_exact_item(const struct cell *cell, struct neap_item *ret_item)
{
    struct sum sum = {0};
    size_t count;
    int error = counter_exact_sum(cell, &sum, &count);

    if (!error && !sum_fits(sum))
        error = NEAP_LIMIT;
    if (!error)
        ret_item->number = sum_number(sum);
    return error;
}

/* ---- additions ---- */

/* The parts of the dot to be, the latest first. */
struct adding {
    const struct editor *editor;
    struct part *parts;
    size_t count, room;
};

static bool is_own(struct dot dot, const struct editor *editor)
{
    return dot.id == editor->id && (dot.n > editor->fold_after || BROKEN("folds-any"));
}

/* Can nobody ever see the one without the other? Within one write; and where all members have seen
 * both. */
static bool parts_are_one(const struct editor *editor, const struct part *later,
                          const struct part *earlier)
{
    if (later->low == 0 || BROKEN("exact-folds"))
        return true; /* 0: from a dot that nobody made as it is */
    return earlier->low > editor->fold_write ||
           (editor->stable && later->high <= context_get(editor->stable, editor->id));
}

static int adding_put(struct adding *adding, const struct part *part)
{
    struct part *last = adding->count ? &adding->parts[adding->count - 1] : NULL, *parts;
    int64_t sum;

    if (last && parts_are_one(adding->editor, last, part) &&
        !__builtin_add_overflow(last->amount, part->amount, &sum)) {
        last->amount = sum;
        last->low = part->low;
        return 0;
    }
    if (adding->count == PARTS_MAX)
        return NEAP_LIMIT;
    parts = mem_reserve(adding->parts, adding->count, &adding->room, 1, sizeof *parts);
    if (!parts)
        return NEAP_NOMEM;
    adding->parts = parts;
    parts[adding->count++] = *part;
    return 0;
}

/* What is left of a dot of mine. */
static int adding_take(struct adding *adding, const struct cell_entry *entry, uint64_t cut)
{
    struct parts parts;
    struct part part;
    int error = 0;

    parts_open(&parts, entry);
    while (!error && parts_next(&parts, &part) && part.high > cut)
        error = adding_put(adding, &part);
    return error ? error : parts.reader.error;
}

/* Does it cut nothing any more that is in the cell, or could yet come? `mine_goes`: my dots are
 * written anew, without what is cut. */
static bool cut_is_spent(const struct cell *old, const struct cell_entry *entry,
                         const struct editor *editor, bool mine_goes)
{
    struct cuts cuts;

    if (!cuts_open(&cuts, entry->payload) || !editor->stable ||
        !context_knows(editor->stable, entry->dot))
        return false;
    while (cuts_next(&cuts)) {
        for (size_t i = 0; i < old->count; i++) {
            const struct cell_entry *other = &old->entries[i];
            struct parts parts;
            struct part part;

            if (other->dot.id != cuts.entry.id || (mine_goes && is_own(other->dot, editor)) ||
                !parts_open(&parts, other))
                continue;
            while (parts_next(&parts, &part)) {
                if (part.high <= cuts.entry.n)
                    return false;
            }
        }
    }
    return true;
}

static int adding_write(const struct adding *adding, struct edit *edit)
{
    struct writer writer;

    writer_init(&writer, &edit->payload);
    write_array(&writer, 1 + 3 * (uint32_t)adding->count);
    write_u64(&writer, TAG_PARTS);
    for (size_t i = 0; i < adding->count; i++) {
        const struct part *part = &adding->parts[i];

        write_u64(&writer, adding->editor->next - part->high);
        write_u64(&writer, part->high - part->low);
        write_i64(&writer, part->amount);
    }
    edit->changes = edit->adds = true;
    return writer.error;
}

/* My dots go into the new one, those of others stay. */
static int adding_fill(struct adding *adding, const struct cell *old, struct edit *edit)
{
    uint64_t cut = cut_of(old, adding->editor->id);
    int error = 0;

    for (size_t i = old->count; i-- > 0 && !error;) {
        const struct cell_entry *entry = &old->entries[i];
        struct parts parts;

        if (parts_open(&parts, entry) && is_own(entry->dot, adding->editor))
            error = adding_take(adding, entry, cut);
        else if (!cut_is_spent(old, entry, adding->editor, true))
            error = cell_add(&edit->kept, entry->dot, entry->payload);
    }
    return error;
}

static int edit_add(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct edit *edit)
{
    const struct part part = {editor->next, editor->next, op->number};
    struct adding adding = {.editor = editor};
    struct sum all = {0};
    size_t count;
    int error = counter_exact_sum(old, &all, &count);

    if (!error && sum_leaves(all, op->number))
        error = NEAP_LIMIT;
    if (!error)
        error = adding_put(&adding, &part);
    if (!error)
        error = adding_fill(&adding, old, edit);
    if (!error)
        error = adding_write(&adding, edit);
    mem_free(adding.parts);
    return error;
}

/* ---- removals ---- */

/* The part of a dot that is seen, into `cut`, unless the dot goes and nothing can come after it.
 * STALE: of additions that are one by now only some were seen. */
static int cut_dot(const struct cell_entry *entry, const struct op *op, const struct editor *editor,
                   struct context *cut, bool *ret_goes)
{
    struct parts parts;
    struct part part;
    bool all = !op->seen || BROKEN("unseen-goes");
    uint64_t seen = all ? entry->dot.n : context_get(op->seen, entry->dot.id);

    *ret_goes = seen >= entry->dot.n;
    if (*ret_goes)
        return entry->dot.id == editor->id ? 0 : context_raise(cut, entry->dot.id, entry->dot.n, 0);
    parts_open(&parts, entry);
    while (parts_next(&parts, &part)) {
        if (part.low <= seen && seen < part.high)
            return NEAP_STALE;
        if (part.high <= seen)
            return context_raise(cut, entry->dot.id, part.high, 0);
    }
    return parts.reader.error;
}

static int cut_write(const struct context *cut, struct edit *edit)
{
    struct writer writer;

    if (cut->count == 0)
        return 0;
    writer_init(&writer, &edit->payload);
    write_array(&writer, 1 + 2 * (uint32_t)cut->count);
    write_u64(&writer, TAG_CUT);
    for (size_t i = 0; i < cut->count; i++) {
        write_u64(&writer, cut->entries[i].id);
        write_u64(&writer, cut->entries[i].n);
    }
    edit->adds = true;
    return writer.error;
}

/* An event only if it takes something that counts. */
static int edit_cut(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct edit *edit)
{
    struct context cut = {0};
    int error = 0;

    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];
        struct parts parts;
        bool goes = false;

        if (parts_open(&parts, entry)) {
            error = cut_dot(entry, op, editor, &cut, &goes);
            edit->changes |= goes;
        } else if (op_sees(op, entry->dot)) {
            error = cuts_join(entry->payload, &cut);
            goes = true;
        }
        if (!error && !goes)
            error = cell_add(&edit->kept, entry->dot, entry->payload);
    }
    for (size_t i = 0; i < cut.count && !edit->changes; i++)
        edit->changes = cut.entries[i].n > cut_of(old, cut.entries[i].id);
    if (!error && edit->changes && !BROKEN("exact-uncut"))
        error = cut_write(&cut, edit);
    if (!error && !edit->changes) {
        cell_clear(&edit->kept);
        error = edit_keep_all(old, edit);
    }
    context_done(&cut);
    return error;
}

/* ---- collecting ---- */

static bool mine_is_cut(const struct cell *old, const struct editor *editor)
{
    uint64_t cut = cut_of(old, editor->id);

    for (size_t i = 0; i < old->count; i++) {
        struct parts parts;
        struct part part;

        if (!parts_open(&parts, &old->entries[i]) || !is_own(old->entries[i].dot, editor))
            continue;
        while (parts_next(&parts, &part)) {
            if (part.high <= cut)
                return true;
        }
    }
    return false;
}

/* My dot without what is cut, and what cuts nothing any more. */
static int counter_exact_collect(const struct cell *old, const struct editor *editor,
                                 struct edit *edit)
{
    bool mine_goes = mine_is_cut(old, editor);
    struct adding adding = {.editor = editor};
    int error = 0;

    if (mine_goes) {
        error = adding_fill(&adding, old, edit);
        if (!error && adding.count)
            error = adding_write(&adding, edit);
        edit->changes = true;
        mem_free(adding.parts);
        return error;
    }
    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];

        if (cut_is_spent(old, entry, editor, false))
            edit->changes = true;
        else
            error = cell_add(&edit->kept, entry->dot, entry->payload);
    }
    return error;
}

static int counter_exact_edit(const struct cell *old, const struct op *op,
                              const struct editor *editor, struct edit *edit)
{
    for (size_t i = 0; i < old->count; i++) {
        int error = counter_exact_check(old->entries[i].payload);

        if (error)
            return error;
    }
    return op->kind == OP_REMOVE ? edit_cut(old, op, editor, edit)
                                 : edit_add(old, op, editor, edit);
}

static int counter_exact_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = OP_COUNTER_EXACT_ADD, .number = item->number};
    return 0;
}

static const char *counter_exact_why_not(const struct op *op, int code)
{
    (void)op;
    return code == NEAP_STALE
               ? "call.seen is too old: additions that it saw are one with later ones by now"
               : NULL;
}

const struct type counter_exact_type = {
    .type = NEAP_COUNTER_EXACT,
    .name = "counter-exact",
    .holds = NEAP_HOLDS_NUMBER,
    .check = counter_exact_check,
    .edit = counter_exact_edit,
    .collect = counter_exact_collect,
    .removes = true,
    .is_live = counter_exact_is_live,
    .item = counter_exact_item,
    .put = counter_exact_put,
    .limit =
        "the counter would leave the range of 64 bits; or this node has added 4096 times since "
        "all others were last heard of",
    .why_not = counter_exact_why_not,
    .why_one = "what one replica id has added, and no removal has seen",
    .why_before = "the sum of what replica ids have added and no removal has seen; with what "
                  "removals have seen, in so many parts: ",
    .why_after = "",
};
