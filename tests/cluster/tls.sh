#!/bin/sh
# Nodes with certificates: who talks with whom, who is refused and why, and what changes while they
# run.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
umask 077
port=$((20000 + $$ % 10000))

# on NODE ARGUMENTS...: neap asks that node.
on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# certify NAME FROM FLAGS...: a cluster directory $work/NAME.trust, signed by that of FROM.
certify()
{
    name=$1 from=$2
    shift 2
    rm -f "$work/papers"
    "$NEAP" cert request "$work/$name.trust" >"$work/request" &&
        "$NEAP" cert sign "$work/$from.trust" "$work/request" "$work/papers" "$@" >/dev/null &&
        "$NEAP" cert take "$work/$name.trust" "$work/papers" >/dev/null
}

address()
{
    echo "tls+tcp://127.0.0.1:$((port + $1))"
}

# member NAME NUMBER PEERS...: by their numbers.
member()
{
    name=$1 number=$2 list=
    shift 2
    for peer; do
        list=$list,$(address "$peer")
    done
    daemon "$name" --cluster "$work/${trust:-$name}.trust" --listen "$(address "$number")" \
        --peers "${list#,}"
}

id_of()
{
    "$NEAP" cert show "$work/$1.trust/node.pem" | grep -oE '(node|device|client)/[0-9a-f]{16}'
}

start()
{
    "$NEAP" init "$work/a.trust" >/dev/null && "$NEAP" init "$work/z.trust" >/dev/null &&
        certify b a && certify c a && member a 0 1 2 && member b 1 0 2 && member c 2 0 1
}
check "three nodes with certificates start" start

agree()
{
    on a put shop apple red && on b incr shop count 3 && on c add shop fruits pear &&
        until_true 60 equal a b c && prints red -n "$work/c.sock" get shop apple &&
        prints 3 -n "$work/a.sock" get shop count
}
check "what each wrote is everywhere" agree

named()
{
    on b status -o json | grep -q "\"node\": *\"$(id_of b | cut -d/ -f2)\""
}
check "a new data directory is of the node that the certificate names" named

# Larger than what nng's own TLS was seen to take.
large()
{
    head -c 700000 /dev/zero | tr '\0' x >"$work/large" &&
        for each in 1 2 3 4 5 6; do
            "$NEAP" -n "$work/a.sock" put big "a$each" - <"$work/large" &&
                "$NEAP" -n "$work/b.sock" put big "b$each" - <"$work/large" || return 1
        done
    until_true 60 equal a b c
}
check "megabytes go both ways" large

other_node()
{
    end c TERM
    trust=b
    "$NEAPD" --path "$work/c" --cluster "$work/b.trust" --listen "$(address 2)" \
        >"$work/out" 2>"$work/err" </dev/null
    code=$?
    trust=
    test "$code" = 4 && grep -q 'this data directory is of node .*and the certificate names node' \
        "$work/err" && member c 2 0 1
}
check "a data directory of another node than the certificate's is refused" other_node

# refuses FLAGS...: neapd does not start, says so on stderr, and exits with 4.
refuses()
{
    pattern=$1
    shift
    "$NEAPD" --path "$work/new" --create "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    test "$code" = 4 && grep -q -- "$pattern" "$work/err" && return 0
    cat "$work/err"
    return 1
}

beyond()
{
    "$NEAP" init --file "$work/plain" >/dev/null
    todo='beyond this machine nothing goes without TLS: use tls+tcp://HOST:PORT'
    for each in tcp://0.0.0.0:7400 'tcp://[::]:7400' tcp://192.0.2.1:7400 tcp://example.org:7400; do
        refuses "listen: .*$todo" --cluster "$work/plain" --listen "$each" &&
            refuses "listen: .*$todo" --cluster "$work/a.trust" --listen "$each" &&
            refuses "socket: .*$todo" --socket "$each" &&
            refuses "peers: .*$todo" --cluster "$work/plain" --peers "$each" || return 1
    done
    refuses 'TLS needs certificates: make a cluster with .neap init.' --cluster "$work/plain" \
        --listen tls+tcp://0.0.0.0:7400 &&
        refuses 'without TLS nobody shows one: use tls+tcp' --cluster "$work/a.trust" \
            --listen tcp://127.0.0.1:7400 && test ! -e "$work/new"
}
check "no listener beyond this machine without TLS, and a line that says what to do" beyond

open_key()
{
    chmod 640 "$work/b.trust/node.key"
    refuses 'node.key: its key is not secret while others may read it: chmod 600 it' \
        --cluster "$work/b.trust" --listen "$(address 5)"
    result=$?
    chmod 600 "$work/b.trust/node.key"
    return $result
}
check "a key that others may read is refused" open_key

# Two clusters on one machine, each of which takes the other's node for a peer of its own.
crossed()
{
    member z 3 0 1 && on z put shop secret z &&
        until_true 60 grep -q 'event=refused .*refuses this node.s certificate' "$work/a.log" &&
        until_true 60 grep -q 'peer_unreachable .*its certificate is of another cluster' "$work/z.log" &&
        fails 1 . -n "$work/a.sock" get shop secret && fails 1 . -n "$work/z.sock" get shop apple &&
        on a stats -o json | grep -qE '"links.tls_refused": *[1-9]' &&
        on z digest | awk '$1 == "shop" { exit $2 != 1 }' && end z TERM
}
check "two clusters crossed: nothing passes, and both say why" crossed

renewed()
{
    rm -f "$work/papers"
    before=$(sha256sum <"$work/b.trust/node.pem")
    "$NEAP" cert request "$work/b.trust" >"$work/request" &&
        "$NEAP" cert sign "$work/a.trust" "$work/request" "$work/papers" --id "$(id_of b | cut -d/ -f2)" &&
        "$NEAP" cert take "$work/b.trust" "$work/papers" >/dev/null &&
        test "$before" != "$(sha256sum <"$work/b.trust/node.pem")" &&
        kill -s HUP "$(cat "$work/b.pid")" && until_true 60 grep -q event=reloaded "$work/b.log" &&
        ! grep -q reload_failed "$work/b.log" && on b put shop renewed yes && until_true 60 equal a b c
}
check "a new certificate is taken while it runs" renewed

revoked()
{
    on a --yes revoke "$(id_of c)" &&
        until_true 60 grep -q 'event=peer_down .*revoked' "$work/b.log" &&
        until_true 60 grep -q 'event=refused .*owner is revoked' "$work/a.log" &&
        on a put shop after gone && until_true 60 prints gone -n "$work/b.sock" get shop after &&
        fails 1 . -n "$work/c.sock" get shop after
}
check "who is revoked is dropped, and not let in again" revoked

clean()
{
    for each in a b c; do
        end "$each" TERM || return 1
        test "$(grep -c 'event=stopped code=0' "$work/$each.log")" -ge 1 || return 1
    done
}
check "all end cleanly" clean
finish
