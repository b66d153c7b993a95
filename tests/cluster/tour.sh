#!/bin/sh
# The tour of docs/tour.md: a cluster of five nodes in which things go wrong. Each scene asserts what
# matters, and holds what the terminal shows against the document.
#   make check TESTS=tests/cluster/tour.sh TOUR=write    puts what it shows into the document
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
lose=$build/tests/cluster/lose later=$build/tests/cluster/.libs/liblater.so
document=$source/docs/tour.md
cd "$work" || exit 99
mkdir doc new
python3 "$source/tests/cluster/tour.py" split "$document" doc || exit 99

# ---- the terminal ----

clean()
{
    python3 "$source/tests/cluster/tour.py" clean
}

# block: what is shown from now on is the next block of the document.
block_number=0
block()
{
    block_number=$((block_number + 1)) chunk=0
}

# shown: what is in $work/shown is what the document has there.
shown()
{
    test "${TOUR:-}" = write || diff "doc/$block_number.$chunk" shown
}
keep()
{
    cat shown >>"new/$block_number"
}

# typed LINE, and what it gave: the exit code in $got, the output in $work/out and $work/err.
typed()
{
    {
        echo "$1"
        cat out err | clean
        test "$got" = 0 || echo "(exit $got)"
    } >shown
}

# see CODE PATTERN... -- ARGUMENTS...: neap, asked until it ends so and has a line for each pattern, and
# none for those that begin with an exclamation mark.
see()
{
    code=$1 chunk=$((chunk + 1))
    shift
    : >patterns
    while test "$1" != --; do
        echo "$1" >>patterns
        shift
    done
    shift
    until_true 60 seen "$@" && keep
}
seen()
{
    "$NEAP" "$@" >out 2>err </dev/null
    got=$?
    while read -r pattern; do
        case $pattern in
            '!'*) ! grep -qE -- "${pattern#!}" out err ;;
            *) grep -qE -- "$pattern" out err ;;
        esac || {
            echo "not so: a line like \`$pattern':"
            cat out err
            return 1
        }
    done <patterns
    test "$got" = "$code" && typed "\$ neap $*" && shown
}

# act CODE ARGUMENTS...: neap, once.
act()
{
    code=$1 chunk=$((chunk + 1))
    shift
    "$NEAP" "$@" >out 2>err </dev/null
    got=$?
    typed "\$ neap $*" && shown && test "$got" = "$code" && keep
}

# say TEXT: a comment; what is done by other means.
say()
{
    chunk=$((chunk + 1))
    echo "# $*" >shown
    shown && keep
}

# ---- the nodes ----

# A clock that all of them go by: so many days ahead.
printf 0000 >days
ahead()
{
    printf '%04d' "$1" | dd of=days conv=notrunc 2>/dev/null
}

# configure NAME: a file for it, and addresses that say who is meant.
configure()
{
    {
        echo "name = $1"
        echo "path = $1"
        echo "create = yes"
        echo "socket = $1.sock"
        echo "cluster = cluster"
        echo "listen = ipc://$1.peer"
        echo "peers = ipc://a.peer, ipc://b.peer, ipc://c.peer, ipc://d.peer, ipc://tablet.peer" |
            sed -e "s, ipc://$1.peer\\,,," -e "s,\\, ipc://$1.peer\$,,"
        echo "retire_after_s = 2592000"
    } >"$1.ini"
}

# runs NAME
runs()
{
    LATER_DAYS=$work/days LD_PRELOAD=$later \
        ASAN_OPTIONS="verify_asan_link_order=0:$ASAN_OPTIONS" \
        "$NEAPD" --config "$1.ini" >"$1.out" 2>>"$1.log" </dev/null &
    echo $! >"$1.pid"
    running="$running $!"
    until_true 60 answers "$1" && kill -s 0 "$(cat "$1.pid")"
}
start()
{
    chunk=$((chunk + 1))
    echo "\$ neapd --config $1.ini &" >shown
    runs "$1" && shown && keep
}
# stop NAME SIGNAL
stop()
{
    chunk=$((chunk + 1))
    echo "\$ kill -$2 \$(cat $1.pid)" >shown
    end "$1" "$2"
    shown && keep
}

rows()
{
    awk 'BEGIN { for (i = 0; i < 300; i++)
        printf "{\"key\":\"k%03d\",\"type\":\"lww\",\"value\":\"value %03d is long enough\"}\n", i, i }'
}

# ---- scenes ----

# scene NAME FUNCTION: each begins where the one before has ended, so the first that fails is the last.
scene()
{
    check "$1" "$2"
    test "$failed" = 0 || finish
}

# agreed NAME: the bucket is the same everywhere, as that node's status says.
agreed()
{
    see 0 '^shop .* now$' -- -n "$1.sock" status
}
proven()
{
    see 0 '^shop .*equal' -- -n "$1.sock" verify shop
}
# mended NAME: a repair finds that nothing is left to do.
mended()
{
    see 0 'both hold the same' '!begins' -- -n "$1.sock" repair shop
}

well()
{
    "$NEAP" init --file cluster >init.out && rows >rows.jsonl || return 1
    for each in a b c d tablet; do
        configure "$each"
    done
    block
    for each in a b c d tablet; do
        start "$each" || return 1
    done
    act 0 -n a.sock import shop rows.jsonl && act 0 -n d.sock incr shop visits 4 &&
        act 0 -n tablet.sock add shop tags sweet sour && agreed a && proven a &&
        act 0 -n d.sock backup d.backup
}
scene "all is well" well

down()
{
    block && stop c KILL && act 0 -n a.sock put shop k001 new && act 0 -n b.sock incr shop visits 3 &&
        see 1 '^ipc://c.peer .* dead for' '^AWAY: ipc://c.peer' -- -n a.sock status &&
        see 1 'c.peer +log +2' -- -n a.sock hints &&
        see 0 'c.peer +does not answer' 'd.peer +0' -- -n a.sock explain shop k001 &&
        see 3 'c.peer +not connected' -- -n a.sock repair shop &&
        start c && see 0 '!shop' -- -n a.sock hints && agreed a && mended c && proven c
}
scene "a node is down" down

restored()
{
    block && act 0 -n d.sock incr shop visits 10 && act 0 -n a.sock remove shop tags sour &&
        until_true 60 equal a b c d tablet && stop d KILL &&
        say "the disk of d is gone, and its backup is older than that" && rm -r d &&
        act 0 backup verify d.backup && act 0 restore d.backup d && start d &&
        see 0 '^NEW LIFE: restored' '^shop .* now$' -- -n d.sock status &&
        see 0 '^counter: 17$' -- -n d.sock explain shop visits && mended d && proven d &&
        see 0 '^sweet$' -- -n d.sock get shop tags
}
scene "a node is restored from an old backup" restored

# rot NAME TEXT: one bit of the table that has this text.
rot()
{
    table=$(grep -l -- "$2" "$1"/*.sst | tail -n 1)
    at=$(grep -abo -- "$2" "$table" | tail -n 1 | cut -d: -f1)
    byte=$(od -An -tu1 -j"$at" -N1 "$table")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$table" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
# Twice: the first start after writes is the one that makes tables of them.
rotten()
{
    end b TERM && runs b && end b TERM && rot b 'value 100 is' || return 1
    block && say "one bit of a table of b is not what it was" && runs b && act 0 -n b.sock scrub shop &&
        see 1 '^UNREADABLE: .*sst is damaged' -- -n b.sock status &&
        see 1 'is damaged' -- -n b.sock get shop k100 &&
        see 0 'b.peer +[^h].*read' -- -n a.sock explain shop k100 &&
        stop b TERM && start b && see 1 '^DAMAGE' '^shop .* now$' '!PROBLEM' -- -n b.sock status && mended b && proven b &&
        see 0 '^value 100' -- -n b.sock get shop k100
}
scene "a block is rotten" rotten

# everywhere WORDS: a task of all nodes.
everywhere()
{
    chunk=$((chunk + 1))
    echo "\$ for node in a b c d tablet; do neap -n \$node.sock task $1; done" >shown
    for each in a b c d tablet; do
        "$NEAP" -n "$each.sock" task $1 || return 1
    done
    shown && keep
}
silent()
{
    ! end c KILL && "$lose" c shop k200 && block &&
        say "c was killed, and its disk has lost a value, without a trace" && start c &&
        everywhere "pause repair:shop" &&
        see 1 '^DIFFERS: bucket shop at ipc://c.peer' -- -n a.sock status &&
        see 1 'k200' -- -n a.sock verify shop && see 1 'k200' -- -n a.sock diff shop &&
        see 1 'c.peer +0 +0 +1' -- -n a.sock repair --dry-run shop &&
        see 0 'c.peer +.*paused' -- -n a.sock repair shop &&
        everywhere "resume repair:shop" && see 1 '^DAMAGE' '^shop .* now$' -- -n c.sock status &&
        mended a && proven a
}
scene "a value is lost without a word" silent

device()
{
    block && stop tablet TERM && act 0 --dir tablet incr shop visits 5 &&
        act 0 --dir tablet add shop tags salty && say "90 days go by" && ahead 90 &&
        act 0 -n a.sock delete shop k002 && act 0 -n b.sock incr shop visits 20 &&
        see 1 '^AWAY: .*tablet.*for 90 d' 'tablet.peer +retired' '^shop +0 ' -- -n a.sock status &&
        see 1 'tablet.peer +compare' '!c.peer' '![bd].peer' -- -n a.sock hints &&
        start tablet && agreed tablet && mended tablet && proven tablet &&
        see 1 'no such' -- -n tablet.sock get shop k002 && see 0 '^42$' -- -n a.sock get shop visits
}
scene "a device is away for 90 days" device

siblings()
{
    block && act 0 -n c.sock isolate on && act 0 -n a.sock assign shop owner ann &&
        act 0 -n c.sock assign shop owner bob && act 0 -n c.sock isolate off &&
        see 0 '^SIBLINGS' '^shop .* now$' -- -n d.sock status &&
        see 1 owner -- -n d.sock siblings shop && see 0 '"ann"' '"bob"' -- -n d.sock explain shop owner &&
        act 0 -n d.sock assign shop owner ann && agreed d && see 0 '!owner' -- -n d.sock siblings shop && proven d
}
scene "two siblings" siblings

# The clients of b.
guests()
{
    awk 'BEGIN { for (i = 0; i < 10000; i++)
        printf "{\"key\":\"guests\",\"type\":\"set\",\"element\":\"guest %d\"}\n", i }' >guests.jsonl
}
hot()
{
    guests && block && act 0 -n b.sock import shop guests.jsonl &&
        see 0 '^HOT: bucket shop, set guests: 10000 ' '^shop .* now$' -- -n a.sock status &&
        see 0 ' set +guests' -- -n a.sock --limit 3 big shop &&
        act 0 -n a.sock delete shop guests && agreed a && see 0 '!guests' -- -n a.sock --limit 3 big shop && proven a
}
scene "a hot big set" hot

test "${TOUR:-}" != write || python3 "$source/tests/cluster/tour.py" write "$document" new || exit 99
finish
