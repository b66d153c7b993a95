#!/bin/sh
# Each folder/X.c has its tests/unit/test_X.c; a part X_y.c of it may be tested there as well. What
# is tested elsewhere is named here. And each test that exists is built.
. "$(dirname "$0")/tap.sh"

# path of the source, path of what tests it
instead='
gossip/compare.c tests/story/test_away.c
engine/rights.c tests/api/test_bounded.c
engine/serve.c tests/story/test_forward.c
gossip/place.c tests/story/test_placing.c
engine/placing.c tests/story/test_placing.c
gossip/fault.c tests/unit/test_gossip.c
gossip/flow.c tests/story/test_away.c
gossip/heal.c tests/story/test_disks.c
gossip/incident.c tests/story/test_disks.c
gossip/interest.c tests/story/test_subscribe.c
gossip/leave.c tests/story/test_subscribe.c
gossip/link.c tests/unit/test_gossip.c
gossip/members.c tests/story/test_members.c
gossip/peer.c tests/unit/test_gossip.c
gossip/push.c tests/unit/test_gossip.c
gossip/release.c tests/story/test_lives.c
gossip/rights.c sim/check_bounded.c
gossip/topic.c tests/unit/test_gossip.c
gossip/truncate.c tests/unit/test_gossip.c
store/change.c tests/unit/test_shard.c
store/crate.c tests/unit/test_shard.c
store/disk.c tests/unit/test_disk_mem.c
store/disk_holes.c tests/unit/test_hole.c
store/shard_repair.c tests/unit/test_repair.c
store/shard_drop.c tests/story/test_subscribe.c
store/slot.c tests/unit/test_shard.c
trust/certificate.c tests/unit/test_credentials.c
'

missing=
for source in $(sources base trust crdt store gossip engine | grep '\.c$'); do
    test=$(printf '%s' "$instead" | $AWK -v source="$source" '$1 == source { print $2 }')
    name=$(basename "$source" .c)
    test=${test:-tests/unit/test_$name.c}
    wanted=$test
    while test ! -f "$test"; do
        case $name in
        *_*) name=${name%_*} ;;
        *) break ;;
        esac
        test=tests/unit/test_$name.c
    done
    test -f "$test" || missing="$missing$source: no $wanted
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
