/* What the oracle says of a cell when some of what was done to it is lost. */
#include "tests/support/test.h"

#include "sim/oracle.h"

enum { GONE = 0, HURT = 1, OTHER = 2, ID = 7, NONCE = 1 };

/* The first node has added to a cell, and then, in one commit, done something somewhere, which its
 * log no longer told when the commit ended, and removed what it had added. */
struct past {
    struct oracle *oracle;
    uint32_t shard, path;
};

static const struct slice nothing = {0};

static void knows(struct past *past, size_t node, uint64_t n)
{
    struct oracle_replica *replica = &past->oracle->shards[past->shard].replicas[node];

    replica->present = n > 0;
    context_clear(&replica->known);
    if (n > 0)
        CHECK_OK(context_raise(&replica->known, ID, n, NONCE));
}

/* Is it right that this node's cell has this dot, or (0) none, when it knows n events? */
static bool explains(struct past *past, uint32_t path, size_t node, uint64_t n, uint64_t dot)
{
    struct context known = {0};
    struct knowledge know = {.context = &known};
    struct oracle_replica *replica = &past->oracle->shards[past->shard].replicas[node];
    struct why why = {.size = 0};
    struct cell cell;
    bool fine;

    cell_init(&cell);
    CHECK_OK(context_raise(&known, ID, n, NONCE));
    if (dot)
        CHECK_OK(cell_add(&cell, (struct dot){ID, dot}, nothing));
    fine = oracle_explains(past->oracle, path, &know, &replica->known, &cell, why);
    context_done(&known);
    cell_done(&cell);
    return fine;
}

static void past_begin(struct past *past)
{
    struct oracle *oracle = oracle_new();
    uint32_t opening, elsewhere;

    past->oracle = oracle;
    past->shard = oracle_shard(oracle, 1);
    past->path = oracle_path(oracle, past->shard, slice_text("here"));
    elsewhere = oracle_path(oracle, past->shard, slice_text("there"));
    opening = oracle_open(oracle, past->shard, GONE, ID, NONCE, (struct context_entry){.id = ID});
    oracle->commit++;
    (void)oracle_make(oracle, opening, past->path);
    CHECK(explains(past, past->path, GONE, 1, 1));
    knows(past, GONE, 1);
    knows(past, HURT, 1);
    knows(past, OTHER, 1);
    oracle->commit++;
    (void)oracle_make(oracle, opening, ORACLE_NONE);
    (void)oracle_make(oracle, opening, past->path);
    CHECK(explains(past, past->path, GONE, 3, 0));
    CHECK(explains(past, elsewhere, GONE, 3, 2)); /* now it is known where */
    knows(past, GONE, 3);
    oracle->commit++;
}

TEST(who_knows_of_no_removal_has_what_was_added)
{
    struct past past;

    past_begin(&past);
    CHECK(explains(&past, past.path, HURT, 1, 1));
    CHECK(!explains(&past, past.path, HURT, 1, 0));
    oracle_free(past.oracle);
}

/* A hole was filled by the first node, whose directory was then lost, with what it had removed. */
TEST(what_a_lost_event_removed_may_be_gone)
{
    struct past past;

    past_begin(&past);
    knows(&past, GONE, 0);
    oracle_lose(past.oracle, past.path, HURT);
    CHECK(explains(&past, past.path, HURT, 1, 0));
    CHECK(explains(&past, past.path, HURT, 1, 1));
    oracle_free(past.oracle);
}

TEST(what_an_event_removed_of_which_somebody_knows_is_there_before_it)
{
    struct past past;

    past_begin(&past);
    knows(&past, GONE, 0);
    knows(&past, OTHER, 3);
    oracle_lose(past.oracle, past.path, HURT);
    CHECK(!explains(&past, past.path, HURT, 1, 0));
    oracle_free(past.oracle);
}
