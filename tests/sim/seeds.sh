#!/bin/sh
# Seeds that failed once, or that are remarkable: each line of tests/sim/seeds is a command, and all
# must hold now.
NEAP=$(pwd)/neap-sim
. "${top_srcdir:-.}/tests/cluster/cluster.sh"

sed 's/#.*//' "$source/tests/sim/seeds" | grep '[^ ]' >"$work/seeds"
while read -r flags; do
    # shellcheck disable=SC2086
    check "neap-sim $(printf '%s' "$flags" | cut -c 1-80)" gives 0 $flags
done <"$work/seeds"
check "there are kept seeds" test -s "$work/seeds"
finish
