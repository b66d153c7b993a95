#include "crdt/bounded.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "crdt/type_ops.h"

/* Of a payload, of each gift and of each taking in it. */
enum { ROW_FIELDS = 4, GIVEN_FIELDS = 2, TAKEN_FIELDS = 5 };

/* From a row to an id: what the row's id says to have given, and others to have taken. What was
 * given and not taken is on its way; what was taken and not given comes off the row. */
struct edge {
    uint64_t from, birth, to;
    int64_t given, taken;
    uint64_t seen; /* taken: the row was of this event of its id then, or of a later one */
};

struct row {
    const struct cell_entry *entry;
    uint64_t birth;
    int64_t added, spent;
    int64_t own;  /* added - spent - given + taken */
    int64_t has;  /* own, less what others took that it has not given */
    size_t edges; /* that begin there: others know it by its birth */
    bool folds;   /* becomes part of the row that is written */
};

/* A cell, read. */
struct bounded {
    struct row *rows;
    size_t rows_count;
    struct edge *edges; /* sorted, each once */
    size_t edges_count, edges_room;
};

static void bounded_done(struct bounded *bounded)
{
    mem_free(bounded->rows);
    mem_free(bounded->edges);
}

static int add_to(int64_t *sum, int64_t number)
{
    return __builtin_add_overflow(*sum, number, sum) ? NEAP_LIMIT : 0;
}

/* ---- payloads ---- */

static int64_t read_amount(struct reader *reader, int64_t least)
{
    uint64_t amount = read_u64(reader);

    if (amount > INT64_MAX || (int64_t)amount < least)
        reader_fail(reader, NEAP_INVALID);
    return reader->error ? 0 : (int64_t)amount;
}

static int edge_order(const void *a, const void *b)
{
    const struct edge *one = a, *other = b;

    if (one->from != other->from)
        return one->from < other->from ? -1 : 1;
    if (one->birth != other->birth)
        return one->birth < other->birth ? -1 : 1;
    return one->to < other->to ? -1 : one->to > other->to;
}

/* What is done with each edge of a payload, in order. */
typedef int each_edge(void *arg, const struct edge *edge);

/* One of the two lists of a row, which is sorted. */
static void edges_read(struct reader *reader, struct edge edge, uint64_t count, bool given,
                       each_edge *each, void *arg)
{
    struct edge last = {0};

    for (uint64_t i = 0; i < count && !reader->error; i++) {
        if (!given) {
            edge.from = read_u64(reader);
            edge.birth = read_u64(reader);
        }
        edge.to = read_u64(reader);
        *(given ? &edge.given : &edge.taken) = read_amount(reader, 1);
        if (!given)
            edge.seen = read_u64(reader);
        if (i > 0 && edge_order(&last, &edge) >= 0)
            reader_fail(reader, NEAP_INVALID);
        last = edge;
        if (!reader->error && each)
            reader_fail(reader, each(arg, &edge));
    }
}

/* `own` comes out without what was given and taken. */
static int row_read(const struct cell_entry *entry, struct row *ret_row, each_edge *each, void *arg)
{
    struct row row = {.entry = entry};
    struct edge edge = {.from = entry->dot.id};
    struct reader reader;
    uint64_t given;
    uint32_t count;

    reader_init(&reader, entry->payload);
    count = read_array(&reader, ROW_FIELDS + (GIVEN_FIELDS + TAKEN_FIELDS) * BOUNDED_PAIRS_MAX);
    row.birth = edge.birth = read_u64(&reader);
    row.added = read_amount(&reader, 0);
    row.spent = read_amount(&reader, 0);
    given = read_u64(&reader);
    if (count < ROW_FIELDS || given > (count - ROW_FIELDS) / GIVEN_FIELDS ||
        (count - ROW_FIELDS - given * GIVEN_FIELDS) % TAKEN_FIELDS != 0)
        reader_fail(&reader, NEAP_INVALID);
    edges_read(&reader, edge, given, true, each, arg);
    if (!reader.error)
        edges_read(&reader, (struct edge){0},
                   (count - ROW_FIELDS - given * GIVEN_FIELDS) / TAKEN_FIELDS, false, each, arg);
    if (reader_end(&reader))
        return reader_end(&reader);
    row.own = row.added - row.spent;
    *ret_row = row;
    return 0;
}

static int bounded_check(struct slice payload)
{
    const struct cell_entry entry = {.payload = payload};
    struct row row;

    return row_read(&entry, &row, NULL, NULL);
}

/* ---- a cell ---- */

static int edge_push(struct bounded *bounded, const struct edge *edge)
{
    struct edge *edges =
        mem_reserve(bounded->edges, bounded->edges_count, &bounded->edges_room, 1, sizeof *edges);

    if (!edges)
        return NEAP_NOMEM;
    bounded->edges = edges;
    edges[bounded->edges_count++] = *edge;
    return 0;
}

/* A row that is being read. */
struct taking {
    struct bounded *bounded;
    int64_t own;
};

static int edge_take(void *arg, const struct edge *edge)
{
    struct taking *taking = arg;
    int error = add_to(&taking->own, edge->taken - edge->given);

    return error ? error : edge_push(taking->bounded, edge);
}

/* Sorted, and those of one name as one. */
static int edges_join(struct bounded *bounded)
{
    size_t count = 0;
    int error = 0;

    if (bounded->edges_count > 1)
        qsort(bounded->edges, bounded->edges_count, sizeof *bounded->edges, edge_order);
    for (size_t i = 0; i < bounded->edges_count && !error; i++) {
        struct edge *edge = &bounded->edges[i];

        if (count > 0 && !edge_order(&bounded->edges[count - 1], edge)) {
            struct edge *first = &bounded->edges[count - 1];

            error = add_to(&first->given, edge->given);
            if (!error)
                error = add_to(&first->taken, edge->taken);
            if (edge->seen > first->seen)
                first->seen = edge->seen;
        } else {
            bounded->edges[count++] = *edge;
        }
    }
    bounded->edges_count = count;
    return error;
}

/* The first edge that is not before `from`. */
static size_t edges_seek(const struct bounded *bounded, const struct edge *from)
{
    size_t low = 0, high = bounded->edges_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (edge_order(&bounded->edges[middle], from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What others took of a row beyond what it gave them comes off it. Not below 0 where the row is
 * older here than it was for who took: then it says too little of what it has. Where it is not, a
 * sum below 0 shows that rights were spent twice. */
static int row_settle(const struct bounded *bounded, struct row *row)
{
    const struct edge from = {.from = row->entry->dot.id, .birth = row->birth};
    int64_t taken = 0, early = 0;
    int error = 0;

    for (size_t i = edges_seek(bounded, &from); i < bounded->edges_count && !error; i++) {
        const struct edge *edge = &bounded->edges[i];

        if (edge->from != from.from || edge->birth != from.birth)
            break;
        row->edges++;
        if (edge->taken > edge->given && !BROKEN("bounded-takes-twice"))
            error =
                add_to(edge->seen > row->entry->dot.n ? &early : &taken, edge->taken - edge->given);
    }
    row->has = row->own;
    if (!error)
        error = add_to(&row->has, -taken);
    if (!error && row->has > 0)
        row->has -= early < row->has ? early : row->has;
    return error;
}

static int bounded_read(const struct cell *cell, struct bounded *ret_bounded)
{
    struct bounded bounded = {.rows = mem_new_array(cell->count, sizeof *bounded.rows)};
    int error = bounded.rows ? 0 : NEAP_NOMEM;

    for (size_t i = 0; i < cell->count && !error; i++) {
        struct taking taking = {.bounded = &bounded};
        struct row *row = &bounded.rows[i];

        error = row_read(&cell->entries[i], row, edge_take, &taking);
        if (!error)
            error = add_to(&row->own, taking.own);
        bounded.rows_count += !error;
    }
    if (!error)
        error = edges_join(&bounded);
    for (size_t i = 0; i < bounded.rows_count && !error; i++)
        error = row_settle(&bounded, &bounded.rows[i]);
    if (error) {
        bounded_done(&bounded);
        return error;
    }
    *ret_bounded = bounded;
    return 0;
}

static int64_t edge_under_way(const struct edge *edge)
{
    return edge->given > edge->taken ? edge->given - edge->taken : 0;
}

/* What an id has: its rows, and what is on its way to it. Of id 0: all there is. */
static int bounded_has(const struct bounded *bounded, uint64_t id, int64_t *ret_has)
{
    int64_t has = 0;
    int error = 0;

    for (size_t i = 0; i < bounded->rows_count && !error; i++)
        if (!id || bounded->rows[i].entry->dot.id == id)
            error = add_to(&has, bounded->rows[i].has);
    for (size_t i = 0; i < bounded->edges_count && !error; i++)
        if (!id || bounded->edges[i].to == id)
            error = add_to(&has, edge_under_way(&bounded->edges[i]));
    if (!error)
        *ret_has = has;
    return error;
}

/* ---- values ---- */

static bool is_mine(uint64_t id, uint64_t own, const uint64_t *mine, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (mine[i] == id)
            return true;
    return id == own;
}

static int rights_look(const struct bounded *bounded, uint64_t id, struct rights *rights)
{
    int64_t has;
    int error = bounded_has(bounded, id, &has);

    if (!error && has > rights->most) {
        rights->most = has;
        rights->who = id;
    }
    return error;
}

int bounded_rights(const struct cell *cell, uint64_t id, const uint64_t *mine, size_t mine_count,
                   struct rights *ret_rights)
{
    struct bounded bounded;
    struct rights rights = {0};
    int64_t has;
    int error = bounded_read(cell, &bounded);

    if (error)
        return error;
    error = bounded_has(&bounded, 0, &rights.value);
    if (!error)
        error = bounded_has(&bounded, id, &rights.here);
    for (size_t i = 0; i < mine_count && !error; i++) {
        error = bounded_has(&bounded, mine[i], &has);
        if (!error)
            error = add_to(&rights.here, has);
    }
    for (size_t i = 0; i < bounded.rows_count && !error; i++)
        if (!is_mine(bounded.rows[i].entry->dot.id, id, mine, mine_count))
            error = rights_look(&bounded, bounded.rows[i].entry->dot.id, &rights);
    for (size_t i = 0; i < bounded.edges_count && !error; i++)
        if (edge_under_way(&bounded.edges[i]) > 0 &&
            !is_mine(bounded.edges[i].to, id, mine, mine_count))
            error = rights_look(&bounded, bounded.edges[i].to, &rights);
    bounded_done(&bounded);
    if (!error)
        *ret_rights = rights;
    return error;
}

int bounded_value(const struct cell *cell, int64_t *ret_value)
{
    struct bounded bounded;
    int error;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    error = bounded_read(cell, &bounded);
    if (error)
        return error;
    error = bounded_has(&bounded, 0, ret_value);
    bounded_done(&bounded);
    return error;
}

/* ---- edits ---- */

/* The row that is to be written: that of the editor, and what it takes and gives now. */
struct writing {
    struct bounded lists; /* edges: given and taken of this row alone */
    uint64_t id, birth;
    int64_t added, spent;
    int64_t room; /* what it may spend or give */
};

static int edge_note(void *arg, const struct edge *edge)
{
    return edge_push(arg, edge);
}

static int row_fold(struct writing *writing, const struct row *row)
{
    struct row again;
    int error = add_to(&writing->added, row->added);

    if (!error)
        error = add_to(&writing->spent, row->spent);
    if (!error)
        error = add_to(&writing->room, row->has);
    return error ? error : row_read(row->entry, &again, edge_note, &writing->lists);
}

/* The rows of this id that an event may replace become one. Others refer to a row that has given
 * or been taken from by its birth: of several of those, all but one stay as they are. */
static int rows_fold(struct bounded *bounded, const struct editor *editor, struct writing *writing,
                     struct edit *edit)
{
    struct row *first = NULL;
    int error = 0;

    for (size_t i = 0; i < bounded->rows_count; i++) {
        struct row *row = &bounded->rows[i];

        row->folds = row->entry->dot.id == editor->id && row->entry->dot.n > editor->fold_after;
        if (row->folds && (!first || (!first->edges && (row->edges || row->birth < first->birth))))
            first = row;
    }
    writing->birth = first ? first->birth : editor->birth;
    for (size_t i = 0; i < bounded->rows_count && !error; i++) {
        struct row *row = &bounded->rows[i];

        row->folds = row->folds && (row == first || !row->edges);
        error = row->folds ? row_fold(writing, row)
                           : cell_add(&edit->kept, row->entry->dot, row->entry->payload);
    }
    return error;
}

static int writing_take(struct writing *writing, struct edge edge, uint64_t seen, int64_t amount)
{
    int error = 0;

    edge.given = 0;
    edge.taken = amount;
    edge.seen = seen;
    if (amount > 0)
        error = edge_push(&writing->lists, &edge);
    return error ? error : add_to(&writing->room, amount > 0 ? amount : 0);
}

/* The event of the row that an edge begins at, as it is here. */
static uint64_t edge_seen(const struct bounded *bounded, const struct edge *edge)
{
    for (size_t i = 0; i < bounded->rows_count; i++)
        if (bounded->rows[i].entry->dot.id == edge->from && bounded->rows[i].birth == edge->birth)
            return bounded->rows[i].entry->dot.n;
    return 0;
}

/* What is on its way to an id, and what rows of it have that are not this one. */
static int writing_take_of(struct writing *writing, const struct bounded *bounded, uint64_t id)
{
    int error = 0;

    for (size_t i = 0; i < bounded->edges_count && !error; i++)
        if (bounded->edges[i].to == id)
            error = writing_take(writing, bounded->edges[i], edge_seen(bounded, &bounded->edges[i]),
                                 edge_under_way(&bounded->edges[i]));
    for (size_t i = 0; i < bounded->rows_count && !error; i++) {
        const struct row *row = &bounded->rows[i];
        const struct edge edge = {.from = id, .birth = row->birth, .to = writing->id};

        if (row->entry->dot.id == id && !row->folds)
            error = writing_take(writing, edge, row->entry->dot.n, row->has);
    }
    return error;
}

/* Everything that the editor may spend comes into its row. */
static int writing_gather(struct writing *writing, const struct bounded *bounded,
                          const struct editor *editor)
{
    int error = writing_take_of(writing, bounded, editor->id);

    for (size_t i = 0; i < editor->mine_count && !error; i++)
        if (editor->mine[i] != editor->id)
            error = writing_take_of(writing, bounded, editor->mine[i]);
    return error;
}

static int writing_pack(struct writing *writing, struct buffer *payload)
{
    const struct bounded *lists = &writing->lists;
    uint32_t given = 0, taken = 0;
    struct writer writer;

    for (size_t i = 0; i < lists->edges_count; i++) {
        given += lists->edges[i].given > 0;
        taken += lists->edges[i].taken > 0;
    }
    if (given > BOUNDED_PAIRS_MAX || taken > BOUNDED_PAIRS_MAX)
        return NEAP_LIMIT;
    writer_init(&writer, payload);
    write_array(&writer, ROW_FIELDS + given * GIVEN_FIELDS + taken * TAKEN_FIELDS);
    write_u64(&writer, writing->birth);
    write_u64(&writer, (uint64_t)writing->added);
    write_u64(&writer, (uint64_t)writing->spent);
    write_u64(&writer, given);
    for (size_t i = 0; i < lists->edges_count; i++) {
        if (lists->edges[i].given > 0) {
            write_u64(&writer, lists->edges[i].to);
            write_u64(&writer, (uint64_t)lists->edges[i].given);
        }
    }
    for (size_t i = 0; i < lists->edges_count; i++) {
        if (lists->edges[i].taken > 0) {
            write_u64(&writer, lists->edges[i].from);
            write_u64(&writer, lists->edges[i].birth);
            write_u64(&writer, lists->edges[i].to);
            write_u64(&writer, (uint64_t)lists->edges[i].taken);
            write_u64(&writer, lists->edges[i].seen);
        }
    }
    return writer.error;
}

/* The lists of a row that was folded with another of its id: all it gave goes by one birth now. */
static int writing_end(struct writing *writing, struct edit *edit)
{
    int error;

    for (size_t i = 0; i < writing->lists.edges_count; i++)
        if (writing->lists.edges[i].given > 0)
            must(writing->lists.edges[i].birth == writing->birth);
    error = edges_join(&writing->lists);
    if (!error)
        error = writing_pack(writing, &edit->payload);
    edit->changes = edit->adds = true;
    return error;
}

static int writing_add(struct writing *writing, const struct bounded *bounded, int64_t amount)
{
    int64_t value;
    int error = bounded_has(bounded, 0, &value);

    if (!error)
        error = add_to(&value, amount);
    return error ? error : add_to(&writing->added, amount);
}

static bool is_short(const struct writing *writing, const struct editor *editor, int64_t amount)
{
    if (BROKEN("bounded-spends-any"))
        return false;
    return !(editor->spends || BROKEN("bounded-spends-unproven")) || writing->room < amount;
}

static int writing_do(struct writing *writing, const struct bounded *bounded, const struct op *op,
                      const struct editor *editor)
{
    struct edge edge = {.from = writing->id, .birth = writing->birth, .to = (uint64_t)op->also};
    int64_t amount = op->number;
    int error = 0;

    if (op->kind == OP_BOUNDED_ADD && amount >= 0)
        return writing_add(writing, bounded, amount);
    if (op->kind == OP_BOUNDED_ADD && amount == INT64_MIN)
        return NEAP_NORIGHTS; /* nobody ever has as many */
    if (op->kind == OP_BOUNDED_ADD)
        amount = -amount;
    if (editor->spends)
        error = writing_gather(writing, bounded, editor);
    if (!error && op->kind == OP_BOUNDED_CLAIM && editor->spends)
        return writing_take_of(writing, bounded, edge.to);
    if (!error && is_short(writing, editor, amount))
        error = NEAP_NORIGHTS;
    if (!error && op->kind == OP_BOUNDED_ADD)
        error = add_to(&writing->spent, amount);
    edge.given = amount;
    if (!error && op->kind == OP_BOUNDED_GIVE)
        error = edge_push(&writing->lists, &edge);
    return error;
}

static int bounded_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                        struct edit *edit)
{
    bool names = op->kind != OP_BOUNDED_ADD;
    struct writing writing = {.id = editor->id};
    struct bounded bounded;
    int error;

    if (names && (op->also == 0 || (uint64_t)op->also == editor->id))
        return NEAP_INVALID; /* rights for oneself are none */
    if (op->kind == OP_BOUNDED_GIVE && op->number <= 0)
        return NEAP_INVALID;
    error = bounded_read(old, &bounded);
    if (error)
        return error;
    error = rows_fold(&bounded, editor, &writing, edit);
    if (!error)
        error = writing_do(&writing, &bounded, op, editor);
    if (!error)
        error = writing_end(&writing, edit);
    bounded_done(&writing.lists);
    bounded_done(&bounded);
    return error;
}

static int bounded_item(const struct cell *cell, struct neap_item *ret_item)
{
    return bounded_value(cell, &ret_item->number);
}

static int bounded_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = OP_BOUNDED_ADD, .number = item->number};
    return 0;
}

static const char *bounded_why_not(const struct op *op, int code)
{
    if (code == NEAP_NORIGHTS)
        return "too few rights here";
    if (code == NEAP_INVALID && op->kind != OP_BOUNDED_ADD)
        return "rights go to another replica id than this node's, and are 1 or more";
    return NULL;
}

const struct type bounded_type = {
    .type = NEAP_BOUNDED,
    .name = "bounded",
    .holds = NEAP_HOLDS_NUMBER,
    .check = bounded_check,
    .edit = bounded_edit,
    .item = bounded_item,
    .put = bounded_put,
    .limit = "the counter would leave the range of 64 bits, or too many replicas share it",
    .why_not = bounded_why_not,
    .why_one = "what one replica id has added, spent, given and taken",
    .why_before = "the sum of ",
    .why_after = " rows: one or more for each replica id that has added, spent or got rights",
};
