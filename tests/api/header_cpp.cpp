#include "tests/api/header.h"

#include <cstdio>

int main()
{
    int failed = use();

    std::printf("1..1\n%sok 1 - neap.h in a C++ program\n", failed ? "not " : "");
    return failed;
}
