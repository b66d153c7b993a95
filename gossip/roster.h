/* Who belongs to the cluster, and where: maps of the system's bucket, which every node holds. In
 * "members" each node keeps its own record, under its id; in "forgotten" are the last records of
 * those that will never return, whatever they write again, and in "retired" those that logs do not
 * wait for (docs/decisions/0095). Who is alive is not written anywhere: gossip/swim.h. */
#ifndef NEAP_GOSSIP_ROSTER_H
#define NEAP_GOSSIP_ROSTER_H
#include "store/batch.h"

/* Of a cluster; those past it, in the order of ids, are left out. NAME, ADDRESS: with the zero. */
enum { ROSTER_MAX = 128, ROSTER_FORGOTTEN_MAX = 1024 };
enum { ROSTER_ADDRESSES_MAX = 4, ROSTER_ADDRESS_MAX = 128, ROSTER_NAME_MAX = 64 };
enum { ROSTER_WEIGHT = 100, ROSTER_WEIGHT_MAX = 1000000 };

#define ROSTER_PLACES(X) X(MEMBERS, "members") X(FORGOTTEN, "forgotten") X(RETIRED, "retired")
enum roster_place {
#define X(name, text) ROSTER_##name,
    ROSTER_PLACES(X)
#undef X
        ROSTER_PLACES
};

struct roster_row {
    uint64_t node;
    char addresses[ROSTER_ADDRESSES_MAX][ROSTER_ADDRESS_MAX]; /* none: it only dials */
    unsigned addresses_count;
    char zone[ROSTER_NAME_MAX]; /* "": not given */
    char name[ROSTER_NAME_MAX]; /* for people; "" */
    uint32_t weight;            /* of what it is to hold, against the others: 100 if not given */
};

struct roster_list {
    struct roster_row *rows; /* owned; sorted by node */
    size_t count, room;
    size_t left_out; /* records that are none, or too many */
};

struct roster {
    struct roster_list lists[ROSTER_PLACES]; /* of members: without those that are forgotten */
};

/* The path of a node's record; key and type of the map. NOMEM. */
int roster_path(enum roster_place place, uint64_t node, struct buffer *ret_path);
int roster_place(enum roster_place place, struct buffer *ret_path);
/* The value there; replaces. */
int roster_encode(const struct roster_row *row, struct buffer *ret_value);
/* INVALID: it is no record: *ret_row stays. What later versions add is left out. */
int roster_decode(uint64_t node, struct slice value, struct roster_row *ret_row);
/* Is it a name of a zone or a node: up to 63 letters, digits, '.', '_', '-'? An empty one is. */
bool roster_name_is(const char *name);
bool roster_address_is(const char *address); /* printable, and not too long */
bool roster_rows_equal(const struct roster_row *a, const struct roster_row *b);

/* The lists as the view has them: replaces what ret_roster holds, which stays on an error (CORRUPT,
 * IO, NOMEM). */
int roster_read(const struct view *view, struct roster *ret_roster);
const struct roster_row *roster_find(const struct roster *roster, enum roster_place place,
                                     uint64_t node); /* NULL */
/* The member of that id (16 digits) or name. NOTFOUND; INVALID: several have that name. */
int roster_named(const struct roster *roster, const char *text, struct roster_row *ret_row);
void roster_done(struct roster *roster);
#endif
