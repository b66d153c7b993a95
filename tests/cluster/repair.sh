#!/bin/sh
# neap repair --dry-run: what it says a repair will do is what the repair then does, within 10 %.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
lose=$build/tests/cluster/lose
"$NEAP" init --file "$work/cluster" >/dev/null

# member NAME OTHER
member()
{
    daemon "$1" --cluster "$work/cluster" --listen "ipc://$work/$1.peer" --peers "ipc://$work/$2.peer"
}

# Values of 0 to 400 bytes, so that neither names nor values are all of it.
rows()
{
    awk 'BEGIN { for (i = 0; i < 1500; i++) { text = ""; for (j = 0; j < i % 41; j++) text = text "abcdefghij";
        printf "{\"key\":\"k%d\",\"type\":\"lww\",\"value\":\"%s\"}\n", i, text } }'
}

start()
{
    member a b && member b a && rows >"$work/rows" && gives 0 -n "$work/a.sock" import shop "$work/rows" &&
        until_true 60 equal a b
}
check "two nodes agree" start

nothing()
{
    until_true 60 gives 0 -n "$work/a.sock" repair --dry-run shop &&
        gives 0 -n "$work/a.sock" -o json repair --dry-run && grep -q '"cells": 0' "$work/out" &&
        fails 1 'no such' -n "$work/a.sock" repair --dry-run nowhere &&
        fails 2 'means nothing to scrub' -n "$work/a.sock" scrub --dry-run
}
check "at rest there is nothing to do: exit 0" nothing

# Both lose values as a disk might, and are kept from mending it by themselves.
both_lose()
{
    ! end a KILL && ! end b KILL || return 1
    for i in 3 44 85 126 207 348 489 590 631 772 813 954 1095 1136 1277 1318; do
        "$lose" "$work/a" shop "k$i" && "$lose" "$work/b" shop "k$((i + 5))" &&
            "$lose" "$work/b" shop "k$((i + 9))" || return 1
    done
    member a b && gives 0 -n "$work/a.sock" task pause repair:shop && member b a &&
        gives 0 -n "$work/b.sock" task pause repair:shop
}
check "two lose what no event tells of" both_lose

# field NAME: of the last JSON.
field()
{
    sed -n "s/^  \"$1\": \([0-9]*\).*/\1/p" "$work/out"
}

# repaired NAME: what both have given in repairs since they were started.
repaired()
{
    sum=0
    for each in a b; do
        number=$("$NEAP" -n "$work/$each.sock" stats | awk -v name="links.$1" '$1 == name { print $2 }')
        sum=$((sum + number))
    done
    echo $sum
}

foretold()
{
    gives 1 -n "$work/$1.sock" -o json repair --dry-run shop && test "$(field cells)" = 48 &&
        test "$(field unknown)" = 0
}
foreseen()
{
    until_true 60 foretold a && bytes=$(field bytes) && until_true 60 foretold b &&
        test "$(field bytes)" = "$bytes" && gives 1 -n "$work/a.sock" repair --dry-run shop &&
        grep -qE '^shop .* 16 +[1-9][0-9]* +32 +[1-9][0-9]*$' "$work/out" &&
        test "$(repaired repair_cells)" = 0
}
check "it says how many cells go which way, and mends nothing" foreseen

# near WHAT FORETOLD DONE
near()
{
    echo "$1: $2 foretold, $3 done"
    test "$3" -gt 0 && test $((10 * $2)) -ge $((9 * $3)) && test $((10 * $2)) -le $((11 * $3))
}
mended()
{
    gives 0 -n "$work/a.sock" task resume repair:shop && gives 0 -n "$work/b.sock" task resume repair:shop &&
        gives 0 -n "$work/a.sock" repair shop && until_true 60 all_mended &&
        near cells 48 "$(repaired repair_cells)" && near bytes "$bytes" "$(repaired repair_bytes)"
}
all_mended()
{
    gives 0 -n "$work/a.sock" verify shop && equal a b && gives 0 -n "$work/b.sock" repair --dry-run shop
}
check "the repair does that, within 10 %: cells and bytes" mended

# What happened is there after a kill, and a stopped node tells it, too.
told_after()
{
    ! end a KILL && gives 0 --dir "$work/a" history && cp "$work/out" "$work/killed" &&
        grep -q '^[^ ]* *lost *shop .* 16 cells' "$work/killed" && grep -q 'back from the peer' "$work/killed" &&
        gives 0 -n "$work/b.sock" history && grep -q '^[^ ]* *lost *shop .* 32 cells' "$work/out" &&
        cat "$work/out" "$work/killed" | grep -q '^[^ ]* *repair *shop ' && member a b && until_true 60 equal a b &&
        gives 0 -n "$work/a.sock" -o json history && grep -q '"kind": "lost"' "$work/out" &&
        gives 0 -n "$work/a.sock" verify shop && gives 0 -n "$work/a.sock" history --limit 1 &&
        grep -q '^[^ ]* *verify *shop .*1 equal' "$work/out"
}
check "history tells what was mended, after a kill" told_after

# One side loses some again; the other does not begin by itself.
again()
{
    ! end a KILL || return 1
    for i in 5 46 87 128 169 210 251 292; do
        "$lose" "$work/a" shop "k$i" || return 1
    done
    gives 0 -n "$work/b.sock" task pause repair:shop && member a b &&
        gives 0 -n "$work/a.sock" task pause repair:shop && until_true 60 differs
}
differs()
{
    gives 1 -n "$work/a.sock" verify shop && grep -q 'b.peer *differs' "$work/out"
}
# runs STATE: as tasks tell.
runs()
{
    gives 0 -n "$work/a.sock" tasks && grep -qE "^repair:shop +$1 " "$work/out"
}
slow()
{
    again && gives 0 -n "$work/a.sock" --from "ipc://$work/b.peer" --budget 20 --resume repair shop &&
        grep -qE '^repair:shop +.*begins as soon' "$work/out" && until_true 60 runs runs &&
        gives 0 -n "$work/a.sock" task pause repair:shop && runs paused && differs
}
check "an order with a budget is a task, which takes its time and can be paused" slow

followed()
{
    "$NEAP" -n "$work/a.sock" task follow repair:shop >"$work/followed" 2>&1 &
    follower=$!
    until_true 60 grep -q '^repair:shop *paused' "$work/followed" &&
        gives 0 -n "$work/a.sock" --resume repair shop && wait $follower &&
        gives 0 -n "$work/a.sock" verify shop && ! runs '[a-z]*'
}
check "it is followed until it has ended, and goes on with --resume" followed

on_terminal()
{
    again && script -qec "'$NEAP' -n '$work/a.sock' --budget 2000 --resume repair shop" /dev/null \
        </dev/null >"$work/seen" && gives 0 -n "$work/a.sock" verify shop || return 1
    grep -q 'goes on without you' "$work/seen" && grep -qE 'repair:shop +(waits|runs) ' "$work/seen" &&
        grep -q 'it has ended' "$work/seen" && return
    cat "$work/seen"
    return 1
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    check "on a terminal it shows how far it is" on_terminal
else
    skip "on a terminal it shows how far it is" "script cannot make a terminal here"
fi

# A question on a terminal is answered there; elsewhere --yes is wanted.
sure()
{
    fails 4 'nobody: |--yes' -n "$work/a.sock" forget nobody || return 1
    for answer in y n; do
        echo $answer | script -qec "'$NEAP' -n '$work/a.sock' forget nobody" /dev/null >"$work/$answer"
    done
    grep -q 'no node nobody' "$work/y" && grep -q 'nothing was done' "$work/n"
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    check "what has no way back asks" sure
else
    skip "what has no way back asks" "script cannot make a terminal here"
fi

gone()
{
    end b TERM
    until_true 60 gives 3 -n "$work/a.sock" repair --dry-run shop && grep -q 'not known: not connected' "$work/out"
}
check "a peer that is away is not known: exit 3" gone
finish
