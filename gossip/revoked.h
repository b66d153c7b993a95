/* Who is in the cluster no more, whatever his certificate says: the set "revoked" of the system's
 * bucket, whose elements are names as principal_text() gives them. Every node holds it; what
 * matters is what is there in this moment, so a link ends in the step that brings the entry. */
#ifndef NEAP_GOSSIP_REVOKED_H
#define NEAP_GOSSIP_REVOKED_H
#include "store/batch.h"
#include "trust/principal.h"

struct revoked_name {
    enum principal_kind kind;
    uint64_t id;
};

struct revoked {
    struct revoked_name *names; /* owned; sorted */
    size_t count, room;
};

/* "device/00c0ffee00c0ffee", of a node, a device or a client. INVALID. */
int revoked_parse(const char *text, struct revoked_name *ret_name);
/* The key and type of the set; and of an element of it. NOMEM. */
int revoked_place(struct buffer *ret_path);
int revoked_path(const struct revoked_name *name, struct buffer *ret_path);
/* The set as the view has it: replaces what ret_revoked holds, which stays on an error (CORRUPT,
 * IO, NOMEM). What is no name in it is left out. */
int revoked_read(const struct view *view, struct revoked *ret_revoked);
bool revoked_has(const struct revoked *revoked, const struct principal *principal);
int revoked_copy(const struct revoked *from, struct revoked *ret_to); /* NOMEM; replaces */
void revoked_done(struct revoked *revoked);
#endif
