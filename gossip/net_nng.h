/* What the files of the nng door share. Nobody else includes this. */
#ifndef NEAP_GOSSIP_NET_NNG_H
#define NEAP_GOSSIP_NET_NNG_H
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>

#include "gossip/frame.h"
#include "gossip/net.h"

enum { LISTENERS = 2, SEND_GATHER = 8, RECEIVE_SMALL = 4 << 10, RECEIVE_LARGE = 64 << 10 };

/* Why a link was ended here, and not by the other side. */
enum net_fault {
    NET_FAULT_NONE,
    NET_FAULT_LINKS,
    NET_FAULT_DEADLINE,
    NET_FAULT_FRAME,
    NET_FAULT_SIZE,
    NET_FAULT_MEMORY,
    NET_FAULTS
};

/* A message on its way out, framed. */
struct outgoing {
    struct outgoing *next;
    size_t size;
    uint8_t bytes[];
};

/* One stream. `busy` flags say that an aio is under way, or its callback has not returned: a dead
 * link is freed when none is. */
struct link {
    struct link *next;
    struct net_nng *net;
    uint64_t id;
    enum net_side side;
    nng_stream *stream; /* NULL while it is being dialled */
    nng_stream_dialer *dialer;
    nng_aio *receive, *send, *dial; /* dial: NULL for an accepted link */
    bool receive_busy, send_busy, dial_busy;
    bool trusted, dead;
    bool holds_message; /* one is with the sink: the next is delivered after ready() */
    bool delivering;    /* somebody hands messages to the sink, and the mutex is free meanwhile */
    nng_time deadline;  /* of the handshake */
    nng_time told;      /* when the sink was last told of bytes that came */
    uint8_t *input;     /* bytes received and not yet taken: [input_start, input_end) */
    size_t input_room, input_start, input_end;
    size_t frame_left; /* bytes of the current frame that are still to come */
    bool in_frame, frame_more;
    struct buffer message;
    struct outgoing *out_first, *out_last;
    size_t out_bytes, out_done; /* queued; done of the first */
};

struct accepter {
    struct net_nng *net;
    enum net_side side;
    nng_stream_listener *listener; /* NULL: not used */
    nng_aio *aio;
    bool pausing; /* the aio is a pause after an error, not an accept */
};

struct net_nng {
    struct net net;
    struct net_sink *sink;
    nng_mtx *mutex; /* guards all below; never held while the sink is called */
    struct link *links;
    struct accepter accepters[LISTENERS];
    uint64_t accepted_next;
    unsigned accepted_count[LISTENERS]; /* each listener has its own limit */
    uint32_t handshake_ms;
    size_t queue_max;
    unsigned links_max;
    bool stopping;
    uint64_t faults[LISTENERS][NET_FAULTS]; /* of peers, of clients */
};

/* net_nng_link.c: one link's receiving and sending. Called with the mutex held. */
void link_free(struct link *link);    /* not busy */
void link_kill(struct link *link);    /* closes the stream; the reaper frees */
/* Posts a receive when there is room. False: no memory, nothing posted, receive_busy still raised.
 */
bool link_receive(struct link *link);
void link_flush(struct link *link);   /* posts a send when something waits */
void link_sent(struct link *link, size_t count);
/* Takes what it can from the input. True: a whole message is in link->message. A fault kills. */
bool link_take(struct link *link, enum net_fault *ret_fault);
void net_fault_count(struct net_nng *net, enum net_side side, enum net_fault fault);
int link_queue(struct link *link, struct slice message);
int nng_to_error(int rv);
#endif
