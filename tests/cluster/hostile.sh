#!/bin/sh
# Peers and clients that send garbage, oversize or half frames, or nothing at all: each is dropped
# within its deadline, with its reason counted, while a good pair of nodes keeps syncing.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
hostile=$build/tests/cluster/hostile
"$NEAP" init --file "$work/cluster" >/dev/null
id=$(sed -n 's/^cluster = //p' "$work/cluster")
a=$("$hostile" port) b=$("$hostile" port)

start()
{
    daemon a --cluster "$work/cluster" --listen "tcp://127.0.0.1:$a" \
        --peers "tcp://127.0.0.1:$b" &&
        daemon b --cluster "$work/cluster" --listen "tcp://127.0.0.1:$b" \
            --peers "tcp://127.0.0.1:$a" && gives 0 -n "$work/a.sock" put shop k v &&
        until_true 60 equal a b
}
check "two nodes start and agree" start

# The same cells; a log may wait for a peer that is there and says nothing, until it is dropped.
same()
{
    one=$(digest a) && two=$(digest b) && test -n "$one" && test "${one%% *}" = "${two%% *}"
}
# Until the attack is over: one side writes, the other has it. How often is in $rounds.
sync_during()
{
    rounds=0
    while kill -s 0 "$attack" 2>/dev/null; do
        gives 0 -n "$work/a.sock" incr shop a && gives 0 -n "$work/b.sock" incr shop b &&
            until_true 30 same || return 1
        rounds=$((rounds + 1))
    done
    wait "$attack" || return 1
    gives 0 -n "$work/b.sock" get shop a || return 1
    echo "$rounds rounds, $(cat "$work/out") arrived"
    test "$rounds" -ge 3 && test "$(cat "$work/out")" = "$rounds"
}
peers()
{
    "$hostile" "$a" "$id" >"$work/peers" &
    attack=$!
    sync_during
}
check "a good pair keeps syncing while hostile peers are at it" peers

# dropped FILE LEAST MOST NAME...: after so many milliseconds.
dropped()
{
    file=$1 least=$2 most=$3
    shift 3
    for each; do
        after=$(sed -n "s/^$each dropped //p" "$file")
        if test -z "$after" || test "$after" -lt "$least" || test "$after" -gt "$most"; then
            echo "$each: not dropped in $least to $most ms:"
            cat "$file"
            return 1
        fi
    done
}
# The deadline for a hello, and for a silent peer, is 5 seconds; a busy machine adds to it.
check "what is wrong is dropped at once" dropped "$work/peers" 0 4000 noise http empty zeroes \
    oversize long endless stranger version hello_noise hello_zeroes hello_twice hello_push
check "who says nothing, or half of it, is dropped by its deadline" dropped "$work/peers" 4000 15000 \
    silence half half_head no_more

# counted NAME LEAST: `neap status` tells why links were dropped.
counted()
{
    number=$("$NEAP" -n "$work/a.sock" status |
        sed -n "s/^counted: \\($1\\)  *//p" | awk '{ sum += $1 } END { print sum + 0 }')
    test "${number:-0}" -ge "$2" && return 0
    echo "$1: ${number:-0}, not $2"
    "$NEAP" -n "$work/a.sock" status
    return 1
}
reasons()
{
    # The door: noise, http, hello_noise, oversize; long, endless. The protocol: the rest.
    counted malformed_frame 3 && counted over_size_max 2 && counted malformed 3 &&
        counted wrong_cluster 1 && counted wire_version 1 && counted unexpected 2 &&
        counted silent 1 && counted "no_hello\\|handshake_late" 3
}
check "each is counted by its reason in status" reasons

clients()
{
    "$hostile" "$work/a.sock" "$id" >"$work/clients" &
    attack=$!
    gives 0 -n "$work/a.sock" delete shop a && sync_during
}
check "clients are served while hostile ones are at it" clients
check "what is wrong is dropped at once there too" dropped "$work/clients" 0 4000 noise http oversize
silent_clients()
{
    grep -q '^silence kept' "$work/clients" && grep -q '^half kept' "$work/clients" &&
        counted client_malformed_frame 3
}
check "silent clients may stay, the others are counted" silent_clients

flood()
{
    "$hostile" "$a" "$id" >/dev/null &
    one=$!
    "$hostile" "$a" "$id" >/dev/null &
    two=$!
    wait "$one" && wait "$two" && counted silent 2 && gives 0 -n "$work/a.sock" incr shop c &&
        until_true 30 same && until_true 30 gives 0 -n "$work/a.sock" status
}
check "again, twice at once: the node is as before" flood
ends()
{
    end a TERM && end b TERM && ! grep -E 'level=error' "$work/a.log" "$work/b.log"
}
check "clean ends, no errors in the logs" ends
finish
