/* A token as one line of text: who bears it may ask one node for a certificate. In it are a
 * certificate of a `join` identity, valid for minutes, its key, and the fingerprint of the CA, so
 * that its bearer believes nobody else. */
#ifndef NEAP_TRUST_INVITATION_H
#define NEAP_TRUST_INVITATION_H
#include "trust/issue.h"

enum { INVITATION_MAX = 4 << 10 }; /* characters */

struct invitation {
    uint64_t made_by;               /* the node that admits its bearer */
    struct buffer certificate, key; /* PEM; owned, the key secret */
    uint8_t fingerprint[FINGERPRINT_SIZE];
};

/* Without a newline, with a zero byte behind it that is not counted. LIMIT, NOMEM, INVALID. */
int invitation_write(const struct invitation *invitation, struct buffer *ret_text,
                     struct neap_error *error);
/* Blanks and newlines around it are fine. INVALID: it is none, or cut off. */
int invitation_read(struct slice text, struct invitation *ret_invitation, struct neap_error *error);
void invitation_done(struct invitation *invitation);
#endif
