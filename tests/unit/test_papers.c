#include "trust/papers.h"

#include <string.h>

#include "tests/support/test.h"

#define BLOCK(text) "-----BEGIN CERTIFICATE-----\n" text "-----END CERTIFICATE-----\n"

TEST(papers_are_read_as_they_were_written)
{
    struct papers papers = {.cluster = slice_text("cluster = 1\nkey = 2\n"),
                            .certificate = slice_text(BLOCK("one\n")),
                            .ca = slice_text(BLOCK("two\n"))},
                  again;
    struct buffer text;

    for (int i = 0; i < 2; i++) {
        CHECK_OK(papers_write(&papers, &text));
        CHECK_OK(papers_read(buffer_slice(&text), &again, NULL));
        CHECK_BYTES(again.cluster, papers.cluster);
        CHECK_BYTES(again.certificate, papers.certificate);
        CHECK_BYTES(again.ca, papers.ca);
        buffer_done(&text);
        papers.cluster = slice_of(NULL, 0);
    }
}

TEST(what_are_no_papers_is_refused)
{
    static const char *const bad[] = {"",
                                      "x",
                                      BLOCK("one\n"),
                                      BLOCK("one\n") BLOCK("two\n") "x",
                                      BLOCK("one\n") "x" BLOCK("two\n"),
                                      BLOCK("one\n") BLOCK("two\n") BLOCK("three\n"),
                                      "-----END CERTIFICATE-----\n" BLOCK("one\n"),
                                      BLOCK("one\n") "-----BEGIN CERTIFICATE-----\n"};
    struct papers papers;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(papers_read(slice_text(bad[i]), &papers, NULL), NEAP_INVALID);
}
