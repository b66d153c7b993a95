/* A photograph: a map with a set of tags and a title. Two people give it a title at the same time;
 * both stay, until somebody who has seen both makes one of them. */
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

static struct neap_bytes text(const char *string)
{
    struct neap_bytes bytes = {string, strlen(string)};

    return bytes;
}

static struct neap_place place(const char *bucket, const char *key)
{
    struct neap_place at = {bucket, {key, strlen(key)}, NULL, 0};

    return at;
}

static void show(struct neap *neap, const struct neap_place *title, struct neap_call *call)
{
    struct neap_iter *values;
    struct neap_item item;
    int code;

    check(neap_register_values(neap, title, call, &values));
    while (!(code = neap_next(values, &item, 0)))
        printf("title: %.*s\n", (int)item.value.size, (const char *)item.value.data);
    neap_iter_free(values);
    if (code != NEAP_END)
        check(code);
}

int main(void)
{
    struct neap_bytes tags_field = text("tags"), title_field = text("title");
    struct neap_place photo = place("album", "photo-17"), tags = photo, title = photo;
    struct neap_call read = {0}, write = {0};
    struct neap_buffer seen = {0};
    struct neap_options options;
    struct neap *neap;
    uint64_t count;
    int in;

    tags.fields = &tags_field;
    title.fields = &title_field;
    tags.fields_count = title.fields_count = 1;
    read.size = write.size = sizeof read;
    read.ret_error = write.ret_error = &error;
    neap_options_init(&options);
    check(neap_open(&options, &neap, &error));

    check(neap_set_add(neap, &tags, text("beach"), NULL));
    check(neap_set_add(neap, &tags, text("dog"), NULL));
    check(neap_set_remove(neap, &tags, text("beach"), NULL));
    check(neap_set_has(neap, &tags, text("dog"), &in, NULL));
    printf("dog: %s\n", in ? "yes" : "no");

    /* Neither has seen the other's: that is what a write without `seen` says. */
    check(neap_register_set(neap, &title, text("Low tide"), NULL));
    check(neap_register_set(neap, &title, text("Rex in the sea"), NULL));

    /* The token of what was shown makes one of both; a third title of just now would stay. */
    read.ret_token = &seen;
    show(neap, &title, &read);
    write.seen.data = seen.data;
    write.seen.size = seen.size;
    check(neap_register_set(neap, &title, text("Rex at low tide"), &write));
    show(neap, &title, NULL);

    /* The map goes with all that is in it. */
    check(neap_count(neap, &photo, NEAP_MAP, &count, NULL));
    printf("%llu fields\n", (unsigned long long)count);
    check(neap_remove(neap, &photo, NEAP_MAP, NULL));
    check(neap_count(neap, &photo, NEAP_MAP, &count, NULL));
    printf("%llu fields\n", (unsigned long long)count);

    neap_buffer_free(&seen);
    neap_close(neap);
    return 0;
}
