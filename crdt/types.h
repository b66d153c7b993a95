/* The types: each a translation of operations into cell edits, and of cells into values. No type
 * knows keys, disk, network or time. One file per type, which fills in a `struct type`; whoever has
 * to know something about a type asks the table, and so a type is added in one place
 * (docs/adding-a-type.md). */
#ifndef NEAP_CRDT_TYPES_H
#define NEAP_CRDT_TYPES_H
#include "crdt/cell.h"
#include "neap.h"

/* Numbers travel between clients and nodes, and never change. */
enum op_kind {
    OP_LWW_SET = 1,  /* value */
    OP_REGISTER_SET, /* value; replaces what `seen` covers; without seen: adds a sibling */
    OP_FLAG_ON,
    OP_FLAG_OFF,
    OP_COUNTER_ADD, /* number */
    OP_SET_ADD,     /* on the element's cell */
    OP_SET_REMOVE,
    OP_REMOVE,  /* any cell: its dots go */
    OP_MAX_SET, /* number */
    OP_MIN_SET,
    OP_FLAG_DW_ON,
    OP_FLAG_DW_OFF,
    OP_COUNTER_EXACT_ADD, /* number */
    OP_SET_RW_ADD,        /* on the element's cell */
    OP_SET_RW_REMOVE,
    OP_SCORE_SET, /* number; on the member's cell */
    OP_SCORE_ADD, /* the same */
    OP_SCORE_REMOVE,
    OP_BOUNDED_ADD,   /* number; below 0 it spends rights */
    OP_BOUNDED_GIVE,  /* number: of rights, also: the replica id that gets them */
    OP_BOUNDED_CLAIM, /* also: the replica id whose rights are taken */
    OP_KIND_END,
    OP_COLLECT = 1000 /* what is spent goes (type.collect): a node's own, and none of callers */
};

/* What whoever carries an operation has to know of its kind. */
struct op_info {
    bool is_known;    /* is there such an operation for callers? */
    unsigned type;    /* 0: any, as for OP_REMOVE */
    bool takes_seen;  /* may act on what was seen and nothing else */
    bool stamped;     /* the engine puts a stamp of the clock into op.stamp */
    bool may_be_idle; /* there may be nothing for it to do, and so no event */
    bool takes_ttl;   /* what it writes may expire */
    bool spends;      /* it may need rights: editor.spends and editor.mine are to be set */
};

const struct op_info *op_info(unsigned kind); /* never NULL; zeroes for what is no operation */
enum neap_type op_type(enum op_kind kind);    /* 0 for OP_REMOVE, and for what is none */

struct op {
    enum op_kind kind;
    struct slice value;
    int64_t number;
    int64_t also;             /* a second number, for the kinds that have one */
    uint64_t stamp;           /* HLC, for kinds that are stamped */
    uint64_t earlier;         /* events that this same write has made in the shard before it */
    bool alone;               /* this node has no peers, and has never met any */
    uint64_t ttl_ms, expires; /* from now, as the caller said; and when that is: the engine's */
    const struct context
        *seen; /* NULL: all dots that are here; else only what it covers is replaced */
};

/* Who edits: my replica id, which of my dots a counter may fold (rule 9), and what else an edit may
 * have to know of the shard. */
struct editor {
    uint64_t id;
    uint64_t fold_after; /* own dots with n > this were made by this opening, or a peer confirmed */
    uint64_t fold_write; /* own dots with n > this were made by this very write */
    uint64_t next;       /* n of the event to be */
    const struct context
        *stable;   /* what all members have seen, and have said all before; or NULL */
    bool alone;    /* as in the operation */
    unsigned type; /* of the cell, for OP_REMOVE and OP_COLLECT; 0: its dots just go, or stay */
    /* For bounded counters (crdt/bounded.h): a name for a row that begins with this event; whether
     * rights may be spent, and of which other ids. */
    uint64_t birth;
    bool spends;
    const uint64_t *mine;
    size_t mine_count;
};

/* The outcome: dots that stay, and what the new dot carries. */
struct edit {
    struct cell kept;      /* borrows from the old cell */
    bool changes;          /* false: no event at all (removal of nothing) */
    bool adds;             /* the new dot is live, with `payload`; else the event only removes */
    struct buffer payload; /* owned */
};

void edit_init(struct edit *edit);
void edit_done(struct edit *edit);

/* ret_edit is initialised and may be reused; what it held goes. It borrows payloads from `old`,
 * never from `op`. Errors: INVALID for an unknown operation or a payload of `old` that is not of
 * the type; LIMIT: value over NEAP_VALUE_MAX, what the type says (type_limit_text()), or dots
 * (CELL_DOTS_MAX); what else the type says; NOMEM. Nothing is kept of `edit` on error. */
int type_edit(const struct cell *old, const struct op *op, const struct editor *editor,
              struct edit *ret_edit);

enum { REGISTER_SIBLINGS_MAX = 64 };

/* What is below a level of the type in a path: nothing, as the level is the cell; one element, each
 * a cell; or levels again. */
enum type_below { BELOW_NOTHING, BELOW_ELEMENT, BELOW_FIELDS };

/* A type, as its file in crdt/ fills it in. Functions get cells of the type only, whose payloads
 * may still be anything unless said otherwise: they answer INVALID to what is not of the type. */
struct type {
    enum neap_type type;
    const char *name; /* "lww", as in `neap` and in JSON */
    unsigned holds;   /* of enum neap_holds: which fields of an item mean something */
    enum type_below below;

    /* From outside: canonical for this type? else INVALID, LIMIT. NULL: there are no such cells. */
    int (*check)(struct slice payload);
    /* An operation of this type, into a cleared edit; type_edit() clears it again on an error. */
    int (*edit)(const struct cell *old, const struct op *op, const struct editor *editor,
                struct edit *edit);
    /* What has nothing left to do goes, now that all members have what `editor->stable` names, and
     * what they had made before they had it is here: an edit like any other. NULL: never anything.
     */
    int (*collect)(const struct cell *old, const struct editor *editor, struct edit *edit);
    bool removes; /* `edit` takes OP_REMOVE as well; else the dots that it sees go */
    /* Is there anything for a reader? Payloads were checked. NULL: while there are dots. */
    bool (*is_live)(const struct cell *cell);
    /* The value of a live cell, for iterators, `neap` and JSON: value and number of an item, as
     * `holds` says. What cannot be told (a sum out of range) is LIMIT. NULL: it is on, or in. */
    int (*item)(const struct cell *cell, struct neap_item *ret_item);
    /* The part of a payload that is a value for people, and its stamp of the clock. NULL: all of
     * it, and there is none. */
    int (*stamped)(struct slice payload, struct slice *ret_value, uint64_t *ret_stamp);
    /* The operation that writes an item as `item` and iterators give it, but for what it is on;
     * INVALID: none does. NULL: always. What it borrows is the item's. */
    int (*put)(const struct neap_item *item, struct op *ret_op);

    /* When what a payload says expires, 0: never. NULL: nothing of this type does. */
    int (*expires)(struct slice payload, uint64_t *ret_expires);
    bool latest_wins; /* of several dots readers are shown the one with the latest stamp */

    const char *limit; /* for LIMIT of an edit: what it would have come to; NULL: too many dots */
    const char *(*why_not)(const struct op *op, int code); /* other codes; NULL: there are none */
    /* `neap explain`: why a cell is as it is, of one dot (NULL: as for more) and of more, between
     * whose halves their count is set. */
    const char *why_one, *why_before, *why_after;
};

const struct type *type_find(unsigned type);     /* NULL when unknown */
const struct type *type_named(const char *name); /* the same */
enum { TYPES_TEXT_MAX = 200 };
/* "register, lww ...": all names with what is to be between them, cut at `size`. */
void type_names(const char *between, char *ret_text, size_t size);
/* Is there such a type, and which is it? BELOW_NOTHING for what is none. */
enum type_below type_below(unsigned type);

/* Every payload of the cell fits the type: for whatever a peer sends. */
int type_check_cell(enum neap_type type, const struct cell *cell);
/* Flag on, element in the set, any value at all. The cell was checked. */
bool type_is_live(enum neap_type type, const struct cell *cell);
/* Type, value and number of an item; its name stays. NOTFOUND when there is nothing; LIMIT: a
 * number that does not fit, INT64_MAX stands for it; INVALID for payloads not of the type, and then
 * there is no change. Borrows from the cell. */
int type_item(enum neap_type type, const struct cell *cell, struct neap_item *ret_item);
/* The value in a payload, as far as it is one for people, and its stamp; 0 when there are none. */
int type_stamped(enum neap_type type, struct slice payload, struct slice *ret_value,
                 uint64_t *ret_stamp);
bool type_has_stamps(enum neap_type type);
bool type_collects(unsigned type); /* may there be something to be collected later? */

/* Values. NOTFOUND for an empty cell; INVALID for a payload that is not of the type. Slices borrow
 * from the cell. */
int lww_value(const struct cell *cell, struct slice *ret_value,
              uint64_t *ret_stamp);                               /* may be NULL */
int lww_payload_stamp(struct slice payload, uint64_t *ret_stamp); /* so that clocks can see it */
int register_value(const struct cell *cell, size_t index,
                   struct slice *ret_value);                    /* END past last */
int score_value(const struct cell *cell, int64_t *ret_score);   /* the nearest that fits */
int counter_value(const struct cell *cell, int64_t *ret_value); /* LIMIT when it doesn't fit */
#endif
