#!/bin/sh
# kill_neap.sh [ROUNDS]: kill.sh with a whole node in place of its disk.
CRASH_CHILD=$(pwd)/tests/crash/child_neap
export CRASH_CHILD
. "${top_srcdir:-.}/tests/crash/kill.sh"
