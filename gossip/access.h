/* What a peer may do, by the certificate that it showed (docs/decisions/0081). Nodes, and peers on
 * links without TLS, may do everything. A device has rights by bucket: of those that it may not
 * read it gets nothing and learns nothing, not even that they are there; to those that it may not
 * write nothing of it is taken. And whatever it says of events that are not its own is not
 * believed before they are here. */
#ifndef NEAP_GOSSIP_ACCESS_H
#define NEAP_GOSSIP_ACCESS_H
#include "gossip/message.h"

enum access_need {
    ACCESS_NO_ROW,
    ACCESS_ANYBODY, /* who was let in; digests are looked at one by one */
    ACCESS_READER,  /* of the bucket */
    ACCESS_WRITER,
    ACCESS_NODE /* a device is never asked for it: it is left out */
};

/* What whoever sends such a message must be, and whoever gets it. */
struct access_row {
    enum access_need in, out;
};
/* A kind without a row does not compile. */
struct access_row access_row(enum message_kind kind);

enum access_verdict {
    ACCESS_TAKE,
    ACCESS_HIDE,  /* taken as if there were no such bucket here */
    ACCESS_REFUSE /* nothing of it is taken; counted, and named */
};
#endif
