/* Somebody at the door of a node, by hand: connections from addresses of his own, handshakes, and
 * messages, on sockets that wait. What goes wrong there is the attacker's, and no failure. */
#ifndef NEAP_TRUST_ATTACK_MEMBER_H
#define NEAP_TRUST_ATTACK_MEMBER_H
#include <stdatomic.h>

#include "gossip/message.h"
#include "store/chunk.h"
#include "store/store.h"
#include "trust/tls.h"

/* From an address of its own, for each `source`. -1: it was not let in. */
int dial_from(uint16_t port, unsigned source);
bool is_over(int raw);
/* A handshake as it should be, over a connection that waits. NULL: it failed. */
struct tls *shake_hands(int raw, struct credentials *credentials);
bool say(int raw, struct tls *tls, struct slice bytes);

/* With a certificate: a peer on both channels, as far as hello. */
struct member {
    struct credentials *credentials;
    atomic_bool *ends; /* nothing is waited for any more */
    uint64_t cluster, node;
    struct member_link {
        int raw;
        struct tls *tls;
        struct buffer came; /* and not yet taken */
    } links[CHANNELS];
};

bool member_open(struct member *member, uint16_t port, unsigned source);
void member_close(struct member *member); /* half-open is fine */
/* As often as the other side takes it. False: the link is over. */
bool member_tell(struct member *member, enum channel channel, const struct message *message);
/* The next message; it borrows from ret_bytes. False: none comes, or the link is over. */
bool member_hear(struct member *member, enum channel channel, struct message *ret_message,
                 struct buffer *ret_bytes);
void member_ignore(struct member *member); /* all that came is thrown away */
/* The replica id of that node in the bucket, as its digest tells; 0: it does not. */
uint64_t member_learn(struct member *member, const char *bucket);
/* Tells in a digest that this replica id is the member's, and quotes that of the other side. */
bool member_claim(struct member *member, const char *bucket, uint64_t replica, uint64_t other);
/* A chunk of events of that replica id: so many numbers added to the counter `key`. */
void events_make(const char *bucket, uint64_t replica, const char *key, unsigned count,
                 struct buffer *ret_chunk);
#endif
