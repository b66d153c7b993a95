/* The first bytes of a stream, by the code of the door to nng (whose `struct link` is not that of
 * gossip/state.h), as if they had come in pieces of some size. */
#ifndef NEAP_FUZZ_FIRST_DOOR_H
#define NEAP_FUZZ_FIRST_DOOR_H
#include "base/bytes.h"

/* True: the first message, valid until the next call. */
bool first_door(struct slice input, struct slice *ret_message);
#endif
