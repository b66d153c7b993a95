/* Door: messages to and from other processes. Rooms behind it: net_nng.c (nng byte streams) and the
 * simulated net of the tests. A link is one stream; messages keep their order on it. */
#ifndef NEAP_GOSSIP_NET_H
#define NEAP_GOSSIP_NET_H
#include "base/bytes.h"
#include "neap.h"
#include "trust/credentials.h"

/* A message over FRAME_SIZE travels in frames of that size; one over MESSAGE_SIZE_MAX is refused.
 */
enum { FRAME_SIZE = 64 << 10, MESSAGE_SIZE_MAX = 16 << 20, HELLO_SIZE_MAX = 4096 };
enum { PROGRESS_MS = 1000 };

/* Who is at the other end: what the listener was opened for, or a link that was dialled. Whose
 * certificate says that he is a client is one on all listeners. */
enum net_side { NET_DIALED, NET_PEER, NET_CLIENT };

/* NET_PROGRESS: a message is long in coming, but coming; once in PROGRESS_MS at most, and only on
 * trusted links of peers. It may get lost. */
enum net_event_kind { NET_UP, NET_MESSAGE, NET_DOWN, NET_PROGRESS };

struct net_event {
    enum net_event_kind kind;
    uint64_t link;
    enum net_side side;
    struct buffer message; /* NET_MESSAGE: owned by whoever took the event: buffer_done() */
    size_t size;           /* NET_PROGRESS: what came of the message so far */
    char reason[96];       /* NET_DOWN: for people */
    /* NET_UP: whose certificate was shown and checked; PRINCIPAL_NONE on a link without TLS. Owned
     * by whoever took the event. */
    struct principal principal;
};

static inline void net_event_done(struct net_event *event)
{
    buffer_done(&event->message);
    principal_done(&event->principal);
}

/* Where events go; called from the door's threads, must not block, copies the struct and takes its
 * message and principal. The door keeps at most one undelivered message a link: it receives the
 * next one after net_ops.ready(). So a slow node takes no more memory than its links. */
struct net_sink {
    void (*post)(struct net_sink *sink, struct net_event *event);
    /* Is whoever shows this no member any more? Any thread; NULL: nobody is. */
    bool (*is_revoked)(struct net_sink *sink, const struct principal *principal);
};

/* Who was not let in: from where, why, and how often; `number` grows with each time. */
enum { NET_FROM_MAX = 64, NET_REFUSED_MAX = 16 };
struct net_refused {
    uint64_t number, times;
    char from[NET_FROM_MAX], reason[96];
};

struct net {
    const struct net_ops *ops;
};

/* Link numbers: the caller's for dialled links (below NET_ACCEPTED), the door's for accepted ones.
 */
#define NET_ACCEPTED ((uint64_t)1 << 63)

struct net_ops {
    /* The outcome arrives as NET_UP or NET_DOWN. */
    int (*dial)(struct net *net, uint64_t link, const char *address);
    /* Queued and sent in order; copied. BUSY: the link's queue is over its bound (nothing was
     * queued); NOTFOUND: no such link. */
    int (*send)(struct net *net, uint64_t link, struct slice message);
    void (*ready)(struct net *net, uint64_t link); /* receive the next message of this link */
    /* Until this is called, a link takes only messages up to HELLO_SIZE_MAX and is dropped when its
     * handshake deadline passes. */
    void (*trust)(struct net *net, uint64_t link);
    void (*close)(struct net *net, uint64_t link); /* no NET_DOWN follows; unknown is fine */
    void (*stop)(struct net *net);                 /* no event after this returns */
    void (*free)(struct net *net);                 /* after stop */
    /* Links that the door ended or refused by itself: why, and how many. False past the last. May
     * be NULL: none. Any thread. */
    bool (*count)(struct net *net, size_t index, const char **ret_name, uint64_t *ret_count);
    /* Who is at the other end of a link, a copy: principal_done(). PRINCIPAL_NONE without TLS.
     * NOTFOUND: no such link; NOMEM. May be NULL: all are NONE. Any thread. */
    int (*who)(struct net *net, uint64_t link, struct principal *ret_principal);
    /* Ends the links of those who are revoked by now, with NET_DOWN. May be NULL. Any thread. */
    void (*recheck)(struct net *net);
    /* Reads its certificates again; links go on, later ones begin with what is read now. On error
     * all stays as it was. May be NULL. Any thread. */
    int (*reload)(struct net *net, struct neap_error *error);
    /* The latest who were not let in, and why: false past the last. May be NULL. Any thread. */
    bool (*refused)(struct net *net, size_t index, struct net_refused *ret_refused);
};

/* Who may come by a Unix socket, whatever its mode is: who runs this process, and root, always. */
struct net_users {
    const uint32_t *ids; /* and these */
    size_t count;
    bool anybody; /* whom the mode lets in */
};

struct net_nng_options {
    /* tls+tcp://HOST:PORT, or without TLS only on this machine: tcp://127.0.0.1:7400,
     * ipc:///run/x.sock; NULL: none. */
    const char *listen;
    const char *clients; /* where clients connect: ipc:// or tls+tcp://; NULL: none */
    unsigned mode;       /* of Unix sockets; 0: 0600 */
    struct net_users users;
    size_t peers;        /* how many will be dialled... */
    unsigned disk_files; /* ... and descriptors that the disk needs: less of them is let in then */
    uint32_t handshake_ms; /* a link that did not become trusted by then is dropped */
    size_t queue_max;      /* bytes waiting to be sent, a link */
    unsigned links_max;    /* accepted by a listener; more are closed at once, and counted. Fewer
                            * when this process may not have as many files open */
    /* For tls+tcp://HOST:PORT, which alone may be beyond loopback. Held by the door. NULL: none. */
    struct credentials *credentials;
    /* Asked when somebody has shown a certificate, and by net_ops.recheck(); on the door's threads
     * and the caller's of recheck, without any lock of the door. May be NULL: nobody is. */
    bool (*is_revoked)(void *arg, const struct principal *principal);
    void *is_revoked_arg;
};

/* INVALID: an address that is not understood. REFUSED: beyond loopback without TLS, or TLS without
 * credentials; or too few files may be open. */
int net_nng_open(const struct net_nng_options *options, struct net_sink *sink, struct net **ret_net,
                 struct neap_error *error);
/* May clients come by this one? REFUSED: plain TCP, where nobody can be told from anybody. */
int net_address_check_clients(const char *address, bool has_credentials, const char *what,
                              struct neap_error *error);
/* The TCP port that was bound (listening on port 0 picks one); 0 for others. */
int net_nng_port(struct net *net);
/* Is this an address that may be listened on or dialled without TLS? */
bool net_address_is_local(const char *address);
bool net_address_is_tls(const char *address); /* tls+tcp://... */
/* May it be used by who has credentials (or has none)? REFUSED: *error says what to do; `what`
 * begins it. */
int net_address_check(const char *address, bool has_credentials, const char *what,
                      struct neap_error *error);

/* A client's blocking connection: one request, one reply, any thread. */
struct net_call;
/* With the credentials (which it holds) for tls+tcp://HOST:PORT; they may be NULL for others. */
int net_call_open(const char *address, struct credentials *credentials, uint32_t timeout_ms,
                  struct net_call **ret_call, struct neap_error *error);
/* BUSY when other calls had the connection until timeout_ms was over: nothing was sent. UNCERTAIN
 * when the request was sent and no reply came in time, or none that could be kept. The connection
 * is closed then, so that no late reply is taken for another's, and the next call makes a new one;
 * UNAVAILABLE: it could not, and nothing was sent. */
int net_call(struct net_call *call, struct slice request, uint32_t timeout_ms,
             struct buffer *ret_reply);
void net_call_close(struct net_call *call);
#endif
