#!/bin/sh
# neap bundle: a device that reaches nobody exchanges a year's changes with a cluster, by two files.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
"$NEAP" init --file "$work/cluster" >/dev/null
"$NEAP" init --file "$work/strange" >/dev/null

on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# Where it listens nobody knows.
device()
{
    daemon d --cluster "$work/cluster" --listen "ipc://$work/d.peer"
}
member()
{
    daemon "$1" --cluster "$work/cluster" --listen "ipc://$work/$1.peer" --peers "ipc://$work/$2.peer"
}
# of NODE: what it holds
holds()
{
    on "$1" digest shop | awk '$1 == "shop" { print $2, $3, $NF }'
}
lines()
{
    awk -v what="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++)
        printf "{\"key\":\"%s%d\",\"type\":\"lww\",\"value\":\"%d\"}\n", what, i, i }'
}
token_of()
{
    sed -n "s/^  \"$1\": \"\\(.*\\)\".*/\\1/p" "$work/out"
}

start()
{
    member a b && member b a && device && on a put shop apple red && on a add shop fruits pear fig &&
        on a incr shop count 2 && until_true 60 equal a b &&
        gives 0 -n "$work/a.sock" bundle export "$work/first" shop && grep -q '^shop ' "$work/out" &&
        gives 0 -n "$work/d.sock" bundle apply "$work/first" && test "$(holds a)" = "$(holds d)" &&
        prints red -n "$work/d.sock" get shop apple
}
check "the device begins with what the cluster has" start

# Restarts in between: what it writes then is confirmed by nobody.
year()
{
    lines device 3000 | on d import shop && on d remove shop fruits fig && on d incr shop count 3 &&
        on d put shop apple blue && end d TERM && device && on d incr shop count 4 &&
        on d delete shop device7 && lines cluster 2000 | on a import shop &&
        on b remove shop fruits pear && on b incr shop count 10 && on a put shop pear green &&
        until_true 60 equal a b
}
check "for a year both are written" year

exchanged()
{
    gives 0 -n "$work/d.sock" -o json bundle export "$work/there" shop &&
        gives 0 -n "$work/a.sock" -o json bundle apply "$work/there" && theirs=$(token_of theirs) &&
        test -n "$theirs" &&
        gives 0 -n "$work/a.sock" -o json --since "$theirs" bundle export "$work/back" shop &&
        gives 0 -n "$work/d.sock" -o json bundle apply "$work/back" && token=$(token_of token) &&
        test "$(holds a)" = "$(holds d)" && until_true 60 equal a b &&
        prints 19 -n "$work/b.sock" get shop count && prints 19 -n "$work/d.sock" get shop count &&
        prints blue -n "$work/b.sock" get shop apple && prints '' -n "$work/d.sock" items --type set shop fruits &&
        fails 1 . -n "$work/b.sock" get shop device7
}
check "two files, and they hold the same; nothing counts twice, nothing comes back" exchanged

again()
{
    before=$(holds a)
    gives 0 -n "$work/a.sock" bundle apply "$work/there" && gives 0 -n "$work/d.sock" bundle apply "$work/back" &&
        gives 0 -n "$work/a.sock" bundle apply "$work/first" && test "$(holds a)" = "$before" &&
        test "$(holds d)" = "$before"
}
check "a bundle may be taken twice, and late" again

later()
{
    on d put shop later 1 && gives 0 -n "$work/d.sock" -o json --since "$token" bundle export "$work/small" shop &&
        grep -q '"way": "log"' "$work/out" && grep -q '"events": 1,' "$work/out" &&
        gives 0 -n "$work/b.sock" bundle apply "$work/small" && until_true 60 prints 1 -n "$work/a.sock" get shop later
}
check "after a token only what came since" later

# A device that has nothing, and a bundle of what came since a token.
lacking()
{
    daemon e --cluster "$work/cluster" --listen "ipc://$work/e.peer" --nosync &&
        fails 1 'this node lacks what came before' -n "$work/e.sock" bundle apply "$work/small" &&
        fails 1 . -n "$work/e.sock" get shop later
}
check "what came since a token is refused where the rest is not" lacking

# 17,000 values of 8 KiB.
large()
{
    { head -c 8192 /dev/zero | tr '\0' x && echo; } >"$work/large"
    awk '{ for (i = 0; i < 17000; i++) printf "{\"key\":\"k%d\",\"type\":\"lww\",\"value\":\"%s\"}\n", i, $0 }' "$work/large" |
        "$NEAP" -n "$work/e.sock" import heavy >/dev/null &&
        fails 2 'more than 128 MiB' -n "$work/e.sock" bundle export "$work/heavy" heavy && test ! -e "$work/heavy" &&
        end e TERM
}
check "more than a bundle may have is refused" large

damaged()
{
    cp "$work/there" "$work/bad" && printf X | dd of="$work/bad" bs=1 seek=500 conv=notrunc 2>/dev/null &&
        fails 1 'damaged, or of another cluster' -n "$work/a.sock" bundle apply "$work/bad" &&
        head -c 1000 "$work/there" >"$work/short" &&
        fails 1 'damaged, or of another cluster' -n "$work/a.sock" bundle apply "$work/short" &&
        daemon s --cluster "$work/strange" --listen "ipc://$work/s.peer" &&
        fails 1 'of another cluster' -n "$work/s.sock" bundle apply "$work/there" &&
        fails 1 'no such bucket' -n "$work/a.sock" bundle export "$work/x" nowhere &&
        fails 2 'not a name' -n "$work/a.sock" bundle export "$work/x" _system &&
        fails 2 'wants a token' -n "$work/a.sock" --since zz bundle export "$work/x" shop &&
        fails 2 'usage' -n "$work/a.sock" bundle export "$work/x" &&
        fails 4 . -n "$work/a.sock" bundle export "$work/there" shop &&
        fails 1 . -n "$work/a.sock" bundle apply "$work/none" && test ! -e "$work/x"
}
check "what is damaged, strange or no bundle is refused" damaged
finish
