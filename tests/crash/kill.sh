#!/bin/sh
# kill.sh [ROUNDS]: SIGKILL at random moments; every acknowledged commit must be there afterwards.
# CRASH_CHILD (a command, "child_disk" here) is what is killed: see crash.c for what it has to say.
# CRASH_SEED and CRASH_ROUNDS repeat or lengthen a run.
rounds=${1:-${CRASH_ROUNDS:-25}}
tools=$(cd tests/crash && pwd) || exit 99
# Memory serves as well as a disk here, and faster.
test -w /dev/shm && : "${TMPDIR:=/dev/shm}"
directory=$(mktemp -d "${TMPDIR:-/tmp}/neap-kill-XXXXXX") || exit 99
trap 'rm -rf "$directory"' EXIT
trap 'exit 99' HUP INT TERM

echo 1..1
# The child's command is split into words on purpose.
# shellcheck disable=SC2086
if "$tools/crash" -n "$rounds" -s "${CRASH_SEED:-1}" "$directory" \
        ${CRASH_CHILD:-"$tools/child_disk"}; then
    echo "ok 1 - $rounds kills lose nothing that was acknowledged"
else
    echo "not ok 1 - $rounds kills lose nothing that was acknowledged"
    exit 1
fi
