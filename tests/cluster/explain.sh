#!/bin/sh
# neap explain, diff, tasks, task, scrub, repair: what operators are told, and what their orders do.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
lose=$build/tests/cluster/lose
"$NEAP" init --file "$work/cluster" >/dev/null

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
    daemon "$name" --cluster "$work/cluster" --listen "ipc://$work/$name.peer" \
        --peers "${list#,}" --log_max 50
}

# says PATTERN...: the last answer has a line for each.
says()
{
    for pattern; do
        grep -qE -- "$pattern" "$work/out" && continue
        echo "no line like \`$pattern':"
        cat "$work/out"
        return 1
    done
}

start()
{
    member a b c && member b a c && member c a b && on a put shop apple red &&
        on b incr shop count 3 && on a incr shop count 2 && on c add shop fruits pear &&
        on a -f price incr shop cart 5 && until_true 60 equal a b c
}
check "three nodes agree" start

explained()
{
    gives 0 -n "$work/a.sock" explain shop apple &&
        says '^lww: "red"$' 'the one write that no other' 'by this node +20.*Z +"red"' \
            'b.peer +has the same$' 'c.peer +has the same$' 'b.peer +0 +0 +answered' &&
        gives 0 -n "$work/c.sock" explain shop count &&
        says '^counter: 5$' 'sum of 2 parts' 'by ipc://.*/a.peer +2$' 'by ipc://.*/b.peer +3$' &&
        gives 0 -n "$work/b.sock" explain shop fruits && says '^set element "pear"' &&
        gives 0 -n "$work/b.sock" explain shop cart && says '^counter "price": 5$' &&
        gives 0 -n "$work/b.sock" -f price --type counter explain shop cart &&
        says '^counter "price": 5$' &&
        gives 0 -n "$work/b.sock" -o json explain shop apple && says '"differing": 0' '"state": "same"'
}
check "explain: value, events, by whom, and who has it" explained

same_everywhere()
{
    prints_same a apple && prints_same c count && prints_same b cart
}
prints_same()
{
    gives 0 -n "$work/$1.sock" diff shop "$2" && says '^the same at all that have answered$' &&
        ! grep -q '^counter\|^lww' "$work/out"
}
check "diff: nothing differs, exit 0" same_everywhere

apart()
{
    on c isolate on && on a put shop apple green && on c put shop apple blue &&
        on c delete shop fruits && until_true 60 gives 3 -n "$work/a.sock" diff shop apple &&
        says 'c.peer .*not connected' && gives 0 -n "$work/a.sock" explain shop apple &&
        says '^lww: "green"$' 'c.peer +does not answer.*, lacks .*"green"' 'c.peer +1 +0 '
}
check "a peer that is away: what it had not seen; diff gives 3" apart

lacking()
{
    until_true 60 gives 1 -n "$work/a.sock" hints shop && says 'c.peer +log +[1-9].* since 20.*away' &&
        gives 1 -n "$work/a.sock" -o json hints && says '"way": "log"' '"exact": true' '"after": ' &&
        gives 1 -n "$work/a.sock" log why && says '^shop: .* members have not got all' \
            'c.peer: has not got .* kept for it alone.*: it is away' 'to do: bring it back' &&
        gives 1 -n "$work/a.sock" -o json log why shop && says '"held_by"' '"alone": [1-9]' &&
        fails 1 'no bucket' -n "$work/a.sock" hints nowhere &&
        fails 2 'not a name' -n "$work/a.sock" log why a/b &&
        fails 2 'why, and a bucket' -n "$work/a.sock" log what &&
        fails 2 'usage: neap hints' -n "$work/a.sock" hints a b
}
check "hints, log why: what the one who is away lacks, and what is kept for it" lacking

concurrent()
{
    on c isolate off && until_true 60 equal a b c && gives 0 -n "$work/b.sock" explain shop apple &&
        says '^lww: "blue"$' 'of 2 concurrent writes, the one with the latest stamp' '"green"$' &&
        fails 1 'has no such object here' -n "$work/b.sock" explain shop fruits
}
check "two concurrent writes, and why one wins; what was removed is nowhere" concurrent

nothing_lacking()
{
    until_true 60 prints '' -n "$work/a.sock" hints && until_true 60 prints '' -n "$work/a.sock" log why
}
check "at rest nobody lacks anything, and no log is kept" nothing_lacking

refused()
{
    fails 1 'no such object' -n "$work/a.sock" explain shop nothing &&
        fails 1 'no such object' -n "$work/a.sock" diff nowhere nothing &&
        fails 2 'not a name of a bucket' -n "$work/a.sock" explain a/b k &&
        fails 2 'not a key' -n "$work/a.sock" explain shop '' &&
        fails 2 'usage: neap explain' -n "$work/a.sock" explain shop &&
        fails 2 'means nothing to' -n "$work/a.sock" --limit 3 explain shop apple &&
        fails 3 . -n "$work/nobody.sock" explain shop apple
}
check "explain: errors" refused

# ---- tasks ----

# CODE PATTERN WORDS...
task_words()
{
    while read -r code pattern words; do
        # shellcheck disable=SC2086
        fails "$code" "$pattern" -n "$work/a.sock" $words || return 1
    done <<'END'
2 usage task
2 usage task pause
2 pause,.resume.or.cancel task stop scrub
2 no.name task pause shop
2 no.name task cancel ask:x
2 no.name task pause repair:a/b
1 see.tasks task pause repair:nowhere
1 see.tasks task resume repair:shop
1 see.tasks task cancel pull:shop
1 see.tasks task cancel backup
1 see.tasks task cancel ask:1
4 only.be.cancelled task pause pull:shop
1 no.bucket scrub nowhere
2 not.a.name scrub a/b
1 no.bucket repair nowhere
2 not.a.name repair a/b
2 usage scrub a b
2 usage tasks a
END
}
check "task, scrub, repair: errors" task_words

paused()
{
    prints '' -n "$work/a.sock" tasks && prints '' -n "$work/a.sock" task pause repair:shop &&
        prints '' -n "$work/a.sock" task pause scrub && gives 0 -n "$work/a.sock" tasks &&
        says '^repair:shop +paused' '^scrub +paused +- +0 of 2 buckets' &&
        gives 0 -n "$work/a.sock" -o json tasks && says '"id": "repair:shop"' '"state": "paused"' &&
        prints '' -n "$work/a.sock" task resume repair:shop &&
        prints '' -n "$work/a.sock" task cancel scrub && prints '' -n "$work/a.sock" tasks
}
check "pauses are shown, and taken back" paused

# Far behind: 200 events, and a log of 50.
compare()
{
    on b isolate on && on b task pause compare:shop || return 1
    awk 'BEGIN { for (i = 0; i < 200; i++) printf "{\"key\":\"k%d\",\"type\":\"lww\",\"value\":\"v\"}\n", i }' |
        on a import shop >/dev/null
    on b isolate off && until_true 60 holds b compare:shop && fails 1 . -n "$work/b.sock" get shop k7 &&
        prints '' -n "$work/b.sock" task resume compare:shop && until_true 60 equal a b c &&
        prints v -n "$work/b.sock" get shop k7 && prints '' -n "$work/b.sock" tasks
}
# holds NODE TASK: it is under way there with a peer, and paused.
holds()
{
    gives 0 -n "$work/$1.sock" tasks && says "^$2 +paused +[0-9.]+ s .*peer\$"
}
check "a compare that is paused waits, and goes on" compare

scrubbed()
{
    number=$(scrubs a) && on a scrub && until_true 60 more_than "$number" a &&
        number=$(scrubs a) && on a scrub shop && until_true 60 more_than "$number" a
}
scrubs()
{
    on "$1" stats | awk '$1 == "shards_scrubbed" { print $2 }'
}
more_than()
{
    test "$(scrubs "$2")" -gt "$1"
}
check "scrub reads everything now" scrubbed

# b loses a value without a trace. Repairs are paused on all, so that it stays so; then they aren't.
mended()
{
    for each in a c; do
        on "$each" task pause repair:shop || return 1
    done
    ! end b KILL && "$lose" "$work/b" shop k7 && member b a c && on b task pause repair:shop &&
        until_true 60 damaged && gives 0 -n "$work/a.sock" repair shop && says 'paused' &&
        for each in a b c; do
            on "$each" task cancel repair:shop || return 1
        done
    until_true 60 ordered && until_true 60 prints v -n "$work/b.sock" get shop k7
}
damaged()
{
    gives 1 -n "$work/a.sock" diff shop k7 && says 'b.peer +has the same events and other content: damage'
}
ordered()
{
    neap -n "$work/a.sock" repair shop && says 'b.peer +(begins as soon|both hold the same)'
}
check "damage is named by diff; a repair on order mends it" mended

away()
{
    end c TERM
    until_true 60 gives 3 -n "$work/a.sock" repair shop && says 'c.peer +not connected'
}
check "repair with a peer that is away: exit 3" away

alone()
{
    daemon lone &&
        gives 0 -n "$work/lone.sock" put shop apple red &&
        gives 0 -n "$work/lone.sock" explain shop apple && says '^lww: "red"$' &&
        fails 4 'this node is alone' -n "$work/lone.sock" repair &&
        fails 4 'this node is alone' -n "$work/lone.sock" scrub &&
        prints '' -n "$work/lone.sock" tasks
}
check "a node alone explains, and has nobody to repair with" alone
finish
