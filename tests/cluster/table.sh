#!/bin/sh
# One table of commands: how each ends, what it says of mistakes, and what it prints as JSON, which is held
# against docs/schema. Every command of neap is in it.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
mkdir "$work/json"
rows=0
: >"$work/seen"

# Each row: the definition of what is printed as JSON (or -), the exit code, what stderr says (or -), and
# the arguments. A and B are the flags of two nodes that are connected, N of none, D of a directory.
table()
{
    cat <<'ROWS'
-|0|-|$A put shop apple red
-|2|.|$A put shop
-|2|key|$A put shop '' red
-|2|means nothing to put|$A --limit 3 put shop a b
-|4|another process|--dir $work/b put shop a b
-|0|-|$A assign shop owner ann
-|2|means nothing|$A --once x assign shop owner ann
-|0|-|$A incr shop n 3
error|2|not a whole number|$A incr shop n x
-|0|-|$A --type bounded incr shop stock 5
rights|0|-|$A rights shop stock
-|2|.|$A give shop stock 1 x
-|2|.|$A claim shop stock x
-|0|-|$A max shop most 5
-|0|-|$A min shop least 5
-|0|-|$A flag shop open on
-|2|neither on nor off|$A flag shop open maybe
-|0|-|$A add shop fruits fig pear
-|0|-|$A remove shop fruits fig
-|0|-|$A score shop board ann 5
-|2|not a whole number|$A score shop board ann x
-|0|-|$A rank shop board ann
error|1|no such object|$A rank shop board bob
top|0|-|$A top shop board
top_live|0|-|$A top
top_live|0|-|$A --limit 2 top
-|2|usage: neap top|$A top shop
-|2|no --field|$A -f a top
error|3|connect|$N top
get|0|-|$A get shop apple
get|0|-|$A get shop fruits
get|0|-|$A get shop board
error|1|no such object|$A get shop nothing
error|3|connect|$N get shop apple
-|2|one, quorum, all|$A --level two get shop apple
-|0|-|$A -f a put shop cart v
keys|0|-|$A keys shop
keys|0|-|$A items shop cart
-|2|map or set|$A --type counter items shop cart
export|0|-|$A export shop
-|0|-|$A import shop /dev/null
-|2|cannot read|$A import shop $work/none
-|0|-|$A delete shop most
status|0|-|$A status
error|3|connect|$N status
digest|0|-|$A digest
digest|0|-|$A digest shop
error|1|no bucket|$A digest nowhere
once|0|-|$A once
stats|0|-|$A stats
-|0|-|$A subscribe shop
-|0|-|$A unsubscribe nowhere
error|4|--yes|$A unsubscribe nowhere force
-|2|means nothing to put|$A --yes put shop a b
subscriptions|0|-|$A subscriptions
error|1|no ring|$A ring main
rings|0|-|$A ring
error|2|a ring's name|$A ring Main
error|2|a power of two|$A plan create main 1 3
plan_staged|0|-|$A plan create main 1 4
plan_staged|0|-|$A plan join main 00000000000000a1 hall 10
plan_staged|0|-|$A plan join main 00000000000000b2
error|2|not a node|$A plan join main x
plan_staged|0|-|$A plan clear main 00000000000000b2
plan|0|-|$A plan show main
error|4|look at it again|$A plan commit main 7
plan_commit|0|-|$A plan commit main 1
error|4|nothing is staged|$A plan show main
ring|0|-|$A ring main
rings|0|-|$A ring
ring_slots|0|-|$A ring main slots
ring_buckets|0|-|$A ring main buckets
ring_key|0|-|$A ring main key orders@main 17
error|2|is asked by key|$A --from start watch orders@main
error|4|is on a ring|$A bundle export $work/x orders@main
error|4|--yes|$A plan skip main 00000000000000a1
error|4|nothing moves|$A --yes plan skip main 00000000000000a1
plan_staged|0|-|$A plan replace main 00000000000000a1 00000000000000b2
plan|0|-|$A plan show main
plan_commit|0|-|$A plan commit main 2
ring|0|-|$A ring main
plan_skip|0|-|$A --yes plan skip main 00000000000000a1
explain|0|-|$A explain shop apple
error|1|no such object|$A explain shop nothing
explain|0|-|$A diff shop apple
diff|0|-|$A diff shop
error|1|no bucket|$A diff nowhere
verify|0|-|$A verify shop
error|2|not a name|$A verify a/b
doctor|0|-|$A doctor
history|0|-|$A history
history|0|-|$A --limit 1 history
error|2|from 1 to 1000|$A --limit 1001 history
log|0|-|$A log why
error|2|why, and a bucket|$A log what
error|1|no bucket|$A hints nowhere
-|0|-|$A --timeout 1 --from start watch shop
-|2|wants start|$A --from x watch shop
bundle|0|-|$A bundle export $work/bundle shop
bundle|0|-|$A bundle apply $work/bundle
error|4|.|$A bundle export $work/bundle shop
error|1|.|$A bundle apply $work/none
big|0|-|$A big shop
error|2|not a number|$A --limit 1001 big shop
siblings|0|-|$A siblings shop
error|1|no bucket|$A siblings nowhere
hints|0|-|$A hints shop
error|1|no bucket|$A hints nowhere
log|0|-|$A log why
log|0|-|$A log why shop
error|2|why, and a bucket|$A log what
repair|0|-|$A repair shop
error|1|no bucket|$A repair nowhere
repair|0|-|$A --from ipc://$work/b.peer --budget 500k --resume repair shop
error|2|no peer.s address|$A --from nobody repair
error|2|from PEER, budget N|$A --budget fast repair
error|2|from PEER, budget N|$A --budget 0 repair
-|2|mean nothing|$A --budget 1m --dry-run repair shop
repair_dry_run|0|-|$A --from ipc://$work/b.peer repair --dry-run shop
error|2|no peer.s address|$A --from nobody repair --dry-run shop
-|2|means nothing to scrub|$A --resume scrub
error|1|nothing of the name|$A task follow repair:shop
repair_dry_run|0|-|$A repair --dry-run shop
error|1|no such|$A repair --dry-run nowhere
scrub|0|-|$A scrub
tasks|0|-|$A tasks
task|0|-|$A task pause scrub
tasks|0|-|$A tasks
task|0|-|$A task resume scrub
error|2|no name|$A task cancel nonsense
error|1|nothing of the name|$A task cancel ask:9999
settings|0|-|$A settings
settings|0|-|$A settings log_max
error|2|none of those|$A settings memory_max
settings|0|-|$A set bulk_max 2m
settings|0|-|$A set sync_ms 50
error|2|from 1 to 1000000|$A set scrub_max 0
error|2|none of those|$A set log_level debug
backup|0|-|$A backup $work/backup
error|4|exists already|$A backup $work/backup
backup_verify|0|-|-o json backup verify $work/backup
error|1|.|-o json backup verify $work/none
restore|0|-|-o json restore $work/backup $work/restored
error|4|not empty|-o json restore $work/backup $work/restored
-|0|-|-o json init $work/trust
-|4|exist|-o json init $work/trust
token|0|-|-o json token create $work/trust
tokens|0|-|-o json token list $work/trust
error|2|.|-o json token frobnicate $work/trust
error|1|.|-o json join $work/none tls+tcp://127.0.0.1:1 $work/joined
error|2|.|-o json cert frobnicate $work/trust
error|4|--yes|$A revoke node/0123456789abcdef
-|0|-|$A --yes revoke node/0123456789abcdef
error|2|.|$A --yes revoke nobody
revoked|0|-|$A revoked
peers|0|-|$A peers
error|1|no node nobody|$A retire nobody
error|4|--yes|$A forget nobody
error|1|no node nobody|$A --yes forget nobody
-|0|-|$A isolate on
doctor|1|-|$A doctor
hints|0|-|$A hints shop
explain|0|-|$A explain shop apple
explain|3|-|$A diff shop apple
diff|3|-|$A diff shop
verify|1|-|$A verify shop
status|1|-|$A status
repair|3|-|$A repair shop
error|2|on or off|$A isolate maybe
-|0|-|$A isolate off
doctor|1|-|-o json --dir $work/none doctor
-|0|-|completion bash
-|2|bash or zsh|completion fish
ROWS
}

# row SCHEMA EXIT SAID ARGUMENTS
row()
{
    rows=$((rows + 1))
    eval "neap $4"
    got=$?
    cp "$work/out" "$work/printed"
    test "$got" = "$2" || {
        echo "neap $4: exit $got, not $2"
        cat "$work/out" "$work/err"
        return 1
    }
    test "$3" = - || grep -qE -- "$3" "$work/err" || {
        echo "neap $4: said this, nothing like \`$3'"
        cat "$work/err"
        return 1
    }
    case $1 in
        -) return 0 ;;
        error)
            test ! -s "$work/out" || {
                echo "neap $4: an error, and it printed something"
                return 1
            }
            grep '^{' "$work/err" >"$work/json/$rows.error" && return 0
            rm -f "$work/json/$rows.error" # mistakes in words are told in words
            ;;
        *) cp "$work/out" "$work/json/$rows.$1" ;;
    esac
}

start()
{
    "$NEAP" init --file "$work/cluster" >/dev/null &&
        daemon a --cluster "$work/cluster" --listen "ipc://$work/a.peer" --peers "ipc://$work/b.peer" &&
        daemon b --cluster "$work/cluster" --listen "ipc://$work/b.peer" --peers "ipc://$work/a.peer" &&
        gives 0 -n "$work/b.sock" put shop apple blue && until_true 60 equal a b
}
check "two nodes" start

rows()
{
    A="-n $work/a.sock -o json" N="-n $work/none.sock -o json" wrong=0
    table >"$work/table"
    while IFS='|' read -r schema code said arguments; do
        row "$schema" "$code" "$said" "$arguments" || wrong=1
        echo "$arguments" >>"$work/seen"
    done <"$work/table"
    test "$rows" -gt 50 && return "$wrong"
}
check "each command ends as the table says" rows

commands=$("$NEAP" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
covered()
{
    missing=
    for command in $commands; do
        case $command in # they have tests of their own
            demo | watch | bundle | ring | plan | peers | members | retire | forget | leave) continue ;;
        esac
        grep -qE "(^|[^-])( |^)$command( |$)" "$work/seen" || missing="$missing $command"
    done
    test -z "$missing" && return 0
    echo "not in the table of tests/cluster/table.sh:$missing"
    return 1
}
check "every command is in the table" covered

# Too many arguments: 2, and how it is to be used. No node: 3, as JSON. Whatever the command.
generic()
{
    many='x x x x x x'
    for command in $commands; do
        arguments=$("$NEAP" --help | sed -n "s/^  $command  *\\([^ ].*\\)/\\1/p" | head -n 1)
        case $arguments in *...*) continue ;; esac
        # shellcheck disable=SC2086
        fails 2 "^usage: neap $command" "$command" $many || return 1
    done
}
check "too many arguments: exit 2, and the usage" generic

away()
{
    for words in 'get a b' 'keys a' 'export a' 'digest' 'stats' 'verify' 'tasks' 'settings' 'big a' 'revoked' 'repair'; do
        # shellcheck disable=SC2086
        fails 3 '^\{"doing":"connect","code":-[0-9]+,"error":' -n "$work/none.sock" -o json $words &&
            fails 4 'another process' --dir "$work/a" $words || return 1
    done
}
check "no node: exit 3; a directory that is in use: exit 4" away

# Each look is a block; the first has no rates, and the next one has.
live()
{
    gives 0 -n "$work/a.sock" --limit 2 top || return 1
    test "$(grep -c '^node [0-9a-f]* ' "$work/out")" = 2 && grep -q '^here  *writes/s -  events/s - ' "$work/out" &&
        grep -qE '^here  *writes/s [0-9.]+  events/s [0-9.]+ ' "$work/out" &&
        grep -qE '^shop  *[0-9]+  *[0-9]+  *-  *-  *-  *-$' "$work/out" &&
        grep -qE "^ipc://$work/b.peer  *connected  *alive  *[0-9]+  *[0-9.]+  *[0-9.]+$" "$work/out"
}
check "top: one look after another" live
if python3 -c 'import pty' 2>/dev/null; then
    for key in q int; do
        check "top: live on a terminal, until $key" python3 "$source/tests/cluster/live.py" "$key" 'pulls/s' \
            "$NEAP" -n "$work/a.sock" top
    done
else
    skip "top: live on a terminal" "python3 is not installed"
fi

python=
for each in python3 /usr/bin/python3; do
    test -n "$python" || { "$each" -c 'import jsonschema' 2>/dev/null && python=$each; }
done
if test -n "$python"; then
    check "what was printed fits docs/schema" "$python" "$source/tests/cluster/table.py" \
        "$source/docs/schema/neap.schema.json" "$work/json"
else
    skip "what was printed fits docs/schema" "python3-jsonschema is not installed"
fi
finish
