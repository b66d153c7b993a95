/* Backups of nodes that are open, by the public functions. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/node.h"
#include "engine/node_session.h"
#include "store/files.h"
#include "tests/support/test.h"

struct home {
    char path[32], data[64], backup[64], restored[64];
    struct neap_options options;
    struct neap *neap;
    struct neap_error error;
    struct neap_call call;
    struct neap_buffer json;
};

static const struct neap_place apples = {"shop", {"apples", 6}, NULL, 0};

static void home_open(struct home *home)
{
    CHECK_OK(neap_open(&home->options, &home->neap, &home->error));
}

static void home_begin(struct home *home)
{
    *home = (struct home){.path = "tmp-backup-XXXXXX"};
    CHECK(mkdtemp(home->path));
    snprintf(home->data, sizeof home->data, "%s/data", home->path);
    snprintf(home->backup, sizeof home->backup, "%s/backup", home->path);
    snprintf(home->restored, sizeof home->restored, "%s/restored", home->path);
    neap_options_init(&home->options);
    home->options.path = home->data;
    home->call = (struct neap_call){.size = sizeof home->call, .ret_error = &home->error};
    home_open(home);
}

static void home_end(struct home *home)
{
    neap_close(home->neap);
    neap_buffer_free(&home->json);
    files_discard(home->path);
    CHECK(access(home->path, F_OK));
}

static int64_t apples_of(struct home *home)
{
    int64_t number = -1;

    CHECK_OK(neap_counter_get(home->neap, &apples, &number, NULL));
    return number;
}

TEST(an_open_node_is_backed_up_verified_and_restored)
{
    struct home home;

    home_begin(&home);
    CHECK_OK(neap_counter_add(home.neap, &apples, 3, NULL));
    CHECK_OK(neap_backup(home.neap, home.backup, &home.json, &home.call));
    CHECK(strstr(home.json.data, home.backup) && strstr(home.json.data, "\"files\":"));
    CHECK_OK(neap_counter_add(home.neap, &apples, 4, NULL));
    CHECK_ERROR(neap_backup(home.neap, home.backup, NULL, &home.call), NEAP_REFUSED);
    CHECK_EQUAL(home.error.code, NEAP_REFUSED);
    CHECK_OK(neap_backup_verify(home.backup, &home.json, &home.error));
    CHECK(strstr(home.json.data, "\"whole\":true"));
    CHECK_OK(neap_restore(home.backup, home.restored, &home.json, &home.error));
    CHECK(strstr(home.json.data, home.restored));
    CHECK_ERROR(neap_restore(home.backup, home.restored, NULL, &home.error), NEAP_REFUSED);
    CHECK_EQUAL(apples_of(&home), 7);
    neap_close(home.neap);
    home.options.path = home.restored;
    home_open(&home);
    CHECK_EQUAL(apples_of(&home), 3);
    home_end(&home);
}

TEST(a_report_of_damage_comes_with_the_error)
{
    struct home home;
    char path[96];
    FILE *file;

    home_begin(&home);
    CHECK_OK(neap_backup(home.neap, home.backup, NULL, NULL));
    snprintf(path, sizeof path, "%s/CURRENT", home.backup);
    file = fopen(path, "a");
    CHECK(file && fputc('x', file) == 'x');
    CHECK_OK(fclose(file));
    CHECK_ERROR(neap_backup_verify(home.backup, &home.json, &home.error), NEAP_CORRUPT);
    CHECK_EQUAL(home.error.code, NEAP_CORRUPT);
    CHECK(strstr(home.error.text, "CURRENT"));
    CHECK(strstr(home.json.data, "\"whole\":false") && strstr(home.json.data, "CURRENT"));
    CHECK_ERROR(neap_restore(home.backup, home.restored, NULL, NULL), NEAP_CORRUPT);
    CHECK_ERROR(neap_backup_verify(home.restored, NULL, &home.error), NEAP_NOTFOUND);
    home_end(&home);
}

TEST(what_has_no_files_of_its_own_is_not_backed_up)
{
    struct home home;

    home_begin(&home);
    neap_close(home.neap);
    home.options.flags = NEAP_READONLY;
    home_open(&home);
    CHECK_ERROR(neap_backup(home.neap, home.backup, NULL, &home.call), NEAP_REFUSED);
    CHECK(strstr(home.error.text, "reading"));
    neap_close(home.neap);
    home.options.flags = 0;
    home.options.path = NULL;
    home_open(&home);
    CHECK_ERROR(neap_backup(home.neap, home.backup, NULL, &home.call), NEAP_REFUSED);
    CHECK(strstr(home.error.text, "memory"));
    CHECK(access(home.backup, F_OK));
    home_end(&home);
}

struct maker {
    struct home *home;
    pthread_t thread;
    char backup[64];
    int code;
};

static void *maker_main(void *arg)
{
    struct maker *maker = arg;

    maker->code = neap_backup(maker->home->neap, maker->backup, NULL, NULL);
    return NULL;
}

/* One of them is made, the other refused or, if the first one was done by then, made too. */
TEST(one_backup_at_a_time)
{
    struct maker makers[4];
    unsigned i, made = 0;
    struct home home;

    home_begin(&home);
    for (i = 0; i < 4; i++) {
        makers[i] = (struct maker){.home = &home};
        snprintf(makers[i].backup, sizeof makers[i].backup, "%s/b%u", home.path, i);
        CHECK_OK(pthread_create(&makers[i].thread, NULL, maker_main, &makers[i]));
    }
    for (i = 0; i < 4; i++) {
        CHECK_OK(pthread_join(makers[i].thread, NULL));
        CHECK(makers[i].code == 0 || makers[i].code == NEAP_BUSY);
        made += makers[i].code == 0;
        CHECK((makers[i].code == 0) == (access(makers[i].backup, F_OK) == 0));
    }
    CHECK(made >= 1);
    CHECK_OK(neap_backup(home.neap, home.backup, NULL, NULL));
    home_end(&home);
}

/* The time is over before it has begun. */
TEST(a_backup_that_takes_too_long_is_given_up)
{
    struct node *node;
    struct home home;
    struct buffer json;

    home_begin(&home);
    buffer_init(&json, 4096);
    node = (struct node *)session_inner(home.neap->backend);
    atomic_fetch_add(&node->inside, NODE_CLOSED);
    CHECK_ERROR(node_backup(&node->backend, home.backup, 0, &json, &home.error), NEAP_UNAVAILABLE);
    atomic_fetch_sub(&node->inside, NODE_CLOSED);
    home.call.timeout_ms = 1;
    while (!neap_backup(home.neap, home.backup, NULL, &home.call))
        files_discard(home.backup);
    CHECK_EQUAL(home.error.code, NEAP_UNAVAILABLE);
    CHECK(access(home.backup, F_OK));
    buffer_done(&json);
    home_end(&home);
}
