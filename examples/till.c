/* A till that works without a network: every sale is durable here before the receipt is printed,
 * and goes to the shop's other nodes whenever they can be reached. Usage: till DIRECTORY */
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

struct line {
    const char *article;
    int pieces, cents;
};

/* One sale is one batch: stock, revenue and the receipt together, or none of it. */
static void sell(struct neap *till, const char *receipt, const struct line *lines, size_t count)
{
    struct neap_place stock = place("shop", "stock"), revenue = place("shop", "revenue");
    struct neap_place receipts = place("shop", "receipts");
    struct neap_call queue = {0}, commit = {0};
    struct neap_bytes article;
    struct neap_batch *batch;
    size_t i;

    queue.size = commit.size = sizeof queue;
    queue.ret_error = commit.ret_error = &error;
    check(neap_batch_new(till, &batch));
    queue.batch = batch;
    for (i = 0; i < count; i++) {
        /* The stock is a map: a counter for each article. */
        article = text(lines[i].article);
        stock.fields = &article;
        stock.fields_count = 1;
        check(neap_counter_add(till, &stock, -lines[i].pieces, &queue));
        check(neap_counter_add(till, &revenue, lines[i].pieces * lines[i].cents, &queue));
    }
    check(neap_set_add(till, &receipts, text(receipt), &queue));
    check(neap_batch_commit(batch, &commit));
    neap_batch_free(batch);
    printf("receipt %s\n", receipt);
}

/* A field's number comes with the listing of its map. */
static void show_stock(struct neap *till)
{
    struct neap_place stock = place("shop", "stock");
    struct neap_iter *fields;
    struct neap_item item;
    int code;

    check(neap_items(till, &stock, NEAP_MAP, text(""), NULL, &fields));
    while (!(code = neap_next(fields, &item, 0)))
        printf("  %.*s %lld\n", (int)item.name.size, (const char *)item.name.data,
               (long long)item.number);
    neap_iter_free(fields);
    if (code != NEAP_END)
        check(code);
}

int main(int argc, char **argv)
{
    static const struct line first[] = {{"apples", 3, 40}, {"pears", 1, 55}};
    static const struct line second[] = {{"apples", 2, 40}};
    struct neap_place revenue = place("shop", "revenue"), receipts = place("shop", "receipts");
    struct neap_options options;
    struct neap *till;
    uint64_t count;
    int64_t cents;

    if (argc != 2) {
        fprintf(stderr, "usage: till DIRECTORY\n");
        return 2;
    }
    neap_options_init(&options);
    options.path = argv[1];
    check(neap_open(&options, &till, &error));
    sell(till, "till-1/1", first, 2);
    neap_close(till);

    /* The power may go at any time: what was sold is there again. */
    check(neap_open(&options, &till, &error));
    sell(till, "till-1/2", second, 1);
    check(neap_counter_get(till, &revenue, &cents, NULL));
    check(neap_count(till, &receipts, NEAP_SET, &count, NULL));
    printf("%llu receipts, %lld.%02lld\n", (unsigned long long)count, (long long)cents / 100,
           (long long)cents % 100);
    show_stock(till);
    neap_close(till);
    return 0;
}
