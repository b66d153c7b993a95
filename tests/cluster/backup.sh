#!/bin/sh
# Backups of nodes that are written to: made, checked, damaged, restored, and what then becomes of the
# cluster.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
"$NEAP" init --file "$work/cluster" >/dev/null
cd "$work" || exit 99

on()
{
    node=$1
    shift
    "$NEAP" -n "$work/$node.sock" "$@"
}

# member NAME PEER...
member()
{
    name=$1 list=
    shift
    for peer; do
        list=$list,ipc://$work/$peer.peer
    done
    daemon "$name" --cluster "$work/cluster" --listen "ipc://$work/$name.peer" --peers "${list#,}"
}

start()
{
    member a b && member b a && on a put shop apple red && on a incr shop count 5 &&
        on b incr shop count 2 && on a add shop fruits pear fig && on b put shop gone x &&
        until_true 60 equal a b
}
check "two nodes start and agree" start

# Increments go on until the file is there; then how many there were.
writer()
{
    count=0
    while test ! -e "$work/enough"; do
        on a incr shop live || return 1
        count=$((count + 1))
    done
    echo "$count" >"$work/written"
}
live()
{
    writer &
    pid=$!
    until_true 60 gives 0 -n "$work/a.sock" get shop live
    gives 0 -n "$work/a.sock" backup one && grep -q '^made: [0-9]* files, [0-9]* bytes, of node' \
        "$work/out"
    made=$?
    : >"$work/enough"
    wait "$pid" && test "$made" = 0 && test ! -e one.partial &&
        prints "$(cat "$work/written")" -n "$work/a.sock" get shop live &&
        gives 0 backup verify one && grep -q '^whole: ' "$work/out" &&
        until_true 60 equal a b
}
check "a node is backed up while it is written to" live

sums()
{
    (cd one && b2sum --strict -c BACKUP) && gives 0 -o json backup verify one &&
        grep -q '"whole": true' "$work/out" && grep -q '"damaged": \[\]' "$work/out" &&
        test "$(grep -c '^[0-9a-f]\{64\}  ' one/BACKUP)" = "$(($(ls one | wc -l) - 1))"
}
check "b2sum can check it as well; every file is listed" sums

refused()
{
    fails 4 'exists already' -n "$work/a.sock" backup one && gives 0 backup verify one &&
        mkdir two.partial && fails 4 'not finished' -n "$work/a.sock" backup two &&
        rmdir two.partial && fails 1 'No such file' -n "$work/a.sock" backup none/two &&
        fails 4 'another process' --dir a backup two && fails 3 . -n "$work/no.sock" backup two &&
        fails 4 'inside of a backup' -n "$work/a.sock" backup one/two &&
        fails 4 'inside of a data directory' -n "$work/a.sock" backup a/two &&
        fails 3 'given up' -n "$work/a.sock" --timeout 1 backup two &&
        test ! -e two && test ! -e two.partial &&
        fails 2 'usage' backup verify && fails 2 'usage' backup one two &&
        fails 2 'means nothing' --dir a backup verify one && fails 2 'empty' backup verify '' &&
        fails 1 'No such file' backup verify none && fails 2 . backup verify cluster &&
        fails 2 'usage' restore one && fails 2 'means nothing' --dir a restore one two &&
        gives 1 backup verify a && grep -q 'no whole backup' "$work/err" && fails 4 'neap restore' --dir one keys shop &&
        gives 0 backup verify one
}
check "what cannot be is refused, and nothing is touched" refused

# flip FILE: one bit in its middle.
flip()
{
    size=$(wc -c <"$1")
    old=$(od -An -tu1 -j$((size / 2)) -N1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((old ^ 16)))" |
        dd of="$1" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
}

# Copied first: its tables are shared with the node.
damaged()
{
    cp -r one bad || return 1
    for file in bad/*; do
        test -s "$file" || continue
        flip "$file"
        fails_with_names "${file#bad/}" changed || return 1
        fails 1 "${file#bad/}" restore bad r && test ! -e r || return 1
        flip "$file"
        mv "$file" away
        fails_with_names "${file#bad/}" missing || return 1
        mv away "$file"
    done
    : >bad/more
    fails_with_names more surplus && rm bad/more && gives 0 backup verify bad &&
        gives 0 backup verify one
}
fails_with_names()
{
    gives 1 backup verify bad && grep -qE "^$2 +$1\$" "$work/out" &&
        test "$(wc -l <"$work/out")" = 1 && grep -q "$1 is $2" "$work/err" &&
        gives 1 -o json backup verify bad && grep -q "\"file\": \"$1\"" "$work/out" &&
        grep -q '"whole": false' "$work/out"
}
check "one flipped bit, a file too few, one too many: each is named" damaged

# What was written after the backup is on b alone, when a is restored.
restored()
{
    on a incr shop count 10 && on b delete shop gone && on b remove shop fruits fig &&
        on a put shop apple green && until_true 60 equal a b || return 1
    end a KILL
    mv a a.lost && on b incr shop count 100 && on b incr shop live 1000 &&
        gives 0 restore one a && grep -q '^restored: ' "$work/out" &&
        fails 4 'not empty' restore one a && member a b && until_true 60 equal a b
}
check "a restored node joins its cluster, and they agree" restored

counted()
{
    for node in a b; do
        prints 117 -n "$work/$node.sock" get shop count &&
            prints $(($(cat written) + 1000)) -n "$work/$node.sock" get shop live &&
            prints green -n "$work/$node.sock" get shop apple &&
            prints pear -n "$work/$node.sock" get shop fruits &&
            fails 1 'no such object' -n "$work/$node.sock" get shop gone || return 1
    done
}
check "increments count once, what was removed stays removed" counted

new_life()
{
    gives 0 -n "$work/a.sock" -o json status &&
        grep -q '"life_reason": "restored from a backup"\|restored' "$work/out" &&
        on a incr shop count && on b incr shop count && until_true 60 equal a b &&
        prints 119 -n "$work/a.sock" get shop count
}
check "it goes on under a new identity" new_life

# All of the cluster is lost but for backups, of which one is older; the younger one wins nothing back
# that the older one has not lost.
all_lost()
{
    gives 0 -n "$work/b.sock" backup b.backup && end a TERM || return 1
    end b KILL
    rm -rf a b &&
        gives 0 restore one a && gives 0 restore b.backup b && member a b && member b a &&
        until_true 60 equal a b && prints 119 -n "$work/a.sock" get shop count &&
        fails 1 'no such object' -n "$work/a.sock" get shop gone
}
check "backups of different ages agree" all_lost

stopped()
{
    end a TERM && gives 0 --dir a backup late && gives 0 backup verify late &&
        gives 0 restore late c && prints 119 --dir c get shop count &&
        prints 119 --dir a get shop count && fails 1 . --dir absent backup later &&
        test ! -e later && test ! -e absent
}
check "a stopped node is backed up by --dir" stopped

# A node that is killed while it makes one.
killed()
{
    count=0
    while test $count -lt 5; do
        member a b || return 1
        on a backup "killed$count" &
        pid=$!
        until_true 60 test -e "killed$count.partial" -o -e "killed$count" && end a KILL
        wait "$pid"
        test ! -e "killed$count" || gives 0 backup verify "killed$count" || return 1
        count=$((count + 1))
    done
    member a b && until_true 60 equal a b
}
check "killed while making one: what has its name is whole" killed

# In a file system of its own, which is too small; the node goes on.
full()
{
    mkdir small && unshare -rm sh -c '
        mount -t tmpfs -o size=64k small "$1/small" || exit 77
        "$0" --dir "$1/c" backup "$1/small/backup" 2>"$1/full"
        test $? = 4 && grep -q "no space" "$1/full" && test -z "$(ls -A "$1/small")" &&
            mount -t tmpfs -o size=64m large "$1/small" && "$0" --dir "$1/c" backup "$1/small/b" &&
            "$0" backup verify "$1/small/b" && mkdir "$1/small/tiny" &&
            mount -t tmpfs -o size=16k tiny "$1/small/tiny" &&
            { "$0" restore "$1/small/b" "$1/small/tiny" 2>"$1/full"; test $? = 4; } &&
            grep -q "No space" "$1/full" && test -z "$(ls -A "$1/small/tiny")" &&
            mount -o remount,size=64m "$1/small/tiny" &&
            "$0" restore "$1/small/b" "$1/small/tiny" && "$0" --dir "$1/small/tiny" get shop count
        ' "$NEAP" "$work" && prints 119 --dir c get shop count
}
if unshare -rm sh -c 'mount -t tmpfs none /mnt' 2>/dev/null; then
    check "a full disk is a refusal that leaves nothing; another disk takes a copy" full
else
    skip "a full disk is a refusal that leaves nothing; another disk takes a copy" "no namespaces"
fi

clean()
{
    end a TERM && end b TERM
}
check "clean ends" clean
finish
