#!/bin/sh
# neapd: its file and flags, what it refuses, signals, and what a kill leaves.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"

# refuses CODE PATTERN ARGUMENTS...: neapd ends so at once, and says why on stderr.
refuses()
{
    code=$1 pattern=$2
    shift 2
    timeout 60 "$NEAPD" "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    test "$got" = "$code" && grep -qE -- "$pattern" "$work/err" && return 0
    echo "neapd $*: exit $got, not $code, or nothing like \`$pattern'"
    cat "$work/out" "$work/err"
    return 1
}

# file_refused PATTERN LINE...: a file of those lines is refused, and named.
file_refused()
{
    pattern=$1
    shift
    printf '%s\n' "path = $work/never" "$@" >"$work/bad.ini"
    refuses 2 "$work/bad.ini: $pattern" --config "$work/bad.ini"
}

flags()
{
    refuses 2 'where is the data' && refuses 2 '--frob: unknown option' --frob &&
        refuses 2 '`x. is not a flag' --path "$work/never" x &&
        refuses 2 '--sync_ms 1s: wants a whole number' --path "$work/never" --sync_ms 1s &&
        refuses 2 '--memory_max lots: wants a number of bytes' --path x --memory_max lots &&
        refuses 2 '--memory_max 64t: wants' --path x --memory_max 64t &&
        refuses 2 '--memory_max .*: wants' --path x --memory_max 99999999999999999999g &&
        refuses 2 '--log_max -1: wants a whole number' --path x --log_max -1 &&
        refuses 2 '--log_level loud: wants error, warn, info or debug' --path x --log_level loud &&
        refuses 2 '--path: missing argument' --path && test ! -e "$work/never"
}
check "flags: each mistake is named, exit 2" flags

files()
{
    file_refused 'line 2: there is no setting `port.' 'port = 1' &&
        file_refused 'line 3: there is no setting `path. in a section net' '[net]' 'path = x' &&
        file_refused 'line 3: sync_ms = soon: wants a whole number' '' 'sync_ms = soon' &&
        file_refused 'line 2: nosync = 1: wants yes or no' 'nosync = 1' &&
        file_refused 'line 2: readonly = : wants yes or no' 'readonly =' &&
        file_refused 'line 2: memory_max = 1x: wants a number of bytes' 'memory_max = 1x' &&
        file_refused 'line 2: log_level = 3: wants error' 'log_level = 3' &&
        file_refused 'line 2: path is given twice' 'path = y' &&
        file_refused 'line 3: socket is given twice' 'socket = x' ' y' &&
        file_refused 'line 2 is not' 'what is this' &&
        file_refused 'line 2 is over [0-9]* characters' "socket = /$(printf '%0300d' 0)" &&
        file_refused 'line 3: there is no setting' '; a comment' 'x = y' &&
        refuses 2 'cannot read /nowhere.ini: No such file' --config /nowhere.ini &&
        test ! -e "$work/never"
}
check "the file: each mistake names file, line, key and what it wants" files

beyond()
{
    "$NEAP" init --file "$work/cluster" >/dev/null
    for address in tcp://0.0.0.0:7400 tcp://192.0.2.1:7400 'tcp://[::]:7400' tcp://:7400 \
        tcp://localhost.example.org:7400 tcp://127.example.org:7400 tls+tcp://0.0.0.0:7400; do
        refuses 4 'event=open_failed .*TLS' --path "$work/never" --create \
            --cluster "$work/cluster" --listen "$address" || return 1
    done
    refuses 4 'event=open_failed .*TLS' --path "$work/never" --create \
        --socket tcp://0.0.0.0:7400 && test ! -e "$work/never"
}
check "a listener beyond loopback is refused, exit 4" beyond

options()
{
    refuses 2 'listen.* needs .*cluster' --path "$work/never" --create --listen "ipc://$work/p" &&
        refuses 2 'peers.* needs .*cluster' --path "$work/never" --create --peers "ipc://$work/p" &&
        refuses 4 'readonly|reading only' --path "$work/never" --readonly --cluster \
            "$work/cluster" --listen "ipc://$work/p" &&
        refuses 4 'frob' --path "$work/never" --create --socket frob://x &&
        refuses 1 'open_failed' --path "$work/never" && test ! -e "$work/never" &&
        refuses 1 'cluster: ' --path "$work/never" --create --cluster "$work/absent"
}
check "settings that do not go together" options

version()
{
    test "$("$NEAPD" --version)" = "$("$NEAP" --version | sed s/neap/neapd/)" &&
        "$NEAPD" --help >"$work/out" && grep -q -- '--log_level=LEVEL' "$work/out"
}
check "version and help" version

cat >"$work/a.ini" <<END
; A file with every setting.
path = $work/a
create = yes
socket = $work/a.sock
listen = ipc://$work/a.peer
peers = ipc://$work/b.peer
peers = ipc://$work/c.peer   ; added to the line before
cluster = $work/cluster
memory_max = 32m
nosync = no
sync_ms = 50
log_max = 1000
readonly = no
log_level = info
END
whole()
{
    "$NEAPD" --config "$work/a.ini" >"$work/a.out" 2>"$work/a.log" </dev/null &
    echo $! >"$work/a.pid"
    running="$running $!"
    until_true 60 answers a && gives 1 -o json -n "$work/a.sock" status &&
        test "$(sed '/"buckets"/,/^  \]/d' "$work/out" | grep -c '"address": "ipc://')" = 2 &&
        grep -q '^time=.*Z level=info event=started version=.* path="/' "$work/a.log"
}
check "a file with every setting; a peer that is away: status gives 1" whole

# logged PATTERN: a line of the log of a.
logged()
{
    grep -qE "$1" "$work/a.log"
}
signals()
{
    pid=$(cat "$work/a.pid")
    until_true 30 logged 'level=warn event=peer_unreachable address="ipc://.*reason="' || return 1
    sed -i 's/^log_level = .*/log_level = debug/; s/^log_max = .*/log_max = 2000/' "$work/a.ini"
    kill -s HUP "$pid" && until_true 30 logged 'event=reloaded log_level=debug' &&
        until_true 30 logged 'level=warn event=needs_restart setting=log_max' || return 1
    sed -i 's/^log_level = .*/log_level = shout/' "$work/a.ini"
    kill -s HUP "$pid" && until_true 30 logged 'level=error event=reload_failed' &&
        logged 'line 14: log_level = shout: wants error' && gives 1 -n "$work/a.sock" status
}
check "SIGHUP reads the file again; a mistake in it changes nothing" signals

lines()
{
    grep -v '^neapd: ' "$work/a.log" |
        grep -vE '^time=[-0-9]{10}T[0-9:]{8}\.[0-9]{3}Z level=[a-z]+ event=[a-z_]+( [a-z_]+=("([^"\\]|\\.)*"|[^" ]*))*$' >"$work/odd"
    test ! -s "$work/odd" || {
        cat "$work/odd"
        return 1
    }
}
check "every log line is time, level, event and key=value" lines

ends()
{
    end a TERM && logged 'event=stopping signal=15' && logged 'event=stopped code=0' &&
        test ! -e "$work/a.sock"
}
check "SIGTERM: a clean end, exit 0, no socket left" ends
interrupted()
{
    daemon i && end i INT
}
check "SIGINT: the same" interrupted

wins()
{
    sed -i 's/^log_level = .*/log_level = info/' "$work/a.ini"
    : >"$work/a.log"
    daemon a --config "$work/a.ini" --log_level error && test ! -s "$work/a.log" &&
        kill -s HUP "$(cat "$work/a.pid")" && gives 1 -n "$work/a.sock" status &&
        end a TERM && test ! -s "$work/a.log"
}
check "a flag wins over the file, also after SIGHUP" wins

locked()
{
    daemon l && refuses 4 'event=open_failed code=-7 .*another process' --path "$work/l" &&
        gives 0 -n "$work/l.sock" put b k v
}
check "a second neapd on the same directory is refused, exit 4" locked
newer()
{
    mkdir "$work/newer" && echo 'neap 2' >"$work/newer/FORMAT" &&
        refuses 4 "open_failed .*$work/newer: the directory has format 2, .* reads 1: use a newer" \
            --path "$work/newer" --create && test "$(ls "$work/newer")" = FORMAT &&
        rm -r "$work/newer"
}
check "a directory of a newer version is refused and left as it is, exit 4" newer
taken()
{
    refuses 4 'open_failed .*in use' --path "$work/m" --create --socket "$work/l.sock" &&
        prints v -n "$work/l.sock" get b k
}
check "a socket that another neapd serves is refused, and stays its own" taken

killed()
{
    gives 0 -n "$work/l.sock" incr b n 5 && gives 0 -n "$work/l.sock" digest &&
        tail -n 1 "$work/out" >"$work/before" && {
        end l KILL
        test $? -gt 128
    } && test -e "$work/l.sock" && fails 3 . -n "$work/l.sock" get b n && daemon l &&
        prints 5 -n "$work/l.sock" get b n && gives 0 -n "$work/l.sock" digest &&
        tail -n 1 "$work/out" >"$work/after" && cmp "$work/before" "$work/after" && end l TERM
}
check "SIGKILL and a new start: everything is there" killed

readonly_node()
{
    daemon l --readonly && prints 5 -n "$work/l.sock" get b n &&
        fails 4 . -n "$work/l.sock" put b k w && prints v -n "$work/l.sock" get b k &&
        end l TERM && daemon l && prints v -n "$work/l.sock" get b k && end l TERM
}
check "readonly: it answers and refuses writes, exit 4" readonly_node

unsynced()
{
    daemon n --nosync --sync_ms 20 && gives 0 -n "$work/n.sock" put b k v && end n TERM &&
        daemon n && prints v -n "$work/n.sock" get b k && end n TERM
}
check "nosync: a clean end keeps what was not synced" unsynced

# A disk that takes no more: files end at a size, and what is written does not compress.
gone()
{
    test "$(kill -s 0 "$1" 2>&1)"
}
broken()
{
    (
        trap '' XFSZ
        ulimit -f 600
        exec "$NEAPD" --path "$work/f" --create --socket "$work/f.sock" 2>"$work/f.log" </dev/null
    ) >"$work/f.out" &
    pid=$!
    echo "$pid" >"$work/f.pid"
    running="$running $pid"
    until_true 60 answers f && gives 0 -n "$work/f.sock" put b k v || return 1
    value=$(head -c 75000 /dev/urandom | base64 | tr -d '\n')
    for key in 1 2 3 4 5 6 7 8; do
        "$NEAP" -n "$work/f.sock" put b "$key" "$value" >/dev/null 2>&1
    done
    until_true 30 gone "$pid"
    wait "$pid"
    test $? = 1 && grep -q 'level=error event=stopped text="the node has stopped' "$work/f.log"
}
check "a disk that fails ends it, exit 1, with the reason" broken

# An old life is left when its directory was copied (rule 9 of the design).
copied()
{
    node=$(gives 0 --dir "$work/l" -o json status && sed -n 's/.*"life": "\(.*\)".*/\1/p' "$work/out")
    cp -a "$work/l" "$work/copy" && gives 0 --dir "$work/copy" -o json status &&
        ! grep -q "\"life\": \"$node\"" "$work/out" && grep -q '"life_is_new": true' "$work/out" &&
        prints 5 --dir "$work/copy" get b n
}
check "a copied directory takes a new life" copied
finish
