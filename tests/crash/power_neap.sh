#!/bin/sh
# power_neap.sh [ROUNDS]: power.sh with a whole node in place of its disk. The negative control writes
# with NEAP_NOSYNC.
CRASH_CHILD=$(pwd)/tests/crash/child_neap
export CRASH_CHILD
. "${top_srcdir:-.}/tests/crash/power.sh"
