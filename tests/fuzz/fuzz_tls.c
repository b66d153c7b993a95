/* What is read before anybody is known, of a link with TLS: by the one who listens ('l' first), or
 * by the one who dialled (else). Nothing that is made of noise may come up; accepted is what made
 * the session go on. Keys are made once, so the same bytes may be another path tomorrow. */
#include "base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_trust.h"
#include "trust/tls.h"

enum { PART = 512, RUNS_MAX = 3000 };

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
        credentials = credentials_new(1, options.wall_ms / 1000);
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
