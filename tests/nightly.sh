#!/bin/sh
# `make nightly` [in a build folder]: what takes long. Closes with "N passed, N failed".
#   STEPS="crash property vectors sim netns laws trust large fuzz bare"   only those
#   ROUNDS=500                                  of each crash test, and so on in proportion
#   FUZZ="first join"                           of the step fuzz only those
# Logs: nightly-*.log in the build folder. `bare` needs root and debootstrap: it makes a Debian 12 with
# nothing in it from the mirror that this machine's apt uses, and runs both of the README's commands
# on a fresh clone there.
set -u
steps=${STEPS:-crash property vectors sim netns laws trust large fuzz bare}
rounds=${ROUNDS:-500}
build=$(pwd)
source=$(cd "${top_srcdir:-.}" && pwd) || exit 99
passed=0 failed=0

# try NAME COMMAND...: one case; its output goes to a log.
try()
{
    name=$1
    shift
    start=$(date +%s)
    if "$@" >"$build/nightly-$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok - $name ($(($(date +%s) - start)) s)"
    else
        failed=$((failed + 1))
        echo "not ok - $name ($(($(date +%s) - start)) s)"
        tail -n 20 "$build/nightly-$name.log" | sed 's/^/# /'
    fi
}

# A new seed every night; the log tells which.
seed=${SEED:-$(date +%Y%m%d)}
echo "# seed $seed"

crash()
{
    for each in kill kill_neap power power_neap; do
        try "$each" env top_srcdir="$source" CRASH_ROUNDS="$rounds" CRASH_SEED="$seed" \
            sh "$source/tests/crash/$each.sh"
    done
    # A flipped byte takes a second.
    try damage env top_srcdir="$source" sh "$source/tests/cluster/damage.sh" "$rounds" "$seed"
}

# Ten times what `make check` runs, from other seeds; some of it on RocksDB.
property()
{
    causality=$build/tests/property/causality
    try causality "$causality" --histories $((rounds * 67))
    for each in sync horizon crash lives damage rollback fresh boot; do
        try "causality-$each" "$causality" --profile "$each" --seed "$seed" --histories \
            $((rounds * 20))
    done
    for each in sync horizon damage; do
        try "causality-rocks-$each" "$causality" --profile "$each" --disk rocks --seed "$seed" \
            --histories "$rounds"
    done
    try ring "$build/tests/property/ring" --seed "$seed" --histories $((rounds * 100))
}

# All histories that others have answered, pushes in another order every night.
vectors()
{
    try vectors "$build/tests/vectors" --types all --seed "$seed"
}

sim()
{
    try sim "$build/neap-sim" --seed "$seed" --seeds $((rounds * 20))
    try sim-many "$build/neap-sim" --seed "$seed" --seeds "$rounds" --nodes 8
    try sim-long "$build/neap-sim" --seed "$seed" --seeds "$rounds" --events 10000
    try sim-longer "$build/neap-sim" --seed "$seed" --seeds $((rounds / 50 + 1)) --events 200000
    for each in net node disk clock life memory; do
        try "sim-$each" "$build/neap-sim" --seed "$seed" --seeds $((rounds * 4)) --faults "$each"
    done
    # A device that lies; what only it and a node that went back have seen is lost (0081).
    try sim-lies "$build/neap-sim" --seed "$seed" --seeds $((rounds * 4)) --faults net,node,lies
}

# Under each attack for a while: every node that comes is in within a second.
trust()
{
    try attack env ATTACK_MS=$((rounds * 60)) "$build/tests/trust/attack"
}

# Namespaces: half a minute a round.
netns()
{
    try ring-netns env top_srcdir="$source" sh "$source/tests/netns/ring.sh"
    try netns env top_srcdir="$source" sh "$source/tests/netns/netns.sh" $((rounds / 5 + 1)) "$seed"
}

laws()
{
    try laws env SEED="$seed" HISTORIES=$((rounds * 200)) "$build/tests/laws/laws"
}

# With a million cells: what costs too much only there.
large()
{
    try cold env top_srcdir="$source" COLD_CELLS=1000000 sh "$source/tests/cluster/cold.sh"
    try verify env top_srcdir="$source" VERIFY_CELLS=1000000 sh "$source/tests/cluster/verify_load.sh"
}

# How often each target is run, as a multiple of ROUNDS. The first four are every byte that comes
# before it is known from whom, at full speed: frames, hellos and names; tokens, questions and
# answers of joining; certificates; TLS. With the usual ROUNDS they are 10^8 together. A handshake
# that somebody changes (shake) takes milliseconds; the rest is read of those who are believed.
fuzz_runs()
{
    case $1 in
        first) echo $((rounds * 80000)) ;;
        join) echo $((rounds * 60000)) ;;
        shown) echo $((rounds * 40000)) ;;
        tls) echo $((rounds * 20000)) ;;
        shake) echo $((rounds * 400)) ;;
        request) echo $((rounds * 10000)) ;;
        *) echo $((rounds * 2000)) ;;
    esac
}

# From the corpus on; the same ones for the same SEED. Fails when fewer ran than should.
fuzz_one()
{
    case $1 in
        first) size=4200 ;;
        shake) size=64 ;;
        *) size=2048 ;;
    esac
    rm -rf "found/$1"
    mkdir -p "found/$1"
    "tests/fuzz/fuzz_$1" -runs="$(fuzz_runs "$1")" -seed="$seed" -max_len=$size -timeout=60 \
        -print_final_stats=1 "found/$1" "$source/tests/fuzz/corpus/$1" || return 1
}
fuzz_count()
{
    ran=$(sed -n 's/^stat::number_of_executed_units: //p' "$build/nightly-fuzz_$1.log" 2>/dev/null)
    echo "# fuzz_$1: ${ran:=0} executions"
    case $1 in
        first | join | shown | tls) strange=$((strange + ran)) ;;
    esac
    [ "$ran" -ge "$(fuzz_runs "$1")" ]
}

# Rules broken on purpose are noticed, each by a small part of the executions: TARGET RULE.
fuzz_broken='first any-cluster
first hello-any-size
first name-any-size
join answer-unread
shown any-usage
shown any-time
shown any-cluster
shake any-peer'
fuzz_notices()
{
    rm -rf noticed
    mkdir noticed
    echo "$fuzz_broken" | while read -r target rule; do
        if BROKEN=$rule "tests/fuzz/fuzz_$target" -runs="$(($(fuzz_runs "$target") / 40))" \
            -seed="$seed" -max_len=4200 noticed "$source/tests/fuzz/corpus/$target" >notices.log 2>&1 ||
            ! grep -qE 'must hold|Sanitizer' notices.log; then
            tail -n 5 notices.log
            echo "$rule was not noticed by fuzz_$target"
            exit 1
        fi
        echo "$rule: $(grep -m 1 -E 'must hold|Sanitizer' notices.log)"
    done
}
fuzz_configure()
{
    mkdir -p "$1" && cd "$1" || exit 99
    test -f Makefile || "$source/configure" -q CC=clang --enable-fuzz --enable-sanitize "$2"
}
fuzz()
{
    command -v clang >/dev/null || {
        echo "# fuzz: clang is not installed"
        return
    }
    strange=0
    # What frees much would keep it all for a while.
    export ASAN_OPTIONS="${ASAN_OPTIONS:-quarantine_size_mb=8}"
    fuzz_configure "$build/fuzz-broken" CPPFLAGS=-DNEAP_BROKEN
    try fuzz-broken-build make -j"$(nproc)" tests/fuzz/fuzz_first tests/fuzz/fuzz_join \
        tests/fuzz/fuzz_shown tests/fuzz/fuzz_shake
    try fuzz-notices fuzz_notices
    fuzz_configure "$build/fuzz" CPPFLAGS=
    try fuzz-build make -j"$(nproc)"
    for each in ${FUZZ:-first join shown tls shake cell chunk context look message pack path \
        request token verify}; do
        try "fuzz_$each" fuzz_one "$each"
        try "fuzz_$each-count" fuzz_count "$each"
        grep '^#' "$build/nightly-fuzz_$each-count.log"
    done
    if [ -z "${FUZZ:-}" ]; then
        echo "# bytes of strangers: $strange executions"
        try fuzz-strange [ "$strange" -ge $((rounds * 200000)) ]
    fi
    cd "$build" || exit 99
}

# In the new system: its own shell, git, and nothing else.
bare_run()
{
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive sh -ec "$1"
}
bare_make()
{
    # The archives of Debian 12 that this machine's apt uses, one "URI SUITE COMPONENT" a line.
    archives=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI) $(COMPONENT)' \
        'Created-By: Packages' |
        awk '$1 ~ /^Debian/ && $2 ~ /^bookworm/ { print $3, $2, $4 }' | sort -u)
    mirror=$(echo "$archives" | awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
    test -n "$mirror" || {
        echo "apt knows no archive of Debian 12"
        return 1
    }
    debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "$mirror" || return 1
    echo "$archives" | sed 's/^/deb /' >"$root/etc/apt/sources.list"
    apt-config dump Acquire | grep -iE 'proxy|check-' >"$root/etc/apt/apt.conf.d/01nightly"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev/shm" &&
        mkdir -p "$root/dev/pts" && mount -t devpts devpts "$root/dev/pts" &&
        git clone -q --no-hardlinks "$source" "$root/root/neap"
}
bare_end()
{
    umount "$root/dev/pts" "$root/dev/shm" "$root/proc" 2>/dev/null
    case $root in
        */neap-bare-*) mountpoint -q "$root/proc" || rm -rf --one-file-system "$root" ;;
    esac
}
bare()
{
    if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
        failed=$((failed + 1))
        echo "not ok - bare # needs root and debootstrap"
        return
    fi
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/neap-bare-XXXXXX") || exit 99
    trap bare_end EXIT
    trap 'exit 99' INT TERM HUP
    try bare-system bare_make
    try bare-quickstart bare_run 'cd /root/neap && ./quickstart | tee /root/demo &&
        tail -n 1 /root/demo | grep -q "^converged: 3 nodes, "'
    try bare-selftest bare_run "cd /root/neap && ./selftest ${BARE_STEPS:-gcc}"
}

for each in $steps; do
    case $each in
        crash | property | vectors | sim | netns | laws | trust | large | fuzz | bare) "$each" ;;
        *)
            failed=$((failed + 1))
            echo "not ok - there is no step $each"
            ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
