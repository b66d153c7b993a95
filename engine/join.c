#include "engine/join.h"

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "trust/secret.h"

enum { TEXT_MAX = sizeof((struct neap_error *)NULL)->text - 1 };

bool join_is_question(struct slice message)
{
    static const uint8_t begin[] = {0x92, 0x00}; /* an array of two, and zero */

    return slice_starts(message, slice_of(begin, sizeof begin));
}

int join_question_write(struct slice request, struct buffer *ret_message)
{
    struct buffer message;
    struct writer writer;

    buffer_init(&message, JOIN_QUESTION_MAX);
    writer_init(&writer, &message);
    write_array(&writer, 2);
    write_u64(&writer, 0);
    write_bin(&writer, request);
    if (writer.error)
        buffer_done(&message);
    else
        *ret_message = message;
    return writer.error;
}

static int question_read(struct slice message, struct slice *ret_request)
{
    struct reader reader;
    struct slice request;
    uint64_t zero;

    reader_init(&reader, message);
    read_array_of(&reader, 2);
    zero = read_u64(&reader);
    request = read_bin(&reader, JOIN_QUESTION_MAX);
    if (reader_end(&reader) || zero)
        return NEAP_INVALID;
    *ret_request = request;
    return 0;
}

/* What is wrong here is nobody else's business, but that he may try again. */
static bool is_for_others(int code)
{
    return code == NEAP_REFUSED || code == NEAP_INVALID || code == NEAP_LIMIT;
}

static int answer_write(const struct neap_error *error, struct slice papers,
                        struct buffer *ret_answer)
{
    bool told = !error->code || is_for_others(error->code);
    struct buffer answer;
    struct writer writer;

    buffer_init(&answer, JOIN_ANSWER_MAX);
    if (buffer_reserve(&answer, papers.size + TEXT_MAX + 32))
        return NEAP_NOMEM;
    writer_init(&writer, &answer);
    write_array(&writer, 3);
    write_i64(&writer, told ? error->code : NEAP_UNAVAILABLE);
    write_str(&writer, !error->code ? ""
                       : told       ? error->text
                                    : "the node cannot hand out certificates now: its "
                                      "log says why");
    write_bin(&writer, papers);
    if (writer.error)
        secret_done(&answer);
    else
        *ret_answer = answer;
    return writer.error;
}

int join_refuse(const struct neap_error *error, struct buffer *ret_answer)
{
    return answer_write(error, slice_of(NULL, 0), ret_answer);
}

int join_serve(const struct admitting *admitting, const struct principal *who, struct slice message,
               struct buffer *ret_answer, struct neap_error *ret_error)
{
    struct neap_error error = {0};
    struct buffer papers = {0};
    struct slice request = {0};
    int code;

    /* What is no question at all is no request either: of a token it counts as one that failed. */
    if (question_read(message, &request))
        request = slice_of(NULL, 0);
    code = admit(admitting, who, request, &papers, &error);
    if (code == NEAP_NOMEM) {
        *ret_error = error;
        return code;
    }
    code = answer_write(&error, buffer_slice(&papers), ret_answer);
    secret_done(&papers);
    if (!code)
        *ret_error = error;
    return code;
}

int join_answer_read(struct slice message, struct slice *ret_papers, struct neap_error *error)
{
    struct reader reader;
    struct slice text, papers;
    int64_t code;

    reader_init(&reader, message);
    read_array_of(&reader, 3);
    code = read_i64(&reader);
    text = read_str(&reader, TEXT_MAX);
    papers = read_bin(&reader, PAPERS_MAX);
    if ((reader_end(&reader) && !BROKEN("answer-unread")) || code > 0 || code < NEAP_FORMAT ||
        (!code && !papers.size))
        return error_set(error, NEAP_UNCERTAIN, "the node's answer cannot be read");
    if (code)
        return error_set(error, (int)code, "%.*s", (int)text.size,
                         text.size ? (const char *)text.data : "");
    *ret_papers = papers;
    return 0;
}
