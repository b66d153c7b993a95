/* doctor: what is wrong with a node, or with a directory, and what to do. */
#include <string.h>

#include "tools/cli.h"

/* A directory that can't be opened is what a doctor is called for: that is a finding. */
static const char *open_todo(int code)
{
    switch (code) {
    case NEAP_LOCKED:
        return "a neapd has it open: ask that one, without --dir";
    case NEAP_NOTFOUND:
        return "no data is there: see the path, `path` in neapd's configuration";
    case NEAP_CORRUPT:
        return "keep a copy of the directory; restore a backup, or start on an empty one: peers "
               "fill it";
    case NEAP_IO:
        return "see the disk (`dmesg`, SMART)";
    case NEAP_FORMAT:
        return "it was written by a newer version: use that one";
    case NEAP_REFUSED:
        return "see what the text says; docs/operations.md";
    default:
        return "see what the text says";
    }
}

static json_t *open_finding(const struct cli *cli, int code)
{
    const char *text = cli->error.text[0] ? cli->error.text : neap_strerror(code);

    return json_pack("{s:[{s:s, s:s, s:s, s:s, s:s}], s:i, s:i, s:i}", "findings", "name", "open",
                     "severity", "critical", "about", cli->directory, "text", text, "todo",
                     open_todo(code), "critical", 1, "warning", 0, "notice", 0);
}

static void print_finding(const json_t *finding)
{
    const char *about = json_string_value(json_object_get(finding, "about"));

    printf("%-8s  %s%s%s: %s\n", text_of(finding, "severity"), text_of(finding, "name"),
           about ? " " : "", about ? about : "", text_of(finding, "text"));
    printf("          to do: %s\n", text_of(finding, "todo"));
}

static int findings_show(const struct cli *cli, const json_t *json)
{
    const json_t *findings = json_object_get(json, "findings"), *item;
    size_t i;

    if (cli->json)
        print_json(json);
    else if (json_array_size(findings) == 0)
        printf("nothing is wrong\n");
    json_array_foreach(findings, i, item)
    {
        if (!cli->json)
            print_finding(item);
    }
    return number_of(json, "critical") + number_of(json, "warning") ? EXIT_DIFFERS : EXIT_FINE;
}

int command_doctor(struct cli *cli)
{
    const char *const words[] = {"doctor"};
    json_t *json;
    int result = 0, code = 0;

    if (cli->directory)
        code = cli_open(cli);
    else
        result = cli_node(cli);
    if (result)
        return result;
    json = code ? open_finding(cli, code) : cli_ask(cli, 1, words, &result);
    if (json)
        result = findings_show(cli, json);
    json_decref(json);
    return result;
}
