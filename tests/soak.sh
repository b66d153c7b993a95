#!/bin/sh
# `make soak MINUTES=60` [in a build folder]: fresh seeds on all cores, any number of nodes and
# events, all faults. What fails is shown, and added to tests/sim/seeds in the source tree, where
# `make check` runs it from then on. Closes with a summary; ends with 1 when something failed.
#   CORES=2   so many at once
set -u
LC_ALL=C
export LC_ALL
minutes=${MINUTES:-60} cores=${CORES:-$(nproc 2>/dev/null || echo 1)}
sim=$(pwd)/neap-sim
source=$(cd "${top_srcdir:-.}" && pwd) || exit 99
seeds=$source/tests/sim/seeds
for number in "$minutes" "$cores"; do
    case $number in
        '' | *[!0-9]* | 0*)
            echo "MINUTES and CORES are whole numbers, as in: make soak MINUTES=60" >&2
            exit 2
            ;;
    esac
done
test -x "$sim" || {
    echo "there is no $sim: run \`make soak' in a build folder" >&2
    exit 2
}
work=$(mktemp -d "${TMPDIR:-/tmp}/neap-soak-XXXXXX") || exit 99
workers=
ending()
{
    for pid in $workers; do
        kill "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap ending EXIT
trap 'exit 99' INT TERM HUP
# shellcheck disable=SC3045
ulimit -c 0 2>/dev/null
end=$(($(date +%s) + minutes * 60))

# chance BOUND: below it.
chance() { echo $(($(od -An -N4 -tu4 /dev/urandom) % $1)); }
first() { od -An -N7 -tu8 /dev/urandom | tr -d ' '; }

# worker NAME: until the end; one run after the other, each of some seeds and up to its first failure.
worker()
{
    child=
    trap 'test -z "$child" || kill "$child"; exit 99' TERM
    while left=$((end - $(date +%s))) && test "$left" -gt 0; do
        events=1000
        case $(chance 8) in
            0) events=$((1 + $(chance 100))) ;;
            1) events=$((100 + $(chance 900))) ;;
            2) events=$((1000 + $(chance 9000))) ;;
        esac
        nodes=0
        test "$(chance 2)" = 0 || nodes=$((1 + $(chance 8)))
        set -- --seed "$(first)" --seeds $((200000 / events + 1)) --nodes "$nodes" \
            --events "$events" --faults all --first --seconds "$left"
        "$sim" "$@" >"$work/$name.run" 2>"$work/$name.errors" </dev/null &
        child=$!
        wait "$child"
        code=$? child=
        if test "$code" -gt 0 && ! grep -q '^commit ' "$work/$name.run"; then
            echo "commit unknown, seed unknown: ended with $code: $(tail -n 1 "$work/$name.errors"); replay: neap-sim $*" \
                >>"$work/$name.run"
        fi
        cat "$work/$name.run" >>"$work/$name.log"
        grep '^commit ' "$work/$name.run" && tail -n 20 "$work/$name.errors"
    done
}

i=0
while test "$i" -lt "$cores"; do
    i=$((i + 1))
    name=$i
    worker &
    workers="$workers $!"
done
# shellcheck disable=SC2086
wait $workers
workers=

# A line each: the command, and where it comes from. More than a few say nothing new.
kept=0
cat "$work"/*.log | grep '^commit ' >"$work/failures"
failures=$(wc -l <"$work/failures")
while read -r line; do
    test "$kept" -lt 20 || break
    flags=${line##*; replay: neap-sim }
    what=$(printf '%s' "${line%%; *}" | cut -c 1-160 | tr '#' ' ')
    printf '%s # %s, %s\n' "$flags" "$(date +%Y-%m-%d)" "$what" >>"$seeds" && kept=$((kept + 1))
done <"$work/failures"

cat "$work"/*.log | awk -v minutes="$minutes" -v cores="$cores" '
    / seeds, [0-9]+ failed$/ { seeds += $1 }
    /^[0-9]+ steps: / { steps += $1; calls += $3; faults += $7 }
    / hours simulated in / { hours += $1; cpu += $5 }
    /^at rest after / { if ($4 > rounds) rounds = $4 }
    END {
        if (cpu == 0)
            cpu = 1
        printf "%d minutes on %d cores: %d seeds, %d steps (%d calls, %d faults), %.0f hours simulated\n",
            minutes, cores, seeds, steps, calls, faults, hours
        printf "%.0f seeds an hour and core, %.0f steps/s, %.0f faults/s; at rest after %d rounds at most\n",
            seeds * 3600 / cpu, steps / cpu, faults / cpu, rounds
    }'
echo "$failures failed, $kept of them added to $seeds"
test "$failures" = 0
