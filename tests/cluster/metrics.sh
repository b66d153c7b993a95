#!/bin/sh
# Numbers for Prometheus: neap stats --prometheus, and the listener of neapd.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
parse="python3 $source/tests/cluster/metrics.py"

# listening: a port that nothing has; another one is taken when somebody was faster.
listening()
{
    for try in 1 2 3 4 5; do
        port=$((20000 + ($$ * 7 + try * 1237) % 30000))
        daemon a --metrics "127.0.0.1:$port" && return 0
    done
    return 1
}
check "a daemon that Prometheus can ask" listening

printed()
{
    gives 0 -n "$work/a.sock" put shop apple red && gives 0 -n "$work/a.sock" -o json stats &&
        cp "$work/out" "$work/stats" && gives 0 -n "$work/a.sock" stats --prometheus &&
        $parse "$work/out" "$work/stats" && grep -q '^neap_writes_total 1$' "$work/out" &&
        grep -qE '^neap_links_total\{reason="client_no_descriptors"\} 0$' "$work/out" &&
        gives 0 -n "$work/a.sock" -o json --prometheus stats && $parse "$work/out" "$work/stats" &&
        fails 2 'means nothing to status' -n "$work/a.sock" status --prometheus
}
check "each number is printed, with what it is" printed

typed()
{
    gives 0 -n "$work/a.sock" stats --prometheus && ! grep -B1 untyped "$work/out"
}
check "and has a row in the table of tools/metrics.c" typed

asked()
{
    $parse "http://127.0.0.1:$port/metrics" && until_true 20 seen
}
seen()
{
    python3 -c 'import sys, urllib.request
assert b"\nneap_writes_total 1\n" in urllib.request.urlopen(sys.argv[1], timeout=20).read()' \
        "http://127.0.0.1:$port/metrics"
}
check "the listener says the same" asked

# status PATH: of what is not there, or not asked for by GET.
other()
{
    python3 - "$port" <<'END'
import http.client
import sys
for method, path, want in (("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 405)):
    link = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
    link.request(method, path)
    got = link.getresponse().status
    assert got == want, (method, path, got)
END
}
check "and nothing else" other

refused()
{
    for address in 0.0.0.0:9464 192.0.2.1:9464 9464 127.0.0.1 127.0.0.1: 127.0.0.1:x example.org:9464; do
        "$NEAPD" --path "$work/x" --create --metrics "$address" 2>"$work/err" && return 1
        test $? = 2 && grep -q 'metrics = .*127.0.0.1:PORT' "$work/err" && test ! -e "$work/x" || {
            cat "$work/err"
            return 1
        }
    done
    "$NEAPD" --path "$work/x" --create --metrics "127.0.0.1:$port" 2>"$work/err"
    test $? = 4 && grep -qi 'in use' "$work/err"
}
check "an address of others is refused (2), one that is in use, too (4)" refused
check "the daemon ends" end a TERM
finish
