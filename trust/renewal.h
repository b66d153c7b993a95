/* When the certificate of a cluster directory is made anew: once two thirds of its life are over,
 * and when that fails again and again, ever since. Who does it is somebody else; time is given. */
#ifndef NEAP_TRUST_RENEWAL_H
#define NEAP_TRUST_RENEWAL_H
#include "trust/issue.h"

enum {
    RENEWAL_RETRY_MIN_S = 60, /* from one attempt to the next: a hundredth of its life... */
    RENEWAL_RETRY_MAX_S = 6 * 3600,
    RENEWAL_WHY_MAX = 160,
    RENEWAL_TEXT_MAX = RENEWAL_WHY_MAX + 120
};

struct renewal {
    struct issue_span span;    /* of the certificate; 0, 0: not looked at yet */
    bool brief;                /* it was made for less than what is usual: that was meant so */
    uint64_t again_s;          /* not tried before */
    uint64_t renewed;          /* how often it was, so far */
    char why[RENEWAL_WHY_MAX]; /* why the last attempt failed; empty: it did not */
};

/* Reads it: is it due? NOTFOUND, INVALID, REFUSED, NOMEM, IO: all but `why` stays as it was. */
int renewal_look(struct renewal *renewal, const char *directory, uint64_t now_s, bool *ret_due,
                 struct neap_error *error);
void renewal_failed(struct renewal *renewal, uint64_t now_s, const char *why);
void renewal_succeeded(struct renewal *renewal, uint64_t now_s);
/* Days that are left, or have passed since (negative). */
int64_t renewal_days(const struct renewal *renewal, uint64_t now_s);
/* What an operator has to look at: it is over, or will be and is not made anew. False: nothing. */
bool renewal_problem(const struct renewal *renewal, uint64_t now_s,
                     char ret_text[RENEWAL_TEXT_MAX]);
#endif
