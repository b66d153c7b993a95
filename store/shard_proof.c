/* Directories that have the same events, not all confirmed (rule 9): which of them were told under
 * their names, and which names the others get. */
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/hash.h"
#include "store/change.h"

/* ---- names ---- */

uint64_t renamed_id(uint64_t replica, uint64_t opened_at, uint32_t nonce)
{
    uint8_t bytes[24];
    uint64_t id;

    bytes_put_u64(bytes, replica);
    bytes_put_u64(bytes + 8, opened_at);
    bytes_put_u64(bytes + 16, nonce);
    id = hash_name(slice_of(bytes, sizeof bytes));
    return id > 0 ? id : 1;
}

bool shard_is_renamed(const struct shard *shard, const struct context *context)
{
    for (size_t i = 0; i < shard->openings_count && !shard->confirmed; i++) {
        uint64_t id = renamed_id(shard->replica, shard->opened_at, shard->openings[i].nonce);

        if (context_get(context, id) > 0)
            return !BROKEN("keeps-names");
    }
    return false;
}

/* ---- being shown ---- */

/* The opening before this one that made event n, as its nonce says; -1: none did. */
static int opening_of(const struct shard *shard, uint64_t n, uint32_t nonce)
{
    if (shard->confirmed || n <= shard->opened_at)
        return -1;
    for (size_t i = 0; i + 1 < shard->openings_count; i++) {
        if (shard->openings[i].nonce == nonce)
            return (int)i;
    }
    return -1;
}

bool opening_has_more(const struct shard *shard, uint64_t n, uint32_t nonce)
{
    int at = opening_of(shard, n, nonce);

    return at >= 0 && n < shard->openings[at + 1].since;
}

/* A counter folds within an opening: no part of one can be told, and the rest renamed. */
int shard_prove(struct shard *shard, struct batch *batch, const struct context_entry *seen)
{
    uint64_t opened_at = shard->opened_at;
    uint32_t opened_nonce = shard->opened_nonce;
    struct opening openings[OPENINGS_MAX];
    size_t count = shard->openings_count, past;
    int error, at = seen->id == shard->replica ? opening_of(shard, seen->n, seen->nonce) : -1;

    if (at < 0 || BROKEN("no-proof"))
        return 0;
    past = (size_t)at + (seen->n >= shard->openings[at + 1].since);
    if (past == 0)
        return 0;
    memcpy(openings, shard->openings, sizeof openings);
    shard->opened_at = openings[past].since;
    shard->opened_nonce = openings[past - 1].nonce;
    shard->openings_count = count - past;
    memmove(shard->openings, openings + past, (count - past) * sizeof *openings);
    error = shard_save(shard, batch);
    if (!error)
        return 0;
    shard->opened_at = opened_at;
    shard->opened_nonce = opened_nonce;
    shard->openings_count = count;
    memcpy(shard->openings, openings, sizeof openings);
    return error;
}

/* ---- showing ---- */

/* Does the log tell that the opening made event n? */
static bool log_shows(const struct shard *shard, const struct view *view, struct dot dot,
                      uint32_t nonce)
{
    struct log_entry entry;
    struct buffer value;
    struct key key;
    bool shows;

    buffer_init(&value, KEY_SIZE_MAX);
    key_log(&key, shard->id, dot);
    shows = !view_get(view, DISK_LOG, key_slice(&key), &value) &&
            !log_entry_read(key_slice(&key), buffer_slice(&value), &entry) && entry.nonce == nonce;
    buffer_done(&value);
    return shows;
}

/* How far the opening came, of openings that led to the one that made what is quoted; 0: it is not
 * one of them. */
static uint64_t openings_show(const struct opening *openings, size_t count,
                              const struct context_entry *quote, uint32_t nonce)
{
    uint64_t end = 0;

    for (size_t i = 0; i < count; i++) {
        if (openings[i].nonce == quote->nonce)
            return end;
        if (openings[i].nonce == nonce && i + 1 < count)
            end = openings[i + 1].since;
    }
    return 0;
}

static uint64_t promises_show(const struct shard *shard, const struct context_entry *quote,
                              uint32_t nonce)
{
    uint64_t end = 0;

    if (shard->replica == quote->id)
        end = openings_show(shard->openings, shard->openings_count, quote, nonce);
    for (size_t i = 0; i < shard->promises_count && end == 0; i++) {
        const struct promise *promise = &shard->promises[i];

        if (promise->replica == quote->id)
            end = openings_show(promise->openings, promise->openings_count, quote, nonce);
    }
    return end;
}

struct context_entry shard_proof(const struct shard *shard, const struct view *view,
                                 const struct shard_claim *claim)
{
    struct context_entry quote = shard_quote(shard, claim->replica);
    struct context_entry proof = {.id = claim->replica};

    for (size_t i = claim->openings_count; i > 1 && quote.n > 0; i--) {
        const struct opening *opening = &claim->openings[i - 2];
        uint64_t end = claim->openings[i - 1].since;

        if (opening->nonce == quote.nonce)
            break; /* the quote shows that */
        if (end > quote.n || !log_shows(shard, view, (struct dot){quote.id, end}, opening->nonce))
            end = promises_show(shard, &quote, opening->nonce);
        if (end == 0 || end > quote.n)
            continue;
        proof.n = end;
        proof.nonce = opening->nonce;
        break;
    }
    return proof;
}
