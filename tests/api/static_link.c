/* An application with names of its own that the library has inside too. It links libneap.a. */
#include <stdio.h>

#include "neap.h"

static int calls;

int batch_put(int number);
int error_set(int number);
int cell_merge(int number);

int batch_put(int number)
{
    calls++;
    return number;
}

int error_set(int number)
{
    calls++;
    return number;
}

int cell_merge(int number)
{
    calls++;
    return number;
}

int main(void)
{
    struct neap_place at = {"b", {"k", 1}, NULL, 0};
    struct neap_options options;
    struct neap *neap;
    int64_t value = 0;
    int failed;

    neap_options_init(&options);
    failed = neap_open(&options, &neap, NULL);
    if (!failed) {
        failed = neap_counter_add(neap, &at, 4, NULL) || neap_counter_get(neap, &at, &value, NULL);
        neap_close(neap);
    }
    /* The library has called its own, not these. */
    failed = failed || value != 4 || calls != 0;
    failed = failed || batch_put(1) + error_set(1) + cell_merge(1) != calls;
    printf("1..1\n%sok 1 - an application has names that libneap.a has inside\n",
           failed ? "not " : "");
    return failed;
}
