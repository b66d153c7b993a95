#!/bin/sh
# neap-sim(1) against the program: its flags, the tables of faults and rules, and the examples.
#   man.sh            TAP
#   man.sh --update   writes both tables into the man page [in a build folder, top_srcdir given]
NEAP=$(pwd)/neap-sim
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
page=$source/docs/man/neap-sim.1

escaped() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\\([.']\\)/\\\\\\&\\1/"; }

# From `--faults help`: name, group, what it does.
faults_of() { awk '{ name = $1; group = $2; $1 = $2 = ""; print ".TP"; print ".BR " name " \" (" group ")\""
    sub(/^ */, ""); print }'; }
rules_of() { awk '{ name = $1; $1 = ""; print ".TP"; print ".B " name; sub(/^ */, ""); print }'; }

# The lines between two marks of the page.
part() { awk -v begin=".\\\\\" $1: begin" -v end=".\\\\\" $1: end" \
    '$0 == end { on = 0 } on { print } $0 == begin { on = 1 }' "$page"; }

"$NEAP" --faults help | escaped | faults_of >"$work/faults"
"$NEAP" --break help | escaped | rules_of >"$work/rules"

if test "${1:-}" = --update; then
    awk -v faults="$work/faults" -v rules="$work/rules" '
        / faults: end$/ || / rules: end$/ { skips = 0 }
        !skips { print }
        / faults: begin$/ { while ((getline line <faults) > 0) print line; skips = 1 }
        / rules: begin$/ { while ((getline line <rules) > 0) print line; skips = 1 }
    ' "$page" >"$work/page" && cp "$work/page" "$page"
    exit
fi

same()
{
    part "$1" >"$work/part"
    cmp -s "$work/part" "$work/$1" && return 0
    echo "docs/man/neap-sim.1 is behind: \`make man\` in the build folder writes this there"
    diff "$work/part" "$work/$1"
    return 1
}
check "the page has the faults that there are" same faults
check "the page has the rules that there are" same rules

flags()
{
    "$NEAP" --help | grep -oE -- '--[a-z-]+' | grep -vx -- '--name' | sort -u >"$work/program"
    sed 's/\\-/-/g' "$page" | awk '/^\.SH/ { on = $2 == "OPTIONS" } on' |
        grep -A1 '^\.TP' | grep -oE -- '--[a-z-]+' | sort -u >"$work/described"
    diff "$work/program" "$work/described"
}
check "the page has the flags that there are" flags

# Each line is a command; those with --break are to fail.
part examples | grep '^neap-sim ' >"$work/examples"
check "the page has examples" test -s "$work/examples"
while read -r _ flags; do
    want=0
    case $flags in *--break*) want=1 ;; esac
    # shellcheck disable=SC2086
    check "example: neap-sim $flags" gives "$want" $flags
done <"$work/examples"

if command -v mandoc >/dev/null; then
    check "mandoc finds no fault with the page" mandoc -T lint -W error "$page"
else
    skip "mandoc finds no fault with the page" "there is no mandoc"
fi
finish
