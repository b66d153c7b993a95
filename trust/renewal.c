#include "trust/renewal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "trust/credentials.h"
#include "trust/secret.h"

enum { DAY_S = 86400 };

static uint64_t life(const struct renewal *renewal)
{
    return renewal->span.until_s - renewal->span.from_s;
}

static uint64_t retry(const struct renewal *renewal)
{
    uint64_t seconds = life(renewal) / 100;

    if (seconds < RENEWAL_RETRY_MIN_S)
        return RENEWAL_RETRY_MIN_S;
    return seconds > RENEWAL_RETRY_MAX_S ? RENEWAL_RETRY_MAX_S : seconds;
}

static void take(struct renewal *renewal, const struct issued *issued)
{
    struct issue_span usual = issue_span(issued->principal.kind, issued->span.from_s, 0);

    if (issued->span.until_s < issued->span.from_s) { /* it is over whenever it is looked at */
        renewal->span = (struct issue_span){issued->span.until_s, issued->span.until_s};
        renewal->brief = true;
        return;
    }
    renewal->span = issued->span;
    renewal->brief = life(renewal) < usual.until_s - usual.from_s;
}

int renewal_look(struct renewal *renewal, const char *directory, uint64_t now_s, bool *ret_due,
                 struct neap_error *error)
{
    struct buffer certificate;
    struct issued issued;
    int code = secret_file(directory, CREDENTIALS_CERTIFICATE, SECRET_PUBLIC, &certificate, error);

    if (!code) {
        code = issue_read(buffer_slice(&certificate), &issued, error);
        buffer_done(&certificate);
    }
    if (code)
        return code;
    take(renewal, &issued);
    issued_done(&issued);
    if (renewal->again_s > now_s + RENEWAL_RETRY_MAX_S) /* the clock went back */
        renewal->again_s = 0;
    *ret_due = !renewal->brief && now_s >= renewal->again_s &&
               now_s >= renewal->span.from_s + life(renewal) / 3 * 2;
    if (now_s < renewal->span.from_s + life(renewal) / 3 * 2)
        renewal->why[0] = '\0'; /* somebody else has done it */
    return 0;
}

void renewal_failed(struct renewal *renewal, uint64_t now_s, const char *why)
{
    renewal->again_s = now_s + retry(renewal);
    snprintf(renewal->why, sizeof renewal->why, "%s", why);
}

/* Who signs has a clock of his own: by this one the new certificate may be due again at once. */
void renewal_succeeded(struct renewal *renewal, uint64_t now_s)
{
    renewal->again_s = now_s + retry(renewal);
    renewal->renewed++;
    renewal->why[0] = '\0';
}

int64_t renewal_days(const struct renewal *renewal, uint64_t now_s)
{
    uint64_t until = renewal->span.until_s;

    return until >= now_s ? (int64_t)((until - now_s) / DAY_S)
                          : -(int64_t)((now_s - until) / DAY_S);
}

bool renewal_problem(const struct renewal *renewal, uint64_t now_s, char ret_text[RENEWAL_TEXT_MAX])
{
    const char *why = renewal->why;
    int64_t days = renewal_days(renewal, now_s);
    bool over = now_s > renewal->span.until_s;
    bool soon = now_s >= renewal->span.from_s + life(renewal) / 3 * 2;

    if (!renewal->span.until_s || (!over && !soon) || (!over && !renewal->brief && !why[0]))
        return false;
    if (renewal->brief && !over)
        why = "it was made for less than what is usual, so that is not done by itself";
    if (over)
        snprintf(ret_text, RENEWAL_TEXT_MAX,
                 "this node's certificate is over for %" PRId64 " days: nobody talks with it%s%s",
                 -days, why[0] ? "; it was not renewed: " : "", why);
    else
        snprintf(ret_text, RENEWAL_TEXT_MAX,
                 "this node's certificate has %" PRId64 " days left, and is not renewed: %s", days,
                 why);
    return true;
}
