#include "tests/api/header.h"

#include <stdio.h>

int main(void)
{
    int failed = use();

    printf("1..1\n%sok 1 - neap.h in a C99 program\n", failed ? "not " : "");
    return failed;
}
