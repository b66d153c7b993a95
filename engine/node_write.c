/* Writes of callers: those that wait, and those that are submitted. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/node_forward.h"
#include "store/once.h"

/* ---- a copy of a write, in one block of memory ---- */

/* The size of what a write points to, or where the next part of it is copied. */
struct copier {
    uint8_t *at; /* NULL: only counts */
    size_t size;
};

static void *copy_bytes(struct copier *copier, const void *data, size_t size)
{
    /* Contexts want aligned memory. */
    size_t room = (size + 15) / 16 * 16;
    void *copy = copier->at;

    copier->size += room;
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, data, size);
    copier->at += room;
    return copy;
}

static void copy_op(struct copier *copier, const struct write_op *from, struct write_op *ret_op)
{
    struct write_op op = *from;
    const struct context *seen = from->op.seen;
    struct context context = {0};

    op.bucket = copy_bytes(copier, from->bucket, strlen(from->bucket) + 1);
    op.path.data = copy_bytes(copier, from->path.data, from->path.size);
    op.op.value.data = copy_bytes(copier, from->op.value.data, from->op.value.size);
    if (seen) {
        context = (struct context){.count = seen->count, .room = seen->count};
        context.entries = copy_bytes(copier, seen->entries, seen->count * sizeof *seen->entries);
        op.op.seen = copy_bytes(copier, &context, sizeof context);
    }
    if (ret_op)
        *ret_op = op;
}

static struct item_ticket *ticket_new(const struct write *write)
{
    struct copier copier = {0};
    struct item_ticket *ticket;
    struct write_op *ops;

    copy_bytes(&copier, NULL, 0);
    for (size_t i = 0; i < write->count; i++)
        copy_op(&copier, &write->ops[i], NULL);
    copy_bytes(&copier, write->once.data, write->once.size);
    copier.size += sizeof *ticket + 16 + write->count * sizeof *ops;
    ticket = mem_new(copier.size);
    if (!ticket)
        return NULL;
    ticket->item = (struct item){.kind = ITEM_TICKET, .bytes = copier.size};
    ticket->item.event = (struct event){.kind = EVENT_WRITE, .write = &ticket->write};
    /* The level is for whoever waits. A token was not asked for: its ticket is all that is told. */
    ticket->write = (struct write){.count = write->count, .nosync = write->nosync};
    ops = (struct write_op *)(ticket + 1);
    copier.at = (uint8_t *)(ops + write->count);
    copier.at += (16 - (uintptr_t)copier.at % 16) % 16;
    for (size_t i = 0; i < write->count; i++)
        copy_op(&copier, &write->ops[i], &ops[i]);
    ticket->write.once =
        slice_of(copy_bytes(&copier, write->once.data, write->once.size), write->once.size);
    ticket->write.ops = ops;
    return ticket;
}

/* ---- submitted writes ---- */

/* Tickets of another handle, or of one that was closed, are hardly ever taken for our own. */
static int tickets_open(struct node *node)
{
    if (node->ticket_codes)
        return 0;
    node->ticket_codes = mem_new(TICKETS_KEPT);
    if (!node->ticket_codes)
        return NEAP_NOMEM;
    node->ticket_first = (node->clock->ops->entropy(node->clock) >> 16) + 1;
    node->ticket_next = node->ticket_first;
    node->ticket_done = node->ticket_first - 1;
    return 0;
}

static int node_submit(struct node *node, struct write *write, uint64_t until_ms)
{
    struct item_ticket *ticket = ticket_new(write);
    int error;

    if (!ticket)
        return NEAP_NOMEM;
    node_lock(node);
    /* One that is larger than the queue would wait for ever. */
    error = ticket->item.bytes > node->queue_bytes_max ? NEAP_LIMIT : tickets_open(node);
    if (!error)
        error = node_pump_start(node);
    if (!error)
        error = node_admit(node, ticket->item.bytes, until_ms);
    if (!error) {
        write->token.ticket = node->ticket_next++;
        node_push(node, &ticket->item);
        if (!node->turning)
            node_pump_wake(node);
    }
    node_unlock(node);
    if (error)
        mem_free(ticket);
    return error;
}

/* The queue is in order, so tickets end in order. */
void node_ticket_done(struct node *node, struct item *item)
{
    struct item_ticket *ticket = (struct item_ticket *)(void *)item;
    uint64_t number = ++node->ticket_done;

    node->ticket_codes[number % TICKETS_KEPT] = (int8_t)item->event.code;
    if (item->event.code) {
        struct ticket_text *text = &node->ticket_texts[node->ticket_text_next++ % TICKET_TEXTS];

        *text = (struct ticket_text){.ticket = number, .error = ticket->write.error};
    }
    token_done(&ticket->write.token);
    mem_free(ticket);
}

static int ticket_result(const struct node *node, uint64_t ticket, struct neap_error *error)
{
    int code = node->ticket_codes[ticket % TICKETS_KEPT];

    if (!code)
        return 0;
    for (size_t i = 0; i < TICKET_TEXTS; i++)
        if (node->ticket_texts[i].ticket == ticket)
            return error_set(error, code, "%s", node->ticket_texts[i].error.text);
    return error_set(error, code, "a submitted write: %s", error_text(code));
}

/* Lock held. */
static int ticket_wait(struct node *node, uint64_t ticket, uint64_t until_ms,
                       struct neap_error *error)
{
    bool late = false;

    if (!node->ticket_codes || ticket < node->ticket_first || ticket >= node->ticket_next)
        return error_set(error, NEAP_STALE,
                         "the token's submitted write is not one of this "
                         "opening of the node");
    while (node->ticket_done < ticket && !node->closing && !late) {
        node->watchers++;
        late = !node_sleep(node, &node->changed_cond, until_ms);
        node->watchers--;
    }
    if (node->ticket_done < ticket)
        return error_set(error, NEAP_UNCERTAIN, "the submitted write is still waiting here");
    if (node->ticket_next - ticket > TICKETS_KEPT)
        return error_set(error, NEAP_STALE,
                         "the results of the last %d submitted writes are kept; "
                         "this one is older",
                         TICKETS_KEPT);
    return ticket_result(node, ticket, error);
}

int node_ticket_wait(struct node *node, uint64_t ticket, uint64_t until_ms,
                     struct neap_error *error)
{
    int code;

    node_lock(node);
    code = ticket_wait(node, ticket, until_ms, error);
    node_unlock(node);
    return code;
}

/* ---- writes ---- */

static int node_write_text(struct node *node, struct write *write, int code)
{
    if (code == NEAP_BUSY)
        return error_set(&write->error, code, "%zu writes wait already, of at most %zu, or %zu MiB",
                         node->queue_count_max, node->queue_count_max, node->queue_bytes_max >> 20);
    return error_set(&write->error, code, "%s", error_text(code));
}

/* Durable here; now the others. */
static int node_write_level(struct node *node, struct write *write, uint64_t until_ms)
{
    struct cover cover = {
        .parts = write->awaited.parts, .count = write->awaited.count, .level = write->level};
    int code = node_cover(node, &cover, until_ms, &write->error);

    /* It happened, here: no code that says otherwise. */
    if (code && code != NEAP_UNCERTAIN && code != NEAP_IO)
        code = error_set(&write->error, NEAP_UNCERTAIN,
                         "durable here; whether other nodes have it is not known: %s",
                         error_text(code));
    return code;
}

static int node_write_inside(struct node *node, struct write *write)
{
    uint64_t until_ms = node_until(node, write->timeout_ms);
    int code;

    write->error = (struct neap_error){0};
    if (node->readonly)
        return error_set(&write->error, NEAP_REFUSED, "the node was opened for reading only");
    code = write_check(write, &write->error);
    if (code)
        return code;
    if (!node_holds_write(node, write))
        return node_forward_write(node, write, until_ms);
    if (write->submit) {
        code = write_check(write, &write->error);
        if (!code)
            code = node_submit(node, write, write->timeout_ms ? until_ms : 0);
    } else {
        code = node_run_write(node, write, write->timeout_ms ? until_ms : 0);
    }
    if (code && write->not_here) /* it was, a moment ago */
        return node_forward_write(node, write, until_ms);
    if (code && !write->error.code)
        node_write_text(node, write, code);
    if (!code && !write->submit && write->level >= NEAP_QUORUM)
        code = node_write_level(node, write, until_ms);
    token_done(&write->awaited);
    return code;
}

int node_write(struct backend *backend, struct write *write)
{
    struct node *node = (struct node *)backend;
    int code = node_enter(node);

    if (code)
        return error_set(&write->error, code, "the node is being closed");
    node_write_begin(node);
    code = node_write_inside(node, write);
    node_write_end(node);
    node_leave(node);
    return code;
}

/* ---- ids for writes ---- */

/* What is committed may be behind what is queued: then the id is refused a little earlier. */
int node_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
              struct neap_error *error)
{
    struct node *node = (struct node *)backend;
    struct once_name name = {.life = node->wheel.engine.store.identity.life};
    const struct view view = {.disk = node->disk};
    char text[ONCE_NAME_SIZE];
    uint64_t first;
    int code = node_enter(node);

    (void)timeout_ms; /* it never waits */
    if (code)
        return error_set(error, code, "the node is being closed");
    code = node->readonly ? NEAP_REFUSED : once_numbers(&view, &first, &name.number);
    if (!code) {
        once_name_text(name, node->clock->ops->entropy(node->clock), text);
        code = buffer_set(ret_id, slice_text(text));
    }
    node_leave(node);
    if (code)
        return error_set(error, code, "once: %s", error_text(code));
    return 0;
}
