/* Requests and replies of clients on the wire: the calls of backend.h, packed. serve.c answers
 * them with a local backend, remote.c asks them. */
#ifndef NEAP_ENGINE_REQUEST_H
#define NEAP_ENGINE_REQUEST_H
#include "engine/backend.h"

/* One request, decoded, run on `backend`, its reply encoded into ret_reply (replaced). Only NOMEM
 * comes back: whatever else goes wrong is in the reply. Any thread. */
int request_serve(struct backend *backend, struct slice request, struct buffer *ret_reply);
#endif
