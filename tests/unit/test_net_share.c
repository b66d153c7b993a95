#include "gossip/net_share.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"

enum { DISK = 288, LINKS = 512 };

static const struct net_needs all = {
    .listens = true, .serves = true, .has_tls = true, .peers = 4, .disk = DISK, .links_max = LINKS};
/* Its disk, 64 handshakes, 4 links to each of 4 peers, and others. */
enum { FIXED = DISK + 64 + 16 + NET_FILES_OTHERS };

static void shares(const struct net_needs *needs, uint64_t limit, unsigned links, unsigned clients)
{
    struct net_share share;

    CHECK_OK(net_share(needs, limit, &share, NULL));
    CHECK_EQUAL(share.links_max, links);
    CHECK_EQUAL(share.clients_max, clients);
}

TEST(where_there_are_descriptors_all_may_come)
{
    shares(&all, UINT64_MAX, LINKS, LINKS);
    shares(&all, FIXED + 2 * LINKS, LINKS, LINKS);
}

TEST(where_there_are_few_each_gets_a_part_and_all_together_they_fit)
{
    struct net_share share;

    shares(&all, FIXED + 600, 300, 300);
    shares(&all, FIXED + 100, NET_LINKS_MIN, 36);
    for (uint64_t limit = FIXED + NET_LINKS_MIN + NET_CLIENTS_MIN; limit < 2000; limit++) {
        CHECK_OK(net_share(&all, limit, &share, NULL));
        CHECK(FIXED + share.links_max + share.clients_max <= limit);
        CHECK(share.links_max >= NET_LINKS_MIN && share.clients_max >= NET_CLIENTS_MIN);
        CHECK(share.links_max <= LINKS && share.clients_max <= LINKS);
    }
}

TEST(who_does_not_listen_leaves_his_part_to_the_other)
{
    struct net_needs needs = all;

    needs.listens = false;
    shares(&needs, FIXED + 200, 0, 200);
    needs.listens = true;
    needs.serves = false;
    shares(&needs, FIXED + 200, 200, 0);
    needs.listens = false;
    shares(&needs, FIXED, 0, 0);
}

TEST(a_limit_that_is_too_low_is_refused_and_said_what_to_do)
{
    struct net_share share = {7, 7};
    struct neap_error error;
    unsigned least = FIXED + NET_LINKS_MIN + NET_CLIENTS_MIN;
    char text[40];

    shares(&all, least, NET_LINKS_MIN, NET_CLIENTS_MIN);
    CHECK_ERROR(net_share(&all, least - 1, &share, &error), NEAP_REFUSED);
    snprintf(text, sizeof text, "needs %u at least", least);
    CHECK(strstr(error.text, text) && strstr(error.text, "ulimit -n"));
    CHECK(strstr(error.text, "LimitNOFILE"));
    CHECK_ERROR(net_share(&all, 0, &share, &error), NEAP_REFUSED);
    CHECK_EQUAL(share.links_max, 7);
}

TEST(few_that_are_wanted_need_no_more)
{
    struct net_needs needs = all;

    needs.links_max = 2;
    shares(&needs, FIXED + 4, 2, 2);
}
