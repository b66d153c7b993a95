#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"

int cli_exit_code(int code)
{
    switch (code) {
    case NEAP_OK:
        return EXIT_FINE;
    case NEAP_INVALID:
    case NEAP_LIMIT:
        return EXIT_USAGE;
    case NEAP_UNAVAILABLE:
    case NEAP_UNCERTAIN:
        return EXIT_UNREACHABLE;
    case NEAP_REFUSED:
    case NEAP_LOCKED:
    case NEAP_FORMAT:
        return EXIT_NO;
    default:
        return EXIT_DIFFERS;
    }
}

int cli_fail(struct cli *cli, int code, const char *doing)
{
    const char *text = cli->error.text[0] ? cli->error.text : neap_strerror(code);

    if (cli->json) {
        json_t *json = json_pack("{s:s, s:i, s:s}", "doing", doing, "code", code, "error", text);

        json_dumpf(json, stderr, JSON_COMPACT);
        fputc('\n', stderr);
        json_decref(json);
    } else {
        fprintf(stderr, "neap: %s: %s\n", doing, text);
    }
    return cli_exit_code(code);
}

int cli_sure(struct cli *cli, const char *doing, const char *what)
{
    char answer[16] = "";

    if (cli->yes)
        return 0;
    if (cli->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        snprintf(cli->error.text, sizeof(cli->error.text), "%s: say --yes if it is to be", what);
        return cli_fail(cli, NEAP_REFUSED, doing);
    }
    fprintf(stderr, "neap: %s: %s. Go on? [y/N] ", doing, what);
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    fprintf(stderr, "neap: %s: nothing was done\n", doing);
    return EXIT_NO;
}

struct neap_bytes bytes_of(const char *text)
{
    return (struct neap_bytes){.data = text, .size = strlen(text)};
}

struct neap_place cli_place(const struct cli *cli)
{
    return (struct neap_place){.bucket = cli->argv[0],
                               .key = bytes_of(cli->argc > 1 ? cli->argv[1] : ""),
                               .fields = cli->fields_count ? cli->fields : NULL,
                               .fields_count = cli->fields_count};
}

json_t *json_bytes(struct neap_bytes bytes)
{
    json_t *json = json_stringn(bytes.data ? bytes.data : "", bytes.size);
    char *hex;

    if (json)
        return json;
    hex = malloc(bytes.size * 2 + 1);
    if (hex == NULL)
        return NULL;
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)bytes.data)[i]);
    json = json_pack("{s:s}", "hex", hex);
    free(hex);
    return json;
}

int number_take(const char *text, uint64_t most, uint64_t *ret_number)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number > most)
        return -1;
    *ret_number = number;
    return 0;
}

int cli_number(const char *text, const char *doing, int64_t *ret_number)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (end == text || *end || errno) {
        fprintf(stderr, "neap: %s: `%s` is not a whole number\n", doing, text);
        return -1;
    }
    *ret_number = number;
    return 0;
}

int time_take(const char *text, uint64_t most, uint64_t *ret_ms)
{
    static const struct {
        char letter;
        uint64_t ms;
    } units[] = {{0, 1}, {'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || errno || !number || (*end && end[1]))
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (*end != units[i].letter)
            continue;
        if (number > most / units[i].ms)
            return -1;
        *ret_ms = number * units[i].ms;
        return 0;
    }
    return -1;
}

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef", *found = digit ? strchr(digits, tolower(digit)) : NULL;

    return found ? (int)(found - digits) : -1;
}

int json_take_bytes(const json_t *json, struct neap_bytes *ret_bytes)
{
    const json_t *hex = json_object_get(json, "hex"), *text = hex ? hex : json;
    const char *from = json_string_value(text);
    size_t size = json_string_length(text);
    unsigned char *data;

    if (!json_is_string(text) || (hex && size % 2))
        return -1;
    data = malloc(size + 1);
    if (data == NULL)
        return -1;
    if (hex == NULL) {
        memcpy(data, from, size);
        *ret_bytes = (struct neap_bytes){data, size};
        return 0;
    }
    for (size_t i = 0; i < size; i += 2) {
        int high = hex_digit(from[i]), low = hex_digit(from[i + 1]);

        if (high < 0 || low < 0) {
            free(data);
            return -1;
        }
        data[i / 2] = (unsigned char)(high << 4 | low);
    }
    *ret_bytes = (struct neap_bytes){data, size / 2};
    return 0;
}

void print_bytes(FILE *file, struct neap_bytes bytes)
{
    const unsigned char *data = bytes.data;
    json_t *text = json_stringn(bytes.size ? bytes.data : "", bytes.size);
    unsigned last = text ? 0xff : 0x7e; /* what is no UTF-8 would spoil the terminal */

    json_decref(text);
    for (size_t i = 0; i < bytes.size; i++)
        if (data[i] < 0x20 || data[i] == 0x7f || data[i] == '\\' || data[i] > last)
            fprintf(file, "\\x%02x", data[i]);
        else
            fputc(data[i], file);
}

void progress(const char *what, uint64_t count, int done)
{
    enum { EVERY = 500 };

    if (!isatty(STDERR_FILENO) || (!done && count % EVERY))
        return;
    fprintf(stderr, "\r%s: %llu%s", what, (unsigned long long)count, done ? "\n" : "");
    fflush(stderr);
}

const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? text : "-";
}

json_int_t number_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

void print_time(json_int_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[32] = "-";

    if (gmtime_r(&seconds, &parts))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    printf("%s.%03dZ", text, (int)(wall_ms % 1000));
}
