#!/bin/sh
# Nodes that are peers of each other, seen through neap: agree, are cut off, killed, refused.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
"$NEAP" init --file "$work/cluster" >/dev/null
"$NEAP" init --file "$work/stranger" >/dev/null

# on NODE ARGUMENTS...: neap asks that node.
on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# member NAME PEER...
member()
{
    name=$1 list=
    shift
    for peer; do
        list=$list,ipc://$work/$peer.peer
    done
    daemon "$name" --cluster "${file:-$work/cluster}" --listen "ipc://$work/$name.peer" \
        --peers "${list#,}"
}

start()
{
    member a b c && member b a c && member c a b
}
check "three nodes start" start

agree()
{
    on a put shop apple red && on b incr shop count 3 && on c add shop fruits pear &&
        until_true 60 equal a b c && prints red -n "$work/c.sock" get shop apple &&
        prints 3 -n "$work/a.sock" get shop count && prints pear -n "$work/b.sock" get shop fruits
}
check "what each wrote is everywhere; logs and residues are empty" agree

healthy()
{
    for each in a b c; do
        until_true 60 gives 0 -n "$work/$each.sock" status || return 1
        test "$(grep -c 'connected' "$work/out")" = 2 || return 1
    done
}
check "status: all connected, exit 0" healthy

isolated()
{
    on c isolate on && gives 1 -n "$work/c.sock" status && grep -q '^ISOLATED' "$work/out" &&
        until_true 60 gives 1 -n "$work/a.sock" status && grep -q ' away ' "$work/out" &&
        on a put shop apple green && on c put shop apple blue && on c delete shop count &&
        on a incr shop count && on b flag shop open on && ! equal a c
}
check "isolate cuts a node off; status gives 1 on both sides" isolated
healed()
{
    on c isolate off && until_true 60 equal a b c && gives 0 -n "$work/a.sock" get shop apple &&
        cp "$work/out" "$work/apple" && prints "$(cat "$work/apple")" -n "$work/c.sock" get shop apple &&
        prints 1 -n "$work/c.sock" get shop count && prints true -n "$work/c.sock" get shop open
}
check "healed: equal; an increment survives a removal that did not see it" healed

# A write at a quorum is seen by a read at a quorum, whoever is asked; without enough nodes neither
# is done, which is told at once.
levels()
{
    for i in 1 2 3 4 5; do
        on a --level quorum incr shop level && prints "$i" -n "$work/c.sock" --level quorum get shop level ||
            return 1
    done
    on b --level all incr shop level && prints 6 -n "$work/a.sock" --level all get shop level &&
        on c isolate on && until_true 60 gives 1 -n "$work/a.sock" status &&
        fails 3 "2 of 3 nodes are needed" -n "$work/c.sock" --level quorum get shop level &&
        fails 3 "2 of 3 nodes are needed" -n "$work/c.sock" --level quorum incr shop level &&
        fails 3 "3 of 3 nodes are needed" -n "$work/a.sock" --level all incr shop level &&
        on a --level quorum incr shop level && prints 7 -n "$work/b.sock" --level quorum get shop level &&
        fails 3 "4 of 3 nodes are needed" -n "$work/a.sock" --w 4 incr shop level &&
        fails 3 "2 of 3 nodes are needed" -n "$work/c.sock" --pr 2 get shop level &&
        prints 7 -n "$work/a.sock" --r 2 get shop level &&
        prints 6 -n "$work/c.sock" get shop level && on c isolate off && until_true 60 equal a b c &&
        prints 7 -n "$work/c.sock" --level all get shop level
}
check "levels: what a quorum has a quorum sees; too few nodes say so at once" levels

siblings()
{
    on c isolate on && on a assign shop owner ann && on c assign shop owner bob &&
        on c isolate off && until_true 60 equal a b c && gives 0 -n "$work/b.sock" get shop owner &&
        test "$(sort "$work/out")" = 'ann
bob' && on b export shop | on a import copy && on a export copy >"$work/copy" &&
        on b export shop | cmp - "$work/copy" && on b assign shop owner cleo &&
        until_true 60 equal a b c && prints cleo -n "$work/c.sock" get shop owner
}
check "concurrent values are siblings, until one who saw both writes" siblings

killed()
{
    end b KILL
    on a incr shop while_away 2 && on c incr shop while_away 3 && member b a c &&
        until_true 60 equal a b c && prints 5 -n "$work/b.sock" get shop while_away
}
check "SIGKILL and a new start: it catches up" killed

# What no node has in its log any more goes by comparing.
late()
{
    until_true 60 equal a b c && member d a b c && until_true 60 equal a b c d &&
        prints 5 -n "$work/d.sock" get shop while_away && on d put shop from d &&
        until_true 60 equal a b c d && prints d -n "$work/b.sock" get shop from
}
check "a new node gets everything, and is heard" late

# refused_by NODE NAME: its status counts what it refused for this.
refused_by()
{
    on "$1" status >"$work/status"
    grep -qE "^counted: $2 +[1-9]" "$work/status"
}
stranger()
{
    file=$work/stranger
    member s a b
    result=$?
    file=
    test "$result" = 0 && on s put shop secret s && until_true 60 refused_by a wrong_cluster &&
        on s status >"$work/status"
    grep -q 'away .*wrong_cluster' "$work/status" && ! gives 0 -n "$work/a.sock" get shop secret &&
        fails 1 . -n "$work/s.sock" get shop apple && end s TERM
}
check "a node of another cluster is refused, on both sides with the reason" stranger

moved()
{
    end b TERM && mv "$work/b" "$work/b.moved" && cp -a "$work/b.moved" "$work/b" &&
        member b a c && on b incr shop count 10 && until_true 60 equal a b c d &&
        prints 11 -n "$work/a.sock" get shop count
}
check "a copied directory takes a new life, and counts go on" moved

clean()
{
    for each in a b c d; do
        end "$each" TERM || return 1
    done
}
check "clean ends" clean
finish
