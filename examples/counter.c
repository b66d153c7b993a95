/* A counter that two handles share: one is the node, the other a client of it, as another process
 * would be. Usage: counter SOCKET */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neap.h"

static struct neap_error error;

/* An error ends the program, with the words that came with it. */
static void check(int code)
{
    if (!code)
        return;
    fprintf(stderr, "%s\n", error.code == code ? error.text : neap_strerror(code));
    exit(1);
}

static struct neap_place place(const char *bucket, const char *key)
{
    struct neap_place at = {bucket, {key, strlen(key)}, NULL, 0};

    return at;
}

int main(int argc, char **argv)
{
    struct neap_place visits = place("site", "visits");
    struct neap_options options;
    struct neap *node, *client;
    int64_t sum;

    if (argc != 2) {
        fprintf(stderr, "usage: counter SOCKET\n");
        return 2;
    }
    neap_options_init(&options);
    options.socket = argv[1];
    check(neap_open(&options, &node, &error));
    check(neap_connect(argv[1], &client, &error));

    check(neap_counter_add(node, &visits, 2, NULL));
    check(neap_counter_add(client, &visits, 3, NULL));
    check(neap_counter_get(node, &visits, &sum, NULL));
    printf("visits: %lld\n", (long long)sum);

    neap_close(client);
    neap_close(node);
    return 0;
}
