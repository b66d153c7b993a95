#include "trust/tickets.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "trust/keep.h"
#include "trust/secret.h"

struct ids {
    uint64_t *ids;
    size_t count, room;
};

/* Other names are of nobody, or of a file that is being written. */
static int id_add(void *arg, const char *name)
{
    struct ids *ids = arg;
    uint8_t bytes[8];
    uint64_t *more;

    if (strlen(name) != TICKET_NAME_MAX - 1 || !hex_read(name, bytes, sizeof bytes))
        return 0;
    more = mem_reserve(ids->ids, ids->count, &ids->room, 1, sizeof *more);
    if (!more)
        return NEAP_NOMEM;
    ids->ids = more;
    ids->ids[ids->count++] = bytes_get_u64(bytes);
    return 0;
}

static int id_compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

/* None was made yet: then there is no folder of them. */
static int ids_read(const char *tokens, struct ids *ret_ids, struct neap_error *error)
{
    struct ids ids = {0};
    int code = secret_is_directory(tokens) ? keep_each(tokens, id_add, &ids, error) : 0;

    if (code) {
        mem_free(ids.ids);
        return code;
    }
    if (ids.count > 1)
        qsort(ids.ids, ids.count, sizeof *ids.ids, id_compare);
    *ret_ids = ids;
    return 0;
}

static int ticket_load(const char *tokens, uint64_t id, struct ticket *ret_ticket,
                       struct neap_error *error)
{
    char name[TICKET_NAME_MAX];
    struct buffer text;
    int code;

    ticket_name(id, name);
    code = secret_file(tokens, name, SECRET_KEY, &text, error);
    if (code)
        return code;
    code = ticket_read(buffer_slice(&text), ret_ticket, error);
    secret_done(&text);
    return code;
}

static int no_memory(struct neap_error *error)
{
    return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
}

int tickets_each(const char *directory,
                 int (*each)(void *arg, uint64_t id, const struct ticket *ticket,
                             struct neap_error *error),
                 void *arg, size_t *ret_damaged, struct neap_error *error)
{
    char *tokens = secret_path(directory, TICKETS_DIRECTORY);
    struct neap_error ignored;
    struct ids ids = {0};
    size_t damaged = 0;
    int code = tokens ? ids_read(tokens, &ids, error) : no_memory(error);

    for (size_t i = 0; i < ids.count && !code; i++) {
        struct ticket ticket;

        code = ticket_load(tokens, ids.ids[i], &ticket, &ignored);
        if (code == NEAP_NOMEM) {
            (void)no_memory(error);
        } else if (code) {
            damaged++;
            code = 0;
        } else {
            code = each(arg, ids.ids[i], &ticket, error);
            ticket_done(&ticket);
        }
    }
    mem_free(ids.ids);
    mem_free(tokens);
    if (!code && ret_damaged)
        *ret_damaged = damaged;
    return code;
}

int tickets_remove(const char *directory, uint64_t id, struct neap_error *error)
{
    char name[TICKET_NAME_MAX], *tokens = secret_path(directory, TICKETS_DIRECTORY);
    int code;

    if (!tokens)
        return no_memory(error);
    ticket_name(id, name);
    if (!keep_has(tokens, name))
        code = error_set(error, NEAP_NOTFOUND, "%.150s has no token %s", directory, name);
    else
        code = keep_remove(tokens, name, error);
    mem_free(tokens);
    return code;
}

struct pruning {
    const char *directory;
    uint64_t now_s;
};

static int ticket_prune(void *arg, uint64_t id, const struct ticket *ticket,
                        struct neap_error *error)
{
    const struct pruning *pruning = arg;

    if (pruning->now_s <= ticket->until_s || pruning->now_s - ticket->until_s <= TICKETS_KEPT_S)
        return 0;
    return tickets_remove(pruning->directory, id, error);
}

/* What cannot be read stays: `neap token list` says so. */
int tickets_prune(const char *directory, uint64_t now_s, struct neap_error *error)
{
    struct pruning pruning = {directory, now_s};

    return tickets_each(directory, ticket_prune, &pruning, NULL, error);
}

const char *ticket_state(const struct ticket *ticket, uint64_t now_s)
{
    if (ticket->used)
        return "used";
    if (ticket->failures >= TICKET_FAILURES_MAX)
        return "burnt";
    return now_s > ticket->until_s ? "expired" : "open";
}
