#!/bin/sh
# count.sh COUNT [WORK...]: instructions, allocations and bytes of the WAL for each operation, as
# callgrind counts them: they repeat, where times do not.
count=$1
shift
test $# -gt 0 || set -- increment put add read missing batch group take raw-put raw-batch raw-read raw-missing
file=$(mktemp)
trap 'rm -f "$file"' EXIT
for work; do
    line=$(valgrind --tool=callgrind \
        --callgrind-out-file="${KEEP:-$file}" --instr-atstart=no --toggle-collect=counted "$count" "$work" 2>&1) || exit 1
    times=$(echo "$line" | sed -n 's/.* \([0-9]*\) times,.*/\1/p')
    all=$(echo "$line" | sed -n 's/.*Collected : *//p')
    echo "$work: $((all / times)) instructions, $(echo "$line" | sed -n 's/.* times, //p')"
done
