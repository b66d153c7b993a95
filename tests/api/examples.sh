#!/bin/sh
# The examples of the manual do what they say.
work=$(mktemp -d "${TMPDIR:-/tmp}/examples.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
cases=0
failed=0

# prints NAME ARGUMENTS: its output is what stands on standard input.
prints()
{
    name=$1
    shift
    cases=$((cases + 1))
    cat >"$work/expected"
    if "${top_builddir:-.}/examples/$name" "$@" >"$work/found" 2>&1 &&
        diff "$work/expected" "$work/found" >"$work/difference"; then
        echo "ok $cases - the example $name"
    else
        failed=1
        sed 's/^/# /' "$work/found"
        echo "not ok $cases - the example $name"
    fi
}

echo 1..4
prints counter "$work/socket" <<END
visits: 5
END
prints till "$work/till.db" <<END
receipt till-1/1
receipt till-1/2
2 receipts, 2.55
  apples -5
  pears -1
END
prints tags <<END
dog: yes
title: Low tide
title: Rex in the sea
title: Rex at low tide
2 fields
0 fields
END
prints load <<END
12345 + 12655 = 25000
sensor/012345: 37035
END
exit $failed
