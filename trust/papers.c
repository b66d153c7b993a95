#include "trust/papers.h"

#include "base/alloc.h"
#include "base/error.h"
#include "trust/cluster.h"
#include "trust/issue.h"
#include "trust/secret.h"

int papers_write(const struct papers *papers, struct buffer *ret_text)
{
    struct buffer text;
    int code;

    buffer_init(&text, PAPERS_MAX);
    /* All at once: what grows leaves copies behind. */
    code = buffer_reserve(&text, papers->cluster.size + papers->certificate.size + papers->ca.size);
    if (code)
        return code;
    (void)buffer_append(&text, papers->cluster);
    (void)buffer_append(&text, papers->certificate);
    (void)buffer_append(&text, papers->ca);
    *ret_text = text;
    return 0;
}

static const uint8_t *text_find(struct slice text, const char *word)
{
    return text.size ? memmem(text.data, text.size, word, strlen(word)) : NULL;
}

/* Takes the block at the front of `text` off. */
static bool block_take(struct slice *text, struct slice *ret_block)
{
    const uint8_t *last = text_find(*text, PEM_CERTIFICATE_END);
    size_t size;

    if (!last || !slice_starts(*text, slice_text(PEM_CERTIFICATE_BEGIN)))
        return false;
    size = (size_t)(last - text->data) + strlen(PEM_CERTIFICATE_END);
    *ret_block = slice_of(text->data, size);
    *text = slice_of(text->data + size, text->size - size);
    return true;
}

int papers_read(struct slice text, struct papers *ret_papers, struct neap_error *error)
{
    struct papers papers = {0};
    const uint8_t *first = text_find(text, PEM_CERTIFICATE_BEGIN);

    if (first) {
        papers.cluster = slice_of(text.data, (size_t)(first - text.data));
        text = slice_of(first, text.size - papers.cluster.size);
    }
    if (!first || !block_take(&text, &papers.certificate) || !block_take(&text, &papers.ca) ||
        text.size)
        return error_set(
            error, NEAP_INVALID,
            "this is no answer of `neap cert sign`: it has a certificate and the CA's");
    *ret_papers = papers;
    return 0;
}

static int cluster_check(struct slice text, const struct principal *who, struct neap_error *error)
{
    struct cluster cluster = {0};
    struct buffer copy;
    int code;

    if (!text.size && who->kind == PRINCIPAL_CLIENT)
        return 0;
    buffer_init(&copy, SECRET_FILE_MAX);
    if (buffer_reserve(&copy, text.size + 1))
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    (void)buffer_append(&copy, text);
    (void)buffer_append_u8(&copy, 0);
    code = cluster_parse((const char *)copy.data, "the answer", &cluster, error);
    secret_done(&copy);
    if (!code && cluster.id != who->cluster)
        code =
            error_set(error, NEAP_INVALID, "the certificate is of another cluster than its file");
    secret_wipe(&cluster, sizeof cluster);
    return code;
}

int papers_check(const struct papers *papers, struct slice key, struct slice ca,
                 struct issued *ret_issued, struct neap_error *error)
{
    struct issued issued, theirs = {0}, ours = {0};
    bool same = true;
    int code = 0;

    if (ca.size) {
        code = issue_read(papers->ca, &theirs, error);
        if (!code)
            code = issue_read(ca, &ours, error);
        same = !memcmp(theirs.fingerprint, ours.fingerprint, FINGERPRINT_SIZE);
        issued_done(&theirs);
        issued_done(&ours);
    }
    if (!code && !same)
        code = error_set(error, NEAP_REFUSED, "it is signed by another CA than this one");
    if (!code)
        code = issue_check(papers->ca, papers->certificate, key, error);
    if (!code)
        code = issue_read(papers->certificate, &issued, error);
    if (code)
        return code;
    code = cluster_check(papers->cluster, &issued.principal, error);
    if (code)
        issued_done(&issued);
    else
        *ret_issued = issued;
    return code;
}
