#!/bin/sh
# neap verify: nodes that are written to all the time are equal; and when one has lost a value
# without a word, that is told, and which one.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
lose=$build/tests/cluster/lose
"$NEAP" init --file "$work/cluster" >/dev/null

# member NAME PEER...
member()
{
    name=$1 list=
    shift
    for peer; do
        list=$list,ipc://$work/$peer.peer
    done
    daemon "$name" --cluster "$work/cluster" --listen "ipc://$work/$name.peer" --peers "${list#,}"
}

# rows FROM TO: as `neap import` reads them.
rows()
{
    awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i < to; i++)
        printf "{\"key\":\"k%04d\",\"type\":\"lww\",\"value\":\"value %d\"}\n", i, i }'
}

start()
{
    member a b c && member b a c && member c a b &&
        rows 0 3000 | "$NEAP" -n "$work/a.sock" import shop >/dev/null &&
        gives 0 -n "$work/b.sock" incr carts mine && until_true 60 equal a b c
}
check "three nodes agree" start

# verdicts COUNT WORD: so many lines of the last answer say that.
verdicts()
{
    test "$(grep -cE "peer +$2 " "$work/out")" = "$1" && return 0
    echo "not $1 times $2:"
    cat "$work/out"
    return 1
}

at_rest()
{
    for each in a b c; do
        gives 0 -n "$work/$each.sock" verify && verdicts 6 equal || return 1
    done
    gives 0 -n "$work/c.sock" verify carts && verdicts 2 equal && ! grep -q shop "$work/out" &&
        fails 1 'no bucket nowhere here' -n "$work/a.sock" verify nowhere
}
check "at rest all are equal, from each node" at_rest

json()
{
    gives 0 -n "$work/a.sock" -o json verify shop && grep -q '"equal": 2' "$work/out" &&
        grep -q '"under_way": 0' "$work/out" && grep -q '"replica": "[0-9a-f]*"' "$work/out"
}
check "as JSON" json

# A writer for each node, until it is told to stop.
write_on()
{
    rows 0 50 >"$work/rows"
    : >"$work/writing"
    for each in a b c; do
        while test -e "$work/writing"; do
            "$NEAP" -n "$work/$each.sock" import shop "$work/rows" >/dev/null 2>&1
        done &
        writers="$writers $!"
    done
}
write_no_more()
{
    rm -f "$work/writing"
    # shellcheck disable=SC2086
    wait $writers
    writers=
}

under_writes()
{
    for round in 1 2 3 4 5 6 7 8 9 10; do
        for each in a b c; do
            until_true 60 no_alarm "$each" && verdicts 2 equal || return 1
        done
    done
    test ! -e "$work/alarm" && return
    echo "in one of $round rounds:"
    cat "$work/alarm"
    return 1
}
# no_alarm NODE: all are equal; that one is not is never said, though it may be too early to tell.
no_alarm()
{
    neap -n "$work/$1.sock" verify shop && return
    grep -q differs "$work/out" && cp "$work/out" "$work/alarm"
    return 1
}
writers=
write_on
check "while all are written to they are equal, but for what is under way" under_writes

# A node is killed, so that it keeps no tree, and loses a value of which its log tells nothing. It
# is written to on and on, and so are the others: nothing is repaired meanwhile.
lost()
{
    ! end b KILL && "$lose" "$work/b" shop k1234 && member b a c &&
        until_true 60 differs a && grep -q 'k1234:lww (lww) is not there' "$work/out" &&
        ! grep -q 'k[0-9]*:lww' "$work/rest"
}
# differs NODE: it says so of b, with its keys; the rest of what it says is in $work/rest.
differs()
{
    gives 1 -n "$work/$1.sock" verify shop && verdicts 1 differs || return 1
    grep -v k1234 "$work/out" >"$work/rest"
}
check "a value that one has lost is named while all are written to" lost

# One page after the other, of one peer; the value is told, and that nothing explains that it is gone.
told()
{
    gives 1 -n "$work/a.sock" --peer "ipc://$work/b.peer" diff shop && verdicts 1 differs &&
        grep -q 'k1234:lww: .*lacks [0-9a-f]*:[0-9]* ("value 1234")' "$work/out"
}
listed()
{
    until_true 60 told && gives 0 -n "$work/a.sock" --peer "ipc://$work/c.peer" diff carts &&
        fails 1 'no peer' -n "$work/a.sock" --peer nobody diff shop &&
        fails 1 'no bucket' -n "$work/a.sock" diff nowhere &&
        fails 2 'means nothing' -n "$work/a.sock" --peer x diff shop k1234 &&
        fails 2 'goes with' -n "$work/a.sock" --from 00 diff shop
}
check "diff lists what a peer has otherwise, and who lacks what" listed
write_no_more

healed()
{
    until_true 60 equal a b c && until_true 60 gives 0 -n "$work/b.sock" verify &&
        prints 'value 1234' -n "$work/b.sock" get shop k1234
}
check "when it is quiet it comes back, and all are equal" healed

unheld()
{
    gives 0 -n "$work/c.sock" unsubscribe carts && until_true 60 not_held && gives 0 -n "$work/a.sock" verify carts &&
        verdicts 1 equal && gives 0 -n "$work/c.sock" subscribe carts && until_true 60 gives 0 -n "$work/c.sock" verify carts &&
        until_true 60 equal a b c
}
not_held()
{
    gives 0 -n "$work/a.sock" verify carts && grep -qE 'c.peer +not held' "$work/out"
}
check "who does not subscribe does not hold it, and that is fine" unheld

away()
{
    end c TERM
    until_true 60 gone && gives 1 -n "$work/a.sock" verify && verdicts 3 equal && verdicts 3 unknown
}
gone()
{
    gives 1 -n "$work/a.sock" verify carts && grep -q 'not connected' "$work/out"
}
check "who is away is neither equal nor different: exit 1" away

check "no node: exit 3" gives 3 -n "$work/nobody.sock" verify

finish
