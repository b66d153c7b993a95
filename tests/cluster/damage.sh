#!/bin/sh
# Two nodes, one of whose files is damaged, lost, or can't be written: what it says, and that nothing
# is lost that the other one has. The cases are those of "Damaged files" in docs/operations.md.
#   damage.sh [ROUNDS [SEED]]  that many bytes flipped at random, too
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
rounds=${1:-${DAMAGE_ROUNDS:-0}} seed=${2:-${DAMAGE_SEED:-1}}
fail=$build/tests/crash/.libs/libfail.so
data=$work/a mounted=
"$NEAP" init --file "$work/cluster" >/dev/null

# The file system of the last case goes, too.
end_all()
{
    test -z "$mounted" || umount -l "$mounted"
    ending
}
trap end_all EXIT

start()
{
    other=b
    test "$1" = b && other=a
    : >"$work/$1.log"
    daemon "$1" --cluster "$work/cluster" --listen "ipc://$work/$1.peer" \
        --peers "ipc://$work/$other.peer"
}

# rows FROM TO: as `neap import` reads them.
rows()
{
    awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i < to; i++)
        printf "{\"key\":\"k%03d\",\"type\":\"lww\",\"value\":\"value %03d is long enough\"}\n", i, i }'
}

# Keeps what the two hold together: nothing of it may be lost.
remember()
{
    until_true 60 equal a b && "$NEAP" -n "$work/a.sock" export shop | sort >"$work/held"
}
held()
{
    until_true 60 equal a b && "$NEAP" -n "$work/a.sock" export shop | sort | diff "$work/held" - &&
        gives 0 -n "$work/a.sock" get shop k100 &&
        prints "$round" -n "$work/a.sock" get shop tail3
}

life_of()
{
    "$NEAP" -n "$work/$1.sock" -o json status | grep '"life"'
}

# Tables and a WAL with writes that were synced, pushed, and then nothing: a is killed.
round=0
prepare()
{
    round=$((round + 1))
    life=$(life_of a) node=$("$NEAP" -n "$work/a.sock" status | awk '$1 == "node" { print $2 }')
    end a TERM
    start a && for each in 1 2 3; do
        gives 0 -n "$work/a.sock" put shop "tail$each" "$round" || return 1
    done && remember && ! end a KILL
}

begin()
{
    start a && start b && rows 0 300 | "$NEAP" -n "$work/a.sock" import shop >/dev/null && remember
}
check "two nodes agree" begin

# newest PATTERN: that file, of those that hold anything.
newest()
{
    find "$data" -maxdepth 1 -name "$1" -size +0 | sort | tail -n 1
}
# The table that holds the rows.
table()
{
    grep -l 'value 100 is' "$data"/*.sst | tail -n 1
}
# place FILE TEXT: where that is.
place()
{
    grep -abo -- "$2" "$1" | tail -n 1 | cut -d: -f1
}
# flip FILE PLACE: one bit; a place below 0 counts from the end.
flip()
{
    at=$2
    test "$at" -ge 0 || at=$(($(wc -c <"$1") + at))
    byte=$(od -An -tu1 -j"$at" -N1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

# says PATTERN: a's log does.
says()
{
    grep -qE -- "$1" "$work/a.log" && return 0
    echo "nothing like \`$1' in:"
    cat "$work/a.log"
    return 1
}
goes_on='writes may be lost: this node goes on as a new replica'
replace='restore a backup, or move the directory away and let this node start empty'

# renewed PATTERN: a starts, says so, begins a new life, and gets back what it lost from b.
renewed()
{
    start a && says "event=suspect text=.*: $1$goes_on" && held &&
        "$NEAP" -n "$work/a.sock" -o json status | grep -q '"life_reason": "damaged write-ahead log"'
}
# refused PATTERN: it doesn't start, says so, and gets all from b when it begins again, empty.
refused()
{
    if start a >/dev/null; then
        echo 'a starts'
        return 1
    fi
    says "event=open_failed .*: $1: $replace" && replaced
}
# What stands for a lost directory is another node; logs wait for the old one until it is retired, or forgotten.
replaced()
{
    rm -rf "$work/away" && mv "$data" "$work/away" && start a &&
        until_true 60 gives 0 -n "$work/b.sock" retire "$node" && held
}

wal_middle()
{
    prepare && log=$(newest '*.log') && flip "$log" "$(place "$log" tail2)" &&
        renewed "$(basename "$log") is damaged: "
}
check "WAL, a byte in its middle: a suspect start, a new life, all is back" wal_middle
wal_tail()
{
    prepare && log=$(newest '*.log') && flip "$log" -3 && renewed "$(basename "$log") is damaged: "
}
check "WAL, a byte of the last record: the same" wal_tail
wal_cut()
{
    prepare && log=$(newest '*.log') && truncate -s "$(place "$log" tail2)" "$log" && renewed &&
        says 'the newest ..log is gone or was cut: [0-9]* writes of [0-9]*'
}
check "WAL, cut within a record, which RocksDB takes for the end: the same" wal_cut
wal_gone()
{
    prepare && rm "$(newest '*.log')" && renewed && says 'the newest ..log is gone or was cut'
}
check "WAL deleted: the same" wal_gone

# What was counted before all peers had confirmed the opening, and told since: is it known again by the
# same name?
count()
{
    end a TERM
    end b TERM
    start a && for each in 1 2 3; do
        gives 0 -n "$work/a.sock" incr shop count || return 1
    done && gives 0 -n "$work/a.sock" put shop mark "$round" && start b && remember || return 1
    had=$("$NEAP" -n "$work/b.sock" get shop count)
    end a KILL
    log=$(newest '*.log') && flip "$log" "$(place "$log" mark)" && start a && says "$goes_on" &&
        until_true 60 equal a b && prints "$had" -n "$work/a.sock" get shop count
}
check "WAL, a byte after increments: they count once" count

# Without the file that tells, nobody notices before the peers do.
control()
{
    prepare && rm "$(newest '*.log')" "$data/SYNCED" && : >"$work/a.log" &&
        daemon a && ! says suspect >/dev/null && ! equal a b && end a TERM && start a && held
}
check "control: without SYNCED it starts as if nothing were lost; its peer finds it out" control

# salvaged PATTERN: a starts with what can be read, says so, and has the rest from b, in its old life.
again='start this node again: it takes what can be read, and the rest from its peers'
salvaged()
{
    start a && says "event=salvaged text=.*: was damaged: .*$1" &&
        test -e "$data/damaged/CURRENT" && held && test "$(life_of a)" = "$life"
}
unread()
{
    ! neap -n "$work/a.sock" get shop k100 && ! grep -q 'no such' "$work/err" &&
        cat "$work/err" "$work/a.log" >"$work/said" &&
        grep -qE "$1 is damaged: $again|the disk failed|connect" "$work/said" && test -e "$data/DAMAGED"
}
table_data()
{
    prepare && file=$(table) && flip "$file" "$(place "$file" 'value 100 is')" && start a &&
        unread "$(basename "$file")" && {
        end a TERM
        salvaged "$(basename "$file") is damaged"
    }
}
check "SST, a byte of a row: an error that names the file; after a restart all is back" table_data
table_alone()
{
    prepare && file=$(table) && flip "$file" "$(place "$file" 'value 100 is')" && end b TERM
    start a && ! neap -n "$work/a.sock" get shop k100
    end a TERM
    start a && says "event=salvaged" && ! neap -n "$work/a.sock" get shop k100 &&
        grep -q 'waits for a peer that has it' "$work/err" && gives 0 -n "$work/a.sock" get shop k299 &&
        "$NEAP" -n "$work/a.sock" status | grep -q "1 range of keys can.t be read before a peer gives it" &&
        start b && held
}
check "SST, a byte of a row, and its peer is away: that is an error, all else is there" table_alone
table_index()
{
    prepare && file=$(table) && flip "$file" -400 && salvaged "$(basename "$file") is damaged"
}
check "SST, a byte of its index: it starts, and all is back" table_index
table_footer()
{
    prepare && file=$(table) && flip "$file" -10 && salvaged "$(basename "$file") is damaged"
}
check "SST, a byte of its footer: the same" table_footer
table_gone()
{
    prepare && file=$(table) && rm "$file" && salvaged "$(basename "$file") is missing"
}
check "SST deleted: the same" table_gone
manifest_byte()
{
    prepare && file=$(newest 'MANIFEST-*') && flip "$file" 100 && refused "$(basename "$file") is damaged"
}
check "MANIFEST, a byte: refused" manifest_byte
# What its last record said is forgotten: that a table was replaced by another one, if RocksDB came to
# that before it was killed, or nothing that matters.
manifest_cut()
{
    prepare && file=$(newest 'MANIFEST-*') && truncate -s -3 "$file" && {
        refused "($(basename "$file") is damaged|[0-9]*.sst is missing)" || held
    }
}
check "MANIFEST, cut by three bytes, which RocksDB takes for the end: refused, or all is there" manifest_cut
current_byte()
{
    prepare && flip "$data/CURRENT" 12 && refused 'MANIFEST-[0-9]*, which CURRENT names, is missing' &&
        prepare && flip "$data/CURRENT" 2 && refused 'CURRENT is damaged'
}
check "CURRENT, a byte of the number or the name: refused" current_byte

# failing CALL FILES ERROR: a starts on a disk that will fail so once, when told to.
failing()
{
    FAIL_DIR=$data FAIL_NOW=$work/now FAIL_CALL=$1 FAIL_FILE=$2 FAIL_ERROR=$3
    export FAIL_DIR FAIL_NOW FAIL_CALL FAIL_FILE FAIL_ERROR
    rm -f "$work/now"
    NEAPD_REAL=$NEAPD NEAPD=preloaded
    start a
    failed_start=$?
    NEAPD=$NEAPD_REAL
    return $failed_start
}
preloaded()
{
    exec env LD_PRELOAD="$fail" ASAN_OPTIONS="verify_asan_link_order=0:$ASAN_OPTIONS" \
        "$NEAPD_REAL" "$@"
}
# gone NAME: the daemon is.
gone()
{
    ! kill -s 0 "$(cat "$work/$1.pid")" 2>/dev/null
}
# stops PATTERN: a write fails, a says so and ends; started again, it has all that was acknowledged.
# A write of its own may be the one that fails: then there may be nobody left to answer (exit 3).
stops()
{
    round=$((round + 1))
    gives 0 -n "$work/a.sock" put shop tail3 "$round" && echo once >"$work/now" &&
        { fails 1 "the node has stopped: .*: $1" -n "$work/a.sock" put shop more x ||
            test "$got" = 3; } && until_true 60 gone a && says "event=stopped text=.*: $1" && test ! -e "$work/now" &&
        start a && until_true 60 equal a b && prints "$round" -n "$work/a.sock" get shop tail3 && remember
}
disk_failed='[0-9]*.log: the disk failed: see what the system says of it, then start again'
sync_fails()
{
    end a TERM
    failing sync .log EIO && stops "$disk_failed"
}
check "one EIO of a sync: the node stops, and comes back with all" sync_fails
write_fails()
{
    end a TERM
    failing write .log EIO && stops "$disk_failed"
}
check "one EIO of a write: the same" write_fails
write_full()
{
    end a TERM
    failing write .log ENOSPC && stops '[0-9]*.log: no space is left: make room and start again'
}
# The node's own reads may have met it, too.
stopped_by_itself()
{
    until_true 60 gone a && says 'event=stopped .*[0-9]*.sst: the disk failed' && start a &&
        gives 0 -n "$work/a.sock" get shop k200
}
read_fails()
{
    end a TERM
    start a && end a TERM && failing read .sst EIO && echo always >"$work/now" &&
        fails 1 '[0-9]*.sst: the disk failed' -n "$work/a.sock" get shop k200 && rm "$work/now" &&
        { gives 0 -n "$work/a.sock" get shop k200 || stopped_by_itself; }
}
check "one EIO of a read: an error for who reads, and then the value" read_fails

# put_many: values of 120 KB until one is refused; how many were acknowledged is in $acknowledged.
put_many()
{
    head -c 120000 /dev/zero | tr '\0' x >"$work/large"
    echo >>"$work/large"
    acknowledged=0
    while neap -n "$work/f.sock" put big "k$acknowledged" "$(cat "$work/large")"; do
        acknowledged=$((acknowledged + 1))
        test "$acknowledged" -lt 2000 || return 1
    done
}
all_there()
{
    test "$acknowledged" -gt 0 || return 1
    i=0
    while [ "$i" -lt "$acknowledged" ]; do
        gives 0 -n "$work/f.sock" get big "k$i" && cmp -s "$work/large" "$work/out" || return 1
        i=$((i + 1))
    done
}
disk_full()
{
    head -c 1000000 /dev/zero >"$mounted/ballast" && mkdir "$mounted/f" &&
        ln -s "$mounted/f" "$work/f" && daemon f --memory_max 8m &&
        put_many && grep -qE 'the node has stopped: .*no space is left: make room' "$work/err" &&
        until_true 60 gone f && rm "$mounted/ballast" && : >"$work/f.log" && daemon f --memory_max 8m && all_there
}
# What is damaged can't be copied where there is no room: it says so, and does it when there is.
no_room()
{
    mkdir "$mounted/g" && ln -s "$mounted/g" "$work/g" && daemon g --memory_max 8m &&
        rows 0 3000 | "$NEAP" -n "$work/g.sock" import shop >/dev/null && end g TERM && daemon g --memory_max 8m &&
        end g TERM && file=$(grep -l 'value 100 is' "$mounted"/g/*.sst | tail -n 1) && flip "$file" -10 || return 1
    head -c 8000000 /dev/zero >"$mounted/ballast" 2>/dev/null
    : >"$work/g.log"
    ! daemon g --memory_max 8m >/dev/null && grep -q 'there is no room for a copy of what can be read' "$work/g.log" &&
        rm "$mounted/ballast" && daemon g --memory_max 8m && grep -q 'event=salvaged' "$work/g.log" && end g TERM
}
mkdir "$work/small"
if mount -t tmpfs -o size=8m tmpfs "$work/small" 2>"$work/why"; then
    mounted=$work/small
    check "a full disk: the node stops, says so, and comes back with all when there is room" disk_full
    rm -rf "$mounted/f"
    check "a damaged directory and no room for its copy: that is told, and it is copied when there is" no_room
else
    skip "a full disk" "$(cat "$work/why")"
    check "one ENOSPC of a write: the node stops, and comes back with all" write_full
fi

# draw LIMIT: a number below it, in $drawn.
draw()
{
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536 % $1))
}
# It is equal to its peer, or says that it can't be, or does not run.
settled()
{
    equal a b || ! "$NEAP" -n "$work/a.sock" digest
}
# Any byte of any file of the database: what runs without a word holds everything.
random_byte()
{
    prepare && set -- "$data"/*.sst "$data"/*.log "$data"/MANIFEST-* "$data/CURRENT" "$data/SYNCED" &&
        draw $# && shift "$drawn" && file=$1 && size=$(wc -c <"$file") && test "$size" -gt 0 || return 0
    draw "$size"
    echo "$file at $drawn of $size"
    flip "$file" "$drawn"
    start a || says "$replace" || return 1
    until_true 60 settled || return 1
    if equal a b; then
        held
        return
    fi
    "$NEAP" -n "$work/a.sock" digest >"$work/said" 2>&1
    cat "$work/a.log" >>"$work/said"
    grep -qE "$replace" "$work/said" || return 1
    end a KILL 2>/dev/null
    replaced
}
i=0
while [ "$i" -lt "$rounds" ]; do
    i=$((i + 1))
    check "a byte at random, $i" random_byte
done
finish
