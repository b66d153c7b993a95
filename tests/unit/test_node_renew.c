/* A node whose certificate is due asks, by its clock, and takes what it is given. */
#include "engine/node_renew.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/desk.h"
#include "tests/unit/node_pair.h"
#include "trust/keep.h"

/* The node's clock is the system's, but for what is added. */
static atomic_ullong late_ms;

static uint64_t late_wall(struct clock *clock)
{
    (void)clock;
    return clock_os()->ops->wall_ms(clock_os()) + late_ms;
}

static uint64_t late_now(struct clock *clock)
{
    (void)clock;
    return clock_os()->ops->now_ms(clock_os());
}

static uint64_t late_entropy(struct clock *clock)
{
    (void)clock;
    return clock_os()->ops->entropy(clock_os());
}

static const struct clock_ops late_ops = {late_now, late_wall, late_entropy};

struct renewing {
    struct home home;
    struct pair pair;
    struct clock clock;
    struct node *node;
    struct renew_asking asking;
    const char *why; /* NULL: it is given */
    unsigned asked;
    struct buffer key; /* the CA's, of whoever is asked */
};

static int ask(void *arg, const char *address, struct neap_error *error)
{
    struct renewing *renewing = arg;
    struct issued issued;

    renewing->asked++;
    CHECK(address);
    if (renewing->why) {
        snprintf(error->text, sizeof error->text, "%s", renewing->why);
        return error->code = NEAP_UNAVAILABLE;
    }
    /* As who has the key would. */
    CHECK_OK(keep_file(renewing->home.path, "ca.key", buffer_slice(&renewing->key), SECRET_KEY,
                       KEEP_NEW, NULL));
    CHECK_OK(directory_renew(renewing->home.path, renewing->home.now_s, &issued, NULL));
    CHECK_OK(keep_remove(renewing->home.path, "ca.key", NULL));
    issued_done(&issued);
    return 0;
}

static void renewing_open(struct renewing *renewing)
{
    *renewing = (struct renewing){.clock.ops = &late_ops, .asking = {ask, renewing}};
    late_ms = 0;
    home_open(&renewing->home);
    pair_open_by(&renewing->pair, &renewing->clock);
    renewing->node = renewing->pair.nodes[0];
    renewing->node->directory = mem_text(renewing->home.path);
}

static void renewing_close(struct renewing *renewing)
{
    pair_close(&renewing->pair);
    home_close(&renewing->home);
}

static bool status_has(struct renewing *renewing, const char *text)
{
    struct buffer json;
    bool has;

    buffer_init(&json, 1 << 20);
    CHECK_OK(admin(renewing->node, "status", NULL, &json));
    CHECK_OK(buffer_append_u8(&json, 0));
    has = strstr((const char *)json.data, text) != NULL;
    buffer_done(&json);
    return has;
}

/* As if it had been made 300 days ago. */
static void renewing_age(struct renewing *renewing)
{
    home_certificate(&renewing->home,
                     issue_span(PRINCIPAL_NODE, renewing->home.now_s - (uint64_t)300 * 86400, 0));
}

TEST(where_the_cas_key_is_a_node_renews_its_own_certificate)
{
    struct renewing renewing;

    renewing_open(&renewing);
    CHECK(status_has(&renewing, "\"certificate\":null"));
    node_renew(renewing.node, &renewing.asking);
    CHECK(status_has(&renewing, "\"days_left\":365,\"renewed\":0,\"problem\":null") ||
          status_has(&renewing, "\"days_left\":364,\"renewed\":0,\"problem\":null"));
    renewing_age(&renewing);
    node_renew(renewing.node, &renewing.asking);
    CHECK_EQUAL(renewing.asked, 0);
    CHECK_EQUAL(renewing.node->renewal.renewed, 1);
    CHECK(renewal_days(&renewing.node->renewal, late_wall(NULL) / 1000) >= 364);
    renewing_close(&renewing);
}

TEST(a_node_without_the_cas_key_asks_its_peers_or_says_why_not)
{
    struct renewing renewing;

    renewing_open(&renewing);
    pair_meet(&renewing.pair);
    renewing_age(&renewing);
    file_of(renewing.home.path, "ca.key", &renewing.key);
    renewing.why = "it is gone";
    CHECK_OK(keep_remove(renewing.home.path, "ca.key", NULL));
    node_renew(renewing.node, &renewing.asking);
    CHECK_EQUAL(renewing.asked, 1);
    CHECK(status_has(&renewing, " days left, and is not renewed: b: it is gone"));
    /* Not again at once, but later. */
    node_renew(renewing.node, &renewing.asking);
    CHECK_EQUAL(renewing.asked, 1);
    renewing.why = NULL;
    late_ms += 86400 * 1000;
    node_renew(renewing.node, &renewing.asking);
    CHECK_EQUAL(renewing.node->renewal.renewed, 1);
    CHECK(!status_has(&renewing, "not renewed"));
    CHECK_EQUAL(renewing.asked, 2);
    secret_done(&renewing.key);
    renewing_close(&renewing);
}
