# Read by the tests of this folder: real processes, started from the build folder, under a temporary
# directory that goes away with them. TAP on stdout. Only POSIX sh.
#
# Nothing here sleeps: a loop that waits asks the thing that it waits for, until a deadline.
LC_ALL=C
export LC_ALL
unset NEAP_NODE
build=$(pwd)
source=$(cd "${top_srcdir:-.}" && pwd) || exit 99
if test -x "$build/.libs/neap"; then
    LD_LIBRARY_PATH=$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    NEAP=${NEAP:-$build/.libs/neap} NEAPD=${NEAPD:-$build/.libs/neapd}
fi
NEAP=${NEAP:-$build/neap} NEAPD=${NEAPD:-$build/neapd}
work=$(mktemp -d "${TMPDIR:-/tmp}/neap-test-XXXXXX") || exit 99
cases=0 failed=0 running=

ending()
{
    for pid in $running; do
        kill -s KILL "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap ending EXIT
trap 'exit 99' INT TERM HUP

# check NAME COMMAND...: one case; what the command printed is shown when it fails.
check()
{
    title=$1
    shift
    cases=$((cases + 1))
    if "$@" >"$work/case" 2>&1; then
        echo "ok $cases - $title"
    else
        failed=1
        echo "not ok $cases - $title"
        sed 's/^/# /' "$work/case"
    fi
}

skip()
{
    cases=$((cases + 1))
    echo "ok $cases - $1 # SKIP $2"
}

finish()
{
    echo "1..$cases"
    exit $failed
}

# neap ARGUMENTS...: its output is in $work/out and $work/err, its exit code is the function's.
neap()
{
    "$NEAP" "$@" >"$work/out" 2>"$work/err" </dev/null
}

# gives CODE ARGUMENTS...: neap ends so.
gives()
{
    want=$1
    shift
    neap "$@"
    got=$?
    test "$got" = "$want" && return 0
    echo "neap $*: exit $got, not $want"
    cat "$work/out" "$work/err"
    return 1
}

# prints TEXT ARGUMENTS...: neap ends with 0, prints that line or lines, and nothing on stderr.
prints()
{
    text=$1
    shift
    gives 0 "$@" || return 1
    test "$(cat "$work/out")" = "$text" && test ! -s "$work/err" && return 0
    echo "neap $*: printed this, not \`$text'"
    cat "$work/out" "$work/err"
    return 1
}

# fails CODE PATTERN ARGUMENTS...: neap ends so, says why on stderr, and prints nothing.
fails()
{
    code=$1 pattern=$2
    shift 2
    gives "$code" "$@" || return 1
    grep -qE -- "$pattern" "$work/err" && test ! -s "$work/out" && return 0
    echo "neap $*: said this, nothing that matches \`$pattern'"
    cat "$work/out" "$work/err"
    return 1
}

# until_true SECONDS COMMAND...: asks again and again.
until_true()
{
    end=$(($(date +%s) + $1))
    shift
    until "$@" >"$work/until" 2>&1; do
        test "$(date +%s)" -lt "$end" && continue
        echo "in vain: $*"
        cat "$work/until"
        return 1
    done
}

# answers NAME: the daemon does (0 or 1), or is gone.
answers()
{
    "$NEAP" -n "$work/$1.sock" status >/dev/null 2>&1
    test $? -le 1 || ! kill -s 0 "$(cat "$work/$1.pid")" 2>/dev/null
}

# daemon NAME FLAGS...: starts neapd on $work/NAME with the socket NAME.sock and the log NAME.log.
daemon()
{
    daemon=$1
    shift
    "$NEAPD" --path "$work/$daemon" --create --socket "$work/$daemon.sock" "$@" \
        >"$work/$daemon.out" 2>>"$work/$daemon.log" </dev/null &
    echo $! >"$work/$daemon.pid"
    running="$running $!"
    until_true 60 answers "$daemon" && kill -s 0 "$(cat "$work/$daemon.pid")" && return 0
    echo "neapd $daemon did not start:"
    cat "$work/$daemon.log"
    return 1
}

# end NAME SIGNAL: its exit code.
end()
{
    kill -s "$2" "$(cat "$work/$1.pid")"
    wait "$(cat "$work/$1.pid")" 2>/dev/null
}

# digest NODE: of all that it holds, with what is not at rest.
digest()
{
    "$NEAP" -n "$work/$1.sock" digest | awk '$1 == "(all)" { print $7, $5, $6 }'
}

# equal NODE...: they hold the same; no log and no residues are left.
equal()
{
    first=$(digest "$1")
    test -n "$first" && test "${first#* }" = "0 0" || return 1
    for each; do
        test "$(digest "$each")" = "$first" || return 1
    done
}
