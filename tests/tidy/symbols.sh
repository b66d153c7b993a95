#!/bin/sh
# The names that the library exports are those of the public headers and of symbols.txt. Changing
# that list is changing the interface: see the version-info in configure.ac.
. "$(dirname "$0")/tap.sh"

list=tests/tidy/symbols.txt
work=$(mktemp -d "${TMPDIR:-/tmp}/symbols.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

# difference FOUND EXPECTED: names only in the one or the other.
difference()
{
    comm -23 "$1" "$2" | sed 's/^/only there: /'
    comm -13 "$1" "$2" | sed 's/^/only in symbols.txt: /'
}

test -r "$list" || list=/dev/null
sort -u "$list" >"$work/list"
rule 'the list is sorted and names nothing twice' \
    "$(sort -u "$list" | diff "$list" - | grep '^[<>]')"

code "$(sources include)" | sed 's/^[^:]*:[0-9]*://' | grep -v '^static ' |
    $AWK '{
        while (match($0, /neap_[a-z0-9_]+ *\(/)) {
            name = substr($0, RSTART, RLENGTH)
            $0 = substr($0, RSTART + RLENGTH)
            sub(/ *\(/, "", name)
            print name
        }
    }' | sort -u >"$work/header"
rule 'the public headers declare the names of the list' "$(difference "$work/header" "$work/list")"

library=$top_builddir/.libs/libneap.so
if test -e "$library"; then
    ${NM:-nm} -D --defined-only "$library" | $AWK '{ sub(/@.*/, "", $NF); print $NF }' |
        sort -u >"$work/library"
    rule 'libneap.so exports the names of the list' "$(difference "$work/library" "$work/list")"
elif grep -q '^lib_LTLIBRARIES.*libneap\.la' Makefile.am; then
    rule 'libneap.so exports the names of the list' "$library was not built"
else
    cases=$((cases + 1))
    echo "ok $cases - libneap.so exports the names of the list # SKIP there is no such library yet"
fi
finish
