#!/bin/sh
# neap-sim as a user meets it: flags, what it prints, what a failure says, and that the command in
# that line does what it says.
NEAP=$(pwd)/neap-sim
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
# shellcheck disable=SC3045
ulimit -c 0 2>/dev/null

# How much: sanitizers make it several times slower.
some=20 && test -z "${SANITIZE:-}${NEAP_BRIEF:-}" || some=4

# says PATTERN: a line of what was printed matches.
says()
{
    grep -qE -- "$1" "$work/out" && return 0
    echo "no line matches \`$1':"
    cut -c 1-300 "$work/out"
    return 1
}

# ---- flags ----

version() { gives 0 --version && says '^neap-sim [0-9.]+, commit [0-9a-f.]+(-dirty)?$'; }
check "--version says version and commit" version
help() { gives 0 --help && says '--faults=LIST' && gives 0 --usage && says '--only'; }
check "--help lists flags" help

wants='whole number from'
check "--seed wants a number" fails 2 "--seed x: give a $wants 0 to" --seed x
check "--seed is not negative" fails 2 "--seed -1: give a $wants" --seed=-1
check "--seed is not too big" fails 2 "$wants 0 to 18446744073709551615$" --seed 18446744073709551616
check "--seed is not empty" fails 2 "$wants" --seed ''
check "--seeds is at least one" fails 2 "$wants 1 to" --seeds 0
check "--seeds ends at the last seed" fails 2 'no seed is above' --seed 18446744073709551615 --seeds 2
check "--nodes has a bound" fails 2 "--nodes 9: give a $wants 0 to 8" --nodes 9
check "--events has a lower bound" fails 2 "--events 0: give a $wants 1 to 1000000" --events 0
check "--events has a bound" fails 2 "--events 1000001: give a $wants 1 to 1000000" --events 1000001
check "--events wants no unit" fails 2 "--events 10k: give" --events 10k
check "--seconds has a lower bound" fails 2 "--seconds 0: give" --seconds 0
check "--faults wants names" fails 2 "fault.*crush.*--faults help" --faults cut,crush
check "--faults takes away only what there is" fails 2 "fault.*crush" --faults all,-crush
check "--break wants a name" fails 2 "no rule .nothing'.*--break help" --break nothing
check "--workload wants a file" fails 2 '--workload.*/no/such/file' --workload /no/such/file
for list in 5-3 0 x 1,,2 1- 1001 1-1001 '' 3x ,3; do
    check "--only refuses \`$list'" fails 2 '--only.*give numbers of steps from 1 to 1000' --only "$list"
done
check "--only is of that many events" fails 2 'from 1 to 10 ' --events 10 --only 11
check "an unknown flag" fails 2 '--fault: unknown option: see neap-sim --help' --fault all
check "a flag without its value" fails 2 '--seed: missing argument' --seed
check "a stray argument" fails 2 ".5' is not a flag" --seeds 1 5
list() { gives 0 --faults help && says '^cut +net +[a-z]' && gives 0 --break help && says '^send-first +[a-z]'; }
check "help lists faults and rules" list

# ---- what holds ----

summary()
{
    gives 0 --seeds "$some" && says "^$some seeds, 0 failed$" &&
        says '^[0-9]+ steps: [0-9]+ calls \([0-9]+ acknowledged\), [0-9]+ faults injected' &&
        says '^[0-9.]+ hours simulated in [0-9.]+ s of CPU' &&
        says '^[0-9]+ seeds an hour and core, [0-9]+ steps/s, [0-9]+ faults/s$' &&
        says '^at rest after [0-9]+ rounds at most \(seed [0-9]+\)$'
}
check "seeds hold, and a summary says how many" summary
extremes()
{
    gives 0 --nodes 1 --events 1 && gives 0 --nodes 8 --events 50 &&
        gives 0 --seed 18446744073709551615 --events 20 && gives 0 --faults none --events 20 &&
        says ' 0 faults injected' && gives 0 --only none && gives 0 --nodes 1 --events 300
}
check "the least and the most of each" extremes
seconds()
{
    gives 0 --seeds 1000000 --seconds 1 --events 20 && says '^[0-9]+ seeds, 0 failed$' &&
        ! says '^1000000 seeds'
}
check "--seconds ends it" seconds

# ---- determinism ----

digests()
{
    neap --digest --seeds "$some" --seed 7 "$@" && cp "$work/out" "$work/digests" &&
        test "$(grep -cE '^seed [0-9]+ digest [0-9a-f]{32}$' "$work/digests")" = "$some" &&
        test "$(awk '{ print $4 }' "$work/digests" | sort -u | wc -l)" = "$some" &&
        neap --digest --seeds "$some" --seed 7 "$@" && cmp "$work/out" "$work/digests"
}
check "a seed gives the same digest twice, another another" digests
check "so it does with five nodes" digests --nodes 5 --events 300
alone()
{
    neap --digest --seeds 5 --seed 7 && tail -n 1 "$work/out" >"$work/last" &&
        neap --digest --seed 11 && cmp "$work/out" "$work/last"
}
check "a seed after others is what it is alone" alone
trace()
{
    gives 0 --seed 3 --events 100 --trace || return 1
    test "$(grep -cE '^\[ *[0-9]+\] - step [0-9]+: ' "$work/out")" = 100 && says '\] - heal$' &&
        neap --seed 3 --events 100 --digest && cp "$work/out" "$work/quiet" &&
        neap --seed 3 --events 100 --digest --trace && tail -n 1 "$work/out" | cmp - "$work/quiet"
}
check "--trace shows each step, and changes nothing" trace

# ---- what fails ----

# One line: commit, seed, step, who complains of what, how short, and the command.
line='^commit [^ ,]+, seed [0-9]+, (healed after )?step [0-9]+ of 1000: [a-z]+: .+; '
fails_so() { gives 1 "$@" && says "${line}replay: neap-sim --seed"; }
# Runs the command of the line that says why; the same one must complain.
replays()
{
    grep '^commit' "$work/out" | head -n 1 >"$work/failure"
    sed 's/.*; replay: neap-sim //' "$work/failure" >"$work/command"
    eval "gives 1 $(cat "$work/command")" || return 1
    who='s/^commit [^:]*: \([^:]*\):.*/\1/p'
    test "$(sed -n "$who" "$work/out")" = "$(sed -n "$who" "$work/failure")" && return 0
    echo "another complaint:"
    cat "$work/failure" "$work/out"
    return 1
}
shrinks()
{
    gives 1 --break "$1" --seed 1 --seeds 100 --first &&
        says "${line}shrunk to [0-9]+ steps; replay: neap-sim --seed" && replays || return 1
    steps=$(sed 's/.*shrunk to \([0-9]*\) steps.*/\1/' "$work/failure")
    test "$steps" -le "$2" && return 0
    echo "$steps steps are left, not $2"
    return 1
}
check "a failure is shortened, and replays" shrinks send-first 3
if test -z "${SANITIZE:-}"; then
    check "so is one that shows when all has healed" shrinks never-pull 5
else
    skip "so is one that shows when all has healed" "takes long under sanitizers"
fi
unshrunk()
{
    fails_so --break send-first --seed 5 --no-shrink && ! says 'shrunk' &&
        ! grep -q -- --only "$work/out" && replays
}
check "--no-shrink leaves it long, and it replays" unshrunk
only()
{
    gives 1 --break send-first --seed 5 && replays || return 1
    eval "neap $(cat "$work/command") --trace"
    test "$(grep -c ' - step ' "$work/out")" -le 3
}
check "--only with --trace shows what is left" only
first()
{
    gives 1 --break send-first --seed 1 --seeds 10 --first --no-shrink && says '^1 seeds, 1 failed$' &&
        gives 1 --break send-first --seed 1 --seeds 3 --no-shrink && says '^3 seeds, 3 failed$' &&
        test "$(grep -c '^commit' "$work/out")" = 3
}
check "--first stops there, else it goes on" first

# A must() ends the process: which seed it was must be known.
died()
{
    "$NEAP" --seeds 1000000 --seed 4 >"$work/out" 2>&1 &
    running="$running $!"
    victim=$!
    until_true 60 grep -qs . "/proc/$victim/stat" && spin || return 1
    kill -s ABRT "$victim"
    wait "$victim"
    says '^commit .*, seed [0-9]+, step [0-9]+ of 1000: the process died of signal 6; replay: neap-sim --seed'
}
# Until it has begun with a seed: it has taken some CPU.
spin() { until_true 60 eval 'test "$(cut -d" " -f 14 "/proc/$victim/stat")" -gt 5'; }
if test -r /proc/self/stat; then
    check "a process that dies says with which seed" died
else
    skip "a process that dies says with which seed" "there is no /proc"
fi
finish
