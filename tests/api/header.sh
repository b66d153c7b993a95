#!/bin/sh
# neap.h and neap_trust.h compile alone, as C99 and as C++, and both can use all of it.
work=$(mktemp -d "${TMPDIR:-/tmp}/header.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
build=$(pwd)
source=${top_srcdir:-.}
flags="-Wall -Wextra -Wpedantic -Werror -I$source/include -I$source"
test -z "$SANITIZE" || flags="$flags -fsanitize=$SANITIZE"
case ${CC:-cc} in
*clang*) CXX=clang++ ;;
*) CXX=g++ ;;
esac
cases=0
failed=0

# ok NAME COMMAND...
ok()
{
    cases=$((cases + 1))
    name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "ok $cases - $name"
    else
        failed=1
        sed 's/^/# /' "$work/out"
        echo "not ok $cases - $name"
    fi
}

# compile COMPILER... FILE: against the shared library that was built.
compile()
{
    "$@" $flags -o "$work/program" "$build/.libs/libneap.so" -Wl,-rpath,"$build/.libs"
}

echo 1..8
ok 'neap.h alone is C99' ${CC:-cc} -std=c99 $flags -fsyntax-only -x c "$source/include/neap.h"
ok 'neap_trust.h alone is C99' \
    ${CC:-cc} -std=c99 $flags -fsyntax-only -x c "$source/include/neap_trust.h"
ok 'a C99 program uses all of it' compile ${CC:-cc} -std=c99 "$source/tests/api/header_c99.c"
ok 'and runs' "$work/program"
if command -v $CXX >/dev/null 2>&1; then
    ok 'neap.h alone is C++' $CXX $flags -fsyntax-only -x c++ "$source/include/neap.h"
    ok 'neap_trust.h alone is C++' \
        $CXX $flags -fsyntax-only -x c++ "$source/include/neap_trust.h"
    ok 'a C++ program uses all of it' compile $CXX "$source/tests/api/header_cpp.cpp"
    ok 'and runs too' "$work/program"
else
    for name in 'neap.h alone is C++' 'neap_trust.h alone is C++' 'a C++ program uses all of it' 'and runs too'; do
        cases=$((cases + 1))
        echo "ok $cases - $name # SKIP no $CXX here"
    done
fi
exit $failed
