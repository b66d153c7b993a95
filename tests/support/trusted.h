/* Clusters with a CA, certificates and directories, made for a test. */
#ifndef NEAP_TESTS_TRUSTED_H
#define NEAP_TESTS_TRUSTED_H
#include "trust/credentials.h"
#include "trust/issue.h"

struct trusted {
    uint64_t cluster;
    struct buffer ca, ca_key;
};

/* What a certificate says that is not as it should be; all zero: nothing. */
struct trusted_odd {
    struct issue_span span; /* until_s 0: now */
    unsigned usage;         /* 0: ISSUE_BOTH */
};

uint64_t trusted_now_s(void);
void trusted_open(struct trusted *trusted, uint64_t cluster);
void trusted_close(struct trusted *trusted);
/* A certificate and its key. */
void trusted_issue(const struct trusted *trusted, const struct principal *principal,
                   const struct trusted_odd *odd, struct buffer *ret_certificate,
                   struct buffer *ret_key);
/* The same as credentials in memory; they believe `believes`, their own cluster when NULL. */
struct credentials *trusted_credentials(const struct trusted *trusted,
                                        const struct principal *principal,
                                        const struct trusted_odd *odd,
                                        const struct trusted *believes);
struct credentials *trusted_node(const struct trusted *trusted, uint64_t id);
/* A cluster directory at `path`, which is made, and removed with what is in it. */
void trusted_directory(const struct trusted *trusted, const struct principal *principal,
                       const char *path);
void trusted_directory_remove(const char *path);
void trusted_file(const char *directory, const char *name, struct slice bytes, unsigned mode);
#endif
