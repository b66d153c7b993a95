/* What the files of the nng door share. Nobody else includes this. */
#ifndef NEAP_GOSSIP_NET_NNG_H
#define NEAP_GOSSIP_NET_NNG_H
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>

#include "gossip/frame.h"
#include "gossip/net.h"
#include "gossip/net_guard.h"
#include "gossip/net_share.h"
#include "trust/tls.h"

enum { LISTENERS = 2, SEND_GATHER = 8, RECEIVE_SMALL = 4 << 10, RECEIVE_LARGE = 64 << 10 };
enum {
    ACCEPT_PAUSE_MS = 100,
    HANDSHAKE_PATIENCE_MS = 200, /* a slower one makes room for others */
    SILENCE_PATIENCE_MS = 50,    /* one that has not begun yet */
    REFUSAL_MS = 1000,           /* to tell the other side why it is refused */
    OWNER_SHARE = 16,            /* one identity has this part of a listener's links at most... */
    OWNER_MIN = 4                /* ... or so many */
};

/* Why a link was ended here, and not by the other side. */
enum net_fault {
    NET_FAULT_NONE,
    NET_FAULT_LINKS,
    NET_FAULT_DEADLINE,
    NET_FAULT_FRAME,
    NET_FAULT_SIZE,
    NET_FAULT_MEMORY,
    NET_FAULT_HANDSHAKES, /* too many at a time */
    NET_FAULT_SOURCE,     /* of one address */
    NET_FAULT_RATE,
    NET_FAULT_GIVEN_UP, /* a slow one, for others that wait */
    NET_FAULT_OWNER,    /* too many links of one identity */
    NET_FAULT_REVOKED,
    NET_FAULT_USER,  /* of this machine, and not the node's */
    NET_FAULT_FILES, /* no descriptors are left for it */
    NET_FAULT_TLS,   /* what tls_fault() says; counted by itself */
    NET_FAULTS
};

/* A message on its way out, framed. */
struct outgoing {
    struct outgoing *next;
    size_t size;
    uint8_t bytes[];
};

/* Bytes that came and were not yet taken: [start, end). */
struct intake {
    uint8_t *bytes;
    size_t room, start, end;
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
    bool holds_message;  /* one is with the sink: the next is delivered after ready() */
    bool delivering;     /* somebody hands messages to the sink, and the mutex is free meanwhile */
    nng_time deadline;   /* of the handshake */
    nng_time told;       /* when the sink was last told of bytes that came */
    struct intake input; /* what frames are taken from */
    size_t frame_left;   /* bytes of the current frame that are still to come */
    bool in_frame, frame_more;
    struct buffer message;
    struct outgoing *out_first, *out_last;
    size_t out_bytes, out_done; /* queued; done of the first */
    bool up;                    /* the sink was told of it */
    bool counted;               /* among the accepted ones */
    bool guarded;               /* its handshake is in flight for the guard */
    bool spoke;                 /* something came */
    unsigned pinned;            /* somebody looks at it without the mutex */
    struct guard_source source; /* of an accepted one */
    char from[NET_FROM_MAX];    /* the same for people */
    /* With TLS. During the handshake `working` says that one of nng's threads has the session, and
     * the mutex does not guard it; afterwards the mutex does. */
    struct tls *tls;
    bool working;
    bool is_token; /* of who may ask once to be let in: never trusted */
    bool ending;   /* the other side is being told why; then it is over */
    char reason[TLS_REASON_MAX];
    uint64_t checked;     /* net.rechecks, when it was asked whether he is revoked */
    struct intake raw;    /* as it came from the wire */
    struct buffer sealed; /* on its way to the wire... */
    size_t sealed_done;   /* ... and so much of it is there */
};

struct accepter {
    struct net_nng *net;
    enum net_side side;
    nng_stream_listener *listener; /* NULL: not used */
    nng_aio *aio;
    bool pausing; /* the aio is a pause after an error, not an accept */
    bool tls;
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
    unsigned links_max[LISTENERS];
    unsigned mode;          /* of Unix sockets */
    struct net_users users; /* owns its ids */
    bool stopping;
    nng_cv *sent; /* a send has ended, while it is about to stop */
    uint64_t faults[LISTENERS][NET_FAULTS]; /* of peers, of clients */
    struct guard guard;
    struct credentials *credentials; /* NULL: no TLS */
    bool (*is_revoked)(void *arg, const struct principal *principal);
    void *is_revoked_arg;
    uint64_t rechecks;
    uint64_t tls_faults[3][TLS_FAULT_COUNT]; /* by enum net_side */
    struct net_refused refused[NET_REFUSED_MAX];
    size_t refused_count;
    uint64_t refused_number;
};

/* net_nng_link.c: one link's receiving and sending. Called with the mutex held. */
void link_free(struct link *link);                       /* not busy */
void link_kill(struct link *link);                       /* closes the stream; the reaper frees */
bool intake_reserve(struct intake *intake, size_t want); /* room behind what is there */
/* Posts a receive when there is room. False: no memory, nothing posted, receive_busy still raised.
 */
bool link_receive(struct link *link);
void link_flush(struct link *link); /* posts a send when something waits */
void link_sent(struct link *link, size_t count);
/* Takes what it can from the input. True: a whole message is in link->message. A fault kills. */
bool link_take(struct link *link, enum net_fault *ret_fault);
void net_fault_count(struct net_nng *net, enum net_side side, enum net_fault fault);

/* net_nng.c. With the mutex held; lets go of it to tell the sink, takes it again. */
void link_down(struct link *link, enum net_fault fault, const char *reason);
/* With receive_busy raised: receives, or ends a link that there is no memory for. */
void link_listen(struct link *link);
struct link *net_link_find(struct net_nng *net, uint64_t id);
int link_new(struct net_nng *net, uint64_t id, enum net_side side, struct link **ret_link);
const char *net_fault_text(enum net_fault fault);
/* Without the mutex. */
void net_post(struct net_nng *net, struct net_event *event);
void net_reap(struct net_nng *net);

/* net_nng_tls.c. With the mutex held. */
/* Goes on with the handshake, as far as what came goes, without the mutex meanwhile. With
 * receive_busy raised. */
void link_shake(struct link *link);
bool link_unseal(struct link *link, enum net_fault *ret_fault); /* more input: true */
void link_seal(struct link *link);                              /* what waits, into `sealed` */
int link_tls(struct link *link);                                /* begins; NOMEM */
void link_rise(struct link *link);                              /* it is up, and the sink is told */
/* An accepted link is there, in the end: its place among those that are counted. A fault: there is
 * none. */
enum net_fault link_count(struct link *link);
void link_uncount(struct link *link); /* and the handshake is not in flight any more */
void net_refusal(struct net_nng *net, const char *from, const char *reason);
bool net_tls_count(struct net_nng *net, size_t index, const char **ret_name, uint64_t *ret_count);
bool net_refused(struct net *net, size_t index, struct net_refused *ret_refused);
int net_who(struct net *net, uint64_t id, struct principal *ret_principal);
void net_recheck(struct net *net);
int net_reload(struct net *net, struct neap_error *error);

/* net_nng_listen.c */
int net_listen(struct net_nng *net, struct accepter *accepter, enum net_side side,
               const char *address, struct neap_error *error);

/* net_nng_files.c */
uint64_t files_limit(void);  /* how many descriptors this process may have */
bool files_are_scarce(void); /* are only those left that are kept for members and the disk? */

/* As nng wants it, without the scheme of ours. */
const char *address_of_nng(const char *address);
void stream_source(nng_stream *stream, struct guard_source *ret_source,
                   char ret_from[NET_FROM_MAX]);
int link_queue(struct link *link, struct slice message);
int nng_to_error(int rv);
#endif
