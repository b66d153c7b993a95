#include "engine/node_cluster.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

TEST(peers_are_addresses_with_commas)
{
    struct peer_list list;

    CHECK_OK(peer_list_read(NULL, NULL, &list, NULL));
    CHECK_EQUAL(list.count, 0);
    CHECK_OK(peer_list_read("", NULL, &list, NULL));
    CHECK_EQUAL(list.count, 0);
    CHECK_OK(peer_list_read("tcp://127.0.0.1:1, ipc:///tmp/x ,tcp://127.0.0.1:2",
                            "tcp://127.0.0.1:1", &list, NULL));
    CHECK_EQUAL(list.count, 2);
    CHECK_TEXT(list.addresses[0], "ipc:///tmp/x");
    CHECK_TEXT(list.addresses[1], "tcp://127.0.0.1:2");
    peer_list_done(&list);
}

TEST(peers_that_are_wrong_are_named)
{
    struct peer_list list;
    struct neap_error error = {0};
    char many[2000];
    size_t used = 0;

    CHECK_ERROR(peer_list_read("tcp://127.0.0.1:1,,", NULL, &list, &error), NEAP_INVALID);
    CHECK_ERROR(peer_list_read(",", NULL, &list, &error), NEAP_INVALID);
    CHECK_ERROR(peer_list_read("tcp://10.0.0.1:1", NULL, &list, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "10.0.0.1"));
    CHECK_ERROR(peer_list_read("ipc://a,ipc://a", NULL, &list, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "twice"));
    for (int i = 0; i <= PEERS_MAX / 2; i++)
        used += (size_t)snprintf(many + used, sizeof many - used, "%sipc://%d", i ? "," : "", i);
    CHECK_ERROR(peer_list_read(many, NULL, &list, &error), NEAP_LIMIT);
    CHECK_EQUAL(list.count, 0);
}

static int peers_with_less_memory(void *arg)
{
    struct peer_list list;
    int error = peer_list_read("ipc://a,ipc://b", NULL, &list, NULL);

    (void)arg;
    peer_list_done(&list);
    return error;
}

TEST(peers_short_of_memory_say_so)
{
    test_alloc_sweep(peers_with_less_memory, NULL);
}
