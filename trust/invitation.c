#include "trust/invitation.h"

#include <mbedtls/base64.h>

#include "base/error.h"
#include "base/pack.h"
#include "trust/secret.h"

static const char prefix[] = "neap-token:";
enum { PREFIX_SIZE = sizeof prefix - 1, FORMAT = 1 };
/* What is in it must fit with a third more as base64. */
enum { PACKED_MAX = (INVITATION_MAX - PREFIX_SIZE) / 4 * 3 - 8, KEY_DER_MAX = 256 };

static int fail(struct neap_error *error, int code)
{
    return error_set(error, code, "%s",
                     code == NEAP_NOMEM ? error_text(code)
                                        : "this is no token of neap, or only a "
                                          "part of one");
}

static int packed_write(const struct invitation *invitation, struct slice certificate,
                        struct slice key, struct buffer *ret_packed)
{
    struct writer writer;

    buffer_init(ret_packed, PACKED_MAX);
    if (buffer_reserve(ret_packed, PACKED_MAX))
        return NEAP_NOMEM;
    writer_init(&writer, ret_packed);
    write_array(&writer, 5);
    write_u64(&writer, FORMAT);
    write_u64(&writer, invitation->made_by);
    write_bin(&writer, slice_of(invitation->fingerprint, FINGERPRINT_SIZE));
    write_bin(&writer, certificate);
    write_bin(&writer, key);
    return writer.error;
}

static int text_write(struct slice packed, struct buffer *ret_text)
{
    struct buffer text;
    size_t size = 0;

    buffer_init(&text, INVITATION_MAX);
    if (buffer_reserve(&text, INVITATION_MAX))
        return NEAP_NOMEM;
    memcpy(text.data, prefix, PREFIX_SIZE);
    if (mbedtls_base64_encode(text.data + PREFIX_SIZE, text.room - PREFIX_SIZE, &size, packed.data,
                              packed.size)) {
        secret_done(&text);
        return NEAP_LIMIT;
    }
    text.size = PREFIX_SIZE + size;
    *ret_text = text;
    return 0;
}

int invitation_write(const struct invitation *invitation, struct buffer *ret_text,
                     struct neap_error *error)
{
    struct buffer certificate = {0}, key = {0}, packed = {0};
    int code = issue_der(buffer_slice(&invitation->certificate), &certificate, error);

    if (!code)
        code = issue_der(buffer_slice(&invitation->key), &key, error);
    if (!code) {
        code = packed_write(invitation, buffer_slice(&certificate), buffer_slice(&key), &packed);
        if (!code)
            code = text_write(buffer_slice(&packed), ret_text);
        if (code)
            error_set(error, code, "%s", error_text(code));
    }
    secret_done(&packed);
    secret_done(&key);
    buffer_done(&certificate);
    return code;
}

static int packed_read(struct slice packed, struct invitation *invitation, struct neap_error *error)
{
    struct slice fingerprint, certificate, key;
    struct reader reader;
    uint64_t format;
    int code;

    reader_init(&reader, packed);
    read_array_of(&reader, 5);
    format = read_u64(&reader);
    if (!reader.error && format != FORMAT)
        return error_set(error, NEAP_FORMAT, "a token of a newer neap: upgrade this one");
    invitation->made_by = read_u64(&reader);
    fingerprint = read_bin(&reader, FINGERPRINT_SIZE);
    certificate = read_bin(&reader, PACKED_MAX);
    key = read_bin(&reader, KEY_DER_MAX);
    if (reader_end(&reader) || fingerprint.size != FINGERPRINT_SIZE)
        return fail(error, NEAP_INVALID);
    memcpy(invitation->fingerprint, fingerprint.data, FINGERPRINT_SIZE);
    code = issue_pem(certificate, false, &invitation->certificate, error);
    return code ? code : issue_pem(key, true, &invitation->key, error);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static struct slice trimmed(struct slice text)
{
    while (text.size && is_blank(text.data[0]))
        text = slice_of(text.data + 1, text.size - 1);
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* That the parts are what they say they are, and belong together. */
static int invitation_check(const struct invitation *invitation, struct neap_error *error)
{
    struct issued issued;
    enum principal_kind kind;
    int code = issue_read(buffer_slice(&invitation->certificate), &issued, error);

    if (code)
        return code == NEAP_NOMEM ? code : fail(error, NEAP_INVALID);
    kind = issued.principal.kind;
    issued_done(&issued);
    if (kind != PRINCIPAL_JOIN)
        return fail(error, NEAP_INVALID);
    code =
        issue_pair(buffer_slice(&invitation->certificate), buffer_slice(&invitation->key), error);
    return !code || code == NEAP_NOMEM ? code : fail(error, NEAP_INVALID);
}

int invitation_read(struct slice text, struct invitation *ret_invitation, struct neap_error *error)
{
    struct invitation invitation = {0};
    struct buffer packed;
    size_t size = 0;
    int code;

    text = trimmed(text);
    if (text.size >= INVITATION_MAX || !slice_starts(text, slice_text(prefix)))
        return fail(error, NEAP_INVALID);
    buffer_init(&packed, INVITATION_MAX);
    if (buffer_reserve(&packed, INVITATION_MAX))
        return fail(error, NEAP_NOMEM);
    if (mbedtls_base64_decode(packed.data, packed.room, &size, text.data + PREFIX_SIZE,
                              text.size - PREFIX_SIZE))
        code = fail(error, NEAP_INVALID);
    else
        code = packed_read(slice_of(packed.data, size), &invitation, error);
    secret_done(&packed);
    if (!code)
        code = invitation_check(&invitation, error);
    if (code)
        invitation_done(&invitation);
    else
        *ret_invitation = invitation;
    return code;
}

void invitation_done(struct invitation *invitation)
{
    secret_done(&invitation->key);
    buffer_done(&invitation->certificate);
    *invitation = (struct invitation){0};
}
