/* The level SESSION: a handle's reads at it see what it wrote, and never go back to an older state,
 * whichever node does them. A backend around that of the handle: it keeps a token of what such
 * calls have read and written, and gives it to each next read to wait for. What the token names
 * grows with the buckets (or slots of rings) that are used; so there are classes of them, and a
 * read carries that of its own class alone. Any thread; what runs at the same time is in no order.
 */
#ifndef NEAP_ENGINE_NODE_SESSION_H
#define NEAP_ENGINE_NODE_SESSION_H
#include "engine/backend.h"

/* Takes over `inner`, to close it, unless it fails. NOMEM. */
int session_open(struct backend *inner, struct backend **ret_backend);
/* What it is around. */
struct backend *session_inner(struct backend *backend);
#endif
