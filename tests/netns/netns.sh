#!/bin/sh
# netns.sh [ROUNDS [SEED]]: three neapd, each in a network namespace, and all that can happen to them
# and to the links between them; see drive.c. ROUNDS and SEED also from the environment. NEAP_KEEP: a
# folder, not there yet, for what is left.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
PATH=$PATH:/usr/sbin:/sbin
rounds=${1:-${ROUNDS:-1}} seed=${2:-${SEED:-1}}

skipped()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# What a user may make of his own, in a user namespace; else what root may.
command -v ip >/dev/null || skipped "ip is not installed (iproute2)"
command -v unshare >/dev/null || skipped "unshare is not installed (util-linux)"
for apart in -Urnmpf -nmpf; do
    unshare "$apart" --mount-proc --kill-child sh -c 'ip link add name one type veth peer name two' \
        2>/dev/null && break
    apart=
done
test -n "$apart" || skipped "network namespaces are not allowed here"

# While this end of it is open, the other end waits: however this ends, so do they.
"$NEAP" init --file "$work/cluster" >/dev/null && mkfifo "$work/alive" && exec 9<>"$work/alive" || exit 99
stopped()
{
    exec 9>&-
    test -z "$driver" || wait "$driver"
    ending
}
trap stopped EXIT
unshare "$apart" --mount-proc --kill-child "$build/tests/netns/drive" "$work" "$NEAPD" \
    "$build/tests/netns/proxy" "$seed" "$rounds" <"$work/alive" 9>&- &
driver=$!
wait "$driver"
result=$?
driver=
test -z "${NEAP_KEEP:-}" || cp -r "$work" "$NEAP_KEEP"
exit "$result"
