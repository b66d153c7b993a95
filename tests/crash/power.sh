#!/bin/sh
# power.sh [ROUNDS]: SIGKILL, then what was not synced is lost or torn; every acknowledged commit
# must be there afterwards. The negative control acknowledges without sync: then something must be
# lost, or the test could not see a loss. CRASH_CHILD, CRASH_SEED, CRASH_ROUNDS as in kill.sh.
rounds=${1:-${CRASH_ROUNDS:-40}}
seed=${CRASH_SEED:-1}
tools=$(cd tests/crash && pwd) || exit 99
# Memory serves as well as a disk here, and faster.
test -w /dev/shm && : "${TMPDIR:=/dev/shm}"
directory=$(mktemp -d "${TMPDIR:-/tmp}/neap-power-XXXXXX") || exit 99
trap 'rm -rf "$directory"' EXIT
trap 'exit 99' HUP INT TERM
failed=0

# power_rounds NAME ROUNDS: the exit status of crash.
power_rounds() {
    mkdir "$directory/$1"
    # shellcheck disable=SC2086
    "$tools/crash" -n "$2" -s "$seed" -p "$tools/.libs/libpower.so" -t "$tools/tear" \
        "$directory/$1" ${CRASH_CHILD:-"$tools/child_disk"}
}

echo 1..2
power_rounds synced "$rounds"
if [ $? -eq 0 ]; then
    echo "ok 1 - $rounds power losses lose nothing that was acknowledged"
else
    echo "not ok 1 - $rounds power losses lose nothing that was acknowledged"
    failed=1
fi
export NOSYNC=1
power_rounds unsynced 20
if [ $? -eq 1 ]; then
    echo "ok 2 - the same test notices acknowledgements without sync"
else
    echo "not ok 2 - the same test notices acknowledgements without sync"
    failed=1
fi
exit $failed
