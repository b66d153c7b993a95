#!/bin/sh
# Every command and flag of neap, on a socket and on a directory; both forms of output.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"

# Commands, once with the flags of a socket and once with those of a directory.
commands()
{
    check "$1: put and get" commands_put "$@"
    check "$1: assign replaces what is there" commands_assign "$@"
    check "$1: incr counts, also down" commands_incr "$@"
    check "$1: a write with an id is done once" commands_once "$@"
    check "$1: flag goes on and off" commands_flag "$@"
    check "$1: add and remove elements" commands_set "$@"
    check "$1: scores, their order and ranks" commands_scores "$@"
    check "$1: fields of maps, nested" commands_map "$@"
    check "$1: one key has an object of each type" commands_types "$@"
    check "$1: delete" commands_delete "$@"
    check "$1: keys in order, from and limit" commands_keys "$@"
    check "$1: items, from and limit" commands_items "$@"
    check "$1: json" commands_json "$@"
    check "$1: what is not there" commands_absent "$@"
    check "$1: values that are no text" commands_bytes "$@"
    check "$1: digest, status, stats" commands_node "$@"
    check "$1: over a limit" commands_limits "$@"
}

commands_put()
{
    shift
    prints '' "$@" put shop apple red && prints red "$@" get shop apple &&
        prints '' "$@" put shop apple green && prints green "$@" get shop apple &&
        prints '' "$@" put shop apple '' && prints '' "$@" get shop apple &&
        prints '' "$@" put other apple blue && prints blue "$@" get other apple
}

commands_scores()
{
    shift
    prints '' "$@" score shop board ann 10 && prints '' "$@" score shop board bob =7 &&
        prints '' "$@" score shop board cid +5 && prints '' "$@" score -- shop board bob -3 &&
        prints 4 "$@" score shop board bob && prints 1 "$@" rank shop board cid &&
        prints 'ann	10
cid	5
bob	4' "$@" top shop board && prints 'cid	5' "$@" top shop board 9 5 &&
        prints '{"element":"ann","number":10}' "$@" -o json --limit 1 top shop board &&
        prints '' "$@" remove --type scores shop board ann &&
        fails 1 'ann: no such object' "$@" score shop board ann &&
        fails 1 'ann: no such object' "$@" rank shop board ann &&
        fails 2 'not a whole number' "$@" score shop board ann x &&
        fails 2 'not a whole number' "$@" top shop board high &&
        fails 2 'needs a score' "$@" add --type scores shop board ann &&
        prints '' "$@" --field day score shop board ann 3 &&
        prints 'ann	3' "$@" --field day top shop board &&
        prints '' "$@" delete shop board
}

commands_assign()
{
    shift
    prints '' "$@" assign shop owner ann && prints '' "$@" assign shop owner bob &&
        prints bob "$@" get shop owner && prints bob "$@" --type register get shop owner
}

commands_incr()
{
    shift
    prints '' "$@" incr shop count && prints '' "$@" incr shop count 41 &&
        prints 42 "$@" get shop count && prints '' "$@" incr -- shop count -50 &&
        prints -8 "$@" get shop count && prints '' "$@" incr shop count 9223372036854775807 &&
        fails 2 'not a whole number' "$@" incr shop count 9223372036854775808 &&
        fails 2 'not a whole number' "$@" incr shop count 1x &&
        fails 2 'not a whole number' "$@" incr shop count ''
}

commands_once()
{
    shift
    prints '' "$@" --once 7c0d incr shop till 5 && prints '' "$@" --once 7c0d incr shop till 5 &&
        prints 5 "$@" get shop till && fails 2 'another write' "$@" --once 7c0d incr shop till 6 &&
        prints '' "$@" --once 7c0e add shop bag a b && prints '' "$@" remove shop bag a &&
        prints '' "$@" --once 7c0e add shop bag a b && prints b "$@" get shop bag &&
        gives 0 "$@" once && id=$(cat "$work/out") && prints '' "$@" --once "$id" incr shop till &&
        prints '' "$@" --once "$id" incr shop till && prints 6 "$@" get shop till &&
        fails 1 'another node' "$@" --once "neap1-0123456789abcdef-${id#neap1-????????????????-}" \
            incr shop till &&
        fails 2 'means nothing to assign' "$@" --once 7c0f assign shop owner cid &&
        fails 2 'not empty' "$@" --once '' incr shop till &&
        prints '' "$@" --level all incr shop till && prints 7 "$@" --level quorum get shop till &&
        fails 2 'one, quorum, all' "$@" --level two get shop till &&
        fails 2 'means nothing to status' "$@" --level one status &&
        prints '' "$@" --w 1 incr shop till && prints 8 "$@" --r 1 --pr 1 get shop till &&
        fails 3 '2 of 1 nodes are needed' "$@" --pw 2 incr shop till &&
        fails 3 '2 of 1 nodes are needed' "$@" --r 2 get shop till &&
        fails 2 'a number of nodes, not 0' "$@" --w 0 incr shop till &&
        fails 2 'a number of nodes, not 70000' "$@" --r 70000 get shop till &&
        fails 2 'means nothing to get' "$@" --w 2 get shop till &&
        fails 2 'give one of both' "$@" --w 1 --level one incr shop till &&
        prints '' "$@" --w 1 --r 1 assign shop owner dan &&
        prints '' "$@" delete shop till && prints '' "$@" delete shop bag
}

commands_flag()
{
    shift
    prints '' "$@" flag shop open on && prints true "$@" get shop open &&
        prints '' "$@" flag shop open off && fails 1 'no such object' "$@" get shop open &&
        fails 2 'neither on nor off' "$@" flag shop open maybe
}

commands_set()
{
    shift
    prints '' "$@" add shop fruits pear apple fig && prints 'apple
fig
pear' "$@" get shop fruits && prints '' "$@" remove shop fruits apple nothing &&
        prints 'fig
pear' "$@" --type set get shop fruits && prints fig "$@" --limit 1 get shop fruits
}

commands_map()
{
    shift
    prints '' "$@" -f price incr shop cart 250 &&
        prints '' "$@" --field home --field street put shop cart Elm &&
        prints '' "$@" -f tags add shop cart new && prints 250 "$@" -f price get shop cart &&
        prints Elm "$@" -f home -f street get shop cart && prints 'home
price
tags' "$@" get shop cart &&
        prints '' "$@" -f home delete shop cart && prints 'price
tags' "$@" get shop cart &&
        fails 2 'more than 16' "$@" -f1 -f2 -f3 -f4 -f5 -f6 -f7 -f8 -f9 -fa -fb -fc -fd -fe -ff -fg \
            -fh get shop cart
}

commands_types()
{
    shift
    prints '' "$@" put shop both text && prints '' "$@" incr shop both 7 && prints 'lww:
text
counter:
7' "$@" get shop both && prints 7 "$@" --type counter get shop both &&
        prints '' "$@" --type lww delete shop both && prints 7 "$@" get shop both &&
        prints '' "$@" delete shop both && fails 1 'no such object' "$@" get shop both
}

commands_delete()
{
    shift
    prints '' "$@" put shop gone x && prints '' "$@" delete shop gone &&
        fails 1 'no such object' "$@" get shop gone && gives 0 "$@" keys shop &&
        ! grep gone "$work/out" && prints '' "$@" put shop gone back &&
        prints back "$@" get shop gone && prints '' "$@" delete shop gone &&
        prints '' "$@" delete shop gone
}

commands_keys()
{
    shift
    gives 0 "$@" put list b 2 && gives 0 "$@" put list a 1 && gives 0 "$@" incr list c 3 &&
        gives 0 "$@" -f x put list d y && prints 'a	lww	1
b	lww	2
c	counter	3
d	map' "$@" keys list && prints 'b	lww	2' "$@" --from b --limit 1 keys list &&
        prints 'c	counter	3
d	map' "$@" --from bb keys list && prints '' "$@" --from e keys list
}

commands_items()
{
    shift
    gives 0 "$@" -f b put list map 2 && gives 0 "$@" -f a incr list map 1 && prints 'a	counter	1
b	lww	2' "$@" items list map && prints 'b	lww	2' "$@" --from b items list map &&
        prints 'a	counter	1' "$@" --limit 1 items list map &&
        gives 0 "$@" add list set z y && prints 'y	set
z	set' "$@" --type set items list set && prints 'z	set' "$@" --type set --from z items list set &&
        fails 2 'map or set' "$@" --type counter items list set
}

commands_json()
{
    shift
    gives 0 "$@" put json k v && prints '{"lww":"v"}' "$@" -o json get json k &&
        prints '{"name":"k","type":"lww","value":"v"}' "$@" --output json keys json &&
        gives 0 "$@" -f n incr json m 5 &&
        prints '{"name":"n","type":"counter","value":5}' "$@" -o json items json m &&
        prints '{"map":["n"]}' "$@" -o json get json m &&
        fails 1 '^\{"doing": ?"none", ?"code": ?-4, ?"error": ?".*"\}$' "$@" -o json get json none &&
        gives 0 "$@" -o json digest json && grep -q '"digest": "[0-9a-f]\{32\}"' "$work/out" &&
        gives 0 "$@" -o json stats && grep -q '"writes": [0-9]' "$work/out" &&
        gives 0 "$@" -o json status && grep -q '"peers": \[\]' "$work/out" &&
        prints v "$@" -o table get json k && fails 2 'table or json' "$@" -o yaml get json k
}

commands_absent()
{
    shift
    fails 1 'no such object' "$@" get shop nothing && fails 1 'no such' "$@" -f a get shop apple &&
        prints '' "$@" keys nowhere && prints '' "$@" items shop nothing &&
        prints '' "$@" remove shop nothing element && prints '' "$@" delete shop nothing &&
        fails 1 'no bucket' "$@" digest nowhere
}

# Latin-1 and control characters: shown escaped, in JSON as hex.
commands_bytes()
{
    shift
    raw=$(printf 'caf\351\001')
    gives 0 "$@" put bytes k "$raw" && prints 'caf\xe9\x01' "$@" get bytes k &&
        prints '{"lww":{"hex":"636166e901"}}' "$@" -o json get bytes k &&
        gives 0 "$@" put bytes "$raw" v && prints v "$@" get bytes "$raw" &&
        gives 0 "$@" put bytes utf 'é\' && prints 'é\x5c' "$@" get bytes utf &&
        prints '{"lww":"é\\"}' "$@" -o json get bytes utf
}

commands_node()
{
    shift
    gives 0 "$@" digest && grep -q '^(all) ' "$work/out" && gives 0 "$@" digest list &&
        test "$(awk 'END { print $2, $3 }' "$work/out")" = "6 8" &&
        gives 0 "$@" status && grep -q '^node [0-9a-f]\{16\}  version ' "$work/out" &&
        gives 0 "$@" stats && grep -q '^writes	' "$work/out" &&
        fails 4 'alone' "$@" isolate on && fails 2 'on or off' "$@" isolate maybe
}

commands_limits()
{
    shift
    long=$(printf '%01025d' 0)
    fails 2 . "$@" put shop "$long" x && gives 0 "$@" put shop "${long#0}" x &&
        fails 2 . "$@" put '' k v && fails 2 . "$@" put "$(printf '%0256d' 0)" k v &&
        fails 2 . "$@" put shop '' v
}

check "a daemon starts" daemon a
commands "socket" -n "$work/a.sock"
fills="$work/a.sock"

address_given()
{
    NEAP_NODE=$fills
    export NEAP_NODE
    prints 'a	lww	1' --limit 1 keys list && prints 'a	lww	1' -n "$fills" --limit 1 keys list &&
        prints 'a	lww	1' -n "unix:$fills" --limit 1 keys list &&
        prints 'a	lww	1' -n "ipc://$fills" --limit 1 keys list &&
        fails 3 . -n "$work/nowhere.sock" keys list
    result=$?
    unset NEAP_NODE
    return "$result"
}
check "the address: flag before environment" address_given

usage()
{
    fails 2 'command is missing' && fails 2 'no command frob' frob &&
        fails 2 'usage: neap get BUCKET KEY' get && fails 2 'usage: neap get' get a b c &&
        fails 2 'frob' --frob get a b && fails 2 'missing' get a b -o &&
        fails 2 'milliseconds' --timeout x get a b && fails 2 'milliseconds' --timeout -1 get a b &&
        fails 2 'number' --limit x keys a && fails 2 'number' --limit -1 keys a &&
        fails 2 'register, lww' --type any get a b && fails 2 'json or dpkg' --format x import a &&
        fails 2 'means nothing to put' --limit 3 put a b c &&
        fails 2 'means nothing to keys' -f x keys a &&
        fails 2 'means nothing to export' --type set export a &&
        fails 2 'means nothing to get' --from x get a b &&
        fails 2 'means nothing to get' --format json get a b &&
        fails 2 'means nothing to init' -n x init "$work/x" &&
        fails 2 'give one' -n x --dir y get a b && fails 2 'goes with --dir or --node' --cluster x get a b
}
check "usage: each mistake is named, exit 2" usage

version()
{
    prints "$(sed -n 's/^AC_INIT(\[neap\], \[\([^]]*\)\].*/neap \1/p' "$source/configure.ac")" \
        --version && gives 0 --help && grep -q '^usage: neap' "$work/out" && gives 0 -h &&
        gives 0 -V
}
check "version and help" version

held()
{
    fails 4 'another process' --dir "$work/a" keys shop
}
check "a directory that a daemon has open is refused, exit 4" held
check "the daemon ends cleanly" end a TERM
check "another directory is made" daemon b
check "and left" end b TERM
commands "directory" --dir "$work/b"
check "no daemon, no answer: exit 3" fails 3 . -n "$work/a.sock" keys shop
check "no such directory: exit 1, and none is made" fails 1 . --dir "$work/absent" keys shop
check "it is still absent" test ! -e "$work/absent"

init()
{
    gives 0 init --file "$work/cluster" && grep -q 'copy it to every node' "$work/out" &&
        test "$(stat -c %a "$work/cluster")" = 600 &&
        test "$(grep -cE '^(cluster = [0-9a-f]{16}|key = [0-9a-f]{64})$' "$work/cluster")" = 2 &&
        fails 4 'exists' init --file "$work/cluster" && fails 1 'cannot make' init --file "$work/none/cluster" &&
        (cd "$work" && "$NEAP" -o json init --file && test -s neap.cluster) &&
        ! cmp -s "$work/cluster" "$work/neap.cluster" &&
        gives 0 --dir "$work/a" --cluster "$work/cluster" keys shop &&
        echo nonsense >"$work/bad" &&
        chmod 600 "$work/bad" && fails 2 'bad' --dir "$work/a" --cluster "$work/bad" keys shop &&
        chmod 644 "$work/cluster" &&
        fails 4 'secret' --dir "$work/a" --cluster "$work/cluster" keys shop
}
check "init makes a secret file, and never over another" init

timeout_given()
{
    gives 0 --timeout 60000 --dir "$work/a" keys shop
}
check "timeout" timeout_given
finish
