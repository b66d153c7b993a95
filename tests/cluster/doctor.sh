#!/bin/sh
# neap doctor, big and siblings, on nodes that are well and on others.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"

# says PATTERN...: the last command printed each.
says()
{
    for pattern; do
        grep -qE -- "$pattern" "$work/out" || {
            echo "nothing that matches \`$pattern':"
            cat "$work/out"
            return 1
        }
    done
}

# A machine whose disk is nearly full, or whose clock was set, has findings of its own.
only_notices()
{
    neap "$@" doctor
    test $? -le 1 && says '^notice +alone' &&
        ! grep -E '^(critical|warning)' "$work/out" | grep -vE ' (disk_low|files_low|clock_back)'
}

# member NAME OTHER
member()
{
    daemon "$1" --cluster "$work/cluster" --listen "ipc://$work/$1.peer" --peers "ipc://$work/$2.peer"
}

begin()
{
    gives 0 init --file "$work/cluster" && daemon s && gives 0 -n "$work/s.sock" put shop apple red
}
check "a node alone" begin
check "alone: notices, and nothing else" only_notices -n "$work/s.sock"

large()
{
    gives 0 -n "$work/s.sock" add shop fruits fig pear plum cherry &&
        gives 0 -n "$work/s.sock" big shop && says '^ +bytes +cells +dots' ' 4 +4 +set +fruits$' ' lww +apple$' &&
        test "$(awk 'NR == 2 { print $5 }' "$work/out")" = fruits &&
        gives 0 -n "$work/s.sock" --limit 1 big shop && test "$(wc -l <"$work/out")" = 2 &&
        gives 0 -n "$work/s.sock" -o json --limit 1 big shop && says '"more": true' '"key": "fruits"' &&
        fails 1 'no bucket' -n "$work/s.sock" big nowhere &&
        fails 2 'not a number from 1 to 1000' -n "$work/s.sock" --limit 1001 big shop &&
        prints '' -n "$work/s.sock" siblings shop && fails 2 'usage' -n "$work/s.sock" siblings
}
check "big: what takes most; siblings: none" large
check "the node ends" end s TERM
check "the same of its directory" only_notices --dir "$work/s"

closed()
{
    gives 1 --dir "$work/none" doctor && says '^critical +open .*/none: ' 'to do: no data is there' &&
        gives 1 --dir "$work/none" -o json doctor && says '"name": "open"' '"critical": 1' &&
        fails 3 'connect' -n "$work/s.sock" doctor && fails 2 usage doctor shop
}
check "a directory that can't be opened is a finding" closed

damaged()
{
    for table in "$work"/s/*.sst "$work"/s/*/*.sst "$work"/s/CURRENT; do
        test ! -f "$table" || break
    done
    printf 'nonsense' >"$table" && gives 1 --dir "$work/s" doctor && says '^critical'
}
check "a damaged one is" damaged

pair()
{
    member a b && member b a &&
        gives 0 -n "$work/a.sock" put shop apple red && until_true 60 equal a b &&
        gives 0 -n "$work/a.sock" isolate on && gives 1 -n "$work/a.sock" doctor &&
        says '^warning +isolated: ' 'to do: .neap isolate off' '^warning +peer_away ipc://.*/b.peer: ' &&
        gives 0 -n "$work/a.sock" assign shop owner ann && gives 0 -n "$work/b.sock" assign shop owner bob &&
        gives 0 -n "$work/a.sock" isolate off && until_true 60 equal a b &&
        until_true 60 gives 1 -n "$work/b.sock" siblings shop && says '^ +2  owner:register$' &&
        gives 1 -n "$work/b.sock" -o json siblings shop && says '"siblings": 2' '"most": 2' &&
        gives 0 -n "$work/b.sock" assign shop owner cid && prints '' -n "$work/b.sock" siblings shop
}
check "cut off: isolated and away; afterwards siblings, until somebody chooses" pair

gone()
{
    end a KILL
    until_true 60 gives 1 -n "$work/b.sock" doctor && until_true 60 away
}
away()
{
    gives 1 -n "$work/b.sock" doctor && says '^warning +peer_away ipc://.*/a.peer: it is away'
}
check "a peer that is gone" gone
check "the other ends" end b TERM
finish
