#!/bin/sh
# The man pages, --help and what is parsed agree; the examples of the man pages and the README run.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
neap1=$source/docs/man/neap.1 neapd8=$source/docs/man/neapd.8

# section FILE NAME: its lines, without markup.
section()
{
    awk -v name="$2" '/^\.SH / { on = $0 == ".SH " name; next } on' "$1" |
        sed -e 's/\\-/-/g' -e 's/\\f[A-Z]//g' -e 's/\\&//g'
}

# same NAME LIST NAME LIST: both lists have the same lines.
same()
{
    printf '%s\n' "$2" | sort >"$work/$1"
    printf '%s\n' "$4" | sort >"$work/$3"
    test -s "$work/$1" && diff "$work/$1" "$work/$3"
}

commands_of_table=$(sed -n '/^static const struct command commands/,/^};/s/^    {"\([a-z]*\)".*/\1/p' \
    "$source/tools/neap.c")
commands_of_help=$("$NEAP" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
commands_agree()
{
    same table "$commands_of_table" help "$commands_of_help" &&
        same table "$commands_of_table" page "$(section "$neap1" COMMANDS |
            awk '/^\.TP/ { next_is = 1; next } next_is { print $2; next_is = 0 }' | tr -d '"')"
}
check "neap: commands of the table, --help and the man page" commands_agree

# Arguments too: --help writes those of the table.
arguments_agree()
{
    "$NEAP" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z].*\)/\1/p' |
        awk '{ line = $1; for (i = 2; i <= NF && ($i ~ /^\[?[A-Z|\/]+\]*(\.\.\.)?$/ || $i ~ /^(on\|off|\[force\]|\[slots\|buckets\|key|bash\|zsh|\[verify\]|pause\|resume\|cancel\|follow|why|export\|apply|create\|list\|revoke|request\|sign\|take\|show\|renew)$/); i++)
            line = line " " $i; print line }' >"$work/help"
    section "$neap1" COMMANDS | awk '/^\.TP/ { next_is = 1; next }
        next_is { sub(/^\.BI* /, ""); gsub(/"/, ""); gsub(/\[ /, "["); gsub(/ \]/, "]"); gsub(/\] \]/, "]]"); gsub(/  +/, " ");
            sub(/ $/, ""); print; next_is = 0 }' >"$work/page"
    diff "$work/help" "$work/page"
}
check "neap: arguments of --help and the man page" arguments_agree

flags_of()
{
    grep -oE '(^|[ ,(])--?[a-zA-Z][a-z_-]*' | tr -d ' ,(' | sort -u
}
flags_agree()
{
    table=$(sed -n '/poptOption table\[\]/,/POPT_TABLEEND/p' "$source/tools/neap.c" |
        sed -n -e 's/.*{"\([a-z-]*\)", 0,.*/--\1/p' -e "s/.*{\"\\([a-z-]*\\)\", '\\(.\\)',.*/--\\1 -\\2/p" |
        tr ' ' '\n')
    help=$("$NEAP" --help | sed -n '/^Flags:/,/^$/s/^  \( *-.*\)/\1/p' | cut -c1-22 | flags_of)
    page=$(section "$neap1" FLAGS | awk '/^\.TP/ { next_is = 1; next }
        next_is { gsub(/"/, ""); print; next_is = 0 }' | flags_of)
    same table "$table" help "$help" && same table "$table" page "$page"
}
check "neap: flags of the parser, --help and the man page" flags_agree

settings_agree()
{
    table=$(sed -n '/^static const struct setting settings/,/^};/s/^    {"\([a-z_]*\)".*/\1/p' \
        "$source/tools/config.c")
    help=$("$NEAPD" --help | sed -n 's/^ .*--\([a-z_]*\).*/\1/p' |
        grep -vxE 'config|version|help|usage')
    page=$(section "$neapd8" SETTINGS | awk '/^\.TP/ { getline; print $2 }')
    same table "$table" help "$help" && same table "$table" page "$page"
}
check "neapd: settings of the parser, --help and the man page" settings_agree

sample()
{
    sed -n 's/^;* *\([a-z_]*\) = .*/\1/p' "$source/tools/systemd/neapd.ini" >"$work/sample"
    test -s "$work/sample" || return 1
    while read -r key; do
        section "$neapd8" SETTINGS | grep -qx "\.B $key" || {
            echo "$key of the sample file is no setting"
            return 1
        }
    done <"$work/sample"
}
check "neapd: the sample file has only settings that there are" sample

exits_agree()
{
    "$NEAP" --help | grep -q '^Exit: 0 fine, 1 .*, 2 usage, 3 unreachable, 4 refused' &&
        section "$neap1" "EXIT STATUS" | grep -q '^0 fine; 1 .*; 2 usage; 3 unreachable; 4 refused'
}
check "neap: exit codes of --help and the man page" exits_agree

version_agrees()
{
    version=$("$NEAP" --version)
    for page in "$neap1" "$neapd8"; do
        grep -q "^\.TH .*\"$version\"" "$page" || {
            echo "$page is not of $version"
            return 1
        }
    done
}
check "the man pages are of this version" version_agrees

pages_clean()
{
    for page in "$neap1" "$neapd8"; do
        MANWIDTH=100 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>"$work/warnings" \
            >/dev/null
        test ! -s "$work/warnings" || {
            cat "$work/warnings"
            return 1
        }
    done
}
if command -v man >/dev/null && command -v groff >/dev/null; then
    check "the man pages have no mistakes" pages_clean
else
    skip "the man pages have no mistakes" "man or groff is not installed"
fi

# examples FILE: one command a line.
examples()
{
    section "$1" EXAMPLES | sed -n '/^\.EX/,/^\.EE/p' | grep -v '^\.'
}
# Read line by line, run in a shell in which neap and neapd are the ones of the build folder, and
# the system's folders are below the temporary one.
run_examples()
{
    mkdir -p "$work/bin" "$work/root/etc/neap" "$work/root/var/lib" "$work/root/run/neap" &&
        ln -sf "$NEAP" "$work/bin/neap" && ln -sf "$NEAPD" "$work/bin/neapd" || return 1
    examples "$neapd8" | sed -e "s, /, $work/root/,g" >"$work/daemon.examples"
    test "$(wc -l <"$work/daemon.examples")" -ge 2 || return 1
    while read -r line; do
        case $line in
            neapd\ *)
                (cd "$work" && PATH=$work/bin:$PATH && eval "exec $line") \
                    >"$work/e.log" 2>&1 </dev/null &
                echo $! >"$work/e.pid"
                running="$running $!"
                ln -sf "$work/root/run/neap/neap.sock" "$work/e.sock"
                until_true 60 answers e || return 1
                ;;
            *)
                (cd "$work" && PATH=$work/bin:$PATH && eval "$line") </dev/null || return 1
                ;;
        esac
    done <"$work/daemon.examples"
    examples "$neap1" >"$work/neap.examples"
    test "$(wc -l <"$work/neap.examples")" -ge 5 || return 1
    while read -r line; do
        case $line in *'| jq '*) command -v jq >/dev/null || continue ;; esac
        (cd "$work" && PATH=$work/bin:$PATH NEAP_NODE=$work/root/run/neap/neap.sock &&
            export NEAP_NODE && eval "$line") </dev/null || {
            echo "failed: $line"
            return 1
        }
    done <"$work/neap.examples"
    end e TERM
}
check "the examples of the man pages run" run_examples

# What docs/guarantees.md names as checks is there: `path`, and `path`: name_of_a_case.
guarantees()
{
    grep -oE '`(tests|sim)/[a-z_./]*`(: [a-z_]+)?' "$source/docs/guarantees.md" |
        tr -d '`' >"$work/named"
    test "$(wc -l <"$work/named")" -ge 10 || return 1
    while IFS=: read -r path case; do
        case=${case# }
        test -e "$source/$path" || test -e "$source/$path.c" || {
            echo "there is no $path"
            return 1
        }
        case $case in
            *_*_*) grep -q "TEST($case)" "$source/$path" || {
                echo "$path has no case $case"
                return 1
            } ;;
        esac
    done <"$work/named"
}
check "the checks that docs/guarantees.md names are there" guarantees

# The first columns of the tables of docs/operations.md that begin with a symptom, and tests/cluster/symptoms.
symptoms_are_tested()
{
    awk '/^\| *(symptom|seen|verdict|why unknown|a peer|line|finding|way|what is wrong) *\|/ { on = 1; next }
        !/^\|/ { on = 0 }
        on && !/^\|--/ { sub(/^\| */, ""); sub(/ *\| .*/, ""); print }' "$source/docs/operations.md" >"$work/rows"
    grep -vE '^(#|$)' "$source/tests/cluster/symptoms" >"$work/tests"
    test "$(wc -l <"$work/rows")" -ge 80 && same rows "$(cat "$work/rows")" tested "$(cut -d'|' -f1 "$work/tests")" ||
        return 1
    while IFS='|' read -r symptom test pattern; do
        grep -qE -- "$pattern" "$source/$test" || {
            echo "$test has nothing like \`$pattern', which shows: $symptom"
            return 1
        }
    done <"$work/tests"
}
check "each symptom of docs/operations.md is produced by a test" symptoms_are_tested

# The words with which status begins a line, in its code and in docs/operations.md; the doctor's findings.
words_agree()
{
    same lines "$(sed -n 's/.*printf("\([A-Z][A-Z ]*\): .*/\1/p' "$source/tools/cli_admin.c" | sort -u)" \
        told "$(sed -n '/^| line |/,/^$/s/^| \([A-Z ]*\) |.*/\1/p' "$source/docs/operations.md")" &&
        same findings "$(sed -n 's/^    X(\([a-z_]*\), .*/\1/p' "$source/engine/doctor.h")" \
            explained "$(sed -n '/^| finding |/,/^$/s/^| \([a-z_, ]*\) |.*/\1/p' "$source/docs/operations.md" |
                tr -d ' ' | tr , '\n' | grep -vxE 'open|finding')"
}
check "what status and doctor say is in docs/operations.md" words_agree

# What is typed in docs/operations.md and docs/tour.md is a command.
typed()
{
    sed -n -e 's/^ *\(device\|node\|new\|first\)*[$#] neap \(.*\)/\2/p' "$source/docs/operations.md" "$source/docs/tour.md" |
        awk '{ for (i = 1; $i ~ /^-/; i++) if ($i ~ /^(-n|-o|-f|--dir|--limit|--timeout|--since|--from|--peer|--budget|--format|--kind|--id)$/) i++
            print $i }' | sort -u >"$work/typed"
    test "$(wc -l <"$work/typed")" -ge 25 || return 1
    while read -r command; do
        echo "$commands_of_table" | grep -qx -- "$command" && continue
        echo "neap has no command $command"
        return 1
    done <"$work/typed"
}
check "the commands that docs/operations.md and docs/tour.md type are there" typed

# The commands on the README's first screen, with the answers that it shows.
readme()
{
    daemon r || return 1
    sed -n '1,/^Two commands/s/.*  \$ neap \(.*\)/\1/p' "$source/README.md" >"$work/readme"
    test "$(wc -l <"$work/readme")" -ge 4 || return 1
    while read -r line; do
        eval "gives 0 -n '$work/r.sock' $line" || return 1
        cp "$work/out" "$work/last.${line%% *}"
    done <"$work/readme"
    test "$(cat "$work/last.get")" = 3 && grep -q '^apples	counter	3$' "$work/last.keys" &&
        end r TERM
}
check "the commands of the README run" readme
finish
