#!/bin/sh
# A ring of five neapd in three zones, each in a network namespace of its own, over TLS and RocksDB:
# all are restarted one by one while clients read and write at QUORUM, one is killed and comes back,
# a sixth joins, one leaves. Nothing that was acknowledged may be lost, and no call may fail.
# shellcheck source=tests/cluster/cluster.sh
if test -z "${NEAP_RING_APART:-}"; then
    PATH=$PATH:/usr/sbin:/sbin
    for each in ip unshare mount; do
        command -v "$each" >/dev/null || { echo "1..0 # SKIP $each is not installed"; exit 0; }
    done
    for apart in -Urnmpf -nmpf; do
        unshare "$apart" --mount-proc --kill-child \
            sh -c 'mount -t tmpfs none /run && ip netns add x' 2>/dev/null || continue
        NEAP_RING_APART=1 exec unshare "$apart" --mount-proc --kill-child "$0"
    done
    echo "1..0 # SKIP network namespaces are not allowed here"
    exit 0
fi
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
umask 077
mount -t tmpfs none /run || exit 99
slots=64 bucket=orders@main

on()
{
    node=$1
    shift
    timeout 60 "$NEAP" -n "$work/$node.sock" "$@"
}

# ---- nodes and their net: a bridge, and a namespace for each ----

net()
{
    ip link set lo up && ip link add bridge type bridge && ip link set bridge up &&
        ip addr add 10.77.0.254/24 dev bridge || return 1
    for number in 1 2 3 4 5 6; do
        ip netns add "n$number" && ip link add "v$number" type veth peer name "w$number" &&
            ip link set "v$number" master bridge up && ip link set "w$number" netns "n$number" &&
            ip -n "n$number" link set lo up &&
            ip -n "n$number" addr add "10.77.0.$number/24" dev "w$number" &&
            ip -n "n$number" link set "w$number" up || return 1
    done
}

zone()
{
    case $1 in 1 | 2) echo north ;; 3 | 4) echo south ;; *) echo east ;; esac
}

at()
{
    echo "tls+tcp://10.77.0.$1:7400"
}

# member NUMBER: knows the first node alone, or the second when it is the first.
member()
{
    other=1
    test "$1" = 1 && other=2
    NEAPD_REAL=$NEAPD
    cat >"$work/in$1" <<END
#!/bin/sh
exec ip netns exec n$1 "$NEAPD_REAL" "\$@"
END
    chmod +x "$work/in$1"
    NEAPD=$work/in$1
    daemon "$1" --cluster "$work/papers$1" --listen "$(at "$1")" --peers "$(at $other)" \
        --name "n$1" --zone "$(zone "$1")"
    result=$?
    NEAPD=$NEAPD_REAL
    return $result
}

papers()
{
    on 1 status >/dev/null
    test $? -le 1 || return 1
    "$NEAP" token create "$work/papers1" >"$work/token" &&
        gives 0 join "$work/token" "$(at 1)" "$work/papers$1"
}

# ---- the ring ----

# `neap peers` does not list who is asked.
listed()
{
    test "$1" = 2 || on 2 peers | grep -q "n$1 "
}

# moved NUMBER...: each of them sees one layout alone, of the version $version.
moved()
{
    for each; do
        on "$each" ring main >"$work/ring" || return 1
        test "$(grep -c '^version' "$work/ring")" = 1 &&
            grep -q "^version $version-" "$work/ring" || return 1
    done
}

# commit: what is staged; $moves copies of slots move.
commit()
{
    version=$1
    on 2 plan show main >"$work/plan" || return 1
    cat "$work/plan"
    moves=$(sed -n 's/^moves: \([0-9]*\) of.*/\1/p' "$work/plan")
    on 2 plan commit main "$(sed -n 's/.*plan commit main //p' "$work/plan")"
}

# same NUMBER...: three of them have each slot, with one digest, and nothing is under way.
same()
{
    for each; do
        on "$each" digest || return 1
    done | awk '$1 ~ /^@main\// { copies[$1]++; bad += $5 + $6 > 0
            bad += $1 in digest && digest[$1] != $7; digest[$1] = $7 }
        END { for (slot in copies) { count++; bad += copies[slot] != 3 }
            print count " slots, " bad " bad"; exit count == 0 || bad > 0 }'
}

# ---- clients: each writes its own keys, reads them elsewhere, and notes what failed ----

# client NAME: until $work/stop is there. $work/drained names a node that is not to be asked: as a
# load balancer knows which one is about to be restarted.
client()
{
    i=0
    while test ! -e "$work/stop"; do
        i=$((i + 1))
        read -r drained <"$work/drained"
        writer=$(((i % 5) + 1)) reader=$(((i + 2) % 5 + 1))
        test "$writer" != "$drained" || writer=$((drained % 5 + 1))
        test "$reader" != "$drained" || reader=$((drained % 5 + 1))
        if on "$writer" --level quorum put "$bucket" "$1-$i" "$i" 2>"$work/why.$1"; then
            echo "$1-$i $i" >>"$work/acknowledged.$1"
            got=$(on "$reader" --level quorum get "$bucket" "$1-$i" 2>>"$work/why.$1")
            test "$got" = "$i" ||
                { echo "get $1-$i at $reader: $got"; cat "$work/why.$1"; } >>"$work/failed.$1"
        else
            { echo "put $1-$i at $writer"; cat "$work/why.$1"; } >>"$work/failed.$1"
        fi
    done
}

load()
{
    rm -f "$work/stop"
    echo 0 >"$work/drained.new" && mv "$work/drained.new" "$work/drained"
    clients=
    for each in "$1-x" "$1-y"; do
        client "$each" &
        clients="$clients $!"
    done
}

drain()
{
    echo "$1" >"$work/drained.new" && mv "$work/drained.new" "$work/drained"
    # Calls that it has been given end first; new ones go elsewhere.
    until_true 60 settled
}

settled()
{
    for each in "$work"/acknowledged.*; do
        cp "$each" "$work/before" 2>/dev/null || continue
        until_true 30 grown "$each" "$work/before" || return 1
    done
}

grown()
{
    test "$(wc -l <"$1")" -gt "$(($(wc -l <"$2") + 1))" || cat "$work"/failed.* 2>/dev/null
}

# calm: the clients end; none of their calls failed, and there were enough to tell.
calm()
{
    : >"$work/stop"
    for each in $clients; do
        wait "$each"
    done
    cat "$work"/failed.* 2>/dev/null && return 1
    test "$(cat "$work"/acknowledged.* | wc -l)" -ge 20
}

# kept NUMBER: all that was ever acknowledged is read there at QUORUM.
kept()
{
    cat "$work"/acknowledged.* >"$work/all"
    while read -r key value; do
        test "$(on "$1" --level quorum get "$bucket" "$key")" = "$value" || { echo "lost: $key"; return 1; }
    done <"$work/all"
}

# ---- what happens ----

start()
{
    net && "$NEAP" init "$work/papers1" && member 1 || return 1
    for number in 2 3 4 5; do
        papers $number && member $number || return 1
    done
    on 2 plan create main 3 $slots || return 1
    for number in 1 2 3 4 5; do
        until_true 60 listed $number && on 2 plan join main n$number || return 1
    done
    commit 1 && until_true 60 moved 1 2 3 4 5
}
check "five nodes in three zones make a ring" start

rolling()
{
    load roll
    for number in 1 2 3 4 5; do
        drain $number && end $number TERM && member $number && until_true 60 ready $number || return 1
    done
    calm && until_true 60 same 1 2 3 4 5
}
ready()
{
    on "$1" --level quorum get $bucket no-such-key 2>&1 | grep -q 'no such object' &&
        test "$(on "$1" peers | grep -c ' connected ')" = 4
}
check "all are restarted one by one under load: no call fails" rolling

killed()
{
    end 3 KILL
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        on $((i % 2 + 1)) --level quorum put $bucket "away-$i" "$i" &&
            echo "away-$i $i" >>"$work/acknowledged.away" || return 1
    done
    for each in 1 2 4 5; do
        on $each hints
    done >"$work/hints"
    cat "$work/hints"
    grep -q '@main/' "$work/hints" && member 3 && until_true 60 same 1 2 3 4 5 && kept 3
}
check "one is killed: hints say what it lacks, and are delivered" killed

joined()
{
    papers 6 && member 6 && until_true 60 listed 6 && load join && on 2 plan join main n6 &&
        commit 2 && test "$moves" -le $((slots * 3 * 11 / 60)) &&
        until_true 120 moved 1 2 3 4 5 6 && calm && until_true 60 same 1 2 3 4 5 6 && kept 6
}
check "a sixth joins under load: nothing is lost, and little moves" joined

left()
{
    load left
    on 2 ring main >"$work/ring"
    held=$(awk '$1 == "'"$(on 5 status | awk '$1 == "node" { print $2 }')"'" { print $4 }' "$work/ring")
    on 2 plan leave main n5 && commit 3 && test "$moves" -le $((held * 11 / 10)) &&
        until_true 120 moved 1 2 3 4 6 && calm && until_true 60 same 1 2 3 4 6 && kept 5
}
check "one leaves under load: nothing is lost, and little moves" left
finish
