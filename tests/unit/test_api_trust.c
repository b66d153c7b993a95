#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neap_trust.h"
#include "tests/support/test.h"
#include "trust/issue.h"

struct home {
    char path[40], cluster[60], other[60];
};

static void home_open(struct home *home)
{
    snprintf(home->path, sizeof home->path, "/tmp/neap-trust-XXXXXX");
    CHECK(mkdtemp(home->path));
    snprintf(home->cluster, sizeof home->cluster, "%s/cluster", home->path);
    snprintf(home->other, sizeof home->other, "%s/other", home->path);
    CHECK_OK(neap_cluster_make(home->cluster, NULL));
}

static void home_close(struct home *home)
{
    char line[80];

    snprintf(line, sizeof line, "rm -r %s", home->path);
    CHECK(!system(line));
}

static struct neap_bytes of(const struct neap_buffer *buffer)
{
    return (struct neap_bytes){buffer->data, buffer->size};
}

/* Request, sign, take; what is said of the certificate. */
static json_t *admit_by_files(const struct home *home, const struct neap_grant *grant)
{
    struct neap_buffer request = {0}, papers = {0}, text = {0};
    json_t *json;

    CHECK_OK(neap_certificate_request(home->other, &request, NULL));
    CHECK_OK(neap_certificate_sign(home->cluster, of(&request), grant, &papers, NULL));
    CHECK_OK(neap_certificate_take(home->other, of(&papers), &text, NULL));
    json = json_loadb(text.data, text.size, 0, NULL);
    CHECK(json);
    neap_buffer_free(&request);
    neap_secret_free(&papers);
    neap_buffer_free(&text);
    return json;
}

TEST(who_is_admitted_by_files_has_what_he_was_given)
{
    const char *const read[] = {"fish", "a b"}, *const write[] = {"chips", "fish"};
    struct neap_grant grant = {.size = sizeof grant,
                               .kind = NEAP_DEVICE,
                               .id = 0xabc,
                               .read = read,
                               .read_count = 2,
                               .write = write,
                               .write_count = 2,
                               .valid_ms = 7200000};
    struct home home;
    json_t *json, *rights;

    home_open(&home);
    json = admit_by_files(&home, &grant);
    CHECK_TEXT(json_string_value(json_object_get(json, "identity")), "device/0000000000000abc");
    rights = json_object_get(json, "rights");
    CHECK_EQUAL(json_array_size(rights), 3);
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(rights, 0), "bucket")), "fish");
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(rights, 0), "may")), "write");
    CHECK_TEXT(json_string_value(json_object_get(json_array_get(rights, 1), "may")), "read");
    CHECK_EQUAL(json_integer_value(json_object_get(json, "until")) -
                    json_integer_value(json_object_get(json, "from")),
                7200000 + ISSUE_SKEW_S * 1000);
    json_decref(json);
    home_close(&home);
}

static void check_grant(const struct home *home, struct neap_grant grant, int code,
                        const char *text)
{
    struct neap_buffer token = {0};
    struct neap_error error = {0};

    CHECK_ERROR(neap_token_make(home->cluster, &grant, 0, &token, &error), code);
    CHECK_EQUAL(error.code, code);
    if (!strstr(error.text, text))
        test_failed(__FILE__, __LINE__, "it says: %s", error.text);
    CHECK(!token.data);
}

TEST(a_grant_that_is_none_is_refused_in_words)
{
    const char *const own[] = {"_system"}, *const slash[] = {"a/b"}, *const null[] = {NULL};
    const char *many[65];
    char names[65][8];
    struct neap_grant grant = {.size = sizeof grant, .kind = NEAP_DEVICE, .read_count = 1};
    struct home home;

    home_open(&home);
    check_grant(&home, (struct neap_grant){.size = sizeof grant}, NEAP_INVALID, "grant.kind");
    check_grant(&home, (struct neap_grant){.kind = NEAP_NODE}, NEAP_INVALID, "grant.size");
    grant.read = own;
    check_grant(&home, grant, NEAP_INVALID, "_system");
    grant.read = slash;
    check_grant(&home, grant, NEAP_INVALID, "a/b");
    grant.read = null;
    check_grant(&home, grant, NEAP_INVALID, "NULL");
    for (int i = 0; i < 65; i++) {
        snprintf(names[i], sizeof names[i], "b%d", i);
        many[i] = names[i];
    }
    grant.read = many;
    grant.read_count = 65;
    check_grant(&home, grant, NEAP_LIMIT, "more than 64");
    grant.kind = NEAP_NODE;
    check_grant(&home, grant, NEAP_INVALID, "a node may everything");
    home_close(&home);
}

TEST(a_token_is_one_line)
{
    struct neap_grant grant = {.size = sizeof grant, .kind = NEAP_NODE};
    struct neap_buffer token = {0}, json = {0};
    struct neap_error error = {0};
    struct home home;

    home_open(&home);
    CHECK_OK(neap_token_make(home.cluster, &grant, 60000, &token, NULL));
    CHECK_EQUAL(strlen(token.data), token.size);
    CHECK(!strchr(token.data, '\n'));
    CHECK_ERROR(neap_join(of(&token), "", home.other, 0, &json, &error), NEAP_INVALID);
    CHECK_ERROR(neap_join((struct neap_bytes){"x", 1}, "tls+tcp://127.0.0.1:1", home.other, 0,
                          &json, &error),
                NEAP_INVALID);
    CHECK(strstr(error.text, "no token"));
    CHECK_ERROR(neap_join(of(&token), "tls+tcp://127.0.0.1:1", home.cluster, 0, &json, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "somebody's already"));
    neap_secret_free(&token);
    home_close(&home);
}

TEST(arguments_that_are_missing_are_named)
{
    struct neap_buffer text = {0};
    struct neap_bytes none = {0};
    struct neap_grant grant = {.size = sizeof grant, .kind = NEAP_NODE};

    CHECK_ERROR(neap_cluster_make(NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_cluster_make("", NULL), NEAP_INVALID);
    CHECK_ERROR(neap_token_make("x", &grant, 0, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_token_make("x", NULL, 0, &text, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_certificate_request("x", NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_certificate_sign("x", none, &grant, &text, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_certificate_take("x", none, &text, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_certificate_show(none, &text, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_certificate_renew(NULL, NULL, 0, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_join(none, "x", "y", 0, NULL, NULL), NEAP_INVALID);
    neap_secret_free(NULL);
    neap_secret_free(&text);
}

TEST(a_renewal_where_the_ca_is_keeps_who_it_is)
{
    struct neap_buffer before = {0}, after = {0};
    struct home home;
    json_t *first, *second;

    home_open(&home);
    CHECK_OK(neap_certificate_renew(home.cluster, NULL, 0, &before, NULL));
    CHECK_OK(neap_certificate_renew(home.cluster, NULL, 0, &after, NULL));
    first = json_loadb(before.data, before.size, 0, NULL);
    second = json_loadb(after.data, after.size, 0, NULL);
    CHECK_TEXT(json_string_value(json_object_get(first, "identity")),
               json_string_value(json_object_get(second, "identity")));
    CHECK(strcmp(json_string_value(json_object_get(first, "serial")),
                 json_string_value(json_object_get(second, "serial"))) != 0);
    json_decref(first);
    json_decref(second);
    neap_buffer_free(&before);
    neap_buffer_free(&after);
    CHECK_ERROR(neap_certificate_renew(home.other, NULL, 0, NULL, NULL), NEAP_NOTFOUND);
    home_close(&home);
}
