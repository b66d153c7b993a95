#!/bin/sh
# The member list: one peer is enough to find all; who leaves, is retired, is forgotten.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"

"$NEAP" init --file "$work/cluster" >/dev/null
at() { echo "ipc://$work/$1.peer"; }

# member NODE ZONE [ARGUMENTS...]
member()
{
    name=$1 zone=$2
    shift 2
    daemon "$name" --cluster "$work/cluster" --listen "$(at "$name")" --name "$name" --zone "$zone" "$@"
}

on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# same NODE...: they hold the same, whatever their logs keep for others.
same()
{
    first=$(digest "$1")
    for each; do
        here=$(digest "$each")
        test -n "$here" && test "${here%% *}" = "${first%% *}" || return 1
    done
}
killed() { end "$1" KILL || true; }
nothing_logged() { test "$(digest "$1" | cut -d ' ' -f 2)" = 0; }

# sees NODE OTHER PATTERN: the line that `neap peers` has of it.
sees() { "$NEAP" -n "$work/$1.sock" peers 2>/dev/null | grep -qE "^[0-9a-f]{16} $2  *$3"; }

joined()
{
    member a north && member b south --peers "$(at a)" && member c west --peers "$(at a)" &&
        until_true 60 sees b c 'west .*alive  *connected' && until_true 60 sees c b 'south .*alive  *connected' &&
        until_true 60 sees a b 'south .*connected' && until_true 60 sees a c 'west .*connected' &&
        gives 0 -n "$work/b.sock" peers && grep -qE '^[0-9a-f]{16} b .*this node' "$work/out" &&
        gives 0 -n "$work/b.sock" status && grep -q 'name b  zone south' "$work/out"
}
check "one configured peer is enough to be linked with all" joined

without()
{
    killed a; on b put shop apple green && until_true 60 sees c a '.*away' &&
        until_true 60 same b c && prints green -n "$work/c.sock" get shop apple &&
        until_true 60 sees c a '.*dead' && gives 1 -n "$work/c.sock" peers
}
check "that one may die: the others go on" without

again()
{
    end b TERM && end c TERM && daemon b --cluster "$work/cluster" --listen "$(at b)" --name b --zone south &&
        daemon c --cluster "$work/cluster" --listen "$(at c)" --name c --zone west &&
        until_true 60 sees b c '.*connected' && until_true 60 sees c b '.*connected'
}
check "and find each other again without a word of the configuration" again

leaves()
{
    member a north && until_true 60 sees b a '.*alive  *connected' && end a TERM &&
        until_true 60 sees b a '.*left' && until_true 60 sees c a '.*left'
}
check "who is closed is left, and not suspected first" leaves

retires()
{
    on b put shop pear ripe && until_true 60 same b c &&
        ! nothing_logged b &&
        on b retire a && until_true 60 sees c a '.*retired' && until_true 60 nothing_logged b &&
        until_true 60 nothing_logged c && member a north && until_true 60 same a b &&
        until_true 60 sees c a '.*connected' && prints ripe -n "$work/a.sock" get shop pear
}
check "logs wait no more for who is retired; it compares when it returns" retires

forgets()
{
    fails 4 'is there' -n "$work/b.sock" --yes forget a && fails 4 'this node' -n "$work/b.sock" --yes forget b &&
        fails 1 "no node nobody" -n "$work/b.sock" --yes forget nobody && killed a &&
        on b put shop plum late && until_true 60 sees b a '.*(dead|left)' && on b --yes forget a &&
        until_true 60 sees c a '.*forgotten' && until_true 60 nothing_logged b && until_true 60 nothing_logged c &&
        until_true 60 gives 0 -n "$work/c.sock" peers
}
check "who is forgotten is no member, and holds no log back" forgets

returns()
{
    member a north && on a put shop ghost here && until_true 60 on b put shop cherry red &&
        until_true 60 same b c && fails 1 . -n "$work/b.sock" get shop ghost &&
        "$NEAP" -n "$work/b.sock" stats | awk '$1 == "links.forgotten" { exit $2 == 0 }' &&
        sees b a '.*forgotten'
}
check "and is not let in again" returns

ends() { end a TERM && end b TERM && end c TERM; }
check "all end cleanly" ends
finish
