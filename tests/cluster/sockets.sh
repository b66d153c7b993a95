#!/bin/sh
# Who may come by neapd's sockets, and what is left of its descriptors for members.
# Limits of open files are known to dash and bash.
# shellcheck disable=SC3045
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
chmod 755 "$work"

# as_somebody ARGUMENTS...: neap, as another user of this machine.
as_somebody()
{
    setpriv --reuid=65534 --regid=65534 --clear-groups "$NEAP" "$@"
}

modes()
{
    daemon m && test "$(stat -c %a "$work/m.sock")" = 600 && end m TERM &&
        daemon m --socket_mode 0660 && test "$(stat -c %a "$work/m.sock")" = 660 && end m TERM &&
        ! timeout 60 "$NEAPD" --path "$work/m" --socket_mode 0888 2>"$work/err" &&
        grep -q 'wants a mode' "$work/err" &&
        ! timeout 60 "$NEAPD" --path "$work/m" --socket "$work/m.sock" --socket_users root 2>"$work/err" &&
        grep -q 'socket_users: root: numbers of users' "$work/err" &&
        ! timeout 60 "$NEAPD" --path "$work/m" --socket tcp://127.0.0.1:7400 2>"$work/err" &&
        grep -q 'any user of this machine could connect: use a Unix socket' "$work/err" &&
        fails 4 'by TCP, here and to other machines, tls.tcp' -n tcp://127.0.0.1:7400 status
}
check "the socket's mode is 0600 or as told, and nothing is served over plain TCP" modes

limits()
{
    sed -n 's/^Max open files *\([0-9]*\) *\([0-9]*\).*/\1 \2/p' "/proc/$(cat "$work/$1.pid")/limits"
}

numbers()
{
    "$NEAP" -n "$work/$1.sock" stats | awk -v name="$2" '$1 == name { print $2 }'
}

# With a certificate, so that it also listens: its disk, handshakes and peers come first.
files()
{
    hostile=$build/tests/cluster/hostile
    port=$("$hostile" port) && (umask 077 && gives 0 init "$work/cluster") &&
        (
            ulimit -n 300
            ! "$NEAPD" --path "$work/f" --create --cluster "$work/cluster" \
                --listen "tls+tcp://127.0.0.1:$port" 2>"$work/err"
        ) && grep -q 'may have 300 files open.*ulimit -n' "$work/err" &&
        (
            ulimit -n 700
            daemon f --cluster "$work/cluster" --listen "tls+tcp://127.0.0.1:$port"
        ) && test "$(limits f)" = '700 700' &&
        until_true 60 grep -q 'event=few_files links_of_nodes=142 links_of_clients=142' "$work/f.log" &&
        test "$(numbers f links.accepted_max)" = 142 && kill "$(cat "$work/f.pid")"
}
check "the limit of open files is looked at before anybody is let in" files

raised()
{
    hard=$(ulimit -Hn)
    test "$hard" = unlimited || test "$hard" -ge 2000 || return 0
    (
        ulimit -Sn 500
        daemon r
    ) && test "$(limits r | cut -d' ' -f1)" -gt 1500 && ! grep -q few_files "$work/r.log" &&
        test "$(numbers r links.client_accepted_max)" = 512 && kill "$(cat "$work/r.pid")"
}
check "neapd takes as many as it may have" raised

# Only root can be somebody else, who must be able to run neap from where it was built.
users()
{
    daemon u --socket_mode 0666 && chmod 666 "$work/u.sock" &&
        ! as_somebody -n "$work/u.sock" put b k v >"$work/out" 2>&1 &&
        until_true 60 grep -q 'event=refused from="uid 65534" .*may not use this node' "$work/u.log" &&
        test "$(numbers u links.client_other_user)" -ge 1 && end u TERM &&
        daemon u --socket_mode 0666 --socket_users 1,65534 &&
        as_somebody -n "$work/u.sock" put b k v && prints v -n "$work/u.sock" get b k && end u TERM &&
        daemon u --socket_mode 0666 --socket_users '*' && as_somebody -n "$work/u.sock" put b k w &&
        prints w -n "$work/u.sock" get b k && end u TERM
}
if test "$(id -u)" = 0 && as_somebody --version >/dev/null 2>&1; then
    check "only its own user, root and those who are named come by the socket" users
else
    skip "only its own user, root and those who are named come by the socket" \
        "not root, without setpriv, or built where others may not go"
fi
finish
