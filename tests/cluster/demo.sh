#!/bin/sh
# `neap demo`: what it shows, and that it says so when the nodes do not agree.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
TMPDIR=$work
export TMPDIR

demo()
{
    gives 0 demo && test ! -s "$work/err" &&
        tail -n 1 "$work/out" |
        grep -qE '^converged: 3 nodes, [1-9][0-9]* cells, digest [0-9a-f]{32}$' || return 1
    digest=$(tail -n 1 "$work/out" | sed 's/.*digest //')
    # One row a node: keys, cells, bytes, log 0, residues 0, the same digest.
    test "$(grep -cE "^[abc] +[0-9]+ +[0-9]+ +[0-9]+ +0 +0 +$digest\$" "$work/out")" = 3 &&
        test "$(grep -c '^  yes ' "$work/out")" = 5 && ! grep -q '^  NO ' "$work/out"
}
gone()
{
    test -z "$(find "$work" -name 'neap-demo-*')"
}
ring()
{
    gives 0 demo --ring && test ! -s "$work/err" && test "$(grep -c '^  yes ' "$work/out")" = 7 &&
        ! grep -q '^  NO ' "$work/out" &&
        tail -n 1 "$work/out" | grep -q '^nothing lost: 600 orders, one node cut off, one replaced$'
}
check "a ring: hints, a replacement, nothing lost" ring
check "nothing of it is left" gone
if test -r /var/lib/dpkg/status; then
    check "three nodes converge, with empty logs and residues" demo
    check "nothing of it is left" gone
    # A neapd that puts c into a cluster of its own: it can never agree.
    mkdir "$work/bin"
    cp "$NEAP" "$work/bin/neap"
    cat >"$work/bin/neapd" <<END
#!/bin/sh
case \$* in
    */c.sock*) test -e '$work/other' || '$NEAP' init '$work/other'
        exec '$NEAPD' "\$@" --cluster '$work/other' ;;
esac
exec '$NEAPD' "\$@"
END
    chmod +x "$work/bin/neapd"
    differs()
    {
        NEAP=$work/bin/neap
        gives 1 --timeout 500 demo && ! grep -q converged "$work/out" &&
            grep -q 'did not become equal' "$work/err" &&
            grep -qE '^only on a: \{.*"key":' "$work/err" && grep -q 'are kept in' "$work/err"
    }
    check "nodes that cannot agree: exit 1, and what differs" differs
else
    skip "the demo" "no dpkg status file here"
fi
finish
