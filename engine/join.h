/* Asking for a certificate over a link, and answering: one message each way, on a link of its own.
 * [0, request] and [code, text, papers]: 0 is no kind of message between nodes, so neither is taken
 * for the other. No IO but that of the cluster directory (trust/admit.h). */
#ifndef NEAP_ENGINE_JOIN_H
#define NEAP_ENGINE_JOIN_H
#include "trust/admit.h"

enum { JOIN_QUESTION_MAX = 4096, JOIN_ANSWER_MAX = PAPERS_MAX + 1024 };

/* Is it meant as one? Looks at no more than its beginning. */
bool join_is_question(struct slice message);
int join_question_write(struct slice request, struct buffer *ret_message);
/* The whole answer to whatever came on a link with this principal: also why there is none. Secret.
 * *ret_error: what became of it, for the node's own log; code 0: he was admitted. NOMEM: there is
 * no answer. */
int join_serve(const struct admitting *admitting, const struct principal *who, struct slice message,
               struct buffer *ret_answer, struct neap_error *ret_error);
int join_refuse(const struct neap_error *error, struct buffer *ret_answer); /* NOMEM */
/* The papers, borrowed; or the code that the node gave, with its text. UNCERTAIN: it cannot be
 * read. */
int join_answer_read(struct slice message, struct slice *ret_papers, struct neap_error *error);
#endif
