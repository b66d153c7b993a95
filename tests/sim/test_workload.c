/* Files of workloads: what they say counts, and what is wrong in them is said clearly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/workload.h"
#include "tests/support/test.h"

static char why[400];

/* In a file of its own. */
static bool reads(const char *text, struct workload *ret_workload)
{
    char path[] = "workload-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0);
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    why[0] = 0;
    bool read = workload_read(path, ret_workload, why, sizeof why);
    unlink(path);
    return read;
}

static bool refuses(const char *text, const char *word)
{
    struct workload workload = {.keys = 77};
    bool read = reads(text, &workload);
    if (!read && strstr(why, word) && workload.keys == 77)
        return true;
    print_message("it says: %s\n", read ? "nothing" : why);
    return false;
}

TEST(what_a_workload_file_says_counts_and_the_rest_is_as_built_in)
{
    struct workload workload;
    CHECK(reads("; mine\n[operations]\ncounter.add = 7 ; often\nset.remove=0\n\n"
                "[sizes]\nbatch = 2-5\nbig = 300\n[percent]\nhot = 100\n",
                &workload));
    CHECK_EQUAL(workload.weights[WORKLOAD_COUNTER_ADD], 7);
    CHECK_EQUAL(workload.weights[WORKLOAD_SET_ADD], 0);
    CHECK_EQUAL(workload.batch.from, 2);
    CHECK_EQUAL(workload.batch.to, 5);
    CHECK_EQUAL(workload.big.from, 300);
    CHECK_EQUAL(workload.big.to, 300);
    CHECK_EQUAL(workload.hot_percent, 100);
    CHECK_EQUAL(workload.keys, workload_default.keys);
}

TEST(what_a_workload_file_has_wrong_is_said_with_its_line)
{
    CHECK(refuses("[operations]\ncounter.ad = 1\n", "line 2: there is no operation `counter.ad`"));
    CHECK(refuses("[operations]\ncounter.add = 1\n[size]\n", "line 3: [size]: there are"));
    CHECK(refuses("counter.add = 1\n", "line 1: counter.add stands in no section"));
    CHECK(refuses("[sizes]\nbuckts = 1\n", "line 2: there is no `buckts` in [sizes]; there are b"));
    CHECK(refuses("[operations]\ncounter.add = many\n", "whole number from 0 to 1000000"));
    CHECK(refuses("[operations]\ncounter.add = -1\n", "whole number"));
    CHECK(refuses("[operations]\ncounter.add = 99999999999999999999\n", "whole number"));
    CHECK(refuses("[operations]\ncounter.add = 1\ncounter.add = 2\n", "was given in line 2"));
    CHECK(refuses("[operations]\ncounter.add\n", "line 2: is not `name = value`"));
    CHECK(refuses("[sizes]\nbuckets = 17\n", "from 1 to 16"));
    CHECK(refuses("[sizes]\nbuckets = 1-2\n", "wants a whole number from"));
    CHECK(refuses("[sizes]\nbatch = 4-1\n", "ends before it begins"));
    CHECK(refuses("[sizes]\nbatch = 1-65\n", "or two as `1-4`, from 1 to 64"));
    CHECK(refuses("[percent]\nhot = 101\n", "from 0 to 100"));
    CHECK(refuses("[operations]\nsession.read = 3\n", "nothing that writes"));
    CHECK(refuses("[operations]\ncounter.add = 0\n", "nothing that writes"));
    CHECK(refuses("", "nothing that writes"));
}

TEST(a_workload_file_that_cannot_be_read_is_named)
{
    struct workload workload;
    CHECK(!workload_read("no/such/file.ini", &workload, why, sizeof why));
    CHECK(strstr(why, "no/such/file.ini: cannot be read: No such file"));
    CHECK(!workload_read(".", &workload, why, sizeof why));
    CHECK(strstr(why, ".: cannot be read"));
}
