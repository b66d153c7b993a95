#!/bin/sh
# `make installcheck`: what `make install` put down is there and works from there: header, libraries,
# neap.pc (shared and static), man pages, unit, tools. The Makefile gives the folders.
root=${DESTDIR:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/neap-installed-XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
failed=0
: "${CC:=cc}" "${bindir:?}" "${libdir:?}" "${includedir:?}" "${mandir:?}" "${unitdir:?}" "${sysconfdir:?}"

case_of()
{
    title=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok - $title"
    else
        failed=1
        echo "not ok - $title"
        sed 's/^/# /' "$work/log"
    fi
}

files()
{
    for each in "$includedir/neap.h" "$includedir/neap_trust.h" "$libdir/libneap.so" "$libdir/libneap.a" \
        "$libdir/pkgconfig/neap.pc" "$mandir/man1/neap.1" "$mandir/man8/neapd.8" \
        "$mandir/man1/neap-sim.1" "$bindir/neap-sim" \
        "$bindir/neap" "$bindir/neapd" "$unitdir/neapd.service"; do
        test -s "$root$each" || {
            echo "missing: $root$each"
            return 1
        }
    done
}
case_of "files are where they belong" files

unit()
{
    grep -qx "ExecStart=$bindir/neapd --config $sysconfdir/neap/neapd.ini" \
        "$root$unitdir/neapd.service" && ! grep '@' "$root$unitdir/neapd.service"
}
case_of "the unit names the folders" unit

cat >"$work/program.c" <<'END'
#include <neap.h>
#include <stdio.h>
/* Names of the library's insides are free for an application. */
int batch_put(void);
int batch_put(void)
{
    return 3;
}
int main(void)
{
    struct neap_place at = {.bucket = "b", .key = {"k", 1}};
    struct neap_options options;
    struct neap *neap;
    int64_t value = 0;

    neap_options_init(&options);
    if (neap_open(&options, &neap, NULL) || neap_counter_add(neap, &at, batch_put(), NULL) ||
        neap_counter_get(neap, &at, &value, NULL))
        return 1;
    neap_close(neap);
    printf("%lld\n", (long long)value);
    return 0;
}
END
config()
{
    PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root$libdir/pkgconfig pkg-config "$@"
}
# The flags are lists.
# shellcheck disable=SC2046,SC2086
shared()
{
    $CC $sanitize -std=c99 -Wall -Werror $(config --cflags neap) -o "$work/shared" "$work/program.c" \
        $(config --libs neap) && test "$(LD_LIBRARY_PATH=$root$libdir "$work/shared")" = 3
}
# shellcheck disable=SC2046,SC2086
static()
{
    $CC $sanitize -std=c99 -Wall -Werror $(config --cflags neap) -o "$work/static" "$work/program.c" \
        $(config --static --libs neap | sed 's/-lneap /-l:libneap.a /') &&
        ! ldd "$work/static" | grep libneap && test "$("$work/static")" = 3
}
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}
case_of "a program with pkg-config" shared
case_of "a program with pkg-config --static" static

LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
tools()
{
    "$root$bindir/neapd" --version && "$root$bindir/neap" demo >"$work/demo" &&
        tail -n 1 "$work/demo" | grep -q '^converged: 3 nodes, '
}
case_of "the installed tools: neap demo" tools
simulator()
{
    "$root$bindir/neap-sim" --version && "$root$bindir/neap-sim" --seeds 3 >"$work/sim" &&
        grep -qx '3 seeds, 0 failed' "$work/sim"
}
case_of "the installed tools: neap-sim" simulator
exit $failed
