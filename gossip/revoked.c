#include "gossip/revoked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "crdt/path.h"
#include "gossip/system.h"

int revoked_parse(const char *text, struct revoked_name *ret_name)
{
    struct principal principal;

    /* A token is used up by itself, or is withdrawn where it is kept. */
    if (principal_named(slice_text(text), &principal) || principal.kind == PRINCIPAL_JOIN)
        return NEAP_INVALID;
    *ret_name = (struct revoked_name){principal.kind, principal.id};
    return 0;
}

int revoked_place(struct buffer *ret_path)
{
    buffer_clear(ret_path);
    return path_level(ret_path, slice_text("revoked"), NEAP_SET);
}

int revoked_path(const struct revoked_name *name, struct buffer *ret_path)
{
    const struct principal principal = {.kind = name->kind, .id = name->id};
    char text[PRINCIPAL_TEXT_MAX];
    int error = revoked_place(ret_path);

    if (!error)
        error = path_element(ret_path, slice_text(principal_text(&principal, text)));
    return error;
}

static int name_compare(const void *a, const void *b)
{
    const struct revoked_name *one = a, *other = b;

    if (one->kind != other->kind)
        return one->kind < other->kind ? -1 : 1;
    return one->id < other->id ? -1 : one->id > other->id;
}

/* What a path below the set names. */
static int element_name(struct slice path, struct revoked_name *ret_name)
{
    char text[PRINCIPAL_TEXT_MAX];
    struct path_cursor cursor;
    struct path_level level;
    struct slice element;
    int error;

    path_cursor_init(&cursor, path);
    error = path_cursor_level(&cursor, &level);
    if (!error)
        error = path_cursor_element(&cursor, &element);
    if (!error && (element.size >= sizeof text || memchr(element.data, 0, element.size)))
        error = NEAP_INVALID;
    if (!error) {
        memcpy(text, element.data, element.size);
        text[element.size] = 0;
        error = revoked_parse(text, ret_name);
    }
    path_cursor_done(&cursor);
    return error;
}

static int name_add(void *arg, struct slice path, const struct cell *cell)
{
    struct revoked_name *names, name;
    struct revoked *revoked = arg;
    int error = element_name(path, &name);

    (void)cell;
    if (error)
        return error == NEAP_NOMEM ? error : 0;
    names = mem_reserve(revoked->names, revoked->count, &revoked->room, 1, sizeof *names);
    if (!names)
        return NEAP_NOMEM;
    revoked->names = names;
    revoked->names[revoked->count++] = name;
    return 0;
}

static int names_scan(const struct view *view, struct revoked *revoked)
{
    struct buffer path;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = revoked_place(&path);
    if (!error)
        error = system_each(view, buffer_slice(&path), name_add, revoked);
    buffer_done(&path);
    return error;
}

int revoked_read(const struct view *view, struct revoked *ret_revoked)
{
    struct revoked revoked = {0};
    int error = names_scan(view, &revoked);

    if (error) {
        revoked_done(&revoked);
        return error;
    }
    if (revoked.count > 1)
        qsort(revoked.names, revoked.count, sizeof *revoked.names, name_compare);
    revoked_done(ret_revoked);
    *ret_revoked = revoked;
    return 0;
}

bool revoked_has(const struct revoked *revoked, const struct principal *principal)
{
    const struct revoked_name name = {principal->kind, principal->id};

    return revoked->count > 0 && !BROKEN("revoked-stays") &&
           bsearch(&name, revoked->names, revoked->count, sizeof name, name_compare);
}

int revoked_copy(const struct revoked *from, struct revoked *ret_to)
{
    struct revoked copy = {0};

    if (from->count > 0) {
        copy.names = mem_new_array(from->count, sizeof *copy.names);
        if (!copy.names)
            return NEAP_NOMEM;
        memcpy(copy.names, from->names, from->count * sizeof *copy.names);
        copy.count = copy.room = from->count;
    }
    revoked_done(ret_to);
    *ret_to = copy;
    return 0;
}

void revoked_done(struct revoked *revoked)
{
    mem_free(revoked->names);
    *revoked = (struct revoked){0};
}
