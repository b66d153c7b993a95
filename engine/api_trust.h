/* What the parts of neap_trust.h share. */
#ifndef NEAP_ENGINE_API_TRUST_H
#define NEAP_ENGINE_API_TRUST_H
#include "neap_trust.h"
#include "trust/issue.h"

uint64_t api_now_s(void); /* by the wall clock */
/* A name of a file or the like: INVALID, LIMIT. */
int api_text_check(const char *text, const char *what, struct neap_error *error);
/* When the code is 0, the text becomes the caller's, and what it was is wiped. */
int api_give_secret(struct neap_buffer *ret_text, struct buffer *text, int code,
                    struct neap_error *error);
/* As JSON, when it was asked for; it is done with. */
int api_give_issued(struct neap_buffer *ret_json, struct issued *issued, struct neap_error *error);
#endif
