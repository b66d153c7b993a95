/* What a step wants the net to do, after the commit. Having one is the right to talk. */
#ifndef NEAP_GOSSIP_OUTBOX_H
#define NEAP_GOSSIP_OUTBOX_H
#include "gossip/net.h"

enum effect_kind { EFFECT_DIAL, EFFECT_SEND, EFFECT_CLOSE, EFFECT_TRUST, EFFECT_READY };

struct effect {
    enum effect_kind kind;
    uint64_t link;
    struct slice bytes; /* the message, or the address as text with its zero */
};

struct outbox {
    struct effect *effects;
    size_t count, room;
    size_t bytes, bytes_max;
    bool names_events; /* something in here names an event: durable first (rule 8) */
};

void outbox_init(struct outbox *outbox, size_t bytes_max);
void outbox_done(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);
/* Copied. LIMIT past bytes_max, NOMEM: nothing was added. */
int outbox_dial(struct outbox *outbox, uint64_t link, const char *address);
int outbox_send(struct outbox *outbox, uint64_t link, struct slice message, bool names_events);
int outbox_close(struct outbox *outbox, uint64_t link);
int outbox_trust(struct outbox *outbox, uint64_t link);
int outbox_ready(struct outbox *outbox, uint64_t link); /* after a rest: gossip_rests() */
#endif
