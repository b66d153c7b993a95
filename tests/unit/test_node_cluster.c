#include "engine/node_cluster.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

TEST(peers_are_addresses_with_commas)
{
    struct peer_list list;

    CHECK_OK(peer_list_read(NULL, NULL, false, &list, NULL));
    CHECK_EQUAL(list.count, 0);
    CHECK_OK(peer_list_read("", NULL, false, &list, NULL));
    CHECK_EQUAL(list.count, 0);
    CHECK_OK(peer_list_read("tcp://127.0.0.1:1, ipc:///tmp/x ,tcp://127.0.0.1:2",
                            "tcp://127.0.0.1:1", false, &list, NULL));
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

    CHECK_ERROR(peer_list_read("tcp://127.0.0.1:1,,", NULL, false, &list, &error), NEAP_INVALID);
    CHECK_ERROR(peer_list_read(",", NULL, false, &list, &error), NEAP_INVALID);
    CHECK_ERROR(peer_list_read("tcp://10.0.0.1:1", NULL, false, &list, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "10.0.0.1"));
    CHECK(strstr(error.text, "tls+tcp://HOST:PORT"));
    CHECK_ERROR(peer_list_read("tls+tcp://10.0.0.1:1", NULL, false, &list, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "neap init"));
    CHECK_ERROR(peer_list_read("tcp://127.0.0.1:1", NULL, true, &list, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "use tls+tcp://HOST:PORT"));
    CHECK_OK(peer_list_read("tls+tcp://10.0.0.1:1,ipc://a", NULL, true, &list, &error));
    peer_list_done(&list);
    CHECK_ERROR(peer_list_read("ipc://a,ipc://a", NULL, false, &list, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "twice"));
    for (int i = 0; i <= PEERS_MAX / 2; i++)
        used += (size_t)snprintf(many + used, sizeof many - used, "%sipc://%d", i ? "," : "", i);
    CHECK_ERROR(peer_list_read(many, NULL, false, &list, &error), NEAP_LIMIT);
    CHECK_EQUAL(list.count, 0);
}

static int peers_with_less_memory(void *arg)
{
    struct peer_list list;
    int error = peer_list_read("ipc://a,ipc://b", NULL, false, &list, NULL);

    (void)arg;
    peer_list_done(&list);
    return error;
}

TEST(peers_short_of_memory_say_so)
{
    test_alloc_sweep(peers_with_less_memory, NULL);
}

TEST(nobody_is_told_to_connect_to_anywhere)
{
    CHECK_TEXT(address_told("tls+tcp://0.0.0.0:7400"), "");
    CHECK_TEXT(address_told("tls+tcp://[::]:7400"), "");
    CHECK_TEXT(address_told("tls+tcp://10.0.0.1:7400"), "tls+tcp://10.0.0.1:7400");
    CHECK_TEXT(address_told("ipc:///run/x"), "ipc:///run/x");
    CHECK_TEXT(address_told(NULL), "");
}
