/* Reads at levels, of two nodes with threads. */
#include "engine/node_level.h"

#include <stdio.h>
#include <string.h>

#include "engine/quorum.h"
#include "tests/unit/node_pair.h"

enum { ROUNDS = 30 };

TEST(a_quorum_reads_what_another_node_has_acknowledged_alone)
{
    struct pair pair;
    int64_t number = 0;

    pair_open(&pair);
    pair_meet(&pair);
    for (unsigned i = 0; i < ROUNDS; i++) {
        CHECK_OK(add(pair.nodes[i % 2], rig_add("a", "n", 1), NEAP_ONE, false, NULL));
        CHECK_OK(read_number(pair.nodes[!(i % 2)], "a", i % 3 ? NEAP_QUORUM : NEAP_ALL, NULL,
                             TIMEOUT_MS, &number, NULL));
        CHECK_EQUAL(number, i + 1);
    }
    pair_close(&pair);
}

TEST(a_level_that_cannot_be_reached_reads_nothing_and_says_so_at_once)
{
    struct pair pair;
    int64_t number = 77;
    struct neap_error error = {0};

    pair_open(&pair);
    pair_meet(&pair);
    isolate(pair.nodes[0], "on");
    CHECK_ERROR(read_number(pair.nodes[0], "a", NEAP_QUORUM, NULL, TIMEOUT_MS, &number, &error),
                NEAP_UNAVAILABLE);
    CHECK(strstr(error.text, "2 of 2 nodes are needed, 1 have answered, 1 can't be reached"));
    CHECK_EQUAL(number, 77);
    CHECK_OK(read_number(pair.nodes[0], "a", NEAP_ONE, NULL, TIMEOUT_MS, &number, NULL));
    isolate(pair.nodes[0], "off");
    pair_meet(&pair);
    CHECK_OK(read_number(pair.nodes[0], "a", NEAP_QUORUM, NULL, TIMEOUT_MS, &number, NULL));
    CHECK_EQUAL(number, 0);
    pair_close(&pair);
}

TEST(a_number_of_nodes_is_asked_as_a_level_is)
{
    struct pair pair;
    int64_t number = 77;
    struct neap_error error = {0};

    pair_open(&pair);
    pair_meet(&pair);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned w = 1 + i % 2;

        CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 1), level_of_nodes(w), false, NULL));
        CHECK_OK(read_number(pair.nodes[1], "a", level_of_nodes(3 - w), NULL, TIMEOUT_MS,
                             &number, NULL));
        CHECK_EQUAL(number, i + 1);
    }
    number = 77;
    CHECK_ERROR(read_number(pair.nodes[0], "a", level_of_nodes(3), NULL, TIMEOUT_MS,
                            &number, &error),
                NEAP_UNAVAILABLE);
    CHECK(strstr(error.text, "3 of 2 nodes are needed"));
    CHECK_ERROR(add(pair.nodes[0], rig_add("a", "n", 1), level_of_nodes(3), false, NULL),
                NEAP_UNAVAILABLE);
    isolate(pair.nodes[0], "on");
    CHECK_ERROR(read_number(pair.nodes[0], "a", level_of_nodes(2), NULL, TIMEOUT_MS,
                            &number, &error),
                NEAP_UNAVAILABLE);
    CHECK_EQUAL(number, 77);
    CHECK_OK(read_number(pair.nodes[0], "a", level_of_nodes(1), NULL, TIMEOUT_MS, &number, NULL));
    CHECK_EQUAL(number, ROUNDS);
    pair_close(&pair);
}

TEST(a_page_at_a_level_lists_what_another_node_has)
{
    struct pair pair;
    struct page_request request = {
        .bucket = "a", .count_only = true, .level = NEAP_QUORUM, .timeout_ms = TIMEOUT_MS};
    struct page page;
    char name[16];

    pair_open(&pair);
    pair_meet(&pair);
    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof name, "n%u", i);
        CHECK_OK(add(pair.nodes[0], rig_add("a", name, 1), NEAP_ONE, false, NULL));
        page_init(&page, 0);
        CHECK_OK(pair.nodes[1]->backend.ops->page(&pair.nodes[1]->backend, &request, &page));
        CHECK_EQUAL(page.count, i + 1);
        page_done(&page);
    }
    pair_close(&pair);
}

TEST(a_node_alone_is_every_quorum)
{
    struct disk *disk;
    struct backend *backend = NULL;
    static const struct directory_mark mark;
    struct node_options options = {.clock = clock_os(), .mark = &mark};
    int64_t number = 0;

    CHECK_OK(disk_mem_open(&disk));
    options.disk = disk;
    CHECK_OK(node_open_with(&options, &backend, NULL));
    CHECK_OK(add((struct node *)backend, rig_add("a", "n", 5), NEAP_ALL, false, NULL));
    CHECK_OK(read_number((struct node *)backend, "a", NEAP_ALL, NULL, TIMEOUT_MS, &number, NULL));
    CHECK_EQUAL(number, 5);
    CHECK_OK(read_number((struct node *)backend, "a", level_of_nodes(1), NULL, TIMEOUT_MS,
                         &number, NULL));
    CHECK_ERROR(read_number((struct node *)backend, "a", level_of_nodes(2), NULL, TIMEOUT_MS,
                            &number, NULL),
                NEAP_UNAVAILABLE);
    CHECK_ERROR(add((struct node *)backend, rig_add("a", "n", 5), level_of_nodes(2), false, NULL),
                NEAP_UNAVAILABLE);
    backend->ops->close(backend);
}
