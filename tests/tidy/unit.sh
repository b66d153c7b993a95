#!/bin/sh
# Each folder/X.c has its tests/unit/test_X.c, or another test that is named here; and each test
# that exists is built.
. "$(dirname "$0")/tap.sh"

# path of the source, path of what tests it
instead='
base/clock_os.c tests/unit/test_clock.c
gossip/net_nng_call.c tests/unit/test_net_nng.c
gossip/net_nng_link.c tests/unit/test_net_nng.c
'

missing=
for source in $(sources base crdt store gossip engine | grep '\.c$'); do
    test=$(printf '%s' "$instead" | $AWK -v source="$source" '$1 == source { print $2 }')
    test -n "$test" || test=tests/unit/test_$(basename "$source")
    test -f "$test" || missing="$missing$source: no $test
"
done
rule 'each source has its test' "${missing%?}"

forgotten=
for test in $(sources tests | grep '\.c$'); do
    grep -qF "$test" Makefile.am || forgotten="$forgotten$test: not in Makefile.am
"
done
rule 'each test is built' "${forgotten%?}"

stale=
for source in $(printf '%s' "$instead" | $AWK '{ print $1 }'); do
    test -f "$source" || stale="$stale$source: named here, but there is none
"
done
rule 'nothing is excused that does not exist' "${stale%?}"
finish
