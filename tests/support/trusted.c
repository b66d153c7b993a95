#include "tests/support/trusted.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/test.h"
#include "trust/secret.h"

uint64_t trusted_now_s(void)
{
    struct timespec now;

    CHECK(!clock_gettime(CLOCK_REALTIME, &now));
    return (uint64_t)now.tv_sec;
}

void trusted_open(struct trusted *trusted, uint64_t cluster)
{
    *trusted = (struct trusted){.cluster = cluster};
    CHECK_OK(issue_key(&trusted->ca_key, NULL));
    CHECK_OK(issue_authority(buffer_slice(&trusted->ca_key), cluster,
                             issue_span(PRINCIPAL_NONE, trusted_now_s(), 0), &trusted->ca, NULL));
}

void trusted_close(struct trusted *trusted)
{
    secret_done(&trusted->ca_key);
    buffer_done(&trusted->ca);
}

void trusted_issue(const struct trusted *trusted, const struct principal *principal,
                   const struct trusted_odd *odd, struct buffer *ret_certificate,
                   struct buffer *ret_key)
{
    struct issuer issuer = {buffer_slice(&trusted->ca), buffer_slice(&trusted->ca_key)};
    struct issue_span span = issue_span(principal->kind, trusted_now_s(), 0);
    unsigned usage = odd && odd->usage ? odd->usage : ISSUE_BOTH;
    struct buffer request;

    if (odd && odd->span.until_s)
        span = odd->span;
    CHECK_OK(issue_key(ret_key, NULL));
    CHECK_OK(issue_request(buffer_slice(ret_key), &request, NULL));
    CHECK_OK(
        issue_sign(&issuer, buffer_slice(&request), principal, span, usage, ret_certificate, NULL));
    buffer_done(&request);
}

struct credentials *trusted_credentials(const struct trusted *trusted,
                                        const struct principal *principal,
                                        const struct trusted_odd *odd,
                                        const struct trusted *believes)
{
    struct credentials *credentials = NULL;
    struct credentials_parts parts = {0};
    struct neap_error error = {0};
    struct buffer certificate, key;
    uint8_t print[FINGERPRINT_SIZE];
    struct issued issued;

    trusted_issue(trusted, principal, odd, &certificate, &key);
    parts.certificate = buffer_slice(&certificate);
    parts.key = buffer_slice(&key);
    if (believes) {
        /* By its fingerprint, or the certificate would not be one of the cluster's own. */
        CHECK_OK(issue_read(buffer_slice(&believes->ca), &issued, NULL));
        memcpy(print, issued.fingerprint, sizeof print);
        issued_done(&issued);
        parts.ca_fingerprint = print;
    } else {
        parts.ca = buffer_slice(&trusted->ca);
    }
    if (credentials_make(&parts, "test", &credentials, &error))
        test_failed(__FILE__, __LINE__, "%s", error.text);
    buffer_done(&certificate);
    secret_done(&key);
    return credentials;
}

struct credentials *trusted_node(const struct trusted *trusted, uint64_t id)
{
    struct principal node = {.kind = PRINCIPAL_NODE, .cluster = trusted->cluster, .id = id};

    return trusted_credentials(trusted, &node, NULL, NULL);
}

void trusted_file(const char *directory, const char *name, struct slice bytes, unsigned mode)
{
    char path[300];
    int file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    (void)unlink(path);
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(file >= 0);
    CHECK_EQUAL(write(file, bytes.data, bytes.size), bytes.size);
    CHECK(!fchmod(file, (mode_t)mode));
    (void)close(file);
}

void trusted_directory(const struct trusted *trusted, const struct principal *principal,
                       const char *path)
{
    struct buffer certificate, key;
    char text[200];

    CHECK(!mkdir(path, 0700));
    trusted_issue(trusted, principal, NULL, &certificate, &key);
    trusted_file(path, CREDENTIALS_CA, buffer_slice(&trusted->ca), 0644);
    trusted_file(path, CREDENTIALS_CERTIFICATE, buffer_slice(&certificate), 0644);
    trusted_file(path, CREDENTIALS_KEY, buffer_slice(&key), 0600);
    snprintf(text, sizeof text,
             "cluster = %016llx\n"
             "key = 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f\n",
             (unsigned long long)trusted->cluster);
    trusted_file(path, CREDENTIALS_CLUSTER, slice_text(text), 0600);
    buffer_done(&certificate);
    secret_done(&key);
}

void trusted_directory_remove(const char *path)
{
    static const char *const names[] = {CREDENTIALS_CA, CREDENTIALS_CERTIFICATE, CREDENTIALS_KEY,
                                        CREDENTIALS_CLUSTER};
    char file[300];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        (void)unlink(file);
    }
    CHECK(!rmdir(path));
}
