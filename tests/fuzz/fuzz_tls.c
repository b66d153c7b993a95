/* What is read before anybody is known, of a link with TLS: by the one who listens ('l' first), or
 * by the one who dialled (else). Nothing that is made of noise may come up; accepted is what made
 * the session go on. Keys are made once, so the same bytes may be another path tomorrow. */
#include "base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "trust/credentials.h"
#include "trust/issue.h"
#include "trust/secret.h"
#include "trust/tls.h"

enum { PART = 512, RUNS_MAX = 3000 };

static struct credentials *credentials_new(uint64_t now_s)
{
    struct principal node = {.kind = PRINCIPAL_NODE, .cluster = 5, .id = 1};
    struct buffer ca_key, ca, key, request, certificate;
    struct credentials *credentials = NULL;
    struct credentials_parts parts = {0};

    must(!issue_key(&ca_key, NULL) && !issue_key(&key, NULL));
    must(!issue_authority(buffer_slice(&ca_key), 5, issue_span(PRINCIPAL_NONE, now_s, 0), &ca,
                          NULL));
    must(!issue_request(buffer_slice(&key), &request, NULL));
    must(!issue_sign(&(struct issuer){buffer_slice(&ca), buffer_slice(&ca_key)},
                     buffer_slice(&request), &node, issue_span(PRINCIPAL_NODE, now_s, 0),
                     ISSUE_BOTH, &certificate, NULL));
    parts.ca = buffer_slice(&ca);
    parts.certificate = buffer_slice(&certificate);
    parts.key = buffer_slice(&key);
    must(!credentials_make(&parts, "fuzz", &credentials, NULL));
    secret_done(&ca_key);
    secret_done(&key);
    buffer_done(&ca);
    buffer_done(&request);
    buffer_done(&certificate);
    return credentials;
}

FUZZ(tls)
{
    static struct credentials *credentials;
    struct clock *clock = clock_os();
    struct tls_options options = {.wall_ms = clock->ops->wall_ms(clock)};
    enum tls_progress progress;
    char reason[TLS_REASON_MAX];
    struct tls *tls;
    bool went_on;

#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    static unsigned runs;

    /* Keys and signatures take a millisecond: a part of the mutations is enough for `make check`.
     */
    if (++runs > RUNS_MAX)
        return false;
#endif
    if (!credentials)
        credentials = credentials_new(options.wall_ms / 1000);
    options.credentials = credentials;
    options.server = input.size && input.data[0] == 'l';
    must(!tls_new(&options, &tls));
    progress = tls_run(tls);
    for (size_t at = 1; at < input.size && progress == TLS_GOES_ON; at += PART) {
        size_t size = input.size - at < PART ? input.size - at : PART;

        tls_input(tls, slice_of(input.data + at, size));
        progress = tls_run(tls);
    }
    must(progress != TLS_IS_UP);
    must(tls_principal(tls)->kind == PRINCIPAL_NONE);
    must((progress == TLS_FAILED) == (tls_fault(tls) != TLS_OK));
    (void)tls_reason(tls, reason);
    went_on = progress == TLS_GOES_ON && input.size > PART / 8;
    tls_free(tls);
    return went_on;
}
