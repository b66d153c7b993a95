# Read by the checks of this folder. Each check goes through the source tree at $top_srcdir, prints
# TAP, and ends with 1 when a rule is broken. Only POSIX sh and awk.
LC_ALL=C
export LC_ALL
AWK=${AWK:-awk}
tidy=$(cd "$(dirname "$0")" && pwd)
top_builddir=$(pwd)
cd "${top_srcdir:-.}" || exit 2
cases=0
failed=0

# rule NAME FINDINGS: fine when there are no findings; else each line of them is shown.
rule()
{
    cases=$((cases + 1))
    if test -z "$2"; then
        echo "ok $cases - $1"
    else
        failed=1
        echo "not ok $cases - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

finish()
{
    echo "1..$cases"
    exit $failed
}

# sources FOLDER...: the C files of those folders that exist.
sources()
{
    for folder; do
        test ! -d "$folder" || find "$folder" -name '*.[ch]'
    done | sort
}

# sources_but PATTERN FOLDER...: the same without those whose path matches the extended pattern.
sources_but()
{
    but=$1
    shift
    sources "$@" | grep -Ev "^($but)\$"
}

# code FILES: "path:line:text" of each line, without comments and the contents of strings.
code()
{
    test -z "$1" || $AWK -f "$tidy/strip.awk" $1
}

# calls WORDS FILES: lines that call one of the functions named (WORDS is "a|b|c").
calls()
{
    code "$2" | $AWK -v words="$1" '{
        text = $0
        sub(/^[^:]*:[0-9]*:/, "", text)
        if (text ~ "(^|[^A-Za-z0-9_.>])(" words ") *\\(")
            print
    }'
}

# includes PATTERN FILES: lines that include what matches the extended pattern, with < or ".
includes()
{
    test -z "$2" || grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($1)" $2
}
