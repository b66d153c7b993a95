#!/bin/sh
# neap watch: what changes in a bucket, with tokens to go on from, on whatever node.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
"$NEAP" init --file "$work/cluster" >/dev/null

on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# member NAME PEER
member()
{
    daemon "$1" --cluster "$work/cluster" --listen "ipc://$work/$1.peer" --peers "ipc://$work/$2.peer"
}

# watched NODE FLAGS...: what comes until nothing has for 1 ms, in $work/told; the last token in $token.
watched()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" --timeout 1 "$@" watch shop >"$work/told" || return 1
    token=$(sed -n 's/^{"token":"\(.*\)"}$/\1/p' "$work/told" | tail -n 1)
    test -n "$token" || return 1
}

# told LINES: that and nothing else, in any order.
told()
{
    grep -v '^{"token"' "$work/told" | sort >"$work/told.lines"
    printf '%s' "$1" | sort | diff - "$work/told.lines"
}

# same: both hold the same; the log of one may be kept for a reader.
same()
{
    test "$(on a digest | awk '{ print $1, $NF }')" = "$(on b digest | awk '{ print $1, $NF }')"
}

start()
{
    member a b && member b a && on a put shop apple red && on b incr shop count 3 &&
        on a -f price incr shop cart 5 && on a add shop fruits pear && until_true 60 same &&
        watched a --from start && told '{"all":"begin"}
{"all":"end"}
{"key":"apple","type":"lww","value":"red"}
{"fields":["price"],"key":"cart","number":5,"type":"counter"}
{"key":"count","number":3,"type":"counter"}
{"element":"pear","key":"fruits","type":"set"}
' && watched a --from "$token" && told ''
}
check "first all that is there" start

changes()
{
    on b put shop apple blue && on b remove shop fruits pear && on a delete shop cart &&
        until_true 60 same && watched a --from "$token" && told '{"key":"apple","type":"lww","value":"blue"}
{"fields":["price"],"gone":true,"key":"cart","type":"counter"}
{"element":"pear","gone":true,"key":"fruits","type":"set"}
'
}
check "then what has changed, and what is gone, whoever wrote" changes

# The log is kept for the one who reads at a; b has cut its own, so there it is told as all.
elsewhere()
{
    on a incr shop count && until_true 60 same && until_true 60 no_log b && old=$token &&
        gives 0 -n "$work/a.sock" log why && grep -q 'reads changes' "$work/out" &&
        watched a --from "$old" && told '{"key":"count","number":4,"type":"counter"}
' && watched b --from "$old" && told '{"all":"begin"}
{"all":"end"}
{"key":"apple","type":"lww","value":"blue"}
{"key":"count","number":4,"type":"counter"}
' && watched a --from "$token" && told ''
}
no_log()
{
    test "$("$NEAP" -n "$work/$1.sock" -o json log why)" = "$(printf '{\n  "buckets": []\n}')"
}
check "a token is good on another node; what its log no longer tells is told as all" elsewhere

follow()
{
    "$NEAP" -n "$work/a.sock" --limit 2 watch shop >"$work/follow" &
    follower=$!
    running="$running $follower"
    until_true 60 grep -q token "$work/follow" && on b put shop pear green &&
        until_true 60 grep -q pear "$work/follow" && on a incr shop count && wait "$follower" &&
        grep -v token "$work/follow" >"$work/told" && told '{"key":"count","number":5,"type":"counter"}
{"key":"pear","type":"lww","value":"green"}
'
}
check "who follows is told as it happens" follow

refused()
{
    fails 2 'wants start, or a token' -n "$work/a.sock" --from nonsense watch shop &&
        fails 2 'no position of a watch' -n "$work/a.sock" --from abcd watch shop &&
        fails 1 'of another bucket' -n "$work/a.sock" --from "$token" watch other &&
        fails 2 'a name is 1 to 255' -n "$work/a.sock" watch a/b &&
        fails 3 . -n "$work/nobody.sock" watch shop
}
check "what is no token is refused" refused
finish
