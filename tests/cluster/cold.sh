#!/bin/sh
# A new node gets a bucket from another one, and either is killed in the middle: it goes on where it
# was, what was committed is not sent again, and memory stays bounded.
#   COLD_CELLS=1000000 cold.sh  with that many cells
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
cells=${COLD_CELLS:-100000}
# 7 pages of 48 KiB are under way at most (COMPARE_PAGES, COMPARE_AHEAD), of cells of some 120 bytes.
under_way=$((7 * 49152 / 100))
memory_kb=65536
"$NEAP" init --file "$work/cluster" >/dev/null

note()
{
    echo "$*"
    echo "# $*" >>"$work/notes"
}

# member NAME PEER: with a short log, so that who is new compares.
member()
{
    : >"$work/$1.log"
    daemon "$1" --cluster "$work/cluster" --listen "ipc://$work/$1.peer" \
        --peers "ipc://$work/$2.peer" --log_max 100 --memory_max 16m --nosync
}

# number NODE NAME: of its stats; nothing when it does not answer.
number()
{
    "$NEAP" -n "$work/$1.sock" stats 2>/dev/null | awk -v name="$2" '$1 == name { print $2 }'
}

# has NODE: how many cells.
has()
{
    "$NEAP" -n "$work/$1.sock" digest shop | all_cells
}

all_cells()
{
    awk '$1 == "(all)" { print $3 }'
}

rows()
{
    awk -v to="$cells" 'BEGIN { for (i = 0; i < to; i++)
        printf "{\"key\":\"k%07d\",\"type\":\"lww\",\"value\":\"%064d\"}\n", i, i }'
}

# peak NODE: the most memory that it has had, in kB.
peak()
{
    awk '$1 == "VmHWM:" { print $2 }' "/proc/$(cat "$work/$1.pid")/status"
}

fill()
{
    member a b && rows | "$NEAP" -n "$work/a.sock" import shop >/dev/null && test "$(has a)" = "$cells"
}
check "a node has $cells cells" fill

# taken COUNT: by the new node, since it was started.
taken()
{
    count=$(number b cells_taken)
    test "${count:-0}" -ge "$1"
}

# What the other one had given by then; what was there when it had died.
there=0 given=0 more=0
killed_new()
{
    member b a && until_true 60 taken $((cells / 10)) || return 1
    end b KILL
    given=$(number a cells_given)
    there=$("$NEAP" --dir "$work/b" digest shop | all_cells)
    note "$there of $cells cells are there, $given were given"
    test "$there" -ge $((cells / 10)) && test "$there" -lt "$cells" &&
        test $((given - there)) -le $under_way
}
check "the new node is killed in the middle: no more than 7 pages were on their way" killed_new

killed_giver()
{
    member b a && until_true 60 taken $((cells / 5)) || return 1
    end a KILL
    more=$(number b cells_taken)
    note "then $more more were taken"
    test $((there + more)) -lt "$cells" && test "$(number b compares_resumed)" = 1
}
check "the giver is killed in the middle" killed_giver

ends()
{
    member a b && until_true 60 equal a b || return 1
    last=$(number b cells_taken)
    given=$(number a cells_given)
    resumed=$(number b compares_resumed)
    note "$there and then $last cells of $cells were taken; resumed $resumed times, begun anew" \
        "$(number b compares) times; in its last life the giver gave $given"
    test "$resumed" = 2 && test "$(number b compares)" = 0 && test $((there + last)) = "$cells" &&
        test "$given" = $((cells - there - more))
}
check "both go on where they were: no cell is taken twice" ends

bounded()
{
    most=$(peak b)
    note "the new node had $most kB at most"
    test "$most" -le $memory_kb
}
if test -z "${SANITIZE:-}"; then
    check "the new node needs no more than $memory_kb kB" bounded
else
    skip "the new node needs no more than $memory_kb kB" "sanitizers take several times as much"
fi
cat "$work/notes"
finish
