#include "trust/credentials.h"

#include <string.h>

#include "tests/support/test.h"

TEST(a_directory_that_is_not_there_says_which_file_is_missing)
{
    struct credentials *credentials = NULL;
    struct neap_error error = {0};

    CHECK_ERROR(credentials_open("/nowhere", &credentials, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, "/nowhere/ca.pem"));
    CHECK(credentials == NULL);
    credentials_close(NULL);
}
