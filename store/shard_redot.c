/* Directories that went back in time (rule 9). */
#include "base/alloc.h"
#include "base/error.h"
#include "store/change.h"

struct context_entry shard_quote(const struct shard *shard, uint64_t id)
{
    const struct context_entry *known = context_find(&shard->context, id);
    struct context_entry quote = known ? *known : (struct context_entry){.id = id};

    for (size_t i = 0; i < shard->residues_count; i++) {
        known = context_find(&shard->residues[i].context, id);
        if (known && known->n > quote.n)
            quote = *known;
    }
    return quote;
}

enum quote_verdict shard_check_quote(const struct shard *shard, const struct context_entry *quote)
{
    uint64_t counter = context_get(&shard->context, shard->replica);

    if (quote->id != shard->replica || quote->n == 0 || quote->n < shard->opened_at)
        return QUOTE_FINE;
    if (quote->n > counter)
        return QUOTE_ROLLBACK;
    if (quote->n == shard->opened_at)
        return quote->nonce == shard->opened_nonce ? QUOTE_FINE : QUOTE_ROLLBACK;
    return quote->nonce == shard->nonce ? QUOTE_CONFIRMS : QUOTE_ROLLBACK;
}

void shard_confirm(struct shard *shard)
{
    shard->confirmed = true;
}

int shard_redot(struct shard *shard, struct batch *batch, uint64_t replica)
{
    (void)shard;
    (void)batch;
    (void)replica;
    return NEAP_REFUSED;
}
