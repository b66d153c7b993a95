/* completion: scripts for shells, made of the table of commands. */
#include <string.h>

#include "tools/cli.h"

/* What comes after a flag. */
enum after { NOTHING, TEXT, FILES, FOLDERS, ONE_OF };

/* The flags of neap.c, with the letter of those that not every command takes ('*': each does). */
static const struct flag {
    const char *name, *letter; /* letter: as in -n; NULL: it has none */
    char taker;                /* as in struct command */
    enum after after;
    const char *words, *help;
} flags[] = {
    {"node", "n", 'n', FILES, "", "socket of the neapd to ask"},
    {"dir", NULL, 'n', FOLDERS, "", "open this data directory"},
    {"cluster", NULL, 'n', FILES, "", "the cluster directory or file"},
    {"field", "f", 'f', TEXT, "", "a step into a map"},
    {"type", NULL, 't', ONE_OF, "TYPES", "of which type"},
    {"output", "o", '*', ONE_OF, "table json", "form of the output"},
    {"from", NULL, 's', TEXT, "", "start listing here"},
    {"limit", NULL, 'l', TEXT, "", "list at most so many"},
    {"since", NULL, 'b', TEXT, "", "what came after this token"},
    {"peer", NULL, 'p', TEXT, "", "this peer alone"},
    {"format", NULL, 'm', ONE_OF, "json dpkg", "of what is imported"},
    {"timeout", NULL, '*', TEXT, "", "milliseconds to wait for an answer"},
    {"level", NULL, 'q', ONE_OF, "one quorum all edge local each", "so many nodes"},
    {"r", NULL, 'r', TEXT, "", "of a read, so many nodes"},
    {"pr", NULL, 'r', TEXT, "", "of a read, so many owners"},
    {"w", NULL, 'w', TEXT, "", "of a write, so many nodes"},
    {"pw", NULL, 'w', TEXT, "", "of a write, so many owners"},
    {"once", NULL, 'o', TEXT, "", "done again with the same id it is done once"},
    {"ttl", NULL, 'e', TEXT, "", "gone after so long"},
    {"dry-run", NULL, 'd', NOTHING, "", "what a repair would do"},
    {"budget", NULL, 'B', TEXT, "", "bytes a second"},
    {"resume", NULL, 'B', NOTHING, "", "also where it is paused"},
    {"yes", NULL, 'y', NOTHING, "", "without being asked"},
    {"prometheus", NULL, 'P', NOTHING, "", "in the text format of Prometheus"},
    {"ring", NULL, 'R', NOTHING, "", "of five nodes that hold a ring"},
    {"file", NULL, 'F', NOTHING, "", "a file with id and key alone"},
    {"kind", NULL, 'k', ONE_OF, "node device client", "who a certificate is for"},
    {"read", NULL, 'k', TEXT, "", "a bucket that it may read"},
    {"write", NULL, 'k', TEXT, "", "a bucket that it may write"},
    {"id", NULL, 'k', TEXT, "", "the id of one that there was"},
    {"valid", NULL, 'k', TEXT, "", "how long its certificate is valid"},
    {"version", "V", 0, NOTHING, "", "print it"},
    {"help", "h", 0, NOTHING, "", "print commands and flags"},
};
enum { FLAGS = sizeof(flags) / sizeof(flags[0]) };

/* ---- what the table says ---- */

static int takes(const struct command *command, const struct flag *flag)
{
    return flag->taker == '*' || (flag->taker && strchr(command->flags, flag->taker));
}

/* The words that an argument may be: lower case, with | between them. Else nothing. */
static int choices(const char *argument, size_t size)
{
    size_t allowed = strspn(argument, "abcdefghijklmnopqrstuvwxyz|[]");

    return allowed >= size && argument[0] != '\0';
}

/* Argument number `index` of a command: its first byte and size. 0: it has none so far back; the
 * last one may be repeated. */
static size_t argument_of(const struct command *command, size_t index, const char **ret_text)
{
    const char *at = command->arguments;

    for (;; index--) {
        size_t size = strcspn(at, " ");

        if (size == 0)
            return 0;
        *ret_text = at;
        if (index == 0)
            return size;
        at += size + (at[size] == ' ');
    }
}

static int argument_is(const char *text, size_t size, const char *name)
{
    size_t length = strlen(name);

    while (size && (*text == '[' || *text == '.')) {
        text++;
        size--;
    }
    return size >= length && strncmp(text, name, length) == 0;
}

/* "on|off" as "on off", without brackets. */
static void print_choices(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != '[' && text[i] != ']')
            putchar(text[i] == '|' ? ' ' : text[i]);
}

static void print_words(const struct flag *flag)
{
    if (strcmp(flag->words, "TYPES") != 0) {
        printf("%s", flag->words);
        return;
    }
    for (enum neap_type type = type_next(NEAP_ANY); type; type = type_next(type))
        printf("%s ", type_name(type));
}

/* ---- bash ---- */

static void bash_values(void)
{
    printf("    case $prev in\n");
    for (size_t i = 0; i < FLAGS; i++) {
        if (flags[i].after == NOTHING)
            continue;
        printf("    --%s%s%s) ", flags[i].name, flags[i].letter ? "|-" : "",
               flags[i].letter ? flags[i].letter : "");
        if (flags[i].after == FILES) {
            printf("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")");
        } else if (flags[i].after == FOLDERS) {
            printf("mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")");
        } else if (flags[i].after == ONE_OF) {
            printf("mapfile -t COMPREPLY < <(compgen -W '");
            print_words(&flags[i]);
            printf("' -- \"$cur\")");
        } else {
            printf("COMPREPLY=()");
        }
        printf("; return ;;\n");
    }
    printf("    esac\n");
}

static void bash_argument(const char *text, size_t size)
{
    if (choices(text, size)) {
        printf("mapfile -t COMPREPLY < <(compgen -W '");
        print_choices(text, size);
        printf("' -- \"$cur\")");
    } else if (argument_is(text, size, "BUCKET") && !argument_is(text, size, "BUCKET ")) {
        printf("_neap_buckets");
    } else if (argument_is(text, size, "DIRECTORY") || argument_is(text, size, "FILE") ||
               argument_is(text, size, "TOKEN") || argument_is(text, size, "WHAT")) {
        printf("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")");
    } else {
        printf("COMPREPLY=()");
    }
}

static void bash_command(const struct command *command)
{
    const char *text = NULL;
    size_t size;

    printf("    %s)\n        flags='", command->name);
    for (size_t i = 0; i < FLAGS; i++)
        if (takes(command, &flags[i]))
            printf(" --%s", flags[i].name);
    printf("'\n        case $at in\n");
    for (size_t i = 0; (size = argument_of(command, i, &text)) > 0; i++) {
        int again = size > 3 && strncmp(text + size - 3, "...", 3) == 0;

        printf("        %zu%s) ", i, again ? "|*" : "");
        bash_argument(text, size);
        printf(" ;;\n");
    }
    printf("        esac\n        ;;\n");
}

static void bash(const struct command *commands, size_t count)
{
    printf("# bash completion for neap: source <(neap completion bash)\n"
           "_neap_buckets()\n{\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$(neap \"${node[@]}\" status 2>/dev/null |\n"
           "        awk '$1 == \"bucket\" { on = 1; next } !NF { on = 0 } on && $2 ~ /^[0-9]+$/ { "
           "print $1 }')\" -- "
           "\"$cur\")\n}\n"
           "_neap()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local command='' flags='' at=0 i word\n    local -a node=()\n"
           "    COMPREPLY=()\n");
    bash_values();
    printf("    for ((i = 1; i < COMP_CWORD; i++)); do\n        word=${COMP_WORDS[i]}\n"
           "        case $word in\n"
           "        --node|-n) node=(-n \"${COMP_WORDS[++i]}\") ;;\n        ");
    for (size_t i = 0; i < FLAGS; i++)
        if (flags[i].after != NOTHING && strcmp(flags[i].name, "node") != 0)
            printf("%s--%s%s%s", i > 1 ? "|" : "", flags[i].name, flags[i].letter ? "|-" : "",
                   flags[i].letter ? flags[i].letter : "");
    printf(") ((i++)) ;;\n        -*) ;;\n"
           "        *) if [[ -z $command ]]; then command=$word; else ((at++)); fi ;;\n"
           "        esac\n    done\n    case $command in\n    '')\n        flags='");
    for (size_t i = 0; i < FLAGS; i++)
        printf("%s--%s", i ? " " : "", flags[i].name);
    printf("'\n        mapfile -t COMPREPLY < <(compgen -W '");
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", commands[i].name);
    printf("' -- \"$cur\")\n        ;;\n");
    for (size_t i = 0; i < count; i++)
        bash_command(&commands[i]);
    printf("    esac\n    if [[ $cur == -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n    fi\n}\n"
           "complete -o filenames -F _neap neap\n");
}

/* ---- zsh ---- */

/* Inside '...' of a list of descriptions. */
static void zsh_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr(":[]\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void zsh_after(const struct flag *flag)
{
    if (flag->after == NOTHING)
        return;
    printf(":%s:", flag->name);
    if (flag->after == FILES) {
        printf("_files");
    } else if (flag->after == FOLDERS) {
        printf("_files -/");
    } else if (flag->after == ONE_OF) {
        printf("(");
        print_words(flag);
        printf(")");
    } else {
        printf(" ");
    }
}

static void zsh_flag(const struct flag *flag)
{
    if (flag->letter)
        printf("        '*'{-%s,--%s}'[", flag->letter, flag->name);
    else
        printf("        '*--%s[", flag->name);
    zsh_text(flag->help);
    printf("]");
    zsh_after(flag);
    printf("' \\\n");
}

static void zsh_argument(const char *text, size_t size)
{
    if (choices(text, size)) {
        printf("compadd -- ");
        print_choices(text, size);
    } else if (argument_is(text, size, "BUCKET")) {
        printf("_neap_buckets");
    } else if (argument_is(text, size, "DIRECTORY") || argument_is(text, size, "FILE") ||
               argument_is(text, size, "TOKEN") || argument_is(text, size, "WHAT")) {
        printf("_files");
    } else {
        printf("_message '%.*s'", (int)size, text);
    }
}

static void zsh_command(const struct command *command)
{
    const char *text = NULL;
    size_t size;

    printf("    %s)\n        case $(($#line - 2)) in\n", command->name);
    for (size_t i = 0; (size = argument_of(command, i, &text)) > 0; i++) {
        int again = size > 3 && strncmp(text + size - 3, "...", 3) == 0;

        printf("        %zu%s) ", i, again ? "|*" : "");
        zsh_argument(text, size);
        printf(" ;;\n");
    }
    printf("        esac\n        ;;\n");
}

static void zsh(const struct command *commands, size_t count)
{
    printf("#compdef neap\n"
           "# zsh completion for neap: source <(neap completion zsh), or as _neap in $fpath\n"
           "_neap_buckets()\n{\n    local -a given buckets\n"
           "    given=(${opt_args[-n]:+-n ${opt_args[-n]}} ${opt_args[--node]:+-n "
           "${opt_args[--node]}})\n"
           "    buckets=(${(f)\"$(neap $given status 2>/dev/null |\n"
           "        awk '$1 == \"bucket\" { on = 1; next } !NF { on = 0 } on && $2 ~ /^[0-9]+$/ { "
           "print $1 }')\"})\n"
           "    compadd -a buckets\n}\n"
           "_neap()\n{\n    local context state state_descr line\n    local -A opt_args\n"
           "    local -a commands\n    commands=(\n");
    for (size_t i = 0; i < count; i++) {
        printf("        '%s:", commands[i].name);
        zsh_text(commands[i].help);
        printf("'\n");
    }
    printf("    )\n    _arguments -C -s \\\n");
    for (size_t i = 0; i < FLAGS; i++)
        zsh_flag(&flags[i]);
    printf("        '1:command:->command' '*::argument:->argument'\n"
           "    if [[ $state == command ]]; then\n"
           "        _describe -t commands command commands\n        return\n    fi\n"
           "    [[ $state == argument ]] || return\n"
           "    case $line[1] in\n");
    for (size_t i = 0; i < count; i++)
        zsh_command(&commands[i]);
    printf("    esac\n}\n"
           "if [[ $funcstack[1] == _neap ]]; then _neap \"$@\"; else compdef _neap neap; fi\n");
}

int command_completion(struct cli *cli)
{
    size_t count;
    const struct command *commands = cli_commands(&count);

    if (strcmp(cli->argv[0], "bash") == 0) {
        bash(commands, count);
    } else if (strcmp(cli->argv[0], "zsh") == 0) {
        zsh(commands, count);
    } else {
        fprintf(stderr, "neap: completion: for bash or zsh, not %s\n", cli->argv[0]);
        return EXIT_USAGE;
    }
    return 0;
}
