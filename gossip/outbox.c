#include "gossip/outbox.h"

#include <string.h>

#include "base/alloc.h"

void outbox_init(struct outbox *outbox, size_t bytes_max)
{
    *outbox = (struct outbox){.bytes_max = bytes_max};
}

void outbox_clear(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->count; i++)
        mem_free((void *)(uintptr_t)outbox->effects[i].bytes.data);
    outbox->count = outbox->bytes = 0;
    outbox->names_events = false;
}

void outbox_done(struct outbox *outbox)
{
    outbox_clear(outbox);
    mem_free(outbox->effects);
    *outbox = (struct outbox){0};
}

static int outbox_add(struct outbox *outbox, enum effect_kind kind, uint64_t link,
                      struct slice bytes)
{
    if (bytes.size > outbox->bytes_max - outbox->bytes)
        return NEAP_LIMIT;
    if (outbox->count == outbox->room) {
        size_t room = outbox->room ? outbox->room * 2 : 16;
        struct effect *effects = mem_resize(outbox->effects, room * sizeof *effects);
        if (!effects)
            return NEAP_NOMEM;
        outbox->effects = effects;
        outbox->room = room;
    }
    uint8_t *copy = NULL;
    if (bytes.size > 0) {
        copy = mem_new(bytes.size);
        if (!copy)
            return NEAP_NOMEM;
        memcpy(copy, bytes.data, bytes.size);
    }
    outbox->effects[outbox->count++] =
        (struct effect){.kind = kind, .link = link, .bytes = slice_of(copy, bytes.size)};
    outbox->bytes += bytes.size;
    return 0;
}

int outbox_dial(struct outbox *outbox, uint64_t link, const char *address)
{
    return outbox_add(outbox, EFFECT_DIAL, link, slice_of(address, strlen(address) + 1));
}

int outbox_send(struct outbox *outbox, uint64_t link, struct slice message, bool names_events)
{
    int error = outbox_add(outbox, EFFECT_SEND, link, message);
    if (!error && names_events)
        outbox->names_events = true;
    return error;
}

int outbox_close(struct outbox *outbox, uint64_t link)
{
    return outbox_add(outbox, EFFECT_CLOSE, link, slice_of(NULL, 0));
}

int outbox_trust(struct outbox *outbox, uint64_t link)
{
    return outbox_add(outbox, EFFECT_TRUST, link, slice_of(NULL, 0));
}

int outbox_ready(struct outbox *outbox, uint64_t link)
{
    return outbox_add(outbox, EFFECT_READY, link, slice_of(NULL, 0));
}
