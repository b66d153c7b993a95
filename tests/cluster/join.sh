#!/bin/sh
# A cluster with TLS: made, joined by tokens and by files, renewed; and who is not let in.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
hostile=$build/tests/cluster/hostile
umask 077
port_a=$("$hostile" port) port_b=$("$hostile" port) port_x=$("$hostile" port)
port_c=$("$hostile" port) at_c=tls+tcp://127.0.0.1:$port_c
at_a=tls+tcp://127.0.0.1:$port_a at_b=tls+tcp://127.0.0.1:$port_b at_x=tls+tcp://127.0.0.1:$port_x

# on NODE ARGUMENTS...: neap asks that node.
on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# identity DIRECTORY: as its certificate says.
identity()
{
    "$NEAP" cert show "$1/node.pem" | sed -n '1s/ .*//p'
}

made()
{
    gives 0 init "$work/one" && gives 0 init "$work/other" &&
        fails 4 'exists' init "$work/one" &&
        test "$(stat -c %a "$work/one" "$work/one/ca.key" "$work/one/node.key" \
            "$work/one/cluster" | tr '\n' ' ')" = '700 600 600 600 ' &&
        prints "$(identity "$work/one")" cert show "$work/one/node.pem" ||
        case $(identity "$work/one") in node/*) ;; *) false ;; esac
}
check "init makes a directory with secret keys, and never over another" made

start_a()
{
    daemon a --cluster "$work/one" --listen "$at_a"
}
check "its first node listens with TLS" start_a

joined()
{
    "$NEAP" token create "$work/one" >"$work/token" && test "$(wc -l <"$work/token")" = 1 &&
        gives 0 join "$work/token" "$at_a" "$work/two" && grep -q '^node/' "$work/out" &&
        test "$(stat -c %a "$work/two/node.key" "$work/two/cluster" | tr '\n' ' ')" = '600 600 ' &&
        cmp "$work/one/ca.pem" "$work/two/ca.pem" && cmp "$work/one/cluster" "$work/two/cluster" &&
        test ! -e "$work/two/ca.key" && test "$(identity "$work/one")" != "$(identity "$work/two")"
}
check "a token lets another node in" joined

replicate()
{
    daemon b --cluster "$work/two" --listen "$at_b" --peers "$at_a" && on a put shop apple red &&
        on b incr shop count 3 && until_true 60 equal a b && prints red -n "$work/b.sock" get shop apple &&
        prints 3 -n "$work/a.sock" get shop count
}
check "the two replicate" replicate

refused()
{
    fails 4 'somebody.s already' join "$work/token" "$at_a" "$work/two" &&
        fails 4 'was used, by another key' join "$work/token" "$at_a" "$work/three" &&
        test ! -e "$work/three/node.pem" &&
        "$NEAP" token create "$work/one" >"$work/token" &&
        fails 4 'not made here|no ca.key' join "$work/token" "$at_b" "$work/three" &&
        fails 3 . join "$work/token" "$at_x" "$work/three" &&
        fails 4 'TLS alone' join "$work/token" tcp://127.0.0.1:1 "$work/three" &&
        fails 2 'no token' join "$work/one/ca.pem" "$at_a" "$work/three" &&
        chmod 644 "$work/token" && fails 4 'secret' join "$work/token" "$at_a" "$work/three" &&
        "$NEAP" token create "$work/other" >"$work/foreign" &&
        fails 4 'another cluster|not signed' join "$work/foreign" "$at_a" "$work/three" &&
        test ! -e "$work/three/node.pem" && gives 1 cert show "$work/three/node.pem"
}
check "used, elsewhere, nobody there, no TLS, no token, open to others, another cluster" refused

# What is open and for whom, never the secret; one that was taken back admits nobody.
listed()
{
    "$NEAP" token create "$work/one" --kind device --read menu >"$work/open" &&
        gives 0 token list "$work/one" && grep -q ' used  *node/' "$work/out" &&
        grep ' open  *device/' "$work/out" | grep -q 'read menu' && ! grep -q neap-token "$work/out" &&
        id=$(sed -n 's/ .*device.*//p' "$work/out") && fails 2 'not the id' token revoke "$work/one" x &&
        fails 4 'no ca.key' token list "$work/two" && fails 2 'means nothing' token list "$work/one" --read x &&
        gives 0 token revoke "$work/one" "$id" && gives 1 token revoke "$work/one" "$id" &&
        fails 4 'taken back' join "$work/open" "$at_a" "$work/three" && gives 0 token list "$work/one" &&
        ! grep -q "$id" "$work/out"
}
check "tokens are listed without their secret, and taken back" listed

# From stdin; what it may is in it.
device()
{
    "$NEAP" token create "$work/one" --kind device --read menu --write orders --valid 2h |
        "$NEAP" join - "$at_a" "$work/tablet" >"$work/out" &&
        grep -q '^device/' "$work/out" && grep -q '^may read menu$' "$work/out" &&
        grep -q '^may write orders$' "$work/out"
}
check "a device joins with what it may" device

files()
{
    "$NEAP" cert request "$work/till" >"$work/request" &&
        gives 0 cert sign "$work/one" "$work/request" "$work/papers" --kind client --read '*' &&
        fails 4 . cert sign "$work/one" "$work/request" "$work/papers" &&
        test "$(stat -c %a "$work/papers")" = 600 && gives 0 cert take "$work/till" "$work/papers" &&
        test ! -e "$work/till/cluster" && case $(identity "$work/till") in client/*) ;; *) false ;; esac &&
        fails 4 'no ca.key' cert sign "$work/two" "$work/request" "$work/papers2" &&
        fails 2 'not a request' cert sign "$work/one" "$work/papers" "$work/papers2" &&
        fails 4 . cert take "$work/two" "$work/papers"
}
check "a client is let in by files" files

renewed()
{
    serial=$("$NEAP" cert show "$work/two/node.pem" | grep serial) && was=$(identity "$work/two") &&
        gives 0 cert renew "$work/two" "$at_a" && test "$(identity "$work/two")" = "$was" &&
        test "$("$NEAP" cert show "$work/two/node.pem" | grep serial)" != "$serial" &&
        gives 0 cert renew "$work/tablet" "$at_a" && grep -q '^may write orders$' "$work/out" &&
        gives 0 cert renew "$work/one" && fails 4 'no ca.key' cert renew "$work/two"
}
check "certificates are renewed, by the node that has the CA, or there" renewed

again()
{
    end b TERM && daemon b --cluster "$work/two" --listen "$at_b" --peers "$at_a" &&
        on b incr shop count 1 && until_true 60 equal a b && prints 4 -n "$work/a.sock" get shop count
}
check "and used at the next start" again

# old_certificate DIRECTORY: as if its certificate had been made 300 days ago, for a year.
old_certificate()
{
    cat >"$work/ca.conf" <<END
[ca]
default_ca = ours
[ours]
database = $work/ca.index
new_certs_dir = $work
default_md = sha256
policy = any
x509_extensions = ends
rand_serial = yes
unique_subject = no
[any]
organizationName = optional
commonName = optional
[ends]
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, serverAuth, clientAuth
subjectAltName = URI:neap://$("$NEAP" cert show "$1/node.pem" | sed -n '1s/.*cluster //p')/$(identity "$1")
END
    : >"$work/ca.index"
    "$NEAP" cert request "$1" >"$work/request" &&
        openssl ca -batch -notext -config "$work/ca.conf" -cert "$work/one/ca.pem" \
            -keyfile "$work/one/ca.key" -in "$work/request" -out "$work/old.pem" \
            -startdate "$(date -u -d '-300 days' +%Y%m%d%H%M%SZ)" \
            -enddate "$(date -u -d '+66 days' +%Y%m%d%H%M%SZ)" 2>"$work/ca.log" &&
        cp "$work/old.pem" "$1/node.pem" || {
        cat "$work/ca.log"
        return 1
    }
}

# Without a hand; and where nobody can do it, the node says so in time.
by_itself()
{
    end b TERM && old_certificate "$work/two" && daemon b --cluster "$work/two" --listen "$at_b" --peers "$at_a" &&
        until_true 60 grep -q 'event=certificate_renewed days_left=36[45]' "$work/b.log" &&
        ! cmp -s "$work/old.pem" "$work/two/node.pem" && on b incr shop count 1 && until_true 60 equal a b &&
        prints 5 -n "$work/a.sock" get shop count && gives 0 -n "$work/b.sock" status &&
        end b TERM && end a TERM && cp "$work/old.pem" "$work/two/node.pem" &&
        daemon b --cluster "$work/two" --listen "$at_b" &&
        until_true 60 grep -q 'event=certificate .*65 days left, and is not renewed' "$work/b.log" &&
        gives 1 -n "$work/b.sock" status && grep -q '^CERTIFICATE: .*65 days left, and is not renewed' "$work/out" &&
        daemon a --cluster "$work/one" --listen "$at_a" &&
        gives 0 cert renew "$work/two" "$at_a" && end b TERM &&
        daemon b --cluster "$work/two" --listen "$at_b" --peers "$at_a"
}
if command -v openssl >/dev/null; then
    check "certificates are renewed by the nodes themselves, while they run" by_itself
fi

# knows NODE PATTERN: its status says so.
knows()
{
    on "$1" status | grep -qE -- "$2"
}

# A client of the certificate of `files`, and a device: each may what it was given.
clients()
{
    "$NEAPD" --path "$work/c" --create --cluster "$work/one" --socket "$at_c" 2>"$work/c.log" &
    echo $! >"$work/c.pid"
    running="$running $!"
    until_true 60 gives 1 -n "$at_c" --cluster "$work/till" get shop nothing &&
        fails 4 'may not write' -n "$at_c" --cluster "$work/till" put shop apple red &&
        gives 0 -n "$at_c" --cluster "$work/tablet" put orders one tea &&
        prints tea -n "$at_c" --cluster "$work/till" get orders one &&
        fails 4 'may not read' -n "$at_c" --cluster "$work/tablet" get shop apple &&
        fails 4 'may not ask' -n "$at_c" --cluster "$work/till" status &&
        gives 0 -n "$at_c" --cluster "$work/one" status &&
        fails 4 'another cluster|not signed' -n "$at_c" --cluster "$work/other" get shop apple &&
        fails 4 . -n "$at_c" get shop apple && end c TERM
}
check "clients come with TLS, and may what they were given" clients

# It goes on with the rest; the node says in status and log who sent what, and why it is refused.
forbidden()
{
    daemon t --cluster "$work/tablet" --peers "$at_a" && on a put menu soup hot &&
        until_true 60 prints hot -n "$work/t.sock" get menu soup && on t put menu soup mine &&
        on t put orders two soup && until_true 60 prints soup -n "$work/a.sock" get orders two &&
        until_true 60 grep -q 'event=peer_refused from="device/.* of bucket menu refused: it may not write' \
            "$work/a.log" &&
        prints hot -n "$work/a.sock" get menu soup &&
        "$NEAP" -o json -n "$work/a.sock" status | grep -q '"last_refused": *"device/.* of bucket menu' && end t TERM
}
check "a device that sends what it may not write is refused and named" forbidden

stranger()
{
    daemon x --cluster "$work/other" --listen "$at_x" --peers "$at_a" && on x put shop apple stolen &&
        until_true 60 knows x 'certificate.* (another cluster|not signed)|refuses this node' && prints red -n "$work/a.sock" get shop apple &&
        prints stolen -n "$work/x.sock" get shop apple
}
check "another cluster, crossed on purpose, gets nothing and gives nothing" stranger

# revoked IDENTITY: no link of his, no certificate anew, not even with a token of the same id.
revoked()
{
    who=$(identity "$work/tablet") && gives 0 -n "$work/a.sock" --yes revoke "$who" &&
        prints "$who" -n "$work/a.sock" revoked &&
        fails 4 'revoked|refuse' cert renew "$work/tablet" "$at_a" &&
        "$NEAP" token create "$work/one" --kind device --id "${who#*/}" >"$work/token2" &&
        fails 4 "$who is revoked" join "$work/token2" "$at_a" "$work/four" &&
        test ! -e "$work/four/node.pem"
}
check "who is revoked gets no link and no certificate" revoked

commands()
{
    fails 2 'usage' token create && fails 2 'create, list or revoke' token make "$work/one" &&
        fails 2 'it is request' cert nothing x && fails 2 'usage' cert take x &&
        fails 2 'means nothing to cert show' cert show x --kind node &&
        fails 2 'node, device or client' token create "$work/one" --kind king &&
        fails 2 'given no buckets' token create "$work/one" --read '*' &&
        fails 2 'hex digits' token create "$work/one" --id 5 &&
        fails 4 'no ca.key' token create "$work/two" && fails 1 . cert renew "$work/nothing"
}
check "mistakes are named" commands
check "a ends cleanly" end a TERM
check "b ends cleanly" end b TERM
check "x ends cleanly" end x TERM
finish
