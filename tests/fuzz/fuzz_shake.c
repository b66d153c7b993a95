/* Somebody between two nodes, who changes what passes while they shake hands. Whatever he does,
 * who comes up knows whom he talks to, and reads nothing that was not written. Input: changes, each
 * of 4 bytes: which flight of bytes (its lowest bit says of which side), where in it, how, and a
 * value. A handshake takes milliseconds, so there are few of them. Accepted: both came up. */
#include "base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_trust.h"
#include "trust/tls.h"

enum { FLIGHTS_MAX = 16, WIRE_MAX = 128 << 10, CHANGE = 4, PLACES = 256, RUNS_MAX = 100 };

struct end {
    struct tls *tls;
    enum tls_progress progress;
    unsigned flights;
    uint8_t wire[WIRE_MAX]; /* what has come and was not taken */
    size_t wire_size;
};

static const char *const said[] = {"from the one who listened", "from the one who dialled"};

/* One change to a flight, in place; sizes only shrink or grow by few bytes. */
static size_t change(uint8_t *bytes, size_t size, const uint8_t *how)
{
    size_t at = size * how[1] / PLACES, rest = size - at;

    switch (how[2] % 6) {
    case 0:
        bytes[at] = (uint8_t)(bytes[at] ^ how[3]);
        return size;
    case 1:
        bytes[at] = how[3];
        return size;
    case 2: /* cut off */
        return at;
    case 3: /* some are missing */
        rest = rest < how[3] ? rest : how[3];
        memmove(bytes + at, bytes + at + rest, size - at - rest);
        return size - rest;
    case 4: /* some come twice */
        rest = rest < how[3] ? rest : how[3];
        memmove(bytes + at + rest, bytes + at, size - at);
        return size + rest;
    default: /* near the beginning, where lengths and types are */
        at = how[1] % 64 < size ? how[1] % 64 : 0;
        bytes[at] = how[3];
        return size;
    }
}

/* What one says goes to the other, changed. False: he has nothing to say. */
static bool carry(struct end *from, struct end *to, unsigned side, struct slice input)
{
    struct buffer bytes;
    size_t size;

    if (!tls_has_output(from->tls))
        return false;
    tls_output(from->tls, &bytes);
    size = bytes.size;
    must(to->wire_size + size + 256 * (input.size / CHANGE + 1) <= WIRE_MAX);
    memcpy(to->wire + to->wire_size, bytes.data, size);
    for (size_t i = 0; i + CHANGE <= input.size && size; i += CHANGE)
        if (input.data[i] % FLIGHTS_MAX == from->flights * 2 + side)
            size = change(to->wire + to->wire_size, size, input.data + i);
    to->wire_size += size;
    from->flights++;
    buffer_done(&bytes);
    return true;
}

static void run(struct end *end)
{
    size_t left;

    if (end->progress != TLS_GOES_ON)
        return;
    tls_input(end->tls, slice_of(end->wire, end->wire_size));
    end->progress = tls_run(end->tls);
    left = tls_input_left(end->tls);
    memmove(end->wire, end->wire + end->wire_size - left, left);
    end->wire_size = left;
}

static void say(struct end *end, unsigned side)
{
    size_t count;

    if (end->progress == TLS_IS_UP)
        must(!tls_write(end->tls, slice_text(said[side]), &count) && count == strlen(said[side]));
}

/* All that is read is what the other has written, or its beginning. */
static void hear(struct end *end, unsigned side)
{
    uint8_t text[64];
    size_t count = 0;

    if (end->progress != TLS_IS_UP)
        return;
    must(tls_principal(end->tls)->kind == PRINCIPAL_NODE &&
         tls_principal(end->tls)->id == 1 + !side);
    tls_input(end->tls, slice_of(end->wire, end->wire_size));
    if (!tls_read(end->tls, text, sizeof text, &count))
        must(slice_starts(slice_text(said[!side]), slice_of(text, count)));
}

static bool shake(struct end ends[2], struct slice input)
{
    bool moves = true;

    for (unsigned turn = 0; moves && turn < 2 * FLIGHTS_MAX; turn++) {
        moves = false;
        for (unsigned side = 0; side < 2; side++) {
            run(&ends[side]);
            moves = carry(&ends[side], &ends[!side], side, input) || moves;
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        must((ends[side].progress == TLS_FAILED) == (tls_fault(ends[side].tls) != TLS_OK));
        must(ends[side].progress == TLS_IS_UP ||
             tls_principal(ends[side].tls)->kind == PRINCIPAL_NONE);
        say(&ends[side], side);
        (void)carry(&ends[side], &ends[!side], side, input);
    }
    for (unsigned side = 0; side < 2; side++)
        hear(&ends[side], side);
    return ends[0].progress == TLS_IS_UP && ends[1].progress == TLS_IS_UP;
}

FUZZ(shake)
{
    static struct credentials *credentials[2];
    static struct end ends[2];
    struct clock *clock = clock_os();
    struct tls_options options = {.wall_ms = clock->ops->wall_ms(clock)};
    bool up;

#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    static unsigned runs;

    if (++runs > RUNS_MAX)
        return false;
#endif
    if (input.size > CHANGE * FLIGHTS_MAX)
        return false;
    for (unsigned side = 0; side < 2; side++) {
        if (!credentials[side])
            credentials[side] = credentials_new(1 + side, options.wall_ms / 1000);
        options.credentials = credentials[side];
        options.server = side == 0;
        ends[side].progress = TLS_GOES_ON;
        ends[side].flights = 0;
        ends[side].wire_size = 0;
        must(!tls_new(&options, &ends[side].tls));
    }
    up = shake(ends, input);
    for (unsigned side = 0; side < 2; side++)
        tls_free(ends[side].tls);
    return up;
}
