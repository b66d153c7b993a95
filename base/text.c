#include "base/text.h"

#include <string.h>

#include "base/alloc.h"

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool hex_read(const char *text, uint8_t *ret_bytes, size_t size)
{
    for (size_t i = 0; i < 2 * size; i++)
        if (hex_value(text[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        ret_bytes[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    return true;
}

bool hex_read_u64(const char *text, uint64_t *ret_number)
{
    uint8_t bytes[sizeof(uint64_t)];

    if (!hex_read(text, bytes, sizeof bytes))
        return false;
    *ret_number = bytes_get_u64(bytes);
    return true;
}

void hex_write(struct slice bytes, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        ret_text[2 * i] = digits[bytes.data[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    ret_text[2 * bytes.size] = 0;
}

char *text_trim(char *text)
{
    static const char blanks[] = " \t\r";
    char *end;

    text += strspn(text, blanks);
    end = text + strlen(text);
    while (end > text && strchr(blanks, end[-1]))
        *--end = 0;
    return text;
}

char *text_parent(const char *path)
{
    size_t size = strlen(path);
    char *parent = mem_new(size + 2), *end;

    if (!parent)
        return NULL;
    memcpy(parent, path, size);
    end = parent + size;
    while (end > parent + 1 && end[-1] == '/')
        *--end = 0;
    end = strrchr(parent, '/');
    if (end)
        end[end == parent] = 0;
    else
        memcpy(parent, ".", 2);
    return parent;
}
