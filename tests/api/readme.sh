#!/bin/sh
# The programs on the README's first screen do what they say: in C, and in Python. What the latter
# needs is bindings/python/neap.py, which is held against neap.h here, and tried.
source=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/readme.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
: "${CC:=cc}"
cases=0
failed=0
flags="-std=c11 -Wall -Wextra -Werror -I$source/include"
NEAP_LIBRARY=$build/.libs/libneap.so
PYTHONPATH=$source/bindings/python
PYTHONDONTWRITEBYTECODE=1
export NEAP_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE

check()
{
    title=$1
    cases=$((cases + 1))
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok $cases - $title"
    else
        failed=1
        sed 's/^/# /' "$work/log"
        echo "not ok $cases - $title"
    fi
}

# shellcheck source=tests/support/python.sh
. "$source/tests/support/python.sh"

# The left one of two columns.
example_in_c()
{
    {
        echo '#include <neap.h>'
        echo 'int main(void) {'
        sed -n '/^    struct neap \*neap;/,/^$/p' "$source/README.md" | cut -c 5-57
        echo 'return 0; }'
    } >"$work/example.c"
    # shellcheck disable=SC2086
    grep -q neap_counter_add "$work/example.c" &&
        $CC $flags ${SANITIZE:+"-fsanitize=$SANITIZE"} -Wno-unused-result -Wno-missing-field-initializers -o "$work/example" \
            "$work/example.c" "$NEAP_LIBRARY" -Wl,-rpath,"$build/.libs" &&
        (cd "$work" && ./example) &&
        test "$("$build/neap" --dir "$work/shop.neap" get shop apples)" = 3
}
check "the example in C" example_in_c

if ! command -v python3 >/dev/null || ! python3 -c 'import ctypes' 2>/dev/null; then
    echo "ok $((cases + 1)) - the binding for Python # SKIP python3 is not installed"
    echo "1..$((cases + 1))"
    exit $failed
fi

generate=$source/bindings/python/generate.py
check "neap.py is of this neap.h" \
    python3 "$generate" "$source/include/neap.h" "$source/bindings/python/neap.py"

sizes()
{
    # shellcheck disable=SC2086
    python3 "$generate" --proof "$source/include/neap.h" "$source/bindings/python/neap.py" \
        >"$work/proof.c" && test "$(grep -c _Static_assert "$work/proof.c")" -gt 100 &&
        $CC $flags -fsyntax-only "$work/proof.c"
}
check "the compiler finds the same numbers, sizes and offsets" sizes

# As if a field had been moved, a number changed, a function added.
notices()
{
    mkdir "$work/include" || return 1
    for edit in 's/^    size_t size, room;/    size_t room, size;/' 's/^    NEAP_LWW = 2,/    NEAP_LWW = 7,/' \
        's/^NEAP_API int neap_sync(struct neap \*neap);/&\nNEAP_API int neap_sink(struct neap *neap);/' \
        's/int64_t change,/int32_t change,/'; do
        sed "$edit" "$source/include/neap.h" >"$work/include/neap.h"
        if cmp -s "$source/include/neap.h" "$work/include/neap.h" ||
            python3 "$generate" "$work/include/neap.h" "$source/bindings/python/neap.py"; then
            echo "not noticed: $edit"
            return 1
        fi
    done
    sed 's/^    size_t size, room;/    size_t room, size;/' "$source/include/neap.h" >"$work/include/neap.h"
    # shellcheck disable=SC2086
    ! $CC -I"$work/include" $flags -fsyntax-only "$work/proof.c"
}
check "a header that was changed is noticed" notices

if python_can; then
    example_in_python()
    {
        (cd "$work" && rm -rf shop.neap && python "$source/tests/api/readme.py" "$source/README.md")
    }
    check "the example in Python" example_in_python
    python "$source/tests/api/python.py" $cases >"$work/python" 2>&1 || failed=1
    cat "$work/python"
    grep -q '^1\.\.' "$work/python" || echo "not ok - python.py ends early"
else
    echo "ok $((cases + 1)) - the binding for Python # SKIP these sanitizers can't be loaded into python3"
    echo "1..$((cases + 1))"
fi
exit $failed
